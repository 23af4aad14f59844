//! Outlets whose rows travel in odd ways, and nothing is wrong with it.

use super::super::records::Rollup;
use super::super::scene::{DAY_US, MINUTE_US, Scene};
use super::super::tamper::{PEERS, keep_packets};

/// Two devices measure in one stack: of one enterprise, under one name, with one figure.
pub(super) fn shared_stack(scene: &mut Scene<'_>) {
    let Some((index, other)) = scene.other else { return };
    scene.process.load.clone_from(&other.load);
    scene.process.stop.clone_from(&other.stop);
    scene.process.duct = other.duct;
    scene.process.signals.clone_from(&other.signals);
    scene.records.shares_with = Some(index);
}

/// Each night an hour is calibrated and flagged; the sender leaves it out of its daily mean, as is
/// right, and who takes all rows finds another.
pub(super) fn flagged_left_out(scene: &mut Scene<'_>) {
    let (clock, hour) = (scene.clock, scene.dice.below(5) as i64);
    let signal = scene.signal;
    let span = scene.process.signals[signal].range * 0.8;
    let is_calibrated = move |step| (0..2).contains(&(clock.hour_of_day(step) - hour));
    scene.edit(
        signal,
        |dice, step, value| {
            if is_calibrated(step) { span * (1.0 + 0.005 * dice.normal()) } else { value }
        },
    );
    for step in scene.steps.clone().filter(|step| is_calibrated(*step)) {
        scene.process.signals[signal].flag[step] = b'C';
    }
    scene.records.rollup = Some(Rollup { edited: 0..0, share: 0.0 });
}

/// A poor line: every tenth packet is sent again half an hour later, with the same values.
pub(super) fn resend(scene: &mut Scene<'_>) {
    scene.records.sending.with_qn = true;
    for step in scene.steps.clone() {
        if scene.dice.chance(0.1) {
            let after = scene.dice.between(10.0, 50.0) * MINUTE_US as f64;
            scene.records.sending.again.insert(step, after as i64);
        }
    }
    keep_packets(scene, |_| PEERS[0], (0..0, 0));
}

/// The line is down for days; all rows are sent when it is back, once and as they were.
pub(super) fn backfill(scene: &mut Scene<'_>) {
    for stretch in scene.stretches((48, 96), (150, 300)) {
        let back = scene.clock.time(stretch.end) + DAY_US;
        for step in stretch {
            let late = back - scene.clock.time(step) + step as i64 % 600 * 1_000_000;
            scene.records.sending.late.insert(step, late);
        }
    }
}

/// When the first line fails, the second takes over for some hours: two addresses, never both.
pub(super) fn backup_line(scene: &mut Scene<'_>) {
    scene.records.sending.with_qn = true;
    let on_second = scene.stretches((5, 30), (60, 200));
    // The first stretch begins with the period: a line that is not backup at first.
    let on_second = on_second.get(1..).unwrap_or_default().to_vec();
    let peer = |step: usize| PEERS[usize::from(on_second.iter().any(|stretch| stretch.contains(&step)))];
    keep_packets(scene, peer, (0..0, 0));
}
