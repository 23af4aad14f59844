"""The two questions, asked of each peer as well as it can be asked.

Input: Parquet files with one row per (mn, factor, ts), `ts` the start of the hour, on the hour.
An hour is valid if flag = 'N' and value is not NULL.

valid_months: a row per (mn, factor, month) that has any row, air factors only (code begins with
  'a'). A day is valid with at least 20 valid hours, its mean is the arithmetic mean of them.
  valid_days: number of valid days. mean: arithmetic mean of the valid days' means, NULL without
  one. valid: valid_days >= 25, in February 23.
totals: a row per (mn, factor, month) with at least one measured hour, for SO2, NOx and dust. An
  hour is measured if the concentration and the flow (a00000, m3/s) are both valid.
  mass_kg: sum of max(value, 0) [mg/m3] * coalesce(flow total [m3], flow value * 3600) * 1e-6.
  measured_hours: their number.

How the wordings were chosen: `tried` in each class gives CPU seconds (user + system; the machine
was shared, so the clock said little) of the best of three warm runs with two threads over 2,400
outlets, 60 % of them air (10.7 million rows, 17 sorted files, zstd), versions of requirements.txt.
A figure like "x 1.8" is relative to the kept wording and was measured over 600 outlets only.
The best ones were run again over 6,000 outlets (26.6 million rows) and kept their order.
Only the fastest wording is kept.
"""

import os

from common import BenchError, input_files, need

POLLUTANTS = ("a21026", "a21002", "a34013")
FLOW = "a00000"
HOURS_OF_DAY_DUE = 20


def sql_list(words):
    """Words as the inside of an SQL list of strings: 'a', 'b'."""
    return ", ".join("'" + word.replace("'", "''") + "'" for word in words)


class DuckDb:
    """DuckDB over read_parquet, one connection, its own caches on.

    tried, valid_months:
      0.26 CASE in a subquery, then plain count and avg (kept)
      0.26 the same with factor >= 'a' AND factor < 'b'; with sum / count instead of avg
      x 1.1 FILTER clauses on every aggregate; day as an integer from epoch_us
      x 2.4 mn replaced by an integer through a join
      x 4.5 one GROUP BY by month with 2 x 31 filtered aggregates
    tried, totals:
      0.62 GROUP BY mn, ts with max(CASE ...) per factor, no join (kept)
      0.63 the same with FILTER; 0.66 with ts as an integer hour
      0.69 join of the flow with the three pollutants side by side by (mn, ts)
      0.73 self join on (mn, ts), both sides reduced before it
      x 1.8 self join on an integer made of outlet number and hour
      1.17 flow packed as 24-hour lists, joined by (mn, day), then indexed
    no gain: parquet_metadata_cache (left on), the external file cache off
    """

    def __init__(self, pattern, threads):
        self.duckdb = need("duckdb")
        self.source = f"read_parquet([{sql_list(input_files(pattern))}], hive_partitioning=false)"
        self.connection = self.duckdb.connect(config={"threads": threads})
        self.connection.execute("SET preserve_insertion_order = false")
        self.connection.execute("SET parquet_metadata_cache = true")

    def version(self):
        """DuckDB's version."""
        return self.duckdb.__version__

    def run(self, query):
        """Plans and runs a query; returns its whole result as an Arrow table."""
        return self.connection.sql(getattr(self, query)()).to_arrow_table()

    def valid_months(self):
        """SQL of valid_months."""
        return f"""
            WITH hours AS (
                SELECT mn, factor, ts, CASE WHEN flag = 'N' THEN value END AS value
                FROM {self.source} WHERE factor LIKE 'a%'
            ), days AS (
                SELECT mn, factor, ts::DATE AS day,
                       CASE WHEN count(value) >= {HOURS_OF_DAY_DUE} THEN avg(value) END AS mean
                FROM hours GROUP BY ALL
            ), months AS (
                SELECT mn, factor, date_trunc('month', day)::DATE AS month,
                       count(mean) AS valid_days, avg(mean) AS mean
                FROM days GROUP BY ALL
            )
            SELECT *, valid_days >= CASE WHEN month(month) = 2 THEN 23 ELSE 25 END AS valid
            FROM months"""

    def totals(self):
        """SQL of totals: pollutants and flow side by side (columns p0, p1, p2, m3) per hour."""
        numbers = range(len(POLLUTANTS))
        beside = ", ".join(
            f"max(CASE WHEN factor = '{factor}' THEN value END) AS p{i}"
            for i, factor in enumerate(POLLUTANTS)
        )
        # greatest() skips NULL in DuckDB, so the filter leaves out hours without a value.
        sums = ", ".join(
            f"sum(greatest(p{i}, 0) * m3 * 1e-6) FILTER (p{i} IS NOT NULL) AS kg{i}, "
            f"count(p{i}) AS n{i}"
            for i in numbers
        )
        unpivot = [
            f"unnest([{', '.join(name + str(i) for i in numbers)}]) AS {column}"
            for name, column in (("kg", "mass_kg"), ("n", "measured_hours"))
        ]
        return f"""
            WITH hours AS (
                SELECT mn, ts, {beside},
                       max(CASE WHEN factor = '{FLOW}' THEN coalesce(total, value * 3600) END) AS m3
                FROM {self.source}
                WHERE factor IN ({sql_list((FLOW, *POLLUTANTS))})
                  AND flag = 'N' AND value IS NOT NULL
                GROUP BY mn, ts
            ), months AS (
                SELECT mn, date_trunc('month', ts)::DATE AS month, {sums}
                FROM hours WHERE m3 IS NOT NULL GROUP BY ALL
            ), long AS (
                SELECT mn, month, unnest([{sql_list(POLLUTANTS)}]) AS factor, {', '.join(unpivot)}
                FROM months
            )
            SELECT * FROM long WHERE measured_hours > 0"""


class ClickHouse:
    """ClickHouse inside this process (chdb) over the table function file().

    The columns are declared instead of inferred: inferred ones are all Nullable and ts a
    DateTime64(6), which costs 15 % and more.

    tried, valid_months:
      0.43 one GROUP BY by month with the -Resample combinator over the day of month (kept)
      0.47 the same over DateTime64; 0.48 GROUP BY day, then by month; 0.49-0.54 over DateTime64
      0.57 inferred columns; 0.58 LowCardinality(factor, flag); 0.69 LowCardinality(mn) too
      no gain: max_parsing_threads, block sizes, two-level thresholds, PREWHERE, no checksums
    tried, totals:
      0.68 GROUP BY mn, month into one array per factor with the hour as index (kept)
      0.73 GROUP BY mn, ts with anyIf per factor, ARRAY JOIN; 0.80 -Resample arrays of 744
      0.85 arrays per (mn, factor, month), then a join of these few rows
      0.94 self join, full_sorting_merge; 1.29 parallel_hash; 1.4 hash
    """

    COLUMNS = (
        "mn String, factor String, ts DateTime(''UTC''), value Nullable(Float64), "
        "total Nullable(Float64), flag String"
    )
    SETTINGS = (
        "use_hive_partitioning = 0, output_format_arrow_date_as_uint16 = 0, "
        "output_format_arrow_string_as_string = 1"
    )
    VALID = "flag = 'N' AND isNotNull(value)"

    def __init__(self, pattern, threads):
        input_files(pattern)
        self.chdb = need("chdb")
        self.session = need("chdb.session").Session()
        path = sql_list([os.path.abspath(pattern)])
        self.source = f"file({path}, Parquet, '{self.COLUMNS}')"
        self.settings = f"SETTINGS max_threads = {threads}, {self.SETTINGS}"

    def version(self):
        """chdb's version and that of the ClickHouse inside."""
        inside = self.session.query("SELECT version()", "TabSeparated").bytes().decode().strip()
        return f"{self.chdb.__version__} (ClickHouse {inside})"

    def run(self, query):
        """Plans and runs a query; returns its whole result as an Arrow table."""
        return self.session.query(f"{getattr(self, query)()} {self.settings}", "ArrowTable")

    def valid_months(self):
        """SQL of valid_months; counts and sums are arrays over the days 1 to 31 of the month."""
        return f"""
            SELECT mn, factor, month,
                   arrayCount(n -> n >= {HOURS_OF_DAY_DUE}, counts) AS valid_days,
                   if(valid_days = 0, NULL,
                      arraySum((n, s) -> if(n >= {HOURS_OF_DAY_DUE}, s / n, 0), counts, sums)
                      / valid_days) AS mean,
                   CAST(valid_days >= if(toMonth(month) = 2, 23, 25) AS Bool) AS valid
            FROM (
                SELECT mn, factor, toStartOfMonth(ts) AS month,
                       countIfResample(1, 32, 1)({self.VALID}, toDayOfMonth(ts)) AS counts,
                       sumIfResample(1, 32, 1)(
                           assumeNotNull(value), {self.VALID}, toDayOfMonth(ts)) AS sums
                FROM {self.source} WHERE startsWith(factor, 'a')
                GROUP BY mn, factor, month
            )"""

    def totals(self):
        """SQL of totals; arrays have 744 places, one per hour of the month, NaN where not valid."""
        hour = "toUInt16((toDayOfMonth(ts) - 1) * 24 + toHour(ts))"

        def by_hour(value, factor):
            return f"groupArrayInsertAtIf(nan, 744)({value}, {hour}, factor = '{factor}')"

        pairs = ", ".join(f"('{p}', {by_hour('assumeNotNull(value)', p)})" for p in POLLUTANTS)
        flow = by_hour("assumeNotNull(coalesce(total, value * 3600))", FLOW)
        return f"""
            SELECT mn, pair.1 AS factor, month,
                   arraySum((c, v) -> if(isNaN(c + v), 0, greatest(c, 0) * v * 1e-6), pair.2, m3)
                       AS mass_kg,
                   arrayCount((c, v) -> NOT isNaN(c + v), pair.2, m3) AS measured_hours
            FROM (
                SELECT mn, toStartOfMonth(ts) AS month, {flow} AS m3, [{pairs}] AS pairs
                FROM {self.source}
                WHERE factor IN ({sql_list((FLOW, *POLLUTANTS))}) AND {self.VALID}
                GROUP BY mn, month
            ) ARRAY JOIN pairs AS pair
            WHERE measured_hours > 0"""


class Polars:
    """Polars lazy over scan_parquet, streaming engine.

    tried, valid_months:
      0.30 flag masked before the GROUP BY, and the order (mn, factor, day) declared (kept; the
           order is declared only where the files' ranges of mn do not overlap, else 0.36)
      0.58 flag as a filter inside the aggregates
      x 1.2 keys cast to Categorical
      0.78 in-memory engine
    tried, totals:
      0.52 join of the three pollutants with the flow on (mn, ts) (kept)
      0.55 the same with the sides exchanged; 0.56 build_side = prefer_left; 0.64 Categorical keys
      0.61-0.72 GROUP BY mn, ts with a column per factor
      0.68 three sorted joins, one per pollutant
      0.77 in-memory engine
    """

    def __init__(self, pattern, threads):
        os.environ["POLARS_MAX_THREADS"] = str(threads)
        self.pl = need("polars")
        if self.pl.thread_pool_size() != threads:
            raise BenchError("polars was loaded before its thread count was set: use peer.py")
        files, self.in_order = files_by_outlet(input_files(pattern))
        self.hours = self.pl.scan_parquet(files, hive_partitioning=False)

    def version(self):
        """Polars' version."""
        return self.pl.__version__

    def run(self, query):
        """Plans and runs a query; returns its whole result as an Arrow table."""
        return getattr(self, query)().collect(engine="streaming").to_arrow()

    def valid_months(self):
        """Lazy frame of valid_months."""
        pl, col = self.pl, self.pl.col
        hours = self.hours.filter(col.factor.str.starts_with("a")).select(
            "mn", "factor", day=col.ts.dt.date(), value=pl.when(col.flag == "N").then(col.value)
        )
        if self.in_order:
            hours = hours.set_sorted("mn", "factor", "day")
        days = hours.group_by("mn", "factor", "day").agg(n=col.value.count(), mean=col.value.mean())
        months = (
            days.with_columns(mean=pl.when(col.n >= HOURS_OF_DAY_DUE).then(col.mean))
            .group_by("mn", "factor", month=col.day.dt.month_start())
            .agg(valid_days=col.mean.count(), mean=col.mean.mean())
        )
        due = pl.when(col.month.dt.month() == 2).then(23).otherwise(25)
        return months.with_columns(valid=col.valid_days >= due)

    def totals(self):
        """Lazy frame of totals."""
        pl, col = self.pl, self.pl.col
        valid = self.hours.filter((col.flag == "N") & col.value.is_not_null())
        flow = valid.filter(col.factor == FLOW).select(
            "mn", "ts", m3=pl.coalesce(col.total, col.value * 3600)
        )
        concentration = valid.filter(col.factor.is_in(POLLUTANTS)).select(
            "mn", "factor", "ts", value=pl.max_horizontal(col.value, 0.0)
        )
        return (
            concentration.join(flow, on=["mn", "ts"])
            .group_by("mn", "factor", month=col.ts.dt.date().dt.month_start())
            .agg(mass_kg=(col.value * col.m3 * 1e-6).sum(), measured_hours=pl.len())
        )


def files_by_outlet(files):
    """The files in the order of their smallest mn, and whether their ranges of mn are disjoint.

    Reads footers only. Within a file the rows are taken to be in the order (mn, factor, ts), as
    Plume writes them; if they were not, the results would differ and run.py would refuse them.
    """
    parquet = need("pyarrow.parquet")
    ranges = sorted((*outlet_range(parquet.read_metadata(path)), path) for path in files)
    disjoint = all(one[1] < other[0] for one, other in zip(ranges, ranges[1:]))
    return [path for _, _, path in ranges], disjoint


def outlet_range(metadata):
    """Smallest and greatest mn of a Parquet file by its row groups' statistics."""
    column = metadata.schema.to_arrow_schema().get_field_index("mn")
    if column < 0:
        raise BenchError("a file has no column 'mn': give files with the contract's columns")
    groups = range(metadata.num_row_groups)
    statistics = [metadata.row_group(group).column(column).statistics for group in groups]
    if any(one is None or not one.has_min_max for one in statistics):
        return ("", "\U0010ffff")
    return (min(one.min for one in statistics), max(one.max for one in statistics))


PEERS = {"duckdb": DuckDb, "clickhouse": ClickHouse, "polars": Polars}
