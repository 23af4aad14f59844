"""The store on S3: what it promises on a directory it promises there."""

import json
import threading
from contextlib import ExitStack

import boto3
import pytest

from conftest import failed, run, write_csv
from faulty_proxy import FaultyProxy, Hold, older
from s3_store import (BUCKET, Moto, S3Store, assert_once, assert_rows, batch, checked,
                      environment, moto, proxy, result_of, s3, send, stored)

COMMIT = r"/tables/hourly/_delta_log/\d{20}\.json$"
DATA = r"/tables/hourly/.*\.parquet$"


def file_of(store, name, frame):
    return write_csv(frame, store.scratch / name)


def ended(process, seconds=60):
    """The report of a process that must succeed."""
    out, err = process.communicate(timeout=seconds)
    assert process.returncode == 0, f"exit {process.returncode}\n{err.decode()}"
    return json.loads(out.decode().strip().splitlines()[-1])


# ---------------------------------------------------------------- the server under the tests


def test_server_lets_one_of_many_conditional_puts_through(moto, proxy):
    """The ground under all that follows: commits rely on If-None-Match."""
    answers = []

    def put(n):
        answers.append(send(moto.port, "PUT", f"/{BUCKET}/conditional", body=f"writer {n}",
                            headers={"If-None-Match": "*"}))

    threads = [threading.Thread(target=put, args=(n,)) for n in range(16)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert sorted(answers) == [200] + [412] * 15


# ---------------------------------------------------------------- an ordinary day


def test_ingest_sql_compact_vacuum_check_as_on_a_directory(s3, moto, make_store):
    local = make_store("local")
    frames = [batch("DAY1"), batch("DAY2"), batch("DAY1").assign(value=0.5)]
    for n, frame in enumerate(frames):
        reports = [store.ingest("hourly", file_of(store, f"{n}.csv", frame))
                   for store in (s3, local)]
        assert reports[0] == reports[1]
        assert (reports[0]["read"], reports[0]["landed"]) == (len(frame), len(frame))
    corrected = [frames[2], frames[1]]
    assert_rows(s3, *corrected)
    before = checked(s3)
    s3.compact()
    after = checked(s3)
    assert after["files"] < before["files"], (before, after)
    # superseded versions are kept beside the table, so no row is lost: 3 frames of 96
    assert (before["rows"], after["rows"]) == (288, 288)
    assert len(stored(s3, moto)) == 192 and len(stored(s3, moto, "hourly_superseded")) == 96
    assert_rows(s3, *corrected)
    # the files that were merged are still in the log's past, so vacuum keeps them
    assert json.loads(s3.vacuum().out)["files"] == 0
    assert_rows(s3, *corrected)
    for query in ("SELECT count(*) AS n, sum(value) AS s FROM hourly",
                  "SELECT mn, month, partial_value, valid FROM monthly_valid ORDER BY 1, 2"):
        assert s3.sql_text(query) == local.sql_text(query)


@pytest.mark.parametrize("compacted", [False, True])
def test_as_of_shows_what_was_known_then(s3, compacted):
    first = batch("ASOF").assign(received_at="2026-03-01 08:00:00")
    later = first.assign(value=0.25, received_at="2026-03-02 08:00:00")
    for n, frame in enumerate((later, first)):
        s3.ingest("hourly", file_of(s3, f"{n}.csv", frame))
    if compacted:
        s3.compact()
    assert_rows(s3, later)
    assert_rows(s3, first, as_of="2026-03-01 12:00:00")
    assert s3.scalar("SELECT count(*) AS n FROM hourly", as_of="2026-03-01 07:59:59") == "0"


def test_the_same_file_twice_lands_once(s3, moto):
    frame = batch("TWICE")
    path = file_of(s3, "twice.csv", frame)
    assert s3.ingest("hourly", path)["landed"] == 96
    again = s3.ingest("hourly", path)
    assert (again["landed"], again["duplicate"]) == (0, 96)
    renamed = file_of(s3, "renamed.csv", frame.iloc[::-1])
    assert s3.ingest("hourly", renamed)["duplicate"] == 96
    assert_once(s3, moto, frame)


def test_vacuum_drops_old_unreferenced_objects_and_only_those(s3, moto, proxy):
    frame = batch("VACUUM")
    s3.ingest("hourly", file_of(s3, "vacuum.csv", frame))
    left = f"/{BUCKET}/{s3.prefix}/tables/hourly/month=2026-01-01/left-by-a-killed-run.parquet"
    assert send(moto.port, "PUT", left, body=b"half") == 200
    assert checked(s3)["orphans"] == 1
    # it may belong to an ingest that runs now
    assert json.loads(s3.vacuum().out)["files"] == 0
    proxy.on("GET", "list-type=2", older(hours=25), times=None)
    assert json.loads(s3.vacuum().out) == {"files": 1, "bytes": 4}
    assert send(moto.port, "HEAD", left) == 404
    assert checked(s3)["orphans"] == 0
    assert_once(s3, moto, frame)


# ---------------------------------------------------------------- two at once


def test_two_ingests_of_different_files_at_once_both_land(s3, moto):
    """Neither table nor prefix is there yet, so creation is raced for too."""
    frames = {name: batch(name) for name in ("LEFT", "RIGHT")}
    both = [s3.start_ingest("hourly", *[file_of(s3, f"{name}{n}.csv", frame.iloc[n::4])
                                        for n in range(4)])
            for name, frame in frames.items()]
    for process in both:
        report = ended(process)
        assert (report["landed"], report["duplicate"]) == (96, 0)
    assert_once(s3, moto, *frames.values())


def test_two_ingests_of_one_file_at_once_land_it_once(s3, moto):
    frame = batch("SAME")
    path = file_of(s3, "same.csv", frame)
    reports = [ended(process) for process in [s3.start_ingest("hourly", path) for _ in range(2)]]
    assert sorted(report["landed"] for report in reports) == [0, 96], reports
    assert sorted(report["duplicate"] for report in reports) == [0, 96], reports
    assert_once(s3, moto, frame)


def held_at(proxy, pattern, process_of):
    """Starts a process and waits until its next put on the pattern lies in the proxy."""
    hold = Hold()
    rule = proxy.on("PUT", pattern, hold)
    process = process_of()
    hold.wait()
    assert rule.hits == 1
    return process, hold


def test_an_ingest_overtaken_at_its_commit_by_another_lands_after_it(s3, moto, proxy):
    first, slow, fast = batch("FIRST"), batch("SLOW"), batch("FAST")
    s3.ingest("hourly", file_of(s3, "first.csv", first))
    path = file_of(s3, "slow.csv", slow)
    process, hold = held_at(proxy, COMMIT, lambda: s3.start_ingest("hourly", path))
    try:
        assert s3.ingest("hourly", file_of(s3, "fast.csv", fast))["landed"] == 96
    finally:
        hold.release()
    report = ended(process)
    assert (report["landed"], report["duplicate"]) == (96, 0)
    assert_once(s3, moto, first, slow, fast)


def test_an_ingest_overtaken_at_its_commit_by_the_same_file_lands_nothing(s3, moto, proxy):
    first, same = batch("FIRST"), batch("SAME")
    s3.ingest("hourly", file_of(s3, "first.csv", first))
    path = file_of(s3, "same.csv", same)
    process, hold = held_at(proxy, COMMIT, lambda: s3.start_ingest("hourly", path))
    try:
        assert s3.ingest("hourly", path)["landed"] == 96
    finally:
        hold.release()
    report = ended(process)
    assert (report["landed"], report["duplicate"]) == (0, 96)
    assert_once(s3, moto, first, same)


def test_a_compaction_overtaken_by_an_ingest_keeps_its_rows(s3, moto, proxy):
    frames = [batch(f"PART{n}") for n in range(3)]
    for n, frame in enumerate(frames):
        s3.ingest("hourly", file_of(s3, f"{n}.csv", frame))
    late = batch("LATE")
    process, hold = held_at(proxy, COMMIT, lambda: s3.start("compact", "--store", s3.path))
    try:
        assert s3.ingest("hourly", file_of(s3, "late.csv", late))["landed"] == 96
    finally:
        hold.release()
    ended(process)
    assert_once(s3, moto, *frames, late)


def test_a_compaction_overtaken_by_another_doubles_nothing(s3, moto, proxy):
    """With corrections: their older versions move beside the table, once too."""
    frames = [batch(f"PART{n}") for n in range(3)]
    for n, frame in enumerate(frames):
        s3.ingest("hourly", file_of(s3, f"{n}.csv", frame))
    s3.ingest("hourly", file_of(s3, "corrected.csv", frames[0].assign(value=0.5)))
    process, hold = held_at(proxy, COMMIT, lambda: s3.start("compact", "--store", s3.path))
    try:
        s3.compact()
    finally:
        hold.release()
    ended(process)
    assert_once(s3, moto, frames[0].assign(value=0.5), *frames[1:])
    old = stored(s3, moto, "hourly_superseded").drop_duplicates(["mn", "ts", "received_at"])
    assert sorted(old["value"]) == sorted(frames[0]["value"]), "a version is lost"


# ---------------------------------------------------------------- a bad day


def test_a_missing_bucket_is_named(s3, tmp_path):
    path = file_of(s3, "rows.csv", batch("ROWS"))
    store = S3Store("x", tmp_path / "other")
    store.path = "s3://no-such-bucket/prefix"
    for result in (store.try_ingest("hourly", path), store.try_sql("SELECT 1"),
                   run("compact", "--store", store.path), run("check", "--store", store.path),
                   run("vacuum", "--store", store.path)):
        failed(result, naming=["no-such-bucket", "bucket does not exist"])


@pytest.fixture
def guarded(tmp_path, monkeypatch):
    """A server of its own that knows one key; the key."""
    server = Moto()
    try:
        url = f"http://127.0.0.1:{server.port}"
        admin = {"endpoint_url": url, "region_name": "us-east-1",
                 "aws_access_key_id": "admin", "aws_secret_access_key": "admin"}
        boto3.client("s3", **admin).create_bucket(Bucket=BUCKET)
        iam = boto3.client("iam", **admin)
        iam.create_user(UserName="plume")
        allow = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
        iam.put_user_policy(UserName="plume", PolicyName="all", PolicyDocument=json.dumps(
            {"Version": "2012-10-17", "Statement": [allow]}))
        key = iam.create_access_key(UserName="plume")["AccessKey"]
        assert send(server.port, "POST", "/moto-api/reset-auth", body=b"0",
                    headers={"Content-Type": "text/plain"}) == 200

        def use(key, secret):
            for name, value in environment(url, key, secret).items():
                if name.startswith("AWS_"):
                    monkeypatch.setenv(name, value)

        yield use, key["AccessKeyId"], key["SecretAccessKey"]
    finally:
        server.close()


def test_wrong_credentials_are_told_and_land_nothing(guarded, tmp_path):
    use, key, secret = guarded
    store = S3Store("guarded", tmp_path / "scratch")
    path = file_of(store, "rows.csv", batch("ROWS"))
    for wrong, naming in ((("AKIAUNKNOWN", secret), "InvalidAccessKeyId"),
                          ((key, "not-the-secret"), "SignatureDoesNotMatch")):
        use(*wrong)
        for result in (store.try_ingest("hourly", path), store.try_sql("SELECT 1")):
            text = failed(result, naming=[naming])
            assert "not-the-secret" not in text and secret not in text
    # the twin with the right key lands all, so nothing was there
    use(key, secret)
    failed(store.try_sql("SELECT 1"), naming=["there is no store"])
    assert store.ingest("hourly", path)["landed"] == 96
    assert_rows(store, batch("ROWS"))


def dies_at(proxy, method, pattern, nth):
    """The endpoint dies at the n-th such request, before the request is done."""
    def die(exchange):
        threading.Thread(target=proxy.down).start()
        exchange.reset()

    return proxy.on(method, pattern, die, nth=nth)


# Three files in one command, each one commit after the table's own; each has two months, so two
# puts. (What dies, and how many files were committed before.)
DEATHS = {"second-file": ("PUT", DATA, 4, 1), "creation": ("PUT", COMMIT, 1, 0),
          "second-commit": ("PUT", COMMIT, 3, 1)}


def test_endpoint_down_in_the_middle_of_ingests_and_a_compaction(moto, proxy, tmp_path):
    """All at once, each on an endpoint of its own: object_store tries again for seconds to a
    minute, as chance has it, before it gives up."""
    frames = [batch(f"FILE{n}") for n in range(3)]
    paths = [write_csv(frame, tmp_path / f"{n}.csv") for n, frame in enumerate(frames)]
    compacted = S3Store("down-compact", tmp_path / "scratch")
    for path in paths:
        compacted.ingest("hourly", path)
    runs = []
    with ExitStack() as stack:
        for name, (*request, whole_files) in DEATHS.items():
            store = S3Store(f"down-{name}", tmp_path / "scratch")
            own = stack.enter_context(FaultyProxy(moto.port))
            rule = dies_at(own, *request)
            runs.append((store, own, rule, whole_files,
                         store.start_ingest("hourly", *paths, url=own.url)))
        own = stack.enter_context(FaultyProxy(moto.port))
        rule = dies_at(own, "PUT", COMMIT, 1)
        runs.append((compacted, own, rule, 3,
                     compacted.start("compact", "--store", compacted.path, url=own.url)))
        # the endpoint is named, so that a wrong address is seen
        for store, own, rule, _, process in runs:
            failed(result_of(process), naming=["127.0.0.1", str(own.port)])
            assert rule.hits == 1, f"the endpoint of {store.path} never went down"
    for store, _, _, whole_files, _ in runs:
        assert_once(store, moto, *frames[:whole_files])
        report = store.ingest("hourly", *paths)
        there = 96 * whole_files
        assert (report["landed"], report["duplicate"]) == (288 - there, there)
        assert_once(store, moto, *frames)
    before = checked(compacted)["files"]
    compacted.compact()
    assert checked(compacted)["files"] < before
    assert_once(compacted, moto, *frames)
