//! The address of a PostgreSQL store. A password goes in and never comes out: nothing that is shown or logged is made from the
//! text as it was typed, because a password with a special character may turn up in any part of it.

use super::tls;
use crate::store::{Result, StoreError};
use std::fmt::{self, Write as _};
use std::path::PathBuf;
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

const LOOKS_LIKE: &str =
    "it looks like postgres://USER:PASSWORD@HOST:5432/DATABASE, with special characters as %40 for @";

/// Options that the driver knows and that make sense here; others are refused by name.
const OPTIONS: [&str; 12] = [
    "connect_timeout",
    "host",
    "hostaddr",
    "keepalives",
    "keepalives_idle",
    "load_balance_hosts",
    "options",
    "port",
    "target_session_attrs",
    "channel_binding",
    "sslmode",
    "sslrootcert",
];

/// Where a PostgreSQL store is and who asks, checked.
#[derive(Clone)]
pub struct PostgresUrl {
    pub(super) config: Config,
    pub(super) tls: tls::Trust,
    place: String,
}

impl PostgresUrl {
    /// Whether a text is the address of a PostgreSQL store at all.
    pub fn is_one(text: &str) -> bool {
        text.starts_with("postgres://") || text.starts_with("postgresql://")
    }

    /// # Errors
    /// [`Open`](StoreError::Open), with what is wrong and what would be right.
    pub fn parse(text: &str) -> Result<Self> {
        let Some((_, rest)) = text.split_once("://").filter(|_| Self::is_one(text)) else {
            return Err(wrong(format!("it is no address of a PostgreSQL store; {LOOKS_LIKE}")));
        };
        if rest.matches('@').count() > 1 {
            return Err(wrong(format!("it has more than one @; {LOOKS_LIKE}")));
        }
        // A question mark before the @ belongs to the password.
        let after_user = rest.find('@').map_or(0, |at| at + 1);
        let query_at = rest[after_user..].find('?').map_or(rest.len(), |at| after_user + at);
        let options = Options::parse(rest[query_at..].trim_start_matches('?'))?;
        let mut config: Config = format!("postgres://{}?{}", &rest[..query_at], options.passed_on)
            .parse()
            .map_err(|_| wrong(format!("it is not understood; {LOOKS_LIKE}")))?;
        config.ssl_mode(if options.trust == tls::Trust::Nobody { SslMode::Disable } else { SslMode::Require });
        let place = place(&config)?;
        Ok(Self { config, tls: options.trust, place })
    }

    /// How it may be shown: without the password.
    pub fn place(&self) -> &str {
        &self.place
    }
}

impl fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place)
    }
}

/// What stands behind the question mark.
struct Options {
    trust: tls::Trust,
    /// What the driver reads by itself.
    passed_on: String,
}

impl Options {
    fn parse(query: &str) -> Result<Self> {
        let (mut mode, mut root, mut passed_on) = ("prefer", None, String::new());
        for option in query.split('&').filter(|option| !option.is_empty()) {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            if !OPTIONS.contains(&name) {
                return Err(wrong(format!("it has an option that is not known; there are {}", OPTIONS.join(", "))));
            }
            match name {
                "sslmode" => mode = value,
                "sslrootcert" => root = Some(PathBuf::from(value.replace("%2F", "/").replace("%2f", "/"))),
                // Writing to a String cannot fail.
                _ => drop(write!(passed_on, "{option}&")),
            }
        }
        let trust = match (mode, root) {
            ("disable", _) | ("prefer" | "allow", None) => tls::Trust::Nobody,
            ("require" | "verify-full", None) => tls::Trust::WebRoots,
            ("prefer" | "allow" | "require" | "verify-full", Some(root)) => tls::Trust::File(root),
            _ => return Err(wrong("its sslmode is not known; there are disable, require and verify-full")),
        };
        Ok(Self { trust, passed_on })
    }
}

fn place(config: &Config) -> Result<String> {
    let Some(user) = config.get_user() else { return Err(wrong(format!("it names no user; {LOOKS_LIKE}"))) };
    let Some(database) = config.get_dbname() else {
        return Err(wrong(format!("it names no database; {LOOKS_LIKE}")));
    };
    let mut hosts: Vec<String> = Vec::new();
    for (index, host) in config.get_hosts().iter().enumerate() {
        let host = match host {
            Host::Tcp(name) => name.clone(),
            Host::Unix(folder) => folder.display().to_string(),
        };
        let port = config.get_ports().get(index).or(config.get_ports().first());
        hosts.push(port.map_or(host.clone(), |port| format!("{host}:{port}")));
    }
    if hosts.is_empty() && config.get_hostaddrs().is_empty() {
        return Err(wrong(format!("it names no host; {LOOKS_LIKE}")));
    }
    Ok(format!("postgres://{user}@{}/{database}", hosts.join(",")))
}

fn wrong(why: impl Into<String>) -> StoreError {
    StoreError::Open { place: "postgres://…".into(), why: why.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_good_address_is_shown_without_its_password() {
        for (text, shown) in [
            ("postgres://ann:s3cret@db:5433/shop", "postgres://ann@db:5433/shop"),
            ("postgresql://ann:s%403cret@db/shop?connect_timeout=3", "postgres://ann@db:5432/shop"),
            ("postgres://ann:s3cret?s3cret@127.0.0.1/shop?sslmode=disable", "postgres://ann@127.0.0.1:5432/shop"),
            ("postgres://ann@one,two:9/shop?sslmode=verify-full", "postgres://ann@one:5432,two:9/shop"),
            ("postgres://ann@/shop?host=%2Frun%2Fpg&port=7", "postgres://ann@/run/pg:7/shop"),
        ] {
            let url = PostgresUrl::parse(text).unwrap();
            assert_eq!((url.place(), format!("{url:?}").as_str()), (shown, shown), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_named_and_the_password_is_not() {
        for (text, says) in [
            ("mysql://ann:s3cret@db/shop", "no address of a PostgreSQL store"),
            ("postgres:ann:s3cret@db/shop", "no address of a PostgreSQL store"),
            ("postgres://ann:s3cret@db", "names no database"),
            ("postgres://db/shop", "names no user"),
            ("postgres://ann:s3cret@/shop", "names no host"),
            ("postgres://ann:s3@cret@db/shop", "more than one @"),
            ("postgres://ann:s3cret@db:port/shop", "not understood"),
            ("postgres://ann:s3cret@db:99999/shop", "not understood"),
            ("postgres://ann:s3cret", "not understood"),
            ("postgres://ann:s3cret@db/shop?s3cret=1", "option that is not known"),
            ("postgres://ann:s3cret@db/shop?sslmode=s3cret", "sslmode is not known"),
        ] {
            let error = PostgresUrl::parse(text).unwrap_err().to_string();
            assert!(error.contains(says), "{text}: {error}");
            assert!(!error.contains("s3cret"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn no_password_is_ever_shown(password in "[a-z]{6}[:/?#&=%@ ]?[a-z]{6}") {
            let text = format!("postgres://u:{password}@h/d");
            let shown = match PostgresUrl::parse(&text) {
                Ok(url) => format!("{url:?}{}", url.place()),
                Err(error) => format!("{error}{error:?}"),
            };
            for part in password.split(|c: char| !c.is_ascii_lowercase()).filter(|part| part.len() == 6) {
                prop_assert!(!shown.contains(part), "{}", shown);
            }
        }
    }
}
