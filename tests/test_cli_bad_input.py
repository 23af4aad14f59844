"""Bad input: exit status, one `error:` line or a reject, and the balance
read = landed + duplicate + rejected. Nothing is half-written."""

import json
import os
import random

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from conftest import failed, long_rows, num, ok, report_of, run, stamp, write_csv

MN = "BADINPUT000001"
HEADER = "mn,factor,ts,value,flag\n"


def good_rows(n=24, mn=MN, factor="a21026", start="2026-01-01"):
    return long_rows(mn, factor, pd.date_range(start, periods=n, freq="h"), np.arange(n) + 0.5)


def text_file(store, text, suffix=".csv", encoding="utf-8"):
    path = store.file(suffix)
    path.write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
    return path


def line(factor="a21026", ts="2026-01-02 03:00:00", value="1.5", flag="N", mn=MN):
    return f"{mn},{factor},{ts},{value},{flag}\n"


def rejects(store):
    return store.sql("SELECT source, position, raw, reason FROM rejects")


def lands_nothing(store):
    """A store with 24 good rows keeps exactly those."""
    assert store.count("hourly") == 24
    store.check()


@pytest.fixture
def filled(store):
    assert store.ingest_frame("hourly", good_rows())["landed"] == 24
    return store


# ---------------------------------------------------------------- files that are no files


def truncated_parquet(store):
    path = store.file(".parquet")
    good_rows(5000).to_parquet(path, index=False)
    path.write_bytes(path.read_bytes()[:-200])
    return path


def empty(suffix):
    return lambda store: text_file(store, b"", suffix)


def noise(suffix):
    return lambda store: text_file(store, random.Random(1).randbytes(4096), suffix)


def absent_path(store):
    return store.scratch / "no-such-file.csv"


UNREADABLE = {
    "truncated_parquet": (truncated_parquet, None),
    "empty_csv": (empty(".csv"), None),
    "empty_parquet": (empty(".parquet"), None),
    "empty_arrow": (empty(".arrow"), "arrow"),
    "noise_as_parquet": (noise(".parquet"), None),
    "noise_as_arrow": (noise(".arrow"), "arrow"),
    "absent_path": (absent_path, None),
    "csv_said_to_be_parquet": (lambda s: text_file(s, HEADER + line()), "parquet"),
}


@pytest.mark.parametrize("case", UNREADABLE)
def test_unreadable_file_fails_with_one_error_line_and_lands_nothing(filled, case):
    make, fmt = UNREADABLE[case]
    path = make(filled)
    text = failed(filled.try_ingest("hourly", path, fmt=fmt))
    assert path.name in text, f"the error does not name the file: {text}"
    lands_nothing(filled)


def test_one_unreadable_file_among_good_ones_leaves_nothing_half_written(filled):
    """Exit 1 means nothing half-written: the whole call landed nothing, or whole files only."""
    good = write_csv(good_rows(48, start="2026-03-01"), filled.file(".csv"))
    failed(filled.try_ingest("hourly", good, truncated_parquet(filled)), code=(1, 2))
    assert filled.count("hourly") in (24, 24 + 48)
    filled.check()


@pytest.mark.parametrize("real, pretended", [(".parquet", ".csv"), (".csv", ".parquet")])
def test_renamed_file_is_recognised_or_refused_but_never_misread(filled, real, pretended):
    rows = good_rows(10, start="2026-02-01")
    path = filled.file(real)
    if real == ".csv":
        write_csv(rows, path)
    else:
        rows.to_parquet(path, index=False)
    renamed = path.rename(path.with_suffix(pretended))
    result = filled.try_ingest("hourly", renamed)
    if result.code == 0:
        assert report_of(result)["landed"] == 10
        assert filled.count("hourly") == 34
    else:
        failed(result)
        lands_nothing(filled)


def test_truncated_csv_lands_its_whole_lines_and_accounts_for_the_torn_one(filled):
    whole = HEADER + "".join(line(ts=f"2026-02-01 {h:02}:00:00") for h in range(10))
    report = filled.ingest("hourly", text_file(filled, whole + MN + ",a21026,2026-02-0"))
    assert (report["read"], report["landed"], report["rejected"]) == (11, 10, 1)
    assert filled.count("hourly") == 34


def test_csv_with_a_header_and_no_rows_lands_nothing_and_succeeds(filled):
    report = filled.ingest("hourly", text_file(filled, HEADER))
    assert report["read"] == 0
    lands_nothing(filled)


# ---------------------------------------------------------------- packets that are none


NO_PACKETS = {
    "csv": (HEADER + line()).encode(),
    "empty": b"",
    "noise": random.Random(3).randbytes(200_000),
    "marks only": b"## no packet\r\n##0000\r\n",
}


@pytest.mark.parametrize("table", ["packets", "hourly"])
@pytest.mark.parametrize("case", NO_PACKETS)
def test_a_file_without_packets_is_named_in_a_warning(filled, case, table):
    path = text_file(filled, NO_PACKETS[case], ".hj212")
    result = ok(filled.try_ingest(table, path, fmt="hj212"))
    report_of(result)
    warnings = [s for s in result.err.splitlines() if s.startswith("warning:")]
    assert len(warnings) == 1 and path.name in warnings[0] and "packet" in warnings[0], str(result)
    lands_nothing(filled)


@pytest.mark.parametrize("case", NO_PACKETS)
def test_a_file_without_packets_fails_under_strict(filled, case):
    path = text_file(filled, NO_PACKETS[case], ".hj212")
    failed(filled.try_ingest("hourly", path, fmt="hj212", strict=True), naming=[path.name, "packet"])
    assert filled.count("packets") == 0
    lands_nothing(filled)


def test_a_file_with_a_packet_of_a_wrong_crc_has_packets(filled):
    segment = b"QN=20260101000000000;ST=31;CN=2061;PW=1;MN=A;Flag=4;CP=&&DataTime=20260101000000&&"
    path = text_file(filled, b"##%04d%sFFFF\r\n" % (len(segment), segment), ".hj212")
    result = ok(filled.try_ingest("packets", path))
    assert report_of(result)["read"] == 1 and "warning" not in result.err, str(result)


# ---------------------------------------------------------------- columns


@pytest.mark.parametrize("column", ["mn", "factor", "ts", "value"])
@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_missing_required_column_fails_and_is_named(filled, column, suffix):
    rows = good_rows(5, start="2026-02-01").drop(columns=column)
    path = filled.file(suffix)
    write_csv(rows, path) if suffix == ".csv" else rows.to_parquet(path, index=False)
    failed(filled.try_ingest("hourly", path), naming=[column])
    lands_nothing(filled)


def test_absent_optional_columns_are_null(store):
    store.ingest_frame("hourly", good_rows(3))
    got = store.sql("SELECT total, value_min, converted, eflag, qn FROM hourly")
    assert len(got) == 3 and got.isna().all().all()


def test_extra_columns_are_named_in_a_warning_and_left_out(filled):
    rows = good_rows(5, start="2026-02-01").assign(colour="red", smell=3)
    path = write_csv(rows, filled.file(".csv"))
    result = ok(filled.try_ingest("hourly", path))
    assert report_of(result)["landed"] == 5
    for name in ("colour", "smell"):
        assert name in result.err + result.out, f"no warning names {name}\n{result}"
    assert "warning" in (result.err + result.out).lower(), str(result)
    failed(filled.try_sql("SELECT colour FROM hourly"))


def test_extra_columns_under_strict_fail_and_land_nothing(filled):
    rows = good_rows(5, start="2026-02-01").assign(colour="red")
    path = write_csv(rows, filled.file(".csv"))
    failed(filled.try_ingest("hourly", path, strict=True), naming=["colour"])
    lands_nothing(filled)


def test_csv_with_ten_thousand_columns_lands_the_known_ones(filled):
    names = [f"x{i}" for i in range(9_995)]
    text = HEADER.strip() + "," + ",".join(names) + "\n"
    for h in range(20):
        text += line(ts=f"2026-02-01 {h:02}:00:00").strip() + "," + ",".join(["7"] * 9_995) + "\n"
    path = text_file(filled, text)
    result = ok(filled.try_ingest("hourly", path, timeout=120))
    assert report_of(result)["landed"] == 20
    assert "x0" in result.err + result.out
    failed(filled.try_ingest("hourly", path, strict=True, timeout=120))
    assert filled.count("hourly") == 44


def test_columns_in_another_order_land_the_same(make_store):
    rows = good_rows()
    one, two = make_store("one"), make_store("two")
    one.ingest_frame("hourly", rows)
    two.ingest_frame("hourly", rows[["flag", "value", "ts", "factor", "mn"]])
    query = "SELECT mn, factor, ts, value, flag FROM hourly ORDER BY ts"
    assert one.sql_text(query) == two.sql_text(query)


# ---------------------------------------------------------------- types


def test_text_in_the_value_column_rejects_that_row_and_keeps_its_text(filled):
    text = HEADER + line() + line(ts="2026-01-02 04:00:00", value="abc") + line(
        ts="2026-01-02 05:00:00")
    path = text_file(filled, text)
    report = filled.ingest("hourly", path)
    assert (report["read"], report["landed"], report["rejected"]) == (3, 2, 1)
    got = rejects(filled)
    assert len(got) == 1
    assert "abc" in got["raw"][0] and path.name in got["source"][0]
    assert "3" in str(got["position"][0]), f"line 3 of the file: {got['position'][0]}"
    assert got["reason"][0].strip()


def test_parquet_of_other_types_is_cast_or_rejected_row_by_row(filled):
    table = pa.table({
        "mn": pa.array([MN] * 4).dictionary_encode(),
        "factor": pa.array(["a21026"] * 4, pa.large_string()),
        "ts": pa.array([f"2026-02-01 0{h}:00:00" for h in range(4)]),
        "value": pa.array(["1.25", "2", "oops", "1e2"]),
        "flag": ["N"] * 4,
    })
    path = filled.file(".parquet")
    pq.write_table(table, path)
    report = filled.ingest("hourly", path)
    assert (report["read"], report["landed"], report["rejected"]) == (4, 3, 1)
    got = filled.sql("SELECT value FROM hourly WHERE ts >= timestamp '2026-02-01 00:00:00' "
                     "ORDER BY ts")
    assert list(num(got["value"])) == [1.25, 2.0, 100.0]


@pytest.mark.parametrize("kind", [pa.float32(), pa.int32(), pa.decimal128(22, 3)])
def test_parquet_numbers_of_other_types_are_cast(store, kind):
    values = [1, 2, 300]
    table = pa.table({"mn": [MN] * 3, "factor": ["a21026"] * 3,
                      "ts": pa.array(pd.date_range("2026-01-01", periods=3, freq="h"),
                                     pa.timestamp("ms")),
                      "value": pa.array(values).cast(kind), "flag": ["N"] * 3})
    path = store.file(".parquet")
    pq.write_table(table, path)
    assert store.ingest("hourly", path)["landed"] == 3
    got = store.sql("SELECT value FROM hourly ORDER BY ts")
    assert list(num(got["value"])) == values


def test_directory_of_a_table_where_a_file_is_wanted_is_no_crash(filled):
    folder = filled.scratch / "folder"
    folder.mkdir()
    result = filled.try_ingest("hourly", folder)
    if result.code == 0:
        assert report_of(result)["read"] == 0
    else:
        failed(result, code=(1, 2))
    lands_nothing(filled)


# ---------------------------------------------------------------- values


@pytest.mark.parametrize("value", ["NaN", "nan", "inf", "-inf", "Infinity", "1e309", "-1e400"])
def test_a_value_that_is_no_number_never_reaches_a_query(filled, value):
    """CONTRACT does not say whether such a row is rejected or lands as NULL; both are accounted
    for, and no aggregate may be poisoned."""
    text = HEADER + line(ts="2026-02-01 00:00:00", value=value) + line(ts="2026-02-01 01:00:00")
    report = filled.ingest("hourly", text_file(filled, text))
    assert report["read"] == 2 and report["landed"] in (1, 2)
    assert len(rejects(filled)) == report["rejected"]
    february = "ts >= timestamp '2026-02-01 00:00:00'"
    assert float(filled.scalar(f"SELECT sum(value) FROM hourly WHERE {february}")) == 1.5
    assert float(filled.scalar(f"SELECT max(value) FROM hourly WHERE {february}")) == 1.5
    assert filled.count("hourly_valid", f"valid AND {february}") == 1


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_parquet_value_that_is_no_number_never_reaches_a_query(filled, value):
    rows = good_rows(2, start="2026-02-01")
    table = pa.Table.from_pandas(rows, preserve_index=False)
    i = table.schema.get_field_index("value")
    table = table.set_column(i, "value", pa.array([value, 1.5], from_pandas=False))
    path = filled.file(".parquet")
    pq.write_table(table, path)
    report = filled.ingest("hourly", path)
    assert report["read"] == 2
    february = "ts >= timestamp '2026-02-01 00:00:00'"
    assert float(filled.scalar(f"SELECT sum(value) FROM hourly WHERE {february}")) == 1.5
    assert filled.count("hourly_valid", f"valid AND {february}") == 1


@pytest.mark.parametrize("value", ["-3.25", "0", "-0.0", "5e-324"])
def test_negative_and_absurd_but_finite_values_land_exactly(filled, value):
    text = HEADER + line(ts="2026-02-01 00:00:00", value=value)
    assert filled.ingest("hourly", text_file(filled, text))["landed"] == 1
    got = filled.scalar("SELECT value FROM hourly WHERE ts = timestamp '2026-02-01 00:00:00'")
    assert float(got) == float(value)


def test_values_beyond_any_instrument_are_rejected_and_break_no_view(filled):
    rows = good_rows(48, start="2026-02-01").assign(value=1e308)
    report = filled.ingest_frame("hourly", rows)
    assert (report["landed"], report["rejected"]) == (0, 48)
    assert "beyond any instrument" in rejects(filled)["reason"].iloc[0]
    got = filled.sql("SELECT day FROM daily_valid WHERE day >= date '2026-02-01'")
    assert len(got) == 0


# ---------------------------------------------------------------- keys and flags


@pytest.mark.parametrize("factor", ["", "a2102", "a210266", "hello", "二氧化硫", "a21026-Rtd",
                                    "21026a", "a21 26", "a'; DROP TABLE hourly; --"])
def test_malformed_factor_is_rejected(filled, factor):
    text = HEADER + line(factor=f'"{factor}"') + line(ts="2026-01-02 04:00:00")
    report = filled.ingest("hourly", text_file(filled, text))
    assert (report["read"], report["landed"], report["rejected"]) == (2, 1, 1)
    assert filled.count("hourly") == 25
    reason = rejects(filled)["reason"]
    assert len(reason) == 1 and "factor" in reason[0].lower(), list(reason)


def test_well_formed_unknown_factor_lands_and_follows_its_medium(filled):
    rows = good_rows(20, factor="a99997", start="2026-02-01")
    assert filled.ingest_frame("hourly", rows)["landed"] == 20
    got = filled.sql("SELECT valid_hours, required_hours, valid FROM daily_valid "
                     "WHERE factor = 'a99997'")
    assert got.to_dict("records") == [
        {"valid_hours": "20", "required_hours": "20", "valid": "true"}]


@pytest.mark.parametrize("old, new, factor", [("02", "a21026", 1), ("060", "w21003", 1),
                                              ("020", "w20111", 1000)])
def test_codes_of_2005_are_translated_and_values_converted(filled, old, new, factor):
    text = HEADER + line(factor=old, value="0.25")
    assert filled.ingest("hourly", text_file(filled, text))["landed"] == 1
    got = filled.sql(f"SELECT value FROM hourly WHERE factor = '{new}' "
                     "AND ts = timestamp '2026-01-02 03:00:00'")
    assert list(num(got["value"])) == [0.25 * factor]


@pytest.mark.parametrize("flag", ["X", "Q", "NN", "?", "正常"])
def test_unlisted_flag_is_rejected(filled, flag):
    text = HEADER + line(flag=flag) + line(ts="2026-01-02 04:00:00")
    report = filled.ingest("hourly", text_file(filled, text))
    assert (report["landed"], report["rejected"]) == (1, 1)
    assert "flag" in rejects(filled)["reason"][0].lower()


@pytest.mark.parametrize("flag", list("FMSDCTB"))
def test_listed_flags_other_than_n_land_and_are_not_valid(store, flag):
    store.ingest_frame("hourly", good_rows(3).assign(flag=["N", flag, "N"]))
    got = store.sql("SELECT valid FROM hourly_valid ORDER BY ts")
    assert list(got["valid"]) == ["true", "false", "true"]


def test_unknown_outlet_lands_and_is_listed_as_unregistered(filled):
    got = filled.sql('SELECT mn, factor, "first", "last", "rows", why FROM unregistered')
    assert (got["mn"][0], got["factor"][0], got["rows"][0]) == (MN, "a21026", "24")
    assert list(stamp(got["last"]).astype(str)) == ["2026-01-01 23:00:00"]
    assert got["why"][0].strip()


@pytest.mark.parametrize("column", ["mn", "ts"])
def test_empty_key_is_rejected(filled, column):
    text = HEADER + line(**{column: ""}) + line(ts="2026-01-02 04:00:00")
    report = filled.ingest("hourly", text_file(filled, text))
    assert (report["landed"], report["rejected"]) == (1, 1)


# ---------------------------------------------------------------- time stamps


@pytest.mark.parametrize("ts", ["2026-02-30 00:00:00", "2026-13-01 00:00:00", "2026-01-01 25:00:00",
                                "2026-01-01 24:00:01", "2026-01-01 00:60:00", "yesterday",
                                "2025-02-29 12:00:00", "0000-00-00 00:00:00"])
def test_time_stamp_that_does_not_exist_is_rejected(filled, ts):
    text = HEADER + line(ts=ts) + line(ts="2026-01-02 04:00:00")
    report = filled.ingest("hourly", text_file(filled, text))
    assert (report["read"], report["landed"], report["rejected"]) == (2, 1, 1)
    assert filled.count("hourly") == 25
    assert ts in rejects(filled)["raw"][0]


@pytest.mark.parametrize("ts, landed", [
    ("2026-01-02T03:00:00+00:00", "2026-01-02 11:00:00"),
    ("2026-01-02T03:00:00Z", "2026-01-02 11:00:00"),
    ("2026-01-02T03:00:00+08:00", "2026-01-02 03:00:00"),
    ("2026-01-01 20:00:00-05:00", "2026-01-02 09:00:00"),
    ("2026-01-01 24:00:00", "2026-01-02 00:00:00"),
    ("2025-12-31 24:00:00", "2026-01-01 00:00:00"),
    ("2026-01-02T03:00:00", "2026-01-02 03:00:00"),
    ("2026-01-02 03:00", "2026-01-02 03:00:00"),
])
def test_offsets_become_beijing_time_and_24_00_the_next_day(store, ts, landed):
    report = store.ingest("hourly", text_file(store, HEADER + line(ts=ts)))
    assert report["landed"] == 1
    got = stamp(store.sql("SELECT ts FROM hourly")["ts"])
    assert list(got.dt.strftime("%Y-%m-%d %H:%M:%S")) == [landed]


def test_parquet_time_with_a_zone_becomes_beijing_time(store):
    rows = good_rows(2)
    rows["ts"] = rows["ts"].dt.tz_localize("UTC")
    path = store.file(".parquet")
    rows.to_parquet(path, index=False)
    assert store.ingest("hourly", path)["landed"] == 2
    got = stamp(store.sql("SELECT min(ts) AS ts FROM hourly")["ts"])
    assert list(got.astype(str)) == ["2026-01-01 08:00:00"]


def test_time_stamp_in_the_future_is_accounted_for(filled):
    """CONTRACT does not refuse the future; the row stands in the table or in `rejects`."""
    report = filled.ingest("hourly", text_file(filled, HEADER + line(ts="2199-01-01 00:00:00")))
    assert report["read"] == 1
    assert filled.count("hourly", "ts > timestamp '2100-01-01 00:00:00'") == report["landed"]
    assert len(rejects(filled)) == report["rejected"]


# ---------------------------------------------------------------- duplicates


def test_equal_rows_in_one_file_land_once(store):
    rows = pd.concat([good_rows(), good_rows().sample(frac=1, random_state=1)])
    report = store.ingest_frame("hourly", rows)
    assert (report["read"], report["landed"], report["duplicate"]) == (48, 24, 24)
    assert store.count("hourly") == 24


def test_different_rows_of_one_key_are_versions_and_one_is_in_force(store):
    rows = pd.concat([good_rows(), good_rows().assign(value=99.0)])
    report = store.ingest_frame("hourly", rows)
    assert (report["landed"], report["duplicate"]) == (48, 0)
    assert store.count("hourly") == 24
    assert store.count("hourly", "value = 99") == 24


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_duplicates_across_files_in_any_order_give_one_answer(store, order):
    first = good_rows().assign(received_at=pd.Timestamp("2026-01-03"))
    later = good_rows(12).assign(value=-1.0, received_at=pd.Timestamp("2026-01-05"))
    files = [first, later, first.sample(frac=0.5, random_state=3)]
    reports = [store.ingest_frame("hourly", files[n]) for n in order]
    assert sum(r["landed"] for r in reports) == 36
    assert sum(r["duplicate"] for r in reports) == 12
    got = store.sql("SELECT value FROM hourly ORDER BY ts")
    assert list(num(got["value"])) == [-1.0] * 12 + [h + 0.5 for h in range(12, 24)]


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_the_same_file_twice_lands_nothing_twice(store, suffix):
    path = store.file(suffix)
    rows = good_rows(200)
    write_csv(rows, path) if suffix == ".csv" else rows.to_parquet(path, index=False)
    first, second = store.ingest("hourly", path), store.ingest("hourly", path)
    assert (first["read"], first["landed"]) == (200, 200)
    assert (second["read"], second["landed"], second["duplicate"]) == (200, 0, 200)
    copy = path.with_name("copy" + suffix)
    copy.write_bytes(path.read_bytes())
    assert store.ingest("hourly", copy)["landed"] == 0
    assert store.count("hourly") == 200


def test_the_same_rejected_rows_twice_stand_in_rejects_once(store):
    path = text_file(store, HEADER + line() + line(flag="X"))
    store.ingest("hourly", path)
    before = len(rejects(store))
    store.ingest("hourly", path)
    assert before == 1 and len(rejects(store)) == 1


# ---------------------------------------------------------------- text


def test_bom_and_crlf_are_read_like_plain_text(make_store):
    plain = (HEADER + line() + line(ts="2026-01-02 04:00:00")).encode()
    texts = {"plain": plain, "bom": b"\xef\xbb\xbf" + plain,
             "crlf": plain.replace(b"\n", b"\r\n"),
             "both": b"\xef\xbb\xbf" + plain.replace(b"\n", b"\r\n"),
             "no_last_newline": plain.rstrip(b"\n")}
    answers = {}
    for name, text in texts.items():
        store = make_store(name)
        result = ok(store.try_ingest("hourly", text_file(store, text)))
        assert report_of(result)["landed"] == 2, name
        assert "warning" not in result.err.lower(), f"{name}\n{result}"
        answers[name] = store.sql_text("SELECT mn, factor, ts, value, flag FROM hourly ORDER BY ts")
    assert len(set(answers.values())) == 1, answers


@pytest.mark.parametrize("encoding", ["gbk", "utf-8"])
def test_chinese_names_in_gbk_come_out_right_or_the_file_is_refused(store, encoding):
    name = "武汉钢铁有限公司"
    text = f"enterprise_id,since,name,city\nE1,2020-01-01,{name},武汉\n"
    result = store.try_ingest("enterprises", text_file(store, text, encoding=encoding))
    if encoding == "gbk" and result.code != 0:
        failed(result)
        return
    report = report_of(ok(result))
    if encoding == "gbk" and report["rejected"]:
        assert (report["landed"], len(rejects(store))) == (0, 1)
        return
    got = store.sql("SELECT name, city FROM enterprises")
    assert got.to_dict("records") == [{"name": name, "city": "武汉"}]


def test_gbk_in_a_column_nobody_wants_is_no_hindrance_to_balance(filled):
    text = (HEADER.strip() + ",备注\n" + line().strip() + ",正常\n").encode("gbk")
    result = filled.try_ingest("hourly", text_file(filled, text))
    if result.code == 0:
        report = report_of(result)
        assert filled.count("hourly") == 24 + report["landed"]
    else:
        failed(result)
        lands_nothing(filled)


def test_a_line_of_50_mb_does_not_crash_and_is_accounted_for(filled):
    text = HEADER + line() + line(mn="X" * 50_000_000, ts="2026-01-02 04:00:00") + line(
        ts="2026-01-02 05:00:00")
    result = filled.try_ingest("hourly", text_file(filled, text), timeout=300)
    if result.code == 0:
        report = report_of(result)
        assert report["read"] == 3 and report["landed"] >= 2
        assert filled.count("hourly") == 24 + report["landed"]
    else:
        failed(result)
        lands_nothing(filled)


def test_a_row_with_too_few_or_too_many_fields_is_rejected_alone(filled):
    text = HEADER + line() + f"{MN},a21026\n" + line(ts="2026-01-02 05:00:00").strip() + ",1,2,3\n"
    text += line(ts="2026-01-02 06:00:00")
    report = filled.ingest("hourly", text_file(filled, text))
    assert (report["read"], report["landed"], report["rejected"]) == (4, 2, 2)


def test_quoted_fields_with_commas_and_line_breaks_are_one_field(store):
    text = 'enterprise_id,since,name,city\nE1,2020-01-01,"A, ""B""\nC",武汉\n'
    assert store.ingest("enterprises", text_file(store, text))["landed"] == 1
    got = store.sql("SELECT name FROM enterprises")
    assert list(got["name"]) == ['A, "B"\nC']


# ---------------------------------------------------------------- usage


def test_unknown_table_fails_and_is_named(filled):
    path = write_csv(good_rows(), filled.file(".csv"))
    failed(filled.try_ingest("hourlies", path), code=(1, 2), naming=["hourlies"])
    failed(filled.try_sql("SELECT * FROM hourlies"), naming=["hourlies"])
    lands_nothing(filled)


@pytest.mark.parametrize("args", [
    ["ingest", "--stone", "S"], ["ingest"], ["sql", "--store"], ["frobnicate"], [],
    ["ingest", "--store", "S", "--table", "hourly", "--format", "xml", "f"],
    ["sql", "--store", "S", "-c", "SELECT 1", "--format", "yaml"],
])
def test_wrong_usage_exits_2(tmp_path, args):
    result = run(*args, cwd=tmp_path)
    assert result.code == 2, str(result)
    assert result.err.strip(), "usage says what is wrong"
    assert not (tmp_path / "S").exists(), "wrong usage made a store"


@pytest.mark.parametrize("command", [
    ["sql", "-c", "SELECT count(*) FROM hourly"], ["check"], ["compact"], ["vacuum"]])
def test_missing_store_fails_and_is_not_made(tmp_path, command):
    path = tmp_path / "nowhere"
    failed(run(command[0], "--store", path, *command[1:]), naming=["nowhere"])
    assert not path.exists(), "asking a store that is not there made one"


def test_wrong_sql_fails_with_one_error_line(filled):
    failed(filled.try_sql("SELEC 1"))
    failed(filled.try_sql("SELECT no_such_column FROM hourly"), naming=["no_such_column"])
    failed(filled.try_sql("SELECT no_such_function(value) FROM hourly"))
    failed(filled.try_sql("SELECT * FROM emissions('2026-02-30', '2026-04-01', 'month')"))
    failed(filled.try_sql("SELECT * FROM emissions('2026-01-01', '2026-04-01', 'fortnight')"))


def test_read_only_store_fails_and_says_so(filled):
    if os.geteuid() == 0:
        pytest.skip("running as root: permissions do not bind root, so no store is read-only")
    path = write_csv(good_rows(5, start="2026-02-01"), filled.file(".csv"))
    folders = [filled.path, *(p for p in filled.path.rglob("*") if p.is_dir())]
    for folder in folders:
        folder.chmod(0o555)
    try:
        failed(filled.try_ingest("hourly", path))
        assert filled.count("hourly") == 24
    finally:
        for folder in folders:
            folder.chmod(0o755)


def newer_log(store):
    """As a newer writer would leave it: a protocol this binary does not know."""
    log = store.path / "tables" / "hourly" / "_delta_log"
    last = max(int(p.stem) for p in log.glob("*.json"))
    protocol = {"protocol": {"minReaderVersion": 99, "minWriterVersion": 99,
                             "readerFeatures": ["fromTheFuture"],
                             "writerFeatures": ["fromTheFuture"]}}
    (log / f"{last + 1:020d}.json").write_text(json.dumps(protocol) + "\n")


def test_store_of_a_newer_version_is_refused_not_misread(filled):
    newer_log(filled)
    failed(filled.try_sql("SELECT count(*) FROM hourly"))
    path = write_csv(good_rows(5, start="2026-02-01"), filled.file(".csv"))
    files = sorted(p for p in filled.path.rglob("*") if p.is_file())
    failed(filled.try_ingest("hourly", path))
    assert sorted(p for p in filled.path.rglob("*") if p.is_file()) == files, "it wrote"


# ---------------------------------------------------------------- --strict


@pytest.mark.parametrize("bad", [
    line(flag="X"), line(factor="hello"), line(ts="2026-02-30 00:00:00"), line(value="abc")])
def test_strict_with_a_rejected_row_exits_1_and_lands_nothing(filled, bad):
    good = "".join(line(ts=f"2026-02-01 {h:02}:00:00") for h in range(5))
    path = text_file(filled, HEADER + good + bad)
    failed(filled.try_ingest("hourly", path, strict=True))
    lands_nothing(filled)
    # the same file without --strict lands its good rows: nothing was remembered as done
    report = filled.ingest("hourly", path)
    assert (report["landed"], report["rejected"]) == (5, 1)


def test_strict_with_one_bad_file_of_several_lands_none_of_them(filled):
    good = write_csv(good_rows(5, start="2026-02-01"), filled.file(".csv"))
    bad = text_file(filled, HEADER + line(flag="X"))
    failed(filled.try_ingest("hourly", good, bad, strict=True))
    lands_nothing(filled)


def test_strict_with_good_rows_lands_them(filled):
    rows = good_rows(5, start="2026-02-01")
    path = write_csv(rows, filled.file(".csv"))
    assert filled.ingest("hourly", path, strict=True)["landed"] == 5
