//! `o2_convert(value, o2, o2_reference)`: a concentration at the reference oxygen.
//!
//! C_z = C · (21 − O2s) / (21 − O2), dry oxygen in % (HJ 212-2017 eq 30, 31).
//! 30 mg/m³ at 7.5 % oxygen with reference 6 % is 30 · 15 / 13.5 = 33.33 mg/m³.

use datafusion::logical_expr::ScalarUDF;

use crate::scalar::float_function;

/// Oxygen of air in the formula, %; the rule is `o2_air`.
const O2_AIR: f64 = 21.0;

/// The concentration at the reference oxygen; `None` at 21 % oxygen and above,
/// where there is nothing but air.
pub fn o2_convert(value: f64, o2: f64, o2_reference: f64) -> Option<f64> {
    o2_convert_with(value, o2, o2_reference, O2_AIR)
}

/// [`o2_convert`] with the oxygen of air as a rule set gives it.
pub fn o2_convert_with(value: f64, o2: f64, o2_reference: f64, o2_air: f64) -> Option<f64> {
    (o2 < o2_air).then(|| value * (o2_air - o2_reference) / (o2_air - o2))
}

/// The SQL function.
pub fn o2_convert_udf() -> ScalarUDF {
    float_function(
        "o2_convert",
        ["value", "o2", "o2_reference"],
        "Concentration at the reference oxygen: value * (21 - o2_reference) / (21 - o2); NULL where o2 >= 21 (折算浓度). HJ 212-2017 annex D.2 eq 30-31 [standard]",
        |[value, o2, o2_reference]| o2_convert(value, o2, o2_reference),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn worked_example_of_the_annex() {
        let converted = o2_convert(30.0, 7.5, 6.0).unwrap();
        assert!((converted - 33.333_333_333).abs() < 1e-9);
    }

    #[test]
    fn air_has_no_converted_concentration() {
        assert_eq!(o2_convert(30.0, 21.0, 6.0), None);
        assert_eq!(o2_convert(30.0, 25.0, 6.0), None);
        assert_eq!(o2_convert(30.0, f64::NAN, 6.0), None);
    }
}
