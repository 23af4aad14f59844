"""Validity and emissions against an independent slow model (model.py), on two provinces:
50 outlets of `plume generate`, and a small one by hand where every rule has a case.

Masses are compared with a second model, which substitutes (substitution_model.py).
"""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

import province as by_hand
from conftest import Store, assert_close, assert_same, boolean, long_rows, ok, run, stamp
from model import mass_by, model
from substitution_model import emissions, hour_rows

FROM, TO = "2026-01-01", "2026-04-01"
MEDIA = ["a", "w"]
KEYS = ["mn", "factor", "period"]
# whether these make an hour invalid or replace it the contract leaves open: landed elsewhere
OTHER_EVIDENCE = {"daily", "qc_results", "faults", "maintenance", "marks", "manual_samples"}


def generated_tables(folder):
    """name -> files: DIR/<table>/**/*.parquet or DIR/<table>.parquet."""
    found = {}
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            files = sorted(path.rglob("*.parquet"))
            if files:
                found[path.name] = files
        elif path.suffix == ".parquet":
            found[path.stem] = [path]
    return found


def read_files(files):
    return pd.concat([pq.ParquetFile(f).read().to_pandas() for f in files], ignore_index=True)


def landing_order(names):
    """The registry first: it says which sources label the end of the interval."""
    first = [n for n in ("enterprises", "outlets", "monitors", "stoppages") if n in names]
    return first + sorted(set(names) - set(first))


@pytest.fixture(scope="module")
def generated(tmp_path_factory):
    folder = tmp_path_factory.mktemp("generated") / "province"
    ok(run("generate", "--outlets", 50, "--from", FROM, "--to", TO, "--seed", 7, "--out", folder))
    return SimpleNamespace(folder=folder, tables=generated_tables(folder))


@pytest.fixture(scope="module", params=["generated", "by_hand"])
def province(request, tmp_path_factory):
    store = Store(tmp_path_factory.mktemp(request.param) / "store")
    if request.param == "generated":
        files = request.getfixturevalue("generated").tables
        for table in landing_order(files):
            if table not in OTHER_EVIDENCE:
                store.ingest(table, *files[table])
        wanted = ("hourly", "minute", "outlets", "monitors", "stoppages")
        tables = {t: read_files(files[t]) for t in wanted if t in files}
    else:
        tables = by_hand.tables()
        for table in landing_order(tables):
            path = store.file(".parquet")
            tables[table].to_parquet(path, index=False, coerce_timestamps="us")
            report = store.ingest(table, path)
            assert report["landed"] == len(tables[table]), (table, report)
    return SimpleNamespace(name=request.param, store=store, tables=tables,
                           model=model(tables, FROM, TO), totals={})


# ---------------------------------------------------------------- what `generate` writes


def test_generate_writes_the_tables_of_50_outlets_and_the_truth(generated):
    for table in ("hourly", "outlets", "monitors", "stoppages", "conditions", "enterprises"):
        assert table in generated.tables, f"no {table} among {sorted(generated.tables)}"
    outlets = read_files(generated.tables["outlets"])
    assert outlets["mn"].nunique() == 50
    hourly = read_files(generated.tables["hourly"])
    assert hourly["ts"].min() >= pd.Timestamp(FROM) and hourly["ts"].max() < pd.Timestamp(TO)
    assert set(hourly["factor"].str[0]) >= {"a", "w"}, "both media"
    truth = pd.read_csv(generated.folder / "truth.csv")
    assert list(truth.columns[:6]) == ["mn", "factor", "pattern", "strength", "started", "ended"]
    assert set(truth["mn"]) <= set(outlets["mn"])


def test_generate_gives_the_same_rows_for_the_same_seed_only(generated, tmp_path):
    texts = {}
    for seed in (7, 8):
        out = tmp_path / str(seed)
        ok(run("generate", "--outlets", 50, "--from", FROM, "--to", TO, "--seed", seed,
               "--out", out))
        texts[seed] = read_files(generated_tables(out)["hourly"])
    first = read_files(generated.tables["hourly"])
    pd.testing.assert_frame_equal(first, texts[7])
    assert not first.equals(texts[8])


def test_every_generated_table_lands_whole(generated, tmp_path):
    store = Store(tmp_path / "store")
    for table in landing_order(generated.tables):
        files = generated.tables[table]
        report = store.ingest(table, *files)
        rows = sum(pq.ParquetFile(f).metadata.num_rows for f in files)
        assert (report["read"], report["rejected"]) == (rows, 0), (table, report)
        assert report["landed"] > 0, table


# ---------------------------------------------------------------- comparing


def fetch(province, query, time):
    got = province.store.frame(query)
    got[time] = stamp(got[time])
    return got


def paired(expected, got, keys, medium, least=0.9):
    """Rows of model and answer side by side, the unclear left out; keys agree exactly."""
    expected = expected[expected["medium"] == medium].copy()
    expected[keys[-1]] = expected[keys[-1]].astype("datetime64[us]")
    got = got[got["factor"].str.startswith(medium)]
    series = expected[["mn", "factor"]].drop_duplicates()
    known = got.merge(series, on=["mn", "factor"], how="left", indicator=True)["_merge"] == "both"
    got = got[known.to_numpy()]  # series that never sent a row: see test_silent_series_...
    assert not got.duplicated(keys).any(), f"keys twice:\n{got[got.duplicated(keys)].head()}"
    both = expected.merge(got, on=keys, how="outer", indicator="side", suffixes=("_m", ""))
    clear = ~both["unclear"].fillna("").astype(bool)
    lost = both[(both["side"] == "left_only") & clear]
    assert lost.empty, f"{len(lost)} rows not answered:\n{lost[keys].head().to_string()}"
    extra = both[both["side"] == "right_only"]
    assert extra.empty, f"{len(extra)} rows not due:\n{extra[keys].head().to_string()}"
    rows = both[(both["side"] == "both") & clear].reset_index(drop=True)
    why = both.loc[~clear, "unclear"].value_counts().to_dict()
    assert len(rows) >= least * len(both) and len(rows) > 0, (
        f"only {len(rows)} of {len(both)} rows can be compared: {why}")
    return rows, rows[keys]


# ---------------------------------------------------------------- validity


@pytest.mark.parametrize("medium", MEDIA)
def test_hourly_valid_agrees_with_the_model(province, medium):
    got = fetch(province, "SELECT mn, factor, ts, value, basis, valid_minutes, reported_value, "
                f"valid, reason FROM hourly_valid WHERE ts >= timestamp '{FROM} 00:00:00' "
                f"AND ts < timestamp '{TO} 00:00:00'", "ts")
    rows, labels = paired(province.model.hours, got, ["mn", "factor", "ts"], medium)
    assert_same(boolean(rows["valid"]), rows["valid_m"].astype(bool), "valid", labels)
    assert_close(rows["value"], rows["value_m"], "value", labels=labels)
    assert_close(rows["reported_value"], rows["reported_value_m"], "reported_value",
                 labels=labels)
    assert rows["valid_m"].any() and not rows["valid_m"].all()
    decided = rows["valid_m"].astype(bool)
    basis = np.where(rows.loc[decided, "minutes"].astype(bool), "minute", "reported")
    assert_same(rows.loc[decided, "basis"], basis, "basis", labels[decided])
    by_minutes = rows["minutes"].astype(bool)
    assert_close(rows.loc[by_minutes, "valid_minutes"], rows.loc[by_minutes, "valid_minutes_m"],
                 "valid_minutes", labels=labels[by_minutes])
    told = rows["reason_m"].notna()
    assert_same(rows.loc[told, "reason"], rows.loc[told, "reason_m"], "reason", labels[told])


def test_silent_series_have_no_valid_hour(province):
    """A series that never sent a row may be answered (it is due), but only as missing."""
    got = province.store.frame(
        "SELECT mn, factor, count(CASE WHEN valid THEN 1 END) AS valid, count(*) AS n "
        f"FROM hourly_valid WHERE ts >= timestamp '{FROM} 00:00:00' GROUP BY 1, 2")
    sent = set(map(tuple, province.model.hours[["mn", "factor"]].drop_duplicates().to_numpy()))
    assert {(m, f) for m, f in zip(got["mn"], got["factor"])} >= sent
    silent = [(m, f) not in sent for m, f in zip(got["mn"], got["factor"])]
    assert (got.loc[silent, "valid"] == 0).all(), got[silent]


DAYS = ("SELECT mn, factor, day, value, partial_value, valid_hours, required_hours, "
        "stopped_hours, basis, valid, value_min, value_max FROM daily_valid "
        f"WHERE day >= date '{FROM}' AND day < date '{TO}'")


@pytest.mark.parametrize("medium", MEDIA)
def test_daily_valid_agrees_with_the_model(province, medium):
    got = fetch(province, DAYS, "day")
    rows, labels = paired(province.model.days, got, ["mn", "factor", "day"], medium,
                          least=0.7 if medium == "w" else 0.9)
    assert_same(rows["valid_hours"], rows["valid_hours_m"], "valid_hours", labels)
    assert_same(rows["stopped_hours"], rows["stopped_hours_m"], "stopped_hours", labels)
    wrong = [int(a) not in e for a, e in zip(rows["required_hours"], rows["required"])]
    assert not any(wrong), rows.loc[wrong, ["mn", "factor", "day", "required_hours", "required"]]
    assert_same(boolean(rows["valid"]), rows["valid_m"].astype(bool), "valid", labels)
    clear = rows["unclear_value"] == ""
    assert clear.mean() > 0.5
    assert_close(rows.loc[clear, "value"], rows.loc[clear, "value_m"], "value",
                 labels=labels[clear])
    if medium == "a":
        assert_close(rows["partial_value"], rows["partial"], "partial_value", labels=labels)
    assert rows["valid_m"].any() and not rows["valid_m"].all()


def test_ph_days_have_extremes_and_no_mean(province):
    got = fetch(province, DAYS + " AND factor = 'w01001'", "day")
    days = province.model.days
    days = days[days["factor"] == "w01001"]
    if days.empty:
        pytest.fail("the province has no pH series")
    rows, labels = paired(days, got, ["mn", "factor", "day"], "w", least=0.7)
    assert rows["value"].isna().all()
    valid = rows["valid_m"].astype(bool)
    assert valid.any()
    for name in ("value_min", "value_max"):
        assert_close(rows.loc[valid, name], rows.loc[valid, f"{name}_m"], name,
                     labels=labels[valid])


@pytest.mark.parametrize("medium", MEDIA)
def test_monthly_valid_agrees_with_the_model(province, medium):
    got = fetch(province, "SELECT mn, factor, month, value, partial_value, valid_days, "
                "required_days, stopped_days, valid FROM monthly_valid "
                f"WHERE month >= date '{FROM}' AND month < date '{TO}'", "month")
    # a single unclear hour makes its month unclear, so less of them can be compared
    rows, labels = paired(province.model.months, got, ["mn", "factor", "month"], medium, least=0.4)
    assert_same(rows["valid_days"], rows["valid_days_m"], "valid_days", labels)
    assert_same(rows["stopped_days"], rows["stopped_days_m"], "stopped_days", labels)
    wrong = [int(a) not in e for a, e in zip(rows["required_days"], rows["required"])]
    assert not any(wrong), rows.loc[wrong, ["mn", "factor", "month", "required_days", "required"]]
    assert_same(boolean(rows["valid"]), rows["valid_m"].astype(bool), "valid", labels)
    clear = (rows["unclear_value"] == "") & (rows["factor"] != "w01001")
    assert clear.any()
    assert_close(rows.loc[clear, "value"], rows.loc[clear, "value_m"], "value",
                 labels=labels[clear])
    assert_close(rows.loc[clear, "partial_value"], rows.loc[clear, "partial"], "partial_value",
                 labels=labels[clear])


# ---------------------------------------------------------------- emissions

TOTALS = ("SELECT mn, factor, period, mass_kg, measured_kg, substituted_kg, volume_m3, "
          "operating_hours, measured_hours, substituted_hours, missing_hours, stopped_hours, "
          "capture_rate, usable FROM emissions('{}', '{}', '{}')")
FLOATS = ("mass_kg", "measured_kg", "substituted_kg", "volume_m3", "capture_rate")


def totals(province, grain):
    if grain not in province.totals:
        got = fetch(province, TOTALS.format(FROM, TO, grain), "period")
        for name in FLOATS:
            got[name] = got[name].astype(float)
        province.totals[grain] = got
    return province.totals[grain].copy()


def with_model(province, grain, medium):
    expected = mass_by(province.model.mass_hours, grain)
    expected["unclear"] = np.where(expected["is_unclear"], "unclear hour", "")
    if grain == "hour":
        # an hour without flow is not due: a row for it is allowed, and is not compared
        expected.loc[expected["no_flow"] > 0, "unclear"] = "no flow"
    least = {"hour": 0.6, "day": 0.5}.get(grain, 0.2)
    return paired(expected, totals(province, grain), ["mn", "factor", "period"], medium, least)


@pytest.fixture(scope="module")
def substituted(province):
    """Every hour of the model with substitution (substitution_model.py)."""
    return hour_rows(province.tables)


@pytest.mark.parametrize("grain", ["hour", "day", "month", "quarter"])
def test_mass_and_hours_agree_with_the_model_of_substitution(province, substituted, grain):
    expected = emissions(province.tables, FROM, TO, grain, rows=substituted)
    expected["period"] = expected["period"].astype("datetime64[us]")
    rows = expected.merge(totals(province, grain), on=KEYS, suffixes=("_m", ""), how="outer", indicator=True)
    # a period without a due hour may show, or not, with nothing in it
    nothing = rows["_merge"].ne("both")
    counts = ["operating_hours", "stopped_hours"]
    for name in counts:
        assert (rows.loc[nothing, [name, f"{name}_m"]].fillna(0) == 0).all(axis=None)
    rows = rows[~nothing]
    labels = rows[KEYS]
    for name in ("measured_hours", "substituted_hours", "missing_hours", "stopped_hours"):
        assert_same(rows[name].astype(int), rows[f"{name}_m"].astype(int), name, labels)
    for name in ("measured_kg", "substituted_kg"):
        assert_close(rows[name], rows[f"{name}_m"], name, labels=labels)
    assert_same(boolean(rows["usable"]), rows["usable_m"].astype(bool), "usable", labels)
    mass = rows["mass_kg_m"].where(rows["usable_m"] & rows.get("method", "").ne("unresolved")
                                   if grain == "hour" else rows["usable_m"])
    known = mass.notna()
    assert_close(rows.loc[known, "mass_kg"], mass[known], "mass_kg", labels=labels[known])
    assert rows["substituted_kg"].gt(0).any() and rows["measured_kg"].gt(0).any()


@pytest.mark.parametrize("medium", MEDIA)
def test_volume_of_measured_hours_is_the_flows_total_or_its_value_times_the_hour(province, medium):
    rows, labels = with_model(province, "hour", medium)
    measured = rows["measured_hours_m"] == 1
    assert measured.any()
    assert_close(rows.loc[measured, "volume_m3"], rows.loc[measured, "measured_volume"],
                 "volume_m3", labels=labels[measured])
    rows, labels = with_model(province, "month", medium)
    slack = 1e-9 * rows["volume"] + 1e-9
    wrong = ~rows["volume_m3"].between(rows["measured_volume"] - slack, rows["volume"] + slack)
    assert not wrong.any(), f"volume_m3 below the measured or above the known flow:\n{rows[wrong]}"


@pytest.mark.parametrize("medium", MEDIA)
def test_capture_rate_is_the_quarters_valid_share_at_every_grain(province, medium):
    """Valid hours over due hours less stopped; whether the flow must be valid too the contract
    leaves open, but one reading must hold for the whole answer."""
    rows, labels = with_model(province, "quarter", medium)
    running = (rows["due"] - rows["stopped_hours_m"]).astype(float)
    running = running.where(running > 0)
    of_measured = rows["measured_hours_m"] / running
    of_concentration = rows["conc_valid"] / running
    reading = of_concentration
    if np.nanmax(np.abs(rows["capture_rate"] - of_measured).fillna(0)) < 1e-9:
        reading = of_measured
    assert_close(rows["capture_rate"], reading, "capture_rate", labels=labels)
    for grain in ("month", "day", "hour"):
        got = totals(province, grain)
        wide = got.merge(rows[["mn", "factor", "capture_rate"]], on=["mn", "factor"],
                         suffixes=("", "_q"))
        assert len(wide) > 0
        assert_close(wide["capture_rate"], wide["capture_rate_q"], f"capture_rate by {grain}",
                     rel=0, tiny=0)


def test_capture_below_75_percent_is_not_usable_and_keeps_the_measured_mass(province):
    for grain in ("hour", "month", "quarter"):
        got = totals(province, grain)
        usable = boolean(got["usable"])
        low = got["capture_rate"] < 0.75
        assert_same(usable, ~low, f"usable by {grain}", got[["mn", "factor", "period"]])
        assert got.loc[low, "mass_kg"].isna().all()
        assert got.loc[low, "measured_kg"].notna().all()
        if grain != "hour":
            assert got.loc[~low, "mass_kg"].notna().all()
        stopped = got["capture_rate"].isna()
        assert (got.loc[stopped, "mass_kg"].fillna(0) == 0).all()
    if province.name == "by_hand":
        got = totals(province, "quarter").set_index(["mn", "factor"])
        assert not got.loc[("AIRUNKNOWN0003", "a21002"), "usable"]
        whole = got.loc[("AIRSTOPPED0005", "a21026")]
        assert np.isnan(whole["capture_rate"]) and whole["usable"] and whole["mass_kg"] == 0


def test_operating_is_measured_plus_substituted_plus_missing_at_every_grain(province):
    for grain in ("hour", "day", "month", "quarter", "year"):
        got = totals(province, grain)
        assert len(got) > 0
        parts = got["measured_hours"] + got["substituted_hours"] + got["missing_hours"]
        assert_same(got["operating_hours"].astype(int), parts.astype(int), grain,
                    got[["mn", "factor", "period"]])


@pytest.mark.parametrize("part, whole, code", [
    ("hour", "day", "D"), ("day", "month", "M"), ("month", "quarter", "Q"), ("month", "year", "Y")])
def test_sums_in_order_of_time_agree_to_the_bit(province, part, whole, code):
    small = totals(province, part).sort_values(["mn", "factor", "period"])
    large = totals(province, whole)
    period = small["period"].dt.to_period(code).dt.to_timestamp().astype("datetime64[us]")
    for name in ("measured_kg", "mass_kg"):
        sums = {}
        for *key, kg in zip(small["mn"], small["factor"], period, small[name]):
            if kg == kg:
                sums[tuple(key)] = sums.get(tuple(key), 0.0) + kg
        filled = large[large[name].notna() & (large[name] != 0)]
        assert len(filled) > 0
        keys = list(zip(filled["mn"], filled["factor"], filled["period"]))
        wrong = [(k, v, sums.get(k)) for k, v in zip(keys, filled[name]) if sums.get(k) != v]
        assert not wrong, f"{name} by {whole} is not the sum by {part}: {wrong[:5]}"


def test_ts_label_end_in_the_registry_shifts_hours_on_landing(store):
    """A source that labels the end of its interval: its 01:00 is the hour that starts at 00:00."""
    store.ingest_frame("outlets", pd.DataFrame({
        "mn": ["LABELEND000001"], "since": [""], "medium": ["air"], "ts_label": ["end"]}))
    ts = pd.date_range("2026-01-01 01:00", periods=24, freq="h")
    store.ingest_frame("hourly", long_rows("LABELEND000001", "a21026", ts, 5.0))
    store.ingest_frame("hourly", long_rows("LABELSTART0001", "a21026", ts, 5.0))
    got = store.sql("SELECT mn, min(ts) AS lo, max(ts) AS hi FROM hourly GROUP BY 1 ORDER BY 1")
    assert list(got["mn"]) == ["LABELEND000001", "LABELSTART0001"]
    assert list(stamp(got["lo"]).astype(str)) == ["2026-01-01 00:00:00", "2026-01-01 01:00:00"]
    days = store.sql("SELECT mn, day, valid_hours FROM daily_valid ORDER BY mn, day")
    # the first is registered, so the last hour that any outlet sent is due of it, too
    assert list(days["valid_hours"]) == ["24", "0", "23", "1"]
