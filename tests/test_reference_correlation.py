"""corr_spearman, corr_kendall, corr_partial and best_lag against ../shared/data and against scipy.

The references are of columns of any name: a column lands as a parameter of table `conditions`, a row
as an hour, and SQL puts the columns side by side again.
"""

import json

import numpy as np
import pandas as pd
import pytest

from conftest import Store, shared

MN = "REFERENCE00001"


def close(actual, expected, what, rel=1e-9):
    assert np.isfinite(float(actual)), f"{what}: {actual}"
    assert abs(float(actual) - expected) <= rel * abs(expected) + 1e-15, f"{what}: {actual}, not {expected}"


class Columns:
    """The columns of a frame in a store; `ts` are the rows' times, else hours counted up."""

    def __init__(self, path, frame, ts=None):
        self.store = Store(path)
        hours = pd.Timestamp("2000-01-01") + pd.to_timedelta(np.arange(len(frame)), unit="h")
        ts = hours if ts is None else pd.DatetimeIndex(ts)
        self.names = {name: f"x{at}" for at, name in enumerate(frame.columns)}
        rows = [
            pd.DataFrame({"mn": MN, "param": code, "ts": ts, "value": frame[name].to_numpy()}).dropna()
            for name, code in self.names.items()
        ]
        rows = pd.concat(rows)
        assert self.store.ingest_frame("conditions", rows)["landed"] == len(rows)

    def ask(self, answers, *names):
        """One row of answers over the columns called x, y and z."""
        pivot = ", ".join(
            f"max(value) FILTER (WHERE param = '{self.names[name]}') AS {letter}"
            for name, letter in zip(names, "xyz")
        )
        return self.store.sql(f"SELECT {answers} FROM (SELECT ts, {pivot} FROM conditions GROUP BY ts)").iloc[0]

    def check_corr(self, reference):
        assert reference
        for pair, expected in reference.items():
            got = self.ask(
                "count(*) FILTER (WHERE x IS NOT NULL AND y IS NOT NULL) AS n, corr_spearman(x, y) AS s, "
                "corr_kendall(x, y) AS k, corr_spearman(y, x) AS t",
                *pair.split("~"),
            )
            assert int(got.n) == expected["n"], pair
            close(got.s, expected["spearman"], f"corr_spearman {pair}")
            close(got.t, expected["spearman"], f"corr_spearman {pair} turned")
            close(got.k, expected["kendall_tau_b"], f"corr_kendall {pair}")

    def check_partial(self, reference, called=None):
        assert reference
        for triple, expected in reference.items():
            pair, z = triple.split("|")
            names = [(called or {}).get(name, name) for name in [*pair.split("~"), z]]
            got = self.ask("corr_partial(x, y, z) AS p", *names)
            close(got.p, expected["partial_pearson"], f"corr_partial {triple}")

    def check_lag(self, reference, most, called=None):
        assert reference
        for pair, expected in reference.items():
            names = [(called or {}).get(name, name) for name in pair.split("->")]
            got = self.ask(f"best_lag(ts, x, y, {most}) AS lag, best_lag(ts, y, x, {most}) AS turned", *names)
            assert int(got.lag) == expected["max_abs"]["lag"], pair
            assert int(got.turned) == -int(got.lag), pair


def read(*parts):
    return json.loads(shared("data", *parts).read_text())


def names_of(*references):
    """The columns that references name, in their order."""
    words = [word for ref in references for pair in ref for word in pair.replace("|", "~").replace("->", "~").split("~")]
    return list(dict.fromkeys(words))


@pytest.mark.parametrize("number", ["03", "04"])
def test_batadal(tmp_path, number):
    ref = read("batadal", f"reference_dataset{number}.json")["corr"]
    frame = pd.read_parquet(shared("data", "batadal", f"dataset{number}.parquet")).rename(columns=str.strip)
    Columns(tmp_path / "s", frame[names_of(ref)]).check_corr(ref)


def test_gas_turbine(tmp_path):
    ref = read("gas-turbine-uci", "reference.json")
    frame = pd.read_parquet(shared("data", "gas-turbine-uci", "gas_turbine.parquet"))
    Columns(tmp_path / "all", frame[names_of(ref["all"])]).check_corr(ref["all"])
    for year, of_year in ref["per_year"].items():
        # Lags there are by row, as hours counted up are.
        lags = {pair.removesuffix(" (row lags)").replace("~", "->"): lag for pair, lag in of_year["lag"].items()}
        names = names_of(of_year["corr"], of_year["partial"], lags)
        columns = Columns(tmp_path / year, frame[frame["year"] == int(year)][names])
        columns.check_corr(of_year["corr"])
        columns.check_partial(of_year["partial"])
        columns.check_lag(lags, 24)


def test_air_quality(tmp_path):
    ref = read("airquality-uci", "reference.json")
    frame = pd.read_parquet(shared("data", "airquality-uci", "airquality.parquet"))
    names = names_of(ref["corr"], ref["partial"], ref["lag"])
    columns = Columns(tmp_path / "s", frame[names].replace(-200, np.nan))
    columns.check_corr(ref["corr"])
    columns.check_partial(ref["partial"])
    columns.check_lag(ref["lag"], 24)


@pytest.mark.parametrize("station", ["dongsi", "huairou"])
def test_beijing(tmp_path, station):
    ref = read("beijing-prsa", f"reference_{station}.json")
    frame = pd.read_parquet(shared("data", "beijing-prsa", f"prsa_{station}.parquet"))
    ts = pd.to_datetime(frame[["year", "month", "day", "hour"]])
    columns = Columns(tmp_path / "s", frame[names_of(ref["corr"], ref["partial"], ref["lag"])], ts)
    columns.check_corr(ref["corr"])
    columns.check_partial(ref["partial"])
    columns.check_lag(ref["lag"], 24)
    of_months = columns.store.sql(
        "SELECT date_trunc('month', ts) AS m, corr_spearman(x, y) AS s, corr_kendall(x, y) AS k FROM ("
        f"SELECT ts, max(value) FILTER (WHERE param = '{columns.names['SO2']}') AS x, "
        f"max(value) FILTER (WHERE param = '{columns.names['NO2']}') AS y FROM conditions GROUP BY ts) GROUP BY 1"
    )
    of_months = of_months.assign(m=of_months["m"].str[:7]).set_index("m")
    assert len(of_months) == len(ref["corr_per_month"])
    for month, expected in ref["corr_per_month"].items():
        close(of_months.at[month, "s"], expected["SO2~NO2"]["spearman"], f"corr_spearman {month}")
        close(of_months.at[month, "k"], expected["SO2~NO2"]["kendall_tau_b"], f"corr_kendall {month}")


def test_boiler_minutes(tmp_path):
    ref = read("boiler-stack-minute", "reference.json")
    frame = pd.read_parquet(shared("data", "boiler-stack-minute", "boiler9.parquet"))
    frame["ts"] = pd.to_datetime(frame["midt_clt_dt"], format="mixed")
    frame = frame.drop_duplicates("ts").sort_values("ts")
    called = {"NOx": "ergcg_br_fg_o2_c_b_ca_noxz_qt", "NOx raw": "ergcg_br_fg_o2_c_b_ca_noxz_qt",
              "MW": "erg_gent_ca_hpn_eff_epw", "O2": "ergcg_br_fg_o2_c_a_ca_noxz_qt"}
    # nox4 is a column that the reference computed.
    corr = {pair: r for pair, r in ref["minute_corr"].items() if "nox4" not in pair}
    columns = Columns(tmp_path / "s", frame[names_of(corr)], frame["ts"])
    columns.check_corr(corr)
    columns.check_partial(ref["partial_minute"], called)
    columns.check_lag(ref["lag_minute_grid"], 60, called)


def test_epa_areas(tmp_path):
    ref = read("epa-daily-area", "reference.json")["areas"]
    frame = pd.read_parquet(shared("data", "epa-daily-area", "epa_daily_area.parquet"))
    called = {"load": "gross_load_mwh", "temp": "temp_c", "NOx": "NOx_tons"}
    for area, expected in ref.items():
        names = names_of(expected["corr"])
        columns = Columns(tmp_path / area, frame[frame["area"] == area][names])
        columns.check_corr(expected["corr"])
        if "partial" in expected:
            columns.check_partial(expected["partial"], called)


def test_epa_units(tmp_path):
    ref = read("epa-ampd-annual", "reference_2016.json")["corr_units_heat>0"]
    frame = pd.read_parquet(shared("data", "epa-ampd-annual", "epa_annual_units_2016.parquet"))
    frame = frame.rename(columns=str.strip)
    frame = frame[names_of(ref)].apply(pd.to_numeric, errors="coerce")
    Columns(tmp_path / "s", frame[frame["Heat Input (MMBtu)"] > 0]).check_corr(ref)


def test_tilburg(tmp_path):
    ref = read("wwtp-tilburg-15min", "reference.json")
    frame = pd.read_parquet(shared("data", "wwtp-tilburg-15min", "tilburg_sample.parquet"))
    columns = Columns(tmp_path / "s", frame[names_of(ref["corr"], ref["partial"])])
    columns.check_corr(ref["corr"])
    columns.check_partial(ref["partial"])


def test_waste_water_plant(tmp_path):
    ref = read("wwtp-uci-527days", "reference.json")
    frame = pd.read_parquet(shared("data", "wwtp-uci-527days", "wwtp.parquet"))
    frame = frame[names_of(ref["corr"], ref["partial"])].apply(pd.to_numeric, errors="coerce")
    columns = Columns(tmp_path / "s", frame)
    columns.check_corr(ref["corr"])
    columns.check_partial(ref["partial"])


def test_skab(tmp_path):
    ref = read("skab", "reference.json")["files"]
    frame = pd.read_parquet(shared("data", "skab", "skab.parquet"))
    for at, (name, expected) in enumerate(list(ref.items())[:4]):
        part = frame[frame["file"] == name]
        Columns(tmp_path / str(at), part[["Pressure", "Volume Flow RateRMS"]].set_axis(["Pressure", "Flow"], axis=1)).check_corr(
            {"Pressure~Flow": expected["corr_Pressure~Flow"]}
        )


# ---------------------------------------------------------------- scipy, on random data


def samples():
    """Sizes, ties, missing values and connections of many kinds, always the same."""
    dice = np.random.default_rng(20260101)
    for n in [3, 4, 5, 8, 20, 33, 34, 60, 200, 1500]:
        for levels in [None, 2, 5, 40]:
            for slope in [0.0, 0.4, -3.0]:
                x = dice.normal(size=n)
                y, z = slope * x + dice.normal(size=n), 0.5 * x + dice.normal(size=n)
                if levels:
                    x, y = np.round(x * levels / 4), np.round(y * levels / 4)
                x[dice.random(n) < 0.08], y[dice.random(n) < 0.08] = np.nan, np.nan
                yield x, y, z


def test_condition_correlation_equals_scipy(tmp_path):
    """All of a row of condition_correlation at once: coefficients, p-values, lag, partial, baseline."""
    stats = pytest.importorskip("scipy.stats", reason="scipy of tests/requirements.txt is absent")
    store = Store(tmp_path / "s")
    start, before = pd.Timestamp("2026-04-01"), 90 * 24
    conditions, hours, expected = [], [], {}
    for at, (x, y, z) in enumerate(samples()):
        mn = f"SCIPY{at:09d}"
        dice = np.random.default_rng(at)
        bx, by = dice.normal(size=(2, 50))
        by += bx
        # A load of 100 and more runs, and is never flat below 0.
        for param, values, ts in [("x1", x, start), ("x1", bx, start - pd.Timedelta(hours=before))]:
            times = ts + pd.to_timedelta(np.arange(len(values)), unit="h")
            conditions.append(pd.DataFrame({"mn": mn, "param": param, "ts": times, "value": values, "flag": "N"}))
        for factor, values, ts in [("a21026", y, start), ("a00000", z, start),
                                   ("a21026", by, start - pd.Timedelta(hours=before))]:
            times = ts + pd.to_timedelta(np.arange(len(values)), unit="h")
            hours.append(pd.DataFrame({"mn": mn, "factor": factor, "ts": times, "value": values, "flag": "N"}))
        expected[mn] = (x, y, z, stats.spearmanr(bx, by).statistic)
    store.ingest_frame("conditions", pd.concat(conditions).dropna())
    store.ingest_frame("hourly", pd.concat(hours).dropna())
    got = store.sql("SELECT * FROM condition_correlation('2026-04-01', '2026-07-01') WHERE factor = 'a21026'")
    got = got[got["measure"] == "concentration"].set_index("mn")
    compared = 0
    for mn, (x, y, z, baseline) in expected.items():
        there = ~np.isnan(x) & ~np.isnan(y)
        if mn not in got.index:
            assert np.isnan(x).all() or np.isnan(y).all(), mn
            continue
        row, a, b = got.loc[mn], x[there], y[there]
        assert int(row.n) == there.sum(), mn
        close(row.baseline, baseline, f"{mn} baseline")
        if len(a) < 3 or np.ptp(a) == 0 or np.ptp(b) == 0:
            assert row[["pearson", "spearman", "kendall", "p_pearson", "p_spearman", "p_kendall", "partial"]].isna().all(), mn
            continue
        for name, test in [("pearson", stats.pearsonr), ("spearman", stats.spearmanr), ("kendall", stats.kendalltau)]:
            told = test(a, b)
            # Coefficients near 0, and p-values of |r| near 1, are differences of numbers near 1.
            assert abs(float(row[name]) - told.statistic) <= 1e-12, f"{mn} {name}: {row[name]}, not {told.statistic}"
            p = float(row[f"p_{name}"])
            sure = abs(told.statistic) < 1 - 1e-9
            assert abs(p - told.pvalue) <= (1e-9 * told.pvalue + 1e-300 if sure else 1e-5), f"{mn} p_{name}: {p}, not {told.pvalue}"
        compared += 1
        assert row.control == "a00000"
        partial = partial_of(a, b, z[there])
        assert pd.isna(row.partial) if partial is None else abs(float(row.partial) - partial) <= 1e-8, mn
        lag = best_lag_of(x, y, 24, 30)
        assert (pd.isna(row.best_lag_h) if lag is None else int(row.best_lag_h) == lag[0]), (mn, lag, row.best_lag_h)
        if lag:
            assert abs(float(row.lag_correlation) - lag[1]) <= 1e-12, mn
    assert compared > 90


def partial_of(x, y, z):
    xy, xz, yz = (np.corrcoef(a, b)[0, 1] for a, b in [(x, y), (x, z), (y, z)])
    unexplained = (1 - xz**2) * (1 - yz**2)
    return (xy - xz * yz) / np.sqrt(unexplained) if unexplained > 1e-12 else None


def best_lag_of(x, y, most, least):
    """Lag and correlation of the greatest |r|; None where no lag has one."""
    best = None
    for lag in sorted(range(-most, most + 1), key=lambda lag: (abs(lag), -lag)):
        a, b = (x[: len(x) - lag], y[lag:]) if lag >= 0 else (x[-lag:], y[: len(y) + lag])
        a, b = a[: min(len(a), len(b))], b[: min(len(a), len(b))]
        there = ~np.isnan(a) & ~np.isnan(b)
        a, b = a[there], b[there]
        if len(a) < least or np.ptp(a) == 0 or np.ptp(b) == 0:
            continue
        r = np.corrcoef(a, b)[0, 1]
        if best is None or abs(r) > abs(best[1]) + 1e-12:
            best = (lag, r)
    return best
