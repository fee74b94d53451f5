//! The most this machine's processor does, measured: multiply-adds on registers alone, on every core at once.
//!
//! `peak [SECONDS_EACH]` prints `{"f32": GOP/s, "bf16": GOP/s, "int8": GOP/s, "threads": n}`; a multiplication and an addition
//! are two operations, and what the processor has no instruction for is null. `make bench-embed` sets every entry beside it.

use serde::Serialize;
use std::sync::Barrier;
use std::time::{Duration, Instant};

/// A loop of multiply-adds; it says how many operations it did.
type Burst = fn() -> u64;

#[derive(Serialize)]
struct Peak {
    f32: Option<f64>,
    bf16: Option<f64>,
    int8: Option<f64>,
    threads: usize,
}

fn main() -> anyhow::Result<()> {
    let seconds = std::env::args().nth(1).map_or(Ok(0.3), |text| text.parse())?;
    let each = Duration::try_from_secs_f64(seconds)?;
    let threads = std::thread::available_parallelism()?.get();
    let measure = |burst: Option<Burst>| burst.map(|burst| giga_per_second(burst, each, threads));
    let [f32, bf16, int8] = bursts().map(measure);
    println!("{}", serde_json::to_string(&Peak { f32, bf16, int8, threads })?);
    Ok(())
}

/// Billions of operations a second of all threads together.
fn giga_per_second(burst: Burst, each: Duration, threads: usize) -> f64 {
    let start = Barrier::new(threads);
    let one = || {
        burst();
        start.wait();
        let started = Instant::now();
        let mut operations = 0;
        while started.elapsed() < each {
            operations += burst();
        }
        operations as f64 / started.elapsed().as_secs_f64() / 1e9
    };
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(one)).collect();
        running.into_iter().filter_map(|thread| thread.join().ok()).sum()
    })
}

#[cfg(not(target_arch = "x86_64"))]
fn bursts() -> [Option<Burst>; 3] {
    [None, None, None]
}

#[cfg(target_arch = "x86_64")]
fn bursts() -> [Option<Burst>; 3] {
    x86::bursts()
}

#[cfg(target_arch = "x86_64")]
#[expect(unsafe_code, reason = "instructions that are called only after the processor was asked whether it has them")]
mod x86 {
    use super::Burst;
    use std::arch::is_x86_feature_detected as has;
    use std::arch::x86_64::*;
    use std::hint::black_box;

    /// Independent sums, so that no instruction waits for the one before: four cycles of latency, two units.
    const N_SUMS: usize = 12;
    const N_LOOPS: usize = 20_000;
    const N_INSTRUCTIONS: u64 = (N_SUMS * N_LOOPS) as u64;

    pub fn bursts() -> [Option<Burst>; 3] {
        let f32: Option<Burst> = if has!("avx512f") {
            Some(|| unsafe { f32_avx512() })
        } else if has!("avx2") && has!("fma") {
            Some(|| unsafe { f32_avx2() })
        } else {
            None
        };
        let bf16: Option<Burst> = has!("avx512bf16").then_some(|| unsafe { bf16_avx512() });
        let int8: Option<Burst> = has!("avx512vnni").then_some(|| unsafe { int8_avx512() });
        [f32, bf16, int8]
    }

    #[target_feature(enable = "avx512f")]
    fn f32_avx512() -> u64 {
        let (a, b) = (_mm512_set1_ps(black_box(0.999)), _mm512_set1_ps(black_box(0.001)));
        let mut sums = [_mm512_setzero_ps(); N_SUMS];
        for _ in 0..N_LOOPS {
            for sum in &mut sums {
                *sum = _mm512_fmadd_ps(*sum, a, b);
            }
        }
        black_box(sums);
        N_INSTRUCTIONS * 32
    }

    #[target_feature(enable = "avx2,fma")]
    fn f32_avx2() -> u64 {
        let (a, b) = (_mm256_set1_ps(black_box(0.999)), _mm256_set1_ps(black_box(0.001)));
        let mut sums = [_mm256_setzero_ps(); N_SUMS];
        for _ in 0..N_LOOPS {
            for sum in &mut sums {
                *sum = _mm256_fmadd_ps(*sum, a, b);
            }
        }
        black_box(sums);
        N_INSTRUCTIONS * 16
    }

    #[target_feature(enable = "avx512f,avx512bf16")]
    fn bf16_avx512() -> u64 {
        let one = _mm512_set1_ps(black_box(0.01));
        let pairs = _mm512_cvtne2ps_pbh(one, one);
        let mut sums = [_mm512_setzero_ps(); N_SUMS];
        for _ in 0..N_LOOPS {
            for sum in &mut sums {
                *sum = _mm512_dpbf16_ps(*sum, pairs, pairs);
            }
        }
        black_box(sums);
        N_INSTRUCTIONS * 64
    }

    #[target_feature(enable = "avx512f,avx512vnni")]
    fn int8_avx512() -> u64 {
        let (a, b) = (_mm512_set1_epi8(black_box(3)), _mm512_set1_epi8(black_box(-2)));
        let mut sums = [_mm512_setzero_si512(); N_SUMS];
        for _ in 0..N_LOOPS {
            for sum in &mut sums {
                *sum = _mm512_dpbusd_epi32(*sum, a, b);
            }
        }
        black_box(sums);
        N_INSTRUCTIONS * 128
    }
}
