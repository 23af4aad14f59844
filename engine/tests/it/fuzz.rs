//! The parsers under inputs nobody would send on purpose: packets of HJ 212 and CSV files,
//! made from parts, then spoilt; and a corpus that is kept (`engine/tests/corpus`).

mod corpus;
mod packets;
mod tables;

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use plume_engine::ingest::hj212::frame::{CrcDialect, Found, Framer, Verdict};
use plume_engine::ingest::hj212::segment;
use plume_engine::ingest::map::Map;
use plume_engine::ingest::{Counts, Format, IngestRequest, Report, ingest};
use plume_engine::session::Session;
use plume_engine::store::table_named;
use proptest::prelude::*;
use tempfile::tempdir;

use crate::dice::Dice;
use crate::{Silent, cases, rows_of, session};
use packets::{garbage, packet, parts, slow_scan};

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn packets_are_found_exactly_where_a_slow_scan_finds_them(seed in any::<u64>(), pieces in 1_usize..14) {
        check_framing(&stream(seed, pieces).0)?;
    }

    #[test]
    fn a_whole_packet_comes_out_once_whatever_stands_around_it(seed in any::<u64>(), pieces in 1_usize..14) {
        let (bytes, put_in) = stream(seed, pieces);
        let slow = slow_scan(&bytes);
        let framer = frames(bytes.as_slice(), CrcDialect::Hj);
        for (start, segment) in put_in {
            // Spoilt bytes before it may by chance be a whole packet that ends inside it.
            let (at, end) = (start as u64, (start + segment.len() + 10) as u64);
            let taken = |(from, other): &(u64, Vec<u8>)| {
                let to = *from + other.len() as u64 + 10;
                *from != at && *from < end && to > at
            };
            let times = framer.iter().filter(|f| f.offset == at && f.segment.as_ref() == Some(&segment)).count();
            prop_assert_eq!(times, usize::from(!slow.iter().any(taken)));
        }
    }

    #[test]
    fn random_bytes_frame_and_parse_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..3000)) {
        check_framing(&bytes)?;
        segment::parse(&bytes).groups();
    }

    #[test]
    fn a_segment_gives_back_the_parts_it_was_made_of(seed in any::<u64>()) {
        let mut dice = Dice::new(seed);
        let parts = parts(&mut dice, 7);
        let bytes = packets::segment(&parts, &mut dice);
        let read = segment::parse(&bytes);
        prop_assert_eq!(read.field("MN"), Some(parts.mn.as_str()));
        prop_assert_eq!(read.field("CN"), Some(parts.cn));
        prop_assert_eq!(read.field("QN"), Some(parts.qn.as_str()));
        prop_assert_eq!(read.item("DataTime"), Some(parts.time.0.as_str()));
        let suffix = if parts.cn == "2011" { "Rtd" } else { "Avg" };
        let mut due = Vec::new();
        for item in &parts.items {
            let mut values = vec![(suffix.to_owned(), item.value.to_string())];
            values.extend(item.total.map(|total| ("Cou".to_owned(), total.to_string())));
            values.push(("Flag".to_owned(), item.flag.to_string()));
            due.push((item.factor.to_owned(), values));
        }
        let got: Vec<_> = read.groups().into_iter().map(|group| (group.code, group.values)).collect();
        prop_assert_eq!(got, due);
        // Whatever is done to the bytes, reading them ends.
        let mut spoilt = bytes;
        packets::flip(&mut spoilt, &mut dice);
        segment::parse(&spoilt).groups();
    }
}

proptest! {
    #![proptest_config(cases(24))]

    #[test]
    fn packets_land_as_the_rows_they_were_made_of(seed in any::<u64>(), count in 1_usize..12) {
        block_on(check_landed_packets(seed, count))?;
    }

    #[test]
    fn spoilt_packets_land_with_the_balance_kept(seed in any::<u64>(), pieces in 1_usize..10) {
        let bytes = stream(seed, pieces).0;
        block_on(check_any_bytes("packets", Format::Hj212, &bytes, &Map::default()))?;
    }
}

/// Pieces of a stream, one after another: whole packets, some twice, and garbage. With them
/// goes where the whole packets start and what they hold.
fn stream(seed: u64, pieces: usize) -> (Vec<u8>, Vec<(usize, Vec<u8>)>) {
    let mut dice = Dice::new(seed);
    let (mut bytes, mut put_in) = (Vec::new(), Vec::new());
    for number in 0..pieces {
        if dice.one_in(2) {
            bytes.extend(garbage(&mut dice, number));
            continue;
        }
        let parts = parts(&mut dice, number);
        let segment = packets::segment(&parts, &mut dice);
        for _ in 0..dice.pick(&[1, 1, 1, 2]) {
            put_in.push((bytes.len(), segment.clone()));
            bytes.extend(packet(&segment));
            bytes.extend(dice.pick(&["\r\n", "\r\n", "", "\n"]).as_bytes());
        }
    }
    (bytes, put_in)
}

/// Framing equals the slow scan, and is the same in whatever pieces the bytes come.
pub(crate) fn check_framing(bytes: &[u8]) -> Result<(), TestCaseError> {
    let at_once = frames(bytes, CrcDialect::Hj);
    let accepted: Vec<_> =
        at_once.iter().filter_map(|found| Some((found.offset, found.segment.clone()?))).collect();
    prop_assert_eq!(accepted, slow_scan(bytes));
    let mut behind = 0;
    for found in &at_once {
        // What is told apart stands in the stream, in order and without overlap.
        prop_assert!(found.offset >= behind);
        behind = found.offset + found.raw.len() as u64;
        let start = found.offset as usize;
        prop_assert_eq!(&bytes[start..start + found.raw.len()], found.raw.as_slice());
        prop_assert_eq!(found.segment.is_some(), found.verdict == Verdict::Ok);
    }
    let small = 7.max(bytes.len() / 200);
    for sizes in [&[small][..], &[1, 9, 10_009, 3], &[10_008, 1], &[65_535]] {
        let pieces = frames(Pieces { bytes, sizes: sizes.iter().cycle() }, CrcDialect::Hj);
        prop_assert_eq!(&pieces, &at_once, "in pieces of {:?}", sizes);
    }
    Ok(())
}

fn frames(input: impl Read, dialect: CrcDialect) -> Vec<Found> {
    let mut framer = Framer::new(input, dialect);
    std::iter::from_fn(|| framer.next_packet().unwrap()).collect()
}

/// Bytes that arrive in pieces of given sizes.
struct Pieces<'a> {
    bytes: &'a [u8],
    sizes: std::iter::Cycle<std::slice::Iter<'a, usize>>,
}

impl Read for Pieces<'_> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let size = (*self.sizes.next().unwrap()).min(out.len());
        let (now, later) = self.bytes.split_at(size.min(self.bytes.len()));
        out[..now.len()].copy_from_slice(now);
        self.bytes = later;
        Ok(now.len())
    }
}

/// Packets with spoilt ones between them bring their rows, a repeat none.
async fn check_landed_packets(seed: u64, count: usize) -> Result<(), TestCaseError> {
    let mut dice = Dice::new(seed);
    let (mut bytes, mut whole, mut repeated) = (Vec::new(), 0, 0);
    let mut due: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for number in 0..count {
        // A device's line noise has no mark of a packet.
        let noise: Vec<u8> = (0..dice.below(50)).map(|_| dice.bits() as u8).filter(|b| *b != b'#').collect();
        bytes.extend(noise);
        let parts = parts(&mut dice, number);
        let segment = packets::segment(&parts, &mut dice);
        whole += 1;
        bytes.extend(packet(&segment));
        if dice.one_in(4) {
            bytes.extend(packet(&segment));
            whole += 1;
            repeated += parts.items.len() as u64;
        }
        let table = match parts.cn {
            "2011" => "realtime",
            "2051" => "minute",
            "2061" => "hourly",
            _ => "daily",
        };
        for item in &parts.items {
            let total = item.total.map_or("NULL".to_owned(), |total| format!("{total:?}"));
            due.entry(table).or_default().push(format!(
                "{} {} {} {:?} {total} {} {}",
                parts.mn, item.factor, parts.time.1, item.value, item.flag, parts.qn
            ));
        }
    }
    let folder = tempdir().unwrap();
    let session = session("memory://").await;
    let path = folder.path().join("a.hj212");
    std::fs::write(&path, &bytes).unwrap();
    let report = try_land(&session, "packets", Format::Hj212, &path, &Map::default()).await.unwrap();
    let packets = Counts { read: whole, landed: whole, ..Counts::default() };
    prop_assert_eq!(report.counts, packets);
    for counts in report.tables.values() {
        prop_assert_eq!((counts.read, counts.rejected), (counts.landed + counts.duplicate, 0));
    }
    prop_assert_eq!(report.tables.values().map(|counts| counts.duplicate).sum::<u64>(), repeated);
    for table in ["realtime", "minute", "hourly", "daily"] {
        let sql = format!("SELECT mn, factor, ts, value, total, flag, qn FROM {table}");
        let mut got: Vec<String> = rows_of(&session, &sql).await.iter().map(|row| row.join(" ")).collect();
        let mut due = due.remove(table).unwrap_or_default();
        got.sort();
        due.sort();
        prop_assert_eq!(got, due, "{}", table);
    }
    Ok(())
}

/// Any bytes end in an error that leaves nothing behind, or in a report whose balance is
/// kept and whose rejects stand in their table.
pub(crate) async fn check_any_bytes(
    table: &str,
    format: Format,
    bytes: &[u8],
    map: &Map,
) -> Result<Option<Counts>, TestCaseError> {
    let folder = tempdir().unwrap();
    let session = session("memory://").await;
    let path = folder.path().join("input");
    std::fs::write(&path, bytes).unwrap();
    let report = try_land(&session, table, format, &path, map).await;
    let count = async |table: &str| -> u64 {
        rows_of(&session, &format!("SELECT count(*) FROM {table}")).await[0][0].parse().unwrap()
    };
    let Ok(report) = report else {
        prop_assert_eq!((count(table).await, count("rejects").await), (0, 0));
        return Ok(None);
    };
    let mut rejected = 0;
    for (name, counts) in report.tables.iter().map(|(name, c)| (*name, c)).chain([(table, &report.counts)]) {
        prop_assert_eq!(counts.read, counts.landed + counts.duplicate + counts.rejected, "{}", name);
        prop_assert!(count(name).await <= counts.landed);
        prop_assert_eq!(count(name).await == 0, counts.landed == 0, "{}", name);
        rejected += counts.rejected;
    }
    prop_assert_eq!(count("rejects").await, rejected);
    Ok(Some(report.counts))
}

pub(crate) async fn try_land(
    session: &Session,
    table: &str,
    format: Format,
    path: &Path,
    map: &Map,
) -> plume_engine::Result<Report> {
    let request = IngestRequest {
        table: table_named(table).unwrap(),
        format: Some(format),
        map: map.clone(),
        strict: false,
        paths: vec![path.to_owned()],
    };
    ingest(session, &request, &Silent).await
}

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Runtime::new().unwrap().block_on(future)
}
