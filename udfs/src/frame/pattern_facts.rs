//! What only the search for patterns asks of the registry.

use crate::frame::facts::Span;
use crate::patterns::outlet::{MonitorFigures, Records};
use crate::patterns::thresholds::OutletThreshold;

/// What is registered and on record of an outlet, besides what settles its hours.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PatternFacts {
    /// The outlet.
    pub mn: String,
    /// What is registered of its monitors, by factor and time.
    pub monitors: Vec<(String, Span, MonitorFigures)>,
    /// Area of its duct, m², by time.
    pub duct_area: Vec<(Span, f64)>,
    /// What is on record.
    pub records: Records,
    /// Thresholds of its own, and when they are in force.
    pub thresholds: Vec<(Span, OutletThreshold)>,
}

impl PatternFacts {
    /// What is registered of a factor's monitor at a time.
    pub fn monitor_at(&self, factor: &str, ts: i64) -> MonitorFigures {
        let in_force = |(of, span, _): &&(String, Span, MonitorFigures)| of == factor && span.contains(&ts);
        self.monitors.iter().find(in_force).map(|(_, _, figures)| *figures).unwrap_or_default()
    }

    /// Area of the duct at a time, m²; NaN where it isn't registered.
    pub fn duct_area_at(&self, ts: i64) -> f64 {
        self.duct_area.iter().find(|(span, _)| span.contains(&ts)).map_or(f64::NAN, |(_, area)| *area)
    }

    /// The outlet's own thresholds at a time.
    pub fn thresholds_at(&self, ts: i64) -> Vec<OutletThreshold> {
        let in_force = self.thresholds.iter().filter(|(span, _)| span.contains(&ts));
        in_force.map(|(_, threshold)| threshold.clone()).collect()
    }
}

/// The facts of every outlet, by `mn`.
#[derive(Debug, Clone, Default)]
pub struct PatternRegistry {
    outlets: Vec<PatternFacts>,
}

impl PatternRegistry {
    /// The facts of outlets in any order; those of one `mn` must be one entry.
    pub fn new(mut outlets: Vec<PatternFacts>) -> Self {
        outlets.sort_by(|a, b| a.mn.cmp(&b.mn));
        Self { outlets }
    }

    /// What is known of an outlet.
    pub fn outlet(&self, mn: &str) -> Option<&PatternFacts> {
        let position = self.outlets.binary_search_by(|outlet| outlet.mn.as_str().cmp(mn)).ok()?;
        self.outlets.get(position)
    }
}
