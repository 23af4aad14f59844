//! What was due for transmission, what came and what counted, day by day.
//!
//! Clauses: Guide 16, annex 2-1 row 2 (5): reported stops are not due `seed`; nor is an hour of
//! water without flow, nor one of an approved stop of the facility `default`. Annex 2-3 I.2:
//! online is time with data within some intervals `seed`, two of them `default`.

use std::ops::Range;

use super::hours::{HourState, Hours};
use crate::time::day_of_hour;

/// A level of data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Real-time values.
    Realtime,
    /// Minute means.
    Minute,
    /// Hourly means.
    Hour,
    /// Daily means.
    Day,
}

impl Level {
    /// The level of a name: `realtime`, `minute`, `hour` or `day`.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "realtime" => Some(Self::Realtime),
            "minute" => Some(Self::Minute),
            "hour" => Some(Self::Hour),
            "day" => Some(Self::Day),
            _ => None,
        }
    }
}

/// What came for the hours of one series, on their grid.
#[derive(Debug, Clone, Default)]
pub struct SentHours {
    /// Whether a reported hour, or minutes that make one, came.
    pub came: Vec<bool>,
    /// Whether a row of a finer level came.
    pub heard: Vec<bool>,
    /// Whether the hour lies in an approved stop of the facility.
    pub excused: Vec<bool>,
    /// Rows of a finer level that came in the hour.
    pub rows: Vec<u32>,
    /// Of them those that are valid.
    pub valid_rows: Vec<u32>,
}

impl SentHours {
    /// Clears the grid to `len` hours of which nothing came.
    pub fn reset(&mut self, len: usize) {
        for hours in [&mut self.came, &mut self.heard, &mut self.excused] {
            hours.clear();
            hours.resize(len, false);
        }
        for rows in [&mut self.rows, &mut self.valid_rows] {
            rows.clear();
            rows.resize(len, 0);
        }
    }
}

/// The transmission of one series on one day, or on the part of it between two cuts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TransmissionDay {
    /// The day.
    pub day: i64,
    /// The first hour due; where none was, the first due, stopped or received.
    pub first_hour: i64,
    /// Hours due.
    pub due_hours: u32,
    /// Of them those that came.
    pub received_hours: u32,
    /// Of them those that are valid.
    pub valid_hours: u32,
    /// Of them those with data within the intervals asked for.
    pub online_hours: u32,
    /// Hours of stopped production.
    pub stopped_hours: u32,
    /// Rows of the finer level that make up the hours due.
    pub expected_rows: u32,
    /// Of them those that came; more than make up an hour don't make up for others.
    pub received_rows: u32,
    /// Of them those that are valid.
    pub valid_rows: u32,
}

/// Whether the result of an hour was due for transmission.
pub fn is_due(state: HourState, excused: bool) -> bool {
    state.is_due() && !(state == HourState::FacilityStopped && excused)
}

/// The days of a series that have an hour of `counted` due, stopped or received, by day. A day is
/// cut in two at an hour of `cuts`, which are sorted.
///
/// `sent` is on the grid of `hours`. Of the hours before `counted` it only counts when the series
/// was last heard: an hour is online if that is fewer than `online_intervals` of its day ago, in
/// hours. With 2 intervals and data at 0:00 and 4:00, hours 0, 1 and 4 are online, 2 and 3 are not.
/// `rows_due` are the rows of the finer level that make up an hour.
pub fn transmission_days(
    hours: &Hours,
    sent: &SentHours,
    counted: &Range<i64>,
    cuts: &[i64],
    online_intervals: impl Fn(i64) -> f64,
    rows_due: impl Fn(i64) -> u32,
    days: &mut Vec<TransmissionDay>,
) {
    days.clear();
    let mut last_heard = None;
    let mut last_part = 0;
    let mut intervals = (i64::MIN, 0.0);
    let of_hour = sent.came.iter().zip(&sent.heard).zip(&sent.excused);
    for (position, (state, ((came, heard), excused))) in hours.state.iter().zip(of_hour).enumerate() {
        let hour = hours.first + position as i64;
        if *heard || *came {
            last_heard = Some(hour);
        }
        if *state == HourState::NotDue || !counted.contains(&hour) {
            continue;
        }
        let day = day_of_hour(hour);
        let part = cuts.partition_point(|cut| *cut <= hour);
        if part != last_part || days.last().is_none_or(|last| last.day != day) {
            last_part = part;
            days.push(TransmissionDay { day, first_hour: hour, ..TransmissionDay::default() });
        }
        let Some(of_day) = days.last_mut() else { return };
        of_day.stopped_hours += u32::from(*state == HourState::Stopped);
        if !is_due(*state, *excused) {
            continue;
        }
        if of_day.due_hours == 0 {
            of_day.first_hour = hour;
        }
        if intervals.0 != day {
            intervals = (day, online_intervals(day));
        }
        of_day.due_hours += 1;
        of_day.received_hours += u32::from(*came);
        of_day.valid_hours += u32::from(state.is_valid());
        of_day.online_hours += u32::from(last_heard.is_some_and(|last| ((hour - last) as f64) < intervals.1));
        let due = rows_due(hour);
        of_day.expected_rows += due;
        of_day.received_rows += sent.rows[position].min(due);
        of_day.valid_rows += sent.valid_rows[position].min(due);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours(first: i64, state: &[HourState]) -> Hours {
        Hours { first, state: state.to_vec(), value: vec![f64::NAN; state.len()], valid_minutes: Vec::new() }
    }

    fn sent(came: &[u8]) -> SentHours {
        let came: Vec<bool> = came.iter().map(|came| *came == 1).collect();
        let mut sent = SentHours::default();
        sent.reset(came.len());
        SentHours { came, ..sent }
    }

    fn counted(hours: &Hours, sent: &SentHours, range: Range<i64>) -> Vec<TransmissionDay> {
        let mut days = Vec::new();
        transmission_days(hours, sent, &range, &[], |_| 2.0, |_| 60, &mut days);
        days
    }

    /// Hours 22 and 23 of day 0 and 0 to 3 of day 1: valid, flagged | missing, stopped, missing,
    /// valid. Day 0: 2 due, 2 came, 1 valid, both online. Day 1: 3 due (0, 2 and 3), 1 came and is
    /// valid; 0:00 is online by 23:00, 2:00 by nothing since 23:00, 3:00 by itself: 2.
    #[test]
    fn days_count_what_was_due_came_and_is_valid() {
        use HourState::{Flagged, Missing, Stopped, Valid};
        let hours = hours(22, &[Valid, Flagged, Missing, Stopped, Missing, Valid]);
        let sent = sent(&[1, 1, 0, 0, 0, 1]);
        let first = TransmissionDay {
            day: 0,
            first_hour: 22,
            due_hours: 2,
            received_hours: 2,
            valid_hours: 1,
            online_hours: 2,
            stopped_hours: 0,
            expected_rows: 120,
            received_rows: 0,
            valid_rows: 0,
        };
        let second = TransmissionDay {
            day: 1,
            first_hour: 24,
            due_hours: 3,
            received_hours: 1,
            valid_hours: 1,
            online_hours: 2,
            stopped_hours: 1,
            expected_rows: 180,
            received_rows: 0,
            valid_rows: 0,
        };
        assert_eq!(counted(&hours, &sent, 0..48), [first, second]);
        // From 1:00 on two hours are due; what came at 23:00 is too old for 2:00.
        let from_one = TransmissionDay {
            first_hour: 26,
            due_hours: 2,
            received_hours: 1,
            online_hours: 1,
            expected_rows: 120,
            ..second
        };
        assert_eq!(counted(&hours, &sent, 25..48), [from_one]);
    }

    #[test]
    fn an_approved_stop_of_the_facility_is_not_due_and_another_one_is() {
        use HourState::{FacilityStopped, NoFlow, NotDue};
        let hours = hours(0, &[NotDue, FacilityStopped, FacilityStopped, NoFlow]);
        let mut sent = sent(&[0, 1, 1, 1]);
        sent.excused[1] = true;
        let days = counted(&hours, &sent, 0..24);
        assert_eq!((days[0].first_hour, days[0].due_hours, days[0].received_hours), (2, 1, 1));
        // With the other one excused, too, nothing is due: the day is told from its first hour on.
        sent.excused[2] = true;
        let days = counted(&hours, &sent, 0..24);
        assert_eq!((days[0].first_hour, days[0].due_hours, days[0].received_hours), (1, 0, 0));
    }

    #[test]
    fn a_row_that_makes_no_hour_puts_it_and_the_next_online() {
        let hours = hours(0, &[HourState::Missing; 4]);
        let mut sent = sent(&[0; 4]);
        sent.heard[1] = true;
        let days = counted(&hours, &sent, 0..24);
        assert_eq!((days[0].due_hours, days[0].received_hours, days[0].online_hours), (4, 0, 2));
    }

    /// 61 and 30 rows in two hours of 60: 60 and 30 count.
    #[test]
    fn rows_beyond_those_of_an_hour_make_up_for_no_other() {
        let hours = hours(0, &[HourState::Missing; 2]);
        let mut sent = sent(&[0; 2]);
        sent.rows = vec![61, 30];
        sent.valid_rows = vec![61, 10];
        let days = counted(&hours, &sent, 0..24);
        assert_eq!((days[0].expected_rows, days[0].received_rows, days[0].valid_rows), (120, 90, 70));
    }

    /// Cut at 2:00, which lies within the five hours, and at 30:00, which doesn't.
    #[test]
    fn a_day_is_cut_where_the_outlet_changed_hands() {
        let hours = hours(0, &[HourState::Valid; 5]);
        let mut days = Vec::new();
        let sent = sent(&[1; 5]);
        transmission_days(&hours, &sent, &(0..24), &[2, 30], |_| 2.0, |_| 0, &mut days);
        let told: Vec<_> = days.iter().map(|day| (day.day, day.first_hour, day.due_hours)).collect();
        assert_eq!(told, [(0, 0, 2), (0, 2, 3)]);
    }

    #[test]
    fn nothing_due_makes_no_day() {
        assert_eq!(counted(&hours(0, &[]), &sent(&[]), 0..24), []);
        assert_eq!(counted(&hours(0, &[HourState::NotDue; 3]), &sent(&[0; 3]), 0..24), []);
    }
}
