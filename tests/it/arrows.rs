//! The arrows between modules, read from the source: who may name whom, and which crates stay in their place.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Each module and the modules it may name. What is not listed names no other.
const ARROWS: &[(&str, &[&str])] = &[
    ("main", &["cli"]),
    ("lib", &[]),
    ("app", &["api", "segment", "embed", "ingest", "intake", "store", "jobs", "domain"]),
    ("cli", &["app", "api", "bulk", "demo", "device", "domain", "embed", "ingest", "measure", "store"]),
    ("api", &["clean", "console", "domain", "embed", "ingest", "intake", "jobs", "redact", "segment", "store"]),
    ("jobs", &["clean", "domain", "ingest", "intake", "segment", "store"]),
    ("segment", &["cluster", "compute", "device", "domain", "embed", "features", "language", "measure", "store"]),
    ("bulk", &["compute", "embed"]),
    ("embed", &["compute", "device", "kernels"]),
    ("device", &["cluster"]),
    ("store", &["domain"]),
    ("ingest", &["domain", "redact"]),
    ("demo", &["domain"]),
    ("cluster", &["domain", "kernels", "measure"]),
    ("features", &["domain"]),
    ("language", &["domain"]),
    ("redact", &["domain"]),
    ("clean", &["domain"]),
    ("intake", &["clean", "domain", "redact", "store"]),
];

/// A crate and the modules, or files, that may use it.
const CRATES: &[(&str, &[&str])] = &[
    ("axum", &["api", "console", "app", "cli"]),
    ("candle_core", &["device", "embed", "language"]),
    ("tokenizers", &["embed", "language"]),
    ("rusqlite", &["store"]),
    ("tokio_postgres", &["store"]),
    ("deadpool_postgres", &["store"]),
    ("jieba_rs", &["language"]),
    ("clap", &["cli"]),
    ("arrow_array", &["bulk", "ingest/parquet.rs"]),
    ("arrow_cast", &["bulk", "ingest/parquet.rs"]),
    ("arrow_ipc", &["bulk"]),
    ("arrow_schema", &["bulk", "ingest/parquet.rs"]),
    ("parquet", &["bulk", "ingest/parquet.rs"]),
    ("flate2", &["api", "ingest/unpack/mod.rs"]),
    ("zstd", &["ingest/unpack/mod.rs"]),
    ("ureq", &["cli", "embed"]),
];

/// What the pure modules never name: no I/O, no async, no clock, no randomness of the system's.
const IMPURE: &[&str] =
    &["tokio", "async_trait", "futures_util", "std::fs", "std::net", "std::time", "std::env", "getrandom", "tracing"];
const PURE: &[&str] = &["clean", "domain", "cluster", "features", "measure", "redact"];

/// The code of every file of every module, files that are compiled for tests alone left out.
fn sources() -> BTreeMap<String, Vec<(PathBuf, String)>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut files, mut tests) = (Vec::new(), Vec::new());
    walk(&root, &mut files, &mut tests);
    let mut modules: BTreeMap<String, Vec<(PathBuf, String)>> = BTreeMap::new();
    for (file, source) in files {
        let inside = file.strip_prefix(&root).unwrap();
        let first = inside.components().next().unwrap().as_os_str().to_string_lossy().into_owned();
        let for_tests = tests.iter().any(|test| file.starts_with(test) || file.with_extension("") == *test);
        if !for_tests {
            modules.entry(first.trim_end_matches(".rs").to_owned()).or_default().push((file, code(&source)));
        }
    }
    modules
}

/// All Rust files below a folder, and the paths (without their ending) of modules declared for tests alone.
fn walk(folder: &Path, files: &mut Vec<(PathBuf, String)>, tests: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            walk(&path, files, tests);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let source = std::fs::read_to_string(&path).unwrap();
            for rest in source.split("#[cfg(test)]\n").skip(1) {
                let declaration = rest.lines().next().unwrap_or_default();
                if let Some(name) = declaration.strip_suffix(';').and_then(|line| line.split("mod ").nth(1)) {
                    tests.push(folder.join(name));
                }
            }
            files.push((path, source));
        }
    }
}

/// The source without comments and without its tests.
fn code(source: &str) -> String {
    let source = source.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let source = source.split("#[cfg(test)]\npub(crate) mod ").next().unwrap_or_default();
    source.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

/// Words that follow `before` in the code.
fn words_after<'a>(code: &'a str, before: &str) -> Vec<&'a str> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    code.match_indices(before)
        .map(|(at, _)| &code[at + before.len()..])
        .map(|rest| &rest[..rest.find(|c| !is_word(c)).unwrap_or(rest.len())])
        .collect()
}

#[test]
fn modules_name_only_those_below_them() {
    let modules = sources();
    let mut wrong = Vec::new();
    for (module, files) in &modules {
        let allowed = ARROWS.iter().find(|(name, _)| name == module).map_or(&[][..], |(_, allowed)| allowed);
        for (file, code) in files {
            for named in words_after(code, "crate::") {
                if named != module && modules.contains_key(named) && !allowed.contains(&named) {
                    wrong.push(format!("{} names {named}", file.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "arrows that should not be there:\n{}", wrong.join("\n"));
}

#[test]
fn the_table_of_arrows_has_no_circle() {
    let below = |module: &str| ARROWS.iter().find(|(name, _)| *name == module).map_or(&[][..], |(_, below)| below);
    let mut reached: Vec<(&str, &str)> = ARROWS.iter().flat_map(|(a, below)| below.iter().map(|b| (*a, *b))).collect();
    let mut at = 0;
    while at < reached.len() {
        let (from, to) = reached[at];
        for next in below(to) {
            if !reached.contains(&(from, next)) {
                reached.push((from, next));
            }
        }
        at += 1;
    }
    for (from, to) in reached {
        assert!(from != to, "{from} reaches itself");
    }
}

#[test]
fn crates_stay_where_they_belong() {
    let modules = sources();
    for (name, allowed) in CRATES {
        for (module, files) in modules.iter().filter(|(module, _)| !allowed.contains(&module.as_str())) {
            for (file, code) in files.iter().filter(|(file, _)| !allowed.iter().any(|path| file.ends_with(path))) {
                let of_ours = format!("super::{name}::");
                let others = code.replace(&of_ours, "");
                assert!(!others.contains(&format!("{name}::")), "{module} uses {name}: {}", file.display());
            }
        }
    }
}

#[test]
fn pure_modules_do_no_input_output_and_no_async() {
    let modules = sources();
    for module in PURE {
        for (file, code) in &modules[*module] {
            for word in IMPURE {
                assert!(!code.contains(&format!("{word}::")), "{} names {word}", file.display());
            }
            assert!(!code.contains("async fn") && !code.contains(".await"), "{} is async", file.display());
        }
    }
}

#[test]
fn sql_stays_in_the_store() {
    for (module, files) in sources().iter().filter(|(module, _)| *module != "store") {
        for (file, code) in files {
            for word in ["SELECT ", "INSERT INTO", "UPDATE ", "DELETE FROM"] {
                assert!(!code.contains(word), "{module} speaks SQL: {}", file.display());
            }
        }
    }
}
