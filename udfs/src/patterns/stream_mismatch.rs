//! P18 `stream_mismatch` (三方不符): analyser, data logger and platform tell different figures.
//!
//! Mechanism: the analyser measures rightly, and the figure is lowered on its way: in the
//! logger (its ranges, a factor, a filter), or between logger and platform.
//!
//! Formula: for every raw signal taken while measuring, the shortfall of what comes later on the way:
//! (analyser − logger) ÷ analyser, and (logger − platform) ÷ logger, the platform's value
//! being that of the interval or of one beside it, whichever is nearest. Shares are of `floor`
//! of the span where readings are smaller. Score: median shortfall of the stretch beyond what is
//! usual, `suspect` → 0.5, `certain` → 1; where the outlet's own noise is wide
//! (a moment's reading against an hour's mean), a shortfall counts above `noise` standard deviations.
//!
//! Excused: rounding (the tolerance), time shift (one interval), readings near 0 (the floor),
//! rows with a flag, and figures that grow on their way.
//!
//! Example: analyser 100, logger 100, platform 75: the second shortfall is 25 ÷ 100 = 0.25. With
//! `suspect` 0.01 and `certain` 0.05 the score is 1.

use super::excess::falls;
use super::hit::{Evidence, Hit};
use super::outlet::{FactorSeries, Outlet, Phase, Points, RawSignal};
use super::score::score;
use super::thresholds::Thresholds;
use crate::time::HOUR_US;

/// Looks for the pattern in an outlet.
pub fn detect(outlet: &Outlet, thresholds: &Thresholds<'_>) -> Vec<Hit> {
    outlet.factors.iter().flat_map(|series| of_series(series, thresholds)).collect()
}

fn of_series(series: &FactorSeries, thresholds: &Thresholds<'_>) -> Vec<Hit> {
    let signals: Vec<RawSignal> =
        series.signals.iter().filter(|s| s.phase == Phase::Measure).copied().collect();
    let analyser: Vec<f64> = signals.iter().map(|s| s.reading).collect();
    let logger: Vec<f64> = signals.iter().map(|s| s.logged).collect();
    let either: Vec<f64> =
        signals.iter().map(|s| if s.logged.is_finite() { s.logged } else { s.reading }).collect();
    let platform: Vec<f64> =
        signals.iter().zip(&either).map(|(s, near)| platform_value(&series.fine, s.ts, *near)).collect();
    let greatest = either.iter().copied().filter(|v| v.is_finite()).fold(0.0, f64::max);
    let threshold = |key| thresholds.of(&series.factor, series.fine.grid.grain(), key);
    let span = Some(series.monitor.range_high).filter(|high| high.is_finite()).unwrap_or(greatest);
    let floor = threshold("floor") * span;
    let (suspect, certain) = (threshold("suspect"), threshold("certain"));
    let of_pair = |from: &str, to: &str, shortfalls: &[f64]| {
        // `falls` looks for low values: what is left on the way.
        let left: Vec<f64> = shortfalls.iter().map(|shortfall| 1.0 - shortfall).collect();
        let (found, tolerance) = falls(&left, suspect, threshold("noise"), threshold("least_rows"));
        let hit = |stretch: super::excess::Excess| {
            let first = signals.get(stretch.points.start)?;
            let last = signals.get(stretch.points.end.checked_sub(1)?)?;
            let next = signals.get(stretch.points.end).map(|next| next.ts);
            let ended = next.unwrap_or(last.ts.saturating_add(HOUR_US));
            let evidence = Evidence::default().text("from", from).text("to", to);
            Some(series.hit(
                first.ts..ended,
                score(stretch.typical * suspect / tolerance, suspect, certain),
                stretch.rows,
                evidence.number("shortfall", stretch.typical).number("tolerance", tolerance),
            ))
        };
        found.into_iter().filter_map(hit).collect::<Vec<Hit>>()
    };
    let mut hits = of_pair("analyser", "logger", &stream_mismatch(&analyser, &logger, floor));
    hits.extend(of_pair("logger", "platform", &stream_mismatch(&either, &platform, floor)));
    hits
}

/// The platform's value at a time, or one interval beside it: the nearest to what the logger told.
fn platform_value(points: &Points, ts: i64, near: f64) -> f64 {
    let at = ts.saturating_sub(points.grid.start).div_euclid(points.grid.step.max(1));
    let beside = [at, at.saturating_sub(1), at.saturating_add(1)];
    let values =
        beside.into_iter().filter_map(|at| usize::try_from(at).ok()).map(|at| normal_value(points, at));
    let values = values.filter(|value| value.is_finite());
    values.min_by(|a, b| (a - near).abs().total_cmp(&(b - near).abs())).unwrap_or(f64::NAN)
}

fn normal_value(points: &Points, at: usize) -> f64 {
    let flag = points.flag.get(at).copied().unwrap_or_default();
    let is_normal = flag == 0 || flag == b'N';
    points.value.get(at).copied().filter(|_| is_normal).unwrap_or(f64::NAN)
}

/// The share of each figure that is missing farther on the way: (`from` − `to`) ÷ `from`, of `floor`
/// where that is greater; NaN where either is unknown.
///
/// ```
/// use plume_udfs::patterns::stream_mismatch::stream_mismatch;
/// assert_eq!(stream_mismatch(&[100.0, 2.0], &[75.0, 1.0], 10.0), [0.25, 0.1]);
/// ```
pub fn stream_mismatch(from: &[f64], to: &[f64], floor: f64) -> Vec<f64> {
    from.iter().zip(to).map(|(from, to)| (from - to) / from.abs().max(floor)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::odd_records::{DEED, HALF_YEAR, scaled, signals, survives};
    use super::super::survival::{assert_found, even, found, hourly, stack, two_decimals};
    use super::*;

    const PATTERN: &str = "stream_mismatch";

    fn outlet(reading: &[f64], logged: &[f64], platform: &[f64]) -> Outlet {
        let mut outlet = hourly(platform.iter().copied().map(two_decimals).collect());
        outlet.factors[0].signals = signals(reading, logged, 2.0);
        outlet
    }

    #[test]
    fn what_is_lost_on_the_way_is_found_at_every_strength() {
        let honest = stack(1, HALF_YEAR);
        for left in [0.9, 0.75, 0.5] {
            let low = scaled(&honest, left);
            assert_found(PATTERN, detect, &outlet(&honest, &low, &low), DEED.start, DEED.end, 1);
            assert_found(PATTERN, detect, &outlet(&honest, &honest, &low), DEED.start, DEED.end, 1);
        }
    }

    #[test]
    fn rounding_and_a_moments_noise_are_not() {
        let honest = stack(1, HALF_YEAR);
        let noisy: Vec<f64> =
            honest.iter().zip(even(9, HALF_YEAR)).map(|(v, part)| v * (0.95 + 0.1 * part)).collect();
        assert_eq!(found(PATTERN, detect, &outlet(&noisy, &noisy, &honest)), []);
        assert_eq!(found(PATTERN, detect, &outlet(&honest, &honest, &honest)), []);
        // One interval of shift.
        let shifted: Vec<f64> = honest.iter().skip(1).chain([&25.0]).copied().collect();
        assert_eq!(found(PATTERN, detect, &outlet(&honest, &honest, &shifted)), []);
    }

    #[test]
    fn odd_outlets() {
        survives(PATTERN, detect);
    }
}
