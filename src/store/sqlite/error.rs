//! What SQLite's errors mean to a caller. Nothing of a row's content gets into a sentence, so errors may be logged.

use crate::store::StoreError;
use rusqlite::{Error, ErrorCode, ffi};

impl From<Error> for StoreError {
    fn from(error: Error) -> Self {
        match error {
            Error::SqliteFailure(failure, message) => by_code(failure, message),
            Error::FromSqlConversionFailure(column, ..)
            | Error::IntegralValueOutOfRange(column, _)
            | Error::Utf8Error(column, _)
            | Error::InvalidColumnType(column, ..) => {
                Self::Corrupt(format!("column {column} of a row is not what this program writes"))
            }
            other => Self::Unavailable(other.to_string()),
        }
    }
}

fn by_code(failure: ffi::Error, message: Option<String>) -> StoreError {
    let why = message.unwrap_or_else(|| failure.to_string());
    match failure.code {
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => StoreError::Corrupt(why),
        ErrorCode::ConstraintViolation => StoreError::Conflict(why),
        ErrorCode::DiskFull => StoreError::Full(why),
        // I/O errors, a lock held by another program, no memory: the same work may succeed later.
        _ => StoreError::Unavailable(why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_pass_is_unavailable_and_what_will_not_is_corrupt() {
        let told = |code| StoreError::from(Error::SqliteFailure(ffi::Error::new(code), None));
        assert!(matches!(told(ffi::SQLITE_FULL), StoreError::Full(_)));
        for code in [ffi::SQLITE_IOERR, ffi::SQLITE_BUSY, ffi::SQLITE_NOMEM, ffi::SQLITE_CANTOPEN] {
            assert!(matches!(told(code), StoreError::Unavailable(_)), "{code}");
        }
        for code in [ffi::SQLITE_CORRUPT, ffi::SQLITE_NOTADB] {
            assert!(matches!(told(code), StoreError::Corrupt(_)), "{code}");
        }
    }
}
