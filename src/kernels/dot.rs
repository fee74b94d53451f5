//! One step of a matrix product: for every lane, the numbers of a row's word times those of a column's, added to the lane's sum.
//!
//! A [`Dot`] is one precision on one instruction set. It is a value that only exists where those instructions do, so its
//! methods need no check of their own.

#![expect(unsafe_code, reason = "vector loads from pointers, and instructions that pulp does not wrap")]

use pulp::Simd;

/// # Safety
/// Implementors promise that `load`, `load_sums` and `store` touch [`Dot::LANES`] words from the pointer on and nothing else.
pub(super) unsafe trait Dot: Copy {
    /// Words of `LANES` columns.
    type Words: Copy;
    /// Sums of `LANES` columns.
    type Sums: Copy;
    const LANES: usize;
    /// Vectors of columns worked on together, for which the registers suffice.
    const VECTORS: usize;

    /// # Safety
    /// `LANES` words can be read there.
    unsafe fn load(self, words: *const u32) -> Self::Words;

    /// One row's word in every lane.
    fn splat(self, word: u32) -> Self::Words;

    /// What sums begin with: 0, or for [`super::Word::Int8`] minus the row's zero point times the sums of the columns, so
    /// that the sum in the end is that of the numbers without their zero point.
    ///
    /// # Safety
    /// `LANES` numbers can be read at `column_sums`, unless it is null.
    unsafe fn start(self, zero_point: i32, column_sums: *const i32) -> Self::Sums;

    fn dot(self, sums: Self::Sums, row: Self::Words, columns: Self::Words) -> Self::Sums;

    /// Writes the sums as `f32`.
    ///
    /// # Safety
    /// `LANES` numbers can be written there.
    unsafe fn store(self, sums: Self::Sums, to: *mut f32);
}

/// `f32` in any vectors that pulp knows.
#[derive(Clone, Copy)]
pub(super) struct F32<S>(pub S);

// SAFETY: reads and writes one vector of S, which has F32_LANES lanes of 32 bits.
unsafe impl<S: Simd> Dot for F32<S> {
    type Words = S::f32s;
    type Sums = S::f32s;
    const LANES: usize = S::F32_LANES;
    const VECTORS: usize = vectors(S::F32_LANES);

    #[inline(always)]
    unsafe fn load(self, words: *const u32) -> S::f32s {
        // SAFETY: the caller says that LANES words can be read; every bit pattern is an f32.
        unsafe { words.cast::<S::f32s>().read_unaligned() }
    }

    #[inline(always)]
    fn splat(self, word: u32) -> S::f32s {
        self.0.splat_f32s(f32::from_bits(word))
    }

    #[inline(always)]
    unsafe fn start(self, _: i32, _: *const i32) -> S::f32s {
        self.0.splat_f32s(0.0)
    }

    #[inline(always)]
    fn dot(self, sums: S::f32s, row: S::f32s, columns: S::f32s) -> S::f32s {
        self.0.mul_add_e_f32s(row, columns, sums)
    }

    #[inline(always)]
    unsafe fn store(self, sums: S::f32s, to: *mut f32) {
        // SAFETY: the caller says that LANES numbers can be written.
        unsafe { to.cast::<S::f32s>().write_unaligned(sums) }
    }
}

/// bf16 where the processor cannot multiply it: both halves of a word widened to `f32`.
#[derive(Clone, Copy)]
pub(super) struct Bf16Widened<S>(pub S);

// SAFETY: as F32.
unsafe impl<S: Simd> Dot for Bf16Widened<S> {
    type Words = (S::f32s, S::f32s);
    type Sums = S::f32s;
    const LANES: usize = S::F32_LANES;
    const VECTORS: usize = vectors(S::F32_LANES);

    #[inline(always)]
    unsafe fn load(self, words: *const u32) -> Self::Words {
        let simd = self.0;
        // SAFETY: the caller says that LANES words can be read.
        let words = unsafe { words.cast::<S::u32s>().read_unaligned() };
        let low = simd.wrapping_dyn_shl_u32s(words, simd.splat_u32s(16));
        let high = simd.and_u32s(words, simd.splat_u32s(0xffff_0000));
        (simd.transmute_f32s_u32s(low), simd.transmute_f32s_u32s(high))
    }

    #[inline(always)]
    fn splat(self, word: u32) -> Self::Words {
        let (low, high) = (f32::from_bits(word << 16), f32::from_bits(word & 0xffff_0000));
        (self.0.splat_f32s(low), self.0.splat_f32s(high))
    }

    #[inline(always)]
    unsafe fn start(self, _: i32, _: *const i32) -> S::f32s {
        self.0.splat_f32s(0.0)
    }

    #[inline(always)]
    fn dot(self, sums: S::f32s, row: Self::Words, columns: Self::Words) -> S::f32s {
        let sums = self.0.mul_add_e_f32s(row.0, columns.0, sums);
        self.0.mul_add_e_f32s(row.1, columns.1, sums)
    }

    #[inline(always)]
    unsafe fn store(self, sums: S::f32s, to: *mut f32) {
        // SAFETY: the caller says that LANES numbers can be written.
        unsafe { to.cast::<S::f32s>().write_unaligned(sums) }
    }
}

/// Tiles are 64 columns wide in the widest vectors and 16 in the others, which have fewer or shorter registers.
const fn vectors(n_lanes: usize) -> usize {
    if n_lanes == super::LANES { 4 } else { super::LANES / n_lanes }
}

/// The numbers of an 8-bit word: unsigned ones of a row, signed ones of a column.
const fn unsigned(word: u32) -> [i32; 4] {
    let [a, b, c, d] = word.to_le_bytes();
    [a as i32, b as i32, c as i32, d as i32]
}

const fn signed(word: u32) -> [i32; 4] {
    let [a, b, c, d] = word.to_le_bytes();
    [a as i8 as i32, b as i8 as i32, c as i8 as i32, d as i8 as i32]
}

/// 8-bit numbers in plain Rust, four lanes at a time.
#[derive(Clone, Copy)]
pub(super) struct PlainInt8;

// SAFETY: reads and writes arrays of four 32-bit numbers.
unsafe impl Dot for PlainInt8 {
    type Words = [u32; 4];
    type Sums = [i32; 4];
    const LANES: usize = 4;
    const VECTORS: usize = 4;

    #[inline(always)]
    unsafe fn load(self, words: *const u32) -> [u32; 4] {
        // SAFETY: the caller says that four words can be read.
        unsafe { words.cast::<[u32; 4]>().read_unaligned() }
    }

    #[inline(always)]
    fn splat(self, word: u32) -> [u32; 4] {
        [word; 4]
    }

    #[inline(always)]
    unsafe fn start(self, zero_point: i32, column_sums: *const i32) -> [i32; 4] {
        if column_sums.is_null() {
            return [0; 4];
        }
        // SAFETY: it is not null, so the caller says that four numbers can be read.
        unsafe { column_sums.cast::<[i32; 4]>().read_unaligned() }.map(|sum| -zero_point * sum)
    }

    #[inline(always)]
    fn dot(self, sums: [i32; 4], row: [u32; 4], columns: [u32; 4]) -> [i32; 4] {
        std::array::from_fn(|lane| {
            let (row, column) = (unsigned(row[lane]), signed(columns[lane]));
            sums[lane] + row[0] * column[0] + row[1] * column[1] + row[2] * column[2] + row[3] * column[3]
        })
    }

    #[inline(always)]
    unsafe fn store(self, sums: [i32; 4], to: *mut f32) {
        // SAFETY: the caller says that four numbers can be written.
        unsafe { to.cast::<[f32; 4]>().write_unaligned(sums.map(|sum| sum as f32)) }
    }
}

#[cfg(target_arch = "x86_64")]
pub(super) mod x86 {
    //! The instructions that multiply bf16 and 8-bit numbers, and what stands in for them where they are missing.

    use super::Dot;
    use std::arch::x86_64::*;

    /// bf16 by `vdpbf16ps`. Made only inside functions compiled for AVX512_BF16.
    #[derive(Clone, Copy)]
    pub struct Bf16;

    // SAFETY: reads and writes one 512-bit vector. Values of the type are made where AVX512_BF16 is there.
    unsafe impl Dot for Bf16 {
        type Words = __m512i;
        type Sums = __m512;
        const LANES: usize = 16;
        const VECTORS: usize = 4;

        #[inline(always)]
        unsafe fn load(self, words: *const u32) -> __m512i {
            // SAFETY: the caller says that 16 words can be read.
            unsafe { _mm512_loadu_si512(words.cast()) }
        }

        #[inline(always)]
        fn splat(self, word: u32) -> __m512i {
            // SAFETY: the type's promise.
            unsafe { _mm512_set1_epi32(word as i32) }
        }

        #[inline(always)]
        unsafe fn start(self, _: i32, _: *const i32) -> __m512 {
            // SAFETY: the type's promise.
            unsafe { _mm512_setzero_ps() }
        }

        #[inline(always)]
        fn dot(self, sums: __m512, row: __m512i, columns: __m512i) -> __m512 {
            // SAFETY: the type's promise; both types are 512 bits without invalid patterns.
            unsafe {
                let (row, columns) =
                    (std::mem::transmute::<__m512i, __m512bh>(row), std::mem::transmute::<__m512i, __m512bh>(columns));
                _mm512_dpbf16_ps(sums, row, columns)
            }
        }

        #[inline(always)]
        unsafe fn store(self, sums: __m512, to: *mut f32) {
            // SAFETY: the caller says that 16 numbers can be written.
            unsafe { _mm512_storeu_ps(to, sums) }
        }
    }

    /// 8-bit numbers by `vpdpbusd`. Made only inside functions compiled for AVX512_VNNI.
    #[derive(Clone, Copy)]
    pub struct Int8;

    // SAFETY: reads and writes one 512-bit vector. Values of the type are made where AVX512_VNNI is there.
    unsafe impl Dot for Int8 {
        type Words = __m512i;
        type Sums = __m512i;
        const LANES: usize = 16;
        const VECTORS: usize = 4;

        #[inline(always)]
        unsafe fn load(self, words: *const u32) -> __m512i {
            // SAFETY: the caller says that 16 words can be read.
            unsafe { _mm512_loadu_si512(words.cast()) }
        }

        #[inline(always)]
        fn splat(self, word: u32) -> __m512i {
            // SAFETY: the type's promise.
            unsafe { _mm512_set1_epi32(word as i32) }
        }

        #[inline(always)]
        unsafe fn start(self, zero_point: i32, column_sums: *const i32) -> __m512i {
            // SAFETY: the type's promise, and the caller says that 16 numbers can be read where it is not null.
            unsafe {
                if column_sums.is_null() {
                    return _mm512_setzero_si512();
                }
                _mm512_mullo_epi32(_mm512_set1_epi32(-zero_point), _mm512_loadu_si512(column_sums.cast()))
            }
        }

        #[inline(always)]
        fn dot(self, sums: __m512i, row: __m512i, columns: __m512i) -> __m512i {
            // SAFETY: the type's promise.
            unsafe { _mm512_dpbusd_epi32(sums, row, columns) }
        }

        #[inline(always)]
        unsafe fn store(self, sums: __m512i, to: *mut f32) {
            // SAFETY: the caller says that 16 numbers can be written.
            unsafe { _mm512_storeu_ps(to, _mm512_cvtepi32_ps(sums)) }
        }
    }

    /// 8-bit numbers without VNNI: odd and even ones widened to 16 bits, in which no sum of two products overflows into
    /// another. (`vpmaddubsw` would be shorter, but it saturates.) Made only inside functions compiled for AVX2.
    #[derive(Clone, Copy)]
    pub struct Int8Widened;

    // SAFETY: reads and writes one 256-bit vector. Values of the type are made where AVX2 is there.
    unsafe impl Dot for Int8Widened {
        /// Even and odd numbers, 16 bits each.
        type Words = (__m256i, __m256i);
        type Sums = __m256i;
        const LANES: usize = 8;
        const VECTORS: usize = 2;

        #[inline(always)]
        unsafe fn load(self, words: *const u32) -> Self::Words {
            // SAFETY: the caller says that 8 words can be read.
            unsafe {
                let words = _mm256_loadu_si256(words.cast());
                (_mm256_srai_epi16::<8>(_mm256_slli_epi16::<8>(words)), _mm256_srai_epi16::<8>(words))
            }
        }

        #[inline(always)]
        fn splat(self, word: u32) -> Self::Words {
            // SAFETY: the type's promise.
            unsafe {
                (_mm256_set1_epi32((word & 0x00ff_00ff) as i32), _mm256_set1_epi32((word >> 8 & 0x00ff_00ff) as i32))
            }
        }

        #[inline(always)]
        unsafe fn start(self, zero_point: i32, column_sums: *const i32) -> __m256i {
            // SAFETY: the type's promise, and the caller says that 8 numbers can be read where it is not null.
            unsafe {
                if column_sums.is_null() {
                    return _mm256_setzero_si256();
                }
                _mm256_mullo_epi32(_mm256_set1_epi32(-zero_point), _mm256_loadu_si256(column_sums.cast()))
            }
        }

        #[inline(always)]
        fn dot(self, sums: __m256i, row: Self::Words, columns: Self::Words) -> __m256i {
            // SAFETY: the type's promise.
            unsafe {
                let sums = _mm256_add_epi32(sums, _mm256_madd_epi16(row.0, columns.0));
                _mm256_add_epi32(sums, _mm256_madd_epi16(row.1, columns.1))
            }
        }

        #[inline(always)]
        unsafe fn store(self, sums: __m256i, to: *mut f32) {
            // SAFETY: the caller says that 8 numbers can be written.
            unsafe { _mm256_storeu_ps(to, _mm256_cvtepi32_ps(sums)) }
        }
    }
}
