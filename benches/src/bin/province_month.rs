//! The peers' queries in plume and in plain DataFusion, for `peers/run.py`.
//!
//! One untimed run, then the timed ones; the last line of standard output is a
//! JSON object with the seconds of each run and the peak memory of the process.

use std::path::PathBuf;
use std::time::Instant;

use arrow::array::RecordBatch;
use clap::{Parser, ValueEnum};
use datafusion::prelude::{DataFrame, ParquetReadOptions, SessionConfig, SessionContext};
use futures::TryStreamExt;
use parquet::arrow::ArrowWriter;
use plume_engine::session::options::PlumeOptions;
use plume_engine::session::{Session, SessionLimits};
use plume_engine::store::Store;
use serde_json::json;

type Error = Box<dyn std::error::Error>;

/// One query on one engine.
#[derive(Debug, Parser)]
struct Cli {
    #[arg(long)]
    engine: Engine,
    #[arg(long)]
    query: Query,
    /// The store, for plume.
    #[arg(long, default_value = "")]
    store: String,
    /// The files, for DataFusion: a folder or a glob.
    #[arg(long, default_value = "")]
    files: String,
    #[arg(long, default_value_t = 2)]
    threads: usize,
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// Where the result is written as Parquet.
    #[arg(long)]
    result: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Engine {
    Plume,
    Datafusion,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Query {
    ValidMonths,
    Totals,
    FixedValues,
    /// Of the quarter 2026Q1; the store reaches back to 2025-10-01.
    EmissionsSubstituted,
    /// Every pattern that one outlet alone can show; `peers/run_patterns.py` asks the peers for five of them.
    PatternFindings,
    /// Every row of the columns that valid months read, decoded and dropped.
    ValidMonthsScan,
    /// The same for totals.
    TotalsScan,
    /// The same for fixed values.
    FixedValuesScan,
    /// The same for substituted emissions: the quarter and what lies before it.
    EmissionsSubstitutedScan,
    /// All patterns of tampering; the store reaches back to 2025-09-03, where their history begins.
    FraudFindings,
    /// The same for these, every table they read.
    FraudFindingsScan,
    /// Of the month and what it is compared with.
    ConditionCorrelation,
    /// The same for this.
    ConditionCorrelationScan,
}

impl Query {
    /// Whether the result is dropped as it comes: the bare scan.
    fn is_scan(self) -> bool {
        matches!(
            self,
            Self::ValidMonthsScan
                | Self::TotalsScan
                | Self::FixedValuesScan
                | Self::EmissionsSubstitutedScan
                | Self::FraudFindingsScan
                | Self::ConditionCorrelationScan
        )
    }

    fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// The statement; of a scan of several tables one a table, parted by semicolons.
    fn sql(self, engine: Engine) -> &'static str {
        match (self, engine) {
            (Self::FraudFindings, _) => "SELECT * FROM fraud_findings('2026-01-01', '2026-02-01')",
            (Self::FraudFindingsScan, _) => {
                "SELECT mn, factor, ts, value, flag, converted, value_min, value_max, total, received_at, sample_time
                 FROM hourly;
                 SELECT mn, factor, ts, value, flag, converted, value_min, value_max, total, received_at, sample_time
                 FROM minute;
                 SELECT mn, factor, ts, value, flag FROM daily;
                 SELECT mn, param, ts, value, flag FROM conditions;
                 SELECT mn, factor, ts, signal, reading, logged, phase FROM raw_signals;
                 SELECT mn, peer, received_at FROM packets"
            }
            (Self::ConditionCorrelation, _) => {
                "SELECT * FROM condition_correlation('2026-01-01', '2026-02-01')"
            }
            (Self::ConditionCorrelationScan, _) => {
                "SELECT mn, factor, ts, value, flag, total FROM hourly;
                 SELECT mn, param, ts, value, flag FROM conditions"
            }
            (Self::ValidMonthsScan | Self::FixedValuesScan, _) => {
                "SELECT mn, factor, ts, value, flag FROM hourly"
            }
            (Self::TotalsScan | Self::EmissionsSubstitutedScan, _) => {
                "SELECT mn, factor, ts, value, flag, total FROM hourly"
            }
            (Self::ValidMonths, Engine::Plume) => {
                "SELECT mn, factor, month, valid_days, partial_value AS mean, valid
                 FROM monthly_valid WHERE factor LIKE 'a%'"
            }
            (Self::Totals, Engine::Plume) => {
                "SELECT mn, factor, CAST(period AS DATE) AS month, measured_kg AS mass_kg, measured_hours
                 FROM emissions('2026-01-01', '2026-02-01', 'month')
                 WHERE factor IN ('a21026', 'a21002', 'a34013') AND measured_hours > 0"
            }
            (Self::FixedValues, Engine::Plume) => {
                "SELECT mn, factor, first_day, last_day, days, value
                 FROM fixed_values('2026-01-01', '2026-02-01', 3) WHERE factor LIKE 'a%'"
            }
            (Self::EmissionsSubstituted, Engine::Plume) => {
                "SELECT mn, factor, CAST(period AS DATE) AS month, mass_kg, measured_kg, substituted_kg,
                        measured_hours, substituted_hours, missing_hours, capture_rate, usable
                 FROM emissions('2026-01-01', '2026-04-01', 'month') WHERE factor LIKE 'a%'"
            }
            (Self::PatternFindings, _) => {
                "SELECT mn, factor, started, ended, pattern, evidence
                 FROM pattern_findings('2026-01-01', '2026-02-01')"
            }
            (Self::FixedValues, Engine::Datafusion) => {
                include_str!("../../peers/sql/fixed_values.sql")
            }
            (Self::EmissionsSubstituted, Engine::Datafusion) => {
                include_str!("../../peers/sql/emissions_substituted.sql")
            }
            (Self::ValidMonths, Engine::Datafusion) => {
                "SELECT mn, factor, date_trunc('month', day)::date AS month,
                        count(*) FILTER (WHERE hours >= 20) AS valid_days,
                        avg(mean) FILTER (WHERE hours >= 20) AS mean,
                        count(*) FILTER (WHERE hours >= 20)
                            >= CASE WHEN date_part('month', date_trunc('month', day)) = 2 THEN 23 ELSE 25 END AS valid
                 FROM (SELECT mn, factor, date_trunc('day', ts) AS day,
                              avg(value) FILTER (WHERE flag = 'N') AS mean,
                              count(value) FILTER (WHERE flag = 'N') AS hours
                       FROM hourly WHERE factor LIKE 'a%' GROUP BY mn, factor, date_trunc('day', ts))
                 GROUP BY mn, factor, date_trunc('month', day)"
            }
            (Self::Totals, Engine::Datafusion) => {
                "SELECT c.mn, c.factor, date_trunc('month', c.ts)::date AS month,
                        sum(greatest(c.value, 0) * coalesce(f.total, f.value * 3600) * 1e-6) AS mass_kg,
                        count(*) AS measured_hours
                 FROM hourly c JOIN hourly f ON f.mn = c.mn AND f.ts = c.ts
                 WHERE c.factor IN ('a21026', 'a21002', 'a34013') AND c.flag = 'N' AND c.value IS NOT NULL
                   AND f.factor = 'a00000' AND f.flag = 'N' AND f.value IS NOT NULL
                 GROUP BY c.mn, c.factor, date_trunc('month', c.ts)"
            }
        }
    }
}

/// What runs the query.
enum Runner {
    Plume(Box<Session>),
    Datafusion(SessionContext),
}

impl Runner {
    async fn new(cli: &Cli) -> Result<Self, Error> {
        if cli.engine == Engine::Plume {
            let limits = SessionLimits { threads: cli.threads, ..SessionLimits::default() };
            let session =
                Session::new(Store::open(&cli.store).await?, PlumeOptions::default(), &limits).await?;
            return Ok(Self::Plume(Box::new(session)));
        }
        let context =
            SessionContext::new_with_config(SessionConfig::new().with_target_partitions(cli.threads));
        context.register_parquet("hourly", &cli.files, ParquetReadOptions::default()).await?;
        Ok(Self::Datafusion(context))
    }

    async fn frame(&self, sql: &str) -> Result<DataFrame, Error> {
        Ok(match self {
            Self::Plume(session) => session.sql(sql).await?,
            Self::Datafusion(context) => context.sql(sql).await?,
        })
    }

    async fn run(&self, query: Query, sql: &str) -> Result<Vec<RecordBatch>, Error> {
        if !query.is_scan() {
            return Ok(self.frame(sql).await?.collect().await?);
        }
        for statement in sql.split(';') {
            let streams = self.frame(statement).await?.execute_stream_partitioned().await?;
            let drained = streams.into_iter().map(|stream| {
                tokio::spawn(stream.try_fold(0, |rows, batch| async move { Ok(rows + batch.num_rows()) }))
            });
            for rows in futures::future::try_join_all(drained).await? {
                rows?;
            }
        }
        Ok(Vec::new())
    }
}

/// Peak memory of this process, bytes.
fn peak_rss_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok().map(|kb| kb * 1024)
}

fn main() -> Result<(), Error> {
    let cli = Cli::parse();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(cli.threads).enable_all().build()?;
    runtime.block_on(run(cli))
}

async fn run(cli: Cli) -> Result<(), Error> {
    let runner = Runner::new(&cli).await?;
    let sql = cli.query.sql(cli.engine);
    let result = runner.run(cli.query, sql).await?;
    let mut seconds = Vec::new();
    for _ in 0..cli.runs {
        let begun = Instant::now();
        runner.run(cli.query, sql).await?;
        seconds.push(begun.elapsed().as_secs_f64());
    }
    if !cli.query.is_scan() {
        let first = result.first().ok_or("the query gave no rows; does the store hold its hours?")?;
        let mut writer = ArrowWriter::try_new(std::fs::File::create(&cli.result)?, first.schema(), None)?;
        result.iter().try_for_each(|batch| writer.write(batch))?;
        writer.close()?;
    }
    let (engine, version) = match cli.engine {
        Engine::Plume => ("plume", env!("CARGO_PKG_VERSION")),
        Engine::Datafusion => ("datafusion", datafusion::DATAFUSION_VERSION),
    };
    let query = cli.query.name();
    let rss = peak_rss_bytes();
    println!(
        "{}",
        json!({ "engine": engine, "query": query, "version": version, "seconds": seconds, "peak_rss_bytes": rss })
    );
    Ok(())
}
