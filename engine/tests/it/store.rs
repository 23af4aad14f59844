//! Versions, duplicates, compaction and as-of, against what the contract says.

use proptest::prelude::*;
use tempfile::tempdir;

use plume_engine::session::options::PlumeOptions;
use plume_engine::session::{Session, SessionLimits};
use plume_engine::store::{Store, compact, upkeep};

use super::{csv_of, land, land_csv, land_province, province, session};

const HEADER: &str = "mn,factor,ts,value,flag,received_at\n";

#[tokio::test(flavor = "multi_thread")]
async fn the_later_received_version_is_in_force_whatever_lands_first() {
    let folder = tempdir().unwrap();
    let first = "A,a21026,2026-01-01 08:00:00,1.0,N,2026-01-01 09:00:00\n";
    let later = "A,a21026,2026-01-01 08:00:00,1.5,N,2026-01-01 11:00:00\n";
    for (name, order) in [("forth", [first, later]), ("back", [later, first])] {
        let session = session(folder.path().join(name).to_str().unwrap()).await;
        for (i, row) in order.iter().enumerate() {
            land_csv(&session, folder.path(), &format!("{name}{i}.csv"), "hourly", &format!("{HEADER}{row}"))
                .await;
        }
        assert_eq!(csv_of(&session, "SELECT value FROM hourly").await, "1.5\n", "{name}");
        session.context().sql("SET plume.as_of = '2026-01-01 10:00:00'").await.unwrap();
        assert_eq!(csv_of(&session, "SELECT value FROM hourly").await, "1.0\n", "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_file_twice_lands_nothing_twice_even_after_a_correction() {
    let folder = tempdir().unwrap();
    let session = session(folder.path().join("store").to_str().unwrap()).await;
    let text = "mn,factor,ts,value,flag\nA,a21026,2026-01-01 08:00:00,1.0,N\n";
    land_csv(&session, folder.path(), "a.csv", "hourly", text).await;
    land_csv(&session, folder.path(), "b.csv", "hourly", &text.replace("1.0", "2.0")).await;
    let again = land(&session, "hourly", &folder.path().join("a.csv")).await.counts;
    assert_eq!((again.read, again.landed, again.duplicate), (1, 0, 1));
    assert_eq!(csv_of(&session, "SELECT value FROM hourly").await, "2.0\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn compaction_changes_no_answer_and_keeps_the_past() {
    let folder = tempdir().unwrap();
    let files = province(&folder.path().join("files"), 12, 40);
    let session = session(folder.path().join("store").to_str().unwrap()).await;
    land_province(&session, &files).await;
    let questions = [
        "SELECT * FROM hourly ORDER BY mn, factor, ts",
        "SELECT * FROM monthly_valid ORDER BY mn, factor, month",
        "SELECT * FROM daily_valid ORDER BY mn, factor, day",
        "SELECT * FROM emissions('2026-01-01', '2026-02-10', 'day') ORDER BY mn, factor, period",
    ];
    let as_of = "SET plume.as_of = '2026-01-20 00:00:00'";
    let mut before = Vec::new();
    for question in questions {
        before.push(csv_of(&session, question).await);
    }
    session.context().sql(as_of).await.unwrap();
    let past = csv_of(&session, questions[0]).await;
    session.context().sql("SET plume.as_of = ''").await.unwrap();
    let done = compact::compact(session.snapshots().store(), session.context(), &|_, _| {}).await.unwrap();
    assert!(done.superseded > 0, "{done:?}");
    for (question, before) in questions.iter().zip(&before) {
        assert_eq!(&csv_of(&session, question).await, before, "{question}");
    }
    session.context().sql(as_of).await.unwrap();
    assert_eq!(csv_of(&session, questions[0]).await, past);
    let checked = upkeep::check(session.snapshots().store(), &|_| {}).await.unwrap();
    assert_eq!(checked.problems, Vec::<String>::new());
}

/// More rows than a file holds, fewer once the versions are told apart: what is left would fit
/// into fewer files than it was written to.
#[tokio::test(flavor = "multi_thread")]
async fn a_second_compaction_does_nothing_until_something_lands() {
    let folder = tempdir().unwrap();
    let session = session("memory://").await;
    let row = |outlet: u32, value: u32| {
        format!("A{outlet:02},a21026,2026-01-01 08:00:00,{value},N,2026-01-01 09:{value:02}:00\n")
    };
    let first: String = (0..40).map(|outlet| row(outlet, 1)).collect();
    let corrected: String = (0..2).map(|outlet| row(outlet, 2)).collect();
    land_csv(&session, folder.path(), "a.csv", "hourly", &format!("{HEADER}{first}")).await;
    land_csv(&session, folder.path(), "b.csv", "hourly", &format!("{HEADER}{corrected}")).await;
    let store = session.snapshots().store();
    let compacted = async || compact::compact_to(store, session.context(), 10, &|_, _| {}).await.unwrap();
    let done = compacted().await;
    assert_eq!((done.files_before, done.rows, done.superseded), (2, 40, 2));
    // Forty-two rows are due eight files; the forty that are left would be due four.
    assert_eq!(done.files_after, 7);
    let again = compacted().await;
    assert_eq!((again.files_before, again.files_after, again.rows), (0, 0, 0));
    land_csv(&session, folder.path(), "c.csv", "hourly", &format!("{HEADER}{}", row(7, 3))).await;
    let third = compacted().await;
    assert_eq!((third.files_before, third.rows, third.superseded), (8, 40, 1));
    assert_eq!(compacted().await.files_before, 0);
    let checked = upkeep::check(store, &|_| {}).await.unwrap();
    assert_eq!(checked.problems, Vec::<String>::new());
    session.snapshots().refresh().await;
    assert_eq!(csv_of(&session, "SELECT count(*), sum(value) FROM hourly").await, "40,44.0\n");
}

/// The file of April starts at outlet B, amid the file of March: two threads cut it there,
/// whether the question names the outlet or not.
#[tokio::test(flavor = "multi_thread")]
async fn months_that_start_at_different_outlets_answer_without_the_outlet() {
    let folder = tempdir().unwrap();
    let session = session("memory://").await;
    let rows = "A,a21026,2026-01-09,1,N,\nB,a21026,2026-01-09,2,N,\nB,a21026,2026-02-09,4,N,\n";
    land_csv(&session, folder.path(), "a.csv", "hourly", &format!("{HEADER}{rows}")).await;
    for (question, due) in [
        ("SELECT count(*) FROM hourly", "3\n"),
        ("SELECT sum(value) FROM hourly", "7.0\n"),
        ("SELECT value, flag FROM hourly ORDER BY value", "1.0,N\n2.0,N\n4.0,N\n"),
        ("SELECT count(*) FROM hourly WHERE value > 1", "2\n"),
        ("SELECT ts::date, count(*) FROM hourly GROUP BY 1 ORDER BY 1", "2026-01-09,2\n2026-02-09,1\n"),
    ] {
        assert_eq!(csv_of(&session, question).await, due, "{question}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_in_memory_works_like_any_other() {
    let folder = tempdir().unwrap();
    let session = session("memory://").await;
    land_csv(
        &session,
        folder.path(),
        "a.csv",
        "hourly",
        &format!("{HEADER}A,a21026,2026-01-01 08:00:00,1.0,N,\n"),
    )
    .await;
    assert_eq!(csv_of(&session, "SELECT mn, value FROM hourly").await, "A,1.0\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_store_answers_with_no_rows() {
    let limits = SessionLimits::default();
    let session =
        Session::new(Store::at("memory://").unwrap(), PlumeOptions::default(), &limits).await.unwrap();
    for question in ["SELECT * FROM hourly", "SELECT * FROM monthly_valid", "SELECT * FROM unregistered"] {
        assert_eq!(csv_of(&session, question).await, "", "{question}");
    }
    assert!(session.sql("DROP TABLE hourly").await.is_err());
}

/// A row of the model: hour, value, minute of arrival.
type ModelRow = (u8, u8, u8);

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Rows dealt to files in any order, some twice, answer as a slow model says:
    /// per hour the latest arrival, of equal arrivals the greatest value.
    #[test]
    fn order_and_repetition_of_arrival_change_nothing(
        rows in prop::collection::vec((0_u8..6, 0_u8..4, 0_u8..4), 1..40),
        cuts in prop::collection::vec(0_usize..40, 0..4),
        compacts in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let answer = runtime.block_on(answer_after(&rows, &cuts, compacts));
        prop_assert_eq!(answer, model(&rows));
    }
}

fn model(rows: &[ModelRow]) -> String {
    let mut in_force = std::collections::BTreeMap::new();
    for (hour, value, minute) in rows {
        let best = in_force.entry(*hour).or_insert((*minute, *value));
        *best = (*best).max((*minute, *value));
    }
    in_force.iter().map(|(hour, (_, value))| format!("{hour},{value}.0\n")).collect()
}

async fn answer_after(rows: &[ModelRow], cuts: &[usize], compacts: bool) -> String {
    let folder = tempdir().unwrap();
    let session = session(folder.path().join("store").to_str().unwrap()).await;
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (rows.len() + 1)).chain([0, rows.len()]).collect();
    cuts.sort_unstable();
    for (i, pair) in cuts.windows(2).enumerate() {
        let mut text = HEADER.replace("received_at", "received_at,source");
        for (hour, value, minute) in &rows[pair[0]..pair[1]] {
            text.push_str(&format!(
                "A,a21026,2026-01-01 {hour:02}:00:00,{value},N,2026-01-02 00:{minute:02}:00,s\n"
            ));
        }
        let counts = land_csv(&session, folder.path(), &format!("{i}.csv"), "hourly", &text).await.counts;
        assert_eq!(counts.read, counts.landed + counts.duplicate + counts.rejected);
    }
    if compacts {
        compact::compact(session.snapshots().store(), session.context(), &|_, _| {}).await.unwrap();
    }
    csv_of(&session, "SELECT date_part('hour', ts)::int, value FROM hourly ORDER BY ts").await
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_received_later_do_not_tell_what_was_due_before() {
    let folder = tempdir().unwrap();
    let session = session("memory://").await;
    let outlets = "mn,since,received_at\nA,2026-01-01,2026-01-01\n";
    let monitors = "mn,factor,received_at\nA,a21026,2026-01-01\n";
    let rows = format!(
        "{HEADER}\
         A,a21026,2026-01-01 00:00:00,1,N,2026-01-01 01:00:00\n\
         B,a21026,2026-01-01 09:00:00,1,N,2026-01-01 10:00:00\n\
         B,a21026,2026-01-03 09:00:00,1,N,2026-01-03 10:00:00\n"
    );
    for (table, text) in [("outlets", outlets), ("monitors", monitors), ("hourly", &rows)] {
        land_csv(&session, folder.path(), &format!("{table}.csv"), table, text).await;
    }
    // Due from midnight to the last hour any outlet had sent by then: ten hours on the first evening.
    let missing = "SELECT count(*) FROM hourly_valid WHERE mn = 'A' AND reason = 'missing'";
    let of_b = "SELECT count(*) FROM hourly_valid WHERE mn = 'B'";
    for compacts in [false, true] {
        if compacts {
            compact::compact(session.snapshots().store(), session.context(), &|_, _| {}).await.unwrap();
        }
        session.context().sql("SET plume.as_of = ''").await.unwrap();
        assert_eq!(csv_of(&session, missing).await, "57\n", "compacted: {compacts}");
        session.context().sql("SET plume.as_of = '2026-01-02'").await.unwrap();
        assert_eq!(csv_of(&session, missing).await, "9\n", "compacted: {compacts}");
        assert_eq!(csv_of(&session, of_b).await, "1\n", "compacted: {compacts}");
    }
}
