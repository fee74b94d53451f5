//! Makes sure that `web/dist` exists, so that the crate compiles without the web console, and that a console which is built
//! later is embedded by the next `cargo build`: the names of its files change, so no file already embedded tells of them.
//! Also says whether CUDA's libraries are opened at first use: then, and only then, the crate `cudarc` can tell if they are there.

use std::{env, fs, io, path::Path, time::SystemTime};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=web/dist");
    println!("cargo::rerun-if-env-changed=RUSTC_WRAPPER");
    println!("cargo::rustc-check-cfg=cfg(cuda_at_first_use)");
    if env::var_os("RUSTC_WRAPPER").is_some_and(|wrapper| Path::new(&wrapper).ends_with("rustc-late")) {
        println!("cargo::rustc-cfg=cuda_at_first_use");
    }
    if let Some(root) = env::var_os("CARGO_MANIFEST_DIR") {
        // A source tree that cannot be written to compiles too: the embedding allows the folder to be missing.
        let _ = make_folder(&Path::new(&root).join("web/dist"));
    }
}

/// The new folder is given an old date: with today's it would look changed since this build, and the next would be a full one.
fn make_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(folder)?;
    fs::File::open(folder)?.set_modified(SystemTime::UNIX_EPOCH)
}
