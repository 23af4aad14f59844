-- The mark in force of every hour due (小时数据标记).
--
-- clause: Announcement 21 of 2022: manual marks are due by noon of the next day, what is not marked is valid [recall]; automatic marks count from an unbroken run of 15 min on [standard]; an automatic mark is one set by auto, device, logger or system (自动, 设备, 仪器, 数采仪, 系统); a manual mark that came late does not count; of several marks one that counts, then the one of most minutes, then the earlier stands; marks of a furnace and marks under no factor code hold for every factor; an open mark lasts to the outlet's last hour received [default]
-- grain: one row per mn, factor and hour of hourly_valid
--
-- mn                     unique id of the outlet's device (设备唯一标识)
-- factor                 HJ 212-2017 factor code (监测因子编码)
-- ts                     start of the hour (监测时间)
-- mark                   the kind of mark, see table mark_words, else the word as set; NULL where there is none (标记)
-- by                     who set it (标记人)
-- automatic              whether it was set by a device; NULL where there is none (是否自动标记)
-- marked_minutes  [min]  minutes of the hour it covers (标记分钟数)
-- run_minutes     [min]  length of the unbroken run of automatic marks it belongs to; NULL of manual ones (连续标记分钟数)
-- counts                 whether it counts; false where there is none (是否生效)
-- late                   whether a manual mark came after it was due (是否逾期标记)
-- valid                  whether the hour's value counts (是否有效)
-- reason                 why not (原因)
WITH reached AS (
    SELECT mn, max(ts) + INTERVAL '1 hour' AS ts FROM hourly GROUP BY mn
),
spans AS (
    SELECT
        m.mn,
        m.factor,
        m.started,
        coalesce(m.ended, r.ts) AS ended,
        coalesce(w.kind, m.mark) AS kind,
        m.by,
        m.received_at,
        coalesce(
            lower(m.by) IN ('auto', 'automatic', 'device', 'logger', 'system', '自动', '设备', '仪器', '数采仪', '系统'),
            false
        ) AS automatic,
        coalesce(w.scope = 'furnace', false) OR NOT regexp_like(m.factor, '^[aw][0-9]{5}$') AS is_wide
    FROM marks AS m
    LEFT JOIN mark_words AS w ON w.word = lower(m.mark)
    LEFT JOIN reached AS r ON r.mn = m.mn
    WHERE coalesce(m.ended, r.ts) > m.started
),
runs AS (
    SELECT
        *,
        date_part('epoch', max(ended) OVER (PARTITION BY mn, factor, automatic, run))
        - date_part('epoch', min(started) OVER (PARTITION BY mn, factor, automatic, run)) AS run_s
    FROM (
        SELECT *, sum(CASE WHEN started <= before THEN 0 ELSE 1 END) OVER (
            PARTITION BY mn, factor, automatic ORDER BY started ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS run
        FROM (
            SELECT *, max(ended) OVER (
                PARTITION BY mn, factor, automatic ORDER BY started ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
            ) AS before
            FROM spans
        )
    )
),
hours AS (
    SELECT *, unnest(range(date_trunc('hour', started), ended, INTERVAL '1 hour')) AS hour FROM runs
),
weighed AS (
    SELECT
        *,
        (date_part('epoch', least(ended, hour + INTERVAL '1 hour')) - date_part('epoch', greatest(started, hour))) / 60 AS minutes,
        NOT automatic
        AND received_at > date_trunc('day', hour) + INTERVAL '1 day' + CAST(CAST(rule_number('manual_mark_due_h', hour) AS VARCHAR) || ' hours' AS INTERVAL) AS late
    FROM hours
),
told AS (
    SELECT
        *,
        CASE WHEN automatic THEN run_s / 60 >= rule_number('auto_mark_min', hour) ELSE NOT late END AS counts
    FROM weighed
),
own AS (
    SELECT *
    FROM (
        SELECT *, row_number() OVER (PARTITION BY mn, factor, hour ORDER BY counts DESC, minutes DESC, started) AS place
        FROM told
        WHERE NOT is_wide
    )
    WHERE place = 1
),
wide AS (
    SELECT *
    FROM (
        SELECT *, row_number() OVER (PARTITION BY mn, hour ORDER BY counts DESC, minutes DESC, started, factor) AS place
        FROM told
        WHERE is_wide
    )
    WHERE place = 1
),
chosen AS (
    SELECT
        h.mn,
        h.factor,
        h.ts,
        h.valid,
        h.reason,
        o.mn IS NOT NULL AND (o.counts OR NOT coalesce(w.counts, false)) AS is_own,
        o.kind AS own_kind,
        o.by AS own_by,
        o.automatic AS own_automatic,
        o.minutes AS own_minutes,
        o.run_s AS own_run_s,
        o.counts AS own_counts,
        o.late AS own_late,
        w.kind AS wide_kind,
        w.by AS wide_by,
        w.automatic AS wide_automatic,
        w.minutes AS wide_minutes,
        w.run_s AS wide_run_s,
        w.counts AS wide_counts,
        w.late AS wide_late
    FROM hourly_valid AS h
    LEFT JOIN own AS o ON o.mn = h.mn AND o.factor = h.factor AND o.hour = h.ts
    LEFT JOIN wide AS w ON w.mn = h.mn AND w.hour = h.ts
)
SELECT
    mn,
    factor,
    ts,
    CASE WHEN is_own THEN own_kind ELSE wide_kind END AS mark,
    CASE WHEN is_own THEN own_by ELSE wide_by END AS by,
    CASE WHEN is_own THEN own_automatic ELSE wide_automatic END AS automatic,
    coalesce(CASE WHEN is_own THEN own_minutes ELSE wide_minutes END, 0) AS marked_minutes,
    CASE
        WHEN is_own AND own_automatic THEN own_run_s / 60
        WHEN NOT is_own AND wide_automatic THEN wide_run_s / 60
    END AS run_minutes,
    coalesce(CASE WHEN is_own THEN own_counts ELSE wide_counts END, false) AS counts,
    coalesce(CASE WHEN is_own THEN own_late ELSE wide_late END, false) AS late,
    valid,
    reason
FROM chosen
