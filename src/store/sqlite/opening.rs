//! How a store's file comes to be open: locked against a second process, looked at before it is touched, and made whole or
//! not at all. A file that is not a sound store of ours is reported and stays byte for byte as it is.

use super::{backup, leases, schema};
use crate::store::StoreError;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

pub(super) const DATABASE: &str = "clientele.db";
/// A store is made under this name and takes its own when it is whole: an interrupted start leaves no half store.
const UNFINISHED: &str = "clientele.db.new";
const LOCK: &str = "clientele.lock";

const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Vectors of 384 components fit five to a page.
const PAGE_SIZE_BYTES: i64 = 8192;
const CACHE_SIZE_KIB: i64 = 64 * 1024;
/// How long the log grows before its pages move to the database, in pages (16 MiB): rarer is faster and takes longer to recover.
const CHECKPOINT_PAGES: i64 = 2048;
const LOG_SIZE_LIMIT_BYTES: i64 = 64 * 1024 * 1024;
const STATEMENTS: usize = 64;

/// A store's file, open for its one writer.
pub(super) struct Opened {
    pub path: PathBuf,
    pub writer: Connection,
    /// Held as long as the store is open; the system lets go of it when the process dies, however it dies.
    pub lock: File,
    /// Whether no job is in an earlier process's hands any more.
    pub are_leases_ended: bool,
}

pub(super) fn open(data_dir: &Path) -> Result<Opened, StoreError> {
    let lock = take(data_dir)?;
    let path = data_dir.join(DATABASE);
    backup::finish(data_dir).map_err(|e| refusal(&path, format!("a restore cannot be finished: {e}")))?;
    let is_there = path.try_exists().map_err(|e| refusal(&path, e.to_string()))?;
    if is_there {
        inspect(&path)?;
    } else {
        create(data_dir).map_err(|why| refusal(&path, why))?;
    }
    let mut writer = connect(&path, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(|e| refusal(&path, e.to_string()))?;
    schema::migrate(&mut writer)
        .map_err(|e| refusal(&path, format!("its schema cannot be brought up to date: {e}")))?;
    // A process that was killed after an erasure did not come to empty its log, and may have left jobs in its hands. Without room
    // neither can be mended now; reads go on then, and jobs are claimed when there is room again.
    let emptied = writer.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    if let Err(error) = emptied.map_err(StoreError::from) {
        tracing::warn!(%error, "the store's log could not be emptied at the start");
    }
    let are_leases_ended = match leases::end_all(&writer) {
        Ok(()) => true,
        Err(StoreError::Full(why)) => {
            tracing::warn!(why, "the jobs of the last process cannot be taken over yet");
            false
        }
        Err(error) => return Err(refusal(&path, format!("its jobs cannot be taken over: {error}"))),
    };
    Ok(Opened { path, writer, lock, are_leases_ended })
}

/// Whether a folder has a store.
pub(super) fn is_there(data_dir: &Path) -> bool {
    data_dir.join(DATABASE).exists()
}

/// Takes a folder for this process, and makes it if it is not there.
pub(super) fn take(data_dir: &Path) -> Result<File, StoreError> {
    make_dir(data_dir).map_err(|e| refusal(data_dir, format!("the folder cannot be made: {e}")))?;
    lock(data_dir)
}

/// A store that nobody else may open meanwhile, to be read and left as it is.
pub(super) fn look(data_dir: &Path) -> Result<(Connection, File), StoreError> {
    let lock = lock(data_dir)?;
    Ok((look_beside(data_dir)?, lock))
}

/// A store to be read and left as it is, whoever has it.
pub(super) fn look_beside(data_dir: &Path) -> Result<Connection, StoreError> {
    let path = data_dir.join(DATABASE);
    if !is_there(data_dir) {
        return Err(refusal(&path, "there is no store in this folder"));
    }
    inspect(&path)?;
    let connection = connect_reader(&path)?;
    let found = schema::version(&connection)?;
    if found < schema::VERSION {
        let why =
            format!("it has schema {found}, older than this program's {}: open it once to update it", schema::VERSION);
        return Err(refusal(&path, why));
    }
    Ok(connection)
}

/// One more connection that can only read.
pub(super) fn connect_reader(path: &Path) -> Result<Connection, StoreError> {
    let connection =
        connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(|e| refusal(path, format!("no reader: {e}")))?;
    Ok(connection)
}

fn refusal(place: &Path, why: impl Into<String>) -> StoreError {
    StoreError::Open { place: place.display().to_string(), why: why.into() }
}

fn make_dir(data_dir: &Path) -> io::Result<()> {
    if data_dir.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(data_dir)?;
    data_dir.parent().map_or(Ok(()), sync_dir)
}

fn lock(data_dir: &Path) -> Result<File, StoreError> {
    let path = data_dir.join(LOCK);
    let failed = |e: io::Error| refusal(data_dir, format!("its lock file cannot be written: {e}"));
    let mut file =
        OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(StoreError::InUse { place: data_dir.display().to_string(), holder: holder(&mut file) });
        }
        Err(TryLockError::Error(e)) => return Err(failed(e)),
    }
    // Who holds it is for people to read; the lock itself is the system's.
    file.set_len(0).and_then(|()| write!(file, "{}", std::process::id())).map_err(failed)?;
    Ok(file)
}

fn holder(lock: &mut File) -> Option<String> {
    let mut text = String::new();
    lock.take(32).read_to_string(&mut text).ok()?;
    text.trim().parse::<u32>().ok().map(|pid| format!("process {pid}"))
}

/// Makes an empty store beside its place, and moves it there when it is whole and on the disk.
fn create(data_dir: &Path) -> Result<(), String> {
    for leftover in ["clientele.db-wal", "clientele.db-journal"] {
        let size = fs::metadata(data_dir.join(leftover)).map_or(0, |metadata| metadata.len());
        if size > 0 {
            return Err(format!(
                "it is missing, but its {leftover} is there; put the database back, or move that away to start empty"
            ));
        }
    }
    let unfinished = data_dir.join(UNFINISHED);
    for suffix in ["", "-wal", "-shm", "-journal"] {
        remove_if_there(&data_dir.join(format!("{UNFINISHED}{suffix}"))).map_err(|e| e.to_string())?;
    }
    write_empty(&unfinished).map_err(|e| format!("it cannot be made: {e}"))?;
    fs::rename(&unfinished, data_dir.join(DATABASE))
        .and_then(|()| sync_dir(data_dir))
        .map_err(|e| format!("it cannot be made: {e}"))
}

fn write_empty(path: &Path) -> rusqlite::Result<()> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags)?;
    connection.pragma_update(None, "page_size", PAGE_SIZE_BYTES)?;
    connection.pragma_update(None, "fullfsync", true)?;
    connection.pragma_update(None, "synchronous", "EXTRA")?;
    connection.pragma_update(None, "application_id", schema::APPLICATION_ID)?;
    schema::migrate(&mut connection)?;
    // The mode is written into the file, and closing moves everything out of the log again.
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.close().map_err(|(_, e)| e)
}

pub(super) fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

/// Makes the names in a folder durable; the files' contents are synced on their own.
pub(super) fn sync_dir(dir: &Path) -> io::Result<()> {
    if cfg!(unix) {
        File::open(if dir.as_os_str().is_empty() { Path::new(".") } else { dir })?.sync_all()
    } else {
        Ok(())
    }
}

fn connect(path: &Path, access: OpenFlags) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    for (name, value) in
        [("cache_size", -CACHE_SIZE_KIB), ("cell_size_check", 1), ("foreign_keys", 1), ("trusted_schema", 0)]
    {
        connection.pragma_update(None, name, value)?;
    }
    if access.contains(OpenFlags::SQLITE_OPEN_READ_WRITE) {
        let mode: String = connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
        if mode != "wal" {
            return Err(rusqlite::Error::InvalidParameterName(format!("journal_mode stays {mode}")));
        }
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "fullfsync", true)?;
        connection.pragma_update(None, "checkpoint_fullfsync", true)?;
        connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
        connection.pragma_update(None, "journal_size_limit", LOG_SIZE_LIMIT_BYTES)?;
        connection.pragma_update(None, "temp_store", "MEMORY")?;
        // What is deleted is overwritten: an erased customer must not be left in a free page.
        connection.pragma_update_and_check(None, "secure_delete", true, |_| Ok(()))?;
    }
    Ok(connection)
}

/// Looks at a file without changing it: its header by hand first, because SQLite would already write beside a file that it
/// opens. Cheap whatever the size; a damage deep inside shows when it is read.
fn inspect(path: &Path) -> Result<(), StoreError> {
    let refuse = |why: String| refusal(path, why);
    let metadata = fs::metadata(path).map_err(|e| refuse(e.to_string()))?;
    if !metadata.is_file() {
        return Err(refuse("it is not a file".into()));
    }
    if metadata.permissions().readonly() {
        return Err(refuse("it is read-only; give the service's user the right to write it".into()));
    }
    let log_size = fs::metadata(path.with_file_name(format!("{DATABASE}-wal"))).map_or(0, |metadata| metadata.len());
    let header = Header::read(path).map_err(refuse)?;
    header.check(metadata.len(), log_size).map_err(refuse)?;
    let found = match header.user_version {
        newer if newer > schema::VERSION => newer,
        _ => probe(path).map_err(|e| refuse(format!("it is damaged: {e}; restore it from a backup")))?,
    };
    if found > schema::VERSION {
        return Err(StoreError::TooNew { place: path.display().to_string(), found, known: schema::VERSION });
    }
    Ok(())
}

/// Looks at the header of a file that no store is: a backup.
pub(super) fn inspect_alone(path: &Path) -> Result<(), StoreError> {
    let refuse = |why: String| refusal(path, why);
    let size = fs::metadata(path).map_err(|e| refuse(e.to_string()))?.len();
    let header = Header::read(path).map_err(refuse)?;
    header.check(size, 0).map_err(refuse)?;
    match header.user_version {
        found if found > schema::VERSION => {
            Err(StoreError::TooNew { place: path.display().to_string(), found, known: schema::VERSION })
        }
        _ => Ok(()),
    }
}

/// What the first hundred bytes of an SQLite file say ("The Database Header" in SQLite's file format).
struct Header {
    page_size: u64,
    /// Of the whole database, where the header is sure of it.
    n_pages: Option<u64>,
    user_version: i64,
    application_id: i32,
}

impl Header {
    fn read(path: &Path) -> Result<Self, String> {
        let mut bytes = Vec::with_capacity(100);
        File::open(path).and_then(|file| file.take(100).read_to_end(&mut bytes)).map_err(|e| e.to_string())?;
        if bytes.is_empty() {
            return Err("it is empty; restore it from a backup, or move it away to start an empty store".into());
        }
        let magic = b"SQLite format 3\0";
        if !bytes.starts_with(magic) && !magic.starts_with(&bytes) {
            return Err("it is not a database of this program".into());
        }
        if bytes.len() < 100 {
            return Err("it is cut off; restore it from a backup".into());
        }
        let number = |at: usize| u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let page_size = u64::from(u16::from_be_bytes([bytes[16], bytes[17]]));
        Ok(Self {
            page_size: if page_size == 1 { 65_536 } else { page_size },
            n_pages: (number(24) == number(92)).then(|| number(28).into()),
            user_version: number(60).cast_signed().into(),
            application_id: number(68).cast_signed(),
        })
    }

    fn check(&self, file_size: u64, log_size: u64) -> Result<(), String> {
        if self.application_id != schema::APPLICATION_ID {
            return Err("it is a database of another program".into());
        }
        // With a log, the file may rightly be shorter until the log has moved into it.
        let whole = self.n_pages.map_or(0, |n_pages| n_pages * self.page_size);
        if log_size == 0 && file_size < whole {
            return Err(format!("it is cut off: {file_size} of {whole} bytes are there; restore it from a backup"));
        }
        Ok(())
    }
}

/// Reads the schema and down one side of every table without writing, and gives the schema's version.
fn probe(path: &Path) -> rusqlite::Result<i64> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    let version = schema::version(&connection)?;
    let mut tables = connection.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'")?;
    let tables: Vec<String> = tables.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    for table in tables {
        connection.prepare(&format!("SELECT * FROM \"{table}\" LIMIT 1"))?.exists([])?;
    }
    Ok(version)
}
