//! A synthetic province, the same for the same seed.
//!
//! Load drives flow, oxygen, raw gas and with them the stack; water works run
//! by day and night likewise. Outlets stop, analysers are maintained, calibrated
//! and fail, rows come late and twice. On half of the outlets a fraud pattern is
//! planted, told in `truth.csv`; the others show something that only looks like
//! one, told in `innocent.csv`; where no pattern is planted, all of them do. Now and then the network of a city is down, and
//! all its outlets are silent at once, which `innocent.csv` tells for each of them.
//! One outlet is made at a time, so memory doesn't grow with the province.

mod innocent;
mod outlet;
mod process;
mod records;
mod scene;
mod tables;
mod tamper;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use thiserror::Error;

pub use innocent::Innocent;
pub use outlet::OutletData;
pub use tamper::Planted;

/// How far apart rows are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interval {
    /// Hourly rows in table `hourly`.
    Hour,
    /// Minute rows in table `minute`.
    Minute,
}

impl Interval {
    /// The interval in µs.
    pub fn micros(self) -> i64 {
        match self {
            Self::Hour => 3_600_000_000,
            Self::Minute => 60_000_000,
        }
    }

    fn steps_an_hour(self) -> usize {
        match self {
            Self::Hour => 1,
            Self::Minute => 60,
        }
    }
}

/// What to make.
#[derive(Debug, Clone)]
pub struct ProvinceRequest {
    /// Outlets; three of four are stacks, the fourth is an outfall.
    pub outlets: u32,
    /// First moment, µs of Beijing time.
    pub from: i64,
    /// Moment after the last, µs.
    pub to: i64,
    /// The same seed gives the same rows.
    pub seed: u64,
    /// How far apart rows are.
    pub interval: Interval,
    /// Whether fraud patterns are planted, on half of the outlets.
    pub planted: bool,
}

/// Why a province can't be made.
#[derive(Debug, Error)]
pub enum ProvinceError {
    /// The period is empty.
    #[error("the period is empty: --from must lie before --to")]
    EmptyPeriod,
    /// A batch couldn't be built.
    #[error("{0}")]
    Arrow(#[from] arrow::error::ArrowError),
}

/// A province to be made.
#[derive(Debug)]
pub struct Province {
    request: ProvinceRequest,
}

impl Province {
    /// A province as requested.
    pub fn new(request: &ProvinceRequest) -> Result<Self, ProvinceError> {
        if request.from >= request.to {
            return Err(ProvinceError::EmptyPeriod);
        }
        Ok(Self { request: request.clone() })
    }

    /// The outlets one after another, by `mn`.
    pub fn outlets(&self) -> impl Iterator<Item = Result<OutletData, ProvinceError>> + '_ {
        (0..self.request.outlets).map(|index| outlet::outlet(&self.request, index))
    }
}

/// A time as the lists of planted patterns and twins write it.
fn time_text(ts: i64) -> String {
    chrono::DateTime::from_timestamp_micros(ts)
        .map_or_else(String::new, |time| time.format("%Y-%m-%d %H:%M:%S").to_string())
}

/// Random numbers of one outlet, apart from every other's.
struct Dice(ChaCha8Rng);

impl Dice {
    fn of_outlet(seed: u64, index: u32) -> Self {
        Self::of_stream(seed, u64::from(index))
    }

    /// Random numbers that the outlets of a city share; streams from the end on, which no
    /// outlet has.
    fn of_city(seed: u64, city: usize) -> Self {
        Self::of_stream(seed, u64::MAX - city as u64)
    }

    fn of_stream(seed: u64, stream: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(stream);
        Self(rng)
    }

    /// Uniform in [0, 1).
    fn uniform(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Uniform in [low, high).
    fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.uniform()
    }

    /// A whole number below `limit`; 0 for a limit of 0.
    fn below(&mut self, limit: usize) -> usize {
        ((self.uniform() * limit as f64) as usize).min(limit.saturating_sub(1))
    }

    /// About normal: the sum of twelve uniforms, which is the same on every machine.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0
    }

    fn chance(&mut self, probability: f64) -> bool {
        self.uniform() < probability
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::AsArray;
    use arrow::datatypes::{Float64Type, TimestampMicrosecondType};

    fn request(seed: u64) -> ProvinceRequest {
        let day = 24 * 3_600_000_000;
        ProvinceRequest {
            outlets: 40,
            from: 20_454 * day,
            to: 20_484 * day,
            seed,
            interval: Interval::Hour,
            planted: true,
        }
    }

    fn made(seed: u64) -> Vec<OutletData> {
        Province::new(&request(seed)).unwrap().outlets().map(Result::unwrap).collect()
    }

    #[test]
    fn the_same_seed_gives_the_same_rows_and_another_gives_others() {
        let (first, second, other) = (made(1), made(1), made(2));
        assert!(first.iter().zip(&second).all(|(a, b)| a.tables == b.tables));
        assert!(first.iter().zip(&other).any(|(a, b)| a.tables != b.tables));
    }

    #[test]
    fn tables_have_the_columns_of_the_contract() {
        for outlet in made(1) {
            for (name, batch) in &outlet.tables {
                let table = crate::schema::table(name).unwrap();
                assert!(batch.schema().fields().iter().all(|f| table.column(f.name()).is_some()), "{name}");
            }
        }
    }

    #[test]
    fn tables_of_all_outlets_have_one_schema() {
        let mut schemas = std::collections::HashMap::new();
        for outlet in made(1) {
            for (name, batch) in outlet.tables {
                assert_eq!(schemas.entry(name).or_insert_with(|| batch.schema()), &batch.schema(), "{name}");
            }
        }
    }

    #[test]
    fn every_family_is_planted_at_three_strengths() {
        let planted: Vec<Planted> = made(1).into_iter().flat_map(|outlet| outlet.truth).collect();
        assert!(planted.len() >= 15);
        assert!(planted.iter().all(|p| ["weak", "medium", "strong"].contains(&p.strength)));
        assert!(planted.iter().all(|p| p.started < p.ended));
    }

    #[test]
    fn what_is_not_planted_is_innocent() {
        let of_its_own = |outlet: &OutletData| {
            outlet.innocent.iter().filter(|innocent| innocent.twin != innocent::NETWORK_OUTAGE).count()
        };
        let (mut planted, mut befallen) = (0, 0);
        for outlet in made(1) {
            assert!(outlet.truth.len() + of_its_own(&outlet) <= 1);
            assert!(!outlet.truth.is_empty() || !outlet.innocent.is_empty());
            planted += outlet.truth.len();
            befallen += of_its_own(&outlet);
        }
        assert_eq!((planted, befallen), (20, 20));
        let clean = ProvinceRequest { planted: false, ..request(1) };
        for outlet in Province::new(&clean).unwrap().outlets().map(Result::unwrap) {
            assert!(outlet.truth.is_empty() && !outlet.innocent.is_empty());
        }
    }

    /// City, start and end of the outages told for an outlet.
    fn outages(outlet: &OutletData) -> Vec<(i64, i64)> {
        let told = outlet.innocent.iter().filter(|innocent| innocent.twin == innocent::NETWORK_OUTAGE);
        told.map(|innocent| (innocent.started, innocent.ended)).collect()
    }

    /// The number of an outlet's enterprise.
    fn enterprise(outlet: &OutletData) -> usize {
        let (_, rows) = outlet.tables.iter().find(|(name, _)| *name == "outlets").unwrap();
        let id = rows.column_by_name("enterprise_id").unwrap().as_string::<i32>().value(0).to_owned();
        id.trim_start_matches('E').parse().unwrap()
    }

    #[test]
    fn a_network_outage_silences_every_outlet_of_its_city_just_where_it_is_told() {
        let outlets = made(1);
        let mut of_city: std::collections::HashMap<usize, Vec<(i64, i64)>> = std::collections::HashMap::new();
        for (index, outlet) in outlets.iter().enumerate() {
            let told = outages(outlet);
            assert!(!told.is_empty());
            let (_, rows) = outlet.tables.iter().find(|(name, _)| *name == "hourly").unwrap();
            let ts = rows.column_by_name("ts").unwrap().as_primitive::<TimestampMicrosecondType>();
            let is_silent = |ts: &i64| told.iter().any(|(start, end)| (start..end).contains(&ts));
            assert!(!ts.values().iter().any(is_silent), "outlet {index} speaks while the network is down");
            // Enterprises are dealt to six cities.
            assert_eq!(of_city.entry(enterprise(outlet) % 6).or_insert_with(|| told.clone()), &told);
        }
        assert!(of_city.len() == 6 && of_city.values().any(|told| *told != of_city[&0]));
    }

    #[test]
    fn minutes_are_registered_as_what_they_cover() {
        let minutes = ProvinceRequest {
            interval: Interval::Minute,
            to: request(1).from + 86_400_000_000,
            ..request(1)
        };
        for (request, due) in [(request(1), None), (minutes, Some(60.0))] {
            let outlet = Province::new(&request).unwrap().outlets().next().unwrap().unwrap();
            let (_, monitors) = outlet.tables.iter().find(|(name, _)| *name == "monitors").unwrap();
            let covers = monitors.column_by_name("minute_interval_s").unwrap().as_primitive::<Float64Type>();
            assert!(covers.iter().all(|covers| covers == due));
        }
    }

    #[test]
    fn oxygen_is_tampered_with_on_stacks_only() {
        let many =
            ProvinceRequest { outlets: 240, to: request(1).from + 3 * 24 * 3_600_000_000, ..request(1) };
        let province = Province::new(&many).unwrap();
        let truth = province.outlets().flat_map(|outlet| outlet.unwrap().truth);
        let (oxygen, _) = truth.partition::<Vec<_>, _>(|planted| planted.pattern == "oxygen_tampering");
        assert!(oxygen.len() >= 3);
        assert!(oxygen.iter().all(|planted| planted.factor == "a19001"));
    }

    #[test]
    fn an_empty_period_is_refused() {
        let error = Province::new(&ProvinceRequest { to: 0, from: 0, ..request(1) }).unwrap_err();
        assert!(error.to_string().contains("--from"));
    }
}
