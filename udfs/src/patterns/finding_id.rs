//! `finding_id(mn, factor, pattern, started)`: what a finding is called, the same on every run and machine.

use std::sync::{Arc, LazyLock};

use arrow::array::{Array, AsArray, StringViewBuilder};
use arrow::datatypes::{DataType, TimeUnit, TimestampMicrosecondType};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::scalar_doc_sections::DOC_SECTION_OTHER;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use sha2::{Digest, Sha256};

/// Bytes of the digest that name a finding.
const ID_BYTES: usize = 8;

/// The id of a finding that began at `started` (µs): the first 16 digits of the SHA-256 of the four, a
/// line each.
///
/// ```
/// use plume_udfs::patterns::finding_id::finding_id;
/// // printf 'A\na21002\nreplay\n0' | sha256sum
/// assert_eq!(finding_id("A", "a21002", "replay", 0), "59f5f0fab5b2bdc5");
/// ```
pub fn finding_id(mn: &str, factor: &str, pattern: &str, started: i64) -> String {
    let started = started.to_string();
    let named = [mn, factor, pattern, &started].join("\n");
    Sha256::digest(named.as_bytes()).iter().take(ID_BYTES).map(|byte| format!("{byte:02x}")).collect()
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct FindingId {
    signature: Signature,
}

/// The SQL function.
pub fn finding_id_udf() -> ScalarUDF {
    let text = || DataType::Utf8View;
    let arguments = vec![text(), text(), text(), DataType::Timestamp(TimeUnit::Microsecond, None)];
    ScalarUDF::from(FindingId { signature: Signature::exact(arguments, Volatility::Immutable) })
}

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    let description = "Id of a finding, the same on every run: the first 16 digits of the SHA-256 of outlet, factor, pattern and start; NULL where one of them is (线索编号). Findings of this engine [default]";
    let syntax = "finding_id(mn, factor, pattern, started)";
    Documentation::builder(DOC_SECTION_OTHER, description, syntax).build()
});

impl ScalarUDFImpl for FindingId {
    fn name(&self) -> &str {
        "finding_id"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8View)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let [mn, factor, pattern, started] = arrays.as_slice() else {
            return exec_err!("finding_id takes 4 arguments");
        };
        let [mn, factor, pattern] = [mn, factor, pattern].map(|column| column.as_string_view());
        let started = started.as_primitive::<TimestampMicrosecondType>();
        let mut out = StringViewBuilder::new();
        for row in 0..started.len() {
            let is_known = [mn, factor, pattern].iter().all(|column| column.is_valid(row));
            let id = || finding_id(mn.value(row), factor.value(row), pattern.value(row), started.value(row));
            out.append_option((is_known && started.is_valid(row)).then(id));
        }
        Ok(ColumnarValue::Array(Arc::new(out.finish())))
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&DOCUMENTATION)
    }
}
