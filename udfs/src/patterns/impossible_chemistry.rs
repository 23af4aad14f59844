//! P26 `impossible_chemistry` (指标倒挂): a part is greater than its whole.
//!
//! Mechanism: one of two factors is made up, scaled or taken from elsewhere without thought of the
//! other. Ammonia is a part of total nitrogen, what microbes oxidise a part of what dichromate
//! does, and nitric oxide, as NO₂, a part of nitrogen oxides.
//!
//! Formula: r = part × weight ÷ whole; stretches where r exceeds `over`. Statistic: the median of r in
//! the stretch; its hours of evidence must be as many as are suspect, too, and the lesser score counts.
//!
//! Excused: values at and below detection (not usable), sampling at different times (single hours, `over`).
//!
//! Example: ammonia 12, total nitrogen 10, for 100 h: r = 1.2. With `suspect` 1.1 and `certain` 1.4
//! its score is 0.5 + 0.5 × 0.1 ÷ 0.3 = 0.667.

use super::departure::median_in;
use super::hit::{Evidence, Hit};
use super::outlet::Outlet;
use super::score::score;
use super::segments::{Segment, segments};
use super::thresholds::Thresholds;

/// Part, whole, and the mass of the whole that a mass of the part makes.
const PARTS: [(&str, &str, f64); 5] = [
    ("w21003", "w21001", 1.0),
    ("w01017", "w01018", 1.0),
    ("w01019", "w01018", 1.0),
    ("a21003", "a21002", 46.0 / 30.0),
    ("a21004", "a21002", 1.0),
];

/// Looks for the pattern in an outlet.
pub fn detect(outlet: &Outlet, thresholds: &Thresholds<'_>) -> Vec<Hit> {
    PARTS.iter().flat_map(|(part, whole, weight)| of_pair(outlet, part, whole, *weight, thresholds)).collect()
}

fn of_pair(outlet: &Outlet, part: &str, whole: &str, weight: f64, thresholds: &Thresholds<'_>) -> Vec<Hit> {
    let (Some(part_of), Some(whole_of)) = (outlet.factor(part), outlet.factor(whole)) else {
        return Vec::new();
    };
    let (hours, wholes) = (part_of.hours(), whole_of.hours().usable_values());
    let threshold = |key| thresholds.of(part, hours.grid.grain(), key);
    let shares: Vec<f64> =
        hours.usable_values().iter().zip(&wholes).map(|(part, whole)| part * weight / whole).collect();
    let hit = |segment: Segment| {
        let share = median_in(&shares, &segment.points);
        let span = hours.span(&segment.points);
        let of_share = score(share, threshold("suspect"), threshold("certain"));
        let of_hours = score(segment.evidence, threshold("hours_suspect"), threshold("hours_certain"));
        let rows = shares.get(segment.points).unwrap_or_default().iter().filter(|of| of.is_finite()).count();
        Hit {
            factor: part.to_owned(),
            started: span.start,
            ended: span.end,
            score: of_share.min(of_hours),
            rows,
            evidence: Evidence::default().text("whole", whole).number("share", share),
        }
    };
    impossible_chemistry(&shares, threshold("over"), threshold("hours")).into_iter().map(hit).collect()
}

/// The stretches where shares of a whole exceed `over`, which is above 1, of evidence of at least
/// `least` points. A share of 1 speaks against, one as far beyond `over` as that is beyond 1 for it.
///
/// ```
/// use plume_udfs::patterns::impossible_chemistry::impossible_chemistry;
/// let mut shares = vec![0.6; 50];
/// shares[10..20].fill(1.2);
/// assert_eq!(impossible_chemistry(&shares, 1.05, 2.0)[0].points, 10..20);
/// ```
pub fn impossible_chemistry(shares: &[f64], over: f64, least: f64) -> Vec<Segment> {
    let speaks = |share: &f64| ((share - over) / (over - 1.0)).clamp(-1.0, 1.0);
    segments(&shares.iter().map(speaks).collect::<Vec<f64>>(), least)
}
