//! What the registry knows of an outlet.

use std::collections::BTreeMap;
use std::ops::Range;

use plume_datasets::condition_roles::ConditionRole;
use plume_datasets::factors::{GAS_VELOCITY, Medium};

use crate::emission::STANDARD_KPA;
use crate::emission::control::{Control, MonitorSetting};
use crate::emission::gas_state::GasState;
use crate::emission::substitution::DaySamples;
use crate::exceedance::limits::Limits;
use crate::time::{HOUR_US, hour_of};

/// Half-open span of time stamps; an open end is the end of time.
pub type Span = Range<i64>;

/// The span of two time stamps; `None` is open.
pub fn span(start: Option<i64>, end: Option<i64>) -> Span {
    start.unwrap_or(i64::MIN)..end.unwrap_or(i64::MAX)
}

/// The hours that start within a span.
pub fn hours_within(span: &Span) -> Range<i64> {
    let first_at_or_after = |ts: i64| match ts {
        i64::MIN | i64::MAX => ts,
        ts => hour_of(ts) + i64::from(ts.rem_euclid(HOUR_US) != 0),
    };
    first_at_or_after(span.start)..first_at_or_after(span.end)
}

/// What the registry knows of an outlet.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct OutletFacts {
    /// The outlet.
    pub mn: String,
    /// When it was registered; empty for an outlet only its monitors or stops name.
    pub registered: Vec<Span>,
    /// The hours from which on it may stand elsewhere or belong to another, sorted.
    pub handovers: Vec<i64>,
    /// Reference oxygen in force, %.
    pub o2_reference: Vec<(Span, f64)>,
    /// The state in which flow is sent, where it is not dry standard.
    pub flow_states: Vec<(Span, GasState)>,
    /// Ambient pressure, kPa.
    pub ambient_kpa: Vec<(Span, f64)>,
    /// The duct, where its section is known.
    pub ducts: Vec<(Span, Duct)>,
    /// What is monitored.
    pub monitors: Vec<MonitorFacts>,
    /// Stops of production.
    pub production_stops: Vec<Span>,
    /// Stops of the monitoring facility.
    pub facility_stops: Vec<Span>,
    /// Those of them that were approved.
    pub approved_stops: Vec<Span>,
    /// What checks say of its monitors, by factor.
    pub controls: Vec<(String, Control)>,
    /// Manual samples by factor, each by day.
    pub samples: Vec<(String, Vec<DaySamples>)>,
}

/// The duct in which velocity is measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Duct {
    /// Its section, m².
    pub area_m2: f64,
    /// Velocity-field coefficient.
    pub kv: f64,
}

/// What the registry knows of one monitor.
#[derive(Debug, Clone, PartialEq)]
pub struct MonitorFacts {
    /// Factor code.
    pub factor: String,
    /// When it is in force.
    pub span: Span,
    /// Seconds that one minute row covers, if the registry says.
    pub minute_interval_s: Option<f64>,
    /// What its calibration rests on.
    pub setting: MonitorSetting,
    /// The state in which its values are sent.
    pub state: GasState,
    /// The upper end of its range, in the factor's unit.
    pub range_high: Option<f64>,
    /// Its detection limit, in the factor's unit.
    pub detection_limit: Option<f64>,
    /// Its limits.
    pub limits: Limits,
}

impl OutletFacts {
    /// The monitor of a factor in force at a time.
    pub fn monitor(&self, factor: &str, ts: i64) -> Option<&MonitorFacts> {
        self.monitors.iter().find(|monitor| monitor.factor == factor && monitor.span.contains(&ts))
    }

    /// Whether any gas of the outlet is sent in another state than dry standard.
    pub fn sends_other_states(&self) -> bool {
        !self.flow_states.is_empty() || self.monitors.iter().any(|m| m.state != GasState::DryStandard)
    }

    /// The state in which values of a factor of gas are sent at a time.
    pub fn gas_state(&self, factor: &str, ts: i64) -> GasState {
        let own = self.monitor(factor, ts).map_or(GasState::DryStandard, |monitor| monitor.state);
        let of_flow =
            || self.flow_states.iter().find(|(span, _)| span.contains(&ts)).map(|(_, state)| *state);
        match factor == Medium::Air.flow_factor() {
            true => of_flow().unwrap_or(own),
            false => own,
        }
    }

    /// Ambient pressure at a time, kPa; standard pressure where the registry doesn't say.
    pub fn ambient_kpa_at(&self, ts: i64) -> f64 {
        let known = self.ambient_kpa.iter().find(|(span, _)| span.contains(&ts));
        known.map_or(STANDARD_KPA, |(_, ambient_kpa)| *ambient_kpa)
    }

    /// Whether the outlet's flow of gas is told by its velocity: the section of the duct is known, and
    /// of velocity and flow only the velocity is monitored.
    pub fn tells_flow_by_velocity(&self) -> bool {
        let monitors = |factor: &str| self.monitors.iter().any(|monitor| monitor.factor == factor);
        !self.ducts.is_empty() && monitors(GAS_VELOCITY) && !monitors(Medium::Air.flow_factor())
    }

    /// The duct at a time, where its section is known.
    pub fn duct_at(&self, ts: i64) -> Option<Duct> {
        self.ducts.iter().find(|(span, _)| span.contains(&ts)).map(|(_, duct)| *duct)
    }

    /// The detection limit of a factor's monitor at a time.
    pub fn detection_limit(&self, factor: &str, ts: i64) -> Option<f64> {
        self.monitor(factor, ts)?.detection_limit
    }

    /// Whether the outlet stands in the registry at a time.
    pub fn is_registered_at(&self, ts: i64) -> bool {
        self.registered.iter().any(|span| span.contains(&ts))
    }

    /// Reference oxygen in force at a time.
    pub fn o2_reference_at(&self, ts: i64) -> Option<f64> {
        self.o2_reference.iter().find(|(span, _)| span.contains(&ts)).map(|(_, o2)| *o2)
    }

    /// Seconds that one minute row of a factor covers, if the registry says.
    pub fn minute_interval_s(&self, factor: &str, ts: i64) -> Option<f64> {
        self.monitor(factor, ts)?.minute_interval_s
    }

    /// What the calibration of a factor's monitor rests on at a time.
    pub fn setting(&self, factor: &str, ts: i64) -> MonitorSetting {
        self.monitor(factor, ts).map(|monitor| monitor.setting).unwrap_or_default()
    }

    /// What checks say of a factor's monitor.
    pub fn control(&self, factor: &str) -> Option<&Control> {
        self.controls.iter().find(|(of, _)| of == factor).map(|(_, control)| control)
    }

    /// Manual samples of a factor, by day.
    pub fn samples(&self, factor: &str) -> &[DaySamples] {
        self.samples.iter().find(|(of, _)| of == factor).map_or(&[], |(_, samples)| samples.as_slice())
    }

    /// The span in which results of a factor are due: the outlet's, cut to the
    /// monitor's where it has one. `None` if the outlet isn't registered.
    pub fn due(&self, factor: &str) -> Option<Span> {
        let hull = |spans: &mut dyn Iterator<Item = Span>| {
            spans.reduce(|a, b| a.start.min(b.start)..a.end.max(b.end))
        };
        let outlet = hull(&mut self.registered.iter().cloned())?;
        let of_factor = |m: &&MonitorFacts| m.factor == factor;
        let monitor = hull(&mut self.monitors.iter().filter(of_factor).map(|m| m.span.clone()));
        let monitor = monitor.unwrap_or(i64::MIN..i64::MAX);
        Some(outlet.start.max(monitor.start)..outlet.end.min(monitor.end))
    }

    /// The spans between two registrations of the outlet, or of a factor's monitor, in
    /// which no result of the factor is due.
    pub fn unregistered_between(&self, factor: &str) -> Vec<Span> {
        let monitors = self.monitors.iter().filter(|monitor| monitor.factor == factor);
        let mut between = gaps(self.registered.iter());
        between.extend(gaps(monitors.map(|monitor| &monitor.span)));
        between
    }
}

/// The spans between spans.
fn gaps<'a>(spans: impl Iterator<Item = &'a Span>) -> Vec<Span> {
    let mut spans: Vec<&Span> = spans.collect();
    spans.sort_unstable_by_key(|span| span.start);
    let mut spans = spans.into_iter();
    let mut reached = spans.next().map_or(i64::MAX, |span| span.end);
    let mut gaps = Vec::new();
    for span in spans {
        if reached < span.start {
            gaps.push(reached..span.start);
        }
        reached = reached.max(span.end);
    }
    gaps
}

/// What is known of every outlet, sorted by `mn`, and how far the data reach.
#[derive(Debug, Clone, Default)]
pub struct Registry {
    outlets: Vec<OutletFacts>,
    roles: BTreeMap<String, ConditionRole>,
    /// The first hour with any row.
    pub first_row: i64,
    /// The last hour with any row, plus one: later hours are not due yet.
    pub horizon: i64,
}

impl Registry {
    /// A registry of outlets in any order; those of one `mn` must be one entry.
    /// `rows` are the hours from the first to the last with any row.
    pub fn new(mut outlets: Vec<OutletFacts>, rows: Range<i64>) -> Self {
        outlets.sort_by(|a, b| a.mn.cmp(&b.mn));
        Self { outlets, roles: BTreeMap::new(), first_row: rows.start, horizon: rows.end }
    }

    /// With the roles that the store gives to parameters of working conditions.
    pub fn with_roles(self, roles: BTreeMap<String, ConditionRole>) -> Self {
        Self { roles, ..self }
    }

    /// The role of a parameter of working conditions: the store's, else the built-in one.
    pub fn role(&self, param: &str) -> Option<ConditionRole> {
        self.roles.get(param).copied().or_else(|| ConditionRole::built_in(param))
    }

    /// Every outlet, by `mn`.
    pub fn outlets(&self) -> &[OutletFacts] {
        &self.outlets
    }

    /// What is known of an outlet.
    pub fn outlet(&self, mn: &str) -> Option<&OutletFacts> {
        let position = self.outlets.binary_search_by(|outlet| outlet.mn.as_str().cmp(mn)).ok()?;
        self.outlets.get(position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_belongs_to_the_span_that_holds_its_start() {
        assert_eq!(hours_within(&(0..2 * HOUR_US)), 0..2);
        assert_eq!(hours_within(&(1..2 * HOUR_US + 1)), 1..3);
        assert_eq!(hours_within(&span(None, Some(HOUR_US))), i64::MIN..1);
    }

    #[test]
    fn results_are_due_while_outlet_and_monitor_are_in_force() {
        let facts = OutletFacts {
            registered: std::iter::once(0..100).collect(),
            monitors: vec![MonitorFacts {
                factor: "a21026".into(),
                span: 50..i64::MAX,
                minute_interval_s: None,
                setting: MonitorSetting::default(),
                state: GasState::DryStandard,
                range_high: None,
                detection_limit: None,
                limits: Limits::default(),
            }],
            ..Default::default()
        };
        assert_eq!(facts.due("a21026"), Some(50..100));
        assert_eq!(facts.due("a21002"), Some(0..100));
        assert_eq!(OutletFacts::default().due("a21026"), None);
    }

    #[test]
    fn nothing_is_due_between_two_registrations() {
        let monitor = |span: Span| MonitorFacts {
            factor: "a21026".into(),
            span,
            minute_interval_s: None,
            setting: MonitorSetting::default(),
            state: GasState::DryStandard,
            range_high: None,
            detection_limit: None,
            limits: Limits::default(),
        };
        // The outlet from 0 to 10 and, by two rows that overlap, from 20 on; the monitor to 30 and from 40 on.
        let facts = OutletFacts {
            registered: vec![20..50, 0..10, 30..i64::MAX],
            monitors: vec![monitor(40..i64::MAX), monitor(i64::MIN..30)],
            ..Default::default()
        };
        assert_eq!(facts.unregistered_between("a21026"), [10..20, 30..40]);
        assert_eq!(facts.unregistered_between("a21002"), vec![10..20; 1]);
        assert_eq!(OutletFacts::default().unregistered_between("a21026"), []);
    }
}
