//! P15 `flag_abuse` (标记滥用): hours near the limit are marked as maintenance, calibration or fault.
//!
//! Mechanism: a flag other than N takes an hour out of every mean. The operator sets one when a value
//! comes near the limit, so flags follow high values.
//!
//! Formula: an hour is an occasion where the last unflagged value, at most `memory_hours` before, is
//! above `near` × limit, or where a flagged hour itself still tells a value above the limit. Each
//! first hour of a flag, and each occasion without one, is evidence: ln(p₁ ÷ p₀) for a flag on an occasion
//! and ln((1 − p₁) ÷ (1 − p₀)) for none; a flag without an occasion speaks against it, by `unrelated` of a case;
//! with p₁ = `rate` and p₀ the share of other hours in which a
//! flag begins. Within a stretch of evidence, lift = (cases ÷ occasions) ÷ p₀. Score: the lesser of
//! lift (`suspect` → 0.5, `certain` → 1) and cases (`suspect_cases` → 0.5, `certain_cases` → 1).
//!
//! Excused: flags C at an hour of the day that holds `schedule` or more of all hours flagged C, at least
//! `suspect_cases` of them (span gas reads above the limit whatever the stack does); flags that a maintenance
//! on record overlaps (an analyser that fails climbs before it is repaired, and the repair is on record); flags
//! on any other schedule, which follow low values as often (p₀); few and long failures (cases are counted, not
//! hours); flags T (over range) and of a stop.
//!
//! Example: 1000 other hours with 20 flags, p₀ = 0.02; 20 occasions with 12 flags: 0.6 ÷ 0.02 = 30, 12 cases.
//! With `certain` 10, `suspect_cases` 6 and `certain_cases` 12 the score is 1.

use std::ops::Range;

use super::documented::maintenance_of;
use super::hit::{Evidence, Hit};
use super::outlet::{FactorSeries, Outlet, Points};
use super::score::score;
use super::segments::segments;
use super::thresholds::Thresholds;
use crate::time::DAY_HOURS;

/// Flags that take an hour out of the means though the plant runs: maintenance, fault, calibration,
/// instrument stopped, no communication, entered by hand.
const EXCUSES: [u8; 6] = *b"MDCFBS";

/// Looks for the pattern in an outlet.
pub fn detect(outlet: &Outlet, thresholds: &Thresholds<'_>) -> Vec<Hit> {
    outlet.pollutants().flat_map(|series| of_series(outlet, series, thresholds)).collect()
}

fn of_series(outlet: &Outlet, series: &FactorSeries, thresholds: &Thresholds<'_>) -> Vec<Hit> {
    let points = series.hours();
    let limit = series.monitor.limit_hour;
    let threshold = |key| thresholds.of(&series.factor, points.grid.grain(), key);
    let memory = points.grid.points(threshold("memory_hours"));
    let on_converted = series.monitor.limit_on_converted;
    let most = most_cases(points, on_converted, threshold("near") * limit, memory);
    if !limit.is_finite() || (most as f64) < threshold("suspect_cases") {
        return Vec::new();
    }
    let mut is_flagged: Vec<bool> = points
        .flag
        .iter()
        .enumerate()
        .map(|(hour, flag)| EXCUSES.contains(flag) && !outlet.is_stopped(hour))
        .collect();
    let mut values = judged(points, on_converted);
    let scheduled = scheduled_hours(points, threshold("schedule"), threshold("suspect_cases"));
    for run in accounted_for(outlet, series, &is_flagged, &scheduled) {
        // Nothing is known of such hours.
        values.get_mut(run.clone()).unwrap_or_default().fill(f64::NAN);
        is_flagged.get_mut(run).unwrap_or_default().fill(false);
    }
    let hours = flag_abuse(&values, &is_flagged, limit, threshold("near") * limit, memory);
    let cases = hours.iter().filter(|hour| **hour == Hour::Case).count();
    if (cases as f64) < threshold("suspect_cases") {
        return Vec::new();
    }
    let usual_rate = usual_rate(&hours).max(threshold("least_rate"));
    let rate = threshold("rate").max(2.0 * usual_rate).min(0.5 + 0.5 * usual_rate);
    let (with, without) = ((rate / usual_rate).ln(), ((1.0 - rate) / (1.0 - usual_rate)).ln());
    // Where flags are abused, some still follow low values.
    let unrelated = -threshold("unrelated") * with;
    let evidence: Vec<f64> = hours
        .iter()
        .map(|hour| match hour {
            Hour::Case => with,
            Hour::Missed => without,
            Hour::Unrelated => unrelated,
            Hour::Other | Hour::Unknown => 0.0,
        })
        .collect();
    let found = segments(&evidence, with * threshold("suspect_cases") / 2.0);
    let hit = |segment: super::segments::Segment| {
        let inside = hours.get(segment.points.clone()).unwrap_or_default();
        let count = |of: Hour| inside.iter().filter(|hour| **hour == of).count() as f64;
        let cases = count(Hour::Case);
        let lift = cases / (cases + count(Hour::Missed)) / usual_rate;
        let of_lift = score(lift, threshold("suspect"), threshold("certain"));
        let of_cases = score(cases, threshold("suspect_cases"), threshold("certain_cases"));
        let span = points.span(&segment.points);
        let ended = flag_end(&is_flagged, segment.points.end);
        series.hit(
            span.start..points.grid.ts(ended),
            of_lift.min(of_cases),
            cases as usize,
            Evidence::default()
                .number("lift", lift)
                .number("cases", cases)
                .number("occasions", cases + count(Hour::Missed))
                .number("usual_rate", usual_rate),
        )
    };
    found.into_iter().map(hit).collect()
}

/// The value that the limit is compared with.
fn judged_value(points: &Points, on_converted: bool, at: usize) -> f64 {
    let converted = points.converted.get(at).copied().filter(|v| on_converted && v.is_finite());
    converted.or(points.value.get(at).copied()).unwrap_or(f64::NAN)
}

/// The values that the limit is compared with.
fn judged(points: &Points, on_converted: bool) -> Vec<f64> {
    (0..points.len()).map(|at| judged_value(points, on_converted, at)).collect()
}

/// How many flags there are that begin at or after a value above `near`, whatever accounts for them.
fn most_cases(points: &Points, on_converted: bool, near: f64, memory: usize) -> usize {
    let is_flagged = |at: usize| points.flag.get(at).is_some_and(|flag| EXCUSES.contains(flag));
    let begins = (0..points.len()).filter(|at| is_flagged(*at) && !(*at > 0 && is_flagged(at - 1)));
    let is_near = |at: &usize| {
        (at.saturating_sub(memory)..=*at).any(|before| judged_value(points, on_converted, before) > near)
    };
    begins.filter(is_near).count()
}

/// The hours of the day that hold so large a share of all hours flagged C, and at least `least` of them.
fn scheduled_hours(points: &Points, share: f64, least: f64) -> [bool; DAY_HOURS as usize] {
    let counts = points.by_hour_of_day(|at| points.flag.get(at) == Some(&b'C'));
    let all: usize = counts.iter().sum();
    counts.map(|count| count as f64 >= least && count as f64 >= share * all as f64)
}

/// The runs of flagged hours that a schedule or a maintenance on record accounts for.
fn accounted_for(
    outlet: &Outlet,
    series: &FactorSeries,
    is_flagged: &[bool],
    scheduled: &[bool],
) -> Vec<Range<usize>> {
    let points = series.hours();
    let maintenance: Vec<&Range<i64>> =
        maintenance_of(outlet, &series.factor).map(|record| &record.span).collect();
    let is_accounted_for = |run: &Range<usize>| {
        let hour = usize::try_from(points.grid.hour_of_day(run.start)).unwrap_or_default();
        let is_calibration = points.flag.get(run.start) == Some(&b'C');
        let span = points.span(run);
        (is_calibration && scheduled.get(hour).copied().unwrap_or_default())
            || maintenance.iter().any(|of| of.start <= span.end && span.start <= of.end)
    };
    let mut runs = Vec::new();
    let mut at = 0;
    for run in is_flagged.chunk_by(|a, b| a == b) {
        let hours = at..at + run.len();
        at = hours.end;
        if run.first() == Some(&true) && is_accounted_for(&hours) {
            runs.push(hours);
        }
    }
    runs
}

fn flag_end(is_flagged: &[bool], from: usize) -> usize {
    let rest = is_flagged.get(from..).unwrap_or_default();
    from + rest.iter().take_while(|flagged| **flagged).count()
}

/// The share of hours without an occasion in which a flag begins.
fn usual_rate(hours: &[Hour]) -> f64 {
    let count = |of: Hour| hours.iter().filter(|hour| **hour == of).count() as f64;
    let unrelated = count(Hour::Unrelated);
    unrelated / (unrelated + count(Hour::Other)).max(1.0)
}

/// What an hour says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hour {
    /// A flag begins on an occasion.
    Case,
    /// An occasion, and no flag.
    Missed,
    /// A flag begins without an occasion.
    Unrelated,
    /// Neither an occasion nor a flag.
    Other,
    /// Within a flag, or nothing is known of the hours before.
    Unknown,
}

/// What each hour says: an occasion is an hour after a last unflagged value above `near`, not older than
/// `memory` hours, or a flagged one with a value above `limit`.
///
/// ```
/// use plume_udfs::patterns::flag_abuse::{Hour, flag_abuse};
/// let values = [10.0, 90.0, f64::NAN, 10.0, 10.0];
/// let is_flagged = [false, false, true, false, false];
/// let hours = flag_abuse(&values, &is_flagged, 100.0, 80.0, 3);
/// assert_eq!(hours, [Hour::Unknown, Hour::Other, Hour::Case, Hour::Other, Hour::Other]);
/// ```
pub fn flag_abuse(values: &[f64], is_flagged: &[bool], limit: f64, near: f64, memory: usize) -> Vec<Hour> {
    let mut hours = Vec::with_capacity(values.len());
    // The last unflagged value, and where it stood.
    let (mut last, mut stood) = (f64::NAN, 0);
    let mut was_flagged = false;
    for (at, (value, flagged)) in values.iter().copied().zip(is_flagged.iter().copied()).enumerate() {
        let is_known = last.is_finite() && at - stood <= memory;
        let is_occasion = (is_known && last > near) || (flagged && value > limit);
        hours.push(match (flagged, is_occasion) {
            (true, _) if was_flagged => Hour::Unknown,
            (true, true) => Hour::Case,
            (true, false) if is_known => Hour::Unrelated,
            (false, true) if value.is_finite() && value > near => Hour::Missed,
            (false, _) if is_known && value.is_finite() => Hour::Other,
            _ => Hour::Unknown,
        });
        was_flagged = flagged;
        if !flagged && value.is_finite() {
            (last, stood) = (value, at);
        }
    }
    hours
}

#[cfg(test)]
mod tests {
    use super::super::odd_records::{DEED, HALF_YEAR, maintenance, survives};
    use super::super::survival::{FACTOR, even, found, hourly, stack};
    use super::*;
    use crate::time::HOUR_US;

    const PATTERN: &str = "flag_abuse";

    /// A stack near its limit of 50; a share of hours above 44 flagged while the deed lasts.
    fn outlet(share: f64, keeps_values: bool) -> Outlet {
        let values: Vec<f64> = stack(1, HALF_YEAR).iter().map(|value| value * 1.5).collect();
        let mut outlet = hourly(values.clone());
        assert_eq!(outlet.factors[0].factor, FACTOR);
        let fine = &mut outlet.factors[0].fine;
        for (at, part) in even(3, HALF_YEAR).into_iter().enumerate() {
            if DEED.contains(&at) && values[at] > 44.0 && part < share {
                fine.flag[at] = b'M';
                fine.value[at] = if keeps_values { values[at] } else { f64::NAN };
            }
        }
        outlet
    }

    #[test]
    fn flags_on_high_hours_are_found() {
        for share in [0.5, 0.75, 1.0] {
            for keeps_values in [false, true] {
                let hits = found(PATTERN, detect, &outlet(share, keeps_values));
                assert_eq!(hits.len(), 1, "{share} {keeps_values}");
                // High hours come days apart, and nothing is seen between them.
                assert!((hits[0].started / HOUR_US - DEED.start as i64).abs() < 120, "{hits:?}");
                assert!((hits[0].ended / HOUR_US - DEED.end as i64).abs() < 120, "{hits:?}");
            }
        }
    }

    #[test]
    fn scheduled_calibrations_and_long_failures_are_not() {
        let mut scheduled = outlet(0.0, false);
        (0..HALF_YEAR).step_by(24).for_each(|at| scheduled.factors[0].fine.flag[at] = b'C');
        assert_eq!(found(PATTERN, detect, &scheduled), []);
        let mut failing = outlet(0.0, false);
        for from in [1000, 1700, 2600, 3500] {
            failing.factors[0].fine.flag[from..from + 60].fill(b'D');
        }
        assert_eq!(found(PATTERN, detect, &failing), []);
    }

    #[test]
    fn span_gas_on_schedule_and_repairs_on_record_are_not() {
        // Every night at 2 and 3 o'clock span gas of 70, above the limit of 50, is sent: 360 of 360 hours
        // flagged C, 180 at either hour, half of them each, above a quarter.
        let mut calibrated = outlet(0.0, true);
        for at in (0..HALF_YEAR).filter(|at| matches!(at % 24, 2 | 3)) {
            calibrated.factors[0].fine.flag[at] = b'C';
            calibrated.factors[0].fine.value[at] = 70.0;
        }
        assert_eq!(found(PATTERN, detect, &calibrated), []);
        // An analyser that fails every 100 h climbs to 46, above 0.8 × 50, before it is flagged for 6 h.
        let mut failing = hourly(stack(1, HALF_YEAR));
        for from in (200..4000).step_by(100) {
            failing.factors[0].fine.value[from - 4..from].fill(46.0);
            failing.factors[0].fine.flag[from..from + 6].fill(b'D');
        }
        assert_eq!(found(PATTERN, detect, &failing).len(), 1);
        failing.records.maintenance =
            (200..4000).step_by(100).map(|from| maintenance(from + 4..from + 6)).collect();
        assert_eq!(found(PATTERN, detect, &failing), []);
    }

    #[test]
    fn odd_outlets() {
        survives(PATTERN, detect);
    }
}
