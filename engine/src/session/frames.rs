//! Gives the frame operator what it reads: sorted plans over the store, all cut
//! at the same outlets, and the registry.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::Expr;
use datafusion::prelude::{col, lit};
use plume_datasets::schema::Table;
use plume_udfs::frame::asked::FactorUsage;
use plume_udfs::frame::exec::FrameInput;
use plume_udfs::frame::facts::Registry;
use plume_udfs::frame::outlet::SeriesTable;
use plume_udfs::frame::source::{FramePlan, FrameRequest, FrameSource};
use plume_udfs::time::{HOUR_US, hour_of};
use plume_udfs::validity::Rulebook;
use tokio::sync::Mutex;

use super::facts::{self, read_registry};
use super::options::{as_of, rulebook};
use crate::store::scan::{ScanFile, split_points};
use crate::store::series_scan::SeriesFilter;
use crate::store::table::{Snapshots, StoreTable};
use crate::store::table_named;

/// Reads frames from the store of a session.
#[derive(Debug)]
pub(super) struct StoreFrames {
    snapshots: Arc<Snapshots>,
    registry: Mutex<Option<(RegistryState, Arc<Registry>)>>,
}

/// What a registry was read from: versions of its tables, as-of time, horizon.
type RegistryState = (Vec<Option<u64>>, Option<i64>, i64);

impl StoreFrames {
    /// Reads frames through a session's snapshots.
    pub(super) fn new(snapshots: Arc<Snapshots>) -> Self {
        Self { snapshots, registry: Mutex::default() }
    }

    /// The registry, read again only when one of its tables changed.
    async fn registry(&self, session: &dyn Session) -> Result<Arc<Registry>> {
        let store = self.snapshots.store();
        let mut versions = Vec::new();
        for name in facts::TABLES {
            versions.push(self.snapshots.of(&store.log(table_named(name)?)?).await?.version());
        }
        let state = (versions, as_of(session.config_options())?, self.horizon().await?);
        let mut known = self.registry.lock().await;
        if let Some((known_state, registry)) = known.as_ref()
            && *known_state == state
        {
            return Ok(Arc::clone(registry));
        }
        let registry = Arc::new(read_registry(session, &self.snapshots, state.2).await?);
        *known = Some((state, Arc::clone(&registry)));
        Ok(registry)
    }

    /// The last hour with any hourly or minute row, plus one.
    async fn horizon(&self) -> Result<i64> {
        let mut horizon = i64::MIN;
        for series in [SeriesTable::Hourly, SeriesTable::Minute] {
            for file in self.snapshots.files(table_named(series.name())?, false).await? {
                if let Some((_, last)) = file.file.ts_range("ts") {
                    horizon = horizon.max(hour_of(last) + 1);
                }
            }
        }
        Ok(horizon)
    }
}

#[async_trait]
impl FrameSource for StoreFrames {
    async fn plan(&self, session: &dyn Session, request: FrameRequest<'_>) -> Result<FramePlan> {
        let registry = self.registry(session).await?;
        let mut filters = request.filters.to_vec();
        // The due hours of an outlet nobody registered reach from its first row to
        // its last, so where none is registered every file is read.
        if registry.outlets().iter().any(|outlet| !outlet.registered.is_empty()) {
            filters.extend(time_filters(&request));
        }
        let mut tables = Vec::new();
        let mut all_files = Vec::new();
        for (series, columns) in request.tables {
            let table = StoreTable::new(table_named(series.name())?, Arc::clone(&self.snapshots));
            let files = table.pruned_files(session, &filters).await?;
            all_files.extend(files.iter().cloned());
            tables.push((series, columns, table, files));
        }
        let by_outlet = table_named(SeriesTable::Hourly.name())?;
        let split_points = split_points(by_outlet, &all_files, session.config().target_partitions());
        let mut filter =
            SeriesFilter { usage: FactorUsage::new(request.asked), registry: Arc::clone(&registry) };
        let mut inputs = Vec::new();
        for (series, columns, table, files) in tables {
            let projection = projection(table.table(), &columns, &files);
            let plans = table
                .series_plans(session, files, &projection, &split_points, request.filters, &mut filter)
                .await?;
            inputs.extend(plans.into_iter().map(|plan| FrameInput { table: series, plan }));
        }
        Ok(FramePlan { inputs, split_points, registry })
    }

    fn rulebook(&self, session: &dyn Session) -> Result<Rulebook> {
        Ok(rulebook(session.config_options())?)
    }
}

/// Filters that prune files to the hours asked for.
fn time_filters(request: &FrameRequest<'_>) -> Vec<Expr> {
    let ts = |hour: i64| lit(ScalarValue::TimestampMicrosecond(Some(hour.saturating_mul(HOUR_US)), None));
    let mut filters = Vec::new();
    if request.hours.start != i64::MIN {
        // A reported day starts up to 23 hours before the hours it stands for.
        filters.push(col("ts").gt_eq(ts(request.hours.start - 23)));
    }
    if request.hours.end != i64::MAX {
        filters.push(col("ts").lt(ts(request.hours.end)));
    }
    filters
}

/// Positions of the key columns and of those asked for that hold anything; value and flag are always read.
fn projection(table: &Table, columns: &[&str], files: &[ScanFile]) -> Vec<usize> {
    let holds_any = |name: &str| files.iter().any(|file| file.file.all_null.iter().all(|c| c != name));
    let is_read = |name: &&&str| matches!(**name, "value" | "flag") || holds_any(name);
    let schema = table.arrow_schema();
    let wanted = table.key.iter().chain(columns.iter().filter(is_read));
    wanted.filter_map(|name| schema.index_of(name).ok()).collect()
}
