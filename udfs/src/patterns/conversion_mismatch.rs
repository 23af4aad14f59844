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
    let most = threshold("oxygen_most");
    let ratio = |((point, sent), oxygen): ((usize, &f64), &f64)| {
        let formula = hours.usable_value(point) * (AIR - reference) / (AIR - oxygen);
        if *oxygen < most { log_of_positive(*sent / formula) } else { f64::NAN }
    };
    let ratios: Vec<f64> = hours.converted.iter().enumerate().zip(oxygen).map(ratio).collect();
    let hit = |points: Range<usize>| {
        let median = median_in(&ratios, &points);
        let within = ratios.get(points.clone()).unwrap_or_default();
        let span = hours.span(&points);
        let implied = AIR - (AIR - reference) * median.exp();
        Hit {
            factor: series.factor.clone(),
            started: span.start,
            ended: span.end,
            score: score(median.abs(), threshold("suspect"), threshold("certain")),
            rows: within.iter().filter(|ratio| ratio.is_finite()).count(),
            evidence: Evidence::default()
                .number("ratio", median.exp())
                .number("implied_o2_reference", implied)
                .number("o2_reference", reference),
        }
    };
    conversion_mismatch(&ratios, threshold("least"), threshold("hours")).into_iter().map(hit).collect()
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
