-- fixed_values of ../queries.py. tried, CPU seconds as there:
--   1.5 GROUP BY value first, islands only of values that three days share (kept)
--   2.8 the same with count(*) OVER (mn, factor, value); 3.3 day - row_number() over all days
-- `value + 0`: otherwise DataFusion takes (mn, factor, value) for unique after unnest still, leaves
-- the island out of the GROUP BY and makes one run of several.
WITH days AS (
    SELECT mn, factor, date_trunc('day', ts) AS day, round(avg(value) FILTER (WHERE flag = 'N'), 6) AS mean
    FROM hourly WHERE factor LIKE 'a%' GROUP BY mn, factor, date_trunc('day', ts)
    HAVING count(value) FILTER (WHERE flag = 'N') >= 20
), often AS (
    SELECT mn, factor, mean, array_agg(day) AS days
    FROM days GROUP BY mn, factor, mean HAVING count(*) >= 3
), each AS (
    SELECT mn, factor, mean + 0 AS value, unnest(days) AS day FROM often
), runs AS (
    SELECT *, arrow_cast(day, 'Int64') / 86400000000
              - row_number() OVER (PARTITION BY mn, factor, value ORDER BY day) AS run
    FROM each
)
SELECT mn, factor, min(day)::date AS first_day, max(day)::date AS last_day, count(*) AS days, value
FROM runs GROUP BY mn, factor, value, run HAVING count(*) >= 3
