-- Actual emissions against the permit, of every outlet and of an enterprise's main outlets together (许可排放量执行情况).
--
-- clause: HJ 942-2018: actual emissions from automatic data, not usable with too much of the running time missing, where a person works out material balance or generation factor [recall]; quarters of too low a capture have no mass: industrial-source accounting handbook [standard]; a part of a year is set beside the year's permit [default]; the sum is usable where each of its outlets is, and has a permit where each has one [default]
-- grain: one row per mn and factor that has a mass, and one with mn NULL per enterprise and factor of its main outlets
-- call: permit_totals(year)
-- words: whole months
-- example: permit_totals('2026')
--
-- enterprise_id         id of the enterprise; NULL where the outlet is not registered (企业编号)
-- mn                    unique id of the outlet's device; NULL: the enterprise's main outlets together (设备唯一标识)
-- factor                HJ 212-2017 factor code (监测因子编码)
-- period                start of the year, or of the quarter or month asked for (统计时段)
-- mass_t         [t]    tonnes emitted; NULL unless usable (实际排放量)
-- permitted_t    [t]    tonnes permitted a year; NULL where no permit is on file (许可年排放量)
-- missing_ratio  [1]    running hours without a measured mass ÷ running hours; NULL when stopped throughout (缺失时段占比)
-- usable                whether automatic data tell the actual emissions (是否可用于核算)
-- permit_no             discharge permit number (排污许可证编号)
-- used_ratio     [1]    mass ÷ permitted mass (许可量使用比例)
-- outlets        [1]    outlets in the row (排放口数)
WITH totals AS (
    SELECT
        mn,
        factor,
        mass_kg,
        operating_hours,
        substituted_hours + missing_hours AS unmeasured_hours,
        usable
    FROM emissions($from, $to, 'year')
),
registered AS (
    SELECT mn, enterprise_id, main_outlet
    FROM (
        SELECT *, row_number() OVER (PARTITION BY mn ORDER BY since DESC NULLS LAST) AS place
        FROM outlets
        WHERE since IS NULL OR since < $to
    )
    WHERE place = 1
),
permitted AS (
    SELECT mn, factor, permit_annual_t
    FROM (
        SELECT *, row_number() OVER (PARTITION BY mn, factor ORDER BY since DESC NULLS LAST) AS place
        FROM monitors
        WHERE since IS NULL OR since < $to
    )
    WHERE place = 1
),
permits AS (
    SELECT enterprise_id, permit_no
    FROM (
        SELECT *, row_number() OVER (PARTITION BY enterprise_id ORDER BY since DESC NULLS LAST) AS place
        FROM enterprises
        WHERE since IS NULL OR since < $to
    )
    WHERE place = 1
),
of_outlets AS (
    SELECT
        o.enterprise_id,
        t.mn,
        t.factor,
        coalesce(o.main_outlet, false) AS main_outlet,
        t.mass_kg / 1000 AS mass_t,
        p.permit_annual_t AS permitted_t,
        t.operating_hours,
        t.unmeasured_hours,
        t.usable AND coalesce(
            t.unmeasured_hours / CAST(nullif(t.operating_hours, 0) AS DOUBLE) <= rule_number('permit_missing_share', $from), true
        ) AS usable
    FROM totals AS t
    LEFT JOIN registered AS o ON o.mn = t.mn
    LEFT JOIN permitted AS p ON p.mn = t.mn AND p.factor = t.factor
),
judged AS (
    SELECT enterprise_id, mn, factor, mass_t, permitted_t, operating_hours, unmeasured_hours, usable, 1 AS outlets
    FROM of_outlets
    UNION ALL
    -- Sums of decimals don't depend on the order of the rows.
    SELECT
        enterprise_id,
        CAST(NULL AS VARCHAR) AS mn,
        factor,
        CAST(sum(CAST(mass_t AS DECIMAL(38, 15))) AS DOUBLE) AS mass_t,
        CASE WHEN count(permitted_t) = count(*) THEN CAST(sum(CAST(permitted_t AS DECIMAL(38, 15))) AS DOUBLE) END AS permitted_t,
        sum(operating_hours) AS operating_hours,
        sum(unmeasured_hours) AS unmeasured_hours,
        bool_and(usable) AS usable,
        count(*) AS outlets
    FROM of_outlets
    WHERE main_outlet AND enterprise_id IS NOT NULL
    GROUP BY enterprise_id, factor
)
SELECT
    j.enterprise_id,
    j.mn,
    j.factor,
    arrow_cast($from, 'Timestamp(Microsecond, None)') AS period,
    CASE WHEN j.usable THEN j.mass_t END AS mass_t,
    j.permitted_t,
    j.unmeasured_hours / CAST(nullif(j.operating_hours, 0) AS DOUBLE) AS missing_ratio,
    j.usable,
    p.permit_no,
    CASE WHEN j.usable THEN j.mass_t / nullif(j.permitted_t, 0) END AS used_ratio,
    j.outlets
FROM judged AS j
LEFT JOIN permits AS p ON p.enterprise_id = j.enterprise_id
