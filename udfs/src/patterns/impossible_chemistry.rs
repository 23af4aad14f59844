//! P26 `impossible_chemistry` (指标倒挂): a part is greater than its whole.
//!
//! Mechanism: one of two factors is made up, scaled or taken from elsewhere without thought of the
//! other. Ammonia is a part of total nitrogen, what microbes oxidise a part of what dichromate
//! does, and nitric oxide, as NO₂, a part of nitrogen oxides.
//!
//! Formula: r = part × weight ÷ whole; stretches where r exceeds `over`. Statistic: the median of r in
//! the stretch; its hours of evidence must be as many as are suspect, too, and the lesser score counts.
//!
//! Excused: values below `quantified` detection limits, of which nobody knows the second digit; hours in which the
//! flow is at most `no_flow` of its median, for then the analysers show their own noise; sampling at different
//! times (single hours, `over`).
//!
//! Example: ammonia 12, total nitrogen 10, for 100 h: r = 1.2. With `suspect` 1.05 and `certain` 1.4
//! its score is 0.5 + 0.5 × 0.15 ÷ 0.35 = 0.714.

use super::departure::{median_in, sample};
use super::hit::{Evidence, Hit};
use super::outlet::{FactorSeries, Outlet};
use super::robust::median;
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
    let hours = part_of.hours();
    let threshold = |key| thresholds.of(part, hours.grid.grain(), key);
    let flow = outlet.flow(part_of.medium).map(|flow| flow.hours().value.as_slice()).unwrap_or_default();
    let no_flow = threshold("no_flow") * median(&mut sample(flow));
    let flows =
        |hour: usize| flow.get(hour).is_none_or(|flow| flow.is_nan() || no_flow.is_nan() || *flow > no_flow);
    let quantified = threshold("quantified");
    let value = |series: &FactorSeries, hour: usize| {
        let least = quantified * series.monitor.detection_limit;
        let value = series.hours().usable_value(hour);
        if value < least { f64::NAN } else { value }
    };
    let share = |hour: usize| {
        if flows(hour) { value(part_of, hour) * weight / value(whole_of, hour) } else { f64::NAN }
    };
    let shares: Vec<f64> = (0..hours.len()).map(share).collect();
    let hit = |segment: Segment| {
        let share = median_in(&shares, &segment.points);
        let span = hours.span(&segment.points);
        let of_share = score(share, threshold("suspect"), threshold("certain"));
        let of_hours = score(segment.evidence, threshold("hours_suspect"), threshold("hours_certain"));
        let rows = shares.get(segment.points).unwrap_or_default().iter().filter(|of| of.is_finite()).count();
        Hit::new(
            part,
            span,
            of_share.min(of_hours),
            rows,
            Evidence::default().text("whole", whole).number("share", share),
        )
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

#[cfg(test)]
mod tests {
    use super::super::odd_records::{DEED, HALF_YEAR, survives};
    use super::super::survival::{assert_found, found, hourly, stack};
    use super::*;

    const PATTERN: &str = "impossible_chemistry";

    /// Total nitrogen around 25, its ammonia a share of it, both with a detection limit of 0.5, and a flow.
    fn outlet(share: impl Fn(usize) -> f64) -> Outlet {
        let whole = stack(1, HALF_YEAR);
        let part: Vec<f64> = whole.iter().enumerate().map(|(at, whole)| whole * share(at)).collect();
        let series = |factor: &str, values: Vec<f64>| {
            let mut series = hourly(values).factors.remove(0);
            series.monitor.detection_limit = 0.5;
            FactorSeries {
                factor: factor.to_owned(),
                medium: plume_datasets::factors::Medium::Water,
                ..series
            }
        };
        let factors =
            vec![series("w00000", stack(2, HALF_YEAR)), series("w21001", whole), series("w21003", part)];
        Outlet { factors, ..hourly(Vec::new()) }
    }

    #[test]
    fn a_part_above_its_whole_is_found() {
        for share in [1.1, 1.4] {
            let outlet = outlet(|at| if DEED.contains(&at) { share } else { 0.6 });
            assert_found(PATTERN, detect, &outlet, DEED.start, DEED.end, 0);
        }
        assert_eq!(found(PATTERN, detect, &outlet(|_| 1.03)), []);
    }

    #[test]
    fn wholes_near_detection_and_hours_without_flow_are_not() {
        // A whole of 1.2 is below 4 × 0.5 = 2.
        let mut near = outlet(|_| 0.6);
        near.factors[1].fine.value[1500..2940].fill(1.2);
        assert_eq!(found(PATTERN, detect, &near), []);
        let mut dry = outlet(|at| if DEED.contains(&at) { 1.4 } else { 0.6 });
        dry.factors[0].fine.value[1500..2940].fill(0.0);
        assert_eq!(found(PATTERN, detect, &dry), []);
    }

    #[test]
    fn odd_outlets() {
        survives(PATTERN, detect);
    }
}
