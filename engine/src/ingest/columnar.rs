//! Parquet and Arrow IPC files.

use std::fs::File;
use std::io::{BufReader, Read, Seek};

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use arrow::ipc::reader::{FileReader, StreamReader};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::source::{RawBatch, Sink, SourceRequest};
use crate::Result;

/// Rows of a batch.
const BATCH_ROWS: usize = 65_536;

/// Reads a Parquet file.
pub(super) fn read_parquet(request: &SourceRequest, sink: &Sink) -> Result<()> {
    let failed = |error| request.unreadable(&error);
    let file = File::open(&request.path).map_err(failed)?;
    let bytes = file.metadata().map_err(failed)?.len();
    let builder = ParquetRecordBatchReaderBuilder::try_new(file)
        .map_err(|error| request.wrong(format!("it is no whole Parquet file ({error}); send it again")))?;
    let names: Vec<String> = builder.schema().fields().iter().map(|field| field.name().clone()).collect();
    let warnings = request.check_columns(&names)?;
    let used = (0..names.len()).filter(|i| request.map.uses(&names[*i], request.table));
    let mask = ProjectionMask::roots(builder.parquet_schema(), used);
    let rows = builder.metadata().file_metadata().num_rows().max(1) as u64;
    let reader = builder.with_projection(mask).with_batch_size(BATCH_ROWS).build()?;
    give_all(request, sink, warnings, |count| bytes * count / rows, reader)
}

/// Reads an Arrow IPC file or stream.
pub(super) fn read_arrow(request: &SourceRequest, sink: &Sink) -> Result<()> {
    let failed = |error| request.unreadable(&error);
    let mut file = File::open(&request.path).map_err(failed)?;
    let mut magic = [0; 6];
    let is_file = file.read_exact(&mut magic).is_ok() && &magic == b"ARROW1";
    file.rewind().map_err(failed)?;
    let wrong =
        |error: ArrowError| request.wrong(format!("it is no whole Arrow IPC file ({error}); send it again"));
    let names = |schema: &arrow::datatypes::Schema| -> Vec<String> {
        schema.fields().iter().map(|field| field.name().clone()).collect()
    };
    let no_bytes = |_| 0;
    if is_file {
        let reader = FileReader::try_new(BufReader::new(file), None).map_err(wrong)?;
        let warnings = request.check_columns(&names(&reader.schema()))?;
        return give_all(request, sink, warnings, no_bytes, reader);
    }
    let reader = StreamReader::try_new(BufReader::new(file), None).map_err(wrong)?;
    let warnings = request.check_columns(&names(&reader.schema()))?;
    give_all(request, sink, warnings, no_bytes, reader)
}

fn give_all(
    request: &SourceRequest,
    sink: &Sink,
    mut warnings: Vec<String>,
    bytes_of: impl Fn(u64) -> u64,
    batches: impl Iterator<Item = Result<RecordBatch, ArrowError>>,
) -> Result<()> {
    let mut rows_before = 0;
    for batch in batches {
        let rows = batch.map_err(|error| {
            request.wrong(format!("it can't be read to its end ({error}); send it again"))
        })?;
        let count = rows.num_rows() as u64;
        let given = sink.give(RawBatch {
            table: request.table.name,
            bytes: bytes_of(count),
            rows_before,
            rows: Some(rows),
            warnings: std::mem::take(&mut warnings),
            ..RawBatch::default()
        });
        if !given {
            break;
        }
        rows_before += count;
    }
    Ok(())
}
