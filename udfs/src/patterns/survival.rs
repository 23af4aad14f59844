//! Outlets that no detector may fall over, and series to plant patterns in.

use plume_datasets::factors::Medium;

use super::Detect;
use super::outlet::{ConditionSeries, FactorSeries, Grid, MonitorFigures, Outlet, Points, Records};
use super::thresholds::Thresholds;
use crate::time::HOUR_US;

/// One minute, µs.
const MINUTE_US: i64 = HOUR_US / 60;

/// NOx, at a limit of 50 and a range of 125.
pub(crate) const FACTOR: &str = "a21002";

/// A series of values with flag `N`, all usable where finite and above 0.
pub(crate) fn points(step: i64, value: Vec<f64>) -> Points {
    let usable = value.iter().map(|value| value.is_finite() && *value > 0.0).collect();
    let none = Vec::new;
    Points {
        grid: Grid { start: 0, step },
        flag: vec![b'N'; value.len()],
        value,
        converted: none(),
        value_min: none(),
        value_max: none(),
        total: none(),
        delay_s: none(),
        sampled_s: none(),
        usable,
    }
}

/// An outlet with one factor and an empty record.
pub(crate) fn outlet(fine: Points) -> Outlet {
    let monitor = MonitorFigures { limit_hour: 50.0, range_high: 125.0, ..MonitorFigures::default() };
    let series = FactorSeries {
        factor: FACTOR.to_owned(),
        medium: Medium::Air,
        monitor,
        fine,
        means: None,
        sent_hours: None,
        sent_days: Vec::new(),
        signals: Vec::new(),
    };
    Outlet {
        mn: "PLUME0000000000G42000000".to_owned(),
        hours: Grid { start: 0, step: HOUR_US },
        factors: vec![series],
        conditions: Vec::new(),
        stopped: Vec::new(),
        o2_reference: 6.0,
        records: Records::default(),
        thresholds: Vec::new(),
    }
}

/// An outlet of hourly values.
pub(crate) fn hourly(value: Vec<f64>) -> Outlet {
    outlet(points(HOUR_US, value))
}

/// An outlet of hourly values and loads.
pub(crate) fn with_load(value: Vec<f64>, load: Vec<f64>) -> Outlet {
    let load = ConditionSeries { param: "load".to_owned(), role: None, hours: load };
    Outlet { conditions: vec![load], ..hourly(value) }
}

/// Numbers evenly spread over 0 to 1, the same for the same seed.
pub(crate) fn even(seed: u64, count: usize) -> Vec<f64> {
    let mut state = seed;
    let mut next = || {
        // Splitmix64.
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    };
    (0..count).map(|_| next()).collect()
}

/// A stack: around 25 mg/m³, deviating by some 16 %, with a lag-1 autocorrelation of 0.85, on two decimals.
pub(crate) fn stack(seed: u64, count: usize) -> Vec<f64> {
    let mut state = 0.0;
    let step = |part: f64| {
        state = 0.85 * state + (part - 0.5) * 0.29;
        ((25.0 * (1.0 + state)) * 100.0).round() / 100.0
    };
    even(seed, count).into_iter().map(step).collect()
}

/// Two decimals, as a logger sends them.
pub(crate) fn two_decimals(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

/// Hits of an outlet, worth a trip.
pub(crate) fn found(pattern: &str, detect: Detect, outlet: &Outlet) -> Vec<super::hit::Hit> {
    let hits = detect(outlet, &Thresholds::general(pattern));
    hits.into_iter().filter(|hit| hit.score >= 0.5).collect()
}

/// The one hit worth a trip, which begins and ends within some hours of hours `from` and `to`.
pub(crate) fn assert_found(
    pattern: &str,
    detect: Detect,
    outlet: &Outlet,
    from: usize,
    to: usize,
    within: i64,
) {
    let found = found(pattern, detect, outlet);
    assert_eq!(found.len(), 1, "{pattern}: {found:?}");
    let off = |ts: i64, hour: usize| (ts / HOUR_US - hour as i64).abs();
    assert!(off(found[0].started, from) <= within, "{pattern}: starts {}", found[0].started / HOUR_US);
    assert!(off(found[0].ended, to) <= within, "{pattern}: ends {}", found[0].ended / HOUR_US);
}

/// Series of what can go wrong.
fn odd_series(count: usize) -> Vec<Vec<f64>> {
    let mut gap = stack(1, 3000);
    gap[500..2500].fill(f64::NAN);
    let alternating = |a: f64, b: f64| (0..count).map(|at| if at % 2 == 0 { a } else { b }).collect();
    vec![
        Vec::new(),
        vec![12.3],
        vec![1.0, 2.0],
        vec![f64::NAN; 500],
        vec![12.3; 3000],
        vec![0.0; 3000],
        vec![-1.0; 3000],
        vec![1e308; 3000],
        alternating(1e308, -1e308),
        alternating(1e308, 1e-308),
        alternating(f64::INFINITY, f64::NEG_INFINITY),
        (0..3000).map(|at| at as f64).collect(),
        gap,
        stack(2, count),
        vec![50.0; count],
        even(3, count).into_iter().map(|part| (part * 20.0).round()).collect(),
    ]
}

/// A detector answers every odd outlet with scores of 0 to 1 and spans that end after they begin.
pub(crate) fn survives(pattern: &str, detect: Detect) {
    let mut outlets: Vec<Outlet> = odd_series(3000).into_iter().map(hourly).collect();
    outlets.extend(odd_series(3000).into_iter().map(|value| outlet(points(MINUTE_US, value))));
    let mut flagged = points(HOUR_US, stack(4, 3000));
    flagged.flag.fill(b'M');
    flagged.usable.fill(false);
    outlets.push(outlet(flagged));
    outlets.push(with_load(stack(5, 3000), vec![1e308; 10]));
    outlets.push(Outlet { factors: Vec::new(), ..hourly(Vec::new()) });
    // Were time quadratic, a million points would take minutes.
    outlets.extend(odd_series(1_000_000).into_iter().filter(|value| value.len() > 3000).map(hourly));
    for outlet in &outlets {
        for hit in detect(outlet, &Thresholds::general(pattern)) {
            assert!((0.0..=1.0).contains(&hit.score), "{pattern}: {hit:?}");
            assert!(hit.started < hit.ended, "{pattern}: {hit:?}");
        }
    }
}
