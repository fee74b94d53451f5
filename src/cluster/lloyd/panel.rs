//! Points as the processor's words, 64 side by side, so that a score is a sum down the lanes.

use super::super::geometry::{Points, dot};
use crate::kernels::{Lines, Word};
use pulp::{Arch, Simd, WithSimd};
use std::ops::Range;

/// Points of a panel: lanes of the widest tile.
pub(super) const LANES: usize = 64;
/// Rows packed before they are turned into lanes.
const STRIP: usize = 16;

/// 64 points, and their labels in every fit. Lanes beyond the last point are zero.
#[derive(Default)]
pub(super) struct Panel {
    /// `[depth, 64]`
    pub words: Lines<u32>,
    /// ‖x - x̂‖ of each point: what rounding took away.
    pub errors: Vec<f32>,
    /// ‖x̂‖ of each point.
    pub lengths: Vec<f32>,
    /// Σ ‖x‖², once it is measured.
    pub squares: f64,
    pub measured: bool,
    /// `[fit, 64]`
    pub labels: Vec<u32>,
}

/// Words of a point: a word holds as many numbers as it can, `depth` columns apart.
pub(super) fn depth(word: Word, dimension: usize) -> usize {
    dimension.div_ceil(word.parts())
}

impl Panel {
    /// Measures these rows.
    pub fn measure(&mut self, points: &Points<'_>, rows: Range<usize>) {
        self.squares = rows.map(|row| squares(points.row(row))).sum();
        self.measured = true;
    }

    /// Packs these rows, and measures them.
    pub fn pack(&mut self, arch: Arch, word: Word, points: &Points<'_>, rows: Range<usize>) {
        let depth = depth(word, points.dimension());
        (self.squares, self.measured) = (0.0, true);
        self.words = Lines::zeros(depth * LANES);
        (self.errors, self.lengths) = (vec![0.0; LANES], vec![0.0; LANES]);
        let mut strip = vec![0u32; STRIP * depth];
        for first in rows.clone().step_by(STRIP) {
            let (lane, n_rows) = (first - rows.start, STRIP.min(rows.end - first));
            arch.dispatch(PackRows { panel: self, word, points, rows: first..first + n_rows, lane, strip: &mut strip });
            turn(&strip, depth, n_rows, lane, &mut self.words);
        }
    }
}

/// Packs some rows into the strip. (A closure would not be compiled for the vectors' instructions.)
struct PackRows<'a> {
    panel: &'a mut Panel,
    word: Word,
    points: &'a Points<'a>,
    rows: Range<usize>,
    lane: usize,
    /// `[16, depth]`
    strip: &'a mut [u32],
}

impl WithSimd for PackRows<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let depth = self.strip.len() / STRIP;
        for ((i, row), words) in self.rows.enumerate().zip(self.strip.chunks_exact_mut(depth)) {
            let x = self.points.row(row);
            let (error, length) = pack_row(self.word, x, words);
            self.panel.errors[self.lane + i] = error;
            self.panel.lengths[self.lane + i] = length;
            self.panel.squares += squares(x);
        }
    }
}

/// Row i of the strip becomes lane `lane + i`.
fn turn(strip: &[u32], depth: usize, n_rows: usize, lane: usize, words: &mut [u32]) {
    for (at, words) in words.chunks_exact_mut(LANES).enumerate() {
        let words = &mut words[lane..lane + n_rows];
        words.iter_mut().enumerate().for_each(|(i, word)| *word = strip[i * depth + at]);
    }
}

/// Packs a row; gives ‖x - x̂‖ and ‖x̂‖.
#[inline(always)]
pub(super) fn pack_row(word: Word, row: &[f32], words: &mut [u32]) -> (f32, f32) {
    if word == Word::F32 {
        words.iter_mut().zip(row).for_each(|(word, value)| *word = value.to_bits());
        return (0.0, dot(row, row).sqrt());
    }
    let (low, high) = row.split_at(words.len());
    words.iter_mut().zip(low).for_each(|(word, &value)| *word = bf16_bits(value) >> 16);
    words.iter_mut().zip(high).for_each(|(word, &value)| *word |= bf16_bits(value));
    let [error, length] = rounded_away(row);
    // The sums of squares are rounded themselves.
    (error.sqrt() * 1.001, length.sqrt() * 1.001)
}

/// Σ (x - x̂)² and Σ x̂², sixteen sums side by side.
#[inline(always)]
fn rounded_away(row: &[f32]) -> [f32; 2] {
    let (mut errors, mut lengths) = ([0f32; 16], [0f32; 16]);
    let (whole, rest) = row.as_chunks::<16>();
    let mut tail = [0f32; 16];
    tail[..rest.len()].copy_from_slice(rest);
    for values in whole.iter().chain([&tail]) {
        for lane in 0..16 {
            let back = f32::from_bits(bf16_bits(values[lane]));
            errors[lane] += (values[lane] - back) * (values[lane] - back);
            lengths[lane] += back * back;
        }
    }
    [errors.iter().sum(), lengths.iter().sum()]
}

/// The nearest bf16 as the upper half of an f32, ties to even.
#[inline(always)]
fn bf16_bits(value: f32) -> u32 {
    let bits = value.to_bits();
    (bits + 0x7fff + (bits >> 16 & 1)) & 0xffff_0000
}

#[inline(always)]
fn squares(row: &[f32]) -> f64 {
    let mut sums = [0f64; 8];
    let (whole, rest) = row.as_chunks::<8>();
    for values in whole {
        for lane in 0..8 {
            sums[lane] += f64::from(values[lane]) * f64::from(values[lane]);
        }
    }
    let rest: f64 = rest.iter().map(|&value| f64::from(value) * f64::from(value)).sum();
    sums.iter().sum::<f64>() + rest
}
