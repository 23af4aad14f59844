"""`plume sql`: formats by ending, times, closed pipes; the prompt, typed on a pseudo-terminal."""

import os
import pty
import re
import select
import signal
import subprocess
import time

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


# ---------------------------------------------------------------- the prompt


class Prompt:
    """`plume sql` on a pseudo-terminal."""

    def __init__(self, store, home):
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.environ.update(HOME=str(home), TERM="xterm", COLUMNS="200")
            words = command("sql", "--store", store.path)
            os.execv(words[0], words)
        self.ready()

    def ready(self, timeout=60):
        """Waits for a prompt with an empty line; what came before it."""
        return self.read_until(r"plume> \r?$", timeout)

    def read_until(self, pattern, timeout=60):
        """What is shown up to a match, without the codes that move the cursor."""
        raw, seen, end = b"", "", time.monotonic() + timeout
        while not re.search(pattern, seen):
            ready, _, _ = select.select([self.terminal], [], [], max(0, end - time.monotonic()))
            assert ready, f"{pattern!r} did not come within {timeout} s, but\n{seen}"
            try:
                part = os.read(self.terminal, 65536)
            except OSError:  # the other side was closed
                part = b""
            assert part, f"the prompt ended before {pattern!r}, after\n{seen}"
            raw += part
            seen = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", raw.decode("utf-8", "replace"))
        return seen

    def type(self, text):
        os.write(self.terminal, text.encode())

    def ask(self, line):
        """What a line is answered, up to the next prompt."""
        self.type(line + "\r")
        return self.read_until(r"(?s)\n.*plume> \r?$")

    def left(self, timeout=30):
        """The exit status."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.pid = None
                return os.waitstatus_to_exitcode(status)
            # What is still printed must be read, or the program waits for it.
            if select.select([self.terminal], [], [], 0.05)[0]:
                try:
                    os.read(self.terminal, 65536)
                except OSError:
                    time.sleep(0.05)
        pytest.fail("the prompt did not end")

    def close(self):
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.terminal)


@pytest.fixture
def prompt(filled, tmp_path):
    prompt = Prompt(filled, tmp_path)
    yield prompt
    prompt.close()


# The prompt comes back after what it says; nothing else is shown in between.
CANCELLED = r"query cancelled\s+plume> \r?$"

# None ends within the time of this test.
ENDLESS = {
    "one partition": "SELECT count(*) FROM generate_series(1, 100000000000);",
    "joins": "SELECT count(*) FROM hourly a, hourly b, hourly c, hourly d, hourly e, hourly f, hourly g;",
    "output": "SELECT value FROM generate_series(1, 100000000000) ORDER BY value;",
}


@pytest.mark.parametrize("query", ENDLESS)
def test_ctrl_c_cancels_the_query_and_the_prompt_goes_on(prompt, query):
    for _ in range(2):
        prompt.type(ENDLESS[query] + "\r")
        time.sleep(1)
        prompt.type("\x03")
        prompt.read_until(CANCELLED, timeout=20)
    assert "| 24 " in prompt.ask("SELECT count(*) FROM hourly;")
    prompt.type("\x04")
    assert prompt.left() == 0


def test_ctrl_c_cancels_the_statements_after_it_too(prompt):
    prompt.type(ENDLESS["joins"] + " SELECT 41 + 1 AS answer;\r")
    time.sleep(1)
    prompt.type("\x03")
    assert "42" not in prompt.read_until(CANCELLED, timeout=20)


def test_ctrl_c_at_an_idle_prompt_clears_the_line(prompt):
    prompt.type("SELECT nonsense\x03")
    prompt.ready()
    # A statement begun on lines before goes with it.
    prompt.type("SELECT\rnonsense\x03")
    prompt.ready()
    seen = prompt.ask("SELECT 41 + 1 AS answer;")
    assert "| 42 " in seen and "error" not in seen


@pytest.mark.parametrize("leave", ["exit", "quit", "\\q", "exit;", "\x04"])
def test_the_prompt_is_left(prompt, leave):
    prompt.type(leave if leave == "\x04" else leave + "\r")
    assert prompt.left() == 0


@pytest.mark.parametrize("word", ["help", "\\h"])
def test_help_tells_the_commands(prompt, word):
    seen = prompt.ask(word)
    for told in ("\\d NAME", "\\q", "exit", "SET plume.as_of"):
        assert told in seen


@pytest.mark.parametrize("word", ["\\d", "\\dt"])
def test_tables_and_views_are_listed(prompt, word):
    seen = prompt.ask(word)
    for told in ("hourly ", "unregistered", "小时数据", "factors", "daily_valid", "日均值有效性"):
        assert told in seen


def test_columns_are_listed_with_their_meaning(prompt):
    seen = prompt.ask("\\d daily_valid")
    for told in ("required_hours", "BIGINT", "hours asked for", "应有小时数"):
        assert told in seen
    seen = prompt.ask("\\d emissions")
    assert "emissions(from, to, grain)" in seen and "capture_rate" in seen and "pool_hours" in seen
    assert "error: " in prompt.ask("\\d nothing") and "error: " in prompt.ask("\\x")
