"""A slow, independent model of totals with substitution, from CONTRACT §5 and ST 3.3, 3.4.

Hours, stops and due hours come from model.py. Where the two documents leave a choice open the
comment names the line of the list of choices (docs/decisions/0005) as [n].

    emissions(tables, "2026-01-01", "2026-04-01", "month")

`tables` maps a table of CONTRACT §3 to its data frame: `hourly` and, if there, `outlets`,
`monitors`, `stoppages`, `qc_results`, `manual_samples`.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from model import (
    FLOW, HAVE_MASS, HOUR, MICROGRAM, OXYGEN, PH, Outlet, in_force, mass_rows, optional,
    outlet_hours, setting, three_quarters,
)

DUST = "a34013"
FOREVER = pd.Timestamp.max.floor("D")
QUARTER_HOUR = pd.Timedelta(minutes=15)
DAY = pd.Timedelta(days=1)
GAS_CHECKS = ("zero", "span", "velocity_zero")      # [2]
WATER_CHECKS = ("standard_check", "comparison")     # [2]


# ---------------------------------------------------------------- out of control and overdue


@dataclass(frozen=True)
class Period:
    """A time in which a monitor is not to be trusted, and its last passed check before it."""

    start: pd.Timestamp
    end: pd.Timestamp
    last_pass: pd.Timestamp
    why: str


def verdict(row, factor, full_scale):
    """True passed, False failed, None cannot be judged [5, 6]."""
    passed = row.get("passed")
    if passed is not None and pd.notna(passed):
        return bool(passed)
    kind, measured, expected = row["kind"], row.get("measured"), row.get("expected")
    unit = row.get("unit")
    if measured is None or pd.isna(measured):
        return None
    if factor.startswith("a"):
        if unit == "%":
            drift = measured - (0.0 if expected is None or pd.isna(expected) else expected)
        elif expected is None or pd.isna(expected):
            return None
        elif kind == "velocity_zero" and unit == "m/s":
            return bool(abs(measured - expected) <= 1.8)
        elif full_scale is None or pd.isna(full_scale) or full_scale <= 0:
            return None
        else:
            drift = (measured - expected) / full_scale * 100.0
        if kind == "velocity_zero":
            limit = 8.0
        elif factor == DUST:
            limit = 8.0
        else:
            limit = {"zero": 5.0, "span": 10.0}[kind]
        return bool(abs(drift) <= limit)
    if expected is None or pd.isna(expected):
        return None
    error = abs(measured - expected)
    if kind == "standard_check":
        return bool(error <= 0.10 * abs(expected))
    # a comparison with a real sample, ST 3.4
    if factor == "w01018":
        if expected < 30:
            return bool(error <= 5)
        share = 0.30 if expected < 60 else 0.20 if expected < 100 else 0.15
        return bool(error <= share * expected)
    small = {"w21003": (2, 0.3), "w21011": (0.4, 0.04), "w21001": (2, 0.3)}
    if factor in small:
        below, absolute = small[factor]
        return bool(error <= (absolute if expected < below else 0.15 * expected))
    if factor in (PH, "w01010"):
        return bool(error <= 0.5)
    if factor == FLOW["w"]:
        return bool(error <= 0.10 * expected)
    return None


def registry_of(monitors):
    """(mn, factor) -> its rows of the registry, the earliest first."""
    found = {}
    if monitors is not None:
        for row in monitors.sort_values("since", na_position="first").to_dict("records"):
            found.setdefault((row["mn"], row["factor"]), []).append(row)
    return found


def at(registry, column, when):
    """A monitor's setting in force at one moment, or None."""
    found = None
    for row in registry:
        since, until, value = row.get("since"), row.get("until"), row.get(column)
        if since is not None and pd.notna(since) and when < pd.Timestamp(since):
            continue
        if until is not None and pd.notna(until) and when >= pd.Timestamp(until):
            continue
        if value is not None and pd.notna(value):
            found = value
    return found


def judged(checks, registry, factor):
    """[(ts, kind, passed)] of one series in order of time, what cannot be judged left out."""
    wanted = GAS_CHECKS if factor.startswith("a") else WATER_CHECKS
    out = []
    for row in checks.sort_values("ts").to_dict("records"):
        if row["kind"] not in wanted:
            continue
        high = at(registry, "range_high", row["ts"])
        low = at(registry, "range_low", row["ts"])
        full_scale = None if high is None else high - (low or 0.0)
        answer = verdict(row, factor, full_scale)
        if answer is not None:
            out.append((pd.Timestamp(row["ts"]), row["kind"], answer))
    return out


def out_of_control(results):
    """From the last pass of a kind to its next pass, when a check of it failed [3, 4]."""
    periods = []
    for kind in sorted({kind for _, kind, _ in results}):
        last_pass = began = None
        for ts, this, passed in results:
            if this != kind:
                continue
            if not passed and began is None:
                began = ts if last_pass is None else last_pass
            if passed:
                if began is not None:
                    periods.append(Period(began, ts, began, "out_of_control"))
                last_pass, began = ts, None
        if began is not None:
            periods.append(Period(began, FOREVER, began, "out_of_control"))
    return periods


def calibration_interval(registry, factor, when):
    """K4-K7 [9]."""
    if at(registry, "auto_calibration", when) in (True, "true"):
        return pd.Timedelta(hours=24)
    if factor == DUST:
        return pd.Timedelta(days=15)
    method = at(registry, "method", when) or ""
    direct = "direct" in method.lower() or "直接" in method
    return pd.Timedelta(days=15 if direct else 7)


def overdue(results, first, registry, factor):
    """Zero and span each have a clock that starts at the first check on file [7, 8]."""
    periods = []
    for kind in ("zero", "span"):
        clocks = [first] + [ts for ts, this, passed in results if this == kind and passed]
        for clock, following in zip(clocks, clocks[1:] + [FOREVER]):
            due = clock + calibration_interval(registry, factor, clock)
            if due < following:
                periods.append(Period(due, following, clock, "overdue"))
    return periods


def control_periods(checks, registry, factor):
    """All periods of one series; a series without any qc_results row is not judged."""
    if checks is None or checks.empty:
        return []
    results = judged(checks, registry, factor)
    periods = out_of_control(results)
    if factor.startswith("a") and factor in HAVE_MASS:
        periods += overdue(results, checks["ts"].min(), registry, factor)
    return periods


def covered(periods, hour):
    """How much of [hour, hour + 1 h) the union of the periods covers."""
    parts = [(max(p.start, hour), min(p.end, hour + HOUR)) for p in periods]
    parts = sorted((a, b) for a, b in parts if a < b)
    total, reached = pd.Timedelta(0), hour
    for a, b in parts:
        if b > reached:
            total += b - max(a, reached)
            reached = b
    return total


def bad_hours(periods, grid):
    """Hours of which more than 15 minutes are out of control or overdue [11]."""
    bad = np.zeros(len(grid), dtype=bool)
    edges = set()
    for p in periods:
        bad |= (grid >= p.start) & (grid + HOUR <= p.end)      # wholly inside
        edges |= {p.start.floor("h"), p.end.floor("h")}
    for hour in edges:                                          # touched: minute by minute
        here = np.flatnonzero(grid == hour)
        if len(here):
            bad[here[0]] = covered(periods, hour) > QUARTER_HOUR
    return bad


# ---------------------------------------------------------------- hours of a store


@dataclass
class Hours:
    """`valid`: every due hour of every factor. `mass`: of factors with a mass, with m3 and pair.
    `periods`: control periods by (mn, factor). `manual`: the samples."""

    valid: pd.DataFrame
    mass: pd.DataFrame
    periods: dict
    checks: dict
    manual: pd.DataFrame
    registry: dict


def hours_of(tables):
    """Every due hour of the store, from its first quarter to the last hour anyone sent."""
    hourly = tables["hourly"].copy()
    hourly["ts"] = hourly["ts"].astype("datetime64[ns]")
    hourly = in_force(hourly, ["mn", "factor", "ts"])
    outlets, monitors, stoppages = (tables.get(n) for n in ("outlets", "monitors", "stoppages"))
    if outlets is not None:
        end_label = outlets.loc[optional(outlets, "ts_label").eq("end"), "mn"]
        hourly.loc[hourly["mn"].isin(end_label), "ts"] -= HOUR
        outlets = in_force(outlets, ["mn", "since"])
    if monitors is not None:
        monitors = in_force(monitors, ["mn", "factor", "since"])
    if stoppages is not None:
        stoppages = in_force(stoppages, ["mn", "kind", "started"])
    qc, manual = tables.get("qc_results"), tables.get("manual_samples")
    checks = {}
    if qc is not None and len(qc):
        qc = in_force(qc.assign(ts=qc["ts"].astype("datetime64[ns]")),
                      ["mn", "factor", "ts", "kind"])
        checks = dict(list(qc.groupby(["mn", "factor"])))
    if manual is not None and len(manual):
        manual = in_force(manual.assign(ts=manual["ts"].astype("datetime64[ns]")),
                          ["mn", "factor", "ts"])
    else:
        manual = pd.DataFrame(columns=["mn", "factor", "ts", "value", "flow", "kind"])

    first, data_end = hourly["ts"].min(), hourly["ts"].max()
    if outlets is not None and outlets["since"].notna().any():
        first = min(first, pd.Timestamp(outlets["since"].min()))
    start = first.to_period("Q").start_time
    grid = pd.date_range(start, data_end, freq="h").astype("datetime64[ns]")

    registry = registry_of(monitors)
    minute = tables.get("minute")
    if minute is not None and len(minute):
        minute = in_force(minute.assign(ts=minute["ts"].astype("datetime64[ns]")),
                          ["mn", "factor", "ts"])
    parts, periods = [], {}
    for mn, own_rows in hourly.groupby("mn", sort=True):
        own_rows = own_rows.copy()
        bad = {}
        for factor in sorted(own_rows["factor"].unique()):
            got = control_periods(checks.get((mn, factor)), registry.get((mn, factor), []),
                                  factor)
            periods[mn, factor] = got
            bad[factor] = bad_hours(got, grid)
            # an hour out of control or overdue is no valid hour, whatever its flag [12]
            lost = own_rows["factor"].eq(factor) & own_rows["ts"].isin(grid[bad[factor]])
            own_rows.loc[lost & own_rows["flag"].eq("N"), "flag"] = "D"
        own_minutes = None if minute is None else minute[minute["mn"] == mn]
        own = Outlet(mn, own_rows, own_minutes, grid)
        for frame in outlet_hours(own, outlets, monitors, stoppages, data_end):
            factor = frame["factor"].iat[0] if len(frame) else None
            if factor is None:
                continue
            frame["out_of_control"] = bad[factor][grid.get_indexer(frame["ts"])]
            frame["sent_converted"] = own.column(factor, "converted")[
                grid.get_indexer(frame["ts"])]
            parts.append(frame)
    valid = pd.concat(parts, ignore_index=True)
    mass = mass_rows(valid, outlets, monitors)
    mass = mass.rename(columns={"measured": "pair"}).drop(columns=["missing"])
    mass["k"] = np.where(mass["medium"].eq("a") | mass["factor"].isin(MICROGRAM), 1e-6, 1e-3)
    mass["running"] = ~mass["stopped"] & ~mass["no_flow"]
    mass = mass.sort_values(["mn", "factor", "ts"]).reset_index(drop=True)
    return Hours(valid, mass, periods, checks, manual, registry)


def with_converted(hours, outlets):
    """hourly_valid with `converted`: as sent, else by the hour's valid O2 [53]."""
    rows = hours.valid.copy()
    oxygen = rows[rows["factor"].eq(OXYGEN) & rows["valid"]][["mn", "ts", "value"]]
    rows = rows.merge(oxygen.rename(columns={"value": "o2"}), on=["mn", "ts"], how="left")
    reference = {}
    if outlets is not None and "o2_reference" in outlets:
        reference = dict(zip(outlets["mn"], outlets["o2_reference"]))
    ref = rows["mn"].map(reference).astype(float)
    computed = rows["value"] * (21.0 - ref) / (21.0 - rows["o2"].clip(upper=20.0))
    computed = computed.where(ref.notna(), rows["value"])
    rows["converted"] = rows["sent_converted"].fillna(computed).where(rows["valid"])
    return rows


# ---------------------------------------------------------------- capture of a quarter


def quarter_of(ts):
    return ts.dt.to_period("Q").dt.to_timestamp()


def captures(mass):
    """hours, stopped, invalid and capture of each series and quarter [17, 18]."""
    rows = mass.copy()
    rows["quarter"] = quarter_of(rows["ts"])
    rows["due"] = ~rows["no_flow"]
    rows["invalid"] = rows["running"] & ~rows["pair"]
    sums = rows.groupby(["mn", "factor", "quarter"], as_index=False).agg(
        hours=("due", "sum"), stopped_hours=("stopped", "sum"), invalid_hours=("invalid", "sum"))
    running = sums["hours"] - sums["stopped_hours"]
    good = running - sums["invalid_hours"]
    sums["capture_rate"] = (good / running.where(running > 0)).astype(float)
    sums["passed"] = (running == 0) | (100 * good >= 75 * running)
    sums["ninety"] = (running > 0) & (100 * good >= 90 * running)
    return sums


def quarterly_capture(tables, start, end, hours=None):
    hours = hours or hours_of(tables)
    sums = captures(hours.mass)
    first = pd.Timestamp(start).to_period("Q").start_time
    inside = (sums["quarter"] >= first) & (sums["quarter"] < pd.Timestamp(end))
    return sums[inside].drop(columns="ninety").reset_index(drop=True)


# ---------------------------------------------------------------- one series


HOUR_COLUMNS = ["method", "gap_start", "gap_hours", "anchor", "pool_from", "pool_to",
                "pool_hours", "source_ts", "measured_kg", "substituted_kg"]


class Series:
    """The due hours of one (mn, factor) in order of time, as plain lists."""

    def __init__(self, rows, hours):
        self.mn, self.factor = rows["mn"].iat[0], rows["factor"].iat[0]
        self.medium = self.factor[0]
        self.n = len(rows)
        self.ts = list(rows["ts"])
        self.day = list(rows["ts"].dt.floor("D"))
        self.quarter = list(quarter_of(rows["ts"]))
        self.value = rows["value"].to_numpy(float)
        self.valid = rows["valid"].to_numpy(bool)
        self.flow_valid = rows["flow_valid"].to_numpy(bool)
        self.m3 = np.where(self.flow_valid, rows["m3"].to_numpy(float), np.nan)
        self.pair = rows["pair"].to_numpy(bool)
        self.running = rows["running"].to_numpy(bool)
        self.stopped = rows["stopped"].to_numpy(bool)
        self.k = rows["k"].iat[0]
        flow = FLOW[self.medium]
        self.periods = (hours.periods.get((self.mn, self.factor), [])
                        + hours.periods.get((self.mn, flow), []))
        grid = pd.DatetimeIndex(self.ts)
        self.bad = (bad_hours(hours.periods.get((self.mn, self.factor), []), grid)
                    | bad_hours(hours.periods.get((self.mn, flow), []), grid))
        manual = hours.manual
        manual = manual[(manual["mn"] == self.mn) & (manual["factor"] == self.factor)
                        & manual["value"].notna()]
        self.samples = dict(list(manual.groupby(manual["ts"].dt.floor("D")))) if len(manual) else {}
        self.passes = []
        checks = hours.checks.get((self.mn, self.factor))
        if checks is not None:
            registry = hours.registry.get((self.mn, self.factor), [])
            self.passes = [ts for ts, _, ok in judged(checks, registry, self.factor) if ok]
        self.out = {name: [None] * self.n for name in HOUR_COLUMNS}
        self.out["measured_kg"] = [0.0] * self.n
        self.out["substituted_kg"] = [0.0] * self.n

    def set(self, i, **values):
        for name, value in values.items():
            self.out[name][i] = value

    def own_kg(self, i):
        return max(self.value[i], 0.0) * self.m3[i] * self.k

    def measure(self, i):
        self.set(i, method="measured", measured_kg=self.own_kg(i))

    def touching(self, i):
        """The control periods which touch hour i."""
        a, b = self.ts[i], self.ts[i] + HOUR
        return [p for p in self.periods if p.start < b and p.end > a]

    def gaps(self):
        """Runs of running hours not measured; only a measured hour ends one [25, 41]."""
        runs, run = [], []
        for i in range(self.n):
            if not self.running[i]:
                continue
            if self.out["method"][i] == "measured":
                if run:
                    runs.append(run)
                run = []
            else:
                run.append(i)
        if run:
            runs.append(run)
        for run in runs:
            for i in run:
                self.set(i, gap_start=self.ts[run[0]], gap_hours=len(run))
        return runs

    def sample_m3(self, day, seconds):
        """m³ an hour by the flow of a day's samples, or NaN."""
        flow = self.samples[day]["flow"] if "flow" in self.samples[day] else pd.Series(dtype=float)
        flow = flow.dropna().astype(float)
        return float(flow.mean()) * seconds if len(flow) else np.nan


def gas(series, capture):
    s = series
    for i in range(s.n):
        if s.stopped[i]:
            s.set(i, method="stopped")
        elif s.pair[i]:
            s.measure(i)
    measured = [i for i in range(s.n) if s.out["method"][i] == "measured"]
    measured_ts = pd.DatetimeIndex([s.ts[i] for i in measured])
    measured_kg = [s.out["measured_kg"][i] for i in measured]

    def pool(anchor, n):
        """The greatest of the latest n measured hours before the anchor [28]."""
        end = int(measured_ts.searchsorted(anchor, side="left"))
        chosen = range(max(0, end - n), end)
        if not chosen:
            return None
        best = max(chosen, key=lambda j: (measured_kg[j], -j))   # the earliest of equals
        return dict(pool_from=measured_ts[chosen[0]], pool_to=measured_ts[chosen[-1]],
                    pool_hours=len(chosen), source_ts=measured_ts[best],
                    substituted_kg=measured_kg[best])

    seen = {}
    for run in s.gaps():
        for i in run:
            # reference samples first [31]
            day = s.day[i]
            if day in s.samples:
                rows = s.samples[day]
                rows = rows[rows["kind"].eq("reference")]
                m3 = s.m3[i] if s.flow_valid[i] else s.sample_m3(day, 3600.0)
                if len(rows) and not np.isnan(m3):
                    mean = max(float(rows["value"].mean()), 0.0)
                    s.set(i, method="manual", substituted_kg=mean * m3 * s.k)
                    continue
            band = capture[s.quarter[i]]
            if not band["passed"]:
                s.set(i, method="unresolved")
                continue
            if band["ninety"]:
                n = 180 if len(run) <= 24 else 720
            else:
                n = 2160
            if s.bad[i]:                                         # table 5 [26, 27]
                anchor = min(p.last_pass for p in s.touching(i))
            else:                                                # table 6
                anchor = s.ts[run[0]]
            if (anchor, n) not in seen:
                seen[anchor, n] = pool(anchor, n)
            found = seen[anchor, n]
            if found is None:
                s.set(i, method="unresolved", anchor=anchor, pool_hours=0)
            else:
                s.set(i, method=f"max_{n}h", anchor=anchor, **found)


def water(series, capture):
    s = series
    days = {}
    for i in range(s.n):
        if s.stopped[i]:
            s.set(i, method="stopped")
        elif s.running[i]:
            days.setdefault(s.day[i], []).append(i)
    # valid days: measured hours, the day's mean for hours lacking only their concentration
    mass, measured_hours, invalid = {}, {}, []
    for day, own in days.items():
        good = [i for i in own if s.valid[i]]
        weighted = [i for i in good if s.flow_valid[i] and s.m3[i] > 0]
        if len(good) < three_quarters(len(own)) or not weighted:   # [20, 33]
            invalid.append(day)
            continue
        mean = (sum(s.value[i] * s.m3[i] for i in weighted) / sum(s.m3[i] for i in weighted))
        kg = 0.0
        for i in own:
            if s.pair[i]:
                s.measure(i)
                kg += s.own_kg(i)
            elif s.flow_valid[i]:
                filled = max(mean, 0.0) * s.m3[i] * s.k
                s.set(i, method="day_mean", substituted_kg=filled)
                kg += filled
            else:
                s.set(i, method="unresolved")                      # [40]
        mass[day] = kg
        measured_hours[day] = sum(s.pair[i] for i in own)
    valid_days = sorted(mass)
    for day in invalid:
        own = days[day]
        if not manual_day(s, day, own) and not maximum_day(s, day, own, valid_days, mass,
                                                           measured_hours):
            for i in own:                                          # [34]
                if s.pair[i]:
                    s.measure(i)
                else:
                    s.set(i, method="unresolved", anchor=day_anchor(s, day, own), pool_hours=0)
    s.gaps()


def manual_day(s, day, own):
    """Four samples and more fill an invalid day, if every hour's m³ are known [35]."""
    samples = s.samples.get(day)
    if samples is None or len(samples) < 4:
        return False
    m3 = [s.m3[i] if s.flow_valid[i] else s.sample_m3(day, 3.6) for i in own]
    if np.isnan(m3).any():
        return False
    mean = max(float(samples["value"].mean()), 0.0)
    for i, volume in zip(own, m3):
        s.set(i, method="manual", substituted_kg=mean * volume * s.k)
    return True


def day_anchor(s, day, own):
    """The last passed check before an invalid day [37]."""
    starts = [p.last_pass for i in own if s.bad[i] for p in s.touching(i)]
    if starts:
        return min(starts)
    earlier = [ts for ts in s.passes if ts <= day]
    return max(earlier) if earlier else day


def maximum_day(s, day, own, valid_days, mass, measured_hours):
    """The greatest of 30 valid daily masses, spread by flow, else evenly [36, 38, 39]."""
    anchor = day_anchor(s, day, own)
    pool = [d for d in valid_days if d < anchor.floor("D")][-30:]
    if not pool:
        return False
    best = pool[0]
    for d in pool:
        if mass[d] > mass[best]:
            best = d
    if all(s.flow_valid[i] for i in own) and sum(s.m3[i] for i in own) > 0:
        whole = sum(s.m3[i] for i in own)
        shares = [s.m3[i] / whole for i in own]
    else:
        shares = [1.0 / len(own)] * len(own)
    for i, share in zip(own, shares):
        s.set(i, method="max_30d", substituted_kg=mass[best] * share, anchor=anchor,
              pool_from=pool[0], pool_to=pool[-1], source_ts=best,
              pool_hours=sum(measured_hours[d] for d in pool))
    return True


def legacy(series, capture):
    """The rule of 2007: a gap takes the means of as many measured hours before it [43]."""
    s = series
    for i in range(s.n):
        if s.stopped[i]:
            s.set(i, method="stopped")
        elif s.running[i] and s.pair[i]:
            s.measure(i)
    measured = [i for i in range(s.n) if s.out["method"][i] == "measured"]
    for run in s.gaps():
        before = [i for i in measured if i < run[0]][-len(run):]
        for i in run:
            if not before:
                s.set(i, method="unresolved", anchor=s.ts[run[0]], pool_hours=0)
                continue
            c = s.value[i] if s.valid[i] else np.mean([s.value[j] for j in before])
            q = s.m3[i] if s.flow_valid[i] else np.mean([s.m3[j] for j in before])
            s.set(i, method="legacy_mean", substituted_kg=max(c, 0.0) * q * s.k,
                  anchor=s.ts[run[0]], pool_from=s.ts[before[0]], pool_to=s.ts[before[-1]],
                  pool_hours=len(before))


WATER_METHODS = {"hj356": water, "legacy_mean": legacy}


# ---------------------------------------------------------------- emissions


def hour_rows(tables, hours=None, water_method="hj356"):
    """Every due hour of every series with a mass, over all the store's time."""
    hours = hours or hours_of(tables)
    bands = captures(hours.mass)
    wanted = ["passed", "ninety", "capture_rate"]
    of_series = {key: rows.set_index("quarter")[wanted].to_dict("index")
                 for key, rows in bands.groupby(["mn", "factor"])}
    parts = []
    for key, rows in hours.mass.groupby(["mn", "factor"], sort=True):
        series, capture = Series(rows, hours), of_series[key]
        (gas if series.medium == "a" else WATER_METHODS[water_method])(series, capture)
        frame = pd.DataFrame({"mn": key[0], "factor": key[1], "period": series.ts,
                              "day": series.day, "quarter": series.quarter,
                              "no_flow": rows["no_flow"].to_numpy()})
        for name in HOUR_COLUMNS:
            frame[name] = series.out[name]
        for name in ("gap_start", "anchor", "pool_from", "pool_to", "source_ts"):
            frame[name] = pd.to_datetime(frame[name])
        for name in ("gap_hours", "pool_hours"):
            frame[name] = frame[name].astype(float)
        frame["volume_m3"] = np.where(series.running, series.m3, np.nan)
        frame["volume_m3"] = np.where(series.stopped, 0.0, frame["volume_m3"])
        method = frame["method"]
        frame["measured_hours"] = method.eq("measured").astype(int)
        frame["stopped_hours"] = method.eq("stopped").astype(int)
        frame["missing_hours"] = method.eq("unresolved").astype(int)
        known = ["measured", "stopped", "unresolved"]
        frame["substituted_hours"] = (method.notna() & ~method.isin(known)).astype(int)
        frame["operating_hours"] = (frame["measured_hours"] + frame["substituted_hours"]
                                    + frame["missing_hours"])
        frame["capture_rate"] = [capture[q]["capture_rate"] for q in series.quarter]
        frame["usable"] = [bool(capture[q]["passed"]) for q in series.quarter]
        kg = frame["measured_kg"] + frame["substituted_kg"]
        frame["mass_kg"] = kg.where(frame["usable"] & method.ne("unresolved"))
        parts.append(frame)
    return pd.concat(parts, ignore_index=True)


SUMS = ["mass_kg", "measured_kg", "substituted_kg", "volume_m3", "operating_hours",
        "measured_hours", "substituted_hours", "missing_hours", "stopped_hours"]


def total_by(rows, freq):
    """Sums of the finer rows by series and period; usable when all of them are."""
    rows = rows.copy()
    rows["period"] = rows["period"].dt.to_period(freq).dt.to_timestamp()
    how = {name: (name, "sum") for name in SUMS}
    how.update(capture_rate=("capture_rate", "min"), usable=("usable", "all"))
    return rows.groupby(["mn", "factor", "period"], as_index=False).agg(**how)


def emissions(tables, start, end, grain, hours=None, rows=None, water_method="hj356"):
    """CONTRACT §5. `rows`: what hour_rows() gave, to ask for several grains."""
    if rows is None:
        rows = hour_rows(tables, hours, water_method)
    inside = (rows["period"] >= pd.Timestamp(start)) & (rows["period"] < pd.Timestamp(end))
    rows = rows[inside]
    if grain == "hour":
        return rows[~rows["no_flow"]].reset_index(drop=True)       # [15]
    out = total_by(rows, "D")
    if grain != "day":
        out = total_by(out, "M")
    if grain in ("quarter", "year"):
        out = total_by(out, {"quarter": "Q", "year": "Y"}[grain])
    out["mass_kg"] = out["mass_kg"].where(out["usable"])           # [23, 24]
    return out


# ---------------------------------------------------------------- days, for the tax


def water_days(hours):
    """daily_valid of water factors with a mass: value of valid days."""
    out = []
    rows = hours.mass[hours.mass["medium"].eq("w") & hours.mass["running"]].copy()
    rows["day"] = rows["ts"].dt.floor("D")
    for (mn, factor, day), own in rows.groupby(["mn", "factor", "day"], sort=True):
        good = own[own["valid"]]
        weighted = good[good["flow_valid"] & (good["m3"] > 0)]
        valid = len(good) >= three_quarters(len(own))
        value = np.nan
        if valid and len(weighted):
            value = float((weighted["value"] * weighted["m3"]).sum() / weighted["m3"].sum())
        elif valid:
            value = float(good["value"].mean())                    # no flow to weigh by [55]
        out.append(dict(mn=mn, factor=factor, day=day, valid=valid, value=value,
                        converted=np.nan))
    return pd.DataFrame(out, columns=["mn", "factor", "day", "valid", "value", "converted"])
