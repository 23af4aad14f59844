//! The numbers of a rule set that correlations are judged by.

use plume_datasets::rules::{RuleError, RuleSet};

use crate::time::DAY_HOURS;

/// The numbers that correlations are judged by.
#[derive(Debug, Clone)]
pub struct CorrelationRules {
    /// Hours side by side below which nothing is told.
    pub least_hours: usize,
    /// Hours by which a condition may lead or follow.
    pub lag_hours: usize,
    /// Hours before the period that it is compared with.
    pub baseline_hours: i64,
    /// Spearman below which an emission no longer follows; below its negative it runs against.
    pub weak: f64,
    /// Spearman above which an emission follows.
    pub follows: f64,
    /// Interquartile range over median below which a condition is flat.
    pub flat_share: f64,
}

impl CorrelationRules {
    /// Reads the numbers out of a rule set.
    pub fn of(set: &RuleSet) -> Result<Self, RuleError> {
        let count = |key| set.number(key).map(|number| number.clamp(0.0, 1e9) as usize);
        Ok(Self {
            least_hours: count("correlation_least_hours")?,
            lag_hours: count("correlation_lag_hours")?,
            baseline_hours: count("correlation_baseline_days")? as i64 * DAY_HOURS,
            weak: set.number("correlation_weak")?,
            follows: set.number("correlation_follows")?,
            flat_share: set.number("correlation_flat_share")?,
        })
    }
}
