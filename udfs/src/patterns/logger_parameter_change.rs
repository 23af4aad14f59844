//! P14 `logger_parameter_change` (数采参数改动): a parameter of the data logger is changed.
//!
//! Mechanism: the logger makes flow of velocity and area, and converted values of the
//! reference oxygen. A smaller velocity-field coefficient or area lowers every flow, and with it
//! the mass; no concentration shows it.
//!
//! Formula: r = flow ÷ velocity, both as sent, brought to the flue gas's own state where its
//! temperature and humidity are known: r × (273 + t) ÷ 273 ÷ (1 − Xsw) is the area by the velocity-field
//! coefficient, a constant of the outlet. A stretch in which ln r lies below its usual value by more
//! than `suspect`, and by `noise` of its standard deviations, is a hit. So is a parameter that the
//! logger reports changed by `suspect` or more, until it is changed back. Score: the fall of r, or the
//! parameter's relative change, `suspect` → 0.5, `certain` → 1.
//!
//! Excused: a change near a maintenance or a notice on record (within `record_share` of the usual interval
//! between them, at most `record_hours`; where hours around the change are unknown, near either end of them); a low ratio from the first hour on that ends with such a record, since
//! that is the change, and what was before it is the former figure; a fall of which the flow shows less than
//! `part` before temperature and humidity are allowed for, so that these were shown wrong and not the flow; hours
//! that can't be judged; flow or velocity near 0.
//!
//! Example: flow 100 at velocity 10, later 75 at velocity 10: ln 7.5 − ln 10 = −0.288, a fall of
//! 1 − exp(−0.288) = 0.25. With `suspect` 0.03 and `certain` 0.1 the score is 1.

use std::ops::Range;

use plume_datasets::factors::Medium;

use super::departure::shift_in;
use super::documented::{Documented, maintenance_of};
use super::excess::{Excess, falls};
use super::hit::{Evidence, Hit};
use super::outlet::{Grid, Outlet, ParamRecord};
use super::score::score;
use super::thresholds::Thresholds;

/// Velocity of the flue gas.
const VELOCITY: &str = "a01011";
/// Its temperature, °C.
const TEMPERATURE: &str = "a01012";
/// Its humidity, %.
const HUMIDITY: &str = "a01014";
/// Parameters of a logger: reference oxygen, velocity-field and pitot coefficients, ranges of its inputs.
const LOGGER_PARAMS: [&str; 11] = [
    "i23002", "i23003", "i23004", "i23006", "i23007", "i23008", "i23009", "i23010", "i23011", "i23012",
    "i23013",
];

/// Looks for the pattern in an outlet.
pub fn detect(outlet: &Outlet, thresholds: &Thresholds<'_>) -> Vec<Hit> {
    let mut hits = of_flow(outlet, thresholds).unwrap_or_default();
    hits.extend(of_params(outlet, thresholds));
    hits
}

fn documented(outlet: &Outlet, factor: &str, thresholds: &Thresholds<'_>) -> Documented {
    let threshold = |key| thresholds.of(factor, outlet.hours.grain(), key);
    let times = maintenance_of(outlet, factor).map(|record| record.span.start);
    Documented::new(times.collect(), threshold("record_share"), threshold("record_hours"))
}

fn of_flow(outlet: &Outlet, thresholds: &Thresholds<'_>) -> Option<Vec<Hit>> {
    let flow = outlet.flow(Medium::Air)?;
    let hours_of = |factor: &str| outlet.factor(factor).map(|series| series.hours());
    let velocity = hours_of(VELOCITY)?;
    let points = flow.hours();
    let value_of = |factor: &str| hours_of(factor).map(|points| points.value.as_slice()).unwrap_or_default();
    let states = states(points.len(), value_of(TEMPERATURE), value_of(HUMIDITY));
    let ratios = logger_parameter_change(&points.usable_values(), &velocity.usable_values(), &states);
    let threshold = |key| thresholds.of(&flow.factor, points.grid.grain(), key);
    let (suspect, certain) = (threshold("suspect"), threshold("certain"));
    // A fall of the logarithm, as a fall by a share is.
    let least_fall = -(1.0 - suspect).ln();
    let (found, tolerance) = falls(&ratios, least_fall, threshold("noise"), threshold("least_hours"));
    let documented = documented(outlet, &flow.factor, thresholds);
    let is_documented = |stretch: &Excess| {
        let changed = points.span(&change_of(&ratios, stretch, threshold("least_hours")));
        documented.accounts_for(changed.start) || documented.accounts_for(changed.end)
    };
    let as_sent: Vec<f64> = ratios.iter().zip(&states).map(|(ratio, state)| ratio + state.ln()).collect();
    let is_of_flow =
        |stretch: &Excess| -shift_in(&as_sent, &stretch.points) >= stretch.typical * threshold("part");
    let hits = found.into_iter().map(|stretch| (points.span(&stretch.points), stretch));
    let undocumented = hits.filter(|(_, stretch)| !is_documented(stretch) && is_of_flow(stretch));
    let hit = |(span, stretch): (Range<i64>, Excess)| {
        let fall = 1.0 - (-stretch.typical).exp();
        flow.hit(
            span,
            score(fall * least_fall / tolerance, suspect, certain),
            stretch.rows,
            Evidence::default().number("fall", fall).number("tolerance", 1.0 - (-tolerance).exp()),
        )
    };
    Some(undocumented.map(hit).collect())
}

/// The points between which the figure changed: from the last ratio known before the stretch to its first one.
/// Where fewer than `few` are known before, nobody saw it begin, and the change is that at its end.
fn change_of(ratios: &[f64], stretch: &Excess, few: f64) -> Range<usize> {
    let Range { start, end } = stretch.points;
    let before = ratios.get(..start).unwrap_or_default();
    if before.iter().filter(|ratio| ratio.is_finite()).count() as f64 >= few {
        let last = before.iter().rposition(|ratio| ratio.is_finite());
        return last.map_or(0, |last| last + 1)..start;
    }
    let behind = ratios.get(end..).unwrap_or_default();
    end..end + behind.iter().position(|ratio| ratio.is_finite()).unwrap_or_default()
}

/// By how much a flow at standard state is smaller than at the flue gas's own, by hour; 1 where
/// temperature and humidity are unknown throughout.
fn states(hours: usize, temperature: &[f64], humidity: &[f64]) -> Vec<f64> {
    /// 0 °C in kelvins.
    const ZERO_CELSIUS: f64 = 273.0;
    let state = |at: usize| {
        let warm = temperature.get(at).map_or(1.0, |t| ZERO_CELSIUS / (ZERO_CELSIUS + t));
        let dry = humidity.get(at).map_or(1.0, |percent| 1.0 - percent / 100.0);
        warm * dry
    };
    (0..hours).map(state).collect()
}

/// ln(flow ÷ velocity ÷ state) by hour; NaN where any is unknown or not above 0.
///
/// ```
/// use plume_udfs::patterns::logger_parameter_change::logger_parameter_change;
/// let ratios = logger_parameter_change(&[100.0, 75.0, 0.0], &[10.0, 10.0, 0.0], &[1.0, 1.0, 1.0]);
/// assert!((ratios[0] - ratios[1] - 0.2877).abs() < 1e-4);
/// assert!(ratios[2].is_nan());
/// ```
pub fn logger_parameter_change(flow: &[f64], velocity: &[f64], state: &[f64]) -> Vec<f64> {
    let all = flow.iter().zip(velocity).zip(state);
    all.map(|((flow, velocity), state)| {
        let is_known = *flow > 0.0 && *velocity > 0.0 && *state > 0.0;
        if is_known { flow.ln() - velocity.ln() - state.ln() } else { f64::NAN }
    })
    .collect()
}

/// Changes of what the logger reports, each until it is changed back or the data end.
fn of_params(outlet: &Outlet, thresholds: &Thresholds<'_>) -> Vec<Hit> {
    let params = &outlet.records.params;
    let is_logger =
        |record: &&ParamRecord| LOGGER_PARAMS.contains(&record.param.as_str()) && record.value.is_finite();
    let mut names: Vec<(&str, &str)> = params
        .iter()
        .filter(is_logger)
        .map(|record| (record.factor.as_str(), record.param.as_str()))
        .collect();
    names.sort_unstable();
    names.dedup();
    let flow = outlet.flow(Medium::Air).or_else(|| outlet.factors.first());
    let Some(flow) = flow else { return Vec::new() };
    let points = flow.hours();
    let end = points.grid.ts(points.len());
    let of_name = |(factor, param): (&str, &str)| {
        let records: Vec<(i64, f64)> = params
            .iter()
            .filter(|record| record.factor == factor && record.param == param && record.value.is_finite())
            .map(|record| (record.ts, record.value))
            .collect();
        let of = if outlet.factor(factor).is_some() { factor } else { flow.factor.as_str() };
        let documented = documented(outlet, of, thresholds);
        let threshold = |key| thresholds.of(of, Grid::grain(&points.grid), key);
        let (suspect, certain) = (threshold("suspect"), threshold("certain"));
        let changes =
            changes(&records, suspect, end).into_iter().filter(|c| !documented.accounts_for(c.span.start));
        let hit = |change: ParamChange| {
            let score = score((change.to / change.from - 1.0).abs(), suspect, certain);
            let evidence =
                Evidence::default().text("param", param).number("from", change.from).number("to", change.to);
            Hit::new(of, change.span, score, 1, evidence)
        };
        changes.map(hit).collect::<Vec<Hit>>()
    };
    names.into_iter().flat_map(of_name).collect()
}

/// A parameter that was changed, until it was changed back.
#[derive(Debug, Clone, PartialEq)]
pub struct ParamChange {
    /// When it began and ended, µs.
    pub span: Range<i64>,
    /// Before.
    pub from: f64,
    /// While it lasted.
    pub to: f64,
}

/// Changes by the share `least` or more from the value in force before; a change that is never
/// undone lasts to `end`. `records` are of one parameter, in order of time.
pub fn changes(records: &[(i64, f64)], least: f64, end: i64) -> Vec<ParamChange> {
    let mut found: Vec<ParamChange> = Vec::new();
    let mut open: Option<ParamChange> = None;
    let mut usual = f64::NAN;
    let is_far = |a: f64, b: f64| (a / b - 1.0).abs() >= least;
    for (ts, value) in records.iter().copied() {
        match open.take() {
            Some(change) if is_far(value, change.from) => open = Some(change),
            Some(mut change) => {
                change.span.end = ts;
                found.push(change);
                usual = value;
            }
            None if is_far(value, usual) => {
                open = Some(ParamChange { span: ts..end, from: usual, to: value });
            }
            None => usual = value,
        }
    }
    found.extend(open);
    found
}

#[cfg(test)]
mod tests {
    use super::super::odd_records::{DEED, HALF_YEAR, maintenance, scaled, survives};
    use super::super::outlet::FactorSeries;
    use super::super::survival::{even, found, hourly, points};
    use super::*;
    use crate::time::HOUR_US;

    const PATTERN: &str = "logger_parameter_change";

    /// A duct of 20 m² with some noise of the flow, and a share of it left while the deed lasts.
    fn outlet(left: f64) -> Outlet {
        let mut outlet = hourly(Vec::new());
        let velocity: Vec<f64> = even(1, HALF_YEAR).iter().map(|part| 8.0 + 4.0 * part).collect();
        let flow: Vec<f64> = velocity
            .iter()
            .zip(even(2, HALF_YEAR))
            .map(|(v, part)| 20.0 * v * (0.995 + 0.01 * part))
            .collect();
        let model = outlet.factors[0].clone();
        let series = |factor: &str, value: Vec<f64>| FactorSeries {
            factor: factor.to_owned(),
            fine: points(HOUR_US, value),
            ..model.clone()
        };
        outlet.factors =
            vec![series(Medium::Air.flow_factor(), scaled(&flow, left)), series(VELOCITY, velocity)];
        outlet
    }

    #[test]
    fn a_smaller_duct_is_found_at_every_strength() {
        for left in [0.9, 0.75, 0.5] {
            let hits = found(PATTERN, detect, &outlet(left));
            assert_eq!(hits.len(), 1);
            let hours = hits[0].started / HOUR_US..hits[0].ended / HOUR_US;
            assert_eq!(hours, DEED.start as i64..DEED.end as i64);
        }
        assert_eq!(found(PATTERN, detect, &outlet(1.0)), []);
    }

    #[test]
    fn a_notice_excuses_it() {
        let mut noticed = outlet(0.75);
        noticed.records.maintenance = vec![maintenance(DEED.start as i64 - 3..DEED.start as i64)];
        assert_eq!(found(PATTERN, detect, &noticed), []);
    }

    #[test]
    fn a_noticed_rise_is_no_fall_before_it() {
        // From the deed's end on the duct is told to be larger; all of the time before is low against it.
        let mut risen = outlet(1.0);
        risen.factors[0].fine.value[DEED.end / 2..].iter_mut().for_each(|flow| *flow *= 1.2);
        assert_eq!(found(PATTERN, detect, &risen).len(), 1);
        let notice = DEED.end as i64 / 2;
        risen.records.maintenance = vec![maintenance(notice - 1..notice)];
        assert_eq!(found(PATTERN, detect, &risen), []);
    }

    #[test]
    fn a_humidity_that_is_shown_too_low_is_not() {
        // 15 % of water, shown as 2 % while the deed lasts: (1 − 0.15) ÷ (1 − 0.02) is a fall by 13 %.
        let mut dried = outlet(1.0);
        let mut humidity = dried.factors[1].clone();
        HUMIDITY.clone_into(&mut humidity.factor);
        humidity.fine.value.fill(15.0);
        humidity.fine.value[DEED].fill(2.0);
        dried.factors.push(humidity);
        assert_eq!(found(PATTERN, detect, &dried), []);
    }

    #[test]
    fn a_reported_coefficient_is_found() {
        let mut outlet = outlet(1.0);
        let of = |hour: i64, value| super::super::odd_records::param("i23003", hour * HOUR_US, value);
        outlet.records.params = vec![of(0, 1.0), of(1500, 0.9), of(2940, 1.0)];
        let hits = found(PATTERN, detect, &outlet);
        assert_eq!((hits.len(), hits[0].started, hits[0].ended), (1, 1500 * HOUR_US, 2940 * HOUR_US));
        assert_eq!(changes(&[(0, 1.0), (5, 0.9)], 0.03, 9), [ParamChange { span: 5..9, from: 1.0, to: 0.9 }]);
    }

    #[test]
    fn odd_outlets() {
        survives(PATTERN, detect);
    }
}
