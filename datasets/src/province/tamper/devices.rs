//! What is done at the analyser and between it and the logger.

use super::super::process::rounded;
use super::super::records::Raw;
use super::super::scene::{INTERCEPT, SLOPE, Scene, raw_of};

/// The slope of the analyser is lowered, between two calibrations and without one: on record among
/// its parameters, or behind their back.
pub(super) fn calibration_tampering(scene: &mut Scene<'_>) {
    let (changed, back) = (scene.steps.start, scene.steps.end);
    scene.calibrate_to(0, SLOPE, INTERCEPT);
    scene.wire();
    let calibrations = scene.calibrations(&[changed, back]);
    scene.calibrate(&calibrations);
    let slope = SLOPE * (1.0 - scene.share);
    if scene.dice.chance(0.5) {
        scene.calibrate_to(changed, slope, INTERCEPT);
        if back < scene.process.load.len() {
            scene.calibrate_to(back, SLOPE, INTERCEPT);
        }
    }
    scene.edit(scene.signal, |_, _, value| raw_of(value) * slope + INTERCEPT);
    let decimals = scene.process.signals[scene.signal].decimals;
    restate(scene, |raw| {
        raw.reading = rounded(raw.signal * slope + INTERCEPT, decimals);
        raw.logged = raw.reading;
    });
}

/// Changes the raw rows of the scene's signal in the scene's steps.
fn restate(scene: &mut Scene<'_>, change: impl Fn(&mut Raw)) {
    let factor = scene.factor();
    let (from, to) = (scene.clock.time(scene.steps.start), scene.clock.time(scene.steps.end));
    let rows = scene.records.raw.range_mut((factor, from)..(factor, to));
    rows.filter(|(_, raw)| raw.phase == "measure").for_each(|(_, raw)| change(raw));
}

/// The figure is lowered behind the analyser: in the logger, or on its way to the platform.
pub(super) fn stream_mismatch(scene: &mut Scene<'_>) {
    scene.wire();
    let kept = 1.0 - scene.share;
    if scene.dice.chance(0.5) {
        let decimals = scene.process.signals[scene.signal].decimals;
        restate(scene, |raw| raw.logged = rounded(raw.reading * kept, decimals));
    }
    scene.edit(scene.signal, |_, _, value| value * kept);
}

/// A visit for maintenance after which the analyser shows less, for good.
pub(super) fn step_after_maintenance(scene: &mut Scene<'_>) {
    let visit = scene.steps.start..(scene.steps.start + 3 * scene.an_hour()).min(scene.steps.end);
    scene.work(scene.factor(), visit.clone(), "maintenance", "例行维护");
    scene.process.signals[scene.signal].flag[visit].fill(b'M');
    let kept = 1.0 - scene.share;
    scene.edit(scene.signal, |_, _, value| value * kept);
}

/// Calibrations stand on record and no gas ever came: while they ran, the analyser showed the stack.
pub(super) fn calibration_without_trace(scene: &mut Scene<'_>) {
    scene.wire();
    let calibrations = scene.calibrations(&[]);
    let (skipped, range) = (2.0 * scene.share, scene.process.signals[scene.signal].range);
    for step in calibrations {
        let drift = scene.drift();
        scene.check(step, drift);
        let shown = scene.process.signals[scene.signal].value[step];
        if scene.steps.contains(&step) && scene.dice.chance(skipped) && shown > 0.0 {
            scene.trace(step, shown, shown * 1.01);
        } else {
            scene.trace(step, 0.01 * range, rounded(range * 0.8, 1) + drift.1 * range);
        }
    }
}

/// Calibrations are written down, not done: the same drift every time, mostly or always.
pub(super) fn perfect_calibration(scene: &mut Scene<'_>) {
    let calibrations = scene.calibrations(&[]);
    let written = (0.5 + scene.share * 1.4).min(1.0);
    let same = if scene.dice.chance(0.5) { (0.0, 0.0) } else { scene.drift() };
    for step in calibrations {
        let drift = scene.drift();
        let is_written = scene.steps.contains(&step) && scene.dice.chance(written);
        scene.check(step, if is_written { same } else { drift });
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Case, cases, mean};
    use super::*;

    /// Mean of what is made of each raw row in the pattern's steps.
    fn of_raw(case: &Case, made: impl Fn(&Raw) -> f64) -> f64 {
        let from = super::super::testing::month(super::super::super::Interval::Hour).from;
        let step = 3_600_000_000 / case.an_hour as i64;
        let time = |at: usize| from + at as i64 * step;
        let within = time(case.steps.start)..time(case.steps.end);
        let rows =
            case.records.raw.iter().filter(|((_, ts), raw)| raw.phase == "measure" && within.contains(ts));
        mean(&rows.map(|(_, raw)| made(raw)).collect::<Vec<_>>())
    }

    #[test]
    fn readings_are_less_than_their_signals_say_and_no_calibration_is_near() {
        for (strength, case) in cases("calibration_tampering") {
            let kept = of_raw(&case, |raw| raw.reading / (raw.signal * SLOPE + INTERCEPT));
            assert!((kept - [0.9, 0.75, 0.5][strength]).abs() < 0.03, "{kept}");
            assert!((mean(&case.shown()) / mean(&case.real()) - kept).abs() < 0.03);
            let changed = super::super::testing::month(super::super::super::Interval::Hour).from
                + case.steps.start as i64 * 3_600_000_000 / case.an_hour as i64;
            let near = case.records.checks.iter().filter(|check| (check.ts - changed).abs() < 86_400_000_000);
            assert_eq!(near.count(), 0);
            assert!(!case.records.checks.is_empty());
        }
    }

    #[test]
    fn platform_or_logger_show_less_than_the_analyser() {
        for (strength, case) in cases("stream_mismatch") {
            let kept = mean(&case.shown()) / of_raw(&case, |raw| raw.reading);
            assert!((kept - [0.9, 0.75, 0.5][strength]).abs() < 0.01, "{kept}");
        }
    }

    #[test]
    fn after_a_visit_less_is_shown() {
        for (strength, case) in cases("step_after_maintenance") {
            let kept = mean(&case.shown()) / mean(&case.real());
            assert!((kept - [0.9, 0.75, 0.5][strength]).abs() < 0.01, "{kept}");
            assert_eq!(case.records.works.len(), 1);
        }
    }

    #[test]
    fn calibrations_leave_no_trace() {
        for (strength, case) in cases("calibration_without_trace") {
            let range = case.after.signals[case.signal].range;
            let zeros = case.records.raw.values().filter(|raw| raw.phase == "zero");
            let (high, low): (Vec<f64>, Vec<f64>) =
                zeros.map(|raw| raw.reading).partition(|reading| *reading > 0.03 * range);
            // Some ten calibrations in the month, three or four of them within the pattern.
            assert!(!low.is_empty());
            assert!(strength < 2 || high.len() >= 10, "{} without trace", high.len());
        }
    }

    #[test]
    fn the_same_drift_is_found_again_and_again() {
        for (strength, case) in cases("perfect_calibration") {
            let drifts: Vec<i64> = case
                .records
                .checks
                .iter()
                .map(|check| ((check.measured - check.expected) * 1000.0).round() as i64)
                .collect();
            let most = drifts.iter().map(|one| drifts.iter().filter(|two| one == *two).count()).max();
            assert!(strength < 2 || most.unwrap() >= 3, "{drifts:?}");
        }
    }
}
