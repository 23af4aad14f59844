-- Whether the result of every hour was due for transmission, and whether it came (应传小时).
--
-- clause: Guide 16, annex 2-1 row 2 (5): reported stops are not due [seed]; nor are an hour of water without flow and one of an approved stop of the facility, and what came for them doesn't count [default]
-- grain: one row per mn, factor and hour of hourly_valid
--
-- mn        unique id of the outlet's device (设备唯一标识)
-- factor    HJ 212-2017 factor code (监测因子编码)
-- ts        start of the hour (监测时间)
-- due       whether its result was due (是否应传)
-- received  whether it was due and a reported hour, or minutes that make one, came (是否收到)
-- valid     whether it was due and is valid (是否有效)
-- came      whether anything came for the hour, due or not (是否有数据)
-- reason    why it isn't valid, as in hourly_valid (原因)
WITH approved AS (
    SELECT
        mn,
        greatest(
            started,
            max(coalesce(ended, TIMESTAMP '2200-01-01')) OVER (
                PARTITION BY mn ORDER BY started ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
            )
        ) AS started,
        coalesce(ended, TIMESTAMP '2200-01-01') AS ended
    FROM stoppages
    WHERE kind = 'facility' AND approved
),
hours AS (
    SELECT
        h.mn,
        h.factor,
        h.ts,
        coalesce(h.reason, '') NOT IN ('stopped', 'no_flow') AND a.mn IS NULL AS due,
        h.basis IS NOT NULL AS came,
        h.valid,
        h.reason
    FROM hourly_valid AS h
    LEFT JOIN approved AS a
        ON a.mn = h.mn AND h.reason = 'facility_stopped' AND a.started <= h.ts AND h.ts < a.ended
)
SELECT mn, factor, ts, due, due AND came AS received, due AND valid AS valid, came, reason
FROM hours
