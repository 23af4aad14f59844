//! `emissions(from, to, grain)`: the mass that every outlet emitted.
//!
//! Rows stand for factors that have a mass. Hours are measured, substituted,
//! missing or stopped; at hour grain each says how it was got and from which hours.

use std::ops::Range;

use arrow::array::{
    ArrayRef, BooleanBuilder, Float64Builder, Int64Builder, RecordBatch, StringViewBuilder,
    TimestampMicrosecondBuilder,
};
use arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::Result;
use plume_datasets::factors::kg_per_unit;

use super::columns::{Finish, TIMESTAMP, ViewColumn, push_float, push_midnight, schema, text, text_builder};
use super::masses::{OutletMasses, SeriesMasses, mass_columns, whole_quarters};
use super::{FrameRule, FrameRun, Reading, RuleContext};
use crate::emission::capture::Capture;
use crate::emission::masses::{Grain, Method, PeriodSums, Sums, sum_periods};
use crate::emission::substitution::Wants;
use crate::frame::asked::Asked;
use crate::frame::outlet::{OutletFrame, SeriesTable};
use crate::frame::settle::Scope;
use crate::time::{HOUR_US, day_of_hour, first_month_of_quarter, month_of};
use crate::validity::Rulebook;
use crate::validity::hours::HourState;

/// The columns at every grain.
fn period_columns() -> Vec<ViewColumn> {
    vec![
        ("mn", text(), false),
        ("factor", text(), false),
        ("period", TIMESTAMP, false),
        ("mass_kg", DataType::Float64, true),
        ("measured_kg", DataType::Float64, false),
        ("substituted_kg", DataType::Float64, false),
        ("volume_m3", DataType::Float64, false),
        ("operating_hours", DataType::Int64, false),
        ("measured_hours", DataType::Int64, false),
        ("substituted_hours", DataType::Int64, false),
        ("missing_hours", DataType::Int64, false),
        ("stopped_hours", DataType::Int64, false),
        ("capture_rate", DataType::Float64, true),
        ("usable", DataType::Boolean, false),
    ]
}

/// The further columns of an hour.
fn hour_columns() -> Vec<ViewColumn> {
    vec![
        ("concentration", DataType::Float64, true),
        ("flow", DataType::Float64, true),
        ("method", text(), false),
        ("reason", text(), true),
        ("rule_set", text(), false),
        ("gap_start", TIMESTAMP, true),
        ("gap_hours", DataType::Int64, true),
        ("anchor", TIMESTAMP, true),
        ("pool_from", TIMESTAMP, true),
        ("pool_to", TIMESTAMP, true),
        ("pool_hours", DataType::Int64, true),
        ("source_ts", TIMESTAMP, true),
        ("rule", text(), true),
        ("clause", text(), true),
    ]
}

/// The rule behind `emissions`.
#[derive(Debug)]
pub struct Emissions {
    /// The hours asked for; the scope of a run covers their whole quarters, and before them
    /// what most pools hold.
    pub hours: Range<i64>,
    /// How long a period is.
    pub grain: Grain,
}

impl FrameRule for Emissions {
    fn name(&self) -> &str {
        "emissions"
    }

    fn schema(&self) -> SchemaRef {
        let mut columns = period_columns();
        if self.grain == Grain::Hour {
            columns.extend(hour_columns());
        }
        schema(&columns)
    }

    fn is_about(&self) -> fn(&str) -> bool {
        |factor| kg_per_unit(factor).is_some()
    }

    fn reads(&self, _: &Asked) -> Vec<(SeriesTable, Vec<&'static str>)> {
        mass_columns()
    }

    fn start(&self, context: RuleContext) -> Box<dyn FrameRun> {
        Box::new(Run {
            out: Rows::new(self.schema()),
            hours: self.hours.clone(),
            grain: self.grain,
            substitutes_gas: shows_substitutes(&context.asked),
            masses: OutletMasses::new(&context, whole_quarters(&self.hours)),
            context,
            periods: Vec::new(),
        })
    }
}

struct Run {
    context: RuleContext,
    hours: Range<i64>,
    grain: Grain,
    substitutes_gas: bool,
    masses: OutletMasses,
    periods: Vec<PeriodSums>,
    out: Rows,
}

impl FrameRun for Run {
    fn outlet(&mut self, frame: &OutletFrame, scope: &Scope) -> Result<Reading> {
        self.masses.measure(frame, scope, &self.context);
        let wants = self.masses.substitute(&frame.mn, &self.hours, self.substitutes_gas, &self.context);
        if wants != Wants::default() {
            return Ok(Reading::Needs(widened(&scope.hours, wants, &self.context.scope.hours)));
        }
        for series in self.masses.series() {
            if self.grain == Grain::Hour {
                self.out.push_hours(&frame.mn, &series, &self.hours, &self.context.rulebook);
                continue;
            }
            sum_periods(series.masses, series.volume_m3, &self.hours, self.grain, &mut self.periods);
            for period in &self.periods {
                let capture = capture_of(series.captures, period, self.grain);
                self.out.push_period(&frame.mn, series.factor, period.first_day, &period.sums, capture);
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

/// Whether a column is asked for that tells substitutes of gas. Those leave what was
/// measured as it is; on an invalid day of water they don't.
fn shows_substitutes(asked: &Asked) -> bool {
    const MEASURED: [&str; 10] = [
        "mn",
        "factor",
        "period",
        "measured_kg",
        "volume_m3",
        "operating_hours",
        "measured_hours",
        "stopped_hours",
        "capture_rate",
        "usable",
    ];
    asked.columns().any(|column| !MEASURED.contains(&column))
}

/// More hours than were read: at first so many as a rule planned to read, then all.
fn widened(read: &Range<i64>, wants: Wants, planned: &Range<i64>) -> Range<i64> {
    let more = planned.end.saturating_sub(planned.start);
    let is_first = read == planned;
    let start = match (wants.earlier, is_first) {
        (false, _) => read.start,
        (true, true) => read.start.saturating_sub(more),
        (true, false) => i64::MIN,
    };
    let end = match (wants.later, is_first) {
        (false, _) => read.end,
        (true, true) => read.end.saturating_add(more),
        (true, false) => i64::MAX,
    };
    start..end
}

/// The capture rate and usability of a period: its quarter's. A year is usable
/// if each of its quarters is, and has the least of their rates.
fn capture_of(captures: &[Capture], period: &PeriodSums, grain: Grain) -> (Option<f64>, bool) {
    let months = if grain == Grain::Year { 12 } else { 1 };
    let first = if grain == Grain::Year { month_of(period.first_day) } else { period.quarter };
    let of_period = captures.iter().filter(|c| (first..first + months).contains(&c.quarter));
    of_period.fold((None, true), |(rate, usable), capture| {
        let least = match (rate, capture.rate) {
            (Some(a), Some(b)) => Some(f64::min(a, b)),
            (a, b) => a.or(b),
        };
        (least, usable && capture.usable)
    })
}

struct Rows {
    rows: usize,
    schema: SchemaRef,
    mn: StringViewBuilder,
    factor: StringViewBuilder,
    period: TimestampMicrosecondBuilder,
    mass_kg: Float64Builder,
    measured_kg: Float64Builder,
    substituted_kg: Float64Builder,
    volume_m3: Float64Builder,
    operating_hours: Int64Builder,
    measured_hours: Int64Builder,
    substituted_hours: Int64Builder,
    missing_hours: Int64Builder,
    stopped_hours: Int64Builder,
    capture_rate: Float64Builder,
    usable: BooleanBuilder,
    hours: HourRows,
}

impl Rows {
    fn new(schema: SchemaRef) -> Self {
        Self {
            rows: 0,
            schema,
            mn: text_builder(),
            factor: text_builder(),
            period: TimestampMicrosecondBuilder::new(),
            mass_kg: Float64Builder::new(),
            measured_kg: Float64Builder::new(),
            substituted_kg: Float64Builder::new(),
            volume_m3: Float64Builder::new(),
            operating_hours: Int64Builder::new(),
            measured_hours: Int64Builder::new(),
            substituted_hours: Int64Builder::new(),
            missing_hours: Int64Builder::new(),
            stopped_hours: Int64Builder::new(),
            capture_rate: Float64Builder::new(),
            usable: BooleanBuilder::new(),
            hours: HourRows::new(),
        }
    }

    fn push_period(
        &mut self,
        mn: &str,
        factor: &str,
        first_day: i64,
        sums: &Sums,
        capture: (Option<f64>, bool),
    ) {
        push_midnight(&mut self.period, first_day);
        self.push_sums(mn, factor, sums, capture);
    }

    fn push_sums(&mut self, mn: &str, factor: &str, sums: &Sums, (rate, usable): (Option<f64>, bool)) {
        self.rows += 1;
        self.mn.append_value(mn);
        self.factor.append_value(factor);
        self.mass_kg.append_option(usable.then_some(sums.mass_kg));
        self.measured_kg.append_value(sums.measured_kg);
        self.substituted_kg.append_value(sums.substituted_kg);
        self.volume_m3.append_value(sums.volume_m3);
        self.operating_hours.append_value(sums.operating_hours().into());
        self.measured_hours.append_value(sums.measured_hours.into());
        self.substituted_hours.append_value(sums.substituted_hours.into());
        self.missing_hours.append_value(sums.missing_hours.into());
        self.stopped_hours.append_value(sums.stopped_hours.into());
        self.capture_rate.append_option(rate);
        self.usable.append_value(usable);
    }

    fn push_hours(&mut self, mn: &str, series: &SeriesMasses<'_>, hours: &Range<i64>, rulebook: &Rulebook) {
        for position in series.masses.clip(hours) {
            let method = series.masses.method[position];
            let hour = series.masses.hour(position);
            let day = day_of_hour(hour);
            let Some(name) = method.name(rulebook.emission_at(day)) else { continue };
            let quarter = first_month_of_quarter(month_of(day));
            let capture = series.captures.iter().find(|capture| capture.quarter == quarter);
            let sums = Sums::of_hour(method, series.masses.kg[position], series.volume_m3[position]);
            self.period.append_value(hour * HOUR_US);
            let capture = capture.map_or((None, true), |capture| (capture.rate, capture.usable));
            self.push_sums(mn, series.factor, &sums, capture);
            self.hours.push(series, position, method, &name, rulebook);
        }
    }

    fn take(&mut self) -> Result<RecordBatch> {
        self.rows = 0;
        let mut columns: Vec<ArrayRef> = vec![
            self.mn.column(),
            self.factor.column(),
            self.period.column(),
            self.mass_kg.column(),
            self.measured_kg.column(),
            self.substituted_kg.column(),
            self.volume_m3.column(),
            self.operating_hours.column(),
            self.measured_hours.column(),
            self.substituted_hours.column(),
            self.missing_hours.column(),
            self.stopped_hours.column(),
            self.capture_rate.column(),
            self.usable.column(),
        ];
        if self.schema.fields().len() > columns.len() {
            columns.extend(self.hours.take());
        }
        Ok(RecordBatch::try_new(self.schema.clone(), columns)?)
    }
}

/// The further columns of an hour.
struct HourRows {
    concentration: Float64Builder,
    flow: Float64Builder,
    method: StringViewBuilder,
    reason: StringViewBuilder,
    rule_set: StringViewBuilder,
    gap_start: TimestampMicrosecondBuilder,
    gap_hours: Int64Builder,
    anchor: TimestampMicrosecondBuilder,
    pool_from: TimestampMicrosecondBuilder,
    pool_to: TimestampMicrosecondBuilder,
    pool_hours: Int64Builder,
    source_ts: TimestampMicrosecondBuilder,
    rule: StringViewBuilder,
    clause: StringViewBuilder,
}

impl HourRows {
    fn new() -> Self {
        Self {
            concentration: Float64Builder::new(),
            flow: Float64Builder::new(),
            method: text_builder(),
            reason: text_builder(),
            rule_set: text_builder(),
            gap_start: TimestampMicrosecondBuilder::new(),
            gap_hours: Int64Builder::new(),
            anchor: TimestampMicrosecondBuilder::new(),
            pool_from: TimestampMicrosecondBuilder::new(),
            pool_to: TimestampMicrosecondBuilder::new(),
            pool_hours: Int64Builder::new(),
            source_ts: TimestampMicrosecondBuilder::new(),
            rule: text_builder(),
            clause: text_builder(),
        }
    }

    fn push(
        &mut self,
        series: &SeriesMasses<'_>,
        position: usize,
        method: Method,
        name: &str,
        rulebook: &Rulebook,
    ) {
        let day = day_of_hour(series.masses.hour(position));
        let (concentration, flow) = (series.concentration.state[position], series.flow_state(position));
        push_float(&mut self.concentration, series.concentration.value[position]);
        push_float(&mut self.flow, series.flow_value(position));
        self.method.append_value(name);
        self.reason.append_option(reason(concentration, flow));
        self.rule_set.append_value(&rulebook.at(day).rule_set);
        let ts = |hour: i64| hour * HOUR_US;
        let gap = series.gap_at(position).filter(|_| method.is_running() && method != Method::Measured);
        self.gap_start.append_option(gap.map(|gap| ts(series.masses.hour(gap.first))));
        self.gap_hours.append_option(gap.map(|gap| gap.hours.into()));
        let fill = series.fill_at(position);
        let pool = fill.and_then(|fill| fill.pool);
        self.anchor.append_option(fill.and_then(|fill| fill.anchor));
        self.pool_from.append_option(pool.map(|pool| ts(pool.first_hour)));
        self.pool_to.append_option(pool.map(|pool| ts(pool.last_hour)));
        self.pool_hours.append_option(pool.map(|pool| pool.hours.into()));
        let source = pool.filter(|_| method != Method::LegacyMean);
        self.source_ts.append_option(source.map(|pool| ts(pool.source_hour)));
        self.rule.append_option(method.rule());
        self.clause.append_option(method.rule().and_then(|rule| rulebook.clause_at(day, rule)));
    }

    fn take(&mut self) -> [ArrayRef; 14] {
        [
            self.concentration.column(),
            self.flow.column(),
            self.method.column(),
            self.reason.column(),
            self.rule_set.column(),
            self.gap_start.column(),
            self.gap_hours.column(),
            self.anchor.column(),
            self.pool_from.column(),
            self.pool_to.column(),
            self.pool_hours.column(),
            self.source_ts.column(),
            self.rule.column(),
            self.clause.column(),
        ]
    }
}

/// Why an hour is as it is: the concentration's reason, else the flow's.
fn reason(concentration: HourState, flow: HourState) -> Option<&'static str> {
    match (concentration.is_valid(), flow) {
        (true, flow) if !flow.is_valid() => Some("flow invalid"),
        _ => concentration.reason(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wanted_widens_first_by_as_much_as_was_read_then_to_all() {
        let earlier = Wants { earlier: true, later: false };
        let later = Wants { earlier: false, later: true };
        assert_eq!(widened(&(100..150), earlier, &(100..150)), 50..150);
        assert_eq!(widened(&(50..150), earlier, &(100..150)), i64::MIN..150);
        assert_eq!(widened(&(100..150), later, &(100..150)), 100..200);
        assert_eq!(widened(&(50..150), later, &(100..150)), 50..i64::MAX);
    }
}
