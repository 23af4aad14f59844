//! Instruments that only some outlets have: the state of the gas in the duct, conductivity,
//! temperature and oxygen demand of the water.

use super::{Process, Signal, rounded, signal, wandering};
use crate::province::Dice;

/// The duct behind a velocity.
#[derive(Debug, Clone, Copy)]
pub(in crate::province) struct Duct {
    /// Cross-section, m².
    pub(in crate::province) area: f64,
    /// Velocity-field coefficient.
    pub(in crate::province) kv: f64,
    /// Ambient pressure, kPa.
    pub(in crate::province) ambient: f64,
}

const AMBIENT_KPA: f64 = 101.3;
const DRAUGHT_KPA: f64 = -0.18;
/// Humidity behind a wet scrubber, %.
const WET: f64 = 12.0;
/// Velocity at the mean flow, m/s.
const DESIGN_VELOCITY: f64 = 12.0;
/// Coefficient of the pitot tube, and half the density of the gas, kg/m³.
const PITOT: (f64, f64) = (0.84, 0.55);

impl Process {
    /// Fits a stack with velocity, dynamic and static pressure and humidity, all in accord with its flow.
    pub(in crate::province) fn fit_duct(&mut self, dice: &mut Dice, an_hour: usize) {
        let (Some(flow), Some(temperature)) = (self.position("a00000"), self.position("a01012")) else {
            return;
        };
        let steps = self.load.len();
        let wander = wandering(dice, steps, 12.0 * an_hour as f64);
        let running = |step: usize| self.load[step] > 0.0;
        let humidity: Vec<f64> = (0..steps)
            .map(|step| if running(step) { WET + 0.6 * wander[step] + 0.1 * dice.normal() } else { 2.0 })
            .collect();
        let draught: Vec<f64> = (0..steps)
            .map(|step| if running(step) { DRAUGHT_KPA * (1.0 + 0.08 * dice.normal()) } else { 0.0 })
            .collect();
        // m³/s as the duct carries it, from m³/s at dry standard state.
        let carried = |step: usize| {
            let dry_standard = 273.0 / (273.0 + self.signals[temperature].value[step])
                * (AMBIENT_KPA + draught[step])
                / 101.325
                * (1.0 - humidity[step] / 100.0);
            self.signals[flow].value[step] / dry_standard
        };
        let known: Vec<f64> = (0..steps).map(carried).filter(|flow| *flow > 0.0).collect();
        let mean = known.iter().sum::<f64>() / known.len().max(1) as f64;
        let area = rounded((mean / DESIGN_VELOCITY).max(0.05), 2);
        let kv = rounded(dice.between(1.02, 1.12), 2);
        let velocity: Vec<f64> = (0..steps).map(|step| carried(step) / area).collect();
        let (pitot, half_density) = PITOT;
        let dynamic = velocity.iter().map(|velocity| {
            (velocity / kv / pitot).powi(2) * half_density / 1000.0 * (1.0 + 0.004 * dice.normal())
        });
        let dynamic = dynamic.collect();
        self.duct = Some(Duct { area, kv, ambient: AMBIENT_KPA });
        self.fit(signal("a01011", 2, velocity));
        self.fit(signal("a01013", 3, draught));
        self.fit(signal("a01014", 2, humidity));
        self.fit(signal("a01017", 5, dynamic));
    }

    /// Fits an outfall with conductivity and temperature.
    pub(in crate::province) fn fit_probes(&mut self, dice: &mut Dice, an_hour: usize) {
        let steps = self.load.len();
        let salt = wandering(dice, steps, 30.0 * an_hour as f64);
        let level = dice.between(900.0, 2500.0);
        let conductivity = salt.iter().map(|w| level * (1.0 + 0.08 * w)).collect();
        let warmth = wandering(dice, steps, 60.0 * an_hour as f64);
        let level = dice.between(26.0, 32.0);
        let temperature = warmth.iter().map(|w| level + 0.8 * w + 0.05 * dice.normal()).collect();
        self.fit(signal("w01010", 1, temperature));
        self.fit(signal("w01014", 0, conductivity));
    }

    /// Fits an outfall with five-day biochemical oxygen demand: most of the chemical one, as
    /// in the water of a brewery.
    pub(in crate::province) fn fit_oxygen_demand(&mut self, dice: &mut Dice, an_hour: usize) {
        let Some(chemical) = self.position("w01018") else { return };
        let wander = wandering(dice, self.load.len(), 12.0 * an_hour as f64);
        let shown = self.signals[chemical].value.iter().zip(&wander);
        let demand = shown.map(|(chemical, w)| chemical * (0.82 + 0.015 * w)).collect();
        self.fit(signal("w01017", 1, demand));
    }

    fn fit(&mut self, mut fitted: Signal) {
        fitted.value.iter_mut().for_each(|value| *value = rounded(*value, fitted.decimals));
        self.signals.push(fitted);
    }
}
