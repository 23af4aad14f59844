"""Patterns over small data with answers reckoned by hand: python3 -m unittest (in this folder)."""

import datetime
import tempfile
import unittest
from pathlib import Path

import pyarrow as pa
from deltalake import write_deltalake

from common import PATTERN_QUERIES, BenchError, result_schema, shaped
from compare import differences
from patterns import PEERS, live_files
from run_patterns import among, found, planted, told

JANUARY = datetime.date(2026, 1, 1)
TEXT, NUMBER, TIME = pa.string(), pa.float64(), pa.timestamp("us")
VALUE = [("ts", TIME), ("value", NUMBER), ("flag", TEXT)]
TABLES = {
    "hourly": pa.schema([("mn", TEXT), ("factor", TEXT), *VALUE, ("converted", NUMBER)]),
    "daily": pa.schema([("mn", TEXT), ("factor", TEXT), *VALUE]),
    "conditions": pa.schema([("mn", TEXT), ("param", TEXT), *VALUE]),
    "outlets": pa.schema([("mn", TEXT), ("since", TIME), ("o2_reference", NUMBER)]),
}


def at(hour):
    """The start of an hour of the month."""
    return datetime.datetime(2026, 1, 1) + datetime.timedelta(hours=hour)


def hours(mn, factor, values, first=0, flag="N", converted=None):
    """Rows of one series from an hour on; `converted` is one factor for all."""
    return [
        (mn, factor, at(first + i), v, flag, converted and v and v * converted)
        for i, v in enumerate(values)
    ]


def conditions(mn, param, values):
    """Hours of a condition."""
    return [row[:5] for row in hours(mn, param, values)]


def ramp(number, first=0):
    """Values that differ by a tenth."""
    return [10.0 + (first + i) / 10 for i in range(number)]


def rows():
    """Rows of all tables, hours in the order (mn, factor, ts)."""
    source = ramp(24)
    hourly = [
        # Ranks of load 1 2 3.5 3.5 5 against 5 3.5 3.5 1.5 1.5; the sixth hour has no load.
        *hours("C1", "a00000", [9.0, 8.0, 8.0, 4.0, 4.0, 1.0]),
        # A flow that never varies has no correlation.
        *hours("C2", "w00000", [2.0, 2.0, 2.0]),
        # 24 equal values about a gap and a flagged hour; the series before ends with the same.
        *hours("P1", "a21002", [5.0] * 20),
        *hours("P1", "a21026", [5.0] * 10),
        *hours("P1", "a21026", [7.0], first=10, flag="D"),
        *hours("P1", "a21026", [5.0] * 14, first=12),
        # 23 are too few, 25 are not.
        *hours("P1", "a21026", [6.0] * 23, first=26),
        *hours("P1", "a21026", [8.0] * 25, first=49),
        # The ramp comes again in full at hour 100, but for a thousandth, and at 200 with an hour
        # missing in it; 19 different values at 300 and 400 are too few.
        *hours("R1", "a21026", source),
        *hours("R1", "a21026", [v + 0.001 for v in source], first=100),
        *hours("R1", "a21026", source[:12], first=200),
        *hours("R1", "a21026", source[12:], first=213),
        *hours("R1", "a21026", [*ramp(18, 50), *[1.0] * 6], first=300),
        *hours("R1", "a21026", [*ramp(18, 50), *[1.0] * 6], first=400),
        # Another series' ramp is none of its own.
        *hours("R1", "a34013", source),
        # Days of mean 100: 22 hours of the third day are too few.
        *hours("S1", "a21026", [90.0, 110.0] * 35),
        # Converted by 15 / 14 throughout where oxygen is 7; 19 % at the sixth and later hours.
        *hours("Z1", "a19001", [7.0] * 5 + [19.0] * 3),
        *hours("Z1", "a21002", [10.0] * 8, converted=15 / 14 * 1.01),
        *hours("Z1", "a21026", [10.0] * 8, converted=15 / 14 * 1.03),
        *hours("Z1", "a34013", [10.0] * 4, converted=15 / 14),
        *hours("Z1", "a34013", [10.0], first=4, converted=0.9),
    ]
    return {
        "hourly": hourly,
        "daily": [
            ("S1", "a21026", at(0), 99.5, "N"),
            ("S1", "a21026", at(24), 90.0, "N"),
            ("S1", "a21026", at(48), 90.0, "N"),
        ],
        "conditions": [
            *conditions("C1", "fuel", [1.0] * 6),
            *conditions("C1", "load", [10.0, 20.0, 30.0, 30.0, 40.0]),
            *conditions("C2", "load", [1.0, 2.0, 3.0]),
        ],
        # The reference registered last counts.
        "outlets": [
            *(("C1", at(0), None), ("C2", at(0), None), ("P1", at(0), None), ("R1", at(0), None)),
            *(("S1", at(0), None), ("Z1", at(-24), 3.0), ("Z1", at(0), 6.0)),
        ],
    }


ANSWERS = {
    "constant_runs": [
        ("P1", "a21026", at(0), at(25), 24, 5.0),
        ("P1", "a21026", at(49), at(73), 25, 8.0),
    ],
    "replays": [("R1", "a21026", at(100), at(0))],
    "rollup_mismatches": [("S1", "a21026", datetime.date(2026, 1, 2), 90.0, 100.0, 0.1)],
    "conversion_mismatches": [
        ("Z1", "a21026", JANUARY, 5, 5),
        ("Z1", "a34013", JANUARY, 5, 1),
    ],
    # (37 - 45) over the root of (54.5 - 45) (54 - 45): sums of products and squares of ranks.
    "load_correlation": [
        ("C1", "a00000", JANUARY, 5, -8.0 / (9.5 * 9.0) ** 0.5),
        ("C2", "w00000", JANUARY, 3, None),
    ],
}


def answer(query):
    """The answer by hand as an Arrow table."""
    schema = result_schema(query)
    columns = zip(*ANSWERS[query])
    return pa.table([pa.array(c, field.type) for c, field in zip(columns, schema)], schema=schema)


class Patterns(unittest.TestCase):
    """Both peers give the answers by hand from a store whose dead files they leave alone."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="plume-patterns-test-")
        self.addCleanup(folder.cleanup)
        self.store = folder.name
        for name, of_table in rows().items():
            schema = TABLES[name]
            columns = [pa.array(c, field.type) for c, field in zip(zip(*of_table), schema)]
            table = pa.table(columns, schema=schema)
            path = Path(self.store) / "tables" / name
            write_deltalake(path, table)
            # A second file of other outlets.
            first = pa.array([mn < "R" for mn in table["mn"].to_pylist()])
            other = pa.array([mn >= "R" for mn in table["mn"].to_pylist()])
            write_deltalake(path, table.filter(other), mode="overwrite")
            if any(first.to_pylist()):
                write_deltalake(path, table.filter(first), mode="append")

    def test_peers(self):
        for query in PATTERN_QUERIES:
            for engine in PEERS:
                with self.subTest(engine=engine, query=query):
                    peer = PEERS[engine](self.store, 2)
                    given = shaped(peer.run(query), query)
                    self.assertEqual(differences(query, answer(query), given), [])

    def test_files_that_share_outlets_are_refused(self):
        path = Path(self.store) / "tables" / "outlets"
        row = [("C2", at(0), 6.0), ("Z1", at(0), 6.0)]
        columns = [pa.array(c, field.type) for c, field in zip(zip(*row), TABLES["outlets"])]
        write_deltalake(path, pa.table(columns, schema=TABLES["outlets"]), mode="append")
        with self.assertRaisesRegex(BenchError, "compact"):
            live_files(self.store, "outlets")


class Deeds(unittest.TestCase):
    """What is planted, told and found overlaps in time and series."""

    def test_deeds(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "truth.csv"
            path.write_text(
                "mn,factor,pattern,strength,started,ended\n"
                "R1,a21026,replay,strong,2026-01-05 04:00:00,2026-01-06 04:00:00\n"
                "R1,a34013,replay,medium,2026-01-05 04:00:00,2026-01-06 04:00:00\n"
                "R1,a21026,replay,weak,2026-01-05 04:00:00,2026-01-06 04:00:00\n"
            )
            deeds = planted(path)["replay"]
        self.assertEqual(len(deeds), 2)
        self.assertEqual(among(deeds, told("replays", answer("replays"))), deeds[:1])
        row = {"mn": "R1", "factor": "a34013", "started": at(100), "ended": at(130)}
        named = {"pattern": "low_variance", "evidence": '{"also": {"replay": 0.7}}'}
        findings = pa.Table.from_pylist([row | named])
        self.assertEqual(among(deeds, found(findings, "replay")), deeds[1:])
        self.assertEqual(found(findings, "constant_value"), [])

    def test_a_correlation_tells_where_it_is_low(self):
        spans = told("load_correlation", answer("load_correlation"))
        self.assertEqual(spans, [("C1", "a00000", at(0), at(744))])


if __name__ == "__main__":
    unittest.main()
