//! `outlet_copies(mn, values)`: the outlets of a group that send the same, by [`copies`].

use std::sync::{Arc, LazyLock};

use arrow::array::{
    Array, ArrayRef, AsArray, Float32Builder, Float64Builder, Int64Builder, ListArray, ListBuilder,
    StringViewBuilder, StructArray,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Float32Type};
use datafusion::common::{Result, ScalarValue, exec_datafusion_err, not_impl_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::scalar_doc_sections::DOC_SECTION_OTHER;
use datafusion::logical_expr::utils::format_state_name;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Documentation, Signature, Volatility,
};

use super::cross_outlet_copy::{OutletCopy, copies};
use super::thresholds::Thresholds;

const PATTERN: &str = "cross_outlet_copy";

/// What is told of a copy: the two outlets, its first hour and the one after its last, counted from
/// the first of `values`, and the figures.
static COPY: LazyLock<Fields> = LazyLock::new(|| {
    Fields::from(vec![
        Field::new("mn", DataType::Utf8View, false),
        Field::new("other", DataType::Utf8View, false),
        Field::new("first_hour", DataType::Int64, false),
        Field::new("end_hour", DataType::Int64, false),
        Field::new("agreeing", DataType::Int64, false),
        Field::new("difference", DataType::Float64, false),
        Field::new("correlation", DataType::Float64, false),
        Field::new("score", DataType::Float64, false),
    ])
});

/// A list of what may be NULL.
fn list_of(items: DataType) -> DataType {
    DataType::List(Arc::new(Field::new_list_field(items, true)))
}

/// The type of an outlet's hours.
fn hours_type() -> DataType {
    list_of(DataType::Float32)
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct OutletCopies {
    signature: Signature,
}

/// The SQL aggregate.
pub fn outlet_copies_udaf() -> AggregateUDF {
    let signature = Signature::exact(vec![DataType::Utf8View, hours_type()], Volatility::Immutable);
    AggregateUDF::from(OutletCopies { signature })
}

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    let description = "Pairs of outlets of a group that send the same, each outlet with its values by hour from a common first hour on, as a list of both directions: outlet, other, first hour and the one after the last, hours that agree, median relative difference, correlation, score; by the thresholds of pattern cross_outlet_copy (站点间数据复制). ST §6 P7 [default]";
    Documentation::builder(DOC_SECTION_OTHER, description, "outlet_copies(mn, values)").build()
});

impl AggregateUDFImpl for OutletCopies {
    fn name(&self) -> &str {
        "outlet_copies"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(list_of(DataType::Struct(COPY.clone())))
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        let field = |name, kind| Arc::new(Field::new(format_state_name(args.name, name), kind, true));
        Ok(vec![field("mn", list_of(DataType::Utf8View)), field("values", list_of(hours_type()))])
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        if args.is_distinct {
            return not_impl_err!("outlet_copies(DISTINCT …) would drop copies; leave DISTINCT out");
        }
        Ok(Box::new(OutletHours::default()))
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&DOCUMENTATION)
    }
}

/// The outlets of a group with their hours.
#[derive(Debug, Default)]
struct OutletHours {
    outlets: Vec<(String, Vec<f32>)>,
}

impl OutletHours {
    /// Takes outlets in; rows in which either is NULL are left out.
    fn add(&mut self, mn: &ArrayRef, values: &ArrayRef) -> Result<()> {
        let (Some(mn), Some(values)) = (mn.as_string_view_opt(), values.as_list_opt::<i32>()) else {
            return Err(exec_datafusion_err!("outlet_copies takes an outlet's id and a list of its values"));
        };
        for (mn, values) in mn.iter().zip(values.iter()) {
            let (Some(mn), Some(values)) = (mn, values) else { continue };
            let hours = values.as_primitive::<Float32Type>().iter();
            self.outlets.push((mn.to_owned(), hours.map(|value| value.unwrap_or(f32::NAN)).collect()));
        }
        Ok(())
    }
}

impl Accumulator for OutletHours {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let [mn, hours] = values else { return Ok(()) };
        self.add(mn, hours)
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let [mn, hours] = states else { return Ok(()) };
        for (mn, hours) in mn.as_list::<i32>().iter().zip(hours.as_list::<i32>().iter()) {
            if let (Some(mn), Some(hours)) = (mn, hours) {
                self.add(&mn, &hours)?;
            }
        }
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let mut outlets = ListBuilder::new(StringViewBuilder::new());
        let mut series = ListBuilder::new(ListBuilder::new(Float32Builder::new()));
        for (mn, hours) in std::mem::take(&mut self.outlets) {
            outlets.values().append_value(mn);
            series.values().values().append_slice(&hours);
            series.values().append(true);
        }
        outlets.append(true);
        series.append(true);
        Ok(vec![ScalarValue::List(Arc::new(outlets.finish())), ScalarValue::List(Arc::new(series.finish()))])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        // By outlet, so that pairs are told the same whatever the order in which rows came.
        self.outlets.sort_by(|a, b| a.0.cmp(&b.0));
        let hours: Vec<&[f32]> = self.outlets.iter().map(|(_, hours)| hours.as_slice()).collect();
        let found = copies(&hours, &Thresholds::general(PATTERN));
        let told = told(&self.outlets, &found)?;
        let offsets = OffsetBuffer::from_lengths([told.len()]);
        let item = Arc::new(Field::new_list_field(DataType::Struct(COPY.clone()), true));
        Ok(ScalarValue::List(Arc::new(ListArray::try_new(item, offsets, Arc::new(told), None)?)))
    }

    fn size(&self) -> usize {
        let of_outlets = self.outlets.iter().map(|(mn, hours)| mn.capacity() + 4 * hours.capacity());
        size_of_val(self)
            + of_outlets.sum::<usize>()
            + self.outlets.capacity() * size_of::<(String, Vec<f32>)>()
    }
}

/// Copies as rows, each of both outlets.
fn told(outlets: &[(String, Vec<f32>)], copies: &[OutletCopy]) -> Result<StructArray> {
    let (mut mn, mut other) = (StringViewBuilder::new(), StringViewBuilder::new());
    let (mut first, mut end, mut agreeing) = (Int64Builder::new(), Int64Builder::new(), Int64Builder::new());
    let [mut difference, mut correlation, mut score] = std::array::from_fn(|_| Float64Builder::new());
    let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    for copy in copies {
        let [Some((a, _)), Some((b, _))] = copy.outlets.map(|outlet| outlets.get(outlet)) else { continue };
        for (one, another) in [(a, b), (b, a)] {
            mn.append_value(one);
            other.append_value(another);
            first.append_value(count(copy.hours.start));
            end.append_value(count(copy.hours.end));
            agreeing.append_value(count(copy.agreeing));
            difference.append_value(copy.difference);
            correlation.append_value(copy.correlation);
            score.append_value(copy.score);
        }
    }
    let columns: Vec<ArrayRef> = vec![
        Arc::new(mn.finish()),
        Arc::new(other.finish()),
        Arc::new(first.finish()),
        Arc::new(end.finish()),
        Arc::new(agreeing.finish()),
        Arc::new(difference.finish()),
        Arc::new(correlation.finish()),
        Arc::new(score.finish()),
    ];
    Ok(StructArray::try_new(COPY.clone(), columns, None)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outlets(hours: &[(&str, Vec<f32>)]) -> [ArrayRef; 2] {
        let mut all = OutletHours {
            outlets: hours.iter().map(|(mn, hours)| ((*mn).to_owned(), hours.clone())).collect(),
        };
        let state = all.state().unwrap();
        let [mn, values] = [0, 1].map(|column| match &state[column] {
            ScalarValue::List(list) => list.value(0),
            other => panic!("{other}"),
        });
        [mn, values]
    }

    #[test]
    fn a_copy_is_told_of_both_outlets_whether_states_were_merged_or_not() {
        let hours: Vec<f32> = (0..48).map(|hour| 100.0 + ((hour * 37) % 23) as f32).collect();
        let other: Vec<f32> = (0..48).map(|hour| 60.0 + ((hour * 31) % 19) as f32).collect();
        let rows = [("B", hours.clone()), ("C", other), ("A", hours)];
        let mut at_once = OutletHours::default();
        at_once.update_batch(&outlets(&rows)).unwrap();
        let told = at_once.evaluate().unwrap();
        let ScalarValue::List(list) = &told else { panic!("{told}") };
        let copies = list.value(0);
        let copies = copies.as_struct();
        let text =
            |name| copies.column_by_name(name).unwrap().as_string_view().iter().flatten().collect::<Vec<_>>();
        assert_eq!((text("mn"), text("other")), (vec!["A", "B"], vec!["B", "A"]));

        let mut merged = OutletHours::default();
        for row in rows.chunks(1) {
            let mut part = OutletHours::default();
            part.update_batch(&outlets(row)).unwrap();
            let state: Vec<ArrayRef> = part.state().unwrap().iter().map(|s| s.to_array().unwrap()).collect();
            merged.merge_batch(&state).unwrap();
        }
        assert_eq!(merged.evaluate().unwrap(), told);
    }
}
