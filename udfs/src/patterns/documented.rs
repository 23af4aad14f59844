//! Whether a record accounts for a change: a check, a maintenance, a notice.
//!
//! Routine work leaves records all the time, and one of them lies near any moment. So a record
//! accounts for a change only where it is nearer than a small share of the usual interval
//! between records, and no farther than a number of hours.

use super::outlet::{MaintenanceRecord, Outlet};
use super::robust::median;
use crate::time::HOUR_US;

/// Times of records that account for changes near them.
#[derive(Debug, Clone, PartialEq)]
pub struct Documented {
    times: Vec<i64>,
    window: i64,
}

impl Documented {
    /// Of records at times in any order: within `share` of the usual interval between them, at most `hours`.
    pub fn new(mut times: Vec<i64>, share: f64, hours: f64) -> Self {
        times.sort_unstable();
        times.dedup();
        let intervals = times.windows(2).map(|pair| pair.iter().rev().copied().reduce(i64::saturating_sub));
        let mut intervals: Vec<f64> = intervals.flatten().map(|us| us as f64).collect();
        let most = hours * HOUR_US as f64;
        let window = if intervals.is_empty() { most } else { most.min(share * median(&mut intervals)) };
        Self { times, window: window as i64 }
    }

    /// Whether a record accounts for a change at a time.
    pub fn accounts_for(&self, ts: i64) -> bool {
        let next = self.times.partition_point(|time| *time < ts.saturating_sub(self.window));
        self.times.get(next).is_some_and(|time| *time <= ts.saturating_add(self.window))
    }
}

/// Maintenance of a factor's monitor or of the whole outlet.
pub fn maintenance_of<'a>(
    outlet: &'a Outlet,
    factor: &'a str,
) -> impl Iterator<Item = &'a MaintenanceRecord> {
    outlet
        .records
        .maintenance
        .iter()
        .filter(move |record| record.factor.is_empty() || record.factor == factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    const H: i64 = HOUR_US;

    #[test]
    fn a_routine_record_accounts_for_little_around_it() {
        // Every 100 h, a tenth of which is 10 h.
        let routine = Documented::new((0..9).map(|at| at * 100 * H).collect(), 0.1, 24.0);
        assert!(routine.accounts_for(210 * H) && routine.accounts_for(190 * H));
        assert!(!routine.accounts_for(211 * H) && !routine.accounts_for(189 * H));
        // One alone: 24 h.
        let alone = Documented::new(vec![100 * H], 0.1, 24.0);
        assert!(alone.accounts_for(76 * H) && !alone.accounts_for(125 * H));
        assert!(!Documented::new(Vec::new(), 0.1, 24.0).accounts_for(0));
        assert!(!Documented::new(vec![i64::MIN, i64::MAX], 0.1, f64::NAN).accounts_for(0));
    }
}
