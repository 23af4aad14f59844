//! What a valid value below detection counts as (HJ 356-2019 7.1 `recall`), under
//! `below_detection = table`.
//!
//! Worked example, COD with the figure 2 mg/L and a detection limit of 4: 0, −1 and 3.9 count
//! as 2; 4 and −5 stay. Without a limit on file 0 and −1 count as 2; 3.9 and −2.5 stay.

/// The value that counts, in the unit of all three. Below detection is what lies nearer to zero
/// than the detection limit; where none is on file, zero or a negative no greater than the figure.
pub fn counted(value: f64, figure: f64, detection_limit: Option<f64>) -> f64 {
    let is_below = match detection_limit {
        Some(limit) => value == 0.0 || value.abs() < limit,
        None => (-figure..=0.0).contains(&value),
    };
    if is_below { figure } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn worked_example_of_the_head() {
        let with_limit = [0.0, -1.0, 3.9, 4.0, -5.0].map(|value| counted(value, 2.0, Some(4.0)));
        assert_eq!(with_limit, [2.0, 2.0, 2.0, 4.0, -5.0]);
        let without = [0.0, -1.0, 3.9, -2.5].map(|value| counted(value, 2.0, None));
        assert_eq!(without, [2.0, 2.0, 3.9, -2.5]);
        assert!(counted(f64::NAN, 2.0, Some(4.0)).is_nan());
    }

    proptest! {
        #[test]
        fn what_counts_is_the_value_or_the_figure(
            value in -1e3..1e3_f64, figure in 0.0..10.0_f64, limit in prop::option::of(0.0..20.0_f64),
        ) {
            let counts = counted(value, figure, limit);
            prop_assert!(counts == value || counts == figure);
            // Far from zero nothing changes.
            prop_assert!(value.abs() <= 20.0 || counts == value);
        }
    }
}
