//! The physical operator: runs a rule over the outlets of each partition.
//!
//! Its children are sorted by (mn, factor, ts), one per table and month, and all
//! have the same partitions, cut at the same split points of `mn`. A child may
//! hold rows of outlets beside its partition (a file that two partitions share):
//! the cursor leaves them out.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use arrow::compute::SortOptions;
use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, Result, Statistics, internal_err};
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::execution::{SendableRecordBatchStream, TaskContext, TryEmitter, async_try_stream};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{EquivalenceProperties, LexOrdering, Partitioning, PhysicalSortExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::metrics::{
    BaselineMetrics, ExecutionPlanMetricsSet, MetricBuilder, MetricsSet,
};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    ChildStats, DisplayAs, DisplayFormatType, ExecutionPlan, PhysicalExpr, PlanProperties, StatisticsArgs,
};

use super::asked::FactorUsage;
use super::cursor::{FrameCursor, KeyBounds, append_outlet, too_large};
use super::outlet::{OutletFrame, SeriesTable};
use super::rules::{FrameRule, FrameRun, Reading, RuleContext};
use super::settle::Scope;
use super::source::OutletReader;

/// Rows of output after which a batch is passed on.
const BATCH_ROWS: usize = 8192;

/// One child of the operator: a sorted plan over a table, or a part of it.
#[derive(Debug, Clone)]
pub struct FrameInput {
    /// The table the rows belong to.
    pub table: SeriesTable,
    /// The plan; sorted by (mn, factor, ts) within each partition.
    pub plan: Arc<dyn ExecutionPlan>,
}

/// Runs a [`FrameRule`] over frames cut from sorted children.
#[derive(Debug)]
pub struct FrameExec {
    rule: Arc<dyn FrameRule>,
    context: RuleContext,
    inputs: Vec<FrameInput>,
    split_points: Vec<String>,
    /// Positions of the rule's columns that are given.
    projection: Vec<usize>,
    schema: SchemaRef,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl FrameExec {
    /// An operator over inputs that each have one partition more than there are
    /// split points.
    pub fn try_new(
        rule: Arc<dyn FrameRule>,
        context: RuleContext,
        inputs: Vec<FrameInput>,
        split_points: Vec<String>,
        projection: Vec<usize>,
    ) -> Result<Self> {
        let partitions = split_points.len() + 1;
        let strays = inputs.iter().find(|i| i.plan.properties().partitioning.partition_count() != partitions);
        if let Some(input) = strays {
            let count = input.plan.properties().partitioning.partition_count();
            return internal_err!(
                "an input of table {} has {count} partitions, not {partitions}",
                input.table.name()
            );
        }
        let schema = Arc::new(rule.schema().project(&projection)?);
        let ordering = output_ordering(rule.as_ref(), &schema);
        let equivalences = EquivalenceProperties::new_with_orderings(Arc::clone(&schema), ordering);
        let properties = Arc::new(PlanProperties::new(
            equivalences,
            Partitioning::UnknownPartitioning(partitions),
            EmissionType::Incremental,
            Boundedness::Bounded,
        ));
        let metrics = ExecutionPlanMetricsSet::new();
        Ok(Self { rule, context, inputs, split_points, projection, schema, properties, metrics })
    }

    /// The outlets of a partition.
    fn bounds(&self, partition: usize) -> KeyBounds {
        let lower = partition.checked_sub(1).and_then(|before| self.split_points.get(before));
        KeyBounds { lower: lower.cloned(), upper: self.split_points.get(partition).cloned() }
    }
}

/// Rows come by (mn, factor, time): the first three columns of every rule, as
/// far as they are given.
fn output_ordering(rule: &dyn FrameRule, schema: &SchemaRef) -> Option<LexOrdering> {
    let full = rule.schema();
    let options = SortOptions { descending: false, nulls_first: false };
    let names = full.fields().iter().take(3).map(|field| field.name().as_str());
    let columns = names.map_while(|name| Some((name, schema.index_of(name).ok()?)));
    LexOrdering::new(
        columns.map(|(name, at)| PhysicalSortExpr::new(Arc::new(Column::new(name, at)), options)),
    )
}

impl DisplayAs for FrameExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fields = self.schema.fields();
        let columns: Vec<&str> = fields.iter().map(|field| field.name().as_str()).collect();
        let partitions = self.split_points.len() + 1;
        write!(
            f,
            "FrameExec: rule={}, partitions={partitions}, columns=[{}]",
            self.rule.name(),
            columns.join(", ")
        )
    }
}

/// Reads more hours of single outlets.
struct MoreHours {
    unread: Arc<dyn OutletReader>,
    usage: FactorUsage,
    planned: Range<i64>,
    task: Arc<TaskContext>,
}

impl MoreHours {
    fn new(context: &RuleContext, task: Arc<TaskContext>) -> Self {
        let usage = FactorUsage::new(Arc::clone(&context.asked));
        Self { unread: Arc::clone(&context.unread), usage, planned: context.scope.hours.clone(), task }
    }

    /// Runs a rule over an outlet, with more of its hours until they are enough.
    async fn run_outlet(
        &mut self,
        run: &mut dyn FrameRun,
        frame: &mut OutletFrame,
        mut hours: Range<i64>,
    ) -> Result<()> {
        let mut read = self.planned.clone();
        loop {
            if hours == read {
                return internal_err!("the rule asks again for hours of outlet {} that it has", frame.mn);
            }
            for (table, rows) in self.unread.read(&frame.mn, &hours, &read, &self.task)? {
                append_outlet(frame, table, rows, &mut self.usage).await?;
            }
            match run.outlet(frame, &Scope { hours: hours.clone() })? {
                Reading::Enough => return Ok(()),
                Reading::Needs(more) => (read, hours) = (hours, more),
            }
        }
    }
}

impl ExecutionPlan for FrameExec {
    fn name(&self) -> &str {
        "FrameExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        self.inputs.iter().map(|input| &input.plan).collect()
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
        if children.len() != self.inputs.len() {
            return internal_err!("FrameExec has {} inputs, not {}", self.inputs.len(), children.len());
        }
        let tables = self.inputs.iter().map(|input| input.table);
        let inputs = tables.zip(children).map(|(table, plan)| FrameInput { table, plan }).collect();
        let (rule, context) = (Arc::clone(&self.rule), self.context.clone());
        Ok(Arc::new(Self::try_new(
            rule,
            context,
            inputs,
            self.split_points.clone(),
            self.projection.clone(),
        )?))
    }

    // The inputs come cut at the same split points and sorted: nothing may be
    // put between. `try_new` checks that it wasn't.
    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false; self.inputs.len()]
    }

    // The output has an order of its own; a sort asked of it means nothing to the inputs.
    fn maintains_input_order(&self) -> Vec<bool> {
        vec![false; self.inputs.len()]
    }

    fn execute(&self, partition: usize, task: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let streams = self
            .inputs
            .iter()
            .map(|input| Ok((input.table, input.plan.execute(partition, Arc::clone(&task))?)))
            .collect::<Result<Vec<_>>>()?;
        let baseline = BaselineMetrics::new(&self.metrics, partition);
        let outlets = MetricBuilder::new(&self.metrics).counter("outlets", partition);
        let reservation = MemoryConsumer::new(format!("FrameExec[{partition}]")).register(task.memory_pool());
        let (registry, extents) = (Arc::clone(&self.context.registry), Arc::clone(&self.context.extents));
        let usage = FactorUsage::new(Arc::clone(&self.context.asked));
        let mut cursor = FrameCursor::new(streams, registry, extents, usage, self.bounds(partition));
        let mut run = self.rule.start(self.context.clone());
        let mut more = MoreHours::new(&self.context, task);
        let (projection, planned) = (self.projection.clone(), self.context.scope.clone());
        let stream =
            async_try_stream(move |mut emitter: TryEmitter<RecordBatch, DataFusionError>| async move {
                let mut frame = OutletFrame::default();
                while cursor.next(&mut frame).await? {
                    reservation
                        .try_resize(frame.memory_size())
                        .map_err(|error| too_large(&frame.mn, &error))?;
                    let timer = baseline.elapsed_compute().timer();
                    let reading = run.outlet(&frame, &planned)?;
                    timer.done();
                    if let Reading::Needs(hours) = reading {
                        more.run_outlet(run.as_mut(), &mut frame, hours).await?;
                    }
                    outlets.add(1);
                    if run.len() >= BATCH_ROWS {
                        let batch = run.take()?.project(&projection)?;
                        baseline.record_output(batch.num_rows());
                        emitter.emit(batch).await;
                    }
                }
                if !run.is_empty() {
                    let batch = run.take()?.project(&projection)?;
                    baseline.record_output(batch.num_rows());
                    emitter.emit(batch).await;
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
        vec![ChildStats::Skip; self.inputs.len()]
    }

    fn statistics_from_inputs(&self, _: &[Arc<Statistics>], _: &StatisticsArgs) -> Result<Arc<Statistics>> {
        Ok(Arc::new(Statistics::new_unknown(&self.schema)))
    }
}
