-- How the points of every city, and of the province, transmitted in every month (联网情况报表).
--
-- clause: annex 2-3 I.2: effective transmission by area and time, share of points at or above 95 % [seed]; a point is an outlet, one with nothing due is left out; an hour counts where the outlet stood in it [default]
-- grain: one row per city and month in [from, to), and one of all points: scope province
-- call: network_report(from, to)
-- example: network_report('2026-01-01', '2026-04-01')
--
-- city               city, GB/T 2260; NULL of the province, which has the points nobody registered, too (地市)
-- period             start of the month (统计时段)
-- points        [1]  outlets with a result due (联网点位数)
-- points_passed [1]  outlets of them at or above the share asked for (达标点位数)
-- share         [1]  points_passed ÷ points; NULL where nothing was due (达标率)
-- expected      [h]  results due: hours × factors, minus stops (应传数)
-- received      [h]  results of them received (实传数)
-- valid         [h]  results of them valid (有效数)
-- transmission  [1]  received ÷ expected; NULL where nothing was due (传输率)
-- validity      [1]  valid ÷ those due to be valid: received, or expected by rule validity_base; NULL where that is 0 (有效率)
-- rate          [1]  transmission × validity; 0 where nothing was received, NULL where nothing was due (传输有效率)
-- scope              city or province (统计范围)
WITH by_point AS (
    SELECT
        mn,
        city,
        date_trunc('month', CAST(day AS TIMESTAMP(6))) AS period,
        sum(due_hours) AS expected,
        sum(received_hours) AS received,
        sum(valid_hours) AS valid
    FROM transmission_by_place($from, $to, 'hour')
    GROUP BY mn, city, date_trunc('month', CAST(day AS TIMESTAMP(6)))
),
judged AS (
    SELECT *, effective_transmission(received, expected, valid, due_valid) AS rate
    FROM (SELECT *, CASE rule_word('validity_base', period) WHEN 'due' THEN expected ELSE received END AS due_valid FROM by_point)
),
scoped AS (
    SELECT
        city,
        period,
        CASE WHEN grouping(city) = 0 THEN 'city' ELSE 'province' END AS scope,
        count(*) FILTER (WHERE expected > 0) AS points,
        count(*) FILTER (WHERE rate >= rule_number('transmission_share', period)) AS points_passed,
        sum(expected) AS expected,
        sum(received) AS received,
        sum(valid) AS valid
    FROM judged
    GROUP BY GROUPING SETS ((city, period), (period))
),
rated AS (
    SELECT *, effective_transmission(received, expected, valid, due_valid) AS rate
    FROM (SELECT *, CASE rule_word('validity_base', period) WHEN 'due' THEN expected ELSE received END AS due_valid FROM scoped)
)
SELECT
    city,
    period,
    points,
    points_passed,
    CAST(points_passed AS DOUBLE) / nullif(points, 0) AS share,
    expected,
    received,
    valid,
    CAST(received AS DOUBLE) / nullif(expected, 0) AS transmission,
    CAST(valid AS DOUBLE) / nullif(due_valid, 0) AS validity,
    rate,
    scope
FROM rated
WHERE scope = 'province' OR city IS NOT NULL
