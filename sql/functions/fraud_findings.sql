-- What an inspector would look into: signs of tampering in each outlet's data, with evidence (数据造假线索).
--
-- clause: ST §6, patterns P1 to P36; 2015 Measures on tampering [standard]; annexes 2-1 to 2-4 [seed]; thresholds: table pattern_thresholds [default]; a finding is high from 0.8, medium from 0.5, else low [default]; a hit is a clue, not a verdict [default]
-- grain: one row per mn, factor and deed that overlaps [from, to)
-- call: fraud_findings(from, to)
-- example: fraud_findings('2026-01-01', '2026-02-01')
--
-- finding_id       the same for the same outlet, factor, pattern and start on every run (线索编号)
-- mn               unique id of the outlet's device (设备唯一标识)
-- factor           HJ 212-2017 factor code that shows it best (监测因子编码)
-- pattern          the pattern, as table patterns names it (模式名)
-- mechanism        value shape, parameter, operation or transmission (作假机理)
-- started          when the deed began; in the history before from, too (开始时间)
-- ended            when it ended (结束时间)
-- score       [1]  0 to 1; 0.5 and more is worth an inspector's trip (得分)
-- severity         high, medium or low (严重程度)
-- evidence         JSON: the figures a reader can check; also: the patterns that overlap it (证据)
-- rows        [1]  rows that it rests on (数据条数)
-- clause           where the pattern is stated (依据)
-- dismissed        whether it was explained and dismissed: under its id, or as a finding of the same outlet, factor and pattern that it overlaps in time (是否核销)
-- dismissal        finding_id under which table dismissals explains it: its own, else that of the overlapping finding dismissed last; NULL unless dismissed (核销线索编号)
WITH judged AS (
  -- Bounds move as data come and the id with them; an explained finding stays explained. Each way of knowing it again is a
  -- join of its own, as one join by either would compare every finding with every dismissal; several dismissals that
  -- overlap one finding are folded to one row.
  SELECT
    f.finding_id,
    f.mn,
    f.factor,
    f.pattern,
    f.started,
    f.ended,
    f.score,
    f.evidence,
    f.rows,
    coalesce(i.finding_id, last_value(o.finding_id ORDER BY o.received_at, o.finding_id)) AS dismissal
  FROM province_findings($from, $to) AS f
  LEFT JOIN dismissals AS i ON i.finding_id = f.finding_id
  LEFT JOIN dismissals AS o
    ON
      o.mn = f.mn
      AND o.factor = f.factor
      AND o.pattern = f.pattern
      AND o.started < f.ended
      AND f.started < o.ended
  GROUP BY
    f.finding_id, f.mn, f.factor, f.pattern, f.started, f.ended, f.score, f.evidence, f.rows, i.finding_id
)
SELECT
  j.finding_id,
  j.mn,
  j.factor,
  j.pattern,
  p.mechanism,
  j.started,
  j.ended,
  j.score,
  CASE
    WHEN j.score >= rule_number('finding_high', j.started) THEN 'high'
    WHEN j.score >= rule_number('finding_medium', j.started) THEN 'medium'
    ELSE 'low'
  END AS severity,
  j.evidence,
  j.rows,
  p.clause,
  j.dismissal IS NOT NULL AS dismissed,
  j.dismissal
FROM judged AS j
JOIN patterns AS p ON p.pattern = j.pattern
