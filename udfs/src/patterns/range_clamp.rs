//! P5 `range_clamp` (量程截断): the range is set so low that peaks can't be measured.
//!
//! Mechanism: the upper end of an analyser's range is lowered; whatever is higher is sent as that end.
//!
//! Formula: values pile up at their own greatest figure ([`super::flat_top`]), or stand at `near` of the
//! registered range or more, or at `near` of an end that only the values show: the greatest ones of weeks
//! (`block`) are one figure within `spread`, at least `blocks` times. Score: points there, `suspect` →
//! 0.5, `certain` → 1. The figure told is the end of the range in force, whatever is registered. Where
//! the level moved with the range it tells the first and last hour ([`super::onset`]).
//!
//! Excused: what [`super::maximum_clamp`] excuses; a dual-range analyser, which goes on above the end of
//! its low range; flag `T`, a declared over-range; pH, whose range is its scale. An end that isn't
//! registered counts only where values pile up at it (`suspect` more than `heap` times as many as in as
//! wide a band below, as the tail of no process does), go up to it (`edge` of them in the upper half of
//! the band; a process fades out), and are neither calm nor one figure.
//!
//! Example: 60 of 100 hours stand at 27.43 and none above, where 40 % of the rest do, at a registered
//! range of 125: with `suspect` 20 and `certain` 100 the score is 0.5 + 0.5 × (60 − 20) ÷ (100 − 20) = 0.75.

use std::ops::Range;

use plume_datasets::factors::PH;

use super::evidence::evidence;
use super::flat_top::{FlatTop, FlatTopRule, flat_top};
use super::hit::{Evidence, Hit};
use super::onset::level_stretch;
use super::outlet::{FactorSeries, Outlet};
use super::robust::quantile;
use super::score::score;
use super::segments::greatest;
use super::thresholds::Thresholds;

/// What makes the end of a range.
#[derive(Debug, Clone, Copy)]
pub struct RangeRule {
    /// Share of the end from which on a value stands at it.
    pub near: f64,
    /// Points of a block of which the greatest value is looked at.
    pub block: usize,
    /// How far the greatest values of blocks may differ.
    pub spread: f64,
    /// Blocks whose greatest values are the same.
    pub blocks: usize,
    /// How many times as many as in the band below stand at the end.
    pub heap: f64,
    /// Share of them in the upper half of the band.
    pub edge: f64,
}

/// Looks for the pattern in an outlet.
pub fn detect(outlet: &Outlet, thresholds: &Thresholds<'_>) -> Vec<Hit> {
    let has_range = |series: &&FactorSeries| series.factor != PH;
    outlet.pollutants().filter(has_range).filter_map(|series| of_series(series, thresholds)).collect()
}

fn of_series(series: &FactorSeries, thresholds: &Thresholds<'_>) -> Option<Hit> {
    let points = &series.fine;
    let of = |key| thresholds.of(&series.factor, points.grid.grain(), key);
    let range = series.monitor.range_high;
    let rule = RangeRule {
        near: of("near"),
        block: points.grid.points(of("block")),
        spread: of("spread"),
        blocks: of("blocks") as usize,
        heap: of("heap"),
        edge: of("edge"),
    };
    let values = points.usable_values();
    let top = range_clamp(&values, range, &rule, &FlatTopRule::of(series, thresholds))?;
    Some(
        series.hit(
            points.span(&level_stretch(&values, top.points)),
            score(top.at as f64, of("suspect"), of("certain")),
            top.rows,
            Evidence::default()
                .number("end_of_range", top.value)
                .number("registered_range", range)
                .number("points_at_it", top.at as f64)
                .number("share", top.at as f64 / top.rows.max(1) as f64),
        ),
    )
}

/// The clearest stretch in which values stand at the end of a range: the registered one, else one that
/// shows only as a figure that is never exceeded, else as one up to which values pile up.
pub fn range_clamp(values: &[f64], range: f64, rule: &RangeRule, flat: &FlatTopRule) -> Option<FlatTop> {
    at_registered(values, range, rule, flat)
        .or_else(|| flat_top(values, flat))
        .or_else(|| at_own(values, rule, flat))
}

/// Values in the band below the end of a range, in the stretch of greatest evidence for that end.
struct Band {
    points: Range<usize>,
    /// In the band.
    at: usize,
    /// In its upper half.
    upper: usize,
    /// In as wide a band below.
    below: usize,
    rows: usize,
}

impl Band {
    fn of(values: &[f64], end: f64, near: f64, flat: &FlatTopRule) -> Option<Self> {
        let (low, high) = (end * near, end * (1.0 + flat.tolerance));
        let (speaks, below) = evidence(flat.share, flat.elsewhere);
        let (above, _) = evidence(flat.above, flat.above_elsewhere);
        let says = |value: f64| match value {
            value if value > high => above,
            value if value >= low => speaks,
            value if value < low => below,
            _ => 0.0,
        };
        let points = greatest(values.iter().map(|value| says(*value)))?.points;
        let inside = values.get(points.clone()).unwrap_or_default();
        let count = |is: &dyn Fn(f64) -> bool| inside.iter().filter(|value| is(**value)).count();
        let middle = low + (end - low) / 2.0;
        Some(Self {
            at: count(&|value| value >= low && value <= high),
            upper: count(&|value| value >= middle && value <= high),
            below: count(&|value| value < low && value >= low - (high - low)),
            rows: count(&|value| !value.is_nan()),
            points,
        })
    }

    /// Whether there are enough, and others, too: a frozen value is no clamp.
    fn is_some(&self, flat: &FlatTopRule) -> bool {
        self.at as f64 >= flat.least && (self.at as f64) < flat.frozen * self.rows as f64
    }

    fn top(self, value: f64) -> FlatTop {
        FlatTop { points: self.points, value, at: self.at, rows: self.rows }
    }
}

fn at_registered(values: &[f64], range: f64, rule: &RangeRule, flat: &FlatTopRule) -> Option<FlatTop> {
    let (low, high) = (range * rule.near, range * (1.0 + flat.tolerance));
    let at = values.iter().filter(|value| **value >= low && **value <= high).count();
    if (at as f64) < flat.least {
        return None;
    }
    let band = Band::of(values, range, rule.near, flat)?;
    // A process that only comes near the range is no clamp.
    let is_clamp = band.is_some(flat) && band.at as f64 >= flat.pile * band.below as f64;
    is_clamp.then(|| band.top(range))
}

/// The stretch that an end shows which is registered nowhere.
fn at_own(values: &[f64], rule: &RangeRule, flat: &FlatTopRule) -> Option<FlatTop> {
    let end = common_greatest(values, rule)?;
    let band = Band::of(values, end, rule.near, flat)?;
    let is_pile = band.at as f64 >= rule.heap * band.below as f64 + flat.least;
    let goes_up_to_it = band.upper as f64 >= rule.edge * band.at as f64;
    let is_end = is_pile && goes_up_to_it && band.is_some(flat) && is_end(values, &band, end, rule, flat);
    is_end.then(|| band.top(end))
}

/// Whether a twentieth of the values of a stretch lie well below its band, else all of them are calm, and
/// those in it are different figures, else a flat top's.
fn is_end(values: &[f64], band: &Band, end: f64, rule: &RangeRule, flat: &FlatTopRule) -> bool {
    let mut inside = values.get(band.points.clone()).unwrap_or_default().to_vec();
    inside.retain(|value| !value.is_nan());
    let low = end * rule.near;
    if quantile(&mut inside, 0.05) > low * (1.0 - flat.depth) {
        return false;
    }
    inside.retain(|value| *value >= low);
    inside.sort_unstable_by(f64::total_cmp);
    inside.dedup();
    inside.len() as f64 >= flat.distinct
}

/// The figure that the greatest values of most blocks come to, within `spread`, and never exceed;
/// the greatest of equals, none where fewer than `blocks` do.
fn common_greatest(values: &[f64], rule: &RangeRule) -> Option<f64> {
    let greatest_of = |block: &[f64]| block.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mut tops: Vec<f64> = values.chunks(rule.block.max(1)).map(greatest_of).collect();
    tops.retain(|top| *top > 0.0 && top.is_finite());
    tops.sort_unstable_by(f64::total_cmp);
    let up_to = |end: f64| {
        let from = |least: f64| tops.partition_point(|top| *top < least);
        tops.partition_point(|top| *top <= end) - from(end * (1.0 - rule.spread))
    };
    let count = tops.iter().map(|end| (up_to(*end), *end));
    let (blocks, end) = count.max_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)))?;
    (blocks >= rule.blocks).then_some(end)
}

#[cfg(test)]
mod tests {
    use super::super::survival::{assert_found, even, found, hourly, stack, survives, two_decimals};
    use super::*;

    fn clamped(at: f64, factor: f64) -> Outlet {
        let mut values: Vec<f64> = stack(17, 4320).iter().map(|value| value * factor).collect();
        values[1440..2880].iter_mut().for_each(|value| *value = value.min(at));
        hourly(values)
    }

    #[test]
    fn the_planted_clamp_is_found_at_every_strength() {
        for at in [27.5, 25.0, 22.5] {
            assert_found("range_clamp", detect, &clamped(at, 1.0), 1440, 2880, 24);
        }
        // At the registered range of 125.
        assert_found("range_clamp", detect, &clamped(125.0, 5.0), 1440, 2880, 24);
    }

    #[test]
    fn an_end_that_noise_blurs_is_found() {
        // Whatever exceeds 27 lies evenly within the 2 % below it, in hours 1440 to 2879.
        for factor in [1.0, 1.1, 1.3] {
            let mut values = stack(20, 4320);
            for (value, part) in values[1440..2880].iter_mut().zip(even(21, 1440)) {
                *value *= factor;
                if *value > 27.0 {
                    *value = two_decimals(27.0 - 0.54 * part);
                }
            }
            values[..1440].iter_mut().for_each(|value| *value *= 0.8);
            values[2880..].iter_mut().for_each(|value| *value *= 0.8);
            // Peaks come about once in two days.
            assert_found("range_clamp", detect, &hourly(values), 1440, 2880, 48);
        }
    }

    #[test]
    fn the_common_greatest_value() {
        let rule = RangeRule { near: 0.98, block: 3, spread: 0.01, blocks: 3, heap: 2.0, edge: 0.35 };
        // The greatest of threes: 10, 9.95, 12 and 9.91; 9.91 to 10 lie within 1 %, 12 stands alone.
        let values = [10.0, 1.0, 2.0, 9.95, 3.0, 9.0, 12.0, 9.9, 8.0, 7.0, f64::NAN, 9.91];
        assert_eq!(common_greatest(&values, &rule), Some(10.0));
        assert_eq!(common_greatest(&values, &RangeRule { blocks: 4, ..rule }), None);
        assert_eq!(common_greatest(&[], &rule), None);
    }

    #[test]
    fn a_second_range_is_none() {
        assert!(found("range_clamp", detect, &hourly(stack(18, 4320))).is_empty());
        // Goes on to 200 and more where its registered range ends at 125.
        let second = stack(19, 4320).iter().map(|value| value * 5.0).collect();
        assert!(found("range_clamp", detect, &hourly(second)).is_empty());
    }

    #[test]
    fn nothing_makes_it_fall_over() {
        survives("range_clamp", detect);
    }
}
