//! What an outlet sends besides its measurements, and how its measurements travel.

use std::collections::BTreeMap;
use std::ops::Range;

/// Everything an outlet sends besides its measurements.
#[derive(Debug, Default)]
pub(super) struct Records {
    /// Raw signals by factor and time, µs.
    pub(super) raw: BTreeMap<(&'static str, i64), Raw>,
    pub(super) params: Vec<Param>,
    pub(super) logs: Vec<Log>,
    pub(super) checks: Vec<Check>,
    pub(super) works: Vec<Work>,
    pub(super) faults: Vec<Fault>,
    pub(super) marks: Vec<Mark>,
    /// Stops of production that were announced besides the plant's own, µs.
    pub(super) stops: Vec<(i64, i64)>,
    /// Working conditions besides the load, an hour each.
    pub(super) conditions: Vec<(&'static str, Vec<f64>)>,
    /// Ranges registered from a moment on: signal, µs, upper end.
    pub(super) ranges: Vec<(usize, i64, f64)>,
    /// Velocity-field coefficient registered from a moment on, µs.
    pub(super) registered_kv: Option<(i64, f64)>,
    /// Whether the outlet discharges now and then only.
    pub(super) is_intermittent: bool,
    /// Means of longer intervals that the outlet sends, too.
    pub(super) rollup: Option<Rollup>,
    /// Hourly packets that were kept as received.
    pub(super) packets: Vec<Line>,
    /// The outlet whose stack or outfall it shares: enterprise and name are that one's.
    pub(super) shares_with: Option<u32>,
    pub(super) sending: Sending,
}

/// A raw signal with the figures made of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Raw {
    pub(super) signal: f64,
    pub(super) reading: f64,
    pub(super) logged: f64,
    pub(super) phase: &'static str,
}

/// A parameter of a device, from a moment on.
#[derive(Debug)]
pub(super) struct Param {
    pub(super) factor: &'static str,
    pub(super) param: &'static str,
    pub(super) ts: i64,
    /// A number, or else the text.
    pub(super) value: Option<f64>,
    pub(super) text: Option<String>,
}

/// A line of a device's log.
#[derive(Debug)]
pub(super) struct Log {
    pub(super) factor: &'static str,
    pub(super) ts: i64,
    pub(super) text: &'static str,
}

/// A check against a standard.
#[derive(Debug)]
pub(super) struct Check {
    pub(super) factor: &'static str,
    pub(super) ts: i64,
    pub(super) kind: &'static str,
    pub(super) expected: f64,
    pub(super) measured: f64,
    pub(super) unit: &'static str,
}

/// A work of maintenance.
#[derive(Debug)]
pub(super) struct Work {
    pub(super) factor: &'static str,
    pub(super) started: i64,
    pub(super) ended: i64,
    pub(super) kind: &'static str,
    pub(super) text: &'static str,
}

/// A fault with its repair.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) factor: &'static str,
    pub(super) started: i64,
    pub(super) ended: i64,
    pub(super) cause: &'static str,
}

/// A mark of the discharger.
#[derive(Debug)]
pub(super) struct Mark {
    pub(super) factor: &'static str,
    pub(super) started: i64,
    pub(super) ended: i64,
    pub(super) mark: &'static str,
}

/// Means of hours (of minutes sent) and days that an outlet makes of its own rows.
#[derive(Debug)]
pub(super) struct Rollup {
    /// Steps whose means are edited.
    pub(super) edited: Range<usize>,
    /// By how much they are lowered.
    pub(super) share: f64,
}

/// A packet of hourly data.
#[derive(Debug)]
pub(super) struct Line {
    /// First step of its hour.
    pub(super) step: usize,
    pub(super) peer: String,
    /// By how much its values are lowered.
    pub(super) lowered: f64,
    /// µs from the end of its hour until it was received.
    pub(super) after: i64,
    /// µs by which the sender's clock is behind.
    pub(super) behind: i64,
}

/// How the rows of an outlet travel.
#[derive(Debug, Default)]
pub(super) struct Sending {
    /// Whether rows carry the id of their exchange.
    pub(super) with_qn: bool,
    /// Steps whose rows arrive later by some µs.
    pub(super) late: BTreeMap<usize, i64>,
    /// Steps at which the sender's clock is behind by some µs.
    pub(super) behind: Option<(Range<usize>, i64)>,
    /// Steps whose rows are sent again unchanged, so many µs after the first time.
    pub(super) again: BTreeMap<usize, i64>,
    /// Other values sent later, by signal and step: value, µs after the first.
    pub(super) edits: BTreeMap<(usize, usize), (f64, i64)>,
}
