//! P24 `standard_solution` (标液替样): the analyser measures a standard, not the sample.
//!
//! Mechanism: the intake is put into a bottle of the standard solution, or the span gas stays on, for good or for
//! some hours a day.
//!
//! Formula: an hour stands where it is one of `run` or more in a row within `within` of the concentration of a
//! standard (of the checks on record, or half of the range of a water analyser). Standing hours are a share
//! `often` of a deed's hours and `elsewhere` of others: their evidence, ln(`often` ÷ `elsewhere`), holds
//! together what comes back every day. Statistic: standing hours.
//!
//! Excused: a stable effluent that happens to lie there: from one hour to the next a standard changes by the
//! analyser's own noise, at most `calm` of what the series outside of the deed does.
//!
//! Example: 40 hours within 1 % of 50 mg/L; with `suspect` 10 and `certain` 24 its score is 1.

use std::ops::Range;

use super::evidence::evidence;
use super::hit::{Evidence, Hit};
use super::outlet::{FactorSeries, Outlet};
use super::robust::median;
use super::score::score;
use super::segments::{Segment, segments};
use super::thresholds::Thresholds;

/// Standards that are tried for a factor.
const STANDARDS: usize = 6;

/// Looks for the pattern in an outlet.
pub fn detect(outlet: &Outlet, thresholds: &Thresholds<'_>) -> Vec<Hit> {
    outlet.pollutants().flat_map(|series| of_series(outlet, series, thresholds)).collect()
}

/// The concentrations of standards of a factor, in order.
fn standards(outlet: &Outlet, series: &FactorSeries) -> Vec<f64> {
    let checks = outlet.records.checks.iter().filter(|check| check.factor == series.factor);
    let mut known: Vec<f64> =
        checks.map(|check| check.expected).filter(|of| *of > 0.0 && of.is_finite()).collect();
    if series.medium == plume_datasets::factors::Medium::Water && series.monitor.range_high > 0.0 {
        known.push(series.monitor.range_high / 2.0);
    }
    known.sort_unstable_by(f64::total_cmp);
    known.dedup();
    known.truncate(STANDARDS);
    known
}

fn of_series(outlet: &Outlet, series: &FactorSeries, thresholds: &Thresholds<'_>) -> Vec<Hit> {
    let known = standards(outlet, series);
    if known.is_empty() {
        return Vec::new();
    }
    let hours = series.hours();
    let threshold = |key| thresholds.of(&series.factor, hours.grid.grain(), key);
    let (suspect, certain) = (threshold("suspect"), threshold("certain"));
    let (stands, runs) = evidence(threshold("often"), threshold("elsewhere"));
    let values = hours.usable_values();
    let of_standard = |standard: f64| {
        let standing = standard_solution(&values, standard, threshold("within"), threshold("run"));
        let count =
            |points: Range<usize>| standing.get(points).unwrap_or_default().iter().filter(|of| **of).count();
        if (count(0..standing.len()) as f64) < suspect {
            return Vec::new();
        }
        let says = |(value, standing): (&f64, &bool)| match standing {
            true => stands,
            false if value.is_nan() => 0.0,
            false => runs,
        };
        let says: Vec<f64> = values.iter().zip(&standing).map(says).collect();
        let found = segments(&says, stands * suspect / 2.0);
        let usual = median(&mut steps(&values, |at| !found.iter().any(|of| of.points.contains(&at))));
        let hit = |Segment { points, .. }: Segment| {
            let standing_hours = count(points.clone());
            let within = |at: usize| points.contains(&at) && standing.get(at).copied().unwrap_or_default();
            let calm = median(&mut steps(&values, within)) / usual;
            if calm.is_nan() || calm > threshold("calm") {
                return None;
            }
            Some(
                series.hit(
                    hours.span(&points),
                    score(standing_hours as f64, suspect, certain),
                    standing_hours,
                    Evidence::default()
                        .number("standard", standard)
                        .number("hours", standing_hours as f64)
                        .number("step_of_usual", calm),
                ),
            )
        };
        found.into_iter().filter_map(hit).collect()
    };
    known.into_iter().flat_map(of_standard).collect()
}

/// By what share values change from one hour to the next, where both hours are asked for and known.
fn steps(values: &[f64], asked: impl Fn(usize) -> bool) -> Vec<f64> {
    let pairs = values.iter().zip(values.iter().skip(1)).enumerate();
    let step = |(at, (a, b)): (usize, (&f64, &f64))| {
        let step = (b / a - 1.0).abs();
        (step.is_finite() && asked(at) && asked(at + 1)).then_some(step)
    };
    pairs.filter_map(step).collect()
}

/// Whether each value is one of `run` or more in a row within a share `within` of a standard's concentration; NaN
/// neither is nor breaks a row.
///
/// ```
/// use plume_udfs::patterns::standard_solution::standard_solution;
/// let standing = standard_solution(&[50.5, 20.0, 50.2, f64::NAN, 49.9, 50.1, 53.0], 50.0, 0.02, 3.0);
/// assert_eq!(standing, [false, false, true, false, true, true, false]);
/// ```
pub fn standard_solution(values: &[f64], standard: f64, within: f64, run: f64) -> Vec<bool> {
    let (least, most) = (standard * (1.0 - within), standard * (1.0 + within));
    let is_there = |value: f64| value >= least && value <= most;
    let mut standing = vec![false; values.len()];
    // Where the row began, and how many values it has.
    let (mut from, mut count) = (0, 0_usize);
    for (at, value) in values.iter().copied().chain([f64::INFINITY]).enumerate() {
        if is_there(value) {
            from = if count == 0 { at } else { from };
            count += 1;
        } else if !value.is_nan() {
            if count as f64 >= run {
                let row = from..at.min(values.len());
                let values = values.get(row.clone()).unwrap_or_default();
                let of_row = standing.get_mut(row).unwrap_or_default().iter_mut().zip(values);
                of_row.for_each(|(standing, value)| *standing = !value.is_nan());
            }
            count = 0;
        }
    }
    standing
}

#[cfg(test)]
mod tests {
    use super::super::odd_records::{DEED, HALF_YEAR, check, survives};
    use super::super::survival::{assert_found, found, hourly, stack, two_decimals};
    use super::*;
    use crate::time::DAY_US;

    const PATTERN: &str = "standard_solution";

    /// A stack around 25 and a standard of 30, which the analyser shows, ± 0.5 %, at some hours.
    fn outlet(values: Vec<f64>, is_standard: impl Fn(usize) -> bool) -> Outlet {
        let noise = stack(7, HALF_YEAR);
        let shown = |(at, value): (usize, f64)| {
            let standard = two_decimals(30.0 + (noise[at] - 25.0) * 0.04);
            if is_standard(at) { standard } else { value }
        };
        let mut outlet = hourly(values.into_iter().enumerate().map(shown).collect());
        outlet.records.checks = vec![check("standard_check", DAY_US, 30.0, 30.2)];
        outlet
    }

    #[test]
    fn a_standard_for_some_hours_a_day_is_one_deed() {
        // 8 hours a day from hour 1500 on; the last from 2916 to 2924. A day says 8 × ln(0.2 ÷ 0.01) = 24.0 for
        // it and 16 × ln(0.8 ÷ 0.99) = −3.4 against it.
        let daily = |at: usize| DEED.contains(&at) && (at - DEED.start) % 24 < 8;
        assert_found(PATTERN, detect, &outlet(stack(1, HALF_YEAR), daily), 1500, 2924, 1);
        assert_found(PATTERN, detect, &outlet(stack(1, HALF_YEAR), |at| DEED.contains(&at)), 1500, 2940, 1);
        assert_eq!(found(PATTERN, detect, &outlet(stack(1, HALF_YEAR), |_| false)), []);
    }

    #[test]
    fn a_stable_effluent_is_not() {
        let stable =
            stack(1, HALF_YEAR).iter().map(|value| two_decimals(30.0 + (value - 25.0) * 0.15)).collect();
        assert_eq!(found(PATTERN, detect, &outlet(stable, |_| false)), []);
    }

    #[test]
    fn odd_outlets() {
        survives(PATTERN, detect);
    }
}
