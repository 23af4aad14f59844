//! The mass of each hour and its sums.
//!
//! kg = C · m³ · 1e-6 for mg/m³ and µg/L, · 1e-3 for mg/L, with the measured
//! (not converted) concentration (HJ 212-2017 eq 32–34 `standard`). An hour is
//! measured only if concentration and flow are both valid; a valid negative
//! concentration counts 0. What stands in for other hours is told in
//! [`substitution`](super::substitution). Sums run in time order: a day is the sum of
//! its hours, a month of its days, a quarter and a year of their months, so the
//! same data give the same bits at every grain.
//!
//! Worked example: 30 mg/m³ in 641 355 m³ is 19.24 kg.

use std::ops::Range;

use super::rules::EmissionRules;
use crate::time::{DAY_HOURS, day_of_hour, first_day_of_month, first_month_of_quarter, month_of};
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

/// How an hour's mass was got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Method {
    /// Nothing was due.
    NotDue,
    /// Water without flow: nothing was due.
    NoFlow,
    /// Production stopped: mass 0.
    Stopped,
    /// Concentration and flow both valid.
    Measured,
    /// Running, and no mass known.
    Unresolved,
    /// The day's mean, of water.
    DayMean,
    /// The greatest of the short pool of measured hours.
    ShortPool,
    /// The greatest of the long pool.
    LongPool,
    /// The greatest of the pool of quarters with a low capture.
    LowCapturePool,
    /// A share of the greatest of valid daily masses, of water.
    DayPool,
    /// The means of the equally long period before the gap.
    LegacyMean,
    /// Manual samples.
    Manual,
}

impl Method {
    /// How an hour's mass is got from what became of its concentration and flow.
    pub fn of(concentration: HourState, flow: HourState) -> Self {
        match (concentration, flow) {
            (HourState::NotDue, _) => Self::NotDue,
            (HourState::NoFlow, _) => Self::NoFlow,
            (HourState::Stopped, _) => Self::Stopped,
            (concentration, flow) if concentration.is_valid() && flow.is_valid() => Self::Measured,
            _ => Self::Unresolved,
        }
    }

    /// Whether the source ran: the hour is measured, substituted or missing.
    pub fn is_running(self) -> bool {
        !matches!(self, Self::NotDue | Self::NoFlow | Self::Stopped)
    }

    /// Whether something stands in for what was not measured.
    pub fn is_substituted(self) -> bool {
        self.is_running() && !matches!(self, Self::Measured | Self::Unresolved)
    }

    /// What the `method` column says; `None` where nothing was due.
    pub fn name(self, rules: &EmissionRules) -> Option<String> {
        let name = match self {
            Self::NotDue | Self::NoFlow => return None,
            Self::Stopped => "stopped",
            Self::Measured => "measured",
            Self::Unresolved => "unresolved",
            Self::DayMean => "day_mean",
            Self::LegacyMean => "legacy_mean",
            Self::Manual => "manual",
            Self::ShortPool => return Some(format!("max_{}h", rules.pool_short_hours)),
            Self::LongPool => return Some(format!("max_{}h", rules.pool_long_hours)),
            Self::LowCapturePool => return Some(format!("max_{}h", rules.pool_low_capture_hours)),
            Self::DayPool => return Some(format!("max_{}d", rules.water_pool_days)),
        };
        Some(name.to_owned())
    }

    /// The rule that an hour with this method rests on, as its key in table `rules`.
    pub fn rule(self) -> Option<&'static str> {
        match self {
            Self::ShortPool => Some("pool_short_hours"),
            Self::LongPool => Some("pool_long_hours"),
            Self::LowCapturePool => Some("pool_low_capture_hours"),
            Self::DayPool => Some("water_pool_days"),
            Self::DayMean => Some("water_day_share"),
            Self::LegacyMean => Some("water_substitution"),
            Self::Manual => Some("water_manual_samples"),
            _ => None,
        }
    }
}

/// The mass of a measured hour, kg.
pub fn mass_kg(concentration: f64, volume_m3: f64, kg_per_unit: f64) -> f64 {
    concentration.max(0.0) * volume_m3 * kg_per_unit
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

/// The mass of every hour of one series on a dense grid.
#[derive(Debug, Clone, Default)]
pub struct HourMasses {
    /// The first hour of the grid.
    pub first: i64,
    /// How each was got.
    pub method: Vec<Method>,
    /// kg; 0 where none is known.
    pub kg: Vec<f64>,
}

impl HourMasses {
    /// Hours on the grid.
    pub fn len(&self) -> usize {
        self.method.len()
    }

    /// Whether the grid has no hour.
    pub fn is_empty(&self) -> bool {
        self.method.is_empty()
    }

    /// Measures every hour whose concentration and flow are valid.
    pub fn measure(&mut self, series: &Carried<'_>) {
        let states = series.concentration.state.iter().zip(&series.flow.state);
        let values = series.concentration.value.iter().zip(series.volume_m3);
        self.first = series.concentration.first;
        self.method.clear();
        self.method.extend(states.map(|(concentration, flow)| Method::of(*concentration, *flow)));
        self.kg.clear();
        // A mass of what isn't valid is NaN, which max(0) would hide.
        self.kg.extend(values.zip(&self.method).map(|((value, volume), method)| {
            if *method == Method::Measured { mass_kg(*value, *volume, series.kg_per_unit) } else { 0.0 }
        }));
    }

    /// The part of an hour range that lies on the grid, as positions.
    pub fn clip(&self, hours: &Range<i64>) -> Range<usize> {
        let position =
            |hour: i64| usize::try_from(hour.saturating_sub(self.first)).unwrap_or_default().min(self.len());
        let (start, end) = (position(hours.start), position(hours.end));
        start..end.max(start)
    }

    /// The hour at a position.
    pub fn hour(&self, position: usize) -> i64 {
        self.first + position as i64
    }
}

/// Sums over a period.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Sums {
    /// kg of measured and substituted hours.
    pub mass_kg: f64,
    /// kg of measured hours.
    pub measured_kg: f64,
    /// kg of substituted hours.
    pub substituted_kg: f64,
    /// m³ of running hours with a valid flow.
    pub volume_m3: f64,
    /// Hours measured.
    pub measured_hours: u32,
    /// Hours substituted.
    pub substituted_hours: u32,
    /// Running hours without a mass.
    pub missing_hours: u32,
    /// Hours of stopped production.
    pub stopped_hours: u32,
    /// Hours of water without flow: nothing was due.
    pub no_flow_hours: u32,
}

impl Sums {
    /// Running hours: measured, substituted and missing.
    pub fn operating_hours(&self) -> u32 {
        self.measured_hours + self.substituted_hours + self.missing_hours
    }

    fn is_empty(&self) -> bool {
        self.operating_hours() + self.stopped_hours + self.no_flow_hours == 0
    }

    fn add(&mut self, other: &Self) {
        self.mass_kg += other.mass_kg;
        self.measured_kg += other.measured_kg;
        self.substituted_kg += other.substituted_kg;
        self.volume_m3 += other.volume_m3;
        self.measured_hours += other.measured_hours;
        self.substituted_hours += other.substituted_hours;
        self.missing_hours += other.missing_hours;
        self.stopped_hours += other.stopped_hours;
        self.no_flow_hours += other.no_flow_hours;
    }

    /// Adds one hour.
    fn add_hour(&mut self, method: Method, kg: f64, volume_m3: f64) {
        match method {
            Method::NotDue => return,
            Method::NoFlow => self.no_flow_hours += 1,
            Method::Stopped => self.stopped_hours += 1,
            Method::Unresolved => self.missing_hours += 1,
            Method::Measured => {
                self.measured_hours += 1;
                self.measured_kg += kg;
                self.mass_kg += kg;
            }
            _ => {
                self.substituted_hours += 1;
                self.substituted_kg += kg;
                self.mass_kg += kg;
            }
        }
        if method.is_running() && !volume_m3.is_nan() {
            self.volume_m3 += volume_m3;
        }
    }

    /// The sums of one hour.
    pub fn of_hour(method: Method, kg: f64, volume_m3: f64) -> Self {
        let mut sums = Self::default();
        sums.add_hour(method, kg, volume_m3);
        sums
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

/// Sums of the hours in `range`, at a grain of a day or longer, in time order.
/// `volume_m3` of each hour is NaN where the flow is not valid. A period in which
/// nothing was due, stopped or without flow is left out.
pub fn sum_periods(
    masses: &HourMasses,
    volume_m3: &[f64],
    range: &Range<i64>,
    grain: Grain,
    out: &mut Vec<PeriodSums>,
) {
    out.clear();
    let mut month: Option<(i64, PeriodSums)> = None;
    let positions = masses.clip(range);
    let mut start = positions.start;
    // The month of the days before `next_month`: the calendar is asked once a month.
    let (mut month_of_day, mut next_month) = (0, i64::MIN);
    while start < positions.end {
        let day = day_of_hour(masses.hour(start));
        if day >= next_month {
            month_of_day = month_of(day);
            next_month = first_day_of_month(month_of_day + 1);
        }
        let next_midnight = (day + 1) * DAY_HOURS - masses.first;
        let end = positions.end.min(usize::try_from(next_midnight).unwrap_or(positions.end));
        let sums = sum_hours(masses, volume_m3, start..end);
        start = end;
        if sums.is_empty() {
            continue;
        }
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

/// Adds a finished month to the period it belongs to.
fn close_month(month: Option<(i64, PeriodSums)>, grain: Grain, out: &mut Vec<PeriodSums>) {
    let Some((month, total)) = month else { return };
    let first_month = match grain {
        Grain::Year => month.div_euclid(12) * 12,
        Grain::Quarter => first_month_of_quarter(month),
        _ => month,
    };
    let first_day = first_day_of_month(first_month);
    match out.last_mut() {
        Some(period) if period.first_day == first_day => period.sums.add(&total.sums),
        _ => out.push(PeriodSums { first_day, ..total }),
    }
}

/// Sums of the hours at `positions`, in time order.
fn sum_hours(masses: &HourMasses, volume_m3: &[f64], positions: Range<usize>) -> Sums {
    let methods = &masses.method[positions.clone()];
    let hours = masses.kg[positions.clone()].iter().zip(&volume_m3[positions]);
    let mut sums = Sums::default();
    if methods.iter().fold(true, |all, method| all & (*method == Method::Measured)) {
        // What most days are, summed without a question at each hour.
        for (&kg, &volume) in hours {
            sums.measured_kg += kg;
            sums.volume_m3 += volume;
        }
        sums.mass_kg = sums.measured_kg;
        sums.measured_hours = methods.len() as u32;
        return sums;
    }
    for (&method, (&kg, &volume)) in methods.iter().zip(hours) {
        sums.add_hour(method, kg, volume);
    }
    sums
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
        let mut masses = HourMasses::default();
        masses.measure(&Carried { concentration, flow, volume_m3: &volume, kg_per_unit: 1e-6 });
        let mut out = Vec::new();
        sum_periods(&masses, &volume, &(i64::MIN..i64::MAX), grain, &mut out);
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
        let total = months.iter().fold(0.0, |sum, month| sum + month.sums.measured_kg);
        assert_eq!(total.to_bits(), years[0].sums.measured_kg.to_bits());
        let first_quarter = months[..3].iter().fold(0.0, |sum, month| sum + month.sums.measured_kg);
        assert_eq!(first_quarter.to_bits(), quarters[0].sums.measured_kg.to_bits());
    }
}
