//! Rule sets: every number of a regulation as data, with its clause and dates.
//!
//! A rule set is a TOML file. Those under `rules/` are built in; a new edition of a
//! regulation is one more file, there or beside the program. [`RuleSets`] picks the set by
//! date, and after the last end date the last set goes on with `lapsed = true`.

mod sets;

pub use sets::RuleSets;

use std::collections::BTreeMap;
use std::fmt;

use chrono::NaiveDate;
use serde::Deserialize;
use thiserror::Error;

/// A rule set as it stands in its file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleSet {
    /// Its name, as given to `--rules`.
    pub name: String,
    /// English title.
    pub title_en: String,
    /// Chinese title.
    pub title_zh: String,
    /// First day in force.
    #[serde(deserialize_with = "toml_date")]
    pub valid_from: NaiveDate,
    /// Last day in force.
    #[serde(deserialize_with = "toml_date")]
    pub valid_to: NaiveDate,
    /// The clause that sets the dates.
    pub clause: String,
    /// The set from which an edition takes what it leaves out.
    #[serde(default)]
    pub based_on: Option<String>,
    /// The rules by key.
    #[serde(default)]
    pub rules: BTreeMap<String, Rule>,
    /// Greatest errors of comparisons with real samples and reference methods, by factor and value.
    #[serde(default)]
    pub comparison_limits: Vec<ComparisonLimit>,
}

/// The greatest error of a comparison with a real sample or a reference method, from a value of it on.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ComparisonLimit {
    /// Factor code.
    pub factor: String,
    /// The least value of the sample it applies to, in the factor's unit.
    pub from: f64,
    /// Whether it applies only above `from`, no longer at it.
    #[serde(default)]
    pub above: bool,
    /// The error in the factor's unit; absent where it is a share.
    pub absolute: Option<f64>,
    /// The error as a share of the sample's value.
    pub relative: Option<f64>,
    /// The clause it comes from.
    pub clause: String,
    /// How it is known, as of a [`Rule`].
    pub mark: String,
}

impl ComparisonLimit {
    /// Whether a sample of a value lies in the band or beyond it.
    pub fn is_reached_by(&self, value: f64) -> bool {
        if self.above { value > self.from } else { value >= self.from }
    }

    /// The key that stands for it among rules.
    pub fn key(&self) -> String {
        let bound = if self.above { "above" } else { "from" };
        format!("comparison_limit.{}.{bound}_{}", self.factor, self.from)
    }

    /// The greatest error of a sample of a value, in the factor's unit.
    pub fn of(&self, value: f64) -> f64 {
        self.absolute.unwrap_or_else(|| self.relative.unwrap_or_default() * value.abs())
    }
}

/// One rule of a set.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// The number or word in force.
    pub value: RuleValue,
    /// The words allowed, where the value is a word.
    #[serde(default)]
    pub options: Vec<String>,
    /// Its unit.
    #[serde(default)]
    pub unit: String,
    /// The clause it comes from.
    pub clause: String,
    /// How it is known: `seed`, `standard`, `recall` or `default`.
    pub mark: String,
}

/// A number or a word.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum RuleValue {
    /// A number, in the rule's unit.
    Number(f64),
    /// One of the rule's options.
    Word(String),
}

impl fmt::Display for RuleValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Word(word) => f.write_str(word),
        }
    }
}

/// What can be wrong with a choice of rules.
#[derive(Debug, Error)]
pub enum RuleError {
    /// No rule set has the name.
    #[error("there is no rule set '{0}'; known are: {1}")]
    UnknownSet(String, String),
    /// The set has no such rule.
    #[error("rule set '{set}' has no rule '{key}'; see table rules")]
    UnknownRule {
        /// The rule set.
        set: String,
        /// The key asked for.
        key: String,
    },
    /// The value doesn't suit the rule.
    #[error("rule '{key}' can't be '{value}'; it takes {takes}")]
    BadValue {
        /// The rule.
        key: String,
        /// The value given.
        value: String,
        /// What it takes.
        takes: String,
    },
    /// The option isn't of the form `key=value`.
    #[error("'{0}' is no rule option; write NAME,key=value")]
    Syntax(String),
    /// The file doesn't parse.
    #[error("the rule-set file doesn't parse: {0}")]
    File(String),
    /// The edition doesn't fit those there are.
    #[error("rule set '{set}': {reason}")]
    Edition {
        /// The edition.
        set: String,
        /// What is wrong and the mend.
        reason: String,
    },
}

/// How a rule may be known.
const MARKS: [&str; 4] = ["seed", "standard", "recall", "default"];

fn toml_date<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<NaiveDate, D::Error> {
    let date = toml::value::Datetime::deserialize(deserializer)?;
    date.to_string().parse().map_err(serde::de::Error::custom)
}

/// Reads a rule-set file.
fn parse(text: &str) -> Result<RuleSet, RuleError> {
    toml::from_str(text).map_err(|error| RuleError::File(error.to_string()))
}

impl RuleSet {
    /// The number of a rule.
    pub fn number(&self, key: &str) -> Result<f64, RuleError> {
        match &self.rule(key)?.value {
            RuleValue::Number(number) => Ok(*number),
            RuleValue::Word(word) => Err(RuleError::BadValue {
                key: key.to_owned(),
                value: word.clone(),
                takes: "a number".to_owned(),
            }),
        }
    }

    /// The word of a rule.
    pub fn word(&self, key: &str) -> Result<&str, RuleError> {
        match &self.rule(key)?.value {
            RuleValue::Word(word) => Ok(word),
            RuleValue::Number(number) => Err(RuleError::BadValue {
                key: key.to_owned(),
                value: number.to_string(),
                takes: "a word".to_owned(),
            }),
        }
    }

    fn rule(&self, key: &str) -> Result<&Rule, RuleError> {
        self.rules
            .get(key)
            .ok_or_else(|| RuleError::UnknownRule { set: self.name.clone(), key: key.to_owned() })
    }

    /// The set with one rule changed, as `--rules NAME,key=value` asks.
    pub fn with(&self, key: &str, value: &str) -> Result<Self, RuleError> {
        let rule = self.rule(key)?;
        let value = match (&rule.value, value.parse::<f64>()) {
            (RuleValue::Number(_), Ok(number)) if number.is_finite() => RuleValue::Number(number),
            (RuleValue::Word(_), _) if rule.options.iter().any(|o| o == value) => {
                RuleValue::Word(value.to_owned())
            }
            (current, _) => {
                return Err(RuleError::BadValue {
                    key: key.to_owned(),
                    value: value.to_owned(),
                    takes: match current {
                        RuleValue::Number(_) => "a number".to_owned(),
                        RuleValue::Word(_) => rule.options.join(" or "),
                    },
                });
            }
        };
        let mut changed = self.clone();
        if let Some(rule) = changed.rules.get_mut(key) {
            rule.value = value;
        }
        Ok(changed)
    }
}
