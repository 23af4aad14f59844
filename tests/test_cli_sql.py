"""`plume sql`: formats by ending, times, closed pipes."""

import os
import subprocess

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from conftest import command, failed, long_rows, ok, run


@pytest.fixture
def filled(store):
    rows = long_rows("A", "a21026", pd.date_range("2026-01-01", periods=24, freq="h"), 1.5)
    assert store.ingest_frame("hourly", rows)["landed"] == 24
    return store


def to_file(store, name, *more):
    path = store.scratch / name
    return path, run("sql", "--store", store.path, "-c", "SELECT mn, value FROM hourly", "-o", path, *more)


# ---------------------------------------------------------------- formats


READERS = {
    "x.csv": lambda path: len(pd.read_csv(path)),
    "x.json": lambda path: len(pd.read_json(path, lines=True)),
    "x.parquet": lambda path: pq.read_table(path).num_rows,
    "x.arrow": lambda path: pa.ipc.open_stream(path).read_all().num_rows,
    "UPPER.CSV": lambda path: len(pd.read_csv(path)),
}


@pytest.mark.parametrize("name", READERS)
def test_the_ending_of_the_output_tells_its_format(filled, name):
    path, result = to_file(filled, name)
    ok(result)
    assert READERS[name](path) == 24


@pytest.mark.parametrize("name", ["x.txt", "x", "x.xlsx"])
def test_an_unknown_ending_is_wrong_usage_and_tells_what_to_write(filled, name):
    path, result = to_file(filled, name)
    text = failed(result, code=2, naming=[name, ".csv", ".json", ".parquet", ".arrow", "--format"])
    assert text.count("error:") == 1 and not path.exists()


def test_a_format_that_is_given_goes_before_the_ending(filled):
    path, result = to_file(filled, "x.csv", "--format", "json")
    ok(result)
    assert len(pd.read_json(path, lines=True)) == 24
    path, result = to_file(filled, "x.txt", "--format", "table")
    ok(result)
    assert "24 rows" in path.read_text()


def test_without_a_file_the_format_is_a_table(filled):
    assert "| mn |" in ok(run("sql", "--store", filled.path, "-c", "SELECT mn FROM hourly")).out


# ---------------------------------------------------------------- times


@pytest.mark.parametrize("text", ["", " ", "soon", "2026-02-30"])
def test_an_as_of_that_is_no_time_is_wrong_usage(filled, text):
    failed(filled.try_sql("SELECT 1", as_of=text), code=2, naming=["--as-of"])


def test_an_empty_as_of_of_the_session_is_now(filled):
    script = "SET plume.as_of = '2025-01-01'; SET plume.as_of = ''; SELECT count(*) AS n FROM hourly"
    assert ok(filled.try_sql(script)).out.split() == ["n", "24"]


@pytest.mark.parametrize("call", ["2026, 2027", "'2026-01-01', 2027", "2026.0, 2027.0", "true, false"])
def test_a_number_is_no_time_of_emissions(filled, call):
    failed(filled.try_sql(f"SELECT * FROM emissions({call}, 'month')"), naming=["as text", "'2026-01-01'"])


# ---------------------------------------------------------------- closed pipes


BIG = "SELECT value AS n, repeat('x', 100) AS t FROM generate_series(1, 300000)"


@pytest.mark.parametrize("fmt", ["csv", "json", "table", "parquet", "arrow"])
def test_a_reader_that_goes_away_ends_the_query_quietly(filled, fmt):
    query = "SELECT value AS n FROM generate_series(1, 100000)" if fmt == "table" else BIG
    with subprocess.Popen(
        command("sql", "--store", filled.path, "-c", query, "--format", fmt),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
    ) as process:
        assert process.stdout.read(10)
        process.stdout.close()
        err = process.stderr.read().decode()
        assert (process.wait(timeout=120), err) == (0, ""), err


def test_nothing_panics_where_not_even_an_error_can_be_told(filled):
    """Standard error is closed, too."""
    for query, code in (("SELECT 1", 0), ("SELECT nonsense", 1)):
        reader, writer = os.pipe()
        os.close(reader)
        done = subprocess.run(
            command("sql", "--store", filled.path, "-c", query, "--format", "csv"),
            stdout=writer, stderr=writer, stdin=subprocess.DEVNULL, timeout=120,
        )
        os.close(writer)
        assert done.returncode == code, query
