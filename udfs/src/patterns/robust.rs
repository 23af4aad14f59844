//! Medians and quantiles, which a few odd values don't move.

/// A quantile of values, on the straight line between the two that enclose it; the
/// values are reordered. NaN where there are none. Values must not be NaN.
///
/// ```
/// use plume_udfs::patterns::robust::quantile;
/// // Position 0.25 × 3 = 0.75 between 1 and 2.
/// assert_eq!(quantile(&mut [4.0, 1.0, 3.0, 2.0], 0.25), 1.75);
/// ```
pub fn quantile(values: &mut [f64], share: f64) -> f64 {
    let Some(last) = values.len().checked_sub(1) else { return f64::NAN };
    let position = share.clamp(0.0, 1.0) * last as f64;
    let below = position as usize;
    let (_, low, above) = values.select_nth_unstable_by(below.min(last), f64::total_cmp);
    let low = *low;
    let part = position - below as f64;
    if part == 0.0 {
        return low;
    }
    let high = above.iter().copied().fold(f64::INFINITY, f64::min);
    low * (1.0 - part) + high * part
}

/// The median of values, which are reordered; NaN where there are none.
pub fn median(values: &mut [f64]) -> f64 {
    quantile(values, 0.5)
}

/// Standard deviation of a normal distribution over its median absolute deviation.
pub const MAD_TO_SD: f64 = 1.4826;

/// Median and median absolute deviation of values, which are overwritten; NaN where there are none.
///
/// ```
/// use plume_udfs::patterns::robust::median_and_mad;
/// // Median 3; deviations 2, 1, 0, 1, 97: their median is 1.
/// assert_eq!(median_and_mad(&mut [1.0, 2.0, 3.0, 4.0, 100.0]), (3.0, 1.0));
/// ```
pub fn median_and_mad(values: &mut [f64]) -> (f64, f64) {
    let middle = median(values);
    values.iter_mut().for_each(|value| *value = (*value - middle).abs());
    (middle, median(values))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_and_nothing() {
        assert!(median(&mut []).is_nan());
        assert_eq!(median(&mut [7.0]), 7.0);
        assert_eq!(quantile(&mut [3.0, 1.0, 2.0], 1.0), 3.0);
        assert_eq!(quantile(&mut [3.0, 1.0, 2.0], 0.0), 1.0);
        assert_eq!(median(&mut [1.0, 2.0]), 1.5);
        // Halves are added, not the sum halved, which would be infinite.
        assert_eq!(median(&mut [1e308, 1.2e308]), 1.1e308);
    }
}
