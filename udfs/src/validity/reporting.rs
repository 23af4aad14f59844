//! What is amiss with the reporting of a series: hours that didn't come, hours that came unfit.
//!
//! Annex 2-3 I.2: points with reporting problems `seed`. A gap is the run of hours due and not
//! received, which hours not due neither extend nor break `default`.

use std::ops::Range;

use super::hours::{HourState, Hours};
use super::transmission::is_due;

/// Hours of one kind of problem.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Problem {
    /// How many.
    pub hours: i64,
    /// The first of them; 0 where there is none.
    pub first: i64,
    /// The last of them; 0 where there is none.
    pub last: i64,
}

impl Problem {
    fn add(&mut self, hour: i64) {
        if self.hours == 0 {
            self.first = hour;
        }
        self.last = hour;
        self.hours += 1;
    }
}

/// The problems of one series.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Problems {
    /// Hours due that didn't come.
    pub missing: Problem,
    /// How many gaps they make.
    pub gaps: i64,
    /// Hours of the longest gap.
    pub longest_gap: i64,
    /// Hours due that came with a flag, without a value or with too few minutes.
    pub flagged: Problem,
}

/// The problems of a series in the hours `counted`. `came` and `excused` are on the grid of `hours`:
/// what was received, and what an approved stop of the facility takes out of what is due.
///
/// Of missing, stopped, missing, received, missing the first three are a gap of two hours, the last one of one.
pub fn problems(hours: &Hours, came: &[bool], excused: &[bool], counted: &Range<i64>) -> Problems {
    let mut problems = Problems::default();
    let mut gap = 0;
    let of_hour = hours.state.iter().zip(came.iter().zip(excused));
    for (hour, (state, (came, excused))) in (hours.first..).zip(of_hour) {
        if !counted.contains(&hour) || !is_due(*state, *excused) {
            continue;
        }
        if *came {
            gap = 0;
            if matches!(state, HourState::Flagged | HourState::NoValue | HourState::TooFewMinutes) {
                problems.flagged.add(hour);
            }
            continue;
        }
        problems.missing.add(hour);
        problems.gaps += i64::from(gap == 0);
        gap += 1;
        problems.longest_gap = problems.longest_gap.max(gap);
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;
    use HourState::{
        FacilityStopped, Flagged, Missing, NoFlow, NoValue, NotDue, Stopped, TooFewMinutes, Valid,
    };

    fn told(state: &[HourState], came: &[u8], counted: Range<i64>) -> Problems {
        let hours = Hours {
            first: 10,
            state: state.to_vec(),
            value: vec![f64::NAN; state.len()],
            valid_minutes: vec![],
        };
        let came: Vec<bool> = came.iter().map(|came| *came == 1).collect();
        problems(&hours, &came, &vec![false; state.len()], &counted)
    }

    #[test]
    fn a_gap_goes_on_over_hours_that_are_not_due() {
        // From 10 on: missing, stopped, no flow, missing | valid | missing.
        let state = [Missing, Stopped, NoFlow, Missing, Valid, Missing];
        let of = told(&state, &[0, 0, 1, 0, 1, 0], 0..100);
        assert_eq!(of.missing, Problem { hours: 3, first: 10, last: 15 });
        assert_eq!((of.gaps, of.longest_gap, of.flagged.hours), (2, 2, 0));
        // From 13 on: missing | valid | missing.
        let of = told(&state, &[0, 0, 1, 0, 1, 0], 13..100);
        assert_eq!(of.missing, Problem { hours: 2, first: 13, last: 15 });
        assert_eq!((of.gaps, of.longest_gap), (2, 1));
    }

    #[test]
    fn hours_that_came_unfit_are_no_gap() {
        let state = [NotDue, Flagged, NoValue, Missing, TooFewMinutes, Valid];
        let of = told(&state, &[0, 1, 1, 0, 1, 1], 0..100);
        assert_eq!(of.flagged, Problem { hours: 3, first: 11, last: 14 });
        assert_eq!(of.missing, Problem { hours: 1, first: 13, last: 13 });
    }

    #[test]
    fn an_approved_stop_of_the_facility_is_no_gap_and_another_is() {
        let hours = Hours { state: vec![FacilityStopped; 2], ..Hours::default() };
        let of = problems(&hours, &[false; 2], &[true, false], &(0..2));
        assert_eq!(of.missing, Problem { hours: 1, first: 1, last: 1 });
    }

    #[test]
    fn nothing_due_is_no_problem() {
        assert_eq!(told(&[], &[], 0..100), Problems::default());
        assert_eq!(told(&[NotDue, Stopped], &[0, 0], 0..100), Problems::default());
    }
}
