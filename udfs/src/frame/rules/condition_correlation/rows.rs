//! The rows that the rule makes.

use arrow::array::{ArrayRef, Float64Builder, Int64Builder, RecordBatch, StringViewBuilder};
use arrow::datatypes::DataType;
use datafusion::common::Result;

use super::super::columns::{Finish, ViewColumn, schema, text, text_builder};
use crate::correlation::best_lag::BestLag;
use crate::correlation::verdict::Verdict;

pub(super) fn columns() -> [ViewColumn; 17] {
    let number = |name| (name, DataType::Float64, true);
    [
        ("mn", text(), false),
        ("param", text(), false),
        ("factor", text(), false),
        ("measure", text(), false),
        ("n", DataType::Int64, false),
        number("pearson"),
        number("spearman"),
        number("kendall"),
        number("p_pearson"),
        number("p_spearman"),
        number("p_kendall"),
        ("best_lag_h", DataType::Int64, true),
        number("lag_correlation"),
        ("control", text(), true),
        number("partial"),
        number("baseline"),
        ("verdict", text(), false),
    ]
}

/// A condition and an emission side by side.
#[derive(Debug)]
pub(super) struct Pair<'a> {
    pub(super) factor: &'a str,
    pub(super) measure: &'static str,
    /// Hours in which both have a value.
    pub(super) hours: usize,
    pub(super) pearson: Option<f64>,
    pub(super) spearman: Option<f64>,
    pub(super) kendall: Option<f64>,
    pub(super) p_pearson: Option<f64>,
    pub(super) p_spearman: Option<f64>,
    pub(super) p_kendall: Option<f64>,
    pub(super) lag: Option<BestLag>,
    pub(super) control: Option<&'a str>,
    pub(super) partial: Option<f64>,
    pub(super) baseline: Option<f64>,
    pub(super) verdict: Verdict,
}

/// Columns of numbers, in their order.
const NUMBERS: usize = 9;

pub(super) struct Rows {
    rows: usize,
    mn: StringViewBuilder,
    param: StringViewBuilder,
    factor: StringViewBuilder,
    measure: StringViewBuilder,
    n: Int64Builder,
    best_lag_h: Int64Builder,
    control: StringViewBuilder,
    verdict: StringViewBuilder,
    numbers: [Float64Builder; NUMBERS],
}

impl Rows {
    pub(super) fn new() -> Self {
        Self {
            rows: 0,
            mn: text_builder(),
            param: text_builder(),
            factor: text_builder(),
            measure: text_builder(),
            n: Int64Builder::new(),
            best_lag_h: Int64Builder::new(),
            control: text_builder(),
            verdict: text_builder(),
            numbers: std::array::from_fn(|_| Float64Builder::new()),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.rows
    }

    pub(super) fn push(&mut self, mn: &str, param: &str, pair: &Pair<'_>) {
        self.rows += 1;
        self.mn.append_value(mn);
        self.param.append_value(param);
        self.factor.append_value(pair.factor);
        self.measure.append_value(pair.measure);
        self.n.append_value(i64::try_from(pair.hours).unwrap_or(i64::MAX));
        self.best_lag_h.append_option(pair.lag.map(|best| best.lag));
        self.control.append_option(pair.control);
        self.verdict.append_value(pair.verdict.name());
        let numbers = [
            pair.pearson,
            pair.spearman,
            pair.kendall,
            pair.p_pearson,
            pair.p_spearman,
            pair.p_kendall,
            pair.lag.map(|best| best.correlation),
            pair.partial,
            pair.baseline,
        ];
        self.numbers.iter_mut().zip(numbers).for_each(|(column, number)| column.append_option(number));
    }

    pub(super) fn take(&mut self) -> Result<RecordBatch> {
        self.rows = 0;
        let [
            pearson,
            spearman,
            kendall,
            p_pearson,
            p_spearman,
            p_kendall,
            lag_correlation,
            partial,
            baseline,
        ] = self.numbers.each_mut().map(Finish::column);
        let columns: Vec<ArrayRef> = vec![
            self.mn.column(),
            self.param.column(),
            self.factor.column(),
            self.measure.column(),
            self.n.column(),
            pearson,
            spearman,
            kendall,
            p_pearson,
            p_spearman,
            p_kendall,
            self.best_lag_h.column(),
            lag_correlation,
            self.control.column(),
            partial,
            baseline,
            self.verdict.column(),
        ];
        Ok(RecordBatch::try_new(schema(&self::columns()), columns)?)
    }
}
