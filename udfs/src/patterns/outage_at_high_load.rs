//! P16 `outage_at_high_load` (高负荷掉线): the station goes silent when the plant works hard.
//!
//! Mechanism: with the power or the line cut, nothing is sent. It is cut when emissions are
//! high, so the gaps stand where the load does.
//!
//! Formula: a gap is an hour with nothing received. It is high where the load is above its quantile
//! `high_load`, or, where the load is unknown, where the last value, at most two hours old, is above
//! `near` × limit. Evidence of an hour: ln(p₁ ÷ p₀) where a high gap begins and ln((1 − p₁) ÷ (1 − p₀))
//! for a high hour without one, with p₁ = `rate` and p₀ the outlet's own share of other hours in which a gap begins;
//! a gap that begins in another hour speaks against it as much as a high one for it. A gap counts once, however long:
//! an outage of a line lasts, and who cuts it does so often. Within a stretch,
//! lift = share of high hours in which a gap begins ÷ share of other hours in which one does. Score: the lesser of lift
//! (`suspect` → 0.5, `certain` → 1) and separate gaps (`suspect_gaps` → 0.5, `certain_gaps` → 1).
//!
//! Excused: one long outage, however high the load (separate gaps are counted); gaps whatever the
//! load; flat load; stopped hours. An outage of the whole network shows only where outlets are compared:
//! the evidence tells gaps and their hours for that.
//!
//! Example: 100 high hours, in 12 of which a gap begins; 300 others, in 3 of which one does: lift
//! (12 ÷ 100) ÷ (3 ÷ 300) = 12. With `certain` 10 and `certain_gaps` 12 the score is 1.

use super::departure::sample;
use super::hit::{Evidence, Hit};
use super::outlet::{FactorSeries, Outlet};
use super::robust::quantile;
use super::score::score;
use super::segments::{Segment, segments};
use super::thresholds::Thresholds;

/// Looks for the pattern in an outlet: one hit where several factors show it, on the one that shows it best.
pub fn detect(outlet: &Outlet, thresholds: &Thresholds<'_>) -> Vec<Hit> {
    let Some(first) = outlet.pollutants().next() else { return Vec::new() };
    let share = thresholds.of(&first.factor, first.hours().grid.grain(), "high_load");
    let by_load = high_loads(outlet.load(), share);
    let of = |series| of_series(outlet, series, &by_load, thresholds);
    let mut hits: Vec<Hit> = outlet.pollutants().flat_map(of).collect();
    hits.sort_by(|a, b| {
        b.score.total_cmp(&a.score).then(a.started.cmp(&b.started)).then(a.factor.cmp(&b.factor))
    });
    let mut kept: Vec<Hit> = Vec::new();
    for hit in hits {
        if !kept.iter().any(|other| other.started < hit.ended && hit.started < other.ended) {
            kept.push(hit);
        }
    }
    kept
}

fn of_series(
    outlet: &Outlet,
    series: &FactorSeries,
    by_load: &[Option<bool>],
    thresholds: &Thresholds<'_>,
) -> Vec<Hit> {
    let points = series.hours();
    let threshold = |key| thresholds.of(&series.factor, points.grid.grain(), key);
    let is_gap: Vec<bool> = (0..points.len()).map(|hour| points.is_gap(hour)).collect();
    if is_gap.iter().filter(|gap| **gap).count() < points.grid.points(threshold("suspect_gaps")) {
        return Vec::new();
    }
    let near = threshold("near") * series.monitor.limit_hour;
    let is_high = |hour: usize| {
        if outlet.is_stopped(hour) { None } else { is_high(by_load, &points.value, near, hour) }
    };
    let is_high: Vec<Option<bool>> = (0..points.len()).map(is_high).collect();
    let usual = Hours::of(&is_gap, &is_high).usual_rate().max(threshold("least_rate"));
    let evidence = outage_at_high_load(&is_gap, &is_high, threshold("rate"), usual);
    let of_gap = (threshold("rate").max(usual) / usual).ln();
    let found = segments(&evidence, of_gap * threshold("suspect_gaps") / 2.0);
    let hit = |segment: Segment| {
        let Segment { points: within, .. } = segment;
        let gaps = is_gap.get(within.clone()).unwrap_or_default();
        let hours = Hours::of(gaps, is_high.get(within.clone()).unwrap_or_default());
        let lift = hours.high_rate() / hours.usual_rate().max(usual);
        let separate = hours.separate as f64;
        let of_lift = score(lift, threshold("suspect"), threshold("certain"));
        let of_gaps = score(separate, threshold("suspect_gaps"), threshold("certain_gaps"));
        series.hit(
            points.span(&within),
            of_lift.min(of_gaps),
            hours.high_gaps + hours.other_gaps,
            Evidence::default()
                .number("lift", lift)
                .number("gaps", separate)
                .number("gap_hours", (hours.high_gaps + hours.other_gaps) as f64)
                .number("gap_hours_at_high_load", hours.high_gaps as f64)
                .number("high_load_hours", hours.high as f64),
        )
    };
    found.into_iter().map(hit).collect()
}

/// Whether the load is high, by hour: above its quantile `share`; `None` where it is unknown, or flat.
fn high_loads(load: &[f64], share: f64) -> Vec<Option<bool>> {
    let high = quantile(&mut sample(load), share);
    let low = quantile(&mut sample(load), 1.0 - share);
    // A flat load has no high hours.
    load.iter().map(|load| (load.is_finite() && high > low).then_some(*load > high)).collect()
}

/// Whether load, or what was last emitted, is high in an hour; `None` where neither is known.
fn is_high(by_load: &[Option<bool>], values: &[f64], near: f64, hour: usize) -> Option<bool> {
    /// How long a value tells of the hours after it.
    const MEMORY_HOURS: usize = 2;
    let known = by_load.get(hour).copied().flatten();
    if known.is_some() || !near.is_finite() {
        return known;
    }
    let before = values.get(hour.saturating_sub(MEMORY_HOURS)..hour).unwrap_or_default();
    before.iter().rev().find(|value| value.is_finite()).map(|value| *value > near)
}

/// Hours counted.
#[derive(Debug, Clone, Copy, Default)]
struct Hours {
    high: usize,
    high_gaps: usize,
    other: usize,
    other_gaps: usize,
    /// Gaps that begin high.
    separate: usize,
    /// Gaps that begin in other hours.
    other_separate: usize,
}

impl Hours {
    fn of(is_gap: &[bool], is_high: &[Option<bool>]) -> Self {
        let mut hours = Self::default();
        let mut was_gap = false;
        for (gap, high) in is_gap.iter().copied().zip(is_high) {
            match high {
                Some(true) => {
                    hours.high += 1;
                    hours.high_gaps += usize::from(gap);
                    hours.separate += usize::from(gap && !was_gap);
                }
                Some(false) => {
                    hours.other += 1;
                    hours.other_gaps += usize::from(gap);
                    hours.other_separate += usize::from(gap && !was_gap);
                }
                None => {}
            }
            was_gap = gap;
        }
        hours
    }

    /// Share of high hours in which a gap begins.
    fn high_rate(&self) -> f64 {
        self.separate as f64 / self.high.max(1) as f64
    }

    /// Share of other hours in which a gap begins.
    fn usual_rate(&self) -> f64 {
        self.other_separate as f64 / self.other.max(1) as f64
    }
}

/// Evidence of each hour for gaps that stand where the load is high: `rate` is the share of high hours in
/// which a gap begins where they are made, `usual` that of other hours.
///
/// ```
/// use plume_udfs::patterns::outage_at_high_load::outage_at_high_load;
/// let is_high = [Some(true), Some(true), Some(false), None];
/// let evidence = outage_at_high_load(&[true, false, true, true], &is_high, 0.2, 0.02);
/// // ln(0.2 ÷ 0.02) = 2.303; ln(0.8 ÷ 0.98) = −0.203.
/// assert!((evidence[0] - 2.303).abs() < 1e-3 && (evidence[1] + 0.203).abs() < 1e-3);
/// assert_eq!((evidence[2], evidence[3]), (-evidence[0], 0.0));
/// ```
pub fn outage_at_high_load(is_gap: &[bool], is_high: &[Option<bool>], rate: f64, usual: f64) -> Vec<f64> {
    let rate = rate.max(usual);
    let (gap, none) = ((rate / usual).ln(), ((1.0 - rate) / (1.0 - usual)).ln());
    let mut was_gap = false;
    let of_hour = |(is_gap, is_high): (&bool, &Option<bool>)| {
        let begins = *is_gap && !was_gap;
        was_gap = *is_gap;
        match (is_gap, is_high) {
            (true, Some(true)) if begins => gap,
            (false, Some(true)) => none,
            (true, Some(false)) if begins => -gap,
            _ => 0.0,
        }
    };
    is_gap.iter().zip(is_high).map(of_hour).collect()
}

#[cfg(test)]
mod tests {
    use super::super::odd_records::{DEED, HALF_YEAR, survives};
    use super::super::survival::{even, found, stack, with_load};
    use super::*;
    use crate::time::HOUR_US;

    const PATTERN: &str = "outage_at_high_load";

    /// Load between 50 and 90 % over the day.
    fn loads() -> Vec<f64> {
        let part = even(2, HALF_YEAR);
        (0..HALF_YEAR)
            .map(|at| 70.0 + 15.0 * (at as f64 * std::f64::consts::TAU / 24.0).sin() + 5.0 * part[at])
            .collect()
    }

    fn outlet(is_gap: impl Fn(usize, f64) -> bool) -> Outlet {
        let mut outlet = with_load(stack(1, HALF_YEAR), loads());
        for (at, load) in loads().into_iter().enumerate().filter(|(at, load)| is_gap(*at, *load)) {
            assert!(load.is_finite());
            let fine = &mut outlet.factors[0].fine;
            (fine.value[at], fine.flag[at], fine.usable[at]) = (f64::NAN, 0, false);
        }
        outlet
    }

    #[test]
    fn gaps_at_high_load_are_found() {
        let chance = even(5, HALF_YEAR);
        for share in [0.2, 0.5, 0.9] {
            let outlet = outlet(|at, load| DEED.contains(&at) && load > 83.0 && chance[at] < share);
            let hits = found(PATTERN, detect, &outlet);
            assert_eq!(hits.len(), 1, "{share}");
            assert!((hits[0].started / HOUR_US - DEED.start as i64).abs() < 48, "{hits:?}");
            assert!((hits[0].ended / HOUR_US - DEED.end as i64).abs() < 48, "{hits:?}");
        }
    }

    #[test]
    fn outages_at_any_load_are_not() {
        let chance = even(6, HALF_YEAR);
        assert_eq!(found(PATTERN, detect, &outlet(|at, _| chance[at] < 0.03)), []);
        assert_eq!(found(PATTERN, detect, &outlet(|at, _| (2000..2100).contains(&at))), []);
        assert_eq!(found(PATTERN, detect, &outlet(|at, _| at % 400 < 9)), []);
    }

    #[test]
    fn odd_outlets() {
        survives(PATTERN, detect);
    }
}
