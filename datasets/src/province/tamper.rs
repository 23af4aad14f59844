//! Fraud patterns planted on top of a process, each at three strengths.

use super::Dice;
use super::process::{Process, rounded};

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
    pub(super) steps: std::ops::Range<usize>,
    pub(super) signal: usize,
}

/// Plants the `number`-th combination of family and strength that fits the
/// medium of a process, for a third of its period.
pub(super) fn plant(dice: &mut Dice, process: &mut Process, number: usize) -> Plan {
    let oxygen = process.oxygen();
    let fits = |family: &&str| oxygen.is_some() || *family != "oxygen_tampering";
    let fitting: Vec<&str> = FAMILIES.into_iter().filter(fits).collect();
    let family = fitting[number % fitting.len()];
    let (strength, share) = STRENGTHS[number / fitting.len() % STRENGTHS.len()];
    let len = process.load.len();
    let steps = process.some_third(dice);
    let signal = oxygen.filter(|_| family == "oxygen_tampering").unwrap_or_else(|| 3 + dice.below(2));
    let shown: Vec<f64> = process.signals[signal].value.clone();
    let limit = process.limits[signal].max(1.0);
    let mean = process.mean(signal);
    let decimals = process.signals[signal].decimals;
    for (offset, step) in steps.clone().enumerate() {
        let value = shown[step];
        if value.is_nan() {
            continue;
        }
        let new = match family {
            "constant_value" => mean * (1.0 - share),
            "low_variance" => mean * (1.0 - share) * (1.0 + 0.002 * dice.normal()),
            "limit_clipping" => value * (1.0 + share) * limit / mean.max(0.01) * 0.8,
            "maximum_clamp" | "range_clamp" => value.min(mean * (1.0 - share / 2.0)),
            "replay" if shown[step - len / 4].is_nan() => value,
            "replay" => shown[step - len / 4] * (1.0 + (0.5 - share).max(0.0) * 0.02 * dice.normal()),
            "synthetic_series" => {
                mean * (1.0 - share + 0.05 * (offset as f64 / 24.0 * std::f64::consts::TAU).sin())
            }
            "random_noise" => mean * (1.0 - share + 0.1 * (dice.uniform() - 0.5)),
            "oxygen_tampering" => value * (1.0 - share),
            "load_decoupling" => mean * (1.0 - share) + 0.05 * mean * dice.normal(),
            "digit_preference" => (value / share.max(0.1)).round() * share.max(0.1),
            _ => value,
        };
        let new = if family == "limit_clipping" { new.min(limit * dice.between(0.96, 0.999)) } else { new };
        process.signals[signal].value[step] = rounded(new.max(0.0), decimals);
        match family {
            "dilution" => process.mix_in(step, share),
            "flag_abuse" if value > mean * (1.5 - share) => process.signals[signal].flag[step] = b'M',
            "outage_at_high_load" if process.load[step] > 85.0 - 20.0 * share && dice.chance(share) => {
                process.signals.iter_mut().for_each(|signal| signal.value[step] = f64::NAN);
            }
            _ => {}
        }
    }
    Plan { family, strength, steps, signal }
}
