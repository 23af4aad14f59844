//! The mass of each hour and its sums.
//!
//! kg = C · m³ · 1e-6 for mg/m³ and µg/L, · 1e-3 for mg/L, with the measured
//! (not converted) concentration (HJ 212-2017 eq 32–34 `standard`). An hour is
//! measured only if concentration and flow are both valid; a valid negative
//! concentration counts 0. Sums run in time order: a day is the sum of its
//! hours, a month of its days, a quarter and a year of their months, so the same
//! data give the same bits at every grain.
//!
//! Worked example: 30 mg/m³ in 641 355 m³ is 19.24 kg.

use std::ops::Range;

use crate::time::{day_of_hour, first_month_of_quarter, month_of};
use crate::validity::Rulebook;
use crate::validity::hours::{HourState, Hours};

/// How long a period is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Grain {
    /// One hour.
    Hour,
    /// One day.
    Day,
    /// One calendar month.
    Month,
    /// One calendar quarter.
    Quarter,
    /// One calendar year.
    Year,
}

impl Grain {
    /// The grain with the name `hour`, `day`, `month`, `quarter` or `year`.
    pub fn parse(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "hour" => Some(Self::Hour),
            "day" => Some(Self::Day),
            "month" => Some(Self::Month),
            "quarter" => Some(Self::Quarter),
            "year" => Some(Self::Year),
            _ => None,
        }
    }
}

/// What became of an hour's mass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Concentration and flow both valid.
    Measured,
    /// Production stopped: mass 0.
    Stopped,
    /// Running, and no mass known.
    Unresolved,
}

impl Method {
    /// What the `method` column says.
    pub fn name(self) -> &'static str {
        match self {
            Self::Measured => "measured",
            Self::Stopped => "stopped",
            Self::Unresolved => "unresolved",
        }
    }
}

/// How an hour's mass is got from what became of its concentration and flow;
/// `None` where nothing was due.
pub fn method(concentration: HourState, flow: HourState) -> Option<Method> {
    match (concentration, flow) {
        (HourState::NotDue | HourState::NoFlow, _) => None,
        (HourState::Stopped, _) => Some(Method::Stopped),
        (concentration, flow) if concentration.is_valid() && flow.is_valid() => Some(Method::Measured),
        _ => Some(Method::Unresolved),
    }
}

/// The mass of a measured hour, kg.
pub fn mass_kg(concentration: f64, volume_m3: f64, kg_per_unit: f64) -> f64 {
    concentration.max(0.0) * volume_m3 * kg_per_unit
}

/// Sums over a period.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Sums {
    /// kg of measured hours.
    pub measured_kg: f64,
    /// m³ of measured hours.
    pub volume_m3: f64,
    /// Hours measured.
    pub measured_hours: u32,
    /// Running hours without a mass.
    pub missing_hours: u32,
    /// Hours of stopped production.
    pub stopped_hours: u32,
    /// Hours of water without flow: nothing was due.
    pub no_flow_hours: u32,
}

impl Sums {
    /// Running hours: measured and missing.
    pub fn operating_hours(&self) -> u32 {
        self.measured_hours + self.missing_hours
    }

    fn is_empty(&self) -> bool {
        self.operating_hours() + self.stopped_hours + self.no_flow_hours == 0
    }

    fn add(&mut self, other: &Self) {
        self.measured_kg += other.measured_kg;
        self.volume_m3 += other.volume_m3;
        self.measured_hours += other.measured_hours;
        self.missing_hours += other.missing_hours;
        self.stopped_hours += other.stopped_hours;
        self.no_flow_hours += other.no_flow_hours;
    }
}

/// The sums of one period.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PeriodSums {
    /// The period's first day, counted from 1970-01-01.
    pub first_day: i64,
    /// Its quarter, as the quarter's first month.
    pub quarter: i64,
    /// What it sums to.
    pub sums: Sums,
}

/// One series with the flow that carries it, on one grid.
#[derive(Debug, Clone, Copy)]
pub struct Carried<'a> {
    /// The concentration.
    pub concentration: &'a Hours,
    /// The flow.
    pub flow: &'a Hours,
    /// m³ of each hour; NaN where the flow is not valid.
    pub volume_m3: &'a [f64],
    /// kg in one unit of concentration × 1 m³.
    pub kg_per_unit: f64,
}

/// Sums of the hours in `range`, at a grain of a day or longer, in time order.
/// A period in which nothing was due, stopped or without flow is left out.
pub fn sum_periods(series: &Carried<'_>, range: &Range<i64>, grain: Grain, out: &mut Vec<PeriodSums>) {
    out.clear();
    let hours = series.concentration;
    let mut month: Option<(i64, PeriodSums)> = None;
    let positions = hours.clip(range);
    let mut start = positions.start;
    while start < positions.end {
        let day = day_of_hour(hours.first + start as i64);
        let next_midnight = (day + 1) * 24 - hours.first;
        let end = positions.end.min(next_midnight as usize);
        let sums = sum_hours(series, start..end);
        start = end;
        if sums.is_empty() {
            continue;
        }
        let month_of_day = month_of(day);
        let period = PeriodSums { first_day: day, quarter: first_month_of_quarter(month_of_day), sums };
        if grain == Grain::Day {
            out.push(period);
            continue;
        }
        match &mut month {
            Some((current, total)) if *current == month_of_day => total.sums.add(&sums),
            _ => {
                close_month(month.take(), grain, out);
                month = Some((month_of_day, period));
            }
        }
    }
    close_month(month, grain, out);
}

/// Sums of whole months at a grain of a month or longer, in time order: the same
/// bits as [`sum_periods`] of their hours gives.
pub fn sum_months(months: &[PeriodSums], grain: Grain, out: &mut Vec<PeriodSums>) {
    out.clear();
    for month in months {
        close_month(Some((month_of(month.first_day), *month)), grain, out);
    }
}

/// Adds a finished month to the period it belongs to.
fn close_month(month: Option<(i64, PeriodSums)>, grain: Grain, out: &mut Vec<PeriodSums>) {
    let Some((month, total)) = month else { return };
    let first_month = match grain {
        Grain::Year => month.div_euclid(12) * 12,
        Grain::Quarter => first_month_of_quarter(month),
        _ => month,
    };
    let first_day = crate::time::first_day_of_month(first_month);
    match out.last_mut() {
        Some(period) if period.first_day == first_day => period.sums.add(&total.sums),
        _ => out.push(PeriodSums { first_day, ..total }),
    }
}

/// Sums of the hours at `positions`, in time order.
fn sum_hours(series: &Carried<'_>, positions: Range<usize>) -> Sums {
    let mut sums = Sums::default();
    let states =
        series.concentration.state[positions.clone()].iter().zip(&series.flow.state[positions.clone()]);
    let values = series.concentration.value[positions.clone()].iter().zip(&series.volume_m3[positions]);
    let measured = |state: &HourState| *state == HourState::Valid;
    if states.clone().fold(true, |all, (c, f)| all & measured(c) & measured(f)) {
        // What most days are, summed without a question at each hour.
        for (&value, &volume) in values {
            sums.measured_kg += mass_kg(value, volume, series.kg_per_unit);
            sums.volume_m3 += volume;
            sums.measured_hours += 1;
        }
        return sums;
    }
    for ((&concentration, &flow), (&value, &volume)) in states.zip(values) {
        match method(concentration, flow) {
            Some(Method::Measured) => {
                sums.measured_kg += mass_kg(value, volume, series.kg_per_unit);
                sums.volume_m3 += volume;
                sums.measured_hours += 1;
            }
            Some(Method::Unresolved) => sums.missing_hours += 1,
            Some(Method::Stopped) => sums.stopped_hours += 1,
            None => sums.no_flow_hours += u32::from(concentration == HourState::NoFlow),
        }
    }
    sums
}

/// A quarter's capture: the share of its running hours that were measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Capture {
    /// The quarter, as its first month.
    pub quarter: i64,
    /// The share; `None` where the plant stood still throughout.
    pub rate: Option<f64>,
    /// Whether the quarter's data may be used for accounting (at least 75 %).
    pub usable: bool,
}

/// The captures of all quarters that months make up (HJ 75-2017 12.1.3).
pub fn captures(months: &[PeriodSums], rules: &Rulebook, out: &mut Vec<Capture>) {
    let mut quarters = Vec::new();
    sum_months(months, Grain::Quarter, &mut quarters);
    out.clear();
    out.extend(quarters.iter().map(|period| {
        let operating = period.sums.operating_hours();
        let rate = (operating > 0).then(|| f64::from(period.sums.measured_hours) / f64::from(operating));
        let usable = rate.is_none_or(|rate| rate >= rules.at(period.first_day).capture_share);
        Capture { quarter: period.quarter, rate, usable }
    }));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{HOUR_US, first_day_of_month};
    use crate::validity::hours::Rows;
    use plume_datasets::flags::NORMAL;

    fn series(first_hour: i64, values: &[f64]) -> Hours {
        let grid = first_hour..first_hour + values.len() as i64;
        let mut hours = Hours::default();
        hours.reset(&grid, &grid);
        let ts: Vec<i64> = grid.map(|hour| hour * HOUR_US).collect();
        hours.settle_reported(Rows { ts: &ts, value: values, flag: &vec![NORMAL; ts.len()] });
        hours
    }

    fn sums(concentration: &Hours, flow: &Hours, grain: Grain) -> Vec<PeriodSums> {
        let volume: Vec<f64> = flow.value.iter().map(|value| value * 3600.0).collect();
        let series = Carried { concentration, flow, volume_m3: &volume, kg_per_unit: 1e-6 };
        let mut out = Vec::new();
        sum_periods(&series, &(i64::MIN..i64::MAX), grain, &mut out);
        out
    }

    #[test]
    fn worked_example_of_the_annex() {
        let flow =
            crate::emission::dry_standard_flow::dry_standard_flow(20.0, 12.0, 50.0, -0.2, 101.325, 12.0);
        let sums = sums(&series(0, &[30.0]), &series(0, &[flow.unwrap()]), Grain::Day);
        assert!((sums[0].sums.measured_kg - 19.24).abs() < 0.005);
    }

    #[test]
    fn an_hour_needs_concentration_and_flow() {
        let concentration = series(0, &[10.0, f64::NAN, 10.0, -5.0]);
        let flow = series(0, &[1.0, 1.0, f64::NAN, 1.0]);
        let total = sums(&concentration, &flow, Grain::Day)[0].sums;
        assert_eq!((total.measured_hours, total.missing_hours), (2, 2));
        assert_eq!(total.measured_kg, 10.0 * 3600.0 * 1e-6); // the negative counts 0
    }

    #[test]
    fn stopped_hours_are_neither_measured_nor_missing() {
        let mut concentration = series(0, &[10.0; 4]);
        concentration.stop(&(1..3), HourState::Stopped, |_| false);
        let total = sums(&concentration, &series(0, &[1.0; 4]), Grain::Day)[0].sums;
        assert_eq!((total.measured_hours, total.stopped_hours, total.operating_hours()), (2, 2, 2));
    }

    #[test]
    fn months_sum_to_quarters_and_years_to_the_bit() {
        let hours = 365 * 24;
        let first = first_day_of_month(672) * 24; // 2026-01-01
        let values: Vec<f64> = (0..hours).map(|h| 1.0 + (h as f64 * 0.7).sin().abs()).collect();
        let (concentration, flow) = (series(first, &values), series(first, &values));
        let of = |grain| sums(&concentration, &flow, grain);
        let (months, quarters, years) = (of(Grain::Month), of(Grain::Quarter), of(Grain::Year));
        assert_eq!((months.len(), quarters.len(), years.len()), (12, 4, 1));
        for (grain, periods) in [(Grain::Month, &months), (Grain::Quarter, &quarters), (Grain::Year, &years)]
        {
            let mut of_months = Vec::new();
            sum_months(&months, grain, &mut of_months);
            assert_eq!(of_months, *periods);
        }
        let total = months.iter().fold(0.0, |sum, month| sum + month.sums.measured_kg);
        assert_eq!(total.to_bits(), years[0].sums.measured_kg.to_bits());
        let first_quarter = months[..3].iter().fold(0.0, |sum, month| sum + month.sums.measured_kg);
        assert_eq!(first_quarter.to_bits(), quarters[0].sums.measured_kg.to_bits());
    }

    #[test]
    fn capture_is_null_when_the_plant_stood_still_throughout() {
        let mut concentration = series(0, &[10.0; 4]);
        concentration.stop(&(0..4), HourState::Stopped, |_| false);
        let flow = series(0, &[1.0; 4]);
        let mut out = Vec::new();
        captures(&sums(&concentration, &flow, Grain::Month), &Rulebook::by_date().unwrap(), &mut out);
        assert_eq!((out[0].rate, out[0].usable), (None, true));
    }
}
