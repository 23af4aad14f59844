//! Reads the data segment of a packet, leniently.
//!
//! `key=value` by `;`, then `CP=&&…&&` with items by `;` and values by `,`. The
//! standard's own text mixes the two, so both split; values are grouped by the
//! code before `-`. Keys are found whatever their case; blanks and stray
//! separators are dropped, and what was repaired is told.

use std::borrow::Cow;

use encoding_rs::GB18030;

/// A data segment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Segment {
    fields: Vec<(String, String)>,
    items: Vec<(String, String)>,
    /// What had to be repaired.
    pub repairs: Vec<&'static str>,
}

/// The values of one code: suffix and value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Factor or condition code.
    pub code: String,
    /// Suffix, as the standard writes it, and value.
    pub values: Vec<(String, String)>,
}

/// The suffixes that the standard knows, for spelling.
const SUFFIXES: [&str; 14] = [
    "Rtd",
    "Min",
    "Avg",
    "Max",
    "Cou",
    "ZsRtd",
    "ZsMin",
    "ZsAvg",
    "ZsMax",
    "Flag",
    "EFlag",
    "SampleTime",
    "Info",
    "SN",
];

/// Bytes as text: UTF-8 as the standard asks, or else GB 18030.
pub fn text_of(bytes: &[u8]) -> String {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => GB18030.decode_without_bom_handling(bytes).0,
    };
    text.replace('\0', "\u{fffd}")
}

/// Reads a data segment.
pub fn parse(bytes: &[u8]) -> Segment {
    let mut segment = Segment::default();
    if std::str::from_utf8(bytes).is_err() {
        segment.repair("text is not UTF-8");
    }
    let text = text_of(bytes);
    let (head, body) = match text.split_once("CP=&&") {
        Some((head, body)) => (head, body.strip_suffix("&&").unwrap_or(body)),
        None => (text.as_str(), ""),
    };
    segment.fields = segment.pairs(head, &[';']);
    segment.items = segment.pairs(body, &[';', ',']);
    segment
}

impl Segment {
    /// A field before the data area, whatever the case of its name.
    pub fn field(&self, name: &str) -> Option<&str> {
        find(&self.fields, name)
    }

    /// A value of the data area that has no code, like `DataTime`.
    pub fn item(&self, name: &str) -> Option<&str> {
        find(&self.items, name)
    }

    /// The values of the data area by code, in the order they came.
    pub fn groups(&self) -> Vec<Item> {
        let mut groups: Vec<Item> = Vec::new();
        for (key, value) in &self.items {
            let Some((code, suffix)) = key.split_once('-') else { continue };
            let known = SUFFIXES.iter().find(|known| known.eq_ignore_ascii_case(suffix));
            let suffix = known.map_or(suffix, |known| known).to_owned();
            match groups.iter_mut().find(|group| group.code == code) {
                Some(group) => group.values.push((suffix, value.clone())),
                None => groups.push(Item { code: code.to_owned(), values: vec![(suffix, value.clone())] }),
            }
        }
        groups
    }

    fn pairs(&mut self, text: &str, separators: &[char]) -> Vec<(String, String)> {
        let mut pairs = Vec::new();
        for part in text.trim_end_matches(';').split(separators) {
            let trimmed = part.trim();
            if trimmed.len() != part.len() {
                self.repair("blanks");
            }
            match trimmed.split_once('=') {
                Some((key, value)) => pairs.push((key.trim().to_owned(), value.trim().to_owned())),
                None if trimmed.is_empty() => {}
                None => self.repair("text without ="),
            }
        }
        pairs
    }

    fn repair(&mut self, what: &'static str) {
        if !self.repairs.contains(&what) {
            self.repairs.push(what);
        }
    }
}

fn find<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    pairs.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_grouped_by_code_whatever_separates_them() {
        let segment = parse(b"ST=32;cn=2011;MN=A1;CP=&&DataTime=20260101000000;w01018-Rtd=2.2,w01018-Flag=N;w01001-Rtd=7.1;&&");
        assert_eq!(segment.field("CN"), Some("2011"));
        assert_eq!(segment.item("DataTime"), Some("20260101000000"));
        let groups = segment.groups();
        assert_eq!(groups.len(), 2);
        assert_eq!(groups[0].values, [("Rtd".into(), "2.2".into()), ("Flag".into(), "N".into())]);
        assert!(segment.repairs.is_empty());
    }

    #[test]
    fn blanks_and_cases_are_repaired_and_told() {
        let segment = parse(b"MN=A1; CN=2011;CP=&&DataTime=20260101000000; a21026-rtd = 1.0&&");
        assert_eq!(segment.groups()[0].values, [("Rtd".into(), "1.0".into())]);
        assert_eq!(segment.repairs, ["blanks"]);
    }

    #[test]
    fn gbk_text_is_read_and_told() {
        let (gbk, ..) = GB18030.encode("MN=1;CP=&&i11001-Info=//维护//&&");
        let segment = parse(&gbk);
        assert_eq!(segment.groups()[0].values[0].1, "//维护//");
        assert_eq!(segment.repairs, ["text is not UTF-8"]);
    }

    #[test]
    fn a_segment_without_data_area_has_no_values() {
        assert!(parse(b"ST=91;CN=9014;CP=&&&&").groups().is_empty());
        assert!(parse(b"").groups().is_empty());
        assert!(parse(b"=;=;&&").groups().is_empty());
    }
}
