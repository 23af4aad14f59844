//! Sorted Parquet files with their statistics.
//!
//! Encodings were chosen by measuring bytes and decode time on real and
//! synthetic hourly series (docs/decisions/0002): keys and values by dictionary,
//! time stamps by deltas, zstd over all.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::{max_string_view, min_string_view};
use arrow::datatypes::{DataType, Date32Type, Float64Type, TimeUnit, TimestampMicrosecondType};
use bytes::Bytes;
use chrono::DateTime;
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
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::delta::{STATS_TIMESTAMP, VERSIONS_SUFFIX, partition_column};
use super::version::RowComparison;
use crate::Result;

/// Rows of a row group.
const ROW_GROUP_ROWS: usize = 1 << 20;
/// Rows of a data page at most.
const PAGE_ROWS: usize = 20_000;
/// Level of zstd; level 9 gains half a percent and writes a third as fast.
const ZSTD_LEVEL: i32 = 1;

/// The partition that a row of a table belongs to, by its time stamp.
pub fn partition_of(table: &Table, ts: i64) -> i64 {
    match table.partitioning {
        Partitioning::Whole => 0,
        Partitioning::Month(_) => first_day_of_month(month_of(day_of(ts))),
        Partitioning::Day(_) => day_of(ts),
    }
}

/// Writes one file of rows that are sorted and of one partition, and returns the
/// action that adds it to the log. Nothing refers to the file before that commit.
pub async fn write_file(objects: &dyn ObjectStore, table: &'static Table, rows: RecordBatch) -> Result<Add> {
    let (bytes, stats, partition, suffix) = tokio::task::spawn_blocking(move || -> Result<_> {
        let partition = partition_value(table, &rows);
        let stats = statistics(&rows);
        let suffix = if has_versions(table, &rows)? { VERSIONS_SUFFIX } else { ".parquet" };
        Ok((encode(table, &rows)?, stats, partition, suffix))
    })
    .await??;
    let column = partition_column(table);
    let folder = match (column, &partition) {
        (Some(column), Some(value)) => format!("{column}={value}/"),
        _ => String::new(),
    };
    let path = Path::parse(format!("{folder}{}{suffix}", Uuid::new_v4()))?;
    let size = bytes.len();
    objects.put(&path, bytes.into()).await?;
    Ok(Add {
        path: path.to_string(),
        partition_values: column.map(|column| (column.to_owned(), partition)).into_iter().collect(),
        size: i64::try_from(size).unwrap_or(i64::MAX),
        modification_time: chrono::Utc::now().timestamp_millis(),
        data_change: true,
        stats: Some(stats.to_string()),
        ..Default::default()
    })
}

/// Whether sorted rows hold more than one version of some key.
fn has_versions(table: &Table, rows: &RecordBatch) -> Result<bool> {
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

/// The bytes of a Parquet file.
fn encode(table: &Table, rows: &RecordBatch) -> Result<Bytes> {
    let options = ArrowWriterOptions::new()
        .with_properties(properties(table, rows)?)
        // Readers decide the Arrow type; the file only says what Parquet says.
        .with_skip_arrow_metadata(true);
    let mut writer = ArrowWriter::try_new_with_options(Vec::new(), rows.schema(), options)?;
    writer.write(rows)?;
    Ok(writer.into_inner()?.into())
}

fn properties(table: &Table, rows: &RecordBatch) -> Result<WriterProperties> {
    let schema = rows.schema();
    let sorted_by = table.sort_columns().filter_map(|name| schema.index_of(name).ok());
    let sorting = sorted_by
        .map(|index| SortingColumn { column_idx: index as i32, descending: false, nulls_first: true })
        .collect();
    let mut builder = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL)?))
        .set_sorting_columns(Some(sorting))
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_statistics_truncate_length(None)
        .set_column_index_truncate_length(None)
        .set_data_page_row_count_limit(PAGE_ROWS)
        .set_write_batch_size(PAGE_ROWS)
        .set_dictionary_page_size_limit(4 << 20)
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS));
    for field in schema.fields() {
        if matches!(field.data_type(), DataType::Timestamp(..)) {
            let column = ColumnPath::from(field.name().as_str());
            builder = builder
                .set_column_dictionary_enabled(column.clone(), false)
                .set_column_encoding(column, Encoding::DELTA_BINARY_PACKED);
        }
    }
    Ok(builder.build())
}

/// The statistics of the log: rows, least and greatest value, NULLs.
fn statistics(rows: &RecordBatch) -> Value {
    let (mut min, mut max, mut nulls) = (Map::new(), Map::new(), Map::new());
    for (field, column) in rows.schema().fields().iter().zip(rows.columns()) {
        nulls.insert(field.name().clone(), json!(column.null_count()));
        if let Some((least, greatest)) = range(column) {
            min.insert(field.name().clone(), least);
            max.insert(field.name().clone(), greatest);
        }
    }
    json!({ "numRecords": rows.num_rows(), "minValues": min, "maxValues": max, "nullCount": nulls })
}

/// Least and greatest value of a column; `None` where it has none.
fn range(column: &ArrayRef) -> Option<(Value, Value)> {
    let timestamp =
        |ts: i64| Some(Value::from(DateTime::from_timestamp_micros(ts)?.format(STATS_TIMESTAMP).to_string()));
    match column.data_type() {
        DataType::Utf8View => {
            let column = column.as_string_view();
            Some((min_string_view(column)?.into(), max_string_view(column)?.into()))
        }
        DataType::Float64 => {
            let column = column.as_primitive::<Float64Type>();
            Some((arrow::compute::min(column)?.into(), arrow::compute::max(column)?.into()))
        }
        DataType::Date32 => {
            let column = column.as_primitive::<Date32Type>();
            let date = |day: i32| Value::from(date_of(day.into()).to_string());
            Some((date(arrow::compute::min(column)?), date(arrow::compute::max(column)?)))
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            let column = column.as_primitive::<TimestampMicrosecondType>();
            Some((timestamp(arrow::compute::min(column)?)?, timestamp(arrow::compute::max(column)?)?))
        }
        _ => None,
    }
}

/// A column of one time stamp.
pub fn constant_timestamp(ts: i64, rows: usize) -> ArrayRef {
    Arc::new(arrow::array::TimestampMicrosecondArray::from_value(ts, rows))
}
