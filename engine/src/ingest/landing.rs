//! Sorts rows, tells duplicates, writes files; committed once a file is read.
//!
//! A row is a duplicate if the store has it: with `received_at`, any version with
//! the same values and time; without, the version in force with the same values.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, TimestampMicrosecondArray};
use arrow::compute::{concat_batches, filter_record_batch};
use arrow::datatypes::TimestampMicrosecondType;
use datafusion::execution::object_store::ObjectStoreUrl;
use deltalake_core::kernel::Add;
use plume_datasets::schema::{Partitioning, Table};
use tokio::task::JoinHandle;

use super::Counts;
use super::normalise::nullable_schema;
use crate::Result;
use crate::session::{Session, options};
use crate::store::delta::{Change, DeltaLog, Landed, LiveFile};
use crate::store::scan::{ScanFile, ScanRequest, layer_inputs, scan_files};
use crate::store::table::STORE_URL;
use crate::store::version::{RowComparison, VersionMerge, sort_rows};
use crate::store::writer::{partition_of, write_file};

/// Rows that are sorted at once.
const CHUNK_ROWS: usize = 1 << 20;

/// Rows of one file on their way into one table.
pub(super) struct TableLanding {
    pub(super) table: &'static Table,
    pub(super) counts: Counts,
    log: DeltaLog,
    /// Whether the same input landed before; then every good row is a duplicate.
    before: bool,
    /// When the rows came, where the input doesn't say: one time for all of them, as a row may
    /// wait for the next chunk.
    received_at: i64,
    /// Rows that are sorted at once.
    chunk_rows: usize,
    waiting: Vec<RecordBatch>,
    waiting_rows: usize,
    writes: Vec<JoinHandle<Result<Add>>>,
    adds: Vec<Add>,
}

impl TableLanding {
    pub(super) async fn new(session: &Session, table: &'static Table, id: &str) -> Result<Self> {
        let log = session.snapshots().store().log(table)?;
        let snapshot = session.snapshots().of(&log).await?;
        let before = log.has_landed(&snapshot, &[id.to_owned()]).await?;
        Ok(Self {
            table,
            counts: Counts::default(),
            log,
            before,
            received_at: options::now(),
            chunk_rows: CHUNK_ROWS,
            waiting: Vec::new(),
            waiting_rows: 0,
            writes: Vec::new(),
            adds: Vec::new(),
        })
    }

    /// Takes rows; sorts and writes when enough have come.
    pub(super) async fn push(&mut self, session: &Session, rows: Vec<RecordBatch>) -> Result<()> {
        for rows in rows {
            if self.before {
                self.counts.duplicate += rows.num_rows() as u64;
                continue;
            }
            self.waiting_rows += rows.num_rows();
            self.waiting.push(rows);
        }
        if self.waiting_rows >= self.chunk_rows {
            self.land_chunk(session, false).await?;
        }
        Ok(())
    }

    /// Writes what waits.
    pub(super) async fn finish(&mut self, session: &Session) -> Result<()> {
        self.land_chunk(session, true).await?;
        self.collect_writes().await
    }

    /// Commits the written files.
    pub(super) async fn commit(mut self, id: &str) -> Result<Counts> {
        if self.adds.is_empty() {
            return Ok(self.counts);
        }
        let change =
            Change { adds: self.adds, data_change: true, inputs: vec![id.to_owned()], ..Change::default() };
        if self.log.append(&change).await? == Landed::Before {
            self.counts.duplicate += std::mem::take(&mut self.counts.landed);
        }
        Ok(self.counts)
    }

    async fn collect_writes(&mut self) -> Result<()> {
        for write in self.writes.drain(..) {
            self.adds.push(write.await??);
        }
        Ok(())
    }

    /// Sorts the rows that wait, drops duplicates and writes the rest. Unless it
    /// is the last chunk of a sorted input, the last outlet waits for the next
    /// chunk, so that files don't overlap.
    async fn land_chunk(&mut self, session: &Session, last: bool) -> Result<()> {
        if self.waiting_rows == 0 {
            return Ok(());
        }
        let received_at = self.received_at;
        let (table, first_row) = (self.table, self.counts.landed + self.counts.duplicate);
        let waiting = std::mem::take(&mut self.waiting);
        self.waiting_rows = 0;
        let (mut rows, input_sorted) = tokio::task::spawn_blocking(move || -> Result<_> {
            let rows = with_received_at(table, &waiting, received_at, first_row)?;
            let sorted = sort_rows(table, &rows)?;
            let same = Arc::ptr_eq(sorted.column(0), rows.column(0));
            Ok((sorted, same))
        })
        .await??;
        self.collect_writes().await?;
        if input_sorted && !last {
            let start = start_of_last_outlet(self.table, &rows)?;
            if start > 0 {
                self.waiting_rows = rows.num_rows() - start;
                self.waiting.push(rows.slice(start, self.waiting_rows));
                rows = rows.slice(0, start);
            }
        }
        let keep = self.tell_duplicates(session, &rows).await?;
        let kept = keep.true_count();
        self.counts.duplicate += (rows.num_rows() - kept) as u64;
        self.counts.landed += kept as u64;
        if kept == 0 {
            return Ok(());
        }
        let rows = if kept == rows.num_rows() { rows } else { filter_record_batch(&rows, &keep)? };
        for part in partitions(self.table, rows)? {
            let (objects, table) = (self.log.objects(), self.table);
            self.writes.push(tokio::spawn(async move { write_file(objects.as_ref(), table, part).await }));
        }
        Ok(())
    }

    /// Which of sorted rows are new.
    async fn tell_duplicates(&self, session: &Session, rows: &RecordBatch) -> Result<BooleanArray> {
        let within = RowComparison::new(self.table, rows, rows)?;
        let repeats = |row: usize| {
            row > 0
                && within.key(row - 1, row).is_eq()
                && within.same_received_at(row - 1, row)
                && within.same_values(row - 1, row)
        };
        let mut keep: Vec<bool> = (0..rows.num_rows()).map(|row| !repeats(row)).collect();
        let overlapping = self.overlapping(session, rows).await?;
        if !overlapping.is_empty() {
            self.drop_known(session, rows, overlapping, &mut keep).await?;
        }
        Ok(BooleanArray::from(keep))
    }

    /// Files of the store, and those of this input, that may hold one of the keys.
    async fn overlapping(&self, session: &Session, rows: &RecordBatch) -> Result<Vec<ScanFile>> {
        let mut files = session.snapshots().files(self.table, true).await?;
        let own =
            self.adds.iter().map(|add| LiveFile::of_add(self.table, add)).collect::<Result<Vec<_>>>()?;
        files.extend(scan_files(session.snapshots().store(), &self.log, &own)?);
        let ranges = key_ranges(self.table, rows);
        files.retain(|file| {
            ranges.iter().all(|(name, (least, greatest))| match file.file.ranges.get(*name) {
                Some((min, max)) => {
                    min.partial_cmp(greatest).is_none_or(Ordering::is_le)
                        && least.partial_cmp(max).is_none_or(Ordering::is_le)
                }
                None => true,
            })
        });
        Ok(files)
    }

    /// Marks the rows that the files hold already.
    async fn drop_known(
        &self,
        session: &Session,
        rows: &RecordBatch,
        files: Vec<ScanFile>,
        keep: &mut [bool],
    ) -> Result<()> {
        let schema = self.table.arrow_schema();
        let all: Vec<usize> = (0..schema.fields().len()).collect();
        let request = ScanRequest {
            table: self.table,
            store: ObjectStoreUrl::parse(STORE_URL)?,
            projection: &all,
            split_points: &[],
            key_filter: None,
            as_of: None,
        };
        let task = session.context().task_ctx();
        let streams = layer_inputs(&request, files)?
            .iter()
            .map(|plan| Ok(plan.execute(0, Arc::clone(&task))?))
            .collect::<Result<Vec<_>>>()?;
        let mut known = VersionMerge::new(self.table, streams, None)?;
        let received = received_column(rows);
        let mut window = RecordBatch::new_empty(Arc::clone(&schema));
        let (mut row, mut at_end) = (0, false);
        while row < rows.num_rows() {
            // The window must reach past the row's key, so that all its versions are in it.
            let comparison = RowComparison::new(self.table, rows, &window)?;
            let mut start = 0;
            while row < rows.num_rows() {
                let ends_before =
                    window.num_rows() == 0 || comparison.key(row, window.num_rows() - 1).is_ge();
                if ends_before && !at_end {
                    break;
                }
                while start < window.num_rows() && comparison.key(row, start).is_gt() {
                    start += 1;
                }
                let versions =
                    (start..window.num_rows()).take_while(|known| comparison.key(row, *known).is_eq());
                let given = received.value(row) != self.received_at;
                let is_known = match given {
                    true => versions.clone().any(|known| {
                        comparison.same_received_at(row, known) && comparison.same_values(row, known)
                    }),
                    false => versions.last().is_some_and(|known| comparison.same_values(row, known)),
                };
                keep[row] &= !is_known;
                row += 1;
            }
            if row == rows.num_rows() {
                break;
            }
            let rest = window.slice(start, window.num_rows() - start);
            window = match known.next().await? {
                Some(versions) => {
                    let next = concat_batches(&schema, [&rest, &versions.in_force, &versions.superseded])?;
                    sort_rows(self.table, &next)?
                }
                None => {
                    at_end = true;
                    rest
                }
            };
        }
        Ok(())
    }
}

fn received_column(rows: &RecordBatch) -> TimestampMicrosecondArray {
    rows.column_by_name("received_at")
        .map(|column| column.as_primitive::<TimestampMicrosecondType>().clone())
        .unwrap_or_else(|| TimestampMicrosecondArray::from(Vec::<i64>::new()))
}

/// Rows as one batch, with the time of landing where the input didn't say when a
/// row was received. Where `received_at` is part of the key each row gets its own.
fn with_received_at(
    table: &'static Table,
    batches: &[RecordBatch],
    received_at: i64,
    first_row: u64,
) -> Result<RecordBatch> {
    // Rows that waited for this chunk have their time already, those that came since may lack it.
    let rows = concat_batches(&nullable_schema(table), batches)?;
    let step = i64::from(table.key.contains(&"received_at"));
    let first_row = i64::try_from(first_row).unwrap_or_default();
    let landed_at = |row: usize| received_at + step * (first_row + row as i64);
    let columns = table.all_columns().zip(rows.columns()).map(|(column, values)| -> ArrayRef {
        if column.name != "received_at" || values.null_count() == 0 {
            return Arc::clone(values);
        }
        let values = values.as_primitive::<TimestampMicrosecondType>();
        let filled = values.iter().enumerate().map(|(row, ts)| Some(ts.unwrap_or_else(|| landed_at(row))));
        Arc::new(filled.collect::<TimestampMicrosecondArray>())
    });
    Ok(RecordBatch::try_new(table.arrow_schema(), columns.collect())?)
}

/// Where the rows of the last outlet start.
fn start_of_last_outlet(table: &Table, rows: &RecordBatch) -> Result<usize> {
    let Some(first_key) = table.key.first() else { return Ok(0) };
    let comparison = RowComparison::of_columns(&[first_key], rows, rows)?;
    let last = rows.num_rows() - 1;
    let (mut low, mut high) = (0, last);
    while low < high {
        let middle = low + (high - low) / 2;
        if comparison.key(middle, last).is_lt() { low = middle + 1 } else { high = middle }
    }
    Ok(low)
}

/// Rows split by partition of the store.
fn partitions(table: &'static Table, rows: RecordBatch) -> Result<Vec<RecordBatch>> {
    let (Partitioning::Month(column) | Partitioning::Day(column)) = table.partitioning else {
        return Ok(vec![rows]);
    };
    let Some(times) = rows.column_by_name(column) else { return Ok(vec![rows]) };
    let times = times.as_primitive::<TimestampMicrosecondType>();
    let (Some(first), Some(last)) = (arrow::compute::min(times), arrow::compute::max(times)) else {
        return Ok(vec![rows]);
    };
    if partition_of(table, first) == partition_of(table, last) {
        return Ok(vec![rows]);
    }
    // A month's hours lie together within a series, so a day's partition is looked up once a day.
    let day = |ts: i64| ts.div_euclid(24 * 3_600_000_000);
    let mut last_seen = (day(first), partition_of(table, first));
    let of_row: Vec<i64> = times
        .values()
        .iter()
        .map(|ts| {
            if day(*ts) != last_seen.0 {
                last_seen = (day(*ts), partition_of(table, *ts));
            }
            last_seen.1
        })
        .collect();
    let mut found = of_row.clone();
    found.sort_unstable();
    found.dedup();
    let part = |partition: i64| {
        let mask: BooleanArray = of_row.iter().map(|of_row| Some(*of_row == partition)).collect();
        Ok(filter_record_batch(&rows, &mask)?)
    };
    found.into_iter().map(part).collect()
}

/// Least and greatest value of the key columns that files have ranges of.
fn key_ranges(
    table: &'static Table,
    rows: &RecordBatch,
) -> Vec<(&'static str, (datafusion::scalar::ScalarValue, datafusion::scalar::ScalarValue))> {
    use arrow::compute::{max, max_string_view, min, min_string_view};
    use datafusion::scalar::ScalarValue;
    let text = |value: &str| ScalarValue::Utf8View(Some(value.to_owned()));
    let ts = |value: i64| ScalarValue::TimestampMicrosecond(Some(value), None);
    let range = |name: &'static str| {
        let column = rows.column_by_name(name)?;
        if column.null_count() > 0 {
            return None;
        }
        if let Some(column) = column.as_string_view_opt() {
            return Some((name, (text(min_string_view(column)?), text(max_string_view(column)?))));
        }
        let column = column.as_primitive_opt::<TimestampMicrosecondType>()?;
        Some((name, (ts(min(column)?), ts(max(column)?))))
    };
    table.key.iter().filter_map(|name| range(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::SessionLimits;
    use crate::session::options::PlumeOptions;
    use crate::store::{Store, table_named};
    use arrow::array::{Float64Array, StringViewArray, new_null_array};

    /// Rows of outlets, an hour each, without a time of arrival.
    fn hours(outlets: &[&str]) -> RecordBatch {
        let table = table_named("hourly").unwrap();
        let schema = table.arrow_schema();
        let rows = outlets.len();
        let columns = schema.fields().iter().map(|field| -> ArrayRef {
            match field.name().as_str() {
                "mn" => Arc::new(StringViewArray::from(outlets.to_vec())),
                "factor" => Arc::new(StringViewArray::from(vec!["a21026"; rows])),
                "ts" => Arc::new(TimestampMicrosecondArray::from_iter_values(
                    (0..rows as i64).map(|hour| hour * 3_600_000_000),
                )),
                "value" => Arc::new(Float64Array::from(vec![1.0; rows])),
                "source" => Arc::new(StringViewArray::from(vec!["s"; rows])),
                _ => new_null_array(field.data_type(), rows),
            }
        });
        RecordBatch::try_new(nullable_schema(table), columns.collect()).unwrap()
    }

    /// The last outlet of a sorted chunk waits for the next, and is as new as the others then.
    #[tokio::test(flavor = "multi_thread")]
    async fn rows_that_wait_for_the_next_chunk_are_told_from_known_ones_like_others() {
        let store = Store::at("memory://").unwrap();
        let session = Session::new(store, PlumeOptions::default(), &SessionLimits::default()).await.unwrap();
        let table = table_named("hourly").unwrap();
        let (first, then) = (hours(&["A", "A", "B", "B"]), hours(&["C", "C", "C", "C"]));
        for (id, landed, duplicate) in [("one", 8, 0), ("two", 0, 8)] {
            let mut landing = TableLanding::new(&session, table, id).await.unwrap();
            landing.chunk_rows = 4;
            landing.push(&session, vec![first.clone()]).await.unwrap();
            assert_eq!(landing.waiting_rows, 2);
            // The clock goes on between chunks.
            std::thread::sleep(std::time::Duration::from_millis(1));
            landing.push(&session, vec![then.clone()]).await.unwrap();
            landing.finish(&session).await.unwrap();
            let counts = landing.commit(id).await.unwrap();
            assert_eq!((counts.landed, counts.duplicate), (landed, duplicate), "{id}");
            session.snapshots().refresh().await;
        }
    }
}
