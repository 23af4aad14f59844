-- Valid hours or days beyond the limit in force (超标数据).
--
-- clause: Guide 28(2): hours warn, days alarm [seed]; converted values of gas, measured ones of water, rounded to the limit's decimals, half to even [recall]; a day without a limit of its own takes the hour's [recall]; invalid and missing hours neither extend nor break a run, stopped hours, valid ones within the limit and valid ones without a limit in force break it; of rows of monitors in force at once the latest since counts; where the outlet has no reference oxygen, gas is compared as measured [default]
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
-- ratio       [1]       value ÷ limit; NULL below the lower limit and of a limit of 0 (比值)
-- times_over  [1]       ratio − 1; NULL below the lower limit and of a limit of 0 (超标倍数)
-- run_start             start of the run of valid hours or days beyond the limit, be it before `from` (连续超标起始)
-- run_length  [1]       hours or days of that run before `to`, those before `from` among them (连续超标条数)
WITH settled AS (
    -- `day` bounds the days that are settled; for hours it is a constant within every bound below.
    SELECT mn, factor, ts, CAST($from AS DATE) AS day, value, converted, value AS value_min, value AS value_max, valid
    FROM hourly_valid
    WHERE $grain = 'hour' AND (valid OR reason = 'stopped')
    UNION ALL
    SELECT mn, factor, CAST(day AS TIMESTAMP(6)) AS ts, day, value, converted, value_min, value_max, valid
    FROM daily_valid
    WHERE $grain = 'day' AND (valid OR reason = 'stopped')
),
limits AS (
    SELECT
        *,
        CASE WHEN $grain = 'hour' THEN limit_hour ELSE coalesce(limit_day, limit_hour) END AS "limit",
        max(coalesce(limit_hour, limit_day, limit_low)) OVER (PARTITION BY mn, factor) IS NOT NULL AS is_limited
    FROM limits_in_force
),
compared AS (
    SELECT
        s.mn,
        s.factor,
        s.ts,
        s.day,
        s.valid,
        l."limit",
        l.limit_low,
        l.standard,
        coalesce(
            l.limit_basis,
            CASE WHEN l.is_gas AND (l.has_reference OR s.converted IS NOT NULL) THEN 'converted' ELSE 'value' END
        ) AS basis,
        coalesce(l.limit_decimals, 15) AS decimals,
        CASE WHEN l.has_reference THEN s.converted ELSE coalesce(s.converted, s.value) END AS converted,
        s.value,
        s.value_min,
        s.value_max
    FROM limits AS l
    INNER JOIN settled AS s
        ON
            s.mn = l.mn
            AND s.factor = l.factor
            AND (l.since IS NULL OR l.since <= s.ts)
            AND (l.until IS NULL OR s.ts < l.until)
    WHERE l.is_limited
),
rounded AS (
    SELECT
        mn,
        factor,
        ts,
        day,
        valid,
        "limit",
        limit_low,
        standard,
        basis,
        round_half_even(
            CASE WHEN basis = 'converted' THEN converted WHEN factor = 'w01001' THEN coalesce(value, value_max) ELSE value END,
            decimals
        ) AS highest,
        round_half_even(
            CASE WHEN basis = 'converted' THEN converted WHEN factor = 'w01001' THEN coalesce(value, value_min) ELSE value END,
            decimals
        ) AS lowest
    FROM compared
),
judged AS (
    SELECT
        mn,
        factor,
        ts,
        day,
        "limit",
        limit_low,
        standard,
        basis,
        valid AND coalesce(highest > "limit", false) AS is_above,
        valid AND (coalesce(highest > "limit", false) OR coalesce(lowest < limit_low, false)) AS beyond,
        CASE WHEN highest > "limit" THEN highest ELSE lowest END AS shown
    FROM rounded
),
-- A run seldom begins more than a month before `from`. Only of series whose first judged hour of that month is
-- beyond the limit are earlier hours read. Days are bounded by their own column, too, so that no other day is settled.
near AS (
    SELECT *
    FROM judged
    WHERE
        ts >= $from - INTERVAL '31 days'
        AND ts < $to
        AND day BETWEEN CAST($from - INTERVAL '31 days' AS DATE) AND CAST($to AS DATE)
),
unresolved AS (
    SELECT mn, factor
    FROM near
    GROUP BY mn, factor
    HAVING
        min(CASE WHEN beyond THEN ts END) < coalesce(min(CASE WHEN NOT beyond THEN ts END), $to)
        AND coalesce(min(CASE WHEN NOT beyond THEN ts END), $to) > $from
),
looked_at AS (
    SELECT * FROM near
    UNION ALL
    SELECT j.*
    FROM unresolved AS u
    INNER JOIN judged AS j ON j.mn = u.mn AND j.factor = u.factor
    WHERE j.ts < $from - INTERVAL '31 days' AND j.day <= CAST($from AS DATE)
),
numbered AS (
    SELECT
        *,
        sum(CASE WHEN beyond THEN 0 ELSE 1 END) OVER (
            PARTITION BY mn, factor ORDER BY ts ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS run
    FROM looked_at
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
    CASE WHEN is_above THEN shown / nullif("limit", 0) END AS ratio,
    CASE WHEN is_above THEN shown / nullif("limit", 0) - 1 END AS times_over,
    run_start,
    run_length
FROM runs
WHERE ts >= $from
