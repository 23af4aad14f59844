//! The state in which gas is sent, and what takes it to dry standard.
//!
//! A volume of working gas is 273/(273+t) · (Ba+Ps)/101.325 · (1−Xsw) of its own at dry
//! standard, a concentration the inverse (HJ 212-2017 eq 18–34 `standard`); wet
//! standard gas lacks only the humidity. A share of the volume, as of oxygen, grows as the
//! water goes, by 1/(1−Xsw), whatever temperature and pressure.
//!
//! Worked example: 864 000 m³ at 50 °C, −0.2 kPa and 12 % are 641 355 m³; 6.6 % of oxygen in them
//! are 6.6 / 0.88 = 7.5 % of the dry gas.

use super::{dry_share, standard_state};

/// The state in which gas is sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum GasState {
    /// 0 °C, standard pressure, dry.
    #[default]
    DryStandard,
    /// 0 °C, standard pressure, as humid as it is.
    WetStandard,
    /// As it is in the duct.
    Working,
}

impl GasState {
    /// The state with the name `dry_standard`, `wet_standard` or `working`; another counts as dry standard.
    pub fn parse(name: &str) -> Self {
        match name {
            "working" => Self::Working,
            "wet_standard" => Self::WetStandard,
            _ => Self::DryStandard,
        }
    }
}

/// Gas in a duct; what isn't known is NaN.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gas {
    /// Temperature, °C.
    pub t_c: f64,
    /// Static pressure over ambient, kPa.
    pub gauge_kpa: f64,
    /// Ambient pressure, kPa.
    pub ambient_kpa: f64,
    /// Humidity, %.
    pub humidity_pct: f64,
}

impl Gas {
    /// What a volume of this gas, sent in a state, is at dry standard; `None` where
    /// something it takes isn't known or is no gas.
    pub fn dry_standard_volume(&self, state: GasState) -> Option<f64> {
        let at_standard = || standard_state(self.t_c, self.gauge_kpa, self.ambient_kpa);
        match state {
            GasState::DryStandard => Some(1.0),
            GasState::WetStandard => dry_share(self.humidity_pct),
            GasState::Working => Some(at_standard()? * dry_share(self.humidity_pct)?),
        }
    }

    /// The share of this gas, sent in a state, that isn't water; `None` where that isn't known.
    pub fn dry_part(&self, state: GasState) -> Option<f64> {
        match state {
            GasState::DryStandard => Some(1.0),
            GasState::WetStandard | GasState::Working => dry_share(self.humidity_pct),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GAS: Gas = Gas { t_c: 50.0, gauge_kpa: -0.2, ambient_kpa: 101.325, humidity_pct: 12.0 };

    #[test]
    fn worked_example_of_the_head() {
        let volume = GAS.dry_standard_volume(GasState::parse("working")).unwrap();
        assert!((volume * 864_000.0 - 641_355.0).abs() < 0.5);
        assert_eq!(GAS.dry_standard_volume(GasState::parse("wet_standard")), Some(0.88));
        assert_eq!(GAS.dry_standard_volume(GasState::parse("dry_standard")), Some(1.0));
        for (state, oxygen) in
            [(GasState::Working, 7.5), (GasState::WetStandard, 7.5), (GasState::DryStandard, 6.6)]
        {
            assert!((6.6 / GAS.dry_part(state).unwrap() - oxygen).abs() < 1e-12);
        }
    }

    #[test]
    fn what_is_not_known_converts_nothing() {
        let dry = Gas { humidity_pct: f64::NAN, ..GAS };
        assert_eq!(dry.dry_standard_volume(GasState::Working), None);
        assert_eq!(dry.dry_part(GasState::Working), None);
        let cold = Gas { t_c: f64::NAN, ..GAS };
        assert_eq!(cold.dry_standard_volume(GasState::Working), None);
        assert_eq!(cold.dry_standard_volume(GasState::WetStandard), Some(0.88));
    }
}
