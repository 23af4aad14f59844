//! Findings as the library gives them: the search, a dismissal, the plan behind both.

use plume_engine::Error;
use plume_engine::findings::{dismiss, extent, find, series};
use plume_engine::session::Session;
use plume_engine::session::period::Period;
use tempfile::tempdir;

use super::{csv_of, land_csv, rows_of, session};

/// NOx of an outlet in January, which stands still for some hours.
const JANUARY: &str = "SELECT 'A' AS mn, 'a21002' AS factor,
    arrow_cast((1767225600 + h * 3600) * 1000000, 'Timestamp(Microsecond, None)') AS ts,
    CASE WHEN h BETWEEN FIRST AND LAST THEN 31.7
      ELSE round(37 + 5 * sin(h / 4.0) + 3 * (((h * 7919) % 101) / 101.0), 2) END AS value, 'N' AS flag
    FROM (SELECT unnest(range(0, 744)) AS h)";

const FROZEN: &str = "SELECT finding_id, dismissed, dismissal FROM fraud_findings('2026-01-01', '2026-02-01')
    WHERE pattern = 'constant_value'";

async fn land_january(session: &Session, first: i64, last: i64) {
    let query = JANUARY.replace("FIRST", &first.to_string()).replace("LAST", &last.to_string());
    let rows = super::csv_with_names(session, &query).await;
    let folder = tempdir().unwrap();
    land_csv(session, folder.path(), &format!("{first}.csv"), "hourly", &rows).await;
}

async fn frozen(session: &Session) -> Vec<String> {
    rows_of(session, FROZEN).await.remove(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dismissal_holds_whatever_becomes_of_the_bounds_and_never_doubles() {
    let session = session("memory://").await;
    assert_eq!(extent(&session).await.unwrap(), None);
    land_january(&session, 216, 263).await;
    let Period { from, to } = Period::parse("2026-01").unwrap();
    assert_eq!(extent(&session).await.unwrap(), Some(from..to));
    let mut ids = Vec::new();
    // Each time the bounds are others, it is a finding of another id, and is dismissed anew.
    for (first, last) in [(216, 263), (215, 263), (217, 270), (200, 262)] {
        land_january(&session, first, last).await;
        let [id, dismissed, _] = frozen(&session).await.try_into().unwrap();
        assert_eq!(dismissed, (!ids.is_empty()).to_string(), "{first} to {last}");
        assert!(!ids.contains(&id));
        let finding = find(&session, &(from..to), &id).await.unwrap();
        let counts = dismiss(&session, &finding, "analyser in test", "lin").await.unwrap();
        assert_eq!((counts.read, counts.landed), (1, 1));
        assert_eq!(frozen(&session).await, [id.clone(), "true".to_owned(), id.clone()]);
        ids.push(id);
    }
    assert_eq!(csv_of(&session, "SELECT count(*) FROM dismissals").await, "4\n");
    // One more, which nobody dismissed and all four overlap: known by the one dismissed last.
    land_january(&session, 218, 269).await;
    let [_, dismissed, dismissal] = frozen(&session).await.try_into().unwrap();
    assert_eq!((dismissed.as_str(), Some(&dismissal)), ("true", ids.last()));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_an_error_and_what_is_has_its_hours() {
    let session = session("memory://").await;
    land_january(&session, 216, 263).await;
    let Period { from, to } = Period::parse("2026-01").unwrap();
    let error = find(&session, &(from..to), "it's; DROP").await.unwrap_err();
    assert!(matches!(error, Error::NoFinding { .. }) && error.to_string().contains("it's; DROP"));
    let id = frozen(&session).await.remove(0);
    let finding = find(&session, &(from..to), &id).await.unwrap();
    assert_eq!(finding.evidence["value"], 31.7);
    let shown = series(&session, &finding).await.unwrap();
    // Two days, with three before and after.
    assert_eq!((shown.values.len(), shown.load), (8 * 24, None));
    assert!(shown.values.iter().all(|(ts, _)| shown.hours.contains(ts)));
    assert!(shown.values.is_sorted_by_key(|(ts, _)| *ts));
}

#[tokio::test(flavor = "multi_thread")]
async fn dismissals_are_joined_by_hash() {
    let session = session("memory://").await;
    land_january(&session, 216, 263).await;
    let folder = tempdir().unwrap();
    let dismissed = "finding_id,reason,mn,factor,pattern,started,ended\n\
                     x,,A,a21002,constant_value,2026-01-09,2026-01-10 01:00:00\n";
    land_csv(&session, folder.path(), "dismissals.csv", "dismissals", dismissed).await;
    let plan = session.sql(FROZEN).await.unwrap().create_physical_plan().await.unwrap();
    let plan = datafusion::physical_plan::displayable(plan.as_ref()).indent(false).to_string();
    // Above the union of what outlets show by themselves and side by side stand the dismissals and the names.
    let (named, _) = plan.split_once("UnionExec").unwrap();
    assert_eq!(named.matches("HashJoinExec").count(), 3, "{plan}");
    for node in ["NestedLoop", "CrossJoin"] {
        assert!(!named.contains(node), "{plan}");
    }
    assert_eq!(plan.matches("rule=pattern_findings").count(), 1, "{plan}");
}
