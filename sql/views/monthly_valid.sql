-- The validity and mean of every month of every series (月均值有效性).
--
-- clause: Guide 15(4): 25 valid days, February 23, for air [seed]; HJ 356-2019 7: 75 % of the days for water [recall]
-- grain: one row per mn, factor and month with an hour due, stopped or received
--
-- mn             unique id of the outlet's device
-- factor         HJ 212-2017 factor code
-- month          first day of the month
-- value          mean of the valid days; NULL unless valid, and for pH
-- converted      mean of the valid days' converted values; NULL unless valid
-- partial_value  mean of the valid days, whatever their number
-- valid_days     days valid
-- required_days  days asked for
-- stopped_days   days of stopped production throughout
-- valid          whether enough days are valid
-- reason         why not: too_few_days
SELECT mn, factor, month, value, converted, partial_value, valid_days, required_days, stopped_days, valid, reason
FROM frame.monthly_valid
