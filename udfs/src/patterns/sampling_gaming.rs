//! P31 `sampling_gaming` (采样取巧): the outfall is sampled when it is at its best.
//!
//! Mechanism: one good sample is told for many hours; or the analyser measures at chosen hours of the day only; or
//! its measuring interval is made long.
//!
//! Formula: (1) rows in a row that tell one sampling time are a run; usual is the median length of
//! runs. A run is long from halfway between usual and `suspect` × usual on. A stretch with `least_hours` more rows
//! in long runs than in others is a hit; score: the median of run ÷ usual over its rows, `suspect` → 0.5,
//! `certain` → 1. (2) In a stretch with missing hours (each missing +1, each
//! present −`present`) an hour of the day is dropped where `dropped` or more of its hours are missing, and `dropped`
//! or more stand outside the stretch; kept where `dropped` or more stand. Score of hours of the
//! day that are one or the other ÷ 24, `suspect_apart` → 0.5, `certain_apart` → 1, of stretches
//! of `least_days` of hours that were due with `least_dropped` hours dropped. (3) A measuring interval (i13003)
//! longer by `suspect` or more.
//!
//! Excused: hours without flow or stopped; analysers that always take several hours (usual); outages, which spare no
//! hour of the day; night shifts, which are missing outside the stretch, too; an interval changed near a maintenance.
//!
//! Example: an analyser that samples every 2 h; for a week one sample is told for 12 h each: 12 ÷ 2 = 6. With
//! `suspect` 3 and `certain` 6 the score is 1.

use plume_datasets::factors::Medium;

use super::departure::sample;
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
    let pollutants: Vec<&FactorSeries> = outlet.pollutants().collect();
    let mut hits = Vec::new();
    for medium in [Medium::Air, Medium::Water] {
        let of_medium: Vec<_> = pollutants.iter().filter(|series| series.medium == medium).collect();
        let Some(first) = of_medium.first() else { continue };
        let no_flow = thresholds.of(&first.factor, first.hours().grid.grain(), "no_flow");
        let due = due_hours(outlet, medium, no_flow);
        for series in of_medium {
            hits.extend(of_samples(series, &due, thresholds));
            hits.extend(of_hours(series, &due, thresholds));
            hits.extend(of_interval(outlet, series, thresholds));
        }
    }
    hits
}

/// Whether an hour's sample was due: the plant ran, and there was a flow.
fn due_hours(outlet: &Outlet, medium: Medium, no_flow: f64) -> Vec<bool> {
    let flow = outlet.flow(medium).map(|flow| flow.hours().value.as_slice()).unwrap_or_default();
    let least = no_flow * median(&mut sample(flow));
    let flows = |hour: usize| !flow.get(hour).is_some_and(|flow| *flow <= least);
    let hours = outlet.factors.iter().map(|series| series.hours().len()).max().unwrap_or_default();
    (0..hours.max(outlet.stopped.len())).map(|hour| !outlet.is_stopped(hour) && flows(hour)).collect()
}

fn of_samples(series: &FactorSeries, due: &[bool], thresholds: &Thresholds<'_>) -> Vec<Hit> {
    let points = if series.fine.sampled_s.is_empty() { series.hours() } else { &series.fine };
    if points.sampled_s.is_empty() {
        return Vec::new();
    }
    let threshold = |key| thresholds.of(&series.factor, points.grid.grain(), key);
    let (suspect, certain) = (threshold("suspect"), threshold("certain"));
    let least_rows = points.grid.points(threshold("least_hours"));
    // Half of the rows of long runs, at least, tell what the row before told.
    if rows_told_again(points) < least_rows / 2 {
        return Vec::new();
    }
    let instant = |(at, seconds): (usize, &f64)| {
        let is_due = due.get(points.grid.hour(at)).copied().unwrap_or_default();
        let start_s = points.grid.ts(at) as f64 / 1e6;
        if is_due { start_s + seconds } else { f64::NAN }
    };
    let instants = points.sampled_s.iter().enumerate().map(instant);
    let (longest, usual) = longest_and_usual_run(instants.clone());
    if (longest as f64) < suspect * usual {
        return Vec::new();
    }
    let runs = sampling_gaming(&instants.collect::<Vec<f64>>());
    let times: Vec<f64> = runs.iter().map(|run| run / usual).collect();
    // A run speaks for the pattern from halfway between the usual and the suspect length on.
    let least = (1.0 + suspect) / 2.0 - 0.5 / usual;
    let found = excesses(&times, least, least_rows as f64);
    let hit = |stretch: super::excess::Excess| {
        series.hit(
            points.span(&stretch.points),
            score(stretch.typical, suspect, certain),
            stretch.rows,
            Evidence::default().number("times_usual", stretch.typical).number("usual_rows_a_sample", usual),
        )
    };
    found.into_iter().map(hit).collect()
}

/// How many rows tell the sampling time of the row before.
fn rows_told_again(points: &Points) -> usize {
    let step_s = points.grid.step as f64 / 1e6;
    let pairs = points.sampled_s.iter().zip(points.sampled_s.iter().skip(1));
    pairs.filter(|(before, seconds)| is_one_sample(**before, **seconds + step_s)).count()
}

/// The longest run of one sampling time, and the median length of runs, each counted once; what is longer than some
/// days counts as that long.
fn longest_and_usual_run(instants: impl Iterator<Item = f64>) -> (usize, f64) {
    let mut counts = [0_usize; 4 * DAY];
    let (mut longest, mut length, mut before) = (0, 0_usize, f64::NAN);
    let mut end = |length: usize| {
        longest = length.max(longest);
        let at = length.min(counts.len() - 1);
        if let Some(count) = counts.get_mut(at).filter(|_| length > 0) {
            *count += 1;
        }
    };
    for instant in instants.filter(|instant| instant.is_finite()) {
        if !is_one_sample(before, instant) {
            end(length);
            length = 0;
        }
        length += 1;
        before = instant;
    }
    end(length);
    let half = counts.iter().sum::<usize>().div_ceil(2);
    let mut sum = 0;
    let usual = counts.iter().position(|count| {
        sum += count;
        sum >= half && half > 0
    });
    (longest, usual.map_or(f64::NAN, |usual| usual as f64))
}

/// Instants of one sample differ by less than a second.
fn is_one_sample(a: f64, b: f64) -> bool {
    (a - b).abs() < 1.0
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
    let runs = told.chunk_by(|a, b| is_one_sample(*a, *b));
    let mut lengths = runs.flat_map(|run| std::iter::repeat_n(run.len() as f64, run.len()));
    let length =
        |instant: &f64| if instant.is_finite() { lengths.next().unwrap_or(f64::NAN) } else { f64::NAN };
    instants.iter().map(length).collect()
}

fn of_hours(series: &FactorSeries, due: &[bool], thresholds: &Thresholds<'_>) -> Vec<Hit> {
    let points = series.hours();
    let threshold = |key| thresholds.of(&series.factor, points.grid.grain(), key);
    let (present, least_days) = (threshold("present"), threshold("least_days"));
    let of_hour_of_day = threshold("dropped") * least_days;
    if (often_missing(points, of_hour_of_day) as f64) < threshold("least_dropped") {
        return Vec::new();
    }
    let says = |(value, due): (&f64, &bool)| match (due, value.is_nan()) {
        (false, _) => 0.0,
        (true, true) => 1.0,
        (true, false) => -present,
    };
    let says: Vec<f64> = points.value.iter().zip(due).map(says).collect();
    let hit = |segment: Segment| {
        // Most stretches are one outage.
        if segment.points.len() / DAY < least_days as usize {
            return None;
        }
        let (dropped, kept, days) = hours_of_day(points, &says, &segment, threshold("dropped"))?;
        if dropped < threshold("least_dropped") || kept == 0.0 || days < least_days {
            return None;
        }
        let apart = (dropped + kept) / DAY as f64;
        let inside = says.get(segment.points.clone())?;
        let span = points.span(&segment.points);
        Some(
            series.hit(
                span,
                score(apart, threshold("suspect_apart"), threshold("certain_apart")),
                inside.iter().filter(|says| **says < 0.0).count(),
                Evidence::default()
                    .number("hours_of_day_dropped", dropped)
                    .number("hours_of_day_kept", kept)
                    .number("days", days),
            ),
        )
    };
    let least = least_days * (1.0 - present);
    segments(&says, least.max(1.0)).into_iter().filter_map(hit).collect()
}

/// How many hours of the day are missing at least so many times, for whatever reason.
fn often_missing(points: &Points, least: f64) -> usize {
    let counts = points.by_hour_of_day(|at| points.value.get(at).is_some_and(|value| value.is_nan()));
    counts.into_iter().filter(|count| *count as f64 >= least).count()
}

/// How many hours of the day are dropped in a segment, how many kept, and how many days of hours were due. Each hour
/// says more than 0 where it is missing, less where it is there, and 0 where it was not due.
fn hours_of_day(points: &Points, says: &[f64], segment: &Segment, share: f64) -> Option<(f64, f64, f64)> {
    // Of each hour of the day, within the segment and outside: due and missing.
    let mut inside = [(0.0, 0.0); DAY];
    let mut outside = [(0.0, 0.0); DAY];
    for (at, says) in says.iter().enumerate().filter(|(_, says)| **says != 0.0) {
        let counts = if segment.points.contains(&at) { &mut inside } else { &mut outside };
        let count = counts.get_mut(usize::try_from(points.grid.hour_of_day(at)).ok()?)?;
        count.0 += 1.0;
        count.1 += f64::from(u8::from(*says > 0.0));
    }
    let is_dropped = |((due, missing), (due_outside, missing_outside)): (&(f64, f64), &(f64, f64))| {
        *due > 0.0
            && missing / due >= share
            && *due_outside > 0.0
            && missing_outside / due_outside <= 1.0 - share
    };
    let dropped = inside.iter().zip(&outside).filter(|both| is_dropped(*both)).count();
    let kept = inside.iter().filter(|(due, missing)| *due > 0.0 && missing / due <= 1.0 - share).count();
    let days = inside.iter().map(|(due, _)| due).sum::<f64>() / DAY as f64;
    Some((dropped as f64, kept as f64, days))
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
        .map(|change| {
            series.hit(
                change.span.start..change.span.end,
                score(change.to / change.from, suspect, certain),
                1,
                Evidence::default()
                    .text("param", INTERVAL)
                    .number("from", change.from)
                    .number("to", change.to),
            )
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
