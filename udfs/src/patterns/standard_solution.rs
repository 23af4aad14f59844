//! P24 `standard_solution` (标液替样): the analyser measures a standard, not the sample.
//!
//! Mechanism: the intake is put into a bottle of the standard solution, or the span gas stays on.
//!
//! Formula: an hour within `within` of the concentration of a standard (of the checks on record, or
//! half of the range of a water analyser) speaks for the pattern, one at twice that for nothing, one
//! beyond against it. Statistic: hours of evidence.
//!
//! Excused: a stable effluent that happens to lie there: the values outside must have a median
//! farther off than in the stretch by twice `within`, or spread three times as much.
//!
//! Example: 40 hours within 1 % of 50 mg/L; with `suspect` 6 and `certain` 24 its score is 1.

use std::ops::Range;

use super::departure::sample;
use super::hit::{Evidence, Hit};
use super::outlet::{FactorSeries, Outlet};
use super::robust::median_and_mad;
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
    let (suspect, certain, within) = (threshold("suspect"), threshold("certain"), threshold("within"));
    let values = hours.usable_values();
    let hit = |standard: f64, segment: Segment| {
        let span = hours.span(&segment.points);
        Hit {
            factor: series.factor.clone(),
            started: span.start,
            ended: span.end,
            score: score(segment.evidence, suspect, certain),
            rows: values
                .get(segment.points)
                .unwrap_or_default()
                .iter()
                .filter(|value| value.is_finite())
                .count(),
            evidence: Evidence::default().number("standard", standard).number("hours", segment.evidence),
        }
    };
    let of_standard = |standard: f64| {
        let found = standard_solution(&values, standard, within, suspect);
        found.into_iter().map(move |segment| (standard, segment))
    };
    known.into_iter().flat_map(of_standard).map(|(standard, segment)| hit(standard, segment)).collect()
}

/// The stretches of evidence of at least `least` points where values lie at a standard's
/// concentration, and those outside of all of them don't.
///
/// ```
/// use plume_udfs::patterns::standard_solution::standard_solution;
/// let mut values: Vec<f64> = (0..200).map(|hour| 20.0 + f64::from(hour % 17)).collect();
/// values[100..140].fill(50.2);
/// let found = standard_solution(&values, 50.0, 0.02, 6.0);
/// assert_eq!((found.len(), found[0].points.clone(), found[0].evidence), (1, 100..140, 40.0));
/// // An effluent that is always there.
/// assert_eq!(standard_solution(&[50.2; 200], 50.0, 0.02, 6.0), []);
/// ```
pub fn standard_solution(values: &[f64], standard: f64, within: f64, least: f64) -> Vec<Segment> {
    let off = |value: &f64| (value / standard - 1.0).abs() / within;
    let evidence: Vec<f64> = values.iter().map(|value| (2.0 - off(value)).clamp(-0.5, 1.0)).collect();
    let found = segments(&evidence, least);
    if found.is_empty() {
        return found;
    }
    let mut rest = values.to_vec();
    let mut near: Vec<f64> = Vec::new();
    for Segment { points, .. } in &found {
        let Range { start, end } = *points;
        let stretch = rest.get_mut(start..end).unwrap_or_default();
        near.extend(sample(stretch));
        stretch.fill(f64::NAN);
    }
    let (middle, mad) = median_and_mad(&mut sample(&rest));
    let (near_middle, near_mad) = median_and_mad(&mut near);
    let is_elsewhere = off(&middle) > off(&near_middle) + 2.0;
    if is_elsewhere || mad > 3.0 * near_mad.max(within * standard / 3.0) { found } else { Vec::new() }
}
