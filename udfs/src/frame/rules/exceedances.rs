//! `exceedances(from, to, grain)`: valid hours or days beyond the limit in force, in one pass over the frames.
//!
//! A run that holds the first hour judged may have begun before the hours read. More of an
//! outlet's hours are asked for until something within the limit is found, or the series began.

mod judged;

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, Float64Builder, Int64Builder, RecordBatch, StringViewBuilder, TimestampMicrosecondBuilder,
};
use arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::Result;

use super::columns::{Finish, TIMESTAMP, ViewColumn, push_float, schema, text, text_builder};
use super::daily_valid::day_columns_with_extremes;
use super::hourly_valid::hour_columns;
use super::{FrameRule, FrameRun, Reading, RuleContext};
use crate::exceedance::limits::Grain;
use crate::frame::asked::{Asked, FactorUsage};
use crate::frame::outlet::{OutletFrame, SeriesTable};
use crate::frame::settle::{Scope, SettledOutlet};
use crate::time::{DAY_HOURS, HOUR_US};
use judged::{Beyond, Judged, SeriesLimits};

fn columns() -> [ViewColumn; 12] {
    [
        ("mn", text(), false),
        ("factor", text(), false),
        ("ts", TIMESTAMP, false),
        ("value", DataType::Float64, false),
        ("limit", DataType::Float64, true),
        ("limit_low", DataType::Float64, true),
        ("basis", text(), false),
        ("standard", text(), true),
        ("ratio", DataType::Float64, true),
        ("times_over", DataType::Float64, true),
        ("run_start", TIMESTAMP, false),
        ("run_length", DataType::Int64, false),
    ]
}

/// The rule behind `exceedances`.
#[derive(Debug)]
pub struct Exceedances {
    /// The hours asked for; of days whole ones.
    pub hours: Range<i64>,
    /// Whether hours or days are judged.
    pub grain: Grain,
}

impl FrameRule for Exceedances {
    fn name(&self) -> &str {
        "exceedances"
    }

    fn schema(&self) -> SchemaRef {
        schema(&columns())
    }

    fn compares_converted(&self) -> bool {
        true
    }

    fn reads(&self, asked: &Asked) -> Vec<(SeriesTable, Vec<&'static str>)> {
        match self.grain {
            Grain::Hour => hour_columns(asked),
            Grain::Day => day_columns_with_extremes(asked),
        }
    }

    fn start(&self, context: RuleContext) -> Box<dyn FrameRun> {
        Box::new(Run {
            from: self.hours.start,
            settled: SettledOutlet::new(FactorUsage::new(Arc::clone(&context.asked))),
            judged: Judged::new(self.grain),
            context,
            out: Rows::new(),
        })
    }
}

struct Run {
    context: RuleContext,
    /// The first hour asked for.
    from: i64,
    settled: SettledOutlet,
    judged: Judged,
    out: Rows,
}

impl FrameRun for Run {
    fn outlet(&mut self, frame: &OutletFrame, scope: &Scope) -> Result<Reading> {
        let RuleContext { registry, rulebook, .. } = &self.context;
        let facts = registry.outlet(&frame.mn);
        let Some(facts) = facts.filter(|facts| facts.monitors.iter().any(|of| of.limits.any())) else {
            return Ok(Reading::Enough);
        };
        self.settled.settle(frame, registry, scope, rulebook);
        let mut beyond = Vec::new();
        for series in self.settled.asked() {
            let Some(limits) = SeriesLimits::of(facts, series) else { continue };
            self.judged.judge(frame, &self.settled, series, &limits, &self.context);
            let may_hold_more = scope.hours.start > series.reach.start.max(registry.first_row);
            if may_hold_more && self.judged.begins_before(self.from * HOUR_US) {
                return Ok(Reading::Needs(with_earlier(&scope.hours)));
            }
            self.judged.beyond(&limits, self.from * HOUR_US, &mut beyond);
        }
        beyond.iter().for_each(|row| self.out.push(&frame.mn, row));
        Ok(Reading::Enough)
    }

    fn len(&self) -> usize {
        self.out.rows
    }

    fn take(&mut self) -> Result<RecordBatch> {
        self.out.take()
    }
}

/// These hours and as many before them, at least a month: files hold months.
fn with_earlier(hours: &Range<i64>) -> Range<i64> {
    let more = hours.end.saturating_sub(hours.start).max(31 * DAY_HOURS);
    hours.start.saturating_sub(more)..hours.end
}

struct Rows {
    rows: usize,
    schema: SchemaRef,
    mn: StringViewBuilder,
    factor: StringViewBuilder,
    ts: TimestampMicrosecondBuilder,
    value: Float64Builder,
    limit: Float64Builder,
    limit_low: Float64Builder,
    basis: StringViewBuilder,
    standard: StringViewBuilder,
    ratio: Float64Builder,
    times_over: Float64Builder,
    run_start: TimestampMicrosecondBuilder,
    run_length: Int64Builder,
}

impl Rows {
    fn new() -> Self {
        Self {
            rows: 0,
            schema: schema(&columns()),
            mn: text_builder(),
            factor: text_builder(),
            ts: TimestampMicrosecondBuilder::new(),
            value: Float64Builder::new(),
            limit: Float64Builder::new(),
            limit_low: Float64Builder::new(),
            basis: text_builder(),
            standard: text_builder(),
            ratio: Float64Builder::new(),
            times_over: Float64Builder::new(),
            run_start: TimestampMicrosecondBuilder::new(),
            run_length: Int64Builder::new(),
        }
    }

    fn push(&mut self, mn: &str, row: &Beyond<'_>) {
        self.rows += 1;
        self.mn.append_value(mn);
        self.factor.append_value(row.factor);
        self.ts.append_value(row.ts);
        self.value.append_value(row.excess.value);
        push_float(&mut self.limit, row.excess.limit);
        self.limit_low.append_option(row.limits.low);
        self.basis.append_value(row.excess.basis.name());
        self.standard.append_option(row.limits.standard.as_deref());
        push_float(&mut self.ratio, row.excess.ratio);
        push_float(&mut self.times_over, row.excess.ratio - 1.0);
        self.run_start.append_value(row.run_start);
        self.run_length.append_value(row.run_length);
    }

    fn take(&mut self) -> Result<RecordBatch> {
        self.rows = 0;
        let columns: Vec<ArrayRef> = vec![
            self.mn.column(),
            self.factor.column(),
            self.ts.column(),
            self.value.column(),
            self.limit.column(),
            self.limit_low.column(),
            self.basis.column(),
            self.standard.column(),
            self.ratio.column(),
            self.times_over.column(),
            self.run_start.column(),
            self.run_length.column(),
        ];
        Ok(RecordBatch::try_new(Arc::clone(&self.schema), columns)?)
    }
}
