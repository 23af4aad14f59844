//! Values that pile up at one figure which none exceeds: the mark of a clamp.
//!
//! The figure is one that follows itself often, or often between lower ones (in coarse values a floor
//! does so more often). A point at it speaks for a clamp, one below
//! hardly against, one above strongly against; the stretch of greatest evidence is the clamp's. It
//! counts where the figure is far more frequent than any other there, is neither the only one (a
//! frozen value) nor the least (a floor), stands well above the others' median (else all of them are
//! calm), and is exceeded in the rest of the series.

use std::ops::Range;

use super::evidence::evidence;
use super::outlet::FactorSeries;
use super::robust::median;
use super::segments::greatest;
use super::thresholds::Thresholds;

/// What makes a flat top.
#[derive(Debug, Clone, Copy)]
pub struct FlatTopRule {
    /// Relative deviation within which a point is at the figure.
    pub tolerance: f64,
    /// Points that must be at it.
    pub least: f64,
    /// Share of points at it within a clamp.
    pub share: f64,
    /// Share of points at it elsewhere.
    pub elsewhere: f64,
    /// Share of points above it within a clamp.
    pub above: f64,
    /// Share of points above it elsewhere, at least.
    pub above_elsewhere: f64,
    /// How many times as frequent as any other figure it is.
    pub pile: f64,
    /// Share of points at it from which on it is a frozen value.
    pub frozen: f64,
    /// Different values below it, at least: with few decimals there are fewer.
    pub distinct: f64,
    /// How far the median of the others lies below it, as a share of it.
    pub depth: f64,
    /// Points that the clamp may have lasted before the first, and behind the last one at the figure.
    pub way: usize,
}

impl FlatTopRule {
    /// The rule of a pattern for a series.
    pub fn of(series: &FactorSeries, thresholds: &Thresholds<'_>) -> Self {
        let grain = series.fine.grid.grain();
        let of = |key| thresholds.of(&series.factor, grain, key);
        Self {
            tolerance: of("tolerance"),
            least: of("suspect"),
            share: of("share"),
            elsewhere: of("elsewhere"),
            above: of("above"),
            above_elsewhere: of("above_elsewhere"),
            pile: of("pile"),
            frozen: of("frozen"),
            distinct: of("distinct"),
            depth: of("depth"),
            way: series.fine.grid.points(of("way")),
        }
    }
}

/// Values that pile up at their greatest.
#[derive(Debug, Clone, PartialEq)]
pub struct FlatTop {
    /// From the first to the last point at the figure, and half of the way, though not farther than two
    /// days, to the nearest ones above it: the clamp was set and lifted some time on that way.
    pub points: Range<usize>,
    /// The figure.
    pub value: f64,
    /// Points at it.
    pub at: usize,
    /// Points that can be judged.
    pub rows: usize,
}

/// The clearest flat top of values; NaN says nothing.
///
/// ```
/// use plume_udfs::patterns::flat_top::{FlatTopRule, flat_top};
/// let rule = FlatTopRule {
///     tolerance: 0.001, least: 4.0, share: 0.1, elsewhere: 0.01, above: 0.01, above_elsewhere: 0.1,
///     pile: 2.0, frozen: 0.95, distinct: 2.0, depth: 0.03, way: 2,
/// };
/// // 7 is exceeded before and after, never between.
/// let values = [8.0, 9.0, 8.5, 7.0, 7.0, 6.0, 7.0, 7.0, 5.0, 7.0, 9.5, 8.0];
/// let top = flat_top(&values, &rule).unwrap();
/// assert_eq!((top.points, top.value, top.at, top.rows), (3..10, 7.0, 5, 7));
/// ```
pub fn flat_top(values: &[f64], rule: &FlatTopRule) -> Option<FlatTop> {
    let (repeated, peak) = most_repeated(values, rule.least / 2.0);
    let peak = peak.filter(|peak| Some(*peak) != repeated);
    [repeated, peak].into_iter().flatten().find_map(|value| at_figure(values, value, rule))
}

/// The clearest stretch of values that pile up at a figure.
fn at_figure(values: &[f64], value: f64, rule: &FlatTopRule) -> Option<FlatTop> {
    let reach = value.abs() * rule.tolerance;
    let (at, below) = evidence(rule.share, rule.elsewhere);
    let (above, _) = evidence(rule.above, rule.above_elsewhere);
    let says = |of: f64| match of - value {
        off if off.abs() <= reach => at,
        off if off > reach => above,
        off if off < 0.0 => below,
        _ => 0.0,
    };
    let greatest = greatest(values.iter().map(|of| says(*of)))?;
    let inside = values.get(greatest.points.clone()).unwrap_or_default();
    let count = |values: &[f64], is: &dyn Fn(f64) -> bool| values.iter().filter(|of| is(**of)).count();
    let is_at = |of: f64| (of - value).abs() <= reach;
    let top = FlatTop {
        at: count(inside, &is_at),
        rows: count(inside, &|of| !of.is_nan()),
        points: greatest.points,
        value,
    };
    let not_above = count(inside, &|of| of <= value + reach) as f64;
    if (top.at as f64) < rule.least || top.at as f64 >= rule.frozen * not_above {
        return None;
    }
    let outside = |is: &dyn Fn(f64) -> bool| count(values, is).saturating_sub(count(inside, is));
    let (rest, exceeding) = (outside(&|of| !of.is_nan()), outside(&|of| of > value + reach));
    if (exceeding as f64) < rule.above_elsewhere * rest as f64 {
        return None;
    }
    let mut others: Vec<f64> = inside.iter().copied().filter(|of| !of.is_nan() && !is_at(*of)).collect();
    if median(&mut others) > value - rule.depth * value.abs() {
        return None;
    }
    let (distinct, greatest) = distinct_and_greatest_count(others);
    let is_pile = top.at as f64 >= rule.pile * greatest as f64 && distinct as f64 >= rule.distinct;
    is_pile.then(|| FlatTop { points: halfway(values, top.points, value + reach, rule.way), ..top })
}

/// A stretch, and half of the way to the nearest values above a figure, at most `way` points.
fn halfway(values: &[f64], points: Range<usize>, figure: f64, way: usize) -> Range<usize> {
    let is_above = |value: &f64| *value > figure;
    let before = values.get(..points.start).unwrap_or_default().iter().rev();
    let after = values.get(points.end..).unwrap_or_default();
    let start = before.take(2 * way).position(is_above).map_or(0, |free| free / 2);
    let end = after.iter().take(2 * way).position(is_above).map_or(0, |free| free / 2);
    points.start - start..points.end + end
}

/// The value that most often follows itself, and the one that does so between lower ones, each the
/// greatest of equals, if it does so often enough.
fn most_repeated(values: &[f64], least: f64) -> (Option<f64>, Option<f64>) {
    let (mut repeated, mut peaks) = (Vec::new(), Vec::new());
    let mut rows = 0_usize;
    let (mut last, mut before) = (f64::NAN, f64::NAN);
    for value in values.iter().copied().filter(|value| value.is_finite()) {
        if value == last {
            rows += 1;
            repeated.push(value);
            continue;
        }
        // A run at the very beginning, with nothing before it, may be a peak, too.
        if rows > 0 && value < last && (before < last || before.is_nan()) {
            peaks.extend(std::iter::repeat_n(last, rows));
        }
        (before, last, rows) = (last, value, 0);
    }
    (most_frequent(repeated, least), most_frequent(peaks, least))
}

/// The most frequent of values, the greatest of equals, if it is often enough.
fn most_frequent(mut values: Vec<f64>, least: f64) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    let longest = values.chunk_by(|a, b| a == b).max_by_key(|chunk| chunk.len())?;
    if (longest.len() as f64) < least { None } else { longest.first().copied() }
}

/// How many different values there are, and how often the most frequent of them occurs.
fn distinct_and_greatest_count(mut values: Vec<f64>) -> (usize, usize) {
    values.sort_unstable_by(f64::total_cmp);
    let counts = || values.chunk_by(|a, b| a == b).map(<[f64]>::len);
    (counts().count(), counts().max().unwrap_or_default())
}
