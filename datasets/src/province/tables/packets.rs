//! Rows of `packets`: hourly data as HJ 212 packets, as received.

use arrow::array::RecordBatch;

use super::{Sent, batch, qn_of, texts, times};
use crate::province::ProvinceError;
use crate::province::process::rounded;
use crate::province::records::Line;
use crate::province::scene::{Clock, HOUR_US};

pub(super) fn packets(sent: &Sent<'_>) -> Result<RecordBatch, ProvinceError> {
    let mut lines: Vec<(i64, String, &str, String)> =
        sent.records.packets.iter().filter_map(|line| packet(sent, line)).collect();
    lines.sort();
    let rows = lines.len();
    batch(vec![
        ("received_at", times(lines.iter().map(|(received_at, ..)| *received_at).collect())),
        ("peer", texts(lines.iter().map(|(_, _, peer, _)| *peer))),
        ("qn", texts(lines.iter().map(|(_, qn, ..)| qn.as_str()))),
        ("mn", texts(vec![sent.mn; rows])),
        ("cn", texts(vec!["2061"; rows])),
        ("raw", texts(lines.iter().map(|(.., raw)| raw.as_str()))),
        ("verdict", texts(vec!["ok"; rows])),
        ("source", texts(vec!["synthetic"; rows])),
    ])
}

/// Receipt, id, peer and text of an hour's packet; none where the outlet is silent.
fn packet<'a>(sent: &Sent<'_>, line: &'a Line) -> Option<(i64, String, &'a str, String)> {
    let ts = Clock::of(sent.request).time(line.step);
    let received_at = ts + HOUR_US + line.after;
    let qn = qn_of(received_at - line.behind - 1_000_000);
    let items = items(sent, line);
    if items.is_empty() {
        return None;
    }
    let is_air = sent.process.oxygen().is_some();
    let st = if is_air { "31" } else { "32" };
    let time = qn_of(ts);
    let time = time.get(..14).unwrap_or_default();
    let mn = sent.mn;
    let data = format!(
        "QN={qn};ST={st};CN=2061;PW=123456;MN={mn};Flag=4;CP=&&DataTime={time};{}&&",
        items.join(";")
    );
    let raw = format!("##{:04}{data}{:04X}\r\n", data.len(), crc(data.as_bytes()));
    Some((received_at, qn, line.peer.as_str(), raw))
}

/// Means and flags of the hour, a factor each.
fn items(sent: &Sent<'_>, line: &Line) -> Vec<String> {
    let pollutants = sent.process.pollutants();
    let mut items = Vec::new();
    for at in sent.by_factor() {
        let signal = &sent.process.signals[at];
        let end = (line.step + sent.request.interval.steps_an_hour()).min(signal.value.len());
        let known = signal.known(line.step..end);
        if known.is_empty() {
            continue;
        }
        let kept = if pollutants.contains(&at) { 1.0 - line.lowered } else { 1.0 };
        let mean = rounded(known.iter().sum::<f64>() / known.len() as f64 * kept, signal.decimals);
        let (factor, flag) = (signal.factor, char::from(signal.flag[line.step]));
        items.push(format!("{factor}-Avg={mean},{factor}-Flag={flag}"));
    }
    items
}

/// The check of a data segment, HJ 212-2017 annex A.
fn crc(data: &[u8]) -> u16 {
    data.iter().fold(0xFFFF, |crc: u16, byte| {
        (0..8).fold(
            (crc >> 8) ^ u16::from(*byte),
            |crc, _| {
                if crc & 1 == 1 { (crc >> 1) ^ 0xA001 } else { crc >> 1 }
            },
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_is_that_of_the_standards_example() {
        let data = "QN=20160801085857223;ST=32;CN=1062;PW=100000;MN=010000A8900016F000169DC0;Flag=5;\
                    CP=&&RtdInterval=30&&";
        assert_eq!(crc(data.as_bytes()), 0x1C80);
    }
}
