//! Sorted Parquet files with their statistics.
//!
//! Encodings were chosen by measuring bytes and decode time on real and
//! synthetic hourly series (docs/decisions/0002): keys and values by dictionary,
//! time stamps by deltas, times of arrival plain, zstd over all.

use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{DataType, TimestampMicrosecondType};
use bytes::Bytes;
use deltalake_core::kernel::Add;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::metadata::SortingColumn;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;
use plume_datasets::schema::{Partitioning, Table};
use plume_udfs::time::{date_of, day_of, first_day_of_month, month_of};
use serde_json::Value;
use uuid::Uuid;

use super::delta::{COMPACTED_SUFFIX, VERSIONS_SUFFIX, partition_column};
use super::series::{SeriesIndex, has_series};
use super::statistics::FileStatistics;
use super::version::RowComparison;
use crate::Result;

/// Rows of a data page at most.
const PAGE_ROWS: usize = 20_000;
/// Bytes of a dictionary at most; beyond it a column goes on without one.
const DICTIONARY_BYTES: usize = 16 << 20;
/// A column of mostly distinct values, which a dictionary would only lengthen.
const DISTINCT: &str = "total";

/// How hard the writer tries to make a file small: readers take the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effort {
    /// A landing, which somebody waits for.
    Landing,
    /// A compaction, which is written once and read often.
    Compaction,
}

impl Effort {
    /// Level of zstd. Measured in docs/decisions/0002.
    fn zstd_level(self) -> i32 {
        match self {
            Self::Landing => 1,
            Self::Compaction => 6,
        }
    }
}

/// The partition that a row of a table belongs to, by its time stamp.
pub fn partition_of(table: &Table, ts: i64) -> i64 {
    match table.partitioning {
        Partitioning::Whole => 0,
        Partitioning::Month(_) => first_day_of_month(month_of(day_of(ts))),
        Partitioning::Day(_) => day_of(ts),
    }
}

/// Lands one file of rows that are sorted and of one partition, and returns the
/// action that adds it to the log. Nothing refers to the file before that commit.
pub async fn write_file(objects: &dyn ObjectStore, table: &'static Table, rows: RecordBatch) -> Result<Add> {
    let file = tokio::task::spawn_blocking(move || {
        let mut encoder = FileEncoder::new(table, Effort::Landing)?;
        encoder.write(&rows)?;
        encoder.finish()
    })
    .await??;
    put_file(objects, table, file).await
}

/// Stores an encoded file under a new name.
pub async fn put_file(objects: &dyn ObjectStore, table: &Table, file: EncodedFile) -> Result<Add> {
    let column = partition_column(table);
    let folder = match (column, &file.partition) {
        (Some(column), Some(value)) => format!("{column}={value}/"),
        _ => String::new(),
    };
    let path = Path::parse(format!("{folder}{}{}", Uuid::new_v4(), file.suffix))?;
    let size = file.bytes.len();
    objects.put(&path, file.bytes.into()).await?;
    Ok(Add {
        path: path.to_string(),
        partition_values: column.map(|column| (column.to_owned(), file.partition)).into_iter().collect(),
        size: i64::try_from(size).unwrap_or(i64::MAX),
        modification_time: chrono::Utc::now().timestamp_millis(),
        data_change: true,
        stats: Some(file.statistics.to_string()),
        ..Default::default()
    })
}

/// A Parquet file in memory, and what the log says of it.
#[derive(Debug)]
pub struct EncodedFile {
    bytes: Bytes,
    statistics: Value,
    partition: Option<String>,
    /// How its name ends.
    suffix: &'static str,
}

/// Encodes sorted rows of one partition, batch by batch, into one row group: a
/// larger group has fewer dictionaries, and pages are what is skipped.
#[derive(Debug)]
pub struct FileEncoder {
    table: &'static Table,
    effort: Effort,
    writer: ArrowWriter<Vec<u8>>,
    statistics: FileStatistics,
    series: Option<SeriesIndex>,
    partition: Option<String>,
    last: Option<RecordBatch>,
    has_versions: bool,
}

impl FileEncoder {
    /// An encoder of rows of a table.
    pub fn new(table: &'static Table, effort: Effort) -> Result<Self> {
        let schema = table.arrow_schema();
        let options = ArrowWriterOptions::new()
            .with_properties(properties(table, effort)?)
            // Readers decide the Arrow type; the file only says what Parquet says.
            .with_skip_arrow_metadata(true);
        Ok(Self {
            table,
            effort,
            statistics: FileStatistics::new(Arc::clone(&schema)),
            // A landing may hold as many series as rows.
            series: (effort == Effort::Compaction && has_series(table)).then(SeriesIndex::default),
            writer: ArrowWriter::try_new_with_options(Vec::new(), schema, options)?,
            partition: None,
            last: None,
            has_versions: false,
        })
    }

    /// Appends rows, which follow those before in the order of the table.
    pub fn write(&mut self, rows: &RecordBatch) -> Result<()> {
        if rows.num_rows() == 0 {
            return Ok(());
        }
        if self.last.is_none() {
            self.partition = partition_value(self.table, rows);
        }
        self.has_versions = self.has_versions || repeats_key(self.table, self.last.as_ref(), rows)?;
        self.last = Some(rows.slice(rows.num_rows() - 1, 1));
        self.statistics.add(rows);
        if let Some(series) = &mut self.series {
            series.add(self.table, rows);
        }
        Ok(self.writer.write(rows)?)
    }

    /// The file.
    pub fn finish(mut self) -> Result<EncodedFile> {
        if let Some(series) = &self.series {
            self.writer.append_key_value_metadata(series.to_metadata()?);
        }
        Ok(EncodedFile {
            bytes: self.writer.into_inner()?.into(),
            statistics: self.statistics.to_json(),
            partition: self.partition,
            suffix: match (self.has_versions, self.effort) {
                (true, _) => VERSIONS_SUFFIX,
                (false, Effort::Compaction) => COMPACTED_SUFFIX,
                (false, Effort::Landing) => ".parquet",
            },
        })
    }
}

/// Whether sorted rows, coming after the row `last`, hold more than one version of some key.
fn repeats_key(table: &Table, last: Option<&RecordBatch>, rows: &RecordBatch) -> Result<bool> {
    if let Some(last) = last
        && RowComparison::new(table, last, rows)?.key(0, 0).is_eq()
    {
        return Ok(true);
    }
    let comparison = RowComparison::new(table, rows, rows)?;
    Ok((1..rows.num_rows()).any(|row| comparison.key(row - 1, row).is_eq()))
}

/// The partition value of rows that are all of one partition.
fn partition_value(table: &Table, rows: &RecordBatch) -> Option<String> {
    let (Partitioning::Month(column) | Partitioning::Day(column)) = table.partitioning else { return None };
    let ts = rows.column_by_name(column)?.as_primitive::<TimestampMicrosecondType>();
    let first = (!ts.is_empty()).then(|| ts.value(0))?;
    Some(date_of(partition_of(table, first)).to_string())
}

fn properties(table: &Table, effort: Effort) -> Result<WriterProperties> {
    let schema = table.arrow_schema();
    let sorted_by = table.sort_columns().filter_map(|name| schema.index_of(name).ok());
    let sorting = sorted_by
        .map(|index| SortingColumn { column_idx: index as i32, descending: false, nulls_first: true })
        .collect();
    let mut builder = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(effort.zstd_level())?))
        .set_sorting_columns(Some(sorting))
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_statistics_truncate_length(None)
        .set_column_index_truncate_length(None)
        .set_data_page_row_count_limit(PAGE_ROWS)
        .set_write_batch_size(PAGE_ROWS)
        .set_dictionary_page_size_limit(DICTIONARY_BYTES)
        .set_max_row_group_row_count(None);
    for field in schema.fields() {
        let encoding = match (field.name().as_str(), field.data_type()) {
            // The factors of one packet arrive together, so the same times come again with
            // each factor of an outlet: plain, zstd sees that they do.
            ("received_at", _) => Encoding::PLAIN,
            (_, DataType::Timestamp(..)) => Encoding::DELTA_BINARY_PACKED,
            (DISTINCT, _) => Encoding::BYTE_STREAM_SPLIT,
            _ => continue,
        };
        let column = ColumnPath::from(field.name().as_str());
        builder = builder
            .set_column_dictionary_enabled(column.clone(), false)
            .set_column_encoding(column, encoding);
    }
    Ok(builder.build())
}
