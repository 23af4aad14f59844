//! P29 `zero_or_negative_run` (零负值): zeros or negatives while the plant runs.
//!
//! Mechanism: the sample line is cut off, or an offset is set, so that the analyser shows nothing
//! though the stack smokes.
//!
//! Formula: an hour with a value of 0 or less, flag `N` or none, while production is not stopped, the
//! load is above `running` of its upper quartile and the flow above `running` of its own (where
//! known), speaks for the pattern; one with a value above 0 against. Score: zeros as a share
//! of hours in the stretch of greatest evidence, `suspect` → 0.5, `certain` → 1, if there are `least`.
//! An offset lowers the level, too, which tells its first and last hour better than zeros, which come
//! only when the stack is low ([`super::onset`]).
//!
//! Excused: what is usually within the analyser's zero drift, a share `floor` of its range, or at the
//! detection limit; a series that is usually but `units` of its least steps, so that 0 is a rounded figure; stops; and hours in which every pollutant is 0, which is a plant at rest unless
//! the load is known to say otherwise.
//!
//! Example: 60 of 100 running hours are 0: with `suspect` 0.2 and `certain` 0.8 the score is
//! 0.5 + 0.5 × (0.6 − 0.2) ÷ (0.8 − 0.2) = 0.8333.

use std::ops::Range;

use super::evidence::evidence;
use super::hit::{Evidence, Hit};
use super::onset::level_stretch;
use super::outlet::{FactorSeries, Outlet, Points};
use super::rest::least_at_work;
use super::robust::median;
use super::score::score;
use super::segments::greatest;
use super::thresholds::Thresholds;

/// A stretch with zeros.
#[derive(Debug, Clone, PartialEq)]
pub struct Zeros {
    /// Its points.
    pub points: Range<usize>,
    /// Points at 0 or below.
    pub zeros: usize,
    /// Points that can be judged.
    pub rows: usize,
}

/// Looks for the pattern in an outlet.
pub fn detect(outlet: &Outlet, thresholds: &Thresholds<'_>) -> Vec<Hit> {
    outlet.pollutants().filter_map(|series| of_series(outlet, series, thresholds)).collect()
}

fn of_series(outlet: &Outlet, series: &FactorSeries, thresholds: &Thresholds<'_>) -> Option<Hit> {
    let points = series.hours();
    let of = |key| thresholds.of(&series.factor, points.grid.grain(), key);
    if (points.value.iter().filter(|value| **value <= 0.0).count() as f64) < of("least") {
        return None;
    }
    let monitor = &series.monitor;
    let floor = (monitor.range_high * of("floor")).max(monitor.detection_limit);
    let mut above: Vec<f64> = points.usable_values().into_iter().filter(|value| *value > 0.0).collect();
    // A series that shows nothing but zeros has no other history.
    let unit = above.windows(2).map(|pair| (pair[1] - pair[0]).abs()).filter(|step| *step > 0.0);
    let unit = unit.fold(f64::INFINITY, f64::min);
    let usual = median(&mut above);
    if above.len() < of("least") as usize
        || usual <= floor
        || (unit.is_finite() && usual <= of("units") * unit)
    {
        return None;
    }
    let runs = running(outlet, series, of("running"));
    let judged = |at: usize| match points.flag.get(at) {
        Some(0 | b'N') if runs.get(at) == Some(&true) => points.value.get(at).copied().unwrap_or(f64::NAN),
        _ => f64::NAN,
    };
    let values: Vec<f64> = (0..points.len()).map(judged).collect();
    let found = zero_or_negative_run(&values, of("within"), of("elsewhere"))?;
    if (found.zeros as f64) < of("least") {
        return None;
    }
    let share = found.zeros as f64 / found.rows.max(1) as f64;
    Some(series.hit(
        points.span(&level_stretch(&values, found.points)),
        score(share, of("suspect"), of("certain")),
        found.rows,
        Evidence::default().number("zeros", found.zeros as f64).number("share", share),
    ))
}

/// The clearest stretch of zeros and negatives among values of running hours; NaN says nothing. `within`
/// and `elsewhere` are the shares of zeros in the pattern and out of it.
///
/// ```
/// use plume_udfs::patterns::zero_or_negative_run::zero_or_negative_run;
/// let found = zero_or_negative_run(&[5.0, 0.0, -0.1, f64::NAN, 0.0, 4.0], 0.8, 0.02).unwrap();
/// assert_eq!((found.points, found.zeros, found.rows), (1..5, 3, 3));
/// ```
pub fn zero_or_negative_run(values: &[f64], within: f64, elsewhere: f64) -> Option<Zeros> {
    let (speaks, against) = evidence(within, elsewhere);
    let says = |value: f64| match value {
        value if value <= 0.0 => speaks,
        value if value > 0.0 => against,
        _ => 0.0,
    };
    let greatest = greatest(values.iter().map(|value| says(*value)))?;
    let inside = values.get(greatest.points.clone()).unwrap_or_default();
    let zeros = inside.iter().filter(|value| **value <= 0.0).count();
    let rows = inside.iter().filter(|value| !value.is_nan()).count();
    Some(Zeros { points: greatest.points, zeros, rows })
}

/// Whether the plant runs, by hour.
fn running(outlet: &Outlet, series: &FactorSeries, share: f64) -> Vec<bool> {
    let load = outlet.load();
    let flow = outlet.flow(series.medium).map(FactorSeries::hours).map(|flow| flow.value.as_slice());
    let (least_load, least_flow) =
        (least_at_work(load, share), least_at_work(flow.unwrap_or_default(), share));
    let others: Vec<&Points> = outlet.pollutants().map(FactorSeries::hours).collect();
    let runs = |hour: usize| {
        // An hour whose load isn't known is judged by the other pollutants.
        let by_load = load.get(hour).filter(|load| !load.is_nan()).map(|load| *load > least_load);
        let by_flow =
            flow.and_then(|flow| flow.get(hour)).is_none_or(|flow| flow.is_nan() || *flow > least_flow);
        let by_others = || {
            others.len() < 2
                || others.iter().any(|other| other.value.get(hour).is_some_and(|value| *value > 0.0))
        };
        !outlet.is_stopped(hour) && by_flow && by_load.unwrap_or_else(by_others)
    };
    (0..series.hours().len()).map(runs).collect()
}

#[cfg(test)]
mod tests {
    use super::super::survival::{assert_found, even, found, hourly, stack, survives, with_load};
    use super::*;

    const NAME: &str = "zero_or_negative_run";

    fn zeros(share: f64) -> Vec<f64> {
        let mut values = stack(81, 4320);
        for (value, part) in values[1440..2880].iter_mut().zip(even(82, 1440)) {
            if part < share {
                *value = 0.0;
            }
        }
        values
    }

    #[test]
    fn planted_zeros_are_found_at_every_strength() {
        for (share, within) in [(0.3, 12), (0.6, 6), (1.0, 0)] {
            assert_found(NAME, detect, &hourly(zeros(share)), 1440, 2880, within);
        }
    }

    #[test]
    fn plants_at_rest_and_low_figures_are_excused() {
        assert!(found(NAME, detect, &hourly(stack(83, 4320))).is_empty());
        let mut load = vec![80.0; 4320];
        load[1440..2880].fill(0.0);
        assert!(found(NAME, detect, &with_load(zeros(1.0), load)).is_empty());
        let stopped = (0..4320).map(|hour| (1440..2880).contains(&hour)).collect();
        assert!(found(NAME, detect, &Outlet { stopped, ..hourly(zeros(1.0)) }).is_empty());
        // Around 1 on a range of 125: zero is what the analyser shows of it.
        let low = zeros(1.0).iter().map(|value| value / 25.0).collect();
        assert!(found(NAME, detect, &hourly(low)).is_empty());
    }

    #[test]
    fn the_worked_example() {
        let mut values = vec![5.0; 300];
        (100..200).filter(|at| at % 5 == 0 || at % 5 == 2 || at % 5 == 4).for_each(|at| values[at] = 0.0);
        // Hours 100 to 199, the last of which is at 4 of 5: 60 zeros of 100.
        let found = found(NAME, detect, &hourly(values));
        assert_eq!((found.len(), found[0].rows), (1, 100));
        assert!((found[0].score - (0.5 + 0.5 * 0.4 / 0.6)).abs() < 1e-12);
    }

    #[test]
    fn nothing_makes_it_fall_over() {
        survives(NAME, detect);
    }
}
