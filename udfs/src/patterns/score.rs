//! From a statistic to a score.

/// The score of a statistic: 0.5 at `suspect`, 1 at `certain`, on a straight line
/// through both, kept within 0 to 1. `certain` may lie on either side of `suspect`;
/// a statistic that is no number scores 0.
///
/// ```
/// use plume_udfs::patterns::score::score;
/// // A run of 36 h, where 24 h are suspect and 48 h certain: halfway between 0.5 and 1.
/// assert_eq!(score(36.0, 24.0, 48.0), 0.75);
/// // A correlation of 0.75, where 0.5 is suspect and 0 certain: half a step before.
/// assert_eq!(score(0.75, 0.5, 0.0), 0.25);
/// assert_eq!(score(f64::NAN, 1.0, 2.0), 0.0);
/// ```
pub fn score(statistic: f64, suspect: f64, certain: f64) -> f64 {
    let span = certain - suspect;
    if !statistic.is_finite() || !span.is_finite() {
        return 0.0;
    }
    let beyond = if span == 0.0 { 0.0 } else { (statistic - suspect) / span };
    (0.5 + 0.5 * beyond).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_score_stays_within_0_and_1() {
        assert_eq!(score(1e308, 1.0, 2.0), 1.0);
        assert_eq!(score(-1e308, 1.0, 2.0), 0.0);
        assert_eq!(score(5.0, 5.0, 5.0), 0.5);
        assert_eq!(score(f64::INFINITY, 1.0, 2.0), 0.0);
        assert_eq!(score(1.0, f64::NAN, 2.0), 0.0);
    }
}
