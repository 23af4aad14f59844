//! Innocent twins: series that look like a planted pattern and have an honest
//! reason. A detector that can't tell the two apart accuses honest plants.

use std::ops::Range;

use super::process::{Process, rounded};
use super::{Dice, Interval};

/// An innocent twin, as `innocent.csv` tells it.
#[derive(Debug, Clone, PartialEq)]
pub struct Innocent {
    /// The outlet.
    pub mn: String,
    /// The factor it shows on most.
    pub factor: &'static str,
    /// What it is.
    pub twin: &'static str,
    /// The pattern it looks like.
    pub resembles: &'static str,
    /// When it began, µs.
    pub started: i64,
    /// When it ended, µs.
    pub ended: i64,
}

impl Innocent {
    /// The columns of `innocent.csv`.
    pub const COLUMNS: [&'static str; 6] = ["mn", "factor", "twin", "resembles", "started", "ended"];

    /// The fields of a line of `innocent.csv`.
    pub fn fields(&self) -> [String; 6] {
        let [factor, twin, resembles] = [self.factor, self.twin, self.resembles].map(str::to_owned);
        [
            self.mn.clone(),
            factor,
            twin,
            resembles,
            super::time_text(self.started),
            super::time_text(self.ended),
        ]
    }
}

/// How a twin changes a process over steps.
type Shape = fn(&mut Dice, &mut Process, &Stage<'_>);

/// A kind of innocent twin.
struct Twin {
    name: &'static str,
    resembles: &'static str,
    /// Whether it needs the oxygen of a stack.
    air_only: bool,
    /// Whether it is how the plant always is, or lasts for a third of the period.
    always: bool,
    shape: Shape,
}

/// One for each family that can be planted, in that order.
const TWINS: [Twin; 14] = [
    twin("detection_floor", "constant_value", detection_floor).always(),
    twin("steady_plant", "low_variance", steady_plant).always(),
    twin("set_point", "limit_clipping", set_point).always(),
    twin("over_range", "maximum_clamp", over_range),
    twin("dual_range", "range_clamp", dual_range).always(),
    twin("batch_cycle", "replay", batch_cycle).always(),
    twin("day_cycle", "synthetic_series", day_cycle).always(),
    twin("empty_duct", "random_noise", empty_duct),
    twin("air_purge", "dilution", air_purge).always().air_only(),
    twin("new_burner", "oxygen_tampering", new_burner).air_only(),
    twin("failing_analyser", "flag_abuse", failing_analyser),
    twin("network_outage", "outage_at_high_load", network_outage).always(),
    twin("flat_load", "load_decoupling", flat_load).always(),
    twin("few_decimals", "digit_preference", few_decimals).always(),
];

const fn twin(name: &'static str, resembles: &'static str, shape: Shape) -> Twin {
    Twin { name, resembles, air_only: false, always: false, shape }
}

impl Twin {
    const fn always(mut self) -> Self {
        self.always = true;
        self
    }

    const fn air_only(mut self) -> Self {
        self.air_only = true;
        self
    }
}

/// Where and on what a twin shows.
struct Stage<'a> {
    steps: Range<usize>,
    signal: usize,
    interval: Interval,
    /// Steps at which the province's network is down.
    outages: &'a [Range<usize>],
}

/// A twin on a process: kind, steps, signal.
pub(super) struct Plan {
    pub(super) twin: &'static str,
    pub(super) resembles: &'static str,
    pub(super) steps: Range<usize>,
    pub(super) signal: usize,
}

/// Gives a process the `number`-th twin of its medium.
pub(super) fn befall(
    dice: &mut Dice,
    process: &mut Process,
    number: usize,
    interval: Interval,
    outages: &[Range<usize>],
) -> Plan {
    let is_air = process.oxygen().is_some();
    let fitting: Vec<&Twin> = TWINS.iter().filter(|twin| is_air || !twin.air_only).collect();
    let twin = fitting[number % fitting.len()];
    let third = process.some_third(dice);
    let steps = if twin.always { 0..process.load.len() } else { third };
    let signal = process.oxygen().filter(|_| twin.resembles == "oxygen_tampering");
    let signal = signal.unwrap_or_else(|| 3 + dice.below(2));
    (twin.shape)(dice, process, &Stage { steps: steps.clone(), signal, interval, outages });
    Plan { twin: twin.name, resembles: twin.resembles, steps, signal }
}

/// Changes the values of a signal, where it has any.
fn reshape(process: &mut Process, stage: &Stage<'_>, mut new: impl FnMut(usize, f64) -> f64) {
    let signal = &mut process.signals[stage.signal];
    for step in stage.steps.clone() {
        let value = signal.value[step];
        if !value.is_nan() {
            signal.value[step] = rounded(new(step, value).max(0.0), signal.decimals);
        }
    }
}

/// Gas so clean that the analyser mostly shows its detection limit.
fn detection_floor(dice: &mut Dice, process: &mut Process, stage: &Stage<'_>) {
    let floor = process.limits[stage.signal].max(1.0) * 0.01;
    reshape(process, stage, |_, value| {
        let trace = value * 0.012;
        if dice.chance(0.01) { floor + trace } else { floor }
    });
}

/// A kiln at one load all year: everything is steady, the pollutant too.
fn steady_plant(dice: &mut Dice, process: &mut Process, stage: &Stage<'_>) {
    let level = process.mean(stage.signal);
    let load = process.load.iter().sum::<f64>() / process.load.len().max(1) as f64;
    process.load.iter_mut().filter(|load| **load > 0.0).for_each(|step| *step = load + 0.3 * dice.normal());
    reshape(
        process,
        stage,
        |_, value| if value > 0.0 { level * (1.0 + 0.006 * dice.normal()) } else { value },
    );
}

/// Abatement regulated to a set-point under the limit; now and then it overshoots.
fn set_point(dice: &mut Dice, process: &mut Process, stage: &Stage<'_>) {
    let limit = process.limits[stage.signal].max(1.0);
    reshape(
        process,
        stage,
        |_, value| if value > 0.0 { limit * (0.955 + 0.025 * dice.normal()) } else { value },
    );
}

/// Real concentrations above the range: the analyser shows its range and says so.
fn over_range(dice: &mut Dice, process: &mut Process, stage: &Stage<'_>) {
    let range = process.mean(stage.signal) * 1.2;
    reshape(process, stage, |_, value| (value * (1.1 + 0.05 * dice.normal())).min(range));
    let signal = &mut process.signals[stage.signal];
    let top = rounded(range, signal.decimals);
    for step in stage.steps.clone() {
        if signal.value[step] >= top && signal.flag[step] == b'N' {
            signal.flag[step] = b'T';
        }
    }
}

/// A dual-range analyser dwells at the top of its low range before it switches.
fn dual_range(_: &mut Dice, process: &mut Process, stage: &Stage<'_>) {
    let low_range = process.mean(stage.signal) * 1.1;
    reshape(process, stage, |_, value| {
        if (low_range..low_range * 1.03).contains(&value) { low_range * 0.99 } else { value }
    });
}

/// A recipe of eight hours over and over, each batch a little different.
fn batch_cycle(dice: &mut Dice, process: &mut Process, stage: &Stage<'_>) {
    let level = process.mean(stage.signal);
    let recipe = [0.55, 0.8, 1.1, 1.35, 1.4, 1.2, 0.95, 0.65];
    let an_hour = stage.interval.steps_an_hour();
    reshape(process, stage, |step, value| {
        let phase = recipe[step / an_hour % recipe.len()];
        if value > 0.0 { level * phase * (1.0 + 0.02 * dice.normal()) } else { value }
    });
}

/// Household waste water rises and falls with the day.
fn day_cycle(dice: &mut Dice, process: &mut Process, stage: &Stage<'_>) {
    let level = process.mean(stage.signal);
    let a_day = 24.0 * stage.interval.steps_an_hour() as f64;
    reshape(process, stage, |step, value| {
        let wave = (step as f64 / a_day * std::f64::consts::TAU).sin();
        if value > 0.0 { level * (1.0 + 0.35 * wave + 0.03 * dice.normal()) } else { value }
    });
}

/// A line out of use: no flow, and the analyser hisses in the empty duct.
fn empty_duct(dice: &mut Dice, process: &mut Process, stage: &Stage<'_>) {
    process.load[stage.steps.clone()].fill(0.0);
    for signal in &mut process.signals {
        for step in stage.steps.clone() {
            let still = match signal.factor {
                "a00000" | "w00000" => 0.0,
                "a01012" => 22.0,
                "a19001" => 20.9 + 0.03 * dice.normal(),
                "w01001" => 7.2 + 0.05 * dice.normal(),
                _ => 0.3 + 0.2 * dice.uniform(),
            };
            if !signal.value[step].is_nan() {
                signal.value[step] = rounded(still, signal.decimals);
            }
        }
    }
}

/// Every six hours the probe is blown free with air for eight minutes.
fn air_purge(_: &mut Dice, process: &mut Process, stage: &Stage<'_>) {
    let an_hour = stage.interval.steps_an_hour();
    let purged = (8 * an_hour).div_ceil(60);
    let share = 8.0 * an_hour as f64 / (60.0 * purged as f64);
    for step in stage.steps.clone().filter(|step| step % (6 * an_hour) < purged) {
        process.mix_in(step, share);
    }
}

/// A new burner needs less air: oxygen falls for good, flow and NOx with it.
fn new_burner(_: &mut Dice, process: &mut Process, stage: &Stage<'_>) {
    let steps = stage.steps.start..process.load.len();
    for signal in &mut process.signals {
        for step in steps.clone() {
            let value = signal.value[step];
            let new = match signal.factor {
                "a19001" if value < 20.0 => (value - 1.8).max(0.8),
                "a00000" => value * 0.9,
                "a21002" => value * 0.85,
                _ => value,
            };
            signal.value[step] = rounded(new, signal.decimals);
        }
    }
}

/// An analyser that fails: it climbs for hours, then is marked, again and again.
fn failing_analyser(dice: &mut Dice, process: &mut Process, stage: &Stage<'_>) {
    let an_hour = stage.interval.steps_an_hour();
    let (climb, fault) = (10 * an_hour, 6 * an_hour);
    let signal = &mut process.signals[stage.signal];
    let mut start = stage.steps.start;
    while start + climb + fault < stage.steps.end {
        for step in start..start + climb + fault {
            let risen = ((step - start) as f64 / climb as f64).min(1.0);
            signal.value[step] = rounded(signal.value[step] * (1.0 + 0.8 * risen), signal.decimals);
        }
        signal.flag[start + climb..start + climb + fault].fill(b'D');
        start += climb + fault + (20 + dice.below(60)) * an_hour;
    }
}

/// The network of the whole province is down at the same hours.
fn network_outage(_: &mut Dice, process: &mut Process, stage: &Stage<'_>) {
    for outage in stage.outages {
        process.signals.iter_mut().for_each(|signal| signal.value[outage.clone()].fill(f64::NAN));
    }
}

/// A plant at one load, whose emission follows the fuel alone.
fn flat_load(dice: &mut Dice, process: &mut Process, _: &Stage<'_>) {
    let level = dice.between(70.0, 80.0);
    for load in process.load.iter_mut().filter(|load| **load > 0.0) {
        *load = level + 0.5 * dice.normal();
    }
}

/// An instrument that shows whole numbers.
fn few_decimals(_: &mut Dice, process: &mut Process, stage: &Stage<'_>) {
    process.signals[stage.signal].decimals = 0;
    reshape(process, stage, |_, value| value);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::province::tamper::FAMILIES;

    #[test]
    fn each_family_has_its_twin() {
        assert_eq!(TWINS.map(|twin| twin.resembles), FAMILIES);
    }
}
