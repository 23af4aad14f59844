//! What only the search for patterns looks at, besides the registry.

use crate::frame::facts::Span;
use crate::patterns::outlet::Records;
use crate::patterns::thresholds::OutletThreshold;

/// What is on record of an outlet, and its own thresholds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PatternFacts {
    /// The outlet.
    pub mn: String,
    /// What is on record.
    pub records: Records,
    /// Thresholds of its own, and when they are in force.
    pub thresholds: Vec<(Span, OutletThreshold)>,
}

impl PatternFacts {
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
