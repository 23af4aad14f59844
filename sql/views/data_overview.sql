-- The newest hour of every series, with its limit and what came that day (数据总览).
--
-- clause: annex 2-3 I.2: data queries, overview [seed]; today is the day of the newest hour of any outlet; real-time, minute, hour and day queries are the tables realtime, minute, hourly and daily themselves [default]
-- grain: one row per mn and factor with an hour received
--
-- mn                    unique id of the outlet's device (设备唯一标识)
-- factor                HJ 212-2017 factor code (监测因子编码)
-- value       [factor]  the hour's mean; as reported where it isn't valid (最新值)
-- ts                    start of the hour (监测时间)
-- flag                  flag of the reported hour (数据标记)
-- unit                  unit of the value (计量单位)
-- rows_today  [1]       hours received today; 0 of a series that fell silent before (当日数据条数)
-- limit       [factor]  hourly limit in force at that time (限值)
-- limit_low   [factor]  lower limit in force, of pH (下限)
-- beyond                whether the hour is valid and beyond the limit, as exceedances tells (是否超标)
-- converted   [factor]  the hour's converted value (折算值)
-- valid                 whether the hour's value counts (是否有效)
-- reason                why not (原因)
-- name_en               English name of the factor (因子英文名称)
-- name_zh               Chinese name of the factor (因子中文名称)
-- outlet                name of the outlet (排放口名称)
-- enterprise_id         id of the enterprise (企业编号)
-- enterprise            name of the enterprise (企业名称)
-- city                  city, GB/T 2260 (地市)
WITH days AS (
    SELECT
        mn,
        factor,
        date_trunc('day', ts) AS day,
        count(*) AS "rows",
        max(ts) AS ts,
        last_value(value ORDER BY ts) AS value,
        last_value(reported_value ORDER BY ts) AS reported_value,
        last_value(converted ORDER BY ts) AS converted,
        last_value(flag ORDER BY ts) AS flag,
        last_value(valid ORDER BY ts) AS valid,
        last_value(reason ORDER BY ts) AS reason
    FROM hourly_valid
    WHERE basis IS NOT NULL
    GROUP BY mn, factor, date_trunc('day', ts)
),
newest AS (
    SELECT
        *,
        max(day) OVER () AS today,
        row_number() OVER (PARTITION BY mn, factor ORDER BY day DESC) AS place
    FROM days
),
limited AS (
    SELECT
        n.*,
        l.limit_hour,
        l.limit_low,
        round_half_even(
            CASE
                WHEN coalesce(l.limit_basis = 'converted', l.is_gas AND (l.has_reference OR n.converted IS NOT NULL))
                    THEN CASE WHEN l.has_reference THEN n.converted ELSE coalesce(n.converted, n.value) END
                ELSE n.value
            END,
            coalesce(l.limit_decimals, 15)
        ) AS shown
    FROM newest AS n
    LEFT JOIN limits_in_force AS l
        ON
            l.mn = n.mn
            AND l.factor = n.factor
            AND (l.since IS NULL OR l.since <= n.ts)
            AND (l.until IS NULL OR n.ts < l.until)
    WHERE n.place = 1
)
SELECT
    l.mn,
    l.factor,
    coalesce(l.value, l.reported_value) AS value,
    l.ts,
    l.flag,
    f.unit,
    CASE WHEN l.day = l.today THEN l."rows" ELSE 0 END AS rows_today,
    l.limit_hour AS "limit",
    l.limit_low,
    l.valid AND (coalesce(l.shown > l.limit_hour, false) OR coalesce(l.shown < l.limit_low, false)) AS beyond,
    l.converted,
    l.valid,
    l.reason,
    f.name_en,
    f.name_zh,
    p.outlet,
    p.enterprise_id,
    p.enterprise,
    p.city
FROM limited AS l
LEFT JOIN factors AS f ON f.factor = l.factor
LEFT JOIN points AS p ON p.mn = l.mn
