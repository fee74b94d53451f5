//! How a PostgreSQL store comes to be open: the server asked who it is, the schema made or brought up to date. What stands in the
//! way is said with its mend, and nothing is changed then.

use super::connections::{Connections, Limits};
use super::error::said;
use super::schema;
use super::url::PostgresUrl;
use crate::store::{Result, StoreError};
use deadpool_postgres::Object;
use tokio_postgres::Error;
use tokio_postgres::error::SqlState;
use tokio_postgres::{NoTls, config::SslMode};

/// The oldest server this program is made for.
const OLDEST: i32 = 13;

pub(super) async fn open(url: &PostgresUrl, limits: Limits) -> Result<Connections> {
    let connections = connect(url, limits).await?;
    let refuse = |why: String| StoreError::Open { place: url.place().to_owned(), why };
    let mut connection = connections.take().await.map_err(|error| refuse(error.to_string()))?;
    let opened = async {
        let db = connection.object()?;
        inspect(db).await?.map_or(Ok(()), |why| Err(refuse(why)))?;
        let found = schema::migrate(db).await.map_err(|error| refuse(unfit(&error)))?;
        if found > schema::VERSION {
            return Err(StoreError::TooNew { place: url.place().to_owned(), found, known: schema::VERSION });
        }
        Ok(())
    };
    let outcome = connections.within(limits.publish, opened).await;
    connection.give_back(&outcome);
    outcome?;
    Ok(connections)
}

/// Connects to a server, whatever is there.
pub(super) async fn connect(url: &PostgresUrl, limits: Limits) -> Result<Connections> {
    let connections = Connections::new(url, limits)?;
    let refuse = |why: String| StoreError::Open { place: url.place().to_owned(), why };
    knock(url, limits).await.map_err(refuse)?;
    Ok(connections)
}

/// For who only looks: the schema must be this program's.
pub(super) async fn require_current(url: &PostgresUrl, connections: &Connections) -> Result<()> {
    let mut connection = connections.take().await?;
    let found = schema::version(&*connection.object()?).await?.unwrap_or(0);
    let (place, known) = (url.place().to_owned(), schema::VERSION);
    match found {
        newer if newer > known => Err(StoreError::TooNew { place, found, known }),
        older if older < known => {
            let why = format!("it has schema {older}, older than this program's {known}: open it once to update it");
            Err(StoreError::Open { place, why })
        }
        _ => Ok(()),
    }
}

/// Connects once outside the pool, whose errors say less.
async fn knock(url: &PostgresUrl, limits: Limits) -> Result<(), String> {
    let mut config = url.config.clone();
    config.connect_timeout(limits.connect);
    let connecting = async {
        match super::tls::connector(&url.tls, url.place()).map_err(|error| error.to_string())? {
            Some(connector) => config.connect(connector).await.map(drop).map_err(|error| refusal(&error, &config)),
            None => config.connect(NoTls).await.map(drop).map_err(|error| refusal(&error, &config)),
        }
    };
    let silent = || Err("the server does not answer; check the host, the port and what lies between".to_owned());
    tokio::time::timeout(limits.connect * 2, connecting).await.unwrap_or_else(|_| silent())
}

fn refusal(error: &Error, config: &tokio_postgres::Config) -> String {
    let database = config.get_dbname().unwrap_or_default();
    let Some(code) = error.code() else {
        let tls = if config.get_ssl_mode() == SslMode::Require { ", and whether it speaks TLS" } else { "" };
        return format!(
            "no PostgreSQL server answers there ({}); start it, or check the host and the port{tls}",
            said(error)
        );
    };
    match code {
        code if *code == SqlState::INVALID_CATALOG_NAME => {
            format!("the database {database:?} does not exist; make it (createdb {database}), or name another")
        }
        code if *code == SqlState::INVALID_PASSWORD || *code == SqlState::INVALID_AUTHORIZATION_SPECIFICATION => {
            format!("the server refuses this user or the password ({}); check both, and pg_hba.conf", said(error))
        }
        code if *code == SqlState::TOO_MANY_CONNECTIONS => {
            "the server has no connection left; raise max_connections, or stop who holds them".to_owned()
        }
        _ => format!("the server refuses: {}", said(error)),
    }
}

/// What makes the server unfit for a store.
async fn inspect(db: &Object) -> Result<Option<String>> {
    let row = db
        .query_one(
            "SELECT current_setting('server_version_num')::int / 10000, current_setting('fsync'),
                    current_setting('server_encoding'), pg_is_in_recovery(), current_schema() IS NULL,
                    current_setting('synchronous_commit')",
            &[],
        )
        .await?;
    let version: i32 = row.get(0);
    Ok(if version < OLDEST {
        Some(format!("PostgreSQL {version} is too old; it takes {OLDEST} or newer"))
    } else if row.get::<_, &str>(1) == "off" {
        Some("the server runs with fsync = off and would lose what it acknowledged; turn it on".into())
    } else if row.get::<_, &str>(2) != "UTF8" {
        Some(format!("the database is encoded in {}; make one with ENCODING 'UTF8'", row.get::<_, &str>(2)))
    } else if row.get(3) {
        Some("it is a standby, which can only be read; name the primary".into())
    } else if row.get(4) {
        Some("the user has no schema to make tables in; make one, or set the search_path".into())
    } else if row.get::<_, &str>(5) == "off" {
        Some("synchronous_commit stays off for this user; turn it on".into())
    } else {
        None
    })
}

fn unfit(error: &StoreError) -> String {
    format!("its schema cannot be brought up to date: {error}; the user needs the right to CREATE in the schema")
}
