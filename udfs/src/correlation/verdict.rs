//! What a correlation says of an emission and a working condition (annex 2-1 row 2 (4)
//! `seed`, P19 `default`).
//!
//! | verdict | where |
//! |---|---|
//! | `too_few` | fewer hours side by side than `correlation_least_hours` |
//! | `flat_load` | the condition's interquartile range is below a share of its median, or 0 |
//! | `follows` | Spearman above `correlation_follows` |
//! | `inverse` | Spearman below −`correlation_weak` |
//! | `decoupled` | Spearman below `correlation_weak`, before the period above `correlation_follows` |
//! | `weak` | what is left |
//!
//! The first that fits is told. A constant emission follows nothing: its Spearman counts as 0.

use super::rules::CorrelationRules;

/// What a correlation says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Too few hours to tell.
    TooFew,
    /// The condition hardly moves: nothing could follow it.
    FlatLoad,
    /// The emission follows the condition.
    Follows,
    /// It runs against it.
    Inverse,
    /// It followed before, and no longer does.
    Decoupled,
    /// It hardly does.
    Weak,
}

impl Verdict {
    /// The verdict's word.
    pub fn name(self) -> &'static str {
        match self {
            Self::TooFew => "too_few",
            Self::FlatLoad => "flat_load",
            Self::Follows => "follows",
            Self::Inverse => "inverse",
            Self::Decoupled => "decoupled",
            Self::Weak => "weak",
        }
    }
}

/// What the hours of a condition and an emission say: their number, whether the condition
/// is flat, their Spearman correlation and that of the time before.
///
/// ```
/// use plume_udfs::correlation::verdict::{Verdict, verdict};
/// # let set = plume_datasets::rules::RuleSets::built_in().choose("hubei-2021").unwrap();
/// # let rules = plume_udfs::correlation::rules::CorrelationRules::of(&set).unwrap();
/// assert_eq!(verdict(720, false, Some(0.1), Some(0.8), &rules), Verdict::Decoupled);
/// assert_eq!(verdict(720, false, Some(0.1), None, &rules), Verdict::Weak);
/// ```
pub fn verdict(
    hours: usize,
    is_flat: bool,
    spearman: Option<f64>,
    baseline: Option<f64>,
    rules: &CorrelationRules,
) -> Verdict {
    let (spearman, baseline) = (spearman.unwrap_or(0.0), baseline.unwrap_or(0.0));
    if hours < rules.least_hours {
        Verdict::TooFew
    } else if is_flat {
        Verdict::FlatLoad
    } else if spearman > rules.follows {
        Verdict::Follows
    } else if spearman < -rules.weak {
        Verdict::Inverse
    } else if spearman < rules.weak && baseline > rules.follows {
        Verdict::Decoupled
    } else {
        Verdict::Weak
    }
}

/// Whether the interquartile range of the values that are there is 0 or below a share of
/// their median. Quartiles lie between values as numpy's do.
///
/// Worked example: 80, 82, 80, 81, 82 has the quartiles 80, 81, 82: 2 / 81 = 0.025.
pub fn is_flat(values: &[f64], share: f64) -> bool {
    let mut there: Vec<f64> = values.iter().copied().filter(|value| !value.is_nan()).collect();
    there.sort_unstable_by(f64::total_cmp);
    let quartile = |quarters: f64| {
        let at = quarters / 4.0 * (there.len().saturating_sub(1)) as f64;
        let low = there.get(at.floor() as usize)?;
        let high = there.get(at.ceil() as usize)?;
        Some(low + (high - low) * at.fract())
    };
    let (Some(lower), Some(median), Some(upper)) = (quartile(1.0), quartile(2.0), quartile(3.0)) else {
        return true;
    };
    upper == lower || upper - lower < share * median.abs()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> CorrelationRules {
        CorrelationRules::of(&plume_datasets::rules::RuleSets::built_in().choose("hubei-2021").unwrap())
            .unwrap()
    }

    #[test]
    fn the_first_that_fits_is_told() {
        let told = |hours, flat, spearman, baseline| verdict(hours, flat, spearman, baseline, &rules());
        assert_eq!(told(29, true, Some(0.9), Some(0.9)), Verdict::TooFew);
        assert_eq!(told(30, true, Some(0.9), Some(0.9)), Verdict::FlatLoad);
        assert_eq!(told(30, false, Some(0.61), None), Verdict::Follows);
        assert_eq!(told(30, false, Some(0.6), Some(0.9)), Verdict::Weak);
        assert_eq!(told(30, false, Some(0.3), Some(0.9)), Verdict::Weak);
        assert_eq!(told(30, false, Some(0.29), Some(0.61)), Verdict::Decoupled);
        assert_eq!(told(30, false, Some(0.29), Some(0.6)), Verdict::Weak);
        assert_eq!(told(30, false, Some(-0.3), Some(0.9)), Verdict::Decoupled);
        assert_eq!(told(30, false, Some(-0.31), Some(0.9)), Verdict::Inverse);
        assert_eq!(told(30, false, None, Some(0.9)), Verdict::Decoupled); // frozen
        assert_eq!(told(30, false, None, None), Verdict::Weak);
    }

    #[test]
    fn a_condition_is_flat_by_its_quartiles() {
        assert!(is_flat(&[80.0, 82.0, 80.0, f64::NAN, 81.0, 82.0], 0.05));
        assert!(!is_flat(&[80.0, 82.0, 80.0, 81.0, 82.0], 0.02));
        assert!(is_flat(&[0.0, 0.0, 0.0, 0.0, 0.0, 9.0], 0.05));
        assert!(!is_flat(&[-80.0, -60.0, -40.0], 0.05));
        assert!(is_flat(&[], 0.05));
        // Four values: quartiles at 0.75 and 2.25, 1.75 and 3.25; the median is 2.5.
        assert!(!is_flat(&[1.0, 2.0, 3.0, 4.0], 0.6));
        assert!(is_flat(&[1.0, 2.0, 3.0, 4.0], 0.61));
    }
}
