"""Bytes per row on disk: Plume's table `hourly` against DuckDB's Parquet of the same rows.

python3 disk.py --files GLOB --store S

Plume: sizes of the live files by the Delta log (the log itself not counted); without received_at:
less that column's chunks, by the footers. DuckDB: COPY of the rows of --files, in their order,
into one Parquet file with zstd, with its default row groups (122,880 rows) and with 1,000,000 rows
each, which is smaller. PARQUET_VERSION v2 was tried too: 1.6 times the bytes.
"""

import argparse
import os
import tempfile

from common import BenchError, fail, input_files, need
from queries import sql_list

WRITERS = {
    "DuckDB": "FORMAT parquet, COMPRESSION zstd",
    "DuckDB, large row groups": "FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 1000000",
}


def arguments():
    """The command line."""
    parser = argparse.ArgumentParser(description="bytes per row, Plume against DuckDB")
    parser.add_argument("--files", required=True, help="glob of Parquet files, quoted")
    parser.add_argument("--store", required=True, help="local Plume store with the same rows")
    return parser.parse_args()


def store_size(store):
    """(rows, bytes, bytes of received_at) of the live files of `hourly` in a local store."""
    table_folder = os.path.join(store.removeprefix("file://"), "tables", "hourly")
    if not os.path.isdir(os.path.join(table_folder, "_delta_log")):
        raise BenchError(f"no Delta table at '{table_folder}': give --store a local Plume store")
    pa, table = need("pyarrow"), need("deltalake").DeltaTable(table_folder)
    sizes = pa.table(table.get_add_actions(flatten=True))["size_bytes"].to_pylist()
    metadata = [need("pyarrow.parquet").read_metadata(path) for path in table.file_uris()]
    rows = sum(file.num_rows for file in metadata)
    return rows, sum(sizes), sum(column_bytes(file, "received_at") for file in metadata)


def column_bytes(metadata, name):
    """Compressed bytes of one column in a Parquet file; 0 if it has no such column."""
    column = metadata.schema.to_arrow_schema().get_field_index(name)
    if column < 0:
        return 0
    groups = range(metadata.num_row_groups)
    return sum(metadata.row_group(i).column(column).total_compressed_size for i in groups)


def duckdb_size(files, columns, writer, folder):
    """Bytes of the Parquet file DuckDB writes from the files' rows; `columns` is a SELECT list."""
    out = os.path.join(folder, "copy.parquet")
    source = f"read_parquet([{sql_list(files)}], hive_partitioning = false)"
    with need("duckdb").connect() as connection:
        connection.execute("SET preserve_insertion_order = true")
        connection.execute(
            f"COPY (SELECT {columns} FROM {source}) TO {sql_list([out])} ({writer})"
        )
    return os.path.getsize(out)


def sizes_by_writer(store, files, folder):
    """The store's rows, and per writer (bytes with received_at, bytes without)."""
    rows, size, received = store_size(store)
    parquet = need("pyarrow.parquet")
    given = sum(parquet.read_metadata(path).num_rows for path in files)
    if rows != given:
        raise BenchError(
            f"the store has {rows} hourly rows, the files have {given}: land exactly these files"
        )
    sizes = {"Plume": (size, size - received)}
    if "received_at" not in parquet.read_schema(files[0]).names:
        raise BenchError(f"'{files[0]}' has no received_at: give files with all hourly columns")
    for name, writer in WRITERS.items():
        sizes[name] = tuple(
            duckdb_size(files, columns, writer, folder)
            for columns in ("*", "* EXCLUDE (received_at)")
        )
    return rows, sizes


def markdown(rows, sizes):
    """Markdown table of bytes per row and ratio to Plume, with and without received_at."""
    lines = [
        f"{rows:,} rows",
        "",
        "| written by | received_at | bytes | bytes a row | Plume = 1 |",
        "|---|---|---:|---:|---:|",
    ]
    for number, received in enumerate(("with", "without")):
        for name, pair in sizes.items():
            size, plume = pair[number], sizes["Plume"][number]
            lines.append(
                f"| {name} | {received} | {size:,} | {size / rows:.2f} | {size / plume:.2f} |"
            )
    return "\n".join(lines)


def main():
    """Measures and prints the table."""
    args = arguments()
    try:
        files = input_files(args.files)
        with tempfile.TemporaryDirectory(prefix="plume-disk-") as folder:
            rows, sizes = sizes_by_writer(args.store, files, folder)
    except BenchError as error:
        fail(error)
    print(markdown(rows, sizes))


if __name__ == "__main__":
    main()
