//! The numbers a model computes with: what was asked for, and what runs.

use super::EmbedError;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What the matrix products of a loaded model are computed in. Sums, normalisations and what leaves the model are `f32` always.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    F32,
    /// Weights and activations in bfloat16, sums in `f32`.
    Bf16,
    /// Weights as 8-bit whole numbers with a scale a column, activations with a scale a token, sums in `i32`.
    Int8,
    /// IEEE half precision; on CUDA only.
    F16,
}

/// The precision asked for on the command line or in the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PrecisionChoice {
    /// The fastest one that leaves vectors as they are to three decimals of their cosine: bf16 where the processor multiplies
    /// it natively, f16 on CUDA, else f32. Never int8.
    #[default]
    Auto,
    Exactly(Precision),
}

impl Precision {
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
            Self::Int8 => "int8",
            Self::F16 => "f16",
        }
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl PrecisionChoice {
    /// Reads `auto`, `f32`, `bf16`, `int8` or `f16`.
    ///
    /// # Errors
    /// [`EmbedError::Device`] for anything else.
    pub fn parse(text: &str) -> Result<Self, EmbedError> {
        match text.trim() {
            "auto" => Ok(Self::Auto),
            "f32" => Ok(Self::Exactly(Precision::F32)),
            "bf16" => Ok(Self::Exactly(Precision::Bf16)),
            "int8" => Ok(Self::Exactly(Precision::Int8)),
            "f16" => Ok(Self::Exactly(Precision::F16)),
            _ => Err(EmbedError::Device(format!("the precision {text:?} is not one of auto, f32, bf16, int8, f16"))),
        }
    }
}

impl fmt::Display for PrecisionChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Exactly(precision) => precision.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn precisions_are_read_and_written_back_and_others_are_refused_with_the_list() {
        for text in ["auto", "f32", "bf16", "int8", "f16"] {
            assert_eq!(PrecisionChoice::parse(text).unwrap().to_string(), text);
        }
        for text in ["", "fp32", "int4", "F32", "half"] {
            let error = PrecisionChoice::parse(text).unwrap_err().to_string();
            assert!(error.contains("auto, f32, bf16, int8, f16"), "{text:?}: {error}");
        }
    }
}
