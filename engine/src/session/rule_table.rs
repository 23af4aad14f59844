//! Table `rules`: the rules in force in the session, as `plume.rules` and rule-set files make them.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch};
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use chrono::{DateTime, NaiveDate};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Result as QueryResult;
use datafusion::common::config::ConfigOptions;
use datafusion::datasource::MemTable;
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;
use plume_datasets::rules::{RuleSet, RuleSets};

use super::builtin::{dates, text};
use super::options::{PlumeOptions, as_of, now};
use crate::Result;

/// The table. Its rows are made when it is scanned: a session's rules may change.
#[derive(Debug)]
pub(super) struct RuleTable {
    schema: SchemaRef,
}

impl RuleTable {
    /// The table.
    pub(super) fn try_new() -> Result<Self> {
        Ok(Self { schema: rows(&[])?.schema() })
    }
}

#[async_trait]
impl TableProvider for RuleTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> QueryResult<Arc<dyn ExecutionPlan>> {
        let batch = of_session(session.config_options())?;
        let table = MemTable::try_new(self.schema(), vec![vec![batch]])?;
        table.scan(session, projection, filters, limit).await
    }
}

/// One line of the table.
struct RuleRow<'a> {
    set: &'a RuleSet,
    lapsed: bool,
    key: String,
    value: String,
    default: String,
    unit: &'a str,
    clause: &'a str,
    mark: &'a str,
}

/// The lines of a session: those of the set it chose, else of each set there is.
fn of_session(config: &ConfigOptions) -> Result<RecordBatch> {
    let options = config.extensions.get::<PlumeOptions>().cloned().unwrap_or_default();
    let sets = options.rule_sets.as_ref();
    let seen_at = DateTime::from_timestamp_micros(as_of(config)?.unwrap_or_else(now)).unwrap_or_default();
    let day = seen_at.date_naive();
    if options.rules.is_empty() {
        let of_set = |set| lines(set, set, has_lapsed(sets, set, day));
        return rows(&sets.all().iter().flat_map(of_set).collect::<Vec<_>>());
    }
    let chosen = sets.choose(&options.rules)?;
    rows(&lines(&chosen, sets.named(&chosen.name)?, day > chosen.valid_to).collect::<Vec<_>>())
}

/// Whether a set goes on past its last day.
fn has_lapsed(sets: &RuleSets, set: &RuleSet, day: NaiveDate) -> bool {
    sets.in_force(day).is_some_and(|(in_force, lapsed)| lapsed && in_force.name == set.name)
}

/// The lines of a rule set: its rules, then its limits of comparisons. `unchanged` is the set as its file has it.
fn lines<'a>(set: &'a RuleSet, unchanged: &'a RuleSet, lapsed: bool) -> impl Iterator<Item = RuleRow<'a>> {
    let rules = set.rules.iter().map(move |(key, rule)| RuleRow {
        set,
        lapsed,
        key: key.clone(),
        value: rule.value.to_string(),
        default: unchanged.rules.get(key).unwrap_or(rule).value.to_string(),
        unit: &rule.unit,
        clause: &rule.clause,
        mark: &rule.mark,
    });
    let limits = set.comparison_limits.iter().map(move |limit| {
        let value = limit.absolute.or(limit.relative).unwrap_or_default().to_string();
        RuleRow {
            set,
            lapsed,
            key: limit.key(),
            default: value.clone(),
            value,
            unit: if limit.absolute.is_some() { "factor" } else { "1" },
            clause: &limit.clause,
            mark: &limit.mark,
        }
    });
    rules.chain(limits)
}

fn rows(rows: &[RuleRow<'_>]) -> Result<RecordBatch> {
    let lapsed: ArrayRef = Arc::new(rows.iter().map(|row| Some(row.lapsed)).collect::<BooleanArray>());
    let columns = [
        ("rule_set", text(rows, |row| Some(&row.set.name))),
        ("key", text(rows, |row| Some(&row.key))),
        ("value", text(rows, |row| Some(&row.value))),
        ("default", text(rows, |row| Some(&row.default))),
        ("unit", text(rows, |row| Some(row.unit))),
        ("valid_from", dates(rows, |row| Some(row.set.valid_from))),
        ("valid_to", dates(rows, |row| Some(row.set.valid_to))),
        ("lapsed", lapsed),
        ("clause", text(rows, |row| Some(format!("{} [{}]", row.clause, row.mark)))),
        ("mark", text(rows, |row| Some(row.mark))),
    ];
    let nullable = columns.into_iter().map(|(name, column)| (name, column, true));
    Ok(RecordBatch::try_from_iter_with_nullable(nullable)?)
}
