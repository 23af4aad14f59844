//! The catalogue of clocks K1 to K32: what is due how often, and whether data can tell.

use std::sync::LazyLock;

use serde::Deserialize;

/// One clock or checkable rule of a device.
#[derive(Debug, Clone, Deserialize)]
pub struct Clock {
    /// `K1` to `K32`.
    pub rule: String,
    /// English name.
    pub name_en: String,
    /// Chinese name.
    pub name_zh: String,
    /// The keys of table `rules` it asks, or the figures where nothing computes with them.
    pub numbers: String,
    /// What it needs.
    pub input: String,
    /// The functions that judge it.
    pub judged_in: Option<String>,
    /// `data`, `partly` or `person`.
    pub checkable: String,
    /// Why data can't tell, or not all of it.
    pub reason: Option<String>,
    /// Where it is stated.
    pub clause: String,
}

static CLOCKS: LazyLock<Vec<Clock>> =
    LazyLock::new(|| crate::factors::read_table(include_str!("../tables/clocks.csv")));

/// Every clock, by number.
pub fn clocks() -> &'static [Clock] {
    &CLOCKS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_is_whole_and_in_order() {
        let numbers: Vec<&str> = clocks().iter().map(|clock| clock.rule.as_str()).collect();
        let expected: Vec<String> = (1..=32).map(|n| format!("K{n}")).collect();
        assert_eq!(numbers, expected);
    }

    #[test]
    fn what_data_cannot_tell_has_a_reason_and_what_is_judged_has_its_keys() {
        for clock in clocks() {
            assert!(["data", "partly", "person"].contains(&clock.checkable.as_str()), "{clock:?}");
            assert!(clock.checkable == "data" || clock.reason.is_some(), "{clock:?}");
            assert!(clock.judged_in.is_some() || clock.reason.is_some(), "{clock:?}");
            if clock.judged_in.is_some() {
                for key in clock.numbers.split("; ") {
                    assert!(
                        crate::rules::RuleSets::built_in().all().iter().all(|set| set.number(key).is_ok()),
                        "{key}"
                    );
                }
            }
        }
    }
}
