-- Hours in which a pollutant was not received, and how many of its city were not, at once (无数据小时与区域网络中断).
--
-- clause: ST §6 P16: an outage of the network reaches other points, too [default]; thresholds: table pattern_thresholds, outage_at_high_load, network_share and network_series [default]; history before from: rules pattern_lookback_days [default]
-- grain: one row per mn, factor and hour without a row, between the outlet's first and last, outside registered stops
-- call: silent_hours(from, to)
-- example: silent_hours('2026-01-01', '2026-02-01')
--
-- mn                 unique id of the outlet's device (设备唯一标识)
-- factor             HJ 212-2017 factor code (监测因子编码)
-- city               city at the end, GB/T 2260; NULL where nobody registered the outlet (地市)
-- hour               the hour; in the history before from, too (小时)
-- begins             whether the hour before was received (是否中断起始)
-- silent        [1]  series of the city that were silent in the hour (同时无数据序列数)
-- series        [1]  series of the city (序列总数)
-- network_wide       whether so many were that the network was down (是否区域网络中断)
WITH placed AS (
  SELECT j.mn, j.factor, p.city, j.first_hour, j.silent, count(*) OVER (PARTITION BY p.city) AS series
  FROM judged_hours($from, $to) AS j
  LEFT JOIN outlet_places AS p
    ON
      p.mn = j.mn
      AND (p.since IS NULL OR p.since < CAST($to AS TIMESTAMP))
      AND (p.until IS NULL OR CAST($to AS TIMESTAMP) <= p.until)
),
hours AS (
  SELECT mn, factor, city, series, first_hour + arrow_cast(3600000000 * hour, 'Duration(Microsecond)') AS hour
  FROM (SELECT mn, factor, city, series, first_hour, unnest(silent) AS hour FROM placed)
),
counted AS (
  SELECT
    *,
    lag(hour) OVER (PARTITION BY mn, factor ORDER BY hour) AS silent_before,
    count(*) OVER (PARTITION BY city, hour) AS silent
  FROM hours
)
SELECT
  c.mn,
  c.factor,
  c.city,
  c.hour,
  (c.silent_before IS DISTINCT FROM c.hour - INTERVAL '1 hour') AS begins,
  c.silent,
  c.series,
  coalesce(c.city IS NOT NULL AND c.silent >= t.share * c.series AND c.silent >= t.least, false) AS network_wide
FROM counted AS c
CROSS JOIN (
  SELECT
    max(CASE WHEN key = 'network_share' THEN hour END) AS share,
    max(CASE WHEN key = 'network_series' THEN hour END) AS least
  FROM pattern_thresholds
  WHERE pattern = 'outage_at_high_load'
) AS t
