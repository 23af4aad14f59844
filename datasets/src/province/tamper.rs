//! Fraud patterns planted on top of a process, each at three strengths.

mod devices;
mod duct;
mod gas;
mod replay;
mod shape;
#[cfg(test)]
pub(super) mod testing;
mod transmission;
mod water;

use std::ops::Range;

use super::scene::Scene;

pub(super) use duct::scene_of_duct;
pub(super) use gas::{run_dry, tie_pollutants};
pub(super) use transmission::{PEERS, keep_packets};
pub(super) use water::{check_daily, leave_ammonia};

/// A planted pattern, as `truth.csv` tells it.
#[derive(Debug, Clone, PartialEq)]
pub struct Planted {
    /// The outlet.
    pub mn: String,
    /// The factor it stands on.
    pub factor: &'static str,
    /// The pattern's name.
    pub pattern: &'static str,
    /// `weak`, `medium` or `strong`.
    pub strength: &'static str,
    /// When it began, µs.
    pub started: i64,
    /// When it ended, µs.
    pub ended: i64,
}

impl Planted {
    /// The columns of `truth.csv`.
    pub const COLUMNS: [&'static str; 6] = ["mn", "factor", "pattern", "strength", "started", "ended"];

    /// The fields of a line of `truth.csv`.
    pub fn fields(&self) -> [String; 6] {
        let [factor, pattern, strength] = [self.factor, self.pattern, self.strength].map(str::to_owned);
        [
            self.mn.clone(),
            factor,
            pattern,
            strength,
            super::time_text(self.started),
            super::time_text(self.ended),
        ]
    }
}

/// Names of the strengths, and how strong each is.
const STRENGTHS: [(&str, f64); 3] = [("weak", 0.10), ("medium", 0.25), ("strong", 0.50)];

/// The outlets that a pattern or a twin can stand on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum On {
    Any,
    Stacks,
    Outfalls,
}

impl On {
    /// Whether it can stand on an outlet of a medium.
    pub(super) fn fits(self, is_air: bool) -> bool {
        match self {
            Self::Any => true,
            Self::Stacks => is_air,
            Self::Outfalls => !is_air,
        }
    }
}

/// A family of patterns: its name, where it can stand, and what the cheat does.
pub(super) struct Family {
    pub(super) name: &'static str,
    pub(super) on: On,
    act: fn(&mut Scene<'_>),
}

const fn any(name: &'static str, act: fn(&mut Scene<'_>)) -> Family {
    Family { name, on: On::Any, act }
}

const fn of_stacks(name: &'static str, act: fn(&mut Scene<'_>)) -> Family {
    Family { name, on: On::Stacks, act }
}

const fn of_outfalls(name: &'static str, act: fn(&mut Scene<'_>)) -> Family {
    Family { name, on: On::Outfalls, act }
}

/// The families that can be planted, in the order of the pattern catalogue.
pub(super) static FAMILIES: [Family; 36] = [
    any("constant_value", shape::constant_value),
    any("low_variance", shape::low_variance),
    any("limit_clipping", shape::limit_clipping),
    any("maximum_clamp", shape::maximum_clamp),
    any("range_clamp", shape::range_clamp),
    any("replay", replay::replay),
    any("cross_outlet_copy", replay::cross_outlet_copy),
    any("synthetic_series", shape::synthetic_series),
    any("random_noise", shape::random_noise),
    of_stacks("dilution", gas::dilution),
    of_stacks("oxygen_tampering", gas::oxygen_tampering),
    of_stacks("conversion_mismatch", gas::conversion_mismatch),
    any("calibration_tampering", devices::calibration_tampering),
    of_stacks("logger_parameter_change", duct::logger_parameter_change),
    any("flag_abuse", transmission::flag_abuse),
    any("outage_at_high_load", transmission::outage_at_high_load),
    any("rollup_mismatch", transmission::rollup_mismatch),
    any("stream_mismatch", devices::stream_mismatch),
    any("load_decoupling", shape::load_decoupling),
    of_outfalls("night_discharge", water::night_discharge),
    any("step_after_maintenance", devices::step_after_maintenance),
    any("calibration_without_trace", devices::calibration_without_trace),
    any("perfect_calibration", devices::perfect_calibration),
    of_outfalls("standard_solution", water::standard_solution),
    of_outfalls("sample_swap", water::sample_swap),
    of_outfalls("impossible_chemistry", water::impossible_chemistry),
    of_stacks("impossible_physics", duct::impossible_physics),
    of_stacks("stopped_but_emitting", gas::stopped_but_emitting),
    any("zero_or_negative_run", shape::zero_or_negative_run),
    any("digit_preference", shape::digit_preference),
    of_outfalls("sampling_gaming", water::sampling_gaming),
    any("clock_games", transmission::clock_games),
    any("late_edit", transmission::late_edit),
    of_stacks("ratio_break", gas::ratio_break),
    any("duplicate_identity", transmission::duplicate_identity),
    of_stacks("limit_chasing", gas::limit_chasing),
];

/// The combinations of family and strength of a medium in the order they are dealt: each family
/// once, those of this medium alone at their other strengths, then the rest at theirs.
fn deck(is_air: bool) -> Vec<(&'static Family, usize)> {
    let fitting = || FAMILIES.iter().filter(|family| family.on.fits(is_air)).enumerate();
    let pass = |pass: usize, with: fn(&Family) -> bool| {
        let chosen = fitting().filter(move |(_, family)| with(family));
        chosen.map(move |(at, family)| (family, (at + pass) % STRENGTHS.len()))
    };
    let own: fn(&Family) -> bool = |family| family.on != On::Any;
    let shared: fn(&Family) -> bool = |family| family.on == On::Any;
    pass(0, |_| true)
        .chain(pass(1, own))
        .chain(pass(2, own))
        .chain(pass(1, shared))
        .chain(pass(2, shared))
        .collect()
}

/// The `number`-th combination of family and strength of a medium.
pub(super) fn dealt(is_air: bool, number: usize) -> (&'static Family, usize) {
    let deck = deck(is_air);
    deck[number % deck.len()]
}

/// A pattern planted on a process: family, strength, steps, signal.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) family: &'static str,
    pub(super) strength: &'static str,
    pub(super) steps: Range<usize>,
    pub(super) signal: usize,
}

/// Plants a family at a strength on a process, for a third of its period.
pub(super) fn plant(scene: &mut Scene<'_>, family: &'static Family, strength: usize) -> Plan {
    let (strength, share) = STRENGTHS[strength % STRENGTHS.len()];
    scene.steps = scene.process.some_third(scene.dice);
    scene.signal = 3 + scene.dice.below(2);
    scene.share = share;
    (family.act)(scene);
    Plan { family: family.name, strength, steps: scene.steps.clone(), signal: scene.signal }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deck_holds_each_combination_once() {
        for (is_air, families) in [(true, 31), (false, 28)] {
            let deck = deck(is_air);
            let mut names: Vec<(&str, usize)> =
                deck.iter().map(|(family, strength)| (family.name, *strength)).collect();
            names.sort_unstable();
            names.dedup();
            assert_eq!((deck.len(), names.len()), (families * 3, families * 3));
        }
    }

    #[test]
    fn every_family_of_the_catalogue_can_be_planted() {
        let names: Vec<&str> = FAMILIES.iter().map(|family| family.name).collect();
        let catalogue: Vec<String> =
            crate::patterns::patterns().iter().map(|pattern| pattern.pattern.clone()).collect();
        assert_eq!(names, catalogue);
    }

    #[test]
    fn every_pattern_holds_on_a_period_of_a_day() {
        use super::super::process::process;
        use super::super::records::Records;
        use super::super::{Dice, Interval, ProvinceRequest};
        let day = 24 * 3_600_000_000;
        for hours in [1, 3, 24] {
            for family in &FAMILIES {
                let request = ProvinceRequest {
                    outlets: 1,
                    from: 20_454 * day,
                    to: 20_454 * day + hours * 3_600_000_000,
                    seed: 1,
                    interval: Interval::Hour,
                    planted: true,
                };
                let mut dice = Dice::of_outlet(1, 0);
                let is_air = family.on.fits(true);
                let mut after = process(&mut dice, is_air, hours as usize, Interval::Hour, 0);
                let mut records = Records::default();
                let mut scene = Scene::new(&request, &mut dice, &mut after, &mut records, None);
                let plan = plant(&mut scene, family, 2);
                assert!(plan.steps.end <= hours as usize, "{}", plan.family);
            }
        }
    }
}
