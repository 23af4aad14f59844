//! Factor codes of HJ 212-2017 with their units, and the codes of 2005.

use std::collections::HashMap;
use std::sync::LazyLock;

use serde::Deserialize;
use serde::de::DeserializeOwned;

/// One factor.
#[derive(Debug, Clone, Deserialize)]
pub struct Factor {
    /// HJ 212-2017 code.
    pub code: String,
    /// HJ/T 212-2005 code, if it had one.
    pub old_code: Option<String>,
    /// English name.
    pub name_en: String,
    /// Chinese name.
    pub name_zh: String,
    /// Unit of values.
    pub unit: String,
    /// Unit of what is accumulated in an interval; absent where nothing is.
    pub total_unit: Option<String>,
    /// Unit of the 2005 edition.
    pub old_unit: Option<String>,
    /// What a value in the 2005 unit is multiplied by.
    pub old_scale: Option<f64>,
    /// Where the code is stated.
    pub clause: String,
}

/// The medium a factor is measured in: the first letter of its code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Medium {
    /// Flue gas and air, `a`.
    Air,
    /// Waste water, `w`.
    Water,
}

impl Medium {
    /// Every medium.
    pub const ALL: [Self; 2] = [Self::Air, Self::Water];

    /// The medium of a factor code, if its first letter names one.
    pub fn of(factor: &str) -> Option<Self> {
        match factor.as_bytes().first() {
            Some(b'a') => Some(Self::Air),
            Some(b'w') => Some(Self::Water),
            _ => None,
        }
    }

    /// The factor code of the flow that carries the pollutants of the medium.
    pub const fn flow_factor(self) -> &'static str {
        match self {
            Self::Air => "a00000",
            Self::Water => "w00000",
        }
    }

    /// Cubic metres that a flow of 1 (m³/s for air, L/s for water) makes in an hour.
    pub fn cubic_metres_per_hour(self) -> f64 {
        match self {
            Self::Air => 3600.0,
            Self::Water => 3.6,
        }
    }

    /// `air` or `water`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Air => "air",
            Self::Water => "water",
        }
    }
}

/// Factor code of oxygen in flue gas.
pub const OXYGEN: &str = "a19001";
/// Factor code of the velocity of flue gas, m/s.
pub const GAS_VELOCITY: &str = "a01011";
/// Factor code of the temperature of flue gas, °C.
pub const GAS_TEMPERATURE: &str = "a01012";
/// Factor code of the static pressure of flue gas, kPa.
pub const GAS_PRESSURE: &str = "a01013";
/// Factor code of the humidity of flue gas, %.
pub const GAS_HUMIDITY: &str = "a01014";
/// Factor code of pH.
pub const PH: &str = "w01001";

static FACTORS: LazyLock<Vec<Factor>> = LazyLock::new(|| read_table(include_str!("../tables/factors.csv")));

static BY_CODE: LazyLock<HashMap<&'static str, &'static Factor>> =
    LazyLock::new(|| FACTORS.iter().map(|f| (f.code.as_str(), f)).collect());

static BY_OLD_CODE: LazyLock<HashMap<&'static str, &'static Factor>> =
    LazyLock::new(|| FACTORS.iter().filter_map(|f| Some((f.old_code.as_deref()?, f))).collect());

/// Rows of an embedded CSV table. The tests read every row of every table, so a
/// row that doesn't parse can't ship; at run time it would be left out.
pub(crate) fn read_table<T: DeserializeOwned>(text: &str) -> Vec<T> {
    csv::Reader::from_reader(text.as_bytes()).into_deserialize().filter_map(Result::ok).collect()
}

/// Every listed factor.
pub fn factors() -> &'static [Factor] {
    &FACTORS
}

/// The factor with the 2017 code.
pub fn factor(code: &str) -> Option<&'static Factor> {
    BY_CODE.get(code).copied()
}

/// The factor with the 2005 code.
pub fn factor_of_2005(old_code: &str) -> Option<&'static Factor> {
    BY_OLD_CODE.get(old_code).copied()
}

/// Whether the code has the form of a factor of HJ 212-2017: `a` or `w` and five digits.
pub fn is_well_formed(code: &str) -> bool {
    let bytes = code.as_bytes();
    bytes.len() == 6 && matches!(bytes[0], b'a' | b'w') && bytes[1..].iter().all(u8::is_ascii_digit)
}

/// Kilograms in one unit of concentration × 1 m³: 1e-6 for mg/m³, 1e-3 for
/// mg/L, 1e-6 for µg/L. `None` for a factor that has no mass, such as oxygen,
/// pH or a flow. An unknown code has the unit of its medium.
///
/// ```
/// use plume_datasets::factors::kg_per_unit;
/// // 30 mg/m³ × 641 355 m³ × 1e-6 = 19.24 kg (HJ 212-2017 annex D.2)
/// let kg = 30.0 * 641_355.0 * kg_per_unit("a34013").unwrap();
/// assert!((kg - 19.24).abs() < 0.005);
/// assert_eq!(kg_per_unit("a19001"), None);
/// ```
pub fn kg_per_unit(code: &str) -> Option<f64> {
    let Some(factor) = factor(code) else {
        return Medium::of(code).map(|medium| match medium {
            Medium::Air => 1e-6,
            Medium::Water => 1e-3,
        });
    };
    if !matches!(factor.total_unit.as_deref(), Some("kg" | "g")) {
        return None;
    }
    match factor.unit.as_str() {
        "mg/L" => Some(1e-3),
        "mg/m³" | "µg/L" => Some(1e-6),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_the_table_is_read() {
        let rows = include_str!("../tables/factors.csv").lines().count() - 1;
        assert_eq!(factors().len(), rows);
        assert!(factors().iter().all(|f| is_well_formed(&f.code)));
    }

    #[test]
    fn codes_are_unique_in_both_editions() {
        assert_eq!(BY_CODE.len(), factors().len());
        let old = factors().iter().filter(|f| f.old_code.is_some()).count();
        assert_eq!(BY_OLD_CODE.len(), old);
    }

    #[test]
    fn codes_of_2005_that_look_alike_stay_apart() {
        assert_eq!(factor_of_2005("011").map(|f| f.code.as_str()), Some("w01018"));
        assert_eq!(factor_of_2005("11").map(|f| f.code.as_str()), Some("a21022"));
        assert_eq!(factor_of_2005("01").map(|f| f.code.as_str()), Some("a34013"));
        assert_eq!(factor_of_2005("001").map(|f| f.code.as_str()), Some("w01001"));
    }

    #[test]
    fn heavy_metals_and_pressures_of_2005_change_their_unit() {
        for old in ["020", "022", "024", "026", "027", "S04", "S08"] {
            assert_eq!(factor_of_2005(old).and_then(|f| f.old_scale), Some(1000.0), "{old}");
        }
    }

    #[test]
    fn mass_follows_the_unit_of_the_concentration() {
        assert_eq!(kg_per_unit("a21026"), Some(1e-6));
        assert_eq!(kg_per_unit("w01018"), Some(1e-3));
        assert_eq!(kg_per_unit("w20111"), Some(1e-6));
        assert_eq!(kg_per_unit("w01001"), None);
        assert_eq!(kg_per_unit("a00000"), None);
        assert_eq!(kg_per_unit("w99999"), Some(1e-3));
        assert_eq!(kg_per_unit("g10101"), None);
    }

    #[test]
    fn malformed_codes_are_told_apart() {
        for code in ["a21026", "w99999"] {
            assert!(is_well_formed(code));
        }
        for code in ["", "a2102", "a210266", "A21026", "LA", "e10101", "a21o26"] {
            assert!(!is_well_formed(code), "{code}");
        }
    }
}
