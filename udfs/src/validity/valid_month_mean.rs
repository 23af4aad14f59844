//! `valid_month_mean(value, day)`: the mean of a month's valid days; NULL below
//! 25 of them, in February 23 (Guide 15(4) `seed`).
//!
//! A NULL value is an invalid day. `day` tells the month; a group that mixes
//! months is an error, not a mean. A day that comes again counts as one day.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Date32Type};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::scalar_doc_sections::DOC_SECTION_OTHER;
use datafusion::logical_expr::{AggregateUDF, Documentation, Signature, Volatility};
use plume_datasets::factors::Medium;

use super::Rulebook;
use super::mean_function::{MeanFunction, MeanRule, float};
use crate::time::{date_of, first_day_of_month, month_of};

/// Sum and count of valid days' values, least and greatest month, and a bit for each
/// valid day of the month: 31 bits, which a float holds exactly.
type State = [f64; 5];

#[derive(Debug, Clone)]
struct ValidMonthMean {
    rules: Arc<Rulebook>,
}

impl MeanRule<5> for ValidMonthMean {
    const EMPTY: State = [0.0, 0.0, f64::INFINITY, f64::NEG_INFINITY, 0.0];
    const STATE: [&'static str; 5] = ["sum", "count", "first_month", "last_month", "days"];

    fn each_row(&self, arguments: &[ArrayRef], add: &mut dyn FnMut(usize, State)) -> Result<()> {
        let [values, days] = arguments else { return Ok(()) };
        let days = days.as_primitive::<Date32Type>();
        for row in (0..values.len()).filter(|row| days.is_valid(*row)) {
            let day = i64::from(days.value(row));
            let month = month_of(day);
            let bit = f64::from(1_u32 << (day - first_day_of_month(month)));
            let (sum, count, bit) = float(values, row).map_or((0.0, 0.0, 0.0), |value| (value, 1.0, bit));
            add(row, [sum, count, month as f64, month as f64, bit]);
        }
        Ok(())
    }

    fn merge(&self, state: &mut State, other: &State) {
        let [sum, count, first, last, days] = state;
        *sum += other[0];
        *count += other[1];
        *first = first.min(other[2]);
        *last = last.max(other[3]);
        *days = f64::from(*days as u32 | other[4] as u32);
    }

    fn finish(&self, [sum, count, first, last, days]: &State) -> Result<Option<f64>> {
        if *count == 0.0 {
            return Ok(None);
        }
        let month = |month: f64| date_of(first_day_of_month(month as i64)).format("%Y-%m");
        if first != last {
            return exec_err!(
                "valid_month_mean: a group holds days from {} to {}; group by the month as well",
                month(*first),
                month(*last)
            );
        }
        let first = *first as i64;
        let rules = self.rules.at(first_day_of_month(first));
        let required = rules.required_days(Medium::Air, first, 0);
        Ok(((*days as u32).count_ones() >= required).then(|| sum / count))
    }
}

/// The SQL aggregate with the numbers of the rule set in force on the month's first day.
pub fn valid_month_mean_udaf(rules: &Arc<Rulebook>) -> AggregateUDF {
    MeanFunction {
        name: "valid_month_mean",
        signature: Signature::exact(vec![DataType::Float64, DataType::Date32], Volatility::Immutable),
        documentation: Documentation::builder(
            DOC_SECTION_OTHER,
            "Mean of the valid days of a month; NULL below 25 of them, in February 23; an error when a group mixes months (有效月均值). Guide 15(4) [seed]",
            "valid_month_mean(value, day)",
        )
        .build(),
        rule: ValidMonthMean { rules: Arc::clone(rules) },
    }
    .udaf()
}

#[cfg(test)]
mod tests {
    use arrow::array::{Date32Array, Float64Array};

    use super::super::mean_function::testing::{agreed, every_way};
    use super::*;

    fn rule() -> ValidMonthMean {
        ValidMonthMean { rules: Arc::new(Rulebook::by_date().unwrap()) }
    }

    fn columns(first_day: i32, count: i32) -> Vec<ArrayRef> {
        let values: Float64Array = (0..count).map(|i| Some(f64::from(i))).collect();
        let days: Date32Array = (0..count).map(|i| Some(first_day + i)).collect();
        vec![Arc::new(values), Arc::new(days)]
    }

    #[test]
    fn twenty_five_days_and_twenty_three_in_february() {
        assert_eq!(agreed(&rule(), &columns(0, 25)), Some(12.0)); // January 1970
        assert_eq!(agreed(&rule(), &columns(0, 24)), None);
        assert_eq!(agreed(&rule(), &columns(31, 23)), Some(11.0));
        assert_eq!(agreed(&rule(), &columns(31, 22)), None);
        assert_eq!(agreed(&rule(), &columns(0, 0)), None);
    }

    #[test]
    fn a_day_that_comes_again_is_one_day() {
        let values = Float64Array::from(vec![1.0; 25]);
        let days = Date32Array::from(vec![4; 25]);
        assert_eq!(agreed(&rule(), &[Arc::new(values), Arc::new(days)]), None);
    }

    #[test]
    fn mixed_months_are_an_error() {
        for answer in every_way(&rule(), &columns(20, 25)) {
            assert!(answer.unwrap_err().to_string().contains("1970-01 to 1970-02"));
        }
    }
}
