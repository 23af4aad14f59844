-- For how much of the hours due every series was online (在线率).
--
-- clause: annex 2-3 I.2: online rate per point and by city [seed]; online is time with data within 2 intervals: the hour or the one before has a row of any level; an hour counts where the outlet stood in it [default]
-- grain: one row per mn, factor, enterprise and city with an hour due
-- call: online_rate(from, to)
-- example: online_rate('2026-01-01', '2026-02-01')
--
-- city               city, GB/T 2260; NULL where nobody registered the outlet (地市)
-- enterprise_id      enterprise the outlet belonged to (企业编号)
-- mn                 unique id of the outlet's device (设备唯一标识)
-- factor             HJ 212-2017 factor code (监测因子编码)
-- expected      [h]  hours due (应在线小时数)
-- received      [h]  hours of them online (在线小时数)
-- valid         [h]  hours of them with a valid result (有效小时数)
-- rate          [1]  received ÷ expected (在线率)
SELECT
    city,
    enterprise_id,
    mn,
    factor,
    sum(due_hours) AS expected,
    sum(online_hours) AS received,
    sum(valid_hours) AS valid,
    CAST(sum(online_hours) AS DOUBLE) / sum(due_hours) AS rate
FROM transmission_by_place($from, $to, 'hour')
GROUP BY city, enterprise_id, mn, factor
HAVING sum(due_hours) > 0
