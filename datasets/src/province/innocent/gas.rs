//! Stacks where something changes, and lawfully.

use super::super::process::{rounded, wandering};
use super::super::records::{Fault, Log};
use super::super::scene::Scene;
use super::super::tamper;

/// Every six hours the probe is blown free with air for eight minutes.
pub(super) fn air_purge(scene: &mut Scene<'_>) {
    let an_hour = scene.an_hour();
    let purged = (8 * an_hour).div_ceil(60);
    let share = 8.0 * an_hour as f64 / (60.0 * purged as f64);
    for step in scene.steps.clone().filter(|step| step % (6 * an_hour) < purged) {
        scene.process.mix_in(step, share);
    }
}

/// A new burner needs less air: oxygen falls for good, flow and NOx with it.
pub(super) fn new_burner(scene: &mut Scene<'_>) {
    scene.signal = scene.process.oxygen().unwrap_or(scene.signal);
    for at in 0..scene.process.signals.len() {
        let factor = scene.process.signals[at].factor;
        scene.edit(at, |_, _, value| match factor {
            "a19001" if value < 20.0 => (value - 1.8).max(0.8),
            "a00000" => value * 0.9,
            "a21002" => value * 0.85,
            _ => value,
        });
    }
    let fitted = scene.steps.start..(scene.steps.start + 8 * scene.an_hour()).min(scene.steps.end);
    scene.work(scene.factor(), fitted, "burner", "更换低氮燃烧器");
}

/// A logger that converts minute by minute and takes the mean of that, a percent or two beside the
/// formula of the means.
pub(super) fn minute_conversion(scene: &mut Scene<'_>) {
    for at in scene.process.pollutants() {
        let mut converted = vec![f64::NAN; scene.process.load.len()];
        for step in scene.steps.clone() {
            let signal = &scene.process.signals[at];
            if let Some(honest) = scene.process.at_reference(at, step, signal.value[step]) {
                let beside = 1.0 + 0.004 + 0.006 * scene.dice.normal();
                converted[step] = rounded(honest * beside, signal.decimals);
            }
        }
        scene.process.signals[at].converted = Some(converted);
    }
}

/// The duct was surveyed anew: another velocity-field coefficient, registered and in the logger,
/// with a notice.
pub(super) fn accepted_change(scene: &mut Scene<'_>) {
    let Some((flow, params)) = tamper::scene_of_duct(scene) else { return };
    let kept = 1.0 - [0.08, -0.08, 0.14, -0.14].get(scene.dice.below(4)).copied().unwrap_or(0.08);
    let changed = scene.steps.start;
    scene.signal = flow;
    for (param, value) in params {
        scene.param("a00000", param, 0, value);
    }
    let kv = rounded(params[0].1 * kept, 3);
    scene.param("a00000", "i23003", changed, kv);
    scene.edit(flow, |_, _, value| value * kept);
    let ts = scene.clock.time(changed);
    scene.records.registered_kv = Some((ts, kv));
    scene
        .records
        .logs
        .push(Log { factor: "a00000", ts, text: "//速度场系数变更，已验收备案//" });
    let survey = changed..(changed + 4 * scene.an_hour()).min(scene.steps.end);
    scene.work("a00000", survey, "parameter_change", "速度场系数重新标定，变更已备案");
}

/// The tube of the dynamic pressure clogs for a day now and then; that is reported and repaired.
pub(super) fn sensor_fault(scene: &mut Scene<'_>) {
    let an_hour = scene.an_hour();
    scene.process.fit_duct(scene.dice, an_hour);
    let Some(dynamic) = scene.process.position("a01017") else { return };
    scene.signal = dynamic;
    for stretch in scene.stretches((16, 36), (60, 160)) {
        let long = stretch.len().max(1) as f64;
        let noticed = stretch.start + stretch.len() / 2;
        for step in stretch.clone() {
            let clogged = (step - stretch.start) as f64 / long;
            let shown = scene.process.signals[dynamic].value[step];
            scene.set(dynamic, step, shown * (1.0 - 0.9 * clogged));
        }
        scene.process.signals[dynamic].flag[noticed..stretch.end].fill(b'D');
        let (started, ended) = (scene.clock.time(noticed), scene.clock.time(stretch.end));
        scene.records.faults.push(Fault { factor: "a01017", started, ended, cause: "皮托管堵塞" });
        scene.work("a01017", noticed..stretch.end, "repair", "清堵并更换引压管");
    }
}

/// A boiler that is banked: stopped and on record as such, it stays warm, and its oxygen is well
/// above that of a fire.
pub(super) fn banked_boiler(scene: &mut Scene<'_>) {
    tamper::run_dry(scene);
    let an_hour = scene.an_hour() as f64;
    for stretch in scene.stretches((40, 80), (80, 200)) {
        let stop = (scene.clock.time(stretch.start), scene.clock.time(stretch.end));
        scene.records.stops.push(stop);
        let start = stretch.start;
        let within = std::mem::replace(&mut scene.steps, stretch.clone());
        scene.process.load[stretch].fill(0.0);
        for at in 0..scene.process.signals.len() {
            let factor = scene.process.signals[at].factor;
            scene.edit(at, |dice, step, _| {
                let hours = (step - start) as f64 / an_hour;
                match factor {
                    "a00000" => 0.0,
                    "a01012" => 60.0 + 55.0 * (-hours / 30.0).exp() + 0.5 * dice.normal(),
                    "a19001" => (20.6 - 1.6 * (-hours / 20.0).exp() + 0.1 * dice.normal()).min(20.9),
                    _ => 0.4 + 0.6 * (-hours / 8.0).exp(),
                }
            });
        }
        scene.steps = within;
    }
}

/// Other coal with less sulphur: the ratio of the pollutants is another from then on, and more of
/// it is burnt.
pub(super) fn fuel_change(scene: &mut Scene<'_>) {
    tamper::tie_pollutants(scene);
    let changed = scene.steps.start;
    for (factor, kept) in [("a21026", 0.6), ("a21002", 1.08), ("a34013", 1.15)] {
        if let Some(at) = scene.process.position(factor) {
            scene.edit(at, |_, _, value| value * kept);
        }
    }
    scene.signal = scene.process.position("a21026").unwrap_or(scene.signal);
    let an_hour = scene.an_hour();
    let burnt = |step: usize| scene.process.load[step] * if step < changed { 0.30 } else { 0.37 };
    let fuel = scene.all().step_by(an_hour).map(|step| rounded(burnt(step), 2)).collect();
    scene.records.conditions.push(("fuel", fuel));
    let ts = scene.clock.time(changed);
    scene.records.logs.push(Log { factor: "a21026", ts, text: "//燃料切换为低硫煤//" });
}

/// Abatement that is held to the daily limit around the clock, each hour by itself.
pub(super) fn steady_control(scene: &mut Scene<'_>) {
    let limit_day = scene.process.signals[scene.signal].limit * 0.8;
    scene.process.signals[scene.signal].limit_day = limit_day;
    let wander = wandering(scene.dice, scene.process.load.len(), 4.0 * scene.an_hour() as f64);
    for step in scene.running(scene.steps.clone()) {
        let shown = limit_day * (0.975 + 0.02 * wander[step] + 0.008 * scene.dice.normal());
        scene.set(scene.signal, step, scene.process.measured(step, shown));
    }
}
