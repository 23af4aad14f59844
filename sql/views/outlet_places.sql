-- Where every outlet stood, and whose it was, over time (排放口归属).
--
-- clause: Guide 26: a file for each enterprise [seed]; of rows that overlap, the later one is in force [default]
-- grain: one row per mn and span of time in which neither outlet nor enterprise changed
--
-- mn             unique id of the outlet's device (设备唯一标识)
-- since          start of the span; NULL: always (生效时间)
-- until          end of the span, exclusive; NULL: open (失效时间)
-- enterprise_id  enterprise the outlet belongs to (企业编号)
-- city           its city, GB/T 2260; NULL unless the enterprise is registered then (地市)
-- county         its county, GB/T 2260 (区县)
-- industry       its industry, GB/T 4754 (行业类型)
-- attention      its attention level (关注程度)
WITH outlet_spans AS (
    SELECT
        mn,
        enterprise_id,
        coalesce(since, arrow_cast('1900-01-01', 'Timestamp(Microsecond, None)')) AS since,
        least(until, lead(since) OVER (PARTITION BY mn ORDER BY since NULLS FIRST)) AS until
    FROM outlets
),
enterprise_spans AS (
    SELECT
        enterprise_id,
        city,
        county,
        industry,
        attention,
        coalesce(since, arrow_cast('1900-01-01', 'Timestamp(Microsecond, None)')) AS since,
        least(until, lead(since) OVER (PARTITION BY enterprise_id ORDER BY since NULLS FIRST)) AS until
    FROM enterprises
),
cuts AS (
    SELECT mn, since AS cut FROM outlet_spans
    UNION
    SELECT mn, until FROM outlet_spans WHERE until IS NOT NULL
    UNION
    SELECT o.mn, e.since
    FROM outlet_spans AS o
    INNER JOIN enterprise_spans AS e ON e.enterprise_id = o.enterprise_id
    UNION
    SELECT o.mn, e.until
    FROM outlet_spans AS o
    INNER JOIN enterprise_spans AS e ON e.enterprise_id = o.enterprise_id
    WHERE e.until IS NOT NULL
),
spans AS (
    SELECT mn, cut AS since, lead(cut) OVER (PARTITION BY mn ORDER BY cut) AS until FROM cuts
)
SELECT
    s.mn,
    nullif(s.since, arrow_cast('1900-01-01', 'Timestamp(Microsecond, None)')) AS since,
    s.until,
    o.enterprise_id,
    e.city,
    e.county,
    e.industry,
    e.attention
FROM spans AS s
INNER JOIN outlet_spans AS o ON o.mn = s.mn AND o.since <= s.since AND (o.until IS NULL OR s.since < o.until)
LEFT JOIN enterprise_spans AS e
    ON e.enterprise_id = o.enterprise_id AND e.since <= s.since AND (e.until IS NULL OR s.since < e.until)
