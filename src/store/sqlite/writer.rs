//! The one thread that writes. It takes whatever waits, runs each request in a savepoint of one transaction, syncs once, and
//! only then answers them all: many callers share the price of one fsync, and nobody is told `Ok` before it.

use crate::store::{Result, StoreError};
use rusqlite::{Connection, TransactionBehavior};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

/// What may wait for the thread, in KiB of what the requests carry; beyond it callers wait for room.
const ROOM_KIB: u32 = 64 * 1024;
/// The most requests that share a commit.
const GROUP_REQUESTS: usize = 256;
/// A group that carries this much is committed before more joins it.
const GROUP_BYTES: usize = 8 * 1024 * 1024;
/// What a request takes of the room beside its data.
const REQUEST_BYTES: usize = 4096;

/// The way to the writing thread. Dropping it waits until everything asked for is done and the database is closed.
pub(super) struct Writer {
    requests: Option<mpsc::UnboundedSender<Message>>,
    room: Arc<Semaphore>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub fn start(connection: Connection) -> Result<Self> {
        let (requests, waiting) = mpsc::unbounded_channel();
        let thread = std::thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || work_through(connection, waiting))
            .map_err(|e| StoreError::Unavailable(format!("the writer cannot be started: {e}")))?;
        Ok(Self { requests: Some(requests), room: Arc::new(Semaphore::new(ROOM_KIB as usize)), thread: Some(thread) })
    }

    /// Runs `work` whole or not at all, and answers once it is on the disk. `size_bytes` is about what it carries.
    ///
    /// Work that was handed over is done even if its caller no longer waits.
    pub async fn write<T, F>(&self, size_bytes: usize, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        let size_bytes = size_bytes.saturating_add(REQUEST_BYTES);
        let kib = u32::try_from(size_bytes / 1024).unwrap_or(ROOM_KIB).min(ROOM_KIB);
        let room = Arc::clone(&self.room).acquire_many_owned(kib).await.map_err(|_| stopped())?;
        let (caller, answer) = oneshot::channel();
        let pending = Pending { work: Some(work), outcome: Err(stopped()), caller, size_bytes, _room: room };
        let requests = self.requests.as_ref().ok_or_else(stopped)?;
        requests.send(Message::Write(Box::new(pending))).map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
    }

    /// Moves everything that was written before into the database and empties the log, so that what was overwritten there is
    /// in no file any more. `Unavailable` while a reader still needs the log.
    pub async fn empty_log(&self) -> Result<()> {
        let (caller, answer) = oneshot::channel();
        let requests = self.requests.as_ref().ok_or_else(stopped)?;
        requests.send(Message::EmptyLog(caller)).map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // With the last sender gone the thread works off what waits and ends.
        self.requests = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn stopped() -> StoreError {
    StoreError::Unavailable("the writer has stopped".into())
}

/// What the thread is asked for.
enum Message {
    Write(Box<dyn Request>),
    /// Not in a transaction, so never in a group.
    EmptyLog(oneshot::Sender<Result<()>>),
}

/// A request without its types, so that requests of all kinds wait in one queue.
trait Request: Send {
    fn size_bytes(&self) -> usize;
    /// Does the work; whether it shall stay.
    fn run(&mut self, connection: &Connection) -> bool;
    /// Why it failed, where that is the disk's fault and so that of all who share the commit.
    fn failure(&self) -> Option<StoreError>;
    /// Takes a success back; a request that failed by itself keeps its own error.
    fn refuse(&mut self, why: &StoreError);
    fn answer(self: Box<Self>);
}

struct Pending<T, F> {
    work: Option<F>,
    outcome: Result<T>,
    caller: oneshot::Sender<Result<T>>,
    size_bytes: usize,
    _room: OwnedSemaphorePermit,
}

impl<T, F> Request for Pending<T, F>
where
    T: Send,
    F: FnOnce(&Connection) -> Result<T> + Send,
{
    fn size_bytes(&self) -> usize {
        self.size_bytes
    }

    fn run(&mut self, connection: &Connection) -> bool {
        let Some(work) = self.work.take() else { return false };
        // Whatever a panic left half done in the database is rolled back with the savepoint.
        self.outcome = catch_unwind(AssertUnwindSafe(|| work(connection)))
            .unwrap_or_else(|_| Err(StoreError::Unavailable("the write panicked".into())));
        self.outcome.is_ok()
    }

    fn failure(&self) -> Option<StoreError> {
        self.outcome.as_ref().err().filter(|error| error.may_pass()).map(shared)
    }

    fn refuse(&mut self, why: &StoreError) {
        if self.outcome.is_ok() || self.work.is_some() {
            self.outcome = Err(shared(why));
        }
    }

    fn answer(self: Box<Self>) {
        // A caller who left does not mind.
        let _ = self.caller.send(self.outcome);
    }
}

fn work_through(mut connection: Connection, mut waiting: mpsc::UnboundedReceiver<Message>) {
    let mut held = None;
    while let Some(next) = held.take().or_else(|| waiting.blocking_recv()) {
        let first = match next {
            Message::Write(first) => first,
            Message::EmptyLog(caller) => {
                let _ = caller.send(empty_log(&connection));
                continue;
            }
        };
        let mut size_bytes = first.size_bytes();
        let mut group = vec![first];
        while group.len() < GROUP_REQUESTS && size_bytes < GROUP_BYTES {
            match waiting.try_recv() {
                Ok(Message::Write(next)) => {
                    size_bytes += next.size_bytes();
                    group.push(next);
                }
                Ok(other) => {
                    held = Some(other);
                    break;
                }
                Err(_) => break,
            }
        }
        if let Err(why) = commit(&mut connection, &mut group) {
            group.iter_mut().for_each(|request| request.refuse(&why));
        }
        group.into_iter().for_each(Request::answer);
    }
}

fn empty_log(connection: &Connection) -> Result<()> {
    let is_busy: bool = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    if is_busy {
        return Err(StoreError::Unavailable("the log is still read from; try again".into()));
    }
    Ok(())
}

/// What became of one, as the others who shared its commit are told it: to them it is worth another try in any case.
fn shared(error: &StoreError) -> StoreError {
    match error {
        StoreError::Full(why) => StoreError::Full(why.clone()),
        StoreError::Unavailable(why) => StoreError::Unavailable(why.clone()),
        other => StoreError::Unavailable(other.to_string()),
    }
}

/// An error means that nothing of the group is there.
fn commit(connection: &mut Connection, group: &mut [Box<dyn Request>]) -> Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for request in group {
        transaction.execute_batch("SAVEPOINT request")?;
        let stays = request.run(&transaction);
        if transaction.is_autocommit() {
            // SQLite itself rolls everything back after some failures (a full disk), the neighbours' work too.
            let lost = || StoreError::Unavailable("the transaction was lost with a request that shared it".into());
            return Err(request.failure().unwrap_or_else(lost));
        }
        transaction.execute_batch(if stays { "RELEASE request" } else { "ROLLBACK TO request; RELEASE request" })?;
    }
    Ok(transaction.commit()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;
    use std::sync::mpsc::channel;
    use tempfile::TempDir;

    const SCHEMA: &str = "CREATE TABLE parent (id INTEGER PRIMARY KEY);
         CREATE TABLE row (id INTEGER PRIMARY KEY, parent INTEGER REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED);
         CREATE TABLE page (bytes BLOB);";

    fn started() -> (TempDir, Arc<Writer>) {
        let dir = tempfile::tempdir().unwrap();
        let connection = connect(dir.path());
        connection.pragma_update(None, "journal_mode", "WAL").unwrap();
        connection.pragma_update(None, "foreign_keys", true).unwrap();
        connection.execute_batch(SCHEMA).unwrap();
        (dir, Arc::new(Writer::start(connection).unwrap()))
    }

    fn connect(dir: &Path) -> Connection {
        Connection::open(dir.join("test.db")).unwrap()
    }

    fn rows(dir: &TempDir) -> Vec<i64> {
        let connection = connect(dir.path());
        let mut statement = connection.prepare("SELECT id FROM row ORDER BY id").unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    }

    fn insert(id: i64) -> impl FnOnce(&Connection) -> Result<()> + Send + 'static {
        move |db| {
            db.execute("INSERT INTO row (id) VALUES (?1)", [id])?;
            Ok(())
        }
    }

    type Work = Box<dyn FnOnce(&Connection) -> Result<()> + Send>;

    /// Hands all of these over while the thread is held up, so that they share a commit; their outcomes.
    async fn as_one_group(writer: &Arc<Writer>, work: Vec<Work>) -> Vec<Result<()>> {
        let (started, has_started) = channel();
        let (go_on, may_go_on) = channel();
        let holding = {
            let writer = Arc::clone(writer);
            tokio::spawn(async move {
                writer
                    .write(0, move |_| {
                        started.send(()).unwrap();
                        may_go_on.recv().unwrap();
                        Ok(())
                    })
                    .await
            })
        };
        tokio::task::block_in_place(|| has_started.recv().unwrap());
        // Polled in turn on this task: after one round every request has been handed over.
        let mut waiting = Box::pin(futures_util::future::join_all(work.into_iter().map(|work| writer.write(0, work))));
        assert!(futures_util::FutureExt::now_or_never(&mut waiting).is_none());
        go_on.send(()).unwrap();
        holding.await.unwrap().unwrap();
        waiting.await
    }

    fn unavailable<T>(outcome: &Result<T>) -> bool {
        matches!(outcome, Err(StoreError::Unavailable(_)))
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_request_that_fails_does_not_harm_its_neighbours() {
        let (dir, writer) = started();
        let half_done = |db: &Connection| {
            insert(10)(db)?;
            Err(StoreError::Conflict("on purpose".into()))
        };
        let panicking = |db: &Connection| {
            insert(11)(db)?;
            panic!("on purpose")
        };
        let work: Vec<Work> = vec![
            Box::new(insert(1)),
            Box::new(half_done),
            Box::new(insert(2)),
            Box::new(panicking),
            Box::new(insert(2)),
            Box::new(insert(3)),
        ];
        let outcomes = as_one_group(&writer, work).await;
        assert!(outcomes[0].is_ok() && outcomes[2].is_ok() && outcomes[5].is_ok(), "{outcomes:?}");
        assert!(matches!(&outcomes[1], Err(StoreError::Conflict(why)) if why == "on purpose"));
        assert!(unavailable(&outcomes[3]));
        assert!(matches!(outcomes[4], Err(StoreError::Conflict(_))), "a row that is there already");
        assert_eq!(rows(&dir), [1, 2, 3]);
        writer.write(0, insert(4)).await.unwrap();
        assert_eq!(rows(&dir), [1, 2, 3, 4]);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn when_the_commit_fails_nobody_is_told_ok() {
        let (dir, writer) = started();
        let orphan = |db: &Connection| {
            db.execute("INSERT INTO row (id, parent) VALUES (2, 99)", [])?;
            Ok(())
        };
        let own_error = |_: &Connection| Err(StoreError::Missing("job"));
        let work: Vec<Work> = vec![Box::new(insert(1)), Box::new(orphan), Box::new(own_error), Box::new(insert(3))];
        let outcomes = as_one_group(&writer, work).await;
        for index in [0, 1, 3] {
            assert!(unavailable(&outcomes[index]), "{index}: {outcomes:?}");
        }
        assert!(matches!(outcomes[2], Err(StoreError::Missing("job"))));
        assert_eq!(rows(&dir), [0; 0]);
        writer.write(0, insert(1)).await.unwrap();
        assert_eq!(rows(&dir), [1]);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_lost_transaction_is_lost_for_all_who_shared_it() {
        let (dir, writer) = started();
        let losing = |db: &Connection| {
            db.execute_batch("ROLLBACK")?;
            Ok(())
        };
        let outcomes = as_one_group(&writer, vec![Box::new(insert(1)), Box::new(losing), Box::new(insert(2))]).await;
        assert!(outcomes.iter().all(unavailable), "{outcomes:?}");
        writer.write(0, insert(3)).await.unwrap();
        assert_eq!(rows(&dir), [3]);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_full_disk_is_told_as_such_to_all_who_shared_the_commit_and_passes() {
        let (dir, writer) = started();
        let limit_pages = |n_pages: i64| {
            move |db: &Connection| {
                db.pragma_update(None, "max_page_count", n_pages)?;
                Ok(())
            }
        };
        let large = |db: &Connection| {
            insert(1)(db)?;
            db.execute("INSERT INTO page (bytes) VALUES (zeroblob(1000000))", [])?;
            Ok(())
        };
        writer.write(0, limit_pages(20)).await.unwrap();
        let work: Vec<Work> = vec![Box::new(insert(2)), Box::new(large), Box::new(insert(3))];
        let outcomes = as_one_group(&writer, work).await;
        assert!(outcomes.iter().all(|outcome| matches!(outcome, Err(StoreError::Full(_)))), "{outcomes:?}");
        assert_eq!(rows(&dir), [0; 0]);
        writer.write(0, limit_pages(1_000_000)).await.unwrap();
        writer.write(0, large).await.unwrap();
        assert_eq!(rows(&dir), [1]);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_was_handed_over_is_done_before_the_writer_is_gone() {
        let (dir, writer) = started();
        for id in 0..50 {
            // Polled once and let go: the caller leaves, the work stays.
            let mut leaving = Box::pin(writer.write(0, insert(id)));
            let _ = futures_util::FutureExt::now_or_never(&mut leaving);
        }
        tokio::task::block_in_place(|| drop(writer));
        assert_eq!(rows(&dir), (0..50).collect::<Vec<_>>());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn more_than_there_is_room_for_waits_and_is_done() {
        let (dir, writer) = started();
        let writing = (0..20).map(|id| writer.write(usize::MAX, insert(id)));
        let outcomes = futures_util::future::join_all(writing).await;
        assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
        assert_eq!(rows(&dir).len(), 20);
    }
}
