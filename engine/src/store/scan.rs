//! Plans over live files: pruned, cut at outlets, order declared.
//!
//! ```text
//! files of a month ─▶ layers (no two files of a layer overlap) ─▶ one sorted plan a layer
//!                                                                 ─▶ VersionExec, if layers overlap
//! ```
//!
//! Every plan has the same partitions, cut at the same values of the first key
//! column. A file that a cut goes through is read by both partitions, and
//! [`KeyRangeExec`] drops the rows beside each.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::SchemaRef;
use datafusion::common::stats::Precision;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{ColumnStatistics, Result, Statistics};
use datafusion::config::TableParquetOptions;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{LexOrdering, Partitioning, PhysicalSortExpr, RangePartitioning, SplitPoint};
use datafusion::physical_plan::filter_pushdown::{
    ChildPushdownResult, FilterDescription, FilterPushdownPhase, FilterPushdownPropagation,
};
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PhysicalExpr, PlanProperties};
use datafusion::scalar::ScalarValue;
use futures::StreamExt;
use object_store::path::Path;
use plume_datasets::schema::Table;

use super::Store;
use super::delta::{DeltaLog, LiveFile};
use super::version::{VersionExec, key_ordering};

/// What to read of a table.
#[derive(Debug)]
pub struct ScanRequest<'a> {
    /// The table.
    pub table: &'static Table,
    /// Where its files are: the table's folder in the session's object stores.
    pub store: ObjectStoreUrl,
    /// Columns, as positions in the table's schema.
    pub projection: &'a [usize],
    /// Least value of the first key column of each partition but the first.
    pub split_points: &'a [String],
    /// A filter on key columns, in terms of the table's schema.
    pub key_filter: Option<Arc<dyn PhysicalExpr>>,
    /// Rows received later are as if unknown.
    pub as_of: Option<i64>,
}

impl ScanRequest<'_> {
    /// The first key column's least value in a partition, and the least behind it; `None` where
    /// nothing bounds it.
    pub(super) fn bounds(&self, partition: usize) -> (Option<&str>, Option<&str>) {
        let lower = partition.checked_sub(1).and_then(|before| self.split_points.get(before));
        (lower.map(String::as_str), self.split_points.get(partition).map(String::as_str))
    }
}

/// Files with where they are read from.
#[derive(Debug, Clone)]
pub struct ScanFile {
    /// The file.
    pub file: LiveFile,
    /// Its path from the root of the session's object store.
    pub location: Path,
}

/// Files of a table with where they are read from.
pub fn scan_files(store: &Store, log: &DeltaLog, files: &[LiveFile]) -> crate::Result<Vec<ScanFile>> {
    let folder = store.folder(log)?;
    let file = |file: &LiveFile| {
        let location = Path::parse(format!("{folder}/{}", file.path))?;
        Ok(ScanFile { file: file.clone(), location })
    };
    files.iter().map(file).collect()
}

/// Split points that cut files into `partitions` parts of about equal rows, at
/// values with which files start.
pub fn split_points(table: &Table, files: &[ScanFile], partitions: usize) -> Vec<String> {
    let Some(first_key) = table.key.first() else { return Vec::new() };
    let mut starts: BTreeMap<&str, u64> = BTreeMap::new();
    for file in files {
        let Some((least, _)) = file.file.text_range(first_key) else { return Vec::new() };
        *starts.entry(least).or_default() += file.file.rows;
    }
    let total: u64 = starts.values().sum();
    let mut points = Vec::new();
    let mut before = 0;
    for (start, rows) in starts {
        let due = total * (points.len() as u64 + 1) / partitions as u64;
        if before > 0 && before >= due && points.len() + 1 < partitions {
            points.push(start.to_owned());
        }
        before += rows;
    }
    points
}

/// Files by month (or day) of the store.
pub fn by_partition(files: Vec<ScanFile>) -> Vec<Vec<ScanFile>> {
    let mut by_partition: BTreeMap<String, Vec<ScanFile>> = BTreeMap::new();
    for file in files {
        by_partition.entry(file.file.partition.clone()).or_default().push(file);
    }
    by_partition.into_values().collect()
}

/// Sorts files of one month by outlet, and tells whether they follow one another
/// and hold each key once, as compacted files do.
pub fn follow_one_another(table: &Table, files: &mut Vec<ScanFile>) -> bool {
    let mut layers = layers(table, std::mem::take(files));
    let one = layers.len() == 1;
    *files = layers.drain(..).flatten().collect();
    one && !files.iter().any(|file| file.file.has_versions())
}

/// Sorted plans over files of one month with all columns and all versions: one a layer.
pub fn layer_inputs(request: &ScanRequest<'_>, files: Vec<ScanFile>) -> Result<Vec<Arc<dyn ExecutionPlan>>> {
    layers(request.table, files).iter().map(|layer| layer_plan(request, layer, request.projection)).collect()
}

/// One sorted plan over files of one month (or day), each key once. It has one
/// partition more than there are split points.
pub fn sorted_plan(request: &ScanRequest<'_>, files: Vec<ScanFile>) -> Result<Arc<dyn ExecutionPlan>> {
    let has_versions = files.iter().any(|file| file.file.has_versions());
    let layers = layers(request.table, files);
    if layers.len() == 1 && !has_versions && request.as_of.is_none() {
        return layers
            .iter()
            .map(|layer| layer_plan(request, layer, request.projection))
            .next()
            .unwrap_or_else(|| datafusion::common::internal_err!("a scan without files"));
    }
    let all: Vec<usize> = (0..request.table.arrow_schema().fields().len()).collect();
    let children: Vec<_> =
        layers.iter().map(|layer| layer_plan(request, layer, &all)).collect::<Result<_>>()?;
    let schema: SchemaRef = Arc::new(request.table.arrow_schema().project(request.projection)?);
    let ordering = key_ordering(request.table, &schema);
    let projection = request.projection.to_vec();
    Ok(Arc::new(VersionExec::try_new(request.table, children, projection, request.as_of, ordering)?))
}

/// Deals files into layers so that, within a layer, files follow one another in
/// the first key column: only then does the order hold across files.
fn layers(table: &Table, mut files: Vec<ScanFile>) -> Vec<Vec<ScanFile>> {
    let first_key = table.key.first().copied().unwrap_or_default();
    let range = |file: &ScanFile| {
        let range = file.file.text_range(first_key);
        range.map(|(least, greatest)| (least.to_owned(), greatest.to_owned()))
    };
    files.sort_by_cached_key(|file| (range(file), file.location.to_string()));
    let mut layers: Vec<(Option<String>, Vec<ScanFile>)> = Vec::new();
    for file in files {
        let (least, greatest) = range(&file).unzip();
        let follows = |end: &Option<String>| matches!((end, &least), (Some(end), Some(least)) if end < least);
        match layers.iter_mut().find(|(end, _)| follows(end)) {
            Some((end, layer)) => {
                *end = greatest;
                layer.push(file);
            }
            None => layers.push((greatest, vec![file])),
        }
    }
    layers.into_iter().map(|(_, layer)| layer).collect()
}

/// A sorted plan over the files of one layer.
fn layer_plan(
    request: &ScanRequest<'_>,
    layer: &[ScanFile],
    projection: &[usize],
) -> Result<Arc<dyn ExecutionPlan>> {
    let schema = request.table.arrow_schema();
    let first_key = request.table.key.first().copied().unwrap_or_default();
    let (groups, shared) = groups(request, layer, &schema);
    // What cuts a shared file at the split points is its key, asked for or not.
    let key = schema.index_of(first_key)?;
    let lacks_key = shared && !projection.contains(&key);
    let read = projection.iter().copied().chain(lacks_key.then_some(key)).collect();
    let plan = read_groups(request, &schema, groups, read)?;
    if !shared {
        return Ok(plan);
    }
    let cut = Arc::new(KeyRangeExec::new(plan, first_key, request.split_points.to_vec()));
    if lacks_key { project(&schema, projection, cut) } else { Ok(cut) }
}

/// The files of a layer by partition, and whether a split point goes through one of them.
fn groups(request: &ScanRequest<'_>, layer: &[ScanFile], schema: &SchemaRef) -> (Vec<FileGroup>, bool) {
    let first_key = request.table.key.first().copied().unwrap_or_default();
    let mut shared = false;
    let groups = (0..=request.split_points.len()).map(|partition| {
        let (lower, upper) = request.bounds(partition);
        let mut group = Vec::new();
        for file in layer {
            let Some(reaches) = reaches(file.file.text_range(first_key), lower, upper) else { continue };
            shared |= reaches == Reach::Beyond;
            group.push(partitioned_file(file, schema));
        }
        FileGroup::new(group)
    });
    (groups.collect(), shared)
}

/// How far the keys of a file reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// All lie in the partition.
    Within,
    /// Some may lie beside it.
    Beyond,
}

/// How far keys of a range, known or not, reach from `lower` on, below `upper`; `None` where
/// none of them lies there.
fn reaches(range: Option<(&str, &str)>, lower: Option<&str>, upper: Option<&str>) -> Option<Reach> {
    let Some((least, greatest)) = range else {
        return Some(if lower.or(upper).is_some() { Reach::Beyond } else { Reach::Within });
    };
    if lower.is_some_and(|lower| greatest < lower) || upper.is_some_and(|upper| least >= upper) {
        return None;
    }
    let beyond = lower.is_some_and(|lower| least < lower) || upper.is_some_and(|upper| greatest >= upper);
    Some(if beyond { Reach::Beyond } else { Reach::Within })
}

/// A plan that reads columns of grouped files, with their order and partitioning.
fn read_groups(
    request: &ScanRequest<'_>,
    schema: &SchemaRef,
    groups: Vec<FileGroup>,
    columns: Vec<usize>,
) -> Result<Arc<dyn ExecutionPlan>> {
    let mut options = TableParquetOptions::default();
    options.global.pushdown_filters = true;
    let mut source = ParquetSource::new(TableSchema::builder(Arc::clone(schema)).build())
        .with_table_parquet_options(options);
    if let Some(filter) = &request.key_filter {
        source = source.with_predicate(Arc::clone(filter));
    }
    let mut config = FileScanConfigBuilder::new(request.store.clone(), Arc::new(source))
        .with_file_groups(groups)
        .with_statistics(Statistics::new_unknown(schema));
    if let Some(ordering) = key_ordering(request.table, schema) {
        config = config
            .with_output_partitioning(range_partitioning(&ordering, request.split_points)?)
            .with_output_ordering(vec![ordering]);
    }
    Ok(DataSourceExec::from_data_source(config.with_projection_indices(Some(columns))?.build()))
}

/// The columns that were asked for, which come first in a plan.
fn project(
    schema: &SchemaRef,
    projection: &[usize],
    plan: Arc<dyn ExecutionPlan>,
) -> Result<Arc<dyn ExecutionPlan>> {
    let column = |(at, index): (usize, &usize)| {
        let name = schema.field(*index).name().clone();
        (Arc::new(Column::new(&name, at)) as Arc<dyn PhysicalExpr>, name)
    };
    let asked: Vec<_> = projection.iter().enumerate().map(column).collect();
    Ok(Arc::new(ProjectionExec::try_new(asked, plan)?))
}

/// The range partitioning that split points of the first ordering column make.
fn range_partitioning(ordering: &LexOrdering, split_points: &[String]) -> Result<Option<Partitioning>> {
    let first: PhysicalSortExpr = ordering.first().clone();
    let point = |value: &String| SplitPoint::new(vec![ScalarValue::Utf8View(Some(value.clone()))]);
    let points = split_points.iter().map(point).collect();
    Ok(Some(Partitioning::Range(RangePartitioning::try_new(LexOrdering::from([first]), points)?)))
}

fn partitioned_file(file: &ScanFile, schema: &SchemaRef) -> PartitionedFile {
    let mut partitioned = PartitionedFile::new("", file.file.size);
    partitioned.object_meta.location = file.location.clone();
    let columns = schema.fields().iter().map(|field| match file.file.ranges.get(field.name()) {
        Some((min, max)) => ColumnStatistics::new_unknown()
            .with_min_value(Precision::Exact(min.clone()))
            .with_max_value(Precision::Exact(max.clone()))
            .with_null_count(if field.is_nullable() { Precision::Absent } else { Precision::Exact(0) }),
        None => ColumnStatistics::new_unknown(),
    });
    let statistics = Statistics {
        num_rows: Precision::Exact(usize::try_from(file.file.rows).unwrap_or_default()),
        total_byte_size: Precision::Absent,
        column_statistics: columns.collect(),
    };
    partitioned.with_arrow_schema(Arc::clone(schema)).with_statistics(Arc::new(statistics))
}

/// Drops the rows whose first key column lies beside the partition's range.
/// Rows are sorted by it, so a batch is sliced, not filtered.
#[derive(Debug)]
pub struct KeyRangeExec {
    input: Arc<dyn ExecutionPlan>,
    column: &'static str,
    split_points: Vec<String>,
    properties: Arc<PlanProperties>,
}

impl KeyRangeExec {
    fn new(input: Arc<dyn ExecutionPlan>, column: &'static str, split_points: Vec<String>) -> Self {
        let properties = Arc::clone(input.properties());
        Self { input, column, split_points, properties }
    }
}

impl DisplayAs for KeyRangeExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyRangeExec: {}, partitions={}", self.column, self.split_points.len() + 1)
    }
}

impl ExecutionPlan for KeyRangeExec {
    fn name(&self) -> &str {
        "KeyRangeExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        match (children.pop(), children.is_empty()) {
            (Some(input), true) => Ok(Arc::new(Self::new(input, self.column, self.split_points.clone()))),
            _ => datafusion::common::internal_err!("KeyRangeExec has one input"),
        }
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn gather_filters_for_pushdown(
        &self,
        _: FilterPushdownPhase,
        filters: Vec<Arc<dyn PhysicalExpr>>,
        _: &datafusion::config::ConfigOptions,
    ) -> Result<FilterDescription> {
        FilterDescription::from_children(filters, &self.children())
    }

    fn handle_child_pushdown_result(
        &self,
        _: FilterPushdownPhase,
        result: ChildPushdownResult,
        _: &datafusion::config::ConfigOptions,
    ) -> Result<FilterPushdownPropagation<Arc<dyn ExecutionPlan>>> {
        Ok(FilterPushdownPropagation::if_all(result))
    }

    fn execute(&self, partition: usize, task: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let lower = partition.checked_sub(1).and_then(|before| self.split_points.get(before)).cloned();
        let upper = self.split_points.get(partition).cloned();
        let column = self.column;
        let stream = self.input.execute(partition, task)?;
        let sliced = stream.map(move |batch| within(&batch?, column, lower.as_deref(), upper.as_deref()));
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), sliced)))
    }
}

/// The rows of a sorted batch from `lower` on, below `upper`.
fn within(
    batch: &RecordBatch,
    column: &str,
    lower: Option<&str>,
    upper: Option<&str>,
) -> Result<RecordBatch> {
    let Some(values) = batch.column_by_name(column) else {
        return datafusion::common::internal_err!("a key range needs column {column}");
    };
    let values = values.as_string_view();
    let first_from = |bound: &str| {
        let (mut low, mut high) = (0, batch.num_rows());
        while low < high {
            let middle = low + (high - low) / 2;
            if values.value(middle) < bound { low = middle + 1 } else { high = middle }
        }
        low
    };
    let start = lower.map_or(0, first_from);
    let end = upper.map_or(batch.num_rows(), first_from);
    Ok(batch.slice(start, end.saturating_sub(start)))
}
