//! The data dictionary (数据字典): every table, view, function and column.

use std::fmt::Write;

use datafusion::logical_expr::Documentation;
use plume_datasets::schema::TABLES;
use plume_udfs::registry::{aggregate_functions, scalar_functions};
use plume_udfs::validity::Rulebook;

use crate::view::views;

/// One line of the dictionary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// `table`, `view` or `function`.
    pub kind: &'static str,
    /// The table, view or function.
    pub object: String,
    /// The column; empty for the object itself.
    pub column: String,
    /// Type, or the function's call.
    pub data_type: String,
    /// Unit.
    pub unit: String,
    /// What it means, in English.
    pub en: String,
    /// What it is called in Chinese.
    pub zh: String,
    /// The clause it rests on.
    pub clause: String,
}

/// Table functions: call, meaning, clause.
const TABLE_FUNCTIONS: &[(&str, &str, &str, &str)] = &[(
    "emissions",
    "emissions(from, to, grain)",
    "mass that every outlet emitted, by hour, day, month, quarter or year (排放总量)",
    "HJ 212-2017 eq 32-34 [standard]; HJ 75-2017 12.1.3 [recall]",
)];

/// Every entry: tables, then views, then functions.
pub fn entries() -> Vec<Entry> {
    let mut entries = table_entries();
    entries.extend(view_entries());
    entries.extend(function_entries());
    entries
}

fn entry(kind: &'static str, object: &str) -> Entry {
    Entry {
        kind,
        object: object.to_owned(),
        column: String::new(),
        data_type: String::new(),
        unit: String::new(),
        en: String::new(),
        zh: String::new(),
        clause: String::new(),
    }
}

fn table_entries() -> Vec<Entry> {
    let mut entries = Vec::new();
    for table in TABLES {
        entries.push(Entry {
            en: table.en.to_owned(),
            zh: table.zh.to_owned(),
            ..entry("table", table.name)
        });
        entries.extend(table.all_columns().map(|column| Entry {
            column: column.name.to_owned(),
            data_type: column.kind.name().to_owned(),
            unit: column.unit.to_owned(),
            en: column.en.to_owned(),
            zh: column.zh.to_owned(),
            ..entry("table", table.name)
        }));
    }
    entries
}

/// A title like `what it holds (中文名).` apart.
fn split_title(title: &str) -> (String, String) {
    let title = title.trim_end_matches('.');
    match title.rsplit_once(" (") {
        Some((en, zh)) => (en.to_owned(), zh.trim_end_matches(')').to_owned()),
        None => (title.to_owned(), String::new()),
    }
}

fn view_entries() -> Vec<Entry> {
    let mut entries = Vec::new();
    for view in views() {
        let (en, zh) = split_title(view.title);
        let clause = view.clause.to_owned();
        entries.push(Entry { en, zh, clause, ..entry("view", view.name) });
        entries.extend(view.columns.iter().map(|column| Entry {
            column: column.name.to_owned(),
            en: column.meaning.to_owned(),
            ..entry("view", view.name)
        }));
    }
    entries
}

fn function_entries() -> Vec<Entry> {
    let scalars = scalar_functions();
    let aggregates =
        Rulebook::by_date().map(|book| aggregate_functions(book.at(i64::MAX))).unwrap_or_default();
    let documented = scalars.iter().map(|f| (f.name(), f.documentation()));
    let documented = documented.chain(aggregates.iter().map(|f| (f.name(), f.documentation())));
    let mut entries: Vec<Entry> =
        documented.map(|(name, documentation)| function_entry(name, documentation)).collect();
    entries.extend(TABLE_FUNCTIONS.iter().map(|(name, call, title, clause)| {
        let (en, zh) = split_title(title);
        Entry {
            data_type: (*call).to_owned(),
            en,
            zh,
            clause: (*clause).to_owned(),
            ..entry("function", name)
        }
    }));
    entries
}

/// A function's description ends with its clause, after the last sentence.
fn function_entry(name: &str, documentation: Option<&Documentation>) -> Entry {
    let (description, call) =
        documentation.map_or(("", ""), |d| (d.description.as_str(), d.syntax_example.as_str()));
    let (en, clause) = description.rsplit_once(". ").unwrap_or((description, ""));
    Entry {
        data_type: call.to_owned(),
        en: en.to_owned(),
        clause: clause.to_owned(),
        ..entry("function", name)
    }
}

/// The dictionary as Markdown: a section an object.
pub fn to_markdown(entries: &[Entry]) -> String {
    let mut out = String::from("# Data dictionary 数据字典\n");
    for entry in entries {
        let Entry { kind, object, column, data_type, unit, en, zh, clause } = entry;
        // Writing to a String can't fail.
        let _ = if column.is_empty() {
            let detail = [data_type.as_str(), clause.as_str()].into_iter().filter(|t| !t.is_empty());
            let detail = detail.map(|text| format!(" `{text}`")).collect::<String>();
            write!(
                out,
                "\n## {kind} {object} {zh}\n\n{en}.{detail}\n\n| column | type | unit | meaning | 中文 |\n|---|---|---|---|---|\n"
            )
        } else {
            writeln!(out, "| `{column}` | {data_type} | {unit} | {en} | {zh} |")
        };
    }
    out
}

/// The dictionary as CSV.
pub fn to_csv(entries: &[Entry]) -> String {
    let quote = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    let mut out = String::from("kind,object,column,type,unit,english,chinese,clause\n");
    for e in entries {
        let fields = [e.kind, &e.object, &e.column, &e.data_type, &e.unit, &e.en, &e.zh, &e.clause];
        out.push_str(&fields.map(quote).join(","));
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_object_has_a_meaning_and_every_function_a_clause() {
        for entry in entries() {
            assert!(!entry.en.is_empty(), "{entry:?}");
            if entry.kind == "function" {
                assert!(entry.clause.contains('[') && entry.data_type.contains('('), "{entry:?}");
            }
        }
    }
}
