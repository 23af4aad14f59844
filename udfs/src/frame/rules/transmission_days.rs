//! `transmission_days(from, to, level)`: what was due, came and counted on every day.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, Date32Builder, Int64Builder, RecordBatch, StringViewBuilder, TimestampMicrosecondBuilder,
};
use arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::Result;
use plume_datasets::factors::Medium;
use plume_datasets::flags::NORMAL;

use super::columns::{Finish, TIMESTAMP, ViewColumn, push_day, schema, text, text_builder};
use super::daily_valid::{SeriesDays, day_columns};
use super::sent::{note_came, note_excused};
use super::{FrameRule, FrameRun, Reading, RuleContext};
use crate::frame::asked::{Asked, FactorUsage};
use crate::frame::extents::{NO_HOURS, hull};
use crate::frame::outlet::{OutletFrame, SeriesTable};
use crate::frame::settle::{Scope, SettledOutlet};
use crate::time::{HOUR_US, day_of_hour, hour_of};
use crate::validity::hours::Hours;
use crate::validity::transmission::{Level, SentHours, TransmissionDay, transmission_days};

fn columns() -> [ViewColumn; 12] {
    [
        ("mn", text(), false),
        ("factor", text(), false),
        ("day", DataType::Date32, false),
        ("first_hour", TIMESTAMP, false),
        ("due_hours", DataType::Int64, false),
        ("received_hours", DataType::Int64, false),
        ("valid_hours", DataType::Int64, false),
        ("online_hours", DataType::Int64, false),
        ("stopped_hours", DataType::Int64, false),
        ("expected", DataType::Int64, false),
        ("received", DataType::Int64, false),
        ("valid", DataType::Int64, false),
    ]
}

/// The rule behind `transmission_days`.
#[derive(Debug)]
pub struct TransmissionDays {
    /// The hours asked for.
    pub hours: Range<i64>,
    /// The level at which results are counted.
    pub level: Level,
}

impl FrameRule for TransmissionDays {
    fn name(&self) -> &str {
        "transmission_days"
    }

    fn schema(&self) -> SchemaRef {
        schema(&columns())
    }

    fn reads(&self, asked: &Asked) -> Vec<(SeriesTable, Vec<&'static str>)> {
        let mut tables = day_columns(asked);
        if self.level == Level::Realtime || asked.column("online_hours") {
            tables.push((SeriesTable::Realtime, vec!["value", "flag"]));
        }
        tables
    }

    fn start(&self, context: RuleContext) -> Box<dyn FrameRun> {
        Box::new(Run {
            settled: SettledOutlet::new(FactorUsage::new(Arc::clone(&context.asked))),
            days: SeriesDays::new(false, false),
            counter: Counter {
                hours: self.hours.clone(),
                level: self.level,
                sent: SentHours::default(),
                days: Vec::new(),
            },
            context,
            out: Rows::new(),
        })
    }
}

struct Run {
    context: RuleContext,
    settled: SettledOutlet,
    days: SeriesDays,
    counter: Counter,
    out: Rows,
}

impl FrameRun for Run {
    fn outlet(&mut self, frame: &OutletFrame, scope: &Scope) -> Result<Reading> {
        let RuleContext { registry, rulebook, .. } = &self.context;
        self.settled.settle(frame, registry, scope, rulebook);
        let mut known = Vec::new();
        for series in self.settled.asked() {
            self.counter.count(frame, &series.factor, series.medium, &series.hours, &self.context);
            if self.counter.days.is_empty() {
                continue;
            }
            known.push(series.factor.as_str());
            if self.counter.level == Level::Day {
                self.days.sum(frame, &self.settled, series, &self.context);
            }
            for day in &self.counter.days {
                let results = match self.counter.level {
                    Level::Hour => Results::of_hours(day),
                    Level::Day => Results::of_day(day, &self.days),
                    Level::Minute | Level::Realtime => Results::of_rows(day),
                };
                self.out.push(&frame.mn, &series.factor, day, results);
            }
        }
        if self.counter.level == Level::Realtime {
            for (factor, medium, hours) in self.counter.alone(frame, &known) {
                self.counter.count(frame, factor, medium, &hours, &self.context);
                let days = &self.counter.days;
                days.iter().for_each(|day| self.out.push(&frame.mn, factor, day, Results::of_rows(day)));
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

/// Results due, received and valid at the level asked for.
struct Results {
    expected: u32,
    received: u32,
    valid: u32,
}

impl Results {
    fn of_hours(day: &TransmissionDay) -> Self {
        Self { expected: day.due_hours, received: day.received_hours, valid: day.valid_hours }
    }

    fn of_rows(day: &TransmissionDay) -> Self {
        Self { expected: day.expected_rows, received: day.received_rows, valid: day.valid_rows }
    }

    /// A day is due where an hour of it is, and received where one came or the day itself was reported.
    fn of_day(day: &TransmissionDay, days: &SeriesDays) -> Self {
        let position = days.days.binary_search_by_key(&day.day, |of| of.day).ok();
        let is = |told: Option<bool>| told.unwrap_or_default() && day.due_hours > 0;
        let reported = position.and_then(|position| days.reported.get(position).copied());
        Self {
            expected: u32::from(day.due_hours > 0),
            received: u32::from(day.received_hours > 0 || is(reported)),
            valid: u32::from(is(position.and_then(|position| Some(days.days.get(position)?.valid)))),
        }
    }
}

/// Counts the transmission of one series after another, in reused memory.
struct Counter {
    hours: Range<i64>,
    level: Level,
    sent: SentHours,
    /// The days of the series last counted.
    days: Vec<TransmissionDay>,
}

impl Counter {
    /// Counts the days of a series.
    fn count(
        &mut self,
        frame: &OutletFrame,
        factor: &str,
        medium: Medium,
        hours: &Hours,
        context: &RuleContext,
    ) {
        let RuleContext { registry, rulebook, .. } = context;
        let facts = registry.outlet(&frame.mn);
        self.sent.reset(hours.len());
        self.note_rows(frame, factor, hours);
        note_excused(facts, hours, &mut self.sent.excused);
        let rows_due = |hour: i64| {
            let rules = rulebook.at(day_of_hour(hour));
            let interval_s = match self.level {
                Level::Hour | Level::Day => return 0,
                Level::Realtime => rules.realtime_interval_s,
                Level::Minute => facts
                    .and_then(|facts| facts.minute_interval_s(factor, hour * HOUR_US))
                    .filter(|interval_s| *interval_s > 0.0)
                    .unwrap_or_else(|| rules.minute_s(medium)),
            };
            (3600.0 / interval_s).round() as u32
        };
        let online_intervals = |day| rulebook.at(day).online_intervals;
        let cuts = facts.map_or(&[][..], |facts| &facts.handovers);
        transmission_days(hours, &self.sent, &self.hours, cuts, online_intervals, rows_due, &mut self.days);
    }

    /// Notes the hours for which rows of any level came.
    fn note_rows(&mut self, frame: &OutletFrame, factor: &str, hours: &Hours) {
        note_came(frame, factor, hours, &mut self.sent.came);
        let counted = match self.level {
            Level::Realtime => Some(SeriesTable::Realtime),
            Level::Minute => Some(SeriesTable::Minute),
            Level::Hour | Level::Day => None,
        };
        for table in [SeriesTable::Minute, SeriesTable::Realtime] {
            let rows = frame.table(table);
            let pieces = rows.of(factor).into_iter().flat_map(|series| &series.pieces);
            for row in pieces.flat_map(Clone::clone) {
                let Ok(position) = usize::try_from(hour_of(rows.ts[row]) - hours.first) else { continue };
                if position >= hours.len() {
                    continue;
                }
                self.sent.heard[position] = true;
                if Some(table) == counted {
                    self.sent.rows[position] += 1;
                    let valid = rows.flag[row] == NORMAL && !rows.value[row].is_nan();
                    self.sent.valid_rows[position] += u32::from(valid);
                }
            }
        }
    }

    /// Series that sent nothing but real-time rows: due from the first to the last of them.
    fn alone<'a>(&self, frame: &'a OutletFrame, known: &[&str]) -> Vec<(&'a str, Medium, Hours)> {
        let rows = frame.table(SeriesTable::Realtime);
        let alone = rows.series().iter().filter(|series| !known.contains(&series.factor.as_str()));
        let due = alone.filter_map(|series| {
            let medium = Medium::of(&series.factor)?;
            let of_rows = series.pieces.iter().flat_map(Clone::clone).map(|row| hour_of(rows.ts[row]));
            let counted = of_rows.filter(|hour| self.hours.contains(hour));
            let due = counted.fold(NO_HOURS, |due, hour| hull(&due, &(hour..hour + 1)));
            let mut hours = Hours::default();
            (!due.is_empty()).then(|| hours.reset(&due, &due))?;
            Some((series.factor.as_str(), medium, hours))
        });
        due.collect()
    }
}

struct Rows {
    rows: usize,
    schema: SchemaRef,
    mn: StringViewBuilder,
    factor: StringViewBuilder,
    day: Date32Builder,
    first_hour: TimestampMicrosecondBuilder,
    /// The counts, in the order of the columns.
    counts: [Int64Builder; 8],
}

impl Rows {
    fn new() -> Self {
        Self {
            rows: 0,
            schema: schema(&columns()),
            mn: text_builder(),
            factor: text_builder(),
            day: Date32Builder::new(),
            first_hour: TimestampMicrosecondBuilder::new(),
            counts: Default::default(),
        }
    }

    fn push(&mut self, mn: &str, factor: &str, day: &TransmissionDay, results: Results) {
        self.rows += 1;
        self.mn.append_value(mn);
        self.factor.append_value(factor);
        push_day(&mut self.day, day.day);
        self.first_hour.append_value(day.first_hour * HOUR_US);
        let counts = [
            day.due_hours,
            day.received_hours,
            day.valid_hours,
            day.online_hours,
            day.stopped_hours,
            results.expected,
            results.received,
            results.valid,
        ];
        self.counts.iter_mut().zip(counts).for_each(|(column, count)| column.append_value(count.into()));
    }

    fn take(&mut self) -> Result<RecordBatch> {
        self.rows = 0;
        let keys: [ArrayRef; 4] =
            [self.mn.column(), self.factor.column(), self.day.column(), self.first_hour.column()];
        let columns = keys.into_iter().chain(self.counts.iter_mut().map(Finish::column)).collect();
        Ok(RecordBatch::try_new(Arc::clone(&self.schema), columns)?)
    }
}
