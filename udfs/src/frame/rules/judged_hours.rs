//! `judged_hours(from, to)`: each pollutant's hours that patterns may judge, the history before `from`
//! included, as one list a series, and those in which it sent nothing.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, Float32Builder, Int64Builder, ListBuilder, RecordBatch, StringViewBuilder,
    TimestampMicrosecondBuilder,
};
use arrow::datatypes::{DataType, Field, SchemaRef};
use datafusion::common::Result;

use super::columns::{Finish, TIMESTAMP, ViewColumn, schema, text, text_builder};
use super::pattern_findings::outlet::{OutletParts, outlet};
use super::{FrameRule, FrameRun, Reading, RuleContext};
use crate::frame::asked::Asked;
use crate::frame::outlet::{OutletFrame, SeriesTable};
use crate::frame::settle::Scope;
use crate::patterns::outlet::{FactorSeries, Outlet};
use crate::time::HOUR_US;

fn columns() -> [ViewColumn; 5] {
    let list = |of| DataType::List(Field::new_list_field(of, true).into());
    [
        ("mn", text(), false),
        ("factor", text(), false),
        ("first_hour", TIMESTAMP, false),
        ("values", list(DataType::Float32), false),
        ("silent", list(DataType::Int64), false),
    ]
}

/// The rule behind `judged_hours`.
#[derive(Debug)]
pub struct JudgedHours {
    /// The hours asked for; the scope of a run covers the history before them, too.
    pub hours: Range<i64>,
}

impl FrameRule for JudgedHours {
    fn name(&self) -> &str {
        "judged_hours"
    }

    fn schema(&self) -> SchemaRef {
        schema(&columns())
    }

    fn reads(&self, _: &Asked) -> Vec<(SeriesTable, Vec<&'static str>)> {
        vec![(SeriesTable::Hourly, vec!["value", "flag"]), (SeriesTable::Minute, vec!["value", "flag"])]
    }

    fn start(&self, context: RuleContext) -> Box<dyn FrameRun> {
        Box::new(Run { context, hours: self.hours.clone(), out: Rows::new() })
    }
}

struct Run {
    context: RuleContext,
    hours: Range<i64>,
    out: Rows,
}

impl FrameRun for Run {
    fn outlet(&mut self, frame: &OutletFrame, scope: &Scope) -> Result<Reading> {
        let parts = OutletParts::of(&self.context, &frame.mn, &self.hours);
        let Some(outlet) = outlet(frame, &scope.hours, parts) else { return Ok(Reading::Enough) };
        for series in outlet.pollutants() {
            self.out.push(&outlet, series, &scope.hours);
        }
        Ok(Reading::Enough)
    }

    fn len(&self) -> usize {
        self.out.rows
    }

    fn take(&mut self) -> Result<RecordBatch> {
        self.out.take()
    }
}

struct Rows {
    rows: usize,
    mn: StringViewBuilder,
    factor: StringViewBuilder,
    first_hour: TimestampMicrosecondBuilder,
    values: ListBuilder<Float32Builder>,
    silent: ListBuilder<Int64Builder>,
}

impl Rows {
    fn new() -> Self {
        Self {
            rows: 0,
            mn: text_builder(),
            factor: text_builder(),
            first_hour: TimestampMicrosecondBuilder::new(),
            values: ListBuilder::new(Float32Builder::new()),
            silent: ListBuilder::new(Int64Builder::new()),
        }
    }

    /// Adds a series on the hours asked for and those before them, NULL where it has none that may be
    /// judged; and the hours between the outlet's first and last row in which it sent nothing.
    fn push(&mut self, outlet: &Outlet, series: &FactorSeries, hours: &Range<i64>) {
        let first = hours.start.saturating_mul(HOUR_US);
        let before = outlet.hours.start.saturating_sub(first).div_euclid(HOUR_US);
        let points = series.hours();
        let value = |hour: i64| {
            let point = usize::try_from(hour - hours.start - before).ok()?;
            let value = points.usable_value(point);
            (!value.is_nan()).then_some(value as f32)
        };
        let is_silent = |point: &usize| points.is_gap(*point) && !outlet.is_stopped(*point);
        let silent = (0..points.len()).filter(is_silent);
        let hour_of = |point| i64::try_from(point).ok().map(|point: i64| point + before);
        self.rows += 1;
        self.mn.append_value(&outlet.mn);
        self.factor.append_value(&series.factor);
        self.first_hour.append_value(first);
        self.values.append_value(hours.clone().map(value));
        self.silent.append_value(silent.map(hour_of));
    }

    fn take(&mut self) -> Result<RecordBatch> {
        self.rows = 0;
        let columns: Vec<ArrayRef> = vec![
            self.mn.column(),
            self.factor.column(),
            self.first_hour.column(),
            Arc::new(self.values.finish()),
            Arc::new(self.silent.finish()),
        ];
        Ok(RecordBatch::try_new(schema(&self::columns()), columns)?)
    }
}
