"""Order of arrival never changes a result; the last received version is in force; --as-of."""

import time
from datetime import datetime, timedelta, timezone

import numpy as np
import pandas as pd
import pytest

from conftest import Store, long_rows, num, stamp

KEY = ["mn", "factor", "ts"]
QUERIES = {
    "hourly": "SELECT mn, factor, ts, value, total, flag, received_at FROM hourly "
              "ORDER BY mn, factor, ts",
    "hourly_valid": "SELECT mn, factor, ts, value, valid, reason FROM hourly_valid "
                    "ORDER BY mn, factor, ts",
    "daily_valid": "SELECT mn, factor, day, value, partial_value, valid_hours, valid "
                   "FROM daily_valid ORDER BY mn, factor, day",
    "monthly_valid": "SELECT mn, factor, month, partial_value, valid_days, valid "
                     "FROM monthly_valid ORDER BY mn, factor, month",
    "emissions": "SELECT mn, factor, period, measured_kg, measured_hours, capture_rate "
                 "FROM emissions('2026-01-01', '2026-02-01', 'month') ORDER BY mn, factor, period",
}
WIN = ["value", "total", "flag", "received_at"]


def versions():
    """Each key in one to four versions, received days apart; some resent with equal values."""
    rng = np.random.default_rng(8)
    ts = pd.date_range("2026-01-01", "2026-02-01", freq="h", inclusive="left")
    out = []
    for mn in ("VERSIONAIR0001", "VERSIONAIR0002"):
        for factor in ("a00000", "a21026"):
            base = long_rows(mn, factor, ts, np.round(rng.normal(40, 5, len(ts)), 3))
            base["total"] = np.nan
            base["received_at"] = base["ts"] + pd.Timedelta(hours=1, minutes=2)
            out.append(base)
            for days, share in ((3, 0.3), (9, 0.15), (20, 0.05)):
                late = base[rng.random(len(base)) < share].copy()
                late["received_at"] = late["ts"] + pd.Timedelta(days=days)
                kind = rng.integers(0, 3, len(late))
                late.loc[kind == 0, "value"] = np.round(late["value"] * 1.1, 3)
                late.loc[kind == 1, "flag"] = "D"
                out.append(late)  # kind 2: the same values, received again
    return pd.concat(out, ignore_index=True)


def in_force(rows, until=None):
    rows = rows if until is None else rows[rows["received_at"] <= until]
    return (rows.sort_values("received_at", kind="stable")
            .drop_duplicates(KEY, keep="last").sort_values(KEY).reset_index(drop=True))


@pytest.fixture(scope="module")
def all_rows():
    rows = versions()
    assert not rows.duplicated(KEY + ["received_at"]).any()
    return rows


@pytest.fixture(scope="module")
def clean(all_rows, tmp_path_factory):
    """The versions in force alone, sorted, in one go."""
    store = Store(tmp_path_factory.mktemp("clean") / "store")
    winners = in_force(all_rows)
    report = store.ingest_frame("hourly", winners)
    assert (report["landed"], report["duplicate"]) == (len(winners), 0)
    return {name: store.sql_text(query) for name, query in QUERIES.items()}


def land(store, rows, seed, files, compact_after=()):
    """Shuffled, with a fifth of the rows repeated, in several files of random size."""
    rng = np.random.default_rng(seed)
    repeated = pd.concat([rows, rows.sample(frac=0.2, random_state=seed)])
    mixed = repeated.sample(frac=1, random_state=seed + 100)
    cuts = np.sort(rng.choice(np.arange(1, len(mixed)), files - 1, replace=False))
    total = {"read": 0, "landed": 0, "duplicate": 0, "rejected": 0}
    for n, part in enumerate(np.split(np.arange(len(mixed)), cuts)):
        report = store.ingest_frame("hourly", mixed.iloc[part])
        total = {k: v + report[k] for k, v in total.items()}
        if n in compact_after:
            store.compact()
    return total, len(repeated)


ORDERS = {
    "one_shuffled_file": dict(seed=1, files=1),
    "seven_files": dict(seed=2, files=7),
    "seven_files_other_order": dict(seed=3, files=7),
    "compacted_between_and_after": dict(seed=4, files=5, compact_after=(1, 4)),
}


@pytest.fixture(scope="module", params=ORDERS)
def mixed(request, all_rows, tmp_path_factory):
    store = Store(tmp_path_factory.mktemp(request.param) / "store")
    total, read = land(store, all_rows, **ORDERS[request.param])
    assert (total["read"], total["rejected"]) == (read, 0)
    assert total["landed"] == len(all_rows), "each version lands once, each repeat never"
    return store


@pytest.mark.parametrize("query", QUERIES)
def test_shuffled_repeated_corrected_input_gives_the_bytes_of_clean_input(mixed, clean, query):
    assert mixed.sql_text(QUERIES[query]) == clean[query]


def test_the_version_received_last_is_in_force(mixed, all_rows):
    same_as(mixed.sql(QUERIES["hourly"]), in_force(all_rows))


def same_as(got, expected):
    assert len(got) == len(expected)
    for name in ("mn", "factor", "flag"):
        assert list(got[name]) == list(expected[name]), name
    assert (stamp(got["ts"]).to_numpy() == expected["ts"].to_numpy()).all()
    assert (num(got["value"]).to_numpy() == expected["value"].to_numpy()).all()


@pytest.mark.parametrize("moment", ["2026-01-03 12:30:00", "2026-01-15 00:00:30",
                                    "2026-02-01 06:00:00", "2026-03-01 00:00:00"])
def test_as_of_shows_what_was_known_then(mixed, all_rows, moment):
    expected = in_force(all_rows, pd.Timestamp(moment))
    got = mixed.sql(QUERIES["hourly"], as_of=moment.replace(" ", "T"))
    assert 0 < len(expected)
    same_as(got, expected)


def test_as_of_includes_a_row_received_at_that_moment(mixed, all_rows):
    moment = all_rows["received_at"].sort_values().iloc[len(all_rows) // 2]
    expected = in_force(all_rows, moment)
    assert len(expected) > len(in_force(all_rows, moment - pd.Timedelta(seconds=1)))
    same_as(mixed.sql(QUERIES["hourly"], as_of=moment.isoformat()), expected)


def test_as_of_before_anything_was_received_shows_nothing(mixed):
    assert mixed.scalar("SELECT count(*) AS n FROM hourly", as_of="2025-12-31T23:59:59") == "0"


def test_as_of_holds_for_the_views_too(mixed, all_rows, tmp_path):
    """A day as it stood then equals the day of a store that never heard more."""
    moment = pd.Timestamp("2026-01-12 06:00:00")
    then = Store(tmp_path / "then")
    then.ingest_frame("hourly", in_force(all_rows, moment))
    for name in ("hourly_valid", "daily_valid", "emissions"):
        assert mixed.sql_text(QUERIES[name], as_of=moment.isoformat()) == (
            then.sql_text(QUERIES[name])), name


ONE = long_rows("VERSIONONE0001", "a21026", [pd.Timestamp("2026-01-01 05:00")], 1.0)


@pytest.mark.parametrize("first, second", [(3.0, 7.0), (7.0, 3.0)])
def test_of_two_values_received_at_once_in_one_file_the_greater_wins(store, first, second):
    rows = pd.concat([ONE.assign(value=first), ONE.assign(value=second)])
    rows["received_at"] = pd.Timestamp("2026-01-01 06:02")
    report = store.ingest_frame("hourly", rows)
    assert (report["landed"], report["duplicate"]) == (2, 0)
    assert float(store.scalar("SELECT value FROM hourly")) == 7.0


def test_of_two_files_received_at_once_the_order_of_landing_does_not_matter(make_store):
    answers = []
    for order in ((0, 1), (1, 0)):
        store = make_store(f"order{order[0]}")
        files = [ONE.assign(value=v, received_at=pd.Timestamp("2026-01-01 06:02"))
                 for v in (9.0, 4.0)]
        for n in order:
            store.ingest_frame("hourly", files[n], name=f"file{n}.csv")
        answers.append(store.scalar("SELECT value FROM hourly"))
    assert answers[0] == answers[1], answers


def test_equal_values_at_another_received_at_are_a_version_not_a_duplicate(store):
    for minute, landed in (("02", 1), ("03", 1), ("03", 0)):
        report = store.ingest_frame(
            "hourly", ONE.assign(received_at=pd.Timestamp(f"2026-01-01 06:{minute}")))
        assert (report["landed"], report["duplicate"]) == (landed, 1 - landed), minute
    assert store.count("hourly") == 1


def test_without_received_at_a_later_landing_wins_and_an_equal_one_is_a_duplicate(store):
    assert store.ingest_frame("hourly", ONE)["landed"] == 1
    time.sleep(1.1)
    assert store.ingest_frame("hourly", ONE.assign(value=0.5))["landed"] == 1
    assert float(store.scalar("SELECT value FROM hourly")) == 0.5
    equal = ONE.assign(value=0.5, total=np.nan)  # another file, the same row
    report = store.ingest_frame("hourly", equal)
    assert (report["landed"], report["duplicate"]) == (0, 1)
    # the first value again is a correction back, not a repeat
    time.sleep(1.1)
    assert store.ingest_frame("hourly", ONE.assign(eflag=""))["landed"] == 1
    assert float(store.scalar("SELECT value FROM hourly")) == 1.0


def test_as_of_by_commit_time_where_the_input_has_no_received_at(store):
    def beijing_now():
        return datetime.now(timezone(timedelta(hours=8))).replace(tzinfo=None).isoformat()

    before = beijing_now()
    time.sleep(1.1)
    store.ingest_frame("hourly", ONE)
    time.sleep(1.1)
    between = beijing_now()
    time.sleep(1.1)
    store.ingest_frame("hourly", ONE.assign(value=2.0))
    store.compact()
    assert store.scalar("SELECT count(*) AS n FROM hourly", as_of=before) == "0"
    assert float(store.scalar("SELECT value FROM hourly", as_of=between)) == 1.0
    assert float(store.scalar("SELECT value FROM hourly")) == 2.0
