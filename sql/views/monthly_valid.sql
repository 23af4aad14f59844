-- The validity and mean of every month of every series (月均值有效性).
--
-- clause: Guide 15(4): 25 valid days, February 23, for air [seed]; HJ 356-2019 7: 75 % of the days for water [recall]
-- grain: one row per mn, factor and month with an hour due, stopped or received
--
-- mn                       unique id of the outlet's device (设备唯一标识)
-- factor                   HJ 212-2017 factor code (监测因子编码)
-- month                    first day of the month (月份)
-- value          [factor]  mean of the valid days; NULL unless valid, and for pH (月均值)
-- converted      [factor]  mean of the valid days' converted values; NULL unless valid (折算月均值)
-- partial_value  [factor]  mean of the valid days, whatever their number (现有数据均值)
-- valid_days     [d]       days valid (有效天数)
-- required_days  [d]       days asked for (应有天数)
-- stopped_days   [d]       days of stopped production throughout (停产天数)
-- valid                    whether enough days are valid (是否有效)
-- reason                   why not: too_few_days (原因)
SELECT mn, factor, month, value, converted, partial_value, valid_days, required_days, stopped_days, valid, reason
FROM frame.monthly_valid
