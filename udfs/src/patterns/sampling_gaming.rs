//! P31 `sampling_gaming` (采样取巧): the outfall is sampled when it is at its best.
//!
//! Mechanism: one good sample is told for many hours; or the analyser measures at chosen hours of the day only; or
//! its measuring interval is made long.
//!
//! Formula: (1) rows in a row that tell one sampling time are a run; usual is the median length of
//! runs. A stretch of runs above `suspect` × usual and of `least_hours` or more is a hit; score: the median of run ÷
//! usual over its rows, `suspect` → 0.5, `certain` → 1. (2) In a stretch with missing hours (each missing +1, each
//! present −`present`) an hour of the day is dropped where `dropped` or more of its hours are missing, and `dropped`
//! or more stand outside the stretch; kept where `dropped` or more stand. Score of hours of the
//! day that are one or the other ÷ 24, `suspect_apart` → 0.5, `certain_apart` → 1, of stretches
//! of `least_days` with `least_dropped` hours dropped. (3) A measuring interval (i13003) longer by `suspect` or more.
//!
//! Excused: hours without flow or stopped; analysers that always take several hours (usual); outages, which spare no
//! hour of the day; night shifts, which are missing outside the stretch, too; an interval changed near a maintenance.
//!
//! Example: an analyser that samples every 2 h; for a week one sample is told for 12 h each: 12 ÷ 2 = 6. With
//! `suspect` 3 and `certain` 6 the score is 1.

use super::documented::{Documented, maintenance_of};
use super::excess::{excesses, finite};
use super::hit::{Evidence, Hit};
use super::logger_parameter_change::changes;
use super::outlet::{FactorSeries, Outlet, Points};
use super::robust::median;
use super::score::score;
use super::segments::{Segment, segments};
use super::thresholds::Thresholds;

/// Measuring interval of an analyser, min.
const INTERVAL: &str = "i13003";
/// Hours of a day.
const DAY: usize = 24;

/// Looks for the pattern in an outlet.
pub fn detect(outlet: &Outlet, thresholds: &Thresholds<'_>) -> Vec<Hit> {
    let of_factor = |series: &FactorSeries| {
        let mut hits = of_samples(outlet, series, thresholds);
        hits.extend(of_hours(outlet, series, thresholds));
        hits.extend(of_interval(outlet, series, thresholds));
        hits
    };
    outlet.pollutants().flat_map(of_factor).collect()
}

/// Whether a hour's sample was due: the plant ran, and there was a flow.
fn due_hours(outlet: &Outlet, series: &FactorSeries, hours: usize, no_flow: f64) -> Vec<bool> {
    let flow = outlet.flow(series.medium).map(|flow| flow.hours().value.as_slice()).unwrap_or_default();
    let least = no_flow * median(&mut finite(flow));
    let flows = |hour: usize| !flow.get(hour).is_some_and(|flow| *flow <= least);
    (0..hours).map(|hour| !outlet.is_stopped(hour) && flows(hour)).collect()
}

fn of_samples(outlet: &Outlet, series: &FactorSeries, thresholds: &Thresholds<'_>) -> Vec<Hit> {
    let points = if series.fine.sampled_s.is_empty() { series.hours() } else { &series.fine };
    if points.sampled_s.is_empty() {
        return Vec::new();
    }
    let threshold = |key| thresholds.of(&series.factor, points.grid.grain(), key);
    let (suspect, certain) = (threshold("suspect"), threshold("certain"));
    let due = due_hours(outlet, series, outlet.stopped.len().max(series.hours().len()), threshold("no_flow"));
    let instant = |(at, seconds): (usize, &f64)| {
        let is_due = due.get(points.grid.hour(at)).copied().unwrap_or_default();
        let start_s = points.grid.ts(at) as f64 / 1e6;
        if is_due { start_s + seconds } else { f64::NAN }
    };
    let instants: Vec<f64> = points.sampled_s.iter().enumerate().map(instant).collect();
    let runs = sampling_gaming(&instants);
    let usual = usual_run(&runs);
    let least = points.grid.points(threshold("least_hours")) as f64;
    let times: Vec<f64> =
        runs.iter().map(|run| if *run < least { run.min(0.0) } else { run / usual }).collect();
    let found = excesses(&times, suspect, least);
    let hit = |stretch: super::excess::Excess| {
        let span = points.span(&stretch.points);
        Hit {
            factor: series.factor.clone(),
            started: span.start,
            ended: span.end,
            score: score(stretch.typical, suspect, certain),
            rows: stretch.rows,
            evidence: Evidence::default()
                .number("times_usual", stretch.typical)
                .number("usual_rows_a_sample", usual),
        }
    };
    found.into_iter().map(hit).collect()
}

/// The median length of runs, each counted once.
fn usual_run(runs: &[f64]) -> f64 {
    // A run of n rows counts in n rows, so each of them is one n-th of it.
    let mut lengths: Vec<f64> = finite(runs);
    lengths.sort_by(f64::total_cmp);
    let total: f64 = lengths.iter().map(|length| length.recip()).sum();
    let mut sum = 0.0;
    for length in &lengths {
        sum += length.recip();
        if sum >= total / 2.0 {
            return *length;
        }
    }
    f64::NAN
}

/// For each row the length of its run: the rows in a row that tell the same sampling time, s. NaN where none is told,
/// which neither extends nor breaks a run.
///
/// ```
/// use plume_udfs::patterns::sampling_gaming::sampling_gaming;
/// let runs = sampling_gaming(&[0.0, 3600.0, 3600.0, f64::NAN, 3600.0, 18000.0]);
/// assert_eq!(runs[..3], [1.0, 3.0, 3.0]);
/// assert!(runs[3].is_nan());
/// assert_eq!(runs[4..], [3.0, 1.0]);
/// ```
pub fn sampling_gaming(instants: &[f64]) -> Vec<f64> {
    let told: Vec<f64> = finite(instants);
    // Instants of one sample differ by less than a second.
    let runs = told.chunk_by(|a, b| (a - b).abs() < 1.0);
    let mut lengths = runs.flat_map(|run| std::iter::repeat_n(run.len() as f64, run.len()));
    let length =
        |instant: &f64| if instant.is_finite() { lengths.next().unwrap_or(f64::NAN) } else { f64::NAN };
    instants.iter().map(length).collect()
}

fn of_hours(outlet: &Outlet, series: &FactorSeries, thresholds: &Thresholds<'_>) -> Vec<Hit> {
    let points = series.hours();
    let threshold = |key| thresholds.of(&series.factor, points.grid.grain(), key);
    let due = due_hours(outlet, series, points.len(), threshold("no_flow"));
    let missing: Vec<Option<bool>> =
        points.value.iter().zip(&due).map(|(value, due)| due.then_some(value.is_nan())).collect();
    if !missing.contains(&Some(true)) {
        return Vec::new();
    }
    let evidence: Vec<f64> = missing
        .iter()
        .map(|missing| match missing {
            Some(true) => 1.0,
            Some(false) => -threshold("present"),
            None => 0.0,
        })
        .collect();
    let least = threshold("least_days") * (1.0 - threshold("present"));
    let hit = |segment: Segment| {
        let (dropped, kept) = hours_of_day(points, &missing, &segment, threshold("dropped"))?;
        let days = segment.points.len() / DAY;
        if dropped < threshold("least_dropped") || kept == 0.0 || (days as f64) < threshold("least_days") {
            return None;
        }
        let apart = (dropped + kept) / DAY as f64;
        let inside = missing.get(segment.points.clone())?;
        let span = points.span(&segment.points);
        Some(Hit {
            factor: series.factor.clone(),
            started: span.start,
            ended: span.end,
            score: score(apart, threshold("suspect_apart"), threshold("certain_apart")),
            rows: inside.iter().filter(|missing| **missing == Some(false)).count(),
            evidence: Evidence::default()
                .number("hours_of_day_dropped", dropped)
                .number("hours_of_day_kept", kept)
                .number("days", days as f64),
        })
    };
    segments(&evidence, least.max(1.0)).into_iter().filter_map(hit).collect()
}

/// How many hours of the day are dropped in a segment, and how many kept.
fn hours_of_day(
    points: &Points,
    missing: &[Option<bool>],
    segment: &Segment,
    share: f64,
) -> Option<(f64, f64)> {
    // Of each hour of the day, within the segment and outside: due and missing.
    let mut inside = [(0.0, 0.0); DAY];
    let mut outside = [(0.0, 0.0); DAY];
    for (at, missing) in missing.iter().enumerate() {
        let Some(missing) = missing else { continue };
        let counts = if segment.points.contains(&at) { &mut inside } else { &mut outside };
        let count = counts.get_mut(usize::try_from(points.grid.hour_of_day(at)).ok()?)?;
        count.0 += 1.0;
        count.1 += f64::from(u8::from(*missing));
    }
    let is_dropped = |((due, missing), (due_outside, missing_outside)): (&(f64, f64), &(f64, f64))| {
        *due > 0.0
            && missing / due >= share
            && *due_outside > 0.0
            && missing_outside / due_outside <= 1.0 - share
    };
    let dropped = inside.iter().zip(&outside).filter(|both| is_dropped(*both)).count();
    let kept = inside.iter().filter(|(due, missing)| *due > 0.0 && missing / due <= 1.0 - share).count();
    Some((dropped as f64, kept as f64))
}

fn of_interval(outlet: &Outlet, series: &FactorSeries, thresholds: &Thresholds<'_>) -> Vec<Hit> {
    let points = series.hours();
    let threshold = |key| thresholds.of(&series.factor, points.grid.grain(), key);
    let params = outlet.records.params.iter();
    let records: Vec<(i64, f64)> = params
        .filter(|param| param.factor == series.factor && param.param == INTERVAL && param.value.is_finite())
        .map(|param| (param.ts, param.value))
        .collect();
    if records.len() < 2 {
        return Vec::new();
    }
    let ends = maintenance_of(outlet, &series.factor).flat_map(|record| [record.span.start, record.span.end]);
    let documented = Documented::new(ends.collect(), threshold("record_share"), threshold("record_hours"));
    let (suspect, certain) = (threshold("suspect"), threshold("certain"));
    let end = points.grid.ts(points.len());
    let longer = changes(&records, suspect - 1.0, end).into_iter();
    longer
        .filter(|change| change.to > change.from && !documented.accounts_for(change.span.start))
        .map(|change| Hit {
            factor: series.factor.clone(),
            started: change.span.start,
            ended: change.span.end,
            score: score(change.to / change.from, suspect, certain),
            rows: 1,
            evidence: Evidence::default()
                .text("param", INTERVAL)
                .number("from", change.from)
                .number("to", change.to),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::odd_records::{DEED, HALF_YEAR, param, survives};
    use super::super::survival::{assert_found, found, hourly, stack};
    use super::*;
    use crate::time::HOUR_US;

    const PATTERN: &str = "sampling_gaming";

    /// A sample every two hours; every `hours` while the deed lasts.
    fn outlet(hours: usize) -> Outlet {
        let mut outlet = hourly(stack(1, HALF_YEAR));
        let age = |at: usize| if DEED.contains(&at) { (at - DEED.start) % hours } else { at % 2 };
        outlet.factors[0].fine.sampled_s = (0..HALF_YEAR).map(|at| age(at) as f64 * -3600.0).collect();
        outlet
    }

    #[test]
    fn one_sample_for_many_hours_is_found_at_every_strength() {
        for hours in [8, 12, 24] {
            assert_found(PATTERN, detect, &outlet(hours), DEED.start, DEED.end, 0);
        }
        assert_eq!(found(PATTERN, detect, &outlet(2)), []);
        assert_eq!(found(PATTERN, detect, &outlet(4)), []);
    }

    #[test]
    fn hours_of_the_day_that_are_dropped_are_found() {
        let dropped = |at: usize| DEED.contains(&at) && (8..18).contains(&(at % 24));
        let mut outlet = hourly(stack(1, HALF_YEAR));
        (0..HALF_YEAR).filter(|at| dropped(*at)).for_each(|at| outlet.factors[0].fine.value[at] = f64::NAN);
        // Hour 1500 is noon, and hour 2939 11 o'clock.
        assert_found(PATTERN, detect, &outlet, 1500, 2940, 0);
        let mut night_shift = hourly(stack(1, HALF_YEAR));
        (0..HALF_YEAR)
            .filter(|at| at % 24 < 8)
            .for_each(|at| night_shift.factors[0].fine.value[at] = f64::NAN);
        assert_eq!(found(PATTERN, detect, &night_shift), []);
    }

    #[test]
    fn intermittent_discharge_is_not() {
        let mut outlet = outlet(24);
        outlet.stopped = (0..HALF_YEAR).map(|at| DEED.contains(&at) && (at - DEED.start) % 24 >= 4).collect();
        assert_eq!(found(PATTERN, detect, &outlet), []);
    }

    #[test]
    fn a_longer_measuring_interval_is_found() {
        let mut outlet = outlet(2);
        outlet.records.params = vec![
            param(INTERVAL, 0, 60.0),
            param(INTERVAL, 1500 * HOUR_US, 240.0),
            param(INTERVAL, 2940 * HOUR_US, 60.0),
        ];
        assert_found(PATTERN, detect, &outlet, 1500, 2940, 0);
    }

    #[test]
    fn odd_outlets() {
        survives(PATTERN, detect);
    }
}
