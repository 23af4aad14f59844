-- Means, validity and mass of every outlet and factor, by month, as reports have them (监测报表数据).
--
-- clause: annex 2-3 I.2: statistics reports of points [seed]
-- grain: one row per mn, factor and month with an hour due, stopped or received
-- call: report_figures(period)
-- words: whole months
-- example: report_figures('2026Q1')
--
-- enterprise_id               id of the enterprise; NULL where the outlet is not registered (企业编号)
-- enterprise                  name of the enterprise (企业名称)
-- mn                          unique id of the outlet's device (设备唯一标识)
-- outlet                      name of the outlet (排放口名称)
-- month                       first day of the month (月份)
-- factor                      HJ 212-2017 factor code (监测因子编码)
-- factor_name                 name of the factor; NULL where the code table has none (监测因子名称)
-- unit                        unit of the values (浓度单位)
-- value              [factor] mean of the valid days; NULL unless valid, and for pH (月均值)
-- converted          [factor] mean of the valid days' converted values; NULL unless valid (折算月均值)
-- partial_value      [factor] mean of the valid days, whatever their number (现有数据均值)
-- valid_days         [d]      days valid (有效天数)
-- required_days      [d]      days asked for (应有天数)
-- stopped_days       [d]      days of stopped production throughout (停产天数)
-- valid                       whether enough days are valid (是否有效)
-- mass_kg            [kg]     mass emitted; NULL unless usable, and for factors without a mass (排放量)
-- substituted_kg     [kg]     of it put in for hours not measured (替代排放量)
-- volume_m3          [m³]     flue gas at dry standard state, or waste water (排放气量或水量)
-- operating_hours    [h]      running hours (运行小时数)
-- measured_hours     [h]      hours measured (实测小时数)
-- substituted_hours  [h]      hours substituted (替代小时数)
-- missing_hours      [h]      running hours neither measured nor substituted (缺失小时数)
-- stopped_hours      [h]      hours of stopped production (停产小时数)
-- capture_rate       [1]      the quarter's share of measured running hours (有效数据捕集率)
-- usable                      whether the mass is usable; NULL for factors without a mass (排放量是否可用)
SELECT
    o.enterprise_id,
    o.enterprise,
    v.mn,
    o.outlet,
    v.month,
    v.factor,
    f.name_zh AS factor_name,
    f.unit,
    v.value,
    v.converted,
    v.partial_value,
    v.valid_days,
    v.required_days,
    v.stopped_days,
    v.valid,
    e.mass_kg,
    e.substituted_kg,
    e.volume_m3,
    e.operating_hours,
    e.measured_hours,
    e.substituted_hours,
    e.missing_hours,
    e.stopped_hours,
    e.capture_rate,
    e.usable
FROM monthly_valid AS v
LEFT JOIN emissions($from, $to, 'month') AS e
    ON e.mn = v.mn AND e.factor = v.factor AND CAST(e.period AS DATE) = v.month
LEFT JOIN factors AS f ON f.factor = v.factor
LEFT JOIN registered_outlets($to) AS o ON o.mn = v.mn
WHERE v.month >= $from AND v.month < $to
