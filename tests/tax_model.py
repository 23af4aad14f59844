"""A slow model of the environmental protection tax declaration (ST 4.2, CONTRACT §5).

The comment [n] names a line of docs/decisions/0005, as in substitution_model.py.
"""

from decimal import ROUND_HALF_UP, Decimal

import numpy as np
import pandas as pd

from model import in_force, setting

# kg of one equivalent
AIR = {
    "a21026": "0.95", "a21002": "0.95", "a21005": "16.7", "a21024": "10.75", "a21018": "0.87",
    "a21022": "0.34", "a34013": "2.18", "a20057": "0.0001", "a21001": "9.09", "a21028": "0.29",
    "a20043": "0.02", "a20025": "0.03", "a25002": "0.05", "a25003": "0.18", "a25005": "0.27",
    "a31001": "0.09",
}
WATER_1 = {
    "w20111": "0.0005", "w20115": "0.005", "w20116": "0.04", "w20117": "0.02", "w20119": "0.02",
    "w20120": "0.025", "w20121": "0.025",
}
WATER_2 = {
    "w01012": "4", "w01017": "0.5", "w01018": "1", "w01020": "0.49", "w22001": "0.1",
    "w23002": "0.08", "w21016": "0.05", "w21019": "0.125", "w21003": "0.8", "w21017": "0.5",
    "w21011": "0.25", "w20122": "0.1", "w20123": "0.2", "w20124": "0.2", "w19002": "0.2",
}
CLASSES = {"air": (AIR, 3), "water_1": (WATER_1, 5), "water_2": (WATER_2, 3)}
GENERAL_DUST = ("一般性粉尘", "general_dust")
ONE_OF = ("w01018", "w01017", "w01020")    # COD, BOD5, TOC: only one of an outlet
# Hubei, from 2018-01-01
DEAR = {"a21026": "2.4", "a21002": "2.4", "w01018": "2.8", "w21003": "2.8", "w21011": "2.8",
        "w20120": "2.8", "w20111": "2.8", "w20116": "2.8", "w20115": "2.8", "w20119": "2.8"}


def class_of(factor, tax_item=None):
    """(tax_class, kg of an equivalent), or (None, None) for what the law does not list."""
    if factor == "a34013" and tax_item in GENERAL_DUST:
        return "air", Decimal("4")
    for name, (table, _) in CLASSES.items():
        if factor in table:
            return name, Decimal(table[factor])
    return None, None


def hubei_rate(factor):
    return Decimal(DEAR.get(factor, "1.2" if factor.startswith("a") else "1.4"))


def money(mass_kg, equivalent_kg, rate, reduction_pct):
    """Yuan of one row before rounding, exact."""
    n = Decimal(repr(float(mass_kg))) / equivalent_kg
    return n * rate * (100 - reduction_pct) / 100


def cents(amount):
    return amount.quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)


def exceeds(value, limit, decimals):
    """Strictly above the limit, after rounding half to even to its decimals [50]."""
    if limit is None or pd.isna(limit) or pd.isna(value):
        return False
    if decimals is not None and pd.notna(decimals):
        value = round(float(value), int(decimals))
    return value > float(limit)


def monitor_month(values, monitors, mn, factor, month):
    """Mean, limit and count of values above it, of one series and month [49, 50].

    `values` has ts, value, converted: the valid hours (air) or valid days (water)."""
    air = factor.startswith("a")
    limit_column = "limit_hour" if air else "limit_day"
    grid = pd.DatetimeIndex(values["ts"])

    def settings(column, default=None):
        return setting(monitors, mn, factor, column, default, grid)

    basis = settings("limit_basis", "converted" if air else "value")
    shown = np.where(basis == "converted", values["converted"], values["value"]).astype(float)
    limits, decimals = settings(limit_column), settings("limit_decimals")
    count = sum(exceeds(v, limit, d) for v, limit, d in zip(shown, limits, decimals))
    known = shown[~np.isnan(shown)]
    mean = float(known.mean()) if len(known) else np.nan
    last = pd.DatetimeIndex([month + pd.offsets.MonthBegin(1) - pd.Timedelta(hours=1)])
    limit = setting(monitors, mn, factor, limit_column, None, last)[0]
    return mean, (np.nan if limit is None or pd.isna(limit) else float(limit)), int(count)


def reduction(mean, limit, payer_exceeds):
    """[51]"""
    if payer_exceeds or np.isnan(mean) or np.isnan(limit):
        return 0
    if mean <= 0.5 * limit:
        return 50
    if mean <= 0.7 * limit:
        return 25
    return 0


COLUMNS = ["enterprise_id", "mn", "permit_no", "medium", "month", "factor", "tax_item",
           "tax_class", "volume_m3", "mass_kg", "equivalent_kg", "equivalents", "rank", "taxable",
           "mean_concentration", "limit", "exceed_count", "reduction_pct", "reduction_reason",
           "rate", "tax_cny", "tax_exact", "method", "capture_rate", "substituted_hours",
           "rule_set", "basis"]


def tax_declaration(emissions_months, hourly_valid, daily_valid, monitors, outlets, enterprises,
                    month):
    """The rows of one month (its first day). `tax_exact` is the tax before rounding."""
    month = pd.Timestamp(month)
    end = month + pd.offsets.MonthBegin(1)
    rows = emissions_months[emissions_months["period"] == month]
    hourly = hourly_valid[hourly_valid["valid"] & (hourly_valid["ts"] >= month)
                          & (hourly_valid["ts"] < end)]
    daily = daily_valid[daily_valid["valid"] & (daily_valid["day"] >= month)
                        & (daily_valid["day"] < end)].rename(columns={"day": "ts"})
    monitors = None if monitors is None else in_force(monitors, ["mn", "factor", "since"])
    payer_of, permits = {}, {}
    if outlets is not None:
        payer_of = dict(zip(outlets["mn"], outlets["enterprise_id"]))
    if enterprises is not None:
        permits = dict(zip(enterprises["enterprise_id"], enterprises["permit_no"]))
    by_series = {"a": dict(list(hourly.groupby(["mn", "factor"]))),
                 "w": dict(list(daily.groupby(["mn", "factor"])))}
    none = pd.DataFrame({"ts": pd.to_datetime([]), "value": [], "converted": []})

    out = []
    for row in rows.to_dict("records"):
        mn, factor = row["mn"], row["factor"]
        values = by_series[factor[0]].get((mn, factor), none)
        mean, limit, count = monitor_month(values, monitors, mn, factor, month)
        last = pd.DatetimeIndex([end - pd.Timedelta(hours=1)])
        tax_item = setting(monitors, mn, factor, "tax_item", None, last)[0]
        own_rate = setting(monitors, mn, factor, "tax_rate", None, last)[0]
        tax_class, kg = class_of(factor, tax_item)
        rate = None
        if tax_class is not None:
            rate = hubei_rate(factor)
            if own_rate is not None and pd.notna(own_rate):
                rate = Decimal(str(own_rate))
        enterprise = payer_of.get(mn)
        mass = row["mass_kg"]
        equivalents = np.nan
        if kg is not None and pd.notna(mass):
            equivalents = mass / float(kg)
        out.append(dict(
            enterprise_id=enterprise, payer=enterprise if enterprise is not None else mn, mn=mn,
            permit_no=permits.get(enterprise), medium=factor[0], month=month, factor=factor,
            tax_item=tax_item, tax_class=tax_class, volume_m3=row["volume_m3"], mass_kg=mass,
            equivalent_kg=kg, equivalents=equivalents, mean_concentration=mean, limit=limit,
            exceed_count=count, rate=rate, capture_rate=row["capture_rate"],
            substituted_hours=row["substituted_hours"], method="auto", rule_set="", basis=""))

    exceeding = {r["payer"] for r in out if r["exceed_count"] > 0}
    ranks = rank_rows(out)
    for r in out:
        rank = ranks.get((r["mn"], r["factor"]))
        r["rank"] = np.nan if rank is None else float(rank)
        r["taxable"] = rank is not None and rank <= CLASSES[r["tax_class"]][1]
        cut = reduction(r["mean_concentration"], r["limit"], r["payer"] in exceeding)
        r["reduction_pct"] = cut
        r["reduction_reason"] = f"{r['mean_concentration']}/{r['limit']}, {r['exceed_count']} above"
        if r["taxable"]:
            r["tax_exact"] = money(r["mass_kg"], r["equivalent_kg"], r["rate"], cut)
        elif pd.isna(r["mass_kg"]):
            r["tax_exact"] = None                                   # [48]
        else:
            r["tax_exact"] = Decimal(0)
        r["tax_cny"] = None if r["tax_exact"] is None else cents(r["tax_exact"])
    return pd.DataFrame(out, columns=COLUMNS)


def rank_rows(rows):
    """(mn, factor) -> place within its outlet and class, by equivalents [46, 47]."""
    ranks = {}
    groups = {}
    for r in rows:
        if r["tax_class"] is not None and not np.isnan(r["equivalents"]):
            groups.setdefault((r["mn"], r["tax_class"]), []).append(r)
    for group in groups.values():
        group.sort(key=lambda r: (-r["equivalents"], r["factor"]))
        place, one_taken = 0, False
        for r in group:
            if r["factor"] in ONE_OF:
                if one_taken:
                    continue
                one_taken = True
            place += 1
            ranks[r["mn"], r["factor"]] = place
    return ranks


def tax_quarter(emissions_months, hourly_valid, daily_valid, monitors, outlets, enterprises,
                months):
    """Several months below each other."""
    parts = [tax_declaration(emissions_months, hourly_valid, daily_valid, monitors, outlets,
                             enterprises, m) for m in months]
    return pd.concat(parts, ignore_index=True)
