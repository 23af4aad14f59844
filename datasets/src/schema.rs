//! The schema of every table, defined once.
//!
//! The Arrow schema of a scan, the Delta schema of a new table, the check of an
//! ingested file and the data dictionary are all made from these definitions.

mod built_in;
mod columns;
mod tables;

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};

pub use built_in::{BUILT_IN, BuiltIn};
pub use tables::{TABLES, table};

/// The logical type of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnType {
    /// UTF-8 text.
    Text,
    /// A 64-bit float; never NaN or infinite in a store.
    Float,
    /// True or false.
    Bool,
    /// A calendar day.
    Date,
    /// Microseconds of Beijing civil time (UTC+8), without a zone.
    Timestamp,
}

impl ColumnType {
    /// The Arrow type that SQL sees and files hold.
    pub fn arrow(self) -> DataType {
        match self {
            Self::Text => DataType::Utf8View,
            Self::Float => DataType::Float64,
            Self::Bool => DataType::Boolean,
            Self::Date => DataType::Date32,
            Self::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
        }
    }

    /// The name the data dictionary prints.
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "VARCHAR",
            Self::Float => "DOUBLE",
            Self::Bool => "BOOLEAN",
            Self::Date => "DATE",
            Self::Timestamp => "TIMESTAMP",
        }
    }
}

/// One column: what it is called, holds and means.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// Its name in SQL and in files.
    pub name: &'static str,
    /// Its logical type.
    pub kind: ColumnType,
    /// Its unit; empty where it has none, `factor` where the factor decides.
    pub unit: &'static str,
    /// What it means, in English.
    pub en: &'static str,
    /// What it is called in Chinese.
    pub zh: &'static str,
}

/// How the files of a table are partitioned in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Partitioning {
    /// One partition: registries and events.
    Whole,
    /// By calendar month of the named time column.
    Month(&'static str),
    /// By calendar day of the named time column.
    Day(&'static str),
}

/// One table of the store.
#[derive(Debug, Clone, Copy)]
pub struct Table {
    /// Its name in SQL and its folder under `tables/`.
    pub name: &'static str,
    /// What it holds, in English.
    pub en: &'static str,
    /// What it is called in Chinese.
    pub zh: &'static str,
    /// The clause it rests on, with its mark.
    pub clause: &'static str,
    /// The columns that name a row; rows are sorted by them in this order.
    pub key: &'static [&'static str],
    /// The columns in order, without `received_at` and `source`.
    pub columns: &'static [Column],
    /// How its files are partitioned.
    pub partitioning: Partitioning,
}

/// The columns every stored table ends with: when a row was received, and from where.
pub const PROVENANCE: [Column; 2] = [columns::RECEIVED_AT, columns::SOURCE];

impl Table {
    /// All columns, provenance included, in stored order. A key column such as
    /// `packets.received_at` stands once.
    pub fn all_columns(&self) -> impl Iterator<Item = &Column> {
        let own = self.columns;
        own.iter().chain(PROVENANCE.iter().filter(move |p| own.iter().all(|c| c.name != p.name)))
    }

    /// The Arrow schema of the stored rows. Key columns are NOT NULL unless a
    /// missing value means "always" (`since`).
    pub fn arrow_schema(&self) -> SchemaRef {
        let fields: Vec<Field> = self
            .all_columns()
            .map(|c| Field::new(c.name, c.kind.arrow(), self.is_nullable(c.name)))
            .collect();
        Arc::new(Schema::new(fields))
    }

    /// Whether a stored row may lack the column.
    pub fn is_nullable(&self, column: &str) -> bool {
        match column {
            "received_at" | "source" => false,
            "since" => true,
            name => !self.key.contains(&name),
        }
    }

    /// The columns by which rows are sorted: the key, then `received_at`.
    pub fn sort_columns(&self) -> impl Iterator<Item = &'static str> {
        self.key.iter().copied().chain((!self.key.contains(&"received_at")).then_some("received_at"))
    }

    /// The column with the name, if the table has it.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.all_columns().find(|c| c.name == name)
    }

    /// The time column of the key, by which rows are filtered to a period.
    pub fn time_column(&self) -> Option<&'static str> {
        self.key.iter().copied().find(|k| matches!(*k, "ts" | "started" | "since" | "received_at"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_has_its_key_among_its_columns() {
        for table in TABLES {
            for key in table.key {
                assert!(table.column(key).is_some(), "{}.{key}", table.name);
            }
        }
    }

    #[test]
    fn column_names_are_unique_within_a_table_and_described_in_both_languages() {
        for table in TABLES {
            let mut names: Vec<_> = table.all_columns().map(|c| c.name).collect();
            names.sort_unstable();
            let count = names.len();
            names.dedup();
            assert_eq!(names.len(), count, "{}", table.name);
            assert!(table.all_columns().all(|c| !c.en.is_empty() && !c.zh.is_empty()), "{}", table.name);
            assert!(table.clause.ends_with(']'), "{}: a clause carries its mark", table.name);
        }
    }

    #[test]
    fn a_partitioning_column_is_a_time_stamp_of_the_table() {
        for table in TABLES {
            if let Partitioning::Month(name) | Partitioning::Day(name) = table.partitioning {
                assert_eq!(table.column(name).map(|c| c.kind), Some(ColumnType::Timestamp));
            }
        }
    }
}
