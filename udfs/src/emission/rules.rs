//! The numbers of a rule set that substitution and the control of monitors rest on.

use plume_datasets::rules::{ComparisonLimit, RuleError, RuleSet};

use super::control::{CheckKind, MonitorSetting};

/// The factor of particulate, which has drifts and intervals of its own.
const PARTICULATE: &str = "a34013";

/// How masses of water are substituted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaterSubstitution {
    /// The greatest of the last valid daily masses (HJ 356-2019 8).
    DailyMaximum,
    /// The mean of the equally long period before the gap (the rule of 2007).
    LegacyMean,
}

/// The numbers that substitution and the control of monitors rest on, each named as its rule.
#[derive(Debug, Clone)]
pub struct EmissionRules {
    /// Capture from which on the pool depends on the length of the gap.
    pub capture_high: f64,
    /// Hours up to which a gap is short.
    pub gap_short_hours: u32,
    /// Measured hours that a short gap looks at.
    pub pool_short_hours: usize,
    /// Measured hours that a long gap looks at.
    pub pool_long_hours: usize,
    /// Measured hours that a gap of a quarter of low capture looks at.
    pub pool_low_capture_hours: usize,
    /// Valid days that a gap of water looks at.
    pub water_pool_days: usize,
    /// Manual samples a day of water needs.
    pub water_manual_samples: usize,
    /// How masses of water are substituted.
    pub water_substitution: WaterSubstitution,
    /// Drifts beyond which a monitor is out of control.
    pub drift: DriftLimits,
    /// Error of a standard check, %.
    pub standard_check_pct: f64,
    /// Hours between calibrations.
    pub calibration: CalibrationIntervals,
    /// Pairs that a relative accuracy takes.
    pub relative_accuracy_pairs: usize,
    /// Confidence of the coefficient that a relative accuracy adds.
    pub relative_accuracy_confidence: f64,
    comparison_limits: Vec<ComparisonLimit>,
}

/// Drifts beyond which a monitor of gas is out of control, % of full scale.
#[derive(Debug, Clone)]
pub struct DriftLimits {
    /// Zero of particulate.
    pub zero_dust: f64,
    /// Span of particulate.
    pub span_dust: f64,
    /// Zero of a gas.
    pub zero_gas: f64,
    /// Span of a gas.
    pub span_gas: f64,
    /// Velocity at rest.
    pub velocity: f64,
    /// Velocity at rest, m/s.
    pub velocity_m_s: f64,
}

impl DriftLimits {
    /// The greatest drift of a kind of check, % of full scale.
    pub fn of(&self, kind: CheckKind, factor: &str) -> f64 {
        match (kind, factor == PARTICULATE) {
            (CheckKind::VelocityZero, _) => self.velocity,
            (CheckKind::Zero, true) => self.zero_dust,
            (CheckKind::Zero, false) => self.zero_gas,
            (_, true) => self.span_dust,
            (_, false) => self.span_gas,
        }
    }
}

/// Hours between calibrations of a monitor of gas (K4–K7).
#[derive(Debug, Clone)]
pub struct CalibrationIntervals {
    /// Of one that calibrates itself.
    pub auto: f64,
    /// Of particulate.
    pub dust: f64,
    /// Of a gas measured directly.
    pub direct: f64,
    /// Of a gas that is drawn off.
    pub extractive: f64,
}

impl CalibrationIntervals {
    /// Hours between calibrations of a monitor.
    pub fn hours(&self, factor: &str, setting: MonitorSetting) -> f64 {
        match setting {
            MonitorSetting { calibrates_itself: true, .. } => self.auto,
            _ if factor == PARTICULATE => self.dust,
            MonitorSetting { measures_directly: true, .. } => self.direct,
            _ => self.extractive,
        }
    }
}

impl EmissionRules {
    /// Reads the numbers out of a rule set.
    pub fn of(set: &RuleSet) -> Result<Self, RuleError> {
        let count = |key| set.number(key).map(|number| number as usize);
        let mut comparison_limits = set.comparison_limits.clone();
        comparison_limits.sort_by(|a, b| a.from.total_cmp(&b.from));
        Ok(Self {
            capture_high: set.number("capture_high")?,
            gap_short_hours: set.number("gap_short_hours")? as u32,
            pool_short_hours: count("pool_short_hours")?,
            pool_long_hours: count("pool_long_hours")?,
            pool_low_capture_hours: count("pool_low_capture_hours")?,
            water_pool_days: count("water_pool_days")?,
            water_manual_samples: count("water_manual_samples")?,
            water_substitution: match set.word("water_substitution")? {
                "legacy_mean" => WaterSubstitution::LegacyMean,
                _ => WaterSubstitution::DailyMaximum,
            },
            drift: DriftLimits {
                zero_dust: set.number("drift_zero_dust_pct")?,
                span_dust: set.number("drift_span_dust_pct")?,
                zero_gas: set.number("drift_zero_gas_pct")?,
                span_gas: set.number("drift_span_gas_pct")?,
                velocity: set.number("drift_velocity_pct")?,
                velocity_m_s: set.number("drift_velocity_m_s")?,
            },
            standard_check_pct: set.number("standard_check_pct")?,
            calibration: CalibrationIntervals {
                auto: set.number("calibration_auto_h")?,
                dust: set.number("calibration_dust_h")?,
                direct: set.number("calibration_direct_h")?,
                extractive: set.number("calibration_extractive_h")?,
            },
            relative_accuracy_pairs: count("relative_accuracy_pairs")?,
            relative_accuracy_confidence: set.number("relative_accuracy_confidence")?,
            comparison_limits,
        })
    }

    /// The greatest error of a comparison with a sample of a value; `None` for a
    /// factor that has none.
    pub fn comparison_limit(&self, factor: &str, value: f64) -> Option<f64> {
        let mut bands = self.comparison_limits.iter().filter(|limit| limit.factor == factor);
        let first = bands.clone().next()?;
        Some(bands.rfind(|limit| limit.is_reached_by(value)).unwrap_or(first).of(value))
    }
}
