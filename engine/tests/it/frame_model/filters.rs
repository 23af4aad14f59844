//! Filters of every kind over the views, in SQL and by hand afterwards.

use proptest::prelude::*;

use super::scenario::{Shape, date, scenario, time};
use super::{compact_now, land_all, same, whole_months};
use crate::dice::Dice;
use crate::{rows_of, session};

/// A test of a row, whose first columns are outlet, factor, time.
type Keeps = Box<dyn Fn(&[String]) -> bool>;

/// A filter as SQL and as a test of a row.
struct Filter {
    sql: String,
    keeps: Keeps,
}

fn filter(sql: String, keeps: impl Fn(&[String]) -> bool + 'static) -> Filter {
    Filter { sql, keeps: Box::new(keeps) }
}

pub(super) async fn check(shape: &Shape) -> Result<(), TestCaseError> {
    let all = scenario(shape);
    let session = session("memory://").await;
    land_all(&session, &all, shape.seed, false).await;
    if shape.seed.is_multiple_of(2) {
        compact_now(&session).await;
    }
    let mut dice = Dice::new(shape.seed);
    let (from, to) = whole_months(&all);
    let emissions = |grain: &str| format!("emissions('{from}', '{to}', '{grain}')");
    let relations = [
        ("hourly".to_owned(), "ts"),
        ("hourly_valid".to_owned(), "ts"),
        ("daily_valid".to_owned(), "day"),
        ("monthly_valid".to_owned(), "month"),
        (emissions("hour"), "period"),
        (emissions("day"), "period"),
        (emissions("month"), "period"),
    ];
    for (relation, column) in relations {
        // The first columns of every one of them.
        let head = format!("mn, factor, {column}");
        let order = format!("ORDER BY {head}");
        let whole = rows_of(&session, &format!("SELECT * FROM {relation} {order}")).await;
        for _ in 0..6 {
            let Filter { sql, keeps } = any_filter(&mut dice, column, all.from, all.until);
            let due: Vec<&Vec<String>> = whole.iter().filter(|row| keeps(row)).collect();
            let asked = format!("FROM {relation} WHERE {sql}");
            let got = rows_of(&session, &format!("SELECT * {asked} {order}")).await;
            same(&got.iter().collect::<Vec<_>>(), &due, &asked)?;
            let count = rows_of(&session, &format!("SELECT count(*) {asked}")).await;
            prop_assert_eq!(&count[0][0], &due.len().to_string(), "count {}", asked);
        }
    }
    check_ranges_of_emissions(&session, &mut dice, &all, &(from, to)).await
}

/// A month asked for alone equals that month of all that was asked for.
async fn check_ranges_of_emissions(
    session: &plume_engine::session::Session,
    dice: &mut Dice,
    all: &super::Scenario,
    (from, to): &(String, String),
) -> Result<(), TestCaseError> {
    let query = |from: &str, to: &str, grain: &str| {
        format!("SELECT * FROM emissions('{from}', '{to}', '{grain}') ORDER BY mn, factor, period")
    };
    for grain in ["hour", "day"] {
        let whole = rows_of(session, &query(from, to, grain)).await;
        let days = (all.until - all.from).div_euclid(24) as usize;
        let first = all.from.div_euclid(24) + dice.below(days) as i64;
        let (first, last) = (date(first), date(first + 1 + dice.below(days) as i64));
        let due: Vec<&Vec<String>> =
            whole.iter().filter(|row| row[2][..10] >= first[..] && row[2][..10] < last[..]).collect();
        let got = rows_of(session, &query(&first, &last, grain)).await;
        same(&got.iter().collect::<Vec<_>>(), &due, &format!("{grain} {first} to {last}"))?;
    }
    Ok(())
}

fn any_filter(dice: &mut Dice, column: &'static str, from: i64, until: i64) -> Filter {
    let simple = simple_filter(dice, column, from, until);
    match dice.below(6) {
        0 | 1 => {
            let other = simple_filter(dice, column, from, until);
            let sql = format!("({}) AND ({})", simple.sql, other.sql);
            filter(sql, move |row| (simple.keeps)(row) && (other.keeps)(row))
        }
        2 => {
            let other = simple_filter(dice, column, from, until);
            let sql = format!("({}) OR ({})", simple.sql, other.sql);
            filter(sql, move |row| (simple.keeps)(row) || (other.keeps)(row))
        }
        3 => filter(format!("NOT ({})", simple.sql), move |row| !(simple.keeps)(row)),
        _ => simple,
    }
}

fn simple_filter(dice: &mut Dice, column: &'static str, from: i64, until: i64) -> Filter {
    let mn = dice.pick(&["A1", "A10", "B", "站2", "nobody"]);
    let factor = dice.pick(&["a21026", "a34013", "a00000", "a19001", "w01018", "w20119", "w01001", "w00000"]);
    let other = dice.pick(&["a21026", "w01018", "a19001", "x"]);
    // Days and months compare by their first ten characters, hours by all.
    let length = if matches!(column, "day" | "month") { 10 } else { 19 };
    let hour = from - 30 + dice.below((until - from + 60) as usize) as i64;
    let hour = if dice.one_in(2) { hour.div_euclid(24) * 24 } else { hour };
    let cut = |hour: i64| if length == 10 { date(hour.div_euclid(24)) } else { time(hour * 60) };
    let (start, end) = (cut(hour), cut(hour + 1 + dice.below(1500) as i64));
    let kind = if length == 10 { "DATE" } else { "TIMESTAMP" };
    match dice.below(12) {
        0 => filter(format!("factor = '{factor}'"), move |row| row[1] == factor),
        1 => filter("factor LIKE 'a%'".into(), |row| row[1].starts_with('a')),
        2 => filter("factor LIKE 'w%8'".into(), |row| row[1].starts_with('w') && row[1].ends_with('8')),
        3 => filter(format!("factor IN ('{factor}', '{other}')"), move |row| {
            row[1] == factor || row[1] == other
        }),
        4 => filter(format!("factor > '{factor}'"), move |row| *row[1] > *factor),
        5 => filter(format!("mn = '{mn}'"), move |row| row[0] == mn),
        6 => filter(format!("mn >= '{mn}'"), move |row| *row[0] >= *mn),
        7 => filter("mn LIKE 'A1%'".into(), |row| row[0].starts_with("A1")),
        8 => filter(format!("mn <> '{mn}' AND factor <> '{factor}'"), move |row| {
            row[0] != mn && row[1] != factor
        }),
        9 => filter(format!("{column} >= {kind} '{start}'"), move |row| row[2] >= start),
        10 => filter(format!("{column} = {kind} '{start}'"), move |row| row[2] == start),
        _ => filter(format!("{column} >= {kind} '{start}' AND {column} < {kind} '{end}'"), move |row| {
            row[2] >= start && row[2] < end
        }),
    }
}
