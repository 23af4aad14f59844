//! Rows that didn't land, and table `rejects`.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringViewArray, TimestampMicrosecondArray};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use deltalake_core::kernel::Add;

use crate::Result;
use crate::session::{Session, options};
use crate::store::delta::{Change, DeltaLog};
use crate::store::table_named;
use crate::store::version::sort_rows;
use crate::store::writer::write_file;

/// Bytes of raw text that a reject keeps.
pub(super) const RAW_LIMIT: usize = 4096;

/// Rejects that may wait before they are written.
const WAITING: usize = 1 << 15;

/// A row that didn't land.
#[derive(Debug, Clone)]
pub(super) struct Reject {
    pub(super) position: String,
    pub(super) raw: String,
    pub(super) reason: String,
}

/// A row as text, for `rejects`.
pub(super) fn row_text(rows: &RecordBatch, row: usize) -> String {
    let options = FormatOptions::default();
    let cell = |(field, column): (&arrow::datatypes::FieldRef, &ArrayRef)| {
        let text =
            ArrayFormatter::try_new(column, &options).map(|f| f.value(row).to_string()).unwrap_or_default();
        format!("{}={text}", field.name())
    };
    let text: String =
        rows.schema().fields().iter().zip(rows.columns()).map(cell).collect::<Vec<_>>().join(",");
    text.chars().take(RAW_LIMIT).collect()
}

/// Rejects of one file on their way into their table. Those that wait are bounded, whatever
/// the size of a file of which nothing is right.
pub(super) struct RejectLanding {
    log: DeltaLog,
    input: String,
    /// Whether they are kept; under `--strict` one is enough to land nothing.
    kept: bool,
    waiting: Vec<Reject>,
    pub(super) count: u64,
    /// The first, for an error's text.
    pub(super) first: Option<Reject>,
    /// When the file came: each reject has a time of its own from here on.
    received_at: i64,
    written: u64,
    adds: Vec<Add>,
}

impl RejectLanding {
    /// Of the file that is known by `id`.
    pub(super) async fn new(session: &Session, id: &str, strict: bool) -> Result<Self> {
        let log = session.snapshots().store().log(table_named("rejects")?)?;
        let input = format!("{id}-rejects");
        let snapshot = session.snapshots().of(&log).await?;
        let before = log.has_landed(&snapshot, std::slice::from_ref(&input)).await?;
        Ok(Self {
            log,
            input,
            kept: !strict && !before,
            waiting: Vec::new(),
            count: 0,
            first: None,
            received_at: options::now(),
            written: 0,
            adds: Vec::new(),
        })
    }

    /// Takes rejects; writes when enough have come.
    pub(super) async fn push(&mut self, rejects: Vec<Reject>) -> Result<()> {
        self.count += rejects.len() as u64;
        if self.first.is_none() {
            self.first = rejects.first().cloned();
        }
        if !self.kept {
            return Ok(());
        }
        self.waiting.extend(rejects);
        if self.waiting.len() >= WAITING { self.write().await } else { Ok(()) }
    }

    /// Commits the rejects to their table, once for an input.
    pub(super) async fn commit(mut self) -> Result<()> {
        self.write().await?;
        if self.adds.is_empty() {
            return Ok(());
        }
        let (adds, inputs) = (self.adds, vec![self.input]);
        self.log.append(&Change { adds, data_change: true, inputs, ..Change::default() }).await?;
        Ok(())
    }

    /// Writes the rejects that wait.
    async fn write(&mut self) -> Result<()> {
        let rejects = std::mem::take(&mut self.waiting);
        if rejects.is_empty() {
            return Ok(());
        }
        let text = |value: fn(&Reject) -> &str| -> ArrayRef {
            Arc::new(rejects.iter().map(|reject| Some(value(reject))).collect::<StringViewArray>())
        };
        // Each has a time of its own: one place may have several rejects, and a file of the same
        // name that comes tomorrow has its own.
        let first = self.received_at.saturating_add_unsigned(self.written);
        let received: TimestampMicrosecondArray = (first..).take(rejects.len()).map(Some).collect();
        let columns = vec![
            text(|r| &r.position),
            text(|r| &r.raw),
            text(|r| &r.reason),
            Arc::new(received),
            text(|r| &r.position),
        ];
        let table = self.log.table();
        let rows = sort_rows(table, &RecordBatch::try_new(table.arrow_schema(), columns)?)?;
        self.adds.push(write_file(self.log.objects().as_ref(), table, rows).await?);
        self.written += rejects.len() as u64;
        Ok(())
    }
}
