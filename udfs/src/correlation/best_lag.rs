//! `best_lag(ts, x, y, max_lag)`: the shift at which two series go together best.
//!
//! On a regular grid r(L) is the Pearson correlation of x\[t] and y\[t + L]: a positive
//! lag says that x leads. The best lag has the greatest |r|; of lags that are equal
//! but for rounding it is the smallest, and of L and −L it is L.
//!
//! Worked example: x = 1, 5, 2, 4, 3 and y = 9, 1, 5, 2, 4 shows at L = 1 the pairs
//! (1, 1), (5, 5), (2, 2), (4, 4), of which r is 1: x leads by one step.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Schema, TimeUnit, TimestampMicrosecondType};
use datafusion::common::{Result, ScalarValue, exec_err, plan_datafusion_err, plan_err};
use datafusion::logical_expr::function::AccumulatorArgs;
use datafusion::logical_expr::scalar_doc_sections::DOC_SECTION_OTHER;
use datafusion::logical_expr::{AggregateUDF, ColumnarValue, Documentation, Signature, Volatility};

use super::LEAST_PAIRS;
use super::centred::{dot, sum};
use super::corr_pearson::{complete_pairs, corr_of_complete};
use super::sample_function::{SampleFunction, SampleRule, float_of_word, float_word};

/// By how much |r| at a greater lag must exceed that at a smaller one.
const DISTINCT: f64 = 1e-12;
/// Share of a sum of squares below which what is left of it is rounding.
const ROUNDING: f64 = 1e-12;

/// The lag at which two series go together best.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BestLag {
    /// Steps by which x leads.
    pub lag: i64,
    /// The correlation at that lag.
    pub correlation: f64,
    /// Pairs at that lag.
    pub pairs: usize,
}

/// The best lag of up to `max_lag` steps either way of two series on one regular grid,
/// NaN where a value is missing. Lags with fewer than `least_pairs` pairs (at least 3)
/// don't count. `None` where no lag has a correlation.
///
/// ```
/// use plume_udfs::correlation::best_lag::best_lag;
/// let best = best_lag(&[1.0, 5.0, 2.0, 4.0, 3.0], &[9.0, 1.0, 5.0, 2.0, 4.0], 2, 3).unwrap();
/// assert_eq!((best.lag, best.correlation, best.pairs), (1, 1.0, 4));
/// ```
pub fn best_lag(x: &[f64], y: &[f64], max_lag: usize, least_pairs: usize) -> Option<BestLag> {
    let len = x.len().min(y.len());
    let (x, y) = (GridSeries::new(x.get(..len)?), GridSeries::new(y.get(..len)?));
    best_lag_of(&x, &y, max_lag, least_pairs)
}

/// [`best_lag`] of series that were prepared before, of one length.
pub fn best_lag_of(
    x: &GridSeries<'_>,
    y: &GridSeries<'_>,
    max_lag: usize,
    least_pairs: usize,
) -> Option<BestLag> {
    let (len, least_pairs) = (x.values.len(), least_pairs.max(LEAST_PAIRS));
    let (masked_x, masked_y) = (x.masked.as_ref()?, y.masked.as_ref()?);
    let mut best: Option<(f64, i64)> = None;
    for steps in 0..=max_lag.min(len) {
        // Of the two signs the one by which x leads comes first.
        let lags = [steps as i64, -(steps as i64)];
        for lag in lags.into_iter().take(if steps == 0 { 1 } else { 2 }) {
            let r = correlation_at(masked_x, masked_y, lag, least_pairs).map(f64::abs);
            if let Some(r) = r.filter(|r| best.is_none_or(|(most, _)| *r > most + DISTINCT)) {
                best = Some((r, lag));
            }
        }
    }
    let (_, lag) = best?;
    let (x, y) = shifted(x.values, y.values, lag);
    let (x, y) = complete_pairs(x, y);
    Some(BestLag { lag, correlation: corr_of_complete(&x, &y)?, pairs: x.len() })
}

/// A series on a regular grid, prepared for many lags.
#[derive(Debug)]
pub struct GridSeries<'a> {
    values: &'a [f64],
    masked: Option<Masked>,
}

impl<'a> GridSeries<'a> {
    /// Prepares a series, NaN where a value is missing.
    pub fn new(values: &'a [f64]) -> Self {
        Self { values, masked: Masked::of(values) }
    }
}

/// The parts of two series of one length that a lag sets side by side.
fn shifted<'a>(x: &'a [f64], y: &'a [f64], lag: i64) -> (&'a [f64], &'a [f64]) {
    let steps = usize::try_from(lag.unsigned_abs()).unwrap_or(usize::MAX).min(x.len());
    let kept = x.len() - steps;
    if lag >= 0 { (&x[..kept], &y[steps..]) } else { (&x[steps..], &y[..kept]) }
}

/// A series less its mean, 0 where missing: sums over pairs are then sums of products.
#[derive(Debug)]
struct Masked {
    there: Vec<f64>,
    value: Vec<f64>,
    square: Vec<f64>,
}

impl Masked {
    /// `None` where a value is infinite.
    fn of(series: &[f64]) -> Option<Self> {
        let there: Vec<f64> = series.iter().map(|value| f64::from(u8::from(!value.is_nan()))).collect();
        let greatest = series.iter().filter(|value| !value.is_nan()).fold(0.0, |most, v| v.abs().max(most));
        if !f64::is_finite(greatest) {
            return None;
        }
        // A power of two: squares neither overflow nor vanish, and no digit is lost.
        let scale = (-f64::max(greatest, f64::MIN_POSITIVE).log2().floor()).exp2();
        let mut value: Vec<f64> =
            series.iter().map(|value| if value.is_nan() { 0.0 } else { value * scale }).collect();
        let mean = sum(&value) / sum(&there).max(1.0);
        value.iter_mut().zip(&there).for_each(|(value, there)| *value -= mean * there);
        let square = value.iter().map(|value| value * value).collect();
        Some(Self { there, value, square })
    }
}

/// r at a lag, up to rounding.
fn correlation_at(x: &Masked, y: &Masked, lag: i64, least_pairs: usize) -> Option<f64> {
    let over = |a: &[f64], b: &[f64]| {
        let (a, b) = shifted(a, b, lag);
        dot(a, b)
    };
    let pairs = over(&x.there, &y.there);
    if pairs < least_pairs as f64 {
        return None;
    }
    let (x_sum, y_sum) = (over(&x.value, &y.there), over(&x.there, &y.value));
    let spread = |squares: f64, sum: f64| {
        let spread = squares - sum * sum / pairs;
        (spread > squares * ROUNDING).then_some(spread)
    };
    let x_spread = spread(over(&x.square, &y.there), x_sum)?;
    let y_spread = spread(over(&x.there, &y.square), y_sum)?;
    let products = over(&x.value, &y.value) - x_sum * y_sum / pairs;
    Some((products / (x_spread * y_spread).sqrt()).clamp(-1.0, 1.0))
}

const USAGE: &str =
    "best_lag(ts, x, y, max_lag): max_lag is a constant whole number of steps, 0 or more, like 24";
const TIMESTAMP: DataType = DataType::Timestamp(TimeUnit::Microsecond, None);

/// A row: time stamp, x, y.
type Row = [u64; 3];

#[derive(Debug, Clone, Default)]
struct BestLagRule {
    max_lag: usize,
}

impl SampleRule<3> for BestLagRule {
    const OUTPUT: DataType = DataType::Int64;

    fn bind(&self, args: &AccumulatorArgs<'_>) -> Result<Self> {
        Ok(Self { max_lag: max_lag_of(args)? })
    }

    fn coerce(&self, arguments: &[DataType]) -> Result<Vec<DataType>> {
        let is_time = |kind: &DataType| {
            kind.is_string()
                || matches!(
                    kind,
                    DataType::Timestamp(..) | DataType::Date32 | DataType::Date64 | DataType::Null
                )
        };
        let is_number = |kind: &DataType| kind.is_numeric() || kind.is_null();
        let is_whole = |kind: &DataType| kind.is_integer() || kind.is_null();
        match arguments {
            [ts, x, y, lag] if is_time(ts) && is_number(x) && is_number(y) && is_whole(lag) => {
                Ok(vec![TIMESTAMP, DataType::Float64, DataType::Float64, DataType::Int64])
            }
            _ => plan_err!("{USAGE}; ts is a date or time stamp, x and y are numbers"),
        }
    }

    fn row(&self, arguments: &[ArrayRef], row: usize) -> Option<Row> {
        let [ts, x, y, ..] = arguments else { return None };
        let ts = ts.as_primitive::<TimestampMicrosecondType>();
        let ts = ts.is_valid(row).then(|| ts.value(row))?;
        // A row without x still has its y.
        Some([ts_word(ts), float_word(x, row), float_word(y, row)])
    }

    fn finish(&self, sample: &[Row]) -> ScalarValue {
        let (x, y) = on_grid(sample, self.max_lag);
        ScalarValue::Int64(best_lag(&x, &y, self.max_lag, LEAST_PAIRS).map(|best| best.lag))
    }

    fn check(&self, sample: &[Row]) -> Result<()> {
        let Some(points) = grid_len(sample, self.max_lag) else { return Ok(()) };
        if points <= MOST_POINTS.max(sample.len() as u128 * MOST_POINTS_A_ROW) {
            return Ok(());
        }
        exec_err!(
            "best_lag: the time stamps lie on no regular grid: their common step is {} s, and nearly all of its points have no row; put them on one, as date_trunc('hour', ts) does",
            step_us(sample) as f64 / 1e6
        )
    }
}

/// Points that a grid may always have.
const MOST_POINTS: u128 = 1 << 20;
/// Points that a grid of more than that may have for each row.
const MOST_POINTS_A_ROW: u128 = 16;

/// The argument `max_lag`: a constant.
fn max_lag_of(args: &AccumulatorArgs<'_>) -> Result<usize> {
    let batch = RecordBatch::new_empty(Arc::new(Schema::empty()));
    let value = args.exprs.get(3).map(|max_lag| max_lag.evaluate(&batch));
    let Some(Ok(ColumnarValue::Scalar(ScalarValue::Int64(Some(max_lag))))) = value else {
        return plan_err!("{USAGE}");
    };
    usize::try_from(max_lag).map_err(|_| plan_datafusion_err!("{USAGE}; it is {max_lag}"))
}

/// A time stamp as a word of the same order.
fn ts_word(ts: i64) -> u64 {
    (ts as u64) ^ (1 << 63)
}

/// The grid's step: the greatest common divisor of the distances between time stamps; 1 where there are none.
fn step_us(sorted: &[Row]) -> u64 {
    fn divisor(a: u64, b: u64) -> u64 {
        if b == 0 { a } else { divisor(b, a % b) }
    }
    let distances = sorted.windows(2).map(|pair| distance(&pair[0], &pair[1]));
    distances.fold(0, divisor).max(1)
}

fn distance(earlier: &Row, later: &Row) -> u64 {
    later[0] - earlier[0]
}

/// Points from a row to the next. A gap that no lag reaches over is as good as a longer one.
fn points_between(earlier: &Row, later: &Row, step: u64, max_lag: usize) -> u64 {
    (distance(earlier, later) / step).min(max_lag as u64 + 1)
}

/// Points of the grid of sorted rows; `None` without rows.
fn grid_len(sorted: &[Row], max_lag: usize) -> Option<u128> {
    let step = step_us(sorted);
    sorted.first()?;
    let steps = sorted.windows(2).map(|pair| u128::from(points_between(&pair[0], &pair[1], step, max_lag)));
    Some(steps.sum::<u128>() + 1)
}

/// Sorted rows on their grid, NaN where there is none; rows of one time are averaged.
fn on_grid(sorted: &[Row], max_lag: usize) -> (Vec<f64>, Vec<f64>) {
    let step = step_us(sorted);
    let (mut x, mut y) = (Vec::new(), Vec::new());
    let mut before: Option<&Row> = None;
    for rows in sorted.chunk_by(|a, b| a[0] == b[0]) {
        let Some(first) = rows.first() else { continue };
        let skipped = before.map_or(0, |before| points_between(before, first, step, max_lag) - 1);
        for (column, at) in [(&mut x, 1), (&mut y, 2)] {
            column.extend((0..skipped).map(|_| f64::NAN));
            column.push(mean(rows.iter().map(|row| float_of_word(row[at]))));
        }
        before = Some(first);
    }
    (x, y)
}

/// Mean of what is there; NaN where nothing is.
fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let there: Vec<f64> = values.filter(|value| !value.is_nan()).collect();
    let share = |value: &f64| value / there.len() as f64;
    if there.is_empty() { f64::NAN } else { there.iter().map(share).sum() }
}

/// The SQL aggregate.
pub fn best_lag_udaf() -> AggregateUDF {
    SampleFunction {
        name: "best_lag",
        signature: Signature::user_defined(Volatility::Immutable),
        documentation: Documentation::builder(
            DOC_SECTION_OTHER,
            "Steps of up to max_lag by which x leads y where their Pearson correlation is strongest, negative where y leads; the step is the greatest that all time stamps are multiples of, for hourly rows an hour; rows of one ts are averaged, missing ones stay missing; NULL where no lag has 3 pairs that vary (最佳时滞). Annex 2-1 row 2 (4) [seed]",
            "best_lag(ts, x, y, max_lag)",
        )
        .build(),
        rule: BestLagRule::default(),
    }
    .udaf()
}

#[cfg(test)]
mod tests {
    use super::super::sample_function::testing::agreed;
    use super::*;
    use crate::correlation::corr_pearson::corr_pearson;
    use arrow::array::{Float64Array, Int64Array, TimestampMicrosecondArray};
    use proptest::prelude::*;

    const HOUR: i64 = 3_600_000_000;

    fn sql(rows: &[(i64, Option<f64>, Option<f64>)], max_lag: usize) -> ScalarValue {
        let ts: TimestampMicrosecondArray = rows.iter().map(|row| Some(row.0 * HOUR)).collect();
        let x: Float64Array = rows.iter().map(|row| row.1).collect();
        let y: Float64Array = rows.iter().map(|row| row.2).collect();
        let lag: Int64Array = rows.iter().map(|_| Some(max_lag as i64)).collect();
        let columns: [ArrayRef; 4] = [Arc::new(ts), Arc::new(x), Arc::new(y), Arc::new(lag)];
        agreed(&BestLagRule { max_lag }, &columns)
    }

    #[test]
    fn hand_worked() {
        let (x, y) = ([1.0, 5.0, 2.0, 4.0, 3.0], [9.0, 1.0, 5.0, 2.0, 4.0]);
        let best = best_lag(&x, &y, 2, 3);
        assert_eq!(best, Some(BestLag { lag: 1, correlation: 1.0, pairs: 4 }));
        assert_eq!(best_lag(&y, &x, 2, 3).unwrap().lag, -1);
        let rows: Vec<_> = (0..5).map(|at| (at as i64 + 7, Some(x[at]), Some(y[at]))).collect();
        assert_eq!(sql(&rows, 2), ScalarValue::Int64(Some(1)));
        let across_1970: Vec<_> = rows.iter().map(|row| (row.0 - 9, row.1, row.2)).collect();
        assert_eq!(sql(&across_1970, 2), ScalarValue::Int64(Some(1)));
    }

    #[test]
    fn an_equal_correlation_further_off_does_not_win() {
        let wave: Vec<f64> = (0..96).map(|hour| f64::from(hour % 24) / 7.0).collect();
        assert_eq!(best_lag(&wave, &wave, 48, 3).unwrap().lag, 0);
        // Shifted by half a day the wave leads and follows by 12: leading is told.
        let triangle: Vec<f64> = (0..96).map(|hour: i32| f64::from((hour % 24 - 12).abs())).collect();
        let other: Vec<f64> = (0..96).map(|hour: i32| f64::from(((hour + 12) % 24 - 12).abs())).collect();
        let best = best_lag(&triangle[..48], &other[..48], 12, 3).unwrap();
        assert_eq!(best.lag, 0); // −1 is as strong as 1
        assert!((best.correlation + 1.0).abs() < 1e-12);
    }

    #[test]
    fn missing_hours_stay_missing() {
        // Hours 0, 1, 3, 4, 5: at lag 1 the pairs are of hours (0, 1), (3, 4), (4, 5).
        let rows = [(0, 1.0, 0.0), (1, 7.0, 1.0), (3, 3.0, 5.0), (4, 4.0, 3.0), (5, 0.0, 4.0)];
        let rows = rows.map(|(hour, x, y)| (hour, Some(x), Some(y)));
        assert_eq!(sql(&rows, 1), ScalarValue::Int64(Some(1)));
    }

    #[test]
    fn no_answer_where_there_is_none() {
        let none = ScalarValue::Int64(None);
        assert_eq!(sql(&[], 24), none);
        assert_eq!(sql(&[(0, Some(1.0), Some(1.0))], 24), none);
        let constant = [0, 1, 2, 3].map(|hour| (hour, Some(hour as f64), Some(0.1)));
        assert_eq!(sql(&constant, 1), none);
        let infinite = [0, 1, 2, 3].map(|hour| (hour, Some(hour as f64), Some(f64::INFINITY)));
        assert_eq!(sql(&infinite, 1), none);
        let absent = [0, 1, 2, 3].map(|hour| (hour, Some(hour as f64), None));
        assert_eq!(sql(&absent, 1), none);
        let great = [1e308, -1e308, 1.7e308].map(Some);
        let rows: Vec<_> = (0..3).map(|at| (at as i64, great[at], great[at])).collect();
        assert_eq!(sql(&rows, 1), ScalarValue::Int64(Some(0)));
    }

    #[test]
    fn rows_of_one_time_are_averaged() {
        let rows = [(0, 1.0, 1.0), (0, 3.0, 3.0), (1, 5.0, 5.0), (2, 0.0, 0.0), (3, 4.0, 4.0)];
        let rows = rows.map(|(hour, x, y)| (hour, Some(x), Some(y)));
        assert_eq!(on_grid_of(&rows), [2.0, 5.0, 0.0, 4.0]);
        assert_eq!(sql(&rows, 1), ScalarValue::Int64(Some(0)));
    }

    fn on_grid_of(rows: &[(i64, Option<f64>, Option<f64>)]) -> Vec<f64> {
        let word = |value: Option<f64>| value.unwrap_or(f64::NAN).to_bits();
        let rows: Vec<Row> =
            rows.iter().map(|row| [ts_word(row.0 * HOUR), word(row.1), word(row.2)]).collect();
        on_grid(&rows, 1).0
    }

    #[test]
    fn time_stamps_on_no_grid_are_an_error_with_a_mend() {
        // Steps of an hour and some odd µs: a common step of 1 µs.
        let rows: Vec<Row> =
            (0..2_000_u64).map(|at| [ts_word((at * HOUR as u64 + at * at % 7) as i64), 0, 0]).collect();
        let rule = BestLagRule { max_lag: 1_000_000 };
        let error = rule.check(&rows).unwrap_err().to_string();
        assert!(error.contains("best_lag") && error.contains("date_trunc"), "{error}");
        BestLagRule { max_lag: 24 }.check(&rows).unwrap();
    }

    proptest! {
        #[test]
        fn is_the_strongest_of_all_shifts(
            rows in prop::collection::vec((prop::option::of(-9..9_i32), prop::option::of(-9..9_i32)), 0..40),
            max_lag in 0..12_usize,
        ) {
            let value = |value: Option<i32>| value.map_or(f64::NAN, f64::from);
            let (x, y): (Vec<f64>, Vec<f64>) = rows.iter().map(|row| (value(row.0), value(row.1))).unzip();
            let at = |lag: i64| {
                let pairs = (0..x.len() as i64).filter_map(|t| {
                    Some((x[t as usize], *y.get(usize::try_from(t + lag).ok()?)?))
                });
                let (x, y): (Vec<f64>, Vec<f64>) = pairs.unzip();
                corr_pearson(&x, &y)
            };
            let most = max_lag as i64;
            let strongest = (-most..=most).filter_map(at).map(f64::abs).reduce(f64::max);
            let best = best_lag(&x, &y, max_lag, 3);
            prop_assert_eq!(best.is_some(), strongest.is_some());
            if let (Some(best), Some(strongest)) = (best, strongest) {
                prop_assert!((best.correlation.abs() - strongest).abs() < 1e-9);
                prop_assert_eq!(at(best.lag), Some(best.correlation));
                // Nothing is nearer than lag 0, whose correlation may be 0.
                let mut nearer = (1 - best.lag.abs()..best.lag.abs()).filter_map(at).map(f64::abs);
                prop_assert!(nearer.all(|nearer| nearer < strongest));
            }
        }
    }
}
