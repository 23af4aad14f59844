//! P28 `stopped_but_emitting` (停产排放): marked as stopped, but it burns; or it works at full load
//! and emits nothing.
//!
//! Mechanism: hours marked as stopped are not judged, so a stop is marked over hours of exceedance;
//! or all channels are set to 0 while the plant runs.
//!
//! Formula: of the hours marked as stopped those speak for the pattern in which oxygen is below
//! `oxygen` and the gas above `temperature` (water: a flow above `share` of the running level); a stopped hour
//! in which the plant is at rest says `against_resting`, a running one `against_running` against it, so that stops
//! of one deed are one stretch. Or: load above `load` of its own level and all pollutants at 0, within
//! `nothing` of their own level, more than half of them known; such hours are a share `often` of a deed's and
//! `elsewhere` of others. Statistic: hours that speak for the pattern.
//!
//! Excused: a banked boiler, whose oxygen is high or whose flow is below `share` of the running one; one
//! pollutant below detection while the others send nothing.
//!
//! Example: 40 hours marked as stopped at 7 % and 130 °C; with `suspect` 4 and `certain` 24 its score is 1.

use super::departure::{sample, usual_level};
use super::evidence::evidence;
use super::hit::{Evidence, Hit};
use super::outlet::{FactorSeries, Grid, Outlet};
use super::robust::median;
use super::score::score;
use super::segments::{Segment, segments};
use super::thresholds::Thresholds;

/// Looks for the pattern in an outlet.
pub fn detect(outlet: &Outlet, thresholds: &Thresholds<'_>) -> Vec<Hit> {
    let mut hits = false_stops(outlet, thresholds);
    hits.extend(nothing_at_load(outlet, thresholds));
    hits
}

/// A value that the device sent as good, whether or not the plant was marked as stopped; NaN elsewhere.
fn value_sent_as_good(series: &FactorSeries, hour: usize) -> f64 {
    let hours = series.hours();
    let is_good = matches!(hours.flag.get(hour), None | Some(0 | b'N'));
    hours.value.get(hour).copied().filter(|_| is_good).unwrap_or(f64::NAN)
}

fn hit(grid: &Grid, factor: &str, check: &str, segment: Segment, rows: usize, score: f64) -> Hit {
    Hit::new(
        factor,
        grid.ts(segment.points.start)..grid.ts(segment.points.end),
        score,
        rows,
        Evidence::default().text("check", check).number("hours", rows as f64),
    )
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
    // Flows are taken as sent: the flags of stopped hours vary by sender.
    let least_flow = threshold("share") * flow.map_or(f64::NAN, |flow| usual_level(flow.hours()));
    let value = |of: Option<&FactorSeries>, hour: usize| {
        of.and_then(|of| of.hours().value.get(hour)).copied().unwrap_or(f64::NAN)
    };
    let (most_oxygen, least_heat) = (threshold("oxygen"), threshold("temperature"));
    let emits = |hour: usize| {
        let flow = value(flow, hour);
        let flows = flow >= least_flow;
        if oxygen.is_none() || heat.is_none() {
            return (!flow.is_nan()).then_some(flows);
        }
        let (oxygen, heat) = (value(oxygen, hour), value(heat, hour));
        let burns = oxygen < most_oxygen && heat > least_heat;
        (!oxygen.is_nan() && !heat.is_nan()).then_some(burns && (flow.is_nan() || flows))
    };
    let emitting: Vec<Option<bool>> = (0..outlet.stopped.len())
        .map(|hour| if outlet.is_stopped(hour) { emits(hour) } else { None })
        .collect();
    let against = Against { running: threshold("against_running"), resting: threshold("against_resting") };
    let found = stopped_but_emitting(&outlet.stopped, &emitting, against, threshold("hours"));
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
    // What is nothing for each, where it has a level at all.
    let most: Vec<f64> =
        pollutants.iter().map(|series| threshold("nothing") * usual_level(series.hours())).collect();
    let (nothing, something) = evidence(threshold("often"), threshold("elsewhere"));
    let speaks = |(hour, load): (usize, &f64)| {
        if load.is_nan() || *load <= least_load || outlet.is_stopped(hour) {
            return 0.0;
        }
        let mut known = 0;
        for (series, most) in pollutants.iter().zip(&most) {
            let value = value_sent_as_good(series, hour);
            if value > *most {
                return something;
            }
            known += usize::from(!value.is_nan());
        }
        if known * 2 > pollutants.len() { nothing } else { 0.0 }
    };
    let says: Vec<f64> = load.iter().enumerate().map(speaks).collect();
    let of = |segment: Segment| {
        let within = says.get(segment.points.clone()).unwrap_or_default();
        let rows = within.iter().filter(|of| **of > 0.0).count();
        let score = score(rows as f64, threshold("suspect"), threshold("certain"));
        hit(&grid, &first.factor, "nothing", segment, rows, score)
    };
    segments(&says, nothing * threshold("hours")).into_iter().map(of).collect()
}

/// What an hour says against a deed that goes on, where one that was marked as stopped and emits says 1 for it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Against {
    /// One that was not marked as stopped.
    pub running: f64,
    /// One that was marked as stopped, and the plant was at rest.
    pub resting: f64,
}

/// The stretches in which hours marked as stopped emit, with the evidence of at least `least`
/// hours; `None` where nobody knows.
///
/// ```
/// use plume_udfs::patterns::stopped_but_emitting::{Against, stopped_but_emitting};
/// let stopped = [false, true, true, true, false];
/// let emitting = [None, Some(true), Some(true), Some(false), None];
/// let against = Against { running: 0.01, resting: 0.05 };
/// assert_eq!(stopped_but_emitting(&stopped, &emitting, against, 2.0)[0].points, 1..3);
/// ```
pub fn stopped_but_emitting(
    stopped: &[bool],
    emitting: &[Option<bool>],
    against: Against,
    least: f64,
) -> Vec<Segment> {
    let speaks = |(stopped, emitting): (&bool, &Option<bool>)| match (stopped, emitting) {
        (false, _) => -against.running,
        (true, Some(true)) => 1.0,
        (true, Some(false)) => -against.resting,
        (true, None) => 0.0,
    };
    segments(&stopped.iter().zip(emitting).map(speaks).collect::<Vec<f64>>(), least)
}

#[cfg(test)]
mod tests {
    use super::super::odd_records::{DEED, HALF_YEAR, survives};
    use super::super::outlet::MonitorFigures;
    use super::super::survival::{assert_found, found, stack, with_load};
    use super::*;

    const PATTERN: &str = "stopped_but_emitting";

    /// A stack whose plant works at 80, with oxygen, heat and dust, dust and NOx at 0 at some hours.
    fn outlet(is_zero: impl Fn(usize) -> bool) -> Outlet {
        let mut outlet = with_load(stack(1, HALF_YEAR), vec![80.0; HALF_YEAR]);
        let of = |factor: &str, values: Vec<f64>| {
            let series = with_load(values, Vec::new()).factors.remove(0);
            FactorSeries { factor: factor.to_owned(), monitor: MonitorFigures::default(), ..series }
        };
        outlet.factors.push(of("a19001", vec![7.0; HALF_YEAR]));
        outlet.factors.push(of("a01012", vec![130.0; HALF_YEAR]));
        outlet.factors.push(of("a34013", stack(2, HALF_YEAR)));
        for at in (0..HALF_YEAR).filter(|at| is_zero(*at)) {
            outlet.factors[0].fine.value[at] = 0.0;
            outlet.factors[3].fine.value[at] = 0.0;
        }
        outlet.stopped = vec![false; HALF_YEAR];
        outlet
    }

    #[test]
    fn zeros_at_load_some_days_a_week_are_one_deed() {
        // 40 hours of every 168 from hour 1500 on; the last from 2844 to 2884. A week says 40 × ln(0.1 ÷ 0.002) =
        // 156 for it and 128 × ln(0.9 ÷ 0.998) = −13 against it.
        let is_zero = |at: usize| DEED.contains(&at) && (at - DEED.start) % 168 < 40;
        assert_found(PATTERN, detect, &outlet(is_zero), 1500, 2884, 0);
        // One channel alone is a fault of its own.
        let mut one = outlet(|_| false);
        one.factors[0].fine.value[1500..1540].fill(0.0);
        assert_eq!(found(PATTERN, detect, &one), []);
        // So it is while the other sends nothing.
        one.factors[3].fine.value[1500..1540].fill(f64::NAN);
        assert_eq!(found(PATTERN, detect, &one), []);
    }

    #[test]
    fn stops_that_burn_are_one_deed_whatever_real_stop_lies_between() {
        // 70 h of every 168, and a real stop of 90 h between the first and the second, which says −4.5.
        let mut stops = outlet(|_| false);
        for at in DEED.filter(|at| (at - DEED.start) % 168 < 70) {
            stops.stopped[at] = true;
        }
        stops.stopped[1570..1660].fill(true);
        stops.factors[1].fine.value[1570..1660].fill(20.9);
        // The last from 2844 to 2914.
        assert_found(PATTERN, detect, &stops, 1500, 2914, 0);
        let mut banked = outlet(|_| false);
        banked.stopped[1570..1660].fill(true);
        banked.factors[1].fine.value[1570..1660].fill(20.9);
        assert_eq!(found(PATTERN, detect, &banked), []);
    }

    #[test]
    fn odd_outlets() {
        survives(PATTERN, detect);
    }
}
