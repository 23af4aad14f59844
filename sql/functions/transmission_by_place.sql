-- Days of transmission_days with the enterprise and the city that the outlet then stood in (归属日传输情况).
--
-- clause: an hour counts where the outlet stood in it [default]
-- grain: one row per mn, factor and day with an hour within [from, to) due, stopped or received; two where the registration changed within it
-- call: transmission_by_place(from, to, level)
-- words: realtime, minute, hour, day
-- example: transmission_by_place('2026-01-01', '2026-02-01', 'hour')
--
-- mn                  unique id of the outlet's device (设备唯一标识)
-- factor              HJ 212-2017 factor code (监测因子编码)
-- day                 the day (日期)
-- city                city, GB/T 2260; NULL where nobody registered the outlet (地市)
-- enterprise_id       enterprise the outlet belonged to (企业编号)
-- due_hours      [h]  hours due (应传小时数)
-- received_hours [h]  of them those for which a reported hour, or minutes that make one, came (实收小时数)
-- valid_hours    [h]  of them those that are valid (有效小时数)
-- online_hours   [h]  of them those in which, or in the one before, a row of any level came (在线小时数)
-- expected       [1]  results due at the level, as transmission_days has them (应收数)
-- received       [1]  results of them received (实收数)
-- valid          [1]  results of them valid (有效数)
SELECT
    d.mn,
    d.factor,
    d.day,
    p.city,
    p.enterprise_id,
    d.due_hours,
    d.received_hours,
    d.valid_hours,
    d.online_hours,
    d.expected,
    d.received,
    d.valid
FROM transmission_days($from, $to, $level) AS d
LEFT JOIN outlet_places AS p
    ON
        p.mn = d.mn
        AND (p.since IS NULL OR p.since <= d.first_hour)
        AND (p.until IS NULL OR d.first_hour < p.until)
