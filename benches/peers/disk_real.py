"""Bytes per row on disk of real hourly series: hourly air quality of ../../../shared/data.

python3 disk_real.py --plume BIN [--shared DIR]

The sets name no time of arrival: each hour of a station gets one, 2 to 90 s after the hour's end, in
milliseconds. Laid out twice: as they are (up to five years of three stations, a file a month), and
each month of each station as an outlet of its own in one month, as a province's month is. Plume:
landed and compacted. DuckDB: as in disk.py, one file of the same rows in the order of Plume's files.
"""

import argparse
import os
import subprocess
import tempfile

from common import fail, need
from disk import WRITERS, duckdb_size, store_size

BEIJING = {"PM2.5": "a34004", "PM10": "a34002", "SO2": "a21026", "NO2": "a21004", "CO": "a21005",
           "O3": "a05024"}
ITALY = {"CO(GT)": "a21005", "NOx(GT)": "a21002", "NO2(GT)": "a21004", "C6H6(GT)": "a25002",
         "NMHC(GT)": "a24088"}
FILES = {
    "PRSADONGSI00": ("beijing-prsa/prsa_dongsi.parquet", BEIJING),
    "PRSAHUAIROU0": ("beijing-prsa/prsa_huairou.parquet", BEIJING),
    "UCIAIRQUALIT": ("airquality-uci/airquality.parquet", ITALY),
}
MONTH = "2026-01-01"


def arguments():
    """The command line."""
    parser = argparse.ArgumentParser(description="bytes per row of real series, Plume against DuckDB")
    parser.add_argument("--plume", required=True, help="the plume binary")
    default = os.path.join(os.path.dirname(__file__), "..", "..", "..", "shared")
    parser.add_argument("--shared", default=default, help="where the real series are")
    return parser.parse_args()


def hours(pd, shared, path, factors):
    """Hours by pollutant, missing as NaN."""
    d = pd.read_parquet(os.path.join(shared, "data", path))
    if "year" in d:
        d.index = pd.to_datetime(d[["year", "month", "day", "hour"]])
    else:
        d.index = pd.to_datetime(d["Date"] + " " + d["Time"])
        d = d.replace(-200, float("nan"))
    return d.loc[~d.index.duplicated(), list(factors)].astype(float)


def rows(shared, as_one_month):
    """All series as rows of `hourly`."""
    pd, np = need("pandas"), need("numpy")
    random = np.random.default_rng(7)
    series = []
    for mn, (path, factors) in FILES.items():
        d = hours(pd, shared, path, factors)
        late = pd.to_timedelta(random.integers(2_000, 90_000, len(d)), unit="ms")
        for column, factor in factors.items():
            one = pd.DataFrame({"mn": mn + "000000000000", "factor": factor, "ts": d.index,
                                "value": d[column].to_numpy(), "flag": "N",
                                "received_at": d.index + pd.Timedelta(hours=1) + late})
            series.append(one.dropna(subset=["value"]))
    d = pd.concat(series, ignore_index=True)
    if as_one_month:
        month = d["ts"].dt.to_period("M").dt.to_timestamp()
        d["mn"] = d["mn"].str[:12] + month.dt.strftime("%Y%m") + "000000"
        for column in ("ts", "received_at"):
            d[column] += pd.Timestamp(MONTH) - month
    return d.astype({"ts": "datetime64[us]", "received_at": "datetime64[us]"})


def measure(plume, shared, as_one_month, folder):
    """Prints bytes a row of one layout."""
    source, store = os.path.join(folder, "rows.parquet"), os.path.join(folder, "store")
    rows(shared, as_one_month).to_parquet(source)
    for command in (["ingest", "--store", store, "--table", "hourly", source],
                    ["compact", "--store", store]):
        subprocess.run([plume, *command], check=True, capture_output=True)
    count, size, received_at = store_size(store)
    table = need("deltalake").DeltaTable(os.path.join(store, "tables", "hourly"))
    files = sorted(uri.removeprefix("file://") for uri in table.file_uris())
    print(f"\n{'One month' if as_one_month else 'As they are'}: {count:,} rows, {len(files)} files\n")
    print("| written by | received_at | bytes a row | Plume / it |\n|---|---|---:|---:|")
    for label, columns, own in (("with", "*", size), ("without", "* EXCLUDE received_at", size - received_at)):
        print(f"| Plume | {label} | {own / count:.3f} | 1.00 |")
        for name, writer in WRITERS.items():
            peer = duckdb_size(files, columns, writer, folder)
            print(f"| {name} | {label} | {peer / count:.3f} | {own / peer:.2f} |")


def main():
    """Measures both layouts."""
    args = arguments()
    if not os.path.isdir(os.path.join(args.shared, "data")):
        fail(f"no data at '{args.shared}': name the folder by --shared")
    for as_one_month in (False, True):
        with tempfile.TemporaryDirectory() as folder:
            measure(args.plume, args.shared, as_one_month, folder)


if __name__ == "__main__":
    main()
