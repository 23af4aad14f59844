-- Checks of analysers with a standard, judged (标样核查).
--
-- clause: annex 2-3 I.2: standard-check query [seed]; error of a check of water: rule standard_check_pct, HJ 355-2019 table 1 [recall]; what was recorded as passed or failed stands [default]
-- grain: one row per mn, factor and standard check
--
-- mn                    unique id of the outlet's device (设备唯一标识)
-- factor                HJ 212-2017 factor code (监测因子编码)
-- ts                    when it was checked (核查时间)
-- expected    [unit]    concentration of the standard (标准值)
-- measured    [unit]    what the analyser showed (测量值)
-- unit                  unit of both; of the factor where none was sent (计量单位)
-- error_pct   [%]       (measured − expected) ÷ expected × 100; NULL where the standard is 0 (相对误差)
-- limit_pct   [%]       greatest error allowed; NULL of gas, for which there is no rule (允许误差)
-- passed                whether it passed; NULL where nobody said and no rule or no figure tells (是否合格)
-- judged_by             recorded or rule; NULL where it can't be told (判定依据)
-- auto                  whether the check ran by itself; NULL where it isn't known (是否自动)
-- outlet                name of the outlet (排放口名称)
-- enterprise_id         id of the enterprise (企业编号)
-- enterprise            name of the enterprise (企业名称)
-- city                  city, GB/T 2260 (地市)
WITH checks AS (
    SELECT
        *,
        CASE WHEN factor LIKE 'w%' THEN rule_number('standard_check_pct', ts) END AS limit_pct
    FROM qc_results
    WHERE kind = 'standard_check'
),
-- Figures have few decimals, and a difference of two of them is off in its last bits: 1.1 − 1.0 is within 0.1.
judged AS (
    SELECT *, abs(measured - expected) <= limit_pct / 100 * abs(expected) * (1 + 1e-9) AS within
    FROM checks
)
SELECT
    j.mn,
    j.factor,
    j.ts,
    j.expected,
    j.measured,
    coalesce(j.unit, f.unit) AS unit,
    (j.measured - j.expected) / nullif(j.expected, 0) * 100 AS error_pct,
    j.limit_pct,
    coalesce(j.passed, j.within) AS passed,
    CASE WHEN j.passed IS NOT NULL THEN 'recorded' WHEN j.within IS NOT NULL THEN 'rule' END AS judged_by,
    j.auto,
    p.outlet,
    p.enterprise_id,
    p.enterprise,
    p.city
FROM judged AS j
LEFT JOIN factors AS f ON f.factor = j.factor
LEFT JOIN points AS p ON p.mn = j.mn
