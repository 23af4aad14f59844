//! What parameters of working conditions stand for, where a store's table
//! `condition_params` doesn't say.

use std::str::FromStr;
use std::sync::LazyLock;

use serde::Deserialize;
use thiserror::Error;

/// What a parameter of working conditions stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ConditionRole {
    /// How hard the plant works.
    Load,
    /// How hard the treatment works.
    Treatment,
    /// What comes in to be treated.
    Intake,
}

/// A word that is no role.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("'{0}' is no role of a working condition; roles are load, treatment and intake")]
pub struct UnknownRole(String);

impl FromStr for ConditionRole {
    type Err = UnknownRole;

    fn from_str(word: &str) -> Result<Self, UnknownRole> {
        match word {
            "load" => Ok(Self::Load),
            "treatment" => Ok(Self::Treatment),
            "intake" => Ok(Self::Intake),
            _ => Err(UnknownRole(word.to_owned())),
        }
    }
}

/// The role of a parameter, or of codes of HJ 212 that begin alike.
#[derive(Debug, Clone, Deserialize)]
pub struct RoleOf {
    /// The parameter; of a code its first four characters.
    pub param: String,
    /// What it stands for.
    pub role: ConditionRole,
    /// Where it is stated.
    pub clause: String,
}

static ROLES: LazyLock<Vec<RoleOf>> =
    LazyLock::new(|| crate::factors::read_table(include_str!("../tables/condition_roles.csv")));

/// Characters of a code that tell the process and the quantity.
const PREFIX: usize = 4;

/// The parameter that tells the load itself.
const LOAD: &str = "load";

impl ConditionRole {
    /// Which of several parameters tells the load: `load` itself, else the first with that role.
    pub fn load_among<'a, I>(params: I) -> Option<usize>
    where
        I: IntoIterator<Item = (&'a str, Option<Self>)>,
        I::IntoIter: Clone,
    {
        let mut params = params.into_iter();
        let itself = params.clone().position(|(param, _)| param == LOAD);
        itself.or_else(|| params.position(|(_, role)| role == Some(Self::Load)))
    }

    /// The role of a parameter; `None` where none is known.
    ///
    /// ```
    /// use plume_datasets::condition_roles::ConditionRole;
    /// assert_eq!(ConditionRole::built_in("slurry_ph"), Some(ConditionRole::Treatment));
    /// assert_eq!(ConditionRole::built_in("g20801"), Some(ConditionRole::Load));
    /// assert_eq!(ConditionRole::built_in("loading"), None);
    /// ```
    pub fn built_in(param: &str) -> Option<Self> {
        let is_code = param.len() > PREFIX && param.chars().skip(1).all(|c| c.is_ascii_digit());
        let name = if is_code { param.get(..PREFIX)? } else { param };
        ROLES.iter().find(|known| known.param == name).map(|known| known.role)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_parameter_has_one_role_and_a_marked_clause() {
        assert!(!ROLES.is_empty());
        for (at, known) in ROLES.iter().enumerate() {
            assert!(known.clause.ends_with(']'), "{}", known.param);
            assert!(ROLES[at + 1..].iter().all(|other| other.param != known.param), "{}", known.param);
        }
    }

    #[test]
    fn the_load_is_load_itself_or_the_first_that_stands_for_it() {
        let load_among = |names: [&'static str; 2]| {
            ConditionRole::load_among(names.map(|name| (name, ConditionRole::built_in(name))))
        };
        assert_eq!(load_among(["fan_current", "load"]), Some(1));
        assert_eq!(load_among(["fan_current", "power"]), Some(0));
        assert_eq!(load_among(["dosing", "x"]), None);
    }

    #[test]
    fn words_are_roles_or_errors() {
        assert_eq!("intake".parse(), Ok(ConditionRole::Intake));
        let error = "fan".parse::<ConditionRole>().unwrap_err();
        assert!(error.to_string().contains("load, treatment and intake"));
    }
}
