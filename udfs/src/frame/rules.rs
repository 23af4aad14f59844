//! The rules that run over frames; each makes the rows of one view.

mod columns;
pub mod condition_correlation;
pub mod daily_valid;
pub mod emissions;
pub mod exceedances;
pub mod fixed_runs;
pub mod hourly_valid;
pub mod judged_hours;
mod masses;
pub mod monthly_valid;
pub mod pattern_findings;
pub mod quarterly_capture;
pub mod reporting_problems;
mod sent;
pub mod transmission_days;

pub use masses::whole_quarters;

use std::fmt::Debug;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::common::Result;

use super::asked::Asked;
use super::extents::Extents;
use super::facts::Registry;
use super::outlet::{OutletFrame, SeriesTable};
use super::pattern_facts::PatternRegistry;
use super::settle::Scope;
use super::source::OutletReader;
use crate::validity::Rulebook;

/// What a rule is given besides the frames.
#[derive(Debug, Clone)]
pub struct RuleContext {
    /// What is known of the outlets.
    pub registry: Arc<Registry>,
    /// From when to when series reach of which rows are not read.
    pub extents: Arc<Extents>,
    /// The numbers in force.
    pub rulebook: Arc<Rulebook>,
    /// The hours asked for.
    pub scope: Scope,
    /// The columns and factors asked for.
    pub asked: Arc<Asked>,
    /// What only the search for patterns asks of the registry; empty for other rules.
    pub patterns: Arc<PatternRegistry>,
    /// What was not read for want of being in `scope`.
    pub unread: Arc<dyn OutletReader>,
}

/// A rule over frames: what it reads and the rows it makes.
pub trait FrameRule: Debug + Send + Sync {
    /// The rule's name in SQL.
    fn name(&self) -> &str;

    /// The rows it makes.
    fn schema(&self) -> SchemaRef;

    /// Tells of which factors rows may come; which others they rest on is told by [`Asked`].
    fn is_about(&self) -> fn(&str) -> bool {
        |_| true
    }

    /// Whether it compares converted values, which it then reads although no column shows them.
    fn compares_converted(&self) -> bool {
        false
    }

    /// The columns it reads of each table, besides `mn`, `factor` and `ts`, for what is asked.
    fn reads(&self, asked: &Asked) -> Vec<(SeriesTable, Vec<&'static str>)>;

    /// Whether it looks for patterns, and so at what is on record of the outlets.
    fn looks_for_patterns(&self) -> bool {
        false
    }

    /// Starts a run over the outlets of one partition.
    fn start(&self, context: RuleContext) -> Box<dyn FrameRun>;
}

/// Whether the hours read are enough.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading {
    /// They are.
    Enough,
    /// These are needed, and hold those read.
    Needs(Range<i64>),
}

/// A rule running over the outlets of one partition, in order of `mn`.
pub trait FrameRun: Send {
    /// Adds the rows of one outlet, of which the frame holds the hours of `scope`; or
    /// adds none and asks for more hours.
    fn outlet(&mut self, frame: &OutletFrame, scope: &Scope) -> Result<Reading>;

    /// Rows not yet taken.
    fn len(&self) -> usize;

    /// Whether no row waits to be taken.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes the rows made so far.
    fn take(&mut self) -> Result<RecordBatch>;
}
