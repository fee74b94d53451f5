//! Clientele's own embedder as a worker of `make bench-embed`, set up as `clientele` sets it up.
//!
//! `embed_worker MODEL_FOLDER INPUTS_FOLDER PRECISION [--as-service]`
//!
//! With `--as-service` the work runs on the service's own threads, which have the lowest priority, so that look-ups come
//! first; without, at the priority the rivals have.

mod worker;

use clientele::compute;
use clientele::embed::{Embedder, LoadSettings, PrecisionChoice, load};
use std::path::Path;
use worker::Hello;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, inputs, precision, rest @ ..] = &arguments[..] else {
        anyhow::bail!("usage: embed_worker MODEL_FOLDER INPUTS_FOLDER PRECISION [--as-service]");
    };
    let as_service = match rest {
        [] => false,
        [flag] if flag == "--as-service" => true,
        others => anyhow::bail!("{others:?} is not understood; after PRECISION there is --as-service alone"),
    };
    let settings = LoadSettings { precision: PrecisionChoice::parse(precision)?, ..LoadSettings::default() };
    let model = load(Path::new(folder), &settings)?;
    let threads = if as_service { ", the service's threads" } else { "" };
    let setting = format!("{} on {}{threads}", model.info().precision, model.info().device);
    worker::serve(&Hello { setting }, Path::new(inputs), &|texts| {
        let work = || model.embed(texts);
        Ok(if as_service { compute::for_model(work) } else { work() }?)
    })
}
