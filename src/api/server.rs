//! The accept loop: header timeouts, a bound on connections, and a graceful stop.
//!
//! It is our own because `axum::serve` sets no timer, so that hyper's header timeout would never fire.

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

/// How patient the server is.
#[derive(Debug, Clone, Copy)]
pub struct ServerSettings {
    /// All headers of a request have to be here by then, counted from the end of the one before: so it is also how long an
    /// idle connection is kept. Longer than the minute after which load balancers let go, so that theirs ends first.
    pub header_timeout: Duration,
    /// Requests under way may end within this time after the stop.
    pub grace: Duration,
    /// Connections at a time; more wait to be accepted.
    pub max_connections: usize,
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self { header_timeout: Duration::from_secs(75), grace: Duration::from_secs(20), max_connections: 4_096 }
    }
}

/// Serves until `stop` is done, then lets requests under way end.
pub async fn serve(listener: TcpListener, router: Router, settings: ServerSettings, stop: impl Future<Output = ()>) {
    let graceful = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(settings.max_connections));
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(settings.header_timeout);
    builder.http2().timer(TokioTimer::new()).keep_alive_interval(Duration::from_secs(20));
    let mut stop = std::pin::pin!(stop);
    loop {
        let accept = async {
            // The semaphore is never closed.
            let place = Arc::clone(&places).acquire_owned().await.ok();
            (listener.accept().await, place)
        };
        let (accepted, place) = tokio::select! {
            accepted = accept => accepted,
            () = &mut stop => break,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of file descriptors, say: wait for some to come back instead of spinning.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        // Small answers go out at once.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection keeps Nagle's algorithm");
        }
        let service = TowerToHyperService::new(router.clone());
        let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service).into_owned();
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(error, "a connection ended badly");
            }
            drop(place);
        });
    }
    drop(listener);
    tokio::select! {
        () = graceful.shutdown() => tracing::info!("all requests have ended"),
        () = tokio::time::sleep(settings.grace) => tracing::warn!("requests that would not end were cut off"),
    }
}
