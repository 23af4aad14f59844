//! An outlet as patterns see it: every series on a regular grid, and what is on record.
//!
//! All grids of an outlet begin at the same full hour. Where nothing was received a grid
//! holds NaN. A column that no row has is an empty slice.

use std::ops::Range;

use plume_datasets::condition_roles::ConditionRole;
use plume_datasets::factors::Medium;
use plume_datasets::pattern_thresholds::Grain;

use super::thresholds::OutletThreshold;
use crate::time::{DAY_HOURS, HOUR_US};

/// A regular grid of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grid {
    /// Where the first interval starts, µs; a full hour.
    pub start: i64,
    /// Length of an interval, µs; above 0.
    pub step: i64,
}

impl Grid {
    /// When a point's interval starts, µs; of the point behind the last, when that ends.
    pub fn ts(&self, point: usize) -> i64 {
        self.start.saturating_add(self.step.saturating_mul(point as i64))
    }

    /// Points that a number of hours holds, at least 1.
    pub fn points(&self, hours: f64) -> usize {
        ((hours * HOUR_US as f64 / self.step.max(1) as f64).round() as usize).max(1)
    }

    /// Hours that a number of points stands for.
    pub fn hours(&self, points: usize) -> f64 {
        points as f64 * self.step as f64 / HOUR_US as f64
    }

    /// The hour of the outlet, counted from the grid's start, that holds a point.
    pub fn hour(&self, point: usize) -> usize {
        usize::try_from((point as i64).saturating_mul(self.step) / HOUR_US).unwrap_or_default()
    }

    /// The hour of the day, 0 to 23, that holds a point.
    pub fn hour_of_day(&self, point: usize) -> i64 {
        self.ts(point).div_euclid(HOUR_US).rem_euclid(24)
    }

    /// How fine the grid is.
    pub fn grain(&self) -> Grain {
        if self.step < HOUR_US { Grain::Minute } else { Grain::Hour }
    }
}

/// One series on its grid; NaN, and flag 0, where nothing was received.
#[derive(Debug, Clone, PartialEq)]
pub struct Points {
    /// The grid.
    pub grid: Grid,
    /// Values as sent, whatever their flag.
    pub value: Vec<f64>,
    /// Flag letters; 0 where none was sent. Never empty.
    pub flag: Vec<u8>,
    /// Converted values as sent.
    pub converted: Vec<f64>,
    /// Least values in the interval.
    pub value_min: Vec<f64>,
    /// Greatest values in the interval.
    pub value_max: Vec<f64>,
    /// Accumulated in the interval.
    pub total: Vec<f64>,
    /// Seconds from the end of the interval to the arrival of the row in force; negative where it
    /// came before the interval had ended.
    pub delay_s: Vec<f64>,
    /// Seconds from the start of the interval to when the sample was taken.
    pub sampled_s: Vec<f64>,
    /// Whether a point may be judged: a finite value with flag `N` or none, above the detection
    /// limit, while the plant ran and had run for some hours, and not within a day of maintenance.
    pub usable: Vec<bool>,
}

impl Points {
    /// Points on the grid.
    pub fn len(&self) -> usize {
        self.value.len()
    }

    /// Whether the grid has no point.
    pub fn is_empty(&self) -> bool {
        self.value.is_empty()
    }

    /// The value at a point where it may be judged, else NaN.
    pub fn usable_value(&self, point: usize) -> f64 {
        match (self.usable.get(point), self.value.get(point)) {
            (Some(true), Some(value)) => *value,
            _ => f64::NAN,
        }
    }

    /// The values that may be judged, NaN elsewhere.
    pub fn usable_values(&self) -> Vec<f64> {
        self.usable_above(f64::NAN)
    }

    /// The values that may be judged and lie above a floor, NaN elsewhere; all where the floor is none.
    pub fn usable_above(&self, floor: f64) -> Vec<f64> {
        let judged = |(value, usable): (&f64, &bool)| {
            let is_judged = *usable && (floor.is_nan() || *value > floor);
            if is_judged { *value } else { f64::NAN }
        };
        self.value.iter().zip(&self.usable).map(judged).collect()
    }

    /// Whether nothing was received at a point.
    pub fn is_gap(&self, point: usize) -> bool {
        let (value, flag) = (self.value.get(point), self.flag.get(point));
        value.is_none_or(|value| value.is_nan()) && flag.is_none_or(|flag| *flag == 0)
    }

    /// How many points lie in each hour of the day, of those that are asked for.
    pub fn by_hour_of_day(&self, asked: impl Fn(usize) -> bool) -> [usize; DAY_HOURS as usize] {
        let mut counts = [0; DAY_HOURS as usize];
        for point in (0..self.len()).filter(|point| asked(*point)) {
            let hour = usize::try_from(self.grid.hour_of_day(point)).unwrap_or_default();
            if let Some(count) = counts.get_mut(hour) {
                *count += 1;
            }
        }
        counts
    }

    /// The converted value at a point where it may be judged, else NaN.
    pub fn usable_converted(&self, point: usize) -> f64 {
        match (self.usable.get(point), self.converted.get(point)) {
            (Some(true), Some(value)) => *value,
            _ => f64::NAN,
        }
    }

    /// When points begin and end, µs.
    pub fn span(&self, points: &Range<usize>) -> Range<i64> {
        self.grid.ts(points.start)..self.grid.ts(points.end)
    }
}

/// What is registered of a monitor, in force at the end of the hours asked for; NaN where it isn't.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MonitorFigures {
    /// Limit of an hourly mean.
    pub limit_hour: f64,
    /// Limit of a daily mean.
    pub limit_day: f64,
    /// Whether limits are compared with converted values.
    pub limit_on_converted: bool,
    /// Upper end of the range.
    pub range_high: f64,
    /// Detection limit.
    pub detection_limit: f64,
}

impl Default for MonitorFigures {
    fn default() -> Self {
        Self {
            limit_hour: f64::NAN,
            limit_day: f64::NAN,
            limit_on_converted: false,
            range_high: f64::NAN,
            detection_limit: f64::NAN,
        }
    }
}

/// A monitored factor.
#[derive(Debug, Clone, PartialEq)]
pub struct FactorSeries {
    /// HJ 212-2017 code.
    pub factor: String,
    /// Its medium.
    pub medium: Medium,
    /// What is registered of its monitor.
    pub monitor: MonitorFigures,
    /// The finest data there are: minutes, else hours.
    pub fine: Points,
    /// Hourly means of the minutes, where `fine` are minutes.
    pub means: Option<Points>,
    /// Hourly means as sent, where minutes were sent, too.
    pub sent_hours: Option<Points>,
    /// Daily means as sent, by day since 1970-01-01.
    pub sent_days: Vec<(i64, f64)>,
    /// The analyser's raw signals, in time order.
    pub signals: Vec<RawSignal>,
}

impl FactorSeries {
    /// Hourly data: the finest where they are hours, else the means of the minutes.
    pub fn hours(&self) -> &Points {
        self.means.as_ref().unwrap_or(&self.fine)
    }
}

/// Where an analyser stood when its signal was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Measuring.
    Measure,
    /// On zero gas, or a blank.
    Zero,
    /// On span gas, or a standard.
    Span,
}

/// One row of `raw_signals`; NaN where NULL.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RawSignal {
    /// When, µs.
    pub ts: i64,
    /// Raw signal of the analyser.
    pub signal: f64,
    /// Concentration at the analyser.
    pub reading: f64,
    /// Concentration at the data logger.
    pub logged: f64,
    /// What was measured.
    pub phase: Phase,
}

/// A working condition, by hour.
#[derive(Debug, Clone, PartialEq)]
pub struct ConditionSeries {
    /// Parameter of working conditions.
    pub param: String,
    /// What it stands for.
    pub role: Option<ConditionRole>,
    /// Hourly means, on the outlet's hours.
    pub hours: Vec<f64>,
}

/// A check of a monitor.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckRecord {
    /// Factor.
    pub factor: String,
    /// When, µs.
    pub ts: i64,
    /// Kind, as table `qc_results` has it.
    pub kind: String,
    /// Concentration of the standard; NaN where unknown.
    pub expected: f64,
    /// What the analyser showed; NaN where unknown.
    pub measured: f64,
}

/// A piece of maintenance.
#[derive(Debug, Clone, PartialEq)]
pub struct MaintenanceRecord {
    /// Factor; empty where it was of the whole outlet.
    pub factor: String,
    /// When it began and ended, µs.
    pub span: Range<i64>,
    /// Kind and text as recorded.
    pub text: String,
}

/// A parameter of a device, in force from a time on.
#[derive(Debug, Clone, PartialEq)]
pub struct ParamRecord {
    /// Factor.
    pub factor: String,
    /// Parameter.
    pub param: String,
    /// From when on, µs.
    pub ts: i64,
    /// Its value; NaN where it is a text.
    pub value: f64,
}

/// From where packets of the outlet's device came on a day.
#[derive(Debug, Clone, PartialEq)]
pub struct PeerRecord {
    /// The address.
    pub peer: String,
    /// First and last packet, µs.
    pub span: Range<i64>,
    /// Packets.
    pub packets: usize,
}

/// What is on record of an outlet, each in order of time.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Records {
    /// Checks of its monitors.
    pub checks: Vec<CheckRecord>,
    /// Maintenance.
    pub maintenance: Vec<MaintenanceRecord>,
    /// Parameters of its devices.
    pub params: Vec<ParamRecord>,
    /// Where packets came from, an entry a day and address.
    pub peers: Vec<PeerRecord>,
}

/// One outlet.
#[derive(Debug, Clone, PartialEq)]
pub struct Outlet {
    /// Its id.
    pub mn: String,
    /// The hours, on which conditions and stops stand.
    pub hours: Grid,
    /// Its factors, by code.
    pub factors: Vec<FactorSeries>,
    /// Its working conditions, by parameter.
    pub conditions: Vec<ConditionSeries>,
    /// Whether production was registered as stopped, by hour.
    pub stopped: Vec<bool>,
    /// Reference oxygen, %; NaN where none is registered.
    pub o2_reference: f64,
    /// What is on record.
    pub records: Records,
    /// Thresholds of its own.
    pub thresholds: Vec<OutletThreshold>,
}

impl Outlet {
    /// The series of a factor.
    pub fn factor(&self, factor: &str) -> Option<&FactorSeries> {
        self.factors.iter().find(|series| series.factor == factor)
    }

    /// The load by hour: the condition `load`, else the first with that role; empty where there is none.
    pub fn load(&self) -> &[f64] {
        let named = self.conditions.iter().map(|condition| (condition.param.as_str(), condition.role));
        let load = ConditionRole::load_among(named).and_then(|at| self.conditions.get(at));
        load.map(|condition| condition.hours.as_slice()).unwrap_or_default()
    }

    /// The flow that carries a medium.
    pub fn flow(&self, medium: Medium) -> Option<&FactorSeries> {
        self.factor(medium.flow_factor())
    }

    /// Its pollutants: what has a limit, or a mass.
    pub fn pollutants(&self) -> impl Iterator<Item = &FactorSeries> {
        self.factors.iter().filter(|series| {
            plume_datasets::factors::kg_per_unit(&series.factor).is_some()
                || series.monitor.limit_hour.is_finite()
        })
    }

    /// Whether production was registered as stopped in an hour.
    pub fn is_stopped(&self, hour: usize) -> bool {
        self.stopped.get(hour).copied().unwrap_or_default()
    }
}
