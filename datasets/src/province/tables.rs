//! The rows of one outlet in the tables of the contract.

mod events;
mod measurements;
mod packets;
mod registry;

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray, TimestampMicrosecondArray};

use super::process::{Process, rounded};
use super::records::Records;
use super::scene::{Clock, HOUR_US};
use super::{Interval, ProvinceError, ProvinceRequest};

pub(super) use registry::city_of;

const SECOND_US: i64 = 1_000_000;

/// An outlet with all it sends.
pub(super) struct Sent<'a> {
    pub(super) request: &'a ProvinceRequest,
    pub(super) index: u32,
    pub(super) mn: &'a str,
    pub(super) process: &'a Process,
    pub(super) records: &'a Records,
}

impl Sent<'_> {
    /// The places of the signals, by factor.
    fn by_factor(&self) -> Vec<usize> {
        let mut places: Vec<usize> = (0..self.process.signals.len()).collect();
        places.sort_by_key(|at| self.process.signals[*at].factor);
        places
    }
}

/// The rows of an outlet, by table; no table that has none.
pub(super) fn tables(
    sent: &Sent<'_>,
    dice: &mut super::Dice,
) -> Result<Vec<(&'static str, RecordBatch)>, ProvinceError> {
    let measured = match sent.request.interval {
        Interval::Hour => "hourly",
        Interval::Minute => "minute",
    };
    let mut tables = vec![
        (measured, measurements::measurements(sent, dice)?),
        ("conditions", conditions(sent)?),
        ("outlets", registry::outlets(sent)?),
        ("monitors", registry::monitors(sent)?),
    ];
    if sent.index.is_multiple_of(2) {
        tables.push(("enterprises", registry::enterprise(sent.request, sent.index)?));
    }
    tables.extend(measurements::rollups(sent)?);
    tables.extend(events::events(sent)?);
    tables.push(("packets", packets::packets(sent)?));
    tables.retain(|(_, rows)| rows.num_rows() > 0);
    Ok(tables)
}

fn texts<'a>(values: impl IntoIterator<Item = &'a str>) -> ArrayRef {
    // The array asks how many there are beforehand.
    Arc::new(StringArray::from_iter_values(values.into_iter().collect::<Vec<_>>()))
}

fn times(values: Vec<i64>) -> ArrayRef {
    Arc::new(TimestampMicrosecondArray::from(values))
}

fn numbers(values: Vec<f64>) -> ArrayRef {
    Arc::new(Float64Array::from(values))
}

/// A batch of rows. Every column may be NULL, whether or not this outlet has one that is: the rows of
/// all outlets go to one file.
fn batch(columns: Vec<(&str, ArrayRef)>) -> Result<RecordBatch, ProvinceError> {
    let columns = columns.into_iter().map(|(name, values)| (name, values, true));
    Ok(RecordBatch::try_from_iter_with_nullable(columns)?)
}

/// The id of an exchange at a moment: its time to the millisecond.
fn qn_of(at: i64) -> String {
    chrono::DateTime::from_timestamp_micros(at)
        .map_or_else(String::new, |time| time.format("%Y%m%d%H%M%S%3f").to_string())
}

/// Hourly load of the plant, and what else it tells of its working.
fn conditions(sent: &Sent<'_>) -> Result<RecordBatch, ProvinceError> {
    let every = sent.request.interval.steps_an_hour();
    let load: Vec<f64> = sent.process.load.iter().step_by(every).map(|load| rounded(*load, 1)).collect();
    let hours = load.len();
    let mut params = vec![("load", load)];
    params.extend(sent.records.conditions.iter().cloned());
    params.sort_by_key(|(param, _)| *param);
    let rows = params.iter().map(|(_, values)| values.len()).sum::<usize>();
    let ts: Vec<i64> = params
        .iter()
        .flat_map(|(_, values)| 0..values.len().min(hours))
        .map(|hour| Clock::of(sent.request).from + hour as i64 * HOUR_US)
        .collect();
    let received = ts.iter().map(|ts| ts + HOUR_US + 5 * SECOND_US).collect();
    batch(vec![
        ("mn", texts(vec![sent.mn; rows])),
        ("param", texts(params.iter().flat_map(|(param, values)| vec![*param; values.len()]))),
        ("ts", times(ts)),
        ("value", numbers(params.iter().flat_map(|(_, values)| values.iter().copied()).collect())),
        ("flag", texts(vec!["N"; rows])),
        ("received_at", times(received)),
        ("source", texts(vec!["synthetic"; rows])),
    ])
}
