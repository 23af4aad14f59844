//! The thresholds that patterns are judged by.

use plume_datasets::pattern_thresholds::{Grain, PatternThreshold, thresholds_of};

/// A threshold of one outlet in place of the general one.
#[derive(Debug, Clone, PartialEq)]
pub struct OutletThreshold {
    /// The factor it is for; `None`: every factor of the outlet.
    pub factor: Option<String>,
    /// The pattern.
    pub pattern: String,
    /// The threshold's name.
    pub key: String,
    /// What it is there.
    pub value: f64,
}

/// The thresholds of one pattern for one outlet.
#[derive(Debug, Clone, Copy)]
pub struct Thresholds<'a> {
    pattern: &'a str,
    general: &'a [PatternThreshold],
    own: &'a [OutletThreshold],
}

impl<'a> Thresholds<'a> {
    /// The general thresholds of a pattern.
    pub fn general(pattern: &'a str) -> Self {
        Self { pattern, general: thresholds_of(pattern), own: &[] }
    }

    /// With those that an outlet has of its own, of whatever pattern.
    #[must_use]
    pub fn with_own(self, own: &'a [OutletThreshold]) -> Self {
        Self { own, ..self }
    }

    /// A threshold of a factor's series at a grain: the outlet's own for the factor, else for
    /// all its factors, else the general one. NaN, which nothing exceeds, where there is none.
    pub fn of(&self, factor: &str, grain: Grain, key: &str) -> f64 {
        let is_this = |own: &&OutletThreshold| own.pattern == self.pattern && own.key == key;
        let own = |of: Option<&str>| self.own.iter().filter(is_this).find(|own| own.factor.as_deref() == of);
        if let Some(own) = own(Some(factor)).or_else(|| own(None)) {
            return own.value;
        }
        let general = self.general.iter().find(|threshold| threshold.key == key);
        general.map_or(f64::NAN, |threshold| threshold.at(grain))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outlets_own_threshold_comes_before_the_general_one() {
        let own = |factor: Option<&str>, value| OutletThreshold {
            factor: factor.map(str::to_owned),
            pattern: "constant_value".to_owned(),
            key: "suspect".to_owned(),
            value,
        };
        let of_outlet = [own(None, 48.0), own(Some("w01001"), 12.0)];
        let general = Thresholds::general("constant_value");
        let thresholds = general.with_own(&of_outlet);
        assert_eq!(thresholds.of("w01001", Grain::Hour, "suspect"), 12.0);
        assert_eq!(thresholds.of("a21026", Grain::Hour, "suspect"), 48.0);
        assert_eq!(general.of("a21026", Grain::Hour, "suspect"), 24.0);
        assert_eq!(general.of("a21026", Grain::Minute, "suspect"), 6.0);
        assert!(general.of("a21026", Grain::Hour, "no_such_key").is_nan());
    }
}
