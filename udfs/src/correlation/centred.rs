//! A series without its mean: what every correlation is a product of.

/// Sums run in so many lanes, which are added up at the end.
const LANES: usize = 8;

/// Deviations from the mean, in any unit, and the sum of their squares.
#[derive(Debug, Clone)]
pub(super) struct Centred {
    values: Vec<f64>,
    squares: f64,
}

impl Centred {
    /// Centres a complete series; `None` where it is empty, constant or holds an infinite value.
    pub(super) fn of(series: &[f64]) -> Option<Self> {
        let (least, greatest) = series
            .iter()
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(least, most), v| (least.min(*v), most.max(*v)));
        if !(least.is_finite() && greatest.is_finite()) || least == greatest {
            return None;
        }
        let scale = unit_scale(least.abs().max(greatest.abs()));
        let mut values: Vec<f64> = series.iter().map(|value| value * scale).collect();
        let mean = sum(&values) / values.len() as f64;
        values.iter_mut().for_each(|value| *value -= mean);
        Self::of_deviations(values)
    }

    /// Of values whose mean is 0 up to rounding; `None` where all are 0.
    pub(super) fn of_deviations(values: Vec<f64>) -> Option<Self> {
        let rest = sum(&values);
        let squares = dot(&values, &values) - rest * rest / values.len() as f64;
        (squares > 0.0).then_some(Self { values, squares })
    }

    /// The correlation of two series of one length, from −1 to 1.
    pub(super) fn correlation(&self, other: &Self) -> f64 {
        let product = dot(&self.values, &other.values) / (self.squares * other.squares).sqrt();
        product.clamp(-1.0, 1.0)
    }
}

/// A power of two that takes a magnitude to about 1, so that squares neither
/// overflow nor vanish; multiplying by it is exact.
fn unit_scale(magnitude: f64) -> f64 {
    let exponent = magnitude.log2().floor().clamp(-1022.0, 1022.0);
    (-exponent).exp2()
}

/// Sum in a fixed order of additions.
pub(super) fn sum(values: &[f64]) -> f64 {
    let mut lanes = [0.0; LANES];
    let chunks = values.chunks_exact(LANES);
    let rest: f64 = chunks.remainder().iter().sum();
    for chunk in chunks {
        lanes.iter_mut().zip(chunk).for_each(|(lane, value)| *lane += value);
    }
    lanes.iter().sum::<f64>() + rest
}

/// Sum of products in a fixed order of additions.
pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut lanes = [0.0; LANES];
    let (a, b) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest: f64 = a.remainder().iter().zip(b.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in a.zip(b) {
        lanes.iter_mut().zip(a.iter().zip(b)).for_each(|(lane, (a, b))| *lane += a * b);
    }
    lanes.iter().sum::<f64>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_are_powers_of_two_near_the_inverse() {
        assert_eq!(unit_scale(1.0), 1.0);
        assert_eq!(unit_scale(6.0), 0.25);
        for magnitude in [5e-324, 1e-310, 1e308, f64::MAX] {
            let scaled = magnitude * unit_scale(magnitude);
            assert!(scaled > 1e-17 && scaled < 4.0, "{magnitude}: {scaled}");
        }
    }

    #[test]
    fn sums_take_every_value_once() {
        let values: Vec<f64> = (1..=19).map(f64::from).collect();
        assert_eq!(sum(&values), 190.0);
        assert_eq!(dot(&values, &values), 2470.0); // 19·20·39 / 6
    }
}
