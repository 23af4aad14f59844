"""Totals and loads in plain SQL over landed data against the sums in ../shared/data."""

import numpy as np
import pandas as pd
import pytest

from conftest import Store, assert_close, assert_same, boolean, long_rows, num, shared, stamp

SO2, NOX, CO2, COD, NH4, NO3, FLOW = (
    "a21026", "a21002", "a05001", "w01018", "w21003", "w21007", "w00000")

# ---------------------------------------------------------------- US EPA, days by area

AREAS = {"OH": "EPAOHIO0000001", "KY": "EPAKENTUCKY001", "OH-2007-full-year": "EPAOHIO2007YR1"}
MASSES = {"SO2_tons": SO2, "NOx_tons": NOX, "CO2_tons": CO2}


@pytest.fixture(scope="module")
def epa_days(tmp_path_factory):
    d = pd.read_parquet(shared("data", "epa-daily-area", "epa_daily_area.parquet"))
    mn, ts = d["area"].map(AREAS), pd.to_datetime(d["date"])
    store = Store(tmp_path_factory.mktemp("epa") / "store")
    rows = pd.concat([long_rows(mn, code, ts, d[name]) for name, code in MASSES.items()])
    assert store.ingest_frame("daily", rows)["landed"] == 3 * len(d)
    load = pd.DataFrame({"mn": mn, "param": "power", "ts": ts, "value": d["gross_load_mwh"],
                         "flag": "N"})
    assert store.ingest_frame("conditions", load)["landed"] == len(d)
    return store


@pytest.mark.parametrize("grain, file, column, form", [
    ("month", "reference_monthly.csv", "month", lambda t: t.dt.strftime("%Y-%m")),
    ("quarter", "reference_quarterly.csv", "q",
     lambda t: t.dt.strftime("%Y") + "Q" + t.dt.quarter.astype(str)),
    ("year", "reference_yearly.csv", "y", lambda t: t.dt.strftime("%Y")),
])
def test_sums_of_landed_epa_days_equal_the_reference(epa_days, grain, file, column, form):
    ref = pd.read_csv(shared("data", "epa-daily-area", file))
    ref["mn"] = ref["area"].map(AREAS)
    ref[column] = ref[column].astype(str)
    for name, code in MASSES.items():
        got = epa_days.sql(
            f"SELECT mn, date_trunc('{grain}', ts) AS p, count(*) AS n, sum(value) AS total "
            f"FROM daily WHERE factor = '{code}' GROUP BY 1, 2"
        )
        compare_sums(got, ref, column, form, name)
    got = epa_days.sql(
        f"SELECT mn, date_trunc('{grain}', ts) AS p, count(*) AS n, sum(value) AS total "
        "FROM conditions WHERE param = 'power' GROUP BY 1, 2"
    )
    compare_sums(got, ref, column, form, "gross_load_mwh")


def compare_sums(got, ref, column, form, name):
    got[column] = form(stamp(got["p"]))
    rows = got.merge(ref, on=["mn", column], how="outer", indicator=True)
    assert (rows["_merge"] == "both").all(), rows[rows["_merge"] != "both"].to_string()
    labels = rows[["area", column]]
    assert_close(num(rows["total"]), rows[name], name, labels=labels)
    if "days" in rows:
        assert_same(num(rows["n"]), rows["days"], "days", labels)


def test_monthly_valid_of_landed_epa_days_rests_on_the_reported_days(epa_days):
    """A series without any hour takes its days from table `daily`: >= 25 of them, February 23."""
    ref = pd.read_csv(shared("data", "epa-daily-area", "reference_monthly.csv"))
    ref["mn"] = ref["area"].map(AREAS)
    got = epa_days.sql(f"SELECT mn, month, valid_days, value, valid FROM monthly_valid "
                       f"WHERE factor = '{SO2}'")
    got["month"] = stamp(got["month"]).dt.strftime("%Y-%m")
    rows = ref.merge(got, on=["mn", "month"], how="left")
    labels = rows[["area", "month"]]
    assert_same(num(rows["valid_days"]), rows["days"], "valid_days", labels)
    assert_same(boolean(rows["valid"]), rows["month_valid"], "valid", labels)
    mean = (rows["SO2_tons"] / rows["days"]).where(rows["month_valid"])
    assert_close(num(rows["value"]), mean, "value", labels=labels)


# ---------------------------------------------------------------- US EPA, units of 2016

UNITS = {"SO2 (tons)": ("daily", SO2), "NOx (tons)": ("daily", NOX),
         "CO2 (short tons)": ("daily", CO2), "Operating Time": ("conditions", "x_hours"),
         "Gross Load (MW-h)": ("conditions", "power"),
         "Heat Input (MMBtu)": ("conditions", "x_heat")}


@pytest.fixture(scope="module")
def epa_units(tmp_path_factory):
    d = pd.read_parquet(shared("data", "epa-ampd-annual", "epa_annual_units_2016.parquet"))
    d.columns = d.columns.str.strip()
    store = Store(tmp_path_factory.mktemp("units") / "store")
    mn = pd.Series([f"EPAUNIT{i:07d}" for i in range(len(d))], index=d.index)
    firm = mn.str.replace("EPAUNIT", "FIRM")
    ts = pd.Timestamp("2016-01-01")
    for table, key in (("daily", "factor"), ("conditions", "param")):
        parts = [pd.DataFrame({"mn": mn, key: code, "ts": ts, "flag": "N",
                               "value": pd.to_numeric(d[name], errors="coerce")})
                 for name, (where, code) in UNITS.items() if where == table]
        rows = pd.concat(parts).dropna(subset=["value"])
        assert store.ingest_frame(table, rows)["landed"] == len(rows)
    store.ingest_frame("enterprises", pd.DataFrame({
        "enterprise_id": firm, "since": "", "name": d["Facility Name"], "city": d["State"],
        "industry": d["Fuel Type (Primary)"]}))
    store.ingest_frame("outlets", pd.DataFrame({
        "mn": mn, "since": "", "enterprise_id": firm, "medium": "air"}))
    return store


@pytest.mark.parametrize("group, file, column", [
    ("city", "reference_by_state_2016.csv", "State"),
    ("industry", "reference_by_fuel_2016.csv", "fuel"),
])
def test_sums_by_registry_of_landed_epa_units_equal_the_reference(epa_units, group, file, column):
    ref = pd.read_csv(shared("data", "epa-ampd-annual", file), keep_default_na=False)
    for name, (table, code) in UNITS.items():
        key = "factor" if table == "daily" else "param"
        got = epa_units.sql(
            f"SELECT e.{group} AS g, sum(d.value) AS total FROM {table} d "
            "JOIN outlets o ON o.mn = d.mn JOIN enterprises e ON e.enterprise_id = "
            f"o.enterprise_id WHERE d.{key} = '{code}' GROUP BY e.{group}"
        )
        got["g"] = got["g"].fillna("")
        rows = ref.merge(got, left_on=column, right_on="g", how="left")
        expected = pd.to_numeric(rows[name]).astype(float)
        # a state whose units all report nothing sums to 0 in the reference and has no row here
        assert_close(num(rows["total"]).fillna(0.0), expected.fillna(0.0), name,
                     labels=rows[[column]])
        extra = set(got["g"]) - set(ref[column])
        assert not extra, f"{name}: groups the reference does not have: {extra}"
    units = epa_units.sql(
        f"SELECT e.{group} AS g, count(*) AS n FROM outlets o JOIN enterprises e "
        f"ON e.enterprise_id = o.enterprise_id GROUP BY e.{group}"
    )
    units["g"] = units["g"].fillna("")
    rows = ref.merge(units, left_on=column, right_on="g", how="left")
    assert_same(num(rows["n"]), pd.to_numeric(rows["units"]), "units", rows[[column]])


def test_national_sums_of_landed_epa_units_equal_the_known_totals(epa_units):
    known = {SO2: 1469864.283, NOX: 1175526.077, CO2: 1980658531.218}
    got = epa_units.sql("SELECT factor, sum(value) AS total FROM daily GROUP BY 1 ORDER BY 1")
    assert_close(num(got["total"]), [known[f] for f in got["factor"]], "national totals")
    assert sorted(got["factor"]) == sorted(known)


# ---------------------------------------------------------------- Tilburg, 15-minute samples

TILBURG = "WWTPTILBURG001"


@pytest.fixture(scope="module")
def tilburg(tmp_path_factory):
    """In the file's own, shuffled order; the flow in the contract's L/s."""
    d = pd.read_parquet(shared("data", "wwtp-tilburg-15min", "tilburg_sample.parquet"))
    ts = pd.to_datetime(d["DATETIME"])
    rows = pd.concat([long_rows(TILBURG, FLOW, ts, d["Q_inf"] / 3.6),
                      long_rows(TILBURG, NH4, ts, d["NH4"]),
                      long_rows(TILBURG, NO3, ts, d["NO3"])])
    store = Store(tmp_path_factory.mktemp("tilburg") / "store")
    report = store.ingest_frame("minute", rows)
    assert (report["landed"], report["rejected"]) == (3 * len(d), 0)
    return store


@pytest.mark.parametrize("factor, column", [(NH4, "nh4_kg"), (NO3, "no3_kg")])
def test_load_of_15_minute_samples_equals_the_reference(tilburg, factor, column):
    ref = pd.read_csv(shared("data", "wwtp-tilburg-15min", "reference_monthly.csv"))
    got = tilburg.sql(
        "SELECT date_trunc('month', c.ts) AS month, count(*) AS samples, "
        "sum(c.value * q.value * 3.6 * 0.25) / 1000 AS kg, sum(q.value * 3.6 * 0.25) AS m3, "
        "sum(c.value * q.value) / sum(q.value) AS weighted, avg(c.value) AS mean "
        "FROM minute c JOIN minute q ON q.mn = c.mn AND q.ts = c.ts "
        f"WHERE c.factor = '{factor}' AND q.factor = '{FLOW}' GROUP BY 1 ORDER BY 1"
    )
    labels = ref[["month"]]
    assert_same(stamp(got["month"]).dt.strftime("%Y-%m"), ref["month"], "months")
    assert_same(num(got["samples"]), ref["samples"], "samples", labels)
    assert_close(num(got["kg"]), ref[column], column, labels=labels)
    assert_close(num(got["m3"]), ref["flow_m3"], "flow_m3", labels=labels)
    if factor == NH4:
        assert_close(num(got["weighted"]), ref["nh4_flow_weighted_mg_l"], "weighted mean",
                     labels=labels)
        assert_close(num(got["mean"]), ref["nh4_mean"], "mean", labels=labels)


# ---------------------------------------------------------------- UCI water plant, days

OUTFALL, INLET, AS_AIR = "WWTPUCIOUTFALL", "WWTPUCIINLET01", "WWTPUCIASAIR01"


@pytest.fixture(scope="module")
def uci(tmp_path_factory):
    """Days out of order: COD and flow of outfall and inlet; COD again under an air code, on days
    that have a flow, because the reference judges months by the air rule."""
    d = pd.read_parquet(shared("data", "wwtp-uci-527days", "wwtp.parquet"))
    ts = pd.to_datetime(d["date"].str.removeprefix("D-"), format="%d/%m/%y")
    q, out, inn = (pd.to_numeric(d[c], errors="coerce") for c in ("Q-E", "DQO-S", "DQO-E"))
    rows = pd.concat([
        *(long_rows(mn, FLOW, ts, q / 86.4).assign(total=q) for mn in (OUTFALL, INLET)),
        long_rows(OUTFALL, COD, ts, out), long_rows(INLET, COD, ts, inn),
        long_rows(AS_AIR, "a99018", ts, out.where(q.notna())),
    ]).dropna(subset=["value"])
    store = Store(tmp_path_factory.mktemp("uci") / "store")
    assert store.ingest_frame("daily", rows)["landed"] == len(rows)
    return store


@pytest.mark.parametrize("mn, column", [(OUTFALL, "cod_out_kg"), (INLET, "cod_in_kg")])
def test_daily_cod_load_equals_the_reference(uci, mn, column):
    ref = pd.read_csv(shared("data", "wwtp-uci-527days", "reference_monthly.csv"))
    got = uci.sql(
        "SELECT date_trunc('month', c.ts) AS month, count(*) AS n, "
        "sum(c.value * q.total) * 1e-3 AS kg FROM daily c JOIN daily q "
        f"ON q.mn = c.mn AND q.ts = c.ts WHERE c.factor = '{COD}' AND q.factor = '{FLOW}' "
        f"AND c.mn = '{mn}' GROUP BY 1 ORDER BY 1"
    )
    labels = ref[["month"]]
    assert_same(stamp(got["month"]).dt.strftime("%Y-%m"), ref["month"], "months")
    assert_close(num(got["kg"]), ref[column], column, labels=labels)
    if mn == OUTFALL:
        assert_same(num(got["n"]), ref["valid_cod_days"], "days with both", labels)
    flow = uci.sql("SELECT date_trunc('month', ts) AS month, sum(total) AS m3 FROM daily "
                   f"WHERE mn = '{mn}' AND factor = '{FLOW}' GROUP BY 1 ORDER BY 1")
    assert_close(num(flow["m3"]), ref["flow_m3"], "flow_m3", labels=labels)


def test_months_of_reported_days_are_valid_as_the_reference_says(uci):
    ref = pd.read_csv(shared("data", "wwtp-uci-527days", "reference_monthly.csv"))
    got = uci.sql("SELECT month, valid_days, required_days, valid FROM monthly_valid "
                  f"WHERE mn = '{AS_AIR}' AND factor = 'a99018' ORDER BY month")
    got["month"] = stamp(got["month"]).dt.strftime("%Y-%m")
    rows = ref.merge(got, on="month", how="left")
    assert_same(num(rows["valid_days"]), rows["valid_cod_days"], "valid_days", rows[["month"]])
    assert_same(boolean(rows["valid"]), rows["month_valid"], "valid", rows[["month"]])
    assert int(rows["month_valid"].sum()) == 11
    february = rows["month"].str.endswith("-02")
    assert_same(num(rows["required_days"]), np.where(february, 23, 25), "required_days")
    basis = uci.sql(f"SELECT DISTINCT basis FROM daily_valid WHERE mn = '{AS_AIR}' AND valid")
    assert list(basis["basis"]) == ["reported"]
