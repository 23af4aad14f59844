//! P1 `constant_value` (固定值): the analyser's output is frozen.
//!
//! Mechanism: a logger or an analyser is set to send one figure, or the sample line is cut off
//! and the cell keeps what it last saw. Noise exceeds the resolution of any analyser, so a real
//! series moves within hours.
//!
//! Formula: the longest runs of points that can be judged and are equal, hours of the points at the
//! figure; gaps and flagged points within a run neither extend nor break it, and a few odd points
//! (`join`) between two runs of one figure don't either. Score: hours, `suspect` → 0.5, `certain` → 1.
//!
//! Excused: values of 0 and at or below the detection limit, stopped hours, hours after maintenance (not
//! usable, so never in a run); figures within an analyser's zero drift, a share `floor` of its range; a
//! value below which hardly anything lies (`below`) and that other runs stand at, too, for half as long
//! or more, which is what a detection limit that nobody registered looks like; a figure that as many points
//! stand at in shorter runs, and more than at all others in such, which is a clamp's and no frozen one; a
//! plant that its load or flow shows at rest (`running`); and few decimals: where values repeat by
//! themselves (pH with one decimal), a run must be `coarse` times as long as elsewhere, and as the third
//! longest run of the series. What repeats is counted among values of the run's size, half of it and
//! more: those at a floor tell nothing of higher ones.
//!
//! Example: 30 hours of 12.3 are a run of 30 h; with `suspect` 24 and `certain` 72 its score is
//! 0.5 + 0.5 × (30 − 24) ÷ (72 − 24) = 0.5625.

use std::ops::Range;

use super::hit::{Evidence, Hit};
use super::outlet::{FactorSeries, Outlet};
use super::rest::is_at_rest;
use super::score::score;
use super::thresholds::Thresholds;

/// Looks for the pattern in an outlet.
pub fn detect(outlet: &Outlet, thresholds: &Thresholds<'_>) -> Vec<Hit> {
    outlet.factors.iter().flat_map(|series| of_series(outlet, series, thresholds)).collect()
}

fn of_series(outlet: &Outlet, series: &FactorSeries, thresholds: &Thresholds<'_>) -> Vec<Hit> {
    let points = &series.fine;
    let grid = points.grid;
    let threshold = |key| thresholds.of(&series.factor, grid.grain(), key);
    let values = points.usable_values();
    let least = grid.points(threshold("suspect"));
    let runs = joined(constant_value(&values, 2), &values, grid.points(threshold("join")));
    if !runs.iter().any(|run| run.rows >= least) {
        return Vec::new();
    }
    let (share, coarse) = (threshold("coarse_share"), threshold("coarse"));
    let times = |run: &ConstantRun| coarseness(&values, &runs, run.value.abs() / 2.0, least, share, coarse);
    let drift = series.monitor.range_high * threshold("floor");
    let known = values.iter().filter(|value| !value.is_nan()).count() as f64;
    let stands_elsewhere = |run: &ConstantRun| {
        let at = runs.iter().filter(|other| other.value == run.value).map(|other| other.rows);
        2 * at.sum::<usize>() >= 3 * run.rows
    };
    let is_low = |run: &ConstantRun| {
        let below = values.iter().filter(|value| **value < run.value).count();
        below as f64 <= threshold("below") * known
    };
    let is_floor = |run: &&ConstantRun| {
        run.value == 0.0 || run.value.abs() <= drift || (stands_elsewhere(run) && is_low(run))
    };
    let hit = |run: &ConstantRun| {
        let hours = grid.hours(run.rows);
        series.hit(
            points.span(&run.points),
            score(hours, threshold("suspect") * times(run), threshold("certain") * times(run)),
            run.rows,
            Evidence::default().number("value", run.value).number("hours", hours),
        )
    };
    let is_long = |run: &&ConstantRun| run.rows >= least && run.rows as f64 >= least as f64 * times(run);
    let is_at_rest = |run: &ConstantRun| {
        let hours = grid.hour(run.points.start)..grid.hour(run.points.end);
        is_at_rest(outlet, series.medium, hours, threshold("running"))
    };
    let is_pile = |run: &ConstantRun| {
        let size = run.value.abs() / 2.0;
        let shorter = || runs.iter().filter(|other| other.rows < least && other.value.abs() >= size);
        let all: usize = shorter().map(|other| other.rows).sum();
        let at: usize = shorter().filter(|other| other.value == run.value).map(|other| other.rows).sum();
        at >= run.rows && 2 * at > all
    };
    let is_odd = |run: &&ConstantRun| !is_floor(run) && !is_pile(run) && !is_at_rest(run);
    runs.iter().filter(is_long).filter(is_odd).map(hit).collect()
}

/// How many times longer than elsewhere a run must be: 1, unless a share of points from a size on equals
/// the one before though in no long run; then `coarse` times as long, and as the third longest.
fn coarseness(values: &[f64], runs: &[ConstantRun], size: f64, least: usize, share: f64, coarse: f64) -> f64 {
    let present = values.iter().filter(|value| value.abs() >= size).count();
    let runs = || runs.iter().filter(|run| run.value.abs() >= size);
    let in_long: usize = runs().filter(|run| run.rows >= least).map(|run| run.rows).sum();
    let repeats: usize = runs().filter(|run| run.rows < least).map(|run| run.rows - 1).sum();
    let others = present.saturating_sub(in_long);
    if (repeats as f64) < share * others as f64 || others < least {
        return 1.0;
    }
    let mut rows: Vec<usize> = runs().map(|run| run.rows).collect();
    rows.sort_unstable_by(|a, b| b.cmp(a));
    let third = rows.get(2).copied().unwrap_or_default();
    coarse * (third as f64 / least as f64).max(1.0)
}

/// Runs of one figure with at most `join` points of others between them as one.
fn joined(runs: Vec<ConstantRun>, values: &[f64], join: usize) -> Vec<ConstantRun> {
    let mut joined: Vec<ConstantRun> = Vec::new();
    for run in runs {
        let odd = |last: &ConstantRun| {
            let between = values.get(last.points.end..run.points.start).unwrap_or_default();
            between.iter().filter(|value| !value.is_nan()).take(join + 1).count()
        };
        // Few odd points, and fewer than either run has.
        let continues = |last: &&mut ConstantRun| {
            last.value == run.value && odd(last) <= join.min(last.rows).min(run.rows)
        };
        match joined.last_mut().filter(continues) {
            Some(last) => {
                last.points.end = run.points.end;
                last.rows += run.rows;
            }
            None => joined.push(run),
        }
    }
    joined
}

/// A run of equal values.
#[derive(Debug, Clone, PartialEq)]
pub struct ConstantRun {
    /// From its first to its last point.
    pub points: Range<usize>,
    /// The value.
    pub value: f64,
    /// Points that have it.
    pub rows: usize,
}

/// The runs of equal values that reach over at least `least` points, in order. NaN neither
/// extends nor breaks a run.
///
/// ```
/// use plume_udfs::patterns::constant_value::constant_value;
/// let runs = constant_value(&[1.0, 2.0, 2.0, f64::NAN, 2.0, 3.0], 3);
/// assert_eq!(runs.len(), 1);
/// assert_eq!((runs[0].points.clone(), runs[0].value, runs[0].rows), (1..5, 2.0, 3));
/// ```
pub fn constant_value(values: &[f64], least: usize) -> Vec<ConstantRun> {
    let mut runs = Vec::new();
    let mut run = ConstantRun { points: 0..0, value: f64::NAN, rows: 0 };
    for (at, value) in values.iter().copied().enumerate() {
        if value == run.value {
            run.points.end = at + 1;
            run.rows += 1;
        } else if !value.is_nan() {
            if run.rows > 1 {
                runs.push(run);
            }
            run = ConstantRun { points: at..at + 1, value, rows: 1 };
        }
    }
    runs.push(run);
    runs.retain(|run| run.points.len() >= least && run.rows > 1);
    runs
}

#[cfg(test)]
mod tests {
    use super::super::survival::{assert_found, found, hourly, outlet, points, stack, survives};
    use super::*;

    const NAME: &str = "constant_value";

    #[test]
    fn a_frozen_stretch_is_one_hit() {
        for value in [24.0, 17.5, 12.0] {
            let mut values = stack(21, 4320);
            values[1440..2880].fill(value);
            // An odd point and a gap within don't break it.
            values[2000] = value + 0.01;
            values[2100..2120].fill(f64::NAN);
            assert_found(NAME, detect, &hourly(values), 1440, 2880, 1);
        }
    }

    #[test]
    fn the_worked_example() {
        let mut values = stack(22, 1000);
        values[100..130].fill(12.3);
        let found = found(NAME, detect, &hourly(values));
        assert_eq!((found.len(), found[0].score), (1, 0.5625));
    }

    #[test]
    fn floors_are_excused() {
        let floor: Vec<f64> = stack(23, 4320).into_iter().map(|value| value.max(26.0)).collect();
        assert!(found(NAME, detect, &hourly(floor)).is_empty());
        // 2 of a range of 125 is within the zero drift.
        let mut zero = stack(24, 4320);
        zero[1000..2000].fill(2.0);
        assert!(found(NAME, detect, &hourly(zero)).is_empty());
    }

    #[test]
    fn what_repeats_at_a_floor_excuses_nothing_above() {
        // Half of the hours at 2 of a registered range of 125 in runs of 50; 30 hours of 12.3 among the rest.
        let mut values = stack(26, 2000);
        (0..20).for_each(|run| values[run * 100..run * 100 + 50].fill(2.0));
        values[1060..1090].fill(12.3);
        let found = found(NAME, detect, &hourly(values));
        assert_eq!((found.len(), found[0].score), (1, 0.5625));
    }

    #[test]
    fn the_figure_of_a_clamp_is_none() {
        // Every peak is 26, for 3 hours in 10 and once for 30 hours: 90 points in runs of 3.
        let mut values = stack(25, 1000);
        (0..30).for_each(|peak| values[100 + peak * 10..103 + peak * 10].fill(26.0));
        values[500..530].fill(26.0);
        assert!(found(NAME, detect, &hourly(values)).is_empty());
    }

    #[test]
    fn few_decimals_repeat_by_themselves() {
        // pH around 7 on one decimal, in minutes: runs of 7 h twelve times, though never one of days.
        let ph = |at: usize| if at % 4000 < 420 { 7.1 } else { 7.0 + (at / 5 % 3) as f64 / 10.0 };
        let values: Vec<f64> = (0..43_200).map(ph).collect();
        assert!(found(NAME, detect, &outlet(points(60_000_000, values))).is_empty());
    }

    #[test]
    fn nothing_makes_it_fall_over() {
        survives(NAME, detect);
    }
}
