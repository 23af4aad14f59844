//! Series that were given another shape: frozen, cut off, made up, rounded by hand.

use std::f64::consts::TAU;

use super::super::process::{quantile, wandering};
use super::super::scene::Scene;

/// The output is frozen.
pub(super) fn constant_value(scene: &mut Scene<'_>) {
    let level = scene.process.mean(scene.signal) * (1.0 - scene.share);
    scene.edit(scene.signal, |_, _, _| level);
}

/// The line sniffs at a bottle: nothing but the noise of the analyser is left.
pub(super) fn low_variance(scene: &mut Scene<'_>) {
    let level = scene.process.mean(scene.signal) * (1.0 - scene.share);
    scene.edit(scene.signal, |dice, _, _| level * (1.0 + 0.002 * dice.normal()));
}

/// A plant that doesn't keep its limit; what exceeds it is shown a little below it.
pub(super) fn limit_clipping(scene: &mut Scene<'_>) {
    let limit = scene.process.signals[scene.signal].limit;
    scene.worsen(scene.share, limit);
    for step in scene.steps.clone() {
        if scene.against_limit(step).is_some_and(|shown| shown > limit * 0.99) {
            let below = limit * scene.dice.between(0.96, 0.998);
            scene.set(scene.signal, step, scene.process.measured(step, below));
        }
    }
}

/// The logger lets no figure above a ceiling through, neither a mean nor a maximum.
pub(super) fn maximum_clamp(scene: &mut Scene<'_>) {
    let shown = scene.process.signals[scene.signal].known(scene.steps.clone());
    let ceiling = quantile(shown, 1.0 - scene.share);
    scene.edit(scene.signal, |_, _, value| value.min(ceiling));
    scene.process.signals[scene.signal].ceiling = Some((scene.steps.clone(), ceiling));
}

/// The range is set below what the plant emits: the analyser stands at its upper end.
pub(super) fn range_clamp(scene: &mut Scene<'_>) {
    let signal = &scene.process.signals[scene.signal];
    let (factor, usual, range) = (signal.factor, signal.range, signal.limit * 0.9);
    let shown = signal.known(scene.steps.clone());
    let scale = range / quantile(shown, 1.0 - scene.share).max(0.01);
    scene.edit(scene.signal, |dice, _, value| {
        let real = value * scale;
        if real < range { real } else { range * dice.between(0.992, 1.0) }
    });
    scene.process.signals[scene.signal].ceiling = Some((scene.steps.clone(), range));
    let ends = scene.steps.end < scene.process.load.len();
    let changes = [(scene.steps.start, range), (scene.steps.end, usual)];
    for (step, range) in changes.into_iter().take(if ends { 2 } else { 1 }) {
        let ts = scene.clock.time(step);
        scene.records.ranges.push((scene.signal, ts, range));
        scene.param(factor, "i13001", step, range);
    }
}

/// A generator of curves in place of the analyser: a wave, or a line up and down. What noise
/// is on it tells the strength.
pub(super) fn synthetic_series(scene: &mut Scene<'_>) {
    let level = scene.process.mean(scene.signal) * (1.0 - scene.share);
    let period = (5 + scene.dice.below(10)) as f64 * scene.an_hour() as f64;
    let is_wave = scene.dice.chance(0.5);
    let noise = 0.04 * (0.5 - scene.share);
    let start = scene.steps.start;
    scene.edit(scene.signal, |dice, step, _| {
        let turn = (step - start) as f64 / period;
        let shape = if is_wave { (turn * TAU).sin() } else { 4.0 * (turn.fract() - 0.5).abs() - 1.0 };
        level * (1.0 + 0.15 * shape + noise * dice.normal())
    });
}

/// Random numbers between two bounds, one as good as the other.
pub(super) fn random_noise(scene: &mut Scene<'_>) {
    let level = scene.process.mean(scene.signal) * (1.0 - scene.share);
    scene.edit(scene.signal, |dice, _, _| level * dice.between(0.9, 1.1));
}

/// Flow and pollutant are simulated, and the simulation knows nothing of the load.
pub(super) fn load_decoupling(scene: &mut Scene<'_>) {
    let freed = (3.2 * scene.share).min(1.0);
    let memory = 6.0 * scene.an_hour() as f64;
    for (signal, spread, lowered) in [(0, 0.1, 0.0), (scene.signal, 0.1, scene.share)] {
        let level = scene.process.mean(signal);
        let wander = wandering(scene.dice, scene.process.load.len(), memory);
        scene.edit(signal, |_, step, value| {
            let made_up = level * (1.0 + spread * wander[step]);
            (value * (1.0 - freed) + made_up * freed) * (1.0 - lowered)
        });
    }
}

/// An offset is taken off, until a share of the values is nothing or less than nothing.
pub(super) fn zero_or_negative_run(scene: &mut Scene<'_>) {
    let shown = scene.process.signals[scene.signal].known(scene.steps.clone());
    let offset = quantile(shown, scene.share);
    let shows_negatives = scene.dice.chance(0.5);
    scene.edit_signed(scene.signal, |_, _, value| {
        let new = value - offset;
        if shows_negatives { new } else { new.max(0.0) }
    });
}

/// Values typed by hand, as round as people like them.
pub(super) fn digit_preference(scene: &mut Scene<'_>) {
    let typed = (0.1 + 1.6 * scene.share).min(1.0);
    let round = 50.0 * 10_f64.powi(-scene.process.signals[scene.signal].decimals);
    scene.edit(
        scene.signal,
        |dice, _, value| {
            if dice.chance(typed) { (value / round).round() * round } else { value }
        },
    );
}

#[cfg(test)]
mod tests {
    use super::super::testing::{cases, correlation, deviation, mean};

    #[test]
    fn a_frozen_output_has_one_value() {
        for (_, case) in cases("constant_value") {
            let shown = case.shown();
            assert!(shown.iter().all(|value| *value == shown[0]));
        }
    }

    #[test]
    fn a_bottle_has_no_more_than_the_noise_of_the_analyser() {
        for (_, case) in cases("low_variance") {
            let (shown, real) = (case.shown(), case.real());
            assert!(deviation(&shown) / mean(&shown) < 0.004, "{}", deviation(&shown));
            assert!(deviation(&real) / mean(&real) > 0.05);
        }
    }

    /// What the pattern's signal shows, as its limit is meant.
    fn against_limit(case: &super::super::testing::Case) -> Vec<f64> {
        let shown = |step: usize| {
            let value = case.after.signals[case.signal].value[step];
            case.after.at_reference(case.signal, step, value)
        };
        case.steps.clone().filter_map(shown).filter(|shown| !shown.is_nan()).collect()
    }

    #[test]
    fn clipped_values_stand_below_the_limit_and_none_above() {
        for (strength, case) in cases("limit_clipping") {
            let limit = case.after.signals[case.signal].limit;
            let shown = against_limit(&case);
            let below = shown.iter().filter(|value| (0.95..1.0).contains(&(*value / limit))).count();
            assert!(shown.iter().all(|value| *value <= limit));
            // A tenth, a quarter, a half would exceed; some more are near it.
            let due = [0.09, 0.23, 0.45][strength] * shown.len() as f64;
            assert!(below as f64 > due, "{strength}: {below} of {}", shown.len());
        }
    }

    #[test]
    fn a_clamp_repeats_its_maximum() {
        for (strength, case) in cases("maximum_clamp") {
            let shown = case.shown();
            let top = shown.iter().copied().fold(0.0, f64::max);
            let at_top = shown.iter().filter(|value| **value == top).count();
            assert!(at_top as f64 > [0.08, 0.22, 0.45][strength] * shown.len() as f64);
            assert!(case.after.signals[case.signal].ceiling.is_some());
        }
    }

    #[test]
    fn a_low_range_is_registered_and_values_stand_at_its_end() {
        for (strength, case) in cases("range_clamp") {
            let range = case.records.ranges[0].2;
            assert!(range < case.after.signals[case.signal].limit);
            let shown = case.shown();
            assert!(shown.iter().all(|value| *value <= range + 0.005));
            let at_end = shown.iter().filter(|value| **value >= 0.99 * range).count();
            assert!(at_end as f64 > [0.08, 0.22, 0.45][strength] * shown.len() as f64);
        }
    }

    #[test]
    fn a_made_up_curve_turns_twice_a_period() {
        for (strength, case) in cases("synthetic_series") {
            // 240 hours of 5 to 14 hours: at most 48 periods, with two turns each; noise at full
            // strength is none, so that a step's change is that of its neighbour but at a turn.
            if strength < 2 {
                continue;
            }
            let shown = case.shown();
            let turns = shown.windows(3).filter(|w| (w[1] - w[0]) * (w[2] - w[1]) < 0.0).count();
            assert!(turns <= 110, "{turns} turns");
            assert!(deviation(&shown) > 0.05 * mean(&shown));
        }
    }

    #[test]
    fn random_numbers_have_no_memory_and_hard_bounds() {
        for (_, case) in cases("random_noise") {
            let memory = |values: &[f64]| correlation(&values[1..], &values[..values.len() - 1]);
            let shown = case.shown();
            assert!(memory(&shown).abs() < 0.2, "{}", memory(&shown));
            assert!(memory(&case.real()) > 0.6);
            let bounds = shown.iter().fold((f64::MAX, 0.0_f64), |(low, high), v| (low.min(*v), high.max(*v)));
            assert!(bounds.1 / bounds.0 < 1.24);
        }
    }

    #[test]
    fn what_was_simulated_no_longer_follows_the_load() {
        for (strength, case) in cases("load_decoupling") {
            let follows = |process: &super::super::super::process::Process| {
                let (flow, value) = (&process.signals[0].value, &process.signals[case.signal].value);
                let known = |step: &usize| !flow[*step].is_nan() && !value[*step].is_nan();
                let steps: Vec<usize> = case.steps.clone().filter(known).collect();
                let load: Vec<f64> = steps.iter().map(|step| process.load[*step]).collect();
                let flow: Vec<f64> = steps.iter().map(|step| flow[*step]).collect();
                correlation(&load, &flow)
            };
            let (before, after) = (follows(&case.before), follows(&case.after));
            assert!(before > 0.8, "{before}");
            assert!(strength == 0 || after < 0.55, "{strength}: {after}");
            assert!(after < before - 0.02);
        }
    }

    #[test]
    fn a_share_of_the_values_is_nothing_or_less() {
        for (strength, case) in cases("zero_or_negative_run") {
            let (shown, share) = (case.shown(), [0.1, 0.25, 0.5][strength]);
            let none = shown.iter().filter(|value| **value <= 0.0).count() as f64 / shown.len() as f64;
            assert!((none - share).abs() < 0.05, "{strength}: {none}");
        }
    }

    #[test]
    fn typed_values_end_in_nought_or_five() {
        for (strength, case) in cases("digit_preference") {
            let scale = 10_f64.powi(case.after.signals[case.signal].decimals);
            let round = |values: &[f64]| {
                let ends = values.iter().map(|value| (value * scale).round() as i64 % 10);
                ends.filter(|digit| *digit % 5 == 0).count() as f64 / values.len() as f64
            };
            // Two digits of ten by chance, and all of those typed.
            let due = [0.2 + 0.8 * 0.26, 0.2 + 0.8 * 0.5, 0.2 + 0.8 * 0.9][strength];
            assert!((round(&case.shown()) - due).abs() < 0.1, "{strength}: {}", round(&case.shown()));
            assert!((round(&case.real()) - 0.2).abs() < 0.1);
        }
    }
}
