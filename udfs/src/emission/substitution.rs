//! What stands in for hours that were not measured.
//!
//! Only the mass is substituted. A **gap** is a run of running hours that were not
//! measured; hours of stopped production neither extend nor break it. Gas
//! (HJ 75-2017 12.2.3, 180/720/2160 h `standard`, anchors `standard`, clause `recall`):
//!
//! | capture of the hour's quarter | gap | greatest mass of the measured hours before the anchor |
//! |---|---|---|
//! | at least 90 % | up to 24 h | 180 |
//! | at least 90 % | longer | 720 |
//! | 75 to below 90 % | any | 2160 |
//! | below 75 % | any | none: unresolved |
//!
//! The **anchor** is the gap's start (table 6); where a monitor was out of control or
//! overdue, its last passed check before (table 5). Manual samples go first. Water is
//! told in [`water`](super::water).
//!
//! Worked example: capture 95 %, hours 10 and 11 missing, hours 0 to 9 measured with
//! 1 … 10 kg: the pool has ten hours, both missing ones take 10 kg of hour 9.

use std::ops::Range;

use super::capture::Capture;
use super::control::TouchedHour;
use super::masses::{HourMasses, Method};
use super::rules::WaterSubstitution;
use crate::time::{DAY_HOURS, HOUR_US, day_of_hour};
use crate::validity::Rulebook;

/// Manual samples of one day of one series.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct DaySamples {
    /// The day, counted from 1970-01-01.
    pub day: i64,
    /// Samples with a value.
    pub count: usize,
    /// Those by the reference method.
    pub reference_count: usize,
    /// Their sum, in the factor's unit.
    pub sum: f64,
    /// The sum of those by the reference method.
    pub reference_sum: f64,
    /// Sum of the flows that came with them.
    pub flow_sum: f64,
    /// Samples that came with a flow.
    pub flow_count: usize,
}

impl DaySamples {
    /// Counts a sample in, with the flow that came with it.
    pub fn add(&mut self, value: f64, flow: Option<f64>, by_reference_method: bool) {
        self.count += 1;
        self.sum += value;
        if by_reference_method {
            self.reference_count += 1;
            self.reference_sum += value;
        }
        if let Some(flow) = flow {
            self.flow_count += 1;
            self.flow_sum += flow;
        }
    }

    /// m³ an hour by the samples' flow; NaN where none came with one.
    pub fn volume_m3(&self, cubic_metres_per_hour: f64) -> f64 {
        self.flow_sum / self.flow_count as f64 * cubic_metres_per_hour
    }
}

/// What is known of a series besides its hours.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// The capture of each quarter asked for.
    pub captures: &'a [Capture],
    /// Hours in which the monitor of the concentration or of the flow was not to be trusted, in order.
    pub control: &'a [TouchedHour],
    /// Manual samples by day.
    pub samples: &'a [DaySamples],
    /// m³ of each hour; NaN where the flow is not valid.
    pub volume_m3: &'a [f64],
    /// kg in one unit of concentration × 1 m³.
    pub kg_per_unit: f64,
    /// m³ an hour in one unit of flow.
    pub cubic_metres_per_hour: f64,
    /// The hours in which the series is due or has rows, on the grid or not.
    pub reach: &'a Range<i64>,
    /// The first hour with a row of any series, on the grid or not.
    pub first_row: i64,
    /// The numbers in force.
    pub rules: &'a Rulebook,
}

impl Known<'_> {
    pub(super) fn samples_of(&self, day: i64) -> Option<&DaySamples> {
        let at = self.samples.binary_search_by_key(&day, |samples| samples.day).ok()?;
        self.samples.get(at)
    }

    pub(super) fn control_at(&self, hour: i64) -> Option<&TouchedHour> {
        let at = self.control.binary_search_by_key(&hour, |touched| touched.hour).ok()?;
        self.control.get(at)
    }

    /// Whether water is substituted by the rule of 2007 on a day.
    pub(super) fn by_legacy_mean(&self, day: i64) -> bool {
        self.rules.emission_at(day).water_substitution == WaterSubstitution::LegacyMean
    }

    /// Whether rows before the grid may still be told.
    pub(super) fn has_earlier(&self, masses: &HourMasses) -> bool {
        self.first_row.max(self.reach.start) < masses.first
    }

    fn capture_at(&self, hour: i64) -> Option<&Capture> {
        self.captures.iter().find(|capture| (capture.first_hour..capture.end_hour).contains(&hour))
    }
}

/// Hours beside the grid without which an answer can't be told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wants {
    /// Hours before it.
    pub earlier: bool,
    /// Hours after it.
    pub later: bool,
}

impl Wants {
    /// Both together.
    pub fn add(&mut self, other: Self) {
        self.earlier |= other.earlier;
        self.later |= other.later;
    }
}

/// A run of running hours that were not measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// Position of its first hour.
    pub first: usize,
    /// Position after its last.
    pub end: usize,
    /// Its running hours.
    pub hours: u32,
}

/// The gaps that reach into `wanted`, in order, and whether one of them may go on beside the grid.
pub fn gaps(masses: &HourMasses, wanted: &Range<usize>, reach: &Range<i64>, out: &mut Vec<Gap>) -> Wants {
    out.clear();
    let mut wants = Wants::default();
    let is_gap = |method: &Method| method.is_running() && *method != Method::Measured;
    let measured_before = masses.method[..wanted.start].iter().rposition(|m| *m == Method::Measured);
    let mut position = measured_before.map_or(0, |measured| measured + 1);
    while let Some(first) = masses.method[position..].iter().position(is_gap).map(|at| position + at) {
        if first >= wanted.end {
            break;
        }
        let measured = masses.method[first..].iter().position(|method| *method == Method::Measured);
        let reached = measured.map_or(masses.len(), |at| first + at);
        let of_gap = &masses.method[first..reached];
        let last = of_gap.iter().rposition(is_gap).map_or(first, |at| first + at);
        position = reached;
        if last < wanted.start {
            continue;
        }
        out.push(Gap { first, end: last + 1, hours: of_gap.iter().filter(|m| is_gap(m)).count() as u32 });
        let opens_before = !masses.method[..first].contains(&Method::Measured);
        wants.earlier |= opens_before && reach.start < masses.first;
        wants.later |= measured.is_none() && reach.end > masses.hour(masses.len());
    }
    wants
}

/// The measured hours that a substitute was taken from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pool {
    /// The first of them, counted from 1970.
    pub first_hour: i64,
    /// The last of them.
    pub last_hour: i64,
    /// How many they are.
    pub hours: u32,
    /// The hour with the greatest mass; the earliest of equals.
    pub source_hour: i64,
    /// That mass, kg.
    pub kg: f64,
}

/// Hours of a block.
const BLOCK: usize = 32;

/// How many hours of each block were measured, and the greatest mass of them, so that
/// a pool of thousands of hours is looked through by the block.
struct MeasuredBlocks {
    blocks: Vec<(usize, f64)>,
}

impl MeasuredBlocks {
    /// The blocks of a grid. Substitutes that come later are not measured and change none.
    fn of(masses: &HourMasses) -> Self {
        let blocks = masses.method.chunks(BLOCK).zip(masses.kg.chunks(BLOCK));
        Self {
            blocks: blocks.map(|(methods, kg)| (measured_in(methods), greatest_in(methods, kg))).collect(),
        }
    }

    /// The last `count` measured hours before a position.
    fn pool(&self, masses: &HourMasses, before: usize, count: usize) -> Option<Pool> {
        let before = before.min(masses.len());
        let last = masses.method[..before].iter().rposition(|method| *method == Method::Measured)?;
        let (mut start, mut hours) = (last + 1, 0);
        let (mut greatest, mut holds_it) = (f64::NEG_INFINITY, 0..0);
        while start > 0 && hours < count {
            let mut block = (start - 1) / BLOCK * BLOCK..start;
            let whole = self.blocks.get(block.start / BLOCK).filter(|_| block.len() == BLOCK);
            let (mut measured, mut here) = whole.copied().unwrap_or_else(|| of_block(masses, &block));
            if hours + measured > count {
                while hours + measured > count {
                    measured -= usize::from(masses.method[block.start] == Method::Measured);
                    block.start += 1;
                }
                here = of_block(masses, &block).1;
            }
            // Of equals the earliest counts, and blocks go back in time.
            if measured > 0 && here >= greatest {
                (greatest, holds_it) = (here, block.clone());
            }
            hours += measured;
            start = block.start;
        }
        let is_measured = |position: &usize| masses.method[*position] == Method::Measured;
        let first = (start..=last).find(is_measured)?;
        let source = holds_it.filter(is_measured).find(|position| masses.kg[*position] >= greatest)?;
        Some(Pool {
            first_hour: masses.hour(first),
            last_hour: masses.hour(last),
            hours: hours as u32,
            source_hour: masses.hour(source),
            kg: greatest,
        })
    }
}

fn of_block(masses: &HourMasses, block: &Range<usize>) -> (usize, f64) {
    let methods = &masses.method[block.clone()];
    (measured_in(methods), greatest_in(methods, &masses.kg[block.clone()]))
}

fn measured_in(methods: &[Method]) -> usize {
    methods.iter().filter(|method| **method == Method::Measured).count()
}

/// The greatest mass of measured hours; −∞ where none is.
fn greatest_in(methods: &[Method], kg: &[f64]) -> f64 {
    let measured = methods.iter().zip(kg).filter(|(method, _)| **method == Method::Measured);
    measured.map(|(_, kg)| *kg).fold(f64::NEG_INFINITY, f64::max)
}

/// How one hour of a gap was filled.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fill {
    /// The hour's position.
    pub position: usize,
    /// The moment before which the pool lies, µs.
    pub anchor: Option<i64>,
    /// What its mass was taken from.
    pub pool: Option<Pool>,
}

/// Substitutes the masses of gas in the gaps that reach into `wanted`. How each
/// hour was filled is appended to `fills`, in order.
pub fn substitute_gas(
    masses: &mut HourMasses,
    known: &Known<'_>,
    gaps: &[Gap],
    wanted: &Range<usize>,
    fills: &mut Vec<Fill>,
) -> Wants {
    let mut wants = Wants::default();
    if gaps.is_empty() {
        return wants;
    }
    let blocks = MeasuredBlocks::of(masses);
    let mut last: Option<((i64, usize), Option<Pool>)> = None;
    for gap in gaps {
        for position in gap.first.max(wanted.start)..gap.end.min(wanted.end) {
            if masses.method[position] != Method::Unresolved {
                continue;
            }
            if fill_by_reference(masses, known, position) {
                fills.push(Fill { position, anchor: None, pool: None });
                continue;
            }
            let hour = masses.hour(position);
            let rules = known.rules.emission_at(day_of_hour(hour));
            let (method, count) = match known.capture_at(hour) {
                Some(Capture { high: true, .. }) if gap.hours <= rules.gap_short_hours => {
                    (Method::ShortPool, rules.pool_short_hours)
                }
                Some(Capture { high: true, .. }) => (Method::LongPool, rules.pool_long_hours),
                Some(Capture { usable: true, .. }) => (Method::LowCapturePool, rules.pool_low_capture_hours),
                _ => continue,
            };
            let anchor = known.control_at(hour).map_or(masses.hour(gap.first) * HOUR_US, |hour| hour.anchor);
            let pool = match last {
                Some((key, pool)) if key == (anchor, count) => pool,
                _ => pool_before(masses, &blocks, anchor, count),
            };
            last = Some(((anchor, count), pool));
            wants.earlier |=
                pool.is_none_or(|pool| (pool.hours as usize) < count) && known.has_earlier(masses);
            if let Some(pool) = pool {
                masses.method[position] = method;
                masses.kg[position] = pool.kg;
            }
            fills.push(Fill { position, anchor: Some(anchor), pool });
        }
    }
    wants
}

/// The last measured hours that start before a moment.
fn pool_before(masses: &HourMasses, blocks: &MeasuredBlocks, anchor: i64, count: usize) -> Option<Pool> {
    let hours_before = anchor.saturating_sub(masses.first * HOUR_US).div_euclid(HOUR_US)
        + i64::from(anchor.rem_euclid(HOUR_US) != 0);
    blocks.pool(masses, usize::try_from(hours_before).unwrap_or_default(), count)
}

/// Fills an hour by the day's samples of the reference method, if there are any.
fn fill_by_reference(masses: &mut HourMasses, known: &Known<'_>, position: usize) -> bool {
    let Some(samples) = known.samples_of(masses.hour(position).div_euclid(DAY_HOURS)) else { return false };
    let own = known.volume_m3[position];
    let volume_m3 = if own.is_nan() { samples.volume_m3(known.cubic_metres_per_hour) } else { own };
    if samples.reference_count == 0 || volume_m3.is_nan() {
        return false;
    }
    let mean = samples.reference_sum / samples.reference_count as f64;
    masses.method[position] = Method::Manual;
    masses.kg[position] = super::masses::mass_kg(mean, volume_m3, known.kg_per_unit);
    true
}

/// Substitutes by the rule of 2007 on the days on which it is in force: what an hour lacks, concentration or flow, is
/// the mean of the equally long run of measured hours before its gap. `concentration`
/// is NaN where it isn't valid.
pub fn substitute_by_legacy_mean(
    masses: &mut HourMasses,
    known: &Known<'_>,
    concentration: &[f64],
    gaps: &[Gap],
    wanted: &Range<usize>,
    fills: &mut Vec<Fill>,
) -> Wants {
    let mut wants = Wants::default();
    for gap in gaps {
        let of_gap = gap.first.max(wanted.start)..gap.end.min(wanted.end);
        let lacks = |masses: &HourMasses, at: usize| {
            masses.method[at] == Method::Unresolved && known.by_legacy_mean(day_of_hour(masses.hour(at)))
        };
        if !of_gap.clone().any(|at| lacks(masses, at)) {
            continue;
        }
        let count = gap.hours as usize;
        let before: Vec<usize> =
            (0..gap.first).rev().filter(|at| masses.method[*at] == Method::Measured).take(count).collect();
        wants.earlier |= before.len() < count && known.has_earlier(masses);
        let mean = |of: &[f64]| before.iter().rev().map(|at| of[*at]).sum::<f64>() / before.len() as f64;
        let (mean_concentration, mean_volume) = (mean(concentration), mean(known.volume_m3));
        let anchor = Some(masses.hour(gap.first) * HOUR_US);
        let pool = before.last().zip(before.first()).map(|(first, last)| Pool {
            first_hour: masses.hour(*first),
            last_hour: masses.hour(*last),
            hours: before.len() as u32,
            source_hour: masses.hour(*first),
            kg: f64::NAN,
        });
        let own = concentration.iter().zip(known.volume_m3).enumerate();
        for (position, (&value, &volume_m3)) in own.take(of_gap.end).skip(of_gap.start) {
            if !lacks(masses, position) {
                continue;
            }
            fills.push(Fill { position, anchor, pool });
            if pool.is_none() {
                continue;
            }
            let or = |own: f64, mean: f64| if own.is_nan() { mean } else { own };
            let (value, volume_m3) = (or(value, mean_concentration), or(volume_m3, mean_volume));
            masses.method[position] = Method::LegacyMean;
            masses.kg[position] = super::masses::mass_kg(value, volume_m3, known.kg_per_unit);
        }
    }
    wants
}

#[cfg(test)]
mod tests {
    use plume_datasets::rules::RuleSets;

    use super::*;

    const N: f64 = f64::NAN;

    /// Hours from 0 on: a mass, or NaN for one that was not measured.
    fn masses(kg: &[f64]) -> HourMasses {
        let method = |kg: &f64| if kg.is_nan() { Method::Unresolved } else { Method::Measured };
        HourMasses {
            first: 0,
            method: kg.iter().map(method).collect(),
            kg: kg.iter().map(|kg| if kg.is_nan() { 0.0 } else { *kg }).collect(),
        }
    }

    fn capture(usable: bool, high: bool) -> Capture {
        let (first_hour, end_hour) = (0, 90 * DAY_HOURS); // the first quarter of 1970
        let (hours, stopped_hours, invalid_hours) = (0, 0, 0);
        Capture {
            quarter: 0,
            first_hour,
            end_hour,
            hours,
            stopped_hours,
            invalid_hours,
            rate: None,
            usable,
            high,
        }
    }

    fn in_second_quarter(capture: Capture) -> Capture {
        Capture { quarter: 3, first_hour: 90 * DAY_HOURS, end_hour: 181 * DAY_HOURS, ..capture }
    }

    fn filled(masses: &mut HourMasses, captures: &[Capture], control: &[TouchedHour]) -> (Vec<Fill>, Wants) {
        let rules = Rulebook::by_date().unwrap();
        let volume_m3 = vec![1.0; masses.len()];
        let reach = 0..masses.len() as i64;
        let known = Known {
            captures,
            control,
            samples: &[],
            volume_m3: &volume_m3,
            kg_per_unit: 1.0,
            cubic_metres_per_hour: 1.0,
            reach: &reach,
            first_row: 0,
            rules: &rules,
        };
        let wanted = 0..masses.len();
        let (mut of_gaps, mut fills) = (Vec::new(), Vec::new());
        let mut wants = gaps(masses, &wanted, &reach, &mut of_gaps);
        wants.add(substitute_gas(masses, &known, &of_gaps, &wanted, &mut fills));
        (fills, wants)
    }

    #[test]
    fn worked_example_of_the_head() {
        let kg: Vec<f64> = (0..12).map(|hour| if hour < 10 { f64::from(hour) + 1.0 } else { N }).collect();
        let mut masses = masses(&kg);
        let (fills, wants) = filled(&mut masses, &[capture(true, true)], &[]);
        assert_eq!(
            (&masses.kg[10..], &masses.method[10..]),
            (&[10.0, 10.0][..], &[Method::ShortPool; 2][..])
        );
        let pool = Pool { first_hour: 0, last_hour: 9, hours: 10, source_hour: 9, kg: 10.0 };
        assert_eq!(fills[0], Fill { position: 10, anchor: Some(10 * HOUR_US), pool: Some(pool) });
        assert_eq!(wants, Wants::default());
    }

    #[test]
    fn each_row_of_the_tables_takes_its_pool() {
        // 3000 measured hours; the greatest of the last 180 is 2, of 720 is 3, of 2160 is 4, of all 5.
        let before = |gap: usize| {
            let mut kg = vec![1.0; 3000];
            for (back, value) in [(100, 2.0), (500, 3.0), (2000, 4.0), (2500, 5.0)] {
                kg[3000 - back] = value;
            }
            kg.extend(vec![N; gap]);
            masses(&kg)
        };
        for (gap, captured, expected) in [
            (24, capture(true, true), (2.0, Method::ShortPool, 180)),
            (25, capture(true, true), (3.0, Method::LongPool, 720)),
            (1, capture(true, false), (4.0, Method::LowCapturePool, 2160)),
            (400, capture(true, false), (4.0, Method::LowCapturePool, 2160)),
        ] {
            let mut masses = before(gap);
            // Hour 3000 lies in May: both quarters have the same capture.
            let captures = [captured, in_second_quarter(captured)];
            let (fills, _) = filled(&mut masses, &captures, &[]);
            let hours = fills[0].pool.unwrap().hours;
            assert_eq!((masses.kg[3000], masses.method[3000], hours), expected, "gap of {gap}");
            assert_eq!(fills.len(), gap);
        }
        let mut masses = before(1);
        let captures = [capture(true, true), in_second_quarter(capture(false, false))];
        let (fills, _) = filled(&mut masses, &captures, &[]);
        assert_eq!((masses.method[3000], fills.len()), (Method::Unresolved, 0)); // below 75 %
    }

    #[test]
    fn an_hour_out_of_control_looks_before_the_last_passed_check() {
        let mut masses = masses(&[1.0, 9.0, 2.0, 3.0, 4.0, N, N]);
        let lost = |hour| TouchedHour { hour, anchor: HOUR_US + 1, covered_us: HOUR_US, overdue: false };
        let (fills, _) = filled(&mut masses, &[capture(true, true)], &[lost(6)]);
        // The pass lies within hour 1: hours 0 and 1 start before it.
        assert_eq!((masses.kg[5], masses.kg[6]), (9.0, 9.0));
        assert_eq!(fills[1].pool.unwrap().last_hour, 1);
        assert_eq!((fills[0].anchor, fills[1].anchor), (Some(5 * HOUR_US), Some(HOUR_US + 1)));
    }

    #[test]
    fn stopped_hours_neither_extend_nor_break_a_gap() {
        let mut masses = masses(&[1.0, N, 0.0, 0.0, N, 2.0, N]);
        masses.method[2] = Method::Stopped;
        masses.method[3] = Method::Stopped;
        let mut out = Vec::new();
        gaps(&masses, &(0..7), &(0..7), &mut out);
        assert_eq!(out, [Gap { first: 1, end: 5, hours: 2 }, Gap { first: 6, end: 7, hours: 1 }]);
        gaps(&masses, &(3..5), &(0..7), &mut out); // found whole from within
        assert_eq!(out, [Gap { first: 1, end: 5, hours: 2 }]);
    }

    #[test]
    fn a_gap_at_the_edge_of_the_grid_wants_more_where_there_is_more() {
        let masses = masses(&[N, 1.0, N]);
        let wants = |wanted, reach| gaps(&masses, &wanted, &reach, &mut Vec::new());
        assert_eq!(wants(0..3, 0..3), Wants::default());
        assert_eq!(wants(0..1, -1..4), Wants { earlier: true, later: false });
        assert_eq!(wants(2..3, -1..4), Wants { earlier: false, later: true });
        assert_eq!(wants(1..2, -1..4), Wants::default());
    }

    #[test]
    fn the_rule_of_2007_takes_the_mean_of_as_many_hours_before() {
        let mut masses = masses(&[8.0, 2.0, 4.0, N, N]);
        let concentration = [8.0, 2.0, 4.0, N, 10.0];
        let set = RuleSets::built_in().choose("hubei-2021,water_substitution=legacy_mean").unwrap();
        let rules = Rulebook::chosen(&set).unwrap();
        let volume_m3 = [1.0, 1.0, 1.0, 5.0, N];
        let known = Known {
            captures: &[],
            control: &[],
            samples: &[],
            volume_m3: &volume_m3,
            kg_per_unit: 1.0,
            cubic_metres_per_hour: 1.0,
            reach: &(0..5),
            first_row: 0,
            rules: &rules,
        };
        let (mut of_gaps, mut fills) = (Vec::new(), Vec::new());
        gaps(&masses, &(0..5), &(0..5), &mut of_gaps);
        substitute_by_legacy_mean(&mut masses, &known, &concentration, &of_gaps, &(0..5), &mut fills);
        // Two hours: (2 + 4) / 2 = 3 mg/L in the 5 m³ it has; 10 mg/L in the mean 1 m³.
        assert_eq!((masses.kg[3], masses.kg[4]), (15.0, 10.0));
        assert_eq!(masses.method[3], Method::LegacyMean);
    }

    #[test]
    fn samples_of_the_reference_method_go_before_both_tables() {
        let mut masses = masses(&[5.0, N]);
        let mut samples = DaySamples { day: 0, ..DaySamples::default() };
        samples.add(2.0, Some(3.0), true);
        samples.add(4.0, Some(5.0), true);
        samples.add(90.0, None, false);
        let rules = Rulebook::by_date().unwrap();
        let known = Known {
            captures: &[capture(true, true)],
            control: &[],
            samples: &[samples],
            volume_m3: &[1.0, N],
            kg_per_unit: 1e-6,
            cubic_metres_per_hour: 3600.0,
            reach: &(0..2),
            first_row: 0,
            rules: &rules,
        };
        let (mut of_gaps, mut fills) = (Vec::new(), Vec::new());
        gaps(&masses, &(0..2), &(0..2), &mut of_gaps);
        substitute_gas(&mut masses, &known, &of_gaps, &(0..2), &mut fills);
        // 3 mg/m³ × 4 m³/s × 3600 s
        assert!((masses.kg[1] - 0.0432).abs() < 1e-15);
        assert_eq!((masses.method[1], fills[0].pool), (Method::Manual, None));
    }

    /// The same, hour by hour.
    fn slow_pool(masses: &HourMasses, before: usize, count: usize) -> Option<Pool> {
        let measured: Vec<usize> =
            (0..before).rev().filter(|at| masses.method[*at] == Method::Measured).take(count).collect();
        let (last, first) = (measured.first()?, measured.last()?);
        let kg = measured.iter().map(|at| masses.kg[*at]).fold(f64::NEG_INFINITY, f64::max);
        let source = measured.iter().rev().find(|at| masses.kg[**at] == kg)?;
        let hours = measured.len() as u32;
        let hour = |at: &usize| masses.hour(*at);
        Some(Pool { first_hour: hour(first), last_hour: hour(last), hours, source_hour: hour(source), kg })
    }

    proptest::proptest! {
        #[test]
        fn a_pool_in_blocks_is_the_one_hour_by_hour(
            kinds in proptest::collection::vec((0_u8..6, 0_u8..9), 0..200),
            before in 0_usize..220,
            count in 1_usize..150,
        ) {
            let method = |kind: u8| match kind {
                0 => Method::Stopped,
                1 => Method::ShortPool,
                _ => Method::Measured,
            };
            let masses = HourMasses {
                first: 1000,
                method: kinds.iter().map(|(kind, _)| method(*kind)).collect(),
                kg: kinds.iter().map(|(_, kg)| f64::from(*kg)).collect(),
            };
            let before = before.min(masses.len());
            let pool = MeasuredBlocks::of(&masses).pool(&masses, before, count);
            proptest::prop_assert_eq!(pool, slow_pool(&masses, before, count));
        }
    }
}
