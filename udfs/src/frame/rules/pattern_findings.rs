//! `pattern_findings(from, to)`: what the patterns of tampering show, in one pass over the frames.

pub(super) mod outlet;
mod rows;

use std::ops::Range;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::common::Result;

use self::outlet::{OutletParts, outlet};
use self::rows::Rows;
use super::columns::schema;
use super::{FrameRule, FrameRun, Reading, RuleContext};
use crate::frame::asked::Asked;
use crate::frame::outlet::{OutletFrame, SeriesTable};
use crate::frame::settle::Scope;
use crate::patterns::findings::{PatternHit, findings};
use crate::patterns::thresholds::Thresholds;
use crate::patterns::{DETECTORS, Detector};
use crate::time::HOUR_US;

/// The rule behind `pattern_findings`.
#[derive(Debug)]
pub struct PatternFindings {
    /// The hours asked for; the scope of a run covers the history before them, too.
    pub hours: Range<i64>,
}

impl FrameRule for PatternFindings {
    fn name(&self) -> &str {
        "pattern_findings"
    }

    fn schema(&self) -> SchemaRef {
        schema(&rows::columns())
    }

    fn reads(&self, _: &Asked) -> Vec<(SeriesTable, Vec<&'static str>)> {
        let measured = vec![
            "value",
            "flag",
            "converted",
            "value_min",
            "value_max",
            "total",
            "received_at",
            "sample_time",
        ];
        vec![
            (SeriesTable::Hourly, measured.clone()),
            (SeriesTable::Minute, measured),
            (SeriesTable::Daily, vec!["value", "flag"]),
            (SeriesTable::Conditions, vec!["value", "flag"]),
            (SeriesTable::RawSignals, vec!["signal", "reading", "logged", "phase"]),
        ]
    }

    fn looks_for_patterns(&self) -> bool {
        true
    }

    fn start(&self, context: RuleContext) -> Box<dyn FrameRun> {
        let thresholds = DETECTORS.map(|detector| Thresholds::general(detector.pattern));
        Box::new(Run { context, hours: self.hours.clone(), thresholds, out: Rows::default() })
    }
}

struct Run {
    context: RuleContext,
    hours: Range<i64>,
    thresholds: [Thresholds<'static>; DETECTORS.len()],
    out: Rows,
}

impl FrameRun for Run {
    fn outlet(&mut self, frame: &OutletFrame, scope: &Scope) -> Result<Reading> {
        let parts = OutletParts::of(&self.context, &frame.mn, &self.hours);
        let Some(outlet) = outlet(frame, &scope.hours, parts) else { return Ok(Reading::Enough) };
        let of_detector = |(Detector { pattern, detect }, thresholds): (&Detector, &Thresholds<'static>)| {
            let hits = detect(&outlet, &thresholds.with_own(&outlet.thresholds));
            hits.into_iter().map(|hit| PatternHit { pattern, hit })
        };
        let hits = DETECTORS.iter().zip(&self.thresholds).flat_map(of_detector).collect();
        let asked = self.hours.start.saturating_mul(HOUR_US)..self.hours.end.saturating_mul(HOUR_US);
        for finding in findings(hits) {
            let hit = &finding.lead.hit;
            if hit.started < asked.end && hit.ended > asked.start {
                self.out.push(&frame.mn, &finding);
            }
        }
        Ok(Reading::Enough)
    }

    fn len(&self) -> usize {
        self.out.len()
    }

    fn take(&mut self) -> Result<RecordBatch> {
        self.out.take()
    }
}
