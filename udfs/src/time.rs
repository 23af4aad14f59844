//! Beijing civil time as whole hours, days and months.
//!
//! A time stamp is microseconds since 1970-01-01 00:00 of civil time (UTC+8, no
//! daylight saving), so hours and days are plain quotients. A month is counted
//! from January 1970 (month 0).

use chrono::{DateTime, Datelike, Days, NaiveDate};

/// Microseconds in an hour.
pub const HOUR_US: i64 = 3_600_000_000;
/// Hours in a day.
pub const DAY_HOURS: i64 = 24;
/// Microseconds in a day.
pub const DAY_US: i64 = DAY_HOURS * HOUR_US;

/// The hour that holds a time stamp.
pub fn hour_of(ts: i64) -> i64 {
    ts.div_euclid(HOUR_US)
}

/// The day that holds an hour.
pub fn day_of_hour(hour: i64) -> i64 {
    hour.div_euclid(DAY_HOURS)
}

/// The day that holds a time stamp.
pub fn day_of(ts: i64) -> i64 {
    ts.div_euclid(DAY_US)
}

/// The calendar date of a day; far outside chrono's range the nearest it knows.
pub fn date_of(day: i64) -> NaiveDate {
    let epoch = DateTime::UNIX_EPOCH.date_naive();
    let date = match u64::try_from(day) {
        Ok(days) => epoch.checked_add_days(Days::new(days)),
        Err(_) => epoch.checked_sub_days(Days::new(day.unsigned_abs())),
    };
    date.unwrap_or(if day < 0 { NaiveDate::MIN } else { NaiveDate::MAX })
}

/// The month that holds a day.
pub fn month_of(day: i64) -> i64 {
    let date = date_of(day);
    (i64::from(date.year()) - 1970) * 12 + i64::from(date.month0())
}

/// The first day of a month.
///
/// ```
/// use plume_udfs::time::{date_of, first_day_of_month};
/// assert_eq!(date_of(first_day_of_month(1)).to_string(), "1970-02-01");
/// assert_eq!(date_of(first_day_of_month(-1)).to_string(), "1969-12-01");
/// ```
pub fn first_day_of_month(month: i64) -> i64 {
    let year = i32::try_from(1970 + month.div_euclid(12)).unwrap_or(i32::MAX);
    let month0 = u32::try_from(month.rem_euclid(12)).unwrap_or_default();
    let date = NaiveDate::from_ymd_opt(year, month0 + 1, 1).unwrap_or(NaiveDate::MAX);
    date.signed_duration_since(DateTime::UNIX_EPOCH.date_naive()).num_days()
}

/// Days in a month.
pub fn days_in_month(month: i64) -> i64 {
    first_day_of_month(month + 1) - first_day_of_month(month)
}

/// Whether a month is a February.
pub fn is_february(month: i64) -> bool {
    month.rem_euclid(12) == 1
}

/// The quarter that holds a month, as its first month.
pub fn first_month_of_quarter(month: i64) -> i64 {
    month.div_euclid(3) * 3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calendar_agrees_with_chrono_over_five_hundred_years() {
        let mut day = first_day_of_month(-2400);
        for month in -2400..3600 {
            assert_eq!(first_day_of_month(month), day);
            assert_eq!(month_of(day), month);
            assert_eq!(month_of(day + days_in_month(month) - 1), month);
            day += days_in_month(month);
        }
    }

    #[test]
    fn hours_and_days_before_1970_round_down() {
        assert_eq!(hour_of(-1), -1);
        assert_eq!(day_of(-1), -1);
        assert_eq!(day_of_hour(-25), -2);
    }

    #[test]
    fn february_is_told_in_leap_years_too() {
        let month = month_of(day_of(951_782_400_000_000)); // 2000-02-29
        assert!(is_february(month));
        assert_eq!(days_in_month(month), 29);
        assert_eq!(first_month_of_quarter(month), month - 1);
    }

    #[test]
    fn extreme_days_do_not_panic() {
        for day in [i64::MIN, i64::MAX] {
            let _ = month_of(day);
        }
    }
}
