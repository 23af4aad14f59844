//! CSV: rows written in any lawful way come back; any bytes end in an error or a balance.

use std::collections::BTreeMap;

use encoding_rs::GB18030;
use plume_engine::ingest::map::Map;
use plume_engine::ingest::{Counts, Format};
use plume_engine::store::table_named;
use proptest::prelude::*;
use tempfile::tempdir;

use super::packets::flip;
use super::{block_on, check_any_bytes, try_land};
use crate::dice::Dice;
use crate::{cases, rows_of, session};

proptest! {
    #![proptest_config(cases(48))]

    #[test]
    fn a_table_written_in_any_way_comes_back_row_by_row(seed in any::<u64>(), count in 0_usize..60) {
        block_on(check_round_trip(seed, count))?;
    }

    #[test]
    fn a_spoilt_file_ends_in_an_error_or_with_the_balance_kept(seed in any::<u64>(), count in 0_usize..12) {
        let mut dice = Dice::new(seed);
        let mut bytes = written(&rows(&mut dice, count), &mut dice);
        if dice.one_in(8) {
            bytes = (0..dice.below(300)).map(|_| dice.bits() as u8).collect();
        }
        // Often the header stays whole, or nothing behind it would ever be read.
        let head = bytes.iter().position(|b| *b == b'\n').map_or(0, |at| at + 1) * dice.below(2);
        let mut tail = bytes.split_off(head);
        flip(&mut tail, &mut dice);
        bytes.extend(tail);
        let table = dice.pick(&["hourly", "hourly", "conditions", "enterprises", "packets"]);
        block_on(check_any_bytes(table, Format::Csv, &bytes, &Map::default()))?;
    }
}

/// A row as written and, unless it is to be rejected, as SQL shows it.
struct Row {
    written: [String; 7],
    due: Option<[String; 7]>,
}

const COLUMNS: [&str; 7] = ["mn", "factor", "ts", "value", "total", "flag", "eflag"];

/// Texts of numbers, and the number each means.
const NUMBERS: [(&str, Option<f64>); 13] = [
    ("1.5", Some(1.5)),
    ("-0.25", Some(-0.25)),
    ("+3", Some(3.0)),
    ("1e3", Some(1000.0)),
    ("2E-2", Some(0.02)),
    (".5", Some(0.5)),
    ("7.", Some(7.0)),
    (" 12 ", Some(12.0)),
    ("0.1", Some(0.1)),
    ("5e-324", Some(5e-324)),
    ("0.30000000000000004", Some(0.300_000_000_000_000_04)),
    ("123456789012", Some(123_456_789_012.0)),
    ("", None),
];
/// Texts that are no value of any instrument.
const NO_NUMBERS: [&str; 8] = ["x", "1,5", "NaN", "-inf", "1e999", "0x10", "--", "１"];
/// Times of one hour, as people and devices write them; all mean 2025-03-09 00:00 in Beijing.
const TIMES: [&str; 9] = [
    "2025-03-09 00:00:00",
    "2025-03-09T00:00:00",
    "2025-03-09 00:00",
    "2025-03-09",
    "2025-03-08 24:00:00",
    "20250309000000",
    "20250309000000000",
    "2025-03-08T16:00:00Z",
    "2025-03-08 15:00:00-01:00",
];
const NO_TIMES: [&str; 8] =
    ["", "2025-02-29 00:00:00", "20250230000000", "noon", "2025-03-09 25:00:00", "0", "1e3", "2025/03/09"];
/// Texts that quoting, encodings and SQL might trip over.
const TEXTS: [&str; 14] = [
    "",
    "校",
    "小学",
    "联通",
    "维护,\"停\"",
    "a,b",
    "\"",
    "two\nlines",
    "two\r\nlines",
    "'; DROP TABLE--",
    "%_",
    "€é",
    "𠮷",
    "NULL-",
];

fn rows(dice: &mut Dice, count: usize) -> Vec<Row> {
    (0..count).map(|number| row(dice, number)).collect()
}

/// A row of an outlet of its own, so that no row is a version of another.
fn row(dice: &mut Dice, number: usize) -> Row {
    let mn = format!("{}{number}", dice.pick(&["A", "站", "小", "a b", "#"]));
    let (factor, flag, eflag) =
        (dice.pick(&["a21026", "w01018"]), dice.pick(&["N", "D", "T", ""]), dice.pick(&TEXTS));
    let (value, total) = (dice.pick(&NUMBERS), dice.pick(&NUMBERS));
    let text = |text: &str| if text.is_empty() { "NULL".to_owned() } else { text.to_owned() };
    let float = |value: Option<f64>| value.map_or("NULL".to_owned(), |value| format!("{value:?}"));
    let mut row = Row {
        written: [mn.as_str(), factor, dice.pick(&TIMES), value.0, total.0, flag, eflag].map(str::to_owned),
        due: Some([
            mn,
            factor.to_owned(),
            "2025-03-09T00:00:00".to_owned(),
            float(value.1),
            float(total.1),
            text(flag),
            text(eflag),
        ]),
    };
    if dice.one_in(4) {
        let (column, wrong) = match dice.below(5) {
            0 => (1, dice.pick(&["", "a2102", "x21026", "a210266", "SO2"])),
            1 => (2, dice.pick(&NO_TIMES)),
            2 => (3, dice.pick(&NO_NUMBERS)),
            3 => (5, dice.pick(&["n", "NN", "X", "校"])),
            _ => (0, ""),
        };
        row.written[column] = wrong.to_owned();
        row.due = None;
    }
    row
}

/// Rows as a file: any order of columns, quoting, line end, encoding; columns nobody knows.
fn written(rows: &[Row], dice: &mut Dice) -> Vec<u8> {
    let mut order: Vec<usize> = (0..9).collect();
    dice.shuffle(&mut order);
    let quotes = [csv::QuoteStyle::Always, csv::QuoteStyle::Necessary, csv::QuoteStyle::NonNumeric];
    let terminators = [csv::Terminator::CRLF, csv::Terminator::Any(b'\n'), csv::Terminator::Any(b'\r')];
    let mut writer = csv::WriterBuilder::new()
        .quote_style(dice.pick(&quotes))
        .terminator(dice.pick(&terminators))
        .from_writer(Vec::new());
    let names = ["mn", "factor", "ts", "value", "total", "flag", "eflag", "备注", "unit"];
    writer.write_record(order.iter().map(|column| names[*column])).unwrap();
    for row in rows {
        let field = |column: &usize| row.written.get(*column).map_or("mg/m³", String::as_str);
        writer.write_record(order.iter().map(field)).unwrap();
    }
    let text = String::from_utf8(writer.into_inner().unwrap()).unwrap();
    match dice.below(4) {
        0 => GB18030.encode(&text).0.into_owned(),
        1 => format!("\u{feff}{text}").into_bytes(),
        2 => text.trim_end_matches(['\r', '\n']).to_owned().into_bytes(),
        _ => text.into_bytes(),
    }
}

async fn check_round_trip(seed: u64, count: usize) -> Result<(), TestCaseError> {
    let mut dice = Dice::new(seed);
    let rows = rows(&mut dice, count);
    let mut due: Vec<[String; 7]> = rows.iter().filter_map(|row| row.due.clone()).collect();
    let folder = tempdir().unwrap();
    let session = session("memory://").await;
    let path = folder.path().join("a.csv");
    std::fs::write(&path, written(&rows, &mut dice)).unwrap();
    let report = try_land(&session, "hourly", Format::Csv, &path, &Map::default()).await.unwrap();
    let landed = due.len() as u64;
    let counts = Counts { read: count as u64, landed, duplicate: 0, rejected: count as u64 - landed };
    prop_assert_eq!(report.counts, counts);
    let got = rows_of(&session, &format!("SELECT {} FROM hourly", COLUMNS.join(", "))).await;
    let mut got: Vec<[String; 7]> = got.into_iter().map(|row| row.try_into().unwrap()).collect();
    got.sort();
    due.sort();
    prop_assert_eq!(got, due);
    // The same file again, line ends or not, lands nothing.
    let again = try_land(&session, "hourly", Format::Csv, &path, &Map::default()).await.unwrap();
    prop_assert_eq!((again.counts.landed, again.counts.duplicate), (0, landed));
    Ok(())
}

#[test]
fn times_at_the_ends_of_the_calendar_are_rejected_or_land_but_never_panic() {
    let times = [
        "+262142-12-31 23:59:59+00:00",
        "-262143-01-01 00:00:00+14:00",
        "-262143-01-01",
        "+262142-12-31 24:00:00",
        "0000-01-01",
        "9999-12-31T23:59:59-23:59",
        "00000101000000",
        "99991231240000",
    ];
    for time in times {
        let text = format!("mn,factor,ts,value\nA,a21026,{time},1\n");
        let counts =
            block_on(check_any_bytes("hourly", Format::Csv, text.as_bytes(), &Map::default())).unwrap();
        assert_eq!(counts.unwrap().read, 1, "{time}");
    }
}

/// Three stations' values in columns: of the nine cells seven hold a number, one is empty
/// (no row) and one is none (rejected).
#[test]
fn the_balance_of_a_wide_file_counts_cells() {
    let folder = tempdir().unwrap();
    let map = folder.path().join("map.toml");
    let wide = "[wide]\nso2 = { factor = \"a21026\" }\nnox = { factor = \"a21002\" }\npm = { factor = \"a34013\" }\n";
    std::fs::write(&map, wide).unwrap();
    let map = Map::read(&map, table_named("hourly").unwrap()).unwrap();
    let text = "mn,ts,so2,nox,pm\nA,2025-03-09 00:00:00,1,2,3\nA,2025-03-09 01:00:00,4,,6\n\
                A,2025-03-09 02:00:00,7,8,x\n";
    let counts = block_on(check_any_bytes("hourly", Format::Csv, text.as_bytes(), &map)).unwrap();
    assert_eq!(counts, Some(Counts { read: 8, landed: 7, duplicate: 0, rejected: 1 }));
}

/// The names of columns, as a map from name to place, may stand twice: no panic, the balance kept.
#[test]
fn a_header_with_a_name_twice_or_without_names_ends_well() {
    let bodies = BTreeMap::from([
        ("mn,factor,ts,value,value\n", "A,a21026,2025-03-09,1,2\n"),
        (",,,\n", "A,a21026,2025-03-09,1\n"),
        ("mn,mn,factor,ts,value\n", "A,B,a21026,2025-03-09,1\n"),
        ("\u{feff}\u{feff}mn,factor,ts,value\n", "A,a21026,2025-03-09,1\n"),
        ("mn,factor,ts,value", ""),
        ("\n\n\r\n mn , factor,\"ts\",value\n", "\n\nA,a21026,2025-03-09,1\n\n"),
    ]);
    for (head, body) in bodies {
        let text = format!("{head}{body}");
        block_on(check_any_bytes("hourly", Format::Csv, text.as_bytes(), &Map::default())).unwrap();
    }
}

#[test]
fn a_reject_tells_its_line_whatever_ends_the_lines() {
    for end in ["\n", "\r\n", "\r"] {
        let lines =
            ["mn,factor,ts,value", "A,a21026,2025-03-09,x", "A,a21026,2025-03-09,1", "A,a21026,noon,1", ""];
        let folder = tempdir().unwrap();
        let path = folder.path().join("a.csv");
        std::fs::write(&path, lines.join(end)).unwrap();
        let positions = block_on(async {
            let session = session("memory://").await;
            try_land(&session, "hourly", Format::Csv, &path, &Map::default()).await.unwrap();
            rows_of(&session, "SELECT position FROM rejects ORDER BY position").await.concat()
        });
        let due = [2, 4].map(|line| format!("{}:{line}", path.display()));
        assert_eq!(positions, due, "{end:?}");
    }
}

/// A file sent tomorrow under today's name keeps today's rejects: both stand in the table.
#[test]
fn rejects_of_files_of_one_name_all_stand() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("a.csv");
    let rejects = block_on(async {
        let session = session("memory://").await;
        for value in ["x", "y"] {
            std::fs::write(&path, format!("mn,factor,ts,value\nA,a21026,2025-03-09,{value}\n")).unwrap();
            try_land(&session, "hourly", Format::Csv, &path, &Map::default()).await.unwrap();
        }
        rows_of(&session, "SELECT reason FROM rejects ORDER BY reason").await.concat()
    });
    assert_eq!(rejects, ["value 'x' is no number", "value 'y' is no number"]);
}
