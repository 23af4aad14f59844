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
WITH rejected AS (
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
    SELECT mn, factor, kind, count, first, last, longest_gap_h, gaps FROM reporting_problems($from, $to)
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
