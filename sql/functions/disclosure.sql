-- Daily means of every outlet and factor beside their limits, for publication (自动监测信息公开).
--
-- clause: Guide 26: disclosure; 15(4): valid days [seed]; the daily limit, else the hourly one [default]
-- grain: one row per mn, factor and day with an hour due, stopped or received
-- call: disclosure(period)
-- example: disclosure('2026-01')
--
-- enterprise_id         id of the enterprise; NULL where the outlet is not registered (企业编号)
-- enterprise            name of the enterprise (企业名称)
-- mn                    unique id of the outlet's device (设备唯一标识)
-- outlet                name of the outlet (排放口名称)
-- day                   the day (日期)
-- factor                HJ 212-2017 factor code (监测因子编码)
-- factor_name           name of the factor; NULL where the code table has none (监测因子名称)
-- unit                  unit of the values (浓度单位)
-- value       [factor]  the day's mean; NULL unless valid, and for pH (日均值)
-- converted   [factor]  mean of the valid hours' converted values; NULL unless valid (折算日均值)
-- value_min   [factor]  least valid hour (最小值)
-- value_max   [factor]  greatest valid hour (最大值)
-- valid                 whether enough hours are valid (是否有效)
-- reason                why not (原因)
-- limit       [factor]  limit in force (限值)
-- limit_low   [factor]  lower limit in force, of pH (下限)
-- basis                 what is compared: converted or value; NULL without a limit (比较口径)
-- standard              standard the limit comes from (执行标准)
-- exceeded              whether the valid day is beyond the limit, rounded to its decimals (是否超标)
WITH settings AS (
    SELECT *, lead(since) OVER (PARTITION BY mn, factor ORDER BY since NULLS FIRST) AS next_since
    FROM monitors
),
limited AS (
    SELECT
        d.*,
        coalesce(m.limit_day, m.limit_hour) AS "limit",
        m.limit_low,
        m.standard,
        coalesce(m.limit_decimals, 15) AS decimals,
        CASE
            WHEN coalesce(m.limit_day, m.limit_hour, m.limit_low) IS NOT NULL
                THEN coalesce(m.limit_basis, CASE WHEN d.factor LIKE 'a%' THEN 'converted' ELSE 'value' END)
        END AS limited_by
    FROM daily_valid AS d
    LEFT JOIN settings AS m
        ON
            m.mn = d.mn
            AND m.factor = d.factor
            AND (m.since IS NULL OR m.since <= CAST(d.day AS TIMESTAMP))
            AND (m.until IS NULL OR CAST(d.day AS TIMESTAMP) < m.until)
            AND (m.next_since IS NULL OR CAST(d.day AS TIMESTAMP) < m.next_since)
    WHERE d.day >= $from AND d.day < $to
),
compared AS (
    SELECT
        *,
        round_half_even(
            CASE
                WHEN factor = 'w01001' THEN coalesce(value, value_max)
                WHEN limited_by = 'converted' THEN converted
                ELSE value
            END,
            decimals
        ) AS high,
        round_half_even(coalesce(value, CASE WHEN factor = 'w01001' THEN value_min END), decimals) AS low
    FROM limited
)
SELECT
    o.enterprise_id,
    o.enterprise,
    c.mn,
    o.outlet,
    c.day,
    c.factor,
    f.name_zh AS factor_name,
    f.unit,
    c.value,
    c.converted,
    c.value_min,
    c.value_max,
    c.valid,
    c.reason,
    c."limit",
    c.limit_low,
    c.limited_by AS basis,
    c.standard,
    c.valid AND (coalesce(c.high > c."limit", false) OR coalesce(c.low < c.limit_low, false)) AS exceeded
FROM compared AS c
LEFT JOIN factors AS f ON f.factor = c.factor
LEFT JOIN registered_outlets($to) AS o ON o.mn = c.mn
