//! Reads the registry: what is known of the outlets.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Float64Type, TimestampMicrosecondType};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Result;
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::LogicalPlanBuilder;
use datafusion::physical_plan::collect;
use plume_datasets::schema::Table;
use plume_udfs::frame::facts::{MonitorFacts, OutletFacts, Registry, Span, span};

use crate::store::table::{Snapshots, StoreTable};
use crate::store::table_named;

/// The tables that the registry is read from.
pub(super) const TABLES: [&str; 3] = ["outlets", "monitors", "stoppages"];

/// Reads the registry as the session sees it.
pub(super) async fn read_registry(
    session: &dyn Session,
    snapshots: &Arc<Snapshots>,
    horizon: i64,
) -> Result<Registry> {
    let mut outlets: HashMap<String, OutletFacts> = HashMap::new();
    for name in TABLES {
        let table = table_named(name)?;
        for batch in read_all(session, snapshots, table).await? {
            let rows = Rows { batch: &batch };
            for row in 0..batch.num_rows() {
                let Some(mn) = rows.text("mn", row) else { continue };
                let facts = outlets
                    .entry(mn.to_owned())
                    .or_insert_with(|| OutletFacts { mn: mn.to_owned(), ..OutletFacts::default() });
                match name {
                    "outlets" => rows.outlet(row, facts),
                    "monitors" => rows.monitor(row, facts),
                    _ => rows.stoppage(row, facts),
                }
            }
        }
    }
    Ok(Registry::new(outlets.into_values().collect(), horizon))
}

async fn read_all(
    session: &dyn Session,
    snapshots: &Arc<Snapshots>,
    table: &'static Table,
) -> Result<Vec<RecordBatch>> {
    let provider: Arc<dyn TableProvider> = Arc::new(StoreTable::new(table, Arc::clone(snapshots)));
    let plan = LogicalPlanBuilder::scan(table.name, provider_as_source(provider), None)?.build()?;
    let plan = session.create_physical_plan(&plan).await?;
    collect(plan, session.task_ctx()).await
}

/// Rows of a registry table.
struct Rows<'a> {
    batch: &'a RecordBatch,
}

impl Rows<'_> {
    fn text(&self, name: &str, row: usize) -> Option<&str> {
        let column = self.batch.column_by_name(name)?.as_string_view_opt()?;
        column.is_valid(row).then(|| column.value(row))
    }

    fn float(&self, name: &str, row: usize) -> Option<f64> {
        let column = self.batch.column_by_name(name)?.as_primitive_opt::<Float64Type>()?;
        column.is_valid(row).then(|| column.value(row))
    }

    fn ts(&self, name: &str, row: usize) -> Option<i64> {
        let column = self.batch.column_by_name(name)?.as_primitive_opt::<TimestampMicrosecondType>()?;
        column.is_valid(row).then(|| column.value(row))
    }

    fn span(&self, start: &str, end: &str, row: usize) -> Span {
        span(self.ts(start, row), self.ts(end, row))
    }

    fn outlet(&self, row: usize, facts: &mut OutletFacts) {
        let in_force = self.span("since", "until", row);
        if let Some(reference) = self.float("o2_reference", row) {
            facts.o2_reference.push((in_force.clone(), reference));
        }
        facts.registered.push(in_force);
    }

    fn monitor(&self, row: usize, facts: &mut OutletFacts) {
        let Some(factor) = self.text("factor", row) else { return };
        facts.monitors.push(MonitorFacts {
            factor: factor.to_owned(),
            span: self.span("since", "until", row),
            minute_interval_s: self.float("minute_interval_s", row),
        });
    }

    fn stoppage(&self, row: usize, facts: &mut OutletFacts) {
        let span = self.span("started", "ended", row);
        match self.text("kind", row) {
            Some("production") => facts.production_stops.push(span),
            Some("facility") => facts.facility_stops.push(span),
            _ => {}
        }
    }
}
