//! `corr_pearson(x, y)`: the product-moment correlation.
//!
//! Worked example: x = 1, 2, 3, 4 and y = 1, 3, 2, 4. Deviations −1.5, −0.5, 0.5,
//! 1.5 and −1.5, 0.5, −0.5, 1.5; sum of products 2.25 − 0.25 − 0.25 + 2.25 = 4, of
//! squares 5 each: r = 4 / 5 = 0.8.

use super::LEAST_PAIRS;
use super::centred::Centred;

/// Pearson's correlation of the pairs of which neither is NaN, from −1 to 1.
/// `None` with fewer than 3 pairs, where a side is constant or infinite.
///
/// ```
/// use plume_udfs::correlation::corr_pearson::corr_pearson;
/// assert_eq!(corr_pearson(&[1.0, 2.0, 3.0, 4.0], &[1.0, 3.0, 2.0, 4.0]), Some(0.8));
/// ```
pub fn corr_pearson(x: &[f64], y: &[f64]) -> Option<f64> {
    let (x, y) = complete_pairs(x, y);
    corr_of_complete(&x, &y)
}

/// Pearson's correlation of series without missing values.
pub(super) fn corr_of_complete(x: &[f64], y: &[f64]) -> Option<f64> {
    if x.len() < LEAST_PAIRS {
        return None;
    }
    Some(Centred::of(x)?.correlation(&Centred::of(y)?))
}

/// The pairs of which neither is NaN.
pub(super) fn complete_pairs(x: &[f64], y: &[f64]) -> (Vec<f64>, Vec<f64>) {
    x.iter().zip(y).filter(|(x, y)| !x.is_nan() && !y.is_nan()).unzip()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn hand_worked() {
        assert_eq!(corr_pearson(&[1.0, 2.0, 3.0], &[2.0, 4.0, 6.0]), Some(1.0));
        assert_eq!(corr_pearson(&[1.0, 2.0, 3.0], &[3.0, 2.0, 1.0]), Some(-1.0));
        // The second pair is left out, and so is the fifth.
        let (x, y) = ([1.0, f64::NAN, 2.0, 3.0, 9.0, 4.0], [1.0, 7.0, 3.0, 2.0, f64::NAN, 4.0]);
        assert_eq!(corr_pearson(&x, &y), Some(0.8));
    }

    #[test]
    fn no_answer_where_there_is_none() {
        assert_eq!(corr_pearson(&[], &[]), None);
        assert_eq!(corr_pearson(&[1.0, 2.0], &[1.0, 2.0]), None);
        assert_eq!(corr_pearson(&[1.0, 2.0, f64::NAN], &[1.0, 2.0, 3.0]), None);
        assert_eq!(corr_pearson(&[0.1, 0.1, 0.1], &[1.0, 2.0, 3.0]), None);
        assert_eq!(corr_pearson(&[1.0, 2.0, f64::INFINITY], &[1.0, 2.0, 3.0]), None);
        assert_eq!(corr_pearson(&[1.0, 2.0, 3.0], &[1.0, f64::NEG_INFINITY, 3.0]), None);
    }

    #[test]
    fn great_and_small_values_neither_overflow_nor_vanish() {
        for scale in [1e308, 1e-300, 5e-324] {
            let x = [0.0, scale, 0.0, -scale];
            let r = corr_pearson(&x, &[1.0, 2.0, 1.0, 0.0]).unwrap();
            assert!((r - 1.0).abs() < 1e-12, "{scale}: {r}");
        }
        let r = corr_pearson(&[f64::MAX, -f64::MAX, f64::MAX], &[-1e308, 1e308, -1e308]).unwrap();
        assert!((r + 1.0).abs() < 1e-12, "{r}");
    }

    proptest! {
        #[test]
        fn is_the_sum_over_all_pairs_of_pairs(
            pairs in prop::collection::vec((-1e3..1e3_f64, -1e3..1e3_f64), 3..40),
        ) {
            // Σ (xi − xj)(yi − yj) over all i, j is 2 n Σ (x − x̄)(y − ȳ): no mean is needed.
            let (mut xx, mut xy, mut yy) = (0.0, 0.0, 0.0);
            for (a, b) in pairs.iter().flat_map(|a| pairs.iter().map(move |b| (a, b))) {
                let (x, y) = (a.0 - b.0, a.1 - b.1);
                (xx, xy, yy) = (xx + x * x, xy + x * y, yy + y * y);
            }
            let (x, y): (Vec<f64>, Vec<f64>) = pairs.iter().copied().unzip();
            let r = corr_pearson(&x, &y).unwrap();
            prop_assert!((r - xy / (xx * yy).sqrt()).abs() < 1e-9, "{r}");
        }
    }
}
