"""Totals with substitution and the tax declaration against the slow models, cell by cell, on a
random province of two quarters (substitution_province.py).

PLUME_TEST_OUTLETS ("6" or "15,200") says how many outlets; by default 15 and 200.
"""

import os
from decimal import Decimal
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import substitution_model as sub
import substitution_province
import tax_model as tax
from conftest import Store, assert_close, assert_same, boolean, stamp

FROM, TO = "2025-10-01", "2026-04-01"
GRAINS = ["hour", "day", "month", "quarter", "year"]
SIZES = [int(n) for n in os.environ.get("PLUME_TEST_OUTLETS", "15,200").split(",")]
KEYS = ["mn", "factor", "period"]
COUNTS = ["operating_hours", "measured_hours", "substituted_hours", "missing_hours",
          "stopped_hours"]
FIGURES = ["mass_kg", "measured_kg", "substituted_kg", "volume_m3", "capture_rate"]
GAP = ["method", "gap_start", "gap_hours", "anchor", "pool_from", "pool_to", "pool_hours",
       "source_ts"]
MONTHS = ["2026-01-01", "2026-02-01", "2026-03-01"]


@pytest.fixture(scope="module", params=SIZES, ids=[f"{n}_outlets" for n in SIZES])
def province(request, tmp_path_factory):
    tables = substitution_province.tables(request.param)
    store = Store(tmp_path_factory.mktemp("province") / "store")
    for name in ("enterprises", "outlets", "monitors", "stoppages", "qc_results",
                 "manual_samples", "hourly"):
        report = store.ingest_frame(name, tables[name])
        assert (report["rejected"], report["landed"]) == (0, len(tables[name])), (name, report)
    hours = sub.hours_of(tables)
    return SimpleNamespace(store=store, tables=tables, hours=hours,
                           rows=sub.hour_rows(tables, hours), cache={})


def expected(province, grain, start=FROM, end=TO):
    return sub.emissions(province.tables, start, end, grain, rows=province.rows)


def answer(province, grain, start=FROM, end=TO):
    key = (grain, start, end)
    if key not in province.cache:
        columns = KEYS + COUNTS + FIGURES + ["usable"] + (GAP if grain == "hour" else [])
        got = province.store.frame(
            f"SELECT {', '.join(columns)} FROM emissions('{start}', '{end}', '{grain}')")
        got["period"] = stamp(got["period"])
        for name in FIGURES:
            got[name] = got[name].astype(float)
        for name in ("gap_start", "anchor", "pool_from", "pool_to", "source_ts"):
            if name in got:
                got[name] = stamp(got[name])
        got["usable"] = boolean(got["usable"])
        province.cache[key] = got
    return province.cache[key]


def paired(want, got, keys=KEYS):
    """Model (…_m) and answer side by side. Rows of nothing but hours without flow, which are not
    due, may be there or not; they must be empty."""
    got, want = got.copy(), want.copy()
    if "operating_hours" in got:
        empty = got["operating_hours"] + got["stopped_hours"] == 0
        assert (got.loc[empty, ["mass_kg", "measured_kg", "substituted_kg"]].fillna(0) == 0).all(
            axis=None), "mass without any hour"
        got = got[~empty]
        want = want[want["operating_hours"] + want["stopped_hours"] > 0]
    last = keys[-1]
    want[last] = want[last].astype("datetime64[us]")
    assert not got.duplicated(keys).any(), f"keys twice:\n{got[got.duplicated(keys)].head()}"
    both = want.merge(got, on=keys, how="outer", indicator="side", suffixes=("_m", ""))
    lost, extra = both[both["side"] == "left_only"], both[both["side"] == "right_only"]
    assert lost.empty, f"{len(lost)} rows not answered:\n{lost[keys].head(12).to_string()}"
    assert extra.empty, f"{len(extra)} rows not due:\n{extra[keys].head(12).to_string()}"
    assert len(both) > 0
    return both.reset_index(drop=True)


def compare_figures(rows):
    labels = rows[KEYS]
    assert_same(rows["usable"].astype(bool), rows["usable_m"].astype(bool), "usable", labels)
    for name in COUNTS:
        assert_same(rows[name].astype(int), rows[f"{name}_m"].astype(int), name, labels)
    assert_close(rows["capture_rate"], rows["capture_rate_m"], "capture_rate", labels=labels)
    for name in ("measured_kg", "substituted_kg", "volume_m3"):
        assert_close(rows[name].fillna(0.0), rows[f"{name}_m"].fillna(0.0), name, labels=labels)
    usable = rows["usable_m"].astype(bool)
    assert rows.loc[~usable, "mass_kg"].isna().all(), "mass_kg of what is not usable"
    # an unresolved hour may say NULL or 0
    assert_close(rows.loc[usable, "mass_kg"].fillna(0.0), rows.loc[usable, "mass_kg_m"].fillna(0.0),
                 "mass_kg", labels=labels[usable])


@pytest.mark.parametrize("grain", GRAINS)
def test_totals_agree_with_the_model(province, grain):
    compare_figures(paired(expected(province, grain), answer(province, grain)))


@pytest.mark.parametrize("grain", ["day", "month", "quarter", "year"])
def test_sums_of_usable_series_have_a_mass(province, grain):
    got = answer(province, grain)
    assert got.loc[got["usable"], "mass_kg"].notna().all()
    assert got["measured_kg"].notna().all()


@pytest.mark.parametrize("medium", ["a", "w"])
def test_method_and_trace_of_every_hour_agree_with_the_model(province, medium):
    want, got = expected(province, "hour"), answer(province, "hour")
    rows = paired(want[want["factor"].str.startswith(medium)],
                  got[got["factor"].str.startswith(medium)])
    assert_same(rows["method"], rows["method_m"], "method", rows[KEYS])
    filled = rows[~rows["method_m"].isin(["measured", "stopped"])]
    assert len(filled)
    compare_trace(filled, ["gap_start", "gap_hours"])
    greatest = filled[filled["method_m"].str.startswith("max_")]
    assert len(greatest)
    compare_trace(greatest, ["anchor", "pool_from", "pool_to", "source_ts"])
    if medium == "a":
        compare_trace(greatest, ["pool_hours"])


def compare_trace(rows, names):
    labels = rows[KEYS + ["method_m"]]
    for name in names:
        actual, wanted = rows[name], rows[f"{name}_m"]
        assert actual.notna().all(), f"{name} is NULL:\n{labels[actual.isna()].head().to_string()}"
        if name.endswith("hours"):
            actual, wanted = actual.astype(int), wanted.astype(int)
        else:
            actual, wanted = actual.astype("datetime64[us]"), wanted.astype("datetime64[us]")
        assert_same(actual, wanted, name, labels)


@pytest.mark.parametrize("start, end", [("2026-01-01", "2026-02-01"),
                                        ("2026-01-09 05:00:00", "2026-01-21 17:00:00")])
def test_the_asked_time_changes_no_hour_in_it(province, start, end):
    """Pools, gaps and captures look outside of [from, to)."""
    rows = paired(expected(province, "hour", start, end), answer(province, "hour", start, end))
    compare_figures(rows)
    assert_same(rows["method"], rows["method_m"], "method", rows[KEYS])
    filled = rows[~rows["method_m"].isin(["measured", "stopped"])]
    compare_trace(filled, ["gap_start", "gap_hours"])


def test_quarterly_capture_agrees_with_the_model(province):
    want = sub.quarterly_capture(province.tables, FROM, TO, province.hours)
    got = province.store.frame(
        "SELECT mn, factor, quarter, hours, stopped_hours, invalid_hours, capture_rate, passed "
        f"FROM quarterly_capture('{FROM}', '{TO}')")
    got["quarter"] = stamp(pd.to_datetime(got["quarter"]))
    keys = ["mn", "factor", "quarter"]
    rows = paired(want, got, keys)
    for name in ("hours", "stopped_hours", "invalid_hours"):
        assert_same(rows[name].astype(int), rows[f"{name}_m"].astype(int), name, rows[keys])
    assert_close(rows["capture_rate"], rows["capture_rate_m"], "capture_rate", labels=rows[keys])
    assert_same(boolean(rows["passed"]), rows["passed_m"].astype(bool), "passed", rows[keys])


# ---------------------------------------------------------------- tax

TAX = ["enterprise_id", "mn", "permit_no", "medium", "month", "factor", "tax_item", "tax_class",
       "volume_m3", "mass_kg", "equivalent_kg", "equivalents", "rank", "taxable",
       "mean_concentration", "limit", "exceed_count", "reduction_pct", "reduction_reason", "rate",
       "tax_cny", "method", "capture_rate", "substituted_hours", "rule_set", "basis"]


@pytest.fixture(scope="module")
def declaration(province):
    tables = province.tables
    months = expected(province, "month", "2026-01-01", "2026-04-01")
    months = months[months["operating_hours"] + months["stopped_hours"] > 0]
    want = tax.tax_quarter(months, sub.with_converted(province.hours, tables["outlets"]),
                           sub.water_days(province.hours), tables["monitors"], tables["outlets"],
                           tables["enterprises"], MONTHS)
    columns = ", ".join('"limit"' if c == "limit" else f'"{c}"' for c in TAX)
    got = province.store.frame(f"SELECT {columns} FROM tax_declaration('2026Q1')")
    got["month"] = stamp(pd.to_datetime(got["month"]))
    return paired(want, got, ["mn", "factor", "month"])


def labels_of(rows):
    return rows[["mn", "factor", "month"]]


def floats(column):
    return column.map(lambda v: np.nan if v is None else float(v)).astype(float)


def test_declaration_has_the_quantities_of_the_model(declaration):
    rows = declaration
    for name in ("volume_m3", "mass_kg", "equivalent_kg", "equivalents", "capture_rate"):
        assert_close(floats(rows[name]), floats(rows[f"{name}_m"]), name, labels=labels_of(rows))
    assert_same(rows["substituted_hours"].astype(int), rows["substituted_hours_m"].astype(int),
                "substituted_hours", labels_of(rows))
    for name in ("enterprise_id", "permit_no"):
        assert_same(rows[name], rows[f"{name}_m"], name, labels_of(rows))
    assert_same(rows["medium"].str[0], rows["medium_m"].str[0], "medium", labels_of(rows))


def test_declaration_ranks_and_taxes_what_the_model_does(declaration):
    rows = declaration
    assert_same(rows["tax_class"].fillna(""), rows["tax_class_m"].fillna(""), "tax_class",
                labels_of(rows))
    assert_close(floats(rows["rank"]), floats(rows["rank_m"]), "rank", labels=labels_of(rows))
    assert_same(boolean(rows["taxable"]), rows["taxable_m"].astype(bool), "taxable",
                labels_of(rows))
    listed = rows["tax_class_m"].notna()
    assert_close(floats(rows.loc[listed, "rate"]), floats(rows.loc[listed, "rate_m"]), "rate",
                 labels=labels_of(rows)[listed])
    assert rows["taxable_m"].any() and not rows["taxable_m"].all()


def test_declaration_judges_concentrations_as_the_model_does(declaration):
    rows = declaration
    for name in ("mean_concentration", "limit"):
        assert_close(floats(rows[name]), floats(rows[f"{name}_m"]), name, labels=labels_of(rows))
    assert_same(rows["exceed_count"].astype(int), rows["exceed_count_m"].astype(int),
                "exceed_count", labels_of(rows))
    taxable = rows[rows["taxable_m"].astype(bool)]
    assert_same(taxable["reduction_pct"].astype(int), taxable["reduction_pct_m"].astype(int),
                "reduction_pct", labels_of(taxable))
    assert taxable["reduction_reason"].notna().all()
    assert set(taxable["reduction_pct_m"]) == {0, 25, 50}, "each reduction occurs"


def test_declaration_has_the_money_of_the_model(declaration):
    """To the cent; where the exact amount is within a millionth of half a cent, either cent."""
    wrong = []
    for row in declaration.to_dict("records"):
        got, want, exact = row["tax_cny"], row["tax_cny_m"], row["tax_exact"]
        if want is None:
            same = got is None
        elif got is None:
            same = False
        else:
            assert isinstance(got, Decimal), f"money is decimal, not {type(got)}"
            same = got == want
            near_half = abs((exact * 100) % 1 - Decimal("0.5")) < Decimal("1e-4")
            same = same or (near_half and abs(got - want) <= Decimal("0.01"))
        if not same:
            wrong.append((row["mn"], row["factor"], row["month"], got, want, exact))
    assert not wrong, f"{len(wrong)} of {len(declaration)} differ: {wrong[:8]}"
    assert (declaration["rule_set"].notna() & declaration["method"].notna()).all()
