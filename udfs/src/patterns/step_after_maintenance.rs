//! P21 `step_after_maintenance` (维护后骤降): values step down with a maintenance, and stay there.
//!
//! Mechanism: under cover of a maintenance a factor, a leak, a filter or a probe's place is
//! changed. From then on the values are lower by one share.
//!
//! Formula: stretches of a week of evidence and more in which ln(value) stands at least `least` below its own
//! level, and which begin with a maintenance: within `slack` hours of its end, or of when values may be judged
//! again after it. Statistic: the fall, 1 − exp(−shift of the median); the shift must be `noise` times
//! its own standard error, which the spread of the other days tells, of which `memory` count as one.
//!
//! Excused: production that changed by `load_change` over the same hours; another pollutant that moved by `others` of
//! the shift and by `noise` standard errors of its own (another fuel, a pause, rain); a level seen before over `window_hours` (a probe that fouls and is cleaned
//! returns to its own level); dust, which falls when a probe is cleaned, unless it comes back at once or fell twice;
//! hours at which the plant is at rest.
//!
//! Example: ln(value) 4.0 for weeks, 3.6 after the maintenance: fall 1 − exp(−0.4) = 0.33. With `suspect` 0.18 and
//! `certain` 0.4 the score is 0.5 + 0.5 × 0.15 ÷ 0.22 = 0.84.

use std::ops::Range;

use super::departure::{Departure, departures, has_low_week, logs, median_in, sample, shift_error, shift_in};
use super::documented::maintenance_of;
use super::hit::{Evidence, Hit};
use super::outlet::{FactorSeries, Outlet, Points};
use super::rest::least_at_work;
use super::score::score;
use super::thresholds::Thresholds;
use crate::time::DAY_HOURS;

/// Particulate matter: a probe that is cleaned shows less of it.
const DUST: &str = "a34013";

/// Looks for the pattern in an outlet.
pub fn detect(outlet: &Outlet, thresholds: &Thresholds<'_>) -> Vec<Hit> {
    outlet.pollutants().flat_map(|series| of_series(outlet, series, thresholds)).collect()
}

fn of_series(outlet: &Outlet, series: &FactorSeries, thresholds: &Thresholds<'_>) -> Vec<Hit> {
    let points = series.hours();
    let threshold = |key| thresholds.of(&series.factor, points.grid.grain(), key);
    let (least, window) = (threshold("least"), points.grid.points(threshold("window_hours")));
    if !has_low_week(points, (-least).exp()) {
        return Vec::new();
    }
    let maintained = maintained(outlet, series, points);
    if maintained.is_empty() {
        return Vec::new();
    }
    let falls = falls(outlet, series, threshold("running"));
    let found = departures(&falls, least, points.grid.points(threshold("stays_hours")) as f64);
    let slack = points.grid.points(threshold("slack"));
    let mut hits: Vec<(bool, Hit)> = Vec::new();
    for step in found {
        let Some(cover) = step_after_maintenance(step.points.start, &maintained, slack) else { continue };
        let error = shift_error(&falls, &step.points, threshold("memory"));
        let is_noise = step.shift < threshold("noise") * error;
        let is_production = load_changes(outlet.load(), &step.points) > threshold("load_change");
        if is_noise || is_production || was_seen_before(&falls, &step, cover.start, window) {
            continue;
        }
        let moved = |others: &Moved| {
            others.shift >= threshold("others") * step.shift
                && others.shift >= threshold("noise") * others.error
        };
        if others_moved(outlet, series, &step.points, threshold("memory")).iter().any(moved) {
            continue;
        }
        let fall = 1.0 - (-step.shift).exp();
        let evidence = Evidence::default()
            .number("fall", fall)
            .number("level_before", (-step.level).exp())
            .number("standard_errors", step.shift / error)
            .time("maintenance", points.grid.ts(cover.start));
        let score = score(fall, threshold("suspect"), threshold("certain"));
        let hit = step.hit(&series.factor, points, score, evidence);
        let back_at_once = comes_back(&falls, &step);
        hits.push((back_at_once, Hit { started: points.grid.ts(cover.start), ..hit }));
    }
    let is_repeated = hits.len() > 1;
    hits.retain(|(back_at_once, _)| series.factor != DUST || is_repeated || *back_at_once);
    hits.into_iter().map(|(_, hit)| hit).collect()
}

/// −ln of the values that may be judged; NaN elsewhere, and while the plant is at rest.
fn falls(outlet: &Outlet, series: &FactorSeries, share: f64) -> Vec<f64> {
    let load = outlet.load();
    let least = least_at_work(&sample(load), share);
    let is_at_rest = |hour: usize| load.get(hour).is_some_and(|load| *load <= least);
    let of = |(hour, log): (usize, &f64)| if is_at_rest(hour) { f64::NAN } else { -log };
    logs(series.hours()).iter().enumerate().map(of).collect()
}

/// The hours of maintenance, on record or by flag M.
fn maintained(outlet: &Outlet, series: &FactorSeries, points: &Points) -> Vec<Range<usize>> {
    let grid = points.grid;
    let point = |ts: i64| {
        usize::try_from(ts.saturating_sub(grid.start).div_euclid(grid.step.max(1))).unwrap_or_default()
    };
    let on_record = maintenance_of(outlet, &series.factor);
    let mut spans: Vec<Range<usize>> =
        on_record.map(|record| point(record.span.start)..point(record.span.end)).collect();
    let mut at = 0;
    for run in points.flag.chunk_by(|a, b| a == b) {
        if run.first() == Some(&b'M') {
            spans.push(at..at + run.len());
        }
        at += run.len();
    }
    spans
}

/// By what share the median load of a stretch differs from that of the rest; 0 where nobody knows.
fn load_changes(load: &[f64], points: &Range<usize>) -> f64 {
    let within = median_in(load, points);
    let outside = within - shift_in(load, points);
    let change = (within / outside - 1.0).abs();
    if change.is_nan() { 0.0 } else { change }
}

/// Whether the values stood as low for as long before the maintenance.
fn was_seen_before(falls: &[f64], step: &Departure, before: usize, window: usize) -> bool {
    let earlier = falls.get(..before).unwrap_or_default();
    let low = step.level + step.shift;
    // Windows that overlap by half, from the maintenance backwards.
    (0..)
        .map(|half| half * (window / 2).max(1))
        .map_while(|back| Some(earlier.len().checked_sub(back)?..earlier.len() - back))
        .map_while(|end| end.start.checked_sub(window).map(|start| start..end.start))
        .any(|window| median_in(earlier, &window) >= low)
}

/// How far another series moved, up or down, and the standard error of that.
struct Moved {
    shift: f64,
    error: f64,
}

/// How far the other pollutants of the medium moved over a stretch.
fn others_moved(outlet: &Outlet, series: &FactorSeries, points: &Range<usize>, memory: f64) -> Vec<Moved> {
    let is_other = |of: &&FactorSeries| of.factor != series.factor && of.medium == series.medium;
    let moved = |of: &FactorSeries| {
        let logs = logs(of.hours());
        Moved { shift: shift_in(&logs, points).abs(), error: shift_error(&logs, points, memory) }
    };
    outlet.pollutants().filter(is_other).map(moved).collect()
}

/// Whether values rise at the end of a stretch by half of what they had fallen, from one pair of days to the next.
fn comes_back(falls: &[f64], step: &Departure) -> bool {
    let days = 2 * DAY_HOURS as usize;
    let end = step.points.end;
    let before = median_in(falls, &(end.saturating_sub(days)..end));
    let after = median_in(falls, &(end..end.saturating_add(days).min(falls.len())));
    before - after >= step.shift / 2.0
}

/// The maintenance that a step belongs to, the nearest: one within `slack` points of whose end, or of a day later, for
/// until then values are not judged, the step stands.
///
/// ```
/// use plume_udfs::patterns::step_after_maintenance::step_after_maintenance;
/// let maintained = [100..103, 500..503];
/// // A day after hour 503 the first value is judged.
/// assert_eq!(step_after_maintenance(527, &maintained, 12), Some(&(500..503)));
/// assert_eq!(step_after_maintenance(600, &maintained, 12), None);
/// ```
pub fn step_after_maintenance(at: usize, maintained: &[Range<usize>], slack: usize) -> Option<&Range<usize>> {
    let day = DAY_HOURS as usize;
    let distance = |span: &&Range<usize>| {
        span.end.saturating_sub(at).max(at.saturating_sub(span.end.saturating_add(day)))
    };
    maintained.iter().min_by_key(distance).filter(|span| distance(span) <= slack)
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
