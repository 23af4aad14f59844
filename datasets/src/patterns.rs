//! The catalogue of fraud patterns: what each looks for and what excuses it.

use std::sync::LazyLock;

use serde::Deserialize;

/// One pattern.
#[derive(Debug, Clone, Deserialize)]
pub struct Pattern {
    /// `P1` to `P36`.
    pub number: String,
    /// Its name in SQL.
    pub pattern: String,
    /// Chinese name.
    pub name_zh: String,
    /// Value shape, parameter, operation or transmission.
    pub mechanism: String,
    /// How exactly it says what was done, among the patterns of its mechanism: 1 most exactly.
    pub rank: u32,
    /// Window on minute data.
    pub minute_window: Option<String>,
    /// Window on hourly data.
    pub hour_window: Option<String>,
    /// The statistic with its default threshold.
    pub statistic: String,
    /// What excuses a hit.
    pub suppressors: String,
    /// Where it is stated.
    pub clause: String,
}

static PATTERNS: LazyLock<Vec<Pattern>> =
    LazyLock::new(|| crate::factors::read_table(include_str!("../tables/patterns.csv")));

/// Every pattern, by number.
pub fn patterns() -> &'static [Pattern] {
    &PATTERNS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_is_whole_and_in_order() {
        let numbers: Vec<&str> = patterns().iter().map(|p| p.number.as_str()).collect();
        let expected: Vec<String> = (1..=36).map(|n| format!("P{n}")).collect();
        assert_eq!(numbers, expected);
    }
}
