//! The version in force.
//!
//! Rows with one key are versions. The greatest `received_at` wins; ties by
//! greater `source`, then by greater values column by column. Rows that agree in
//! key, values and `received_at` are one row. So sorted by (key, received_at,
//! source, values), the last row of a key is in force:
//!
//! | mn | ts | value | received_at | source | |
//! |---|---|---|---|---|---|
//! | A | 08:00 | 1.0 | 09:00 | a.csv | superseded |
//! | A | 08:00 | 1.2 | 11:00 | a.csv | superseded by source |
//! | A | 08:00 | 1.1 | 11:00 | b.csv | in force |
//!
//! [`VersionMerge`] merges sorted streams and tells the rows apart. It goes by
//! runs: as long as one stream is behind all others its rows are taken by the
//! slice, and single rows are compared only where streams interleave.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use arrow::array::{AsArray, BooleanArray, DynComparator, RecordBatch, make_comparator};
use arrow::compute::{
    SortColumn, SortOptions, concat_batches, filter_record_batch, lexsort_to_indices, take_record_batch,
};
use arrow::datatypes::{SchemaRef, TimestampMicrosecondType};
use arrow::row::{RowConverter, Rows, SortField};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, Result, Statistics, internal_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext, TryEmitter, async_try_stream};
use datafusion::physical_expr::{EquivalenceProperties, LexOrdering, Partitioning};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    ChildStats, DisplayAs, DisplayFormatType, ExecutionPlan, PhysicalExpr, PlanProperties, StatisticsArgs,
};
use futures::StreamExt;
use plume_datasets::schema::Table;

/// Rows of output after which a batch is passed on.
const BATCH_ROWS: usize = 8192;
/// How NULL keys sort: before all others, as in the files.
const ASCENDING: SortOptions = SortOptions { descending: false, nulls_first: true };

/// The columns by which rows are ordered: key, `received_at`, `source`, values.
fn order(table: &Table) -> Vec<&'static str> {
    let mut names: Vec<&'static str> = table.sort_columns().collect();
    if !names.contains(&"source") {
        names.push("source");
    }
    let rest: Vec<&'static str> =
        table.all_columns().map(|c| c.name).filter(|name| !names.contains(name)).collect();
    names.extend(rest);
    names
}

/// Columns that are no values: they tell when and whence a row came.
fn is_provenance(name: &str) -> bool {
    matches!(name, "received_at" | "source")
}

/// Sorts rows into the order of versions.
pub fn sort_rows(table: &Table, rows: &RecordBatch) -> Result<RecordBatch> {
    if is_sorted(table, rows)? {
        return Ok(rows.clone());
    }
    let columns: Vec<SortColumn> = order(table)
        .iter()
        .filter_map(|name| rows.column_by_name(name))
        .map(|values| SortColumn { values: Arc::clone(values), options: Some(ASCENDING) })
        .collect();
    let indices = lexsort_to_indices(&columns, None)?;
    Ok(take_record_batch(rows, &indices)?)
}

/// Whether rows are in the order of versions already.
fn is_sorted(table: &Table, rows: &RecordBatch) -> Result<bool> {
    let comparators = comparators(rows, rows, &order(table))?;
    let in_order = |row: usize| compare(&comparators, row - 1, row) != Ordering::Greater;
    Ok((1..rows.num_rows()).all(in_order))
}

fn comparators(left: &RecordBatch, right: &RecordBatch, names: &[&str]) -> Result<Vec<DynComparator>> {
    let pairs =
        names.iter().filter_map(|name| Some((left.column_by_name(name)?, right.column_by_name(name)?)));
    Ok(pairs.map(|(left, right)| make_comparator(left, right, ASCENDING)).collect::<Result<_, _>>()?)
}

fn compare(comparators: &[DynComparator], left: usize, right: usize) -> Ordering {
    comparators.iter().map(|compare| compare(left, right)).find(|o| o.is_ne()).unwrap_or(Ordering::Equal)
}

/// What a row is, by its successor in the order of versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The version in force.
    InForce,
    /// Another version of the same key is in force.
    Superseded,
    /// The next row says the same: key, values and `received_at`.
    Duplicate,
}

/// Compares rows of two batches of one table.
pub struct RowComparison {
    key: Vec<DynComparator>,
    received_at: Vec<DynComparator>,
    values: Vec<DynComparator>,
}

impl fmt::Debug for RowComparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RowComparison").finish_non_exhaustive()
    }
}

impl RowComparison {
    /// Compares rows of `left` with rows of `right`.
    pub fn new(table: &Table, left: &RecordBatch, right: &RecordBatch) -> Result<Self> {
        let values: Vec<&str> = table
            .all_columns()
            .map(|c| c.name)
            .filter(|n| !table.key.contains(n) && !is_provenance(n))
            .collect();
        Ok(Self {
            key: comparators(left, right, table.key)?,
            received_at: comparators(left, right, &["received_at"])?,
            values: comparators(left, right, &values)?,
        })
    }

    /// Compares rows by the named columns only, as if these were the key.
    pub fn of_columns(names: &[&str], left: &RecordBatch, right: &RecordBatch) -> Result<Self> {
        Ok(Self { key: comparators(left, right, names)?, received_at: Vec::new(), values: Vec::new() })
    }

    /// How the keys of two rows compare.
    pub fn key(&self, left: usize, right: usize) -> Ordering {
        compare(&self.key, left, right)
    }

    /// Whether two rows have the same values.
    pub fn same_values(&self, left: usize, right: usize) -> bool {
        compare(&self.values, left, right).is_eq()
    }

    /// Whether two rows were received at the same time.
    pub fn same_received_at(&self, left: usize, right: usize) -> bool {
        compare(&self.received_at, left, right).is_eq()
    }

    /// What the left row is when the right one follows it.
    pub fn standing(&self, left: usize, right: usize) -> Standing {
        match self.key(left, right) {
            Ordering::Equal if self.same_received_at(left, right) && self.same_values(left, right) => {
                Standing::Duplicate
            }
            Ordering::Equal => Standing::Superseded,
            _ => Standing::InForce,
        }
    }
}

/// Rows told apart.
#[derive(Debug)]
pub struct Versions {
    /// The versions in force, in order of the key.
    pub in_force: RecordBatch,
    /// The others, in order; duplicates are left out.
    pub superseded: RecordBatch,
}

/// One sorted stream and where it stands.
struct Input {
    stream: SendableRecordBatchStream,
    batch: Option<(RecordBatch, Rows)>,
    row: usize,
}

/// Merges sorted streams of one table into versions in force and superseded ones.
pub struct VersionMerge {
    table: &'static Table,
    schema: SchemaRef,
    inputs: Vec<Input>,
    converter: RowConverter,
    /// Rows received later are as if unknown.
    as_of: Option<i64>,
    started: bool,
    /// The row that the next one decides about.
    pending: Option<RecordBatch>,
}

impl fmt::Debug for VersionMerge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VersionMerge").field("table", &self.table.name).finish_non_exhaustive()
    }
}

impl VersionMerge {
    /// Merges streams that hold all columns of the table, each in the order of versions.
    pub fn new(
        table: &'static Table,
        streams: Vec<SendableRecordBatchStream>,
        as_of: Option<i64>,
    ) -> Result<Self> {
        let schema = table.arrow_schema();
        let fields = order(table)
            .iter()
            .map(|name| {
                Ok(SortField::new_with_options(schema.field_with_name(name)?.data_type().clone(), ASCENDING))
            })
            .collect::<Result<Vec<_>>>()?;
        let inputs = streams.into_iter().map(|stream| Input { stream, batch: None, row: 0 }).collect();
        Ok(Self {
            table,
            schema,
            inputs,
            converter: RowConverter::new(fields)?,
            as_of,
            started: false,
            pending: None,
        })
    }

    /// The next rows, or `None` at the end.
    pub async fn next(&mut self) -> Result<Option<Versions>> {
        if !self.started {
            self.started = true;
            for input in 0..self.inputs.len() {
                self.fill(input).await?;
            }
        }
        let mut slices: Vec<RecordBatch> = self.pending.take().into_iter().collect();
        let mut rows: usize = slices.len();
        while rows < BATCH_ROWS {
            let Some(slice) = self.next_run().await? else { break };
            rows += slice.num_rows();
            slices.push(slice);
        }
        if rows == 0 {
            return Ok(None);
        }
        let merged = concat_batches(&self.schema, &slices)?;
        let at_end = self.inputs.iter().all(|input| input.batch.is_none());
        let decided = if at_end { merged.num_rows() } else { merged.num_rows() - 1 };
        if !at_end {
            self.pending = Some(merged.slice(decided, 1));
        }
        self.tell_apart(&merged, decided).map(Some)
    }

    /// Tells the first `decided` of merged rows apart; each row's successor decides.
    fn tell_apart(&self, merged: &RecordBatch, decided: usize) -> Result<Versions> {
        let comparison = RowComparison::new(self.table, merged, merged)?;
        let standing = |row: usize| match row + 1 < merged.num_rows() {
            true => comparison.standing(row, row + 1),
            false => Standing::InForce,
        };
        let standings: Vec<Standing> = (0..decided).map(standing).collect();
        let part = |wanted: Standing| {
            let mask: BooleanArray = standings.iter().map(|standing| Some(*standing == wanted)).collect();
            filter_record_batch(&merged.slice(0, decided), &mask)
        };
        Ok(Versions { in_force: part(Standing::InForce)?, superseded: part(Standing::Superseded)? })
    }

    /// The longest run of rows of the stream that is behind all others.
    async fn next_run(&mut self) -> Result<Option<RecordBatch>> {
        let head = |input: &Input| input.batch.as_ref().map(|(_, rows)| rows.row(input.row).owned());
        let mut heads: Vec<_> =
            self.inputs.iter().enumerate().filter_map(|(i, input)| Some((head(input)?, i))).collect();
        heads.sort();
        let Some((_, behind)) = heads.first() else { return Ok(None) };
        let (behind, limit) = (*behind, heads.get(1).map(|(row, _)| row));
        let input = &mut self.inputs[behind];
        let Some((batch, rows)) = &input.batch else { return Ok(None) };
        let start = input.row;
        let end = match limit {
            None => batch.num_rows(),
            Some(limit) => start + first_not_below(rows, start, limit.row()).max(1),
        };
        let run = batch.slice(start, end - start);
        input.row = end;
        self.fill(behind).await?;
        Ok(Some(run))
    }

    /// Makes a stream stand at a row, if any is left.
    async fn fill(&mut self, input: usize) -> Result<()> {
        let Self { inputs, converter, table, as_of, .. } = self;
        let input = &mut inputs[input];
        while input.batch.as_ref().is_none_or(|(batch, _)| input.row >= batch.num_rows()) {
            input.row = 0;
            let Some(batch) = input.stream.next().await.transpose()? else {
                input.batch = None;
                return Ok(());
            };
            let batch = match as_of {
                Some(as_of) => received_by(&batch, *as_of)?,
                None => batch,
            };
            let columns = order(table)
                .iter()
                .filter_map(|name| batch.column_by_name(name).cloned())
                .collect::<Vec<_>>();
            let rows = converter.convert_columns(&columns)?;
            input.batch = Some((batch, rows));
        }
        Ok(())
    }
}

/// How many rows from `start` on are below `limit`: doubling steps, then bisection.
fn first_not_below(rows: &Rows, start: usize, limit: arrow::row::Row<'_>) -> usize {
    let len = rows.num_rows() - start;
    let below = |offset: usize| rows.row(start + offset) < limit;
    let mut step = 1;
    while step < len && below(step) {
        step *= 2;
    }
    let (mut low, mut high) = (step / 2, step.min(len));
    while low < high {
        let middle = low + (high - low) / 2;
        if below(middle) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}

/// The rows received up to a time.
fn received_by(batch: &RecordBatch, as_of: i64) -> Result<RecordBatch> {
    let Some(column) = batch.column_by_name("received_at") else {
        return internal_err!("rows without received_at have no versions");
    };
    let received = column.as_primitive::<TimestampMicrosecondType>();
    let mask: BooleanArray = received.iter().map(|ts| Some(ts.is_some_and(|ts| ts <= as_of))).collect();
    Ok(filter_record_batch(batch, &mask)?)
}

/// Gives the versions in force of overlapping sorted children.
#[derive(Debug)]
pub struct VersionExec {
    table: &'static Table,
    children: Vec<Arc<dyn ExecutionPlan>>,
    projection: Vec<usize>,
    as_of: Option<i64>,
    schema: SchemaRef,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl VersionExec {
    /// An operator over children with all columns of the table and one number of partitions.
    pub fn try_new(
        table: &'static Table,
        children: Vec<Arc<dyn ExecutionPlan>>,
        projection: Vec<usize>,
        as_of: Option<i64>,
        ordering: Option<LexOrdering>,
    ) -> Result<Self> {
        let counts = children.iter().map(|child| child.properties().partitioning.partition_count());
        let partitions = counts.clone().max().unwrap_or(1);
        if counts.clone().any(|count| count != partitions) {
            return internal_err!("children of VersionExec differ in partitions");
        }
        let schema = Arc::new(table.arrow_schema().project(&projection)?);
        let equivalences = EquivalenceProperties::new_with_orderings(Arc::clone(&schema), ordering);
        let properties = Arc::new(PlanProperties::new(
            equivalences,
            Partitioning::UnknownPartitioning(partitions),
            EmissionType::Incremental,
            Boundedness::Bounded,
        ));
        let metrics = ExecutionPlanMetricsSet::new();
        Ok(Self { table, children, projection, as_of, schema, properties, metrics })
    }
}

impl DisplayAs for VersionExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VersionExec: table={}, layers={}", self.table.name, self.children.len())?;
        if self.as_of.is_some() {
            write!(f, ", as_of")?;
        }
        Ok(())
    }
}

impl ExecutionPlan for VersionExec {
    fn name(&self) -> &str {
        "VersionExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        self.children.iter().collect()
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let ordering = self.properties.equivalence_properties().oeq_class().iter().next().cloned();
        Ok(Arc::new(Self::try_new(self.table, children, self.projection.clone(), self.as_of, ordering)?))
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false; self.children.len()]
    }

    // The output has an order of its own; a sort asked of it must not go below the merge.
    fn maintains_input_order(&self) -> Vec<bool> {
        vec![false; self.children.len()]
    }

    fn execute(&self, partition: usize, task: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let streams = self
            .children
            .iter()
            .map(|c| c.execute(partition, Arc::clone(&task)))
            .collect::<Result<Vec<_>>>()?;
        let mut merge = VersionMerge::new(self.table, streams, self.as_of)?;
        let baseline = BaselineMetrics::new(&self.metrics, partition);
        let projection = self.projection.clone();
        let stream =
            async_try_stream(move |mut emitter: TryEmitter<RecordBatch, DataFusionError>| async move {
                while let Some(versions) = merge.next().await? {
                    let batch = versions.in_force.project(&projection)?;
                    if batch.num_rows() > 0 {
                        baseline.record_output(batch.num_rows());
                        emitter.emit(batch).await;
                    }
                }
                baseline.done();
                Ok(())
            });
        Ok(Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), stream)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }

    fn child_stats_requests(&self, _: Option<usize>) -> Vec<ChildStats> {
        vec![ChildStats::Skip; self.children.len()]
    }

    fn statistics_from_inputs(&self, _: &[Arc<Statistics>], _: &StatisticsArgs) -> Result<Arc<Statistics>> {
        Ok(Arc::new(Statistics::new_unknown(&self.schema)))
    }
}

/// The SQL order of the key columns, for the columns of a projected schema that
/// start the key; `None` where the first key column is projected away.
pub fn key_ordering(table: &Table, schema: &SchemaRef) -> Option<LexOrdering> {
    use datafusion::physical_expr::PhysicalSortExpr;
    use datafusion::physical_expr::expressions::Column;
    let columns = table.key.iter().map_while(|name| schema.index_of(name).ok().map(|index| (*name, index)));
    LexOrdering::new(
        columns.map(|(name, index)| PhysicalSortExpr::new(Arc::new(Column::new(name, index)), ASCENDING)),
    )
}
