//! A plant before and after a pattern, for the tests.

use super::super::process::{Process, process};
use super::super::records::Records;
use super::super::{Dice, Interval, ProvinceRequest};
use super::*;

/// A plant before and after a family, with what it sends besides.
#[derive(Debug)]
pub(in crate::province) struct Case {
    pub(in crate::province) before: Process,
    pub(in crate::province) after: Process,
    pub(in crate::province) records: Records,
    pub(in crate::province) steps: Range<usize>,
    pub(in crate::province) signal: usize,
    pub(in crate::province) an_hour: usize,
}

impl Case {
    /// Values of the pattern's signal in its steps, those that are there.
    pub(in crate::province) fn shown(&self) -> Vec<f64> {
        self.after.signals[self.signal].known(self.steps.clone())
    }

    /// What they were before.
    pub(in crate::province) fn real(&self) -> Vec<f64> {
        self.before.signals[self.signal].known(self.steps.clone())
    }
}

pub(in crate::province) fn month(interval: Interval) -> ProvinceRequest {
    let day = 24 * 3_600_000_000;
    let (from, to) = (20_454 * day, 20_484 * day);
    ProvinceRequest { outlets: 1, from, to, seed: 3, interval, planted: true }
}

/// A month of a plant that never stops, of one seed.
pub(in crate::province) fn plant_of(seed: u64, is_air: bool, interval: Interval) -> (Dice, Process) {
    let steps = 30 * 24 * interval.steps_an_hour();
    (0..)
        .map(|index| {
            let mut dice = Dice::of_outlet(seed, index);
            let process = process(&mut dice, is_air, steps, interval, 0);
            (dice, process)
        })
        .find(|(_, process)| process.stop.is_none())
        .unwrap()
}

/// A family planted at a strength on a stack or an outfall.
pub(in crate::province) fn planted(name: &str, strength: usize, is_air: bool, interval: Interval) -> Case {
    let family = FAMILIES.iter().find(|family| family.name == name).unwrap();
    let (_, before) = plant_of(3, is_air, interval);
    let (mut dice, mut after) = plant_of(3, is_air, interval);
    let (_, other) = plant_of(4, is_air, interval);
    let mut records = Records::default();
    let request = month(interval);
    let mut scene = Scene::new(&request, &mut dice, &mut after, &mut records, Some((8, &other)));
    let plan = plant(&mut scene, family, strength);
    assert_eq!(plan.strength, STRENGTHS[strength].0);
    let an_hour = interval.steps_an_hour();
    Case { before, after, records, steps: plan.steps, signal: plan.signal, an_hour }
}

/// Every case of a family: weak to strong, of hours and minutes, on what it fits.
pub(in crate::province) fn cases(name: &'static str) -> impl Iterator<Item = (usize, Case)> {
    let on = FAMILIES.iter().find(|family| family.name == name).unwrap().on;
    let media = [true, false].into_iter().filter(move |is_air| on.fits(*is_air));
    media.flat_map(move |is_air| {
        [Interval::Hour, Interval::Minute].into_iter().flat_map(move |interval| {
            (0..STRENGTHS.len()).map(move |strength| (strength, planted(name, strength, is_air, interval)))
        })
    })
}

pub(in crate::province) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

pub(in crate::province) fn deviation(values: &[f64]) -> f64 {
    let mean = mean(values);
    (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / values.len() as f64).sqrt()
}

pub(in crate::province) fn correlation(x: &[f64], y: &[f64]) -> f64 {
    let (mean_x, mean_y) = (mean(x), mean(y));
    let product: f64 = x.iter().zip(y).map(|(x, y)| (x - mean_x) * (y - mean_y)).sum();
    product / x.len() as f64 / deviation(x) / deviation(y)
}
