-- Effective transmission of every outlet over a window of days, for every day the window may end on (滚动传输有效率).
--
-- clause: annex 2-1 row 2 (5): below 95 % in any 90 days in a row is a violation [seed]; one that stood stopped for the whole window passes [default]
-- grain: one row per mn and end day in [from, to) whose window has an hour of the outlet
-- call: transmission_rolling(from, to, days)
-- example: transmission_rolling('2026-04-01', '2026-05-01', 90)
--
-- mn                unique id of the outlet's device (设备唯一标识)
-- city              city at the window's end, GB/T 2260; NULL where nobody registered the outlet (地市)
-- expected     [h]  results due: hours × factors, minus stops (应传数)
-- received     [h]  results of them received (实传数)
-- valid        [h]  results of them valid (有效数)
-- transmission [1]  received ÷ expected; NULL where nothing was due (传输率)
-- validity     [1]  valid ÷ those due to be valid: received, or expected by rule validity_base; NULL where that is 0 (有效率)
-- rate         [1]  transmission × validity; 0 where nothing was received, NULL where nothing was due (传输有效率)
-- passed            whether the rate is above the share asked for, or nothing was due (是否达标)
-- window_start      first day of the window (窗口起始日)
-- window_end        last day of the window (窗口截止日)
WITH by_day AS (
    SELECT
        mn,
        -- Days are counted from 1970-01-01, so that a window of any length can be cut.
        arrow_cast(day, 'Int32') AS day,
        count(*) AS rows_of_day,
        sum(due_hours) AS expected,
        sum(received_hours) AS received,
        sum(valid_hours) AS valid
    FROM transmission_days(
        CAST(arrow_cast(arrow_cast(arrow_cast(CAST($from AS DATE), 'Int32') - $days, 'Int32'), 'Date32') AS TIMESTAMP),
        $to + INTERVAL '1 day',
        'hour'
    )
    GROUP BY mn, day
),
calendar AS (
    SELECT
        unnest(
            generate_series(
                arrow_cast(CAST($from AS DATE), 'Int32') - $days,
                arrow_cast(CAST($to AS DATE), 'Int32')
            )
        ) AS day
),
grid AS (
    SELECT o.mn, c.day
    FROM (SELECT DISTINCT mn FROM by_day) AS o
    CROSS JOIN calendar AS c
),
summed AS (
    SELECT
        g.mn,
        g.day,
        sum(coalesce(b.rows_of_day, 0)) OVER until_day AS rows_of_window,
        sum(coalesce(b.expected, 0)) OVER until_day AS expected,
        sum(coalesce(b.received, 0)) OVER until_day AS received,
        sum(coalesce(b.valid, 0)) OVER until_day AS valid
    FROM grid AS g
    LEFT JOIN by_day AS b ON b.mn = g.mn AND b.day = g.day
    WINDOW until_day AS (PARTITION BY g.mn ORDER BY g.day ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
),
windows AS (
    SELECT
        mn,
        arrow_cast(arrow_cast(day - $days + 1, 'Int32'), 'Date32') AS window_start,
        arrow_cast(arrow_cast(day, 'Int32'), 'Date32') AS window_end,
        rows_of_window - lag(rows_of_window, $days, 0) OVER (PARTITION BY mn ORDER BY day) AS hours,
        expected - lag(expected, $days, 0) OVER (PARTITION BY mn ORDER BY day) AS expected,
        received - lag(received, $days, 0) OVER (PARTITION BY mn ORDER BY day) AS received,
        valid - lag(valid, $days, 0) OVER (PARTITION BY mn ORDER BY day) AS valid
    FROM summed
),
rated AS (
    SELECT *, effective_transmission(received, expected, valid, due_valid) AS rate
    FROM (SELECT *, CASE rule_word('validity_base', window_end) WHEN 'due' THEN expected ELSE received END AS due_valid FROM windows)
)
SELECT
    w.mn,
    p.city,
    w.expected,
    w.received,
    w.valid,
    CAST(w.received AS DOUBLE) / nullif(w.expected, 0) AS transmission,
    CAST(w.valid AS DOUBLE) / nullif(w.due_valid, 0) AS validity,
    w.rate,
    coalesce(w.rate > rule_number('transmission_share', w.window_end), true) AS passed,
    w.window_start,
    w.window_end
FROM rated AS w
LEFT JOIN outlet_places AS p
    ON
        p.mn = w.mn
        AND (p.since IS NULL OR p.since < w.window_end + INTERVAL '1 day')
        AND (p.until IS NULL OR w.window_end + INTERVAL '1 day' <= p.until)
WHERE w.hours > 0 AND w.window_end >= $from AND w.window_end < $to
