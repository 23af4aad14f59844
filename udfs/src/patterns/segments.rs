//! Where a pattern begins and ends: stretches of greatest evidence.
//!
//! Each point is given a number: positive where it speaks for the pattern, negative
//! where it speaks against, 0 (or NaN) where it says nothing. The stretches of which no
//! part taken away, and no neighbour added, makes the sum greater are the pattern's.
//! (W. L. Ruzzo and M. Tompa, A linear time algorithm for finding all maximal scoring
//! subsequences, 1999.)

use std::ops::Range;

/// A stretch of greatest evidence.
#[derive(Debug, Clone, PartialEq)]
pub struct Segment {
    /// The points it holds; its first and last speak for the pattern.
    pub points: Range<usize>,
    /// The sum of its evidence.
    pub evidence: f64,
}

/// A candidate: its points, the sum before it and the sum at its end.
struct Candidate {
    points: Range<usize>,
    before: f64,
    at_end: f64,
    /// The nearest earlier candidate with a smaller sum before it.
    lower: Option<usize>,
}

/// The nearest of the candidates with a smaller sum before it than `before`. Each leads to the
/// nearest one below itself, so that none is looked at twice for nothing.
fn nearest_lower(candidates: &[Candidate], before: f64) -> Option<usize> {
    let mut at = candidates.len().checked_sub(1);
    while let Some(candidate) = at.and_then(|at| candidates.get(at)) {
        if candidate.before < before {
            return at;
        }
        at = candidate.lower;
    }
    None
}

/// All maximal stretches whose evidence sums to at least `least`, in order of time.
///
/// ```
/// use plume_udfs::patterns::segments::segments;
/// // 1 + 2 − 1 + 3 = 5 is the greatest sum; the 1 after −9 stands alone.
/// let found = segments(&[-1.0, 1.0, 2.0, -1.0, 3.0, -9.0, 1.0], 2.0);
/// assert_eq!(found.len(), 1);
/// assert_eq!((found[0].points.clone(), found[0].evidence), (1..5, 5.0));
/// ```
pub fn segments(evidence: &[f64], least: f64) -> Vec<Segment> {
    let mut candidates: Vec<Candidate> = Vec::new();
    let mut sum = 0.0;
    for (at, of_point) in evidence.iter().copied().enumerate() {
        if of_point.is_nan() || of_point == 0.0 {
            continue;
        }
        let before = sum;
        sum += of_point;
        if of_point < 0.0 {
            continue;
        }
        let mut candidate = Candidate { points: at..at + 1, before, at_end: sum, lower: None };
        // Joined with earlier candidates as long as that makes the sum greater.
        loop {
            candidate.lower = nearest_lower(&candidates, candidate.before);
            let earlier = candidate.lower.and_then(|lower| candidates.get(lower));
            let Some(earlier) = earlier.filter(|earlier| earlier.at_end < candidate.at_end) else { break };
            candidate.points.start = earlier.points.start;
            candidate.before = earlier.before;
            candidates.truncate(candidate.lower.unwrap_or_default());
        }
        candidates.push(candidate);
    }
    let segments =
        candidates.into_iter().map(|c| Segment { points: c.points, evidence: c.at_end - c.before });
    segments.filter(|segment| segment.evidence >= least).collect()
}

/// The stretch of greatest evidence alone, in one pass and without a list; none where no point
/// speaks for the pattern. The first of equals.
///
/// ```
/// use plume_udfs::patterns::segments::greatest;
/// let found = greatest([-1.0, 1.0, 2.0, -1.0, 3.0, -9.0, 1.0]).unwrap();
/// assert_eq!((found.points, found.evidence), (1..5, 5.0));
/// assert_eq!(greatest([-1.0, f64::NAN]), None);
/// ```
pub fn greatest(evidence: impl IntoIterator<Item = f64>) -> Option<Segment> {
    let mut best = Segment { points: 0..0, evidence: 0.0 };
    let (mut start, mut sum) = (0, 0.0);
    for (at, of_point) in evidence.into_iter().enumerate() {
        // Chosen, not branched to: the evidence of a plain series can't be foretold.
        let of_point = if of_point.is_nan() { 0.0 } else { of_point };
        let is_fresh = sum <= 0.0;
        start = if is_fresh { at } else { start };
        sum = if is_fresh { of_point } else { sum + of_point };
        if sum > best.evidence {
            best = Segment { points: start..at + 1, evidence: sum };
        }
    }
    (best.evidence > 0.0).then_some(best)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn points_that_say_nothing_are_passed_over() {
        let found = segments(&[f64::NAN, 1.0, 0.0, f64::NAN, 1.0, -5.0], 1.0);
        assert_eq!(found, [Segment { points: 1..5, evidence: 2.0 }]);
        assert_eq!(segments(&[], 0.0), []);
        assert_eq!(segments(&[-1.0, -2.0], 0.0), []);
    }

    #[test]
    fn falling_sums_take_no_time() {
        let falling: Vec<f64> = (0..1_000_000).map(|at| if at % 2 == 0 { 1.0 } else { -2.0 }).collect();
        assert_eq!(segments(&falling, 1.0).len(), 500_000);
    }

    /// The stretch of greatest sum by trying all of them.
    fn greatest_sum(evidence: &[i32]) -> i32 {
        let ends = |start: usize| {
            evidence[start..].iter().scan(0, |sum, e| {
                *sum += e;
                Some(*sum)
            })
        };
        (0..evidence.len()).flat_map(ends).max().unwrap_or_default()
    }

    proptest! {
        #[test]
        fn the_greatest_stretch_is_among_them(evidence in prop::collection::vec(-4_i32..5, 0..40)) {
            let floats: Vec<f64> = evidence.iter().copied().map(f64::from).collect();
            let found = segments(&floats, f64::MIN_POSITIVE);
            let best = found.iter().map(|segment| segment.evidence).fold(0.0, f64::max);
            prop_assert_eq!(best, f64::from(greatest_sum(&evidence).max(0)));
            let alone = greatest(floats.iter().copied());
            prop_assert_eq!(alone.as_ref().map_or(0.0, |segment| segment.evidence), best);
            prop_assert!(alone.is_none_or(|segment| found.contains(&segment)));
            for pair in found.windows(2) {
                prop_assert!(pair[0].points.end <= pair[1].points.start);
            }
            // No part at either end, taken away, makes a sum greater.
            for Segment { points, evidence } in found {
                let sum = |points: Range<usize>| floats[points].iter().sum::<f64>();
                prop_assert_eq!(sum(points.clone()), evidence);
                for cut in points.clone() {
                    prop_assert!(sum(points.start..cut + 1) > 0.0);
                    prop_assert!(sum(cut..points.end) > 0.0);
                }
            }
        }
    }
}
