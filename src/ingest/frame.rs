//! Cuts a file into records with bounded memory, and knows the byte and the line that each starts on.
//!
//! The `csv` crate reads a record of any length into memory and cannot say where a runaway quote began, so records are framed
//! here: at most one record of [`MAX_RECORD_BYTES`] is held, and reading goes on after anything.

use std::io::{self, Read, Seek, SeekFrom};

/// The longest record, in bytes.
pub(super) const MAX_RECORD_BYTES: usize = 4 * 1024 * 1024;

const CHUNK_BYTES: usize = 64 * 1024;

/// What is read from: a file, or bytes in a test.
pub(super) trait Input: Read + Seek + Send {}
impl<T: Read + Seek + Send> Input for T {}

/// What ends a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// `\n` always.
    Lines,
    /// `\n`, `\r\n` or `\r` outside quotes.
    Csv { delimiter: u8 },
    /// `\n`, `\r\n` or `\r` always: what is left to do after a quote that never closed.
    CsvLines { delimiter: u8 },
}

impl Shape {
    fn delimiter(self) -> Option<u8> {
        match self {
            Self::Lines => None,
            Self::Csv { delimiter } | Self::CsvLines { delimiter } => Some(delimiter),
        }
    }
}

/// What comes next in the file. Nothing of it is consumed yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    End,
    /// `content_bytes` of record and the line end after it, `total_bytes` together.
    Record {
        content_bytes: usize,
        total_bytes: usize,
    },
    /// No end within [`MAX_RECORD_BYTES`], or none at all because a quote is open. The first line has
    /// `first_line_bytes` with its end, if it has one; `scanned_bytes` were looked at.
    Endless {
        first_line_bytes: Option<usize>,
        scanned_bytes: usize,
        too_large: bool,
    },
}

/// Where in a CSV record a byte stands. Framing and splitting share this, so that they cannot disagree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    CellStart,
    Bare,
    Quoted,
    /// After a quote in a quoted cell: its end, or the first half of an escaped quote.
    QuoteInQuoted,
}

impl Place {
    /// The place after `byte`, which is no delimiter and no line end unless quoted.
    pub(super) fn after(self, byte: u8) -> Self {
        match (self, byte) {
            (Self::CellStart, b'"') | (Self::QuoteInQuoted, b'"') => Self::Quoted,
            (Self::Quoted, b'"') => Self::QuoteInQuoted,
            (Self::Quoted, _) => Self::Quoted,
            (Self::CellStart | Self::Bare | Self::QuoteInQuoted, _) => Self::Bare,
        }
    }
}

/// A file, read forward in chunks.
pub(super) struct Framer {
    input: Box<dyn Input>,
    buffer: Vec<u8>,
    /// What is before this index of the buffer has been consumed.
    start: usize,
    /// Offset in the file of the buffer's first byte.
    base: u64,
    at_end: bool,
    /// Line, from 1, that the next byte is on.
    line: u64,
}

impl Framer {
    pub(super) fn new(input: Box<dyn Input>) -> Self {
        Self { input, buffer: Vec::new(), start: 0, base: 0, at_end: false, line: 1 }
    }

    pub(super) fn byte(&self) -> u64 {
        self.base + self.start as u64
    }

    pub(super) fn line(&self) -> u64 {
        self.line
    }

    /// The next `n_bytes`, which [`Self::find`] or [`Self::peek`] has seen.
    pub(super) fn bytes(&self, n_bytes: usize) -> &[u8] {
        &self.buffer[self.start..self.start + n_bytes]
    }

    /// Goes to a byte of the file, said to be on `line`.
    pub(super) fn seek(&mut self, byte: u64, line: u64) -> io::Result<()> {
        self.input.seek(SeekFrom::Start(byte))?;
        self.buffer.clear();
        (self.start, self.base, self.at_end, self.line) = (0, byte, false, line);
        Ok(())
    }

    /// Length of the whole file.
    pub(super) fn total_bytes(&mut self) -> io::Result<u64> {
        let here = self.input.stream_position()?;
        let length = self.input.seek(SeekFrom::End(0))?;
        self.input.seek(SeekFrom::Start(here))?;
        Ok(length)
    }

    /// Up to `n_bytes` of what comes next, fewer at the end of the file only.
    pub(super) fn peek(&mut self, n_bytes: usize) -> io::Result<&[u8]> {
        while self.buffer.len() - self.start < n_bytes && self.fill()? {}
        let end = self.buffer.len().min(self.start + n_bytes);
        Ok(&self.buffer[self.start..end])
    }

    /// Looks for the next record's end.
    pub(super) fn find(&mut self, shape: Shape) -> io::Result<Found> {
        let mut place = Place::CellStart;
        let mut first_line_bytes = None;
        let mut i = 0;
        loop {
            let Some(&byte) = self.buffer.get(self.start + i) else {
                if self.fill()? {
                    continue;
                }
                return Ok(match (i, place) {
                    (0, _) => Found::End,
                    (_, Place::Quoted) => Found::Endless { first_line_bytes, scanned_bytes: i, too_large: false },
                    _ => Found::Record { content_bytes: i, total_bytes: i },
                });
            };
            let line_end = self.line_end(i, byte, shape)?;
            if line_end > 0 && place != Place::Quoted {
                return Ok(Found::Record { content_bytes: i, total_bytes: i + line_end });
            }
            if line_end > 0 && first_line_bytes.is_none() {
                first_line_bytes = Some(i + line_end);
            }
            if i >= MAX_RECORD_BYTES {
                return Ok(Found::Endless { first_line_bytes, scanned_bytes: i, too_large: true });
            }
            if let Shape::Csv { delimiter } = shape {
                let next_cell = byte == delimiter && place != Place::Quoted;
                place = if next_cell { Place::CellStart } else { place.after(byte) };
            }
            i += 1;
        }
    }

    /// How many bytes of line end start at the byte `i` places ahead: 0 to 2.
    fn line_end(&mut self, i: usize, byte: u8, shape: Shape) -> io::Result<usize> {
        match (byte, shape) {
            (b'\n', _) => Ok(1),
            (b'\r', Shape::Csv { .. } | Shape::CsvLines { .. }) => {
                let pair = self.peek(i + 2)?;
                Ok(if pair.get(i + 1) == Some(&b'\n') { 2 } else { 1 })
            }
            _ => Ok(0),
        }
    }

    /// Steps over bytes that have been found or peeked at.
    pub(super) fn consume(&mut self, n_bytes: usize, shape: Shape) {
        let passed = &self.buffer[self.start..self.start + n_bytes];
        self.line += count_line_ends(passed, shape);
        self.start += n_bytes;
    }

    /// Steps over lines of nothing but white space, where a record would start.
    pub(super) fn skip_blank_lines(&mut self, shape: Shape) -> io::Result<()> {
        let mut i = 0;
        while i < MAX_RECORD_BYTES {
            let Some(&byte) = self.buffer.get(self.start + i) else {
                if self.fill()? {
                    continue;
                }
                self.consume(i, shape);
                return Ok(());
            };
            match self.line_end(i, byte, shape)? {
                0 if byte.is_ascii_whitespace() && shape.delimiter() != Some(byte) => i += 1,
                0 => return Ok(()),
                line_end => {
                    self.consume(i + line_end, shape);
                    i = 0;
                }
            }
        }
        Ok(())
    }

    /// Steps over the rest of a line of any length, and its end.
    pub(super) fn skip_line(&mut self, shape: Shape) -> io::Result<()> {
        loop {
            let held = &self.buffer[self.start..];
            let ends_line = |byte: &u8| *byte == b'\n' || (*byte == b'\r' && shape != Shape::Lines);
            let Some(i) = held.iter().position(ends_line) else {
                self.start = self.buffer.len();
                if self.fill()? {
                    continue;
                }
                return Ok(());
            };
            let line_end = self.line_end(i, self.buffer[self.start + i], shape)?;
            self.consume(i + line_end, shape);
            return Ok(());
        }
    }

    /// Reads one more chunk behind what is held. Gives whether there was any.
    fn fill(&mut self) -> io::Result<bool> {
        if self.at_end {
            return Ok(false);
        }
        if self.start > CHUNK_BYTES.max(self.buffer.len() / 2) || self.start == self.buffer.len() {
            self.buffer.drain(..self.start);
            self.base += self.start as u64;
            self.start = 0;
        }
        let held = self.buffer.len();
        self.buffer.resize(held + CHUNK_BYTES, 0);
        let read = loop {
            match self.input.read(&mut self.buffer[held..]) {
                Err(why) if why.kind() == io::ErrorKind::Interrupted => {}
                other => break other,
            }
        };
        self.buffer.truncate(held + read.as_ref().map_or(0, |n_bytes| *n_bytes));
        self.at_end = matches!(read, Ok(0));
        Ok(read? > 0)
    }
}

fn count_line_ends(bytes: &[u8], shape: Shape) -> u64 {
    let n_feeds = bytes.iter().filter(|byte| **byte == b'\n').count();
    let lone_return = |pair: &&[u8]| pair[0] == b'\r' && pair[1] != b'\n';
    let n_returns = match shape {
        Shape::Lines => 0,
        Shape::Csv { .. } | Shape::CsvLines { .. } => {
            bytes.windows(2).filter(lone_return).count() + usize::from(bytes.last() == Some(&b'\r'))
        }
    };
    (n_feeds + n_returns) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    fn records(text: &[u8], shape: Shape) -> Vec<(u64, String)> {
        let mut framer = Framer::new(Box::new(Cursor::new(text.to_vec())));
        let mut all = Vec::new();
        while let Found::Record { content_bytes, total_bytes } = framer.find(shape).unwrap() {
            all.push((framer.line(), String::from_utf8_lossy(framer.bytes(content_bytes)).into_owned()));
            framer.consume(total_bytes, shape);
        }
        all
    }

    fn numbered(expected: &[(u64, &str)]) -> Vec<(u64, String)> {
        expected.iter().map(|(line, text)| (*line, (*text).to_owned())).collect()
    }

    #[test]
    fn records_end_at_any_line_end_outside_quotes() {
        let csv = Shape::Csv { delimiter: b',' };
        assert_eq!(
            records(b"a,b\r\n\"x\ny\",c\rd\n\ne", csv),
            numbered(&[(1, "a,b"), (2, "\"x\ny\",c"), (4, "d"), (5, ""), (6, "e")])
        );
        assert_eq!(records(b"a\rb\n\nc\r\n", Shape::Lines), numbered(&[(1, "a\rb"), (2, ""), (3, "c\r")]));
        assert_eq!(
            records(b"\"a\n\"b\rc", Shape::CsvLines { delimiter: b',' }),
            numbered(&[(1, "\"a"), (2, "\"b"), (3, "c")])
        );
    }

    #[test]
    fn a_line_end_cut_by_a_chunk_is_one_line_end() {
        let mut text = vec![b'x'; CHUNK_BYTES - 1];
        text.extend_from_slice(b"\r\ny");
        let found = records(&text, Shape::Csv { delimiter: b',' });
        assert_eq!(found.len(), 2);
        assert_eq!(found[1], (2, "y".to_owned()));
    }

    #[test]
    fn an_open_quote_is_endless_and_says_where_its_first_line_ends() {
        let mut framer = Framer::new(Box::new(Cursor::new(b"\"a\nb\nc".to_vec())));
        let found = framer.find(Shape::Csv { delimiter: b',' }).unwrap();
        assert_eq!(found, Found::Endless { first_line_bytes: Some(3), scanned_bytes: 6, too_large: false });
    }

    #[test]
    fn a_skipped_line_of_any_length_leaves_the_next_one() {
        let mut text = vec![b'x'; MAX_RECORD_BYTES + 3 * CHUNK_BYTES];
        text.extend_from_slice(b"\nnext");
        let mut framer = Framer::new(Box::new(Cursor::new(text)));
        assert!(matches!(framer.find(Shape::Lines).unwrap(), Found::Endless { first_line_bytes: None, .. }));
        framer.skip_line(Shape::Lines).unwrap();
        assert_eq!((framer.line(), framer.peek(9).unwrap()), (2, b"next".as_slice()));
        assert!(framer.buffer.capacity() < 2 * MAX_RECORD_BYTES + 4 * CHUNK_BYTES);
    }
}
