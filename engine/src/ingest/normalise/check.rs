//! What a row must have to land: its key, a listed flag, a time that has come.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::TimestampMicrosecondType;
use plume_datasets::flags;
use plume_datasets::schema::ColumnType;

use super::{Normaliser, Reasons};

/// The first moments of the years 1 and 10000, µs: what lies beside them, no calendar and no
/// log writes. Registries have both for "always".
const CALENDAR_US: std::ops::Range<i64> = -62_135_596_800_000_000..253_402_300_800_000_000;
/// How far in the future a time stamp may lie, for clocks that run ahead, µs.
const FUTURE_US: i64 = 24 * 3_600_000_000;

impl Normaliser<'_> {
    /// Notes why rows can't land.
    pub(super) fn check(&self, columns: &[ArrayRef], reasons: &mut Reasons) {
        for (column, array) in self.table.all_columns().zip(columns) {
            let name = column.name;
            // When a row was received is filled in where the input doesn't say.
            if self.table.key.contains(&name) && !self.table.is_nullable(name) && name != "received_at" {
                check_present(name, array, reasons);
            }
            if name == "flag" {
                check_flags(array, reasons);
            }
            if column.kind == ColumnType::Timestamp {
                check_calendar(name, array, reasons);
            }
            if matches!(name, "ts" | "received_at") {
                check_past(name, array, self.now + FUTURE_US, reasons);
            }
        }
    }
}

fn check_present(name: &str, array: &ArrayRef, reasons: &mut Reasons) {
    if array.null_count() == 0 {
        return;
    }
    for row in (0..array.len()).filter(|row| array.is_null(*row)) {
        reasons.entry(row).or_insert_with(|| format!("{name} is missing"));
    }
}

fn check_flags(array: &ArrayRef, reasons: &mut Reasons) {
    for (row, flag) in array.as_string_view().iter().enumerate() {
        let Some(flag) = flag else { continue };
        if !matches!(flag.as_bytes(), [letter] if flags::is_listed(*letter)) {
            reasons.entry(row).or_insert_with(|| format!("flag '{flag}' is not listed; see table flags"));
        }
    }
}

fn check_calendar(name: &str, array: &ArrayRef, reasons: &mut Reasons) {
    let times = array.as_primitive::<TimestampMicrosecondType>();
    let beside = |row: &usize| times.is_valid(*row) && !CALENDAR_US.contains(&times.value(*row));
    for row in (0..times.len()).filter(beside) {
        reasons.entry(row).or_insert_with(|| format!("{name} lies outside the calendar"));
    }
}

fn check_past(name: &str, array: &ArrayRef, latest: i64, reasons: &mut Reasons) {
    let times = array.as_primitive::<TimestampMicrosecondType>();
    for row in (0..times.len()).filter(|row| times.is_valid(*row) && times.value(*row) > latest) {
        reasons.entry(row).or_insert_with(|| format!("{name} lies in the future"));
    }
}
