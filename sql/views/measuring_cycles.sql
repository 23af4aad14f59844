-- Results of analysers that measure in cycles, by the time of their sample (监测周期数据).
--
-- clause: annex 2-3 I.2: data queries, monitoring period [seed]; SampleTime: HJ 212-2017 table 4 [standard]; rows of realtime and hourly that name the same sample tell one result, and the last of them counts [default]
-- grain: one row per mn, factor and time of a sample
--
-- mn                       unique id of the outlet's device (设备唯一标识)
-- factor                   HJ 212-2017 factor code (监测因子编码)
-- sample_time              when the sample was taken (采样时间)
-- value          [factor]  the result (监测值)
-- flag                     its flag (数据标记)
-- first                    first time stamp that told it (首次上报时间)
-- last                     last time stamp that told it (末次上报时间)
-- rows           [1]       rows that told it (数据条数)
-- cycle_min      [min]     time since the sample before; NULL of the first (监测周期)
WITH told AS (
    SELECT mn, factor, sample_time, ts, value, flag FROM realtime WHERE sample_time IS NOT NULL
    UNION ALL
    SELECT mn, factor, sample_time, ts, value, flag FROM hourly WHERE sample_time IS NOT NULL
),
cycles AS (
    SELECT
        mn,
        factor,
        sample_time,
        last_value(value ORDER BY ts, value, flag) AS value,
        last_value(flag ORDER BY ts, value, flag) AS flag,
        min(ts) AS first,
        max(ts) AS last,
        count(*) AS "rows"
    FROM told
    GROUP BY mn, factor, sample_time
)
SELECT
    mn,
    factor,
    sample_time,
    value,
    flag,
    first,
    last,
    "rows",
    (date_part('epoch', sample_time) - date_part('epoch', lag(sample_time) OVER (PARTITION BY mn, factor ORDER BY sample_time))) / 60
        AS cycle_min
FROM cycles
