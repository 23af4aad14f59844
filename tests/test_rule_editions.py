"""`--rules-file`: an edition of the rules beside those built in, on `sql` and `export`."""

import json

import pandas as pd
import pytest

from conftest import failed, long_rows, ok, run

EDITION = """
name = "trial"
title_en = "A trial"
title_zh = "试行"
based_on = "hubei-2021"
valid_from = 2026-01-02
valid_to = 2026-12-31
clause = "art. 1"

[rules.air_day_hours]
value = 24
clause = "art. 2"
mark = "seed"
"""
DAYS = "SELECT day, required_hours, valid FROM daily_valid ORDER BY day"


@pytest.fixture
def filled(store):
    """Two days of which 22 hours came each."""
    hours = [h for h in pd.date_range("2026-01-01", periods=48, freq="h") if h.hour not in (5, 6)]
    assert store.ingest_frame("hourly", long_rows("A", "a21026", hours, 1.5))["landed"] == 44
    return store


@pytest.fixture
def edition(tmp_path):
    path = tmp_path / "trial.toml"
    path.write_text(EDITION, encoding="utf-8")
    return path


def sql(store, query, *more):
    return run("sql", "--store", store.path, "--format", "csv", "-c", query, *more)


def test_an_edition_holds_from_its_first_day_on(filled, edition):
    assert ok(sql(filled, DAYS)).out.split()[1:] == ["2026-01-01,20,true", "2026-01-02,20,true"]
    told = ok(sql(filled, DAYS, "--rules-file", edition)).out
    assert told.split()[1:] == ["2026-01-01,20,true", "2026-01-02,24,false"]


def test_an_edition_is_chosen_by_name_and_stands_in_table_rules(filled, edition):
    told = ok(sql(filled, DAYS, "--rules-file", edition, "--rules", "trial,air_day_hours=23")).out
    assert told.split()[1:] == ["2026-01-01,23,false", "2026-01-02,23,false"]
    rules = "SELECT rule_set, value FROM rules WHERE key = 'air_day_hours' ORDER BY valid_from"
    assert ok(sql(filled, rules, "--rules-file", edition)).out.split()[1:] == ["hubei-2021,20", "trial,24"]


def test_an_export_by_an_edition_is_verified_when_its_file_is_gone(filled, edition, tmp_path):
    out = tmp_path / "out"
    ok(run("export", "report", "--store", filled.path, "--period", "2026-01", "--format", "csv", "--out", out,
           "--rules-file", edition))
    edition.unlink()
    manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    assert [s["name"] for s in manifest["rule_sets"]] == ["hubei-2021", "trial"]
    assert manifest["rule_files"] == [EDITION]
    assert pd.read_csv(out / "report.csv")["valid_days"].tolist() == [1]
    ok(run("verify", out / "manifest.json", "--store", filled.path))


@pytest.mark.parametrize("spoilt, naming", [
    (EDITION.replace("air_day_hours", "air_day_hour"), ["air_day_hour", "table rules"]),
    (EDITION.replace("= 24", '= "many"'), ["air_day_hours", "a number"]),
    (EDITION.replace('"trial"', '"hubei-2021"'), ["hubei-2021", "name of its own"]),
    (EDITION.replace('based_on = "hubei-2021"', ""), ["missing", "based_on"]),
    ("name = 3", ["doesn't parse"]),
])
@pytest.mark.parametrize("command", ["sql", "export"])
def test_a_wrong_edition_names_its_file_and_the_mend(filled, edition, tmp_path, command, spoilt, naming):
    edition.write_text(spoilt, encoding="utf-8")
    if command == "sql":
        done = sql(filled, DAYS, "--rules-file", edition)
    else:
        done = run("export", "tax", "--store", filled.path, "--period", "2026-01", "--format", "csv",
                   "--out", tmp_path / "out", "--rules-file", edition)
    failed(done, naming=["trial.toml", *naming])
    assert not (tmp_path / "out").exists()


def test_an_edition_that_is_not_there_is_named(filled, tmp_path):
    failed(sql(filled, DAYS, "--rules-file", tmp_path / "none.toml"), naming=["none.toml"])
