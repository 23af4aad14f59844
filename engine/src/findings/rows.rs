//! The rows of a small result, cell by cell.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::{Float64Type, TimestampMicrosecondType};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::prelude::DataFrame;

use crate::Result;

/// The rows of a result that is small.
pub(super) struct Rows(RecordBatch);

impl Rows {
    pub(super) async fn of(frame: DataFrame) -> Result<Self> {
        let schema = frame.schema().as_arrow().clone().into();
        Ok(Self(concat_batches(&schema, &frame.collect().await?)?))
    }

    pub(super) fn len(&self) -> usize {
        self.0.num_rows()
    }

    /// A cell that isn't NULL, as text.
    pub(super) fn text(&self, column: &str, row: usize) -> Option<String> {
        let column = self.cell(column, row)?;
        let text = ArrayFormatter::try_new(column, &FormatOptions::default()).ok()?;
        Some(text.value(row).to_string())
    }

    /// A number that isn't NULL.
    pub(super) fn number(&self, column: &str, row: usize) -> Option<f64> {
        Some(self.cell(column, row)?.as_primitive_opt::<Float64Type>()?.value(row))
    }

    /// A time that isn't NULL, µs.
    pub(super) fn time(&self, column: &str, row: usize) -> Option<i64> {
        Some(self.cell(column, row)?.as_primitive_opt::<TimestampMicrosecondType>()?.value(row))
    }

    /// The column of a cell that isn't NULL.
    fn cell(&self, column: &str, row: usize) -> Option<&dyn Array> {
        let column = self.0.column_by_name(column)?;
        (row < column.len() && column.is_valid(row)).then_some(column.as_ref())
    }
}
