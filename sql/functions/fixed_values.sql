-- Daily values that stayed the same for days on end (固定值查询).
--
-- clause: annex 2-3 I.2: consecutive equal daily values by area, category and factor [seed]; a day without a valid value, or none at all, ends a run, runs are told within [from, to), a day of pH counts where its extremes agree [default]
-- grain: one row per mn, factor and run of at least min_days days
-- call: fixed_values(from, to, min_days)
-- example: fixed_values('2026-01-01', '2026-04-01', 3)
--
-- mn                  unique id of the outlet's device (设备唯一标识)
-- factor              HJ 212-2017 factor code (监测因子编码)
-- city                city on the last day, GB/T 2260; NULL where nobody registered the outlet (地市)
-- medium              air or water (类别)
-- value     [factor]  the value, rounded so that means of equal hours are equal (日均值)
-- first_day           first day of the run (起始日期)
-- last_day            last day of the run (截止日期)
-- days      [d]       days of the run (连续天数)
SELECT
    r.mn,
    r.factor,
    p.city,
    CASE WHEN r.factor LIKE 'a%' THEN 'air' ELSE 'water' END AS medium,
    r.value,
    r.first_day,
    r.last_day,
    r.days
FROM fixed_runs($from, $to, $min_days) AS r
LEFT JOIN outlet_places AS p
    ON
        p.mn = r.mn
        AND (p.since IS NULL OR p.since < r.last_day + INTERVAL '1 day')
        AND (p.until IS NULL OR r.last_day + INTERVAL '1 day' <= p.until)
