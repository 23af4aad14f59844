//! Valid hours, days and months.
//!
//! | step | air | water |
//! |---|---|---|
//! | hour | 45 valid minutes, else the reported hour with flag `N` | the same; an hour with flow 0 is not due |
//! | day | 20 valid hours, their mean | 75 % of the results due, weighted by flow |
//! | month | 25 valid days (February 23), their mean | 75 % of the days, their mean |
//!
//! The numbers are rules ([`plume_datasets::rules`]), read into
//! [`ValidityRules`]. The kernels work on dense hour grids of one outlet:
//! [`hours`] settles each hour, [`days`] and [`months`] sum up.

pub mod below_detection;
pub mod days;
pub mod effective_transmission;
pub mod hours;
mod mean_function;
pub mod months;
pub mod reporting;
mod rules;
pub mod runs;
pub mod streams;
pub mod transmission;
pub mod valid_day_mean;
pub mod valid_hour_mean;
pub mod valid_month_mean;

pub use rules::{DayBasis, Rulebook, StreamMismatch, ValidityRules};
