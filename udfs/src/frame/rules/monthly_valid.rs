//! `monthly_valid`: the validity and mean of every month of every series.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanBuilder, Date32Builder, Float64Builder, Int64Builder, RecordBatch, StringViewBuilder,
};
use arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::Result;

use super::columns::{Finish, ViewColumn, push_day, push_float, schema, text, text_builder};
use super::daily_valid::SeriesDays;
use super::{FrameRule, FrameRun, Reading, RuleContext};
use crate::frame::asked::{Asked, FactorUsage};
use crate::frame::outlet::{OutletFrame, SeriesTable};
use crate::frame::settle::{Scope, SettledOutlet};
use crate::time::first_day_of_month;
use crate::validity::months::{Month, months};

fn columns() -> [ViewColumn; 11] {
    [
        ("mn", text(), false),
        ("factor", text(), false),
        ("month", DataType::Date32, false),
        ("value", DataType::Float64, true),
        ("converted", DataType::Float64, true),
        ("partial_value", DataType::Float64, true),
        ("valid_days", DataType::Int64, false),
        ("required_days", DataType::Int64, false),
        ("stopped_days", DataType::Int64, false),
        ("valid", DataType::Boolean, false),
        ("reason", text(), true),
    ]
}

/// The rule behind the view `monthly_valid`.
#[derive(Debug)]
pub struct MonthlyValid;

impl FrameRule for MonthlyValid {
    fn name(&self) -> &str {
        "monthly_valid"
    }

    fn schema(&self) -> SchemaRef {
        schema(&columns())
    }

    fn reads(&self, asked: &Asked) -> Vec<(SeriesTable, Vec<&'static str>)> {
        super::daily_valid::day_columns(asked)
    }

    fn start(&self, context: RuleContext) -> Box<dyn FrameRun> {
        Box::new(Run {
            days: SeriesDays::new(context.asked.column("converted"), false),
            settled: SettledOutlet::new(FactorUsage::new(Arc::clone(&context.asked))),
            context,
            months: Vec::new(),
            out: Rows::new(),
        })
    }
}

struct Run {
    context: RuleContext,
    settled: SettledOutlet,
    days: SeriesDays,
    months: Vec<Month>,
    out: Rows,
}

impl FrameRun for Run {
    fn outlet(&mut self, frame: &OutletFrame, scope: &Scope) -> Result<Reading> {
        let RuleContext { registry, rulebook, .. } = &self.context;
        self.settled.settle(frame, registry, scope, rulebook);
        for series in self.settled.asked() {
            self.days.sum(frame, &self.settled, series, &self.context);
            months(&self.days.days, &self.days.converted, series.medium, rulebook, &mut self.months);
            for month in &self.months {
                self.out.push(&frame.mn, &series.factor, month);
            }
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
    schema: SchemaRef,
    mn: StringViewBuilder,
    factor: StringViewBuilder,
    month: Date32Builder,
    value: Float64Builder,
    converted: Float64Builder,
    partial_value: Float64Builder,
    valid_days: Int64Builder,
    required_days: Int64Builder,
    stopped_days: Int64Builder,
    valid: BooleanBuilder,
    reason: StringViewBuilder,
}

impl Rows {
    fn new() -> Self {
        Self {
            rows: 0,
            schema: schema(&columns()),
            mn: text_builder(),
            factor: text_builder(),
            month: Date32Builder::new(),
            value: Float64Builder::new(),
            converted: Float64Builder::new(),
            partial_value: Float64Builder::new(),
            valid_days: Int64Builder::new(),
            required_days: Int64Builder::new(),
            stopped_days: Int64Builder::new(),
            valid: BooleanBuilder::new(),
            reason: text_builder(),
        }
    }

    fn push(&mut self, mn: &str, factor: &str, month: &Month) {
        self.rows += 1;
        self.mn.append_value(mn);
        self.factor.append_value(factor);
        push_day(&mut self.month, first_day_of_month(month.month));
        push_float(&mut self.value, month.value());
        push_float(&mut self.converted, month.converted());
        push_float(&mut self.partial_value, month.partial_value);
        self.valid_days.append_value(month.valid_days.into());
        self.required_days.append_value(month.required_days.into());
        self.stopped_days.append_value(month.stopped_days.into());
        self.valid.append_value(month.valid);
        self.reason.append_option(month.reason());
    }

    fn take(&mut self) -> Result<RecordBatch> {
        self.rows = 0;
        let columns: Vec<ArrayRef> = vec![
            self.mn.column(),
            self.factor.column(),
            self.month.column(),
            self.value.column(),
            self.converted.column(),
            self.partial_value.column(),
            self.valid_days.column(),
            self.required_days.column(),
            self.stopped_days.column(),
            self.valid.column(),
            self.reason.column(),
        ];
        Ok(RecordBatch::try_new(self.schema.clone(), columns)?)
    }
}
