//! What the aggregates of correlation share: they keep the rows of a group and end them
//! with a kernel, in an order fixed by the rows themselves. A row is `N` words of 64
//! bits; a state is one list of all words, the same for row and grouped accumulators.

use std::fmt::Debug;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, ListArray, ListBuilder, UInt64Builder, new_empty_array,
};
use arrow::datatypes::{DataType, Field, FieldRef, Float64Type, UInt64Type};
use datafusion::common::{Result, ScalarValue, exec_datafusion_err, not_impl_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::format_state_name;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Documentation, EmitTo, GroupsAccumulator, Signature,
};

/// A rule that looks at all rows of a group at once.
pub(crate) trait SampleRule<const N: usize>: Debug + Clone + Send + Sync + 'static {
    /// The type of the answer.
    const OUTPUT: DataType;

    /// The rule with the constants of a call.
    fn bind(&self, _: &AccumulatorArgs<'_>) -> Result<Self> {
        Ok(self.clone())
    }

    /// The types that arguments are cast to, where the signature leaves it to the rule.
    fn coerce(&self, arguments: &[DataType]) -> Result<Vec<DataType>> {
        Ok(arguments.to_vec())
    }

    /// A row of the arguments, where it counts.
    fn row(&self, arguments: &[ArrayRef], row: usize) -> Option<[u64; N]>;

    /// Whether sorted rows can be told about at all.
    fn check(&self, _: &[[u64; N]]) -> Result<()> {
        Ok(())
    }

    /// The answer, of rows sorted by their words.
    fn finish(&self, sample: &[[u64; N]]) -> ScalarValue;
}

/// A float as a word; NaN where NULL. Both zeros are one, and so are all NaN.
pub(crate) fn float_word(column: &ArrayRef, row: usize) -> u64 {
    let column = column.as_primitive::<Float64Type>();
    let value = if column.is_valid(row) { column.value(row) } else { f64::NAN };
    if value.is_nan() { f64::NAN.to_bits() } else { (value + 0.0).to_bits() }
}

/// The float of a word.
pub(crate) fn float_of_word(word: u64) -> f64 {
    f64::from_bits(word)
}

/// The floats of a row where all are there.
pub(crate) fn floats_at<const N: usize>(arguments: &[ArrayRef], row: usize) -> Option<[u64; N]> {
    let columns: &[ArrayRef; N] = arguments.try_into().ok()?;
    let words = columns.each_ref().map(|column| float_word(column, row));
    words.iter().all(|word| !float_of_word(*word).is_nan()).then_some(words)
}

/// The floats of rows, by column.
pub(crate) fn columns_of<const N: usize>(sample: &[[u64; N]]) -> [Vec<f64>; N] {
    std::array::from_fn(|column| sample.iter().map(|row| float_of_word(row[column])).collect())
}

/// The SQL aggregate of a [`SampleRule`].
pub(crate) struct SampleFunction<R, const N: usize> {
    pub(crate) name: &'static str,
    pub(crate) signature: Signature,
    pub(crate) documentation: Documentation,
    pub(crate) rule: R,
}

impl<R: SampleRule<N>, const N: usize> SampleFunction<R, N> {
    pub(crate) fn udaf(self) -> AggregateUDF {
        AggregateUDF::from(self)
    }
}

impl<R, const N: usize> Debug for SampleFunction<R, N> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

impl<R, const N: usize> PartialEq for SampleFunction<R, N> {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl<R, const N: usize> Eq for SampleFunction<R, N> {}

impl<R, const N: usize> Hash for SampleFunction<R, N> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

fn words_type() -> DataType {
    DataType::List(Arc::new(Field::new_list_field(DataType::UInt64, true)))
}

impl<R: SampleRule<N>, const N: usize> AggregateUDFImpl for SampleFunction<R, N> {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(R::OUTPUT)
    }

    fn coerce_types(&self, arguments: &[DataType]) -> Result<Vec<DataType>> {
        self.rule.coerce(arguments)
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        Ok(vec![Arc::new(Field::new(format_state_name(args.name, "rows"), words_type(), true))])
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        if args.is_distinct {
            return not_impl_err!(
                "{}(DISTINCT …) would drop equal pairs of different times; select distinct rows first",
                self.name
            );
        }
        Ok(Box::new(RowAccumulator { rule: self.rule.bind(&args)?, sample: Vec::new() }))
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs<'_>) -> bool {
        !args.is_distinct
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(GroupedAccumulator { rule: self.rule.bind(&args)?, samples: Vec::new() }))
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&self.documentation)
    }
}

/// The answer of rows in any order.
fn answer<R: SampleRule<N>, const N: usize>(rule: &R, sample: &mut [[u64; N]]) -> Result<ScalarValue> {
    sample.sort_unstable();
    rule.check(sample)?;
    Ok(rule.finish(sample))
}

/// States as a column: a list of words a group.
fn state_column<'a, const N: usize>(samples: impl Iterator<Item = &'a Vec<[u64; N]>>) -> ListArray {
    let mut lists = ListBuilder::new(UInt64Builder::new());
    for sample in samples {
        sample.iter().for_each(|row| lists.values().append_slice(row));
        lists.append(true);
    }
    lists.finish()
}

/// Calls `add(state's position, row)` for each row of a column of states.
fn each_row_of_states<const N: usize>(
    states: &[ArrayRef],
    mut add: impl FnMut(usize, [u64; N]),
) -> Result<()> {
    let lists = states.first().and_then(|column| column.as_list_opt::<i32>());
    let lists = lists.ok_or_else(|| exec_datafusion_err!("a state of rows is a list of words"))?;
    for (position, words) in lists.iter().enumerate() {
        let Some(words) = words else { continue };
        let words = words.as_primitive::<UInt64Type>().values();
        words.as_chunks::<N>().0.iter().for_each(|row| add(position, *row));
    }
    Ok(())
}

#[derive(Debug)]
struct RowAccumulator<R, const N: usize> {
    rule: R,
    sample: Vec<[u64; N]>,
}

impl<R: SampleRule<N>, const N: usize> Accumulator for RowAccumulator<R, N> {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let rows = values.first().map_or(0, |column| column.len());
        self.sample.extend((0..rows).filter_map(|row| self.rule.row(values, row)));
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        each_row_of_states(states, |_, row| self.sample.push(row))
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![ScalarValue::List(Arc::new(state_column(std::iter::once(&self.sample))))])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        answer(&self.rule, &mut self.sample)
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.sample.capacity() * size_of::<[u64; N]>()
    }
}

struct GroupedAccumulator<R, const N: usize> {
    rule: R,
    samples: Vec<Vec<[u64; N]>>,
}

impl<R: SampleRule<N>, const N: usize> GroupsAccumulator for GroupedAccumulator<R, N> {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total_groups: usize,
    ) -> Result<()> {
        self.samples.resize_with(total_groups, Vec::new);
        let passes = |row: usize| filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row));
        for (row, group) in groups.iter().enumerate().filter(|(row, _)| passes(*row)) {
            self.samples[*group].extend(self.rule.row(values, row));
        }
        Ok(())
    }

    fn merge_batch(&mut self, columns: &[ArrayRef], groups: &[usize], total_groups: usize) -> Result<()> {
        self.samples.resize_with(total_groups, Vec::new);
        each_row_of_states(columns, |position, row| self.samples[groups[position]].push(row))
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let samples = emit_to.take_needed(&mut self.samples);
        let answers = samples.into_iter().map(|mut sample| answer(&self.rule, &mut sample));
        let answers = answers.collect::<Result<Vec<_>>>()?;
        if answers.is_empty() {
            return Ok(new_empty_array(&R::OUTPUT));
        }
        ScalarValue::iter_to_array(answers)
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let samples = emit_to.take_needed(&mut self.samples);
        Ok(vec![Arc::new(state_column(samples.iter()))])
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let rows = values.first().map_or(0, |column| column.len());
        let mut alone = Self { rule: self.rule.clone(), samples: Vec::new() };
        alone.update_batch(values, &(0..rows).collect::<Vec<_>>(), filter, rows)?;
        alone.state(EmitTo::All)
    }

    fn size(&self) -> usize {
        let rows: usize = self.samples.iter().map(Vec::capacity).sum();
        rows * size_of::<[u64; N]>() + self.samples.capacity() * size_of::<Vec<[u64; N]>>()
    }
}

/// Checks shared by the tests of the aggregates.
#[cfg(test)]
pub(crate) mod testing {
    use super::*;
    use arrow::array::{Float64Array, UInt32Array};
    use arrow::compute::take_arrays;

    /// Asserts that every way to the answer gives the same bits, and returns it: rows in one
    /// go, backwards, in parts that are merged, in groups, and each state merged into the other kind.
    pub(crate) fn agreed<R: SampleRule<N>, const N: usize>(rule: &R, columns: &[ArrayRef]) -> ScalarValue {
        let rows = columns[0].len();
        let row = || RowAccumulator { rule: rule.clone(), sample: Vec::new() };
        let grouped = || GroupedAccumulator { rule: rule.clone(), samples: Vec::new() };
        let slice = |from: usize, len: usize| columns.iter().map(|c| c.slice(from, len)).collect::<Vec<_>>();
        let as_columns =
            |state: Vec<ScalarValue>| state.iter().map(|s| s.to_array().unwrap()).collect::<Vec<_>>();
        let scalar = |array: ArrayRef, at: usize| ScalarValue::try_from_array(&array, at).unwrap();

        let mut whole = row();
        whole.update_batch(columns).unwrap();
        let mut answers = vec![whole.evaluate().unwrap()];
        let backwards: UInt32Array = (0..rows as u32).rev().collect();
        let mut backwards_row = row();
        backwards_row.update_batch(&take_arrays(columns, &backwards, None).unwrap()).unwrap();
        answers.push(backwards_row.evaluate().unwrap());
        let (mut merged, mut from_rows) = (row(), grouped());
        for (from, len) in [(rows / 3, rows - rows / 3), (0, rows / 3)] {
            let mut part = row();
            part.update_batch(&slice(from, len)).unwrap();
            let state = as_columns(part.state().unwrap());
            merged.merge_batch(&state).unwrap();
            from_rows.merge_batch(&state, &[1], 2).unwrap();
        }
        answers.push(merged.evaluate().unwrap());
        answers.push(scalar(from_rows.evaluate(EmitTo::All).unwrap(), 1));
        let mut to_row = row();
        let mut second = grouped();
        second.update_batch(columns, &vec![1; rows], None, 2).unwrap();
        to_row.merge_batch(&second.state(EmitTo::All).unwrap()).unwrap();
        answers.push(to_row.evaluate().unwrap());
        let mut converted = grouped();
        converted
            .merge_batch(&grouped().convert_to_state(columns, None).unwrap(), &vec![0; rows], 1)
            .unwrap();
        answers.push(scalar(converted.evaluate(EmitTo::First(1)).unwrap(), 0));
        // A filter that lets nothing through leaves a group without rows, like no rows at all.
        let nothing = BooleanArray::from(vec![false; rows]);
        let mut filtered = grouped();
        filtered.update_batch(columns, &vec![0; rows], Some(&nothing), 1).unwrap();
        assert!(scalar(filtered.evaluate(EmitTo::All).unwrap(), 0).is_null());
        for answer in &answers {
            assert_eq!(answer, &answers[0], "{answers:?}");
        }
        answers.swap_remove(0)
    }

    /// The same of columns of floats.
    pub(crate) fn agreed_of_floats<R: SampleRule<N>, const N: usize>(
        rule: &R,
        columns: &[&[Option<f64>]; N],
    ) -> ScalarValue {
        let columns = columns.map(|c| Arc::new(c.iter().copied().collect::<Float64Array>()) as ArrayRef);
        agreed(rule, &columns)
    }
}
