//! Whom a connection over TLS is believed. A server is always checked: encryption to whoever answers is none.

use crate::store::{Result, StoreError};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use std::path::PathBuf;
use std::sync::Arc;
use tokio_postgres_rustls::MakeRustlsConnect;

/// Who may vouch for the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Trust {
    /// No TLS.
    Nobody,
    /// The authorities that web browsers know.
    WebRoots,
    /// The authorities in a file of PEM certificates.
    File(PathBuf),
}

/// Nothing where there is to be no TLS.
pub(super) fn connector(trust: &Trust, place: &str) -> Result<Option<MakeRustlsConnect>> {
    let mut roots = RootCertStore::empty();
    match trust {
        Trust::Nobody => return Ok(None),
        Trust::WebRoots => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Trust::File(path) => {
            let unreadable = |why: String| StoreError::Open {
                place: place.to_owned(),
                why: format!("sslrootcert {} {why}; it takes a file of PEM certificates", path.display()),
            };
            for certificate in CertificateDer::pem_file_iter(path).map_err(|error| unreadable(error.to_string()))? {
                let certificate = certificate.map_err(|error| unreadable(error.to_string()))?;
                roots.add(certificate).map_err(|error| unreadable(error.to_string()))?;
            }
            if roots.is_empty() {
                return Err(unreadable("holds none".into()));
            }
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(|error| StoreError::Open { place: place.to_owned(), why: error.to_string() })?;
    Ok(Some(MakeRustlsConnect::new(config.with_root_certificates(roots).with_no_client_auth())))
}
