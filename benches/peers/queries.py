"""The questions, asked of each peer as well as it can be asked.

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
fixed_values: a row per run of at least 3 consecutive days with one value, air factors only. The
  files hold January 2026. A day has a value with at least 20 valid hours: their mean, rounded to
  6 decimals. A day without one, or without any row, ends a run.
  first_day, last_day, days: the run's. value: its days' value.
emissions_substituted: totals of the first quarter of 2026 with what stands in for hours that were
  not measured: a row per (mn, factor, month), for every (mn, factor) of SO2, NOx and dust that has
  any row. The files hold 2025-10-01 to 2026-03-31; all outlets are registered since before, so
  each hour of the quarter is due. A gap is a run of hours not measured (as in totals); it may
  begin before the quarter. Left out on both sides, for the store has none of them: stops, checks
  of monitors, manual samples, minutes; and water (Plume's query asks for factor LIKE 'a%').
  capture_rate: measured hours of the quarter / 2160. usable: at least 0.75.
  Each hour of a gap takes the greatest hourly mass of the last N measured hours before the gap,
  as far as the files reach: N = 180 in a gap of up to 24 h, 720 in a longer one, 2160 whatever
  the gap where capture_rate < 0.9. If not usable, or nothing was measured before: missing.
  measured_kg, substituted_kg, measured_hours, substituted_hours, missing_hours: sums over the
  month. mass_kg: measured_kg + substituted_kg, NULL unless usable.

How the wordings were chosen: `tried` in each class gives CPU seconds (user + system; the machine
was shared, so the clock said little) of the best of three warm runs with two threads over 2,400
outlets, 60 % of them air (10.7 million rows, 17 sorted files, zstd), versions of requirements.txt.
A figure like "x 1.8" is relative to the kept wording and was measured over 600 outlets only.
The best ones were run again over 6,000 outlets (26.6 million rows) and kept their order.
Only the fastest wording is kept. fixed_values was tried over the province-month itself (6,000
outlets), emissions_substituted over 600 outlets of the half-year (15.2 million rows); figures are
CPU seconds again.
"""

import os
from datetime import date

from common import BenchError, input_files, need

POLLUTANTS = ("a21026", "a21002", "a34013")
FLOW = "a00000"
HOURS_OF_DAY_DUE = 20
DECIMALS = 6
RUN_DAYS = 3


def hour_of(day):
    """The day's first hour, counted from 1970."""
    return (day - date(1970, 1, 1)).days * 24


# The files' first day, and the months of the quarter as (first day, first hour, hour after last).
DATA_START = date(2025, 10, 1)
MONTHS = [
    (start, hour_of(start), hour_of(end))
    for start, end in (
        (date(2026, 1, 1), date(2026, 2, 1)),
        (date(2026, 2, 1), date(2026, 3, 1)),
        (date(2026, 3, 1), date(2026, 4, 1)),
    )
]
START, END = MONTHS[0][1], MONTHS[-1][2]
HOURS_DUE = END - START
HOURS_USABLE, HOURS_HIGH = HOURS_DUE * 3 // 4, HOURS_DUE * 9 // 10
SHORT_GAP = 24
POOL_SHORT, POOL_LONG, POOL_LOW_CAPTURE = 180, 720, 2160


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
    tried, fixed_values (the days alone: 0.78):
      1.00 GROUP BY value first, islands only of values that three days share (kept)
      1.15 day - row_number() over all days; 1.33 lag() and a running count
    tried, emissions_substituted (pollutants and flow side by side alone: 0.96):
      2.4 a list per series, sorted once per outlet by list_grade_up; maximum of each 12 hours by
          list_transform, a pool is a stride through these (kept; 6, 20 and 36 hours: 2.4-2.6)
      2.8 the same without maxima of 12 hours (each pool walked hour by hour)
      3.7 list_max of a slice a gap (a slice copies its list); 5-6 slices of blocks' maxima
      5.0 max() OVER 180 rows, longer pools by lag(); 7.0 three windows (both over 55 of 60 rows)
      the list sorted in list(... ORDER BY ts): x 1.15
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

    def fixed_values(self):
        """SQL of fixed_values: the days of each value as a list, then islands in these few."""
        return f"""
            WITH days AS (
                SELECT mn, factor, ts::DATE AS day,
                       CASE WHEN count(value) >= {HOURS_OF_DAY_DUE}
                            THEN round(avg(value), {DECIMALS}) END AS value
                FROM (
                    SELECT mn, factor, ts, CASE WHEN flag = 'N' THEN value END AS value
                    FROM {self.source} WHERE factor LIKE 'a%'
                ) GROUP BY ALL
            ), often AS (
                SELECT mn, factor, value, list_sort(list(day)) AS day
                FROM days WHERE value IS NOT NULL GROUP BY ALL HAVING count(*) >= {RUN_DAYS}
            ), each AS (
                SELECT mn, factor, value, unnest(day) AS day, unnest(range(len(day)))::INT AS i
                FROM often
            )
            SELECT mn, factor, min(day) AS first_day, max(day) AS last_day, count(*) AS days, value
            FROM each GROUP BY mn, factor, value, day - i HAVING count(*) >= {RUN_DAYS}"""

    def emissions_substituted(self):
        """SQL of emissions_substituted.

        Per series, in time order: `hour`, the measured hours, and `kg`, their masses; `kg12` the
        greatest of each 12 up to an hour. A place r after which hours lack is a gap's; a pool of
        N hours is kg12 at r, r - 12 ... (a place before the first is 0, which holds no value).
        """
        numbers = range(len(POLLUTANTS))
        factors = sql_list(POLLUTANTS)
        beside = ", ".join(
            f"max(CASE WHEN factor = '{factor}' THEN value END) AS p{i}"
            for i, factor in enumerate(POLLUTANTS)
        )
        # greatest() skips NULL in DuckDB: p * 0 brings it back.
        lists = ", ".join(
            f"list((greatest(p{i}, 0) + p{i} * 0) * m3 * 1e-6) AS k{i}" for i in numbers
        )
        sorted_lists = ", ".join(f"list_select(k{i}, by_hour)" for i in numbers)
        before = [f"len(list_filter(hour, lambda h: h < {start}))" for _, start, _ in MONTHS]
        months = ", ".join(
            f"(DATE '{day}', {start}, {end}, {number})"
            for number, (day, start, end) in enumerate(MONTHS, 1)
        )
        return f"""
            WITH hours AS (
                SELECT mn, ts, {beside},
                       max(CASE WHEN factor = '{FLOW}' THEN coalesce(total, value * 3600) END) AS m3
                FROM {self.source}
                WHERE factor IN ('{FLOW}', {factors}) AND flag = 'N' AND value IS NOT NULL
                GROUP BY mn, ts
            ), outlets AS (
                SELECT *, list_grade_up(hour) AS by_hour
                FROM (
                    SELECT mn, list((epoch_us(ts) // 3600000000)::INT) AS hour, {lists}
                    FROM hours WHERE m3 IS NOT NULL GROUP BY mn
                )
            ), carried AS (
                SELECT mn, unnest([{factors}]) AS factor, list_select(hour, by_hour) AS hour,
                       unnest([{sorted_lists}]) AS kg
                FROM outlets
            ), measured AS (
                SELECT mn, factor,
                       list_where(hour, list_transform(kg, lambda x: x IS NOT NULL)) AS hour,
                       list_filter(kg, lambda x: x IS NOT NULL) AS kg
                FROM carried
            ), series AS MATERIALIZED (
                SELECT *, [{', '.join(before)}, len(hour)] AS places,
                       (places[{len(MONTHS) + 1}] - places[1])::BIGINT AS n
                FROM measured
            ), months AS (
                FROM (VALUES {months}) AS v(month, start, after, number)
            ), gaps AS (
                SELECT mn, factor, n, hour, kg12, unnest(list_filter(
                    range(1, len(hour) + 1),
                    lambda r: coalesce(hour[r + 1], {END}) > greatest(hour[r] + 1, {START}))) AS r
                FROM (
                    SELECT *, list_transform(kg4, lambda x, i: greatest(
                        x, kg4[greatest(i - 4, 0)], kg4[greatest(i - 8, 0)])) AS kg12
                    FROM (
                        SELECT *, list_transform(kg, lambda x, i: greatest(
                            x, kg[greatest(i - 1, 0)], kg[greatest(i - 2, 0)],
                            kg[greatest(i - 3, 0)])) AS kg4
                        FROM series WHERE n >= {HOURS_USABLE}
                    )
                )
            ), filled AS (
                SELECT mn, factor, hour[r] + 1 AS first, coalesce(hour[r + 1], {END}) AS after,
                       CASE WHEN n < {HOURS_HIGH} THEN {POOL_LOW_CAPTURE}
                            WHEN after - first <= {SHORT_GAP} THEN {POOL_SHORT}
                            ELSE {POOL_LONG} END AS pool,
                       list_max(list_transform(
                           range(0, least(r, pool), 12), lambda back: kg12[r - back])) AS kg
                FROM gaps
            ), substituted AS (
                SELECT mn, factor, month, sum(hours)::BIGINT AS hours, sum(hours * kg) AS kg
                FROM (
                    SELECT mn, factor, month, kg,
                           least(filled.after, months.after) - greatest(first, start) AS hours
                    FROM filled JOIN months ON first < months.after AND filled.after > start
                ) GROUP BY ALL
            ), sums AS (
                SELECT keys.mn, keys.factor, months.month, after - start AS due,
                       coalesce(series.n, 0) AS n,
                       coalesce(places[number + 1] - places[number], 0) AS measured_hours,
                       coalesce(list_sum(series.kg[places[number] + 1 : places[number + 1]]), 0)
                           AS measured_kg,
                       coalesce(substituted.hours, 0) AS substituted_hours,
                       coalesce(substituted.kg, 0) AS substituted_kg
                FROM (
                    SELECT DISTINCT mn, factor FROM {self.source} WHERE factor IN ({factors})
                ) AS keys
                CROSS JOIN months LEFT JOIN series USING (mn, factor)
                LEFT JOIN substituted USING (mn, factor, month)
            )
            SELECT *, n / {HOURS_DUE} AS capture_rate, n >= {HOURS_USABLE} AS usable,
                   CASE WHEN usable THEN measured_kg + substituted_kg END AS mass_kg,
                   due - measured_hours - substituted_hours AS missing_hours
            FROM sums"""


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
    tried, fixed_values:
      1.23 the arrays over the days of the month of valid_months, runs by their firsts (kept)
      1.95 GROUP BY day, then by value, islands only of values that three days share
    tried, emissions_substituted (one array of 4,368 hours per series, summed, alone: 1.09):
      1.6 greatest of 2, 4, 8 ... 2160 measured hours up to each by shifted arrays (kept)
      x 28 (of 50 outlets) if(n < ..., [], gaps) instead of a filter on the gaps
      not tried: windows, whose frames ClickHouse adds up anew for every row
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

    def fixed_values(self):
        """SQL of fixed_values; counts, sums and values are arrays over the days 1 to 31."""
        first = f"toDate('{MONTHS[0][0]}')"
        return f"""
            SELECT mn, factor,
                   {first} + (run.1 - 1) AS first_day, {first} + (run.2 - 1) AS last_day,
                   toInt64(run.2 - run.1 + 1) AS days, values[run.1] AS value
            FROM (
                SELECT mn, factor,
                       arrayMap(
                           (n, s) -> if(n >= {HOURS_OF_DAY_DUE}, round(s / n, {DECIMALS}), nan),
                           counts, sums) AS values,
                       arrayMap((v, before) -> v != before, values, arrayShiftRight(values, 1, nan))
                           AS changes,
                       arrayFilter((day, change) -> change, range(1, 32), changes) AS firsts,
                       arrayFilter(run -> run.2 - run.1 + 1 >= {RUN_DAYS}, arrayZip(
                           firsts, arrayMap(day -> day - 1, arrayShiftLeft(firsts, 1, 32)))) AS runs
                FROM (
                    SELECT mn, factor,
                           countIfResample(1, 32, 1)({self.VALID}, toDayOfMonth(ts)) AS counts,
                           sumIfResample(1, 32, 1)(
                               assumeNotNull(value), {self.VALID}, toDayOfMonth(ts)) AS sums
                    FROM {self.source} WHERE startsWith(factor, 'a') GROUP BY mn, factor
                )
            ) ARRAY JOIN runs AS run"""

    def emissions_substituted(self):
        """SQL of emissions_substituted.

        Hours are counted from the files' first: arrays over all of them, NaN where not valid, then
        over the measured ones. m2 is the greatest of 2 hours up to each, m4 that of 4, and so on.
        """
        zero = hour_of(DATA_START)
        length = END - zero
        hour = f"toUInt16(intDiv(toUnixTimestamp(ts), 3600) - {zero})"

        def by_hour(value, factor):
            condition = f"factor = '{factor}' AND {self.VALID}"
            return f"groupArrayInsertAtIf(nan, {length})({value}, {hour}, {condition})"

        pairs = ", ".join(
            f"('{p}', {by_hour('assumeNotNull(value)', p)}, countIf(factor = '{p}'))"
            for p in POLLUTANTS
        )
        flow = by_hour("assumeNotNull(coalesce(total, value * 3600))", FLOW)
        widths = (1, 2, 4, 8, 16, 32, 64, 128, POOL_SHORT, 360, POOL_LONG, 1440, POOL_LOW_CAPTURE)
        source = f"""
            SELECT mn, pair.1 AS factor,
                   arrayMap((c, v) -> greatest(c, 0) * v * 1e-6 + c * 0, pair.2, m3) AS kg,
                   arrayFilter(x -> NOT isNaN(x), kg) AS m1
            FROM (
                SELECT mn, {flow} AS m3, [{pairs}] AS pairs
                FROM {self.source} WHERE factor IN ({sql_list((FLOW, *POLLUTANTS))})
                GROUP BY mn
            ) ARRAY JOIN pairs AS pair WHERE pair.3 > 0"""
        # A subquery each: as aliases of one, each of which stands twice in the next, they are
        # planned 4,096 times over.
        for half, width in zip(widths, widths[1:]):
            shifted = f"arrayShiftRight(m{half}, {width - half}, 0.)"
            maximum = f"arrayMap((a, b) -> greatest(a, b), m{half}, {shifted}) AS m{width}"
            source = f"SELECT *, {maximum} FROM ({source})"
        months = ", ".join(
            f"(toDate('{day}'), {start - zero}, {after - zero})" for day, start, after in MONTHS
        )
        in_month = "greatest(0, least(gap.2, after) - greatest(gap.1, start))"
        return f"""
            SELECT *, n / {HOURS_DUE} AS capture_rate,
                   CAST(n >= {HOURS_USABLE} AS Bool) AS usable,
                   if(usable, measured_kg + substituted_kg, NULL) AS mass_kg,
                   after - start - measured_hours - substituted_hours AS missing_hours
            FROM (
                SELECT mn, factor, n, period.1 AS month, toInt64(period.2) AS start,
                       toInt64(period.3) AS after,
                       arraySlice(kg, start + 1, after - start) AS of_month,
                       arraySum(x -> if(isNaN(x), 0, x), of_month) AS measured_kg,
                       toInt64(arrayCount(x -> NOT isNaN(x), of_month)) AS measured_hours,
                       arraySum(gap -> {in_month} * gap.3, gaps) AS substituted_kg,
                       toInt64(arraySum(gap -> {in_month}, gaps)) AS substituted_hours
                FROM (
                    SELECT mn, factor, kg, n, arrayFilter(
                        gap -> n >= {HOURS_USABLE} AND gap.2 > gap.1 AND gap.2 > {START - zero},
                        arrayMap(
                            (h, next, short, long, low) -> (h + 1, next, multiIf(
                                n < {HOURS_HIGH}, low, next - h - 1 <= {SHORT_GAP}, short, long)),
                            hours, arrayShiftLeft(hours, 1, {length}),
                            m{POOL_SHORT}, m{POOL_LONG}, m{POOL_LOW_CAPTURE})) AS gaps
                    FROM (
                        SELECT *, arrayFilter((h, x) -> NOT isNaN(x), range({length}), kg) AS hours,
                               arrayCount(h -> h >= {START - zero}, hours) AS n
                        FROM ({source})
                    )
                ) ARRAY JOIN [{months}] AS period
            )"""


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
    tried, fixed_values (the days alone: 1.39):
      1.82 days sorted, a run begins where anything changes (kept)
      1.97 GROUP BY value first, islands only of values that three days share
    tried, emissions_substituted (the join alone: 1.02):
      2.5 a list per series, sorted and rolled by list.eval, then exploded (kept)
      3.8 sorted by (mn, factor, ts), rolling_max().over(series)
      3.4-4.0 rolling_max() inside one GROUP BY; keys as integers or Categorical sort no faster
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

    def fixed_values(self):
        """Lazy frame of fixed_values."""
        pl, col = self.pl, self.pl.col
        hours = self.hours.filter(col.factor.str.starts_with("a")).select(
            "mn", "factor", day=col.ts.dt.date(), value=pl.when(col.flag == "N").then(col.value)
        )
        if self.in_order:
            hours = hours.set_sorted("mn", "factor", "day")
        days = (
            hours.group_by("mn", "factor", "day")
            .agg(n=col.value.count(), value=col.value.mean().round(DECIMALS))
            .filter(col.n >= HOURS_OF_DAY_DUE)
            .sort("mn", "factor", "day")
        )
        follows = col.day == col.day.shift() + pl.duration(days=1)
        for name in ("value", "factor", "mn"):
            follows &= col(name) == col(name).shift()
        return (
            days.with_columns(run=(~follows.fill_null(False)).cum_sum())
            .group_by("run")
            .agg(
                *(col.mn.first(), col.factor.first(), col.value.first()),
                first_day=col.day.min(),
                last_day=col.day.max(),
                days=pl.len(),
            )
            .filter(col.days >= RUN_DAYS)
        )

    def emissions_substituted(self):
        """Lazy frame of emissions_substituted; what is used twice is computed on the way.

        A row of `hours` is a measured hour with the next one and the greatest masses up to it.
        """
        pl, col, item = self.pl, self.pl.col, self.pl.element()
        series, months = ["mn", "factor"], ["mn", "factor", "month"]
        valid = self.hours.filter((col.flag == "N") & col.value.is_not_null())
        flow = valid.filter(col.factor == FLOW).select(
            "mn", "ts", m3=pl.coalesce(col.total, col.value * 3600)
        )
        of_series = (
            valid.filter(col.factor.is_in(POLLUTANTS))
            .select("mn", "factor", "ts", value=pl.max_horizontal(col.value, 0.0))
            .join(flow, on=["mn", "ts"])
            .select(
                *series,
                hour=col.ts.dt.timestamp("us") // 3_600_000_000,
                kg=col.value * col.m3 * 1e-6,
            )
            .group_by(series)
            .agg("hour", "kg")
            .collect(engine="streaming")
            .lazy()
            .with_columns(order=col.hour.list.eval(item.arg_sort()))
            .with_columns(col.hour.list.gather("order"), col.kg.list.gather("order"))
        )
        pools = {"short": POOL_SHORT, "long": POOL_LONG, "low": POOL_LOW_CAPTURE}
        hours = (
            of_series.with_columns(
                next=col.hour.list.eval(item.shift(-1)),
                **{
                    name: col.kg.list.eval(item.rolling_max(length, min_samples=1))
                    for name, length in pools.items()
                },
            )
            .drop("order")
            .explode("hour", "kg", "next", *pools)
            .with_columns(col.next.fill_null(END))
            .collect()
            .lazy()
        )
        periods = pl.LazyFrame(
            MONTHS, schema={"month": pl.Date, "start": pl.Int64, "after": pl.Int64}, orient="row"
        )
        month = pl.from_epoch(col.hour * 3600, "s").dt.date().dt.month_start()
        measured = (
            hours.filter(col.hour >= START)
            .group_by(*series, month=month)
            .agg(measured_hours=pl.len().cast(pl.Int64), measured_kg=col.kg.sum())
        )
        captures = measured.group_by(series).agg(n=col.measured_hours.sum())
        short = col.next - col.hour - 1 <= SHORT_GAP
        first, end = pl.max_horizontal(col.hour + 1, "start"), pl.min_horizontal("next", "after")
        substituted = (
            hours.filter((col.next > col.hour + 1) & (col.next > START))
            .join(captures.filter(col.n >= HOURS_USABLE), on=series)
            .join(periods, how="cross")
            .filter(end > first)
            .select(
                *months,
                hours=end - first,
                kg=pl.when(col.n < HOURS_HIGH)
                .then("low")
                .when(short)
                .then("short")
                .otherwise("long"),
            )
            .group_by(months)
            .agg(substituted_hours=col.hours.sum(), substituted_kg=(col.hours * col.kg).sum())
        )
        counted = ("n", "measured_hours", "measured_kg", "substituted_hours", "substituted_kg")
        return (
            self.hours.filter(col.factor.is_in(POLLUTANTS))
            .select(series)
            .unique()
            .join(periods, how="cross")
            .join(measured, on=months, how="left")
            .join(substituted, on=months, how="left")
            .join(captures, on=series, how="left")
            .with_columns(col(counted).fill_null(0))
            .with_columns(capture_rate=col.n / HOURS_DUE, usable=col.n >= HOURS_USABLE)
            .with_columns(
                mass_kg=pl.when("usable").then(col.measured_kg + col.substituted_kg),
                missing_hours=col.after - col.start - col.measured_hours - col.substituted_hours,
            )
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
