-- Each time that a clock of operation K1 to K11 came due and was not kept, up to a time (运维逾期记录).
--
-- clause: K1 to K11 of table clocks [seed]; a clock that is not kept comes due again after each of its intervals; zero and span missed on a day are one [default]
-- grain: one row per mn, factor, clock and day of a due time missed
-- call: missed_norms(as_of)
-- example: missed_norms('2026-04-01')
--
-- mn      unique id of the outlet's device (设备唯一标识)
-- factor  HJ 212-2017 factor code (监测因子编码)
-- rule    clock, K1 to K11 (规则编号)
-- missed  the first due time of the day that was missed (逾期时间)
-- clause  the clause with its mark (依据条款)
WITH open_at AS (
    SELECT
        i.mn,
        i.factor,
        i.rule,
        i.clause,
        i.due,
        least(coalesce(i.next, n.as_of), coalesce(i.ended, n.as_of), n.as_of) AS until,
        nullif(date_part('epoch', i.due) - date_part('epoch', i.counted_from), 0) AS step_s
    FROM qc_intervals AS i
    INNER JOIN (SELECT arrow_cast($as_of, 'Timestamp(µs)') AS as_of) AS n
        ON i.counted_from <= n.as_of AND i.first_check <= n.as_of
),
times AS (
    SELECT
        *,
        unnest(range(0, CAST(ceil((date_part('epoch', until) - date_part('epoch', due)) / step_s) AS BIGINT))) AS turn
    FROM open_at
    WHERE until > due
),
missed AS (
    SELECT mn, factor, rule, clause, due + CAST(CAST(turn * step_s AS VARCHAR) || ' seconds' AS INTERVAL) AS missed FROM times
)
SELECT mn, factor, rule, min(missed) AS missed, clause
FROM missed
GROUP BY mn, factor, rule, clause, date_trunc('day', missed)
