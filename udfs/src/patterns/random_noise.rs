//! P9 `random_noise` (随机数): random numbers within bounds instead of values.
//!
//! Mechanism: a simulator draws figures between two bounds; an hour knows nothing of the one before,
//! as it does in a stack.
//!
//! Formula: lag-1 autocorrelation ρ of a window around each quarter of it; below `broken` it speaks for
//! the pattern. Around the stretch of greatest evidence, hours within its bounds (quantiles `bound` and 1
//! − `bound`) whose neighbours are, too, are the pattern's, unless the plant's own values lie within them
//! (then the windows alone are, twice as long). Score: ρ over those, `suspect` → 0.5, `certain` → 1.
//!
//! Excused: a series that has ρ below `own` in its rest, too, as a batch plant or a steady one; noise of
//! an empty duct, within the analyser's zero drift, or while load or flow is at rest (`running`); and a
//! stretch of which less than `known` can be judged, since what is left out (an over-range, flag `T`)
//! cuts what is left to noise.
//!
//! Example: −1, 1, 1, −1, −1, 1, 1, −1 have mean 0 and Σ d² = 8; neighbours multiply to −1, 1, −1, 1, −1, 1, −1:
//! their mean is −1 ÷ 7, that of the squares 1: ρ = −0.143, below `certain` 0: score 1.

use std::ops::Range;

use super::evidence::{clearest, evidence};
use super::hit::{Evidence, Hit};
use super::outlet::{FactorSeries, Outlet};
use super::rest::is_at_rest;
use super::robust::quantile;
use super::score::score;
use super::thresholds::Thresholds;

/// How much higher the autocorrelation within the bounds may be than that of the broken windows alone.
const UNBOUNDED: f64 = 0.1;

/// What makes random numbers.
#[derive(Debug, Clone, Copy)]
pub struct NoiseRule {
    /// Points of a window.
    pub window: usize,
    /// Autocorrelation below which a window is broken.
    pub broken: f64,
    /// Autocorrelation that the rest must have.
    pub own: f64,
    /// Points that random numbers last at least.
    pub least: usize,
    /// Share of broken windows within the pattern.
    pub within: f64,
    /// Share of broken windows elsewhere.
    pub elsewhere: f64,
    /// Quantile that bounds the numbers.
    pub bound: f64,
}

/// A stretch of random numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Noise {
    /// Its points.
    pub points: Range<usize>,
    /// Lag-1 autocorrelation within.
    pub autocorrelation: f64,
    /// Lag-1 autocorrelation of the rest.
    pub elsewhere: f64,
    /// The bounds.
    pub bounds: (f64, f64),
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
    let rule = NoiseRule {
        window: points.grid.points(of("window")),
        broken: of("broken"),
        own: of("own"),
        least: points.grid.points(of("hours")),
        within: of("within"),
        elsewhere: of("elsewhere"),
        bound: of("bound"),
    };
    let drift = series.monitor.range_high * of("floor");
    let values = points.usable_above(drift);
    let noise = random_noise(&values, &rule)?;
    let is_known = noise.rows as f64 >= of("known") * noise.points.len() as f64;
    if !is_known || is_at_rest(outlet, series.medium, noise.points.clone(), of("running")) {
        return None;
    }
    Some(
        series.hit(
            points.span(&noise.points),
            score(noise.autocorrelation, of("suspect"), of("certain")),
            noise.rows,
            Evidence::default()
                .number("autocorrelation", noise.autocorrelation)
                .number("autocorrelation_elsewhere", noise.elsewhere)
                .number("lower_bound", noise.bounds.0)
                .number("upper_bound", noise.bounds.1),
        ),
    )
}

/// The clearest stretch of random numbers in values that are autocorrelated elsewhere; NaN says nothing.
pub fn random_noise(values: &[f64], rule: &NoiseRule) -> Option<Noise> {
    let quarter = (rule.window / 4).max(1);
    let weights = evidence(rule.within, rule.elsewhere);
    let core = clearest(broken(values, quarter, rule).into_iter(), weights)?;
    let core = core.start * quarter..(core.end * quarter).min(values.len());
    if core.len() < rule.least {
        return None;
    }
    let mut known: Vec<f64> =
        values.get(core.clone())?.iter().copied().filter(|value| value.is_finite()).collect();
    let bounds = (quantile(&mut known, rule.bound), quantile(&mut known, 1.0 - rule.bound));
    // What lies far from the core tells nothing of where it begins and ends.
    let reach = core.start.saturating_sub(rule.window)..(core.end + rule.window).min(values.len());
    let is_within = |(at, value): (usize, &f64)| {
        let known = reach.contains(&at) && !value.is_nan();
        known.then_some(*value >= bounds.0 && *value <= bounds.1)
    };
    let bounded = clearest(values.iter().enumerate().map(is_within), weights)?;
    let of = |points: &Range<usize>| autocorrelation(&[values.get(points.clone()).unwrap_or_default()]);
    // Where the plant's own values lie within the bounds, too, these tell nothing; noise within them must
    // last twice as long.
    let is_own = of(&bounded) > of(&core) + UNBOUNDED;
    let (points, least) = if is_own { (core, 2 * rule.least) } else { (bounded, rule.least) };
    if points.len() < least {
        return None;
    }
    let inside = values.get(points.clone())?;
    let rest = [values.get(..points.start)?, values.get(points.end..)?];
    let elsewhere = autocorrelation(&rest);
    let rows = inside.iter().filter(|value| !value.is_nan()).count();
    let autocorrelation = autocorrelation(&[inside]);
    (elsewhere >= rule.own).then_some(Noise { points, autocorrelation, elsewhere, bounds, rows })
}

/// Lag-1 autocorrelation of parts of a series, each neighbour pair within one part.
fn autocorrelation(parts: &[&[f64]]) -> f64 {
    let known = || parts.iter().flat_map(|part| part.iter()).copied().filter(|value| value.is_finite());
    let mean = known().sum::<f64>() / known().count().max(1) as f64;
    let (mut products, mut squares) = (Mean::default(), Mean::default());
    for pair in parts.iter().flat_map(|part| part.windows(2)) {
        products.add((pair[0] - mean) * (pair[1] - mean));
    }
    known().for_each(|value| squares.add((value - mean) * (value - mean)));
    products.mean() / squares.mean()
}

/// A mean of what is finite.
#[derive(Debug, Default)]
struct Mean {
    sum: f64,
    count: usize,
}

impl Mean {
    fn add(&mut self, value: f64) {
        if value.is_finite() {
            self.sum += value;
            self.count += 1;
        }
    }

    fn mean(&self) -> f64 {
        self.sum / self.count as f64
    }
}

/// Whether the window around each quarter of it has an autocorrelation below `broken`, by the ratio of
/// squared steps to squared deviations (J. von Neumann 1941: 2 × (1 − ρ)); none where too little is known.
fn broken(values: &[f64], quarter: usize, rule: &NoiseRule) -> Vec<Option<bool>> {
    let parts = values.len().div_ceil(quarter);
    let sums: Vec<Sums> = (0..parts).map(|part| Sums::of(values, part * quarter, quarter)).collect();
    let of_window = |at: usize| {
        let around = sums.get(at.saturating_sub(2)..(at + 3).min(parts)).unwrap_or_default();
        Sums::is_below(around, rule.broken, 2.0 * quarter as f64)
    };
    (0..parts).map(of_window).collect()
}

/// What a part of a window adds to its autocorrelation.
#[derive(Debug, Default)]
struct Sums {
    count: f64,
    mean: f64,
    /// Squared deviations from that mean.
    squares: f64,
    steps: f64,
    step_squares: f64,
}

impl Sums {
    /// Of `count` points from a point on, with the steps to them.
    fn of(values: &[f64], from: usize, count: usize) -> Self {
        let mut sums = Self::default();
        let mut before = from.checked_sub(1).and_then(|at| values.get(at)).copied().unwrap_or(f64::NAN);
        for value in values.iter().skip(from).take(count).copied() {
            let step = value - before;
            if step.is_finite() {
                sums.steps += 1.0;
                sums.step_squares += step * step;
            }
            if value.is_finite() {
                sums.count += 1.0;
                let off = value - sums.mean;
                sums.mean += off / sums.count;
                sums.squares += off * (value - sums.mean);
            }
            before = value;
        }
        sums
    }

    /// Whether the autocorrelation of parts, 1 − ratio ÷ 2, is below a figure; none where too few steps
    /// are known. Multiplied out, since it may be divided by 0.
    fn is_below(parts: &[Self], autocorrelation: f64, least: f64) -> Option<bool> {
        let sum = |of: fn(&Self) -> f64| parts.iter().map(of).sum::<f64>();
        let (count, steps) = (sum(|part| part.count), sum(|part| part.steps));
        let mean = sum(|part| part.count * part.mean) / count;
        let between = parts.iter().map(|part| part.count * (part.mean - mean) * (part.mean - mean));
        let deviations = between.sum::<f64>() + sum(|part| part.squares);
        let stepped = sum(|part| part.step_squares) * count;
        let due = 2.0 * (1.0 - autocorrelation) * deviations * steps;
        (steps > least && (stepped + due).is_finite()).then_some(stepped > due)
    }
}

#[cfg(test)]
mod tests {
    use super::super::survival::{assert_found, even, found, hourly, stack, survives, two_decimals};
    use super::*;

    const NAME: &str = "random_noise";

    #[test]
    fn planted_random_numbers_are_found_at_every_strength() {
        for (middle, spread) in [(22.0, 3.0), (20.0, 3.0), (12.0, 2.0)] {
            let mut values = stack(71, 4320);
            for (value, part) in values[1440..2880].iter_mut().zip(even(72, 1440)) {
                *value = two_decimals(middle + (part - 0.5) * spread);
            }
            assert_found(NAME, detect, &hourly(values), 1440, 2880, 8);
        }
    }

    #[test]
    fn what_is_noisy_by_itself_is_excused() {
        assert!(found(NAME, detect, &hourly(stack(73, 4320))).is_empty());
        let steady = even(74, 4320).iter().map(|part| 20.0 + part).collect();
        assert!(found(NAME, detect, &hourly(steady)).is_empty());
        // An empty duct: within 2 % of the range of 125.
        let mut empty = stack(75, 4320);
        empty[1440..2880].iter_mut().zip(even(76, 1440)).for_each(|(value, part)| *value = 1.0 + part);
        assert!(found(NAME, detect, &hourly(empty)).is_empty());
    }

    #[test]
    fn the_worked_example() {
        let values = [-1.0, 1.0, 1.0, -1.0, -1.0, 1.0, 1.0, -1.0];
        // As means: (−1 ÷ 7) ÷ (8 ÷ 8), of seven pairs and eight squares.
        assert_eq!(autocorrelation(&[&values]), -1.0 / 7.0);
    }

    #[test]
    fn nothing_makes_it_fall_over() {
        survives(NAME, detect);
    }
}
