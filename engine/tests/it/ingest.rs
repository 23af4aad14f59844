//! What lands, what is rejected and where it stood.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use parquet::arrow::ArrowWriter;
use tempfile::tempdir;

use super::{csv_of, land, land_csv, session};

/// A source that went from labels at the end to labels at the start is shifted up to then.
#[tokio::test(flavor = "multi_thread")]
async fn a_label_at_the_end_is_shifted_while_the_registry_says_so() {
    let folder = tempdir().unwrap();
    let session = session("memory://").await;
    let outlets = "mn,since,until,ts_label\nA,2026-01-01,2026-02-01,end\nA,2026-02-01,,start\n\
                   B,,,end\nB,2026-02-01,,start\nC,,,start\n";
    land_csv(&session, folder.path(), "outlets.csv", "outlets", outlets).await;
    let mut rows = "mn,factor,ts,value\n".to_owned();
    for mn in ["A", "B", "C"] {
        for ts in ["2025-12-31 12:00:00", "2026-01-15 12:00:00", "2026-02-15 12:00:00"] {
            rows.push_str(&format!("{mn},a21026,{ts},1\n"));
        }
    }
    land_csv(&session, folder.path(), "hours.csv", "hourly", &rows).await;
    let hours = "SELECT mn, string_agg(date_part('hour', ts)::int::text, ' ' ORDER BY ts) \
                 FROM hourly GROUP BY mn ORDER BY mn";
    assert_eq!(csv_of(&session, hours).await, "A,12 11 12\nB,11 11 12\nC,12 12 12\n");
}

fn write_parquet(path: &Path, ts: TimestampMicrosecondArray) {
    let rows = ts.len();
    let columns: [(&str, ArrayRef); 4] = [
        ("mn", Arc::new(StringArray::from(vec!["A"; rows]))),
        ("factor", Arc::new(StringArray::from(vec!["a21026"; rows]))),
        ("ts", Arc::new(ts)),
        ("value", Arc::new(Float64Array::from(vec![1.0; rows]))),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut writer = ArrowWriter::try_new(File::create(path).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

/// Rows of 65 536 make a batch: the number goes on over batches.
#[tokio::test(flavor = "multi_thread")]
async fn a_reject_of_a_columnar_file_tells_its_row() {
    let folder = tempdir().unwrap();
    let session = session("memory://").await;
    let path = folder.path().join("hours.parquet");
    let hour = |row: i64| (row != 1 && row != 70_000).then_some(row * 3_600_000_000);
    write_parquet(&path, (0..70_001).map(hour).collect());
    let counts = land(&session, "hourly", &path).await.counts;
    assert_eq!((counts.read, counts.landed, counts.rejected), (70_001, 69_999, 2));
    let rejects = "SELECT position, reason FROM rejects ORDER BY position";
    let due = "hours.parquet:row 2,ts is missing\nhours.parquet:row 70001,ts is missing\n";
    assert_eq!(csv_of(&session, rejects).await, due);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_outside_the_calendar_is_a_reject_whatever_its_zone_and_label() {
    let folder = tempdir().unwrap();
    let session = session("memory://").await;
    land_csv(&session, folder.path(), "outlets.csv", "outlets", "mn,ts_label\nA,end\n").await;
    for (name, zone) in [("plain", None), ("zoned", Some("UTC"))] {
        let path = folder.path().join(format!("{name}.parquet"));
        let times = TimestampMicrosecondArray::from(vec![i64::MIN, i64::MIN + 1, i64::MAX, 3_600_000_000]);
        write_parquet(&path, times.with_timezone_opt(zone));
        let counts = land(&session, "hourly", &path).await.counts;
        assert_eq!((counts.read, counts.landed, counts.rejected), (4, 1, 3), "{name}");
    }
    assert_eq!(csv_of(&session, "SELECT count(*) FROM hourly").await, "2\n");
}

/// The calendar's ends are how registries say "always".
#[tokio::test(flavor = "multi_thread")]
async fn the_ends_of_the_calendar_land_in_the_registry() {
    let folder = tempdir().unwrap();
    let session = session("memory://").await;
    let text = "mn,since,until\nA,0001-01-01,9999-12-31\n";
    let counts = land_csv(&session, folder.path(), "outlets.csv", "outlets", text).await.counts;
    assert_eq!((counts.landed, counts.rejected), (1, 0));
}

/// More rejects than may wait: every one stands in the table, once, however often the file comes.
#[tokio::test(flavor = "multi_thread")]
async fn many_rejects_all_stand_in_their_table_once() {
    let folder = tempdir().unwrap();
    let session = session("memory://").await;
    let mut text = "mn,factor,ts,value\n".to_owned();
    (0..40_000).for_each(|row| text.push_str(&format!("A,a21026,2026-01-01 08:00:00,x{row}\n")));
    for _ in 0..2 {
        let counts = land_csv(&session, folder.path(), "a.csv", "hourly", &text).await.counts;
        assert_eq!((counts.read, counts.rejected), (40_000, 40_000));
    }
    let rejects = "SELECT count(*), count(DISTINCT reason), count(DISTINCT received_at) FROM rejects";
    assert_eq!(csv_of(&session, rejects).await, "40000,40000,40000\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_tells_no_source_comes_from_its_file() {
    let folder = tempdir().unwrap();
    let session = session("memory://").await;
    let text = "mn,factor,ts,value,source\nA,a21026,2026-01-01,1,b.csv\nA,a21026,2026-01-02,1,\n";
    let counts = land_csv(&session, folder.path(), "a.csv", "hourly", text).await.counts;
    assert_eq!((counts.landed, counts.rejected), (2, 0));
    assert_eq!(csv_of(&session, "SELECT source FROM hourly ORDER BY ts").await, "b.csv\na.csv\n");
}
