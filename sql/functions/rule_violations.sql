-- Other rules of devices and dates that data show broken, as of a time (其他时限与设备规则违反).
--
-- clause: K15, K20, K24 to K27 of table clocks [seed]; the limit of K20 is the daily one where there is one, else the hourly; K25 asks for a passed check between the start of the stop and the first valid hour after it, of monitors that have checks, and a silence of the hourly rows counts as a stop; K26 takes the registered interval, else the smallest step of the last day's minute rows; K27 tells faults without a cause [default]
-- grain: one row per rule and monitor, outlet, fault or stop concerned
-- call: rule_violations(as_of)
-- example: rule_violations('2026-04-01')
--
-- mn                   unique id of the outlet's device (设备唯一标识)
-- factor               HJ 212-2017 factor code; NULL where the whole outlet is concerned (监测因子编码)
-- rule                 K15, K20, K24 to K27 (规则编号)
-- due                  from when it was broken; NULL where nobody told (应完成时间)
-- last                 when it was last done or made good; NULL where it wasn't by as_of (完成时间)
-- overdue_hours  [h]   hours it was broken, to as_of where it still is; NULL where due is (超期小时数)
-- clause               the clause with its mark (依据条款)
-- evidence             what it rests on (证据)
WITH now AS (SELECT arrow_cast($as_of, 'Timestamp(µs)') AS as_of),
monitor AS (
    SELECT m.*, n.as_of
    FROM monitors AS m
    INNER JOIN now AS n
        ON (m.since IS NULL OR m.since <= n.as_of) AND (m.until IS NULL OR n.as_of < m.until)
),
-- K15: manual samples in the time of each fault, and the steps between them.
fault AS (
    SELECT
        f.mn,
        f.factor,
        f.started,
        f.cause,
        f.code,
        CASE WHEN f.ended <= n.as_of THEN f.ended END AS ended,
        coalesce(CASE WHEN f.ended <= n.as_of THEN f.ended END, n.as_of) AS until
    FROM faults AS f
    INNER JOIN now AS n ON f.started <= n.as_of
),
sampling AS (
    SELECT mn, factor, started, until, at, lead(at) OVER (PARTITION BY mn, factor, started ORDER BY at) AS next
    FROM (
        SELECT mn, factor, started, until, started AS at FROM fault
        UNION
        SELECT f.mn, f.factor, f.started, f.until, s.ts AS at
        FROM fault AS f
        INNER JOIN manual_samples AS s
            ON s.mn = f.mn AND s.factor = f.factor AND s.ts > f.started AND s.ts < f.until
        WHERE f.factor LIKE 'w%' OR s.kind = 'reference'
    )
    WHERE regexp_like(factor, '^[aw][0-9]{5}$')
),
steps AS (
    SELECT
        *,
        coalesce(next, until) AS ending,
        at + CAST(CAST(rule_number(CASE WHEN factor LIKE 'w%' THEN 'manual_water_h' ELSE 'manual_air_h' END, at) AS VARCHAR) || ' hours' AS INTERVAL) AS due
    FROM sampling
),
unsampled AS (
    SELECT
        mn,
        factor,
        started,
        min(due) FILTER (WHERE ending > due) AS due,
        CASE WHEN max(at) > started THEN max(at) END AS last,
        sum(greatest(date_part('epoch', ending) - date_part('epoch', due), 0)) / 3600 AS overdue_hours,
        count(*) - 1 AS samples
    FROM steps
    GROUP BY mn, factor, started
    HAVING count(*) FILTER (WHERE ending > due) > 0
),
-- K24: the dates of outlets.
dated AS (
    SELECT
        o.mn,
        'acceptance' AS what,
        o.networked + CAST(CAST(rule_number('acceptance_days', o.networked) AS VARCHAR) || ' days' AS INTERVAL) AS due,
        CASE WHEN o.accepted <= n.as_of THEN o.accepted END AS done,
        n.as_of
    FROM outlets AS o
    INNER JOIN now AS n ON o.networked <= n.as_of
    UNION
    SELECT
        o.mn,
        'filing' AS what,
        o.accepted + CAST(CAST(rule_number('filing_days', o.accepted) AS VARCHAR) || ' days' AS INTERVAL) AS due,
        CASE WHEN o.filed <= n.as_of THEN o.filed END AS done,
        n.as_of
    FROM outlets AS o
    INNER JOIN now AS n ON o.accepted <= n.as_of
),
-- K25: long stops, told or seen as silence, of monitors that have checks.
checked AS (
    SELECT q.mn, q.factor FROM qc_results AS q INNER JOIN now AS n ON q.ts <= n.as_of GROUP BY q.mn, q.factor
),
arrivals AS (
    SELECT h.mn, h.factor, h.ts, h.flag, lag(h.ts) OVER (PARTITION BY h.mn, h.factor ORDER BY h.ts) AS before
    FROM hourly AS h
    INNER JOIN checked AS c ON c.mn = h.mn AND c.factor = h.factor
    INNER JOIN now AS n ON h.ts < n.as_of
),
idle AS (
    SELECT c.mn, c.factor, s.started, s.ended
    FROM stoppages AS s
    INNER JOIN checked AS c ON c.mn = s.mn
    INNER JOIN now AS n ON s.ended <= n.as_of
    UNION ALL
    SELECT mn, factor, before + INTERVAL '1 hour' AS started, ts AS ended FROM arrivals
    -- What is no day can't be months: most rows go here at little cost.
    WHERE ts > before + INTERVAL '1 day'
),
long_idle AS (
    SELECT *
    FROM idle
    WHERE ended >= started + CAST(CAST(CAST(rule_number('idle_months', started) AS BIGINT) AS VARCHAR) || ' months' AS INTERVAL)
),
used AS (
    SELECT mn, factor, min(started) AS started, used_at
    FROM (
        SELECT i.mn, i.factor, i.started, i.ended, min(a.ts) AS used_at
        FROM long_idle AS i
        INNER JOIN arrivals AS a ON a.mn = i.mn AND a.factor = i.factor AND a.ts >= i.ended AND a.flag = 'N'
        GROUP BY i.mn, i.factor, i.started, i.ended
    )
    GROUP BY mn, factor, used_at
),
unchecked AS (
    SELECT
        u.mn,
        u.factor,
        u.started,
        u.used_at,
        min(v.ts) FILTER (WHERE v.ts > u.used_at) AS made_good,
        count(v.ts) FILTER (WHERE v.ts <= u.used_at) AS checks
    FROM used AS u
    CROSS JOIN now AS n
    LEFT JOIN qc_verdicts AS v
        ON
            v.mn = u.mn
            AND v.factor = u.factor
            AND v.ts >= u.started
            AND v.ts <= n.as_of
            AND coalesce(v.passed, true)
    GROUP BY u.mn, u.factor, u.started, u.used_at
),
-- K26: what one minute row covers.
minute_steps AS (
    SELECT mn, factor, min(date_part('epoch', ts) - date_part('epoch', before)) AS step_s, min(ts) AS first_ts
    FROM (
        SELECT m.mn, m.factor, m.ts, lag(m.ts) OVER (PARTITION BY m.mn, m.factor ORDER BY m.ts) AS before
        FROM minute AS m
        INNER JOIN now AS n ON m.ts < n.as_of AND m.ts >= n.as_of - INTERVAL '1 day'
    )
    WHERE before IS NOT NULL
    GROUP BY mn, factor
),
sampled AS (
    SELECT
        coalesce(r.mn, s.mn) AS mn,
        coalesce(r.factor, s.factor) AS factor,
        coalesce(r.since, s.first_ts) AS since,
        coalesce(r.interval_s, s.step_s) AS interval_s
    FROM (
        SELECT mn, factor, max(minute_interval_s) AS interval_s, max(since) AS since
        FROM monitor
        WHERE minute_interval_s IS NOT NULL
        GROUP BY mn, factor
    ) AS r
    FULL JOIN minute_steps AS s ON s.mn = r.mn AND s.factor = r.factor
),
violations AS (
    SELECT mn, factor, 'K15' AS rule, due, last, overdue_hours, concat(samples, ' samples in the fault from ', started) AS evidence
    FROM unsampled
    UNION ALL
    SELECT
        mn,
        factor,
        'K20' AS rule,
        since AS due,
        NULL AS last,
        (date_part('epoch', as_of) - date_part('epoch', since)) / 3600 AS overdue_hours,
        concat('range ', range_high, ' is ', round(range_high / coalesce(limit_day, limit_hour), 2), ' × the limit ', coalesce(limit_day, limit_hour)) AS evidence
    FROM monitor
    WHERE
        factor LIKE 'w%'
        AND factor <> 'w01001'
        AND coalesce(limit_day, limit_hour) > 0
        AND (
            range_high < rule_number('range_limit_least', as_of) * coalesce(limit_day, limit_hour)
            OR range_high > rule_number('range_limit_most', as_of) * coalesce(limit_day, limit_hour)
        )
    UNION ALL
    SELECT
        mn,
        NULL AS factor,
        'K24' AS rule,
        due,
        done AS last,
        (date_part('epoch', coalesce(done, as_of)) - date_part('epoch', due)) / 3600 AS overdue_hours,
        what AS evidence
    FROM dated
    WHERE coalesce(done, as_of) > due
    UNION ALL
    SELECT
        u.mn,
        u.factor,
        'K25' AS rule,
        u.used_at AS due,
        u.made_good AS last,
        (date_part('epoch', coalesce(u.made_good, n.as_of)) - date_part('epoch', u.used_at)) / 3600 AS overdue_hours,
        concat('no check after the stop from ', u.started) AS evidence
    FROM unchecked AS u
    CROSS JOIN now AS n
    WHERE u.checks = 0
    UNION ALL
    SELECT
        s.mn,
        s.factor,
        'K26' AS rule,
        s.since AS due,
        NULL AS last,
        (date_part('epoch', n.as_of) - date_part('epoch', s.since)) / 3600 AS overdue_hours,
        concat('a minute row covers ', s.interval_s, ' s') AS evidence
    FROM sampled AS s
    CROSS JOIN now AS n
    WHERE
        s.interval_s > rule_number(CASE WHEN s.factor LIKE 'w%' THEN 'water_minute_s' ELSE 'air_minute_s' END, n.as_of)
        AND (s.factor LIKE 'a%' OR s.factor IN ('w00000', 'w01001', 'w01010'))
    -- Not ALL: a union of rules each constant is taken for sorted by rule, which it isn't, and ORDER BY rule fails.
    UNION
    SELECT
        mn,
        factor,
        'K27' AS rule,
        started + CAST(CAST(rule_number('escalation_days', started) AS VARCHAR) || ' days' AS INTERVAL) AS due,
        ended AS last,
        (date_part('epoch', until) - date_part('epoch', started)) / 3600 - 24 * rule_number('escalation_days', started) AS overdue_hours,
        concat('fault from ', started, ' without a cause') AS evidence
    FROM fault
    WHERE
        cause IS NULL
        AND until > started + CAST(CAST(rule_number('escalation_days', started) AS VARCHAR) || ' days' AS INTERVAL)
)
SELECT v.mn, v.factor, v.rule, v.due, arrow_cast(v.last, 'Timestamp(µs)') AS last, v.overdue_hours, c.clause, v.evidence
FROM violations AS v
INNER JOIN clocks AS c ON c.rule = v.rule
