//! P10 `dilution` (稀释采样): air is let in at the probe, or before the analyser.
//!
//! Mechanism: a hole in the probe or a loosened fitting mixes ambient air into the sample. Oxygen
//! goes up, and every pollutant down by the same factor (21 − O₂′) ÷ (21 − O₂).
//!
//! Formula: x = −ln(21 − O₂), less its level in the hour's class of load; stretches where x
//! stands above its own level; there the median fall of ln C of the pollutants must be the same
//! within `agreement`. Statistic: the share of air in the sample, 1 − exp(−shift of x).
//!
//! Excused: changes of load (by class), starts and stops (not usable), short purges (no weight),
//! and real excess air, which the flow shows, too: it rises by at least half as much.
//!
//! Example: O₂ from 6 to 9.75 %: (21 − 9.75) ÷ (21 − 6) = 0.75; a share of air of 0.25. With
//! `suspect` 0.12 and `certain` 0.3 its score is 0.5 + 0.5 × 0.13 ÷ 0.18 = 0.861.

use super::departure::{Departure, departures, less_load, log_of_positive, logs, shift_in};
use super::hit::{Evidence, Hit};
use super::outlet::{FactorSeries, Outlet};
use super::robust::median;
use super::score::score;
use super::thresholds::Thresholds;

/// Oxygen of air, %, as the formula of conversion has it.
const AIR: f64 = 21.0;

/// Looks for the pattern in an outlet.
pub fn detect(outlet: &Outlet, thresholds: &Thresholds<'_>) -> Vec<Hit> {
    let Some(oxygen) = outlet.factor("a19001") else { return Vec::new() };
    let hours = oxygen.hours();
    let threshold = |key| thresholds.of("a19001", hours.grid.grain(), key);
    let load = outlet.load();
    let found = dilution(&hours.usable_values(), load, threshold("least"), threshold("hours"));
    if found.is_empty() {
        return Vec::new();
    }
    let residual = |series: &FactorSeries| less_load(&logs(series.hours()), load);
    let pollutants: Vec<_> = outlet.pollutants().map(|series| (series, residual(series))).collect();
    let flow = outlet.factor("a00000").map(residual).unwrap_or_default();
    let hit = |stretch: &Departure| {
        let falls: Vec<f64> = pollutants.iter().map(|(_, of)| -shift_in(of, &stretch.points)).collect();
        let is_excess_air = shift_in(&flow, &stretch.points) >= stretch.shift / 2.0;
        if is_excess_air || !is_of_one_factor(&falls, stretch.shift, threshold("agreement")) {
            return None;
        }
        let (greatest, fall) = pollutants.iter().zip(&falls).max_by(|a, b| a.1.total_cmp(b.1))?;
        let air = -(-stretch.shift).exp_m1();
        let evidence =
            Evidence::default().number("air_share", air).number("pollutant_fall", -(-fall).exp_m1());
        Some(stretch.hit(
            &greatest.0.factor,
            hours,
            score(air, threshold("suspect"), threshold("certain")),
            evidence,
        ))
    };
    found.iter().filter_map(hit).collect()
}

/// Whether pollutants fall as oxygen says: their median fall within `agreement` of `shift`, and
/// two of three of them by at least half of it. All are in logarithms.
fn is_of_one_factor(falls: &[f64], shift: f64, agreement: f64) -> bool {
    let mut known: Vec<f64> = falls.iter().copied().filter(|fall| fall.is_finite()).collect();
    let falling = known.iter().filter(|fall| **fall >= shift / 2.0).count();
    !known.is_empty() && falling * 3 >= known.len() * 2 && (median(&mut known) - shift).abs() <= agreement
}

/// The stretches where oxygen, %, says that air is in the sample: −ln(21 − O₂) less its level at
/// the load is at least `least` above its own, with the evidence of at least `weight` hours.
///
/// ```
/// use plume_udfs::patterns::dilution::dilution;
/// let mut oxygen = vec![6.0; 100];
/// oxygen[40..60].fill(9.75);
/// let found = dilution(&oxygen, &[], 0.1, 6.0);
/// assert_eq!(found[0].points, 40..60);
/// assert!((found[0].shift - (1.0_f64 / 0.75).ln()).abs() < 1e-9);
/// ```
pub fn dilution(oxygen: &[f64], load: &[f64], least: f64, weight: f64) -> Vec<Departure> {
    let shares: Vec<f64> = oxygen.iter().map(|oxygen| -log_of_positive(AIR - oxygen)).collect();
    departures(&less_load(&shares, load), least, weight)
}
