//! Outfalls that work by hours, or so evenly that it looks made up.

use super::super::process::wandering;
use super::super::scene::Scene;
use super::super::tamper;

/// A plant that changes over to the night shift: its load moves into the night, and the water
/// with it.
pub(super) fn night_shift(scene: &mut Scene<'_>) {
    scene.signal = 0;
    for step in scene.running(scene.steps.clone()) {
        let is_night = !(6..22).contains(&scene.clock.hour_of_day(step));
        let load = scene.process.load[step];
        scene.process.run_at(step, if is_night { (load + 15.0).min(105.0) } else { load * 0.3 });
    }
}

/// Works so even that their effluent stays near one figure, which happens to be the standard's.
pub(super) fn stable_effluent(scene: &mut Scene<'_>) {
    let standard = tamper::check_daily(scene);
    let wander = wandering(scene.dice, scene.process.load.len(), 20.0 * scene.an_hour() as f64);
    scene.edit(scene.signal, |dice, step, value| {
        if value > 0.0 { standard * (1.0 + 0.03 * wander[step] + 0.004 * dice.normal()) } else { value }
    });
}

/// The discharge pauses for some hours, and clean rinsing water stands at the probes; no water
/// flows.
pub(super) fn discharge_pause(scene: &mut Scene<'_>) {
    let an_hour = scene.an_hour();
    scene.process.fit_probes(scene.dice, an_hour);
    for step in scene.stretches((6, 14), (20, 60)).into_iter().flatten() {
        for at in 0..scene.process.signals.len() {
            let signal = &scene.process.signals[at];
            let still = match signal.factor {
                "w00000" => 0.0,
                "w01001" => 7.0,
                "w01010" => 21.0,
                "w01014" => 130.0,
                _ => signal.limit * 0.012,
            };
            scene.set(at, step, still);
        }
    }
}

/// Hours of one sample of total nitrogen, which ammonia is measured every hour of.
const NITROGEN_EVERY_H: usize = 2;

/// Total nitrogen is measured more rarely than ammonia and shown until the next sample, so that
/// ammonia overtakes it when it climbs.
pub(super) fn sampling_lag(scene: &mut Scene<'_>) {
    tamper::leave_ammonia(scene);
    let Some(total) = scene.process.position("w21001") else { return };
    scene.signal = total;
    let every = NITROGEN_EVERY_H * scene.an_hour();
    let shown = scene.process.signals[total].value.clone();
    let sample_of = |step: usize| (step / every * every).saturating_sub(every);
    scene.edit(total, |_, step, value| Some(shown[sample_of(step)]).filter(|v| *v > 0.0).unwrap_or(value));
    scene.process.signals[total].sampled = Some(scene.all().map(sample_of).collect());
}

/// An outfall that discharges by day only, batch after batch; the last result of a day is that of
/// the sample before, for want of water.
pub(super) fn intermittent_discharge(scene: &mut Scene<'_>) {
    scene.records.is_intermittent = true;
    let (an_hour, begins) = (scene.an_hour(), scene.dice.below(6) as i64 + 6);
    let long = scene.dice.below(4) as i64 + 8;
    let mut sampled: Vec<usize> = scene.all().collect();
    for start in scene.steps.clone().step_by(an_hour) {
        let hour = scene.clock.hour_of_day(start) - begins;
        let steps = start..(start + an_hour).min(scene.steps.end);
        if !(0..long).contains(&hour) {
            scene.process.silence(&steps);
        } else if hour == long - 1 && start > 0 {
            for step in steps {
                sampled[step] = start - 1;
                let before = scene.process.signals[scene.signal].value[start - 1];
                if !before.is_nan() {
                    scene.set(scene.signal, step, before);
                }
            }
        }
    }
    scene.process.signals[scene.signal].sampled = Some(sampled);
}
