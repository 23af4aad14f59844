//! A table as SQL sees it: each key once, in the version in force.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::pruning::PrunableStatistics;
use datafusion::common::stats::Precision;
use datafusion::common::{ColumnStatistics, DFSchema, Result as QueryResult, Statistics};
use datafusion::datasource::physical_plan::ParquetFileReaderFactory;
use datafusion::datasource::physical_plan::parquet::CachedParquetFileReaderFactory;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_optimizer::pruning::PruningPredicateBuilder;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::union::UnionExec;
use futures::future::try_join_all;
use object_store::ObjectStoreExt;
use object_store::path::Path;
use plume_datasets::schema::Table;
use plume_udfs::frame::extents::Extents;
use tokio::sync::Mutex;

use super::Store;
use super::delta::{DeltaLog, Snapshot};
use super::extents::KnownExtents;
use super::scan::{
    ScanFile, ScanRequest, by_partition, follow_one_another, scan_files, sorted_plan, split_points,
};
use super::series::SeriesIndexes;
use super::series_scan::{SeriesFile, SeriesFilter, series_plan};
use crate::Result;
use crate::session::options::as_of;

/// Under which address the store's files are known to a session.
pub const STORE_URL: &str = "plume://store/";

/// The tables of a store as a session sees them. A snapshot is kept until
/// [`Snapshots::refresh`], so that a statement sees one state of each table.
#[derive(Debug)]
pub struct Snapshots {
    store: Store,
    known: Mutex<HashMap<String, Known>>,
    series: SeriesIndexes,
    extents: KnownExtents,
}

#[derive(Debug, Clone)]
struct Known {
    snapshot: Snapshot,
    /// Whether a newer version may have been committed since.
    stale: bool,
}

impl Snapshots {
    /// The tables of a store.
    pub fn new(store: Store) -> Self {
        Self {
            store,
            known: Mutex::default(),
            series: SeriesIndexes::default(),
            extents: KnownExtents::default(),
        }
    }

    /// The store.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Looks at each table anew when it is next asked for.
    pub async fn refresh(&self) {
        self.known.lock().await.values_mut().for_each(|known| known.stale = true);
    }

    /// A table's live files.
    pub async fn of(&self, log: &DeltaLog) -> Result<Snapshot> {
        let mut known = self.known.lock().await;
        if let Some(entry) = known.get_mut(log.name())
            && (!entry.stale || !has_newer(log, &entry.snapshot).await?)
        {
            entry.stale = false;
            return Ok(entry.snapshot.clone());
        }
        let snapshot = log.snapshot().await?;
        let live = scan_files(&self.store, log, snapshot.files())?.into_iter().map(|file| file.location);
        self.series.forget_dead(&self.store.folder(log)?, &live.collect()).await;
        known.insert(log.name().to_owned(), Known { snapshot: snapshot.clone(), stale: false });
        Ok(snapshot)
    }

    /// From when to when each series reaches, in the store as the session sees it.
    pub async fn extents(&self, session: &dyn Session) -> Result<Arc<Extents>> {
        let as_of = as_of(session.config_options())?;
        self.extents.of(self, &self.series, self.reader(session).as_ref(), as_of).await
    }

    /// Reads files, keeping their footers with the session.
    fn reader(&self, session: &dyn Session) -> Arc<dyn ParquetFileReaderFactory> {
        let objects = Arc::clone(self.store.location().object_store());
        let footers = session.runtime_env().cache_manager.get_file_metadata_cache();
        Arc::new(CachedParquetFileReaderFactory::new(objects, footers))
    }

    /// The files of a table and, where versions no longer in force matter, of
    /// its companion.
    pub async fn files(&self, table: &'static Table, with_superseded: bool) -> Result<Vec<ScanFile>> {
        let mut logs = vec![self.store.log(table)?];
        if with_superseded {
            logs.push(self.store.superseded_log(table)?);
        }
        let mut files = Vec::new();
        for log in logs {
            files.extend(scan_files(&self.store, &log, self.of(&log).await?.files())?);
        }
        Ok(files)
    }

    /// The first and the last time of a table's rows, µs, as its files tell them; `None` where it has none.
    pub async fn ts_range(&self, table: &'static Table) -> Result<Option<(i64, i64)>> {
        let files = self.files(table, false).await?;
        let ranges = files.iter().filter_map(|file| file.file.ts_range("ts"));
        Ok(ranges.reduce(|(first, last), (start, end)| (first.min(start), last.max(end))))
    }
}

/// Whether a commit followed the snapshot.
async fn has_newer(log: &DeltaLog, snapshot: &Snapshot) -> Result<bool> {
    let next = snapshot.version().map_or(0, |version| version + 1);
    match log.objects().head(&Path::parse(format!("_delta_log/{next:020}.json"))?).await {
        Ok(_) => Ok(true),
        Err(object_store::Error::NotFound { .. }) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// A table of the store as SQL sees it.
#[derive(Debug)]
pub struct StoreTable {
    table: &'static Table,
    schema: SchemaRef,
    snapshots: Arc<Snapshots>,
}

impl StoreTable {
    /// The table over the snapshots of a session.
    pub fn new(table: &'static Table, snapshots: Arc<Snapshots>) -> Self {
        Self { table, schema: table.arrow_schema(), snapshots }
    }

    /// The files that a query with the filters has to read.
    pub async fn pruned_files(&self, session: &dyn Session, filters: &[Expr]) -> Result<Vec<ScanFile>> {
        let with_superseded = as_of(session.config_options())?.is_some();
        let files = self.snapshots.files(self.table, with_superseded).await?;
        let Some(predicate) = self.predicate(session, filters)? else { return Ok(files) };
        let predicate =
            PruningPredicateBuilder::new().with_file_schema(Arc::clone(&self.schema)).try_build(predicate)?;
        let statistics = files.iter().map(|file| Arc::new(self.statistics_of(file))).collect();
        let keep = predicate.prune(&PrunableStatistics::new(statistics, Arc::clone(&self.schema)))?;
        Ok(files.into_iter().zip(keep).filter_map(|(file, keep)| keep.then_some(file)).collect())
    }

    /// Sorted plans over files, one a month, cut at the split points; each key once.
    pub fn sorted_plans(
        &self,
        session: &dyn Session,
        files: Vec<ScanFile>,
        projection: &[usize],
        split_points: &[String],
        key_filters: &[Expr],
    ) -> Result<Vec<Arc<dyn ExecutionPlan>>> {
        let request = self.request(session, projection, split_points, key_filters)?;
        let plans = by_partition(files).into_iter().map(|files| sorted_plan(&request, files));
        Ok(plans.collect::<QueryResult<_>>()?)
    }

    /// Like [`Self::sorted_plans`], of the series that a filter leaves. Months that
    /// aren't compacted are read whole.
    pub async fn series_plans(
        &self,
        session: &dyn Session,
        files: Vec<ScanFile>,
        projection: &[usize],
        split_points: &[String],
        key_filters: &[Expr],
        filter: &mut SeriesFilter,
    ) -> Result<Vec<Arc<dyn ExecutionPlan>>> {
        let request = self.request(session, projection, split_points, key_filters)?;
        let reader = self.snapshots.reader(session);
        let mut plans = Vec::new();
        for mut files in by_partition(files) {
            let indexed = match request.as_of.is_none() && follow_one_another(self.table, &mut files) {
                true => self.indexed(reader.as_ref(), &files).await?,
                false => None,
            };
            plans.push(match indexed {
                Some(files) => series_plan(&request, Arc::clone(&reader), &files, filter)?,
                None => sorted_plan(&request, files)?,
            });
        }
        Ok(plans)
    }

    /// Files with their series; `None` unless all have an index.
    async fn indexed(
        &self,
        reader: &dyn ParquetFileReaderFactory,
        files: &[ScanFile],
    ) -> Result<Option<Vec<SeriesFile>>> {
        let indexes = files.iter().map(|file| self.snapshots.series.of(reader, file));
        let indexes = try_join_all(indexes).await?;
        let indexed = files.iter().zip(indexes);
        Ok(indexed.map(|(file, index)| Some(SeriesFile { file: file.clone(), index: index? })).collect())
    }

    fn request<'a>(
        &self,
        session: &dyn Session,
        projection: &'a [usize],
        split_points: &'a [String],
        key_filters: &[Expr],
    ) -> Result<ScanRequest<'a>> {
        Ok(ScanRequest {
            table: self.table,
            store: ObjectStoreUrl::parse(STORE_URL)?,
            projection,
            split_points,
            key_filter: self.predicate(session, key_filters)?,
            as_of: as_of(session.config_options())?,
        })
    }

    /// The table's schema definition.
    pub fn table(&self) -> &'static Table {
        self.table
    }

    fn predicate(&self, session: &dyn Session, filters: &[Expr]) -> Result<Option<Arc<dyn PhysicalExpr>>> {
        let schema = DFSchema::try_from(Arc::clone(&self.schema))?;
        let filter = conjunction(filters.iter().cloned());
        Ok(filter.map(|filter| session.create_physical_expr(filter, &schema)).transpose()?)
    }

    fn statistics_of(&self, file: &ScanFile) -> Statistics {
        let column = |name: &String| match file.file.ranges.get(name) {
            Some((min, max)) => ColumnStatistics::new_unknown()
                .with_min_value(Precision::Exact(min.clone()))
                .with_max_value(Precision::Exact(max.clone())),
            None => ColumnStatistics::new_unknown(),
        };
        Statistics {
            num_rows: Precision::Exact(usize::try_from(file.file.rows).unwrap_or_default()),
            total_byte_size: Precision::Absent,
            column_statistics: self.schema.fields().iter().map(|field| column(field.name())).collect(),
        }
    }

    /// Whether a filter speaks of key columns only. Only such a filter may be
    /// asked before versions are told apart: another could hide the one in force.
    fn is_about_key(&self, filter: &Expr) -> bool {
        let columns = filter.column_refs();
        !columns.is_empty() && columns.iter().all(|column| self.table.key.contains(&column.name.as_str()))
    }
}

#[async_trait]
impl TableProvider for StoreTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> QueryResult<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        _: Option<usize>,
    ) -> QueryResult<Arc<dyn ExecutionPlan>> {
        let projection = projection.cloned().unwrap_or_else(|| (0..self.schema.fields().len()).collect());
        let key_filters: Vec<Expr> =
            filters.iter().filter(|filter| self.is_about_key(filter)).cloned().collect();
        let files = self.pruned_files(session, &key_filters).await?;
        let split_points = split_points(self.table, &files, session.config().target_partitions());
        let mut plans = self.sorted_plans(session, files, &projection, &split_points, &key_filters)?;
        match (plans.pop(), plans.is_empty()) {
            (None, _) => Ok(Arc::new(EmptyExec::new(Arc::new(self.schema.project(&projection)?)))),
            (Some(plan), true) => Ok(plan),
            (Some(last), false) => {
                plans.push(last);
                UnionExec::try_new(plans)
            }
        }
    }
}
