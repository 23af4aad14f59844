"""A small province by hand, seeded, where every rule of validity has a case."""

import numpy as np
import pandas as pd

START, END = pd.Timestamp("2026-01-01"), pd.Timestamp("2026-04-01")
AIR = ("a21026", "a21002", "a34013")
T = pd.Timestamp


def hour_rows(rng, mn, factors, start, end, absent=0.02, flagged=0.04):
    """Rows of one outlet: {factor: (mean, spread)}, some absent, some flagged."""
    ts = pd.date_range(start, end, freq="h", inclusive="left")
    parts = []
    for factor, (mean, spread) in factors.items():
        value = np.round(rng.normal(mean, spread, len(ts)), 4)
        flag = np.where(rng.random(len(ts)) < flagged,
                        rng.choice(list("DMCTBS"), len(ts)), "N")
        frame = pd.DataFrame({"mn": mn, "factor": factor, "ts": ts, "value": value,
                              "total": np.nan, "flag": flag})
        parts.append(frame[rng.random(len(ts)) >= absent])
    return pd.concat(parts, ignore_index=True)


def stack(mean_so2=20.0):
    return {"a00000": (40, 4), "a19001": (6, 0.5), "a21026": (mean_so2, 4),
            "a21002": (45, 6), "a34013": (5, 1)}


def where(rows, mn, factor, start, end):
    return (rows["mn"] == mn) & (rows["factor"] == factor) & (rows["ts"] >= T(start)) & (
        rows["ts"] < T(end))


def tables():
    rng = np.random.default_rng(20260101)
    sewage = {"w00000": (30, 5), "w01018": (35, 5), "w21003": (2, 0.4), "w01001": (7.4, 0.2),
              "w20111": (0.6, 0.1)}
    hourly = pd.concat([
        hour_rows(rng, "AIRTOTAL000001", stack(), START, END),
        hour_rows(rng, "AIRDATES000002", stack(), "2026-01-15", "2026-03-10"),
        # nobody registered it; a quarter of its NOx is lost, so its capture is below 75 %
        hour_rows(rng, "AIRUNKNOWN0003", stack(), "2026-01-10 05:00", "2026-03-20 17:00"),
        hour_rows(rng, "AIRMINUTES0004", stack(0.5), "2026-02-03 07:00", END),
        # stopped the whole quarter; the analyser idles on air for its first hours
        hour_rows(rng, "AIRSTOPPED0005", stack(), START, "2026-01-01 10:00", 0, 0),
        # its flow is never lost, so every mean of a day has all its weights
        hour_rows(rng, "WATERALWAYS006", {"w00000": sewage["w00000"]}, START, END, 0, 0),
        hour_rows(rng, "WATERALWAYS006",
                  {f: s for f, s in sewage.items() if f != "w00000"}, START, END),
        hour_rows(rng, "WATERNIGHTS007", sewage, START, END, 0.01, 0.02),
        hour_rows(rng, "WATERUNKNOW008", sewage, "2026-01-20 13:00", "2026-03-31 04:00"),
    ], ignore_index=True)
    r = hourly  # shorter below

    # flows are mostly sound, some carry a total that is not exactly value × seconds
    sound = r["factor"].isin(["a00000", "w00000"]) & (rng.random(len(r)) < 0.8)
    r.loc[sound, "flag"] = "N"
    for mn, factor, seconds in (("AIRTOTAL000001", "a00000", 3600),
                                ("WATERALWAYS006", "w00000", 3.6)):
        own = (r["mn"] == mn) & (r["factor"] == factor)
        r.loc[own, "total"] = np.round(r.loc[own, "value"] * seconds * 1.001, 3)
    lost = (r["mn"] == "AIRUNKNOWN0003") & (r["factor"] == "a21002") & (rng.random(len(r)) < 0.3)
    lost &= (r["ts"] > T("2026-01-10 05:00")) & (r["ts"] < T("2026-03-20 16:00"))
    r = r[~lost].reset_index(drop=True)

    # a stop with the analyser still sending N, on air; and one that the rows contradict
    for factor, value in (("a00000", 0.0), ("a19001", 20.9)):
        here = where(r, "AIRTOTAL000001", factor, "2026-02-10", "2026-02-13")
        r.loc[here, ["value", "total"]] = [value, 0.0 if factor == "a00000" else np.nan]
        r.loc[here, "flag"] = "N"
        here = where(r, "AIRSTOPPED0005", factor, START, END)
        r.loc[here, "value"] = value
    for factor in ("a00000", "a19001"):
        r.loc[where(r, "AIRDATES000002", factor, "2026-02-01", "2026-02-03"), "flag"] = "N"
    # flow without fire: O2 of 18 and more leaves the stop standing
    here = where(r, "AIRDATES000002", "a19001", "2026-02-20", "2026-02-21")
    r.loc[here, ["value", "flag"]] = [18.0, "N"]

    # discharge by day only; whole idle days in February
    night = (r["mn"] == "WATERNIGHTS007") & (r["factor"] == "w00000")
    idle = (r["ts"].dt.hour < 6) | ((r["ts"] >= T("2026-02-14")) & (r["ts"] < T("2026-02-17")))
    r.loc[night, "flag"] = "N"
    r.loc[night & idle, "value"] = 0.0
    # bad days around the 75 % line: 18, 17 and 6 valid results of 24
    for day, n in (("2026-01-05", 18), ("2026-01-06", 17), ("2026-01-07", 6)):
        ts = pd.date_range(day, periods=24, freq="h")
        r = r[~where(r, "WATERALWAYS006", "w01018", ts[0], ts[-1] + pd.Timedelta("1h"))]
        r = pd.concat([r, pd.DataFrame({
            "mn": "WATERALWAYS006", "factor": "w01018", "ts": ts, "value": 30.0 + ts.hour,
            "total": np.nan, "flag": ["N"] * n + ["D"] * (24 - n)})], ignore_index=True)
    # air days of exactly 20 and 19 valid hours
    for day, n in (("2026-01-05", 20), ("2026-01-06", 19)):
        ts = pd.date_range(day, periods=24, freq="h")
        r = r[~where(r, "AIRTOTAL000001", "a21026", ts[0], ts[-1] + pd.Timedelta("1h"))]
        r = pd.concat([r, pd.DataFrame({
            "mn": "AIRTOTAL000001", "factor": "a21026", "ts": ts, "value": 11.0 + ts.hour,
            "total": np.nan, "flag": ["N"] * n + ["M"] * (24 - n)})], ignore_index=True)
    hourly = r.sort_values(["mn", "factor", "ts"]).reset_index(drop=True)

    stoppages = pd.DataFrame([
        ("AIRTOTAL000001", "production", "2026-02-10", "2026-02-13"),
        ("AIRTOTAL000001", "facility", "2026-03-05 08:00", "2026-03-06 20:00"),
        ("AIRDATES000002", "production", "2026-02-01", "2026-02-03"),
        ("AIRDATES000002", "production", "2026-02-20", "2026-02-21"),
        ("AIRSTOPPED0005", "production", "2025-12-20", None),
    ], columns=["mn", "kind", "started", "ended"])
    for name in ("started", "ended"):
        stoppages[name] = pd.to_datetime(stoppages[name], format="mixed")
    stoppages["approved"] = True

    outlets = pd.DataFrame([
        ("AIRTOTAL000001", "2026-01-01", None, "air"),
        ("AIRDATES000002", "2026-01-15", "2026-03-10", "air"),
        ("AIRMINUTES0004", None, None, "air"),
        ("AIRSTOPPED0005", "2026-01-01", None, "air"),
        ("WATERALWAYS006", "2026-01-01", None, "water"),
        ("WATERNIGHTS007", None, None, "water"),
    ], columns=["mn", "since", "until", "medium"])
    for name in ("since", "until"):
        outlets[name] = pd.to_datetime(outlets[name])
    return {"outlets": outlets, "stoppages": stoppages, "hourly": hourly,
            "minute": minutes(rng)}


def minutes(rng):
    """Hours decided by minutes and hours just short of it, of gas and of water."""
    parts = []

    def add(mn, factor, hour, n, flagged, step, mean):
        ts = pd.date_range(hour, periods=n, freq=f"{step}s")
        parts.append(pd.DataFrame({
            "mn": mn, "factor": factor, "ts": ts, "value": np.round(rng.normal(mean, 1, n), 3),
            "flag": ["D"] * flagged + ["N"] * (n - flagged)}))

    cases = [(60, 0), (60, 15), (60, 16), (45, 0), (45, 1), (44, 0), (44, 44), (60, 60)]
    for i, (n, flagged) in enumerate(cases):
        add("AIRMINUTES0004", "a21002", T("2026-02-10") + pd.Timedelta(hours=i), n, flagged, 60, 99)
    # 600 s a row: five rows cover 50 minutes, four only 40
    for i, (n, flagged) in enumerate([(6, 0), (5, 0), (5, 1), (6, 2), (4, 0), (4, 4)]):
        hour = T("2026-02-11 02:00") + pd.Timedelta(hours=i)
        add("WATERALWAYS006", "w21003", hour, n, flagged, 600, 9)
    return pd.concat(parts, ignore_index=True)
