//! `to_dry_standard(value, t_c, gauge_kpa, ambient_kpa, humidity_pct)`: a
//! concentration measured in the duct, at dry standard state.
//!
//! C = C_w · 101325/(Ba+Ps) · (273+t)/273 / (1−X) (HJ 212-2017 eq 18–21).
//! 100 mg/m³ at 91 °C, −1.325 kPa, 102.65 kPa ambient and 10 % humidity is
//! 100 · 1 · 364/273 / 0.9 = 148.148 mg/m³.

use datafusion::logical_expr::ScalarUDF;

use super::{dry_share, standard_state};
use crate::scalar::float_function;

/// The concentration at dry standard state; `None` where temperature, pressure
/// or humidity can't be a gas's.
pub fn to_dry_standard(
    value: f64,
    t_c: f64,
    gauge_kpa: f64,
    ambient_kpa: f64,
    humidity_pct: f64,
) -> Option<f64> {
    let volume = standard_state(t_c, gauge_kpa, ambient_kpa)? * dry_share(humidity_pct)?;
    Some(value / volume)
}

/// The SQL function.
pub fn to_dry_standard_udf() -> ScalarUDF {
    float_function(
        "to_dry_standard",
        ["value", "t_c", "gauge_kpa", "ambient_kpa", "humidity_pct"],
        "Concentration of the duct's state at dry standard state (273 K, 101.325 kPa); NULL where the state is no gas's (标干浓度). HJ 212-2017 annex D.2 eq 18-21 [standard]",
        |[value, t_c, gauge_kpa, ambient_kpa, humidity_pct]| {
            to_dry_standard(value, t_c, gauge_kpa, ambient_kpa, humidity_pct)
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn worked_example() {
        let value = to_dry_standard(100.0, 91.0, -1.325, 102.65, 10.0).unwrap();
        assert!((value - 148.148_148_148).abs() < 1e-8);
    }

    #[test]
    fn impossible_states_are_null() {
        assert_eq!(to_dry_standard(1.0, -273.0, 0.0, 101.325, 0.0), None);
        assert_eq!(to_dry_standard(1.0, 50.0, -200.0, 101.325, 0.0), None);
        assert_eq!(to_dry_standard(1.0, 50.0, 0.0, 101.325, 100.0), None);
        assert_eq!(to_dry_standard(1.0, f64::NAN, 0.0, 101.325, 5.0), None);
    }
}
