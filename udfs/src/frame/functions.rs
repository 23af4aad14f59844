//! The table functions that run a rule over frames.

use std::ops::Range;
use std::sync::Arc;

use datafusion::catalog::{TableFunctionArgs, TableFunctionImpl, TableProvider};
use datafusion::common::{Result, ScalarValue, plan_datafusion_err, plan_err};
use datafusion::logical_expr::Expr;

use super::facts::hours_within;
use super::rules::condition_correlation::ConditionCorrelation;
use super::rules::emissions::Emissions;
use super::rules::exceedances::Exceedances;
use super::rules::fixed_runs::FixedRuns;
use super::rules::judged_hours::JudgedHours;
use super::rules::pattern_findings::PatternFindings;
use super::rules::quarterly_capture::QuarterlyCapture;
use super::rules::reporting_problems::ReportingProblems;
use super::rules::transmission_days::TransmissionDays;
use super::rules::{FrameRule, whole_quarters};
use super::source::{FrameSource, FrameTable, ReadHours, argument_ts};
use crate::emission::masses::Grain;
use crate::exceedance::limits;
use crate::time::{DAY_HOURS, DAY_US, day_of, day_of_hour};
use crate::validity::transmission::Level;

/// The rule that arguments ask for, and the hours it reads.
type PlannedRule = (Arc<dyn FrameRule>, ReadHours);

/// Plans the rule of a table function from its arguments.
type PlanRule = fn(&[Expr]) -> Result<PlannedRule>;

/// A table function that runs a rule over the frames of a store.
#[derive(Debug)]
struct FrameFunction {
    source: Arc<dyn FrameSource>,
    plan: PlanRule,
}

impl TableFunctionImpl for FrameFunction {
    fn call_with_args(&self, args: TableFunctionArgs<'_, '_>) -> Result<Arc<dyn TableProvider>> {
        let (rule, hours) = (self.plan)(args.exprs())?;
        Ok(FrameTable::fixed(&self.source, rule, hours))
    }
}

/// Every table function over the frames of a store, with its name.
pub fn frame_functions(source: &Arc<dyn FrameSource>) -> Vec<(&'static str, Arc<dyn TableFunctionImpl>)> {
    let functions: [(&str, PlanRule); 9] = [
        ("emissions", emissions),
        ("quarterly_capture", quarterly_capture),
        ("exceedances", exceedances),
        ("reporting_problems", reporting_problems),
        ("fixed_runs", fixed_runs),
        ("transmission_days", transmission_days),
        ("condition_correlation", condition_correlation),
        ("pattern_findings", pattern_findings),
        ("judged_hours", judged_hours),
    ];
    let function = |(name, plan)| {
        let function: Arc<dyn TableFunctionImpl> =
            Arc::new(FrameFunction { source: Arc::clone(source), plan });
        (name, function)
    };
    functions.map(function).into()
}

fn emissions(arguments: &[Expr]) -> Result<PlannedRule> {
    const USAGE: &str = "emissions(from, to, grain): from and to are dates or time stamps, to is exclusive, grain is 'hour', 'day', 'month', 'quarter' or 'year'";
    let [from, to, grain] = arguments else {
        return plan_err!("{USAGE}");
    };
    let hours = argument_hours(from, to, USAGE)?;
    let grain = argument_text(grain).and_then(Grain::parse);
    let grain = grain.ok_or_else(|| plan_datafusion_err!("emissions: there is no such grain; {USAGE}"))?;
    let read = ReadHours::QuartersAndPools(whole_quarters(&hours));
    Ok((Arc::new(Emissions { hours, grain }), read))
}

fn quarterly_capture(arguments: &[Expr]) -> Result<PlannedRule> {
    const USAGE: &str = "quarterly_capture(from, to): from and to are dates or time stamps, to is exclusive; each quarter that they touch is told whole";
    let hours = hours_asked(arguments, USAGE)?;
    let read = ReadHours::Exactly(whole_quarters(&hours));
    Ok((Arc::new(QuarterlyCapture { hours }), read))
}

fn condition_correlation(arguments: &[Expr]) -> Result<PlannedRule> {
    const USAGE: &str =
        "condition_correlation(from, to): from and to are dates or time stamps, to is exclusive";
    let hours = hours_asked(arguments, USAGE)?;
    let read = ReadHours::WithBaseline(hours.clone());
    Ok((Arc::new(ConditionCorrelation { hours }), read))
}

fn pattern_findings(arguments: &[Expr]) -> Result<PlannedRule> {
    const USAGE: &str = "pattern_findings(from, to): from and to are dates or time stamps, to is exclusive";
    let hours = hours_asked(arguments, USAGE)?;
    let read = ReadHours::WithHistory(hours.clone());
    Ok((Arc::new(PatternFindings { hours }), read))
}

fn judged_hours(arguments: &[Expr]) -> Result<PlannedRule> {
    const USAGE: &str = "judged_hours(from, to): from and to are dates or time stamps, to is exclusive";
    let hours = hours_asked(arguments, USAGE)?;
    let read = ReadHours::WithHistory(hours.clone());
    Ok((Arc::new(JudgedHours { hours }), read))
}

fn fixed_runs(arguments: &[Expr]) -> Result<PlannedRule> {
    const USAGE: &str = "fixed_runs(from, to, min_days): from and to are dates or time stamps, to is exclusive, min_days is a whole number above 0";
    let [from, to, min_days] = arguments else {
        return plan_err!("{USAGE}");
    };
    let span = argument_span(from, to, USAGE)?;
    let Expr::Literal(ScalarValue::Int64(Some(min_days @ 1..)), _) = min_days else {
        return plan_err!("min_days must be a whole number above 0; {USAGE}");
    };
    let hours = hours_of_days(&span);
    let read = ReadHours::Exactly(hours.clone());
    Ok((Arc::new(FixedRuns { hours, min_days: *min_days }), read))
}

fn transmission_days(arguments: &[Expr]) -> Result<PlannedRule> {
    const USAGE: &str = "transmission_days(from, to, level): from and to are dates or time stamps, to is exclusive, level is 'realtime', 'minute', 'hour' or 'day'";
    let [from, to, level] = arguments else {
        return plan_err!("{USAGE}");
    };
    let hours = argument_hours(from, to, USAGE)?;
    let level = argument_text(level).and_then(Level::parse);
    let level =
        level.ok_or_else(|| plan_datafusion_err!("transmission_days: there is no such level; {USAGE}"))?;
    // Whole days, of which the validity is told, and one before, in which the series was last heard.
    let first_day = day_of_hour(hours.start) - 1;
    let end_day = day_of_hour(hours.end - 1) + 1;
    let read = ReadHours::Exactly(first_day * DAY_HOURS..end_day * DAY_HOURS);
    Ok((Arc::new(TransmissionDays { hours, level }), read))
}

fn exceedances(arguments: &[Expr]) -> Result<PlannedRule> {
    const USAGE: &str = "write exceedances(from, to, grain): from and to are dates or time stamps, to is exclusive, grain is 'hour' or 'day'";
    let [from, to, grain] = arguments else {
        return plan_err!("{USAGE}");
    };
    let span = argument_span(from, to, USAGE)?;
    let grain = argument_text(grain).and_then(limits::Grain::parse);
    let grain = grain.ok_or_else(|| plan_datafusion_err!("exceedances: there is no such grain; {USAGE}"))?;
    let hours = match grain {
        limits::Grain::Hour => hours_within(&span),
        limits::Grain::Day => hours_of_days(&span),
    };
    let read = ReadHours::Exactly(hours.clone());
    Ok((Arc::new(Exceedances { hours, grain }), read))
}

fn reporting_problems(arguments: &[Expr]) -> Result<PlannedRule> {
    const USAGE: &str = "reporting_problems(from, to): from and to are dates or time stamps, to is exclusive";
    let [from, to] = arguments else {
        return plan_err!("{USAGE}");
    };
    let hours = hours_within(&argument_span(from, to, USAGE)?);
    let read = ReadHours::Exactly(hours.clone());
    Ok((Arc::new(ReportingProblems { hours }), read))
}

/// The text of a constant.
fn argument_text(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Literal(value, _) => value.try_as_str().flatten(),
        _ => None,
    }
}

/// From one time stamp to another, µs.
fn argument_span(from: &Expr, to: &Expr, usage: &str) -> Result<Range<i64>> {
    let (from, to) = (argument_ts("from", from)?, argument_ts("to", to)?);
    if from >= to {
        return plan_err!("from must lie before to; {usage}");
    }
    Ok(from..to)
}

/// The hours of the days that begin within a span.
fn hours_of_days(span: &Range<i64>) -> Range<i64> {
    let first_day_at_or_after = |ts: i64| day_of(ts) + i64::from(ts.rem_euclid(DAY_US) != 0);
    first_day_at_or_after(span.start) * DAY_HOURS..first_day_at_or_after(span.end) * DAY_HOURS
}

/// The hours of a function that is asked for them alone.
fn hours_asked(arguments: &[Expr], usage: &str) -> Result<Range<i64>> {
    match arguments {
        [from, to] => argument_hours(from, to, usage),
        _ => plan_err!("{usage}"),
    }
}

/// The hours that start from `from` on, before `to`.
fn argument_hours(from: &Expr, to: &Expr, usage: &str) -> Result<Range<i64>> {
    let hours = hours_within(&argument_span(from, to, usage)?);
    if hours.is_empty() {
        return plan_err!("no hour starts between from and to; {usage}");
    }
    Ok(hours)
}
