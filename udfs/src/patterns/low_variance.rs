//! P2 `low_variance` (低波动): a series that hardly moves while the plant does.
//!
//! Mechanism: a figure with a little noise is sent, values are smoothed without measure, or the probe
//! sniffs a bottle instead of the duct.
//!
//! Formula: a step from one hour to the next is small where it is below `step` of the series' usual
//! step (its upper quartile). The stretch of greatest evidence of small steps is compared with the
//! rest: ratio = CV within ÷ CV of the rest, CV = 1.4826 × MAD ÷ median. Score: the ratio,
//! `suspect` → 0.5, `certain` → 1; a CV above `cv` is not calm at all.
//!
//! Excused: a steady plant, which has no other history than calm; a load that is flat, too; a
//! plant that its load or flow shows at rest (`running`); a
//! floor, at which the rest of the series lies, too, or that is within the analyser's zero drift;
//! a resolution too coarse to show small steps.
//!
//! Example: 100 hours with median 20 and MAD 0.05 have a CV of 0.0037; the rest, 25 and 2.5, one of
//! 0.148. Ratio 0.025 is below `certain` 0.05: score 1.

use std::ops::Range;

use super::evidence::evidence;
use super::hit::{Evidence, Hit};
use super::outlet::{FactorSeries, Outlet};
use super::rest::is_at_rest;
use super::robust::{MAD_TO_SD, median_and_mad, quantile};
use super::score::score;
use super::segments::greatest;
use super::thresholds::Thresholds;

/// Points from which on a part of the steps tells what is usual.
const MANY: usize = 2000;

/// What makes a series calm.
#[derive(Debug, Clone, Copy)]
pub struct CalmRule {
    /// Points that calm lasts at least.
    pub least: usize,
    /// Share of the usual step below which a step is small.
    pub step: f64,
    /// Share of small steps within calm.
    pub small_within: f64,
    /// Share of small steps elsewhere.
    pub small_elsewhere: f64,
}

/// A calm stretch.
#[derive(Debug, Clone, PartialEq)]
pub struct Calm {
    /// Its points.
    pub points: Range<usize>,
    /// Coefficient of variation within.
    pub cv: f64,
    /// Coefficient of variation of the rest.
    pub cv_elsewhere: f64,
    /// Median within.
    pub median: f64,
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
    let rule = CalmRule {
        least: points.grid.points(of("hours")),
        step: of("step"),
        small_within: of("small_within"),
        small_elsewhere: of("small_elsewhere"),
    };
    let values = points.usable_values();
    let calm = low_variance(&values, &rule)?;
    let drift = series.monitor.range_high * of("floor");
    if calm.cv > of("cv") || calm.median.abs() <= drift || is_floor(&values, &calm) {
        return None;
    }
    if is_at_rest(outlet, series.medium, calm.points.clone(), of("running"))
        || is_flat(outlet.load().get(calm.points.clone()).unwrap_or_default(), of("load_cv"))
    {
        return None;
    }
    let ratio = calm.cv / calm.cv_elsewhere;
    Some(
        series.hit(
            points.span(&calm.points),
            score(ratio, of("suspect"), of("certain")),
            calm.rows,
            Evidence::default()
                .number("cv", calm.cv)
                .number("cv_elsewhere", calm.cv_elsewhere)
                .number("ratio", ratio)
                .number("median", calm.median),
        ),
    )
}

/// The clearest calm stretch of values, NaN where there is none, with a rest of the series at least
/// as long to compare it with.
pub fn low_variance(values: &[f64], rule: &CalmRule) -> Option<Calm> {
    let step = |pair: &[f64]| match pair {
        [a, b] => (b - a).abs(),
        _ => f64::NAN,
    };
    // A part of many steps tells what is usual; 5 shares no factor with a day, so that all hours are seen.
    let every = if values.len() > MANY { 5 } else { 1 };
    let mut known: Vec<f64> =
        values.windows(2).step_by(every).map(step).filter(|step| step.is_finite()).collect();
    if known.len() * every < rule.least {
        return None;
    }
    let small = quantile(&mut known, 0.75) * rule.step;
    // The least step that isn't 0 is the resolution.
    let resolution = known.iter().copied().filter(|step| *step > 0.0).fold(f64::INFINITY, f64::min);
    if resolution > small {
        return None;
    }
    let (calm, lively) = evidence(rule.small_within, rule.small_elsewhere);
    let says = |step: f64| {
        if step.is_nan() {
            0.0
        } else if step <= small {
            calm
        } else {
            lively
        }
    };
    let greatest = greatest(values.windows(2).map(|pair| says(step(pair))))?;
    let span = greatest.points.start..greatest.points.end + 1;
    if span.len() < rule.least {
        return None;
    }
    let present = |part: &[f64]| part.iter().copied().filter(|value| value.is_finite()).collect::<Vec<f64>>();
    let mut inside = present(values.get(span.clone()).unwrap_or_default());
    let mut rest = present(values.get(..span.start).unwrap_or_default());
    rest.extend(present(values.get(span.end..).unwrap_or_default()));
    let rows = inside.len();
    if rows * 2 < rule.least || rest.len() < rule.least {
        return None;
    }
    let (median, cv) = median_and_cv(&mut inside);
    let (_, cv_elsewhere) = median_and_cv(&mut rest);
    (cv.is_finite() && cv_elsewhere > 0.0).then_some(Calm { points: span, cv, cv_elsewhere, median, rows })
}

/// Median and coefficient of variation.
fn median_and_cv(values: &mut [f64]) -> (f64, f64) {
    let (median, mad) = median_and_mad(values);
    (median, MAD_TO_SD * mad / median.abs())
}

/// Whether most of a calm stretch stands at one figure that a part of the rest stands at, too, and below
/// which hardly anything lies.
fn is_floor(values: &[f64], calm: &Calm) -> bool {
    /// Share of the rest that stands at a floor, and that may lie below it.
    const PART: f64 = 0.05;
    let rest = || {
        let before = values.get(..calm.points.start).unwrap_or_default();
        before.iter().chain(values.get(calm.points.end..).unwrap_or_default())
    };
    let inside = values.get(calm.points.clone()).unwrap_or_default();
    let at = inside.iter().filter(|value| **value == calm.median).count();
    let known = rest().filter(|value| value.is_finite()).count() as f64;
    let rest_at = rest().filter(|value| **value == calm.median).count() as f64;
    let below = rest().filter(|value| **value < calm.median).count() as f64;
    at * 2 > calm.rows
        && below <= PART * known
        && (rest_at >= PART * known || (below == 0.0 && rest_at > 0.0))
}

/// Whether a load is known and doesn't move.
fn is_flat(load: &[f64], cv: f64) -> bool {
    let mut known: Vec<f64> = load.iter().copied().filter(|value| value.is_finite()).collect();
    known.len() * 2 > load.len() && median_and_cv(&mut known).1 < cv
}

#[cfg(test)]
mod tests {
    use super::super::survival::{
        assert_found, even, found, hourly, stack, survives, two_decimals, with_load,
    };
    use super::*;

    const NAME: &str = "low_variance";

    fn calm(spread: f64) -> Vec<f64> {
        let mut values = stack(31, 4320);
        for (value, part) in values[1440..2880].iter_mut().zip(even(32, 1440)) {
            *value = two_decimals(20.0 * (1.0 + (part - 0.5) * spread));
        }
        values
    }

    #[test]
    fn planted_calm_is_found_at_every_strength() {
        for spread in [0.04, 0.02, 0.01] {
            assert_found(NAME, detect, &hourly(calm(spread)), 1440, 2880, 3);
        }
    }

    #[test]
    fn the_worked_example() {
        // Within: 19.95, 20 and 20.05 in turn have MAD 0.05 (deviations 0.05, 0 and 0.05).
        // The rest: 22.5, 25 and 27.5 in turn have MAD 2.5.
        let mut values: Vec<f64> = (0..300).map(|at| 22.5 + 2.5 * f64::from(at % 3)).collect();
        for (at, value) in values[100..200].iter_mut().enumerate() {
            *value = 19.95 + 0.05 * (at % 3) as f64;
        }
        let found = found(NAME, detect, &hourly(values));
        assert_eq!((found.len(), found[0].score), (1, 1.0));
        let ratio = found[0].evidence.number_of("ratio").unwrap();
        assert!((ratio - 0.025).abs() < 1e-9, "{ratio}");
    }

    #[test]
    fn calm_that_has_a_reason_is_excused() {
        assert!(found(NAME, detect, &hourly(stack(33, 4320))).is_empty());
        // A steady plant is calm all the time.
        let steady = even(34, 4320).iter().map(|part| two_decimals(20.0 + 0.4 * part)).collect();
        assert!(found(NAME, detect, &hourly(steady)).is_empty());
        // A plant that runs at one load for two months.
        assert!(found(NAME, detect, &with_load(calm(0.02), vec![80.0; 4320])).is_empty());
    }

    #[test]
    fn nothing_makes_it_fall_over() {
        survives(NAME, detect);
    }
}
