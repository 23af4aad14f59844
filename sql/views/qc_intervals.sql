-- From one check to the next, of every clock of operation K1 to K11 (质控周期).
--
-- clause: Guide 17 and annex 2-4, see table clocks [seed]; clocks run from the monitor's first check, stops do not stop them, a failed check does not either; a zero or span of gas counts only where it is known to have passed; K3: once a calendar month, that of the first check among them; K11 is judged only where an outlet has maintenance records, which hold for every factor if their own is no factor code [default]
-- grain: one row per mn, factor, rule, part and check that keeps the clock, besides one from the first check where nothing had kept it yet
--
-- mn            unique id of the outlet's device (设备唯一标识)
-- factor        HJ 212-2017 factor code (监测因子编码)
-- rule          clock, K1 to K11 (规则编号)
-- part          what is due: standard_check, calibration, comparison, zero, span, full_system, velocity_zero, verification, maintenance (质控内容)
-- first_check   the monitor's first check of any kind (首次质控时间)
-- counted_from  when the clock started: last, else the first check (起算时间)
-- last          the check that kept the clock; NULL where there was none yet (上次质控时间)
-- due           when the next is due (应质控时间)
-- next          the next one; NULL where there is none (下次质控时间)
-- ended         when the monitor's registration ended; NULL while it lasts or where there is none (监测项目失效时间)
-- clause        the clause with its mark (依据条款)
WITH series AS (
    SELECT
        q.mn,
        q.factor,
        q.first_check,
        r.ended,
        q.has_velocity_zero,
        m.mn IS NOT NULL AS has_maintenance,
        q.factor LIKE 'w%' AS is_water,
        f.factor IS NULL OR coalesce(f.total_unit, '') IN ('kg', 'g') AS has_mass
    FROM (
        SELECT mn, factor, min(ts) AS first_check, bool_or(kind = 'velocity_zero') AS has_velocity_zero
        FROM qc_results
        GROUP BY mn, factor
    ) AS q
    LEFT JOIN (
        SELECT mn, factor, CASE WHEN count(*) = count(until) THEN max(until) END AS ended
        FROM monitors
        GROUP BY mn, factor
    ) AS r ON r.mn = q.mn AND r.factor = q.factor
    LEFT JOIN factors AS f ON f.factor = q.factor
    LEFT JOIN (SELECT DISTINCT mn FROM maintenance) AS m ON m.mn = q.mn
),
clock AS (
    SELECT s.mn, s.factor, s.first_check, s.ended, p.part
    FROM series AS s
    CROSS JOIN (
        VALUES ('standard_check'), ('calibration'), ('comparison'), ('zero'), ('span'), ('full_system'), ('verification'),
        ('velocity_zero'), ('maintenance')
    ) AS p (part)
    WHERE
        CASE p.part
            WHEN 'standard_check' THEN s.factor IN ('w01018', 'w01020', 'w21001', 'w21003', 'w21011')
            WHEN 'calibration' THEN s.is_water AND s.has_mass
            WHEN 'comparison' THEN s.is_water
            WHEN 'full_system' THEN NOT s.is_water AND s.has_mass AND s.factor <> 'a34013'
            WHEN 'velocity_zero' THEN s.factor = 'a01011' OR s.has_velocity_zero
            WHEN 'maintenance' THEN s.has_maintenance
            ELSE NOT s.is_water AND s.has_mass
        END
),
kept AS (
    SELECT
        mn,
        factor,
        CASE WHEN factor LIKE 'w%' AND kind IN ('zero', 'span') THEN 'calibration' ELSE kind END AS part,
        ts
    FROM qc_verdicts
    WHERE
        coalesce(passed, factor LIKE 'w%' OR kind NOT IN ('zero', 'span'))
        AND NOT (kind = 'standard_check' AND coalesce(auto, true) = false)
    UNION ALL
    SELECT mn, factor, 'comparison' AS part, ts FROM manual_samples WHERE kind = 'reference'
    UNION ALL
    SELECT s.mn, s.factor, 'maintenance' AS part, m.started AS ts
    FROM series AS s
    INNER JOIN maintenance AS m
        ON m.mn = s.mn AND (m.factor = s.factor OR NOT regexp_like(m.factor, '^[aw][0-9]{5}$'))
),
events AS (
    SELECT mn, factor, part, first_check, ended, ts, bool_or(is_check) AS is_check
    FROM (
        SELECT mn, factor, part, first_check, ended, first_check AS ts, false AS is_check FROM clock
        UNION ALL
        SELECT c.mn, c.factor, c.part, c.first_check, c.ended, k.ts, true AS is_check
        FROM clock AS c
        INNER JOIN kept AS k ON k.mn = c.mn AND k.factor = c.factor AND k.part = c.part
    )
    GROUP BY mn, factor, part, first_check, ended, ts
),
-- What was known before the first check makes its row needless.
started AS (
    SELECT *
    FROM (
        SELECT *, row_number() OVER (PARTITION BY mn, factor, part ORDER BY ts) AS place FROM events
    )
    WHERE is_check OR place = 1
),
intervals AS (
    SELECT *, lead(ts) OVER (PARTITION BY mn, factor, part ORDER BY ts) AS next FROM started
),
settings AS (
    SELECT
        i.mn,
        i.factor,
        i.part,
        i.first_check,
        i.ended,
        i.ts,
        i.is_check,
        i.next,
        coalesce(bool_or(m.auto_calibration), false) AS calibrates_itself,
        coalesce(bool_or(m.method LIKE '%直接%' OR lower(m.method) LIKE '%direct%'), false) AS measures_directly
    FROM intervals AS i
    LEFT JOIN monitors AS m
        ON
            m.mn = i.mn
            AND m.factor = i.factor
            AND (m.since IS NULL OR m.since <= i.ts)
            AND (m.until IS NULL OR i.ts < m.until)
    GROUP BY i.mn, i.factor, i.part, i.first_check, i.ended, i.ts, i.is_check, i.next
),
ruled AS (
    SELECT
        *,
        CASE
            WHEN part = 'standard_check' THEN 'K1'
            WHEN part = 'calibration' THEN 'K2'
            WHEN part = 'comparison' THEN 'K3'
            WHEN part = 'full_system' THEN 'K8'
            WHEN part = 'velocity_zero' THEN 'K9'
            WHEN part = 'verification' THEN 'K10'
            WHEN part = 'maintenance' THEN 'K11'
            WHEN calibrates_itself THEN 'K4'
            WHEN factor = 'a34013' THEN 'K5'
            WHEN measures_directly THEN 'K6'
            ELSE 'K7'
        END AS rule
    FROM settings
    WHERE NOT (part = 'full_system' AND measures_directly)
)
SELECT
    r.mn,
    r.factor,
    r.rule,
    r.part,
    r.first_check,
    r.ts AS counted_from,
    CASE WHEN r.is_check THEN r.ts END AS last,
    CASE
        WHEN r.rule = 'K3'
            THEN date_trunc('month', r.ts) + CAST(CAST(CAST(rule_number('comparison_months', r.ts) AS BIGINT) * CASE WHEN r.is_check THEN 2 ELSE 1 END AS VARCHAR) || ' months' AS INTERVAL)
        WHEN r.rule IN ('K8', 'K10')
            THEN r.ts + CAST(CAST(CAST(rule_number(
                CASE
                    WHEN r.rule = 'K8' THEN 'full_system_months'
                    WHEN r.calibrates_itself THEN 'verification_auto_months'
                    ELSE 'verification_months'
                END,
                r.ts
            ) AS BIGINT) AS VARCHAR) || ' months' AS INTERVAL)
        ELSE r.ts + CAST(CAST(rule_number(
            CASE
                WHEN r.rule = 'K1' THEN 'standard_check_h'
                WHEN r.rule = 'K2' THEN 'water_calibration_h'
                WHEN r.rule = 'K4' THEN 'calibration_auto_h'
                WHEN r.rule = 'K5' THEN 'calibration_dust_h'
                WHEN r.rule = 'K6' THEN 'calibration_direct_h'
                WHEN r.rule = 'K7' THEN 'calibration_extractive_h'
                WHEN r.rule = 'K9' AND r.calibrates_itself THEN 'velocity_zero_auto_h'
                WHEN r.rule = 'K9' THEN 'velocity_zero_manual_h'
                ELSE 'maintenance_h'
            END,
            r.ts
        ) AS VARCHAR) || ' hours' AS INTERVAL)
    END AS due,
    r.next,
    r.ended,
    c.clause
FROM ruled AS r
INNER JOIN clocks AS c ON c.rule = r.rule
