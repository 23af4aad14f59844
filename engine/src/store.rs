//! The store: Delta tables of sorted Parquet files under one address.
//!
//! ```text
//! STORE/tables/hourly/_delta_log/…                    the table's log
//!                    /month=2026-01-01/UUID.parquet    sorted by mn, factor, ts, received_at
//!       tables/hourly_superseded/…                     versions no longer in force
//! ```
//!
//! | file | holds |
//! |---|---|
//! | [`location`] | addresses and their object stores |
//! | [`delta`] | the table log: create, open, commit, live files |
//! | [`writer`] | sorted Parquet files |
//! | `staged` | half-written files of a killed process |
//! | `statistics` | what the log tells of a file |
//! | [`version`] | the version in force: the rule, and the merge that applies it |
//! | [`scan`] | plans over live files: pruned, cut at outlets, order declared |
//! | [`series`] | the index of a file's series |
//! | [`extents`] | from when to when series reach |
//! | [`series_scan`] | plans over whole series, without their key columns |
//! | [`mod@table`] | a table as SQL sees it |
//! | [`compact`] | merges files and keeps the order |
//! | [`upkeep`] | `check` and `vacuum` |

pub mod compact;
pub mod delta;
pub mod extents;
pub mod location;
pub mod scan;
pub mod series;
pub mod series_scan;
mod staged;
mod statistics;
pub mod table;
pub mod upkeep;
pub mod version;
pub mod writer;

use std::sync::Arc;

use object_store::path::Path;
use plume_datasets::schema::{TABLES, Table, table};

use crate::{Error, Result};
use delta::DeltaLog;
use location::Location;

/// Suffix of the companion table that holds versions no longer in force.
pub const SUPERSEDED: &str = "_superseded";

/// A store: tables under one address.
#[derive(Debug, Clone)]
pub struct Store {
    location: Arc<Location>,
}

impl Store {
    /// The store at an address; nothing is read or written yet.
    pub fn at(address: &str) -> Result<Self> {
        Ok(Self { location: Arc::new(Location::parse(address)?) })
    }

    /// The store at an address, which must hold at least one table.
    pub async fn open(address: &str) -> Result<Self> {
        let store = Self::at(address)?;
        for table in TABLES {
            if store.log(table)?.exists().await? {
                return Ok(store);
            }
        }
        Err(Error::NoStore(address.to_owned()))
    }

    /// Where the store is.
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// The log of a table.
    pub fn log(&self, table: &'static Table) -> Result<DeltaLog> {
        DeltaLog::new(&self.location, table, table.name.to_owned())
    }

    /// The folder of a table's files in the store's object store.
    pub fn folder(&self, log: &DeltaLog) -> Result<Path> {
        Ok(Path::from_url_path(self.location.table_url(log.name())?.path())?)
    }

    /// The log of a table's superseded versions.
    pub fn superseded_log(&self, table: &'static Table) -> Result<DeltaLog> {
        DeltaLog::new(&self.location, table, format!("{}{SUPERSEDED}", table.name))
    }
}

/// The table with the name, or an error that lists the tables.
pub fn table_named(name: &str) -> Result<&'static Table> {
    table(name).ok_or_else(|| {
        let names: Vec<&str> = TABLES.iter().map(|t| t.name).collect();
        Error::NoTable(name.to_owned(), names.join(", "))
    })
}
