//! Periods as people write them: `2026`, `2026Q1`, `2026-01`, `2026-W05`, `2026-01-31`.

use chrono::{Datelike, Days, Months, NaiveDate, Weekday};

use crate::{Error, Result};

/// A span of whole days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// Its first moment, µs of Beijing time.
    pub from: i64,
    /// The first moment after it.
    pub to: i64,
}

impl Period {
    /// Reads a period.
    pub fn parse(text: &str) -> Result<Self> {
        let text = text.trim();
        let (first, after) = read(text).ok_or_else(|| {
            Error::Usage(format!(
                "'{text}' is no period; write 2026, 2026Q1, 2026-01, 2026-W05 or 2026-01-31"
            ))
        })?;
        let start_of = |day: NaiveDate| day.and_time(chrono::NaiveTime::MIN).and_utc().timestamp_micros();
        Ok(Self { from: start_of(first), to: start_of(after) })
    }

    /// Whether it is a year, a quarter or a month.
    pub fn is_of_months(&self) -> bool {
        [self.from, self.to]
            .into_iter()
            .all(|ts| chrono::DateTime::from_timestamp_micros(ts).is_some_and(|time| time.day() == 1))
    }
}

/// The first day, and the day after the last.
fn read(text: &str) -> Option<(NaiveDate, NaiveDate)> {
    let (year, rest) = text.split_at_checked(4)?;
    let year: i32 = year.bytes().all(|byte| byte.is_ascii_digit()).then(|| year.parse().ok())??;
    let months = |first: NaiveDate, count| Some((first, first.checked_add_months(Months::new(count))?));
    match rest.as_bytes() {
        [] => months(NaiveDate::from_ymd_opt(year, 1, 1)?, 12),
        [b'Q' | b'q', quarter @ b'1'..=b'4'] => {
            months(NaiveDate::from_ymd_opt(year, 1 + 3 * u32::from(quarter - b'1'), 1)?, 3)
        }
        [b'-', b'W' | b'w', b'0'..=b'9', b'0'..=b'9'] => {
            let monday = NaiveDate::from_isoywd_opt(year, rest.get(2..)?.parse().ok()?, Weekday::Mon)?;
            Some((monday, monday.checked_add_days(Days::new(7))?))
        }
        [b'-', b'0'..=b'9', b'0'..=b'9'] => {
            months(NaiveDate::from_ymd_opt(year, rest.get(1..)?.parse().ok()?, 1)?, 1)
        }
        _ => {
            let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().filter(|day| day.year() == year)?;
            Some((day, day.succ_opt()?))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::options::parse_time;

    #[test]
    fn every_kind_of_period_is_read() {
        for (text, from, to) in [
            ("2026", "2026-01-01", "2027-01-01"),
            ("2026Q1", "2026-01-01", "2026-04-01"),
            ("2026Q4", "2026-10-01", "2027-01-01"),
            ("2024-02", "2024-02-01", "2024-03-01"),
            ("2026-W01", "2025-12-29", "2026-01-05"),
            ("2026-W53", "2026-12-28", "2027-01-04"),
            ("2026-12-31", "2026-12-31", "2027-01-01"),
        ] {
            let (from, to) = (parse_time(from).unwrap(), parse_time(to).unwrap());
            assert_eq!(Period::parse(text).unwrap(), Period { from, to }, "{text}");
        }
    }

    #[test]
    fn weeks_and_days_are_no_whole_months() {
        for (text, whole) in [
            ("2026", true),
            ("2026Q4", true),
            ("2024-02", true),
            ("2026-W01", false),
            ("2026-12-31", false),
            ("2026-06-01", false),
        ] {
            assert_eq!(Period::parse(text).unwrap().is_of_months(), whole, "{text}");
        }
    }

    #[test]
    fn other_texts_are_no_periods() {
        for text in
            ["", "26", "2026Q5", "2026-13", "2025-W53", "2026-02-30", "2026-1-1x", "２０２６", "+202", "二〇"]
        {
            assert!(Period::parse(text).unwrap_err().to_string().contains("2026Q1"), "{text}");
        }
    }
}
