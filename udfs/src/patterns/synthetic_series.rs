//! P8 `synthetic_series` (规律曲线): a line or a wave that a formula drew.
//!
//! Mechanism: a simulator sends a line, a sine or pieces of them instead of measured values.
//!
//! Formula: of a line or a wave the steps d obey d(t−1) + d(t+1) = k × d(t) with one k. R² of that law,
//! over a window around each quarter of it, speaks for the pattern where it reaches `law`. Within the
//! stretch of greatest evidence k is fitted once more, and the hours that obey it within `reach` of their
//! median misfit are the pattern's. Score: R² over those, `suspect` → 0.5, `certain` → 1.
//!
//! A wave of a few hours, a sawtooth or a table of figures obeys another law: x(t) = x(t − p). Days
//! (`day`) whose least and greatest values come back within `alike` of their range are worth a look: R² of
//! that law is Σ (x(t) − x(t−p))² held against twice Σ (x − mean)², for the best p up to `cycle` behind one at
//! which the series had moved away (R² below `away`). The hours that obey it within `return` times the
//! median misfit are the pattern's.
//!
//! Excused: a plant with a day or batch cycle, whose noise breaks the law from hour to hour, and whose
//! rest, if there is any, obeys the same period to `away` or more; a constant, of which there are no
//! steps; values within the analyser's zero drift.
//!
//! Example: 2, 5, 6, 5, 2, −1, −2 … is a wave with steps 3, 1, −1, −3, −3, −1, 1, 3: d(t−1) + d(t+1) is
//! 2, −2, −4, −4, −2, 2 for 1, −1, −3, −3, −1, 1, so k = Σ xy ÷ Σ x² = (2+2+12+12+2+2) ÷ 22 = 1.4545 and
//! R² = 32² ÷ (22 × 48) = 0.9697. With `suspect` 0.9 and `certain` 0.99 its score is
//! 0.5 + 0.5 × 0.0697 ÷ 0.09 = 0.887.

use std::ops::Range;

use super::evidence::{clearest, evidence};
use super::hit::{Evidence, Hit};
use super::outlet::{FactorSeries, Outlet};
use super::robust::median;
use super::score::score;
use super::thresholds::Thresholds;

/// How many times longer than the rest of the series a stretch of a period may be.
const OTHERS: usize = 8;
/// Points that a period is looked for in; more add time, not truth.
const MIDDLE: usize = 240;

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
    /// The same, of a period.
    pub returns: f64,
    /// Points of a day.
    pub day: usize,
    /// Part of its range by which the ends of a day may differ from the next one's.
    pub alike: f64,
    /// Points of the longest period looked for.
    pub cycle: usize,
    /// R² below which a series has moved away, or has no such period.
    pub away: f64,
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
        returns: of("return"),
        day: points.grid.points(of("day")),
        alike: of("alike"),
        cycle: points.grid.points(of("cycle")),
        away: of("away"),
    };
    let drift = series.monitor.range_high * of("floor");
    let values = points.usable_above(drift);
    let curve = synthetic_series(&values, &rule)?;
    Some(
        series.hit(
            points.span(&curve.points),
            score(curve.r_squared, of("suspect"), of("certain")),
            curve.rows,
            Evidence::default()
                .number("r_squared", curve.r_squared)
                .number("period_h", curve.period * points.grid.hours(1)),
        ),
    )
}

/// The clearest stretch of values that a line or a wave explains, else one that a period does; NaN says
/// nothing.
pub fn synthetic_series(values: &[f64], rule: &CurveRule) -> Option<Curve> {
    let (drawn, periodic) = (drawn(values, rule), periodic(values, rule));
    [drawn, periodic].into_iter().flatten().max_by(|a, b| a.r_squared.total_cmp(&b.r_squared))
}

/// The clearest stretch that a line or a wave explains.
fn drawn(values: &[f64], rule: &CurveRule) -> Option<Curve> {
    let quarter = (rule.window / 4).max(1);
    let obeys = obeys(values, quarter, rule.law);
    let weights = evidence(rule.within, rule.elsewhere);
    let core = clearest(obeys.into_iter(), weights)?;
    if core.len() * quarter < rule.least {
        return None;
    }
    let pairs: Vec<(f64, f64)> = pairs(values).collect();
    let core = core.start * quarter..(core.end * quarter).min(pairs.len());
    let fit = Fit::of(pairs.get(core.clone())?);
    let misfit = |pair: &(f64, f64)| (pair.1 - fit.slope() * pair.0).abs();
    let reach = reach(pairs.get(core)?.iter().map(misfit), rule.reach);
    let fits = |pair: &(f64, f64)| {
        let misfit = misfit(pair);
        (!misfit.is_nan()).then_some(misfit <= reach)
    };
    let fits: Vec<Option<bool>> = pairs.iter().map(fits).collect();
    let curve = clearest(fits.iter().copied(), weights).filter(|curve| curve.len() >= rule.least)?;
    let mut fit = Fit::default();
    let obeying = pairs.iter().zip(&fits).skip(curve.start).take(curve.len());
    obeying.filter(|(_, fits)| **fits == Some(true)).for_each(|(pair, _)| fit.add(*pair));
    // A pair holds four values.
    let points = curve.start..curve.end + 3;
    let rows = values.get(points.clone())?.iter().filter(|value| !value.is_nan()).count();
    let period = std::f64::consts::TAU / libm::acos(fit.slope() / 2.0);
    Some(Curve { points, r_squared: fit.r_squared(), period, rows })
}

/// How far a point may be off: so many times the median misfit. Half a unit of the last decimal moves a
/// misfit, too, so that a median of 0 isn't asked for.
fn reach(misfits: impl Iterator<Item = f64>, times: f64) -> f64 {
    let mut known: Vec<f64> = misfits.filter(|misfit| misfit.is_finite()).collect();
    let usual = known.iter().copied().sum::<f64>() / known.len().max(1) as f64;
    times * median(&mut known).max(usual / times)
}

/// The clearest stretch that a period explains.
fn periodic(values: &[f64], rule: &CurveRule) -> Option<Curve> {
    let day = rule.day.max(1);
    let weights = evidence(rule.within, rule.elsewhere);
    let days = clearest(alike_days(values, day, rule.alike).into_iter(), weights)?;
    // A day that is like the next one is two days.
    let core = values.get(days.start * day..((days.end + 1) * day).min(values.len()))?;
    if core.len() < rule.least + day {
        return None;
    }
    // Its middle, since the days at its ends may be alike by chance.
    let middle = core.get(core.len() / 4..core.len() - core.len() / 4)?;
    let period = best_period(middle.get(..MIDDLE).unwrap_or(middle), rule)?;
    let misfit = |at: usize| {
        let (now, then) = (values.get(at)?, values.get(at.checked_sub(period)?)?);
        Some((now - then).abs()).filter(|misfit| misfit.is_finite())
    };
    let of_core = days.start * day + period..days.start * day + core.len();
    let reach = reach(of_core.filter_map(misfit), rule.returns);
    let fits: Vec<Option<bool>> =
        (0..values.len()).map(|at| misfit(at).map(|misfit| misfit <= reach)).collect();
    let found = clearest(fits.into_iter(), weights)?;
    // What comes back was there a period before.
    let points = found.start.saturating_sub(period)..found.end;
    let inside = values.get(points.clone())?;
    let rest = [values.get(..points.start)?, values.get(points.end..)?];
    // What follows itself slowly is near its past, too, but the nearer the less time has gone.
    let is_own = rest.iter().any(|part| {
        let explained = return_of(part, period);
        explained >= rule.away && explained > return_of(part, period / 2)
    });
    // A plant that has always had its cycle has no other history.
    let others = rest.iter().flat_map(|part| part.iter()).filter(|value| !value.is_nan()).count();
    let has_history = others >= rule.least && others * OTHERS >= points.len();
    let rows = inside.iter().filter(|value| !value.is_nan()).count();
    let r_squared = return_of(inside, period);
    (points.len() >= rule.least && has_history && !is_own).then_some(Curve {
        points,
        r_squared,
        period: period as f64,
        rows,
    })
}

/// Whether the least and the greatest value of each day come back on the next, within a part of their
/// range; none where one of them is missing.
fn alike_days(values: &[f64], day: usize, alike: f64) -> Vec<Option<bool>> {
    let ends = |day: &[f64]| {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in day {
            low = if *value < low { *value } else { low };
            high = if *value > high { *value } else { high };
        }
        (low, high)
    };
    let ends: Vec<(f64, f64)> = values.chunks(day).map(ends).collect();
    let is_alike = |two: &[(f64, f64)]| {
        let [(low, high), (next_low, next_high)] = two else { return None };
        let range = (high - low).max(next_high - next_low);
        let most = alike * range;
        let known = range.is_finite() && range > 0.0;
        known.then_some((high - next_high).abs() <= most && (low - next_low).abs() <= most)
    };
    ends.windows(2).map(is_alike).collect()
}

/// The shortest of the periods up to `cycle` that explain values best, behind one at which they have
/// moved away. What is left unexplained by its multiples differs by chance, up to twice.
fn best_period(values: &[f64], rule: &CurveRule) -> Option<usize> {
    let explained = (1..=rule.cycle.min(values.len() / 2)).map(|period| (period, return_of(values, period)));
    let moved: Vec<(usize, f64)> =
        explained.skip_while(|(_, explained)| explained.is_nan() || *explained >= rule.away).collect();
    let best = moved.iter().map(|(_, explained)| *explained).fold(f64::NEG_INFINITY, f64::max);
    let is_best = |explained: f64| explained >= rule.law && 1.0 - explained <= 2.0 * (1.0 - best);
    moved.into_iter().find(|(_, explained)| is_best(*explained)).map(|(period, _)| period)
}

/// R² of values by those a period before: 1 less half the mean square of their differences over the
/// variance; NaN where there is too little.
fn return_of(values: &[f64], period: usize) -> f64 {
    let known = || values.iter().copied().filter(|value| value.is_finite());
    let count = known().count() as f64;
    let mean = known().sum::<f64>() / count;
    let variance = known().map(|value| (value - mean) * (value - mean)).sum::<f64>() / count;
    let (mut squares, mut pairs) = (0.0, 0.0);
    for (then, now) in values.iter().zip(values.iter().skip(period)) {
        let square = (now - then) * (now - then);
        if square.is_finite() {
            squares += square;
            pairs += 1.0;
        }
    }
    1.0 - squares / pairs / (2.0 * variance)
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
        pairs.iter().for_each(|pair| fit.add(*pair));
        fit
    }

    fn add(&mut self, (x, y): (f64, f64)) {
        if (x * x + y * y).is_finite() {
            self.xx += x * x;
            self.xy += x * y;
            self.yy += y * y;
            self.count += 1;
        }
    }

    fn plus(self, other: &Self) -> Self {
        Self {
            xx: self.xx + other.xx,
            xy: self.xy + other.xy,
            yy: self.yy + other.yy,
            count: self.count + other.count,
        }
    }

    fn slope(&self) -> f64 {
        self.xy / self.xx
    }

    fn r_squared(&self) -> f64 {
        (self.xy / self.xx) * (self.xy / self.yy)
    }
}

/// A step and the sum of its neighbours.
fn pairs(values: &[f64]) -> impl Iterator<Item = (f64, f64)> {
    let pair = |four: &[f64]| match four {
        [a, b, c, d] => (c - b, (b - a) + (d - c)),
        _ => (f64::NAN, f64::NAN),
    };
    values.windows(4).map(pair)
}

/// Whether the window around each of its quarters obeys the law; none where too little is known.
fn obeys(values: &[f64], quarter: usize, law: f64) -> Vec<Option<bool>> {
    let mut fits: Vec<Fit> = Vec::with_capacity(values.len() / quarter + 1);
    for (at, pair) in pairs(values).enumerate() {
        if at % quarter == 0 {
            fits.push(Fit::default());
        }
        if let Some(fit) = fits.last_mut() {
            fit.add(pair);
        }
    }
    let of_window = |at: usize| {
        let around = fits.get(at.saturating_sub(2)..(at + 3).min(fits.len())).unwrap_or_default();
        let fit = around.iter().fold(Fit::default(), Fit::plus);
        let r_squared = fit.r_squared();
        (fit.count >= 2 * quarter && !r_squared.is_nan()).then_some(r_squared >= law)
    };
    (0..fits.len()).map(of_window).collect()
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
    fn a_period_of_a_few_hours_is_found() {
        // A wave of 5 hours with some noise, and a sawtooth of 7 without.
        let wave = |at: usize, part: f64| two_decimals(wave(at, 5.0, 0.1) + 0.4 * (part - 0.5));
        let mut values = stack(65, 4320);
        even(66, 1440).iter().enumerate().for_each(|(at, part)| values[1440 + at] = wave(at, *part));
        assert_found(NAME, detect, &hourly(values), 1440, 2880, 6);
        let mut values = stack(67, 4320);
        (1440..2880).for_each(|at| values[at] = 15.0 + (at % 7) as f64);
        let hits = found(NAME, detect, &hourly(values.clone()));
        assert_eq!(hits[0].evidence.number_of("period_h"), Some(7.0));
        assert_found(NAME, detect, &hourly(values), 1440, 2880, 6);
    }

    #[test]
    fn the_return_of_a_period() {
        // 0, 1, 0, 3 has mean 1 and variance (1 + 0 + 1 + 4) ÷ 4 = 1.5; two hours before: 0 and 2, whose
        // squares have mean 2: R² = 1 − 2 ÷ 3.
        assert!((return_of(&[0.0, 1.0, 0.0, 3.0], 2) - 1.0 / 3.0).abs() < 1e-12);
        assert!(return_of(&[], 2).is_nan());
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
