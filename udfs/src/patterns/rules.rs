//! The numbers of a rule set that the search for patterns rests on.

use plume_datasets::rules::{RuleError, RuleSet};

use crate::time::DAY_HOURS;

/// The numbers that every pattern shares.
#[derive(Debug, Clone)]
pub struct PatternRules {
    /// Hours before those asked for that an outlet's own history is read from.
    pub lookback_hours: i64,
    /// Hours after a stop in which a plant is not yet judged.
    pub settling_hours: usize,
    /// Hours after maintenance in which a monitor is not yet judged.
    pub after_maintenance_hours: usize,
}

impl PatternRules {
    /// Reads the numbers out of a rule set.
    pub fn of(set: &RuleSet) -> Result<Self, RuleError> {
        let count = |key| set.number(key).map(|number| number.clamp(0.0, 1e6) as usize);
        Ok(Self {
            lookback_hours: count("pattern_lookback_days")? as i64 * DAY_HOURS,
            settling_hours: count("pattern_settling_hours")?,
            after_maintenance_hours: count("pattern_after_maintenance_hours")?,
        })
    }
}
