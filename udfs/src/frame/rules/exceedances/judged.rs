//! The hours or days of one series, judged by the limits in force.

use plume_datasets::factors::{Medium, kg_per_unit};

use crate::exceedance::limits::{Excess, Grain, Limits, Measured, Verdict, judge};
use crate::exceedance::runs::{Run, may_begin_earlier, runs};
use crate::frame::facts::{MonitorFacts, OutletFacts};
use crate::frame::outlet::OutletFrame;
use crate::frame::rules::RuleContext;
use crate::frame::rules::daily_valid::SeriesDays;
use crate::frame::settle::{Converted, SettledOutlet, SettledSeries};
use crate::time::{DAY_US, HOUR_US};
use crate::validity::days::Day;
use crate::validity::hours::HourState;

/// The limits of one series over time.
pub(super) struct SeriesLimits<'a> {
    factor: &'a str,
    monitors: Vec<&'a MonitorFacts>,
    is_gas: bool,
    has_reference: bool,
}

impl<'a> SeriesLimits<'a> {
    /// The limits of a series; `None` where it never had one.
    pub(super) fn of(facts: &'a OutletFacts, series: &'a SettledSeries) -> Option<Self> {
        let factor = series.factor.as_str();
        let monitors: Vec<_> = facts.monitors.iter().filter(|monitor| monitor.factor == factor).collect();
        let is_limited = monitors.iter().any(|monitor| monitor.limits.any());
        is_limited.then(|| Self {
            factor,
            monitors,
            is_gas: series.medium == Medium::Air && kg_per_unit(factor).is_some(),
            has_reference: !facts.o2_reference.is_empty(),
        })
    }

    /// The limits in force: those of the latest row.
    fn at(&self, ts: i64) -> Option<&'a Limits> {
        let in_force = self.monitors.iter().filter(|monitor| monitor.span.contains(&ts));
        in_force.max_by_key(|monitor| monitor.span.start).map(|monitor| &monitor.limits)
    }

    fn judge(&self, grain: Grain, ts: i64, measured: &Measured) -> Verdict {
        let Some(limits) = self.at(ts) else { return Verdict::Within };
        judge(limits, grain, measured, self.is_gas, self.has_reference)
    }
}

/// One hour or day beyond its limit.
pub(super) struct Beyond<'a> {
    pub(super) factor: &'a str,
    pub(super) ts: i64,
    pub(super) limits: &'a Limits,
    pub(super) excess: Excess,
    pub(super) run_start: i64,
    pub(super) run_length: i64,
}

/// The verdicts on one series after another, in reused memory.
pub(super) struct Judged {
    grain: Grain,
    days: SeriesDays,
    converted: Converted,
    ts: Vec<i64>,
    verdicts: Vec<Verdict>,
    runs: Vec<Run>,
}

impl Judged {
    pub(super) fn new(grain: Grain) -> Self {
        Self {
            grain,
            days: SeriesDays::new(true, false),
            converted: Converted::default(),
            ts: Vec::new(),
            verdicts: Vec::new(),
            runs: Vec::new(),
        }
    }

    /// Judges every hour or day of a series.
    pub(super) fn judge(
        &mut self,
        frame: &OutletFrame,
        settled: &SettledOutlet,
        series: &SettledSeries,
        limits: &SeriesLimits<'_>,
        context: &RuleContext,
    ) {
        self.ts.clear();
        self.verdicts.clear();
        match self.grain {
            Grain::Hour => {
                let facts = context.registry.outlet(&frame.mn);
                settled.converted(frame, series, facts, &context.rulebook, &mut self.converted);
                self.judge_hours(series, limits);
            }
            Grain::Day => {
                self.days.sum(frame, settled, series, context);
                self.judge_days(limits);
            }
        }
        runs(&self.verdicts, &mut self.runs);
    }

    fn judge_hours(&mut self, series: &SettledSeries, limits: &SeriesLimits<'_>) {
        let hours = &series.hours;
        let values = hours.state.iter().zip(&hours.value).zip(&self.converted.value);
        for (hour, ((state, &value), &converted)) in (hours.first..).zip(values) {
            let ts = hour * HOUR_US;
            let measured = Measured { value, converted, least: value, greatest: value };
            self.ts.push(ts);
            self.verdicts.push(match state {
                HourState::Stopped => Verdict::Within,
                state if state.is_valid() => limits.judge(Grain::Hour, ts, &measured),
                _ => Verdict::Unjudged,
            });
        }
    }

    fn judge_days(&mut self, limits: &SeriesLimits<'_>) {
        for (day, &converted) in self.days.days.iter().zip(&self.days.converted) {
            let ts = day.day * DAY_US;
            let (least, greatest) = (day.value_min, day.value_max);
            let measured = Measured { value: day.partial_value, converted, least, greatest };
            self.ts.push(ts);
            self.verdicts.push(match day {
                Day { valid: true, .. } => limits.judge(Grain::Day, ts, &measured),
                Day { due_hours: 0, stopped_hours: 1.., .. } => Verdict::Within,
                _ => Verdict::Unjudged,
            });
        }
    }

    /// Whether a run that reaches `from` may have begun before what was judged.
    pub(super) fn begins_before(&self, from: i64) -> bool {
        let last = self.runs.first().and_then(|first| self.ts.get(first.last));
        last.is_some_and(|last| *last >= from) && may_begin_earlier(&self.verdicts)
    }

    /// Adds what lies beyond from `from` on, with its runs.
    pub(super) fn beyond<'a>(&self, limits: &SeriesLimits<'a>, from: i64, rows: &mut Vec<Beyond<'a>>) {
        for run in &self.runs {
            let Some(&run_start) = self.ts.get(run.first) else { continue };
            let of_run = self.ts.iter().zip(&self.verdicts).take(run.last + 1).skip(run.first);
            rows.extend(of_run.filter(|(ts, _)| **ts >= from).filter_map(|(&ts, verdict)| {
                let (Verdict::Beyond(excess), Some(limits_at)) = (verdict, limits.at(ts)) else {
                    return None;
                };
                Some(Beyond {
                    factor: limits.factor,
                    ts,
                    limits: limits_at,
                    excess: *excess,
                    run_start,
                    run_length: run.len,
                })
            }));
        }
    }
}
