//! The processes: what an outlet's instruments show.

use super::{Dice, Interval};

/// One series: values and flags, one a step; NaN where no row is sent.
#[derive(Debug, Clone)]
pub(super) struct Signal {
    pub(super) factor: &'static str,
    pub(super) decimals: i32,
    pub(super) value: Vec<f64>,
    pub(super) flag: Vec<u8>,
}

/// What an outlet's instruments show, and when it stood still.
#[derive(Debug)]
pub(super) struct Process {
    /// Load, % of rated.
    pub(super) load: Vec<f64>,
    pub(super) signals: Vec<Signal>,
    /// Steps of stopped production, as a range.
    pub(super) stop: Option<std::ops::Range<usize>>,
    /// Hourly limit of each signal; 0 where none.
    pub(super) limits: Vec<f64>,
}

impl Process {
    /// Where the oxygen of a stack stands among the signals; none in water.
    pub(super) fn oxygen(&self) -> Option<usize> {
        self.signals.iter().position(|signal| signal.factor == "a19001")
    }

    /// Mean of the values of a signal that are there.
    pub(super) fn mean(&self, signal: usize) -> f64 {
        let known = self.signals[signal].value.iter().filter(|value| !value.is_nan());
        let (sum, count) = known.fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
        sum / f64::max(count, 1.0)
    }

    /// A third of the steps, from somewhere behind the first third on.
    pub(super) fn some_third(&self, dice: &mut Dice) -> std::ops::Range<usize> {
        let len = self.load.len();
        let start = len / 3 + dice.below(len / 6 + 1);
        start..(start + len / 3).min(len).max(start + 1)
    }

    /// Sends no row of any signal at some steps.
    pub(super) fn silence(&mut self, steps: &std::ops::Range<usize>) {
        self.signals.iter_mut().for_each(|signal| signal.value[steps.clone()].fill(f64::NAN));
    }

    /// Mixes a share of air into the gas at the probe, or of clean water into the
    /// sample: oxygen up, every concentration down by one ratio.
    pub(super) fn mix_in(&mut self, step: usize, share: f64) {
        for signal in &mut self.signals {
            let value = signal.value[step];
            let mixed = match signal.factor {
                "a00000" | "a01012" | "w00000" | "w01001" => value,
                "a19001" => value + (20.9 - value) * share,
                _ => value * (1.0 - share),
            };
            signal.value[step] = rounded(mixed, signal.decimals);
        }
    }
}

/// Rounds to decimals, as an instrument shows them.
pub(super) fn rounded(value: f64, decimals: i32) -> f64 {
    let scale = 10_f64.powi(decimals);
    (value * scale).round() / scale
}

/// A number that wanders around 0 with a memory of some hours.
fn wandering(dice: &mut Dice, steps: usize, memory_steps: f64) -> Vec<f64> {
    let keep = (-1.0 / memory_steps).exp();
    let kick = (1.0 - keep * keep).sqrt();
    let mut state = dice.normal();
    (0..steps)
        .map(|_| {
            state = keep * state + kick * dice.normal();
            state
        })
        .collect()
}

/// Load by day and night, and its wandering.
fn load(dice: &mut Dice, steps: usize, per_hour: usize, first_hour: i64) -> Vec<f64> {
    let base = dice.between(60.0, 85.0);
    let swing = dice.between(3.0, 12.0);
    let wander = wandering(dice, steps, 8.0 * per_hour as f64);
    (0..steps)
        .map(|step| {
            let hour = (first_hour + (step / per_hour) as i64).rem_euclid(24) as f64;
            let by_day = (std::f64::consts::TAU * (hour - 9.0) / 24.0).sin();
            (base + swing * by_day + 5.0 * wander[step]).clamp(20.0, 105.0)
        })
        .collect()
}

fn signal(factor: &'static str, decimals: i32, value: Vec<f64>) -> Signal {
    let flag = vec![b'N'; value.len()];
    Signal { factor, decimals, value, flag }
}

/// A stack: load drives flow and oxygen, raw gas and abatement the pollutants.
fn stack(dice: &mut Dice, load: &[f64], per_hour: usize) -> (Vec<Signal>, Vec<f64>) {
    let memory = 6.0 * per_hour as f64;
    let rated_flow = dice.between(20.0, 180.0);
    let flow: Vec<f64> =
        load.iter().map(|l| rated_flow * l / 100.0 * (1.0 + 0.015 * dice.normal())).collect();
    let oxygen: Vec<f64> =
        load.iter().map(|l| (5.0 + (100.0 - l) * 0.05 + 0.15 * dice.normal()).max(1.0)).collect();
    let temperature: Vec<f64> = load.iter().map(|l| 48.0 + 0.1 * l + 0.8 * dice.normal()).collect();
    let mut pollutant = |typical: f64, limit: f64| -> Vec<f64> {
        let level = typical * dice.between(0.7, 1.15);
        let wander = wandering(dice, load.len(), memory);
        let of_step =
            |(l, w): (&f64, &f64)| (level * (0.55 + 0.006 * l) * (1.0 + 0.16 * w) + limit * 0.004).max(0.05);
        load.iter().zip(&wander).map(of_step).collect()
    };
    let (nox, so2, dust) = (pollutant(32.0, 50.0), pollutant(18.0, 35.0), pollutant(4.0, 10.0));
    let signals = vec![
        signal("a00000", 3, flow),
        signal("a01012", 1, temperature),
        signal("a19001", 2, oxygen),
        signal("a21002", 2, nox),
        signal("a21026", 2, so2),
        signal("a34013", 2, dust),
    ];
    (signals, vec![0.0, 0.0, 0.0, 50.0, 35.0, 10.0])
}

/// An outfall: load drives the flow, the works the concentrations.
fn outfall(dice: &mut Dice, load: &[f64], per_hour: usize) -> (Vec<Signal>, Vec<f64>) {
    let memory = 10.0 * per_hour as f64;
    let rated_flow = dice.between(10.0, 400.0);
    let flow: Vec<f64> = load.iter().map(|l| rated_flow * l / 100.0 * (1.0 + 0.03 * dice.normal())).collect();
    let mut level = |typical: f64, spread: f64| -> Vec<f64> {
        let level = typical * dice.between(0.8, 1.2);
        wandering(dice, load.len(), memory)
            .iter()
            .map(|w| (level * (1.0 + spread * w)).max(typical * 0.01))
            .collect()
    };
    let signals = vec![
        signal("w00000", 2, flow),
        signal("w01001", 2, level(7.4, 0.02)),
        signal("w01018", 1, level(28.0, 0.15)),
        signal("w21001", 2, level(9.0, 0.12)),
        signal("w21003", 3, level(1.2, 0.3)),
        signal("w21011", 3, level(0.25, 0.2)),
    ];
    (signals, vec![0.0, 9.0, 50.0, 15.0, 5.0, 0.5])
}

/// Makes the process of an outlet.
pub(super) fn process(
    dice: &mut Dice,
    is_air: bool,
    steps: usize,
    interval: Interval,
    first_hour: i64,
) -> Process {
    let per_hour = interval.steps_an_hour();
    let mut load = load(dice, steps, per_hour, first_hour);
    let stop = plan_stop(dice, steps, per_hour);
    if let Some(stop) = stop.clone() {
        load[stop].fill(0.0);
    }
    let (mut signals, limits) =
        if is_air { stack(dice, &load, per_hour) } else { outfall(dice, &load, per_hour) };
    if let Some(stop) = &stop {
        stand_still(&mut signals, stop);
    }
    for signal in &mut signals {
        disturb(dice, signal, per_hour);
        let decimals = signal.decimals;
        signal.value.iter_mut().for_each(|value| *value = rounded(*value, decimals));
    }
    Process { load, signals, stop, limits }
}

/// One outlet in five stops for two to nine days.
fn plan_stop(dice: &mut Dice, steps: usize, per_hour: usize) -> Option<std::ops::Range<usize>> {
    if !dice.chance(0.2) {
        return None;
    }
    let hours = 48 + dice.below(168);
    let first_hour = dice.below((steps / per_hour).saturating_sub(hours).max(1));
    let start = first_hour * per_hour;
    Some(start..(start + hours * per_hour).min(steps))
}

/// A plant that stands still shows air: no flow, 20.9 % oxygen, no pollutants.
fn stand_still(signals: &mut [Signal], stop: &std::ops::Range<usize>) {
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
fn disturb(dice: &mut Dice, signal: &mut Signal, per_hour: usize) {
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
