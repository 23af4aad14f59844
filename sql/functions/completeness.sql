-- How complete the results of every series came, at one level of data (数据完整率).
--
-- clause: annex 2-3 I.2: complete = received ÷ due, per point and by city [seed]; results beyond those due in an hour don't make up for others, a day is received where an hour of it or its reported day came, a series that sent nothing but this level is due from its first to its last row [default]
-- grain: one row per mn, factor, enterprise and city with a result due
-- call: completeness(from, to, level)
-- words: realtime, minute, hour, day
-- example: completeness('2026-01-01', '2026-02-01', 'hour')
--
-- city               city, GB/T 2260; NULL where nobody registered the outlet (地市)
-- enterprise_id      enterprise the outlet belonged to (企业编号)
-- mn                 unique id of the outlet's device (设备唯一标识)
-- factor             HJ 212-2017 factor code (监测因子编码)
-- expected      [1]  results due: of the hours due, as many as the interval of the level makes (应收数)
-- received      [1]  results of them received (实收数)
-- valid         [1]  results of them valid (有效数)
-- rate          [1]  received ÷ expected (完整率)
WITH hours AS (
    SELECT mn, factor, ts, city, enterprise_id, received, valid
    FROM transmission_hours
    WHERE due AND ts >= $from AND ts < $to
),
days AS (
    SELECT
        h.mn,
        h.factor,
        h.city,
        h.enterprise_id,
        1 AS expected,
        CASE WHEN h.received OR d.basis = 'reported' THEN 1 ELSE 0 END AS received,
        CASE WHEN d.valid THEN 1 ELSE 0 END AS valid
    FROM (
        SELECT mn, factor, city, enterprise_id, CAST(ts AS DATE) AS day, bool_or(received) AS received
        FROM hours
        WHERE $level = 'day'
        GROUP BY mn, factor, city, enterprise_id, CAST(ts AS DATE)
    ) AS h
    LEFT JOIN (
        SELECT mn, factor, day, basis, valid
        FROM daily_valid
        WHERE $level = 'day' AND day >= CAST($from AS DATE) AND day < $to
    ) AS d
        ON d.mn = h.mn AND d.factor = h.factor AND d.day = h.day
),
rows_of_level AS (
    SELECT mn, factor, ts, flag, value FROM minute WHERE $level = 'minute' AND ts >= $from AND ts < $to
    UNION ALL
    SELECT mn, factor, ts, flag, value FROM realtime WHERE $level = 'realtime' AND ts >= $from AND ts < $to
),
rows_of_hour AS (
    SELECT
        mn,
        factor,
        date_trunc('hour', ts) AS ts,
        count(*) AS received,
        count(*) FILTER (WHERE flag = 'N' AND value IS NOT NULL) AS valid
    FROM rows_of_level
    WHERE factor LIKE 'a%' OR factor LIKE 'w%'
    GROUP BY mn, factor, date_trunc('hour', ts)
),
-- Series of which no hour is known: they sent nothing but this level.
alone AS (
    SELECT r.mn, r.factor, unnest(generate_series(r.first, r.last, INTERVAL '1 hour')) AS ts
    FROM (SELECT mn, factor, min(ts) AS first, max(ts) AS last FROM rows_of_hour GROUP BY mn, factor) AS r
    LEFT JOIN (
        SELECT DISTINCT mn, factor FROM hourly_valid
        WHERE $level IN ('realtime', 'minute') AND ts >= $from AND ts < $to
    ) AS h
        ON h.mn = r.mn AND h.factor = r.factor
    WHERE h.mn IS NULL
),
due AS (
    SELECT mn, factor, ts, city, enterprise_id FROM hours WHERE $level IN ('realtime', 'minute')
    UNION ALL
    SELECT a.mn, a.factor, a.ts, p.city, p.enterprise_id
    FROM alone AS a
    LEFT JOIN outlet_places AS p
        ON p.mn = a.mn AND (p.since IS NULL OR p.since <= a.ts) AND (p.until IS NULL OR a.ts < p.until)
),
intervals AS (
    SELECT
        mn,
        factor,
        minute_interval_s,
        since,
        least(until, lead(since) OVER (PARTITION BY mn, factor ORDER BY since NULLS FIRST)) AS until
    FROM monitors
),
timed AS (
    SELECT
        d.*,
        round(
            3600 / CASE
                WHEN $level = 'realtime' THEN rule_number('realtime_interval_s', d.ts)
                ELSE
                    coalesce(
                        nullif(i.minute_interval_s, 0),
                        rule_number(CASE WHEN d.factor LIKE 'a%' THEN 'air_minute_s' ELSE 'water_minute_s' END, d.ts)
                    )
            END
        ) AS expected
    FROM due AS d
    LEFT JOIN intervals AS i
        ON
            i.mn = d.mn
            AND i.factor = d.factor
            AND (i.since IS NULL OR i.since <= d.ts)
            AND (i.until IS NULL OR d.ts < i.until)
),
results AS (
    SELECT
        mn,
        factor,
        city,
        enterprise_id,
        1 AS expected,
        CASE WHEN received THEN 1 ELSE 0 END AS received,
        CASE WHEN valid THEN 1 ELSE 0 END AS valid
    FROM hours
    WHERE $level = 'hour'
    UNION ALL
    SELECT mn, factor, city, enterprise_id, expected, received, valid FROM days
    UNION ALL
    SELECT
        t.mn,
        t.factor,
        t.city,
        t.enterprise_id,
        t.expected,
        least(coalesce(r.received, 0), t.expected) AS received,
        least(coalesce(r.valid, 0), t.expected) AS valid
    FROM timed AS t
    LEFT JOIN rows_of_hour AS r ON r.mn = t.mn AND r.factor = t.factor AND r.ts = t.ts
)
SELECT
    city,
    enterprise_id,
    mn,
    factor,
    CAST(sum(expected) AS BIGINT) AS expected,
    CAST(sum(received) AS BIGINT) AS received,
    CAST(sum(valid) AS BIGINT) AS valid,
    CAST(sum(received) AS DOUBLE) / sum(expected) AS rate
FROM results
GROUP BY city, enterprise_id, mn, factor
