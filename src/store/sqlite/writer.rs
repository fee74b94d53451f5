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
    requests: Option<mpsc::UnboundedSender<Box<dyn Request>>>,
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
        requests.send(Box::new(pending)).map_err(|_| stopped())?;
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

/// A request without its types, so that requests of all kinds wait in one queue.
trait Request: Send {
    fn size_bytes(&self) -> usize;
    /// Does the work; whether it shall stay.
    fn run(&mut self, connection: &Connection) -> bool;
    /// Takes a success back; a request that failed by itself keeps its own error.
    fn refuse(&mut self, why: &str);
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

    fn refuse(&mut self, why: &str) {
        if self.outcome.is_ok() || self.work.is_some() {
            self.outcome = Err(StoreError::Unavailable(why.into()));
        }
    }

    fn answer(self: Box<Self>) {
        // A caller who left does not mind.
        let _ = self.caller.send(self.outcome);
    }
}

fn work_through(mut connection: Connection, mut waiting: mpsc::UnboundedReceiver<Box<dyn Request>>) {
    while let Some(first) = waiting.blocking_recv() {
        let mut size_bytes = first.size_bytes();
        let mut group = vec![first];
        while group.len() < GROUP_REQUESTS
            && size_bytes < GROUP_BYTES
            && let Ok(next) = waiting.try_recv()
        {
            size_bytes += next.size_bytes();
            group.push(next);
        }
        if let Err(e) = commit(&mut connection, &mut group) {
            let why = e.to_string();
            group.iter_mut().for_each(|request| request.refuse(&why));
        }
        group.into_iter().for_each(Request::answer);
    }
}

/// An error means that nothing of the group is there.
fn commit(connection: &mut Connection, group: &mut [Box<dyn Request>]) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for request in group {
        transaction.execute_batch("SAVEPOINT request")?;
        let stays = request.run(&transaction);
        if transaction.is_autocommit() {
            // SQLite itself rolls everything back after some failures, the neighbours' work too.
            return Err(rusqlite::Error::SqliteFailure(
                rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_ABORT_ROLLBACK),
                Some("the transaction was lost with a request that shared it".into()),
            ));
        }
        transaction.execute_batch(if stays { "RELEASE request" } else { "ROLLBACK TO request; RELEASE request" })?;
    }
    transaction.commit()
}
