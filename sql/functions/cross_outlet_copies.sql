-- Outlets that send what another one measured, both told (站点间数据复制).
--
-- clause: ST §6 P7 [default]; thresholds: table pattern_thresholds, cross_outlet_copy [default]; outlets of one enterprise registered under one name share a stack and are left out [default]
-- grain: one row per mn, factor and start of a stretch of hours that overlaps [from, to), with the outlet that shares most of it
-- call: cross_outlet_copies(from, to)
-- example: cross_outlet_copies('2026-01-01', '2026-02-01')
--
-- mn               unique id of the outlet's device (设备唯一标识)
-- factor           HJ 212-2017 factor code (监测因子编码)
-- started          first hour that agrees; in the history before from, too (开始时间)
-- ended            end of the last hour that agrees (结束时间)
-- pattern          cross_outlet_copy (模式名)
-- finding_id       the same for the same outlet, factor and start on every run (线索编号)
-- score       [1]  0 to 1; 0.5 and more is worth an inspector's trip (得分)
-- rows        [1]  hours that agree (数据条数)
-- evidence         JSON: other outlet, hours that agree, median relative difference, correlation (证据)
WITH copies AS (
  SELECT
    factor,
    first_hour,
    unnest(copies) AS copy
  FROM (
    SELECT factor, first_hour, outlet_copies(mn, values) AS copies
    FROM judged_hours($from, $to)
    GROUP BY factor, first_hour
  )
),
told AS (
  SELECT
    copy['mn'] AS mn,
    copy['other'] AS other,
    factor,
    first_hour + arrow_cast(3600000000 * copy['first_hour'], 'Duration(Microsecond)') AS started,
    first_hour + arrow_cast(3600000000 * copy['end_hour'], 'Duration(Microsecond)') AS ended,
    copy['score'] AS score,
    copy['agreeing'] AS agreeing,
    copy['difference'] AS difference,
    copy['correlation'] AS correlation
  FROM copies
)
SELECT
  mn,
  factor,
  started,
  ended,
  'cross_outlet_copy' AS pattern,
  finding_id(mn, factor, 'cross_outlet_copy', started) AS finding_id,
  score,
  agreeing AS rows,
  concat(
    '{"other":"', other, '","hours":', agreeing, ',"difference":', round(difference, 6),
    ',"correlation":', round(correlation, 6), '}'
  ) AS evidence
FROM (
  -- An outlet that equals two others at once, as where those share a stack, is told once.
  SELECT
    t.*,
    row_number() OVER (PARTITION BY t.mn, t.factor, t.started ORDER BY t.agreeing DESC, t.other) AS place
  FROM told AS t
  LEFT JOIN registered_outlets($to) AS a ON a.mn = t.mn
  LEFT JOIN registered_outlets($to) AS b ON b.mn = t.other
  WHERE
    a.outlet IS NULL
    OR (a.outlet IS DISTINCT FROM b.outlet)
    OR (a.enterprise_id IS DISTINCT FROM b.enterprise_id)
)
WHERE place = 1 AND started < CAST($to AS TIMESTAMP) AND ended > CAST($from AS TIMESTAMP)
