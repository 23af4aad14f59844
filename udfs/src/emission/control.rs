//! When a monitor was out of control, or overdue for calibration.
//!
//! | check | judged by, where `passed` is NULL |
//! |---|---|
//! | `zero`, `span`, `velocity_zero` of gas | drift in % of full scale (HJ 75-2017 11.2 `recall`) |
//! | `standard_check` of water | error in % of the standard (HJ 355-2019 table 1 `recall`) |
//! | `comparison` of water | bands by the sample's value (HJ 355-2019 table 1 `recall`) |
//! | `comparison`, `verification` of gas | bands by the reference method's value (HJ 75-2017 `recall`) |
//!
//! A row of `qc_results` holds one pair, so where the standard asks for a relative accuracy, which
//! adds a confidence coefficient over nine pairs or more, the difference over the reference is
//! judged (`default`); [`relative_accuracy`](super::relative_accuracy) judges the pairs themselves.
//! Comparisons of gas are judged, but only drifts put its monitors out of control (HJ 75-2017 11.2).
//!
//! **Out of control**: from the last passed check of a kind before a failure to its
//! next passed one. **Overdue**: from the end of the interval after the last passed
//! zero or span (Guide 17(3), K4–K7 `seed`), counted from the monitor's first check,
//! to the next passed one. A monitor without any check is not judged.
//!
//! Worked example: span passed on the 1st and the 8th, failed on the 15th, passed on
//! the 16th: out of control from the 8th to the 16th.

use std::ops::Range;

use plume_datasets::factors::{Medium, factor as listed_factor, kg_per_unit};

use super::rules::EmissionRules;
use crate::time::HOUR_US;

/// What a check examined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CheckKind {
    /// Zero gas.
    Zero,
    /// Span gas.
    Span,
    /// Velocity at rest.
    VelocityZero,
    /// A standard solution.
    StandardCheck,
    /// A real sample, or a reference method.
    Comparison,
}

impl CheckKind {
    /// The kind of a row of `qc_results`; `None` for kinds that no limit judges.
    pub fn parse(name: &str, medium: Medium) -> Option<Self> {
        match (medium, name) {
            (Medium::Air, "zero") => Some(Self::Zero),
            (Medium::Air, "span") => Some(Self::Span),
            (Medium::Air, "velocity_zero") => Some(Self::VelocityZero),
            (Medium::Water, "standard_check") => Some(Self::StandardCheck),
            (Medium::Water, "comparison") => Some(Self::Comparison),
            (Medium::Air, "comparison" | "verification") => Some(Self::Comparison),
            _ => None,
        }
    }

    /// Whether a failed check of the kind puts a monitor out of control.
    fn controls(self, medium: Option<Medium>) -> bool {
        self != Self::Comparison || medium == Some(Medium::Water)
    }
}

/// One check of a monitor.
#[derive(Debug, Clone, PartialEq)]
pub struct Check {
    /// When, µs.
    pub ts: i64,
    /// What it examined; `None` for a kind that doesn't judge.
    pub kind: Option<CheckKind>,
    /// What the analyser should have shown.
    pub expected: Option<f64>,
    /// What it showed.
    pub measured: Option<f64>,
    /// The unit of both; `%` where they are drifts.
    pub unit: Option<String>,
    /// Whether it passed; `None` is judged by the rules.
    pub passed: Option<bool>,
}

/// What the registry says of a monitor at one time.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct MonitorSetting {
    /// Width of the measuring range, in the factor's unit.
    pub full_scale: Option<f64>,
    /// Whether the analyser calibrates itself.
    pub calibrates_itself: bool,
    /// Whether it measures in the gas stream, without a line.
    pub measures_directly: bool,
}

/// A time in which a monitor is not to be trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControlPeriod {
    /// From when to when, µs; an open end is the end of time.
    pub span: Range<i64>,
    /// The last passed check before; the first check where none passed.
    pub last_passed: i64,
    /// Whether calibration was overdue; else a check had failed.
    pub overdue: bool,
}

/// What checks say of a monitor.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Control {
    /// When it was not to be trusted, by beginning.
    pub periods: Vec<ControlPeriod>,
    /// When checks passed, in order.
    pub passes: Vec<i64>,
}

/// Whether a check passed; `None` where it can't be told.
pub fn verdict(check: &Check, factor: &str, setting: MonitorSetting, rules: &EmissionRules) -> Option<bool> {
    if check.passed.is_some() {
        return check.passed;
    }
    let (kind, measured) = (check.kind?, check.measured?);
    match kind {
        CheckKind::Zero | CheckKind::Span | CheckKind::VelocityZero => {
            let unit = check.unit.as_deref().unwrap_or_default();
            let limits = &rules.drift;
            let limit = limits.of(kind, factor);
            if unit == "%" {
                return Some(is_within(measured - check.expected.unwrap_or_default(), limit));
            }
            let error = measured - check.expected?;
            if kind == CheckKind::VelocityZero && unit == "m/s" {
                return Some(is_within(error, limits.velocity_m_s));
            }
            let full_scale = setting.full_scale.filter(|width| *width > 0.0)?;
            Some(is_within(error / full_scale * 100.0, limit))
        }
        CheckKind::StandardCheck => {
            let expected = check.expected?;
            Some(is_within(measured - expected, rules.standard_check_pct / 100.0 * expected.abs()))
        }
        CheckKind::Comparison => {
            let expected = check.expected?;
            if Medium::of(factor) == Some(Medium::Air) && !is_in_unit(check, factor) {
                return None;
            }
            let limit = rules.comparison_limit(factor, expected)?;
            Some(is_within(measured - expected, limit))
        }
    }
}

/// Whether a check is in the unit of its factor, in which limits are: gas comes in ppm, too.
fn is_in_unit(check: &Check, factor: &str) -> bool {
    let plain = |unit: &str| unit.replace('³', "3").to_lowercase();
    let Some(unit) = check.unit.as_deref() else { return true };
    listed_factor(factor).is_some_and(|factor| plain(&factor.unit) == plain(unit))
}

/// Whether an error is no greater than its limit. Figures have few decimals, and a
/// difference of two of them is off in its last bits: 1.3 − 1.0 is within 0.3.
fn is_within(error: f64, limit: f64) -> bool {
    error.abs() <= limit * (1.0 + 1e-9)
}

/// Judges the checks of one monitor, which are in order of time. `setting` tells
/// what the registry says of it at a time, `rules` what was in force.
pub fn control<'a>(
    checks: &[Check],
    factor: &str,
    setting: impl Fn(i64) -> MonitorSetting,
    rules: impl Fn(i64) -> &'a EmissionRules,
) -> Control {
    let Some(first) = checks.first() else { return Control::default() };
    let medium = Medium::of(factor);
    let judged: Vec<(CheckKind, i64, bool)> = checks
        .iter()
        .filter_map(|check| {
            let kind = check.kind.filter(|kind| kind.controls(medium))?;
            Some((kind, check.ts, verdict(check, factor, setting(check.ts), rules(check.ts))?))
        })
        .collect();
    let mut kinds: Vec<CheckKind> = judged.iter().map(|(kind, ..)| *kind).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let mut periods = Vec::new();
    for kind in kinds {
        failures(judged.iter().filter(|(k, ..)| *k == kind).map(|(_, ts, ok)| (*ts, *ok)), &mut periods);
    }
    if medium == Some(Medium::Air) && kg_per_unit(factor).is_some() {
        for kind in [CheckKind::Zero, CheckKind::Span] {
            let passes = judged.iter().filter(|(k, _, ok)| *k == kind && *ok).map(|(_, ts, _)| *ts);
            let interval_us =
                |clock: i64| (rules(clock).calibration.hours(factor, setting(clock)) * HOUR_US as f64) as i64;
            overdue(first.ts, passes, interval_us, &mut periods);
        }
    }
    periods.sort_by_key(|period| (period.span.start, period.span.end, period.last_passed));
    let passes = judged.iter().filter(|(.., ok)| *ok).map(|(_, ts, _)| *ts).collect();
    Control { periods, passes }
}

/// The periods from the last pass before a failure to the next pass.
fn failures(checks: impl Iterator<Item = (i64, bool)>, periods: &mut Vec<ControlPeriod>) {
    let mut last_passed: Option<i64> = None;
    let mut began: Option<i64> = None;
    for (ts, passed) in checks {
        if !passed {
            began = began.or(Some(last_passed.unwrap_or(ts)));
            continue;
        }
        if let Some(start) = began.take() {
            periods.push(ControlPeriod { span: start..ts, last_passed: start, overdue: false });
        }
        last_passed = Some(ts);
    }
    if let Some(start) = began {
        periods.push(ControlPeriod { span: start..i64::MAX, last_passed: start, overdue: false });
    }
}

/// The periods from the end of an interval to the next pass.
fn overdue(
    first: i64,
    passes: impl Iterator<Item = i64>,
    interval_us: impl Fn(i64) -> i64,
    periods: &mut Vec<ControlPeriod>,
) {
    let mut clock = first;
    for next in passes.chain(std::iter::once(i64::MAX)) {
        let due = clock.saturating_add(interval_us(clock));
        if due < next {
            periods.push(ControlPeriod { span: due..next, last_passed: clock, overdue: true });
        }
        clock = next;
    }
}

/// The hours of a grid that a monitor's periods touch, with what they take of each.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TouchedHour {
    /// The hour, counted from 1970.
    pub hour: i64,
    /// The earliest last passed check of the periods that touch it.
    pub anchor: i64,
    /// Microseconds of it that the union of the periods covers.
    pub covered_us: i64,
    /// Whether every period that touches it is one of overdue calibration.
    pub overdue: bool,
}

/// The hours in which either of two monitors was not to be trusted, which it was for
/// more than `lost_us` of them: both lists in order, as of one grid.
pub fn lost_hours(a: &[TouchedHour], b: &[TouchedHour], lost_us: impl Fn(i64) -> i64) -> Vec<TouchedHour> {
    let (mut a, mut b) = (a.iter().peekable(), b.iter().peekable());
    let mut lost = Vec::new();
    while let Some(hour) = [a.peek(), b.peek()].into_iter().flatten().map(|touched| touched.hour).min() {
        let here = [a.next_if(|touched| touched.hour == hour), b.next_if(|touched| touched.hour == hour)];
        let here = here.into_iter().flatten();
        let anchor = here.clone().map(|touched| touched.anchor).min();
        let longest = here.clone().map(|touched| touched.covered_us).max();
        if let (Some(anchor), Some(covered_us)) = (anchor, longest)
            && covered_us > lost_us(hour)
        {
            lost.push(TouchedHour {
                hour,
                anchor,
                covered_us,
                overdue: here.clone().all(|touched| touched.overdue),
            });
        }
    }
    lost
}

/// The hours of `grid` that periods touch, in order. Periods are sorted by beginning.
pub fn touched_hours(periods: &[ControlPeriod], grid: &Range<i64>, out: &mut Vec<TouchedHour>) {
    out.clear();
    let mut reached = i64::MIN;
    for period in periods {
        let first = period.span.start.div_euclid(HOUR_US).max(grid.start);
        let last = (period.span.end - 1).div_euclid(HOUR_US).min(grid.end - 1);
        // Hours that an earlier period touched stand already at the end.
        let known = out.partition_point(|hour| hour.hour < first);
        for (offset, hour) in (first..=last).enumerate() {
            let (start, end) = (hour * HOUR_US, (hour + 1) * HOUR_US);
            let new_from = period.span.start.max(reached).max(start);
            let covered_us = (period.span.end.min(end) - new_from).max(0);
            match out.get_mut(known + offset) {
                Some(touched) => {
                    touched.anchor = touched.anchor.min(period.last_passed);
                    touched.covered_us += covered_us;
                    touched.overdue &= period.overdue;
                }
                None => out.push(TouchedHour {
                    hour,
                    anchor: period.last_passed,
                    covered_us,
                    overdue: period.overdue,
                }),
            }
        }
        reached = reached.max(period.span.end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validity::Rulebook;

    const DAY: i64 = 24 * HOUR_US;

    fn check(day: i64, kind: CheckKind, passed: Option<bool>) -> Check {
        Check { ts: day * DAY, kind: Some(kind), expected: None, measured: None, unit: None, passed }
    }

    fn judged(checks: &[Check], factor: &str, setting: MonitorSetting) -> Vec<(i64, i64, i64, bool)> {
        let book = Rulebook::by_date().unwrap();
        let days = |ts: i64| if ts == i64::MAX { i64::MAX } else { ts / DAY };
        control(checks, factor, |_| setting, |_| book.emission_at(0))
            .periods
            .iter()
            .map(|p| (days(p.span.start), days(p.span.end), days(p.last_passed), p.overdue))
            .collect()
    }

    #[test]
    fn worked_example_of_the_head() {
        // Particulate without calibration of its own is due every 15 days; zeros keep its other clock quiet.
        let mut checks: Vec<Check> = [1, 8, 16].map(|day| check(day, CheckKind::Span, Some(true))).to_vec();
        checks.push(check(15, CheckKind::Span, Some(false)));
        checks.extend([1, 8, 16].map(|day| check(day, CheckKind::Zero, Some(true))));
        checks.sort_by_key(|check| check.ts);
        let periods = judged(&checks, "a34013", MonitorSetting::default());
        let first_overdue = (31, i64::MAX, 16, true);
        assert_eq!(periods, [(8, 16, 8, false), first_overdue, first_overdue]);
    }

    #[test]
    fn calibration_is_due_after_the_interval_of_the_monitor() {
        let both = |day| [CheckKind::Zero, CheckKind::Span].map(|kind| check(day, kind, Some(true)));
        let checks: Vec<Check> = [both(0), both(20)].into_iter().flatten().collect();
        let overdue_from = |factor, setting| judged(&checks, factor, setting)[0].0;
        let auto = MonitorSetting { calibrates_itself: true, ..MonitorSetting::default() };
        let direct = MonitorSetting { measures_directly: true, ..MonitorSetting::default() };
        assert_eq!(overdue_from("a21026", auto), 1); // K4
        assert_eq!(overdue_from("a34013", MonitorSetting::default()), 15); // K5
        assert_eq!(overdue_from("a21026", direct), 15); // K6
        assert_eq!(overdue_from("a21026", MonitorSetting::default()), 7); // K7
        assert_eq!(judged(&checks, "a19001", auto), []); // no mass, no clock
    }

    #[test]
    fn drifts_are_judged_by_the_limits_of_the_standard() {
        let book = Rulebook::by_date().unwrap();
        let setting = MonitorSetting { full_scale: Some(200.0), ..MonitorSetting::default() };
        let told = |factor: &str, kind, expected: f64, measured: f64, unit: &str| {
            let check = Check {
                ts: 0,
                kind: Some(kind),
                expected: Some(expected),
                measured: Some(measured),
                unit: Some(unit.to_owned()),
                passed: None,
            };
            verdict(&check, factor, setting, book.emission_at(0))
        };
        use CheckKind::{Comparison, Span, StandardCheck, VelocityZero, Zero};
        // Gas: zero 5 % of 200 is 10, span 10 % is 20; particulate 8 % is 16.
        assert_eq!(told("a21026", Zero, 0.0, 10.0, "mg/m³"), Some(true));
        assert_eq!(told("a21026", Zero, 0.0, 10.5, "mg/m³"), Some(false));
        assert_eq!(told("a21026", Span, 160.0, 140.0, "mg/m³"), Some(true));
        assert_eq!(told("a21026", Span, 160.0, 139.0, "mg/m³"), Some(false));
        assert_eq!(told("a34013", Zero, 0.0, -16.5, "mg/m³"), Some(false));
        assert_eq!(told("a34013", Span, 0.0, 8.0, "%"), Some(true));
        assert_eq!(told("a01011", VelocityZero, 0.0, 1.9, "m/s"), Some(false));
        assert_eq!(told("a01011", VelocityZero, 0.0, 1.8, "m/s"), Some(true));
        // Water: a standard of 50 may be 5 off; COD samples by their band.
        assert_eq!(told("w01018", StandardCheck, 50.0, 55.0, "mg/L"), Some(true));
        assert_eq!(told("w01018", StandardCheck, 50.0, 55.5, "mg/L"), Some(false));
        for (sample, off, passes) in [
            (29.0, 5.0, true),
            (29.0, 5.5, false),
            (30.0, 9.0, true),
            (60.0, 12.5, false),
            (100.0, 15.0, true),
        ] {
            assert_eq!(
                told("w01018", Comparison, sample, sample + off, "mg/L"),
                Some(passes),
                "{sample} {off}"
            );
        }
        assert_eq!(told("w21003", Comparison, 1.0, 1.3, "mg/L"), Some(true));
        assert_eq!(told("w21011", Comparison, 1.0, 1.2, "mg/L"), Some(false));
        assert_eq!(told("w01012", Comparison, 1.0, 9.0, "mg/L"), None);
    }

    #[test]
    fn comparisons_of_gas_are_judged_by_the_band_of_the_reference() {
        let book = Rulebook::by_date().unwrap();
        let told = |factor: &str, expected: f64, measured: f64, unit: Option<&str>| {
            let check = Check {
                ts: 0,
                kind: CheckKind::parse("verification", Medium::Air),
                expected: Some(expected),
                measured: Some(measured),
                unit: unit.map(str::to_owned),
                passed: None,
            };
            verdict(&check, factor, MonitorSetting::default(), book.emission_at(0))
        };
        for (factor, reference, greatest) in [
            ("a21026", 56.0, 17.0),
            ("a21026", 57.0, 17.1), // 30 %
            ("a21026", 142.0, 42.6),
            ("a21026", 143.0, 57.0),
            ("a21026", 714.0, 57.0),
            ("a21026", 715.0, 107.25), // 15 %
            ("a21002", 40.0, 12.0),
            ("a21002", 41.0, 12.3), // 30 %
            ("a21002", 103.0, 41.0),
            ("a21002", 520.0, 78.0), // 15 %
            ("a34013", 10.0, 5.0),
            ("a34013", 20.0, 6.0),
            ("a34013", 50.0, 15.0),  // 30 %
            ("a34013", 100.0, 25.0), // 25 %
            ("a34013", 200.0, 40.0), // 20 %
            ("a34013", 220.0, 33.0), // 15 %
            ("a19001", 5.0, 1.0),
            ("a19001", 8.0, 1.2),  // 15 %
            ("a01011", 10.0, 1.2), // 12 %
            ("a01011", 12.0, 1.2), // 10 %
            ("a01012", 80.0, 3.0),
            ("a01014", 5.0, 1.5),
            ("a01014", 8.0, 2.0), // 25 %
        ] {
            assert_eq!(
                told(factor, reference, reference + greatest, None),
                Some(true),
                "{factor} {reference}"
            );
            assert_eq!(
                told(factor, reference, reference - greatest, None),
                Some(true),
                "{factor} {reference}"
            );
            let beyond = reference + greatest * 1.001;
            assert_eq!(told(factor, reference, beyond, None), Some(false), "{factor} {reference}");
        }
        assert_eq!(told("a21026", 50.0, 90.0, Some("mg/m3")), Some(false));
        assert_eq!(told("a21026", 50.0, 90.0, Some("ppm")), None);
        assert_eq!(told("a00000", 50.0, 90.0, None), None);
    }

    #[test]
    fn a_failed_comparison_puts_water_out_of_control_and_gas_not() {
        let failed = [check(1, CheckKind::Comparison, Some(false))];
        assert_eq!(judged(&failed, "w01018", MonitorSetting::default()), [(1, i64::MAX, 1, false)]);
        assert_eq!(judged(&failed, "a19001", MonitorSetting::default()), []);
    }

    #[test]
    fn touched_hours_tell_what_the_union_of_periods_covers() {
        let minute = HOUR_US / 60;
        let period = |start: i64, end: i64, last_passed, overdue| ControlPeriod {
            span: start * minute..end * minute,
            last_passed,
            overdue,
        };
        let periods = [period(50, 130, 7, false), period(60, 80, 5, true), period(300, 301, 9, true)];
        let mut hours = Vec::new();
        touched_hours(&periods, &(0..6), &mut hours);
        let told: Vec<_> =
            hours.iter().map(|h| (h.hour, h.anchor, h.covered_us / minute, h.overdue)).collect();
        assert_eq!(told, [(0, 7, 10, false), (1, 5, 60, false), (2, 7, 10, false), (5, 9, 1, true)]);
        let other = [TouchedHour { hour: 2, anchor: 1, covered_us: 20 * minute, overdue: true }];
        let lost = lost_hours(&hours, &other, |_| 15 * minute);
        assert_eq!(lost.iter().map(|hour| (hour.hour, hour.anchor)).collect::<Vec<_>>(), [(1, 5), (2, 1)]);
    }
}
