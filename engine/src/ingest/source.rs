//! What every kind of file is read into: raw columns, a batch at a time.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use clap::ValueEnum;
use plume_datasets::schema::Table;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::JoinHandle;

use super::map::Map;
use super::rejects::Reject;
use super::{columnar, csv_file, hj212};
use crate::{Error, Result};

/// Batches read ahead of landing.
const AHEAD: usize = 8;

/// Kinds of input files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Comma-separated text with a header line.
    Csv,
    /// Parquet.
    Parquet,
    /// Arrow IPC, file or stream.
    Arrow,
    /// HJ 212 packets as received.
    Hj212,
}

impl Format {
    /// The format a file's ending tells.
    pub fn of_path(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "csv" => Some(Self::Csv),
            "parquet" => Some(Self::Parquet),
            "arrow" | "arrows" | "feather" | "ipc" => Some(Self::Arrow),
            "hj212" | "212" => Some(Self::Hj212),
            _ => None,
        }
    }
}

/// What to read.
#[derive(Debug)]
pub(super) struct SourceRequest {
    pub(super) path: PathBuf,
    pub(super) table: &'static Table,
    pub(super) format: Format,
    pub(super) map: Map,
    pub(super) strict: bool,
}

impl SourceRequest {
    /// The error of this file.
    pub(super) fn wrong(&self, reason: impl Into<String>) -> Error {
        Error::Input { path: self.path.display().to_string(), reason: reason.into() }
    }

    /// The error of this file where it can't be read any further.
    pub(super) fn unreadable(&self, error: &std::io::Error) -> Error {
        self.wrong(format!("it can't be read ({error}); see that it is there whole and may be read"))
    }

    /// Checks the file's columns against the table: key columns and `value` must
    /// be there; the others are warned of, or an error under `--strict`.
    pub(super) fn check_columns(&self, names: &[String]) -> Result<Vec<String>> {
        let gives = |column: &str| self.map.gives(column, names);
        let must = self.table.key.iter().filter(|key| !self.table.is_nullable(key) && **key != "received_at");
        let value = self.table.columns.iter().any(|c| c.name == "value").then_some(&"value");
        let missing: Vec<&str> = must.chain(value).copied().filter(|column| !gives(column)).collect();
        if !missing.is_empty() {
            return Err(self.wrong(format!(
                "column {} is missing; table {} needs it, and --map can name or compute it",
                missing.join(", "),
                self.table.name
            )));
        }
        let unknown: Vec<&str> =
            names.iter().map(String::as_str).filter(|name| !self.map.uses(name, self.table)).collect();
        if unknown.is_empty() {
            return Ok(Vec::new());
        }
        let shown = unknown.iter().take(5).copied().collect::<Vec<_>>().join(", ");
        let more = if unknown.len() > 5 { format!(" and {} more", unknown.len() - 5) } else { String::new() };
        let message = format!("table {} has no column {shown}{more}", self.table.name);
        match self.strict {
            true => Err(self.wrong(format!("{message}; leave it out of the file or out of --strict"))),
            false => Ok(vec![format!("{}: {message}; left out", self.path.display())]),
        }
    }
}

/// Raw columns of some rows of a file.
#[derive(Debug, Default)]
pub(super) struct RawBatch {
    /// The table the rows are for.
    pub(super) table: &'static str,
    /// The columns, as the file has them.
    pub(super) rows: Option<RecordBatch>,
    /// Where each row stands, line or byte offset; empty where its number tells.
    pub(super) positions: Vec<String>,
    /// Rows of the file before these.
    pub(super) rows_before: u64,
    /// The raw text of each row; empty where the columns tell it.
    pub(super) raw: Vec<String>,
    /// Rows that couldn't be read at all.
    pub(super) rejects: Vec<Reject>,
    /// Bytes of the file that the batch stands for.
    pub(super) bytes: u64,
    /// What a person should know.
    pub(super) warnings: Vec<String>,
    /// Packets by verdict.
    pub(super) verdicts: BTreeMap<String, u64>,
}

impl RawBatch {
    /// Where a row stands in the file.
    pub(super) fn position(&self, row: usize, source: &str) -> String {
        let number = || format!("{source}:row {}", self.rows_before + row as u64 + 1);
        self.positions.get(row).cloned().unwrap_or_else(number)
    }
}

/// Where a source gives its batches.
#[derive(Debug)]
pub(super) struct Sink(Sender<RawBatch>);

impl Sink {
    /// Gives a batch; waits while landing is behind. `false` when nobody takes it any more.
    pub(super) fn give(&self, batch: RawBatch) -> bool {
        self.0.blocking_send(batch).is_ok()
    }
}

/// Reads a file on a thread of its own.
pub(super) fn read(request: SourceRequest) -> (Receiver<RawBatch>, JoinHandle<Result<()>>) {
    let (sender, receiver) = channel(AHEAD);
    let reader = tokio::task::spawn_blocking(move || {
        let sink = Sink(sender);
        match request.format {
            Format::Csv => csv_file::read(&request, &sink),
            Format::Parquet => columnar::read_parquet(&request, &sink),
            Format::Arrow => columnar::read_arrow(&request, &sink),
            Format::Hj212 => hj212::read(&request, &sink),
        }
    });
    (receiver, reader)
}
