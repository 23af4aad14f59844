-- Situations in which monitoring counts as not operating normally, as of a time (自动监控设施不正常运行).
--
-- clause: annex 2-1 row 2 (1) to (3), (5), (7): K19, K12 to K14, K16, K17, K18 [seed]; (4) a broken correlation with working conditions is told by the findings, (6) reagents need a ledger; times "in so many days" lie less than so many days apart; of K17 each window is whole, by outlet over all factors, approved facility stops and hours without flow not due; of K18 a clock missed counts once for each time it came due, at most once a day and clock, by monitor; what had come about or lasted in the last 365 days is told [default]
-- grain: one row per mn, factor, rule and situation
-- call: abnormal_operation(as_of)
-- example: abnormal_operation('2026-04-01')
--
-- mn                   unique id of the outlet's device (设备唯一标识)
-- factor               HJ 212-2017 factor code; NULL where the whole outlet is concerned (监测因子编码)
-- rule                 K12 to K14, K16 to K19 (规则编号)
-- due                  of K12 to K14 when it was due, else when the situation came about (应完成或成立时间)
-- last                 of K12 to K14 when it was done, else the last event or the end of the last window (最近时间)
-- overdue_hours  [h]   hours from due to last for K12 to K14, else, and where it wasn't done, to as_of (持续小时数)
-- clause               the clause with its mark (依据条款)
-- evidence             what it rests on (证据)
WITH now AS (
    SELECT
        as_of,
        as_of - CAST(CAST(rule_number('abnormal_lookback_days', as_of) AS VARCHAR) || ' days' AS INTERVAL) AS back,
        CAST(CAST(rule_number('repeat_fault_days', as_of) AS VARCHAR) || ' days' AS INTERVAL) AS fault_span,
        CAST(CAST(rule_number('missed_norms_days', as_of) AS VARCHAR) || ' days' AS INTERVAL) AS norm_span,
        CAST(rule_number('low_transmission_days', as_of) AS BIGINT) AS window_days
    FROM (SELECT arrow_cast($as_of, 'Timestamp(µs)') AS as_of)
),
-- K16: faults of one device and code; one that is recorded under several factors is one.
fault AS (
    SELECT f.mn, coalesce(f.device, f.factor) AS unit, coalesce(f.code, f.cause) AS what, f.started, min(f.factor) AS factor
    FROM faults AS f
    INNER JOIN now AS n ON f.started <= n.as_of AND f.started >= n.back - n.fault_span
    WHERE coalesce(f.code, f.cause) IS NOT NULL
    GROUP BY f.mn, coalesce(f.device, f.factor), coalesce(f.code, f.cause), f.started
),
event AS (
    SELECT 'K16' AS rule, mn, factor, unit, what, started AS at FROM fault
    UNION ALL
    SELECT 'K18' AS rule, m.mn, m.factor, m.factor AS unit, '' AS what, m.missed AS at
    FROM missed_norms($as_of) AS m
    INNER JOIN now AS n ON m.missed >= n.back - n.norm_span
),
-- How many events lie within the span that ends with each.
counted AS (
    SELECT e.rule, e.mn, e.unit, e.what, e.at, min(e.factor) AS factor, count(*) AS times, min(b.at) AS first_at
    FROM (SELECT rule, mn, unit, what, at, min(factor) AS factor FROM event GROUP BY rule, mn, unit, what, at) AS e
    CROSS JOIN now AS n
    INNER JOIN event AS b
        ON
            b.rule = e.rule
            AND b.mn = e.mn
            AND b.unit = e.unit
            AND b.what = e.what
            AND b.at <= e.at
            AND b.at > e.at - CASE WHEN e.rule = 'K16' THEN n.fault_span ELSE n.norm_span END
    GROUP BY e.rule, e.mn, e.unit, e.what, e.at
),
-- Events that are too many stand in runs of which each is one situation.
placed AS (
    SELECT
        *,
        times >= rule_number(
            CASE WHEN rule = 'K16' THEN 'repeat_fault_times' ELSE 'missed_norms_times' END, at
        ) AS too_many,
        sum(CASE WHEN times >= rule_number(
            CASE WHEN rule = 'K16' THEN 'repeat_fault_times' ELSE 'missed_norms_times' END, at
        ) THEN 0 ELSE 1 END) OVER (PARTITION BY rule, mn, unit, what ORDER BY at ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS run
    FROM counted
),
repeated AS (
    SELECT rule, mn, min(factor) AS factor, unit, what, min(at) AS due, max(at) AS last, min(first_at) AS first_at, max(times) AS times
    FROM placed
    WHERE too_many
    GROUP BY rule, mn, unit, what, run
),
-- K17: hours due, received and valid by outlet and day.
day_counts AS (
    SELECT
        h.mn,
        CAST(date_trunc('day', h.ts) AS DATE) AS day,
        count(*) AS expected,
        count(*) FILTER (WHERE h.basis IS NOT NULL) AS received,
        count(*) FILTER (WHERE h.valid) AS valid
    FROM hourly_valid AS h
    CROSS JOIN now AS n
    WHERE
        h.ts < date_trunc('day', n.as_of)
        AND h.ts >= date_trunc('day', n.back) - CAST(CAST(n.window_days AS VARCHAR) || ' days' AS INTERVAL)
        AND coalesce(h.reason, '') NOT IN ('stopped', 'no_flow')
        AND NOT EXISTS (
            SELECT 1
            FROM stoppages AS s
            WHERE
                s.mn = h.mn
                AND s.kind = 'facility'
                AND s.approved
                AND s.started <= h.ts
                AND (s.ended IS NULL OR h.ts < s.ended)
        )
    GROUP BY h.mn, CAST(date_trunc('day', h.ts) AS DATE)
),
first_days AS (
    SELECT mn, min(day) AS first_day FROM day_counts GROUP BY mn
),
calendar AS (
    SELECT d.mn, CAST(unnest(range(CAST(d.first_day AS TIMESTAMP), date_trunc('day', n.as_of), INTERVAL '1 day')) AS DATE) AS day
    FROM first_days AS d
    CROSS JOIN now AS n
),
running AS (
    SELECT
        c.mn,
        c.day,
        sum(coalesce(d.expected, 0)) OVER w AS expected,
        sum(coalesce(d.received, 0)) OVER w AS received,
        sum(coalesce(d.valid, 0)) OVER w AS valid,
        count(*) OVER w AS days
    FROM calendar AS c
    LEFT JOIN day_counts AS d ON d.mn = c.mn AND d.day = c.day
    WINDOW w AS (PARTITION BY c.mn ORDER BY c.day ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
),
windows AS (
    SELECT
        r.mn,
        r.day,
        r.expected - coalesce(b.expected, 0) AS expected,
        r.received - coalesce(b.received, 0) AS received,
        r.valid - coalesce(b.valid, 0) AS valid
    FROM running AS r
    CROSS JOIN now AS n
    LEFT JOIN running AS b ON b.mn = r.mn AND b.days = r.days - n.window_days
    WHERE r.days >= n.window_days
),
rated AS (
    SELECT
        mn,
        day,
        effective_transmission(received, expected, valid, due_valid) AS rate,
        CASE WHEN expected > 0 THEN CAST(received AS DOUBLE) / expected END AS transmission
    FROM (SELECT *, CASE rule_word('validity_base', CAST(day AS TIMESTAMP)) WHEN 'due' THEN expected ELSE received END AS due_valid FROM windows)
),
low AS (
    SELECT
        *,
        coalesce(rate < rule_number('low_transmission_share', CAST(day AS TIMESTAMP)), false) AS is_low,
        sum(CASE WHEN rate < rule_number('low_transmission_share', CAST(day AS TIMESTAMP)) THEN 0 ELSE 1 END) OVER (
            PARTITION BY mn ORDER BY day ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS run
    FROM rated
),
-- K19: tests failed by quarter.
failed AS (
    SELECT
        v.mn,
        v.factor,
        v.ts,
        row_number() OVER (PARTITION BY v.mn, v.factor, date_trunc('quarter', v.ts) ORDER BY v.ts, v.kind) AS place,
        date_trunc('quarter', v.ts) AS quarter
    FROM qc_verdicts AS v
    INNER JOIN now AS n ON v.ts <= n.as_of
    WHERE NOT v.passed AND v.kind IN ('comparison', 'standard_check', 'verification', 'blind')
),
situations AS (
    SELECT
        r.mn,
        r.factor,
        r.rule,
        r.due,
        r.last,
        r.due + CAST(CAST(CAST(r.overdue_hours * 3600 AS BIGINT) AS VARCHAR) || ' seconds' AS INTERVAL) AS until,
        concat('fault of ', coalesce(r.device, 'an unnamed device'), ' from ', r.started) AS evidence
    FROM repair_overdue($as_of) AS r
    UNION ALL
    SELECT
        mn,
        factor,
        rule,
        due,
        last,
        NULL AS until,
        CASE
            WHEN rule = 'K16' THEN concat(times, ' faults ', what, ' of ', unit, ' since ', first_at)
            ELSE concat(times, ' clocks missed since ', CAST(first_at AS DATE))
        END AS evidence
    FROM repeated
    UNION ALL
    SELECT
        mn,
        NULL AS factor,
        'K17' AS rule,
        CAST(min(day) AS TIMESTAMP) + INTERVAL '1 day' AS due,
        CAST(max(day) AS TIMESTAMP) + INTERVAL '1 day' AS last,
        NULL AS until,
        concat('least effective transmission ', round(min(rate), 4), ', transmission ', round(min(transmission), 4)) AS evidence
    FROM low
    WHERE is_low
    GROUP BY mn, run
    UNION ALL
    SELECT
        mn,
        factor,
        'K19' AS rule,
        min(ts) FILTER (WHERE place >= rule_number('failed_tests_times', ts)) AS due,
        max(ts) AS last,
        NULL AS until,
        concat(count(*), ' tests failed in the quarter from ', CAST(quarter AS DATE)) AS evidence
    FROM failed
    GROUP BY mn, factor, quarter
    HAVING max(place) >= rule_number('failed_tests_times', max(ts))
)
SELECT
    s.mn,
    s.factor,
    s.rule,
    arrow_cast(s.due, 'Timestamp(µs)') AS due,
    arrow_cast(s.last, 'Timestamp(µs)') AS last,
    (date_part('epoch', coalesce(s.until, n.as_of)) - date_part('epoch', s.due)) / 3600 AS overdue_hours,
    c.clause,
    s.evidence
FROM situations AS s
INNER JOIN clocks AS c ON c.rule = s.rule
CROSS JOIN now AS n
WHERE coalesce(s.until, s.last, n.as_of) >= n.back
