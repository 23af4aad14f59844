//! The tables of the environmental protection tax: pollution equivalents, those of pH, rates and exemptions.
//!
//! All are data with dates: a new edition or rate is a row more, and the end
//! date of the row before it. The day that begins a month decides.

use std::sync::LazyLock;

use chrono::NaiveDate;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use crate::factors::read_table;

/// The mass of one pollution equivalent of a tax item.
#[derive(Debug, Clone, Deserialize)]
pub struct Equivalent {
    /// HJ 212-2017 factor code; absent for an item without one, which a monitor's `tax_item` names.
    pub factor: Option<String>,
    /// The item's word, as a monitor's `tax_item` may say it.
    pub tax_item: String,
    /// The item in Chinese, as the form has it; a monitor's `tax_item` may say this, too.
    pub name_zh: String,
    /// `air`, `water_1` or `water_2`.
    pub tax_class: String,
    /// Kilograms of one equivalent.
    pub equivalent_kg: f64,
    /// Whether the factor is this item where its monitor names none.
    pub by_default: bool,
    /// A group of items of which an outlet's greatest alone is taxed.
    pub taxed_once: Option<String>,
    /// First day in force.
    #[serde(deserialize_with = "date")]
    pub valid_from: NaiveDate,
    /// Last day in force; absent: open.
    #[serde(deserialize_with = "date_or_none")]
    pub valid_to: Option<NaiveDate>,
    /// The clause it comes from.
    pub clause: String,
    /// How it is known: `seed`, `standard`, `recall` or `default`.
    pub mark: String,
}

/// What an equivalent costs.
#[derive(Debug, Clone, Deserialize)]
pub struct TaxRate {
    /// `air` or `water`.
    pub medium: String,
    /// Factor code; absent: every other factor of the medium.
    pub factor: Option<String>,
    /// Yuan per equivalent.
    pub rate: f64,
    /// First day in force.
    #[serde(deserialize_with = "date")]
    pub valid_from: NaiveDate,
    /// Last day in force; absent: open.
    #[serde(deserialize_with = "date_or_none")]
    pub valid_to: Option<NaiveDate>,
    /// The clause it comes from.
    pub clause: String,
    /// How it is known: `seed`, `standard`, `recall` or `default`.
    pub mark: String,
}

/// The waste water of one pollution equivalent, by pH.
#[derive(Debug, Clone, Deserialize)]
pub struct PhEquivalent {
    /// Lower end of the band.
    pub ph_from: f64,
    /// Upper end of the band.
    pub ph_to: f64,
    /// Which end belongs to the band: `from` or `to`.
    pub holds: String,
    /// Tonnes of waste water of one equivalent.
    pub water_t: f64,
    /// First day in force.
    #[serde(deserialize_with = "date")]
    pub valid_from: NaiveDate,
    /// Last day in force; absent: open.
    #[serde(deserialize_with = "date_or_none")]
    pub valid_to: Option<NaiveDate>,
    /// The clause it comes from.
    pub clause: String,
    /// How it is known: `seed`, `standard`, `recall` or `default`.
    pub mark: String,
}

/// An industry whose plants pay nothing while within limits.
#[derive(Debug, Clone, Deserialize)]
pub struct TaxExemption {
    /// Code of GB/T 4754 with the letter of its section.
    pub industry: String,
    /// English name.
    pub name_en: String,
    /// Chinese name.
    pub name_zh: String,
    /// First day in force.
    #[serde(deserialize_with = "date")]
    pub valid_from: NaiveDate,
    /// Last day in force; absent: open.
    #[serde(deserialize_with = "date_or_none")]
    pub valid_to: Option<NaiveDate>,
    /// The clause it comes from.
    pub clause: String,
    /// How it is known: `seed`, `standard`, `recall` or `default`.
    pub mark: String,
}

fn date<'de, D: Deserializer<'de>>(deserializer: D) -> Result<NaiveDate, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
}

fn date_or_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<NaiveDate>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    text.map(|text| text.parse().map_err(D::Error::custom)).transpose()
}

static EQUIVALENTS: LazyLock<Vec<Equivalent>> =
    LazyLock::new(|| read_table(include_str!("../tables/pollution_equivalents.csv")));

static TAX_RATES: LazyLock<Vec<TaxRate>> =
    LazyLock::new(|| read_table(include_str!("../tables/tax_rates.csv")));

static PH_EQUIVALENTS: LazyLock<Vec<PhEquivalent>> =
    LazyLock::new(|| read_table(include_str!("../tables/ph_equivalents.csv")));

static TAX_EXEMPTIONS: LazyLock<Vec<TaxExemption>> =
    LazyLock::new(|| read_table(include_str!("../tables/tax_exemptions.csv")));

/// Every band of pH, from the most acid on.
pub fn ph_equivalents() -> &'static [PhEquivalent] {
    &PH_EQUIVALENTS
}

/// Every exemption.
pub fn tax_exemptions() -> &'static [TaxExemption] {
    &TAX_EXEMPTIONS
}

/// Every pollution equivalent.
pub fn equivalents() -> &'static [Equivalent] {
    &EQUIVALENTS
}

/// Every rate.
pub fn tax_rates() -> &'static [TaxRate] {
    &TAX_RATES
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::factors::factor;

    const MARKS: [&str; 4] = ["seed", "standard", "recall", "default"];

    /// The first pair of rows that speak of the same thing on the same day.
    fn overlap<T>(rows: &[T], same: impl Fn(&T, &T) -> bool, dates: fn(&T) -> Dates) -> Option<(&T, &T)> {
        let pairs =
            rows.iter().enumerate().flat_map(|(at, one)| rows[..at].iter().map(move |other| (other, one)));
        pairs.into_iter().find(|(one, other)| {
            let ((a, until_a), (b, until_b)) = (dates(one), dates(other));
            same(one, other) && until_b.is_none_or(|end| a <= end) && until_a.is_none_or(|end| b <= end)
        })
    }

    type Dates = (NaiveDate, Option<NaiveDate>);

    #[test]
    fn every_row_of_the_tables_is_read_and_has_clause_and_mark() {
        let lines = |text: &str| text.lines().count() - 1;
        assert_eq!(equivalents().len(), lines(include_str!("../tables/pollution_equivalents.csv")));
        assert_eq!(tax_rates().len(), lines(include_str!("../tables/tax_rates.csv")));
        for row in equivalents() {
            assert!(row.equivalent_kg > 0.0 && !row.clause.is_empty() && MARKS.contains(&row.mark.as_str()));
            assert!(["air", "water_1", "water_2"].contains(&row.tax_class.as_str()), "{row:?}");
        }
        for row in tax_rates() {
            assert!(
                row.rate > 0.0 && !row.clause.is_empty() && MARKS.contains(&row.mark.as_str()),
                "{row:?}"
            );
            assert!(["air", "water"].contains(&row.medium.as_str()), "{row:?}");
        }
    }

    #[test]
    fn bands_of_ph_leave_six_to_nine_and_cost_more_the_farther_they_are() {
        let bands = ph_equivalents();
        let lines = |text: &str| text.lines().count() - 1;
        assert_eq!(bands.len(), lines(include_str!("../tables/ph_equivalents.csv")));
        assert_eq!(tax_exemptions().len(), lines(include_str!("../tables/tax_exemptions.csv")));
        for band in bands {
            assert!(band.water_t > 0.0 && MARKS.contains(&band.mark.as_str()) && !band.clause.is_empty());
            assert_eq!(band.ph_from + 1.0, band.ph_to);
            assert_eq!(band.holds, if band.ph_to <= 6.0 { "from" } else { "to" });
            // The band as far on the other side of the neutral middle, where there is one, costs the same.
            let mirrored = bands.iter().find(|other| other.ph_from == 14.0 - band.ph_to);
            assert!(mirrored.is_none_or(|other| other.water_t == band.water_t), "{band:?}");
            let within = |other: &&PhEquivalent| {
                (other.ph_to <= 6.0) == (band.ph_to <= 6.0)
                    && (other.ph_from - 7.0).abs() < (band.ph_from - 7.0).abs()
            };
            assert!(bands.iter().filter(within).all(|other| other.water_t > band.water_t), "{band:?}");
        }
        assert!(bands.iter().all(|band| band.ph_to <= 6.0 || band.ph_from >= 9.0));
    }

    #[test]
    fn every_code_is_a_factor_of_the_class_s_medium_that_has_a_mass() {
        let equivalents =
            equivalents().iter().filter_map(|e| Some((e.factor.as_deref()?, e.tax_class.as_str())));
        let rates = tax_rates().iter().filter_map(|r| Some((r.factor.as_deref()?, r.medium.as_str())));
        for (code, class) in equivalents.chain(rates) {
            assert!(factor(code).is_some_and(|f| f.total_unit.is_some()), "{code}");
            assert_eq!(code.starts_with('a'), class == "air", "{code}");
        }
    }

    #[test]
    fn no_two_rows_speak_of_the_same_on_the_same_day() {
        let item = |a: &Equivalent, b: &Equivalent| {
            let is_same_code = a.factor.is_some() && a.factor == b.factor;
            let is_same_class = a.tax_class.get(..3) == b.tax_class.get(..3);
            (is_same_code && a.by_default && b.by_default)
                || (a.factor == b.factor && is_same_class && a.tax_item == b.tax_item)
        };
        assert!(overlap(equivalents(), item, |row| (row.valid_from, row.valid_to)).is_none());
        let rate = |a: &TaxRate, b: &TaxRate| a.medium == b.medium && a.factor == b.factor;
        assert!(overlap(tax_rates(), rate, |row| (row.valid_from, row.valid_to)).is_none());
    }

    #[test]
    fn neither_total_nitrogen_nor_non_methane_hydrocarbons_are_taxed() {
        for code in ["w21001", "a24088"] {
            assert!(equivalents().iter().all(|e| e.factor.as_deref() != Some(code)));
        }
    }
}
