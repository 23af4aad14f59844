//! P30 `digit_preference` (末位偏好): figures that a person typed.
//!
//! Mechanism: values are made up by hand, and people round: to whole numbers, halves, fives.
//!
//! Formula: the last decimal that a series uses is its resolution. A multiple of m resolutions (m from
//! `multiples`) occurs by chance in 1 of m values; where people type, in `within` of them or more. The
//! stretch of greatest evidence over all m is the pattern's, if it has `least` values. Score: the
//! logarithm (base 10) of the odds against chance, χ² with one degree of freedom of multiples against
//! others, `suspect` → 0.5, `certain` → 1.
//!
//! Excused: few decimals, where the whole series has that resolution; a series whose rest prefers the
//! same multiples; converted units, of whose figures few occur (`figures` of those that could); and a
//! round figure that was held (an effluent that pauses at pH 7): a multiple that repeats the value before
//! says nothing.
//!
//! Example: of 200 values 100 are whole tenths where chance gives 20: χ² = 80² ÷ 20 + 80² ÷ 180 = 355.6,
//! far above `certain` 60: score 1.

use std::ops::Range;

use super::departure::sample;
use super::evidence::evidence;
use super::hit::{Evidence, Hit};
use super::outlet::{FactorSeries, Outlet};
use super::score::score;
use super::segments::greatest;
use super::thresholds::Thresholds;

/// Multiples of the resolution that people round to.
const MULTIPLES: [i64; 6] = [5, 10, 25, 50, 100, 1000];

/// Decimals that a resolution is looked for in.
const DECIMALS: [f64; 5] = [1.0, 10.0, 100.0, 1000.0, 10_000.0];

/// What makes a preference.
#[derive(Debug, Clone, Copy)]
pub struct DigitRule {
    /// Values of a stretch, at least.
    pub least: f64,
    /// Share of multiples within the pattern.
    pub within: f64,
    /// Share of values that need a decimal for it to be the series' own.
    pub needs: f64,
    /// How many times chance the rest of the series may have of them.
    pub rest: f64,
    /// Share of the figures that the rest could show which it shows, at least.
    pub figures: f64,
}

/// A stretch of rounded figures.
#[derive(Debug, Clone, PartialEq)]
pub struct Preference {
    /// Its points.
    pub points: Range<usize>,
    /// What figures are multiples of.
    pub step: f64,
    /// Multiples among them.
    pub multiples: usize,
    /// Points that can be judged.
    pub rows: usize,
    /// χ² of multiples and others against chance.
    pub chi_squared: f64,
}

/// Looks for the pattern in an outlet.
pub fn detect(outlet: &Outlet, thresholds: &Thresholds<'_>) -> Vec<Hit> {
    outlet.pollutants().filter_map(|series| of_series(series, thresholds)).collect()
}

fn of_series(series: &FactorSeries, thresholds: &Thresholds<'_>) -> Option<Hit> {
    let points = &series.fine;
    let of = |key| thresholds.of(&series.factor, points.grid.grain(), key);
    let rule = DigitRule {
        least: of("least"),
        within: of("within"),
        needs: of("needs"),
        rest: of("rest"),
        figures: of("figures"),
    };
    let drift = series.monitor.range_high * of("floor");
    let values = points.usable_above(drift);
    let found = digit_preference(&values, &rule)?;
    Some(
        series.hit(
            points.span(&found.points),
            score(found.chi_squared, of("suspect"), of("certain")),
            found.rows,
            Evidence::default()
                .number("multiples_of", found.step)
                .number("share", found.multiples as f64 / found.rows.max(1) as f64)
                .number("chi_squared", found.chi_squared),
        ),
    )
}

/// The clearest stretch of values that are multiples of more than their resolution; NaN says nothing.
pub fn digit_preference(values: &[f64], rule: &DigitRule) -> Option<Preference> {
    let some = sample(values);
    let scale = DECIMALS.into_iter().find(|scale| needs_no_more(&some, *scale, rule.needs))?;
    let mut before = None;
    let unit = |value: &f64| {
        let unit = in_units(*value, scale)?;
        let is_held = before.replace(unit) == Some(unit) && unit % 5 == 0;
        (!is_held).then_some(unit)
    };
    let units: Vec<Option<i64>> = values.iter().map(unit).collect();
    // Every multiple is one of 5, too: without more of those than chance gives there is nothing to find.
    let fives = units.iter().flatten().filter(|unit| **unit % 5 == 0).count() as f64;
    let all = units.iter().flatten().count() as f64;
    if fives < all / 5.0 + rule.least * (rule.within - 0.2) / 2.0 {
        return None;
    }
    let of_multiple = |multiple: i64| preference(&units, multiple, rule).map(|found| (multiple, found));
    let clearest = MULTIPLES.into_iter().filter_map(of_multiple);
    let (multiple, found) = clearest.max_by(|a, b| a.1.1.total_cmp(&b.1.1))?;
    let Range { start, end } = found.0;
    let rest = units.get(..start).into_iter().chain(units.get(end..)).flatten().flatten().copied().collect();
    if is_converted(rest, rule.figures) {
        return None;
    }
    let inside = units.get(start..end).unwrap_or_default();
    let (multiples, rows) = count(inside, multiple);
    let chance = rows as f64 / multiple as f64;
    let off = (multiples as f64 - chance) * (multiples as f64 - chance);
    let chi_squared = off / chance + off / (rows as f64 - chance);
    Some(Preference { points: start..end, step: multiple as f64 / scale, multiples, rows, chi_squared })
}

/// The stretch with most multiples, and its evidence.
fn preference(units: &[Option<i64>], multiple: i64, rule: &DigitRule) -> Option<(Range<usize>, f64)> {
    let (all_multiples, all) = count(units, multiple);
    // So few more than chance gives can't be a stretch.
    let chance = all as f64 / multiple as f64;
    if (all_multiples as f64) < chance + rule.least * (rule.within - 1.0 / multiple as f64) / 2.0 {
        return None;
    }
    let (speaks, against) = evidence(rule.within, 1.0 / multiple as f64);
    let says =
        |unit: &Option<i64>| unit.map_or(0.0, |unit| if unit % multiple == 0 { speaks } else { against });
    let greatest = greatest(units.iter().map(says))?;
    let (multiples, rows) = count(units.get(greatest.points.clone()).unwrap_or_default(), multiple);
    let rest = (all_multiples - multiples) as f64 * multiple as f64;
    let is_clear = rows as f64 >= rule.least && rest <= rule.rest * (all - rows) as f64;
    let is_clear = is_clear && (all - rows) as f64 >= rule.least;
    let is_pile = || is_pile(units.get(greatest.points.clone()).unwrap_or_default(), multiple);
    (is_clear && !is_pile()).then_some((greatest.points, greatest.evidence))
}

/// Whether one figure makes most of the multiples, as a clamp's does: people type more than one.
fn is_pile(units: &[Option<i64>], multiple: i64) -> bool {
    let mut multiples: Vec<i64> =
        units.iter().flatten().copied().filter(|unit| unit % multiple == 0).collect();
    multiples.sort_unstable();
    let greatest = multiples.chunk_by(|a, b| a == b).map(<[i64]>::len).max();
    greatest.unwrap_or_default() * 2 > multiples.len()
}

/// Whether figures are so few that their last digit is no resolution: a coarse signal was converted to
/// another unit. As many could be there as there are values, or units in the range of nine in ten of them.
fn is_converted(mut units: Vec<i64>, least: f64) -> bool {
    units.sort_unstable();
    let last = units.len().saturating_sub(1);
    let at = |part: usize| units.get(last * part / 20).copied().unwrap_or_default();
    let range = at(19).saturating_sub(at(1)).saturating_add(1);
    let could = (units.len() as f64).min(range as f64);
    units.dedup();
    (units.len() as f64) < least * could
}

/// Multiples among values, and values.
fn count(units: &[Option<i64>], multiple: i64) -> (usize, usize) {
    let known = || units.iter().flatten();
    (known().filter(|unit| **unit % multiple == 0).count(), known().count())
}

/// A value in units of a resolution; none where it has no such digits.
fn in_units(value: f64, scale: f64) -> Option<i64> {
    const EXACT: f64 = (1_i64 << 53) as f64;
    let scaled = value * scale;
    // Faster than rounding; what lies halfway doesn't matter.
    (scaled.abs() < EXACT).then_some((scaled + 0.5_f64.copysign(scaled)) as i64)
}

/// Whether all but a share of values have no more decimals than a scale shows.
fn needs_no_more(values: &[f64], scale: f64, needs: f64) -> bool {
    let known = values.iter().filter(|value| value.is_finite());
    let most = needs * known.clone().count() as f64;
    let mut more = 0.0;
    for value in known {
        let scaled = value * scale;
        // A millionth of a unit, and what the value's own digits can't hold.
        let slack = 1e-6_f64.max(scaled.abs() * f64::EPSILON * 4.0);
        if (scaled - scaled.round()).abs() > slack {
            more += 1.0;
            if more > most {
                return false;
            }
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::super::survival::{assert_found, found, hourly, stack, survives};
    use super::*;

    const NAME: &str = "digit_preference";

    fn rounded(to: f64) -> Vec<f64> {
        let mut values = stack(91, 4320);
        values[1440..2880].iter_mut().for_each(|value| *value = (*value / to).round() * to);
        values
    }

    #[test]
    fn planted_rounding_is_found_at_every_strength() {
        for to in [0.1, 0.25, 0.5] {
            assert_found(NAME, detect, &hourly(rounded(to)), 1440, 2880, 6);
        }
    }

    #[test]
    fn few_decimals_are_excused() {
        assert!(found(NAME, detect, &hourly(stack(92, 4320))).is_empty());
        for scale in [1.0, 2.0, 10.0] {
            let few = stack(93, 4320).iter().map(|value| (value * scale).round() / scale).collect();
            assert!(found(NAME, detect, &hourly(few)).is_empty(), "{scale}");
        }
    }

    #[test]
    fn a_round_figure_that_was_held_is_excused() {
        // Ten hours of 25 after ten others, for two months: 9 of 10 repeat the one before.
        let mut values = stack(94, 4320);
        (1440..2880).filter(|at| at / 10 % 2 == 0).for_each(|at| values[at] = 25.0);
        assert!(found(NAME, detect, &hourly(values)).is_empty());
    }

    #[test]
    fn the_worked_example() {
        let rule = DigitRule { least: 200.0, within: 0.4, needs: 0.02, rest: 2.0, figures: 0.0 };
        // Within, whole tenths and odd hundredths in turn, both ends tenths; without, a tenth in ten.
        let mut values = vec![1.03; 401];
        values.iter_mut().skip(5).step_by(10).for_each(|value| *value = 1.1);
        values[100..300].fill(1.03);
        // 1.1, 1.2 and 1.3 in turn.
        (100..300).filter(|at| at % 2 == 1).for_each(|at| values[at] = 1.1 + (at / 2 % 3) as f64 / 10.0);
        values[100] = 1.2;
        values[199] = 1.07;
        let found = digit_preference(&values, &rule).unwrap();
        assert_eq!(
            (found.step, found.points.clone(), found.multiples, found.rows),
            (0.1, 100..300, 100, 200)
        );
        assert!((found.chi_squared - 355.6).abs() < 0.1, "{}", found.chi_squared);
    }

    #[test]
    fn nothing_makes_it_fall_over() {
        survives(NAME, detect);
    }
}
