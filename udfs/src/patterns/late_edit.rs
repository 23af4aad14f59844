//! P33 `late_edit` (事后修改): hours are sent again days later, with better figures.
//!
//! Mechanism: what was sent in time is replaced, once it is known which hours exceed. The row in force
//! then arrives late, among rows that arrived in time.
//!
//! Formula: a row is late where it arrives `late_hours` or more after its interval. It is edited where by then
//! a quarter or more of the rows after it had arrived in time, so that the line worked. Each edited hour counts
//! 1 − `suspect`, each other −`suspect`: a stretch is where more than that share is edited. Score:
//! the share, `suspect` → 0.5, `certain` → 1, of stretches with `least_rows` or more.
//!
//! Excused: rows held back by an outage of line or platform, while nothing else arrives; a run of `run_hours` or more
//! late rows unless their median is lower by `fall` than that of as many rows on either side of the run.
//!
//! Example: in 30 days, 720 hours, 180 arrive three days late, the others at once: a share of 0.25. With `suspect` 0.1
//! and `certain` 0.3 the score is 0.5 + 0.5 × 0.15 ÷ 0.2 = 0.875.

use std::ops::Range;

use super::excess::finite;
use super::hit::{Evidence, Hit};
use super::outlet::{FactorSeries, Outlet, Points};
use super::robust::median;
use super::score::score;
use super::segments::{Segment, segments};
use super::thresholds::Thresholds;

/// Looks for the pattern in an outlet.
pub fn detect(outlet: &Outlet, thresholds: &Thresholds<'_>) -> Vec<Hit> {
    let of_factor = |series: &FactorSeries| {
        let points = series.sent_hours.as_ref().unwrap_or(&series.fine);
        of_series(series, points, thresholds)
    };
    outlet.pollutants().flat_map(of_factor).collect()
}

fn of_series(series: &FactorSeries, points: &Points, thresholds: &Thresholds<'_>) -> Vec<Hit> {
    /// Seconds in an hour.
    const HOUR_S: f64 = 3600.0;
    let threshold = |key| thresholds.of(&series.factor, points.grid.grain(), key);
    let late_s = threshold("late_hours") * HOUR_S;
    if !points.delay_s.iter().any(|delay| *delay >= late_s) {
        return Vec::new();
    }
    let (suspect, certain) = (threshold("suspect"), threshold("certain"));
    let mut edited = late_edit(&points.delay_s, points.grid.hours(1) * HOUR_S, late_s);
    let runs = late_runs(&points.delay_s, late_s);
    let long = runs.into_iter().filter(|run| run.len() >= points.grid.points(threshold("run_hours")));
    for run in long.filter(|run| !is_lower(&points.value, run, threshold("fall"))) {
        edited.iter_mut().take(run.end).skip(run.start).for_each(|edited| *edited = None);
    }
    let evidence: Vec<f64> = edited
        .iter()
        .map(|edited| match edited {
            Some(true) => 1.0 - suspect,
            Some(false) => -suspect,
            None => 0.0,
        })
        .collect();
    let least = points.grid.points(threshold("least_rows"));
    let hit = |segment: Segment| {
        let inside = edited.get(segment.points.clone()).unwrap_or_default();
        let rows = inside.iter().filter(|edited| **edited == Some(true)).count();
        let known = inside.iter().filter(|edited| edited.is_some()).count();
        let share = rows as f64 / known.max(1) as f64;
        let value_where = |of: bool| {
            let values = inside.iter().zip(points.value.get(segment.points.clone()).unwrap_or_default());
            median(&mut finite(
                &values.filter(|(e, _)| **e == Some(of)).map(|(_, v)| *v).collect::<Vec<f64>>(),
            ))
        };
        let span = points.span(&segment.points);
        (rows >= least).then(|| Hit {
            factor: series.factor.clone(),
            started: span.start,
            ended: span.end,
            score: score(share, suspect, certain),
            rows,
            evidence: Evidence::default()
                .number("share", share)
                .number("late_rows", rows as f64)
                .number("median_late", value_where(true))
                .number("median_in_time", value_where(false)),
        })
    };
    segments(&evidence, least as f64 * suspect).into_iter().filter_map(hit).collect()
}

/// Runs of late rows.
fn late_runs(delays: &[f64], late_s: f64) -> Vec<Range<usize>> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    for (at, _) in delays.iter().enumerate().filter(|(_, delay)| **delay >= late_s) {
        match runs.last_mut() {
            Some(run) if run.end == at => run.end = at + 1,
            _ => runs.push(at..at + 1),
        }
    }
    runs
}

/// Whether the median of a run is lower by `fall` than that of as many rows on either side of it.
fn is_lower(values: &[f64], run: &Range<usize>, fall: f64) -> bool {
    let mut beside = finite(values.get(run.start.saturating_sub(run.len())..run.start).unwrap_or_default());
    let end = values.len().min(run.end.saturating_add(run.len()));
    beside.extend(finite(values.get(run.end..end).unwrap_or_default()));
    let inside = median(&mut finite(values.get(run.clone()).unwrap_or_default()));
    inside <= (1.0 - fall) * median(&mut beside)
}

/// Whether each row was edited: later than `late_s` seconds although, by then, many of the rows after it,
/// of intervals of `step_s` seconds, had arrived in time. `None` where nothing was received, and for rows that were
/// held back with all others.
///
/// ```
/// use plume_udfs::patterns::late_edit::late_edit;
/// // The second hour arrives three hours late, when three more had arrived.
/// let edited = late_edit(&[0.0, 10800.0, 0.0, 0.0, 0.0], 3600.0, 7200.0);
/// assert_eq!(edited, [Some(false), Some(true), Some(false), Some(false), Some(false)]);
/// // After an outage three arrive together.
/// let edited = late_edit(&[0.0, 10800.0, 7200.0, 3600.0, 0.0], 3600.0, 7200.0);
/// assert_eq!(edited[1], None);
/// ```
pub fn late_edit(delays: &[f64], step_s: f64, late_s: f64) -> Vec<Option<bool>> {
    // Rows known, and rows in time, before each.
    let mut before = vec![(0_usize, 0_usize)];
    let (mut known, mut in_time) = (0, 0);
    for delay in delays {
        known += usize::from(delay.is_finite());
        in_time += usize::from(*delay < step_s.max(late_s / 2.0));
        before.push((known, in_time));
    }
    let row = |(at, delay): (usize, &f64)| {
        if !delay.is_finite() {
            return None;
        }
        if *delay < late_s {
            return Some(false);
        }
        // The last of them came with it.
        let until = at.saturating_add((delay / step_s) as usize).min(delays.len());
        let (from, to) = (before.get(at + 1)?, before.get(until)?);
        let in_time = to.1.saturating_sub(from.1);
        // At least a quarter of the intervals meanwhile, and one.
        (in_time > 0 && 4 * in_time >= until.saturating_sub(at + 1)).then_some(true)
    };
    delays.iter().enumerate().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::super::odd_records::{DEED, HALF_YEAR, delayed, survives};
    use super::super::survival::{even, found, outlet, stack};
    use super::*;
    use crate::time::HOUR_US;

    const PATTERN: &str = "late_edit";
    const DAY_S: f64 = 86400.0;

    fn outlet_of(late_s: impl Fn(usize, f64, f64) -> f64) -> Outlet {
        let values = stack(1, HALF_YEAR);
        let chance = even(4, HALF_YEAR);
        let delays = (0..HALF_YEAR).map(|at| late_s(at, values[at], chance[at]));
        outlet(delayed(values.clone(), delays.collect()))
    }

    #[test]
    fn edited_hours_are_found_at_every_strength() {
        for share in [0.15, 0.3, 0.6] {
            let late =
                |at: usize, _, part: f64| if DEED.contains(&at) && part < share { 3.0 * DAY_S } else { 60.0 };
            let hits = found(PATTERN, detect, &outlet_of(late));
            assert_eq!(hits.len(), 1, "{share}");
            assert!((hits[0].started / HOUR_US - DEED.start as i64).abs() < 24, "{hits:?}");
            assert!((hits[0].ended / HOUR_US - DEED.end as i64).abs() < 24, "{hits:?}");
        }
    }

    #[test]
    fn an_outage_that_is_made_good_is_not() {
        // Three outages of four days; what was held back arrives at their end.
        let outage = |at: usize, _, _| if at % 1400 < 96 { (96 - at % 1400) as f64 * 3600.0 } else { 60.0 };
        assert_eq!(found(PATTERN, detect, &outlet_of(outage)), []);
        // Lost by the platform, and asked for a month later.
        let lost = |at: usize, _, _| if at % 1400 < 200 { 30.0 * DAY_S } else { 60.0 };
        assert_eq!(found(PATTERN, detect, &outlet_of(lost)), []);
    }

    #[test]
    fn odd_outlets() {
        survives(PATTERN, detect);
    }
}
