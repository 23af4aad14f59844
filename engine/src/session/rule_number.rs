//! `rule_number(key, at)`: the number of a rule in force at a time, by the rules
//! that the session chose. What views compare with, so that no number of a regulation stands in them.

use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{Array, AsArray, Float64Builder};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, TimeUnit, TimestampMicrosecondType};
use datafusion::common::Result;
use datafusion::logical_expr::scalar_doc_sections::DOC_SECTION_OTHER;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};
use plume_udfs::time::day_of;

use super::options::rulebook;

const TIMESTAMP: DataType = DataType::Timestamp(TimeUnit::Microsecond, None);

/// The function.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct RuleNumber {
    signature: Signature,
}

impl RuleNumber {
    /// The function.
    pub(super) fn new() -> Self {
        // Any kind of text and time: both are cast.
        Self { signature: Signature::any(2, Volatility::Stable) }
    }
}

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    let description = "Number of a rule in force at a time, by the rules that the session chose; NULL where there is no such number; table rules lists the keys (规则数值). Each rule's own clause [default]";
    Documentation::builder(DOC_SECTION_OTHER, description, "rule_number(key, at)").build()
});

impl ScalarUDFImpl for RuleNumber {
    fn name(&self) -> &str {
        "rule_number"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rules = rulebook(&args.config_options)?;
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let [keys, times] = arrays.as_slice() else {
            return datafusion::common::exec_err!("rule_number takes a key and a time");
        };
        let (keys, times) = (cast(keys, &DataType::Utf8)?, cast(times, &TIMESTAMP)?);
        let (keys, times) = (keys.as_string::<i32>(), times.as_primitive::<TimestampMicrosecondType>());
        let mut numbers = Float64Builder::with_capacity(keys.len());
        // Hours of one day follow one another.
        let mut last = None;
        for row in 0..keys.len() {
            if !keys.is_valid(row) || !times.is_valid(row) {
                numbers.append_null();
                continue;
            }
            let asked = (day_of(times.value(row)), keys.value(row));
            let number = match last {
                Some((known, number)) if known == asked => number,
                _ => rules.number_at(asked.0, asked.1),
            };
            last = Some((asked, number));
            numbers.append_option(number);
        }
        Ok(ColumnarValue::Array(Arc::new(numbers.finish())))
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&DOCUMENTATION)
    }
}
