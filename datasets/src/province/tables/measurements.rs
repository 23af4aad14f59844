//! Rows of `hourly`, `minute` and `daily`.

use std::sync::Arc;

use arrow::array::{Float64Builder, RecordBatch, StringBuilder, TimestampMicrosecondBuilder};

use super::{Sent, batch, qn_of};
use crate::province::process::{Process, rounded};
use crate::province::scene::{Clock, HOUR_US};
use crate::province::{Dice, ProvinceError, ProvinceRequest};

/// Rows of `hourly` or `minute`, by factor and time; some come late, some twice, some are corrected.
pub(super) fn measurements(sent: &Sent<'_>, dice: &mut Dice) -> Result<RecordBatch, ProvinceError> {
    let steps = sent.process.load.len();
    let packets: Vec<Packet> = (0..steps).map(|step| Packet::sent(sent.request, dice, step)).collect();
    let mut rows = Measurements::default();
    for at in sent.by_factor() {
        let value = &sent.process.signals[at].value;
        for step in (0..value.len()).filter(|step| !value[*step].is_nan()) {
            rows.send(sent, dice, at, &packets[step]);
        }
    }
    rows.finish()
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
        let ts = Clock::of(request).time(step);
        let delay_ms = 2000.0 + 88_000.0 * dice.uniform();
        let late_ms = if dice.chance(0.001) { dice.between(1.0, 48.0) * 3600.0 * 1000.0 } else { 0.0 };
        let received_at = ts + interval + (delay_ms + late_ms) as i64 * 1000;
        let times_sent = if dice.chance(0.001) { 2 } else { 1 };
        Self { step, ts, received_at, times_sent }
    }
}

/// A row of measurements.
pub(super) struct Row<'a> {
    pub(super) mn: &'a str,
    pub(super) factor: &'a str,
    pub(super) ts: i64,
    /// Mean, least and greatest.
    pub(super) values: [f64; 3],
    pub(super) total: Option<f64>,
    pub(super) converted: Option<f64>,
    pub(super) flag: u8,
    pub(super) sample_time: Option<i64>,
    pub(super) qn: Option<String>,
    pub(super) received_at: i64,
}

/// What is sent as converted of a signal that shows `value`.
fn converted(process: &Process, at: usize, step: usize, value: f64) -> Option<f64> {
    let signal = &process.signals[at];
    if let Some(sent) = signal.converted.as_ref().map(|sent| sent[step]).filter(|sent| !sent.is_nan()) {
        let shown = signal.value[step];
        return Some(if shown == 0.0 { sent } else { rounded(sent * (value / shown), signal.decimals) });
    }
    process.oxygen()?;
    process.at_reference(at, step, value).map(|converted| rounded(converted, signal.decimals))
}

#[derive(Default)]
pub(super) struct Measurements {
    mn: StringBuilder,
    factor: StringBuilder,
    ts: TimestampMicrosecondBuilder,
    value: Float64Builder,
    value_min: Float64Builder,
    value_max: Float64Builder,
    total: Float64Builder,
    converted: Float64Builder,
    flag: StringBuilder,
    sample_time: TimestampMicrosecondBuilder,
    qn: StringBuilder,
    received_at: TimestampMicrosecondBuilder,
    source: StringBuilder,
}

impl Measurements {
    /// The rows that a packet brings of a signal, and what is sent of it again.
    fn send(&mut self, sent: &Sent<'_>, dice: &mut Dice, at: usize, packet: &Packet) {
        let Packet { step, ts, times_sent, .. } = *packet;
        let (signal, sending) = (&sent.process.signals[at], &sent.records.sending);
        let value = signal.value[step];
        let spread = value.abs() * dice.between(0.02, 0.12);
        let is_corrected = dice.chance(0.0005);
        let received_at = packet.received_at + sending.late.get(&step).copied().unwrap_or_default();
        let mut row = Row {
            mn: sent.mn,
            factor: signal.factor,
            ts,
            values: [
                value,
                rounded((value - spread).max(value.min(0.0)), signal.decimals),
                rounded(value + spread, signal.decimals),
            ],
            total: total(sent, signal.factor, value),
            converted: converted(sent.process, at, step, value),
            flag: signal.flag[step],
            sample_time: signal.sampled.as_ref().map(|sampled| Clock::of(sent.request).time(sampled[step])),
            qn: sending.with_qn.then(|| qn_of(packet.received_at)),
            received_at,
        };
        if let Some((_, ceiling)) = signal.ceiling.as_ref().filter(|(steps, _)| steps.contains(&step)) {
            row.values[2] = row.values[2].min(rounded(*ceiling, signal.decimals));
        }
        (0..times_sent).for_each(|_| self.push(&row));
        if let Some(after) = sending.again.get(&step) {
            row.received_at = received_at + after;
            self.push(&row);
        }
        if let Some((new, after)) = sending.edits.get(&(at, step)) {
            self.resend(sent, at, step, &mut row, *new, received_at + after);
        }
        if is_corrected {
            self.resend(sent, at, step, &mut row, value * 1.02, received_at + 26 * HOUR_US);
        }
    }

    /// The row again with another value, and what hangs on it.
    fn resend(
        &mut self,
        sent: &Sent<'_>,
        at: usize,
        step: usize,
        row: &mut Row<'_>,
        value: f64,
        received_at: i64,
    ) {
        let value = rounded(value, sent.process.signals[at].decimals);
        let [_, least, greatest] = row.values;
        row.values = [value, least.min(value), greatest.max(value)];
        row.converted = converted(sent.process, at, step, value);
        row.qn = row.qn.as_ref().map(|_| qn_of(received_at));
        row.received_at = received_at;
        self.push(row);
    }

    pub(super) fn push(&mut self, row: &Row<'_>) {
        self.mn.append_value(row.mn);
        self.factor.append_value(row.factor);
        self.ts.append_value(row.ts);
        self.value.append_value(row.values[0]);
        self.value_min.append_value(row.values[1]);
        self.value_max.append_value(row.values[2]);
        self.total.append_option(row.total);
        self.converted.append_option(row.converted);
        self.flag.append_value(char::from(row.flag).to_string());
        self.sample_time.append_option(row.sample_time);
        self.qn.append_option(row.qn.as_deref());
        self.received_at.append_value(row.received_at);
        self.source.append_value("synthetic");
    }

    pub(super) fn finish(mut self) -> Result<RecordBatch, ProvinceError> {
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
            ("sample_time", Arc::new(self.sample_time.finish())),
            ("qn", Arc::new(self.qn.finish())),
            ("received_at", Arc::new(self.received_at.finish())),
            ("source", Arc::new(self.source.finish())),
        ])
    }
}

/// What a flow accumulates in an interval, m³.
fn total(sent: &Sent<'_>, factor: &str, value: f64) -> Option<f64> {
    let seconds = sent.request.interval.micros() as f64 / super::SECOND_US as f64;
    match factor {
        "a00000" => Some(rounded(value * seconds, 0)),
        "w00000" => Some(rounded(value * seconds / 1000.0, 1)),
        _ => None,
    }
}

/// A value of a signal with what is sent as converted, of a longer interval.
#[derive(Clone, Copy)]
struct Mean {
    step: usize,
    value: f64,
    converted: Option<f64>,
    weight: f64,
}

/// Means of some values, weighted; `None` of none.
fn mean_of(values: &[Mean]) -> Option<Mean> {
    let step = values.first()?.step;
    let weight = values.iter().map(|one| one.weight).sum::<f64>();
    if weight <= 0.0 {
        return None;
    }
    let value = values.iter().map(|one| one.value * one.weight).sum::<f64>() / weight;
    let known: Vec<f64> = values.iter().filter_map(|one| one.converted).collect();
    let converted = (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64);
    Some(Mean { step, value, converted, weight: weight / values.len() as f64 })
}

/// The rows of `hourly` (of an outlet that sends minutes) and `daily` that an outlet makes of
/// its own valid values, with what it edits of them.
pub(super) fn rollups(sent: &Sent<'_>) -> Result<Vec<(&'static str, RecordBatch)>, ProvinceError> {
    let Some(rollup) = &sent.records.rollup else { return Ok(Vec::new()) };
    let an_hour = sent.request.interval.steps_an_hour();
    let pollutants = sent.process.pollutants();
    let (mut hourly, mut daily) = (Measurements::default(), Measurements::default());
    for at in sent.by_factor() {
        let kept = |step: usize| match pollutants.contains(&at) && rollup.edited.contains(&step) {
            true => 1.0 - rollup.share,
            false => 1.0,
        };
        let hours: Vec<Mean> = hours(sent, at, an_hour)
            .into_iter()
            .map(|hour| Mean {
                value: hour.value * kept(hour.step),
                converted: hour.converted.map(|converted| converted * kept(hour.step)),
                ..hour
            })
            .collect();
        if an_hour > 1 {
            hours.iter().for_each(|hour| hourly.push(&row(sent, at, hour, HOUR_US)));
        }
        let day_of = |hour: &Mean| Clock::of(sent.request).time(hour.step).div_euclid(24 * HOUR_US);
        for day in hours.chunk_by(|one, two| day_of(one) == day_of(two)) {
            if let Some(mean) = mean_of(day) {
                let mut row = row(sent, at, &mean, 24 * HOUR_US);
                row.ts -= row.ts.rem_euclid(24 * HOUR_US);
                row.received_at = row.ts + 24 * HOUR_US + HOUR_US / 6;
                daily.push(&row);
            }
        }
    }
    let mut tables = vec![("daily", daily.finish()?)];
    if an_hour > 1 {
        tables.push(("hourly", hourly.finish()?));
    }
    Ok(tables)
}

/// Means of the valid values of a signal's hours; those of pollutants in water weigh by flow in a day.
fn hours(sent: &Sent<'_>, at: usize, an_hour: usize) -> Vec<Mean> {
    let signal = &sent.process.signals[at];
    let by_flow = sent.process.oxygen().is_none() && sent.process.pollutants().contains(&at);
    let weight = |step: usize| match by_flow {
        true => Some(sent.process.signals[0].value[step]).filter(|flow| *flow > 0.0).unwrap_or_default(),
        false => 1.0,
    };
    let one = |step: usize| Mean {
        step,
        value: signal.value[step],
        converted: converted(sent.process, at, step, signal.value[step]),
        weight: weight(step),
    };
    let valid = |step: &usize| !signal.value[*step].is_nan() && signal.flag[*step] == b'N';
    (0..signal.value.len())
        .step_by(an_hour)
        .filter_map(|start| {
            let steps = start..(start + an_hour).min(signal.value.len());
            let mean = mean_of(&steps.filter(valid).map(one).collect::<Vec<_>>())?;
            Some(Mean { step: start, ..mean })
        })
        .collect()
}

/// The row of a mean.
fn row<'a>(sent: &Sent<'a>, at: usize, mean: &Mean, lasts: i64) -> Row<'a> {
    let signal = &sent.process.signals[at];
    let (value, ts) = (rounded(mean.value, signal.decimals), Clock::of(sent.request).time(mean.step));
    Row {
        mn: sent.mn,
        factor: signal.factor,
        ts,
        values: [value; 3],
        total: None,
        converted: mean.converted.map(|converted| rounded(converted, signal.decimals)),
        flag: b'N',
        sample_time: None,
        qn: None,
        received_at: ts + lasts + 3 * 60 * super::SECOND_US,
    }
}
