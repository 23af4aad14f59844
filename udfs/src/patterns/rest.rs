//! When a plant is at rest, as its load and its flow tell, whatever is registered.

use std::ops::Range;

use plume_datasets::factors::Medium;

use super::outlet::{FactorSeries, Outlet};
use super::robust::quantile;

/// Whether a plant is at rest through most of a stretch of hours: its load, or the flow that carries a
/// medium, is at or below `share` of its own upper quartile. `false` where neither is known.
pub fn is_at_rest(outlet: &Outlet, medium: Medium, hours: Range<usize>, share: f64) -> bool {
    let flow = outlet.flow(medium).map(FactorSeries::hours).map(|flow| flow.value.as_slice());
    [outlet.load(), flow.unwrap_or_default()].into_iter().any(|values| {
        let inside = values.get(hours.start..hours.end.min(values.len())).unwrap_or_default();
        let known = inside.iter().filter(|value| !value.is_nan()).count();
        let least = least_at_work(values, share);
        let low = inside.iter().filter(|value| **value <= least).count();
        low * 2 > known
    })
}

/// A share of the upper quartile; below everything where nothing is known.
///
/// ```
/// use plume_udfs::patterns::rest::least_at_work;
/// // Upper quartile 80.
/// assert_eq!(least_at_work(&[0.0, 60.0, 70.0, 80.0, 90.0, f64::NAN], 0.25), 20.0);
/// assert_eq!(least_at_work(&[f64::NAN], 0.25), f64::NEG_INFINITY);
/// ```
pub fn least_at_work(values: &[f64], share: f64) -> f64 {
    let mut known: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
    let upper = quantile(&mut known, 0.75);
    if upper.is_nan() { f64::NEG_INFINITY } else { upper * share }
}
