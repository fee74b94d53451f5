//! Which precision each product of a model runs in, and on which instructions or device.

use super::config::BertConfig;
use crate::embed::{EmbedError, Precision, PrecisionChoice};
use crate::kernels::{HeadShape, Isa, PANEL, Word};

/// How a model is to be packed for the processor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    pub isa: Isa,
    pub precision: Precision,
}

/// The kind of words of each product of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LayerKinds {
    pub qkv: Word,
    pub output: Word,
    pub up: Word,
    pub down: Word,
}

impl Plan {
    /// # Errors
    /// [`EmbedError::Device`]: the processor has no such precision, or `CLIENTELE_ISA` is not one of its levels.
    pub fn choose(choice: PrecisionChoice) -> Result<Self, EmbedError> {
        let isa = Isa::chosen().map_err(EmbedError::Device)?;
        let precision = match choice {
            PrecisionChoice::Auto if isa == Isa::Avx512Bf16 => Precision::Bf16,
            PrecisionChoice::Auto => Precision::F32,
            PrecisionChoice::Exactly(Precision::F16) => {
                let why = "the precision f16 is for CUDA; choose auto, f32, bf16 or int8 on a processor";
                return Err(EmbedError::Device(why.into()));
            }
            PrecisionChoice::Exactly(precision) => precision,
        };
        Ok(Self { isa, precision })
    }

    /// Whether everything is in `f32`.
    pub fn is_exact(self) -> bool {
        self.precision == Precision::F32
    }

    /// Attention is in bf16 where the model is not exact and the processor multiplies bf16 natively.
    pub fn heads(self, config: &BertConfig) -> HeadShape {
        let native = self.isa == Isa::Avx512Bf16;
        HeadShape {
            n_heads: config.n_heads,
            head_size: config.hidden_size / config.n_heads,
            kind: if native && !self.is_exact() { Word::Bf16 } else { Word::F32 },
        }
    }

    pub fn kinds(self, _number: usize, _n_layers: usize) -> LayerKinds {
        let all = |kind| LayerKinds { qkv: kind, output: kind, up: kind, down: kind };
        match self.precision {
            Precision::F32 | Precision::F16 => all(Word::F32),
            Precision::Bf16 => all(Word::Bf16),
            Precision::Int8 => all(Word::Int8),
        }
    }
}

/// What a GPU computes in.
///
/// # Errors
/// [`EmbedError::Device`]: a GPU has no such precision here.
pub fn device_precision(choice: PrecisionChoice) -> Result<Precision, EmbedError> {
    match choice {
        PrecisionChoice::Auto => Ok(Precision::F16),
        PrecisionChoice::Exactly(Precision::Int8) => {
            let why = "the precision int8 is for processors; choose auto, f16, bf16 or f32 on CUDA, or the device cpu";
            Err(EmbedError::Device(why.into()))
        }
        PrecisionChoice::Exactly(precision) => Ok(precision),
    }
}

/// The columns of a buffer that holds `n` numbers in their own order, padded to whole panels.
pub fn outputs_in_order(n: usize) -> Vec<Option<usize>> {
    (0..n.next_multiple_of(PANEL)).map(|column| (column < n).then_some(column)).collect()
}
