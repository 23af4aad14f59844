//! The hours around a finding: its factor, and the load where it is known.

use std::ops::Range;

use datafusion::functions_aggregate::expr_fn::avg;
use datafusion::prelude::{Expr, ident, lit};
use datafusion::scalar::ScalarValue;
use plume_datasets::condition_roles::ConditionRole;
use plume_udfs::time::DAY_US;

use super::Finding;
use super::rows::Rows;
use crate::Result;
use crate::session::Session;

/// Days that are shown before and after a finding at least, and at most.
const LEAST_DAYS: i64 = 3;
const MOST_DAYS: i64 = 14;

/// Hours, µs, with the value of each, in order.
pub type Points = Vec<(i64, f64)>;

/// What a chart of a finding shows.
#[derive(Debug, Clone)]
pub struct Series {
    /// The hours that are shown.
    pub hours: Range<i64>,
    /// The factor's hourly values, as reported, whatever their flag.
    pub values: Points,
    /// The parameter that tells the load, and its hourly means; `None` where nothing does.
    pub load: Option<(String, Points)>,
}

/// The hours around a finding: half its length on either side, within bounds.
pub async fn series(session: &Session, finding: &Finding) -> Result<Series> {
    let Range { start, end } = finding.span;
    let margin = (end.saturating_sub(start) / 2).clamp(LEAST_DAYS * DAY_US, MOST_DAYS * DAY_US);
    let hours = start.saturating_sub(margin)..end.saturating_add(margin);
    let asked = ident("factor").eq(lit(&finding.factor)).and(within(&finding.mn, &hours));
    let rows = session.sql("SELECT mn, factor, ts, value FROM hourly").await?.filter(asked)?;
    let rows = rows.sort(vec![ident("ts").sort(true, true)])?;
    let values = points(&Rows::of(rows).await?);
    let load = load(session, &finding.mn, &hours).await?;
    Ok(Series { hours, values, load })
}

/// Rows of an outlet within hours.
fn within(mn: &str, hours: &Range<i64>) -> Expr {
    let time = |ts: i64| lit(ScalarValue::TimestampMicrosecond(Some(ts), None));
    let ts = || ident("ts");
    ident("mn").eq(lit(mn)).and(ts().gt_eq(time(hours.start))).and(ts().lt(time(hours.end)))
}

fn points(rows: &Rows) -> Points {
    (0..rows.len()).filter_map(|row| rows.time("ts", row).zip(rows.number("value", row))).collect()
}

/// The outlet's load: minutes average to hours, as everywhere.
async fn load(session: &Session, mn: &str, hours: &Range<i64>) -> Result<Option<(String, Points)>> {
    let conditions = "SELECT c.mn, c.param, c.ts, date_trunc('hour', c.ts) AS hour, c.value, p.role
                      FROM conditions AS c LEFT JOIN condition_params AS p ON p.param = c.param";
    let conditions = session.sql(conditions).await?.filter(within(mn, hours))?;
    let params = conditions.clone().select(vec![ident("param"), ident("role")])?.distinct()?;
    let params = Rows::of(params.sort(vec![ident("param").sort(true, true)])?).await?;
    let roles: Vec<_> = (0..params.len())
        .filter_map(|row| {
            let param = params.text("param", row)?;
            let said = params.text("role", row).and_then(|role| role.parse().ok());
            let role = said.or_else(|| ConditionRole::built_in(&param));
            Some((param, role))
        })
        .collect();
    let named = roles.iter().map(|(param, role)| (param.as_str(), *role));
    let Some((param, _)) = ConditionRole::load_among(named).and_then(|at| roles.get(at)) else {
        return Ok(None);
    };
    let rows = conditions
        .filter(ident("param").eq(lit(param)))?
        .aggregate(vec![ident("hour").alias("ts")], vec![avg(ident("value")).alias("value")])?
        .sort(vec![ident("ts").sort(true, true)])?;
    Ok(Some((param.clone(), points(&Rows::of(rows).await?))))
}
