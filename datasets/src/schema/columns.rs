//! Columns that tables share, each described once.

use super::{Column, ColumnType};
use ColumnType::{Bool, Float, Text, Timestamp};

pub(super) const fn column(
    name: &'static str,
    kind: ColumnType,
    unit: &'static str,
    en: &'static str,
    zh: &'static str,
) -> Column {
    Column { name, kind, unit, en, zh }
}

macro_rules! columns {
    ($($constant:ident = $name:literal $kind:ident $unit:literal $en:literal $zh:literal;)*) => {
        $(pub(super) const $constant: Column = column($name, $kind, $unit, $en, $zh);)*
    };
}

columns! {
    RECEIVED_AT = "received_at" Timestamp "" "when the row was received; the later of two versions is in force" "接收时间";
    SOURCE = "source" Text "" "the file, peer or job the row came from" "数据来源";
    MN = "mn" Text "" "unique id of the outlet's device (MN)" "设备唯一标识";
    FACTOR = "factor" Text "" "HJ 212-2017 factor code" "监测因子编码";
    TS = "ts" Timestamp "" "start of the interval, or the moment of a real-time value" "监测时间";
    VALUE = "value" Float "factor" "mean of the interval, measured; gas at dry standard state" "监测值";
    VALUE_MIN = "value_min" Float "factor" "least value in the interval" "最小值";
    VALUE_MAX = "value_max" Float "factor" "greatest value in the interval" "最大值";
    TOTAL = "total" Float "m³ for a flow, kg or g for a pollutant" "accumulated in the interval" "累计值";
    CONVERTED = "converted" Float "factor" "mean converted to the reference oxygen" "折算值";
    CONVERTED_MIN = "converted_min" Float "factor" "least converted value" "折算最小值";
    CONVERTED_MAX = "converted_max" Float "factor" "greatest converted value" "折算最大值";
    FLAG = "flag" Text "" "data flag of HJ 212-2017 table 8; only N makes a value valid" "数据标记";
    EFLAG = "eflag" Text "" "the maker's own flag" "设备标志";
    SAMPLE_TIME = "sample_time" Timestamp "" "when a discontinuous analyser took its sample" "采样时间";
    QN = "qn" Text "" "id of the exchange that brought the row" "请求编码";
    PARAM = "param" Text "" "working-condition parameter" "工况参数";
    UNIT = "unit" Text "" "unit of the values" "单位";
    CONDITION_VALUE = "value" Float "param" "value of the condition" "工况值";
    ROLE = "role" Text "" "what the parameter stands for: load, treatment or intake" "参数作用";
    NAME_EN = "name_en" Text "" "English name" "英文名称";
    NAME_ZH = "name_zh" Text "" "Chinese name" "中文名称";
    SIGNAL = "signal" Float "of the device" "raw signal of the analyser" "原始信号";
    READING = "reading" Float "factor" "concentration at the analyser" "分析仪读数";
    LOGGED = "logged" Float "factor" "concentration at the data logger" "数采仪读数";
    PHASE = "phase" Text "" "measure, zero or span" "测量阶段";
    PARAM_VALUE = "value" Float "param" "numeric value of the parameter" "参数值";
    TEXT = "text" Text "" "text as sent" "文本";
    STATE_OF_DEVICE = "state" Text "" "state of the device" "设备状态";
    KIND = "kind" Text "" "kind of the event" "类别";
    EXPECTED = "expected" Float "unit" "concentration of the standard" "标准值";
    MEASURED = "measured" Float "unit" "what the analyser showed" "测量值";
    LIMIT = "limit" Float "unit" "greatest deviation allowed" "允许偏差";
    AUTO = "auto" Bool "" "whether the check ran by itself" "是否自动";
    PASSED = "passed" Bool "" "whether it passed; NULL: judged by the standard's limits" "是否合格";
    STARTED = "started" Timestamp "" "when it began" "开始时间";
    ENDED = "ended" Timestamp "" "when it ended; NULL while it lasts" "结束时间";
    CODE = "code" Text "" "code of the fault" "故障代码";
    DEVICE = "device" Text "" "device concerned" "设备";
    REPORTED = "reported" Timestamp "" "when it was reported in writing" "报告时间";
    ARRIVED = "arrived" Timestamp "" "when the repairer arrived" "到场时间";
    REPAIRED_BY = "repaired_by" Text "" "who repaired it" "维修人";
    CAUSE = "cause" Text "" "cause of the fault" "原因";
    APPROVED = "approved" Bool "" "whether the authority approved it" "是否批准";
    MARK = "mark" Text "" "mark of the discharger" "标记";
    BY = "by" Text "" "who set it" "标记人";
    SAMPLE_VALUE = "value" Float "factor" "concentration of the sample" "手工监测浓度";
    FLOW = "flow" Float "m³/s for gas, L/s for water" "flow at the sample" "流量";
    METHOD = "method" Text "" "method of analysis" "分析方法";
    LAB = "lab" Text "" "laboratory" "实验室";
    ENTERPRISE_ID = "enterprise_id" Text "" "id of the enterprise" "企业编号";
    SINCE = "since" Timestamp "" "in force from; NULL: always" "生效时间";
    UNTIL = "until" Timestamp "" "in force until, exclusive; NULL: open" "失效时间";
    NAME = "name" Text "" "name" "名称";
    CREDIT_CODE = "credit_code" Text "" "unified social credit code" "统一社会信用代码";
    CITY = "city" Text "" "city, GB/T 2260" "地市";
    COUNTY = "county" Text "" "county, GB/T 2260" "区县";
    INDUSTRY = "industry" Text "" "industry, GB/T 4754" "行业类型";
    ATTENTION = "attention" Text "" "attention level" "关注程度";
    PERMIT_NO = "permit_no" Text "" "discharge permit number" "排污许可证编号";
    MEDIUM = "medium" Text "" "air or water" "排放介质";
    DISCHARGE = "discharge" Text "" "continuous or intermittent" "排放方式";
    MAIN_OUTLET = "main_outlet" Bool "" "whether the permit counts it as a main outlet" "是否主要排放口";
    O2_REFERENCE = "o2_reference" Float "%" "reference oxygen of the standard in force" "基准氧含量";
    DUCT_AREA = "duct_area" Float "m²" "cross-section of the duct" "烟道截面积";
    KV = "kv" Float "1" "velocity-field coefficient" "速度场系数";
    AMBIENT_KPA = "ambient_kpa" Float "kPa" "ambient pressure" "大气压";
    FLOW_KIND = "flow_kind" Text "" "state of the flow: dry_standard, wet_standard or working" "流量状态";
    TS_LABEL = "ts_label" Text "" "whether the source labels an interval by its start or end" "时间标签";
    NETWORKED = "networked" Timestamp "" "when it was connected" "联网时间";
    ACCEPTED = "accepted" Timestamp "" "when it passed acceptance" "验收时间";
    FILED = "filed" Timestamp "" "when the acceptance was filed" "备案时间";
    LIMIT_HOUR = "limit_hour" Float "factor" "hourly limit" "小时限值";
    LIMIT_DAY = "limit_day" Float "factor" "daily limit" "日限值";
    LIMIT_LOW = "limit_low" Float "factor" "lower limit (pH)" "下限";
    LIMIT_DECIMALS = "limit_decimals" Float "1" "decimals of the limit" "限值小数位";
    LIMIT_BASIS = "limit_basis" Text "" "what is compared with the limit: converted or value" "限值口径";
    STANDARD = "standard" Text "" "standard in force" "执行标准";
    RANGE_LOW = "range_low" Float "factor" "lower end of the measuring range" "量程下限";
    RANGE_HIGH = "range_high" Float "factor" "upper end of the measuring range" "量程上限";
    DETECTION_LIMIT = "detection_limit" Float "factor" "detection limit" "检出限";
    STATE_OF_GAS = "state" Text "" "state the values are sent in: dry_standard, wet_standard or working" "数据状态";
    AUTO_CALIBRATION = "auto_calibration" Bool "" "whether the analyser calibrates itself" "自动校准";
    MINUTE_INTERVAL_S = "minute_interval_s" Float "s" "what one minute row covers" "分钟数据间隔";
    HOUR_INTERVAL_S = "hour_interval_s" Float "s" "what one hourly row covers" "小时数据间隔";
    PERMIT_ANNUAL_T = "permit_annual_t" Float "t" "permitted tonnes a year" "许可年排放量";
    TAX_ITEM = "tax_item" Text "" "tax item" "税目";
    TAX_RATE = "tax_rate" Float "CNY" "rate per equivalent, over the rule set's" "税额标准";
    PEER = "peer" Text "" "address or file the packet came from" "来源地址";
    CN = "cn" Text "" "HJ 212 command code" "命令编码";
    RAW = "raw" Text "" "the text as received" "原文";
    VERDICT = "verdict" Text "" "ok, repaired, or what is wrong" "解析结论";
    PACKET_QN = "qn" Text "" "id of the exchange; empty where the packet has none" "请求编码";
    POSITION = "position" Text "" "file with line or byte offset" "位置";
    REASON = "reason" Text "" "why it was rejected" "原因";
    PATTERN = "pattern" Text "" "fraud pattern, as table patterns names it" "模式名";
    THRESHOLD_KEY = "key" Text "" "threshold, as table pattern_thresholds names it" "阈值名";
    THRESHOLD_VALUE = "value" Float "of the threshold" "what it is for this outlet" "阈值";
    FINDING_ID = "finding_id" Text "" "id of the finding" "线索编号";
    EXPLANATION = "reason" Text "" "why it is no tampering" "核销原因";
    DISMISSED_ENDED = "ended" Timestamp "" "when it ended, as it was dismissed; NULL: only the id tells what was dismissed" "结束时间";
    WHO = "who" Text "" "who did it" "操作人";
    ACTION = "action" Text "" "what was done" "操作";
}
