-- Effective transmission of every outlet, of every city and of the province (数据传输有效率).
--
-- clause: Measures 8(2), Guide 16: more than 95 % [seed]; marking rule of 2022: transmission rate × validity rate [standard]; counted in hours, days stand beside; due to be valid is what was received, so that a lost hour is charged once, or all that was due (rule validity_base); an outlet with nothing due passes and is left out of the shares; an hour counts where the outlet stood in it [default]
-- grain: one row per mn and city it stood in; mn NULL: one row per city, and one of all outlets
-- call: transmission_rate(from, to)
-- example: transmission_rate('2026-01-01', '2026-04-01')
--
-- mn                  unique id of the outlet's device; NULL of a city and the province (设备唯一标识)
-- city                city, GB/T 2260; NULL of the province and where nobody registered the outlet (地市)
-- expected       [h]  results due: hours × factors, minus stops (应传数)
-- received       [h]  results of them received (实传数)
-- valid          [h]  results of them valid (有效数)
-- transmission   [1]  received ÷ expected; NULL where nothing was due (传输率)
-- validity       [1]  valid ÷ those due to be valid: received, or expected by rule validity_base; NULL where that is 0 (有效率)
-- rate           [1]  transmission × validity; 0 where nothing was received, NULL where nothing was due (传输有效率)
-- passed              whether the rate is above the share asked for, or nothing was due (是否达标)
-- scope               outlet, city or province (统计范围)
-- expected_days  [d]  daily results due: days × factors with an hour due (应传日数)
-- received_days  [d]  of them those with an hour received, or a reported day (实传日数)
-- valid_days     [d]  of them those with a valid mean (有效日数)
-- outlets        [1]  outlets with a result due (应传排放口数)
-- outlets_passed [1]  outlets of them that passed (达标排放口数)
-- outlet_share   [1]  outlets_passed ÷ outlets; NULL where no outlet was due (达标率)
WITH by_outlet AS (
    SELECT
        mn,
        city,
        sum(due_hours) AS expected,
        sum(received_hours) AS received,
        sum(valid_hours) AS valid,
        sum(expected) AS expected_days,
        sum(received) AS received_days,
        sum(valid) AS valid_days
    FROM transmission_by_place($from, $to, 'day')
    GROUP BY mn, city
),
judged AS (
    SELECT *, coalesce(rate > rule_number('transmission_share', $from), true) AS passed
    FROM (
        SELECT *, effective_transmission(received, expected, valid, due_valid) AS rate
        FROM (SELECT *, CASE rule_word('validity_base', $from) WHEN 'due' THEN expected ELSE received END AS due_valid FROM by_outlet)
    )
),
scoped AS (
    SELECT
        mn,
        city,
        CASE WHEN grouping(mn) = 0 THEN 'outlet' WHEN grouping(city) = 0 THEN 'city' ELSE 'province' END AS scope,
        sum(expected) AS expected,
        sum(received) AS received,
        sum(valid) AS valid,
        sum(expected_days) AS expected_days,
        sum(received_days) AS received_days,
        sum(valid_days) AS valid_days,
        count(*) FILTER (WHERE expected > 0) AS outlets,
        count(*) FILTER (WHERE expected > 0 AND passed) AS outlets_passed
    FROM judged
    GROUP BY GROUPING SETS ((mn, city), (city), ())
    HAVING count(*) > 0
),
rated AS (
    SELECT *, effective_transmission(received, expected, valid, due_valid) AS rate
    FROM (SELECT *, CASE rule_word('validity_base', $from) WHEN 'due' THEN expected ELSE received END AS due_valid FROM scoped)
)
SELECT
    mn,
    city,
    expected,
    received,
    valid,
    CAST(received AS DOUBLE) / nullif(expected, 0) AS transmission,
    CAST(valid AS DOUBLE) / nullif(due_valid, 0) AS validity,
    rate,
    coalesce(rate > rule_number('transmission_share', $from), true) AS passed,
    scope,
    expected_days,
    received_days,
    valid_days,
    outlets,
    outlets_passed,
    CAST(outlets_passed AS DOUBLE) / nullif(outlets, 0) AS outlet_share
FROM rated
WHERE scope <> 'city' OR city IS NOT NULL
