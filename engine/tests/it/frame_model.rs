//! The views of validity and emissions against a slow model, on small random stores; and that
//! filters, order of arrival and compaction change no answer.

mod filters;
mod properties;
mod scenario;
mod slow;

use std::collections::BTreeMap;

use plume_engine::session::Session;
use plume_engine::store::compact;
use proptest::prelude::*;
use tempfile::tempdir;

use crate::dice::Dice;
use crate::{cases, land_csv, rows_of, session};
use scenario::{Row, Scenario, Shape, date, scenario, time};
use slow::{Due, Series};

proptest! {
    #![proptest_config(cases(10))]

    #[test]
    fn validity_and_measured_mass_equal_a_slow_model(shape in shapes()) {
        crate::fuzz::block_on(check_model(&shape))?;
    }

    #[test]
    fn arrival_in_any_order_and_compaction_change_no_byte(shape in shapes()) {
        crate::fuzz::block_on(check_arrival(&shape))?;
    }

    #[test]
    fn totals_keep_their_promises(shape in shapes()) {
        crate::fuzz::block_on(properties::check(&shape))?;
    }

    #[test]
    fn a_filtered_query_is_the_whole_one_filtered_afterwards(shape in shapes()) {
        crate::fuzz::block_on(filters::check(&shape))?;
    }
}

fn shapes() -> impl Strategy<Value = Shape> {
    let days = prop_oneof![2_i64..10, 24_i64..50, 50_i64..80];
    let switches = (any::<bool>(), any::<bool>(), any::<bool>());
    (2_usize..=4, days, switches, any::<u64>()).prop_map(|(outlets, days, switches, seed)| {
        let (registered, minutes_and_days, corrected) = switches;
        Shape { seed, outlets, days, registered, minutes_and_days, corrected }
    })
}

/// Lands a store: every table's rows dealt to files by chance, in any order, maybe compacted on the way.
async fn land_all(session: &Session, all: &Scenario, seed: u64, compacts: bool) {
    let mut dice = Dice::new(seed);
    let mut files: Vec<(&str, String)> = scenario::registry_csv(all);
    for (table, rows) in [("hourly", &all.hourly), ("minute", &all.minute), ("daily", &all.daily)] {
        let mut dealt: Vec<Vec<Row>> = vec![Vec::new(); 1 + dice.below(4)];
        // A file holds whole months now and then, as senders send them.
        let by_time = dice.one_in(2);
        for row in rows {
            let to = if by_time { (row.at / 40_000) as usize } else { dice.below(dealt.len()) };
            let count = dealt.len();
            dealt[to % count].push(row.clone());
        }
        for mut rows in dealt {
            if dice.one_in(2) {
                dice.shuffle(&mut rows);
            }
            files.push((table, scenario::csv(&rows)));
        }
    }
    dice.shuffle(&mut files);
    let folder = tempdir().unwrap();
    for (number, (table, text)) in files.iter().enumerate() {
        let counts = land_csv(session, folder.path(), &format!("{number}.csv"), table, text).await.counts;
        assert_eq!((counts.read, counts.rejected), (counts.landed + counts.duplicate, 0), "{table}");
        if compacts && dice.one_in(3) {
            compact_now(session).await;
        }
    }
    if compacts {
        compact_now(session).await;
    }
}

async fn compact_now(session: &Session) {
    compact::compact(session.snapshots().store(), session.context(), &|_, _| {}).await.unwrap();
}

/// The months that a store's hours lie in, as the arguments of `emissions`.
fn whole_months(all: &Scenario) -> (String, String) {
    let month = |hours: i64| format!("{}-01", &date(hours.div_euclid(24))[..7]);
    let mut after = all.until;
    while month(after) == month(all.until) {
        after += 24;
    }
    (month(all.from), month(after))
}

async fn check_arrival(shape: &Shape) -> Result<(), TestCaseError> {
    let all = scenario(shape);
    let (from, to) = whole_months(&all);
    let mut questions: Vec<String> = ["hourly", "minute", "daily", "hourly_valid", "stoppages"]
        .map(|name| format!("SELECT * FROM {name} ORDER BY 1, 2, 3"))
        .to_vec();
    questions.push("SELECT * FROM daily_valid ORDER BY mn, factor, day".to_owned());
    questions.push("SELECT * FROM monthly_valid ORDER BY mn, factor, month".to_owned());
    for grain in ["hour", "day", "month", "year"] {
        questions.push(format!(
            "SELECT * FROM emissions('{from}', '{to}', '{grain}') ORDER BY mn, factor, period"
        ));
    }
    // Without a time of its own a registry row is received when it lands: its file is the same each time.
    let without = |rows: Vec<Vec<String>>| rows.into_iter().map(|row| row.join("|")).collect::<Vec<_>>();
    let mut answers = Vec::new();
    for (seed, compacts) in [(shape.seed ^ 1, false), (shape.seed ^ 2, true)] {
        let session = session("memory://").await;
        land_all(&session, &all, seed, compacts).await;
        let mut answer = Vec::new();
        for question in &questions {
            let question = question.replace("* FROM stoppages", "mn, kind, started, ended FROM stoppages");
            answer.push(without(rows_of(&session, &question).await));
        }
        if !compacts {
            compact_now(&session).await;
            for (question, before) in questions.iter().zip(&answer) {
                let question =
                    question.replace("* FROM stoppages", "mn, kind, started, ended FROM stoppages");
                let after = without(rows_of(&session, &question).await);
                same(&after, before, &format!("compacted: {question}"))?;
            }
        }
        answers.push(answer);
    }
    for (question, pair) in questions.iter().zip(answers[0].iter().zip(&answers[1])) {
        same(pair.0, pair.1, question)?;
    }
    Ok(())
}

/// Equal, or the first place where not.
fn same<T: PartialEq + std::fmt::Debug>(got: &[T], due: &[T], what: &str) -> Result<(), TestCaseError> {
    if let Some(at) = (0..got.len().max(due.len())).find(|at| got.get(*at) != due.get(*at)) {
        let (got, due, all) = (got.get(at), due.get(at), (got.len(), due.len()));
        prop_assert!(false, "{what}\nrow {at} of {all:?}\ngot {got:?}\ndue {due:?}");
    }
    Ok(())
}

async fn check_model(shape: &Shape) -> Result<(), TestCaseError> {
    let all = scenario(shape);
    let session = session("memory://").await;
    land_all(&session, &all, shape.seed, shape.seed.is_multiple_of(2)).await;
    let model = slow::answer(&all);
    check_hours(&session, &model).await?;
    check_days(&session, &model).await?;
    check_months(&session, &model).await?;
    check_mass(&session, &model, &whole_months(&all)).await
}

/// A result by series and time, its other columns in order.
type Got = BTreeMap<(String, String, String), Vec<String>>;

async fn by_key(session: &Session, sql: &str) -> Result<Got, TestCaseError> {
    let mut got = Got::new();
    for mut row in rows_of(session, sql).await {
        let rest = row.split_off(3);
        let key = (row[0].clone(), row[1].clone(), row[2].clone());
        prop_assert!(got.insert(key.clone(), rest).is_none(), "{:?} twice in {}", key, sql);
    }
    Ok(got)
}

fn key(series: &Series, time: String) -> (String, String, String) {
    (series.0.to_owned(), series.1.to_owned(), time)
}

/// A figure of the model against a text of SQL: exact for NULL, else to 1e-9.
fn figure(got: &str, due: Due, what: &dyn std::fmt::Debug) -> Result<(), TestCaseError> {
    let Due::Is(due) = due else { return Ok(()) };
    let number = (got != "NULL").then(|| got.parse::<f64>().unwrap());
    let close = match (number, due) {
        (Some(number), Some(due)) => (number - due).abs() <= 1e-9 * due.abs().max(1.0),
        (number, due) => number == due,
    };
    prop_assert!(close, "{what:?}: got {got}, due {due:?}");
    Ok(())
}

fn text(got: &str, due: &str, what: &dyn std::fmt::Debug) -> Result<(), TestCaseError> {
    prop_assert_eq!(got, due, "{:?}", what);
    Ok(())
}

async fn check_hours(session: &Session, model: &slow::Answer) -> Result<(), TestCaseError> {
    let sql =
        "SELECT mn, factor, ts, value, converted, valid_minutes, valid, basis, reason FROM hourly_valid";
    let mut got = by_key(session, sql).await?;
    for ((series, at), due) in &model.hours {
        let key = key(series, time(at * 60));
        // An hour without flow is not due: it need not show unless received.
        let Some(row) = got.remove(&key) else {
            prop_assert!(due.no_flow && !due.received, "no row of {key:?}");
            continue;
        };
        if due.no_flow && series.1 == "w00000" {
            continue;
        }
        let what = (&key, &row, due);
        figure(&row[0], Due::Is(due.value), &what)?;
        figure(&row[1], due.converted, &what)?;
        text(&row[3], &due.valid.to_string(), &what)?;
        if due.valid_minutes.is_some() {
            figure(&row[2], Due::Is(due.valid_minutes), &what)?;
            text(&row[4], "minute", &what)?;
        } else if due.received {
            text(&row[4], "reported", &what)?;
        }
        match due {
            _ if due.contradicted && due.valid => text(&row[5], "stop contradicted", &what)?,
            _ if due.valid => text(&row[5], "NULL", &what)?,
            _ if due.no_flow && due.received => text(&row[5], "no_flow", &what)?,
            _ if !due.received && !due.stopped && !due.no_flow && due.facility_free => {
                text(&row[5], "missing", &what)?
            }
            _ => prop_assert!(row[5] != "NULL", "{what:?}: no reason"),
        }
    }
    prop_assert!(got.is_empty(), "not due: {:?}", got.first_key_value());
    Ok(())
}

async fn check_days(session: &Session, model: &slow::Answer) -> Result<(), TestCaseError> {
    let sql = "SELECT mn, factor, arrow_cast(day, 'Utf8'), value, partial_value, converted, valid_hours, \
               required_hours, stopped_hours, basis, valid, value_min, value_max FROM daily_valid";
    let mut got = by_key(session, sql).await?;
    for ((series, day), due) in &model.days {
        let key = key(series, date(*day));
        let row = got.remove(&key);
        if due.unclear {
            continue;
        }
        let Some(row) = row else {
            prop_assert!(due.required == 0, "no row of {key:?}");
            continue;
        };
        let what = (&key, &row, due);
        text(&row[7], &due.valid.to_string(), &what)?;
        figure(&row[0], due.value, &what)?;
        figure(&row[1], due.partial, &what)?;
        if due.reported {
            text(&row[6], "reported", &what)?;
            continue;
        }
        figure(&row[2], due.converted, &what)?;
        text(&row[3], &due.valid_hours.to_string(), &what)?;
        text(&row[4], &due.required.to_string(), &what)?;
        text(&row[5], &due.stopped_hours.to_string(), &what)?;
        if series.1 == "w01001" {
            figure(&row[8], Due::Is(due.extremes.map(|e| e.0)), &what)?;
            figure(&row[9], Due::Is(due.extremes.map(|e| e.1)), &what)?;
        }
    }
    prop_assert!(got.is_empty(), "not due: {:?}", got.first_key_value());
    Ok(())
}

async fn check_months(session: &Session, model: &slow::Answer) -> Result<(), TestCaseError> {
    let sql = "SELECT mn, factor, arrow_cast(month, 'Utf8'), value, partial_value, valid_days, required_days, \
               stopped_days, valid FROM monthly_valid";
    let mut got = by_key(session, sql).await?;
    for ((series, month), due) in &model.months {
        let key = key(series, month.clone());
        let row = got.remove(&key).unwrap_or_default();
        prop_assert!(!row.is_empty(), "no row of {key:?}");
        if due.unclear {
            continue;
        }
        let what = (&key, &row, due);
        text(&row[2], &due.valid_days.to_string(), &what)?;
        prop_assert!(due.required.iter().any(|days| row[3] == days.to_string()), "{what:?}");
        text(&row[4], &due.stopped_days.to_string(), &what)?;
        let valid =
            due.valid_days > 0 && due.valid_days >= due.required[0].min(due.required[due.required.len() - 1]);
        text(&row[5], &valid.to_string(), &what)?;
        figure(&row[0], due.value, &what)?;
        figure(&row[1], due.partial, &what)?;
    }
    prop_assert!(got.is_empty(), "not due: {:?}", got.first_key_value());
    Ok(())
}

async fn check_mass(
    session: &Session,
    model: &slow::Answer,
    (from, to): &(String, String),
) -> Result<(), TestCaseError> {
    let sql = format!(
        "SELECT mn, factor, arrow_cast(arrow_cast(period, 'Date32'), 'Utf8'), measured_kg, measured_hours, \
         missing_hours + substituted_hours, stopped_hours, operating_hours FROM emissions('{from}', '{to}', 'month')"
    );
    let mut got = by_key(session, &sql).await?;
    for ((series, month), due) in &model.mass {
        let key = key(series, month.clone());
        let row = got.remove(&key).unwrap_or_default();
        prop_assert!(!row.is_empty(), "no row of {key:?}");
        let what = (&key, &row, due);
        figure(&row[0], Due::Is(Some(due.measured_kg)), &what)?;
        text(&row[1], &due.measured_hours.to_string(), &what)?;
        text(&row[2], &due.unmeasured_hours.to_string(), &what)?;
        text(&row[3], &due.stopped_hours.to_string(), &what)?;
        text(&row[4], &(due.measured_hours + due.unmeasured_hours).to_string(), &what)?;
    }
    // A month in which no hour was due, for want of flow, may show with nothing in it.
    let empty = |row: &Vec<String>| row[1..].iter().all(|count| count == "0");
    got.retain(|_, row| !empty(row));
    prop_assert!(got.is_empty(), "not due: {:?}", got.first_key_value());
    Ok(())
}
