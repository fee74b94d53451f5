//! Safetensors files into `f32` tensors, by name and with their shapes checked.

use crate::embed::EmbedError;
use candle_core::{DType, Device, Tensor};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use std::path::{Path, PathBuf};

/// One weights file in memory. Read whole rather than mapped: a file that changes under a map is undefined behaviour.
pub struct Shard {
    pub file: PathBuf,
    pub bytes: Vec<u8>,
}

impl Shard {
    pub fn read(file: &Path) -> Result<Self, EmbedError> {
        let bytes = std::fs::read(file)
            .map_err(|error| EmbedError::BadFile { file: file.to_path_buf(), why: error.to_string() })?;
        Ok(Self { file: file.to_path_buf(), bytes })
    }
}

/// The tensors of all the shards, under the names they have without the family's prefix.
pub struct Weights<'a> {
    shards: Vec<(&'a Path, SafeTensors<'a>)>,
    /// `""`, `bert.`, `roberta.`, …: what the exporter put before every name.
    prefix: String,
}

/// Every family has this table, so what stands before its name is the prefix of all the others.
const WORDS: &str = "embeddings.word_embeddings.weight";

impl<'a> Weights<'a> {
    pub fn open(shards: &'a [Shard]) -> Result<Self, EmbedError> {
        let mut parsed = Vec::with_capacity(shards.len());
        for shard in shards {
            let tensors = SafeTensors::deserialize(&shard.bytes).map_err(|error| EmbedError::BadFile {
                file: shard.file.clone(),
                why: format!("not a whole safetensors file ({error}); fetch it again"),
            })?;
            parsed.push((shard.file.as_path(), tensors));
        }
        let names = parsed.iter().flat_map(|(_, tensors)| tensors.names());
        let prefix = names.filter_map(|name| name.strip_suffix(WORDS)).min_by_key(|prefix| prefix.len());
        let prefix = prefix.unwrap_or_default().to_owned();
        Ok(Self { shards: parsed, prefix })
    }

    /// The tensor of that name as `f32`, which must have that shape.
    pub fn get(&self, name: &str, shape: &[usize]) -> Result<Tensor, EmbedError> {
        let (file, view) = self.find(name).ok_or_else(|| self.missing(name))?;
        if view.shape() != shape {
            let found = view.shape();
            return Err(bad(file, format!("{name} has the shape {found:?}, but config.json asks for {shape:?}")));
        }
        widen(&view).map_err(|why| bad(file, format!("{name}: {why}")))
    }

    /// As [`Weights::get`] for a table whose number of rows the file decides: `[n_rows, n_columns]`.
    pub fn get_table(&self, name: &str, n_columns: usize) -> Result<Tensor, EmbedError> {
        let n_rows = self.find(name).and_then(|(_, view)| view.shape().first().copied()).unwrap_or_default();
        self.get(name, &[n_rows, n_columns])
    }

    /// The scale and the shift of a layer normalisation, under their names of today or those of TensorFlow's exports.
    pub fn get_norm(&self, name: &str, size: usize) -> Result<(Tensor, Tensor), EmbedError> {
        let (mut scale, mut shift) = (format!("{name}.weight"), format!("{name}.bias"));
        if self.find(&scale).is_none() && self.find(&format!("{name}.gamma")).is_some() {
            (scale, shift) = (format!("{name}.gamma"), format!("{name}.beta"));
        }
        Ok((self.get(&scale, &[size])?, self.get(&shift, &[size])?))
    }

    fn find(&self, name: &str) -> Option<(&'a Path, TensorView<'_>)> {
        let full = format!("{}{name}", self.prefix);
        self.shards.iter().find_map(|(file, tensors)| Some((*file, tensors.tensor(&full).ok()?)))
    }

    fn missing(&self, name: &str) -> EmbedError {
        let file = self.shards.first().map_or_else(PathBuf::new, |(file, _)| file.to_path_buf());
        EmbedError::BadFile { file, why: format!("lacks the tensor {}{name}, which config.json asks for", self.prefix) }
    }
}

fn bad(file: &Path, why: String) -> EmbedError {
    EmbedError::BadFile { file: file.to_path_buf(), why }
}

fn widen(view: &TensorView<'_>) -> Result<Tensor, String> {
    let dtype = match view.dtype() {
        Dtype::F16 => DType::F16,
        Dtype::BF16 => DType::BF16,
        Dtype::F32 => DType::F32,
        Dtype::F64 => DType::F64,
        other => return Err(format!("{other:?} weights are not supported; f16, bf16 and f32 are")),
    };
    Tensor::from_raw_buffer(view.data(), dtype, view.shape(), &Device::Cpu)
        .and_then(|tensor| tensor.to_dtype(DType::F32))
        .map_err(|error| error.to_string())
}
