-- Furnace temperature of waste incineration by furnace and day (焚烧炉炉膛温度).
--
-- clause: MEE Order 10 of 2019: 5-minute means of a01901 of 850 °C or more in normal operation, more than five below in a day are a breach [recall]; a mean takes the valid minute rows there are; no mark is normal operation; a mean that a mark of another condition, of a thermometer not to be trusted or a production stop touches is not judged; a mark of a fault or of the thermometer counts under a01901 or under no factor code [default]
-- grain: one row per mn and day with a valid minute row of a01901 between from and to
-- call: furnace_temperature(from, to)
-- example: furnace_temperature('2026-01-01', '2026-02-01')
--
-- mn                     unique id of the outlet's device, one a furnace (设备唯一标识)
-- day                    the day (日期)
-- means            [1]   5-minute means of the day (5分钟均值个数)
-- normal_means     [1]   those of normal operation (正常运行均值个数)
-- violations       [1]   those of them below the least temperature (不达标次数)
-- allowed          [1]   violations that are no breach yet (允许次数)
-- breach                 whether there were more (是否违法)
-- least            [°C]  least mean of normal operation; NULL where there was none (最低5分钟均值)
-- required         [°C]  the least temperature allowed (温度要求)
-- first_violation        start of the first mean below; NULL where there was none (首次不达标时间)
WITH means AS (
    SELECT mn, arrow_cast(to_timestamp_micros(CAST(start_s AS BIGINT) * 1000000), 'Timestamp(µs)') AS ts, round(avg(value), 6) AS value
    FROM (
        SELECT
            mn,
            value,
            floor(date_part('epoch', ts) / rule_number('furnace_mean_s', ts)) * rule_number('furnace_mean_s', ts) AS start_s
        FROM minute
        WHERE factor = 'a01901' AND flag = 'N' AND value IS NOT NULL AND ts >= $from AND ts < $to
    )
    GROUP BY mn, start_s
),
exempt AS (
    SELECT m.mn, m.started, m.ended
    FROM marks AS m
    INNER JOIN mark_words AS w ON w.word = lower(m.mark)
    WHERE
        w.kind <> 'normal'
        AND (
            w.scope = 'furnace'
            OR (
                w.scope IN ('furnace or monitor', 'thermometer')
                AND (m.factor = 'a01901' OR NOT regexp_like(m.factor, '^[aw][0-9]{5}$'))
            )
        )
    UNION ALL
    SELECT mn, started, ended FROM stoppages WHERE kind = 'production'
),
judged AS (
    SELECT
        a.mn,
        a.ts,
        a.value,
        count(e.mn) = 0 AS is_normal,
        count(e.mn) = 0 AND a.value < rule_number('furnace_temperature_c', a.ts) AS is_below
    FROM means AS a
    LEFT JOIN exempt AS e
        ON
            e.mn = a.mn
            AND e.started < a.ts + CAST(CAST(rule_number('furnace_mean_s', a.ts) AS VARCHAR) || ' seconds' AS INTERVAL)
            AND (e.ended IS NULL OR e.ended > a.ts)
    GROUP BY a.mn, a.ts, a.value
),
days AS (
    SELECT
        mn,
        date_trunc('day', ts) AS at,
        count(*) AS means,
        count(*) FILTER (WHERE is_normal) AS normal_means,
        count(*) FILTER (WHERE is_below) AS violations,
        min(value) FILTER (WHERE is_normal) AS least,
        min(ts) FILTER (WHERE is_below) AS first_violation
    FROM judged
    GROUP BY mn, date_trunc('day', ts)
)
SELECT
    mn,
    CAST(at AS DATE) AS day,
    means,
    normal_means,
    violations,
    CAST(rule_number('furnace_violations_day', at) AS BIGINT) AS allowed,
    violations > rule_number('furnace_violations_day', at) AS breach,
    least,
    rule_number('furnace_temperature_c', at) AS required,
    first_violation
FROM days
