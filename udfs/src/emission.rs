//! Flue-gas formulas of HJ 212-2017 annex D.2, the mass of an hour, and what
//! stands in for the hours that have none.

pub mod capture;
pub mod control;
pub mod dry_standard_flow;
pub mod gas_state;
pub mod masses;
pub mod nox_as_no2;
pub mod o2_convert;
pub mod ppm_to_mg;
pub mod relative_accuracy;
pub mod rules;
pub mod section_velocity;
pub mod substitution;
pub mod to_dry_standard;
pub mod water;

/// Kelvin at 0 °C, as the annex rounds it.
pub const STANDARD_KELVIN: f64 = 273.0;
/// Standard pressure, kPa.
pub const STANDARD_KPA: f64 = 101.325;

/// The factor that takes a volume of gas at `t_c`, `gauge_kpa` over
/// `ambient_kpa`, to 0 °C and standard pressure; `None` where the state is no gas.
pub(crate) fn standard_state(t_c: f64, gauge_kpa: f64, ambient_kpa: f64) -> Option<f64> {
    let kelvin = STANDARD_KELVIN + t_c;
    let pressure = ambient_kpa + gauge_kpa;
    let physical = kelvin > 0.0 && pressure > 0.0;
    physical.then(|| STANDARD_KELVIN / kelvin * pressure / STANDARD_KPA)
}

/// The dry share of gas with `humidity_pct`; `None` outside 0 to below 100 %.
pub(crate) fn dry_share(humidity_pct: f64) -> Option<f64> {
    (0.0..100.0).contains(&humidity_pct).then(|| 1.0 - humidity_pct / 100.0)
}
