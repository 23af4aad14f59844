//! P28 `stopped_but_emitting` (停产排放): marked as stopped, but it burns; or it works at full load
//! and emits nothing.
//!
//! Mechanism: hours marked as stopped are not judged, so a stop is marked over hours of exceedance;
//! or all channels are set to 0 while the plant runs.
//!
//! Formula: of the hours marked as stopped those speak for the pattern in which oxygen is below
//! `oxygen` and the gas above `temperature` (water: a flow above `share` of the running level), and
//! the other stopped hours against it. Running hours say next to nothing, so that stops of one deed
//! are one stretch. Or: load above `load` of its own level and all pollutants at 0, within
//! `nothing` of their own level. Statistic: hours of evidence.
//!
//! Excused: a banked boiler, whose oxygen is high or whose flow is below `share` of the running one.
//!
//! Example: 40 hours marked as stopped at 7 % and 130 °C; with `suspect` 3 and `certain` 24 its score is 1.

use super::departure::sample;
use super::hit::{Evidence, Hit};
use super::outlet::{FactorSeries, Grid, Outlet};
use super::robust::median;
use super::score::score;
use super::segments::{Segment, segments};
use super::thresholds::Thresholds;

/// Evidence of an hour that was not marked as stopped.
const RUNNING: f64 = -0.01;

/// Looks for the pattern in an outlet.
pub fn detect(outlet: &Outlet, thresholds: &Thresholds<'_>) -> Vec<Hit> {
    let mut hits = false_stops(outlet, thresholds);
    hits.extend(nothing_at_load(outlet, thresholds));
    hits
}

/// Values that the device sent as good, whether or not the plant was marked as stopped.
fn sent_as_good(series: &FactorSeries) -> Vec<f64> {
    let hours = series.hours();
    let is_good = |at: usize| matches!(hours.flag.get(at), None | Some(0 | b'N'));
    hours.value.iter().enumerate().map(|(at, value)| if is_good(at) { *value } else { f64::NAN }).collect()
}

/// Values as sent over their running level; the flags of stopped hours vary by sender.
fn of_running_level(series: &FactorSeries) -> Vec<f64> {
    let hours = series.hours();
    let level = median(&mut sample(&hours.usable_values()));
    hours.value.iter().map(|value| value / level).collect()
}

fn hit(grid: &Grid, factor: &str, check: &str, segment: Segment, rows: usize, score: f64) -> Hit {
    Hit {
        factor: factor.to_owned(),
        started: grid.ts(segment.points.start),
        ended: grid.ts(segment.points.end),
        score,
        rows,
        evidence: Evidence::default().text("check", check).number("hours", rows as f64),
    }
}

fn false_stops(outlet: &Outlet, thresholds: &Thresholds<'_>) -> Vec<Hit> {
    if !outlet.stopped.contains(&true) {
        return Vec::new();
    }
    let (oxygen, heat) = (outlet.factor("a19001"), outlet.factor("a01012"));
    let flow = outlet.factor("a00000").or_else(|| outlet.factor("w00000"));
    let Some(series) = oxygen.or(flow) else { return Vec::new() };
    let grid = series.hours().grid;
    let threshold = |key| thresholds.of(&series.factor, grid.grain(), key);
    let flows = flow.map(of_running_level).unwrap_or_default();
    let value = |of: Option<&FactorSeries>, hour: usize| {
        of.and_then(|of| of.hours().value.get(hour)).copied().unwrap_or(f64::NAN)
    };
    let emits = |hour: usize| {
        let flow = flows.get(hour).copied().unwrap_or(f64::NAN);
        let flows = flow >= threshold("share");
        if oxygen.is_none() || heat.is_none() {
            return (!flow.is_nan()).then_some(flows);
        }
        let (oxygen, heat) = (value(oxygen, hour), value(heat, hour));
        let burns = oxygen < threshold("oxygen") && heat > threshold("temperature");
        (!oxygen.is_nan() && !heat.is_nan()).then_some(burns && (flow.is_nan() || flows))
    };
    let emitting: Vec<Option<bool>> = (0..outlet.stopped.len())
        .map(|hour| if outlet.is_stopped(hour) { emits(hour) } else { None })
        .collect();
    let found = stopped_but_emitting(&outlet.stopped, &emitting, threshold("hours"));
    let of = |segment: Segment| {
        let within = emitting.get(segment.points.clone()).unwrap_or_default();
        let rows = within.iter().filter(|emits| **emits == Some(true)).count();
        let score = score(rows as f64, threshold("suspect"), threshold("certain"));
        hit(&grid, &series.factor, "stopped", segment, rows, score)
    };
    found.into_iter().map(of).collect()
}

fn nothing_at_load(outlet: &Outlet, thresholds: &Thresholds<'_>) -> Vec<Hit> {
    let load = outlet.load();
    let pollutants: Vec<_> = outlet.pollutants().collect();
    let Some(first) = pollutants.first().filter(|_| !load.is_empty()) else { return Vec::new() };
    let grid = first.hours().grid;
    let threshold = |key| thresholds.of(&first.factor, grid.grain(), key);
    let least_load = threshold("load") * median(&mut sample(load));
    let values: Vec<(Vec<f64>, f64)> = pollutants
        .iter()
        .map(|series| {
            (
                sent_as_good(series),
                threshold("nothing") * median(&mut sample(&series.hours().usable_values())),
            )
        })
        .collect();
    let speaks = |(hour, load): (usize, &f64)| {
        let at_hour = values.iter().filter_map(|(of, most)| Some((*of.get(hour)?, *most)));
        let mut known = at_hour.filter(|(value, _)| !value.is_nan()).peekable();
        if known.peek().is_none() || load.is_nan() || *load <= least_load || outlet.is_stopped(hour) {
            return 0.0;
        }
        if known.all(|(value, most)| value <= most) { 1.0 } else { -1.0 }
    };
    let evidence: Vec<f64> = load.iter().enumerate().map(speaks).collect();
    let of = |segment: Segment| {
        let within = evidence.get(segment.points.clone()).unwrap_or_default();
        let rows = within.iter().filter(|of| **of > 0.0).count();
        let score = score(rows as f64, threshold("suspect"), threshold("certain"));
        hit(&grid, &first.factor, "nothing", segment, rows, score)
    };
    segments(&evidence, threshold("hours")).into_iter().map(of).collect()
}

/// The stretches in which hours marked as stopped emit, with the evidence of at least `least`
/// hours; `None` where nobody knows.
///
/// ```
/// use plume_udfs::patterns::stopped_but_emitting::stopped_but_emitting;
/// let stopped = [false, true, true, true, false];
/// let emitting = [None, Some(true), Some(true), Some(false), None];
/// assert_eq!(stopped_but_emitting(&stopped, &emitting, 2.0)[0].points, 1..3);
/// ```
pub fn stopped_but_emitting(stopped: &[bool], emitting: &[Option<bool>], least: f64) -> Vec<Segment> {
    let speaks = |(stopped, emitting): (&bool, &Option<bool>)| match (stopped, emitting) {
        (false, _) => RUNNING,
        (true, Some(true)) => 1.0,
        (true, Some(false)) => -1.0,
        (true, None) => 0.0,
    };
    segments(&stopped.iter().zip(emitting).map(speaks).collect::<Vec<f64>>(), least)
}
