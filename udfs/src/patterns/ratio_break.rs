//! P34 `ratio_break` (比值突变): one pollutant leaves the others.
//!
//! Mechanism: one channel is scaled down, or its sample is treated; the pollutants of one flame
//! otherwise go together.
//!
//! Formula: for each pollutant with a week that is lower than usual, x = median of the others' logarithms − its own;
//! stretches where x stands at least `least` above its own level for long. Statistic: the shift of the median;
//! it must be `sure` times its standard error, which the spread of the other days tells, of which
//! `memory` count as one.
//!
//! Excused: a change of fuel, which moves the others, too: where one of the others moves by
//! `others` of the shift, or by half of that and by `moves` standard errors of its own, none stands alone; and where there are less than three pollutants
//! nobody can tell which of the two moved, so the one that moved must have left its own level and
//! the other not.
//!
//! Example: SO₂ × 0.7 is a shift by −ln 0.7 = 0.357. With `suspect` 0.18 and `certain` 0.45 its score is
//! 0.5 + 0.5 × 0.177 ÷ 0.27 = 0.828. Medians of days that spread by 0.1, 60 of them inside and 120 outside, 3 as one:
//! an error of 0.1 × √(3 ÷ 60 + 3 ÷ 120) = 0.027, and the shift is 13 of them.

use super::departure::{Departure, departures, has_low_week, logs, shift_error, shift_in};
use super::hit::{Evidence, Hit};
use super::outlet::{FactorSeries, Outlet};
use super::robust::median;
use super::score::score;
use super::thresholds::Thresholds;

/// Looks for the pattern in an outlet.
pub fn detect(outlet: &Outlet, thresholds: &Thresholds<'_>) -> Vec<Hit> {
    let is_gas = |series: &&FactorSeries| series.medium == plume_datasets::factors::Medium::Air;
    let series: Vec<_> = outlet.pollutants().filter(is_gas).collect();
    let may_be_alone = |series: &FactorSeries| {
        let least = thresholds.of(&series.factor, series.hours().grid.grain(), "least");
        has_low_week(series.hours(), (-least).exp())
    };
    let candidates: Vec<usize> =
        (0..series.len()).filter(|one| series.get(*one).is_some_and(|of| may_be_alone(of))).collect();
    if series.len() < 2 || candidates.is_empty() {
        return Vec::new();
    }
    let all: Vec<_> = series.iter().map(|series| logs(series.hours())).collect();
    candidates.into_iter().flat_map(|one| of_one(&series, &all, one, thresholds)).collect()
}

fn of_one(series: &[&FactorSeries], all: &[Vec<f64>], one: usize, thresholds: &Thresholds<'_>) -> Vec<Hit> {
    let (Some(of), Some(own)) = (series.get(one), all.get(one)) else { return Vec::new() };
    let hours = of.hours();
    let threshold = |key| thresholds.of(&of.factor, hours.grid.grain(), key);
    let others: Vec<&[f64]> =
        all.iter().enumerate().filter(|(other, _)| *other != one).map(|(_, of)| of.as_slice()).collect();
    let ratios = ratio_break(own, &others);
    let (memory, moves) = (threshold("memory"), threshold("moves"));
    let is_alone = |stretch: &Departure| {
        let most = threshold("others") * stretch.shift;
        let stays = |other: &&[f64]| {
            let moved = shift_in(other, &stretch.points).abs();
            let is_clear = moved >= moves * shift_error(other, &stretch.points, memory);
            moved < most && !(is_clear && moved >= most / 2.0)
        };
        -shift_in(own, &stretch.points) > stretch.shift - most && others.iter().all(stays)
    };
    let hit = |stretch: Departure| {
        let error = shift_error(&ratios, &stretch.points, memory);
        let is_sure = stretch.shift >= threshold("sure") * error;
        let evidence = Evidence::default()
            .number("ratio", (-stretch.shift).exp())
            .number("standard_errors", stretch.shift / error);
        let score = score(stretch.shift, threshold("suspect"), threshold("certain"));
        (is_sure && is_alone(&stretch)).then(|| stretch.hit(&of.factor, hours, score, evidence))
    };
    let found = departures(&ratios, threshold("least"), threshold("hours"));
    found.into_iter().filter_map(hit).collect()
}

/// How far one pollutant's logarithm lies below the median of the others', by hour; NaN where one
/// of them is missing.
///
/// ```
/// use plume_udfs::patterns::ratio_break::ratio_break;
/// // Median of 2 and 4 is 3, and 3 − 1 = 2.
/// assert_eq!(ratio_break(&[1.0, f64::NAN], &[&[2.0, 2.0], &[4.0, 4.0]])[0], 2.0);
/// ```
pub fn ratio_break(own: &[f64], others: &[&[f64]]) -> Vec<f64> {
    let mut at_hour = Vec::with_capacity(others.len());
    let below = |(hour, own): (usize, &f64)| {
        if own.is_nan() {
            return f64::NAN;
        }
        at_hour.clear();
        at_hour
            .extend(others.iter().filter_map(|of| of.get(hour)).copied().filter(|value| value.is_finite()));
        median(&mut at_hour) - own
    };
    own.iter().enumerate().map(below).collect()
}

#[cfg(test)]
mod tests {
    use super::super::odd_records::{DEED, HALF_YEAR, scaled, survives};
    use super::super::survival::{assert_found, found, hourly, stack};
    use super::*;

    const PATTERN: &str = "ratio_break";

    /// Three pollutants of one flame, each with some noise of its own, and shares left while the deed lasts.
    fn outlet(left: [f64; 3]) -> Outlet {
        let flame = stack(1, HALF_YEAR);
        let factors = ["a21002", "a21026", "a34013"].iter().zip(left).zip(2..);
        let series = factors.map(|((factor, left), seed)| {
            let noise = stack(seed, HALF_YEAR);
            let values: Vec<f64> =
                flame.iter().zip(noise).map(|(flame, noise)| flame * (0.5 + noise / 50.0)).collect();
            let series = hourly(scaled(&values, left)).factors.remove(0);
            FactorSeries { factor: (*factor).to_owned(), ..series }
        });
        Outlet { factors: series.collect(), ..hourly(Vec::new()) }
    }

    #[test]
    fn a_channel_scaled_down_is_found() {
        // −ln 0.7 = 0.357 scores 0.828, −ln 0.75 = 0.288 scores 0.7.
        for left in [0.7, 0.75] {
            assert_found(PATTERN, detect, &outlet([left, 1.0, 1.0]), DEED.start, DEED.end, 12);
        }
        assert_eq!(found(PATTERN, detect, &outlet([1.0; 3])), []);
    }

    #[test]
    fn another_fuel_is_not() {
        assert_eq!(found(PATTERN, detect, &outlet([0.5, 1.4, 1.0])), []);
        assert_eq!(found(PATTERN, detect, &outlet([0.5, 0.5, 0.5])), []);
    }

    #[test]
    fn odd_outlets() {
        survives(PATTERN, detect);
    }
}
