//! P17 `rollup_mismatch` (汇总不符): an hour or a day that was sent is not the mean of what it is made of.
//!
//! Mechanism: hourly or daily figures are edited, since they are what is compared with limits and
//! taxed; the minutes below them are forgotten.
//!
//! Formula: deviation = (mean of the parts − figure sent) ÷ the greater of the mean and `floor` of the
//! span. The mean is taken twice, of the parts with flag N and of all, and for days of water once more
//! weighted with the flow; the nearest counts. Hours and days of which less than the share
//! `coverage` of the parts was received, whatever their flag, say nothing. Score: the median deviation of the stretch, `suspect` → 0.5,
//! `certain` → 1; where rounding makes the outlet's usual deviation wide, it counts above `noise`
//! standard deviations. A stretch of days begins within its first day, as much of it as deviates.
//!
//! Excused: flagged parts left out by the sender, flow weights, rounding, hours and days with gaps;
//! figures that are higher than their parts.
//!
//! Example: minutes of 100 and an hour of 90: (100 − 90) ÷ 100 = 0.1. With `suspect` 0.01 and `certain` 0.05
//! the score is 1.

use std::ops::Range;

use super::excess::{Excess, excesses, usual, usual_outside};
use super::hit::{Evidence, Hit};
use super::outlet::{FactorSeries, Outlet, Points};
use super::score::score;
use super::thresholds::Thresholds;
use crate::time::{DAY_HOURS, DAY_US, HOUR_US};

/// Looks for the pattern in an outlet.
pub fn detect(outlet: &Outlet, thresholds: &Thresholds<'_>) -> Vec<Hit> {
    let of_factor = |series| {
        let mut hits = of_hours(series, thresholds);
        hits.extend(of_days(outlet, series, thresholds));
        hits
    };
    outlet.factors.iter().flat_map(of_factor).collect()
}

/// Thresholds of one series.
struct Judge<'a> {
    series: &'a FactorSeries,
    suspect: f64,
    certain: f64,
    noise: f64,
    /// Least value that a deviation is a share of.
    floor: f64,
    least: f64,
    coverage: f64,
}

impl<'a> Judge<'a> {
    fn new(series: &'a FactorSeries, thresholds: &Thresholds<'_>, least: &str) -> Self {
        let threshold = |key| thresholds.of(&series.factor, series.fine.grid.grain(), key);
        let greatest = || series.hours().value.iter().copied().filter(|v| v.is_finite()).fold(0.0, f64::max);
        let span = Some(series.monitor.range_high).filter(|high| high.is_finite()).unwrap_or_else(greatest);
        Self {
            series,
            suspect: threshold("suspect"),
            certain: threshold("certain"),
            noise: threshold("noise"),
            floor: threshold("floor") * span,
            least: threshold(least),
            coverage: threshold("coverage"),
        }
    }

    fn stretches(&self, deviations: &[f64]) -> (Vec<Excess>, f64) {
        let look = |usual: f64| {
            let tolerance = self.suspect.max(self.noise * usual);
            (excesses(deviations, tolerance, self.least), tolerance)
        };
        let (first, _) = look(usual(deviations).1);
        look(usual_outside(deviations, &first).1)
    }

    fn hit(&self, level: &str, stretch: &Excess, tolerance: f64, span: Range<i64>) -> Hit {
        self.series.hit(
            span,
            score(stretch.typical * self.suspect / tolerance, self.suspect, self.certain),
            stretch.rows,
            Evidence::default()
                .text("level", level)
                .number("deviation", stretch.typical)
                .number("tolerance", tolerance),
        )
    }
}

/// Hours as sent against their minutes.
fn of_hours(series: &FactorSeries, thresholds: &Thresholds<'_>) -> Vec<Hit> {
    let (Some(sent), true) = (&series.sent_hours, series.means.is_some()) else { return Vec::new() };
    let judge = Judge::new(series, thresholds, "least_hours");
    let per_hour = series.fine.grid.points(1.0);
    let parts = Parts::new(&series.fine, &[]);
    let deviation = |hour: usize| {
        let from = hour.saturating_mul(per_hour);
        let means = parts.means(from..from.saturating_add(per_hour), judge.coverage);
        let figure = sent.value.get(hour).copied().unwrap_or(f64::NAN);
        rollup_mismatch(&means, figure, judge.floor)
    };
    let deviations: Vec<f64> = (0..sent.len()).map(deviation).collect();
    let (found, tolerance) = judge.stretches(&deviations);
    found.iter().map(|stretch| judge.hit("hour", stretch, tolerance, sent.span(&stretch.points))).collect()
}

/// Days as sent against their hours.
fn of_days(outlet: &Outlet, series: &FactorSeries, thresholds: &Thresholds<'_>) -> Vec<Hit> {
    if series.sent_days.is_empty() {
        return Vec::new();
    }
    let judge = Judge::new(series, thresholds, "least_days");
    let hours = series.sent_hours.as_ref().unwrap_or(series.hours());
    let flow = outlet.flow(series.medium).map(|flow| flow.hours().value.as_slice()).unwrap_or_default();
    let parts = Parts::new(hours, flow);
    let deviation = |(day, figure): &(i64, f64)| {
        let from = day.saturating_mul(DAY_US).saturating_sub(hours.grid.start).div_euclid(HOUR_US);
        let Ok(from) = usize::try_from(from) else { return f64::NAN };
        let means = parts.means(from..from.saturating_add(DAY_HOURS as usize), judge.coverage);
        rollup_mismatch(&means, *figure, judge.floor)
    };
    let deviations: Vec<f64> = series.sent_days.iter().map(deviation).collect();
    let (found, tolerance) = judge.stretches(&deviations);
    let span = |stretch: &Excess| {
        // Of the first and the last day as much as deviates.
        let part = |at: usize| {
            let share = deviations.get(at).copied().unwrap_or(f64::NAN) / stretch.typical;
            if share.is_finite() {
                (share.clamp(0.0, 1.0) * DAY_HOURS as f64).round() as i64 * HOUR_US
            } else {
                DAY_US
            }
        };
        let (first, last) = (stretch.points.start, stretch.points.end.saturating_sub(1));
        let start_of = |at: usize| series.sent_days.get(at).map_or(0, |(day, _)| day.saturating_mul(DAY_US));
        let started = start_of(first).saturating_add(DAY_US).saturating_sub(part(first));
        started..start_of(last).saturating_add(if first == last { DAY_US } else { part(last) })
    };
    found.iter().map(|stretch| judge.hit("day", stretch, tolerance, span(stretch))).collect()
}

/// Running sums of parts: of all, of those with flag N, and of those weighted with the flow.
struct Parts {
    all: Sums,
    normal: Sums,
    weighted: Option<Sums>,
}

impl Parts {
    fn new(points: &Points, flow: &[f64]) -> Self {
        let flag = |at: usize| points.flag.get(at).copied().unwrap_or_default();
        let is_normal = |at: usize| flag(at) == 0 || flag(at) == b'N';
        let weight =
            |at: usize| if is_normal(at) { flow.get(at).copied().unwrap_or(f64::NAN) } else { f64::NAN };
        Self {
            all: Sums::new(&points.value, |_| 1.0),
            normal: Sums::new(&points.value, |at| if is_normal(at) { 1.0 } else { f64::NAN }),
            weighted: (!flow.is_empty()).then(|| Sums::new(&points.value, weight)),
        }
    }

    /// The means that a sender may have made of parts; NaN where less than the share `coverage` was
    /// received. A sender that leaves flagged parts out, or those without a flow, makes the mean of the rest.
    fn means(&self, parts: Range<usize>, coverage: f64) -> [f64; 3] {
        let of_all = self.all.mean(&parts, parts.len() as f64 * coverage);
        if of_all.is_nan() {
            return [f64::NAN; 3];
        }
        let of_any = |sums: &Sums| sums.mean(&parts, 1.0);
        [of_all, of_any(&self.normal), self.weighted.as_ref().map_or(f64::NAN, of_any)]
    }
}

/// Running sums: of values by weights, of weights, and how many there are.
struct Sums(Vec<(f64, f64, f64)>);

impl Sums {
    fn new(values: &[f64], weight: impl Fn(usize) -> f64) -> Self {
        let mut sum = (0.0, 0.0, 0.0);
        let mut sums = vec![sum];
        for (at, value) in values.iter().enumerate() {
            let weight = weight(at);
            if value.is_finite() && weight >= 0.0 {
                sum = (sum.0 + value * weight, sum.1 + weight, sum.2 + 1.0);
            }
            sums.push(sum);
        }
        Self(sums)
    }

    fn mean(&self, parts: &Range<usize>, least: f64) -> f64 {
        let (Some(before), Some(behind)) = (self.0.get(parts.start), self.0.get(parts.end)) else {
            return f64::NAN;
        };
        if behind.2 - before.2 < least { f64::NAN } else { (behind.0 - before.0) / (behind.1 - before.1) }
    }
}

/// How far a figure lies below a mean of its parts, as a share of it, of `floor` where that is
/// greater: the deviation from the nearest of the means that the sender may have made; NaN where none is known.
///
/// ```
/// use plume_udfs::patterns::rollup_mismatch::rollup_mismatch;
/// // The sender left flagged minutes out, of which the mean is 90.
/// assert_eq!(rollup_mismatch(&[100.0, 90.0], 90.0, 1.0), 0.0);
/// assert_eq!(rollup_mismatch(&[100.0, 100.0], 90.0, 1.0), 0.1);
/// ```
pub fn rollup_mismatch(means: &[f64], figure: f64, floor: f64) -> f64 {
    let deviations = means.iter().map(|mean| (mean - figure) / mean.abs().max(floor));
    deviations.filter(|d| d.is_finite()).min_by(|a, b| a.abs().total_cmp(&b.abs())).unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::super::odd_records::{DEED, HALF_YEAR, scaled, survives};
    use super::super::survival::{assert_found, found, hourly, outlet, points, stack, two_decimals};
    use super::*;

    const PATTERN: &str = "rollup_mismatch";

    fn days(hours: &[f64]) -> Vec<(i64, f64)> {
        let mean = |day: &[f64]| two_decimals(day.iter().sum::<f64>() / day.len() as f64);
        hours.chunks_exact(24).enumerate().map(|(day, hours)| (day as i64, mean(hours))).collect()
    }

    #[test]
    fn edited_days_are_found_at_every_strength() {
        let honest = stack(1, HALF_YEAR);
        for left in [0.9, 0.75, 0.5] {
            let mut outlet = hourly(honest.clone());
            outlet.factors[0].sent_days = days(&scaled(&honest, left));
            assert_found(PATTERN, detect, &outlet, DEED.start, DEED.end, 4);
        }
    }

    #[test]
    fn edited_hours_are_found_at_every_strength() {
        let count = 60 * 24 * 30;
        let minutes = stack(1, count);
        let hours: Vec<f64> =
            minutes.chunks_exact(60).map(|m| two_decimals(m.iter().sum::<f64>() / 60.0)).collect();
        for left in [0.9, 0.75, 0.5] {
            let mut outlet = outlet(points(HOUR_US / 60, minutes.clone()));
            let edited =
                hours.iter().enumerate().map(|(at, v)| if (200..500).contains(&at) { v * left } else { *v });
            outlet.factors[0].sent_hours = Some(points(HOUR_US, edited.collect()));
            outlet.factors[0].means = Some(points(HOUR_US, hours.clone()));
            assert_found(PATTERN, detect, &outlet, 200, 500, 0);
        }
    }

    #[test]
    fn flagged_parts_left_out_are_not() {
        let honest = stack(1, HALF_YEAR);
        let mut outlet = hourly(honest.clone());
        // Every first hour of a day is a calibration at 80, which the sender leaves out.
        for at in (0..HALF_YEAR).step_by(24) {
            (outlet.factors[0].fine.value[at], outlet.factors[0].fine.flag[at]) = (80.0, b'C');
        }
        let mean = |day: &[f64]| day[1..].iter().sum::<f64>() / 23.0;
        outlet.factors[0].sent_days =
            honest.chunks_exact(24).enumerate().map(|(d, h)| (d as i64, mean(h))).collect();
        assert_eq!(found(PATTERN, detect, &outlet), []);
        // Two hours a day: 22 of 24, or 92 %, are left, but all 24 were received.
        for at in (1..HALF_YEAR).step_by(24) {
            (outlet.factors[0].fine.value[at], outlet.factors[0].fine.flag[at]) = (5.0, b'C');
        }
        let mean = |day: &[f64]| day[2..].iter().sum::<f64>() / 22.0;
        outlet.factors[0].sent_days =
            honest.chunks_exact(24).enumerate().map(|(d, h)| (d as i64, mean(h))).collect();
        assert_eq!(found(PATTERN, detect, &outlet), []);
    }

    #[test]
    fn odd_outlets() {
        survives(PATTERN, detect);
    }
}
