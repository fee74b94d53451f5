//! The API as the commands call it: over HTTP, or as the same router in this process.

use super::memory::MemoryLimit;
use super::{CliError, CliResult, ModelArgs, Target};
use crate::api::{Limits, LocalOperator, Problem};
use crate::app::{App, AppSettings};
use crate::device::DeviceChoice;
use crate::domain::WorkspaceId;
use crate::embed::{ModelSettings, PrecisionChoice, models_dir};
use crate::ingest::Vocabulary;
use crate::store::StorePlace;
use anyhow::Context;
use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use axum::response::Response;
use futures_util::StreamExt;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Runtime;
use tower::ServiceExt;

/// The folder of the store when none is named.
pub const DEFAULT_DATA_DIR: &str = "clientele-data";

/// What a call sends.
pub enum Payload<'a> {
    Nothing,
    Json(Value),
    File(&'a Path),
}

/// One call of the API.
pub struct Call<'a> {
    pub method: Method,
    /// From the root, encoded: `/v1/...`.
    pub path: String,
    pub idempotency_key: Option<String>,
    pub payload: Payload<'a>,
}

impl<'a> Call<'a> {
    pub fn get(path: impl Into<String>) -> Self {
        Self { method: Method::GET, path: path.into(), idempotency_key: None, payload: Payload::Nothing }
    }

    pub fn post(path: impl Into<String>, payload: Payload<'a>) -> Self {
        Self { method: Method::POST, payload, ..Self::get(path) }
    }
}

/// A service to talk to.
pub enum Client {
    Local(Box<Local>),
    Remote(Remote),
}

pub struct Local {
    app: Option<App>,
    runtime: Runtime,
    workspace: WorkspaceId,
}

pub struct Remote {
    agent: ureq::Agent,
    url: String,
    key: Option<String>,
}

/// What a command is about to do with a store of its own process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opening {
    /// Read what is there.
    Read,
    /// Run a job on what is there, after the jobs that an earlier run left.
    Work,
    /// The same, and make the store if it is not there.
    Import,
    /// Make the store if it is not there; leave jobs alone.
    Create,
}

impl ModelArgs {
    /// # Errors
    /// The device, the precision or a limit is not one.
    pub fn settings(&self) -> CliResult<ModelSettings> {
        let device = DeviceChoice::parse(&self.device).map_err(|error| CliError::user(format!("--device: {error}")))?;
        let precision = PrecisionChoice::parse(&self.precision);
        let precision = precision.map_err(|error| CliError::user(format!("--precision: {error}")))?;
        let models_dir = models_dir(self.models_dir.as_deref());
        let memory = MemoryLimit::parse(&self.models_memory);
        let memory = memory.map_err(|why| CliError::user(format!("--models-memory: {why}")))?;
        let cache = MemoryLimit::parse(&self.embed_cache);
        let cache = cache.map_err(|why| CliError::user(format!("--embed-cache: {why}")))?;
        Ok(ModelSettings {
            models_dir,
            device,
            precision,
            offline: self.offline,
            memory_bytes: memory.bytes(),
            cache_bytes: cache.bytes().map_or(usize::MAX, |bytes| usize::try_from(bytes).unwrap_or(usize::MAX)),
            ..ModelSettings::default()
        })
    }
}

impl Target {
    pub fn data_dir(&self) -> PathBuf {
        self.data_dir.clone().unwrap_or_else(|| DEFAULT_DATA_DIR.into())
    }

    /// # Errors
    /// The workspace's name is not one, the store's address is not one, the device is not one.
    pub fn app_settings(&self, loopback: bool, resume_jobs: bool) -> CliResult<AppSettings> {
        let workspace = WorkspaceId::parse(&self.workspace).map_err(|error| CliError::user(error.to_string()))?;
        let models = self.models.settings()?;
        let data_dir = self.data_dir();
        let store = StorePlace::parse(self.store.as_deref(), &data_dir);
        Ok(AppSettings {
            store: store.map_err(|error| CliError::user(format!("--store: {error}")))?,
            data_dir,
            models,
            loopback,
            workspace,
            resume_jobs,
            jobs: self.leases.settings()?,
            limits: Limits::default(),
            vocabulary: Arc::new(self.vocabulary()?),
        })
    }

    /// What events mean: the standard names, and the operator's own before them.
    fn vocabulary(&self) -> CliResult<Vocabulary> {
        match &self.vocabulary {
            None => Ok(Vocabulary::standard()),
            Some(path) => Vocabulary::with_file(path).map_err(|error| CliError::user(format!("--vocabulary: {error}"))),
        }
    }

    /// Connects to the service, or opens the store in this process.
    ///
    /// # Errors
    /// The store is not there, cannot be opened, or is in use.
    pub fn connect(&self, opening: Opening) -> CliResult<Client> {
        if let Some(url) = &self.url {
            return Ok(Client::Remote(Remote::new(url, self.key.clone())?));
        }
        let settings = self.app_settings(true, matches!(opening, Opening::Work | Opening::Import))?;
        if let StorePlace::Folder(folder) = &settings.store
            && matches!(opening, Opening::Read | Opening::Work)
            && !folder.exists()
        {
            let place = folder.display();
            return Err(CliError::user(format!(
                "there is no store in {place}; name one with --data-dir, or a service with --url"
            )));
        }
        let workspace = settings.workspace.clone();
        let runtime = Runtime::new()?;
        let app = runtime.block_on(App::open(settings))?;
        Ok(Client::Local(Box::new(Local { app: Some(app), runtime, workspace })))
    }
}

impl Drop for Local {
    /// Lets a job that is at work reach its next checkpoint.
    fn drop(&mut self) {
        if let Some(app) = self.app.take() {
            self.runtime.block_on(app.close(Duration::from_secs(10)));
        }
    }
}

impl Client {
    /// Calls and reads the JSON answer.
    ///
    /// # Errors
    /// The service cannot be reached, or answers with a problem.
    pub fn json<T: DeserializeOwned>(&self, call: Call<'_>) -> CliResult<T> {
        let mut bytes = Vec::new();
        self.download(call, &mut bytes)?;
        Ok(serde_json::from_slice(&bytes).context("the service's answer is not what this program knows")?)
    }

    /// Calls and copies the answer's body.
    ///
    /// # Errors
    /// As [`Client::json`], or `out` takes no more.
    pub fn download(&self, call: Call<'_>, out: &mut dyn Write) -> CliResult {
        match self {
            Self::Local(local) => local.download(call, out),
            Self::Remote(remote) => remote.download(call, out),
        }
    }
}

impl Local {
    fn download(&self, call: Call<'_>, out: &mut dyn Write) -> CliResult {
        let Some(app) = &self.app else { return Err(CliError::user("the store is closed")) };
        self.runtime.block_on(async {
            let request = self.request(call).await?;
            let response: Response = match app.router().oneshot(request).await {
                Ok(response) => response,
                Err(never) => match never {},
            };
            let status = response.status();
            let mut stream = response.into_body().into_data_stream();
            let mut problem = Vec::new();
            while let Some(chunk) = stream.next().await {
                let chunk = chunk.map_err(|error| anyhow::anyhow!("the answer broke off: {error}"))?;
                if status.is_success() { out.write_all(&chunk)? } else { problem.extend_from_slice(&chunk) }
            }
            if status.is_success() { Ok(()) } else { Err(refused(status, &problem)) }
        })
    }

    async fn request(&self, call: Call<'_>) -> CliResult<Request<Body>> {
        let mut request = Request::builder().method(call.method).uri(&call.path);
        if let Some(key) = call.idempotency_key {
            request = request.header("idempotency-key", key);
        }
        let body = match call.payload {
            Payload::Nothing => Body::empty(),
            Payload::Json(value) => {
                request = request.header(header::CONTENT_TYPE, "application/json");
                Body::from(serde_json::to_vec(&value)?)
            }
            Payload::File(path) => {
                let file = tokio::fs::File::open(path).await.map_err(|error| unreadable(path, &error))?;
                Body::from_stream(tokio_util::io::ReaderStream::with_capacity(file, 1 << 16))
            }
        };
        Ok(request.extension(LocalOperator(self.workspace.clone())).body(body)?)
    }
}

impl Remote {
    /// # Errors
    /// The address is not `http://` or `https://`.
    pub fn new(url: &str, key: Option<String>) -> CliResult<Self> {
        if !(url.starts_with("http://") || url.starts_with("https://")) {
            return Err(CliError::user(format!(
                "--url {url:?} is not an address; it looks like http://127.0.0.1:7700"
            )));
        }
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_connect(Some(Duration::from_secs(10)))
            .timeout_recv_response(Some(Duration::from_secs(120)))
            .build();
        Ok(Self { agent: config.into(), url: url.trim_end_matches('/').to_owned(), key })
    }

    fn download(&self, call: Call<'_>, out: &mut dyn Write) -> CliResult {
        let mut response = self.send(call)?;
        let status = response.status();
        let mut reader = response.body_mut().as_reader();
        if status.is_success() {
            std::io::copy(&mut reader, out)?;
            return Ok(());
        }
        let mut problem = Vec::new();
        reader.take(1 << 20).read_to_end(&mut problem)?;
        Err(refused(status, &problem))
    }

    fn send(&self, call: Call<'_>) -> CliResult<ureq::http::Response<ureq::Body>> {
        let mut request = Request::builder().method(call.method).uri(format!("{}{}", self.url, call.path));
        if let Some(key) = &self.key {
            request = request.header(header::AUTHORIZATION, format!("Bearer {key}"));
        }
        if let Some(key) = call.idempotency_key {
            request = request.header("idempotency-key", key);
        }
        let body = match call.payload {
            Payload::Nothing => ureq::SendBody::none(),
            Payload::Json(value) => {
                request = request.header(header::CONTENT_TYPE, "application/json");
                ureq::SendBody::from_owned_reader(std::io::Cursor::new(serde_json::to_vec(&value)?))
            }
            Payload::File(path) => {
                let file = std::fs::File::open(path).map_err(|error| unreadable(path, &error))?;
                ureq::SendBody::from_owned_reader(file)
            }
        };
        let request = request.body(body).map_err(|error| CliError::user(format!("--url: {error}")))?;
        self.agent.run(request).map_err(|error| {
            CliError::user(format!(
                "the service {} does not answer: {error}; is it running? `clientele serve` starts one",
                self.url
            ))
        })
    }
}

fn unreadable(path: &Path, error: &std::io::Error) -> CliError {
    CliError::user(format!("{} cannot be read: {error}", path.display()))
}

/// One clear line from a problem+json body: what the caller did wrong is exit code 2, the rest 1.
fn refused(status: StatusCode, body: &[u8]) -> CliError {
    let message = match serde_json::from_slice::<Problem>(body) {
        Ok(problem) => {
            let mut message = format!("{} ({})", problem.detail, problem.code);
            for error in problem.errors.iter().filter(|error| error.detail != problem.detail) {
                // Writing to a String cannot fail.
                let _ = write!(message, "; {} {}", error.pointer, error.detail);
            }
            message
        }
        Err(_) => format!("the service answered {status}"),
    };
    if status.is_client_error() { CliError::User(message) } else { CliError::Broken(anyhow::anyhow!(message)) }
}

/// Encodes a text for one segment of a path or one value of a query (RFC 3986: everything but unreserved characters).
pub fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            // Writing to a String cannot fail.
            _ => drop(write!(out, "%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_encoded_for_paths_and_queries() {
        assert_eq!(encoded("a b/c?d&é小"), "a%20b%2Fc%3Fd%26%C3%A9%E5%B0%8F");
        assert_eq!(encoded("A-z.0_9~"), "A-z.0_9~");
    }
}
