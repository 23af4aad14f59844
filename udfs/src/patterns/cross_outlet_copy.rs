//! P7 `cross_outlet_copy`: one outlet sends what another one measured.
//!
//! A logger is fed the neighbour's signal, or rows are copied on the way. Two stacks that nobody
//! joined never give the same figures: over a day their correlation stays far below that of a copy,
//! and if their levels meet, their hours don't.
//!
//! Not every pair is compared. Of each day an outlet's values 8 h apart are three by three rounded to
//! a few per cent and entered in an index; whoever shares several entries of a day with another is
//! compared with it, hour by hour. A copy is a stretch in which most hours differ by less than
//! `difference`, and whose correlation is at least `correlation`.
//!
//! Default: a day of equal hours is suspect, three are certain (ST §6 P7: correlation above 0.999 and
//! median difference below 0.1 % over 24 h; a copy with noise laid over it is no less one, so hours may
//! differ by 1.5 % and the correlation, of which noise takes most on calm days, fall to 0.98). Score: the
//! lesser of that of the hours that agree and that of their median difference. Grains
//! finer than an hour are compared by hourly means, in which a delay of some minutes hardly shows.
//!
//! Excused: outlets declared to share a stack, which the registry tells, not this kernel. Values below
//! detection, with a flag or from a stop are no evidence, and stretches of few different values (`distinct`),
//! where two analysers stand at their floor, are none. Entries that a crowd shares say nothing, so
//! that a copy of values with few decimals is left to others.
//!
//! Both outlets are told; which of them measured the series alone don't tell.
//!
//! Worked example: of two outlets hour h of a day has 100 + 10·(h mod 9) mg/m³ in both, except hours 0
//! and 1, where the second shows 50. Hours 2 to 23, 22 in number, agree and differ by 0 %; with 24 h
//! suspect and 72 h certain the score is 0.5 + 0.5 · (22 − 24) / 48 = 0.479;
//! that of the difference is 1.

use std::collections::BTreeMap;
use std::ops::Range;

use plume_datasets::pattern_thresholds::Grain;

use super::evidence::evidence;
use super::robust::median;
use super::score::score;
use super::segments::segments;
use super::thresholds::Thresholds;
use crate::correlation::corr_pearson::corr_pearson;
use crate::time::DAY_HOURS;

/// Hours of a day, and between the values of an entry.
const DAY: usize = DAY_HOURS as usize;
const APART: usize = 8;

/// The thresholds are those of every factor: a copy is of two outlets, of which each may have its own.
const ANY_FACTOR: &str = "";

/// Two outlets that send the same.
#[derive(Debug, Clone, PartialEq)]
pub struct OutletCopy {
    /// Positions of the two among the outlets compared, the lesser first.
    pub outlets: [usize; 2],
    /// The hours of the copy; the first and the last agree.
    pub hours: Range<usize>,
    /// Hours that agree.
    pub agreeing: usize,
    /// Median relative difference of the hours that both have.
    pub difference: f64,
    /// Their correlation.
    pub correlation: f64,
    /// 0 to 1.
    pub score: f64,
}

/// The thresholds of the pattern.
struct Limits {
    suspect: f64,
    certain: f64,
    suspect_difference: f64,
    certain_difference: f64,
    least: usize,
    distinct: usize,
    difference: f64,
    correlation: f64,
    agreeing: (f64, f64),
    width: f64,
    shared: usize,
    crowd: usize,
}

impl Limits {
    fn of(thresholds: &Thresholds<'_>) -> Self {
        let of = |key| thresholds.of(ANY_FACTOR, Grain::Hour, key);
        let count = |key| of(key).max(1.0) as usize;
        Self {
            suspect: of("suspect"),
            certain: of("certain"),
            suspect_difference: of("suspect_difference"),
            certain_difference: of("certain_difference"),
            least: count("least"),
            distinct: count("distinct"),
            difference: of("difference"),
            correlation: of("correlation"),
            agreeing: evidence(of("within"), of("elsewhere")),
            width: of("width"),
            shared: count("shared"),
            crowd: count("crowd"),
        }
    }
}

/// The copies among outlets of one factor: each outlet's values by hour, on the same hours, NaN where
/// there is none that may be judged. In order of the outlets, then of time.
pub fn copies<T: AsRef<[f32]>>(outlets: &[T], thresholds: &Thresholds<'_>) -> Vec<OutletCopy> {
    let limits = Limits::of(thresholds);
    let outlets: Vec<&[f32]> = outlets.iter().map(AsRef::as_ref).collect();
    let pairs = suspects(&outlets, &limits);
    pairs.into_iter().flat_map(|pair| copies_of(&outlets, pair, &limits)).collect()
}

/// The pairs that share entries of a day, in order.
fn suspects(outlets: &[&[f32]], limits: &Limits) -> Vec<[usize; 2]> {
    let hours = outlets.iter().map(|values| values.len()).max().unwrap_or_default();
    let mut suspects = Vec::new();
    let mut entries: Vec<(u64, u32)> = Vec::new();
    for day in 0..hours.div_ceil(DAY) {
        entries.clear();
        for (outlet, values) in (0_u32..).zip(outlets) {
            entries.extend(entries_of_day(values, day, limits.width).map(|entry| (entry, outlet)));
        }
        entries.sort_unstable();
        let mut shared: BTreeMap<[u32; 2], usize> = BTreeMap::new();
        for same in entries.chunk_by(|a, b| a.0 == b.0).filter(|same| same.len() <= limits.crowd) {
            for (position, (_, first)) in same.iter().enumerate() {
                for (_, second) in same.iter().skip(position + 1) {
                    *shared.entry([*first, *second]).or_default() += 1;
                }
            }
        }
        let enough = shared.into_iter().filter(|(_, shared)| *shared >= limits.shared);
        suspects.extend(enough.map(|(pair, _)| pair.map(|outlet| outlet as usize)));
    }
    suspects.sort_unstable();
    suspects.dedup();
    suspects
}

/// The entries of an outlet's day: three values 8 h apart, and the hour of the first.
fn entries_of_day(values: &[f32], day: usize, width: f64) -> impl Iterator<Item = u64> {
    (0..APART).filter_map(move |hour| {
        let step = |part: usize| {
            let value = f64::from(*values.get(day * DAY + hour + part * APART)?);
            // 16 bits hold any ratio that a float can have, a per cent wide.
            (value > 0.0).then(|| (value.ln() / width).floor() as i64 as u16)
        };
        let steps = [step(0)?, step(1)?, step(2)?].map(u64::from);
        Some(hour as u64 | steps[0] << 8 | steps[1] << 24 | steps[2] << 40)
    })
}

/// The copies of a pair.
fn copies_of(outlets: &[&[f32]], pair: [usize; 2], limits: &Limits) -> Vec<OutletCopy> {
    let [Some(first), Some(second)] = pair.map(|outlet| outlets.get(outlet)) else { return Vec::new() };
    let differences: Vec<f64> = first.iter().zip(*second).map(|(a, b)| difference(*a, *b)).collect();
    let (agrees, differs) = limits.agreeing;
    let says = |difference: &f64| match *difference {
        difference if difference.is_nan() => f64::NAN,
        difference if difference <= limits.difference => agrees,
        _ => differs,
    };
    let says: Vec<f64> = differences.iter().map(says).collect();
    let copy = |hours: Range<usize>| {
        let of = |values: &[f32]| Some(values.get(hours.clone())?.iter().copied().map(f64::from).collect());
        let (one, another): (Vec<f64>, Vec<f64>) = (of(first)?, of(second)?);
        let correlation = corr_pearson(&one, &another)?;
        let of_hours = differences.get(hours.clone())?.iter().copied();
        let mut of_hours: Vec<f64> = of_hours.filter(|difference| !difference.is_nan()).collect();
        let agreeing = of_hours.iter().filter(|difference| **difference <= limits.difference).count();
        let is_copy = correlation >= limits.correlation
            && agreeing >= limits.least
            && distinct(first.get(hours.clone())?) >= limits.distinct;
        if !is_copy {
            return None;
        }
        let difference = median(&mut of_hours);
        let of_length = score(agreeing as f64, limits.suspect, limits.certain);
        let of_difference = score(difference, limits.suspect_difference, limits.certain_difference);
        let score = of_length.min(of_difference);
        Some(OutletCopy { outlets: pair, hours, agreeing, difference, correlation, score })
    };
    segments(&says, agrees).into_iter().filter_map(|segment| copy(segment.points)).collect()
}

/// Different values among those there are.
fn distinct(values: &[f32]) -> usize {
    let mut known: Vec<u32> = values.iter().filter(|value| value.is_finite()).map(|v| v.to_bits()).collect();
    known.sort_unstable();
    known.dedup();
    known.len()
}

/// How far two values lie apart, as a share of the greater; NaN unless both are there.
fn difference(a: f32, b: f32) -> f64 {
    let (a, b) = (f64::from(a), f64::from(b));
    match a.abs().max(b.abs()) {
        0.0 => 0.0,
        greater => (a - b).abs() / greater,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn thresholds() -> Thresholds<'static> {
        Thresholds::general("cross_outlet_copy")
    }

    /// Values that no other outlet has: a walk whose steps a hash of the seed and the hour gives.
    fn walk(seed: u64, hours: usize) -> Vec<f32> {
        let mut level = 100.0_f64;
        let step = |hour: u64| {
            let word = (seed << 32 | hour).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            let word = (word ^ word >> 29).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            ((word >> 40) as f64 / (1 << 24) as f64 - 0.5) * 20.0
        };
        (0..hours as u64)
            .map(|hour| {
                level = 100.0 + (level - 100.0) * 0.8 + step(hour);
                level as f32
            })
            .collect()
    }

    #[test]
    fn worked_example_of_the_head() {
        let first: Vec<f32> = (0..24).map(|hour| 100.0 + 10.0 * (hour % 9) as f32).collect();
        let mut second = first.clone();
        second[..2].fill(50.0);
        let found = copies(&[first, second], &thresholds());
        let [copy] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!((copy.outlets, copy.hours.clone(), copy.agreeing), ([0, 1], 2..24, 22));
        assert_eq!((copy.difference, copy.correlation), (0.0, 1.0));
        assert!((copy.score - (0.5 - 1.0 / 48.0)).abs() < 1e-12);
    }

    #[test]
    fn a_stretch_of_another_outlet_is_found_among_many_to_the_hour() {
        let mut outlets: Vec<Vec<f32>> = (0..40).map(|seed| walk(seed, 24 * 20)).collect();
        // Outlet 7 sends what outlet 31 measured from hour 100 to 300, 0.4 % off every other hour.
        let copied = outlets[31][100..300].iter().zip([1.004, 1.0].into_iter().cycle());
        let copied: Vec<f32> = copied.map(|(value, noise)| value * noise).collect();
        outlets[7][100..300].copy_from_slice(&copied);
        let found = copies(&outlets, &thresholds());
        let [copy] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!((copy.outlets, copy.score), ([7, 31], 1.0));
        assert!(copy.hours.start.abs_diff(100) <= 2 && copy.hours.end.abs_diff(300) <= 2, "{:?}", copy.hours);
        assert!(copy.difference < 0.005);
    }

    #[test]
    fn frozen_values_of_one_level_and_gaps_are_no_copy() {
        assert_eq!(copies(&[vec![5.0; 240], vec![5.0; 240]], &thresholds()), []);
        assert_eq!(copies(&[vec![f32::NAN; 240], vec![f32::NAN; 240]], &thresholds()), []);
        assert_eq!(copies::<Vec<f32>>(&[], &thresholds()), []);
        let one_day = walk(1, 24);
        assert_eq!(copies(&[&one_day[..1], &one_day[..1]], &thresholds()), []);
    }

    #[test]
    fn what_a_crowd_shares_says_nothing() {
        let same = walk(1, 240);
        let crowd = vec![same; 200];
        assert_eq!(copies(&crowd, &thresholds()), []);
    }

    proptest! {
        #[test]
        fn no_input_is_too_odd(
            outlets in prop::collection::vec(prop::collection::vec(prop::num::f32::ANY, 0..60), 0..6),
        ) {
            for copy in copies(&outlets, &thresholds()) {
                prop_assert!((0.0..=1.0).contains(&copy.score));
                prop_assert!(copy.outlets[0] < copy.outlets[1]);
            }
        }

        #[test]
        fn independent_outlets_are_no_copies(seed in 0_u64..1000) {
            let outlets: Vec<Vec<f32>> = (0..30).map(|outlet| walk(seed * 30 + outlet, 24 * 30)).collect();
            prop_assert_eq!(copies(&outlets, &thresholds()), []);
        }
    }
}
