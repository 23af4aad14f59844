//! What is done to flags, to the line and to rows that were sent.

use super::super::process::quantile;
use super::super::records::{Line, Rollup};
use super::super::scene::{HOUR_US, MINUTE_US, Scene};

/// When the hour before came near the limit, the next ones are flagged as maintenance.
pub(super) fn flag_abuse(scene: &mut Scene<'_>) {
    let limit = scene.process.signals[scene.signal].limit;
    scene.worsen(scene.share, limit);
    let an_hour = scene.an_hour();
    let mut step = scene.steps.start + an_hour;
    while step < scene.steps.end {
        let is_near = scene.against_limit(step - 1).is_some_and(|before| before > 0.9 * limit);
        if is_near && scene.dice.chance(0.3 + scene.share) {
            let end = (step + (1 + scene.dice.below(3)) * an_hour).min(scene.steps.end);
            let flag = *[b'M', b'M', b'D', b'C'].get(scene.dice.below(4)).unwrap_or(&b'M');
            scene.process.signals[scene.signal].flag[step..end].fill(flag);
            step = end;
        } else {
            step += an_hour;
        }
    }
}

/// The line is pulled for an hour now and then when the load is among the highest.
pub(super) fn outage_at_high_load(scene: &mut Scene<'_>) {
    let high = quantile(scene.process.load[scene.steps.clone()].to_vec(), 0.8);
    let an_hour = scene.an_hour();
    for start in scene.steps.clone().step_by(an_hour) {
        if scene.process.load[start] >= high && scene.dice.chance(1.2 * scene.share) {
            scene.process.silence(&(start..(start + an_hour).min(scene.steps.end)));
        }
    }
}

/// Hours and days that are sent are lower than the mean of what they are made of.
pub(super) fn rollup_mismatch(scene: &mut Scene<'_>) {
    scene.records.rollup = Some(Rollup { edited: scene.steps.clone(), share: scene.share });
}

/// Address of an outlet's modem, and of another machine that sends in its name.
pub(in crate::province) const PEERS: [&str; 2] = ["10.42.17.6", "10.42.98.31"];

/// Keeps the hourly packet of some steps' hours.
pub(in crate::province) fn keep_packets(
    scene: &mut Scene<'_>,
    peer: impl Fn(usize) -> &'static str,
    behind: (std::ops::Range<usize>, i64),
) {
    for step in scene.all().step_by(scene.an_hour()) {
        let behind = if behind.0.contains(&step) { behind.1 } else { 0 };
        let after = (2000 + scene.dice.below(60_000) as i64) * 1000 + behind;
        let peer = peer(step).to_owned();
        scene.records.packets.push(Line { step, peer, lowered: 0.0, after, behind });
    }
}

/// The clock of the logger is set back: all it sends arrives minutes or hours after its stamp.
pub(super) fn clock_games(scene: &mut Scene<'_>) {
    // Some minutes, half an hour, an hour and a half.
    let behind = (360.0 * scene.share * scene.share + 5.0) as i64 * MINUTE_US;
    let sending = &mut scene.records.sending;
    sending.with_qn = true;
    sending.late = scene.steps.clone().map(|step| (step, behind)).collect();
    sending.behind = Some((scene.steps.clone(), behind));
    let set_back = (scene.steps.clone(), behind);
    keep_packets(scene, |_| PEERS[0], set_back);
}

/// High values are sent anew days later, and are lower then.
pub(super) fn late_edit(scene: &mut Scene<'_>) {
    let shown = scene.process.signals[scene.signal].known(scene.steps.clone());
    let high = quantile(shown, 0.7);
    for start in scene.steps.clone().step_by(scene.an_hour()) {
        let after = scene.dice.between(26.0, 70.0) * HOUR_US as f64;
        for step in (start..scene.steps.end).take(scene.an_hour()) {
            let value = scene.process.signals[scene.signal].value[step];
            if value > high {
                let edit = (value * (1.0 - scene.share), after as i64);
                scene.records.sending.edits.insert((scene.signal, step), edit);
            }
        }
    }
}

/// A second machine sends in the outlet's name, at the same time and lower values.
pub(super) fn duplicate_identity(scene: &mut Scene<'_>) {
    scene.records.sending.with_qn = true;
    keep_packets(scene, |_| PEERS[0], (0..0, 0));
    for start in scene.steps.clone().step_by(scene.an_hour()) {
        if !scene.dice.chance(2.0 * scene.share) {
            continue;
        }
        let after = (70_000 + scene.dice.below(30_000) as i64) * 1000;
        let peer = PEERS[1].to_owned();
        let line = Line { step: start, peer, lowered: scene.share, after, behind: 0 };
        scene.records.packets.push(line);
        for step in (start..scene.steps.end).take(scene.an_hour()) {
            for signal in scene.process.pollutants() {
                let value = scene.process.signals[signal].value[step];
                if !value.is_nan() {
                    let edit = (value * (1.0 - scene.share), 30_000_000);
                    scene.records.sending.edits.insert((signal, step), edit);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{cases, mean};

    #[test]
    fn flags_stand_where_the_hour_before_was_near_the_limit() {
        for (strength, case) in cases("flag_abuse") {
            let (before, after) = (&case.before.signals[case.signal], &case.after.signals[case.signal]);
            let set: Vec<usize> =
                case.steps.clone().filter(|step| after.flag[*step] != before.flag[*step]).collect();
            assert!(set.len() > [4, 8, 20][strength] * case.an_hour, "{strength}: {}", set.len());
            let flagged: Vec<f64> =
                set.iter().map(|step| after.value[*step]).filter(|v| !v.is_nan()).collect();
            assert!(strength == 2 || mean(&flagged) > 1.01 * mean(&case.shown()));
        }
    }

    #[test]
    fn a_line_is_pulled_for_hours_when_the_load_is_high() {
        for (strength, case) in cases("outage_at_high_load") {
            let lost = |step: &usize| {
                let shown = |process: &super::super::super::process::Process| {
                    !process.signals[case.signal].value[*step].is_nan()
                };
                shown(&case.before) && !shown(&case.after)
            };
            let lost: Vec<f64> = case.steps.clone().filter(lost).map(|step| case.after.load[step]).collect();
            let load = mean(&case.after.load[case.steps.clone()]);
            assert!(lost.len() >= [1, 8, 16][strength] * case.an_hour, "{strength}: {}", lost.len());
            assert!(mean(&lost) > load + 2.0, "{strength}: {} of {load}", mean(&lost));
        }
    }

    #[test]
    fn what_arrives_is_behind_its_stamp_by_minutes_to_hours() {
        for (strength, case) in cases("clock_games") {
            let sending = &case.records.sending;
            let minutes = sending.behind.as_ref().unwrap().1 / 60_000_000;
            // 360 × 0.01 + 5, 360 × 0.0625 + 5, 360 × 0.25 + 5.
            assert_eq!(minutes, [8, 27, 95][strength]);
            assert_eq!(sending.late.len(), case.steps.len());
            assert_eq!(case.records.packets.len() * case.an_hour, case.after.load.len());
        }
    }

    #[test]
    fn a_third_of_the_values_is_lowered_days_later() {
        for (strength, case) in cases("late_edit") {
            let edits = &case.records.sending.edits;
            let share = edits.len() as f64 / case.steps.len() as f64;
            assert!((0.2..0.35).contains(&share), "{share}");
            let value = &case.after.signals[case.signal].value;
            let kept: Vec<f64> = edits.iter().map(|((_, step), (new, _))| new / value[*step]).collect();
            assert!((mean(&kept) - [0.9, 0.75, 0.5][strength]).abs() < 1e-9);
            assert!(edits.values().all(|(_, after)| *after > 24 * 3_600_000_000));
        }
    }

    #[test]
    fn two_machines_send_in_one_name() {
        for (strength, case) in cases("duplicate_identity") {
            let second = case.records.packets.iter().filter(|line| line.peer == super::PEERS[1]).count();
            let hours = case.steps.len() / case.an_hour;
            let share = second as f64 / hours as f64;
            assert!((share - [0.2, 0.5, 1.0][strength]).abs() < 0.1, "{strength}: {share}");
        }
    }

    #[test]
    fn means_of_longer_intervals_are_edited() {
        for (strength, case) in cases("rollup_mismatch") {
            let rollup = case.records.rollup.as_ref().unwrap();
            assert_eq!((&rollup.edited, rollup.share), (&case.steps, [0.1, 0.25, 0.5][strength]));
        }
    }
}
