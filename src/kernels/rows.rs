//! Rows of activations as words: what a product multiplies with the weights.

use super::mathematics::ROUNDING;
use super::{Isa, LANES, Lines, Shared, Word};
use pulp::{Simd, WithSimd};

/// Rows of words, with a scale and a zero point a row where the words are 8-bit numbers: a number stands for
/// `(byte - zero_point) * scale`.
pub struct WordRows {
    kind: Word,
    words: Lines<u32>,
    /// Words from one row to the next.
    stride: usize,
    scales: Vec<f32>,
    zero_points: Vec<i32>,
}

impl Default for WordRows {
    fn default() -> Self {
        Self { kind: Word::F32, words: Lines::default(), stride: 0, scales: Vec::new(), zero_points: Vec::new() }
    }
}

impl WordRows {
    /// Makes room for rows of `width` numbers of this kind, a multiple of [`super::PANEL`]. What was in them is gone.
    pub fn prepare(&mut self, kind: Word, n_rows: usize, width: usize) {
        self.kind = kind;
        self.stride = width / kind.parts();
        self.words.resize(n_rows * self.stride);
        let n_scales = if kind == Word::Int8 { n_rows } else { 0 };
        self.scales.resize(n_scales, 1.0);
        self.zero_points.resize(n_scales, 0);
    }

    pub fn kind(&self) -> Word {
        self.kind
    }

    pub fn stride(&self) -> usize {
        self.stride
    }

    pub fn words(&self) -> &[u32] {
        &self.words
    }

    /// Empty unless the words are 8-bit numbers.
    pub fn scales(&self) -> &[f32] {
        &self.scales
    }

    /// Empty unless the words are 8-bit numbers.
    pub fn zero_points(&self) -> &[i32] {
        &self.zero_points
    }

    /// For threads that each fill rows or columns of their own.
    pub fn shared(&mut self) -> SharedRows<'_> {
        SharedRows {
            kind: self.kind,
            stride: self.stride,
            words: Shared::new(&mut self.words),
            scales: Shared::new(&mut self.scales),
            zero_points: Shared::new(&mut self.zero_points),
        }
    }
}

/// [`WordRows`] that several threads fill.
#[derive(Clone, Copy)]
pub struct SharedRows<'a> {
    pub kind: Word,
    pub stride: usize,
    pub words: Shared<'a, u32>,
    pub scales: Shared<'a, f32>,
    pub zero_points: Shared<'a, i32>,
}

impl SharedRows<'_> {
    /// Packs one row of numbers.
    ///
    /// # Safety
    /// No other thread touches this row now.
    #[expect(unsafe_code, reason = "takes the row out of what is shared")]
    #[inline(always)]
    pub(super) unsafe fn pack<S: Simd>(&self, simd: S, row: usize, numbers: &[f32]) {
        // SAFETY: the caller's promise.
        let words = unsafe { self.words.part(row * self.stride..(row + 1) * self.stride) };
        if self.kind != Word::Int8 {
            let (numbers, _) = S::as_simd_f32s(numbers);
            return pack_words(simd, self.kind, numbers, words);
        }
        let (scale, zero_point) = pack_int8(simd, numbers, words);
        // SAFETY: the caller's promise.
        unsafe {
            self.scales.part(row..row + 1)[0] = scale;
            self.zero_points.part(row..row + 1)[0] = zero_point;
        }
    }
}

/// Packs whole rows, `numbers` being `[n_rows, width]`, `stride` apart.
pub struct Pack<'a> {
    pub numbers: &'a [f32],
    pub stride: usize,
    pub rows: SharedRows<'a>,
    pub first_row: usize,
    pub n_rows: usize,
}

impl Pack<'_> {
    /// # Safety
    /// No other thread touches these rows now.
    #[expect(unsafe_code, reason = "the rows are shared with other threads")]
    pub unsafe fn run(self, isa: Isa) {
        isa.run(self);
    }
}

impl WithSimd for Pack<'_> {
    type Output = ();

    #[expect(unsafe_code, reason = "the rows are shared with other threads")]
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let width = self.rows.stride * self.rows.kind.parts();
        for row in self.first_row..self.first_row + self.n_rows {
            // SAFETY: by the promise of `run`, which alone makes use of this.
            unsafe { self.rows.pack(simd, row, &self.numbers[row * self.stride..][..width]) }
        }
    }
}

/// A row as its vectors, made when they are asked for. (A closure would not be compiled for the vectors' instructions.)
pub(super) trait Vectors<S: Simd>: Copy {
    fn vector(self, simd: S, i: usize) -> S::f32s;
}

impl<S: Simd> Vectors<S> for &[S::f32s] {
    #[inline(always)]
    fn vector(self, _: S, i: usize) -> S::f32s {
        self[i]
    }
}

/// Packs a row into words that need no scale. The words are a multiple of a group.
#[inline(always)]
pub(super) fn pack_words<S: Simd>(simd: S, kind: Word, row: impl Vectors<S>, words: &mut [u32]) {
    let (words, _) = S::as_mut_simd_u32s(words);
    if kind != Word::Bf16 {
        for (i, word) in words.iter_mut().enumerate() {
            *word = simd.transmute_u32s_f32s(row.vector(simd, i));
        }
        return;
    }
    // Vectors from a number to the one 16 columns on, with which it shares a word.
    let apart = LANES / S::F32_LANES;
    for (group, words) in words.chunks_exact_mut(apart).enumerate() {
        for (i, word) in words.iter_mut().enumerate() {
            let low = 2 * group * apart + i;
            *word = bf16_words(simd, row.vector(simd, low), row.vector(simd, low + apart));
        }
    }
}

/// Two vectors into one of words, each number rounded to the nearest bf16.
#[inline(always)]
pub(super) fn bf16_words<S: Simd>(simd: S, low: S::f32s, high: S::f32s) -> S::u32s {
    let half = simd.splat_u32s(0x8000);
    let low = simd.add_u32s(simd.transmute_u32s_f32s(low), half);
    let high = simd.add_u32s(simd.transmute_u32s_f32s(high), half);
    let low = simd.wrapping_dyn_shr_u32s(low, simd.splat_u32s(16));
    simd.or_u32s(low, simd.and_u32s(high, simd.splat_u32s(0xffff_0000)))
}

/// Steps from the lowest to the highest number, and what is added to a zero point before it is rounded. Rounding may put both ends
/// half a step up or down; so much is left of the 255 steps that they still round to bytes, whatever the arithmetic's own error.
const STEPS: f32 = 254.9;
const MARGIN: f32 = 0.05;

/// The row's scale and zero point. Both are multiples of a group: 64 numbers, 16 words.
#[inline(always)]
fn pack_int8<S: Simd>(simd: S, numbers: &[f32], words: &mut [u32]) -> (f32, i32) {
    let (lowest, highest) = range(simd, numbers);
    let scale = if highest > lowest { (highest - lowest) / STEPS } else { 1.0 };
    // Adding and taking away leaves the nearest whole number.
    let zero_point = MARGIN - lowest / scale + ROUNDING - ROUNDING;
    let bytes = Bytes { simd, inverse: simd.splat_f32s(1.0 / scale), rounding: simd.splat_f32s(zero_point + ROUNDING) };
    for (words, numbers) in words.chunks_exact_mut(LANES).zip(numbers.chunks_exact(4 * LANES)) {
        let (a, rest) = numbers.split_at(LANES);
        let (b, rest) = rest.split_at(LANES);
        let (c, d) = rest.split_at(LANES);
        let (low, high) = (
            S::as_simd_f32s(a).0.iter().zip(S::as_simd_f32s(b).0),
            S::as_simd_f32s(c).0.iter().zip(S::as_simd_f32s(d).0),
        );
        for ((word, (&a, &b)), (&c, &d)) in S::as_mut_simd_u32s(words).0.iter_mut().zip(low).zip(high) {
            *word = bytes.word([a, b, c, d]);
        }
    }
    (scale, zero_point as i32)
}

/// The lowest and the highest number, 0 among them.
#[inline(always)]
fn range<S: Simd>(simd: S, numbers: &[f32]) -> (f32, f32) {
    let (mut lowest, mut highest) = (simd.splat_f32s(0.0), simd.splat_f32s(0.0));
    for &x in S::as_simd_f32s(numbers).0 {
        lowest = simd.min_f32s(lowest, x);
        highest = simd.max_f32s(highest, x);
    }
    (simd.reduce_min_f32s(lowest), simd.reduce_max_f32s(highest))
}

/// Numbers into bytes of one scale.
#[derive(Clone, Copy)]
struct Bytes<S: Simd> {
    simd: S,
    inverse: S::f32s,
    /// ROUNDING and the zero point: a whole number as well.
    rounding: S::f32s,
}

impl<S: Simd> Bytes<S> {
    #[inline(always)]
    fn word(self, numbers: [S::f32s; 4]) -> S::u32s {
        let simd = self.simd;
        let [a, b, c, d] = [self.bits(numbers[0]), self.bits(numbers[1]), self.bits(numbers[2]), self.bits(numbers[3])];
        let byte = simd.splat_u32s(0xff);
        let shifted = |x: S::u32s, n_bits: u32| simd.wrapping_dyn_shl_u32s(x, simd.splat_u32s(n_bits));
        let low = simd.or_u32s(simd.and_u32s(a, byte), shifted(simd.and_u32s(b, byte), 8));
        simd.or_u32s(low, simd.or_u32s(shifted(simd.and_u32s(c, byte), 16), shifted(d, 24)))
    }

    /// The nearest whole number stands in the lowest bits of a sum with ROUNDING. It is a byte, so nothing needs clamping.
    #[inline(always)]
    fn bits(self, x: S::f32s) -> S::u32s {
        self.simd.transmute_u32s_f32s(self.simd.mul_add_e_f32s(x, self.inverse, self.rounding))
    }
}
