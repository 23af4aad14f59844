//! `valid_day_mean(value, flag[, flow])`: the mean of a day's valid hours.
//!
//! Without `flow` the rule of air: the arithmetic mean, NULL below 20 valid
//! hours (Guide 15(4) `seed`). With `flow` the rule of water: Σ(C·Q)/ΣQ, NULL
//! below 75 % of the rows with flow (HJ 356-2019 7 `recall`); a row with flow 0
//! is not due. 40 mg/L at 10 L/s and 60 mg/L at 30 L/s give 55 mg/L.

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::logical_expr::scalar_doc_sections::DOC_SECTION_OTHER;
use datafusion::logical_expr::{AggregateUDF, Documentation, Signature, TypeSignature, Volatility};
use plume_datasets::factors::Medium;

use super::ValidityRules;
use super::mean_function::{MeanFunction, MeanRule, float, is_normal};

/// Sum and count of valid values, rows due, Σ(C·Q), ΣQ, rows that have a flow argument.
type State = [f64; 6];

#[derive(Debug, Clone)]
struct ValidDayMean {
    rules: ValidityRules,
}

impl MeanRule<6> for ValidDayMean {
    const EMPTY: State = [0.0; 6];
    const STATE: [&'static str; 6] = ["sum", "count", "due", "weighted_sum", "weight_sum", "by_flow"];

    fn each_row(&self, arguments: &[ArrayRef], add: &mut dyn FnMut(usize, State)) -> Result<()> {
        let [values, flags, rest @ ..] = arguments else { return Ok(()) };
        let flows = rest.first();
        let by_flow = f64::from(u8::from(flows.is_some()));
        for row in 0..values.len() {
            let flow = flows.and_then(|flows| float(flows, row));
            if flow == Some(0.0) {
                add(row, [0.0, 0.0, 0.0, 0.0, 0.0, by_flow]);
                continue;
            }
            let value = float(values, row).filter(|_| is_normal(flags, row));
            let (sum, count) = value.map_or((0.0, 0.0), |value| (value, 1.0));
            let weight = flow.filter(|_| value.is_some()).unwrap_or(0.0);
            add(row, [sum, count, 1.0, sum * weight, weight, by_flow]);
        }
        Ok(())
    }

    fn merge(&self, state: &mut State, other: &State) {
        state.iter_mut().zip(other).for_each(|(part, other)| *part += other);
    }

    fn finish(&self, [sum, count, due, weighted_sum, weight_sum, by_flow]: &State) -> Result<Option<f64>> {
        let medium = if *by_flow > 0.0 { Medium::Water } else { Medium::Air };
        let required = f64::from(self.rules.required_hours(medium, *due as u32));
        if *count == 0.0 || *count < required {
            return Ok(None);
        }
        Ok(Some(if *weight_sum > 0.0 { weighted_sum / weight_sum } else { sum / count }))
    }
}

/// The SQL aggregate with the numbers of a rule set.
pub fn valid_day_mean_udaf(rules: &ValidityRules) -> AggregateUDF {
    let (value, flag, flow) = (DataType::Float64, DataType::Utf8View, DataType::Float64);
    MeanFunction {
        name: "valid_day_mean",
        signature: Signature::one_of(
            vec![
                TypeSignature::Exact(vec![value.clone(), flag.clone()]),
                TypeSignature::Exact(vec![value, flag, flow]),
            ],
            Volatility::Immutable,
        ),
        documentation: Documentation::builder(
            DOC_SECTION_OTHER,
            "Mean of the valid hours (flag N) of a day; NULL below 20 of them. With flow: weighted by it, NULL below 75 % of the rows with flow (有效日均值). Guide 15(4) [seed], HJ 356-2019 7 [recall]",
            "valid_day_mean(value, flag[, flow])",
        )
        .build(),
        rule: ValidDayMean { rules: rules.clone() },
    }
    .udaf()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Float64Array, StringViewArray};

    use super::super::mean_function::testing::agreed;
    use super::*;

    fn mean(rows: &[(Option<f64>, &str, Option<f64>)], with_flow: bool) -> Option<f64> {
        let book = super::super::Rulebook::by_date().unwrap();
        let values: Float64Array = rows.iter().map(|row| row.0).collect();
        let flags = StringViewArray::from_iter_values(rows.iter().map(|row| row.1));
        let mut columns: Vec<ArrayRef> = vec![Arc::new(values), Arc::new(flags)];
        if with_flow {
            columns.push(Arc::new(rows.iter().map(|row| row.2).collect::<Float64Array>()));
        }
        agreed(&ValidDayMean { rules: book.at(0).clone() }, &columns)
    }

    #[test]
    fn air_needs_twenty_hours() {
        let hours = |valid: usize| {
            (0..24).map(|h| (Some(h as f64), if h < valid { "N" } else { "D" }, None)).collect::<Vec<_>>()
        };
        assert_eq!(mean(&hours(20), false), Some(9.5));
        assert_eq!(mean(&hours(19), false), None);
    }

    #[test]
    fn water_is_weighted_by_flow() {
        assert_eq!(mean(&[(Some(40.0), "N", Some(10.0)), (Some(60.0), "N", Some(30.0))], true), Some(55.0));
    }

    #[test]
    fn water_needs_three_quarters_of_the_rows_with_flow() {
        let (valid, fault, dry) =
            ((Some(40.0), "N", Some(10.0)), (Some(1.0), "D", Some(10.0)), (Some(9.0), "N", Some(0.0)));
        assert_eq!(mean(&[valid, valid, valid, fault, dry, dry], true), Some(40.0));
        assert_eq!(mean(&[valid, valid, fault, dry], true), None);
        assert_eq!(mean(&[dry, dry], true), None);
    }

    #[test]
    fn nulls_are_not_valid() {
        let mut hours = vec![(Some(1.0), "N", None); 19];
        hours.push((None, "N", None));
        assert_eq!(mean(&hours, false), None);
    }
}
