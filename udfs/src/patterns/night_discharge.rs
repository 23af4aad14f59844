//! P20 `night_discharge` (夜间偷排): water is let out at night.
//!
//! Mechanism: what was held back by day, or never treated, leaves between 22 and 6 o'clock, thinned
//! with clean water, so that the concentration shown falls while the flow rises.
//!
//! Formula: for each night n = ln(median flow from 22 to 6 ÷ median flow of the 16 hours before),
//! stretches of nights where n stands above its own level. Statistic: exp(shift), how many times
//! more than its own nights the flow is.
//!
//! Excused: a night shift, in which the load of the night rises, too, by half of the shift, or the
//! concentration of the night doesn't fall by at least `thinner`.
//!
//! Example: nights at 0.5 of the day, then at 1.25 of it: 2.5 times. With `suspect` 1.3 and
//! `certain` 2.5 its score is 1.

use super::departure::{Departure, departures, log_of_positive, shift_in};
use super::hit::{Evidence, Hit};
use super::outlet::{Grid, Outlet};
use super::robust::median;
use super::score::score;
use super::thresholds::Thresholds;
use crate::time::DAY_HOURS;

/// The hour at which a night begins, and how many it has.
const NIGHT: (i64, usize) = (22, 8);

/// Looks for the pattern in an outlet.
pub fn detect(outlet: &Outlet, thresholds: &Thresholds<'_>) -> Vec<Hit> {
    let Some(series) = outlet.factor("w00000") else { return Vec::new() };
    let hours = series.hours();
    let threshold = |key| thresholds.of("w00000", hours.grid.grain(), key);
    let nights = night_discharge(&hours.grid, &hours.usable_values());
    let found = departures(&nights, threshold("least"), threshold("nights"));
    if found.is_empty() {
        return Vec::new();
    }
    let load = night_discharge(&outlet.hours, outlet.load());
    let is_water =
        |series: &&super::outlet::FactorSeries| series.medium == plume_datasets::factors::Medium::Water;
    let of_pollutant = |series: &super::outlet::FactorSeries| {
        night_discharge(&series.hours().grid, &series.hours().usable_values())
    };
    let pollutants: Vec<Vec<f64>> = outlet.pollutants().filter(is_water).map(of_pollutant).collect();
    let first = first_night(&hours.grid);
    let hit = |stretch: &Departure| {
        let rises =
            pollutants.iter().map(|of| shift_in(of, &stretch.points)).filter(|shift| shift.is_finite());
        let thinner = -median(&mut rises.collect::<Vec<f64>>());
        let is_shift = shift_in(&load, &stretch.points) >= stretch.shift / 2.0;
        if is_shift || thinner.is_nan() || thinner < threshold("thinner") {
            return None;
        }
        let at = |night: usize| first + night * DAY_HOURS as usize;
        let times = stretch.shift.exp();
        Some(series.hit(
            hours.grid.ts(at(stretch.points.start))
                ..hours.grid.ts(at(stretch.points.end).saturating_sub(DAY_HOURS as usize - NIGHT.1)),
            score(times, threshold("suspect"), threshold("certain")),
            stretch.rows * NIGHT.1,
            Evidence::default().number("times", times).number("concentration_fall", -(-thinner).exp_m1()),
        ))
    };
    found.iter().filter_map(hit).collect()
}

/// The first point of the first night that has a day before it.
fn first_night(grid: &Grid) -> usize {
    let first = (NIGHT.0 - grid.hour_of_day(0)).rem_euclid(DAY_HOURS) as usize;
    let day = DAY_HOURS as usize - NIGHT.1;
    if first < day { first + DAY_HOURS as usize } else { first }
}

/// ln of the median of each night, 22 to 6 o'clock, over that of the 16 hours before it, of hourly
/// values; NaN where half of the hours of one of them are missing, or it is 0.
///
/// ```
/// use plume_udfs::patterns::night_discharge::night_discharge;
/// use plume_udfs::patterns::outlet::Grid;
/// use plume_udfs::time::HOUR_US;
/// // From 6 o'clock on: 16 hours at 10, then 8 at 5.
/// let day = [vec![10.0; 16], vec![5.0; 8]].concat();
/// let nights = night_discharge(&Grid { start: 6 * HOUR_US, step: HOUR_US }, &day);
/// assert_eq!(nights, [0.5_f64.ln()]);
/// ```
pub fn night_discharge(grid: &Grid, hourly: &[f64]) -> Vec<f64> {
    let level = |hours: &[f64]| {
        let mut known: Vec<f64> = hours.iter().copied().filter(|value| value.is_finite()).collect();
        if known.len() * 2 < hours.len() { f64::NAN } else { median(&mut known) }
    };
    let day = DAY_HOURS as usize - NIGHT.1;
    let of_night = |start: usize| {
        let night = level(hourly.get(start..start + NIGHT.1)?);
        Some(log_of_positive(night / level(hourly.get(start.checked_sub(day)?..start)?)))
    };
    (first_night(grid)..hourly.len()).step_by(DAY_HOURS as usize).map_while(of_night).collect()
}
