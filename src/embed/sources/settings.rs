//! What the surroundings say about fetching: the one place where the environment is read. Everything below takes values.

use std::env;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How to reach the sources.
#[derive(Clone)]
pub struct SourceSettings {
    /// HF_ENDPOINT: a mirror of the hub. None: the hub itself.
    pub endpoint: Option<String>,
    /// HF_HUB_CACHE, else HF_HOME/hub: where other programs keep what they fetched from the hub. It is read, never written.
    pub hub_cache: PathBuf,
    /// HF_TOKEN, else the token file in HF_HOME. Sent to the endpoint's host only.
    pub token: Option<String>,
    /// HF_HUB_OFFLINE: the hub is not called; its cache is still read, and the other sources still serve.
    pub hub_offline: bool,
    /// CLIENTELE_PYTHON: the program whose `-m pip` is run.
    pub python: OsString,
    /// SSL_CERT_FILE: certificates to trust instead of the built-in ones, for a network that signs with its own.
    pub certificates: Option<PathBuf>,
    /// ALL_PROXY, HTTPS_PROXY, HTTP_PROXY and NO_PROXY.
    pub proxy: Option<ureq::Proxy>,
    /// For a name look-up, and again for a connection: short, so that an unreachable hub soon gives way to the next source.
    pub connect_timeout: Duration,
    /// For an answer to begin, and between two pieces of it.
    pub read_timeout: Duration,
}

impl SourceSettings {
    pub fn from_env() -> Self {
        let home = filled("HF_HOME").map(PathBuf::from).unwrap_or_else(|| user_folder(".cache").join("huggingface"));
        let token = filled("HF_TOKEN").and_then(|token| token.into_string().ok());
        Self {
            endpoint: filled("HF_ENDPOINT").and_then(|endpoint| endpoint.into_string().ok()),
            token: token.map(|token| token.trim().to_owned()).or_else(|| hf_hub::Cache::new(home.join("hub")).token()),
            hub_cache: filled("HF_HUB_CACHE").map_or_else(|| home.join("hub"), PathBuf::from),
            hub_offline: filled("HF_HUB_OFFLINE").is_some_and(|value| is_yes(&value.to_string_lossy())),
            python: filled("CLIENTELE_PYTHON").unwrap_or_else(|| "python3".into()),
            certificates: filled("SSL_CERT_FILE").map(PathBuf::from),
            proxy: ureq::Proxy::try_from_env(),
            connect_timeout: Duration::from_secs(5),
            read_timeout: Duration::from_secs(30),
        }
    }
}

/// The token stays out of logs.
impl fmt::Debug for SourceSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SourceSettings")
            .field("endpoint", &self.endpoint)
            .field("hub_cache", &self.hub_cache)
            .field("has_token", &self.token.is_some())
            .field("hub_offline", &self.hub_offline)
            .field("python", &self.python)
            .finish_non_exhaustive()
    }
}

/// The folder of the local models: the chosen one, else CLIENTELE_MODELS_DIR, else `models` where that folder is, else the
/// user's data folder.
pub fn models_dir(chosen: Option<&Path>) -> PathBuf {
    let candidates = ModelsDirCandidates {
        chosen: chosen.map(Path::to_path_buf),
        variable: filled("CLIENTELE_MODELS_DIR").map(PathBuf::from),
        here: PathBuf::from("models"),
        user_data: filled("XDG_DATA_HOME")
            .map(PathBuf::from)
            .filter(|folder| folder.is_absolute())
            .unwrap_or_else(|| user_folder(".local").join("share")),
    };
    candidates.choose()
}

struct ModelsDirCandidates {
    chosen: Option<PathBuf>,
    variable: Option<PathBuf>,
    here: PathBuf,
    user_data: PathBuf,
}

impl ModelsDirCandidates {
    fn choose(self) -> PathBuf {
        match self.chosen.or(self.variable) {
            Some(folder) => folder,
            None if self.here.is_dir() => self.here,
            None => self.user_data.join("clientele").join("models"),
        }
    }
}

/// A variable that is set to nothing counts as not set.
fn filled(name: &str) -> Option<OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}

fn user_folder(name: &str) -> PathBuf {
    env::home_dir().unwrap_or_default().join(name)
}

/// The words that the hub's own Python client takes for yes.
fn is_yes(value: &str) -> bool {
    matches!(value.trim().to_ascii_uppercase().as_str(), "1" | "ON" | "YES" | "TRUE")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_models_folder_is_the_first_that_applies() {
        let here = tempfile::tempdir().unwrap();
        let candidates = |chosen: Option<&str>, variable: Option<&str>, here: &Path| ModelsDirCandidates {
            chosen: chosen.map(PathBuf::from),
            variable: variable.map(PathBuf::from),
            here: here.to_path_buf(),
            user_data: "/data".into(),
        };
        let gone = here.path().join("gone");
        assert_eq!(candidates(Some("a"), Some("b"), here.path()).choose(), Path::new("a"));
        assert_eq!(candidates(None, Some("b"), here.path()).choose(), Path::new("b"));
        assert_eq!(candidates(None, None, here.path()).choose(), here.path());
        assert_eq!(candidates(None, None, &gone).choose(), Path::new("/data/clientele/models"));
    }

    #[test]
    fn a_token_never_shows_in_the_settings() {
        let settings = SourceSettings { token: Some("hf_secret".into()), ..SourceSettings::from_env() };
        assert!(!format!("{settings:?}").contains("secret"));
    }

    #[test]
    fn only_the_words_for_yes_mean_offline() {
        for (word, means) in [("1", true), ("true", true), ("Yes", true), ("on", true), ("0", false), ("no", false)] {
            assert_eq!(is_yes(word), means, "{word}");
        }
    }
}
