//! The SQL behaviour tests of `sql/tests/slt`: each file on a store of its own,
//! in which the statement `land TABLE` followed by CSV lines lands rows. A query in
//! place of the lines lands its rows, by the names of its columns: long series.

use std::path::Path;

use arrow::util::display::{ArrayFormatter, FormatOptions};
use plume_engine::session::Session;
use sqllogictest::{AsyncDB, DBOutput, DefaultColumnType};
use tempfile::{TempDir, tempdir};

use super::{csv_with_names, land_csv, session};

struct Db {
    folder: TempDir,
    session: Session,
    landed: usize,
}

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Failed(String);

#[async_trait::async_trait]
impl AsyncDB for Db {
    type Error = Failed;
    type ColumnType = DefaultColumnType;

    async fn run(&mut self, sql: &str) -> Result<DBOutput<Self::ColumnType>, Self::Error> {
        if let Some((table, csv)) = sql.strip_prefix("land ").and_then(|rest| rest.split_once('\n')) {
            self.landed += 1;
            let name = format!("{}.csv", self.landed);
            let queried;
            let csv = if csv.starts_with("SELECT") || csv.starts_with("WITH") {
                queried = csv_with_names(&self.session, csv).await;
                &queried
            } else {
                csv
            };
            let report = land_csv(&self.session, self.folder.path(), &name, table.trim(), csv).await;
            return Ok(DBOutput::StatementComplete(report.counts.landed));
        }
        let failed = |error: &dyn std::fmt::Display| Failed(error.to_string());
        let batches =
            self.session.sql(sql).await.map_err(|e| failed(&e))?.collect().await.map_err(|e| failed(&e))?;
        let options = FormatOptions::default().with_null("NULL");
        let mut rows = Vec::new();
        for batch in &batches {
            let columns: Vec<ArrayFormatter<'_>> = batch
                .columns()
                .iter()
                .map(|c| ArrayFormatter::try_new(c.as_ref(), &options).unwrap())
                .collect();
            rows.extend(
                (0..batch.num_rows()).map(|row| columns.iter().map(|c| c.value(row).to_string()).collect()),
            );
        }
        let types = vec![DefaultColumnType::Any; batches.first().map_or(0, |batch| batch.num_columns())];
        Ok(DBOutput::Rows { types, rows })
    }

    async fn shutdown(&mut self) {}
}

#[tokio::test(flavor = "multi_thread")]
async fn every_slt_file_passes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sql/tests/slt");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    if let Ok(name) = std::env::var("PLUME_SLT") {
        files.retain(|file| file.to_string_lossy().contains(&name));
    }
    files.sort();
    assert!(!files.is_empty());
    let mut failures = Vec::new();
    for file in files {
        let mut runner = sqllogictest::Runner::new(|| async {
            Ok(Db { folder: tempdir().unwrap(), session: session("memory://").await, landed: 0 })
        });
        if let Err(error) = runner.run_file_async(&file).await {
            failures.push(format!("{}: {error}", file.display()));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
