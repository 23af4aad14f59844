//! `tax_amount(mass_kg, equivalent_kg, rate, waived_pct)`: the tax of a row, to the cent.
//!
//! Tax = equivalents × rate, less what is waived (Environmental Protection Tax
//! Law art. 8 and 13). Each figure is taken as the decimal it is written as, and
//! nothing is rounded before the cent: 12.5 kg ÷ 1 kg × 2.2 yuan less 50 % are
//! 13.75, whatever the binary forms of 2.2 and 12.5 are.

use std::sync::{Arc, LazyLock};

use arrow::array::{Array, ArrayRef, AsArray, Decimal128Builder};
use arrow::datatypes::{DataType, Float64Type};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::scalar_doc_sections::DOC_SECTION_MATH;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

/// Digits of money, and those behind the point.
const MONEY: (u8, i8) = (18, 2);
/// The first amount of cents that money can't hold.
const MOST_CENTS: i128 = 1_000_000_000_000_000_000;

/// The decimal that a figure is written as: digits and the power of ten they are multiplied by.
fn decimal(value: f64) -> Option<(i128, i32)> {
    let text = format!("{value:e}");
    let (digits, power) = text.split_once('e')?;
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let power: i32 = power.parse().ok()?;
    Some((format!("{whole}{fraction}").parse().ok()?, power - i32::try_from(fraction.len()).ok()?))
}

/// The tax in cents, half a cent upwards. `None` where an argument is negative or
/// no number, an equivalent is 0, or the amount is beyond DECIMAL(18,2).
pub fn tax_amount(mass_kg: f64, equivalent_kg: f64, rate: f64, waived_pct: f64) -> Option<i128> {
    let paid_pct = 100.0 - waived_pct;
    if mass_kg < 0.0 || equivalent_kg <= 0.0 || rate < 0.0 || !(0.0..=100.0).contains(&paid_pct) {
        return None;
    }
    let ((mass, a), (rate, b), (paid, c)) = (decimal(mass_kg)?, decimal(rate)?, decimal(paid_pct)?);
    let (equivalent, d) = decimal(equivalent_kg)?;
    // Per cent and cents cancel.
    let product = mass.checked_mul(rate)?.checked_mul(paid)?;
    let power = a.checked_add(b)?.checked_add(c)?.checked_sub(d)?;
    let ten = 10_i128.checked_pow(power.unsigned_abs());
    let cents = match (power >= 0, ten) {
        _ if product == 0 => 0,
        (true, ten) => half_up(product.checked_mul(ten?)?, equivalent)?,
        // Divided by more than 38 digits hold: far below a cent for rates as they are written.
        (false, None) => 0,
        (false, Some(ten)) => equivalent.checked_mul(ten).map_or(Some(0), |by| half_up(product, by))?,
    };
    (cents < MOST_CENTS).then_some(cents)
}

/// `number / by`, a half upwards; both are positive.
fn half_up(number: i128, by: i128) -> Option<i128> {
    let (whole, rest) = (number / by, number % by);
    Some(if rest >= by - rest { whole.checked_add(1)? } else { whole })
}

/// The function.
#[derive(Debug, PartialEq, Eq, Hash)]
struct TaxAmount {
    signature: Signature,
}

/// The SQL function.
pub fn tax_amount_udf() -> ScalarUDF {
    ScalarUDF::from(TaxAmount {
        signature: Signature::exact(vec![DataType::Float64; 4], Volatility::Immutable),
    })
}

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    let description = "Yuan of mass ÷ equivalent × rate less the per cent waived, in decimal arithmetic, a half cent upwards (环境保护税应纳税额). Environmental Protection Tax Law, articles 8 and 13 [standard]";
    let syntax = "tax_amount(mass_kg, equivalent_kg, rate, waived_pct)";
    Documentation::builder(DOC_SECTION_MATH, description, syntax).build()
});

impl ScalarUDFImpl for TaxAmount {
    fn name(&self) -> &str {
        "tax_amount"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Decimal128(MONEY.0, MONEY.1))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let Ok(columns) = <[ArrayRef; 4]>::try_from(arrays) else {
            return exec_err!("tax_amount takes 4 arguments");
        };
        let columns = columns.each_ref().map(|column| column.as_primitive::<Float64Type>());
        let [mass, equivalent, rate, waived] = columns;
        let mut out =
            Decimal128Builder::with_capacity(mass.len()).with_precision_and_scale(MONEY.0, MONEY.1)?;
        for row in 0..mass.len() {
            let known = columns.iter().all(|column| column.is_valid(row));
            let amount =
                || tax_amount(mass.value(row), equivalent.value(row), rate.value(row), waived.value(row));
            out.append_option(known.then(amount).flatten());
        }
        Ok(ColumnarValue::Array(Arc::new(out.finish())))
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&DOCUMENTATION)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_cent_goes_up_and_what_is_written_counts() {
        for (mass, equivalent, rate, waived, cents) in [
            // 95 ÷ 0.95 × 2.4 = 240.00
            (95.0, 0.95, 2.4, 0.0, 24_000),
            (95.0, 0.95, 2.4, 25.0, 18_000),
            (95.0, 0.95, 2.4, 50.0, 12_000),
            // 1.025 × 1.4 = 1.435, whose nearest double lies below: 1.44
            (1.025, 1.0, 1.4, 0.0, 144),
            (1.0249, 1.0, 1.4, 0.0, 143),
            // a mercury figure: 0.0000123 ÷ 0.0005 × 2.8 = 0.06888
            (0.000_012_3, 0.0005, 2.8, 0.0, 7),
            // 0.01 ÷ 2.8 of an equivalent of 1 kg: exactly 1 cent has no finite decimal; 0.005 ÷ 1.4 lies just below half a cent
            (0.003_571_428, 1.0, 1.4, 0.0, 0),
            (0.003_571_429, 1.0, 1.4, 0.0, 1),
            (0.0, 0.95, 2.4, 0.0, 0),
            (1e-300, 0.95, 2.4, 0.0, 0),
            (1e15, 1.0, 2.8, 0.0, 280_000_000_000_000_000),
        ] {
            assert_eq!(tax_amount(mass, equivalent, rate, waived), Some(cents), "{mass} {equivalent} {rate}");
        }
    }

    #[test]
    fn what_makes_no_sense_has_no_amount() {
        for (mass, equivalent, rate, waived) in [
            (-1.0, 1.0, 1.0, 0.0),
            (1.0, 0.0, 1.0, 0.0),
            (1.0, 1.0, -1.0, 0.0),
            (1.0, 1.0, 1.0, 101.0),
            (f64::NAN, 1.0, 1.0, 0.0),
            (1.0, 1.0, f64::INFINITY, 0.0),
            (1e17, 1.0, 2.8, 0.0),
            (1e200, 1.0, 2.8, 0.0),
        ] {
            assert_eq!(
                tax_amount(mass, equivalent, rate, waived),
                None,
                "{mass} {equivalent} {rate} {waived}"
            );
        }
    }
}
