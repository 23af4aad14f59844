//! P33 `late_edit` (事后修改): hours are sent again days later, with better figures.
//!
//! Mechanism: what was sent in time is replaced, once it is known which hours exceed. The row in force
//! then arrives late, among rows that arrived in time.
//!
//! Formula: a row is late where it arrives `late_hours` or more after its interval, and in time within
//! `in_time_hours`. It is edited where by then the share `working` of the rows after it had arrived in time, so that
//! the line worked. A stretch is where edited
//! rows are of a share `within` rather than `elsewhere`, as the logarithms of both tell. Score: the share,
//! `suspect` → 0.5, `certain` → 1, of stretches with `least_rows` or more.
//!
//! Excused: rows held back by an outage of line or platform, while nothing else arrives; neighbouring rows that
//! arrive together, and `run_hours` or more that arrive in order: what an outage lost is sent again so, and edits
//! pick hours. Unless a run of `run_hours` or more lies wholly lower: its upper quartile `fall` below the lower
//! quartile of as many rows on either side of it, and so do `share_lower` of such runs and at least `least_lower`.
//!
//! Example: in 30 days, 720 hours, 180 arrive three days late, the others at once: a share of 0.25. With `suspect` 0.1
//! and `certain` 0.3 the score is 0.5 + 0.5 × 0.15 ÷ 0.2 = 0.875.

use std::ops::Range;

use super::evidence::{evidence, says};
use super::excess::finite;
use super::hit::{Evidence, Hit};
use super::outlet::{FactorSeries, Outlet, Points};
use super::robust::{median, quantile};
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
    let pace = Pace {
        step_s: points.grid.hours(1) * HOUR_S,
        late_s: threshold("late_hours") * HOUR_S,
        in_time_s: threshold("in_time_hours") * HOUR_S,
        working: threshold("working"),
    };
    let least = points.grid.points(threshold("least_rows"));
    let late = points.delay_s.iter().filter(|delay| **delay >= pace.late_s).count();
    if late < least {
        return Vec::new();
    }
    let lowered = Lowered {
        long: points.grid.points(threshold("run_hours")),
        fall: threshold("fall"),
        least: threshold("least_lower"),
        share: threshold("share_lower"),
    };
    let resent = excused(points, &pace, &lowered);
    // Most outlets have outages, and nothing else that is late.
    if late.saturating_sub(resent.iter().map(Range::len).sum()) < least {
        return Vec::new();
    }
    let mut edited = late_edit(&points.delay_s, &pace);
    for run in resent {
        edited.get_mut(run).unwrap_or_default().fill(None);
    }
    let weights = evidence(threshold("within"), threshold("elsewhere"));
    let speaks: Vec<f64> = edited.iter().map(|is_edited| says(*is_edited, weights)).collect();
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
        (rows >= least).then(|| {
            series.hit(
                points.span(&segment.points),
                score(share, threshold("suspect"), threshold("certain")),
                rows,
                Evidence::default()
                    .number("share", share)
                    .number("late_rows", rows as f64)
                    .number("median_late", value_where(true))
                    .number("median_in_time", value_where(false)),
            )
        })
    };
    segments(&speaks, weights.0).into_iter().filter_map(hit).collect()
}

/// When runs of late rows that were sent again in one go are edits for all that.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Lowered {
    /// Rows of a run that is long.
    long: usize,
    /// By how much a run must be lower.
    fall: f64,
    /// Runs that must be lower, since one is by chance.
    least: f64,
    /// Share of all long runs that must be.
    share: f64,
}

/// The runs of late rows that an outage accounts for.
fn excused(points: &Points, pace: &Pace, lowered: &Lowered) -> Vec<Range<usize>> {
    let runs = resent(&points.delay_s, pace, lowered.long);
    let (long, short): (Vec<_>, Vec<_>) = runs.into_iter().partition(|run| run.len() >= lowered.long);
    let all = long.len() as f64;
    let (low, mut rest): (Vec<_>, Vec<_>) =
        long.into_iter().partition(|run| is_lower(points, run, lowered.fall));
    if (low.len() as f64) < lowered.least.max(lowered.share * all) {
        rest.extend(low);
    }
    rest.extend(short);
    rest
}

/// Runs of late rows that were sent again as an outage's are: two or more that arrived together, within half an
/// interval from each to the next, and `long` or more that arrived in order.
///
/// ```
/// use plume_udfs::patterns::late_edit::{Pace, resent};
/// let pace = Pace { step_s: 3600.0, late_s: 86400.0, in_time_s: 43200.0, working: 0.25 };
/// // Hours 1 to 3 arrive together, two days late; hours 5 and 6 a day apart.
/// let delays = [0.0, 180e3, 176.4e3, 172.8e3, 0.0, 90e3, 172.8e3];
/// assert_eq!(resent(&delays, &pace, 12), [1..4]);
/// ```
pub fn resent(delays: &[f64], pace: &Pace, long: usize) -> Vec<Range<usize>> {
    let (step_s, late_s) = (pace.step_s, pace.late_s);
    let half = step_s / 2.0;
    let mut together = runs_of_late(delays, late_s, |before, delay| (step_s + delay - before).abs() <= half);
    let mut in_order = runs_of_late(delays, late_s, |before, delay| step_s + delay - before >= -half);
    in_order.retain(|run| run.len() >= long);
    // Each long one stands for those within it.
    let is_within = |run: &Range<usize>| {
        let next = in_order.partition_point(|other| other.end < run.end);
        in_order.get(next).is_some_and(|other| other.start <= run.start)
    };
    together.retain(|run| run.len() > 1 && !is_within(run));
    together.extend(in_order);
    together
}

/// Runs of late rows, in which each follows the one before as `follows` asks of their two delays.
fn runs_of_late(delays: &[f64], late_s: f64, follows: impl Fn(f64, f64) -> bool) -> Vec<Range<usize>> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    let mut before = f64::NAN;
    for (at, delay) in delays.iter().copied().enumerate() {
        if delay >= late_s {
            match runs.last_mut() {
                Some(run) if run.end == at && follows(before, delay) => run.end = at + 1,
                _ => runs.push(at..at + 1),
            }
        }
        before = delay;
    }
    runs
}

/// Whether the upper quartile of a run lies `fall` below the lower quartile of as many rows on either side of it.
fn is_lower(points: &Points, run: &Range<usize>, fall: f64) -> bool {
    let known = |rows: Range<usize>| rows.map(|row| points.usable_value(row)).filter(|v| v.is_finite());
    let end = points.len().min(run.end.saturating_add(run.len()));
    let before = known(run.start.saturating_sub(run.len())..run.start);
    let mut beside: Vec<f64> = before.chain(known(run.end..end)).collect();
    let mut inside: Vec<f64> = known(run.clone()).collect();
    quantile(&mut inside, 0.75) <= (1.0 - fall) * quantile(&mut beside, 0.25)
}

/// How fast rows come, and what is late.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    /// Length of an interval, s.
    pub step_s: f64,
    /// Seconds after its interval from which on a row is late.
    pub late_s: f64,
    /// Seconds up to which it is in time.
    pub in_time_s: f64,
    /// Share of the intervals until a late row came that must have come in time, for the line to have worked.
    pub working: f64,
}

/// Whether each row was edited: late although, by then, many of the rows after it had arrived in time. `None` where
/// nothing was received, and for rows that were held back with all others.
///
/// ```
/// use plume_udfs::patterns::late_edit::{Pace, late_edit};
/// let pace = Pace { step_s: 3600.0, late_s: 7200.0, in_time_s: 3600.0, working: 0.25 };
/// // The second hour arrives three hours late, when two more had arrived.
/// let edited = late_edit(&[0.0, 10800.0, 0.0, 0.0, 0.0], &pace);
/// assert_eq!(edited, [Some(false), Some(true), Some(false), Some(false), Some(false)]);
/// // After an outage three arrive together.
/// let edited = late_edit(&[0.0, 10800.0, 7200.0, 3600.0, 0.0], &pace);
/// assert_eq!(edited[1], None);
/// ```
pub fn late_edit(delays: &[f64], pace: &Pace) -> Vec<Option<bool>> {
    // Rows in time before each.
    let mut before = Vec::with_capacity(delays.len() + 1);
    let mut in_time = 0_usize;
    before.push(in_time);
    for delay in delays {
        in_time += usize::from(*delay < pace.in_time_s);
        before.push(in_time);
    }
    let row = |(at, delay): (usize, &f64)| {
        if !delay.is_finite() {
            return None;
        }
        if *delay < pace.late_s {
            return Some(false);
        }
        // The last of them came with it.
        let until = at.saturating_add((delay / pace.step_s) as usize).min(delays.len());
        let in_time = before.get(until)?.saturating_sub(*before.get(at + 1)?);
        let meanwhile = until.saturating_sub(at + 1) as f64;
        (in_time > 0 && in_time as f64 >= pace.working * meanwhile).then_some(true)
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
    fn a_batch_that_is_lower_than_anything_around_it_is_found() {
        // 72 of 400 hours, a share of 0.18, are sent again a day after them.
        let later = |at: usize, _, _| if at % 400 < 72 { (96 - at % 400) as f64 * 3600.0 } else { 60.0 };
        let mut lowered = outlet_of(later);
        let value = &mut lowered.factors[0].fine.value;
        (0..HALF_YEAR).filter(|at| at % 400 < 72).for_each(|at| value[at] *= 0.3);
        assert!(!found(PATTERN, detect, &lowered).is_empty());
    }

    #[test]
    fn an_outage_that_is_made_good_is_not() {
        // Three outages of four days; what was held back arrives at their end.
        let outage = |at: usize, _, _| if at % 1400 < 96 { (96 - at % 1400) as f64 * 3600.0 } else { 60.0 };
        assert_eq!(found(PATTERN, detect, &outlet_of(outage)), []);
        // Lost by the platform, and asked for a month later.
        let lost = |at: usize, _, _| if at % 1400 < 200 { 30.0 * DAY_S } else { 60.0 };
        assert_eq!(found(PATTERN, detect, &outlet_of(lost)), []);
        // Made good a day after the line came back: by then 24 h of others had arrived.
        let later = |at: usize, _, _| if at % 1400 < 72 { (96 - at % 1400) as f64 * 3600.0 } else { 60.0 };
        assert_eq!(found(PATTERN, detect, &outlet_of(later)), []);
    }

    #[test]
    fn odd_outlets() {
        survives(PATTERN, detect);
    }
}
