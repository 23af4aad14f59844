"""condition_correlation over a small synthetic province: landed or compacted, whole or filtered, and
against the same ranks of hourly_valid and conditions."""

import pandas as pd
import pytest

from conftest import Store, num, ok, run

TABLES = ("hourly", "conditions", "outlets", "monitors", "stoppages", "enterprises")
CALL = "condition_correlation('2026-04-10', '2026-05-01')"
ORDER = "ORDER BY mn, param, factor, measure"


@pytest.fixture(scope="module")
def province(tmp_path_factory):
    folder = tmp_path_factory.mktemp("correlation")
    ok(run("generate", "--outlets", 12, "--from", "2026-03-01", "--to", "2026-05-01", "--seed", 19,
           "--out", folder / "province"))
    store = Store(folder / "store")
    for table in TABLES:
        store.ingest(table, folder / "province" / f"{table}.parquet")
    return store


def test_compaction_filters_and_columns_change_no_byte(province):
    landed = province.sql_text(f"SELECT * FROM {CALL} {ORDER}")
    assert landed.count("\n") > 12 * 7
    province.compact()
    assert province.sql_text(f"SELECT * FROM {CALL} {ORDER}") == landed
    whole = province.sql(f"SELECT * FROM {CALL} {ORDER}")
    mn = whole["mn"].iloc[0]
    of_one = province.sql(f"SELECT * FROM {CALL} WHERE mn = '{mn}' AND factor = 'a21026' {ORDER}")
    expected = whole[(whole["mn"] == mn) & (whole["factor"] == "a21026")].reset_index(drop=True)
    assert len(expected) == 2
    pd.testing.assert_frame_equal(of_one, expected)
    for column in ["kendall", "best_lag_h", "partial", "baseline", "verdict"]:
        alone = province.sql(f"SELECT {column} FROM {CALL} {ORDER}")
        pd.testing.assert_series_equal(alone[column], whole[column])


def test_n_and_spearman_are_those_of_valid_hours_and_hourly_means(province):
    got = province.sql(f"SELECT mn, factor, n, spearman FROM {CALL} WHERE measure <> 'mass'")
    hours = province.sql(
        "SELECT h.mn, h.factor, h.ts, h.value AS y, c.value AS x FROM hourly_valid h "
        "JOIN conditions c ON c.mn = h.mn AND c.ts = h.ts "
        "WHERE h.valid AND c.value > 0 AND h.ts >= '2026-04-10' AND h.ts < '2026-05-01'"
    )
    hours = hours.assign(x=num(hours["x"]), y=num(hours["y"]))
    assert len(got) > 12 * 4 and len(hours) > 12 * 4 * 100
    for key, of_series in hours.groupby(["mn", "factor"]):
        row = got[(got["mn"] == key[0]) & (got["factor"] == key[1])]
        assert len(row) == 1 and int(row["n"].iloc[0]) == len(of_series), key
        spearman = of_series["x"].rank().corr(of_series["y"].rank())
        told = float(row["spearman"].iloc[0])
        assert (pd.isna(told) and pd.isna(spearman)) or abs(told - spearman) < 1e-9, key
