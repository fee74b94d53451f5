//! Trains a head and asks it about texts it has not seen, for `make evaluate`.
//!
//! `head_worker TRAIN DIMENSION N_LABELS LABELS TEST`: TRAIN and TEST are files of little-endian `f32`, row by row, LABELS is a JSON array of
//! the training rows' labels. Prints `{"probabilities": [[..]], "inverse_penalty", "temperature", "cross_validated": {..}}`.

use anyhow::Context;
use clientele::features::head::{Examples, TrainSettings, train};

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [train_file, dimension, n_labels, labels, test_file] = &arguments[..] else {
        anyhow::bail!("usage: head_worker TRAIN DIMENSION N_LABELS LABELS TEST");
    };
    let dimension: usize = dimension.parse().context("DIMENSION is not a number")?;
    let n_labels: usize = n_labels.parse().context("N_LABELS is not a number")?;
    let labels: Vec<usize> =
        serde_json::from_slice(&std::fs::read(labels)?).context("LABELS is no array of numbers")?;
    let (vectors, test) = (floats(train_file)?, floats(test_file)?);
    let examples = Examples { dimension, vectors: &vectors, labels: &labels, n_labels };
    let trained = train(&examples, TrainSettings { seed: 0 })?;
    let probabilities: Vec<Vec<f64>> =
        test.chunks_exact(dimension).map(|row| trained.head.probabilities(row)).collect();
    let answer = serde_json::json!({
        "probabilities": probabilities,
        "inverse_penalty": trained.inverse_penalty,
        "temperature": trained.head.temperature,
        "cross_validated": trained.cross_validated,
    });
    println!("{answer}");
    Ok(())
}

fn floats(path: &str) -> anyhow::Result<Vec<f32>> {
    let bytes = std::fs::read(path).with_context(|| format!("{path} cannot be read"))?;
    Ok(bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect())
}
