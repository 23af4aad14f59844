//! Outlets with odd records, and with records as they are, for tests of patterns that read them.

use super::Detect;
use super::outlet::{
    CheckRecord, MaintenanceRecord, Outlet, ParamRecord, PeerRecord, Phase, Points, RawSignal,
};
use super::survival::{FACTOR, even, hourly, points, stack, with_load};
use super::thresholds::Thresholds;
use crate::time::{DAY_US, HOUR_US};

/// Hours of half a year.
pub(crate) const HALF_YEAR: usize = 180 * 24;
/// The hours of two months that a deed lasts.
pub(crate) const DEED: std::ops::Range<usize> = 1500..2940;

/// A detector answers odd series with odd records, signals, delays and sums; and every one
/// of the plain odd series.
pub(crate) fn survives(pattern: &str, detect: Detect) {
    super::survival::survives(pattern, detect);
    let odd = [0.0, -1.0, 1e308, -1e308, f64::NAN, f64::INFINITY, 1e-308, 50.0];
    for (value, other) in odd.iter().flat_map(|value| odd.map(|other| (*value, other))) {
        let mut outlet = with_load(vec![value; 3000], even(1, 3000));
        fill(&mut outlet, value, other);
        judge(pattern, detect, &outlet);
        let mut mixed = hourly((0..3000).map(|at| if at % 3 == 0 { value } else { other }).collect());
        fill(&mut mixed, other, value);
        judge(pattern, detect, &mixed);
    }
    let mut large = hourly(stack(2, 1_000_000));
    fill(&mut large, 50.0, 40.0);
    judge(pattern, detect, &large);
}

fn judge(pattern: &str, detect: Detect, outlet: &Outlet) {
    for hit in detect(outlet, &Thresholds::general(pattern)) {
        assert!((0.0..=1.0).contains(&hit.score), "{pattern}: {hit:?}");
        assert!(hit.started < hit.ended, "{pattern}: {hit:?}");
    }
}

/// Puts two values wherever an outlet holds one.
fn fill(outlet: &mut Outlet, value: f64, other: f64) {
    let series = &mut outlet.factors[0];
    let count = series.fine.len();
    let mixed =
        || -> Vec<f64> { (0..count).map(|at| if at / 100 % 2 == 0 { value } else { other }).collect() };
    let fine = &mut series.fine;
    for column in
        [&mut fine.converted, &mut fine.value_min, &mut fine.total, &mut fine.delay_s, &mut fine.sampled_s]
    {
        *column = mixed();
    }
    (0..count).step_by(7).for_each(|at| fine.flag[at] = b"MDCF\0T"[at % 6]);
    series.sent_hours = Some(points(HOUR_US, mixed()));
    series.means = Some(points(HOUR_US, mixed()));
    series.sent_days =
        (0..count as i64 / 24).map(|day| (day, if day % 9 == 0 { other } else { value })).collect();
    series.signals = signals(&mixed(), &mixed(), value);
    let records = &mut outlet.records;
    records.checks = (0..40)
        .flat_map(|at| [check("zero", at * DAY_US, value, other), check("span", at * DAY_US, other, value)])
        .collect();
    records.maintenance = (0..20).map(|at| maintenance(at * 100..at * 100 + 2)).collect();
    let params = ["i13008", "i13007", "i23003", "i13003"];
    records.params = (0..40)
        .map(|at| param(params[at % 4], at as i64 * DAY_US, if at % 3 == 0 { other } else { value }))
        .collect();
    let peer = |at: i64| PeerRecord {
        peer: format!("10.0.0.{}", at % 3),
        span: at * DAY_US / 2..i64::MAX,
        packets: usize::MAX,
    };
    records.peers = (0..40).map(peer).collect();
}

/// An hour's signals while measuring.
pub(crate) fn signals(readings: &[f64], logged: &[f64], gain: f64) -> Vec<RawSignal> {
    let signal = |(at, (reading, logged)): (usize, (&f64, &f64))| RawSignal {
        ts: at as i64 * HOUR_US,
        signal: reading / gain,
        reading: *reading,
        logged: *logged,
        phase: Phase::Measure,
    };
    readings.iter().zip(logged).enumerate().map(signal).collect()
}

/// A check of the factor.
pub(crate) fn check(kind: &str, ts: i64, expected: f64, measured: f64) -> CheckRecord {
    CheckRecord { factor: FACTOR.to_owned(), ts, kind: kind.to_owned(), expected, measured }
}

/// A maintenance of the outlet, over hours.
pub(crate) fn maintenance(hours: std::ops::Range<i64>) -> MaintenanceRecord {
    MaintenanceRecord {
        factor: String::new(),
        span: hours.start * HOUR_US..hours.end * HOUR_US,
        text: "routine".to_owned(),
    }
}

/// A parameter of the factor's analyser.
pub(crate) fn param(name: &str, ts: i64, value: f64) -> ParamRecord {
    ParamRecord { factor: FACTOR.to_owned(), param: name.to_owned(), ts, value }
}

/// Half a year of a stack, with a share of each value left while the deed lasts.
pub(crate) fn scaled(values: &[f64], left: f64) -> Vec<f64> {
    values.iter().enumerate().map(|(at, v)| if DEED.contains(&at) { v * left } else { *v }).collect()
}

/// Hourly points with a delay each, s.
pub(crate) fn delayed(value: Vec<f64>, delay_s: Vec<f64>) -> Points {
    Points { delay_s, ..points(HOUR_US, value) }
}
