-- Environmental protection tax of every outlet and pollutant, by month (环境保护税申报).
--
-- clause: Environmental Protection Tax Law art. 7 to 9 and annex 2, Implementing Regulations art. 10, Hubei Announcement 228 of 2017 [standard]; art. 13 [recall]; a value above its limit anywhere at the payer takes the month's reductions away [default]; of COD, BOD5 and TOC the one with most equivalents; ties by factor code; the table rows of the month's first day, the registry rows of its end; equivalents, means and shares of the limit are compared at nine decimals [default]
-- grain: one row per mn, factor that has a mass, and month
-- call: tax_declaration(period)
-- words: whole months
-- example: tax_declaration('2026Q1')
--
-- enterprise_id                    id of the taxpayer; NULL where the outlet is not registered, which then is its own payer (企业编号)
-- mn                               unique id of the outlet's device (设备唯一标识)
-- permit_no                        discharge permit number (排污许可证编号)
-- medium                           air or water (排放介质)
-- month                            first day of the month (月份)
-- factor                           HJ 212-2017 factor code (监测因子编码)
-- tax_item                         item of the tax table; NULL where the table has none (税目)
-- tax_class                        air, water_1 or water_2; NULL where not in the table (税目类别)
-- volume_m3           [m³]         flue gas at dry standard state, or waste water (排放量)
-- mass_kg             [kg]         mass emitted, measured and substituted; NULL unless usable (污染物排放量)
-- equivalent_kg       [kg]         mass of one pollution equivalent (污染当量值)
-- equivalents         [1]          mass ÷ mass of an equivalent (污染当量数)
-- rank                [1]          place by equivalents within outlet and class; NULL for what takes no place (排序)
-- taxable                          whether it is among the first that are taxed (是否应税)
-- mean_concentration  [factor]     mean of the month's valid hours (air) or days (water), as limits are compared (月均浓度)
-- limit               [factor]     limit in force, hourly for air, daily for water (限值)
-- exceed_count        [1]          valid hours or days above the limit (超标次数)
-- reduction_pct       [%]          share of the tax waived: 0 or the rules' two reductions (减征比例)
-- reduction_reason                 why so much (减征依据)
-- rate                [CNY]        yuan per equivalent; monitors.tax_rate goes before the table (适用税额)
-- tax_cny             [CNY]        tax, rounded half up; NULL where the mass is unknown (应纳税额)
-- method                           automatic; unusable: the quarter's capture is too low for automatic data (核算方法)
-- capture_rate        [1]          the quarter's share of measured running hours (有效数据捕集率)
-- substituted_hours   [h]          hours substituted (替代小时数)
-- rule_set                         rule set in force (规则集)
-- basis                            clauses of equivalent and rate, with their marks (依据)
WITH totals AS (
    SELECT
        mn,
        factor,
        CAST(period AS DATE) AS month,
        period + INTERVAL '1 month' AS month_end,
        CASE WHEN factor LIKE 'a%' THEN 'air' ELSE 'water' END AS medium,
        volume_m3,
        mass_kg,
        usable,
        capture_rate,
        substituted_hours
    FROM emissions($from, $to, 'month')
),
-- A row is replaced by the one that follows it.
settings AS (
    SELECT
        *,
        lead(since) OVER (PARTITION BY mn, factor ORDER BY since NULLS FIRST) AS next_since
    FROM monitors
),
of_month AS (
    SELECT mn, factor, month, limit_hour, limit_day, tax_item, tax_rate
    FROM (
        SELECT
            t.mn,
            t.factor,
            t.month,
            s.limit_hour,
            s.limit_day,
            s.tax_item,
            s.tax_rate,
            row_number() OVER (PARTITION BY t.mn, t.factor, t.month ORDER BY s.since DESC NULLS LAST) AS place
        FROM totals AS t
        INNER JOIN settings AS s
            ON s.mn = t.mn AND s.factor = t.factor AND (s.since IS NULL OR s.since < t.month_end)
    )
    WHERE place = 1
),
payers AS (
    SELECT mn, month, enterprise_id
    FROM (
        SELECT
            t.mn,
            t.month,
            o.enterprise_id,
            row_number() OVER (PARTITION BY t.mn, t.month ORDER BY o.since DESC NULLS LAST) AS place
        FROM (SELECT DISTINCT mn, month, month_end FROM totals) AS t
        INNER JOIN outlets AS o ON o.mn = t.mn AND (o.since IS NULL OR o.since < t.month_end)
    )
    WHERE place = 1
),
permits AS (
    SELECT enterprise_id, month, permit_no
    FROM (
        SELECT
            e.enterprise_id,
            m.month,
            e.permit_no,
            row_number() OVER (PARTITION BY e.enterprise_id, m.month ORDER BY e.since DESC NULLS LAST) AS place
        FROM enterprises AS e
        INNER JOIN (SELECT DISTINCT month, month_end FROM totals) AS m ON (e.since IS NULL OR e.since < m.month_end)
    )
    WHERE place = 1
),
-- What the month's values are, and what they are compared with at the time.
readings AS (
    SELECT mn, factor, ts, value, converted
    FROM hourly_valid
    WHERE valid AND factor LIKE 'a%' AND ts >= $from AND ts < $to
    UNION ALL
    SELECT mn, factor, CAST(day AS TIMESTAMP) AS ts, value, converted
    FROM daily_valid
    WHERE valid AND factor LIKE 'w%' AND day >= $from AND day < $to
),
compared AS (
    SELECT
        r.mn,
        r.factor,
        CAST(date_trunc('month', r.ts) AS DATE) AS month,
        CASE
            WHEN coalesce(s.limit_basis, CASE WHEN r.factor LIKE 'a%' THEN 'converted' ELSE 'value' END) = 'value'
                THEN r.value
            ELSE r.converted
        END AS shown,
        CASE WHEN r.factor LIKE 'a%' THEN s.limit_hour ELSE s.limit_day END AS "limit",
        coalesce(s.limit_decimals, 15) AS decimals
    FROM readings AS r
    LEFT JOIN settings AS s
        ON
            s.mn = r.mn
            AND s.factor = r.factor
            AND (s.since IS NULL OR s.since <= r.ts)
            AND (s.until IS NULL OR r.ts < s.until)
            AND (s.next_since IS NULL OR r.ts < s.next_since)
),
-- Sums of decimals don't depend on the order of the rows.
concentrations AS (
    SELECT
        mn,
        factor,
        month,
        CAST(sum(try_cast(shown AS DECIMAL(38, 18))) AS DOUBLE) / count(try_cast(shown AS DECIMAL(38, 18))) AS mean_concentration,
        count(CASE WHEN round_half_even(shown, decimals) > "limit" THEN 1 END) AS exceed_count
    FROM compared
    GROUP BY mn, factor, month
),
-- The item of the tax table: the one the monitor names, else the factor's own. An item
-- without a code can only be named, and only for a factor that the code table doesn't know.
items AS (
    SELECT *
    FROM (
        SELECT
            t.mn,
            t.factor,
            t.month,
            e.name_zh,
            e.tax_class,
            e.equivalent_kg,
            e.taxed_once,
            e.clause,
            row_number() OVER (
                PARTITION BY t.mn, t.factor, t.month
                ORDER BY coalesce(m.tax_item IN (e.tax_item, e.name_zh), false) DESC, e.tax_item
            ) AS place
        FROM totals AS t
        LEFT JOIN of_month AS m ON m.mn = t.mn AND m.factor = t.factor AND m.month = t.month
        LEFT JOIN factors AS f ON f.factor = t.factor
        INNER JOIN pollution_equivalents AS e
            ON
                e.valid_from <= t.month
                AND (e.valid_to IS NULL OR t.month <= e.valid_to)
                AND (
                    (e.factor = t.factor AND (e.by_default OR m.tax_item IN (e.tax_item, e.name_zh)))
                    OR (
                        e.factor IS NULL
                        AND f.factor IS NULL
                        AND (e.tax_class = 'air') = (t.medium = 'air')
                        AND m.tax_item IN (e.tax_item, e.name_zh)
                    )
                )
    )
    WHERE place = 1
),
listed AS (
    SELECT
        p.enterprise_id,
        coalesce(p.enterprise_id, t.mn) AS payer,
        t.mn,
        t.medium,
        t.month,
        t.factor,
        coalesce(i.name_zh, m.tax_item) AS tax_item,
        i.tax_class,
        t.volume_m3,
        t.mass_kg,
        i.equivalent_kg,
        t.mass_kg / i.equivalent_kg AS equivalents,
        round_half_even(t.mass_kg / i.equivalent_kg, 9) AS compared_equivalents,
        i.taxed_once,
        c.mean_concentration,
        CASE WHEN t.medium = 'air' THEN m.limit_hour ELSE m.limit_day END AS "limit",
        coalesce(c.exceed_count, 0) AS exceed_count,
        CASE WHEN i.tax_class IS NOT NULL THEN coalesce(m.tax_rate, own.rate, other.rate) END AS rate,
        concat(
            coalesce(i.clause, 'not in the tax table'),
            CASE
                WHEN i.tax_class IS NULL THEN ''
                WHEN m.tax_rate IS NOT NULL THEN '; rate of the monitor'
                ELSE concat('; ', coalesce(own.clause, other.clause))
            END
        ) AS basis,
        CASE WHEN t.usable THEN 'automatic' ELSE 'unusable' END AS method,
        t.capture_rate,
        t.substituted_hours
    FROM totals AS t
    LEFT JOIN payers AS p ON p.mn = t.mn AND p.month = t.month
    LEFT JOIN of_month AS m ON m.mn = t.mn AND m.factor = t.factor AND m.month = t.month
    LEFT JOIN concentrations AS c ON c.mn = t.mn AND c.factor = t.factor AND c.month = t.month
    LEFT JOIN items AS i ON i.mn = t.mn AND i.factor = t.factor AND i.month = t.month
    LEFT JOIN tax_rates AS own
        ON
            own.factor = t.factor
            AND own.valid_from <= t.month
            AND (own.valid_to IS NULL OR t.month <= own.valid_to)
    LEFT JOIN tax_rates AS other
        ON
            other.factor IS NULL
            AND other.medium = t.medium
            AND other.valid_from <= t.month
            AND (other.valid_to IS NULL OR t.month <= other.valid_to)
),
-- Of a group that is taxed once the greatest takes part; the others take no place.
candidates AS (
    SELECT
        *,
        tax_class IS NOT NULL
        AND equivalents IS NOT NULL
        AND (taxed_once IS NULL OR row_number() OVER (
            PARTITION BY mn, month, taxed_once ORDER BY compared_equivalents DESC NULLS LAST, factor
        ) = 1) AS takes_part,
        sum(exceed_count) OVER (PARTITION BY month, payer) AS payer_exceeds,
        sum(exceed_count) OVER (PARTITION BY month, mn) AS outlet_exceeds
    FROM listed
),
ranked AS (
    SELECT
        *,
        CASE
            WHEN takes_part
                THEN row_number() OVER (
                    PARTITION BY mn, month, tax_class, takes_part ORDER BY compared_equivalents DESC, factor
                )
        END AS "rank",
        CASE rule_word('tax_cut_scope', month)
            WHEN 'series' THEN exceed_count
            WHEN 'outlet' THEN outlet_exceeds
            ELSE payer_exceeds
        END AS exceedances_that_count,
        round_half_even(mean_concentration, 9)
        <= round_half_even("limit" * (100 - rule_number('tax_large_cut_below_pct', month)) / 100, 9) AS far_below,
        round_half_even(mean_concentration, 9)
        <= round_half_even("limit" * (100 - rule_number('tax_small_cut_below_pct', month)) / 100, 9) AS below
    FROM candidates
),
reduced AS (
    SELECT
        *,
        coalesce("rank" <= rule_number(concat('tax_ranks_', tax_class), month), false) AS taxable,
        CAST(CASE
            WHEN exceedances_that_count > 0 THEN 0
            WHEN far_below THEN rule_number('tax_large_cut_pct', month)
            WHEN below THEN rule_number('tax_small_cut_pct', month)
            ELSE 0
        END AS BIGINT) AS reduction_pct,
        CASE
            WHEN mean_concentration IS NULL THEN 'no valid value'
            WHEN "limit" IS NULL THEN 'no limit'
            ELSE concat(
                'mean ', CAST(round_half_even(mean_concentration, 4) AS VARCHAR), ' of limit ', CAST("limit" AS VARCHAR)
            )
        END AS compared_with
    FROM ranked
)
SELECT
    r.enterprise_id,
    r.mn,
    p.permit_no,
    r.medium,
    r.month,
    r.factor,
    r.tax_item,
    r.tax_class,
    r.volume_m3,
    r.mass_kg,
    r.equivalent_kg,
    r.equivalents,
    r."rank",
    r.taxable,
    r.mean_concentration,
    r."limit",
    r.exceed_count,
    r.reduction_pct,
    concat(
        r.compared_with,
        CASE
            WHEN r.exceedances_that_count > 0
                THEN concat('; no reduction: ', CAST(r.exceedances_that_count AS VARCHAR), ' values above a limit')
            WHEN r.reduction_pct > 0 THEN '; no value above a limit'
            ELSE ''
        END
    ) AS reduction_reason,
    r.rate,
    CASE
        WHEN r.taxable THEN tax_amount(r.mass_kg, r.equivalent_kg, r.rate, r.reduction_pct)
        WHEN r.mass_kg IS NOT NULL THEN CAST(0 AS DECIMAL(18, 2))
    END AS tax_cny,
    r.method,
    r.capture_rate,
    r.substituted_hours,
    rule_word('rule_set', r.month) AS rule_set,
    r.basis
FROM reduced AS r
LEFT JOIN permits AS p ON p.enterprise_id = r.enterprise_id AND p.month = r.month
