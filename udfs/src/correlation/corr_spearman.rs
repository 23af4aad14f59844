//! `corr_spearman(x, y)`: Pearson's correlation of average ranks.
//!
//! Worked example with a tie: x = 1, 2, 2, 4 has ranks 1, 2.5, 2.5, 4 and y = 3, 1,
//! 4, 5 has 2, 1, 3, 4. Deviations from 2.5: −1.5, 0, 0, 1.5 and −0.5, −1.5, 0.5,
//! 1.5; products 0.75 + 0 + 0 + 2.25 = 3, squares 4.5 and 5: 3 / √22.5 = 0.6325.

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::scalar_doc_sections::DOC_SECTION_OTHER;
use datafusion::logical_expr::{AggregateUDF, Documentation, Signature, Volatility};

use super::ranks::{RankedPairs, order_codes};
use super::sample_function::{SampleFunction, SampleRule, columns_of, floats_at};

/// Spearman's correlation of the pairs of which neither is NaN, from −1 to 1; equal
/// values share the mean of their ranks. `None` with fewer than 3 pairs or a constant side.
///
/// ```
/// use plume_udfs::correlation::corr_spearman::corr_spearman;
/// let r = corr_spearman(&[1.0, 2.0, 2.0, 4.0], &[3.0, 1.0, 4.0, 5.0]).unwrap();
/// assert_eq!(r, 3.0 / 22.5_f64.sqrt());
/// ```
pub fn corr_spearman(x: &[f64], y: &[f64]) -> Option<f64> {
    RankedPairs::new(&order_codes(x), &order_codes(y)).spearman()
}

#[derive(Debug, Clone)]
struct CorrSpearman;

impl SampleRule<2> for CorrSpearman {
    const OUTPUT: DataType = DataType::Float64;

    fn row(&self, arguments: &[ArrayRef], row: usize) -> Option<[u64; 2]> {
        floats_at(arguments, row)
    }

    fn finish(&self, sample: &[[u64; 2]]) -> ScalarValue {
        let [x, y] = columns_of(sample);
        ScalarValue::Float64(corr_spearman(&x, &y))
    }
}

/// The SQL aggregate.
pub fn corr_spearman_udaf() -> AggregateUDF {
    SampleFunction {
        name: "corr_spearman",
        signature: Signature::exact(vec![DataType::Float64; 2], Volatility::Immutable),
        documentation: Documentation::builder(
            DOC_SECTION_OTHER,
            "Spearman's rank correlation, ties by average ranks; rows with a NULL or NaN are left out; NULL with fewer than 3 pairs or a constant side (斯皮尔曼相关系数). Annex 2-1 row 2 (4) [seed]",
            "corr_spearman(x, y)",
        )
        .build(),
        rule: CorrSpearman,
    }
    .udaf()
}

#[cfg(test)]
mod tests {
    use super::super::sample_function::testing::agreed_of_floats;
    use super::*;
    use crate::correlation::corr_pearson::corr_pearson;
    use proptest::prelude::*;

    fn sql(x: &[Option<f64>], y: &[Option<f64>]) -> Option<f64> {
        match agreed_of_floats(&CorrSpearman, &[x, y]) {
            ScalarValue::Float64(value) => value,
            other => panic!("{other}"),
        }
    }

    #[test]
    fn hand_worked() {
        let (x, y) = ([1.0, 2.0, 2.0, 4.0].map(Some), [3.0, 1.0, 4.0, 5.0].map(Some));
        assert_eq!(sql(&x, &y), Some(3.0 / 22.5_f64.sqrt()));
        assert_eq!(
            sql(&[Some(1.0), None, Some(2.0), Some(3.0)], &[Some(9.0), Some(1.0), Some(4.0), Some(1.0)]),
            Some(-1.0)
        );
    }

    #[test]
    fn no_answer_where_there_is_none() {
        assert_eq!(sql(&[], &[]), None);
        assert_eq!(sql(&[1.0, 2.0].map(Some), &[1.0, 2.0].map(Some)), None);
        assert_eq!(sql(&[1.0, 2.0, f64::NAN].map(Some), &[1.0, 2.0, 3.0].map(Some)), None);
        assert_eq!(sql(&[0.0, -0.0, 0.0].map(Some), &[1.0, 2.0, 3.0].map(Some)), None);
    }

    #[test]
    fn infinities_have_a_rank() {
        let x = [f64::NEG_INFINITY, -1e308, 1e308, f64::INFINITY].map(Some);
        assert_eq!(sql(&x, &[1.0, 2.0, 3.0, 4.0].map(Some)), Some(1.0));
    }

    /// Ranks by comparing every value with every other.
    fn slow_ranks(values: &[f64]) -> Vec<f64> {
        let rank = |v: &f64| {
            let below = values.iter().filter(|other| *other < v).count() as f64;
            let equal = values.iter().filter(|other| *other == v).count() as f64;
            below + (equal + 1.0) / 2.0
        };
        values.iter().map(rank).collect()
    }

    proptest! {
        #[test]
        fn is_pearson_of_slow_ranks_whatever_the_order(
            rows in prop::collection::vec((prop::option::of(-4..4_i32), prop::option::of(-4..4_i32)), 0..40),
        ) {
            let known: Vec<(f64, f64)> =
                rows.iter().filter_map(|(x, y)| Some((f64::from((*x)?), f64::from((*y)?)))).collect();
            let (x, y): (Vec<f64>, Vec<f64>) = known.into_iter().unzip();
            let slow = corr_pearson(&slow_ranks(&x), &slow_ranks(&y));
            let (x, y): (Vec<_>, Vec<_>) =
                rows.iter().map(|(x, y)| (x.map(f64::from), y.map(f64::from))).unzip();
            let quick = sql(&x, &y);
            prop_assert_eq!(quick.is_some(), slow.is_some());
            prop_assert!((quick.unwrap_or(0.0) - slow.unwrap_or(0.0)).abs() < 1e-12);
        }
    }
}
