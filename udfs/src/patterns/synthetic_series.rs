//! P8 `synthetic_series`.

use super::hit::Hit;
use super::outlet::Outlet;
use super::thresholds::Thresholds;

/// Looks for the pattern in an outlet.
pub fn detect(_outlet: &Outlet, _thresholds: &Thresholds<'_>) -> Vec<Hit> {
    Vec::new()
}
