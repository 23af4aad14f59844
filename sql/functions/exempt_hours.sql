-- Hours of a year that marks of an incinerator exempt, against what is allowed (焚烧炉豁免时长).
--
-- clause: MEE Order 10 of 2019: 60 h for start-up, shut-down, fault and accident, 700 h for drying and cooling, 30 h for CEMS maintenance; GB 18485-2014: dust up to 150 mg/m³, one fault or accident up to 4 h [recall]; marks that overlap count once; an open mark lasts to the outlet's last hour received; hours with more dust stay in the sum and are told besides; a fault counts under a01901 or under no factor code [default]
-- grain: one row per mn and allowance with a mark in the year
-- call: exempt_hours(year)
-- example: exempt_hours('2026')
--
-- mn                    unique id of the outlet's device, one a furnace (设备唯一标识)
-- allowance             start_stop, drying or cems_maintenance (豁免类别)
-- marks           [1]   marks of it (标记次数)
-- hours           [h]   hours they cover (累计时长)
-- allowed_hours   [h]   hours allowed in the year (允许时长)
-- left_hours      [h]   hours left; negative beyond (剩余时长)
-- passed                whether the hours suffice (是否符合)
-- dusty_hours     [h]   of start_stop: hours of it with more dust than exempt (颗粒物超标时长)
-- longest_hours   [h]   longest fault or accident; NULL where there was none (最长故障事故时长)
-- overlong        [1]   faults and accidents longer than one may last (超时故障事故次数)
WITH reached AS (
    SELECT mn, max(ts) + INTERVAL '1 hour' AS ts FROM hourly GROUP BY mn
),
spans AS (
    SELECT
        m.mn,
        w.allowance,
        w.kind,
        m.started AS mark_started,
        coalesce(m.ended, r.ts) AS mark_ended,
        greatest(m.started, arrow_cast($from, 'Timestamp(µs)')) AS started,
        least(coalesce(m.ended, r.ts), arrow_cast($to, 'Timestamp(µs)')) AS ended
    FROM marks AS m
    INNER JOIN mark_words AS w ON w.word = lower(m.mark)
    LEFT JOIN reached AS r ON r.mn = m.mn
    WHERE
        w.allowance IS NOT NULL
        AND m.started < $to
        AND coalesce(m.ended, r.ts) > $from
        AND coalesce(m.ended, r.ts) > m.started
        AND (
            w.scope IN ('furnace', 'monitor')
            OR m.factor = 'a01901'
            OR NOT regexp_like(m.factor, '^[aw][0-9]{5}$')
        )
),
islands AS (
    SELECT mn, allowance, island, min(started) AS started, max(ended) AS ended
    FROM (
        SELECT *, sum(CASE WHEN started <= before THEN 0 ELSE 1 END) OVER (
            PARTITION BY mn, allowance ORDER BY started, ended ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS island
        FROM (
            SELECT *, max(ended) OVER (
                PARTITION BY mn, allowance ORDER BY started, ended ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
            ) AS before
            FROM spans
        )
    )
    GROUP BY mn, allowance, island
),
dusty AS (
    SELECT mn, ts
    FROM hourly_valid
    WHERE
        factor = 'a34013'
        AND valid
        AND ts >= $from - INTERVAL '1 hour'
        AND ts < $to
        AND coalesce(converted, value) > rule_number('exempt_dust', ts)
),
dust AS (
    SELECT
        i.mn,
        i.allowance,
        sum(
            date_part('epoch', least(i.ended, d.ts + INTERVAL '1 hour')) - date_part('epoch', greatest(i.started, d.ts))
        ) / 3600 AS dusty_hours
    FROM islands AS i
    INNER JOIN dusty AS d ON d.mn = i.mn AND d.ts < i.ended AND d.ts + INTERVAL '1 hour' > i.started
    WHERE i.allowance = 'start_stop'
    GROUP BY i.mn, i.allowance
),
total AS (
    SELECT mn, allowance, sum(date_part('epoch', ended) - date_part('epoch', started)) / 3600 AS hours
    FROM islands
    GROUP BY mn, allowance
),
single AS (
    SELECT
        mn,
        allowance,
        count(*) AS marks,
        max(hours) FILTER (WHERE is_single) AS longest_hours,
        count(*) FILTER (WHERE is_single AND hours > rule_number('exempt_single_h', mark_started)) AS overlong
    FROM (
        SELECT
            mn,
            allowance,
            mark_started,
            kind IN ('fault', 'accident') AS is_single,
            (date_part('epoch', mark_ended) - date_part('epoch', mark_started)) / 3600 AS hours
        FROM spans
    )
    GROUP BY mn, allowance
),
allowed AS (
    SELECT t.*, rule_number(
        CASE t.allowance
            WHEN 'start_stop' THEN 'exempt_start_stop_h'
            WHEN 'drying' THEN 'exempt_drying_h'
            ELSE 'exempt_maintenance_h'
        END,
        $from
    ) AS allowed_hours
    FROM total AS t
)
SELECT
    a.mn,
    a.allowance,
    s.marks,
    a.hours,
    a.allowed_hours,
    a.allowed_hours - a.hours AS left_hours,
    a.hours <= a.allowed_hours AS passed,
    coalesce(d.dusty_hours, 0) AS dusty_hours,
    s.longest_hours,
    s.overlong
FROM allowed AS a
INNER JOIN single AS s ON s.mn = a.mn AND s.allowance = a.allowance
LEFT JOIN dust AS d ON d.mn = a.mn AND d.allowance = a.allowance
