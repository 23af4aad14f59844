"""`plume export` and `plume verify` from outside: every kind and format, what a manifest proves, and
what is refused."""

import hashlib
import json
import shutil
import zipfile
from decimal import Decimal
from io import BytesIO
from xml.etree import ElementTree

import pandas as pd
import pyarrow.parquet as pq
import pytest

from conftest import Store, failed, long_rows, ok, run

KINDS = ["tax", "permit", "report", "disclosure"]
FORMATS = ["csv", "xlsx", "parquet"]
FUNCTIONS = {"tax": "tax_declaration", "permit": "permit_totals", "report": "report_figures",
             "disclosure": "disclosure"}
DAYS = pd.date_range("2026-01-01", "2026-02-01", freq="h", inclusive="left")


def province(store):
    """A stack and an outfall of one enterprise over a month, and a stack that nobody registered."""
    store.ingest_frame("enterprises", pd.DataFrame({
        "enterprise_id": ["E"], "name": ["武汉某厂"], "permit_no": ["9142"]}))
    store.ingest_frame("outlets", pd.DataFrame({
        "mn": ["STACK", "OUTFALL"], "since": ["2026-01-01"] * 2, "until": ["2026-02-01"] * 2,
        "enterprise_id": ["E"] * 2, "name": ["1号排气筒", "总排口"], "main_outlet": [True, True]}))
    store.ingest_frame("monitors", pd.DataFrame({
        "mn": ["STACK", "STACK", "OUTFALL"], "factor": ["a21002", "a34013", "w01018"],
        "limit_hour": [100.0, 10.0, None], "limit_day": [None, None, 50.0],
        "limit_basis": ["value"] * 3, "permit_annual_t": [60.0, 5.0, 9.0]}))
    parts = []
    for mn, values in {"STACK": {"a00000": 20.0, "a21002": 48.0, "a34013": 6.5},
                       "OUTFALL": {"w00000": 5.0, "w01018": 30.0},
                       "NOBODY": {"a00000": 3.0, "a21026": 12.0}}.items():
        for factor, value in values.items():
            parts.append(long_rows(mn, factor, DAYS, value))
    store.ingest_frame("hourly", pd.concat(parts, ignore_index=True))
    return store


@pytest.fixture(scope="module")
def landed(tmp_path_factory):
    return province(Store(tmp_path_factory.mktemp("exports") / "store"))


def export(store, kind, fmt, out, period="2026-01", code=0, **options):
    args = ["export", kind, "--store", store.path, "--period", period, "--format", fmt,
            "--out", out]
    for name, value in options.items():
        args += [f"--{name}", value]
    done = run(*args)
    assert done.code == code, done
    return done


def verify(store, out):
    return run("verify", out / "manifest.json", "--store", store.path)


def manifest_of(out):
    return json.loads((out / "manifest.json").read_text(encoding="utf-8"))


def sheets(path):
    """Sheet name -> rows of texts; cells without a value are left out."""
    space = {"m": "http://schemas.openxmlformats.org/spreadsheetml/2006/main"}
    with zipfile.ZipFile(path) as book:
        names = [s.get("name") for s in ElementTree.fromstring(
            book.read("xl/workbook.xml")).findall("m:sheets/m:sheet", space)]
        shared = ["".join(t.itertext()) for t in ElementTree.fromstring(
            book.read("xl/sharedStrings.xml")).findall("m:si", space)]
        found = {}
        for at, name in enumerate(names, 1):
            rows = []
            for row in ElementTree.fromstring(
                    book.read(f"xl/worksheets/sheet{at}.xml")).iter(f"{{{space['m']}}}row"):
                cells = []
                for cell in row.findall("m:c", space):
                    value = cell.find("m:v", space)
                    if value is not None:
                        cells.append(shared[int(value.text)] if cell.get("t") == "s" else value.text)
                rows.append(cells)
            found[name] = rows
        return found


# ---------------------------------------------------------------- every kind and format


@pytest.mark.parametrize("fmt", FORMATS)
@pytest.mark.parametrize("kind", KINDS)
def test_an_export_has_the_rows_of_its_function_and_verifies(landed, tmp_path, kind, fmt):
    out = tmp_path / "out"
    told = json.loads(export(landed, kind, fmt, out).out)
    manifest = manifest_of(out)
    path = out / f"{kind}.{fmt}"
    assert {p.name for p in out.iterdir()} == {path.name, "manifest.json"}
    [file] = manifest["files"]
    assert file["name"] == path.name and file["bytes"] == path.stat().st_size
    assert file["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert told["files"] == manifest["files"]
    rows = landed.count(f"{FUNCTIONS[kind]}('2026-01')")
    assert rows > 0 and file["rows"] == rows
    if fmt == "csv":
        frame = pd.read_csv(path)
    elif fmt == "parquet":
        frame = pq.read_table(path).to_pandas()
    else:
        frame = None
        assert sum(len(r) - 1 for name, r in sheets(path).items() if name != "说明") == rows
    if frame is not None:
        assert len(frame) == rows
        asked = landed.sql(f"SELECT * FROM {FUNCTIONS[kind]}('2026-01') LIMIT 1")
        assert list(frame.columns) == list(asked.columns)
    assert manifest["kind"] == kind and manifest["format"] == fmt and manifest["period"] == "2026-01"
    assert manifest["tables"]["hourly"] >= 0 and manifest["query"].startswith("SELECT")
    assert [s["name"] for s in manifest["rule_sets"]] == ["hubei-2021"]
    assert manifest["rule_sets"][0]["lapsed"] is True
    ok(verify(landed, out))


def test_the_tax_of_an_export_is_what_a_hand_computes(landed, tmp_path):
    """Flow 20 m³/s × 3600 s × 744 h = 53 568 000 m³. NOx 48 mg/m³: 2571.264 kg ÷ 0.95 × 2.4 =
    6495.8248…, halved as 48 of 100 is more than half below: 3247.91. Dust 6.5 of 10: 348.192 kg ÷
    2.18 × 1.2 × 75 % = 143.749…. COD 5 L/s × 3.6 × 744 = 13 392 m³ × 30 mg/L = 401.76 kg × 2.8 ×
    75 % = 843.696. NOBODY: 8 035 200 m³ × 12 = 96.4224 kg ÷ 0.95 × 2.4 = 243.593…"""
    out = tmp_path / "out"
    export(landed, "tax", "csv", out)
    rows = pd.read_csv(out / "tax.csv", dtype=str).set_index(["mn", "factor"])
    due = {("STACK", "a21002"): "3247.91", ("STACK", "a34013"): "143.75",
           ("OUTFALL", "w01018"): "843.70", ("NOBODY", "a21026"): "243.59"}
    assert rows["tax_cny"].to_dict() == due
    export(landed, "tax", "parquet", tmp_path / "parquet")
    money = pq.read_table(tmp_path / "parquet" / "tax.parquet")["tax_cny"].to_pylist()
    assert sum(money) == Decimal("4478.95")
    export(landed, "tax", "xlsx", tmp_path / "xlsx")
    notes = sheets(tmp_path / "xlsx" / "tax.xlsx")["说明"]
    assert ["应纳税额合计(元)", "4478.95"] in notes


def test_a_workbook_has_chinese_headers_sheets_by_outlets_and_notes(landed, tmp_path):
    export(landed, "tax", "xlsx", tmp_path / "tax")
    book = sheets(tmp_path / "tax" / "tax.xlsx")
    assert list(book) == ["废气排放口", "废水排放口", "说明"]
    header = book["废气排放口"][0]
    assert "设备唯一标识" in header and "污染物排放量(kg)" in header and "应纳税额(元)" in header
    assert len(book["废气排放口"]) == 4 and len(book["废水排放口"]) == 2
    notes = [cell for row in book["说明"] for cell in row]
    assert "tax_small_cut_pct" in notes and "recall" in notes
    # smoke dust's equivalent is from memory, too
    assert ["pollution_equivalents", "a34013", "2.18"] in [row[:3] for row in book["说明"]]
    export(landed, "permit", "xlsx", tmp_path / "permit")
    book = sheets(tmp_path / "permit" / "permit.xlsx")
    assert list(book) == ["废气排放口", "废水排放口", "主要排放口合计", "说明"]
    assert len(book["主要排放口合计"]) == 4


def test_the_manifest_lists_the_unconfirmed_rules_that_were_used(landed, tmp_path):
    def keys(kind):
        export(landed, kind, "csv", tmp_path / kind)
        rules = manifest_of(tmp_path / kind)["unconfirmed_rules"]
        assert all(rule["mark"] in ("recall", "default") and rule["clause"] for rule in rules)
        return {rule["key"] for rule in rules}

    tax, permit, disclosure = keys("tax"), keys("permit"), keys("disclosure")
    assert {"tax_large_cut_pct", "tax_cut_scope", "water_pool_days", "a34013"} <= tax
    assert "permit_missing_share" in permit and not any(k.startswith("tax_") for k in permit)
    assert "water_day_share" in disclosure and "water_pool_days" not in disclosure


def test_options_of_rules_are_kept_and_verified(landed, tmp_path):
    out = tmp_path / "out"
    rules = "hubei-2021,tax_large_cut_below_pct=60"
    export(landed, "tax", "csv", out, rules=rules)
    rows = pd.read_csv(out / "tax.csv", dtype=str).set_index(["mn", "factor"])
    # 6495.8248… × 75 % = 4871.868…
    assert rows.loc[("STACK", "a21002"), "tax_cny"] == "4871.87"
    manifest = manifest_of(out)
    assert manifest["rules"] == rules
    used = {r["key"]: r["value"] for r in manifest["unconfirmed_rules"]}
    assert used["tax_large_cut_below_pct"] == "60"
    ok(verify(landed, out))


def test_periods_with_nothing_have_headers_and_verify(landed, tmp_path):
    for fmt in FORMATS:
        out = tmp_path / fmt
        export(landed, "tax", fmt, out, period="2019Q2")
        assert manifest_of(out)["files"][0]["rows"] == 0
        ok(verify(landed, out))
    assert (tmp_path / "csv" / "tax.csv").read_text().startswith("enterprise_id,mn,")


@pytest.mark.parametrize("period", ["2026", "2026Q1", "2026-W02", "2026-01-31"])
def test_disclosure_takes_every_kind_of_period(landed, tmp_path, period):
    export(landed, "disclosure", "csv", tmp_path / "out", period=period)
    ok(verify(landed, tmp_path / "out"))


# ---------------------------------------------------------------- what is proved


@pytest.mark.parametrize("fmt", FORMATS)
@pytest.mark.parametrize("kind", KINDS)
def test_an_export_verifies_after_corrections_and_compaction(tmp_path, kind, fmt):
    store = province(Store(tmp_path / "store"))
    out = tmp_path / "out"
    export(store, kind, fmt, out)
    before = store.sql_text(f"SELECT * FROM {FUNCTIONS[kind]}('2026-01') ORDER BY mn, factor")
    late = pd.concat([long_rows("STACK", "a21002", DAYS[:400], 99.0),
                      long_rows("OUTFALL", "w01018", DAYS[:400], 10.0),
                      long_rows("LATER", "a21002", DAYS[:400], 10.0)], ignore_index=True)
    store.ingest_frame("hourly", late)
    store.ingest_frame("monitors", pd.DataFrame({
        "mn": ["STACK"], "factor": ["a21002"], "limit_hour": [50.0]}))
    store.ingest_frame("stoppages", pd.DataFrame({
        "mn": ["STACK"], "kind": ["production"], "started": ["2026-01-10"],
        "ended": ["2026-01-12"]}))
    after = store.sql_text(f"SELECT * FROM {FUNCTIONS[kind]}('2026-01') ORDER BY mn, factor")
    assert after != before, "the corrections change the figures"
    ok(verify(store, out))
    store.compact()
    ok(verify(store, out))


@pytest.mark.parametrize("fmt", FORMATS)
@pytest.mark.parametrize("kind", KINDS)
def test_one_changed_byte_fails_and_names_the_file(landed, tmp_path, kind, fmt):
    out = tmp_path / "out"
    export(landed, kind, fmt, out)
    path = out / f"{kind}.{fmt}"
    bytes_ = bytearray(path.read_bytes())
    for at in (len(bytes_) // 2, len(bytes_) - 1, 0):
        changed = bytearray(bytes_)
        changed[at] ^= 1
        path.write_bytes(changed)
        failed(verify(landed, out), naming=[path.name, "changed"])
    path.write_bytes(bytes_)
    ok(verify(landed, out))


def test_the_row_that_was_changed_is_named(landed, tmp_path):
    out = tmp_path / "csv"
    export(landed, "tax", "csv", out)
    text = (out / "tax.csv").read_text(encoding="utf-8")
    (out / "tax.csv").write_text(text.replace("843.70", "43.70"), encoding="utf-8")
    row = next(i for i, line in enumerate(text.splitlines()) if "843.70" in line)
    failed(verify(landed, out), naming=["tax.csv", f"row {row}", "43.70"])
    # a table written anew, with another figure
    out = tmp_path / "parquet"
    export(landed, "permit", "parquet", out)
    table = pq.read_table(out / "permit.parquet").to_pandas()
    table.loc[2, "permitted_t"] = 1000.0
    table.to_parquet(out / "permit.parquet")
    failed(verify(landed, out), naming=["permit.parquet", "changed"])
    out = tmp_path / "xlsx"
    export(landed, "tax", "xlsx", out)
    rewritten = BytesIO()
    with zipfile.ZipFile(out / "tax.xlsx") as book, zipfile.ZipFile(rewritten, "w") as copy:
        for name in book.namelist():
            body = book.read(name)
            if name == "xl/worksheets/sheet2.xml":
                body = body.replace(b"<v>843.7</v>", b"<v>43.7</v>")
            copy.writestr(name, body)
    (out / "tax.xlsx").write_bytes(rewritten.getvalue())
    failed(verify(landed, out), naming=["tax.xlsx", "sheet2.xml", "row 2"])


def test_a_forged_manifest_fails(landed, tmp_path):
    """A changed file whose checksum was put into the manifest is still not what the store gives."""
    out = tmp_path / "out"
    export(landed, "tax", "csv", out)
    path = out / "tax.csv"
    path.write_text(path.read_text(encoding="utf-8").replace("843.70", "43.70"), encoding="utf-8")
    manifest = manifest_of(out)
    genuine = json.dumps(manifest)
    manifest["files"][0].update(sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
                                bytes=path.stat().st_size)
    (out / "manifest.json").write_text(json.dumps(manifest))
    failed(verify(landed, out), naming=["tax.csv", "the store gives other figures"])
    for field, value in [("period", "2026-02"), ("kind", "report"), ("format", "parquet"),
                         ("rules", "hubei-2021,tax_ranks_air=1"), ("files", []),
                         ("as_of", "2020-01-01 00:00:00"), ("query", "SELECT 1"),
                         ("unconfirmed_rules", []), ("rule_sets", [])]:
        forged = {**json.loads(genuine), field: value}
        export(landed, "tax", "csv", out)
        (out / "manifest.json").write_text(json.dumps(forged))
        failed(verify(landed, out))
        (out / "manifest.json").write_text(genuine)


def test_files_that_are_absent_or_another_store_fail(landed, tmp_path):
    out = tmp_path / "out"
    export(landed, "tax", "csv", out)
    other = province(Store(tmp_path / "other"))
    failed(verify(other, out), naming=["tax.csv"])
    (out / "tax.csv").unlink()
    failed(verify(landed, out), naming=["tax.csv"])
    failed(run("verify", tmp_path / "nothing.json", "--store", landed.path), naming=["nothing.json"])
    (out / "manifest.json").write_text("{}")
    failed(verify(landed, out), naming=["manifest.json", "plume export"])
    failed(run("verify", out / "manifest.json", "--store", tmp_path / "nowhere"),
           naming=["there is no store"])


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize("period", ["2026Q5", "26", "soon", "", "2026-02-30", "2026'; --"])
def test_a_bad_period_is_wrong_usage(landed, tmp_path, period):
    done = export(landed, "tax", "csv", tmp_path / "out", period=period, code=2)
    assert "2026Q1" in done.err and not (tmp_path / "out").exists()


@pytest.mark.parametrize("kind", ["tax", "permit", "report"])
@pytest.mark.parametrize("period", ["2026-W05", "2026-01-31"])
def test_totals_take_whole_months(landed, tmp_path, kind, period):
    done = export(landed, kind, "csv", tmp_path / "out", period=period, code=1)
    failed(done, naming=["whole months"])
    assert not (tmp_path / "out").exists()


def test_unknown_kinds_formats_and_rules(landed, tmp_path):
    out = tmp_path / "out"
    assert "disclosure" in export(landed, "money", "csv", out, code=2).err
    assert "parquet" in export(landed, "tax", "pdf", out, code=2).err
    failed(export(landed, "tax", "csv", out, code=1, rules="nowhere-1999"), naming=["nowhere-1999"])
    assert not out.exists()


def test_a_missing_store_is_named_and_not_made(tmp_path):
    nowhere = Store(tmp_path / "nowhere")
    failed(export(nowhere, "tax", "csv", tmp_path / "out", code=1), naming=["there is no store"])
    assert not nowhere.path.exists() and not (tmp_path / "out").exists()


def test_a_folder_with_other_things_is_refused(landed, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    export(landed, "tax", "csv", out)
    first = manifest_of(out)
    export(landed, "tax", "csv", out)
    assert manifest_of(out)["as_of"] > first["as_of"], "the same export again takes its place"
    before = {p.name: p.read_bytes() for p in out.iterdir()}
    for kind, fmt, period in [("permit", "csv", "2026-01"), ("tax", "xlsx", "2026-01"),
                              ("tax", "csv", "2026Q1")]:
        failed(export(landed, kind, fmt, out, period=period, code=1), naming=["another export"])
    assert {p.name: p.read_bytes() for p in out.iterdir()} == before
    full = tmp_path / "full"
    full.mkdir()
    (full / "letter.txt").write_text("mine")
    failed(export(landed, "tax", "csv", full, code=1), naming=["not empty"])
    failed(export(landed, "tax", "csv", full / "letter.txt", code=1), naming=["letter.txt"])
    assert [p.name for p in full.iterdir()] == ["letter.txt"]


def test_nothing_half_written_is_left_where_writing_fails(landed, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    # a folder in the place of the file: the last step, the rename, fails
    export(landed, "tax", "csv", out)
    (out / "tax.csv").unlink()
    (out / "tax.csv").mkdir()
    failed(export(landed, "tax", "csv", out, code=1), naming=["tax.csv"])
    assert sorted(p.name for p in out.iterdir()) == ["manifest.json", "tax.csv"]
    shutil.rmtree(out)
