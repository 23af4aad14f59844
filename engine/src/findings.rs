//! Findings of tampering: which there are, what one rests on, and that it was explained.
//!
//! All of it goes through the table function `fraud_findings`, and a dismissal lands in table
//! `dismissals` like any other row.

mod rows;
mod series;

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray, TimestampMicrosecondArray};
use chrono::DateTime;
use datafusion::prelude::{DataFrame, ident, lit};
use plume_udfs::time::{DAY_US, day_of};
use serde_json::{Map, Value};

use crate::ingest::{Counts, land_rows};
use crate::session::Session;
use crate::store::table_named;
use crate::{Error, Result};
use rows::Rows;

pub use series::{Points, Series, series};

/// What a row of `dismissals` names as its source.
const SOURCE: &str = "plume findings dismiss";

/// The tables that findings are made of.
const TABLES: [&str; 5] = ["hourly", "minute", "daily", "conditions", "raw_signals"];

/// One finding, as `fraud_findings` tells it, with what the catalogue says of its pattern.
#[derive(Debug, Clone)]
pub struct Finding {
    /// Its id.
    pub finding_id: String,
    /// The outlet.
    pub mn: String,
    /// The factor that shows it best.
    pub factor: String,
    /// English and Chinese name of the factor, and its unit; empty where the code is not listed.
    pub factor_named: [String; 3],
    /// The pattern.
    pub pattern: String,
    /// Number and Chinese name of the pattern.
    pub pattern_named: [String; 2],
    /// Value shape, parameter, operation or transmission.
    pub mechanism: String,
    /// What the pattern looks for.
    pub looks_for: String,
    /// What excuses it.
    pub excuses: String,
    /// When it began and ended, µs of Beijing time.
    pub span: Range<i64>,
    /// 0 to 1.
    pub score: f64,
    /// High, medium or low.
    pub severity: String,
    /// Rows that it rests on.
    pub rows: String,
    /// The figures that a reader can check, by name.
    pub evidence: Map<String, Value>,
    /// Where the pattern is stated.
    pub clause: String,
    /// The dismissal that explains it.
    pub dismissal: Option<Dismissal>,
}

/// How a finding was explained.
#[derive(Debug, Clone)]
pub struct Dismissal {
    /// The id under which it was dismissed: another where its bounds have moved since.
    pub finding_id: String,
    /// Why it is no tampering.
    pub reason: String,
    /// Who said so.
    pub who: String,
    /// When, µs of Beijing time.
    pub at: Option<i64>,
    /// When the finding began and ended, as it was dismissed.
    pub span: Option<Range<i64>>,
}

/// The whole days that the store's data reach over; `None` where it has none.
pub async fn extent(session: &Session) -> Result<Option<Range<i64>>> {
    let snapshots = session.snapshots();
    snapshots.refresh().await;
    let mut reach: Option<(i64, i64)> = None;
    for name in TABLES {
        if let Some((first, last)) = snapshots.ts_range(table_named(name)?).await? {
            reach = Some(reach.map_or((first, last), |(start, end)| (start.min(first), end.max(last))));
        }
    }
    Ok(reach.map(|(first, last)| day_of(first) * DAY_US..(day_of(last) + 1) * DAY_US))
}

/// The findings that overlap the hours, with the catalogue's entry of the pattern.
pub async fn findings(session: &Session, hours: &Range<i64>) -> Result<DataFrame> {
    let (from, to) = (time_text(hours.start), time_text(hours.end));
    let query = format!(
        "SELECT f.*, p.number, p.name_zh, p.statistic, p.suppressors
         FROM fraud_findings('{from}', '{to}') AS f JOIN patterns AS p ON p.pattern = f.pattern"
    );
    session.sql(&query).await
}

/// The finding with the id among those that overlap the hours.
pub async fn find(session: &Session, hours: &Range<i64>, id: &str) -> Result<Finding> {
    let found = findings(session, hours).await?.filter(ident("finding_id").eq(lit(id)))?;
    let found = Rows::of(found).await?;
    if found.len() == 0 {
        let (from, to) = (time_text(hours.start), time_text(hours.end));
        return Err(Error::NoFinding { id: id.to_owned(), from, to });
    }
    let text = |name: &str| found.text(name, 0).unwrap_or_default();
    let evidence = serde_json::from_str(&text("evidence")).unwrap_or_default();
    Ok(Finding {
        finding_id: text("finding_id"),
        mn: text("mn"),
        factor: text("factor"),
        factor_named: factor_named(session, &text("factor")).await?,
        pattern: text("pattern"),
        pattern_named: [text("number"), text("name_zh")],
        mechanism: text("mechanism"),
        looks_for: text("statistic"),
        excuses: text("suppressors"),
        span: found.time("started", 0).unwrap_or_default()..found.time("ended", 0).unwrap_or_default(),
        score: found.number("score", 0).unwrap_or_default(),
        severity: text("severity"),
        rows: text("rows"),
        evidence,
        clause: text("clause"),
        dismissal: match found.text("dismissal", 0) {
            Some(id) => dismissal(session, &id).await?,
            None => None,
        },
    })
}

/// English and Chinese name of a factor, and its unit.
async fn factor_named(session: &Session, factor: &str) -> Result<[String; 3]> {
    let known = session.sql("SELECT factor, name_en, name_zh, unit FROM factors").await?;
    let known = Rows::of(known.filter(ident("factor").eq(lit(factor)))?).await?;
    Ok(["name_en", "name_zh", "unit"].map(|name| known.text(name, 0).unwrap_or_default()))
}

/// What was said when the finding with the id was dismissed.
async fn dismissal(session: &Session, id: &str) -> Result<Option<Dismissal>> {
    let said = session.sql("SELECT * FROM dismissals").await?.filter(ident("finding_id").eq(lit(id)))?;
    let said = Rows::of(said).await?;
    if said.len() == 0 {
        return Ok(None);
    }
    Ok(Some(Dismissal {
        finding_id: id.to_owned(),
        reason: said.text("reason", 0).unwrap_or_default(),
        who: said.text("who", 0).unwrap_or_default(),
        at: said.time("received_at", 0),
        span: said.time("started", 0).zip(said.time("ended", 0)).map(|(started, ended)| started..ended),
    }))
}

/// Lands the dismissal of a finding: as it stands now, so that it is known again when its bounds
/// move. What was said before stays a version; the same again is a duplicate.
pub async fn dismiss(session: &Session, finding: &Finding, reason: &str, who: &str) -> Result<Counts> {
    let text = |text: &str| -> ArrayRef { Arc::new(StringArray::from(vec![text.to_owned()])) };
    let time = |ts: i64| -> ArrayRef { Arc::new(TimestampMicrosecondArray::from(vec![ts])) };
    let row = RecordBatch::try_from_iter([
        ("finding_id", text(&finding.finding_id)),
        ("reason", text(reason)),
        ("who", text(who)),
        ("mn", text(&finding.mn)),
        ("factor", text(&finding.factor)),
        ("pattern", text(&finding.pattern)),
        ("started", time(finding.span.start)),
        ("ended", time(finding.span.end)),
    ])?;
    land_rows(session, table_named("dismissals")?, row, SOURCE).await
}

/// A time as a person writes it, to the second where it has no fraction.
pub fn time_text(ts: i64) -> String {
    let time = DateTime::from_timestamp_micros(ts);
    time.map_or_else(|| ts.to_string(), |time| time.format("%Y-%m-%d %H:%M:%S%.f").to_string())
}
