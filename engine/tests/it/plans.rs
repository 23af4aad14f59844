//! Plans over a compacted store: nothing sorts, nothing is hash-joined.

use std::path::Path;

use plume_engine::session::Session;
use plume_engine::store::compact;
use tempfile::tempdir;

use super::{land_province, province, session};

#[tokio::test(flavor = "multi_thread")]
async fn valid_months_and_totals_neither_sort_nor_hash() {
    let folder = tempdir().unwrap();
    let session = compacted_province(folder.path()).await;
    let valid_months = "SELECT mn, factor, month, valid_days, partial_value, valid FROM monthly_valid";
    let totals = "SELECT mn, factor, period, mass_kg FROM emissions('2026-01-01', '2026-02-01', 'month')";
    for (name, sql) in [("valid_months", valid_months), ("totals", totals)] {
        let plan = plan_of(&session, sql).await;
        for node in ["Sort", "HashJoin", "Repartition", "VersionExec", "Aggregate"] {
            assert!(!plan.contains(node), "{node} in\n{plan}");
        }
        insta::assert_snapshot!(name, without_paths(&plan));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_by_outlet_runs_in_the_order_of_the_store() {
    let folder = tempdir().unwrap();
    let session = compacted_province(folder.path()).await;
    let plan = plan_of(&session, "SELECT mn, factor, avg(value) FROM hourly GROUP BY mn, factor").await;
    assert!(plan.contains("ordering_mode=Sorted"), "{plan}");
    assert!(!plan.contains("SortExec"), "{plan}");
}

/// A session over a month of eight outlets, landed and compacted.
async fn compacted_province(folder: &Path) -> Session {
    let files = province(&folder.join("files"), 8, 31);
    let session = session(folder.join("store").to_str().unwrap()).await;
    land_province(&session, &files).await;
    compact::compact(session.snapshots().store(), session.context(), &|_, _| {}).await.unwrap();
    session
}

async fn plan_of(session: &Session, sql: &str) -> String {
    let plan = session.sql(sql).await.unwrap().create_physical_plan().await.unwrap();
    datafusion::physical_plan::displayable(plan.as_ref()).indent(false).to_string()
}

/// A plan without the names of its files.
fn without_paths(plan: &str) -> String {
    let line = |line: &str| match (line.find("file_groups={"), line.find("}, projection")) {
        (Some(start), Some(end)) => format!("{}file_groups=…{}", &line[..start], &line[end + 1..]),
        _ => line.to_owned(),
    };
    plan.lines().map(line).collect::<Vec<_>>().join("\n")
}
