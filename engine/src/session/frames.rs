//! Gives the frame operator what it reads: sorted plans over the store, all cut
//! at the same outlets, and the registry.

use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::common::{Result, ScalarValue};
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::expressions::{Column, Literal, binary};
use plume_datasets::schema::Table;
use plume_udfs::frame::asked::FactorUsage;
use plume_udfs::frame::exec::FrameInput;
use plume_udfs::frame::extents::{NO_HOURS, hull};
use plume_udfs::frame::facts::Registry;
use plume_udfs::frame::outlet::SeriesTable;
use plume_udfs::frame::source::{FramePlan, FrameRequest, FrameSource, OutletReader};
use plume_udfs::time::hour_of;
use plume_udfs::validity::Rulebook;
use tokio::sync::Mutex;

use super::facts::{self, read_registry};
use super::options::{as_of, chosen_rules, rulebook};
use super::pattern_facts::read_pattern_registry;
use crate::store::scan::{ScanFile, ScanRequest, by_partition, sorted_plan, split_points};
use crate::store::series_scan::SeriesFilter;
use crate::store::table::{STORE_URL, Snapshots, StoreTable};
use crate::store::table_named;

/// Reads frames from the store of a session.
#[derive(Debug)]
pub(super) struct StoreFrames {
    snapshots: Arc<Snapshots>,
    registry: Mutex<Option<(RegistryState, Arc<Registry>)>>,
}

/// What a registry was read from.
#[derive(Debug, PartialEq)]
struct RegistryState {
    /// The versions of its tables.
    versions: Vec<Option<u64>>,
    as_of: Option<i64>,
    /// The hours from the first to the last row of the store.
    rows: Range<i64>,
    /// The rules by which checks were judged.
    rules: String,
}

impl StoreFrames {
    /// Reads frames through a session's snapshots.
    pub(super) fn new(snapshots: Arc<Snapshots>) -> Self {
        Self { snapshots, registry: Mutex::default() }
    }

    /// The registry, read again only when one of its tables changed.
    async fn registry(&self, session: &dyn Session) -> Result<Arc<Registry>> {
        let store = self.snapshots.store();
        let mut versions = Vec::new();
        for name in facts::TABLES.into_iter().chain([facts::CONDITION_PARAMS]) {
            versions.push(self.snapshots.of(&store.log(table_named(name)?)?).await?.version());
        }
        let config = session.config_options();
        let as_of = as_of(config)?;
        let rules = chosen_rules(config);
        let rows = match as_of {
            // What came later must not tell what was due.
            Some(_) => self.snapshots.extents(session).await?.rows(),
            None => self.rows().await?,
        };
        let rulebook = rulebook(config)?;
        let state = RegistryState { versions, as_of, rows, rules };
        let mut known = self.registry.lock().await;
        if let Some((known_state, registry)) = known.as_ref()
            && *known_state == state
        {
            return Ok(Arc::clone(registry));
        }
        let rows = state.rows.clone();
        let registry = Arc::new(read_registry(session, &self.snapshots, rows, &rulebook).await?);
        *known = Some((state, Arc::clone(&registry)));
        Ok(registry)
    }

    /// Whether no table but those read holds rows: others may begin or end a series, or be all there is of it.
    async fn holds_nothing_beside(&self, read: &[SeriesTable]) -> Result<bool> {
        for series in SeriesTable::SETTLED.iter().filter(|series| !read.contains(series)) {
            if !self.snapshots.files(table_named(series.name())?, false).await?.is_empty() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The hours from the first to the last row; a reported day's are all of its day.
    async fn rows(&self) -> Result<Range<i64>> {
        let mut rows = NO_HOURS;
        for series in SeriesTable::SETTLED {
            if let Some((first, last)) = self.snapshots.ts_range(table_named(series.name())?).await? {
                rows = hull(&rows, &(hour_of(first)..hour_of(last) + series.hours_of_row()));
            }
        }
        Ok(rows)
    }
}

#[async_trait]
impl FrameSource for StoreFrames {
    async fn plan(&self, session: &dyn Session, request: FrameRequest<'_>) -> Result<FramePlan> {
        let registry = self.registry(session).await?;
        let mut tables = Vec::new();
        let mut all_files = Vec::new();
        let mut unread = Vec::new();
        let mut reads_all = true;
        for (series, columns) in request.tables {
            let table = StoreTable::new(table_named(series.name())?, Arc::clone(&self.snapshots));
            let files = table.pruned_files(session, request.filters).await?;
            let (files, beside): (Vec<_>, Vec<_>) =
                files.into_iter().partition(|file| reaches_into(series, file, &request.hours));
            let projection = projection(table.table(), &columns, files.iter().chain(&beside));
            reads_all &= beside.is_empty();
            all_files.extend(files.iter().cloned());
            let (table_of, columns) = (table.table(), projection.clone());
            unread.push(UnreadTable { series, table: table_of, files: beside, projection: columns });
            tables.push((series, projection, table, files));
        }
        reads_all &=
            self.holds_nothing_beside(&tables.iter().map(|(series, ..)| *series).collect::<Vec<_>>()).await?;
        let by_outlet = table_named(SeriesTable::Hourly.name())?;
        let split_points = split_points(by_outlet, &all_files, session.config().target_partitions());
        let mut filter =
            SeriesFilter { usage: FactorUsage::new(request.asked), registry: Arc::clone(&registry) };
        let mut inputs = Vec::new();
        for (series, projection, table, files) in tables {
            let plans = table
                .series_plans(session, files, &projection, &split_points, request.filters, &mut filter)
                .await?;
            inputs.extend(plans.into_iter().map(|plan| FrameInput { table: series, plan }));
        }
        let extents = if reads_all { Arc::default() } else { self.snapshots.extents(session).await? };
        let as_of = as_of(session.config_options())?;
        let unread = Arc::new(UnreadRows { tables: unread, as_of });
        let patterns = match request.patterns {
            true => Arc::new(read_pattern_registry(session, &self.snapshots).await?),
            false => Arc::default(),
        };
        Ok(FramePlan { inputs, split_points, registry, extents, patterns, unread })
    }

    fn rulebook(&self, session: &dyn Session) -> Result<Rulebook> {
        Ok(rulebook(session.config_options())?)
    }
}

/// Files beside the hours of a plan, for outlets that turn out to need them.
#[derive(Debug)]
struct UnreadRows {
    tables: Vec<UnreadTable>,
    as_of: Option<i64>,
}

#[derive(Debug)]
struct UnreadTable {
    series: SeriesTable,
    table: &'static Table,
    files: Vec<ScanFile>,
    projection: Vec<usize>,
}

impl OutletReader for UnreadRows {
    fn read(
        &self,
        mn: &str,
        hours: &Range<i64>,
        read: &Range<i64>,
        task: &Arc<TaskContext>,
    ) -> Result<Vec<(SeriesTable, SendableRecordBatchStream)>> {
        let mut streams = Vec::new();
        for UnreadTable { series, table, files, projection } in &self.tables {
            let is_here = |file: &&ScanFile| {
                let of_outlet =
                    file.file.text_range("mn").is_none_or(|(least, most)| least <= mn && mn <= most);
                of_outlet && reaches_into(*series, file, hours) && !reaches_into(*series, file, read)
            };
            let files: Vec<ScanFile> = files.iter().filter(is_here).cloned().collect();
            let schema = table.arrow_schema();
            let column = Arc::new(Column::new_with_schema("mn", &schema)?);
            let outlet = Arc::new(Literal::new(ScalarValue::Utf8View(Some(mn.to_owned()))));
            let request = ScanRequest {
                table,
                store: ObjectStoreUrl::parse(STORE_URL)?,
                projection,
                split_points: &[],
                key_filter: Some(binary(column, Operator::Eq, outlet, &schema)?),
                as_of: self.as_of,
            };
            for files in by_partition(files) {
                streams.push((*series, sorted_plan(&request, files)?.execute(0, Arc::clone(task))?));
            }
        }
        Ok(streams)
    }
}

/// Whether rows of a file stand for any of the hours.
fn reaches_into(series: SeriesTable, file: &ScanFile, hours: &Range<i64>) -> bool {
    let Some((first, last)) = file.file.ts_range("ts") else { return true };
    hour_of(last) + series.hours_of_row() > hours.start && hour_of(first) < hours.end
}

/// Positions of the key columns and of those asked for that hold anything; value and flag are always read.
fn projection<'a>(
    table: &Table,
    columns: &[&str],
    files: impl Iterator<Item = &'a ScanFile> + Clone,
) -> Vec<usize> {
    let holds_any = |name: &str| files.clone().any(|file| file.file.all_null.iter().all(|c| c != name));
    let is_read = |name: &&&str| matches!(**name, "value" | "flag") || holds_any(name);
    let schema = table.arrow_schema();
    let wanted = table.key.iter().chain(columns.iter().filter(is_read));
    wanted.filter_map(|name| schema.index_of(name).ok()).collect()
}
