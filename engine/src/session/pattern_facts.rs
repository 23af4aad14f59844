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

/// Packets of one address and day are one entry; they come in order of arrival.
fn packet(rows: &Rows<'_>, row: usize, facts: &mut PatternFacts) -> Option<()> {
    let (peer, ts) = (rows.text("peer", row)?, rows.ts("received_at", row)?);
    let is_this = |known: &&mut PeerRecord| known.peer == peer && day_of(known.span.start) == day_of(ts);
    match facts.records.peers.iter_mut().rev().take(64).find(is_this) {
        Some(known) => {
            known.span = known.span.start.min(ts)..known.span.end.max(ts);
            known.packets += 1;
        }
        None => facts.records.peers.push(PeerRecord { peer: peer.to_owned(), span: ts..ts, packets: 1 }),
    }
    Some(())
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
