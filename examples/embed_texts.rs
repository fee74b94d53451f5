//! Embeds a JSON array of texts with a model folder, says how fast that was, and writes the vectors as safetensors.
//!
//! `cargo run --release --example embed_texts -- MODEL_FOLDER TEXTS.json VECTORS.safetensors [ROUNDS]`
//!
//! `tests/reference/compare_real.py` compares what it writes with what sentence-transformers gives.

use anyhow::Context;
use clientele::embed::{Embedder, LoadSettings, load};
use safetensors::tensor::{Dtype, TensorView};
use std::path::Path;
use std::time::Instant;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, texts, vectors, rounds @ ..] = &arguments[..] else {
        anyhow::bail!("usage: embed_texts MODEL_FOLDER TEXTS.json VECTORS.safetensors [ROUNDS]");
    };
    let n_rounds: usize = rounds.first().map_or(Ok(1), |rounds| rounds.parse()).context("ROUNDS is not a number")?;
    let texts: Vec<String> =
        serde_json::from_slice(&std::fs::read(texts)?).context("TEXTS is not an array of strings")?;
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();

    let started = Instant::now();
    let model = load(Path::new(folder), &LoadSettings::default())?;
    println!("{:?}", model.info());
    println!("loaded in {:.2} s", started.elapsed().as_secs_f64());

    let mut embeddings = model.embed(&[])?;
    for _ in 0..n_rounds {
        let started = Instant::now();
        embeddings = model.embed(&texts)?;
        let seconds = started.elapsed().as_secs_f64();
        let (texts_per_s, tokens_per_s) = (texts.len() as f64 / seconds, embeddings.n_tokens as f64 / seconds);
        println!(
            "{} texts, {} tokens, {} cut, in {seconds:.2} s: {texts_per_s:.1} texts/s, {tokens_per_s:.0} tokens/s",
            texts.len(),
            embeddings.n_tokens,
            embeddings.n_truncated
        );
    }
    let bytes: Vec<u8> = embeddings.values.iter().flat_map(|value| value.to_le_bytes()).collect();
    let view = TensorView::new(Dtype::F32, vec![texts.len(), embeddings.dimension], &bytes)?;
    safetensors::serialize_to_file([("vectors", view)], None, Path::new(vectors))?;
    Ok(())
}
