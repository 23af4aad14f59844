//! How likely a correlation at least as strong is where nothing connects the series:
//! two-sided p-values, by the rules of scipy 1.17 (`pearsonr`, `spearmanr`, `kendalltau`).
//!
//! Worked example: r = 0.8 of 4 pairs has 2 degrees of freedom, where p = 1 − |r| = 0.2.

use super::LEAST_PAIRS;
use super::corr_kendall::Concordance;

/// Untied rows up to which tau's p-value is counted out.
const COUNTED_ROWS: u64 = 33;
/// Terms of a continued fraction: far more than any sample needs.
const TERMS: u32 = 1_000_000;

/// The p-value of Pearson's or Spearman's correlation of `pairs` pairs, by Student's t
/// with two degrees of freedom less. `None` with fewer than 3 pairs or where `r` is no correlation.
///
/// ```
/// use plume_udfs::correlation::p_values::p_of_correlation;
/// assert!((p_of_correlation(0.8, 4).unwrap() - 0.2).abs() < 1e-15);
/// ```
pub fn p_of_correlation(r: f64, pairs: usize) -> Option<f64> {
    if pairs < LEAST_PAIRS || !(-1.0..=1.0).contains(&r) {
        return None;
    }
    // t² / (t² + ν) is r², so the tails are I(1 − r²; ν/2, ½).
    Some(beta_tail((pairs - 2) as f64 / 2.0, r.abs()))
}

/// The p-value of Kendall's tau-b: counted out where no value comes twice and rows are
/// at most 33, or all but one pair of rows go one way; else by the normal distribution.
pub fn p_of_concordance(concordance: &Concordance) -> f64 {
    let rows = concordance.rows;
    let all = rows * rows.saturating_sub(1) / 2;
    let discordant = u64::try_from(concordance.discordant).unwrap_or(all).min(all);
    let rarer = discordant.min(all - discordant);
    if concordance.is_untied() && (rows <= COUNTED_ROWS || rarer <= 1) {
        counted_p(rows, rarer, all)
    } else {
        normal_p(concordance)
    }
}

/// The share of the orders of untied rows in which at most `rarer` pairs go against the
/// others, twice (Kendall, Rank Correlation Methods).
fn counted_p(rows: u64, rarer: u64, all: u64) -> f64 {
    let factorial = |n: u64| (1..=n).map(|n| n as f64).product::<f64>();
    let p = match rarer {
        0 => 2.0 / factorial(rows),
        1 => 2.0 / factorial(rows - 1),
        _ if 2 * rarer == all => 1.0,
        _ => 2.0 * orders_with_at_most(rows, rarer) / factorial(rows),
    };
    p.clamp(0.0, 1.0)
}

/// Number of orders of `rows` rows with at most so many inversions.
fn orders_with_at_most(rows: u64, inversions: u64) -> f64 {
    let mut orders = vec![0.0; inversions as usize + 1];
    orders[0] = 1.0;
    for placed in 2..=rows as usize {
        // The next row may stand before 0 to placed − 1 of those already placed.
        let mut window = 0.0;
        let before = orders.clone();
        for (at, order) in orders.iter_mut().enumerate() {
            window += before[at];
            if at >= placed {
                window -= before[at - placed];
            }
            *order = window;
        }
    }
    orders.iter().sum()
}

/// The p-value by the normal distribution, with the variance of tied rows.
fn normal_p(concordance: &Concordance) -> f64 {
    let Concordance { rows, x, y, .. } = concordance;
    let n = *rows as f64;
    let m = n * (n - 1.0);
    let untied = (m * (2.0 * n + 5.0) - x.weighted - y.weighted) / 18.0;
    let pairs = 2.0 * x.pairs as f64 * y.pairs as f64 / m;
    let variance = untied + pairs + x.threes * y.threes / (9.0 * m * (n - 2.0));
    let z = concordance.surplus() as f64 / variance.sqrt();
    libm::erfc(z.abs() / std::f64::consts::SQRT_2)
}

/// The regularised incomplete beta function I(1 − r²; a, ½).
fn beta_tail(a: f64, r: f64) -> f64 {
    let (x, rest) = ((1.0 - r) * (1.0 + r), r * r);
    if x <= 0.0 {
        return 0.0;
    }
    if rest == 0.0 {
        return 1.0;
    }
    // x^a · √(1 − x) / B(a, ½), by logarithms: x^a may be far below the least float.
    let ln_x = if rest < 0.5 { (-rest).ln_1p() } else { x.ln() };
    let front = (a * ln_x + ln_gamma_step(a)).exp() * r / std::f64::consts::PI.sqrt();
    let p = if x < (a + 1.0) / (a + 2.5) {
        front / a * beta_fraction(a, 0.5, x)
    } else {
        1.0 - 2.0 * front * beta_fraction(0.5, a, rest)
    };
    p.clamp(0.0, 1.0)
}

/// ln Γ(a + ½) − ln Γ(a). Far out the two logarithms are great and nearly equal: a series there.
fn ln_gamma_step(a: f64) -> f64 {
    if a < 30.0 {
        return libm::lgamma(a + 0.5) - libm::lgamma(a);
    }
    let i = 1.0 / (a * a);
    0.5 * a.ln() - (1.0 / 8.0 - i * (1.0 / 192.0 - i * (1.0 / 640.0 - i * 17.0 / 14336.0))) / a
}

/// The continued fraction of the incomplete beta function, by Lentz.
fn beta_fraction(a: f64, b: f64, x: f64) -> f64 {
    let away_from_zero = |v: f64| if v.abs() < f64::MIN_POSITIVE { f64::MIN_POSITIVE } else { v };
    let mut c = 1.0;
    let mut d = 1.0 / away_from_zero(1.0 - (a + b) * x / (a + 1.0));
    let mut fraction = d;
    for m in 1..=TERMS {
        let m = f64::from(m);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let mut step = 1.0;
        for term in [even, odd] {
            d = 1.0 / away_from_zero(1.0 + term * d);
            c = away_from_zero(1.0 + term / c);
            step *= c * d;
        }
        fraction *= step;
        if (step - 1.0).abs() <= f64::EPSILON {
            break;
        }
    }
    fraction
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::correlation::ranks::{RankedPairs, order_codes};
    use proptest::prelude::*;

    fn near(a: f64, b: f64) -> bool {
        (a - b).abs() <= 1e-11 * b.abs()
    }

    #[test]
    fn few_degrees_of_freedom_have_closed_forms() {
        for r in [0.0, 1e-9, 0.1, 0.5, 0.8, 0.999_999, 1.0_f64] {
            // One degree: the Cauchy distribution. Two: 1 − |r|.
            let cauchy = 1.0 - 2.0 / std::f64::consts::PI * r.asin();
            assert!((p_of_correlation(-r, 3).unwrap() - cauchy).abs() < 1e-14, "{r}");
            assert!((p_of_correlation(r, 4).unwrap() - (1.0 - r)).abs() < 1e-14, "{r}");
        }
        assert_eq!(p_of_correlation(0.5, 2), None);
        assert_eq!(p_of_correlation(f64::NAN, 9), None);
    }

    #[test]
    fn many_degrees_of_freedom_as_scipy_has_them() {
        // scipy.stats.beta.sf of (n / 2 − 1, n / 2 − 1) on [−1, 1], twice.
        let known = SCIPY_CORRELATION;
        for (r, pairs, p) in known {
            let ours = p_of_correlation(r, pairs).unwrap();
            assert!(near(ours, p), "r {r} of {pairs}: {ours}, not {p}");
        }
    }

    fn p_of(x: &[f64], y: &[f64]) -> f64 {
        p_of_concordance(&RankedPairs::new(&order_codes(x), &order_codes(y)).concordance().unwrap())
    }

    #[test]
    fn tau_of_few_untied_rows_is_counted_out() {
        // 3 rows have 6 orders, one without an inversion: p = 2 / 6.
        let x = [1.0, 2.0, 3.0];
        assert!(near(p_of(&x, &x), 1.0 / 3.0));
        // 4 rows have 24: 1 without, 3 with one, 5 with two inversions.
        let x = [1.0, 2.0, 3.0, 4.0];
        assert!(near(p_of(&x, &[1.0, 3.0, 2.0, 4.0]), 2.0 * 4.0 / 24.0));
        assert!(near(p_of(&x, &[1.0, 4.0, 2.0, 3.0]), 2.0 * 9.0 / 24.0));
        assert_eq!(p_of(&x, &[2.0, 4.0, 1.0, 3.0]), 1.0); // 3 of 6 pairs go either way
        // 200 rows in one order: less than the least float.
        let rising: Vec<f64> = (0..200).map(f64::from).collect();
        assert_eq!(p_of(&rising, &rising), 0.0);
    }

    #[test]
    fn tau_of_tied_rows_is_normal() {
        // n = 4, x tied once (weighted 2·1·9 = 18): variance (12·13 − 18) / 18 = 7.666…;
        // concordant 5, discordant 0: z = 5 / √7.666… = 1.8058.
        let p = p_of(&[1.0, 2.0, 2.0, 4.0], &[1.0, 2.0, 3.0, 4.0]);
        assert!(near(p, libm::erfc((25.0 / (138.0 / 18.0) / 2.0_f64).sqrt())));
    }

    proptest! {
        #[test]
        fn orders_are_counted_as_a_look_at_each_counts_them(rows in 2..7_usize, most in 0..12_u64) {
            fn orders(rows: usize, taken: &mut Vec<usize>, most: u64) -> u64 {
                if taken.len() == rows {
                    let pairs = (0..rows).flat_map(|b| (0..b).map(move |a| (a, b)));
                    return u64::from(pairs.filter(|(a, b)| taken[*a] > taken[*b]).count() as u64 <= most);
                }
                (0..rows).filter(|row| !taken.contains(row)).collect::<Vec<_>>().into_iter().map(|row| {
                    taken.push(row);
                    let orders = orders(rows, taken, most);
                    taken.pop();
                    orders
                }).sum()
            }
            prop_assert_eq!(orders_with_at_most(rows as u64, most), orders(rows, &mut Vec::new(), most) as f64);
        }

        #[test]
        fn a_stronger_correlation_is_never_likelier(r in 0.0..1.0_f64, more in 0.0..1.0_f64, pairs in 3..5000_usize) {
            let stronger = r + (1.0 - r) * more;
            let (p, q) = (p_of_correlation(r, pairs).unwrap(), p_of_correlation(-stronger, pairs).unwrap());
            prop_assert!((0.0..=1.0).contains(&p) && q <= p * (1.0 + 1e-12), "{} {}", p, q);
        }
    }

    /// r, pairs, p.
    const SCIPY_CORRELATION: [(f64, usize, f64); 12] = [
        (0.5, 5, 0.391_002_218_955_770_64),
        (-0.3, 10, 0.399_691_468_75),
        (0.05, 30, 0.793_021_957_817_151_6),
        (0.9, 30, 1.316_606_070_026_389e-11),
        (0.1, 60, 0.447_128_628_060_456_8),
        (0.2, 100, 0.046_036_286_460_054_14),
        (0.35, 744, 7.296_618_537_346_346e-23),
        (0.99, 744, 0.0),
        (0.0003, 9405, 0.976_792_853_225_518_6),
        (0.02, 22_191, 0.002_887_579_289_929_962_4),
        (0.001, 1_000_000, 0.317_310_991_805_028_6),
        (0.01, 1_000_000, 1.520_319_803_992_724_8e-23),
    ];
}
