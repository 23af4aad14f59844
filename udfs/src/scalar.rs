//! Scalar functions over floats: one thin wrapper for all of them.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Builder};
use arrow::datatypes::{DataType, Float64Type};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::scalar_doc_sections::DOC_SECTION_MATH;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

/// A SQL function of `N` floats. NULL in, NULL out; a kernel's `None`, NaN or
/// infinity is NULL too, so no function makes a value a store would refuse.
struct FloatFunction<const N: usize> {
    name: &'static str,
    signature: Signature,
    documentation: Documentation,
    kernel: fn([f64; N]) -> Option<f64>,
}

/// Makes the SQL function `name(arguments…)` of a kernel.
pub(crate) fn float_function<const N: usize>(
    name: &'static str,
    arguments: [&'static str; N],
    description: &'static str,
    kernel: fn([f64; N]) -> Option<f64>,
) -> ScalarUDF {
    let syntax = format!("{name}({})", arguments.join(", "));
    let documentation = Documentation::builder(DOC_SECTION_MATH, description, syntax).build();
    let signature = Signature::exact(vec![DataType::Float64; N], Volatility::Immutable);
    ScalarUDF::from(FloatFunction { name, signature, documentation, kernel })
}

impl<const N: usize> std::fmt::Debug for FloatFunction<N> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

impl<const N: usize> PartialEq for FloatFunction<N> {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl<const N: usize> Eq for FloatFunction<N> {}

impl<const N: usize> Hash for FloatFunction<N> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl<const N: usize> ScalarUDFImpl for FloatFunction<N> {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let Ok(columns) = <[ArrayRef; N]>::try_from(arrays) else {
            return exec_err!("{} takes {N} arguments", self.name);
        };
        let columns = columns.each_ref().map(|column| column.as_primitive::<Float64Type>());
        let rows = columns.first().map_or(args.number_rows, |column| column.len());
        let mut out = Float64Builder::with_capacity(rows);
        for row in 0..rows {
            let known = columns.iter().all(|column| column.is_valid(row));
            let result = known.then(|| (self.kernel)(columns.map(|column| column.value(row)))).flatten();
            out.append_option(result.filter(|value| value.is_finite()));
        }
        Ok(ColumnarValue::Array(Arc::new(out.finish())))
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&self.documentation)
    }
}
