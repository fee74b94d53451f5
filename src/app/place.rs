//! Which data folder a process has: an id that lies in the folder and goes where the folder goes. A job whose file lies in it is done
//! by a process that has it, or by one of several that share it.

use anyhow::Context;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::Path;
use uuid::Uuid;

const FILE: &str = "folder.id";

/// The folder's id, made when there is none. Of several processes that make it at once, one does.
pub(super) fn id(data_dir: &Path) -> anyhow::Result<Uuid> {
    let path = data_dir.join(FILE);
    match std::fs::read_to_string(&path) {
        Ok(text) => parse(&text, &path),
        Err(error) if error.kind() == ErrorKind::NotFound => make(data_dir, &path),
        Err(error) => Err(error).with_context(|| format!("{} cannot be read", path.display())),
    }
}

fn parse(text: &str, path: &Path) -> anyhow::Result<Uuid> {
    let why =
        || format!("{} holds no folder's id; remove it, unless imports wait for their files here", path.display());
    Uuid::parse_str(text.trim()).with_context(why)
}

/// Written whole under another name, and then given its name unless somebody was first.
fn make(data_dir: &Path, path: &Path) -> anyhow::Result<Uuid> {
    let id = Uuid::now_v7();
    let draft = data_dir.join(format!("{FILE}.{id}"));
    let made = OpenOptions::new().write(true).create_new(true).open(&draft).and_then(|mut file| {
        file.write_all(id.to_string().as_bytes())?;
        file.sync_all()?;
        std::fs::hard_link(&draft, path)
    });
    // Whatever came of it, the draft has served.
    let _ = std::fs::remove_file(&draft);
    match made {
        Ok(()) => {
            File::open(data_dir).and_then(|folder| folder.sync_all()).context("the data folder cannot be synced")?;
            Ok(id)
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => self::id(data_dir),
        Err(error) => Err(error).with_context(|| format!("{} cannot be made", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_one_id_however_many_ask_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let ids: Vec<Uuid> = std::thread::scope(|scope| {
            let asking: Vec<_> = (0..8).map(|_| scope.spawn(|| id(dir.path()).unwrap())).collect();
            asking.into_iter().map(|one| one.join().unwrap()).collect()
        });
        assert!(ids.iter().all(|one| *one == ids[0]), "{ids:?}");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "drafts are left");
        assert_ne!(id(tempfile::tempdir().unwrap().path()).unwrap(), ids[0]);
    }

    #[test]
    fn a_file_that_is_no_id_is_told_and_stays() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(FILE), "half").unwrap();
        assert!(id(dir.path()).unwrap_err().to_string().contains(FILE));
        assert_eq!(std::fs::read(dir.path().join(FILE)).unwrap(), b"half");
    }
}
