//! P27 `impossible_physics` (物理不可能): states of a flue gas contradict each other.
//!
//! Mechanism: velocity, pressure, temperature or humidity are set by hand; who sets one forgets the others.
//!
//! | check | formula | statistic |
//! |---|---|---|
//! | `velocity` | ln v − ½ ln dynamic pressure is the outlet's own constant | median distance from it |
//! | `dew_point` | humidity over what saturated air holds at the temperature | ln of its median |
//! | `dry` | ln of its own level of humidity over the humidity | shift, where it falls below `dry` % |
//! | `draught` | static pressure above 0 where its own level is below it | its median over its own level |
//!
//! Saturation: 0.6112 × exp(17.62 t ÷ (243.12 + t)) kPa (Magnus formula, WMO), over 101.325 kPa.
//!
//! Excused: a sensor that fails for some hours (`hours`), and noise, which the outlet's own spread tells.
//!
//! Example: 50 °C: 0.6112 × exp(881 ÷ 293.12) = 12.35 kPa, 12.2 %. A humidity of 18 % is 1.477 of
//! it, ln 0.39. With `suspect` 0.2 and `certain` 0.5 its score is 0.5 + 0.5 × 0.19 ÷ 0.3 = 0.817.

use std::ops::Range;

use super::departure::{densest, departures, log_of_positive, median_in, sample};
use super::hit::{Evidence, Hit};
use super::outlet::{Outlet, Points};
use super::robust::median_and_mad;
use super::score::score;
use super::segments::segments;
use super::thresholds::Thresholds;

/// Looks for the pattern in an outlet.
pub fn detect(outlet: &Outlet, thresholds: &Thresholds<'_>) -> Vec<Hit> {
    let hours = |factor: &str| outlet.factor(factor).map(|series| series.hours());
    let mut hits = Vec::new();
    if let (Some(velocity), Some(pressure)) = (hours("a01011"), hours("a01017")) {
        let off = off_own_constant(&velocity.usable_values(), &pressure.usable_values());
        hits.extend(check("velocity", "a01011", velocity, &off, thresholds));
    }
    if let (Some(humidity), Some(temperature)) = (hours("a01014"), hours("a01012")) {
        let over = over_saturation(&humidity.usable_values(), &temperature.usable_values());
        hits.extend(check("dew_point", "a01014", humidity, &over, thresholds));
    }
    hits.extend(hours("a01014").into_iter().flat_map(|humidity| too_dry(humidity, thresholds)));
    hits.extend(hours("a01013").into_iter().flat_map(|pressure| no_draught(pressure, thresholds)));
    hits
}

fn check(
    name: &'static str,
    factor: &str,
    on: &Points,
    off: &[f64],
    thresholds: &Thresholds<'_>,
) -> Vec<Hit> {
    let threshold = |key| thresholds.of(factor, on.grid.grain(), key);
    let hit = |points: Range<usize>| {
        let statistic = median_in(off, &points);
        Hit::new(
            factor,
            on.span(&points),
            score(statistic, threshold("suspect"), threshold("certain")),
            off.get(points).unwrap_or_default().iter().filter(|value| value.is_finite()).count(),
            Evidence::default().text("check", name).number("statistic", statistic),
        )
    };
    impossible_physics(off, threshold("least"), threshold("hours")).into_iter().map(hit).collect()
}

fn too_dry(humidity: &Points, thresholds: &Thresholds<'_>) -> Vec<Hit> {
    let threshold = |key| thresholds.of("a01014", humidity.grid.grain(), key);
    let values = humidity.usable_values();
    let level = densest(sample(&values));
    if level.is_nan() || level < threshold("wet") {
        return Vec::new();
    }
    let below: Vec<f64> = values.iter().map(|value| -log_of_positive(*value)).collect();
    let found = departures(&below, threshold("least"), threshold("hours"));
    let is_dry = |points: &Range<usize>| median_in(&values, points) < threshold("dry");
    let dry = found.into_iter().filter(|stretch| is_dry(&stretch.points));
    let hit = |stretch: super::departure::Departure| {
        let evidence = Evidence::default().text("check", "dry").number("statistic", stretch.shift);
        let score = score(stretch.shift, threshold("suspect"), threshold("certain"));
        stretch.hit("a01014", humidity, score, evidence)
    };
    dry.map(hit).collect()
}

fn no_draught(pressure: &Points, thresholds: &Thresholds<'_>) -> Vec<Hit> {
    let values = pressure.usable_values();
    let level = densest(sample(&values));
    let (middle, mad) = median_and_mad(&mut sample(&values));
    // A duct whose pressure wanders around 0 has no draught to speak of.
    if level.is_nan() || level >= -3.0 * mad || middle >= 0.0 {
        return Vec::new();
    }
    let above: Vec<f64> = values.iter().map(|value| value / level.abs()).collect();
    check("draught", "a01013", pressure, &above, thresholds)
}

/// How far ln v − ½ ln p lies from the outlet's own constant, less twice its own spread.
fn off_own_constant(velocity: &[f64], pressure: &[f64]) -> Vec<f64> {
    let of = |(v, p): (&f64, &f64)| log_of_positive(*v) - 0.5 * log_of_positive(*p);
    let constants: Vec<f64> = velocity.iter().zip(pressure).map(of).collect();
    let level = densest(sample(&constants));
    let away: Vec<f64> = constants.iter().map(|constant| (constant - level).abs()).collect();
    // Half of the time is true whatever the rest is.
    let usual = densest(sample(&away));
    away.iter().map(|away| away - 2.0 * usual).collect()
}

/// ln of humidity, %, over the greatest possible at a temperature, °C; NaN at 100 °C and above.
fn over_saturation(humidity: &[f64], temperature: &[f64]) -> Vec<f64> {
    let of = |(humidity, temperature): (&f64, &f64)| {
        let saturated = 0.6112 * (17.62 * temperature / (243.12 + temperature)).exp() / 101.325 * 100.0;
        let is_liquid = (-40.0..100.0).contains(temperature);
        if is_liquid { log_of_positive(humidity / saturated) } else { -1.0 }
    };
    humidity.iter().zip(temperature).map(of).map(|over| if over < -1.0 { -1.0 } else { over }).collect()
}

/// The stretches where a contradiction exceeds `least`, with the evidence of at least `weight` points.
///
/// ```
/// use plume_udfs::patterns::impossible_physics::impossible_physics;
/// let mut off = vec![0.0; 100];
/// off[30..60].fill(0.4);
/// assert_eq!(impossible_physics(&off, 0.1, 6.0), [30..60]);
/// ```
pub fn impossible_physics(off: &[f64], least: f64, weight: f64) -> Vec<Range<usize>> {
    let speaks = |off: &f64| ((off - least) / least).clamp(-1.0, 1.0);
    let found = segments(&off.iter().map(speaks).collect::<Vec<f64>>(), weight);
    found.into_iter().map(|segment| segment.points).collect()
}
