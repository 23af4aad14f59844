//! Brings raw columns to the table's types and sorts out rows that can't be right.
//!
//! | file | does |
//! |---|---|
//! | `convert` | a raw column to the table's type |
//! | `times` | time stamps as sources write and label them |
//! | `factors` | codes, units and flags of 2005 to those of 2017 |
//! | `check` | what a row must have to land |

mod check;
mod convert;
mod factors;
mod times;

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch, StringArray};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{Schema, SchemaRef};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use plume_datasets::schema::Table;

use super::labels::LabelledByEnd;
use super::map::Map;
use super::rejects::{Reject, row_text};
use super::source::RawBatch;
use crate::{Error, Result};

pub(super) use times::read_time;

/// A table's schema of rows that may lack what is filled in later.
pub(super) fn nullable_schema(table: &Table) -> SchemaRef {
    let fields = table.arrow_schema();
    let nullable = fields.fields().iter().map(|field| field.as_ref().clone().with_nullable(true));
    Arc::new(Schema::new(nullable.collect::<Vec<_>>()))
}

/// Rows in the table's schema, and those that are not.
#[derive(Debug)]
pub(super) struct Normalised {
    /// The rows; `received_at` is NULL where the input didn't say.
    pub(super) rows: Vec<RecordBatch>,
    pub(super) rejects: Vec<Reject>,
}

impl Normalised {
    /// Rows read: those that are one, and those that couldn't be.
    pub(super) fn read_rows(&self) -> u64 {
        self.rows.iter().map(|rows| rows.num_rows() as u64).sum::<u64>() + self.rejects.len() as u64
    }
}

/// Brings raw batches to a table's types.
#[derive(Debug)]
pub(super) struct Normaliser<'a> {
    pub(super) table: &'static Table,
    pub(super) map: &'a Map,
    pub(super) source: &'a str,
    /// Now, µs of Beijing time.
    pub(super) now: i64,
    /// Outlets whose source labels an interval by its end.
    pub(super) labelled_by_end: &'a LabelledByEnd,
}

/// Why rows are rejected: the first reason of each.
type Reasons = HashMap<usize, String>;

impl Normaliser<'_> {
    /// Normalises a batch. A wide batch becomes one batch a column; a cell
    /// without a value is no row there.
    pub(super) fn normalise(&self, raw: &RawBatch) -> Result<Normalised> {
        let mut normalised = Normalised { rows: Vec::new(), rejects: raw.rejects.clone() };
        let Some(rows) = &raw.rows else { return Ok(normalised) };
        if self.map.wide.is_empty() {
            self.normalise_rows(raw, rows, None, &mut normalised)?;
            return Ok(normalised);
        }
        for name in self.map.wide.keys() {
            if rows.column_by_name(name).is_none() {
                return Err(Error::Map {
                    path: self.source.to_owned(),
                    reason: format!("[wide] names column '{name}', which the file doesn't have"),
                });
            }
            self.normalise_rows(raw, rows, Some(name), &mut normalised)?;
        }
        Ok(normalised)
    }

    /// Normalises the rows of a batch; of a wide one, those of one of its columns.
    fn normalise_rows(
        &self,
        raw: &RawBatch,
        rows: &RecordBatch,
        wide: Option<&str>,
        out: &mut Normalised,
    ) -> Result<()> {
        let mut reasons = Reasons::new();
        let batch = self.converted(rows, wide, &mut reasons)?;
        let mut rejected: Vec<usize> = reasons.keys().copied().collect();
        rejected.sort_unstable();
        for row in &rejected {
            out.rejects.push(Reject {
                position: raw.position(*row, self.source),
                raw: raw.raw.get(*row).cloned().unwrap_or_else(|| row_text(rows, *row)),
                reason: reasons.remove(row).unwrap_or_default(),
            });
        }
        // In a wide file a cell without a value is no row.
        let values = batch.column_by_name("value").filter(|_| wide.is_some());
        if rejected.is_empty() && values.is_none_or(|values| values.null_count() == 0) {
            out.rows.push(batch);
            return Ok(());
        }
        let is_row = |row: usize| values.is_none_or(|values| values.is_valid(row));
        let keep: BooleanArray =
            (0..batch.num_rows()).map(|r| Some(rejected.binary_search(&r).is_err() && is_row(r))).collect();
        out.rows.push(filter_record_batch(&batch, &keep)?);
        Ok(())
    }

    /// Rows in the table's columns; why some of them can't land is noted.
    fn converted(
        &self,
        rows: &RecordBatch,
        wide: Option<&str>,
        reasons: &mut Reasons,
    ) -> Result<RecordBatch> {
        let mut columns: Vec<ArrayRef> = Vec::new();
        for column in self.table.all_columns() {
            let input = self.input(rows, column.name, wide)?;
            columns.push(self.convert(input, column.name, column.kind, rows.num_rows(), reasons)?);
        }
        self.shift_labelled_by_end(&mut columns);
        self.translate_factors(&mut columns, reasons);
        self.check(&columns, reasons);
        Ok(RecordBatch::try_new(nullable_schema(self.table), columns)?)
    }

    /// The raw column that a column of the table comes from, or a constant.
    fn input(&self, rows: &RecordBatch, column: &str, wide: Option<&str>) -> Result<Option<ArrayRef>> {
        let constant = |text: &str| -> ArrayRef { Arc::new(StringArray::from(vec![text; rows.num_rows()])) };
        if let Some(name) = wide {
            let wide_column = &self.map.wide[name];
            if column == Map::code_column(self.table) {
                return Ok(Some(constant(&wide_column.factor)));
            }
            if column == "value" {
                return Ok(rows.column_by_name(name).cloned());
            }
        }
        if let Some(text) = self.map.constants.get(column) {
            return Ok(Some(constant(text)));
        }
        let names = self.map.sources(column);
        let Some(parts) = names.iter().map(|name| rows.column_by_name(name)).collect::<Option<Vec<_>>>()
        else {
            return Ok(None);
        };
        if let [only] = parts.as_slice() {
            return Ok(Some(Arc::clone(only)));
        }
        let options = FormatOptions::default();
        let parts = parts
            .iter()
            .map(|part| ArrayFormatter::try_new(part, &options))
            .collect::<Result<Vec<_>, _>>()?;
        let joined =
            |row: usize| parts.iter().map(|part| part.value(row).to_string()).collect::<Vec<_>>().join(" ");
        Ok(Some(Arc::new((0..rows.num_rows()).map(|row| Some(joined(row))).collect::<StringArray>())))
    }

    /// Where a column stands among those of the table.
    fn position(&self, name: &str) -> Option<usize> {
        self.table.all_columns().position(|column| column.name == name)
    }
}
