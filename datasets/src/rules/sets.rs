//! The rule sets known to a session: those built in, and editions that came as files.
//!
//! An edition may name the set it is `based_on`: what it leaves out is as there.
//! It can only give rules that there are, in their units: code asks for no others.
//!
//! Worked example: set A from 2021 to 2024, edition B from 2023 to 2026. A is in
//! force up to the last day of 2022, B from 2023 on, and after 2026 as lapsed.

use std::sync::LazyLock;

use chrono::NaiveDate;

use super::{MARKS, Rule, RuleError, RuleSet, RuleValue, parse};

const FILES: &[&str] = &[include_str!("../../rules/hubei-2021.toml")];

static BUILT_IN: LazyLock<RuleSets> = LazyLock::new(|| {
    let mut sets: Vec<RuleSet> = FILES.iter().filter_map(|text| parse(text).ok()).collect();
    sets.sort_by_key(|set| set.valid_from);
    RuleSets { sets }
});

/// Rule sets by first day.
#[derive(Debug, Clone)]
pub struct RuleSets {
    sets: Vec<RuleSet>,
}

impl Default for RuleSets {
    fn default() -> Self {
        Self::built_in().clone()
    }
}

impl RuleSets {
    /// The rule sets that need no file.
    pub fn built_in() -> &'static Self {
        &BUILT_IN
    }

    /// Every set, by first day.
    pub fn all(&self) -> &[RuleSet] {
        &self.sets
    }

    /// These and the edition that a file's text tells.
    pub fn with(&self, text: &str) -> Result<Self, RuleError> {
        let mut edition = parse(text)?;
        let name = edition.name.clone();
        let wrong = |reason| RuleError::Edition { set: name.clone(), reason };
        self.check_head(&edition).map_err(wrong)?;
        check_limits(&edition).map_err(wrong)?;
        let base = edition.based_on.as_deref().map(|name| self.named(name)).transpose()?;
        let mut rules = base.map(|base| base.rules.clone()).unwrap_or_default();
        for (key, known) in self.sets.first().iter().flat_map(|set| &set.rules) {
            if let Some(rule) = edition.rules.remove(key) {
                let rule = checked(rule, known).map_err(|reason| wrong(format!("rule '{key}' {reason}")))?;
                rules.insert(key.clone(), rule);
            } else if !rules.contains_key(key) {
                return Err(wrong(format!(
                    "rule '{key}' is missing; give it, or write based_on = \"{}\" to take it from there",
                    self.names().join("\" or \"")
                )));
            }
        }
        if let Some(key) = edition.rules.keys().next() {
            return Err(wrong(format!("there is no rule '{key}'; table rules lists those there are")));
        }
        if let Some(base) = base.filter(|_| edition.comparison_limits.is_empty()) {
            edition.comparison_limits.clone_from(&base.comparison_limits);
        }
        edition.rules = rules;
        let mut sets = self.sets.clone();
        sets.push(edition);
        sets.sort_by_key(|set| set.valid_from);
        Ok(Self { sets })
    }

    /// Name and dates of an edition beside those of the sets there are.
    fn check_head(&self, edition: &RuleSet) -> Result<(), String> {
        let RuleSet { name, valid_from, valid_to, .. } = edition;
        if name.trim().is_empty() || name.contains([',', '=']) || name.trim() != name {
            return Err("its name must be a word without ',' and '='".to_owned());
        }
        if self.sets.iter().any(|set| set.name == *name) {
            return Err("there is a set of that name already; give the edition a name of its own".to_owned());
        }
        if valid_to < valid_from {
            return Err(format!("valid_to {valid_to} lies before valid_from {valid_from}"));
        }
        match self.sets.iter().find(|set| set.valid_from == *valid_from) {
            Some(set) => Err(format!(
                "valid_from {valid_from} is that of '{}' too, so that no date tells which is in force",
                set.name
            )),
            None => Ok(()),
        }
    }

    fn names(&self) -> Vec<&str> {
        self.sets.iter().map(|set| set.name.as_str()).collect()
    }

    /// The set with a name, as its file has it.
    pub fn named(&self, name: &str) -> Result<&RuleSet, RuleError> {
        let unknown = || RuleError::UnknownSet(name.to_owned(), self.names().join(", "));
        self.sets.iter().find(|set| set.name == name).ok_or_else(unknown)
    }

    /// The rule set in force on a day, and whether it had lapsed by then. Of several that
    /// are valid it is the one that began last; where none is, the one that ended last goes
    /// on. A day before the first set takes the first.
    pub fn in_force(&self, day: NaiveDate) -> Option<(&RuleSet, bool)> {
        let begun = || self.sets.iter().filter(|set| set.valid_from <= day);
        let valid = begun().rfind(|set| day <= set.valid_to);
        let gone_on = || begun().max_by_key(|set| set.valid_to);
        let set = valid.or_else(gone_on).or(self.sets.first())?;
        Some((set, day > set.valid_to))
    }

    /// The days on which another set may come into force: first days, and those after last ones.
    pub fn turning_days(&self) -> Vec<NaiveDate> {
        let after = self.sets.iter().filter_map(|set| set.valid_to.succ_opt());
        let mut days: Vec<NaiveDate> = self.sets.iter().map(|set| set.valid_from).chain(after).collect();
        days.sort_unstable();
        days.dedup();
        days
    }

    /// The rule set that `NAME[,key=value…]` chooses.
    ///
    /// ```
    /// # use plume_datasets::rules::RuleSets;
    /// let set = RuleSets::built_in().choose("hubei-2021,day_basis=running").unwrap();
    /// assert_eq!(set.word("day_basis").unwrap(), "running");
    /// ```
    pub fn choose(&self, text: &str) -> Result<RuleSet, RuleError> {
        let mut parts = text.split(',').map(str::trim);
        let mut set = self.named(parts.next().unwrap_or_default())?.clone();
        for option in parts {
            let (key, value) = option.split_once('=').ok_or_else(|| RuleError::Syntax(option.to_owned()))?;
            set = set.with(key.trim(), value.trim())?;
        }
        Ok(set)
    }
}

/// A rule of an edition, in the unit and with the words of the rule that code knows.
fn checked(rule: Rule, known: &Rule) -> Result<Rule, String> {
    if rule.clause.trim().is_empty() {
        return Err("names no clause".to_owned());
    }
    if !MARKS.contains(&rule.mark.as_str()) {
        return Err(format!("has mark '{}'; it takes {}", rule.mark, MARKS.join(", ")));
    }
    if !rule.unit.is_empty() && rule.unit != known.unit {
        return Err(format!("is in '{}'; it takes '{}'", rule.unit, known.unit));
    }
    let words = known.options.join(" or ");
    if let Some(word) = rule.options.iter().find(|word| !known.options.contains(word)) {
        return Err(format!("has the option '{word}'; there are {words}"));
    }
    let suits = match (&rule.value, &known.value) {
        (RuleValue::Number(number), RuleValue::Number(_)) => number.is_finite() && *number >= 0.0,
        (RuleValue::Word(word), RuleValue::Word(_)) => known.options.contains(word),
        _ => false,
    };
    let takes = if known.options.is_empty() { "a number of 0 or more" } else { &words };
    match suits {
        true => Ok(Rule { unit: known.unit.clone(), options: known.options.clone(), ..rule }),
        false => Err(format!("can't be '{}'; it takes {takes}", rule.value)),
    }
}

/// The limits of comparisons that an edition gives.
fn check_limits(edition: &RuleSet) -> Result<(), String> {
    for limit in &edition.comparison_limits {
        let place = format!("the comparison limit of {} from {}", limit.factor, limit.from);
        match (limit.absolute, limit.relative) {
            (Some(error), None) | (None, Some(error)) if error.is_finite() && limit.from.is_finite() => {}
            _ => return Err(format!("{place} takes a number, either absolute or relative")),
        }
        if limit.clause.trim().is_empty() || !MARKS.contains(&limit.mark.as_str()) {
            return Err(format!("{place} takes a clause and a mark: {}", MARKS.join(", ")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    /// An edition based on the built-in set, with more lines.
    fn edition(name: &str, from: &str, to: &str, lines: &str) -> String {
        format!(
            "name = \"{name}\"\ntitle_en = \"t\"\ntitle_zh = \"t\"\nvalid_from = {from}\nvalid_to = {to}\n\
             clause = \"c\"\nbased_on = \"hubei-2021\"\n{lines}"
        )
    }

    const TWENTY_ONE: &str = "[rules.air_day_hours]\nvalue = 21\nclause = \"c\"\nmark = \"seed\"\n";

    fn error(text: &str) -> String {
        RuleSets::built_in().with(text).unwrap_err().to_string()
    }

    #[test]
    fn every_rule_set_file_parses_and_each_rule_has_clause_and_mark() {
        assert_eq!(RuleSets::built_in().all().len(), FILES.len());
        for set in RuleSets::built_in().all() {
            assert_eq!(check_limits(set), Ok(()), "{}", set.name);
            for (key, rule) in &set.rules {
                assert!(checked(rule.clone(), rule).is_ok(), "{key}");
            }
        }
    }

    #[test]
    fn the_last_set_goes_on_after_its_end_as_lapsed() {
        let sets = RuleSets::built_in();
        assert!(!sets.in_force(day("2024-06-30")).unwrap().1);
        assert!(sets.in_force(day("2024-07-01")).unwrap().1);
        assert_eq!(sets.in_force(day("2019-01-01")).unwrap().0.name, "hubei-2021");
    }

    #[test]
    fn an_edition_takes_over_on_its_first_day_and_keeps_what_it_leaves_out() {
        let sets = RuleSets::default().with(&edition("b", "2024-01-01", "2026-12-31", TWENTY_ONE)).unwrap();
        let hours = |date: &str| {
            let (set, lapsed) = sets.in_force(day(date)).unwrap();
            (set.number("air_day_hours").unwrap(), set.number("air_month_days").unwrap(), lapsed)
        };
        assert_eq!(hours("2023-12-31"), (20.0, 25.0, false));
        assert_eq!(hours("2024-01-01"), (21.0, 25.0, false));
        assert_eq!(hours("2027-01-01"), (21.0, 25.0, true));
        let edition = sets.named("b").unwrap();
        assert_eq!(edition.rules["air_day_hours"].unit, "h");
        assert_eq!(edition.comparison_limits.len(), sets.all()[0].comparison_limits.len());
    }

    #[test]
    fn after_an_edition_for_a_time_the_set_before_it_is_in_force_again() {
        let sets =
            RuleSets::default().with(&edition("games", "2022-01-01", "2022-03-31", TWENTY_ONE)).unwrap();
        let name = |date: &str| sets.in_force(day(date)).map(|(set, lapsed)| (set.name.as_str(), lapsed));
        assert_eq!(name("2022-03-31"), Some(("games", false)));
        assert_eq!(name("2022-04-01"), Some(("hubei-2021", false)));
        assert_eq!(name("2024-07-01"), Some(("hubei-2021", true)));
    }

    #[test]
    fn an_edition_that_would_be_misread_is_refused() {
        let head = |lines: &str| error(&edition("b", "2025-01-01", "2026-01-01", lines));
        let rule = |lines: &str| head(&format!("[rules.air_day_hours]\n{lines}"));
        let told = "clause = \"c\"\nmark = \"seed\"\n";
        assert!(
            head("[rules.air_day_hour]\nvalue = 1\nclause = \"c\"\nmark = \"seed\"")
                .contains("no rule 'air_day_hour'")
        );
        assert!(head("nonsense = 1").contains("unknown field"));
        assert!(rule("value = 20\nmark = \"seed\"\nclause = \" \"").contains("names no clause"));
        assert!(
            rule("value = 20\nclause = \"c\"\nmark = \"rumour\"").contains("seed, standard, recall, default")
        );
        assert!(rule(&format!("value = 20\nunit = \"min\"\n{told}")).contains("it takes 'h'"));
        assert!(rule(&format!("value = \"many\"\n{told}")).contains("a number of 0 or more"));
        assert!(rule(&format!("value = nan\n{told}")).contains("a number of 0 or more"));
        assert!(rule(&format!("value = -1\n{told}")).contains("a number of 0 or more"));
        let basis = |lines: &str| head(&format!("[rules.day_basis]\n{lines}{told}"));
        assert!(basis("value = \"lunar\"\n").contains("calendar or running"));
        assert!(basis("value = \"running\"\noptions = [\"lunar\"]\n").contains("has the option 'lunar'"));
        let limit = "[[comparison_limits]]\nfactor = \"w01018\"\nfrom = 0\nclause = \"c\"\nmark = \"seed\"\n";
        assert!(head(limit).contains("either absolute or relative"));
        assert!(error(&edition("hubei-2021", "2025-01-01", "2026-01-01", "")).contains("name of its own"));
        assert!(error(&edition("a,b", "2025-01-01", "2026-01-01", "")).contains("without ','"));
        assert!(error(&edition("b", "2026-01-02", "2026-01-01", "")).contains("before valid_from"));
        assert!(error(&edition("b", "2021-07-01", "2026-01-01", "")).contains("that of 'hubei-2021' too"));
        let alone =
            edition("b", "2025-01-01", "2026-01-01", TWENTY_ONE).replace("based_on = \"hubei-2021\"", "");
        assert!(error(&alone).contains("based_on = \"hubei-2021\""));
        let lost = edition("b", "2025-01-01", "2026-01-01", "")
            .replace("based_on = \"hubei-2021\"", "based_on = \"x\"");
        assert!(error(&lost).contains("known are: hubei-2021"));
    }

    #[test]
    fn a_wrong_choice_says_what_is_right() {
        let error = |text| RuleSets::built_in().choose(text).unwrap_err().to_string();
        assert!(error("hubei").contains("hubei-2021"));
        assert!(error("hubei-2021,day_basis=lunar").contains("calendar or running"));
        assert!(error("hubei-2021,air_day_hours=many").contains("a number"));
        assert!(error("hubei-2021,nonsense=1").contains("see table rules"));
        assert!(error("hubei-2021,day_basis").contains("key=value"));
    }
}
