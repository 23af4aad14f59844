-- Day, week, month, quarter and year reports: mean, extremes, validity, mass, exceedances and transmission (日周月季年报表).
--
-- clause: annex 2-3 I.2: statistics reports [seed]; means of days and months: Guide 15(4) [seed], HJ 356-2019 7 [recall]; transmission: received ÷ due, validity: valid ÷ due to be valid [standard]; due to be valid is what was received, or all that was due (rule validity_base, as of the period's start); every whole day, week from Monday on, month, quarter or year that has a day in `period`; means of weeks, quarters and years are of their valid days; due are hours without production stop, approved facility stop or lack of flow [default]
-- grain: one row per mn, factor and period with an hour due, stopped or received
-- call: periodic_report(kind, period)
-- words: day, week, month, quarter, year
-- example: periodic_report('month', '2026Q1')
--
-- mn                       unique id of the outlet's device (设备唯一标识)
-- factor                   HJ 212-2017 factor code (监测因子编码)
-- period                   start of the day, week, month, quarter or year (统计时段)
-- mean           [factor]  mean measured; of a day or month NULL unless valid, and for pH (均值)
-- minimum        [factor]  least valid hour (最小值)
-- maximum        [factor]  greatest valid hour (最大值)
-- validity       [1]       valid_hours ÷ those due to be valid: received_hours, or due_hours by rule validity_base; NULL where that is 0 (有效率)
-- mass_kg        [kg]      mass emitted; NULL for what has none and where the quarter isn't usable (排放量)
-- exceedances    [1]       valid hours beyond the limit (超标小时数)
-- transmission   [1]       received_hours ÷ due_hours; NULL where no hour was due (传输率)
-- valid_hours    [h]       hours due and valid (有效小时数)
-- due_hours      [h]       hours due (应传小时数)
-- received_hours [h]       hours due for which an hourly row, or minutes that make one, came (实收小时数)
-- stopped_hours  [h]       hours of stopped production (停产小时数)
-- valid_days     [d]       days valid (有效天数)
-- mean_converted [factor]  mean at the reference oxygen, as `mean` (折算均值)
-- volume_m3      [m³]      flue gas at dry standard state, or waste water, of the measured hours (排放气量或水量)
-- unit                     unit of the values (计量单位)
WITH hours AS (
    SELECT
        mn,
        factor,
        date_trunc($kind, CAST(day AS TIMESTAMP(6))) AS period,
        sum(valid_hours) AS valid_hours,
        sum(due_hours) AS due_hours,
        sum(received_hours) AS received_hours,
        sum(stopped_hours) AS stopped_hours
    FROM transmission_days(
        date_trunc($kind, $from),
        date_trunc($kind, $to - INTERVAL '1 microsecond') + CASE $kind
            WHEN 'day' THEN INTERVAL '1 day'
            WHEN 'week' THEN INTERVAL '7 days'
            WHEN 'month' THEN INTERVAL '1 month'
            WHEN 'quarter' THEN INTERVAL '3 months'
            ELSE INTERVAL '1 year'
        END,
        'hour'
    )
    GROUP BY 1, 2, 3
),
-- Sums of decimals are the same in any order.
days AS (
    SELECT
        mn,
        factor,
        date_trunc($kind, CAST(day AS TIMESTAMP(6))) AS period,
        min(value_min) AS minimum,
        max(value_max) AS maximum,
        sum(CASE WHEN valid THEN 1 ELSE 0 END) AS valid_days,
        CASE
            WHEN count(*) = 1 THEN max(value)
            ELSE CAST(sum(CAST(value AS DECIMAL(38, 12))) AS DOUBLE) / count(value)
        END AS mean,
        CASE
            WHEN count(*) = 1 THEN max(converted)
            ELSE CAST(sum(CAST(converted AS DECIMAL(38, 12))) AS DOUBLE) / count(converted)
        END AS mean_converted
    FROM daily_valid
    WHERE
        day >= CAST(date_trunc($kind, $from) AS DATE)
        AND day
        < CAST(
            date_trunc($kind, $to - INTERVAL '1 microsecond') + CASE $kind
                WHEN 'day' THEN INTERVAL '1 day'
                WHEN 'week' THEN INTERVAL '7 days'
                WHEN 'month' THEN INTERVAL '1 month'
                WHEN 'quarter' THEN INTERVAL '3 months'
                ELSE INTERVAL '1 year'
            END
            AS DATE
        )
    GROUP BY 1, 2, 3
),
months AS (
    SELECT mn, factor, CAST(month AS TIMESTAMP(6)) AS period, value AS mean, converted AS mean_converted
    FROM monthly_valid
    WHERE
        $kind = 'month'
        AND month >= CAST(date_trunc('month', $from) AS DATE)
        AND month < CAST($to AS DATE)
),
-- A week's mass is the sum of its days', and NULL where one of them isn't usable.
masses AS (
    SELECT
        mn,
        factor,
        date_trunc($kind, period) AS period,
        CASE
            WHEN $kind <> 'week' THEN max(mass_kg)
            WHEN count(mass_kg) = count(*) THEN CAST(sum(CAST(mass_kg AS DECIMAL(38, 12))) AS DOUBLE)
        END AS mass_kg,
        CASE WHEN $kind <> 'week' THEN max(volume_m3) ELSE CAST(sum(CAST(volume_m3 AS DECIMAL(38, 12))) AS DOUBLE) END AS volume_m3
    FROM emissions(
        date_trunc($kind, $from),
        date_trunc($kind, $to - INTERVAL '1 microsecond') + CASE $kind
            WHEN 'day' THEN INTERVAL '1 day'
            WHEN 'week' THEN INTERVAL '7 days'
            WHEN 'month' THEN INTERVAL '1 month'
            WHEN 'quarter' THEN INTERVAL '3 months'
            ELSE INTERVAL '1 year'
        END,
        CASE WHEN $kind = 'week' THEN 'day' ELSE $kind END
    )
    GROUP BY 1, 2, 3
),
beyond AS (
    SELECT mn, factor, date_trunc($kind, ts) AS period, count(*) AS exceedances
    FROM exceedances(
        date_trunc($kind, $from),
        date_trunc($kind, $to - INTERVAL '1 microsecond') + CASE $kind
            WHEN 'day' THEN INTERVAL '1 day'
            WHEN 'week' THEN INTERVAL '7 days'
            WHEN 'month' THEN INTERVAL '1 month'
            WHEN 'quarter' THEN INTERVAL '3 months'
            ELSE INTERVAL '1 year'
        END,
        'hour'
    )
    GROUP BY 1, 2, 3
),
joined AS (
    SELECT
        coalesce(h.mn, d.mn) AS mn,
        coalesce(h.factor, d.factor) AS factor,
        coalesce(h.period, d.period) AS period,
        d.mean,
        d.mean_converted,
        d.minimum,
        d.maximum,
        coalesce(d.valid_days, 0) AS valid_days,
        coalesce(h.valid_hours, 0) AS valid_hours,
        coalesce(h.due_hours, 0) AS due_hours,
        coalesce(h.received_hours, 0) AS received_hours,
        coalesce(h.stopped_hours, 0) AS stopped_hours
    FROM hours AS h
    FULL JOIN days AS d ON d.mn = h.mn AND d.factor = h.factor AND d.period = h.period
)
SELECT
    j.mn,
    j.factor,
    j.period,
    CASE WHEN $kind = 'month' THEN m.mean ELSE j.mean END AS mean,
    j.minimum,
    j.maximum,
    CAST(j.valid_hours AS DOUBLE)
    / nullif(CASE rule_word('validity_base', j.period) WHEN 'due' THEN j.due_hours ELSE j.received_hours END, 0) AS validity,
    e.mass_kg,
    coalesce(b.exceedances, 0) AS exceedances,
    CASE WHEN j.due_hours > 0 THEN CAST(j.received_hours AS DOUBLE) / j.due_hours END AS transmission,
    j.valid_hours,
    j.due_hours,
    j.received_hours,
    j.stopped_hours,
    j.valid_days,
    CASE WHEN $kind = 'month' THEN m.mean_converted ELSE j.mean_converted END AS mean_converted,
    e.volume_m3,
    f.unit
FROM joined AS j
LEFT JOIN months AS m ON m.mn = j.mn AND m.factor = j.factor AND m.period = j.period
LEFT JOIN masses AS e ON e.mn = j.mn AND e.factor = j.factor AND e.period = j.period
LEFT JOIN beyond AS b ON b.mn = j.mn AND b.factor = j.factor AND b.period = j.period
LEFT JOIN factors AS f ON f.factor = j.factor
