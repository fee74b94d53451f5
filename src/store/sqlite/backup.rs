//! A copy of an SQLite store's file while the store is in use, and the way back.
//!
//! A backup reads beside whoever has the store, as one more reader: it is the store at one moment, whatever is written meanwhile. It is
//! made under another name, synced, looked through, and gets its name last.
//!
//! A restore is at its turning point when the new file is there, whole, as `clientele.db.restoring`: whoever opens the folder after
//! that finishes it. What was there before stays beside, under another name.

use super::opening::{self, DATABASE};
use super::schema;
use super::verify::look_through;
use crate::store::{Result, StoreError};
use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Pages between two words on how far it is: 16 MiB.
const STEP_PAGES: i32 = 2048;

/// A new file on its way to being the store.
const INCOMING: &str = "clientele.db.incoming";
/// The same when nothing is missing but the names.
const RESTORING: &str = "clientele.db.restoring";

/// What came of a backup or a restore.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackedUp {
    pub n_bytes: u64,
    /// What was there before a restore.
    pub set_aside: Option<PathBuf>,
}

/// Told: what is being done, how many pages or bytes of how many.
pub type BackupProgress<'a> = &'a dyn Fn(&'static str, u64, u64);

fn failed(place: &Path, what: &str, error: &io::Error) -> StoreError {
    let why = format!("{what} {}: {error}", place.display());
    if error.kind() == ErrorKind::StorageFull { StoreError::Full(why) } else { StoreError::Unavailable(why) }
}

/// Writes the store of a folder, as it is at one moment, into one file. The store may be in use.
///
/// # Errors
/// `Conflict` where the file is there and is not to be replaced; `Corrupt` when what was written does not hold what a store holds, so that
/// there is no backup then; what opening and reading a store fails with.
pub fn backup(folder: &Path, to: &Path, replaces: bool, progress: BackupProgress<'_>) -> Result<BackedUp> {
    if !replaces && to.exists() {
        return Err(is_there(to));
    }
    let source = opening::look_beside(folder)?;
    let name = to.file_name().ok_or_else(|| StoreError::Conflict(format!("{} is no file's name", to.display())))?;
    let partial = to.with_file_name(format!("{}.partial", name.to_string_lossy()));
    let _removed = RemovedAtTheEnd(&partial);
    remove_if_there(&partial)?;
    copy_pages(&source, &partial, progress)?;
    let permissions =
        fs::metadata(folder.join(DATABASE)).and_then(|of| fs::set_permissions(&partial, of.permissions()));
    permissions.map_err(|e| failed(&partial, "cannot write", &e))?;
    sync(&partial)?;
    require_sound(&partial, progress)?;
    let n_bytes = fs::metadata(&partial).map_err(|e| failed(&partial, "cannot read", &e))?.len();
    if replaces {
        fs::rename(&partial, to).map_err(|e| failed(to, "cannot write", &e))?;
    } else {
        // A link never takes another file's place.
        match fs::hard_link(&partial, to) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => return Err(is_there(to)),
            linked => linked.map_err(|e| failed(to, "cannot write", &e))?,
        }
    }
    sync_folder_of(to)?;
    Ok(BackedUp { n_bytes, set_aside: None })
}

fn is_there(to: &Path) -> StoreError {
    StoreError::Conflict(format!("{} is there already; name another file, or replace it with --force", to.display()))
}

fn copy_pages(source: &Connection, partial: &Path, progress: BackupProgress<'_>) -> Result<()> {
    // One moment: without it every write of the store's process would begin the copy anew.
    let moment = source.unchecked_transaction()?;
    moment.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    let mut copy = Connection::open(partial)?;
    copy.pragma_update(None, "synchronous", "OFF")?;
    {
        let backup = Backup::new(&moment, &mut copy)?;
        loop {
            let step = backup.step(STEP_PAGES)?;
            let pages = backup.progress();
            let number = |n: i32| u64::try_from(n).unwrap_or(0);
            progress("copying", number(pages.pagecount - pages.remaining), number(pages.pagecount));
            match step {
                StepResult::Done => break,
                StepResult::More => {}
                _ => std::thread::sleep(Duration::from_millis(50)),
            }
        }
    }
    copy.close().map_err(|(_, error)| error.into())
}

/// Replaces the store of a folder by a backup, or makes the folder's store of it. What was there is set aside.
///
/// # Errors
/// `InUse` while a process has the store; `Conflict` where there is one and it is not to be replaced; `Open`, `TooNew` or `Corrupt` for a
/// file that is no sound store. The folder stays as it is then.
pub fn restore(file: &Path, folder: &Path, replaces: bool, progress: BackupProgress<'_>) -> Result<BackedUp> {
    opening::inspect_alone(file)?;
    refuse_log(file)?;
    let _lock = opening::take(folder)?;
    finish(folder).map_err(|e| failed(folder, "cannot finish an earlier restore in", &e))?;
    if !replaces && [DATABASE, "clientele.db-wal"].iter().any(|name| folder.join(name).exists()) {
        return Err(StoreError::Conflict(format!(
            "there is a store in {} already; --force puts the backup in its place and keeps what is there under another name",
            folder.display()
        )));
    }
    let incoming = folder.join(INCOMING);
    let _removed = RemovedAtTheEnd(&incoming);
    let source = read_alone(file)?;
    remove_if_there(&incoming)?;
    copy_pages(&source, &incoming, progress)?;
    bring_up(&incoming)?;
    sync(&incoming)?;
    require_sound(&incoming, progress)?;
    let n_bytes = fs::metadata(&incoming).map_err(|e| failed(&incoming, "cannot read", &e))?.len();
    let moved = fs::rename(&incoming, folder.join(RESTORING)).and_then(|()| opening::sync_dir(folder));
    let set_aside = moved.and_then(|()| finish(folder)).map_err(|e| failed(folder, "cannot write in", &e))?;
    Ok(BackedUp { n_bytes, set_aside })
}

/// A backup of an older program becomes a store of this one's schema, which is what is looked through.
fn bring_up(file: &Path) -> Result<()> {
    let mut db = Connection::open(file)?;
    schema::migrate(&mut db)?;
    // The file alone is the store: no log beside it.
    db.pragma_update(None, "journal_mode", "DELETE")?;
    db.close().map_err(|(_, error)| error.into())
}

/// A log beside the file holds what was written last, and would not be restored: such a file is a store and no backup.
fn refuse_log(file: &Path) -> Result<()> {
    let log = file.with_file_name(format!("{}-wal", file_name(file)));
    match fs::metadata(&log) {
        Ok(metadata) if metadata.len() > 0 => Err(StoreError::Open {
            place: file.display().to_string(),
            why: format!(
                "{} beside it holds what was written last; put both into a folder as clientele.db and clientele.db-wal, and back that up",
                log.display()
            ),
        }),
        _ => Ok(()),
    }
}

/// Brings a restore to its end that has passed its turning point; where what was there before lies now. The caller has the folder's lock.
pub(super) fn finish(folder: &Path) -> io::Result<Option<PathBuf>> {
    let restoring = folder.join(RESTORING);
    if !restoring.try_exists()? {
        return Ok(None);
    }
    let (database, log) = (folder.join(DATABASE), folder.join(format!("{DATABASE}-wal")));
    let (has_database, has_log) = (database.try_exists()?, log.try_exists()?);
    let mut set_aside = None;
    if has_database || has_log {
        let free = (1..).map(|n| folder.join(format!("{DATABASE}.before-restore-{n}"))).find(|name| !name.exists());
        let aside = free.ok_or(ErrorKind::AlreadyExists)?;
        // The log first and under its database's new name: until the database has it, the next free name is this one.
        if has_log {
            fs::rename(&log, aside.with_file_name(format!("{}-wal", file_name(&aside))))?;
        }
        opening::sync_dir(folder)?;
        if has_database {
            fs::rename(&database, &aside)?;
        }
        set_aside = Some(aside);
    }
    for stale in ["-shm", "-journal"] {
        match fs::remove_file(folder.join(format!("{DATABASE}{stale}"))) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    opening::sync_dir(folder)?;
    fs::rename(&restoring, &database)?;
    opening::sync_dir(folder)?;
    Ok(set_aside)
}

fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Opens a file that nobody writes, and leaves nothing beside it.
fn read_alone(file: &Path) -> Result<Connection> {
    let mut address = String::from("file:");
    for byte in file.display().to_string().bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' => address.push(char::from(byte)),
            other => address.push_str(&format!("%{other:02x}")),
        }
    }
    address.push_str("?immutable=1");
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Ok(Connection::open_with_flags(address, flags)?)
}

/// Looks through what was written: a backup that cannot be restored is none.
fn require_sound(file: &Path, progress: BackupProgress<'_>) -> Result<()> {
    let db = read_alone(file)?;
    let n_bytes = fs::metadata(file).map_or(0, |metadata| metadata.len());
    progress("looking through it", 0, n_bytes);
    let found = look_through(&db, &|_| {})?;
    match found.checks.iter().find(|check| check.n_wrong > 0) {
        None => Ok(()),
        Some(wrong) => Err(StoreError::Corrupt(format!(
            "it does not hold that {} ({} times not); `clientele store verify` tells more",
            wrong.says, wrong.n_wrong
        ))),
    }
}

fn sync(file: &Path) -> Result<()> {
    let synced = OpenOptions::new().write(true).open(file).and_then(|open: File| open.sync_all());
    synced.map_err(|e| failed(file, "cannot sync", &e))
}

fn sync_folder_of(file: &Path) -> Result<()> {
    let folder = file.parent().unwrap_or(Path::new("."));
    opening::sync_dir(folder).map_err(|e| failed(folder, "cannot sync", &e))
}

fn remove_if_there(file: &Path) -> Result<()> {
    for suffix in ["", "-wal", "-shm", "-journal"] {
        let beside = file.with_file_name(format!("{}{suffix}", file_name(file)));
        opening::remove_if_there(&beside).map_err(|e| failed(&beside, "cannot remove", &e))?;
    }
    Ok(())
}

/// A file that is of no use after the work, whatever became of it.
struct RemovedAtTheEnd<'a>(&'a Path);

impl Drop for RemovedAtTheEnd<'_> {
    fn drop(&mut self) {
        if let Err(error) = remove_if_there(self.0) {
            tracing::warn!(%error, "a left-over file could not be removed");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Fact;
    use crate::store::contract::samples::{at, event, everything, fill, workspace, workspace_id};
    use crate::store::{SqliteStore, Store};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    use tempfile::TempDir;

    fn quiet(_: &'static str, _: u64, _: u64) {}

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    async fn filled(flavour: u8) -> TempDir {
        let dir = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(dir.path()).unwrap();
        let shop = workspace(&store, "shop").await;
        fill(&store, &shop, flavour).await;
        dir
    }

    async fn shown(folder: &Path) -> String {
        everything(&SqliteStore::open(folder).unwrap(), &workspace_id("shop")).await
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn a_backup_is_one_moment_of_a_store_that_is_written_to() {
        let (dir, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let store = Arc::new(SqliteStore::open(dir.path()).unwrap());
        let shop = workspace(&*store, "shop").await;
        let (stop, acknowledged) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let writer = tokio::spawn({
            let (store, shop, stop, acknowledged) = (store.clone(), shop.clone(), stop.clone(), acknowledged.clone());
            async move {
                for batch in 0.. {
                    if stop.load(Ordering::SeqCst) {
                        return;
                    }
                    let facts: Vec<_> = (0..50)
                        .map(|n| Fact::Event(event(&format!("{batch}-{n}"), &format!("c{n}"), "Seen")))
                        .collect();
                    store.append(&shop, &facts, None, at(1)).await.unwrap();
                    acknowledged.store(batch + 1, Ordering::SeqCst);
                }
            }
        });
        for round in 0..5 {
            while acknowledged.load(Ordering::SeqCst) < 5 * (round + 1) {
                tokio::task::yield_now().await;
            }
            let before = acknowledged.load(Ordering::SeqCst);
            let (from, to) = (dir.path().to_owned(), out.path().join(format!("{round}.db")));
            tokio::task::spawn_blocking(move || backup(&from, &to, false, &quiet)).await.unwrap().unwrap();
            let at_most = acknowledged.load(Ordering::SeqCst) + 1;
            let restored = tempfile::tempdir().unwrap();
            restore(&out.path().join(format!("{round}.db")), restored.path(), false, &quiet).unwrap();
            let restored = SqliteStore::open(restored.path()).unwrap();
            let events = usize::try_from(restored.counts(&shop).await.unwrap().events).unwrap();
            assert!(events.is_multiple_of(50), "half a batch");
            assert!((before..=at_most).contains(&(events / 50)), "{before} {} {at_most}", events / 50);
        }
        stop.store(true, Ordering::SeqCst);
        writer.await.unwrap();
        assert_eq!(names(out.path()), ["0.db", "1.db", "2.db", "3.db", "4.db"]);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn nothing_is_written_over_unless_it_is_asked_for_and_what_was_there_is_kept() {
        let (one, other, out) = (filled(1).await, filled(2).await, tempfile::tempdir().unwrap());
        let (first, second) = (shown(one.path()).await, shown(other.path()).await);
        let file = out.path().join("back up?.db");
        backup(one.path(), &file, false, &quiet).unwrap();
        let before = fs::read(&file).unwrap();
        assert!(matches!(backup(other.path(), &file, false, &quiet), Err(StoreError::Conflict(_))));
        assert!(fs::read(&file).unwrap() == before);
        assert!(matches!(restore(&file, other.path(), false, &quiet), Err(StoreError::Conflict(_))));
        assert_eq!(shown(other.path()).await, second);
        let done = restore(&file, other.path(), true, &quiet).unwrap();
        assert_eq!(shown(other.path()).await, first);
        let kept = tempfile::tempdir().unwrap();
        restore(&done.set_aside.unwrap(), kept.path(), false, &quiet).unwrap();
        assert_eq!(shown(kept.path()).await, second);
        backup(other.path(), &file, true, &quiet).unwrap();
        assert_eq!(names(out.path()), ["back up?.db"]);
        let store = SqliteStore::open(one.path()).unwrap();
        assert!(matches!(restore(&file, one.path(), true, &quiet), Err(StoreError::InUse { .. })));
        drop(store);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_file_that_is_no_sound_backup_is_refused_and_the_folder_stays_as_it_is() {
        let (dir, target, out) = (filled(1).await, filled(2).await, tempfile::tempdir().unwrap());
        let file = out.path().join("b.db");
        backup(dir.path(), &file, false, &quiet).unwrap();
        let (whole, stands) = (fs::read(&file).unwrap(), shown(target.path()).await);
        let there = names(target.path());
        let mut newer = whole.clone();
        newer[63] = 250;
        let mut damaged = whole.clone();
        let middle = whole.len() / 2 / 8192 * 8192;
        damaged[middle..middle + 8192].fill(0x5a);
        for (what, bytes) in [
            ("empty", Vec::new()),
            ("a text", b"name,age\nAda,36\n".repeat(50)),
            ("cut", whole[..whole.len() / 2].to_vec()),
            ("newer", newer),
            ("damaged", damaged),
        ] {
            fs::write(&file, &bytes).unwrap();
            let error = restore(&file, target.path(), true, &quiet).unwrap_err();
            assert!(!error.may_pass(), "{what}: {error:?}");
            assert_eq!(names(target.path()), there, "{what}");
            assert_eq!(shown(target.path()).await, stands, "{what}");
        }
        assert!(restore(&out.path().join("none"), target.path(), true, &quiet).is_err());
        // A store that was killed: its last commits are in its log.
        fs::write(&file, &whole).unwrap();
        fs::write(out.path().join("b.db-wal"), b"the last commits").unwrap();
        let error = restore(&file, target.path(), true, &quiet).unwrap_err();
        assert!(matches!(&error, StoreError::Open { why, .. } if why.contains("b.db-wal")), "{error}");
        assert_eq!(shown(target.path()).await, stands);
        fs::remove_file(out.path().join("b.db-wal")).unwrap();
        // A damaged store is no backup.
        let path = dir.path().join(DATABASE);
        let mut bytes = fs::read(&path).unwrap();
        let page = bytes.len() / 2 / 8192 * 8192;
        bytes[page..page + 8192].fill(0x5a);
        fs::write(&path, bytes).unwrap();
        assert!(backup(dir.path(), &out.path().join("c.db"), false, &quiet).is_err());
        assert_eq!(names(out.path()), ["b.db"]);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_restore_that_was_killed_after_its_turning_point_is_finished_by_who_opens_the_store() {
        let (one, out) = (filled(1).await, tempfile::tempdir().unwrap());
        let file = out.path().join("b.db");
        backup(one.path(), &file, false, &quiet).unwrap();
        let first = shown(one.path()).await;
        // The old files as they lie when the process dies: both, the database alone, none.
        for n_moved in 0..3 {
            let other = filled(2).await;
            fs::copy(&file, other.path().join(RESTORING)).unwrap();
            fs::write(other.path().join("clientele.db-wal"), b"an old log").unwrap();
            let moves = [
                ("clientele.db-wal", "clientele.db.before-restore-1-wal"),
                ("clientele.db", "clientele.db.before-restore-1"),
            ];
            for (from, to) in &moves[..n_moved] {
                fs::rename(other.path().join(from), other.path().join(to)).unwrap();
            }
            assert_eq!(shown(other.path()).await, first, "{n_moved}");
            let there = names(other.path());
            for kept in ["clientele.db.before-restore-1", "clientele.db.before-restore-1-wal"] {
                assert!(there.iter().any(|name| name == kept), "{there:?}");
            }
            assert!(!there.iter().any(|name| name == RESTORING), "{there:?}");
        }
        // Before it, nothing has happened.
        let other = filled(2).await;
        let second = shown(other.path()).await;
        fs::write(other.path().join(INCOMING), &fs::read(&file).unwrap()[..9_000]).unwrap();
        assert_eq!(shown(other.path()).await, second);
        restore(&file, other.path(), true, &quiet).unwrap();
        assert_eq!(shown(other.path()).await, first);
    }
}
