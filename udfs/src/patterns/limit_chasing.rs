//! P36 `limit_chasing` (压日限): the day is steered, or corrected, to end just below its limit.
//!
//! Mechanism: in the afternoon one sees what the mean of the day would be and makes the late hours
//! so that it passes.
//!
//! Formula: days whose mean lies within `band` below the limit speak for the pattern, others against, as
//! the shares `within` and `elsewhere` of them do. Gas that is sent converted is compared so. In the
//! stretch of greatest evidence the mean of a day's hours up to `noon`, and that of its later ones, are
//! correlated, of days within twice `band` of the limit. A process left alone goes on as it was (above
//! 0); one that is steered makes up for the morning (towards −1). Statistic: that correlation.
//!
//! Excused: a set-point just below the limit: its mornings and evenings don't answer each other; a
//! process that only passes by: as many days lie beside the band as in it (fewer than `pile` times), and
//! choosing days by their mean makes their halves answer each other; and fewer than `days` days.
//!
//! Example: a correlation of −0.6; with `suspect` −0.45 and `certain` −0.9 its score is
//! 0.5 + 0.5 × 0.15 ÷ 0.45 = 0.667.

use std::ops::Range;

use super::evidence::evidence;
use super::hit::{Evidence, Hit};
use super::outlet::{FactorSeries, Outlet, Points};
use super::score::score;
use super::segments::greatest;
use super::thresholds::Thresholds;
use crate::correlation::corr_spearman::corr_spearman;
use crate::time::DAY_HOURS;

/// Hours of a day without which it has no mean.
const VALID: usize = 18;

/// Looks for the pattern in an outlet.
pub fn detect(outlet: &Outlet, thresholds: &Thresholds<'_>) -> Vec<Hit> {
    outlet.pollutants().filter_map(|series| of_series(series, thresholds)).collect()
}

/// What is compared with limits at a point, where it may be judged: the value converted to the
/// reference oxygen where one was sent.
fn judged(hours: &Points, point: usize) -> f64 {
    let converted = hours.usable_converted(point);
    if converted.is_finite() { converted } else { hours.usable_value(point) }
}

fn of_series(series: &FactorSeries, thresholds: &Thresholds<'_>) -> Option<Hit> {
    let figures = series.monitor;
    let limit = if figures.limit_day.is_finite() { figures.limit_day } else { figures.limit_hour };
    if !limit.is_finite() || limit <= 0.0 {
        return None;
    }
    let hours = series.hours();
    let threshold = |key| thresholds.of(&series.factor, hours.grid.grain(), key);
    let first = (-hours.grid.hour_of_day(0)).rem_euclid(DAY_HOURS) as usize;
    let values: Vec<f64> = (first..hours.len()).map(|point| judged(hours, point) / limit).collect();
    let days = halves(&values, threshold("noon"));
    let at = |day: usize| hours.grid.ts(first + day * DAY_HOURS as usize);
    let rule = ChasingRule {
        band: threshold("band"),
        least: threshold("days"),
        within: threshold("within"),
        elsewhere: threshold("elsewhere"),
        pile: threshold("pile"),
    };
    let found = limit_chasing(&days, &rule)?;
    Some(series.hit(
        at(found.days.start)..at(found.days.end),
        score(found.correlation, threshold("suspect"), threshold("certain")),
        found.rows * DAY_HOURS as usize,
        Evidence::default().number("correlation", found.correlation).number("days", found.in_band as f64),
    ))
}

/// What makes a limit chased.
#[derive(Debug, Clone, Copy)]
pub struct ChasingRule {
    /// Width of the band below the limit.
    pub band: f64,
    /// Days in the band, at least.
    pub least: f64,
    /// Share of days in the band within the pattern.
    pub within: f64,
    /// Share of days in the band elsewhere.
    pub elsewhere: f64,
    /// How many times as many days in the band as in one beside it.
    pub pile: f64,
}

/// A stretch of days that chase a limit.
#[derive(Debug, Clone, PartialEq)]
pub struct Chase {
    /// Its days.
    pub days: Range<usize>,
    /// Days in the band.
    pub in_band: usize,
    /// Days with a mean.
    pub rows: usize,
    /// Correlation of mornings and evenings.
    pub correlation: f64,
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

/// The clearest stretch of days whose means pile up just below the limit, with the correlation of their
/// halves.
///
/// ```
/// use plume_udfs::patterns::limit_chasing::{ChasingRule, DayHalves, limit_chasing};
/// let rule = ChasingRule { band: 0.03, least: 8.0, within: 0.3, elsewhere: 0.03, pile: 3.0 };
/// let day = |early: f64, late: f64| DayHalves { mean: (early + late) / 2.0, early, late };
/// // What a morning has too much, the evening has less.
/// let chased: Vec<DayHalves> = (0..12).map(|at| 0.01 * f64::from(at)).map(|by| day(0.98 + by, 0.98 - by)).collect();
/// let days = [vec![day(0.8, 0.8); 5], chased, vec![day(0.7, 0.7); 5]].concat();
/// let found = limit_chasing(&days, &rule).unwrap();
/// assert_eq!((found.days, found.in_band), (5..17, 12));
/// assert!((found.correlation + 1.0).abs() < 1e-9);
/// ```
pub fn limit_chasing(days: &[DayHalves], rule: &ChasingRule) -> Option<Chase> {
    let (speaks, against) = evidence(rule.within, rule.elsewhere);
    // In bands below the limit: 0 in the one that touches it, −1 in the one above.
    let band_of = |day: &DayHalves| ((1.0 - day.mean) / rule.band).floor();
    let says = days.iter().map(|day| match band_of(day) {
        band if band.is_nan() => 0.0,
        0.0 => speaks,
        _ => against,
    });
    let stretch = greatest(says)?.points;
    let within = days.get(stretch.clone())?;
    let count = |band: f64| within.iter().filter(|day| band_of(day) == band).count();
    let (in_band, beside) = (count(0.0), count(-1.0).max(count(1.0)));
    if (in_band as f64) < rule.least || (in_band as f64) < rule.pile * beside as f64 {
        return None;
    }
    let near = within.iter().filter(|day| (-2.0..=1.0).contains(&band_of(day)));
    let (early, late): (Vec<f64>, Vec<f64>) = near.map(|day| (day.early, day.late)).unzip();
    let correlation = corr_spearman(&early, &late)?;
    let rows = within.iter().filter(|day| day.mean.is_finite()).count();
    Some(Chase { days: stretch, in_band, rows, correlation })
}

#[cfg(test)]
mod tests {
    use super::super::survival::{assert_found, even, found, hourly, stack, survives};
    use super::*;

    const NAME: &str = "limit_chasing";

    /// From day 60 to 119 one day in `every` has a mean of 49 of a limit of 50: 14 hours of 49 + by, then
    /// 10 of 49 − `answer` × by.
    fn chased(every: usize, answer: f64) -> Vec<f64> {
        let mut values = stack(101, 4320);
        for (day, part) in even(102, 60).into_iter().enumerate().filter(|(day, _)| day % every == 0) {
            let (by, start) = (6.0 * (part - 0.5), (60 + day) * 24);
            values[start..start + 14].fill(49.0 + by);
            values[start + 14..start + 24].fill(49.0 - answer * by);
        }
        values
    }

    #[test]
    fn planted_days_are_found() {
        // What the morning has too much, 14 × by, the evening makes up for: 10 × 1.4 × by.
        assert_found(NAME, detect, &hourly(chased(1, 1.4)), 1440, 2880, 0);
        // The last of one day in two is day 118.
        assert_found(NAME, detect, &hourly(chased(2, 1.4)), 1440, 2856, 0);
    }

    #[test]
    fn what_is_near_the_limit_by_itself_is_excused() {
        assert!(found(NAME, detect, &hourly(stack(103, 4320))).is_empty());
        // Evenings like the mornings, at a set-point of 49 ± 0.3.
        let steady = (0..4320).map(|hour| 49.0 + 0.3 * ((hour / 24 % 7) as f64 / 3.0 - 1.0)).collect();
        assert!(found(NAME, detect, &hourly(steady)).is_empty());
        // A process around 48 ± 3 passes the band: as many days lie beside it.
        let passing = stack(104, 4320).iter().map(|value| 48.0 + (value - 25.0)).collect();
        assert!(found(NAME, detect, &hourly(passing)).is_empty());
    }

    #[test]
    fn the_worked_example() {
        // Ten days in the band of 0.97 to 1. Evenings rank as the mornings turned round:
        // d² = 81 + 49 + 25 + 9 + 1 + 1 + 9 + 25 + 49 + 81 = 330, 1 − 6 × 330 ÷ 990 = −1.
        let days: Vec<DayHalves> = (0..10)
            .map(|at| f64::from(at) / 1000.0)
            .map(|by| DayHalves { mean: 0.98, early: 0.98 + by, late: 0.98 - by })
            .collect();
        let rule = ChasingRule { band: 0.03, least: 10.0, within: 0.3, elsewhere: 0.1, pile: 3.0 };
        let found = limit_chasing(&days, &rule).unwrap();
        assert_eq!((found.in_band, found.rows), (10, 10));
        assert!((found.correlation + 1.0).abs() < 1e-12);
        // Nine aren't enough.
        assert_eq!(limit_chasing(&days[1..], &rule), None);
    }

    #[test]
    fn nothing_makes_it_fall_over() {
        survives(NAME, detect);
    }
}
