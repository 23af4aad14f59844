//! Settles each hour of one series: valid or not, with what value and why.
//!
//! | minutes received | reported hour | the hour is |
//! |---|---|---|
//! | cover 45 min, valid ones too | – | valid, mean of the valid minutes |
//! | cover 45 min, valid ones don't | – | invalid, `too_few_minutes` |
//! | cover less | flag `N`, value there | valid, as reported |
//! | cover less | other flag | invalid, `flag` |
//! | cover less | none | invalid, `missing` where due |
//!
//! Clauses: Guide 15(4) (45 minutes) `seed`; CONTRACT §4 for stops and flow.

use std::ops::Range;

use plume_datasets::factors::Medium;
use plume_datasets::flags::NORMAL;

use crate::time::{HOUR_US, hour_of};

/// What became of an hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum HourState {
    /// Nothing was due and nothing came.
    NotDue,
    /// Valid.
    Valid,
    /// Valid although a stop was reported: flow and oxygen contradict it.
    StopContradicted,
    /// Due, and nothing came.
    Missing,
    /// The flag is not `N`.
    Flagged,
    /// A row without a value.
    NoValue,
    /// Minutes decide, and too few of them are valid.
    TooFewMinutes,
    /// Production stopped.
    Stopped,
    /// The monitoring facility was stopped.
    FacilityStopped,
    /// Water without flow: not due.
    NoFlow,
    /// The monitor was out of control: a check had failed.
    OutOfControl,
    /// The monitor's calibration was overdue.
    Overdue,
    /// Sent in another state than dry standard, and what it takes to convert it isn't valid.
    NoGasState,
    /// Analyser, logger and platform differ.
    StreamMismatch,
}

impl HourState {
    /// Whether the hour's value counts.
    pub fn is_valid(self) -> bool {
        matches!(self, Self::Valid | Self::StopContradicted)
    }

    /// Whether a result was due: the plant ran and, for water, discharged.
    pub fn is_due(self) -> bool {
        !matches!(self, Self::NotDue | Self::Stopped | Self::NoFlow)
    }

    /// What the `reason` column says; `None` for a plainly valid hour.
    pub fn reason(self) -> Option<&'static str> {
        match self {
            Self::NotDue | Self::Valid => None,
            Self::StopContradicted => Some("stop contradicted"),
            Self::Missing => Some("missing"),
            Self::Flagged => Some("flag"),
            Self::NoValue => Some("no_value"),
            Self::TooFewMinutes => Some("too_few_minutes"),
            Self::Stopped => Some("stopped"),
            Self::FacilityStopped => Some("facility_stopped"),
            Self::NoFlow => Some("no_flow"),
            Self::OutOfControl => Some("out_of_control"),
            Self::Overdue => Some("overdue"),
            Self::NoGasState => Some("no_gas_state"),
            Self::StreamMismatch => Some("stream mismatch"),
        }
    }
}

/// Rows of one series in time order. Slices are of one length; `value` is NaN
/// where NULL, `flag` 0 where NULL.
#[derive(Debug, Clone, Copy, Default)]
pub struct Rows<'a> {
    /// Start of the interval, µs.
    pub ts: &'a [i64],
    /// Value, NaN where NULL.
    pub value: &'a [f64],
    /// Flag letter, 0 where NULL.
    pub flag: &'a [u8],
}

/// What minute rows count for in an hour.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MinuteCoverage {
    /// Seconds that one row covers.
    pub interval_s: f64,
    /// Minutes that rows must cover to decide, and valid rows for the hour to be valid.
    pub minutes_needed: f64,
}

/// The hours of one series on a dense grid.
#[derive(Debug, Clone, Default)]
pub struct Hours {
    /// The first hour of the grid.
    pub first: i64,
    /// What became of each hour.
    pub state: Vec<HourState>,
    /// Its valid value; NaN unless valid.
    pub value: Vec<f64>,
    /// Valid minutes where minutes decided, else NaN.
    pub valid_minutes: Vec<f64>,
}

impl Hours {
    /// Hours on the grid.
    pub fn len(&self) -> usize {
        self.state.len()
    }

    /// Whether the grid has no hour.
    pub fn is_empty(&self) -> bool {
        self.state.is_empty()
    }

    /// Clears the grid to `grid` hours, missing where `due` and not due elsewhere.
    pub fn reset(&mut self, grid: &Range<i64>, due: &Range<i64>) {
        let len = usize::try_from(grid.end - grid.start).unwrap_or_default();
        self.first = grid.start;
        self.state.clear();
        self.state.resize(len, HourState::NotDue);
        self.value.clear();
        self.value.resize(len, f64::NAN);
        self.valid_minutes.clear();
        let due = self.clip(due);
        self.state[due].fill(HourState::Missing);
    }

    /// Takes hours out of what is due, before any row is settled.
    pub fn leave_out(&mut self, hours: &Range<i64>) {
        let hours = self.clip(hours);
        self.state[hours].fill(HourState::NotDue);
    }

    /// The part of an hour range that lies on the grid, as positions.
    pub fn clip(&self, hours: &Range<i64>) -> Range<usize> {
        let position =
            |hour: i64| usize::try_from(hour.saturating_sub(self.first)).unwrap_or_default().min(self.len());
        let (start, end) = (position(hours.start), position(hours.end));
        start..end.max(start)
    }

    /// Settles the hours that have a reported row. Of two rows in one hour the
    /// later decides. Rows outside the grid are left out.
    pub fn settle_reported(&mut self, rows: Rows<'_>) {
        let mut start = 0;
        while let Some(&first_ts) = rows.ts.get(start) {
            let len = hourly_run(&rows.ts[start..]);
            let run = start..start + len;
            start += len;
            let first_hour = hour_of(first_ts);
            let positions = self.clip(&(first_hour..first_hour + len as i64));
            let skipped = usize::try_from(self.first - first_hour).unwrap_or_default().min(len);
            let run = run.start + skipped..run.start + skipped + positions.len();
            self.settle_run(positions, &rows.value[run.clone()], &rows.flag[run]);
        }
    }

    /// Settles consecutive hours that each have a row.
    fn settle_run(&mut self, positions: Range<usize>, values: &[f64], flags: &[u8]) {
        let states = self.state[positions.clone()].chunks_mut(BLOCK);
        let own = self.value[positions].chunks_mut(BLOCK);
        let rows = values.chunks(BLOCK).zip(flags.chunks(BLOCK));
        for ((states, own), (values, flags)) in states.zip(own).zip(rows) {
            let all_normal = flags.iter().fold(0, |odd, flag| odd | (flag ^ NORMAL)) == 0;
            if all_normal && !values.iter().fold(false, |missing, value| missing | value.is_nan()) {
                states.fill(HourState::Valid);
                own.copy_from_slice(values);
            } else {
                settle_rows(states, own, values, flags);
            }
        }
    }

    /// Settles the hours whose minute rows cover the minutes they need. `coverage`
    /// tells of an hour what a row covers and what is needed: either may change from one hour to the next.
    pub fn settle_minutes(&mut self, rows: Rows<'_>, coverage: impl Fn(i64) -> MinuteCoverage) {
        let mut start = 0;
        while let Some(&first_ts) = rows.ts.get(start) {
            let hour = hour_of(first_ts);
            let len = rows.ts[start..].partition_point(|&ts| ts < (hour + 1) * HOUR_US);
            let rows_of_hour = start..start + len;
            start += len;
            let Ok(position) = usize::try_from(hour - self.first) else { continue };
            let MinuteCoverage { interval_s, minutes_needed } = coverage(hour);
            let minutes_per_row = interval_s / 60.0;
            if position >= self.len() || len as f64 * minutes_per_row < minutes_needed {
                continue;
            }
            let (mut sum, mut count) = (0.0, 0_u32);
            for (&value, &flag) in rows.value[rows_of_hour.clone()].iter().zip(&rows.flag[rows_of_hour]) {
                if flag == NORMAL && !value.is_nan() {
                    sum += value;
                    count += 1;
                }
            }
            let valid_minutes = f64::from(count) * minutes_per_row;
            let valid = valid_minutes >= minutes_needed;
            self.valid_minutes.resize(self.state.len(), f64::NAN);
            self.valid_minutes[position] = valid_minutes;
            self.state[position] = if valid { HourState::Valid } else { HourState::TooFewMinutes };
            self.value[position] = if valid { sum / f64::from(count) } else { f64::NAN };
        }
    }

    /// Marks the hours of a stop. `keep` tells the hours (by position) whose own
    /// rows contradict a production stop.
    pub fn stop(&mut self, hours: &Range<i64>, stopped: HourState, keep: impl Fn(usize) -> bool) {
        for position in self.clip(hours) {
            let state = self.state[position];
            if state == HourState::NotDue {
                continue;
            }
            if keep(position) {
                if state.is_valid() {
                    self.state[position] = HourState::StopContradicted;
                }
                continue;
            }
            self.state[position] = stopped;
            self.value[position] = f64::NAN;
        }
    }

    /// Scales a valid hour's value; by NaN it is no longer valid.
    pub fn scale(&mut self, position: usize, factor: f64) {
        let Some(state) = self.state.get_mut(position).filter(|state| state.is_valid()) else { return };
        self.value[position] *= factor;
        if factor.is_nan() {
            *state = HourState::NoGasState;
        }
    }

    /// The value of an hour; `None` unless it is valid.
    pub fn valid_value(&self, hour: i64) -> Option<f64> {
        let position = usize::try_from(hour - self.first).ok()?;
        self.value.get(position).copied().filter(|value| !value.is_nan())
    }

    /// Replaces an hour's valid value.
    pub fn replace(&mut self, position: usize, count: impl FnOnce(f64) -> f64) {
        if let Some(value) = self.value.get_mut(position).filter(|value| !value.is_nan()) {
            *value = count(*value);
        }
    }

    /// Takes an hour's validity for a reason.
    pub fn invalidate(&mut self, hour: i64, reason: HourState) {
        let Ok(position) = usize::try_from(hour - self.first) else { return };
        if let Some(state) = self.state.get_mut(position).filter(|state| state.is_valid()) {
            *state = reason;
            self.value[position] = f64::NAN;
        }
    }

    /// Marks the hours of water in which the flow was 0.
    pub fn without_flow(&mut self, flow: &Self) {
        for (position, (state, flow_value)) in flow.state.iter().zip(&flow.value).enumerate() {
            let Some(own) = self.state.get_mut(position) else { break };
            let no_flow = state.is_valid() && *flow_value == 0.0;
            if no_flow && !matches!(own, HourState::NotDue | HourState::Stopped) {
                *own = HourState::NoFlow;
                self.value[position] = f64::NAN;
            }
        }
    }
}

/// Hours looked at without a branch between, so that they are a few vector instructions.
const BLOCK: usize = 32;

/// Settles hours by one row each.
fn settle_rows(states: &mut [HourState], own: &mut [f64], values: &[f64], flags: &[u8]) {
    for ((state, own), (&value, &flag)) in states.iter_mut().zip(own).zip(values.iter().zip(flags)) {
        let valid = flag == NORMAL && !value.is_nan();
        let invalid = if flag == NORMAL { HourState::NoValue } else { HourState::Flagged };
        *state = if valid { HourState::Valid } else { invalid };
        *own = if valid { value } else { f64::NAN };
    }
}

/// How many of the first rows follow one another by exactly an hour: mostly all.
fn hourly_run(ts: &[i64]) -> usize {
    let Some(&first) = ts.first() else { return 0 };
    let off = |(hour, ts): (i64, &i64)| *ts ^ first.wrapping_add(hour * HOUR_US);
    let mut len = 0;
    for block in ts.chunks_exact(BLOCK) {
        if (len as i64..).zip(block).fold(0, |any, row| any | off(row)) != 0 {
            break;
        }
        len += BLOCK;
    }
    len + (len as i64..).zip(&ts[len..]).take_while(|row| off(*row) == 0).count()
}

/// Whether the outlet's own rows of an hour contradict a reported stop: it shows
/// flow and, for gas, oxygen below `o2_limit`.
pub fn contradicts_stop(medium: Medium, flow: f64, oxygen: f64, o2_limit: f64) -> bool {
    flow > 0.0 && (medium == Medium::Water || oxygen < o2_limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    const N: u8 = NORMAL;

    fn hours(count: i64) -> Hours {
        let mut hours = Hours::default();
        hours.reset(&(0..count), &(0..count));
        hours
    }

    /// Rows of so many seconds, 45 minutes needed.
    fn every(interval_s: f64) -> impl Fn(i64) -> MinuteCoverage {
        move |_| MinuteCoverage { interval_s, minutes_needed: 45.0 }
    }

    fn minutes(count: i64, flags: &[u8]) -> (Vec<i64>, Vec<f64>, Vec<u8>) {
        let ts = (0..count).map(|minute| minute * 60_000_000).collect();
        let flag = (0..count as usize).map(|i| flags[i % flags.len()]).collect();
        (ts, vec![2.0; count as usize], flag)
    }

    #[test]
    fn forty_five_valid_minutes_make_an_hour_and_forty_four_do_not() {
        for (count, expected) in [(45, HourState::Valid), (44, HourState::Missing)] {
            let (ts, value, flag) = minutes(count, &[N]);
            let mut hours = hours(1);
            hours.settle_minutes(Rows { ts: &ts, value: &value, flag: &flag }, every(60.0));
            assert_eq!(hours.state, [expected]);
        }
    }

    #[test]
    fn minutes_decide_over_the_reported_hour_where_they_cover_it() {
        let (ts, value, flag) = minutes(60, &[N, b'D']);
        let mut hours = hours(1);
        hours.settle_reported(Rows { ts: &[0], value: &[9.0], flag: &[N] });
        hours.settle_minutes(Rows { ts: &ts, value: &value, flag: &flag }, every(60.0));
        assert_eq!(hours.state, [HourState::TooFewMinutes]);
        assert!(hours.value[0].is_nan());
        assert_eq!(hours.valid_minutes, [30.0]);
    }

    #[test]
    fn ten_minute_rows_of_water_cover_an_hour_with_five() {
        let ts: Vec<i64> = (0..5).map(|i| i * 600_000_000).collect();
        let mut hours = hours(1);
        let rows = Rows { ts: &ts, value: &[1.0, 2.0, 3.0, 4.0, 5.0], flag: &[N; 5] };
        hours.settle_minutes(rows, every(600.0));
        assert_eq!(hours.value, [3.0]);
    }

    #[test]
    fn an_interval_that_changes_between_hours_counts_from_then_on() {
        let minute = |hour: i64, minute: i64| hour * HOUR_US + minute * 60_000_000;
        let first = (0..60).map(|i| minute(0, i));
        let ts: Vec<i64> = first.chain((0..6).map(|i| minute(1, 10 * i))).collect();
        let mut hours = hours(2);
        let rows = Rows { ts: &ts, value: &[2.0; 66], flag: &[N; 66] };
        let coverage = |hour| every(if hour < 1 { 60.0 } else { 600.0 })(hour);
        hours.settle_minutes(rows, coverage);
        assert_eq!(hours.state, [HourState::Valid; 2]);
        assert_eq!(hours.valid_minutes, [60.0, 60.0]);
    }

    #[test]
    fn only_flag_n_with_a_value_is_valid() {
        let mut hours = hours(4);
        hours.settle_reported(Rows {
            ts: &[0, HOUR_US, 2 * HOUR_US],
            value: &[1.0, 2.0, f64::NAN],
            flag: &[N, b'T', N],
        });
        use HourState::{Flagged, Missing, NoValue, Valid};
        assert_eq!(hours.state, [Valid, Flagged, NoValue, Missing]);
    }

    #[test]
    fn a_stop_takes_hours_out_unless_flow_and_oxygen_contradict_it() {
        let mut hours = hours(3);
        hours.settle_reported(Rows { ts: &[0, HOUR_US], value: &[1.0, 2.0], flag: &[N, N] });
        hours.stop(&(0..3), HourState::Stopped, |position| position == 1);
        use HourState::{StopContradicted, Stopped};
        assert_eq!(hours.state, [Stopped, StopContradicted, Stopped]);
        assert!(contradicts_stop(Medium::Air, 5.0, 17.9, 18.0));
        assert!(!contradicts_stop(Medium::Air, 5.0, 18.0, 18.0));
        assert!(!contradicts_stop(Medium::Air, 5.0, f64::NAN, 18.0));
        assert!(!contradicts_stop(Medium::Water, f64::NAN, f64::NAN, 18.0));
    }

    #[test]
    fn water_without_flow_is_not_due() {
        let (mut cod, mut flow) = (hours(3), hours(3));
        cod.settle_reported(Rows { ts: &[0, HOUR_US], value: &[50.0, 50.0], flag: &[N, N] });
        flow.settle_reported(Rows {
            ts: &[0, HOUR_US, 2 * HOUR_US],
            value: &[0.0, 3.0, 0.0],
            flag: &[N, N, N],
        });
        cod.without_flow(&flow);
        assert_eq!(cod.state, [HourState::NoFlow, HourState::Valid, HourState::NoFlow]);
    }

    #[test]
    fn rows_outside_the_grid_are_left_out() {
        let mut hours = hours(1);
        hours.settle_reported(Rows { ts: &[-HOUR_US, HOUR_US], value: &[1.0, 2.0], flag: &[N, N] });
        assert_eq!(hours.state, [HourState::Missing]);
    }
}
