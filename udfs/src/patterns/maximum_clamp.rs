//! P4 `maximum_clamp` (最大值封顶): a logger sends every greater value as one figure.
//!
//! Mechanism: the software cuts off what exceeds a figure, so that many different peaks become the
//! same maximum.
//!
//! Formula: the figure that most often follows itself, and the stretch in which it is reached often
//! and exceeded never ([`super::flat_top`]). Score: points at the figure, `suspect` → 0.5,
//! `certain` → 1.
//!
//! Excused: flag `T` (a real over-range; not usable, so never at the figure); a frozen value, which
//! is the only one there; a floor, which is the least; few decimals, where other figures are as
//! frequent; and a figure that nothing exceeds elsewhere either, as a regulated plant has.
//!
//! Example: 60 of 100 hours stand at 18.54 and none above, where 40 % of the rest do: with `suspect` 20
//! and `certain` 100 the score is 0.5 + 0.5 × (60 − 20) ÷ (100 − 20) = 0.75.

use super::flat_top::{FlatTop, FlatTopRule, flat_top};
use super::hit::{Evidence, Hit};
use super::outlet::{FactorSeries, Outlet};
use super::score::score;
use super::thresholds::Thresholds;

/// Looks for the pattern in an outlet.
pub fn detect(outlet: &Outlet, thresholds: &Thresholds<'_>) -> Vec<Hit> {
    outlet.pollutants().filter_map(|series| of_series(series, thresholds)).collect()
}

fn of_series(series: &FactorSeries, thresholds: &Thresholds<'_>) -> Option<Hit> {
    let points = &series.fine;
    let top = maximum_clamp(&points.usable_values(), &FlatTopRule::of(series, thresholds))?;
    let of = |key| thresholds.of(&series.factor, points.grid.grain(), key);
    Some(
        series.hit(
            points.span(&top.points),
            score(top.at as f64, of("suspect"), of("certain")),
            top.rows,
            Evidence::default()
                .number("maximum", top.value)
                .number("points_at_it", top.at as f64)
                .number("share", top.at as f64 / top.rows.max(1) as f64),
        ),
    )
}

/// The clearest stretch in which one maximum is reached again and again and never exceeded.
pub fn maximum_clamp(values: &[f64], rule: &FlatTopRule) -> Option<FlatTop> {
    flat_top(values, rule)
}

#[cfg(test)]
mod tests {
    use super::super::survival::{assert_found, found, hourly, stack, survives};
    use super::*;

    fn clamped(at: f64) -> Outlet {
        let mut values = stack(7, 4320);
        values[1440..2880].iter_mut().for_each(|value| *value = value.min(at));
        hourly(values)
    }

    #[test]
    fn the_planted_clamp_is_found_at_every_strength() {
        // A normal stack exceeds 1.1 times its median in a fourth of its hours, 0.9 times it in three.
        // The rarer it is, the longer until it is first reached.
        for (at, within) in [(27.5, 72), (25.0, 24), (22.5, 24)] {
            assert_found("maximum_clamp", detect, &clamped(at), 1440, 2880, within);
        }
    }

    #[test]
    fn what_looks_like_it_is_excused() {
        assert!(found("maximum_clamp", detect, &hourly(stack(8, 4320))).is_empty());
        // Whole numbers repeat, but none more than its neighbours.
        let whole = stack(9, 4320).into_iter().map(f64::round).collect();
        assert!(found("maximum_clamp", detect, &hourly(whole)).is_empty());
        // A frozen value is another pattern's; so is a floor.
        let mut frozen = stack(10, 4320);
        frozen[1000..2000].fill(20.0);
        assert!(found("maximum_clamp", detect, &hourly(frozen)).is_empty());
        let floor = stack(11, 4320).into_iter().map(|value| value.max(24.0)).collect();
        assert!(found("maximum_clamp", detect, &hourly(floor)).is_empty());
    }

    #[test]
    fn the_worked_example() {
        let mut values: Vec<f64> =
            (0..100).map(|at| if at % 5 < 3 { 18.54 } else { 10.0 + 0.01 * f64::from(at) }).collect();
        values.extend(
            (0..100)
                .map(|at| if at % 5 < 2 { 25.0 + 0.01 * f64::from(at) } else { 9.0 + 0.01 * f64::from(at) }),
        );
        let found = found("maximum_clamp", detect, &hourly(values));
        assert_eq!((found.len(), found[0].score), (1, 0.75));
    }

    #[test]
    fn nothing_makes_it_fall_over() {
        survives("maximum_clamp", detect);
    }
}
