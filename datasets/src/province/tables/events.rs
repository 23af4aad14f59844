//! Rows of the tables that only some outlets have: stops, raw signals, parameters, checks, works.

use std::sync::Arc;

use arrow::array::{BooleanArray, Float64Array, RecordBatch, StringArray};

use super::{SECOND_US, Sent, batch, numbers, texts, times};
use crate::province::ProvinceError;
use crate::province::scene::Clock;

/// The rows of these tables, by table.
pub(super) fn events(sent: &Sent<'_>) -> Result<Vec<(&'static str, RecordBatch)>, ProvinceError> {
    Ok(vec![
        ("stoppages", stoppages(sent)?),
        ("raw_signals", raw_signals(sent)?),
        ("device_params", device_params(sent)?),
        ("device_logs", device_logs(sent)?),
        ("qc_results", qc_results(sent)?),
        ("maintenance", maintenance(sent)?),
        ("faults", faults(sent)?),
        ("marks", marks(sent)?),
    ])
}

/// A batch with what every row has: outlet, receipt and source.
fn of_outlet(
    sent: &Sent<'_>,
    received: Vec<i64>,
    columns: Vec<(&str, arrow::array::ArrayRef)>,
) -> Result<RecordBatch, ProvinceError> {
    let rows = received.len();
    let mut all = vec![("mn", texts(vec![sent.mn; rows]))];
    all.extend(columns);
    all.push(("received_at", times(received)));
    all.push(("source", texts(vec!["synthetic"; rows])));
    batch(all)
}

fn stoppages(sent: &Sent<'_>) -> Result<RecordBatch, ProvinceError> {
    let clock = Clock::of(sent.request);
    let own = sent.process.stop.iter().map(|stop| (clock.time(stop.start), clock.time(stop.end)));
    let stops: Vec<(i64, i64)> = own.chain(sent.records.stops.iter().copied()).collect();
    let started: Vec<i64> = stops.iter().map(|(started, _)| *started).collect();
    of_outlet(
        sent,
        started.clone(),
        vec![
            ("kind", texts(vec!["production"; stops.len()])),
            ("started", times(started)),
            ("ended", times(stops.iter().map(|(_, ended)| *ended).collect())),
            ("approved", Arc::new(BooleanArray::from(vec![true; stops.len()]))),
        ],
    )
}

fn raw_signals(sent: &Sent<'_>) -> Result<RecordBatch, ProvinceError> {
    let raw = || sent.records.raw.values();
    let ts: Vec<i64> = sent.records.raw.keys().map(|(_, ts)| *ts).collect();
    of_outlet(
        sent,
        ts.iter().map(|ts| ts + sent.request.interval.micros() + 2 * SECOND_US).collect(),
        vec![
            ("factor", texts(sent.records.raw.keys().map(|(factor, _)| *factor))),
            ("ts", times(ts)),
            ("signal", numbers(raw().map(|raw| raw.signal).collect())),
            ("reading", numbers(raw().map(|raw| raw.reading).collect())),
            ("logged", numbers(raw().map(|raw| raw.logged).collect())),
            ("phase", texts(raw().map(|raw| raw.phase))),
        ],
    )
}

fn device_params(sent: &Sent<'_>) -> Result<RecordBatch, ProvinceError> {
    let params = || sent.records.params.iter();
    let ts: Vec<i64> = params().map(|param| param.ts).collect();
    of_outlet(
        sent,
        ts.iter().map(|ts| ts + 30 * SECOND_US).collect(),
        vec![
            ("factor", texts(params().map(|param| param.factor))),
            ("param", texts(params().map(|param| param.param))),
            ("ts", times(ts)),
            ("value", Arc::new(Float64Array::from_iter(params().map(|param| param.value)))),
            ("text", Arc::new(StringArray::from_iter(params().map(|param| param.text.as_deref())))),
        ],
    )
}

fn device_logs(sent: &Sent<'_>) -> Result<RecordBatch, ProvinceError> {
    let logs = || sent.records.logs.iter();
    let ts: Vec<i64> = logs().map(|log| log.ts).collect();
    of_outlet(
        sent,
        ts.iter().map(|ts| ts + 30 * SECOND_US).collect(),
        vec![
            ("factor", texts(logs().map(|log| log.factor))),
            ("ts", times(ts)),
            ("text", texts(logs().map(|log| log.text))),
        ],
    )
}

fn qc_results(sent: &Sent<'_>) -> Result<RecordBatch, ProvinceError> {
    let checks = || sent.records.checks.iter();
    let ts: Vec<i64> = checks().map(|check| check.ts).collect();
    let rows = ts.len();
    of_outlet(
        sent,
        ts.iter().map(|ts| ts + 600 * SECOND_US).collect(),
        vec![
            ("factor", texts(checks().map(|check| check.factor))),
            ("ts", times(ts)),
            ("kind", texts(checks().map(|check| check.kind))),
            ("expected", numbers(checks().map(|check| check.expected).collect())),
            ("measured", numbers(checks().map(|check| check.measured).collect())),
            ("unit", texts(checks().map(|check| check.unit))),
            ("auto", Arc::new(BooleanArray::from(vec![true; rows]))),
            ("passed", Arc::new(BooleanArray::from(vec![true; rows]))),
        ],
    )
}

fn maintenance(sent: &Sent<'_>) -> Result<RecordBatch, ProvinceError> {
    let works = || sent.records.works.iter();
    of_outlet(
        sent,
        works().map(|work| work.ended).collect(),
        vec![
            ("factor", texts(works().map(|work| work.factor))),
            ("started", times(works().map(|work| work.started).collect())),
            ("ended", times(works().map(|work| work.ended).collect())),
            ("kind", texts(works().map(|work| work.kind))),
            ("text", texts(works().map(|work| work.text))),
        ],
    )
}

fn faults(sent: &Sent<'_>) -> Result<RecordBatch, ProvinceError> {
    let faults = || sent.records.faults.iter();
    let rows = faults().len();
    of_outlet(
        sent,
        faults().map(|fault| fault.ended).collect(),
        vec![
            ("factor", texts(faults().map(|fault| fault.factor))),
            ("started", times(faults().map(|fault| fault.started).collect())),
            ("code", texts(vec!["2"; rows])),
            ("device", texts(vec!["analyser"; rows])),
            ("ended", times(faults().map(|fault| fault.ended).collect())),
            ("reported", times(faults().map(|fault| fault.started + 3600 * SECOND_US).collect())),
            ("arrived", times(faults().map(|fault| fault.started + 7200 * SECOND_US).collect())),
            ("repaired_by", texts(vec!["运维单位"; rows])),
            ("cause", texts(faults().map(|fault| fault.cause))),
        ],
    )
}

fn marks(sent: &Sent<'_>) -> Result<RecordBatch, ProvinceError> {
    let marks = || sent.records.marks.iter();
    of_outlet(
        sent,
        marks().map(|mark| mark.started).collect(),
        vec![
            ("factor", texts(marks().map(|mark| mark.factor))),
            ("started", times(marks().map(|mark| mark.started).collect())),
            ("ended", times(marks().map(|mark| mark.ended).collect())),
            ("mark", texts(marks().map(|mark| mark.mark))),
            ("by", texts(vec!["enterprise"; marks().len()])),
        ],
    )
}
