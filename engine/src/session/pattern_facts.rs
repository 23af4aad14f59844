//! Reads what only the search for patterns asks of the registry.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::catalog::Session;
use datafusion::common::Result;
use plume_udfs::frame::facts::Span;
use plume_udfs::frame::pattern_facts::{PatternFacts, PatternRegistry};
use plume_udfs::patterns::outlet::{CheckRecord, MaintenanceRecord, ParamRecord, PeerRecord, Records};
use plume_udfs::patterns::thresholds::OutletThreshold;
use plume_udfs::time::day_of;

use super::facts::{Rows, read_all};
use crate::store::table::Snapshots;
use crate::store::table_named;

/// How the rows of a table become facts of an outlet.
type Note = fn(&Rows<'_>, usize, &mut PatternFacts) -> Option<()>;

/// The tables read, the columns looked at besides `mn`, and how.
const TABLES: [(&str, &[&str], Note); 5] = [
    ("qc_results", &["factor", "ts", "kind", "expected", "measured"], check),
    ("maintenance", &["factor", "started", "ended", "kind", "text"], maintenance),
    ("device_params", &["factor", "param", "ts", "value"], param),
    ("packets", &["peer", "received_at"], packet),
    ("outlet_thresholds", &["factor", "pattern", "key", "since", "until", "value"], threshold),
];

/// Reads what is on record of every outlet, and its own thresholds, as the session sees it.
pub(super) async fn read_pattern_registry(
    session: &dyn Session,
    snapshots: &Arc<Snapshots>,
) -> Result<PatternRegistry> {
    let mut outlets: BTreeMap<String, PatternFacts> = BTreeMap::new();
    for (name, columns, note) in TABLES {
        let columns = [&["mn"], columns].concat();
        for batch in read_all(session, snapshots, table_named(name)?, Some(&columns)).await? {
            let rows = Rows { batch: &batch };
            for row in 0..batch.num_rows() {
                let Some(mn) = rows.text("mn", row) else { continue };
                let facts = outlets
                    .entry(mn.to_owned())
                    .or_insert_with(|| PatternFacts { mn: mn.to_owned(), ..PatternFacts::default() });
                note(&rows, row, facts);
            }
        }
    }
    let mut outlets: Vec<PatternFacts> = outlets.into_values().collect();
    outlets.iter_mut().for_each(|facts| in_order(&mut facts.records));
    Ok(PatternRegistry::new(outlets))
}

/// Puts what is on record in order of time.
fn in_order(records: &mut Records) {
    records.checks.sort_by(|a, b| (a.ts, &a.factor, &a.kind).cmp(&(b.ts, &b.factor, &b.kind)));
    records.maintenance.sort_by(|a, b| (a.span.start, &a.factor).cmp(&(b.span.start, &b.factor)));
    records.params.sort_by(|a, b| (a.ts, &a.factor, &a.param).cmp(&(b.ts, &b.factor, &b.param)));
    // One entry an address and day, in whatever order its packets came.
    records.peers.sort_by(|a, b| (&a.peer, a.span.start).cmp(&(&b.peer, b.span.start)));
    records.peers.dedup_by(|later, first| {
        let is_same = is_of_one_day(first, later);
        if is_same {
            join(first, later);
        }
        is_same
    });
    records.peers.sort_by(|a, b| (a.span.start, &a.peer).cmp(&(b.span.start, &b.peer)));
}

fn check(rows: &Rows<'_>, row: usize, facts: &mut PatternFacts) -> Option<()> {
    let number = |name| rows.float(name, row).unwrap_or(f64::NAN);
    facts.records.checks.push(CheckRecord {
        factor: rows.text("factor", row)?.to_owned(),
        ts: rows.ts("ts", row)?,
        kind: rows.text("kind", row)?.to_owned(),
        expected: number("expected"),
        measured: number("measured"),
    });
    Some(())
}

/// The factor of a row; empty where it is of the whole outlet.
fn factor_of(rows: &Rows<'_>, row: usize) -> String {
    rows.text("factor", row).unwrap_or_default().to_owned()
}

/// From when to when what a row tells lasted; what never ended lasts on.
fn lasted(rows: &Rows<'_>, row: usize) -> Span {
    rows.span("started", "ended", row)
}

fn maintenance(rows: &Rows<'_>, row: usize, facts: &mut PatternFacts) -> Option<()> {
    let words = ["kind", "text"].map(|name| rows.text(name, row).unwrap_or_default());
    facts.records.maintenance.push(MaintenanceRecord {
        factor: factor_of(rows, row),
        span: lasted(rows, row),
        text: words.join(" ").trim().to_owned(),
    });
    Some(())
}

fn param(rows: &Rows<'_>, row: usize, facts: &mut PatternFacts) -> Option<()> {
    facts.records.params.push(ParamRecord {
        factor: factor_of(rows, row),
        param: rows.text("param", row)?.to_owned(),
        ts: rows.ts("ts", row)?,
        value: rows.float("value", row).unwrap_or(f64::NAN),
    });
    Some(())
}

/// A packet by itself, or with the one before it where address and day are the same.
fn packet(rows: &Rows<'_>, row: usize, facts: &mut PatternFacts) -> Option<()> {
    let (peer, ts) = (rows.text("peer", row)?, rows.ts("received_at", row)?);
    let packet = PeerRecord { peer: peer.to_owned(), span: ts..ts, packets: 1 };
    match facts.records.peers.last_mut() {
        Some(last) if is_of_one_day(last, &packet) => join(last, &packet),
        _ => facts.records.peers.push(packet),
    }
    Some(())
}

fn is_of_one_day(a: &PeerRecord, b: &PeerRecord) -> bool {
    a.peer == b.peer && day_of(a.span.start) == day_of(b.span.start)
}

fn join(record: &mut PeerRecord, other: &PeerRecord) {
    record.span = record.span.start.min(other.span.start)..record.span.end.max(other.span.end);
    record.packets += other.packets;
}

fn threshold(rows: &Rows<'_>, row: usize, facts: &mut PatternFacts) -> Option<()> {
    let threshold = OutletThreshold {
        factor: rows.text("factor", row).filter(|factor| !factor.is_empty()).map(str::to_owned),
        pattern: rows.text("pattern", row)?.to_owned(),
        key: rows.text("key", row)?.to_owned(),
        value: rows.float("value", row)?,
    };
    facts.thresholds.push((rows.span("since", "until", row), threshold));
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use plume_udfs::time::DAY_US;

    #[test]
    fn packets_of_an_address_and_a_day_are_one_entry_in_whatever_order_they_came() {
        let packet = |peer: &str, ts| PeerRecord { peer: peer.to_owned(), span: ts..ts, packets: 1 };
        // Address a at 5, 1 and 3 of the first day and at 2 of the second; b at 4 of the first.
        let peers =
            vec![packet("a", 5), packet("b", 4), packet("a", 1), packet("a", DAY_US + 2), packet("a", 3)];
        let mut records = Records { peers, ..Records::default() };
        in_order(&mut records);
        let told: Vec<_> =
            records.peers.iter().map(|of| (of.peer.as_str(), of.span.clone(), of.packets)).collect();
        assert_eq!(told, [("a", 1..5, 3), ("b", 4..4, 1), ("a", DAY_US + 2..DAY_US + 2, 1)]);
    }
}
