//! Brings raw columns to the table's types and sorts out rows that can't be right.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float64Array, RecordBatch, StringArray, StringViewArray,
    StringViewBuilder, TimestampMicrosecondArray,
};
use arrow::compute::{cast, filter_record_batch};
use arrow::datatypes::{DataType, Float64Type, TimeUnit, TimestampMicrosecondType};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use chrono::NaiveDateTime;
use plume_datasets::factors::{factor_of_2005, is_well_formed};
use plume_datasets::flags;
use plume_datasets::schema::{ColumnType, Table};

use super::map::{Map, TsLabel};
use super::source::RawBatch;
use crate::session::options::parse_time;
use crate::store::delta::Change;
use crate::store::version::sort_rows;
use crate::store::writer::write_file;
use crate::store::{Store, table_named};
use crate::{Error, Result};

/// Bytes of raw text that a reject keeps.
pub(super) const RAW_LIMIT: usize = 4096;
/// The greatest value that any instrument could mean.
const VALUE_LIMIT: f64 = 1e12;
/// How far in the future a time stamp may lie, for clocks that run ahead, µs.
const FUTURE_US: i64 = 24 * 3_600_000_000;
const BEIJING_US: i64 = 8 * 3_600_000_000;

/// A row that didn't land.
#[derive(Debug, Clone)]
pub(super) struct Reject {
    pub(super) position: String,
    pub(super) raw: String,
    pub(super) reason: String,
}

/// Rows in the table's schema, and those that are not.
#[derive(Debug)]
pub(super) struct Normalised {
    /// The rows; `received_at` is NULL where the input didn't say.
    pub(super) rows: Vec<RecordBatch>,
    pub(super) rejects: Vec<Reject>,
}

impl Normalised {
    /// Rows read: those that are one, and those that couldn't be.
    pub(super) fn read_rows(&self) -> u64 {
        self.rows.iter().map(|rows| rows.num_rows() as u64).sum::<u64>() + self.rejects.len() as u64
    }
}

/// Brings raw batches to a table's types.
#[derive(Debug)]
pub(super) struct Normaliser<'a> {
    pub(super) table: &'static Table,
    pub(super) map: &'a Map,
    pub(super) source: &'a str,
    /// Now, µs of Beijing time.
    pub(super) now: i64,
    /// Outlets whose source labels an interval by its end.
    pub(super) labelled_by_end: &'a HashSet<String>,
}

/// Why rows are rejected: the first reason of each.
type Reasons = HashMap<usize, String>;

impl Normaliser<'_> {
    /// Normalises a batch. A wide batch becomes one batch a column; a cell
    /// without a value is no row there.
    pub(super) fn normalise(&self, raw: &RawBatch) -> Result<Normalised> {
        let mut normalised = Normalised { rows: Vec::new(), rejects: raw.rejects.clone() };
        let Some(rows) = &raw.rows else { return Ok(normalised) };
        if self.map.wide.is_empty() {
            self.normalise_rows(raw, rows, None, &mut normalised)?;
            return Ok(normalised);
        }
        for name in self.map.wide.keys() {
            if rows.column_by_name(name).is_none() {
                return Err(Error::Map {
                    path: self.source.to_owned(),
                    reason: format!("[wide] names column '{name}', which the file doesn't have"),
                });
            }
            self.normalise_rows(raw, rows, Some(name), &mut normalised)?;
        }
        Ok(normalised)
    }

    fn normalise_rows(
        &self,
        raw: &RawBatch,
        rows: &RecordBatch,
        wide: Option<&str>,
        out: &mut Normalised,
    ) -> Result<()> {
        let mut reasons = Reasons::new();
        let schema = self.table.arrow_schema();
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(schema.fields().len());
        for column in self.table.all_columns() {
            let input = self.input(rows, column.name, wide)?;
            columns.push(self.convert(input, column.name, column.kind, rows.num_rows(), &mut reasons)?);
        }
        self.shift_labelled_by_end(&mut columns);
        self.translate_factors(&mut columns, &mut reasons);
        self.check(&columns, &mut reasons);
        let nullable: Vec<_> =
            schema.fields().iter().map(|f| f.as_ref().clone().with_nullable(true)).collect();
        let batch = RecordBatch::try_new(Arc::new(arrow::datatypes::Schema::new(nullable)), columns)?;
        let mut rejected: Vec<usize> = reasons.keys().copied().collect();
        rejected.sort_unstable();
        for row in &rejected {
            out.rejects.push(Reject {
                position: raw.positions.get(*row).cloned().unwrap_or_else(|| format!("{}:row", self.source)),
                raw: raw.raw.get(*row).cloned().unwrap_or_else(|| row_text(rows, *row)),
                reason: reasons.remove(row).unwrap_or_default(),
            });
        }
        // In a wide file a cell without a value is no row.
        let values = batch.column_by_name("value").filter(|_| wide.is_some());
        if rejected.is_empty() && values.is_none_or(|values| values.null_count() == 0) {
            out.rows.push(batch);
            return Ok(());
        }
        let is_row = |row: usize| values.is_none_or(|values| values.is_valid(row));
        let keep: BooleanArray =
            (0..batch.num_rows()).map(|r| Some(rejected.binary_search(&r).is_err() && is_row(r))).collect();
        out.rows.push(filter_record_batch(&batch, &keep)?);
        Ok(())
    }

    /// The raw column that a column of the table comes from, or a constant.
    fn input(&self, rows: &RecordBatch, column: &str, wide: Option<&str>) -> Result<Option<ArrayRef>> {
        let constant = |text: &str| -> ArrayRef { Arc::new(StringArray::from(vec![text; rows.num_rows()])) };
        if let Some(name) = wide {
            let wide_column = &self.map.wide[name];
            if column == Map::code_column(self.table) {
                return Ok(Some(constant(&wide_column.factor)));
            }
            if column == "value" {
                return Ok(rows.column_by_name(name).cloned());
            }
        }
        if let Some(text) = self.map.constants.get(column) {
            return Ok(Some(constant(text)));
        }
        let names = self.map.sources(column);
        let Some(parts) = names.iter().map(|name| rows.column_by_name(name)).collect::<Option<Vec<_>>>()
        else {
            return Ok(None);
        };
        if let [only] = parts.as_slice() {
            return Ok(Some(Arc::clone(only)));
        }
        let options = FormatOptions::default();
        let parts = parts
            .iter()
            .map(|part| ArrayFormatter::try_new(part, &options))
            .collect::<Result<Vec<_>, _>>()?;
        let joined =
            |row: usize| parts.iter().map(|part| part.value(row).to_string()).collect::<Vec<_>>().join(" ");
        Ok(Some(Arc::new((0..rows.num_rows()).map(|row| Some(joined(row))).collect::<StringArray>())))
    }

    /// One column in the table's type; what can't be read is noted as a reason.
    fn convert(
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
        let scale = self.map.scale.get(name).copied();
        let converted: ArrayRef = match (kind, text) {
            (ColumnType::Text, _) => self.text(&input)?,
            (ColumnType::Float, Some(text)) => {
                let read =
                    |text: &str| text.parse::<f64>().map_err(|_| format!("{name} '{text}' is no number"));
                let values: Float64Array = self.each(&text, reasons, read).collect();
                checked_floats(values, name, scale, reasons)
            }
            (ColumnType::Float, None) => match cast(&input, &DataType::Float64) {
                Ok(values) => {
                    checked_floats(values.as_primitive::<Float64Type>().clone(), name, scale, reasons)
                }
                Err(_) => return Err(self.wrong_type(name, &input)),
            },
            (ColumnType::Timestamp, Some(text)) => {
                let values: TimestampMicrosecondArray =
                    self.each(&text, reasons, |text| self.time(text, name)).collect();
                Arc::new(values)
            }
            (ColumnType::Timestamp, None) => self.timestamps(&input, name)?,
            (ColumnType::Bool, Some(text)) => {
                let read = |text: &str| match text.to_ascii_lowercase().as_str() {
                    "true" | "1" | "t" | "yes" => Ok(true),
                    "false" | "0" | "f" | "no" => Ok(false),
                    _ => Err(format!("{name} '{text}' is neither true nor false")),
                };
                Arc::new(self.each(&text, reasons, read).collect::<BooleanArray>())
            }
            (kind, _) => cast(&input, &kind.arrow()).map_err(|_| self.wrong_type(name, &input))?,
        };
        if name == "ts" && self.map.ts_label == TsLabel::End {
            return Ok(shift_to_start(&converted, self.table.name));
        }
        Ok(converted)
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

    /// A time as a map's format, HJ 212 or a person writes it.
    fn time(&self, text: &str, name: &str) -> Result<i64, String> {
        let wrong = || format!("{name} '{text}' is no time that exists");
        if let Some(format) = &self.map.time_format {
            let time = NaiveDateTime::parse_from_str(text, format)
                .or_else(|_| chrono::NaiveDate::parse_from_str(text, format).map(Into::into));
            return time.map(|time| time.and_utc().timestamp_micros()).map_err(|_| wrong());
        }
        read_time(text).ok_or_else(wrong)
    }

    fn timestamps(&self, input: &ArrayRef, name: &str) -> Result<ArrayRef> {
        let target = DataType::Timestamp(TimeUnit::Microsecond, None);
        match input.data_type() {
            DataType::Timestamp(unit, Some(_)) => {
                let utc = cast(input, &DataType::Timestamp(*unit, Some("UTC".into())))?;
                let utc = cast(&cast(&utc, &DataType::Int64)?, &DataType::Timestamp(*unit, None))?;
                let utc = cast(&utc, &target)?;
                let beijing = utc
                    .as_primitive::<TimestampMicrosecondType>()
                    .unary::<_, TimestampMicrosecondType>(|ts| ts + BEIJING_US);
                Ok(Arc::new(beijing))
            }
            DataType::Timestamp(..) | DataType::Date32 | DataType::Date64 | DataType::Null => {
                Ok(cast(input, &target)?)
            }
            _ => Err(self.wrong_type(name, input)),
        }
    }

    fn wrong_type(&self, name: &str, input: &ArrayRef) -> Error {
        let wanted = self.table.column(name).map_or("", |column| column.kind.name());
        Error::Input {
            path: self.source.to_owned(),
            reason: format!(
                "column {name} is {}, not {wanted}; cast it in the file or name another by --map",
                input.data_type()
            ),
        }
    }

    /// Brings the time stamps of outlets that label intervals by their end to the start.
    fn shift_labelled_by_end(&self, columns: &mut [ArrayRef]) {
        if self.labelled_by_end.is_empty() || self.map.ts_label == TsLabel::End {
            return;
        }
        let position = |name: &str| self.table.all_columns().position(|column| column.name == name);
        let (Some(mn), Some(ts)) = (position("mn"), position("ts")) else { return };
        if !matches!(self.table.name, "minute" | "hourly" | "daily") {
            return;
        }
        let shifted = shift_to_start(&columns[ts], self.table.name);
        let (shifted, as_sent) = (
            shifted.as_primitive::<TimestampMicrosecondType>(),
            columns[ts].as_primitive::<TimestampMicrosecondType>(),
        );
        let by_end = columns[mn]
            .as_string_view()
            .iter()
            .map(|mn| mn.is_some_and(|mn| self.labelled_by_end.contains(mn)));
        let times = by_end
            .zip(shifted.iter().zip(as_sent))
            .map(|(by_end, (shifted, sent))| if by_end { shifted } else { sent });
        columns[ts] = Arc::new(times.collect::<TimestampMicrosecondArray>());
    }

    /// Codes of 2005 become those of 2017, their values the new unit, their flag `F` `Z`.
    fn translate_factors(&self, columns: &mut [ArrayRef], reasons: &mut Reasons) {
        let position = |name: &str| self.table.all_columns().position(|column| column.name == name);
        let (Some(factor), Some(_)) = (position("factor"), position("value")) else { return };
        let codes = columns[factor].as_string_view().clone();
        let old: Vec<(usize, &'static plume_datasets::factors::Factor)> = (0..codes.len())
            .filter(|row| codes.is_valid(*row) && !is_well_formed(codes.value(*row)))
            .filter_map(|row| match factor_of_2005(codes.value(row)) {
                Some(factor) => Some((row, factor)),
                None => {
                    let reason = format!(
                        "factor '{}' is no HJ 212 code of a pollutant of air or water",
                        codes.value(row)
                    );
                    reasons.entry(row).or_insert(reason);
                    None
                }
            })
            .collect();
        if old.is_empty() {
            return;
        }
        let mut new_codes: Vec<Option<&str>> = codes.iter().collect();
        old.iter().for_each(|(row, factor)| new_codes[*row] = Some(&factor.code));
        columns[factor] = Arc::new(StringViewArray::from(new_codes));
        for (index, column) in
            self.table.all_columns().enumerate().filter(|(_, c)| c.kind == ColumnType::Float)
        {
            if !matches!(column.unit, "factor") && column.name != "total" {
                continue;
            }
            let mut values: Vec<Option<f64>> = columns[index].as_primitive::<Float64Type>().iter().collect();
            for (row, factor) in &old {
                values[*row] = values[*row].map(|value| value * factor.old_scale.unwrap_or(1.0));
            }
            columns[index] = Arc::new(Float64Array::from(values));
        }
        if let Some(flag) = position("flag") {
            let flags = columns[flag].as_string_view().clone();
            let mut new_flags: Vec<Option<&str>> = flags.iter().collect();
            for (row, _) in &old {
                if new_flags[*row].is_some_and(|flag| flag.as_bytes() == b"F") {
                    new_flags[*row] = Some("Z");
                }
            }
            columns[flag] = Arc::new(StringViewArray::from(new_flags));
        }
    }

    /// Checks what a row must have: its key, a listed flag, a time that has come.
    fn check(&self, columns: &[ArrayRef], reasons: &mut Reasons) {
        for (column, array) in self.table.all_columns().zip(columns) {
            let name = column.name;
            if self.table.key.contains(&name)
                && !self.table.is_nullable(name)
                && array.null_count() > 0
                && name != "received_at"
            {
                let missing = (0..array.len()).filter(|row| array.is_null(*row));
                for row in missing {
                    reasons.entry(row).or_insert_with(|| format!("{name} is missing"));
                }
            }
            if name == "flag" {
                let flags = array.as_string_view();
                for (row, flag) in flags.iter().enumerate().filter_map(|(row, flag)| Some((row, flag?))) {
                    let listed = matches!(flag.as_bytes(), [letter] if flags::is_listed(*letter));
                    if !listed {
                        reasons
                            .entry(row)
                            .or_insert_with(|| format!("flag '{flag}' is not listed; see table flags"));
                    }
                }
            }
            if matches!(name, "ts" | "received_at") {
                let times = array.as_primitive::<TimestampMicrosecondType>();
                let latest = self.now + FUTURE_US;
                for row in (0..times.len()).filter(|row| times.is_valid(*row) && times.value(*row) > latest) {
                    reasons.entry(row).or_insert_with(|| format!("{name} lies in the future"));
                }
            }
        }
    }
}

/// A text as HJ 212 (`20260131080000`, with or without milliseconds) or a person
/// writes a time; 24:00:00 is the next day's 00:00.
pub(super) fn read_time(text: &str) -> Option<i64> {
    let digits = text.len() >= 12 && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits {
        let seconds = match text.len() {
            12 => format!("{text}00"),
            14 | 17 => text[..14].to_owned(),
            _ => return None,
        };
        let (day, time) = seconds.split_at(8);
        let (midnight, time) = if time == "240000" { (1, "000000") } else { (0, time) };
        let parsed = NaiveDateTime::parse_from_str(&format!("{day}{time}"), "%Y%m%d%H%M%S").ok()?;
        let millis: i64 = if text.len() == 17 { text[14..].parse().ok()? } else { 0 };
        return Some(parsed.and_utc().timestamp_micros() + midnight * 24 * 3_600_000_000 + millis * 1000);
    }
    if let Some((day, rest)) = text.split_once([' ', 'T'])
        && matches!(rest, "24:00:00" | "24:00")
    {
        return parse_time(day).ok().map(|midnight| midnight + 24 * 3_600_000_000);
    }
    parse_time(text).ok()
}

/// Time stamps that name an interval's end, brought to its start.
fn shift_to_start(column: &ArrayRef, table: &str) -> ArrayRef {
    let interval_us = match table {
        "minute" => 60_000_000,
        "daily" => 24 * 3_600_000_000,
        _ => 3_600_000_000,
    };
    let times = column.as_primitive::<TimestampMicrosecondType>();
    Arc::new(times.unary::<_, TimestampMicrosecondType>(|ts| ts - interval_us))
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

/// A row as text, for `rejects`.
fn row_text(rows: &RecordBatch, row: usize) -> String {
    let options = FormatOptions::default();
    let cell = |(field, column): (&arrow::datatypes::FieldRef, &ArrayRef)| {
        let text =
            ArrayFormatter::try_new(column, &options).map(|f| f.value(row).to_string()).unwrap_or_default();
        format!("{}={text}", field.name())
    };
    let text: String =
        rows.schema().fields().iter().zip(rows.columns()).map(cell).collect::<Vec<_>>().join(",");
    text.chars().take(RAW_LIMIT).collect()
}

/// Commits rejects to their table, once for an input.
pub(super) async fn commit_rejects(store: &Store, id: &str, rejects: &[Reject]) -> Result<()> {
    if rejects.is_empty() {
        return Ok(());
    }
    let table = table_named("rejects")?;
    let log = store.log(table)?;
    let text = |value: fn(&Reject) -> &str| -> ArrayRef {
        Arc::new(rejects.iter().map(|reject| Some(value(reject))).collect::<StringViewArray>())
    };
    // Each has a time of its own: one place may have several rejects, and a file of the same name
    // that comes tomorrow has its own.
    let now = crate::session::options::now();
    let received: TimestampMicrosecondArray = (now..).take(rejects.len()).map(Some).collect();
    let columns = vec![
        text(|r| &r.position),
        text(|r| &r.raw),
        text(|r| &r.reason),
        Arc::new(received),
        text(|r| &r.position),
    ];
    let rows = sort_rows(table, &RecordBatch::try_new(table.arrow_schema(), columns)?)?;
    let adds = vec![write_file(log.objects().as_ref(), table, rows).await?];
    log.append(&Change {
        adds,
        data_change: true,
        inputs: vec![format!("{id}-rejects")],
        ..Change::default()
    })
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_as_sources_write_them() {
        let day = 24 * 3_600_000_000;
        assert_eq!(read_time("19700102000000"), Some(day));
        assert_eq!(read_time("19700101240000"), Some(day));
        assert_eq!(read_time("1970-01-01 24:00:00"), Some(day));
        assert_eq!(read_time("19700101000000123"), Some(123_000));
        assert_eq!(read_time("1970-01-01T00:00:00+00:00"), Some(BEIJING_US));
        for text in ["1970-02-30 00:00:00", "19700230000000", "", "x", "1970", "99999999999999"] {
            assert_eq!(read_time(text), None, "{text}");
        }
    }
}
