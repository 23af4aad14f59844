//! Innocent twins: series that look like a planted pattern and have an honest
//! reason. A detector that can't tell the two apart accuses honest plants.

use std::ops::Range;

use super::process::{Process, rounded};
use super::{Dice, Interval, ProvinceRequest};

const DAY_US: i64 = 24 * 3_600_000_000;

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
type Shape = fn(&mut Dice, &mut Process, &Stage);

/// A kind of innocent twin.
struct Twin {
    name: &'static str,
    resembles: &'static str,
    /// Whether it needs the oxygen of a stack.
    air_only: bool,
    lasts: Lasts,
    shape: Shape,
}

/// For how long a twin shows.
#[derive(Clone, Copy)]
enum Lasts {
    /// A third of the period.
    Third,
    /// From somewhere in the period to its end.
    ToTheEnd,
    /// The whole period: it is how the plant is.
    Always,
}

/// The twin that comes to all outlets of a city at once.
pub(super) const NETWORK_OUTAGE: &str = "network_outage";
/// What it looks like.
pub(super) const RESEMBLES_OUTAGE: &str = "outage_at_high_load";

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
    twin("new_burner", "oxygen_tampering", new_burner).until_the_end().air_only(),
    twin("failing_analyser", "flag_abuse", failing_analyser),
    twin(NETWORK_OUTAGE, RESEMBLES_OUTAGE, nothing_of_its_own).always(),
    twin("flat_load", "load_decoupling", flat_load).always(),
    twin("few_decimals", "digit_preference", few_decimals).always(),
];

const fn twin(name: &'static str, resembles: &'static str, shape: Shape) -> Twin {
    Twin { name, resembles, air_only: false, lasts: Lasts::Third, shape }
}

impl Twin {
    const fn always(mut self) -> Self {
        self.lasts = Lasts::Always;
        self
    }

    const fn until_the_end(mut self) -> Self {
        self.lasts = Lasts::ToTheEnd;
        self
    }

    const fn air_only(mut self) -> Self {
        self.air_only = true;
        self
    }
}

/// Where and on what a twin shows.
struct Stage {
    steps: Range<usize>,
    signal: usize,
    interval: Interval,
}

/// A twin on a process: kind, steps, signal.
pub(super) struct Plan {
    pub(super) twin: &'static str,
    pub(super) resembles: &'static str,
    pub(super) steps: Range<usize>,
    pub(super) signal: usize,
}

/// Gives a process the `number`-th twin of its medium; `None` where that is the
/// network of its city, whose outages every outlet there has.
pub(super) fn befall(
    dice: &mut Dice,
    process: &mut Process,
    number: usize,
    interval: Interval,
) -> Option<Plan> {
    let is_air = process.oxygen().is_some();
    let fitting: Vec<&Twin> = TWINS.iter().filter(|twin| is_air || !twin.air_only).collect();
    let twin = fitting[number % fitting.len()];
    let third = process.some_third(dice);
    let steps = match twin.lasts {
        Lasts::Third => third,
        Lasts::ToTheEnd => third.start..process.load.len(),
        Lasts::Always => 0..process.load.len(),
    };
    let signal = process.oxygen().filter(|_| twin.resembles == "oxygen_tampering");
    let signal = signal.unwrap_or_else(|| 3 + dice.below(2));
    (twin.shape)(dice, process, &Stage { steps: steps.clone(), signal, interval });
    let plan = Plan { twin: twin.name, resembles: twin.resembles, steps, signal };
    (twin.name != NETWORK_OUTAGE).then_some(plan)
}

/// Steps at which the network of a city is down: some hours of the afternoon, on about one day
/// in ten and on one at least. They hang on seed, period and city alone, so that every outlet
/// of the city finds the same without knowing of the others.
pub(super) fn network_outages(request: &ProvinceRequest, city: usize, steps: usize) -> Vec<Range<usize>> {
    let mut dice = Dice::of_city(request.seed, city);
    let an_hour = request.interval.steps_an_hour();
    let since_midnight = request.from.rem_euclid(DAY_US) / request.interval.micros();
    let midnight = (24 * an_hour - usize::try_from(since_midnight).unwrap_or_default()) % (24 * an_hour);
    let mut days: Vec<usize> = (midnight..steps).step_by(24 * an_hour).collect();
    let at_least = days.get(dice.below(days.len())).copied();
    days.retain(|day| dice.chance(0.1) || Some(*day) == at_least);
    let outage = |day: usize| {
        let (start, end) = (12 + dice.below(4), 17 + dice.below(4));
        (day + start * an_hour).min(steps)..(day + end * an_hour).min(steps)
    };
    days.into_iter().map(outage).filter(|outage| !outage.is_empty()).collect()
}

/// Changes the values of a signal, where it has any.
fn reshape(process: &mut Process, stage: &Stage, mut new: impl FnMut(usize, f64) -> f64) {
    let signal = &mut process.signals[stage.signal];
    for step in stage.steps.clone() {
        let value = signal.value[step];
        if !value.is_nan() {
            signal.value[step] = rounded(new(step, value).max(0.0), signal.decimals);
        }
    }
}

/// Gas so clean that the analyser mostly shows its detection limit.
fn detection_floor(dice: &mut Dice, process: &mut Process, stage: &Stage) {
    let floor = process.limits[stage.signal].max(1.0) * 0.01;
    let an_hour = stage.interval.steps_an_hour();
    let (mut hour, mut shows_trace) = (None, false);
    reshape(process, stage, |step, value| {
        // An hour in a hundred, whatever the interval: of minutes, none would stay a day at the floor.
        if hour != Some(step / an_hour) {
            (hour, shows_trace) = (Some(step / an_hour), dice.chance(0.01));
        }
        if shows_trace { floor + value * 0.012 } else { floor }
    });
}

/// A kiln at one load all year: everything is steady, the pollutant too.
fn steady_plant(dice: &mut Dice, process: &mut Process, stage: &Stage) {
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
fn set_point(dice: &mut Dice, process: &mut Process, stage: &Stage) {
    let limit = process.limits[stage.signal].max(1.0);
    reshape(
        process,
        stage,
        |_, value| if value > 0.0 { limit * (0.955 + 0.025 * dice.normal()) } else { value },
    );
}

/// Real concentrations above the range: the analyser shows its range and says so.
fn over_range(dice: &mut Dice, process: &mut Process, stage: &Stage) {
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
fn dual_range(_: &mut Dice, process: &mut Process, stage: &Stage) {
    let low_range = process.mean(stage.signal) * 1.1;
    reshape(process, stage, |_, value| {
        if (low_range..low_range * 1.03).contains(&value) { low_range * 0.99 } else { value }
    });
}

/// A recipe of eight hours over and over, each batch a little different.
fn batch_cycle(dice: &mut Dice, process: &mut Process, stage: &Stage) {
    let level = process.mean(stage.signal);
    let recipe = [0.55, 0.8, 1.1, 1.35, 1.4, 1.2, 0.95, 0.65];
    let an_hour = stage.interval.steps_an_hour();
    reshape(process, stage, |step, value| {
        let phase = recipe[step / an_hour % recipe.len()];
        if value > 0.0 { level * phase * (1.0 + 0.02 * dice.normal()) } else { value }
    });
}

/// Household waste water rises and falls with the day.
fn day_cycle(dice: &mut Dice, process: &mut Process, stage: &Stage) {
    let level = process.mean(stage.signal);
    let a_day = 24.0 * stage.interval.steps_an_hour() as f64;
    reshape(process, stage, |step, value| {
        let wave = (step as f64 / a_day * std::f64::consts::TAU).sin();
        if value > 0.0 { level * (1.0 + 0.35 * wave + 0.03 * dice.normal()) } else { value }
    });
}

/// A line out of use: no flow, and the analyser hisses in the empty duct.
fn empty_duct(dice: &mut Dice, process: &mut Process, stage: &Stage) {
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
fn air_purge(_: &mut Dice, process: &mut Process, stage: &Stage) {
    let an_hour = stage.interval.steps_an_hour();
    let purged = (8 * an_hour).div_ceil(60);
    let share = 8.0 * an_hour as f64 / (60.0 * purged as f64);
    for step in stage.steps.clone().filter(|step| step % (6 * an_hour) < purged) {
        process.mix_in(step, share);
    }
}

/// A new burner needs less air: oxygen falls for good, flow and NOx with it.
fn new_burner(_: &mut Dice, process: &mut Process, stage: &Stage) {
    for signal in &mut process.signals {
        for step in stage.steps.clone() {
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
fn failing_analyser(dice: &mut Dice, process: &mut Process, stage: &Stage) {
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

/// The outages of its city's network are all that befalls it.
fn nothing_of_its_own(_: &mut Dice, _: &mut Process, _: &Stage) {}

/// A plant at one load, whose emission follows the fuel alone.
fn flat_load(dice: &mut Dice, process: &mut Process, _: &Stage) {
    let level = dice.between(70.0, 80.0);
    for load in process.load.iter_mut().filter(|load| **load > 0.0) {
        *load = level + 0.5 * dice.normal();
    }
}

/// An instrument that shows whole numbers.
fn few_decimals(_: &mut Dice, process: &mut Process, stage: &Stage) {
    process.signals[stage.signal].decimals = 0;
    reshape(process, stage, |_, value| value);
}

#[cfg(test)]
mod tests {
    use super::super::process::process;
    use super::*;
    use crate::province::tamper::FAMILIES;

    #[test]
    fn each_family_has_its_twin() {
        assert_eq!(TWINS.map(|twin| twin.resembles), FAMILIES);
    }

    /// A stack of 30 days, before and after a twin.
    fn befallen(number: usize, interval: Interval) -> (Process, Process, Option<Plan>) {
        let steps = 30 * 24 * interval.steps_an_hour();
        let stack = |dice: &mut Dice| process(dice, true, steps, interval, 0);
        let before = stack(&mut Dice::of_outlet(3, 0));
        let mut dice = Dice::of_outlet(3, 0);
        let mut after = stack(&mut dice);
        let plan = befall(&mut dice, &mut after, number, interval);
        (before, after, plan)
    }

    #[test]
    fn a_twin_shows_where_its_label_says_and_on_the_signal_of_its_label() {
        for interval in [Interval::Hour, Interval::Minute] {
            for number in 0..TWINS.len() {
                let (before, after, plan) = befallen(number, interval);
                let Some(plan) = plan else { continue };
                let differs = |signal: usize, step: usize| {
                    let (before, after) = (&before.signals[signal], &after.signals[signal]);
                    before.value[step].to_bits() != after.value[step].to_bits()
                        || before.flag[step] != after.flag[step]
                };
                let changed: Vec<usize> = (0..before.load.len())
                    .filter(|step| {
                        before.load[*step].to_bits() != after.load[*step].to_bits()
                            || (0..before.signals.len()).any(|signal| differs(signal, *step))
                    })
                    .collect();
                assert!(!changed.is_empty(), "{}", plan.twin);
                assert!(changed.iter().all(|step| plan.steps.contains(step)), "{}", plan.twin);
                // Its effect reaches about as far as its label, too.
                let tail = plan.steps.end - changed.last().unwrap();
                assert!(tail < plan.steps.len() / 2, "{}: {tail} steps unchanged", plan.twin);
            }
        }
    }

    #[test]
    fn traces_above_the_floor_are_as_rare_of_minutes_as_of_hours() {
        for interval in [Interval::Hour, Interval::Minute] {
            let (_, after, plan) = befallen(0, interval);
            let shown = &after.signals[plan.unwrap().signal].value;
            let floor = shown.iter().copied().filter(|value| !value.is_nan()).fold(f64::MAX, f64::min);
            // Seven or so in a month; of minutes drawn one by one there would be hundreds.
            let traces = shown.windows(2).filter(|pair| pair[0] == floor && pair[1] > floor).count();
            assert!((1..30).contains(&traces), "{interval:?}: {traces} traces");
        }
    }

    fn month(seed: u64, interval: Interval) -> ProvinceRequest {
        let from = 20_454 * DAY_US;
        ProvinceRequest { outlets: 1, from, to: from + 30 * DAY_US, seed, interval, planted: true }
    }

    #[test]
    fn a_citys_network_fails_in_the_afternoon_alike_at_any_interval() {
        for (seed, city) in (0..20).flat_map(|seed| (0..6).map(move |city| (seed, city))) {
            let of_hours = network_outages(&month(seed, Interval::Hour), city, 30 * 24);
            let of_minutes = network_outages(&month(seed, Interval::Minute), city, 30 * 24 * 60);
            assert!(!of_hours.is_empty());
            let as_minutes: Vec<Range<usize>> =
                of_hours.iter().map(|outage| outage.start * 60..outage.end * 60).collect();
            assert_eq!(as_minutes, of_minutes);
            assert!(of_hours.iter().all(|outage| (12..16).contains(&(outage.start % 24))));
        }
        let other = |city| network_outages(&month(1, Interval::Hour), city, 30 * 24);
        assert_ne!(other(0), other(1));
    }

    #[test]
    fn a_period_that_begins_at_noon_or_has_no_afternoon_is_no_harm() {
        let noon =
            ProvinceRequest { from: month(1, Interval::Hour).from + DAY_US / 2, ..month(1, Interval::Hour) };
        let outages = network_outages(&noon, 0, 29 * 24);
        assert!(outages.iter().all(|outage| (0..4).contains(&(outage.start % 24))), "{outages:?}");
        assert_eq!(network_outages(&month(1, Interval::Hour), 0, 6), Vec::<Range<usize>>::new());
    }
}
