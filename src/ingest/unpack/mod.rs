//! Files that come compressed: unpacked once into a plain file, with limits, before the first row is read.
//!
//! A compressed stream cannot be entered at a byte, and reading has to go on from any row; and unpacked first, a file whose end is
//! damaged is refused whole instead of half imported. The price is room on the disk, which is looked at while it is used.

use super::IngestError;
use flate2::bufread::GzDecoder;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Seek, Write};
use std::path::{Path, PathBuf};

const CHUNK_BYTES: usize = 256 * 1024;
/// How much is written between two looks at the disk.
const LOOK_BYTES: u64 = 64 << 20;

/// How a file is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    Gzip,
    Zstd,
}

impl Packing {
    pub fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }

    /// Tells it from a file's first bytes.
    fn of_start(start: &[u8]) -> Option<Self> {
        match start {
            [0x1F, 0x8B, ..] => Some(Self::Gzip),
            // A frame, or a frame that readers skip.
            [0x28, 0xB5, 0x2F, 0xFD, ..] | [0x50..=0x5F, 0x2A, 0x4D, 0x18, ..] => Some(Self::Zstd),
            _ => None,
        }
    }
}

/// What unpacking may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnpackLimits {
    /// Never more than this.
    pub max_bytes: u64,
    /// Never more than this many times the compressed size, …
    pub max_ratio: u64,
    /// … but for this much, which any file may have.
    pub unmeasured_bytes: u64,
    /// Room on the disk that is left for others.
    pub keep_free_bytes: u64,
}

impl Default for UnpackLimits {
    fn default() -> Self {
        Self { max_bytes: 64 << 30, max_ratio: 1_000, unmeasured_bytes: 64 << 20, keep_free_bytes: 1 << 30 }
    }
}

impl UnpackLimits {
    /// What a file of `packed_bytes` may unpack to, and the limit's name.
    fn of(&self, packed_bytes: u64) -> (u64, &'static str) {
        let measured = packed_bytes.saturating_mul(self.max_ratio).saturating_add(self.unmeasured_bytes);
        if measured < self.max_bytes { (measured, "for its compressed size") } else { (self.max_bytes, "for any file") }
    }
}

/// How the file is compressed, told from its first bytes whatever its name.
///
/// # Errors
/// It cannot be read.
pub fn packing(path: &Path) -> Result<Option<Packing>, IngestError> {
    let unreadable = |why| IngestError::Open { path: path.to_owned(), why };
    let mut start = Vec::new();
    File::open(path).map_err(unreadable)?.take(4).read_to_end(&mut start).map_err(unreadable)?;
    Ok(Packing::of_start(&start))
}

/// Unpacks `from` into `to`, which appears when it is whole and synced, readable by its owner alone; gives its length.
///
/// `go_on` is told how many bytes of `from` are behind, and stops the work by answering no.
///
/// # Errors
/// The data is damaged or cut short, unpacks to more than the limits allow, there is no room, or it was stopped. Nothing is left
/// behind then.
pub fn unpack(
    from: &Path,
    to: &Path,
    limits: &UnpackLimits,
    go_on: &mut dyn FnMut(u64) -> bool,
) -> Result<u64, IngestError> {
    let part = to.with_added_extension("part");
    let unpacked = unpack_into(from, &part, limits, go_on).and_then(|n_bytes| {
        std::fs::rename(&part, to).map_err(|why| IngestError::Write { path: from.to_owned(), why })?;
        Ok(n_bytes)
    });
    if unpacked.is_err() {
        // The error that is told is the one that matters.
        let _ = std::fs::remove_file(&part);
    }
    unpacked
}

fn unpack_into(
    from: &Path,
    part: &Path,
    limits: &UnpackLimits,
    go_on: &mut dyn FnMut(u64) -> bool,
) -> Result<u64, IngestError> {
    let unreadable = |why| IngestError::Open { path: from.to_owned(), why };
    let file = File::open(from).map_err(unreadable)?;
    let packed_bytes = file.metadata().map_err(unreadable)?.len();
    let mut input = BufReader::with_capacity(CHUNK_BYTES, file);
    let packing = Packing::of_start(input.fill_buf().map_err(unreadable)?);
    let (limit_bytes, limit) = limits.of(packed_bytes);
    let folder = part.parent().unwrap_or(Path::new(".")).to_owned();
    let out = create_private(part).map_err(|why| IngestError::Write { path: from.to_owned(), why })?;
    let keep_free_bytes = limits.keep_free_bytes;
    let mut sink =
        Sink { path: from, folder, out, written: 0, looked_at: None, limit_bytes, limit, keep_free_bytes, go_on };
    let done = match packing {
        Some(Packing::Gzip) => gzip(&mut input, &mut sink),
        Some(Packing::Zstd) => zstd(&mut input, &mut sink),
        None => sink.take_all(&mut input, |input| input.stream_position().unwrap_or(0)),
    };
    let byte = input.stream_position().unwrap_or(0);
    done.map_err(|trouble| trouble.told(from, packing, byte))?;
    sink.finish()
}

/// A new file that only its owner may read; one that is there already is emptied.
pub(super) fn create_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

enum Trouble {
    /// Of the compressed data.
    Input(io::Error),
    /// Told already.
    Told(IngestError),
}

impl Trouble {
    fn told(self, path: &Path, packing: Option<Packing>, byte: u64) -> IngestError {
        let path = path.to_owned();
        let packing = packing.map_or("plain", Packing::name);
        match self {
            Self::Told(error) => error,
            Self::Input(why) if why.kind() == ErrorKind::UnexpectedEof => IngestError::CutShort { path, packing, byte },
            Self::Input(why) => IngestError::Damaged { path, packing, byte, why: why.to_string() },
        }
    }
}

/// All members of a gzip file, one behind the other.
fn gzip(input: &mut BufReader<File>, sink: &mut Sink<'_>) -> Result<(), Trouble> {
    loop {
        let mut member = GzDecoder::new(&mut *input);
        sink.take_all(&mut member, |member| member.get_mut().stream_position().unwrap_or(0))?;
        if !has_another_member(input).map_err(Trouble::Input)? {
            return Ok(());
        }
    }
}

/// Steps over the zeros that tapes and tar pad with. What else stands there is either a member or damage.
fn has_another_member(input: &mut BufReader<File>) -> io::Result<bool> {
    loop {
        let held = input.fill_buf()?;
        match held.iter().position(|byte| *byte != 0) {
            _ if held.is_empty() => return Ok(false),
            None => {
                let n_bytes = held.len();
                input.consume(n_bytes);
            }
            Some(0) if held[0] == 0x1F => return Ok(true),
            Some(_) => {
                return Err(io::Error::new(ErrorKind::InvalidData, "something else follows the compressed data"));
            }
        }
    }
}

fn zstd(input: &mut BufReader<File>, sink: &mut Sink<'_>) -> Result<(), Trouble> {
    let mut frames = zstd::stream::read::Decoder::with_buffer(&mut *input).map_err(Trouble::Input)?;
    sink.take_all(&mut frames, |frames| frames.get_mut().stream_position().unwrap_or(0))
}

/// Where unpacked bytes go, and what watches them.
struct Sink<'a> {
    path: &'a Path,
    folder: PathBuf,
    out: File,
    written: u64,
    /// How much was written when the disk was last looked at.
    looked_at: Option<u64>,
    limit_bytes: u64,
    limit: &'static str,
    keep_free_bytes: u64,
    go_on: &'a mut dyn FnMut(u64) -> bool,
}

impl Sink<'_> {
    fn take_all<R: Read>(&mut self, from: &mut R, behind: impl Fn(&mut R) -> u64) -> Result<(), Trouble> {
        let mut chunk = vec![0; CHUNK_BYTES];
        loop {
            let n_bytes = match from.read(&mut chunk) {
                Ok(0) => return Ok(()),
                Ok(n_bytes) => n_bytes,
                Err(why) if why.kind() == ErrorKind::Interrupted => continue,
                Err(why) => return Err(Trouble::Input(why)),
            };
            self.take(&chunk[..n_bytes]).map_err(Trouble::Told)?;
            if !(self.go_on)(behind(from)) {
                return Err(Trouble::Told(IngestError::Stopped { path: self.path.to_owned() }));
            }
        }
    }

    fn take(&mut self, chunk: &[u8]) -> Result<(), IngestError> {
        self.written += chunk.len() as u64;
        if self.written > self.limit_bytes {
            let (path, limit_bytes, limit) = (self.path.to_owned(), self.limit_bytes, self.limit);
            return Err(IngestError::UnpacksTooLarge { path, limit_bytes, limit });
        }
        if self.looked_at.is_none_or(|then| self.written - then >= LOOK_BYTES) {
            self.looked_at = Some(self.written);
            let free_bytes = free_bytes(&self.folder);
            if free_bytes < self.keep_free_bytes.saturating_add(LOOK_BYTES.min(self.limit_bytes)) {
                return Err(self.no_room(free_bytes));
            }
        }
        self.out.write_all(chunk).map_err(|why| self.unwritable(why))
    }

    fn finish(self) -> Result<u64, IngestError> {
        self.out.sync_all().map_err(|why| self.unwritable(why))?;
        Ok(self.written)
    }

    fn no_room(&self, free_bytes: u64) -> IngestError {
        IngestError::NoRoom { path: self.path.to_owned(), free_bytes, kept_bytes: self.keep_free_bytes }
    }

    fn unwritable(&self, why: io::Error) -> IngestError {
        match why.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => self.no_room(0),
            _ => IngestError::Write { path: self.path.to_owned(), why },
        }
    }
}

/// Room on the disk that holds a folder; plenty where it cannot be told, as writing will tell then.
#[cfg(unix)]
fn free_bytes(folder: &Path) -> u64 {
    rustix::fs::statvfs(folder).map_or(u64::MAX, |disk| disk.f_bavail.saturating_mul(disk.f_frsize))
}

#[cfg(not(unix))]
fn free_bytes(_: &Path) -> u64 {
    u64::MAX
}

#[cfg(test)]
mod tests;
