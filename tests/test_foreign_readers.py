"""The store is plain Delta over Parquet: other people's readers see what `plume sql` sees."""

import deltalake
import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pytest

from conftest import Store, assert_close, long_rows, num, ok, run

FACTORS = ["a21026", "a21002", "w01018"]
PARTS, CORRECTED = 5, 40


def rows(part):
    """One part: three outlets, overlapping in outlets and months with the other parts."""
    rng = np.random.default_rng(part)
    ts = pd.date_range(pd.Timestamp("2026-01-05") + pd.Timedelta(days=20 * part),
                       periods=20 * 24, freq="h")
    return pd.concat([
        long_rows(f"FOREIGN{n:07d}", f, ts, np.round(rng.normal(30, 9, len(ts)), 3))
        for n in range(3) for f in FACTORS
    ], ignore_index=True)


def by_deltalake(table):
    frame = deltalake.DeltaTable(table).to_pyarrow_table(columns=["factor", "value"]).to_pandas()
    return frame.groupby("factor")["value"].agg(["size", "sum"])


def by_polars(table):
    got = (pl.scan_delta(table).group_by("factor")
           .agg(pl.len().alias("size"), pl.col("value").sum().alias("sum")).collect())
    return pd.DataFrame(got.to_dict(as_series=False)).set_index("factor")


def by_duckdb(table):
    files = [u.removeprefix("file://") for u in deltalake.DeltaTable(table).file_uris()]
    assert files
    with duckdb.connect() as db:
        got = db.execute("SELECT factor, count(*), sum(value) FROM read_parquet($1) GROUP BY 1",
                         [files]).fetchall()
    return pd.DataFrame(got, columns=["factor", "size", "sum"]).set_index("factor")


READERS = {"deltalake": by_deltalake, "polars": by_polars, "duckdb": by_duckdb}


def compare(store, reader, table="hourly"):
    ours = store.sql(f"SELECT factor, count(*) AS n, sum(value) AS total FROM {table} "
                     "GROUP BY 1 ORDER BY 1")
    theirs = READERS[reader](str(store.path / "tables" / table)).sort_index()
    assert list(theirs.index) == list(ours["factor"])
    assert list(theirs["size"].astype(int)) == [int(n) for n in ours["n"]]
    assert_close(theirs["sum"], num(ours["total"]), f"sums per factor by {reader}")
    return theirs


@pytest.fixture(scope="module")
def landed(tmp_path_factory):
    """Parts only, then compacted; corrections, compacted again and vacuumed: three stores."""
    root = tmp_path_factory.mktemp("foreign")
    stores = {}
    for stage in ("parts", "compacted", "corrected"):
        store = stores[stage] = Store(root / stage)
        for part in range(PARTS):
            frame = rows(part).sample(frac=1, random_state=part)
            assert store.ingest_frame("hourly", frame)["landed"] == len(frame)
        if stage == "corrected":
            again = rows(0).head(CORRECTED).assign(value=1000.0)
            assert store.ingest_frame("hourly", again)["landed"] == CORRECTED
        if stage != "parts":
            store.compact()
        if stage == "corrected":
            ok(run("vacuum", "--store", store.path))
    return stores


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("stage", ["parts", "compacted", "corrected"])
def test_foreign_reader_agrees_on_counts_and_sums(landed, stage, reader):
    theirs = compare(landed[stage], reader)
    assert theirs["size"].sum() == sum(len(rows(p)) for p in range(PARTS))


@pytest.mark.parametrize("reader", READERS)
def test_foreign_reader_sees_each_corrected_key_once_after_compaction(landed, reader):
    """The superseded versions have left the main table; the corrections stand in it."""
    clean = READERS[reader](str(landed["compacted"].path / "tables" / "hourly")).sort_index()
    now = READERS[reader](str(landed["corrected"].path / "tables" / "hourly")).sort_index()
    old = rows(0).head(CORRECTED)
    change = CORRECTED * 1000.0 - old["value"].sum()
    assert list(now["size"]) == list(clean["size"])
    factor = old["factor"].iat[0]
    assert (old["factor"] == factor).all()
    assert now.loc[factor, "sum"] - clean.loc[factor, "sum"] == pytest.approx(change, rel=1e-9)


def test_compaction_leaves_fewer_files_and_the_same_answer(landed):
    before, after = (landed[s].path / "tables" / "hourly" for s in ("parts", "compacted"))
    files = [len(deltalake.DeltaTable(str(p)).file_uris()) for p in (before, after)]
    assert files[1] < files[0], files
    query = "SELECT mn, factor, ts, value, flag FROM hourly ORDER BY mn, factor, ts"
    assert landed["parts"].sql_text(query) == landed["compacted"].sql_text(query)


def test_foreign_reader_gets_civil_time_without_a_zone_and_plain_strings(landed):
    table = str(landed["compacted"].path / "tables" / "hourly")
    schema = deltalake.DeltaTable(table).to_pyarrow_table(columns=["ts", "mn", "factor"]).schema
    assert schema.field("ts").type.tz is None
    for name in ("mn", "factor"):
        assert "dictionary" not in str(schema.field(name).type)
    frame = pl.scan_delta(table).select("ts", "factor").collect()
    assert frame["ts"].min() == pd.Timestamp("2026-01-05").to_pydatetime()
    assert frame["factor"].dtype == pl.String
