//! Whether analyser, logger and platform agree on an hour (Guide 16 `seed`; that the platform's
//! hour is not valid where they don't: HJ 356-2019 6.2 `recall`, under `stream_mismatch`).
//!
//! The means of an hour's readings and logged values stand for the analyser and the logger. The
//! difference counts as a share of what stands nearer to the analyser.
//!
//! Worked example, a share of 1 %: readings of 99 and 101, mean 100. A platform of 101 agrees,
//! one of 101.1 does not. A logger of 99 agrees with the analyser, but not with a platform of 100.

use std::ops::Range;

use super::hours::{HourState, Hours};
use crate::time::{HOUR_US, hour_of};

/// First letter of the phase in which a sample is measured.
const MEASURE: u8 = b'm';

/// Rows of raw signals of one series in time order. A column that was not read is empty.
#[derive(Debug, Clone, Copy, Default)]
pub struct StreamRows<'a> {
    /// When, µs.
    pub ts: &'a [i64],
    /// The analyser's concentration, NaN where NULL.
    pub reading: &'a [f64],
    /// The logger's, NaN where NULL.
    pub logged: &'a [f64],
    /// First letter of the phase, 0 where NULL, which counts as measuring.
    pub phase: &'a [u8],
}

impl StreamRows<'_> {
    /// Mean of a column over the rows of an hour in which a sample was measured; NaN of none.
    fn mean(&self, column: &[f64], rows: Range<usize>) -> f64 {
        let (mut sum, mut count) = (0.0, 0_u32);
        for row in rows {
            let measures = self.phase.get(row).is_none_or(|phase| matches!(*phase, 0 | MEASURE));
            if let Some(value) = column.get(row).filter(|value| measures && !value.is_nan()) {
                sum += value;
                count += 1;
            }
        }
        sum / f64::from(count)
    }
}

/// Takes the validity of hours whose streams differ by more than the share that `share` tells of
/// an hour; `None` leaves the hour as it is.
pub fn compare_streams(hours: &mut Hours, rows: StreamRows<'_>, share: impl Fn(i64) -> Option<f64>) {
    let mut start = 0;
    while let Some(&first_ts) = rows.ts.get(start) {
        let hour = hour_of(first_ts);
        let len = rows.ts[start..].partition_point(|&ts| ts < (hour + 1) * HOUR_US);
        let of_hour = start..start + len;
        start += len;
        let Some(share) = share(hour) else { continue };
        let Some(platform) = hours.valid_value(hour) else { continue };
        let reading = rows.mean(rows.reading, of_hour.clone());
        let logged = rows.mean(rows.logged, of_hour);
        let pairs = [(reading, logged), (reading, platform), (logged, platform)];
        if pairs.into_iter().any(|(nearer, farther)| differ(nearer, farther, share)) {
            hours.invalidate(hour, HourState::StreamMismatch);
        }
    }
}

/// Whether two values differ by more than a share of the first; never where either is NaN. A
/// difference of figures with few decimals is off in its last bits.
fn differ(nearer: f64, farther: f64, share: f64) -> bool {
    (farther - nearer).abs() > share * nearer.abs() * (1.0 + 1e-9)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validity::hours::Rows;
    use plume_datasets::flags::NORMAL;
    use proptest::prelude::*;

    /// What becomes of an hour with a platform's value and raw signals at its start and half past.
    fn state(platform: f64, reading: [f64; 2], logged: [f64; 2], phase: &[u8]) -> HourState {
        let mut hours = Hours::default();
        hours.reset(&(0..1), &(0..1));
        hours.settle_reported(Rows { ts: &[0], value: &[platform], flag: &[NORMAL] });
        let rows = StreamRows { ts: &[0, HOUR_US / 2], reading: &reading, logged: &logged, phase };
        compare_streams(&mut hours, rows, |_| Some(0.01));
        hours.state[0]
    }

    const NONE: [f64; 2] = [f64::NAN; 2];

    #[test]
    fn worked_example_of_the_head() {
        use HourState::{StreamMismatch, Valid};
        assert_eq!(state(101.0, [99.0, 101.0], NONE, &[]), Valid);
        assert_eq!(state(101.1, [99.0, 101.0], NONE, &[]), StreamMismatch);
        assert_eq!(state(100.0, [100.0; 2], [99.0; 2], &[]), StreamMismatch);
        assert_eq!(state(99.9, [100.0; 2], [99.0; 2], &[]), Valid);
    }

    #[test]
    fn zero_and_span_are_no_measurement_and_what_is_not_there_differs_from_nothing() {
        use HourState::{StreamMismatch, Valid};
        assert_eq!(state(50.0, [50.0, 0.0], NONE, b"mz"), Valid);
        assert_eq!(state(50.0, [50.0, 0.0], NONE, b"mm"), StreamMismatch);
        assert_eq!(state(50.0, [50.0, 90.0], NONE, &[0, b's']), Valid);
        assert_eq!(state(50.0, NONE, NONE, &[]), Valid);
        assert_eq!(state(0.0, [0.0; 2], [0.0; 2], &[]), Valid);
        assert_eq!(state(0.1, [0.0; 2], NONE, &[]), StreamMismatch);
    }

    #[test]
    fn columns_that_were_not_read_tell_nothing() {
        let mut hours = Hours::default();
        hours.reset(&(0..1), &(0..1));
        hours.settle_reported(Rows { ts: &[0], value: &[7.0], flag: &[NORMAL] });
        let rows = StreamRows { ts: &[0], ..StreamRows::default() };
        compare_streams(&mut hours, rows, |_| Some(0.01));
        assert_eq!(hours.state, [HourState::Valid]);
    }

    proptest! {
        #[test]
        fn streams_that_agree_change_nothing(value in 0.001..1e4_f64, off in -0.0099..0.0099_f64) {
            prop_assert_eq!(state(value * (1.0 + off), [value; 2], NONE, &[]), HourState::Valid);
            prop_assert_eq!(state(value * 1.0101, [value; 2], NONE, &[]), HourState::StreamMismatch);
        }
    }
}
