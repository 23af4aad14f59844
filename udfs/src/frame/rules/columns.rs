//! Builders for the columns that views share.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanBuilder, Date32Builder, Float64Builder, Int64Builder, StringViewBuilder,
    TimestampMicrosecondBuilder,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use plume_datasets::schema::ColumnType;

use crate::time::DAY_US;

/// A column of a view: name, type, whether it may be NULL.
pub(super) type ViewColumn = (&'static str, DataType, bool);

pub(super) const TIMESTAMP: DataType = DataType::Timestamp(TimeUnit::Microsecond, None);

/// The schema of a view.
pub(super) fn schema(columns: &[ViewColumn]) -> SchemaRef {
    let field = |(name, kind, nullable): &ViewColumn| Field::new(*name, kind.clone(), *nullable);
    Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()))
}

/// The type of text in a view.
pub(super) fn text() -> DataType {
    ColumnType::Text.arrow()
}

/// Text that repeats from row to row is stored once.
pub(super) fn text_builder() -> StringViewBuilder {
    StringViewBuilder::new().with_deduplicate_strings()
}

/// A float that is NULL where NaN.
pub(super) fn push_float(builder: &mut Float64Builder, value: f64) {
    builder.append_option((!value.is_nan()).then_some(value));
}

/// A day counted from 1970-01-01.
pub(super) fn push_day(builder: &mut Date32Builder, day: i64) {
    builder.append_value(i32::try_from(day).unwrap_or(if day < 0 { i32::MIN } else { i32::MAX }));
}

/// The first moment of a day.
pub(super) fn push_midnight(builder: &mut TimestampMicrosecondBuilder, day: i64) {
    builder.append_value(day.saturating_mul(DAY_US));
}

/// A builder that gives its finished column and starts anew.
pub(super) trait Finish {
    /// The finished column.
    fn column(&mut self) -> ArrayRef;
}

macro_rules! finish {
    ($($builder:ty),*) => {
        $(impl Finish for $builder {
            fn column(&mut self) -> ArrayRef {
                Arc::new(self.finish())
            }
        })*
    };
}

finish!(
    BooleanBuilder,
    Date32Builder,
    Float64Builder,
    Int64Builder,
    StringViewBuilder,
    TimestampMicrosecondBuilder
);
