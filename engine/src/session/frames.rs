//! Gives the frame operator what it reads: sorted plans over the store, all cut
//! at the same outlets, and the registry.

use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::common::Result;
use plume_datasets::schema::Table;
use plume_udfs::frame::asked::FactorUsage;
use plume_udfs::frame::exec::FrameInput;
use plume_udfs::frame::facts::Registry;
use plume_udfs::frame::outlet::SeriesTable;
use plume_udfs::frame::source::{FramePlan, FrameRequest, FrameSource};
use plume_udfs::time::hour_of;
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
        let as_of = as_of(session.config_options())?;
        let horizon = match as_of {
            // What came later must not tell what was due.
            Some(_) => self.snapshots.extents(session).await?.horizon(),
            None => self.horizon().await?,
        };
        let state = (versions, as_of, horizon);
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
        let mut tables = Vec::new();
        let mut all_files = Vec::new();
        let mut reads_all = true;
        for (series, columns) in request.tables {
            let table = StoreTable::new(table_named(series.name())?, Arc::clone(&self.snapshots));
            let mut files = table.pruned_files(session, request.filters).await?;
            let before = files.len();
            files.retain(|file| reaches_into(series, file, &request.hours));
            reads_all &= files.len() == before;
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
        let extents = if reads_all { Arc::default() } else { self.snapshots.extents(session).await? };
        Ok(FramePlan { inputs, split_points, registry, extents })
    }

    fn rulebook(&self, session: &dyn Session) -> Result<Rulebook> {
        Ok(rulebook(session.config_options())?)
    }
}

/// Whether rows of a file stand for any of the hours.
fn reaches_into(series: SeriesTable, file: &ScanFile, hours: &Range<i64>) -> bool {
    let Some((first, last)) = file.file.ts_range("ts") else { return true };
    hour_of(last) + series.hours_of_row() > hours.start && hour_of(first) < hours.end
}

/// Positions of the key columns and of those asked for that hold anything; value and flag are always read.
fn projection(table: &Table, columns: &[&str], files: &[ScanFile]) -> Vec<usize> {
    let holds_any = |name: &str| files.iter().any(|file| file.file.all_null.iter().all(|c| c != name));
    let is_read = |name: &&&str| matches!(**name, "value" | "flag") || holds_any(name);
    let schema = table.arrow_schema();
    let wanted = table.key.iter().chain(columns.iter().filter(is_read));
    wanted.filter_map(|name| schema.index_of(name).ok()).collect()
}
