-- Working conditions with what they mean and where they were measured (运行工况).
--
-- clause: annex 2-3 I.2: working-condition query [seed]; the outlet and its enterprise as registered last [default]
-- grain: one row per mn, param and ts
--
-- mn                    unique id of the outlet's device (设备唯一标识)
-- param                 working-condition parameter (工况参数)
-- ts                    time (监测时间)
-- value       [param]   value of the condition (工况值)
-- unit                  unit of the value (计量单位)
-- flag                  data flag (数据标记)
-- role                  what the parameter stands for: load, treatment, intake or NULL (参数作用)
-- name_en               English name of the parameter (参数英文名称)
-- name_zh               Chinese name of the parameter (参数中文名称)
-- outlet                name of the outlet (排放口名称)
-- enterprise_id         id of the enterprise (企业编号)
-- enterprise            name of the enterprise (企业名称)
-- city                  city, GB/T 2260 (地市)
SELECT
    c.mn,
    c.param,
    c.ts,
    c.value,
    p.unit,
    c.flag,
    p.role,
    p.name_en,
    p.name_zh,
    o.outlet,
    o.enterprise_id,
    o.enterprise,
    o.city
FROM points AS o
RIGHT JOIN conditions AS c ON o.mn = c.mn
LEFT JOIN condition_params AS p ON p.param = c.param
