//! What a point says for or against a pattern.

use std::ops::Range;

use super::segments::greatest;

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

/// What a point says by its trait, of the two weights of [`evidence`]: nothing where nobody knows.
pub fn says(has_trait: Option<bool>, (with, without): (f64, f64)) -> f64 {
    has_trait.map_or(0.0, |has_trait| if has_trait { with } else { without })
}

/// The stretch of greatest evidence of a trait, of the two weights of [`evidence`].
///
/// ```
/// use plume_udfs::patterns::evidence::clearest;
/// let traits = [Some(false), Some(true), None, Some(true), Some(false), Some(false)];
/// assert_eq!(clearest(traits.into_iter(), (1.0, -1.0)), Some(1..4));
/// ```
pub fn clearest(traits: impl Iterator<Item = Option<bool>>, weights: (f64, f64)) -> Option<Range<usize>> {
    greatest(traits.map(|has_trait| says(has_trait, weights))).map(|greatest| greatest.points)
}
