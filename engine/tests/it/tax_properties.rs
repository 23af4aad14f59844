//! What holds of every tax, whatever was emitted: by random enterprises, outlets, limits and hours.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;

use plume_engine::session::Session;
use proptest::prelude::*;
use tempfile::tempdir;

use super::dice::Dice;
use super::{cases, land_csv, rows_of, session};

const AIR: [&str; 9] =
    ["a21026", "a21002", "a34013", "a21005", "a21024", "a21018", "a21001", "a24088", "a24087"];
const WATER: [&str; 14] = [
    "w01018", "w01017", "w01020", "w21003", "w21011", "w21001", "w01012", "w20111", "w20115", "w20116",
    "w20117", "w20119", "w20120", "w20121",
];
/// Total nitrogen, hydrocarbons and those without methane: in no row of the tax table.
const UNTAXED: [&str; 3] = ["w21001", "a24088", "a24087"];
/// What is taxed once.
const OXYGEN_DEMAND: [&str; 3] = ["w01018", "w01017", "w01020"];
const OUTLETS: [&str; 4] = ["A", "B", "C", "D"];

/// A store with a month of taxes.
struct Taxed {
    session: Session,
    series: Vec<(&'static str, &'static str, f64)>,
}

/// A row of the declaration.
#[derive(Debug, Clone)]
struct Tax {
    payer: String,
    class: String,
    mass_kg: Option<f64>,
    equivalents: Option<f64>,
    rank: Option<usize>,
    taxable: bool,
    exceed_count: u32,
    reduction_pct: u32,
    cents: Option<i64>,
}

type Declaration = BTreeMap<(String, String), Tax>;

impl Taxed {
    /// Two enterprises and an outlet of nobody; 30 hours over two days, some of them spoilt, some below 0.
    async fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let mut outlets = "mn,enterprise_id,since\n".to_owned();
        let mut hourly = "mn,factor,ts,value,flag\n".to_owned();
        let mut series = Vec::new();
        for mn in &OUTLETS[..2 + dice.below(3)] {
            if *mn != "D" {
                writeln!(outlets, "{mn},{},2026-01-05", dice.pick(&["E1", "E1", "E2"])).unwrap();
            }
            let (flow, mut factors) = match dice.one_in(2) {
                true => ("a00000", AIR.to_vec()),
                false => ("w00000", WATER.to_vec()),
            };
            dice.shuffle(&mut factors);
            factors.truncate(3 + dice.below(10));
            hours(&mut hourly, (mn, flow), 5.0 + dice.below(20) as f64, &mut dice);
            for factor in factors {
                // So small that a tax is now and then a few cents, or below 0 throughout.
                let level = dice.pick(&[-1.0, 0.0, 0.02, 1.0, 30.0, 400.0]) * (1.0 + dice.below(7) as f64);
                hours(&mut hourly, (mn, factor), level, &mut dice);
                series.push((*mn, factor, level));
            }
        }
        let taxed = Self { session: session("memory://").await, series };
        taxed.land("outlets", &outlets).await;
        taxed.land("hourly", &hourly).await;
        taxed
    }

    async fn land(&self, table: &str, text: &str) {
        let folder = tempdir().unwrap();
        let counts = land_csv(&self.session, folder.path(), "rows.csv", table, text).await.counts;
        assert_eq!(counts.rejected, 0, "{table}");
    }

    /// Limits of every series, as multiples of what most of its hours are; none where NaN.
    async fn limit(&self, mut times: impl FnMut() -> f64) {
        let mut monitors = "mn,factor,limit_hour,limit_day,limit_basis\n".to_owned();
        for (mn, factor, level) in &self.series {
            let limit = level.abs().max(0.01) * times();
            let text = if limit.is_nan() { String::new() } else { limit.to_string() };
            writeln!(monitors, "{mn},{factor},{text},{text},value").unwrap();
        }
        self.land("monitors", &monitors).await;
    }

    async fn declaration(&self) -> Declaration {
        let sql = "SELECT mn, factor, coalesce(enterprise_id, mn), coalesce(tax_class, ''), mass_kg, equivalents, \"rank\", \
                   taxable, exceed_count, reduction_pct, tax_cny FROM tax_declaration('2026-01')";
        let rows = rows_of(&self.session, sql).await;
        let tax = |row: Vec<String>| {
            let there = |at: usize| (row[at] != "NULL").then(|| row[at].as_str());
            let tax = Tax {
                payer: row[2].clone(),
                class: row[3].clone(),
                mass_kg: there(4).map(|text| text.parse().unwrap()),
                equivalents: there(5).map(|text| text.parse().unwrap()),
                rank: there(6).map(|text| text.parse().unwrap()),
                taxable: row[7] == "true",
                exceed_count: row[8].parse().unwrap(),
                reduction_pct: row[9].parse().unwrap(),
                cents: there(10).map(|text| text.replace('.', "").parse().unwrap()),
            };
            ((row[0].clone(), row[1].clone()), tax)
        };
        rows.into_iter().map(tax).collect()
    }
}

fn hours(rows: &mut String, (mn, factor): (&str, &str), level: f64, dice: &mut Dice) {
    let spoilt = dice.pick(&[1, 3, 20, 1000]);
    for hour in 0..30 {
        let flag = if dice.one_in(spoilt) && hour % 2 == 0 { 'D' } else { 'N' };
        let value = level * (0.6 + dice.below(500) as f64 / 1000.0);
        writeln!(rows, "{mn},{factor},2026-01-{:02} {:02}:00:00,{value},{flag}", 5 + hour / 24, hour % 24)
            .unwrap();
    }
}

/// The rows of each outlet and class of the table, those with a place.
fn ranked(declared: &Declaration) -> HashMap<(&str, &str), Vec<&Tax>> {
    let mut ranked: HashMap<(&str, &str), Vec<&Tax>> = HashMap::new();
    for ((mn, _), tax) in declared.iter().filter(|(_, tax)| tax.rank.is_some()) {
        ranked.entry((mn, &tax.class)).or_default().push(tax);
    }
    ranked
}

async fn check_amounts(seed: u64) -> Result<(), TestCaseError> {
    let taxed = Taxed::new(seed).await;
    for ((mn, factor), tax) in taxed.declaration().await {
        prop_assert_eq!(tax.cents.is_none(), tax.mass_kg.is_none(), "{} {} {:?}", mn, factor, tax);
        prop_assert!(tax.cents.is_none_or(|cents| cents >= 0), "{mn} {factor}: {tax:?}");
        prop_assert!(tax.mass_kg.is_none_or(|kg| kg >= 0.0), "{mn} {factor}: {tax:?}");
        prop_assert!(tax.taxable || tax.cents.is_none_or(|cents| cents == 0), "{mn} {factor}: {tax:?}");
    }
    Ok(())
}

/// No limit, no reduction; limits far above everything, the greatest; others, something between.
async fn check_reductions(seed: u64) -> Result<(), TestCaseError> {
    let taxed = Taxed::new(seed).await;
    let mut dice = Dice::new(!seed);
    let unreduced = taxed.declaration().await;
    taxed.limit(|| dice.pick(&[f64::NAN, 1.0, 1.15, 1.3, 2.5, 4.0])).await;
    let some = taxed.declaration().await;
    taxed.limit(|| 100.0).await;
    let most = taxed.declaration().await;
    let exceeding: Vec<&str> =
        some.values().filter(|t| t.exceed_count > 0).map(|t| t.payer.as_str()).collect();
    for (key, tax) in &some {
        let (full, least) = (&unreduced[key], &most[key]);
        let what = format!("{key:?} {full:?} {tax:?} {least:?}");
        prop_assert_eq!(full.reduction_pct, 0, "{}", what);
        prop_assert!(matches!(tax.reduction_pct, 0 | 25 | 50), "{what}");
        prop_assert!(tax.reduction_pct == 0 || !exceeding.contains(&tax.payer.as_str()), "{what}");
        let (Some(full), Some(cents), Some(least)) = (full.cents, tax.cents, least.cents) else { continue };
        prop_assert!(least <= cents && cents <= full, "{what}");
        // A quarter less of three cents is two; of less it may round up again.
        prop_assert!(tax.reduction_pct == 0 || full < 3 || cents < full, "{what}");
        // A cent is rounded before and after.
        let due = full * i64::from(100 - tax.reduction_pct);
        prop_assert!((cents * 100 - due).abs() <= 100, "{what}");
    }
    Ok(())
}

async fn check_places(seed: u64) -> Result<(), TestCaseError> {
    let taxed = Taxed::new(seed).await;
    let declared = taxed.declaration().await;
    for ((mn, class), mut rows) in ranked(&declared) {
        rows.sort_by_key(|tax| tax.rank);
        let most = if class == "water_1" { 5 } else { 3 };
        for (place, tax) in rows.iter().enumerate() {
            prop_assert_eq!(tax.rank, Some(place + 1), "{} {}: {:?}", mn, class, rows);
            prop_assert_eq!(tax.taxable, place < most, "{} {}: {:?}", mn, class, rows);
        }
        let falls = rows.is_sorted_by(|a, b| a.equivalents >= b.equivalents.map(|least| least - 1e-9));
        prop_assert!(falls, "{mn} {class}: {rows:?}");
    }
    let unranked = declared.values().filter(|tax| tax.rank.is_none());
    prop_assert!(unranked.clone().all(|tax| !tax.taxable), "{:?}", unranked.collect::<Vec<_>>());
    Ok(())
}

async fn check_untaxed(seed: u64) -> Result<(), TestCaseError> {
    let taxed = Taxed::new(seed).await;
    for (key, tax) in
        taxed.declaration().await.iter().filter(|((_, factor), _)| UNTAXED.contains(&factor.as_str()))
    {
        prop_assert!(!tax.taxable && tax.rank.is_none() && tax.class.is_empty(), "{key:?} {tax:?}");
        prop_assert_eq!(tax.cents, tax.mass_kg.map(|_| 0), "{:?} {:?}", key, tax);
    }
    Ok(())
}

/// Of one outlet the demand of oxygen with most equivalents has a place, and no other.
async fn check_oxygen_demand(seed: u64) -> Result<(), TestCaseError> {
    let taxed = Taxed::new(seed).await;
    let declared = taxed.declaration().await;
    for mn in OUTLETS {
        let of_outlet: Vec<&Tax> = declared
            .iter()
            .filter(|((of, factor), _)| of == mn && OXYGEN_DEMAND.contains(&factor.as_str()))
            .filter_map(|(_, tax)| tax.mass_kg.map(|_| tax))
            .collect();
        let with_place: Vec<&&Tax> = of_outlet.iter().filter(|tax| tax.rank.is_some()).collect();
        prop_assert_eq!(with_place.len(), usize::from(!of_outlet.is_empty()), "{} {:?}", mn, of_outlet);
        let most =
            |tax: &&Tax| of_outlet.iter().all(|other| tax.equivalents >= other.equivalents.map(|n| n - 1e-9));
        prop_assert!(with_place.iter().all(|tax| most(tax)), "{mn} {of_outlet:?}");
    }
    Ok(())
}

proptest! {
    #![proptest_config(cases(12))]

    #[test]
    fn no_tax_is_negative_and_none_is_known_of_an_unknown_mass(seed in any::<u64>()) {
        crate::fuzz::block_on(check_amounts(seed))?;
    }

    #[test]
    fn a_reduction_lowers_the_tax_and_nobody_above_a_limit_has_one(seed in any::<u64>()) {
        crate::fuzz::block_on(check_reductions(seed))?;
    }

    #[test]
    fn the_first_by_equivalents_are_taxed_and_no_more(seed in any::<u64>()) {
        crate::fuzz::block_on(check_places(seed))?;
    }

    #[test]
    fn total_nitrogen_and_hydrocarbons_are_never_taxed(seed in any::<u64>()) {
        crate::fuzz::block_on(check_untaxed(seed))?;
    }

    #[test]
    fn oxygen_demand_is_taxed_once(seed in any::<u64>()) {
        crate::fuzz::block_on(check_oxygen_demand(seed))?;
    }
}
