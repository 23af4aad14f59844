//! The kept corpus: every file of it is read, and ends as `expected.txt` beside it says.
//! The same files seed a longer search, which a person starts (CONTRIBUTING.md).

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use plume_engine::ingest::hj212::frame::CrcDialect;
use plume_engine::ingest::hj212::segment;
use plume_engine::ingest::map::Map;
use plume_engine::ingest::{Counts, Format};
use proptest::prelude::*;
use tempfile::tempdir;

use super::packets::flip;
use super::{block_on, check_any_bytes, check_framing, frames, stream, try_land};
use crate::dice::Dice;
use crate::session;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(name)
}

/// The inputs of a folder by name.
fn inputs(name: &str) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(folder(name)).unwrap().map(|entry| entry.unwrap().path());
    let inputs = entries.filter(|path| !path.ends_with("expected.txt"));
    inputs
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), std::fs::read(path).unwrap()))
        .collect()
}

/// What is due of each input: `NAME: …`, a line each; what follows `#` tells why.
fn expected(name: &str) -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(folder(name).join("expected.txt")).unwrap();
    let lines =
        text.lines().map(|line| line.split('#').next().unwrap()).filter(|line| !line.trim().is_empty());
    lines.map(|line| line.split_once(':').unwrap()).map(|(n, due)| (n.into(), due.trim().into())).collect()
}

#[test]
fn every_csv_file_of_the_corpus_ends_as_expected() {
    let mut got = BTreeMap::new();
    for (name, bytes) in inputs("csv") {
        let counts = block_on(check_any_bytes("hourly", Format::Csv, &bytes, &Map::default()));
        let counts = counts.unwrap_or_else(|error| panic!("{name}: {error}"));
        got.insert(name, counts.map_or("error".to_owned(), told));
    }
    assert_eq!(got, expected("csv"));
}

#[test]
fn every_packet_file_of_the_corpus_ends_as_expected() {
    let mut got = BTreeMap::new();
    for (name, bytes) in inputs("hj212") {
        check_framing(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        let checked = block_on(check_any_bytes("packets", Format::Hj212, &bytes, &Map::default()));
        checked.unwrap_or_else(|error| panic!("{name}: {error}"));
        let accepted =
            frames(bytes.as_slice(), CrcDialect::Hj).iter().filter(|f| f.segment.is_some()).count();
        let values = block_on(values_of(&bytes));
        got.insert(name, format!("{accepted} accepted; values {values}"));
    }
    assert_eq!(got, expected("hj212"));
}

/// The rows of all tables that a file of packets brings values for.
async fn values_of(bytes: &[u8]) -> String {
    let folder = tempdir().unwrap();
    let path = folder.path().join("a.hj212");
    std::fs::write(&path, bytes).unwrap();
    let session = session("memory://").await;
    let report = try_land(&session, "packets", Format::Hj212, &path, &Map::default()).await.unwrap();
    told(report.tables.values().fold(Counts::default(), |sum, counts| Counts {
        read: sum.read + counts.read,
        landed: sum.landed + counts.landed,
        duplicate: sum.duplicate + counts.duplicate,
        rejected: sum.rejected + counts.rejected,
    }))
}

fn told(counts: Counts) -> String {
    let Counts { read, landed, duplicate, rejected } = counts;
    format!("{read} = {landed} + {duplicate} + {rejected}")
}

/// Mutates the corpus for `PLUME_FUZZ_SECONDS`; an input that behaves as none before joins
/// what is mutated; one that fails is written to Cargo's folder for tests.
#[test]
#[ignore = "a search that a person starts; see CONTRIBUTING.md"]
fn search_from_the_corpus() {
    let setting = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let (seconds, seed) =
        (setting("PLUME_FUZZ_SECONDS").unwrap_or(60), setting("PLUME_FUZZ_SEED").unwrap_or(1));
    let mut dice = Dice::new(seed);
    let mut failed = search("hj212", &mut dice, seconds / 2, |bytes| {
        check_framing(bytes)?;
        let mut seen = BTreeSet::new();
        for found in frames(bytes, CrcDialect::Off) {
            let parsed = found.segment.as_deref().map(segment::parse).unwrap_or_default();
            let items: usize = parsed.groups().iter().map(|group| group.values.len()).sum();
            let verdict = std::mem::discriminant(&found.verdict);
            seen.insert(format!("{verdict:?} {:?} {}", parsed.repairs, items.min(5)));
        }
        Ok(format!("{seen:?}"))
    });
    failed |= search("csv", &mut dice, seconds / 2, |bytes| {
        let counts = block_on(check_any_bytes("hourly", Format::Csv, bytes, &Map::default()))?;
        let few = |n: u64| n.min(3);
        let seen = counts.map(|c| (few(c.read), few(c.landed), few(c.duplicate), few(c.rejected)));
        Ok(format!("{seen:?}"))
    });
    assert!(!failed, "inputs that fail stand in {}", env!("CARGO_TARGET_TMPDIR"));
}

/// Whether some mutated input failed.
fn search(
    kind: &str,
    dice: &mut Dice,
    seconds: u64,
    check: impl Fn(&[u8]) -> Result<String, TestCaseError>,
) -> bool {
    let mut pool: Vec<Vec<u8>> = inputs(kind).into_values().collect();
    let (mut seen, mut tried, mut failures) = (BTreeSet::new(), 0_u64, 0);
    let end = Instant::now() + Duration::from_secs(seconds);
    while Instant::now() < end && failures < 20 {
        let mut bytes = pool[dice.below(pool.len())].clone();
        if kind == "hj212" && dice.one_in(4) {
            bytes.extend(stream(dice.bits(), 3).0);
        }
        if dice.one_in(4) {
            let other = &pool[dice.below(pool.len())];
            let (at, from) = (dice.below(bytes.len()), dice.below(other.len()));
            bytes.splice(at.., other[from..].iter().copied());
        }
        flip(&mut bytes, dice);
        tried += 1;
        let outcome = catch_unwind(AssertUnwindSafe(|| check(&bytes)));
        match outcome {
            Ok(Ok(behaviour)) => {
                if seen.insert(behaviour) && bytes.len() < 30_000 {
                    pool.push(bytes);
                }
            }
            failure => {
                failures += 1;
                let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("found-{failures}.{kind}"));
                std::fs::write(&path, &bytes).unwrap();
                let why = failure.map_or("panic".to_owned(), |result| format!("{:?}", result.err()));
                println!("{}: {why}", path.display());
            }
        }
    }
    println!("{kind}: {tried} inputs, {} behaviours, {failures} failures", seen.len());
    failures > 0
}
