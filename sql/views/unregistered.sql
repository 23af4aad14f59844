-- Series that nobody registered: they work everywhere, without stops and limits (未登记数据).
--
-- clause: an engineering default [default]
-- grain: one row per mn and factor with hourly rows but no outlet or no monitor
--
-- mn      unique id of the device
-- factor  HJ 212-2017 factor code
-- first   first hour received
-- last    last hour received
-- rows    hourly rows
-- why     no outlet, or no monitor
SELECT
    h.mn,
    h.factor,
    h.first,
    h.last,
    h.rows,
    CASE WHEN o.mn IS NULL THEN 'no outlet' ELSE 'no monitor' END AS why
FROM (SELECT mn, factor, min(ts) AS first, max(ts) AS last, count(*) AS rows FROM hourly GROUP BY mn, factor) AS h
LEFT JOIN (SELECT DISTINCT mn FROM outlets) AS o ON o.mn = h.mn
LEFT JOIN (SELECT DISTINCT mn, factor FROM monitors) AS m ON m.mn = h.mn AND m.factor = h.factor
WHERE o.mn IS NULL OR m.mn IS NULL
