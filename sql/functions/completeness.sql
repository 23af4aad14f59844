-- How complete the results of every series came, at one level of data (数据完整率).
--
-- clause: annex 2-3 I.2: complete = received ÷ due, per point and by city [seed]; results beyond those due in an hour don't make up for others, a day is received where an hour of it or its reported day came, a series that sent nothing but this level is due from its first to its last row; an hour counts where the outlet stood in it [default]
-- grain: one row per mn, factor, enterprise and city with a result due
-- call: completeness(from, to, level)
-- words: realtime, minute, hour, day
-- example: completeness('2026-01-01', '2026-02-01', 'hour')
--
-- city               city, GB/T 2260; NULL where nobody registered the outlet (地市)
-- enterprise_id      enterprise the outlet belonged to (企业编号)
-- mn                 unique id of the outlet's device (设备唯一标识)
-- factor             HJ 212-2017 factor code (监测因子编码)
-- expected      [1]  results due: of the hours due, as many as the interval of the level makes (应收数)
-- received      [1]  results of them received (实收数)
-- valid         [1]  results of them valid (有效数)
-- rate          [1]  received ÷ expected (完整率)
SELECT
    d.city,
    d.enterprise_id,
    d.mn,
    d.factor,
    sum(d.expected) AS expected,
    sum(d.received) AS received,
    sum(d.valid) AS valid,
    CAST(sum(d.received) AS DOUBLE) / sum(d.expected) AS rate
FROM transmission_by_place($from, $to, $level) AS d
GROUP BY d.city, d.enterprise_id, d.mn, d.factor
HAVING sum(d.expected) > 0
