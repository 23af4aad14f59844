//! Finds packets in a stream of bytes and checks their length and CRC.
//!
//! `##`, four digits of length, the data segment, four hex digits of CRC, CR LF
//! (HJ 212-2017 6.3.1). Senders leave CR LF out, glue packets, cut them, send
//! lower-case CRC; after anything that is no packet the search goes on two bytes
//! later.

use std::io::Read;

use serde::Deserialize;

/// Longest data segment that four digits can tell.
const SEGMENT_LIMIT: usize = 9999;
/// `##` and the length.
const HEAD: usize = 6;
/// CRC in hex.
const CRC: usize = 4;
/// The longest packet.
const PACKET: usize = HEAD + SEGMENT_LIMIT + CRC;
/// What is looked at to judge a packet: the longest one, and the byte behind it, which may end a
/// mark. Never more, or the verdict would hang on how much of the stream has come.
const VIEW: usize = PACKET + 1;
/// Bytes read at a time.
const READ: usize = 1 << 16;

/// Which CRC a source sends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CrcDialect {
    /// That of HJ 212.
    #[default]
    Hj,
    /// That of Modbus, or of HJ 212 by chance.
    Modbus,
    /// None that can be trusted.
    Off,
}

/// What is to be said of a packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Length and CRC are right.
    Ok,
    /// The CRC is the one of Modbus, which some senders use.
    ModbusCrc,
    /// Neither CRC fits; what was due is told.
    BadCrc(u16),
    /// The length doesn't fit what follows.
    BadLength,
    /// The stream ends, or another packet begins, before this one is whole.
    Incomplete,
}

impl Verdict {
    /// Whether the bytes have the shape of a packet, be its CRC right or wrong.
    pub fn is_whole(&self) -> bool {
        matches!(self, Self::Ok | Self::ModbusCrc | Self::BadCrc(_))
    }

    /// The verdict as table `packets` has it, with what was repaired in the segment.
    pub fn with_repairs<'a>(&self, accepted: bool, repairs: impl Iterator<Item = &'a str>) -> String {
        let mut repairs: Vec<&str> = repairs.collect();
        match self {
            Self::ModbusCrc if !accepted => {
                return "modbus_crc: set crc_dialect = \"modbus\" in the map to accept".to_owned();
            }
            Self::BadCrc(_) if accepted => repairs.insert(0, "crc not checked"),
            Self::BadCrc(due) => return format!("bad_crc: {due:04X} expected"),
            Self::BadLength => return "bad_length".to_owned(),
            Self::Incomplete => return "incomplete".to_owned(),
            Self::ModbusCrc => repairs.insert(0, "modbus crc"),
            Self::Ok => {}
        }
        if repairs.is_empty() { "ok".to_owned() } else { format!("repaired: {}", repairs.join(", ")) }
    }
}

/// A packet, or what was meant to be one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Where it starts in the stream.
    pub offset: u64,
    /// Its bytes without CR LF.
    pub raw: Vec<u8>,
    /// Its data segment, if the packet is accepted.
    pub segment: Option<Vec<u8>>,
    /// What is to be said of it.
    pub verdict: Verdict,
}

/// CRC of HJ 212-2017 annex A. It drops the low byte at every step, so it has
/// only 256 values. The standard's own frame has 1C80.
pub fn crc_hj212(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0xFFFF, |crc: u16, byte| eight_steps((crc >> 8) ^ u16::from(*byte)))
}

/// CRC-16/MODBUS.
pub fn crc_modbus(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0xFFFF, |crc: u16, byte| eight_steps(crc ^ u16::from(*byte)))
}

fn eight_steps(crc: u16) -> u16 {
    (0..8).fold(crc, |crc, _| if crc & 1 == 1 { (crc >> 1) ^ 0xA001 } else { crc >> 1 })
}

/// Reads packets one after another; memory stays within a few packets.
#[derive(Debug)]
pub struct Framer<R> {
    input: R,
    dialect: CrcDialect,
    buffer: Vec<u8>,
    offset: u64,
    ended: bool,
}

impl<R: Read> Framer<R> {
    /// A framer over a stream.
    pub fn new(input: R, dialect: CrcDialect) -> Self {
        Self { input, dialect, buffer: Vec::new(), offset: 0, ended: false }
    }

    /// The next packet, or `None` at the end. Bytes between packets are skipped.
    pub fn next_packet(&mut self) -> std::io::Result<Option<Found>> {
        loop {
            self.fill(VIEW)?;
            let Some(start) = find(&self.buffer, b"##") else {
                // The last byte may be the first half of a mark.
                let kept = usize::from(!self.ended && self.buffer.last() == Some(&b'#'));
                self.skip(self.buffer.len() - kept);
                if self.ended {
                    return Ok(None);
                }
                continue;
            };
            self.skip(start);
            self.fill(VIEW)?;
            // Of three marks in a row the last two begin the packet.
            let more = self.buffer[2..].iter().take_while(|byte| **byte == b'#').count();
            if more > 0 {
                self.skip(more);
                continue;
            }
            let (length, verdict) = self.judge();
            let raw: Vec<u8> = self.buffer[..length].to_vec();
            let accepted = match verdict {
                Verdict::Ok => true,
                Verdict::ModbusCrc => self.dialect != CrcDialect::Hj,
                Verdict::BadCrc(_) => self.dialect == CrcDialect::Off,
                _ => false,
            };
            let segment = accepted.then(|| raw[HEAD..length - CRC].to_vec());
            let offset = self.offset;
            self.skip(length);
            return Ok(Some(Found { offset, raw, segment, verdict }));
        }
    }

    /// How long the packet at the buffer's start is, and what is to be said of it.
    fn judge(&self) -> (usize, Verdict) {
        let buffer = &self.buffer[..self.buffer.len().min(VIEW)];
        let declared = buffer.get(2..HEAD).filter(|digits| digits.iter().all(u8::is_ascii_digit));
        let declared = declared.and_then(|digits| std::str::from_utf8(digits).ok()?.parse::<usize>().ok());
        // Where the text of this packet ends at the latest: a line end or the next mark.
        let next_mark = find(buffer.get(2..).unwrap_or_default(), b"##").map_or(PACKET, |at| at + 2);
        let line_end = buffer.iter().position(|byte| matches!(byte, b'\r' | b'\n')).unwrap_or(PACKET);
        let text_end = next_mark.min(line_end).min(buffer.len()).max(2);
        let Some(length) = declared else { return (text_end, Verdict::BadLength) };
        let whole = HEAD + length + CRC;
        // A packet that ends as one does, elsewhere than its length says, has a wrong
        // length; one that doesn't was cut.
        let misplaced =
            if ends_like_a_packet(&buffer[..text_end]) { Verdict::BadLength } else { Verdict::Incomplete };
        let Some(crc) = buffer.get(HEAD + length..whole) else { return (text_end, misplaced) };
        // `from_str_radix` alone would take a sign for a digit.
        let digits = Some(crc).filter(|crc| crc.iter().all(u8::is_ascii_hexdigit));
        let sent = digits.and_then(|hex| u16::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        let Some(sent) = sent else { return (text_end, misplaced) };
        let segment = &buffer[HEAD..HEAD + length];
        let due = crc_hj212(segment);
        let verdict = if sent == due {
            Verdict::Ok
        } else if sent == crc_modbus(segment) {
            Verdict::ModbusCrc
        } else if !segment.ends_with(b"&&") || next_mark < whole {
            // A wrong length may reach to the end of a later packet, which must not go with it.
            misplaced
        } else {
            Verdict::BadCrc(due)
        };
        (if verdict.is_whole() { whole } else { text_end }, verdict)
    }

    fn fill(&mut self, wanted: usize) -> std::io::Result<()> {
        while self.buffer.len() < wanted && !self.ended {
            let start = self.buffer.len();
            self.buffer.resize(start + READ, 0);
            let read = self.input.read(&mut self.buffer[start..])?;
            self.buffer.truncate(start + read);
            self.ended = read == 0;
        }
        Ok(())
    }

    fn skip(&mut self, bytes: usize) {
        self.buffer.drain(..bytes);
        self.offset += bytes as u64;
    }
}

/// Whether bytes end as a packet does: `&&` and four hex digits.
fn ends_like_a_packet(bytes: &[u8]) -> bool {
    let Some(crc_start) = bytes.len().checked_sub(CRC) else { return false };
    let (body, crc) = bytes.split_at(crc_start);
    body.ends_with(b"&&") && crc.iter().all(u8::is_ascii_hexdigit)
}

fn find(bytes: &[u8], mark: &[u8]) -> Option<usize> {
    bytes.windows(mark.len()).position(|window| window == mark)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The frame that HJ 212-2017 annex A works out.
    const STANDARD: &[u8] = b"##0101QN=20160801085857223;ST=32;CN=1062;PW=100000;MN=010000A8900016F000169DC0;Flag=5;CP=&&RtdInterval=30&&1C80";

    fn verdicts(bytes: &[u8]) -> Vec<Verdict> {
        let mut framer = Framer::new(bytes, CrcDialect::Hj);
        std::iter::from_fn(|| framer.next_packet().unwrap()).map(|found| found.verdict).collect()
    }

    fn packet(segment: &str) -> Vec<u8> {
        format!("##{:04}{segment}{:04X}\r\n", segment.len(), crc_hj212(segment.as_bytes())).into_bytes()
    }

    #[test]
    fn crc_of_the_standards_example_and_check_strings() {
        assert_eq!(crc_hj212(&STANDARD[6..STANDARD.len() - 4]), 0x1C80);
        assert_eq!(crc_hj212(b"123456789"), 0x2F80);
        assert_eq!(crc_modbus(b"123456789"), 0x4B37);
    }

    #[test]
    fn packets_are_found_glued_without_line_ends_and_among_noise() {
        let glued = [b"noise".as_slice(), STANDARD, STANDARD, b"\r\n\0#", STANDARD].concat();
        assert_eq!(verdicts(&glued), [Verdict::Ok, Verdict::Ok, Verdict::Ok]);
        assert_eq!(
            verdicts(&STANDARD.to_ascii_lowercase()),
            [Verdict::BadCrc(crc_hj212(&STANDARD.to_ascii_lowercase()[6..107]))]
        );
    }

    #[test]
    fn a_cut_packet_does_not_swallow_the_next() {
        let cut = [&STANDARD[..60], b"\r\n", STANDARD].concat();
        assert_eq!(verdicts(&cut), [Verdict::Incomplete, Verdict::Ok]);
        assert_eq!(verdicts(&STANDARD[..60]), [Verdict::Incomplete]);
    }

    #[test]
    fn wrong_length_and_wrong_crc_are_told_apart() {
        let mut longer = STANDARD.to_vec();
        longer[2..6].copy_from_slice(b"0103");
        assert_eq!(verdicts(&longer), [Verdict::BadLength]);
        longer[2..6].copy_from_slice(b"01x3");
        assert_eq!(verdicts(&longer), [Verdict::BadLength]);
        let mut crc = STANDARD.to_vec();
        crc[110] = b'1';
        assert_eq!(verdicts(&crc), [Verdict::BadCrc(0x1C80)]);
    }

    #[test]
    fn the_crc_of_modbus_is_accepted_only_where_the_source_is_said_to_send_it() {
        let mut packet = STANDARD[..107].to_vec();
        packet.extend(b"0759");
        let accepted = |dialect| {
            Framer::new(packet.as_slice(), dialect).next_packet().unwrap().unwrap().segment.is_some()
        };
        assert!(!accepted(CrcDialect::Hj));
        assert!(accepted(CrcDialect::Modbus));
        assert!(accepted(CrcDialect::Off));
    }

    #[test]
    fn chinese_text_counts_in_bytes() {
        assert_eq!(verdicts(&packet("MN=1;CP=&&i11001-Info=//校准//&&")), [Verdict::Ok]);
    }
}
