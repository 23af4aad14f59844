//! Merges the files of a partition and keeps the order.
//!
//! Versions in force go into new files, cut at outlets; superseded versions go
//! to the companion table, which is committed first: a kill in between leaves
//! rows in both, which changes no answer, and the next compaction of the same
//! files doesn't move them again.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::prelude::SessionContext;
use deltalake_core::kernel::Add;
use plume_datasets::schema::{TABLES, Table};
use serde::Serialize;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc::{Sender, channel};
use tokio::task::JoinHandle;

use super::Store;
use super::delta::{Change, DeltaLog, LiveFile, Snapshot, input_id};
use super::scan::{ScanRequest, layer_inputs, scan_files};
use super::table::STORE_URL;
use super::version::{RowComparison, VersionMerge};
use super::writer::{Effort, EncodedFile, FileEncoder, put_file};
use crate::{Error, Result};

/// Rows of a compacted file at most, about: it ends with an outlet.
pub const FILE_ROWS: usize = 4 << 20;
/// Batches that may wait for a file's encoder.
const WAITING_BATCHES: usize = 16;
/// How often a partition is tried when others commit in between.
const ATTEMPTS: usize = 20;

/// What a compaction did.
#[derive(Debug, Default, Clone, Copy, Serialize)]
pub struct Compacted {
    /// Files merged.
    pub files_before: usize,
    /// Files written.
    pub files_after: usize,
    /// Rows in force.
    pub rows: u64,
    /// Rows moved to the companion table.
    pub superseded: u64,
}

impl Compacted {
    fn add(&mut self, other: Self) {
        self.files_before += other.files_before;
        self.files_after += other.files_after;
        self.rows += other.rows;
        self.superseded += other.superseded;
    }
}

/// Compacts every partition of every table that has landings, and tells `progress`
/// the table and partition.
pub async fn compact(
    store: &Store,
    session: &SessionContext,
    progress: &dyn Fn(&str, &str),
) -> Result<Compacted> {
    compact_to(store, session, FILE_ROWS, progress).await
}

/// Like [`compact`], into files of about `file_rows` rows at most.
pub async fn compact_to(
    store: &Store,
    session: &SessionContext,
    file_rows: usize,
    progress: &dyn Fn(&str, &str),
) -> Result<Compacted> {
    let mut total = Compacted::default();
    for table in TABLES {
        let log = store.log(table)?;
        let mut partitions: BTreeMap<String, Vec<LiveFile>> = BTreeMap::new();
        for file in log.snapshot().await?.files().iter() {
            partitions.entry(file.partition.clone()).or_default().push(file.clone());
        }
        for (partition, files) in partitions {
            if needs_compaction(&files) {
                progress(table.name, &partition);
                total.add(compact_partition(store, session, &log, &partition, file_rows).await?);
            }
        }
    }
    Ok(total)
}

/// Whether something landed in a partition since it was last compacted. A compaction takes
/// all its files, so where none is a landing they are what one compaction left, and a second
/// would only write them again: fewer rows than were merged, where versions were superseded.
fn needs_compaction(files: &[LiveFile]) -> bool {
    !files.iter().all(LiveFile::is_compacted)
}

/// How many files hold so many rows: a power of two, so that files of one size
/// deal out evenly among threads.
fn files_for(rows: usize, file_rows: usize) -> usize {
    rows.div_ceil(file_rows.max(1)).next_power_of_two()
}

/// Compacts one partition; tries again when others commit in between.
async fn compact_partition(
    store: &Store,
    session: &SessionContext,
    log: &DeltaLog,
    partition: &str,
    file_rows: usize,
) -> Result<Compacted> {
    for _ in 0..ATTEMPTS {
        let snapshot = log.snapshot().await?;
        let files: Vec<LiveFile> =
            snapshot.files().iter().filter(|f| f.partition == partition).cloned().collect();
        if !needs_compaction(&files) {
            return Ok(Compacted::default());
        }
        let merged = merge(store, session, log, &files, file_rows).await?;
        if let Some(compacted) = commit(store, log, &snapshot, files, merged).await? {
            return Ok(compacted);
        }
    }
    Err(Error::Contended(log.name().to_owned()))
}

/// Files written by a merge, not yet committed.
#[derive(Debug, Default)]
struct Merged {
    in_force: Vec<Add>,
    superseded: Vec<Add>,
    rows: u64,
    superseded_rows: u64,
}

/// Merges files into new ones.
async fn merge(
    store: &Store,
    session: &SessionContext,
    log: &DeltaLog,
    files: &[LiveFile],
    file_rows: usize,
) -> Result<Merged> {
    let table = log.table();
    let rows: u64 = files.iter().map(|file| file.rows).sum();
    let rows = usize::try_from(rows).unwrap_or(usize::MAX);
    let rows_per_file = rows.div_ceil(files_for(rows, file_rows));
    let all: Vec<usize> = (0..table.arrow_schema().fields().len()).collect();
    let files = scan_files(store, log, files)?;
    let request = ScanRequest {
        table,
        store: datafusion::execution::object_store::ObjectStoreUrl::parse(STORE_URL)?,
        projection: &all,
        split_points: &[],
        key_filter: None,
        as_of: None,
    };
    let task = session.task_ctx();
    let streams = layer_inputs(&request, files)?
        .iter()
        .map(|plan| Ok(plan.execute(0, Arc::clone(&task))?))
        .collect::<Result<Vec<_>>>()?;
    let mut versions = VersionMerge::new(table, streams, None)?;
    let mut in_force = FileCutter::new(log.clone(), rows_per_file);
    let mut superseded = FileCutter::new(store.superseded_log(table)?, rows_per_file);
    while let Some(rows) = versions.next().await? {
        in_force.push(rows.in_force).await?;
        superseded.push(rows.superseded).await?;
    }
    let (rows, superseded_rows) = (in_force.rows, superseded.rows);
    Ok(Merged {
        in_force: in_force.finish().await?,
        superseded: superseded.finish().await?,
        rows,
        superseded_rows,
    })
}

/// Commits merged files in place of `files`; `None` when others committed in between.
async fn commit(
    store: &Store,
    log: &DeltaLog,
    snapshot: &Snapshot,
    files: Vec<LiveFile>,
    merged: Merged,
) -> Result<Option<Compacted>> {
    let compacted = Compacted {
        files_before: files.len(),
        files_after: merged.in_force.len(),
        rows: merged.rows,
        superseded: merged.superseded_rows,
    };
    let before: u64 = files.iter().map(|file| file.rows).sum();
    let rows_change = merged.rows != before;
    if !merged.superseded.is_empty() {
        let companion = store.superseded_log(log.table())?;
        let inputs = vec![compaction_id(&files)];
        companion
            .append(&Change { adds: merged.superseded, data_change: true, inputs, ..Change::default() })
            .await?;
    }
    let change =
        Change { adds: merged.in_force, removes: files, data_change: rows_change, inputs: Vec::new() };
    Ok(log.commit(snapshot, &change).await?.map(|_| compacted))
}

/// The id of what merging files brings: the same files give the same superseded rows, so
/// a compaction that failed after it had landed them doesn't land them again.
fn compaction_id(files: &[LiveFile]) -> String {
    let mut hash = Sha256::new();
    for file in files {
        hash.update(file.path.as_ref());
        hash.update("\n");
    }
    input_id("compact", hash)
}

/// Puts sorted rows into files of about `rows_per_file` rows, cut where the first
/// key column changes. A file is encoded on a thread of its own while rows are merged.
struct FileCutter {
    log: DeltaLog,
    rows_per_file: usize,
    open: Option<OpenFile>,
    rows: u64,
    adds: Vec<Add>,
}

/// A file that rows are still appended to.
struct OpenFile {
    batches: Sender<RecordBatch>,
    encoder: JoinHandle<Result<EncodedFile>>,
    rows: usize,
    last: RecordBatch,
}

impl FileCutter {
    fn new(log: DeltaLog, rows_per_file: usize) -> Self {
        Self { log, rows_per_file, open: None, rows: 0, adds: Vec::new() }
    }

    /// Puts rows where they belong: a file that is full ends with its last outlet.
    async fn push(&mut self, mut rows: RecordBatch) -> Result<()> {
        self.rows += rows.num_rows() as u64;
        while rows.num_rows() > 0 {
            let room = self.rows_per_file.saturating_sub(self.open.as_ref().map_or(0, |file| file.rows));
            let taken = match &self.open {
                Some(file) if room == 0 => match first_of_next_outlet(self.log.table(), &file.last, &rows)? {
                    Some(0) => {
                        self.close().await?;
                        continue;
                    }
                    cut => cut.unwrap_or(rows.num_rows()),
                },
                _ => rows.num_rows().min(room.max(1)),
            };
            self.append(rows.slice(0, taken)).await?;
            rows = rows.slice(taken, rows.num_rows() - taken);
        }
        Ok(())
    }

    /// Appends rows to the open file, or to a new one.
    async fn append(&mut self, rows: RecordBatch) -> Result<()> {
        let last = rows.slice(rows.num_rows() - 1, 1);
        let file = match self.open.take() {
            Some(file) => OpenFile { rows: file.rows + rows.num_rows(), last, ..file },
            None => open_file(self.log.table(), rows.num_rows(), last),
        };
        let encoder_failed = file.batches.send(rows).await.is_err();
        self.open = Some(file);
        if encoder_failed { self.close().await } else { Ok(()) }
    }

    /// Writes the open file, if there is one.
    async fn close(&mut self) -> Result<()> {
        let Some(OpenFile { batches, encoder, .. }) = self.open.take() else { return Ok(()) };
        drop(batches);
        let file = encoder.await??;
        self.adds.push(put_file(self.log.objects().as_ref(), self.log.table(), file).await?);
        Ok(())
    }

    async fn finish(mut self) -> Result<Vec<Add>> {
        self.close().await?;
        Ok(self.adds)
    }
}

/// Starts the encoder of a file.
fn open_file(table: &'static Table, rows: usize, last: RecordBatch) -> OpenFile {
    let (batches, mut received) = channel(WAITING_BATCHES);
    let encoder = tokio::task::spawn_blocking(move || {
        let mut encoder = FileEncoder::new(table, Effort::Compaction)?;
        while let Some(rows) = received.blocking_recv() {
            encoder.write(&rows)?;
        }
        encoder.finish()
    });
    OpenFile { batches, encoder, rows, last }
}

/// Where in `rows` the first key column differs from the end of `last`.
fn first_of_next_outlet(table: &Table, last: &RecordBatch, rows: &RecordBatch) -> Result<Option<usize>> {
    let Some(first_key) = table.key.first() else { return Ok(None) };
    let comparison = RowComparison::of_columns(&[first_key], last, rows)?;
    let end = last.num_rows() - 1;
    Ok((0..rows.num_rows()).find(|row| comparison.key(end, *row).is_ne()))
}
