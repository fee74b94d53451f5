//! An output in the making: `OUT.partial` holds what is written, `OUT.progress` a line for each window that is safely in it.
//! At the end one rename makes it OUT. Killed at any moment, the next run cuts the partial file at the last line and goes on.

use super::identity::Identity;
use super::sink::Sink;
use super::source::Mark;
use super::{BulkError, Counts, Watch};
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Where the output's bytes go.
pub enum Output {
    Pipe(std::io::Stdout),
    File(Box<Draft>),
}

/// All that is needed to go on after a window.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Length of the partial file.
    pub n_bytes: u64,
    pub mark: Mark,
    pub counts: Counts,
}

impl Output {
    pub fn pipe() -> Self {
        Self::Pipe(std::io::stdout())
    }

    /// Whether nothing was written yet, not even the head.
    pub fn is_new(&self) -> bool {
        match self {
            Self::Pipe(_) => true,
            Self::File(draft) => draft.ends.is_empty(),
        }
    }

    pub fn append(&mut self, bytes: &[u8], mark: Mark, counts: Counts) -> Result<(), BulkError> {
        match self {
            Self::Pipe(stdout) => {
                let mut stdout = stdout.lock();
                let written = stdout.write_all(bytes).and_then(|()| stdout.flush());
                written.map_err(BulkError::io("standard output cannot be written"))
            }
            Self::File(draft) => draft.append(bytes, mark, counts),
        }
    }

    pub fn finish(self, sink: &Sink, end: Mark, counts: Counts) -> Result<(), BulkError> {
        match self {
            Self::Pipe(_) => {
                let mut pipe = self;
                pipe.append(sink.tail(), end, counts)
            }
            Self::File(draft) => draft.finish(sink),
        }
    }
}

pub struct Draft {
    target: PathBuf,
    partial: File,
    /// None where the input cannot be read twice.
    journal: Option<File>,
    /// Where each piece ends: the head, then each window.
    ends: Vec<u64>,
}

impl Draft {
    /// Opens the output, and gives where an earlier run of the same work had come to.
    ///
    /// # Errors
    /// The folder is not there or not to be written to, or another run has this output.
    pub fn begin(
        target: PathBuf,
        identity: Option<Identity>,
        restart: bool,
        watch: &dyn Watch,
    ) -> Result<(Self, Option<Checkpoint>), BulkError> {
        let partial = open(&beside(&target, "partial"), &target)?;
        match partial.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(BulkError::wrong(format!("another run is writing {}; wait for it", target.display())));
            }
            // A file system without locks: two runs at once are then the caller's own matter.
            Err(TryLockError::Error(error)) => tracing::debug!(%error, "the output cannot be locked"),
        }
        let Some(identity) = identity else {
            let draft = Self { target, partial, journal: None, ends: Vec::new() };
            draft.partial.set_len(0).map_err(BulkError::io("the partial output cannot be emptied"))?;
            return Ok((draft, None));
        };
        let mut journal = open(&beside(&target, "progress"), &target)?;
        let n_bytes = partial.metadata().map_err(BulkError::io("the partial output cannot be read"))?.len();
        let done = match past(&mut journal, n_bytes) {
            Some(_) if restart => forget("--restart was given", watch),
            Some((past, done)) => match past.difference(&identity) {
                Some(why) => forget(why, watch),
                None => done,
            },
            None => Vec::new(),
        };
        let mut draft = Self { target, partial, journal: Some(journal), ends: Vec::new() };
        draft.start(&identity, &done)?;
        Ok((draft, done.last().copied()))
    }

    /// Brings both files to what is done.
    fn start(&mut self, identity: &Identity, done: &[Checkpoint]) -> Result<(), BulkError> {
        let failed = || BulkError::io("the partial output cannot be written");
        self.ends = done.iter().map(|checkpoint| checkpoint.n_bytes).collect();
        let n_bytes = self.ends.last().copied().unwrap_or(0);
        self.partial.set_len(n_bytes).map_err(failed())?;
        self.partial.seek(SeekFrom::Start(n_bytes)).map_err(failed())?;
        let mut lines = line(identity)?;
        for checkpoint in done {
            lines.extend(line(checkpoint)?);
        }
        if let Some(journal) = &mut self.journal {
            journal.set_len(0).map_err(failed())?;
            journal.seek(SeekFrom::Start(0)).map_err(failed())?;
            journal.write_all(&lines).and_then(|()| journal.sync_data()).map_err(failed())?;
        }
        Ok(())
    }

    /// The bytes first, then the line that vouches for them.
    fn append(&mut self, bytes: &[u8], mark: Mark, counts: Counts) -> Result<(), BulkError> {
        let failed = || BulkError::io(format!("{} cannot be written", beside(&self.target, "partial").display()));
        let n_bytes = self.ends.last().copied().unwrap_or(0) + bytes.len() as u64;
        self.partial.write_all(bytes).map_err(failed())?;
        if let Some(journal) = &mut self.journal {
            let line = line(&Checkpoint { n_bytes, mark, counts })?;
            self.partial.sync_data().map_err(failed())?;
            journal.write_all(&line).and_then(|()| journal.sync_data()).map_err(failed())?;
        }
        self.ends.push(n_bytes);
        Ok(())
    }

    fn finish(mut self, sink: &Sink) -> Result<(), BulkError> {
        let failed = |what: &Path| BulkError::io(format!("{} cannot be written", what.display()));
        let (partial, whole) = (beside(&self.target, "partial"), beside(&self.target, "whole"));
        let create = || File::create(&whole).map_err(failed(&whole));
        let is_assembled = sink.assemble(&self.partial, &self.ends, create)?;
        let made = if is_assembled {
            File::open(&whole).and_then(|file| file.sync_all()).map_err(failed(&whole))?;
            &whole
        } else {
            let written = self.partial.write_all(sink.tail()).and_then(|()| self.partial.sync_all());
            written.map_err(failed(&partial))?;
            &partial
        };
        std::fs::rename(made, &self.target).map_err(failed(&self.target))?;
        sync_folder(&self.target);
        // The output is there: what is left beside it only takes room, and a next run would sweep it away.
        for rest in [partial, beside(&self.target, "progress")] {
            if let Err(error) = std::fs::remove_file(&rest)
                && error.kind() != std::io::ErrorKind::NotFound
            {
                tracing::warn!(%error, "{} could not be removed", rest.display());
            }
        }
        Ok(())
    }
}

fn beside(target: &Path, ending: &str) -> PathBuf {
    let mut name = target.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    name.into()
}

fn open(path: &Path, target: &Path) -> Result<File, BulkError> {
    let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
    opened.map_err(|error| {
        BulkError::wrong(format!("{} cannot be made: {} cannot be opened: {error}", target.display(), path.display()))
    })
}

fn line<T: Serialize>(value: &T) -> Result<Vec<u8>, BulkError> {
    let mut line = serde_json::to_vec(value).map_err(|error| BulkError::Internal(error.to_string()))?;
    line.push(b'\n');
    Ok(line)
}

/// What an earlier run has written down: up to the last line that is whole and whose bytes are there.
fn past(journal: &mut File, n_bytes: u64) -> Option<(Identity, Vec<Checkpoint>)> {
    let mut text = String::new();
    journal.read_to_string(&mut text).ok()?;
    let mut lines = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    let identity = serde_json::from_str(lines.next()?).ok()?;
    let checkpoints = lines.map_while(|line| serde_json::from_str::<Checkpoint>(line).ok());
    Some((identity, checkpoints.take_while(|checkpoint| checkpoint.n_bytes <= n_bytes).collect()))
}

fn forget(why: &str, watch: &dyn Watch) -> Vec<Checkpoint> {
    watch.note(&format!("an earlier run did not come to its end, but {why}: starting anew"));
    Vec::new()
}

/// Makes the rename itself durable, where folders can be synced.
fn sync_folder(target: &Path) {
    let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if let Err(error) = File::open(folder).and_then(|folder| folder.sync_all()) {
        tracing::debug!(%error, "the folder cannot be synced");
    }
}
