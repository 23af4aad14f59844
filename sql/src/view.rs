//! The views and table functions, and what their heads tell.

use std::sync::LazyLock;

/// A view, or the rows of a table function: what its head tells, and its query.
#[derive(Debug, Clone)]
pub struct View {
    /// Its name in SQL.
    pub name: &'static str,
    /// What it holds: the head's first line.
    pub en: &'static str,
    /// What it is called in Chinese.
    pub zh: &'static str,
    /// The clause it rests on.
    pub clause: &'static str,
    /// What one row stands for.
    pub grain: &'static str,
    /// How a table function is called; empty for a view.
    pub call: &'static str,
    /// A call for the dictionary, which asks it for its types; empty where `sql` is the call.
    pub example: &'static str,
    words: &'static str,
    /// Its columns in order.
    pub columns: Vec<ViewColumn>,
    /// The file: head and query. That of a function in Rust calls it for every column it can have.
    pub sql: &'static str,
}

impl View {
    /// Whether a table function is its query, with `$name` for its arguments.
    pub fn is_query(&self) -> bool {
        !self.example.is_empty()
    }

    /// The names of a table function's arguments.
    pub fn parameters(&self) -> impl Iterator<Item = &'static str> {
        let arguments = self.call.split_once('(').map_or("", |(_, rest)| rest.trim_end_matches(')'));
        arguments.split(',').map(str::trim).filter(|name| !name.is_empty())
    }

    /// The words that an argument may be.
    pub fn words(&self) -> impl Iterator<Item = &'static str> {
        self.words.split(',').map(str::trim).filter(|word| !word.is_empty())
    }

    /// A query for every column.
    pub fn sample(&self) -> String {
        if self.is_query() { format!("SELECT * FROM {}", self.example) } else { self.sql.to_owned() }
    }
}

/// A column of a view.
#[derive(Debug, Clone, Copy)]
pub struct ViewColumn {
    /// Its name.
    pub name: &'static str,
    /// Its unit; empty where it has none, `factor` where the factor decides.
    pub unit: &'static str,
    /// What it means, in English.
    pub en: &'static str,
    /// What it is called in Chinese.
    pub zh: &'static str,
}

/// Each view's file, in the order of creation: a view may use those before it.
const VIEW_FILES: &[(&str, &str)] = &[
    ("hourly_valid", include_str!("../views/hourly_valid.sql")),
    ("daily_valid", include_str!("../views/daily_valid.sql")),
    ("monthly_valid", include_str!("../views/monthly_valid.sql")),
    ("unregistered", include_str!("../views/unregistered.sql")),
    ("limits_in_force", include_str!("../views/limits_in_force.sql")),
    ("points", include_str!("../views/points.sql")),
    ("data_overview", include_str!("../views/data_overview.sql")),
    ("measuring_cycles", include_str!("../views/measuring_cycles.sql")),
    ("working_conditions", include_str!("../views/working_conditions.sql")),
    ("standard_checks", include_str!("../views/standard_checks.sql")),
    ("qc_verdicts", include_str!("../views/qc_verdicts.sql")),
    ("qc_intervals", include_str!("../views/qc_intervals.sql")),
    ("marked_hours", include_str!("../views/marked_hours.sql")),
    ("outlet_places", include_str!("../views/outlet_places.sql")),
];

/// Each table function's file.
const FUNCTION_FILES: &[(&str, &str)] = &[
    ("emissions", include_str!("../functions/emissions.sql")),
    ("quarterly_capture", include_str!("../functions/quarterly_capture.sql")),
    ("exceedances", include_str!("../functions/exceedances.sql")),
    ("exceedance_report", include_str!("../functions/exceedance_report.sql")),
    ("periodic_report", include_str!("../functions/periodic_report.sql")),
    ("tax_declaration", include_str!("../functions/tax_declaration.sql")),
    ("permit_totals", include_str!("../functions/permit_totals.sql")),
    ("registered_outlets", include_str!("../functions/registered_outlets.sql")),
    ("report_figures", include_str!("../functions/report_figures.sql")),
    ("disclosure", include_str!("../functions/disclosure.sql")),
    ("qc_overdue", include_str!("../functions/qc_overdue.sql")),
    ("repair_overdue", include_str!("../functions/repair_overdue.sql")),
    ("missed_norms", include_str!("../functions/missed_norms.sql")),
    ("abnormal_operation", include_str!("../functions/abnormal_operation.sql")),
    ("rule_violations", include_str!("../functions/rule_violations.sql")),
    ("furnace_temperature", include_str!("../functions/furnace_temperature.sql")),
    ("exempt_hours", include_str!("../functions/exempt_hours.sql")),
    ("completeness", include_str!("../functions/completeness.sql")),
    ("online_rate", include_str!("../functions/online_rate.sql")),
    ("transmission_days", include_str!("../functions/transmission_days.sql")),
    ("transmission_by_place", include_str!("../functions/transmission_by_place.sql")),
    ("transmission_rate", include_str!("../functions/transmission_rate.sql")),
    ("transmission_rolling", include_str!("../functions/transmission_rolling.sql")),
    ("reporting_problems", include_str!("../functions/reporting_problems.sql")),
    ("problem_points", include_str!("../functions/problem_points.sql")),
    ("network_report", include_str!("../functions/network_report.sql")),
    ("condition_correlation", include_str!("../functions/condition_correlation.sql")),
    ("pattern_findings", include_str!("../functions/pattern_findings.sql")),
    ("judged_hours", include_str!("../functions/judged_hours.sql")),
    ("silent_hours", include_str!("../functions/silent_hours.sql")),
    ("cross_outlet_copies", include_str!("../functions/cross_outlet_copies.sql")),
    ("province_findings", include_str!("../functions/province_findings.sql")),
    ("fraud_findings", include_str!("../functions/fraud_findings.sql")),
    ("fixed_runs", include_str!("../functions/fixed_runs.sql")),
    ("fixed_values", include_str!("../functions/fixed_values.sql")),
];

static VIEWS: LazyLock<Vec<View>> =
    LazyLock::new(|| VIEW_FILES.iter().map(|(name, sql)| read(name, sql)).collect());

static TABLE_FUNCTIONS: LazyLock<Vec<View>> =
    LazyLock::new(|| FUNCTION_FILES.iter().map(|(name, sql)| read(name, sql)).collect());

/// Every view, in the order of creation.
pub fn views() -> &'static [View] {
    &VIEWS
}

/// Every table function.
pub fn table_functions() -> &'static [View] {
    &TABLE_FUNCTIONS
}

/// Reads a head: a title, then lines with `clause:`, `grain:` and, of a table function, `call:`,
/// `words:` and `example:`, then a line a column.
fn read(name: &'static str, sql: &'static str) -> View {
    let mut view = View {
        name,
        en: "",
        zh: "",
        clause: "",
        grain: "",
        call: "",
        example: "",
        words: "",
        columns: Vec::new(),
        sql,
    };
    for line in sql.lines().map_while(|line| line.strip_prefix("--")).map(str::trim).filter(|l| !l.is_empty())
    {
        if view.en.is_empty() {
            (view.en, view.zh) = split_chinese(line);
        } else if let Some(clause) = line.strip_prefix("clause:") {
            view.clause = clause.trim();
        } else if let Some(grain) = line.strip_prefix("grain:") {
            view.grain = grain.trim();
        } else if let Some(call) = line.strip_prefix("call:") {
            view.call = call.trim();
        } else if let Some(example) = line.strip_prefix("example:") {
            view.example = example.trim();
        } else if let Some(words) = line.strip_prefix("words:") {
            view.words = words.trim();
        } else {
            view.columns.push(read_column(line));
        }
    }
    view
}

/// Reads `name  [unit]  meaning (中文名)`; the unit may be absent.
fn read_column(line: &'static str) -> ViewColumn {
    let (name, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let rest = rest.trim_start();
    let (unit, meaning) = rest.strip_prefix('[').and_then(|rest| rest.split_once(']')).unwrap_or(("", rest));
    let (en, zh) = split_chinese(meaning.trim());
    ViewColumn { name, unit, en, zh }
}

/// A text like `what it means (中文名)`, with or without a full stop, apart.
pub(crate) fn split_chinese(text: &str) -> (&str, &str) {
    let text = text.trim_end_matches('.');
    match text.strip_suffix(')').and_then(|text| text.rsplit_once(" (")) {
        Some((en, zh)) => (en, zh),
        None => (text, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_line_is_name_unit_meaning_and_chinese_name() {
        let column = read_column("value_min  [mg/m³]  least (pH: its extreme) hour (最小值)");
        let ViewColumn { name, unit, en, zh } = column;
        assert_eq!((name, unit, en, zh), ("value_min", "mg/m³", "least (pH: its extreme) hour", "最小值"));
        let column = read_column("valid  whether it counts");
        assert_eq!((column.unit, column.en, column.zh), ("", "whether it counts", ""));
    }

    #[test]
    fn every_head_tells_title_clause_grain_and_columns() {
        for view in views().iter().chain(table_functions()) {
            let name = view.name;
            assert!(!view.en.is_empty() && !view.clause.is_empty() && !view.grain.is_empty(), "{name}");
            assert!(view.clause.contains('['), "{name}: a clause carries its mark");
            assert!(view.columns.len() > 3, "{name}");
        }
        assert!(views().iter().all(|view| view.call.is_empty()));
        assert!(table_functions().iter().all(|function| function.call.starts_with(function.name)));
    }
}
