//! The series of one outlet that are correlated, all on one grid of hours.

use std::ops::Range;

use plume_datasets::condition_roles::ConditionRole;
use plume_datasets::factors::{Medium, kg_per_unit};

use super::is_treatment;
use crate::correlation::best_lag::GridSeries;
use crate::correlation::ranks::order_codes;
use crate::emission::masses::mass_kg;
use crate::frame::conditions::hourly_conditions;
use crate::frame::facts::Registry;
use crate::frame::outlet::OutletFrame;
use crate::frame::settle::{SettledOutlet, SettledSeries};

/// What of an emission is correlated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Measure {
    /// The value of a pollutant or a parameter of the gas or water.
    Concentration,
    /// kg of the hour.
    Mass,
    /// The flow.
    Flow,
}

impl Measure {
    /// Its name in SQL.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Concentration => "concentration",
            Self::Mass => "mass",
            Self::Flow => "flow",
        }
    }
}

/// One series, ordered: the hours asked for, and those before them.
#[derive(Debug)]
pub(super) struct Series {
    /// Every hour of the grid, NaN where there is no value.
    hours: Vec<f64>,
    /// Where the hours asked for lie.
    asked: Range<usize>,
    codes: Vec<u32>,
    codes_before: Vec<u32>,
}

impl Series {
    fn new(hours: Vec<f64>, asked: &Range<usize>) -> Self {
        let codes = order_codes(hours.get(asked.clone()).unwrap_or_default());
        let codes_before = order_codes(hours.get(..asked.start).unwrap_or_default());
        Self { hours, asked: asked.clone(), codes, codes_before }
    }

    /// The hours asked for, NaN where there is no value.
    pub(super) fn values(&self) -> &[f64] {
        self.hours.get(self.asked.clone()).unwrap_or_default()
    }

    /// Their order.
    pub(super) fn codes(&self) -> &[u32] {
        &self.codes
    }

    /// The order of the hours before them.
    pub(super) fn codes_before(&self) -> &[u32] {
        &self.codes_before
    }

    /// The hours asked for, for lags.
    pub(super) fn on_grid(&self) -> GridSeries<'_> {
        GridSeries::new(self.values())
    }

    /// Whether any of the hours asked for has a value.
    pub(super) fn has_any(&self) -> bool {
        self.values().iter().any(|value| !value.is_nan())
    }
}

/// A working condition.
#[derive(Debug)]
pub(super) struct Condition {
    pub(super) param: String,
    pub(super) role: Option<ConditionRole>,
    pub(super) series: Series,
}

/// What is emitted, in one measure.
#[derive(Debug)]
pub(super) struct Emission {
    pub(super) factor: String,
    pub(super) medium: Medium,
    pub(super) measure: Measure,
    pub(super) series: Series,
}

/// The third series of a partial correlation.
#[derive(Debug, Clone, Copy)]
pub(super) struct Control<'a> {
    /// Its factor or parameter.
    pub(super) name: &'a str,
    /// Its hours, NaN where there is no value.
    pub(super) values: &'a [f64],
}

/// The series of one outlet.
#[derive(Debug)]
pub(super) struct OutletSeries {
    /// By parameter.
    pub(super) conditions: Vec<Condition>,
    /// By factor, and of each first the concentration.
    pub(super) emissions: Vec<Emission>,
    /// Of each medium the flow, whether rows of it are asked for or not.
    flows: Vec<(Medium, Series)>,
    load: Option<usize>,
}

impl OutletSeries {
    /// The series of a settled frame; `asked` are the hours asked for.
    pub(super) fn of(
        frame: &OutletFrame,
        settled: &SettledOutlet,
        asked: &Range<i64>,
        registry: &Registry,
    ) -> Self {
        let grid = settled.grid();
        let position = |hour: i64| usize::try_from(hour.clamp(grid.start, grid.end) - grid.start);
        let asked = position(asked.start).unwrap_or_default()..position(asked.end).unwrap_or_default();
        let params = hourly_conditions(frame, &grid);
        let roles: Vec<_> = params.iter().map(|(param, _)| registry.role(param)).collect();
        let named = params.iter().zip(&roles).map(|((param, _), role)| (param.as_str(), *role));
        let load = ConditionRole::load_among(named);
        let runs = running(load.and_then(|load| params.get(load)).map(|(_, hours)| hours.as_slice()));
        let while_running = |mut hours: Vec<f64>| {
            hours.iter_mut().enumerate().filter(|(at, _)| !runs(*at)).for_each(|(_, hour)| *hour = f64::NAN);
            Series::new(hours, &asked)
        };
        let emissions = emissions(frame, settled, &while_running);
        let flow = |medium| Some((medium, while_running(settled.flow(medium)?.value.clone())));
        let flows = Medium::ALL.into_iter().filter_map(flow).collect();
        let series: Vec<Series> = params.iter().map(|(_, hours)| while_running(hours.clone())).collect();
        let conditions = params.into_iter().zip(roles).zip(series);
        let conditions = conditions.map(|(((param, _), role), series)| Condition { param, role, series });
        Self { conditions: conditions.collect(), emissions, flows, load }
    }

    /// What is held constant between a condition and an emission: the load of the plant where the
    /// condition is one of the treatment, else the flow, unless that is the emission itself.
    pub(super) fn control<'a>(&'a self, condition: &Condition, emission: &Emission) -> Option<Control<'a>> {
        if is_treatment(condition.role) {
            let load = self.conditions.get(self.load?)?;
            return Some(Control { name: &load.param, values: load.series.values() });
        }
        let (medium, flow) = self.flows.iter().find(|(medium, _)| *medium == emission.medium)?;
        let is_other = emission.measure != Measure::Flow;
        is_other.then(|| Control { name: medium.flow_factor(), values: flow.values() })
    }
}

/// Tells in which hours the plant ran: those without a load count as such.
fn running(load: Option<&[f64]>) -> impl Fn(usize) -> bool + use<> {
    let stopped: Vec<bool> = load.unwrap_or_default().iter().map(|load| *load <= 0.0).collect();
    move |at| !stopped.get(at).copied().unwrap_or_default()
}

/// The emissions asked for, by factor.
fn emissions(
    frame: &OutletFrame,
    settled: &SettledOutlet,
    while_running: &impl Fn(Vec<f64>) -> Series,
) -> Vec<Emission> {
    let mut emissions = Vec::new();
    let mut volume_m3 = Vec::new();
    let mut of_medium = None;
    for series in settled.asked() {
        let SettledSeries { factor, medium, hours, .. } = series;
        let mut push = |measure, hours| {
            let series = while_running(hours);
            emissions.push(Emission { factor: factor.clone(), medium: *medium, measure, series });
        };
        if *factor == medium.flow_factor() {
            push(Measure::Flow, hours.value.clone());
            continue;
        }
        push(Measure::Concentration, hours.value.clone());
        let Some(kg) = kg_per_unit(factor) else { continue };
        if of_medium != Some(*medium) {
            settled.volumes(frame, *medium, &mut volume_m3);
            of_medium = Some(*medium);
        }
        let mass = |(value, volume): (&f64, &f64)| match value.is_nan() || volume.is_nan() {
            true => f64::NAN,
            false => mass_kg(*value, *volume, kg),
        };
        let no_flow = volume_m3.is_empty();
        if !no_flow {
            push(Measure::Mass, hours.value.iter().zip(&volume_m3).map(mass).collect());
        }
    }
    emissions
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_without_load_count_as_running() {
        let runs = running(Some(&[1.0, 0.0, -1.0, f64::NAN]));
        assert_eq!([0, 1, 2, 3, 4].map(runs), [true, false, false, true, true]);
    }
}
