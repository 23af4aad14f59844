//! `rule_word(key, at)`: the word of a rule in force at a time, by the rules that
//! the session chose, and under `rule_set` the name of their set.

use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{Array, AsArray, StringViewBuilder};
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
pub(super) struct RuleWord {
    signature: Signature,
}

impl RuleWord {
    /// The function.
    pub(super) fn new() -> Self {
        // Any kind of text and time: both are cast.
        Self { signature: Signature::any(2, Volatility::Stable) }
    }
}

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    let description = "Word of a rule in force at a time, by the rules that the session chose, and the name of their set for key rule_set; NULL where there is no such word (规则取词). Each rule's own clause [default]";
    Documentation::builder(DOC_SECTION_OTHER, description, "rule_word(key, at)").build()
});

impl ScalarUDFImpl for RuleWord {
    fn name(&self) -> &str {
        "rule_word"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8View)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rules = rulebook(&args.config_options)?;
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let [keys, times] = arrays.as_slice() else {
            return datafusion::common::exec_err!("rule_word takes a key and a time");
        };
        let (keys, times) = (cast(keys, &DataType::Utf8)?, cast(times, &TIMESTAMP)?);
        let (keys, times) = (keys.as_string::<i32>(), times.as_primitive::<TimestampMicrosecondType>());
        let mut words = StringViewBuilder::with_capacity(keys.len());
        for row in 0..keys.len() {
            let known = keys.is_valid(row) && times.is_valid(row);
            let word = |day| match keys.value(row) {
                "rule_set" => Some(rules.set_at(day).name.as_str()),
                key => rules.word_at(day, key),
            };
            words.append_option(known.then(|| word(day_of(times.value(row)))).flatten());
        }
        Ok(ColumnarValue::Array(Arc::new(words.finish())))
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&DOCUMENTATION)
    }
}
