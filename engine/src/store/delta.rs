//! The log of a table: create, open, list live files, commit.
//!
//! Only the log is the library's; Parquet files and scans are ours. Commits that
//! remove files are a compare-and-swap on the version (no retries): the
//! library's own conflict check lets two compactions of the same files both
//! commit and doubles their rows. Appends retry in a loop that first looks up
//! whether the same input has landed.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::DataType as ArrowType;
use chrono::NaiveDateTime;
use datafusion::common::ScalarValue;
use deltalake_core::kernel::transaction::{
    CommitBuilder, CommitProperties, PROTOCOL, TableReference, TransactionError,
};
use deltalake_core::kernel::{Action, Add, DataType, LogicalFileView, Transaction};
use deltalake_core::logstore::{
    LogStoreRef, StorageConfig, default_logstore, extract_version_from_filename, get_actions,
};
use deltalake_core::operations::create::CreateBuilder;
use deltalake_core::protocol::{DeltaOperation, SaveMode};
use deltalake_core::table::state::DeltaTableState;
use deltalake_core::{DeltaTable, DeltaTableError, TableProperty};
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore};
use plume_datasets::schema::{Partitioning, Table};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::location::Location;
use crate::{Error, Result};

/// Name of the table property that tells the store's format.
const FORMAT_PROPERTY: &str = "plume.formatVersion";
/// The store format this code writes, and the newest it reads.
const FORMAT_VERSION: u32 = 1;
/// How often an append tries again when others commit in between.
const APPEND_ATTEMPTS: usize = 50;
/// The partition column of tables that are partitioned by month or day.
const MONTH: &str = "month";
const DAY: &str = "day";

/// The log of one table of a store.
#[derive(Debug, Clone)]
pub struct DeltaLog {
    table: &'static Table,
    name: String,
    log: LogStoreRef,
}

/// A table's log at one version.
#[derive(Debug, Clone)]
pub struct Snapshot {
    state: Option<DeltaTableState>,
    files: Arc<Vec<LiveFile>>,
}

/// One live file with what its statistics tell.
#[derive(Clone)]
pub struct LiveFile {
    /// Path below the table's folder.
    pub path: Path,
    /// Bytes.
    pub size: u64,
    /// Rows.
    pub rows: u64,
    /// Partition it belongs to; empty for a table without partitions.
    pub partition: String,
    /// Least and greatest value of columns that have them, as the table's type.
    pub ranges: HashMap<String, (ScalarValue, ScalarValue)>,
    /// Columns in which every row is NULL.
    pub all_null: Vec<String>,
    /// The log's entry; absent for a file that is not committed.
    view: Option<LogicalFileView>,
}

impl std::fmt::Debug for LiveFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LiveFile").field("path", &self.path).field("rows", &self.rows).finish_non_exhaustive()
    }
}

/// How the name of a file ends that holds more than one version of some key.
pub(super) const VERSIONS_SUFFIX: &str = "-versions.parquet";
/// How the name of a file ends that a compaction wrote, each key once.
pub(super) const COMPACTED_SUFFIX: &str = "-compacted.parquet";

impl LiveFile {
    /// A file that is written but not committed.
    pub fn of_add(table: &Table, add: &Add) -> Result<Self> {
        let partition =
            partition_column(table).and_then(|column| add.partition_values.get(column).cloned().flatten());
        let size = u64::try_from(add.size).unwrap_or_default();
        Ok(described(table, Path::parse(&add.path)?, size, add.stats.as_deref(), partition))
    }

    /// Whether the file holds more than one version of some key.
    pub fn has_versions(&self) -> bool {
        self.path.as_ref().ends_with(VERSIONS_SUFFIX)
    }

    /// Whether a compaction wrote the file.
    pub fn is_compacted(&self) -> bool {
        self.path.as_ref().ends_with(COMPACTED_SUFFIX)
    }

    /// Least and greatest value of a text column.
    pub fn text_range(&self, column: &str) -> Option<(&str, &str)> {
        let (min, max) = self.ranges.get(column)?;
        Some((min.try_as_str()??, max.try_as_str()??))
    }

    /// Least and greatest value of a time column, µs.
    pub fn ts_range(&self, column: &str) -> Option<(i64, i64)> {
        match self.ranges.get(column)? {
            (
                ScalarValue::TimestampMicrosecond(Some(min), _),
                ScalarValue::TimestampMicrosecond(Some(max), _),
            ) => Some((*min, *max)),
            _ => None,
        }
    }
}

impl Snapshot {
    /// The live files, by path.
    pub fn files(&self) -> &Arc<Vec<LiveFile>> {
        &self.files
    }

    /// Whether files written for one commit are live; their names are never used again.
    fn holds(&self, adds: &[Add]) -> bool {
        adds.first().is_some_and(|add| self.files.iter().any(|file| file.path.as_ref() == add.path))
    }

    /// The version, or `None` where the table doesn't exist.
    pub fn version(&self) -> Option<u64> {
        self.state.as_ref().map(DeltaTableState::version)
    }
}

/// What a commit adds and removes.
#[derive(Debug, Default)]
pub struct Change {
    /// Files added.
    pub adds: Vec<Add>,
    /// Files removed.
    pub removes: Vec<LiveFile>,
    /// Whether rows come or go; `false` where they are only rewritten.
    pub data_change: bool,
    /// Ids of the inputs that the commit lands.
    pub inputs: Vec<String>,
}

/// What became of an append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Landed {
    /// It was committed.
    Now,
    /// The same input had landed before; nothing was committed.
    Before,
}

impl DeltaLog {
    pub(super) fn new(location: &Location, table: &'static Table, name: String) -> Result<Self> {
        let url = location.table_url(&name)?;
        let config = StorageConfig::default();
        let root = Arc::clone(location.object_store());
        let prefixed: Arc<dyn ObjectStore> = Arc::from(config.decorate_store(Arc::clone(&root), &url)?);
        Ok(Self { table, name, log: default_logstore(prefixed, root, &url, &config) })
    }

    /// The table's schema definition.
    pub fn table(&self) -> &'static Table {
        self.table
    }

    /// The table's name in the store.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The objects of the table's folder.
    pub fn objects(&self) -> Arc<dyn ObjectStore> {
        self.log.object_store(None)
    }

    /// Whether the table exists.
    pub async fn exists(&self) -> Result<bool> {
        match self.log.is_delta_table_location().await {
            Ok(exists) => Ok(exists),
            Err(DeltaTableError::ObjectStore { source: object_store::Error::NotFound { .. } }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// The table as it is now; without files where it doesn't exist.
    pub async fn snapshot(&self) -> Result<Snapshot> {
        if !self.exists().await? {
            return Ok(Snapshot { state: None, files: Arc::default() });
        }
        let mut delta = DeltaTable::new(Arc::clone(&self.log));
        delta.load().await?;
        self.snapshot_of(delta.snapshot()?.clone())
    }

    fn snapshot_of(&self, state: DeltaTableState) -> Result<Snapshot> {
        PROTOCOL.can_read_from(&state).map_err(DeltaTableError::from)?;
        self.check_format(&state)?;
        self.check_columns(&state)?;
        let mut files: Vec<LiveFile> =
            state.log_data().iter().map(|view| live_file(self.table, view)).collect::<Result<_>>()?;
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(Snapshot { state: Some(state), files: Arc::new(files) })
    }

    fn check_format(&self, state: &DeltaTableState) -> Result<()> {
        let newer =
            |found: String, known: String| Error::NewerFormat { table: self.name.clone(), found, known };
        let found = state.metadata().configuration().get(FORMAT_PROPERTY).cloned().unwrap_or_default();
        match found.parse::<u32>() {
            Ok(version) if version > FORMAT_VERSION => Err(newer(found, FORMAT_VERSION.to_string())),
            _ if state.protocol().min_writer_version() > 7 => Err(newer(
                format!("Delta writer {}", state.protocol().min_writer_version()),
                "Delta writer 7".to_owned(),
            )),
            _ => Ok(()),
        }
    }

    /// Files are read as the table's columns, all of them; those of a table made before a column
    /// was added can't be.
    fn check_columns(&self, state: &DeltaTableState) -> Result<()> {
        let schema = state.schema();
        let lacks = self.table.all_columns().filter(|column| schema.field(column.name).is_none());
        let lacks: Vec<&str> = lacks.map(|column| column.name).collect();
        if lacks.is_empty() {
            return Ok(());
        }
        Err(Error::OlderColumns { table: self.name.clone(), lacks: lacks.join(", ") })
    }

    /// Makes the table if it doesn't exist.
    pub async fn create(&self) -> Result<()> {
        if self.exists().await? {
            return Ok(());
        }
        let mut builder = CreateBuilder::new()
            .with_log_store(Arc::clone(&self.log))
            .with_save_mode(SaveMode::Ignore)
            .with_configuration_property(TableProperty::EnableExpiredLogCleanup, Some("false"))
            .with_configuration_property(TableProperty::LogRetentionDuration, Some("interval 36500 days"))
            .with_configuration_property(TableProperty::CheckpointInterval, Some("50"))
            .with_configuration([(FORMAT_PROPERTY, Some(FORMAT_VERSION.to_string()))])
            .with_raise_if_key_not_exists(false)
            // Two creators at once: the later one must lose, not write its own metadata over the first's.
            .with_commit_properties(CommitProperties::default().with_max_retries(0));
        for column in self.table.all_columns() {
            let nullable = self.table.is_nullable(column.name);
            builder = builder.with_column(column.name, delta_type(&column.kind.arrow()), nullable, None);
        }
        if let Some(partition) = partition_column(self.table) {
            builder = builder
                .with_column(partition, DataType::DATE, true, None)
                .with_partition_columns([partition]);
        }
        match builder.await {
            Ok(_) => Ok(()),
            // Another made it; or S3 says so (409) while the other's entry can't be seen yet.
            Err(
                DeltaTableError::Transaction { source: TransactionError::MaxCommitAttempts(_) }
                | DeltaTableError::InvalidVersion(_),
            ) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Appends files, unless one of the inputs has landed before.
    pub async fn append(&self, change: &Change) -> Result<Landed> {
        for _ in 0..APPEND_ATTEMPTS {
            self.create().await?;
            let snapshot = self.snapshot().await?;
            if snapshot.version().is_none() {
                // Two creators met, and neither's log entry is to be seen yet.
                continue;
            }
            // A try that seemed to fail may have been committed: its answer was lost.
            if snapshot.holds(&change.adds) {
                return Ok(Landed::Now);
            }
            if self.has_landed(&snapshot, &change.inputs).await? {
                return Ok(Landed::Before);
            }
            match self.commit(&snapshot, change).await {
                Ok(Some(_)) => return Ok(Landed::Now),
                Ok(None) => {}
                // The answer was lost, or only the checkpoint after the commit failed.
                Err(error) => match self.snapshot().await {
                    Ok(now) if now.holds(&change.adds) => return Ok(Landed::Now),
                    _ => return Err(error),
                },
            }
        }
        Err(Error::Contended(self.name.clone()))
    }

    /// Whether any of the inputs has landed.
    pub async fn has_landed(&self, snapshot: &Snapshot, inputs: &[String]) -> Result<bool> {
        let Some(state) = &snapshot.state else { return Ok(false) };
        for input in inputs {
            if state.transaction_version(&self.log, input).await?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Commits a change on top of a snapshot; `None` when another commit came in
    /// between, and nothing was done.
    pub async fn commit(&self, snapshot: &Snapshot, change: &Change) -> Result<Option<u64>> {
        let Some(state) = &snapshot.state else { return Err(Error::NoStore(self.name.clone())) };
        let mut actions: Vec<Action> = Vec::with_capacity(change.adds.len() + change.removes.len());
        let removes = change.removes.iter().filter_map(|file| file.view.as_ref());
        actions.extend(removes.map(|view| Action::from(view.remove_action(change.data_change))));
        actions.extend(change.adds.iter().cloned().map(|mut add| {
            add.data_change = change.data_change;
            Action::from(add)
        }));
        let operation = if change.removes.is_empty() {
            let partition_by = partition_column(self.table).map(|column| vec![column.to_owned()]);
            DeltaOperation::Write { mode: SaveMode::Append, partition_by, predicate: None }
        } else {
            DeltaOperation::Optimize { predicate: None, target_size: 0 }
        };
        let inputs = change.inputs.iter().map(|id| Transaction::new(id, 1)).collect();
        let properties = CommitProperties::default()
            .with_max_retries(0)
            .with_application_transactions(inputs)
            .with_cleanup_expired_logs(Some(false));
        let committed = CommitBuilder::from(properties)
            .with_actions(actions)
            .build(Some(state as &dyn TableReference), Arc::clone(&self.log), operation)
            .await;
        match committed {
            Ok(commit) => Ok(Some(commit.version)),
            Err(
                DeltaTableError::Transaction {
                    source: TransactionError::MaxCommitAttempts(_) | TransactionError::CommitConflict(_),
                }
                | DeltaTableError::VersionAlreadyExists(_),
            ) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Objects of the table's folder that no commit ever added.
    pub async fn orphans(&self) -> Result<Vec<ObjectMeta>> {
        let objects = self.objects();
        // Listed before the log is read: a file added in between is in the log.
        let listed: Vec<ObjectMeta> = objects.list(None).try_collect().await?;
        let mut known = std::collections::HashSet::new();
        for meta in &listed {
            let name = meta.location.as_ref();
            let is_commit = name.starts_with("_delta_log/") && name.ends_with(".json");
            let version = extract_version_from_filename(name).filter(|_| is_commit);
            let Some(version) = version else { continue };
            let Some(bytes) = self.log.read_commit_entry(version).await? else { continue };
            for action in get_actions(version, &bytes)? {
                if let Action::Add(add) = action {
                    known.insert(Path::parse(&add.path)?);
                }
            }
        }
        let is_data = |meta: &ObjectMeta| !meta.location.as_ref().starts_with('_');
        Ok(listed.into_iter().filter(|meta| is_data(meta) && !known.contains(&meta.location)).collect())
    }
}

/// The id by which a log knows an input again: who brought it, and a hash of what it is.
pub fn input_id(who: &str, hash: Sha256) -> String {
    let digest: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{who}-{digest}")
}

/// The partition column of a table, if it has one.
pub fn partition_column(table: &Table) -> Option<&'static str> {
    match table.partitioning {
        Partitioning::Whole => None,
        Partitioning::Month(_) => Some(MONTH),
        Partitioning::Day(_) => Some(DAY),
    }
}

fn delta_type(arrow: &ArrowType) -> DataType {
    match arrow {
        ArrowType::Float64 => DataType::DOUBLE,
        ArrowType::Boolean => DataType::BOOLEAN,
        ArrowType::Date32 => DataType::DATE,
        ArrowType::Timestamp(..) => DataType::TIMESTAMP_NTZ,
        _ => DataType::STRING,
    }
}

/// Reads a file's entry of the log.
fn live_file(table: &Table, view: LogicalFileView) -> Result<LiveFile> {
    let partition =
        partition_column(table).and_then(|column| view.partition_values_map().remove(column).flatten());
    let size = u64::try_from(view.size()).unwrap_or_default();
    let file = described(table, view.object_store_path(), size, view.stats().as_deref(), partition);
    Ok(LiveFile { view: Some(view), ..file })
}

/// A file as its path and statistics tell it.
fn described(
    table: &Table,
    path: Path,
    size: u64,
    stats: Option<&str>,
    partition: Option<String>,
) -> LiveFile {
    let stats: Value = stats.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let rows = stats["numRecords"].as_u64().unwrap_or_default();
    let mut ranges = HashMap::new();
    let mut all_null = Vec::new();
    for column in table.all_columns() {
        let bound = |side: &str| scalar(&stats[side][column.name], &column.kind.arrow());
        if let (Some(min), Some(max)) = (bound("minValues"), bound("maxValues")) {
            ranges.insert(column.name.to_owned(), (min, max));
        }
        if rows > 0 && stats["nullCount"][column.name].as_u64() == Some(rows) {
            all_null.push(column.name.to_owned());
        }
    }
    LiveFile { path, size, rows, partition: partition.unwrap_or_default(), ranges, all_null, view: None }
}

/// The format of time stamps in statistics.
pub(super) const STATS_TIMESTAMP: &str = "%Y-%m-%dT%H:%M:%S%.6f";

/// A statistic as the table's type.
fn scalar(value: &Value, kind: &ArrowType) -> Option<ScalarValue> {
    match kind {
        ArrowType::Utf8View => Some(ScalarValue::Utf8View(Some(value.as_str()?.to_owned()))),
        ArrowType::Float64 => Some(ScalarValue::Float64(Some(value.as_f64()?))),
        ArrowType::Timestamp(..) => {
            let ts = NaiveDateTime::parse_from_str(value.as_str()?, STATS_TIMESTAMP).ok()?;
            Some(ScalarValue::TimestampMicrosecond(Some(ts.and_utc().timestamp_micros()), None))
        }
        _ => None,
    }
}
