//! P1 `constant_value` (固定值): the analyser's output is frozen.
//!
//! Mechanism: a logger or an analyser is set to send one figure, or the sample line is cut off
//! and the cell keeps what it last saw. Noise exceeds the resolution of any analyser, so a real
//! series moves within hours.
//!
//! Formula: the longest runs of points that can be judged and are equal, hours from the first to
//! the last; gaps and flagged points within a run neither extend nor break it. Score: hours of
//! the run, `suspect` → 0.5, `certain` → 1.
//!
//! Excused: values of 0 and at or below the detection limit, stopped hours, hours after
//! maintenance (not usable, so never in a run); and a floor: a value that is the least of the
//! whole series and that other runs stand at, too, which is what a detection limit that nobody
//! registered looks like.
//!
//! Example: 30 hours of 12.3 are a run of 30 h; with `suspect` 24 and `certain` 72 its score is
//! 0.5 + 0.5 × (30 − 24) ÷ (72 − 24) = 0.5625.

use std::ops::Range;

use super::hit::{Evidence, Hit};
use super::outlet::{FactorSeries, Outlet};
use super::score::score;
use super::thresholds::Thresholds;

/// Looks for the pattern in an outlet.
pub fn detect(outlet: &Outlet, thresholds: &Thresholds<'_>) -> Vec<Hit> {
    outlet.factors.iter().flat_map(|series| of_series(series, thresholds)).collect()
}

fn of_series(series: &FactorSeries, thresholds: &Thresholds<'_>) -> Vec<Hit> {
    let points = &series.fine;
    let grid = points.grid;
    let threshold = |key| thresholds.of(&series.factor, grid.grain(), key);
    let (suspect, certain) = (threshold("suspect"), threshold("certain"));
    let values = points.usable_values();
    let runs = constant_value(&values, grid.points(suspect));
    let floor = values.iter().copied().fold(f64::INFINITY, f64::min);
    let at_floor = runs.iter().filter(|run| run.value <= floor).count();
    let is_floor = |run: &&ConstantRun| run.value == 0.0 || (run.value <= floor && at_floor > 1);
    let hit = |run: &ConstantRun| {
        let span = points.span(&run.points);
        let hours = grid.hours(run.points.len());
        Hit {
            factor: series.factor.clone(),
            started: span.start,
            ended: span.end,
            score: score(hours, suspect, certain),
            rows: run.rows,
            evidence: Evidence::default().number("value", run.value).number("hours", hours),
        }
    };
    runs.iter().filter(|run| !is_floor(run)).map(hit).collect()
}

/// A run of equal values.
#[derive(Debug, Clone, PartialEq)]
pub struct ConstantRun {
    /// From its first to its last point.
    pub points: Range<usize>,
    /// The value.
    pub value: f64,
    /// Points that have it.
    pub rows: usize,
}

/// The runs of equal values that reach over at least `least` points, in order. NaN neither
/// extends nor breaks a run.
///
/// ```
/// use plume_udfs::patterns::constant_value::constant_value;
/// let runs = constant_value(&[1.0, 2.0, 2.0, f64::NAN, 2.0, 3.0], 3);
/// assert_eq!(runs.len(), 1);
/// assert_eq!((runs[0].points.clone(), runs[0].value, runs[0].rows), (1..5, 2.0, 3));
/// ```
pub fn constant_value(values: &[f64], least: usize) -> Vec<ConstantRun> {
    let mut runs = Vec::new();
    let mut run: Option<ConstantRun> = None;
    for (at, value) in values.iter().copied().enumerate().filter(|(_, value)| !value.is_nan()) {
        match &mut run {
            Some(run) if run.value == value => {
                run.points.end = at + 1;
                run.rows += 1;
            }
            _ => runs.extend(run.replace(ConstantRun { points: at..at + 1, value, rows: 1 })),
        }
    }
    runs.extend(run);
    runs.retain(|run| run.points.len() >= least && run.rows > 1);
    runs
}
