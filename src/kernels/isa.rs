//! Which instructions the processor has, found out when the program starts; `CLIENTELE_ISA` forces a lower level.

use pulp::{Scalar, Simd, WithSimd};
use std::fmt;

/// Levels of vector instructions, lowest first. A level above the plain one includes what the machine's lower ones can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Isa {
    /// Plain Rust, for any processor.
    Plain,
    /// aarch64's 128-bit vectors.
    Neon,
    /// AVX2 with FMA.
    Avx2,
    /// AVX-512 F, BW, CD, DQ and VL.
    Avx512,
    /// The same with products of 8-bit numbers (VNNI).
    Avx512Vnni,
    /// The same with products of bf16 numbers.
    Avx512Bf16,
}

const ALL: [Isa; 6] = [Isa::Plain, Isa::Neon, Isa::Avx2, Isa::Avx512, Isa::Avx512Vnni, Isa::Avx512Bf16];

impl Isa {
    /// What this machine has, lowest first.
    pub fn supported() -> Vec<Self> {
        ALL.into_iter().filter(|isa| isa.is_supported()).collect()
    }

    /// The highest level of this machine.
    pub fn best() -> Self {
        ALL.into_iter().rev().find(|isa| isa.is_supported()).unwrap_or(Self::Plain)
    }

    /// The level `CLIENTELE_ISA` names, or the best one.
    ///
    /// # Errors
    /// A sentence that says which levels there are.
    pub fn chosen() -> Result<Self, String> {
        match std::env::var("CLIENTELE_ISA") {
            Ok(name) if !name.is_empty() => Self::parse(&name).map_err(|why| format!("CLIENTELE_ISA: {why}")),
            _ => Ok(Self::best()),
        }
    }

    fn parse(name: &str) -> Result<Self, String> {
        let found = Self::supported().into_iter().find(|isa| isa.name() == name);
        found.ok_or_else(|| {
            let names: Vec<&str> = Self::supported().into_iter().map(Self::name).collect();
            format!("{name:?} is not one of this machine's levels: {}", names.join(", "))
        })
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Neon => "neon",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
            Self::Avx512Vnni => "avx512-vnni",
            Self::Avx512Bf16 => "avx512-bf16",
        }
    }

    #[cfg(target_arch = "x86_64")]
    fn is_supported(self) -> bool {
        let avx512 = || pulp::x86::V4::try_new().is_some();
        let vnni = || avx512() && std::arch::is_x86_feature_detected!("avx512vnni");
        match self {
            Self::Plain => true,
            Self::Neon => false,
            Self::Avx2 => pulp::x86::V3::try_new().is_some(),
            Self::Avx512 => avx512(),
            Self::Avx512Vnni => vnni(),
            Self::Avx512Bf16 => vnni() && std::arch::is_x86_feature_detected!("avx512bf16"),
        }
    }

    #[cfg(target_arch = "aarch64")]
    fn is_supported(self) -> bool {
        match self {
            Self::Plain => true,
            Self::Neon => pulp::aarch64::Neon::try_new().is_some(),
            _ => false,
        }
    }

    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    fn is_supported(self) -> bool {
        self == Self::Plain
    }

    /// Runs vector code in this level's vectors.
    #[inline]
    pub fn run<W: WithSimd>(self, work: W) -> W::Output {
        #[cfg(target_arch = "x86_64")]
        {
            if self >= Self::Avx512
                && let Some(simd) = pulp::x86::V4::try_new()
            {
                return Simd::vectorize(simd, work);
            }
            if self >= Self::Avx2
                && let Some(simd) = pulp::x86::V3::try_new()
            {
                return Simd::vectorize(simd, work);
            }
        }
        #[cfg(target_arch = "aarch64")]
        if self == Self::Neon
            && let Some(simd) = pulp::aarch64::Neon::try_new()
        {
            return Simd::vectorize(simd, work);
        }
        Scalar.vectorize(work)
    }
}

impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
