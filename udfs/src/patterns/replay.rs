//! P6 `replay` (历史回放): a stretch of the past is sent again.
//!
//! Mechanism: recorded values of a good time are played back, as they are or with a little noise.
//!
//! Formula: `keys` consecutive hours make a key of their logarithms, cut to bins as wide as half of `bin`
//! to `bin`. Where a key occurs again, that votes for the distance to when it last did. At each distance
//! with `votes` or more, an hour speaks for a replay where it equals the hour that long ago within
//! `tolerance`, else against; the stretch of greatest evidence is the replay; those that follow one
//! another (`join`) are one deed, whose source was played more than once. Score: its hours equal to the
//! past, `suspect` → 0.5, `certain` → 1.
//!
//! Excused: constants and calm, whose keys hold too few different bins (`distinct`), and hours that are,
//! now and then, what they were an hour before; batches and days that are alike by themselves, which
//! equal the past in the rest of the series, too, or one period of up to `cycle` before (`periodic`).
//!
//! Example: of 100 hours 96 equal those 720 hours before within 2.5 %: with `suspect` 24 and `certain`
//! 72, `suspect_share` 0.8 and `certain_share` 0.95 the score is 1; the rest of the series does so in 8 %, which chance gives.

use std::ops::Range;

use super::evidence::{evidence, says};
use super::hit::{Evidence, Hit};
use super::outlet::{FactorSeries, Outlet};
use super::score::score;
use super::segments::greatest;
use super::thresholds::Thresholds;

/// What makes a replay.
#[derive(Debug, Clone, Copy)]
pub struct ReplayRule {
    /// Points in a key.
    pub keys: usize,
    /// Width of a bin, as a share of the value.
    pub bin: f64,
    /// Different bins in a key, at least.
    pub distinct: usize,
    /// Votes that make a distance worth a look.
    pub votes: usize,
    /// Distances that are looked at.
    pub distances: usize,
    /// Relative deviation within which two points are equal.
    pub tolerance: f64,
    /// Share of equal points within a replay.
    pub within: f64,
    /// Share of equal points that chance gives.
    pub elsewhere: f64,
    /// Share of equal points in the rest of the series from which on it is periodic.
    pub periodic: f64,
    /// Points of the longest period that a plant has by itself.
    pub cycle: usize,
    /// Points that may lie between two replays of one deed.
    pub join: usize,
    /// Equal points that make a replay.
    pub least: usize,
}

/// A replayed stretch.
#[derive(Debug, Clone, PartialEq)]
pub struct Replay {
    /// Its points.
    pub points: Range<usize>,
    /// Points between it and its source.
    pub distance: usize,
    /// Points that equal their source.
    pub equal: usize,
    /// Points that can be compared.
    pub rows: usize,
}

/// Looks for the pattern in an outlet.
pub fn detect(outlet: &Outlet, thresholds: &Thresholds<'_>) -> Vec<Hit> {
    outlet.pollutants().flat_map(|series| of_series(series, thresholds)).collect()
}

fn of_series(series: &FactorSeries, thresholds: &Thresholds<'_>) -> Vec<Hit> {
    let points = series.hours();
    let of = |key| thresholds.of(&series.factor, points.grid.grain(), key);
    let rule = ReplayRule {
        keys: of("keys") as usize,
        bin: of("bin"),
        distinct: of("distinct") as usize,
        votes: of("votes") as usize,
        distances: of("distances") as usize,
        tolerance: of("tolerance"),
        within: of("within"),
        elsewhere: of("elsewhere"),
        periodic: of("periodic"),
        cycle: points.grid.points(of("cycle")),
        join: points.grid.points(of("join")),
        least: points.grid.points(of("suspect")),
    };
    let drift = series.monitor.range_high * of("floor");
    let values = points.usable_above(drift);
    let hit = |replay: Replay| {
        let share = replay.equal as f64 / replay.rows.max(1) as f64;
        let of_hours = score(points.grid.hours(replay.equal), of("suspect"), of("certain"));
        let of_share = score(share, of("suspect_share"), of("certain_share"));
        let source = points.grid.ts(replay.points.start.saturating_sub(replay.distance));
        let evidence = Evidence::default()
            .time("source_started", source)
            .number("hours_before", points.grid.hours(replay.distance))
            .number("equal_share", share);
        series.hit(points.span(&replay.points), of_hours.min(of_share), replay.rows, evidence)
    };
    replay(&values, &rule).into_iter().map(hit).collect()
}

/// The stretches of values that equal earlier ones, in order, none overlapping another. NaN
/// says nothing, and values must be above 0 to be compared.
pub fn replay(values: &[f64], rule: &ReplayRule) -> Vec<Replay> {
    let mut found: Vec<Replay> = distances(values, rule)
        .into_iter()
        .filter_map(|distance| at_distance(values, distance, rule))
        .collect();
    found.sort_by(|a, b| b.equal.cmp(&a.equal).then(a.distance.cmp(&b.distance)));
    let mut clearest: Vec<Replay> = Vec::new();
    for replay in found {
        let is_apart =
            |of: &Replay| of.points.end <= replay.points.start || replay.points.end <= of.points.start;
        if clearest.iter().all(is_apart) {
            clearest.push(replay);
        }
    }
    joined(clearest, rule.join)
}

/// A place of a table of keys that holds none, and a bin that isn't known.
const NONE: u32 = u32::MAX;
const UNKNOWN: i64 = i64::MIN;

/// The distances that most keys vote for.
fn distances(values: &[f64], rule: &ReplayRule) -> Vec<usize> {
    let mut votes = votes(values, rule);
    votes.sort_unstable();
    let weights = evidence(rule.within, rule.elsewhere);
    let is_vote =
        |votes: &&[(u32, u32)]| votes.len() >= rule.votes && is_worth_a_look(values, votes, rule, weights);
    let of_distance = votes.chunk_by(|a, b| a.0 == b.0).filter(is_vote);
    let counted = of_distance.filter_map(|votes| votes.first().map(|vote| (votes.len(), vote.0 as usize)));
    let mut counted: Vec<(usize, usize)> = counted.collect();
    counted.sort_unstable_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
    counted.into_iter().take(rule.distances).map(|(_, distance)| distance).collect()
}

/// Whether the hours around the votes of a distance equal their past for long enough; where votes lie
/// far from one another they may.
fn is_worth_a_look(values: &[f64], votes: &[(u32, u32)], rule: &ReplayRule, weights: (f64, f64)) -> bool {
    let (Some((distance, first)), Some((_, last))) = (votes.first(), votes.last()) else { return false };
    let (distance, first, last) = (*distance as usize, *first as usize, *last as usize);
    if last - first > 2 * rule.least {
        return true;
    }
    let reach = first.saturating_sub(rule.least).max(distance)..last + rule.keys + rule.least;
    let found = greatest(speaks(values, distance, rule.tolerance, weights, reach));
    found.is_some_and(|found| found.points.len() >= rule.least)
}

/// Where a key occurs again, how far behind the one before, and where: `(distance, place)`.
fn votes(values: &[f64], rule: &ReplayRule) -> Vec<(u32, u32)> {
    const ODD: u64 = 0x9E37_79B9_7F4A_7C15;
    let keys = rule.keys.max(1);
    if values.len() >= NONE as usize / 4 {
        return Vec::new();
    }
    // The bits of a float are its logarithm to the base 2, with straight lines between powers; that is
    // as good for bins as a logarithm, and far faster.
    let per_bit = 1.0 / (rule.bin * (1_u64 << 52) as f64).max(1.0);
    let bin = |value: &f64| {
        let is_known = *value > 0.0 && value.is_finite();
        if is_known { (value.to_bits() as f64 * per_bit) as i64 } else { UNKNOWN }
    };
    let bins: Vec<i64> = values.iter().map(bin).collect();
    // The latest place of each key, found by a part of it and then one after another. Twice as many slots
    // as places, so that most are free.
    let size = (2 * bins.len() + 1).next_power_of_two();
    let shift = 64 - size.trailing_zeros();
    let mut latest = vec![NONE; size];
    let mut keys_at = vec![0_u64; bins.len()];
    let leaving = (0..keys).fold(1_u64, |power, _| power.wrapping_mul(ODD));
    let (mut key, mut known) = (0_u64, 0);
    let mut votes = Vec::new();
    for (at, bin) in bins.iter().copied().enumerate() {
        if bin == UNKNOWN {
            (key, known) = (0, 0);
            continue;
        }
        // A polynomial of the bins: a new one comes in, the oldest leaves.
        key = key.wrapping_mul(ODD).wrapping_add(bin as u64);
        known += 1;
        if known > keys {
            let oldest =
                at.checked_sub(keys).and_then(|oldest| bins.get(oldest)).copied().unwrap_or_default();
            key = key.wrapping_sub(leaving.wrapping_mul(oldest as u64));
        }
        if known < keys {
            continue;
        }
        if let Some(of_place) = keys_at.get_mut(at) {
            *of_place = key;
        }
        let mut slot = (key.wrapping_mul(ODD) >> shift) as usize;
        while let Some(place) = latest.get_mut(slot) {
            if *place != NONE && keys_at.get(*place as usize) != Some(&key) {
                slot = (slot + 1) % size;
                continue;
            }
            let distance = (at as u32).wrapping_sub(*place);
            let is_vote = *place != NONE && distance as usize >= keys;
            if is_vote && has_distinct(bins.get(at + 1 - keys..=at).unwrap_or_default(), rule.distinct) {
                votes.push((distance, at as u32));
            }
            *place = at as u32;
            break;
        }
    }
    votes
}

/// Whether a window has so many different bins.
fn has_distinct(window: &[i64], distinct: usize) -> bool {
    let is_first = |(at, bin): &(usize, &i64)| !window.iter().take(*at).any(|before| before == *bin);
    window.iter().enumerate().filter(is_first).count() >= distinct
}

/// Whether a value equals that a distance before it; none where one of them isn't known, or where both
/// are what they were just before, as at a floor.
fn is_equal(now: &[f64], then: &[f64], tolerance: f64) -> Option<bool> {
    let ([before, now], [then_before, then]) = (now, then) else { return None };
    let off = (now - then).abs();
    let stays = now == before && then == then_before;
    (!off.is_nan() && !stays).then_some(off <= tolerance * then.abs())
}

/// Whether the points of a reach, from its second on, equal those a distance before, which there must be.
fn equal(
    values: &[f64],
    distance: usize,
    tolerance: f64,
    reach: Range<usize>,
) -> impl Iterator<Item = Option<bool>> {
    let now = values.get(reach.start..reach.end.min(values.len())).unwrap_or_default();
    let then = reach.start.checked_sub(distance).and_then(|from| values.get(from..)).unwrap_or_default();
    now.windows(2).zip(then.windows(2)).map(move |(now, then)| is_equal(now, then, tolerance))
}

/// What points of a reach, from its second on, say of a replay at a distance: the one weight where they
/// are equal, the other where they aren't.
fn speaks(
    values: &[f64],
    distance: usize,
    tolerance: f64,
    weights: (f64, f64),
    reach: Range<usize>,
) -> impl Iterator<Item = f64> {
    equal(values, distance, tolerance, reach).map(move |is| says(is, weights))
}

/// The clearest stretch of values that equal those at a distance before them.
fn at_distance(values: &[f64], distance: usize, rule: &ReplayRule) -> Option<Replay> {
    let weights = evidence(rule.within, rule.elsewhere);
    let found = greatest(speaks(values, distance, rule.tolerance, weights, distance..values.len()))?.points;
    let count = |reach: Range<usize>| {
        let known = equal(values, distance, rule.tolerance, reach).flatten();
        known.fold((0, 0), |(equal, all), is| (equal + usize::from(is), all + 1))
    };
    // From the point before its first, which tells whether that stays.
    let (equal, rows) = count(found.start + distance..found.end + distance + 1);
    let (all_equal, all) = count(distance..values.len());
    let points = found.start + distance + 1..found.end + distance + 1;
    let is_alike = (all_equal - equal) as f64 > rule.periodic * (all - rows) as f64;
    (equal >= rule.least && !is_alike && !is_periodic(values, &points, rule)).then_some(Replay {
        points,
        distance,
        equal,
        rows,
    })
}

/// Whether values equal those one period before, at any period of up to `cycle` points.
fn is_periodic(values: &[f64], points: &Range<usize>, rule: &ReplayRule) -> bool {
    let inside = values.get(points.clone()).unwrap_or_default();
    // Steps of a smooth series are small; a period begins where it has moved away.
    (rule.keys..=rule.cycle).any(|period| {
        let pairs =
            || inside.iter().zip(inside.iter().skip(period)).filter(|(a, b)| !a.is_nan() && !b.is_nan());
        let equal = pairs().filter(|(a, b)| (*b - *a).abs() <= rule.tolerance * a.abs()).count();
        equal as f64 > rule.periodic * pairs().count() as f64
    })
}

/// Replays that follow one another within `join` points as one, at the distance of the longest.
fn joined(mut replays: Vec<Replay>, join: usize) -> Vec<Replay> {
    replays.sort_by_key(|replay| replay.points.start);
    let mut joined: Vec<(usize, Replay)> = Vec::new();
    for replay in replays {
        match joined.last_mut().filter(|(_, last)| replay.points.start <= last.points.end + join) {
            Some((longest, last)) => {
                if replay.equal > *longest {
                    (*longest, last.distance) = (replay.equal, replay.distance);
                }
                last.points.end = replay.points.end;
                last.equal += replay.equal;
                last.rows += replay.rows;
            }
            None => joined.push((replay.equal, replay)),
        }
    }
    joined.into_iter().map(|(_, replay)| replay).collect()
}

#[cfg(test)]
mod tests {
    use super::super::survival::{assert_found, even, found, hourly, stack, survives, two_decimals};
    use super::*;

    const NAME: &str = "replay";

    fn replayed(noise: f64) -> Vec<f64> {
        let mut values = stack(51, 4320);
        values.copy_within(0..1440, 1800);
        for (value, part) in values[1800..3240].iter_mut().zip(even(52, 1440)) {
            // Evenly spread over ±√3 × noise: a standard deviation of noise.
            *value = two_decimals(*value * (1.0 + (part - 0.5) * 12.0_f64.sqrt() * noise));
        }
        values
    }

    #[test]
    fn the_planted_replay_is_found_at_every_strength() {
        for noise in [0.01, 0.005, 0.0] {
            assert_found(NAME, detect, &hourly(replayed(noise)), 1800, 3240, 2);
        }
        let hits = found(NAME, detect, &hourly(replayed(0.0)));
        assert_eq!(hits[0].evidence.number_of("hours_before"), Some(1800.0));
    }

    #[test]
    fn alike_days_and_batches_are_excused() {
        assert!(found(NAME, detect, &hourly(stack(53, 4320))).is_empty());
        let noise = even(54, 4320);
        for period in [8.0, 12.0, 24.0] {
            let wave = |at: usize| 1.0 + 0.4 * (at as f64 * std::f64::consts::TAU / period).sin();
            let days = noise.iter().enumerate().map(|(at, part)| 20.0 * wave(at) * (0.99 + 0.02 * part));
            assert!(found(NAME, detect, &hourly(days.collect())).is_empty(), "{period}");
        }
    }

    #[test]
    fn the_worked_example() {
        let mut values = stack(55, 2000);
        values.copy_within(480..580, 1200);
        // Four of the hundred are another value.
        for at in [1220, 1240, 1260, 1280] {
            values[at] *= 1.5;
        }
        let found = found(NAME, detect, &hourly(values));
        assert_eq!((found.len(), found[0].score, found[0].rows), (1, 1.0, 100));
        assert_eq!(found[0].evidence.number_of("equal_share"), Some(0.96));
    }

    #[test]
    fn nothing_makes_it_fall_over() {
        survives(NAME, detect);
    }
}
