//! P23 `perfect_calibration` (完美标定): check after check finds the same drift, most often none.
//!
//! Mechanism: results of zero and span checks are written down instead of measured.
//!
//! Formula: drift = measured − expected, by kind of check. Two drifts are the same where they differ by no more
//! than `same` of the usual spread of this monitor's drifts. A run of r checks around one drift,
//! which the share p of the other n − r checks of this kind has too (one more of two added on either side),
//! has surprise (r − 1) × log₁₀(1 ÷ p) − log₁₀ n. Score: the lesser of surprise, `suspect` → 0.5, `certain` → 1, and
//! of the run, `suspect_run` → 0.5, `certain_run` → 1.
//!
//! Excused: coarse figures, of which each is common (p): an analyser of 0.1 % resolution shows 0.0 half of the
//! time; a monitor with fewer checks than `suspect_run`.
//!
//! Example: 10 drifts of various size, then 6 of exactly 0: p = (0 + 1) ÷ (10 + 2) = 1 ÷ 12, surprise
//! 5 × 1.079 − log₁₀ 16 = 5.396 − 1.204 = 4.19. With `suspect` 2 and `certain` 4 it scores 1; with `suspect_run` 5
//! and `certain_run` 8 the run scores 0.5 + 0.5 × 1 ÷ 3 = 0.667, and so does the hit.

use std::ops::Range;

use super::hit::{Evidence, Hit};
use super::outlet::{CheckRecord, FactorSeries, Outlet};
use super::robust::quantile;
use super::score::score;
use super::thresholds::Thresholds;

/// Looks for the pattern in an outlet: of runs that overlap, the one that shows it best.
pub fn detect(outlet: &Outlet, thresholds: &Thresholds<'_>) -> Vec<Hit> {
    outlet.factors.iter().flat_map(|series| of_series(outlet, series, thresholds)).collect()
}

fn of_series(outlet: &Outlet, series: &FactorSeries, thresholds: &Thresholds<'_>) -> Vec<Hit> {
    let of_factor = || outlet.records.checks.iter().filter(|check| check.factor == series.factor);
    let mut kinds: Vec<&str> = of_factor().map(|check| check.kind.as_str()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let hits = kinds.into_iter().flat_map(|kind| {
        let is_known =
            |check: &&CheckRecord| check.kind == kind && (check.measured - check.expected).is_finite();
        let checks: Vec<&CheckRecord> = of_factor().filter(is_known).collect();
        of_kind(series, kind, &checks, thresholds)
    });
    let mut hits: Vec<Hit> = hits.collect();
    hits.sort_by(|a, b| {
        b.score.total_cmp(&a.score).then(a.started.cmp(&b.started)).then(b.ended.cmp(&a.ended))
    });
    let mut kept: Vec<Hit> = Vec::new();
    for hit in hits {
        if !kept.iter().any(|other| other.started < hit.ended && hit.started < other.ended) {
            kept.push(hit);
        }
    }
    kept
}

fn of_kind(
    series: &FactorSeries,
    kind: &str,
    checks: &[&CheckRecord],
    thresholds: &Thresholds<'_>,
) -> Vec<Hit> {
    let threshold = |key| thresholds.of(&series.factor, series.fine.grid.grain(), key);
    let drifts: Vec<f64> = checks.iter().map(|check| check.measured - check.expected).collect();
    let hit = |run: SameDrift| {
        let first = checks.get(run.checks.start)?;
        let last = checks.get(run.checks.end.checked_sub(1)?)?;
        let of_surprise = score(run.surprise, threshold("suspect"), threshold("certain"));
        let of_run = score(run.checks.len() as f64, threshold("suspect_run"), threshold("certain_run"));
        Some(Hit {
            factor: series.factor.clone(),
            started: first.ts,
            ended: last.ts,
            score: of_surprise.min(of_run),
            rows: run.checks.len(),
            evidence: Evidence::default()
                .text("kind", kind)
                .number("drift", run.drift)
                .number("checks", run.checks.len() as f64)
                .number("usual_share", run.usual_share),
        })
    };
    perfect_calibration(&drifts, threshold("same")).into_iter().filter_map(hit).collect()
}

/// Checks in a row with the same drift.
#[derive(Debug, Clone, PartialEq)]
pub struct SameDrift {
    /// The checks.
    pub checks: Range<usize>,
    /// Drift of the first of them.
    pub drift: f64,
    /// Share of the other checks with this drift, with one more of two.
    pub usual_share: f64,
    /// How rare such a run is: log₁₀ of one over its chance among as many checks.
    pub surprise: f64,
}

/// Runs of two and more drifts that are the same within `same` of their usual spread, in order.
///
/// ```
/// use plume_udfs::patterns::perfect_calibration::perfect_calibration;
/// let drifts = [0.4, -0.7, 1.1, 0.2, -0.3, 0.6, -1.2, 0.9, 0.1, -0.5, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0];
/// let runs = perfect_calibration(&drifts, 0.02);
/// assert_eq!((runs.len(), runs[0].checks.clone()), (1, 10..16));
/// assert!((runs[0].surprise - 4.19).abs() < 0.01);
/// ```
pub fn perfect_calibration(drifts: &[f64], same: f64) -> Vec<SameDrift> {
    /// The share of checks whose drift is within the usual spread.
    const USUAL: f64 = 0.8;
    let spread = quantile(&mut drifts.iter().map(|drift| drift.abs()).collect::<Vec<f64>>(), USUAL);
    let is_same = |a: f64, b: f64| (a - b).abs() <= same * spread;
    let mut runs: Vec<Range<usize>> = Vec::new();
    let mut of_run = f64::NAN;
    for (at, drift) in drifts.iter().copied().enumerate() {
        match runs.last_mut() {
            Some(run) if is_same(drift, of_run) => run.end = at + 1,
            _ => {
                of_run = drift;
                runs.push(at..at + 1);
            }
        }
    }
    // Only the longest runs are worth counting against all checks.
    runs.retain(|run| run.len() > 1);
    let count = drifts.len() as f64;
    let mut sorted = drifts.to_vec();
    sorted.sort_by(f64::total_cmp);
    let same_drift = |checks: Range<usize>| {
        let drift = drifts.get(checks.start).copied().unwrap_or(f64::NAN);
        let below = sorted.partition_point(|other| *other < drift && !is_same(*other, drift));
        let upto = sorted.partition_point(|other| *other < drift || is_same(*other, drift));
        let others = (upto.saturating_sub(below)).saturating_sub(checks.len()) as f64;
        let usual_share = (others + 1.0) / (count - checks.len() as f64 + 2.0);
        let surprise = -(checks.len() as f64 - 1.0) * usual_share.log10() - count.log10();
        SameDrift { checks, drift, usual_share, surprise }
    };
    runs.into_iter().map(same_drift).collect()
}

#[cfg(test)]
mod tests {
    use super::super::odd_records::{DEED, HALF_YEAR, check, survives};
    use super::super::survival::{even, found, hourly, stack};
    use super::*;
    use crate::time::HOUR_US;

    const PATTERN: &str = "perfect_calibration";

    /// A span check with 100 every week, of a drift by hour and chance.
    fn outlet(drift: impl Fn(usize, f64) -> f64) -> Outlet {
        let mut outlet = hourly(stack(1, HALF_YEAR));
        let chance = even(8, HALF_YEAR);
        let hours = (48..HALF_YEAR).step_by(168);
        outlet.records.checks = hours
            .map(|hour| check("span", hour as i64 * HOUR_US, 100.0, 100.0 + drift(hour, chance[hour] - 0.5)))
            .collect();
        outlet
    }

    fn two_decimals(value: f64) -> f64 {
        (value * 100.0).round() / 100.0
    }

    #[test]
    fn drifts_that_were_written_down_are_found() {
        for written in [0.0, 0.3] {
            let outlet =
                outlet(|hour, part| if DEED.contains(&hour) { written } else { two_decimals(4.0 * part) });
            let hits = found(PATTERN, detect, &outlet);
            assert_eq!(hits.len(), 1);
            assert_eq!((hits[0].started / HOUR_US, hits[0].ended / HOUR_US), (1560, 2904));
        }
    }

    #[test]
    fn a_coarse_analyser_is_not() {
        assert_eq!(found(PATTERN, detect, &outlet(|_, part| (1.2 * part).round())), []);
        assert_eq!(found(PATTERN, detect, &outlet(|_, part| two_decimals(4.0 * part))), []);
    }

    #[test]
    fn odd_outlets() {
        survives(PATTERN, detect);
    }
}
