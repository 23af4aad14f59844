//! P34 `ratio_break` (比值突变): one pollutant leaves the others.
//!
//! Mechanism: one channel is scaled down, or its sample is treated; the pollutants of one flame
//! otherwise go together.
//!
//! Formula: for each pollutant x = median of the others' logarithms − its own, each less its level
//! in the hour's class of load; stretches where x stands above its own level for long. Statistic:
//! the shift of the median in spreads (standard deviations from the MAD) of daily medians of x.
//!
//! Excused: a change of fuel, which moves the others, too: where one of the others moves by
//! `others` of the shift, none stands alone; and where there are less than three pollutants
//! nobody can tell which of the two moved, so the one that moved must have left its own level and
//! the other not.
//!
//! Example: SO₂ × 0.5 is a shift by ln 2 = 0.693; daily medians spread by 0.1: 6.9 spreads. With
//! `suspect` 4 and `certain` 8 its score is 0.5 + 0.5 × 2.9 ÷ 4 = 0.866.

use std::ops::Range;

use super::departure::{Departure, departures, less_load, logs, shift_in};
use super::hit::{Evidence, Hit};
use super::outlet::{FactorSeries, Outlet};
use super::robust::{median, median_and_mad};
use super::score::score;
use super::thresholds::Thresholds;
use crate::time::DAY_HOURS;

/// Looks for the pattern in an outlet.
pub fn detect(outlet: &Outlet, thresholds: &Thresholds<'_>) -> Vec<Hit> {
    let load = outlet.load();
    let is_gas = |series: &&FactorSeries| series.medium == plume_datasets::factors::Medium::Air;
    let series: Vec<_> = outlet.pollutants().filter(is_gas).collect();
    if series.len() < 2 {
        return Vec::new();
    }
    let residuals: Vec<_> = series.iter().map(|series| less_load(&logs(series.hours()), load)).collect();
    (0..series.len()).flat_map(|one| of_one(&series, &residuals, one, thresholds)).collect()
}

fn of_one(series: &[&FactorSeries], all: &[Vec<f64>], one: usize, thresholds: &Thresholds<'_>) -> Vec<Hit> {
    let (Some(of), Some(own)) = (series.get(one), all.get(one)) else { return Vec::new() };
    let hours = of.hours();
    let threshold = |key| thresholds.of(&of.factor, hours.grid.grain(), key);
    let others: Vec<&[f64]> =
        all.iter().enumerate().filter(|(other, _)| *other != one).map(|(_, of)| of.as_slice()).collect();
    let ratios = ratio_break(own, &others);
    let is_alone = |stretch: &Departure| {
        let most = threshold("others") * stretch.shift;
        -shift_in(own, &stretch.points) > stretch.shift - most
            && others.iter().all(|other| shift_in(other, &stretch.points).abs() < most)
    };
    let hit = |stretch: Departure| {
        let spread = spread_of_days(&ratios, &stretch.points).max(threshold("spread_least"));
        let spreads = stretch.shift / spread;
        let evidence = Evidence::default().number("ratio", (-stretch.shift).exp()).number("spreads", spreads);
        stretch.hit(&of.factor, hours, score(spreads, threshold("suspect"), threshold("certain")), evidence)
    };
    let found = departures(&ratios, threshold("least"), threshold("hours"));
    found.into_iter().filter(is_alone).map(hit).collect()
}

/// The standard deviation, from the MAD, of medians of 24 points outside of a stretch.
fn spread_of_days(values: &[f64], stretch: &Range<usize>) -> f64 {
    let day = DAY_HOURS as usize;
    let is_outside = |at: usize| at + day <= stretch.start || at >= stretch.end;
    let days = values.chunks(day).enumerate().filter(|(at, _)| is_outside(at * day));
    let medians = days.map(|(_, day)| {
        median(&mut day.iter().copied().filter(|value| value.is_finite()).collect::<Vec<f64>>())
    });
    1.4826 * median_and_mad(&mut medians.filter(|median| median.is_finite()).collect::<Vec<f64>>()).1
}

/// How far one pollutant's logarithm lies below the median of the others', by hour; NaN where one
/// of them is missing.
///
/// ```
/// use plume_udfs::patterns::ratio_break::ratio_break;
/// // Median of 2 and 4 is 3, and 3 − 1 = 2.
/// assert_eq!(ratio_break(&[1.0, f64::NAN], &[&[2.0, 2.0], &[4.0, 4.0]])[0], 2.0);
/// ```
pub fn ratio_break(own: &[f64], others: &[&[f64]]) -> Vec<f64> {
    let mut at_hour = Vec::with_capacity(others.len());
    let below = |(hour, own): (usize, &f64)| {
        if own.is_nan() {
            return f64::NAN;
        }
        at_hour.clear();
        at_hour
            .extend(others.iter().filter_map(|of| of.get(hour)).copied().filter(|value| value.is_finite()));
        median(&mut at_hour) - own
    };
    own.iter().enumerate().map(below).collect()
}
