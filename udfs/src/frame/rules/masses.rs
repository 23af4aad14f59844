//! The masses of an outlet's series, hour by hour: measured, then substituted.

use std::ops::Range;
use std::sync::Arc;

use plume_datasets::factors::{Medium, kg_per_unit};

use super::RuleContext;
use crate::emission::capture::{Capture, captures};
use crate::emission::control::{TouchedHour, lost_hours};
use crate::emission::masses::{Carried, HourMasses};
use crate::emission::substitution::{
    Fill, Gap, Known, Wants, gaps, substitute_by_legacy_mean, substitute_gas,
};
use crate::emission::water::substitute_water;
use crate::frame::asked::FactorUsage;
use crate::frame::outlet::{OutletFrame, SeriesTable};
use crate::frame::settle::{Scope, SettledOutlet, lost_us};
use crate::time::{DAY_HOURS, day_of_hour, first_day_of_month, first_month_of_quarter, month_of};
use crate::validity::hours::{HourState, Hours};

/// The columns that masses are made of.
pub(super) fn mass_columns() -> Vec<(SeriesTable, Vec<&'static str>)> {
    vec![(SeriesTable::Hourly, vec!["value", "flag", "total"]), (SeriesTable::Minute, vec!["value", "flag"])]
}

/// The hours of the quarters that hours lie in: a quarter's capture needs all of it.
pub fn whole_quarters(hours: &Range<i64>) -> Range<i64> {
    let first_month = first_month_of_quarter(month_of(day_of_hour(hours.start)));
    let after = first_month_of_quarter(month_of(day_of_hour(hours.end - 1))) + 3;
    first_day_of_month(first_month) * DAY_HOURS..first_day_of_month(after) * DAY_HOURS
}

/// The masses of the series of one outlet after another, in reused memory.
#[derive(Debug)]
pub(super) struct OutletMasses {
    settled: SettledOutlet,
    /// The hours whose captures are told.
    quarters: Range<i64>,
    /// m³ of each hour of flue gas and of waste water.
    volume_m3: [Vec<f64>; 2],
    no_flow: Hours,
    no_volume: Vec<f64>,
    of_series: Vec<OneSeries>,
    used: usize,
}

/// What is kept of one series: which of the settled it is, and its masses.
#[derive(Debug, Default)]
struct OneSeries {
    settled: usize,
    kg_per_unit: f64,
    masses: HourMasses,
    captures: Vec<Capture>,
    gaps: Vec<Gap>,
    fills: Vec<Fill>,
}

/// The masses of one series.
#[derive(Debug, Clone, Copy)]
pub(super) struct SeriesMasses<'a> {
    /// Factor code.
    pub(super) factor: &'a str,
    /// The concentration.
    pub(super) concentration: &'a Hours,
    flow: Option<&'a Hours>,
    /// m³ of each hour; NaN where the flow is not valid.
    pub(super) volume_m3: &'a [f64],
    /// The masses, substituted where asked.
    pub(super) masses: &'a HourMasses,
    /// The captures of the quarters asked for, of what was measured.
    pub(super) captures: &'a [Capture],
    gaps: &'a [Gap],
    fills: &'a [Fill],
}

impl SeriesMasses<'_> {
    /// The gap that an hour lies in.
    pub(super) fn gap_at(&self, position: usize) -> Option<&Gap> {
        let after = self.gaps.partition_point(|gap| gap.first <= position);
        self.gaps.get(after.checked_sub(1)?).filter(|gap| position < gap.end)
    }

    /// How an hour was filled.
    pub(super) fn fill_at(&self, position: usize) -> Option<&Fill> {
        let at = self.fills.binary_search_by_key(&position, |fill| fill.position).ok()?;
        self.fills.get(at)
    }

    /// What became of an hour's flow.
    pub(super) fn flow_state(&self, position: usize) -> HourState {
        self.flow.map_or(HourState::NotDue, |flow| flow.state[position])
    }

    /// An hour's flow; NaN unless valid.
    pub(super) fn flow_value(&self, position: usize) -> f64 {
        self.flow.map_or(f64::NAN, |flow| flow.value[position])
    }
}

impl OutletMasses {
    /// Masses with the captures of quarters.
    pub(super) fn new(context: &RuleContext, quarters: Range<i64>) -> Self {
        Self {
            settled: SettledOutlet::new(FactorUsage::new(Arc::clone(&context.asked))),
            quarters,
            volume_m3: [Vec::new(), Vec::new()],
            no_flow: Hours::default(),
            no_volume: Vec::new(),
            of_series: Vec::new(),
            used: 0,
        }
    }

    /// Measures every series of an outlet within `scope`.
    pub(super) fn measure(&mut self, frame: &OutletFrame, scope: &Scope, context: &RuleContext) {
        self.settled.settle(frame, &context.registry, scope, &context.rulebook);
        for (medium, volume) in Medium::ALL.into_iter().zip(&mut self.volume_m3) {
            self.settled.volumes(frame, medium, volume);
        }
        self.no_flow.reset(&self.settled.grid(), &(0..0));
        self.no_volume.clear();
        self.no_volume.resize(self.no_flow.len(), f64::NAN);
        self.used = 0;
        for (at, series) in self.settled.series().iter().enumerate().filter(|(_, series)| series.asked) {
            let Some(kg_per_unit) = kg_per_unit(&series.factor) else { continue };
            if self.used == self.of_series.len() {
                self.of_series.push(OneSeries::default());
            }
            let one = &mut self.of_series[self.used];
            self.used += 1;
            (one.settled, one.kg_per_unit) = (at, kg_per_unit);
            let flow = self.settled.flow(series.medium);
            one.masses.measure(&Carried {
                concentration: &series.hours,
                flow: flow.unwrap_or(&self.no_flow),
                volume_m3: volumes(&self.volume_m3, &self.no_volume, flow.is_some(), series.medium),
                kg_per_unit,
            });
            captures(&one.masses, &self.quarters, &context.rulebook, &mut one.captures);
            one.gaps.clear();
            one.fills.clear();
        }
    }

    /// Substitutes what was not measured of `hours`, of gas only if asked; tells whether
    /// hours beside those settled are wanted for that.
    pub(super) fn substitute(
        &mut self,
        mn: &str,
        hours: &Range<i64>,
        of_gas: bool,
        context: &RuleContext,
    ) -> Wants {
        let facts = context.registry.outlet(mn);
        let rulebook = context.rulebook.as_ref();
        let mut wants = Wants::default();
        for one in &mut self.of_series[..self.used] {
            let series = &self.settled.series()[one.settled];
            if series.medium == Medium::Air && !of_gas {
                continue;
            }
            let wanted = one.masses.clip(hours);
            let flow = self.settled.of(series.medium.flow_factor());
            let no_control: &[TouchedHour] = &[];
            let of_flow = flow.map_or(no_control, |flow| flow.control.as_slice());
            let control = lost_hours(&series.control, of_flow, |hour| lost_us(rulebook, hour));
            let volume_m3 = volumes(&self.volume_m3, &self.no_volume, flow.is_some(), series.medium);
            let known = Known {
                captures: &one.captures,
                control: &control,
                samples: facts.map_or(&[], |facts| facts.samples(&series.factor)),
                volume_m3,
                kg_per_unit: one.kg_per_unit,
                cubic_metres_per_hour: series.medium.cubic_metres_per_hour(),
                reach: &series.reach,
                first_row: context.registry.first_row,
                rules: rulebook,
            };
            if series.medium == Medium::Air {
                wants.add(gaps(&one.masses, &wanted, &series.reach, &mut one.gaps));
                wants.add(substitute_gas(&mut one.masses, &known, &one.gaps, &wanted, &mut one.fills));
            } else {
                let carried = Carried {
                    concentration: &series.hours,
                    flow: flow.map_or(&self.no_flow, |flow| &flow.hours),
                    volume_m3,
                    kg_per_unit: one.kg_per_unit,
                };
                let control = facts.and_then(|facts| facts.control(&series.factor));
                let passes = control.map_or(&[][..], |control| control.passes.as_slice());
                let (masses, fills) = (&mut one.masses, &mut one.fills);
                wants.add(substitute_water(masses, &carried, &known, passes, &wanted, fills));
                wants.add(gaps(&one.masses, &wanted, &series.reach, &mut one.gaps));
                let concentration = &series.hours.value;
                let (masses, fills) = (&mut one.masses, &mut one.fills);
                wants.add(substitute_by_legacy_mean(
                    masses,
                    &known,
                    concentration,
                    &one.gaps,
                    &wanted,
                    fills,
                ));
                one.fills.sort_by_key(|fill| fill.position);
            }
        }
        wants
    }

    /// The masses of every series, by factor.
    pub(super) fn series(&self) -> impl Iterator<Item = SeriesMasses<'_>> {
        self.of_series[..self.used].iter().map(|one| {
            let series = &self.settled.series()[one.settled];
            let flow = self.settled.flow(series.medium);
            SeriesMasses {
                factor: &series.factor,
                concentration: &series.hours,
                flow,
                volume_m3: volumes(&self.volume_m3, &self.no_volume, flow.is_some(), series.medium),
                masses: &one.masses,
                captures: &one.captures,
                gaps: &one.gaps,
                fills: &one.fills,
            }
        })
    }
}

/// The m³ of a medium's flow, NaN throughout where it has none.
fn volumes<'a>(of_media: &'a [Vec<f64>; 2], none: &'a [f64], has_flow: bool, medium: Medium) -> &'a [f64] {
    match (has_flow, medium) {
        (false, _) => none,
        (true, Medium::Air) => &of_media[0],
        (true, Medium::Water) => &of_media[1],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_capture_takes_whole_quarters() {
        assert_eq!(whole_quarters(&(40 * 24..41 * 24)), 0..90 * 24); // February 1970
        assert_eq!(whole_quarters(&(89 * 24..90 * 24)), 0..90 * 24);
    }
}
