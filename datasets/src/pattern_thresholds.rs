//! The thresholds of the fraud patterns, at each grain of data.

use std::sync::LazyLock;

use serde::Deserialize;

/// How fine the data are that a pattern is looked for in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grain {
    /// Minute means.
    Minute,
    /// Hourly means.
    Hour,
}

/// One threshold.
#[derive(Debug, Clone, Deserialize)]
pub struct PatternThreshold {
    /// The pattern's name.
    pub pattern: String,
    /// The threshold's name within the pattern. At `suspect` the pattern's statistic scores 0.5,
    /// at `certain` 1.
    pub key: String,
    /// Unit of the threshold.
    pub unit: String,
    /// What it is on hourly data.
    pub hour: f64,
    /// What it is on minute data.
    pub minute: f64,
    /// Why it is that.
    pub reason: String,
    /// Where it is stated.
    pub clause: String,
}

impl PatternThreshold {
    /// What it is at a grain.
    pub fn at(&self, grain: Grain) -> f64 {
        match grain {
            Grain::Minute => self.minute,
            Grain::Hour => self.hour,
        }
    }
}

static THRESHOLDS: LazyLock<Vec<PatternThreshold>> =
    LazyLock::new(|| crate::factors::read_table(include_str!("../tables/pattern_thresholds.csv")));

/// Every threshold; those of a pattern follow one another.
pub fn pattern_thresholds() -> &'static [PatternThreshold] {
    &THRESHOLDS
}

/// The thresholds of a pattern.
pub fn thresholds_of(pattern: &str) -> &'static [PatternThreshold] {
    THRESHOLDS.chunk_by(|a, b| a.pattern == b.pattern).find(|chunk| is_of(chunk, pattern)).unwrap_or_default()
}

fn is_of(chunk: &[PatternThreshold], pattern: &str) -> bool {
    chunk.first().is_some_and(|threshold| threshold.pattern == pattern)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::patterns::patterns;

    #[test]
    fn each_threshold_stands_once_at_a_known_pattern() {
        let known: HashSet<&str> = patterns().iter().map(|pattern| pattern.pattern.as_str()).collect();
        let mut seen = HashSet::new();
        for threshold in pattern_thresholds() {
            let PatternThreshold { pattern, key, hour, minute, .. } = threshold;
            assert!(known.contains(pattern.as_str()), "{pattern}");
            assert!(seen.insert((pattern, key)), "{pattern} {key} stands twice");
            assert!(hour.is_finite() && minute.is_finite(), "{pattern} {key}");
            assert!(thresholds_of(pattern).iter().any(|of| of.key == *key), "{pattern} stands in two places");
        }
    }
}
