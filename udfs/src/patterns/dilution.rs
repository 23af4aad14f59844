//! P10 `dilution` (稀释采样): air is let in at the probe, or before the analyser.
//!
//! Mechanism: a hole in the probe or a loosened fitting mixes ambient air into the sample. Oxygen
//! goes up, and every pollutant down by the same factor (21 − O₂′) ÷ (21 − O₂).
//!
//! Formula: x = −ln(21 − O₂), less its level in the hour's class of load. An hour is diluted where x says a share of
//! air of `least` or more; diluted hours are a share `within` of the hours of a deed and `elsewhere` of others, and
//! what both say, in logarithms, holds together leaks that are opened for some hours and closed again. The median
//! fall of ln C of the pollutants in the diluted hours must be that of x within `agreement`, and the share `falling`
//! of them must fall by `part` of it at least. Statistic: the share of air in the sample, 1 − exp(−shift of x); below
//! `suspect` oxygen wanders.
//!
//! Excused: changes of load (by class), starts and stops (not usable), purges with air, which take minutes (an hour
//! alone says nothing), and real excess air, which the flow shows, too: it rises by at least `part` as much.
//!
//! Example: O₂ from 6 to 9.75 %: (21 − 9.75) ÷ (21 − 6) = 0.75; a share of air of 0.25. With
//! `suspect` 0.12 and `certain` 0.3 its score is 0.5 + 0.5 × 0.13 ÷ 0.18 = 0.861.

use super::departure::{densest, every_fifth, less_load, log_of_positive, logs, median_outside, sample};
use super::evidence::{evidence, says};
use super::excess::finite;
use super::hit::{Evidence, Hit};
use super::outlet::{FactorSeries, Outlet};
use super::robust::{median, quantile};
use super::score::score;
use super::segments::{Segment, segments};
use super::thresholds::Thresholds;

/// Oxygen of air, %, as the formula of conversion has it.
const AIR: f64 = 21.0;

/// Looks for the pattern in an outlet.
pub fn detect(outlet: &Outlet, thresholds: &Thresholds<'_>) -> Vec<Hit> {
    let Some(oxygen) = outlet.factor("a19001") else { return Vec::new() };
    let hours = oxygen.hours();
    let threshold = |key| thresholds.of("a19001", hours.grid.grain(), key);
    let (suspect, least, few) = (threshold("suspect"), threshold("least"), threshold("hours"));
    let (values, load) = (hours.usable_values(), outlet.load());
    // Half of the hours, or their median says less than is suspect.
    if ((thin_hours(&values, suspect) * 2) as f64) < few {
        return Vec::new();
    }
    // Nor where no hour of a first look at each load is.
    if !dilution(&every_fifth(&values), &every_fifth(load)).iter().any(|x| *x >= log_of_share(suspect)) {
        return Vec::new();
    }
    let air = dilution(&values, load);
    let weights = evidence(threshold("within"), threshold("elsewhere"));
    let diluted = diluted_hours(&air, log_of_share(least));
    let speaks: Vec<f64> = diluted.iter().map(|is_diluted| says(*is_diluted, weights)).collect();
    let found = segments(&speaks, weights.0);
    let mut found: Vec<Stretch> = found.into_iter().map(|segment| Stretch::of(segment, &diluted)).collect();
    found.retain(|stretch| {
        stretch.diluted.len() as f64 >= few && stretch.shift_of(&air) >= log_of_share(suspect)
    });
    if found.is_empty() {
        return Vec::new();
    }
    let residual = |series: &FactorSeries| less_load(&logs(series.hours()), load);
    let pollutants: Vec<_> = outlet.pollutants().map(|series| (series, residual(series))).collect();
    let flow = outlet.factor("a00000").map(residual).unwrap_or_default();
    let hit = |stretch: &Stretch| {
        let shift = stretch.shift_of(&air);
        let falls: Vec<f64> = pollutants.iter().map(|(_, of)| -stretch.shift_of(of)).collect();
        let part = shift * threshold("part");
        let is_excess_air = stretch.shift_of(&flow) >= part;
        let is_of_one_factor = falls_with(&falls, part, threshold("falling"))
            && (median(&mut finite(&falls)) - shift).abs() <= threshold("agreement");
        if is_excess_air || !is_of_one_factor {
            return None;
        }
        let (greatest, fall) = pollutants.iter().zip(&falls).max_by(|a, b| a.1.total_cmp(b.1))?;
        let share = -(-shift).exp_m1();
        Some(
            greatest.0.hit(
                hours.span(&stretch.segment.points),
                score(share, suspect, threshold("certain")),
                stretch.diluted.len(),
                Evidence::default()
                    .number("air_share", share)
                    .number("pollutant_fall", -(-fall).exp_m1())
                    .number("hours", stretch.diluted.len() as f64),
            ),
        )
    };
    found.iter().filter_map(hit).collect()
}

/// How far a share of air moves −ln(21 − O₂).
fn log_of_share(share: f64) -> f64 {
    -log_of_positive(1.0 - share)
}

/// Hours that the share `share` of air, or more, would make of those with the least oxygen. What is below that at
/// any load isn't diluted, so that few of them spare the look at each load.
fn thin_hours(oxygen: &[f64], share: f64) -> usize {
    /// Below this share of oxygen's values lies no class of load.
    const LEAST: f64 = 0.1;
    let most = (1.0 - share) * (AIR - quantile(&mut sample(oxygen), LEAST));
    oxygen.iter().filter(|oxygen| AIR - **oxygen <= most).count()
}

/// Whether hours are diluted, so that their x is at least `least`. `None` where that is unknown, and for an hour
/// alone: a purge takes minutes of it.
fn diluted_hours(air: &[f64], least: f64) -> Vec<Option<bool>> {
    let is_thin = |hour: Option<usize>| hour.and_then(|hour| air.get(hour)).is_some_and(|x| *x >= least);
    let of_hour = |(hour, x): (usize, &f64)| {
        if x.is_nan() {
            return None;
        }
        let is_alone = || !is_thin(hour.checked_sub(1)) && !is_thin(hour.checked_add(1));
        if *x < least {
            Some(false)
        } else if is_alone() {
            None
        } else {
            Some(true)
        }
    };
    air.iter().enumerate().map(of_hour).collect()
}

/// A stretch, and the hours in it that are diluted.
struct Stretch {
    segment: Segment,
    diluted: Vec<usize>,
}

impl Stretch {
    fn of(segment: Segment, is_diluted: &[Option<bool>]) -> Self {
        let diluted =
            segment.points.clone().filter(|hour| is_diluted.get(*hour) == Some(&Some(true))).collect();
        Self { segment, diluted }
    }

    /// How far the diluted hours' median of a series lies above that outside of the stretch.
    fn shift_of(&self, series: &[f64]) -> f64 {
        let inside = self.diluted.iter().filter_map(|hour| series.get(*hour)).copied();
        let mut inside: Vec<f64> = inside.filter(|value| value.is_finite()).collect();
        median(&mut inside) - median_outside(series, &self.segment.points)
    }
}

/// Whether the share `falling` of what is known falls by at least `part`.
fn falls_with(falls: &[f64], part: f64, falling: f64) -> bool {
    let known = finite(falls);
    let count = known.iter().filter(|fall| **fall >= part).count();
    !known.is_empty() && count as f64 >= falling * known.len() as f64
}

/// How far oxygen, %, says that air is in the sample, by hour: −ln(21 − O₂) less its level at the load.
///
/// ```
/// use plume_udfs::patterns::dilution::dilution;
/// let mut oxygen = vec![6.0; 100];
/// oxygen[40..60].fill(9.75);
/// let air = dilution(&oxygen, &[]);
/// assert_eq!(air[0], 0.0);
/// assert!((air[50] - (1.0_f64 / 0.75).ln()).abs() < 1e-9);
/// ```
pub fn dilution(oxygen: &[f64], load: &[f64]) -> Vec<f64> {
    let shares: Vec<f64> = oxygen.iter().map(|oxygen| -log_of_positive(AIR - oxygen)).collect();
    let mut air = less_load(&shares, load);
    let level = densest(sample(&air));
    air.iter_mut().for_each(|x| *x -= level);
    air
}

#[cfg(test)]
mod tests {
    use super::super::odd_records::{DEED, HALF_YEAR, survives};
    use super::super::outlet::FactorSeries;
    use super::super::survival::{assert_found, even, found, hourly, points, stack};
    use super::*;
    use crate::time::HOUR_US;

    const PATTERN: &str = "dilution";

    /// Oxygen around 6 %, a pollutant and a flow; at some hours a share of the sample is air.
    fn outlet(share: f64, is_diluted: impl Fn(usize) -> bool) -> Outlet {
        let left = |at: usize| if is_diluted(at) { 1.0 - share } else { 1.0 };
        let dry = even(1, HALF_YEAR).into_iter().map(|part| 15.0 + 0.4 * (part - 0.5));
        let oxygen = dry.enumerate().map(|(at, rest)| AIR - rest * left(at)).collect();
        let pollutant = stack(2, HALF_YEAR).into_iter().enumerate().map(|(at, v)| v * left(at)).collect();
        let mut outlet = hourly(pollutant);
        let model = outlet.factors[0].clone();
        let series = |factor: &str, value: Vec<f64>| FactorSeries {
            factor: factor.to_owned(),
            fine: points(HOUR_US, value),
            monitor: super::super::outlet::MonitorFigures::default(),
            ..model.clone()
        };
        outlet.factors.push(series("a19001", oxygen));
        outlet.factors.push(series("a00000", stack(3, HALF_YEAR)));
        outlet
    }

    #[test]
    fn a_leak_is_found_at_every_strength() {
        for share in [0.2, 0.3] {
            let leak = outlet(share, |at| DEED.contains(&at));
            assert_found(PATTERN, detect, &leak, DEED.start, DEED.end, 0);
            // 0.2: 0.5 + 0.5 × 0.08 ÷ 0.18 = 0.722; 0.3 is certain.
            let score = found(PATTERN, detect, &leak)[0].score;
            assert!((score - if share < 0.3 { 0.722 } else { 1.0 }).abs() < 0.02, "{score}");
        }
        assert_eq!(found(PATTERN, detect, &outlet(0.0, |_| true)), []);
    }

    #[test]
    fn a_leak_that_is_opened_for_some_hours_is_one_deed() {
        // 8 h of every 24 from hour 1500 on; the last from 2916 to 2924.
        let leak = outlet(0.25, |at| DEED.contains(&at) && (at - DEED.start) % 24 < 8);
        assert_found(PATTERN, detect, &leak, 1500, 2924, 0);
    }

    #[test]
    fn purges_and_excess_air_are_not() {
        // Ten minutes of air every six hours.
        assert_eq!(found(PATTERN, detect, &outlet(0.17, |at| at % 6 == 5)), []);
        // Excess air of a quarter makes a third more gas.
        let mut excess = outlet(0.25, |at| DEED.contains(&at));
        excess.factors[2].fine.value[DEED].iter_mut().for_each(|flow| *flow /= 0.75);
        assert_eq!(found(PATTERN, detect, &excess), []);
    }

    #[test]
    fn odd_outlets() {
        survives(PATTERN, detect);
    }
}
