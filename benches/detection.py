#!/usr/bin/env python3
"""How well `fraud_findings` finds what `plume generate` plants.

Makes two provinces of each seed, one with patterns planted on half of the outlets and one with none
but their innocent twins, lands both and compares the findings with `truth.csv`:

    python3 detection.py --plume PATH --seeds 101 102 103 --outlets 400 --from 2025-10-01 \
        --to 2026-04-01 --work DIR --out DETECTION.md

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
from collections import Counter, defaultdict
from datetime import datetime

WORTH_A_TRIP = 0.5
TIME = "%Y-%m-%d %H:%M:%S"


def main():
    args = arguments()
    planted = [province(args, seed, "planted", []) for seed in args.seeds]
    clean = [province(args, seed, "clean", ["--clean"]) for seed in args.seeds]
    text = report(args, planted, clean)
    pathlib.Path(args.out).write_text(text, encoding="utf-8")
    print(text)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--plume", required=True, help="the binary")
    parser.add_argument("--seeds", type=int, nargs="+", required=True, help="ones that no threshold was tuned on")
    parser.add_argument("--outlets", type=int, default=400)
    parser.add_argument("--from", dest="start", default="2025-10-01")
    parser.add_argument("--to", dest="end", default="2026-04-01")
    parser.add_argument("--interval", default="hour", choices=["hour", "minute"])
    parser.add_argument("--work", required=True, help="folder for provinces and stores; emptied first")
    parser.add_argument("--out", required=True, help="Markdown file to write")
    return parser.parse_args()


def province(args, seed, name, flags):
    """Generates and lands a province; its truth and its findings. The store goes when it was asked."""
    folder = pathlib.Path(args.work) / f"{name}-{seed}"
    shutil.rmtree(folder, ignore_errors=True)
    files, store = folder / "files", folder / "store"
    run = lambda *words: subprocess.run([args.plume, *map(str, words)], check=True, capture_output=True, text=True).stdout
    period = ["--from", args.start, "--to", args.end]
    run("generate", "--outlets", args.outlets, *period, "--seed", seed, "--interval", args.interval, "--out", files, *flags)
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
    shutil.rmtree(folder)
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


class Outcome:
    """What was found of the plants of some provinces."""

    def __init__(self, provinces):
        self.counts = defaultdict(lambda: defaultdict(lambda: [0, 0]))
        self.starts, self.ends = defaultdict(list), defaultdict(list)
        for planted in provinces:
            of_outlet = defaultdict(list)
            for finding in planted["findings"]:
                of_outlet[finding["mn"]].append(finding)
            for plant in planted["truth"]:
                self.note(plant, found(plant, of_outlet[plant["mn"]]))

    def note(self, plant, finding):
        """Counts a plant; the errors of its bounds where it is medium or strong and was found."""
        pattern, strength = plant["pattern"], plant["strength"]
        count = self.counts[pattern][strength]
        count[0] += finding is not None
        count[1] += 1
        if finding and strength != "weak":
            self.starts[pattern].append(hours_between(finding["started"], plant["started"]))
            self.ends[pattern].append(hours_between(finding["ended"], plant["ended"]))

    def recall(self, pattern):
        """Found and planted at medium and strong."""
        by_strength = self.counts[pattern].items()
        return [sum(count[i] for strength, count in by_strength if strength != "weak") for i in (0, 1)]


def median(values):
    return f"{statistics.median(values):.1f}" if values else "–"


def report(args, planted, clean):
    outcome = Outcome(planted)
    false = Counter(finding["pattern"] for province in clean for finding in province["findings"])
    days = (moment(args.end + " 00:00:00") - moment(args.start + " 00:00:00")).days
    months = len(clean) * args.outlets * days / 30.4375
    recalls = [outcome.recall(pattern) for pattern in outcome.counts]
    hits, plants = (sum(recall[i] for recall in recalls) for i in (0, 1))
    every = lambda errors: [error for of_pattern in errors.values() for error in of_pattern]
    seeds = " ".join(map(str, args.seeds))
    lines = [
        "# Detection of planted patterns",
        "",
        f"- Command: `python3 detection.py --plume PATH --seeds {seeds} --outlets {args.outlets} --from {args.start} --to {args.end} --interval {args.interval} --work DIR --out DETECTION.md`",
        f"- Recall at medium and strong: {hits} of {plants} ({hits / max(plants, 1):.3f})",
        f"- Median error of the start {median(every(outcome.starts))} h, of the end {median(every(outcome.ends))} h",
        f"- Findings on clean provinces: {false.total()} in {months:.0f} outlet-months ({false.total() / months:.4f} each)",
        "",
        "| pattern | weak | medium | strong | recall, medium and strong | median error of start, h | of end, h | findings on clean provinces |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for pattern in sorted(set(outcome.counts) | set(false)):
        cells = ["{} of {}".format(*outcome.counts[pattern][strength]) for strength in ("weak", "medium", "strong")]
        hits, plants = outcome.recall(pattern)
        errors = [median(of[pattern]) for of in (outcome.starts, outcome.ends)]
        cells += [f"{hits / max(plants, 1):.2f}", *errors, str(false[pattern])]
        lines.append(f"| {pattern} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
