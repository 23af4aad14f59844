//! `plume ingest`: progress on a terminal, one JSON line at the end.

use std::io::{IsTerminal, Write};
use std::path::Path;

use indicatif::{ProgressBar, ProgressStyle};

use super::{IngestArgs, say};
use crate::Result;
use crate::ingest::map::Map;
use crate::ingest::{IngestRequest, Progress, ingest};
use crate::session::options::PlumeOptions;
use crate::session::{Session, SessionLimits};
use crate::store::{Store, table_named};

pub(super) async fn run(args: IngestArgs) -> Result<()> {
    let table = table_named(&args.table)?;
    let map = args.map.as_deref().map_or_else(|| Ok(Map::default()), |path| Map::read(path, table))?;
    let store = Store::at(&args.store)?;
    let session = Session::new(store, PlumeOptions::default(), &SessionLimits::default()).await?;
    let request = IngestRequest { table, format: args.format, map, strict: args.strict, paths: args.paths };
    let progress = Bar::new();
    let report = ingest(&session, &request, &progress).await?;
    progress.0.finish_and_clear();
    // Not println, which panics where nothing can be written.
    writeln!(std::io::stdout(), "{}", serde_json::json!(report))?;
    Ok(())
}

/// A bar on a terminal, silent elsewhere.
pub(super) struct Bar(ProgressBar);

impl Bar {
    pub(super) fn new() -> Self {
        if !std::io::stderr().is_terminal() {
            return Self(ProgressBar::hidden());
        }
        let style =
            ProgressStyle::with_template("{msg} {bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta}");
        let bar = ProgressBar::new(0);
        Self(style.map(|style| bar.clone().with_style(style)).unwrap_or(bar))
    }
}

impl Progress for Bar {
    fn file(&self, path: &Path, bytes: u64) {
        self.0.set_position(0);
        self.0.set_length(bytes);
        self.0.set_message(path.display().to_string());
    }

    fn read(&self, bytes: u64) {
        self.0.inc(bytes);
    }

    fn warn(&self, message: &str) {
        self.0.suspend(|| say(format_args!("warning: {message}")));
    }
}
