//! The language of a text.

use super::Invalid;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A language by the letters of its code (ISO 639), such as `zh`; `other` where a text is in none that is told apart.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Language(Box<str>);

impl Language {
    /// Takes a code of two or three letters, of which a script or a region behind `-` or `_` is left out (`zh-Hans-CN` is
    /// `zh`), or `other`.
    ///
    /// # Errors
    /// The text is anything else.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let first = text.trim().split(['-', '_']).next().unwrap_or_default().to_ascii_lowercase();
        let is_code = (2..=3).contains(&first.len()) && first.bytes().all(|byte| byte.is_ascii_lowercase());
        if is_code || first == "other" {
            return Ok(Self(first.into()));
        }
        Err(Invalid::new("language", "takes a code of ISO 639, for example zh or en-GB, or `other`"))
    }

    pub fn chinese() -> Self {
        Self("zh".into())
    }

    pub fn english() -> Self {
        Self("en".into())
    }

    pub fn other() -> Self {
        Self("other".into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Language {
    type Error = Invalid;
    fn try_from(text: String) -> Result<Self, Invalid> {
        Self::parse(&text)
    }
}

impl From<Language> for String {
    fn from(language: Language) -> Self {
        language.0.into()
    }
}

impl fmt::Debug for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which language a text is in, and how sure that is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tongue {
    pub language: Language,
    /// 0 to 1; 1 where the shop said it.
    pub confidence: f64,
}

impl Tongue {
    /// The shop said it.
    pub fn given(language: Language) -> Self {
        Self { language, confidence: 1.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_its_language_whatever_the_region() {
        for (text, expected) in [
            ("zh", Some("zh")),
            ("zh-Hans-CN", Some("zh")),
            ("EN_gb", Some("en")),
            (" yue ", Some("yue")),
            ("other", Some("other")),
            ("english", None),
            ("中文", None),
            ("", None),
            ("z", None),
        ] {
            assert_eq!(Language::parse(text).ok().as_ref().map(Language::as_str), expected, "{text:?}");
        }
    }
}
