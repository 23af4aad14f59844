//! One outlet of the province: what is planted on it or befalls it.

use arrow::array::RecordBatch;

use super::innocent::{self, Innocent, NETWORK_OUTAGE, RESEMBLES_OUTAGE, befall, network_outages};
use super::process::{Process, process};
use super::records::Records;
use super::scene::{Clock, HOUR_US, Scene};
use super::tables;
use super::tamper::{self, Family, Planted, plant};
use super::{Dice, ProvinceError, ProvinceRequest};

/// Everything about one outlet.
#[derive(Debug)]
pub struct OutletData {
    /// Patterns planted on it.
    pub truth: Vec<Planted>,
    /// What only looks like one.
    pub innocent: Vec<Innocent>,
    /// Its rows, by table.
    pub tables: Vec<(&'static str, RecordBatch)>,
}

/// What an outlet is in the province.
#[derive(Clone, Copy)]
enum Role {
    Planted(&'static Family, usize),
    Befallen(&'static innocent::Twin),
}

impl Role {
    /// Patterns and twins stand on alternate groups of three stacks and an outfall; where no
    /// pattern is planted, twins on all.
    fn of(request: &ProvinceRequest, index: u32) -> Self {
        let (group, place, is_air) = (index as usize / 4, index as usize % 4, is_air(index));
        let place_in = |group: usize| if is_air { group * 3 + place } else { group };
        if !request.planted {
            return Self::Befallen(innocent::dealt(is_air, place_in(group)));
        }
        let number = place_in(group / 2);
        if group % 2 == 0 {
            return Self::Befallen(innocent::dealt(is_air, number));
        }
        let (family, strength) = tamper::dealt(is_air, number);
        Self::Planted(family, strength)
    }

    /// Whether its series may be had by another: it is honest, and its own.
    fn is_source(self) -> bool {
        matches!(self, Self::Befallen(twin) if !twin.is_shared())
    }

    /// The outlet whose series this one has, if it has another's. It comes before it, so that
    /// it is there whatever the size of the province.
    fn source(self, request: &ProvinceRequest, index: u32) -> Option<u32> {
        let has_anothers = match self {
            Self::Planted(family, _) => family.name == "cross_outlet_copy",
            Self::Befallen(twin) => twin.is_shared(),
        };
        if !has_anothers {
            return None;
        }
        let before =
            (0..index).rev().filter(|other| is_air(*other) == is_air(index) && index / 4 != other / 4);
        before.take(24).find(|other| Self::of(request, *other).is_source())
    }
}

fn is_air(index: u32) -> bool {
    index % 4 != 3
}

/// What an outlet shows and sends, before any network fails.
struct Staged {
    dice: Dice,
    process: Process,
    records: Records,
    told: Told,
}

/// What is told of an outlet.
enum Told {
    Planted(tamper::Plan),
    Befallen(innocent::Plan),
}

/// Sets an outlet up; of those that have another's series, that one as well.
fn stage(request: &ProvinceRequest, index: u32) -> Staged {
    let interval = request.interval;
    let steps = usize::try_from((request.to - request.from) / interval.micros()).unwrap_or_default().max(1);
    let mut dice = Dice::of_outlet(request.seed, index);
    let first_hour = request.from.div_euclid(HOUR_US);
    let mut process = process(&mut dice, is_air(index), steps, interval, first_hour);
    let mut records = Records::default();
    let role = Role::of(request, index);
    let source = role.source(request, index).map(|source| (source, stage(request, source).process));
    let other = source.as_ref().map(|(source, process)| (*source, process));
    let mut scene = Scene::new(request, &mut dice, &mut process, &mut records, other);
    let told = match role {
        Role::Planted(family, strength) => Told::Planted(plant(&mut scene, family, strength)),
        Role::Befallen(twin) => Told::Befallen(befall(&mut scene, twin)),
    };
    Staged { dice, process, records, told }
}

/// Makes one outlet.
pub(super) fn outlet(request: &ProvinceRequest, index: u32) -> Result<OutletData, ProvinceError> {
    // 24 characters as HJ 212-2017 has them, in the order of the outlets.
    let mn = format!("PLUME{index:010}{}42000000", if is_air(index) { "G" } else { "W" });
    let Staged { mut dice, mut process, records, told } = stage(request, index);
    let (mut truth, mut innocent) = (Vec::new(), Vec::new());
    match &told {
        Told::Planted(plan) => truth.push(planted(request, &mn, &process, plan)),
        Told::Befallen(plan) => innocent.push(befallen(request, &mn, &process, plan)),
    }
    let city = tables::city_of(records.shares_with.unwrap_or(index));
    for outage in network_outages(request, city, process.load.len()) {
        // Every signal is silent; the first pollutant stands for all.
        let plan =
            innocent::Plan { twin: NETWORK_OUTAGE, resembles: RESEMBLES_OUTAGE, steps: outage, signal: 3 };
        process.silence(&plan.steps);
        innocent.push(befallen(request, &mn, &process, &plan));
    }
    let sent = tables::Sent { request, index, mn: &mn, process: &process, records: &records };
    let tables = tables::tables(&sent, &mut dice)?;
    Ok(OutletData { truth, innocent, tables })
}

/// The line of `truth.csv` about a pattern.
fn planted(request: &ProvinceRequest, mn: &str, process: &Process, plan: &tamper::Plan) -> Planted {
    let clock = Clock::of(request);
    Planted {
        mn: mn.to_owned(),
        factor: process.signals[plan.signal].factor,
        pattern: plan.family,
        strength: plan.strength,
        started: clock.time(plan.steps.start),
        ended: clock.time(plan.steps.end),
    }
}

/// The line of `innocent.csv` about a twin.
fn befallen(request: &ProvinceRequest, mn: &str, process: &Process, plan: &innocent::Plan) -> Innocent {
    let clock = Clock::of(request);
    Innocent {
        mn: mn.to_owned(),
        factor: process.signals[plan.signal].factor,
        twin: plan.twin,
        resembles: plan.resembles,
        started: clock.time(plan.steps.start),
        ended: clock.time(plan.steps.end),
    }
}
