//! Who is calling and what they may do: keys, scopes, workspaces, and the service that has no keys yet.

use super::ApiState;
use super::problem::{ApiError, ApiResult, Code};
use crate::domain::{Key, Scope, Scopes, WorkspaceId};
use crate::store::Store;
use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use utoipa::Modify;
use utoipa::openapi::OpenApi;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};

/// How long a key that was looked up is believed: a key revoked elsewhere works no longer than this.
const KEY_TTL: Duration = Duration::from_secs(5);

/// The workspace of a service without keys.
pub const DEFAULT_WORKSPACE: &str = "default";

/// Put on a request by the command line when it calls the router in its own process: the operator of the machine.
#[derive(Debug, Clone)]
pub struct LocalOperator(pub WorkspaceId);

/// A new secret with 256 random bits: what a key's bearer sends.
///
/// # Errors
/// The operating system gives no randomness.
pub fn new_secret() -> Result<String, getrandom::Error> {
    let mut bytes = [0u8; 32];
    getrandom::fill(&mut bytes)?;
    Ok(format!("ck_{}", URL_SAFE_NO_PAD.encode(bytes)))
}

/// What the store keeps instead of the secret. Plain SHA-256 is enough for 256 random bits.
pub fn secret_hash(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

/// Decides who may in.
pub struct Access {
    /// Whether the service listens on loopback only: then, and only while there are no keys, it asks for none.
    loopback: bool,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    keys: HashMap<[u8; 32], (Key, Instant)>,
    keyless: Option<(bool, Instant)>,
}

impl Access {
    pub fn new(loopback: bool) -> Self {
        Self { loopback, known: Mutex::default() }
    }

    /// Forgets what was looked up: after a key was made or revoked here.
    pub fn refresh(&self) {
        *self.lock() = Known::default();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn key(&self, store: &dyn Store, hash: [u8; 32]) -> ApiResult<Option<Key>> {
        if let Some((key, _)) = self.lock().keys.get(&hash).filter(|(_, at)| at.elapsed() < KEY_TTL) {
            return Ok(Some(key.clone()));
        }
        let key = store.key_by_hash(&hash).await?.filter(|key| key.revoked_at.is_none());
        let mut known = self.lock();
        match &key {
            Some(key) => known.keys.insert(hash, (key.clone(), Instant::now())),
            None => known.keys.remove(&hash),
        };
        Ok(key)
    }

    async fn keyless(&self, store: &dyn Store) -> ApiResult<bool> {
        if !self.loopback {
            return Ok(false);
        }
        if let Some((keyless, _)) = self.lock().keyless.filter(|(_, at)| at.elapsed() < KEY_TTL) {
            return Ok(keyless);
        }
        let keyless = !store.has_live_keys().await?;
        self.lock().keyless = Some((keyless, Instant::now()));
        Ok(keyless)
    }
}

/// A caller who may do what `SCOPE` says, in one workspace.
#[derive(Debug, Clone)]
pub struct Caller<const SCOPE: u8> {
    pub workspace: WorkspaceId,
}

/// Sends facts.
pub type Writer = Caller<0>;
/// Looks things up.
pub type Reader = Caller<1>;
/// Defines and fits.
pub type Manager = Caller<2>;
/// Makes keys.
pub type Admin = Caller<3>;

/// Runs before the body is read: who may not in costs no memory.
impl<const SCOPE: u8> FromRequestParts<ApiState> for Caller<SCOPE> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> ApiResult<Self> {
        let scope = Scope::ALL[usize::from(SCOPE)];
        let (workspace, scopes) = who(parts, state).await?;
        if !scopes.allows(scope) {
            let has = scopes.names().join(", ");
            return Err(ApiError::new(
                Code::Forbidden,
                format!("this needs the scope {}; the key has {has}", scope.name()),
            ));
        }
        Ok(Self { workspace })
    }
}

async fn who(parts: &Parts, state: &ApiState) -> ApiResult<(WorkspaceId, Scopes)> {
    if let Some(LocalOperator(workspace)) = parts.extensions.get() {
        return Ok((workspace.clone(), Scopes::all()));
    }
    match presented(parts)? {
        Some(secret) => match state.access.key(&*state.store, secret_hash(&secret)).await? {
            Some(key) => Ok((key.workspace, key.scopes)),
            None => Err(ApiError::new(Code::Unauthenticated, "the key is not known, or was revoked")),
        },
        None if state.access.keyless(&*state.store).await? && addressed_to_loopback(parts) => {
            let workspace = WorkspaceId::parse(DEFAULT_WORKSPACE)?;
            Ok((workspace, Scopes::all()))
        }
        None => Err(ApiError::new(
            Code::Unauthenticated,
            "send a key as `Authorization: Bearer ck_…`; `clientele keys create` makes one",
        )),
    }
}

/// The secret sent as a bearer token, or as the user name of Basic authentication (as Segment's clients do).
fn presented(parts: &Parts) -> ApiResult<Option<String>> {
    let Some(value) = parts.headers.get(header::AUTHORIZATION) else { return Ok(None) };
    let unreadable =
        || ApiError::new(Code::Unauthenticated, "the Authorization header is neither `Bearer KEY` nor Basic");
    let value = value.to_str().map_err(|_| unreadable())?;
    let (scheme, rest) = value.split_once(' ').ok_or_else(unreadable)?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Ok(Some(rest.trim().to_owned()));
    }
    if scheme.eq_ignore_ascii_case("basic") {
        let decoded = STANDARD.decode(rest.trim()).map_err(|_| unreadable())?;
        let text = String::from_utf8(decoded).map_err(|_| unreadable())?;
        let user = text.split(':').next().unwrap_or_default();
        return Ok(Some(user.to_owned()));
    }
    Err(unreadable())
}

/// Whether the request names this machine as its host. Without it, any web page could reach a service without keys
/// through its visitor's browser by letting a name of its own point to 127.0.0.1.
fn addressed_to_loopback(parts: &Parts) -> bool {
    let host = parts.headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let Some(host) = host.or_else(|| parts.uri.authority().map(|authority| authority.as_str())) else { return false };
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Tells the OpenAPI document how keys are sent.
pub struct KeyScheme;

impl Modify for KeyScheme {
    fn modify(&self, openapi: &mut OpenApi) {
        let components = openapi.components.get_or_insert_default();
        components.add_security_scheme("key", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::Request;

    fn parts(name: header::HeaderName, value: &str) -> Parts {
        Request::builder().header(name, value).body(()).unwrap().into_parts().0
    }

    #[test]
    fn only_this_machine_is_loopback() {
        for (host, expected) in [
            ("localhost", true),
            ("localhost:7700", true),
            ("127.0.0.1:7700", true),
            ("127.3.2.1", true),
            ("[::1]:7700", true),
            ("evil.example", false),
            ("127.0.0.1.evil.example", false),
            ("localhost.evil.example:7700", false),
            ("10.0.0.1", false),
            ("", false),
        ] {
            assert_eq!(addressed_to_loopback(&parts(header::HOST, host)), expected, "{host}");
        }
    }

    #[test]
    fn keys_come_as_bearer_or_as_basic_user() {
        let basic = format!("Basic {}", STANDARD.encode("ck_abc:"));
        for value in ["Bearer ck_abc", "bearer ck_abc", &basic] {
            assert_eq!(presented(&parts(header::AUTHORIZATION, value)).unwrap().as_deref(), Some("ck_abc"));
        }
        for value in ["ck_abc", "Digest x", "Basic !!!"] {
            assert!(presented(&parts(header::AUTHORIZATION, value)).is_err(), "{value}");
        }
    }

    #[test]
    fn secrets_are_long_and_never_the_same() {
        let (a, b) = (new_secret().unwrap(), new_secret().unwrap());
        assert!(a.len() == 46 && a.starts_with("ck_") && a != b);
        assert_ne!(secret_hash(&a), secret_hash(&b));
    }
}
