//! Where a store is, as an operator names it.

use super::{PostgresUrl, Result, StoreError};
use std::path::{Path, PathBuf};

/// Which store a process works on.
#[derive(Debug, Clone)]
pub enum StorePlace {
    /// The embedded store in a folder.
    Folder(PathBuf),
    /// A PostgreSQL database.
    Postgres(Box<PostgresUrl>),
}

impl StorePlace {
    /// Reads `postgres://…` or a folder; without a text it is the data folder.
    ///
    /// # Errors
    /// [`Open`](StoreError::Open) for an address that is not understood.
    pub fn parse(text: Option<&str>, data_dir: &Path) -> Result<Self> {
        match text {
            None => Ok(Self::Folder(data_dir.to_owned())),
            Some(url) if PostgresUrl::is_one(url) => PostgresUrl::parse(url).map(|url| Self::Postgres(Box::new(url))),
            // Not shown: whatever it is, it may hold a password.
            Some(url) if url.contains("://") => Err(StoreError::Open {
                place: "named by --store".into(),
                why: "its address begins with neither postgres:// nor postgresql://; a folder is named without ://"
                    .into(),
            }),
            Some(folder) => Ok(Self::Folder(folder.into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_is_a_folder_or_a_postgresql_database() {
        let parse = |text| StorePlace::parse(text, Path::new("data"));
        assert!(matches!(parse(None), Ok(StorePlace::Folder(folder)) if folder == Path::new("data")));
        assert!(matches!(parse(Some("other")), Ok(StorePlace::Folder(folder)) if folder == Path::new("other")));
        assert!(
            matches!(parse(Some("postgres://u@h/d")), Ok(StorePlace::Postgres(url)) if url.place() == "postgres://u@h:5432/d")
        );
        for wrong in ["mysql://u:s3cret@h/d", "Postgres://u:s3cret@h/d", "postgres://u:s3cret@h"] {
            let error = parse(Some(wrong)).unwrap_err().to_string();
            assert!(!error.contains("s3cret"), "{error}");
        }
    }
}
