//! Innocent twins: series that look like a planted pattern and have an honest
//! reason. A detector that can't tell the two apart accuses honest plants.

mod devices;
mod gas;
mod shape;
mod transmission;
mod water;

use std::ops::Range;

use super::scene::{DAY_US, Scene};
use super::tamper::On;
use super::{Dice, ProvinceRequest};

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

/// A kind of innocent twin.
pub(super) struct Twin {
    name: &'static str,
    resembles: &'static str,
    on: On,
    lasts: Lasts,
    act: fn(&mut Scene<'_>),
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
/// The twin whose series is another outlet's, too.
const SHARED: &str = "shared_stack";

/// One for each family that can be planted, in that order, but for the network's outages.
static TWINS: [Twin; 35] = [
    twin("detection_floor", "constant_value", shape::detection_floor).always(),
    twin("steady_plant", "low_variance", shape::steady_plant).always(),
    twin("set_point", "limit_clipping", shape::set_point).always(),
    twin("over_range", "maximum_clamp", shape::over_range),
    twin("dual_range", "range_clamp", shape::dual_range).always(),
    twin("batch_cycle", "replay", shape::batch_cycle).always(),
    twin(SHARED, "cross_outlet_copy", transmission::shared_stack).always(),
    twin("day_cycle", "synthetic_series", shape::day_cycle).always(),
    twin("empty_duct", "random_noise", shape::empty_duct),
    twin("air_purge", "dilution", gas::air_purge).always().on(On::Stacks),
    twin("new_burner", "oxygen_tampering", gas::new_burner).until_the_end().on(On::Stacks),
    twin("minute_conversion", "conversion_mismatch", gas::minute_conversion).always().on(On::Stacks),
    twin("documented_calibration", "calibration_tampering", devices::documented_calibration).until_the_end(),
    twin("accepted_change", "logger_parameter_change", gas::accepted_change).until_the_end().on(On::Stacks),
    twin("failing_analyser", "flag_abuse", devices::failing_analyser),
    twin("flagged_left_out", "rollup_mismatch", transmission::flagged_left_out).always(),
    twin("time_shift", "stream_mismatch", devices::time_shift).always(),
    twin("flat_load", "load_decoupling", shape::flat_load).always(),
    twin("night_shift", "night_discharge", water::night_shift).until_the_end().on(On::Outfalls),
    twin("cleaned_probe", "step_after_maintenance", devices::cleaned_probe).always(),
    twin("held_value", "calibration_without_trace", devices::held_value).always(),
    twin("coarse_resolution", "perfect_calibration", devices::coarse_resolution).always(),
    twin("stable_effluent", "standard_solution", water::stable_effluent).always().on(On::Outfalls),
    twin("discharge_pause", "sample_swap", water::discharge_pause).on(On::Outfalls),
    twin("sampling_lag", "impossible_chemistry", water::sampling_lag).always().on(On::Outfalls),
    twin("sensor_fault", "impossible_physics", gas::sensor_fault).on(On::Stacks),
    twin("banked_boiler", "stopped_but_emitting", gas::banked_boiler).on(On::Stacks),
    twin("below_detection", "zero_or_negative_run", shape::below_detection).always(),
    twin("few_decimals", "digit_preference", shape::few_decimals).always(),
    twin("intermittent_discharge", "sampling_gaming", water::intermittent_discharge)
        .always()
        .on(On::Outfalls),
    twin("resend", "clock_games", transmission::resend).always(),
    twin("backfill", "late_edit", transmission::backfill),
    twin("fuel_change", "ratio_break", gas::fuel_change).until_the_end().on(On::Stacks),
    twin("backup_line", "duplicate_identity", transmission::backup_line).always(),
    twin("steady_control", "limit_chasing", gas::steady_control).always().on(On::Stacks),
];

const fn twin(name: &'static str, resembles: &'static str, act: fn(&mut Scene<'_>)) -> Twin {
    Twin { name, resembles, on: On::Any, lasts: Lasts::Third, act }
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

    const fn on(mut self, on: On) -> Self {
        self.on = on;
        self
    }

    /// Whether its series is another outlet's, too.
    pub(super) fn is_shared(&self) -> bool {
        self.name == SHARED
    }
}

/// A twin on a process: kind, steps, signal.
pub(super) struct Plan {
    pub(super) twin: &'static str,
    pub(super) resembles: &'static str,
    pub(super) steps: Range<usize>,
    pub(super) signal: usize,
}

/// The `number`-th twin of a medium.
pub(super) fn dealt(is_air: bool, number: usize) -> &'static Twin {
    let fitting: Vec<&Twin> = TWINS.iter().filter(|twin| twin.on.fits(is_air)).collect();
    fitting[number % fitting.len()]
}

/// Lets a twin befall a process.
pub(super) fn befall(scene: &mut Scene<'_>, twin: &'static Twin) -> Plan {
    let third = scene.process.some_third(scene.dice);
    scene.steps = match twin.lasts {
        Lasts::Third => third,
        Lasts::ToTheEnd => third.start..scene.process.load.len(),
        Lasts::Always => 0..scene.process.load.len(),
    };
    scene.signal = 3 + scene.dice.below(2);
    (twin.act)(scene);
    Plan { twin: twin.name, resembles: twin.resembles, steps: scene.steps.clone(), signal: scene.signal }
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

#[cfg(test)]
mod tests {
    use super::super::tamper::testing::plant_of;
    use super::super::tamper::{FAMILIES, On};
    use super::super::{Interval, records::Records};
    use super::*;

    #[test]
    fn each_family_has_its_twin() {
        let families: Vec<&str> = FAMILIES.iter().map(|family| family.name).collect();
        let mut resembled: Vec<&str> = TWINS.iter().map(|twin| twin.resembles).collect();
        let at = families.iter().position(|family| *family == RESEMBLES_OUTAGE).unwrap();
        resembled.insert(at, RESEMBLES_OUTAGE);
        assert_eq!(resembled, families);
    }

    #[test]
    fn each_twin_is_dealt_to_three_of_a_hundred_outlets_of_its_medium() {
        for (is_air, outlets) in [(true, 300), (false, 100)] {
            let dealt: Vec<&str> = (0..outlets).map(|number| dealt(is_air, number).name).collect();
            for twin in TWINS.iter().filter(|twin| twin.on.fits(is_air)) {
                let count = dealt.iter().filter(|name| **name == twin.name).count();
                assert!(count * 100 >= outlets * 3, "{}: {count} of {outlets}", twin.name);
            }
        }
    }

    #[test]
    fn a_twin_changes_what_is_sent_where_its_label_says() {
        for (interval, twin) in
            [Interval::Hour, Interval::Minute].iter().flat_map(|i| TWINS.iter().map(move |twin| (*i, twin)))
        {
            let is_air = twin.on != On::Outfalls;
            let (_, before) = plant_of(3, is_air, interval);
            let (_, other) = plant_of(4, is_air, interval);
            let (mut dice, mut after) = plant_of(3, is_air, interval);
            let mut records = Records::default();
            let request = month(3, interval);
            let mut scene = Scene::new(&request, &mut dice, &mut after, &mut records, Some((8, &other)));
            let plan = befall(&mut scene, dealt_by_name(twin.name));
            let differs = |step: &usize| {
                before.load[*step].to_bits() != after.load[*step].to_bits()
                    || before.signals.iter().zip(&after.signals).any(|(before, after)| {
                        before.value[*step].to_bits() != after.value[*step].to_bits()
                            || before.flag[*step] != after.flag[*step]
                    })
            };
            let changed: Vec<usize> = (0..before.load.len()).filter(differs).collect();
            let sends_more = !records.checks.is_empty()
                || !records.packets.is_empty()
                || !records.sending.late.is_empty()
                || !records.raw.is_empty()
                || !records.faults.is_empty()
                || after.signals.iter().any(|signal| signal.converted.is_some());
            assert!(sends_more || !changed.is_empty(), "{}", twin.name);
            // What befalls a plant for some time leaves the rest of its values alone.
            let outside = changed.iter().filter(|step| !plan.steps.contains(step)).count();
            let is_other_plant =
                ["fuel_change", "banked_boiler", "documented_calibration"].contains(&twin.name);
            assert!(is_other_plant || outside == 0, "{}: {outside} steps", twin.name);
        }
    }

    fn dealt_by_name(name: &str) -> &'static Twin {
        (0..).map(|number| dealt(number % 2 == 0, number / 2)).find(|twin| twin.name == name).unwrap()
    }

    #[test]
    fn traces_above_the_floor_are_as_rare_of_minutes_as_of_hours() {
        for interval in [Interval::Hour, Interval::Minute] {
            let (mut dice, mut after) = plant_of(3, true, interval);
            let (request, mut records) = (month(3, interval), Records::default());
            let mut scene = Scene::new(&request, &mut dice, &mut after, &mut records, None);
            let plan = befall(&mut scene, dealt_by_name("detection_floor"));
            let shown = &after.signals[plan.signal].value;
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
