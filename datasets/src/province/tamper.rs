//! Fraud patterns planted on top of a process, each at three strengths.

use std::ops::Range;

use super::process::{Process, rounded};
use super::{Dice, Interval};

/// A planted pattern, as `truth.csv` tells it.
#[derive(Debug, Clone, PartialEq)]
pub struct Planted {
    /// The outlet.
    pub mn: String,
    /// The factor it stands on.
    pub factor: &'static str,
    /// The pattern's name.
    pub pattern: &'static str,
    /// `weak`, `medium` or `strong`.
    pub strength: &'static str,
    /// When it began, µs.
    pub started: i64,
    /// When it ended, µs.
    pub ended: i64,
}

impl Planted {
    /// The columns of `truth.csv`.
    pub const COLUMNS: [&'static str; 6] = ["mn", "factor", "pattern", "strength", "started", "ended"];

    /// The fields of a line of `truth.csv`.
    pub fn fields(&self) -> [String; 6] {
        let [factor, pattern, strength] = [self.factor, self.pattern, self.strength].map(str::to_owned);
        [
            self.mn.clone(),
            factor,
            pattern,
            strength,
            super::time_text(self.started),
            super::time_text(self.ended),
        ]
    }
}

/// Names of the strengths, and how strong each is.
const STRENGTHS: [(&str, f64); 3] = [("weak", 0.10), ("medium", 0.25), ("strong", 0.50)];

/// The families that can be planted.
pub(super) const FAMILIES: [&str; 14] = [
    "constant_value",
    "low_variance",
    "limit_clipping",
    "maximum_clamp",
    "range_clamp",
    "replay",
    "synthetic_series",
    "random_noise",
    "dilution",
    "oxygen_tampering",
    "flag_abuse",
    "outage_at_high_load",
    "load_decoupling",
    "digit_preference",
];

/// A pattern planted on a process: family, strength, steps, signal.
pub(super) struct Plan {
    pub(super) family: &'static str,
    pub(super) strength: &'static str,
    pub(super) steps: Range<usize>,
    pub(super) signal: usize,
}

/// Plants the `number`-th combination of family and strength that fits the
/// medium of a process, for a third of its period.
pub(super) fn plant(dice: &mut Dice, process: &mut Process, number: usize, interval: Interval) -> Plan {
    let oxygen = process.oxygen();
    let fits = |family: &&str| oxygen.is_some() || *family != "oxygen_tampering";
    let fitting: Vec<&str> = FAMILIES.into_iter().filter(fits).collect();
    let family = fitting[number % fitting.len()];
    let (strength, share) = STRENGTHS[number / fitting.len() % STRENGTHS.len()];
    let steps = process.some_third(dice);
    let signal = oxygen.filter(|_| family == "oxygen_tampering").unwrap_or_else(|| 3 + dice.below(2));
    let mut tamper = Tamper::new(process, family, share, signal, interval);
    for (offset, step) in steps.clone().enumerate() {
        tamper.act(dice, process, offset, step);
    }
    Plan { family, strength, steps, signal }
}

/// A hand on one signal of a process.
struct Tamper {
    family: &'static str,
    /// How strong it is.
    share: f64,
    signal: usize,
    an_hour: usize,
    /// What the signal showed before.
    shown: Vec<f64>,
    /// Mean of that.
    mean: f64,
    limit: f64,
    decimals: i32,
    /// The last hour, of those with high load, and whether the line was pulled in it.
    pulled: Option<(usize, bool)>,
}

impl Tamper {
    fn new(process: &Process, family: &'static str, share: f64, signal: usize, interval: Interval) -> Self {
        Self {
            family,
            share,
            signal,
            an_hour: interval.steps_an_hour(),
            shown: process.signals[signal].value.clone(),
            mean: process.mean(signal),
            limit: process.limits[signal].max(1.0),
            decimals: process.signals[signal].decimals,
            pulled: None,
        }
    }

    /// Tampers with a step, the `offset`-th of the pattern, where the signal shows something.
    fn act(&mut self, dice: &mut Dice, process: &mut Process, offset: usize, step: usize) {
        let value = self.shown[step];
        if value.is_nan() {
            return;
        }
        let new = self.value(dice, offset, step, value);
        process.signals[self.signal].value[step] = rounded(new.max(0.0), self.decimals);
        let family = self.family;
        match family {
            "dilution" => process.mix_in(step, self.share),
            "flag_abuse" if value > self.mean * (1.5 - self.share) => {
                process.signals[self.signal].flag[step] = b'M';
            }
            "outage_at_high_load" if self.pulls_line(dice, process.load[step], step) => {
                process.signals.iter_mut().for_each(|signal| signal.value[step] = f64::NAN);
            }
            _ => {}
        }
    }

    /// What the signal shows in place of `value`.
    fn value(&self, dice: &mut Dice, offset: usize, step: usize, value: f64) -> f64 {
        let Self { share, mean, limit, .. } = *self;
        match self.family {
            "constant_value" => mean * (1.0 - share),
            "low_variance" => mean * (1.0 - share) * (1.0 + 0.002 * dice.normal()),
            "limit_clipping" => {
                let shifted = value * (1.0 + share) * limit / mean.max(0.01) * 0.8;
                shifted.min(limit * dice.between(0.96, 0.999))
            }
            "maximum_clamp" | "range_clamp" => value.min(mean * (1.0 - share / 2.0)),
            "replay" => match self.shown[step - self.shown.len() / 4] {
                earlier if earlier.is_nan() => value,
                earlier => earlier * (1.0 + (0.5 - share).max(0.0) * 0.02 * dice.normal()),
            },
            "synthetic_series" => {
                let days = offset as f64 / (24.0 * self.an_hour as f64);
                mean * (1.0 - share + 0.05 * (days * std::f64::consts::TAU).sin())
            }
            "random_noise" => mean * (1.0 - share + 0.1 * (dice.uniform() - 0.5)),
            "oxygen_tampering" => value * (1.0 - share),
            "load_decoupling" => mean * (1.0 - share) + 0.05 * mean * dice.normal(),
            "digit_preference" => (value / share.max(0.1)).round() * share.max(0.1),
            _ => value,
        }
    }

    /// Whether the line is pulled at a load: decided once an hour, and for what is left of it.
    fn pulls_line(&mut self, dice: &mut Dice, load: f64, step: usize) -> bool {
        let hour = step / self.an_hour;
        if let Some((decided, pulled)) = self.pulled
            && decided == hour
        {
            return pulled;
        }
        if load <= 85.0 - 20.0 * self.share {
            return false;
        }
        let pulled = dice.chance(self.share);
        self.pulled = Some((hour, pulled));
        pulled
    }
}

#[cfg(test)]
mod tests {
    use super::super::process::process;
    use super::*;

    /// A stack of 30 days, before and after a family of middling strength.
    fn planted(family: &str, interval: Interval) -> (Process, Process, Plan) {
        let number = FAMILIES.iter().position(|f| *f == family).unwrap() + FAMILIES.len();
        let steps = 30 * 24 * interval.steps_an_hour();
        let mut dice = Dice::of_outlet(3, 0);
        let before = process(&mut dice, true, steps, interval, 0);
        let mut after = process(&mut Dice::of_outlet(3, 0), true, steps, interval, 0);
        let plan = plant(&mut dice, &mut after, number, interval);
        (before, after, plan)
    }

    #[test]
    fn the_wave_of_a_synthetic_series_lasts_a_day_at_any_interval() {
        for interval in [Interval::Hour, Interval::Minute] {
            let (_, after, plan) = planted("synthetic_series", interval);
            let shown = &after.signals[plan.signal].value;
            let a_day = 24 * interval.steps_an_hour();
            // Between the crest, six hours in, and the trough, twelve hours later, it falls.
            let crest = plan.steps.start + a_day / 4;
            let fall: Vec<f64> =
                shown[crest..crest + a_day / 2].iter().copied().filter(|value| !value.is_nan()).collect();
            assert!(fall.windows(2).all(|pair| pair[0] >= pair[1]), "{interval:?}: {fall:?}");
            assert!(fall.first() > fall.last(), "{interval:?}");
        }
    }

    #[test]
    fn a_line_is_pulled_for_hours_at_any_interval() {
        for interval in [Interval::Hour, Interval::Minute] {
            let (before, after, plan) = planted("outage_at_high_load", interval);
            let an_hour = interval.steps_an_hour();
            let lost = |step: usize| {
                after.signals[plan.signal].value[step].is_nan()
                    && !before.signals[plan.signal].value[step].is_nan()
            };
            let losses = plan.steps.clone().filter(|step| lost(*step)).count();
            let begins = plan.steps.clone().filter(|step| lost(*step) && !lost(step - 1)).count();
            assert!(losses > 0, "{interval:?}");
            // Load that comes to the threshold amid an hour pulls the line for the rest of it only.
            assert!(losses * 3 >= begins * an_hour, "{interval:?}: {losses} steps lost in {begins} outages");
        }
    }
}
