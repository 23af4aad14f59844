//! The frame: the rows of one outlet, by table and factor.

use std::ops::Range;

use super::extents::SeriesExtent;
use crate::time::DAY_HOURS;
use crate::validity::hours::Rows;
use crate::validity::streams::StreamRows;

/// The tables that a frame holds series of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SeriesTable {
    /// Hourly means.
    Hourly,
    /// Minute means.
    Minute,
    /// Daily means as reported.
    Daily,
    /// Real-time values, which make nothing due and settle no hour.
    Realtime,
    /// Working conditions, whose series are parameters.
    Conditions,
    /// Raw signals, beside which an hour of the platform is set: they make nothing due.
    RawSignals,
}

impl SeriesTable {
    /// Every table, in the order a frame holds them.
    pub const ALL: [Self; 6] =
        [Self::Hourly, Self::Minute, Self::Daily, Self::Realtime, Self::Conditions, Self::RawSignals];

    /// The tables whose rows tell what is due, and settle hours and days.
    pub const SETTLED: [Self; 3] = [Self::Hourly, Self::Minute, Self::Daily];

    /// The table's name in the store.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hourly => "hourly",
            Self::Minute => "minute",
            Self::Daily => "daily",
            Self::Realtime => "realtime",
            Self::Conditions => "conditions",
            Self::RawSignals => "raw_signals",
        }
    }

    /// The column that names a series of an outlet.
    pub fn series_column(self) -> &'static str {
        if self == Self::Conditions { "param" } else { "factor" }
    }

    /// Hours that one row stands for, or lies in.
    pub fn hours_of_row(self) -> i64 {
        match self {
            Self::Hourly | Self::Minute | Self::Realtime | Self::Conditions | Self::RawSignals => 1,
            Self::Daily => DAY_HOURS,
        }
    }
}

/// Stands for a time that is NULL.
pub const NO_TIME: i64 = i64::MIN;

/// The rows of one table of one outlet. Columns that were not read are empty.
#[derive(Debug, Clone, Default)]
pub struct TableRows {
    series: Vec<Series>,
    /// Start of the interval, µs.
    pub ts: Vec<i64>,
    /// Value, NaN where NULL.
    pub value: Vec<f64>,
    /// Flag letter, 0 where NULL.
    pub flag: Vec<u8>,
    /// Accumulated in the interval, NaN where NULL.
    pub total: Vec<f64>,
    /// Converted value as sent, NaN where NULL.
    pub converted: Vec<f64>,
    /// Least value in the interval, NaN where NULL.
    pub value_min: Vec<f64>,
    /// Greatest value in the interval, NaN where NULL.
    pub value_max: Vec<f64>,
    /// When the row in force was received, µs; [`NO_TIME`] where NULL.
    pub received_at: Vec<i64>,
    /// When the sample was taken, µs; [`NO_TIME`] where NULL.
    pub sample_time: Vec<i64>,
    /// The analyser's raw signal, NaN where NULL.
    pub signal: Vec<f64>,
    /// The analyser's concentration, NaN where NULL.
    pub reading: Vec<f64>,
    /// The logger's concentration, NaN where NULL.
    pub logged: Vec<f64>,
    /// First letter of the phase of measuring, 0 where NULL.
    pub phase: Vec<u8>,
}

/// Where the rows of one factor lie: pieces, one a file run.
#[derive(Debug, Clone, Default)]
pub struct Series {
    /// Factor code; of a working condition its parameter.
    pub factor: String,
    /// Row ranges, each in time order; no two of them have rows in one month (or day).
    pub pieces: Vec<Range<usize>>,
}

impl TableRows {
    /// Empties the table, keeping its memory.
    pub fn clear(&mut self) {
        self.series.clear();
        self.ts.clear();
        self.value.clear();
        self.flag.clear();
        self.total.clear();
        self.converted.clear();
        self.value_min.clear();
        self.value_max.clear();
        self.received_at.clear();
        self.sample_time.clear();
        self.signal.clear();
        self.reading.clear();
        self.logged.clear();
        self.phase.clear();
    }

    /// The series present.
    pub fn series(&self) -> &[Series] {
        &self.series
    }

    /// The series of a factor.
    pub fn of(&self, factor: &str) -> Option<&Series> {
        self.series.iter().find(|series| series.factor == factor)
    }

    /// Notes that rows of a factor were appended at `piece`.
    pub fn note_piece(&mut self, factor: &str, piece: Range<usize>) {
        match self.series.iter_mut().find(|series| series.factor == factor) {
            Some(series) => match series.pieces.last_mut() {
                Some(last) if last.end == piece.start => last.end = piece.end,
                _ => series.pieces.push(piece),
            },
            None => self.series.push(Series { factor: factor.to_owned(), pieces: vec![piece] }),
        }
    }

    /// The rows of a piece.
    pub fn rows(&self, piece: &Range<usize>) -> Rows<'_> {
        Rows {
            ts: &self.ts[piece.clone()],
            value: &self.value[piece.clone()],
            flag: &self.flag[piece.clone()],
        }
    }

    /// The raw signals of a piece.
    pub fn streams(&self, piece: &Range<usize>) -> StreamRows<'_> {
        StreamRows {
            ts: &self.ts[piece.clone()],
            reading: self.reading.get(piece.clone()).unwrap_or_default(),
            logged: self.logged.get(piece.clone()).unwrap_or_default(),
            phase: self.phase.get(piece.clone()).unwrap_or_default(),
        }
    }

    /// First and last time stamp of a series; pieces may come in any order.
    pub fn extent(&self, series: &Series) -> Option<(i64, i64)> {
        let ends = |piece: &Range<usize>| {
            let ts = &self.ts[piece.clone()];
            Some((*ts.first()?, *ts.last()?))
        };
        series
            .pieces
            .iter()
            .filter_map(ends)
            .reduce(|(first, last), (start, end)| (first.min(start), last.max(end)))
    }

    /// Bytes held.
    pub fn memory_size(&self) -> usize {
        let measured = [&self.value, &self.total, &self.converted, &self.value_min, &self.value_max];
        let signals = [&self.signal, &self.reading, &self.logged];
        let floats = measured.into_iter().chain(signals).map(Vec::capacity).sum::<usize>();
        let times = [&self.ts, &self.received_at, &self.sample_time].map(Vec::capacity);
        self.flag.capacity() + self.phase.capacity() + (times.iter().sum::<usize>() + floats) * 8
    }
}

/// The rows of one outlet in every table.
#[derive(Debug, Clone, Default)]
pub struct OutletFrame {
    /// The outlet.
    pub mn: String,
    /// From when to when its series reach, where rows of it were not read.
    pub extents: Vec<SeriesExtent>,
    tables: [TableRows; SeriesTable::ALL.len()],
}

impl OutletFrame {
    /// Starts the frame of an outlet, keeping the memory of the one before.
    pub fn start(&mut self, mn: &str) {
        self.mn.clear();
        self.mn.push_str(mn);
        self.extents.clear();
        self.tables.iter_mut().for_each(TableRows::clear);
    }

    /// The rows of a table.
    pub fn table(&self, table: SeriesTable) -> &TableRows {
        &self.tables[table as usize]
    }

    /// The rows of a table, to append to.
    pub fn table_mut(&mut self, table: SeriesTable) -> &mut TableRows {
        &mut self.tables[table as usize]
    }

    /// Bytes held.
    pub fn memory_size(&self) -> usize {
        self.tables.iter().map(TableRows::memory_size).sum()
    }
}
