//! Lands files in tables.
//!
//! ```text
//! file ─▶ source: raw columns as the file has them, a batch at a time
//!      ─▶ normalise: the table's types; rows that can't be right become rejects
//!      ─▶ landing: sorted, duplicates told, written as Parquet
//!      ─▶ one commit a file, with an id made of its content: a repeat lands nothing
//! ```
//!
//! Memory is bounded by the chunk that is sorted, whatever the size of the file.

mod columnar;
mod csv_file;
pub mod hj212;
mod labels;
mod landing;
pub mod map;
mod normalise;
mod rejects;
mod source;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use plume_datasets::schema::{Table, table};
use serde::Serialize;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::session::{Session, options};
use crate::store::delta::input_id;
use crate::{Error, Result};
use labels::LabelledByEnd;
use landing::TableLanding;
use map::Map;
use normalise::Normaliser;
use rejects::RejectLanding;
use source::{RawBatch, SourceRequest};

pub use source::Format;

/// What to ingest.
#[derive(Debug)]
pub struct IngestRequest {
    /// The table.
    pub table: &'static Table,
    /// The files' format; by their ending where absent.
    pub format: Option<Format>,
    /// How the files' columns become the table's.
    pub map: Map,
    /// Whether one rejected row keeps everything out.
    pub strict: bool,
    /// The files.
    pub paths: Vec<PathBuf>,
}

/// What became of the rows.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Rows read.
    pub read: u64,
    /// Rows that landed.
    pub landed: u64,
    /// Rows the store had.
    pub duplicate: u64,
    /// Rows in `rejects`.
    pub rejected: u64,
}

impl Counts {
    fn add(&mut self, other: Self) {
        self.read += other.read;
        self.landed += other.landed;
        self.duplicate += other.duplicate;
        self.rejected += other.rejected;
    }
}

/// The closing line of an ingest.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// Rows of the table asked for.
    #[serde(flatten)]
    pub counts: Counts,
    /// Files read.
    pub files: usize,
    /// Rows of other tables that packets brought.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tables: BTreeMap<&'static str, Counts>,
    /// Packets by what had to be repaired or was wrong.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub verdicts: BTreeMap<String, u64>,
}

/// Tells what an ingest is doing.
pub trait Progress: Send + Sync {
    /// A file of so many bytes begins.
    fn file(&self, path: &Path, bytes: u64);
    /// So many bytes of the file were read.
    fn read(&self, bytes: u64);
    /// Something a person should know.
    fn warn(&self, message: &str);
}

/// Lands files. Without `strict`, one commit a file; with it, nothing is
/// committed before every row of every file is known to be good.
pub async fn ingest(session: &Session, request: &IngestRequest, progress: &dyn Progress) -> Result<Report> {
    let mut report = Report::default();
    let mut files = Vec::new();
    let reading =
        Reading { session, request, progress, labelled_by_end: LabelledByEnd::read(session).await? };
    for path in &request.paths {
        let file = reading.read_file(path).await?;
        report.files += 1;
        if request.strict {
            files.push(file);
            continue;
        }
        file.commit(request.table, &mut report).await?;
        // The next file's duplicates are told against this one's rows.
        session.snapshots().refresh().await;
    }
    if let Some(error) = strict_error(&files) {
        return Err(error);
    }
    for file in files {
        file.commit(request.table, &mut report).await?;
    }
    session.snapshots().refresh().await;
    Ok(report)
}

/// Lands rows that no file holds, like a decision somebody took, the way those of a file land. Each
/// call is an input of its own: what is said again after something else was said is a version.
///
/// # Errors
///
/// Where a row can't land; then none does.
pub async fn land_rows(
    session: &Session,
    table: &'static Table,
    rows: RecordBatch,
    source: &str,
) -> Result<Counts> {
    let id = input_id("rows", Sha256::new_with_prefix(Uuid::new_v4()));
    let labelled_by_end = LabelledByEnd::read(session).await?;
    let (map, now) = (Map::default(), options::now());
    let normaliser = Normaliser { table, map: &map, source, now, labelled_by_end: &labelled_by_end };
    let raw = RawBatch { table: table.name, rows: Some(rows), ..RawBatch::default() };
    let normalised = normaliser.normalise(&raw)?;
    if let Some(reject) = normalised.rejects.first() {
        return Err(Error::Usage(format!("table {}: {}", table.name, reject.reason)));
    }
    let mut landing = TableLanding::new(session, table, &id).await?;
    landing.counts.read += normalised.read_rows();
    landing.push(session, normalised.rows).await?;
    landing.finish(session).await?;
    let counts = landing.commit(&id).await?;
    session.snapshots().refresh().await;
    Ok(counts)
}

/// The error of a strict ingest in which rows were rejected.
fn strict_error(files: &[FileLanding]) -> Option<Error> {
    let first = files.iter().find_map(|file| file.rejects.first.as_ref())?;
    Some(Error::Strict {
        read: files.iter().flat_map(|file| &file.landings).map(|landing| landing.counts.read).sum(),
        rejected: files.iter().map(|file| file.rejects.count).sum(),
        first: format!("{}: {}", first.position, first.reason),
    })
}

/// A file whose rows are written but not committed.
struct FileLanding {
    id: String,
    landings: Vec<TableLanding>,
    rejects: RejectLanding,
    verdicts: BTreeMap<String, u64>,
}

impl FileLanding {
    /// The rows on their way into a table.
    async fn landing(&mut self, session: &Session, table: &'static Table) -> Result<&mut TableLanding> {
        let position = match self.landings.iter().position(|landing| landing.table.name == table.name) {
            Some(position) => position,
            None => {
                self.landings.push(TableLanding::new(session, table, &self.id).await?);
                self.landings.len() - 1
            }
        };
        Ok(&mut self.landings[position])
    }

    /// Commits the rejects, then each table's files.
    async fn commit(self, asked: &'static Table, report: &mut Report) -> Result<()> {
        self.rejects.commit().await?;
        for landing in self.landings {
            let name = landing.table.name;
            let counts = landing.commit(&self.id).await?;
            if name == asked.name {
                report.counts.add(counts);
            } else {
                report.tables.entry(name).or_default().add(counts);
            }
        }
        for (verdict, count) in self.verdicts {
            *report.verdicts.entry(verdict).or_default() += count;
        }
        Ok(())
    }
}

/// What the files of an ingest are read with.
struct Reading<'a> {
    session: &'a Session,
    request: &'a IngestRequest,
    progress: &'a dyn Progress,
    /// Outlets whose source labels an interval by its end.
    labelled_by_end: LabelledByEnd,
}

impl Reading<'_> {
    /// Reads one file and writes its rows, uncommitted.
    async fn read_file(&self, path: &Path) -> Result<FileLanding> {
        let request = self.request;
        let wrong = |reason: String| Error::Input { path: path.display().to_string(), reason };
        let bytes = std::fs::metadata(path).map_err(|error| wrong(error.to_string()))?.len();
        if path.is_dir() {
            return Err(wrong("it is a folder; name the files in it".to_owned()));
        }
        self.progress.file(path, bytes);
        let id = content_id(path, request).map_err(|error| wrong(error.to_string()))?;
        let format = match request.format {
            Some(format) => format,
            None => Format::of_path(path).ok_or_else(|| {
                wrong("its ending tells no format; add --format csv, parquet, arrow or hj212".to_owned())
            })?,
        };
        let source = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        let now = options::now();
        let (mut batches, reader) = source::read(SourceRequest {
            path: path.to_owned(),
            table: request.table,
            format,
            map: request.map.clone(),
            strict: request.strict,
        });
        let mut file = FileLanding {
            rejects: RejectLanding::new(self.session, &id, request.strict).await?,
            id,
            landings: Vec::new(),
            verdicts: BTreeMap::new(),
        };
        file.landing(self.session, request.table).await?;
        while let Some(batch) = batches.recv().await {
            self.land(&mut file, &batch, &source, now).await?;
        }
        reader.await??;
        for landing in &mut file.landings {
            landing.finish(self.session).await?;
        }
        Ok(file)
    }

    /// Normalises a batch of a file and lands what is right.
    async fn land(&self, file: &mut FileLanding, batch: &RawBatch, source: &str, now: i64) -> Result<()> {
        self.progress.read(batch.bytes);
        batch.warnings.iter().for_each(|warning| self.progress.warn(warning));
        for (verdict, count) in &batch.verdicts {
            *file.verdicts.entry(verdict.clone()).or_default() += count;
        }
        let Some(table) = table(batch.table) else { return Ok(()) };
        let (map, labelled_by_end) = (&self.request.map, &self.labelled_by_end);
        let normalised = Normaliser { table, map, source, now, labelled_by_end }.normalise(batch)?;
        let landing = file.landing(self.session, table).await?;
        landing.counts.read += normalised.read_rows();
        landing.counts.rejected += normalised.rejects.len() as u64;
        landing.push(self.session, normalised.rows).await?;
        file.rejects.push(normalised.rejects).await
    }
}

/// The id of an input: what it holds, where it goes and how it is read.
fn content_id(path: &Path, request: &IngestRequest) -> std::io::Result<String> {
    let mut hash = Sha256::new();
    std::io::copy(&mut std::fs::File::open(path)?, &mut hash)?;
    hash.update(request.table.name);
    hash.update(request.map.text());
    Ok(input_id("ingest", hash))
}
