-- Every quality-control check with its verdict (质控结果判定).
--
-- clause: as told; else HJ 75-2017 11.2 for drifts of gas, HJ 355-2019 table 1 for standard checks and comparisons of water, HJ 75-2017 for comparisons and verifications of gas with a reference method [recall]; where that asks for a relative accuracy, the difference of the row's pair over the reference (relative_accuracy takes the pairs); a unit other than the factor's is not judged of gas [default]
-- grain: one row per check
--
-- mn                  unique id of the outlet's device (设备唯一标识)
-- factor              HJ 212-2017 factor code (监测因子编码)
-- ts                  when it was made (质控时间)
-- kind                zero, span, standard_check, comparison, verification, full_system, velocity_zero, blind (质控类别)
-- auto                whether it ran by itself; NULL where nobody told (是否自动)
-- expected  [unit]    concentration of the standard, sample or reference method (标准值)
-- measured  [unit]    what the analyser showed (测量值)
-- unit                unit of both (单位)
-- passed              whether it passed; NULL where neither the row nor a limit tells (是否合格)
SELECT
    mn,
    factor,
    ts,
    kind,
    auto,
    expected,
    measured,
    unit,
    qc_passed(factor, kind, expected, measured, unit, full_scale, told, ts) AS passed
FROM (
    SELECT
        q.mn,
        q.factor,
        q.ts,
        q.kind,
        q.auto,
        q.expected,
        q.measured,
        q.unit,
        q.passed AS told,
        max(m.range_high - coalesce(m.range_low, 0)) AS full_scale
    FROM qc_results AS q
    LEFT JOIN monitors AS m
        ON
            m.mn = q.mn
            AND m.factor = q.factor
            AND (m.since IS NULL OR m.since <= q.ts)
            AND (m.until IS NULL OR q.ts < m.until)
    GROUP BY q.mn, q.factor, q.ts, q.kind, q.auto, q.expected, q.measured, q.unit, q.passed
)
