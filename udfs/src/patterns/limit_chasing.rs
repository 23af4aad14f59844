//! P36 `limit_chasing` (压日限): the day is steered, or corrected, to end just below its limit.
//!
//! Mechanism: in the afternoon one sees what the mean of the day would be and makes the late hours
//! so that it passes.
//!
//! Formula: days whose mean lies within `band` below the limit speak for the pattern. In a stretch
//! of them the mean of a day's hours up to `noon`, and that of its later ones, are correlated. A
//! process left alone goes on as it was (above 0); one that is steered makes up for the morning
//! (towards −1). Statistic: that correlation.
//!
//! Excused: a set-point just below the limit: its mornings and evenings don't answer each other; and fewer than `days` days.
//!
//! Example: a correlation of −0.6; with `suspect` −0.45 and `certain` −0.9 its score is
//! 0.5 + 0.5 × 0.15 ÷ 0.45 = 0.667.

use super::hit::{Evidence, Hit};
use super::outlet::{FactorSeries, Outlet, Points};
use super::score::score;
use super::segments::{Segment, segments};
use super::thresholds::Thresholds;
use crate::correlation::corr_spearman::corr_spearman;
use crate::time::DAY_HOURS;

/// Hours of a day without which it has no mean.
const VALID: usize = 18;

/// Looks for the pattern in an outlet.
pub fn detect(outlet: &Outlet, thresholds: &Thresholds<'_>) -> Vec<Hit> {
    outlet.pollutants().flat_map(|series| of_series(series, thresholds)).collect()
}

/// What is compared with limits at a point, where it may be judged.
fn judged(series: &FactorSeries, hours: &Points, point: usize) -> f64 {
    let own = hours.usable_value(point);
    if !series.monitor.limit_on_converted || own.is_nan() {
        return own;
    }
    hours.converted.get(point).copied().unwrap_or(f64::NAN)
}

fn of_series(series: &FactorSeries, thresholds: &Thresholds<'_>) -> Vec<Hit> {
    let figures = series.monitor;
    let limit = if figures.limit_day.is_finite() { figures.limit_day } else { figures.limit_hour };
    if !limit.is_finite() || limit <= 0.0 {
        return Vec::new();
    }
    let hours = series.hours();
    let threshold = |key| thresholds.of(&series.factor, hours.grid.grain(), key);
    let first = (-hours.grid.hour_of_day(0)).rem_euclid(DAY_HOURS) as usize;
    let values: Vec<f64> = (first..hours.len()).map(|point| judged(series, hours, point) / limit).collect();
    let days = halves(&values, threshold("noon"));
    let at = |day: usize| hours.grid.ts(first + day * DAY_HOURS as usize);
    let hit = |segment: Segment| {
        let within = days.get(segment.points.clone()).unwrap_or_default();
        let (early, late): (Vec<f64>, Vec<f64>) = within.iter().map(|day| (day.early, day.late)).unzip();
        let correlation = corr_spearman(&early, &late)?;
        Some(Hit {
            factor: series.factor.clone(),
            started: at(segment.points.start),
            ended: at(segment.points.end),
            score: score(correlation, threshold("suspect"), threshold("certain")),
            rows: within.iter().filter(|day| day.mean.is_finite()).count() * DAY_HOURS as usize,
            evidence: Evidence::default()
                .number("correlation", correlation)
                .number("days", within.len() as f64),
        })
    };
    limit_chasing(&days, threshold("band"), threshold("days")).into_iter().filter_map(hit).collect()
}

/// Means of a day over the limit; NaN where it has too few hours.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DayHalves {
    /// Of the whole day.
    pub mean: f64,
    /// Of the hours before noon.
    pub early: f64,
    /// Of the hours after it.
    pub late: f64,
}

fn halves(values: &[f64], noon: f64) -> Vec<DayHalves> {
    let mean = |hours: &[f64]| {
        let known = || hours.iter().filter(|value| value.is_finite());
        known().sum::<f64>() / known().count() as f64
    };
    let of_day = |day: &[f64]| {
        if day.iter().filter(|value| value.is_finite()).count() < VALID {
            return DayHalves { mean: f64::NAN, early: f64::NAN, late: f64::NAN };
        }
        let (early, late) = day.split_at((noon as usize).min(day.len()));
        DayHalves { mean: mean(day), early: mean(early), late: mean(late) }
    };
    values.chunks(DAY_HOURS as usize).map(of_day).collect()
}

/// The stretches of days whose means lie within `band` below the limit, of evidence of at least
/// `least` days.
///
/// ```
/// use plume_udfs::patterns::limit_chasing::{DayHalves, limit_chasing};
/// let day = |mean| DayHalves { mean, early: mean, late: mean };
/// let days = [vec![day(0.8); 5], vec![day(0.98); 12], vec![day(0.7); 5]].concat();
/// assert_eq!(limit_chasing(&days, 0.03, 8.0)[0].points, 5..17);
/// ```
pub fn limit_chasing(days: &[DayHalves], band: f64, least: f64) -> Vec<Segment> {
    let speaks = |day: &DayHalves| match day.mean {
        mean if mean.is_nan() => 0.0,
        mean if mean <= 1.0 && mean >= 1.0 - band => 1.0,
        _ => -1.0,
    };
    segments(&days.iter().map(speaks).collect::<Vec<f64>>(), least)
}
