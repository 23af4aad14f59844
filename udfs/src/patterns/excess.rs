//! Stretches in which a deviation exceeds its tolerance.

use std::ops::Range;

use super::robust::{MAD_TO_SD, median, median_and_mad};
use super::segments::segments;

/// A stretch of deviations above the tolerance.
#[derive(Debug, Clone, PartialEq)]
pub struct Excess {
    /// From its first to its last deviation above the tolerance.
    pub points: Range<usize>,
    /// Deviations known in it.
    pub rows: usize,
    /// Their median.
    pub typical: f64,
}

/// The stretches with more deviations above `tolerance` than below, by at least `least`; NaN says nothing.
///
/// ```
/// use plume_udfs::patterns::excess::excesses;
/// let found = excesses(&[0.0, 0.5, 0.25, 0.0, 0.5, 0.75, 0.0], 0.1, 2.0);
/// assert_eq!(found.len(), 1);
/// // Four above and one below; the median of 0, 0.25, 0.5, 0.5, 0.75 is 0.5.
/// assert_eq!((found[0].points.clone(), found[0].rows, found[0].typical), (1..6, 5, 0.5));
/// ```
pub fn excesses(deviations: &[f64], tolerance: f64, least: f64) -> Vec<Excess> {
    let evidence: Vec<f64> = deviations.iter().map(|deviation| sign(*deviation, tolerance)).collect();
    let found = segments(&evidence, least.max(1.0)).into_iter();
    found
        .map(|segment| {
            let mut inside = finite(deviations.get(segment.points.clone()).unwrap_or_default());
            Excess { points: segment.points, rows: inside.len(), typical: median(&mut inside) }
        })
        .collect()
}

fn sign(deviation: f64, tolerance: f64) -> f64 {
    if !deviation.is_finite() {
        0.0
    } else if deviation > tolerance {
        1.0
    } else {
        -1.0
    }
}

/// The finite values.
pub fn finite(values: &[f64]) -> Vec<f64> {
    values.iter().copied().filter(|value| value.is_finite()).collect()
}

/// Median and standard deviation of the greater part of values, whatever the rest of them are;
/// NaN where there is none.
pub fn usual(values: &[f64]) -> (f64, f64) {
    let (middle, mad) = median_and_mad(&mut finite(values));
    (middle, MAD_TO_SD * mad)
}

/// Median and standard deviation of the values outside stretches, which stand in order of time.
pub fn usual_outside(values: &[f64], stretches: &[Excess]) -> (f64, f64) {
    let mut outside = Vec::with_capacity(values.len());
    let mut from = 0;
    for stretch in stretches {
        outside.extend_from_slice(values.get(from..stretch.points.start).unwrap_or_default());
        from = stretch.points.end;
    }
    outside.extend_from_slice(values.get(from..).unwrap_or_default());
    usual(&outside)
}

/// Stretches in which values lie below what is usual outside of them, by `least_fall` or more
/// and by `times` its standard deviation. A second look leaves the stretches of the first out of
/// what is usual. With them the tolerance they exceeded; their `typical` is a fall.
pub fn falls(values: &[f64], least_fall: f64, times: f64, least: f64) -> (Vec<Excess>, f64) {
    let look = |(middle, deviation): (f64, f64)| {
        let tolerance = least_fall.max(times * deviation);
        let falls: Vec<f64> = values.iter().map(|value| middle - value).collect();
        (excesses(&falls, tolerance, least), tolerance)
    };
    let (first, _) = look(usual(values));
    look(usual_outside(values, &first))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fall_is_measured_from_what_is_usual_outside() {
        // 20 values of 10 ± 0.1, then 10 of 8: usual is 10, the fall 2.
        let mut values: Vec<f64> = (0..20).map(|at| if at % 2 == 0 { 9.9 } else { 10.1 }).collect();
        values.extend([8.0; 10]);
        let (found, tolerance) = falls(&values, 0.5, 3.0, 3.0);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].points, 20..30);
        assert!((found[0].typical - 2.0).abs() < 1e-9);
        assert_eq!(tolerance, 0.5);
        assert_eq!(falls(&[], 0.5, 3.0, 3.0).0, []);
        assert_eq!(falls(&[f64::NAN; 9], 0.5, 3.0, 3.0).0, []);
    }
}
