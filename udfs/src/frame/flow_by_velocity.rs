//! The flow of gas of an outlet that sends its velocity only.
//!
//! Q = F · Kv · Vp, taken to dry standard state by the temperature, pressure and humidity valid in
//! the hour (HJ 212-2017 eq 26–29 `standard`). An hour of the flow is what became of the velocity's.
//!
//! Worked example: 20 m², Kv 1.2, 10 m/s, 50 °C, −0.2 kPa and 12 % make 178.154 m³/s = 641 355 m³/h.

use std::ops::Range;

use plume_datasets::factors::{GAS_HUMIDITY, GAS_PRESSURE, GAS_TEMPERATURE, GAS_VELOCITY, Medium};

use super::facts::OutletFacts;
use super::settle::SettledSeries;
use crate::emission::gas_state::{Gas, GasState};
use crate::emission::section_velocity::section_velocity;
use crate::time::HOUR_US;
use crate::validity::hours::HourState;

/// Whether the flow is told by the velocity of an outlet that has rows or monitors of `factors`.
pub(super) fn applies(facts: Option<&OutletFacts>, factors: &[&str]) -> bool {
    facts.is_some_and(OutletFacts::tells_flow_by_velocity)
        && factors.contains(&GAS_VELOCITY)
        && !factors.contains(&Medium::Air.flow_factor())
}

/// The gas in the duct in each hour of the grid, as far as it is valid.
pub(super) fn gas_of_hours(series: &[SettledSeries], facts: &OutletFacts, grid: &Range<i64>) -> Vec<Gas> {
    let values = |factor: &str| series.iter().find(|series| series.factor == factor).map(|s| &s.hours.value);
    let [t_c, gauge_kpa, humidity_pct] = [GAS_TEMPERATURE, GAS_PRESSURE, GAS_HUMIDITY].map(values);
    let at = |values: Option<&Vec<f64>>, position: usize| {
        values.and_then(|values| values.get(position)).copied().unwrap_or(f64::NAN)
    };
    let gas = |(position, hour): (usize, i64)| Gas {
        t_c: at(t_c, position),
        gauge_kpa: at(gauge_kpa, position),
        ambient_kpa: facts.ambient_kpa_at(hour * HOUR_US),
        humidity_pct: at(humidity_pct, position),
    };
    grid.clone().enumerate().map(|(position, hour)| gas((position, hour))).collect()
}

/// Settles the flow that the velocity tells, if a series is such a flow.
pub(super) fn settle_flow(series: &mut [SettledSeries], facts: &OutletFacts, grid: &Range<i64>) {
    let Some(flow_at) = series.iter().position(|series| series.by_velocity) else { return };
    let gas = gas_of_hours(series, facts, grid);
    let Some(velocity) = series.iter().find(|series| series.factor == GAS_VELOCITY) else { return };
    let (mut hours, control) = (velocity.hours.clone(), velocity.control.clone());
    hours.valid_minutes.clear();
    let of_hour = hours.state.iter_mut().zip(&mut hours.value).zip(gas.iter().zip(grid.clone()));
    for ((state, value), (gas, hour)) in of_hour.filter(|((state, _), _)| state.is_valid()) {
        let Some(flow) = flow(*value, gas, facts, hour) else {
            (*state, *value) = (HourState::NoGasState, f64::NAN);
            continue;
        };
        *value = flow;
    }
    if let Some(flow) = series.get_mut(flow_at) {
        (flow.hours, flow.control) = (hours, control);
    }
}

/// The flow at dry standard state, m³/s; `None` where something it takes isn't known.
fn flow(velocity: f64, gas: &Gas, facts: &OutletFacts, hour: i64) -> Option<f64> {
    let duct = facts.duct_at(hour * HOUR_US)?;
    let velocity = section_velocity(duct.kv, velocity.max(0.0))?;
    Some(duct.area_m2 * velocity * gas.dry_standard_volume(GasState::Working)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emission::STANDARD_KPA;
    use crate::exceedance::limits::Limits;
    use crate::frame::facts::{Duct, MonitorFacts};
    use crate::validity::hours::{Hours, Rows};
    use plume_datasets::flags::NORMAL;

    fn of(factor: &str, values: &[f64]) -> SettledSeries {
        let len = values.len() as i64;
        let mut hours = Hours::default();
        hours.reset(&(0..len), &(0..len));
        let ts: Vec<i64> = (0..len).map(|hour| hour * HOUR_US).collect();
        hours.settle_reported(Rows { ts: &ts, value: values, flag: &vec![NORMAL; values.len()] });
        SettledSeries {
            factor: factor.to_owned(),
            medium: Medium::Air,
            asked: false,
            by_velocity: factor == Medium::Air.flow_factor(),
            hours,
            reach: 0..len,
            control: Vec::new(),
        }
    }

    fn facts() -> OutletFacts {
        let always = i64::MIN..i64::MAX;
        OutletFacts {
            ducts: vec![(always.clone(), Duct { area_m2: 20.0, kv: 1.2 })],
            monitors: vec![MonitorFacts {
                factor: GAS_VELOCITY.to_owned(),
                span: always,
                minute_interval_s: None,
                setting: Default::default(),
                state: GasState::DryStandard,
                range_high: None,
                detection_limit: None,
                limits: Limits::default(),
            }],
            ..OutletFacts::default()
        }
    }

    #[test]
    fn worked_example_of_the_head() {
        assert_eq!(facts().ambient_kpa_at(0), STANDARD_KPA);
        let none = f64::NAN;
        // The third hour lacks the humidity, the fourth the velocity.
        let mut series = [
            of("a00000", &[none; 4]),
            of("a01011", &[10.0, 0.0, 10.0, none]),
            of("a01012", &[50.0; 4]),
            of("a01013", &[-0.2; 4]),
            of("a01014", &[12.0, 12.0, none, 12.0]),
        ];
        settle_flow(&mut series, &facts(), &(0..4));
        let Hours { state, value, .. } = &series[0].hours;
        use HourState::{NoGasState, NoValue, Valid};
        assert_eq!(state[..], [Valid, Valid, NoGasState, NoValue]);
        assert!((value[0] * 3600.0 - 641_355.0).abs() < 0.5, "{}", value[0]);
        assert_eq!(value[1], 0.0);
        assert!(value[2].is_nan() && value[3].is_nan());
    }

    #[test]
    fn a_flow_that_is_sent_or_monitored_is_not_told_by_velocity() {
        let facts = facts();
        assert!(applies(Some(&facts), &["a01011", "a21026"]));
        assert!(!applies(Some(&facts), &["a00000", "a01011"]));
        assert!(!applies(Some(&facts), &["a21026"]));
        assert!(!applies(None, &["a01011"]));
        let mut monitored = facts.clone();
        let velocity = monitored.monitors[0].clone();
        monitored.monitors.push(MonitorFacts { factor: "a00000".to_owned(), ..velocity });
        assert!(!applies(Some(&monitored), &["a01011"]));
        let no_duct = OutletFacts { ducts: Vec::new(), ..facts };
        assert!(!applies(Some(&no_duct), &["a01011"]));
    }
}
