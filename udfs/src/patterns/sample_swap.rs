//! P25 `sample_swap` (清水替样): the sampler drinks from a bottle of clean water.
//!
//! Mechanism: the intake pipe is put into a bottle or a tap, for good or for some hours at a time. All
//! factors fall at once and stay low until it is put back.
//!
//! Formula: an hour is low where all factors but one at most, and at least `factors` of them, stand at or below
//! exp(−`suspect`) of their own median. Low hours are a share `within` of the hours of a deed and `elsewhere` of
//! others: their evidence, ln(`within` ÷ `elsewhere`), holds together bottles that are some days apart.
//! Statistic: the median over the factors of ln(own median ÷ median of the low hours).
//!
//! Excused: fewer than `factors` factors; fewer low hours than `hours`; a factor that falls by less than
//! `each` of the statistic (a bottle spares none), conductivity among them; rain or rinsing water, which the
//! flow shows, too: it rises by half of the statistic; a discharge that pauses: hours whose flow is unknown, or at
//! most `no_flow` of its median, say nothing, for what stands still in the pipe is no sample.
//!
//! Example: all factors to a half: a fall of ln 2 = 0.693. With `suspect` 0.45 and `certain`
//! 1.1 its score is 0.5 + 0.5 × 0.243 ÷ 0.65 = 0.687.

use super::departure::usual_level;
use super::evidence::{evidence, says};
use super::hit::{Evidence, Hit};
use super::outlet::{FactorSeries, Outlet};
use super::robust::median;
use super::score::score;
use super::segments::{Segment, segments};
use super::thresholds::Thresholds;

/// A factor's values that may be judged, and their median.
#[derive(Debug, Clone, PartialEq)]
pub struct Level {
    /// Values by hour; NaN where they may not be judged.
    pub values: Vec<f64>,
    /// Their median.
    pub median: f64,
}

impl Level {
    fn of(series: &FactorSeries) -> Self {
        Self { values: series.hours().usable_values(), median: usual_level(series.hours()) }
    }

    /// The median of the values at some hours.
    fn median_at(&self, hours: &[usize]) -> f64 {
        let known = hours.iter().filter_map(|hour| self.values.get(*hour)).copied();
        median(&mut known.filter(|value| value.is_finite()).collect::<Vec<f64>>())
    }

    /// By how much, in logarithms, the values at some hours lie below the median.
    fn fall_at(&self, hours: &[usize]) -> f64 {
        (self.median / self.median_at(hours)).ln()
    }
}

/// Looks for the pattern in an outlet.
pub fn detect(outlet: &Outlet, thresholds: &Thresholds<'_>) -> Vec<Hit> {
    let is_water = |series: &&FactorSeries| {
        series.medium == plume_datasets::factors::Medium::Water
            && !matches!(series.factor.as_str(), "w00000" | "w01001" | "w01010" | "w01009")
    };
    let series: Vec<_> = outlet.factors.iter().filter(is_water).collect();
    let Some(first) = series.first() else { return Vec::new() };
    let hours = first.hours();
    let threshold = |key| thresholds.of(&first.factor, hours.grid.grain(), key);
    let (suspect, least) = (threshold("suspect"), threshold("factors"));
    if (series.len() as f64) < least {
        return Vec::new();
    }
    let levels: Vec<Level> = series.iter().map(|series| Level::of(series)).collect();
    let flow = outlet.factor("w00000").map(Level::of);
    let mut low = sample_swap(&levels, (-suspect).exp(), least as usize);
    if let (Some(series), Some(level)) = (outlet.factor("w00000"), &flow) {
        without_pauses(&mut low, &series.hours().value, threshold("no_flow") * level.median);
    }
    let weights = evidence(threshold("within"), threshold("elsewhere"));
    let speaks: Vec<f64> = low.iter().map(|is_low| says(*is_low, weights)).collect();
    let hit = |Segment { points, .. }: Segment| {
        let at: Vec<usize> = points.clone().filter(|hour| low.get(*hour) == Some(&Some(true))).collect();
        let falls: Vec<f64> = levels.iter().map(|level| level.fall_at(&at)).collect();
        let fall = median(&mut falls.iter().copied().filter(|fall| fall.is_finite()).collect::<Vec<f64>>());
        let is_spared = falls.iter().any(|of| *of < threshold("each") * fall);
        let is_rain = flow.as_ref().is_some_and(|flow| -flow.fall_at(&at) >= fall / 2.0);
        if (at.len() as f64) < threshold("hours") || is_spared || is_rain {
            return None;
        }
        let (lowest, _) = series.iter().zip(&falls).max_by(|a, b| a.1.total_cmp(b.1))?;
        Some(lowest.hit(
            hours.span(&points),
            score(fall, suspect, threshold("certain")),
            at.len(),
            Evidence::default().number("remains", (-fall).exp()).number("hours", at.len() as f64),
        ))
    };
    segments(&speaks, weights.0 * threshold("hours") / 2.0).into_iter().filter_map(hit).collect()
}

/// Forgets the hours in which no flow, or next to none, is known.
fn without_pauses(low: &mut [Option<bool>], flow: &[f64], least: f64) {
    for (low, flow) in low.iter_mut().zip(flow) {
        if flow.is_nan() || *flow <= least {
            *low = None;
        }
    }
}

/// Whether all factors but one at most, and at least `least`, stand at or below `remains` of their median, by
/// hour; `None` where fewer than `least` have a value.
///
/// ```
/// use plume_udfs::patterns::sample_swap::{Level, sample_swap};
/// let level = |values: [f64; 3]| Level { values: values.to_vec(), median: 10.0 };
/// let levels = [
///     level([10.0, 2.0, 2.0]), level([9.0, 3.0, f64::NAN]), level([8.0, 9.0, 1.0]), level([9.0, 3.0, f64::NAN]),
/// ];
/// assert_eq!(sample_swap(&levels, 0.7, 3), [Some(false), Some(true), None]);
/// ```
pub fn sample_swap(levels: &[Level], remains: f64, least: usize) -> Vec<Option<bool>> {
    let count = levels.iter().map(|level| level.values.len()).max().unwrap_or_default();
    let mut counts = vec![(0_usize, 0_usize); count];
    for level in levels {
        let most = remains * level.median;
        for ((known, low), value) in counts.iter_mut().zip(&level.values) {
            *known += usize::from(value.is_finite());
            *low += usize::from(*value <= most);
        }
    }
    counts
        .into_iter()
        .map(|(known, low)| (known >= least).then_some(low >= least && low + 1 >= known))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::odd_records::{DEED, HALF_YEAR, survives};
    use super::super::survival::{assert_found, found, hourly, stack};
    use super::*;

    const PATTERN: &str = "sample_swap";

    /// Water of four factors and a flow, of which `left` is left at some hours.
    fn outlet(left: f64, is_swapped: impl Fn(usize) -> bool) -> Outlet {
        let mut outlet = hourly(Vec::new());
        let codes = ["w00000", "w01018", "w21001", "w21003", "w21011"];
        let series = codes.iter().zip(1..).map(|(code, seed)| {
            let left = if *code == "w00000" { 1.0 } else { left };
            let value = |(at, value): (usize, f64)| if is_swapped(at) { value * left } else { value };
            let one = hourly(stack(seed, HALF_YEAR).into_iter().enumerate().map(value).collect());
            let series = one.factors.into_iter().next().unwrap();
            FactorSeries {
                factor: (*code).to_owned(),
                medium: plume_datasets::factors::Medium::Water,
                ..series
            }
        });
        outlet.factors = series.collect();
        outlet
    }

    #[test]
    fn bottles_for_some_hours_are_one_deed() {
        // Every 5 days for 12 h, from hour 1500 on; the last from 2820 to 2832. Each says 12 × ln(0.1 ÷ 0.005) =
        // 35.9 for it, the 108 h to the next 108 × ln(0.9 ÷ 0.995) = −10.8 against it.
        let bottle = |at: usize| DEED.contains(&at) && (at - DEED.start) % 120 < 12;
        for left in [0.5, 0.25] {
            assert_found(PATTERN, detect, &outlet(left, bottle), 1500, 2832, 0);
        }
        assert_eq!(found(PATTERN, detect, &outlet(1.0, bottle)), []);
        assert_found(PATTERN, detect, &outlet(0.25, |at| DEED.contains(&at)), DEED.start, DEED.end, 0);
    }

    #[test]
    fn a_pause_of_the_discharge_is_not() {
        let pause = |at: usize| DEED.contains(&at) && (at - DEED.start) % 120 < 12;
        let mut paused = outlet(0.05, pause);
        (0..HALF_YEAR).filter(|at| pause(*at)).for_each(|at| paused.factors[0].fine.value[at] = 0.0);
        (0..HALF_YEAR).for_each(|at| paused.factors[0].fine.usable[at] = true);
        assert_eq!(found(PATTERN, detect, &paused), []);
    }

    #[test]
    fn rain_is_not() {
        // Everything to a half, and the flow to the double.
        let mut rain = outlet(0.5, |at| DEED.contains(&at));
        DEED.for_each(|at| rain.factors[0].fine.value[at] *= 2.0);
        assert_eq!(found(PATTERN, detect, &rain), []);
    }

    #[test]
    fn odd_outlets() {
        survives(PATTERN, detect);
    }
}
