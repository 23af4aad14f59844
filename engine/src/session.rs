//! One session: the catalog, the functions and the limits of whoever asks.

mod builtin;
mod facts;
mod frames;
pub mod options;
mod parameters;
mod pattern_facts;
pub mod period;
mod qc_passed;
mod rule_number;
mod rule_table;
mod rule_word;
mod sql_function;

use std::sync::Arc;

use datafusion::catalog::{CatalogProvider, MemoryCatalogProvider, MemorySchemaProvider, SchemaProvider};
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::logical_expr::ScalarUDF;
use datafusion::prelude::{DataFrame, SQLOptions, SessionConfig, SessionContext};
use plume_datasets::schema::TABLES;
use plume_udfs::frame::functions::frame_functions;
use plume_udfs::frame::source::{FrameSource, FrameTable};
use plume_udfs::registry::{aggregate_functions, scalar_functions};
use tokio::sync::Mutex;
use url::Url;

use crate::Result;
use crate::store::Store;
use crate::store::table::{STORE_URL, Snapshots, StoreTable};
use frames::StoreFrames;
use options::{PlumeOptions, chosen_rules, rulebook};
use qc_passed::QcPassed;
use rule_number::RuleNumber;
use rule_word::RuleWord;
use sql_function::{PlannedApart, SqlFunction};

/// The catalog that holds everything.
const CATALOG: &str = "plume";
/// The schema of tables and views.
const SCHEMA: &str = "public";
/// The schema of what views are made of.
const FRAME_SCHEMA: &str = "frame";

/// The limits of a session.
#[derive(Debug, Clone)]
pub struct SessionLimits {
    /// Threads of a query.
    pub threads: usize,
    /// Bytes of memory that queries may reserve.
    pub memory_bytes: usize,
}

impl Default for SessionLimits {
    fn default() -> Self {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        Self { threads, memory_bytes: 4 << 30 }
    }
}

/// A session over a store.
pub struct Session {
    context: SessionContext,
    snapshots: Arc<Snapshots>,
    /// The choice of rules that the aggregates were registered with.
    rules_of_aggregates: Mutex<String>,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("store", self.snapshots.store()).finish_non_exhaustive()
    }
}

impl Session {
    /// A session over a store, with options.
    pub async fn new(store: Store, options: PlumeOptions, limits: &SessionLimits) -> Result<Self> {
        let snapshots = Arc::new(Snapshots::new(store));
        let context = context(options, limits)?;
        let url = Url::parse(STORE_URL).map_err(|error| crate::Error::Usage(error.to_string()))?;
        context.register_object_store(&url, Arc::clone(snapshots.store().location().object_store()));
        register_functions(&context)?;
        register_tables(&context, &snapshots)?;
        register_views(&context).await?;
        let rules_of_aggregates = Mutex::new(chosen_rules(context.copied_config().options()));
        Ok(Self { context, snapshots, rules_of_aggregates })
    }

    /// The DataFusion context.
    pub fn context(&self) -> &SessionContext {
        &self.context
    }

    /// The snapshots that the session reads.
    pub fn snapshots(&self) -> &Arc<Snapshots> {
        &self.snapshots
    }

    /// Plans a statement over the store as it is now. Only queries and `SET` run.
    pub async fn sql(&self, statement: &str) -> Result<DataFrame> {
        self.snapshots.refresh().await;
        self.follow_rules().await?;
        let queries_only = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false);
        Ok(self.context.sql_with_options(statement, queries_only).await?)
    }

    /// Gives the aggregates the numbers of the rules that the session chose since. Unlike other
    /// functions they are not told the session's options when they run.
    async fn follow_rules(&self) -> Result<()> {
        let config = self.context.copied_config();
        let chosen = chosen_rules(config.options());
        let mut known = self.rules_of_aggregates.lock().await;
        if *known != chosen {
            register_aggregates(&self.context)?;
            *known = chosen;
        }
        Ok(())
    }
}

/// Rows of a batch: twice DataFusion's, which frames of whole series take about 5 % faster.
const BATCH_ROWS: usize = 1 << 14;

fn context(options: PlumeOptions, limits: &SessionLimits) -> Result<SessionContext> {
    let runtime = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(FairSpillPool::new(limits.memory_bytes)))
        .build_arc()?;
    let mut config = SessionConfig::new()
        .with_target_partitions(limits.threads)
        .with_batch_size(BATCH_ROWS)
        .with_information_schema(true)
        .with_default_catalog_and_schema(CATALOG, SCHEMA)
        .with_create_default_catalog_and_schema(false)
        .with_option_extension(options);
    // A GROUP BY that starts with mn then runs in one pass over sorted ranges.
    config.options_mut().optimizer.subset_repartition_threshold = 1;
    // coalesce(x, false) is never NULL to the logical planner; the CASE it becomes may be, to the physical one, and
    // an aggregate over it would fail for that difference alone.
    config.options_mut().execution.skip_physical_aggregate_schema_check = true;
    let state = SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(runtime)
        .with_default_features()
        .build();
    Ok(SessionContext::new_with_state(state))
}

fn register_functions(context: &SessionContext) -> Result<()> {
    scalar_functions().into_iter().for_each(|function| context.register_udf(function));
    context.register_udf(ScalarUDF::from(QcPassed::new()));
    context.register_udf(ScalarUDF::from(RuleNumber::new()));
    context.register_udf(ScalarUDF::from(RuleWord::new()));
    register_aggregates(context)
}

fn register_aggregates(context: &SessionContext) -> Result<()> {
    let rules = Arc::new(rulebook(context.copied_config().options())?);
    aggregate_functions(&rules).into_iter().for_each(|function| context.register_udaf(function));
    Ok(())
}

fn register_tables(context: &SessionContext, snapshots: &Arc<Snapshots>) -> Result<()> {
    let public = MemorySchemaProvider::new();
    for (name, table) in builtin::tables()? {
        public.register_table(name.to_owned(), table)?;
    }
    for table in TABLES {
        public
            .register_table(table.name.to_owned(), Arc::new(StoreTable::new(table, Arc::clone(snapshots))))?;
    }
    let source: Arc<dyn FrameSource> = Arc::new(StoreFrames::new(Arc::clone(snapshots)));
    let frame = MemorySchemaProvider::new();
    let views: [(&str, FrameTable); 3] = [
        ("hourly_valid", FrameTable::hourly_valid(Arc::clone(&source))),
        ("daily_valid", FrameTable::daily_valid(Arc::clone(&source))),
        ("monthly_valid", FrameTable::monthly_valid(Arc::clone(&source))),
    ];
    for (name, table) in views {
        frame.register_table(name.to_owned(), Arc::new(table))?;
    }
    for (name, function) in frame_functions(&source) {
        context.register_udtf(name, function);
    }
    for function in plume_sql::table_functions().iter().filter(|function| function.is_query()) {
        context.register_udtf(function.name, Arc::new(SqlFunction::new(function)));
    }
    let catalog = MemoryCatalogProvider::new();
    catalog.register_schema(SCHEMA, Arc::new(public))?;
    catalog.register_schema(FRAME_SCHEMA, Arc::new(frame))?;
    context.register_catalog(CATALOG, Arc::new(catalog));
    Ok(())
}

async fn register_views(context: &SessionContext) -> Result<()> {
    for view in plume_sql::views() {
        if view.sql.contains("FROM frame.") {
            // The rows of a frame: what asks them tells the frame which series and columns it needs.
            context.sql(&format!("CREATE VIEW {} AS {}", view.name, view.sql)).await?;
        } else {
            let state = context.state();
            let plan = state.create_logical_plan(view.sql).await?;
            context.register_table(view.name, Arc::new(PlannedApart::new(&state, plan)?))?;
        }
    }
    Ok(())
}
