"""Five patterns of tampering in SQL on DuckDB and ClickHouse, beside all patterns in Plume.

python3 run_patterns.py --store STORE --truth DIR/truth.csv --plume PATH_TO_BENCH_BINARY --threads 2
                        --runs 5 --out patterns.md

The store is compacted and holds January 2026 only. As in run.py every engine and query has a
process of its own, and no time is told before the peers' answers agree cell by cell. Plume's
findings are other rows (see patterns.py): with --truth the report tells of the planted deeds how
many the peers' rows show and which of these Plume lacks. --plume and --truth may be left out.
"""

import argparse
import csv
import json
import os
import platform
import shlex
import statistics
import sys
import tempfile
from collections import defaultdict
from datetime import datetime, time, timedelta, timezone
from pathlib import Path

from common import PATTERN_QUERIES, BenchError, fail, need
from patterns import HOURS, PEERS, WINDOW, live_files
from run import machine, measure, query_table, refuse_differences, rows_of

ALL_PATTERNS = "pattern_findings"
# The pattern of each query, as truth.csv and Plume name it.
PATTERN = {
    "constant_runs": "constant_value",
    "replays": "replay",
    "rollup_mismatches": "rollup_mismatch",
    "conversion_mismatches": "conversion_mismatch",
    "load_correlation": "load_decoupling",
}
STRENGTHS = ("medium", "strong")
DECOUPLED = 0.3


def arguments():
    """The command line."""
    parser = argparse.ArgumentParser(description="five patterns of tampering, Plume and SQL")
    parser.add_argument("--store", required=True, help="local Plume store, compacted")
    parser.add_argument("--plume", help="bench binary")
    parser.add_argument("--truth", help="truth.csv of plume generate")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--out", required=True, help="Markdown file to write")
    args = parser.parse_args()
    args.files = ""
    return args


def planted(path):
    """Deeds of truth.csv by pattern, as (mn, factor, started, ended), the stronger ones only."""
    deeds = defaultdict(list)
    with open(path, newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["strength"] in STRENGTHS:
                span = (datetime.fromisoformat(row[name]) for name in ("started", "ended"))
                deeds[row["pattern"]].append((row["mn"], row["factor"], *span))
    return deeds


def told(query, table):
    """What the rows of a query tell, as (mn, factor, started, ended)."""
    rows = table.to_pylist()
    if query == "load_correlation":
        rows = [row for row in rows if row["rho"] is not None and row["rho"] < DECOUPLED]
    hours = {"replays": WINDOW, "rollup_mismatches": 24}.get(query, HOURS)
    spans = []
    for row in rows:
        day = row.get("day") or row.get("month")
        start = datetime.combine(day, time()) if day else row["started"]
        end = row.get("ended") or start + timedelta(hours=hours)
        spans.append((row["mn"], row["factor"], start, end))
    return spans


def found(table, pattern):
    """Findings that name the pattern, as such or among those that overlap them, as spans."""
    return [
        (row["mn"], row["factor"], row["started"], row["ended"])
        for row in table.to_pylist()
        if pattern in (row["pattern"], *json.loads(row["evidence"]).get("also", {}))
    ]


def among(deeds, spans):
    """The deeds that a span of the same series overlaps."""
    by_series = defaultdict(list)
    for mn, factor, started, ended in spans:
        by_series[mn, factor].append((started, ended))
    return [
        deed
        for deed in deeds
        if any(s < deed[3] and e > deed[2] for s, e in by_series[deed[0], deed[1]])
    ]


def deed_table(deeds, reports, findings):
    """Markdown table of planted deeds, then those which the peers show and Plume lacks."""
    lines = [
        "| pattern | planted | shown by SQL | of these found by Plume | found by Plume |",
        "|---|---:|---:|---:|---:|",
    ]
    lacking = []
    for query in PATTERN_QUERIES:
        pattern = PATTERN[query]
        shown = among(deeds[pattern], told(query, reports[next(iter(PEERS)), query]["table"]))
        spans = found(findings, pattern)
        both = among(shown, spans)
        counts = (len(deeds[pattern]), len(shown), len(both), len(among(deeds[pattern], spans)))
        lines.append(f"| {pattern} | {' | '.join(map(str, counts))} |")
        lacking += [
            f"- shown by SQL, not found by Plume: {pattern} {mn} {factor} {start} to {end}"
            for mn, factor, start, end in shown
            if (mn, factor, start, end) not in both
        ]
    return [*lines, *[""] * bool(lacking), *lacking]


def together(reports, plume):
    """Markdown table of the five queries together, per peer, beside all patterns in Plume."""
    sums = {
        peer: sum(statistics.median(reports[peer, query]["seconds"]) for query in PATTERN_QUERIES)
        for peer in PEERS
    }
    lines = ["| | s | all patterns in Plume = 1 |", "|---|---:|---:|"]
    alone = plume and statistics.median(plume["seconds"])
    for peer, seconds in sums.items():
        ratio = f"{seconds / alone:.2f}" if alone else "–"
        lines.append(f"| {peer}, five queries | {seconds:.3f} | {ratio} |")
    if alone:
        lines.append(f"| plume {plume['version']}, one pass of all patterns | {alone:.3f} | 1.00 |")
    return lines


def markdown(args, reports, plume, load):
    """The whole report; `load` is the load average before the first run."""
    files = {table: live_files(args.store, table) for table in ("hourly", "conditions", "daily")}
    rows = ", ".join(f"{rows_of(paths):,} rows of {table}" for table, paths in files.items())
    numbers = {q: reports[next(iter(PEERS)), q]["table"].num_rows for q in PATTERN_QUERIES}
    lines = [
        "# Five patterns of tampering in SQL, and all patterns in Plume",
        "",
        f"- Command: `{shlex.join(['python3', 'run_patterns.py', *sys.argv[1:]])}`",
        f"- Date: {datetime.now(timezone.utc):%Y-%m-%d %H:%M} UTC; load before the first run "
        f"{load:.2f}",
        f"- Machine: {machine()}; Python {platform.python_version()}",
        f"- Input: {rows}",
        f"- Per engine and query one process, {args.threads} threads, one warm-up run, then "
        f"{args.runs} timed ones, warm page cache. The questions stand in `peers/patterns.py`.",
        "- The peers' answers agreed before a time was read: keys and counts exactly, figures "
        "within 1e-9. Rows: "
        + ", ".join(f"{query} {number:,}" for query, number in numbers.items())
        + ".",
        *("", "## Together", "", *together(reports, plume)),
    ]
    if plume and args.truth:
        deeds = deed_table(planted(args.truth), reports, plume["table"])
        lines += ["", f"## Planted deeds ({', '.join(STRENGTHS)})", "", *deeds]
    for query in PATTERN_QUERIES:
        lines += ["", f"## {query}", "", *query_table(reports, list(PEERS), query)]
    return "\n".join(lines) + "\n"


def main():
    """Measures, compares, then prints and writes the report."""
    args = arguments()
    try:
        if args.plume and not os.access(args.plume, os.X_OK):
            raise BenchError(f"'{args.plume}' is no program: give --plume PATH_TO_BENCH_BINARY")
        need("numpy")
        load = os.getloadavg()[0]
        with tempfile.TemporaryDirectory(prefix="plume-patterns-") as folder:
            reports = {
                (peer, query): measure(args, peer, query, folder)
                for query in PATTERN_QUERIES
                for peer in PEERS
            }
            refuse_differences(reports, list(PEERS), PATTERN_QUERIES)
            plume = measure(args, "plume", ALL_PATTERNS, folder) if args.plume else None
        report = markdown(args, reports, plume, load)
        Path(args.out).write_text(report)
    except BenchError as error:
        fail(error)
    print(report, end="")


if __name__ == "__main__":
    main()
