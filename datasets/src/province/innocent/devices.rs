//! Analysers that are calibrated, repaired and cleaned, and loggers with habits.

use super::super::process::rounded;
use super::super::records::{Check, Fault, Param};
use super::super::scene::{INTERCEPT, MINUTE_US, SLOPE, Scene, raw_of};

/// A calibration changes the slope, and is on record: the analyser had drifted.
pub(super) fn documented_calibration(scene: &mut Scene<'_>) {
    scene.calibrate_to(0, SLOPE, INTERCEPT);
    scene.wire();
    let calibrations = scene.calibrations(&[]);
    scene.calibrate(&calibrations);
    let Some(changed) = calibrations.into_iter().find(|step| *step >= scene.steps.start) else { return };
    let kept = [0.86, 0.9, 1.1, 1.14].get(scene.dice.below(4)).copied().unwrap_or(0.9);
    let changed = changed + scene.an_hour() / 2;
    let slope = SLOPE * kept;
    scene.calibrate_to(changed, slope, INTERCEPT);
    scene.steps.start = changed.min(scene.steps.end.saturating_sub(1));
    scene.work(scene.factor(), changed..changed + 1, "calibration", "零点量程校准，斜率已调整并记录");
    scene.edit(scene.signal, |_, _, value| raw_of(value) * slope + INTERCEPT);
    let (factor, decimals) = (scene.factor(), scene.process.signals[scene.signal].decimals);
    let from = scene.clock.time(scene.steps.start);
    for (_, raw) in scene.records.raw.range_mut((factor, from)..(factor, i64::MAX)) {
        if raw.phase == "measure" {
            raw.reading = rounded(raw.signal * slope + INTERCEPT, decimals);
            raw.logged = raw.reading;
        }
    }
}

/// An analyser that fails: it climbs for hours, then is marked and repaired, again and again.
pub(super) fn failing_analyser(scene: &mut Scene<'_>) {
    let an_hour = scene.an_hour();
    let (climb, fault) = (10 * an_hour, 6 * an_hour);
    let factor = scene.factor();
    let mut start = scene.steps.start;
    while start + climb + fault < scene.steps.end {
        for step in start..start + climb + fault {
            let risen = ((step - start) as f64 / climb as f64).min(1.0);
            let shown = scene.process.signals[scene.signal].value[step];
            scene.set(scene.signal, step, shown * (1.0 + 0.8 * risen));
        }
        let repair = start + climb..start + climb + fault;
        scene.process.signals[scene.signal].flag[repair.clone()].fill(b'D');
        let (started, ended) = (scene.clock.time(repair.start), scene.clock.time(repair.end));
        scene.records.faults.push(Fault { factor, started, ended, cause: "分析仪漂移" });
        scene.work(factor, repair, "repair", "更换采样泵膜片");
        start += climb + fault + (20 + scene.dice.below(60)) * an_hour;
    }
}

/// The clock of the analyser is one interval off the logger's, and it shows more decimals.
pub(super) fn time_shift(scene: &mut Scene<'_>) {
    scene.wire();
    let (factor, clock) = (scene.factor(), scene.clock);
    let shown = scene.process.signals[scene.signal].value.clone();
    for step in scene.all().skip(1).filter(|step| !shown[step - 1].is_nan()) {
        if let Some(raw) = scene.records.raw.get_mut(&(factor, clock.time(step))) {
            raw.reading = rounded(shown[step - 1] * (1.0 + 0.0004 * scene.dice.normal()), 4);
            raw.logged = shown[step - 1];
            raw.signal = raw_of(raw.reading);
        }
    }
}

/// Dust settles on the lens, or film on the electrode: what is shown climbs until the next
/// cleaning, every three weeks or so, and falls.
pub(super) fn cleaned_probe(scene: &mut Scene<'_>) {
    let dust = scene.process.position("a34013");
    scene.signal = dust.unwrap_or(scene.signal);
    let (every, wash) = ((14 + scene.dice.below(10)) * 24 * scene.an_hour(), 2 * scene.an_hour());
    let first = scene.dice.below(every);
    scene.edit(scene.signal, |_, step, value| {
        let fouled = ((step + every - first) % every) as f64 / every as f64;
        value * (1.0 + 0.55 * fouled)
    });
    for start in (first..scene.steps.end).step_by(every) {
        let washed = start..(start + wash).min(scene.steps.end);
        scene.process.signals[scene.signal].flag[washed.clone()].fill(b'M');
        scene.work(scene.factor(), washed, "cleaning", "清洗探头");
    }
}

/// While it calibrates, the logger holds the last value; analyser and parameters show that the gas
/// came.
pub(super) fn held_value(scene: &mut Scene<'_>) {
    scene.wire();
    let calibrations = scene.calibrations(&[]);
    scene.calibrate(&calibrations);
    let factor = scene.factor();
    for step in calibrations {
        let held = scene.process.signals[scene.signal].value[step];
        if held.is_nan() {
            continue;
        }
        let at = scene.clock.time(step);
        let gases = (factor, at + 5 * MINUTE_US)..(factor, at + 30 * MINUTE_US);
        for (_, raw) in scene.records.raw.range_mut(gases).filter(|(_, raw)| raw.phase != "measure") {
            (raw.reading, raw.logged) = (held, held);
        }
        // The time of a calibration as its parameter has it, yyyymmddhhmmss.
        let stamp = super::super::time_text(at).replace(['-', ':', ' '], "");
        for param in ["i13006", "i13021"] {
            let text = Some(stamp.clone());
            scene.records.params.push(Param { factor, param, ts: at, value: None, text });
        }
    }
}

/// Drifts are written down in percent with one decimal: the same few figures come again and again.
pub(super) fn coarse_resolution(scene: &mut Scene<'_>) {
    let factor = scene.factor();
    for step in scene.calibrations(&[]) {
        for (kind, minutes, expected) in [("zero", 5, 0.0), ("span", 20, 80.0)] {
            let drift = rounded(0.16 * scene.dice.normal(), 1) + 0.0;
            let ts = scene.clock.time(step) + minutes * MINUTE_US;
            let measured = rounded(expected + drift, 1);
            scene.records.checks.push(Check { factor, ts, kind, expected, measured, unit: "%" });
        }
    }
}
