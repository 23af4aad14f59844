//! P9 `random_noise` (随机数): random numbers within bounds instead of values.
//!
//! Mechanism: a simulator draws figures between two bounds; an hour knows nothing of the one before,
//! as it does in a stack.
//!
//! Formula: lag-1 autocorrelation ρ of a window around each hour; below `broken` it speaks for the pattern.
//! Around the stretch of greatest evidence, hours within its bounds (quantiles `bound` and 1 − `bound`)
//! whose neighbours are, too, are the pattern's. Score: ρ over those, `suspect` → 0.5, `certain` → 1.
//!
//! Excused: a series that has ρ below `own` in its rest, too, as a batch plant or a steady one;
//! noise of an empty duct, within the analyser's zero drift, or while load or flow is at rest (`running`);
//! and a stretch of which less than `known` can be judged, since what is left out (an over-range, flag
//! `T`) cuts what is left to noise.
//!
//! Example: −1, 1, 1, −1, −1, 1, 1, −1 have mean 0 and Σ d² = 8; neighbours multiply to −1, 1, −1, 1, −1, 1, −1:
//! their mean is −1 ÷ 7, that of the squares 1: ρ = −0.143, below `certain` 0: score 1.

use std::ops::Range;

use super::evidence::evidence;
use super::hit::{Evidence, Hit};
use super::outlet::{FactorSeries, Outlet};
use super::rest::is_at_rest;
use super::robust::quantile;
use super::score::score;
use super::segments::segments;
use super::thresholds::Thresholds;

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
    let judged = |value: f64| if value <= drift { f64::NAN } else { value };
    let values: Vec<f64> = points.usable_values().into_iter().map(judged).collect();
    let noise = random_noise(&values, &rule)?;
    let is_known = noise.rows as f64 >= of("known") * noise.points.len() as f64;
    if !is_known || is_at_rest(outlet, series.medium, noise.points.clone(), of("running")) {
        return None;
    }
    let span = points.span(&noise.points);
    Some(Hit {
        factor: series.factor.clone(),
        started: span.start,
        ended: span.end,
        score: score(noise.autocorrelation, of("suspect"), of("certain")),
        rows: noise.rows,
        evidence: Evidence::default()
            .number("autocorrelation", noise.autocorrelation)
            .number("autocorrelation_elsewhere", noise.elsewhere)
            .number("lower_bound", noise.bounds.0)
            .number("upper_bound", noise.bounds.1),
    })
}

/// The clearest stretch of random numbers in values that are autocorrelated elsewhere; NaN says nothing.
pub fn random_noise(values: &[f64], rule: &NoiseRule) -> Option<Noise> {
    let broken = broken(values, rule);
    let (speaks, against) = evidence(rule.within, rule.elsewhere);
    let clearest = |traits: &[Option<bool>]| {
        let says = |of: &Option<bool>| of.map_or(0.0, |of| if of { speaks } else { against });
        let says: Vec<f64> = traits.iter().map(says).collect();
        let greatest =
            segments(&says, speaks).into_iter().max_by(|a, b| a.evidence.total_cmp(&b.evidence))?;
        (greatest.points.len() >= rule.least).then_some(greatest.points)
    };
    let core = clearest(&broken)?;
    let mut known: Vec<f64> =
        values.get(core.clone())?.iter().copied().filter(|value| value.is_finite()).collect();
    let bounds = (quantile(&mut known, rule.bound), quantile(&mut known, 1.0 - rule.bound));
    // What lies far from the core tells nothing of where it begins and ends.
    let reach = core.start.saturating_sub(rule.window)..(core.end + rule.window).min(values.len());
    let is_within = |(at, value): (usize, &f64)| {
        let known = reach.contains(&at) && !value.is_nan();
        known.then_some(*value >= bounds.0 && *value <= bounds.1)
    };
    let bounded: Vec<Option<bool>> = values.iter().enumerate().map(is_within).collect();
    let points = clearest(&bounded)?;
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

/// Whether the window around each point has an autocorrelation below `broken`, by the ratio of
/// squared steps to squared deviations (J. von Neumann 1941: 2 × (1 − ρ)); none where too little is known.
fn broken(values: &[f64], rule: &NoiseRule) -> Vec<Option<bool>> {
    let half = rule.window / 2;
    let mut sums = Window::default();
    let broken = |at: usize| {
        if at.is_multiple_of(rule.window.max(1)) {
            // Built anew once a window, so that what was great and is gone leaves no rounding behind.
            sums = Window::default();
            (at.saturating_sub(half)..at + half + 1).for_each(|of| sums.add(values, of, 1.0));
        } else {
            sums.add(values, at + half, 1.0);
            at.checked_sub(half + 1).into_iter().for_each(|gone| sums.add(values, gone, -1.0));
        }
        sums.is_below(rule.broken, half as f64)
    };
    (0..values.len()).map(broken).collect()
}

/// Running sums of a window, of values from the one at its latest rebuilding.
#[derive(Debug, Default)]
struct Window {
    origin: Option<f64>,
    values: f64,
    sum: f64,
    squares: f64,
    steps: f64,
    step_squares: f64,
}

impl Window {
    /// Adds a point with the step to it, or takes it away with sign −1.
    fn add(&mut self, values: &[f64], at: usize, sign: f64) {
        let Some(value) = values.get(at).copied().filter(|value| value.is_finite()) else { return };
        let origin = *self.origin.get_or_insert(value);
        self.values += sign;
        self.sum += sign * (value - origin);
        self.squares += sign * (value - origin) * (value - origin);
        let before = at.checked_sub(1).and_then(|before| values.get(before)).copied();
        if let Some(before) = before.filter(|before| before.is_finite()) {
            self.steps += sign;
            self.step_squares += sign * (value - before) * (value - before);
        }
    }

    /// Whether the autocorrelation, 1 − ratio ÷ 2, is below a figure; none where too few steps are known.
    /// Multiplied out, since divisions take most of the time.
    fn is_below(&self, autocorrelation: f64, least: f64) -> Option<bool> {
        let deviations = self.squares * self.values - self.sum * self.sum;
        let steps = self.step_squares * self.values * self.values;
        let due = 2.0 * (1.0 - autocorrelation) * deviations * self.steps;
        (self.steps > least && (steps + due).is_finite()).then_some(steps > due)
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
