"""Every published HJ 212 packet of ../shared/domain/vectors is accepted or refused as
SOURCES.md says. The CRC below is an independent one, to check the list itself."""

import json
import re

import pandas as pd
import pytest

from conftest import SHARED, Store, num, ok, report_of, shared, stamp

FOLDER = ("domain", "vectors")
# what SOURCES.md says of the packets that are not valid: (file, line) -> defects
BAD_CRC, BAD_LENGTH, CUT, MODBUS = "bad_crc", "bad_length", "incomplete", "modbus"
DEFECTS = {
    ("magictodo-hj212-protocol.txt", 1): {BAD_CRC},
    ("magictodo-hj212-protocol.txt", 4): {BAD_CRC},
    ("rxlee-hj-t212-parser.txt", 2): {BAD_CRC},
    ("scair-hj212-distribute.txt", 1): {CUT},
    ("tonyxia2016-hj212receiver.txt", 1): {BAD_CRC},
    ("tonyxia2016-hj212receiver.txt", 2): {BAD_CRC},
    ("github-index-misc.txt", 1): {BAD_LENGTH, BAD_CRC},
    ("github-index-misc.txt", 5): {BAD_CRC},
    ("github-index-misc.txt", 6): {BAD_LENGTH, BAD_CRC},
    ("github-index-misc.txt", 16): {BAD_LENGTH},
    **{("linqiu126-hcu-modbus-crc.txt", n): {MODBUS} for n in range(1, 11)},
}
# other words for the same defect that a verdict may begin with
WORDS = {
    BAD_CRC: ("bad_crc", "bad-crc", "crc"),
    BAD_LENGTH: ("bad_length", "bad-length", "length", "incomplete", "malformed"),
    CUT: ("incomplete", "truncated", "malformed", "bad_length", "no_crc", "missing_crc"),
}
ACCEPTED = ("ok", "repaired")


def packets(path):
    return [line.decode("ascii") for line in path.read_bytes().split(b"\n") if line]


def crc(data, hj=True):
    value = 0xFFFF
    for byte in data:
        value = (value >> 8) ^ byte if hj else value ^ byte
        for _ in range(8):
            value = (value >> 1) ^ (0xA001 if value & 1 else 0)
    return value


def vector_files():
    return sorted(p.name for p in SHARED.joinpath(*FOLDER).glob("*.txt"))


FILES = vector_files() or ["std-hj212-2017-annexA.txt"]


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory):
    """file -> [(packet, verdict)], each file in a store of its own; also its report."""
    root = tmp_path_factory.mktemp("vectors")
    known = {}

    def of(name):
        if name not in known:
            path = shared(*FOLDER, name)
            store = Store(root / name.removesuffix(".txt"))
            report = report_of(ok(store.try_ingest("packets", path, fmt="hj212")))
            known[name] = (read_verdicts(store), report, store)
        return known[name]

    return of


def plain(raw):
    """The packet's text; a binary column is printed as hex."""
    raw = "" if raw is None or raw != raw else raw
    if not raw.startswith("##") and re.fullmatch(r"(0x)?([0-9a-fA-F]{2})+", raw):
        raw = bytes.fromhex(raw.removeprefix("0x")).decode("ascii")
    return raw.rstrip("\r\n")


def read_verdicts(store):
    got = store.sql("SELECT raw, verdict FROM packets")
    return pd.Series(got["verdict"].to_list(), index=[plain(r) for r in got["raw"]], dtype=object)


def test_the_list_of_defects_is_what_the_bytes_say():
    """130 valid and 20 not, by an independent CRC: the expectation below is not ours alone."""
    shared(*FOLDER, "SOURCES.md")
    valid = 0
    for name in vector_files():
        for n, text in enumerate(packets(shared(*FOLDER, name)), 1):
            data = text.encode()
            size = int(data[2:6]) if data[2:6].isdigit() else -1
            body, tail = data[6:6 + size], data[6 + size:].upper()
            whole = size > 0 and len(body) == size and len(tail) == 4
            good = whole and tail == b"%04X" % crc(body)
            assert good == ((name, n) not in DEFECTS), (name, n)
            if whole and tail == b"%04X" % crc(body, hj=False):
                assert DEFECTS[name, n] == {MODBUS}
            valid += good
    assert (valid, len(DEFECTS)) == (130, 20)


@pytest.mark.parametrize("name", FILES)
def test_each_packet_of_a_file_has_one_row_with_its_bytes(verdicts, name):
    got, report, _ = verdicts(name)
    expected = packets(shared(*FOLDER, name))
    assert sorted(got.index) == sorted(expected), json.dumps(report)
    assert report["read"] >= len(expected)


@pytest.mark.parametrize("name", FILES)
def test_packets_are_accepted_or_refused_as_sources_md_says(verdicts, name):
    got, _, _ = verdicts(name)
    wrong = []
    for n, text in enumerate(packets(shared(*FOLDER, name)), 1):
        if text not in got.index:
            wrong.append((n, "no row"))
            continue
        verdict = str(got[text]).lower()
        defects = DEFECTS.get((name, n))
        if defects is None:
            good = verdict.startswith(ACCEPTED)
        elif defects == {MODBUS}:
            good = MODBUS in verdict and not verdict.startswith(ACCEPTED)
        else:
            good = verdict.startswith(tuple(w for d in defects for w in WORDS[d]))
        if not good:
            wrong.append((n, verdict, text[:60], defects or "valid"))
    assert not wrong, wrong


def test_a_lower_case_crc_and_a_crc_of_few_values_are_accepted(verdicts):
    """Senders write hex in either case: 8c41 and f001 are published, valid packets."""
    for name in ("chenqi92-alltobs-hj212.txt", "zblzbl1991-hj-212-parser.txt"):
        got, _, _ = verdicts(name)
        assert all(str(v).startswith(ACCEPTED) for v in got), dict(got)


def test_a_stray_separator_or_a_misspelt_suffix_does_not_refuse_a_packet(verdicts):
    """`LA-td` and the `;` before `&&` of a published packet are repaired, not refused."""
    got, _, _ = verdicts("teafull-hjt212.txt")
    odd = [v for raw, v in got.items() if "LA-td" in raw]
    assert len(odd) == 1 and str(odd[0]).startswith(ACCEPTED), odd


def test_packets_of_several_files_in_one_ingest_land_once_each(tmp_path):
    files = [shared(*FOLDER, n) for n in FILES]
    store = Store(tmp_path / "store")
    store.ingest("packets", *files, fmt="hj212")
    every = sorted(p for f in files for p in packets(f))
    assert sorted(read_verdicts(store).index) == every
    again = store.ingest("packets", *files, fmt="hj212")
    assert again["landed"] == 0, again
    assert sorted(read_verdicts(store).index) == every


def test_packets_on_the_wire_with_cr_lf_get_the_same_verdicts(verdicts, tmp_path):
    name = "github-index-misc.txt"
    wire = tmp_path / "wire.txt"
    wire.write_bytes(b"".join(p.encode() + b"\r\n" for p in packets(shared(*FOLDER, name))))
    store = Store(tmp_path / "store")
    store.ingest("packets", wire, fmt="hj212")
    assert read_verdicts(store).sort_index().to_dict() == verdicts(name)[0].sort_index().to_dict()


def test_an_hour_packet_lands_its_values_in_table_hourly(tmp_path):
    """Line 13 of the miscellany, CN=2061: -Avg is the value, -Cou the total, DataTime the start."""
    line = packets(shared(*FOLDER, "github-index-misc.txt"))[12]
    assert "CN=2061" in line and "DataTime=20210722130000" in line
    path = tmp_path / "hour.txt"
    path.write_bytes(line.encode() + b"\r\n")
    store = Store(tmp_path / "store")
    store.ingest("hourly", path, fmt="hj212")
    got = store.sql("SELECT mn, factor, ts, value, value_min, value_max, total, flag FROM hourly "
                    "ORDER BY factor").set_index("factor")
    assert list(got.index) == ["a00000", "a01011", "a01012", "a01013", "a01014", "a05002",
                               "a19001", "a24087", "a24088"]
    assert set(got["mn"]) == {"NEWPROTOCOLTEST000000092"}
    assert set(stamp(got["ts"]).astype(str)) == {"2021-07-22 13:00:00"}
    figures = num(got.loc["a24088", ["value", "value_min", "value_max", "total"]])
    assert list(figures) == [0.0196, 0.0, 0.1988, 0.0003]
    assert float(got.loc["a00000", "total"]) == 12758.2462
    assert (got.loc["a24088", "flag"], got.loc["a19001", "flag"]) == ("N", "T")
