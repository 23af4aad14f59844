"""A slow, independent model of validity and measured emissions, written from CONTRACT and ST.

It takes the tables as data frames in contract columns and answers hour by hour. Where the
contract can be read in more than one way a row is marked `unclear` and tells why; the tests
leave such rows out and insist that they are few.

Not modelled: substitution (ST 3.3, 3.4). A running hour that was not measured counts as missing.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

HOUR = pd.Timedelta(hours=1)
FLOW = {"a": "a00000", "w": "w00000"}
OXYGEN, PH = "a19001", "w01001"
MICROGRAM = {"w20111", "w20115", "w20117", "w20119", "w20120"}
# pollutants whose total is a mass in ST §2
HAVE_MASS = MICROGRAM | {
    "w01012", "w01017", "w01018", "w01019", "w01020", "w21001", "w21003", "w21011", "w21016",
    "w21017", "w21019", "w22001", "w23002", "w19002", "w20116", "w20121", "w20122", "w20123",
    "w20124", "a21026", "a21002", "a21003", "a21004", "a34013", "a21005", "a21024", "a21018",
    "a21022", "a21028", "a21001", "a05001", "a05002", "a24087", "a24088", "a25002", "a25003",
    "a25005", "a31001", "a20057", "a20043", "a20025",
}


@dataclass
class Answer:
    hours: pd.DataFrame
    days: pd.DataFrame
    months: pd.DataFrame
    mass_hours: pd.DataFrame


def in_force(rows, key):
    """Of several versions of a key the one received last."""
    rows = rows.copy()
    order = [c for c in ("received_at", "source") if c in rows]
    values = [c for c in rows.columns if c not in key and c not in order]
    numbers = [c for c in values if pd.api.types.is_numeric_dtype(rows[c])]
    rows = rows.sort_values(key + order + numbers, kind="stable", na_position="first")
    return rows.drop_duplicates(key, keep="last")


def optional(frame, name):
    return frame[name] if name in frame else pd.Series([None] * len(frame), index=frame.index)


def setting(monitors, mn, factor, column, default, grid):
    """A monitor's setting at each hour, by the registry row in force."""
    values = np.full(len(grid), default, dtype=object)
    if monitors is None or column not in monitors:
        return values
    rows = monitors[(monitors["mn"] == mn) & (monitors["factor"] == factor)]
    for row in rows.sort_values("since", na_position="first").to_dict("records"):
        since, until = row.get("since"), row.get("until")
        here = np.ones(len(grid), dtype=bool)
        if pd.notna(since):
            here &= grid >= pd.Timestamp(since)
        if until is not None and pd.notna(until):
            here &= grid < pd.Timestamp(until)
        if pd.notna(row[column]):
            values[here] = row[column]
    return values


def due_hours(outlets, mn, first, last, data_end, grid):
    rows = None if outlets is None else outlets[outlets["mn"] == mn]
    if rows is None or rows.empty:
        return (grid >= first) & (grid <= last)
    due = np.zeros(len(grid), dtype=bool)
    for row in rows.to_dict("records"):
        since = first if pd.isna(row.get("since")) else pd.Timestamp(row["since"])
        until = row.get("until")
        until = data_end + HOUR if until is None or pd.isna(until) else pd.Timestamp(until)
        due |= (grid >= since) & (grid < until)
    return due & (grid <= data_end)


def stops(stoppages, mn, kind, grid):
    """Hours wholly inside a stop, and hours a stop only touches."""
    whole, part = np.zeros(len(grid), dtype=bool), np.zeros(len(grid), dtype=bool)
    if stoppages is None:
        return whole, part
    rows = stoppages[(stoppages["mn"] == mn) & (stoppages["kind"] == kind)]
    for row in rows.to_dict("records"):
        start = pd.Timestamp(row["started"])
        end = row.get("ended")
        end = pd.Timestamp.max if end is None or pd.isna(end) else pd.Timestamp(end)
        inside = (grid >= start) & (grid < end) & (grid <= end - HOUR)
        whole |= inside
        part |= (grid < end) & (grid + HOUR > start) & ~inside
    return whole, part & ~whole


class Outlet:
    """The reported hours and minutes of one outlet on an hour grid."""

    def __init__(self, mn, hourly, minute, grid):
        self.mn, self.grid = mn, grid
        self.rows = {f: g.set_index("ts") for f, g in hourly.groupby("factor")}
        self.minutes = {}
        if minute is not None and len(minute):
            self.minutes = {f: g for f, g in minute.groupby("factor")}
        self.factors = sorted(set(self.rows) | set(self.minutes))

    def column(self, factor, name):
        if factor not in self.rows or name not in self.rows[factor]:
            return np.full(len(self.grid), np.nan)
        return self.rows[factor][name].reindex(self.grid).to_numpy(dtype=float)

    def flags(self, factor):
        if factor not in self.rows:
            return np.full(len(self.grid), None, dtype=object)
        return self.rows[factor]["flag"].reindex(self.grid).to_numpy(dtype=object)

    def present(self, factor):
        if factor not in self.rows:
            return np.zeros(len(self.grid), dtype=bool)
        return self.grid.isin(self.rows[factor].index)

    def span(self, factor):
        stamps = []
        if factor in self.rows:
            stamps += [self.rows[factor].index.min(), self.rows[factor].index.max()]
        if factor in self.minutes:
            t = self.minutes[factor]["ts"].dt.floor("h")
            stamps += [t.min(), t.max()]
        return min(stamps), max(stamps)


def model(tables, start, end):
    """Hours, days and months of [start, end) from `tables` (name -> frame)."""
    grid = pd.date_range(start, end, freq="h", inclusive="left").astype("datetime64[ns]")
    hourly = tables["hourly"].copy()
    hourly["ts"] = hourly["ts"].astype("datetime64[ns]")
    hourly = in_force(hourly, ["mn", "factor", "ts"])
    assert (hourly["ts"] == hourly["ts"].dt.floor("h")).all(), "hours start on the hour"
    minute = tables.get("minute")
    if minute is not None and len(minute):
        minute = minute.copy()
        minute["ts"] = minute["ts"].astype("datetime64[ns]")
        minute = in_force(minute, ["mn", "factor", "ts"])
    outlets, monitors = tables.get("outlets"), tables.get("monitors")
    if outlets is not None:
        end_label = outlets.loc[optional(outlets, "ts_label").eq("end"), "mn"]
        hourly.loc[hourly["mn"].isin(end_label), "ts"] -= HOUR
        outlets = in_force(outlets, ["mn", "since"])
    if monitors is not None:
        monitors = in_force(monitors, ["mn", "factor", "since"])
    stoppages = tables.get("stoppages")
    if stoppages is not None:
        stoppages = in_force(stoppages, ["mn", "kind", "started"])
    data_end = hourly["ts"].max()
    if minute is not None and len(minute):
        data_end = max(data_end, minute["ts"].max().floor("h"))

    names = set(hourly["mn"])
    if minute is not None and len(minute):
        names |= set(minute["mn"])
    parts = []
    for mn in sorted(names):
        own = Outlet(mn, hourly[hourly["mn"] == mn],
                     None if minute is None else minute[minute["mn"] == mn], grid)
        parts += outlet_hours(own, outlets, monitors, stoppages, data_end)
    hours = pd.concat(parts, ignore_index=True)
    days = day_rows(hours)
    return Answer(hours, days, month_rows(days), mass_rows(hours, outlets, monitors))


def outlet_hours(own, outlets, monitors, stoppages, data_end):
    grid, mn = own.grid, own.mn
    stopped_by, stop_part = stops(stoppages, mn, "production", grid)
    facility, facility_part = stops(stoppages, mn, "facility", grid)
    flow = {m: own.column(f, "value") for m, f in FLOW.items()}
    flow_n = {m: own.flags(f) == "N" for m, f in FLOW.items()}
    o2, o2_n = own.column(OXYGEN, "value"), own.flags(OXYGEN) == "N"
    parts = []
    for factor in own.factors:
        medium = factor[0]
        first, last = own.span(factor)
        due = due_hours(outlets, mn, first, last, data_end, grid)
        value, flag, has = own.column(factor, "value"), own.flags(factor), own.present(factor)
        unclear = np.full(len(grid), "", dtype=object)

        # minutes decide where those received cover 45 minutes, else the reported hour
        default = 600 if medium == "w" else 60
        seconds = setting(monitors, mn, factor, "minute_interval_s", default, grid).astype(float)
        n, good, mean = minute_counts(own, factor)
        decide = n * seconds >= 45 * 60
        valid = np.where(decide, good * seconds >= 45 * 60, (flag == "N") & ~np.isnan(value))
        valid = valid.astype(bool)
        figure = np.where(decide, mean, value)

        # a production stop takes the hour out, unless the hour's own rows contradict it
        m = medium if medium in FLOW else "a"
        shows = np.nan_to_num(flow[m]) > 0
        shows_n = shows & flow_n[m]
        if m == "a":
            burning = np.nan_to_num(o2, nan=99.0) < 18
            shows, shows_n = shows & burning, shows_n & burning & o2_n
        contradicted = stopped_by & shows_n
        unclear[stopped_by & (shows != shows_n)] = "stop contradicted by flagged rows only"
        unclear[stop_part] = "hour only partly stopped"
        unclear[facility_part] = "hour only partly in a facility stop"
        stopped = stopped_by & ~contradicted
        valid &= ~stopped & ~facility

        # water: an hour with flow 0 is invalid and not due
        no_flow = np.zeros(len(grid), dtype=bool)
        if medium == "w":
            zero = flow["w"] == 0
            if factor == FLOW["w"]:
                unclear[zero] = "flow 0 of the flow itself"
            else:
                no_flow = zero & flow_n["w"] & ~facility & ~stopped
                unclear[zero & ~flow_n["w"]] = "flow 0 under a flag"
                unclear[zero & facility] = "flow 0 in a facility stop"
        valid &= ~no_flow

        every = setting(monitors, mn, factor, "hour_interval_s", 3600, grid).astype(float)
        unclear[every != 3600] = "results not due every hour"

        reason = np.full(len(grid), None, dtype=object)
        reason[~has & ~decide & ~stopped & ~no_flow & ~facility] = "missing"
        reason[has & no_flow] = "no_flow"
        reason[contradicted & valid] = "stop contradicted"

        frame = pd.DataFrame({
            "mn": mn, "factor": factor, "medium": medium, "ts": grid, "valid": valid,
            "value": np.where(valid, figure, np.nan), "reported_value": value, "has": has,
            "total": own.column(factor, "total"), "minutes": decide,
            "valid_minutes": good * seconds / 60, "stopped": stopped, "no_flow": no_flow,
            "reason": reason, "unclear": unclear,
        })
        parts.append(frame[due])
    return parts


def minute_counts(own, factor):
    """Minute rows received, valid ones, and the mean of the valid ones, for each hour."""
    grid = own.grid
    if factor not in own.minutes:
        zero = np.zeros(len(grid))
        return zero, zero, np.full(len(grid), np.nan)
    rows = own.minutes[factor]
    hour = rows["ts"].dt.floor("h")
    good = rows["flag"].eq("N") & rows["value"].notna()
    n = rows.groupby(hour).size().reindex(grid, fill_value=0)
    g = good.groupby(hour).sum().reindex(grid, fill_value=0)
    mean = rows["value"][good].groupby(hour[good]).mean().reindex(grid)
    return n.to_numpy(float), g.to_numpy(float), mean.to_numpy(float)


def three_quarters(n):
    """75 % of n, rounded up."""
    return -(-3 * n // 4)


def water_volume(hours):
    """(mn, ts) -> m³ of the hours whose flow is valid; the flow's total, else L/s × 3.6."""
    flow = hours[hours["factor"].eq(FLOW["w"]) & hours["valid"]]
    return pd.Series(
        flow["total"].fillna(flow["value"] * 3.6).to_numpy(),
        index=pd.MultiIndex.from_frame(flow[["mn", "ts"]]),
    )


def day_rows(hours):
    hours = hours.copy()
    hours["day"] = hours["ts"].dt.floor("D")
    volume = water_volume(hours)
    out = []
    for (mn, factor, day), rows in hours.groupby(["mn", "factor", "day"], sort=True):
        medium = factor[0]
        good = rows[rows["valid"]]
        n, stopped = len(good), int(rows["stopped"].sum())
        unclear = next((u for u in rows["unclear"] if u), "")
        row = dict(mn=mn, factor=factor, medium=medium, day=day, valid_hours=n,
                   stopped_hours=stopped, value_min=np.nan, value_max=np.nan, unclear=unclear,
                   unclear_value="", all_stopped=stopped == len(rows))
        if medium == "w":
            due = len(rows) - int(rows["no_flow"].sum())
            # "out of every denominator" against "required_* follow the calendar"
            row["required"] = {three_quarters(due - stopped), three_quarters(due)}
            row["has_due"] = due - stopped > 0
            verdicts = {n >= r and n > 0 for r in row["required"]}
            if len(verdicts) > 1:
                row["unclear"] = unclear or "75 % with or without the stopped hours"
            valid = min(verdicts)
            mean, row["unclear_value"] = weighted(good, factor, volume)
            if factor == PH:
                row["value_min"] = good["value"].min() if valid else np.nan
                row["value_max"] = good["value"].max() if valid else np.nan
                mean = np.nan
        else:
            row["required"], row["has_due"] = {20}, True
            valid = n >= 20
            mean = good["value"].mean() if n else np.nan
        row.update(valid=valid, value=mean if valid else np.nan, partial=mean)
        out.append(row)
    return pd.DataFrame(out)


def weighted(good, factor, volume):
    """Flow-weighted mean of a water day, and why it may be unclear."""
    if good.empty:
        return np.nan, ""
    if factor in (FLOW["w"], PH):
        return good["value"].mean(), ""
    weights = volume.reindex(pd.MultiIndex.from_frame(good[["mn", "ts"]])).to_numpy()
    known = ~np.isnan(weights)
    why = "" if known.all() else "valid concentration without valid flow"
    if not known.any() or not weights[known].sum() > 0:
        return np.nan, why or "no weight"
    return float((good["value"].to_numpy() * weights)[known].sum() / weights[known].sum()), why


def month_rows(days):
    days = days.copy()
    days["month"] = days["day"].dt.to_period("M").dt.to_timestamp()
    out = []
    for (mn, factor, month), rows in days.groupby(["mn", "factor", "month"], sort=True):
        length, good = month.days_in_month, rows[rows["valid"]]
        unclear = next((u for u in rows["unclear"] if u), "")
        value_why = next((u for u in rows["unclear_value"] if u), "")
        if factor[0] == "w":
            idle = int((~rows["has_due"]).sum())
            required = {three_quarters(length), three_quarters(length - idle)}
        else:
            required = {23 if month.month == 2 else 25}
        verdicts = {len(good) >= r and len(good) > 0 for r in required}
        if len(verdicts) > 1:
            unclear = unclear or "75 % with or without the days nothing was due"
        valid = min(verdicts)
        mean = good["value"].mean() if len(good) else np.nan
        out.append(dict(mn=mn, factor=factor, medium=factor[0], month=month,
                        valid_days=len(good), required=required, valid=valid,
                        stopped_days=int(rows["all_stopped"].sum()),
                        value=mean if valid else np.nan, partial=mean,
                        unclear=unclear, unclear_value=value_why))
    return pd.DataFrame(out)


def mass_rows(hours, outlets, monitors):
    """One row a due hour of each pollutant: stopped, no_flow, measured or missing; kg, m³."""
    flow = hours[hours["factor"].isin(FLOW.values())].copy()
    seconds = np.where(flow["medium"].eq("w"), 3.6, 3600.0)
    flow["m3"] = flow["total"].fillna(flow["value"] * seconds).where(flow["valid"])
    unclear = flow["minutes"] & flow["total"].notna()
    flow["flow_unclear"] = np.where(unclear, "total beside deciding minutes", flow["unclear"])
    # the flow's own zero is clear where only its m³ count
    flow["flow_unclear"] = flow["flow_unclear"].replace("flow 0 of the flow itself", "")
    flow = flow[["mn", "medium", "ts", "valid", "m3", "flow_unclear"]]
    flow = flow.rename(columns={"valid": "flow_valid"})
    rows = hours[hours["factor"].isin(HAVE_MASS)].merge(
        flow, on=["mn", "medium", "ts"], how="left")
    rows["flow_valid"] = rows["flow_valid"].eq(True)
    rows["flow_unclear"] = rows["flow_unclear"].fillna("")
    running = ~rows["stopped"] & ~rows["no_flow"]
    rows["measured"] = running & rows["valid"] & rows["flow_valid"]
    rows["missing"] = running & ~rows["measured"]
    k = np.where(rows["medium"].eq("a") | rows["factor"].isin(MICROGRAM), 1e-6, 1e-3)
    kg = rows["value"].clip(lower=0) * rows["m3"] * k
    rows["kg"] = kg.where(rows["measured"], 0.0)
    rows["volume"] = rows["m3"].where(running & rows["flow_valid"])
    rows["unclear"] = np.where(rows["unclear"] != "", rows["unclear"], rows["flow_unclear"])
    wet = set()
    if outlets is not None and "flow_kind" in outlets:
        odd = outlets["flow_kind"].notna() & ~outlets["flow_kind"].isin(["dry_standard", ""])
        wet |= {(mn, "a") for mn in outlets.loc[odd, "mn"]}
    if monitors is not None and "state" in monitors:
        odd = monitors["state"].notna() & ~monitors["state"].isin(["dry_standard", ""])
        odd &= monitors["factor"].str.startswith("a")
        flows = odd & monitors["factor"].eq(FLOW["a"])
        wet |= {(mn, "a") for mn in monitors.loc[flows, "mn"]}
        wet |= set(map(tuple, monitors.loc[odd, ["mn", "factor"]].to_numpy()))
    state = [(a, f[0]) in wet or (a, f) in wet for a, f in zip(rows["mn"], rows["factor"])]
    state = np.array(state) & rows["medium"].eq("a").to_numpy()
    rows["unclear"] = np.where(state & rows["unclear"].eq(""), "not in the dry standard state",
                               rows["unclear"])
    return rows


def mass_by(rows, grain):
    """Sums of mass rows by series and period; unclear where one of its hours is."""
    rows = rows.copy()
    freq = {"hour": "h", "day": "D"}.get(grain)
    if freq:
        rows["period"] = rows["ts"].dt.floor(freq)
    else:
        code = {"month": "M", "quarter": "Q", "year": "Y"}[grain]
        rows["period"] = rows["ts"].dt.to_period(code).dt.to_timestamp()
    rows["due"] = ~rows["no_flow"]
    rows["conc_valid"] = rows["valid"] & rows["due"] & ~rows["stopped"]
    rows["is_unclear"] = rows["unclear"] != ""
    rows["measured_volume"] = rows["volume"].where(rows["measured"])
    sums = rows.groupby(["mn", "factor", "medium", "period"]).agg(
        measured_kg=("kg", "sum"), measured_hours=("measured", "sum"),
        missing_hours=("missing", "sum"), stopped_hours=("stopped", "sum"), due=("due", "sum"),
        conc_valid=("conc_valid", "sum"), no_flow=("no_flow", "sum"), volume=("volume", "sum"),
        measured_volume=("measured_volume", "sum"), is_unclear=("is_unclear", "max"),
    )
    return sums.reset_index()
