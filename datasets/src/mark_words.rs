//! The words that marks are written in, and what each stands for.

use std::sync::LazyLock;

use serde::Deserialize;

/// One word of a mark.
#[derive(Debug, Clone, Deserialize)]
pub struct MarkWord {
    /// The word, in small letters.
    pub word: String,
    /// What it stands for.
    pub kind: String,
    /// English name of the kind.
    pub name_en: String,
    /// Chinese name of the kind.
    pub name_zh: String,
    /// `furnace`, `monitor`, `furnace or monitor` or `thermometer`: what it tells of.
    pub scope: String,
    /// `start_stop`, `drying` or `cems_maintenance`: which yearly allowance it takes of.
    pub allowance: Option<String>,
    /// Where it is stated.
    pub clause: String,
}

static MARK_WORDS: LazyLock<Vec<MarkWord>> =
    LazyLock::new(|| crate::factors::read_table(include_str!("../tables/mark_words.csv")));

/// Every word, by kind.
pub fn mark_words() -> &'static [MarkWord] {
    &MARK_WORDS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_unique_small_letters_and_each_kind_means_one_thing() {
        for (at, word) in mark_words().iter().enumerate() {
            assert_eq!(word.word, word.word.to_lowercase());
            for other in &mark_words()[at + 1..] {
                assert_ne!(word.word, other.word);
                let same = (&word.scope, &word.allowance) == (&other.scope, &other.allowance);
                assert!(word.kind != other.kind || same, "{}", other.word);
            }
        }
    }
}
