//! The rows that imports left out, raw and with what is wrong: one NDJSON file a job, to be mended and sent again.
//!
//! They are personal data that nobody has looked at, so only the service's own user may read the files, they are bounded, and they
//! are gone after seven days.

use crate::domain::JobId;
use crate::ingest::{RawRow, RowError};
use serde::Serialize;
use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
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
