//! `reporting_problems(from, to)`: gaps and flags of every series, in one pass over the frames.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Builder, RecordBatch, StringViewBuilder, TimestampMicrosecondBuilder};
use arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::Result;

use super::columns::{Finish, TIMESTAMP, ViewColumn, schema, text, text_builder};
use super::hourly_valid::hour_columns;
use super::sent::{note_came, note_excused};
use super::{FrameRule, FrameRun, Reading, RuleContext};
use crate::frame::asked::{Asked, FactorUsage};
use crate::frame::outlet::{OutletFrame, SeriesTable};
use crate::frame::settle::{Scope, SettledOutlet};
use crate::time::HOUR_US;
use crate::validity::reporting::{Problem, problems};

fn columns() -> [ViewColumn; 8] {
    [
        ("mn", text(), false),
        ("factor", text(), false),
        ("kind", text(), false),
        ("count", DataType::Int64, false),
        ("first", TIMESTAMP, false),
        ("last", TIMESTAMP, false),
        ("longest_gap_h", DataType::Int64, true),
        ("gaps", DataType::Int64, true),
    ]
}

/// The rule behind `reporting_problems`.
#[derive(Debug)]
pub struct ReportingProblems {
    /// The hours asked for.
    pub hours: Range<i64>,
}

impl FrameRule for ReportingProblems {
    fn name(&self) -> &str {
        "reporting_problems"
    }

    fn schema(&self) -> SchemaRef {
        schema(&columns())
    }

    fn reads(&self, asked: &Asked) -> Vec<(SeriesTable, Vec<&'static str>)> {
        hour_columns(asked)
    }

    fn start(&self, context: RuleContext) -> Box<dyn FrameRun> {
        Box::new(Run {
            hours: self.hours.clone(),
            settled: SettledOutlet::new(FactorUsage::new(Arc::clone(&context.asked))),
            context,
            came: Vec::new(),
            excused: Vec::new(),
            out: Rows::new(),
        })
    }
}

struct Run {
    context: RuleContext,
    hours: Range<i64>,
    settled: SettledOutlet,
    came: Vec<bool>,
    excused: Vec<bool>,
    out: Rows,
}

impl FrameRun for Run {
    fn outlet(&mut self, frame: &OutletFrame, scope: &Scope) -> Result<Reading> {
        let RuleContext { registry, rulebook, .. } = &self.context;
        self.settled.settle(frame, registry, scope, rulebook);
        let facts = registry.outlet(&frame.mn);
        for series in self.settled.asked() {
            let hours = &series.hours;
            for noted in [&mut self.came, &mut self.excused] {
                noted.clear();
                noted.resize(hours.len(), false);
            }
            note_came(frame, &series.factor, hours, &mut self.came);
            note_excused(facts, hours, &mut self.excused);
            let found = problems(hours, &self.came, &self.excused, &self.hours);
            self.out.push(&frame.mn, &series.factor, "flag", &found.flagged, None);
            let gaps = Some((found.longest_gap, found.gaps));
            self.out.push(&frame.mn, &series.factor, "gap", &found.missing, gaps);
        }
        Ok(Reading::Enough)
    }

    fn len(&self) -> usize {
        self.out.rows
    }

    fn take(&mut self) -> Result<RecordBatch> {
        self.out.take()
    }
}

struct Rows {
    rows: usize,
    schema: SchemaRef,
    mn: StringViewBuilder,
    factor: StringViewBuilder,
    kind: StringViewBuilder,
    count: Int64Builder,
    first: TimestampMicrosecondBuilder,
    last: TimestampMicrosecondBuilder,
    longest_gap_h: Int64Builder,
    gaps: Int64Builder,
}

impl Rows {
    fn new() -> Self {
        Self {
            rows: 0,
            schema: schema(&columns()),
            mn: text_builder(),
            factor: text_builder(),
            kind: text_builder(),
            count: Int64Builder::new(),
            first: TimestampMicrosecondBuilder::new(),
            last: TimestampMicrosecondBuilder::new(),
            longest_gap_h: Int64Builder::new(),
            gaps: Int64Builder::new(),
        }
    }

    /// Adds a problem, if there is one; of gaps the hours of the longest and how many.
    fn push(&mut self, mn: &str, factor: &str, kind: &str, problem: &Problem, gaps: Option<(i64, i64)>) {
        if problem.hours == 0 {
            return;
        }
        self.rows += 1;
        self.mn.append_value(mn);
        self.factor.append_value(factor);
        self.kind.append_value(kind);
        self.count.append_value(problem.hours);
        self.first.append_value(problem.first * HOUR_US);
        self.last.append_value(problem.last * HOUR_US);
        self.longest_gap_h.append_option(gaps.map(|(longest, _)| longest));
        self.gaps.append_option(gaps.map(|(_, gaps)| gaps));
    }

    fn take(&mut self) -> Result<RecordBatch> {
        self.rows = 0;
        let columns: Vec<ArrayRef> = vec![
            self.mn.column(),
            self.factor.column(),
            self.kind.column(),
            self.count.column(),
            self.first.column(),
            self.last.column(),
            self.longest_gap_h.column(),
            self.gaps.column(),
        ];
        Ok(RecordBatch::try_new(Arc::clone(&self.schema), columns)?)
    }
}
