//! `dry_standard_flow(area, velocity, t_c, gauge_kpa, ambient_kpa, humidity_pct)`:
//! the flow of a duct at dry standard state, m³/s.
//!
//! Qsn = F · V · 273/(273+t) · (Ba+Ps)/101325 · (1−X) (HJ 212-2017 eq 26–29; the
//! annex prints m³/h, 3600 times as much). 20 m², 12 m/s, 50 °C, −0.2 kPa,
//! 101.325 kPa and 12 % make 178.154 m³/s = 641 355 m³/h.

use datafusion::logical_expr::ScalarUDF;

use super::{dry_share, standard_state};
use crate::scalar::float_function;

/// The flow at dry standard state, m³/s, from the duct's area (m²) and velocity
/// (m/s); `None` where the state can't be a gas's.
pub fn dry_standard_flow(
    area: f64,
    velocity: f64,
    t_c: f64,
    gauge_kpa: f64,
    ambient_kpa: f64,
    humidity_pct: f64,
) -> Option<f64> {
    Some(area * velocity * standard_state(t_c, gauge_kpa, ambient_kpa)? * dry_share(humidity_pct)?)
}

/// The SQL function.
pub fn dry_standard_flow_udf() -> ScalarUDF {
    float_function(
        "dry_standard_flow",
        ["area", "velocity", "t_c", "gauge_kpa", "ambient_kpa", "humidity_pct"],
        "Flow of a duct at dry standard state, m³/s; NULL where the state is no gas's (标干流量). HJ 212-2017 annex D.2 eq 26-29 [standard]",
        |[area, velocity, t_c, gauge_kpa, ambient_kpa, humidity_pct]| {
            dry_standard_flow(area, velocity, t_c, gauge_kpa, ambient_kpa, humidity_pct)
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn worked_example_of_the_annex() {
        let flow = dry_standard_flow(20.0, 12.0, 50.0, -0.2, 101.325, 12.0).unwrap();
        assert!((flow * 3600.0 - 641_355.0).abs() < 1.0);
        let kg = 30.0 * flow * 3600.0 * 1e-6;
        assert!((kg - 19.24).abs() < 0.005, "{kg} kg/h");
    }

    #[test]
    fn impossible_states_are_null() {
        assert_eq!(dry_standard_flow(1.0, 1.0, 50.0, 0.0, 101.325, -1.0), None);
        assert_eq!(dry_standard_flow(1.0, 1.0, -300.0, 0.0, 101.325, 1.0), None);
    }
}
