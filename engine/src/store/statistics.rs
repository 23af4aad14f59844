//! The statistics of a file as the log tells them.

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, PrimitiveArray, RecordBatch};
use arrow::compute::{max, max_string_view, min, min_string_view};
use arrow::datatypes::{
    ArrowNativeTypeOp, DataType, Date32Type, Float64Type, SchemaRef, TimeUnit, TimestampMicrosecondType,
};
use chrono::DateTime;
use plume_udfs::time::date_of;
use serde_json::{Map, Value, json};

use super::delta::STATS_TIMESTAMP;

/// Rows of a file, and of each column the NULLs, the least and the greatest value.
#[derive(Debug)]
pub(super) struct FileStatistics {
    schema: SchemaRef,
    rows: usize,
    nulls: Vec<usize>,
    ranges: Vec<Option<ValueRange>>,
}

impl FileStatistics {
    /// Of no row yet.
    pub(super) fn new(schema: SchemaRef) -> Self {
        let columns = schema.fields().len();
        Self { schema, rows: 0, nulls: vec![0; columns], ranges: vec![None; columns] }
    }

    /// Counts rows in.
    pub(super) fn add(&mut self, rows: &RecordBatch) {
        self.rows += rows.num_rows();
        let known = self.nulls.iter_mut().zip(&mut self.ranges);
        for (column, (nulls, range)) in rows.columns().iter().zip(known) {
            *nulls += column.null_count();
            *range = match (range.take(), ValueRange::of(column)) {
                (Some(known), Some(more)) => Some(known.with(more)),
                (known, more) => known.or(more),
            };
        }
    }

    /// As Delta writes it.
    pub(super) fn to_json(&self) -> Value {
        let (mut least, mut greatest, mut nulls) = (Map::new(), Map::new(), Map::new());
        for ((field, null_count), range) in self.schema.fields().iter().zip(&self.nulls).zip(&self.ranges) {
            nulls.insert(field.name().clone(), json!(null_count));
            if let Some((min, max)) = range.as_ref().and_then(ValueRange::to_json) {
                least.insert(field.name().clone(), min);
                greatest.insert(field.name().clone(), max);
            }
        }
        json!({ "numRecords": self.rows, "minValues": least, "maxValues": greatest, "nullCount": nulls })
    }
}

/// Least and greatest value of a column.
#[derive(Debug, Clone, PartialEq)]
enum ValueRange {
    Text(String, String),
    Float(f64, f64),
    Date(i32, i32),
    Timestamp(i64, i64),
}

impl ValueRange {
    /// Of a column; `None` where it holds no value, or is of a type that isn't told.
    fn of(column: &ArrayRef) -> Option<Self> {
        match column.data_type() {
            DataType::Utf8View => {
                let column = column.as_string_view();
                Some(Self::Text(min_string_view(column)?.to_owned(), max_string_view(column)?.to_owned()))
            }
            DataType::Float64 => {
                range_of(column.as_primitive::<Float64Type>()).map(|(least, most)| Self::Float(least, most))
            }
            DataType::Date32 => {
                range_of(column.as_primitive::<Date32Type>()).map(|(least, most)| Self::Date(least, most))
            }
            DataType::Timestamp(TimeUnit::Microsecond, _) => {
                range_of(column.as_primitive::<TimestampMicrosecondType>())
                    .map(|(least, most)| Self::Timestamp(least, most))
            }
            _ => None,
        }
    }

    /// The range of both.
    fn with(self, other: Self) -> Self {
        match (self, other) {
            (Self::Text(a, b), Self::Text(c, d)) => Self::Text(a.min(c), b.max(d)),
            (Self::Float(a, b), Self::Float(c, d)) => Self::Float(a.min(c), b.max(d)),
            (Self::Date(a, b), Self::Date(c, d)) => Self::Date(a.min(c), b.max(d)),
            (Self::Timestamp(a, b), Self::Timestamp(c, d)) => Self::Timestamp(a.min(c), b.max(d)),
            // Batches of one file have one schema.
            (known, _) => known,
        }
    }

    fn to_json(&self) -> Option<(Value, Value)> {
        let timestamp =
            |ts: i64| Some(json!(DateTime::from_timestamp_micros(ts)?.format(STATS_TIMESTAMP).to_string()));
        let date = |day: i32| json!(date_of(day.into()).to_string());
        match self {
            Self::Text(least, most) => Some((json!(least), json!(most))),
            Self::Float(least, most) => Some((json!(least), json!(most))),
            Self::Date(least, most) => Some((date(*least), date(*most))),
            Self::Timestamp(least, most) => Some((timestamp(*least)?, timestamp(*most)?)),
        }
    }
}

fn range_of<T>(column: &PrimitiveArray<T>) -> Option<(T::Native, T::Native)>
where
    T: ArrowPrimitiveType,
    T::Native: ArrowNativeTypeOp,
{
    Some((min(column)?, max(column)?))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use arrow::array::{Float64Array, StringViewArray};

    #[test]
    fn batches_add_up() {
        let batch = |mn: &str, value: Option<f64>| {
            let columns: [(&str, ArrayRef); 2] = [
                ("mn", Arc::new(StringViewArray::from(vec![mn]))),
                ("value", Arc::new(Float64Array::from(vec![value]))),
            ];
            RecordBatch::try_from_iter(columns).unwrap()
        };
        let mut statistics = FileStatistics::new(batch("B", None).schema());
        for rows in [batch("B", None), batch("A", Some(2.0)), batch("C", Some(-1.0))] {
            statistics.add(&rows);
        }
        let expected = json!({
            "numRecords": 3,
            "minValues": { "mn": "A", "value": -1.0 },
            "maxValues": { "mn": "C", "value": 2.0 },
            "nullCount": { "mn": 0, "value": 1 },
        });
        assert_eq!(statistics.to_json(), expected);
    }
}
