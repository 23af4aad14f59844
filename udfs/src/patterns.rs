//! What an expert inspector looks for in the data of an outlet: the 36 patterns of tampering.
//!
//! ```text
//! OutletFrame ──▶ Outlet ──▶ detect of every pattern ──▶ hits ──▶ findings
//! rows            grids      a file each                          merged by mechanism
//! ```
//!
//! A hit is a clue, not a verdict: it names the figures that a reader can check. Each
//! pattern's file tells the mechanism, the formula, the thresholds with their reason, what
//! excuses a hit, and a worked example; the numbers stand in `datasets/tables/pattern_thresholds.csv`.
//!
//! | file | holds |
//! |---|---|
//! | [`outlet`] | an outlet's series on regular grids, and what is on record of it |
//! | [`hit`] | what a pattern found, with its evidence |
//! | [`rules`] | the numbers that every pattern shares |
//! | [`thresholds`] | the thresholds in force for an outlet |
//! | [`findings`] | overlapping hits of one mechanism as one finding |
//! | [`score`] | from a statistic to a score |
//! | [`segments`] | where a pattern begins and ends |
//! | [`robust`] | medians and quantiles |
//! | [`rest`] | when a plant is at rest |
//! | [`evidence`] | what a point says for or against a pattern |
//! | [`flat_top`] | values that pile up at their own greatest |
//! | [`onset`] | when a deed that moved the level began and ended |
//! | [`departure`] | stretches where a series stands off its own level |
//! | [`excess`] | stretches of deviations above a tolerance |
//! | [`documented`] | whether a record accounts for a change |
//! | [`cross_outlet_copy`], [`outlet_copies`] | the one pattern that two outlets show, and its SQL aggregate |
//! | [`finding_id`] | what a finding is called |

pub mod calibration_tampering;
pub mod calibration_without_trace;
pub mod clock_games;
pub mod constant_value;
pub mod conversion_mismatch;
pub mod cross_outlet_copy;
pub mod departure;
pub mod digit_preference;
pub mod dilution;
pub mod documented;
pub mod duplicate_identity;
pub mod evidence;
pub mod excess;
pub mod finding_id;
pub mod findings;
pub mod flag_abuse;
pub mod flat_top;
pub mod hit;
pub mod impossible_chemistry;
pub mod impossible_physics;
pub mod late_edit;
pub mod limit_chasing;
pub mod limit_clipping;
pub mod load_decoupling;
pub mod logger_parameter_change;
pub mod low_variance;
pub mod maximum_clamp;
pub mod night_discharge;
#[cfg(test)]
mod odd_records;
pub mod onset;
pub mod outage_at_high_load;
pub mod outlet;
pub mod outlet_copies;
pub mod oxygen_tampering;
pub mod perfect_calibration;
pub mod random_noise;
pub mod range_clamp;
pub mod ratio_break;
pub mod replay;
pub mod rest;
pub mod robust;
pub mod rollup_mismatch;
pub mod rules;
pub mod sample_swap;
pub mod sampling_gaming;
pub mod score;
pub mod segments;
pub mod standard_solution;
pub mod step_after_maintenance;
pub mod stopped_but_emitting;
pub mod stream_mismatch;
#[cfg(test)]
pub(crate) mod survival;
pub mod synthetic_series;
pub mod thresholds;
pub mod zero_or_negative_run;

use self::hit::Hit;
use self::outlet::Outlet;
use self::thresholds::Thresholds;

/// Looks for a pattern in an outlet.
pub type Detect = fn(&Outlet, &Thresholds<'_>) -> Vec<Hit>;

/// A pattern and how it is looked for.
#[derive(Debug, Clone, Copy)]
pub struct Detector {
    /// The pattern's name.
    pub pattern: &'static str,
    /// Looks for it.
    pub detect: Detect,
}

const fn pattern(pattern: &'static str, detect: Detect) -> Detector {
    Detector { pattern, detect }
}

/// Every pattern that one outlet alone can show, by number.
pub const DETECTORS: [Detector; 35] = [
    pattern("constant_value", constant_value::detect),
    pattern("low_variance", low_variance::detect),
    pattern("limit_clipping", limit_clipping::detect),
    pattern("maximum_clamp", maximum_clamp::detect),
    pattern("range_clamp", range_clamp::detect),
    pattern("replay", replay::detect),
    pattern("synthetic_series", synthetic_series::detect),
    pattern("random_noise", random_noise::detect),
    pattern("dilution", dilution::detect),
    pattern("oxygen_tampering", oxygen_tampering::detect),
    pattern("conversion_mismatch", conversion_mismatch::detect),
    pattern("calibration_tampering", calibration_tampering::detect),
    pattern("logger_parameter_change", logger_parameter_change::detect),
    pattern("flag_abuse", flag_abuse::detect),
    pattern("outage_at_high_load", outage_at_high_load::detect),
    pattern("rollup_mismatch", rollup_mismatch::detect),
    pattern("stream_mismatch", stream_mismatch::detect),
    pattern("load_decoupling", load_decoupling::detect),
    pattern("night_discharge", night_discharge::detect),
    pattern("step_after_maintenance", step_after_maintenance::detect),
    pattern("calibration_without_trace", calibration_without_trace::detect),
    pattern("perfect_calibration", perfect_calibration::detect),
    pattern("standard_solution", standard_solution::detect),
    pattern("sample_swap", sample_swap::detect),
    pattern("impossible_chemistry", impossible_chemistry::detect),
    pattern("impossible_physics", impossible_physics::detect),
    pattern("stopped_but_emitting", stopped_but_emitting::detect),
    pattern("zero_or_negative_run", zero_or_negative_run::detect),
    pattern("digit_preference", digit_preference::detect),
    pattern("sampling_gaming", sampling_gaming::detect),
    pattern("clock_games", clock_games::detect),
    pattern("late_edit", late_edit::detect),
    pattern("ratio_break", ratio_break::detect),
    pattern("duplicate_identity", duplicate_identity::detect),
    pattern("limit_chasing", limit_chasing::detect),
];
