-- Environmental protection tax of every outlet and pollutant, by month (环境保护税申报).
--
-- clause: Environmental Protection Tax Law art. 7 to 9 and annex 2, Implementing Regulations art. 10, Hubei Announcement 228 of 2017 [standard]; art. 13 [recall]; a value above its limit anywhere at the payer takes the month's reductions away [default]; of COD, BOD5 and TOC the one with most equivalents; ties by factor code; the table rows of the month's first day, the registry rows of its end; equivalents, means and shares of the limit are compared at nine decimals [default]; pH by its bands: annex 2; municipal sewage and waste plants within limits, where told by industry: art. 12; a month found falsified is taxed on the generated amount, which a person works out: Implementing Regulations art. 7 [recall]; it touches an outlet's month where a mark of kind falsified does, a plant is within limits where the payer's values are [default]
-- grain: one row per mn, factor that has a mass, and month, and one for a month whose pH lies in a band
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
-- mass_kg             [kg]         mass emitted, measured and substituted; NULL unless usable, and of pH (污染物排放量)
-- equivalent_kg       [kg]         mass of one pollution equivalent; of pH that of waste water (污染当量值)
-- equivalents         [1]          mass, of pH that of the waste water, ÷ mass of an equivalent (污染当量数)
-- rank                [1]          place by equivalents within outlet and class; NULL for what takes no place (排序)
-- taxable                          whether it is among the first that are taxed (是否应税)
-- mean_concentration  [factor]     mean of the month's valid hours (air) or days (water), as limits are compared; the pH that chooses the band (月均浓度)
-- limit               [factor]     limit in force, hourly for air, daily for water (限值)
-- exceed_count        [1]          valid hours or days above the limit (超标次数)
-- reduction_pct       [%]          share of the tax waived: 0 or the rules' two reductions (减征比例)
-- reduction_reason                 why so much (减征依据)
-- rate                [CNY]        yuan per equivalent; monitors.tax_rate goes before the table (适用税额)
-- tax_cny             [CNY]        tax, rounded half up; NULL where the mass, or the amount generated, is unknown (应纳税额)
-- method                           automatic; unusable: the quarter's capture is too low for automatic data; generated: found falsified, the amount generated is due (核算方法)
-- capture_rate        [1]          the quarter's share of measured running hours (有效数据捕集率)
-- substituted_hours   [h]          hours substituted (替代小时数)
-- rule_set                         rule set in force (规则集)
-- basis                            clauses of equivalent and rate, with their marks (依据)
WITH masses AS (
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
-- The pH of a month: that of its mean, or of its hour with the dearest band. Sums of decimals don't depend on the order
-- of the rows.
ph_of_month AS (
    SELECT
        h.mn,
        h.month,
        CASE rule_word('tax_ph', h.month)
            WHEN 'month_mean'
                THEN round_half_even(CAST(sum(try_cast(h.value AS DECIMAL(38, 18))) AS DOUBLE) / count(*), 9)
            WHEN 'worst_hour' THEN first_value(h.value ORDER BY b.water_t NULLS LAST, h.ts)
        END AS ph
    FROM (
        SELECT mn, CAST(date_trunc('month', ts) AS DATE) AS month, ts, value
        FROM hourly_valid
        WHERE valid AND factor = 'w01001' AND ts >= $from AND ts < $to
    ) AS h
    LEFT JOIN ph_equivalents AS b
        ON
            b.valid_from <= h.month
            AND (b.valid_to IS NULL OR h.month <= b.valid_to)
            AND h.value BETWEEN b.ph_from AND b.ph_to
            AND h.value <> CASE WHEN b.holds = 'from' THEN b.ph_to ELSE b.ph_from END
    GROUP BY h.mn, h.month
),
-- In a band the water itself counts: that of the outlet's pollutants.
banded_water AS (
    SELECT
        w.mn,
        w.month,
        w.month_end,
        w.volume_m3,
        p.ph,
        b.water_t,
        b.clause
    FROM ph_of_month AS p
    INNER JOIN ph_equivalents AS b
        ON
            b.valid_from <= p.month
            AND (b.valid_to IS NULL OR p.month <= b.valid_to)
            AND p.ph BETWEEN b.ph_from AND b.ph_to
            AND p.ph <> CASE WHEN b.holds = 'from' THEN b.ph_to ELSE b.ph_from END
    INNER JOIN (
        SELECT mn, month, month_end, max(volume_m3) AS volume_m3
        FROM masses
        WHERE medium = 'water'
        GROUP BY mn, month, month_end
    ) AS w ON w.mn = p.mn AND w.month = p.month
),
totals AS (
    SELECT
        *,
        CAST(NULL AS DOUBLE) AS ph,
        CAST(NULL AS DOUBLE) AS water_t,
        CAST(NULL AS VARCHAR) AS ph_clause
    FROM masses
    UNION ALL
    SELECT
        mn,
        'w01001' AS factor,
        month,
        month_end,
        'water' AS medium,
        volume_m3,
        CAST(NULL AS DOUBLE) AS mass_kg,
        true AS usable,
        CAST(NULL AS DOUBLE) AS capture_rate,
        0 AS substituted_hours,
        ph,
        water_t,
        clause AS ph_clause
    FROM banded_water
),
-- A row is replaced by the one that follows it.
settings AS (
    SELECT *, lead(since) OVER (PARTITION BY mn, factor ORDER BY since NULLS FIRST) AS next_since FROM monitors
),
payers AS (
    SELECT mn, enterprise_id, since, lead(since) OVER (PARTITION BY mn ORDER BY since NULLS FIRST) AS next_since
    FROM outlets
),
permits AS (
    SELECT
        enterprise_id,
        permit_no,
        industry,
        since,
        lead(since) OVER (PARTITION BY enterprise_id ORDER BY since NULLS FIRST) AS next_since
    FROM enterprises
),
falsified AS (
    SELECT mn, CAST(month AS DATE) AS month, min(clause) AS clause
    FROM (
        SELECT
            m.mn,
            w.clause,
            unnest(range(date_trunc('month', m.started), least(coalesce(m.ended, $to), $to), INTERVAL '1 month')) AS month
        FROM marks AS m
        INNER JOIN mark_words AS w ON w.word = lower(m.mark)
        WHERE w.kind = 'falsified'
    )
    GROUP BY mn, month
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
concentrations AS (
    SELECT
        mn,
        factor,
        month,
        CAST(sum(try_cast(shown AS DECIMAL(38, 18))) AS DOUBLE) / count(try_cast(shown AS DECIMAL(38, 18))) AS mean_concentration,
        count(shown + "limit") AS compared_count,
        count(CASE WHEN round_half_even(shown, decimals) > "limit" THEN 1 END) AS exceed_count
    FROM compared
    GROUP BY mn, factor, month
),
-- Each total with what the registry says at the end of its month and each item of the tax table it may be.
candidates_for_items AS (
    SELECT
        t.*,
        o.enterprise_id,
        p.permit_no,
        p.industry,
        m.limit_hour,
        m.limit_day,
        m.tax_item AS named_item,
        m.tax_rate,
        e.name_zh,
        e.tax_class AS item_class,
        e.equivalent_kg AS item_kg,
        e.taxed_once,
        e.clause AS item_clause,
        row_number() OVER (
            PARTITION BY t.mn, t.factor, t.month
            ORDER BY coalesce(m.tax_item IN (e.tax_item, e.name_zh), false) DESC, e.tax_item
        ) AS place
    FROM totals AS t
    LEFT JOIN settings AS m
        ON
            m.mn = t.mn
            AND m.factor = t.factor
            AND (m.since IS NULL OR m.since < t.month_end)
            AND (m.next_since IS NULL OR m.next_since >= t.month_end)
    LEFT JOIN payers AS o
        ON
            o.mn = t.mn
            AND (o.since IS NULL OR o.since < t.month_end)
            AND (o.next_since IS NULL OR o.next_since >= t.month_end)
    LEFT JOIN permits AS p
        ON
            p.enterprise_id = o.enterprise_id
            AND (p.since IS NULL OR p.since < t.month_end)
            AND (p.next_since IS NULL OR p.next_since >= t.month_end)
    LEFT JOIN factors AS f ON f.factor = t.factor
    -- The item that the monitor names, else the factor's own. An item without a code can only be named, and only for a
    -- factor that the code table doesn't know.
    LEFT JOIN pollution_equivalents AS e
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
),
itemised AS (
    SELECT
        *,
        coalesce(enterprise_id, mn) AS payer,
        coalesce(ph_clause, item_clause) AS equivalent_clause,
        CASE WHEN ph IS NULL THEN coalesce(name_zh, named_item) ELSE 'pH值' END AS tax_item,
        CASE WHEN ph IS NULL THEN item_class ELSE 'water_2' END AS tax_class,
        CASE WHEN ph IS NULL THEN item_kg ELSE water_t * 1000 END AS equivalent_kg,
        -- A cubic metre of waste water is a tonne.
        CASE WHEN ph IS NULL THEN mass_kg ELSE volume_m3 END AS amount,
        CASE WHEN ph IS NULL THEN item_kg ELSE water_t END AS amount_of_one,
        CASE WHEN ph IS NULL THEN CASE WHEN medium = 'air' THEN limit_hour ELSE limit_day END END AS "limit"
    FROM candidates_for_items
    WHERE place = 1
),
listed AS (
    SELECT
        t.*,
        t.amount / t.amount_of_one AS equivalents,
        round_half_even(t.amount / t.amount_of_one, 9) AS compared_equivalents,
        coalesce(t.ph, c.mean_concentration) AS mean_concentration,
        coalesce(c.exceed_count, 0) AS exceed_count,
        coalesce(c.compared_count, 0) AS compared_count,
        CASE WHEN t.tax_class IS NOT NULL THEN coalesce(t.tax_rate, own.rate, other.rate) END AS rate,
        x.clause AS exemption_clause,
        g.clause AS falsified_clause,
        concat(
            coalesce(t.equivalent_clause, 'not in the tax table'),
            CASE
                WHEN t.tax_class IS NULL THEN ''
                WHEN t.tax_rate IS NOT NULL THEN '; rate of the monitor'
                ELSE concat('; ', coalesce(own.clause, other.clause))
            END
        ) AS basis,
        CASE WHEN g.mn IS NOT NULL THEN 'generated' WHEN t.usable THEN 'automatic' ELSE 'unusable' END AS method
    FROM itemised AS t
    LEFT JOIN concentrations AS c ON c.mn = t.mn AND c.factor = t.factor AND c.month = t.month
    LEFT JOIN falsified AS g ON g.mn = t.mn AND g.month = t.month
    LEFT JOIN tax_exemptions AS x
        ON
            rule_word('tax_exemption', t.month) = 'by_industry'
            -- With or without the letter of its section.
            AND t.industry IN (x.industry, substr(x.industry, 2))
            AND x.valid_from <= t.month
            AND (x.valid_to IS NULL OR t.month <= x.valid_to)
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
        sum(compared_count) OVER (PARTITION BY month, payer) AS payer_compared,
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
        exemption_clause IS NOT NULL
        AND method <> 'generated'
        AND payer_compared > 0
        AND payer_exceeds = 0 AS is_exempt,
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
        coalesce("rank" <= rule_number(concat('tax_ranks_', tax_class), month), false) AND NOT is_exempt AS taxable,
        CAST(CASE
            WHEN is_exempt OR method = 'generated' THEN 0
            WHEN exceedances_that_count > 0 THEN 0
            WHEN far_below THEN rule_number('tax_large_cut_pct', month)
            WHEN below THEN rule_number('tax_small_cut_pct', month)
            ELSE 0
        END AS BIGINT) AS reduction_pct,
        CASE
            WHEN ph IS NOT NULL THEN concat('pH ', CAST(round_half_even(ph, 4) AS VARCHAR))
            WHEN mean_concentration IS NULL THEN 'no valid value'
            WHEN "limit" IS NULL THEN 'no limit'
            ELSE concat(
                'mean ', CAST(round_half_even(mean_concentration, 4) AS VARCHAR), ' of limit ', CAST("limit" AS VARCHAR)
            )
        END AS compared_with
    FROM ranked
)
SELECT
    enterprise_id,
    mn,
    permit_no,
    medium,
    month,
    factor,
    tax_item,
    tax_class,
    volume_m3,
    mass_kg,
    equivalent_kg,
    equivalents,
    "rank",
    taxable,
    mean_concentration,
    "limit",
    exceed_count,
    reduction_pct,
    concat(
        compared_with,
        CASE
            WHEN method = 'generated' THEN '; no reduction: found falsified'
            WHEN is_exempt THEN '; exempt: no value of the payer above a limit'
            WHEN exceedances_that_count > 0
                THEN concat('; no reduction: ', CAST(exceedances_that_count AS VARCHAR), ' values above a limit')
            WHEN reduction_pct > 0 THEN '; no value above a limit'
            ELSE ''
        END
    ) AS reduction_reason,
    rate,
    CASE
        WHEN method = 'generated' AND tax_class IS NOT NULL THEN CAST(NULL AS DECIMAL(18, 2))
        WHEN taxable THEN tax_amount(amount, amount_of_one, rate, reduction_pct)
        WHEN amount IS NOT NULL THEN CAST(0 AS DECIMAL(18, 2))
    END AS tax_cny,
    method,
    capture_rate,
    substituted_hours,
    rule_word('rule_set', month) AS rule_set,
    concat(
        basis,
        CASE
            WHEN method = 'generated' THEN concat('; ', falsified_clause)
            WHEN is_exempt THEN concat('; ', exemption_clause)
            ELSE ''
        END
    ) AS basis
FROM reduced
