//! Months from days: the mean of the valid days, valid with 25 of them (February
//! 23) for air (Guide 15(4) `seed`) and with 75 % of its days for water
//! (HJ 356-2019 7 `recall`).

use plume_datasets::factors::Medium;

use super::days::Day;
use super::rules::Rulebook;
use crate::time::{first_day_of_month, month_of};

/// One month of a series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Month {
    /// The month, counted from January 1970.
    pub month: i64,
    /// Mean of the valid days whatever their number; NaN where none has a value.
    pub partial_value: f64,
    /// Mean of the valid days' converted values; NaN where none has one.
    pub partial_converted: f64,
    /// Valid days.
    pub valid_days: u32,
    /// Days asked for.
    pub required_days: u32,
    /// Days with production stopped throughout.
    pub stopped_days: u32,
    /// Whether enough days are valid.
    pub valid: bool,
}

impl Month {
    /// The month's mean if it is valid, else NaN.
    pub fn value(&self) -> f64 {
        if self.valid { self.partial_value } else { f64::NAN }
    }

    /// The month's converted mean if it is valid, else NaN.
    pub fn converted(&self) -> f64 {
        if self.valid { self.partial_converted } else { f64::NAN }
    }

    /// What the `reason` column says; `None` for a valid month.
    pub fn reason(&self) -> Option<&'static str> {
        if self.valid { None } else { Some("too_few_days") }
    }
}

/// The months of a series, from its days in order. `converted` are the converted
/// means of the same days, or empty.
pub fn months(days: &[Day], converted: &[f64], medium: Medium, rules: &Rulebook, out: &mut Vec<Month>) {
    out.clear();
    let mut start = 0;
    while let Some(first) = days.get(start) {
        let month = month_of(first.day);
        let next_month = first_day_of_month(month + 1);
        let len = days[start..].partition_point(|day| day.day < next_month);
        let converted = converted.get(start..start + len).unwrap_or_default();
        out.push(sum_month(month, &days[start..start + len], converted, medium, rules));
        start += len;
    }
}

fn sum_month(month: i64, days: &[Day], converted: &[f64], medium: Medium, rules: &Rulebook) -> Month {
    let stopped_days = days.iter().filter(|d| d.due_hours == 0 && d.stopped_hours > 0).count() as u32;
    let valid_days = days.iter().filter(|d| d.valid).count() as u32;
    let required_days = rules.at(first_day_of_month(month)).required_days(medium, month, stopped_days);
    let valid_converted = days.iter().zip(converted).filter(|(d, _)| d.valid).map(|(_, &value)| value);
    Month {
        month,
        partial_value: mean(days.iter().filter(|d| d.valid).map(|d| d.partial_value)),
        partial_converted: mean(valid_converted),
        valid_days,
        required_days,
        stopped_days,
        valid: valid_days > 0 && valid_days >= required_days,
    }
}

/// Arithmetic mean of the values that are there; NaN where none is.
fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (mut sum, mut count) = (0.0, 0_u32);
    for value in values.filter(|value| !value.is_nan()) {
        sum += value;
        count += 1;
    }
    if count == 0 { f64::NAN } else { sum / f64::from(count) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(day: i64, valid: bool, value: f64) -> Day {
        Day {
            day,
            partial_value: value,
            value_min: value,
            value_max: value,
            valid_hours: 24,
            due_hours: 24,
            required_hours: 20,
            stopped_hours: 0,
            absent_hours: 0,
            valid,
        }
    }

    fn month_with(first_day: i64, count: i64, medium: Medium) -> Month {
        let days: Vec<Day> = (0..count).map(|i| day(first_day + i, true, i as f64)).collect();
        let mut out = Vec::new();
        months(&days, &[], medium, &Rulebook::by_date().unwrap(), &mut out);
        assert_eq!(out.len(), 1);
        out[0]
    }

    #[test]
    fn air_needs_twenty_five_days_and_february_twenty_three() {
        let (january, february) = (first_day_of_month(672), first_day_of_month(673)); // 2026
        assert!(month_with(january, 25, Medium::Air).valid);
        assert!(!month_with(january, 24, Medium::Air).valid);
        assert!(month_with(february, 23, Medium::Air).valid);
        assert!(!month_with(february, 22, Medium::Air).valid);
        let leap = first_day_of_month(649); // February 2024
        assert!(month_with(leap, 23, Medium::Air).valid);
    }

    #[test]
    fn water_needs_three_quarters_of_the_days() {
        let (june, july) = (first_day_of_month(677), first_day_of_month(678));
        assert_eq!(month_with(june, 23, Medium::Water).required_days, 23); // 22.5 of 30
        assert!(!month_with(june, 22, Medium::Water).valid);
        assert_eq!(month_with(july, 24, Medium::Water).required_days, 24); // 23.25 of 31
    }

    #[test]
    fn the_mean_is_of_valid_days_and_stays_partial_when_they_are_too_few() {
        let days = [day(0, true, 1.0), day(1, false, 9.0), day(2, true, 2.0)];
        let mut out = Vec::new();
        months(&days, &[], Medium::Air, &Rulebook::by_date().unwrap(), &mut out);
        assert_eq!((out[0].partial_value, out[0].valid_days), (1.5, 2));
        assert!(out[0].value().is_nan());
        assert_eq!(out[0].reason(), Some("too_few_days"));
    }

    #[test]
    fn months_are_cut_at_the_calendar() {
        let days = [day(30, true, 1.0), day(31, true, 2.0)];
        let mut out = Vec::new();
        months(&days, &[5.0, 6.0], Medium::Air, &Rulebook::by_date().unwrap(), &mut out);
        assert_eq!(out.iter().map(|m| m.month).collect::<Vec<_>>(), [0, 1]);
        assert_eq!(out[1].partial_converted, 6.0);
    }
}
