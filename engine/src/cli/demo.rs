//! `plume demo`: a small province from nothing to answers.

use std::io::Write;
use std::time::Instant;

use plume_datasets::province::{Interval, ProvinceRequest};
use plume_datasets::schema::TABLES;

use super::ingest::Bar;
use super::output::{self, OutputFormat};
use crate::ingest::map::Map;
use crate::ingest::{IngestRequest, ingest};
use crate::province_files;
use crate::session::options::{PlumeOptions, parse_time};
use crate::session::{Session, SessionLimits};
use crate::store::{Store, compact};
use crate::{Error, Result};

/// Outlets, period and seed of the demo.
const OUTLETS: u32 = 60;
const FROM: &str = "2026-01-01";
const TO: &str = "2026-04-01";
const SEED: u64 = 42;

/// The questions of the demo, each with what it shows.
const QUESTIONS: &[(&str, &str)] = &[
    (
        "How many series had a valid month (25 days, February 23)?",
        "SELECT month, count(*) AS series, sum(CASE WHEN valid THEN 1 ELSE 0 END) AS valid,
                round(avg(valid_days), 1) AS mean_valid_days
         FROM monthly_valid GROUP BY month ORDER BY month",
    ),
    (
        "Which months of sulphur dioxide failed, and by how much?",
        "SELECT mn, month, valid_days, required_days, stopped_days, round(partial_value, 2) AS mg_m3, reason
         FROM monthly_valid WHERE factor = 'a21026' AND NOT valid ORDER BY valid_days, mn, month LIMIT 8",
    ),
    (
        "What was emitted in the quarter, by pollutant?
Totals are measured mass and, for hours without a valid concentration and flow, what is substituted; an hour for which nothing stands in is missing, a stopped hour emits nothing.",
        "SELECT e.factor, f.name_en, f.name_zh, count(*) AS outlets, round(sum(e.mass_kg) / 1000, 3) AS tonnes,
                round(sum(e.substituted_kg) / 1000, 3) AS substituted, sum(e.missing_hours) AS missing_hours, sum(e.stopped_hours) AS stopped_hours,
                round(min(e.capture_rate), 3) AS least_capture
         FROM emissions('2026-01-01', '2026-04-01', 'quarter') e JOIN factors f ON f.factor = e.factor
         GROUP BY e.factor, f.name_en, f.name_zh ORDER BY e.factor",
    ),
    (
        "From where did the first substituted hours of nitrogen oxides take their mass?",
        "SELECT mn, period, round(mass_kg, 2) AS kg, method, reason, gap_hours, pool_hours, source_ts
         FROM emissions('2026-02-01', '2026-02-08', 'hour') WHERE factor = 'a21002' AND substituted_hours = 1
         ORDER BY period, mn LIMIT 4",
    ),
    (
        "Who emitted most nitrogen oxides in each month?",
        "SELECT period, mn, round(mass_kg, 1) AS kg, measured_hours, missing_hours, round(capture_rate, 3) AS capture
         FROM (SELECT *, row_number() OVER (PARTITION BY period ORDER BY mass_kg DESC NULLS LAST) AS place
               FROM emissions('2026-01-01', '2026-04-01', 'month') WHERE factor = 'a21002')
         WHERE place <= 2 ORDER BY period, place",
    ),
    (
        "Did flow and mass follow the load in March, and before?",
        "SELECT measure, verdict, count(*) AS series, round(avg(spearman), 2) AS mean_spearman,
                round(avg(baseline), 2) AS mean_baseline
         FROM condition_correlation('2026-03-01', '2026-04-01') WHERE measure <> 'concentration'
         GROUP BY measure, verdict ORDER BY measure, verdict",
    ),
    (
        "Which signs of tampering are worth an inspector's trip? (plume findings show ID tells what each rests on)",
        "SELECT f.finding_id, f.mn, f.factor, p.name_zh, f.started, f.ended, round(f.score, 2) AS score, f.severity
         FROM fraud_findings('2026-01-01', '2026-04-01') f JOIN patterns p ON p.pattern = f.pattern
         WHERE f.score >= 0.5 ORDER BY score DESC, started, finding_id LIMIT 8",
    ),
];

pub(super) async fn run(store: Option<&str>) -> Result<()> {
    let scratch = std::env::temp_dir().join(format!("plume-demo-{}", std::process::id()));
    let shown = show(store, &scratch).await;
    // A folder of our own making; what can't be removed is the system's to clean.
    let _ = std::fs::remove_dir_all(&scratch);
    shown
}

async fn show(store: Option<&str>, scratch: &std::path::Path) -> Result<()> {
    let files = scratch.join("files");
    let address = match store {
        Some(address) => address.to_owned(),
        None => scratch.join("store").display().to_string(),
    };
    let begun = Instant::now();
    let request = ProvinceRequest {
        outlets: OUTLETS,
        from: parse_time(FROM)?,
        to: parse_time(TO)?,
        seed: SEED,
        interval: Interval::Hour,
        planted: true,
    };
    let rows = province_files::write(&request, &files)?;
    let mut out = std::io::stdout();
    writeln!(
        out,
        "A province of {OUTLETS} outlets, {FROM} to {TO}: {rows} rows, made in {:.1?}.",
        begun.elapsed()
    )?;
    let session =
        Session::new(Store::at(&address)?, PlumeOptions::default(), &SessionLimits::default()).await?;
    let begun = Instant::now();
    let mut landed = 0;
    for table in TABLES {
        let path = files.join(format!("{}.parquet", table.name));
        if !path.exists() {
            continue;
        }
        let request =
            IngestRequest { table, format: None, map: Map::default(), strict: false, paths: vec![path] };
        landed += ingest(&session, &request, &Bar::new()).await?.counts.landed;
    }
    compact::compact(session.snapshots().store(), session.context(), &|_, _| {}).await?;
    writeln!(out, "Landed {landed} rows in {address} and compacted them in {:.1?}.", begun.elapsed())?;
    for (question, sql) in QUESTIONS {
        writeln!(out, "\n{question}")?;
        let begun = Instant::now();
        output::write(session.sql(sql).await?, OutputFormat::Table, None).await?;
        writeln!(out, "{:.0?}", begun.elapsed())?;
    }
    if store.is_some() {
        writeln!(out, "\nAsk more: plume sql --store {address}")?;
    }
    Ok(())
}

impl From<plume_datasets::province::ProvinceError> for Error {
    fn from(error: plume_datasets::province::ProvinceError) -> Self {
        Self::Usage(error.to_string())
    }
}
