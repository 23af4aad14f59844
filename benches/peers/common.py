"""What the peers, the runner and the disk check share: packages, input files, result shapes."""

import glob
import importlib
import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent

MONTH_QUERIES = ("valid_months", "totals", "fixed_values")
QUARTER_QUERIES = ("emissions_substituted",)
QUERIES = MONTH_QUERIES + QUARTER_QUERIES
PATTERN_QUERIES = (
    "constant_runs",
    "replays",
    "rollup_mismatches",
    "conversion_mismatches",
    "load_correlation",
)


class BenchError(Exception):
    """A mistake the caller can mend; its text names the cause and the mend."""


def need(module):
    """Imports a module of requirements.txt, or says which pip command brings it."""
    try:
        return importlib.import_module(module)
    except ImportError as cause:
        raise BenchError(
            f"Python package '{module}' cannot be imported ({cause}): "
            f"{sys.executable} -m pip install -r {HERE / 'requirements.txt'}"
        ) from cause


def result_schema(query):
    """Arrow schema of a query's result, one row per key (the first three columns), in any order.

    `month` is its first day; `mean` and `value` have the factor's unit; `mean` is NULL without a
    valid day, `mass_kg` where the quarter is not usable. Engines may return other integer or
    string types, they are cast to these.
    """
    pa = need("pyarrow")
    day, number, count, truth = pa.date32(), pa.float64(), pa.int64(), pa.bool_()
    hour, text = pa.timestamp("us"), pa.string()
    keys = [("mn", pa.string()), ("factor", pa.string())]
    others = {
        "valid_months": [("month", day), ("valid_days", count), ("mean", number), ("valid", truth)],
        "totals": [("month", day), ("mass_kg", number), ("measured_hours", count)],
        "fixed_values": [("first_day", day), ("last_day", day), ("days", count), ("value", number)],
        "emissions_substituted": [
            *(("month", day), ("mass_kg", number)),
            *(("measured_kg", number), ("substituted_kg", number)),
            *(("measured_hours", count), ("substituted_hours", count), ("missing_hours", count)),
            *(("capture_rate", number), ("usable", truth)),
        ],
        "constant_runs": [("started", hour), ("ended", hour), ("hours", count), ("value", number)],
        "replays": [("started", hour), ("earlier", hour)],
        "rollup_mismatches": [("day", day), *((n, number) for n in ("sent", "mean", "deviation"))],
        "conversion_mismatches": [("month", day), ("hours", count), ("off_hours", count)],
        "load_correlation": [("month", day), ("hours", count), ("rho", number)],
        "pattern_findings": [("started", hour), ("ended", hour), ("pattern", text), ("evidence", text)],
    }
    return pa.schema(keys + others[query])


def key_names(query):
    """The columns that tell the rows of a query's result apart."""
    return result_schema(query).names[:3]


def shaped(table, query):
    """The table with the columns, their order and their types as `result_schema` has them."""
    schema = result_schema(query)
    missing = [name for name in schema.names if name not in table.column_names]
    if missing:
        raise BenchError(f"result of {query} lacks {missing}; it must have {schema.names}")
    try:
        return table.select(schema.names).cast(schema)
    except need("pyarrow").ArrowException as cause:
        raise BenchError(f"result of {query} has wrong types: {cause}; wanted {schema}") from cause


def input_files(pattern):
    """Absolute paths of the Parquet files a glob matches (`**` descends), sorted by path."""
    files = sorted(os.path.abspath(path) for path in glob.glob(pattern, recursive=True))
    if not files:
        raise BenchError(f"no file matches '{pattern}': quote the glob and give the folder's path")
    logs = [path for path in files if "/_delta_log/" in path]
    if logs:
        raise BenchError(
            f"'{pattern}' matches the Delta log ({logs[0]}): name the data folders instead, "
            "such as 'STORE/tables/hourly/month=*/*/*.parquet'"
        )
    return files


def fail(error):
    """Ends the program with status 1 and one line on standard error."""
    print(f"error: {error}", file=sys.stderr)
    raise SystemExit(1)
