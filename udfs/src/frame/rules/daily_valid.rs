//! `daily_valid`: the validity and mean of every day of every series.
//!
//! A day comes from its hours; from the reported day only where no hour came.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanBuilder, Date32Builder, Float64Builder, Int64Builder, RecordBatch, StringViewBuilder,
};
use arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::Result;
use plume_datasets::factors::Medium;
use plume_datasets::flags::NORMAL;

use super::columns::{Finish, ViewColumn, push_day, push_float, schema, text, text_builder};
use super::{FrameRule, FrameRun, Reading, RuleContext};
use crate::frame::asked::{Asked, FactorUsage};
use crate::frame::outlet::{OutletFrame, SeriesTable};
use crate::frame::settle::{Converted, Scope, SettledOutlet, SettledSeries};
use crate::time::day_of;
use crate::validity::below_detection::counted;
use crate::validity::days::{Day, DayMean, DayRule, days};

fn columns() -> [ViewColumn; 14] {
    [
        ("mn", text(), false),
        ("factor", text(), false),
        ("day", DataType::Date32, false),
        ("value", DataType::Float64, true),
        ("converted", DataType::Float64, true),
        ("partial_value", DataType::Float64, true),
        ("valid_hours", DataType::Int64, false),
        ("required_hours", DataType::Int64, false),
        ("stopped_hours", DataType::Int64, false),
        ("basis", text(), false),
        ("valid", DataType::Boolean, false),
        ("reason", text(), true),
        ("value_min", DataType::Float64, true),
        ("value_max", DataType::Float64, true),
    ]
}

/// Whether the least and greatest hour of a day are asked for.
fn with_extremes(asked: &Asked) -> bool {
    asked.column("value_min") || asked.column("value_max")
}

/// The columns that days are made of. Only days of water are weighed by `total`.
pub(super) fn day_columns(asked: &Asked) -> Vec<(SeriesTable, Vec<&'static str>)> {
    let mut hourly = vec!["value", "flag"];
    let mut daily = vec!["value", "flag"];
    if asked.medium(Medium::Water) {
        hourly.push("total");
    }
    if asked.converted() {
        hourly.push("converted");
        daily.push("converted");
    }
    if with_extremes(asked) {
        daily.extend(EXTREMES);
    }
    vec![
        (SeriesTable::Hourly, hourly),
        (SeriesTable::Minute, vec!["value", "flag"]),
        (SeriesTable::Daily, daily),
    ]
}

/// The columns of a reported day's extremes.
const EXTREMES: [&str; 2] = ["value_min", "value_max"];

/// These columns and the extremes of reported days, by which a day of pH is told.
pub(super) fn day_columns_with_extremes(asked: &Asked) -> Vec<(SeriesTable, Vec<&'static str>)> {
    let mut tables = day_columns(asked);
    if !with_extremes(asked) {
        let daily = tables.iter_mut().filter(|(table, _)| *table == SeriesTable::Daily);
        daily.for_each(|(_, columns)| columns.extend(EXTREMES));
    }
    tables
}

/// The days of one series after another, in reused memory.
#[derive(Debug, Default)]
pub(super) struct SeriesDays {
    with_converted: bool,
    with_extremes: bool,
    /// m³ of each hour of waste water of the outlet last seen: what weighs a day.
    volume_m3: Vec<f64>,
    /// The outlet they are of, and the hours: a rule may come back to an outlet for more of them.
    volumes_of: (String, Range<i64>),
    hourly_converted: Converted,
    converted_days: Vec<Day>,
    /// The days of the series last summed.
    pub(super) days: Vec<Day>,
    /// Their converted means; empty unless asked for.
    pub(super) converted: Vec<f64>,
    /// Whether each day is as reported, no hour having come.
    pub(super) reported: Vec<bool>,
}

impl SeriesDays {
    pub(super) fn new(with_converted: bool, with_extremes: bool) -> Self {
        Self { with_converted, with_extremes, ..Self::default() }
    }

    /// Sums the days of a series.
    pub(super) fn sum(
        &mut self,
        frame: &OutletFrame,
        settled: &SettledOutlet,
        series: &SettledSeries,
        context: &RuleContext,
    ) {
        let RuleContext { registry, rulebook, .. } = context;
        let SettledSeries { factor, medium, hours, .. } = series;
        if self.volumes_of.0 != frame.mn || self.volumes_of.1 != settled.grid() {
            self.volumes_of.0.clone_from(&frame.mn);
            self.volumes_of.1 = settled.grid();
            settled.volumes(frame, Medium::Water, &mut self.volume_m3);
        }
        let mean = DayMean::of(factor, *medium);
        let rule = DayRule { mean, medium: *medium, with_extremes: self.with_extremes };
        days(hours, &hours.value, &self.volume_m3, rule, rulebook, &mut self.days);
        self.converted.clear();
        if self.with_converted {
            let facts = registry.outlet(&frame.mn);
            settled.converted(frame, series, facts, rulebook, &mut self.hourly_converted);
            let rule = DayRule { with_extremes: false, ..rule };
            let converted = &self.hourly_converted.value;
            days(hours, converted, &self.volume_m3, rule, rulebook, &mut self.converted_days);
            self.converted.extend(self.converted_days.iter().map(|day| day.partial_value));
        }
        self.reported.clear();
        self.reported.resize(self.days.len(), false);
        self.take_reported(frame, factor, mean, context);
    }

    /// Takes the reported day where no hour came.
    fn take_reported(&mut self, frame: &OutletFrame, factor: &str, mean: DayMean, context: &RuleContext) {
        let facts = context.registry.outlet(&frame.mn);
        let rows = frame.table(SeriesTable::Daily);
        let Some(series) = rows.of(factor) else { return };
        for row in series.pieces.iter().flat_map(Clone::clone) {
            let reported = day_of(rows.ts[row]);
            let Ok(position) = self.days.binary_search_by_key(&reported, |day| day.day) else { continue };
            let day = &mut self.days[position];
            if day.stopped_hours > 0 || day.due_hours == 0 || day.absent_hours < day.due_hours {
                continue;
            }
            self.reported[position] = true;
            let value = rows.value[row];
            if rows.flag[row] != NORMAL || value.is_nan() {
                continue;
            }
            let value = match context.rulebook.at(reported).below_detection(factor) {
                Some(figure) => {
                    let limit = facts.and_then(|facts| facts.detection_limit(factor, rows.ts[row]));
                    counted(value, figure, limit)
                }
                None => value,
            };
            let sent = |column: &[f64]| column.get(row).copied().filter(|value| !value.is_nan());
            let (value_min, value_max) = (sent(&rows.value_min), sent(&rows.value_max));
            *day = Day {
                partial_value: if mean == DayMean::Extremes { f64::NAN } else { value },
                value_min: value_min.unwrap_or(value),
                value_max: value_max.unwrap_or(value),
                valid: true,
                ..*day
            };
            if let (Some(own), Some(sent)) = (self.converted.get_mut(position), rows.converted.get(row)) {
                *own = *sent;
            }
        }
    }
}

/// The rule behind the view `daily_valid`.
#[derive(Debug)]
pub struct DailyValid;

impl FrameRule for DailyValid {
    fn name(&self) -> &str {
        "daily_valid"
    }

    fn schema(&self) -> SchemaRef {
        schema(&columns())
    }

    fn reads(&self, asked: &Asked) -> Vec<(SeriesTable, Vec<&'static str>)> {
        day_columns(asked)
    }

    fn start(&self, context: RuleContext) -> Box<dyn FrameRun> {
        Box::new(Run {
            days: SeriesDays::new(context.asked.converted(), with_extremes(&context.asked)),
            settled: SettledOutlet::new(FactorUsage::new(Arc::clone(&context.asked))),
            context,
            out: Rows::new(),
        })
    }
}

struct Run {
    context: RuleContext,
    settled: SettledOutlet,
    days: SeriesDays,
    out: Rows,
}

impl FrameRun for Run {
    fn outlet(&mut self, frame: &OutletFrame, scope: &Scope) -> Result<Reading> {
        let RuleContext { registry, rulebook, .. } = &self.context;
        self.settled.settle(frame, registry, scope, rulebook);
        for series in self.settled.asked() {
            self.days.sum(frame, &self.settled, series, &self.context);
            let converted = self.days.converted.iter().copied().chain(std::iter::repeat(f64::NAN));
            let days = self.days.days.iter().zip(&self.days.reported).zip(converted);
            for ((day, reported), converted) in days {
                self.out.push(&frame.mn, &series.factor, day, converted, *reported);
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
    day: Date32Builder,
    value: Float64Builder,
    converted: Float64Builder,
    partial_value: Float64Builder,
    valid_hours: Int64Builder,
    required_hours: Int64Builder,
    stopped_hours: Int64Builder,
    basis: StringViewBuilder,
    valid: BooleanBuilder,
    reason: StringViewBuilder,
    value_min: Float64Builder,
    value_max: Float64Builder,
}

impl Rows {
    fn new() -> Self {
        Self {
            rows: 0,
            schema: schema(&columns()),
            mn: text_builder(),
            factor: text_builder(),
            day: Date32Builder::new(),
            value: Float64Builder::new(),
            converted: Float64Builder::new(),
            partial_value: Float64Builder::new(),
            valid_hours: Int64Builder::new(),
            required_hours: Int64Builder::new(),
            stopped_hours: Int64Builder::new(),
            basis: text_builder(),
            valid: BooleanBuilder::new(),
            reason: text_builder(),
            value_min: Float64Builder::new(),
            value_max: Float64Builder::new(),
        }
    }

    fn push(&mut self, mn: &str, factor: &str, day: &Day, converted: f64, reported: bool) {
        self.rows += 1;
        self.mn.append_value(mn);
        self.factor.append_value(factor);
        push_day(&mut self.day, day.day);
        push_float(&mut self.value, day.value());
        push_float(&mut self.converted, if day.valid { converted } else { f64::NAN });
        push_float(&mut self.partial_value, day.partial_value);
        self.valid_hours.append_value(day.valid_hours.into());
        self.required_hours.append_value(day.required_hours.into());
        self.stopped_hours.append_value(day.stopped_hours.into());
        self.basis.append_value(if reported { "reported" } else { "hourly" });
        self.valid.append_value(day.valid);
        self.reason.append_option(day.reason());
        push_float(&mut self.value_min, day.value_min);
        push_float(&mut self.value_max, day.value_max);
    }

    fn take(&mut self) -> Result<RecordBatch> {
        self.rows = 0;
        let columns: Vec<ArrayRef> = vec![
            self.mn.column(),
            self.factor.column(),
            self.day.column(),
            self.value.column(),
            self.converted.column(),
            self.partial_value.column(),
            self.valid_hours.column(),
            self.required_hours.column(),
            self.stopped_hours.column(),
            self.basis.column(),
            self.valid.column(),
            self.reason.column(),
            self.value_min.column(),
            self.value_max.column(),
        ];
        Ok(RecordBatch::try_new(self.schema.clone(), columns)?)
    }
}
