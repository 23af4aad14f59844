"""kill -9 at random moments of ingest and compact: nothing lost, nothing half, nothing twice."""

import os
import random
import shutil
import subprocess
import time

import numpy as np
import pandas as pd
import pytest

from conftest import Store, command, long_rows, ok, run, write_csv

KILLS = int(os.environ.get("PLUME_CRASH_KILLS", "20"))
SEED = int(os.environ.get("PLUME_CRASH_SEED", "20260101"))
OUTLETS, HOURS = 12, 2160

ALL_ROWS = ("SELECT mn, factor, ts, value, flag, total FROM hourly ORDER BY mn, factor, ts")
SUMS = ("SELECT mn, factor, count(*) AS n, sum(value) AS s, min(ts) AS lo, max(ts) AS hi "
        "FROM hourly GROUP BY 1, 2 ORDER BY 1, 2")
MONTHS = ("SELECT mn, factor, month, partial_value, valid_days, valid FROM monthly_valid "
          "ORDER BY mn, factor, month")


def batch(n):
    """One file of 25,920 rows; values are eighths, so a sum is exact in any order."""
    rng = np.random.default_rng(n)
    ts = pd.date_range("2026-01-01", periods=HOURS, freq="h")
    frame = pd.concat([
        long_rows(f"CRASH{n:03d}OUT{i:03d}", "a21026", ts, rng.integers(8, 800, HOURS) / 8)
        for i in range(OUTLETS)])
    return frame.assign(total=np.nan)


def killed_after(seconds, *args):
    """Starts plume and kills -9 this one process then; False if it had ended by itself."""
    process = subprocess.Popen(command(*args), stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        code = process.wait(seconds)
        assert code == 0, f"plume {args[0]} ended by itself with {code}"
        return False
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return True


def seconds_of(action):
    start = time.monotonic()
    action()
    return time.monotonic() - start


def counts(store):
    """Rows by file, told by the batch number in the MN."""
    got = store.sql("SELECT substr(mn, 1, 8) AS batch, count(*) AS n FROM hourly GROUP BY 1")
    return dict(zip(got["batch"], got["n"].astype(int)))


def test_kill_9_of_ingest_loses_nothing_committed_and_a_rerun_completes(tmp_path):
    rng = random.Random(SEED)
    store, clean = Store(tmp_path / "store"), Store(tmp_path / "clean")
    files, whole = [], OUTLETS * HOURS
    for n in range(KILLS + 2):
        files.append(write_csv(batch(n), store.scratch / f"batch{n:03d}.csv"))
    length = min(seconds_of(lambda: store.ingest("hourly", files[n])) for n in (0, 1))
    expected = {f"CRASH{n:03d}": whole for n in (0, 1)}
    kills = 0
    for n in range(2, KILLS + 2):
        delay = rng.uniform(0.0, length)
        kills += killed_after(delay, "ingest", "--store", store.path, "--table", "hourly",
                              files[n])
        store.check()
        seen = counts(store)
        fresh = seen.pop(f"CRASH{n:03d}", 0)
        assert seen == expected, f"kill {n} after {delay:.3f} s: committed rows changed"
        assert fresh in (0, whole), f"kill {n} after {delay:.3f} s: {fresh} rows of {whole}"
        report = store.ingest("hourly", files[n])
        assert (report["read"], report["landed"]) == (whole, whole - fresh), (delay, report)
        expected[f"CRASH{n:03d}"] = whole
    assert kills >= KILLS // 2, f"only {kills} of {KILLS} kills met a running ingest"
    assert counts(store) == expected
    clean.ingest("hourly", *files)
    for query in (ALL_ROWS, SUMS, MONTHS):
        assert store.sql_text(query) == clean.sql_text(query)
    store.compact()
    store.check()
    assert store.sql_text(SUMS) == clean.sql_text(SUMS)


@pytest.fixture(scope="module")
def fragmented(tmp_path_factory):
    """Eight files that overlap in outlets and months, and corrections: work for compaction."""
    store = Store(tmp_path_factory.mktemp("fragmented") / "store")
    rows = batch(500)
    for n in range(8):
        store.ingest_frame("hourly", rows.iloc[n::8])
    store.ingest_frame("hourly", rows.iloc[::50].assign(value=0.5))
    return store, store.sql_text(ALL_ROWS), store.sql_text(MONTHS)


def copy_of(store, path):
    shutil.copytree(store.path, path)
    return Store(path)


def test_kill_9_of_compact_changes_no_answer_and_a_rerun_completes(fragmented, tmp_path):
    rng = random.Random(SEED + 1)
    source, rows, months = fragmented
    times = []
    for n in range(2):
        trial = copy_of(source, tmp_path / f"trial{n}")
        times.append(seconds_of(trial.compact))
        assert trial.sql_text(ALL_ROWS) == rows
    kills = 0
    for n in range(KILLS):
        store = copy_of(source, tmp_path / f"store{n}")
        delay = rng.uniform(0.0, min(times))
        kills += killed_after(delay, "compact", "--store", store.path)
        store.check()
        assert store.sql_text(ALL_ROWS) == rows, f"kill {n} after {delay:.3f} s"
        store.compact()
        store.check()
        assert store.sql_text(ALL_ROWS) == rows, f"kill {n}: after the second compaction"
        assert store.sql_text(MONTHS) == months
        # what landed before is still known, so landing it again lands nothing
        if n == KILLS - 1:
            report = store.ingest_frame("hourly", batch(500).iloc[1::8])
            assert report["landed"] == 0, report
        shutil.rmtree(store.path)
    assert kills >= KILLS // 2, f"only {kills} of {KILLS} kills met a running compaction"


def test_kill_9_again_and_again_on_one_store_ends_in_the_clean_result(fragmented, tmp_path):
    """Leftovers of several killed runs pile up in one store; vacuum may drop them."""
    rng = random.Random(SEED + 2)
    source, rows, _ = fragmented
    store = copy_of(source, tmp_path / "store")
    path = write_csv(batch(600), store.scratch / "late.csv")
    trial = copy_of(source, tmp_path / "trial")
    length = seconds_of(lambda: trial.ingest("hourly", path))
    for n in range(6):
        args = (["compact", "--store", store.path] if n % 2 else
                ["ingest", "--store", store.path, "--table", "hourly", path])
        killed_after(rng.uniform(0.0, length), *args)
    store.check()
    ok(run("vacuum", "--store", store.path))
    store.check()
    store.ingest("hourly", path)
    store.compact()
    store.check()
    only = ALL_ROWS.replace(" ORDER", " WHERE mn LIKE 'CRASH500%' ORDER")
    assert store.sql_text(only) == rows
    assert store.count("hourly", "mn LIKE 'CRASH600%'") == OUTLETS * HOURS
