"""Runs one query on one peer in this process, with the interface of the Rust bench binary:

peer.py --engine duckdb|clickhouse|polars --query QUERY --store S --files GLOB --threads 2
        --runs 5 --result OUT.parquet

One warm-up run, then the timed ones. A run is planning, reading the files and computing, up to
the whole result in memory. Writes the last result to OUT.parquet and prints one JSON line:
{"engine", "query", "version", "seconds": [...], "peak_rss_bytes"}.
"""

import argparse
import json
import re
import time
from pathlib import Path

import patterns
from common import PATTERN_QUERIES, QUERIES, BenchError, fail, need, shaped
from queries import PEERS


def arguments():
    """The command line."""
    parser = argparse.ArgumentParser(description="one query on one peer")
    parser.add_argument("--engine", choices=PEERS, required=True)
    parser.add_argument("--query", choices=QUERIES + PATTERN_QUERIES, required=True)
    parser.add_argument("--store", help="Plume store, whose live files the patterns read")
    parser.add_argument("--files", help="glob of Parquet files, for all but the patterns")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--result", required=True, help="Parquet file to write")
    return parser.parse_args()


def opened(args):
    """The peer over what the query reads."""
    of_pattern = args.query in PATTERN_QUERIES
    peers, source = (patterns.PEERS, args.store) if of_pattern else (PEERS, args.files)
    if args.engine not in peers or not source:
        raise BenchError(
            f"{args.query} on {args.engine}: patterns are asked of {','.join(patterns.PEERS)} and "
            "need --store, the others need --files"
        )
    return peers[args.engine](source, args.threads)


def timed(peer, query, runs):
    """Runs a query once to warm up, then `runs` times; returns the seconds and the last result."""
    result, seconds = peer.run(query), []
    for _ in range(runs):
        start = time.perf_counter()
        result = peer.run(query)
        seconds.append(time.perf_counter() - start)
    return seconds, result


def peak_rss_bytes():
    """The most memory this process ever held, in bytes.

    VmHWM, not getrusage: ru_maxrss survives exec and would carry the parent's peak.
    """
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status).group(1)) * 1024


def main():
    """Runs, writes the result, prints the line."""
    args = arguments()
    try:
        peer = opened(args)
        seconds, result = timed(peer, args.query, args.runs)
        peak = peak_rss_bytes()
        need("pyarrow.parquet").write_table(shaped(result, args.query), args.result)
    except BenchError as error:
        fail(error)
    report = {"engine": args.engine, "query": args.query, "version": peer.version()}
    print(json.dumps(report | {"seconds": seconds, "peak_rss_bytes": peak}))


if __name__ == "__main__":
    main()
