//! Time stamps as sources write and label them.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, TimestampMicrosecondArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, TimeUnit, TimestampMicrosecondType};
use chrono::NaiveDateTime;

use super::Normaliser;
use crate::Result;
use crate::ingest::map::TsLabel;
use crate::session::options::parse_time;

const BEIJING_US: i64 = 8 * 3_600_000_000;

impl Normaliser<'_> {
    /// A time as a map's format, HJ 212 or a person writes it.
    pub(super) fn time(&self, text: &str, name: &str) -> Result<i64, String> {
        let wrong = || format!("{name} '{text}' is no time that exists");
        if let Some(format) = &self.map.time_format {
            let time = NaiveDateTime::parse_from_str(text, format)
                .or_else(|_| chrono::NaiveDate::parse_from_str(text, format).map(Into::into));
            return time.map(|time| time.and_utc().timestamp_micros()).map_err(|_| wrong());
        }
        read_time(text).ok_or_else(wrong)
    }

    /// Time stamps of any unit; those with a zone become Beijing's.
    pub(super) fn timestamps(&self, input: &ArrayRef, name: &str) -> Result<ArrayRef> {
        let target = DataType::Timestamp(TimeUnit::Microsecond, None);
        match input.data_type() {
            DataType::Timestamp(unit, Some(_)) => {
                let utc = cast(input, &DataType::Timestamp(*unit, Some("UTC".into())))?;
                let utc = cast(&cast(&utc, &DataType::Int64)?, &DataType::Timestamp(*unit, None))?;
                let utc = cast(&utc, &target)?;
                let beijing = utc
                    .as_primitive::<TimestampMicrosecondType>()
                    .unary::<_, TimestampMicrosecondType>(|ts| ts.saturating_add(BEIJING_US));
                Ok(Arc::new(beijing))
            }
            DataType::Timestamp(..) | DataType::Date32 | DataType::Date64 | DataType::Null => {
                Ok(cast(input, &target)?)
            }
            _ => Err(self.wrong_type(name, input)),
        }
    }

    /// Brings the time stamps of outlets that label intervals by their end to the start.
    pub(super) fn shift_labelled_by_end(&self, columns: &mut [ArrayRef]) {
        if self.labelled_by_end.is_empty() || self.map.ts_label == TsLabel::End {
            return;
        }
        let (Some(mn), Some(ts)) = (self.position("mn"), self.position("ts")) else { return };
        if !matches!(self.table.name, "minute" | "hourly" | "daily") {
            return;
        }
        let shifted = shift_to_start(&columns[ts], self.table.name);
        let (shifted, as_sent) = (
            shifted.as_primitive::<TimestampMicrosecondType>(),
            columns[ts].as_primitive::<TimestampMicrosecondType>(),
        );
        let mns = columns[mn].as_string_view().iter();
        let times = mns.zip(shifted.iter().zip(as_sent)).map(|(mn, (shifted, sent))| match (mn, sent) {
            (Some(mn), Some(ts)) if self.labelled_by_end.at(mn, ts) => shifted,
            _ => sent,
        });
        columns[ts] = Arc::new(times.collect::<TimestampMicrosecondArray>());
    }
}

/// A text as HJ 212 (`20260131080000`, with or without milliseconds) or a person
/// writes a time; 24:00:00 is the next day's 00:00.
pub(in crate::ingest) fn read_time(text: &str) -> Option<i64> {
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
pub(super) fn shift_to_start(column: &ArrayRef, table: &str) -> ArrayRef {
    let interval_us = match table {
        "minute" => 60_000_000,
        "daily" => 24 * 3_600_000_000,
        _ => 3_600_000_000,
    };
    let times = column.as_primitive::<TimestampMicrosecondType>();
    Arc::new(times.unary::<_, TimestampMicrosecondType>(|ts| ts.saturating_sub(interval_us)))
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
