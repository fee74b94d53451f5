//! A model's files on the disk: checking them, and putting a checked one in its place. A file comes to life under the name
//! `NAME.partial` and gets its own name only by [`Slot::place`], after its check and an fsync; so whatever has its own name
//! is whole.

use crate::embed::catalogue::{CatalogueFile, CatalogueModel};
use serde::Serialize;
use sha1::Sha1;
use sha2::{Digest, Sha256};
use std::cell::Cell;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// What a file must hash to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ContentHash {
    Sha256(String),
    /// As git names a file's content: the SHA-1 of `blob LENGTH\0` and the bytes.
    GitBlob(String),
}

impl ContentHash {
    /// Reads an entity tag of the hub: 64 digits for a large file, 40 for one that git itself keeps.
    pub fn from_etag(etag: &str) -> Option<Self> {
        let digits = etag.trim().trim_start_matches("W/").trim_matches('"').to_ascii_lowercase();
        match digits.len() {
            _ if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) => None,
            64 => Some(Self::Sha256(digits)),
            40 => Some(Self::GitBlob(digits)),
            _ => None,
        }
    }

    /// None where the file has this hash; else what it has.
    fn differs(&self, file: &Path) -> io::Result<Option<String>> {
        let (expected, found) = match self {
            Self::Sha256(expected) => (expected, sha256_of(file)?),
            Self::GitBlob(expected) => (expected, git_blob_of(file)?),
        };
        Ok((*expected != found).then_some(found))
    }

    fn describe(&self) -> (&'static str, &str) {
        match self {
            Self::Sha256(digits) => ("sha256", digits),
            Self::GitBlob(digits) => ("git hash", digits),
        }
    }
}

/// What one file of a model turned out to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum FileState {
    /// It is what the catalogue says. Where that knows no sha256, only the size could be held against it, if that.
    Ok,
    Missing,
    WrongSize {
        expected: u64,
        found: u64,
    },
    WrongSha256 {
        expected: String,
        found: String,
    },
    /// It is there and cannot be read.
    Unreadable {
        why: String,
    },
}

/// The result of checking one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileCheck {
    /// Below the model's folder.
    pub file: String,
    pub state: FileState,
    /// Whether the catalogue knows what the file must hash to.
    pub pinned: bool,
}

impl FileState {
    /// What is wrong, as the end of a sentence; None for a good file.
    pub fn complaint(&self) -> Option<String> {
        match self {
            Self::Ok => None,
            Self::Missing => Some("is missing".into()),
            Self::WrongSize { expected, found } => Some(format!("has {found} bytes instead of {expected}")),
            Self::WrongSha256 { expected, found } => Some(format!("has the sha256 {found} instead of {expected}")),
            Self::Unreadable { why } => Some(format!("cannot be read: {why}")),
        }
    }
}

/// How thoroughly to check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    /// Presence and size.
    Sizes,
    /// The content's hash too.
    Content,
}

/// Checks all files of a model, in the catalogue's order.
pub(super) fn check_all(folder: &Path, model: &CatalogueModel, depth: Depth) -> Vec<FileCheck> {
    let check = |file: &CatalogueFile| FileCheck {
        file: file.path.to_string(),
        state: check_one(&folder.join(file.path.as_str()), file, depth),
        pinned: file.sha256.is_some(),
    };
    model.files.iter().map(check).collect()
}

/// Checks one file against the catalogue.
pub(super) fn check_one(path: &Path, file: &CatalogueFile, depth: Depth) -> FileState {
    let found = match fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => metadata.len(),
        Ok(_) => return FileState::Unreadable { why: "it is not a file".into() },
        Err(error) if error.kind() == io::ErrorKind::NotFound => return FileState::Missing,
        Err(error) => return FileState::Unreadable { why: error.to_string() },
    };
    if let Some(expected) = file.size.filter(|&expected| expected != found) {
        return FileState::WrongSize { expected, found };
    }
    let Some(sha256) = file.sha256.as_ref().filter(|_| depth == Depth::Content) else {
        return FileState::Ok;
    };
    match ContentHash::Sha256(sha256.to_string()).differs(path) {
        Ok(None) => FileState::Ok,
        Ok(Some(found)) => FileState::WrongSha256 { expected: sha256.to_string(), found },
        Err(error) => FileState::Unreadable { why: error.to_string() },
    }
}

/// Where one file of a model goes.
#[derive(Debug)]
pub(super) struct Slot<'a> {
    pub file: &'a CatalogueFile,
    /// Its own name: only whole, checked files have it.
    pub target: PathBuf,
    /// What is written to, and what an interrupted download is resumed from.
    pub partial: PathBuf,
    placed: Cell<bool>,
}

impl<'a> Slot<'a> {
    /// Also makes the sub-folder the file lies in.
    pub fn new(folder: &Path, file: &'a CatalogueFile) -> io::Result<Self> {
        let target = folder.join(file.path.as_str());
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent)?;
        }
        let partial = folder.join(format!("{}.partial", file.path));
        Ok(Self { file, target, partial, placed: Cell::new(false) })
    }

    /// Bytes that are there from an earlier attempt.
    pub fn partial_len(&self) -> u64 {
        fs::metadata(&self.partial).map_or(0, |metadata| metadata.len())
    }

    pub fn discard(&self) -> io::Result<()> {
        match fs::remove_file(&self.partial) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// What the file must hash to: the catalogue's word, else the hub's.
    pub fn expected_hash(&self, announced: Option<ContentHash>) -> Option<ContentHash> {
        self.file.sha256.as_ref().map(|sha256| ContentHash::Sha256(sha256.to_string())).or(announced)
    }

    /// Checks what was written, and gives it its own name: all of it or nothing, also through a power cut.
    ///
    /// # Errors
    /// One sentence. The partial file is left; whether it is worth keeping is the caller's to know.
    pub fn place(&self, hash: &ContentHash) -> Result<(), String> {
        let path = &self.file.path;
        let found = self.partial_len();
        if let Some(expected) = self.file.size.filter(|&expected| expected != found) {
            return Err(format!("{path} has {found} bytes instead of {expected}"));
        }
        let unreadable = |error: io::Error| format!("{path} cannot be read back: {error}");
        if let Some(found) = hash.differs(&self.partial).map_err(unreadable)? {
            let (kind, expected) = hash.describe();
            return Err(format!("{path} has the {kind} {found} instead of {expected}"));
        }
        self.publish().map_err(|error| format!("{path} cannot be put in its place: {error}"))?;
        self.placed.set(true);
        Ok(())
    }

    /// Whether a checked file has taken the place.
    pub fn is_placed(&self) -> bool {
        self.placed.get()
    }

    fn publish(&self) -> io::Result<()> {
        File::open(&self.partial)?.sync_all()?;
        fs::rename(&self.partial, &self.target)?;
        match self.target.parent() {
            Some(parent) => File::open(parent)?.sync_all(),
            None => Ok(()),
        }
    }
}

fn sha256_of(file: &Path) -> io::Result<String> {
    digest_of::<Sha256>(Sha256::new(), file)
}

fn git_blob_of(file: &Path) -> io::Result<String> {
    let length = fs::metadata(file)?.len();
    digest_of(Sha1::new_with_prefix(format!("blob {length}\0")), file)
}

fn digest_of<D: Digest>(mut digest: D, file: &Path) -> io::Result<String> {
    let mut reader = File::open(file)?;
    let mut buffer = vec![0; 256 * 1024];
    loop {
        match reader.read(&mut buffer)? {
            0 => break,
            n_bytes => digest.update(&buffer[..n_bytes]),
        }
    }
    Ok(digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_sha256sum_and_git() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("hello");
        fs::write(&file, "hello\n").unwrap();
        assert_eq!(sha256_of(&file).unwrap(), "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03");
        assert_eq!(git_blob_of(&file).unwrap(), "ce013625030ba8dba906f756967f9e9ca394464a");
    }

    #[test]
    fn entity_tags_are_read_as_the_hub_writes_them() {
        let (long, short) = ("ab".repeat(32), "cd".repeat(20));
        assert_eq!(ContentHash::from_etag(&format!("\"{long}\"")), Some(ContentHash::Sha256(long.clone())));
        assert_eq!(ContentHash::from_etag(&format!("W/\"{short}\"")), Some(ContentHash::GitBlob(short.clone())));
        assert_eq!(ContentHash::from_etag(&short.to_uppercase()), Some(ContentHash::GitBlob(short)));
        for etag in ["", "\"\"", "\"abc\"", &format!("\"{}-2\"", "ab".repeat(31)), &"xy".repeat(20)] {
            assert_eq!(ContentHash::from_etag(etag), None, "{etag:?}");
        }
    }
}
