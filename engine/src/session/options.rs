//! The session's own options: `SET plume.rules = '…'` and `SET plume.as_of = '…'`.

use std::any::Any;
use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, FixedOffset, NaiveDate, NaiveDateTime};
use datafusion::common::config::{ConfigEntry, ConfigExtension, ConfigOptions, ExtensionOptions};
use datafusion::common::{Result as QueryResult, config_err};
use plume_datasets::rules::RuleSets;
use plume_udfs::validity::Rulebook;

use crate::{Error, Result};

/// Seconds that Beijing is ahead of UTC.
const BEIJING_S: i32 = 8 * 3600;

/// The options under the prefix `plume`.
#[derive(Debug, Clone, Default)]
pub struct PlumeOptions {
    /// Rule set and options; empty: each set in its time.
    pub rules: String,
    /// The time as of which the store is seen; empty: now.
    pub as_of: String,
    /// The rule sets there are.
    pub rule_sets: Arc<RuleSets>,
}

impl PlumeOptions {
    /// Adds the edition that the text of a rule-set file tells.
    pub fn add_edition(&mut self, text: &str) -> Result<()> {
        self.rule_sets = Arc::new(self.rule_sets.with(text)?);
        Ok(())
    }
}

/// The text of a rule-set file, if it is one beside the rule sets of the options, to which its edition is added.
pub fn read_edition(path: &Path, options: &mut PlumeOptions) -> Result<String> {
    let wrong = |reason: String| Error::Input { path: path.display().to_string(), reason };
    let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    options.add_edition(&text).map_err(|error| wrong(error.to_string()))?;
    Ok(text)
}

impl ConfigExtension for PlumeOptions {
    const PREFIX: &'static str = "plume";
}

impl ExtensionOptions for PlumeOptions {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }

    fn cloned(&self) -> Box<dyn ExtensionOptions> {
        Box::new(self.clone())
    }

    fn set(&mut self, key: &str, value: &str) -> QueryResult<()> {
        match key {
            "rules" => {
                if !value.is_empty() {
                    self.rule_sets.choose(value).map_err(Error::from)?;
                }
                value.clone_into(&mut self.rules);
            }
            "as_of" => {
                if !value.is_empty() {
                    parse_time(value)?;
                }
                value.clone_into(&mut self.as_of);
            }
            _ => {
                return config_err!(
                    "there is no option plume.{key}; options are plume.rules and plume.as_of"
                );
            }
        }
        Ok(())
    }

    fn entries(&self) -> Vec<ConfigEntry> {
        let entry = |key: &str, value: &str, description| ConfigEntry {
            key: format!("plume.{key}"),
            value: (!value.is_empty()).then(|| value.to_owned()),
            description,
        };
        vec![
            entry(
                "rules",
                &self.rules,
                "rule set and options, NAME[,key=value…]; empty: each set in its time",
            ),
            entry("as_of", &self.as_of, "the time as of which the store is seen; empty: now"),
        ]
    }
}

/// The time as of which the session sees the store, µs of Beijing time.
pub fn as_of(config: &ConfigOptions) -> Result<Option<i64>> {
    match config.extensions.get::<PlumeOptions>() {
        Some(options) if !options.as_of.is_empty() => parse_time(&options.as_of).map(Some),
        _ => Ok(None),
    }
}

/// The rule set and options that the session chose; empty: each set in its time.
pub fn chosen_rules(config: &ConfigOptions) -> String {
    config.extensions.get::<PlumeOptions>().map(|options| options.rules.clone()).unwrap_or_default()
}

/// The rules in force in the session.
pub fn rulebook(config: &ConfigOptions) -> Result<Rulebook> {
    match config.extensions.get::<PlumeOptions>() {
        Some(options) if options.rules.is_empty() => Ok(Rulebook::of(&options.rule_sets)?),
        Some(options) => Ok(Rulebook::chosen(&options.rule_sets.choose(&options.rules)?)?),
        None => Ok(Rulebook::by_date()?),
    }
}

/// A time as a person writes it: a date, a date and time, or one with an offset,
/// which is converted. Microseconds of Beijing time.
pub fn parse_time(text: &str) -> Result<i64> {
    let text = text.trim();
    if let Ok(with_offset) = DateTime::parse_from_rfc3339(text)
        .or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f%:z"))
    {
        // A time within hours of the calendar's end has no Beijing time.
        let beijing = FixedOffset::east_opt(BEIJING_S)
            .and_then(|offset| with_offset.naive_utc().checked_add_offset(offset))
            .ok_or_else(|| Error::Usage(format!("'{text}' lies outside the calendar")))?;
        return Ok(beijing.and_utc().timestamp_micros());
    }
    let formats = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"];
    let time = formats.iter().find_map(|format| NaiveDateTime::parse_from_str(text, format).ok());
    let date = || NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?.and_hms_opt(0, 0, 0);
    let time = time.or_else(date).ok_or_else(|| {
        Error::Usage(format!("'{text}' is no time; write it like 2026-01-31 or 2026-01-31 08:00:00"))
    })?;
    Ok(time.and_utc().timestamp_micros())
}

/// Now, in µs of Beijing time.
pub fn now() -> i64 {
    chrono::Utc::now().timestamp_micros() + i64::from(BEIJING_S) * 1_000_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_with_an_offset_are_converted_to_beijing() {
        assert_eq!(parse_time("1970-01-01T00:00:00Z").unwrap(), 8 * 3_600_000_000);
        assert_eq!(parse_time("1970-01-01 08:00:00+08:00").unwrap(), 8 * 3_600_000_000);
        assert_eq!(parse_time("1970-01-02").unwrap(), 86_400_000_000);
        assert!(parse_time("1970-02-30").unwrap_err().to_string().contains("2026-01-31"));
    }
}
