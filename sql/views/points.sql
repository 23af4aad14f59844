-- Outlets with their enterprises, as registered last (点位信息).
--
-- clause: annex 2-3 I.2: data queries by point [seed]; the row with the latest since [default]
-- grain: one row per mn of outlets
--
-- mn             unique id of the outlet's device (设备唯一标识)
-- outlet         name of the outlet (排放口名称)
-- medium         air or water (排放介质)
-- enterprise_id  id of the enterprise; NULL where none is registered (企业编号)
-- enterprise     name of the enterprise (企业名称)
-- city           city, GB/T 2260 (地市)
-- county         county, GB/T 2260 (区县)
-- industry       industry, GB/T 4754 (行业类型)
-- attention      attention level (关注程度)
SELECT
    o.mn,
    o.name AS outlet,
    o.medium,
    o.enterprise_id,
    e.name AS enterprise,
    e.city,
    e.county,
    e.industry,
    e.attention
FROM (SELECT *, row_number() OVER (PARTITION BY mn ORDER BY since DESC NULLS LAST) AS place FROM outlets) AS o
LEFT JOIN (
    SELECT *, row_number() OVER (PARTITION BY enterprise_id ORDER BY since DESC NULLS LAST) AS place FROM enterprises
) AS e
    ON e.enterprise_id = o.enterprise_id AND e.place = 1
WHERE o.place = 1
