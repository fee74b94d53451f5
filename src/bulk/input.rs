//! The bytes of the input, from a file or the pipe: counted, and with a limit on how long one row may be.

use super::{BulkError, Place};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A row of a text format longer than this is taken for an unclosed quote: a window of rows has to fit in memory.
pub const MAX_ROW_BYTES: u64 = 64 << 20;

/// Read-ahead of the readers above this one.
const SLACK_BYTES: u64 = 1 << 20;

/// How far reading is, for the one who reads and the one who parses.
#[derive(Debug, Clone, Default)]
pub struct Gauge(Arc<State>);

#[derive(Debug, Default)]
struct State {
    read: AtomicU64,
    /// Reading beyond this place fails; 0 is no limit.
    until: AtomicU64,
}

impl Gauge {
    pub fn read(&self) -> u64 {
        self.0.read.load(Relaxed)
    }

    /// A row ended: the next one may be as long as a row may be.
    pub fn row_ended(&self) {
        self.0.until.store(self.read() + MAX_ROW_BYTES + SLACK_BYTES, Relaxed);
    }
}

enum From {
    File(File),
    Pipe(io::Stdin),
}

pub struct Input {
    from: From,
    gauge: Gauge,
}

impl Input {
    pub fn open(place: &Place) -> Result<Self, BulkError> {
        let from = match place {
            Place::Pipe => From::Pipe(io::stdin()),
            Place::File(_) => From::File(open_file(place)?),
        };
        Ok(Self { from, gauge: Gauge::default() })
    }

    pub fn gauge(&self) -> Gauge {
        self.gauge.clone()
    }

    /// Length in bytes; nothing for a pipe.
    pub fn total_bytes(&self) -> Option<u64> {
        match &self.from {
            From::File(file) => file.metadata().ok().map(|metadata| metadata.len()),
            From::Pipe(_) => None,
        }
    }
}

/// # Errors
/// It is not there, cannot be read, or is a folder.
pub fn open_file(place: &Place) -> Result<File, BulkError> {
    let Place::File(path) = place else { return Err(BulkError::Internal("a pipe is not a file".into())) };
    let unreadable = |error: io::Error| BulkError::wrong(format!("{place} cannot be read: {error}"));
    let file = File::open(path).map_err(unreadable)?;
    if file.metadata().map_err(unreadable)?.is_dir() {
        return Err(BulkError::wrong(format!("{place} is a folder; name a file with --in")));
    }
    Ok(file)
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let until = self.gauge.0.until.load(Relaxed);
        if until > 0 && self.gauge.read() > until {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("a row is longer than {} MiB; is a quote not closed?", MAX_ROW_BYTES >> 20),
            ));
        }
        let n = match &mut self.from {
            From::File(file) => file.read(buffer)?,
            From::Pipe(stdin) => stdin.read(buffer)?,
        };
        self.gauge.0.read.fetch_add(n as u64, Relaxed);
        Ok(n)
    }
}

impl Seek for Input {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match &mut self.from {
            From::File(file) => file.seek(to),
            From::Pipe(_) => Err(io::ErrorKind::NotSeekable.into()),
        }
    }
}
