//! `relative_accuracy(reference, measured)`: how far a monitor of gas lies off the reference method,
//! as a share of it (HJ 75-2017, accuracy of comparisons `recall`).
//!
//! RA = (|d̄| + |cc|) / mean of the reference, cc = t · S(d) / √n, with Student's t of n − 1 degrees
//! of freedom, two-sided.
//!
//! Worked example: nine pairs of a reference of 100 with differences −1, 0, … 7. d̄ = 3,
//! S(d) = √(60/8) = 2.7386, t(8, 95 %) = 2.306, cc = 2.306 · 2.7386 / 3 = 2.1051, RA = 5.105 %.

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::scalar_doc_sections::DOC_SECTION_OTHER;
use datafusion::logical_expr::{AggregateUDF, Documentation, Signature, Volatility};

use super::rules::EmissionRules;
use crate::correlation::p_values::p_of_correlation;
use crate::correlation::sample_function::{SampleFunction, SampleRule, columns_of, floats_at};

/// Halvings after which a float no longer changes.
const HALVINGS: u32 = 64;

/// What a relative accuracy takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Demands {
    /// Pairs, at least.
    pub pairs: usize,
    /// Confidence of the coefficient, 0 to 1.
    pub confidence: f64,
}

/// The relative accuracy of pairs of equal length without NaN, a share; `None` with too few pairs
/// or where the reference has no mean above 0.
pub fn relative_accuracy(reference: &[f64], measured: &[f64], demands: Demands) -> Option<f64> {
    let pairs = reference.len().min(measured.len());
    if pairs < demands.pairs.max(2) {
        return None;
    }
    let n = pairs as f64;
    let differences = || measured.iter().zip(reference).map(|(measured, reference)| measured - reference);
    let mean_difference = differences().sum::<f64>() / n;
    let squares: f64 = differences().map(|difference| (difference - mean_difference).powi(2)).sum();
    let deviation = (squares / (n - 1.0)).sqrt();
    let coefficient = students_t(pairs - 1, demands.confidence)? * deviation / n.sqrt();
    let mean = reference.iter().take(pairs).sum::<f64>() / n;
    (mean > 0.0).then_some((mean_difference.abs() + coefficient) / mean)
}

/// Student's t beyond which, to both sides, lies what `confidence` leaves; `None` unless that is
/// between 0 and 1.
fn students_t(degrees: usize, confidence: f64) -> Option<f64> {
    if !(0.0..1.0).contains(&confidence) {
        return None;
    }
    // A correlation r of ν + 2 pairs has t = r · √(ν / (1 − r²)), which grows with r.
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..HALVINGS {
        let middle = (low + high) / 2.0;
        if p_of_correlation(middle, degrees + 2)? > 1.0 - confidence { low = middle } else { high = middle }
    }
    Some(low * (degrees as f64 / ((1.0 - low) * (1.0 + low))).sqrt())
}

#[derive(Debug, Clone)]
struct RelativeAccuracy(Demands);

impl SampleRule<2> for RelativeAccuracy {
    const OUTPUT: DataType = DataType::Float64;

    fn row(&self, arguments: &[ArrayRef], row: usize) -> Option<[u64; 2]> {
        floats_at(arguments, row)
    }

    fn finish(&self, sample: &[[u64; 2]]) -> ScalarValue {
        let [reference, measured] = columns_of(sample);
        let accuracy = relative_accuracy(&reference, &measured, self.0);
        ScalarValue::Float64(accuracy.filter(|share| share.is_finite()))
    }
}

/// The SQL aggregate. It is told no time, so it goes by the rules given.
pub fn relative_accuracy_udaf(rules: &EmissionRules) -> AggregateUDF {
    let (pairs, confidence) = (rules.relative_accuracy_pairs, rules.relative_accuracy_confidence);
    SampleFunction {
        name: "relative_accuracy",
        signature: Signature::exact(vec![DataType::Float64; 2], Volatility::Immutable),
        documentation: Documentation::builder(
            DOC_SECTION_OTHER,
            "Relative accuracy of a monitor against the reference method, a share: (|mean difference| + confidence coefficient) / mean of the reference; rows with a NULL or NaN are left out; NULL with fewer pairs than the rules ask or no mean above 0 (相对准确度). HJ 75-2017, accuracy of comparisons [recall]",
            "relative_accuracy(reference, measured)",
        )
        .build(),
        rule: RelativeAccuracy(Demands { pairs, confidence }),
    }
    .udaf()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NINE: Demands = Demands { pairs: 9, confidence: 0.95 };

    #[test]
    fn worked_example_of_the_head() {
        let measured: Vec<f64> = (99..=107).map(f64::from).collect();
        let accuracy = relative_accuracy(&[100.0; 9], &measured, NINE).unwrap();
        assert!((accuracy - 0.05105).abs() < 5e-6, "{accuracy}");
    }

    #[test]
    fn students_t_is_that_of_the_tables() {
        for (degrees, t) in [(1, 12.706), (8, 2.306), (11, 2.201), (30, 2.042)] {
            assert!((students_t(degrees, 0.95).unwrap() - t).abs() < 5e-4, "{degrees}");
        }
        assert_eq!(students_t(8, 1.0), None);
        assert_eq!(students_t(8, f64::NAN), None);
    }

    #[test]
    fn no_answer_where_there_is_none() {
        assert_eq!(relative_accuracy(&[100.0; 8], &[100.0; 8], NINE), None);
        assert_eq!(relative_accuracy(&[0.0; 9], &[1.0; 9], NINE), None);
        assert_eq!(relative_accuracy(&[], &[], Demands { pairs: 0, confidence: 0.95 }), None);
        // Without a spread the coefficient is 0: 104 of 100 is 4 % off.
        let accuracy = relative_accuracy(&[100.0; 9], &[104.0; 9], NINE).unwrap();
        assert!((accuracy - 0.04).abs() < 1e-12);
    }

    proptest! {
        #[test]
        fn is_at_least_the_mean_difference_and_the_same_of_any_unit(
            pairs in prop::collection::vec((1.0..1e3_f64, 0.0..1e3_f64), 9..20), scale in 0.1..10.0_f64,
        ) {
            let (reference, measured): (Vec<f64>, Vec<f64>) = pairs.iter().copied().unzip();
            let accuracy = relative_accuracy(&reference, &measured, NINE).unwrap();
            let (r, m) = (reference.iter().sum::<f64>(), measured.iter().sum::<f64>());
            prop_assert!(accuracy >= ((m - r) / r).abs() - 1e-9);
            let scaled = |values: &[f64]| values.iter().map(|value| value * scale).collect::<Vec<_>>();
            let of_scaled = relative_accuracy(&scaled(&reference), &scaled(&measured), NINE).unwrap();
            prop_assert!((accuracy - of_scaled).abs() < 1e-9 * accuracy.max(1.0));
        }
    }
}
