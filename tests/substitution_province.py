"""A random province for the models of substitution and tax: two quarters, seeded.

    tables = substitution_province.tables(outlets=6, seed=1)

gives the tables of CONTRACT §3 as data frames. The first outlets are each made for one case, so
six of them have most of the cases already; further ones draw theirs.
Every stop begins and ends on the hour, and what is sent during one is never under a flag, so
that no hour depends on what the contract leaves open.
"""

import numpy as np
import pandas as pd

START, END = pd.Timestamp("2025-10-01"), pd.Timestamp("2026-04-01")
NEW_YEAR = pd.Timestamp("2026-01-01")
GRID = pd.date_range(START, END, freq="h", inclusive="left")
N = len(GRID)
T = pd.Timestamp
# mean of each factor in normal running and the top of its range
AIR = {"a21026": (30.0, 200.0), "a21002": (45.0, 300.0), "a34013": (6.0, 50.0),
       "a21005": (60.0, 400.0), "a21024": (8.0, 100.0), "a24088": (12.0, 150.0)}
WATER = {"w01018": (35.0, 100.0), "w21003": (3.0, 15.0), "w21011": (0.3, 2.0),
         "w21001": (9.0, 40.0), "w01020": (20.0, 80.0), "w20111": (0.6, 5.0),
         "w20120": (12.0, 100.0), "w20116": (0.08, 1.0), "w20121": (0.05, 1.0),
         "w20119": (4.0, 50.0), "w20115": (2.0, 20.0)}
METALS = ["w20111", "w20120", "w20116", "w20121", "w20119", "w20115"]
# the mean as a share of the limit: which reduction an enterprise comes to
LEVELS = {"half": 0.40, "quarter": 0.62, "none": 0.85}
LOST_FLAGS = list("DMCTBSFZ")


def walk(rng, mean, spread):
    """A series that wanders about its mean, some of it below zero if the spread is wide."""
    noise = rng.normal(0, 1, N)
    slow = np.repeat(rng.normal(0, 1, N // 24 + 1), 24)[:N]
    return np.round(mean * (1 + spread * (0.8 * noise + 0.6 * slow)), 4)


class Hand:
    """The frames while they are filled."""

    def __init__(self, rng):
        self.rng = rng
        self.hourly, self.stoppages, self.outlets = [], [], []
        self.monitors, self.qc, self.manual, self.enterprises = [], [], [], []


def pick(rng, *choices):
    return choices[int(rng.integers(len(choices)))]


def lose(rng, flag, present, first, hours):
    """A gap: its rows are flagged, absent, or some of both."""
    first = max(first, 0)
    last = min(first + hours, N)
    how = pick(rng, "flag", "absent", "mixed")
    for i in range(first, last):
        if how == "absent" or (how == "mixed" and rng.random() < 0.5):
            present[i] = False
        else:
            flag[i] = pick(rng, *LOST_FLAGS)


def hour(ts):
    return int((T(ts) - START) / pd.Timedelta(hours=1))


# ---------------------------------------------------------------- stacks

GAP_LENGTHS = [1, 1, 1, 2, 3, 5, 8, 12, 18, 23, 24, 25, 26, 36, 48, 72]


def stack(hand, mn, case, level, registered_since):
    rng = hand.rng
    share = LEVELS[level]
    more = [f for f in AIR if f != "a21026" and rng.random() < 0.45]
    factors = ["a21026"] + (more if case != "plain" else ["a21002"])
    if case in ("auto", "no_checks") and "a34013" not in factors:
        factors.append("a34013")
    o2 = np.round(rng.normal(7, 0.5, N), 3)
    flow = np.round(np.maximum(rng.normal(40, 4, N), 1), 4)
    if case == "no_wind":
        flow[rng.random(N) < 0.02] = 0.0
    with_total = rng.random() < 0.5
    flow_flag, flow_there = np.full(N, "N", dtype=object), np.ones(N, dtype=bool)

    # stops: some standing, one contradicted by the outlet's own rows
    stopped = np.zeros(N, dtype=bool)
    spans = []
    if case == "stopped_quarter":
        spans.append((T("2025-12-31 16:00"), None))
    elif case in ("stop_in_gap", "plain") or rng.random() < 0.4:
        begin = START + pd.Timedelta(hours=int(rng.integers(700, 1800)))
        spans.append((begin, begin + pd.Timedelta(hours=int(rng.integers(5, 200)))))
        begin = NEW_YEAR + pd.Timedelta(hours=int(rng.integers(300, 1500)))
        spans.append((begin, begin + pd.Timedelta(hours=int(rng.integers(5, 300)))))
    for begin, end in spans:
        hand.stoppages.append((mn, "production", begin, end, True))
        a, b = hour(begin), N if end is None else hour(end)
        stopped[a:b] = True
        o2[a:b], flow[a:b] = 20.9, 0.0
    if case == "contradicted" or (case != "no_wind" and rng.random() < 0.1):
        begin = START + pd.Timedelta(hours=int(rng.integers(100, 500)))
        hand.stoppages.append((mn, "production", begin, begin + pd.Timedelta(hours=30), True))
        kept = np.zeros(N, dtype=bool)
        kept[hour(begin):hour(begin) + 30] = True
    else:
        kept = np.zeros(N, dtype=bool)
    if case == "facility" or rng.random() < 0.3:
        begin = NEW_YEAR + pd.Timedelta(hours=int(rng.integers(24, 1900)))
        hand.stoppages.append((mn, "facility", begin,
                               begin + pd.Timedelta(hours=int(rng.integers(1, 40))),
                               bool(rng.random() < 0.5)))

    if rng.random() < 0.5 and case != "plain":
        for _ in range(int(rng.integers(1, 4))):
            lose(rng, flow_flag, flow_there, int(rng.integers(0, N)), pick(rng, 1, 3, 20, 30))
    calm = stopped | kept            # here nothing of flow and O2 is flagged or lost
    flow_flag[calm], flow_there[calm] = "N", True
    total = np.round(flow * 3600 * 1.0007, 3) if with_total else np.full(N, np.nan)
    put(hand, mn, "a00000", flow, flow_flag, flow_there, total)
    if case == "no_wind":
        velocity_checks(hand, mn)
    put(hand, mn, "a19001", o2, np.full(N, "N", dtype=object), np.ones(N, dtype=bool))

    auto = case in ("auto", "stop_in_gap", "band") or (case == "drawn" and rng.random() < 0.4)
    reference = pick(rng, 6.0, None)
    for k, factor in enumerate(factors):
        mean, top = AIR[factor]
        spread = 0.08
        if factor == "a34013" and (case in ("auto", "no_checks") or rng.random() < 0.4):
            spread = 0.6             # some of it negative
        value = walk(rng, mean, spread)
        flag, there = np.full(N, "N", dtype=object), np.ones(N, dtype=bool)
        limit = np.round(mean / share, 2) if spread < 0.1 else np.round(mean * 8, 2)
        if level == "none":          # now and then above the limit
            value[rng.random(N) < 0.001] = np.round(limit * 1.3, 4)
        # what is lost
        lost = {"below": 0.32, "band": 0.16}.get(case if k == 0 else "", 0.025)
        if case == "drawn":
            lost = pick(rng, 0.01, 0.03, 0.05, 0.15, 0.3) if k == 0 else 0.02
        while (there & (flag == "N")).mean() > 1 - lost:
            lose(rng, flag, there, int(rng.integers(0, N)), pick(rng, *GAP_LENGTHS))
        if k == 0 and case in ("auto", "across", "drawn"):
            length = 960 if case == "across" else pick(rng, 20, 24, 60, 150)
            lose(rng, flag, there, hour(NEW_YEAR) - int(rng.integers(1, length)), length)
        if k == 0 and case == "stop_in_gap":
            begin, end = spans[1]
            lose(rng, flag, there, hour(begin) - 10, 10)
            lose(rng, flag, there, hour(end), pick(rng, 13, 14, 15))
        if k == 0 and case == "plain":
            lose(rng, flag, there, 0, 7)          # nothing to look back to
        basis = pick(rng, "converted", "value", None)
        sent = np.full(N, np.nan)
        if rng.random() < 0.5:
            sent = np.round(value * 15.0 / (21.0 - np.minimum(o2, 20.0)), 4)
        put(hand, mn, factor, value, flag, there, None, sent)
        hand.monitors.append(dict(
            mn=mn, factor=factor, limit_hour=limit, limit_decimals=pick(rng, 0, 1, None),
            limit_basis=basis, range_low=0.0, range_high=top,
            auto_calibration=auto, method=pick(rng, "extractive", "extractive", "direct"),
            tax_rate=2.0 if factor == "a21024" and rng.random() < 0.5 else None))
        if case not in ("no_checks", "below") and (case != "drawn" or rng.random() < 0.8):
            gas_checks(hand, mn, factor, top, hand.monitors[-1], case)
        if k == 0 and (case in ("across", "plain", "facility") or rng.random() < 0.2):
            reference_samples(hand, mn, factor, mean, flag, there)
    hand.outlets.append(dict(mn=mn, medium="air", o2_reference=reference,
                             since=registered_since))


def gas_checks(hand, mn, factor, top, monitor, case):
    """Zero and span on schedule; some late, some failed, some to be judged by their drift."""
    rng = hand.rng
    if monitor["auto_calibration"]:
        every, late, fail = 24.0, 0.01, 0.008
    else:
        every = 15 * 24.0 if factor == "a34013" or monitor["method"] == "direct" else 7 * 24.0
        late, fail = 0.12, 0.06
    when = START + pd.Timedelta(hours=float(rng.integers(1, 30)))
    zero_limit, span_limit = (8.0, 8.0) if factor == "a34013" else (5.0, 10.0)
    while when < END:
        again = False
        for kind, minute, limit in (("zero", 0, zero_limit), ("span", 10, span_limit)):
            expected = 0.0 if kind == "zero" else round(0.8 * top, 3)
            bad = rng.random() < fail
            drift = limit * (rng.uniform(1.1, 2.0) if bad else rng.uniform(0.0, 0.9))
            drift *= pick(rng, 1, -1)
            passed = pick(rng, None, not bad)
            unit, measured = "mg/m3", round(expected + drift / 100 * top, 5)
            if passed is None and rng.random() < 0.3:
                unit, expected, measured = "%", 0.0, round(drift, 4)
            hand.qc.append((mn, factor, when + pd.Timedelta(minutes=minute), kind, expected,
                            measured, unit, True, passed))
            again |= bad
        if again:                    # the next calibration comes soon
            hours = float(rng.integers(2, 30))
        elif rng.random() < late:
            hours = every + float(rng.integers(1, 60))
        else:
            hours = every - rng.choice([0.0, 0.0, 0.05, 1.0, 2.5])
        when = (when + pd.Timedelta(hours=hours)).floor("min")


def velocity_checks(hand, mn):
    """The flow's own zero checks every 5 days, one of them failed: its pollutants suffer too."""
    rng = hand.rng
    when = START + pd.Timedelta(hours=9, minutes=25)
    bad = int(rng.integers(3, 30))
    n = 0
    while when < END:
        hand.qc.append((mn, "a00000", when, "velocity_zero", 0.0, 0.1, "m/s", True, n != bad))
        when += pd.Timedelta(hours=20 if n == bad else 120)
        n += 1


def reference_samples(hand, mn, factor, mean, flag, there):
    """A day or two with samples by the reference method, most of them within a gap."""
    rng = hand.rng
    bad = np.flatnonzero(~there | (flag != "N"))
    for i in rng.choice(bad, size=min(6, len(bad)), replace=False):
        day = GRID[i].floor("D")
        for n in range(int(rng.integers(1, 4))):
            hand.manual.append((mn, factor, day + pd.Timedelta(hours=8 + 3 * n, minutes=20),
                                round(mean * rng.uniform(0.8, 1.4), 3),
                                pick(rng, None, round(rng.uniform(30, 50), 2)), "reference"))


# ---------------------------------------------------------------- sewers


def sewer(hand, mn, case, level, registered_since):
    rng = hand.rng
    share = LEVELS[level]
    factors = ["w01018", "w21003"] + [f for f in ("w21011", "w21001", "w01020")
                                      if rng.random() < 0.5]
    if case == "metals":
        factors = ["w01018", "w01020"] + METALS
    flow = np.round(np.maximum(rng.normal(30, 5, N), 1), 4)
    hour_of_day = GRID.hour.to_numpy()
    day_of = np.arange(N) // 24
    idle = np.zeros(N, dtype=bool)
    if case == "night":
        idle = (hour_of_day < 7) | (hour_of_day >= 21)
        idle |= np.isin(day_of, rng.choice(N // 24, 6, replace=False))
    elif rng.random() < 0.3:
        idle = rng.random(N) < 0.05
    flow[idle] = 0.0
    stopped = np.zeros(N, dtype=bool)
    if case in ("metals", "night") or rng.random() < 0.3:
        begin = NEW_YEAR + pd.Timedelta(hours=int(rng.integers(100, 1500)))
        end = begin + pd.Timedelta(hours=int(rng.integers(5, 150)))
        hand.stoppages.append((mn, "production", begin, end, True))
        stopped[hour(begin):hour(end)] = True
        flow[stopped] = 0.0
    facility = np.zeros(N, dtype=bool)
    if rng.random() < 0.3:
        begin = START + pd.Timedelta(hours=int(rng.integers(100, 4000)))
        end = begin + pd.Timedelta(hours=int(rng.integers(1, 60)))
        hand.stoppages.append((mn, "facility", begin, end, bool(rng.random() < 0.5)))
        facility[hour(begin):hour(end)] = True
    flow_flag, flow_there = np.full(N, "N", dtype=object), np.ones(N, dtype=bool)
    for _ in range(int(rng.integers(0, 6))):
        lose(rng, flow_flag, flow_there, int(rng.integers(0, N)), pick(rng, 1, 2, 6, 30))
    # where it is idle or stopped the flow is sound; a flow of 0 in a facility stop is left to it
    flow_flag[idle | stopped], flow_there[idle | stopped] = "N", True
    total = np.full(N, np.nan)
    if rng.random() < 0.5:
        total = np.round(flow * 3.6 * 0.9995, 3)
    put(hand, mn, "w00000", flow, flow_flag, flow_there, total)

    for k, factor in enumerate(factors):
        mean, top = WATER[factor]
        value = walk(rng, mean, 0.08)
        if k == 1 and (case == "night" or rng.random() < 0.3):
            value = np.round(rng.normal(0.05, 0.08, N), 4)      # about nothing, often negative
        flag, there = np.full(N, "N", dtype=object), np.ones(N, dtype=bool)
        limit = float(np.round(mean / share, 4))
        if level == "none" and k == 0:
            high = np.isin(day_of, rng.choice(N // 24, 2, replace=False))
            value[high] = np.round(value[high] * 1.5, 4)
        for d in rng.choice(N // 24, 45, replace=False):        # hours here and there
            lose(rng, flag, there, 24 * d + int(rng.integers(0, 20)), pick(rng, 1, 2, 3, 4))
        for d in rng.choice(N // 24, 5, replace=False):         # about the 75 %
            lose(rng, flag, there, 24 * d + int(rng.integers(0, 12)), pick(rng, 5, 6, 7, 8, 12))
        lengths = [3, 1]
        if k == 0:
            lengths = {"outage": [40, 5], "lost": [40, 20]}.get(case, [8])
        for days in lengths:
            lose(rng, flag, there, int(rng.integers(200, N)), 24 * days)
        if k == 0 and case == "lost":
            lose(rng, flag, there, hour("2026-02-01"), 24 * 30)
        if k == 0 and case == "outage":
            lose(rng, flag, there, hour(NEW_YEAR) - 24 * 4 - 7, 24 * 9)
        put(hand, mn, factor, value, flag, there)
        hand.monitors.append(dict(
            mn=mn, factor=factor, limit_day=limit, limit_hour=limit * 3,
            limit_decimals=None, range_low=0.0, range_high=top, auto_calibration=True))
        if case in ("outage", "night", "metals") or rng.random() < 0.6:
            water_checks(hand, mn, factor, top, mean)
        if k == 0:
            hand_samples(hand, mn, factor, mean, flag, there)
    hand.outlets.append(dict(mn=mn, medium="water", since=registered_since,
                             discharge="intermittent" if case == "night" else "continuous"))


def water_checks(hand, mn, factor, top, mean):
    """A standard check a day (now and then it fails), a comparison a month."""
    rng = hand.rng
    when = START + pd.Timedelta(hours=float(rng.integers(2, 30)))
    while when < END:
        bad = rng.random() < 0.015
        error = rng.uniform(0.12, 0.3) if bad else rng.uniform(0.0, 0.09)
        expected = round(0.5 * top, 4)
        measured = round(expected * (1 + error * pick(rng, 1, -1)), 5)
        hand.qc.append((mn, factor, when, "standard_check", expected, measured, "mg/L", True,
                        pick(rng, None, not bad)))
        when = (when + pd.Timedelta(hours=float(rng.integers(4, 9) if bad else 24))).floor("min")
    for month in pd.date_range(START, END, freq="MS", inclusive="left"):
        when = month + pd.Timedelta(hours=float(rng.integers(30, 600)), minutes=40)
        hand.qc.append((mn, factor, when, "comparison", round(mean, 4),
                        round(mean * rng.uniform(0.95, 1.05), 5), "mg/L", False, True))


def hand_samples(hand, mn, factor, mean, flag, there):
    """Days with 3 to 6 samples, most of them where the day is lost."""
    rng = hand.rng
    bad = np.flatnonzero(~there | (flag != "N"))
    for i in rng.choice(bad, size=min(8, len(bad)), replace=False):
        day = GRID[i].floor("D")
        n = int(rng.integers(3, 7))
        with_flow = rng.random() < 0.5
        for j in range(n):
            hand.manual.append((mn, factor, day + pd.Timedelta(hours=4 * j, minutes=30),
                                round(mean * rng.uniform(0.8, 1.5), 3),
                                round(rng.uniform(20, 40), 2) if with_flow else None, "manual"))


# ---------------------------------------------------------------- the whole


def put(hand, mn, factor, value, flag, there, total=None, converted=None):
    # the last hour is always there, so that every series reaches the end of the quarter
    there = there.copy()
    hand.hourly.append(pd.DataFrame({
        "mn": mn, "factor": factor, "ts": GRID, "value": value,
        "total": np.nan if total is None else total,
        "converted": np.nan if converted is None else converted, "flag": flag})[there])


STACKS = ["auto", "band", "below", "across", "stop_in_gap", "stopped_quarter", "no_checks",
          "contradicted", "facility", "plain", "no_wind"]
SEWERS = ["outage", "night", "metals", "lost"]
ORDER = [("air", "auto"), ("water", "outage"), ("air", "band"), ("water", "night"),
         ("air", "below"), ("air", "across"), ("air", "stopped_quarter"), ("water", "metals"),
         ("air", "stop_in_gap"), ("air", "no_checks"), ("water", "lost"), ("air", "contradicted"),
         ("air", "facility"), ("air", "plain"), ("air", "no_wind")]
# enterprises of one, two or three outlets; the level of each outlet decides the reduction
ENTERPRISES = [["half"], ["quarter"], ["half", "none"], ["none"], ["quarter", "half"], ["half"],
               ["half", "quarter", "none"]]


def tables(outlets=200, seed=20260):
    rng = np.random.default_rng(seed)
    hand = Hand(rng)
    made, firm = 0, 0
    while made < outlets:
        levels = ENTERPRISES[firm % len(ENTERPRISES)]
        name = f"ENT{firm:04d}"
        hand.enterprises.append(dict(enterprise_id=name, name=f"Works {firm}", city="420100",
                                     permit_no=f"9142{firm:06d}001P"))
        for level in levels[:outlets - made]:
            medium, case = ORDER[made] if made < len(ORDER) else (
                ("air", "drawn") if rng.random() < 0.6 else ("water", "drawn"))
            if made >= len(ORDER) and rng.random() < 0.3:
                case = pick(rng, *(STACKS if medium == "air" else SEWERS))
            since = START
            if made >= len(ORDER) and rng.random() < 0.1:       # an outlet of later date
                since = START + pd.Timedelta(days=int(rng.integers(5, 120)))
            mn = f"{'AIR' if medium == 'air' else 'WATER'}{made:05d}"
            (stack if medium == "air" else sewer)(hand, mn, case, level, since)
            hand.outlets[-1]["enterprise_id"] = name
            hand.outlets[-1]["name"] = f"{case} {level}"
            made += 1
        firm += 1

    frames = {"enterprises": pd.DataFrame(hand.enterprises).assign(since=pd.NaT)}
    frames["outlets"] = pd.DataFrame(hand.outlets)
    frames["monitors"] = pd.DataFrame(hand.monitors).assign(since=pd.NaT)
    frames["stoppages"] = pd.DataFrame(
        hand.stoppages, columns=["mn", "kind", "started", "ended", "approved"])
    frames["stoppages"]["ended"] = pd.to_datetime(frames["stoppages"]["ended"])
    qc = pd.DataFrame(hand.qc, columns=["mn", "factor", "ts", "kind", "expected", "measured",
                                        "unit", "auto", "passed"])
    frames["qc_results"] = qc.drop_duplicates(["mn", "factor", "ts", "kind"], keep="last")
    manual = pd.DataFrame(hand.manual, columns=["mn", "factor", "ts", "value", "flow", "kind"])
    manual["flow"] = manual["flow"].astype(float)
    frames["manual_samples"] = manual.drop_duplicates(["mn", "factor", "ts"], keep="last")
    hourly = pd.concat(hand.hourly, ignore_index=True)
    since = hourly["mn"].map(frames["outlets"].set_index("mn")["since"])
    frames["hourly"] = hourly[hourly["ts"] >= since].reset_index(drop=True)
    return {name: frame.reset_index(drop=True) for name, frame in frames.items()}
