//! `ppm_to_mg(value, molar_mass)`: a gas in ppm as mg/m³ at standard state.
//!
//! mg/m³ = M / 22.4 · ppm (HJ 212-2017 eq 22). 100 ppm of SO2 (M = 64) is
//! 285.714 mg/m³; NOx counts as NO2 (M = 46).

use datafusion::logical_expr::ScalarUDF;

use crate::scalar::float_function;

/// Litres that a mole of gas fills at standard state, as the annex rounds it.
const MOLAR_LITRES: f64 = 22.4;

/// The concentration in mg/m³; `None` unless the molar mass (g/mol) is positive.
pub fn ppm_to_mg(value: f64, molar_mass: f64) -> Option<f64> {
    (molar_mass > 0.0).then(|| value * molar_mass / MOLAR_LITRES)
}

/// The SQL function.
pub fn ppm_to_mg_udf() -> ScalarUDF {
    float_function(
        "ppm_to_mg",
        ["value", "molar_mass"],
        "Gas in ppm as mg/m³ at standard state: value * molar_mass / 22.4 (体积浓度换算质量浓度). HJ 212-2017 annex D.2 eq 22 [standard]",
        |[value, molar_mass]| ppm_to_mg(value, molar_mass),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn worked_example() {
        let value = ppm_to_mg(100.0, 64.0).unwrap();
        assert!((value - 285.714_285_714).abs() < 1e-8);
        assert_eq!(ppm_to_mg(100.0, 0.0), None);
    }
}
