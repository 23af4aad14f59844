-- Limits of every monitor, cut so that one row or none is in force at any time (在用限值).
--
-- clause: annex 2-3 I.2: parameters of points [seed]; of rows of monitors in force at once the latest since counts; basis where the registry doesn't say: converted for gas at an outlet with a reference oxygen, else value [default]
-- grain: one row per mn, factor and span; spans without a registered row have NULLs
--
-- mn                        unique id of the outlet's device (设备唯一标识)
-- factor                    HJ 212-2017 factor code (监测因子编码)
-- since                     in force from; NULL: always (生效时间)
-- until                     in force until, exclusive; NULL: open (失效时间)
-- limit_hour      [factor]  hourly limit (小时限值)
-- limit_day       [factor]  daily limit; NULL where the hourly one stands for it (日限值)
-- limit_low       [factor]  lower limit, of pH (下限)
-- limit_decimals  [1]       decimals of the limit; NULL: nothing is rounded (限值小数位)
-- limit_basis               what is compared as registered: converted or value (限值口径)
-- standard                  standard in force (执行标准)
-- is_gas                    whether it is a gas that has a mass, and so a converted value (是否气态污染物)
-- has_reference             whether the outlet has a reference oxygen (是否有基准氧)
WITH cuts AS (
    SELECT mn, factor, "start", lead("start") OVER (PARTITION BY mn, factor ORDER BY "start" NULLS FIRST) AS "end"
    FROM (
        SELECT mn, factor, since AS "start" FROM monitors
        UNION
        SELECT mn, factor, until AS "start" FROM monitors WHERE until IS NOT NULL
        UNION
        SELECT mn, factor, CAST(NULL AS TIMESTAMP(6)) AS "start" FROM monitors
    )
),
in_force AS (
    SELECT
        c.mn,
        c.factor,
        c."start",
        c."end",
        m.limit_hour,
        m.limit_day,
        m.limit_low,
        m.limit_decimals,
        m.limit_basis,
        m.standard,
        row_number() OVER (PARTITION BY c.mn, c.factor, c."start" ORDER BY m.since DESC NULLS LAST) AS place
    FROM cuts AS c
    LEFT JOIN monitors AS m
        ON
            m.mn = c.mn
            AND m.factor = c.factor
            AND (m.since IS NULL OR m.since <= c."start")
            AND (m.until IS NULL OR coalesce(c."start" < m.until, true))
)
SELECT
    i.mn,
    i.factor,
    i."start" AS since,
    i."end" AS until,
    i.limit_hour,
    i.limit_day,
    i.limit_low,
    i.limit_decimals,
    i.limit_basis,
    i.standard,
    i.factor LIKE 'a%' AND (f.factor IS NULL OR coalesce(f.total_unit IN ('kg', 'g'), false)) AS is_gas,
    coalesce(o.has_reference, false) AS has_reference
FROM in_force AS i
LEFT JOIN factors AS f ON f.factor = i.factor
LEFT JOIN (SELECT mn, max(o2_reference) IS NOT NULL AS has_reference FROM outlets GROUP BY mn) AS o ON o.mn = i.mn
WHERE i.place = 1
