//! Codes, units and flags of HJ 212-2005 to those of 2017.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, StringViewArray};
use arrow::datatypes::Float64Type;
use plume_datasets::factors::{Factor, factor_of_2005, is_well_formed};
use plume_datasets::schema::ColumnType;

use super::{Normaliser, Reasons};

/// Rows whose code is one of 2005, each with what it is today.
type OldRows = Vec<(usize, &'static Factor)>;

impl Normaliser<'_> {
    /// Codes of 2005 become those of 2017, their values the new unit, their flag `F` `Z`.
    pub(super) fn translate_factors(&self, columns: &mut [ArrayRef], reasons: &mut Reasons) {
        let (Some(factor), Some(_)) = (self.position("factor"), self.position("value")) else { return };
        let codes = columns[factor].as_string_view().clone();
        let old = old_rows(&codes, reasons);
        if old.is_empty() {
            return;
        }
        let mut new_codes: Vec<Option<&str>> = codes.iter().collect();
        old.iter().for_each(|(row, factor)| new_codes[*row] = Some(&factor.code));
        columns[factor] = Arc::new(StringViewArray::from(new_codes));
        let of_factor = self.table.all_columns().enumerate().filter(|(_, column)| {
            column.kind == ColumnType::Float && (column.unit == "factor" || column.name == "total")
        });
        for (index, _) in of_factor {
            columns[index] = in_new_unit(&columns[index], &old);
        }
        if let Some(flag) = self.position("flag") {
            columns[flag] = stopped_as_z(&columns[flag], &old);
        }
    }
}

/// The rows with codes of 2005; a code of neither edition is noted as a reason.
fn old_rows(codes: &StringViewArray, reasons: &mut Reasons) -> OldRows {
    let mut old = OldRows::new();
    for row in (0..codes.len()).filter(|row| codes.is_valid(*row) && !is_well_formed(codes.value(*row))) {
        match factor_of_2005(codes.value(row)) {
            Some(factor) => old.push((row, factor)),
            None => {
                let code = codes.value(row);
                let reason = format!("factor '{code}' is no HJ 212 code of a pollutant of air or water");
                reasons.entry(row).or_insert(reason);
            }
        }
    }
    old
}

/// Values of 2005 in the unit of 2017.
fn in_new_unit(values: &ArrayRef, old: &OldRows) -> ArrayRef {
    let mut values: Vec<Option<f64>> = values.as_primitive::<Float64Type>().iter().collect();
    for (row, factor) in old {
        values[*row] = values[*row].map(|value| value * factor.old_scale.unwrap_or(1.0));
    }
    Arc::new(Float64Array::from(values))
}

/// Flags of 2005, of which `F` (source stopped) is `Z` today.
fn stopped_as_z(flags: &ArrayRef, old: &OldRows) -> ArrayRef {
    let mut flags: Vec<Option<&str>> = flags.as_string_view().iter().collect();
    for (row, _) in old {
        if flags[*row] == Some("F") {
            flags[*row] = Some("Z");
        }
    }
    Arc::new(StringViewArray::from(flags))
}
