//! The rows that imports left out, raw and with what is wrong: one NDJSON file a job, to be mended and sent again.
//!
//! They are personal data that nobody has looked at, so only the service's own user may read the files, they are bounded, and they
//! are gone after seven days.

use crate::domain::JobId;
use crate::ingest::{RawRow, RowError};
use serde::Serialize;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// The largest file; behind it stands a line that says so.
const MAX_BYTES: u64 = 1 << 30;
/// How long a file is kept after its last row.
const KEPT_FOR: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// The files' folder.
#[derive(Debug)]
pub struct Rejects {
    folder: PathBuf,
    max_bytes: u64,
}

#[derive(Serialize)]
struct Line<'a> {
    line: u64,
    column: Option<&'a str>,
    code: &'a str,
    message: &'a str,
    raw: &'a str,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    raw_is_cut: bool,
}

/// A batch's rows, spelled, not yet written.
#[derive(Debug, Default)]
pub struct Spelled(Vec<u8>);

impl Spelled {
    /// One line for each row that is lost with the error; of an order's lines those besides the wrong one are lost too.
    pub fn add(&mut self, error: &RowError, rows: &[RawRow]) {
        for row in rows {
            let (column, code, message) = (error.column.as_deref(), error.code, error.message.as_str());
            let line = Line { line: row.line, column, code, message, raw: &row.text, raw_is_cut: row.is_cut };
            if serde_json::to_writer(&mut self.0, &line).is_ok() {
                self.0.push(b'\n');
            }
        }
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Rejects {
    /// # Errors
    /// The folder cannot be made.
    pub fn open(folder: PathBuf) -> io::Result<Self> {
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&folder)?;
        Ok(Self { folder, max_bytes: MAX_BYTES })
    }

    fn path(&self, job: JobId) -> PathBuf {
        self.folder.join(format!("{job}.ndjson"))
    }

    /// The job's file, if it has one that is not too old.
    pub fn find(&self, job: JobId) -> Option<PathBuf> {
        let path = self.path(job);
        self.remove_if_old(&path, SystemTime::now());
        path.exists().then_some(path)
    }

    /// Writes behind the first `kept_bytes`, durably: what an interrupted run wrote after its last checkpoint is written again. Gives
    /// the new length.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn append(&self, job: JobId, kept_bytes: u64, spelled: &Spelled) -> io::Result<u64> {
        let mut options = OpenOptions::new();
        options.write(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(self.path(job))?;
        file.set_len(kept_bytes)?;
        file.seek(SeekFrom::Start(kept_bytes))?;
        let written = self.write_bounded(&mut file, kept_bytes, &spelled.0)?;
        file.sync_all()?;
        Ok(kept_bytes + written)
    }

    fn write_bounded(&self, file: &mut File, length: u64, lines: &[u8]) -> io::Result<u64> {
        if length >= self.max_bytes {
            return Ok(0);
        }
        if length + lines.len() as u64 <= self.max_bytes {
            file.write_all(lines)?;
            return Ok(lines.len() as u64);
        }
        // Filled up, so that the length itself says that nothing more is to come.
        let mut marker = format!(
            "{{\"is_cut\":true,\"message\":\"further rows are not kept: this file has its {} bytes\"}}",
            self.max_bytes
        );
        let room = usize::try_from(self.max_bytes - length).unwrap_or(usize::MAX);
        let padding = room.saturating_sub(marker.len() + 1);
        marker.push_str(&" ".repeat(padding.min(4_096)));
        let kept = whole_lines(lines, room.saturating_sub(marker.len() + 1));
        file.write_all(kept)?;
        let rest = room.saturating_sub(kept.len() + marker.len() + 1);
        file.write_all(marker.as_bytes())?;
        file.write_all(&vec![b' '; rest])?;
        file.write_all(b"\n")?;
        Ok((kept.len() + marker.len() + rest + 1) as u64)
    }

    /// Overwrites every row that names one of these ids, in place: an import that is at work counts on the files' lengths.
    ///
    /// # Errors
    /// A file cannot be read or written.
    pub fn forget(&self, ids: &[&str]) -> io::Result<()> {
        self.overwrite(&|line| ids.iter().any(|id| names(line, id)))
    }

    /// Overwrites every row with a cell or a word of which this holds: an erased id of which nothing but a hash is known. An id that
    /// has spaces or commas in it is found where it is a cell of its own.
    ///
    /// # Errors
    /// A file cannot be read or written.
    pub fn forget_where(&self, is_gone: &dyn Fn(&str) -> bool) -> io::Result<()> {
        self.overwrite(&|line| raw(line).is_some_and(|raw| words(&raw).any(is_gone)))
    }

    fn overwrite(&self, tells_of_them: &dyn Fn(&[u8]) -> bool) -> io::Result<()> {
        for entry in std::fs::read_dir(&self.folder)? {
            let mut file = OpenOptions::new().read(true).write(true).open(entry?.path())?;
            let mut at = 0;
            let mut line = Vec::new();
            let mut reader = BufReader::new(file.try_clone()?);
            while reader.read_until(b'\n', &mut line)? > 0 {
                if tells_of_them(&line) {
                    file.seek(SeekFrom::Start(at))?;
                    file.write_all(&erased(line.len()))?;
                    // Both share one place in the file.
                    file.seek(SeekFrom::Start(at + line.len() as u64))?;
                    reader = BufReader::new(file.try_clone()?);
                }
                at += line.len() as u64;
                line.clear();
            }
            file.sync_all()?;
        }
        Ok(())
    }

    /// Removes the files that are too old.
    pub fn sweep(&self, now: SystemTime) {
        let Ok(entries) = std::fs::read_dir(&self.folder) else { return };
        for entry in entries.flatten() {
            self.remove_if_old(&entry.path(), now);
        }
    }

    fn remove_if_old(&self, path: &Path, now: SystemTime) {
        let written = std::fs::metadata(path).and_then(|metadata| metadata.modified());
        let is_old = written.is_ok_and(|then| now.duration_since(then).is_ok_and(|age| age >= KEPT_FOR));
        if is_old && let Err(error) = std::fs::remove_file(path) {
            tracing::warn!(%error, "rejected rows that are too old to keep could not be removed");
        }
    }
}

/// Whether the id stands in the line by itself, not as a part of another word.
fn names(line: &[u8], id: &str) -> bool {
    let is_word = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
    let spelled = serde_json::to_string(id).unwrap_or_default();
    let id = spelled.trim_matches('"').as_bytes();
    let starts = line.windows(id.len().max(1)).enumerate().filter(|(_, window)| *window == id).map(|(at, _)| at);
    starts
        .into_iter()
        .any(|at| !is_word(at.checked_sub(1).and_then(|at| line.get(at))) && !is_word(line.get(at + id.len())))
}

/// The row that a line tells of, as it stood in its file.
fn raw(line: &[u8]) -> Option<String> {
    match serde_json::from_slice(line) {
        Ok(serde_json::Value::Object(mut line)) => line.remove("raw")?.as_str().map(str::to_owned),
        _ => None,
    }
}

/// What may be an id in a row: its cells, and its words with and without what ends a sentence.
fn words(raw: &str) -> impl Iterator<Item = &str> {
    let cells = raw.split([',', ';', '\t', '"', '\n']).map(str::trim);
    let words = raw.split(|c: char| c.is_whitespace() || ",;:\"'()[]{}<>=".contains(c));
    let bare = words.clone().map(|word| word.trim_end_matches(['.', '!', '?']));
    cells.chain(words).chain(bare).filter(|word| !word.is_empty())
}

/// A line of this length that says that it was erased.
fn erased(n_bytes: usize) -> Vec<u8> {
    let mut line = br#"{"is_erased":true}"#.to_vec();
    line.resize(n_bytes.saturating_sub(1), b' ');
    line.push(b'\n');
    line
}

/// As many whole lines as fit.
fn whole_lines(lines: &[u8], room: usize) -> &[u8] {
    let fitting = &lines[..lines.len().min(room)];
    let end = fitting.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    &fitting[..end]
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn spelled(lines: std::ops::Range<u64>) -> Spelled {
        let mut spelled = Spelled::default();
        for line in lines {
            let error =
                RowError { line, column: Some("text".into()), code: "missing_field", message: "is empty".into() };
            spelled.add(&error, &[RawRow { line, text: "c,\"é\"\n".into(), is_cut: false }]);
        }
        spelled
    }

    fn opened() -> (tempfile::TempDir, Rejects, JobId) {
        let dir = tempfile::tempdir().unwrap();
        let rejects = Rejects::open(dir.path().join("rejects")).unwrap();
        (dir, rejects, JobId(uuid::Uuid::now_v7()))
    }

    fn lines(path: &Path) -> Vec<Value> {
        std::fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn what_was_written_after_the_last_checkpoint_is_written_once() {
        let (_dir, rejects, job) = opened();
        let first = rejects.append(job, 0, &spelled(1..4)).unwrap();
        rejects.append(job, first, &spelled(4..9)).unwrap();
        rejects.append(job, first, &spelled(4..6)).unwrap();
        let lines = lines(&rejects.find(job).unwrap());
        assert_eq!(lines.iter().map(|line| line["line"].as_u64().unwrap()).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
        assert_eq!((&lines[0]["raw"], &lines[0]["code"]), (&Value::from("c,\"é\"\n"), &Value::from("missing_field")));
    }

    #[test]
    fn rows_of_the_erased_are_overwritten_and_the_others_stay() {
        let (_dir, rejects, job) = opened();
        let mut rows = Spelled::default();
        let raws = ["ann,\"x\"", "joanna,x", "bob,ann", "eve,\"q\"\n", "ann9,x"];
        for (line, raw) in (1..).zip(raws) {
            let error = RowError { line, column: None, code: "missing_field", message: "is empty".into() };
            rows.add(&error, &[RawRow { line, text: raw.into(), is_cut: false }]);
        }
        let length = rejects.append(job, 0, &rows).unwrap();
        rejects.forget(&["ann", "eve"]).unwrap();
        let path = rejects.find(job).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().len(), length, "an import at work goes on where it was");
        let erased: Vec<_> = lines(&path).iter().map(|line| line["is_erased"] == true).collect();
        assert_eq!(erased, [true, false, true, true, false]);
    }

    #[test]
    fn rows_are_found_by_what_holds_of_an_id_too() {
        let (_dir, rejects, job) = opened();
        let mut rows = Spelled::default();
        let raws =
            ["ann@b.c,\"x\"", "joanna,x", "bob,ask ann@b.c.", r#"{"user":"ann@b.c"}"#, "Ann Lee ,x", "x Ann Lee y"];
        for (line, raw) in (1..).zip(raws) {
            let error = RowError { line, column: None, code: "missing_field", message: "is empty".into() };
            rows.add(&error, &[RawRow { line, text: raw.into(), is_cut: false }]);
        }
        rejects.append(job, 0, &rows).unwrap();
        rejects.forget_where(&|id| ["ann@b.c", "Ann Lee", ""].contains(&id)).unwrap();
        let lines = lines(&rejects.find(job).unwrap());
        let erased: Vec<_> = lines.iter().map(|line| line["is_erased"] == true).collect();
        assert_eq!(erased, [true, false, true, true, true, false]);
    }

    #[test]
    fn a_full_file_says_so_in_its_last_line_and_grows_no_more() {
        let (_dir, mut rejects, job) = opened();
        rejects.max_bytes = 2_000;
        let mut length = 0;
        for from in [0, 10, 20, 30] {
            length = rejects.append(job, length, &spelled(from..from + 10)).unwrap();
        }
        assert_eq!(length, 2_000);
        let path = rejects.find(job).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 2_000);
        let lines = lines(&path);
        assert!(lines.len() > 10, "what fits is kept");
        assert_eq!(lines.last().unwrap()["is_cut"], true);
        assert!(lines[..lines.len() - 1].iter().all(|line| line["line"].is_u64()));
    }

    #[test]
    fn files_go_after_seven_days() {
        let (_dir, rejects, job) = opened();
        rejects.append(job, 0, &spelled(1..2)).unwrap();
        let path = rejects.find(job).unwrap();
        let age = |days: u64| {
            let then = SystemTime::now() - Duration::from_secs(days * 24 * 60 * 60);
            File::options().write(true).open(&path).unwrap().set_modified(then).unwrap();
        };
        age(6);
        rejects.sweep(SystemTime::now());
        assert!(path.exists());
        age(8);
        rejects.sweep(SystemTime::now());
        assert!(!path.exists());
        rejects.append(job, 0, &spelled(1..2)).unwrap();
        age(8);
        assert_eq!(rejects.find(job), None, "nor is it given away when nobody has swept yet");
        assert!(!path.exists());
    }

    #[test]
    #[cfg(unix)]
    fn nobody_else_can_read_them() {
        use std::os::unix::fs::PermissionsExt;
        let (_dir, rejects, job) = opened();
        rejects.append(job, 0, &spelled(1..2)).unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&rejects.find(job).unwrap()), mode(&rejects.folder)), (0o600, 0o700));
    }
}
