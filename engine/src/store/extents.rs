//! From when to when each series reaches, over all files of the store.
//!
//! Compacted files tell it in their series index; of others the key columns are
//! read. What was learnt of a file is kept: rows never go, they only move to
//! other files, so what files told stays true when they are no longer live.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch, StringViewArray};
use arrow::datatypes::TimestampMicrosecondType;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::ParquetFileReaderFactory;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use futures::{StreamExt, TryStreamExt, stream};
use object_store::path::Path;
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::arrow::{ParquetRecordBatchStreamBuilder, ProjectionMask};
use plume_udfs::frame::extents::Extents;
use plume_udfs::frame::outlet::SeriesTable;
use plume_udfs::time::hour_of;
use tokio::sync::Mutex;

use super::scan::ScanFile;
use super::series::SeriesIndexes;
use super::table::Snapshots;
use super::table_named;
use crate::Result;

/// Files whose series are learnt at once.
const FILES_AT_ONCE: usize = 8;

/// What the files of a store told so far.
#[derive(Debug, Default)]
pub struct KnownExtents(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    /// What of the rows counts: those received up to then.
    as_of: Option<i64>,
    files: HashSet<Path>,
    extents: Arc<Extents>,
}

/// The series of one file, or of a part of it.
type FileExtents = Vec<(Arc<str>, Arc<str>, i64, i64)>;

impl KnownExtents {
    /// From when to when each series reaches, of what was received up to `as_of`.
    pub async fn of(
        &self,
        snapshots: &Snapshots,
        indexes: &SeriesIndexes,
        reader: &dyn ParquetFileReaderFactory,
        as_of: Option<i64>,
    ) -> Result<Arc<Extents>> {
        let mut known = self.0.lock().await;
        if known.as_of != as_of {
            *known = Known { as_of, ..Known::default() };
        }
        for table in SeriesTable::MONITORED {
            let files = snapshots.files(table_named(table.name())?, as_of.is_some()).await?;
            let unknown: Vec<ScanFile> =
                files.into_iter().filter(|file| !known.files.contains(&file.location)).collect();
            let told: Vec<_> =
                unknown.iter().map(|file| extents_of(indexes, reader, table, file, as_of)).collect();
            let told: Vec<FileExtents> = stream::iter(told).buffered(FILES_AT_ONCE).try_collect().await?;
            let extents = Arc::make_mut(&mut known.extents);
            for (mn, factor, first, last) in told.iter().flatten() {
                extents.add(table, mn, factor, *first, *last);
            }
            known.files.extend(unknown.into_iter().map(|file| file.location));
        }
        Ok(Arc::clone(&known.extents))
    }
}

/// The series of a file's rows received up to `as_of`.
async fn extents_of(
    indexes: &SeriesIndexes,
    reader: &dyn ParquetFileReaderFactory,
    table: SeriesTable,
    file: &ScanFile,
    as_of: Option<i64>,
) -> Result<FileExtents> {
    let (first_received, last_received) = file.file.ts_range("received_at").unwrap_or((i64::MIN, i64::MAX));
    if as_of.is_some_and(|as_of| first_received > as_of) {
        return Ok(Vec::new());
    }
    // An index counts every row of its file.
    if as_of.is_none_or(|as_of| last_received <= as_of)
        && let Some(index) = indexes.of(reader, file).await?
    {
        let series = index.series().iter();
        let told = series.map(|s| (Arc::clone(&s.mn), Arc::clone(&s.factor), s.first_hour, s.last_hour));
        return Ok(told.collect());
    }
    read_keys(reader, table, file, as_of).await
}

/// Reads the key columns of a file.
async fn read_keys(
    reader: &dyn ParquetFileReaderFactory,
    table: SeriesTable,
    file: &ScanFile,
    as_of: Option<i64>,
) -> Result<FileExtents> {
    let mut partitioned = PartitionedFile::new("", file.file.size);
    partitioned.object_meta.location = file.location.clone();
    let reader: Box<dyn AsyncFileReader> =
        reader.create_reader(0, partitioned, None, &ExecutionPlanMetricsSet::new())?;
    let schema = table_named(table.name())?.arrow_schema();
    let options = ArrowReaderOptions::new().with_schema(schema);
    let builder = ParquetRecordBatchStreamBuilder::new_with_options(reader, options).await?;
    let columns = ["mn", "factor", "ts", "received_at"];
    let columns = ProjectionMask::columns(builder.parquet_schema(), columns);
    let mut batches = builder.with_projection(columns).build()?;
    let mut extents: FileExtents = Vec::new();
    while let Some(batch) = batches.next().await {
        add_rows(&batch?, as_of, &mut extents);
    }
    Ok(extents)
}

/// Adds the sorted rows of a batch that were received up to `as_of`.
fn add_rows(batch: &RecordBatch, as_of: Option<i64>, extents: &mut FileExtents) {
    let text = |name: &str| batch.column_by_name(name).and_then(|column| column.as_string_view_opt());
    let time = |name: &str| {
        batch.column_by_name(name).and_then(|column| column.as_primitive_opt::<TimestampMicrosecondType>())
    };
    let (Some(mn), Some(factor), Some(ts)) = (text("mn"), text("factor"), time("ts")) else { return };
    let received_at = time("received_at");
    let counts = |row: usize| match (as_of, received_at) {
        (Some(as_of), Some(received)) => received.is_null(row) || received.value(row) <= as_of,
        _ => true,
    };
    let mut before = None;
    for row in (0..batch.num_rows()).filter(|row| counts(*row)) {
        let hour = hour_of(ts.value(row));
        let goes_on = match (before, extents.last()) {
            (Some(before), _) => same(mn, before, row) && same(factor, before, row),
            (None, Some((last_mn, last_factor, ..))) => {
                **last_mn == *mn.value(row) && **last_factor == *factor.value(row)
            }
            (None, None) => false,
        };
        before = Some(row);
        match extents.last_mut() {
            // Rows of a series come in the order of their time.
            Some((.., last)) if goes_on => *last = hour,
            _ => extents.push((mn.value(row).into(), factor.value(row).into(), hour, hour)),
        }
    }
}

/// Whether two rows hold the same text. Texts of one dictionary page are one view.
fn same(texts: &StringViewArray, a: usize, b: usize) -> bool {
    let views = texts.views();
    views.get(a) == views.get(b) || texts.value(a) == texts.value(b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{ArrayRef, TimestampMicrosecondArray};
    use plume_udfs::time::HOUR_US;

    fn rows(rows: &[(&str, i64, i64)]) -> RecordBatch {
        let time = |values: Vec<i64>| Arc::new(TimestampMicrosecondArray::from(values)) as ArrayRef;
        let mn: StringViewArray = rows.iter().map(|row| Some(row.0)).collect();
        let factor: StringViewArray = rows.iter().map(|_| Some("a21026")).collect();
        RecordBatch::try_from_iter([
            ("mn", Arc::new(mn) as ArrayRef),
            ("factor", Arc::new(factor) as ArrayRef),
            ("ts", time(rows.iter().map(|row| row.1 * HOUR_US).collect())),
            ("received_at", time(rows.iter().map(|row| row.2).collect())),
        ])
        .unwrap()
    }

    fn told(batches: &[RecordBatch], as_of: Option<i64>) -> Vec<(String, i64, i64)> {
        let mut extents = Vec::new();
        batches.iter().for_each(|batch| add_rows(batch, as_of, &mut extents));
        extents.into_iter().map(|(mn, _, first, last)| (mn.to_string(), first, last)).collect()
    }

    #[test]
    fn a_series_goes_on_over_batches() {
        let batches = [rows(&[("A", 1, 0), ("A", 4, 0)]), rows(&[("A", 6, 0), ("B", 2, 0)])];
        assert_eq!(told(&batches, None), [("A".to_owned(), 1, 6), ("B".to_owned(), 2, 2)]);
    }

    #[test]
    fn rows_received_later_are_as_if_unknown() {
        let batches = [rows(&[("A", 1, 9), ("A", 4, 5), ("A", 6, 6)]), rows(&[("B", 2, 6)])];
        assert_eq!(told(&batches, Some(5)), [("A".to_owned(), 4, 4)]);
    }
}
