//! Plants whose series have a shape of their own.

use super::super::process::wandering;
use super::super::scene::Scene;

/// Gas so clean that the analyser mostly shows its detection limit.
pub(super) fn detection_floor(scene: &mut Scene<'_>) {
    let floor = scene.process.signals[scene.signal].limit.max(1.0) * 0.01;
    let an_hour = scene.an_hour();
    let (mut hour, mut shows_trace) = (None, false);
    scene.edit(scene.signal, |dice, step, value| {
        // An hour in a hundred, whatever the interval: of minutes, none would stay a day at the floor.
        if hour != Some(step / an_hour) {
            (hour, shows_trace) = (Some(step / an_hour), dice.chance(0.01));
        }
        if shows_trace { floor + value * 0.012 } else { floor }
    });
}

/// A kiln at one load all year: everything is steady, the pollutant too.
pub(super) fn steady_plant(scene: &mut Scene<'_>) {
    let level = scene.process.mean(scene.signal);
    let load = scene.process.load.iter().sum::<f64>() / scene.process.load.len().max(1) as f64;
    run_flat(scene, load, 0.3);
    scene.edit(
        scene.signal,
        |dice, _, value| {
            if value > 0.0 { level * (1.0 + 0.006 * dice.normal()) } else { value }
        },
    );
}

/// A plant at one load, whose emission follows the fuel alone.
pub(super) fn flat_load(scene: &mut Scene<'_>) {
    let level = scene.dice.between(70.0, 80.0);
    run_flat(scene, level, 0.5);
}

fn run_flat(scene: &mut Scene<'_>, level: f64, spread: f64) {
    for step in scene.running(scene.all()) {
        let load = level + spread * scene.dice.normal();
        scene.process.run_at(step, load);
    }
}

/// Abatement regulated to a set-point under the limit; now and then it overshoots.
pub(super) fn set_point(scene: &mut Scene<'_>) {
    let limit = scene.process.signals[scene.signal].limit.max(1.0);
    let wander = wandering(scene.dice, scene.process.load.len(), 2.0 * scene.an_hour() as f64);
    for step in scene.running(scene.steps.clone()) {
        let shown = limit * (0.955 + 0.02 * wander[step] + 0.01 * scene.dice.normal());
        scene.set(scene.signal, step, scene.process.measured(step, shown));
    }
}

/// Real concentrations above the range: the analyser shows its range and says so.
pub(super) fn over_range(scene: &mut Scene<'_>) {
    let range = scene.process.mean(scene.signal) * 1.2;
    scene.process.signals[scene.signal].range = range;
    scene.edit(scene.signal, |dice, _, value| (value * (1.1 + 0.05 * dice.normal())).min(range));
    let signal = &mut scene.process.signals[scene.signal];
    let top = super::super::process::rounded(range, signal.decimals);
    for step in scene.steps.clone() {
        if signal.value[step] >= top && signal.flag[step] == b'N' {
            signal.flag[step] = b'T';
        }
    }
}

/// A dual-range analyser dwells at the top of its low range before it switches; that it has two
/// is told among its parameters.
pub(super) fn dual_range(scene: &mut Scene<'_>) {
    let low = (scene.process.mean(scene.signal) * 11.0).ceil() / 10.0;
    scene.edit(
        scene.signal,
        |_, _, value| if (low..low * 1.03).contains(&value) { low * 0.99 } else { value },
    );
    let (factor, high) = (scene.factor(), scene.process.signals[scene.signal].range);
    scene.param(factor, "i13001", 0, low);
    if let Some(param) = scene.records.params.last_mut() {
        param.text = Some(format!("双量程 0-{low}/0-{high}"));
    }
}

/// A recipe of eight hours over and over, each batch a little different.
pub(super) fn batch_cycle(scene: &mut Scene<'_>) {
    let level = scene.process.mean(scene.signal);
    let recipe = [0.55, 0.8, 1.1, 1.35, 1.4, 1.2, 0.95, 0.65];
    let an_hour = scene.an_hour();
    scene.edit(scene.signal, |dice, step, value| {
        let phase = recipe[step / an_hour % recipe.len()];
        if value > 0.0 { level * phase * (1.0 + 0.02 * dice.normal()) } else { value }
    });
}

/// Household waste water rises and falls with the day.
pub(super) fn day_cycle(scene: &mut Scene<'_>) {
    let level = scene.process.mean(scene.signal);
    let a_day = 24.0 * scene.an_hour() as f64;
    scene.edit(scene.signal, |dice, step, value| {
        let wave = (step as f64 / a_day * std::f64::consts::TAU).sin();
        if value > 0.0 { level * (1.0 + 0.35 * wave + 0.03 * dice.normal()) } else { value }
    });
}

/// A line out of use: no flow, and the analyser hisses in the empty duct.
pub(super) fn empty_duct(scene: &mut Scene<'_>) {
    scene.process.load[scene.steps.clone()].fill(0.0);
    for at in 0..scene.process.signals.len() {
        let factor = scene.process.signals[at].factor;
        scene.edit(at, |dice, _, _| match factor {
            "a00000" | "w00000" => 0.0,
            "a01012" => 22.0,
            "a19001" => 20.9 + 0.03 * dice.normal(),
            "w01001" => 7.2 + 0.05 * dice.normal(),
            _ => 0.3 + 0.2 * dice.uniform(),
        });
    }
}

/// A plant about the detection limit of its analyser, which shows nothing below it, and is checked.
pub(super) fn below_detection(scene: &mut Scene<'_>) {
    let detection = scene.process.signals[scene.signal].limit * 0.01;
    let wander = wandering(scene.dice, scene.process.load.len(), 5.0 * scene.an_hour() as f64);
    scene.edit(scene.signal, |dice, step, _| {
        let real = detection * (1.1 + 0.5 * wander[step] + 0.15 * dice.normal());
        if real < detection { 0.0 } else { real }
    });
    let calibrations = scene.calibrations(&[]);
    for step in calibrations {
        let drift = scene.drift();
        scene.check(step, drift);
    }
}

/// An instrument that shows one decimal.
pub(super) fn few_decimals(scene: &mut Scene<'_>) {
    let signal = &mut scene.process.signals[scene.signal];
    signal.decimals = signal.decimals.min(1);
    scene.edit(scene.signal, |_, _, value| value);
}
