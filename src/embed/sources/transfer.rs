//! One file over HTTP into its partial file, resumed where an earlier attempt stopped.
//!
//! hf-hub builds the address, but its own transfer is not used: it sets no timeout at all, so that an unreachable hub would
//! block for minutes; it takes any answer to a range request for the rest of the file; and it hides the content hash that
//! the hub announces on the redirect.

use super::files::{ContentHash, Slot};
use super::progress::PullProgress;
use super::settings::SourceSettings;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use ureq::http::header::{CONTENT_LENGTH, CONTENT_RANGE, ETAG, LOCATION};
use ureq::http::uri::Authority;
use ureq::http::{HeaderMap, Response, StatusCode, Uri};
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Body};

/// An answer that leads elsewhere more often than this leads nowhere.
const MAX_REDIRECTS: usize = 8;
/// A transfer that broke off after it had got further is taken up again so many times.
const MAX_RESUMES: usize = 3;

/// Fetches files from one endpoint.
pub(super) struct Transfer<'a> {
    agent: Agent,
    token: Option<&'a str>,
    progress: &'a dyn PullProgress,
}

/// Why a transfer ended early.
enum Failure {
    /// The connection broke: what has arrived can be built upon.
    Interrupted(String),
    /// Trying again would give the same.
    Final(String),
}

/// The body's answer, and what the endpoint said about the content on the way to it.
struct Answer {
    response: Response<Body>,
    hash: Option<ContentHash>,
}

impl<'a> Transfer<'a> {
    /// # Errors
    /// One sentence, where the certificates that were chosen cannot be read.
    pub fn new(settings: &'a SourceSettings, progress: &'a dyn PullProgress) -> Result<Self, String> {
        let mut tls = TlsConfig::builder();
        if let Some(file) = &settings.certificates {
            let unreadable = |why: String| format!("SSL_CERT_FILE {} cannot be used: {why}", file.display());
            tls = tls.root_certs(read_certificates(file).map_err(unreadable)?);
        }
        let agent = Agent::config_builder()
            .tls_config(tls.build())
            .proxy(settings.proxy.clone())
            .timeout_resolve(Some(settings.connect_timeout))
            .timeout_connect(Some(settings.connect_timeout))
            .timeout_recv_response(Some(settings.read_timeout))
            .timeout_per_read(Some(settings.read_timeout))
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(concat!("clientele/", env!("CARGO_PKG_VERSION")))
            .build()
            .into();
        Ok(Self { agent, token: settings.token.as_deref(), progress })
    }

    /// Writes the whole file to the slot's partial file, and returns the content hash the endpoint announced.
    ///
    /// # Errors
    /// One sentence. What arrived is kept for the next attempt.
    pub fn fetch(&self, url: &str, slot: &Slot) -> Result<Option<ContentHash>, String> {
        let mut n_resumes = 0;
        loop {
            let before = slot.partial_len();
            match self.fetch_once(url, slot) {
                Ok(hash) => return Ok(hash),
                Err(Failure::Interrupted(why)) if n_resumes < MAX_RESUMES && slot.partial_len() > before => {
                    n_resumes += 1;
                    self.progress.note(&format!("{} broke off ({why}); resuming", slot.file.path));
                }
                Err(Failure::Interrupted(why) | Failure::Final(why)) => return Err(why),
            }
        }
    }

    fn fetch_once(&self, url: &str, slot: &Slot) -> Result<Option<ContentHash>, Failure> {
        let mut offset = slot.partial_len();
        // With nothing left to ask for, a server could only refuse the range.
        if offset > 0 && slot.file.size.is_some_and(|size| offset >= size) {
            slot.discard().map_err(|error| Failure::Final(error.to_string()))?;
            offset = 0;
        }
        let mut answer = self.ask(url, offset)?;
        if answer.response.status() == StatusCode::RANGE_NOT_SATISFIABLE && offset > 0 {
            offset = 0;
            answer = self.ask(url, 0)?;
        }
        let path = &slot.file.path;
        let (start, total) = match answer.response.status() {
            StatusCode::OK => (0, content_length(answer.response.headers())),
            StatusCode::PARTIAL_CONTENT => match content_range(answer.response.headers()) {
                Some((start, total)) if start == offset => (start, total),
                _ => return Err(Failure::Final(format!("{path}: the answer is another range than was asked for"))),
            },
            status => return Err(Failure::Final(format!("{path}: {}", status_sentence(status, self.token.is_some())))),
        };
        refuse_other_file(slot, total, answer.hash.as_ref()).map_err(Failure::Final)?;
        self.progress.start(path.as_str(), slot.file.size.or(total), start);
        let copied = self.copy(answer.response.into_body(), slot, start, total);
        self.progress.finish();
        copied.map(|()| answer.hash)
    }

    fn copy(&self, body: Body, slot: &Slot, start: u64, total: Option<u64>) -> Result<(), Failure> {
        let path = &slot.file.path;
        let unwritable = |error: std::io::Error| Failure::Final(format!("{path} cannot be written: {error}"));
        let mut partial = open_partial(slot, start).map_err(unwritable)?;
        let mut reader = body.into_with_config().limit(u64::MAX).reader();
        let mut buffer = vec![0; 64 * 1024];
        let mut length = start;
        loop {
            let n_bytes = match reader.read(&mut buffer) {
                Ok(0) => break,
                Ok(n_bytes) => n_bytes,
                Err(error) => return Err(Failure::Interrupted(format!("{path} broke off: {error}"))),
            };
            partial.write_all(&buffer[..n_bytes]).map_err(unwritable)?;
            self.progress.advance(n_bytes as u64);
            length += n_bytes as u64;
            if slot.file.size.or(total).is_some_and(|size| length > size) {
                return Err(Failure::Final(format!("{path} goes on past the size it should have")));
            }
        }
        match slot.file.size.or(total).filter(|&size| length < size) {
            Some(size) => Err(Failure::Interrupted(format!("{path} ended after {length} of {size} bytes"))),
            None => Ok(()),
        }
    }

    /// Follows redirects by hand: the content hash is announced by the endpoint, not by the store it sends us to, and the
    /// token is for the endpoint alone.
    fn ask(&self, url: &str, offset: u64) -> Result<Answer, Failure> {
        let mut uri: Uri = url.parse().map_err(|error| Failure::Final(format!("{url} is no address: {error}")))?;
        let endpoint: Option<Authority> = uri.authority().cloned();
        let mut hash = None;
        for _ in 0..MAX_REDIRECTS {
            let at_endpoint = uri.authority() == endpoint.as_ref();
            // Compressed, neither the offsets nor the sizes would be those of the file.
            let mut request = self.agent.get(&uri).header("Accept-Encoding", "identity");
            if offset > 0 {
                request = request.header("Range", format!("bytes={offset}-"));
            }
            if let Some(token) = self.token.filter(|_| at_endpoint) {
                request = request.header("Authorization", format!("Bearer {token}"));
            }
            let host = uri.host().unwrap_or_default().to_owned();
            let response =
                request.call().map_err(|error| Failure::Interrupted(format!("{host} cannot be reached: {error}")))?;
            if at_endpoint {
                hash = announced_hash(response.headers()).or(hash);
            }
            if !response.status().is_redirection() {
                return Ok(Answer { response, hash });
            }
            uri = redirect_target(&uri, response.headers()).map_err(Failure::Final)?;
        }
        Err(Failure::Final(format!("{url} redirects more than {MAX_REDIRECTS} times")))
    }
}

fn read_certificates(file: &std::path::Path) -> Result<RootCerts, String> {
    let pem = std::fs::read(file).map_err(|error| error.to_string())?;
    let mut certificates = Vec::new();
    for item in parse_pem(&pem) {
        if let PemItem::Certificate(certificate) = item.map_err(|error| error.to_string())? {
            certificates.push(certificate);
        }
    }
    match certificates.is_empty() {
        true => Err("it holds no certificate".into()),
        false => Ok(RootCerts::from(certificates)),
    }
}

fn open_partial(slot: &Slot, start: u64) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    match start {
        0 => options.write(true).create(true).truncate(true),
        _ => options.append(true),
    };
    options.open(&slot.partial)
}

/// What can be refused before a byte of it is fetched.
fn refuse_other_file(slot: &Slot, total: Option<u64>, hash: Option<&ContentHash>) -> Result<(), String> {
    let path = &slot.file.path;
    if let (Some(expected), Some(total)) = (slot.file.size, total)
        && expected != total
    {
        return Err(format!("{path} has {total} bytes there instead of {expected}"));
    }
    if let (Some(expected), Some(ContentHash::Sha256(announced))) = (&slot.file.sha256, hash)
        && expected.as_str() != announced
    {
        return Err(format!("{path} has the sha256 {announced} there instead of {expected}"));
    }
    Ok(())
}

fn header(headers: &HeaderMap, name: impl ureq::http::header::AsHeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

fn announced_hash(headers: &HeaderMap) -> Option<ContentHash> {
    header(headers, "x-linked-etag").or_else(|| header(headers, ETAG)).and_then(ContentHash::from_etag)
}

fn content_length(headers: &HeaderMap) -> Option<u64> {
    header(headers, CONTENT_LENGTH)?.parse().ok()
}

/// `bytes 5-9/10`: the first byte, and the whole length where it is said.
fn content_range(headers: &HeaderMap) -> Option<(u64, Option<u64>)> {
    let (range, total) = header(headers, CONTENT_RANGE)?.strip_prefix("bytes ")?.split_once('/')?;
    let (start, _) = range.split_once('-')?;
    Some((start.trim().parse().ok()?, total.trim().parse().ok()))
}

/// An absolute address, or a path on the same host.
fn redirect_target(from: &Uri, headers: &HeaderMap) -> Result<Uri, String> {
    let unusable = || format!("{} redirects to nowhere", from.host().unwrap_or_default());
    let target: Uri = header(headers, LOCATION).and_then(|target| target.parse().ok()).ok_or_else(unusable)?;
    if target.authority().is_some() && matches!(target.scheme_str(), Some("http" | "https")) {
        return Ok(target);
    }
    let mut parts = from.clone().into_parts();
    parts.path_and_query = target.path_and_query().filter(|path| path.as_str().starts_with('/')).cloned();
    match (target.authority(), &parts.path_and_query) {
        (None, Some(_)) => Uri::from_parts(parts).map_err(|_| unusable()),
        _ => Err(unusable()),
    }
}

fn status_sentence(status: StatusCode, has_token: bool) -> String {
    let code = status.as_u16();
    match code {
        401 | 403 if has_token => format!("refused ({code}); the token in HF_TOKEN is not good for it"),
        401 | 403 => format!("refused ({code}); a token in HF_TOKEN may be needed"),
        404 => "not found there (404)".into(),
        429 => "too many requests (429); try again later".into(),
        _ => format!("the answer was {status}"),
    }
}
