//! From a frame to the outlet that patterns look at: rows scattered onto regular grids.

use std::ops::Range;

use plume_datasets::factors::Medium;
use plume_datasets::flags::{NORMAL, is_normal_or_none};

use crate::exceedance::limits::Basis;
use crate::frame::conditions::hourly_conditions;
use crate::frame::facts::{MonitorFacts, Registry, hours_within};
use crate::frame::outlet::{NO_TIME, OutletFrame, Series, SeriesTable, TableRows};
use crate::frame::pattern_facts::PatternFacts;
use crate::frame::rules::RuleContext;
use crate::patterns::outlet::{
    ConditionSeries, FactorSeries, Grid, MonitorFigures, Outlet, Phase, Points, RawSignal,
};
use crate::patterns::rules::PatternRules;
use crate::time::{HOUR_US, day_of, day_of_hour, hour_of};

const SECOND_US: f64 = 1e6;

/// What an outlet is made of besides its rows.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct OutletParts<'a> {
    registry: &'a Registry,
    facts: Option<&'a PatternFacts>,
    rules: &'a PatternRules,
    /// The hours asked for.
    asked: &'a Range<i64>,
}

impl<'a> OutletParts<'a> {
    /// Of an outlet, as a rule is told them, for the hours asked for.
    pub(in super::super) fn of(context: &'a RuleContext, mn: &str, asked: &'a Range<i64>) -> Self {
        let RuleContext { registry, rulebook, patterns, .. } = context;
        let rules = rulebook.patterns_at(day_of_hour(asked.start));
        Self { registry, facts: patterns.outlet(mn), rules, asked }
    }
}

/// The outlet of a frame, on the hours from its first to its last row within `scope`; `None` without rows.
pub(in super::super) fn outlet(
    frame: &OutletFrame,
    scope: &Range<i64>,
    parts: OutletParts<'_>,
) -> Option<Outlet> {
    let hours = extent(frame, scope)?;
    let grid = Grid { start: hours.start.saturating_mul(HOUR_US), step: HOUR_US };
    let len = usize::try_from(hours.end - hours.start).ok()?;
    let settled = parts.registry.outlet(&frame.mn);
    let none = PatternFacts::default();
    let facts = parts.facts.unwrap_or(&none);
    let at = parts.asked.end.saturating_mul(HOUR_US).saturating_sub(1);
    let stopped = marked_hours(
        len,
        &hours,
        settled.into_iter().flat_map(|facts| &facts.production_stops).map(hours_within),
    );
    let masks = Masks::new(&stopped, facts, &hours, parts.rules);
    let builder = Builder { frame, grid, len, masks: &masks };
    let o2_reference = settled.and_then(|facts| facts.o2_reference_at(at)).unwrap_or(f64::NAN);
    Some(Outlet {
        mn: frame.mn.clone(),
        hours: grid,
        factors: builder.factors(|factor| {
            monitor_figures(settled.and_then(|facts| facts.monitor(factor, at)), factor, o2_reference)
        }),
        conditions: builder.conditions(parts.registry),
        stopped,
        o2_reference,
        thresholds: facts.thresholds_at(at),
        records: facts.records.clone(),
    })
}

/// What is registered of the monitor of a factor, if it is.
fn monitor_figures(monitor: Option<&MonitorFacts>, factor: &str, o2_reference: f64) -> MonitorFigures {
    let Some(MonitorFacts { limits, range_high, detection_limit, .. }) = monitor else {
        return MonitorFigures::default();
    };
    let is_gas = Medium::of(factor) == Some(Medium::Air);
    let basis = limits.basis(is_gas, o2_reference.is_finite(), f64::NAN);
    MonitorFigures {
        limit_hour: limits.hour.unwrap_or(f64::NAN),
        limit_day: limits.day.unwrap_or(f64::NAN),
        limit_on_converted: basis == Basis::Converted,
        range_high: range_high.unwrap_or(f64::NAN),
        detection_limit: detection_limit.unwrap_or(f64::NAN),
    }
}

/// The hours and the minutes of a frame.
fn measured(frame: &OutletFrame) -> [&TableRows; 2] {
    [SeriesTable::Hourly, SeriesTable::Minute].map(|table| frame.table(table))
}

/// The hours from the first to the last row of measured values.
fn extent(frame: &OutletFrame, scope: &Range<i64>) -> Option<Range<i64>> {
    let tables = measured(frame);
    let extents =
        tables.iter().flat_map(|rows| rows.series().iter().filter_map(|series| rows.extent(series)));
    let (first, last) = extents.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))?;
    let hours = hour_of(first).max(scope.start)..hour_of(last).saturating_add(1).min(scope.end);
    (hours.start < hours.end).then_some(hours)
}

/// Which of the hours lie in any of the spans.
fn marked_hours(len: usize, hours: &Range<i64>, spans: impl Iterator<Item = Range<i64>>) -> Vec<bool> {
    let mut marked = vec![false; len];
    let position =
        |hour: i64| usize::try_from(hour.clamp(hours.start, hours.end) - hours.start).unwrap_or_default();
    for span in spans {
        let positions = position(span.start)..position(span.end.max(span.start));
        marked.get_mut(positions).into_iter().flatten().for_each(|hour| *hour = true);
    }
    marked
}

/// The hours that are not judged, whatever their values: stops and the hours after them, and
/// maintenance and the day after it.
struct Masks {
    /// Of every factor.
    of_outlet: Vec<bool>,
    /// Of single factors.
    of_factor: Vec<(String, Vec<bool>)>,
}

impl Masks {
    fn new(stopped: &[bool], facts: &PatternFacts, hours: &Range<i64>, rules: &PatternRules) -> Self {
        let len = stopped.len();
        let mut of_outlet = stopped.to_vec();
        let mut unsettled = 0;
        for (hour, stopped) in of_outlet.iter_mut().zip(stopped) {
            unsettled = if *stopped { rules.settling_hours } else { unsettled.saturating_sub(1) };
            *hour |= unsettled > 0;
        }
        let mut of_factor: Vec<(String, Vec<bool>)> = Vec::new();
        for record in &facts.records.maintenance {
            let after = i64::try_from(rules.after_maintenance_hours).unwrap_or_default();
            let span = hour_of(record.span.start)..hour_of(record.span.end).saturating_add(1 + after);
            let marked = marked_hours(len, hours, std::iter::once(span));
            let mask = match of_factor.iter_mut().find(|(factor, _)| *factor == record.factor) {
                _ if record.factor.is_empty() => &mut of_outlet,
                Some((_, mask)) => mask,
                None => {
                    of_factor.push((record.factor.clone(), vec![false; len]));
                    let Some((_, mask)) = of_factor.last_mut() else { continue };
                    mask
                }
            };
            mask.iter_mut().zip(marked).for_each(|(mask, marked)| *mask |= marked);
        }
        Self { of_outlet, of_factor }
    }

    /// Whether hours of a factor are left out.
    fn of(&self, factor: &str) -> impl Fn(usize) -> bool {
        let of_factor = self.of_factor.iter().find(|(of, _)| of == factor).map(|(_, mask)| mask);
        move |hour| {
            let marked = |mask: &Vec<bool>| mask.get(hour).copied().unwrap_or_default();
            marked(&self.of_outlet) || of_factor.is_some_and(marked)
        }
    }
}

struct Builder<'a> {
    frame: &'a OutletFrame,
    grid: Grid,
    len: usize,
    masks: &'a Masks,
}

impl Builder<'_> {
    /// Every factor with minutes or hours, by code.
    fn factors(&self, monitor: impl Fn(&str) -> MonitorFigures) -> Vec<FactorSeries> {
        let mut codes: Vec<&str> = measured(self.frame)
            .into_iter()
            .flat_map(|rows| rows.series())
            .map(|series| series.factor.as_str())
            .collect();
        codes.sort_unstable();
        codes.dedup();
        let series =
            |factor: &str| Medium::of(factor).map(|medium| self.factor(factor, medium, monitor(factor)));
        codes.into_iter().filter_map(series).collect()
    }

    fn factor(&self, factor: &str, medium: Medium, monitor: MonitorFigures) -> FactorSeries {
        let [hourly, minute] = measured(self.frame);
        let points = |rows: &TableRows, grid, series: &Series| {
            let mut points = scatter(rows, &series.pieces, grid, self.points_on(grid));
            self.judge(factor, &mut points, monitor.detection_limit);
            points
        };
        let hours = hourly.of(factor).map(|series| points(hourly, self.grid, series));
        let minutes = minute.of(factor).map(|series| {
            let grid = Grid { step: minute_step(minute, series), ..self.grid };
            points(minute, grid, series)
        });
        let (fine, means, sent_hours) = match (minutes, hours) {
            (Some(minutes), sent) => {
                let mut means = hourly_means(&minutes, self.grid, self.len);
                self.judge(factor, &mut means, monitor.detection_limit);
                (minutes, Some(means), sent)
            }
            (None, hours) => (hours.unwrap_or_else(|| empty(self.grid, self.len)), None, None),
        };
        let sent_days = self.sent_days(factor);
        FactorSeries {
            factor: factor.to_owned(),
            medium,
            monitor,
            fine,
            means,
            sent_hours,
            sent_days,
            signals: self.signals(factor),
        }
    }

    /// Points that a grid has over the outlet's hours.
    fn points_on(&self, grid: Grid) -> usize {
        self.len.saturating_mul(usize::try_from(HOUR_US / grid.step.max(1)).unwrap_or(1))
    }

    /// Notes which points may be judged.
    fn judge(&self, factor: &str, points: &mut Points, detection_limit: f64) {
        let is_left_out = self.masks.of(factor);
        let grid = points.grid;
        let is_usable = |(point, (value, flag)): (usize, (&f64, &u8))| {
            value.is_finite()
                && is_normal_or_none(*flag)
                && (detection_limit.is_nan() || *value > detection_limit)
                && !is_left_out(grid.hour(point))
        };
        points.usable = points.value.iter().zip(&points.flag).enumerate().map(is_usable).collect();
    }

    fn sent_days(&self, factor: &str) -> Vec<(i64, f64)> {
        let rows = self.frame.table(SeriesTable::Daily);
        let Some(series) = rows.of(factor) else { return Vec::new() };
        let day = |row| Some((day_of(*rows.ts.get(row)?), *rows.value.get(row)?));
        let mut days: Vec<(i64, f64)> = series.pieces.iter().cloned().flatten().filter_map(day).collect();
        days.sort_by_key(|(day, _)| *day);
        days
    }

    fn signals(&self, factor: &str) -> Vec<RawSignal> {
        let rows = self.frame.table(SeriesTable::RawSignals);
        let Some(series) = rows.of(factor) else { return Vec::new() };
        let number = |column: &[f64], row: usize| column.get(row).copied().unwrap_or(f64::NAN);
        let signal = |row: usize| {
            let phase = match rows.phase.get(row) {
                Some(b'z') => Phase::Zero,
                Some(b's') => Phase::Span,
                _ => Phase::Measure,
            };
            Some(RawSignal {
                ts: *rows.ts.get(row)?,
                signal: number(&rows.signal, row),
                reading: number(&rows.reading, row),
                logged: number(&rows.logged, row),
                phase,
            })
        };
        let mut signals: Vec<RawSignal> =
            series.pieces.iter().cloned().flatten().filter_map(signal).collect();
        signals.sort_by_key(|signal| signal.ts);
        signals
    }

    fn conditions(&self, registry: &Registry) -> Vec<ConditionSeries> {
        let first = hour_of(self.grid.start);
        let grid = first..first.saturating_add(i64::try_from(self.len).unwrap_or(i64::MAX));
        let condition = |(param, hours): (String, Vec<f64>)| {
            let role = registry.role(&param);
            ConditionSeries { param, role, hours }
        };
        hourly_conditions(self.frame, &grid).into_iter().map(condition).collect()
    }
}

/// The step of minute rows: the least distance between two that divides an hour.
fn minute_step(rows: &TableRows, series: &Series) -> i64 {
    const MINUTE_US: i64 = HOUR_US / 60;
    let distances = series.pieces.iter().flat_map(|piece| {
        let ts = rows.ts.get(piece.clone()).unwrap_or_default();
        ts.windows(2).map(|pair| match pair {
            [a, b] => b - a,
            _ => 0,
        })
    });
    let least = distances.filter(|distance| *distance >= MINUTE_US).min().unwrap_or(MINUTE_US);
    if HOUR_US % least == 0 && least < HOUR_US { least } else { MINUTE_US }
}

/// A grid without any row.
fn empty(grid: Grid, len: usize) -> Points {
    Points {
        grid,
        value: vec![f64::NAN; len],
        flag: vec![0; len],
        converted: Vec::new(),
        value_min: Vec::new(),
        value_max: Vec::new(),
        total: Vec::new(),
        delay_s: Vec::new(),
        sampled_s: Vec::new(),
        usable: vec![false; len],
    }
}

/// The rows of a series on a grid.
fn scatter(rows: &TableRows, pieces: &[Range<usize>], grid: Grid, len: usize) -> Points {
    let places: Vec<(usize, usize)> = pieces
        .iter()
        .cloned()
        .flatten()
        .filter_map(|row| {
            let offset = rows.ts.get(row)?.checked_sub(grid.start)?;
            let point = usize::try_from(offset.div_euclid(grid.step.max(1))).ok()?;
            (point < len).then_some((row, point))
        })
        .collect();
    let place = |from: &[f64]| placed(from, &places, len, f64::NAN, |value, _| value);
    let column = |from: &[f64]| {
        let has_any = places.iter().any(|(row, _)| from.get(*row).is_some_and(|value| !value.is_nan()));
        if has_any { place(from) } else { Vec::new() }
    };
    let seconds_after = |times: &[i64], moment: fn(Grid, usize) -> i64| match times {
        [] => Vec::new(),
        times => placed(times, &places, len, f64::NAN, |time, point| match time {
            NO_TIME => f64::NAN,
            time => time.saturating_sub(moment(grid, point)) as f64 / SECOND_US,
        }),
    };
    Points {
        value: place(&rows.value),
        flag: placed(&rows.flag, &places, len, 0, |flag, _| flag),
        converted: column(&rows.converted),
        value_min: column(&rows.value_min),
        value_max: column(&rows.value_max),
        total: column(&rows.total),
        delay_s: seconds_after(&rows.received_at, |grid, point| grid.ts(point + 1)),
        sampled_s: seconds_after(&rows.sample_time, |grid, point| grid.ts(point)),
        ..empty(grid, 0)
    }
}

/// What rows hold, each at its point of a grid; `none` where there is no row.
fn placed<T: Copy, U: Clone>(
    from: &[T],
    places: &[(usize, usize)],
    len: usize,
    none: U,
    told: impl Fn(T, usize) -> U,
) -> Vec<U> {
    let mut column = vec![none; len];
    for (row, point) in places {
        if let (Some(held), Some(to)) = (from.get(*row), column.get_mut(*point)) {
            *to = told(*held, *point);
        }
    }
    column
}

/// The mean of each hour's minutes with flag `N` or none, where half of the hour has such.
fn hourly_means(minutes: &Points, grid: Grid, len: usize) -> Points {
    let an_hour = minutes.grid.points(1.0);
    let mut means = empty(grid, len);
    means.converted = chunk_means(&minutes.converted, &minutes.flag, an_hour);
    let values = chunk_means(&minutes.value, &minutes.flag, an_hour);
    for (hour, value) in values.into_iter().enumerate().take(len) {
        let flags = minutes.flag.get(hour * an_hour..(hour + 1) * an_hour).unwrap_or_default();
        let flag = if value.is_nan() { most_frequent(flags) } else { NORMAL };
        if let (Some(to), Some(of)) = (means.value.get_mut(hour), means.flag.get_mut(hour)) {
            (*to, *of) = (value, flag);
        }
    }
    means
}

/// The means of chunks of values with flag `N` or none; NaN where fewer than half have such.
fn chunk_means(values: &[f64], flags: &[u8], chunk: usize) -> Vec<f64> {
    let mean = |(values, flags): (&[f64], &[u8])| {
        let counted =
            values.iter().zip(flags).filter(|(value, flag)| value.is_finite() && is_normal_or_none(**flag));
        let (sum, count) = counted.fold((0.0, 0_usize), |(sum, count), (value, _)| (sum + value, count + 1));
        if 2 * count < chunk || count == 0 { f64::NAN } else { sum / count as f64 }
    };
    values.chunks(chunk.max(1)).zip(flags.chunks(chunk.max(1))).map(mean).collect()
}

/// The flag that most points have, 0 apart; 0 where none has one.
fn most_frequent(flags: &[u8]) -> u8 {
    let count = |flag: &u8| flags.iter().filter(|other| *other == flag).count();
    flags
        .iter()
        .filter(|flag| **flag != 0)
        .max_by_key(|flag| (count(flag), **flag))
        .copied()
        .unwrap_or_default()
}
