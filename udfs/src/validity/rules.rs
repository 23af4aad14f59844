//! The numbers of a rule set that validity rests on.

use plume_datasets::factors::Medium;
use plume_datasets::rules::{RuleError, RuleSet, RuleSets};

use crate::correlation::rules::CorrelationRules;
use crate::emission::rules::EmissionRules;
use crate::patterns::rules::PatternRules;
use crate::time;

/// What the hours and days asked for are counted from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DayBasis {
    /// The calendar: 20 hours, 25 days, whatever ran.
    Calendar,
    /// A share of the running hours and days, rounded up.
    Running,
}

/// Of which media an hour is not valid where analyser, logger and platform differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamMismatch {
    /// Of none.
    Ignored,
    /// Of water.
    Water,
    /// Of air and water.
    Both,
}

/// Beginning of the keys of the figures that values below detection count as; the factor follows.
const BELOW_DETECTION: &str = "below_detection_";

/// The numbers of a rule set that validity rests on, each named as its rule.
#[derive(Debug, Clone)]
pub struct ValidityRules {
    /// Name of the rule set.
    pub rule_set: String,
    /// Valid minutes an hour needs.
    pub hour_minutes: f64,
    /// Seconds that one minute row of air covers.
    pub air_minute_s: f64,
    /// Seconds that one minute row of water covers.
    pub water_minute_s: f64,
    /// Valid hours a day of air needs.
    pub air_day_hours: u32,
    /// Valid days a month of air needs.
    pub air_month_days: u32,
    /// Valid days a February of air needs.
    pub air_february_days: u32,
    /// What they are counted from.
    pub day_basis: DayBasis,
    /// Share of running hours and days under [`DayBasis::Running`].
    pub running_share: f64,
    /// Share of the results due that a day of water needs.
    pub water_day_share: f64,
    /// Share of the days that a month of water needs.
    pub water_month_share: f64,
    /// Share of a quarter's running hours that must be valid.
    pub capture_share: f64,
    /// Oxygen of air, %.
    pub o2_air: f64,
    /// Oxygen at which views stop converting, %.
    pub o2_view_cap: f64,
    /// Oxygen below which flow contradicts a stop, %.
    pub stop_contradicted_o2: f64,
    /// Decimals to which daily values are compared in the search for fixed ones.
    pub fixed_value_decimals: i32,
    /// Intervals, in hours, within which data must have come for a series to be online.
    pub online_intervals: f64,
    /// Seconds from one real-time row to the next.
    pub realtime_interval_s: f64,
    /// Of which media streams are compared.
    pub stream_mismatch: StreamMismatch,
    /// Share by which they may differ.
    pub stream_difference_share: f64,
    /// What values below detection count as, by factor; empty where they count as they are.
    below_detection: Vec<(String, f64)>,
}

impl ValidityRules {
    /// Reads the numbers out of a rule set.
    pub fn of(set: &RuleSet) -> Result<Self, RuleError> {
        let count = |key| set.number(key).map(|number| number as u32);
        Ok(Self {
            rule_set: set.name.clone(),
            hour_minutes: set.number("hour_minutes")?,
            air_minute_s: set.number("air_minute_s")?,
            water_minute_s: set.number("water_minute_s")?,
            air_day_hours: count("air_day_hours")?,
            air_month_days: count("air_month_days")?,
            air_february_days: count("air_february_days")?,
            day_basis: match set.word("day_basis")? {
                "running" => DayBasis::Running,
                _ => DayBasis::Calendar,
            },
            running_share: set.number("running_share")?,
            water_day_share: set.number("water_day_share")?,
            water_month_share: set.number("water_month_share")?,
            capture_share: set.number("capture_share")?,
            o2_air: set.number("o2_air")?,
            o2_view_cap: set.number("o2_view_cap")?,
            stop_contradicted_o2: set.number("stop_contradicted_o2")?,
            fixed_value_decimals: set.number("fixed_value_decimals")? as i32,
            online_intervals: set.number("online_intervals")?,
            realtime_interval_s: set.number("realtime_interval_s")?,
            stream_mismatch: match set.word("stream_mismatch")? {
                "water" => StreamMismatch::Water,
                "both" => StreamMismatch::Both,
                _ => StreamMismatch::Ignored,
            },
            stream_difference_share: set.number("stream_difference_share")?,
            below_detection: match set.word("below_detection")? {
                "table" => figures_by_factor(set, BELOW_DETECTION)?,
                _ => Vec::new(),
            },
        })
    }

    /// Seconds that one minute row covers where the monitor doesn't say.
    pub fn minute_s(&self, medium: Medium) -> f64 {
        match medium {
            Medium::Air => self.air_minute_s,
            Medium::Water => self.water_minute_s,
        }
    }

    /// The share by which the streams of a medium may differ; `None` where they are not compared.
    pub fn stream_share(&self, medium: Medium) -> Option<f64> {
        let compares = match self.stream_mismatch {
            StreamMismatch::Ignored => false,
            StreamMismatch::Water => medium == Medium::Water,
            StreamMismatch::Both => true,
        };
        compares.then_some(self.stream_difference_share)
    }

    /// What a value of a factor below detection counts as; `None` where it counts as it is.
    pub fn below_detection(&self, factor: &str) -> Option<f64> {
        self.below_detection.iter().find(|(of, _)| of == factor).map(|(_, figure)| *figure)
    }

    /// Valid hours a day needs. `due` are the day's results due: neither
    /// stopped nor, for water, without flow.
    pub fn required_hours(&self, medium: Medium, due: u32) -> u32 {
        match (medium, self.day_basis) {
            (Medium::Air, DayBasis::Calendar) => self.air_day_hours,
            (Medium::Air, DayBasis::Running) => share_of(due, self.running_share),
            (Medium::Water, _) => share_of(due, self.water_day_share),
        }
    }

    /// Valid days a month needs. `stopped` are the days without a running hour.
    pub fn required_days(&self, medium: Medium, month: i64, stopped: u32) -> u32 {
        let days = time::days_in_month(month) as u32;
        let running = days.saturating_sub(stopped);
        match (medium, self.day_basis) {
            (Medium::Air, DayBasis::Calendar) if time::is_february(month) => self.air_february_days,
            (Medium::Air, DayBasis::Calendar) => self.air_month_days,
            (Medium::Air, DayBasis::Running) => share_of(running, self.running_share),
            (Medium::Water, _) => share_of(running, self.water_month_share),
        }
    }
}

/// The numbers of rules whose keys begin alike, by the factor they end with.
fn figures_by_factor(set: &RuleSet, beginning: &str) -> Result<Vec<(String, f64)>, RuleError> {
    let of_factor = |key: &String| Some((key.strip_prefix(beginning)?.to_owned(), set.number(key)));
    set.rules.keys().filter_map(of_factor).map(|(factor, number)| Ok((factor, number?))).collect()
}

/// A share of a count, rounded up; the product is exact to far below a unit, so
/// 75 % of 24 is 18 and not 19.
fn share_of(count: u32, share: f64) -> u32 {
    (f64::from(count) * share - 1e-9).ceil().max(0.0) as u32
}

/// Which rules apply when: one chosen set, or each set in its time.
#[derive(Debug, Clone)]
pub struct Rulebook {
    /// By first day; the first also covers what came before.
    editions: Vec<Edition>,
}

/// The numbers of one rule set, and from when on it is in force.
#[derive(Debug, Clone)]
struct Edition {
    first_day: i64,
    validity: ValidityRules,
    emission: EmissionRules,
    correlation: CorrelationRules,
    patterns: PatternRules,
    set: RuleSet,
}

impl Edition {
    fn of(set: &RuleSet, first_day: i64) -> Result<Self, RuleError> {
        Ok(Self {
            first_day,
            validity: ValidityRules::of(set)?,
            emission: EmissionRules::of(set)?,
            correlation: CorrelationRules::of(set)?,
            patterns: PatternRules::of(set)?,
            set: set.clone(),
        })
    }
}

impl Rulebook {
    /// Every built-in set in its time.
    pub fn by_date() -> Result<Self, RuleError> {
        Self::of(RuleSets::built_in())
    }

    /// Each of several sets in its time.
    pub fn of(sets: &RuleSets) -> Result<Self, RuleError> {
        let epoch = time::date_of(0);
        let mut editions: Vec<Edition> = Vec::new();
        for day in sets.turning_days() {
            let Some((set, _)) = sets.in_force(day) else { continue };
            if editions.last().is_none_or(|last| last.set.name != set.name) {
                editions.push(Edition::of(set, day.signed_duration_since(epoch).num_days())?);
            }
        }
        if editions.is_empty() {
            return Err(RuleError::File("no rule set is built in".to_owned()));
        }
        Ok(Self { editions })
    }

    /// One set, whatever the date.
    pub fn chosen(set: &RuleSet) -> Result<Self, RuleError> {
        Ok(Self { editions: vec![Edition::of(set, i64::MIN)?] })
    }

    /// What validity rests on, on a day.
    pub fn at(&self, day: i64) -> &ValidityRules {
        &self.edition(day).validity
    }

    /// Whether any edition compares the streams of a medium.
    pub fn compares_streams(&self, medium: Medium) -> bool {
        self.editions.iter().any(|edition| edition.validity.stream_share(medium).is_some())
    }

    /// Whether any edition gives a figure to values of a factor below detection.
    pub fn replaces_below_detection(&self, factor: &str) -> bool {
        self.editions.iter().any(|edition| edition.validity.below_detection(factor).is_some())
    }

    /// What substitution and the control of monitors rest on, on a day.
    pub fn emission_at(&self, day: i64) -> &EmissionRules {
        &self.edition(day).emission
    }

    /// What correlations with working conditions are judged by, on a day.
    pub fn correlation_at(&self, day: i64) -> &CorrelationRules {
        &self.edition(day).correlation
    }

    /// What the search for patterns rests on, on a day.
    pub fn patterns_at(&self, day: i64) -> &PatternRules {
        &self.edition(day).patterns
    }

    /// The number of a rule on a day; `None` where there is no such number.
    pub fn number_at(&self, day: i64, rule: &str) -> Option<f64> {
        self.edition(day).set.number(rule).ok()
    }

    /// The word of a rule on a day; `None` where there is no such word.
    pub fn word_at(&self, day: i64, rule: &str) -> Option<&str> {
        self.edition(day).set.word(rule).ok()
    }

    /// The rule set in force on a day.
    pub fn set_at(&self, day: i64) -> &RuleSet {
        &self.edition(day).set
    }

    /// The clause of a rule on a day, with its mark.
    pub fn clause_at(&self, day: i64, rule: &str) -> Option<String> {
        let rule = self.edition(day).set.rules.get(rule)?;
        Some(format!("{} [{}]", rule.clause, rule.mark))
    }

    fn edition(&self, day: i64) -> &Edition {
        let later = self.editions.iter().skip(1).take_while(|edition| edition.first_day <= day);
        &self.editions[later.count()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(options: &str) -> ValidityRules {
        let set = RuleSets::built_in().choose(&format!("hubei-2021{options}")).unwrap();
        ValidityRules::of(&set).unwrap()
    }

    #[test]
    fn air_asks_for_calendar_hours_and_days() {
        let rules = rules("");
        assert_eq!(rules.required_hours(Medium::Air, 6), 20);
        assert_eq!(rules.required_days(Medium::Air, 0, 10), 25);
        assert_eq!(rules.required_days(Medium::Air, 1, 0), 23);
    }

    #[test]
    fn running_basis_asks_three_quarters_rounded_up() {
        let rules = rules(",day_basis=running");
        assert_eq!(rules.required_hours(Medium::Air, 24), 18);
        assert_eq!(rules.required_hours(Medium::Air, 10), 8);
        assert_eq!(rules.required_days(Medium::Air, 0, 11), 15);
    }

    #[test]
    fn water_asks_three_quarters_of_what_is_due() {
        let rules = rules("");
        assert_eq!(rules.required_hours(Medium::Water, 24), 18);
        assert_eq!(rules.required_hours(Medium::Water, 0), 0);
        assert_eq!(rules.required_days(Medium::Water, 0, 0), 24); // 23.25 of 31
    }

    #[test]
    fn streams_and_figures_below_detection_are_options() {
        let plain = rules("");
        assert_eq!(Medium::ALL.map(|medium| plain.stream_share(medium)), [None, None]);
        assert_eq!(plain.below_detection("w01018"), None);
        let water = rules(",stream_mismatch=water,below_detection=table");
        assert_eq!(Medium::ALL.map(|medium| water.stream_share(medium)), [None, Some(0.01)]);
        assert_eq!(water.below_detection("w01018"), Some(2.0));
        assert_eq!(water.below_detection("w01012"), None);
        assert_eq!(rules(",stream_mismatch=both").stream_share(Medium::Air), Some(0.01));
    }

    #[test]
    fn the_first_edition_covers_what_came_before_it() {
        let book = Rulebook::by_date().unwrap();
        assert_eq!(book.at(i64::MIN).rule_set, "hubei-2021");
        assert_eq!(book.at(i64::MAX).rule_set, "hubei-2021");
    }

    #[test]
    fn a_set_is_in_force_again_after_an_edition_for_a_time() {
        let edition = "name = \"games\"\ntitle_en = \"t\"\ntitle_zh = \"t\"\nclause = \"c\"\n\
            based_on = \"hubei-2021\"\nvalid_from = 2022-01-01\nvalid_to = 2022-03-31\n";
        let book = Rulebook::of(&RuleSets::built_in().with(edition).unwrap()).unwrap();
        let first = 18_993; // 2022-01-01
        let name = |day| book.at(day).rule_set.as_str();
        assert_eq!([name(first - 1), name(first), name(first + 89)], ["hubei-2021", "games", "games"]);
        assert_eq!(name(first + 90), "hubei-2021");
    }
}
