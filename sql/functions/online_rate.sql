-- For how much of the hours due every series was online (在线率).
--
-- clause: annex 2-3 I.2: online rate per point and by city [seed]; online is time with data within 2 intervals: the hour or the one before has a row of any level [default]
-- grain: one row per mn, factor, enterprise and city with an hour due
-- call: online_rate(from, to)
-- example: online_rate('2026-01-01', '2026-02-01')
--
-- city               city, GB/T 2260; NULL where nobody registered the outlet (地市)
-- enterprise_id      enterprise the outlet belonged to (企业编号)
-- mn                 unique id of the outlet's device (设备唯一标识)
-- factor             HJ 212-2017 factor code (监测因子编码)
-- expected      [h]  hours due (应在线小时数)
-- received      [h]  hours of them online (在线小时数)
-- valid         [h]  hours of them with a valid result (有效小时数)
-- rate          [1]  received ÷ expected (在线率)
WITH rows_of_hour AS (
    SELECT mn, factor, date_trunc('hour', ts) AS ts
    FROM minute
    WHERE ts >= $from - INTERVAL '1 day' AND ts < $to
    UNION
    SELECT mn, factor, date_trunc('hour', ts) AS ts
    FROM realtime
    WHERE ts >= $from - INTERVAL '1 day' AND ts < $to
),
hours AS (
    SELECT
        h.mn,
        h.factor,
        h.ts,
        h.city,
        h.enterprise_id,
        h.due,
        h.valid,
        max(CASE WHEN h.came OR r.mn IS NOT NULL THEN h.ts END) OVER (
            PARTITION BY h.mn, h.factor ORDER BY h.ts ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS last_data
    FROM transmission_hours AS h
    LEFT JOIN rows_of_hour AS r ON r.mn = h.mn AND r.factor = h.factor AND r.ts = h.ts
    -- A day before, so that what came before the first hour is seen.
    WHERE h.ts >= $from - INTERVAL '1 day' AND h.ts < $to
),
judged AS (
    SELECT
        *,
        coalesce(
            date_part('epoch', ts) - date_part('epoch', last_data) < 3600 * rule_number('online_intervals', ts), false
        ) AS is_online
    FROM hours
    WHERE due AND ts >= $from
)
SELECT
    city,
    enterprise_id,
    mn,
    factor,
    count(*) AS expected,
    count(*) FILTER (WHERE is_online) AS received,
    count(*) FILTER (WHERE valid) AS valid,
    CAST(count(*) FILTER (WHERE is_online) AS DOUBLE) / count(*) AS rate
FROM judged
GROUP BY city, enterprise_id, mn, factor
