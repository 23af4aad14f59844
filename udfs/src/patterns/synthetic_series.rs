//! P8 `synthetic_series` (规律曲线): a line or a wave that a formula drew.
//!
//! Mechanism: a simulator sends a line, a sine or pieces of them instead of measured values.
//!
//! Formula: of a line or a wave the steps d obey d(t−1) + d(t+1) = k × d(t) with one k. R² of that
//! law, over a window around each hour, speaks for the pattern where it reaches `law`. Within the
//! stretch of greatest evidence k is fitted once more, and the hours that obey it within `reach` of
//! their median misfit are the pattern's. Score: R² over those, `suspect` → 0.5, `certain` → 1.
//!
//! Excused: a plant with a day or batch cycle, whose noise breaks the law from hour to hour; a
//! constant, of which there are no steps; values within the analyser's zero drift.
//!
//! Example: 2, 5, 6, 5, 2, −1, −2 … is a wave with steps 3, 1, −1, −3, −3, −1, 1, 3: d(t−1) + d(t+1) is
//! 2, −2, −4, −4, −2, 2 for 1, −1, −3, −3, −1, 1, so k = Σ xy ÷ Σ x² = (2+2+12+12+2+2) ÷ 22 = 1.4545 and
//! R² = 32² ÷ (22 × 48) = 0.9697.

use std::ops::Range;

use super::evidence::evidence;
use super::hit::{Evidence, Hit};
use super::outlet::{FactorSeries, Outlet};
use super::robust::median;
use super::score::score;
use super::segments::segments;
use super::thresholds::Thresholds;

/// What makes a drawn curve.
#[derive(Debug, Clone, Copy)]
pub struct CurveRule {
    /// Points of a window.
    pub window: usize,
    /// R² from which on a window obeys the law.
    pub law: f64,
    /// Points that a curve lasts at least.
    pub least: usize,
    /// Share of points that obey within the pattern.
    pub within: f64,
    /// Share of points that obey elsewhere.
    pub elsewhere: f64,
    /// How many times the median misfit a point may be off.
    pub reach: f64,
}

/// A curve that a formula drew.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// Its points.
    pub points: Range<usize>,
    /// How well the law explains it.
    pub r_squared: f64,
    /// Points of a period; NaN of a line.
    pub period: f64,
    /// Points that can be judged.
    pub rows: usize,
}

/// Looks for the pattern in an outlet.
pub fn detect(outlet: &Outlet, thresholds: &Thresholds<'_>) -> Vec<Hit> {
    outlet.pollutants().filter_map(|series| of_series(series, thresholds)).collect()
}

fn of_series(series: &FactorSeries, thresholds: &Thresholds<'_>) -> Option<Hit> {
    let points = series.hours();
    let of = |key| thresholds.of(&series.factor, points.grid.grain(), key);
    let rule = CurveRule {
        window: points.grid.points(of("window")),
        law: of("law"),
        least: points.grid.points(of("hours")),
        within: of("within"),
        elsewhere: of("elsewhere"),
        reach: of("reach"),
    };
    let drift = series.monitor.range_high * of("floor");
    let judged = |value: f64| if value <= drift { f64::NAN } else { value };
    let values: Vec<f64> = points.usable_values().into_iter().map(judged).collect();
    let curve = synthetic_series(&values, &rule)?;
    let span = points.span(&curve.points);
    Some(Hit {
        factor: series.factor.clone(),
        started: span.start,
        ended: span.end,
        score: score(curve.r_squared, of("suspect"), of("certain")),
        rows: curve.rows,
        evidence: Evidence::default()
            .number("r_squared", curve.r_squared)
            .number("period_h", curve.period * points.grid.hours(1)),
    })
}

/// The clearest stretch of values that a line or a wave explains; NaN says nothing.
pub fn synthetic_series(values: &[f64], rule: &CurveRule) -> Option<Curve> {
    let steps: Vec<f64> = values.windows(2).map(|pair| pair[1] - pair[0]).collect();
    // A step and the sum of its neighbours.
    let pairs: Vec<(f64, f64)> = steps.windows(3).map(|three| (three[1], three[0] + three[2])).collect();
    let obeys = obeys(&pairs, rule.window, rule.law);
    let core = stretch(&obeys, rule)?;
    let fit = Fit::of(pairs.get(core.clone())?);
    let misfit = |pair: &(f64, f64)| (pair.1 - fit.slope() * pair.0).abs();
    let mut known: Vec<f64> =
        pairs.get(core)?.iter().map(misfit).filter(|misfit| misfit.is_finite()).collect();
    // Half a unit of the last decimal moves a misfit, too, so that a median of 0 isn't asked for.
    let usual = known.iter().copied().sum::<f64>() / known.len().max(1) as f64;
    let reach = rule.reach * median(&mut known).max(usual / rule.reach);
    let fits = |pair: &(f64, f64)| {
        let misfit = misfit(pair);
        (!misfit.is_nan()).then_some(misfit <= reach)
    };
    let fits: Vec<Option<bool>> = pairs.iter().map(fits).collect();
    let curve = stretch(&fits, rule)?;
    let mut fit = Fit::default();
    let obeying = pairs.iter().zip(&fits).skip(curve.start).take(curve.len());
    obeying.filter(|(_, fits)| **fits == Some(true)).for_each(|(pair, _)| fit.add(*pair, 1.0));
    // A pair holds four values.
    let points = curve.start..curve.end + 3;
    let rows = values.get(points.clone())?.iter().filter(|value| !value.is_nan()).count();
    let period = std::f64::consts::TAU / libm::acos(fit.slope() / 2.0);
    Some(Curve { points, r_squared: fit.r_squared(), period, rows })
}

/// Sums of a regression through 0.
#[derive(Debug, Clone, Copy, Default)]
struct Fit {
    xx: f64,
    xy: f64,
    yy: f64,
    count: usize,
}

impl Fit {
    fn of(pairs: &[(f64, f64)]) -> Self {
        let mut fit = Self::default();
        pairs.iter().for_each(|pair| fit.add(*pair, 1.0));
        fit
    }

    /// Adds a pair, or takes it away with sign −1.
    fn add(&mut self, (x, y): (f64, f64), sign: f64) {
        if !(x * x + y * y).is_finite() {
            return;
        }
        self.xx += sign * x * x;
        self.xy += sign * x * y;
        self.yy += sign * y * y;
        self.count = if sign > 0.0 { self.count + 1 } else { self.count.saturating_sub(1) };
    }

    fn slope(&self) -> f64 {
        self.xy / self.xx
    }

    fn r_squared(&self) -> f64 {
        (self.xy / self.xx) * (self.xy / self.yy)
    }
}

/// Whether the window around each pair obeys the law; none where too little is known. The window's sums
/// are built anew once a window, so that what was great and is gone leaves no rounding behind.
fn obeys(pairs: &[(f64, f64)], window: usize, law: f64) -> Vec<Option<bool>> {
    let half = window / 2;
    let mut fit = Fit::default();
    let obeys = |at: usize| {
        if at.is_multiple_of(window.max(1)) {
            fit = Fit::of(
                pairs.get(at.saturating_sub(half)..(at + half + 1).min(pairs.len())).unwrap_or_default(),
            );
        } else {
            if let Some(pair) = pairs.get(at + half) {
                fit.add(*pair, 1.0);
            }
            if let Some(pair) = at.checked_sub(half + 1).and_then(|gone| pairs.get(gone)) {
                fit.add(*pair, -1.0);
            }
        }
        let r_squared = fit.r_squared();
        (fit.count >= half && !r_squared.is_nan()).then_some(r_squared >= law)
    };
    (0..pairs.len()).map(obeys).collect()
}

/// The stretch of greatest evidence that points obey, if it is long enough.
fn stretch(obeys: &[Option<bool>], rule: &CurveRule) -> Option<Range<usize>> {
    let (speaks, against) = evidence(rule.within, rule.elsewhere);
    let says = |obeys: &Option<bool>| obeys.map_or(0.0, |obeys| if obeys { speaks } else { against });
    let says: Vec<f64> = obeys.iter().map(says).collect();
    let greatest = segments(&says, speaks).into_iter().max_by(|a, b| a.evidence.total_cmp(&b.evidence))?;
    (greatest.points.len() >= rule.least).then_some(greatest.points)
}

#[cfg(test)]
mod tests {
    use super::super::survival::{assert_found, even, found, hourly, stack, survives, two_decimals};
    use super::*;

    const NAME: &str = "synthetic_series";

    fn wave(at: usize, period: f64, part: f64) -> f64 {
        20.0 * (1.0 + part * (at as f64 * std::f64::consts::TAU / period).sin())
    }

    #[test]
    fn planted_waves_and_lines_are_found() {
        for part in [0.05, 0.1, 0.3] {
            let mut values = stack(61, 4320);
            (1440..2880).for_each(|at| values[at] = two_decimals(wave(at, 24.0, part)));
            assert_found(NAME, detect, &hourly(values), 1440, 2880, 4);
        }
        let mut values = stack(62, 4320);
        (1440..1740).for_each(|at| values[at] = 15.0 + 0.05 * (at - 1440) as f64);
        assert_found(NAME, detect, &hourly(values), 1440, 1740, 4);
    }

    #[test]
    fn cycles_of_a_plant_are_excused() {
        assert!(found(NAME, detect, &hourly(stack(63, 4320))).is_empty());
        for period in [8.0, 12.0, 24.0] {
            let noise = even(64, 4320);
            let cycle = noise.iter().enumerate().map(|(at, part)| wave(at, period, 0.3) * (0.9 + 0.2 * part));
            assert!(found(NAME, detect, &hourly(cycle.collect())).is_empty(), "{period}");
        }
    }

    #[test]
    fn the_worked_example() {
        let steps = [3.0, 1.0, -1.0, -3.0, -3.0, -1.0, 1.0, 3.0];
        let pairs: Vec<(f64, f64)> = steps.windows(3).map(|three| (three[1], three[0] + three[2])).collect();
        let fit = Fit::of(&pairs);
        assert_eq!((fit.xx, fit.xy, fit.yy), (22.0, 32.0, 48.0));
        assert!((fit.r_squared() - 0.9697).abs() < 1e-4);
    }

    #[test]
    fn nothing_makes_it_fall_over() {
        survives(NAME, detect);
    }
}
