//! Opaque cursors: where the next page starts, bound to the list it came from.

use super::problem::{ApiError, ApiResult, Code};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

/// Bytes of the list's fingerprint in a cursor.
const MARK: usize = 6;

/// Which list a cursor belongs to: its route and everything that filters it. A cursor from elsewhere is refused.
#[derive(Debug, Clone)]
pub struct List([u8; MARK]);

impl List {
    pub fn new(parts: &[&str]) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        let digest = hash.finalize();
        let mut mark = [0; MARK];
        mark.copy_from_slice(&digest[..MARK]);
        Self(mark)
    }

    /// The cursor after the row with this key.
    pub fn cursor(&self, key: &str) -> String {
        URL_SAFE_NO_PAD.encode([&self.0, key.as_bytes()].concat())
    }

    /// # Errors
    /// The cursor is damaged, or from another list.
    pub fn key(&self, cursor: Option<&str>) -> ApiResult<Option<String>> {
        let Some(cursor) = cursor else { return Ok(None) };
        let bad =
            || ApiError::field(Code::BadCursor, "cursor", "the cursor is not from this list; begin again without one");
        let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| bad())?;
        let key = bytes.strip_prefix(&self.0).ok_or_else(bad)?;
        String::from_utf8(key.to_vec()).map(Some).map_err(|_| bad())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_cursor_gives_its_key_back_in_its_list_only(key in "\\PC{0,30}", a in "\\PC{0,9}", b in "\\PC{0,9}") {
            let list = List::new(&[&a, "x"]);
            let cursor = list.cursor(&key);
            prop_assert_eq!(list.key(Some(&cursor)).unwrap(), Some(key));
            if a != b {
                prop_assert!(List::new(&[&b, "x"]).key(Some(&cursor)).is_err());
            }
        }

        #[test]
        fn any_text_as_a_cursor_is_refused_or_read_without_a_panic(text in "\\PC{0,40}") {
            let _ = List::new(&["x"]).key(Some(&text));
        }
    }
}
