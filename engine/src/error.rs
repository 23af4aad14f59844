//! What can go wrong, and the mend.

use datafusion::common::DataFusionError;
use thiserror::Error;

/// What can go wrong in the engine. Messages name the file, table, row or
/// setting and tell the mend.
#[derive(Debug, Error)]
pub enum Error {
    /// The store's address can't be read.
    #[error("store '{0}': {1}; give a directory, file://…, s3://bucket/prefix or memory://")]
    Location(String, String),
    /// There is no store there.
    #[error("there is no store at {0}; `plume ingest --store {0} …` makes one")]
    NoStore(String),
    /// The store was made by a newer plume.
    #[error("table {table} has store format {found}, this plume knows {known}; use a newer plume")]
    NewerFormat {
        /// The table.
        table: String,
        /// Its format.
        found: String,
        /// The newest format known here.
        known: String,
    },
    /// The table was made before it had all of its columns.
    #[error(
        "table {table} of this store was made by an older plume and lacks {lacks}; move its folder tables/{table} elsewhere and land the Parquet files in it again with `plume ingest --table {table}`"
    )]
    OlderColumns {
        /// The table.
        table: String,
        /// The columns.
        lacks: String,
    },
    /// No table has the name.
    #[error("there is no table '{0}'; tables are: {1}")]
    NoTable(String, String),
    /// No finding has the id.
    #[error(
        "there is no finding '{id}' from {from} to {to}; `plume findings list` tells those there are, and one listed with --period or --from and --to is asked for with the same"
    )]
    NoFinding {
        /// The id.
        id: String,
        /// First of the hours asked for.
        from: String,
        /// End of the hours asked for.
        to: String,
    },
    /// An input file can't be read.
    #[error("{path}: {reason}")]
    Input {
        /// The file.
        path: String,
        /// What is wrong and the mend.
        reason: String,
    },
    /// A map file is wrong.
    #[error("map file {path}: {reason}")]
    Map {
        /// The map file.
        path: String,
        /// What is wrong and the mend.
        reason: String,
    },
    /// Rows were rejected under `--strict`.
    #[error(
        "{rejected} of {read} rows were rejected and nothing landed, the first at {first}; leave --strict out to land the rest, or mend the input"
    )]
    Strict {
        /// Rows read.
        read: u64,
        /// Rows rejected.
        rejected: u64,
        /// Position and reason of the first.
        first: String,
    },
    /// Others kept committing in between.
    #[error("table {0} was written by others each time; run the command again")]
    Contended(String),
    /// `plume check` found something.
    #[error("{0} problems found in the store")]
    Unsound(usize),
    /// `plume verify` found a difference.
    #[error("the export is not what the store gives: {first}{}", if *others == 0 { String::new() } else { format!("; and {others} more") })]
    Unverified {
        /// The first difference.
        first: String,
        /// How many there are besides.
        others: usize,
    },
    /// The log or the objects of a store.
    #[error("store {address}: {source}{}", if is_full(source) { "; make room and run the command again" } else { "" })]
    Store {
        /// The store's address.
        address: String,
        /// What went wrong there.
        source: Box<Error>,
    },
    /// A setting or argument is wrong.
    #[error("{0}")]
    Usage(String),
    /// The Delta log.
    #[error("table log: {0}")]
    Delta(#[from] deltalake_core::DeltaTableError),
    /// The object store or the disk.
    #[error("storage: {0}")]
    Storage(#[from] object_store::Error),
    /// A Parquet file.
    #[error("parquet: {0}")]
    Parquet(#[from] parquet::errors::ParquetError),
    /// Arrow data.
    #[error("{0}")]
    Arrow(#[from] arrow::error::ArrowError),
    /// A query.
    #[error("{}", display_query(.0))]
    Query(#[from] DataFusionError),
    /// The file system.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// A rule set.
    #[error("{0}")]
    Rules(#[from] plume_datasets::rules::RuleError),
    /// A task was stopped.
    #[error("a task of the engine stopped: {0}")]
    Task(#[from] tokio::task::JoinError),
}

impl Error {
    /// Names the store where its log or objects failed.
    pub fn in_store(self, address: &str) -> Self {
        match self {
            Self::Delta(_) | Self::Storage(_) => {
                Self::Store { address: address.to_owned(), source: Box::new(self) }
            }
            other => other,
        }
    }
}

/// Whether a disk without room is the cause.
fn is_full(error: &Error) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if error.downcast_ref::<std::io::Error>().is_some_and(|e| e.kind() == std::io::ErrorKind::StorageFull)
        {
            return true;
        }
        cause = error.source();
    }
    false
}

/// The result of the engine.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl From<Error> for DataFusionError {
    fn from(error: Error) -> Self {
        match error {
            Error::Query(error) => error,
            other => Self::External(Box::new(other)),
        }
    }
}

impl From<object_store::path::Error> for Error {
    fn from(error: object_store::path::Error) -> Self {
        Self::Storage(error.into())
    }
}

/// A query's error without the layers it was wrapped in.
fn display_query(error: &DataFusionError) -> String {
    let mut text = match error.find_root() {
        DataFusionError::External(inner) => inner.to_string(),
        other => other.strip_backtrace(),
    };
    text.retain(|c| c != '\r');
    text.replace('\n', " ")
}
