-- Every outlet and its enterprise as registered last before a time (登记信息).
--
-- clause: annex 2-3 I.2: data queries by point [seed]; the row with the latest since before the time, whether it has ended or not [default]
-- grain: one row per mn of outlets
-- call: registered_outlets(as_of)
-- example: registered_outlets('2026-02-01')
--
-- mn             unique id of the outlet's device (设备唯一标识)
-- outlet         name of the outlet (排放口名称)
-- enterprise_id  id of the enterprise (企业编号)
-- enterprise     name of the enterprise (企业名称)
SELECT o.mn, o.name AS outlet, o.enterprise_id, e.name AS enterprise
FROM (
    SELECT *, row_number() OVER (PARTITION BY mn ORDER BY since DESC NULLS LAST) AS place
    FROM outlets
    WHERE since IS NULL OR since < $as_of
) AS o
LEFT JOIN (
    SELECT *, row_number() OVER (PARTITION BY enterprise_id ORDER BY since DESC NULLS LAST) AS place
    FROM enterprises
    WHERE since IS NULL OR since < $as_of
) AS e
    ON e.enterprise_id = o.enterprise_id AND e.place = 1
WHERE o.place = 1
