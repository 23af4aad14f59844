//! `fixed_runs(from, to, min_days)`: daily values that stayed the same, in one pass over the frames.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Builder, Float64Builder, Int64Builder, RecordBatch, StringViewBuilder};
use arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::Result;

use super::columns::{Finish, ViewColumn, push_day, schema, text, text_builder};
use super::daily_valid::{SeriesDays, day_columns_with_extremes};
use super::{FrameRule, FrameRun, Reading, RuleContext};
use crate::frame::asked::{Asked, FactorUsage};
use crate::frame::outlet::{OutletFrame, SeriesTable};
use crate::frame::settle::{Scope, SettledOutlet};
use crate::validity::days::Day;
use crate::validity::runs::{EqualDays, equal_days, rounded};

fn columns() -> [ViewColumn; 6] {
    [
        ("mn", text(), false),
        ("factor", text(), false),
        ("value", DataType::Float64, false),
        ("first_day", DataType::Date32, false),
        ("last_day", DataType::Date32, false),
        ("days", DataType::Int64, false),
    ]
}

/// The rule behind `fixed_runs`.
#[derive(Debug)]
pub struct FixedRuns {
    /// The hours asked for: whole days.
    pub hours: Range<i64>,
    /// Days that a run needs.
    pub min_days: i64,
}

impl FrameRule for FixedRuns {
    fn name(&self) -> &str {
        "fixed_runs"
    }

    fn schema(&self) -> SchemaRef {
        schema(&columns())
    }

    fn reads(&self, asked: &Asked) -> Vec<(SeriesTable, Vec<&'static str>)> {
        day_columns_with_extremes(asked)
    }

    fn start(&self, context: RuleContext) -> Box<dyn FrameRun> {
        Box::new(Run {
            min_days: self.min_days,
            sums: SeriesDays::new(false, false),
            settled: SettledOutlet::new(FactorUsage::new(Arc::clone(&context.asked))),
            context,
            days: Vec::new(),
            values: Vec::new(),
            runs: Vec::new(),
            out: Rows::new(),
        })
    }
}

struct Run {
    context: RuleContext,
    min_days: i64,
    settled: SettledOutlet,
    sums: SeriesDays,
    days: Vec<i64>,
    values: Vec<f64>,
    runs: Vec<EqualDays>,
    out: Rows,
}

impl FrameRun for Run {
    fn outlet(&mut self, frame: &OutletFrame, scope: &Scope) -> Result<Reading> {
        let RuleContext { registry, rulebook, .. } = &self.context;
        self.settled.settle(frame, registry, scope, rulebook);
        for series in self.settled.asked() {
            self.sums.sum(frame, &self.settled, series, &self.context);
            self.days.clear();
            self.days.extend(self.sums.days.iter().map(|day| day.day));
            self.values.clear();
            let compared = |day: &Day| rounded(value_of(day), rulebook.at(day.day).fixed_value_decimals);
            self.values.extend(self.sums.days.iter().map(compared));
            equal_days(&self.days, &self.values, self.min_days, &mut self.runs);
            self.runs.iter().for_each(|run| self.out.push(&frame.mn, &series.factor, run));
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

/// The value of a valid day; of pH, which has no mean, its extremes where they agree. NaN otherwise.
fn value_of(day: &Day) -> f64 {
    match day.value() {
        value if !value.is_nan() => value,
        _ if day.valid && day.value_min == day.value_max => day.value_min,
        _ => f64::NAN,
    }
}

struct Rows {
    rows: usize,
    mn: StringViewBuilder,
    factor: StringViewBuilder,
    value: Float64Builder,
    first_day: Date32Builder,
    last_day: Date32Builder,
    days: Int64Builder,
}

impl Rows {
    fn new() -> Self {
        Self {
            rows: 0,
            mn: text_builder(),
            factor: text_builder(),
            value: Float64Builder::new(),
            first_day: Date32Builder::new(),
            last_day: Date32Builder::new(),
            days: Int64Builder::new(),
        }
    }

    fn push(&mut self, mn: &str, factor: &str, run: &EqualDays) {
        self.rows += 1;
        self.mn.append_value(mn);
        self.factor.append_value(factor);
        self.value.append_value(run.value);
        push_day(&mut self.first_day, run.first_day);
        push_day(&mut self.last_day, run.last_day);
        self.days.append_value(run.len());
    }

    fn take(&mut self) -> Result<RecordBatch> {
        self.rows = 0;
        let columns: Vec<ArrayRef> = vec![
            self.mn.column(),
            self.factor.column(),
            self.value.column(),
            self.first_day.column(),
            self.last_day.column(),
            self.days.column(),
        ];
        Ok(RecordBatch::try_new(schema(&self::columns()), columns)?)
    }
}
