#!/usr/bin/env python3
"""How `fraud_findings` does on real series, beside three public baselines.

Lands each public set in a store of its own, as outlets that nobody registered, and compares findings
with a score of 0.5 or more with the set's labels:

    python3 detection_real.py --plume PATH --shared ../../shared/data --work DIR --out DETECTION_REAL.md

A labelled span is found when an alarm overlaps it: one of its series where the label is of a series,
else one of its outlet. An alarm that overlaps none is false. Flagged points of a baseline are joined
into alarms over gaps as `constant_value` joins runs: 12 hours of hours, 2 hours of minutes. Each baseline
is tried with every setting of `baselines.py` and is told with the one that does best on the labels.
`--keep-baselines` takes their alarms from the last run in the same folder.
"""

import argparse
import csv
import json
import pathlib
import pickle
import shutil
import subprocess
import sys
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, replace

import pandas as pd

import real_series
from baselines import BASELINES

WORTH_A_TRIP = 0.5
JOIN = {"hourly": pd.Timedelta(hours=12), "minute": pd.Timedelta(hours=2)}
CONSTANT = {"hourly": pd.Timedelta(hours=24), "minute": pd.Timedelta(hours=6)}
CALLS_CONSTANT = ("constant_value", "low_variance")
YEAR_HOURS = 8766
SHIFTS = 20
FIGURES = "spans found | recall | alarms | precision | false alarms per 1,000 h | series' time under alarm"
MOST_PER_SERIES_YEAR = 2
LABELS = """\
What the labels mean. fraud-injected: synthetic tampering in real series, exactly labelled; the one set here that holds
what Plume looks for. batadal: cyber-attacks on a simulated water network, some of which also falsify the readings.
skab: valves closed on a testbed; nab: faults, load and weather of servers, advertisements and roads: process anomalies, honestly
measured, and no tampering. A detector of tampering should be silent there, so a low recall on skab and nab is no
fault, and what it does find is chance or likeness. nab's windows are wide (a tenth of each file), which favours whoever
raises many alarms.
"""


CHANCE = """\
Recall by chance is what the same alarms would find if all of them came earlier or later by parts of the record: a detector that
raises many or long alarms overlaps any span. False alarms are told per 1,000 hours of record, however many series an outlet has.
"""


@dataclass(frozen=True)
class Alarm:
    """A stretch that a detector points at; of its whole outlet where `factor` is empty."""

    mn: str
    factor: str
    started: pd.Timestamp
    ended: pd.Timestamp
    what: str = ""
    score: float = 0.0
    evidence: str = ""


def main():
    args = arguments()
    data = pathlib.Path(args.shared)
    absent = [folder for folder in real_series.FOLDERS if not (data / folder).is_dir()]
    if absent:
        sys.exit(f"error: {data} has no {', '.join(absent)}; name the folder of the public sets by --shared")
    args.seconds = {}
    labelled = [with_alarms(args, load(data)) for load in real_series.LABELLED]
    unaltered = [by_year(args, load(data)) for load in real_series.UNALTERED]
    text = report(args, labelled, unaltered)
    pathlib.Path(args.out).write_text(text, encoding="utf-8")
    print(text)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--plume", required=True, help="the binary")
    parser.add_argument("--shared", required=True, help="folder of the public sets")
    parser.add_argument("--work", required=True, help="folder for stores and alarms; stores are made anew")
    parser.add_argument("--out", required=True, help="Markdown file to write")
    parser.add_argument("--keep-baselines", action="store_true", help="don't compute the baselines' alarms again")
    return parser.parse_args()


def with_alarms(args, real_set):
    """A labelled set with Plume's findings and each baseline's alarms by setting."""
    print(f"{real_set.name} …", file=sys.stderr)
    store = landed(args, real_set)
    return real_set, found_in_all(args, real_set, store), baseline_alarms(args, real_set)


def by_year(args, real_set):
    """An unaltered set with Plume's findings of the whole time, and of each year asked for by itself."""
    print(f"{real_set.name} …", file=sys.stderr)
    store = landed(args, real_set)
    years = sorted(real_set.readings["ts"].dt.year.unique())
    of_years = [finding for year in years for finding in found_by_plume(args, store, f"{year}-01-01", f"{year + 1}-01-01")]
    return real_set, found_in_all(args, real_set, store), of_years


def found_in_all(args, real_set, store):
    """Findings of the set's whole time, and how long the query took."""
    times = real_set.readings["ts"]
    began = time.monotonic()
    findings = found_by_plume(args, store, times.min(), times.max() + real_series.HOUR)
    args.seconds[real_set.name, "Plume"] = time.monotonic() - began
    return findings


def landed(args, real_set):
    """A new store with the set's readings and working conditions."""
    folder = pathlib.Path(args.work) / file_name(real_set)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    tables = {table: rows[["mn", "factor", "ts", "value"]] for table, rows in real_set.readings.groupby("table")}
    if len(real_set.conditions):
        tables["conditions"] = real_set.conditions
    began = time.monotonic()
    for table, rows in tables.items():
        file = folder / f"{table}.csv"
        rows.assign(flag="N").dropna(subset="value").to_csv(file, index=False, float_format="%.10g", date_format="%Y-%m-%d %H:%M:%S")
        told = json.loads(plume(args, "ingest", "--store", folder / "store", "--table", table, file).splitlines()[-1])
        if told["rejected"] or told["duplicate"]:
            sys.exit(f"error: {real_set.name}: not every row of {table} landed: {told}")
    args.seconds[real_set.name, "landing"] = time.monotonic() - began
    return folder / "store"


def file_name(real_set):
    return "".join(letter if letter.isalnum() else "-" for letter in real_set.name)


def plume(args, *words):
    """Standard output of the binary."""
    ran = subprocess.run([args.plume, *map(str, words)], capture_output=True, text=True)
    if ran.returncode:
        sys.exit(f"error: plume {words[0]} failed: {ran.stderr.strip()}")
    return ran.stdout


def found_by_plume(args, store, start, end):
    """Findings of the period worth a trip."""
    query = (
        "SELECT mn, factor, started, ended, pattern, score, evidence "
        f"FROM fraud_findings('{start}', '{end}') WHERE score >= {WORTH_A_TRIP} ORDER BY mn, factor, started"
    )
    rows = csv.DictReader(plume(args, "sql", "--store", store, "-c", query, "--format", "csv").splitlines())
    return [
        Alarm(
            row["mn"],
            row["factor"],
            pd.Timestamp(row["started"]),
            pd.Timestamp(row["ended"]),
            row["pattern"],
            float(row["score"]),
            row["evidence"],
        )
        for row in rows
    ]


def baseline_alarms(args, real_set):
    """Alarms of each baseline by setting, computed or kept from the last run."""
    file = pathlib.Path(args.work) / f"baselines-{file_name(real_set)}.pickle"
    if args.keep_baselines and file.exists():
        alarms, seconds = pickle.loads(file.read_bytes())
    else:
        alarms, seconds = computed_alarms(real_set)
        file.write_bytes(pickle.dumps((alarms, seconds)))
    for name, taken in seconds.items():
        args.seconds[real_set.name, name] = taken
    return alarms


def computed_alarms(real_set):
    alarms, seconds = {}, {}
    for name, baseline in BASELINES.items():
        by_setting = defaultdict(list)
        began = time.monotonic()
        for series in real_set.series:
            for setting, flagged in baseline(series):
                by_setting[setting] += joined(series, series.values.index[flagged])
        alarms[name], seconds[name] = dict(by_setting), time.monotonic() - began
    return alarms, seconds


def joined(series, times):
    """Flagged points as alarms, over gaps up to what `constant_value` goes on behind."""
    times = times.to_series()
    stretches = times.groupby((times.diff() > JOIN[series.table] + series.step).cumsum())
    return [Alarm(series.mn, series.factor, of.min(), of.max() + series.step) for _, of in stretches]


def overlaps(alarm, span):
    """Whether an alarm hits a span of its own series, or of its outlet where either is of the whole outlet."""
    of_one = alarm.mn == span.mn and (alarm.factor == span.factor or not alarm.factor or not span.factor)
    return of_one and alarm.started < span.ended and alarm.ended > span.started


@dataclass(frozen=True)
class Figures:
    """What a detector's alarms are worth on a set."""

    found: list
    missed: list
    true: list
    false: list
    hours: float
    series_hours: float

    @property
    def recall(self):
        return len(self.found) / max(len(self.found) + len(self.missed), 1)

    @property
    def precision(self):
        return len(self.true) / max(len(self.true) + len(self.false), 1)

    @property
    def harmonic(self):
        return 2 * self.recall * self.precision / max(self.recall + self.precision, 1e-9)

    def cells(self):
        """What `FIGURES` heads."""
        alarms = self.true + self.false
        precision = f"{self.precision:.2f}" if alarms else "–"
        spans = len(self.found) + len(self.missed)
        alarmed = sum((alarm.ended - alarm.started) / real_series.HOUR for alarm in alarms) / self.series_hours
        per_1000_h = 1000 * len(self.false) / self.hours
        return f"{len(self.found)} of {spans} | {self.recall:.2f} | {len(alarms)} | {precision} | {per_1000_h:.2f} | {alarmed:.1%}"


def figures(real_set, alarms):
    hit = lambda span: any(overlaps(alarm, span) for alarm in alarms)
    is_true = lambda alarm: any(overlaps(alarm, span) for span in real_set.spans)
    return Figures(
        [span for span in real_set.spans if hit(span)],
        [span for span in real_set.spans if not hit(span)],
        [alarm for alarm in alarms if is_true(alarm)],
        [alarm for alarm in alarms if not is_true(alarm)],
        real_set.hours,
        real_set.series_hours,
    )


def by_chance(real_set, alarms):
    """Recall that as many alarms as long would have elsewhere: the mean over shifts of all by equal parts of the record."""
    records = {mn: pd.DatetimeIndex(sorted(times.unique())) for mn, times in real_set.readings.groupby("mn")["ts"]}
    recalls = [
        figures(real_set, [shifted(alarm, records[alarm.mn], part / SHIFTS) for alarm in alarms]).recall
        for part in range(1, SHIFTS)
    ]
    return sum(recalls) / len(recalls)


def shifted(alarm, record, part):
    """An alarm that begins a part of the record's rows later; behind the last row it goes on at the first."""
    row = record.searchsorted(alarm.started, side="right") - 1
    started = record[(row + int(part * len(record))) % len(record)]
    return replace(alarm, started=started, ended=started + (alarm.ended - alarm.started))


def detectors(real_set, findings, alarms):
    """Of Plume and of each baseline at its best setting: {name: (setting, figures, recall by chance)}."""
    told = {"Plume": (f"score ≥ {WORTH_A_TRIP}", figures(real_set, findings), by_chance(real_set, findings))}
    for name, by_setting in alarms.items():
        tried = {setting: figures(real_set, of) for setting, of in by_setting.items()}
        best = max(tried, key=lambda setting: tried[setting].harmonic)
        told[name] = (best, tried[best], by_chance(real_set, by_setting[best]))
    return told


def report(args, labelled, unaltered):
    compared = {real_set.name: detectors(real_set, findings, alarms) for real_set, findings, alarms in labelled}
    parts = [
        "# Detection on real series",
        "Command: `python3 detection_real.py --plume PATH --shared ../../shared/data --work DIR --out DETECTION_REAL.md`",
        LABELS,
        compared_table(compared),
        types_table(compared["fraud-injected"]),
        missed_list(compared["fraud-injected"]["Plume"][1]),
        true_list(compared["fraud-injected"]["Plume"][1]),
        "\n".join(["## False findings on labelled sets", "", *labelled_false(compared)]),
        constant_runs(labelled, unaltered),
        unaltered_table(unaltered),
        tried_table(labelled),
        seconds_table(args.seconds),
    ]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def compared_table(compared):
    lines = [f"| set | detector | setting | {FIGURES} | recall by chance |", "|---|---|---|" + "---:|" * 7]
    for name, told in compared.items():
        lines += [
            f"| {name} | {detector} | {cell(setting)} | {of.cells()} | {chance:.2f} |"
            for detector, (setting, of, chance) in told.items()
        ]
    return "\n".join(lines + ["", CHANCE.strip()])


def cell(text):
    """Text that may hold a column's bar."""
    return text.replace("|", "\\|")


def types_table(told):
    """Recall on fraud-injected by type of tampering."""
    lines = ["## fraud-injected by type", "", f"| type | {' | '.join(told)} |", "|---|" + "---:|" * len(told)]
    of_all = Counter(span.kind for span in told["Plume"][1].found + told["Plume"][1].missed)
    found = {name: Counter(span.kind for span in of.found) for name, (_, of, _) in told.items()}
    for kind, spans in sorted(of_all.items()):
        lines.append(f"| {kind} | {' | '.join(f'{found[name][kind]} of {spans}' for name in told)} |")
    return "\n".join(lines)


def missed_list(of_plume):
    lines = ["## Spans of fraud-injected that Plume misses", ""]
    lines += [f"- {span.kind}: {span.mn} {span.factor}, {span.started} to {span.ended}" for span in of_plume.missed]
    return "\n".join(lines if of_plume.missed else [*lines, "None."])


def true_list(of_plume):
    """Findings that overlap labels, and which."""
    lines = ["## Findings of Plume on fraud-injected that overlap labels", ""]
    for finding in of_plume.true:
        spans = ", ".join(f"{span.kind} {span.started:%Y-%m-%d}" for span in of_plume.found if overlaps(finding, span))
        lines.append(f"- {told_finding(finding)}: {spans}")
    return "\n".join(lines)


def labelled_false(compared):
    """Plume's false findings, with the set's name."""
    lines = [f"- {name}: {told_finding(finding)}" for name, told in compared.items() for finding in told["Plume"][1].false]
    return lines or ["None."]


def told_finding(finding):
    """A finding in a line, with the figures it rests on."""
    span = f"{finding.started} to {finding.ended}"
    return f"{finding.mn} {finding.factor} {finding.what} {finding.score:.2f}, {span}, `{finding.evidence}`"


def constant_runs(labelled, unaltered):
    """Genuine constant runs outside of labels, and how many of them a finding calls frozen."""
    lines = [
        "## Genuine constant runs",
        "",
        "Runs of one value for 24 hours (hours) or 6 hours (minutes) and longer, outside of labelled spans of the series; at the floor",
        "are those in the lowest quarter of a series' values and below its greatest. A run is called fraud when a finding",
        f"{' or '.join(CALLS_CONSTANT)} overlaps it, on unaltered sets of the whole time or of one year; others that cover it are told beside.",
        "",
        "| set | series | runs | at the floor | longest | values (runs) | called fraud | of them at the floor | covered by other findings |",
        "|---|---|---:|---:|---:|---|---:|---:|---:|",
    ]
    told = [(real_set, findings) for real_set, findings, _ in labelled]
    told += [(real_set, findings + of_years) for real_set, findings, of_years in unaltered]
    for real_set, findings in told:
        for series in real_set.series:
            runs = [run for run in runs_of(series) if not any(overlaps(run, span) for span in real_set.spans)]
            if runs:
                lines.append(f"| {real_set.name} | {series.mn} {series.column} | {runs_cells(series, runs, findings)} |")
    return "\n".join(lines)


def runs_of(series):
    """Long runs of one value as alarms that nobody raised; a missing value ends a run."""
    values = series.values
    broken = (values != values.shift()) | (values.index.to_series().diff() > series.step)
    runs = values.groupby(broken.cumsum())
    times = [(of.index[0], of.index[-1] + series.step, of.iloc[0]) for _, of in runs if len(of) * series.step >= CONSTANT[series.table]]
    return [Alarm(series.mn, series.factor, start, end, f"{value:g}") for start, end, value in times]


def runs_cells(series, runs, findings):
    of_series = [of for of in findings if of.mn == series.mn and of.factor == series.factor]
    over = lambda run, frozen: any((of.what in CALLS_CONSTANT) == frozen and overlaps(of, run) for of in of_series)
    is_floor = lambda run: float(run.what) <= series.values.quantile(0.25) and float(run.what) < series.values.max()
    called = [run for run in runs if over(run, True)]
    others = sum(over(run, False) for run in runs)
    longest = max(run.ended - run.started for run in runs) / real_series.HOUR
    values = ", ".join(f"{value} ({count})" for value, count in Counter(run.what for run in runs).most_common(4))
    floors = [sum(map(is_floor, of)) for of in (runs, called)]
    return f"{len(runs)} | {floors[0]} | {longest:.0f} h | {values} | {len(called)} | {floors[1]} | {others}"


def unaltered_table(unaltered):
    """Findings per series-year where nothing was altered, and each of them."""
    lines = [
        "## Unaltered sets",
        "",
        "| set | series | series-years | findings | per series-year | most that begin in one year of a series | asked for year by year | patterns |",
        "|---|---:|---:|---:|---:|---:|---:|---|",
    ]
    for real_set, findings, of_years in unaltered:
        lines.append(f"| {real_set.name} | {unaltered_cells(real_set, findings, of_years)} |")
    lines += ["", f"At most {MOST_PER_SERIES_YEAR} per series-year are asked for. Each finding:", ""]
    lines += [f"- {real_set.name}: {told_finding(finding)}" for real_set, findings, _ in unaltered for finding in findings]
    lines += ["", "Each finding of a year asked for by itself:", ""]
    lines += [f"- {real_set.name}: {told_finding(finding)}" for real_set, _, of_years in unaltered for finding in of_years]
    return "\n".join(lines)


def unaltered_cells(real_set, findings, of_years):
    series, years = len(real_set.series), real_set.series_hours / YEAR_HOURS
    most = max(Counter((of.mn, of.factor, of.started.year) for of in findings).values(), default=0)
    patterns = ", ".join(f"{pattern} {count}" for pattern, count in Counter(of.what for of in findings).most_common())
    return f"{series} | {years:.2f} | {len(findings)} | {len(findings) / years:.2f} | {most} | {len(of_years)} | {patterns or 'none'}"


def tried_table(labelled):
    """Every setting of the baselines that was tried."""
    lines = [
        "## Settings tried",
        "",
        "Short window: a day of hours or 60 rows of minutes; long: a week of hours or 360 rows of minutes. The setting with the greatest",
        "harmonic mean of recall and precision on the set's own labels is told above, which favours the baselines; Plume has one",
        "setting.",
        "",
        f"| set | baseline | setting | {FIGURES} |",
        "|---|---|---|" + "---:|" * 6,
    ]
    for real_set, _, alarms in labelled:
        for name, by_setting in alarms.items():
            lines += [
                f"| {real_set.name} | {name} | {cell(setting)} | {figures(real_set, of).cells()} |"
                for setting, of in by_setting.items()
            ]
    return "\n".join(lines)


def seconds_table(seconds):
    steps = ["landing", "Plume", *BASELINES]
    head = [f"| set | {' | '.join(steps)} |", "|---|" + "---:|" * len(steps)]
    lines = ["## Seconds taken", "", "A baseline's are those of all its settings.", "", *head]
    for name in dict.fromkeys(name for name, _ in seconds):
        told = [f"{seconds[name, step]:.1f}" if (name, step) in seconds else "–" for step in steps]
        lines.append(f"| {name} | {' | '.join(told)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
