//! What a point says for or against a pattern.

/// The evidence of a trait that a share of points has: within a pattern, and elsewhere. What a
/// point with the trait says, and what one without it says, as logarithms of likelihood ratios.
///
/// ```
/// use plume_udfs::patterns::evidence::evidence;
/// // Half of the points within the pattern, a quarter elsewhere: ln 2 for, ln (0.5 ÷ 0.75) against.
/// let (with, without) = evidence(0.5, 0.25);
/// assert_eq!((with, without), (2.0_f64.ln(), (0.5_f64 / 0.75).ln()));
/// ```
pub fn evidence(within: f64, elsewhere: f64) -> (f64, f64) {
    ((within / elsewhere).ln(), ((1.0 - within) / (1.0 - elsewhere)).ln())
}
