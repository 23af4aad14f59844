//! What is done at an outfall: to its hours of discharge, its samples and its analysers.

use super::super::process::{rounded, wandering};
use super::super::records::Check;
use super::super::scene::{MINUTE_US, Scene};

/// Waste water is kept back by day and let out by night, thinned with clean water.
pub(super) fn night_discharge(scene: &mut Scene<'_>) {
    let (share, clock) = (scene.share, scene.clock);
    scene.signal = 0;
    let is_night = move |step| !(6..22).contains(&clock.hour_of_day(step));
    scene.edit(0, |_, step, value| value * if is_night(step) { 1.0 + 6.0 * share } else { 1.0 - share });
    for signal in scene.process.pollutants() {
        scene.edit(signal, |_, step, value| value * if is_night(step) { 1.0 - share } else { 1.0 });
    }
}

/// The range of an outlet whose standard lies below its limit, times the limit.
const LOW_RANGE: f64 = 1.6;

/// Checks an analyser against its standard of half the range, daily over the whole period; the
/// standard.
pub(in crate::province) fn check_daily(scene: &mut Scene<'_>) -> f64 {
    let signal = &mut scene.process.signals[scene.signal];
    signal.range = signal.limit * LOW_RANGE;
    let (factor, standard, decimals) = (signal.factor, signal.range / 2.0, signal.decimals);
    for step in scene.all().step_by(24 * scene.an_hour()) {
        scene.records.checks.push(Check {
            factor,
            ts: scene.clock.time(step) + 35 * MINUTE_US,
            kind: "standard_check",
            expected: standard,
            measured: rounded(standard * (1.0 + 0.02 * scene.dice.normal()), decimals),
            unit: "mg/L",
        });
    }
    standard
}

/// The analyser draws its check standard in place of the sample: 8, 14 or all hours of a day.
pub(super) fn standard_solution(scene: &mut Scene<'_>) {
    let standard = check_daily(scene);
    let (clock, start) = (scene.clock, scene.dice.below(24) as i64);
    let hours = (8.0 + 40.0 * (scene.share - 0.1)).min(24.0).round() as i64;
    scene.edit(scene.signal, |dice, step, value| {
        let drawn = (clock.hour_of_day(step) - start).rem_euclid(24) < hours;
        if drawn { standard * (1.0 + 0.005 * dice.normal()) } else { value }
    });
}

/// The sampling line hangs in a bottle of clean water for some hours, again and again: every
/// concentration, conductivity and temperature step at once. What is mixed in tells the strength.
pub(super) fn sample_swap(scene: &mut Scene<'_>) {
    let an_hour = scene.an_hour();
    scene.process.fit_probes(scene.dice, an_hour);
    let clean = (0.35 + 1.8 * scene.share).min(0.97);
    let mix = |value: f64, water: f64| value * (1.0 - clean) + water * clean;
    for step in scene.stretches((6, 14), (20, 60)).into_iter().flatten() {
        for at in 1..scene.process.signals.len() {
            let signal = &scene.process.signals[at];
            let water = match signal.factor {
                "w01001" => 7.0,
                "w01010" => 21.0,
                "w01014" => 120.0,
                _ => signal.limit * 0.01,
            };
            let mixed = mix(signal.value[step], water);
            scene.set(at, step, mixed);
        }
    }
}

/// One figure is lowered below another that is part of it: total nitrogen below its ammonia, or the
/// chemical oxygen demand below the biochemical one.
pub(super) fn impossible_chemistry(scene: &mut Scene<'_>) {
    let an_hour = scene.an_hour();
    let whole = if scene.dice.chance(0.5) {
        scene.process.fit_oxygen_demand(scene.dice, an_hour);
        scene.process.position("w01018")
    } else {
        leave_ammonia(scene);
        scene.process.position("w21001")
    };
    let Some(whole) = whole else { return };
    let kept = 1.0 - scene.share;
    scene.signal = whole;
    scene.edit(whole, |_, _, value| value * kept);
}

/// Works that hardly nitrify: most of the nitrogen is ammonia, over the whole period.
pub(in crate::province) fn leave_ammonia(scene: &mut Scene<'_>) {
    let (Some(total), Some(ammonia)) = (scene.process.position("w21001"), scene.process.position("w21003"))
    else {
        return;
    };
    let wander = wandering(scene.dice, scene.process.load.len(), 16.0 * scene.an_hour() as f64);
    let other = wandering(scene.dice, scene.process.load.len(), 20.0 * scene.an_hour() as f64);
    let limit = scene.process.signals[ammonia].limit;
    for step in scene.running(scene.all()) {
        let of_ammonia = limit * (0.7 + 0.06 * wander[step]);
        scene.set(ammonia, step, of_ammonia);
        scene.set(total, step, of_ammonia * (1.12 + 0.01 * other[step]));
    }
}

/// The analyser draws one sample in 2, 5 or 10 hours, at the best of them, and shows its result
/// until the next.
pub(super) fn sampling_gaming(scene: &mut Scene<'_>) {
    let mut sampled: Vec<usize> = scene.all().collect();
    let block = ((20.0 * scene.share).round() as usize).max(2) * scene.an_hour();
    let shown = scene.process.signals[scene.signal].value.clone();
    let best_of = |start: usize| {
        let known = (start..(start + block).min(scene.steps.end)).filter(|step| shown[*step] > 0.0);
        known.min_by(|a, b| shown[*a].total_cmp(&shown[*b]))
    };
    let first = Some(scene.steps.start).filter(|step| shown[*step] > 0.0);
    let mut draws: Vec<usize> = first.into_iter().collect();
    draws.extend(scene.steps.clone().step_by(block).filter_map(best_of));
    draws.push(scene.steps.end);
    for pair in draws.windows(2) {
        sampled[pair[0]..pair[1]].fill(pair[0]);
        for step in pair[0]..pair[1] {
            scene.set(scene.signal, step, shown[pair[0]]);
        }
    }
    scene.process.signals[scene.signal].sampled = Some(sampled);
}

#[cfg(test)]
mod tests {
    use super::super::super::process::Process;
    use super::super::testing::{Case, cases, mean};

    fn by_night(case: &Case, step: usize) -> bool {
        !(6..22).contains(&(step / case.an_hour % 24))
    }

    #[test]
    fn more_flows_by_night_and_it_is_thinner() {
        for (strength, case) in cases("night_discharge") {
            let share = |values: &[f64]| {
                let known = case.steps.clone().filter(|step| !values[*step].is_nan());
                let (night, all) = known.fold((0.0, 0.0), |(night, all), step| {
                    (night + if by_night(&case, step) { values[step] } else { 0.0 }, all + values[step])
                });
                night / all
            };
            let rise = share(&case.after.signals[0].value) / share(&case.before.signals[0].value);
            // Of a third at night: 1.6 × 0.33 to 0.9 × 0.67, 2.5 to 0.75, 4 to 0.5.
            assert!(rise > [1.2, 1.6, 2.1][strength], "{strength}: {rise}");
            let thin = |process: &Process| mean(&process.signals[3].known(case.steps.clone()));
            assert!(thin(&case.after) < thin(&case.before) * [0.99, 0.95, 0.9][strength]);
        }
    }

    #[test]
    fn the_standard_is_shown_for_hours() {
        for (strength, case) in cases("standard_solution") {
            let standard = case.records.checks[0].expected;
            let at_standard = |values: &[f64]| {
                let near = values.iter().filter(|value| (*value / standard - 1.0).abs() < 0.02).count();
                near as f64 / values.len() as f64
            };
            let (shown, real) = (at_standard(&case.shown()), at_standard(&case.real()));
            assert!(shown - real > [0.2, 0.45, 0.8][strength], "{strength}: {shown} and {real}");
            assert!(standard < case.after.signals[case.signal].limit);
        }
    }

    #[test]
    fn everything_in_the_sample_falls_at_once() {
        for (strength, case) in cases("sample_swap") {
            let lowest: Vec<f64> = ["w01014", "w01018", "w21001"]
                .map(|factor| {
                    let at = case.after.position(factor).unwrap();
                    let shown = case.after.signals[at].known(case.steps.clone());
                    let usual = case.after.signals[at].known(0..case.steps.start);
                    shown.iter().copied().fold(f64::MAX, f64::min) / mean(&usual)
                })
                .into();
            // 53, 80 and 97 % of it is clean water.
            assert!(lowest.iter().all(|low| *low < [0.65, 0.4, 0.2][strength]), "{strength}: {lowest:?}");
        }
    }

    #[test]
    fn a_part_is_more_than_its_whole() {
        for (strength, case) in cases("impossible_chemistry") {
            let of = if case.after.signals[case.signal].factor == "w01018" { "w01017" } else { "w21003" };
            let (whole, part) = (&case.after.signals[case.signal].value, case.after.position(of).unwrap());
            let part = &case.after.signals[part].value;
            let inverted = |steps: std::ops::Range<usize>| {
                let known: Vec<usize> =
                    steps.filter(|step| !whole[*step].is_nan() && !part[*step].is_nan()).collect();
                let inverted = known.iter().filter(|step| part[**step] > whole[**step]).count();
                inverted as f64 / known.len() as f64
            };
            assert!(inverted(0..case.steps.start) < 0.02);
            assert!(strength == 0 || inverted(case.steps.clone()) > 0.9, "{strength}");
        }
    }

    #[test]
    fn one_sample_stands_for_many_hours_and_it_is_the_best() {
        for (strength, case) in cases("sampling_gaming") {
            let sampled = case.after.signals[case.signal].sampled.as_ref().unwrap();
            let mut samples = sampled[case.steps.clone()].to_vec();
            samples.dedup();
            let each = case.steps.len() as f64 / samples.len() as f64 / case.an_hour as f64;
            assert!(each > [1.0, 2.4, 4.9][strength], "{strength}: {each}");
            assert!(mean(&case.shown()) < mean(&case.real()));
            assert!((0..case.steps.start).all(|step| sampled[step] == step));
        }
    }
}
