-- What became of every due hour of every series (小时有效性).
--
-- clause: Guide 15(4): an hour needs 45 valid minutes [seed]; HJ 212-2017 eq 24 [standard]
-- grain: one row per mn, factor and hour that is due, stopped or received
--
-- mn               unique id of the outlet's device
-- factor           HJ 212-2017 factor code
-- ts               start of the hour
-- value            the hour's mean; NULL unless valid (unit of the factor)
-- converted        the same at the reference oxygen: as sent, else computed from the hour's valid oxygen, capped at 20 %
-- converted_basis  sent or computed
-- flag             flag of the reported hour
-- basis            minute where minute rows decided, else reported
-- reported_value   value of the reported hour, valid or not
-- valid_minutes    valid minutes where minute rows decided
-- valid            whether the value counts
-- reason           why not, or why in spite of a stop: missing, flag, no_value, too_few_minutes, stopped, facility_stopped, no_flow, stop contradicted
SELECT mn, factor, ts, value, converted, converted_basis, flag, basis, reported_value, valid_minutes, valid, reason
FROM frame.hourly_valid
