//! Map files: how the columns of an input become the columns of a table.
//!
//! ```toml
//! ts_label = "end"                  # the source labels an interval by its end
//! crc_dialect = "modbus"            # the CRC of packets: hj, modbus or off
//! time_format = "%d/%m/%Y %H.%M.%S" # of text in time columns
//! missing = ["NA", "-200"]          # texts that mean NULL
//!
//! [columns]                         # column of the table = column of the file
//! mn = "station"
//! ts = ["date", "hour"]             # joined by a blank
//!
//! [constants]
//! flag = "N"
//!
//! [scale]                           # values are multiplied
//! value = 1000
//!
//! [wide]                            # a column of the file becomes rows of one factor
//! "SO2 (ppb)" = { factor = "a21026", scale = 2.86 }
//! ```

use std::collections::BTreeMap;
use std::path::Path;

use plume_datasets::schema::Table;
use serde::Deserialize;

use super::hj212::frame::CrcDialect;
use crate::{Error, Result};

/// A map file.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Map {
    /// Whether the source labels an interval by its end.
    #[serde(default)]
    pub ts_label: TsLabel,
    /// Which CRC the source of packets sends.
    #[serde(default)]
    pub crc_dialect: CrcDialect,
    /// The format of text in time columns.
    pub time_format: Option<String>,
    /// Texts that mean NULL.
    #[serde(default)]
    pub missing: Vec<String>,
    /// Column of the table → columns of the file.
    #[serde(default)]
    pub columns: BTreeMap<String, OneOrMore>,
    /// Column of the table → its value in every row.
    #[serde(default)]
    pub constants: BTreeMap<String, String>,
    /// Column of the table → what its values are multiplied by.
    #[serde(default)]
    pub scale: BTreeMap<String, f64>,
    /// Column of the file → the factor whose `value` it holds.
    #[serde(default)]
    pub wide: BTreeMap<String, WideColumn>,
    #[serde(skip)]
    text: String,
}

/// Whether time stamps name the start or the end of an interval.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TsLabel {
    /// The start.
    #[default]
    Start,
    /// The end.
    End,
}

/// One column or several whose texts are joined by a blank.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum OneOrMore {
    /// One column.
    One(String),
    /// Several.
    More(Vec<String>),
}

impl OneOrMore {
    /// The columns.
    pub fn names(&self) -> &[String] {
        match self {
            Self::One(name) => std::slice::from_ref(name),
            Self::More(names) => names,
        }
    }
}

/// What a column of a wide file holds.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WideColumn {
    /// Its factor, or its param in table `conditions`.
    pub factor: String,
    /// What its values are multiplied by.
    #[serde(default = "one")]
    pub scale: f64,
}

fn one() -> f64 {
    1.0
}

impl Map {
    /// Reads a map file for a table.
    pub fn read(path: &Path, table: &Table) -> Result<Self> {
        let wrong = |reason: String| Error::Map { path: path.display().to_string(), reason };
        let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
        let mut map: Self = toml::from_str(&text).map_err(|error| wrong(error.to_string()))?;
        let targets = map.columns.keys().chain(map.constants.keys()).chain(map.scale.keys());
        if let Some(unknown) = targets.into_iter().find(|name| table.column(name).is_none()) {
            return Err(wrong(format!("table {} has no column '{unknown}'", table.name)));
        }
        map.text = text;
        Ok(map)
    }

    /// The text of the file; empty without one.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The columns of the file that a column of the table comes from.
    pub fn sources<'a>(&'a self, column: &'a str) -> Vec<&'a str> {
        match self.columns.get(column) {
            Some(names) => names.names().iter().map(String::as_str).collect(),
            None => vec![column],
        }
    }

    /// The column of the table that a wide column's code goes to.
    pub fn code_column(table: &Table) -> &'static str {
        if table.column("param").is_some() { "param" } else { "factor" }
    }

    /// Whether a file with the columns gives a column of the table.
    pub fn gives(&self, column: &str, names: &[String]) -> bool {
        let wide = !self.wide.is_empty() && matches!(column, "factor" | "param" | "value");
        let has = |name: &&str| names.iter().any(|n| n == name);
        wide || self.constants.contains_key(column) || self.sources(column).iter().all(has)
    }

    /// Whether a column of the file is used.
    pub fn uses(&self, name: &str, table: &Table) -> bool {
        self.wide.contains_key(name)
            || table.all_columns().any(|column| self.sources(column.name).contains(&name))
    }
}
