//! The rows that the rule makes.

use arrow::array::{
    Float64Builder, Int64Builder, RecordBatch, StringViewBuilder, TimestampMicrosecondBuilder,
};
use arrow::datatypes::DataType;
use chrono::DateTime;
use datafusion::common::Result;
use serde_json::{Map, Value, json};

use super::super::columns::{Finish, TIMESTAMP, ViewColumn, schema, text};
use crate::patterns::finding_id::finding_id;
use crate::patterns::findings::{Finding, PatternHit};
use crate::patterns::hit::Figure;

pub(super) fn columns() -> [ViewColumn; 9] {
    [
        ("mn", text(), false),
        ("factor", text(), false),
        ("started", TIMESTAMP, false),
        ("ended", TIMESTAMP, false),
        ("pattern", text(), false),
        ("finding_id", text(), false),
        ("score", DataType::Float64, false),
        ("rows", DataType::Int64, false),
        ("evidence", text(), false),
    ]
}

#[derive(Default)]
pub(super) struct Rows {
    rows: usize,
    mn: StringViewBuilder,
    factor: StringViewBuilder,
    started: TimestampMicrosecondBuilder,
    ended: TimestampMicrosecondBuilder,
    pattern: StringViewBuilder,
    finding_id: StringViewBuilder,
    score: Float64Builder,
    count: Int64Builder,
    evidence: StringViewBuilder,
}

impl Rows {
    pub(super) fn len(&self) -> usize {
        self.rows
    }

    pub(super) fn push(&mut self, mn: &str, finding: &Finding) {
        let PatternHit { pattern, hit } = &finding.lead;
        self.rows += 1;
        self.mn.append_value(mn);
        self.factor.append_value(&hit.factor);
        self.started.append_value(hit.started);
        self.ended.append_value(hit.ended);
        self.pattern.append_value(pattern);
        self.finding_id.append_value(finding_id(mn, &hit.factor, pattern, hit.started));
        self.score.append_value(hit.score);
        self.count.append_value(i64::try_from(hit.rows).unwrap_or(i64::MAX));
        self.evidence.append_value(evidence(finding));
    }

    pub(super) fn take(&mut self) -> Result<RecordBatch> {
        self.rows = 0;
        let columns = vec![
            self.mn.column(),
            self.factor.column(),
            self.started.column(),
            self.ended.column(),
            self.pattern.column(),
            self.finding_id.column(),
            self.score.column(),
            self.count.column(),
            self.evidence.column(),
        ];
        Ok(RecordBatch::try_new(schema(&self::columns()), columns)?)
    }
}

/// The figures of a finding as JSON, and the other patterns that overlap it.
fn evidence(finding: &Finding) -> String {
    let figure = |figure: &Figure| match figure {
        Figure::Number(number) => json!(number),
        Figure::Text(text) => json!(text),
        Figure::Time(ts) => json!(time_text(*ts)),
    };
    let figures = finding.lead.hit.evidence.figures().iter();
    let mut object: Map<String, Value> = figures.map(|(name, f)| ((*name).to_owned(), figure(f))).collect();
    if !finding.also.is_empty() {
        let also = finding.also.iter().map(|(pattern, score)| ((*pattern).to_owned(), json!(score)));
        object.insert("also".to_owned(), Value::Object(also.collect()));
    }
    Value::Object(object).to_string()
}

fn time_text(ts: i64) -> String {
    let time = DateTime::from_timestamp_micros(ts);
    time.map_or_else(String::new, |time| time.format("%Y-%m-%d %H:%M:%S").to_string())
}
