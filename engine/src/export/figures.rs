//! What an export asks of the store, and the rules it rests on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::{DataType, SchemaRef, TimeUnit};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use chrono::NaiveDate;
use plume_datasets::rules::RuleSet;
use plume_datasets::schema::TABLES;
use plume_sql::{View, table_functions};
use plume_udfs::time::date_of;

use super::manifest::{FileSum, Manifest, RuleSetUsed, UnconfirmedRule};
use super::rendered::Rendered;
use super::{ExportFormat, Kind, Request, rendered, workbook};
use crate::session::options::PlumeOptions;
use crate::session::period::Period;
use crate::session::{Session, SessionLimits};
use crate::store::Store;
use crate::{Error, Result};

/// Marks of what isn't confirmed.
const UNCONFIRMED: [&str; 2] = ["recall", "default"];

/// Beginnings of the keys of rules on which validity rests.
const OF_VALIDITY: &[&str] = &[
    "hour_minutes",
    "air_minute_s",
    "water_minute_s",
    "air_day_hours",
    "air_month_days",
    "air_february_days",
    "day_basis",
    "running_share",
    "water_day_share",
    "water_month_share",
    "o2_",
    "stop_contradicted_",
    // Checks put monitors out of control, and their hours are not valid.
    "drift_",
    "standard_check_pct",
    "calibration_",
    // Comparisons of gas put no monitor out of control.
    "comparison_limit.w",
    "below_detection",
    "stream_",
];
/// Beginning of the keys of what values below detection count as.
const BELOW_DETECTION_FIGURE: &str = "below_detection_";
/// Of rules on which masses rest.
const OF_MASSES: &[&str] = &[
    "capture_",
    "gap_short_hours",
    "pool_",
    "water_pool_days",
    "water_manual_samples",
    "water_substitution",
];

/// The rows of an export and what they rest on.
pub(super) struct Figures {
    pub(super) request: Request,
    pub(super) view: &'static View,
    pub(super) query: String,
    pub(super) rows: RecordBatch,
    pub(super) rule_sets: Vec<RuleSetUsed>,
    pub(super) unconfirmed: Vec<UnconfirmedRule>,
    tables: BTreeMap<String, u64>,
}

impl Figures {
    /// Computes the rows as of the request's moment.
    pub(super) async fn compute(store: Store, request: Request) -> Result<Self> {
        let period = Period::parse(&request.period)?;
        let name = request.kind.function();
        let view = table_functions().iter().find(|function| function.name == name);
        let view = view.ok_or_else(|| Error::Usage(format!("there is no table function {name}")))?;
        let mut options = PlumeOptions {
            rules: request.rules.clone(),
            as_of: request.as_of.clone(),
            ..PlumeOptions::default()
        };
        for text in &request.rule_files {
            options.add_edition(text)?;
        }
        let used = rule_sets(&options, period)?;
        let session = Session::new(store, options, &SessionLimits::default()).await?;
        let query = format!("SELECT * FROM {name}('{}') ORDER BY {}", request.period, request.kind.order());
        let frame = session.sql(&query).await?;
        let schema: SchemaRef = Arc::new(frame.schema().as_arrow().clone());
        let batches = frame.collect().await?;
        let batches: Vec<RecordBatch> =
            batches.iter().map(|batch| as_planned(&schema, batch)).collect::<Result<_>>()?;
        let rows = concat_batches(&schema, &batches)?;
        let mut tables = BTreeMap::new();
        for table in TABLES {
            let log = session.snapshots().store().log(table)?;
            if let Some(version) = session.snapshots().of(&log).await?.version() {
                tables.insert(table.name.to_owned(), version);
            }
        }
        let mut unconfirmed: Vec<UnconfirmedRule> =
            used.iter().flat_map(|(set, _)| unconfirmed_rules(set, request.kind)).collect();
        unconfirmed.extend(unconfirmed_rows(&rows)?);
        let rule_sets = used.iter().map(|(set, lapsed)| RuleSetUsed::of(set, *lapsed)).collect();
        Ok(Self { request, view, query, rows, rule_sets, unconfirmed, tables })
    }

    /// The files, as bytes.
    pub(super) fn render(&self) -> Result<Vec<Rendered>> {
        let bytes = match self.request.format {
            ExportFormat::Csv => rendered::csv(&self.rows)?,
            ExportFormat::Parquet => rendered::parquet(&self.rows)?,
            ExportFormat::Xlsx => workbook::bytes(self)?,
        };
        let rows = self.rows.num_rows();
        Ok(vec![Rendered { name: self.request.file_name(), bytes, rows }])
    }

    /// The manifest of the files.
    pub(super) fn manifest(&self, files: &[Rendered]) -> Manifest {
        let request = &self.request;
        Manifest {
            plume: env!("CARGO_PKG_VERSION").to_owned(),
            kind: request.kind,
            period: request.period.clone(),
            format: request.format,
            as_of: request.as_of.clone(),
            rules: request.rules.clone(),
            rule_files: request.rule_files.clone(),
            rule_sets: self.rule_sets.clone(),
            unconfirmed_rules: self.unconfirmed.clone(),
            tables: self.tables.clone(),
            query: self.query.clone(),
            files: files.iter().map(FileSum::of).collect(),
        }
    }

    /// A column, where there is one.
    pub(super) fn column(&self, name: &str) -> Option<&ArrayRef> {
        self.rows.column_by_name(name)
    }
}

/// The types that a plan promises; a kind of text may come as another.
fn as_planned(schema: &SchemaRef, batch: &RecordBatch) -> Result<RecordBatch> {
    let pairs = batch.columns().iter().zip(schema.fields());
    let columns = pairs.map(|(column, field)| Ok(cast(column, field.data_type())?));
    Ok(RecordBatch::try_new(Arc::clone(schema), columns.collect::<Result<_>>()?)?)
}

/// The rule sets of a period, each with whether it had lapsed by its end.
fn rule_sets(options: &PlumeOptions, period: Period) -> Result<Vec<(RuleSet, bool)>> {
    let day = |ts: i64| chrono::DateTime::from_timestamp_micros(ts).unwrap_or_default().date_naive();
    let (first, last) = (day(period.from), day(period.to - 1));
    if !options.rules.is_empty() {
        let set = options.rule_sets.choose(&options.rules)?;
        let lapsed = last > set.valid_to;
        return Ok(vec![(set, lapsed)]);
    }
    let mut used: Vec<(RuleSet, bool)> = Vec::new();
    for day in first.iter_days().take_while(|day| *day <= last) {
        let Some((set, lapsed)) = options.rule_sets.in_force(day) else { continue };
        match used.iter_mut().find(|(known, _)| known.name == set.name) {
            Some((_, known)) => *known |= lapsed,
            None => used.push((set.clone(), lapsed)),
        }
    }
    Ok(used)
}

/// Whether a kind of export rests on a rule.
fn rests_on(kind: Kind, key: &str) -> bool {
    let begins = |keys: &[&str]| keys.iter().any(|begin| key.starts_with(begin));
    begins(OF_VALIDITY)
        || match kind {
            Kind::Tax => begins(OF_MASSES) || key.starts_with("tax_"),
            Kind::Permit => begins(OF_MASSES) || key.starts_with("permit_"),
            Kind::Report => begins(OF_MASSES),
            Kind::Disclosure => false,
        }
}

/// The rules that a kind of export rests on and nobody confirmed.
fn unconfirmed_rules(set: &RuleSet, kind: Kind) -> Vec<UnconfirmedRule> {
    let rule = |key: String, value: String, clause: &str, mark: &str| UnconfirmedRule {
        rule_set: set.name.clone(),
        key,
        value,
        clause: clause.to_owned(),
        mark: mark.to_owned(),
    };
    let rules = set.rules.iter().map(|(key, r)| rule(key.clone(), r.value.to_string(), &r.clause, &r.mark));
    let limits = set.comparison_limits.iter().map(|limit| {
        let value = limit.absolute.or(limit.relative).unwrap_or_default().to_string();
        rule(limit.key(), value, &limit.clause, &limit.mark)
    });
    let is_listed = |rule: &UnconfirmedRule| {
        UNCONFIRMED.contains(&rule.mark.as_str()) && rests_on(kind, &rule.key) && is_in_use(set, &rule.key)
    };
    rules.chain(limits).filter(is_listed).collect()
}

/// Whether the options of a set leave a rule in use.
fn is_in_use(set: &RuleSet, key: &str) -> bool {
    let is = |option: &str, word: &str| set.word(option).is_ok_and(|chosen| chosen == word);
    !key.starts_with(BELOW_DETECTION_FIGURE) || is("below_detection", "table")
}

/// The rows of the tax tables that taxable rows rest on and nobody confirmed, as column `basis` tells.
fn unconfirmed_rows(rows: &RecordBatch) -> Result<Vec<UnconfirmedRule>> {
    let Some(taxable) = rows.column_by_name("taxable").and_then(|column| column.as_boolean_opt()) else {
        return Ok(Vec::new());
    };
    let (factors, basis, kg) = (texts(rows, "factor")?, texts(rows, "basis")?, texts(rows, "equivalent_kg")?);
    let mut found = BTreeSet::new();
    for row in (0..rows.num_rows()).filter(|row| is_true(taxable, *row)) {
        for clause in basis[row].split("]; ") {
            let Some((clause, mark)) = clause.trim_end_matches(']').rsplit_once(" [") else { continue };
            if UNCONFIRMED.contains(&mark) {
                found.insert((&factors[row], &kg[row], clause, mark));
            }
        }
    }
    let rule = |(factor, kg, clause, mark): (&String, &String, &str, &str)| UnconfirmedRule {
        rule_set: "pollution_equivalents".to_owned(),
        key: factor.clone(),
        value: kg.clone(),
        clause: clause.to_owned(),
        mark: mark.to_owned(),
    };
    Ok(found.into_iter().map(rule).collect())
}

fn is_true(column: &BooleanArray, row: usize) -> bool {
    column.is_valid(row) && column.value(row)
}

/// A column as texts; NULL is empty.
pub(super) fn texts(rows: &RecordBatch, name: &str) -> Result<Vec<String>> {
    let Some(column) = rows.column_by_name(name) else { return Ok(vec![String::new(); rows.num_rows()]) };
    let options = FormatOptions::default();
    let shown = ArrayFormatter::try_new(column.as_ref(), &options)?;
    Ok((0..column.len()).map(|row| shown.value(row).to_string()).collect())
}

/// The first letter of each row's factor.
pub(super) fn media(rows: &RecordBatch) -> Result<Vec<Option<char>>> {
    Ok(texts(rows, "factor")?.iter().map(|factor| factor.chars().next()).collect())
}

/// A column of floats, whatever numbers they were.
pub(super) fn floats(column: &ArrayRef) -> Result<ArrayRef> {
    Ok(cast(column, &DataType::Float64)?)
}

/// A column of times in µs, whatever their unit was.
pub(super) fn times(column: &ArrayRef) -> Result<ArrayRef> {
    Ok(cast(column, &DataType::Timestamp(TimeUnit::Microsecond, None))?)
}

/// The day of a column of days.
pub(super) fn day(days: i32) -> Option<NaiveDate> {
    date_of(0).checked_add_signed(chrono::Duration::days(i64::from(days)))
}
