"""S3 through a proxy that does harm: what was acknowledged is there, once, and a re-run completes.

The model is a ledger of files. Exit 0 acknowledges all of a command's files; after exit 1 each
file may be there whole or not at all. An object store can't do better: an answer may be lost
after the deed.
"""

import re
from contextlib import ExitStack

import pandas as pd
import pytest

from conftest import Store, failed, report_of, run, write_csv
from faulty_proxy import (FaultyProxy, Hold, cut, done_after_the_client_left, done_but_500,
                          done_but_silent, lost, older, refused, silent, status)
from s3_store import (BUCKET, S3Store, assert_once, assert_rows, batch, checked, moto, objects,
                      proxy, result_of, s3, stored)

LOG = r"/tables/hourly/_delta_log/"
CREATE, COMMIT, SECOND = LOG + r"0{20}\.json$", LOG + r"0{19}1\.json$", LOG + r"0{19}2\.json$"
DATA = r"/tables/hourly/month.*\.parquet$"
LIST = r"list-type=2&prefix=.*/tables/hourly/"
REQUEST_SECONDS = "1 second"


def assert_file_by_file(store, moto, *frames):
    """Each frame whole or absent; the frames that are there."""
    there = stored(store, moto)
    keys = set(zip(there["mn"], pd.to_datetime(there["ts"])))
    landed = []
    for n, frame in enumerate(frames):
        found = sum(key in keys for key in zip(frame["mn"], frame["ts"]))
        assert found in (0, len(frame)), f"{found} rows of {len(frame)} of file {n}"
        if found:
            landed.append(frame)
    assert_once(store, moto, *landed)
    return landed


# ---------------------------------------------------------------- ingest

# Two files in one command. The second brings half of the first again, so its landing reads the
# first one's data back. (Their rows differ in MN: RODE000 is shared, RODE001, RODE002 are not.)
FIRST = batch("RODE")
SECOND_NEW = batch("RODE", outlets=3).query("mn == 'RODE002'")
SECOND_FILE = pd.concat([FIRST.query("mn == 'RODE000'"), SECOND_NEW], ignore_index=True)
READ, NEW, REPEATED = 96 + 96, 96 + 48, 48

# What a store must ride out: S3 asks its clients to try again on 500, 503 and 409 (two conditional
# puts met), and connections break. (name, method, path, nth, harm)
RIDDEN_OUT = [
    ("503 at a listing", "GET", LIST, 1, status(503, "SlowDown")),
    ("503 at a log entry", "GET", COMMIT, 1, status(503, "SlowDown")),
    ("503 at the first data put", "PUT", DATA, 1, status(503, "SlowDown")),
    ("500 at the first commit", "PUT", COMMIT, 1, status(500)),
    ("409 at the table's creation", "PUT", CREATE, 1, status(409, "ConditionalRequestConflict")),
    ("409 at a commit", "PUT", COMMIT, 1, status(409, "ConditionalRequestConflict")),
    ("reset at the data read back", "GET", DATA, 1, refused),
    ("reset at a data put", "PUT", DATA, 2, refused),
    ("data put done, answer lost", "PUT", DATA, 1, lost),
    ("commit done, 500 answered", "PUT", COMMIT, 1, done_but_500),
    ("no answer to a data put", "PUT", DATA, 1, silent),
]

# Where a client that dares not try again may fail instead.
FAILS_OR_NOT = [
    ("log entry cut off", "GET", COMMIT, 1, cut),
    ("data read back cut off", "GET", DATA, 1, cut),
    ("creation done, answer lost", "PUT", CREATE, 1, lost),
    ("commit reset", "PUT", COMMIT, 1, refused),
    ("commit done, answer lost", "PUT", COMMIT, 1, lost),
    ("no answer to a commit that was done", "PUT", COMMIT, 1, done_but_silent),
    ("commit done after the client left", "PUT", COMMIT, 1, done_after_the_client_left),
]

# What nobody can ride out.
HOPELESS = [
    ("every log entry cut off", "GET", COMMIT, 1, cut),
    ("every commit reset", "PUT", LOG, 1, refused),
]


def by_name(cases):
    return pytest.mark.parametrize("method, path, nth, harm", [c[1:] for c in cases],
                                   ids=[re.sub(r"\W+", "-", c[0]) for c in cases])


def ingest_under(harmed, s3, proxy, monkeypatch):
    """Ingests both files under the harm (method, path, nth, harm, times); their paths."""
    monkeypatch.setenv("AWS_TIMEOUT", REQUEST_SECONDS)
    monkeypatch.setenv("AWS_CONNECT_TIMEOUT", REQUEST_SECONDS)
    paths = [write_csv(frame, s3.scratch / f"{n}.csv")
             for n, frame in enumerate((FIRST, SECOND_FILE))]
    method, path, nth, harm, times = harmed
    rule = proxy.on(method, path, harm, nth=nth, times=times)
    result = s3.try_ingest("hourly", *paths)
    assert rule.hits, f"the harm was never done\n{result}"
    proxy.clear()
    return result, paths


def complete(s3, moto, paths, landed):
    """The same command again, unharmed, brings what is missing."""
    there = len(pd.concat(landed).drop_duplicates(["mn", "ts"])) if landed else 0
    report = s3.ingest("hourly", *paths)
    assert (report["read"], report["landed"]) == (READ, NEW - there)
    assert_once(s3, moto, FIRST, SECOND_FILE)


@by_name(RIDDEN_OUT)
def test_an_ingest_rides_out_one_harm(s3, moto, proxy, monkeypatch, method, path, nth, harm):
    result, _ = ingest_under((method, path, nth, harm, 1), s3, proxy, monkeypatch)
    assert result.code == 0, f"one harm, and the ingest fails\n{result}"
    assert_once(s3, moto, FIRST, SECOND_FILE)
    # nothing was there before, so what is there now has landed now, whatever was tried twice
    report = report_of(result)
    assert (report["landed"], report["duplicate"]) == (NEW, REPEATED)


@by_name(FAILS_OR_NOT)
def test_an_ingest_ends_as_it_says_and_a_rerun_completes(s3, moto, proxy, monkeypatch, method,
                                                         path, nth, harm):
    result, paths = ingest_under((method, path, nth, harm, 1), s3, proxy, monkeypatch)
    if result.code == 0:
        report = report_of(result)
        assert (report["landed"], report["duplicate"]) == (NEW, REPEATED)
        assert_once(s3, moto, FIRST, SECOND_FILE)
        landed = [FIRST, SECOND_FILE]
    else:
        failed(result)
        landed = []
        if stored_table(s3, moto):
            landed = assert_file_by_file(s3, moto, FIRST, SECOND_NEW)
    complete(s3, moto, paths, landed)


@by_name(HOPELESS)
def test_a_hopeless_ingest_says_so_and_a_rerun_completes(s3, moto, proxy, monkeypatch, method,
                                                         path, nth, harm):
    result, paths = ingest_under((method, path, nth, harm, None), s3, proxy, monkeypatch)
    failed(result, naming=["127.0.0.1"] if harm is not cut else [])
    landed = []
    if stored_table(s3, moto):
        landed = assert_file_by_file(s3, moto, FIRST, SECOND_NEW)
    complete(s3, moto, paths, landed)


def test_an_ingest_on_a_store_that_only_errs_says_so_and_a_rerun_completes(moto, proxy, tmp_path):
    """Both at once, each through a proxy of its own: object_store tries again for seconds to a
    minute, as chance has it, before it gives up."""
    cases = {"commits": (LOG, status(500)), "data": (DATA, status(503, "SlowDown"))}
    paths = [write_csv(frame, tmp_path / f"{n}.csv")
             for n, frame in enumerate((FIRST, SECOND_FILE))]
    with ExitStack() as stack:
        runs = []
        for name, (path, harm) in cases.items():
            store = S3Store(f"errs-{name}", tmp_path / "scratch")
            own = stack.enter_context(FaultyProxy(moto.port))
            rule = own.on("PUT", path, harm, times=None)
            runs.append((store, rule, store.start_ingest("hourly", *paths, url=own.url)))
        for store, rule, process in runs:
            failed(result_of(process), naming=["127.0.0.1", "made by the test"])
            assert rule.hits > 1, "it was never tried again"
    for store, _, _ in runs:
        assert not stored_table(store, moto)
        complete(store, moto, paths, [])


def stored_table(s3, moto):
    """Whether the table's first log entry is there; before it there is no store to ask."""
    key = f"{s3.prefix}/tables/hourly/_delta_log/{0:020}.json"
    return key in objects(moto, s3.prefix)[1]


def test_a_rerun_that_overtakes_a_commit_in_a_queue_lands_once(s3, moto, proxy, monkeypatch):
    """The put arrives when the re-run has committed in its place: If-None-Match must refuse it."""
    monkeypatch.setenv("AWS_TIMEOUT", REQUEST_SECONDS)
    path = write_csv(FIRST, s3.scratch / "first.csv")
    hold = Hold()
    proxy.on("PUT", COMMIT, hold)
    result = s3.try_ingest("hourly", path)
    again = s3.ingest("hourly", path)
    hold.release()
    if result.code == 0:
        assert (again["landed"], again["duplicate"]) == (0, 96)
    else:
        failed(result)
        assert (again["landed"], again["duplicate"]) == (96, 0)
    assert_once(s3, moto, FIRST)


def test_rejects_stand_once_when_the_commit_of_their_rows_fails(s3, moto, proxy):
    """Rejects and rows are two commits; the re-run must bring what lacks of either, once."""
    frame = FIRST.assign(flag="N")
    frame.loc[[3, 5], "flag"] = "?"
    path = write_csv(frame, s3.scratch / "rejects.csv")
    proxy.on("PUT", COMMIT, refused, times=None)
    failed(s3.try_ingest("hourly", path))
    proxy.clear()
    report = s3.ingest("hourly", path)
    assert (report["landed"], report["rejected"]) == (94, 2)
    assert s3.count("rejects") == 2
    assert len(stored(s3, moto, "rejects")) == 2
    assert_once(s3, moto, frame.query("flag == 'N'"))


# ---------------------------------------------------------------- reading


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    """Stores that the harms below start from, made on disk: uploading is quicker than landing."""
    folder = tmp_path_factory.mktemp("local")
    corrected = Store(folder / "corrected")
    for n, frame in enumerate((KNOWN_FIRST, OTHER, KNOWN_LATER)):
        corrected.ingest_frame("hourly", frame, name=f"{n}.csv")
    return corrected


KNOWN_FIRST = batch("KNOWN").assign(received_at="2026-03-01 08:00:00")
OTHER = batch("OTHER").assign(received_at="2026-03-01 08:00:00")
KNOWN_LATER = KNOWN_FIRST.assign(value=0.25, received_at="2026-03-02 08:00:00")


def upload(local, s3, moto):
    """A store's paths are relative to it, so its files may be put anywhere."""
    client, _ = objects(moto)
    for path in sorted(local.path.rglob("*")):
        if path.is_file():
            key = f"{s3.prefix}/{path.relative_to(local.path)}"
            client.put_object(Bucket=BUCKET, Key=key, Body=path.read_bytes())


@by_name([
    ("500 at a listing", "GET", LIST, 1, status(500)),
    ("503 at a log entry", "GET", COMMIT, 1, status(503, "SlowDown")),
    ("503 at the data", "GET", DATA, 1, status(503, "SlowDown")),
    ("reset at the data", "GET", DATA, 2, refused),
    ("data lost on its way", "GET", DATA, 1, lost),
    ("data cut off", "GET", DATA, 1, cut),
    ("log entry cut off", "GET", COMMIT, 1, cut),
    ("listing cut off", "GET", LIST, 1, cut),
    ("data not found", "GET", DATA, 1, status(404, "NoSuchKey")),
])
def test_a_query_answers_rightly_or_fails(local, s3, moto, proxy, method, path, nth, harm):
    """Never a short answer: rows that couldn't be read are no rows that aren't there."""
    upload(local, s3, moto)
    for times in (1, None) if harm is cut else (1,):
        rule = proxy.on(method, path, harm, nth=nth, times=times)
        result = s3.try_sql("SELECT count(*) AS n, sum(value) AS s FROM hourly")
        assert rule.hits, f"the harm was never done\n{result}"
        if result.code == 0:
            # corrected rows of 0.25, and the other outlets' as they landed; eighths sum exactly
            want = pd.concat([KNOWN_LATER, OTHER])
            assert result.out.split() == ["n,s", f"{len(want)},{want['value'].sum()}"]
        else:
            failed(result)
            assert not result.out.strip(), f"half an answer\n{result}"
        proxy.clear()


# ---------------------------------------------------------------- compact

BESIDE = r"/tables/hourly_superseded/"


def assert_versions(s3, moto):
    """Both versions of each corrected row are known, at the times they were known."""
    assert checked(s3)["problems"] == []
    assert_rows(s3, KNOWN_LATER, OTHER)
    assert_rows(s3, KNOWN_FIRST, OTHER, as_of="2026-03-01 12:00:00")
    both = pd.concat([stored(s3, moto), stored(s3, moto, "hourly_superseded")])
    versions = both.drop_duplicates(["mn", "factor", "ts", "received_at"])
    assert len(versions) == 96 * 3, "a version is lost"


@by_name([
    ("data read cut off", "GET", DATA, 1, cut),
    ("versions beside done, 500 answered", "PUT", BESIDE + "_delta_log", 2, done_but_500),
    ("versions beside done, answer lost", "PUT", BESIDE + "_delta_log", 2, lost),
    ("commit reset", "PUT", LOG, 1, refused),
    ("commit done, 500 answered", "PUT", LOG, 1, done_but_500),
    ("commit done after the client left", "PUT", LOG, 1, done_after_the_client_left),
])
def test_a_harmed_compaction_changes_no_answer_and_a_rerun_completes(
        local, s3, moto, proxy, monkeypatch, method, path, nth, harm):
    monkeypatch.setenv("AWS_TIMEOUT", REQUEST_SECONDS)
    upload(local, s3, moto)
    rule = proxy.on(method, path, harm, nth=nth)
    result = run("compact", "--store", s3.path)
    assert rule.hits, f"the harm was never done\n{result}"
    proxy.clear()
    if result.code != 0:
        failed(result)
    assert_versions(s3, moto)
    s3.compact()
    assert_versions(s3, moto)
    assert len(stored(s3, moto)) == 96 * 2, "a version in force stands twice"
    assert len(stored(s3, moto, "hourly_superseded")) == 96, "a superseded version stands twice"


def test_vacuum_drops_what_failed_ingests_and_compactions_left(local, s3, moto, proxy):
    upload(local, s3, moto)
    file = write_csv(batch("NEXT"), s3.scratch / "next.csv")
    proxy.on("PUT", LOG, refused, times=None)
    failed(run("compact", "--store", s3.path))
    failed(s3.try_ingest("hourly", file))
    assert checked(s3)["orphans"] >= 3, "two months of the ingest, one or more of the compaction"
    proxy.clear()
    proxy.on("GET", "list-type=2", older(hours=25), times=None)
    s3.vacuum()
    assert checked(s3)["orphans"] == 0
    assert_versions(s3, moto)
    assert s3.ingest("hourly", file)["landed"] == 96


def test_a_hopeless_compaction_says_so_and_changes_nothing(local, s3, moto, proxy):
    upload(local, s3, moto)
    before = objects(moto, f"{s3.prefix}/tables/hourly/_delta_log")[1]
    proxy.on("PUT", LOG, refused, times=None)
    failed(run("compact", "--store", s3.path), naming=["127.0.0.1"])
    assert objects(moto, f"{s3.prefix}/tables/hourly/_delta_log")[1] == before
    proxy.clear()
    assert_versions(s3, moto)


# ---------------------------------------------------------------- checkpoints


@pytest.fixture(scope="module")
def long_log(tmp_path_factory):
    """A store one commit short of its first checkpoint, and what is in it."""
    store = Store(tmp_path_factory.mktemp("long") / "store")
    whole = batch("LONG", hours=24)
    # one commit makes the table, and each file is one more
    store.ingest("hourly", *[write_csv(whole.iloc[[n]], store.scratch / f"{n}.csv")
                             for n in range(len(whole))])
    assert not list(store.path.rglob("*checkpoint*"))
    return store, whole


def test_a_checkpoint_that_fails_fails_no_ingest(long_log, s3, moto, proxy):
    local, known = long_log
    upload(local, s3, moto)
    frame = batch("NEXT")
    file = write_csv(frame, s3.scratch / "next.csv")
    rule = proxy.on("PUT", r"\.checkpoint.*parquet$", status(403, "AccessDenied"), times=None)
    result = s3.try_ingest("hourly", file)
    assert rule.hits, f"no checkpoint was tried\n{result}"
    proxy.clear()
    assert_once(s3, moto, known, frame)
    assert s3.ingest("hourly", file)["duplicate"] == 96
    # the checkpoint only shortens the reading of the log: the rows are committed without it
    assert result.code == 0, f"the rows are in, yet the ingest fails\n{result}"
    assert report_of(result)["landed"] == 96
