//! What the data are: the schema of every table, the code tables, the rule sets
//! as dated data with their clauses, and the synthetic province.
//!
//! | module | holds |
//! |---|---|
//! | [`schema`] | every table of the store: columns with type, unit, English and Chinese meaning |
//! | [`equivalents`] | pollution equivalents and rates of the environmental protection tax |
//! | [`factors`] | HJ 212 factor codes, their units and the codes of 2005 |
//! | [`flags`] | the one-letter data flags |
//! | [`rules`] | rule sets: each number of a regulation with clause and dates |
//! | [`clocks`] | the catalogue of clocks K1 to K32 |
//! | [`mark_words`] | the words of marks |
//! | [`patterns`] | the catalogue of fraud patterns |
//! | [`pattern_thresholds`] | their thresholds, on hourly and on minute data |
//! | [`province`] | a synthetic province, the same for the same seed |
//!
//! Arrow types only; nothing here reads a store or computes a rule.

pub mod clocks;
pub mod condition_roles;
pub mod equivalents;
pub mod factors;
pub mod flags;
pub mod mark_words;
pub mod pattern_thresholds;
pub mod patterns;
pub mod province;
pub mod rules;
pub mod schema;
