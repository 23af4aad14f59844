//! Working conditions by the hour.

use std::ops::Range;

use plume_datasets::flags::is_normal_or_none;

use super::outlet::{OutletFrame, SeriesTable, TableRows};
use crate::time::hour_of;

/// The hourly means of every parameter on a grid of hours, by name; NaN in an hour without one.
pub fn hourly_conditions(frame: &OutletFrame, grid: &Range<i64>) -> Vec<(String, Vec<f64>)> {
    let rows = frame.table(SeriesTable::Conditions);
    let hours = |pieces: &[Range<usize>]| hourly_means(rows, pieces, grid);
    let mut params: Vec<_> =
        rows.series().iter().map(|series| (series.factor.clone(), hours(&series.pieces))).collect();
    params.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    params
}

/// The mean of each hour's rows that count: finite, with flag `N` or none.
fn hourly_means(rows: &TableRows, pieces: &[Range<usize>], grid: &Range<i64>) -> Vec<f64> {
    let len = usize::try_from(grid.end - grid.start).unwrap_or_default();
    let (mut sums, mut counts) = (vec![0.0; len], vec![0_u32; len]);
    for row in pieces.iter().cloned().flatten() {
        let (Some(ts), Some(value)) = (rows.ts.get(row), rows.value.get(row)) else { continue };
        let is_normal = rows.flag.get(row).is_none_or(|flag| is_normal_or_none(*flag));
        let Ok(position) = usize::try_from(hour_of(*ts) - grid.start) else { continue };
        if let (true, true, Some(sum), Some(count)) =
            (is_normal, value.is_finite(), sums.get_mut(position), counts.get_mut(position))
        {
            *sum += value;
            *count += 1;
        }
    }
    let mean = |(sum, count): (f64, u32)| if count == 0 { f64::NAN } else { sum / f64::from(count) };
    sums.into_iter().zip(counts).map(mean).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minutes_are_averaged_and_flagged_ones_left_out() {
        let minute = 60_000_000;
        let mut rows = TableRows::default();
        rows.ts = vec![0, minute, 2 * minute, 61 * minute, 130 * minute];
        rows.value = vec![1.0, 2.0, 90.0, f64::INFINITY, 7.0];
        rows.flag = vec![b'N', 0, b'D', b'N', b'N'];
        let all = Vec::from_iter(std::iter::once(0..5));
        let means = hourly_means(&rows, &all, &(0..3));
        assert_eq!(means[0], 1.5);
        assert!(means[1].is_nan());
        assert_eq!(means[2], 7.0);
        assert_eq!(hourly_means(&rows, &all, &(2..3)), [7.0]);
    }
}
