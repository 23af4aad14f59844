//! P25 `sample_swap` (清水替样): the sampler drinks from a bottle of clean water.
//!
//! Mechanism: the intake pipe is put into a bottle or a tap. All factors fall at once and stay low.
//!
//! Formula: x = −median of ln C over the factors of an hour, each less its own level; stretches
//! where x stands above its own level. Statistic: the shift of the median of x.
//!
//! Excused: fewer than `factors` factors; one that doesn't fall by at least `each` of the shift (a
//! bottle spares none), conductivity among them; rain or rinsing water, which the flow shows, too:
//! it rises by half of the shift; a stop of the discharge (not usable).
//!
//! Example: all factors to a quarter: a shift of ln 4 = 1.386. With `suspect` 0.3 and `certain`
//! 1.1 its score is 1.

use super::departure::{Departure, densest, departures, logs, sample, shift_in};
use super::hit::{Evidence, Hit};
use super::outlet::{FactorSeries, Outlet};
use super::robust::median;
use super::score::score;
use super::thresholds::Thresholds;

/// Looks for the pattern in an outlet.
pub fn detect(outlet: &Outlet, thresholds: &Thresholds<'_>) -> Vec<Hit> {
    let is_water = |series: &&FactorSeries| {
        series.medium == plume_datasets::factors::Medium::Water
            && !matches!(series.factor.as_str(), "w00000" | "w01001" | "w01010" | "w01009")
    };
    let series: Vec<_> = outlet.factors.iter().filter(is_water).collect();
    let Some(first) = series.first() else { return Vec::new() };
    let hours = first.hours();
    let threshold = |key| thresholds.of(&first.factor, hours.grid.grain(), key);
    if (series.len() as f64) < threshold("factors") {
        return Vec::new();
    }
    let all: Vec<Vec<f64>> = series.iter().map(|series| below_own_level(&logs(series.hours()))).collect();
    let flow = outlet.factor("w00000").map(|series| logs(series.hours())).unwrap_or_default();
    let hit = |stretch: Departure| {
        let falls: Vec<f64> = all.iter().map(|of| shift_in(of, &stretch.points)).collect();
        let is_rain = shift_in(&flow, &stretch.points) >= stretch.shift / 2.0;
        if is_rain || falls.iter().any(|fall| *fall < threshold("each") * stretch.shift) {
            return None;
        }
        let (lowest, _) = series.iter().zip(&falls).max_by(|a, b| a.1.total_cmp(b.1))?;
        let evidence = Evidence::default().number("remains", (-stretch.shift).exp());
        let score = score(stretch.shift, threshold("suspect"), threshold("certain"));
        Some(stretch.hit(&lowest.factor, hours, score, evidence))
    };
    let falls = sample_swap(&all, threshold("factors") as usize);
    departures(&falls, threshold("least"), threshold("hours")).into_iter().filter_map(hit).collect()
}

fn below_own_level(logs: &[f64]) -> Vec<f64> {
    let level = densest(sample(logs));
    logs.iter().map(|log| level - log).collect()
}

/// The median over the factors, at each hour, of how far each lies below its level, in
/// logarithms; NaN where fewer than `least` have a value.
///
/// ```
/// use plume_udfs::patterns::sample_swap::sample_swap;
/// let falls = sample_swap(&[vec![1.0, 0.0], vec![1.5, f64::NAN], vec![2.0, 0.1]], 3);
/// assert_eq!(falls[0], 1.5);
/// assert!(falls[1].is_nan());
/// ```
pub fn sample_swap(falls: &[Vec<f64>], least: usize) -> Vec<f64> {
    let length = falls.iter().map(Vec::len).max().unwrap_or_default();
    let mut at_hour = Vec::with_capacity(falls.len());
    let of_hour = |hour: usize| {
        at_hour.clear();
        at_hour.extend(falls.iter().filter_map(|of| of.get(hour)).copied().filter(|fall| fall.is_finite()));
        if at_hour.len() < least { f64::NAN } else { median(&mut at_hour) }
    };
    (0..length).map(of_hour).collect()
}
