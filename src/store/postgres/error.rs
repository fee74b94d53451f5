//! What PostgreSQL's errors mean to a caller. Nothing of a row's content gets into a sentence, so errors may be logged: the
//! server's message names tables and constraints, its detail would quote values and is left out.

use crate::store::StoreError;
use deadpool_postgres::{PoolError, TimeoutType};
use std::error::Error as _;
use tokio_postgres::Error;
use tokio_postgres::error::{DbError, SqlState};

impl From<Error> for StoreError {
    fn from(error: Error) -> Self {
        match error.as_db_error() {
            Some(refused) => by_code(refused),
            // The server is gone, or a value could not be sent. Of a commit it is not known then whether it came through.
            None => Self::Unavailable(said(&error)),
        }
    }
}

impl From<PoolError> for StoreError {
    fn from(error: PoolError) -> Self {
        match error {
            PoolError::Backend(error) => error.into(),
            PoolError::Timeout(TimeoutType::Wait) => {
                Self::Unavailable("every connection to the database is in use".into())
            }
            PoolError::Timeout(_) => Self::Unavailable("the database does not answer".into()),
            _ => Self::Unavailable("no connection to the database can be had".into()),
        }
    }
}

/// The error and what lies under it, in one line.
pub(super) fn said(error: &Error) -> String {
    match (error.as_db_error(), error.source()) {
        (Some(refused), _) => refused.message().to_owned(),
        (None, Some(source)) => source.to_string(),
        (None, None) => error.to_string(),
    }
}

fn by_code(refused: &DbError) -> StoreError {
    let why = refused.message().to_owned();
    match refused.code() {
        code if *code == SqlState::DATA_CORRUPTED || *code == SqlState::INDEX_CORRUPTED => StoreError::Corrupt(why),
        // Class 23: the row contradicts a constraint.
        code if code.code().starts_with("23") => StoreError::Conflict(why),
        // 53100: it has no room, or no more than an operator's limit.
        code if *code == SqlState::DISK_FULL => StoreError::Full(why),
        // Shutting down, a deadlock, a time limit: the same work may succeed later.
        _ => StoreError::Unavailable(why),
    }
}
