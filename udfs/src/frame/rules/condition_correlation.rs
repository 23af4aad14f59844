//! `condition_correlation(from, to)`: how closely emissions follow working conditions.
//!
//! Hours count in which the source ran: the emission is valid, the condition is there, and
//! the load, where known, is above 0. Each series is ordered once, whatever the pairs it is in.

mod outlet;
mod rows;

use std::ops::Range;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use plume_datasets::condition_roles::ConditionRole;

use self::outlet::{Control, Emission, OutletSeries, Series};
use self::rows::{Pair, Rows};
use super::columns::schema;
use super::masses::mass_columns;
use super::{FrameRule, FrameRun, Reading, RuleContext};
use crate::correlation::best_lag::best_lag_of;
use crate::correlation::corr_partial::corr_partial;
use crate::correlation::corr_pearson::corr_pearson;
use crate::correlation::p_values::{p_of_concordance, p_of_correlation};
use crate::correlation::ranks::RankedPairs;
use crate::correlation::rules::CorrelationRules;
use crate::correlation::verdict::{is_flat, verdict};
use crate::frame::asked::{Asked, FactorUsage};
use crate::frame::outlet::{OutletFrame, SeriesTable};
use crate::frame::settle::{Scope, SettledOutlet};
use crate::time::day_of_hour;

/// The rule behind `condition_correlation`.
#[derive(Debug)]
pub struct ConditionCorrelation {
    /// The hours asked for; the scope of a run covers the baseline before them, too.
    pub hours: Range<i64>,
}

impl FrameRule for ConditionCorrelation {
    fn name(&self) -> &str {
        "condition_correlation"
    }

    fn schema(&self) -> SchemaRef {
        schema(&rows::columns())
    }

    fn reads(&self, _: &Asked) -> Vec<(SeriesTable, Vec<&'static str>)> {
        let mut tables = mass_columns();
        tables.push((SeriesTable::Conditions, vec!["value", "flag"]));
        tables
    }

    fn start(&self, context: RuleContext) -> Box<dyn FrameRun> {
        Box::new(Run {
            hours: self.hours.clone(),
            settled: SettledOutlet::new(FactorUsage::new(Arc::clone(&context.asked))),
            wants: Wants::of(&context.asked),
            context,
            out: Rows::new(),
        })
    }
}

/// The costly columns that a query asks for.
#[derive(Debug, Clone, Copy)]
struct Wants {
    kendall: bool,
    lag: bool,
    partial: bool,
    baseline: bool,
}

impl Wants {
    fn of(asked: &Asked) -> Self {
        let any = |columns: &[&str]| columns.iter().any(|column| asked.column(column));
        Self {
            kendall: any(&["kendall", "p_kendall"]),
            lag: any(&["best_lag_h", "lag_correlation"]),
            partial: any(&["partial"]),
            baseline: any(&["baseline", "verdict"]),
        }
    }
}

struct Run {
    context: RuleContext,
    hours: Range<i64>,
    settled: SettledOutlet,
    wants: Wants,
    out: Rows,
}

impl FrameRun for Run {
    fn outlet(&mut self, frame: &OutletFrame, scope: &Scope) -> Result<Reading> {
        if frame.table(SeriesTable::Conditions).series().is_empty() {
            return Ok(Reading::Enough);
        }
        let RuleContext { registry, rulebook, .. } = &self.context;
        self.settled.settle(frame, registry, scope, rulebook);
        let rules = rulebook.correlation_at(day_of_hour(self.hours.start));
        let outlet = OutletSeries::of(frame, &self.settled, &self.hours, registry);
        let emissions: Vec<_> =
            outlet.emissions.iter().filter(|emission| emission.series.has_any()).collect();
        let grid = |series| self.wants.lag.then(|| Series::on_grid(series));
        let grids: Vec<_> = emissions.iter().map(|emission| grid(&emission.series)).collect();
        for condition in outlet.conditions.iter().filter(|condition| condition.series.has_any()) {
            let flat = is_flat(condition.series.values(), rules.flat_share);
            let condition_grid = grid(&condition.series);
            for (emission, emission_grid) in emissions.iter().zip(&grids) {
                let lag = condition_grid.as_ref().zip(emission_grid.as_ref());
                let lag = lag.and_then(|(x, y)| best_lag_of(x, y, rules.lag_hours, rules.least_hours));
                let control = outlet.control(condition, emission);
                let pair = self.wants.pair(&condition.series, emission, control, flat, rules);
                self.out.push(&frame.mn, &condition.param, &Pair { lag, ..pair });
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

impl Wants {
    /// What is asked for of a condition and an emission, but for their lag.
    fn pair<'a>(
        self,
        condition: &Series,
        emission: &'a Emission,
        control: Option<Control<'a>>,
        flat: bool,
        rules: &CorrelationRules,
    ) -> Pair<'a> {
        let (x, y) = (condition.values(), emission.series.values());
        let ranked = RankedPairs::new(condition.codes(), emission.series.codes());
        let hours = ranked.len();
        let (pearson, spearman) = (corr_pearson(x, y), ranked.spearman());
        let concordance = self.kendall.then(|| ranked.concordance()).flatten();
        let baseline = || RankedPairs::new(condition.codes_before(), emission.series.codes_before());
        let baseline = self.baseline.then(baseline).filter(|pairs| pairs.len() >= rules.least_hours);
        let baseline = baseline.and_then(|pairs| pairs.spearman());
        Pair {
            factor: &emission.factor,
            measure: emission.measure.name(),
            hours,
            pearson,
            spearman,
            kendall: concordance.as_ref().map(|concordance| concordance.tau()),
            p_pearson: pearson.and_then(|r| p_of_correlation(r, hours)),
            p_spearman: spearman.and_then(|r| p_of_correlation(r, hours)),
            p_kendall: concordance.as_ref().map(p_of_concordance),
            lag: None,
            control: control.as_ref().map(|control| control.name),
            partial: control.filter(|_| self.partial).and_then(|control| corr_partial(x, y, control.values)),
            baseline,
            verdict: verdict(hours, flat, spearman, baseline, rules),
        }
    }
}

/// Whether a condition is controlled for by the load rather than by the flow.
fn is_treatment(role: Option<ConditionRole>) -> bool {
    role == Some(ConditionRole::Treatment)
}
