-- Whether the result of every hour was due, whether it came, and whose it was (小时传输情况).
--
-- clause: what was due is told by due_hours, whose it was by outlet_places: the rows in force in the hour [default]
-- grain: one row per mn, factor and hour of hourly_valid
--
-- mn             unique id of the outlet's device (设备唯一标识)
-- factor         HJ 212-2017 factor code (监测因子编码)
-- ts             start of the hour (监测时间)
-- enterprise_id  enterprise the outlet belonged to; NULL where nobody registered it (企业编号)
-- city           its city, GB/T 2260 (地市)
-- due            whether its result was due (是否应传)
-- received       whether it was due and a reported hour, or minutes that make one, came (是否收到)
-- valid          whether it was due and is valid (是否有效)
-- came           whether anything came for the hour, due or not (是否有数据)
-- reason         why it isn't, as in hourly_valid (原因)
SELECT h.mn, h.factor, h.ts, p.enterprise_id, p.city, h.due, h.received, h.valid, h.came, h.reason
FROM due_hours AS h
LEFT JOIN outlet_places AS p
    ON p.mn = h.mn AND (p.since IS NULL OR p.since <= h.ts) AND (p.until IS NULL OR h.ts < p.until)
