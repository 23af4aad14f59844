//! `nox_as_no2(no, no2)`: nitrogen oxides as NO2, mg/m³.
//!
//! C = C(NO) · M(NO2)/M(NO) + C(NO2) (HJ 212-2017 annex D.2): 30 mg/m³ of NO and 4 of NO2 are
//! 30 · 46/30 + 4 = 50 mg/m³.

use datafusion::logical_expr::ScalarUDF;

use crate::scalar::float_function;

/// Molar masses, g/mol, as the annex has them.
const NO: f64 = 30.0;
const NO2: f64 = 46.0;

/// Nitrogen oxides as NO2, from those of NO and NO2, all in mg/m³ of one state.
pub fn nox_as_no2(no: f64, no2: f64) -> f64 {
    no * NO2 / NO + no2
}

/// The SQL function.
pub fn nox_as_no2_udf() -> ScalarUDF {
    float_function(
        "nox_as_no2",
        ["no", "no2"],
        "Nitrogen oxides as NO2, mg/m³: NO × 46/30 + NO2, all of one state (氮氧化物以二氧化氮计). HJ 212-2017 annex D.2 [standard]",
        |[no, no2]| Some(nox_as_no2(no, no2)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn worked_example_of_the_head() {
        assert_eq!(nox_as_no2(30.0, 4.0), 50.0);
        assert_eq!(nox_as_no2(0.0, 7.0), 7.0);
    }
}
