//! Scans of whole series, without their key columns.
//!
//! ```text
//! files, their series index ─▶ rows of the series asked for ─▶ DataSourceExec (ts, value, …)
//!                                                              ─▶ SeriesExec (mn, factor, ts, value, …)
//! ```

use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int32Array, RecordBatch, RunArray, StringViewArray};
use arrow::datatypes::{DataType, Field, Int32Type, Schema, SchemaRef};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, Result, Statistics, exec_err, internal_err};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::parquet::ParquetRowSelection;
use datafusion::datasource::physical_plan::{
    FileGroup, FileScanConfigBuilder, ParquetFileReaderFactory, ParquetSource,
};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::execution::{SendableRecordBatchStream, TaskContext, TryEmitter, async_try_stream};
use datafusion::physical_expr::{EquivalenceProperties, Partitioning};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    ChildStats, DisplayAs, DisplayFormatType, ExecutionPlan, PhysicalExpr, PlanProperties, StatisticsArgs,
};
use futures::StreamExt;
use parquet::arrow::arrow_reader::{RowSelection, RowSelector};
use plume_udfs::frame::asked::{FactorUsage, Usage};
use plume_udfs::frame::facts::Registry;
use plume_udfs::frame::outlet::SeriesTable;

use super::scan::{ScanFile, ScanRequest};
use super::series::{SeriesIndex, SeriesRows};

/// A file with its series.
#[derive(Debug)]
pub struct SeriesFile {
    /// The file.
    pub file: ScanFile,
    /// Its series.
    pub index: Arc<SeriesIndex>,
}

/// Which series are read. What is read is filtered again.
#[derive(Debug)]
pub struct SeriesFilter {
    /// How factors are used.
    pub usage: FactorUsage,
    /// What is known of the outlets.
    pub registry: Arc<Registry>,
}

impl SeriesFilter {
    /// Whether each series of a file is read.
    fn wanted(&mut self, request: &ScanRequest<'_>, index: &SeriesIndex) -> Result<Vec<bool>> {
        let is_condition = request.table.name == SeriesTable::Conditions.name();
        let is_used = |series: &SeriesRows| match self.usage.of(&series.factor) {
            // What is asked of factors says nothing of working conditions.
            _ if is_condition => true,
            Usage::Unused => false,
            usage => usage.is_read_of(self.registry.outlet(&series.mn)),
        };
        let mut wanted: Vec<bool> = index.series().iter().map(is_used).collect();
        let Some(filter) = &request.key_filter else { return Ok(wanted) };
        // The key comes first in a table's schema, in whose terms the filter is.
        let schema = Arc::new(request.table.arrow_schema().project(&[0, 1])?);
        let mn = StringViewArray::from_iter_values(index.series().iter().map(|series| &*series.mn));
        let factor = StringViewArray::from_iter_values(index.series().iter().map(|series| &*series.factor));
        let rows = RecordBatch::try_new(schema, vec![Arc::new(mn), Arc::new(factor)])?;
        // A filter that fails is left to fail where it stands in the query.
        let Ok(kept) = filter.evaluate(&rows).and_then(|kept| kept.into_array(rows.num_rows())) else {
            return Ok(wanted);
        };
        let Some(kept) = kept.as_boolean_opt() else { return Ok(wanted) };
        wanted.iter_mut().zip(kept).for_each(|(wanted, kept)| *wanted &= kept == Some(true));
        Ok(wanted)
    }
}

/// A plan over files that follow one another in the first key column: the rows
/// of the series that the filter leaves. Text beside the keys comes as a dictionary.
pub fn series_plan(
    request: &ScanRequest<'_>,
    reader: Arc<dyn ParquetFileReaderFactory>,
    files: &[SeriesFile],
    filter: &mut SeriesFilter,
) -> Result<Arc<dyn ExecutionPlan>> {
    let Some((keys, _)) = request.table.key.split_at_checked(2) else {
        return internal_err!("table {} has no series", request.table.name);
    };
    let wanted = files.iter().map(|file| filter.wanted(request, &file.index));
    let wanted = wanted.collect::<Result<Vec<_>>>()?;
    let schema = with_dictionaries(&request.table.arrow_schema());
    let partitions = (0..=request.split_points.len())
        .map(|partition| partition_of_series(files, &wanted, &schema, request.bounds(partition)));
    let (groups, series): (Vec<_>, Vec<_>) = partitions.unzip();
    let columns = request.projection.iter().copied();
    let columns = columns.filter(|column| !keys.contains(&schema.field(*column).name().as_str())).collect();
    let rows = read_selected(request, reader, schema, groups, columns)?;
    Ok(Arc::new(SeriesExec::new(rows, keys, series)))
}

/// The files of one partition, of whose rows those of wanted series are selected, and these series.
fn partition_of_series(
    files: &[SeriesFile],
    wanted: &[Vec<bool>],
    schema: &SchemaRef,
    (lower, upper): (Option<&str>, Option<&str>),
) -> (FileGroup, Arc<[SeriesRows]>) {
    let is_here = |series: &SeriesRows| {
        lower.is_none_or(|lower| &*series.mn >= lower) && upper.is_none_or(|upper| &*series.mn < upper)
    };
    let (mut group, mut kept) = (Vec::new(), Vec::new());
    for (SeriesFile { file, index }, wanted) in files.iter().zip(wanted) {
        let before = kept.len();
        let selection = select(index, wanted, is_here, &mut kept);
        if kept.len() > before {
            group.push(partitioned_file(file, schema, selection));
        }
    }
    (FileGroup::new(group), kept.into())
}

/// A plan that reads columns of the selected rows, a group of files a partition.
fn read_selected(
    request: &ScanRequest<'_>,
    reader: Arc<dyn ParquetFileReaderFactory>,
    schema: SchemaRef,
    groups: Vec<FileGroup>,
    columns: Vec<usize>,
) -> Result<Arc<dyn ExecutionPlan>> {
    let partitions = groups.len();
    let source =
        ParquetSource::new(TableSchema::builder(schema).build()).with_parquet_file_reader_factory(reader);
    let config = FileScanConfigBuilder::new(request.store.clone(), Arc::new(source))
        .with_file_groups(groups)
        // Files stay in their groups, whole and in order: rows are told by their number.
        .with_preserve_order(true)
        .with_output_partitioning(Some(Partitioning::UnknownPartitioning(partitions)))
        .with_projection_indices(Some(columns))?;
    Ok(DataSourceExec::from_data_source(config.build()))
}

/// The rows of the series that are wanted here, which are appended to `kept`.
fn select(
    index: &SeriesIndex,
    wanted: &[bool],
    is_here: impl Fn(&SeriesRows) -> bool,
    kept: &mut Vec<SeriesRows>,
) -> RowSelection {
    let selectors = index.series().iter().zip(wanted).map(|(series, wanted)| {
        let select = *wanted && is_here(series);
        if select {
            kept.push(series.clone());
        }
        RowSelector { row_count: series.rows, skip: !select }
    });
    // Neighbours of one kind become one.
    RowSelection::from(selectors.collect::<Vec<_>>())
}

fn partitioned_file(file: &ScanFile, schema: &SchemaRef, selection: RowSelection) -> PartitionedFile {
    let mut partitioned = PartitionedFile::new("", file.file.size);
    partitioned.object_meta.location = file.location.clone();
    partitioned = partitioned.with_arrow_schema(Arc::clone(schema));
    if selection.row_count() == usize::try_from(file.file.rows).unwrap_or_default() {
        return partitioned;
    }
    partitioned.with_extension(ParquetRowSelection::new(selection))
}

/// A schema with its text as dictionaries, which take a byte a row in place of sixteen.
fn with_dictionaries(schema: &Schema) -> SchemaRef {
    let narrow = |field: &Arc<Field>| match field.data_type() {
        DataType::Utf8View => {
            let dictionary = DataType::Dictionary(Box::new(DataType::UInt8), Box::new(DataType::Utf8));
            Arc::new(field.as_ref().clone().with_data_type(dictionary))
        }
        _ => Arc::clone(field),
    };
    Arc::new(Schema::new(schema.fields().iter().map(narrow).collect::<Vec<_>>()))
}

/// Adds the key columns, run-end encoded, to rows that come in the order of series.
#[derive(Debug)]
pub struct SeriesExec {
    input: Arc<dyn ExecutionPlan>,
    keys: &'static [&'static str],
    /// The series of each partition.
    series: Vec<Arc<[SeriesRows]>>,
    schema: SchemaRef,
    properties: Arc<PlanProperties>,
}

impl SeriesExec {
    fn new(
        input: Arc<dyn ExecutionPlan>,
        keys: &'static [&'static str],
        series: Vec<Arc<[SeriesRows]>>,
    ) -> Self {
        let run_ends = Arc::new(Field::new("run_ends", DataType::Int32, false));
        let values = Arc::new(Field::new("values", DataType::Utf8View, true));
        let key = DataType::RunEndEncoded(run_ends, values);
        let keys_first = keys.iter().map(|name| Arc::new(Field::new(*name, key.clone(), false)));
        let fields: Vec<_> = keys_first.chain(input.schema().fields().iter().cloned()).collect();
        let schema = Arc::new(Schema::new(fields));
        let properties = Arc::new(PlanProperties::new(
            EquivalenceProperties::new(Arc::clone(&schema)),
            Partitioning::UnknownPartitioning(series.len()),
            EmissionType::Incremental,
            Boundedness::Bounded,
        ));
        Self { input, keys, series, schema, properties }
    }
}

impl DisplayAs for SeriesExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let series: usize = self.series.iter().map(|series| series.len()).sum();
        write!(f, "SeriesExec: keys=[{}], series={series}", self.keys.join(", "))
    }
}

impl ExecutionPlan for SeriesExec {
    fn name(&self) -> &str {
        "SeriesExec"
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
            (Some(input), true) => Ok(Arc::new(Self::new(input, self.keys, self.series.clone()))),
            _ => internal_err!("SeriesExec has one input"),
        }
    }

    // Rows are told by their number: nothing may move or drop them before.
    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn execute(&self, partition: usize, task: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let Some(series) = self.series.get(partition) else {
            return internal_err!("SeriesExec has no partition {partition}");
        };
        let mut keys = SeriesKeys { series: Arc::clone(series), next: 0, taken: 0 };
        let schema = Arc::clone(&self.schema);
        let mut rows = self.input.execute(partition, task)?;
        let with_keys =
            async_try_stream(move |mut emitter: TryEmitter<RecordBatch, DataFusionError>| async move {
                while let Some(rows) = rows.next().await {
                    emitter.emit(keys.add_to(&rows?, &schema)?).await;
                }
                keys.finish()
            });
        Ok(Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), with_keys)))
    }

    fn child_stats_requests(&self, _: Option<usize>) -> Vec<ChildStats> {
        vec![ChildStats::Skip]
    }

    fn statistics_from_inputs(&self, _: &[Arc<Statistics>], _: &StatisticsArgs) -> Result<Arc<Statistics>> {
        Ok(Arc::new(Statistics::new_unknown(&self.schema)))
    }
}

/// Where in its series a partition stands.
struct SeriesKeys {
    series: Arc<[SeriesRows]>,
    next: usize,
    /// Rows of the next series that have come.
    taken: usize,
}

impl SeriesKeys {
    /// The key columns of rows, before them.
    fn add_to(&mut self, rows: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
        let (mut mn, mut factor) = (Runs::default(), Runs::default());
        let mut row = 0;
        while row < rows.num_rows() {
            let Some(series) = self.series.get(self.next) else {
                return exec_err!("a file has more rows than its series index tells; run `plume check`");
            };
            let len = (series.rows - self.taken).min(rows.num_rows() - row);
            row += len;
            self.taken += len;
            mn.push(&series.mn, row);
            factor.push(&series.factor, row);
            if self.taken == series.rows {
                (self.next, self.taken) = (self.next + 1, 0);
            }
        }
        let mut columns: Vec<ArrayRef> = vec![mn.finish()?, factor.finish()?];
        columns.extend(rows.columns().iter().cloned());
        Ok(RecordBatch::try_new(Arc::clone(schema), columns)?)
    }

    /// Checks that every row told has come.
    fn finish(&self) -> Result<()> {
        if self.next < self.series.len() {
            return exec_err!("a file has fewer rows than its series index tells; run `plume check`");
        }
        Ok(())
    }
}

/// A key column in the making.
#[derive(Default)]
struct Runs {
    values: Vec<Arc<str>>,
    ends: Vec<i32>,
}

impl Runs {
    /// Goes on with a value up to the row `end`.
    fn push(&mut self, value: &Arc<str>, end: usize) {
        let end = i32::try_from(end).unwrap_or(i32::MAX);
        match self.ends.last_mut() {
            Some(last) if self.values.last() == Some(value) => *last = end,
            _ => {
                self.values.push(Arc::clone(value));
                self.ends.push(end);
            }
        }
    }

    fn finish(self) -> Result<ArrayRef> {
        let values = StringViewArray::from_iter_values(self.values);
        Ok(Arc::new(RunArray::<Int32Type>::try_new(&Int32Array::from(self.ends), &values)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::Int64Array;

    fn keys(rows: [usize; 3]) -> SeriesKeys {
        let names = [("A", "a00000"), ("A", "a21026"), ("B", "a21026")];
        let series = names.iter().zip(rows);
        let series = series.map(|((mn, factor), rows)| SeriesRows {
            mn: (*mn).into(),
            factor: (*factor).into(),
            rows,
            first_hour: 0,
            last_hour: 0,
        });
        SeriesKeys { series: series.collect(), next: 0, taken: 0 }
    }

    fn schema() -> SchemaRef {
        let run_ends = Arc::new(Field::new("run_ends", DataType::Int32, false));
        let values = Arc::new(Field::new("values", DataType::Utf8View, true));
        let key = DataType::RunEndEncoded(run_ends, values);
        Arc::new(Schema::new(vec![
            Field::new("mn", key.clone(), false),
            Field::new("factor", key, false),
            Field::new("ts", DataType::Int64, false),
        ]))
    }

    fn rows(count: i64) -> RecordBatch {
        let ts: ArrayRef = Arc::new(Int64Array::from_iter_values(0..count));
        RecordBatch::try_from_iter([("ts", ts)]).unwrap()
    }

    fn texts(batch: &RecordBatch, column: usize) -> Vec<String> {
        let runs = batch.column(column).as_run::<Int32Type>();
        let values = runs.values().as_string_view();
        (0..batch.num_rows()).map(|row| values.value(runs.get_physical_index(row)).to_owned()).collect()
    }

    #[test]
    fn keys_go_on_over_batches() {
        let mut keys = keys([2, 1, 2]);
        let first = keys.add_to(&rows(4), &schema()).unwrap();
        assert_eq!(texts(&first, 0), ["A", "A", "A", "B"]);
        assert_eq!(texts(&first, 1), ["a00000", "a00000", "a21026", "a21026"]);
        let second = keys.add_to(&rows(1), &schema()).unwrap();
        assert_eq!((texts(&second, 0), texts(&second, 1)), (vec!["B".to_owned()], vec!["a21026".to_owned()]));
        keys.finish().unwrap();
    }

    #[test]
    fn rows_unlike_the_index_are_an_error_not_an_answer() {
        let mut keys = keys([1, 1, 1]);
        keys.add_to(&rows(2), &schema()).unwrap();
        assert!(keys.finish().unwrap_err().to_string().contains("fewer rows"));
        assert!(keys.add_to(&rows(2), &schema()).unwrap_err().to_string().contains("more rows"));
    }
}
