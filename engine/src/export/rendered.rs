//! A file of an export as bytes: CSV and Parquet. The same rows give the same bytes,
//! in whatever batches a query gave them.

use std::io::Write;

use arrow::array::RecordBatch;
use arrow::csv::WriterBuilder;
use parquet::arrow::ArrowWriter;

use crate::Result;

/// Rows that the Parquet writer is given at a time.
const BATCH_ROWS: usize = 8192;

/// A file before it is written.
#[derive(Debug)]
pub(super) struct Rendered {
    /// Its name in the folder.
    pub(super) name: String,
    /// What it holds.
    pub(super) bytes: Vec<u8>,
    /// Its rows, without headers.
    pub(super) rows: usize,
}

/// The rows as CSV with a header.
pub(super) fn csv(rows: &RecordBatch) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut writer = WriterBuilder::new().with_header(true).build(&mut bytes);
    writer.write(rows)?;
    writer.into_inner().flush()?;
    Ok(bytes)
}

/// The rows as Parquet.
pub(super) fn parquet(rows: &RecordBatch) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, rows.schema(), None)?;
    let mut at = 0;
    while at < rows.num_rows() {
        let count = BATCH_ROWS.min(rows.num_rows() - at);
        writer.write(&rows.slice(at, count))?;
        at += count;
    }
    writer.close()?;
    Ok(bytes)
}
