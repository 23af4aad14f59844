//! P13 `calibration_tampering` (标定参数篡改): slope or intercept of the analyser are lowered.
//!
//! Mechanism: the analyser turns its raw signal into a concentration by slope × signal +
//! intercept. A smaller slope makes every reading smaller, and no value looks odd by itself.
//! Either the device reports its new slope, or the reading leaves the line that it reports.
//!
//! Formula: the shortfall of a reading is (slope × signal + intercept − reading) ÷ (slope ×
//! signal + intercept), with slope and intercept as last documented: an undocumented change
//! that lowers readings by more than `change` is not followed; one that raises them by as
//! much shows that the readings before it were low. A device that reports no slope is held against
//! the line that most of its own signals follow. Without raw signals the lines alone are compared, at
//! the usual reading. Score: the median shortfall of the stretch, `suspect` → 0.5,
//! `certain` → 1, scaled down where the outlet's own noise is wide: a shortfall counts above
//! `noise` standard deviations of what is usual.
//!
//! Excused: changes near a recorded check or calibration (within `record_share` of the usual interval
//! between checks, at most `record_hours`), unless the former figures come back without one; readings
//! below `floor` of the span, of which a rounding is a large part; what raises readings.
//!
//! Example: slope 2, intercept 0, signal 10: 20. The slope becomes 1.5 with no check near: readings are
//! 15, the shortfall (20 − 15) ÷ 20 = 0.25. With `suspect` 0.02 and `certain` 0.1 the score is 1.

use super::documented::{Documented, maintenance_of};
use super::excess::{excesses, finite, usual};
use super::hit::{Evidence, Hit};
use super::outlet::{FactorSeries, Outlet, Phase, RawSignal};
use super::robust::median;
use super::score::score;
use super::thresholds::Thresholds;
use crate::time::HOUR_US;

/// Parameters that hold a slope: the national code and those of the dynamic-control dialect.
const SLOPES: [&str; 3] = ["i13008", "i13119", "i13026"];
/// Parameters that hold an intercept.
const INTERCEPTS: [&str; 3] = ["i13007", "i13120", "i13022"];

/// Looks for the pattern in an outlet.
pub fn detect(outlet: &Outlet, thresholds: &Thresholds<'_>) -> Vec<Hit> {
    outlet.factors.iter().flat_map(|series| of_series(outlet, series, thresholds)).collect()
}

fn of_series(outlet: &Outlet, series: &FactorSeries, thresholds: &Thresholds<'_>) -> Vec<Hit> {
    let hours = series.hours();
    let threshold = |key| thresholds.of(&series.factor, hours.grid.grain(), key);
    let lines = lines_of(outlet, &series.factor);
    let mut measured: Vec<Measured> = series.signals.iter().filter_map(measured).collect();
    if measured.len() < hours.grid.points(threshold("least_hours")) {
        if lines.len() < 2 {
            return Vec::new();
        }
        let level = median(&mut finite(&hours.usable_values()));
        let times = (0..hours.len()).map(|at| hours.grid.ts(at)).collect::<Vec<i64>>();
        measured = readings_by(&lines, &times, level);
    }
    let documented = documented(outlet, &series.factor, threshold("record_share"), threshold("record_hours"));
    let lines = if lines.is_empty() { own_line(&measured).into_iter().collect() } else { lines };
    let accepted = accepted_lines(&lines, &measured, threshold("change"), |ts| documented.accounts_for(ts));
    let greatest = measured.iter().map(|m| m.reading).fold(0.0, f64::max);
    let span = Some(series.monitor.range_high).filter(|high| high.is_finite()).unwrap_or(greatest);
    let shortfalls = calibration_tampering(&measured, &accepted, threshold("floor") * span);
    let (suspect, certain) = (threshold("suspect"), threshold("certain"));
    let tolerance = suspect.max(threshold("noise") * usual(&shortfalls).1);
    let found = excesses(&shortfalls, tolerance, threshold("least_hours"));
    found
        .into_iter()
        .filter_map(|stretch| {
            let first = measured.get(stretch.points.start)?;
            let last = measured.get(stretch.points.end.checked_sub(1)?)?;
            let next = measured.get(stretch.points.end);
            let ended = next.map_or(last.ts.saturating_add(HOUR_US), |next| next.ts);
            Some(
                series.hit(
                    first.ts..ended,
                    score(stretch.typical * suspect / tolerance, suspect, certain),
                    stretch.rows,
                    Evidence::default()
                        .number("shortfall", stretch.typical)
                        .number("tolerance", tolerance)
                        .number("slope", line_at(&lines, first.ts).map_or(f64::NAN, |line| line.slope))
                        .number(
                            "slope_documented",
                            line_at(&accepted, first.ts).map_or(f64::NAN, |l| l.slope),
                        ),
                ),
            )
        })
        .collect()
}

/// A raw signal and what the analyser made of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measured {
    /// When, µs.
    pub ts: i64,
    /// Raw signal.
    pub signal: f64,
    /// Concentration.
    pub reading: f64,
}

fn measured(signal: &RawSignal) -> Option<Measured> {
    let RawSignal { ts, signal, reading, phase, .. } = *signal;
    (phase == Phase::Measure && signal.is_finite() && reading.is_finite()).then_some(Measured {
        ts,
        signal,
        reading,
    })
}

/// A line from signal to concentration.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Line {
    /// In force from then on, µs.
    pub from: i64,
    /// Concentration for each unit of the signal.
    pub slope: f64,
    /// Concentration at a signal of 0.
    pub intercept: f64,
}

impl Line {
    fn at(&self, signal: f64) -> f64 {
        self.slope * signal + self.intercept
    }

    fn is_same(&self, other: &Self) -> bool {
        self.slope == other.slope && self.intercept == other.intercept
    }
}

fn line_at(lines: &[Line], ts: i64) -> Option<&Line> {
    lines.get(lines.partition_point(|line| line.from <= ts).saturating_sub(1))
}

/// The lines that a monitor reported, each where it differs from the one before.
fn lines_of(outlet: &Outlet, factor: &str) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    let of_factor =
        outlet.records.params.iter().filter(|param| param.factor == factor && param.value.is_finite());
    for param in of_factor {
        let before = lines.last().copied();
        let mut line = before.unwrap_or(Line { from: param.ts, slope: f64::NAN, intercept: 0.0 });
        if SLOPES.contains(&param.param.as_str()) {
            line.slope = param.value;
        } else if INTERCEPTS.contains(&param.param.as_str()) {
            line.intercept = param.value;
        } else {
            continue;
        }
        line.from = param.ts;
        // Until the slope is known, and of figures sent at one time, only the last line counts.
        if before.is_some_and(|before| before.slope.is_nan() || before.from == line.from) {
            lines.pop();
        }
        if !lines.last().is_some_and(|last| last.is_same(&line)) {
            lines.push(line);
        }
    }
    lines.retain(|line| line.slope.is_finite());
    lines
}

/// What the lines make of the signal that the first one makes a usual reading of.
fn readings_by(lines: &[Line], times: &[i64], level: f64) -> Vec<Measured> {
    let Some(first) = lines.first() else { return Vec::new() };
    let signal = (level - first.intercept) / first.slope;
    let reading = |ts: i64| line_at(lines, ts).map(|line| Measured { ts, signal, reading: line.at(signal) });
    times
        .iter()
        .filter_map(|ts| reading(*ts))
        .filter(|m| m.signal.is_finite() && m.reading.is_finite())
        .collect()
}

/// The line that most signals follow: median slope between neighbours that differ enough, median intercept.
fn own_line(measured: &[Measured]) -> Option<Line> {
    let first = measured.first()?;
    let neighbours = || measured.iter().zip(measured.iter().skip(1));
    let steps = || neighbours().map(|(a, b)| (b.signal - a.signal, b.reading - a.reading));
    let usual_step =
        median(&mut steps().map(|(signal, _)| signal.abs()).filter(|s| s.is_finite()).collect::<Vec<f64>>());
    let steep = steps().filter(|(signal, _)| signal.abs() >= usual_step && *signal != 0.0);
    let slope = median(
        &mut steep.map(|(signal, reading)| reading / signal).filter(|s| s.is_finite()).collect::<Vec<f64>>(),
    );
    let rests = measured.iter().map(|m| m.reading - slope * m.signal).filter(|rest| rest.is_finite());
    let intercept = median(&mut rests.collect::<Vec<f64>>());
    Some(Line { from: first.ts, slope, intercept }).filter(|line| line.intercept.is_finite())
}

fn documented(outlet: &Outlet, factor: &str, share: f64, hours: f64) -> Documented {
    let checks = outlet.records.checks.iter().filter(|check| check.factor == factor).map(|check| check.ts);
    let calibrations = maintenance_of(outlet, factor).filter(|record| {
        ["calibr", "校准", "标定"].iter().any(|word| record.text.to_lowercase().contains(word))
    });
    Documented::new(checks.chain(calibrations.map(|record| record.span.start)).collect(), share, hours)
}

/// For each line the one that readings are held against while it is in force.
fn accepted_lines(
    lines: &[Line],
    measured: &[Measured],
    change: f64,
    is_documented: impl Fn(i64) -> bool,
) -> Vec<Line> {
    let signal = median(&mut measured.iter().map(|m| m.signal).collect::<Vec<f64>>());
    let mut accepted: Vec<Line> = Vec::new();
    // From where on lines are of one undocumented history.
    let mut since = 0;
    for (at, line) in lines.iter().enumerate() {
        let Some(before) = accepted.last().copied() else {
            accepted.push(*line);
            continue;
        };
        let former = at.checked_sub(1).and_then(|former| lines.get(former));
        let next = lines.get(at + 1);
        let comes_back = next.zip(at.checked_sub(1).and_then(|f| lines.get(f)));
        let is_undone =
            comes_back.is_some_and(|(next, former)| next.is_same(former) && !is_documented(next.from));
        let rise = line.at(signal) / before.at(signal) - 1.0;
        if former.is_some() && is_documented(line.from) && !is_undone {
            since = at;
            accepted.push(*line);
        } else if rise < -change {
            accepted.push(Line { from: line.from, ..before });
        } else {
            if rise > change {
                let low = accepted.iter_mut().skip(since);
                low.for_each(|low| (low.slope, low.intercept) = (line.slope, line.intercept));
            }
            accepted.push(*line);
        }
    }
    accepted
}

/// The shortfall of each reading, as a share of what the line in force makes of its signal; of
/// `floor`, where that is greater. NaN where there is no line. `lines` are in order of time, and the
/// first holds before its time, too.
///
/// ```
/// use plume_udfs::patterns::calibration_tampering::{Line, Measured, calibration_tampering};
/// let line = Line { from: 0, slope: 2.0, intercept: 0.0 };
/// let measured = [20.0, 15.0].map(|reading| Measured { ts: 1, signal: 10.0, reading });
/// assert_eq!(calibration_tampering(&measured, &[line], 1.0), [0.0, 0.25]);
/// ```
pub fn calibration_tampering(measured: &[Measured], lines: &[Line], floor: f64) -> Vec<f64> {
    let shortfall = |m: &Measured| {
        let due = line_at(lines, m.ts)?.at(m.signal);
        Some((due - m.reading) / due.abs().max(floor))
    };
    measured.iter().map(|m| shortfall(m).unwrap_or(f64::NAN)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::odd_records::{DEED, HALF_YEAR, check, param, scaled, signals, survives};
    use super::super::survival::{assert_found, found, hourly, stack};
    use super::*;

    const PATTERN: &str = "calibration_tampering";

    /// Signals with a gain of 2; readings of which a share is left while the deed lasts.
    fn outlet(left: f64, with_params: bool, checks: &[i64]) -> Outlet {
        let honest = stack(1, HALF_YEAR);
        let readings = scaled(&honest, left);
        let mut outlet = hourly(readings.clone());
        let raw = signals(&honest, &honest, 2.0);
        let series = &mut outlet.factors[0];
        series.signals =
            raw.iter().zip(&readings).map(|(s, reading)| RawSignal { reading: *reading, ..*s }).collect();
        if with_params {
            let at = |hour: usize| hour as i64 * HOUR_US;
            let slopes = [(0, 2.0), (at(DEED.start), 2.0 * left), (at(DEED.end), 2.0)];
            outlet.records.params = slopes.map(|(ts, slope)| param("i13008", ts, slope)).to_vec();
        }
        outlet.records.checks = checks.iter().map(|hour| check("span", hour * HOUR_US, 80.0, 80.0)).collect();
        outlet
    }

    #[test]
    fn lowered_readings_are_found_at_every_strength() {
        for left in [0.9, 0.75, 0.5] {
            for with_params in [false, true] {
                let outlet = outlet(left, with_params, &[]);
                assert_found(PATTERN, detect, &outlet, DEED.start, DEED.end, 1);
                // 1 − 0.9 = 0.1 is certain.
                assert!(found(PATTERN, detect, &outlet)[0].score > 0.99);
            }
        }
    }

    #[test]
    fn a_slope_alone_is_enough() {
        let mut outlet = outlet(0.75, true, &[]);
        outlet.factors[0].signals.clear();
        assert_found(PATTERN, detect, &outlet, DEED.start, DEED.end, 1);
    }

    #[test]
    fn a_documented_calibration_is_none() {
        // A slope that a check documents, and that stays.
        let mut documented = outlet(0.75, true, &[DEED.start as i64]);
        documented.records.params.truncate(2);
        documented.factors[0]
            .signals
            .iter_mut()
            .filter(|s| s.ts >= DEED.end as i64 * HOUR_US)
            .for_each(|s| s.reading *= 0.75);
        assert_eq!(found(PATTERN, detect, &documented), []);
        // Checks once a week are no excuse: the next is 60 h off.
        let weekly: Vec<i64> = (0..25).map(|week| week * 168 + 48).collect();
        assert_found(PATTERN, detect, &outlet(0.75, true, &weekly), DEED.start, DEED.end, 1);
        assert_eq!(found(PATTERN, detect, &outlet(1.0, true, &weekly)), []);
    }

    #[test]
    fn odd_outlets() {
        survives(PATTERN, detect);
    }
}
