//! Runs of days on which a value stayed the same.
//!
//! Annex 2-3 I.2, fixed-value query: consecutive equal daily values `seed`. A day
//! without a value, or none at all, ends a run `default`.

/// Consecutive days with one value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EqualDays {
    /// The value.
    pub value: f64,
    /// The first day, counted from 1970-01-01.
    pub first_day: i64,
    /// The last day.
    pub last_day: i64,
}

impl EqualDays {
    /// How many days.
    pub fn len(&self) -> i64 {
        self.last_day - self.first_day + 1
    }

    /// Whether there is no day: never.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Runs of at least `min_days` consecutive days with one value, in order, into
/// `out`. `days` ascend; `values` are theirs, NaN where there is none. Values are
/// compared as they are: round them before, with [`rounded`].
pub fn equal_days(days: &[i64], values: &[f64], min_days: i64, out: &mut Vec<EqualDays>) {
    out.clear();
    let mut open: Option<EqualDays> = None;
    for (&day, &value) in days.iter().zip(values) {
        if let Some(run) = open.as_mut().filter(|run| run.value == value && run.last_day + 1 == day) {
            run.last_day = day;
            continue;
        }
        out.extend(open.take().filter(|run| run.len() >= min_days));
        open = (!value.is_nan()).then_some(EqualDays { value, first_day: day, last_day: day });
    }
    out.extend(open.filter(|run| run.len() >= min_days));
}

/// A value rounded to decimals, half away from zero; −0 is 0. NaN stays.
pub fn rounded(value: f64, decimals: i32) -> f64 {
    let scale = 10_f64.powi(decimals);
    (value * scale).round() / scale + 0.0
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: f64 = f64::NAN;

    fn runs(days: &[i64], values: &[f64], min_days: i64) -> Vec<(f64, i64, i64)> {
        let mut out = vec![EqualDays { value: 9.0, first_day: 0, last_day: 0 }];
        equal_days(days, values, min_days, &mut out);
        out.iter().map(|run| (run.value, run.first_day, run.last_day)).collect()
    }

    #[test]
    fn nothing_and_one_day() {
        assert_eq!(runs(&[], &[], 1), []);
        assert_eq!(runs(&[7], &[1.0], 1), [(1.0, 7, 7)]);
        assert_eq!(runs(&[7], &[1.0], 2), []);
        assert_eq!(runs(&[7], &[NONE], 1), []);
    }

    #[test]
    fn a_run_needs_its_least_length_to_the_day() {
        let (days, values) = ([1, 2, 3, 4, 5], [5.0, 5.0, 5.0, 6.0, 6.0]);
        assert_eq!(runs(&days, &values, 4), []);
        assert_eq!(runs(&days, &values, 3), [(5.0, 1, 3)]);
        assert_eq!(runs(&days, &values, 2), [(5.0, 1, 3), (6.0, 4, 5)]);
    }

    #[test]
    fn a_day_without_a_value_and_a_day_left_out_end_a_run() {
        assert_eq!(runs(&[1, 2, 3], &[5.0, NONE, 5.0], 1), [(5.0, 1, 1), (5.0, 3, 3)]);
        assert_eq!(runs(&[1, 2, 4], &[5.0, 5.0, 5.0], 1), [(5.0, 1, 2), (5.0, 4, 4)]);
    }

    #[test]
    fn rounding_makes_means_of_equal_hours_equal() {
        let mean = |count: usize| std::iter::repeat_n(0.1, count).sum::<f64>() / count as f64;
        assert!((20..24).any(|count| mean(count) != mean(24)));
        assert!((20..24).all(|count| rounded(mean(count), 6) == rounded(mean(24), 6)));
        assert!(rounded(-0.0, 6).is_sign_positive() && rounded(NONE, 6).is_nan());
        assert_eq!(rounded(-1.234_567_5, 6), -1.234_568);
    }
}
