//! P11 `oxygen_tampering` (氧量造假): oxygen is shown too low.
//!
//! Mechanism: the converted value is C × (21 − O₂s) ÷ (21 − O₂); an oxygen reading set lower makes
//! it smaller, while nothing else in the duct changes.
//!
//! Formula: x = ln(21 − O₂), less its level in the hour's class of load; stretches where x stands
//! above its own level. Statistic: the fall of the median of oxygen below its level at the load,
//! in points of %.
//!
//! Excused: less air in truth, as of a new burner, which moves other things: pollutants rise, or
//! the flow falls, by at least `part` of the factor, or nitrogen oxides go either way by `burner`.
//!
//! Example: O₂ from 9 to 6 % is a fall by 3 points; with `suspect` 1.2 and `certain` 4 its score
//! is 0.5 + 0.5 × 1.8 ÷ 2.8 = 0.821.

use super::departure::{
    Departure, densest, departures, every_fifth, less_load, log_of_positive, logs, sample, shift_in,
};
use super::hit::{Evidence, Hit};
use super::outlet::{FactorSeries, Outlet};
use super::robust::median;
use super::score::score;
use super::thresholds::Thresholds;

/// Oxygen of air, %, as the formula of conversion has it.
const AIR: f64 = 21.0;

/// Looks for the pattern in an outlet.
pub fn detect(outlet: &Outlet, thresholds: &Thresholds<'_>) -> Vec<Hit> {
    let Some(series) = outlet.factor("a19001") else { return Vec::new() };
    let hours = series.hours();
    let threshold = |key| thresholds.of("a19001", hours.grid.grain(), key);
    let (load, oxygen) = (outlet.load(), hours.usable_values());
    // Where no hour of a first look is low by what is suspect, no median of a stretch is.
    let first = less_load(&every_fifth(&oxygen), &every_fifth(load));
    let most = densest(sample(&first)) - threshold("suspect");
    if !first.iter().any(|level| *level <= most) {
        return Vec::new();
    }
    let found = oxygen_tampering(&oxygen, load, threshold("least"), threshold("hours"));
    if found.is_empty() {
        return Vec::new();
    }
    let residual = |series: &FactorSeries| less_load(&logs(series.hours()), load);
    let pollutants: Vec<_> = outlet.pollutants().map(|series| (series, residual(series))).collect();
    let flow = outlet.factor("a00000").map(residual).unwrap_or_default();
    let levels = less_load(&oxygen, load);
    let is_real = |stretch: &Departure| {
        let shifts = pollutants.iter().map(|(series, of)| (series, shift_in(of, &stretch.points)));
        let shifts: Vec<_> = shifts.filter(|(_, shift)| shift.is_finite()).collect();
        let of_all = median(&mut shifts.iter().map(|(_, shift)| *shift).collect::<Vec<f64>>());
        let is_burner = |(series, shift): &(&&FactorSeries, f64)| {
            series.factor == "a21002" && shift.abs() >= threshold("burner")
        };
        let part = stretch.shift * threshold("part");
        of_all >= part || -shift_in(&flow, &stretch.points) >= part || shifts.iter().any(is_burner)
    };
    let hit = |stretch: &Departure| {
        let fall = -shift_in(&levels, &stretch.points);
        let score = score(fall, threshold("suspect"), threshold("certain"));
        stretch.hit("a19001", hours, score, Evidence::default().number("oxygen_fall", fall))
    };
    found.iter().filter(|stretch| !is_real(stretch)).map(hit).collect()
}

/// The stretches where oxygen, %, is low for its load: ln(21 − O₂) less its level at the load is
/// at least `least` above its own, with the evidence of at least `weight` hours.
///
/// ```
/// use plume_udfs::patterns::oxygen_tampering::oxygen_tampering;
/// let mut oxygen = vec![9.0; 100];
/// oxygen[40..60].fill(6.0);
/// assert_eq!(oxygen_tampering(&oxygen, &[], 0.05, 6.0)[0].points, 40..60);
/// ```
pub fn oxygen_tampering(oxygen: &[f64], load: &[f64], least: f64, weight: f64) -> Vec<Departure> {
    let shares: Vec<f64> = oxygen.iter().map(|oxygen| log_of_positive(AIR - oxygen)).collect();
    departures(&less_load(&shares, load), least, weight)
}

#[cfg(test)]
mod tests {
    use super::super::odd_records::{DEED, HALF_YEAR, survives};
    use super::super::outlet::MonitorFigures;
    use super::super::survival::{assert_found, even, found, hourly, points, stack};
    use super::*;
    use crate::time::HOUR_US;

    const PATTERN: &str = "oxygen_tampering";

    /// Oxygen around 9 %, shown lower by `fall` while the deed lasts, a pollutant and a flow.
    fn outlet(fall: f64) -> Outlet {
        let honest = even(1, HALF_YEAR).into_iter().map(|part| 9.0 + 0.4 * (part - 0.5));
        let shown = honest.enumerate().map(|(at, v)| if DEED.contains(&at) { v - fall } else { v });
        let mut outlet = hourly(stack(2, HALF_YEAR));
        let model = outlet.factors[0].clone();
        let series = |factor: &str, value: Vec<f64>| FactorSeries {
            factor: factor.to_owned(),
            fine: points(HOUR_US, value),
            monitor: MonitorFigures::default(),
            ..model.clone()
        };
        outlet.factors.push(series("a19001", shown.collect()));
        outlet.factors.push(series("a00000", stack(3, HALF_YEAR)));
        outlet
    }

    #[test]
    fn oxygen_that_is_shown_low_is_found_at_every_strength() {
        for fall in [2.0, 3.0] {
            let low = outlet(fall);
            assert_found(PATTERN, detect, &low, DEED.start, DEED.end, 0);
            // 2: 0.5 + 0.5 × 0.8 ÷ 2.8 = 0.643; 3: 0.5 + 0.5 × 1.8 ÷ 2.8 = 0.821.
            let due = if fall < 3.0 { 0.643 } else { 0.821 };
            assert!((found(PATTERN, detect, &low)[0].score - due).abs() < 0.02);
        }
        assert_eq!(found(PATTERN, detect, &outlet(0.0)), []);
    }

    #[test]
    fn less_air_in_truth_is_not() {
        // 3 points less air: (21 − 9) ÷ (21 − 6) = 0.8 of the gas, and pollutants as much thicker.
        let mut burner = outlet(3.0);
        burner.factors[2].fine.value[DEED].iter_mut().for_each(|flow| *flow *= 0.8);
        burner.factors[0].fine.value[DEED].iter_mut().for_each(|pollutant| *pollutant /= 0.8);
        assert_eq!(found(PATTERN, detect, &burner), []);
    }

    #[test]
    fn odd_outlets() {
        survives(PATTERN, detect);
    }
}
