//! The views and their heads.

use std::sync::LazyLock;

/// A view: its name, what its head tells, and its query.
#[derive(Debug, Clone)]
pub struct View {
    /// Its name in SQL.
    pub name: &'static str,
    /// What it holds: the head's first line.
    pub title: &'static str,
    /// The clause it rests on.
    pub clause: &'static str,
    /// What one row stands for.
    pub grain: &'static str,
    /// Its columns in order.
    pub columns: Vec<ViewColumn>,
    /// The file: head and query.
    pub sql: &'static str,
}

/// A column of a view.
#[derive(Debug, Clone, Copy)]
pub struct ViewColumn {
    /// Its name.
    pub name: &'static str,
    /// What it means.
    pub meaning: &'static str,
}

/// Each view's file, in the order of creation: a view may use those before it.
const FILES: &[(&str, &str)] = &[
    ("hourly_valid", include_str!("../views/hourly_valid.sql")),
    ("daily_valid", include_str!("../views/daily_valid.sql")),
    ("monthly_valid", include_str!("../views/monthly_valid.sql")),
    ("unregistered", include_str!("../views/unregistered.sql")),
];

static VIEWS: LazyLock<Vec<View>> =
    LazyLock::new(|| FILES.iter().map(|(name, sql)| read(name, sql)).collect());

/// Every view, in the order of creation.
pub fn views() -> &'static [View] {
    &VIEWS
}

/// Reads a view's head: a title, `clause:` and `grain:` lines, then a line a column.
fn read(name: &'static str, sql: &'static str) -> View {
    let mut view = View { name, title: "", clause: "", grain: "", columns: Vec::new(), sql };
    for line in sql.lines().map_while(|line| line.strip_prefix("--")).map(str::trim).filter(|l| !l.is_empty())
    {
        if view.title.is_empty() {
            view.title = line;
        } else if let Some(clause) = line.strip_prefix("clause:") {
            view.clause = clause.trim();
        } else if let Some(grain) = line.strip_prefix("grain:") {
            view.grain = grain.trim();
        } else if let Some((column, meaning)) = line.split_once(char::is_whitespace) {
            view.columns.push(ViewColumn { name: column, meaning: meaning.trim() });
        }
    }
    view
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_head_tells_title_clause_grain_and_columns() {
        for view in views() {
            assert!(
                !view.title.is_empty() && !view.clause.is_empty() && !view.grain.is_empty(),
                "{}",
                view.name
            );
            assert!(view.clause.contains('['), "{}: a clause carries its mark", view.name);
            assert!(view.columns.len() > 3, "{}", view.name);
        }
    }
}
