"""Compares Plume with its peers over the same Parquet files: first the results, then the times.

python3 run.py --files 'DIR/*.parquet' --plume PATH_TO_BENCH_BINARY --store STORE --threads 2
               --runs 5 --out ../RESULTS.md

Every engine and query has a process of its own: one warm-up run, then the timed ones. No time is
printed before all results agree cell by cell; if they differ, none is printed and nothing written.
"""

import argparse
import json
import os
import platform
import shlex
import statistics
import subprocess
import sys
import tempfile
from datetime import datetime, timezone
from pathlib import Path

from common import HERE, MONTH_QUERIES, QUERIES, BenchError, fail, input_files, need, shaped
from compare import differences
from queries import PEERS

BINARY_ENGINES = ("plume", "datafusion")
ENGINES = (*BINARY_ENGINES, *PEERS)


def arguments():
    """The command line."""
    parser = argparse.ArgumentParser(description="Plume and its peers over the same files")
    parser.add_argument("--files", required=True, help="glob of Parquet files, quoted")
    parser.add_argument("--plume", help="bench binary for the engines plume and datafusion")
    parser.add_argument("--store", help="Plume store with the same rows")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--engines", default=",".join(ENGINES), help="default: %(default)s")
    parser.add_argument("--queries", default=",".join(MONTH_QUERIES), help="default: %(default)s")
    parser.add_argument("--out", required=True, help="Markdown file to write")
    args = parser.parse_args()
    args.engines, args.queries = args.engines.split(","), args.queries.split(",")
    return args


def check(args):
    """Refuses before any work what would fail later."""
    unknown = [engine for engine in args.engines if engine not in ENGINES]
    if unknown or len(args.engines) < 2:
        raise BenchError(f"--engines takes two or more of {','.join(ENGINES)}")
    if not set(args.queries) <= set(QUERIES):
        raise BenchError(f"--queries takes some of {','.join(QUERIES)}")
    if set(args.engines) & set(BINARY_ENGINES):
        if not (args.plume and os.access(args.plume, os.X_OK)):
            raise BenchError(
                f"'{args.plume}' is no program: give --plume PATH_TO_BENCH_BINARY, "
                f"or leave its engines out: --engines {','.join(PEERS)}"
            )
        if not args.store:
            raise BenchError("engines plume and datafusion need --store STORE")
    for module in ("numpy", "pyarrow"):
        need(module)


def command(args, engine, query, result):
    """The command line of one engine and query."""
    if engine in BINARY_ENGINES:
        start = [os.path.abspath(args.plume)]
    else:
        start = [sys.executable, str(HERE / "peer.py")]
    store = ["--store", args.store] if args.store else []
    tail = ["--threads", str(args.threads), "--runs", str(args.runs), "--result", str(result)]
    return [*start, "--engine", engine, "--query", query, *store, "--files", args.files, *tail]


def measure(args, engine, query, folder):
    """Runs one engine and query; returns its report (see peer.py) with its result table."""
    result = Path(folder) / f"{engine}-{query}.parquet"
    words = command(args, engine, query, result)
    print(f"running {engine} {query}", file=sys.stderr)
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    lines = done.stdout.strip().splitlines()
    if done.returncode != 0 or not lines:
        raise BenchError(
            f"{engine} {query} ended with status {done.returncode}: "
            f"{done.stderr.strip()[-2000:]}\ncommand: {shlex.join(words)}"
        )
    report = checked_report(lines[-1], engine, query, args.runs)
    table = shaped(need("pyarrow.parquet").read_table(result), query)
    return report | {"table": table}


def checked_report(line, engine, query, runs):
    """The report in an engine's last line, if it is of this engine and query and has its times."""
    try:
        report = json.loads(line)
        given = (report["engine"], report["query"], len(report["seconds"]))
        complete = {"version", "peak_rss_bytes"} <= report.keys()
    except (ValueError, KeyError, TypeError) as cause:
        raise BenchError(f"{engine} {query} ended with no report but '{line[:200]}'") from cause
    if given != (engine, query, runs) or not complete:
        raise BenchError(f"{engine} {query} with {runs} runs asked, but its report is {line[:200]}")
    return report


def refuse_differences(reports, engines, queries):
    """An error naming the differing cells, unless every engine agrees with the first."""
    first, *others = engines
    lines = []
    for query in queries:
        reference = reports[first, query]["table"]
        for engine in others:
            found = differences(query, reference, reports[engine, query]["table"])
            lines += [f"  {query}, {first} against {engine}: {line}" for line in found]
    if lines:
        raise BenchError("results differ, so no times are given:\n" + "\n".join(lines))


def rows_of(files):
    """Number of rows in the files, from their footers."""
    parquet = need("pyarrow.parquet")
    return sum(parquet.read_metadata(path).num_rows for path in files)


def machine():
    """Processor model, cores, memory (GiB) and kernel as one line."""
    facts = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.split(":", 1)[1].strip() for line in facts if line.startswith("model name")]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{models[0] if models else platform.machine()}, {os.cpu_count()} cores, "
        f"{memory:.0f} GiB, Linux {platform.release()}"
    )


def query_table(reports, engines, query):
    """Markdown table of one query: median, fastest and slowest run, ratio to Plume, peak memory."""
    medians = {engine: statistics.median(reports[engine, query]["seconds"]) for engine in engines}
    lines = [
        "| engine | version | median s | fastest s | slowest s | time, Plume = 1 | peak MiB |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    for engine in engines:
        report = reports[engine, query]
        ratio = f"{medians[engine] / medians['plume']:.2f}" if "plume" in medians else "–"
        low, high = min(report["seconds"]), max(report["seconds"])
        lines.append(
            f"| {engine} | {report['version']} | {medians[engine]:.3f} | {low:.3f} | {high:.3f} "
            f"| {ratio} | {report['peak_rss_bytes'] / 2**20:.0f} |"
        )
    return lines


def markdown(args, reports, load):
    """The whole report; `load` is the machine's one-minute load average before the first run."""
    files = input_files(args.files)
    size = sum(os.path.getsize(path) for path in files)
    lines = [
        "# Plume and its peers on the same files",
        "",
        f"- Command: `{shlex.join(['python3', 'run.py', *sys.argv[1:]])}`",
        f"- Date: {datetime.now(timezone.utc):%Y-%m-%d %H:%M} UTC; load before the first run "
        f"{load:.2f}",
        f"- Machine: {machine()}; Python {platform.python_version()}",
        f"- Input: {rows_of(files):,} rows in {len(files)} Parquet files, {size / 1e6:,.1f} MB",
        f"- Per engine and query one process, {args.threads} threads, one warm-up run, then "
        f"{args.runs} timed ones, warm page cache; a run is planning, reading and computing up to "
        "the result in memory. Peak is the process's whole resident memory (VmHWM): program, "
        "caches and mapped files too.",
        "- All results agreed before a time was read: keys, counts and validity exactly, means "
        "and sums within 1e-9. The questions stand in `peers/queries.py`.",
    ]
    for query in args.queries:
        lines += ["", f"## {query}", "", *query_table(reports, args.engines, query)]
    return "\n".join(lines) + "\n"


def main():
    """Checks, measures, compares, then prints and writes the report."""
    args = arguments()
    try:
        check(args)
        input_files(args.files)
        load = os.getloadavg()[0]
        with tempfile.TemporaryDirectory(prefix="plume-peers-") as folder:
            reports = {
                (engine, query): measure(args, engine, query, folder)
                for query in args.queries
                for engine in args.engines
            }
        refuse_differences(reports, args.engines, args.queries)
        report = markdown(args, reports, load)
        Path(args.out).write_text(report)
    except BenchError as error:
        fail(error)
    print(report, end="")


if __name__ == "__main__":
    main()
