//! What holds of every total, whatever landed.

use std::collections::BTreeMap;

use plume_engine::session::Session;
use proptest::prelude::*;
use tempfile::tempdir;

use super::scenario::{Shape, scenario};
use super::{land_all, whole_months};
use crate::dice::Dice;
use crate::{land_csv, rows_of, session};

/// One row of `emissions`, at any grain.
#[derive(Debug, Clone)]
struct Total {
    mass_kg: Option<f64>,
    measured_kg: f64,
    substituted_kg: f64,
    operating: u32,
    measured: u32,
    substituted: u32,
    missing: u32,
    capture_rate: Option<f64>,
    usable: bool,
}

type Totals = BTreeMap<(String, String, String), Total>;

async fn totals(session: &Session, (from, to): &(String, String), grain: &str) -> Totals {
    let sql = format!(
        "SELECT mn, factor, period, mass_kg, measured_kg, substituted_kg, operating_hours, measured_hours, \
         substituted_hours, missing_hours, capture_rate, usable FROM emissions('{from}', '{to}', '{grain}')"
    );
    let number = |text: &String| (text != "NULL").then(|| text.parse::<f64>().unwrap());
    let rows = rows_of(session, &sql).await.into_iter().map(|row| {
        let key = (row[0].clone(), row[1].clone(), row[2].clone());
        let count = |at: usize| row[at].parse::<u32>().unwrap();
        let total = Total {
            mass_kg: number(&row[3]),
            measured_kg: number(&row[4]).unwrap(),
            substituted_kg: number(&row[5]).unwrap(),
            operating: count(6),
            measured: count(7),
            substituted: count(8),
            missing: count(9),
            capture_rate: number(&row[10]),
            usable: row[11] == "true",
        };
        (key, total)
    });
    rows.collect()
}

pub(super) async fn check(shape: &Shape) -> Result<(), TestCaseError> {
    // Minutes would go on deciding an hour for which a row comes late.
    let shape = Shape { minutes_and_days: false, ..shape.clone() };
    let all = scenario(&shape);
    let months = whole_months(&all);
    let session = session("memory://").await;
    land_all(&session, &all, shape.seed, false).await;
    for grain in ["hour", "day", "month", "quarter", "year"] {
        for (key, total) in totals(&session, &months, grain).await {
            check_one(&total).map_err(|error| TestCaseError::fail(format!("{grain} {key:?}: {error}")))?;
        }
    }
    check_columns(&session, &months).await?;
    check_sums(&session, &months).await?;
    check_late_hour(&session, &months, shape.seed).await
}

fn check_one(total: &Total) -> Result<(), TestCaseError> {
    prop_assert!(total.substituted_kg >= 0.0 && total.measured_kg >= 0.0, "{total:?}");
    prop_assert!(total.mass_kg.is_none_or(|mass| mass >= total.measured_kg), "{total:?}");
    prop_assert_eq!(total.mass_kg.is_some(), total.usable, "{:?}", total);
    prop_assert_eq!(total.operating, total.measured + total.substituted + total.missing, "{:?}", total);
    prop_assert!(total.capture_rate.is_none_or(|rate| (0.0..=1.0).contains(&rate)), "{total:?}");
    Ok(())
}

/// What was measured is the same whether substitutes are asked for beside it or not.
async fn check_columns(session: &Session, (from, to): &(String, String)) -> Result<(), TestCaseError> {
    let columns = "mn, factor, period, measured_kg, volume_m3, operating_hours, measured_hours, capture_rate";
    let rows = format!("emissions('{from}', '{to}', 'month')");
    let alone = rows_of(session, &format!("SELECT {columns} FROM {rows} ORDER BY 1, 2, 3")).await;
    let with = format!("SELECT {columns}, mass_kg, missing_hours FROM {rows} ORDER BY 1, 2, 3");
    let beside = rows_of(session, &with).await.into_iter().map(|mut row| {
        row.truncate(alone.first().map_or(0, Vec::len));
        row
    });
    prop_assert_eq!(&beside.collect::<Vec<_>>(), &alone);
    Ok(())
}

/// A year is the sum of its months to the bit.
async fn check_sums(session: &Session, months: &(String, String)) -> Result<(), TestCaseError> {
    let mut sums: BTreeMap<(String, String, String), f64> = BTreeMap::new();
    for ((mn, factor, period), month) in totals(session, months, "month").await {
        *sums.entry((mn, factor, period[..4].to_owned())).or_default() += month.measured_kg;
    }
    for ((mn, factor, period), year) in totals(session, months, "year").await {
        let sum = sums[&(mn, factor, period[..4].to_owned())];
        prop_assert_eq!(sum.to_bits(), year.measured_kg.to_bits());
    }
    Ok(())
}

/// A valid hour that comes late takes the place of its substitute, and lowers no measured total.
async fn check_late_hour(
    session: &Session,
    months: &(String, String),
    seed: u64,
) -> Result<(), TestCaseError> {
    let (from, to) = months;
    let lacking = rows_of(
        session,
        &format!(
            "SELECT mn, factor, period, flow FROM emissions('{from}', '{to}', 'hour') WHERE factor LIKE 'a%' \
             AND measured_hours = 0 AND stopped_hours = 0 AND coalesce(reason, '') <> 'facility_stopped' \
             ORDER BY mn, factor, period"
        ),
    )
    .await;
    if lacking.is_empty() {
        return Ok(());
    }
    let [mn, factor, ts, flow] = &lacking[Dice::new(seed).below(lacking.len())][..] else { unreachable!() };
    let before = totals(session, months, "month").await;
    let mut rows = format!("mn,factor,ts,value,flag,received_at\n{mn},{factor},{ts},0.5,N,2026-01-01\n");
    if flow == "NULL" {
        rows.push_str(&format!("{mn},a00000,{ts},3,N,2026-01-01\n"));
    }
    let landed = land_csv(session, tempdir().unwrap().path(), "late.csv", "hourly", &rows).await.counts;
    prop_assert_eq!(landed.rejected, 0);
    let hour = totals(session, months, "hour").await;
    let hour = &hour[&(mn.clone(), factor.clone(), ts.clone())];
    // A flow in a stop of the facility stays invalid, whatever it sends.
    let in_stop = format!(
        "SELECT 1 FROM hourly_valid WHERE mn = '{mn}' AND ts = TIMESTAMP '{ts}' AND reason = 'facility_stopped'"
    );
    if !rows_of(session, &in_stop).await.is_empty() {
        return Ok(());
    }
    let what = format!("{mn} {factor} {ts}: {hour:?}");
    prop_assert_eq!((hour.measured, hour.substituted, hour.substituted_kg), (1, 0, 0.0), "{}", what);
    for (key, after) in totals(session, months, "month").await {
        let before = before.get(&key).map_or(0.0, |month| month.measured_kg);
        prop_assert!(after.measured_kg >= before, "{key:?}: {before} fell to {}", after.measured_kg);
    }
    Ok(())
}
