//! Where the tests find models and recorded vectors. The tiny ones are in the repository; the real ones may be missing, and
//! then a test says that it is skipped.

use safetensors::SafeTensors;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// One tiny model of random weights a family, each in another layout: see `tests/reference/make_reference.py`.
pub const TINY: [&str; 4] = ["bert", "roberta", "xlm-roberta", "distilbert"];

/// all-MiniLM-L6-v2, from `CLIENTELE_MODELS_DIR` or `models/`.
pub fn minilm() -> Option<PathBuf> {
    let chosen = std::env::var_os("CLIENTELE_MODELS_DIR").map(PathBuf::from);
    let places = chosen.into_iter().chain([root().join("models")]);
    first_model("all-MiniLM-L6-v2", places.map(|place| place.join("all-MiniLM-L6-v2")))
}

/// multilingual-e5-small cut to Chinese and English, which stands beside the project where it is present.
pub fn e5() -> Option<PathBuf> {
    let name = "multilingual-e5-small-zh-en";
    first_model(name, std::iter::once(root().join("../shared/models").join(name)))
}

pub fn tiny(family: &str) -> PathBuf {
    reference_folder().join("tiny").join(family)
}

/// The texts of a JSON array under `tests/reference`.
pub fn texts(file: &str) -> Vec<String> {
    serde_json::from_slice(&std::fs::read(reference_folder().join(file)).unwrap()).unwrap()
}

/// What Python's implementation gave.
pub struct Recorded {
    /// `[n_texts, dimension]`
    pub vectors: Vec<Vec<f32>>,
    pub n_tokens: Vec<usize>,
    pub truncated: Vec<bool>,
    /// Versions, and what the vectors were made with.
    pub about: HashMap<String, String>,
}

impl Recorded {
    /// Reads a file under `tests/reference`.
    pub fn read(file: &str) -> Self {
        let bytes = std::fs::read(reference_folder().join(file)).unwrap();
        let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
        let tensors = SafeTensors::deserialize(&bytes).unwrap();
        let words = |name: &str| -> Vec<[u8; 4]> {
            tensors.tensor(name).unwrap().data().chunks_exact(4).map(|word| word.try_into().unwrap()).collect()
        };
        let dimension = tensors.tensor("vectors").unwrap().shape()[1];
        let numbers: Vec<f32> = words("vectors").into_iter().map(f32::from_le_bytes).collect();
        Self {
            vectors: numbers.chunks_exact(dimension).map(<[f32]>::to_vec).collect(),
            n_tokens: words("n_tokens").into_iter().map(|word| u32::from_le_bytes(word) as usize).collect(),
            truncated: tensors.tensor("truncated").unwrap().data().iter().map(|&flag| flag == 1).collect(),
            about: header.metadata().clone().unwrap_or_default(),
        }
    }

    /// Which versions made it, in one line.
    pub fn versions(&self) -> String {
        let mut parts: Vec<String> = self.about.iter().map(|(key, value)| format!("{key} {value:?}")).collect();
        parts.sort();
        parts.join(", ")
    }
}

pub fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

fn first_model(name: &str, mut places: impl Iterator<Item = PathBuf>) -> Option<PathBuf> {
    let found = places.find(|place| place.join("config.json").is_file());
    if found.is_none() {
        println!("skipped: the model {name} is missing");
    }
    found
}

fn reference_folder() -> PathBuf {
    root().join("tests/reference")
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
