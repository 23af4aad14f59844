//! The hours of every series of an outlet, with stops and flow applied.
//!
//! Due hours: a registered outlet's from its `since` (or the series' first row)
//! to its `until` (or the last hour any outlet sent, by itself or in a reported day), none between two
//! registrations; another's from the series' first to its last row. Rows received beside them count, too.

use std::ops::Range;

use plume_datasets::factors::{GAS_VELOCITY, Medium, OXYGEN, kg_per_unit};

use super::asked::{FactorUsage, Usage};
use super::extents::hull;
use super::facts::{OutletFacts, Registry, hours_within};
use super::flow_by_velocity::{self, gas_of_hours, settle_flow};
use super::outlet::{OutletFrame, SeriesTable, TableRows};
use crate::emission::control::{TouchedHour, touched_hours};
use crate::emission::o2_convert::o2_convert_with;
use crate::time::{HOUR_US, day_of_hour, hour_of};
use crate::validity::Rulebook;
use crate::validity::below_detection::counted;
use crate::validity::hours::{HourState, Hours, MinuteCoverage, contradicts_stop};
use crate::validity::streams::compare_streams;

/// One series with its settled hours.
#[derive(Debug, Clone)]
pub struct SettledSeries {
    /// Factor code.
    pub factor: String,
    /// Its medium.
    pub medium: Medium,
    /// Whether rows of it are asked for; else others rest on it.
    pub asked: bool,
    /// Whether it is a flow that nobody sent and the velocity tells.
    pub by_velocity: bool,
    /// Its hours, on the outlet's grid.
    pub hours: Hours,
    /// The hours in which it is due or has rows, on the grid or not.
    pub reach: Range<i64>,
    /// The hours of the grid in which its monitor was not to be trusted, if only for a part.
    pub control: Vec<TouchedHour>,
}

/// How much of an outlet to settle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// The hours asked for.
    pub hours: Range<i64>,
}

/// The settled hours of every series of one outlet, all on one grid.
#[derive(Debug)]
pub struct SettledOutlet {
    usage: FactorUsage,
    series: Vec<SettledSeries>,
    spare: Vec<Hours>,
    contradicted: Vec<bool>,
    grid: Range<i64>,
    /// What takes each hour's flow of gas as sent to dry standard; empty where it is sent as such.
    flow_factor: Vec<f64>,
}

impl SettledOutlet {
    /// Settles the series that a query uses.
    pub fn new(usage: FactorUsage) -> Self {
        Self {
            usage,
            series: Vec::new(),
            spare: Vec::new(),
            contradicted: Vec::new(),
            grid: 0..0,
            flow_factor: Vec::new(),
        }
    }

    /// Every series, by factor.
    pub fn series(&self) -> &[SettledSeries] {
        &self.series
    }

    /// The series that rows are asked of, by factor.
    pub fn asked(&self) -> impl Iterator<Item = &SettledSeries> {
        self.series.iter().filter(|series| series.asked)
    }

    /// The series of a factor.
    pub fn of(&self, factor: &str) -> Option<&SettledSeries> {
        self.series.iter().find(|series| series.factor == factor)
    }

    /// The flow that carries a medium.
    pub fn flow(&self, medium: Medium) -> Option<&Hours> {
        self.of(medium.flow_factor()).map(|series| &series.hours)
    }

    /// The hours that all series are settled on.
    pub fn grid(&self) -> Range<i64> {
        self.grid.clone()
    }

    /// Settles the hours of a frame within `scope`.
    pub fn settle(&mut self, frame: &OutletFrame, registry: &Registry, scope: &Scope, rules: &Rulebook) {
        let facts = registry.outlet(&frame.mn);
        self.spare.extend(self.series.drain(..).map(|series| series.hours));
        let due = due_hours(frame, facts, registry.horizon, &mut self.usage);
        let first = due.iter().map(|due| due.grid.start).min().unwrap_or_default();
        let end = due.iter().map(|due| due.grid.end).max().unwrap_or_default();
        self.grid = first.max(scope.hours.start)..end.min(scope.hours.end);
        if self.grid.is_empty() {
            self.grid = 0..0;
            return;
        }
        for Due { factor, medium, asked, by_velocity, hours: due, grid: reach } in due {
            let mut hours = self.spare.pop().unwrap_or_default();
            hours.reset(&self.grid, &due);
            for span in facts.into_iter().flat_map(|facts| facts.unregistered_between(&factor)) {
                hours.leave_out(&hours_within(&span));
            }
            settle_series(&mut hours, frame, &factor, medium, facts, rules);
            let control = Vec::new();
            self.series.push(SettledSeries { factor, medium, asked, by_velocity, hours, reach, control });
        }
        self.flow_factor.clear();
        if let Some(facts) = facts {
            // A stop may be contradicted by the flow; what then is stopped or out of control is no flow.
            settle_flow(&mut self.series, facts, &self.grid);
            self.apply_stops(facts, rules);
            self.apply_control(facts, rules);
            if facts.sends_other_states() {
                self.convert_gas(facts);
            }
            settle_flow(&mut self.series, facts, &self.grid);
        }
        self.apply_flow();
    }

    /// Takes the hours of stopped production and of stopped facilities out.
    fn apply_stops(&mut self, facts: &OutletFacts, rules: &Rulebook) {
        for span in &facts.facility_stops {
            let hours = hours_within(span);
            self.series.iter_mut().for_each(|series| {
                series.hours.stop(&hours, HourState::FacilityStopped, |_| false);
            });
        }
        if facts.production_stops.is_empty() {
            return;
        }
        self.note_contradictions(rules);
        for span in &facts.production_stops {
            let hours = hours_within(span);
            for series in &mut self.series {
                let contradicted = &self.contradicted;
                series.hours.stop(&hours, HourState::Stopped, |position| contradicted[position]);
            }
        }
    }

    /// Notes the hours whose own rows show that the plant ran.
    fn note_contradictions(&mut self, rules: &Rulebook) {
        let values = |factor: &str| self.of(factor).map(|series| series.hours.value.as_slice());
        let oxygen = values(OXYGEN);
        let flows = [Medium::Air, Medium::Water].map(|medium| (medium, values(medium.flow_factor())));
        let len = usize::try_from(self.grid.end - self.grid.start).unwrap_or_default();
        let mut contradicted = vec![false; len];
        for (position, contradicted) in contradicted.iter_mut().enumerate() {
            let o2_limit = rules.at(day_of_hour(self.grid.start + position as i64)).stop_contradicted_o2;
            let at = |values: Option<&[f64]>| values.map_or(f64::NAN, |values| values[position]);
            *contradicted =
                flows.iter().any(|(medium, flow)| contradicts_stop(*medium, at(*flow), at(oxygen), o2_limit));
        }
        self.contradicted = contradicted;
    }

    /// Takes the validity of hours in which a monitor was out of control or overdue
    /// for so long that too few good minutes are left.
    fn apply_control(&mut self, facts: &OutletFacts, rules: &Rulebook) {
        for series in &mut self.series {
            let Some(control) = facts.control(&series.factor) else { continue };
            touched_hours(&control.periods, &self.grid, &mut series.control);
            for touched in
                series.control.iter().filter(|touched| touched.covered_us > lost_us(rules, touched.hour))
            {
                let reason = if touched.overdue { HourState::Overdue } else { HourState::OutOfControl };
                series.hours.invalidate(touched.hour, reason);
            }
        }
    }

    /// Takes valid values of gas that were sent in another state to dry standard
    /// (HJ 212-2017 D.2), by the temperature, pressure and humidity valid in the hour.
    fn convert_gas(&mut self, facts: &OutletFacts) {
        let gas = gas_of_hours(&self.series, facts, &self.grid);
        let len = gas.len();
        let (first, mut flow_factor) = (self.grid.start, Vec::new());
        for series in self.series.iter_mut().filter(|series| series.medium == Medium::Air) {
            let is_flow = series.factor == FLOW_OF_GAS;
            let is_oxygen = series.factor == OXYGEN;
            if !is_flow && !is_oxygen && kg_per_unit(&series.factor).is_none() {
                continue;
            }
            let dry_volume = |position: usize| {
                let state = facts.gas_state(&series.factor, (first + position as i64) * HOUR_US);
                let gas = &gas[position];
                let volume = if is_oxygen { gas.dry_part(state) } else { gas.dry_standard_volume(state) };
                volume.unwrap_or(f64::NAN)
            };
            let volumes: Vec<f64> = (0..len).map(dry_volume).collect();
            for (position, volume) in volumes.iter().enumerate() {
                let factor = if is_flow { *volume } else { 1.0 / volume };
                series.hours.scale(position, factor);
            }
            if is_flow {
                flow_factor = volumes;
            }
        }
        self.flow_factor = flow_factor;
    }

    /// Marks the hours of water in which nothing flowed.
    fn apply_flow(&mut self) {
        let flow_factor = Medium::Water.flow_factor();
        let Some(position) = self.series.iter().position(|s| s.factor == flow_factor) else { return };
        let flow = std::mem::take(&mut self.series[position].hours);
        for series in &mut self.series {
            if series.medium == Medium::Water && series.factor != flow_factor {
                series.hours.without_flow(&flow);
            }
        }
        self.series[position].hours = flow;
    }

    /// m³ of each hour of a medium's flow into `out`: the flow's `total` where a
    /// reported row gave one, else its value × 3600 (air) or × 3.6 (water). NaN
    /// where the flow is not valid.
    pub fn volumes(&self, frame: &OutletFrame, medium: Medium, out: &mut Vec<f64>) {
        out.clear();
        let Some(flow) = self.flow(medium) else { return };
        out.extend(flow.value.iter().map(|value| value * medium.cubic_metres_per_hour()));
        let rows = frame.table(SeriesTable::Hourly);
        let Some(series) = rows.of(medium.flow_factor()).filter(|_| !rows.total.is_empty()) else { return };
        for row in series.pieces.iter().flat_map(Clone::clone) {
            let Ok(position) = usize::try_from(hour_of(rows.ts[row]) - flow.first) else { continue };
            let by_minutes = flow.valid_minutes.get(position).is_some_and(|minutes| !minutes.is_nan());
            let valid = flow.state.get(position).is_some_and(|state| state.is_valid());
            // Of two rows in one hour the later decides, with a total or without.
            if valid && !by_minutes {
                let by_value = flow.value[position] * medium.cubic_metres_per_hour();
                let factor = match medium {
                    Medium::Air => self.flow_factor.get(position).copied().unwrap_or(1.0),
                    Medium::Water => 1.0,
                };
                out[position] = if rows.total[row].is_nan() { by_value } else { rows.total[row] * factor };
            }
        }
    }

    /// Converted values of a series into `out`: as sent, else computed from the
    /// hour's valid oxygen, capped as the rules say, else the value itself where the outlet is
    /// registered without a reference oxygen; NaN where the hour isn't valid or nothing tells. `sent` tells where a value was sent.
    pub fn converted(
        &self,
        frame: &OutletFrame,
        series: &SettledSeries,
        facts: Option<&OutletFacts>,
        rules: &Rulebook,
        out: &mut Converted,
    ) {
        let hours = &series.hours;
        out.value.clear();
        out.value.resize(hours.len(), f64::NAN);
        out.sent.clear();
        out.sent.resize(hours.len(), false);
        if series.medium != Medium::Air || kg_per_unit(&series.factor).is_none() {
            return;
        }
        let rows = frame.table(SeriesTable::Hourly);
        if let Some(reported) = rows.of(&series.factor).filter(|_| !rows.converted.is_empty()) {
            for row in reported.pieces.iter().flat_map(Clone::clone) {
                let Ok(position) = usize::try_from(hour_of(rows.ts[row]) - hours.first) else { continue };
                let valid = hours.state.get(position).is_some_and(|state| state.is_valid());
                if valid && !rows.converted[row].is_nan() {
                    out.value[position] = rows.converted[row];
                    out.sent[position] = true;
                }
            }
        }
        let Some(facts) = facts else { return };
        let oxygen = self.of(OXYGEN);
        for (position, value) in out.value.iter_mut().enumerate().filter(|(_, value)| value.is_nan()) {
            let hour = hours.first + position as i64;
            let Some(reference) = facts.o2_reference_at(hour * HOUR_US) else {
                // A standard without a reference compares the value itself (HJ 212-2017 D.2).
                *value =
                    if facts.is_registered_at(hour * HOUR_US) { hours.value[position] } else { f64::NAN };
                continue;
            };
            let o2 = oxygen.map_or(f64::NAN, |oxygen| oxygen.hours.value[position]);
            if o2.is_nan() {
                continue;
            }
            let rules = rules.at(day_of_hour(hour));
            let o2 = o2.min(rules.o2_view_cap);
            *value = o2_convert_with(hours.value[position], o2, reference, rules.o2_air).unwrap_or(f64::NAN);
        }
    }
}

/// Microseconds of an hour that may be lost before too few minutes are left for it to be valid.
pub(super) fn lost_us(rules: &Rulebook, hour: i64) -> i64 {
    HOUR_US - (rules.at(day_of_hour(hour)).hour_minutes * 60e6) as i64
}

/// Converted values of one series, on its grid.
#[derive(Debug, Clone, Default)]
pub struct Converted {
    /// The converted value, NaN where there is none.
    pub value: Vec<f64>,
    /// Whether it was sent rather than computed.
    pub sent: Vec<bool>,
}

/// The flow that carries the pollutants of gas.
const FLOW_OF_GAS: &str = Medium::Air.flow_factor();

/// A factor of an outlet and its hours.
struct Due {
    factor: String,
    medium: Medium,
    asked: bool,
    by_velocity: bool,
    /// The hours in which it is due.
    hours: Range<i64>,
    /// These and all from its first to its last row.
    grid: Range<i64>,
}

/// The factors of an outlet that have a medium and that the query uses.
fn due_hours(
    frame: &OutletFrame,
    facts: Option<&OutletFacts>,
    horizon: i64,
    usage: &mut FactorUsage,
) -> Vec<Due> {
    let rows = SeriesTable::SETTLED.iter().flat_map(|table| frame.table(*table).series());
    let unread = frame.extents.iter().map(|series| &*series.factor);
    let monitors = facts.into_iter().flat_map(|facts| &facts.monitors);
    let mut factors: Vec<&str> = rows.map(|series| series.factor.as_str()).chain(unread).collect();
    factors.extend(monitors.map(|monitor| monitor.factor.as_str()));
    let by_velocity = flow_by_velocity::applies(facts, &factors);
    if by_velocity {
        factors.push(FLOW_OF_GAS);
    }
    factors.sort_unstable();
    factors.dedup();
    factors
        .into_iter()
        .filter_map(|factor| {
            let medium = Medium::of(factor)?;
            let usage = usage.of(factor);
            if !usage.is_read_of(facts) {
                return None;
            }
            // Nobody sent such a flow, so no row tells of it.
            let by_velocity = by_velocity && factor == FLOW_OF_GAS;
            let asked = usage == Usage::Asked && !by_velocity;
            let sent = if by_velocity { GAS_VELOCITY } else { factor };
            let received = received_hours(frame, sent);
            let hours = due_of(sent, received.as_ref(), facts, horizon);
            let grid = hours.iter().chain(&received).cloned().reduce(|a, b| hull(&a, &b))?;
            let (factor, hours) = (factor.to_owned(), hours.unwrap_or(0..0));
            Some(Due { factor, medium, asked, by_velocity, hours, grid })
        })
        .collect()
}

/// The hours from the first to the last row of a factor, read or not.
fn received_hours(frame: &OutletFrame, factor: &str) -> Option<Range<i64>> {
    let read = SeriesTable::SETTLED.iter().filter_map(|table| {
        let rows = frame.table(*table);
        let (first, last) = rows.extent(rows.of(factor)?)?;
        Some(hour_of(first)..hour_of(last) + table.hours_of_row())
    });
    let unread = frame.extents.iter().find(|series| *series.factor == *factor);
    read.chain(unread.map(|series| series.hours.clone())).reduce(|a, b| hull(&a, &b))
}

/// The hours in which a factor is due; `None` where nothing ever was.
fn due_of(
    factor: &str,
    received: Option<&Range<i64>>,
    facts: Option<&OutletFacts>,
    horizon: i64,
) -> Option<Range<i64>> {
    let Some(due) = facts.and_then(|facts| facts.due(factor)) else { return received.cloned() };
    let due = hours_within(&due);
    let start = if due.start == i64::MIN { received.map_or(horizon, |hours| hours.start) } else { due.start };
    let due = start..due.end.min(horizon);
    (!due.is_empty()).then_some(due)
}

/// Settles one series from its reported hours and its minutes.
fn settle_series(
    hours: &mut Hours,
    frame: &OutletFrame,
    factor: &str,
    medium: Medium,
    facts: Option<&OutletFacts>,
    rules: &Rulebook,
) {
    let each_piece = |rows: &TableRows, settle: &mut dyn FnMut(&Range<usize>)| {
        if let Some(series) = rows.of(factor) {
            series.pieces.iter().for_each(settle);
        }
    };
    let hourly = frame.table(SeriesTable::Hourly);
    each_piece(hourly, &mut |piece| hours.settle_reported(hourly.rows(piece)));
    let coverage = |hour: i64| {
        let rules = rules.at(day_of_hour(hour));
        let told = facts.and_then(|facts| facts.minute_interval_s(factor, hour * HOUR_US));
        let interval_s = told.unwrap_or_else(|| rules.minute_s(medium));
        MinuteCoverage { interval_s, minutes_needed: rules.hour_minutes }
    };
    let minutes = frame.table(SeriesTable::Minute);
    each_piece(minutes, &mut |piece| hours.settle_minutes(minutes.rows(piece), coverage));
    let signals = frame.table(SeriesTable::RawSignals);
    let share = |hour: i64| rules.at(day_of_hour(hour)).stream_share(medium);
    each_piece(signals, &mut |piece| compare_streams(hours, signals.streams(piece), share));
    if rules.replaces_below_detection(factor) {
        count_below_detection(hours, factor, facts, rules);
    }
}

/// Replaces valid values below detection by what they count as.
fn count_below_detection(hours: &mut Hours, factor: &str, facts: Option<&OutletFacts>, rules: &Rulebook) {
    for position in 0..hours.len() {
        let hour = hours.first + position as i64;
        let Some(figure) = rules.at(day_of_hour(hour)).below_detection(factor) else { continue };
        let limit = facts.and_then(|facts| facts.detection_limit(factor, hour * HOUR_US));
        hours.replace(position, |value| counted(value, figure, limit));
    }
}
