//! What stands in for hours of water that were not measured (HJ 356-2019 8 `recall`).
//!
//! A day is valid if enough of its results due are valid. Then an hour that lacks
//! only its concentration takes the day's flow-weighted mean; one that lacks its flow
//! stays unresolved. An invalid day takes its manual samples if there are enough, else the
//! greatest of the 30 valid daily masses before the last passed check, spread over
//! its running hours by flow, else evenly.
//!
//! Worked example: 18 of 24 hours at 40 mg/L and 10 m³ each, 6 lack their
//! concentration: each of them takes 40 mg/L × 10 m³ = 0.4 kg.

use std::ops::Range;

use plume_datasets::factors::Medium;

use super::masses::{Carried, HourMasses, Method, mass_kg};
use super::substitution::{Fill, Known, Pool, Wants};
use crate::time::{DAY_HOURS, HOUR_US, day_of_hour};

/// A valid day with its mass.
#[derive(Debug, Clone, Copy, PartialEq)]
struct ValidDay {
    day: i64,
    kg: f64,
    measured_hours: u32,
}

/// Substitutes the masses of water on every day of the grid but those of the rule of 2007,
/// whose own mass counts in the pools of others. How
/// hours of `wanted` were filled is appended to `fills`, in order. `passes` are the
/// passed checks of the monitor, in order.
pub fn substitute_water(
    masses: &mut HourMasses,
    series: &Carried<'_>,
    known: &Known<'_>,
    passes: &[i64],
    wanted: &Range<usize>,
    fills: &mut Vec<Fill>,
) -> Wants {
    let mut wants = Wants::default();
    let mut valid_days: Vec<ValidDay> = Vec::new();
    let mut start = 0;
    while start < masses.len() {
        let day = day_of_hour(masses.hour(start));
        let midnight = (day + 1) * DAY_HOURS - masses.first;
        let of_day = start..usize::try_from(midnight).unwrap_or(masses.len()).min(masses.len());
        start = of_day.end;
        let running: Vec<usize> = of_day.filter(|at| masses.method[*at].is_running()).collect();
        if running.is_empty() {
            continue;
        }
        let asked = |at: &usize| wanted.contains(at);
        let by_legacy_mean = known.by_legacy_mean(day);
        match day_mean(series, known, day, &running) {
            Some(mean) => {
                let mean = (!by_legacy_mean).then_some(mean);
                valid_days.push(fill_valid_day(masses, series, known, day, &running, mean));
                if by_legacy_mean {
                    continue;
                }
                let filled = running.iter().filter(|at| asked(at) && masses.method[**at] != Method::Measured);
                fills.extend(filled.map(|at| Fill { position: *at, anchor: None, pool: None }));
            }
            None if by_legacy_mean => {}
            None if fill_by_samples(masses, known, day, &running) => {
                let filled = running.iter().filter(|at| asked(at));
                fills.extend(filled.map(|at| Fill { position: *at, anchor: None, pool: None }));
            }
            None => {
                let anchor = day_anchor(masses, known, passes, day, &running);
                let count = known.rules.emission_at(day).water_pool_days;
                let pool = day_pool(&valid_days, anchor, count);
                let is_short = pool.is_some_and(|(_, days)| days < count) && running.iter().any(asked);
                // A day that no pool fills may break a gap that one would not.
                wants.earlier |= (is_short || pool.is_none()) && known.has_earlier(masses);
                let pool = pool.map(|(pool, _)| pool);
                if let Some(pool) = pool {
                    spread(masses, known, &running, pool.kg);
                }
                let filled = running.iter().filter(|at| asked(at) && masses.method[**at] != Method::Measured);
                fills.extend(filled.map(|at| Fill { position: *at, anchor: Some(anchor), pool }));
            }
        }
    }
    wants
}

/// The flow-weighted mean of a valid day; `None` of a day that isn't.
fn day_mean(series: &Carried<'_>, known: &Known<'_>, day: i64, running: &[usize]) -> Option<f64> {
    let valid = running.iter().filter(|at| series.concentration.state[**at].is_valid());
    let required = known.rules.at(day).required_hours(Medium::Water, running.len() as u32);
    if (valid.clone().count() as u32) < required {
        return None;
    }
    let (mut weighted, mut weight) = (0.0, 0.0);
    for &at in valid {
        let volume_m3 = known.volume_m3[at];
        if volume_m3 > 0.0 {
            weighted += series.concentration.value[at] * volume_m3;
            weight += volume_m3;
        }
    }
    (weight > 0.0).then(|| weighted / weight)
}

/// Gives the day's mean, if hours may take it, to those that lack only their concentration.
fn fill_valid_day(
    masses: &mut HourMasses,
    series: &Carried<'_>,
    known: &Known<'_>,
    day: i64,
    running: &[usize],
    mean: Option<f64>,
) -> ValidDay {
    let mut valid = ValidDay { day, kg: 0.0, measured_hours: 0 };
    for &at in running {
        if masses.method[at] == Method::Measured {
            valid.measured_hours += 1;
        } else if let Some(mean) = mean.filter(|_| series.flow.state[at].is_valid()) {
            masses.method[at] = Method::DayMean;
            masses.kg[at] = mass_kg(mean, known.volume_m3[at], known.kg_per_unit);
        } else {
            continue;
        }
        valid.kg += masses.kg[at];
    }
    valid
}

/// Fills an invalid day by its manual samples, if there are enough and every hour's m³ are known.
fn fill_by_samples(masses: &mut HourMasses, known: &Known<'_>, day: i64, running: &[usize]) -> bool {
    let needed = known.rules.emission_at(day).water_manual_samples;
    let Some(samples) = known.samples_of(day).filter(|samples| samples.count >= needed) else { return false };
    let by_samples = samples.volume_m3(known.cubic_metres_per_hour);
    let volume = |at: usize| {
        let own = known.volume_m3[at];
        if own.is_nan() { by_samples } else { own }
    };
    if running.iter().any(|at| volume(*at).is_nan()) {
        return false;
    }
    let mean = samples.sum / samples.count as f64;
    for &at in running {
        masses.method[at] = Method::Manual;
        masses.kg[at] = mass_kg(mean, volume(at), known.kg_per_unit);
    }
    true
}

/// The moment before whose day the pool of an invalid day lies: where a monitor was
/// not to be trusted its last passed check, else the last passed check, else the day itself.
fn day_anchor(masses: &HourMasses, known: &Known<'_>, passes: &[i64], day: i64, running: &[usize]) -> i64 {
    let touched = running.iter().filter_map(|at| known.control_at(masses.hour(*at)));
    if let Some(anchor) = touched.map(|hour| hour.anchor).min() {
        return anchor;
    }
    let midnight = day * DAY_HOURS * HOUR_US;
    let earlier = passes.partition_point(|ts| *ts <= midnight);
    earlier.checked_sub(1).and_then(|last| passes.get(last)).copied().unwrap_or(midnight)
}

/// The last `count` valid days wholly before a moment, as a pool, and how many they are.
fn day_pool(valid_days: &[ValidDay], anchor: i64, count: usize) -> Option<(Pool, usize)> {
    let anchor_day = anchor.div_euclid(DAY_HOURS * HOUR_US);
    let end = valid_days.partition_point(|day| day.day < anchor_day);
    let days = &valid_days[end.saturating_sub(count)..end];
    let (first, last) = (days.first()?, days.last()?);
    let greatest = days.iter().rev().reduce(|best, day| if day.kg >= best.kg { day } else { best })?;
    let pool = Pool {
        first_hour: first.day * DAY_HOURS,
        last_hour: last.day * DAY_HOURS,
        hours: days.iter().map(|day| day.measured_hours).sum(),
        source_hour: greatest.day * DAY_HOURS,
        kg: greatest.kg,
    };
    Some((pool, days.len()))
}

/// Spreads a day's mass over its running hours: by flow where every one is valid, else evenly.
fn spread(masses: &mut HourMasses, known: &Known<'_>, running: &[usize], kg: f64) {
    let whole: f64 = running.iter().map(|at| known.volume_m3[*at]).sum();
    for &at in running {
        // A sum with NaN is NaN, which is not greater than 0.
        let share = if whole > 0.0 { known.volume_m3[at] / whole } else { 1.0 / running.len() as f64 };
        masses.method[at] = Method::DayPool;
        masses.kg[at] = kg * share;
    }
}
