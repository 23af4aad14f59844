//! Files of HJ 212 packets, as received.
//!
//! Table `packets` takes every packet with its verdict, and what the packet
//! brings goes to its own table: 2011 to `realtime`, 2051 to `minute`, 2061 to
//! `hourly`, 2031 to `daily`, working conditions to `conditions`. Asked for
//! another table than `packets`, only that table's rows land.

pub mod frame;
pub mod segment;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};

use super::normalise::read_time;
use super::rejects::{RAW_LIMIT, Reject};
use super::source::{RawBatch, Sink, SourceRequest};
use crate::Result;
use frame::{Found, Framer};
use segment::{Item, Segment};

/// Packets of a batch.
const BATCH_PACKETS: usize = 2000;

/// Reads a file of packets.
pub(super) fn read(request: &SourceRequest, sink: &Sink) -> Result<()> {
    let failed = |error| request.unreadable(&error);
    let file = std::fs::File::open(&request.path).map_err(failed)?;
    let mut framer = Framer::new(std::io::BufReader::new(file), request.map.crc_dialect);
    let mut batch = PacketBatch::new(request);
    let mut any_whole = false;
    while let Some(found) = framer.next_packet().map_err(failed)? {
        any_whole |= found.verdict.is_whole();
        batch.push(&found);
        if batch.packets >= BATCH_PACKETS && !batch.give(sink)? {
            return Ok(());
        }
    }
    if !any_whole {
        sink.give(RawBatch { warnings: without_packets(request)?, ..RawBatch::default() });
    }
    batch.give(sink)?;
    Ok(())
}

/// The warning of a file in which there is no packet, most likely one of another
/// format; an error under `--strict`.
fn without_packets(request: &SourceRequest) -> Result<Vec<String>> {
    let message = "no whole HJ 212 packet is in it; if it is of another format, name that with --format";
    match request.strict {
        true => Err(request.wrong(message)),
        false => Ok(vec![format!("{}: {message}", request.path.display())]),
    }
}

/// The table that the values of a command go to.
fn table_of(command: &str) -> Option<&'static str> {
    match command {
        "2011" => Some("realtime"),
        "2051" => Some("minute"),
        "2061" => Some("hourly"),
        "2031" => Some("daily"),
        _ => None,
    }
}

/// The column that a suffix of an item goes to.
fn column_of(suffix: &str) -> Option<&'static str> {
    match suffix {
        "Rtd" | "Avg" => Some("value"),
        "Min" => Some("value_min"),
        "Max" => Some("value_max"),
        "Cou" => Some("total"),
        "ZsRtd" | "ZsAvg" => Some("converted"),
        "ZsMin" => Some("converted_min"),
        "ZsMax" => Some("converted_max"),
        "Flag" => Some("flag"),
        "EFlag" => Some("eflag"),
        "SampleTime" => Some("sample_time"),
        _ => None,
    }
}

/// Whether a code names a working condition: `e`, `g`, `i` or `p` and digits.
fn is_condition(code: &str) -> bool {
    let digits = code.get(1..).unwrap_or_default();
    code.starts_with(['e', 'g', 'i', 'p'])
        && digits.len() >= 5
        && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// One row to be: column → text.
type Row = BTreeMap<&'static str, String>;

/// Packets and what they bring, by table.
struct PacketBatch<'a> {
    request: &'a SourceRequest,
    packets: usize,
    bytes: u64,
    rows: BTreeMap<&'static str, Vec<(String, Row)>>,
    rejects: BTreeMap<&'static str, Vec<Reject>>,
    verdicts: BTreeMap<String, u64>,
    /// DataTime of the first part of a split packet, by sender and command.
    data_times: HashMap<(String, String), String>,
}

impl<'a> PacketBatch<'a> {
    fn new(request: &'a SourceRequest) -> Self {
        Self {
            request,
            packets: 0,
            bytes: 0,
            rows: BTreeMap::new(),
            rejects: BTreeMap::new(),
            verdicts: BTreeMap::new(),
            data_times: HashMap::new(),
        }
    }

    fn push(&mut self, found: &Found) {
        self.packets += 1;
        self.bytes += found.raw.len() as u64;
        let position = format!("{}:byte {}", self.request.path.display(), found.offset);
        let segment = found.segment.as_deref().map(segment::parse);
        let repairs = segment.iter().flat_map(|s| s.repairs.iter().copied());
        let verdict = found.verdict.with_repairs(found.segment.is_some(), repairs);
        *self.verdicts.entry(verdict.split(':').next().unwrap_or_default().to_owned()).or_default() += 1;
        self.push_packet(found, segment.as_ref(), &position, verdict);
        if let Some(segment) = &segment {
            self.push_values(segment, &position);
        }
    }

    fn push_packet(&mut self, found: &Found, segment: Option<&Segment>, position: &str, verdict: String) {
        let peer = self
            .request
            .path
            .file_name()
            .map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        let field = |name: &str| segment.and_then(|s| s.field(name)).unwrap_or_default().to_owned();
        let qn = field("QN");
        let row = Row::from([
            ("peer", peer),
            ("qn", if qn.is_empty() { "-".to_owned() } else { qn }),
            ("mn", field("MN")),
            ("cn", field("CN")),
            ("raw", segment::text_of(&found.raw)),
            ("verdict", verdict),
        ]);
        self.add("packets", position, row);
    }

    /// The values of a data packet, a row a factor.
    fn push_values(&mut self, segment: &Segment, position: &str) {
        let Some(table) = segment.field("CN").and_then(table_of) else { return };
        let mn = segment.field("MN").unwrap_or_default().to_owned();
        let key = (mn.clone(), segment.field("CN").unwrap_or_default().to_owned());
        let data_time = match segment.item("DataTime") {
            Some(time) => {
                self.data_times.insert(key, time.to_owned());
                time.to_owned()
            }
            // Only a part of a split packet may leave it to the first.
            None if segment.field("PNO").is_none() => String::new(),
            None => self.data_times.get(&key).cloned().unwrap_or_default(),
        };
        if read_time(&data_time).is_none() {
            let reason = format!("DataTime '{data_time}' is no time that exists");
            self.reject(table, position, &format!("{mn} {data_time}"), reason);
            return;
        }
        for Item { code, values } in segment.groups() {
            let mut row = Row::from([("mn", mn.clone()), ("ts", data_time.clone())]);
            row.insert("qn", segment.field("QN").unwrap_or_default().to_owned());
            for (suffix, value) in values {
                if let Some(column) = column_of(&suffix) {
                    row.insert(column, value);
                }
            }
            if is_condition(&code) {
                row.retain(|column, _| matches!(*column, "mn" | "ts" | "value" | "flag"));
                row.insert("param", code);
                self.add("conditions", position, row);
            } else {
                row.insert("factor", code);
                self.add(table, position, row);
            }
        }
    }

    fn is_wanted(&self, table: &str) -> bool {
        self.request.table.name == "packets" || self.request.table.name == table
    }

    fn add(&mut self, table: &'static str, position: &str, row: Row) {
        if self.is_wanted(table) {
            self.rows.entry(table).or_default().push((position.to_owned(), row));
        }
    }

    fn reject(&mut self, table: &'static str, position: &str, raw: &str, reason: String) {
        if self.is_wanted(table) {
            let raw = raw.chars().take(RAW_LIMIT).collect();
            self.rejects.entry(table).or_default().push(Reject {
                position: position.to_owned(),
                raw,
                reason,
            });
        }
    }

    /// Gives what was collected, a batch a table; `false` when nobody takes it.
    fn give(&mut self, sink: &Sink) -> Result<bool> {
        self.packets = 0;
        let mut rejects = std::mem::take(&mut self.rejects);
        let mut bytes = std::mem::take(&mut self.bytes);
        let mut verdicts = std::mem::take(&mut self.verdicts);
        let rows = std::mem::take(&mut self.rows);
        let tables: Vec<&'static str> = rows.keys().chain(rejects.keys()).copied().collect();
        let mut rows = rows;
        let mut given = std::collections::BTreeSet::new();
        for table in tables.into_iter().filter(|table| given.insert(*table)) {
            let batch = RawBatch {
                table,
                bytes: std::mem::take(&mut bytes),
                verdicts: std::mem::take(&mut verdicts),
                rejects: rejects.remove(table).unwrap_or_default(),
                ..raw_batch(rows.remove(table).unwrap_or_default())?
            };
            if !sink.give(batch) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Rows as raw text columns.
fn raw_batch(rows: Vec<(String, Row)>) -> Result<RawBatch> {
    if rows.is_empty() {
        return Ok(RawBatch::default());
    }
    let mut names: Vec<&'static str> = rows.iter().flat_map(|(_, row)| row.keys().copied()).collect();
    names.sort_unstable();
    names.dedup();
    let column = |name: &'static str| -> (&'static str, ArrayRef) {
        let values = rows.iter().map(|(_, row)| row.get(name).map(String::as_str));
        (name, Arc::new(values.collect::<StringArray>()))
    };
    let batch =
        RecordBatch::try_from_iter_with_nullable(names.into_iter().map(column).map(|(n, c)| (n, c, true)))?;
    let raw =
        rows.iter().map(|(_, row)| row.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join(","));
    let raw = raw.map(|text| text.chars().take(RAW_LIMIT).collect()).collect();
    let positions = rows.iter().map(|(position, _)| position.clone()).collect();
    Ok(RawBatch { rows: Some(batch), positions, raw, ..RawBatch::default() })
}
