//! P19 `load_decoupling` (工况相关性异常): an emission no longer follows the load.
//!
//! Mechanism: values are made up, or taken from elsewhere, and know nothing of how hard the plant works.
//!
//! Formula: x and y are load and ln of a flow, a concentration or a mass per hour, each less its
//! median and over its spread, and ρ their correlation. Each hour speaks by the logarithm of how
//! much likelier its pair is without a connection than with ρ,
//! ½ ln(1 − ρ²) + (x² − 2ρxy + y²) ÷ (2(1 − ρ²)) − (x² + y²) ÷ 2. In a stretch found so Spearman's
//! correlation must be low where outside of it is high. Statistic: the correlation in the stretch.
//!
//! Excused: series whose correlation outside is below `own`, and stretches of flat load, whose
//! quartiles span less than `flat` of those outside.
//!
//! Example: outside 0.85, inside 0.1; with `suspect` 0.3 and `certain` 0 its score is
//! 0.5 + 0.5 × 0.2 ÷ 0.3 = 0.833.

use std::ops::Range;

use super::departure::{log_of_positive, sample};
use super::hit::{Evidence, Hit};
use super::outlet::{FactorSeries, Outlet};
use super::robust::{median_and_mad, quantile};
use super::score::score;
use super::segments::segments;
use super::thresholds::Thresholds;
use crate::correlation::corr_spearman::corr_spearman;

/// Pairs that a correlation is taken from; more add time, not truth.
const PAIRS: usize = 700;

/// Looks for the pattern in an outlet.
pub fn detect(outlet: &Outlet, thresholds: &Thresholds<'_>) -> Vec<Hit> {
    let load = outlet.load();
    if load.is_empty() {
        return Vec::new();
    }
    let flow = |series: &FactorSeries| outlet.flow(series.medium).map(|flow| flow.hours().usable_values());
    let flows = ["a00000", "w00000"].into_iter().filter_map(|factor| outlet.factor(factor));
    let mut hits: Vec<Hit> = Vec::new();
    for series in flows.chain(outlet.pollutants()) {
        let own = series.hours().usable_values();
        let of_itself = of_series(series, load, &own, thresholds);
        if of_itself.is_empty() && series.factor != series.medium.flow_factor() {
            let of_mass =
                flow(series).map(|flow| own.iter().zip(&flow).map(|(c, q)| c * q).collect::<Vec<f64>>());
            hits.extend(of_mass.iter().flat_map(|mass| of_series(series, load, mass, thresholds)));
        }
        hits.extend(of_itself);
    }
    hits
}

fn of_series(series: &FactorSeries, load: &[f64], emission: &[f64], thresholds: &Thresholds<'_>) -> Vec<Hit> {
    let hours = series.hours();
    let threshold = |key| thresholds.of(&series.factor, hours.grid.grain(), key);
    let found = load_decoupling(load, emission, threshold("own"), threshold("evidence"), threshold("hours"));
    let hit = |stretch: &Decoupled| {
        let span = hours.span(&stretch.points);
        Hit {
            factor: series.factor.clone(),
            started: span.start,
            ended: span.end,
            score: score(stretch.within, threshold("suspect"), threshold("certain")),
            rows: stretch.rows,
            evidence: Evidence::default()
                .number("correlation", stretch.within)
                .number("correlation_outside", stretch.outside),
        }
    };
    let varies = |stretch: &&Decoupled| stretch.load_spread >= threshold("flat");
    found.iter().filter(varies).map(hit).collect()
}

/// A stretch without the connection that there is outside of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Decoupled {
    /// Its points.
    pub points: Range<usize>,
    /// Spearman's correlation in it.
    pub within: f64,
    /// Spearman's correlation outside of it.
    pub outside: f64,
    /// The distance of the quartiles of load in it, over that outside.
    pub load_spread: f64,
    /// Pairs in it.
    pub rows: usize,
}

/// The stretches of at least `hours` points and of evidence of at least `weight` where an emission
/// doesn't follow the load, which it does by at least `own` outside of them.
///
/// ```
/// use plume_udfs::patterns::load_decoupling::load_decoupling;
/// let load: Vec<f64> = (0..900).map(|hour| 50.0 + f64::from(hour * 37 % 41)).collect();
/// let mut emission: Vec<f64> = load.iter().enumerate().map(|(at, load)| load * (1.0 + (at % 7) as f64 / 50.0)).collect();
/// (300..500).for_each(|at| emission[at] = 50.0 + (at * 29 % 43) as f64);
/// let found = load_decoupling(&load, &emission, 0.6, 20.0, 72.0);
/// assert_eq!(found.len(), 1);
/// assert!(found[0].points.start.abs_diff(300) < 7 && found[0].points.end.abs_diff(500) < 7);
/// ```
pub fn load_decoupling(load: &[f64], emission: &[f64], own: f64, weight: f64, hours: f64) -> Vec<Decoupled> {
    let pairs: Vec<(f64, f64)> =
        load.iter().zip(emission).map(|(load, of)| (*load, log_of_positive(*of))).collect();
    let with_both = |(x, y): &(f64, f64)| if y.is_finite() { (*x, *y) } else { (f64::NAN, f64::NAN) };
    let (x, y): (Vec<f64>, Vec<f64>) = pairs.iter().map(with_both).unzip();
    let (x, y) = (in_spreads(&x), in_spreads(&y));
    let all = correlation(&x, &y, |_| true);
    // A third of the time without a connection leaves more than half of it.
    if all.is_nan() || all < own / 2.0 {
        return Vec::new();
    }
    let assumed = all.max(own).min(0.95);
    let rest = 1.0 - assumed * assumed;
    let speaks = |(x, y): (&f64, &f64)| {
        let with = (x * x - 2.0 * assumed * x * y + y * y) / (2.0 * rest);
        (0.5 * rest.ln() + with - (x * x + y * y) / 2.0).min(3.0)
    };
    let evidence: Vec<f64> = x.iter().zip(&y).map(speaks).collect();
    let found = segments(&evidence, weight);
    let is_long = |points: &Range<usize>| points.len() as f64 >= hours;
    let stretches: Vec<Range<usize>> =
        found.into_iter().map(|segment| segment.points).filter(is_long).collect();
    let is_outside = |at: usize| !stretches.iter().any(|points| points.contains(&at));
    let describe = |points: &Range<usize>| {
        let of = |values: &[f64]| values.get(points.clone()).unwrap_or_default().to_vec();
        let (near_x, near_y) = (of(&x), of(&y));
        Decoupled {
            points: points.clone(),
            within: correlation(&near_x, &near_y, |_| true),
            outside: correlation(&x, &y, is_outside),
            load_spread: quartiles(&near_x) / quartiles(&x),
            rows: near_y.iter().zip(&near_x).filter(|(y, x)| y.is_finite() && x.is_finite()).count(),
        }
    };
    stretches.iter().take(8).map(describe).filter(|stretch| stretch.outside >= own).collect()
}

fn in_spreads(values: &[f64]) -> Vec<f64> {
    let (middle, mad) = median_and_mad(&mut sample(values));
    let spread = if mad > 0.0 { 1.4826 * mad } else { f64::NAN };
    values.iter().map(|value| ((value - middle) / spread).clamp(-3.0, 3.0)).collect()
}

fn quartiles(values: &[f64]) -> f64 {
    let mut values = sample(values);
    quantile(&mut values, 0.75) - quantile(&mut values, 0.25)
}

fn correlation(x: &[f64], y: &[f64], of: impl Fn(usize) -> bool) -> f64 {
    let step = x.len().div_ceil(PAIRS).max(1);
    let step = if step.is_multiple_of(2) { step + 1 } else { step };
    let chosen = || (0..x.len()).step_by(step).filter(|at| of(*at));
    let take = |values: &[f64]| chosen().filter_map(|at| values.get(at).copied()).collect::<Vec<f64>>();
    corr_spearman(&take(x), &take(y)).unwrap_or(f64::NAN)
}
