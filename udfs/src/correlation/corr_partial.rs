//! `corr_partial(x, y, z)`: Pearson's correlation of x and y with z held constant,
//! which is that of what two straight lines over z leave of x and y.
//!
//! r = (rxy − rxz · ryz) / √((1 − rxz²) · (1 − ryz²)).
//!
//! Worked example: rxy = 0.8, rxz = 0.6, ryz = 0.6: (0.8 − 0.36) / 0.64 = 0.6875.

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::scalar_doc_sections::DOC_SECTION_OTHER;
use datafusion::logical_expr::{AggregateUDF, Documentation, Signature, Volatility};

use super::LEAST_PAIRS;
use super::centred::Centred;
use super::sample_function::{SampleFunction, SampleRule, columns_of, floats_at};

/// What rounding may leave of 1 − r² where r is 1.
const WHOLLY: f64 = 1e-13;

/// The correlation of x and y with z held constant, of the rows in which none is NaN.
/// `None` with fewer than 3 such rows, where a side is constant or infinite, or z tells x or y wholly.
///
/// ```
/// use plume_udfs::correlation::corr_partial::corr_partial;
/// // x and y both follow z, and what is left of them goes against each other.
/// let (x, y, z) = ([2.0, 1.0, 4.0, 3.0], [0.0, 3.0, 2.0, 5.0], [1.0, 2.0, 3.0, 4.0]);
/// assert!((corr_partial(&x, &y, &z).unwrap() + 1.0).abs() < 1e-12);
/// ```
pub fn corr_partial(x: &[f64], y: &[f64], z: &[f64]) -> Option<f64> {
    let rows = x.iter().zip(y).zip(z).filter(|((x, y), z)| !(x.is_nan() || y.is_nan() || z.is_nan()));
    let (mut xs, mut ys, mut zs) = (Vec::new(), Vec::new(), Vec::new());
    for ((x, y), z) in rows {
        xs.push(*x);
        ys.push(*y);
        zs.push(*z);
    }
    if xs.len() < LEAST_PAIRS {
        return None;
    }
    let (x, y, z) = (Centred::of(&xs)?, Centred::of(&ys)?, Centred::of(&zs)?);
    partial_of(x.correlation(&y), x.correlation(&z), y.correlation(&z))
}

/// The partial correlation by the correlations of each two.
fn partial_of(xy: f64, xz: f64, yz: f64) -> Option<f64> {
    let unexplained = |r: f64| (1.0 - r) * (1.0 + r);
    let (x, y) = (unexplained(xz), unexplained(yz));
    let known = x > WHOLLY && y > WHOLLY;
    known.then(|| ((xy - xz * yz) / (x * y).sqrt()).clamp(-1.0, 1.0))
}

#[derive(Debug, Clone)]
struct CorrPartial;

impl SampleRule<3> for CorrPartial {
    const OUTPUT: DataType = DataType::Float64;

    fn row(&self, arguments: &[ArrayRef], row: usize) -> Option<[u64; 3]> {
        floats_at(arguments, row)
    }

    fn finish(&self, sample: &[[u64; 3]]) -> ScalarValue {
        let [x, y, z] = columns_of(sample);
        ScalarValue::Float64(corr_partial(&x, &y, &z))
    }
}

/// The SQL aggregate.
pub fn corr_partial_udaf() -> AggregateUDF {
    SampleFunction {
        name: "corr_partial",
        signature: Signature::exact(vec![DataType::Float64; 3], Volatility::Immutable),
        documentation: Documentation::builder(
            DOC_SECTION_OTHER,
            "Pearson's correlation of x and y with z held constant; rows with a NULL or NaN are left out; NULL with fewer than 3 rows, a constant or infinite side, or where z tells x or y wholly (偏相关系数). Annex 2-1 row 2 (4) [seed]",
            "corr_partial(x, y, z)",
        )
        .build(),
        rule: CorrPartial,
    }
    .udaf()
}

#[cfg(test)]
mod tests {
    use super::super::sample_function::testing::agreed_of_floats;
    use super::*;
    use crate::correlation::corr_pearson::corr_pearson;
    use proptest::prelude::*;

    fn sql(x: &[Option<f64>], y: &[Option<f64>], z: &[Option<f64>]) -> Option<f64> {
        match agreed_of_floats(&CorrPartial, &[x, y, z]) {
            ScalarValue::Float64(value) => value,
            other => panic!("{other}"),
        }
    }

    #[test]
    fn hand_worked() {
        assert!((partial_of(0.8, 0.6, 0.6).unwrap() - 0.6875).abs() < 1e-15);
        assert_eq!(partial_of(0.5, 1.0, 0.5), None);
        // z is unrelated to both: −1, 1, 1, −1 against rising x and y.
        let x = [1.0, 2.0, 3.0, 4.0].map(Some);
        let r = sql(&x, &[1.0, 3.0, 2.0, 4.0].map(Some), &[-1.0, 1.0, 1.0, -1.0].map(Some)).unwrap();
        assert!((r - 0.8).abs() < 1e-15);
    }

    #[test]
    fn no_answer_where_there_is_none() {
        let rising = [1.0, 2.0, 3.0].map(Some);
        assert_eq!(sql(&rising, &[1.0, 3.0, 2.0].map(Some), &[5.0, 5.0, 5.0].map(Some)), None);
        assert_eq!(sql(&rising, &[1.0, 3.0, 2.0].map(Some), &[2.0, 4.0, 6.0].map(Some)), None);
        assert_eq!(sql(&rising, &[1.0, 3.0, 2.0].map(Some), &[Some(2.0), None, Some(6.0)]), None);
        let infinite = [1.0, f64::INFINITY, 6.0].map(Some);
        assert_eq!(sql(&rising, &[1.0, 3.0, 2.0].map(Some), &infinite), None);
    }

    /// What a straight line over z leaves of values.
    fn residuals(values: &[f64], z: &[f64]) -> Vec<f64> {
        let n = values.len() as f64;
        let (mean, z_mean) = (values.iter().sum::<f64>() / n, z.iter().sum::<f64>() / n);
        let products: f64 = values.iter().zip(z).map(|(v, z)| (v - mean) * (z - z_mean)).sum();
        let slope = products / z.iter().map(|z| (z - z_mean).powi(2)).sum::<f64>();
        values.iter().zip(z).map(|(v, z)| v - mean - slope * (z - z_mean)).collect()
    }

    proptest! {
        #[test]
        fn is_the_correlation_of_residuals(
            rows in prop::collection::vec((-1e3..1e3_f64, -1e3..1e3_f64, -1e3..1e3_f64), 5..40),
        ) {
            let column = |of: fn(&(f64, f64, f64)) -> f64| rows.iter().map(of).collect::<Vec<_>>();
            let (x, y, z) = (column(|row| row.0), column(|row| row.1), column(|row| row.2));
            let slow = corr_pearson(&residuals(&x, &z), &residuals(&y, &z)).unwrap();
            prop_assert!((corr_partial(&x, &y, &z).unwrap() - slow).abs() < 1e-7);
        }
    }
}
