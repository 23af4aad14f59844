//! Writes a synthetic province as one Parquet file a table, `truth.csv` and `innocent.csv`.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use arrow::array::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use plume_datasets::province::{Innocent, Planted, Province, ProvinceRequest};

use crate::{Error, Result};

/// Rows of a row group.
const ROW_GROUP_ROWS: usize = 1 << 17;

/// Writes the province into a folder, an outlet at a time, and returns its rows.
pub fn write(request: &ProvinceRequest, folder: &Path) -> Result<u64> {
    let failed = |error: std::io::Error| Error::Input {
        path: folder.display().to_string(),
        reason: error.to_string(),
    };
    std::fs::create_dir_all(folder).map_err(failed)?;
    let province = Province::new(request)?;
    let mut files: BTreeMap<&'static str, ArrowWriter<File>> = BTreeMap::new();
    let mut rows = 0;
    let mut truth = list(folder, "truth.csv", Planted::COLUMNS)?;
    let mut innocents = list(folder, "innocent.csv", Innocent::COLUMNS)?;
    for outlet in province.outlets() {
        let outlet = outlet?;
        for planted in &outlet.truth {
            truth.write_record(planted.fields()).map_err(|error| Error::Io(error.into()))?;
        }
        for innocent in &outlet.innocent {
            innocents.write_record(innocent.fields()).map_err(|error| Error::Io(error.into()))?;
        }
        for (table, batch) in outlet.tables {
            rows += batch.num_rows() as u64;
            write_rows(&mut files, folder, table, &batch)?;
        }
    }
    truth.flush()?;
    innocents.flush()?;
    for file in files.into_values() {
        file.close()?;
    }
    Ok(rows)
}

/// Opens a list of patterns or twins.
fn list(folder: &Path, name: &str, columns: [&str; 6]) -> Result<csv::Writer<File>> {
    let failed = |error: csv::Error| Error::Io(error.into());
    let mut list = csv::Writer::from_path(folder.join(name)).map_err(failed)?;
    list.write_record(columns).map_err(failed)?;
    Ok(list)
}

fn write_rows(
    files: &mut BTreeMap<&'static str, ArrowWriter<File>>,
    folder: &Path,
    table: &'static str,
    batch: &RecordBatch,
) -> Result<()> {
    if !files.contains_key(table) {
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
            .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
            .build();
        let options = ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
        let file = File::create(folder.join(format!("{table}.parquet")))?;
        files.insert(table, ArrowWriter::try_new_with_options(file, batch.schema(), options)?);
    }
    if let Some(writer) = files.get_mut(table) {
        writer.write(batch)?;
    }
    Ok(())
}
