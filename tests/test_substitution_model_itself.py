"""The models of substitution and tax against figures worked by hand. No binary is run."""

from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

import substitution_model as sub
import substitution_province
import tax_model as tax

T = pd.Timestamp
MN = "HANDWORKED0001"


def series(factor, start, values, flag="N", mn=MN):
    ts = pd.date_range(start, periods=len(values), freq="h")
    flags = flag if isinstance(flag, list) else [flag] * len(values)
    return pd.DataFrame({"mn": mn, "factor": factor, "ts": ts, "value": values, "total": np.nan,
                         "converted": np.nan, "flag": flags})


def stack(values, flags, start="2026-01-01", flow=10.0):
    """SO2 beside a flow of 10 m³/s: 36000 m³ an hour, so 1 mg/m³ is 0.036 kg."""
    return pd.concat([series("a21026", start, values, flags),
                      series("a00000", start, [flow] * len(values))], ignore_index=True)


def checks(*rows, factor="a21026"):
    """(ts, kind, passed) rows."""
    frame = pd.DataFrame([(MN, factor, T(ts), kind, None, None, None, ok)
                          for ts, kind, ok in rows],
                         columns=["mn", "factor", "ts", "kind", "expected", "measured", "unit",
                                  "passed"])
    return frame.astype({"passed": object})


def by_hour(tables, **options):
    rows = sub.emissions(tables, "2026-01-01", "2027-01-01", "hour", **options)
    return rows.set_index("period")


# ---------------------------------------------------------------- gas


def test_gas_table_6_takes_the_greatest_of_180_hours_before_the_gap():
    # 400 h: 1..300 mg/m³ rising, then 3 h of fault, then 97 h of 5 mg/m³. Capture 397/400.
    # Pool: the 180 h before hour 300, values 121..300; greatest 300 × 0.036 = 10.8 kg.
    values = [float(i + 1) for i in range(300)] + [9.0] * 3 + [5.0] * 97
    flags = ["N"] * 300 + ["D"] * 3 + ["N"] * 97
    got = by_hour({"hourly": stack(values, flags)})
    start = T("2026-01-01")
    h = got.loc[start + pd.Timedelta(hours=301)]
    assert (h["method"], h["gap_hours"], h["pool_hours"]) == ("max_180h", 3, 180)
    assert h["gap_start"] == h["anchor"] == start + pd.Timedelta(hours=300)
    assert h["pool_from"] == start + pd.Timedelta(hours=120)
    assert h["pool_to"] == h["source_ts"] == start + pd.Timedelta(hours=299)
    assert h["substituted_kg"] == pytest.approx(10.8)
    assert h["capture_rate"] == 397 / 400
    # month: Σ 1..300 = 45150, + 97 × 5 = 485 -> 45635 × 0.036 = 1642.86 measured, + 3 × 10.8
    month = sub.emissions({"hourly": stack(values, flags)}, "2026-01-01", "2026-02-01", "month")
    assert month["measured_kg"].iat[0] == pytest.approx(1642.86)
    assert month["mass_kg"].iat[0] == pytest.approx(1675.26)
    assert list(month[["operating_hours", "measured_hours", "substituted_hours"]].iloc[0]) == [
        400, 397, 3]


def test_gas_a_stop_neither_extends_nor_breaks_a_gap_and_24_hours_are_the_border():
    # 13 h of fault, 48 h stopped, 11 h (or 12 h) of fault: a gap of 24 (or 25) hours
    for second, method in ((11, "max_180h"), (12, "max_720h")):
        n = 1000 + 13 + 48 + second + 500
        flags = ["N"] * 1000 + ["D"] * 13 + ["D"] * 48 + ["D"] * second + ["N"] * 500
        stop = T("2026-01-01") + pd.Timedelta(hours=1013)
        tables = {"hourly": stack([2.0] * n, flags), "stoppages": pd.DataFrame({
            "mn": [MN], "kind": "production", "started": [stop],
            "ended": [stop + pd.Timedelta(hours=48)]})}
        # the flow of 10 m³/s without any O2 row does not contradict the stop
        got = by_hour(tables)
        assert (got["method"] == "stopped").sum() == 48
        filled = got[got["method"] == method]
        assert len(filled) == 13 + second and (filled["gap_hours"] == 13 + second).all()
        assert filled["gap_start"].nunique() == 1


def test_gas_between_75_and_90_percent_takes_2160_and_those_there_are():
    # 100 h, the last 20 lost: capture 0.80; only 80 h lie before the gap
    got = by_hour({"hourly": stack([3.0] * 79 + [7.0] + [0.0] * 20, ["N"] * 80 + ["B"] * 20)})
    filled = got[got["method"] == "max_2160h"]
    assert len(filled) == 20 and (filled["pool_hours"] == 80).all()
    assert filled["substituted_kg"].to_numpy() == pytest.approx(7 * 0.036)


def test_gas_below_75_percent_has_no_mass_and_keeps_the_measured():
    # 74 of 100 hours: capture 0.74. 75 of 100 is enough.
    for good, usable in ((74, False), (75, True)):
        tables = {"hourly": stack([1.0] * 100, ["N"] * good + ["D"] * (100 - good))}
        row = sub.emissions(tables, "2026-01-01", "2026-04-01", "quarter").iloc[0]
        assert row["usable"] == usable and np.isnan(row["mass_kg"]) == (not usable)
        assert row["measured_kg"] == pytest.approx(good * 0.036)
        assert row["missing_hours"] == (0 if usable else 26)


def test_gas_with_nothing_before_the_gap_is_unresolved():
    # 5 h lost at the very start
    got = by_hour({"hourly": stack([1.0] * 100, ["D"] * 5 + ["N"] * 95)})
    assert (got["method"].iloc[:5] == "unresolved").all()
    assert got["missing_hours"].sum() == 5 and got["mass_kg"].iloc[:5].isna().all()


def test_gas_negative_counts_zero_and_the_earliest_of_equal_maxima_is_told():
    # 10 h of -1, then 4 and 4, then a lost hour: maximum 4 × 0.036 = 0.144, of hour 10
    got = by_hour({"hourly": stack([-1.0] * 10 + [4.0, 4.0, 0.0], ["N"] * 12 + ["D"])})
    assert (got["measured_kg"].iloc[:10] == 0).all()
    assert got["substituted_kg"].iat[12] == pytest.approx(0.144)
    assert got["source_ts"].iat[12] == T("2026-01-01 10:00")


def test_gas_gap_across_a_quarter_takes_each_quarters_own_row():
    # from 2025-12-22: 240 h to the end of the year, the last 30 lost: 210/240 = 87.5 % -> 2160.
    # 2026: 10 h more lost of 400: 97.5 %, the gap is 40 h > 24 -> 720. Pool both: the 210 h.
    values = [2.0] * 210 + [0.0] * 40 + [1.0] * 390
    flags = ["N"] * 210 + ["D"] * 40 + ["N"] * 390
    rows = sub.emissions({"hourly": stack(values, flags, "2025-12-22")}, "2025-12-01",
                         "2026-12-01", "hour").set_index("period")
    methods = rows["method"].iloc[210:250]
    assert (methods.iloc[:30] == "max_2160h").all() and (methods.iloc[30:] == "max_720h").all()
    assert (rows["gap_hours"].iloc[210:250] == 40).all()
    assert (rows["pool_hours"].iloc[210:250] == 210).all()
    # asking for January alone changes no hour
    later = sub.emissions({"hourly": stack(values, flags, "2025-12-22")}, "2026-01-01",
                          "2026-02-01", "hour")
    assert later["gap_start"].iat[0] == T("2025-12-22") + pd.Timedelta(hours=210)
    # the year 2025 has its one quarter, 2026 its own
    years = sub.emissions({"hourly": stack(values, flags, "2025-12-22")}, "2025-12-01",
                          "2026-12-01", "year")
    assert list(years["capture_rate"]) == [210 / 240, 390 / 400]


def test_gas_out_of_control_runs_from_the_last_pass_to_the_next_and_takes_table_5():
    # 1000 h (to February 11, 16:00) of rising values. Checks of zero and span together: passed
    # January 30 00:00, failed span February 5 00:00, passed 12:00. Out of control: the 132 h + 12
    # from January 30 00:00 (hour 696) to February 5 12:00 (hour 852): 156 h, capture 0.844.
    # Table 5: 2160, before the pass: hours 0..695, greatest 696 × 0.036.
    rows = [(f"2026-01-{d:02d}", k, True) for d in (2, 9, 16, 23, 30) for k in ("zero", "span")]
    rows += [("2026-02-05", "zero", True), ("2026-02-05", "span", False),
             ("2026-02-05 12:00", "span", True)]
    tables = {"hourly": stack([float(i + 1) for i in range(1000)], "N"),
              "qc_results": checks(*rows)}
    got = by_hour(tables)
    filled = got[got["method"] == "max_2160h"]
    assert len(filled) == 156
    assert filled.index.min() == T("2026-01-30") and filled.index.max() == T("2026-02-05 11:00")
    assert (filled["anchor"] == T("2026-01-30")).all()
    assert filled["substituted_kg"].to_numpy() == pytest.approx(696 * 0.036)
    assert (filled["source_ts"] == T("2026-01-29 23:00")).all()
    capture = sub.quarterly_capture(tables, "2026-01-01", "2026-04-01").iloc[0]
    assert (capture["hours"], capture["stopped_hours"], capture["invalid_hours"]) == (1000, 0, 156)
    assert capture["capture_rate"] == 0.844 and capture["passed"]


def test_gas_overdue_after_7_15_days_or_24_hours():
    # one passed zero and span on January 2 00:00 and nothing more: overdue from hour 24 + …
    first = [("2026-01-02", "zero", True), ("2026-01-02", "span", True)]

    def first_bad(**setting):
        monitors = pd.DataFrame([dict(mn=MN, factor="a21026", since=pd.NaT, **setting)])
        got = by_hour({"hourly": stack([1.0] * 1400, "N"), "monitors": monitors,
                       "qc_results": checks(*first)})
        return got.index[got["method"] != "measured"].min()

    assert first_bad(auto_calibration=True) == T("2026-01-03")
    assert first_bad(auto_calibration=False) == T("2026-01-09")
    assert first_bad(auto_calibration=False, method="extractive") == T("2026-01-09")
    assert first_bad(auto_calibration=False, method="direct") == T("2026-01-17")


def test_gas_without_any_check_is_not_judged():
    got = by_hour({"hourly": stack([1.0] * 1400, "N")})
    assert (got["method"] == "measured").all()


def test_an_hour_with_fifteen_bad_minutes_is_still_good():
    # passed 00:00; the next pass comes at 00:15 (or 00:16) the day after: 15 (16) min overdue
    monitors = pd.DataFrame([dict(mn=MN, factor="a21026", since=pd.NaT, auto_calibration=True)])
    for minute, bad in ((15, 0), (16, 1)):
        rows = [(t, k, True) for t in ("2026-01-02", f"2026-01-03 00:{minute}")
                for k in ("zero", "span")]
        got = by_hour({"hourly": stack([1.0] * 60, "N"), "monitors": monitors,
                       "qc_results": checks(*rows)})
        assert (got["method"] != "measured").sum() == bad


def test_drift_is_judged_by_the_limits_where_passed_is_null():
    # range 0..200: a zero of 9 mg/m³ is 4.5 % (passes 5), 11 is 5.5 % (fails); span 100 -> 119 is
    # 9.5 % (passes 10), 121 is 10.5 %. Dust may drift 8 %.
    def check(kind, measured, expected, factor="a21026", full=200.0, unit="mg/m3"):
        row = dict(kind=kind, measured=measured, expected=expected, passed=None, unit=unit)
        return sub.verdict(row, factor, full)

    assert check("zero", 9.0, 0.0) and not check("zero", 11.0, 0.0)
    assert check("span", 119.0, 100.0) and not check("span", 121.0, 100.0)
    assert check("zero", 15.0, 0.0, "a34013") and not check("zero", 17.0, 0.0, "a34013")
    assert not check("zero", -11.0, 0.0)
    assert check("zero", 6.0, None, unit="%") is False
    assert check("zero", 6.0, 0.0, full=None) is None
    # water: 10 % of the standard; COD below 30 mg/L by 5 mg/L
    assert check("standard_check", 109.0, 100.0, "w01018")
    assert not check("standard_check", 111.0, 100.0, "w01018")
    assert check("comparison", 24.0, 20.0, "w01018") and not check("comparison", 26.0, 20.0,
                                                                   "w01018")
    assert check("comparison", 50.0, 40.0, "w01018") and not check("comparison", 53.0, 40.0,
                                                                   "w01018")


def test_gas_the_flows_failed_check_counts_for_its_pollutants():
    # velocity zero passed January 5 00:00, failed 5 20:00, passed 6 00:00: 24 h (hours 96..119) of
    # 1000; SO2 itself is judged good. Values rise: the 96th hour is the greatest before.
    rows = [("2026-01-05", "velocity_zero", True), ("2026-01-05 20:00", "velocity_zero", False),
            ("2026-01-06", "velocity_zero", True)]
    tables = {"hourly": stack([float(i + 1) for i in range(1000)], "N"),
              "qc_results": checks(*rows, factor="a00000")}
    got = by_hour(tables)
    filled = got[got["method"] == "max_180h"]
    assert len(filled) == 24 and (filled["anchor"] == T("2026-01-05")).all()
    assert filled["substituted_kg"].to_numpy() == pytest.approx(96 * 0.036)
    assert filled["volume_m3"].isna().all()


def test_gas_one_gap_may_need_both_tables():
    # lost from January 10 00:00 (hour 216) for 10 h; the span passed January 8 00:00 (hour 168)
    # fails January 10 10:00 and passes January 10 12:00, so that from hour 168 to 228 all is out of
    # control: gap of 60 h, all of table 5, whatever the flags of 10 of them say.
    rows = [("2026-01-08", "zero", True), ("2026-01-08", "span", True),
            ("2026-01-10 10:00", "span", False), ("2026-01-10 12:00", "span", True)]
    flags = ["N"] * 216 + ["D"] * 10 + ["N"] * 774
    tables = {"hourly": stack([float(i + 1) for i in range(1000)], flags)}
    monitors = pd.DataFrame([dict(mn=MN, factor="a21026", since=pd.NaT, method="direct")])
    got = by_hour({**tables, "qc_results": checks(*rows), "monitors": monitors})
    # zero is overdue 15 d after January 8: from January 23 00:00 (hour 528), to the end: 472 h, so
    # capture is (1000 - 60 - 472) / 1000 = 0.468, and nothing is substituted
    assert not got["usable"].any() and got["capture_rate"].iat[0] == 0.468
    # a renewed zero on January 20 keeps it in control to February 4 (hour 816): 184 h overdue;
    # a span of January 25 likewise: capture 0.756 -> 2160 of both anchors
    rows += [("2026-01-20", "zero", True), ("2026-01-20", "span", True)]
    got = by_hour({**tables, "qc_results": checks(*rows), "monitors": monitors})
    assert got["capture_rate"].iat[0] == 0.756
    filled = got[got["method"] == "max_2160h"]
    assert list(filled["anchor"].unique()) == [T("2026-01-08"), T("2026-01-20")]
    assert list(filled["gap_hours"].unique()) == [60, 184]
    # a fault that lasts into an overdue time: first table 6, then table 5. Lost hours 518..537,
    # overdue 528..539 (January 23 00:00 to 12:00): a gap of 22 h; overdue again from February 7
    # 12:00 (hour 900): capture (1000 - 22 - 100) / 1000 = 0.878
    late = [("2026-01-08", "zero", True), ("2026-01-08", "span", True),
            ("2026-01-23 12:00", "zero", True), ("2026-01-23 12:00", "span", True)]
    flags = ["N"] * 518 + ["D"] * 20 + ["N"] * 462
    got = by_hour({"hourly": stack([float(i + 1) for i in range(1000)], flags),
                   "qc_results": checks(*late), "monitors": monitors})
    gap = got[got["gap_hours"] == 22]                  # January 22 14:00 to 23 12:00
    assert len(gap) == 22 and (gap["method"] == "max_2160h").all()
    assert got["capture_rate"].iat[0] == 0.878
    assert gap["substituted_kg"].iloc[:10].to_numpy() == pytest.approx(518 * 0.036)
    assert gap["substituted_kg"].iloc[10:].to_numpy() == pytest.approx(168 * 0.036)
    assert (gap["anchor"].iloc[:10] == T("2026-01-22 14:00")).all()
    assert (gap["anchor"].iloc[10:] == T("2026-01-08")).all()


def test_gas_reference_samples_come_first():
    # 200 h of 1 mg/m³, 30 h lost on January 9 08:00 .. 10 14:00; on the 9th two samples of 5 and 7
    # mg/m³: its 16 h have 6 × 0.036 = 0.216 kg; the 14 h of the 10th the maximum 0.036.
    flags = ["N"] * 200 + ["D"] * 30 + ["N"] * 170
    manual = pd.DataFrame({"mn": MN, "factor": "a21026", "value": [5.0, 7.0], "flow": np.nan,
                           "ts": [T("2026-01-09 10:00"), T("2026-01-09 15:00")],
                           "kind": "reference"})
    got = by_hour({"hourly": stack([1.0] * 400, flags), "manual_samples": manual})
    by = got.groupby("method")
    assert by.size()["manual"] == 16 and by.size()["max_720h"] == 14
    assert got.loc[got["method"] == "manual", "substituted_kg"].to_numpy() == pytest.approx(0.216)
    assert (got.loc[got["method"] == "max_720h", "gap_hours"] == 30).all()


def test_gas_stopped_throughout_is_usable_with_mass_zero():
    # stopped from before; the analyser's rows are flagged, so nothing contradicts
    tables = {"hourly": stack([1.0] * 48, "D", flow=0.0), "stoppages": pd.DataFrame({
        "mn": [MN], "kind": "production", "started": [T("2025-12-01")], "ended": [pd.NaT]})}
    row = sub.emissions(tables, "2026-01-01", "2026-04-01", "quarter").iloc[0]
    assert np.isnan(row["capture_rate"]) and row["usable"] and row["mass_kg"] == 0
    assert row["stopped_hours"] == 48 and row["operating_hours"] == 0
    capture = sub.quarterly_capture(tables, "2026-01-01", "2026-04-01").iloc[0]
    assert np.isnan(capture["capture_rate"]) and capture["passed"]


# ---------------------------------------------------------------- water


def sewer(days, flow=None):
    """COD by days [(values, flags)] beside a flow of 10 L/s: 36 m³ an hour, 1 mg/L = 0.036 kg."""
    n = 24 * len(days)
    return pd.concat([
        series("w01018", "2026-01-01", sum((list(v) for v, _ in days), []),
               sum((list(f) for _, f in days), [])),
        series("w00000", "2026-01-01", flow or [10.0] * n)], ignore_index=True)


GOOD = ([10.0] * 24, ["N"] * 24)


def test_water_an_hour_lacking_its_concentration_takes_the_days_mean():
    # 18 valid of 24 is 75 %. 12 h of 10 mg/L at 10 L/s, 6 h of 40 mg/L at 20 L/s, 6 h lost at 10.
    # mean = (12 × 10 × 36 + 6 × 40 × 72) / (12 × 36 + 6 × 72) = (4320 + 17280) / 864 = 25 mg/L
    # lost hour: 25 × 36 × 0.001 = 0.9 kg
    day = ([10.0] * 12 + [40.0] * 6 + [0.0] * 6, ["N"] * 18 + ["D"] * 6)
    got = by_hour({"hourly": sewer([day], [10.0] * 12 + [20.0] * 6 + [10.0] * 6)})
    assert list(got["method"]) == ["measured"] * 18 + ["day_mean"] * 6
    assert got["substituted_kg"].iloc[18:].to_numpy() == pytest.approx(0.9)
    # the whole day: 25 mg/L × (864 + 216) m³ = 27 kg
    assert got["mass_kg"].sum() == pytest.approx(27.0)


def test_water_an_invalid_day_takes_the_greatest_of_30_daily_masses_by_flow():
    # 32 valid days: 100 mg/L on day 0, 20 on day 1, 10 on all others; day 32 has 17 valid results.
    # 30 days before it: days 2..31 -> 10 mg/L × 864 m³ = 8.64 kg. Its flow: 12 h of 10, 12 h of 20
    # L/s -> shares 1/36 and 2/36: 0.24 and 0.48 kg; nothing of it is measured.
    days = [([100.0] * 24, ["N"] * 24), ([20.0] * 24, ["N"] * 24)] + [GOOD] * 30
    days += [([10.0] * 24, ["N"] * 17 + ["D"] * 7)]
    tables = {"hourly": sewer(days, [10.0] * 24 * 32 + [10.0] * 12 + [20.0] * 12)}
    last = by_hour(tables).iloc[-24:]
    assert (last["method"] == "max_30d").all() and (last["measured_kg"] == 0).all()
    assert last["substituted_kg"].iloc[:12].to_numpy() == pytest.approx(0.24)
    assert last["substituted_kg"].iloc[12:].to_numpy() == pytest.approx(0.48)
    assert (last["pool_from"] == T("2026-01-03")).all()
    assert (last["pool_to"] == T("2026-02-01")).all()
    assert (last["source_ts"] == T("2026-01-03")).all()
    assert (last["anchor"] == T("2026-02-02")).all()
    assert (last["gap_hours"] == 24).all()
    # capture: 785 of 792 hours have a usable pair
    assert last["capture_rate"].iat[0] == 785 / 792


def test_water_without_flow_the_maximum_is_spread_evenly():
    # day 1 has neither concentration nor flow: 8.64 kg / 24 = 0.36 kg an hour
    rows = sewer([GOOD, GOOD, GOOD])
    day = rows["ts"].dt.floor("D") == T("2026-01-02")
    got = by_hour({"hourly": rows[~day]})
    filled = got[got["method"] == "max_30d"]
    assert len(filled) == 24
    assert filled["substituted_kg"].to_numpy() == pytest.approx(0.36)
    assert filled["volume_m3"].isna().all()


def test_water_flow_zero_is_not_due_and_never_substituted():
    # 12 h of night without flow: 12 results due, 9 of them are enough
    flow = ([0.0] * 12 + [10.0] * 12) * 2
    day = ([10.0] * 24, ["N"] * 21 + ["D"] * 3)
    got = by_hour({"hourly": sewer([day, day], flow)})
    assert len(got) == 24 and got["operating_hours"].sum() == 24
    assert (got["method"] == "day_mean").sum() == 6
    # 8 of 12 are not enough: the day takes the maximum of the first
    bad = ([10.0] * 24, ["N"] * 20 + ["D"] * 4)
    got = by_hour({"hourly": sewer([day, bad], flow)})
    assert (got["method"].iloc[12:] == "max_30d").all()


def test_water_four_manual_samples_come_before_the_maximum():
    # samples of 2, 4, 6, 8 mg/L: mean 5 × 36 m³ = 0.18 kg an hour; three samples do not count
    lost = ([10.0] * 24, ["D"] * 24)
    for n, method, kg in ((4, "manual", 0.18), (3, "max_30d", 0.36)):
        manual = pd.DataFrame({"mn": MN, "factor": "w01018", "value": [2.0, 4.0, 6.0, 8.0][:n],
                               "flow": np.nan, "kind": "manual",
                               "ts": pd.date_range("2026-01-02 01:00", periods=n, freq="6h")})
        got = by_hour({"hourly": sewer([GOOD, lost, GOOD]), "manual_samples": manual})
        assert (got["method"].iloc[24:48] == method).all()
        assert got["substituted_kg"].iloc[24:48].to_numpy() == pytest.approx(kg)


def test_water_a_failed_check_reaches_back_to_the_last_pass_and_on_to_the_next():
    # passed January 3 06:00, failed 5 06:00, passed 6 06:00: the 3rd keeps 6 valid hours, 4 and 5
    # none, the 6th 18 (enough). Days 3, 4, 5 take the maximum of days 1 and 2 (before the 3rd).
    rows = [("2026-01-03 06:00", "standard_check", True),
            ("2026-01-05 06:00", "standard_check", False),
            ("2026-01-06 06:00", "standard_check", True)]
    days = [GOOD, ([20.0] * 24, ["N"] * 24)] + [GOOD] * 18
    got = by_hour({"hourly": sewer(days), "qc_results": checks(*rows, factor="w01018")})
    filled = got[got["method"] == "max_30d"]
    assert sorted(set(filled.index.floor("D").day)) == [3, 4, 5]
    assert (filled["anchor"] == T("2026-01-03 06:00")).all()
    assert (filled["source_ts"] == T("2026-01-02")).all()
    assert filled["mass_kg"].sum() == pytest.approx(3 * 20 * 864 / 1000)
    assert (got[got["method"] == "day_mean"].index.floor("D").day == 6).all()


def test_water_a_lost_day_looks_back_from_the_last_check_before_it():
    # passed checks on January 3 06:00 and 6 06:00 (a comparison); day 5 is lost: the last pass
    # before it is January 3, so its pool is days 1 and 2 (20 and 10 mg/L), not day 4 of 30 mg/L
    rows = [("2026-01-03 06:00", "standard_check", True), ("2026-01-06 06:00", "comparison", True)]
    days = [([20.0] * 24, ["N"] * 24), GOOD, GOOD, ([30.0] * 24, ["N"] * 24),
            ([0.0] * 24, ["B"] * 24), GOOD]
    got = by_hour({"hourly": sewer(days), "qc_results": checks(*rows, factor="w01018")})
    filled = got[got["method"] == "max_30d"]
    assert len(filled) == 24 and (filled["anchor"] == T("2026-01-03 06:00")).all()
    assert (filled["pool_to"] == T("2026-01-02")).all()
    assert filled["mass_kg"].sum() == pytest.approx(20 * 864 / 1000)


def test_water_an_hour_without_flow_on_a_valid_day_is_unresolved():
    rows = sewer([GOOD])
    rows = rows[~(rows["factor"].eq("w00000") & (rows["ts"] == T("2026-01-01 05:00")))]
    got = by_hour({"hourly": rows})
    assert got["method"].iat[5] == "unresolved" and got["missing_hours"].sum() == 1


def test_water_an_invalid_day_with_nothing_before_keeps_what_was_measured():
    got = by_hour({"hourly": sewer([([10.0] * 24, ["N"] * 17 + ["D"] * 7), GOOD])})
    assert list(got["method"].iloc[:24]) == ["measured"] * 17 + ["unresolved"] * 7


def test_water_legacy_takes_the_mean_of_the_equally_long_time_before():
    # 4, 6, 8, then two lost hours: mean of 6 and 8 = 7 mg/L × 36 m³ = 0.252 kg
    hourly = pd.concat([series("w01018", "2026-01-01", [4.0, 6.0, 8.0, 0.0, 0.0, 5.0],
                               ["N", "N", "N", "D", "D", "N"]),
                        series("w00000", "2026-01-01", [10.0] * 6)])
    got = by_hour({"hourly": hourly}, water_method="legacy_mean")
    assert (got["method"].iloc[3:5] == "legacy_mean").all()
    assert got["substituted_kg"].iloc[3:5].to_numpy() == pytest.approx(0.252)


# ---------------------------------------------------------------- tax


def months(*rows):
    return pd.DataFrame([dict(mn=mn, factor=f, period=T("2026-01-01"), mass_kg=kg, volume_m3=1.0,
                              capture_rate=1.0, substituted_hours=0) for mn, f, kg in rows])


def declared(emitted, hourly=None, daily=None, monitors=None, outlets=None):
    none = {"mn": [], "factor": [], "value": [], "converted": [], "valid": []}
    if hourly is None:
        hourly = pd.DataFrame({**none, "ts": pd.to_datetime([])}).astype({"valid": bool})
    if daily is None:
        daily = pd.DataFrame({**none, "day": pd.to_datetime([])}).astype({"valid": bool})
    got = tax.tax_declaration(emitted, hourly, daily, monitors, outlets, None, "2026-01-01")
    return got.set_index(["mn", "factor"])


def test_tax_takes_the_first_three_of_air():
    # SO2 95 kg / 0.95 = 100 -> 240 yuan; NOx 47.5 / 0.95 = 50 -> 120; dust 21.8 / 2.18 = 10 -> 12;
    # CO 16.7 / 16.7 = 1 is the fourth; NMHC is not in the table
    got = declared(months(("A", "a21026", 95.0), ("A", "a21002", 47.5), ("A", "a34013", 21.8),
                          ("A", "a21005", 16.7), ("A", "a24088", 1000.0)))
    assert got.loc[("A", "a21026"), "tax_cny"] == Decimal("240.00")
    assert got.loc[("A", "a21002"), "tax_cny"] == Decimal("120.00")
    assert got.loc[("A", "a34013"), "tax_cny"] == Decimal("12.00")
    assert got.loc[("A", "a21005"), "rank"] == 4 and not got.loc[("A", "a21005"), "taxable"]
    assert got.loc[("A", "a21005"), "tax_cny"] == 0
    nmhc = got.loc[("A", "a24088")]
    assert not nmhc["taxable"] and np.isnan(nmhc["equivalents"]) and np.isnan(nmhc["rank"])


def test_tax_takes_cod_bod_toc_once_and_never_total_nitrogen():
    # TOC 98 / 0.49 = 200, COD 150, BOD 30 / 0.5 = 60: only TOC counts, at 1.4 -> 280 yuan;
    # NH3-N 8 / 0.8 = 10 at 2.8 -> 28; TP 0.5 / 0.25 = 2 -> 5.60; SS 4 / 4 = 1 is the fourth
    got = declared(months(("W", "w01018", 150.0), ("W", "w01017", 30.0), ("W", "w01020", 98.0),
                          ("W", "w21003", 8.0), ("W", "w21011", 0.5), ("W", "w01012", 4.0),
                          ("W", "w21001", 500.0)))
    assert got.loc[("W", "w01020"), "tax_cny"] == Decimal("280.00")
    assert not got.loc[("W", "w01018"), "taxable"] and not got.loc[("W", "w01017"), "taxable"]
    assert list(got.loc[("W", ["w01020", "w21003", "w21011", "w01012"]), "rank"]) == [1, 2, 3, 4]
    assert got.loc[("W", "w21003"), "tax_cny"] == Decimal("28.00")
    assert got.loc[("W", "w21011"), "tax_cny"] == Decimal("5.60")
    assert got.loc[("W", "w01012"), "tax_cny"] == 0 and got.loc[("W", "w21001"), "tax_cny"] == 0


def test_tax_takes_the_first_five_of_water_class_1():
    # one metal each: Hg 0.01/0.0005 = 20, Cd 0.05/0.005 = 10, As 0.1/0.02 = 5, Pb 0.1/0.025 = 4,
    # Cr 0.08/0.04 = 2, Ni 0.025/0.025 = 1 (the sixth)
    got = declared(months(("W", "w20111", 0.01), ("W", "w20115", 0.05), ("W", "w20119", 0.1),
                          ("W", "w20120", 0.1), ("W", "w20116", 0.08), ("W", "w20121", 0.025)))
    assert got["taxable"].sum() == 5 and not got.loc[("W", "w20121"), "taxable"]
    assert got.loc[("W", "w20111"), "tax_cny"] == Decimal("56.00")   # 20 × 2.8


def test_tax_rounds_half_up():
    # 0.0125 kg COD × 2.8 = 0.035 -> 0.04; half to even would say 0.04 too, 0.125 × 1.4 …
    assert tax.cents(Decimal("0.035")) == Decimal("0.04")
    assert tax.cents(Decimal("0.025")) == Decimal("0.03")
    got = declared(months(("W", "w01018", 0.0125)))
    assert got.loc[("W", "w01018"), "tax_cny"] == Decimal("0.04")


def so2_hours(values, mn="A"):
    return pd.DataFrame({"mn": mn, "factor": "a21026", "value": values, "converted": values,
                         "valid": True,
                         "ts": pd.date_range("2026-01-01", periods=len(values), freq="h")})


@pytest.mark.parametrize("values, pct, yuan", [
    ([60.0, 80.0], 25, "180.00"),      # mean 70 = 30 % below 100
    ([60.0, 80.2], 0, "240.00"),       # mean 70.1
    ([40.0, 60.0], 50, "120.00"),      # mean 50
    ([1.0, 1.0, 101.0], 0, "240.00"),  # mean 34, but one hour above the limit
    ([1.0, 1.0, 100.4], 50, "120.00"), # 100.4 rounds to 100: not above
])
def test_tax_reductions(values, pct, yuan):
    monitors = pd.DataFrame({"mn": ["A"], "factor": "a21026", "since": [pd.NaT],
                             "limit_hour": 100.0, "limit_decimals": 0})
    got = declared(months(("A", "a21026", 95.0)), so2_hours(values), monitors=monitors)
    row = got.loc[("A", "a21026")]
    assert row["reduction_pct"] == pct and row["tax_cny"] == Decimal(yuan)


def test_tax_reduction_falls_for_the_whole_payer():
    monitors = pd.DataFrame({"mn": ["A", "B", "C"], "factor": "a21026", "since": pd.NaT,
                             "limit_hour": 100.0})
    outlets = pd.DataFrame({"mn": ["A", "B", "C"], "enterprise_id": ["E1", "E1", "E2"]})
    hourly = pd.concat([so2_hours([40.0], "A"), so2_hours([101.0], "B"), so2_hours([40.0], "C")])
    got = declared(months(("A", "a21026", 95.0), ("B", "a21026", 95.0), ("C", "a21026", 95.0)),
                   hourly, monitors=monitors, outlets=outlets)
    assert list(got.loc[(["A", "B", "C"], "a21026"), "reduction_pct"]) == [0, 0, 50]


def test_tax_water_is_judged_by_valid_days():
    monitors = pd.DataFrame({"mn": ["W"], "factor": "w01018", "since": [pd.NaT], "limit_day": 50.0,
                             "limit_hour": 1.0})
    daily = pd.DataFrame({"mn": "W", "factor": "w01018", "value": [30.0, 34.0], "converted": np.nan,
                          "valid": True, "day": [T("2026-01-01"), T("2026-01-02")]})
    got = declared(months(("W", "w01018", 100.0)), daily=daily, monitors=monitors)
    row = got.loc[("W", "w01018")]
    assert row["mean_concentration"] == 32.0 and row["reduction_pct"] == 25
    assert row["tax_cny"] == Decimal("210.00")    # 100 × 2.8 × 0.75


def test_tax_of_an_unusable_month_is_unknown_not_zero():
    row = declared(months(("A", "a21026", np.nan))).loc[("A", "a21026")]
    assert row["tax_cny"] is None and not row["taxable"] and np.isnan(row["equivalents"])


# ---------------------------------------------------------------- the random province


def test_the_province_has_every_case():
    tables = substitution_province.tables(15)
    hours = sub.hours_of(tables)
    rows = sub.hour_rows(tables, hours)
    gas = rows[rows["factor"].str.startswith("a")]
    water = rows[rows["factor"].str.startswith("w")]
    assert set(gas["method"].dropna()) == {"measured", "stopped", "manual", "unresolved",
                                           "max_180h", "max_720h", "max_2160h"}
    assert set(water["method"].dropna()) == {"measured", "stopped", "manual", "unresolved",
                                             "day_mean", "max_30d"}
    filled = gas[gas["method"].str.startswith("max_", na=False)]
    assert (filled["anchor"] == filled["gap_start"]).any(), "table 6"
    assert (filled["anchor"] != filled["gap_start"]).any(), "table 5"
    assert (filled["pool_from"] < T("2026-01-01"))[filled["period"] >= T("2026-01-01")].any()
    asked = filled["method"].str.extract(r"(\d+)")[0].astype(int)
    assert (filled["pool_hours"] < asked).any(), "fewer than asked"
    lengths = set(gas["gap_hours"].dropna().astype(int))
    assert {1, 24, 25} <= lengths and max(lengths) >= 960
    crossing = gas[gas["gap_start"] < T("2026-01-01")]
    assert (crossing["period"] >= T("2026-01-01")).any()
    for medium in (gas, water):
        capture = medium["capture_rate"]
        assert (capture >= 0.9).any() and (capture < 0.75).any()
        assert ((capture >= 0.75) & (capture < 0.9)).any()
    assert rows["capture_rate"].isna().any(), "stopped throughout"
    assert rows["no_flow"].any()
    assert (hours.valid["value"] < 0).any()
    assert hours.valid["reason"].eq("stop contradicted").any()
    assert hours.valid["out_of_control"].any()
    assert tables["qc_results"]["passed"].isna().any()
    assert set(tables["monitors"]["auto_calibration"]) == {True, False}
    # nothing in it rests on what the model of the hours finds unclear, but for one thing
    assert set(hours.mass["unclear"]) <= {"", "flow 0 in a facility stop"}


def test_the_province_is_the_same_for_the_same_seed():
    one, two, other = (substitution_province.tables(6, seed) for seed in (5, 5, 6))
    for name, frame in one.items():
        pd.testing.assert_frame_equal(frame, two[name])
    assert not one["hourly"].equals(other["hourly"])
