"""A disk that fills up: one error that says so and where, nothing half landed, and no space lost.

The disk is a tmpfs of a few pages, grown page by page until the command succeeds, so that each
write of the command meets the full disk once. Mounting needs root.
"""

import json
import os
import resource
import subprocess
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from conftest import Result, Store, command, failed, long_rows, ok, report_of, run, write_csv

PAGE = os.sysconf("SC_PAGE_SIZE")
DAY = 24 * 3600
ALL_ROWS = "SELECT mn, ts, value FROM hourly ORDER BY mn, ts"
FULL = "No space left on device"


class Disk:
    """A tmpfs whose size and number of files can change while it is in use."""

    def __init__(self, path):
        self.path = Path(path)
        self.path.mkdir()
        self._mount("-t", "tmpfs", "-o", "size=64m", "tmpfs")

    def _mount(self, *args):
        done = subprocess.run(["mount", *args, str(self.path)], capture_output=True, text=True)
        if done.returncode == 0:
            return
        reason = f"no tmpfs can be mounted: {done.stderr.strip()}"
        # root that may not mount is a CI that is set up wrongly, and would skip for ever
        if os.environ.get("CI") == "true":
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)

    def leave(self, pages):
        """Makes the disk so large that just so many pages are free."""
        state = os.statvfs(self.path)
        used = (state.f_blocks - state.f_bfree) * state.f_frsize
        # a size of 0 would mean without bound
        self._mount("-o", f"remount,size={max(used + pages * PAGE, PAGE)}")

    def leave_files(self, n):
        """Room for just so many more files and folders."""
        state = os.statvfs(self.path)
        self._mount("-o", f"remount,nr_inodes={state.f_files - state.f_ffree + n}")

    def grow(self):
        self._mount("-o", "remount,size=64m,nr_inodes=100000")

    def unmount(self):
        subprocess.run(["umount", "-l", str(self.path)], check=True)


@pytest.fixture
def disk(tmp_path):
    if os.geteuid() != 0:
        pytest.skip("mounting a tmpfs needs root")
    disk = Disk(tmp_path / "disk")
    try:
        yield disk
    finally:
        disk.unmount()


@pytest.fixture
def store(disk, tmp_path):
    """On the small disk; its inputs lie elsewhere."""
    store = Store(disk.path / "store")
    store.scratch = tmp_path / "inputs"
    store.scratch.mkdir()
    return store


def batch(name, hours=48, value=None):
    """Two outlets, two months; eighths, exact in text."""
    ts = pd.date_range("2026-01-31", periods=hours, freq="h")
    values = [k % 97 / 8 + 1 for k in range(hours)]
    return pd.concat([long_rows(f"{name}{n}", "a21026", ts, values if value is None else value)
                      for n in range(2)], ignore_index=True)


def incompressible(name, rows):
    """Random doubles: eight bytes a row whatever the encoding."""
    rng = np.random.default_rng(len(name))
    ts = pd.date_range("2026-01-01", periods=rows // 40, freq="h")
    return pd.concat([long_rows(f"{name}{n:03d}", "a21026", ts, rng.random(len(ts)))
                      for n in range(40)], ignore_index=True)


def assert_rows(store, *frames):
    want = pd.concat(frames).sort_values(["mn", "ts"], ignore_index=True)[["mn", "ts", "value"]]
    got = store.sql(ALL_ROWS)
    got = got.assign(ts=pd.to_datetime(got["ts"]), value=got["value"].astype(float))
    pd.testing.assert_frame_equal(got, want, check_dtype=False, check_exact=True)


def checked(store):
    report = json.loads(store.check().out.strip().splitlines()[-1])
    assert report["problems"] == []
    return report


def staged(store):
    """Files under the name they have while they are written."""
    return [path for path in store.path.rglob("*#*") if path.is_file()]


def vacuum_after_a_day(store):
    """Vacuum keeps what is younger than a day, so all files are made older."""
    then = time.time() - DAY - 3600
    for path in store.path.rglob("*"):
        os.utime(path, (then, then))
    return json.loads(ok(run("vacuum", "--store", store.path)).out)


# ---------------------------------------------------------------- ingest


def test_an_ingest_that_fills_the_disk_lands_whole_files_and_a_rerun_the_rest(disk, store):
    """Each file needs 8 x 20,000 bytes at least; the disk has room for one and a half."""
    frames = [incompressible(name, 20_000) for name in ("A", "BB", "CCC")]
    paths = [write_csv(frame, store.scratch / f"{n}.csv") for n, frame in enumerate(frames)]
    measure = Store(store.scratch / "measure")
    measure.ingest("hourly", paths[0])
    size = sum(path.stat().st_size for path in measure.path.rglob("*.parquet"))
    assert size > 160_000
    disk.leave(size * 3 // 2 // PAGE)
    result = store.try_ingest("hourly", *paths)
    assert_rows(store, frames[0])
    checked(store)
    assert staged(store) == []
    disk.grow()
    report = store.ingest("hourly", *paths)
    assert (report["landed"], report["duplicate"]) == (40_000, 20_000)
    assert_rows(store, *frames)
    vacuum_after_a_day(store)
    assert checked(store)["orphans"] == 0
    assert_rows(store, *frames)
    failed(result, naming=[FULL])


def until_it_succeeds(leave, command, on_failure, most=60):
    """Leaves 0, 1, 2 … units of room until the command succeeds; the failures before."""
    failures = []
    for units in range(most):
        leave(units)
        result = command()
        if result.code == 0:
            assert len(failures) >= 2, "hardly a write met the full disk"
            return result, failures
        failures.append(result)
        on_failure()
    pytest.fail(f"still no success with {most} units of room\n{failures[-1]}")


@pytest.mark.parametrize("unit", ["pages", "files"])
@pytest.mark.parametrize("new", [True, False], ids=["new-store", "store"])
def test_each_write_of_an_ingest_may_meet_the_full_disk(disk, store, unit, new):
    first, frame = batch("FIRST"), batch("NEXT")
    if not new:
        store.ingest_frame("hourly", first, name="first.csv")
    path = write_csv(frame, store.scratch / "next.csv")

    def nothing_landed():
        assert staged(store) == []
        if not new:
            assert_rows(store, first)
            assert checked(store)["rows"] == 96

    leave = disk.leave if unit == "pages" else disk.leave_files
    result, failures = until_it_succeeds(leave, lambda: store.try_ingest("hourly", path),
                                         nothing_landed)
    assert report_of(result)["landed"] == 96
    assert_rows(store, *([] if new else [first]), frame)
    disk.grow()
    vacuum_after_a_day(store)
    assert checked(store) | {"tables": 1} == {
        "tables": 1, "files": 2 if new else 4, "rows": 96 if new else 192, "orphans": 0,
        "problems": []}
    for failure in failures:
        failed(failure, naming=[FULL])


def test_a_checkpoint_that_meets_the_full_disk_loses_nothing(disk, store):
    """48 files and the table's creation are 49 commits; the next one writes a checkpoint."""
    known = batch("LONG", hours=24)
    store.ingest("hourly", *[write_csv(known.iloc[[n]], store.scratch / f"{n}.csv")
                             for n in range(48)])
    frame = batch("NEXT")
    path = write_csv(frame, store.scratch / "next.csv")
    log = store.path / "tables" / "hourly" / "_delta_log"
    assert not list(log.glob("*checkpoint*"))
    met = []

    def whole_or_not():
        rows = store.count("hourly")
        assert rows in (48, 144)
        assert checked(store)["rows"] == rows
        assert staged(store) == []
        met.append(rows == 144)

    until_it_succeeds(disk.leave, lambda: store.try_ingest("hourly", path), whole_or_not)
    assert_rows(store, known, frame)
    disk.grow()
    assert store.ingest("hourly", path)["duplicate"] == 96
    assert_rows(store, known, frame)
    # exit 1 after the commit: the rows are in, only the checkpoint is not
    assert not any(met), "the rows are in, yet the ingest failed"


# ---------------------------------------------------------------- compact


@pytest.mark.parametrize("unit", ["pages", "files"])
def test_each_write_of_a_compaction_may_meet_the_full_disk(disk, store, unit):
    first = batch("CORRECT").assign(received_at="2026-03-01 08:00:00")
    other = batch("OTHER").assign(received_at="2026-03-01 08:00:00")
    later = batch("CORRECT", value=0.25).assign(received_at="2026-03-02 08:00:00")
    for n, frame in enumerate((first, other, later)):
        store.ingest_frame("hourly", frame, name=f"{n}.csv")
    then = store.sql_text(ALL_ROWS, as_of="2026-03-01 12:00:00")

    def nothing_changed():
        assert staged(store) == []
        assert_rows(store, later, other)
        checked(store)

    leave = disk.leave if unit == "pages" else disk.leave_files
    _, failures = until_it_succeeds(leave, lambda: run("compact", "--store", store.path),
                                    nothing_changed)
    assert_rows(store, later, other)
    assert store.sql_text(ALL_ROWS, as_of="2026-03-01 12:00:00") == then
    disk.grow()
    vacuum_after_a_day(store)
    assert checked(store)["orphans"] == 0
    assert_rows(store, later, other)
    assert store.sql_text(ALL_ROWS, as_of="2026-03-01 12:00:00") == then
    for failure in failures:
        failed(failure, naming=[FULL])


# ---------------------------------------------------------------- what is said


@pytest.mark.parametrize("verb", ["ingest", "compact"])
def test_the_error_of_a_full_disk_names_the_place(disk, store, verb):
    """A machine has many disks; whoever reads the line must know which one to clear."""
    for n in range(3):
        store.ingest_frame("hourly", batch(f"PART{n}"), name=f"{n}.csv")
    path = write_csv(batch("NEXT"), store.scratch / "next.csv")
    command = {"ingest": lambda: store.try_ingest("hourly", path),
               "compact": lambda: run("compact", "--store", store.path)}[verb]
    _, failures = until_it_succeeds(disk.leave, command, lambda: None)
    for failure in failures:
        failed(failure, naming=[FULL, str(store.path)])


# ---------------------------------------------------------------- results


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory):
    """A store with room enough, of 160,000 bytes of doubles at least."""
    store = Store(tmp_path_factory.mktemp("elsewhere") / "store")
    store.ingest_frame("hourly", incompressible("A", 20_000))
    return store


FORMATS = pytest.mark.parametrize("fmt", ["csv", "json", "parquet", "arrow"])


def write_result(store, fmt, target):
    return run("sql", "--store", store.path, "-c", "SELECT * FROM hourly", "--format", fmt,
               "-o", target)


@FORMATS
def test_a_result_that_fills_the_disk_leaves_no_half_file(disk, elsewhere, fmt):
    target = disk.path / f"result.{fmt}"
    disk.leave(10)
    result = write_result(elsewhere, fmt, target)
    failed(result, naming=[FULL])
    left = target.stat().st_size if target.exists() else None
    disk.grow()
    ok(write_result(elsewhere, fmt, target))
    assert target.stat().st_size > 10 * PAGE
    assert left is None, f"{left} bytes of a result that failed"


@FORMATS
def test_the_error_of_a_result_that_fills_the_disk_names_the_file(disk, elsewhere, fmt):
    disk.leave(10)
    target = disk.path / f"result.{fmt}"
    failed(write_result(elsewhere, fmt, target), naming=[FULL, str(target)])


@pytest.mark.parametrize("verb", ["sql", "ingest", "check"])
def test_a_full_standard_output_is_an_error(tmp_path, verb):
    """/dev/full takes nothing: exit 0 would tell a script that it has the result."""
    store = Store(tmp_path / "store")
    path = write_csv(batch("ROWS"), store.scratch / "rows.csv")
    store.ingest("hourly", path)
    args = {"sql": ["-c", "SELECT * FROM hourly", "--format", "csv"],
            "ingest": ["--table", "hourly", path], "check": []}[verb]
    with open("/dev/full", "wb") as full:
        done = subprocess.run(command(verb, "--store", store.path, *args), stdout=full,
                              stderr=subprocess.PIPE, text=True)
    failed(Result([verb], done.returncode, "", done.stderr), naming=[FULL])


# ---------------------------------------------------------------- leftovers


def test_vacuum_gives_back_the_space_of_a_file_whose_writing_was_killed(tmp_path):
    """The limit on a file's size kills the process in the middle of the write, every time."""
    store = Store(tmp_path / "store")
    path = write_csv(incompressible("A", 20_000), store.scratch / "rows.csv")
    limit = 10 * PAGE

    def limited():
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    done = subprocess.run(command("ingest", "--store", store.path, "--table", "hourly", path),
                          preexec_fn=limited, capture_output=True)
    assert done.returncode < 0, "the limit killed nothing"
    left = [path for path in store.path.rglob("*") if path.is_file()]
    assert [path.stat().st_size for path in left] == [limit]
    assert store.ingest("hourly", path)["landed"] == 20_000
    checked(store)
    vacuum_after_a_day(store)
    checked(store)
    assert store.count("hourly") == 20_000
    assert staged(store) == [], "the half file is there for ever"
