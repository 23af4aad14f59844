//! The series index: which rows of a file are of which outlet and factor.
//!
//! A compacted file names its series in its footer, in their order, each with
//! its number of rows and the hours of its first and last, counted from 1970:
//!
//! ```json
//! {"91420100MA4K": {"a00000": [744, 490896, 491639], "a21026": [740, 490896, 491639]}}
//! ```
//!
//! Who reads whole series needs no key columns then, which are half of what a
//! scan decodes, and no rows of series that nobody asked for.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::TimestampMicrosecondType;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::ParquetFileReaderFactory;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use object_store::path::Path;
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::file::metadata::{KeyValue, PageIndexPolicy};
use plume_datasets::schema::Table;
use plume_udfs::time::hour_of;
use tokio::sync::Mutex;

use super::scan::ScanFile;
use crate::{Error, Result};

/// Under which key the footer holds the index.
const METADATA_KEY: &str = "plume.series";

/// Whether rows of a table make series: they are sorted by outlet, factor (or
/// parameter) and time.
pub fn has_series(table: &Table) -> bool {
    matches!(table.key, ["mn", _, "ts"])
}

/// One series: consecutive rows of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeriesRows {
    /// The outlet.
    pub mn: Arc<str>,
    /// The factor, or the parameter.
    pub factor: Arc<str>,
    /// Number of rows.
    pub rows: usize,
    /// The hour of the first row, counted from 1970.
    pub first_hour: i64,
    /// The hour of the last row.
    pub last_hour: i64,
}

/// Number of rows, hour of the first and of the last.
type RowsInFooter = (usize, i64, i64);

/// The series of a file in the order of their rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SeriesIndex {
    series: Vec<SeriesRows>,
}

impl SeriesIndex {
    /// The series in the order of their rows.
    pub fn series(&self) -> &[SeriesRows] {
        &self.series
    }

    /// Counts in rows that follow those before in the order of the table.
    pub(super) fn add(&mut self, table: &Table, rows: &RecordBatch) {
        let [mn, factor, ..] = table.key else { return };
        let text = |name: &str| rows.column_by_name(name).and_then(|column| column.as_string_view_opt());
        let ts = rows.column_by_name("ts").and_then(|c| c.as_primitive_opt::<TimestampMicrosecondType>());
        let (Some(mn), Some(factor), Some(ts)) = (text(mn), text(factor), ts) else { return };
        let mut start = 0;
        for row in 1..=rows.num_rows() {
            let same = row < rows.num_rows()
                && mn.value(row) == mn.value(start)
                && factor.value(row) == factor.value(start);
            if !same {
                let (first_hour, last_hour) = (hour_of(ts.value(start)), hour_of(ts.value(row - 1)));
                let (mn, factor) = (mn.value(start), factor.value(start));
                self.add_run(mn, factor, row - start, first_hour, last_hour);
                start = row;
            }
        }
    }

    fn add_run(&mut self, mn: &str, factor: &str, rows: usize, first_hour: i64, last_hour: i64) {
        match self.series.last_mut() {
            Some(last) if *last.mn == *mn && *last.factor == *factor => {
                last.rows += rows;
                last.last_hour = last_hour;
            }
            _ => self.series.push(SeriesRows {
                mn: mn.into(),
                factor: factor.into(),
                rows,
                first_hour,
                last_hour,
            }),
        }
    }

    /// As the footer holds it.
    pub(super) fn to_metadata(&self) -> Result<KeyValue> {
        let mut outlets: BTreeMap<&str, BTreeMap<&str, RowsInFooter>> = BTreeMap::new();
        for SeriesRows { mn, factor, rows, first_hour, last_hour } in &self.series {
            outlets.entry(mn).or_default().insert(factor, (*rows, *first_hour, *last_hour));
        }
        let json = serde_json::to_string(&outlets).map_err(std::io::Error::from)?;
        Ok(KeyValue::new(METADATA_KEY.to_owned(), json))
    }

    /// As the footer holds it; `None` where it doesn't. Outlets and factors stand
    /// in the order of their bytes, which is the order of the rows.
    pub(super) fn of_metadata(metadata: &[KeyValue]) -> serde_json::Result<Option<Self>> {
        let Some(json) =
            metadata.iter().find(|entry| entry.key == METADATA_KEY).and_then(|e| e.value.as_ref())
        else {
            return Ok(None);
        };
        let outlets: BTreeMap<String, BTreeMap<String, RowsInFooter>> = serde_json::from_str(json)?;
        let mut factors: HashMap<String, Arc<str>> = HashMap::new();
        let mut series = Vec::new();
        for (mn, rows_of) in outlets {
            let mn: Arc<str> = mn.into();
            for (factor, (rows, first_hour, last_hour)) in rows_of {
                let factor = factors.entry(factor).or_insert_with_key(|factor| factor.as_str().into());
                let (mn, factor) = (Arc::clone(&mn), Arc::clone(factor));
                series.push(SeriesRows { mn, factor, rows, first_hour, last_hour });
            }
        }
        Ok(Some(Self { series }))
    }
}

/// The indexes read so far, by file. Files never change.
#[derive(Debug, Default)]
pub struct SeriesIndexes {
    known: Mutex<HashMap<Path, Option<Arc<SeriesIndex>>>>,
}

impl SeriesIndexes {
    /// The index of a file, if it has one.
    pub async fn of(
        &self,
        reader: &dyn ParquetFileReaderFactory,
        file: &ScanFile,
    ) -> Result<Option<Arc<SeriesIndex>>> {
        if let Some(index) = self.known.lock().await.get(&file.location) {
            return Ok(index.clone());
        }
        let mut partitioned = PartitionedFile::new("", file.file.size);
        partitioned.object_meta.location = file.location.clone();
        let mut reader = reader.create_reader(0, partitioned, None, &ExecutionPlanMetricsSet::new())?;
        // The scan that follows skips pages, for which it needs the page index.
        let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Optional);
        let footer = reader.get_metadata(Some(&options)).await?;
        let metadata = footer.file_metadata().key_value_metadata();
        let index = metadata.map(|metadata| SeriesIndex::of_metadata(metadata)).transpose();
        let index = index.map_err(|error| Error::Input {
            path: file.location.to_string(),
            reason: format!("its series index can't be read ({error}); restore the file"),
        })?;
        let index = index.flatten().map(Arc::new);
        let rows =
            |index: &Arc<SeriesIndex>| index.series.iter().map(|series| series.rows as u64).sum::<u64>();
        if index.as_ref().is_some_and(|index| rows(index) != file.file.rows) {
            return Err(Error::Input {
                path: file.location.to_string(),
                reason: "its series index tells other rows than it has; restore the file".to_owned(),
            });
        }
        self.known.lock().await.insert(file.location.clone(), index.clone());
        Ok(index)
    }

    /// Forgets the files of a folder that are no longer live.
    pub async fn forget_dead(&self, folder: &Path, live: &HashSet<Path>) {
        self.known.lock().await.retain(|path, _| !path.prefix_matches(folder) || live.contains(path));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{ArrayRef, StringViewArray, TimestampMicrosecondArray};
    use plume_datasets::schema::table;
    use plume_udfs::time::HOUR_US;

    /// Rows of outlet, factor and hour.
    fn rows(keys: &[(&str, &str, i64)]) -> RecordBatch {
        let column = |values: Vec<&str>| -> ArrayRef { Arc::new(StringViewArray::from(values)) };
        let ts = TimestampMicrosecondArray::from_iter_values(keys.iter().map(|key| key.2 * HOUR_US + 1));
        let columns = [
            ("mn", column(keys.iter().map(|key| key.0).collect())),
            ("factor", column(keys.iter().map(|key| key.1).collect())),
            ("ts", Arc::new(ts) as ArrayRef),
        ];
        RecordBatch::try_from_iter(columns).unwrap()
    }

    #[test]
    fn series_go_on_over_batches_and_come_back_from_the_footer() {
        let hourly = table("hourly").unwrap();
        let mut index = SeriesIndex::default();
        index.add(hourly, &rows(&[("A", "a00000", 1), ("A", "a00000", 2), ("A", "a21026", 1)]));
        index.add(hourly, &rows(&[("A", "a21026", 9), ("B", "a21026", 3)]));
        let series = |mn: &str, factor: &str, rows, first_hour, last_hour| SeriesRows {
            mn: mn.into(),
            factor: factor.into(),
            rows,
            first_hour,
            last_hour,
        };
        let expected =
            [series("A", "a00000", 2, 1, 2), series("A", "a21026", 2, 1, 9), series("B", "a21026", 1, 3, 3)];
        assert_eq!(index.series(), expected);
        let metadata = index.to_metadata().unwrap();
        assert_eq!(
            metadata.value.as_deref(),
            Some(r#"{"A":{"a00000":[2,1,2],"a21026":[2,1,9]},"B":{"a21026":[1,3,3]}}"#)
        );
        assert_eq!(SeriesIndex::of_metadata(&[metadata]).unwrap(), Some(index));
    }

    #[test]
    fn names_that_json_escapes_come_back() {
        let mut index = SeriesIndex::default();
        index.add(table("hourly").unwrap(), &rows(&[("A\t\"\\", "a\\b", 0)]));
        let metadata = index.to_metadata().unwrap();
        assert_eq!(SeriesIndex::of_metadata(&[metadata]).unwrap(), Some(index));
    }

    #[test]
    fn only_tables_by_outlet_factor_and_time_have_series() {
        assert!(
            ["hourly", "minute", "daily", "conditions"].iter().all(|name| has_series(table(name).unwrap()))
        );
        assert!(!has_series(table("outlets").unwrap()));
    }
}
