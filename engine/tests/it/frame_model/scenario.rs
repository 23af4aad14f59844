//! Small random stores: what lands, in which files, and how it is written.

use std::fmt::Write;

use chrono::DateTime;

use crate::dice::Dice;

/// What a store has in it; proptest shrinks towards few outlets, few days and no extras.
#[derive(Debug, Clone)]
pub(crate) struct Shape {
    pub(crate) seed: u64,
    pub(crate) outlets: usize,
    pub(crate) days: i64,
    /// Outlets stand in the registry, with stops; some of them without a beginning, without all
    /// monitors, or not at all.
    pub(crate) registered: bool,
    /// Some hours have minute rows, some days a reported daily row.
    pub(crate) minutes_and_days: bool,
    /// Rows come twice, late or corrected.
    pub(crate) corrected: bool,
}

/// A row of `hourly`, `minute` or `daily`; times in minutes since 1970.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) mn: &'static str,
    pub(crate) factor: &'static str,
    pub(crate) at: i64,
    pub(crate) value: Option<f64>,
    pub(crate) total: Option<f64>,
    pub(crate) converted: Option<f64>,
    pub(crate) flag: Option<char>,
    pub(crate) received: i64,
    pub(crate) source: &'static str,
}

/// A stop in hours since 1970.
#[derive(Debug, Clone)]
pub(crate) struct Stop {
    pub(crate) mn: &'static str,
    pub(crate) production: bool,
    pub(crate) started: i64,
    pub(crate) ended: Option<i64>,
}

/// An outlet of the registry; hours since 1970.
#[derive(Debug, Clone)]
pub(crate) struct Outlet {
    pub(crate) mn: &'static str,
    pub(crate) since: Option<i64>,
    pub(crate) until: i64,
    pub(crate) o2_reference: Option<f64>,
    pub(crate) factors: Vec<&'static str>,
}

/// All that lands.
#[derive(Debug, Default)]
pub(crate) struct Scenario {
    pub(crate) hourly: Vec<Row>,
    pub(crate) minute: Vec<Row>,
    pub(crate) daily: Vec<Row>,
    pub(crate) stops: Vec<Stop>,
    pub(crate) registry: Vec<Outlet>,
    pub(crate) from: i64,
    pub(crate) until: i64,
}

const NAMES: [&str; 4] = ["A1", "A10", "B", "站2"];
/// Ends of months and years, a February of 28 days and one of 29, the last day of a rule set.
const STARTS: [i64; 5] = [
    464_184, // 2022-12-15 00:00
    464_928, // 2023-01-15
    473_688, // 2024-01-15
    474_408, // 2024-02-14
    477_480, // 2024-06-21
];
/// Good hours of a day: around the 20 of air, the 18 of 24 of water.
const GOOD_HOURS: [usize; 16] = [24, 24, 24, 23, 22, 21, 20, 20, 24, 20, 24, 19, 18, 17, 8, 0];

pub(crate) fn scenario(shape: &Shape) -> Scenario {
    let mut dice = Dice::new(shape.seed);
    let from = dice.pick(&STARTS);
    let until = from + 24 * shape.days + dice.below(24) as i64;
    let mut all = Scenario { from, until, ..Scenario::default() };
    for mn in &NAMES[..shape.outlets] {
        outlet(&mut all, mn, shape, &mut dice);
    }
    if shape.minutes_and_days {
        add_minutes(&mut all, &mut dice);
        add_days(&mut all, &mut dice);
        for mn in &NAMES[..shape.outlets] {
            if dice.one_in(4) {
                leave_days_only(&mut all, mn, &mut dice);
            }
        }
    }
    if shape.corrected {
        for rows in [&mut all.hourly, &mut all.minute, &mut all.daily] {
            correct(rows, &mut dice);
        }
    }
    all
}

fn outlet(all: &mut Scenario, mn: &'static str, shape: &Shape, dice: &mut Dice) {
    let (from, until) = (all.from, all.until);
    let registered = shape.registered && !dice.one_in(4);
    let mut factors = Vec::new();
    let water = dice.one_in(2);
    // One outlet may report air and water; stops of such a one can be read in two ways.
    let both = !registered && dice.one_in(6);
    if water || both {
        factors.extend([dice.pick(&["w01018", "w20119"]), "w00000"]);
        factors.extend(dice.one_in(3).then_some("w01001"));
    }
    if !water || both {
        factors.push(dice.pick(&["a21026", "a34013"]));
        factors.extend((!dice.one_in(6)).then_some("a00000"));
        factors.extend((!dice.one_in(3)).then_some("a19001"));
    }
    let mut stops: Vec<Stop> = Vec::new();
    if registered {
        let o2_reference = (!dice.one_in(3)).then_some(dice.pick(&[3.0, 6.0, 11.0]));
        let since = (!dice.one_in(3)).then_some(from);
        let listed = if dice.one_in(3) { 1 } else { factors.len() };
        let factors = factors.iter().copied().take(listed).collect();
        all.registry.push(Outlet { mn, since, until, o2_reference, factors });
        // Stops that don't overlap: of some hours, of days, the last one maybe open.
        let mut hour = from + dice.below(100) as i64;
        while hour < until && stops.len() < 4 && !dice.one_in(4) {
            let ended = hour + 1 + dice.pick(&[3, 30, 90]).min(1 + dice.below(90)) as i64;
            let ended = if dice.one_in(8) { until } else { ended.min(until) };
            let open = ended == until && dice.one_in(2);
            let stop =
                Stop { mn, production: !dice.one_in(4), started: hour, ended: (!open).then_some(ended) };
            stops.push(stop);
            hour = ended + 1 + dice.below(200) as i64;
        }
    }
    // Whether the source ran in spite of each stop.
    let ran: Vec<bool> = stops.iter().map(|_| dice.one_in(3)).collect();
    for factor in factors {
        // An unregistered series is due from its first row to its last.
        let (mut first, mut last) = (from, until - 1);
        if !registered {
            first += dice.below(60) as i64;
            last -= dice.below(40) as i64;
        }
        series(all, (mn, factor), (first, last.max(first)), &stops, &ran, dice);
    }
    all.stops.extend(stops);
}

fn series(
    all: &mut Scenario,
    (mn, factor): (&'static str, &'static str),
    (first, last): (i64, i64),
    stops: &[Stop],
    ran: &[bool],
    dice: &mut Dice,
) {
    let level = 1.0 + dice.below(90) as f64;
    let mut good = [true; 24];
    for hour in first..=last {
        if hour == first || hour % 24 == 0 {
            let count = dice.pick(&GOOD_HOURS);
            good = std::array::from_fn(|i| i < count);
            dice.shuffle(&mut good);
        }
        let stop =
            stops.iter().position(|stop| stop.started <= hour && stop.ended.is_none_or(|end| hour < end));
        let production = stop.filter(|stop| stops[*stop].production);
        let mut value = level * (0.5 + dice.below(1000) as f64 / 1000.0);
        let mut flag = Some('N');
        let witness = matches!(factor, "a00000" | "w00000" | "a19001");
        if let (Some(stop), true) = (production, witness) {
            // Whether flow and oxygen speak against a stop is told by valid rows only: what a
            // flagged one proves the contract leaves open.
            value = match (ran[stop], factor) {
                (true, "a19001") => dice.pick(&[5.0, 17.9, 18.0, 20.5]),
                (false, "a19001") => 20.9,
                (true, _) => value,
                (false, _) => 0.0,
            };
        } else {
            if factor == "w00000" && stop.is_none() && dice.one_in(25) {
                value = 0.0;
            } else if factor == "a19001" {
                value = dice.pick(&[6.0, 7.5, 11.25, 19.0, 20.4, 21.5]);
            } else if !witness && dice.one_in(30) {
                value = dice.pick(&[0.0, -1.5]);
            }
            if hour != first && hour != last && !good[(hour % 24) as usize] {
                match dice.below(5) {
                    0 => continue,
                    // A flow of 0 under a flag: whether the hour is due can be read in two ways.
                    _ if value == 0.0 => {}
                    1 => flag = None,
                    2 => {
                        push(&mut all.hourly, (mn, factor, hour), None, flag, dice);
                        continue;
                    }
                    _ => flag = Some(dice.pick(&['D', 'T', 'M', 'S', 'F', 'Z', 'C', 'B', 'P'])),
                }
            }
        }
        push(&mut all.hourly, (mn, factor, hour), Some(value), flag, dice);
    }
}

fn push(
    rows: &mut Vec<Row>,
    (mn, factor, hour): (&'static str, &'static str, i64),
    value: Option<f64>,
    flag: Option<char>,
    dice: &mut Dice,
) {
    let flow = factor.ends_with("00000");
    let total = value.filter(|v| flow && *v != 0.0 && dice.one_in(3)).map(|v| v * 3.5);
    let pollutant = matches!(factor, "a21026" | "a34013");
    let converted = value.filter(|_| pollutant && dice.one_in(2)).map(|v| v * 1.25);
    let received = (hour + 1) * 60 + dice.below(30) as i64;
    rows.push(Row { mn, factor, at: hour * 60, value, total, converted, flag, received, source: "s1" });
}

/// Minute rows of some pollutants' hours, about as many as decide an hour.
fn add_minutes(all: &mut Scenario, dice: &mut Dice) {
    let ends = ends_of(&all.hourly);
    for (mn, factor, first, last) in ends {
        if matches!(factor, "a00000" | "w00000" | "a19001" | "w01001") {
            continue;
        }
        for _ in 0..3 {
            let hour = first + dice.below((last - first + 1) as usize) as i64;
            let (seconds, counts) =
                if factor.starts_with('a') { (60, [60, 45, 44, 50]) } else { (600, [6, 5, 4, 6]) };
            let mut starts: Vec<i64> = (0..3600 / seconds).map(|i| i * seconds / 60).collect();
            dice.shuffle(&mut starts);
            let spoilt = dice.pick(&[0, 0, 1, 6]);
            for (i, start) in starts.into_iter().take(dice.pick(&counts)).enumerate() {
                let flag = if i < spoilt { Some('D') } else { Some('N') };
                let value = 10.0 + dice.below(500) as f64 / 7.0;
                let at = hour * 60 + start;
                let known = all.minute.iter().any(|r| r.mn == mn && r.factor == factor && r.at == at);
                if !known {
                    let (total, converted, received) = (None, None, at + 1);
                    all.minute.push(Row {
                        mn,
                        factor,
                        at,
                        value: Some(value),
                        total,
                        converted,
                        flag,
                        received,
                        source: "s1",
                    });
                }
            }
        }
    }
}

/// Reported days: of days whose hours all went missing, and of others, where they decide nothing.
fn add_days(all: &mut Scenario, dice: &mut Dice) {
    for (mn, factor, first, last) in ends_of(&all.hourly) {
        let (first_day, last_day) = (first.div_euclid(24) + 1, last.div_euclid(24) - 1);
        for day in first_day..=last_day {
            if factor.ends_with("00000") || factor == "w01001" || !dice.one_in(8) {
                continue;
            }
            if dice.one_in(2) {
                let of_day =
                    |row: &Row| row.mn == mn && row.factor == factor && row.at.div_euclid(1440) == day;
                all.hourly.retain(|row| !of_day(row));
                all.minute.retain(|row| !of_day(row));
            }
            let flag = dice.pick(&[Some('N'), Some('N'), Some('D')]);
            push(&mut all.daily, (mn, factor, day * 24), Some(33.0 + day as f64 / 8.0), flag, dice);
        }
    }
}

/// Takes the hours of an outlet away: it sends days alone, from its first to its last.
fn leave_days_only(all: &mut Scenario, mn: &'static str, dice: &mut Dice) {
    let ends: Vec<_> = ends_of(&all.hourly).into_iter().filter(|(of, ..)| *of == mn).collect();
    for rows in [&mut all.hourly, &mut all.minute, &mut all.daily] {
        rows.retain(|row| row.mn != mn);
    }
    for (mn, factor, first, last) in ends {
        let (first_day, last_day) = (first.div_euclid(24), last.div_euclid(24));
        for day in first_day..=last_day {
            let flag = dice.pick(&[Some('N'), Some('N'), Some('N'), Some('D')]);
            if day == first_day || day == last_day || !dice.one_in(9) {
                push(&mut all.daily, (mn, factor, day * 24), Some(7.0 + day as f64 / 8.0), flag, dice);
            }
        }
    }
}

/// First and last hour of every series.
fn ends_of(rows: &[Row]) -> Vec<(&'static str, &'static str, i64, i64)> {
    let mut ends: std::collections::BTreeMap<_, (i64, i64)> = std::collections::BTreeMap::new();
    for row in rows {
        let hour = row.at.div_euclid(60);
        let range = ends.entry((row.mn, row.factor)).or_insert((hour, hour));
        *range = (range.0.min(hour), range.1.max(hour));
    }
    ends.into_iter().map(|((mn, factor), (first, last))| (mn, factor, first, last)).collect()
}

/// Repeats rows, and adds versions: later, earlier, of another source, or a tie on all but the value.
fn correct(rows: &mut Vec<Row>, dice: &mut Dice) {
    for at in 0..rows.len() {
        if !dice.one_in(12) {
            continue;
        }
        let mut row = rows[at].clone();
        let witness = matches!(row.factor, "a00000" | "w00000" | "a19001");
        match dice.below(5) {
            0 => {}
            // Only plain values differ in ties: where NULL stands among them the contract leaves open.
            1 if row.value.is_some() => row.value = row.value.map(|value| value * 1.5),
            // Equal values of another source are a duplicate; whose source stays is left open.
            2 if row.value.is_some_and(|value| value != 0.0) => {
                row.source = dice.pick(&["s0", "s2"]);
                row.value = row.value.map(|value| value * 2.0);
            }
            kind => {
                row.received += dice.pick(&[-30, 30, 3000]) * if kind == 3 { 1 } else { -1 };
                row.value = row.value.map(|value| value * 0.75);
                if !witness {
                    row.flag = dice.pick(&[Some('N'), Some('D'), Some('N'), None]);
                }
            }
        }
        rows.push(row);
    }
}

/// Minutes since 1970 as text.
pub(crate) fn time(minutes: i64) -> String {
    DateTime::from_timestamp(minutes * 60, 0).unwrap().format("%Y-%m-%dT%H:%M:%S").to_string()
}

/// Days since 1970 as text.
pub(crate) fn date(days: i64) -> String {
    time(days * 1440)[..10].to_owned()
}

/// Rows as a CSV file.
pub(crate) fn csv(rows: &[Row]) -> String {
    let mut text = "mn,factor,ts,value,total,converted,flag,received_at,source\n".to_owned();
    let number = |value: Option<f64>| value.map_or(String::new(), |value| value.to_string());
    for row in rows {
        let (value, total, converted) = (number(row.value), number(row.total), number(row.converted));
        let (mn, factor, source, at, received) =
            (row.mn, row.factor, row.source, time(row.at), time(row.received));
        let flag = row.flag.map_or(String::new(), String::from);
        writeln!(text, "{mn},{factor},{at},{value},{total},{converted},{flag},{received},{source}").unwrap();
    }
    text
}

/// The registry's files by table.
pub(crate) fn registry_csv(all: &Scenario) -> Vec<(&'static str, String)> {
    let mut outlets = "mn,since,until,medium,o2_reference\n".to_owned();
    let mut monitors = "mn,factor,since,until\n".to_owned();
    let mut stops = "mn,kind,started,ended,received_at\n".to_owned();
    for Outlet { mn, since, until, o2_reference, factors } in &all.registry {
        let o2 = o2_reference.map_or(String::new(), |o2| o2.to_string());
        let medium = if factors[0].starts_with('a') { "air" } else { "water" };
        let since = since.map_or(String::new(), |since| time(since * 60));
        writeln!(outlets, "{mn},{since},{},{medium},{o2}", time(until * 60)).unwrap();
        for factor in factors {
            writeln!(monitors, "{mn},{factor},,").unwrap();
        }
    }
    for Stop { mn, production, started, ended } in &all.stops {
        let kind = if *production { "production" } else { "facility" };
        let (start, end) = (time(started * 60), ended.map_or(String::new(), |end| time(end * 60)));
        // First reported as lasting, then closed: a correction.
        if ended.is_some() {
            writeln!(stops, "{mn},{kind},{start},,{start}").unwrap();
        }
        writeln!(stops, "{mn},{kind},{start},{end},{}", time((started + 500) * 60)).unwrap();
    }
    vec![("outlets", outlets), ("monitors", monitors), ("stoppages", stops)]
}
