//! The command line: words to checked options, options to calls, results to people.
//!
//! Output for people goes to standard output, diagnostics to standard error.
//! Exit status: 0 done, 1 failed with one `error:` line, 2 wrong usage.

mod demo;
mod export;
mod findings;
mod ingest;
mod output;
mod prompt;
mod verify;

use std::fmt::Display;
use std::io::{IsTerminal, Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use chrono::{Duration, Utc};
use clap::{Args, Parser, Subcommand, ValueEnum};
use plume_datasets::province::{Interval, ProvinceRequest};

use crate::export::{ExportFormat, Kind};
use crate::ingest::Format;
use crate::session::options::{PlumeOptions, parse_time, read_edition};
use crate::session::period::Period;
use crate::session::{Session, SessionLimits};
use crate::store::{Store, compact, upkeep};
use crate::{Error, Result};
use output::OutputFormat;

/// Hours for which files without a commit are kept: a running ingest writes them first.
const VACUUM_HOURS: i64 = 24;

/// Analytics for pollution-source monitoring: valid months, emission totals, in SQL.
#[derive(Debug, Parser)]
#[command(name = "plume", version, propagate_version = true, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a small synthetic province, land it, print monthly validity and totals
    Demo {
        /// Keep the store here; without it a folder that is removed afterwards
        #[arg(long)]
        store: Option<String>,
    },
    /// Write a synthetic province as Parquet, the same for the same seed
    Generate(GenerateArgs),
    /// Land files in a table
    Ingest(IngestArgs),
    /// Run SQL; a prompt on a terminal
    Sql(SqlArgs),
    /// Write figures that leave the house, beside a manifest that proves them
    Export(ExportArgs),
    /// Compute an export again as of then and tell what differs
    Verify(VerifyArgs),
    /// Signs of tampering: list them, show one, dismiss one that was explained
    #[command(subcommand)]
    Findings(findings::FindingsCommand),
    /// Merge files, keep the order, move superseded versions out
    Compact(StoreArgs),
    /// Drop files that no commit refers to
    Vacuum(StoreArgs),
    /// Read every file and tell what is wrong
    Check(StoreArgs),
    /// Print the data dictionary (数据字典)
    Dictionary {
        /// Its format
        #[arg(long, value_enum, default_value = "md")]
        format: DictionaryFormat,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum DictionaryFormat {
    Md,
    Csv,
}

#[derive(Debug, Args)]
struct StoreArgs {
    /// A directory, file://, s3://bucket/prefix or memory://
    #[arg(long)]
    store: String,
}

#[derive(Debug, Args)]
struct GenerateArgs {
    /// Outlets
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    outlets: u32,
    /// First day
    #[arg(long)]
    from: String,
    /// Day after the last
    #[arg(long)]
    to: String,
    /// The same seed gives the same bytes
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Folder for a file a table, truth.csv and innocent.csv
    #[arg(long)]
    out: PathBuf,
    /// Hourly or minute data
    #[arg(long, value_enum, default_value = "hour")]
    interval: IntervalArg,
    /// Plant no fraud patterns
    #[arg(long)]
    clean: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum IntervalArg {
    Hour,
    Minute,
}

#[derive(Debug, Args)]
struct IngestArgs {
    /// The store; made if it isn't there
    #[arg(long)]
    store: String,
    /// The table, like hourly
    #[arg(long)]
    table: String,
    /// The files' format; by their ending where absent
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// A map file: names, units, time formats, wide tables
    #[arg(long)]
    map: Option<PathBuf>,
    /// One rejected row or unknown column keeps everything out
    #[arg(long)]
    strict: bool,
    /// The files
    #[arg(required = true)]
    paths: Vec<PathBuf>,
}

#[derive(Debug, Args)]
struct SqlArgs {
    /// A directory, file://, s3://bucket/prefix or memory://
    #[arg(long)]
    store: String,
    /// The statement
    #[arg(short = 'c', long = "command", conflicts_with = "file")]
    command: Option<String>,
    /// A file of statements
    #[arg(short = 'f', long)]
    file: Option<PathBuf>,
    /// How results are written; by the ending of the file, where absent, else as a table
    #[arg(long, value_enum)]
    format: Option<OutputFormat>,
    /// A file for the result
    #[arg(short = 'o', long)]
    output: Option<PathBuf>,
    /// See the store as it was known then
    #[arg(long, value_name = "TIME", value_parser = time)]
    as_of: Option<String>,
    /// Rule set and options, NAME[,key=value…]
    #[arg(long)]
    rules: Option<String>,
    /// An edition of the rules beside the built-in ones; may come again
    #[arg(long = "rules-file", value_name = "FILE")]
    rule_files: Vec<PathBuf>,
}

#[derive(Debug, Args)]
struct ExportArgs {
    /// What is exported
    #[arg(value_enum)]
    kind: Kind,
    /// A directory, file://, s3://bucket/prefix or memory://
    #[arg(long)]
    store: String,
    /// 2026, 2026Q1 or 2026-01; for disclosure also 2026-W05 or 2026-01-31
    #[arg(long, value_parser = period)]
    period: String,
    /// The format of the files
    #[arg(long, value_enum)]
    format: ExportFormat,
    /// Folder for the files and manifest.json; new, empty or that of the same export
    #[arg(long)]
    out: PathBuf,
    /// Rule set and options, NAME[,key=value…]
    #[arg(long)]
    rules: Option<String>,
    /// An edition of the rules beside the built-in ones; may come again
    #[arg(long = "rules-file", value_name = "FILE")]
    rule_files: Vec<PathBuf>,
}

#[derive(Debug, Args)]
struct VerifyArgs {
    /// The manifest.json beside the files
    manifest: PathBuf,
    /// The store the export was made from
    #[arg(long)]
    store: String,
}

/// A period of the command line.
fn period(text: &str) -> Result<String> {
    Period::parse(text)?;
    Ok(text.to_owned())
}

/// A time of the command line. Unlike the session's option it can't be empty: an
/// empty `--as-of` is a variable that wasn't set, and not now.
fn time(text: &str) -> Result<String> {
    parse_time(text)?;
    Ok(text.to_owned())
}

impl Cli {
    /// What clap can't check argument by argument.
    fn checked(mut self) -> Result<Self, clap::Error> {
        if let Command::Sql(args) = &mut self.command
            && args.format.is_none()
            && let Some(path) = &args.output
        {
            args.format = Some(OutputFormat::of_path(path).ok_or_else(|| {
                let message = format!(
                    "the ending of {} tells no format; end it with .csv, .json, .parquet or .arrow, or add --format\n",
                    path.display()
                );
                clap::Error::raw(clap::error::ErrorKind::ValueValidation, message)
            })?);
        }
        Ok(self)
    }
}

impl SqlArgs {
    /// Whether statements are typed: none are given, and a terminal waits.
    fn is_prompt(&self) -> bool {
        self.command.is_none() && self.file.is_none() && std::io::stdin().is_terminal()
    }
}

/// Tells a person something; where nobody can be told, there is nothing to be done.
fn say(message: impl Display) {
    let _ = writeln!(std::io::stderr(), "{message}");
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse().and_then(Cli::checked) {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    let filter = tracing_subscriber::EnvFilter::try_from_env("PLUME_LOG").unwrap_or_else(|_| "off".into());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    match run(cli.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Error::Io(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            say(format_args!("error: {}", error.to_string().replace('\n', " ")));
            ExitCode::from(1)
        }
    }
}

fn run(command: Command) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let done = runtime.block_on(dispatch(command));
    runtime.shutdown_background();
    done
}

/// What the work gives, or `None` where Ctrl-C came first, and the work was dropped.
async fn unless_interrupted<T>(work: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        done = work => Some(done),
        _ = tokio::signal::ctrl_c() => None,
    }
}

/// Work that ends with an error at Ctrl-C.
async fn stoppable<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    unless_interrupted(work).await.unwrap_or_else(|| {
        Err(Error::Usage("stopped by Ctrl-C; what was committed stays, the rest is not there".to_owned()))
    })
}

impl Command {
    /// The store it is about.
    fn store(&self) -> Option<&str> {
        match self {
            Self::Demo { store } => store.as_deref(),
            Self::Ingest(args) => Some(&args.store),
            Self::Sql(args) => Some(&args.store),
            Self::Export(args) => Some(&args.store),
            Self::Verify(args) => Some(&args.store),
            Self::Findings(command) => Some(command.store()),
            Self::Compact(args) | Self::Vacuum(args) | Self::Check(args) => Some(&args.store),
            Self::Generate(_) | Self::Dictionary { .. } => None,
        }
    }
}

async fn dispatch(command: Command) -> Result<()> {
    let store = command.store().map(str::to_owned);
    let done = match command {
        Command::Sql(args) if args.is_prompt() => run_prompt(&args).await,
        command => stoppable(run_command(command)).await,
    };
    done.map_err(|error| match store {
        Some(store) => error.in_store(&store),
        None => error,
    })
}

async fn run_command(command: Command) -> Result<()> {
    match command {
        Command::Demo { store } => demo::run(store.as_deref()).await,
        Command::Generate(args) => generate(&args),
        Command::Ingest(args) => ingest::run(args).await,
        Command::Sql(args) => sql(args).await,
        Command::Export(args) => export::run(args).await,
        Command::Verify(args) => verify::run(args).await,
        Command::Findings(command) => Box::pin(findings::run(command)).await,
        Command::Compact(args) => run_compact(&args.store).await,
        Command::Vacuum(args) => run_vacuum(&args.store).await,
        Command::Check(args) => run_check(&args.store).await,
        Command::Dictionary { format } => dictionary(format).await,
    }
}

/// Needs no store: the types are those of a session over an empty one.
async fn dictionary(format: DictionaryFormat) -> Result<()> {
    let empty = Store::at("memory://")?;
    let session = Session::new(empty, PlumeOptions::default(), &SessionLimits::default()).await?;
    let entries = plume_sql::entries(session.context()).await?;
    let text = match format {
        DictionaryFormat::Md => plume_sql::to_markdown(&entries),
        DictionaryFormat::Csv => plume_sql::to_csv(&entries),
    };
    Ok(std::io::stdout().write_all(text.as_bytes())?)
}

fn generate(args: &GenerateArgs) -> Result<()> {
    let request = ProvinceRequest {
        outlets: args.outlets,
        from: parse_time(&args.from)?,
        to: parse_time(&args.to)?,
        seed: args.seed,
        interval: match args.interval {
            IntervalArg::Hour => Interval::Hour,
            IntervalArg::Minute => Interval::Minute,
        },
        planted: !args.clean,
    };
    let written = crate::province_files::write(&request, &args.out)?;
    writeln!(std::io::stdout(), "{}", serde_json::json!({ "out": args.out, "rows": written }))?;
    Ok(())
}

/// A session over a store that exists.
async fn session(address: &str, options: PlumeOptions) -> Result<Session> {
    Session::new(Store::open(address).await?, options, &SessionLimits::default()).await
}

/// Options with the editions of rule-set files, and the files' texts.
fn editions(paths: &[PathBuf]) -> Result<(PlumeOptions, Vec<String>)> {
    let mut options = PlumeOptions::default();
    let texts = paths.iter().map(|path| read_edition(path, &mut options)).collect::<Result<_>>()?;
    Ok((options, texts))
}

/// The session that `plume sql` asks for.
async fn sql_session(args: &SqlArgs) -> Result<Session> {
    let (mut options, _) = editions(&args.rule_files)?;
    let set = |options: &mut PlumeOptions, key: &str, value: Option<&String>| -> Result<()> {
        use datafusion::common::config::ExtensionOptions;
        value.map_or(Ok(()), |value| Ok(options.set(key, value)?))
    };
    set(&mut options, "as_of", args.as_of.as_ref())?;
    set(&mut options, "rules", args.rules.as_ref())?;
    session(&args.store, options).await
}

/// Once the prompt runs, Ctrl-C stops a query and not the program.
async fn run_prompt(args: &SqlArgs) -> Result<()> {
    let session = stoppable(sql_session(args)).await?;
    prompt::run(&session, args.format.unwrap_or_default()).await
}

async fn sql(args: SqlArgs) -> Result<()> {
    let session = sql_session(&args).await?;
    let text = match (&args.command, &args.file) {
        (Some(command), _) => command.clone(),
        (None, Some(file)) => std::fs::read_to_string(file)
            .map_err(|error| Error::Input { path: file.display().to_string(), reason: error.to_string() })?,
        (None, None) => {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text)?;
            text
        }
    };
    for statement in prompt::statements(&text) {
        let frame = session.sql(&statement).await?;
        output::write(frame, args.format.unwrap_or_default(), args.output.as_deref()).await?;
    }
    Ok(())
}

async fn run_compact(address: &str) -> Result<()> {
    let session = session(address, PlumeOptions::default()).await?;
    let progress = |table: &str, partition: &str| say(format_args!("{table} {partition}"));
    let compacted = compact::compact(session.snapshots().store(), session.context(), &progress).await?;
    writeln!(std::io::stdout(), "{}", serde_json::json!(compacted))?;
    Ok(())
}

async fn run_vacuum(address: &str) -> Result<()> {
    let store = Store::open(address).await?;
    let vacuumed = upkeep::vacuum(&store, Utc::now() - Duration::hours(VACUUM_HOURS)).await?;
    writeln!(std::io::stdout(), "{}", serde_json::json!(vacuumed))?;
    Ok(())
}

async fn run_check(address: &str) -> Result<()> {
    let store = Store::open(address).await?;
    let checked = upkeep::check(&store, &|table| say(table)).await?;
    checked.problems.iter().for_each(say);
    writeln!(std::io::stdout(), "{}", serde_json::json!(checked))?;
    if checked.problems.is_empty() { Ok(()) } else { Err(Error::Unsound(checked.problems.len())) }
}
