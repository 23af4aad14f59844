//! P21 `step_after_maintenance` (维护后骤降): values step down with a maintenance, and stay there.
//!
//! Mechanism: under cover of a maintenance a factor, a leak, a filter or a probe's place is
//! changed. From then on everything is lower by one share.
//!
//! Formula: step = mean of ln(value) over `window_hours` judged hours after the maintenance less that before; fall = 1 −
//! exp(step). The same is computed at every day of the series: their usual size, by `noise`, is the tolerance. The
//! mean after must lie below that of every such window before, too. Score: fall, `suspect` → 0.5, `certain` → 1,
//! scaled down where the tolerance is above `suspect`. The stretch ends where ln(value) is nearer to
//! the level before for longer than to the lower one.
//!
//! Excused: production that changed by `load_change` over the same hours; a level seen before (a probe that fouls and
//! is cleaned returns to its own level); dust, which falls when a probe is cleaned, unless it comes back
//! at once or fell twice.
//!
//! Example: ln(value) 4.0 for weeks, 3.6 after the maintenance: fall 1 − exp(−0.4) = 0.33. With `suspect` 0.2 and
//! `certain` 0.4 the score is 0.5 + 0.5 × 0.13 ÷ 0.2 = 0.82.

use super::documented::maintenance_of;
use super::hit::{Evidence, Hit};
use super::outlet::{FactorSeries, Outlet, Points};
use super::robust::median;
use super::score::score;
use super::segments::segments;
use super::thresholds::Thresholds;

/// Particulate matter: a probe that is cleaned shows less of it.
const DUST: &str = "a34013";

/// Looks for the pattern in an outlet.
pub fn detect(outlet: &Outlet, thresholds: &Thresholds<'_>) -> Vec<Hit> {
    outlet.pollutants().flat_map(|series| of_series(outlet, series, thresholds)).collect()
}

fn of_series(outlet: &Outlet, series: &FactorSeries, thresholds: &Thresholds<'_>) -> Vec<Hit> {
    let points = series.hours();
    let threshold = |key| thresholds.of(&series.factor, points.grid.grain(), key);
    let window = points.grid.points(threshold("window_hours"));
    let maintained = maintained(outlet, series, points);
    if maintained.is_empty() || points.len() < 2 * window {
        return Vec::new();
    }
    let logs: Vec<f64> =
        points.usable_values().iter().map(|v| if *v > 0.0 { v.ln() } else { f64::NAN }).collect();
    let means = Means::new(&logs);
    let loads = Means::new(outlet.load());
    let found = step_after_maintenance(&means, &maintained, window, threshold("noise"));
    let (suspect, certain) = (threshold("suspect"), threshold("certain"));
    let least = -(1.0 - suspect).ln();
    let mut hits: Vec<(bool, Hit)> = Vec::new();
    let mut until = 0;
    for step in found.into_iter().filter(|step| step.fall > 0.0) {
        let load = loads.before(step.at, window).zip(loads.after(step.at, window));
        let is_production = load.is_some_and(|(a, b)| (b / a - 1.0).abs() > threshold("load_change"));
        let fall = 1.0 - (-step.fall).exp();
        let score = score(fall * least / least.max(step.tolerance), suspect, certain);
        if step.at < until || is_production || score == 0.0 {
            continue;
        }
        let end = end_of(&logs, &step);
        if end == step.at {
            continue;
        }
        until = end;
        let back_at_once = came_back(&means, end, window / 4).is_some_and(|rise| rise >= step.fall / 2.0);
        let hit = Hit {
            factor: series.factor.clone(),
            started: points.grid.ts(step.at),
            ended: points.grid.ts(end),
            score,
            rows: logs.get(step.at..end).unwrap_or_default().iter().filter(|log| log.is_finite()).count(),
            evidence: Evidence::default()
                .number("fall", fall)
                .number("level_before", step.before.exp())
                .number("level_after", step.after.exp())
                .number("tolerance", 1.0 - (-step.tolerance).exp()),
        };
        hits.push((back_at_once, hit));
    }
    let is_repeated = hits.len() > 1;
    hits.retain(|(back_at_once, _)| series.factor != DUST || is_repeated || *back_at_once);
    hits.into_iter().map(|(_, hit)| hit).collect()
}

/// The points at which a maintenance ended, on record or by flag M.
fn maintained(outlet: &Outlet, series: &FactorSeries, points: &Points) -> Vec<usize> {
    let grid = points.grid;
    let point = |ts: i64| usize::try_from(ts.saturating_sub(grid.start).div_euclid(grid.step.max(1))).ok();
    let on_record = maintenance_of(outlet, &series.factor).filter_map(|record| point(record.span.end));
    let flags = points.flag.iter().zip(points.flag.iter().skip(1)).enumerate();
    let by_flag = flags.filter(|(_, (flag, next))| **flag == b'M' && **next != b'M').map(|(at, _)| at + 1);
    let mut ends: Vec<usize> = on_record.chain(by_flag).filter(|end| *end < points.len()).collect();
    ends.sort_unstable();
    ends.dedup();
    ends
}

/// Means of a series' known values before and after any point, by running sums.
#[derive(Debug, Clone)]
pub struct Means {
    /// Known values before each point, their sum; where the n-th known value stands.
    known_before: Vec<usize>,
    sums: Vec<f64>,
}

impl Means {
    /// Of values, NaN where unknown.
    pub fn new(values: &[f64]) -> Self {
        let mut known_before = Vec::with_capacity(values.len() + 1);
        let mut sums = vec![0.0];
        let mut sum = 0.0;
        known_before.push(0);
        for value in values {
            if value.is_finite() {
                sum += value;
                sums.push(sum);
            }
            known_before.push(sums.len() - 1);
        }
        Self { known_before, sums }
    }

    /// Mean of the `count` known values before a point; `None` where there are fewer.
    pub fn before(&self, point: usize, count: usize) -> Option<f64> {
        let to = *self.known_before.get(point)?;
        self.mean(to.checked_sub(count)?, to)
    }

    /// Mean of the `count` known values from a point on; `None` where there are fewer.
    pub fn after(&self, point: usize, count: usize) -> Option<f64> {
        let from = *self.known_before.get(point)?;
        self.mean(from, from.checked_add(count)?)
    }

    fn mean(&self, from: usize, to: usize) -> Option<f64> {
        let mean = (self.sums.get(to)? - self.sums.get(from)?) / (to - from) as f64;
        Some(mean).filter(|mean| mean.is_finite())
    }

    fn points(&self) -> usize {
        self.known_before.len().saturating_sub(1)
    }
}

/// A step at the end of a maintenance.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Where the maintenance ended.
    pub at: usize,
    /// Mean before.
    pub before: f64,
    /// Mean after.
    pub after: f64,
    /// How much lower that is than before.
    pub fall: f64,
    /// What steps of this series may be for no reason.
    pub tolerance: f64,
}

/// The steps down at the ends of maintenance, over `window` known values on either side, where the mean after is
/// lower than that of any window before. Of steps within a window of one another the greatest.
///
/// ```
/// use plume_udfs::patterns::step_after_maintenance::{Means, step_after_maintenance};
/// let values: Vec<f64> = (0..960).map(|at| if at < 480 { 4.0 } else { 3.6 }).collect();
/// let steps = step_after_maintenance(&Means::new(&values), &[240, 480], 168, 4.0);
/// assert_eq!(steps.len(), 1);
/// assert_eq!(steps[0].at, 480);
/// assert!((steps[0].fall - 0.4).abs() < 1e-9);
/// ```
pub fn step_after_maintenance(means: &Means, maintained: &[usize], window: usize, noise: f64) -> Vec<Step> {
    /// Points from one place of comparison to the next: a day of hours.
    const STRIDE: usize = 24;
    /// Standard deviation of a normal distribution over its median absolute value.
    const PER_MEDIAN: f64 = 1.4826;
    let step_at = |at: usize| Some((means.before(at, window)?, means.after(at, window)?));
    let anywhere = (0..means.points()).step_by(STRIDE).filter_map(step_at);
    let mut sizes: Vec<f64> = anywhere.map(|(before, after)| (after - before).abs()).collect();
    let tolerance = noise * PER_MEDIAN * median(&mut sizes);
    let mut steps: Vec<Step> = Vec::new();
    for at in maintained.iter().copied() {
        let Some((before, after)) = step_at(at) else { continue };
        let fall = before - after;
        // The window that ends in the middle of the maintenance is the one stepped from.
        let earlier =
            (0..at.saturating_sub(STRIDE)).step_by(STRIDE).filter_map(|at| means.before(at, window));
        let lowest = earlier.fold(before, f64::min);
        if fall <= tolerance / 2.0 || after >= lowest {
            continue;
        }
        let step = Step { at, before, after, fall, tolerance };
        match steps.last_mut() {
            Some(last) if at - last.at < window => {
                if step.fall > last.fall {
                    *last = step;
                }
            }
            _ => steps.push(step),
        }
    }
    steps
}

/// Where the lower level ends: up to there the values' nearness to it is greatest.
fn end_of(logs: &[f64], step: &Step) -> usize {
    let middle = (step.before + step.after) / 2.0;
    let evidence = |log: &f64| (middle - log).clamp(-step.fall, step.fall);
    let evidence: Vec<f64> = logs.get(step.at..).unwrap_or_default().iter().map(evidence).collect();
    let longest = segments(&evidence, 0.0).into_iter().max_by(|a, b| a.evidence.total_cmp(&b.evidence));
    step.at + longest.map_or(0, |segment| segment.points.end)
}

/// By how much the mean rises at a point, over `window` known values on either side.
fn came_back(means: &Means, at: usize, window: usize) -> Option<f64> {
    Some(means.after(at, window)? - means.before(at, window)?)
}

#[cfg(test)]
mod tests {
    use super::super::odd_records::{DEED, HALF_YEAR, maintenance, scaled, survives};
    use super::super::survival::{assert_found, found, hourly, stack, with_load};
    use super::*;

    const PATTERN: &str = "step_after_maintenance";

    fn outlet(values: Vec<f64>) -> Outlet {
        let mut outlet = hourly(values);
        // Every 250 h, and at the deed's start.
        let hours = (0..18).map(|at| at * 250).chain([DEED.start as i64 - 2]);
        outlet.records.maintenance = hours.map(|hour| maintenance(hour..hour + 2)).collect();
        outlet
    }

    #[test]
    fn a_step_down_is_found() {
        for left in [0.75, 0.5] {
            let values = scaled(&stack(1, HALF_YEAR), left);
            assert_found(PATTERN, detect, &outlet(values), DEED.start, DEED.end, 24);
        }
        assert_eq!(found(PATTERN, detect, &outlet(stack(1, HALF_YEAR))), []);
    }

    #[test]
    fn a_cleaned_probe_is_not() {
        // Dust that grows by half over 750 h, and falls when the probe is cleaned.
        let fouls = |(at, value): (usize, f64)| value * (1.0 + 0.5 * (at % 750) as f64 / 750.0);
        let mut cleaned = outlet(stack(1, HALF_YEAR).into_iter().enumerate().map(fouls).collect());
        assert_eq!(found(PATTERN, detect, &cleaned), []);
        cleaned.factors[0].factor = DUST.to_owned();
        assert_eq!(found(PATTERN, detect, &cleaned), []);
    }

    #[test]
    fn another_production_is_not() {
        let load = scaled(&vec![80.0; HALF_YEAR], 0.5);
        let mut half = with_load(scaled(&stack(1, HALF_YEAR), 0.5), load);
        half.records.maintenance = vec![maintenance(DEED.start as i64 - 2..DEED.start as i64)];
        assert_eq!(found(PATTERN, detect, &half), []);
    }

    #[test]
    fn odd_outlets() {
        survives(PATTERN, detect);
    }
}
