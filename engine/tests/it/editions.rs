//! A second edition of the rules that is data alone: each is used in its time, also
//! where a query's period spans both. The edition starts on 2026-04-01.

use std::fmt::Write;
use std::path::Path;

use plume_engine::export::verify::verify;
use plume_engine::export::{ExportFormat, Kind, Request, export};
use plume_engine::session::options::{PlumeOptions, parse_time, read_edition};
use plume_engine::session::{Session, SessionLimits};
use plume_engine::store::Store;
use tempfile::tempdir;

use super::{land_csv, rows_of};

const HOUR_US: i64 = 3_600_000_000;
/// Every valid row as landed.
const NORMAL: &str = "N";
/// A row that a fault spoilt.
const FAULTY: &str = "D";

fn options() -> PlumeOptions {
    let mut options = PlumeOptions::default();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/editions/trial-2026.toml");
    read_edition(&file, &mut options).unwrap();
    options
}

/// Rows of a table as CSV.
struct Rows(String);

impl Rows {
    fn new() -> Self {
        Self("mn,factor,ts,value,flag\n".to_owned())
    }

    fn add(&mut self, mn: &str, factor: &str, ts: i64, value: f64, flag: &str) {
        let ts = chrono::DateTime::from_timestamp_micros(ts).unwrap().format("%Y-%m-%d %H:%M:%S");
        writeln!(self.0, "{mn},{factor},{ts},{value},{flag}").unwrap();
    }

    /// So many hours from a time on, each with the value and flag of its place.
    fn hours(
        &mut self,
        mn: &str,
        factor: &str,
        from: &str,
        count: i64,
        at: impl Fn(i64) -> (f64, &'static str),
    ) {
        let first = parse_time(from).unwrap();
        for hour in 0..count {
            let (value, flag) = at(hour);
            self.add(mn, factor, first + hour * HOUR_US, value, flag);
        }
    }
}

/// A session with both editions over a store with rows.
async fn session_over(tables: &[(&str, &Rows)]) -> Session {
    let limits = SessionLimits { threads: 2, ..SessionLimits::default() };
    let session = Session::new(Store::at("memory://").unwrap(), options(), &limits).await.unwrap();
    let folder = tempdir().unwrap();
    for (table, rows) in tables {
        let report = land_csv(&session, folder.path(), &format!("{table}.csv"), table, &rows.0).await;
        assert_eq!(report.counts.rejected, 0);
    }
    session
}

async fn texts(session: &Session, sql: &str) -> Vec<String> {
    rows_of(session, sql).await.into_iter().map(|row| row.join(" ")).collect()
}

/// 47 of 60 minutes: enough where 45 are asked for, not where 50 are.
#[tokio::test]
async fn an_hour_needs_the_minutes_of_its_time() {
    let mut minutes = Rows::new();
    for hour in ["2026-03-31 23:00:00", "2026-04-01 00:00:00"] {
        let first = parse_time(hour).unwrap();
        for minute in 0..60 {
            let flag = if minute < 47 { NORMAL } else { FAULTY };
            minutes.add("A", "a21026", first + minute * 60_000_000, 5.0, flag);
        }
    }
    let session = session_over(&[("minute", &minutes)]).await;
    let sql = "SELECT ts, value, valid_minutes, valid, reason FROM hourly_valid ORDER BY ts";
    let expected =
        ["2026-03-31T23:00:00 5.0 47.0 true NULL", "2026-04-01T00:00:00 NULL 47.0 false too_few_minutes"];
    assert_eq!(texts(&session, sql).await, expected);
}

/// 21 of 24 hours of air, 20 of 24 of water: enough where 20 and 18 are asked for, not where 22 and 22.
#[tokio::test]
async fn a_day_needs_the_hours_of_its_time() {
    let mut hours = Rows::new();
    hours.hours("A", "a21026", "2026-03-31", 48, |h| (4.0, if h % 24 < 21 { NORMAL } else { FAULTY }));
    hours.hours("W", "w01018", "2026-03-31", 48, |h| (4.0, if h % 24 < 20 { NORMAL } else { FAULTY }));
    let session = session_over(&[("hourly", &hours)]).await;
    let sql = "SELECT mn, day, value, partial_value, valid_hours, required_hours, valid FROM daily_valid ORDER BY mn, day";
    let expected = [
        "A 2026-03-31 4.0 4.0 21 20 true",
        "A 2026-04-01 NULL 4.0 21 22 false",
        "W 2026-03-31 4.0 4.0 20 18 true",
        "W 2026-04-01 NULL 4.0 20 22 false", // 0.9 × 24 = 21.6
    ];
    assert_eq!(texts(&session, sql).await, expected);
}

/// 26 whole days of each month: enough where 25 are asked for, not where 28 are.
#[tokio::test]
async fn a_month_needs_the_days_of_the_set_in_force_on_its_first_day() {
    let mut hours = Rows::new();
    let days_of_month =
        |first: &str, rows: &mut Rows| rows.hours("A", "a21026", first, 26 * 24, |_| (4.0, NORMAL));
    ["2026-03-01", "2026-04-01"].iter().for_each(|first| days_of_month(first, &mut hours));
    let session = session_over(&[("hourly", &hours)]).await;
    let sql = "SELECT month, value, valid_days, required_days, valid FROM monthly_valid ORDER BY month";
    assert_eq!(texts(&session, sql).await, ["2026-03-01 4.0 26 25 true", "2026-04-01 NULL 26 28 false"]);
    let sql = "SELECT date_trunc('month', day), valid_month_mean(value, day) FROM daily_valid GROUP BY 1 ORDER BY 1";
    assert_eq!(texts(&session, sql).await, ["2026-03-01T00:00:00 4.0", "2026-04-01T00:00:00 NULL"]);
}

/// 360 hours with 3 600 m³ each, the last at 2026-04-03 00:00. Hour 120 had 200 mg/m³, 0.72 kg; the others
/// 100, 0.36 kg. The hours 287 to 290 (2026-03-31 22:00 on) lack their value: 180 hours back from 287 reaches
/// hour 120 (it is 167 before), 100 hours don't. Captured: 286 of 288, 70 of 72.
#[tokio::test]
async fn each_hour_of_a_gap_takes_the_pool_of_its_time() {
    let mut hours = Rows::new();
    let value = |h: i64| if h == 120 { 200.0 } else { 100.0 };
    let flag = |h: i64| if (286..290).contains(&h) { FAULTY } else { NORMAL };
    hours.hours("A", "a21026", "2026-03-20", 360, |h| (value(h), flag(h)));
    hours.hours("A", "a00000", "2026-03-20", 360, |_| (1.0, NORMAL));
    let session = session_over(&[("hourly", &hours)]).await;
    let of_gap = "SELECT period, round(mass_kg, 6), method, gap_hours, pool_hours, source_ts, clause, rule_set \
         FROM emissions('2026-03-01', '2026-05-01', 'hour') WHERE factor = 'a21026' AND method <> 'measured' ORDER BY period";
    let before =
        "0.72 max_180h 4 180 2026-03-25T00:00:00 HJ 75-2017 12.2.3 tables 5 and 6 [standard] hubei-2021";
    let after = "0.36 max_100h 4 100 2026-03-27T18:00:00 Trial measures art. 8 [standard] trial-2026";
    let expected = [
        format!("2026-03-31T22:00:00 {before}"),
        format!("2026-03-31T23:00:00 {before}"),
        format!("2026-04-01T00:00:00 {after}"),
        format!("2026-04-01T01:00:00 {after}"),
    ];
    assert_eq!(texts(&session, of_gap).await, expected);
    // 285 × 0.36 + 0.72 measured, 2 × 0.72 substituted; then 70 × 0.36 and 2 × 0.36.
    let months = "SELECT period, round(measured_kg, 6), round(substituted_kg, 6) \
         FROM emissions('2026-03-01', '2026-05-01', 'month') WHERE factor = 'a21026' ORDER BY period";
    assert_eq!(
        texts(&session, months).await,
        ["2026-03-01T00:00:00 103.32 1.44", "2026-04-01T00:00:00 25.2 0.72"]
    );
}

/// Of 20 hours 14 are measured, 0.7: below the 0.75 asked for before, above the 0.65 after. Of 20 hours 17, 0.85:
/// below the 0.9 from which the pool hangs on the gap's length before, above the 0.8 after.
#[tokio::test]
async fn a_quarter_is_captured_by_the_set_in_force_on_its_first_day() {
    let mut hours = Rows::new();
    for (mn, measured) in [("A", 14), ("B", 17)] {
        for first in ["2026-03-31 04:00:00", "2026-04-01 00:00:00"] {
            hours.hours(mn, "a21026", first, 20, |h| (100.0, if h < measured { NORMAL } else { FAULTY }));
            hours.hours(mn, "a00000", first, 20, |_| (1.0, NORMAL));
        }
    }
    let session = session_over(&[("hourly", &hours)]).await;
    let sql = "SELECT mn, quarter, hours, invalid_hours, capture_rate, passed FROM quarterly_capture('2026-01-01', '2026-07-01') \
               WHERE factor = 'a21026' ORDER BY mn, quarter";
    let expected = [
        "A 2026-01-01 20 6 0.7 false",
        "A 2026-04-01 20 6 0.7 true",
        "B 2026-01-01 20 3 0.85 true",
        "B 2026-04-01 20 3 0.85 true",
    ];
    assert_eq!(texts(&session, sql).await, expected);
    let sql = "SELECT mn, period, usable, round(mass_kg, 6) FROM emissions('2026-01-01', '2026-07-01', 'quarter') \
               WHERE factor = 'a21026' ORDER BY mn, period";
    let expected = [
        "A 2026-01-01T00:00:00 false NULL",
        "A 2026-04-01T00:00:00 true 7.2", // 20 × 0.36
        "B 2026-01-01T00:00:00 true 7.2",
        "B 2026-04-01T00:00:00 true 7.2",
    ];
    assert_eq!(texts(&session, sql).await, expected);
    let sql = "SELECT DISTINCT CAST(period AS DATE), method FROM emissions('2026-01-01', '2026-07-01', 'hour') \
               WHERE factor = 'a21026' AND mn = 'B' AND method <> 'measured' ORDER BY 1";
    assert_eq!(texts(&session, sql).await, ["2026-03-31 max_2160h", "2026-04-01 max_100h"]);
}

/// Days of water with 36 m³ an hour: a whole one at 40 mg/L, 34.56 kg; two with 12 hours at 20 mg/L, 8.64 kg, and 12
/// without a value. The first of these takes the greatest daily mass, the second the mean of the 12 hours before
/// the gap, 20 mg/L. What is asked for before changes nothing.
#[tokio::test]
async fn water_is_substituted_by_the_method_of_the_day() {
    let mut hours = Rows::new();
    let value = |h: i64| if h < 24 { 40.0 } else { 20.0 };
    let flag = |h: i64| if h < 24 || h % 24 < 12 { NORMAL } else { FAULTY };
    hours.hours("W", "w01018", "2026-03-30", 72, |h| (value(h), flag(h)));
    hours.hours("W", "w00000", "2026-03-30", 72, |_| (10.0, NORMAL));
    let session = session_over(&[("hourly", &hours)]).await;
    let expected = [
        "2026-03-30T00:00:00 34.56 34.56 0.0",
        "2026-03-31T00:00:00 34.56 0.0 34.56",
        "2026-04-01T00:00:00 17.28 8.64 8.64",
    ];
    for (from, days) in [("2026-03-30", &expected[..]), ("2026-04-01", &expected[2..])] {
        let sql = format!(
            "SELECT period, round(measured_kg + substituted_kg, 6), round(measured_kg, 6), round(substituted_kg, 6) \
             FROM emissions('{from}', '2026-04-02', 'day') WHERE factor = 'w01018' ORDER BY period"
        );
        assert_eq!(texts(&session, &sql).await, days);
    }
    let sql = "SELECT DISTINCT CAST(period AS DATE), method FROM emissions('2026-03-30', '2026-04-02', 'hour') \
               WHERE factor = 'w01018' ORDER BY 1, 2";
    let expected =
        ["2026-03-30 measured", "2026-03-31 max_30d", "2026-04-01 legacy_mean", "2026-04-01 measured"];
    assert_eq!(texts(&session, sql).await, expected);
}

/// A day of each month at 3 600 m³ an hour: SO2 at 100 mg/m³, 8.64 kg; NOx at 50, 4.32 kg; dust at 10, 0.864 kg.
fn taxed_days() -> Rows {
    let mut hours = Rows::new();
    for (factor, value) in [("a21026", 100.0), ("a21002", 50.0), ("a34013", 10.0), ("a00000", 1.0)] {
        hours.hours("A", factor, "2026-03-31", 48, |_| (value, NORMAL));
    }
    hours
}

/// First three before, the first alone after. SO2: 8.64 / 0.95 × 2.4 = 21.827; of a limit of 250, 100 is below half:
/// half of the tax before, 60 % after. NOx 4.32 / 0.95 × 2.4 = 10.914, dust 0.864 / 2.18 × 1.2 = 0.476.
#[tokio::test]
async fn a_month_is_taxed_by_the_set_in_force_on_its_first_day() {
    let monitors = Rows("mn,factor,limit_hour,limit_basis\nA,a21026,250,value\n".to_owned());
    let session = session_over(&[("hourly", &taxed_days()), ("monitors", &monitors)]).await;
    let sql = "SELECT month, factor, \"rank\", taxable, reduction_pct, tax_cny, rule_set FROM tax_declaration('2026') ORDER BY 1, 3";
    let expected = [
        "2026-03-01 a21026 1 true 50 10.91 hubei-2021",
        "2026-03-01 a21002 2 true 0 10.91 hubei-2021",
        "2026-03-01 a34013 3 true 0 0.48 hubei-2021",
        "2026-04-01 a21026 1 true 40 13.10 trial-2026",
        "2026-04-01 a21002 2 false 0 0.00 trial-2026",
        "2026-04-01 a34013 3 false 0 0.00 trial-2026",
    ];
    assert_eq!(texts(&session, sql).await, expected);
}

/// 22 of 24 hours a day, 0.9167: not above the 0.95 asked for before, above the 0.9 after. A period is judged by the
/// set in force at its start, a window by the one on its last day.
#[tokio::test]
async fn transmission_is_judged_by_the_share_of_its_time() {
    let mut hours = Rows::new();
    hours.hours("A", "a21026", "2026-03-31", 48, |h| (4.0, if h % 24 < 22 { NORMAL } else { FAULTY }));
    let session = session_over(&[("hourly", &hours)]).await;
    for (from, to, passed) in [
        ("2026-03-31", "2026-04-01", "false"),
        ("2026-04-01", "2026-04-02", "true"),
        ("2026-03-31", "2026-04-02", "false"),
    ] {
        let sql = format!("SELECT passed FROM transmission_rate('{from}', '{to}') WHERE scope = 'outlet'");
        assert_eq!(texts(&session, &sql).await, [passed], "{from} {to}");
    }
    let sql = "SELECT window_end, passed FROM transmission_rolling('2026-03-31', '2026-04-02', 1) ORDER BY 1";
    assert_eq!(texts(&session, sql).await, ["2026-03-31 false", "2026-04-01 true"]);
}

/// Days of 5.01 and 5.02: two values at six decimals, one at one decimal.
#[tokio::test]
async fn fixed_values_are_compared_at_the_decimals_of_their_time() {
    let mut hours = Rows::new();
    hours.hours("A", "a21026", "2026-03-30", 96, |h| (if h / 24 % 2 == 0 { 5.01 } else { 5.02 }, NORMAL));
    let session = session_over(&[("hourly", &hours)]).await;
    let sql = "SELECT value, first_day, last_day, days FROM fixed_values('2026-03-30', '2026-04-03', 2)";
    assert_eq!(texts(&session, sql).await, ["5.0 2026-04-01 2026-04-02 2"]);
}

#[tokio::test]
async fn functions_tell_the_numbers_of_a_time_and_a_session_may_choose_one_set() {
    let session = session_over(&[]).await;
    let sql = "SELECT rule_number('air_day_hours', TIMESTAMP '2026-03-31 23:59:59'), \
               rule_number('air_day_hours', TIMESTAMP '2026-04-01'), rule_number('gap_short_hours', TIMESTAMP '2026-04-01'), \
               rule_word('rule_set', TIMESTAMP '2026-03-31'), rule_word('rule_set', TIMESTAMP '2027-01-01')";
    assert_eq!(texts(&session, sql).await, ["20.0 22.0 24.0 hubei-2021 trial-2026"]);
    let day_mean = "SELECT valid_day_mean(1.0, 'N') FROM generate_series(1, 20)";
    assert_eq!(texts(&session, day_mean).await, ["NULL"]);
    session.sql("SET plume.rules = 'hubei-2021'").await.unwrap();
    assert_eq!(texts(&session, sql).await, ["20.0 20.0 24.0 hubei-2021 hubei-2021"]);
    assert_eq!(texts(&session, day_mean).await, ["1.0"]);
    session.sql("SET plume.rules = 'trial-2026,air_day_hours=21'").await.unwrap();
    assert_eq!(texts(&session, sql).await, ["21.0 21.0 24.0 trial-2026 trial-2026"]);
    session.sql("SET plume.rules = 'hubei-2021,air_day_hours=19'").await.unwrap();
    assert_eq!(texts(&session, "SELECT valid_day_mean(1.0, 'N') FROM generate_series(1, 19)").await, ["1.0"]);
}

/// The manifest holds the edition, so that nothing but it and the store is needed to compute the export again.
#[tokio::test]
async fn an_export_names_both_editions_and_is_verified_without_their_file() {
    let (folder, rows) = (tempdir().unwrap(), taxed_days());
    let address = folder.path().join("store").display().to_string();
    let limits = SessionLimits { threads: 2, ..SessionLimits::default() };
    let session = Session::new(Store::at(&address).unwrap(), options(), &limits).await.unwrap();
    land_csv(&session, folder.path(), "hours.csv", "hourly", &rows.0).await;
    let text = include_str!("../editions/trial-2026.toml").to_owned();
    let request = Request::now(Kind::Tax, ExportFormat::Csv, "2026", "", vec![text]);
    let out = folder.path().join("out");
    let (path, manifest) = export(Store::at(&address).unwrap(), request, &out).await.unwrap();
    let named: Vec<(&str, bool)> =
        manifest.rule_sets.iter().map(|set| (set.name.as_str(), set.lapsed)).collect();
    assert_eq!(named, [("hubei-2021", true), ("trial-2026", false)]);
    let verified = verify(&path, Store::at(&address).unwrap()).await.unwrap();
    assert_eq!(verified.differences, Vec::<String>::new());
    // With the edition left out the figures are others.
    let mut without: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    without["rule_files"] = serde_json::json!([]);
    std::fs::write(&path, without.to_string()).unwrap();
    let verified = verify(&path, Store::at(&address).unwrap()).await.unwrap();
    assert!(verified.differences.iter().any(|told| told.contains("rule_sets is another")), "{verified:?}");
}
