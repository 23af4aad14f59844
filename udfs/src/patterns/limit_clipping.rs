//! P3 `limit_clipping` (压线): what exceeds the limit is sent as just below it.
//!
//! Mechanism: the software replaces values above the limit by values in a narrow band below it.
//!
//! Formula: of hours in the upper half of the band, a = [L × (1 − band/2), L], in its lower half, b,
//! and as far above, c = (L, L × (1 + band/2)]. A smooth density goes on above L about as it falls
//! below: a × min(1, a/b) values are expected there. Ratio = expected ÷ max(c, 1), in the stretch of
//! greatest evidence. Score: the ratio, `suspect` → 0.5, `certain` → 1.
//! What is sent converted to the reference oxygen is held against the limit, too, whatever the registry
//! says of its basis: the software cuts off whichever of the two is compared with it. pH is left out:
//! a share of a logarithm means nothing.
//!
//! Excused: a process regulated to a set-point, which lies as far above its median as below (a median
//! less than `skew` times as far from the 5 % quantile as from the 95 % quantile) and fades out before
//! the limit (in the tenth of the band that touches it, less than `edge` of the band's density); and a plant
//! that its load or flow shows at rest (`running`).
//!
//! Example: 60 hours in the upper half, 60 in the lower, 1 above: expected 60 × 1, ratio 60, above
//! `certain` 40: score 1.

use std::ops::Range;

use plume_datasets::factors::PH;

use super::evidence::evidence;
use super::hit::{Evidence, Hit};
use super::outlet::{FactorSeries, Outlet};
use super::rest::is_at_rest;
use super::robust::quantile;
use super::score::score;
use super::segments::greatest;
use super::thresholds::Thresholds;

/// What makes a cliff.
#[derive(Debug, Clone, Copy)]
pub struct ClippingRule {
    /// Width of the band as a share of the limit.
    pub band: f64,
    /// Values in the band's upper half, at least.
    pub least: f64,
    /// Share of values in the band within the pattern.
    pub within: f64,
    /// Share of values in the band elsewhere.
    pub elsewhere: f64,
    /// Share of values above the limit within the pattern.
    pub above_within: f64,
    /// Share of values above the limit of a plant near it.
    pub above_elsewhere: f64,
    /// How many times as far below the median as above it values reach.
    pub skew: f64,
    /// Density at the limit over that of the band, below which values fade out before it.
    pub edge: f64,
}

/// A stretch cut off at a limit.
#[derive(Debug, Clone, PartialEq)]
pub struct Clipping {
    /// Its points.
    pub points: Range<usize>,
    /// Values in the upper half of the band.
    pub below: usize,
    /// Values as far above the limit.
    pub above: usize,
    /// Expected above over found above, at least 1.
    pub ratio: f64,
    /// Points that can be judged.
    pub rows: usize,
}

/// Looks for the pattern in an outlet.
pub fn detect(outlet: &Outlet, thresholds: &Thresholds<'_>) -> Vec<Hit> {
    let has_share = |series: &&FactorSeries| series.factor != PH;
    outlet.pollutants().filter(has_share).filter_map(|series| of_series(outlet, series, thresholds)).collect()
}

fn of_series(outlet: &Outlet, series: &FactorSeries, thresholds: &Thresholds<'_>) -> Option<Hit> {
    let points = series.hours();
    let limit = series.monitor.limit_hour;
    let of = |key| thresholds.of(&series.factor, points.grid.grain(), key);
    let rule = ClippingRule {
        band: of("band"),
        least: of("least"),
        within: of("within"),
        elsewhere: of("elsewhere"),
        above_within: of("above_within"),
        above_elsewhere: of("above_elsewhere"),
        skew: of("skew"),
        edge: of("edge"),
    };
    let converted = (0..points.len()).map(|point| points.usable_converted(point)).collect();
    let found = [points.usable_values(), converted].map(|values| limit_clipping(&values, limit, &rule));
    let clearest = found.into_iter().flatten().max_by(|a, b| a.ratio.total_cmp(&b.ratio))?;
    if is_at_rest(outlet, series.medium, clearest.points.clone(), of("running")) {
        return None;
    }
    Some(
        series.hit(
            points.span(&clearest.points),
            score(clearest.ratio, of("suspect"), of("certain")),
            clearest.rows,
            Evidence::default()
                .number("limit", limit)
                .number("just_below", clearest.below as f64)
                .number("just_above", clearest.above as f64)
                .number("ratio", clearest.ratio),
        ),
    )
}

/// The clearest stretch of values that is cut off at a limit; NaN says nothing.
pub fn limit_clipping(values: &[f64], limit: f64, rule: &ClippingRule) -> Option<Clipping> {
    let (floor, middle) = (limit * (1.0 - rule.band), limit * (1.0 - rule.band / 2.0));
    let is_upper = |value: f64| value >= middle && value <= limit;
    let count = |values: &[f64], is: &dyn Fn(f64) -> bool| values.iter().filter(|value| is(**value)).count();
    if (count(values, &is_upper) as f64) < rule.least {
        return None;
    }
    let (within, below) = evidence(rule.within, rule.elsewhere);
    let (above, _) = evidence(rule.above_within, rule.above_elsewhere);
    let says = |value: f64| match value {
        value if value > limit => above,
        value if value >= floor => within,
        value if value < floor => below,
        _ => 0.0,
    };
    let greatest = greatest(values.iter().map(|value| says(*value)))?;
    let inside = values.get(greatest.points.clone()).unwrap_or_default();
    let upper = count(inside, &is_upper);
    let lower = count(inside, &|value| value >= floor && value < middle);
    let above = count(inside, &|value| value > limit && value <= limit + (limit - middle));
    let mut known: Vec<f64> = inside.iter().copied().filter(|value| value.is_finite()).collect();
    // The tenth of the band that touches the limit, as a share of what an even band has there.
    let touching = count(inside, &|value| value >= limit - (limit - floor) / 10.0 && value <= limit);
    let fades = ((10 * touching) as f64) < rule.edge * (upper + lower) as f64;
    if (upper as f64) < rule.least || (fades && is_set_point(&mut known, rule.skew)) {
        return None;
    }
    let expected = upper as f64 * (upper as f64 / lower.max(1) as f64).min(1.0);
    let ratio = expected / above.max(1) as f64;
    Some(Clipping { points: greatest.points, below: upper, above, ratio, rows: known.len() })
}

/// Whether values lie about as far above their median as below.
fn is_set_point(values: &mut [f64], skew: f64) -> bool {
    let [low, middle, high] = [0.05, 0.5, 0.95].map(|share| quantile(values, share));
    middle - low < skew * (high - middle)
}

#[cfg(test)]
mod tests {
    use super::super::survival::{assert_found, even, found, hourly, stack, survives, two_decimals};
    use super::*;

    const NAME: &str = "limit_clipping";

    /// What exceeds the limit of 50 lies evenly between 47.5 and 50 instead.
    fn clipped(factor: f64) -> Outlet {
        let mut values = stack(41, 4320);
        for (value, part) in values[1440..2880].iter_mut().zip(even(42, 1440)) {
            *value *= factor;
            if *value > 50.0 {
                *value = two_decimals(50.0 - 2.5 * part);
            }
        }
        hourly(values)
    }

    #[test]
    fn planted_clipping_is_found_at_every_strength() {
        for (factor, within) in [(1.8, 24), (2.0, 24), (2.4, 12), (4.0, 2)] {
            assert_found(NAME, detect, &clipped(factor), 1440, 2880, within);
        }
    }

    #[test]
    fn what_is_cut_off_as_converted_is_found_as_that() {
        // Measured values are 0.9 to 1.1 times what was sent as converted.
        let mut outlet = clipped(2.0);
        for series in &mut outlet.factors {
            series.fine.converted = series.fine.value.clone();
            let parts = even(45, series.fine.len());
            series.fine.value.iter_mut().zip(parts).for_each(|(value, part)| *value *= 0.9 + 0.2 * part);
        }
        assert_found(NAME, detect, &outlet, 1440, 2880, 24);
    }

    #[test]
    fn set_points_are_excused() {
        assert!(found(NAME, detect, &hourly(stack(43, 4320))).is_empty());
        // Regulated to 0.96 of the limit, nearer and farther from it.
        for spread in [0.03, 0.1, 0.2] {
            let set_point = stack(44, 4320).iter().map(|value| 48.0 + (value - 25.0) * spread).collect();
            assert!(found(NAME, detect, &hourly(set_point)).is_empty(), "{spread}");
        }
    }

    #[test]
    fn the_worked_example() {
        let rule = ClippingRule {
            band: 0.1,
            least: 20.0,
            within: 0.2,
            elsewhere: 0.02,
            above_within: 0.002,
            above_elsewhere: 0.03,
            skew: 1.5,
            edge: 0.5,
        };
        // 60 at 98, 60 at 94, 60 at 60, and one at 101.
        let mut values: Vec<f64> = [98.0, 94.0, 60.0].repeat(60);
        values.insert(91, 101.0);
        let found = limit_clipping(&values, 100.0, &rule).unwrap();
        assert_eq!((found.below, found.above, found.ratio), (60, 1, 60.0));
    }

    #[test]
    fn nothing_makes_it_fall_over() {
        survives(NAME, detect);
    }
}
