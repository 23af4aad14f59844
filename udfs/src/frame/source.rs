//! What the operator asks of a store, and how its views and table functions are planned.

use std::fmt::Debug;
use std::ops::Range;
use std::sync::Arc;

use arrow::datatypes::{DataType, SchemaRef, TimeUnit};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{Result, ScalarValue, plan_datafusion_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{BinaryExpr, Expr, Operator, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;

use plume_datasets::factors::Medium;

use super::asked::Asked;
use super::exec::{FrameExec, FrameInput};
use super::extents::Extents;
use super::facts::Registry;
use super::outlet::SeriesTable;
use super::pattern_facts::PatternRegistry;
use super::rules::daily_valid::DailyValid;
use super::rules::hourly_valid::HourlyValid;
use super::rules::monthly_valid::MonthlyValid;
use super::rules::{FrameRule, RuleContext};
use super::settle::Scope;
use crate::time::{DAY_HOURS, day_of_hour, first_day_of_month, hour_of, month_of};
use crate::validity::Rulebook;

/// What a rule reads.
#[derive(Debug)]
pub struct FrameRequest<'a> {
    /// The columns of each table, besides `mn`, `factor` and `ts`.
    pub tables: Vec<(SeriesTable, Vec<&'static str>)>,
    /// The hours read; rows outside them may come, too.
    pub hours: Range<i64>,
    /// Filters on `mn`; rows that they refuse may come, too.
    pub filters: &'a [Expr],
    /// What the query asks of the rule; series that it doesn't use may come, too.
    pub asked: Arc<Asked>,
    /// Whether what only the search for patterns looks at is read.
    pub patterns: bool,
}

/// What a rule is given to read.
#[derive(Debug)]
pub struct FramePlan {
    /// Sorted plans, all cut at the split points.
    pub inputs: Vec<FrameInput>,
    /// The least `mn` of each partition but the first.
    pub split_points: Vec<String>,
    /// What is known of the outlets.
    pub registry: Arc<Registry>,
    /// From when to when series reach; those that are read whole may be left out.
    pub extents: Arc<Extents>,
    /// What only the search for patterns asks of the registry; empty unless asked for.
    pub patterns: Arc<PatternRegistry>,
    /// The rows beside the hours asked for.
    pub unread: Arc<dyn OutletReader>,
}

/// Reads more hours of single outlets, when a rule finds that it needs them.
pub trait OutletReader: Debug + Send + Sync {
    /// Sorted streams of an outlet's rows in `hours` that were not read with those in `read`.
    fn read(
        &self,
        mn: &str,
        hours: &Range<i64>,
        read: &Range<i64>,
        task: &Arc<TaskContext>,
    ) -> Result<Vec<(SeriesTable, SendableRecordBatchStream)>>;
}

/// A store that gives sorted plans cut at common split points of `mn`. It passes
/// through the same guard as every other query of the session.
#[async_trait]
pub trait FrameSource: Debug + Send + Sync {
    /// Plans what a rule reads.
    async fn plan(&self, session: &dyn Session, request: FrameRequest<'_>) -> Result<FramePlan>;

    /// The numbers in force in the session.
    fn rulebook(&self, session: &dyn Session) -> Result<Rulebook>;
}

/// A view or the result of a table function: a rule over the frames of a store.
#[derive(Debug)]
pub struct FrameTable {
    source: Arc<dyn FrameSource>,
    rule: Arc<dyn FrameRule>,
    schema: SchemaRef,
    hours: ReadHours,
}

/// Which hours a rule reads.
#[derive(Debug, Clone)]
pub(super) enum ReadHours {
    /// Those that the query's filters on the rule's time column leave.
    Filtered {
        /// The time column.
        column: &'static str,
        /// The first and last hour of the period that holds an hour.
        widen: fn(i64) -> Range<i64>,
    },
    /// Fixed by the arguments.
    Exactly(Range<i64>),
    /// Those asked for, and before them those that correlations are compared with.
    WithBaseline(Range<i64>),
    /// Those asked for, and before them the history that patterns are judged against.
    WithHistory(Range<i64>),
    /// Whole quarters, and before them what the greatest pool holds where no hour is missing.
    QuartersAndPools(Range<i64>),
}

impl FrameTable {
    /// The view `hourly_valid`.
    pub fn hourly_valid(source: Arc<dyn FrameSource>) -> Self {
        Self::filtered(source, Arc::new(HourlyValid), "ts", |hour| hour..hour + 1)
    }

    /// The view `daily_valid`.
    pub fn daily_valid(source: Arc<dyn FrameSource>) -> Self {
        Self::filtered(source, Arc::new(DailyValid), "day", |hour| {
            let first = day_of_hour(hour) * DAY_HOURS;
            first..first + DAY_HOURS
        })
    }

    /// The view `monthly_valid`.
    pub fn monthly_valid(source: Arc<dyn FrameSource>) -> Self {
        Self::filtered(source, Arc::new(MonthlyValid), "month", |hour| {
            let month = month_of(day_of_hour(hour));
            first_day_of_month(month) * DAY_HOURS..first_day_of_month(month + 1) * DAY_HOURS
        })
    }

    fn filtered(
        source: Arc<dyn FrameSource>,
        rule: Arc<dyn FrameRule>,
        column: &'static str,
        widen: fn(i64) -> Range<i64>,
    ) -> Self {
        let schema = rule.schema();
        Self { source, rule, schema, hours: ReadHours::Filtered { column, widen } }
    }

    /// The result of a table function.
    pub(super) fn fixed(
        source: &Arc<dyn FrameSource>,
        rule: Arc<dyn FrameRule>,
        hours: ReadHours,
    ) -> Arc<Self> {
        let schema = rule.schema();
        Arc::new(Self { source: Arc::clone(source), rule, schema, hours })
    }

    /// The hours a query reads.
    fn hours(&self, filters: &[Expr], rulebook: &Rulebook) -> Range<i64> {
        match &self.hours {
            ReadHours::Exactly(hours) => hours.clone(),
            ReadHours::WithBaseline(hours) => {
                let rules = rulebook.correlation_at(day_of_hour(hours.start));
                hours.start.saturating_sub(rules.baseline_hours)..hours.end
            }
            ReadHours::WithHistory(hours) => {
                let rules = rulebook.patterns_at(day_of_hour(hours.start));
                hours.start.saturating_sub(rules.lookback_hours)..hours.end
            }
            ReadHours::QuartersAndPools(hours) => {
                let rules = rulebook.emission_at(day_of_hour(hours.start));
                let pool = rules.pool_low_capture_hours.max(rules.water_pool_days * DAY_HOURS as usize);
                hours.start - pool as i64..hours.end
            }
            ReadHours::Filtered { column, widen } => {
                let asked =
                    filters.iter().fold(i64::MIN..i64::MAX, |hours, filter| narrow(hours, filter, column));
                let start = if asked.start == i64::MIN { i64::MIN } else { widen(asked.start).start };
                let end = if asked.end == i64::MAX { i64::MAX } else { widen(asked.end - 1).end };
                start..end.max(start)
            }
        }
    }
}

/// Narrows `hours` to those that a comparison of `column` with a constant can
/// leave; anything else leaves them as they are.
fn narrow(hours: Range<i64>, filter: &Expr, column: &str) -> Range<i64> {
    match filter {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::And, right }) => {
            narrow(narrow(hours, left, column), right, column)
        }
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            let compared = match (left.as_ref(), right.as_ref()) {
                (Expr::Column(c), Expr::Literal(value, _)) if c.name == column => Some((*op, value)),
                (Expr::Literal(value, _), Expr::Column(c)) if c.name == column => {
                    op.swap().map(|op| (op, value))
                }
                _ => None,
            };
            let hour = compared.and_then(|(op, value)| Some((op, hour_of(timestamp(value)?))));
            let Some((op, hour)) = hour else { return hours };
            match op {
                Operator::Eq => hours.start.max(hour)..hours.end.min(hour + 1),
                Operator::Gt | Operator::GtEq => hours.start.max(hour)..hours.end,
                Operator::Lt | Operator::LtEq => hours.start..hours.end.min(hour + 1),
                _ => hours,
            }
        }
        Expr::Between(between) if !between.negated => {
            let is_column = matches!(between.expr.as_ref(), Expr::Column(c) if c.name == column);
            let bound = |expr: &Expr| match expr {
                Expr::Literal(value, _) => timestamp(value).map(hour_of),
                _ => None,
            };
            match (is_column, bound(&between.low), bound(&between.high)) {
                (true, Some(low), Some(high)) => hours.start.max(low)..hours.end.min(high + 1),
                _ => hours,
            }
        }
        _ => hours,
    }
}

/// A constant as a time stamp, µs.
fn timestamp(value: &ScalarValue) -> Option<i64> {
    match value.cast_to(&DataType::Timestamp(TimeUnit::Microsecond, None)).ok()? {
        ScalarValue::TimestampMicrosecond(ts, _) => ts,
        _ => None,
    }
}

/// Whether a filter speaks of outlets only, so that it may be asked of every table.
fn is_about_outlets(filter: &Expr) -> bool {
    let columns = filter.column_refs();
    !columns.is_empty() && columns.iter().all(|column| column.name == "mn")
}

#[async_trait]
impl TableProvider for FrameTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        _: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let projection = projection.cloned().unwrap_or_else(|| (0..self.schema.fields().len()).collect());
        let output = Arc::new(self.schema.project(&projection)?);
        let asked = Asked::try_new(session, output, filters)?
            .about(self.rule.is_about())
            .comparing_converted(self.rule.compares_converted());
        let asked = Arc::new(asked);
        let about_outlets: Vec<Expr> = filters.iter().filter(|f| is_about_outlets(f)).cloned().collect();
        let rulebook = Arc::new(self.source.rulebook(session)?);
        let hours = self.hours(filters, &rulebook);
        let mut tables = self.rule.reads(&asked);
        let compared =
            Medium::ALL.into_iter().any(|medium| asked.medium(medium) && rulebook.compares_streams(medium));
        if compared && tables.iter().all(|(table, _)| *table != SeriesTable::RawSignals) {
            tables.push((SeriesTable::RawSignals, vec!["reading", "logged", "phase"]));
        }
        let request = FrameRequest {
            tables,
            hours: hours.clone(),
            filters: &about_outlets,
            asked: Arc::clone(&asked),
            patterns: self.rule.looks_for_patterns(),
        };
        let FramePlan { inputs, split_points, registry, extents, patterns, unread } =
            self.source.plan(session, request).await?;
        let scope = Scope { hours };
        let context = RuleContext { registry, extents, rulebook, scope, asked, patterns, unread };
        Ok(Arc::new(FrameExec::try_new(Arc::clone(&self.rule), context, inputs, split_points, projection)?))
    }
}

/// A time argument of a table function, µs. A number is none: a cast would read
/// 2026 as two milliseconds after 1970 began.
pub fn argument_ts(name: &str, expr: &Expr) -> Result<i64> {
    let (time, shown) = match expr {
        Expr::Literal(value, _) if is_time(&value.data_type()) => (timestamp(value), value.to_string()),
        Expr::Literal(value, _) => (None, value.to_string()),
        other => (None, other.to_string()),
    };
    time.ok_or_else(|| {
        plan_datafusion_err!(
            "argument {name} must be a constant date or time stamp, not {shown}; write it as text, like '2026-01-01' or '2026-01-01 08:00:00'"
        )
    })
}

/// Whether a constant of the type can tell a time: dates, time stamps and text.
fn is_time(kind: &DataType) -> bool {
    kind.is_string() || matches!(kind, DataType::Date32 | DataType::Date64 | DataType::Timestamp(..))
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::prelude::{col, lit};

    #[test]
    fn filters_on_the_time_column_narrow_the_hours_read() {
        let date = |day| lit(ScalarValue::Date32(Some(day)));
        let all = || i64::MIN..i64::MAX;
        assert_eq!(narrow(all(), &col("month").gt_eq(date(31)), "month"), 744..i64::MAX);
        assert_eq!(narrow(all(), &date(31).gt(col("month")), "month"), i64::MIN..745);
        assert_eq!(narrow(all(), &col("month").between(date(0), date(31)), "month"), 0..745);
        assert_eq!(narrow(all(), &col("valid").eq(lit(true)), "month"), all());
        let both = col("day").gt_eq(date(1)).and(col("day").lt(date(2)));
        assert_eq!(narrow(all(), &both, "day"), 24..49);
    }

    #[test]
    fn dates_time_stamps_and_text_are_times_and_nothing_else() {
        let day = Some(86_400_000_000);
        let texts = [lit("1970-01-02"), lit("1970-01-02 00:00:00"), lit(ScalarValue::Date32(Some(1)))];
        let stamps = [
            lit(ScalarValue::TimestampMicrosecond(day, None)),
            lit(ScalarValue::TimestampSecond(Some(86_400), None)),
        ];
        for time in texts.iter().chain(&stamps) {
            assert_eq!(argument_ts("from", time).ok(), day, "{time}");
        }
        let null = lit(ScalarValue::Utf8(None));
        for other in [lit(2026), lit(2026_i64), lit(2026.5), lit(true), lit("2026"), null, col("ts")] {
            let error = argument_ts("from", &other).unwrap_err().to_string();
            assert!(error.contains("argument from") && error.contains("'2026-01-01'"), "{error}");
        }
    }
}
