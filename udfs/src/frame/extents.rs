//! From when to when each series reaches in the whole store.
//!
//! Results of an outlet nobody registered are due from its first row to its last,
//! and so are those of a factor that only its rows name. A query that reads a
//! month must still know of them: rows outside that month may begin or end what is due in it.

use std::collections::BTreeMap;
use std::ops::{Bound, Range};
use std::sync::Arc;

use super::outlet::SeriesTable;

/// From when to when one series reaches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeriesExtent {
    /// Factor code.
    pub factor: Arc<str>,
    /// From the hour of its first row to the hour of its last, which is included.
    pub hours: Range<i64>,
}

/// From when to when each series reaches, by outlet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extents {
    outlets: BTreeMap<Arc<str>, Vec<SeriesExtent>>,
    rows: Range<i64>,
}

impl Default for Extents {
    fn default() -> Self {
        Self { outlets: BTreeMap::new(), rows: NO_HOURS }
    }
}

impl Extents {
    /// Adds rows of a series, by the hours in which the first and the last start.
    pub fn add(&mut self, table: SeriesTable, mn: &Arc<str>, factor: &Arc<str>, first: i64, last: i64) {
        let hours = first..last + table.hours_of_row();
        self.rows = hull(&self.rows, &hours);
        let outlet = match self.outlets.get_mut(mn) {
            Some(outlet) => outlet,
            None => self.outlets.entry(Arc::clone(mn)).or_default(),
        };
        match outlet.iter_mut().find(|series| series.factor == *factor) {
            Some(series) => series.hours = hull(&series.hours, &hours),
            None => outlet.push(SeriesExtent { factor: Arc::clone(factor), hours }),
        }
    }

    /// The series of an outlet.
    pub fn of(&self, mn: &str) -> &[SeriesExtent] {
        self.outlets.get(mn).map_or(&[], Vec::as_slice)
    }

    /// The least outlet from a bound on.
    pub fn next_outlet(&self, from: Bound<&str>) -> Option<&str> {
        self.outlets.range::<str, _>((from, Bound::Unbounded)).next().map(|(mn, _)| &**mn)
    }

    /// The hours from the first to the last row; a reported day's are all of its day.
    pub fn rows(&self) -> Range<i64> {
        self.rows.clone()
    }
}

/// No hours: the hull of these and others is the others.
pub const NO_HOURS: Range<i64> = Range { start: i64::MAX, end: i64::MIN };

/// The least range that holds both.
pub fn hull(a: &Range<i64>, b: &Range<i64>) -> Range<i64> {
    a.start.min(b.start)..a.end.max(b.end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_reaches_over_all_that_was_added() {
        let mut extents = Extents::default();
        let (mn, factor): (Arc<str>, Arc<str>) = ("B".into(), "a21026".into());
        extents.add(SeriesTable::Hourly, &mn, &factor, 10, 10);
        extents.add(SeriesTable::Minute, &mn, &factor, 3, 4);
        extents.add(SeriesTable::Daily, &"A".into(), &factor, 24, 24);
        assert_eq!(extents.of("B"), [SeriesExtent { factor: Arc::clone(&factor), hours: 3..11 }]);
        assert_eq!(extents.of("A"), [SeriesExtent { factor, hours: 24..48 }]);
        assert_eq!(extents.of("C"), []);
        assert_eq!(extents.rows(), 3..48);
        assert_eq!(extents.next_outlet(Bound::Unbounded), Some("A"));
        assert_eq!(extents.next_outlet(Bound::Excluded("A")), Some("B"));
        assert_eq!(extents.next_outlet(Bound::Excluded("B")), None);
    }
}
