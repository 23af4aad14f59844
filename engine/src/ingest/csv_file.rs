//! CSV: UTF-8 with or without a mark, GBK, any line end; a header line.
//!
//! Records are split as bytes: in GB 18030 no second byte is a comma, a quote
//! or a line end. The encoding is told from the whole file, once a field isn't ASCII.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::fs::File;
use std::io::{BufReader, Read};
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
    let file = File::open(&request.path).map_err(|error| request.unreadable(&error))?;
    let mut reader = ReaderBuilder::new().flexible(true).has_headers(false).from_reader(file);
    let mut record = ByteRecord::new();
    let mut read =
        |record: &mut ByteRecord| reader.read_byte_record(record).map_err(|e| request.wrong(e.to_string()));
    if !read(&mut record)? {
        return Err(request.wrong("it is empty; a CSV file begins with a header line"));
    }
    let text = Text::of(request);
    let names = header(&record, &text)?;
    let warnings = request.check_columns(&names)?;
    let used: Vec<usize> = (0..names.len()).filter(|i| request.map.uses(&names[*i], request.table)).collect();
    let mut batch = Batch::new(request, &names, &used, &text);
    batch.line_end = LineEnd::of(request)?;
    batch.raw.warnings = warnings;
    while read(&mut record)? {
        batch.push(&record)?;
        let is_full = batch.len() >= BATCH_ROWS || batch.raw.bytes >= BATCH_BYTES;
        if is_full && !sink.give(batch.take()?) {
            return Ok(());
        }
    }
    sink.give(batch.take()?);
    Ok(())
}

/// The names of the columns, without a byte-order mark.
fn header(record: &ByteRecord, text: &Text<'_>) -> Result<Vec<String>> {
    let name = |(i, field): (usize, &[u8])| {
        let text = text.read(field)?;
        let text = if i == 0 { text.trim_start_matches('\u{feff}') } else { &text };
        Ok(text.trim().to_owned())
    };
    record.iter().enumerate().map(name).collect()
}

/// Bytes decoded at a time to tell the encoding of a file.
const DECODED: usize = 1 << 16;

/// Reads the fields of a file as text: UTF-8 if the whole file is, else GB 18030 if the whole
/// file is that, else each field as what it is. A field alone doesn't tell: 小学 in GBK is
/// UTF-8 as well, for two Cyrillic letters.
struct Text<'a> {
    request: &'a SourceRequest,
    encoding: OnceCell<Option<&'static Encoding>>,
}

impl<'a> Text<'a> {
    fn of(request: &'a SourceRequest) -> Self {
        Self { request, encoding: OnceCell::new() }
    }

    fn read<'b>(&self, field: &'b [u8]) -> Result<Cow<'b, str>> {
        Ok(match self.as_utf8(field)? {
            Some(text) => Cow::Borrowed(text),
            None => GB18030.decode_without_bom_handling(field).0,
        })
    }

    /// The first `limit` bytes of a field, less the character that they end within.
    fn read_start<'b>(&self, field: &'b [u8], limit: usize) -> Result<Cow<'b, str>> {
        let Some(start) = field.get(..limit) else { return self.read(field) };
        if let Some(text) = self.as_utf8(field)? {
            return Ok(Cow::Borrowed(&text[..text.floor_char_boundary(limit)]));
        }
        let mut decoder = GB18030.new_decoder_without_bom_handling();
        let mut text = String::with_capacity(decoder.max_utf8_buffer_length(start.len()).unwrap_or_default());
        // As if more came: what is left of a character at the end is held back.
        let _ = decoder.decode_to_string(start, &mut text, false);
        Ok(Cow::Owned(text))
    }

    /// A field as UTF-8, unless the file is something else.
    fn as_utf8<'b>(&self, field: &'b [u8]) -> Result<Option<&'b str>> {
        match std::str::from_utf8(field) {
            Ok(text) if text.is_ascii() || self.encoding()? != Some(GB18030) => Ok(Some(text)),
            _ => Ok(None),
        }
    }

    /// The encoding of the whole file, if there is one.
    fn encoding(&self) -> Result<Option<&'static Encoding>> {
        if let Some(encoding) = self.encoding.get() {
            return Ok(*encoding);
        }
        let mut found = None;
        for encoding in [UTF_8, GB18030] {
            if is_encoded_in(self.request, encoding)? {
                found = Some(encoding);
                break;
            }
        }
        Ok(*self.encoding.get_or_init(|| found))
    }
}

/// Whether every byte of a file fits an encoding.
fn is_encoded_in(request: &SourceRequest, encoding: &'static Encoding) -> Result<bool> {
    let failed = |error| request.unreadable(&error);
    let mut file = File::open(&request.path).map_err(failed)?;
    let mut decoder = encoding.new_decoder_without_bom_handling();
    let (mut bytes, mut out) = (vec![0; DECODED], vec![0; 4 * DECODED]);
    loop {
        let count = file.read(&mut bytes).map_err(failed)?;
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
    fn of(request: &SourceRequest) -> Result<Self> {
        let failed = |error| request.unreadable(&error);
        let mut bytes = BufReader::new(File::open(&request.path).map_err(failed)?).bytes();
        while let Some(byte) = bytes.next().transpose().map_err(failed)? {
            match byte {
                b'\n' => break,
                b'\r' => {
                    let next = bytes.next().transpose().map_err(failed)?;
                    return Ok(if next == Some(b'\n') { Self::CrLf } else { Self::Cr });
                }
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

    fn push(&mut self, record: &ByteRecord) -> Result<()> {
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
            self.raw.rejects.push(Reject { position, raw: line(record, self.text)?, reason });
            return Ok(());
        }
        for (column, index) in self.columns.iter_mut().zip(self.used) {
            column.append_value(self.text.read(record.get(*index).unwrap_or_default())?);
        }
        self.raw.raw.push(line(record, self.text)?);
        self.raw.positions.push(position);
        Ok(())
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

/// A record as a line of text, cut at the limit of raw text, between two characters.
fn line(record: &ByteRecord, text: &Text<'_>) -> Result<String> {
    let mut line = String::new();
    for (i, field) in record.iter().enumerate() {
        if i > 0 {
            line.push(',');
        }
        let room = RAW_LIMIT.saturating_sub(line.len());
        line.push_str(&text.read_start(field, room)?);
        if field.len() > room {
            break;
        }
    }
    line.truncate(line.floor_char_boundary(RAW_LIMIT));
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::super::map::Map;
    use super::super::source::Format;
    use super::*;

    fn request(path: &std::path::Path) -> SourceRequest {
        let table = plume_datasets::schema::table("hourly").unwrap();
        SourceRequest {
            path: path.to_owned(),
            table,
            format: Format::Csv,
            map: Map::default(),
            strict: false,
        }
    }

    /// The raw text of the second record of a file of bytes.
    fn raw_of(bytes: &[u8]) -> String {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        let mut reader = ReaderBuilder::new().flexible(true).has_headers(false).from_reader(bytes);
        let mut record = ByteRecord::new();
        assert!(
            reader.read_byte_record(&mut record).unwrap() && reader.read_byte_record(&mut record).unwrap()
        );
        line(&record, &Text::of(&request(file.path()))).unwrap()
    }

    #[test]
    fn raw_text_is_cut_between_characters() {
        // Characters of two and three bytes, at every place where the cut can fall among them.
        for lead in 0..4 {
            let field = format!("{}{}", "x".repeat(lead), "排口".repeat(2000));
            let text = format!("mn\n{field},rest\n");
            let (gbk, ..) = GB18030.encode(&text);
            for bytes in [text.as_bytes(), &gbk] {
                let raw = raw_of(bytes);
                assert!(field.starts_with(&raw), "lead {lead}: {:?}", raw.chars().last());
                assert!((RAW_LIMIT - 2..=RAW_LIMIT).contains(&raw.len()), "lead {lead}: {}", raw.len());
            }
        }
    }

    #[test]
    fn a_character_of_four_bytes_in_gb18030_is_not_cut_either() {
        // All at the front of 㐂 in four bytes: the cut falls within, with one, two or three of them left.
        for lead in 0..4 {
            let field = format!("{}{}", "x".repeat(lead), "㐂".repeat(3000));
            let (bytes, ..) = GB18030.encode(&field);
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), &bytes).unwrap();
            let request = request(file.path());
            let start = Text::of(&request).read_start(&bytes, RAW_LIMIT).unwrap().into_owned();
            assert!(field.starts_with(&start), "lead {lead}: {:?}", start.chars().last());
        }
    }

    #[test]
    fn short_text_is_whole() {
        assert_eq!(raw_of("mn\n一号,二号,\n".as_bytes()), "一号,二号,");
        assert_eq!(raw_of(&GB18030.encode("mn\n一号,二号,\n").0), "一号,二号,");
    }

    #[test]
    fn a_file_that_cannot_be_read_while_its_encoding_is_told_is_an_error_that_names_it() {
        let folder = tempfile::tempdir().unwrap();
        // A folder opens like a file and can't be read; a path without a file doesn't open.
        for path in [folder.path().to_owned(), folder.path().join("gone.csv")] {
            let request = request(&path);
            let text = Text::of(&request);
            assert_eq!(text.read(b"ascii").unwrap(), "ascii");
            let error = text.read("排口".as_bytes()).unwrap_err().to_string();
            assert!(error.contains(&*path.to_string_lossy()), "{error}");
            assert!(text.read_start("排口".as_bytes(), 3).is_err() && LineEnd::of(&request).is_err());
        }
    }
}
