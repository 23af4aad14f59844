//! `manifest.json`: what an export was computed from, and the checksums of its files.

use std::collections::BTreeMap;
use std::path::Path;

use plume_datasets::rules::RuleSet;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::rendered::Rendered;
use super::{ExportFormat, Kind, Request};
use crate::{Error, Result};

/// The name of the file.
pub const FILE_NAME: &str = "manifest.json";

/// What an export was computed from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The version of plume that made it.
    pub plume: String,
    /// What was exported.
    pub kind: Kind,
    /// Of which period.
    pub period: String,
    /// In which format.
    pub format: ExportFormat,
    /// The moment as of which the store was seen, Beijing time.
    pub as_of: String,
    /// Rule set and options that were asked for; empty: each set in its time.
    pub rules: String,
    /// The texts of the rule-set files that were given.
    #[serde(default)]
    pub rule_files: Vec<String>,
    /// The rule sets in force in the period.
    pub rule_sets: Vec<RuleSetUsed>,
    /// The rules that the figures rest on and nobody confirmed.
    pub unconfirmed_rules: Vec<UnconfirmedRule>,
    /// The version of each table that there was.
    pub tables: BTreeMap<String, u64>,
    /// The query that gives the figures.
    pub query: String,
    /// The files beside it.
    pub files: Vec<FileSum>,
}

/// A rule set in force in the period.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleSetUsed {
    /// Its name.
    pub name: String,
    /// Its Chinese title.
    pub title_zh: String,
    /// First day in force.
    pub valid_from: String,
    /// Last day in force.
    pub valid_to: String,
    /// Whether it went on past its last day.
    pub lapsed: bool,
}

impl RuleSetUsed {
    pub(super) fn of(set: &RuleSet, lapsed: bool) -> Self {
        Self {
            name: set.name.clone(),
            title_zh: set.title_zh.clone(),
            valid_from: set.valid_from.to_string(),
            valid_to: set.valid_to.to_string(),
            lapsed,
        }
    }
}

/// A rule that nobody confirmed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnconfirmedRule {
    /// Its rule set, or the table it is a row of.
    pub rule_set: String,
    /// The rule, or the factor of the row.
    pub key: String,
    /// The number or word it had.
    pub value: String,
    /// The clause it should come from.
    pub clause: String,
    /// `recall` or `default`.
    pub mark: String,
}

/// A file of an export.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileSum {
    /// Its name in the folder.
    pub name: String,
    /// Its rows, without headers.
    pub rows: usize,
    /// Its length.
    pub bytes: usize,
    /// Its SHA-256, in hexadecimal digits.
    pub sha256: String,
}

impl FileSum {
    pub(super) fn of(file: &Rendered) -> Self {
        Self {
            name: file.name.clone(),
            rows: file.rows,
            bytes: file.bytes.len(),
            sha256: sha256(&file.bytes),
        }
    }
}

/// The SHA-256 of bytes, in hexadecimal digits.
pub(super) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Manifest {
    /// Reads a manifest.
    pub fn read(path: &Path) -> Result<Self> {
        let wrong = |reason: String| Error::Input { path: path.display().to_string(), reason };
        let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
        serde_json::from_str(&text).map_err(|error| {
            wrong(format!(
                "it is no manifest of an export: {error}; give the manifest.json that plume export wrote"
            ))
        })
    }

    /// The text of the file.
    pub(super) fn text(&self) -> String {
        let mut text = format!("{:#}", serde_json::json!(self));
        text.push('\n');
        text
    }

    /// What the export was asked for.
    pub fn request(&self) -> Request {
        Request {
            kind: self.kind,
            format: self.format,
            period: self.period.clone(),
            rules: self.rules.clone(),
            rule_files: self.rule_files.clone(),
            as_of: self.as_of.clone(),
        }
    }

    /// Whether it is the manifest of an export of the same figures, at whatever moment and by whatever rules.
    pub(super) fn is_of(&self, request: &Request) -> bool {
        (self.kind, self.format, self.period.as_str()) == (request.kind, request.format, &request.period)
    }
}
