-- Faults repaired or reported too late, as of a time (故障修复与报告超期).
--
-- clause: Measures 15, Guide 18 and 29(6): gas 12 h, water 48 h, in writing within 24 h [seed]; a fault under no factor code takes its outlet's medium, else air; open faults and reports count until as_of; a report is due for repaired faults, too; stops do not stop the clocks [default]
-- grain: one row per fault and clock missed
-- call: repair_overdue(as_of)
-- example: repair_overdue('2026-04-01')
--
-- mn                   unique id of the outlet's device (设备唯一标识)
-- factor               HJ 212-2017 factor code (监测因子编码)
-- rule                 K12 repair, K13 repair of a data logger of gas, K14 report (规则编号)
-- due                  when it was due (应完成时间)
-- last                 when it was repaired or reported; NULL where it wasn't by as_of (完成时间)
-- overdue_hours  [h]   hours from due to then, else to as_of (超期小时数)
-- clause               the clause with its mark (依据条款)
-- started              when the fault began (故障开始时间)
-- device               device concerned (设备)
-- code                 code of the fault (故障代码)
WITH known AS (
    SELECT
        f.mn,
        f.factor,
        f.started,
        f.device,
        f.code,
        n.as_of,
        CASE WHEN f.ended <= n.as_of THEN f.ended END AS ended,
        CASE WHEN f.reported <= n.as_of THEN f.reported END AS reported,
        CASE
            WHEN regexp_like(f.factor, '^[aw][0-9]{5}$') THEN f.factor LIKE 'w%'
            ELSE coalesce(bool_or(o.medium = 'water'), false)
        END AS is_water,
        coalesce(lower(f.device) LIKE '%logger%' OR f.device LIKE '%数采%', false) AS is_logger
    FROM faults AS f
    INNER JOIN (SELECT arrow_cast($as_of, 'Timestamp(µs)') AS as_of) AS n ON f.started <= n.as_of
    LEFT JOIN outlets AS o
        ON
            o.mn = f.mn
            AND (o.since IS NULL OR o.since <= f.started)
            AND (o.until IS NULL OR f.started < o.until)
    GROUP BY f.mn, f.factor, f.started, f.device, f.code, n.as_of, f.ended, f.reported
),
clocked AS (
    SELECT
        *,
        CASE WHEN is_logger AND NOT is_water THEN 'K13' ELSE 'K12' END AS rule,
        ended AS last,
        started + CAST(CAST(rule_number(
            CASE
                WHEN is_water THEN 'repair_water_h'
                WHEN is_logger THEN 'logger_repair_h'
                ELSE 'repair_air_h'
            END,
            started
        ) AS VARCHAR) || ' hours' AS INTERVAL) AS due
    FROM known
    UNION ALL
    SELECT
        *,
        'K14' AS rule,
        reported AS last,
        started + CAST(CAST(rule_number('fault_report_h', started) AS VARCHAR) || ' hours' AS INTERVAL) AS due
    FROM known
)
SELECT
    k.mn,
    k.factor,
    k.rule,
    k.due,
    k.last,
    (date_part('epoch', coalesce(k.last, k.as_of)) - date_part('epoch', k.due)) / 3600 AS overdue_hours,
    c.clause,
    k.started,
    k.device,
    k.code
FROM clocked AS k
INNER JOIN clocks AS c ON c.rule = k.rule
WHERE coalesce(k.last, k.as_of) > k.due
