"""Day and month validity, hour means of minutes and O2 conversion against ../shared/data.

The references were computed by other people's software (RULES.md). Each pollutant lands under
an air code of its own, its missing values once as absent rows and once as empty fields.
"""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from conftest import Store, assert_close, assert_same, boolean, long_rows, num, shared, stamp
from conftest import write_csv

BEIJING = {"PM2.5": "a34004", "PM10": "a34002", "SO2": "a21026", "NO2": "a21004",
           "CO": "a21005", "O3": "a05024"}
ITALY = {"CO(GT)": "a21005", "NOx(GT)": "a21002", "NO2(GT)": "a21004", "C6H6(GT)": "a25002",
         "NMHC(GT)": "a24088"}
# dataset -> (MN, folder, suffix of the reference files, column -> factor)
SETS = {
    "dongsi": ("PRSADONGSI0001", "beijing-prsa", "_dongsi", BEIJING),
    "huairou": ("PRSAHUAIROU001", "beijing-prsa", "_huairou", BEIJING),
    "airquality": ("UCIAIRQUALITY1", "airquality-uci", "", ITALY),
}


def wide(dataset):
    """Hours by pollutant, missing as NaN."""
    _, folder, _, factors = SETS[dataset]
    if folder == "beijing-prsa":
        d = pd.read_parquet(shared("data", folder, f"prsa_{dataset}.parquet"))
        d.index = pd.to_datetime(d[["year", "month", "day", "hour"]])
    else:
        d = pd.read_parquet(shared("data", folder, "airquality.parquet"))
        d.index = pd.to_datetime(d["Date"] + " " + d["Time"])
        d = d.replace(-200, np.nan)
    return d[list(factors)].astype(float)


def long_form(dataset, variant):
    mn, _, _, factors = SETS[dataset]
    d = wide(dataset)
    rows = pd.concat(
        [long_rows(mn, code, d.index, d[name].to_numpy()) for name, code in factors.items()],
        ignore_index=True,
    )
    return rows.dropna(subset=["value"]) if variant == "absent" else rows


@pytest.fixture(scope="module", params=["absent", "empty"])
def hours(request, tmp_path_factory):
    """A store with the three hourly sets, missing values as absent rows or as empty fields."""
    store = Store(tmp_path_factory.mktemp("hours") / "store")
    reports, missing = {}, {}
    for dataset in SETS:
        rows = long_form(dataset, request.param)
        missing[dataset] = int(rows["value"].isna().sum())
        path = write_csv(rows, store.file(".csv"))
        reports[dataset] = (len(rows), store.ingest("hourly", path))
    return SimpleNamespace(store=store, variant=request.param, reports=reports, missing=missing)


@pytest.mark.parametrize("dataset", SETS)
def test_hourly_set_lands_every_value_once(hours, dataset):
    rows, report = hours.reports[dataset]
    assert report["read"] == rows
    assert report["duplicate"] == 0
    assert report["rejected"] in (0, hours.missing[dataset])
    mn = SETS[dataset][0]
    assert hours.store.count("hourly", f"mn = '{mn}' AND value IS NOT NULL") == (
        rows - hours.missing[dataset]
    )


def reference(dataset, kind):
    mn, folder, suffix, factors = SETS[dataset]
    ending = ".csv" if kind == "monthly" else ".csv.gz"
    ref = pd.read_csv(shared("data", folder, f"reference_{kind}{suffix}{ending}"))
    ref["factor"] = ref["pollutant"].map(factors)
    assert ref["factor"].notna().all()
    ref["mn"] = mn
    return ref


def joined(got, ref, key):
    """Rows in both; a reference row may only be absent where the series has no row at all."""
    both = got.merge(ref, on=["factor", key], how="outer", indicator=True, suffixes=("", "_ref"))
    strange = both[both["_merge"] == "left_only"]
    assert strange.empty, f"rows the reference does not have:\n{strange.head().to_string()}"
    absent = both[both["_merge"] == "right_only"]
    seen = absent[absent["valid_hours_ref"] > 0]
    assert seen.empty, f"rows not answered though they have hours:\n{seen.head().to_string()}"
    return both[both["_merge"] == "both"].reset_index(drop=True), absent


@pytest.mark.parametrize("dataset", SETS)
def test_daily_valid_equals_the_reference_in_counts_validity_and_means(hours, dataset):
    ref = reference(dataset, "daily")
    ref["day"] = pd.to_datetime(ref["day"]).astype("datetime64[us]")
    ref = ref.rename(columns={"valid_hours": "valid_hours_ref"})
    got = hours.store.sql(
        "SELECT factor, day, value, partial_value, valid_hours, required_hours, stopped_hours, "
        f"valid FROM daily_valid WHERE mn = '{SETS[dataset][0]}' ORDER BY factor, day"
    )
    got["day"] = stamp(got["day"])
    rows, absent = joined(got, ref, "day")
    labels = rows[["factor", "day"]]
    assert_same(num(rows["valid_hours"]), rows["valid_hours_ref"], "valid_hours", labels)
    assert_same(boolean(rows["valid"]), rows["day_valid"], "valid", labels)
    assert_same(num(rows["required_hours"]), np.full(len(rows), 20), "required_hours", labels)
    assert_same(num(rows["stopped_hours"]), np.zeros(len(rows)), "stopped_hours", labels)
    assert_close(num(rows["value"]), rows["daily_mean"], "value", labels=labels)
    some = rows["valid_hours_ref"] > 0
    mean = (rows["sum"] / rows["valid_hours_ref"].where(some)).where(some)
    assert_close(num(rows["partial_value"]), mean, "partial_value", labels=labels)
    # every hour between a series' first and last row is due, so days without data count too
    for factor, part in rows.groupby("factor"):
        span = (part["day"].max() - part["day"].min()).days + 1
        assert len(part) == span, f"{factor}: {len(part)} days answered of {span}"
    assert len(rows) + len(absent) == len(ref)


@pytest.mark.parametrize("dataset", SETS)
def test_monthly_valid_equals_the_reference_in_counts_validity_and_means(hours, dataset):
    ref = reference(dataset, "monthly")
    ref["month"] = pd.to_datetime(ref["month"] + "-01").astype("datetime64[us]")
    ref = ref.rename(columns={"valid_hours": "valid_hours_ref", "valid_days": "valid_days_ref"})
    got = hours.store.sql(
        "SELECT factor, month, value, partial_value, valid_days, required_days, stopped_days, "
        f"valid FROM monthly_valid WHERE mn = '{SETS[dataset][0]}' ORDER BY factor, month"
    )
    got["month"] = stamp(got["month"])
    rows, _ = joined(got, ref, "month")
    labels = rows[["factor", "month"]]
    assert_same(num(rows["valid_days"]), rows["valid_days_ref"], "valid_days", labels)
    assert_same(num(rows["required_days"]), rows["days_needed"], "required_days", labels)
    assert_same(boolean(rows["valid"]), rows["month_valid"], "valid", labels)
    assert_close(num(rows["value"]), rows["monthly_mean"], "value", labels=labels)
    assert_close(num(rows["partial_value"]), rows["mean_of_valid_days"], "partial_value",
                 labels=labels)


@pytest.mark.parametrize("dataset", SETS)
def test_hourly_valid_gives_the_references_count_and_mean_of_hours_of_a_month(hours, dataset):
    ref = reference(dataset, "monthly")
    ref = ref[ref["valid_hours"] > 0].sort_values(["factor", "month"]).reset_index(drop=True)
    got = hours.store.sql(
        "SELECT factor, date_trunc('month', ts) AS month, count(*) AS n, avg(value) AS mean "
        f"FROM hourly_valid WHERE valid AND mn = '{SETS[dataset][0]}' GROUP BY 1, 2 ORDER BY 1, 2"
    )
    labels = ref[["factor", "month"]]
    assert_same(stamp(got["month"]).dt.strftime("%Y-%m"), ref["month"], "month", labels)
    assert_same(got["factor"], ref["factor"], "factor", labels)
    assert_same(num(got["n"]), ref["valid_hours"], "valid hours", labels)
    assert_close(num(got["mean"]), ref["mean_of_valid_hours"], "mean of hours", labels=labels)


@pytest.mark.parametrize("dataset", SETS)
def test_hours_without_a_value_are_due_invalid_and_never_a_value(hours, dataset):
    mn = SETS[dataset][0]
    d = wide(dataset)
    for name, factor in SETS[dataset][3].items():
        present = d[name].dropna()
        span = d.loc[present.index[0]:present.index[-1], name]
        got = hours.store.sql(
            "SELECT count(*) AS n, count(CASE WHEN valid THEN 1 END) AS valid, "
            "count(CASE WHEN NOT valid AND value IS NOT NULL THEN 1 END) AS leaked "
            f"FROM hourly_valid WHERE mn = '{mn}' AND factor = '{factor}' "
            f"AND ts >= timestamp '{span.index[0]}' AND ts <= timestamp '{span.index[-1]}'"
        )
        assert int(got["n"][0]) == len(span), f"{factor}: one row a due hour"
        assert int(got["valid"][0]) == len(present), factor
        assert int(got["leaked"][0]) == 0, factor


def test_aggregates_agree_with_the_views_on_the_same_columns(hours):
    """valid_day_mean and valid_month_mean over anyone's columns give the reference's figures."""
    mn = SETS["dongsi"][0]
    ref = reference("dongsi", "monthly").sort_values(["factor", "month"])
    if hours.variant == "absent" or hours.reports["dongsi"][1]["rejected"]:
        ref = ref[ref["valid_hours"] > 0]  # a month without any row makes no group
    got = hours.store.sql(
        f"WITH d AS (SELECT factor, CAST(date_trunc('day', ts) AS DATE) AS day, "
        f"valid_day_mean(value, flag) AS v FROM hourly WHERE mn = '{mn}' GROUP BY 1, 2) "
        "SELECT factor, date_trunc('month', day) AS month, "
        "valid_month_mean(v, day) AS mean FROM d GROUP BY 1, 2 ORDER BY 1, 2"
    )
    assert_same(got["factor"], ref["factor"], "factor")
    assert_same(stamp(got["month"]).dt.strftime("%Y-%m"), ref["month"], "month")
    assert_close(num(got["mean"]), ref["monthly_mean"], "valid_month_mean",
                 labels=ref[["factor", "month"]])


# ---------------------------------------------------------------- the boiler's minutes

NOX, O2, STACK = "a21002", "a19001", "BOILER9STACK01"
EXPORTS, MINUTES = 18_730, 8_281


@pytest.fixture(scope="module")
def boiler(tmp_path_factory):
    """Six overlapping exports, landed as six files out of order, two factors each."""
    d = pd.read_parquet(shared("data", "boiler-stack-minute", "boiler9.parquet"))
    d["ts"] = pd.to_datetime(d["midt_clt_dt"], format="mixed")
    d = d.rename(columns={"ergcg_br_fg_o2_c_b_ca_noxz_qt": "nox",
                          "ergcg_br_fg_o2_c_a_ca_noxz_qt": "o2"})
    assert len(d) == EXPORTS
    store = Store(tmp_path_factory.mktemp("boiler") / "store")
    files = []
    for _, part in d.groupby("source_file"):
        rows = pd.concat([long_rows(STACK, NOX, part["ts"], part["nox"]),
                          long_rows(STACK, O2, part["ts"], part["o2"])])
        files.append(write_csv(rows, store.file(".csv")))
    order = [3, 0, 5, 1, 4, 2]
    reports = [store.ingest("minute", *[files[i] for i in order[:2]])]
    reports += [store.ingest("minute", files[i]) for i in order[2:]]
    return SimpleNamespace(store=store, rows=d, reports=reports)


def test_overlapping_minute_exports_land_each_minute_once(boiler):
    total = {k: sum(r[k] for r in boiler.reports) for k in boiler.reports[0]
             if k in ("read", "landed", "duplicate", "rejected")}
    assert total == {"read": 2 * EXPORTS, "landed": 2 * MINUTES,
                     "duplicate": 2 * (EXPORTS - MINUTES), "rejected": 0}
    assert boiler.store.count("minute") == 2 * MINUTES


def test_hour_means_of_boiler_minutes_equal_the_reference(boiler):
    ref = pd.read_csv(shared("data", "boiler-stack-minute", "reference_hourly.csv"))
    ref["ts"] = pd.to_datetime(ref["hour"]).astype("datetime64[us]")
    got = boiler.store.sql(
        "SELECT ts, value, basis, valid_minutes, valid FROM hourly_valid "
        f"WHERE mn = '{STACK}' AND factor = '{NOX}' ORDER BY ts"
    )
    got["ts"] = stamp(got["ts"])
    span = pd.date_range(ref["ts"].min(), ref["ts"].max(), freq="h")
    assert_same(got["ts"], span.astype("datetime64[us]"), "one row a due hour, gaps included")
    rows = got.merge(ref, on="ts", how="left")
    expected = rows["hour_valid"].eq(True)
    assert expected.sum() == 135
    labels = rows[["ts", "minutes"]]
    assert_same(boolean(rows["valid"]), expected, "valid", labels)
    assert_close(num(rows["value"]), rows["nox_mean"].where(expected), "value", labels=labels)
    good = rows[expected]
    assert_same(good["basis"], ["minute"] * len(good), "basis")
    assert_same(num(good["valid_minutes"]), good["nox_n"], "valid_minutes", good[["ts"]])


def test_days_of_boiler_hours_equal_the_reference(boiler):
    ref = pd.read_csv(shared("data", "boiler-stack-minute", "reference_daily.csv"))
    ref["day"] = pd.to_datetime(ref["day"]).astype("datetime64[us]")
    got = boiler.store.sql(
        "SELECT day, valid_hours, valid FROM daily_valid "
        f"WHERE mn = '{STACK}' AND factor = '{NOX}' ORDER BY day"
    )
    got["day"] = stamp(got["day"])
    rows = got.merge(ref, on="day", how="left", suffixes=("", "_ref"))
    assert rows["day"].isin(ref["day"]).sum() == len(ref)
    assert_same(num(rows["valid_hours"]), rows["valid_hours_ref"].fillna(0), "valid_hours",
                rows[["day"]])
    assert_same(boolean(rows["valid"]), rows["day_valid"].eq(True), "valid", rows[["day"]])


def test_o2_conversion_equals_the_column_the_plant_published(boiler):
    published = (boiler.rows.dropna(subset=["NOx"]).drop_duplicates("ts")
                 .sort_values("ts").reset_index(drop=True))
    assert len(published) == 409
    got = boiler.store.sql(
        "SELECT n.ts AS ts, o2_convert(n.value, o.value, 4) AS nox4 FROM minute n "
        f"JOIN minute o ON o.mn = n.mn AND o.ts = n.ts WHERE n.factor = '{NOX}' "
        f"AND o.factor = '{O2}' AND n.ts >= timestamp '{published['ts'].min()}' ORDER BY n.ts"
    )
    assert_same(stamp(got["ts"]), published["ts"].astype("datetime64[us]"), "minutes")
    # the plant printed 8 decimals: 5e-9 absolute is the best it can agree to
    assert_close(num(got["nox4"]), published["NOx"], "o2_convert", rel=0, tiny=5.0001e-9)


def test_o2_conversion_is_null_at_21_percent_and_means_equal_the_reference(boiler):
    ref = pd.read_csv(shared("data", "boiler-stack-minute", "reference_hourly.csv"))
    got = boiler.store.sql(
        "SELECT date_trunc('hour', n.ts) AS hour, count(*) AS minutes, "
        "count(o2_convert(n.value, o.value, 4)) AS n, avg(o2_convert(n.value, o.value, 4)) AS m, "
        "max(o2_convert(n.value, o.value, 4)) AS top "
        "FROM minute n JOIN minute o ON o.mn = n.mn AND o.ts = n.ts "
        f"WHERE n.factor = '{NOX}' AND o.factor = '{O2}' GROUP BY 1 ORDER BY 1"
    )
    labels = ref[["hour"]]
    assert_same(num(got["minutes"]), ref["minutes"], "minutes", labels)
    assert_same(num(got["n"]), ref["nox4_n"], "converted minutes", labels)
    assert int(num(got["minutes"]).sum() - num(got["n"]).sum()) == 4
    assert_close(num(got["m"]), ref["nox4_mean"], "mean converted", labels=labels)
    assert_close(num(got["top"]), ref["nox4_max"], "greatest converted", labels=labels)
