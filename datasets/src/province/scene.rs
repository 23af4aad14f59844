//! The scene of a pattern or a twin: an outlet's process and records, and where to act.

use std::ops::Range;

use super::process::{Process, quantile, rounded};
use super::records::{Check, Mark, Param, Raw, Records, Work};
use super::{Dice, Interval, ProvinceRequest};

pub(super) const MINUTE_US: i64 = 60_000_000;
pub(super) const HOUR_US: i64 = 60 * MINUTE_US;
pub(super) const DAY_US: i64 = 24 * HOUR_US;

/// Hours between two calibrations: often enough for any kind of analyser when one falls out.
const CALIBRATION_EVERY_H: usize = 72;
/// Reading of an analyser per unit of its raw signal, and its reading without one.
pub(super) const SLOPE: f64 = 1.25;
pub(super) const INTERCEPT: f64 = 0.02;

/// When the steps of a period are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    /// First moment, µs.
    pub(super) from: i64,
    pub(super) interval: Interval,
}

impl Clock {
    pub(super) fn of(request: &ProvinceRequest) -> Self {
        Self { from: request.from, interval: request.interval }
    }

    pub(super) fn an_hour(self) -> usize {
        self.interval.steps_an_hour()
    }

    /// When a step begins, µs.
    pub(super) fn time(self, step: usize) -> i64 {
        self.from + step as i64 * self.interval.micros()
    }

    /// The hour of the day of a step.
    pub(super) fn hour_of_day(self, step: usize) -> i64 {
        self.time(step).rem_euclid(DAY_US) / HOUR_US
    }
}

/// Where a pattern or a twin acts, and on what.
pub(super) struct Scene<'a> {
    pub(super) dice: &'a mut Dice,
    pub(super) process: &'a mut Process,
    pub(super) records: &'a mut Records,
    pub(super) clock: Clock,
    /// Steps it acts on.
    pub(super) steps: Range<usize>,
    /// The signal it shows on most.
    pub(super) signal: usize,
    /// How strong it is: by which share values are lowered, or the like.
    pub(super) share: f64,
    /// The process of another outlet, with its number, for those that copy one.
    pub(super) other: Option<(u32, &'a Process)>,
}

impl<'a> Scene<'a> {
    /// A scene over a whole period.
    pub(super) fn new(
        request: &ProvinceRequest,
        dice: &'a mut Dice,
        process: &'a mut Process,
        records: &'a mut Records,
        other: Option<(u32, &'a Process)>,
    ) -> Self {
        let steps = 0..process.load.len();
        Self { dice, process, records, clock: Clock::of(request), steps, signal: 0, share: 0.0, other }
    }

    pub(super) fn an_hour(&self) -> usize {
        self.clock.an_hour()
    }

    pub(super) fn all(&self) -> Range<usize> {
        0..self.process.load.len()
    }

    /// The steps among some at which the plant runs.
    pub(super) fn running(&self, steps: Range<usize>) -> Vec<usize> {
        steps.filter(|step| self.process.load[*step] > 0.0).collect()
    }

    fn time(&self, step: usize) -> i64 {
        self.clock.time(step)
    }

    pub(super) fn factor(&self) -> &'static str {
        self.process.signals[self.signal].factor
    }

    /// Changes what a signal shows at the scene's steps, where it shows something; nothing
    /// falls below 0.
    pub(super) fn edit(&mut self, signal: usize, mut new: impl FnMut(&mut Dice, usize, f64) -> f64) {
        self.edit_signed(signal, |dice, step, value| new(dice, step, value).max(0.0));
    }

    /// The same, and values may be negative.
    pub(super) fn edit_signed(&mut self, signal: usize, mut new: impl FnMut(&mut Dice, usize, f64) -> f64) {
        let signal = &mut self.process.signals[signal];
        for step in self.steps.clone() {
            let value = signal.value[step];
            if !value.is_nan() {
                // No negative zero.
                signal.value[step] = rounded(new(self.dice, step, value), signal.decimals) + 0.0;
            }
        }
    }

    /// Changes what a signal shows at one step.
    pub(super) fn set(&mut self, signal: usize, step: usize, value: f64) {
        let signal = &mut self.process.signals[signal];
        if !signal.value[step].is_nan() {
            signal.value[step] = rounded(value.max(0.0), signal.decimals);
        }
    }

    /// What the scene's signal shows at a step, as its limit is meant.
    pub(super) fn against_limit(&self, step: usize) -> Option<f64> {
        let value = self.process.signals[self.signal].value[step];
        self.process.at_reference(self.signal, step, value).filter(|value| !value.is_nan())
    }

    /// Makes the scene's signal so much worse that a share of its values lies above `level`, as
    /// its limit is meant.
    pub(super) fn worsen(&mut self, share: f64, level: f64) {
        let running = self.running(self.steps.clone()).into_iter();
        let shown = running.filter_map(|step| self.against_limit(step)).collect();
        let scale = level / quantile(shown, 1.0 - share).max(0.01);
        self.edit(self.signal, |_, _, value| value * scale);
    }

    /// Some stretches of steps, of hours within `long` apart by hours within `apart`.
    pub(super) fn stretches(&mut self, long: (usize, usize), apart: (usize, usize)) -> Vec<Range<usize>> {
        let an_hour = self.an_hour();
        let mut hours = |(low, high): (usize, usize)| (low + self.dice.below(high - low + 1)) * an_hour;
        let mut start = self.steps.start;
        let mut found = Vec::new();
        while start < self.steps.end {
            let end = (start + hours(long)).min(self.steps.end);
            found.push(start..end);
            start = end + hours(apart);
        }
        found
    }

    pub(super) fn param(&mut self, factor: &'static str, param: &'static str, step: usize, value: f64) {
        let ts = self.time(step);
        self.records.params.push(Param { factor, param, ts, value: Some(value), text: None });
    }

    pub(super) fn work(
        &mut self,
        factor: &'static str,
        steps: Range<usize>,
        kind: &'static str,
        text: &'static str,
    ) {
        let (started, ended) = (self.time(steps.start), self.time(steps.end));
        self.records.works.push(Work { factor, started, ended, kind, text });
    }

    pub(super) fn mark(&mut self, factor: &'static str, steps: Range<usize>, mark: &'static str) {
        let (started, ended) = (self.time(steps.start), self.time(steps.end));
        self.records.marks.push(Mark { factor, started, ended, mark });
    }

    /// Raw signals of the scene's signal over the whole period, as an honest analyser has them:
    /// reading and logger show what is sent.
    pub(super) fn wire(&mut self) {
        let factor = self.factor();
        for step in self.all() {
            let value = self.process.signals[self.signal].value[step];
            if !value.is_nan() {
                let raw = Raw { signal: raw_of(value), reading: value, logged: value, phase: "measure" };
                self.records.raw.insert((factor, self.time(step)), raw);
            }
        }
    }

    /// The parameters of the analyser at a step.
    pub(super) fn calibrate_to(&mut self, step: usize, slope: f64, intercept: f64) {
        let factor = self.factor();
        self.param(factor, "i13008", step, slope);
        self.param(factor, "i13007", step, intercept);
    }

    /// The first steps of the hours in which the scene's signal is calibrated, over the whole
    /// period; none within 30 hours of some steps.
    pub(super) fn calibrations(&mut self, apart_from: &[usize]) -> Vec<usize> {
        let an_hour = self.an_hour();
        let far = |step: &usize| apart_from.iter().all(|other| step.abs_diff(*other) > 30 * an_hour);
        let first = 9 + self.dice.below(4);
        let all = (first * an_hour..self.process.load.len()).step_by(CALIBRATION_EVERY_H * an_hour);
        let calibrations: Vec<usize> = all.filter(far).collect();
        // Calibrations are those on record and no others.
        let flags = &mut self.process.signals[self.signal].flag;
        flags.iter_mut().filter(|flag| **flag == b'C').for_each(|flag| *flag = b'N');
        for start in &calibrations {
            let end = (start + an_hour.div_ceil(2)).min(flags.len());
            flags[*start..end].fill(b'C');
        }
        calibrations
    }

    /// The record of a calibration: zero and span, each off by some share of the range.
    pub(super) fn check(&mut self, step: usize, off: (f64, f64)) {
        let signal = &self.process.signals[self.signal];
        let (factor, range) = (signal.factor, signal.range);
        let unit = if self.process.oxygen().is_some() { "mg/m3" } else { "mg/L" };
        let span = rounded(range * 0.8, 1);
        let check = |kind, minutes: i64, expected: f64, off: f64| Check {
            factor,
            ts: self.time(step) + minutes * MINUTE_US,
            kind,
            expected,
            measured: rounded(expected + off * range, 3) + 0.0,
            unit,
        };
        let checks = [check("zero", 5, 0.0, off.0), check("span", 20, span, off.1)];
        self.records.checks.extend(checks);
    }

    /// Drifts as an honest calibration finds them, shares of the range.
    pub(super) fn drift(&mut self) -> (f64, f64) {
        (0.006 * self.dice.normal(), 0.01 * self.dice.normal())
    }

    /// The trace of a calibration in the raw signals: what they show of zero and span gas.
    pub(super) fn trace(&mut self, step: usize, zero: f64, span: f64) {
        let (factor, at) = (self.factor(), self.time(step));
        for (phase, minutes, reading) in [("zero", 5, zero), ("span", 20, span)] {
            for minute in minutes..minutes + 5 {
                let reading = rounded(reading * (1.0 + 0.002 * self.dice.normal()), 3) + 0.0;
                let raw = Raw { signal: raw_of(reading), reading, logged: reading, phase };
                self.records.raw.insert((factor, at + minute * MINUTE_US), raw);
            }
        }
    }

    /// Calibrates honestly at some steps: on record and with a trace.
    pub(super) fn calibrate(&mut self, calibrations: &[usize]) {
        let range = self.process.signals[self.signal].range;
        for step in calibrations {
            let drift = self.drift();
            self.check(*step, drift);
            self.trace(*step, (0.004 + drift.0.abs()) * range, rounded(range * 0.8, 1) + drift.1 * range);
        }
    }
}

/// The raw signal behind a reading.
pub(super) fn raw_of(reading: f64) -> f64 {
    rounded((reading - INTERCEPT) / SLOPE, 4)
}
