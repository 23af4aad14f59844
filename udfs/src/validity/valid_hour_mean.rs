//! `valid_hour_mean(value, flag[, interval_s])`: the mean of an hour's valid
//! minutes; NULL unless they cover 45 minutes (Guide 15(4) `seed`).
//!
//! A row covers `interval_s` seconds, by default the 60 of air. 45 rows of 60 s
//! with flag `N` make an hour, 44 don't; of 10-minute rows 5 do.

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::logical_expr::scalar_doc_sections::DOC_SECTION_OTHER;
use datafusion::logical_expr::{AggregateUDF, Documentation, Signature, TypeSignature, Volatility};

use super::ValidityRules;
use super::mean_function::{MeanFunction, MeanRule, float, is_normal};

/// Sum of values, their count, seconds covered.
type State = [f64; 3];

#[derive(Debug, Clone)]
struct ValidHourMean {
    seconds_needed: f64,
    default_interval_s: f64,
}

impl MeanRule<3> for ValidHourMean {
    const EMPTY: State = [0.0; 3];
    const STATE: [&'static str; 3] = ["sum", "count", "seconds"];

    fn each_row(&self, arguments: &[ArrayRef], add: &mut dyn FnMut(usize, State)) -> Result<()> {
        let [values, flags, rest @ ..] = arguments else { return Ok(()) };
        for row in 0..values.len() {
            let interval_s = match rest.first() {
                Some(intervals) => float(intervals, row).unwrap_or(self.default_interval_s),
                None => self.default_interval_s,
            };
            if let (Some(value), true) = (float(values, row), is_normal(flags, row)) {
                add(row, [value, 1.0, interval_s]);
            }
        }
        Ok(())
    }

    fn merge(&self, state: &mut State, other: &State) {
        state.iter_mut().zip(other).for_each(|(part, other)| *part += other);
    }

    fn finish(&self, [sum, count, seconds]: &State) -> Result<Option<f64>> {
        Ok((*count > 0.0 && *seconds >= self.seconds_needed).then(|| sum / count))
    }
}

/// The SQL aggregate with the numbers of a rule set.
pub fn valid_hour_mean_udaf(rules: &ValidityRules) -> AggregateUDF {
    let (value, flag, interval) = (DataType::Float64, DataType::Utf8View, DataType::Float64);
    MeanFunction {
        name: "valid_hour_mean",
        signature: Signature::one_of(
            vec![
                TypeSignature::Exact(vec![value.clone(), flag.clone()]),
                TypeSignature::Exact(vec![value, flag, interval]),
            ],
            Volatility::Immutable,
        ),
        documentation: Documentation::builder(
            DOC_SECTION_OTHER,
            "Mean of the valid minutes (flag N) of an hour; NULL unless they cover 45 minutes (有效小时均值). Guide 15(4) [seed]",
            "valid_hour_mean(value, flag[, interval_s])",
        )
        .build(),
        rule: rule(rules),
    }
    .udaf()
}

fn rule(rules: &ValidityRules) -> ValidHourMean {
    ValidHourMean { seconds_needed: rules.hour_minutes * 60.0, default_interval_s: rules.air_minute_s }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Float64Array, StringViewArray};

    use super::super::mean_function::testing::agreed;
    use super::*;

    fn mean(valid: usize, invalid: usize, interval: Option<f64>) -> Option<f64> {
        let book = super::super::Rulebook::by_date().unwrap();
        let rows = valid + invalid;
        let values: Float64Array = (0..rows).map(|row| Some(row as f64)).collect();
        let flags =
            StringViewArray::from_iter_values((0..rows).map(|row| if row < valid { "N" } else { "D" }));
        let mut columns: Vec<ArrayRef> = vec![Arc::new(values), Arc::new(flags)];
        if let Some(interval) = interval {
            columns.push(Arc::new(Float64Array::from(vec![interval; rows])));
        }
        agreed(&rule(book.at(0)), &columns)
    }

    #[test]
    fn forty_five_minutes_make_an_hour() {
        assert_eq!(mean(45, 15, None), Some(22.0)); // (0 + … + 44) / 45
        assert_eq!(mean(44, 16, None), None);
        assert_eq!(mean(0, 60, None), None);
        assert_eq!(mean(0, 0, None), None);
    }

    #[test]
    fn longer_rows_cover_more() {
        assert_eq!(mean(5, 1, Some(600.0)), Some(2.0));
        assert_eq!(mean(4, 2, Some(600.0)), None);
    }
}
