//! P32 `clock_games` (时间漂移): the clock of the logger is set wrong.
//!
//! Mechanism: with a shifted clock values land in other hours, of a stop or of the night, and
//! the day's mean can be finished before the day is.
//!
//! Formula: the delay of a row is its arrival less the end of its interval. Its deviation from the outlet's
//! usual delay counts where it is `suspect` or more to either side. Score: the median
//! deviation of the stretch, `suspect` → 0.5, `certain` → 1; a stretch must hold
//! `least_hours` more hours that deviate than hours that don't.
//!
//! Excused: rows sent again after an outage: they arrive together, so that the delay of each
//! is shorter than that of the one before by an interval; rows more than `longest_hours` late, which were held back or
//! edited and whose clock nobody knows; an outlet that always sends late; a few rows.
//!
//! Example: rows arrive 60 s after their interval, then for a week 1260 s after: the deviation is 1200 s. With
//! `suspect` 300 and `certain` 1200 the score is 1.

use super::departure::sample;
use super::excess::{Excess, excesses, finite};
use super::hit::{Evidence, Hit};
use super::outlet::{FactorSeries, Outlet, Points};
use super::robust::median;
use super::score::score;
use super::thresholds::Thresholds;

/// Looks for the pattern in an outlet: the clock is the logger's, so on the first pollutant that tells delays.
pub fn detect(outlet: &Outlet, thresholds: &Thresholds<'_>) -> Vec<Hit> {
    let tells = |series: &&FactorSeries| !series.fine.delay_s.is_empty();
    let series = outlet.pollutants().find(tells).or_else(|| outlet.factors.iter().find(tells));
    series.map(|series| of_series(series, &series.fine, thresholds)).unwrap_or_default()
}

fn of_series(series: &FactorSeries, points: &Points, thresholds: &Thresholds<'_>) -> Vec<Hit> {
    /// Seconds in an hour.
    const HOUR_S: f64 = 3600.0;
    let threshold = |key| thresholds.of(&series.factor, points.grid.grain(), key);
    let (suspect, certain) = (threshold("suspect"), threshold("certain"));
    let longest = threshold("longest_hours") * HOUR_S;
    let deviations = clock_games(&points.delay_s, points.grid.hours(1) * HOUR_S, longest);
    let sizes: Vec<f64> = deviations.iter().map(|deviation| deviation.abs()).collect();
    let least = points.grid.points(threshold("least_hours")) as f64;
    if (sizes.iter().filter(|size| **size > suspect).count() as f64) < least {
        return Vec::new();
    }
    let found = excesses(&sizes, suspect, least);
    let hit = |stretch: Excess| {
        let span = points.span(&stretch.points);
        let mut inside = finite(deviations.get(stretch.points).unwrap_or_default());
        let deviation = median(&mut inside);
        series.hit(
            span,
            score(stretch.typical, suspect, certain),
            stretch.rows,
            Evidence::default()
                .number("deviation_s", deviation)
                .number("usual_delay_s", median(&mut sample(&points.delay_s))),
        )
    };
    found.into_iter().map(hit).collect()
}

/// Seconds by which each row's delay differs from the usual one; NaN for rows unknown, later than
/// `longest` seconds, and for rows that came together with the row before or behind them, of an interval of `step` seconds.
///
/// ```
/// use plume_udfs::patterns::clock_games::clock_games;
/// // The third and fourth hour arrive together after an outage, with the fifth.
/// let delays = [60.0, 60.0, 7260.0, 3660.0, 60.0, 1260.0, 60.0, 60.0];
/// let deviations = clock_games(&delays, 3600.0, 86400.0);
/// assert!(deviations[2].is_nan() && deviations[3].is_nan());
/// assert_eq!((deviations[0], deviations[5]), (0.0, 1200.0));
/// ```
pub fn clock_games(delays: &[f64], step: f64, longest: f64) -> Vec<f64> {
    let usual = median(&mut sample(delays));
    // What came within half an interval of its neighbour came together with it.
    let is_with_next = |at: usize| {
        let pair = delays.get(at).zip(delays.get(at + 1));
        pair.is_some_and(|(this, next)| this - next > step / 2.0)
    };
    let deviation = |(at, delay): (usize, &f64)| {
        let is_held_back = is_with_next(at) || delay.abs() > longest;
        if is_held_back { f64::NAN } else { delay - usual }
    };
    delays.iter().enumerate().map(deviation).collect()
}

#[cfg(test)]
mod tests {
    use super::super::odd_records::{DEED, HALF_YEAR, delayed, survives};
    use super::super::survival::{assert_found, even, found, outlet, stack};
    use super::*;

    const PATTERN: &str = "clock_games";

    fn outlet_of(delay: impl Fn(usize, f64) -> f64) -> Outlet {
        let delays =
            even(4, HALF_YEAR).into_iter().enumerate().map(|(at, part)| delay(at, 30.0 + 60.0 * part));
        outlet(delayed(stack(1, HALF_YEAR), delays.collect()))
    }

    #[test]
    fn a_shifted_clock_is_found_at_every_strength() {
        for shift in [600.0, 1800.0, -1800.0, 7200.0] {
            let shifted = outlet_of(|at, usual| if DEED.contains(&at) { usual + shift } else { usual });
            // Where the clock goes back by hours, the last row looks like one that came with the next.
            assert_found(PATTERN, detect, &shifted, DEED.start, DEED.end, 1);
        }
    }

    #[test]
    fn an_outage_that_is_made_good_is_not() {
        // Every 500 hours an outage of 40, after which all rows arrive together.
        let outage = |at: usize, usual: f64| {
            if at % 500 < 40 { usual + (40 - at % 500) as f64 * 3600.0 } else { usual }
        };
        assert_eq!(found(PATTERN, detect, &outlet_of(outage)), []);
        assert_eq!(found(PATTERN, detect, &outlet_of(|_, usual| usual + 7000.0)), []);
    }

    #[test]
    fn odd_outlets() {
        survives(PATTERN, detect);
    }
}
