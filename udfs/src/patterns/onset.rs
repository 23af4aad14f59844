//! When a deed that moved the level of a series began and ended.
//!
//! A trait of a share of the points (a zero, a value at a figure) shows itself only some hours after
//! the deed began. Where the level moved with it, the level tells the hour: points then speak for or
//! against a stretch by which side of halfway between the two levels they lie on, and by how far, up
//! to the level itself.

use std::ops::Range;

use super::departure::sample;
use super::robust::{MAD_TO_SD, median_and_mad};
use super::segments::greatest;

/// Standard deviations of the rest that a level must have moved by, else it tells nothing.
const CLEAR: f64 = 2.0;
/// Share of points of the stretch that lie on its level's side, else the level comes and goes.
const SHARE: f64 = 0.8;

/// The stretch that the level of values shows where `found` shows a deed; `found` itself where the
/// level within is within two standard deviations of the rest's, comes and goes, or shows another stretch. NaN says nothing.
///
/// ```
/// use plume_udfs::patterns::onset::level_stretch;
/// // 10 and 11 in turn, then 2 and 3; the trait was seen from point 24 to 35 only.
/// let values: Vec<f64> = (0..60)
///     .map(|at| if (20..40).contains(&at) { 2.0 } else { 10.0 } + f64::from(at % 2))
///     .collect();
/// assert_eq!(level_stretch(&values, 24..35), 20..40);
/// assert_eq!(level_stretch(&values, 50..55), 50..55);
/// ```
pub fn level_stretch(values: &[f64], found: Range<usize>) -> Range<usize> {
    let mut inside = sample(values.get(found.clone()).unwrap_or_default());
    let mut rest = sample(values.get(..found.start).unwrap_or_default());
    rest.extend(sample(values.get(found.end..).unwrap_or_default()));
    let ((within, _), (outside, mad)) = (median_and_mad(&mut inside), median_and_mad(&mut rest));
    let half = within / 2.0 - outside / 2.0;
    // False of NaN, too.
    let is_clear = 2.0 * half.abs() > CLEAR * MAD_TO_SD * mad;
    if !is_clear {
        return found;
    }
    let middle = outside + half;
    let says = values.iter().map(|value| ((value - middle) / half).clamp(-1.0, 1.0));
    let Some(stretch) = greatest(says) else { return found };
    let shared = stretch.points.end.min(found.end).saturating_sub(stretch.points.start.max(found.start));
    let known =
        || values.get(stretch.points.clone()).unwrap_or_default().iter().filter(|value| !value.is_nan());
    let on_its_side = known().filter(|value| (*value - middle) / half > 0.0).count() as f64;
    let tells = shared * 2 > found.len() && on_its_side >= SHARE * known().count() as f64;
    if tells { stretch.points } else { found }
}

#[cfg(test)]
mod tests {
    use super::super::survival::stack;
    use super::*;

    #[test]
    fn the_level_tells_the_hour() {
        // A stack around 25 ± 4; from hour 300 to 700 its values are 15 less.
        let mut values = stack(5, 1000);
        values[300..700].iter_mut().for_each(|value| *value -= 15.0);
        let stretch = level_stretch(&values, 340..660);
        assert!(stretch.start.abs_diff(300) <= 3 && stretch.end.abs_diff(700) <= 3, "{stretch:?}");
        // A level that hasn't moved tells nothing.
        assert_eq!(level_stretch(&stack(6, 1000), 340..660), 340..660);
    }

    #[test]
    fn nothing_known_changes_nothing() {
        assert_eq!(level_stretch(&[], 3..9), 3..9);
        assert_eq!(level_stretch(&[f64::NAN; 20], 3..9), 3..9);
        assert_eq!(level_stretch(&[1e308, -1e308, 1e308, -1e308], 0..1), 0..1);
        assert_eq!(level_stretch(&[5.0; 20], 3..9), 3..9);
    }
}
