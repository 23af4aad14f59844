//! `hourly_valid`: what became of every due hour of every series.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanBuilder, Float64Builder, RecordBatch, StringViewBuilder, TimestampMicrosecondBuilder,
};
use arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::Result;

use super::columns::{Finish, TIMESTAMP, ViewColumn, push_float, schema, text, text_builder};
use super::{FrameRule, FrameRun, Reading, RuleContext};
use crate::frame::asked::{Asked, FactorUsage};
use crate::frame::outlet::{OutletFrame, SeriesTable};
use crate::frame::settle::{Converted, Scope, SettledOutlet, SettledSeries};
use crate::time::{HOUR_US, hour_of};
use crate::validity::hours::HourState;

fn columns() -> [ViewColumn; 12] {
    [
        ("mn", text(), false),
        ("factor", text(), false),
        ("ts", TIMESTAMP, false),
        ("value", DataType::Float64, true),
        ("converted", DataType::Float64, true),
        ("converted_basis", text(), true),
        ("flag", text(), true),
        ("basis", text(), true),
        ("reported_value", DataType::Float64, true),
        ("valid_minutes", DataType::Float64, true),
        ("valid", DataType::Boolean, false),
        ("reason", text(), true),
    ]
}

/// The columns that hours are made of.
pub(super) fn hour_columns(asked: &Asked) -> Vec<(SeriesTable, Vec<&'static str>)> {
    let mut hourly = vec!["value", "flag"];
    if asked.converted() {
        hourly.push("converted");
    }
    vec![(SeriesTable::Hourly, hourly), (SeriesTable::Minute, vec!["value", "flag"])]
}

/// The rule behind the view `hourly_valid`.
#[derive(Debug)]
pub struct HourlyValid;

impl FrameRule for HourlyValid {
    fn name(&self) -> &str {
        "hourly_valid"
    }

    fn schema(&self) -> SchemaRef {
        schema(&columns())
    }

    fn reads(&self, asked: &Asked) -> Vec<(SeriesTable, Vec<&'static str>)> {
        hour_columns(asked)
    }

    fn start(&self, context: RuleContext) -> Box<dyn FrameRun> {
        Box::new(Run {
            with_converted: context.asked.converted(),
            settled: SettledOutlet::new(FactorUsage::new(Arc::clone(&context.asked))),
            context,
            converted: Converted::default(),
            reported: Reported::default(),
            out: Rows::new(),
        })
    }
}

struct Run {
    context: RuleContext,
    with_converted: bool,
    settled: SettledOutlet,
    converted: Converted,
    reported: Reported,
    out: Rows,
}

impl FrameRun for Run {
    fn outlet(&mut self, frame: &OutletFrame, scope: &Scope) -> Result<Reading> {
        let RuleContext { registry, rulebook, .. } = &self.context;
        self.settled.settle(frame, registry, scope, rulebook);
        let facts = registry.outlet(&frame.mn);
        for series in self.settled.asked() {
            self.reported.read(frame, series);
            if self.with_converted {
                self.settled.converted(frame, series, facts, rulebook, &mut self.converted);
            }
            for position in 0..series.hours.len() {
                if series.hours.state[position] != HourState::NotDue {
                    self.out.push(&frame.mn, series, position, &self.converted, &self.reported);
                }
            }
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

/// The reported hours of a series, on its grid.
#[derive(Debug, Default)]
struct Reported {
    value: Vec<f64>,
    flag: Vec<u8>,
    received: Vec<bool>,
}

impl Reported {
    fn read(&mut self, frame: &OutletFrame, series: &SettledSeries) {
        let len = series.hours.len();
        self.value.clear();
        self.value.resize(len, f64::NAN);
        self.flag.clear();
        self.flag.resize(len, 0);
        self.received.clear();
        self.received.resize(len, false);
        let rows = frame.table(SeriesTable::Hourly);
        let Some(reported) = rows.of(&series.factor) else { return };
        for row in reported.pieces.iter().flat_map(Clone::clone) {
            let Ok(position) = usize::try_from(hour_of(rows.ts[row]) - series.hours.first) else { continue };
            if position < len {
                self.value[position] = rows.value[row];
                self.flag[position] = rows.flag[row];
                self.received[position] = true;
            }
        }
    }
}

struct Rows {
    rows: usize,
    schema: SchemaRef,
    mn: StringViewBuilder,
    factor: StringViewBuilder,
    ts: TimestampMicrosecondBuilder,
    value: Float64Builder,
    converted: Float64Builder,
    converted_basis: StringViewBuilder,
    flag: StringViewBuilder,
    basis: StringViewBuilder,
    reported_value: Float64Builder,
    valid_minutes: Float64Builder,
    valid: BooleanBuilder,
    reason: StringViewBuilder,
}

impl Rows {
    fn new() -> Self {
        Self {
            rows: 0,
            schema: schema(&columns()),
            mn: text_builder(),
            factor: text_builder(),
            ts: TimestampMicrosecondBuilder::new(),
            value: Float64Builder::new(),
            converted: Float64Builder::new(),
            converted_basis: text_builder(),
            flag: text_builder(),
            basis: text_builder(),
            reported_value: Float64Builder::new(),
            valid_minutes: Float64Builder::new(),
            valid: BooleanBuilder::new(),
            reason: text_builder(),
        }
    }

    fn push(
        &mut self,
        mn: &str,
        series: &SettledSeries,
        position: usize,
        converted: &Converted,
        reported: &Reported,
    ) {
        let hours = &series.hours;
        let state = hours.state[position];
        let minutes = hours.valid_minutes.get(position).copied().unwrap_or(f64::NAN);
        let converted_value = converted.value.get(position).copied().unwrap_or(f64::NAN);
        let sent = converted.sent.get(position).copied().unwrap_or_default();
        let flag = char::from(reported.flag[position]);
        self.rows += 1;
        self.mn.append_value(mn);
        self.factor.append_value(&series.factor);
        self.ts.append_value((hours.first + position as i64) * HOUR_US);
        push_float(&mut self.value, hours.value[position]);
        push_float(&mut self.converted, converted_value);
        self.converted_basis.append_option(match (converted_value.is_nan(), sent) {
            (true, _) => None,
            (false, true) => Some("sent"),
            (false, false) => Some("computed"),
        });
        self.flag.append_option((flag != '\0').then(|| flag.to_string()));
        self.basis.append_option(match (minutes.is_nan(), reported.received[position]) {
            (false, _) => Some("minute"),
            (true, true) => Some("reported"),
            (true, false) => None,
        });
        push_float(&mut self.reported_value, reported.value[position]);
        push_float(&mut self.valid_minutes, minutes);
        self.valid.append_value(state.is_valid());
        self.reason.append_option(state.reason());
    }

    fn take(&mut self) -> Result<RecordBatch> {
        self.rows = 0;
        let columns: Vec<ArrayRef> = vec![
            self.mn.column(),
            self.factor.column(),
            self.ts.column(),
            self.value.column(),
            self.converted.column(),
            self.converted_basis.column(),
            self.flag.column(),
            self.basis.column(),
            self.reported_value.column(),
            self.valid_minutes.column(),
            self.valid.column(),
            self.reason.column(),
        ];
        Ok(RecordBatch::try_new(self.schema.clone(), columns)?)
    }
}
