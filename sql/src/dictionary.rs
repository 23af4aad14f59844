//! The data dictionary (数据字典): every table, view, function and column.
//!
//! Meanings, units and Chinese names come from the schemas, from the heads of
//! `views/` and `functions/` and from the functions' documentation; types come
//! from the session that asks, so that they can't go stale.

use std::fmt::Write;
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Schema};
use datafusion::common::Result;
use datafusion::logical_expr::Documentation;
use datafusion::prelude::SessionContext;
use plume_datasets::schema::{BUILT_IN, TABLES};
use plume_udfs::registry::{aggregate_functions, scalar_functions};
use plume_udfs::validity::Rulebook;

use crate::view::{View, split_chinese, table_functions, views};

/// One line of the dictionary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// `table`, `view` or `function`.
    pub kind: &'static str,
    /// The table, view or function.
    pub object: String,
    /// The column; empty for the object itself.
    pub column: String,
    /// The column's type in SQL, or the function's call.
    pub data_type: String,
    /// Unit; empty where it has none, `factor`, `param` or `unit` where that column decides.
    pub unit: String,
    /// What it means, in English.
    pub en: String,
    /// What it is called in Chinese.
    pub zh: String,
    /// The clause a table, view or function rests on, with its mark.
    pub clause: String,
}

/// Every entry: tables, then views, then functions. Types are those of the session.
pub async fn entries(session: &SessionContext) -> Result<Vec<Entry>> {
    let mut entries = Vec::new();
    let built_in = BUILT_IN.iter().map(|t| (t.name, [t.en, t.zh, t.clause], t.columns.to_vec()));
    let stored = TABLES.iter().map(|t| (t.name, [t.en, t.zh, t.clause], t.all_columns().copied().collect()));
    for (name, head, columns) in stored.chain(built_in) {
        let schema = session.table_provider(name).await?.schema();
        entries.push(object_entry("table", name, head));
        let described = columns.iter().map(|c| (c.name, c.unit, c.en, c.zh));
        entries.extend(column_entries("table", name, described, &schema));
    }
    for view in views() {
        let schema = session.table_provider(view.name).await?.schema();
        entries.extend(view_entries("view", view, &schema));
    }
    entries.extend(function_entries());
    let state = session.state();
    let of_session = SESSION_FUNCTIONS.iter().filter_map(|name| state.scalar_functions().get(*name));
    entries.extend(of_session.map(|function| function_entry(function.name(), function.documentation())));
    for function in table_functions() {
        let rows = session.state().create_logical_plan(&function.sample()).await?;
        entries.extend(view_entries("function", function, rows.schema().as_arrow()));
    }
    Ok(entries)
}

fn object_entry(kind: &'static str, object: &str, [en, zh, clause]: [&str; 3]) -> Entry {
    Entry {
        kind,
        object: object.to_owned(),
        column: String::new(),
        data_type: String::new(),
        unit: String::new(),
        en: en.to_owned(),
        zh: zh.to_owned(),
        clause: clause.to_owned(),
    }
}

/// Columns described by name, unit and both names; the type stays empty where the schema lacks one.
fn column_entries<'a>(
    kind: &'static str,
    object: &str,
    columns: impl Iterator<Item = (&'a str, &'a str, &'a str, &'a str)>,
    schema: &Schema,
) -> Vec<Entry> {
    let entry = |(name, unit, en, zh): (&str, &str, &str, &str)| Entry {
        column: name.to_owned(),
        data_type: schema.field_with_name(name).map_or_else(|_| String::new(), |f| sql_type(f.data_type())),
        unit: unit.to_owned(),
        ..object_entry(kind, object, [en, zh, ""])
    };
    columns.map(entry).collect()
}

/// A view or table function, then its columns.
fn view_entries(kind: &'static str, view: &View, schema: &Schema) -> Vec<Entry> {
    let head = object_entry(kind, view.name, [view.en, view.zh, view.clause]);
    let mut entries = vec![Entry { data_type: view.call.to_owned(), ..head }];
    let described = view.columns.iter().map(|c| (c.name, c.unit, c.en, c.zh));
    entries.extend(column_entries(kind, view.name, described, schema));
    entries
}

/// Scalar functions that only a session has, since they ask for its options.
const SESSION_FUNCTIONS: &[&str] = &["qc_passed", "rule_number", "rule_word"];

/// Scalar and aggregate functions.
fn function_entries() -> Vec<Entry> {
    let scalars = scalar_functions();
    let aggregates = Rulebook::by_date().map(|book| aggregate_functions(&Arc::new(book))).unwrap_or_default();
    let documented = scalars.iter().map(|f| (f.name(), f.documentation()));
    let documented = documented.chain(aggregates.iter().map(|f| (f.name(), f.documentation())));
    documented.map(|(name, documentation)| function_entry(name, documentation)).collect()
}

/// A function's description ends with its Chinese name and, after that sentence, its clause.
fn function_entry(name: &str, documentation: Option<&Documentation>) -> Entry {
    let (description, call) =
        documentation.map_or(("", ""), |d| (d.description.as_str(), d.syntax_example.as_str()));
    let (meaning, clause) = description.rsplit_once(". ").unwrap_or((description, ""));
    let (en, zh) = split_chinese(meaning);
    Entry { data_type: call.to_owned(), ..object_entry("function", name, [en, zh, clause]) }
}

/// The name of a type in SQL.
fn sql_type(kind: &DataType) -> String {
    match kind {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "VARCHAR".to_owned(),
        DataType::Float64 => "DOUBLE".to_owned(),
        DataType::Int64 => "BIGINT".to_owned(),
        DataType::Boolean => "BOOLEAN".to_owned(),
        DataType::Date32 => "DATE".to_owned(),
        DataType::Timestamp(..) => "TIMESTAMP".to_owned(),
        DataType::Decimal128(precision, scale) => format!("DECIMAL({precision},{scale})"),
        other => other.to_string(),
    }
}

/// The dictionary as Markdown: a section an object.
pub fn to_markdown(entries: &[Entry]) -> String {
    let mut out = String::from("# Data dictionary 数据字典\n");
    let mut in_table = false;
    for entry in entries {
        let Entry { kind, object, column, data_type, unit, en, zh, clause } = entry;
        // Writing to a String can't fail.
        let _ = if column.is_empty() {
            let detail = [data_type.as_str(), clause.as_str()].into_iter().filter(|t| !t.is_empty());
            let detail = detail.map(|text| format!(" `{text}`")).collect::<String>();
            write!(out, "\n## {kind} {object} {zh}\n\n{en}.{detail}\n")
        } else {
            // A function without columns has no table.
            let head = if in_table {
                ""
            } else {
                "\n| column | type | unit | meaning | 中文 |\n|---|---|---|---|---|\n"
            };
            writeln!(out, "{head}| `{column}` | {data_type} | {unit} | {en} | {zh} |")
        };
        in_table = !column.is_empty();
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
