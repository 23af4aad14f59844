//! Rows of `enterprises`, `outlets` and `monitors`.

use std::sync::Arc;

use arrow::array::{BooleanArray, Float64Array, RecordBatch, TimestampMicrosecondArray};

use super::{SECOND_US, Sent, batch, texts, times};
use crate::province::process::O2_REFERENCE;
use crate::province::{Interval, ProvinceError, ProvinceRequest};

/// Cities of the province, GB/T 2260.
const CITIES: [&str; 6] = ["420100", "420200", "420300", "420500", "420600", "421000"];

/// Detection limit of an analyser, of its hourly limit.
const DETECTION: f64 = 0.01;

/// Where the city of an outlet's enterprise stands among the cities.
pub(in crate::province) fn city_of(index: u32) -> usize {
    index as usize / 2 % CITIES.len()
}

fn enterprise_id(index: u32) -> String {
    format!("E{:06}", index / 2)
}

pub(super) fn enterprise(request: &ProvinceRequest, index: u32) -> Result<RecordBatch, ProvinceError> {
    let city = CITIES[city_of(index)];
    batch(vec![
        ("enterprise_id", texts([enterprise_id(index).as_str()])),
        ("since", times(vec![request.from])),
        ("name", texts([format!("第{}企业", index / 2).as_str()])),
        ("city", texts([city])),
        ("industry", texts([["D4411", "C3011", "D4620"][index as usize / 2 % 3]])),
        ("attention", texts(["key"])),
        ("received_at", times(vec![request.from])),
        ("source", texts(["synthetic"])),
    ])
}

/// The outlet as registered; once more from where another velocity-field coefficient was accepted.
/// Outlets of one stack are of one enterprise and have one name.
pub(super) fn outlets(sent: &Sent<'_>) -> Result<RecordBatch, ProvinceError> {
    let (request, records) = (sent.request, sent.records);
    let is_air = sent.process.oxygen().is_some();
    let place = records.shares_with.unwrap_or(sent.index);
    let name = if is_air { format!("{place}号排气筒") } else { format!("{place}号废水排口") };
    let duct = sent.process.duct;
    let mut versions = vec![(request.from, duct.map(|duct| duct.kv))];
    versions.extend(records.registered_kv.map(|(since, kv)| (since, Some(kv))));
    let rows = versions.len();
    let discharge = if records.is_intermittent { "intermittent" } else { "continuous" };
    let known = |value: Option<f64>| Arc::new(Float64Array::from(vec![value; rows]));
    batch(vec![
        ("mn", texts(vec![sent.mn; rows])),
        ("since", times(versions.iter().map(|(since, _)| *since).collect())),
        ("enterprise_id", texts(vec![enterprise_id(place).as_str(); rows])),
        ("name", texts(vec![name.as_str(); rows])),
        ("medium", texts(vec![if is_air { "air" } else { "water" }; rows])),
        ("discharge", texts(vec![discharge; rows])),
        ("main_outlet", Arc::new(BooleanArray::from(vec![true; rows]))),
        ("o2_reference", known(is_air.then_some(O2_REFERENCE))),
        ("duct_area", known(duct.map(|duct| duct.area))),
        ("kv", Arc::new(Float64Array::from_iter(versions.iter().map(|(_, kv)| *kv)))),
        ("ambient_kpa", known(duct.map(|duct| duct.ambient))),
        ("flow_kind", texts(vec!["dry_standard"; rows])),
        ("ts_label", texts(vec!["start"; rows])),
        ("received_at", times(vec![request.from; rows])),
        ("source", texts(vec!["synthetic"; rows])),
    ])
}

/// What is monitored, once more from where another range holds.
pub(super) fn monitors(sent: &Sent<'_>) -> Result<RecordBatch, ProvinceError> {
    let request = sent.request;
    let mut versions: Vec<(usize, i64, f64)> = Vec::new();
    for at in sent.by_factor() {
        versions.push((at, request.from, sent.process.signals[at].range));
        versions.extend(sent.records.ranges.iter().filter(|(of, ..)| *of == at));
    }
    let rows = versions.len();
    let signals = || versions.iter().map(|(at, ..)| &sent.process.signals[*at]);
    let where_any = |values: Vec<f64>| {
        Arc::new(Float64Array::from_iter(values.into_iter().map(|value| (value > 0.0).then_some(value))))
    };
    let until = |row: usize| {
        let next = versions.get(row + 1)?;
        (next.0 == versions.get(row)?.0).then_some(next.1)
    };
    // Without it, a minute row of water stands for ten minutes.
    let covered = request.interval.micros() as f64 / SECOND_US as f64;
    let covers = if request.interval == Interval::Minute { covered } else { 0.0 };
    let detection = |signal: &crate::province::process::Signal| match signal.factor {
        "w01001" => 0.0,
        _ => signal.limit * DETECTION,
    };
    batch(vec![
        ("mn", texts(vec![sent.mn; rows])),
        ("factor", texts(signals().map(|signal| signal.factor))),
        ("since", times(versions.iter().map(|(_, since, _)| *since).collect())),
        ("until", Arc::new(TimestampMicrosecondArray::from_iter((0..rows).map(until)))),
        ("limit_hour", where_any(signals().map(|signal| signal.limit).collect())),
        ("limit_day", where_any(signals().map(|signal| signal.limit_day).collect())),
        ("range_high", where_any(versions.iter().map(|(_, _, range)| *range).collect())),
        ("detection_limit", where_any(signals().map(detection).collect())),
        ("state", texts(vec!["dry_standard"; rows])),
        ("minute_interval_s", where_any(vec![covers; rows])),
        ("received_at", times(vec![request.from; rows])),
        ("source", texts(vec!["synthetic"; rows])),
    ])
}
