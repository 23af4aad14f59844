"""The public sets of real series as outlets: readings, working conditions, labelled spans.

What isn't a pollutant takes a code of its medium. A known code is used where the quantity has one;
other quantities take codes `w99001`, `a99001` and so on, which HJ 212 doesn't know, so that no rule of
a named pollutant (ammonia is part of total nitrogen) is put to them; the engine judges them like any
pollutant of the medium. Concentrations are converted to mg/m³, pressures to kPa. Nobody registers
the outlets: no limit, range or detection limit is known.
"""

import json
from dataclasses import dataclass, field
from functools import cached_property

import pandas as pd

HOUR = pd.Timedelta(hours=1)
MINUTE = pd.Timedelta(minutes=1)
NOX_MG_PER_PPM = 2.05  # as NO2, HJ 212 annex D

# column of the set: (factor, scale)
AMBIENT = {
    "SO2": ("a21026", 0.001),
    "NO2": ("a21004", 0.001),
    "CO": ("a21005", 0.001),
    "O3": ("a05024", 0.001),
    "PM2.5": ("a34004", 1),
    "PM10": ("a34002", 1),
    "TEMP": ("a01001", 1),
    "PRES": ("a01006", 0.1),
    "WSPM": ("a01007", 1),
}
BOILER = {
    "nox_ppm": ("a21002", NOX_MG_PER_PPM),
    "o2_pct": ("a19001", 1),
    "ergcg_br_fg_o2_c_b_ca_noxz_qt": ("a21002", NOX_MG_PER_PPM),
    "ergcg_br_fg_o2_c_a_ca_noxz_qt": ("a19001", 1),
    "ergcg_br_ca_gah_ex_gs_tmp": ("a01012", 1),
}
BOILER_CONDITIONS = {
    "mw": ("power", 1000),
    "cog_flow": ("fuel", 1),
    "erg_gent_ca_hpn_eff_epw": ("power", 1000),
    "ergcg_br_ca_cog_fg_fl": ("fuel", 1),
    "ergcg_br_sncr_emt_wtr_ca_fl": ("ammonia_flow", 1),
}
TURBINE = {
    "CO": ("a21005", 1),
    "NOX": ("a21002", 1),
    "AT": ("a01001", 1),
    "AP": ("a01006", 0.1),
    "AH": ("a01002", 1),
    "TAT": ("a01012", 1),
    "GTEP": ("a01013", 0.1),
}
TURBINE_CONDITIONS = {"TEY": ("power", 1000)}
TESTBED = {
    "Volume Flow RateRMS": ("w00000", 1 / 60),
    "Temperature": ("w01010", 1),
    "Thermocouple": ("w99001", 1),
    "Pressure": ("w99002", 1),
    "Accelerometer1RMS": ("w99003", 1),
    "Accelerometer2RMS": ("w99004", 1),
    "Current": ("w99005", 1),
    "Voltage": ("w99006", 1),
}


@dataclass(frozen=True)
class Span:
    """A labelled stretch, half-open; of every factor of its outlet where `factor` is empty."""

    mn: str
    factor: str
    started: pd.Timestamp
    ended: pd.Timestamp
    kind: str


@dataclass
class RealSet:
    """One set. `readings` has columns table, mn, factor, column, ts, value; `conditions` mn, param, ts, value."""

    name: str
    readings: pd.DataFrame
    conditions: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=["mn", "param", "ts", "value"]))
    spans: list = field(default_factory=list)

    @cached_property
    def series(self):
        """Each series, its values in time order, missing ones left out."""
        return [
            series_of(table, mn, factor, column, rows)
            for (table, mn, factor, column), rows in self.readings.groupby(["table", "mn", "factor", "column"])
        ]

    @cached_property
    def hours(self):
        """Hours of record, of all outlets together, however many series each has."""
        steps = {(series.table, series.mn): series.step for series in self.series}
        outlets = self.readings.dropna(subset="value").groupby(["table", "mn"])["ts"].nunique()
        return sum(times * steps[outlet] / HOUR for outlet, times in outlets.items())

    @cached_property
    def series_hours(self):
        """Hours of all series together, missing values left out."""
        return sum(len(of.values) * of.step / HOUR for of in self.series)


@dataclass(frozen=True)
class Series:
    """One factor of an outlet; `column` is its name in the set."""

    table: str
    mn: str
    factor: str
    column: str
    step: pd.Timedelta
    values: pd.Series


def series_of(table, mn, factor, column, rows):
    """A series of rows; its step is an hour, or what is usual between its minutes."""
    values = rows.dropna(subset="value").set_index("ts")["value"].sort_index()
    step = HOUR if table == "hourly" else max(values.index.to_series().diff().median(), MINUTE)
    return Series(table, mn, factor, column, step, values)


def long(wide, mn, codes, table=None):
    """Rows of `readings`, or of `conditions` without a table, from columns indexed by time."""
    parts = [
        pd.DataFrame({"mn": mn, "code": code, "column": column, "ts": wide.index, "value": wide[column].to_numpy() * scale})
        for column, (code, scale) in codes.items()
        if column in wide
    ]
    rows = pd.concat(parts, ignore_index=True)
    if table is None:
        return rows.rename(columns={"code": "param"}).drop(columns="column")
    return rows.rename(columns={"code": "factor"}).assign(table=table)


def fraud_injected(data):
    """Ambient hours and boiler minutes with synthetic tampering; a label is of one series."""
    folder = data / "fraud-injected"
    station = pd.read_parquet(folder / "prsa_dongsi.parquet").set_index("ts")
    boiler = pd.read_parquet(folder / "boiler9_nov.parquet").set_index("ts")
    station.index, boiler.index = pd.to_datetime(station.index), pd.to_datetime(boiler.index)
    labels = pd.read_csv(folder / "labels.csv", parse_dates=["start", "end_inclusive"])
    codes = {"prsa_dongsi": (AMBIENT, HOUR), "boiler9_nov": (BOILER, MINUTE)}
    spans = [
        Span(row.base, codes[row.base][0][row.column][0], row.start, row.end_inclusive + codes[row.base][1], row.type)
        for row in labels.itertuples()
    ]
    readings = pd.concat([long(station, "prsa_dongsi", AMBIENT, "hourly"), long(boiler, "boiler9_nov", BOILER, "minute")])
    return RealSet("fraud-injected", readings, long(boiler, "boiler9_nov", BOILER_CONDITIONS), spans)


def skab(data):
    """A water testbed by the minute of its own clock: means of the seconds, a label of the whole rig."""
    rows = testbed(data)[list(TESTBED)].resample(MINUTE).mean().dropna(how="all")
    return RealSet("skab (minute means)", long(rows, "skab", TESTBED, "minute"), spans=testbed_spans(testbed(data), 1))


def skab_slowed(data):
    """The same rig with each second told as a minute, so that its spans of 7 minutes last 7 hours."""
    rows = testbed(data)
    rows.index = slowed(rows.index)
    return RealSet("skab (a second as a minute)", long(rows, "skab", TESTBED, "minute"), spans=testbed_spans(rows, 60))


def testbed(data):
    """All seconds of the rig, in time order."""
    rows = pd.read_parquet(data / "skab" / "skab.parquet")
    return rows.set_index(pd.to_datetime(rows["datetime"]).rename("ts")).sort_index()


def slowed(times):
    """Times 60 times as far from the start of their day's record."""
    first = times.to_series().groupby(times.normalize()).transform("min").to_numpy()
    return pd.DatetimeIndex(times.normalize() + (times - first) * 60, name="ts")


def testbed_spans(rows, seconds):
    """From the first to the last labelled row of each experiment; a row lasts some seconds."""
    labelled = rows[rows["anomaly"] == 1]
    return [
        Span("skab", "", times.index.min(), times.index.max() + pd.Timedelta(seconds=seconds), "process anomaly")
        for _, times in labelled.groupby("file")
    ]


def nab(data):
    """Each file is an outlet with one series; stamps are floored to 5 minutes, or to the hour."""
    rows = pd.read_parquet(data / "nab" / "nab.parquet")
    windows = json.loads((data / "nab" / "labels.json").read_text(encoding="utf-8"))["windows"]
    parts, spans = [], []
    for file, part in rows.groupby("file"):
        mn = file.split("/")[1].removesuffix(".csv")
        table, floor = ("hourly", "h") if file.startswith("realAdExchange") else ("minute", "5min")
        times = pd.to_datetime(part["timestamp"]).dt.floor(floor)
        wide = part.set_index(times.rename("ts"))[["value"]].rename(columns={"value": file})
        wide = wide[~wide.index.duplicated()]
        parts.append(long(wide, mn, {file: ("a99001", 1)}, table))
        step = HOUR if table == "hourly" else 5 * MINUTE
        spans += [Span(mn, "", pd.Timestamp(a), pd.Timestamp(b) + step, "anomaly") for a, b in windows.get(file, [])]
    return RealSet("nab", pd.concat(parts, ignore_index=True), spans=spans)


def batadal(data):
    """A simulated water network: levels, flows and pressures, no states of pumps. The two records are outlets of their
    own: they are simulated apart, 18 months from each other, and only the second is rounded to two decimals."""
    parts, spans = [], []
    for mn in ("dataset03", "dataset04"):
        rows = pd.read_parquet(data / "batadal" / f"{mn}.parquet")
        rows = rows.set_index(pd.to_datetime(rows["DATETIME"], format="%d/%m/%y %H").rename("ts"))
        columns = [name for name in rows if name[:2] in ("L_", "F_", "P_")]
        parts.append(long(rows, mn, {name: (f"w99{n:03}", 1) for n, name in enumerate(columns, 1)}, "hourly"))
        attacked = rows.index[rows["ATT_FLAG"] == 1].to_series()
        attacks = attacked.groupby((attacked.diff() > HOUR).cumsum())
        spans += [Span(mn, "", times.min(), times.max() + HOUR, "attack") for _, times in attacks]
    return RealSet("batadal", pd.concat(parts, ignore_index=True), spans=spans)


def beijing_prsa(data):
    """Ambient hours of two stations as published; dew point and rain have no code and are left out."""
    parts = []
    for station in ("dongsi", "huairou"):
        rows = pd.read_parquet(data / "beijing-prsa" / f"prsa_{station}.parquet")
        rows = rows.set_index(pd.to_datetime(rows[["year", "month", "day", "hour"]]).rename("ts"))
        parts.append(long(rows, f"prsa_{station}", AMBIENT, "hourly"))
    return RealSet("beijing-prsa", pd.concat(parts, ignore_index=True))


def gas_turbine(data):
    """Hours of a gas turbine. The source has no stamps: each year's rows are told as hours from 1 January on."""
    rows = pd.read_parquet(data / "gas-turbine-uci" / "gas_turbine.parquet")
    starts = pd.to_datetime(rows["year"].astype(int).astype(str) + "-01-01")
    rows = rows.set_index((starts + pd.to_timedelta(rows["row"], unit="h")).rename("ts"))
    return RealSet("gas-turbine-uci", long(rows, "gas_turbine", TURBINE, "hourly"), long(rows, "gas_turbine", TURBINE_CONDITIONS))


def boiler_stack(data):
    """Minutes of a boiler's stack; minutes of overlapping exports are taken once."""
    rows = pd.read_parquet(data / "boiler-stack-minute" / "boiler9.parquet")
    rows = rows.set_index(pd.to_datetime(rows["midt_clt_dt"], format="mixed").rename("ts"))
    rows = rows[~rows.index.duplicated()].sort_index()
    return RealSet("boiler-stack-minute", long(rows, "boiler9", BOILER, "minute"), long(rows, "boiler9", BOILER_CONDITIONS))


LABELLED = [fraud_injected, skab, skab_slowed, nab, batadal]
UNALTERED = [beijing_prsa, gas_turbine, boiler_stack]
FOLDERS = ["fraud-injected", "skab", "nab", "batadal", "beijing-prsa", "gas-turbine-uci", "boiler-stack-minute"]
