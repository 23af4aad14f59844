//! P23 `perfect_calibration` (完美标定): check after check finds the same drift, most often none.
//!
//! Mechanism: results of zero and span checks are written down instead of measured.
//!
//! Formula: drift = measured − expected, by kind of check. Two drifts are the same where they differ by no more
//! than `same` of the usual spread of this monitor's drifts, that of the share `usual` of them. A stretch of m checks,
//! r of which show one drift that the share p of the other n − m checks of this kind has too (one more of two added
//! on either side; the share of the commonest other drift where that is greater), has surprise (r − 1) × log₁₀(1 ÷ p) − log₁₀ of the ways to choose r − 1 of m − 1 − log₁₀ n. A
//! stretch is a run, r = m, or where the drift has a share `within` rather than `elsewhere`, as the logarithms of
//! both tell, with at least `outside` as many checks outside of it. Score: the lesser of surprise, `suspect` → 0.5,
//! `certain` → 1, and of r, `suspect_run` → 0.5, `certain_run` → 1.
//!
//! Excused: coarse figures, of which each is common (p): an analyser of 0.1 % resolution shows 0.0 half of the
//! time, and 0.1 a quarter; a monitor with fewer checks than `suspect_run`.
//!
//! Example: 10 drifts of various size, then 6 of exactly 0: 0 has none of the 10 others, the commonest one of them:
//! p = (1 + 1) ÷ (10 + 2) = 1 ÷ 6, surprise 5 × 0.778 − log₁₀ 16 = 3.891 − 1.204 = 2.69. With `suspect` 2 and
//! `certain` 4 it scores 0.5 + 0.5 × 0.69 ÷ 2 = 0.672; with `suspect_run` 5 and `certain_run` 8 the run scores
//! 0.5 + 0.5 × 1 ÷ 3 = 0.667, and so does the hit.

use std::ops::Range;

use super::evidence::evidence;
use super::hit::{Evidence, Hit};
use super::outlet::{CheckRecord, FactorSeries, Outlet};
use super::robust::quantile;
use super::score::score;
use super::segments::segments;
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
    let sizes = drifts.iter().map(|drift| drift.abs());
    let size = quantile(&mut sizes.collect::<Vec<f64>>(), threshold("usual"));
    let rule = Sameness {
        tolerance: threshold("same") * size,
        speaks: evidence(threshold("within"), threshold("elsewhere")),
        outside: threshold("outside"),
    };
    let hit = |run: SameDrift| {
        let first = checks.get(run.checks.start)?;
        let last = checks.get(run.checks.end.checked_sub(1)?)?;
        let of_surprise = score(run.surprise, threshold("suspect"), threshold("certain"));
        let of_run = score(run.same as f64, threshold("suspect_run"), threshold("certain_run"));
        Some(
            series.hit(
                first.ts..last.ts,
                of_surprise.min(of_run),
                run.same,
                Evidence::default()
                    .text("kind", kind)
                    .number("drift", run.drift)
                    .number("same_checks", run.same as f64)
                    .number("checks", run.checks.len() as f64)
                    .number("usual_share", run.usual_share),
            ),
        )
    };
    perfect_calibration(&drifts, &rule).into_iter().filter_map(hit).collect()
}

/// What makes drifts the same, and checks a stretch of one drift.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sameness {
    /// How far two drifts that are the same may differ.
    pub tolerance: f64,
    /// What a check with the drift of a stretch, and one without it, says for the stretch.
    pub speaks: (f64, f64),
    /// Times as many checks as in a stretch with other drifts that must lie outside of it.
    pub outside: f64,
}

/// Checks many of which show the same drift.
#[derive(Debug, Clone, PartialEq)]
pub struct SameDrift {
    /// The checks.
    pub checks: Range<usize>,
    /// Checks among them that show it.
    pub same: usize,
    /// Drift of the first of them.
    pub drift: f64,
    /// Share of the other checks with this drift, or with the commonest other one, with one more of two.
    pub usual_share: f64,
    /// How rare so many are: log₁₀ of one over their chance among as many checks.
    pub surprise: f64,
}

/// Runs of drifts that are the same, and stretches in which one drift comes again and again.
///
/// ```
/// use plume_udfs::patterns::perfect_calibration::{Sameness, perfect_calibration};
/// let drifts = [0.4, -0.7, 1.1, 0.2, -0.3, 0.6, -1.2, 0.9, 0.1, -0.5, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0];
/// let rule = Sameness { tolerance: 0.02, speaks: (2.3, -0.6), outside: 0.5 };
/// let runs = perfect_calibration(&drifts, &rule);
/// assert_eq!((runs.len(), runs[0].checks.clone(), runs[0].same), (1, 10..16, 6));
/// assert!((runs[0].surprise - 2.69).abs() < 0.01);
/// ```
pub fn perfect_calibration(drifts: &[f64], rule: &Sameness) -> Vec<SameDrift> {
    let mut order: Vec<usize> = (0..drifts.len()).collect();
    let drift_of = |check: &usize| drifts.get(*check).copied().unwrap_or(f64::NAN);
    order.sort_by(|a, b| drift_of(a).total_cmp(&drift_of(b)).then(a.cmp(b)));
    let mut drifts_of_one: Vec<(f64, Vec<usize>)> = Vec::new();
    for check in order {
        let drift = drift_of(&check);
        match drifts_of_one.last_mut() {
            Some((first, same)) if drift - *first <= rule.tolerance => same.push(check),
            _ => drifts_of_one.push((drift, vec![check])),
        }
    }
    let mut counts: Vec<usize> = drifts_of_one.iter().map(|(_, same)| same.len()).collect();
    counts.sort_unstable_by(|a, b| b.cmp(a));
    let most = |at: usize| counts.get(at).copied().unwrap_or_default();
    let mut found = Vec::new();
    for (drift, mut same) in drifts_of_one.into_iter().filter(|(_, same)| same.len() > 1) {
        same.sort_unstable();
        let commonest_other = if same.len() == most(0) { most(1) } else { most(0) };
        let others = (commonest_other, drifts.len() - same.len());
        found.extend(of_one_drift(&same, drift, others, rule));
    }
    found.sort_by_key(|stretch| (stretch.checks.start, stretch.checks.end));
    found
}

/// The runs and stretches of one drift, which the checks `same` show; of the `others` so many show the commonest
/// other drift, and there are so many.
fn of_one_drift(same: &[usize], drift: f64, others: (usize, usize), rule: &Sameness) -> Vec<SameDrift> {
    let count = same.len() + others.1;
    let usual = (others.0 as f64 + 1.0) / (others.1 as f64 + 2.0);
    let (with, without) = rule.speaks;
    // A number for each check that shows it, and one for all between it and the one before.
    let mut speaks = Vec::with_capacity(same.len() * 2);
    let mut before = None;
    for check in same.iter().copied() {
        let between = before.map_or(0, |before| check - before - 1);
        speaks.extend([without * between as f64, with]);
        before = Some(check);
    }
    let stretches = segments(&speaks, with).into_iter().map(|s| s.points.start / 2..s.points.end.div_ceil(2));
    let is_told_apart = |members: &Range<usize>| {
        let checks = checks_of(same, members);
        checks.len() == members.len() || (count - checks.len()) as f64 >= rule.outside * checks.len() as f64
    };
    let members = stretches.filter(is_told_apart).chain(runs(same));
    let mut members: Vec<Range<usize>> = members.filter(|members| members.len() > 1).collect();
    members.sort_by_key(|members| (members.start, members.end));
    members.dedup();
    members.iter().map(|members| same_drift(same, members, drift, (usual, count))).collect()
}

/// The checks from the first to the last of some that show a drift.
fn checks_of(same: &[usize], members: &Range<usize>) -> Range<usize> {
    let inside = same.get(members.clone()).unwrap_or_default();
    inside.first().zip(inside.last()).map_or(0..0, |(first, last)| *first..*last + 1)
}

/// Runs of checks that follow one another, among those that show a drift.
fn runs(same: &[usize]) -> Vec<Range<usize>> {
    let mut from = 0;
    let run = |run: &[usize]| {
        from += run.len();
        from - run.len()..from
    };
    same.chunk_by(|a, b| a + 1 == *b).map(run).collect()
}

/// A stretch of one drift, of a record of `count` checks in which another one has the share `usual`.
fn same_drift(same: &[usize], members: &Range<usize>, drift: f64, (usual, count): (f64, usize)) -> SameDrift {
    let checks = checks_of(same, members);
    let others = (same.len() - members.len()) as f64;
    let usual_share = usual.max((others + 1.0) / ((count - checks.len()) as f64 + 2.0));
    let (again, places) = (members.len() - 1, checks.len() - 1);
    let choices: f64 = (1..=again).map(|at| ((places - again + at) as f64 / at as f64).log10()).sum();
    let surprise = -(again as f64 * usual_share.log10() + choices + (count as f64).log10());
    SameDrift { checks, same: members.len(), drift, usual_share, surprise }
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
    fn some_checks_that_are_made_dont_end_it() {
        // Of the nine checks of the deed the third and the seventh are made; no drift of theirs comes twice.
        let outlet = outlet(|hour, part| {
            let is_made = hour % 672 == 1896 % 672;
            if DEED.contains(&hour) && !is_made { 0.0 } else { 4.0 * part }
        });
        let rule = Sameness { tolerance: 0.0, speaks: (2.3, -0.6), outside: 0.5 };
        let drifts: Vec<f64> = outlet.records.checks.iter().map(|c| c.measured - c.expected).collect();
        let stretches = perfect_calibration(&drifts, &rule);
        // Checks 9 to 17 of 26, seven of nine: p = 2 ÷ (19 + 2), 6 × log₁₀ 10.5 − log₁₀ 28 (six of eight places)
        // − log₁₀ 26 = 6.127 − 1.447 − 1.415 = 3.265.
        let longest = stretches.iter().max_by_key(|stretch| stretch.same).expect("one");
        assert_eq!((longest.checks.clone(), longest.same), (9..18, 7));
        assert!((longest.surprise - 3.265).abs() < 0.01, "{longest:?}");
        assert_eq!(found(PATTERN, detect, &outlet).len(), 1);
    }

    #[test]
    fn a_coarse_analyser_is_not() {
        for width in [1.05, 1.2, 2.0, 3.0] {
            assert_eq!(found(PATTERN, detect, &outlet(|_, part| (width * part).round())), [], "{width}");
        }
        assert_eq!(found(PATTERN, detect, &outlet(|_, part| two_decimals(4.0 * part))), []);
    }

    #[test]
    fn odd_outlets() {
        survives(PATTERN, detect);
    }
}
