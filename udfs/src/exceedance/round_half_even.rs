//! `round_half_even(value, decimals)`: a value as it is compared with its limit.
//!
//! Values are rounded to the decimals of the limit, a half to the even neighbour
//! (GB/T 8170 `recall`). A value is what its decimal figure says: 1.015 is a half
//! although its binary form lies below. 2.5 is 2, 3.5 is 4, 1.015 to two decimals 1.02.

use datafusion::logical_expr::ScalarUDF;

use crate::scalar::float_function;

/// The greatest number of decimals that changes a double.
const MOST_DECIMALS: f64 = 15.0;

/// The value with `decimals` decimals; `None` where they are no whole number from 0 on.
pub fn round_half_even(value: f64, decimals: f64) -> Option<f64> {
    if decimals < 0.0 || decimals.fract() != 0.0 {
        return None;
    }
    if decimals > MOST_DECIMALS {
        return Some(value);
    }
    let scale = 10_f64.powf(decimals);
    let scaled = value * scale;
    let floor = scaled.floor();
    let is_half = ((scaled - floor) - 0.5).abs() < 1e-9 * scaled.abs().max(1.0);
    let rounded = match is_half {
        true if floor.rem_euclid(2.0) == 0.0 => floor,
        true => floor + 1.0,
        false => scaled.round(),
    };
    Some(rounded / scale)
}

/// The SQL function.
pub fn round_half_even_udf() -> ScalarUDF {
    float_function(
        "round_half_even",
        ["value", "decimals"],
        "Value rounded to decimals, a half to the even neighbour, as limits are compared (四舍六入五成双修约). GB/T 8170 [recall]",
        |[value, decimals]| round_half_even(value, decimals),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_half_goes_to_the_even_neighbour() {
        for (value, decimals, rounded) in [
            (2.5, 0.0, 2.0),
            (3.5, 0.0, 4.0),
            (-2.5, 0.0, -2.0),
            (35.049, 1.0, 35.0),
            (35.05, 1.0, 35.0),
            (35.15, 1.0, 35.2),
            (1.015, 2.0, 1.02),
            (1.005, 2.0, 1.0),
            (1.0051, 2.0, 1.01),
            (1234.5, 0.0, 1234.0),
        ] {
            assert_eq!(round_half_even(value, decimals), Some(rounded), "{value} to {decimals}");
        }
        assert_eq!(round_half_even(1.5, -1.0), None);
        assert_eq!(round_half_even(1.5, 0.5), None);
        assert_eq!(round_half_even(0.1, 300.0), Some(0.1));
    }
}
