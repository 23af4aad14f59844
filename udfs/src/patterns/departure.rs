//! Stretches where a series stands off its own level.
//!
//! The level is the middle of the shortest interval that holds half of the values, which a
//! deed of a third of the time doesn't move. Points then speak for or against a stretch by
//! which side of half the shift they lie on; a second pass takes level, spread and shift from
//! what the first has found. Series are given so that the suspect direction is up.

use std::ops::Range;

use super::hit::{Evidence, Hit};
use super::outlet::Points;
use super::robust::{MAD_TO_SD, median, median_and_mad, quantile};
use super::segments::{Segment, segments};
use crate::time::DAY_HOURS;

/// Values that levels are taken from; more add time, not truth.
const SAMPLE: usize = 900;
/// Classes of load.
const CLASSES: usize = 6;
/// Values without which a class or a stretch has no level.
const FEW: usize = 12;

/// A stretch off the level.
#[derive(Debug, Clone, PartialEq)]
pub struct Departure {
    /// Its points.
    pub points: Range<usize>,
    /// How far its median lies above the level.
    pub shift: f64,
    /// The level outside of all stretches.
    pub level: f64,
    /// Standard deviation outside of all stretches, from the median absolute deviation.
    pub spread: f64,
    /// Points with a value.
    pub rows: usize,
}

impl Departure {
    /// A hit of this stretch on a series.
    pub fn hit(&self, factor: &str, on: &Points, score: f64, evidence: Evidence) -> Hit {
        Hit::new(factor, on.span(&self.points), score, self.rows, evidence)
    }
}

/// The step by which about `most` of `count` points are chosen evenly, at all hours of the day: it shares no
/// factor with 24.
///
/// ```
/// use plume_udfs::patterns::departure::stride;
/// assert_eq!([(900, 900), (1000, 900), (4320, 900)].map(|(count, most)| stride(count, most)), [1, 5, 5]);
/// ```
pub fn stride(count: usize, most: usize) -> usize {
    let step = count.div_ceil(most.max(1)).max(1);
    (step..).find(|step| step % 2 == 1 && step % 3 != 0).unwrap_or(step)
}

/// Finite values of a slice, at most some hundreds of them, evenly chosen.
pub fn sample(values: &[f64]) -> Vec<f64> {
    let step = stride(values.len(), SAMPLE);
    let chosen: Vec<f64> = values.iter().step_by(step).copied().filter(|value| value.is_finite()).collect();
    if chosen.len() >= FEW || step == 1 {
        return chosen;
    }
    values.iter().copied().filter(|value| value.is_finite()).take(SAMPLE).collect()
}

/// The median of the values that may be judged, of some hundreds of them; NaN where there are none.
pub fn usual_level(points: &Points) -> f64 {
    let step = stride(points.len(), SAMPLE);
    let chosen = (0..points.len()).step_by(step).map(|point| points.usable_value(point));
    let mut chosen: Vec<f64> = chosen.filter(|value| value.is_finite()).collect();
    if chosen.len() < FEW && step > 1 {
        chosen = sample(&points.usable_values());
    }
    median(&mut chosen)
}

/// Middle of the shortest interval that holds half of the values; NaN where there are none.
///
/// ```
/// use plume_udfs::patterns::departure::densest;
/// // Half of 7 values, rounded up, is 4: 1 to 1.3 is shorter than any other four.
/// assert!((densest(vec![9.0, 1.0, 1.1, 1.2, 1.3, 8.0, 7.0]) - 1.15).abs() < 1e-9);
/// ```
pub fn densest(values: Vec<f64>) -> f64 {
    let values = sorted(&values);
    let half = values.len().div_ceil(2).max(1);
    let (mut shortest, mut middle) = (f64::INFINITY, f64::NAN);
    for (low, high) in values.iter().zip(values.get(half - 1..).unwrap_or_default()) {
        let width = high - low;
        if width < shortest || middle.is_nan() {
            (shortest, middle) = (width, low / 2.0 + high / 2.0);
        }
    }
    middle
}

/// Values in order, as `f64::total_cmp` has it: whole numbers are sorted in a third of the time.
fn sorted(values: &[f64]) -> Vec<f64> {
    /// Of negative numbers all bits but the sign are turned, and turned back.
    fn turned(bits: i64) -> i64 {
        bits ^ (((bits >> 63) as u64) >> 1) as i64
    }
    let mut keys: Vec<i64> = values.iter().map(|value| turned(value.to_bits() as i64)).collect();
    keys.sort_unstable();
    keys.into_iter().map(|key| f64::from_bits(turned(key) as u64)).collect()
}

/// The median of the finite values of a stretch; NaN where there are none.
pub fn median_in(values: &[f64], points: &Range<usize>) -> f64 {
    median(&mut sample(values.get(points.clone()).unwrap_or_default()))
}

/// The median of the finite values outside of a stretch; NaN where there are none.
pub fn median_outside(values: &[f64], points: &Range<usize>) -> f64 {
    let before = values.get(..points.start).unwrap_or_default();
    let after = values.get(points.end..).unwrap_or_default();
    let mut outside = sample(before);
    outside.extend(sample(after));
    median(&mut outside)
}

/// How far a stretch's median lies above that of the rest; NaN where one of them has no value.
pub fn shift_in(values: &[f64], points: &Range<usize>) -> f64 {
    median_in(values, points) - median_outside(values, points)
}

/// Standard error of a stretch's shift: the standard deviation, from the MAD, of medians of 24 points outside of it,
/// by the days in it and outside of it, of which `memory` count as one. Infinite where one of them has no day.
pub fn shift_error(values: &[f64], stretch: &Range<usize>, memory: f64) -> f64 {
    let day = DAY_HOURS as usize;
    let finite =
        |values: &[f64]| values.iter().copied().filter(|value| value.is_finite()).collect::<Vec<f64>>();
    let is_outside = |at: usize| at + day <= stretch.start || at >= stretch.end;
    let days = values.chunks(day).enumerate().filter(|(at, _)| is_outside(at * day));
    let medians = days.map(|(_, day)| median(&mut finite(day))).filter(|median| median.is_finite());
    let mut outside: Vec<f64> = medians.collect();
    let days_outside = outside.len() as f64;
    let days_inside = finite(values.get(stretch.clone()).unwrap_or_default()).len() as f64 / day as f64;
    let of_days = (memory / days_inside + memory / days_outside).sqrt();
    let error = MAD_TO_SD * median_and_mad(&mut outside).1 * of_days;
    if error.is_nan() { f64::INFINITY } else { error }
}

/// Whether a series has a week at or below a share of its usual week, by means of the values that may be judged. What
/// has none has no stretch of weeks there.
pub fn has_low_week(points: &Points, share: f64) -> bool {
    let week = 7 * DAY_HOURS as usize;
    let values = points.value.chunks(week).zip(points.usable.chunks(week));
    let mean = |(values, usable): (&[f64], &[bool])| {
        let known = values.iter().zip(usable).filter(|(_, usable)| **usable);
        let (sum, count) = known.fold((0.0, 0), |(sum, count), (value, _)| (sum + value, count + 1));
        (count > DAY_HOURS).then_some(sum / count as f64)
    };
    let weeks: Vec<f64> = values.filter_map(mean).filter(|mean| mean.is_finite()).collect();
    let most = share * median(&mut weeks.clone());
    weeks.iter().any(|week| *week <= most)
}

/// Natural logarithms of the values that may be judged; NaN elsewhere and at 0 and below.
pub fn logs(points: &Points) -> Vec<f64> {
    (0..points.len()).map(|point| points.usable_value(point)).map(log_of_positive).collect()
}

/// The natural logarithm; NaN at 0 and below.
pub fn log_of_positive(value: f64) -> f64 {
    if value > 0.0 { value.ln() } else { f64::NAN }
}

/// A series less its level in each class of load. Where there is no load, or one that doesn't
/// vary, the series itself.
pub fn less_load(values: &[f64], load: &[f64]) -> Vec<f64> {
    let mut known = sorted(&sample(load));
    let bounds: [f64; CLASSES - 1] =
        std::array::from_fn(|class| quantile(&mut known, (class + 1) as f64 / CLASSES as f64));
    if known.len() < CLASSES * FEW || bounds.first() == bounds.last() {
        return values.to_vec();
    }
    let class_of = |load: f64| bounds.iter().map(|bound| usize::from(load > *bound)).sum::<usize>();
    let mut classes: [Vec<f64>; CLASSES] = Default::default();
    for class in &mut classes {
        class.reserve(values.len() / (CLASSES - 1));
    }
    for (value, load) in values.iter().zip(load).filter(|(value, load)| value.is_finite() && load.is_finite())
    {
        if let Some(class) = classes.get_mut(class_of(*load)) {
            class.push(*value);
        }
    }
    let level = |class: &Vec<f64>| if class.len() < FEW { f64::NAN } else { densest(sample(class)) };
    let levels = classes.each_ref().map(level);
    let of = |(value, load): (&f64, &f64)| {
        let level = levels.get(class_of(*load)).copied().unwrap_or(f64::NAN);
        if load.is_finite() { value - level } else { f64::NAN }
    };
    let mut residual: Vec<f64> = values.iter().zip(load).map(of).collect();
    residual.resize(values.len(), f64::NAN);
    residual
}

/// Every fifth value: a first look at a fifth of the cost, which sees all hours of the day and every stretch of ten.
///
/// ```
/// use plume_udfs::patterns::departure::every_fifth;
/// assert_eq!(every_fifth(&[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0]), [0.0, 5.0]);
/// ```
pub fn every_fifth(values: &[f64]) -> Vec<f64> {
    values.iter().step_by(5).copied().collect()
}

/// Evidence of each point for a shift above a level: 1 from the shift on, −1 at the level and below.
fn evidence(values: &[f64], level: f64, shift: f64) -> Vec<f64> {
    let half = shift / 2.0;
    values.iter().map(|value| ((value - level - half) / half).clamp(-1.0, 1.0)).collect()
}

fn outside(values: &[f64], found: &[Segment]) -> Vec<f64> {
    let mut rest = values.to_vec();
    for segment in found {
        rest.get_mut(segment.points.clone()).unwrap_or_default().fill(f64::NAN);
    }
    rest
}

/// The stretches where a series stands at least `least` above its own level, of evidence of at
/// least `weight` points, in order of time. None where less than a quarter lies outside of them.
///
/// ```
/// use plume_udfs::patterns::departure::departures;
/// // Level 0; ten points at 1 are a stretch, the single one at 1 is not.
/// let mut values = vec![0.0; 60];
/// values[20..30].fill(1.0);
/// values[50] = 1.0;
/// let found = departures(&values, 0.5, 5.0);
/// assert_eq!((found.len(), found[0].points.clone(), found[0].shift), (1, 20..30, 1.0));
/// ```
pub fn departures(values: &[f64], least: f64, weight: f64) -> Vec<Departure> {
    let level = densest(sample(values));
    if !level.is_finite() || least.is_nan() || least <= 0.0 {
        return Vec::new();
    }
    let first = segments(&evidence(values, level, least), weight);
    let Some(greatest) = first.iter().max_by(|a, b| a.evidence.total_cmp(&b.evidence)) else {
        return Vec::new();
    };
    let rest = outside(values, &first);
    let finite = |values: &[f64]| values.iter().filter(|value| value.is_finite()).count();
    if finite(&rest) * 4 < finite(values) {
        return Vec::new();
    }
    let (level, mad) = median_and_mad(&mut sample(&rest));
    let shift = (median_in(values, &greatest.points) - level).max(least);
    let second = segments(&evidence(values, level, shift), weight);
    let departure = |segment: Segment| {
        let within = values.get(segment.points.clone()).unwrap_or_default();
        let shift = median(&mut sample(within)) - level;
        Departure { rows: finite(within), points: segment.points, shift, level, spread: MAD_TO_SD * mad }
    };
    second.into_iter().map(departure).filter(|departure| departure.shift.is_finite()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_sorted_as_total_cmp_sorts_them() {
        let mut values =
            vec![3.5, -2.0, 0.0, -0.0, 1e308, -1e308, f64::INFINITY, f64::NEG_INFINITY, 1e-308, -7.25];
        let in_order = sorted(&values);
        values.sort_by(f64::total_cmp);
        let bits = |values: &[f64]| values.iter().map(|value| value.to_bits()).collect::<Vec<u64>>();
        assert_eq!(bits(&in_order), bits(&values));
        assert!(densest(Vec::new()).is_nan());
        assert_eq!(densest(vec![4.0]), 4.0);
        // Two of three: 1 to 2 is 1 wide, 2 to 5 is 3 wide.
        assert_eq!(densest(vec![5.0, 1.0, 2.0]), 1.5);
    }
}
