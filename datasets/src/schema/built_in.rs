//! The built-in tables: what their columns mean. Their rows are the code tables
//! and rule sets of this crate; a session makes the tables of them.

use super::Column;
use super::ColumnType::{self, Bool, Date, Float, Text};
use super::columns::{FACTOR, MEDIUM, NAME_EN, NAME_ZH, column};

/// A table that every session has, whatever the store.
#[derive(Debug, Clone, Copy)]
pub struct BuiltIn {
    /// Its name in SQL.
    pub name: &'static str,
    /// What it holds, in English.
    pub en: &'static str,
    /// What it is called in Chinese.
    pub zh: &'static str,
    /// The clause it rests on, with its mark.
    pub clause: &'static str,
    /// The columns in order.
    pub columns: &'static [Column],
}

/// A column without a unit.
const fn plain(name: &'static str, kind: ColumnType, en: &'static str, zh: &'static str) -> Column {
    column(name, kind, "", en, zh)
}

const VALID_FROM: Column = plain("valid_from", Date, "first day in force", "生效日期");
const VALID_TO: Column = plain("valid_to", Date, "last day in force; NULL: open", "失效日期");
const MARK: Column = plain("mark", Text, "how it is known: seed, standard, recall or default", "来源标记");
const CLAUSE: Column = plain("clause", Text, "the clause it rests on, with its mark", "依据条款");

/// Every built-in table, in the order of the data dictionary.
pub const BUILT_IN: &[BuiltIn] = &[
    BuiltIn {
        name: "factors",
        en: "factor codes with their units",
        zh: "监测因子编码表",
        clause: "HJ 212-2017 tables B.1 and B.2 [standard]",
        columns: &[
            FACTOR,
            plain("old_code", Text, "code of HJ/T 212-2005; NULL where it had none", "2005版编码"),
            NAME_EN,
            NAME_ZH,
            MEDIUM,
            plain("unit", Text, "unit of the values", "计量单位"),
            plain(
                "total_unit",
                Text,
                "unit of an interval's total; NULL where nothing adds up",
                "累计值单位",
            ),
            plain("old_unit", Text, "unit of the 2005 edition", "2005版计量单位"),
            CLAUSE,
        ],
    },
    BuiltIn {
        name: "flags",
        en: "data flags",
        zh: "数据标记表",
        clause: "HJ 212-2017 table 8 [standard]",
        columns: &[
            plain("flag", Text, "the letter", "数据标记"),
            NAME_EN,
            NAME_ZH,
            plain("valid", Bool, "whether a value with the flag counts; only N does", "是否有效"),
            CLAUSE,
        ],
    },
    BuiltIn {
        name: "rules",
        en: "rule sets: every number of the regulation",
        zh: "规则表",
        clause: "Measures and Guide of notice 43 of 2021; each row names its own [seed]",
        columns: &[
            plain("rule_set", Text, "rule set, as --rules and plume.rules take it", "规则集"),
            plain("key", Text, "the rule", "规则名"),
            column("value", Text, "unit", "number or word in force", "取值"),
            column("default", Text, "unit", "number or word where no option changes it", "默认值"),
            plain("unit", Text, "unit of value and default", "单位"),
            plain("valid_from", Date, "first day in force", "生效日期"),
            plain("valid_to", Date, "last day in force", "失效日期"),
            plain(
                "lapsed",
                Bool,
                "whether the set goes on past its last day, as the session sees the store",
                "是否过期沿用",
            ),
            CLAUSE,
            plain("mark", Text, "how it is known: seed, standard, recall or default", "来源标记"),
        ],
    },
    BuiltIn {
        name: "patterns",
        en: "catalogue of fraud patterns",
        zh: "异常模式表",
        clause: "annexes 2-1, 2-2 and 2-4; each row names its own [seed]",
        columns: &[
            plain("number", Text, "P1 to P36", "编号"),
            plain("pattern", Text, "the pattern's name in SQL", "模式名"),
            NAME_ZH,
            plain("mechanism", Text, "value shape, parameter, operation or transmission", "作假机理"),
            column(
                "rank",
                Float,
                "1",
                "how exactly it says what was done, among the patterns of its mechanism; 1 most exactly",
                "优先级",
            ),
            plain("minute_window", Text, "window on minute data, as text with its unit", "分钟数据窗口"),
            plain("hour_window", Text, "window on hourly data, as text with its unit", "小时数据窗口"),
            plain("statistic", Text, "the statistic and its default threshold", "统计量"),
            plain("suppressors", Text, "what excuses a hit", "排除条件"),
            CLAUSE,
        ],
    },
    BuiltIn {
        name: "pattern_thresholds",
        en: "thresholds of the fraud patterns",
        zh: "异常模式阈值表",
        clause: "thresholds of this engine; each row names its own [default]",
        columns: &[
            plain("pattern", Text, "the pattern's name in SQL", "模式名"),
            plain(
                "key",
                Text,
                "the threshold's name; the pattern's statistic scores 0.5 at suspect and 1 at certain",
                "阈值名",
            ),
            plain("unit", Text, "unit of the threshold", "单位"),
            column("hour", Float, "of the row", "what it is on hourly data", "小时数据阈值"),
            column("minute", Float, "of the row", "what it is on minute data", "分钟数据阈值"),
            plain("reason", Text, "why it is that", "理由"),
            CLAUSE,
        ],
    },
    BuiltIn {
        name: "pollution_equivalents",
        en: "pollution equivalents of the environmental protection tax",
        zh: "污染当量值表",
        clause: "Environmental Protection Tax Law annex 2; each row names its own [standard]",
        columns: &[
            plain(
                "factor",
                Text,
                "HJ 212-2017 factor code; NULL for an item without one, which monitors.tax_item names",
                "监测因子编码",
            ),
            plain("tax_item", Text, "word for the item, as monitors.tax_item may say it", "税目代号"),
            plain(
                "name_zh",
                Text,
                "name of the item on the form; monitors.tax_item may say it, too",
                "税目名称",
            ),
            plain("tax_class", Text, "air, water_1 or water_2", "税目类别"),
            column("equivalent_kg", Float, "kg", "mass of one equivalent", "污染当量值"),
            plain(
                "by_default",
                Bool,
                "whether the factor is this item where its monitor names none",
                "是否默认税目",
            ),
            plain(
                "taxed_once",
                Text,
                "group of items of which an outlet's greatest alone is taxed",
                "择一征收组",
            ),
            VALID_FROM,
            VALID_TO,
            CLAUSE,
            MARK,
        ],
    },
    BuiltIn {
        name: "ph_equivalents",
        en: "waste water of a pollution equivalent of the environmental protection tax, by pH",
        zh: "pH污染当量值表",
        clause: "Environmental Protection Tax Law annex 2; each row names its own [recall]",
        columns: &[
            column("ph_from", Float, "1", "lower end of the band", "pH下限"),
            column("ph_to", Float, "1", "upper end of the band", "pH上限"),
            plain("holds", Text, "which end belongs to the band: from or to", "所含端点"),
            column("water_t", Float, "t", "waste water of one equivalent", "污染当量值"),
            VALID_FROM,
            VALID_TO,
            CLAUSE,
            MARK,
        ],
    },
    BuiltIn {
        name: "tax_rates",
        en: "rates of the environmental protection tax in Hubei",
        zh: "适用税额表",
        clause: "Hubei People's Congress Announcement 228 of 2017; each row names its own [standard]",
        columns: &[
            plain("medium", Text, "air or water", "排放介质"),
            plain("factor", Text, "factor code; NULL: every other factor of the medium", "监测因子编码"),
            column("rate", Float, "CNY", "yuan per equivalent", "适用税额"),
            VALID_FROM,
            VALID_TO,
            CLAUSE,
            MARK,
        ],
    },
    BuiltIn {
        name: "tax_exemptions",
        en: "industries whose plants are exempt of the environmental protection tax within limits",
        zh: "免税行业表",
        clause: "Environmental Protection Tax Law art. 12; each row names its own [recall]",
        columns: &[
            plain("industry", Text, "code of GB/T 4754 with the letter of its section", "行业代码"),
            NAME_EN,
            NAME_ZH,
            VALID_FROM,
            VALID_TO,
            CLAUSE,
            MARK,
        ],
    },
    BuiltIn {
        name: "clocks",
        en: "catalogue of clocks and checkable rules of devices",
        zh: "时限与核查规则表",
        clause: "Measures and Guide of notice 43 of 2021; each row names its own [seed]",
        columns: &[
            plain("rule", Text, "K1 to K32", "编号"),
            NAME_EN,
            NAME_ZH,
            plain(
                "numbers",
                Text,
                "keys of table rules, or figures where nothing computes with them",
                "数值或规则名",
            ),
            plain("input", Text, "what it needs", "输入数据"),
            plain("judged_in", Text, "functions that judge it; NULL where none does", "判定函数"),
            plain("checkable", Text, "data, partly, or person", "可核查性"),
            plain("reason", Text, "why data can't tell, or not all of it", "不可核查原因"),
            CLAUSE,
        ],
    },
    BuiltIn {
        name: "mark_words",
        en: "words that marks are written in",
        zh: "标记用语表",
        clause: "marking rules of 2019 and 2022; each row names its own [recall]",
        columns: &[
            plain("word", Text, "the word, in small letters", "标记用语"),
            plain("kind", Text, "what it stands for", "标记类别"),
            NAME_EN,
            NAME_ZH,
            plain("scope", Text, "furnace, monitor, furnace or monitor, or thermometer", "适用对象"),
            plain(
                "allowance",
                Text,
                "yearly allowance it takes of: start_stop, drying, cems_maintenance",
                "豁免类别",
            ),
            CLAUSE,
        ],
    },
];
