//! CSV: UTF-8 with or without a mark, GBK, any line end; a header line.
//!
//! Records are split as bytes: in GB 18030 no second byte is a comma, a quote
//! or a line end. The encoding is told from the whole file, once a field isn't ASCII.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringBuilder};
use arrow::datatypes::{DataType, Field, Schema};
use csv::{ByteRecord, ReaderBuilder};
use encoding_rs::{DecoderResult, Encoding, GB18030, UTF_8};

use super::rejects::{RAW_LIMIT, Reject};
use super::source::{RawBatch, Sink, SourceRequest};
use crate::Result;

/// Rows of a batch.
const BATCH_ROWS: usize = 8192;
/// Bytes of a batch: a column of text holds less than 2 GiB.
const BATCH_BYTES: u64 = 1 << 26;
/// Bytes of a record at most; a longer one is a reject, not a row.
const RECORD_LIMIT: usize = 1 << 20;

/// Reads a CSV file.
pub(super) fn read(request: &SourceRequest, sink: &Sink) -> Result<()> {
    let file = File::open(&request.path)?;
    let mut reader = ReaderBuilder::new().flexible(true).has_headers(false).from_reader(file);
    let mut record = ByteRecord::new();
    let mut read =
        |record: &mut ByteRecord| reader.read_byte_record(record).map_err(|e| request.wrong(e.to_string()));
    if !read(&mut record)? {
        return Err(request.wrong("it is empty; a CSV file begins with a header line"));
    }
    let text = Text::of(&request.path);
    let names = header(&record, &text);
    let warnings = request.check_columns(&names)?;
    let used: Vec<usize> = (0..names.len()).filter(|i| request.map.uses(&names[*i], request.table)).collect();
    let mut batch = Batch::new(request, &names, &used, &text);
    batch.line_end = LineEnd::of(&request.path)?;
    batch.raw.warnings = warnings;
    while read(&mut record)? {
        batch.push(&record);
        let is_full = batch.len() >= BATCH_ROWS || batch.raw.bytes >= BATCH_BYTES;
        if is_full && !sink.give(batch.take()?) {
            return Ok(());
        }
    }
    sink.give(batch.take()?);
    Ok(())
}

/// The names of the columns, without a byte-order mark.
fn header(record: &ByteRecord, text: &Text<'_>) -> Vec<String> {
    let name = |(i, field): (usize, &[u8])| {
        let text = text.read(field);
        let text = if i == 0 { text.trim_start_matches('\u{feff}') } else { &text };
        text.trim().to_owned()
    };
    record.iter().enumerate().map(name).collect()
}

/// Bytes decoded at a time to tell the encoding of a file.
const DECODED: usize = 1 << 16;

/// Reads the fields of a file as text: UTF-8 if the whole file is, else GB 18030 if the whole
/// file is that, else each field as what it is. A field alone doesn't tell: 小学 in GBK is
/// UTF-8 as well, for two Cyrillic letters.
struct Text<'a> {
    path: &'a Path,
    encoding: OnceCell<Option<&'static Encoding>>,
}

impl<'a> Text<'a> {
    fn of(path: &'a Path) -> Self {
        Self { path, encoding: OnceCell::new() }
    }

    fn read<'b>(&self, field: &'b [u8]) -> Cow<'b, str> {
        let as_utf8 = std::str::from_utf8(field);
        match as_utf8 {
            Ok(text) if text.is_ascii() || self.encoding() != Some(GB18030) => Cow::Borrowed(text),
            _ => GB18030.decode_without_bom_handling(field).0,
        }
    }

    /// The encoding of the whole file, if there is one.
    fn encoding(&self) -> Option<&'static Encoding> {
        let is_in = |encoding: &&'static Encoding| is_encoded_in(self.path, encoding).unwrap_or(false);
        *self.encoding.get_or_init(|| [UTF_8, GB18030].into_iter().find(is_in))
    }
}

/// Whether every byte of a file fits an encoding.
fn is_encoded_in(path: &Path, encoding: &'static Encoding) -> std::io::Result<bool> {
    let mut file = File::open(path)?;
    let mut decoder = encoding.new_decoder_without_bom_handling();
    let (mut bytes, mut out) = (vec![0; DECODED], vec![0; 4 * DECODED]);
    loop {
        let count = file.read(&mut bytes)?;
        let (result, ..) = decoder.decode_to_utf8_without_replacement(&bytes[..count], &mut out, count == 0);
        if result != DecoderResult::InputEmpty || count == 0 {
            return Ok(result == DecoderResult::InputEmpty);
        }
    }
}

/// What ends the lines of a file, as its first shows.
#[derive(Debug, Clone, Copy)]
enum LineEnd {
    Lf,
    CrLf,
    Cr,
}

impl LineEnd {
    fn of(path: &Path) -> std::io::Result<Self> {
        let mut bytes = std::io::BufReader::new(File::open(path)?).bytes();
        while let Some(byte) = bytes.next().transpose()? {
            match byte {
                b'\n' => break,
                b'\r' if matches!(bytes.next().transpose()?, Some(b'\n')) => return Ok(Self::CrLf),
                b'\r' => return Ok(Self::Cr),
                _ => {}
            }
        }
        Ok(Self::Lf)
    }

    /// The line of a record. The reader counts a line at its LF, which with CR LF is read with
    /// the record behind it, and without LF never.
    fn line_of(self, at: &csv::Position) -> u64 {
        match self {
            Self::CrLf if at.record() > 0 => at.line() + 1,
            Self::Lf | Self::CrLf => at.line(),
            Self::Cr => at.record() + 1,
        }
    }
}

/// Rows collected for a batch.
struct Batch<'a> {
    request: &'a SourceRequest,
    names: &'a [String],
    used: &'a [usize],
    text: &'a Text<'a>,
    line_end: LineEnd,
    columns: Vec<StringBuilder>,
    raw: RawBatch,
}

impl<'a> Batch<'a> {
    fn new(request: &'a SourceRequest, names: &'a [String], used: &'a [usize], text: &'a Text<'a>) -> Self {
        let columns = used.iter().map(|_| StringBuilder::new()).collect();
        let raw = RawBatch { table: request.table.name, ..RawBatch::default() };
        Self { request, names, used, text, line_end: LineEnd::Lf, columns, raw }
    }

    fn len(&self) -> usize {
        self.raw.positions.len() + self.raw.rejects.len()
    }

    fn push(&mut self, record: &ByteRecord) {
        let position = record.position().map_or(0, |at| self.line_end.line_of(at));
        let position = format!("{}:{position}", self.request.path.display());
        self.raw.bytes += record.as_slice().len() as u64 + record.len() as u64;
        let reason = if record.as_slice().len() > RECORD_LIMIT {
            Some(format!("the record has {} bytes, more than {RECORD_LIMIT}", record.as_slice().len()))
        } else if record.len() != self.names.len() {
            Some(format!("{} fields where the header has {}", record.len(), self.names.len()))
        } else {
            None
        };
        if let Some(reason) = reason {
            self.raw.rejects.push(Reject { position, raw: line(record, self.text), reason });
            return;
        }
        for (column, index) in self.columns.iter_mut().zip(self.used) {
            column.append_value(self.text.read(record.get(*index).unwrap_or_default()));
        }
        self.raw.raw.push(line(record, self.text));
        self.raw.positions.push(position);
    }

    fn take(&mut self) -> Result<RawBatch> {
        let columns: Vec<ArrayRef> =
            self.columns.iter_mut().map(|c| Arc::new(c.finish()) as ArrayRef).collect();
        let fields: Vec<Field> =
            self.used.iter().map(|i| Field::new(self.names[*i].as_str(), DataType::Utf8, true)).collect();
        if !columns.is_empty() {
            self.raw.rows = Some(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?);
        }
        let next = RawBatch { table: self.request.table.name, ..RawBatch::default() };
        Ok(std::mem::replace(&mut self.raw, next))
    }
}

/// A record as a line of text, cut at the limit of raw text.
fn line(record: &ByteRecord, text: &Text<'_>) -> String {
    let mut line = String::new();
    for (i, field) in record.iter().enumerate() {
        if line.len() > RAW_LIMIT {
            break;
        }
        if i > 0 {
            line.push(',');
        }
        line.push_str(&text.read(&field[..field.len().min(RAW_LIMIT)]));
    }
    line
}
