//! Cuts streams sorted by (mn, factor, ts) into one outlet after another.
//!
//! String keys of one dictionary page share one view, so where a run ends is
//! found by comparing 16-byte views, and by strings only where views differ.

use std::ops::{Bound, Range};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Float64Array, RecordBatch, RunArray, StringViewArray, TimestampMicrosecondArray,
};
use arrow::buffer::{NullBuffer, ScalarBuffer};
use arrow::datatypes::{Float64Type, Int32Type, TimestampMicrosecondType, UInt8Type};
use datafusion::common::{DataFusionError, Result, internal_datafusion_err};
use datafusion::execution::SendableRecordBatchStream;
use futures::StreamExt;

use super::asked::{FactorUsage, Usage};
use super::extents::Extents;
use super::facts::Registry;
use super::outlet::{NO_TIME, OutletFrame, SeriesTable};

/// Cuts the streams of one partition into frames.
pub struct FrameCursor {
    streams: Vec<OutletStream>,
    registry: Arc<Registry>,
    extents: Arc<Extents>,
    usage: FactorUsage,
    next_registered: usize,
    /// The outlet of the frame last filled.
    last: Option<String>,
    bounds: KeyBounds,
}

/// The outlets of one partition: from `lower`, below `upper`; `None` is open.
#[derive(Debug, Clone, Default)]
pub struct KeyBounds {
    /// The least `mn`.
    pub lower: Option<String>,
    /// The `mn` that the next partition starts with.
    pub upper: Option<String>,
}

impl KeyBounds {
    fn is_before(&self, mn: &str) -> bool {
        self.lower.as_deref().is_some_and(|lower| mn < lower)
    }

    fn is_past(&self, mn: &str) -> bool {
        self.upper.as_deref().is_some_and(|upper| mn >= upper)
    }
}

impl std::fmt::Debug for FrameCursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FrameCursor").field("streams", &self.streams.len()).finish_non_exhaustive()
    }
}

impl FrameCursor {
    /// A cursor over streams, each with the table its rows belong to. Outlets of
    /// the registry and of the extents within `bounds` get a frame even when no row
    /// came. Series that the query doesn't use are left out.
    pub fn new(
        streams: Vec<(SeriesTable, SendableRecordBatchStream)>,
        registry: Arc<Registry>,
        extents: Arc<Extents>,
        usage: FactorUsage,
        bounds: KeyBounds,
    ) -> Self {
        let streams = streams.into_iter().map(|(table, stream)| OutletStream::new(table, stream)).collect();
        let next_registered = registry.outlets().partition_point(|outlet| bounds.is_before(&outlet.mn));
        Self { streams, registry, extents, usage, next_registered, last: None, bounds }
    }

    /// Fills `frame` with the next outlet; `false` when there is none.
    pub async fn next(&mut self, frame: &mut OutletFrame) -> Result<bool> {
        for stream in &mut self.streams {
            stream.advance_into(&self.bounds).await?;
        }
        let registered = self.registry.outlets().get(self.next_registered).map(|outlet| outlet.mn.as_str());
        let registered = registered.filter(|mn| !self.bounds.is_past(mn));
        let received = self.streams.iter().filter_map(OutletStream::mn).min();
        let first = self.bounds.lower.as_deref().map_or(Bound::Unbounded, Bound::Included);
        let unread = self.extents.next_outlet(self.last.as_deref().map_or(first, Bound::Excluded));
        let unread = unread.filter(|mn| !self.bounds.is_past(mn));
        let Some(mn) = registered.into_iter().chain(received).chain(unread).min() else { return Ok(false) };
        frame.start(mn);
        frame.extents.extend_from_slice(self.extents.of(mn));
        self.last.get_or_insert_default().clone_from(&frame.mn);
        if registered == Some(frame.mn.as_str()) {
            self.next_registered += 1;
        }
        for stream in &mut self.streams {
            stream.take_outlet(frame, &mut self.usage).await?;
        }
        Ok(true)
    }
}

/// Appends the rows of a stream that belong to the frame's outlet.
pub(super) async fn append_outlet(
    frame: &mut OutletFrame,
    table: SeriesTable,
    stream: SendableRecordBatchStream,
    usage: &mut FactorUsage,
) -> Result<()> {
    let mut stream = OutletStream::new(table, stream);
    let only = KeyBounds { lower: Some(frame.mn.clone()), upper: None };
    stream.advance_into(&only).await?;
    stream.take_outlet(frame, usage).await
}

/// One sorted stream and where it stands.
struct OutletStream {
    table: SeriesTable,
    stream: SendableRecordBatchStream,
    batch: Option<Columns>,
    row: usize,
    started: bool,
}

impl OutletStream {
    fn new(table: SeriesTable, stream: SendableRecordBatchStream) -> Self {
        Self { table, stream, batch: None, row: 0, started: false }
    }

    /// The outlet the stream stands at.
    fn mn(&self) -> Option<&str> {
        self.batch.as_ref().map(|batch| batch.mn.value(self.row))
    }

    /// Makes the stream stand at a row, if any is left.
    async fn fill(&mut self) -> Result<()> {
        while self.batch.as_ref().is_none_or(|batch| self.row >= batch.ts.len()) {
            let done = self.started && self.batch.is_none();
            if done {
                return Ok(());
            }
            self.started = true;
            self.row = 0;
            self.batch = match self.stream.next().await {
                Some(batch) => Some(Columns::of(&batch?, self.table)?),
                None => None,
            };
            if self.batch.is_none() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Skips outlets before the partition's first and drops those past its last.
    async fn advance_into(&mut self, bounds: &KeyBounds) -> Result<()> {
        self.fill().await?;
        while let Some(batch) = &self.batch {
            let mn = batch.mn.value(self.row);
            if bounds.is_past(mn) {
                self.batch = None;
                self.started = true;
                return Ok(());
            }
            if !bounds.is_before(mn) {
                return Ok(());
            }
            self.row = batch.mn.run_end(self.row, batch.ts.len());
            self.fill().await?;
        }
        Ok(())
    }

    /// Appends the rows of the frame's outlet, if the stream stands at it.
    async fn take_outlet(&mut self, frame: &mut OutletFrame, usage: &mut FactorUsage) -> Result<()> {
        loop {
            let Some(batch) = &self.batch else { return Ok(()) };
            if batch.mn.value(self.row) != frame.mn {
                return Ok(());
            }
            let outlet_end = batch.mn.run_end(self.row, batch.ts.len());
            while self.row < outlet_end {
                let series_end = batch.factor.run_end(self.row, outlet_end);
                // What is asked of factors says nothing of working conditions.
                let is_condition = self.table == SeriesTable::Conditions;
                if is_condition || usage.of(batch.factor.value(self.row)) != Usage::Unused {
                    batch.append(self.row..series_end, self.table, frame);
                }
                self.row = series_end;
            }
            self.fill().await?;
        }
    }
}

/// Where the run of equal strings that starts at `start` ends, at most `limit`.
/// Equal strings must be contiguous. Doubling steps, then bisection, over views.
fn run_end(strings: &StringViewArray, start: usize, limit: usize) -> usize {
    let views = strings.views();
    let mut end = start;
    loop {
        let view = views[end];
        let same = |position: usize| views[position] == view;
        let mut step = 1;
        while end + step < limit && same(end + step) {
            step *= 2;
        }
        let (low, high) = (end + step / 2, (end + step).min(limit));
        end = low + views[low..high].partition_point(|candidate| *candidate == view);
        if end >= limit || strings.value(end) != strings.value(start) {
            return end;
        }
    }
}

/// A sorted key column: a value a row, or a value a run.
enum Keys {
    Rows(StringViewArray),
    Runs(RunArray<Int32Type>, StringViewArray),
}

impl Keys {
    fn of(column: &ArrayRef) -> Option<Self> {
        if let Some(rows) = column.as_string_view_opt() {
            return Some(Self::Rows(rows.clone()));
        }
        let runs = column.as_run_opt::<Int32Type>()?;
        Some(Self::Runs(runs.clone(), runs.values().as_string_view_opt()?.clone()))
    }

    fn value(&self, row: usize) -> &str {
        match self {
            Self::Rows(rows) => rows.value(row),
            Self::Runs(runs, values) => values.value(runs.get_physical_index(row)),
        }
    }

    /// Where the run of equal values that starts at `start` ends, at most `limit`.
    fn run_end(&self, start: usize, limit: usize) -> usize {
        match self {
            Self::Rows(rows) => run_end(rows, start, limit),
            Self::Runs(runs, values) => {
                let ends = runs.run_ends();
                let first = runs.get_physical_index(start);
                let later = (first + 1..values.len()).find(|run| values.value(*run) != values.value(first));
                let last = later.unwrap_or(values.len()) - 1;
                let end = ends.values().get(last).map_or(limit, |end| *end as usize - ends.offset());
                end.min(limit)
            }
        }
    }
}

/// The first letters of a column of texts or of a dictionary of them, 0 where NULL.
fn first_letters(column: &ArrayRef) -> Option<Vec<u8>> {
    let mut letters: Vec<u8> = match (column.as_string_view_opt(), column.as_dictionary_opt::<UInt8Type>()) {
        (Some(texts), _) => texts.views().iter().map(|view| letter_of_view(*view)).collect(),
        (None, Some(dictionary)) => {
            let texts = dictionary.values().as_string_opt::<i32>()?;
            let mut known = [0; 256];
            known.iter_mut().zip(texts).for_each(|(known, text)| *known = first_letter(text));
            dictionary.keys().values().iter().map(|key| known[usize::from(*key)]).collect()
        }
        (None, None) => return None,
    };
    if let Some(nulls) = column.logical_nulls() {
        letters.iter_mut().zip(&nulls).filter(|(_, valid)| !valid).for_each(|(letter, _)| *letter = 0);
    }
    Some(letters)
}

/// A view's first four bytes are the length; a text of up to twelve bytes follows.
fn letter_of_view(view: u128) -> u8 {
    if view as u32 == 0 { 0 } else { (view >> 32) as u8 }
}

fn first_letter(text: Option<&str>) -> u8 {
    text.and_then(|text| text.bytes().next()).unwrap_or_default()
}

/// The columns of one batch. Key columns are never NULL.
struct Columns {
    mn: Keys,
    factor: Keys,
    ts: ScalarBuffer<i64>,
    value: Option<Float64Array>,
    flag: Option<Vec<u8>>,
    total: Option<Float64Array>,
    converted: Option<Float64Array>,
    value_min: Option<Float64Array>,
    value_max: Option<Float64Array>,
    received_at: Option<TimestampMicrosecondArray>,
    sample_time: Option<TimestampMicrosecondArray>,
    signal: Option<Float64Array>,
    reading: Option<Float64Array>,
    logged: Option<Float64Array>,
    phase: Option<Vec<u8>>,
}

impl Columns {
    fn of(batch: &RecordBatch, table: SeriesTable) -> Result<Self> {
        let series = table.series_column();
        let keys = |name: &str| batch.column_by_name(name).and_then(Keys::of);
        let floats = |name: &str| {
            batch.column_by_name(name).and_then(|column| column.as_primitive_opt::<Float64Type>().cloned())
        };
        let times = |name: &str| {
            let column = batch.column_by_name(name);
            column.and_then(|column| column.as_primitive_opt::<TimestampMicrosecondType>().cloned())
        };
        let missing = |name: &str| internal_datafusion_err!("a frame's input lacks column '{name}'");
        let ts = batch.column_by_name("ts").and_then(|c| c.as_primitive_opt::<TimestampMicrosecondType>());
        Ok(Self {
            mn: keys("mn").ok_or_else(|| missing("mn"))?,
            factor: keys(series).ok_or_else(|| missing(series))?,
            ts: ts.ok_or_else(|| missing("ts"))?.values().clone(),
            value: floats("value"),
            flag: batch.column_by_name("flag").and_then(first_letters),
            total: floats("total"),
            converted: floats("converted"),
            value_min: floats("value_min"),
            value_max: floats("value_max"),
            received_at: times("received_at"),
            sample_time: times("sample_time"),
            signal: floats("signal"),
            reading: floats("reading"),
            logged: floats("logged"),
            phase: batch.column_by_name("phase").and_then(first_letters),
        })
    }

    /// Appends rows of one series to the frame.
    fn append(&self, rows: Range<usize>, table: SeriesTable, frame: &mut OutletFrame) {
        let out = frame.table_mut(table);
        let start = out.ts.len();
        out.ts.extend_from_slice(&self.ts[rows.clone()]);
        append_floats(self.value.as_ref(), rows.clone(), &mut out.value);
        append_floats(self.total.as_ref(), rows.clone(), &mut out.total);
        append_floats(self.converted.as_ref(), rows.clone(), &mut out.converted);
        append_floats(self.value_min.as_ref(), rows.clone(), &mut out.value_min);
        append_floats(self.value_max.as_ref(), rows.clone(), &mut out.value_max);
        append_times(self.received_at.as_ref(), rows.clone(), &mut out.received_at);
        append_times(self.sample_time.as_ref(), rows.clone(), &mut out.sample_time);
        append_floats(self.signal.as_ref(), rows.clone(), &mut out.signal);
        append_floats(self.reading.as_ref(), rows.clone(), &mut out.reading);
        append_floats(self.logged.as_ref(), rows.clone(), &mut out.logged);
        if let Some(flag) = &self.flag {
            out.flag.extend_from_slice(&flag[rows.clone()]);
        }
        if let Some(phase) = &self.phase {
            out.phase.extend_from_slice(&phase[rows.clone()]);
        }
        out.note_piece(self.factor.value(rows.start), start..start + rows.len());
    }
}

/// Appends floats, NaN where NULL; a column that was not read stays empty.
fn append_floats(column: Option<&Float64Array>, rows: Range<usize>, out: &mut Vec<f64>) {
    let Some(column) = column else { return };
    let nulls = column.nulls().map(|nulls| nulls.slice(rows.start, rows.len()));
    match nulls.as_ref().map_or(0, NullBuffer::null_count) {
        0 => out.extend_from_slice(&column.values()[rows]),
        // As `total` is of every factor but a flow.
        nulls if nulls == rows.len() => out.resize(out.len() + nulls, f64::NAN),
        _ => out.extend(rows.map(|row| if column.is_valid(row) { column.value(row) } else { f64::NAN })),
    }
}

/// Appends times, [`NO_TIME`] where NULL; a column that was not read stays empty.
fn append_times(column: Option<&TimestampMicrosecondArray>, rows: Range<usize>, out: &mut Vec<i64>) {
    let Some(column) = column else { return };
    match column.null_count() {
        0 => out.extend_from_slice(&column.values()[rows]),
        _ => out.extend(rows.map(|row| if column.is_valid(row) { column.value(row) } else { NO_TIME })),
    }
}

/// The error for a frame that outgrows the memory pool.
pub(super) fn too_large(mn: &str, error: &DataFusionError) -> DataFusionError {
    DataFusionError::ResourcesExhausted(format!("the rows of outlet {mn} don't fit the memory pool: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_run_goes_on_over_views_that_differ() {
        let long = "a".repeat(20);
        let strings = StringViewArray::from(vec![long.as_str(), long.as_str(), "b", "b", "c"]);
        assert_eq!(run_end(&strings, 0, 5), 2);
        assert_eq!(run_end(&strings, 2, 5), 4);
        assert_eq!(run_end(&strings, 2, 3), 3);
        assert_eq!(run_end(&strings, 4, 5), 5);
    }

    proptest! {
        #[test]
        fn run_end_equals_a_linear_search(lengths in prop::collection::vec(1_usize..70, 1..20)) {
            let words = lengths.iter().enumerate();
            let strings: Vec<String> = words.flat_map(|(i, n)| vec![format!("outlet-number-{i:04}"); *n]).collect();
            let array = StringViewArray::from_iter_values(&strings);
            for start in 0..strings.len() {
                let linear = strings[start..].iter().take_while(|s| **s == strings[start]).count();
                prop_assert_eq!(run_end(&array, start, strings.len()), start + linear);
            }
        }
    }
}
