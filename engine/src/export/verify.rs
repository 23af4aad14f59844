//! Computes an export again, as of its moment and under its rules, and tells what differs.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Cursor, Read};
use std::path::Path;

use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use zip::ZipArchive;

use super::ExportFormat;
use super::figures::Figures;
use super::manifest::{Manifest, sha256};
use super::rendered::{self, Rendered};
use crate::store::Store;
use crate::{Error, Result};

/// Characters shown of a row that differs.
const SHOWN: usize = 200;

/// What an export was held against.
#[derive(Debug)]
pub struct Verified {
    /// The manifest.
    pub manifest: Manifest,
    /// What differs; empty: nothing.
    pub differences: Vec<String>,
}

/// Holds the files beside a manifest against its checksums, and both against what the store gives.
pub async fn verify(path: &Path, store: Store) -> Result<Verified> {
    let manifest = Manifest::read(path)?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let figures = Figures::compute(store, manifest.request()).await?;
    let files = figures.render()?;
    let computed = figures.manifest(&files);
    let mut differences = of_tables(&manifest, &computed);
    for file in &files {
        differences.extend(of_file(folder, file, &manifest));
    }
    for extra in manifest.files.iter().filter(|sum| files.iter().all(|file| file.name != sum.name)) {
        differences.push(format!("{}: no such file belongs to the export", extra.name));
    }
    let is_same = [
        ("query", manifest.query == computed.query),
        ("rule_sets", manifest.rule_sets == computed.rule_sets),
        ("unconfirmed_rules", manifest.unconfirmed_rules == computed.unconfirmed_rules),
    ];
    let others = is_same.into_iter().filter(|(_, same)| !same);
    differences
        .extend(others.map(|(field, _)| format!("{}: {field} is another", super::manifest::FILE_NAME)));
    if !differences.is_empty() && manifest.plume != computed.plume {
        differences
            .push(format!("the export was made by plume {}, this is {}", manifest.plume, computed.plume));
    }
    Ok(Verified { manifest, differences })
}

/// Tables at a version before the export's: of another store, or one that was put back.
fn of_tables(manifest: &Manifest, computed: &Manifest) -> Vec<String> {
    let earlier = |(table, version): (&String, &u64)| match computed.tables.get(table) {
        Some(now) if now >= version => None,
        Some(now) => Some(format!("table {table} is at version {now}, before the export's {version}")),
        None => Some(format!("table {table} is not in the store")),
    };
    manifest.tables.iter().filter_map(earlier).collect()
}

/// What is wrong with a file, if anything.
fn of_file(folder: &Path, computed: &Rendered, manifest: &Manifest) -> Option<String> {
    let name = &computed.name;
    let Some(sum) = manifest.files.iter().find(|sum| sum.name == *name) else {
        return Some(format!("{name}: the manifest doesn't name it"));
    };
    let bytes = match fs::read(folder.join(name)) {
        Ok(bytes) => bytes,
        Err(error) => return Some(format!("{name}: {error}")),
    };
    let (found, due) = (sha256(&bytes), sha256(&computed.bytes));
    let what = match (found == sum.sha256, due == sum.sha256) {
        (true, true) if sum.rows == computed.rows && sum.bytes == computed.bytes.len() => return None,
        (true, true) => return Some(format!("{name}: the manifest tells other rows or bytes")),
        (false, true) => "it was changed after the export",
        (true, false) => "the store gives other figures",
        (false, false) if found == due => "the manifest has another checksum",
        (false, false) => "it was changed after the export, and the store gives other figures",
    };
    let place = first_difference(manifest.format, &bytes, &computed.bytes);
    Some(format!("{name}: {what}{}", place.map(|place| format!("; {place}")).unwrap_or_default()))
}

/// Where two files differ first.
fn first_difference(format: ExportFormat, found: &[u8], due: &[u8]) -> Option<String> {
    if found == due {
        return None;
    }
    match format {
        ExportFormat::Csv => row_that_differs(found, due),
        ExportFormat::Parquet => match (rows_of_parquet(found), rows_of_parquet(due)) {
            (Ok(found), Ok(due)) => row_that_differs(&found, &due),
            _ => Some("it can't be read any more".to_owned()),
        },
        ExportFormat::Xlsx => match (parts_of_workbook(found), parts_of_workbook(due)) {
            (Ok(found), Ok(due)) => part_that_differs(&found, &due),
            _ => Some("it can't be read any more".to_owned()),
        },
    }
}

fn rows_of_parquet(bytes: &[u8]) -> Result<Vec<u8>> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(Bytes::copy_from_slice(bytes))?;
    let schema = std::sync::Arc::clone(reader.schema());
    let batches = reader.build()?.collect::<Result<Vec<_>, _>>()?;
    rendered::csv(&arrow::compute::concat_batches(&schema, &batches)?)
}

/// The first line of two texts that differs; the header is row 0.
fn row_that_differs(found: &[u8], due: &[u8]) -> Option<String> {
    let (found, due) = (String::from_utf8_lossy(found), String::from_utf8_lossy(due));
    let (mut found, mut due) = (found.lines(), due.lines());
    let mut row = 0_usize;
    loop {
        match (found.next(), due.next()) {
            (None, None) => return None,
            (a, b) if a == b => row += 1,
            (a, b) => {
                return Some(format!("row {row} is {}, and {} when computed again", shown(a), shown(b)));
            }
        }
    }
}

/// A line, or its beginning.
fn shown(line: Option<&str>) -> String {
    match line {
        None => "absent".to_owned(),
        Some(line) if line.chars().count() > SHOWN => {
            format!("'{}…'", line.chars().take(SHOWN).collect::<String>())
        }
        Some(line) => format!("'{line}'"),
    }
}

/// The files within a workbook.
fn parts_of_workbook(bytes: &[u8]) -> Result<BTreeMap<String, String>> {
    let unreadable = |error: zip::result::ZipError| Error::Usage(error.to_string());
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(unreadable)?;
    let mut parts = BTreeMap::new();
    for at in 0..archive.len() {
        let mut part = archive.by_index(at).map_err(unreadable)?;
        let mut text = String::new();
        part.read_to_string(&mut text)?;
        parts.insert(part.name().to_owned(), text);
    }
    Ok(parts)
}

/// The first part of two workbooks that differs, and the row where it is a sheet.
fn part_that_differs(found: &BTreeMap<String, String>, due: &BTreeMap<String, String>) -> Option<String> {
    let sheets_first = |name: &&String| !name.starts_with("xl/worksheets/");
    let mut names: Vec<&String> = due.keys().chain(found.keys()).collect();
    names.sort_by_key(|name| (sheets_first(name), name.as_str()));
    let name = names.into_iter().find(|name| found.get(*name) != due.get(*name))?;
    let rows = |parts: &BTreeMap<String, String>| -> Vec<String> {
        parts.get(name).map(|text| text.split("<row ").map(str::to_owned).collect()).unwrap_or_default()
    };
    let (found, due) = (rows(found), rows(due));
    let row = (0..found.len().max(due.len())).find(|row| found.get(*row) != due.get(*row))?;
    Some(format!("{name} differs at row {row}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_row_that_differs_is_told() {
        let told = |found: &str, due: &str| row_that_differs(found.as_bytes(), due.as_bytes());
        assert_eq!(told("a,b\n1,2\n", "a,b\n1,2\n"), None);
        assert_eq!(
            told("a,b\n1,2\n3,4\n", "a,b\n1,2\n3,5\n").unwrap(),
            "row 2 is '3,4', and '3,5' when computed again"
        );
        assert_eq!(told("a\n", "a\n1\n").unwrap(), "row 1 is absent, and '1' when computed again");
    }
}
