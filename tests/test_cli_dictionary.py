"""`plume dictionary` and `plume demo`, as a reader sees them."""

import csv
import io

import pytest

from conftest import ok, run


@pytest.fixture(scope="module")
def entries():
    return list(csv.DictReader(io.StringIO(ok(run("dictionary", "--format", "csv")).out)))


def of(entries, name, column=None):
    rows = [e for e in entries if e["object"] == name]
    return rows if column is None else next(e for e in rows if e["column"] == column)


def test_built_in_tables_have_every_column(entries):
    columns = {name: [e["column"] for e in of(entries, name)][1:] for name in ("factors", "rules")}
    assert {"factor", "old_code", "name_zh", "unit", "total_unit"} <= set(columns["factors"])
    # The columns that the contract names.
    assert {"rule_set", "key", "value", "default", "valid_from", "valid_to", "clause", "mark"} <= set(
        columns["rules"])
    assert of(entries, "flags", "valid")["type"] == "BOOLEAN"
    assert len(of(entries, "patterns")) > 5


def test_columns_of_views_and_of_emissions_have_type_unit_and_chinese_name(entries):
    got = of(entries, "daily_valid", "required_hours")
    assert (got["kind"], got["type"], got["unit"], got["chinese"]) == ("view", "BIGINT", "h", "应有小时数")
    assert of(entries, "monthly_valid", "month")["type"] == "DATE"
    got = of(entries, "emissions", "mass_kg")
    assert (got["kind"], got["type"], got["unit"], got["chinese"]) == ("function", "DOUBLE", "kg", "排放量")
    assert of(entries, "emissions", "pool_hours")["type"] == "BIGINT"


def test_nothing_lacks_its_names_its_type_or_its_clause(entries):
    for e in entries:
        assert e["english"] and e["chinese"], e
        assert e["clause"] if not e["column"] else e["type"], e


def test_the_markdown_has_a_section_for_every_object(entries):
    text = ok(run("dictionary")).out
    for e in entries:
        if not e["column"]:
            assert f"\n## {e['kind']} {e['object']} {e['chinese']}\n" in text
        else:
            assert f"| `{e['column']}` |" in text


def test_the_demo_says_what_its_totals_are_of():
    lines = [s for s in ok(run("demo")).out.splitlines() if "measured mass" in s]
    assert len(lines) == 1
    for word in ("missing", "substituted", "stopped"):
        assert word in lines[0]
