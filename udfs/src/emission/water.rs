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

#[cfg(test)]
mod tests {
    use plume_datasets::flags::NORMAL;

    use super::*;
    use crate::emission::control::TouchedHour;
    use crate::emission::substitution::DaySamples;
    use crate::validity::Rulebook;
    use crate::validity::hours::{Hours, Rows};

    const N: f64 = f64::NAN;

    /// Hours from 1970 on; NaN is one without a row.
    fn series(values: &[f64]) -> Hours {
        let grid = 0..values.len() as i64;
        let mut hours = Hours::default();
        hours.reset(&grid, &grid);
        let ts: Vec<i64> = grid.map(|hour| hour * HOUR_US).collect();
        let (ts, value): (Vec<i64>, Vec<f64>) = ts
            .iter()
            .zip(values)
            .filter(|(_, value)| !value.is_nan())
            .map(|(ts, value)| (*ts, *value))
            .unzip();
        hours.settle_reported(Rows { ts: &ts, value: &value, flag: &vec![NORMAL; ts.len()] });
        hours
    }

    /// What is known besides the hours.
    #[derive(Default)]
    struct Beside<'a> {
        control: &'a [TouchedHour],
        samples: &'a [DaySamples],
        passes: &'a [i64],
    }

    /// Masses of concentrations in mg/L and flows in m³ an hour, with what filled them.
    fn substituted(concentration: &[f64], volume_m3: &[f64], beside: &Beside<'_>) -> (HourMasses, Vec<Fill>) {
        let (mut concentration, flow) = (series(concentration), series(volume_m3));
        concentration.without_flow(&flow);
        let rules = Rulebook::by_date().unwrap();
        let carried =
            Carried { concentration: &concentration, flow: &flow, volume_m3: &flow.value, kg_per_unit: 1e-3 };
        let mut masses = HourMasses::default();
        masses.measure(&carried);
        let reach = 0..masses.len() as i64;
        let known = Known {
            captures: &[],
            control: beside.control,
            samples: beside.samples,
            volume_m3: &flow.value,
            kg_per_unit: 1e-3,
            cubic_metres_per_hour: 3.6,
            reach: &reach,
            first_row: 0,
            rules: &rules,
        };
        let wanted = 0..masses.len();
        let mut fills = Vec::new();
        substitute_water(&mut masses, &carried, &known, beside.passes, &wanted, &mut fills);
        (masses, fills)
    }

    /// Days of 24 hours at one concentration each.
    fn days(concentrations: &[f64]) -> Vec<f64> {
        concentrations.iter().flat_map(|concentration| [*concentration; 24]).collect()
    }

    fn total(masses: &HourMasses, hours: Range<usize>) -> f64 {
        masses.kg[hours].iter().sum()
    }

    #[test]
    fn worked_example_of_the_head() {
        let concentration: Vec<f64> = (0..24).map(|hour| if hour < 18 { 40.0 } else { N }).collect();
        let (masses, _) = substituted(&concentration, &[10.0; 24], &Beside::default());
        assert_eq!((masses.method[17], masses.method[18]), (Method::Measured, Method::DayMean));
        assert!((masses.kg[18] - 0.4).abs() < 1e-12);
        assert!((total(&masses, 0..24) - 9.6).abs() < 1e-12); // 40 mg/L × 240 m³
    }

    #[test]
    fn a_day_with_one_result_less_takes_the_greatest_of_thirty_days() {
        // Days of 24 × 10 m³: 0.24 kg at 1 mg/L. 32 valid ones: the second has 9 mg/L, 2.16 kg, but only days 2 to 31
        // are the last thirty: of them day 20 has 5 mg/L, 1.2 kg. Of day 32 17 hours are valid.
        let mut daily = vec![1.0; 32];
        (daily[1], daily[20]) = (9.0, 5.0);
        let mut concentration = days(&daily);
        concentration.extend([[7.0; 17].as_slice(), &[N; 7]].concat());
        let mut volume = vec![10.0; 32 * 24];
        volume.extend([[10.0; 12], [30.0; 12]].concat()); // 480 m³
        let (masses, fills) = substituted(&concentration, &volume, &Beside::default());
        let of_day = 32 * 24..33 * 24;
        assert!(masses.method[of_day.clone()].iter().all(|method| *method == Method::DayPool));
        // By flow: 1.2 × 10 ÷ 480 and 1.2 × 30 ÷ 480.
        assert!((masses.kg[of_day.start] - 0.025).abs() < 1e-12);
        assert!((masses.kg[of_day.end - 1] - 0.075).abs() < 1e-12);
        let pool = fills[0].pool.unwrap();
        assert_eq!((pool.first_hour, pool.last_hour, pool.source_hour), (2 * 24, 31 * 24, 20 * 24));
        assert_eq!(fills[0].anchor, Some(32 * 24 * HOUR_US));
        // An hour without flow: evenly.
        volume[of_day.start + 3] = N;
        let (masses, _) = substituted(&concentration, &volume, &Beside::default());
        assert!(masses.kg[of_day].iter().all(|kg| (kg - 0.05).abs() < 1e-12)); // 1.2 ÷ 24
    }

    #[test]
    fn the_pool_lies_before_the_last_passed_check_or_that_of_a_period_out_of_control() {
        // Days of 0.48, 1.2, 2.4 kg, then an invalid one.
        let concentration = [days(&[2.0, 5.0, 10.0]), vec![N; 24]].concat();
        let kg_is = |beside: &Beside<'_>, kg: f64, anchor: i64| {
            let (masses, fills) = substituted(&concentration, &[10.0; 96], beside);
            assert!((total(&masses, 72..96) - kg).abs() < 1e-12, "{kg} kg");
            assert_eq!(fills[0].anchor, Some(anchor));
        };
        let day = |day: i64| day * DAY_HOURS * HOUR_US;
        kg_is(&Beside::default(), 2.4, day(3));
        // A check that passed at noon of the second day leaves the first alone; one after the day began doesn't count.
        let noon = day(1) + 12 * HOUR_US;
        kg_is(&Beside { passes: &[noon, day(3) + 1], ..Beside::default() }, 0.48, noon);
        kg_is(&Beside { passes: &[noon, day(3)], ..Beside::default() }, 2.4, day(3));
        let lost = TouchedHour { hour: 80, anchor: day(2), covered_us: HOUR_US, overdue: false };
        kg_is(&Beside { control: &[lost], passes: &[noon], ..Beside::default() }, 1.2, day(2));
        // With no day before it nothing stands in.
        let lost = [TouchedHour { anchor: day(0), ..lost }];
        let (masses, _) =
            substituted(&concentration, &[10.0; 96], &Beside { control: &lost, ..Beside::default() });
        assert_eq!(masses.method[72], Method::Unresolved);
    }

    #[test]
    fn four_samples_stand_in_and_three_do_not() {
        let concentration = [days(&[20.0]), vec![N; 24]].concat();
        let sampled = |count: usize| {
            let mut samples = DaySamples { day: 1, ..DaySamples::default() };
            for value in [8.0, 12.0, 9.0, 11.0].into_iter().take(count) {
                samples.add(value, None, false);
            }
            substituted(&concentration, &[10.0; 48], &Beside { samples: &[samples], ..Beside::default() }).0
        };
        // (8 + 12 + 9 + 11) ÷ 4 = 10 mg/L × 10 m³ = 0.1 kg; else the 4.8 kg of the day before over 24 hours.
        assert_eq!(sampled(4).method[24], Method::Manual);
        assert!((sampled(4).kg[24] - 0.1).abs() < 1e-12);
        assert_eq!(sampled(3).method[24], Method::DayPool);
        assert!((sampled(3).kg[24] - 0.2).abs() < 1e-12);
    }

    #[test]
    fn water_that_stood_still_takes_nothing() {
        let concentration = [[5.0; 24], [N; 24]].concat();
        let (masses, _) = substituted(&concentration, &[[10.0; 24], [0.0; 24]].concat(), &Beside::default());
        assert!(masses.method[24..].iter().all(|method| *method == Method::NoFlow));
        assert!((total(&masses, 0..48) - 1.2).abs() < 1e-12); // 5 mg/L × 240 m³, the first day's
    }
}
