//! Results as a table, CSV, JSON lines, Parquet or Arrow IPC.

use std::fs::File;
use std::io::{BufWriter, ErrorKind, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow::array::RecordBatch;
use arrow::csv::WriterBuilder;
use arrow::datatypes::SchemaRef;
use arrow::ipc::writer::StreamWriter;
use arrow::json::LineDelimitedWriter;
use arrow::util::pretty::pretty_format_batches;
use clap::ValueEnum;
use datafusion::prelude::DataFrame;
use futures::StreamExt;
use parquet::arrow::ArrowWriter;

use crate::{Error, Result};

/// How results are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum OutputFormat {
    /// For people.
    #[default]
    Table,
    /// With a header; NULL is empty.
    Csv,
    /// One object a line.
    Json,
    /// Parquet.
    Parquet,
    /// An Arrow IPC stream.
    Arrow,
}

impl OutputFormat {
    /// The format a file's ending tells.
    pub(super) fn of_path(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "csv" => Some(Self::Csv),
            "json" => Some(Self::Json),
            "parquet" => Some(Self::Parquet),
            "arrow" => Some(Self::Arrow),
            _ => None,
        }
    }
}

/// Writes a result to a file or to standard output; all but a table as it comes.
pub(super) async fn write(frame: DataFrame, format: OutputFormat, path: Option<&Path>) -> Result<()> {
    let Some(path) = path else {
        return write_to_stdout(frame, format).await;
    };
    // Nothing half-written: the file gets its name when it is whole.
    let partial = path.with_extension("partial");
    let written = async {
        write_to(frame, format, Box::new(BufWriter::new(File::create(&partial)?))).await?;
        Ok(std::fs::rename(&partial, path)?)
    };
    let written: Result<()> = written.await;
    written.map_err(|error| {
        let _ = std::fs::remove_file(&partial);
        match error {
            error @ (Error::Io(_) | Error::Arrow(_) | Error::Parquet(_)) => {
                Error::Input { path: path.display().to_string(), reason: error.to_string() }
            }
            error => error,
        }
    })
}

/// Where the reader of standard output went away, the error is a broken pipe,
/// whatever a writer made of it.
async fn write_to_stdout(frame: DataFrame, format: OutputFormat) -> Result<()> {
    let broken = Arc::new(AtomicBool::new(false));
    let out = Stdout { broken: Arc::clone(&broken) };
    let written = write_to(frame, format, Box::new(BufWriter::new(out))).await;
    written.map_err(|error| match broken.load(Ordering::Relaxed) {
        true => Error::Io(ErrorKind::BrokenPipe.into()),
        false => error,
    })
}

/// Standard output that notes a broken pipe: the writers of CSV and Parquet keep
/// no more of an I/O error than its text.
struct Stdout {
    broken: Arc<AtomicBool>,
}

impl Stdout {
    fn noted<T>(&self, done: std::io::Result<T>) -> std::io::Result<T> {
        done.inspect_err(|error| {
            if error.kind() == ErrorKind::BrokenPipe {
                self.broken.store(true, Ordering::Relaxed);
            }
        })
    }
}

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.noted(std::io::stdout().write(bytes))
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.noted(std::io::stdout().flush())
    }
}

async fn write_to(frame: DataFrame, format: OutputFormat, out: Box<dyn Write + Send>) -> Result<()> {
    let schema: SchemaRef = Arc::new(frame.schema().as_arrow().clone());
    if schema.fields().is_empty() {
        frame.collect().await?;
        return Ok(());
    }
    if format == OutputFormat::Table {
        return write_table(frame, out).await;
    }
    let mut rows = frame.execute_stream().await?;
    let mut writer = BatchWriter::new(format, &schema, out)?;
    while let Some(batch) = rows.next().await {
        writer.write(&batch?)?;
    }
    writer.finish()
}

async fn write_table(frame: DataFrame, mut out: Box<dyn Write + Send>) -> Result<()> {
    let schema = Arc::new(frame.schema().as_arrow().clone());
    let mut batches = frame.collect().await?;
    if batches.is_empty() {
        batches.push(RecordBatch::new_empty(schema));
    }
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    writeln!(out, "{}\n{rows} {}", pretty_format_batches(&batches)?, if rows == 1 { "row" } else { "rows" })?;
    Ok(out.flush()?)
}

enum BatchWriter {
    Csv(arrow::csv::Writer<Box<dyn Write + Send>>, Option<SchemaRef>),
    Json(LineDelimitedWriter<Box<dyn Write + Send>>),
    Parquet(ArrowWriter<Box<dyn Write + Send>>),
    Arrow(StreamWriter<Box<dyn Write + Send>>),
}

impl BatchWriter {
    fn new(format: OutputFormat, schema: &SchemaRef, out: Box<dyn Write + Send>) -> Result<Self> {
        Ok(match format {
            OutputFormat::Json => Self::Json(LineDelimitedWriter::new(out)),
            OutputFormat::Parquet => Self::Parquet(ArrowWriter::try_new(out, schema.clone(), None)?),
            OutputFormat::Arrow => Self::Arrow(StreamWriter::try_new(out, schema)?),
            OutputFormat::Csv | OutputFormat::Table => {
                Self::Csv(WriterBuilder::new().with_header(true).build(out), Some(schema.clone()))
            }
        })
    }

    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        match self {
            Self::Csv(writer, header) => {
                *header = None;
                writer.write(batch)?;
            }
            Self::Json(writer) => writer.write(batch)?,
            Self::Parquet(writer) => writer.write(batch)?,
            Self::Arrow(writer) => writer.write(batch)?,
        }
        Ok(())
    }

    fn finish(self) -> Result<()> {
        match self {
            Self::Csv(mut writer, header) => {
                // A result without rows still has its header.
                if let Some(schema) = header {
                    writer.write(&RecordBatch::new_empty(schema))?;
                }
                writer.into_inner().flush()?;
            }
            Self::Json(mut writer) => {
                writer.finish()?;
                writer.into_inner().flush()?;
            }
            Self::Parquet(writer) => {
                writer.into_inner()?.flush()?;
            }
            Self::Arrow(mut writer) => writer.finish()?,
        }
        Ok(())
    }
}
