//! `check` reads every file and tells what is wrong; `vacuum` drops files that
//! no commit refers to.

use arrow::array::RecordBatch;
use chrono::{DateTime, Utc};
use object_store::ObjectStoreExt;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use plume_datasets::schema::{TABLES, Table};
use serde::Serialize;

use super::Store;
use super::delta::{DeltaLog, LiveFile};
use super::series::SeriesIndex;
use super::staged::staged_files;
use super::version::RowComparison;
use crate::{Error, Result};

/// What `check` found.
#[derive(Debug, Default, Serialize)]
pub struct Checked {
    /// Tables read.
    pub tables: usize,
    /// Files read.
    pub files: usize,
    /// Rows read.
    pub rows: u64,
    /// Files that no commit refers to, whole or half-written; `vacuum` drops them.
    pub orphans: usize,
    /// What is wrong, one a line.
    pub problems: Vec<String>,
}

/// Reads every file of every table.
pub async fn check(store: &Store, progress: &dyn Fn(&str)) -> Result<Checked> {
    let mut checked = Checked::default();
    for table in TABLES {
        for log in [store.log(table)?, store.superseded_log(table)?] {
            if !log.exists().await? {
                continue;
            }
            progress(log.name());
            checked.tables += 1;
            for file in log.snapshot().await?.files().iter() {
                checked.files += 1;
                checked.rows += file.rows;
                if let Err(error) = check_file(&log, file).await {
                    checked.problems.push(format!("{}/{}: {error}", log.name(), file.path));
                }
            }
            checked.orphans += log.orphans().await?.len();
            checked.orphans += staged_files(store.location().table_url(log.name())?).await?.len();
        }
    }
    Ok(checked)
}

/// Reads one file and compares it with what the log says of it.
async fn check_file(log: &DeltaLog, file: &LiveFile) -> Result<()> {
    let bytes = log.objects().get(&file.path).await?.bytes().await?;
    let (table, file) = (log.table(), file.clone());
    tokio::task::spawn_blocking(move || check_rows(table, &file, bytes)).await?
}

fn check_rows(table: &'static Table, file: &LiveFile, bytes: bytes::Bytes) -> Result<()> {
    let wrong = |reason: String| Error::Input { path: table.name.to_owned(), reason };
    if bytes.len() as u64 != file.size {
        return Err(wrong(format!("{} bytes where the log says {}", bytes.len(), file.size)));
    }
    let options = ArrowReaderOptions::new().with_schema(table.arrow_schema());
    let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(bytes, options)?;
    let told = builder.metadata().file_metadata().key_value_metadata().cloned().unwrap_or_default();
    let told =
        SeriesIndex::of_metadata(&told).map_err(|error| wrong(format!("its series index: {error}")))?;
    let reader = builder.build()?;
    let mut series = told.as_ref().map(|_| SeriesIndex::default());
    let mut rows = 0;
    let mut last: Option<RecordBatch> = None;
    for batch in reader {
        let batch = batch?;
        if batch.num_rows() == 0 {
            continue;
        }
        let names: Vec<&str> = table.sort_columns().collect();
        let within = RowComparison::of_columns(&names, &batch, &batch)?;
        let unsorted = (1..batch.num_rows()).find(|row| within.key(row - 1, *row).is_gt());
        let unsorted = match (&last, unsorted) {
            (Some(last), None) => {
                let across = RowComparison::of_columns(&names, last, &batch)?;
                across.key(0, 0).is_gt().then_some(0)
            }
            (_, unsorted) => unsorted,
        };
        if let Some(row) = unsorted {
            return Err(wrong(format!("row {} is out of order", rows + row as u64)));
        }
        rows += batch.num_rows() as u64;
        if let Some(series) = &mut series {
            series.add(table, &batch);
        }
        last = Some(batch.slice(batch.num_rows() - 1, 1));
    }
    if told != series {
        return Err(wrong("its series index doesn't tell the series of its rows".to_owned()));
    }
    if rows != file.rows {
        return Err(wrong(format!("{rows} rows where the log says {}", file.rows)));
    }
    Ok(())
}

/// What `vacuum` did.
#[derive(Debug, Default, Serialize)]
pub struct Vacuumed {
    /// Files dropped.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
}

/// Drops files that no commit ever added and that were written before
/// `written_before`: a running ingest's files are not committed yet.
pub async fn vacuum(store: &Store, written_before: DateTime<Utc>) -> Result<Vacuumed> {
    let mut vacuumed = Vacuumed::default();
    for table in TABLES {
        for log in [store.log(table)?, store.superseded_log(table)?] {
            for orphan in log.orphans().await? {
                if orphan.last_modified < written_before {
                    log.objects().delete(&orphan.location).await?;
                    vacuumed.files += 1;
                    vacuumed.bytes += orphan.size;
                }
            }
            for staged in staged_files(store.location().table_url(log.name())?).await? {
                if DateTime::<Utc>::from(staged.modified) < written_before {
                    match std::fs::remove_file(&staged.path) {
                        // Whole by now, or another vacuum was faster.
                        Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                        removed => removed?,
                    }
                    vacuumed.files += 1;
                    vacuumed.bytes += staged.bytes;
                }
            }
        }
    }
    Ok(vacuumed)
}
