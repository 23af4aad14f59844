"""Helpers of the black-box tests: they know CONTRACT.md's command line and nothing else."""

import io
import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

REPO = Path(__file__).resolve().parent.parent
BIN = Path(os.environ.get("PLUME_BIN", REPO / "target" / "debug" / "plume"))
SHARED = Path(os.environ.get("PLUME_SHARED", REPO.parent / "shared"))
TIMEOUT = float(os.environ.get("PLUME_TEST_TIMEOUT", "600"))


# ---------------------------------------------------------------- running the binary


@dataclass
class Result:
    args: list
    code: int
    out: str
    err: str

    def __str__(self):
        return (
            f"plume {' '.join(map(str, self.args))[:400]}\nexit {self.code}\n"
            f"--- stdout (end)\n{self.out[-2000:]}\n--- stderr (end)\n{self.err[-2000:]}"
        )


def command(*args):
    if not BIN.exists():
        pytest.fail(f"no plume binary at {BIN}: build it, or set PLUME_BIN", pytrace=False)
    return [str(BIN), *map(str, args)]


def run(*args, timeout=TIMEOUT, cwd=None):
    """Runs plume to its end and returns what it said; never raises for an exit status."""
    done = subprocess.run(
        command(*args), stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout, cwd=cwd
    )
    return Result(
        list(args), done.returncode, done.stdout.decode("utf-8", "replace"),
        done.stderr.decode("utf-8", "replace"),
    )


def ok(result):
    assert result.code == 0, f"expected exit 0\n{result}"
    return result


def failed(result, code=1, naming=()):
    """Exit status, exactly one `error:` line, no panic; the line names each word of `naming`."""
    codes = (code,) if isinstance(code, int) else tuple(code)
    assert result.code in codes, f"expected exit {codes}\n{result}"
    assert "panicked at" not in result.err, f"a panic is no error message\n{result}"
    lines = error_lines(result)
    if 1 in codes and result.code == 1:
        assert len(lines) == 1, f"expected one `error:` line\n{result}"
    text = "\n".join(lines) if lines else result.err
    assert text.strip(), f"nothing was said\n{result}"
    for word in naming:
        assert word.lower() in text.lower(), f"the error does not name {word!r}\n{result}"
    return text


def error_lines(result):
    return [s for s in (result.err + "\n" + result.out).splitlines() if s.startswith("error:")]


def report_of(result):
    """The JSON object in the last line of `plume ingest`; the balance must hold."""
    lines = [s for s in result.out.splitlines() if s.strip()]
    assert lines, f"ingest printed no JSON line\n{result}"
    report = json.loads(lines[-1])
    for name in ("read", "landed", "duplicate", "rejected"):
        assert isinstance(report.get(name), int), f"no count {name!r} in {report}\n{result}"
    assert report["read"] == report["landed"] + report["duplicate"] + report["rejected"], (
        f"read != landed + duplicate + rejected: {report}\n{result}"
    )
    return report


class Store:
    """A store in a directory, driven through the command line."""

    def __init__(self, path):
        self.path = Path(path)
        self.scratch = self.path.parent / (self.path.name + ".scratch")
        self.scratch.mkdir(parents=True, exist_ok=True)
        self._n = 0

    def file(self, suffix):
        self._n += 1
        return self.scratch / f"{self._n:05d}{suffix}"

    def try_ingest(self, table, *paths, fmt=None, strict=False, mapping=None, timeout=TIMEOUT):
        args = ["ingest", "--store", self.path, "--table", table]
        if fmt:
            args += ["--format", fmt]
        if mapping:
            args += ["--map", mapping]
        if strict:
            args += ["--strict"]
        return run(*args, *paths, timeout=timeout)

    def ingest(self, table, *paths, **options):
        return report_of(ok(self.try_ingest(table, *paths, **options)))

    def ingest_frame(self, table, frame, name=None, **options):
        """Lands a data frame as CSV; returns the report."""
        path = self.scratch / name if name else self.file(".csv")
        write_csv(frame, path)
        return self.ingest(table, path, **options)

    def try_sql(self, query, as_of=None, fmt="csv"):
        args = ["sql", "--store", self.path, "-c", query, "--format", fmt]
        if as_of is not None:
            args += ["--as-of", as_of]
        return run(*args)

    def sql_text(self, query, as_of=None):
        return ok(self.try_sql(query, as_of)).out

    def sql(self, query, as_of=None):
        """CSV with a header line; every column as text, an empty field is NULL."""
        text = self.sql_text(query, as_of)
        return pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False, na_values=[""])

    def frame(self, query):
        """The same through Parquet, for large results."""
        path = self.file(".parquet")
        ok(run("sql", "--store", self.path, "-c", query, "--format", "parquet", "-o", path))
        return pq.ParquetFile(path).read().to_pandas()

    def scalar(self, query, as_of=None):
        answer = self.sql(query, as_of)
        assert answer.shape == (1, 1), f"one value expected from {query}, got\n{answer}"
        return answer.iat[0, 0]

    def count(self, table, where="true"):
        return int(self.scalar(f"SELECT count(*) AS n FROM {table} WHERE {where}"))

    def compact(self):
        return ok(run("compact", "--store", self.path))

    def check(self):
        return ok(run("check", "--store", self.path))


# ---------------------------------------------------------------- data in, data out


def write_csv(frame, path):
    """Floats in their shortest exact form, time stamps to the second, NULL as an empty field."""
    frame.to_csv(path, index=False, date_format="%Y-%m-%d %H:%M:%S", lineterminator="\n")
    return Path(path)


def long_rows(mn, factor, ts, value, flag="N"):
    return pd.DataFrame({"mn": mn, "factor": factor, "ts": ts, "value": value, "flag": flag})


def num(column):
    return column.map(float, na_action="ignore").astype(float)


def boolean(column):
    """true/false; a NULL or anything else fails, since CONTRACT has these columns never NULL."""
    known = {"true": True, "false": False, True: True, False: False}
    strange = sorted({repr(v) for v in column if v not in known})
    assert not strange, f"{column.name}: not a boolean: {strange[:5]}"
    return column.map(known).astype(bool)


def stamp(column):
    """Time stamps without a zone: Beijing civil time."""
    if column.dtype.kind == "M":
        assert getattr(column.dtype, "tz", None) is None, f"{column.name} carries a zone"
        return column.astype("datetime64[us]")
    text = column.dropna().astype(str)
    zoned = text[text.str.contains(r"Z$|[+-]\d\d:?\d\d$", regex=True) & (text.str.len() > 10)]
    assert zoned.empty, f"{column.name} carries a zone: {zoned.iloc[0] if len(zoned) else ''}"
    return pd.to_datetime(column, format="ISO8601").astype("datetime64[us]")


def assert_close(actual, expected, what, rel=1e-9, tiny=1e-12, labels=None):
    """Elementwise relative agreement; NULL only where NULL is expected."""
    a = np.asarray(actual, dtype=float)
    e = np.asarray(expected, dtype=float)
    assert a.shape == e.shape, f"{what}: {a.shape} values, expected {e.shape}"
    wrong = np.isnan(a) != np.isnan(e)
    both = ~np.isnan(a) & ~np.isnan(e)
    wrong[both] |= ~(np.abs(a[both] - e[both]) <= rel * np.abs(e[both]) + tiny)
    if wrong.any():
        show = pd.DataFrame({"actual": a, "expected": e})
        if labels is not None:
            show = pd.concat([labels.reset_index(drop=True), show], axis=1)
        pytest.fail(f"{what}: {wrong.sum()} of {len(a)} differ\n{show[wrong].head(12).to_string()}")


def assert_same(actual, expected, what, labels=None):
    """Exact equality of two columns."""
    a = np.asarray(actual)
    e = np.asarray(expected)
    assert a.shape == e.shape, f"{what}: {a.shape} values, expected {e.shape}"
    wrong = a != e
    if wrong.any():
        show = pd.DataFrame({"actual": a, "expected": e})
        if labels is not None:
            show = pd.concat([labels.reset_index(drop=True), show], axis=1)
        pytest.fail(f"{what}: {wrong.sum()} of {len(a)} differ\n{show[wrong].head(12).to_string()}")


# ---------------------------------------------------------------- fixtures


def shared(*parts):
    """A path below ../shared, or a skip that says what is absent."""
    path = SHARED.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"absent: {path} (../shared is not part of the repository; set PLUME_SHARED)")
    return path


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


@pytest.fixture
def make_store(tmp_path):
    """Several stores in one test."""
    return lambda name: Store(tmp_path / name)
