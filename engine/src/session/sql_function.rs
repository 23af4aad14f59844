//! Table functions whose rows are a query with parameters: `sql/functions/*.sql`.
//!
//! The names in a function's `call:` line tell what its arguments are:
//!
//! | argument | takes | as parameters |
//! |---|---|---|
//! | `from`, `to`, `as_of` | a date or time stamp | `$from`, `$to`, `$as_of` |
//! | `period` | `2026`, `2026Q1`, `2026-01`, `2026-W05`, `2026-01-31` | `$period`, `$from`, `$to` |
//! | `year` | a year | `$year`, `$from`, `$to` |
//! | `days`, `min_days` | a whole number | `$days`, `$min_days` |
//! | the same, where `words:` is `whole months` | a year, quarter or month | the same |
//! | any other | one of the words of its `words:` line | `$name` |

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{Session, TableFunctionArgs, TableFunctionImpl, TableProvider};
use datafusion::common::{Result, ScalarValue, plan_datafusion_err, plan_err};
use datafusion::datasource::ViewTable;
use datafusion::execution::SessionState;
use datafusion::logical_expr::{Expr, LogicalPlan, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::sql::sqlparser::ast::{Expr as SqlExpr, Value};
use futures::FutureExt;
use plume_sql::View;
use plume_udfs::frame::source::argument_ts;

use super::parameters::bind;
use super::period::Period;

/// The word of a function whose period is of whole months.
const WHOLE_MONTHS: &str = "whole months";

/// A table function that is a query with parameters.
#[derive(Debug)]
pub(super) struct SqlFunction {
    function: &'static View,
}

impl SqlFunction {
    /// The function that a file describes.
    pub(super) fn new(function: &'static View) -> Self {
        Self { function }
    }

    /// The values of the arguments by parameter, as SQL.
    fn values(&self, state: &SessionState, exprs: &[Expr]) -> Result<Vec<(String, SqlExpr)>> {
        let names: Vec<&str> = self.function.parameters().collect();
        if names.len() != exprs.len() {
            return plan_err!("write {}; {} arguments were given", self.function.call, exprs.len());
        }
        let mut values = Vec::new();
        for (name, expr) in names.into_iter().zip(exprs) {
            match name {
                "from" | "to" | "as_of" => {
                    values.push((name.to_owned(), time(state, argument_ts(name, expr)?)?));
                }
                "period" | "year" => {
                    let text = word(expr).or_else(|| whole_number(expr).map(|year| year.to_string()));
                    let text =
                        text.ok_or_else(|| self.wrong(name, "a period like '2026', '2026Q1' or '2026-01'"))?;
                    let period = Period::parse(&text)?;
                    if self.function.words().any(|word| word == WHOLE_MONTHS) && !period.is_of_months() {
                        return Err(self.wrong(name, "whole months, like '2026', '2026Q1' or '2026-01'"));
                    }
                    values.push((name.to_owned(), text_value(&text)));
                    values.push(("from".to_owned(), time(state, period.from)?));
                    values.push(("to".to_owned(), time(state, period.to)?));
                }
                "days" | "min_days" => {
                    let number = whole_number(expr).filter(|number| *number > 0);
                    let number = number.ok_or_else(|| self.wrong(name, "a whole number above 0"))?;
                    values.push((
                        name.to_owned(),
                        SqlExpr::Value(Value::Number(number.to_string(), false).into()),
                    ));
                }
                _ => {
                    let allowed: Vec<&str> = self.function.words().collect();
                    let given = word(expr).map(|word| word.to_ascii_lowercase());
                    let given = given.filter(|given| allowed.contains(&given.as_str()));
                    let given =
                        given.ok_or_else(|| self.wrong(name, &format!("one of {}", allowed.join(", "))))?;
                    values.push((name.to_owned(), text_value(&given)));
                }
            }
        }
        check_order(exprs, self.function)?;
        Ok(values)
    }

    fn wrong(&self, name: &str, takes: &str) -> datafusion::common::DataFusionError {
        plan_datafusion_err!("argument {name} of {} takes {takes}", self.function.call)
    }
}

/// `from` must lie before `to`.
fn check_order(exprs: &[Expr], function: &View) -> Result<()> {
    let of = |wanted: &str| {
        function.parameters().zip(exprs).find(|(name, _)| *name == wanted).map(|(_, expr)| expr)
    };
    let (Some(from), Some(to)) = (of("from"), of("to")) else { return Ok(()) };
    if argument_ts("from", from)? >= argument_ts("to", to)? {
        return plan_err!("from must lie before to in {}", function.call);
    }
    Ok(())
}

fn text_value(text: &str) -> SqlExpr {
    SqlExpr::Value(Value::SingleQuotedString(text.to_owned()).into())
}

/// A time as SQL, in microseconds as every table has them: a time of nanoseconds would have the columns it is compared
/// with cast to such, which end in 2262.
fn time(state: &SessionState, ts: i64) -> Result<SqlExpr> {
    let text = ScalarValue::TimestampMicrosecond(Some(ts), None).to_string();
    let shown = chrono::DateTime::from_timestamp_micros(ts)
        .map(|time| time.format("%Y-%m-%d %H:%M:%S%.f").to_string());
    let dialect = state.config_options().sql_parser.dialect;
    state.sql_to_expr(&format!("CAST('{}' AS TIMESTAMP(6))", shown.unwrap_or(text)), &dialect)
}

fn word(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Literal(value, _) => value.try_as_str().flatten().map(str::to_owned),
        _ => None,
    }
}

fn whole_number(expr: &Expr) -> Option<i64> {
    match expr {
        Expr::Literal(ScalarValue::Int64(number), _) => *number,
        _ => None,
    }
}

impl TableFunctionImpl for SqlFunction {
    fn call_with_args(&self, args: TableFunctionArgs<'_, '_>) -> Result<Arc<dyn TableProvider>> {
        let Some(state) = args.session().as_any().downcast_ref::<SessionState>() else {
            return plan_err!("{} can't be planned in this session", self.function.name);
        };
        let values = self.values(state, args.exprs())?;
        let dialect = state.config_options().sql_parser.dialect;
        let mut statement = state.sql_to_statement(self.function.sql, &dialect)?;
        bind(&mut statement, &values)?;
        // Tables are known in memory, so that planning never waits.
        let Some(plan) = state.statement_to_plan(statement).now_or_never() else {
            return plan_err!("{} waits for its tables", self.function.name);
        };
        Ok(Arc::new(PlannedApart::new(state, plan?)?))
    }
}

/// Rows of a query that is planned by itself and not as a part of what asks for it: a planner walks
/// down a plan on its stack, and functions that call one another would be too deep for it.
#[derive(Debug)]
pub(super) struct PlannedApart {
    view: ViewTable,
}

impl PlannedApart {
    /// The rows of a plan. Its types are settled here, since a scan promises its schema.
    pub(super) fn new(state: &SessionState, plan: LogicalPlan) -> Result<Self> {
        let plan = state.analyzer().execute_and_check(plan, state.config_options(), |_, _| {})?;
        Ok(Self { view: ViewTable::new(plan, None) })
    }
}

#[async_trait]
impl TableProvider for PlannedApart {
    fn schema(&self) -> SchemaRef {
        self.view.schema()
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        self.view.supports_filters_pushdown(filters)
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.view.scan(state, projection, filters, limit).await
    }
}
