//! Validity and measured emissions hour by hour, as the domain reference (section 3) and the
//! contract word them: a map of hours, then of days, then of months. Where the contract can be
//! read in two ways a figure is `Unclear` and not compared.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::Datelike;

use super::scenario::{Outlet, Row, Scenario, date};

/// What is due of a figure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Due {
    Is(Option<f64>),
    Unclear,
}

#[derive(Debug, Clone)]
pub(crate) struct Hour {
    pub(crate) value: Option<f64>,
    pub(crate) converted: Due,
    pub(crate) valid_minutes: Option<f64>,
    pub(crate) valid: bool,
    pub(crate) received: bool,
    pub(crate) stopped: bool,
    pub(crate) contradicted: bool,
    pub(crate) no_flow: bool,
    /// Outside every stop of the facility.
    pub(crate) facility_free: bool,
    /// m³ of the hour, of a flow.
    m3: Option<f64>,
}

#[derive(Debug, Clone)]
pub(crate) struct Day {
    pub(crate) value: Due,
    pub(crate) partial: Due,
    pub(crate) converted: Due,
    pub(crate) valid_hours: usize,
    pub(crate) required: usize,
    pub(crate) stopped_hours: usize,
    pub(crate) reported: bool,
    pub(crate) valid: bool,
    /// Least and greatest valid hour, for pH.
    pub(crate) extremes: Option<(f64, f64)>,
    /// Whether the verdict can be read in two ways.
    pub(crate) unclear: bool,
    all_stopped: bool,
    nothing_due: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Month {
    pub(crate) value: Due,
    pub(crate) partial: Due,
    pub(crate) valid_days: usize,
    pub(crate) required: Vec<usize>,
    pub(crate) stopped_days: usize,
    pub(crate) unclear: bool,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Mass {
    pub(crate) measured_kg: f64,
    pub(crate) measured_hours: usize,
    pub(crate) unmeasured_hours: usize,
    pub(crate) stopped_hours: usize,
}

pub(crate) type Series = (&'static str, &'static str);

#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub(crate) hours: BTreeMap<(Series, i64), Hour>,
    pub(crate) days: BTreeMap<(Series, i64), Day>,
    pub(crate) months: BTreeMap<(Series, String), Month>,
    pub(crate) mass: BTreeMap<(Series, String), Mass>,
}

pub(crate) fn answer(all: &Scenario) -> Answer {
    let hourly = in_force(&all.hourly);
    let mut minutes: HashMap<(Series, i64), Vec<Row>> = HashMap::new();
    for (_, row) in in_force(&all.minute) {
        minutes.entry(((row.mn, row.factor), row.at.div_euclid(60))).or_default().push(row);
    }
    let mut answer = Answer::default();
    let daily = in_force(&all.daily);
    let series: BTreeSet<Series> = hourly.keys().chain(daily.keys()).map(|(series, _)| *series).collect();
    for (mn, factor) in series {
        let every = ((mn, factor), i64::MIN)..=((mn, factor), i64::MAX);
        let mut hours: Vec<i64> = hourly.range(every.clone()).map(|((_, at), _)| at / 60).collect();
        // A reported day tells of all its hours.
        hours.extend(daily.range(every).flat_map(|((_, at), _)| [at / 60, at / 60 + 23]));
        hours.sort_unstable();
        let outlet = all.registry.iter().find(|outlet| outlet.mn == mn);
        // A registered outlet is due from `since`, else its first row, to `until`; another from its
        // first row to its last.
        let (first, last) = match outlet {
            Some(outlet) => (outlet.since.unwrap_or(hours[0]), outlet.until - 1),
            None => (hours[0], hours[hours.len() - 1]),
        };
        for hour in first..=last {
            let settled = settle(all, outlet, &hourly, &minutes, (mn, factor), hour);
            answer.hours.insert(((mn, factor), hour), settled);
        }
    }
    add_days(&mut answer, &daily);
    add_months(&mut answer);
    add_mass(&mut answer);
    answer
}

/// Of several versions of a row the one received last; ties by source, then by value.
fn in_force(rows: &[Row]) -> BTreeMap<(Series, i64), Row> {
    let mut winners: BTreeMap<(Series, i64), Row> = BTreeMap::new();
    for row in rows {
        let rank = |row: &Row| (row.received, row.source);
        let winner = winners.entry(((row.mn, row.factor), row.at)).or_insert_with(|| row.clone());
        if rank(row) > rank(winner) || (rank(row) == rank(winner) && row.value > winner.value) {
            *winner = row.clone();
        }
    }
    winners
}

/// One hour of one series.
fn settle(
    all: &Scenario,
    outlet: Option<&Outlet>,
    hourly: &BTreeMap<(Series, i64), Row>,
    minutes: &HashMap<(Series, i64), Vec<Row>>,
    (mn, factor): Series,
    hour: i64,
) -> Hour {
    let water = factor.starts_with('w');
    let row_of = |factor: &'static str| hourly.get(&((mn, factor), hour * 60));
    let valid_of = |factor| row_of(factor).filter(|row| row.flag == Some('N')).and_then(|row| row.value);
    let row = row_of(factor);
    let of_hour = minutes.get(&((mn, factor), hour)).map_or(&[][..], Vec::as_slice);

    // Minutes received that cover 45 decide: valid if the valid ones cover 45; else the reported hour.
    let each = if water { 10 } else { 1 };
    let minutes_decide = of_hour.len() * each >= 45;
    let good: Vec<f64> =
        of_hour.iter().filter(|row| row.flag == Some('N')).filter_map(|row| row.value).collect();
    let figure = if minutes_decide {
        (good.len() * each >= 45).then(|| mean(&good)).flatten()
    } else {
        valid_of(factor)
    };

    let stop = |production: bool| {
        all.stops.iter().any(|stop| {
            let inside = stop.started <= hour && stop.ended.is_none_or(|ended| hour < ended);
            stop.mn == mn && stop.production == production && inside
        })
    };
    // Flow, and for gas oxygen below 18 %, contradict a stop.
    let flow = if water { "w00000" } else { "a00000" };
    let flows = valid_of(flow).is_some_and(|flow| flow > 0.0);
    let shows = flows && (water || valid_of("a19001").is_some_and(|o2| o2 < 18.0));
    let contradicted = stop(true) && shows;
    let stopped = stop(true) && !shows;
    let no_flow = water && !stopped && valid_of("w00000") == Some(0.0);
    // Whether the flow's own value is invalid in an hour without flow is left open; its m³ are 0 either way.
    let value = figure.filter(|_| !stopped && !stop(false) && !no_flow);

    let m3 = row.filter(|_| value.is_some() && factor == flow).and_then(|row| {
        let hourly_m3 = if water { 3.6 } else { 3600.0 };
        row.total.or(row.value.map(|value| value * hourly_m3))
    });
    // Sent, else computed with the hour's valid oxygen, capped at 20 %.
    let converted = match (row.and_then(|row| row.converted), outlet.and_then(|o| o.o2_reference), value) {
        (_, _, None) => Due::Unclear,
        (Some(_), ..) if minutes_decide => Due::Unclear,
        (Some(sent), ..) => Due::Is(Some(sent)),
        (None, Some(reference), Some(value)) if matches!(factor, "a21026" | "a34013") => {
            let compute = |o2: f64| Due::Is(Some(value * (21.0 - reference) / (21.0 - o2.min(20.0))));
            valid_of("a19001").map_or(Due::Unclear, compute)
        }
        _ => Due::Unclear,
    };
    Hour {
        value,
        converted,
        valid_minutes: minutes_decide.then_some((good.len() * each) as f64),
        valid: value.is_some(),
        received: row.is_some() || minutes_decide,
        stopped,
        contradicted,
        no_flow,
        facility_free: !stop(false),
        m3,
    }
}

fn add_days(answer: &mut Answer, daily: &BTreeMap<(Series, i64), Row>) {
    let mut by_day: BTreeMap<(Series, i64), Vec<(i64, Hour)>> = BTreeMap::new();
    for ((series, hour), settled) in &answer.hours {
        by_day.entry((*series, hour.div_euclid(24))).or_default().push((*hour, settled.clone()));
    }
    for (((mn, factor), day), hours) in by_day {
        let m3 = |hour: i64| answer.hours.get(&((mn, "w00000"), hour)).and_then(|flow| flow.m3);
        let reported =
            daily.get(&((mn, factor), day * 1440)).filter(|_| hours.iter().all(|(_, h)| !h.received));
        let day_row = day_of(factor, &hours, reported, m3);
        answer.days.insert(((mn, factor), day), day_row);
    }
}

fn day_of(
    factor: &str,
    hours: &[(i64, Hour)],
    reported: Option<&Row>,
    m3: impl Fn(i64) -> Option<f64>,
) -> Day {
    let water = factor.starts_with('w');
    let count = |what: fn(&Hour) -> bool| hours.iter().filter(|(_, hour)| what(hour)).count();
    let (stopped_hours, no_flow) = (count(|h| h.stopped), count(|h| h.no_flow));
    let due = hours.len() - no_flow - stopped_hours;
    // Air: 20 hours, whatever was due; water: 75 % of the results due, rounded up.
    let required = if water { (3 * due).div_ceil(4) } else { 20 };
    let good: Vec<(i64, f64)> = hours.iter().filter_map(|(at, hour)| Some((*at, hour.value?))).collect();
    let values: Vec<f64> = good.iter().map(|(_, value)| *value).collect();
    let valid = !good.is_empty() && good.len() >= required;
    let partial = if factor == "w01001" {
        Due::Unclear
    } else if water && factor != "w00000" {
        weighted(&good, m3)
    } else {
        Due::Is(mean(&values))
    };
    let converted: Option<Vec<f64>> = hours
        .iter()
        .filter(|(_, hour)| hour.valid)
        .map(|(_, hour)| match hour.converted {
            Due::Is(value) => value,
            Due::Unclear => None,
        })
        .collect();
    let least = values.iter().copied().reduce(f64::min);
    let extremes = least.zip(values.iter().copied().reduce(f64::max));
    let value = match partial {
        _ if !valid || factor == "w01001" => Due::Is(None),
        partial => partial,
    };
    let day = Day {
        value,
        partial,
        converted: match converted {
            Some(values) if valid => Due::Is(mean(&values)),
            Some(_) => Due::Is(None),
            None => Due::Unclear,
        },
        valid_hours: good.len(),
        required,
        stopped_hours,
        reported: false,
        valid,
        extremes,
        // The flow's own hours without flow; a reported day in which a stop or want of flow falls.
        unclear: (factor == "w00000" && no_flow > 0)
            || (reported.is_some() && hours.iter().any(|(_, h)| h.stopped || h.no_flow || !h.facility_free)),
        all_stopped: stopped_hours == hours.len(),
        nothing_due: due == 0,
    };
    let Some(reported) = reported else { return day };
    let figure = reported.value.filter(|_| reported.flag == Some('N'));
    let value = figure.filter(|_| factor != "w01001");
    Day { value: Due::Is(value), partial: Due::Unclear, reported: true, valid: figure.is_some(), ..day }
}

/// Σ(C·Q) / ΣQ; unclear where an hour has a concentration and no flow.
fn weighted(good: &[(i64, f64)], m3: impl Fn(i64) -> Option<f64>) -> Due {
    let pairs: Option<Vec<(f64, f64)>> = good.iter().map(|(at, value)| Some((*value, m3(*at)?))).collect();
    match pairs {
        None => Due::Unclear,
        Some(pairs) if pairs.is_empty() => Due::Is(None),
        Some(pairs) => {
            let volume: f64 = pairs.iter().map(|(_, m3)| m3).sum();
            Due::Is(Some(pairs.iter().map(|(value, m3)| value * m3).sum::<f64>() / volume))
        }
    }
}

fn add_months(answer: &mut Answer) {
    let mut by_month: BTreeMap<(Series, String), Vec<&Day>> = BTreeMap::new();
    for ((series, day), settled) in &answer.days {
        by_month.entry((*series, month_of(*day))).or_default().push(settled);
    }
    let mut months = BTreeMap::new();
    for ((series, month), days) in by_month {
        let first = chrono::NaiveDate::parse_from_str(&month, "%Y-%m-%d").unwrap();
        let length = first.num_days_in_month() as usize;
        let idle = days.iter().filter(|day| day.nothing_due).count();
        // Water: 75 % of the month's days; whether days on which nothing was due are among them is left open.
        let required = match series.1.starts_with('w') {
            true => vec![(3 * length).div_ceil(4), (3 * (length - idle)).div_ceil(4)],
            false => vec![if first.month() == 2 { 23 } else { 25 }],
        };
        let valid: Vec<&&Day> = days.iter().filter(|day| day.valid).collect();
        let values: Option<Vec<f64>> = valid
            .iter()
            .map(|day| match day.value {
                Due::Is(value) => value,
                Due::Unclear => None,
            })
            .collect();
        let partial = match values {
            _ if series.1 == "w01001" => Due::Unclear,
            Some(values) => Due::Is(mean(&values)),
            None => Due::Unclear,
        };
        let enough = |required: &usize| !valid.is_empty() && valid.len() >= *required;
        let two_verdicts = required.iter().any(enough) && !required.iter().all(enough);
        let month_row = Month {
            value: match partial {
                partial if required.iter().all(enough) && series.1 != "w01001" => partial,
                _ => Due::Is(None),
            },
            partial,
            valid_days: valid.len(),
            stopped_days: days.iter().filter(|day| day.all_stopped).count(),
            unclear: two_verdicts || days.iter().any(|day| day.unclear),
            required,
        };
        months.insert((series, month), month_row);
    }
    answer.months = months;
}

/// kg = concentration × m³ × 1e-6 for mg/m³ of gas and for µg/L, × 1e-3 for mg/L. An hour is
/// measured if both are valid; a valid negative concentration counts 0. An invalid day of water
/// is replaced whole, once there is a valid day before it to take a mass from.
fn add_mass(answer: &mut Answer) {
    let mut mass: BTreeMap<(Series, String), Mass> = BTreeMap::new();
    let replaced = replaced_days(answer);
    for (((mn, factor), at), hour) in &answer.hours {
        let Some((flow, kg)) = carrier(factor) else { continue };
        if hour.no_flow {
            continue;
        }
        let sums = mass.entry(((mn, factor), month_of(at.div_euclid(24)))).or_default();
        let m3 = answer.hours.get(&((mn, flow), *at)).and_then(|flow| flow.m3);
        match (hour.value, m3) {
            _ if hour.stopped => sums.stopped_hours += 1,
            _ if replaced.contains(&((*mn, *factor), at.div_euclid(24))) => sums.unmeasured_hours += 1,
            (Some(value), Some(m3)) => {
                sums.measured_hours += 1;
                sums.measured_kg += value.max(0.0) * m3 * kg;
            }
            _ => sums.unmeasured_hours += 1,
        }
    }
    answer.mass = mass;
}

/// The flow that carries a factor, and kg in one unit × 1 m³.
fn carrier(factor: &str) -> Option<(&'static str, f64)> {
    match factor {
        "a21026" | "a34013" => Some(("a00000", 1e-6)),
        "w20119" => Some(("w00000", 1e-6)),
        "w01018" => Some(("w00000", 1e-3)),
        _ => None,
    }
}

/// The days of water that are not valid, after a first one that is.
fn replaced_days(answer: &Answer) -> BTreeSet<(Series, i64)> {
    let mut by_day: BTreeMap<(Series, i64), Vec<(i64, &Hour)>> = BTreeMap::new();
    for ((series, at), hour) in &answer.hours {
        if series.1.starts_with('w') && carrier(series.1).is_some() && !hour.stopped && !hour.no_flow {
            by_day.entry((*series, at.div_euclid(24))).or_default().push((*at, hour));
        }
    }
    let mut replaced = BTreeSet::new();
    let mut valid_before: BTreeSet<Series> = BTreeSet::new();
    for ((series, day), hours) in by_day {
        let m3 = |at: i64| answer.hours.get(&((series.0, "w00000"), at)).and_then(|flow| flow.m3);
        let good: Vec<i64> = hours.iter().filter(|(_, h)| h.value.is_some()).map(|(at, _)| *at).collect();
        let carried = good.iter().filter_map(|at| m3(*at)).any(|m3| m3 > 0.0);
        if carried && good.len() >= (3 * hours.len()).div_ceil(4) {
            valid_before.insert(series);
        } else if valid_before.contains(&series) {
            replaced.insert((series, day));
        }
    }
    replaced
}

/// First day of the month of a day since 1970.
fn month_of(day: i64) -> String {
    format!("{}-01", &date(day)[..7])
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}
