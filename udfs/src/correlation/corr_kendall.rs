//! `corr_kendall(x, y)`: Kendall's tau-b, by Knight's algorithm in O(n log n).
//!
//! Sorted by x and within equal x by y, a pair of rows is discordant where y falls:
//! as many exchanges as a merge sort of y makes.
//!
//! Worked example: x = 1, 2, 3, 4 and y = 1, 3, 2, 4. Of 6 pairs one, (3, 2), is
//! discordant, 5 are concordant: tau = (5 − 1) / 6 = 0.6667. With ties, x = 1, 2, 2, 3
//! and y = 1, 2, 3, 3: no pair is discordant, one is tied in x, one in y, 4 are concordant:
//! 4 / (√(6 − 1) · √(6 − 1)) = 0.8.

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::scalar_doc_sections::DOC_SECTION_OTHER;
use datafusion::logical_expr::{AggregateUDF, Documentation, Signature, Volatility};

use super::LEAST_PAIRS;
use super::ranks::{RankedPairs, order_codes};
use super::sample_function::{SampleFunction, SampleRule, columns_of, floats_at};

/// Kendall's tau-b of the pairs of which neither is NaN, from −1 to 1. `None` with
/// fewer than 3 pairs or a constant side.
///
/// ```
/// use plume_udfs::correlation::corr_kendall::corr_kendall;
/// let tau = corr_kendall(&[1.0, 2.0, 2.0, 3.0], &[1.0, 2.0, 3.0, 3.0]).unwrap();
/// assert!((tau - 0.8).abs() < 1e-15);
/// ```
pub fn corr_kendall(x: &[f64], y: &[f64]) -> Option<f64> {
    RankedPairs::new(&order_codes(x), &order_codes(y)).concordance().map(|concordance| concordance.tau())
}

/// What tau-b and its p-value are made of: counts of pairs of rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Concordance {
    /// Rows.
    pub rows: u64,
    /// Pairs of rows in which one side rises and the other falls.
    pub discordant: i128,
    /// Pairs tied in both sides.
    pub tied_in_both: i128,
    /// Ties of x.
    pub x: Ties,
    /// Ties of y.
    pub y: Ties,
}

/// The ties of one side. Each sum runs over the values, t the number of rows with a value.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Ties {
    /// Σ t (t − 1) / 2: tied pairs.
    pub pairs: i128,
    /// Σ t (t − 1) (t − 2).
    pub threes: f64,
    /// Σ t (t − 1) (2 t + 5).
    pub weighted: f64,
}

impl Ties {
    fn add(&mut self, rows: usize) {
        let t = rows as f64;
        self.pairs += pairs_of(rows as u64);
        self.threes += t * (t - 1.0) * (t - 2.0);
        self.weighted += t * (t - 1.0) * (2.0 * t + 5.0);
    }

    /// The ties of codes in ascending order.
    fn of(sorted: &[u32]) -> Self {
        let mut ties = Self::default();
        sorted.chunk_by(|a, b| a == b).for_each(|run| ties.add(run.len()));
        ties
    }
}

fn pairs_of(rows: u64) -> i128 {
    let rows = i128::from(rows);
    rows * (rows - 1) / 2
}

impl Concordance {
    /// Counts the pairs of complete series of codes; `None` with fewer than 3 rows or a constant side.
    pub(super) fn of(x: &[u32], y: &[u32]) -> Option<Self> {
        if x.len() < LEAST_PAIRS {
            return None;
        }
        let both: Vec<[u32; 2]> = x.iter().zip(y).map(|(x, y)| [*x, *y]).collect();
        let both = sorted_by_code(&sorted_by_code(&both, 1), 0);
        let tied_in_both = both.chunk_by(|a, b| a == b).map(|run| pairs_of(run.len() as u64)).sum();
        let x = Ties::of(&both.iter().map(|both| both[0]).collect::<Vec<_>>());
        let mut y: Vec<u32> = both.iter().map(|both| both[1]).collect();
        let discordant = i128::from(sort_and_count_exchanges(&mut y));
        let y = Ties::of(&y);
        let rows = both.len() as u64;
        let all = pairs_of(rows);
        (x.pairs < all && y.pairs < all).then_some(Self { rows, discordant, tied_in_both, x, y })
    }

    /// Concordant less discordant pairs.
    pub fn surplus(&self) -> i128 {
        let untied = pairs_of(self.rows) - self.x.pairs - self.y.pairs + self.tied_in_both;
        untied - 2 * self.discordant
    }

    /// Tau-b.
    pub fn tau(&self) -> f64 {
        let all = pairs_of(self.rows);
        let untied = |ties: &Ties| ((all - ties.pairs) as f64).sqrt();
        (self.surplus() as f64 / untied(&self.x) / untied(&self.y)).clamp(-1.0, 1.0)
    }

    /// Whether no value comes twice.
    pub fn is_untied(&self) -> bool {
        self.x.pairs == 0 && self.y.pairs == 0
    }
}

/// Pairs in the order of the codes of one side, those of one code in the order they had. Codes
/// are at most as many as the values of their series, so counting is cheaper than comparing.
fn sorted_by_code(pairs: &[[u32; 2]], side: usize) -> Vec<[u32; 2]> {
    let greatest = pairs.iter().map(|pair| pair[side]).max().unwrap_or_default();
    let mut next = vec![0_u32; greatest as usize + 1];
    pairs.iter().for_each(|pair| next[pair[side] as usize] += 1);
    let mut start = 0;
    for next in &mut next {
        start += *next;
        *next = start - *next;
    }
    let mut sorted = vec![[0; 2]; pairs.len()];
    for pair in pairs {
        let at = &mut next[pair[side] as usize];
        sorted[*at as usize] = *pair;
        *at += 1;
    }
    sorted
}

/// Values that an insertion sort takes.
const SHORT: usize = 8;

/// Sorts values and counts the pairs that stood in the wrong order.
fn sort_and_count_exchanges(values: &mut [u32]) -> u64 {
    let mut exchanges: u64 = values.chunks_mut(SHORT).map(insertion_sort).sum();
    let mut spare = values.to_vec();
    let mut width = SHORT;
    while width < values.len() {
        for (merged, runs) in spare.chunks_mut(2 * width).zip(values.chunks(2 * width)) {
            let (left, right) = runs.split_at(width.min(runs.len()));
            exchanges += merge(left, right, merged);
        }
        values.copy_from_slice(&spare);
        width *= 2;
    }
    exchanges
}

fn insertion_sort(values: &mut [u32]) -> u64 {
    let mut exchanges = 0;
    for end in 1..values.len() {
        let mut at = end;
        while at > 0 && values[at - 1] > values[at] {
            values.swap(at - 1, at);
            at -= 1;
        }
        exchanges += (end - at) as u64;
    }
    exchanges
}

/// Merges sorted runs; counts for each value of the right one the greater ones on the left.
fn merge(left: &[u32], right: &[u32], merged: &mut [u32]) -> u64 {
    let (mut l, mut r, mut exchanges) = (0, 0, 0_u64);
    for out in merged.iter_mut() {
        let takes_right = match (left.get(l), right.get(r)) {
            (Some(left), Some(right)) => right < left,
            (left, _) => left.is_none(),
        };
        let value = if takes_right { right.get(r) } else { left.get(l) };
        let Some(value) = value else { break };
        *out = *value;
        exchanges += if takes_right { (left.len() - l) as u64 } else { 0 };
        r += usize::from(takes_right);
        l += usize::from(!takes_right);
    }
    exchanges
}

#[derive(Debug, Clone)]
struct CorrKendall;

impl SampleRule<2> for CorrKendall {
    const OUTPUT: DataType = DataType::Float64;

    fn row(&self, arguments: &[ArrayRef], row: usize) -> Option<[u64; 2]> {
        floats_at(arguments, row)
    }

    fn finish(&self, sample: &[[u64; 2]]) -> ScalarValue {
        let [x, y] = columns_of(sample);
        ScalarValue::Float64(corr_kendall(&x, &y))
    }
}

/// The SQL aggregate.
pub fn corr_kendall_udaf() -> AggregateUDF {
    SampleFunction {
        name: "corr_kendall",
        signature: Signature::exact(vec![DataType::Float64; 2], Volatility::Immutable),
        documentation: Documentation::builder(
            DOC_SECTION_OTHER,
            "Kendall's rank correlation tau-b; rows with a NULL or NaN are left out; NULL with fewer than 3 pairs or a constant side (肯德尔相关系数). Annex 2-1 row 2 (4) [seed]",
            "corr_kendall(x, y)",
        )
        .build(),
        rule: CorrKendall,
    }
    .udaf()
}

#[cfg(test)]
mod tests {
    use super::super::sample_function::testing::agreed_of_floats;
    use super::*;
    use proptest::prelude::*;

    fn sql(x: &[Option<f64>], y: &[Option<f64>]) -> Option<f64> {
        match agreed_of_floats(&CorrKendall, &[x, y]) {
            ScalarValue::Float64(value) => value,
            other => panic!("{other}"),
        }
    }

    #[test]
    fn hand_worked() {
        let tau = sql(&[1.0, 2.0, 3.0, 4.0].map(Some), &[1.0, 3.0, 2.0, 4.0].map(Some)).unwrap();
        assert!((tau - 4.0 / 6.0).abs() < 1e-15);
        let tau = sql(&[1.0, 2.0, 2.0, 3.0].map(Some), &[1.0, 2.0, 3.0, 3.0].map(Some)).unwrap();
        assert!((tau - 0.8).abs() < 1e-15);
        let infinite = [f64::NEG_INFINITY, 0.0, f64::INFINITY].map(Some);
        let tau = sql(&infinite, &[3.0, 2.0, 1.0].map(Some)).unwrap();
        assert!((tau + 1.0).abs() < 1e-15); // 3 / √3 / √3
    }

    #[test]
    fn no_answer_where_there_is_none() {
        assert_eq!(sql(&[], &[]), None);
        assert_eq!(sql(&[1.0, 2.0].map(Some), &[1.0, 2.0].map(Some)), None);
        assert_eq!(sql(&[Some(1.0), None, Some(2.0)], &[1.0, 2.0, 3.0].map(Some)), None);
        assert_eq!(sql(&[1.0, 2.0, 3.0].map(Some), &[4.0, 4.0, 4.0].map(Some)), None);
    }

    proptest! {
        #[test]
        fn counts_as_a_look_at_every_pair_of_rows_does(
            rows in prop::collection::vec((-6..6_i32, -6..6_i32), 3..70),
        ) {
            let (mut surplus, mut x_ties, mut y_ties) = (0, 0, 0);
            for (at, a) in rows.iter().enumerate() {
                for b in &rows[..at] {
                    surplus += (a.0 - b.0).signum() * (a.1 - b.1).signum();
                    x_ties += i32::from(a.0 == b.0);
                    y_ties += i32::from(a.1 == b.1);
                }
            }
            let all = (rows.len() * (rows.len() - 1) / 2) as i32;
            let (x, y): (Vec<f64>, Vec<f64>) =
                rows.iter().map(|(x, y)| (f64::from(*x), f64::from(*y))).unzip();
            let concordance = RankedPairs::new(&order_codes(&x), &order_codes(&y)).concordance();
            prop_assert_eq!(concordance.is_none(), x_ties == all || y_ties == all);
            if let Some(concordance) = concordance {
                prop_assert_eq!(concordance.surplus(), i128::from(surplus));
                let slow = f64::from(surplus) / (f64::from(all - x_ties) * f64::from(all - y_ties)).sqrt();
                prop_assert!((concordance.tau() - slow).abs() < 1e-12);
            }
        }

        #[test]
        fn exchanges_sort(mut values in prop::collection::vec(0..50_u32, 0..100)) {
            let slow: usize =
                (0..values.len()).map(|at| values[..at].iter().filter(|v| **v > values[at]).count()).sum();
            let mut sorted = values.clone();
            sorted.sort_unstable();
            prop_assert_eq!(sort_and_count_exchanges(&mut values), slow as u64);
            prop_assert_eq!(values, sorted);
        }
    }
}
