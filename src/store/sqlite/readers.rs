//! A few connections that can only read, lent to blocking threads: a read never waits for the writer nor holds up the runtime.

use super::opening;
use crate::store::{Result, StoreError};
use rusqlite::Connection;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Semaphore;

pub(super) struct Readers {
    idle: Mutex<Vec<Connection>>,
    /// One permit a connection.
    permits: Arc<Semaphore>,
}

impl Readers {
    pub fn open(path: &Path) -> Result<Self> {
        let n_readers = std::thread::available_parallelism().map_or(4, usize::from).clamp(2, 8);
        let idle = (0..n_readers).map(|_| opening::connect_reader(path)).collect::<Result<Vec<_>>>()?;
        Ok(Self { idle: Mutex::new(idle), permits: Arc::new(Semaphore::new(n_readers)) })
    }

    /// Runs `work` on one snapshot of the store.
    pub async fn read<T, F>(self: &Arc<Self>, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        let closed = |_| StoreError::Unavailable("the readers have stopped".into());
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(closed)?;
        let readers = Arc::clone(self);
        let reading = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            let lent = Lent::take(&readers);
            let snapshot = lent.connection()?.unchecked_transaction()?;
            work(&snapshot)
        });
        reading.await.map_err(|_| StoreError::Unavailable("the read panicked".into()))?
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection that goes back to the others whatever becomes of the read.
struct Lent<'a> {
    connection: Option<Connection>,
    readers: &'a Readers,
}

impl<'a> Lent<'a> {
    fn take(readers: &'a Readers) -> Self {
        let connection = readers.idle().pop();
        Self { connection, readers }
    }

    fn connection(&self) -> Result<&Connection> {
        self.connection.as_ref().ok_or_else(|| StoreError::Unavailable("no reader is free".into()))
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        self.readers.idle().extend(self.connection.take());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn n_workspaces(db: &Connection) -> Result<i64> {
        Ok(db.query_row("SELECT count(*) FROM workspace", [], |row| row.get(0))?)
    }

    #[tokio::test]
    async fn a_read_stays_on_one_snapshot_and_the_next_sees_what_came() {
        let dir = tempfile::tempdir().unwrap();
        let opened = opening::open(dir.path()).unwrap();
        let readers = Arc::new(Readers::open(&opened.path).unwrap());
        let seen = readers.read(move |db| {
            let before = n_workspaces(db)?;
            opened.writer.execute("INSERT INTO workspace (slug, created_at) VALUES ('a', 0)", [])?;
            Ok((before, n_workspaces(db)?))
        });
        assert_eq!(seen.await.unwrap(), (0, 0));
        assert_eq!(readers.read(n_workspaces).await.unwrap(), 1);
    }

    #[tokio::test]
    async fn a_read_that_panics_leaves_its_connection_to_the_others() {
        let dir = tempfile::tempdir().unwrap();
        let opened = opening::open(dir.path()).unwrap();
        let readers = Arc::new(Readers::open(&opened.path).unwrap());
        let n_readers = readers.idle().len();
        for _ in 0..2 * n_readers {
            let outcome: Result<()> = readers.read(|_| panic!("on purpose")).await;
            assert!(matches!(outcome, Err(StoreError::Unavailable(_))), "{outcome:?}");
        }
        assert_eq!(readers.idle().len(), n_readers);
        assert_eq!(readers.read(n_workspaces).await.unwrap(), 0);
    }
}
