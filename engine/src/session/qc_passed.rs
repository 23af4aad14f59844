//! `qc_passed(factor, kind, expected, measured, unit, full_scale, passed, at)`: whether a
//! check passed, by the limits in force at its time. The kernel is [`verdict`], which substitution asks as well.

use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{Array, ArrayRef, AsArray, BooleanBuilder};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Float64Type, TimeUnit, TimestampMicrosecondType};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::scalar_doc_sections::DOC_SECTION_OTHER;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};
use plume_datasets::factors::Medium;
use plume_udfs::emission::control::{Check, CheckKind, MonitorSetting, verdict};
use plume_udfs::time::day_of;

use super::options::rulebook;

/// What each argument is cast to.
const ARGUMENTS: [DataType; 8] = [
    DataType::Utf8,
    DataType::Utf8,
    DataType::Float64,
    DataType::Float64,
    DataType::Utf8,
    DataType::Float64,
    DataType::Boolean,
    DataType::Timestamp(TimeUnit::Microsecond, None),
];

/// The function.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct QcPassed {
    signature: Signature,
}

impl QcPassed {
    /// The function.
    pub(super) fn new() -> Self {
        // Any kind of text, number and time: each is cast.
        Self { signature: Signature::any(ARGUMENTS.len(), Volatility::Stable) }
    }
}

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    let description = "Whether a quality-control check passed: as told, else by the limits in force; NULL where neither tells; full_scale is the width of the range (质控合格判定). HJ 75-2017 11.2 and accuracy of comparisons, HJ 355-2019 table 1 [recall]";
    let syntax = "qc_passed(factor, kind, expected, measured, unit, full_scale, passed, at)";
    Documentation::builder(DOC_SECTION_OTHER, description, syntax).build()
});

impl ScalarUDFImpl for QcPassed {
    fn name(&self) -> &str {
        "qc_passed"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rules = rulebook(&args.config_options)?;
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let arrays: Vec<ArrayRef> = arrays
            .iter()
            .zip(&ARGUMENTS)
            .map(|(array, kind)| Ok(cast(array, kind)?))
            .collect::<Result<_>>()?;
        let [factors, kinds, expected, measured, units, full_scales, passed, times] = arrays.as_slice()
        else {
            return exec_err!("qc_passed takes {} arguments", ARGUMENTS.len());
        };
        let text = |array: &ArrayRef, row: usize| {
            array.is_valid(row).then(|| array.as_string::<i32>().value(row).to_owned())
        };
        let number = |array: &ArrayRef, row: usize| {
            array.is_valid(row).then(|| array.as_primitive::<Float64Type>().value(row))
        };
        let mut verdicts = BooleanBuilder::with_capacity(factors.len());
        for row in 0..factors.len() {
            let told = passed.is_valid(row).then(|| passed.as_boolean().value(row));
            let ts = times.is_valid(row).then(|| times.as_primitive::<TimestampMicrosecondType>().value(row));
            let (Some(factor), Some(ts)) = (text(factors, row), ts) else {
                verdicts.append_option(told);
                continue;
            };
            let kind = Medium::of(&factor).zip(text(kinds, row));
            let check = Check {
                ts,
                kind: kind.and_then(|(medium, name)| CheckKind::parse(&name, medium)),
                expected: number(expected, row),
                measured: number(measured, row),
                unit: text(units, row),
                passed: told,
            };
            let setting =
                MonitorSetting { full_scale: number(full_scales, row), ..MonitorSetting::default() };
            verdicts.append_option(verdict(&check, &factor, setting, rules.emission_at(day_of(ts))));
        }
        Ok(ColumnarValue::Array(Arc::new(verdicts.finish())))
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&DOCUMENTATION)
    }
}
