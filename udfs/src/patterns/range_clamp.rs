//! P5 `range_clamp` (量程截断): the range is set so low that peaks can't be measured.
//!
//! Mechanism: the upper end of an analyser's range is lowered; whatever is higher is sent as that end.
//!
//! Formula: values pile up at their own greatest figure ([`super::flat_top`]), or stand at `near` of
//! the registered range or more. Score: points there, `suspect` → 0.5, `certain` → 1. The figure told
//! is the end of the range in force, whatever is registered.
//!
//! Excused: what [`super::maximum_clamp`] excuses; a dual-range analyser, which goes on above the end
//! of its low range; flag `T`, a declared over-range.
//!
//! Example: 60 of 100 hours stand at 27.43 and none above, where 40 % of the rest do, at a registered
//! range of 125: with `suspect` 20 and `certain` 100 the score is 0.5 + 0.5 × (60 − 20) ÷ (100 − 20) = 0.75.

use super::evidence::evidence;
use super::flat_top::{FlatTop, FlatTopRule, flat_top};
use super::hit::{Evidence, Hit};
use super::outlet::{FactorSeries, Outlet};
use super::score::score;
use super::segments::segments;
use super::thresholds::Thresholds;

/// Looks for the pattern in an outlet.
pub fn detect(outlet: &Outlet, thresholds: &Thresholds<'_>) -> Vec<Hit> {
    outlet.pollutants().filter_map(|series| of_series(series, thresholds)).collect()
}

fn of_series(series: &FactorSeries, thresholds: &Thresholds<'_>) -> Option<Hit> {
    let points = &series.fine;
    let of = |key| thresholds.of(&series.factor, points.grid.grain(), key);
    let range = series.monitor.range_high;
    let top = range_clamp(&points.usable_values(), range, of("near"), &FlatTopRule::of(series, thresholds))?;
    let span = points.span(&top.points);
    Some(Hit {
        factor: series.factor.clone(),
        started: span.start,
        ended: span.end,
        score: score(top.at as f64, of("suspect"), of("certain")),
        rows: top.rows,
        evidence: Evidence::default()
            .number("end_of_range", top.value)
            .number("registered_range", range)
            .number("points_at_it", top.at as f64)
            .number("share", top.at as f64 / top.rows.max(1) as f64),
    })
}

/// The clearest stretch in which values stand at the end of a range: the registered one, `near` it
/// (a share of it), else one that shows only as a figure that is never exceeded.
pub fn range_clamp(values: &[f64], range: f64, near: f64, rule: &FlatTopRule) -> Option<FlatTop> {
    at_registered(values, range, near, rule).or_else(|| flat_top(values, rule))
}

fn at_registered(values: &[f64], range: f64, near: f64, rule: &FlatTopRule) -> Option<FlatTop> {
    let (low, high) = (range * near, range * (1.0 + rule.tolerance));
    let is_at = |value: f64| value >= low && value <= high;
    if (values.iter().filter(|value| is_at(**value)).count() as f64) < rule.least {
        return None;
    }
    let (at, below) = evidence(rule.share, rule.elsewhere);
    let (above, _) = evidence(rule.above, rule.above_elsewhere);
    let says = |value: f64| match value {
        value if is_at(value) => at,
        value if value > high => above,
        value if value < low => below,
        _ => 0.0,
    };
    let says: Vec<f64> = values.iter().map(|value| says(*value)).collect();
    let greatest = segments(&says, at).into_iter().max_by(|a, b| a.evidence.total_cmp(&b.evidence))?;
    let inside = values.get(greatest.points.clone()).unwrap_or_default();
    let at = inside.iter().filter(|value| is_at(**value)).count();
    // A frozen value, or a process that only comes near the range, is no clamp.
    let below = inside.iter().filter(|value| **value < low && **value >= low - (high - low)).count();
    let rows = inside.iter().filter(|value| !value.is_nan()).count();
    let is_clamp = at as f64 >= rule.least
        && at as f64 >= rule.pile * below as f64
        && (at as f64) < rule.frozen * rows as f64;
    is_clamp.then_some(FlatTop { points: greatest.points, value: range, at, rows })
}

#[cfg(test)]
mod tests {
    use super::super::survival::{assert_found, found, hourly, stack, survives};
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
