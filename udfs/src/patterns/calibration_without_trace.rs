//! P22 `calibration_without_trace` (无痕标定): a calibration on record that the analyser never saw.
//!
//! Mechanism: zero and span checks are entered in the log, and no gas was let in.
//!
//! Formula: a check has a trace where, within `window_hours` of it, a raw signal or a minute's
//! value reaches the gas: at most `zero_share` of the span for zero gas, within `span_share` of the
//! standard's concentration for span gas. It is untraced where signals or values stand there and none does; else
//! it says nothing. A stretch is where checks are untraced at a share `within` rather than `elsewhere`, as the
//! logarithms of both tell: some are made, and more are written. Score: untraced checks in it, `suspect` → 0.5,
//! `certain` → 1.
//!
//! Excused: a monitor whose other checks leave no trace either (a logger that holds the last value):
//! outside the stretch at least `usual_traced` of the checks, and `least_traced` of all checks, must be traced;
//! readings that stand at the gas anyway prove nothing and are counted as a trace.
//!
//! Example: weekly span checks with 80 mg/m³; for 20 weeks a reading of 79 within the hour, then for 8 weeks none
//! above 30: a run of 8. With `suspect` 3 and `certain` 6 the score is 1.

use std::ops::Range;

use super::evidence::{evidence, says};
use super::hit::{Evidence, Hit};
use super::outlet::{CheckRecord, FactorSeries, Outlet};
use super::score::score;
use super::segments::{Segment, segments};
use super::thresholds::Thresholds;
use crate::time::HOUR_US;

/// Looks for the pattern in an outlet.
pub fn detect(outlet: &Outlet, thresholds: &Thresholds<'_>) -> Vec<Hit> {
    outlet.factors.iter().flat_map(|series| of_series(outlet, series, thresholds)).collect()
}

fn of_series(outlet: &Outlet, series: &FactorSeries, thresholds: &Thresholds<'_>) -> Vec<Hit> {
    let threshold = |key| thresholds.of(&series.factor, series.fine.grid.grain(), key);
    let (suspect, certain) = (threshold("suspect"), threshold("certain"));
    let checks: Vec<&CheckRecord> =
        outlet.records.checks.iter().filter(|check| check.factor == series.factor).collect();
    let window = (threshold("window_hours") * HOUR_US as f64) as i64;
    let span = Some(series.monitor.range_high).filter(|high| high.is_finite());
    let traces: Vec<Option<bool>> = checks
        .iter()
        .map(|check| {
            let seen = seen_near(series, check.ts, window);
            let gas = match check.kind.as_str() {
                "zero" => Gas::Zero(threshold("zero_share") * span.unwrap_or(f64::NAN)),
                "span" if check.expected > 0.0 => {
                    Gas::Span(check.expected, threshold("span_share") * check.expected)
                }
                _ => return None,
            };
            calibration_without_trace(&seen, gas)
        })
        .collect();
    let weights = evidence(threshold("within"), threshold("elsewhere"));
    let speaks = |trace: &Option<bool>| says(trace.map(|is_traced| !is_traced), weights);
    let found = segments(&traces.iter().map(speaks).collect::<Vec<f64>>(), weights.0);
    let known = traces.iter().flatten().count() as f64;
    let hit = |stretch: &Segment| {
        let (traced, others) = traced_outside(&traces, &stretch.points);
        if traced < threshold("usual_traced") * others
            || traced < (threshold("least_traced") * known).max(1.0)
        {
            return None;
        }
        let first = checks.get(stretch.points.start)?;
        let last = checks.get(stretch.points.end.checked_sub(1)?)?;
        let inside = || traces.get(stretch.points.clone()).unwrap_or_default().iter().flatten();
        let untraced = inside().filter(|is_traced| !**is_traced).count();
        Some(
            series.hit(
                first.ts..last.ts.saturating_add(window),
                score(untraced as f64, suspect, certain),
                untraced,
                Evidence::default()
                    .number("checks_without_trace", untraced as f64)
                    .number("checks", inside().count() as f64)
                    .number("traced_otherwise", traced / others),
            ),
        )
    };
    found.iter().filter_map(hit).collect()
}

/// Checks outside a stretch: traced ones and all.
fn traced_outside(traces: &[Option<bool>], stretch: &Range<usize>) -> (f64, f64) {
    let before = traces.get(..stretch.start).unwrap_or_default();
    let behind = traces.get(stretch.end..).unwrap_or_default();
    let known = || before.iter().chain(behind).flatten();
    (known().filter(|is_traced| **is_traced).count() as f64, known().count() as f64)
}

/// What the monitor told within a window around a time: raw signals as readings, and minutes' values.
fn seen_near(series: &FactorSeries, ts: i64, window: i64) -> Vec<f64> {
    let (from, to) = (ts.saturating_sub(window), ts.saturating_add(window));
    let signals = &series.signals;
    let first = signals.partition_point(|signal| signal.ts < from);
    let near = signals.iter().skip(first).take_while(|signal| signal.ts <= to);
    let mut seen: Vec<f64> = near.flat_map(|signal| [signal.reading, signal.logged]).collect();
    let grid = series.fine.grid;
    // An hour's mean hides a check that takes minutes.
    if grid.step < HOUR_US {
        let point =
            |ts: i64| usize::try_from(ts.saturating_sub(grid.start) / grid.step.max(1)).unwrap_or_default();
        let columns = [&series.fine.value, &series.fine.value_min, &series.fine.value_max];
        let near = columns.into_iter().filter_map(|column| {
            column.get(point(from).min(column.len())..point(to).saturating_add(1).min(column.len()))
        });
        near.for_each(|values| seen.extend_from_slice(values));
    }
    seen.retain(|value| value.is_finite());
    seen
}

/// What was let into the analyser.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Gas {
    /// Zero gas, at which readings are at most this.
    Zero(f64),
    /// Span gas of a concentration, from which readings are at most this far.
    Span(f64, f64),
}

/// Whether any of the readings around a check shows the gas; `None` where there is no reading.
///
/// ```
/// use plume_udfs::patterns::calibration_without_trace::{Gas, calibration_without_trace};
/// assert_eq!(calibration_without_trace(&[30.0, 79.0, 31.0], Gas::Span(80.0, 16.0)), Some(true));
/// assert_eq!(calibration_without_trace(&[30.0, 31.0], Gas::Span(80.0, 16.0)), Some(false));
/// assert_eq!(calibration_without_trace(&[], Gas::Zero(5.0)), None);
/// ```
pub fn calibration_without_trace(readings: &[f64], gas: Gas) -> Option<bool> {
    let shows = |reading: &f64| match gas {
        Gas::Zero(highest) => *reading <= highest,
        Gas::Span(concentration, near) => (reading - concentration).abs() <= near,
    };
    let is_known = match gas {
        Gas::Zero(highest) => highest.is_finite(),
        Gas::Span(concentration, near) => concentration.is_finite() && near.is_finite(),
    };
    (is_known && !readings.is_empty()).then(|| readings.iter().any(shows))
}

#[cfg(test)]
mod tests {
    use super::super::odd_records::{DEED, HALF_YEAR, check, signals, survives};
    use super::super::outlet::{Phase, RawSignal};
    use super::super::survival::{found, hourly, stack};
    use super::*;

    const PATTERN: &str = "calibration_without_trace";

    /// A span check with 100 every week, with a signal of it where `is_traced`.
    fn outlet(is_traced: impl Fn(usize) -> bool) -> Outlet {
        let values = stack(1, HALF_YEAR);
        let mut outlet = hourly(values.clone());
        let mut raw = signals(&values, &values, 2.0);
        for hour in (48..HALF_YEAR).step_by(168) {
            outlet.records.checks.push(check("span", hour as i64 * HOUR_US, 100.0, 99.5));
            if is_traced(hour) {
                let ts = hour as i64 * HOUR_US + 1;
                raw.push(RawSignal { ts, signal: 49.8, reading: 99.5, logged: 99.5, phase: Phase::Span });
            }
        }
        raw.sort_by_key(|signal| signal.ts);
        outlet.factors[0].signals = raw;
        outlet
    }

    #[test]
    fn checks_on_paper_are_found() {
        let hits = found(PATTERN, detect, &outlet(|hour| !DEED.contains(&hour)));
        // Checks at 48 + 168 n: of those within the deed the first at 1560, the last at 2904, nine of them.
        assert_eq!(
            (hits.len(), hits[0].started / HOUR_US, hits[0].ended / HOUR_US, hits[0].rows),
            (1, 1560, 2905, 9)
        );
        // Of the nine four are made: they stay one stretch, of five.
        let every_second = found(PATTERN, detect, &outlet(|hour| !DEED.contains(&hour) || hour % 336 == 48));
        assert_eq!(
            (every_second.len(), every_second[0].started / HOUR_US, every_second[0].ended / HOUR_US),
            (1, 1560, 2905)
        );
        assert_eq!(every_second[0].rows, 5);
    }

    #[test]
    fn a_logger_that_never_shows_a_check_is_not() {
        assert_eq!(found(PATTERN, detect, &outlet(|_| false)), []);
        assert_eq!(found(PATTERN, detect, &outlet(|_| true)), []);
        assert_eq!(found(PATTERN, detect, &outlet(|hour| hour != 1560)), []);
    }

    #[test]
    fn odd_outlets() {
        survives(PATTERN, detect);
    }
}
