//! P35 `duplicate_identity` (一机多源): two devices send under one id.
//!
//! Mechanism: a second box, fed with better figures, sends under the id of the real one, or the id
//! was copied to a simulator. Packets of one id then come from two addresses at the same time.
//!
//! Formula: on a day two addresses are at it together where each sends at least `share` of the day's packets
//! and the spans from first to last packet of both overlap by `overlap_hours` or more. Such a day
//! counts where it also holds more packets than one device sends: `excess` above the
//! usual of days with one address. Score: days in a row of one pair of addresses, `suspect` → 0.5,
//! `certain` → 1; days without peers on record say nothing.
//!
//! Excused: a backup line or NAT, where packets take one way or the other and are no more than usual; an
//! address that changed during the day (spans touch, or overlap for less than `overlap_hours`); a second address
//! with a few packets, a technician's laptop.
//!
//! Example: 1500 packets a day from 10.0.0.1; for 5 days 1500 from each of 10.0.0.1 and 10.9.9.9, all day: excess
//! (3000 − 1500) ÷ 1500 = 1, 5 days. With `suspect` 2 and `certain` 5 the score is 1.

use std::ops::Range;

use super::excess::finite;
use super::hit::{Evidence, Hit};
use super::outlet::{Outlet, PeerRecord};
use super::robust::median;
use super::score::score;
use super::segments::segments;
use super::thresholds::Thresholds;
use crate::time::{HOUR_US, day_of};

/// Looks for the pattern in an outlet; it stands on the first pollutant.
pub fn detect(outlet: &Outlet, thresholds: &Thresholds<'_>) -> Vec<Hit> {
    let Some(series) = outlet.pollutants().next().or_else(|| outlet.factors.first()) else {
        return Vec::new();
    };
    let threshold = |key| thresholds.of(&series.factor, outlet.hours.grain(), key);
    let overlap = (threshold("overlap_hours") * HOUR_US as f64) as i64;
    let days = duplicate_identity(&outlet.records.peers, threshold("share"), overlap);
    let alone = days.iter().map(|day| if day.pair.is_none() { day.packets } else { f64::NAN });
    let mut alone = finite(&alone.collect::<Vec<f64>>());
    // Where no day has one address alone nothing tells what one device sends.
    let usual = median(&mut alone);
    let counts = |day: &PeerDay| day.pair.is_some() && day.packets >= usual * (1.0 + threshold("excess"));
    let evidence: Vec<f64> = days.iter().map(|day| if counts(day) { 1.0 } else { -1.0 }).collect();
    let hit = |points: Range<usize>| {
        let inside = days.get(points).unwrap_or_default();
        let together: Vec<&PeerDay> = inside.iter().filter(|day| counts(day)).collect();
        let (first, last) = (together.first()?, together.last()?);
        let packets = median(&mut together.iter().map(|day| day.packets).collect::<Vec<f64>>());
        let (one, other) = first.pair.as_ref()?;
        Some(
            series.hit(
                first.span.start..last.span.end,
                score(together.len() as f64, threshold("suspect"), threshold("certain")),
                together.len(),
                Evidence::default()
                    .text("address", one)
                    .text("other_address", other)
                    .number("days", together.len() as f64)
                    .number("packets_a_day", packets)
                    .number("usual_packets_a_day", usual),
            ),
        )
    };
    segments(&evidence, 1.0).into_iter().filter_map(|segment| hit(segment.points)).collect()
}

/// From where an id was heard on a day.
#[derive(Debug, Clone, PartialEq)]
pub struct PeerDay {
    /// Packets of the day, from all addresses.
    pub packets: f64,
    /// The two addresses that sent most, where both were at it together.
    pub pair: Option<(String, String)>,
    /// While they were, µs.
    pub span: Range<i64>,
}

/// The days on which packets came, in order. `peers` are in order of time; two addresses are at it together
/// where each sends `share` of the packets and their spans overlap by `overlap` µs.
///
/// ```
/// use plume_udfs::patterns::duplicate_identity::duplicate_identity;
/// use plume_udfs::patterns::outlet::PeerRecord;
/// let peer = |peer: &str, span| PeerRecord { peer: peer.to_owned(), span, packets: 50 };
/// let days = duplicate_identity(&[peer("10.0.0.1", 0..90), peer("10.9.9.9", 10..80)], 0.2, 60);
/// assert_eq!(days[0].pair, Some(("10.0.0.1".to_owned(), "10.9.9.9".to_owned())));
/// assert_eq!((days[0].packets, days[0].span.clone()), (100.0, 10..80));
/// ```
pub fn duplicate_identity(peers: &[PeerRecord], share: f64, overlap: i64) -> Vec<PeerDay> {
    let mut of_days: Vec<&PeerRecord> = peers.iter().collect();
    of_days.sort_by(|a, b| {
        let key = |p: &PeerRecord| (day_of(p.span.start), std::cmp::Reverse(p.packets));
        key(a).cmp(&key(b)).then_with(|| a.peer.cmp(&b.peer))
    });
    let day = |day: &[&PeerRecord]| {
        let packets = day.iter().map(|peer| peer.packets as f64).sum::<f64>();
        let mut two = day.iter();
        let pair = two.next().zip(two.next()).and_then(|(one, other)| {
            let together = one.span.start.max(other.span.start)..one.span.end.min(other.span.end);
            let is_long = together.end.saturating_sub(together.start) >= overlap.max(1);
            (is_long && other.packets as f64 >= share * packets).then_some((one, other, together))
        });
        match pair {
            None => PeerDay { packets, pair: None, span: 0..0 },
            Some((one, other, span)) => {
                let names = if one.peer <= other.peer { (one, other) } else { (other, one) };
                PeerDay { packets, pair: Some((names.0.peer.clone(), names.1.peer.clone())), span }
            }
        }
    };
    of_days.chunk_by(|a, b| day_of(a.span.start) == day_of(b.span.start)).map(day).collect()
}

#[cfg(test)]
mod tests {
    use super::super::odd_records::{DEED, HALF_YEAR, survives};
    use super::super::survival::{found, hourly, stack};
    use super::*;
    use crate::time::DAY_US;

    const PATTERN: &str = "duplicate_identity";

    /// Peers of half a year: on each day those that `of_day` tells: address, hours, packets.
    fn outlet(of_day: impl Fn(i64) -> Vec<(&'static str, Range<i64>, usize)>) -> Outlet {
        let mut outlet = hourly(stack(1, HALF_YEAR));
        let days = 0..HALF_YEAR as i64 / 24;
        outlet.records.peers = days
            .flat_map(|day| {
                let peer = move |(peer, hours, packets): (&str, Range<i64>, usize)| PeerRecord {
                    peer: peer.to_owned(),
                    span: day * DAY_US + hours.start * HOUR_US..day * DAY_US + hours.end * HOUR_US - 1,
                    packets,
                };
                of_day(day).into_iter().map(peer)
            })
            .collect();
        outlet
    }

    #[test]
    fn a_second_device_is_found_at_every_strength() {
        for packets in [150, 700, 1500] {
            let outlet = outlet(|day| {
                let mut peers = vec![("10.0.0.1", 0..24, 1500)];
                if DEED.contains(&(day as usize * 24)) {
                    peers.push(("10.9.9.9", 0..24, packets));
                }
                peers
            });
            let hits = found(PATTERN, detect, &outlet);
            // Days 63 to 122: the first whose hour 0 is within the deed starts at hour 1512, the last ends at 2952.
            assert_eq!((hits.len(), hits[0].started, hits[0].rows), (1, 1512 * HOUR_US, 60), "{packets}");
            assert_eq!(hits[0].ended, 2952 * HOUR_US - 1);
        }
    }

    #[test]
    fn a_backup_line_is_not() {
        let backup = outlet(|day| match day % 3 {
            0 => vec![("10.0.0.1", 0..24, 900), ("10.9.9.9", 5..20, 600)],
            _ => vec![("10.0.0.1", 0..24, 1500)],
        });
        assert_eq!(found(PATTERN, detect, &backup), []);
        let moved =
            outlet(
                |day| {
                    if day < 90 { vec![("10.0.0.1", 0..24, 1500)] } else { vec![("10.9.9.9", 0..24, 1500)] }
                },
            );
        assert_eq!(found(PATTERN, detect, &moved), []);
    }

    #[test]
    fn odd_outlets() {
        survives(PATTERN, detect);
    }
}
