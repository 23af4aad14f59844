//! `quarterly_capture(from, to)`: how much of each quarter was measured.

use std::ops::Range;

use arrow::array::{
    ArrayRef, BooleanBuilder, Date32Builder, Float64Builder, Int64Builder, RecordBatch, StringViewBuilder,
};
use arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::Result;
use plume_datasets::factors::kg_per_unit;

use super::columns::{Finish, ViewColumn, push_day, schema, text, text_builder};
use super::masses::{OutletMasses, mass_columns, whole_quarters};
use super::{FrameRule, FrameRun, Reading, RuleContext};
use crate::emission::capture::Capture;
use crate::frame::asked::Asked;
use crate::frame::outlet::{OutletFrame, SeriesTable};
use crate::frame::settle::Scope;
use crate::time::first_day_of_month;

fn columns() -> [ViewColumn; 8] {
    [
        ("mn", text(), false),
        ("factor", text(), false),
        ("quarter", DataType::Date32, false),
        ("hours", DataType::Int64, false),
        ("stopped_hours", DataType::Int64, false),
        ("invalid_hours", DataType::Int64, false),
        ("capture_rate", DataType::Float64, true),
        ("passed", DataType::Boolean, false),
    ]
}

/// The rule behind `quarterly_capture`.
#[derive(Debug)]
pub struct QuarterlyCapture {
    /// The hours asked for; every quarter they lie in is told whole.
    pub hours: Range<i64>,
}

impl FrameRule for QuarterlyCapture {
    fn name(&self) -> &str {
        "quarterly_capture"
    }

    fn schema(&self) -> SchemaRef {
        schema(&columns())
    }

    fn is_about(&self) -> fn(&str) -> bool {
        |factor| kg_per_unit(factor).is_some()
    }

    fn reads(&self, _: &Asked) -> Vec<(SeriesTable, Vec<&'static str>)> {
        mass_columns()
    }

    fn start(&self, context: RuleContext) -> Box<dyn FrameRun> {
        let masses = OutletMasses::new(&context, whole_quarters(&self.hours));
        Box::new(Run { masses, context, out: Rows::new() })
    }
}

struct Run {
    context: RuleContext,
    masses: OutletMasses,
    out: Rows,
}

impl FrameRun for Run {
    fn outlet(&mut self, frame: &OutletFrame, scope: &Scope) -> Result<Reading> {
        self.masses.measure(frame, scope, &self.context);
        for series in self.masses.series() {
            series.captures.iter().for_each(|capture| self.out.push(&frame.mn, series.factor, capture));
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
    quarter: Date32Builder,
    hours: Int64Builder,
    stopped_hours: Int64Builder,
    invalid_hours: Int64Builder,
    capture_rate: Float64Builder,
    passed: BooleanBuilder,
}

impl Rows {
    fn new() -> Self {
        Self {
            rows: 0,
            mn: text_builder(),
            factor: text_builder(),
            quarter: Date32Builder::new(),
            hours: Int64Builder::new(),
            stopped_hours: Int64Builder::new(),
            invalid_hours: Int64Builder::new(),
            capture_rate: Float64Builder::new(),
            passed: BooleanBuilder::new(),
        }
    }

    fn push(&mut self, mn: &str, factor: &str, capture: &Capture) {
        self.rows += 1;
        self.mn.append_value(mn);
        self.factor.append_value(factor);
        push_day(&mut self.quarter, first_day_of_month(capture.quarter));
        self.hours.append_value(capture.hours.into());
        self.stopped_hours.append_value(capture.stopped_hours.into());
        self.invalid_hours.append_value(capture.invalid_hours.into());
        self.capture_rate.append_option(capture.rate);
        self.passed.append_value(capture.usable);
    }

    fn take(&mut self) -> Result<RecordBatch> {
        self.rows = 0;
        let columns: Vec<ArrayRef> = vec![
            self.mn.column(),
            self.factor.column(),
            self.quarter.column(),
            self.hours.column(),
            self.stopped_hours.column(),
            self.invalid_hours.column(),
            self.capture_rate.column(),
            self.passed.column(),
        ];
        Ok(RecordBatch::try_new(schema(&self::columns()), columns)?)
    }
}
