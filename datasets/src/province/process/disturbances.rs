//! What keeps a plant and its analysers from running on: stops, calibration, faults, lost rows.

use std::ops::Range;

use super::Signal;
use crate::province::Dice;

/// One outlet in five stops for two to nine days.
pub(super) fn plan_stop(dice: &mut Dice, steps: usize, per_hour: usize) -> Option<Range<usize>> {
    if !dice.chance(0.2) {
        return None;
    }
    let hours = 48 + dice.below(168);
    let first_hour = dice.below((steps / per_hour).saturating_sub(hours).max(1));
    let start = first_hour * per_hour;
    Some(start..(start + hours * per_hour).min(steps))
}

/// A plant that stands still shows air: no flow, 20.9 % oxygen, no pollutants.
pub(super) fn stand_still(signals: &mut [Signal], stop: &Range<usize>) {
    for signal in signals {
        let still = match signal.factor {
            "a19001" => 20.9,
            "a01012" => 22.0,
            "w01001" => 7.2,
            _ => 0.0,
        };
        signal.value[stop.clone()].fill(still);
    }
}

/// Calibration, maintenance, faults and lost rows, as any analyser has them.
pub(super) fn disturb(dice: &mut Dice, signal: &mut Signal, per_hour: usize) {
    let hours = signal.value.len() / per_hour;
    let mut event = |dice: &mut Dice, a_hour: f64, hours_long: usize, flag: u8| {
        let mut hour = 0;
        while hour < hours {
            if dice.chance(a_hour) {
                let end = (hour + 1 + dice.below(hours_long)).min(hours);
                signal.flag[hour * per_hour..end * per_hour].fill(flag);
                hour = end;
            }
            hour += 1;
        }
    };
    event(dice, 1.0 / 200.0, 2, b'C');
    event(dice, 1.0 / 500.0, 5, b'M');
    event(dice, 1.0 / 1500.0, 40, b'D');
    let mut step = 0;
    while step < signal.value.len() {
        if dice.chance(0.002 / per_hour as f64) {
            let end = (step + (1 + dice.below(12)) * per_hour).min(signal.value.len());
            signal.value[step..end].fill(f64::NAN);
            step = end;
        }
        step += 1;
    }
}
