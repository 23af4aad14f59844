-- Valid hours or days beyond the limit in force (超标数据).
--
-- clause: Guide 28(2): hours warn, days alarm [seed]; rounding to the limit's decimals, half to even [recall]; invalid and missing hours neither extend nor break a run, stopped hours break it [default]
-- grain: one row per mn, factor and hour (or day) beyond the limit
-- call: exceedances(from, to, grain)
-- words: hour, day
-- example: exceedances('2026-01-01', '2026-02-01', 'hour')
--
-- mn                    unique id of the outlet's device (设备唯一标识)
-- factor                HJ 212-2017 factor code (监测因子编码)
-- ts                    start of the hour or day (时间)
-- value       [factor]  what was compared, rounded to the limit's decimals; of a day of pH the extreme (比较值)
-- limit       [factor]  limit in force (限值)
-- limit_low   [factor]  lower limit in force, of pH (下限)
-- basis                 converted or value (比较口径)
-- standard              standard the limit comes from (执行标准)
-- ratio       [1]       value ÷ limit (比值)
-- times_over  [1]       ratio − 1 (超标倍数)
-- run_start             start of the run of valid hours or days beyond the limit (连续超标起始)
-- run_length  [1]       hours or days of that run before `to` (连续超标条数)
WITH settled AS (
    SELECT mn, factor, ts, value, converted, value AS value_min, value AS value_max, valid, reason
    FROM hourly_valid
    WHERE $grain = 'hour' AND ts < $to
    UNION ALL
    SELECT mn, factor, CAST(day AS TIMESTAMP) AS ts, value, converted, value_min, value_max, valid, reason
    FROM daily_valid
    WHERE $grain = 'day' AND day < $to
),
limited AS (
    SELECT
        s.mn,
        s.factor,
        s.ts,
        s.valid,
        s.reason,
        m.standard,
        m.limit_low,
        CASE WHEN $grain = 'hour' THEN m.limit_hour ELSE coalesce(m.limit_day, m.limit_hour) END AS "limit",
        coalesce(m.limit_basis, CASE WHEN s.factor LIKE 'a%' THEN 'converted' ELSE 'value' END) AS basis,
        coalesce(m.limit_decimals, 15) AS decimals,
        s.value,
        s.converted,
        s.value_min,
        s.value_max
    FROM settled AS s
    INNER JOIN monitors AS m
        ON
            m.mn = s.mn
            AND m.factor = s.factor
            AND (m.since IS NULL OR m.since <= s.ts)
            AND (m.until IS NULL OR s.ts < m.until)
),
compared AS (
    SELECT
        *,
        round_half_even(
            CASE
                WHEN factor = 'w01001' THEN coalesce(value, CASE WHEN value_max > "limit" THEN value_max ELSE value_min END)
                WHEN basis = 'converted' THEN converted
                ELSE value
            END,
            decimals
        ) AS shown
    FROM limited
    WHERE valid OR reason = 'stopped'
),
judged AS (
    SELECT *, valid AND (coalesce(shown > "limit", false) OR coalesce(shown < limit_low, false)) AS beyond
    FROM compared
),
numbered AS (
    SELECT
        *,
        sum(CASE WHEN beyond THEN 0 ELSE 1 END) OVER (
            PARTITION BY mn, factor ORDER BY ts ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS run
    FROM judged
),
runs AS (
    SELECT
        *,
        min(ts) OVER (PARTITION BY mn, factor, run) AS run_start,
        count(*) OVER (PARTITION BY mn, factor, run) AS run_length
    FROM numbered
    WHERE beyond
)
SELECT
    mn,
    factor,
    ts,
    shown AS value,
    "limit",
    limit_low,
    basis,
    standard,
    shown / "limit" AS ratio,
    shown / "limit" - 1 AS times_over,
    run_start,
    run_length
FROM runs
WHERE ts >= $from
