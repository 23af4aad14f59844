//! What the aggregates of validity share: a few sums a group, and a rule that
//! ends them. A state is `N` floats; row and grouped accumulators keep the same
//! state, so either can merge the other's.

use std::fmt::Debug;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Float64Array};
use arrow::datatypes::{DataType, Field, FieldRef, Float64Type};
use datafusion::common::{Result, ScalarValue, internal_err, not_impl_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::format_state_name;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Documentation, EmitTo, GroupsAccumulator, Signature,
};

/// A rule that sums rows up and ends in a mean or in NULL.
pub(super) trait MeanRule<const N: usize>: Debug + Clone + Send + Sync + 'static {
    /// The state of no rows.
    const EMPTY: [f64; N];
    /// Names of the state's parts.
    const STATE: [&'static str; N];

    /// Calls `add(row, state of that row alone)` for each row of the arguments
    /// that counts.
    fn each_row(&self, arguments: &[ArrayRef], add: &mut dyn FnMut(usize, [f64; N])) -> Result<()>;

    /// Adds a state to another; commutative and associative but for rounding.
    fn merge(&self, state: &mut [f64; N], other: &[f64; N]);

    /// The mean, or `None` when the rows are too few.
    fn finish(&self, state: &[f64; N]) -> Result<Option<f64>>;
}

/// The SQL aggregate of a [`MeanRule`].
pub(super) struct MeanFunction<R, const N: usize> {
    pub(super) name: &'static str,
    pub(super) signature: Signature,
    pub(super) documentation: Documentation,
    pub(super) rule: R,
}

impl<R: MeanRule<N>, const N: usize> MeanFunction<R, N> {
    pub(super) fn udaf(self) -> AggregateUDF {
        AggregateUDF::from(self)
    }
}

impl<R: Debug, const N: usize> Debug for MeanFunction<R, N> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct(self.name).field("rule", &self.rule).finish()
    }
}

impl<R: Debug, const N: usize> PartialEq for MeanFunction<R, N> {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && format!("{:?}", self.rule) == format!("{:?}", other.rule)
    }
}

impl<R: Debug, const N: usize> Eq for MeanFunction<R, N> {}

impl<R, const N: usize> Hash for MeanFunction<R, N> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl<R: MeanRule<N>, const N: usize> AggregateUDFImpl for MeanFunction<R, N> {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        let field =
            |part: &&str| Arc::new(Field::new(format_state_name(args.name, part), DataType::Float64, true));
        Ok(R::STATE.iter().map(field).collect())
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        if args.is_distinct {
            return not_impl_err!(
                "{}(DISTINCT …) would drop equal values of different times; select distinct rows first",
                self.name
            );
        }
        Ok(Box::new(RowAccumulator { rule: self.rule.clone(), state: R::EMPTY }))
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs<'_>) -> bool {
        !args.is_distinct
    }

    fn create_groups_accumulator(&self, _: AccumulatorArgs<'_>) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(GroupedAccumulator { rule: self.rule.clone(), states: Vec::new() }))
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&self.documentation)
    }
}

/// Reads row `row` of a state's columns.
fn state_at<const N: usize>(columns: &[ArrayRef], row: usize) -> Result<[f64; N]> {
    let Ok(columns) = <&[ArrayRef; N]>::try_from(columns) else {
        return internal_err!("a state of {} columns where {N} are due", columns.len());
    };
    Ok(columns.each_ref().map(|column| column.as_primitive::<Float64Type>().value(row)))
}

#[derive(Debug)]
struct RowAccumulator<R, const N: usize> {
    rule: R,
    state: [f64; N],
}

impl<R: MeanRule<N>, const N: usize> Accumulator for RowAccumulator<R, N> {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let Self { rule, state } = self;
        rule.each_row(values, &mut |_, row| rule.merge(state, &row))
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let rows = states.first().map_or(0, |column| column.len());
        for row in 0..rows {
            self.rule.merge(&mut self.state, &state_at(states, row)?);
        }
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(self.state.iter().map(|part| ScalarValue::Float64(Some(*part))).collect())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(ScalarValue::Float64(self.rule.finish(&self.state)?))
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }
}

struct GroupedAccumulator<R, const N: usize> {
    rule: R,
    states: Vec<[f64; N]>,
}

impl<R: MeanRule<N>, const N: usize> GroupsAccumulator for GroupedAccumulator<R, N> {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total_groups: usize,
    ) -> Result<()> {
        self.states.resize(total_groups, R::EMPTY);
        let Self { rule, states } = self;
        let passes = |row: usize| filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row));
        rule.each_row(values, &mut |row, state| {
            if passes(row) {
                rule.merge(&mut states[groups[row]], &state);
            }
        })
    }

    fn merge_batch(&mut self, columns: &[ArrayRef], groups: &[usize], total_groups: usize) -> Result<()> {
        self.states.resize(total_groups, R::EMPTY);
        for (row, group) in groups.iter().enumerate() {
            self.rule.merge(&mut self.states[*group], &state_at(columns, row)?);
        }
        Ok(())
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let states = emit_to.take_needed(&mut self.states);
        let means = states.iter().map(|state| self.rule.finish(state)).collect::<Result<Vec<_>>>()?;
        Ok(Arc::new(Float64Array::from(means)))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let states = emit_to.take_needed(&mut self.states);
        let part = |part: usize| -> ArrayRef {
            Arc::new(states.iter().map(|s| Some(s[part])).collect::<Float64Array>())
        };
        Ok((0..N).map(part).collect())
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let rows = values.first().map_or(0, |column| column.len());
        let mut alone = Self { rule: self.rule.clone(), states: Vec::new() };
        alone.update_batch(values, &(0..rows).collect::<Vec<_>>(), filter, rows)?;
        alone.state(EmitTo::All)
    }

    fn size(&self) -> usize {
        self.states.capacity() * size_of::<[f64; N]>()
    }
}

/// Whether a flag of each row is `N`; NULL is not.
pub(super) fn is_normal(flags: &ArrayRef, row: usize) -> bool {
    let flags = flags.as_string_view();
    flags.is_valid(row) && flags.value(row).as_bytes() == [plume_datasets::flags::NORMAL]
}

/// A float of a row, if it is there and finite.
pub(super) fn float(column: &ArrayRef, row: usize) -> Option<f64> {
    let column = column.as_primitive::<Float64Type>();
    let value = column.is_valid(row).then(|| column.value(row))?;
    value.is_finite().then_some(value)
}

/// Checks shared by the tests of the aggregates.
#[cfg(test)]
pub(super) mod testing {
    use super::*;

    /// Every way to the answer: rows in one go; rows in parts merged; groups; a
    /// row state merged into groups and a group's into a row.
    pub(crate) fn every_way<R: MeanRule<N>, const N: usize>(
        rule: &R,
        columns: &[ArrayRef],
    ) -> Vec<Result<Option<f64>>> {
        let rows = columns[0].len();
        let value = |scalar: Result<ScalarValue>| {
            scalar.map(|scalar| match scalar {
                ScalarValue::Float64(value) => value,
                other => panic!("{other}"),
            })
        };
        let group_value = |array: Result<ArrayRef>| {
            array.map(|array| {
                let array = array.as_primitive::<Float64Type>();
                array.is_valid(0).then(|| array.value(0))
            })
        };
        let row = || RowAccumulator { rule: rule.clone(), state: R::EMPTY };
        let grouped = || GroupedAccumulator { rule: rule.clone(), states: Vec::new() };
        let slice = |from: usize, len: usize| columns.iter().map(|c| c.slice(from, len)).collect::<Vec<_>>();
        let as_columns =
            |state: Vec<ScalarValue>| state.iter().map(|s| s.to_array().unwrap()).collect::<Vec<_>>();
        let half = rows / 2;

        let mut whole = row();
        whole.update_batch(columns).unwrap();
        let mut merged = row();
        for (from, len) in [(half, rows - half), (0, half)] {
            let mut part = row();
            part.update_batch(&slice(from, len)).unwrap();
            merged.merge_batch(&as_columns(part.state().unwrap())).unwrap();
        }
        let mut groups = grouped();
        groups.update_batch(columns, &vec![0; rows], None, 1).unwrap();
        let mut from_rows = grouped();
        let mut part = row();
        part.update_batch(columns).unwrap();
        from_rows.merge_batch(&as_columns(part.state().unwrap()), &[0], 1).unwrap();
        let mut to_row = row();
        let mut second = grouped();
        second.update_batch(columns, &vec![1; rows], None, 2).unwrap();
        to_row.merge_batch(&second.state(EmitTo::All).unwrap()).unwrap();
        let mut converted = grouped();
        let states = grouped().convert_to_state(columns, None).unwrap();
        converted.merge_batch(&states, &vec![0; rows], 1).unwrap();
        vec![
            value(whole.evaluate()),
            value(merged.evaluate()),
            group_value(groups.evaluate(EmitTo::All)),
            group_value(from_rows.evaluate(EmitTo::All)),
            value(to_row.evaluate()),
            group_value(converted.evaluate(EmitTo::All)),
        ]
    }

    /// Asserts that every way gives the same answer, and returns it.
    pub(crate) fn agreed<R: MeanRule<N>, const N: usize>(rule: &R, columns: &[ArrayRef]) -> Option<f64> {
        let answers: Vec<Option<f64>> = every_way(rule, columns).into_iter().map(Result::unwrap).collect();
        for answer in &answers {
            match (answer, answers[0]) {
                (Some(a), Some(b)) => assert!((a - b).abs() <= 1e-12 * b.abs().max(1.0), "{answers:?}"),
                (a, b) => assert_eq!(*a, b, "{answers:?}"),
            }
        }
        answers[0]
    }
}
