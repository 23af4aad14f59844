//! The order of values, by which ranks and ties are told.
//!
//! A series is sorted once: [`order_codes`] gives each value a code, equal values
//! the same, greater ones a greater. Ranks among the pairs of any two series then
//! follow by counting, without another sort.

use super::LEAST_PAIRS;
use super::centred::Centred;
use super::corr_kendall::Concordance;

/// The code of a missing value.
pub const MISSING: u32 = u32::MAX;

/// The code of each value: 0 for the least, one more for the next greater, and so
/// on; [`MISSING`] for NaN. `-0.0` equals `0.0`.
///
/// ```
/// use plume_udfs::correlation::ranks::{MISSING, order_codes};
/// assert_eq!(order_codes(&[7.0, 5.0, f64::NAN, 7.0]), [1, 0, MISSING, 1]);
/// ```
pub fn order_codes(values: &[f64]) -> Vec<u32> {
    // Keys and positions side by side: a sort that looked values up would wait for memory.
    let there = values.iter().zip(0_u32..).filter(|(value, _)| !value.is_nan());
    let mut order: Vec<(i64, u32)> = there.map(|(value, at)| (order_key(*value), at)).collect();
    order.sort_unstable_by_key(|(key, _)| *key);
    let mut codes = vec![MISSING; values.len()];
    let (mut code, mut before) = (0, None);
    for (key, at) in order {
        code += u32::from(before.is_some_and(|before| before != key));
        codes[at as usize] = code;
        before = Some(key);
    }
    codes
}

/// A whole number of the same order as a value that is no NaN; the two zeros have one.
fn order_key(value: f64) -> i64 {
    let bits = (value + 0.0).to_bits() as i64;
    bits ^ ((bits >> 63) as u64 >> 1) as i64
}

/// The codes of two series where neither is missing.
#[derive(Debug, Clone)]
pub struct RankedPairs {
    x: Vec<u32>,
    y: Vec<u32>,
}

impl RankedPairs {
    /// The pairs of two series of codes, of one length.
    pub fn new(x: &[u32], y: &[u32]) -> Self {
        let (x, y) = x.iter().zip(y).filter(|(x, y)| **x != MISSING && **y != MISSING).unzip();
        Self { x, y }
    }

    /// Number of pairs.
    pub fn len(&self) -> usize {
        self.x.len()
    }

    /// Whether there is no pair.
    pub fn is_empty(&self) -> bool {
        self.x.is_empty()
    }

    /// Spearman's correlation; `None` with fewer than 3 pairs or a constant side.
    pub fn spearman(&self) -> Option<f64> {
        if self.len() < LEAST_PAIRS {
            return None;
        }
        Some(centred_ranks(&self.x)?.correlation(&centred_ranks(&self.y)?))
    }

    /// What Kendall's tau is made of; `None` with fewer than 3 pairs or a constant side.
    pub fn concordance(&self) -> Option<Concordance> {
        Concordance::of(&self.x, &self.y)
    }
}

/// Twice the average ranks of codes, less their mean: whole numbers, whose sums are exact.
fn centred_ranks(codes: &[u32]) -> Option<Centred> {
    let greatest = codes.iter().max()?;
    // Of each code at first how often it comes, then twice its rank.
    let mut of_code = vec![0_u64; *greatest as usize + 1];
    codes.iter().for_each(|code| of_code[*code as usize] += 1);
    let mut below = 0;
    for entry in &mut of_code {
        let count = *entry;
        *entry = 2 * below + count + 1;
        below += count;
    }
    let mean = codes.len() as f64 + 1.0;
    Centred::of_deviations(codes.iter().map(|code| of_code[*code as usize] as f64 - mean).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_go_by_value() {
        let values = [0.0, -0.0, f64::INFINITY, -1e308, f64::NEG_INFINITY, 5e-324];
        assert_eq!(order_codes(&values), [2, 2, 4, 1, 0, 3]);
        assert_eq!(order_codes(&[]), [0_u32; 0]);
        assert_eq!(order_codes(&[f64::NAN, -f64::NAN]), [MISSING; 2]);
    }

    #[test]
    fn codes_that_no_pair_has_are_passed_over() {
        let pairs = RankedPairs::new(&[0, 1, 5, 9], &[3, MISSING, 4, 8]);
        assert_eq!((pairs.len(), pairs.spearman()), (3, Some(1.0)));
    }
}
