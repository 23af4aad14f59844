"""Small data with answers reckoned by hand: python3 -m unittest (in this folder).

Every peer must give them; the comparison must find what differs; run.py must refuse then.
"""

import datetime
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as parquet

import disk
from common import HERE, QUERIES, BenchError, input_files, result_schema, shaped
from compare import differences
from queries import PEERS, files_by_outlet

COLUMNS = pa.schema(
    [("mn", pa.string()), ("factor", pa.string()), ("ts", pa.timestamp("us"))]
    + [("value", pa.float64()), ("total", pa.float64()), ("flag", pa.string())]
    + [("received_at", pa.timestamp("us"))]
)
JANUARY, FEBRUARY = datetime.date(2026, 1, 1), datetime.date(2026, 2, 1)


def days(mn, factor, first, hours, value=1.0, total=None, flag="N"):
    """Rows of one series: `hours[i]` hours from midnight on day `first` + i."""
    start = datetime.datetime.combine(first, datetime.time())
    return [
        (mn, factor, start + datetime.timedelta(days=day, hours=hour), value, total, flag, start)
        for day, number in enumerate(hours)
        for hour in range(number)
    ]


def series():
    """Rows of all series, in the order (mn, factor, ts)."""
    return [
        # Flow: the interval's total decides on the first day, value x 3600 on the second.
        *days("A1", "a00000", JANUARY, [2], value=10.0, total=30000.0),
        *days("A1", "a00000", JANUARY + datetime.timedelta(1), [2], value=10.0),
        # 25 valid days and one day of 19 hours; the last valid day has another mean.
        *days("A1", "a21026", JANUARY, [20] * 24 + [19], value=2.0),
        *days("A1", "a21026", datetime.date(2026, 1, 30), [24], value=27.0),
        # 23 days are enough in February only.
        *days("A1", "a21026", FEBRUARY, [20] * 23),
        # A negative concentration is a valid hour and has no mass.
        *days("A2", "a00000", JANUARY, [3], value=1.0),
        *days("A2", "a21002", JANUARY, [24], value=-1.0),
        # Flag, NULL: no valid hour; the month still has its row, the totals have none.
        *days("A3", "a00000", JANUARY, [24], flag="D"),
        *days("A3", "a34013", JANUARY, [12], value=None),
        # Water is left out.
        *days("W1", "w00000", JANUARY, [24] * 31),
    ]


ANSWERS = {
    "valid_months": [
        ("A1", "a00000", JANUARY, 0, None, False),
        ("A1", "a21026", JANUARY, 25, (24 * 2.0 + 27.0) / 25, True),
        ("A1", "a21026", FEBRUARY, 23, 1.0, True),
        ("A2", "a00000", JANUARY, 0, None, False),
        ("A2", "a21002", JANUARY, 1, -1.0, False),
        ("A3", "a00000", JANUARY, 0, None, False),
        ("A3", "a34013", JANUARY, 0, None, False),
    ],
    "totals": [
        ("A1", "a21026", JANUARY, 2 * (2 * 30000.0 + 2 * 36000.0) * 1e-6, 4),
        ("A2", "a21002", JANUARY, 0.0, 3),
    ],
}


def answer(query):
    """The answer by hand as an Arrow table."""
    schema = result_schema(query)
    return pa.Table.from_arrays(
        [pa.array(column, field.type) for column, field in zip(zip(*ANSWERS[query]), schema)],
        schema=schema,
    )


def write(rows, path):
    """Writes rows to a Parquet file."""
    columns = [pa.array(column, field.type) for column, field in zip(zip(*rows), COLUMNS)]
    parquet.write_table(pa.Table.from_arrays(columns, schema=COLUMNS), path)


def with_cell(table, name, row, value):
    """The table with one cell changed."""
    cells = table[name].to_pylist()
    cells[row] = value
    field = table.schema.field(name)
    return table.set_column(
        table.schema.get_field_index(name), field, pa.array(cells, field.type)
    )


class WithFiles(unittest.TestCase):
    """Tests over two files whose ranges of mn do not overlap."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="plume-peers-test-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        rows = series()
        write([row for row in rows if row[0] > "A1"], self.folder / "1.parquet")
        write([row for row in rows if row[0] == "A1"], self.folder / "2.parquet")
        self.glob = str(self.folder / "*.parquet")

    def peer(self, engine, query):
        """Result of a peer in its own process."""
        out = self.folder / "out"
        words = [sys.executable, HERE / "peer.py", "--engine", engine, "--query", query]
        words += ["--files", self.glob, "--runs", "1", "--result", out]
        subprocess.run(words, check=True, capture_output=True)
        return shaped(parquet.read_table(out), query)

    def runner(self, binary):
        """run.py with a binary in Plume's place; returns its finished process."""
        words = [sys.executable, HERE / "run.py", "--files", self.glob, "--plume", binary]
        words += ["--store", self.folder, "--runs", "1", "--out", self.folder / "out.md"]
        words += ["--engines", "plume,duckdb"]
        return subprocess.run(words, check=False, capture_output=True, text=True)

    def binary(self, line):
        """A program that answers as DuckDB does, under the name plume, after editing its result."""
        path = self.folder / "binary"
        path.write_text(
            f"#!{sys.executable}\n"
            "import subprocess, sys\n"
            "import pyarrow.parquet as parquet\n"
            "words = ['duckdb' if word == 'plume' else word for word in sys.argv[1:]]\n"
            f"line = subprocess.check_output([sys.executable, {str(HERE / 'peer.py')!r}, *words])\n"
            "out = words[words.index('--result') + 1]\n"
            "table = parquet.read_table(out)\n"
            f"{line}\n"
            "parquet.write_table(table, out)\n"
            "print(line.decode().replace('duckdb', 'plume'))\n"
        )
        path.chmod(0o755)
        return path


class Answers(WithFiles):
    """Every peer gives the answers by hand."""

    def test_peers(self):
        for engine in PEERS:
            for query in QUERIES:
                with self.subTest(engine=engine, query=query):
                    self.assertEqual(
                        differences(query, answer(query), self.peer(engine, query)), []
                    )

    def test_polars_without_order(self):
        rows = days("A1", "a34013", FEBRUARY, [24], value=3.0)
        write(rows, self.folder / "3.parquet")
        found = self.peer("polars", "valid_months")
        self.assertEqual(found.num_rows, len(ANSWERS["valid_months"]) + 1)


class Files(WithFiles):
    """Order of the files, and globs that match the wrong ones."""

    def test_disjoint_files_come_in_the_order_of_their_outlets(self):
        files, in_order = files_by_outlet(input_files(self.glob))
        self.assertEqual([os.path.basename(path) for path in files], ["2.parquet", "1.parquet"])
        self.assertTrue(in_order)

    def test_overlapping_files_are_not_in_order(self):
        write(days("A2", "a34013", JANUARY, [1]), self.folder / "3.parquet")
        self.assertFalse(files_by_outlet(input_files(self.glob))[1])

    def test_log_is_refused(self):
        (self.folder / "_delta_log").mkdir()
        write(series(), self.folder / "_delta_log" / "1.checkpoint.parquet")
        with self.assertRaisesRegex(BenchError, "Delta log"):
            input_files(str(self.folder / "**" / "*.parquet"))

    def test_no_file_is_refused(self):
        with self.assertRaisesRegex(BenchError, "no file matches"):
            input_files(str(self.folder / "*.csv"))


class Compare(unittest.TestCase):
    """The comparison finds every kind of difference and nothing else."""

    def found(self, name, row, value, query="valid_months"):
        """Differences after changing one cell of the answer."""
        return differences(query, answer(query), with_cell(answer(query), name, row, value))

    def test_order_of_rows_does_not_matter(self):
        table = answer("totals")
        self.assertEqual(differences("totals", table, table.take([1, 0])), [])

    def test_mean_within_and_beyond_the_tolerance(self):
        self.assertEqual(self.found("mean", 1, 3.0 * (1 + 9e-10)), [])
        self.assertEqual(len(self.found("mean", 1, 3.0 * (1 + 2e-9))), 1)

    def test_null_and_nan_are_no_mean(self):
        self.assertEqual(len(self.found("mean", 1, None)), 1)
        self.assertEqual(len(self.found("mean", 1, float("nan"))), 1)
        self.assertEqual(len(self.found("mean", 0, 0.0)), 1)

    def test_counts_and_validity_are_exact(self):
        self.assertEqual(len(self.found("valid_days", 1, 26)), 1)
        self.assertEqual(len(self.found("valid", 1, False)), 1)

    def test_rows_on_one_side(self):
        table = answer("totals")
        self.assertIn("row missing: A2", differences("totals", table, table.slice(0, 1))[0])
        self.assertIn("row too many: A2", differences("totals", table.slice(0, 1), table)[0])

    def test_key_twice_is_refused(self):
        table = answer("totals")
        with self.assertRaisesRegex(BenchError, "stand twice"):
            differences("totals", table, table.take([0, 1, 1]))


class Runner(WithFiles):
    """run.py prints times only for equal results."""

    def test_equal_results_are_reported(self):
        done = self.runner(self.binary("pass"))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("| plume | 2.0.0 |", done.stdout)
        self.assertEqual(done.stdout, (self.folder / "out.md").read_text())

    def test_different_results_give_no_times(self):
        done = self.runner(self.binary("table = table.slice(1)"))
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("results differ", done.stderr)
        self.assertFalse((self.folder / "out.md").exists())

    def test_missing_binary(self):
        done = self.runner(self.folder / "nothing")
        self.assertEqual(done.returncode, 1)
        self.assertIn("--engines", done.stderr)


class Disk(WithFiles):
    """disk.py reads live files only and refuses other rows."""

    def store(self):
        """A store whose hourly table holds the files' rows after an overwrite."""
        from deltalake import write_deltalake

        table = parquet.read_table(self.folder)
        path = self.folder / "store" / "tables" / "hourly"
        for mode in ("append", "overwrite"):
            write_deltalake(path, table, mode=mode)
        return str(self.folder / "store")

    def test_sizes(self):
        files = input_files(self.glob)
        store = self.store()
        rows, sizes = disk.sizes_by_writer(store, files, str(self.folder))
        self.assertEqual(rows, len(series()))
        live = max((self.folder / "store").rglob("part-*.parquet"), key=os.path.getmtime)
        self.assertEqual(sizes["Plume"][0], live.stat().st_size)
        for whole, without in sizes.values():
            self.assertGreater(whole, without)

    def test_other_rows_are_refused(self):
        store = self.store()
        with self.assertRaisesRegex(BenchError, "land exactly these files"):
            disk.sizes_by_writer(store, input_files(self.glob)[:1], str(self.folder))
