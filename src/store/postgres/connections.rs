//! The pool of connections, and the limits that keep every call's time bounded: for a connection, for a statement, for a lock, for
//! the whole call. A connection goes back to the pool only from work that came to its end; one whose work was given up (the caller
//! left, the time was over) is closed, because nobody knows what it still waits for.

use super::tls;
use super::url::PostgresUrl;
use crate::store::{Result, StoreError};
use deadpool_postgres::{Hook, HookError, Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime, Transaction};
use std::time::Duration;
use tokio_postgres::{Config, IsolationLevel, NoTls};

/// How long a call waits for what.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub n_connections: usize,
    /// For a server to take a new connection.
    pub connect: Duration,
    /// For a connection to be free.
    pub wait: Duration,
    /// For a call as a whole.
    pub call: Duration,
    /// For a version with millions of members to be published.
    pub publish: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            n_connections: 16,
            connect: Duration::from_secs(5),
            wait: Duration::from_secs(10),
            call: Duration::from_secs(60),
            publish: Duration::from_secs(900),
        }
    }
}

pub(super) struct Connections {
    pool: Pool,
    pub limits: Limits,
}

impl Connections {
    pub fn new(url: &PostgresUrl, limits: Limits) -> Result<Self> {
        let config = configured(url, limits);
        let manager = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = match tls::connector(&url.tls, url.place())? {
            Some(connector) => Manager::from_config(config, connector, manager),
            None => Manager::from_config(config, NoTls, manager),
        };
        let session = session(limits);
        let pool = Pool::builder(manager)
            .max_size(limits.n_connections)
            .runtime(Runtime::Tokio1)
            .create_timeout(Some(limits.connect * 2))
            .wait_timeout(Some(limits.wait))
            .post_create(Hook::async_fn(move |client, _| {
                let session = session.clone();
                Box::pin(async move { client.batch_execute(&session).await.map_err(HookError::Backend) })
            }))
            .build()
            .map_err(|error| StoreError::Unavailable(error.to_string()))?;
        Ok(Self { pool, limits })
    }

    pub async fn take(&self) -> Result<Connection> {
        Ok(Connection { object: Some(self.pool.get().await?), is_at_rest: true })
    }

    /// The work, or `Unavailable` when it takes longer than `limit`.
    pub async fn within<T>(&self, limit: Duration, work: impl Future<Output = Result<T>> + Send) -> Result<T> {
        tokio::time::timeout(limit, work)
            .await
            .unwrap_or_else(|_| Err(StoreError::Unavailable("the database did not answer in time".into())))
    }
}

fn configured(url: &PostgresUrl, limits: Limits) -> Config {
    let mut config = url.config.clone();
    config.application_name("clientele").tcp_user_timeout(limits.call);
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(limits.connect);
    }
    config
}

/// What each session begins with. A commit is not acknowledged before it is on the disk, whatever the database's default; a stronger
/// setting (a standby's disk) stays. What a vanished process of ours held is let go of.
fn session(limits: Limits) -> String {
    let call = limits.call.as_millis();
    format!(
        "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off';
         SET statement_timeout = {call}; SET lock_timeout = {}; SET idle_in_transaction_session_timeout = {call}",
        call / 2
    )
}

/// A connection on loan.
pub(super) struct Connection {
    object: Option<Object>,
    is_at_rest: bool,
}

impl Connection {
    /// For a read of one statement.
    pub fn client(&mut self) -> Result<&Object> {
        self.is_at_rest = false;
        self.object.as_ref().ok_or_else(gone)
    }

    /// For the opening alone.
    pub fn object(&mut self) -> Result<&mut Object> {
        self.is_at_rest = false;
        self.object.as_mut().ok_or_else(gone)
    }

    /// For a read of several statements that shall see one moment.
    pub async fn snapshot(&mut self) -> Result<Transaction<'_>> {
        self.is_at_rest = false;
        let object = self.object.as_mut().ok_or_else(gone)?;
        let transaction = object.build_transaction().isolation_level(IsolationLevel::RepeatableRead).read_only(true);
        Ok(transaction.start().await?)
    }

    /// For a write. Each of its statements sees what was committed before that statement.
    pub async fn begin(&mut self) -> Result<Transaction<'_>> {
        self.is_at_rest = false;
        let object = self.object.as_mut().ok_or_else(gone)?;
        Ok(object.build_transaction().isolation_level(IsolationLevel::ReadCommitted).read_only(false).start().await?)
    }

    /// The work came to its end, well or not: the connection may serve another. After an outage it may not: that it is gone would
    /// be seen by the next one only.
    pub fn give_back<T>(mut self, outcome: &Result<T>) {
        self.is_at_rest = !matches!(outcome, Err(error) if error.may_pass());
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if !self.is_at_rest
            && let Some(object) = self.object.take()
        {
            // Out of the pool, and closed.
            drop(Object::take(object));
        }
    }
}

fn gone() -> StoreError {
    StoreError::Unavailable("the connection is gone".into())
}
