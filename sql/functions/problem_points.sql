-- Points that have trouble reporting: gaps, flags, late arrival, rejected rows and broken packets (上报异常点位).
--
-- clause: annex 2-3 I.2: points with reporting problems [seed]; late is a row that came more than 24 h after its hour; a gap is the run of hours due and not received, which hours not due neither extend nor break [default]
-- grain: one row per mn, factor and kind of problem; of rejected rows and packets per mn
-- call: problem_points(from, to)
-- example: problem_points('2026-01-01', '2026-02-01')
--
-- mn                  unique id of the outlet's device; NULL where a rejected row doesn't tell (设备唯一标识)
-- factor              HJ 212-2017 factor code; NULL of rejects and packets (监测因子编码)
-- city                city in force at the last problem, GB/T 2260 (地市)
-- kind                gap, flag, late, reject or packet (问题类型)
-- count          [1]  hours missing, flagged or late; rows rejected; packets broken (条数)
-- first               hour of the first; of rejects and packets when it came (首次时间)
-- last                hour of the last (末次时间)
-- longest_gap_h  [h]  hours of the longest gap; NULL unless kind is gap (最长缺失小时数)
-- gaps           [1]  how many gaps; NULL unless kind is gap (缺失次数)
WITH hours AS (
    SELECT
        mn,
        factor,
        ts,
        received,
        reason,
        sum(CASE WHEN received THEN 1 ELSE 0 END) OVER (
            PARTITION BY mn, factor ORDER BY ts ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS run
    FROM due_hours
    WHERE due AND ts >= $from AND ts < $to
),
-- In one pass: every gap is a run of its own, all hours received are one.
runs AS (
    SELECT
        mn,
        factor,
        CASE WHEN received THEN -1 ELSE run END AS run,
        count(*) FILTER (WHERE NOT received) AS missing,
        min(CASE WHEN NOT received THEN ts END) AS first_missing,
        max(CASE WHEN NOT received THEN ts END) AS last_missing,
        count(*) FILTER (WHERE received AND reason IN ('flag', 'no_value', 'too_few_minutes')) AS flagged,
        min(CASE WHEN received AND reason IN ('flag', 'no_value', 'too_few_minutes') THEN ts END) AS first_flagged,
        max(CASE WHEN received AND reason IN ('flag', 'no_value', 'too_few_minutes') THEN ts END) AS last_flagged
    FROM hours
    GROUP BY mn, factor, CASE WHEN received THEN -1 ELSE run END
),
series AS (
    SELECT
        mn,
        factor,
        sum(missing) AS missing,
        min(first_missing) AS first_missing,
        max(last_missing) AS last_missing,
        max(missing) AS longest,
        count(*) FILTER (WHERE missing > 0) AS gaps,
        sum(flagged) AS flagged,
        min(first_flagged) AS first_flagged,
        max(last_flagged) AS last_flagged
    FROM runs
    GROUP BY mn, factor
),
of_series AS (
    SELECT
        mn,
        factor,
        kind,
        CASE WHEN kind = 'gap' THEN missing ELSE flagged END AS count,
        CASE WHEN kind = 'gap' THEN first_missing ELSE first_flagged END AS first,
        CASE WHEN kind = 'gap' THEN last_missing ELSE last_flagged END AS last,
        CASE WHEN kind = 'gap' THEN longest END AS longest_gap_h,
        CASE WHEN kind = 'gap' THEN gaps END AS gaps
    FROM (SELECT *, unnest(make_array('gap', 'flag')) AS kind FROM series)
),
rejected AS (
    -- A packet tells its device by name, a CSV line first of all.
    SELECT
        coalesce(nullif(regexp_replace(regexp_match(r.raw, 'MN=([^;]*)')[1], ' ', '', 'g'), ''), k.mn) AS mn,
        r.received_at
    FROM rejects AS r
    LEFT JOIN (
        SELECT mn FROM outlets
        UNION
        SELECT mn FROM hourly
        WHERE ts >= $from AND ts < $to
    ) AS k
        ON k.mn = split_part(r.raw, ',', 1)
    WHERE r.received_at >= $from AND r.received_at < $to
),
problems AS (
    SELECT * FROM of_series WHERE count > 0
    UNION ALL
    SELECT mn, factor, 'late', count(*), min(ts), max(ts), NULL, NULL
    FROM hourly
    WHERE
        ts >= $from
        AND ts < $to
        AND (factor LIKE 'a%' OR factor LIKE 'w%')
        AND date_part('epoch', received_at) - date_part('epoch', ts) > 3600 * (1 + rule_number('late_hours', ts))
    GROUP BY mn, factor
    UNION ALL
    SELECT mn, NULL, 'reject', count(*), min(received_at), max(received_at), NULL, NULL
    FROM rejected
    GROUP BY mn
    UNION ALL
    SELECT mn, NULL, 'packet', count(*), min(received_at), max(received_at), NULL, NULL
    FROM packets
    WHERE received_at >= $from AND received_at < $to AND verdict <> 'ok' AND verdict NOT LIKE 'repaired%'
    GROUP BY mn
)
SELECT q.mn, q.factor, p.city, q.kind, q.count, q.first, q.last, q.longest_gap_h, q.gaps
FROM problems AS q
LEFT JOIN outlet_places AS p
    ON p.mn = q.mn AND (p.since IS NULL OR p.since <= q.last) AND (p.until IS NULL OR q.last < p.until)
