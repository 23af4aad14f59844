//! `section_velocity(kv, point_velocity)`: the mean velocity over the section of a duct, m/s.
//!
//! Vs = Kv · Vp (HJ 212-2017 annex D.2). With Kv 1.2 a meter that shows 10 m/s tells of 12 m/s,
//! which in 20 m² are 864 000 m³/h of working gas, and 641 355 m³/h at dry standard state of
//! 50 °C, −0.2 kPa and 12 % of water.

use datafusion::logical_expr::ScalarUDF;

use crate::scalar::float_function;

/// The mean velocity over a section, m/s, from the velocity-field coefficient and the velocity that
/// the meter shows; `None` where the coefficient is not above 0.
pub fn section_velocity(kv: f64, point_velocity: f64) -> Option<f64> {
    (kv > 0.0).then_some(kv * point_velocity)
}

/// The SQL function.
pub fn section_velocity_udf() -> ScalarUDF {
    float_function(
        "section_velocity",
        ["kv", "point_velocity"],
        "Mean velocity over the section of a duct, m/s: velocity-field coefficient × velocity at the meter; NULL where kv <= 0 (烟道断面平均流速). HJ 212-2017 annex D.2 [standard]",
        |[kv, point_velocity]| section_velocity(kv, point_velocity),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emission::dry_standard_flow::dry_standard_flow;

    #[test]
    fn worked_example_of_the_head() {
        let velocity = section_velocity(1.2, 10.0).unwrap();
        assert_eq!(velocity, 12.0);
        assert_eq!(20.0 * velocity * 3600.0, 864_000.0);
        let flow = dry_standard_flow(20.0, velocity, 50.0, -0.2, 101.325, 12.0).unwrap();
        assert!((flow * 3600.0 - 641_355.0).abs() < 0.5);
    }

    #[test]
    fn a_coefficient_is_above_zero() {
        assert_eq!(section_velocity(0.0, 10.0), None);
        assert_eq!(section_velocity(f64::NAN, 10.0), None);
    }
}
