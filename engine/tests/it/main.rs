//! The store, ingest and session from outside, in one binary: linking is what costs.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that can't go on fails")]

mod dice;
mod dictionary;
mod editions;
mod findings;
mod frame_model;
mod fuzz;
mod ingest;
mod plans;
mod slt;
mod store;
mod tax_properties;

use std::path::{Path, PathBuf};

use arrow::util::display::{ArrayFormatter, FormatOptions};
use plume_datasets::province::{Interval, ProvinceRequest};
use plume_engine::ingest::map::Map;
use plume_engine::ingest::{IngestRequest, Progress, Report, ingest};
use plume_engine::session::options::{PlumeOptions, parse_time};
use plume_engine::session::{Session, SessionLimits};
use plume_engine::store::{Store, table_named};
use proptest::test_runner::Config as ProptestConfig;

/// Says nothing.
struct Silent;

impl Progress for Silent {
    fn file(&self, _: &Path, _: u64) {}
    fn read(&self, _: u64) {}
    fn warn(&self, _: &str) {}
}

/// A session with two threads over a store.
async fn session(address: &str) -> Session {
    let limits = SessionLimits { threads: 2, ..SessionLimits::default() };
    Session::new(Store::at(address).unwrap(), PlumeOptions::default(), &limits).await.unwrap()
}

/// Lands one file.
async fn land(session: &Session, table: &str, path: &Path) -> Report {
    let table = table_named(table).unwrap();
    let request = IngestRequest {
        table,
        format: None,
        map: Map::default(),
        strict: false,
        paths: vec![path.to_owned()],
    };
    ingest(session, &request, &Silent).await.unwrap()
}

/// Lands a text as a CSV file.
async fn land_csv(session: &Session, folder: &Path, name: &str, table: &str, text: &str) -> Report {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    land(session, table, &path).await
}

/// A result as CSV.
async fn csv_of(session: &Session, sql: &str) -> String {
    csv(session, sql, false).await
}

/// A result as CSV, under the names of its columns.
async fn csv_with_names(session: &Session, sql: &str) -> String {
    csv(session, sql, true).await
}

async fn csv(session: &Session, sql: &str, names: bool) -> String {
    let batches = session.sql(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    let batches = batches.collect().await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    let mut writer = arrow::csv::WriterBuilder::new().with_header(names).build(Vec::new());
    batches.iter().for_each(|batch| writer.write(batch).unwrap());
    String::from_utf8(writer.into_inner()).unwrap()
}

/// A result as texts, `NULL` for NULL.
async fn rows_of(session: &Session, sql: &str) -> Vec<Vec<String>> {
    let frame = session.sql(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    let batches = frame.collect().await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    let options = FormatOptions::default().with_null("NULL");
    let mut rows = Vec::new();
    for batch in &batches {
        let columns: Vec<ArrayFormatter<'_>> =
            batch.columns().iter().map(|c| ArrayFormatter::try_new(c, &options).unwrap()).collect();
        rows.extend((0..batch.num_rows()).map(|row| -> Vec<String> {
            columns.iter().map(|column| column.value(row).to_string()).collect()
        }));
    }
    rows
}

/// So many cases of a property; `PLUME_TIMES_CASES` makes them more.
fn cases(count: u32) -> ProptestConfig {
    let times = std::env::var("PLUME_TIMES_CASES").map_or(1, |times| times.parse().unwrap());
    ProptestConfig { max_shrink_iters: 200, ..ProptestConfig::with_cases(count * times) }
}

/// A small province as files.
fn province(folder: &Path, outlets: u32, days: i64) -> PathBuf {
    let from = parse_time("2026-01-01").unwrap();
    let to = from + days * 24 * 3_600_000_000;
    let request = ProvinceRequest { outlets, from, to, seed: 5, interval: Interval::Hour, planted: true };
    plume_engine::province_files::write(&request, folder).unwrap();
    folder.to_owned()
}

/// Lands every table of a province.
async fn land_province(session: &Session, folder: &Path) {
    for table in ["outlets", "monitors", "stoppages", "enterprises", "conditions", "hourly"] {
        land(session, table, &folder.join(format!("{table}.parquet"))).await;
    }
}
