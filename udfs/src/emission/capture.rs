//! The capture of a quarter: the share of its running hours that were measured.
//!
//! (hours − stopped − invalid) / (hours − stopped), at least 75 % for the quarter to
//! be used for accounting (HJ 75-2017 12.1.3 `recall`, 75 % `standard`). It is NULL
//! where the plant stood still throughout.
//!
//! Worked example: of 2160 hours 100 stopped and 206 invalid: 1854 / 2060 = 90 %.

use std::ops::Range;

use super::masses::{HourMasses, Method};
use crate::time::{DAY_HOURS, day_of_hour, first_day_of_month, first_month_of_quarter, month_of};
use crate::validity::Rulebook;

/// What a quarter captured of one series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Capture {
    /// The quarter, as its first month.
    pub quarter: i64,
    /// Its first hour, counted from 1970.
    pub first_hour: i64,
    /// The hour after its last.
    pub end_hour: i64,
    /// Hours running or stopped.
    pub hours: u32,
    /// Hours of stopped production.
    pub stopped_hours: u32,
    /// Running hours that were not measured.
    pub invalid_hours: u32,
    /// The share; `None` where the plant stood still throughout.
    pub rate: Option<f64>,
    /// Whether the quarter's data may be used for accounting.
    pub usable: bool,
    /// Whether the capture is high, so that the pool depends on the length of the gap.
    pub high: bool,
}

impl Capture {
    fn of(quarter: i64, methods: &[Method], rules: &Rulebook) -> Option<Self> {
        let count =
            |wanted: fn(&Method) -> bool| methods.iter().filter(|method| wanted(method)).count() as u32;
        let running = count(|method| method.is_running());
        let measured = count(|method| *method == Method::Measured);
        let stopped_hours = count(|method| *method == Method::Stopped);
        if running + stopped_hours == 0 {
            return None;
        }
        let (first_day, next) = (first_day_of_month(quarter), first_day_of_month(quarter + 3));
        // The share asked of so many hours is exact to far below an hour.
        let reaches = |share: f64| f64::from(measured) >= share * f64::from(running) - 1e-9;
        Some(Self {
            quarter,
            first_hour: first_day * DAY_HOURS,
            end_hour: next * DAY_HOURS,
            hours: running + stopped_hours,
            stopped_hours,
            invalid_hours: running - measured,
            rate: (running > 0).then(|| f64::from(measured) / f64::from(running)),
            usable: reaches(rules.at(first_day).capture_share),
            high: reaches(rules.emission_at(first_day).capture_high),
        })
    }
}

/// The captures of the quarters in `hours`, from what was measured. Quarters in
/// which nothing was due are left out.
pub fn captures(masses: &HourMasses, hours: &Range<i64>, rules: &Rulebook, out: &mut Vec<Capture>) {
    out.clear();
    let positions = masses.clip(hours);
    let mut start = positions.start;
    while start < positions.end {
        let quarter = first_month_of_quarter(month_of(day_of_hour(masses.hour(start))));
        let next = first_day_of_month(quarter + 3) * DAY_HOURS - masses.first;
        let end = positions.end.min(usize::try_from(next).unwrap_or(positions.end));
        out.extend(Capture::of(quarter, &masses.method[start..end], rules));
        start = end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn capture(methods: &[(Method, usize)]) -> Vec<Capture> {
        let method: Vec<Method> = methods.iter().flat_map(|(method, n)| vec![*method; *n]).collect();
        let masses = HourMasses { first: 0, kg: vec![0.0; method.len()], method };
        let mut out = Vec::new();
        captures(&masses, &(i64::MIN..i64::MAX), &Rulebook::by_date().unwrap(), &mut out);
        out
    }

    #[test]
    fn worked_example_of_the_head() {
        let [capture] =
            capture(&[(Method::Stopped, 100), (Method::Unresolved, 206), (Method::Measured, 1854)])[..]
        else {
            panic!("one quarter")
        };
        assert_eq!((capture.hours, capture.stopped_hours, capture.invalid_hours), (2160, 100, 206));
        assert_eq!((capture.rate, capture.usable, capture.high), (Some(0.9), true, true));
    }

    #[test]
    fn three_quarters_are_enough_and_an_hour_less_is_not() {
        let usable = |measured, missing| {
            let capture = capture(&[(Method::Measured, measured), (Method::Unresolved, missing)])[0];
            (capture.usable, capture.high)
        };
        assert_eq!(usable(75, 25), (true, false));
        assert_eq!(usable(74, 26), (false, false));
        assert_eq!(usable(90, 10), (true, true));
        assert_eq!(usable(899, 101), (true, false));
    }

    #[test]
    fn a_plant_that_stood_still_throughout_has_no_rate_and_is_usable() {
        let capture = capture(&[(Method::Stopped, 500)])[0];
        assert_eq!((capture.rate, capture.usable), (None, true));
    }

    #[test]
    fn quarters_are_cut_at_the_calendar_and_empty_ones_left_out() {
        let first_quarter = 90 * 24; // 1970
        let quarters =
            capture(&[(Method::Measured, first_quarter), (Method::NoFlow, 91 * 24), (Method::Unresolved, 1)]);
        assert_eq!(quarters.iter().map(|capture| capture.quarter).collect::<Vec<_>>(), [0, 6]);
        assert_eq!(quarters[1].rate, Some(0.0));
    }
}
