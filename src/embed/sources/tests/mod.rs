//! Pulls from a mirror on loopback and from a made-up pip, whole and broken in every way that was thought of. Here: the
//! bench they stand on.

mod hub;
mod pip;
mod shelf;

use super::mirror::{Mirror, Served};
use super::*;
use sha1::Sha1;
use sha2::{Digest, Sha256};
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::sync::Mutex;
use std::time::Duration;

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// Paths and contents of a model that nobody will load.
const FILES: [(&str, &[u8]); 3] =
    [("config.json", b"{}"), ("tokenizer.json", b"{\"a\":1}"), ("model.safetensors", b"0123456789 weights")];

fn hex(bytes: impl AsRef<[u8]>) -> String {
    bytes.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn sha256(bytes: &[u8]) -> String {
    hex(Sha256::digest(bytes))
}

fn git_hash(bytes: &[u8]) -> String {
    hex(Sha1::new_with_prefix(format!("blob {}\0", bytes.len())).chain_update(bytes).finalize())
}

/// A catalogue of the one model `tiny`.
fn catalogue_of(pinned: bool, with_pip: bool) -> Catalogue {
    let file = |(path, bytes): &(&str, &[u8])| match pinned {
        true => format!("{{ path = {path:?}, size = {}, sha256 = {:?} }}", bytes.len(), sha256(bytes)),
        false => format!("{{ path = {path:?} }}"),
    };
    let files: Vec<String> = FILES.iter().map(file).collect();
    let pip = r#", { kind = "pip", package = "tiny-model", version = "1.0", folder = "tiny/model" }"#;
    Catalogue::parse(&format!(
        r#"[[models]]
        id = "tiny"
        aliases = ["owner/tiny"]
        languages = ["en"]
        licence = "MIT"
        dimension = 4
        max_tokens = 8
        pooling = "cls"
        normalise = false
        prefix = "query: "
        folder_name_prefixes = ["tiny"]
        files = [{}]
        sources = [{{ kind = "local" }}, {{ kind = "hub", repo = "owner/tiny", revision = "{COMMIT}" }}{}]"#,
        files.join(", "),
        if with_pip { pip } else { "" },
    ))
    .unwrap()
}

fn url_path(path: &str) -> String {
    format!("/owner/tiny/resolve/{COMMIT}/{path}")
}

/// The whole model, each file with its git hash as its tag.
fn served() -> Vec<(String, Served)> {
    let tag = |bytes: &[u8]| format!("\"{}\"", git_hash(bytes));
    FILES.iter().map(|(path, bytes)| (url_path(path), Served::file(bytes).with("ETag", tag(bytes)))).collect()
}

fn served_but(path: &str, served_instead: Served) -> Vec<(String, Served)> {
    let mut all = served();
    all.retain(|(served, _)| *served != url_path(path));
    all.push((url_path(path), served_instead));
    all
}

/// Keeps what it was told.
#[derive(Default)]
struct Heard {
    events: Mutex<Vec<String>>,
}

impl Heard {
    fn all(&self) -> String {
        self.events.lock().unwrap().join("\n")
    }
}

impl PullProgress for Heard {
    fn start(&self, file: &str, total_bytes: Option<u64>, already: u64) {
        self.events.lock().unwrap().push(format!("{file} {total_bytes:?} from {already}"));
    }
    fn advance(&self, _bytes: u64) {}
    fn note(&self, message: &str) {
        self.events.lock().unwrap().push(message.to_owned());
    }
}

/// A models folder, settings that reach nothing by themselves, and a catalogue.
struct Bench {
    folder: tempfile::TempDir,
    settings: SourceSettings,
    catalogue: Catalogue,
    offline: bool,
    heard: Heard,
}

impl Bench {
    fn new(catalogue: Catalogue) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = SourceSettings {
            endpoint: Some(refusing_endpoint()),
            hub_cache: folder.path().join("hub-cache"),
            token: None,
            hub_offline: false,
            python: folder.path().join("no-python").into(),
            certificates: None,
            proxy: None,
            connect_timeout: Duration::from_secs(5),
            read_timeout: Duration::from_secs(5),
        };
        Self { folder, settings, catalogue, offline: false, heard: Heard::default() }
    }

    fn at(mirror: &Mirror, catalogue: Catalogue) -> Self {
        let mut bench = Self::new(catalogue);
        bench.settings.endpoint = Some(mirror.endpoint());
        bench
    }

    fn models_dir(&self) -> PathBuf {
        self.folder.path().join("models")
    }

    fn file(&self, path: &str) -> PathBuf {
        self.models_dir().join("tiny").join(path)
    }

    fn put(&self, path: &str, bytes: &[u8]) {
        let file = self.file(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, bytes).unwrap();
    }

    fn put_all(&self) {
        FILES.iter().for_each(|(path, bytes)| self.put(path, bytes));
    }

    fn with_shelf<T>(&self, act: impl FnOnce(&Shelf) -> T) -> T {
        act(&Shelf {
            catalogue: &self.catalogue,
            models_dir: &self.models_dir(),
            settings: &self.settings,
            offline: self.offline,
            progress: &self.heard,
        })
    }

    fn pull(&self) -> Result<PathBuf, EmbedError> {
        self.with_shelf(|shelf| shelf.pull("tiny"))
    }

    fn resolve(&self, name: &str) -> Result<Resolved, EmbedError> {
        self.with_shelf(|shelf| shelf.resolve(name))
    }

    fn states(&self) -> Vec<FileState> {
        verify_in(&self.catalogue, "tiny", &self.models_dir()).unwrap().into_iter().map(|check| check.state).collect()
    }

    fn assert_whole(&self) {
        for (path, bytes) in FILES {
            assert_eq!(fs::read(self.file(path)).unwrap(), bytes, "{path}");
            assert!(!self.file(&format!("{path}.partial")).exists(), "{path}.partial is left");
        }
    }

    /// The pull fails with these words, and the file has no place.
    fn assert_refused(&self, path: &str, words: &[&str]) {
        let error = self.pull().unwrap_err();
        assert!(matches!(error, EmbedError::Fetch { .. }), "{error}");
        for word in words {
            assert!(error.to_string().contains(word), "{word:?} is not in: {error}");
        }
        assert!(!self.file(path).exists(), "{path} was put in its place");
        self.with_shelf(|shelf| assert!(Shelf { offline: true, ..*shelf }.resolve("tiny").is_err()));
    }

    /// A made-up pip that copies this wheel to where it is told.
    fn give_pip(&mut self, wheel: &[(&str, &[u8])]) {
        let file = self.folder.path().join("tiny_model-1.0-py3-none-any.whl");
        let mut writer = zip::ZipWriter::new(File::create(&file).unwrap());
        for (name, bytes) in wheel {
            writer.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
            writer.write_all(bytes).unwrap();
        }
        writer.finish().unwrap();
        self.give_python(&format!(
            "echo \"$@\" > '{0}/pip-args'\nwhile [ \"$1\" != --dest ]; do shift; done\ncp '{0}'/*.whl \"$2\"",
            self.folder.path().display()
        ));
    }

    fn give_python(&mut self, script: &str) {
        let python = self.folder.path().join("python");
        fs::write(&python, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&python, fs::Permissions::from_mode(0o755)).unwrap();
        self.settings.python = python.into();
    }
}

/// A port of this machine at which nobody listens.
fn refusing_endpoint() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}
