-- Checks and maintenance that are overdue as of a time (质控超期).
--
-- clause: K1 to K11 of table clocks [seed]; overdue is later than due, not at it; what starts and keeps a clock: view qc_intervals; a monitor without any check is not judged; of zero and span the earlier due is told [default]
-- grain: one row per mn, factor and clock overdue
-- call: qc_overdue(as_of)
-- example: qc_overdue('2026-04-01')
--
-- mn                   unique id of the outlet's device (设备唯一标识)
-- factor               HJ 212-2017 factor code (监测因子编码)
-- rule                 clock, K1 to K11 (规则编号)
-- due                  when it was due (应完成时间)
-- last                 when it was done last; NULL where it never was (上次完成时间)
-- overdue_hours  [h]   hours from due to as_of (超期小时数)
-- clause               the clause with its mark (依据条款)
-- parts                what is overdue of it, zero and span among them (超期内容)
WITH now AS (SELECT arrow_cast($as_of, 'Timestamp(µs)') AS as_of)
SELECT
    i.mn,
    i.factor,
    i.rule,
    min(i.due) AS due,
    CASE WHEN count(i.last) = count(*) THEN min(i.last) END AS last,
    (date_part('epoch', min(n.as_of)) - date_part('epoch', min(i.due))) / 3600 AS overdue_hours,
    i.clause,
    string_agg(i.part, ', ' ORDER BY i.part) AS parts
FROM qc_intervals AS i
INNER JOIN now AS n
    ON
        i.first_check <= n.as_of
        AND i.counted_from <= n.as_of
        AND (i.next IS NULL OR i.next > n.as_of)
        AND (i.ended IS NULL OR i.ended > n.as_of)
        AND i.due < n.as_of
GROUP BY i.mn, i.factor, i.rule, i.clause
