-- What became of every due hour of every series (小时有效性).
--
-- clause: Guide 15(4): an hour needs 45 valid minutes [seed]; HJ 212-2017 eq 24 [standard]; under option stream_mismatch an hour whose analyser, logger and platform differ is not valid: Guide 16 [seed], HJ 356-2019 6.2; under option below_detection a value of water below detection counts as its figure: HJ 356-2019 7.1 [recall]
-- grain: one row per mn, factor and hour that is due, stopped or received
--
-- mn                         unique id of the outlet's device (设备唯一标识)
-- factor                     HJ 212-2017 factor code (监测因子编码)
-- ts                         start of the hour (监测时间)
-- value            [factor]  the hour's mean; NULL unless valid (小时均值)
-- converted        [factor]  the same at the reference oxygen: as sent, else computed from the hour's valid oxygen, capped at 20 %, else the value itself where the outlet has no reference oxygen (折算小时均值)
-- converted_basis            sent or computed (折算值来源)
-- flag                       flag of the reported hour (数据标记)
-- basis                      minute where minute rows decided, else reported (判定依据)
-- reported_value   [factor]  value of the reported hour, valid or not (上报小时值)
-- valid_minutes    [min]     valid minutes where minute rows decided (有效分钟数)
-- valid                      whether the value counts (是否有效)
-- reason                     why not, or why in spite of a stop: missing, flag, no_value, too_few_minutes, stopped, facility_stopped, no_flow, out_of_control, overdue, no_gas_state, stream mismatch, stop contradicted (原因)
SELECT mn, factor, ts, value, converted, converted_basis, flag, basis, reported_value, valid_minutes, valid, reason
FROM frame.hourly_valid
