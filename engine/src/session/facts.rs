//! Reads the registry: what is known of the outlets.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Float64Type, TimestampMicrosecondType};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Result;
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::LogicalPlanBuilder;
use datafusion::physical_plan::collect;
use plume_datasets::condition_roles::ConditionRole;
use plume_datasets::factors::Medium;
use plume_datasets::schema::Table;
use plume_udfs::emission::control::{Check, CheckKind, MonitorSetting, control};
use plume_udfs::emission::gas_state::GasState;
use plume_udfs::emission::substitution::DaySamples;
use plume_udfs::exceedance::limits::{Basis, Limits};
use plume_udfs::frame::facts::{Duct, MonitorFacts, OutletFacts, Registry, Span, hours_within, span};
use plume_udfs::time::day_of;
use plume_udfs::validity::Rulebook;

use crate::store::table::{Snapshots, StoreTable};
use crate::store::table_named;

/// The tables that the registry is read from.
pub(super) const TABLES: [&str; 6] =
    ["enterprises", "outlets", "monitors", "stoppages", "qc_results", "manual_samples"];

/// The table that tells what parameters of working conditions stand for.
pub(super) const CONDITION_PARAMS: &str = "condition_params";

/// Reads the registry as the session sees it.
pub(super) async fn read_registry(
    session: &dyn Session,
    snapshots: &Arc<Snapshots>,
    store_rows: Range<i64>,
    rulebook: &Rulebook,
) -> Result<Registry> {
    let mut outlets: HashMap<String, OutletFacts> = HashMap::new();
    let mut checks: BTreeMap<(String, String), Vec<Check>> = BTreeMap::new();
    // When the entry of an enterprise began and ended to be in force.
    let mut changes: HashMap<String, Vec<Span>> = HashMap::new();
    for name in TABLES {
        for batch in read_all(session, snapshots, table_named(name)?, None).await? {
            let rows = Rows { batch: &batch };
            for row in 0..batch.num_rows() {
                if let ("enterprises", Some(id)) = (name, rows.text("enterprise_id", row)) {
                    changes.entry(id.to_owned()).or_default().push(rows.span("since", "until", row));
                    continue;
                }
                let Some(mn) = rows.text("mn", row) else { continue };
                let facts = outlets
                    .entry(mn.to_owned())
                    .or_insert_with(|| OutletFacts { mn: mn.to_owned(), ..OutletFacts::default() });
                match name {
                    "outlets" => rows.outlet(row, &changes, facts),
                    "monitors" => rows.monitor(row, facts),
                    "stoppages" => rows.stoppage(row, facts),
                    "qc_results" => rows.check(mn, row, &mut checks),
                    _ => rows.sample(row, facts),
                }
            }
        }
    }
    for facts in outlets.values_mut() {
        facts.handovers.sort_unstable();
        facts.handovers.dedup();
    }
    for ((mn, factor), mut checks) in checks {
        let Some(facts) = outlets.get_mut(&mn) else { continue };
        checks.sort_by_key(|check| check.ts);
        let setting = |ts| facts.setting(&factor, ts);
        let control = control(&checks, &factor, setting, |ts| rulebook.emission_at(day_of(ts)));
        facts.controls.push((factor, control));
    }
    let roles = read_roles(session, snapshots).await?;
    Ok(Registry::new(outlets.into_values().collect(), store_rows).with_roles(roles))
}

/// The roles that parameters of working conditions have in the store.
async fn read_roles(
    session: &dyn Session,
    snapshots: &Arc<Snapshots>,
) -> Result<BTreeMap<String, ConditionRole>> {
    let mut roles = BTreeMap::new();
    for batch in read_all(session, snapshots, table_named(CONDITION_PARAMS)?, None).await? {
        let rows = Rows { batch: &batch };
        let told = |row| Some((rows.text("param", row)?.to_owned(), rows.text("role", row)?.parse().ok()?));
        roles.extend((0..batch.num_rows()).filter_map(told));
    }
    Ok(roles)
}

/// Every row of a table, with the columns named or all of them.
pub(super) async fn read_all(
    session: &dyn Session,
    snapshots: &Arc<Snapshots>,
    table: &'static Table,
    columns: Option<&[&str]>,
) -> Result<Vec<RecordBatch>> {
    let provider: Arc<dyn TableProvider> = Arc::new(StoreTable::new(table, Arc::clone(snapshots)));
    let schema = table.arrow_schema();
    let projection = columns.map(|names| names.iter().map(|name| schema.index_of(name)).collect());
    let projection = projection.transpose()?;
    let plan = LogicalPlanBuilder::scan(table.name, provider_as_source(provider), projection)?.build()?;
    let plan = session.create_physical_plan(&plan).await?;
    collect(plan, session.task_ctx()).await
}

/// Rows of a registry table.
pub(super) struct Rows<'a> {
    pub(super) batch: &'a RecordBatch,
}

impl Rows<'_> {
    pub(super) fn text(&self, name: &str, row: usize) -> Option<&str> {
        let column = self.batch.column_by_name(name)?.as_string_view_opt()?;
        column.is_valid(row).then(|| column.value(row))
    }

    pub(super) fn float(&self, name: &str, row: usize) -> Option<f64> {
        let column = self.batch.column_by_name(name)?.as_primitive_opt::<Float64Type>()?;
        column.is_valid(row).then(|| column.value(row))
    }

    pub(super) fn ts(&self, name: &str, row: usize) -> Option<i64> {
        let column = self.batch.column_by_name(name)?.as_primitive_opt::<TimestampMicrosecondType>()?;
        column.is_valid(row).then(|| column.value(row))
    }

    pub(super) fn span(&self, start: &str, end: &str, row: usize) -> Span {
        span(self.ts(start, row), self.ts(end, row))
    }

    fn outlet(&self, row: usize, changes: &HashMap<String, Vec<Span>>, facts: &mut OutletFacts) {
        let in_force = self.span("since", "until", row);
        let of_enterprise = self.text("enterprise_id", row).and_then(|id| changes.get(id));
        for span in of_enterprise.into_iter().flatten().chain([&in_force]) {
            let hours = hours_within(span);
            facts.handovers.extend([hours.start, hours.end]);
        }
        if let Some(reference) = self.float("o2_reference", row) {
            facts.o2_reference.push((in_force.clone(), reference));
        }
        let flow_state = self.text("flow_kind", row).map(GasState::parse);
        if let Some(state) = flow_state.filter(|state| *state != GasState::DryStandard) {
            facts.flow_states.push((in_force.clone(), state));
        }
        if let Some(ambient_kpa) = self.float("ambient_kpa", row) {
            facts.ambient_kpa.push((in_force.clone(), ambient_kpa));
        }
        if let Some(area_m2) = self.float("duct_area", row).filter(|area| *area > 0.0) {
            // Without a coefficient the meter's velocity is the section's.
            let kv = self.float("kv", row).unwrap_or(1.0);
            facts.ducts.push((in_force.clone(), Duct { area_m2, kv }));
        }
        facts.registered.push(in_force);
    }

    fn monitor(&self, row: usize, facts: &mut OutletFacts) {
        let Some(factor) = self.text("factor", row) else { return };
        facts.monitors.push(MonitorFacts {
            factor: factor.to_owned(),
            span: self.span("since", "until", row),
            minute_interval_s: self.float("minute_interval_s", row),
            setting: self.setting(row),
            state: self.text("state", row).map(GasState::parse).unwrap_or_default(),
            range_high: self.float("range_high", row),
            detection_limit: self.float("detection_limit", row),
            limits: self.limits(row),
        });
    }

    fn limits(&self, row: usize) -> Limits {
        Limits {
            hour: self.float("limit_hour", row),
            day: self.float("limit_day", row),
            low: self.float("limit_low", row),
            decimals: self.float("limit_decimals", row),
            basis: self.text("limit_basis", row).map(Basis::parse),
            standard: self.text("standard", row).map(str::to_owned),
        }
    }

    fn setting(&self, row: usize) -> MonitorSetting {
        let low = self.float("range_low", row).unwrap_or_default();
        let method = self.text("method", row).unwrap_or_default();
        MonitorSetting {
            full_scale: self.float("range_high", row).map(|high| high - low),
            calibrates_itself: self.flag("auto_calibration", row) == Some(true),
            measures_directly: method.contains("直接") || method.to_lowercase().contains("direct"),
        }
    }

    fn check(&self, mn: &str, row: usize, checks: &mut BTreeMap<(String, String), Vec<Check>>) {
        let (Some(factor), Some(ts)) = (self.text("factor", row), self.ts("ts", row)) else { return };
        let kind = Medium::of(factor).zip(self.text("kind", row));
        checks.entry((mn.to_owned(), factor.to_owned())).or_default().push(Check {
            ts,
            kind: kind.and_then(|(medium, name)| CheckKind::parse(name, medium)),
            expected: self.float("expected", row),
            measured: self.float("measured", row),
            unit: self.text("unit", row).map(str::to_owned),
            passed: self.flag("passed", row),
        });
    }

    /// Rows come by factor and time, so that the samples of a day follow one another.
    fn sample(&self, row: usize, facts: &mut OutletFacts) {
        let (Some(factor), Some(ts)) = (self.text("factor", row), self.ts("ts", row)) else { return };
        let Some(value) = self.float("value", row) else { return };
        if facts.samples.last().is_none_or(|(last, _)| last != factor) {
            facts.samples.push((factor.to_owned(), Vec::new()));
        }
        let Some((_, days)) = facts.samples.last_mut() else { return };
        let day = day_of(ts);
        if days.last().is_none_or(|last| last.day != day) {
            days.push(DaySamples { day, ..DaySamples::default() });
        }
        let Some(samples) = days.last_mut() else { return };
        samples.add(value, self.float("flow", row), self.text("kind", row) == Some("reference"));
    }

    fn flag(&self, name: &str, row: usize) -> Option<bool> {
        let column = self.batch.column_by_name(name)?.as_boolean_opt()?;
        column.is_valid(row).then(|| column.value(row))
    }

    fn stoppage(&self, row: usize, facts: &mut OutletFacts) {
        let span = self.span("started", "ended", row);
        match self.text("kind", row) {
            Some("production") => facts.production_stops.push(span),
            Some("facility") => {
                if self.flag("approved", row) == Some(true) {
                    facts.approved_stops.push(span.clone());
                }
                facts.facility_stops.push(span);
            }
            _ => {}
        }
    }
}
