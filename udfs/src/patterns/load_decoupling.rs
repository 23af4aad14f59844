//! P19 `load_decoupling` (工况相关性异常): an emission no longer follows the load.
//!
//! Mechanism: values are made up, or taken from elsewhere, and know nothing of how hard the plant works.
//!
//! Formula: an outlet's usual correlation of load with a flow, a concentration or a mass per hour is the median
//! over blocks of `block` hours. Where some block lies `doubt` standard deviations below it, a line is laid
//! through the pairs of the series, which what strays from it does not move. Misfits e are counted in the line's own
//! spread; of an emission that knows nothing of the load they spread by S. Each hour speaks by the logarithm
//! of how much likelier its misfit is without a connection than with it, ½ e² (1 − 1 ÷ S²) − ln S, kept within
//! ± ln S. In a stretch found so Spearman's correlation must be low where outside of it is high.
//! Statistic: the correlation in the stretch.
//!
//! Excused: series whose correlation outside is below `own`; a correlation that chance may have lowered: by Fisher's
//! z = artanh ρ the stretch must lie `sure` standard deviations below the rest, 1 ÷ √(n − 3) each, where n
//! counts one pair for every `memory` hours, for load and emission wander for that long; stretches of flat load,
//! whose quartiles span less than `flat` of those outside.
//!
//! Example: outside 0.85, inside 0.1; with `suspect` 0.4 and `certain` 0 its score is
//! 0.5 + 0.5 × 0.3 ÷ 0.4 = 0.875. Over 20 days, 480 h ÷ 12 h = 40 pairs: (1.256 − 0.100) × √37 = 7 standard deviations.

use std::ops::Range;

use super::departure::{sample, stride};
use super::hit::{Evidence, Hit};
use super::outlet::{FactorSeries, Outlet};
use super::robust::{MAD_TO_SD, median, median_and_mad, quantile};
use super::score::score;
use super::segments::segments;
use super::thresholds::Thresholds;
use crate::correlation::corr_spearman::corr_spearman;

/// Pairs that a line is laid through; more add time, not truth.
const PAIRS: usize = 600;
/// Correlations are taken for no nearer to 1 than this: z would have no end.
const MOST: f64 = 0.999;

/// Looks for the pattern in an outlet.
pub fn detect(outlet: &Outlet, thresholds: &Thresholds<'_>) -> Vec<Hit> {
    let load = outlet.load();
    if load.is_empty() {
        return Vec::new();
    }
    let is_flow = |series: &FactorSeries| series.factor == series.medium.flow_factor();
    let flows: Vec<_> = outlet.factors.iter().filter(|series| is_flow(series)).collect();
    let mut hits: Vec<Hit> = Vec::new();
    for flow in &flows {
        hits.extend(of_series(flow, load, &flow.hours().usable_values(), thresholds));
    }
    // A mass follows a flow that follows nothing.
    let is_flow_true = hits.is_empty();
    for series in outlet.pollutants().filter(|series| !is_flow(series)) {
        let own = series.hours().usable_values();
        let of_itself = of_series(series, load, &own, thresholds);
        let flow = flows.iter().find(|flow| flow.medium == series.medium && has_mass(series));
        if let Some(flow) = flow.filter(|_| is_flow_true && of_itself.is_empty()) {
            let mass = own.iter().enumerate().map(|(hour, c)| c * flow.hours().usable_value(hour));
            hits.extend(of_series(series, load, &mass.collect::<Vec<f64>>(), thresholds));
        }
        hits.extend(of_itself);
    }
    hits
}

/// Whether its concentration times the flow is a mass, as that of acidity is not.
fn has_mass(series: &FactorSeries) -> bool {
    plume_datasets::factors::kg_per_unit(&series.factor).is_some()
}

fn of_series(series: &FactorSeries, load: &[f64], emission: &[f64], thresholds: &Thresholds<'_>) -> Vec<Hit> {
    let hours = series.hours();
    let threshold = |key| thresholds.of(&series.factor, hours.grid.grain(), key);
    let rule = Rule {
        own: threshold("own"),
        evidence: threshold("evidence"),
        hours: threshold("hours"),
        block: threshold("block"),
        memory: threshold("memory"),
        doubt: threshold("doubt"),
        sure: threshold("sure"),
    };
    let found = load_decoupling(load, emission, &rule);
    let hit = |stretch: &Decoupled| {
        series.hit(
            hours.span(&stretch.points),
            score(stretch.within, threshold("suspect"), threshold("certain")),
            stretch.rows,
            Evidence::default()
                .number("correlation", stretch.within)
                .number("correlation_outside", stretch.outside),
        )
    };
    let varies = |stretch: &&Decoupled| stretch.load_spread >= threshold("flat");
    found.iter().filter(varies).map(hit).collect()
}

/// What makes a stretch without a connection.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rule {
    /// Correlation that there is outside of it, at least.
    pub own: f64,
    /// Evidence of a stretch, nats, at least.
    pub evidence: f64,
    /// Its hours, at least.
    pub hours: f64,
    /// Hours of a block that the usual correlation is taken from.
    pub block: f64,
    /// Hours that count as one pair.
    pub memory: f64,
    /// Standard deviations that some block lies below the usual correlation, at least.
    pub doubt: f64,
    /// Standard deviations that a stretch lies below the rest, at least.
    pub sure: f64,
}

impl Rule {
    /// Standard deviation of z over hours with pairs; infinite where there are too few.
    fn deviation(&self, hours: usize) -> f64 {
        let pairs = hours as f64 / self.memory - 3.0;
        if pairs > 0.0 { pairs.sqrt().recip() } else { f64::INFINITY }
    }
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

/// The stretches where an emission doesn't follow the load, which it does outside of them.
///
/// ```
/// use plume_udfs::patterns::load_decoupling::{Rule, load_decoupling};
/// let load: Vec<f64> = (0..1800).map(|hour| 50.0 + f64::from(hour * 37 % 41)).collect();
/// let mut emission: Vec<f64> = load.iter().enumerate().map(|(at, load)| load * (1.0 + (at % 7) as f64 / 50.0)).collect();
/// (600..900).for_each(|at| emission[at] = 50.0 + (at * 29 % 43) as f64);
/// let rule = Rule { own: 0.6, evidence: 20.0, hours: 72.0, block: 120.0, memory: 12.0, doubt: 2.5, sure: 4.0 };
/// let found = load_decoupling(&load, &emission, &rule);
/// assert_eq!(found.len(), 1);
/// assert!(found[0].points.start.abs_diff(600) < 7 && found[0].points.end.abs_diff(900) < 7);
/// ```
pub fn load_decoupling(load: &[f64], emission: &[f64], rule: &Rule) -> Vec<Decoupled> {
    let sampled = sampled_pairs(load, emission);
    let (x, y): (Vec<f64>, Vec<f64>) = sampled.iter().copied().unzip();
    // A third of the time without a connection leaves more than half of it.
    let may_follow = pearson(&x, &y).1 >= rule.own / 2.0;
    if !may_follow || !is_in_doubt(load, emission, rule) {
        return Vec::new();
    }
    let Some(line) = Line::through(&sampled) else { return Vec::new() };
    let evidence: Vec<f64> = load.iter().zip(emission).map(|(x, y)| line.evidence(*x, *y)).collect();
    let found = segments(&evidence, rule.evidence).into_iter().map(|segment| segment.points);
    let stretches: Vec<Range<usize>> = found.filter(|points| points.len() as f64 >= rule.hours).collect();
    let outside = pairs(load, emission, |at| !stretches.iter().any(|points| points.contains(&at)));
    let (of_outside, outside_deviation) = (spearman(&outside), rule.deviation(outside.len()));
    if of_outside.is_nan() || of_outside < rule.own {
        return Vec::new();
    }
    let describe = |points: &Range<usize>| {
        let near = pairs(load, emission, |at| points.contains(&at));
        let within = spearman(&near);
        let deviation = rule.deviation(near.len()).hypot(outside_deviation);
        let is_sure = z(of_outside) - z(within) >= rule.sure * deviation;
        is_sure.then(|| Decoupled {
            points: points.clone(),
            within,
            outside: of_outside,
            load_spread: quartiles(&near) / quartiles(&outside),
            rows: near.len(),
        })
    };
    stretches.iter().filter_map(describe).collect()
}

/// Whether the correlation is usually there, and some block of hours lacks it.
fn is_in_doubt(load: &[f64], emission: &[f64], rule: &Rule) -> bool {
    let hours = (rule.block as usize).max(1);
    let blocks = load.chunks(hours).zip(emission.chunks(hours));
    let of_block = |(x, y): (&[f64], &[f64])| {
        let (count, correlation) = pearson(x, y);
        (count * 2 >= hours && correlation.is_finite()).then(|| (count, z(correlation)))
    };
    let known: Vec<(usize, f64)> = blocks.filter_map(of_block).collect();
    let usual = median(&mut known.iter().map(|(_, z)| *z).collect::<Vec<f64>>());
    // Blocks without a connection, and the coarser measure, lower what is usual.
    let is_usual = usual.tanh() >= rule.own * 0.9;
    is_usual && known.iter().any(|(count, z)| usual - z >= rule.doubt * rule.deviation(*count))
}

/// Fisher's z of a correlation.
fn z(correlation: f64) -> f64 {
    correlation.clamp(-MOST, MOST).atanh()
}

/// The pairs of which both are known, and their correlation. One pass without lists: `corr_pearson`, which keeps great
/// and small values exact, would double the time of the whole pattern for a first look (0.31 ms an outlet and half a
/// year against 0.15).
fn pearson(x: &[f64], y: &[f64]) -> (usize, f64) {
    let (mut count, mut sums, mut squares, mut products) = (0, (0.0, 0.0), (0.0, 0.0), 0.0);
    // Sums are taken about the first pair, so that they stay small.
    let first = x.iter().zip(y).find(|(x, y)| x.is_finite() && y.is_finite());
    let Some((x0, y0)) = first else { return (0, f64::NAN) };
    for (x, y) in x.iter().zip(y) {
        let (x, y) = (x - x0, y - y0);
        if x.is_finite() && y.is_finite() {
            count += 1;
            sums = (sums.0 + x, sums.1 + y);
            squares = (squares.0 + x * x, squares.1 + y * y);
            products += x * y;
        }
    }
    let n = count as f64;
    let (xx, yy) = (squares.0 - sums.0 * sums.0 / n, squares.1 - sums.1 * sums.1 / n);
    (count, (products - sums.0 * sums.1 / n) / (xx * yy).sqrt())
}

/// Pairs at points that are asked for, where both are known.
fn pairs(load: &[f64], emission: &[f64], asked: impl Fn(usize) -> bool) -> Vec<(f64, f64)> {
    let both = load.iter().copied().zip(emission.iter().copied()).enumerate();
    let asked = both.filter(|(at, (x, y))| x.is_finite() && y.is_finite() && asked(*at));
    asked.map(|(_, pair)| pair).collect()
}

/// Some hundreds of pairs, at all hours of the day.
fn sampled_pairs(load: &[f64], emission: &[f64]) -> Vec<(f64, f64)> {
    let step = stride(load.len(), PAIRS);
    let both = load.iter().copied().zip(emission.iter().copied()).step_by(step);
    both.filter(|(x, y)| x.is_finite() && y.is_finite()).collect()
}

fn spearman(pairs: &[(f64, f64)]) -> f64 {
    let (x, y): (Vec<f64>, Vec<f64>) = pairs.iter().copied().unzip();
    corr_spearman(&x, &y).unwrap_or(f64::NAN)
}

fn quartiles(pairs: &[(f64, f64)]) -> f64 {
    let mut loads = sample(&pairs.iter().map(|(load, _)| *load).collect::<Vec<f64>>());
    quantile(&mut loads, 0.75) - quantile(&mut loads, 0.25)
}

/// The line that most pairs keep to.
#[derive(Debug, Clone, Copy)]
struct Line {
    slope: f64,
    level: f64,
    /// Standard deviation from it.
    spread: f64,
    /// Standard deviation from it, in `spread`, of emissions that know nothing of the load; above 1.
    unknowing: f64,
}

impl Line {
    /// Through pairs, of which a third may lie anywhere; `None` where they keep to none.
    fn through(pairs: &[(f64, f64)]) -> Option<Self> {
        /// Times that the line is laid anew through what keeps to it.
        const ROUNDS: usize = 4;
        /// Standard deviations from the line up to which a pair keeps to it.
        const KEEPS: f64 = 2.5;
        let mut loads: Vec<f64> = pairs.iter().map(|(x, _)| *x).collect();
        let (low, high) = (quantile(&mut loads, 1.0 / 3.0), quantile(&mut loads, 2.0 / 3.0));
        let middle = |is_in: &dyn Fn(f64) -> bool| {
            let (mut x, mut y): (Vec<f64>, Vec<f64>) =
                pairs.iter().copied().filter(|(x, _)| is_in(*x)).unzip();
            (median(&mut x), median(&mut y))
        };
        let ((x0, y0), (x1, y1)) = (middle(&|x| x <= low), middle(&|x| x >= high));
        let mut slope = (y1 - y0) / (x1 - x0);
        let mut level = y0 - slope * x0;
        let mut misfits: Vec<f64> = Vec::with_capacity(pairs.len());
        let mut spread = f64::NAN;
        for round in 0..=ROUNDS {
            misfits.clear();
            misfits.extend(pairs.iter().map(|(x, y)| (y - level - slope * x).abs()));
            spread = MAD_TO_SD * median(&mut misfits);
            if round == ROUNDS || !spread.is_finite() {
                break;
            }
            let keeps =
                pairs.iter().copied().filter(|(x, y)| (y - level - slope * x).abs() <= KEEPS * spread);
            (slope, level) = least_squares(&keeps.collect::<Vec<_>>());
        }
        let deviation = |mut values: Vec<f64>| MAD_TO_SD * median_and_mad(&mut values).1;
        let of_load = slope * deviation(loads);
        let of_emission = deviation(pairs.iter().map(|(_, y)| *y).collect());
        let unknowing = of_load.hypot(of_emission) / spread;
        let is_line = spread > 0.0 && unknowing.is_finite() && unknowing > 1.0;
        is_line.then_some(Self { slope, level, spread, unknowing })
    }

    /// What a pair says for an emission that knows nothing of the load; NaN where one of them is unknown.
    fn evidence(&self, load: f64, emission: f64) -> f64 {
        let misfit = (emission - self.level - self.slope * load) / self.spread;
        let most = self.unknowing.ln();
        let says = 0.5 * misfit * misfit * (1.0 - self.unknowing.powi(-2)) - most;
        says.clamp(-most, most)
    }
}

/// Slope and level of the line of least squares.
fn least_squares(pairs: &[(f64, f64)]) -> (f64, f64) {
    let n = pairs.len() as f64;
    let mean = |of: &dyn Fn(&(f64, f64)) -> f64| pairs.iter().map(|pair| of(pair) / n).sum::<f64>();
    let (x, y) = (mean(&|pair| pair.0), mean(&|pair| pair.1));
    let covariance: f64 = pairs.iter().map(|pair| (pair.0 - x) * (pair.1 - y)).sum();
    let variance: f64 = pairs.iter().map(|pair| (pair.0 - x) * (pair.0 - x)).sum();
    let slope = covariance / variance;
    (slope, y - slope * x)
}

#[cfg(test)]
mod tests {
    use super::super::odd_records::{DEED, HALF_YEAR, survives};
    use super::super::survival::{assert_found, found, stack, with_load};
    use super::*;

    const PATTERN: &str = "load_decoupling";

    /// A load around 75 and an emission that is a third of it, ± 2 %, or wanders by itself while the deed lasts.
    fn outlet(is_made_up: impl Fn(usize) -> bool) -> Outlet {
        let load: Vec<f64> = stack(1, HALF_YEAR).iter().map(|value| value * 3.0).collect();
        let (noise, other) = (stack(2, HALF_YEAR), stack(3, HALF_YEAR));
        let emission = |(at, load): (usize, &f64)| {
            let follows = load / 3.0 * (1.0 + (noise[at] - 25.0) / 200.0);
            if is_made_up(at) { other[at] } else { follows }
        };
        with_load(load.iter().enumerate().map(emission).collect(), load)
    }

    #[test]
    fn an_emission_that_knows_nothing_of_the_load_is_found() {
        assert_found(PATTERN, detect, &outlet(|at| DEED.contains(&at)), DEED.start, DEED.end, 6);
        assert_eq!(found(PATTERN, detect, &outlet(|_| false)), []);
    }

    #[test]
    fn a_flat_load_is_not() {
        let mut flat = outlet(|at| DEED.contains(&at));
        flat.conditions[0].hours[DEED].fill(75.0);
        assert_eq!(found(PATTERN, detect, &flat), []);
    }

    #[test]
    fn a_series_that_never_followed_is_not() {
        assert_eq!(found(PATTERN, detect, &outlet(|_| true)), []);
    }

    #[test]
    fn odd_outlets() {
        survives(PATTERN, detect);
    }
}
