//! The one-letter data flags, in the meaning of HJ 212-2017 table 8.

use std::sync::LazyLock;

use serde::Deserialize;

/// One flag.
#[derive(Debug, Clone, Deserialize)]
pub struct Flag {
    /// The letter.
    pub flag: char,
    /// English meaning.
    pub name_en: String,
    /// Chinese meaning.
    pub name_zh: String,
    /// Whether a value with this flag is valid; only `N` is.
    pub valid: bool,
    /// Where the meaning is stated.
    pub clause: String,
}

static FLAGS: LazyLock<Vec<Flag>> =
    LazyLock::new(|| crate::factors::read_table(include_str!("../tables/flags.csv")));

/// Every listed flag.
pub fn flags() -> &'static [Flag] {
    &FLAGS
}

/// The flag that makes a value valid.
pub const NORMAL: u8 = b'N';

/// Whether a flag letter is [`NORMAL`], or 0, which stands for none.
pub fn is_normal_or_none(flag: u8) -> bool {
    matches!(flag, NORMAL | 0)
}

/// Whether the letter is a listed flag.
pub fn is_listed(flag: u8) -> bool {
    FLAGS.iter().any(|f| f.flag == char::from(flag))
}

/// The flag of the 2005 edition in the meaning of 2017: `F`, source stopped,
/// is `Z`; the other letters kept their meaning.
pub fn from_2005(flag: u8) -> u8 {
    if flag == b'F' { b'Z' } else { flag }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_normal_is_valid() {
        let valid: Vec<char> = flags().iter().filter(|f| f.valid).map(|f| f.flag).collect();
        assert_eq!(valid, ['N']);
    }

    #[test]
    fn stopped_source_of_2005_is_not_a_stopped_instrument() {
        assert_eq!(from_2005(b'F'), b'Z');
        assert_eq!(from_2005(b'D'), b'D');
        assert!(is_listed(b'Z') && !is_listed(b'X'));
    }
}
