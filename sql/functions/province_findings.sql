-- What patterns show once outlets are set beside each other: outages of the network excused, copies added (全省异常模式线索).
--
-- clause: ST §6 P7, P16 [default]; a finding of outage_at_high_load stands only with as many gaps of its own, which the network's outages don't explain, as threshold suspect_gaps asks [default]; else as pattern_findings and cross_outlet_copies [default]
-- grain: one row per mn, factor and deed that overlaps [from, to)
-- call: province_findings(from, to)
-- example: province_findings('2026-01-01', '2026-02-01')
--
-- mn               unique id of the outlet's device (设备唯一标识)
-- factor           HJ 212-2017 factor code that shows it best (监测因子编码)
-- started          when the deed began; in the history before from, too (开始时间)
-- ended            when it ended (结束时间)
-- pattern          the pattern, as table patterns names it (模式名)
-- finding_id       the same for the same outlet, factor, pattern and start on every run (线索编号)
-- score       [1]  0 to 1; 0.5 and more is worth an inspector's trip (得分)
-- rows        [1]  rows that it rests on (数据条数)
-- evidence         JSON: the figures a reader can check (证据)
SELECT f.mn, f.factor, f.started, f.ended, f.pattern, f.finding_id, f.score, f.rows, f.evidence
FROM pattern_findings($from, $to) AS f
LEFT JOIN (SELECT mn, factor, hour FROM silent_hours($from, $to) WHERE begins AND NOT network_wide) AS s
  ON
    f.pattern = 'outage_at_high_load'
    AND s.mn = f.mn
    AND s.factor = f.factor
    AND s.hour >= f.started
    AND s.hour < f.ended
CROSS JOIN (
  SELECT max(hour) AS gaps FROM pattern_thresholds WHERE pattern = 'outage_at_high_load' AND key = 'suspect_gaps'
) AS least
GROUP BY
  f.mn, f.factor, f.started, f.ended, f.pattern, f.finding_id, f.score, f.rows, f.evidence, least.gaps
HAVING f.pattern <> 'outage_at_high_load' OR count(s.hour) >= least.gaps
UNION ALL
SELECT mn, factor, started, ended, pattern, finding_id, score, rows, evidence
FROM cross_outlet_copies($from, $to)
