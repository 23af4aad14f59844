"""Small data with answers reckoned by hand: python3 -m unittest (in this folder).

Every peer must give them; the comparison must find what differs; run.py must refuse then.
"""

import datetime
import importlib.util
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


def fixed_series():
    """Rows of January for fixed_values, in the order (mn, factor, ts)."""

    def day(number):
        return datetime.date(2026, 1, number)

    return [
        # Neither a series before with the same value nor one after goes on with a run.
        *days("F1", "a21002", day(27), [24, 24], value=7.0),
        # Four days, of which one has just enough hours; then one hour too few, and two days.
        *days("F1", "a21026", day(1), [24, 24, 20, 24, 19, 24, 24], value=5.0),
        *days("F1", "a21026", day(8), [24], value=6.0),
        # Means of 20, 21 and 24 tenths are equal once rounded; day 12 has no row.
        *days("F1", "a21026", day(9), [20, 21, 24], value=0.1),
        *days("F1", "a21026", day(13), [24, 23, 22], value=0.1),
        *days("F1", "a21026", day(29), [24] * 3, value=7.0),
        # Flag, NULL, water.
        *days("F2", "a21026", day(1), [24] * 5, value=5.0, flag="D"),
        *days("F2", "a34013", day(1), [24] * 5, value=None),
        *days("W1", "w01018", day(1), [24] * 31),
    ]


def half_year(mn, factor, missing=(), peaks=None, **row):
    """Rows of one series from 2025-10-01 to 2026-03-31 but for the ranges of hours in `missing`.

    A range is (first hour, number of hours); `peaks` maps hours to other values.
    """
    first, hour = datetime.datetime(2025, 10, 1), datetime.timedelta(hours=1)
    left_out = {start + hour * number for start, length in missing for number in range(length)}
    rows = days(mn, factor, first, [24] * 182, **row)
    peaks = peaks or {}
    return [(*r[:3], peaks.get(r[2], r[3]), *r[4:]) for r in rows if r[2] not in left_out]


def quarter_series():
    """Rows of emissions_substituted, in the order (mn, factor, ts).

    A flow of 1e6 m3 an hour makes an hour's mass in kg its concentration.
    """
    ts = datetime.datetime
    return [
        *half_year("E1", "a00000", total=1e6),
        # 1859 of 2160 hours are measured: pools of 2160. The gap of 300 h begins on 2026-01-11;
        # 2160 h before it lies the 7, an hour earlier the 20. A flag makes the other gap.
        *half_year(
            *("E1", "a21002", [(ts(2026, 1, 11), 300), (ts(2026, 3, 20), 1)]),
            {ts(2025, 10, 12, 23): 20.0, ts(2025, 10, 13): 7.0, ts(2026, 1, 2): -5.0},
        ),
        *half_year(
            *("E1", "a21026"),
            [
                # Begins before the quarter, 5 h: the 2 of the hour before it.
                (ts(2025, 12, 31, 22), 5),
                # 24 h: 180 h before it lies the 3, an hour earlier the 9.
                (ts(2026, 2, 1), 24),
                # 25 h: 720 h before it lies the 5, an hour earlier the 11.
                (ts(2026, 3, 10), 25),
                # Up to the end.
                (ts(2026, 3, 31, 22), 2),
            ],
            {
                **{ts(2025, 12, 31, 21): 2.0, ts(2026, 1, 24, 11): 9.0, ts(2026, 1, 24, 12): 3.0},
                **{ts(2026, 2, 7, 23): 11.0, ts(2026, 2, 8): 5.0},
            },
        ),
        # 1500 hours: not usable.
        *half_year("E1", "a34013", [(ts(2025, 10, 1), 2208), (ts(2026, 3, 4, 12), 660)]),
        # No flow: nothing is measured.
        *days("E2", "a21026", JANUARY, [1]),
        # The flow lacks in an hour of February; before 2026-01-01 01:00 nothing was measured.
        *half_year("E3", "a00000", [(ts(2026, 2, 14, 5), 1)], value=100.0),
        *half_year("E3", "a21026", [(ts(2025, 10, 1), 2209)], value=10.0),
        *half_year("E4", "a00000", total=1e6),
        # 1620 hours are 75 %: usable, a pool of 2160 h from the 6 on, not the 8 before it.
        *half_year(
            *("E4", "a21002", [(ts(2026, 1, 1), 540)]),
            {ts(2025, 10, 2, 23): 8.0, ts(2025, 10, 3): 6.0},
        ),
        # 1944 hours are 90 %: 720 h, from the 2 on.
        *half_year(
            *("E4", "a21026", [(ts(2026, 1, 1), 216)]),
            {ts(2025, 12, 1, 23): 6.0, ts(2025, 12, 2): 2.0},
        ),
        *days("W1", "w00000", JANUARY, [24] * 31),
    ]


ROWS = {
    "valid_months": series,
    "totals": series,
    "fixed_values": fixed_series,
    "emissions_substituted": quarter_series,
}


def months(mn, factor, measured_hours, *of_months):
    """Answer rows of one series: measured hours of the quarter, and per month
    (measured_kg, substituted_kg, measured, substituted, missing hours)."""
    usable = measured_hours >= 1620
    return [
        (
            *(mn, factor, datetime.date(2026, number, 1), measured + filled if usable else None),
            *(measured, filled, *hours, measured_hours / 2160, usable),
        )
        for number, (measured, filled, *hours) in enumerate(of_months, 1)
    ]


ANSWERS = {
    "fixed_values": [
        ("F1", "a21026", datetime.date(2026, 1, first), datetime.date(2026, 1, last), n, value)
        for first, last, n, value in (
            *((1, 4, 4, 5.0), (9, 11, 3, 0.1), (13, 15, 3, 0.1)),
            (29, 31, 3, 7.0),
        )
    ],
    "emissions_substituted": [
        *months(
            *("E1", "a21002", 1859, (443.0, 2100.0, 444, 300, 0), (672.0, 0.0, 672, 0, 0)),
            (743.0, 1.0, 743, 1, 0),
        ),
        *months(
            *("E1", "a21026", 2106, (751.0, 6.0, 741, 3, 0), (662.0, 72.0, 648, 24, 0)),
            (717.0, 127.0, 717, 27, 0),
        ),
        *months(
            *("E1", "a34013", 1500, (744.0, 0.0, 744, 0, 0), (672.0, 0.0, 672, 0, 0)),
            (84.0, 0.0, 84, 0, 660),
        ),
        *months(
            *("E2", "a21026", 0, (0.0, 0.0, 0, 0, 744), (0.0, 0.0, 0, 0, 672)),
            (0.0, 0.0, 0, 0, 744),
        ),
        *months(
            *("E3", "a21026", 2158, (743 * 3.6, 0.0, 743, 0, 1), (671 * 3.6, 3.6, 671, 1, 0)),
            (744 * 3.6, 0.0, 744, 0, 0),
        ),
        *months(
            *("E4", "a21002", 1620, (204.0, 3240.0, 204, 540, 0), (672.0, 0.0, 672, 0, 0)),
            (744.0, 0.0, 744, 0, 0),
        ),
        *months(
            *("E4", "a21026", 1944, (528.0, 432.0, 528, 216, 0), (672.0, 0.0, 672, 0, 0)),
            (744.0, 0.0, 744, 0, 0),
        ),
    ],
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
        self.lay_out(series())
        self.glob = str(self.folder / "*.parquet")

    def lay_out(self, rows):
        """Writes the files: the first outlet's rows to the second."""
        write([row for row in rows if row[0] > rows[0][0]], self.folder / "1.parquet")
        write([row for row in rows if row[0] == rows[0][0]], self.folder / "2.parquet")

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
        for query in QUERIES:
            self.lay_out(ROWS[query]())
            for engine in PEERS:
                with self.subTest(engine=engine, query=query):
                    self.assertEqual(
                        differences(query, answer(query), self.peer(engine, query)), []
                    )

    @unittest.skipUnless(importlib.util.find_spec("datafusion"), "package datafusion is not there")
    def test_datafusion(self):
        from datafusion import SessionContext

        for file in (HERE / "sql").glob("*.sql"):
            query = file.stem
            self.lay_out(ROWS[query]())
            context = SessionContext()
            context.register_parquet("hourly", str(self.folder) + "/")
            found = pa.Table.from_batches(context.sql(file.read_text()).collect())
            with self.subTest(query=query):
                self.assertEqual(differences(query, answer(query), shaped(found, query)), [])

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
