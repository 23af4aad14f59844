//! `emissions(from, to, grain)`: the mass that every outlet emitted.
//!
//! Rows stand for factors that have a mass. Hours are measured, stopped or
//! missing; the columns of substitution stay empty until a rule fills them.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanBuilder, Float64Builder, Int64Builder, RecordBatch, StringViewBuilder,
    TimestampMicrosecondBuilder, new_null_array,
};
use arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::Result;
use plume_datasets::factors::kg_per_unit;

use super::columns::{Finish, TIMESTAMP, ViewColumn, push_float, push_midnight, schema, text, text_builder};
use super::{FrameRule, FrameRun, RuleContext};
use crate::emission::masses::{
    Capture, Carried, Grain, Method, PeriodSums, Sums, captures, mass_kg, method, sum_months, sum_periods,
};
use crate::frame::asked::{Asked, FactorUsage};
use crate::frame::outlet::{OutletFrame, SeriesTable};
use crate::frame::settle::SettledOutlet;
use crate::time::{DAY_HOURS, HOUR_US, day_of_hour, first_day_of_month, first_month_of_quarter, month_of};
use crate::validity::hours::{HourState, Hours};

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
    /// The hours asked for; the scope of a run covers their whole quarters.
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

    fn reads(&self, _: &Asked) -> Vec<(SeriesTable, Vec<&'static str>)> {
        vec![
            (SeriesTable::Hourly, vec!["value", "flag", "total"]),
            (SeriesTable::Minute, vec!["value", "flag"]),
        ]
    }

    fn start(&self, context: RuleContext) -> Box<dyn FrameRun> {
        Box::new(Run {
            out: Rows::new(self.schema()),
            hours: self.hours.clone(),
            grain: self.grain,
            settled: SettledOutlet::new(FactorUsage::new(Arc::clone(&context.asked))),
            context,
            volume_m3: [Vec::new(), Vec::new()],
            periods: Vec::new(),
            months: Vec::new(),
            captures: Vec::new(),
        })
    }
}

struct Run {
    context: RuleContext,
    hours: Range<i64>,
    grain: Grain,
    settled: SettledOutlet,
    /// m³ of each hour of flue gas and of waste water.
    volume_m3: [Vec<f64>; 2],
    periods: Vec<PeriodSums>,
    /// The sums of every month on the grid.
    months: Vec<PeriodSums>,
    captures: Vec<Capture>,
    out: Rows,
}

impl FrameRun for Run {
    fn outlet(&mut self, frame: &OutletFrame) -> Result<()> {
        use plume_datasets::factors::Medium::{Air, Water};
        let RuleContext { registry, rulebook, scope, .. } = &self.context;
        self.settled.settle(frame, registry, scope, rulebook);
        for (medium, volume) in [Air, Water].into_iter().zip(&mut self.volume_m3) {
            self.settled.volumes(frame, medium, volume);
        }
        let mut no_flow = Hours::default();
        no_flow.reset(&self.settled.grid(), &(0..0));
        let no_volume = vec![f64::NAN; no_flow.len()];
        let (grid, whole_months) = (self.settled.grid(), cuts_no_month(&self.hours, &self.settled.grid()));
        for series in self.settled.asked() {
            let Some(kg_per_unit) = kg_per_unit(&series.factor) else { continue };
            let flow = self.settled.flow(series.medium);
            let volume = &self.volume_m3[usize::from(series.medium == Water)];
            let carried = Carried {
                concentration: &series.hours,
                flow: flow.unwrap_or(&no_flow),
                volume_m3: if flow.is_some() { volume } else { &no_volume },
                kg_per_unit,
            };
            sum_periods(&carried, &grid, Grain::Month, &mut self.months);
            captures(&self.months, rulebook, &mut self.captures);
            if self.grain == Grain::Hour {
                self.out.push_hours(
                    frame,
                    &series.factor,
                    &carried,
                    &self.hours,
                    &self.captures,
                    &self.context,
                );
                continue;
            }
            if whole_months && self.grain != Grain::Day {
                let in_range = |month: &PeriodSums| self.hours.contains(&(month.first_day * DAY_HOURS));
                self.months.retain(in_range);
                sum_months(&self.months, self.grain, &mut self.periods);
            } else {
                sum_periods(&carried, &self.hours, self.grain, &mut self.periods);
            }
            for period in &self.periods {
                let capture = capture_of(&self.captures, period, self.grain);
                self.out.push_period(&frame.mn, &series.factor, period.first_day, &period.sums, capture);
            }
        }
        Ok(())
    }

    fn len(&self) -> usize {
        self.out.rows
    }

    fn take(&mut self) -> Result<RecordBatch> {
        self.out.take()
    }
}

/// Whether a range of hours holds each month of the grid whole or not at all.
fn cuts_no_month(hours: &Range<i64>, grid: &Range<i64>) -> bool {
    let starts_month = |hour: i64| {
        let day = day_of_hour(hour);
        hour == day * DAY_HOURS && day == first_day_of_month(month_of(day))
    };
    starts_month(hours.start) && (hours.end >= grid.end || starts_month(hours.end))
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
    volume_m3: Float64Builder,
    operating_hours: Int64Builder,
    measured_hours: Int64Builder,
    missing_hours: Int64Builder,
    stopped_hours: Int64Builder,
    capture_rate: Float64Builder,
    usable: BooleanBuilder,
    concentration: Float64Builder,
    flow: Float64Builder,
    method: StringViewBuilder,
    reason: StringViewBuilder,
    rule_set: StringViewBuilder,
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
            volume_m3: Float64Builder::new(),
            operating_hours: Int64Builder::new(),
            measured_hours: Int64Builder::new(),
            missing_hours: Int64Builder::new(),
            stopped_hours: Int64Builder::new(),
            capture_rate: Float64Builder::new(),
            usable: BooleanBuilder::new(),
            concentration: Float64Builder::new(),
            flow: Float64Builder::new(),
            method: text_builder(),
            reason: text_builder(),
            rule_set: text_builder(),
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
        self.mass_kg.append_option(usable.then_some(sums.measured_kg));
        self.measured_kg.append_value(sums.measured_kg);
        self.volume_m3.append_value(sums.volume_m3);
        self.operating_hours.append_value(sums.operating_hours().into());
        self.measured_hours.append_value(sums.measured_hours.into());
        self.missing_hours.append_value(sums.missing_hours.into());
        self.stopped_hours.append_value(sums.stopped_hours.into());
        self.capture_rate.append_option(rate);
        self.usable.append_value(usable);
    }

    fn push_hours(
        &mut self,
        frame: &OutletFrame,
        factor: &str,
        series: &Carried<'_>,
        hours: &Range<i64>,
        captures: &[Capture],
        context: &RuleContext,
    ) {
        for position in series.concentration.clip(hours) {
            let concentration = series.concentration.state[position];
            let flow = series.flow.state[position];
            let Some(method) = method(concentration, flow) else { continue };
            let hour = series.concentration.first + position as i64;
            let day = day_of_hour(hour);
            let quarter = first_month_of_quarter(month_of(day));
            let capture = captures.iter().find(|c| c.quarter == quarter);
            let sums = hour_sums(series, position, method);
            self.period.append_value(hour * HOUR_US);
            self.push_sums(&frame.mn, factor, &sums, capture.map_or((None, true), |c| (c.rate, c.usable)));
            push_float(&mut self.concentration, series.concentration.value[position]);
            push_float(&mut self.flow, series.flow.value[position]);
            self.method.append_value(method.name());
            self.reason.append_option(reason(concentration, flow));
            self.rule_set.append_value(&context.rulebook.at(day).rule_set);
        }
    }

    fn take(&mut self) -> Result<RecordBatch> {
        let rows = std::mem::take(&mut self.rows);
        let mut columns: Vec<ArrayRef> = vec![
            self.mn.column(),
            self.factor.column(),
            self.period.column(),
            self.mass_kg.column(),
            self.measured_kg.column(),
            Arc::new(arrow::array::Float64Array::from(vec![0.0; rows])),
            self.volume_m3.column(),
            self.operating_hours.column(),
            self.measured_hours.column(),
            Arc::new(arrow::array::Int64Array::from(vec![0; rows])),
            self.missing_hours.column(),
            self.stopped_hours.column(),
            self.capture_rate.column(),
            self.usable.column(),
        ];
        if self.schema.fields().len() > columns.len() {
            columns.extend([
                self.concentration.column(),
                self.flow.column(),
                self.method.column(),
                self.reason.column(),
                self.rule_set.column(),
            ]);
            let substitution = &self.schema.fields()[columns.len()..];
            columns.extend(substitution.iter().map(|field| new_null_array(field.data_type(), rows)));
        }
        Ok(RecordBatch::try_new(self.schema.clone(), columns)?)
    }
}

/// The sums of a single hour.
fn hour_sums(series: &Carried<'_>, position: usize, method: Method) -> Sums {
    match method {
        Method::Measured => {
            let volume_m3 = series.volume_m3[position];
            let concentration = series.concentration.value[position];
            Sums {
                measured_kg: mass_kg(concentration, volume_m3, series.kg_per_unit),
                volume_m3,
                measured_hours: 1,
                ..Sums::default()
            }
        }
        Method::Unresolved => Sums { missing_hours: 1, ..Sums::default() },
        Method::Stopped => Sums { stopped_hours: 1, ..Sums::default() },
    }
}

/// Why an hour is as it is: the concentration's reason, else the flow's.
fn reason(concentration: HourState, flow: HourState) -> Option<&'static str> {
    match (concentration.is_valid(), flow) {
        (true, flow) if !flow.is_valid() => Some("flow invalid"),
        _ => concentration.reason(),
    }
}
