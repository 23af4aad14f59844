-- How often, how long and how far each outlet was beyond its limits, by area, attention and industry (超标查询报表).
--
-- clause: annex 2-3 I.2: exceedance query report [seed]; Guide 31 (K27): more than three days without action [seed]; the registration is that at the end of the time asked for; action is a mark of the discharger, or an entry of kind handled in alarms, during the run; days count up to the newest hour of any outlet before `to` [default]
-- grain: one row per mn and factor with an hour (or day) beyond the limit, or an hour over the measuring range
-- call: exceedance_report(from, to, grain)
-- words: hour, day
-- example: exceedance_report('2026-01-01', '2026-02-01', 'hour')
--
-- city                      city, GB/T 2260; NULL for an outlet of no enterprise (地市)
-- county                    county, GB/T 2260 (区县)
-- attention                 attention level (关注程度)
-- industry                  industry, GB/T 4754 (行业类型)
-- enterprise_id             id of the enterprise (企业编号)
-- mn                        unique id of the outlet's device (设备唯一标识)
-- factor                    HJ 212-2017 factor code (监测因子编码)
-- count              [1]    hours (or days) beyond the limit (超标条数)
-- longest_run        [1]    length of the longest run among them, its part before `from` included; NULL where count is 0 (最长连续超标条数)
-- max_times_over     [1]    greatest times_over; NULL where none lies above the limit (最大超标倍数)
-- unhandled_days     [d]    of runs that last longer than rule exceedance_unhandled_days: greatest number of whole days from their first exceedance without action; 0 where there is none (未处置天数)
-- over_range_hours   [h]    hours flagged T, above the measuring range: no valid value, evidence of exceedance (超量程小时数)
-- enterprise                name of the enterprise (企业名称)
-- outlet                    name of the outlet (排放口名称)
WITH beyond AS (
    SELECT
        mn,
        factor,
        run_start,
        count(*) AS "count",
        max(run_length) AS run_length,
        max(times_over) AS times_over,
        max(ts) + CASE WHEN $grain = 'hour' THEN INTERVAL '1 hour' ELSE INTERVAL '1 day' END AS run_end
    FROM exceedances($from, $to, $grain)
    GROUP BY mn, factor, run_start
),
-- What every series sent in the time asked for: hours over range, and the end of its newest hour.
sent AS (
    SELECT
        mn,
        factor,
        sum(CASE WHEN flag = 'T' AND NOT valid AND reason <> 'stopped' THEN 1 ELSE 0 END) AS over_range_hours,
        max(CASE WHEN reason IS NULL OR reason <> 'missing' THEN ts END) + INTERVAL '1 hour' AS newest
    FROM hourly_valid
    WHERE ts >= $from AND ts < $to
    GROUP BY mn, factor
),
actions AS (
    SELECT mn, factor, started, coalesce(ended, started) AS ended FROM marks
    UNION ALL
    SELECT mn, factor, started, started AS ended FROM alarms WHERE kind = 'handled'
),
handled AS (
    SELECT b.mn, b.factor, b.run_start, b."count", b.run_length, b.times_over, b.run_end, min(a.started) AS action
    FROM beyond AS b
    LEFT JOIN actions AS a
        ON a.mn = b.mn AND a.factor = b.factor AND a.ended >= b.run_start AND a.started < $to
    GROUP BY b.mn, b.factor, b.run_start, b."count", b.run_length, b.times_over, b.run_end
),
runs AS (
    SELECT
        coalesce(h.mn, s.mn) AS mn,
        coalesce(h.factor, s.factor) AS factor,
        h.run_start,
        h."count",
        h.run_length,
        h.times_over,
        h.run_end,
        coalesce(h.action, greatest(h.run_end, max(s.newest) OVER ())) AS open_until,
        s.over_range_hours
    FROM handled AS h
    FULL JOIN sent AS s ON s.mn = h.mn AND s.factor = h.factor
),
-- Seconds that a run lasted, and from its first exceedance to the action or the newest hour.
timed AS (
    SELECT
        *,
        rule_number('exceedance_unhandled_days', run_start) * 86400 AS allowed_s,
        date_part('epoch', run_end) - date_part('epoch', run_start) AS lasted_s,
        date_part('epoch', open_until) - date_part('epoch', run_start) AS open_s
    FROM runs
),
series AS (
    SELECT
        mn,
        factor,
        coalesce(sum("count"), 0) AS "count",
        max(run_length) AS longest_run,
        max(times_over) AS max_times_over,
        max(CASE WHEN lasted_s > allowed_s AND open_s > allowed_s THEN floor(open_s / 86400) ELSE 0 END) AS unhandled_days,
        coalesce(max(over_range_hours), 0) AS over_range_hours
    FROM timed
    GROUP BY mn, factor
),
-- The registration at the end of the time asked for: one row an outlet, one an enterprise.
outlet AS (
    SELECT mn, enterprise_id, name
    FROM (
        SELECT mn, enterprise_id, name, row_number() OVER (PARTITION BY mn ORDER BY since DESC NULLS LAST) AS place
        FROM outlets
        WHERE (since IS NULL OR since < $to) AND (until IS NULL OR until > $from)
    )
    WHERE place = 1
),
enterprise AS (
    SELECT enterprise_id, name, city, county, attention, industry
    FROM (
        SELECT *, row_number() OVER (PARTITION BY enterprise_id ORDER BY since DESC NULLS LAST) AS place
        FROM enterprises
        WHERE (since IS NULL OR since < $to) AND (until IS NULL OR until > $from)
    )
    WHERE place = 1
)
SELECT
    e.city,
    e.county,
    e.attention,
    e.industry,
    o.enterprise_id,
    s.mn,
    s.factor,
    s."count",
    s.longest_run,
    s.max_times_over,
    CAST(s.unhandled_days AS BIGINT) AS unhandled_days,
    s.over_range_hours,
    e.name AS enterprise,
    o.name AS outlet
FROM series AS s
LEFT JOIN outlet AS o ON o.mn = s.mn
LEFT JOIN enterprise AS e ON e.enterprise_id = o.enterprise_id
WHERE s."count" > 0 OR s.over_range_hours > 0
