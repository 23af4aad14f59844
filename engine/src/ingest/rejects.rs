//! Rows that didn't land, and table `rejects`.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringViewArray, TimestampMicrosecondArray};
use arrow::util::display::{ArrayFormatter, FormatOptions};

use crate::Result;
use crate::store::delta::Change;
use crate::store::version::sort_rows;
use crate::store::writer::write_file;
use crate::store::{Store, table_named};

/// Bytes of raw text that a reject keeps.
pub(super) const RAW_LIMIT: usize = 4096;

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

/// Commits rejects to their table, once for an input.
pub(super) async fn commit_rejects(store: &Store, id: &str, rejects: &[Reject]) -> Result<()> {
    if rejects.is_empty() {
        return Ok(());
    }
    let table = table_named("rejects")?;
    let log = store.log(table)?;
    let text = |value: fn(&Reject) -> &str| -> ArrayRef {
        Arc::new(rejects.iter().map(|reject| Some(value(reject))).collect::<StringViewArray>())
    };
    // Each has a time of its own: one place may have several rejects, and a file of the same name
    // that comes tomorrow has its own.
    let now = crate::session::options::now();
    let received: TimestampMicrosecondArray = (now..).take(rejects.len()).map(Some).collect();
    let columns = vec![
        text(|r| &r.position),
        text(|r| &r.raw),
        text(|r| &r.reason),
        Arc::new(received),
        text(|r| &r.position),
    ];
    let rows = sort_rows(table, &RecordBatch::try_new(table.arrow_schema(), columns)?)?;
    let adds = vec![write_file(log.objects().as_ref(), table, rows).await?];
    log.append(&Change {
        adds,
        data_change: true,
        inputs: vec![format!("{id}-rejects")],
        ..Change::default()
    })
    .await?;
    Ok(())
}
