//! The rows of one outlet in the tables of the contract.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Float64Array, Float64Builder, RecordBatch, StringArray, StringBuilder,
    TimestampMicrosecondArray, TimestampMicrosecondBuilder,
};

use super::innocent::{self, Innocent, NETWORK_OUTAGE, RESEMBLES_OUTAGE, befall, network_outages};
use super::process::{Process, Signal, process, rounded};
use super::tamper::{self, Planted, plant};
use super::{Dice, Interval, ProvinceError, ProvinceRequest};

/// Everything about one outlet.
#[derive(Debug)]
pub struct OutletData {
    /// Patterns planted on it.
    pub truth: Vec<Planted>,
    /// What only looks like one.
    pub innocent: Vec<Innocent>,
    /// Its rows, by table.
    pub tables: Vec<(&'static str, RecordBatch)>,
}

/// Cities of the province, GB/T 2260.
const CITIES: [&str; 6] = ["420100", "420200", "420300", "420500", "420600", "421000"];
/// Reference oxygen of the stacks, %.
const O2_REFERENCE: f64 = 6.0;
const SECOND_US: i64 = 1_000_000;
const HOUR_US: i64 = 3600 * SECOND_US;

/// Makes one outlet.
pub(super) fn outlet(request: &ProvinceRequest, index: u32) -> Result<OutletData, ProvinceError> {
    let mut dice = Dice::of_outlet(request.seed, index);
    let is_air = index % 4 != 3;
    // 24 characters as HJ 212-2017 has them, in the order of the outlets.
    let mn = format!("PLUME{index:010}{}42000000", if is_air { "G" } else { "W" });
    let interval = request.interval.micros();
    let steps = usize::try_from((request.to - request.from) / interval).unwrap_or_default().max(1);
    let mut process = process(&mut dice, is_air, steps, request.interval, request.from.div_euclid(HOUR_US));
    let (mut truth, mut innocent) = (Vec::new(), Vec::new());
    // Patterns and twins stand on alternate groups of three stacks and an outfall.
    let (group, place) = (index as usize / 4, index as usize % 4);
    let number = if is_air { group / 2 * 3 + place } else { group / 2 };
    if request.planted && group % 2 == 1 {
        let plan = plant(&mut dice, &mut process, number, request.interval);
        truth.push(planted(request, &mn, &process, &plan));
    } else if let Some(plan) = befall(&mut dice, &mut process, number, request.interval) {
        innocent.push(befallen(request, &mn, &process, &plan));
    }
    for outage in network_outages(request, city_of(index), steps) {
        // Every signal is silent; the first pollutant stands for all.
        let plan =
            innocent::Plan { twin: NETWORK_OUTAGE, resembles: RESEMBLES_OUTAGE, steps: outage, signal: 3 };
        process.silence(&plan.steps);
        innocent.push(befallen(request, &mn, &process, &plan));
    }
    let tables = tables(request, &mut dice, index, &mn, &process)?;
    Ok(OutletData { truth, innocent, tables })
}

/// The line of `truth.csv` about a pattern.
fn planted(request: &ProvinceRequest, mn: &str, process: &Process, plan: &tamper::Plan) -> Planted {
    Planted {
        mn: mn.to_owned(),
        factor: process.signals[plan.signal].factor,
        pattern: plan.family,
        strength: plan.strength,
        started: time_of(request, plan.steps.start),
        ended: time_of(request, plan.steps.end),
    }
}

/// The line of `innocent.csv` about a twin.
fn befallen(request: &ProvinceRequest, mn: &str, process: &Process, plan: &innocent::Plan) -> Innocent {
    Innocent {
        mn: mn.to_owned(),
        factor: process.signals[plan.signal].factor,
        twin: plan.twin,
        resembles: plan.resembles,
        started: time_of(request, plan.steps.start),
        ended: time_of(request, plan.steps.end),
    }
}

/// When a step begins.
fn time_of(request: &ProvinceRequest, step: usize) -> i64 {
    request.from + step as i64 * request.interval.micros()
}

/// The rows of an outlet, by table.
fn tables(
    request: &ProvinceRequest,
    dice: &mut Dice,
    index: u32,
    mn: &str,
    process: &Process,
) -> Result<Vec<(&'static str, RecordBatch)>, ProvinceError> {
    let measured = match request.interval {
        Interval::Hour => "hourly",
        Interval::Minute => "minute",
    };
    let is_air = process.oxygen().is_some();
    let mut tables = vec![
        (measured, measurements(request, dice, mn, process)?),
        ("conditions", conditions(request, mn, process)?),
        ("outlets", registered_outlet(request, index, mn, is_air)?),
        ("monitors", monitors(request, mn, process)?),
    ];
    if index.is_multiple_of(2) {
        tables.push(("enterprises", enterprise(request, index)?));
    }
    if let Some(stop) = &process.stop {
        tables.push(("stoppages", stoppage(request, mn, stop)?));
    }
    Ok(tables)
}

/// Where the city of an outlet's enterprise stands among the cities.
fn city_of(index: u32) -> usize {
    index as usize / 2 % CITIES.len()
}

fn texts<'a>(values: impl IntoIterator<Item = &'a str>) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(values))
}

fn times(values: Vec<i64>) -> ArrayRef {
    Arc::new(TimestampMicrosecondArray::from(values))
}

fn batch(columns: Vec<(&str, ArrayRef)>) -> Result<RecordBatch, ProvinceError> {
    Ok(RecordBatch::try_from_iter(columns)?)
}

/// Rows of `hourly` or `minute`, by factor and time; some come late, some twice,
/// some are corrected.
fn measurements(
    request: &ProvinceRequest,
    dice: &mut Dice,
    mn: &str,
    process: &Process,
) -> Result<RecordBatch, ProvinceError> {
    let oxygen: Vec<f64> =
        process.signals.iter().find(|s| s.factor == "a19001").map_or_else(Vec::new, |s| s.value.clone());
    let steps = process.load.len();
    let packets: Vec<Packet> = (0..steps).map(|step| Packet::sent(request, dice, step)).collect();
    let mut rows = Measurements::default();
    for (signal, limit) in process.signals.iter().zip(&process.limits) {
        let with_converted = !oxygen.is_empty() && *limit > 0.0;
        for step in (0..signal.value.len()).filter(|step| !signal.value[*step].is_nan()) {
            let converted = match with_converted {
                true => convert(signal.value[step], oxygen[step], signal.decimals),
                false => None,
            };
            rows.push(request, dice, mn, signal, converted, &packets[step]);
        }
    }
    rows.finish()
}

/// The value at the reference oxygen, as a logger computes it.
fn convert(value: f64, oxygen: f64, decimals: i32) -> Option<f64> {
    (oxygen < 20.0).then(|| rounded(value * (21.0 - O2_REFERENCE) / (21.0 - oxygen), decimals))
}

/// The packet that brings all factors of an outlet's interval.
struct Packet {
    step: usize,
    ts: i64,
    received_at: i64,
    times_sent: usize,
}

impl Packet {
    /// The packet of a step: mostly within 90 seconds, a few late or sent twice.
    fn sent(request: &ProvinceRequest, dice: &mut Dice, step: usize) -> Self {
        let interval = request.interval.micros();
        let ts = time_of(request, step);
        let delay_ms = 2000.0 + 88_000.0 * dice.uniform();
        let late_ms = if dice.chance(0.001) { dice.between(1.0, 48.0) * 3600.0 * 1000.0 } else { 0.0 };
        let received_at = ts + interval + (delay_ms + late_ms) as i64 * 1000;
        let times_sent = if dice.chance(0.001) { 2 } else { 1 };
        Self { step, ts, received_at, times_sent }
    }
}

#[derive(Default)]
struct Measurements {
    mn: StringBuilder,
    factor: StringBuilder,
    ts: TimestampMicrosecondBuilder,
    value: Float64Builder,
    value_min: Float64Builder,
    value_max: Float64Builder,
    total: Float64Builder,
    converted: Float64Builder,
    flag: StringBuilder,
    received_at: TimestampMicrosecondBuilder,
    source: StringBuilder,
}

impl Measurements {
    fn push(
        &mut self,
        request: &ProvinceRequest,
        dice: &mut Dice,
        mn: &str,
        signal: &Signal,
        converted: Option<f64>,
        packet: &Packet,
    ) {
        let Packet { step, ts, received_at, times_sent } = *packet;
        let interval = request.interval.micros();
        let value = signal.value[step];
        let spread = value.abs() * dice.between(0.02, 0.12);
        let min = rounded((value - spread).max(0.0), signal.decimals);
        let max = rounded(value + spread, signal.decimals);
        let seconds = interval as f64 / SECOND_US as f64;
        let total = match signal.factor {
            "a00000" => Some(rounded(value * seconds, 0)),
            "w00000" => Some(rounded(value * seconds / 1000.0, 1)),
            _ => None,
        };
        let corrected = dice.chance(0.0005);
        for _ in 0..times_sent {
            self.row(mn, signal, ts, [value, min, max], total, converted, received_at, step);
        }
        if corrected {
            let value = rounded(value * 1.02, signal.decimals);
            self.row(
                mn,
                signal,
                ts,
                [value, min, max.max(value)],
                total,
                converted,
                received_at + 26 * HOUR_US,
                step,
            );
        }
    }

    #[expect(clippy::too_many_arguments, reason = "one argument a column of the row")]
    fn row(
        &mut self,
        mn: &str,
        signal: &Signal,
        ts: i64,
        values: [f64; 3],
        total: Option<f64>,
        converted: Option<f64>,
        received_at: i64,
        step: usize,
    ) {
        self.mn.append_value(mn);
        self.factor.append_value(signal.factor);
        self.ts.append_value(ts);
        self.value.append_value(values[0]);
        self.value_min.append_value(values[1]);
        self.value_max.append_value(values[2]);
        self.total.append_option(total);
        self.converted.append_option(converted);
        self.flag.append_value(char::from(signal.flag[step]).to_string());
        self.received_at.append_value(received_at);
        self.source.append_value("synthetic");
    }

    fn finish(mut self) -> Result<RecordBatch, ProvinceError> {
        batch(vec![
            ("mn", Arc::new(self.mn.finish())),
            ("factor", Arc::new(self.factor.finish())),
            ("ts", Arc::new(self.ts.finish())),
            ("value", Arc::new(self.value.finish())),
            ("value_min", Arc::new(self.value_min.finish())),
            ("value_max", Arc::new(self.value_max.finish())),
            ("total", Arc::new(self.total.finish())),
            ("converted", Arc::new(self.converted.finish())),
            ("flag", Arc::new(self.flag.finish())),
            ("received_at", Arc::new(self.received_at.finish())),
            ("source", Arc::new(self.source.finish())),
        ])
    }
}

/// Hourly load of the plant.
fn conditions(request: &ProvinceRequest, mn: &str, process: &Process) -> Result<RecordBatch, ProvinceError> {
    let every = usize::try_from(HOUR_US / request.interval.micros()).unwrap_or(1);
    let load: Vec<f64> = process.load.iter().step_by(every).map(|load| rounded(*load, 1)).collect();
    let ts: Vec<i64> = (0..load.len()).map(|hour| request.from + hour as i64 * HOUR_US).collect();
    let received = ts.iter().map(|ts| ts + HOUR_US + 5 * SECOND_US).collect();
    let rows = load.len();
    batch(vec![
        ("mn", texts(vec![mn; rows])),
        ("param", texts(vec!["load"; rows])),
        ("ts", times(ts)),
        ("value", Arc::new(Float64Array::from(load))),
        ("flag", texts(vec!["N"; rows])),
        ("received_at", times(received)),
        ("source", texts(vec!["synthetic"; rows])),
    ])
}

fn registered_outlet(
    request: &ProvinceRequest,
    index: u32,
    mn: &str,
    is_air: bool,
) -> Result<RecordBatch, ProvinceError> {
    let reference = is_air.then_some(O2_REFERENCE);
    batch(vec![
        ("mn", texts([mn])),
        ("since", times(vec![request.from])),
        ("enterprise_id", texts([enterprise_id(index).as_str()])),
        (
            "name",
            texts([if is_air { format!("{index}号排气筒") } else { format!("{index}号废水排口") }.as_str()]),
        ),
        ("medium", texts([if is_air { "air" } else { "water" }])),
        ("discharge", texts(["continuous"])),
        ("main_outlet", Arc::new(BooleanArray::from(vec![true]))),
        ("o2_reference", Arc::new(Float64Array::from(vec![reference]))),
        ("flow_kind", texts(["dry_standard"])),
        ("ts_label", texts(["start"])),
        ("received_at", times(vec![request.from])),
        ("source", texts(["synthetic"])),
    ])
}

fn monitors(request: &ProvinceRequest, mn: &str, process: &Process) -> Result<RecordBatch, ProvinceError> {
    let rows = process.signals.len();
    let limits: Vec<Option<f64>> =
        process.limits.iter().map(|limit| (*limit > 0.0).then_some(*limit)).collect();
    // Without it, a minute row of water stands for ten minutes.
    let minute_interval_s =
        (request.interval == Interval::Minute).then_some(request.interval.micros() as f64 / SECOND_US as f64);
    let ranges: Vec<Option<f64>> = limits.iter().map(|limit| limit.map(|limit| limit * 2.5)).collect();
    batch(vec![
        ("mn", texts(vec![mn; rows])),
        ("factor", texts(process.signals.iter().map(|signal| signal.factor))),
        ("since", times(vec![request.from; rows])),
        ("limit_hour", Arc::new(Float64Array::from(limits))),
        ("range_high", Arc::new(Float64Array::from(ranges))),
        ("state", texts(vec!["dry_standard"; rows])),
        ("minute_interval_s", Arc::new(Float64Array::from(vec![minute_interval_s; rows]))),
        ("received_at", times(vec![request.from; rows])),
        ("source", texts(vec!["synthetic"; rows])),
    ])
}

fn enterprise_id(index: u32) -> String {
    format!("E{:06}", index / 2)
}

fn enterprise(request: &ProvinceRequest, index: u32) -> Result<RecordBatch, ProvinceError> {
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

fn stoppage(request: &ProvinceRequest, mn: &str, stop: &Range<usize>) -> Result<RecordBatch, ProvinceError> {
    let time = |step: usize| time_of(request, step);
    batch(vec![
        ("mn", texts([mn])),
        ("kind", texts(["production"])),
        ("started", times(vec![time(stop.start)])),
        ("ended", times(vec![time(stop.end)])),
        ("approved", Arc::new(BooleanArray::from(vec![true]))),
        ("received_at", times(vec![time(stop.start)])),
        ("source", texts(["synthetic"])),
    ])
}
