//! The processes: what an outlet's instruments show.

mod disturbances;
mod instruments;

use std::ops::Range;

use super::{Dice, Interval};

use disturbances::{disturb, plan_stop, stand_still};

pub(super) use instruments::Duct;

/// Reference oxygen of the stacks, %.
pub(super) const O2_REFERENCE: f64 = 6.0;

/// One series: values and flags, one a step; NaN where no row is sent.
#[derive(Debug, Clone)]
pub(super) struct Signal {
    pub(super) factor: &'static str,
    pub(super) decimals: i32,
    pub(super) value: Vec<f64>,
    pub(super) flag: Vec<u8>,
    /// Hourly limit; 0 where none.
    pub(super) limit: f64,
    /// Daily limit; 0 where none.
    pub(super) limit_day: f64,
    /// Upper end of the measuring range; 0 where none is registered.
    pub(super) range: f64,
    /// What is sent as converted, where the logger doesn't compute it; NaN where it does.
    pub(super) converted: Option<Vec<f64>>,
    /// The greatest figure that is let through at some steps.
    pub(super) ceiling: Option<(Range<usize>, f64)>,
    /// The step at which the sample of each step was taken.
    pub(super) sampled: Option<Vec<usize>>,
}

impl Signal {
    /// Whether the outlet has a limit for it.
    pub(super) fn is_limited(&self) -> bool {
        self.limit > 0.0
    }

    /// Values of some steps, those that are there.
    pub(super) fn known(&self, steps: Range<usize>) -> Vec<f64> {
        self.value[steps].iter().copied().filter(|value| !value.is_nan()).collect()
    }
}

/// What an outlet's instruments show, and when it stood still.
#[derive(Debug)]
pub(super) struct Process {
    /// Load, % of rated.
    pub(super) load: Vec<f64>,
    pub(super) signals: Vec<Signal>,
    /// Steps of stopped production, as a range.
    pub(super) stop: Option<Range<usize>>,
    /// The duct, of stacks whose velocity is sent.
    pub(super) duct: Option<Duct>,
}

impl Process {
    /// Where a factor stands among the signals.
    pub(super) fn position(&self, factor: &str) -> Option<usize> {
        self.signals.iter().position(|signal| signal.factor == factor)
    }

    /// Where the oxygen of a stack stands among the signals; none in water.
    pub(super) fn oxygen(&self) -> Option<usize> {
        self.position("a19001")
    }

    /// Where the pollutants stand: what has a limit, pH apart.
    pub(super) fn pollutants(&self) -> Vec<usize> {
        let polluting = |at: &usize| self.signals[*at].is_limited() && self.signals[*at].factor != "w01001";
        (0..self.signals.len()).filter(polluting).collect()
    }

    /// Mean of the values of a signal that are there.
    pub(super) fn mean(&self, signal: usize) -> f64 {
        let known = self.signals[signal].value.iter().filter(|value| !value.is_nan());
        let (sum, count) = known.fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
        sum / f64::max(count, 1.0)
    }

    /// A third of the steps, from somewhere behind the first third on.
    pub(super) fn some_third(&self, dice: &mut Dice) -> Range<usize> {
        let len = self.load.len();
        let start = len / 3 + dice.below(len / 6 + 1);
        start..(start + len / 3).min(len).max(start + 1)
    }

    /// Sends no row of any signal at some steps.
    pub(super) fn silence(&mut self, steps: &Range<usize>) {
        self.signals.iter_mut().for_each(|signal| signal.value[steps.clone()].fill(f64::NAN));
    }

    /// What `value` of a signal is at the reference oxygen, where that can be told; as it is
    /// where there is no oxygen to refer to.
    pub(super) fn at_reference(&self, signal: usize, step: usize, value: f64) -> Option<f64> {
        match self.oxygen() {
            Some(_) if !self.signals[signal].is_limited() => None,
            Some(oxygen) => at_reference(value, self.signals[oxygen].value[step]),
            None => Some(value),
        }
    }

    /// The measured value that `converted` at the reference oxygen comes from.
    pub(super) fn measured(&self, step: usize, converted: f64) -> f64 {
        self.at_oxygen(step).map_or(converted, |oxygen| converted * (21.0 - oxygen) / (21.0 - O2_REFERENCE))
    }

    fn at_oxygen(&self, step: usize) -> Option<f64> {
        self.oxygen().map(|at| self.signals[at].value[step]).filter(|oxygen| *oxygen < 20.0)
    }

    /// Mixes a share of air into the gas at the probe, or of clean water into the
    /// sample: oxygen up, every concentration down by one ratio.
    pub(super) fn mix_in(&mut self, step: usize, share: f64) {
        for signal in &mut self.signals {
            let value = signal.value[step];
            let mixed = match signal.factor {
                "a00000" | "a01011" | "a01012" | "a01013" | "a01017" | "w00000" | "w01001" => value,
                "a19001" => value + (20.9 - value) * share,
                _ => value * (1.0 - share),
            };
            signal.value[step] = rounded(mixed, signal.decimals);
        }
    }

    /// Runs the plant at another load: flow and oxygen go with it.
    pub(super) fn run_at(&mut self, step: usize, load: f64) {
        let before = std::mem::replace(&mut self.load[step], load);
        if before <= 0.0 {
            return;
        }
        for signal in &mut self.signals {
            let value = signal.value[step];
            let new = match signal.factor {
                "a00000" | "a01011" | "w00000" => value * load / before,
                "a01017" => value * (load / before).powi(2),
                "a19001" if value < 20.0 => (value + (before - load) * 0.05).max(1.0),
                _ => value,
            };
            signal.value[step] = rounded(new, signal.decimals);
        }
    }
}

/// A value at the reference oxygen, as a logger computes it.
pub(super) fn at_reference(value: f64, oxygen: f64) -> Option<f64> {
    (oxygen < 20.0).then(|| value * (21.0 - O2_REFERENCE) / (21.0 - oxygen))
}

/// The value below which a share of some values lies; 0 of none.
pub(super) fn quantile(mut values: Vec<f64>, share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let at = (share * values.len() as f64) as usize;
    values.get(at.min(values.len().saturating_sub(1))).copied().unwrap_or_default()
}

/// Rounds to decimals, as an instrument shows them.
pub(super) fn rounded(value: f64, decimals: i32) -> f64 {
    let scale = 10_f64.powi(decimals);
    (value * scale).round() / scale
}

/// A number that wanders around 0 with a memory of some hours.
pub(super) fn wandering(dice: &mut Dice, steps: usize, memory_steps: f64) -> Vec<f64> {
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

/// A series without a limit, flagged normal throughout.
fn signal(factor: &'static str, decimals: i32, value: Vec<f64>) -> Signal {
    let flag = vec![b'N'; value.len()];
    let (converted, ceiling, sampled) = (None, None, None);
    let (limit, limit_day, range) = (0.0, 0.0, 0.0);
    Signal { factor, decimals, value, flag, limit, limit_day, range, converted, ceiling, sampled }
}

/// A series with an hourly limit, on a range of two and a half times that.
fn limited(factor: &'static str, decimals: i32, limit: f64, value: Vec<f64>) -> Signal {
    Signal { limit, range: limit * 2.5, ..signal(factor, decimals, value) }
}

/// A stack: load drives flow and oxygen, raw gas and abatement the pollutants.
fn stack(dice: &mut Dice, load: &[f64], per_hour: usize) -> Vec<Signal> {
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
    vec![
        signal("a00000", 3, flow),
        signal("a01012", 1, temperature),
        signal("a19001", 2, oxygen),
        limited("a21002", 2, 50.0, nox),
        limited("a21026", 2, 35.0, so2),
        limited("a34013", 2, 10.0, dust),
    ]
}

/// An outfall: load drives the flow, the works the concentrations.
fn outfall(dice: &mut Dice, load: &[f64], per_hour: usize) -> Vec<Signal> {
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
    vec![
        signal("w00000", 2, flow),
        limited("w01001", 2, 9.0, level(7.4, 0.02)),
        limited("w01018", 1, 50.0, level(28.0, 0.15)),
        limited("w21001", 2, 15.0, level(9.0, 0.12)),
        limited("w21003", 3, 5.0, level(1.2, 0.3)),
        limited("w21011", 3, 0.5, level(0.25, 0.2)),
    ]
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
    let mut signals = if is_air { stack(dice, &load, per_hour) } else { outfall(dice, &load, per_hour) };
    if let Some(stop) = &stop {
        stand_still(&mut signals, stop);
    }
    for signal in &mut signals {
        disturb(dice, signal, per_hour);
        let decimals = signal.decimals;
        signal.value.iter_mut().for_each(|value| *value = rounded(*value, decimals));
    }
    Process { load, signals, stop, duct: None }
}
