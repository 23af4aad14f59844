//! `effective_transmission(received, expected, valid, due_valid)`: the effective transmission rate.
//!
//! 数据传输有效率 = transmission rate × validity rate = received ÷ due × valid ÷ due to be valid
//! (marking rule of 2022 `standard`). Due to be valid is what was received, or all that was due,
//! as rule `validity_base` says `default`.
//!
//! Worked example: of 100 results due 90 came, of these 81 are valid: 0.9 × 0.9 = 0.81; of all due
//! 0.9 × 0.81 = 0.729.

use datafusion::logical_expr::ScalarUDF;

use crate::scalar::float_function;

/// The rate, a share; 0 where nothing due was received, `None` where nothing was due. Counts are
/// multiplied before they are divided, so that a rate is exact at the share asked for.
pub fn effective_transmission(received: f64, expected: f64, valid: f64, due_valid: f64) -> Option<f64> {
    if expected * due_valid != 0.0 {
        return Some(received * valid / (expected * due_valid));
    }
    (expected > 0.0).then_some(0.0)
}

/// The SQL function.
pub fn effective_transmission_udf() -> ScalarUDF {
    float_function(
        "effective_transmission",
        ["received", "expected", "valid", "due_valid"],
        "Effective transmission rate of counted results: received * valid / (expected * due_valid), 0 where none to be valid was due, NULL where none was expected (数据传输有效率). Marking rule of 2022 [standard]",
        |[received, expected, valid, due_valid]| effective_transmission(received, expected, valid, due_valid),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn worked_example() {
        // 90 × 81 / (100 × 90) = 7290 / 9000
        assert_eq!(effective_transmission(90.0, 100.0, 81.0, 90.0), Some(0.81));
        // 7290 / 10000
        assert_eq!(effective_transmission(90.0, 100.0, 81.0, 100.0), Some(0.729));
    }

    #[test]
    fn nothing_received_is_0_and_nothing_due_is_none() {
        assert_eq!(effective_transmission(0.0, 24.0, 0.0, 0.0), Some(0.0));
        assert_eq!(effective_transmission(0.0, 0.0, 0.0, 0.0), None);
    }

    #[test]
    fn a_rate_at_the_share_asked_for_is_it_to_the_bit() {
        // 19 of 20 came and all of them are valid: 19 × 19 / (20 × 19) = 0.95.
        assert_eq!(effective_transmission(19.0, 20.0, 19.0, 19.0), Some(0.95));
        assert_eq!(effective_transmission(7068.0, 7440.0, 7068.0, 7068.0), Some(0.95));
    }
}
