//! HJ 212 packets from parts, ways to spoil them, and a slow scan for those that are whole.

use std::fmt::Write;

use crate::dice::Dice;

/// CRC of HJ 212-2017 annex A, step by step as the annex words it: the register's high byte
/// XOR the next byte is the new register, then eight times shift right and, where a one fell
/// out, XOR A001.
pub(crate) fn crc(bytes: &[u8]) -> u16 {
    let mut register: u16 = 0xFFFF;
    for byte in bytes {
        register = (register >> 8) ^ u16::from(*byte);
        for _ in 0..8 {
            let fell_out = register % 2 == 1;
            register /= 2;
            if fell_out {
                register ^= 0xA001;
            }
        }
    }
    register
}

/// A whole packet around a data segment.
pub(crate) fn packet(segment: &[u8]) -> Vec<u8> {
    let mut bytes = format!("##{:04}", segment.len()).into_bytes();
    bytes.extend_from_slice(segment);
    bytes.extend(format!("{:04X}", crc(segment)).into_bytes());
    bytes
}

/// Where whole packets start and what they hold. Every `##` is tried: four digits, as many
/// bytes, four hex digits that are their CRC; after a failure the search goes on one byte
/// later, after a packet behind it.
pub(crate) fn slow_scan(bytes: &[u8]) -> Vec<(u64, Vec<u8>)> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        match whole_packet(&bytes[at..]) {
            Some(segment) => {
                found.push((at as u64, segment.to_vec()));
                at += segment.len() + 10;
            }
            None => at += 1,
        }
    }
    found
}

fn whole_packet(bytes: &[u8]) -> Option<&[u8]> {
    let rest = bytes.strip_prefix(b"##")?;
    let digits = rest.get(..4).filter(|digits| digits.iter().all(u8::is_ascii_digit))?;
    let length: usize = std::str::from_utf8(digits).ok()?.parse().ok()?;
    let segment = rest.get(4..4 + length)?;
    let sent = rest.get(4 + length..8 + length)?.to_ascii_uppercase();
    (sent == format!("{:04X}", crc(segment)).into_bytes()).then_some(segment)
}

/// The parts of a data packet.
#[derive(Debug, Clone)]
pub(crate) struct Parts {
    pub(crate) mn: String,
    pub(crate) cn: &'static str,
    pub(crate) qn: String,
    /// Time stamp as the packet sends it and as SQL shows it.
    pub(crate) time: (String, String),
    pub(crate) items: Vec<Item>,
}

/// The values of one factor.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    pub(crate) factor: &'static str,
    pub(crate) value: f64,
    pub(crate) total: Option<f64>,
    pub(crate) flag: char,
}

/// Random parts; the number makes them different from all others.
pub(crate) fn parts(dice: &mut Dice, number: usize) -> Parts {
    let (day, hour, minute) = (1 + dice.below(28), dice.below(24), number % 60);
    let mut factors = ["a21026", "a34013", "a00000", "w01018", "w01001", "a19001"];
    dice.shuffle(&mut factors);
    let count = 1 + dice.below(factors.len());
    let items = factors[..count].iter().map(|factor| Item {
        factor,
        value: (dice.below(2_000_000) as f64 - 1000.0) / dice.pick(&[1.0, 10.0, 1000.0]),
        total: dice.one_in(2).then(|| dice.below(1000) as f64 / 8.0),
        flag: dice.pick(&['N', 'N', 'N', 'D', 'T']),
    });
    let items = items.collect();
    Parts {
        mn: format!("{}{number:04}", dice.pick(&["A", "010000A8900016F00016", "站"])),
        cn: dice.pick(&["2011", "2051", "2061", "2031"]),
        qn: format!("202501{day:02}{hour:02}{minute:02}59{:03}", number % 1000),
        time: (
            format!("202501{day:02}{hour:02}{minute:02}00"),
            format!("2025-01-{day:02}T{hour:02}:{minute:02}:00"),
        ),
        items,
    }
}

/// The data segment of a packet, in one of the ways that devices write it: blanks, case of
/// names, separators, a trailing `;`, items in pieces.
pub(crate) fn segment(parts: &Parts, dice: &mut Dice) -> Vec<u8> {
    let lower = dice.one_in(6);
    let blank = if dice.one_in(6) { " " } else { "" };
    let name = |name: &str| if lower { name.to_lowercase() } else { name.to_owned() };
    let mut text = format!("{}={};{blank}ST=31;", name("QN"), parts.qn);
    write!(text, "{}={};PW=123456;{}={};Flag=4;", name("CN"), parts.cn, name("MN"), parts.mn).unwrap();
    write!(text, "CP=&&{}={}", name("DataTime"), parts.time.0).unwrap();
    let suffix = if parts.cn == "2011" { "Rtd" } else { "Avg" };
    for Item { factor, value, total, flag } in &parts.items {
        let between = dice.pick(&[',', ';']);
        write!(text, ";{blank}{factor}-{}={blank}{value}", name(suffix)).unwrap();
        if let Some(total) = total {
            write!(text, "{between}{factor}-{}={total}", name("Cou")).unwrap();
        }
        write!(text, "{between}{factor}-{}={flag}", name("Flag")).unwrap();
    }
    text.push_str(dice.pick(&["&&", ";&&"]));
    text.into_bytes()
}

/// Something that stands between packets: noise, or a packet that was spoilt.
pub(crate) fn garbage(dice: &mut Dice, number: usize) -> Vec<u8> {
    let parts = parts(dice, number);
    let whole = packet(&segment(&parts, dice));
    let mut spoilt = whole.clone();
    match dice.below(14) {
        0 => spoilt.truncate(dice.below(whole.len())),
        1 => drop(spoilt.drain(..1 + dice.below(whole.len() - 1))),
        2 => flip(&mut spoilt, dice),
        3 => spoilt[2 + dice.below(4)] = dice.pick(b"0123456789x#&"),
        4 => {
            let at = whole.len() - 1 - dice.below(4);
            spoilt[at] = dice.pick(b"0123456789ABCDEFabcdef+#& ");
        }
        5 => spoilt = (0..dice.below(200)).map(|_| dice.bits() as u8).collect(),
        6 => spoilt = vec![b'#'; dice.below(40)],
        7 => spoilt = b"\r\n\0\r\r\n#".repeat(1 + dice.below(3)),
        // A head whose length reaches into what follows, maybe just to the end of a packet.
        8 => spoilt = format!("##{:04}", 90 + dice.below(400)).into_bytes(),
        9 => spoilt = format!("##{:04}{}", dice.below(9999), "&&".repeat(dice.below(30))).into_bytes(),
        10 => spoilt = vec![dice.pick(b"a#\0&"); dice.below(30_000)],
        11 => {
            spoilt = b"##1x".to_vec();
            spoilt.resize(9_900 + dice.below(200), b'a');
        }
        12 => spoilt = "##0200QN=维护;CP=&&i11001-Info=//\u{fffd}&&12+4".into(),
        _ => spoilt.insert(dice.below(whole.len()), dice.bits() as u8),
    }
    spoilt
}

/// Flips bits, overwrites, cuts, repeats and glues in place.
pub(crate) fn flip(bytes: &mut Vec<u8>, dice: &mut Dice) {
    for _ in 0..=dice.below(4) {
        if bytes.is_empty() {
            return;
        }
        let at = dice.below(bytes.len());
        let end = (at + 1 + dice.below(40)).min(bytes.len());
        match dice.below(7) {
            0 => bytes[at] ^= 1 << dice.below(8),
            1 => bytes[at] = dice.bits() as u8,
            2 => bytes[at] = dice.pick(b"#&;,=\r\n\"\0+-.0129eE \xff\x81\xef"),
            3 => drop(bytes.drain(at..end)),
            4 => {
                let again = bytes[at..end].to_vec();
                bytes.splice(at..at, again);
            }
            5 => {
                let words: [&[u8]; 8] = [
                    b"##",
                    b"&&",
                    b"\r\n",
                    b"1e999",
                    b"NaN",
                    b"99999999999999",
                    "校".as_bytes(),
                    b"\xd0\xa1",
                ];
                bytes.splice(at..at, dice.pick(&words).iter().copied());
            }
            _ => bytes.truncate(end),
        }
    }
}
