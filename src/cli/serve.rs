//! `clientele serve`: the service.

use super::{CliError, CliResult, Target};
use crate::api::server::{ServerSettings, serve};
use crate::app::App;
use clap::Args;
use std::net::{SocketAddr, ToSocketAddrs};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

/// Running jobs may reach their next checkpoint within this time after the stop.
const JOB_PATIENCE: Duration = Duration::from_secs(20);

/// Run the service: API, console and docs on one port.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  clientele serve --data-dir data
  clientele keys create --label admin --scopes admin,manage,read,write --data-dir data
  clientele serve --data-dir data --listen 0.0.0.0:7700

Without keys the service answers on loopback only, and asks for none there. Make a key before you let others in.
It stops on SIGINT and SIGTERM: requests under way end, jobs go on after the next start.")]
pub struct ServeArgs {
    /// Address and port; port 0 takes a free one
    #[arg(long, env = "CLIENTELE_LISTEN", default_value = "127.0.0.1:7700")]
    listen: String,
    #[command(flatten)]
    target: Target,
}

pub fn run(args: ServeArgs) -> CliResult {
    if args.target.url.is_some() {
        return Err(CliError::user("serve works on a folder: --data-dir, not --url"));
    }
    let address = parse_address(&args.listen)?;
    let settings = args.target.app_settings(address.ip().is_loopback(), true)?;
    let runtime = Runtime::new()?;
    runtime.block_on(async {
        let device = settings.models.device.resolve().map_err(|error| CliError::user(format!("--device: {error}")))?;
        let app = App::open(settings).await?;
        if !app.state.store.has_live_keys().await? {
            if !address.ip().is_loopback() {
                return Err(CliError::user(format!(
                    "there are no keys, so the service binds to loopback only, not to {address}; `clientele keys create` makes one"
                )));
            }
            tracing::warn!("there are no keys: everyone on this machine may do everything; `clientele keys create` makes one");
        }
        let listener = bind(address).await?;
        let address = listener.local_addr()?;
        tracing::info!(%address, device, "listening on http://{address}; models run on {device}");
        serve(listener, app.router(), ServerSettings::default(), stop_signal()).await;
        app.close(JOB_PATIENCE).await;
        Ok(())
    })
}

/// # Errors
/// The address is not one.
pub fn parse_address(text: &str) -> CliResult<SocketAddr> {
    let wrong =
        || CliError::user(format!("--listen {text:?} is not an address and a port; it looks like 127.0.0.1:7700"));
    text.to_socket_addrs().map_err(|_| wrong())?.next().ok_or_else(wrong)
}

/// # Errors
/// The port is taken, or not allowed.
pub async fn bind(address: SocketAddr) -> CliResult<TcpListener> {
    TcpListener::bind(address)
        .await
        .map_err(|error| CliError::user(format!("cannot listen on {address}: {error}; --listen names another")))
}

/// Done at the first SIGINT or SIGTERM.
pub async fn stop_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        tracing::error!("signals cannot be caught; the service runs until it is killed");
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    tracing::info!("stopping");
}
