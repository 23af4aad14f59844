//! P12 `conversion_mismatch` (折算不符): the converted value isn't what the formula gives.
//!
//! Mechanism: the logger converts with another reference oxygen, or multiplies once more.
//!
//! Formula: r = ln(Z ÷ (C × (21 − O₂s) ÷ (21 − O₂))), stretches where r, or −r, stands above 0.
//! Statistic: the median of |r| in it. The implied reference oxygen 21 − (21 − O₂s) × exp(r) is told.
//!
//! Excused: conversion by minute and then averaging (up to 3 %, below `least`), oxygen above
//! `oxygen_most`, where a small error of oxygen is a great one of the converted value, and
//! rounding, which goes either way.
//!
//! Example: C 30, O₂ 7.5, O₂s 6: 33.33; sent 25: ratio 0.75, |r| = 0.288. With `suspect` 0.05 and
//! `certain` 0.15 its score is 1; the implied reference oxygen is 21 − 15 × 0.75 = 9.75 %.

use std::ops::Range;

use super::departure::{log_of_positive, median_in};
use super::hit::{Evidence, Hit};
use super::outlet::{FactorSeries, Outlet};
use super::score::score;
use super::segments::segments;
use super::thresholds::Thresholds;

/// Oxygen of air, %, as the formula of conversion has it.
const AIR: f64 = 21.0;

/// Looks for the pattern in an outlet.
pub fn detect(outlet: &Outlet, thresholds: &Thresholds<'_>) -> Vec<Hit> {
    let Some(oxygen) = outlet.factor("a19001") else { return Vec::new() };
    if !outlet.o2_reference.is_finite() {
        return Vec::new();
    }
    let oxygen = oxygen.hours().usable_values();
    outlet
        .pollutants()
        .flat_map(|series| of_series(series, &oxygen, outlet.o2_reference, thresholds))
        .collect()
}

fn of_series(series: &FactorSeries, oxygen: &[f64], reference: f64, thresholds: &Thresholds<'_>) -> Vec<Hit> {
    let hours = series.hours();
    if hours.converted.is_empty() {
        return Vec::new();
    }
    let threshold = |key| thresholds.of(&series.factor, hours.grid.grain(), key);
    let (most, least, few) = (threshold("oxygen_most"), threshold("least"), threshold("hours"));
    let value = hours.usable_values();
    let shares: Vec<f64> = value
        .iter()
        .zip(&hours.converted)
        .zip(oxygen)
        .map(|((value, sent), oxygen)| {
            let share = sent * (AIR - oxygen) / (value * (AIR - reference));
            if *oxygen < most { share } else { f64::NAN }
        })
        .collect();
    // No logarithm is needed to see that few hours are off.
    let (low, high) = ((-least).exp(), least.exp());
    let below = shares.iter().filter(|share| **share < low).count() as f64;
    let above = shares.iter().filter(|share| **share > high).count() as f64;
    if below < few && above < few {
        return Vec::new();
    }
    let ratios: Vec<f64> = shares.into_iter().map(log_of_positive).collect();
    let hit = |points: Range<usize>| {
        let median = median_in(&ratios, &points);
        let within = ratios.get(points.clone()).unwrap_or_default();
        let implied = AIR - (AIR - reference) * median.exp();
        series.hit(
            hours.span(&points),
            score(median.abs(), threshold("suspect"), threshold("certain")),
            within.iter().filter(|ratio| ratio.is_finite()).count(),
            Evidence::default()
                .number("ratio", median.exp())
                .number("implied_o2_reference", implied)
                .number("o2_reference", reference),
        )
    };
    conversion_mismatch(&ratios, least, few).into_iter().map(hit).collect()
}

/// The stretches where the logarithms of sent over computed converted values stand off 0 by more
/// than `least` to one side, with the evidence of at least `weight` hours, by start.
///
/// ```
/// use plume_udfs::patterns::conversion_mismatch::conversion_mismatch;
/// let mut ratios = vec![0.01; 50];
/// ratios[10..30].fill(-0.288);
/// assert_eq!(conversion_mismatch(&ratios, 0.035, 6.0), [10..30]);
/// ```
pub fn conversion_mismatch(ratios: &[f64], least: f64, weight: f64) -> Vec<Range<usize>> {
    let side = |sign: f64| {
        let evidence: Vec<f64> =
            ratios.iter().map(|ratio| (sign * ratio / least - 1.0).clamp(-1.0, 1.0)).collect();
        segments(&evidence, weight)
    };
    let mut found: Vec<_> = side(-1.0).into_iter().chain(side(1.0)).map(|segment| segment.points).collect();
    found.sort_by_key(|points| (points.start, points.end));
    found
}

#[cfg(test)]
mod tests {
    use super::super::odd_records::{DEED, HALF_YEAR, survives};
    use super::super::survival::{assert_found, found, hourly, points, stack, two_decimals};
    use super::*;
    use crate::time::HOUR_US;

    const PATTERN: &str = "conversion_mismatch";

    /// A pollutant at 7.5 % of oxygen, converted to 6 %: × 15 ÷ 13.5, and by `left` while the deed lasts.
    fn outlet(left: f64) -> Outlet {
        let honest = stack(1, HALF_YEAR);
        let converted = |(at, value): (usize, &f64)| {
            let due = value * 15.0 / 13.5;
            two_decimals(if DEED.contains(&at) { due * left } else { due })
        };
        let mut outlet = hourly(honest.clone());
        let mut oxygen = outlet.factors[0].clone();
        "a19001".clone_into(&mut oxygen.factor);
        oxygen.fine = points(HOUR_US, vec![7.5; HALF_YEAR]);
        oxygen.monitor.limit_hour = f64::NAN;
        outlet.factors[0].fine.converted = honest.iter().enumerate().map(converted).collect();
        outlet.factors.push(oxygen);
        outlet
    }

    #[test]
    fn another_conversion_is_found_to_either_side() {
        for left in [0.75, 0.93, 1.1] {
            let other = outlet(left);
            assert_found(PATTERN, detect, &other, DEED.start, DEED.end, 0);
            // 0.93: |ln 0.93| = 0.0726, 0.5 + 0.5 × 0.0226 ÷ 0.1 = 0.613; implied 21 − 15 × 0.93 = 7.05 %.
            let hit = &found(PATTERN, detect, &other)[0];
            let implied = hit.evidence.number_of("implied_o2_reference").unwrap_or(f64::NAN);
            assert!((implied - (21.0 - 15.0 * left)).abs() < 0.02, "{implied}");
            assert!(left != 0.93 || (hit.score - 0.613).abs() < 0.01, "{}", hit.score);
        }
    }

    #[test]
    fn rounding_and_conversion_by_minute_are_not() {
        assert_eq!(found(PATTERN, detect, &outlet(1.0)), []);
        assert_eq!(found(PATTERN, detect, &outlet(0.97)), []);
        // Near 21 % the formula says nothing.
        let mut air = outlet(0.75);
        air.factors[1].fine.value.fill(19.0);
        assert_eq!(found(PATTERN, detect, &air), []);
    }

    #[test]
    fn odd_outlets() {
        survives(PATTERN, detect);
    }
}
