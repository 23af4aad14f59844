#!/usr/bin/env python3
"""How well `fraud_findings` finds what `plume generate` plants.

Makes two provinces of a seed, one with patterns planted on half of the outlets and one with none
but their innocent twins, lands both and compares the findings with `truth.csv`:

    python3 detection.py --plume PATH --seed 101 --outlets 400 --from 2025-10-01 --to 2026-04-01 \
        --work DIR --out DETECTION.md

A planted pattern is found when a finding of its outlet with a score of 0.5 or more names it, as the
pattern itself or among those that overlap, and overlaps it in time. A finding on the clean province
is a false one.
"""

import argparse
import csv
import json
import pathlib
import shutil
import statistics
import subprocess
from collections import defaultdict
from datetime import datetime

WORTH_A_TRIP = 0.5
TIME = "%Y-%m-%d %H:%M:%S"


def main():
    args = arguments()
    planted = province(args, "planted", [])
    clean = province(args, "clean", ["--clean"])
    text = report(args, planted, clean)
    pathlib.Path(args.out).write_text(text, encoding="utf-8")
    print(text)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--plume", required=True, help="the binary")
    parser.add_argument("--seed", type=int, required=True, help="one that no threshold was tuned on")
    parser.add_argument("--outlets", type=int, default=400)
    parser.add_argument("--from", dest="start", default="2025-10-01")
    parser.add_argument("--to", dest="end", default="2026-04-01")
    parser.add_argument("--interval", default="hour", choices=["hour", "minute"])
    parser.add_argument("--work", required=True, help="folder for provinces and stores; emptied first")
    parser.add_argument("--out", required=True, help="Markdown file to write")
    return parser.parse_args()


def province(args, name, flags):
    """Generates and lands a province; its truth and its findings."""
    folder = pathlib.Path(args.work) / name
    shutil.rmtree(folder, ignore_errors=True)
    files, store = folder / "files", folder / "store"
    run = lambda *words: subprocess.run([args.plume, *map(str, words)], check=True, capture_output=True, text=True).stdout
    period = ["--from", args.start, "--to", args.end]
    run("generate", "--outlets", args.outlets, *period, "--seed", args.seed, "--interval", args.interval, "--out", files, *flags)
    for table in sorted(files.glob("*.parquet")):
        run("ingest", "--store", store, "--table", table.stem, "--format", "parquet", table)
    query = f"SELECT * FROM fraud_findings('{args.start}', '{args.end}') WHERE score >= {WORTH_A_TRIP}"
    findings = list(csv.DictReader(run("sql", "--store", store, "-c", query, "--format", "csv").splitlines()))
    for finding in findings:
        finding["patterns"] = {finding["pattern"]} | {
            pattern for pattern, score in json.loads(finding["evidence"]).get("also", {}).items() if score >= WORTH_A_TRIP
        }
    truth = files / "truth.csv"
    rows = list(csv.DictReader(truth.open(encoding="utf-8"))) if truth.exists() else []
    return {"truth": rows, "findings": findings}


def moment(text):
    return datetime.strptime(text.replace("T", " ")[:19], TIME)


def hours_between(a, b):
    return abs((moment(a) - moment(b)).total_seconds()) / 3600


def found(plant, findings):
    """The finding that names a planted pattern and overlaps it most nearly; None if there is none."""
    named = [
        finding
        for finding in findings
        if plant["pattern"] in finding["patterns"]
        and moment(finding["started"]) < moment(plant["ended"])
        and moment(finding["ended"]) > moment(plant["started"])
    ]
    error = lambda f: hours_between(f["started"], plant["started"]) + hours_between(f["ended"], plant["ended"])
    return min(named, key=error, default=None)


def report(args, planted, clean):
    of_outlet = defaultdict(list)
    for finding in planted["findings"]:
        of_outlet[finding["mn"]].append(finding)
    counts = defaultdict(lambda: defaultdict(lambda: [0, 0]))
    starts, ends = [], []
    for plant in planted["truth"]:
        finding = found(plant, of_outlet[plant["mn"]])
        count = counts[plant["pattern"]][plant["strength"]]
        count[1] += 1
        count[0] += finding is not None
        if finding and plant["strength"] != "weak":
            starts.append(hours_between(finding["started"], plant["started"]))
            ends.append(hours_between(finding["ended"], plant["ended"]))
    false = defaultdict(int)
    for finding in clean["findings"]:
        false[finding["pattern"]] += 1
    months = args.outlets * (moment(args.end + " 00:00:00") - moment(args.start + " 00:00:00")).days / 30.4375
    strong = [sum(count[i] for by in counts.values() for s, count in by.items() if s != "weak") for i in (0, 1)]
    median = lambda values: f"{statistics.median(values):.1f} h" if values else "none"
    lines = [
        "# Detection of planted patterns",
        "",
        f"- Command: `python3 detection.py --plume PATH --seed {args.seed} --outlets {args.outlets} --from {args.start} --to {args.end} --interval {args.interval} --work DIR --out DETECTION.md`",
        f"- Recall at medium and strong: {strong[0]} of {strong[1]} ({strong[0] / max(strong[1], 1):.3f})",
        f"- Median error of the start {median(starts)}, of the end {median(ends)}",
        f"- Findings on the clean province: {len(clean['findings'])} in {months:.0f} outlet-months ({len(clean['findings']) / months:.3f} each)",
        "",
        "| pattern | weak | medium | strong | false findings on the clean province |",
        "|---|---:|---:|---:|---:|",
    ]
    for pattern in sorted(set(counts) | set(false)):
        cells = ["{} of {}".format(*counts[pattern][strength]) for strength in ("weak", "medium", "strong")]
        lines.append(f"| {pattern} | {' | '.join(cells)} | {false[pattern]} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
