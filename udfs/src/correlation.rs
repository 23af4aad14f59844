//! How closely two series go together.
//!
//! | function | is | NULL where |
//! |---|---|---|
//! | [`corr_pearson`] | product-moment correlation | fewer than 3 pairs, a constant side, an infinite value |
//! | [`corr_spearman`] | the same of average ranks | fewer than 3 pairs, a constant side |
//! | [`corr_kendall`] | tau-b, in O(n log n) | fewer than 3 pairs, a constant side |
//! | [`corr_partial`] | Pearson with a third series held constant | as Pearson, or the third tells one wholly |
//! | [`best_lag`] | the shift at which Pearson is greatest | no shift has a correlation |
//!
//! A series is a slice; NaN stands for a missing value, and a pair with one is
//! left out. Ranks take infinities as the greatest and the least value there is;
//! means have none, so Pearson has no answer. [`p_values`] tells how likely a
//! correlation is without any connection, by the rules of scipy, [`verdict`] what it says
//! of an emission and a working condition.

pub mod best_lag;
mod centred;
pub mod corr_kendall;
pub mod corr_partial;
pub mod corr_pearson;
pub mod corr_spearman;
pub mod p_values;
pub mod ranks;
pub mod rules;
pub(crate) mod sample_function;
pub mod verdict;

/// Pairs below which nothing is told.
pub const LEAST_PAIRS: usize = 3;
