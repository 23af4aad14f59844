//! The figures that leave the house, and the proof that they can be computed again.
//!
//! An export is a query as of a moment, under rules; its files are a function of
//! these and the store, down to the byte, so that a checksum is enough to verify.
//!
//! | file | holds |
//! |---|---|
//! | `figures` | what is asked of the store, and the rules it rests on |
//! | `rendered`, `workbook` | CSV and Parquet; XLSX |
//! | [`manifest`] | what is written beside the files |
//! | `folder` | where they go: all of them or none |
//! | [`verify`] | computes an export again and tells what differs |

mod figures;
mod folder;
pub mod manifest;
mod rendered;
pub mod verify;
mod workbook;

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::Result;
use crate::session::options::now;
use crate::store::Store;
use figures::Figures;
use manifest::Manifest;

/// What is exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The environmental protection tax (环境保护税申报)
    Tax,
    /// Actual emissions against the permit (排污许可执行情况)
    Permit,
    /// Means, validity and mass by month (监测报表)
    Report,
    /// Daily means beside their limits (信息公开)
    Disclosure,
}

impl Kind {
    /// Its name on the command line and of its file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tax => "tax",
            Self::Permit => "permit",
            Self::Report => "report",
            Self::Disclosure => "disclosure",
        }
    }

    /// The table function it asks.
    fn function(self) -> &'static str {
        match self {
            Self::Tax => "tax_declaration",
            Self::Permit => "permit_totals",
            Self::Report => "report_figures",
            Self::Disclosure => "disclosure",
        }
    }

    /// The columns by which rows are sorted; no two rows agree in all of them.
    fn order(self) -> &'static str {
        match self {
            Self::Tax | Self::Report => "enterprise_id NULLS LAST, mn, month, factor",
            Self::Permit => "enterprise_id NULLS LAST, mn NULLS LAST, factor",
            Self::Disclosure => "enterprise_id NULLS LAST, mn, day, factor",
        }
    }
}

/// The format of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ExportFormat {
    /// With a header; NULL is empty
    Csv,
    /// A workbook with Chinese headers and notes
    Xlsx,
    /// Parquet
    Parquet,
}

impl ExportFormat {
    /// The ending of its files.
    pub fn ending(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Xlsx => "xlsx",
            Self::Parquet => "parquet",
        }
    }
}

/// What an export is computed from, besides the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// What is exported.
    pub kind: Kind,
    /// In which format.
    pub format: ExportFormat,
    /// Of which period: `2026`, `2026Q1`, `2026-01`, `2026-W05` or `2026-01-31`.
    pub period: String,
    /// Rule set and options; empty: each set in its time.
    pub rules: String,
    /// The texts of the rule-set files whose editions stand beside the built-in sets.
    pub rule_files: Vec<String>,
    /// The moment as of which the store is seen, Beijing time.
    pub as_of: String,
}

impl Request {
    /// A request as of now.
    pub fn now(kind: Kind, format: ExportFormat, period: &str, rules: &str, rule_files: Vec<String>) -> Self {
        let as_of = chrono::DateTime::from_timestamp_micros(now()).unwrap_or_default();
        Self {
            kind,
            format,
            period: period.trim().to_uppercase(),
            rules: rules.to_owned(),
            rule_files,
            as_of: as_of.format("%Y-%m-%d %H:%M:%S%.6f").to_string(),
        }
    }

    /// The name of its file.
    fn file_name(&self) -> String {
        format!("{}.{}", self.kind.name(), self.format.ending())
    }
}

/// Computes an export and writes its files and manifest to a folder. Where
/// anything fails the folder is as it was.
pub async fn export(store: Store, request: Request, out: &Path) -> Result<(PathBuf, Manifest)> {
    folder::check(out, &request)?;
    let figures = Figures::compute(store, request).await?;
    let files = figures.render()?;
    let manifest = figures.manifest(&files);
    let path = folder::write(out, &files, &manifest)?;
    Ok((path, manifest))
}
