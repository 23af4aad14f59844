WITH settings AS (
    SELECT *, lead(since) OVER (PARTITION BY mn, factor ORDER BY since NULLS FIRST) AS next_since
    FROM monitors
),
limited AS (
    SELECT
        d.*,
        coalesce(m.limit_day, m.limit_hour) AS "limit",
        m.limit_low,
        m.standard,
        coalesce(m.limit_decimals, 15) AS decimals,
        CASE
            WHEN coalesce(m.limit_day, m.limit_hour, m.limit_low) IS NOT NULL
                THEN coalesce(m.limit_basis, CASE WHEN d.factor LIKE 'a%' THEN 'converted' ELSE 'value' END)
        END AS limited_by
    FROM daily_valid AS d
    LEFT JOIN settings AS m
        ON
            m.mn = d.mn
            AND m.factor = d.factor
            AND (m.since IS NULL OR m.since <= CAST(d.day AS TIMESTAMP))
            AND (m.until IS NULL OR CAST(d.day AS TIMESTAMP) < m.until)
            AND (m.next_since IS NULL OR CAST(d.day AS TIMESTAMP) < m.next_since)
    WHERE d.day >= TIMESTAMP '2026-01-01 00:00:00' AND d.day < TIMESTAMP '2026-04-01 00:00:00'
),
compared AS (
    SELECT
        *,
        round_half_even(
            CASE
                WHEN factor = 'w01001' THEN coalesce(value, value_max)
                WHEN limited_by = 'converted' THEN converted
                ELSE value
            END,
            decimals
        ) AS high,
        round_half_even(coalesce(value, CASE WHEN factor = 'w01001' THEN value_min END), decimals) AS low
    FROM limited
)
SELECT
    o.enterprise_id,
    p.name AS enterprise,
    c.mn,
    o.name AS outlet,
    c.day,
    c.factor,
    f.name_zh AS factor_name,
    f.unit,
    c.value,
    c.converted,
    c.value_min,
    c.value_max,
    c.valid,
    c.reason,
    c."limit",
    c.limit_low,
    c.limited_by AS basis,
    c.standard,
    c.valid AND (coalesce(c.high > c."limit", false) OR coalesce(c.low < c.limit_low, false)) AS exceeded
FROM compared AS c
LEFT JOIN factors AS f ON f.factor = c.factor
LEFT JOIN (
    SELECT mn, enterprise_id, name
    FROM (
        SELECT *, row_number() OVER (PARTITION BY mn ORDER BY since DESC NULLS LAST) AS place
        FROM outlets
        WHERE since IS NULL OR since < TIMESTAMP '2026-04-01 00:00:00'
    )
    WHERE place = 1
) AS o ON o.mn = c.mn
LEFT JOIN (
    SELECT enterprise_id, name
    FROM (
        SELECT *, row_number() OVER (PARTITION BY enterprise_id ORDER BY since DESC NULLS LAST) AS place
        FROM enterprises
        WHERE since IS NULL OR since < TIMESTAMP '2026-04-01 00:00:00'
    )
    WHERE place = 1
) AS p ON p.enterprise_id = o.enterprise_id
