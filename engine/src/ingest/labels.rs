//! Which sources label an interval by its end.

use std::collections::HashMap;

use arrow::array::{Array, AsArray};
use arrow::datatypes::TimestampMicrosecondType;
use plume_udfs::frame::facts::{Span, span};

use crate::Result;
use crate::session::Session;

/// When the source of an outlet labels an interval by its end, as the registry says. Outlets
/// that never do are left out.
#[derive(Debug, Default)]
pub(super) struct LabelledByEnd(HashMap<String, Vec<Label>>);

/// How a row of the registry says that intervals are labelled, while it is in force.
#[derive(Debug)]
struct Label {
    in_force: Span,
    by_end: bool,
}

impl LabelledByEnd {
    /// As the registry of a session says.
    pub(super) async fn read(session: &Session) -> Result<Self> {
        let rows = "SELECT mn, since, until, coalesce(ts_label = 'end', false) FROM outlets \
                    ORDER BY mn, since NULLS FIRST";
        let mut labels: HashMap<String, Vec<Label>> = HashMap::new();
        for batch in session.sql(rows).await?.collect().await? {
            let (mns, by_end) = (batch.column(0).as_string_view(), batch.column(3).as_boolean());
            let times = [1, 2].map(|column| batch.column(column).as_primitive::<TimestampMicrosecondType>());
            for row in 0..batch.num_rows() {
                let [since, until] = times.map(|times| times.is_valid(row).then(|| times.value(row)));
                let label = Label { in_force: span(since, until), by_end: by_end.value(row) };
                labels.entry(mns.value(row).to_owned()).or_default().push(label);
            }
        }
        labels.retain(|_, labels| labels.iter().any(|label| label.by_end));
        Ok(Self(labels))
    }

    /// Whether no source ever does.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the source of an outlet labels an interval by its end at a time; of rows in
    /// force at once the one that came into force last says.
    pub(super) fn at(&self, mn: &str, ts: i64) -> bool {
        let Some(labels) = self.0.get(mn) else { return false };
        let said = labels.iter().rev().find(|label| label.in_force.contains(&ts));
        said.is_some_and(|label| label.by_end)
    }
}
