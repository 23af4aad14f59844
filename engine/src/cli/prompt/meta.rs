//! The prompt's own commands: leaving, help, what tables and columns there are.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::util::pretty::pretty_format_batches;
use plume_sql::Entry;

use crate::{Error, Result};

const HELP: &str = "\
SELECT …;      a statement; it ends with ; and may take several lines
\\d, \\dt        tables and views
\\d NAME        the columns of a table, view or table function, with their meaning
SET plume.as_of = '2026-01-31';   see the store as it was known then; '' is now
SET plume.rules = 'NAME';         choose a rule set; '' is each in its time
\\h, help       this
\\q, exit       leave, as Ctrl-D and quit do
Ctrl-C         cancels a running query; clears the line otherwise";

/// A command of the prompt itself. It needs no `;`.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Meta<'a> {
    /// Leaves the prompt.
    Leave,
    /// Tells what can be typed.
    Help,
    /// Lists tables and views.
    Tables,
    /// Lists the columns of what has the name.
    Columns(&'a str),
    /// A backslash with something that is none of these.
    Unknown(&'a str),
}

impl<'a> Meta<'a> {
    /// The command a line is, or `None` where it is SQL.
    pub(super) fn read(line: &'a str) -> Option<Self> {
        let line = line.trim().trim_end_matches(';').trim_end();
        let (word, name) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        match (word.to_ascii_lowercase().as_str(), name.trim()) {
            ("exit" | "quit" | "\\q", "") => Some(Self::Leave),
            ("help" | "\\h", "") => Some(Self::Help),
            ("\\d" | "\\dt", "") => Some(Self::Tables),
            ("\\d", name) => Some(Self::Columns(name)),
            _ => line.starts_with('\\').then_some(Self::Unknown(line)),
        }
    }

    /// What it answers; nothing where it leaves.
    pub(super) fn answer(&self, entries: &[Entry]) -> Result<String> {
        match self {
            Self::Leave => Ok(String::new()),
            Self::Help => Ok(HELP.to_owned()),
            Self::Tables => tables(entries),
            Self::Columns(name) => columns(entries, name),
            Self::Unknown(line) => {
                Err(Error::Usage(format!("there is no command {line}; \\h lists what there is")))
            }
        }
    }
}

fn tables(entries: &[Entry]) -> Result<String> {
    let objects = entries.iter().filter(|e| e.column.is_empty() && e.kind != "function");
    let rows: Vec<_> = objects.map(|e| [e.object.as_str(), e.kind, &e.en, &e.zh]).collect();
    grid(["name", "kind", "meaning", "中文"], &rows)
}

fn columns(entries: &[Entry], name: &str) -> Result<String> {
    let name = name.trim_matches('"');
    let named: Vec<&Entry> = entries.iter().filter(|e| e.object.eq_ignore_ascii_case(name)).collect();
    let Some((object, columns)) = named.split_first() else {
        return Err(Error::Usage(format!(
            "there is no table, view or function '{name}'; \\d lists tables and views"
        )));
    };
    let called = if object.kind == "function" { &object.data_type } else { &object.object };
    let title = format!("{} {called}: {} ({})", object.kind, object.en, object.zh);
    if columns.is_empty() {
        return Ok(title);
    }
    let row = |e: &&'_ Entry| -> [String; 5] {
        [&e.column, &e.data_type, &e.unit, &e.en, &e.zh].map(String::to_owned)
    };
    let rows: Vec<_> = columns.iter().map(row).collect();
    Ok(format!("{title}\n{}", grid(["column", "type", "unit", "meaning", "中文"], &rows)?))
}

/// Rows of text as a table for people.
fn grid<const N: usize, T: AsRef<str>>(header: [&str; N], rows: &[[T; N]]) -> Result<String> {
    let column = |(at, name): (usize, &&'_ str)| -> (String, ArrayRef) {
        let values = rows.iter().map(|row| row.get(at).map(AsRef::as_ref));
        ((*name).to_owned(), Arc::new(values.collect::<StringArray>()))
    };
    let batch = RecordBatch::try_from_iter(header.iter().enumerate().map(column))?;
    Ok(pretty_format_batches(&[batch])?.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_known_with_or_without_a_semicolon_and_sql_is_none() {
        for leave in ["exit", " quit ; ", "\\q", "EXIT;"] {
            assert_eq!(Meta::read(leave), Some(Meta::Leave), "{leave}");
        }
        assert_eq!(Meta::read("help"), Some(Meta::Help));
        assert_eq!(Meta::read("\\h"), Some(Meta::Help));
        assert_eq!(Meta::read("\\d"), Some(Meta::Tables));
        assert_eq!(Meta::read("\\dt;"), Some(Meta::Tables));
        assert_eq!(Meta::read("\\d  hourly ;"), Some(Meta::Columns("hourly")));
        assert_eq!(Meta::read("\\x 1"), Some(Meta::Unknown("\\x 1")));
        for sql in ["", "SELECT 1", "help me", "exit_hours", "quit now;"] {
            assert_eq!(Meta::read(sql), None, "{sql}");
        }
    }

    #[test]
    fn what_is_not_there_is_told_with_the_command_that_lists() {
        let error = |line| Meta::read(line).unwrap().answer(&[]).unwrap_err().to_string();
        assert!(error("\\d nothing").contains("'nothing'; \\d lists"));
        assert!(error("\\x").contains("\\h lists"));
    }
}
