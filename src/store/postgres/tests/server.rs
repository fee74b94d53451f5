//! Where the tests' stores are: a schema of its own for each test on the server that all share, or a server of its own for a test
//! that stops it.

use crate::store::contract::Place;
use crate::store::postgres::connections::Limits;
use crate::store::postgres::{PostgresStore, PostgresUrl};
use crate::store::{Result, Store};
use async_trait::async_trait;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio_postgres::NoTls;

/// The server that all tests share; nothing where there is none.
pub(super) fn address() -> Option<String> {
    let address = std::env::var("CLIENTELE_TEST_POSTGRES").ok().filter(|address| !address.is_empty());
    let is_ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
    assert!(address.is_some() || !is_ci, "CI tests PostgreSQL too: run the tests with tools/postgres run");
    address
}

/// The test's server, or the test is skipped by name.
macro_rules! server_or_skip {
    ($name:literal) => {
        match super::server::address() {
            Some(address) => address,
            None => {
                println!("skipped: store::postgres::{}", $name);
                return;
            }
        }
    };
}
pub(super) use server_or_skip;

pub(super) fn url(text: &str) -> PostgresUrl {
    PostgresUrl::parse(text).unwrap()
}

/// A session that does what no store would.
pub(super) async fn session(address: &str) -> tokio_postgres::Client {
    let (client, connection) = url(address).config.connect(NoTls).await.unwrap();
    tokio::spawn(async move {
        // It may be killed on purpose.
        let _ = connection.await;
    });
    client
}

/// A few connections and little patience.
pub(super) fn impatient() -> Limits {
    Limits {
        n_connections: 4,
        connect: Duration::from_secs(2),
        wait: Duration::from_secs(2),
        call: Duration::from_secs(4),
        publish: Duration::from_secs(20),
    }
}

/// A schema of its own, dropped at the end.
pub(super) struct Schema {
    server: Option<String>,
    name: String,
}

impl Schema {
    pub fn new() -> Self {
        Self { server: address(), name: format!("t_{}", uuid::Uuid::now_v7().simple()) }
    }

    pub fn address(&self) -> String {
        let server = self.server.as_deref().unwrap();
        let and = if server.contains('?') { '&' } else { '?' };
        format!("{server}{and}options=-csearch_path%3D{}", self.name)
    }

    pub async fn make(&self) {
        let session = session(self.server.as_deref().unwrap()).await;
        session.batch_execute(&format!("CREATE SCHEMA IF NOT EXISTS {}", self.name)).await.unwrap();
    }

    pub async fn open_with(&self, limits: Limits) -> Result<PostgresStore> {
        self.make().await;
        PostgresStore::with_limits(&url(&self.address()), limits).await
    }
}

#[async_trait]
impl Place for Schema {
    async fn open(&self) -> Arc<dyn Store> {
        Arc::new(self.open_with(Limits { n_connections: 8, ..Limits::default() }).await.unwrap())
    }

    fn is_there(&self) -> bool {
        self.server.is_some()
    }
}

impl Drop for Schema {
    fn drop(&mut self) {
        let Some(server) = self.server.take() else { return };
        let drop_it = format!("DROP SCHEMA IF EXISTS {} CASCADE", self.name);
        // A thread of its own: this one runs a runtime already, and a runtime cannot wait within another.
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async { session(&server).await.batch_execute(&drop_it).await })
        });
        let dropped = dropping.join();
        if !std::thread::panicking() {
            dropped.unwrap().unwrap();
        }
    }
}

/// A server of its own, that a test may stop and start.
pub(super) struct Server(TempDir);

impl Server {
    /// Its address is the same after it was stopped and started again.
    pub fn start() -> (Self, String) {
        let folder = tempfile::tempdir().unwrap();
        // The server is another user where the tests are root.
        std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let server = Self(folder);
        let address = server.start_again();
        (server, address)
    }

    pub fn start_again(&self) -> String {
        self.tool("start", &[])
    }

    /// As a crash leaves it: nothing is finished, nothing is written out.
    pub fn crash(&self) {
        self.tool("stop", &["immediate"]);
    }

    fn tool(&self, what: &str, more: &[&str]) -> String {
        let tool = concat!(env!("CARGO_MANIFEST_DIR"), "/tools/postgres");
        let output = Command::new(tool).arg(what).arg(self.0.path().join("server")).args(more).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.crash();
    }
}
