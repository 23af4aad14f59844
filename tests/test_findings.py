"""`plume findings`: lists, one finding shown, dismissals that hold."""

import json
import shutil
import xml.etree.ElementTree as ElementTree

import numpy as np
import pandas as pd
import pytest

from conftest import failed, long_rows, ok, run

HOURS = pd.date_range("2026-01-01", periods=744, freq="h")
# NOx wanders, but stands still on 10 and 11 January: pattern constant_value, score 0.75.
STILL = range(216, 264)


def wandering(still=STILL):
    h = np.arange(len(HOURS))
    values = np.round(37 + 5 * np.sin(h / 4) + 3 * ((h * 7919) % 101) / 101, 2)
    values[list(still)] = 31.7
    return values


def hourly(mn="A", still=STILL):
    return long_rows(mn, "a21002", HOURS, wandering(still))


@pytest.fixture
def filled(store):
    store.ingest_frame("hourly", hourly())
    return store


def findings(store, command, *words):
    return run("findings", command, *words, "--store", store.path)


def listed(store, *words):
    """The findings of a frozen value, as JSON lines."""
    out = ok(findings(store, "list", "--pattern", "constant_value", "--format", "json", *words)).out
    return [json.loads(line) for line in out.splitlines()]


def only_id(store, *words):
    [found] = listed(store, *words)
    return found["finding_id"]


def dismiss(store, finding, reason="analyser in test", *words):
    return findings(store, "dismiss", finding, "--reason", reason, *words)


# ---------------------------------------------------------------- list


def test_a_list_tells_what_was_found_when_and_how_strongly(filled):
    [found] = listed(filled)
    del found["finding_id"]
    assert found == {
        "mn": "A", "factor": "a21002", "pattern": "constant_value", "name_zh": "固定值",
        "started": "2026-01-10T00:00:00", "ended": "2026-01-12T00:00:00", "score": 0.75,
        "severity": "medium", "dismissed": False,
    }
    table = ok(findings(filled, "list"))
    assert "固定值" in table.out and "findings from 2026-01-01 00:00:00 to 2026-02-01 00:00:00" in table.err


def test_a_list_is_the_same_as_the_table_function_gives(filled):
    query = "SELECT finding_id FROM fraud_findings('2026-01-01', '2026-02-01') WHERE score >= 0.1"
    ids = ok(findings(filled, "list", "--least-score", "0.1", "--format", "csv")).out.splitlines()[1:]
    assert sorted(line.split(",")[0] for line in ids) == sorted(filled.sql(query)["finding_id"])


@pytest.mark.parametrize("words, count", [
    (["--period", "2026-01"], 1),
    (["--period", "2026-01-11"], 1),
    (["--period", "2026-W04"], 0),
    (["--from", "2026-01-12"], 0),
    (["--to", "2026-01-11 12:00"], 1),
    (["--to", "2026-01-10"], 0),
    (["--mn", "A"], 1),
    (["--mn", "B"], 0),
    (["--least-score", "0.75"], 1),
    (["--least-score", "0.76"], 0),
])
def test_a_list_is_of_what_was_asked_for(filled, words, count):
    assert len(listed(filled, *words)) == count


@pytest.mark.parametrize("words, naming", [
    (["--pattern", "nonsense"], ["nonsense", "FROM patterns"]),
    (["--least-score", "2"], ["0 to 1"]),
    (["--period", "2026-13"], ["2026Q1"]),
    (["--from", "soon"], ["2026-01-31"]),
    (["--period", "2026", "--from", "2026-01-01"], ["--period", "--from"]),
])
def test_wrong_usage_of_a_list_tells_what_to_write(filled, words, naming):
    failed(findings(filled, "list", *words), code=2, naming=naming)


def test_hours_that_are_none_are_an_error(filled):
    for words in (["--from", "2026-03-01"], ["--from", "2026-01-02", "--to", "2026-01-01"]):
        failed(findings(filled, "list", *words), naming=["--from", "--to"])


def test_a_store_without_data_has_no_findings(store):
    failed(findings(store, "list"), naming=["there is no store"])
    store.ingest_frame("enterprises", pd.DataFrame({"enterprise_id": ["E"], "name": ["works"]}))
    assert "0 rows" in ok(findings(store, "list")).out
    assert listed(store, "--period", "2026-01") == []
    failed(dismiss(store, "0123456789abcdef"), naming=["0123456789abcdef"])


# ---------------------------------------------------------------- show


def test_a_finding_is_shown_with_its_evidence_and_what_excuses_it(filled):
    finding = only_id(filled)
    out = ok(findings(filled, "show", finding)).out
    for told in (finding, "constant_value 固定值 (P1", "氮氧化物", "mg/m³", "2026-01-10 00:00:00", "0.75, medium",
                 "detection limit", "ST §6 P1", "value ", "31.7", "no\n", "━", "2026-01-07 00:00"):
        assert told in out, f"{told}\n{out}"
    assert "load" not in out.split("evidence")[1]


def test_the_load_is_shown_where_there_is_one(filled):
    conditions = pd.DataFrame({"mn": "A", "param": "power", "ts": HOURS, "value": 50 + np.arange(len(HOURS)) % 24})
    filled.ingest_frame("conditions", conditions)
    assert "load: power" in ok(findings(filled, "show", only_id(filled))).out


def test_a_picture_is_svg_and_marks_the_span(filled):
    path = filled.scratch / "finding.svg"
    result = ok(findings(filled, "show", only_id(filled), "--plot", path))
    assert str(path) in result.err and "evidence" in result.out
    picture = ElementTree.parse(path).getroot()
    assert picture.tag == "{http://www.w3.org/2000/svg}svg"
    tags = [element.tag.split("}")[1] for element in picture.iter()]
    assert tags.count("polyline") >= 1 and tags.count("rect") >= 2
    assert "constant_value" in "".join(picture.itertext())
    assert not list(filled.scratch.glob("*.partial"))


@pytest.mark.parametrize("mn", ["<&\"'>", "烟气一号"])
def test_any_name_of_an_outlet_makes_a_sound_picture(store, mn):
    store.ingest_frame("hourly", hourly(mn))
    path = store.scratch / "finding.svg"
    ok(findings(store, "show", only_id(store), "--plot", path))
    assert mn in "".join(ElementTree.parse(path).getroot().itertext())


@pytest.mark.parametrize("name", ["x.png", "x", "x.svg.txt"])
def test_a_picture_of_another_ending_is_wrong_usage(filled, name):
    path = filled.scratch / name
    failed(findings(filled, "show", only_id(filled), "--plot", path), code=2, naming=[name, ".svg"])
    assert not path.exists()


def test_a_picture_that_cannot_be_written_is_an_error(filled):
    path = filled.scratch / "absent" / "x.svg"
    failed(findings(filled, "show", only_id(filled), "--plot", path), naming=["x.svg", "can be written"])


@pytest.mark.parametrize("command", [["show"], ["dismiss", "--reason", "x"]])
def test_an_unknown_id_is_an_error_that_tells_where_to_look(filled, command):
    for words in ([], ["--period", "2026-01"]):
        result = findings(filled, command[0], "0123456789abcdef", *command[1:], *words)
        failed(result, naming=["0123456789abcdef", "2026-01-01", "findings list", "--period"])
    # It is there, but not in that month.
    failed(findings(filled, command[0], only_id(filled), *command[1:], "--period", "2026-02"), naming=["2026-02-01"])


# ---------------------------------------------------------------- dismiss


def test_a_dismissed_finding_leaves_the_list_and_stands_on_record(filled):
    finding = only_id(filled)
    done = ok(dismiss(filled, finding, "analyser in test, 检修", "--who", "lin"))
    assert finding in done.out and "constant_value of a21002 at A" in done.out
    assert listed(filled) == []
    [still] = listed(filled, "--dismissed")
    assert (still["finding_id"], still["dismissed"]) == (finding, True)
    record = filled.sql("SELECT * FROM dismissals").iloc[0].to_dict()
    received_at = record.pop("received_at")
    assert pd.Timestamp(received_at) > pd.Timestamp("2026-01-01")
    assert record == {
        "finding_id": finding, "reason": "analyser in test, 检修", "who": "lin", "mn": "A", "factor": "a21002",
        "pattern": "constant_value", "started": "2026-01-10T00:00:00", "ended": "2026-01-12T00:00:00",
        "source": "plume findings dismiss",
    }
    shown = ok(findings(filled, "show", finding)).out
    assert "yes, by lin on " in shown and "analyser in test, 检修\n" in shown


def test_who_dismisses_is_the_user_of_the_machine_unless_said(filled):
    import getpass

    ok(dismiss(filled, only_id(filled)))
    assert filled.scalar("SELECT who FROM dismissals") == getpass.getuser()


def test_the_same_dismissal_again_is_nothing_and_another_reason_a_version(filled):
    finding = only_id(filled)
    ok(dismiss(filled, finding, "first"))
    assert "already" in ok(dismiss(filled, finding, "first")).out
    assert filled.count("dismissals") == 1
    # What was said first may be said again later.
    for reason in ("second", "first"):
        assert "already" not in ok(dismiss(filled, finding, reason)).out
        assert filled.scalar("SELECT reason FROM dismissals") == reason
    assert len(listed(filled, "--dismissed")) == 1


@pytest.mark.parametrize("reason", ["", " ", "\t"])
def test_a_reason_says_something(filled, reason):
    failed(dismiss(filled, only_id(filled), reason), code=2, naming=["--reason"])
    assert "--reason" in findings(filled, "dismiss", only_id(filled)).err
    assert filled.count("dismissals") == 0


def test_an_explained_finding_does_not_return_when_its_start_shifts(filled):
    before = only_id(filled)
    ok(dismiss(filled, before, "analyser in test", "--who", "lin"))
    # An hour before was the same, as a correction tells: another start, and so another id.
    earlier = hourly(still=range(215, 264)).iloc[215:216]
    filled.ingest_frame("hourly", earlier)
    [found] = listed(filled, "--dismissed")
    assert found["finding_id"] != before
    assert (found["started"], found["dismissed"]) == ("2026-01-09T23:00:00", True)
    assert listed(filled) == []
    shown = ok(findings(filled, "show", found["finding_id"])).out
    assert f"(then it was {before}, 2026-01-10 00:00:00 to 2026-01-12 00:00:00)" in shown


def test_a_dismissal_is_of_its_time_and_outlet_only(filled):
    filled.ingest_frame("hourly", hourly("B"))
    mine = next(found for found in listed(filled) if found["mn"] == "A")
    ok(dismiss(filled, mine["finding_id"]))
    # The same outlet stands still again, a week later.
    again = hourly()
    again.loc[432:462, "value"] = 38.46
    filled.ingest_frame("hourly", again)
    left = {(found["mn"], found["started"]) for found in listed(filled)}
    assert left == {("A", "2026-01-19T00:00:00"), ("B", "2026-01-10T00:00:00")}


def test_a_dismissal_was_not_known_before_it_was_said(store):
    store.ingest_frame("hourly", hourly().assign(received_at="2026-02-01 00:00:00"))
    ok(dismiss(store, only_id(store)))
    query = "SELECT bool_or(dismissed) AS d FROM fraud_findings('2026-01-01', '2026-02-01')"
    assert (store.scalar(query), store.scalar(query, as_of="2026-03-01")) == ("true", "false")


def test_dismissals_of_an_older_plume_are_told_of_and_can_be_landed_again(store):
    store.ingest_frame("hourly", hourly())
    finding = only_id(store)
    older = pd.DataFrame({"finding_id": [finding], "reason": ["in test"], "who": ["lin"]})
    store.ingest_frame("dismissals", older)
    # As it was before the columns that tell what was dismissed.
    table = store.path / "tables" / "dismissals"
    log = table / "_delta_log" / f"{0:020}.json"
    actions = [json.loads(line) for line in log.read_text().splitlines()]
    meta = next(action["metaData"] for action in actions if "metaData" in action)
    schema = json.loads(meta["schemaString"])
    added = ("mn", "factor", "pattern", "started", "ended")
    schema["fields"] = [field for field in schema["fields"] if field["name"] not in added]
    meta["schemaString"] = json.dumps(schema)
    log.write_text("".join(json.dumps(action) + "\n" for action in actions))
    failed(findings(store, "list"), naming=["dismissals", *added, "tables/dismissals", "plume ingest"])
    elsewhere = store.scratch / "dismissals"
    shutil.move(table, elsewhere)
    assert store.ingest("dismissals", *elsewhere.glob("*.parquet"))["landed"] == 1
    assert listed(store) == [] and store.scalar("SELECT reason FROM dismissals") == "in test"
