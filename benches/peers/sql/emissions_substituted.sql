-- emissions_substituted of ../queries.py. tried, CPU seconds as there (the join alone: 1.2):
--   7.7 max() OVER the last 180, 720, 2160 rows, then all sums of a series in one GROUP BY; series
--       by number (kept: over 6,000 outlets 95, 107 with mn cast to Utf8; with mn as the Utf8View
--       that it is, 8.5 here, but no end after 300 s there)
--   8.9 the longer pools by lag() of the shorter, with mn
--   9.9 measured hours and gaps grouped apart, with mn: a CTE is computed anew for each use
--   x 0.9 the files' order declared, and two optimizer options (not kept: it would be for this query)
--   38 array_agg(... ORDER BY ts) alone; 3.3 pollutants and flow side by side by GROUP BY alone
-- Hours are counted from 1970; 490896 is 2026-01-01, 491640 February, 492312 March, 493056 April.
-- A row of `measured` is a measured hour; `next` is the one after it: between them lies a gap.
WITH keys AS (
    SELECT mn, factor, row_number() OVER (ORDER BY mn, factor) AS id
    FROM (SELECT DISTINCT mn, factor FROM hourly WHERE factor IN ('a21026', 'a21002', 'a34013'))
), carried AS (
    SELECT k.id, arrow_cast(c.ts, 'Int64') / 3600000000 AS hour,
           greatest(c.value, 0) * coalesce(f.total, f.value * 3600) * 1e-6 AS kg
    FROM hourly c JOIN hourly f ON f.mn = c.mn AND f.ts = c.ts
    JOIN keys k ON k.mn = c.mn AND k.factor = c.factor
    WHERE c.factor IN ('a21026', 'a21002', 'a34013') AND c.flag = 'N' AND c.value IS NOT NULL
      AND f.factor = 'a00000' AND f.flag = 'N' AND f.value IS NOT NULL
), measured AS (
    SELECT id, hour, kg,
           lead(hour, 1, 493056) OVER (PARTITION BY id ORDER BY hour) AS next,
           max(kg) OVER (PARTITION BY id ORDER BY hour ROWS 179 PRECEDING) AS short,
           max(kg) OVER (PARTITION BY id ORDER BY hour ROWS 719 PRECEDING) AS long,
           max(kg) OVER (PARTITION BY id ORDER BY hour ROWS 2159 PRECEDING) AS low
    FROM carried
), gaps AS (
    SELECT *, CASE WHEN next - hour - 1 <= 24 THEN short ELSE long END AS high,
           greatest(least(next, 491640) - greatest(hour + 1, 490896), 0) AS january,
           greatest(least(next, 492312) - greatest(hour + 1, 491640), 0) AS february,
           greatest(next - greatest(hour + 1, 492312), 0) AS march
    FROM measured WHERE next > 490896
), series AS (
    SELECT id,
           count(*) FILTER (WHERE hour >= 490896) AS n,
           count(*) FILTER (WHERE hour >= 490896 AND hour < 491640) AS n1,
           count(*) FILTER (WHERE hour >= 491640 AND hour < 492312) AS n2,
           count(*) FILTER (WHERE hour >= 492312) AS n3,
           sum(kg) FILTER (WHERE hour >= 490896 AND hour < 491640) AS kg1,
           sum(kg) FILTER (WHERE hour >= 491640 AND hour < 492312) AS kg2,
           sum(kg) FILTER (WHERE hour >= 492312) AS kg3,
           sum(january) AS gap1, sum(february) AS gap2, sum(march) AS gap3,
           sum(january * high) AS high1, sum(february * high) AS high2, sum(march * high) AS high3,
           sum(january * low) AS low1, sum(february * low) AS low2, sum(march * low) AS low3
    FROM gaps GROUP BY id
), months (month, number, due) AS (
    VALUES (DATE '2026-01-01', 1, 744), (DATE '2026-02-01', 2, 672), (DATE '2026-03-01', 3, 744)
), sums AS (
    SELECT k.mn, k.factor, month, due, coalesce(n, 0) AS n,
           coalesce(CASE number WHEN 1 THEN n1 WHEN 2 THEN n2 ELSE n3 END, 0) AS measured_hours,
           coalesce(CASE number WHEN 1 THEN kg1 WHEN 2 THEN kg2 ELSE kg3 END, 0) AS measured_kg,
           CASE WHEN n >= 1620 THEN CASE number WHEN 1 THEN gap1 WHEN 2 THEN gap2 ELSE gap3 END
                ELSE 0 END AS substituted_hours,
           CASE WHEN n >= 1944 THEN CASE number WHEN 1 THEN high1 WHEN 2 THEN high2 ELSE high3 END
                WHEN n >= 1620 THEN CASE number WHEN 1 THEN low1 WHEN 2 THEN low2 ELSE low3 END
                ELSE 0 END AS substituted_kg
    FROM keys k LEFT JOIN series s ON s.id = k.id CROSS JOIN months
)
SELECT mn, factor, month, CASE WHEN n >= 1620 THEN measured_kg + substituted_kg END AS mass_kg,
       measured_kg, substituted_kg, measured_hours, substituted_hours,
       due - measured_hours - substituted_hours AS missing_hours,
       n / 2160.0::double AS capture_rate, n >= 1620 AS usable
FROM sums
