//! Days from settled hours.
//!
//! Air: the arithmetic mean of the valid hours, valid with 20 of them (Guide
//! 15(4), HJ 212-2017 eq 25). Water: Σ(C·Q)/ΣQ, valid with 75 % of the results
//! due (HJ 356-2019 7 `recall`, HJ 212-2017 eq 8–14).
//!
//! Worked example, water: COD 40 mg/L at 10 L/s and 60 mg/L at 30 L/s give
//! (400 + 1800) / 40 = 55 mg/L, not 50.

use plume_datasets::factors::{Medium, PH};

use super::hours::{HourState, Hours};
use super::rules::Rulebook;
use crate::time::{DAY_HOURS, day_of_hour};

/// How the hours of a day are averaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DayMean {
    /// Each hour alike: air, and the flow of water.
    Arithmetic,
    /// By the flow of the hour: water.
    FlowWeighted,
    /// Not averaged: pH, of which extremes are told.
    Extremes,
}

impl DayMean {
    /// How a factor is averaged.
    pub fn of(factor: &str, medium: Medium) -> Self {
        match medium {
            Medium::Water if factor == PH => Self::Extremes,
            Medium::Water if factor != medium.flow_factor() => Self::FlowWeighted,
            _ => Self::Arithmetic,
        }
    }
}

/// One day of a series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Day {
    /// The day, counted from 1970-01-01.
    pub day: i64,
    /// Mean of what is valid; NaN where nothing is, and for pH.
    pub partial_value: f64,
    /// Least valid value; NaN where none.
    pub value_min: f64,
    /// Greatest valid value; NaN where none.
    pub value_max: f64,
    /// Hours valid.
    pub valid_hours: u32,
    /// Results due.
    pub due_hours: u32,
    /// Hours asked for.
    pub required_hours: u32,
    /// Hours of stopped production.
    pub stopped_hours: u32,
    /// Hours due for which no row came.
    pub absent_hours: u32,
    /// Whether enough hours are valid.
    pub valid: bool,
}

impl Day {
    /// The day's mean if it is valid, else NaN.
    pub fn value(&self) -> f64 {
        if self.valid { self.partial_value } else { f64::NAN }
    }

    /// What the `reason` column says; `None` for a valid day.
    pub fn reason(&self) -> Option<&'static str> {
        match self {
            _ if self.valid => None,
            Self { due_hours: 0, stopped_hours: 1.., .. } => Some("stopped"),
            Self { due_hours: 0, .. } => Some("no_flow"),
            Self { valid_hours: 0, absent_hours, .. } if *absent_hours >= self.due_hours => Some("missing"),
            _ => Some("too_few_hours"),
        }
    }
}

/// What is told of the days of a series.
#[derive(Debug, Clone, Copy)]
pub struct DayRule {
    /// How hours are averaged.
    pub mean: DayMean,
    /// The medium, whose rules say how many hours a day needs.
    pub medium: Medium,
    /// Whether the least and greatest hour are told; always of [`DayMean::Extremes`].
    pub with_extremes: bool,
}

/// The days of a series, from its hours. `values` are averaged (an hour's value,
/// or its converted value; NaN unless the hour is valid); `volume_m3` of each hour weighs them. A day with nothing due, stopped
/// or without flow is left out.
pub fn days(
    hours: &Hours,
    values: &[f64],
    volume_m3: &[f64],
    rule: DayRule,
    rules: &Rulebook,
    out: &mut Vec<Day>,
) {
    out.clear();
    let mut position = 0;
    while position < hours.len() {
        let hour = hours.first + position as i64;
        let day = day_of_hour(hour);
        let end = (((day + 1) * DAY_HOURS - hours.first) as usize).min(hours.len());
        let of_day = position..end;
        position = end;
        let states = &hours.state[of_day.clone()];
        let weights = match rule.mean {
            DayMean::FlowWeighted => volume_m3.get(of_day.clone()),
            _ => None,
        };
        let values = &values[of_day];
        let first_hour = (hour - day * DAY_HOURS) as usize;
        let Some(mut summed) = sum_day(first_hour, states, values, weights) else { continue };
        if rule.with_extremes || rule.mean == DayMean::Extremes {
            (summed.value_min, summed.value_max) = extremes(values);
        }
        let rules = rules.at(day);
        let required_hours = rules.required_hours(rule.medium, summed.due_hours);
        let valid = summed.valid_hours > 0 && summed.valid_hours >= required_hours;
        let partial_value = if rule.mean == DayMean::Extremes { f64::NAN } else { summed.partial_value };
        out.push(Day { day, required_hours, valid, partial_value, ..summed });
    }
}

/// Counts and mean of one day's hours from `first_hour` on; `None` when nothing was due or stopped.
fn sum_day(first_hour: usize, states: &[HourState], values: &[f64], weights: Option<&[f64]>) -> Option<Day> {
    // A day has 24 hours at most: counts fit a byte, which is what a vector holds most of.
    let count = |wanted: HourState| {
        u32::from(states.iter().map(|state| u8::from(*state == wanted)).fold(0, u8::wrapping_add))
    };
    let hours = states.len() as u32;
    let valid_hours = count(HourState::Valid);
    let mut day = Day {
        day: 0,
        partial_value: f64::NAN,
        value_min: f64::NAN,
        value_max: f64::NAN,
        valid_hours,
        due_hours: hours,
        required_hours: 0,
        stopped_hours: 0,
        absent_hours: 0,
        valid: false,
    };
    let mean = || ValidSums::of(first_hour, values).mean();
    if valid_hours == hours {
        // What most days are. A converted value may lack although its hour is valid.
        let whole = whole_sum(first_hour, values) / f64::from(hours);
        let whole = if whole.is_nan() { mean() } else { whole };
        day.partial_value = weights.and_then(|weights| weighted_mean(values, weights)).unwrap_or(whole);
        return Some(day);
    }
    let not_due = count(HourState::NotDue);
    if not_due == hours {
        return None;
    }
    day.partial_value = weights.and_then(|weights| weighted_mean(values, weights)).unwrap_or_else(mean);
    day.valid_hours += count(HourState::StopContradicted);
    day.stopped_hours = count(HourState::Stopped);
    day.due_hours -= not_due + day.stopped_hours + count(HourState::NoFlow);
    day.absent_hours = count(HourState::Missing);
    Some(day)
}

/// The least and the greatest of the values that are there; NaN of none.
fn extremes(values: &[f64]) -> (f64, f64) {
    let there = values.iter().copied().filter(|value| !value.is_nan());
    let least = there.clone().reduce(f64::min).unwrap_or(f64::NAN);
    (least, there.reduce(f64::max).unwrap_or(f64::NAN))
}

/// Mean of the valid values by weight; `None` where no weight is known or all are 0.
fn weighted_mean(values: &[f64], weights: &[f64]) -> Option<f64> {
    let (mut weighted_sum, mut weight_sum) = (0.0, 0.0);
    for (value, weight) in values.iter().zip(weights) {
        if !value.is_nan() && !weight.is_nan() {
            weighted_sum += value * weight;
            weight_sum += weight;
        }
    }
    (weight_sum > 0.0).then(|| weighted_sum / weight_sum)
}

/// Sums of the values that are there, in four lanes by the hour of the day. Without
/// a branch and without one sum waiting for another, a day takes a few vector instructions.
/// Hours that aren't there change no bit, so a day is the same wherever its grid begins.
struct ValidSums {
    sum: [f64; LANES],
    count: [f64; LANES],
}

/// Lanes of a sum.
const LANES: usize = 4;

impl ValidSums {
    fn of(first_hour: usize, values: &[f64]) -> Self {
        let mut sums = Self { sum: [0.0; LANES], count: [0.0; LANES] };
        in_lanes(first_hour, values, f64::NAN, |chunk| sums.add(chunk));
        sums
    }

    fn add(&mut self, values: &[f64; LANES]) {
        for (lane, &value) in values.iter().enumerate() {
            let there = !value.is_nan();
            self.sum[lane] += if there { value } else { 0.0 };
            self.count[lane] += if there { 1.0 } else { 0.0 };
        }
    }

    /// The mean; NaN of nothing.
    fn mean(&self) -> f64 {
        across(&self.sum) / across(&self.count)
    }
}

/// The sum of values that are all there, to the same bits as [`ValidSums`] gives.
fn whole_sum(first_hour: usize, values: &[f64]) -> f64 {
    let mut sum = [0.0; LANES];
    in_lanes(first_hour, values, 0.0, |chunk| {
        sum.iter_mut().zip(chunk).for_each(|(sum, value)| *sum += value);
    });
    across(&sum)
}

/// The sum of lanes.
fn across(lanes: &[f64; LANES]) -> f64 {
    (lanes[0] + lanes[1]) + (lanes[2] + lanes[3])
}

/// Gives the values by fours, each in the lane of its hour of the day; `none` where there is no value.
fn in_lanes(first_hour: usize, values: &[f64], none: f64, mut give: impl FnMut(&[f64; LANES])) {
    let lane = first_hour % LANES;
    let (head, rest) = values.split_at(((LANES - lane) % LANES).min(values.len()));
    let (chunks, tail) = rest.as_chunks();
    if !head.is_empty() {
        give(&padded(lane, head, none));
    }
    chunks.iter().for_each(&mut give);
    if !tail.is_empty() {
        give(&padded(0, tail, none));
    }
}

/// Values in the lanes from `lane` on, `none` in the others.
fn padded(lane: usize, values: &[f64], none: f64) -> [f64; LANES] {
    let mut padded = [none; LANES];
    padded.iter_mut().skip(lane).zip(values).for_each(|(padded, value)| *padded = *value);
    padded
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::HOUR_US;
    use crate::validity::hours::Rows;
    use plume_datasets::flags::NORMAL;

    fn hours_of(values: &[f64]) -> Hours {
        let mut hours = Hours::default();
        let count = values.len() as i64;
        hours.reset(&(0..count), &(0..count));
        let ts: Vec<i64> = (0..count).map(|hour| hour * HOUR_US).collect();
        let present: Vec<usize> = (0..values.len()).filter(|&i| !values[i].is_nan()).collect();
        let pick = |i: &usize| (ts[*i], values[*i]);
        let (ts, value): (Vec<i64>, Vec<f64>) = present.iter().map(pick).unzip();
        hours.settle_reported(Rows { ts: &ts, value: &value, flag: &vec![NORMAL; ts.len()] });
        hours
    }

    fn one_day(hours: &Hours, flow: Option<&Hours>, factor: &str) -> Day {
        let medium = Medium::of(factor).unwrap();
        let mut out = Vec::new();
        let book = Rulebook::by_date().unwrap();
        let volume: Vec<f64> = flow.map_or_else(Vec::new, |flow| flow.value.clone());
        let rule = DayRule { mean: DayMean::of(factor, medium), medium, with_extremes: true };
        days(hours, &hours.value, &volume, rule, &book, &mut out);
        out[0]
    }

    fn first_hours(count: usize) -> Vec<f64> {
        (0..24).map(|hour| if hour < count { hour as f64 } else { f64::NAN }).collect()
    }

    #[test]
    fn air_needs_twenty_hours() {
        let day = one_day(&hours_of(&first_hours(20)), None, "a21026");
        assert!(day.valid);
        assert_eq!(day.value(), 9.5); // (0 + … + 19) / 20
        let day = one_day(&hours_of(&first_hours(19)), None, "a21026");
        assert!(!day.valid && day.value().is_nan());
        assert_eq!((day.partial_value, day.reason()), (9.0, Some("too_few_hours")));
    }

    #[test]
    fn a_day_is_the_same_to_the_bit_wherever_its_grid_begins_and_ends() {
        // Sevenths: any other order of adding shows in the last bit.
        let value = |hour: usize| 16.0 + (hour * hour) as f64 / 7.0;
        for (start, end) in (0..24).flat_map(|start| (start + 1..=24).map(move |end| (start, end))) {
            let of = |hour: usize| if (start..end).contains(&hour) { value(hour) } else { f64::NAN };
            let whole = one_day(&hours_of(&(0..24).map(of).collect::<Vec<_>>()), None, "a21026");
            let mut cut = hours_of(&(start..end).map(value).collect::<Vec<_>>());
            cut.first = start as i64;
            let cut = one_day(&cut, None, "a21026");
            assert_eq!(whole.partial_value.to_bits(), cut.partial_value.to_bits(), "{start}..{end}");
        }
    }

    #[test]
    fn water_is_weighted_by_flow_and_needs_three_quarters_of_the_results_due() {
        // 40 mg/L at 10 L/s in 12 hours, 60 mg/L at 30 L/s in 6: (4800 + 10800) / 300 = 52
        let cod: Vec<f64> = (0..24)
            .map(|h| {
                if h < 12 {
                    40.0
                } else if h < 18 {
                    60.0
                } else {
                    f64::NAN
                }
            })
            .collect();
        let flow: Vec<f64> = (0..24).map(|h| if h < 12 { 10.0 } else { 30.0 }).collect();
        let day = one_day(&hours_of(&cod), Some(&hours_of(&flow)), "w01018");
        assert_eq!((day.valid_hours, day.required_hours, day.valid), (18, 18, true));
        assert!((day.value() - 52.0).abs() < 1e-12);
    }

    #[test]
    fn hours_without_flow_are_not_due() {
        let flow: Vec<f64> = (0..24).map(|h| if h < 12 { 10.0 } else { 0.0 }).collect();
        let mut cod = hours_of(&first_hours(9));
        let flow = hours_of(&flow);
        cod.without_flow(&flow);
        let day = one_day(&cod, Some(&flow), "w01018");
        assert_eq!((day.due_hours, day.required_hours, day.valid), (12, 9, true));
    }

    #[test]
    fn ph_tells_extremes_and_no_mean() {
        let ph: Vec<f64> = (0..24).map(|h| 6.5 + f64::from(h) * 0.1).collect();
        let day = one_day(&hours_of(&ph), None, "w01001");
        assert!(day.valid && day.value().is_nan());
        assert_eq!((day.value_min, day.value_max), (6.5, 6.5 + 2.3));
    }

    #[test]
    fn the_flow_of_water_is_its_own_arithmetic_mean() {
        let flow = hours_of(&(0..24).map(f64::from).collect::<Vec<_>>());
        assert_eq!(one_day(&flow, Some(&flow), "w00000").value(), 11.5);
    }

    #[test]
    fn a_stopped_day_says_so() {
        let mut hours = hours_of(&first_hours(24));
        hours.stop(&(0..24), HourState::Stopped, |_| false);
        let day = one_day(&hours, None, "a21026");
        assert_eq!((day.stopped_hours, day.due_hours, day.reason()), (24, 0, Some("stopped")));
    }
}
