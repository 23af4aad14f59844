//! What is done to the gas of a stack, its oxygen, its conversion and its stops.

use super::super::process::{rounded, wandering};
use super::super::scene::{DAY_US, Scene};

/// Air is let in before the probe for hours at a time: oxygen up, pollutants, humidity and
/// temperature down.
pub(super) fn dilution(scene: &mut Scene<'_>) {
    let an_hour = scene.an_hour();
    scene.process.fit_duct(scene.dice, an_hour);
    let temperature = scene.process.position("a01012");
    for stretch in scene.stretches((6, 20), (3, 18)) {
        for step in scene.running(stretch) {
            scene.process.mix_in(step, scene.share);
            if let Some(at) = temperature {
                let warm = scene.process.signals[at].value[step];
                scene.set(at, step, warm + (20.0 - warm) * scene.share);
            }
        }
    }
}

/// The oxygen shown is too low, at rest as well: the logger converts to lower figures by it.
pub(super) fn oxygen_tampering(scene: &mut Scene<'_>) {
    let Some(oxygen) = scene.process.oxygen() else { return };
    let kept = 1.0 - scene.share;
    scene.signal = oxygen;
    scene.edit(oxygen, |_, _, value| value * kept);
}

/// The logger converts by another reference than the one in force.
pub(super) fn conversion_mismatch(scene: &mut Scene<'_>) {
    for at in scene.process.pollutants() {
        let mut converted = vec![f64::NAN; scene.process.load.len()];
        for step in scene.steps.clone() {
            let signal = &scene.process.signals[at];
            if let Some(honest) = scene.process.at_reference(at, step, signal.value[step]) {
                converted[step] = rounded(honest * (1.0 - scene.share), signal.decimals);
            }
        }
        scene.process.signals[at].converted = Some(converted);
    }
}

/// Production is reported as stopped while the furnace burns, or runs while every pollutant is 0.
pub(super) fn stopped_but_emitting(scene: &mut Scene<'_>) {
    run_dry(scene);
    // So much of the time that the pauses between make up the rest.
    let apart = (72.0 * (1.0 - scene.share) / scene.share) as usize;
    let stretches = scene.stretches((48, 96), (apart * 2 / 3, apart * 4 / 3));
    if scene.dice.chance(0.35) {
        for signal in scene.process.pollutants() {
            for step in stretches.iter().cloned().flatten() {
                scene.set(signal, step, 0.0);
            }
        }
        return;
    }
    let factor = scene.factor();
    for stretch in stretches {
        let (started, ended) = (scene.clock.time(stretch.start), scene.clock.time(stretch.end));
        scene.records.stops.push((started, ended));
        scene.mark(factor, stretch, "stopped");
    }
}

/// A stack without a wet scrubber: its gas is hot all the time.
pub(in crate::province) fn run_dry(scene: &mut Scene<'_>) {
    let Some(temperature) = scene.process.position("a01012") else { return };
    for step in scene.running(scene.all()) {
        let load = scene.process.load[step];
        let warm = 105.0 + 0.25 * load + 0.8 * scene.dice.normal();
        scene.set(temperature, step, warm);
    }
}

/// One figure is lowered, and the other that goes with it is forgotten.
pub(super) fn ratio_break(scene: &mut Scene<'_>) {
    tie_pollutants(scene);
    let kept = 1.0 - scene.share;
    scene.edit(scene.signal, |_, _, value| value * kept);
}

/// A boiler on one fuel and without abatement: sulphur dioxide goes with nitrogen oxides.
pub(in crate::province) fn tie_pollutants(scene: &mut Scene<'_>) {
    let (Some(nitrogen), Some(sulphur)) =
        (scene.process.position("a21002"), scene.process.position("a21026"))
    else {
        return;
    };
    let ratio = scene.process.mean(sulphur) / scene.process.mean(nitrogen).max(0.01);
    let wander = wandering(scene.dice, scene.process.load.len(), 12.0 * scene.an_hour() as f64);
    for step in scene.all() {
        let tied = scene.process.signals[nitrogen].value[step] * ratio * (1.0 + 0.04 * wander[step]);
        if !tied.is_nan() {
            scene.set(sulphur, step, tied);
        }
    }
}

/// A plant that doesn't keep its daily limit by itself: what the first hours of a day were too
/// high, the late ones are set lower, until the day's mean lies just below the limit. Done on more
/// days the stronger it is.
pub(super) fn limit_chasing(scene: &mut Scene<'_>) {
    let limit_day = scene.process.signals[scene.signal].limit * 0.8;
    scene.process.signals[scene.signal].limit_day = limit_day;
    let a_day = 24 * scene.an_hour();
    let chased = (0.2 + 1.6 * scene.share).min(1.0);
    let ahead = (DAY_US - scene.clock.time(scene.steps.start).rem_euclid(DAY_US)) % DAY_US;
    let first =
        scene.steps.start + usize::try_from(ahead / scene.clock.interval.micros()).unwrap_or_default();
    let mut due = 0.0;
    for midnight in (first..scene.steps.end).step_by(a_day) {
        due += chased;
        if due >= 1.0 && midnight + a_day <= scene.steps.end {
            due -= 1.0;
            chase_a_day(scene, midnight, limit_day);
        }
    }
}

/// Steers a day to a mean up to 2.5 % below its limit.
fn chase_a_day(scene: &mut Scene<'_>, midnight: usize, limit_day: f64) {
    let target = limit_day * scene.dice.between(0.975, 0.997);
    let mut ahead = 0.0;
    let mut level = scene.dice.between(1.04, 1.18);
    for hour in 0..24_usize {
        if hour >= 8 {
            // By the end of the day nothing is left of what the morning had too much.
            let left = (24 - hour) as f64;
            level = 1.0 - ahead / left.max(2.0) * 1.15;
        }
        level += 0.02 * scene.dice.normal();
        // An hour that is lost counts for nothing.
        if !scene.process.signals[scene.signal].value[midnight + hour * scene.an_hour()].is_nan() {
            ahead += level - 1.0;
        }
        for step in (midnight + hour * scene.an_hour()..).take(scene.an_hour()) {
            let noise = if scene.an_hour() > 1 { 0.01 * scene.dice.normal() } else { 0.0 };
            scene.set(scene.signal, step, scene.process.measured(step, target * (level + noise)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{cases, mean};

    #[test]
    fn diluted_gas_has_more_oxygen_and_less_of_every_pollutant_by_one_ratio() {
        for (strength, case) in cases("dilution") {
            let oxygen = case.after.oxygen().unwrap();
            let (shown, real) = (&case.after.signals, &case.before.signals);
            let diluted: Vec<usize> = case
                .steps
                .clone()
                .filter(|step| shown[oxygen].value[*step] > real[oxygen].value[*step] + 0.5)
                .collect();
            assert!(diluted.len() > case.steps.len() / 4);
            for at in case.after.pollutants() {
                let kept = diluted.iter().map(|step| shown[at].value[*step] / real[at].value[*step]);
                let kept = mean(&kept.filter(|kept| !kept.is_nan()).collect::<Vec<_>>());
                assert!((kept - [0.9, 0.75, 0.5][strength]).abs() < 0.01, "{kept}");
            }
        }
    }

    #[test]
    fn oxygen_is_shown_lower_by_the_share() {
        for (strength, case) in cases("oxygen_tampering") {
            let kept = mean(&case.shown()) / mean(&case.real());
            assert!((kept - [0.9, 0.75, 0.5][strength]).abs() < 0.01, "{kept}");
        }
    }

    #[test]
    fn converted_values_are_not_what_the_formula_gives() {
        for (strength, case) in cases("conversion_mismatch") {
            let signal = &case.after.signals[case.signal];
            let sent = signal.converted.as_ref().unwrap();
            let due = |step: usize| case.after.at_reference(case.signal, step, signal.value[step]);
            let ratios: Vec<f64> = case
                .steps
                .clone()
                .filter_map(|step| Some(sent[step] / due(step)?))
                .filter(|ratio| !ratio.is_nan())
                .collect();
            assert!((mean(&ratios) - [0.9, 0.75, 0.5][strength]).abs() < 0.01);
            assert!(sent[..case.steps.start].iter().all(|sent| sent.is_nan()));
        }
    }

    #[test]
    fn a_stop_is_told_while_the_gas_is_hot_or_a_running_plant_shows_nothing() {
        for (strength, case) in cases("stopped_but_emitting") {
            let temperature = case.after.position("a01012").unwrap();
            assert!(mean(&case.after.signals[temperature].known(case.steps.clone())) > 100.0);
            let told: i64 = case.records.stops.iter().map(|(started, ended)| ended - started).sum();
            let pollutants = case.after.pollutants();
            let empty =
                |step: &usize| pollutants.iter().all(|at| case.after.signals[*at].value[*step] == 0.0);
            let empty = case.steps.clone().filter(empty).count();
            let told = told as f64 / 3_600_000_000.0 * case.an_hour as f64;
            let share = (told + empty as f64) / case.steps.len() as f64;
            assert!(share > [0.05, 0.15, 0.3][strength], "{strength}: {share}");
        }
    }

    #[test]
    fn one_pollutant_falls_and_the_other_does_not() {
        for (strength, case) in cases("ratio_break") {
            let other = 7 - case.signal;
            let ratio = |steps: std::ops::Range<usize>| {
                let (one, two) = (&case.after.signals[case.signal].value, &case.after.signals[other].value);
                let ratios: Vec<f64> =
                    steps.map(|step| one[step] / two[step]).filter(|ratio| ratio.is_finite()).collect();
                mean(&ratios)
            };
            let kept = ratio(case.steps.clone()) / ratio(0..case.steps.start);
            assert!((kept - [0.9, 0.75, 0.5][strength]).abs() < 0.05, "{kept}");
        }
    }

    #[test]
    fn days_end_just_below_the_daily_limit() {
        for (strength, case) in cases("limit_chasing") {
            let signal = &case.after.signals[case.signal];
            let a_day = 24 * case.an_hour;
            let days: Vec<f64> = (0..30)
                .map(|day| day * a_day)
                .filter(|start| case.steps.contains(start) && start + a_day <= case.steps.end)
                .map(|start| {
                    let shown = (start..start + a_day)
                        .filter_map(|step| case.after.at_reference(case.signal, step, signal.value[step]))
                        .filter(|value| !value.is_nan());
                    mean(&shown.collect::<Vec<_>>()) / signal.limit_day
                })
                .collect();
            let just_below = days.iter().filter(|mean| (0.95..1.0).contains(*mean)).count();
            // Of some nine whole days, a third, six of ten and all are steered.
            assert!(just_below >= [1, 3, 8][strength], "{strength}: {days:?}");
        }
    }
}
