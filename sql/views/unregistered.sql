-- Series that nobody registered: they work everywhere, without stops and limits (未登记数据).
--
-- clause: an engineering default [default]
-- grain: one row per mn and factor with hourly, minute or daily rows but no outlet or no monitor
--
-- mn           unique id of the device (设备唯一标识)
-- factor       HJ 212-2017 factor code (监测因子编码)
-- first        first time stamp received (首次时间)
-- last         last time stamp received (末次时间)
-- rows    [1]  rows of the three tables (数据条数)
-- why          no outlet, or no monitor (未登记原因)
SELECT
    r.mn,
    r.factor,
    r.first,
    r.last,
    r.rows,
    CASE WHEN o.mn IS NULL THEN 'no outlet' ELSE 'no monitor' END AS why
FROM (
    SELECT mn, factor, min(first) AS first, max(last) AS last, sum(rows) AS rows
    FROM (
        SELECT mn, factor, min(ts) AS first, max(ts) AS last, count(*) AS rows FROM hourly GROUP BY mn, factor
        UNION ALL
        SELECT mn, factor, min(ts) AS first, max(ts) AS last, count(*) AS rows FROM minute GROUP BY mn, factor
        UNION ALL
        SELECT mn, factor, min(ts) AS first, max(ts) AS last, count(*) AS rows FROM daily GROUP BY mn, factor
    )
    GROUP BY mn, factor
) AS r
LEFT JOIN (SELECT DISTINCT mn FROM outlets) AS o ON o.mn = r.mn
LEFT JOIN (SELECT DISTINCT mn, factor FROM monitors) AS m ON m.mn = r.mn AND m.factor = r.factor
WHERE o.mn IS NULL OR m.mn IS NULL
