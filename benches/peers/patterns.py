"""Five patterns of tampering as SQL, asked of each peer as well as it can be asked.

Input: a compacted Plume store that holds January 2026, read by the peers through its live files: one
row per (mn, factor, ts), in this order within each file, no outlet in two files. A value is usable
if flag = 'N' and it is not NULL.

constant_runs (P1): a row per run of at least 24 equal usable values of a series. Hours without a
  usable value neither extend nor break a run. started, ended: its first and last hour.
replays (P6): a row per window of 24 consecutive usable hours, rounded to two decimals as
  floor(value * 100 + 0.5), that equals an earlier window of its series and has at least 20 distinct
  values. started: its first hour. earlier: the first hour of the series' first such window.
  Windows are compared by a hash of 64 bits.
rollup_mismatches (P17): a row per usable daily value whose day has at least 23 usable hours, of a
  mean above 0, from which it differs by more than 1 %.
conversion_mismatches (P12): SO2, NOx and dust: hours: usable ones with a converted value above 0
  and usable oxygen below 18 %. off_hours: those whose converted value differs by more than 2 % of
  itself from value * (21 - reference) / (21 - oxygen), the reference as registered last. A row per
  (mn, factor, month) where more than 5 % are off.
load_correlation (P19): a row per outlet and month: Spearman's correlation of load and flow (a00000,
  w00000), ties at their mean rank, over the hours where both are usable; NULL without variation.

This is the core statistic of each pattern and no more. Plume's side is one pass of all patterns of
`pattern_findings`, with what excuses them, scores and merging: it does more, and its rows are other
rows. So the peers' answers are compared with each other, cell by cell, before a time is told; and
of the deeds that were planted at medium or strong strength, those that the peers' rows show should
be among Plume's findings: run_patterns.py names those that are not. Of load_correlation that says
nothing: deeds are planted on pollutants, whose flow goes on following the load.

tried: CPU seconds (user + system; the machine was busy, the clock said little) of the best of two
or three warm runs with two threads over 1,500 outlets (6.7 million hourly rows in two files), versions of
requirements.txt. Only the fastest wording is kept.
"""

import os

import queries
from common import BenchError, need
from queries import FLOW, MONTHS, POLLUTANTS, files_by_outlet, sql_list

FIRST = MONTHS[0][0]
HOURS = MONTHS[0][2] - MONTHS[0][1]
FLOWS = (FLOW, "w00000")
OXYGEN = "a19001"
RUN, WINDOW, DISTINCT = 24, 24, 20
HOURS_OF_DAY, DAY_OFF = 23, 0.01
OXYGEN_MOST, HOUR_OFF, SHARE_OFF = 18, 0.02, 0.05
ROUNDED = "floor(value * 100 + 0.5)"


def live_files(store, table):
    """Absolute paths of the table's live files in the order of their outlets."""
    folder = os.path.abspath(os.path.join(store.removeprefix("file://"), "tables", table))
    if not os.path.isdir(os.path.join(folder, "_delta_log")):
        raise BenchError(f"no Delta table at '{folder}': give --store a local Plume store")
    uris = need("deltalake").DeltaTable(folder).file_uris()
    files, in_order = files_by_outlet([uri.removeprefix("file://") for uri in uris])
    if not in_order:
        raise BenchError(f"files of '{folder}' share outlets: run `plume compact --store {store}`")
    return files


class DuckDb(queries.DuckDb):
    """DuckDB over read_parquet. What needs the order of hours takes them as they stand in the files:
    a window without PARTITION or ORDER streams, and one branch of a UNION ALL per file makes the
    threads share the work.

    tried, constant_runs:
      0.39 equal to 1, 2, 4, 8, 16 values before by streaming lag(), islands of the few left (kept)
      1.9 series with value = lag(value, 23) by streaming, then windows over these alone
      1.9 streaming lag() to the changes, lead() from one to the next
      6.5 lag() and a running count, partitioned by series
    tried, replays (hashes alone: 0.5):
      1.56 hash of 2, 4, 8, 16, 24 hours from the one before and lag(), GROUP BY hash in the series
          where 8 hours come again (kept)
      1.66 the same in all series; 1.8 windows with repeated neighbours left out before
      not tried to the end: lists of hashes per series
    tried, rollup_mismatches:
      0.14 hours of outlets that send days, GROUP BY day, join (kept)
      0.17 join with the days first; 0.33 all outlets' hours
    tried, conversion_mismatches:
      0.56 GROUP BY mn, ts, the quotient side by side with the factor of oxygen (kept)
      0.68 value and converted value side by side; 0.77 join of the oxygen by (mn, ts)
    tried, load_correlation (the join alone: 0.33):
      0.78 windows per outlet's number (kept; one window ordered by number and value: 0.79)
      1.13 windows per mn; 1.67 ranks by GROUP BY of equal values; 0.86 sorted lists without ranks
    """

    def __init__(self, store, threads):
        self.duckdb = need("duckdb")
        self.connection = self.duckdb.connect(config={"threads": threads})
        self.connection.execute("SET preserve_insertion_order = true")
        self.connection.execute("SET parquet_metadata_cache = true")
        self.hourly_files = live_files(store, "hourly")
        self.hourly = self.of(self.hourly_files)
        self.daily, self.conditions, self.outlets = (
            self.of(live_files(store, table)) for table in ("daily", "conditions", "outlets")
        )

    @staticmethod
    def of(files):
        """The files as a source of rows."""
        return f"read_parquet([{sql_list(files)}], hive_partitioning = false)"

    def each_file(self, sql):
        """The rows of `sql(source)` of every hourly file."""
        return " UNION ALL ".join(f"(FROM ({sql(self.of([file]))}))" for file in self.hourly_files)

    def constant_runs(self):
        """SQL of constant_runs; `sN`: equal to each of the N usable values before."""

        def ends(source):
            """The last hour of each RUN equal values; `i` is one per run of a series."""
            return f"""
                WITH s1 AS (
                    SELECT mn, factor, ts, value, row_number() OVER () AS n,
                           lag(ts, {RUN - 1}) OVER () AS first,
                           value = lag(value) OVER () AND factor = lag(factor) OVER ()
                               AND mn = lag(mn) OVER () AS s1
                    FROM {source} WHERE flag = 'N' AND value IS NOT NULL
                ),
                s2 AS (SELECT *, s1 AND lag(s1, 1) OVER () AS s2 FROM s1),
                s4 AS (SELECT *, s2 AND lag(s2, 2) OVER () AS s4 FROM s2),
                s8 AS (SELECT *, s4 AND lag(s4, 4) OVER () AS s8 FROM s4),
                s16 AS (SELECT *, s8 AND lag(s8, 8) OVER () AS s16 FROM s8),
                s23 AS (SELECT *, s16 AND lag(s8, 15) OVER () AS s23 FROM s16)
                SELECT mn, factor, first, ts, value, n - row_number() OVER () AS i
                FROM s23 WHERE s23"""

        return f"""
            SELECT mn, factor, min(first) AS started, max(ts) AS ended,
                   count(*) + {RUN - 1} AS hours, any_value(value) AS value
            FROM ({self.each_file(ends)}) GROUP BY mn, factor, i"""

    def replays(self):
        """SQL of replays; `kN`: hash of the N usable values up to an hour.

        Of the 17 hours in a window up to which 8 lie within it, one is a multiple of 16: only series
        where 8 hours up to such a one come again are looked at any further.
        """

        def windows(source):
            """Hours, counted from 1970, with `k24` where they begin a window, `last8` of its end."""
            return f"""
                WITH k1 AS (
                    SELECT mn, factor, (epoch_us(ts) // 3600000000)::INT AS hour,
                           hash({ROUNDED}::BIGINT) AS k1
                    FROM {source} WHERE flag = 'N' AND value IS NOT NULL
                ),
                k2 AS (SELECT *, hash(k1, lag(k1, 1) OVER ()) AS k2 FROM k1),
                k4 AS (SELECT *, hash(k2, lag(k2, 2) OVER ()) AS k4 FROM k2),
                k8 AS (SELECT *, hash(k4, lag(k4, 4) OVER ()) AS k8 FROM k4),
                k16 AS (SELECT *, hash(k8, lag(k8, 8) OVER ()) AS k16 FROM k8),
                k24 AS (
                    SELECT mn, factor, hour - {WINDOW - 1} AS hour,
                           hash(mn, factor, k8) AS last8,
                           hash(mn, factor, k16, lag(k8, 16) OVER ()) AS k24,
                           lag(hour, {WINDOW - 1}) OVER () AS first,
                           factor = lag(factor, {WINDOW - 1}) OVER ()
                               AND mn = lag(mn, {WINDOW - 1}) OVER () AS same
                    FROM k16
                )
                SELECT mn, factor, hour, last8, CASE WHEN first = hour AND same THEN k24 END AS k24
                FROM k24"""

        return f"""
            WITH windows AS MATERIALIZED ({self.each_file(windows)}),
            sixteenth AS (
                SELECT last8, min(hour) AS low, max(hour) AS high
                FROM windows WHERE hour % 16 = 0 GROUP BY last8
            ), likely AS (
                SELECT DISTINCT mn, factor
                FROM windows JOIN sixteenth USING (last8) WHERE hour <> low OR hour <> high
            ), often AS (
                SELECT k24 FROM windows SEMI JOIN likely USING (mn, factor)
                WHERE k24 IS NOT NULL GROUP BY k24 HAVING count(*) > 1
            ), repeated AS (
                SELECT mn, factor, hour, k24, min(hour) OVER (PARTITION BY k24) AS first
                FROM windows JOIN often USING (k24)
            ), varied AS (
                SELECT k24
                FROM (SELECT mn, factor, hour AS first, k24 FROM repeated WHERE hour = first) AS w
                JOIN (
                    SELECT mn, factor, (epoch_us(ts) // 3600000000)::INT AS hour,
                           {ROUNDED} AS rounded
                    FROM {self.hourly} WHERE flag = 'N' AND value IS NOT NULL
                ) AS h ON h.mn = w.mn AND h.factor = w.factor
                      AND h.hour BETWEEN first AND first + {WINDOW - 1}
                GROUP BY k24 HAVING count(DISTINCT rounded) >= {DISTINCT}
            )
            SELECT mn, factor, make_timestamp(hour * 3600000000) AS started,
                   make_timestamp(first * 3600000000) AS earlier
            FROM repeated WHERE hour > first AND k24 IN (FROM varied)"""

    def rollup_mismatches(self):
        """SQL of rollup_mismatches."""
        return f"""
            WITH days AS (
                SELECT mn, factor, ts::DATE AS day, value AS sent
                FROM {self.daily} WHERE flag = 'N' AND value IS NOT NULL
            ), means AS (
                SELECT mn, factor, ts::DATE AS day, avg(value) AS mean
                FROM {self.hourly}
                WHERE flag = 'N' AND value IS NOT NULL AND mn IN (SELECT mn FROM days)
                GROUP BY ALL HAVING count(*) >= {HOURS_OF_DAY}
            )
            SELECT *, abs(sent - mean) / mean AS deviation
            FROM days JOIN means USING (mn, factor, day)
            WHERE mean > 0 AND abs(sent - mean) > {DAY_OFF} * mean"""

    def conversion_mismatches(self):
        """SQL of conversion_mismatches: quotients (q0, q1, q2) and oxygen side by side per hour."""
        numbers = range(len(POLLUTANTS))
        beside = ", ".join(
            f"max(CASE WHEN factor = '{factor}' AND converted > 0 THEN value / converted END) AS q{i}"
            for i, factor in enumerate(POLLUTANTS)
        )
        counts = ", ".join(
            f"count(q{i}) AS n{i}, "
            f"count(*) FILTER (abs(1 - q{i} * (21 - reference) * air) > {HOUR_OFF}) AS off{i}"
            for i in numbers
        )
        unpivot = [
            f"unnest([{', '.join(name + str(i) for i in numbers)}]) AS {column}"
            for name, column in (("n", "hours"), ("off", "off_hours"))
        ]
        return f"""
            WITH outlets AS (
                SELECT mn, arg_max(o2_reference, since) AS reference FROM {self.outlets} GROUP BY mn
            ), hours AS (
                SELECT mn, ts, {beside},
                       max(CASE WHEN factor = '{OXYGEN}' AND value < {OXYGEN_MOST}
                                THEN 1 / (21 - value) END) AS air
                FROM {self.hourly}
                WHERE factor IN ({sql_list((OXYGEN, *POLLUTANTS))})
                  AND flag = 'N' AND value IS NOT NULL
                GROUP BY mn, ts
            ), months AS (
                SELECT mn, date_trunc('month', ts)::DATE AS month, {counts}
                FROM hours JOIN outlets USING (mn)
                WHERE air IS NOT NULL AND reference IS NOT NULL GROUP BY ALL
            ), long AS (
                SELECT mn, month, unnest([{sql_list(POLLUTANTS)}]) AS factor, {', '.join(unpivot)}
                FROM months
            )
            SELECT * FROM long WHERE off_hours > {SHARE_OFF} * hours"""

    def load_correlation(self):
        """SQL of load_correlation; rank and number up to an equal one make twice the mean rank."""
        return f"""
            WITH outlets AS (
                SELECT mn, (row_number() OVER ())::INT AS id
                FROM (SELECT DISTINCT mn FROM {self.outlets})
            ), pairs AS (
                SELECT id, factor, l.value AS load, f.value AS flow
                FROM {self.conditions} AS l JOIN {self.hourly} AS f USING (mn, ts)
                JOIN outlets USING (mn)
                WHERE l.param = 'load' AND l.flag = 'N' AND l.value IS NOT NULL
                  AND f.factor IN ({sql_list(FLOWS)}) AND f.flag = 'N' AND f.value IS NOT NULL
            ), ranks AS (
                SELECT id, factor, rank() OVER x + count(*) OVER x AS x,
                       rank() OVER y + count(*) OVER y AS y
                FROM pairs WINDOW x AS (PARTITION BY id ORDER BY load),
                                  y AS (PARTITION BY id ORDER BY flow)
            )
            SELECT mn, factor, DATE '{FIRST}' AS month, hours,
                   CASE WHEN isfinite(rho) THEN rho END AS rho
            FROM (
                SELECT id, any_value(factor) AS factor, count(*) AS hours, corr(x, y) AS rho
                FROM ranks GROUP BY id
            ) JOIN outlets USING (id)"""


class ClickHouse(queries.ClickHouse):
    """ClickHouse inside this process (chdb) over file(); a series is an array of the month's hours.

    tried, constant_runs (the arrays alone: 0.73):
      1.02 firsts of equal values in the array of usable ones (kept)
      0.73 an array of (ts, value) as it comes, alone, unsorted
    tried, replays:
      0.99 hash of 2, 4, 8, 16, 24 hours by shifted arrays, arrayEnumerateUniq (kept)
      5.2 the same with the distinct values counted in the filter's lambda
    tried, rollup_mismatches:
      0.10 -Resample over the days of the outlets that send days, join (kept); 0.12 GROUP BY day
    tried, conversion_mismatches:
      0.67 arrays of quotients and of the factor of oxygen (kept)
      0.99 arrays of values, converted values and the factor
    tried, load_correlation (the arrays alone: 0.45):
      0.65 load and flow by UNION ALL into two arrays, rankCorr and its correction for ties (kept)
      1.38 join and rankCorr, which is not corrected for ties; 1.55 join and windows
    """

    def __init__(self, store, threads):
        self.chdb = need("chdb")
        self.session = need("chdb.session").Session()
        self.settings = f"SETTINGS max_threads = {threads}, {self.SETTINGS}"
        value = "ts DateTime(''UTC''), value Nullable(Float64), flag String"
        columns = {
            "hourly": f"mn String, factor String, {value}, converted Nullable(Float64)",
            "daily": f"mn String, factor String, {value}",
            "conditions": f"mn String, param String, {value}",
            "outlets": "mn String, since DateTime(''UTC''), o2_reference Nullable(Float64)",
        }
        self.hourly, self.daily, self.conditions, self.outlets = (
            f"file({sql_list([one_glob(live_files(store, table))])}, Parquet, '{names}')"
            for table, names in columns.items()
        )

    HOUR = "toUInt16((toDayOfMonth(ts) - 1) * 24 + toHour(ts))"

    def by_hour(self, value="assumeNotNull(value)", condition="1"):
        """An array with a place per hour of the month, NaN where nothing usable is."""
        return (
            f"groupArrayInsertAtIf(nan, {HOURS})"
            f"({value}, {self.HOUR}, {self.VALID} AND {condition})"
        )

    @staticmethod
    def time(hour):
        """The start of an hour of the month."""
        return f"toDateTime64('{FIRST} 00:00:00', 6, 'UTC') + toIntervalHour({hour})"

    def constant_runs(self):
        """SQL of constant_runs; a run is its first place in `u` and that of the next."""
        return f"""
            SELECT mn, factor, {self.time('at[run.1]')} AS started,
                   {self.time('at[run.2 - 1]')} AS ended,
                   toInt64(run.2 - run.1) AS hours, u[run.1] AS value
            FROM (
                SELECT mn, factor, arrayFilter((hour, x) -> NOT isNaN(x), range({HOURS}), v) AS at,
                       arrayFilter(x -> NOT isNaN(x), v) AS u,
                       arrayFilter((i, x, before) -> x != before,
                           arrayEnumerate(u), u, arrayShiftRight(u, 1, nan)) AS firsts,
                       arrayFilter(run -> run.2 - run.1 >= {RUN}, arrayZip(
                           firsts, arrayShiftLeft(firsts, 1, toUInt32(length(u) + 1)))) AS runs
                FROM (
                    SELECT mn, factor, {self.by_hour()} AS v FROM {self.hourly} GROUP BY mn, factor
                )
            ) ARRAY JOIN runs AS run"""

    def replays(self):
        """SQL of replays; `kN`: hash of the N hours from each on, 0 where one is not usable."""
        source = f"""
            SELECT mn, factor, arrayMap(x -> if(isNaN(x), 0, toInt64(floor(x * 100 + 0.5))), v) AS r,
                   arrayMap((x, r) -> if(isNaN(x), 0, intHash64(r)), v, r) AS k1
            FROM (SELECT mn, factor, {self.by_hour()} AS v FROM {self.hourly} GROUP BY mn, factor)"""
        # A subquery each: see emissions_substituted.
        for first, then in ((1, 1), (2, 2), (4, 4), (8, 8), (16, 8)):
            shifted = f"arrayShiftLeft(k{then}, {first}, toUInt64(0))"
            hashed = "if(a = 0 OR b = 0, 0, intHash64(bitXor(a, b * 31)))"
            mapped = f"arrayMap((a, b) -> {hashed}, k{first}, {shifted}) AS k{first + then}"
            source = f"SELECT *, {mapped} FROM ({source})"
        return f"""
            SELECT mn, factor, {self.time('i - 1')} AS started,
                   {self.time('indexOf(k24, k24[i]) - 1')} AS earlier
            FROM (
                SELECT mn, factor, r, k24, arrayFilter(
                    (i, times, k) -> times > 1 AND k != 0,
                    arrayEnumerate(k24), arrayEnumerateUniq(k24), k24) AS repeats
                FROM ({source})
            ) ARRAY JOIN repeats AS i
            WHERE arrayUniq(arraySlice(r, i, {WINDOW})) >= {DISTINCT}"""

    def rollup_mismatches(self):
        """SQL of rollup_mismatches; counts and sums are arrays over the days 1 to 31."""
        return f"""
            SELECT mn, factor, day, sent, mean, abs(sent - mean) / mean AS deviation
            FROM (
                SELECT mn, factor, toDate(ts) AS day, assumeNotNull(value) AS sent
                FROM {self.daily} WHERE {self.VALID}
            ) AS days INNER JOIN (
                SELECT mn, factor,
                       countIfResample(1, 32, 1)({self.VALID}, toDayOfMonth(ts)) AS counts,
                       sumIfResample(1, 32, 1)(
                           assumeNotNull(value), {self.VALID}, toDayOfMonth(ts)) AS sums
                FROM {self.hourly} WHERE mn IN (SELECT mn FROM {self.daily}) GROUP BY mn, factor
            ) AS hours USING (mn, factor)
            WHERE counts[toDayOfMonth(day)] >= {HOURS_OF_DAY}
              AND (sums[toDayOfMonth(day)] / counts[toDayOfMonth(day)] AS mean) > 0
              AND abs(sent - mean) > {DAY_OFF} * mean"""

    def conversion_mismatches(self):
        """SQL of conversion_mismatches."""
        quotient = "assumeNotNull(value) / assumeNotNull(converted)"
        pairs = ", ".join(
            f"('{p}', {self.by_hour(quotient, f'''factor = '{p}' AND converted > 0''')})"
            for p in POLLUTANTS
        )
        oxygen = f"factor = '{OXYGEN}' AND value < {OXYGEN_MOST}"
        air = self.by_hour("1 / (21 - assumeNotNull(value))", oxygen)
        return f"""
            SELECT mn, pair.1 AS factor, toDate('{FIRST}') AS month,
                   arrayCount((q, air) -> NOT isNaN(q + air), pair.2, air) AS hours,
                   arrayCount((q, air) -> abs(1 - q * (21 - reference) * air) > {HOUR_OFF},
                              pair.2, air) AS off_hours
            FROM (
                SELECT mn, {air} AS air, [{pairs}] AS pairs
                FROM {self.hourly}
                WHERE factor IN ({sql_list((OXYGEN, *POLLUTANTS))}) AND {self.VALID}
                GROUP BY mn
            ) AS hours INNER JOIN (
                SELECT mn, assumeNotNull(argMax(o2_reference, since)) AS reference
                FROM {self.outlets} WHERE isNotNull(o2_reference) GROUP BY mn
            ) AS outlets USING (mn)
            ARRAY JOIN pairs AS pair
            WHERE off_hours > {SHARE_OFF} * hours"""

    def load_correlation(self):
        """SQL of load_correlation.

        rankCorr is 1 - 6 d / (n^3 - n), d the sum of squared differences of ranks; with ties, of t
        equal values each, it is (a + b - 12 d) / (2 sqrt(a b)), a and b n^3 - n less the sum of
        t^3 - t.
        """

        def untied(values):
            ties = f"arraySplit((v, before) -> v != before, {values}, arrayShiftRight({values}, 1))"
            return f"cubes - arraySum(tie -> pow(length(tie), 3) - length(tie), {ties})"

        def hours(source, condition, place):
            return f"""
                SELECT mn, {place} AS f, {self.HOUR} AS hour, assumeNotNull(value) AS v
                FROM {source} WHERE {condition} AND {self.VALID}"""

        both = "(x, y) -> NOT isNaN(x + y)"
        flows = f"factor IN ({sql_list(FLOWS)})"
        return f"""
            SELECT mn, factor, toDate('{FIRST}') AS month, toInt64(n) AS hours,
                   if(a > 0 AND b > 0, (a + b - 2 * (1 - rank) * cubes) / (2 * sqrt(a * b)), NULL)
                       AS rho
            FROM (
                SELECT mn, factor, length(x) AS n, pow(n, 3) - n AS cubes,
                       arrayReduce('rankCorr', x, y) AS rank,
                       arraySort(x) AS xs, arraySort(y) AS ys,
                       {untied('xs')} AS a, {untied('ys')} AS b
                FROM (
                    SELECT mn, factor, arrayFilter({both}, load, flow) AS x,
                           arrayFilter({both}, flow, load) AS y
                    FROM (
                        SELECT mn, max(f) AS factor,
                               groupArrayInsertAtIf(nan, {HOURS})(v, hour, f = '') AS load,
                               groupArrayInsertAtIf(nan, {HOURS})(v, hour, f != '') AS flow
                        FROM ({hours(self.conditions, "param = 'load'", "''")}
                              UNION ALL {hours(self.hourly, flows, "factor")})
                        GROUP BY mn
                    )
                ) WHERE n > 0
            )"""


def one_glob(files):
    """A glob that matches these files, of one folder, and no others."""
    folders = {os.path.dirname(file) for file in files}
    if len(folders) != 1:
        raise BenchError(f"files in {len(folders)} folders: give a store that holds {FIRST:%Y-%m} only")
    return os.path.join(*folders, "{" + ",".join(map(os.path.basename, files)) + "}")


PEERS = {"duckdb": DuckDb, "clickhouse": ClickHouse}
