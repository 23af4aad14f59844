//! The data dictionary against a real session: nothing is missing, nothing is made up.

use std::collections::{BTreeSet, HashMap};

use datafusion::prelude::SessionContext;
use plume_engine::session::Session;
use plume_sql::Entry;

use super::{rows_of, session};

async fn entries(session: &Session) -> Vec<Entry> {
    plume_sql::entries(session.context()).await.unwrap()
}

/// Chinese, as a Chinese name has it.
fn is_chinese(text: &str) -> bool {
    text.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_entry_has_its_meaning_chinese_name_type_clause_and_unit() {
    let session = session("memory://").await;
    for entry in entries(&session).await {
        assert!(!entry.en.is_empty() && is_chinese(&entry.zh), "{entry:?}");
        assert!(!is_chinese(&entry.en), "the Chinese name was not taken apart: {entry:?}");
        if entry.column.is_empty() {
            assert!(entry.clause.ends_with(']'), "a clause carries its mark: {entry:?}");
            let is_called = entry.data_type.starts_with(&format!("{}(", entry.object));
            assert_eq!(is_called, entry.kind == "function", "{entry:?}");
        } else {
            assert!(!entry.data_type.is_empty(), "{entry:?}");
            // Text, times and truths have no unit; every number has one, if only 1.
            let is_number = matches!(entry.data_type.as_str(), "DOUBLE" | "BIGINT");
            assert!(!is_number || !entry.unit.is_empty(), "{entry:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_dictionary_and_the_information_schema_name_the_same_columns() {
    let session = session("memory://").await;
    let seen = "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'";
    let seen: BTreeSet<Vec<String>> = rows_of(&session, seen).await.into_iter().collect();
    let told = entries(&session).await.into_iter().filter(|e| e.kind != "function" && !e.column.is_empty());
    let told: Vec<Vec<String>> = told.map(|e| vec![e.object, e.column]).collect();
    assert_eq!(told.len(), seen.len());
    assert_eq!(told.into_iter().collect::<BTreeSet<_>>(), seen);
    assert!(seen.len() > 200, "{}", seen.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_dictionary_and_the_information_schema_name_the_same_tables_and_views() {
    let session = session("memory://").await;
    let seen = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'";
    let mut seen: Vec<String> = rows_of(&session, seen).await.into_iter().flatten().collect();
    let told = entries(&session).await.into_iter().filter(|e| e.kind != "function" && e.column.is_empty());
    let mut told: Vec<String> = told.map(|e| e.object).collect();
    seen.sort();
    told.sort();
    assert_eq!(told, seen);
}

/// The names that a session has besides DataFusion's own.
fn added<T>(ours: &HashMap<String, T>, theirs: &HashMap<String, T>) -> Vec<String> {
    ours.keys().filter(|name| !theirs.contains_key(*name)).cloned().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_function_of_the_session_is_in_the_dictionary() {
    let session = session("memory://").await;
    let (ours, theirs) = (session.context().state(), SessionContext::new().state());
    let own = [
        added(ours.scalar_functions(), theirs.scalar_functions()),
        added(ours.aggregate_functions(), theirs.aggregate_functions()),
        added(ours.window_functions(), theirs.window_functions()),
        added(ours.table_functions(), theirs.table_functions()),
    ];
    let own: BTreeSet<String> = own.into_iter().flatten().collect();
    let entries = entries(&session).await;
    let told = entries.iter().filter(|e| e.kind == "function" && e.column.is_empty());
    assert_eq!(told.map(|e| e.object.clone()).collect::<BTreeSet<_>>(), own);
}

#[tokio::test(flavor = "multi_thread")]
async fn emissions_has_its_columns_in_the_dictionary_at_every_grain() {
    let session = session("memory://").await;
    let entries = entries(&session).await;
    let told = entries.iter().filter(|e| e.object == "emissions" && !e.column.is_empty());
    let told: Vec<(&str, bool)> =
        told.map(|e| (e.column.as_str(), e.en.starts_with("at grain hour:"))).collect();
    for grain in ["hour", "day", "month", "quarter", "year"] {
        let sql = format!("SELECT * FROM emissions('2026-01-01', '2026-04-01', '{grain}')");
        let frame = session.sql(&sql).await.unwrap();
        let got: Vec<&str> = frame.schema().fields().iter().map(|field| field.name().as_str()).collect();
        let due = told.iter().filter(|(_, of_hours)| grain == "hour" || !of_hours);
        assert_eq!(got, due.map(|(name, _)| *name).collect::<Vec<_>>(), "{grain}");
    }
}

/// What stands for each argument of a table function.
fn argument(name: &str) -> &'static str {
    match name {
        "from" => "'2026-01-01'",
        "to" => "'2026-04-01'",
        "as_of" => "'2026-04-01'",
        "grain" | "level" => "'day'",
        "kind" => "'month'",
        "days" | "min_days" => "3",
        _ => "'2026'",
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_view_and_table_function_can_be_grouped_by_all_its_columns() {
    // Whether a column may be NULL, logical and physical planner need not tell alike; an aggregate over it works all the same.
    let session = session("memory://").await;
    let folder = tempfile::tempdir().unwrap();
    let hour = "mn,factor,ts,value,flag\nA,a21026,2026-01-01 00:00:00,1,N\n";
    super::land_csv(&session, folder.path(), "hour.csv", "hourly", hour).await;
    let entries = entries(&session).await;
    let (mut asked, mut failures) = (0, Vec::new());
    for object in entries.iter().filter(|entry| entry.column.is_empty()) {
        let columns = entries.iter().filter(|e| e.object == object.object && !e.column.is_empty());
        let columns: Vec<&str> = columns
            .filter(|column| !column.en.starts_with("at grain hour:"))
            .map(|column| column.column.as_str())
            .collect();
        let from = match object.kind {
            "view" => object.object.clone(),
            "function" if !columns.is_empty() => {
                let (_, names) = object.data_type.split_once('(').unwrap();
                let names = names.trim_end_matches(')').split(',').map(str::trim);
                format!("{}({})", object.object, names.map(argument).collect::<Vec<_>>().join(", "))
            }
            _ => continue,
        };
        asked += 1;
        // A filter takes the optimizer's rules through the columns' expressions.
        let filter = if columns.contains(&"mn") { "WHERE mn = 'A'" } else { "" };
        let list = format!("\"{}\"", columns.join("\", \""));
        let sql = format!("SELECT {list}, count(*) FROM {from} {filter} GROUP BY {list}");
        let planned = match session.sql(&sql).await {
            Ok(frame) => frame.create_physical_plan().await.map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        if let Err(error) = planned {
            failures.push(format!("{sql}: {error}"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(asked > 35, "{asked}");
}
