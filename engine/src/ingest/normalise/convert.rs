//! A raw column to the table's type.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float64Array, StringArray, StringViewArray, StringViewBuilder,
    TimestampMicrosecondArray,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use plume_datasets::schema::ColumnType;

use super::times::shift_to_start;
use super::{Normaliser, Reasons};
use crate::ingest::map::TsLabel;
use crate::{Error, Result};

/// The greatest value that any instrument could mean.
const VALUE_LIMIT: f64 = 1e12;

impl Normaliser<'_> {
    /// One column in the table's type; what can't be read is noted as a reason.
    pub(super) fn convert(
        &self,
        input: Option<ArrayRef>,
        name: &str,
        kind: ColumnType,
        rows: usize,
        reasons: &mut Reasons,
    ) -> Result<ArrayRef> {
        let Some(input) = input else {
            return Ok(match name {
                "source" => Arc::new(StringViewArray::from(vec![self.source; rows])),
                _ => arrow::array::new_null_array(&kind.arrow(), rows),
            });
        };
        let text = as_text(&input)?;
        let converted: ArrayRef = match (kind, text) {
            (ColumnType::Text, _) if name == "source" => self.sources(&input)?,
            (ColumnType::Text, _) => self.text(&input).map_err(|_| self.wrong_type(name, &input))?,
            (ColumnType::Float, text) => self.floats(&input, text.as_ref(), name, reasons)?,
            (ColumnType::Timestamp, Some(text)) => {
                let values: TimestampMicrosecondArray =
                    self.each(&text, reasons, |text| self.time(text, name)).collect();
                Arc::new(values)
            }
            (ColumnType::Timestamp, None) => self.timestamps(&input, name)?,
            (ColumnType::Bool, Some(text)) => {
                let values: BooleanArray = self.each(&text, reasons, |text| truth(text, name)).collect();
                Arc::new(values)
            }
            (kind, _) => cast(&input, &kind.arrow()).map_err(|_| self.wrong_type(name, &input))?,
        };
        if name == "ts" && self.map.ts_label == TsLabel::End {
            return Ok(shift_to_start(&converted, self.table.name));
        }
        Ok(converted)
    }

    /// Numbers, or the numbers that texts tell, scaled as the map says.
    fn floats(
        &self,
        input: &ArrayRef,
        text: Option<&StringArray>,
        name: &str,
        reasons: &mut Reasons,
    ) -> Result<ArrayRef> {
        let values: Float64Array = match text {
            Some(text) => {
                let read =
                    |text: &str| text.parse::<f64>().map_err(|_| format!("{name} '{text}' is no number"));
                self.each(text, reasons, read).collect()
            }
            None => {
                let values = cast(input, &DataType::Float64).map_err(|_| self.wrong_type(name, input))?;
                values.as_primitive::<Float64Type>().clone()
            }
        };
        Ok(checked_floats(values, name, self.map.scale.get(name).copied(), reasons))
    }

    /// Reads each text; empty and missing ones are NULL.
    fn each<'b, T>(
        &'b self,
        text: &'b StringArray,
        reasons: &'b mut Reasons,
        read: impl Fn(&str) -> Result<T, String> + 'b,
    ) -> impl Iterator<Item = Option<T>> + 'b {
        text.iter().enumerate().map(move |(row, text)| {
            let text = text.map(str::trim).filter(|text| !self.is_missing(text))?;
            match read(text) {
                Ok(value) => Some(value),
                Err(reason) => {
                    reasons.entry(row).or_insert(reason);
                    None
                }
            }
        })
    }

    fn is_missing(&self, text: &str) -> bool {
        text.is_empty() || self.map.missing.iter().any(|missing| missing == text)
    }

    /// Where rows came from: the file itself, where it says nothing.
    fn sources(&self, input: &ArrayRef) -> Result<ArrayRef> {
        let told = self.text(input).map_err(|_| self.wrong_type("source", input))?;
        if told.null_count() == 0 {
            return Ok(told);
        }
        let told = told.as_string_view().iter().map(|told| Some(told.unwrap_or(self.source)));
        Ok(Arc::new(told.collect::<StringViewArray>()))
    }

    fn text(&self, input: &ArrayRef) -> Result<ArrayRef> {
        let input = cast(input, &DataType::Utf8View)?;
        let texts = input.as_string_view();
        let clean =
            |text: &str| !text.is_empty() && text.trim().len() == text.len() && self.map.missing.is_empty();
        if texts.iter().flatten().all(clean) {
            return Ok(input);
        }
        let mut out = StringViewBuilder::with_capacity(texts.len());
        for text in texts {
            out.append_option(text.map(str::trim).filter(|text| !self.is_missing(text)));
        }
        Ok(Arc::new(out.finish()))
    }

    /// The error of a column whose type can't become the table's.
    pub(super) fn wrong_type(&self, name: &str, input: &ArrayRef) -> Error {
        let wanted = self.table.column(name).map_or("", |column| column.kind.name());
        Error::Input {
            path: self.source.to_owned(),
            reason: format!(
                "column {name} is {}, not {wanted}; cast it in the file or name another by --map",
                input.data_type()
            ),
        }
    }
}

/// A truth value as a person writes it.
fn truth(text: &str, name: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "t" | "yes" => Ok(true),
        "false" | "0" | "f" | "no" => Ok(false),
        _ => Err(format!("{name} '{text}' is neither true nor false")),
    }
}

/// Floats that are numbers an instrument could mean; others are noted.
fn checked_floats(values: Float64Array, name: &str, scale: Option<f64>, reasons: &mut Reasons) -> ArrayRef {
    let values = match scale {
        Some(scale) => values.unary(|value| value * scale),
        None => values,
    };
    if values.values().iter().all(|value| value.abs() <= VALUE_LIMIT) {
        return Arc::new(values);
    }
    for row in (0..values.len()).filter(|row| values.is_valid(*row)) {
        let value = values.value(row);
        if !value.is_finite() {
            reasons.entry(row).or_insert_with(|| format!("{name} is {value}, no number"));
        } else if value.abs() > VALUE_LIMIT {
            reasons.entry(row).or_insert_with(|| format!("{name} {value:e} is beyond any instrument"));
        }
    }
    Arc::new(values)
}

/// A text column as plain strings; `None` for other types.
fn as_text(input: &ArrayRef) -> Result<Option<StringArray>> {
    match input.data_type() {
        DataType::Utf8 => Ok(Some(input.as_string::<i32>().clone())),
        DataType::LargeUtf8 | DataType::Utf8View | DataType::Dictionary(..) => {
            Ok(Some(cast(input, &DataType::Utf8)?.as_string::<i32>().clone()))
        }
        _ => Ok(None),
    }
}
