//! What follows a product while its sums are still in the nearest cache: scale, bias, activation, residual, packing.

#![expect(unsafe_code, reason = "threads write columns of their own into shared rows")]

use super::mathematics::{Activation, Gelu, GeluTanh, Identity, Map, Relu, ShortGelu};
use super::rows::{SharedRows, Vectors, pack_words};
use super::{Block, Isa, Kernel, Lines, PANEL, Panels, Shared, Team, Word, WordRows};
use pulp::{Simd, WithSimd};
use std::cell::RefCell;
use std::ops::Range;

/// Rows whose sums are kept until they are finished: 64 columns of them fill a third of a first-level cache.
const ROWS_AT_ONCE: usize = 48;

thread_local! {
    /// The sums of one panel's rows before they are finished.
    static SUMS: RefCell<Lines<f32>> = RefCell::default();
}

/// Where the results go.
#[derive(Clone, Copy)]
pub enum Destination<'a> {
    /// Added to what is there: the residual connection. `[n_rows, stride]`
    AddTo { rows: Shared<'a, f32>, stride: usize },
    /// As they are.
    Store { rows: Shared<'a, f32>, stride: usize },
    /// Packed into words that need no scale of their row.
    Words(SharedRows<'a>),
}

/// The rows of a product, and who computes it how.
pub struct Source<'a> {
    pub team: Team<'a>,
    pub isa: Isa,
    pub kernel: Kernel,
    pub rows: &'a WordRows,
    pub range: Range<usize>,
}

/// The steps after a product.
#[derive(Clone, Copy)]
pub struct Finish<'a> {
    /// As wide as the weights' panels together.
    pub bias: &'a [f32],
    pub activation: Option<Activation>,
    pub to: Destination<'a>,
}

impl Finish<'_> {
    /// `to = activation(rows · weights + bias)` for these rows, the panels shared by the team. `kernel` is the one for the kind
    /// of both rows and weights.
    ///
    /// # Safety
    /// Nobody else touches the destination's rows from `to_row` on now, as many as `source` names.
    pub unsafe fn product(self, source: Source<'_>, weights: &Panels, to_row: usize) {
        let Source { team, isa, kernel, rows, range } = source;
        debug_assert_eq!(rows.kind(), weights.kind());
        team.each(weights.n_panels(), |panel| {
            SUMS.with_borrow_mut(|sums| {
                sums.resize(ROWS_AT_ONCE * PANEL);
                for first_row in range.clone().step_by(ROWS_AT_ONCE) {
                    let n_rows = (range.end - first_row).min(ROWS_AT_ONCE);
                    kernel.multiply(Block {
                        rows: &rows.words()[first_row * rows.stride()..],
                        row_stride: rows.stride(),
                        row_step: 1,
                        n_rows,
                        depth: weights.depth(),
                        columns: weights.panel(panel),
                        column_stride: PANEL,
                        n_columns: PANEL,
                        zero_points: rows.zero_points().get(first_row..).unwrap_or_default(),
                        column_sums: weights.column_sums(panel),
                        sums,
                        sum_stride: PANEL,
                    });
                    isa.run(Part {
                        to: self.to,
                        activation: self.activation,
                        exact: rows.kind() == Word::F32,
                        sums: &sums[..n_rows * PANEL],
                        first_row: to_row + first_row - range.start,
                        panel,
                        bias: &self.bias[panel * PANEL..][..PANEL],
                        row_scales: rows.scales().get(first_row..).unwrap_or_default(),
                        column_scales: weights.column_scales(panel),
                    });
                }
            });
        });
    }
}

/// Some rows of one panel.
struct Part<'a> {
    to: Destination<'a>,
    activation: Option<Activation>,
    exact: bool,
    /// `[n_rows, PANEL]`
    sums: &'a [f32],
    first_row: usize,
    panel: usize,
    /// Of this panel's columns.
    bias: &'a [f32],
    row_scales: &'a [f32],
    column_scales: &'a [f32],
}

impl WithSimd for Part<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match self.activation {
            None => self.finish(simd, Identity),
            Some(Activation::Gelu) if self.exact => self.finish(simd, Gelu),
            Some(Activation::Gelu) => self.finish(simd, ShortGelu),
            Some(Activation::GeluTanh) => self.finish(simd, GeluTanh),
            Some(Activation::Relu) => self.finish(simd, Relu),
        }
    }
}

impl Part<'_> {
    /// Scale, bias and activation of one row after the other, each number read once and written once.
    #[inline(always)]
    fn finish<S: Simd, M: Map>(&self, simd: S, map: M) {
        let (bias, _) = S::as_simd_f32s(&self.bias[..PANEL]);
        if self.row_scales.is_empty() {
            for (row, sums) in self.sums.chunks_exact(PANEL).enumerate() {
                let (sums, _) = S::as_simd_f32s(sums);
                self.write(simd, row, Biased { sums, bias, map });
            }
            return;
        }
        let (scales, _) = S::as_simd_f32s(&self.column_scales[..PANEL]);
        for (row, (sums, &row_scale)) in self.sums.chunks_exact(PANEL).zip(self.row_scales).enumerate() {
            let (sums, _) = S::as_simd_f32s(sums);
            self.write(simd, row, Scaled { sums, bias, scales, row_scale: simd.splat_f32s(row_scale), map });
        }
    }

    /// Writes one row.
    #[inline(always)]
    fn write<S: Simd>(&self, simd: S, row: usize, values: impl Vectors<S>) {
        let row = self.first_row + row;
        // SAFETY: by the promise of `product`, the rows are ours, and this panel's columns this thread's.
        match self.to {
            Destination::AddTo { rows, stride } => {
                let to = unsafe { rows.part(part_of(row, stride, self.panel, PANEL)) };
                for (i, to) in S::as_mut_simd_f32s(to).0.iter_mut().enumerate() {
                    *to = simd.add_f32s(*to, values.vector(simd, i));
                }
            }
            Destination::Store { rows, stride } => {
                let to = unsafe { rows.part(part_of(row, stride, self.panel, PANEL)) };
                for (i, to) in S::as_mut_simd_f32s(to).0.iter_mut().enumerate() {
                    *to = values.vector(simd, i);
                }
            }
            Destination::Words(rows) => {
                let width = PANEL / rows.kind.parts();
                let to = unsafe { rows.words.part(part_of(row, rows.stride, self.panel, width)) };
                pack_words(simd, rows.kind, values, to);
            }
        }
    }
}

/// A row of sums with what follows a product of `f32` or bf16.
#[derive(Clone, Copy)]
struct Biased<'a, S: Simd, M> {
    sums: &'a [S::f32s],
    bias: &'a [S::f32s],
    map: M,
}

impl<S: Simd, M: Map> Vectors<S> for Biased<'_, S, M> {
    #[inline(always)]
    fn vector(self, simd: S, i: usize) -> S::f32s {
        self.map.map(simd, simd.add_f32s(self.sums[i], self.bias[i]))
    }
}

/// The same of a product of 8-bit numbers.
#[derive(Clone, Copy)]
struct Scaled<'a, S: Simd, M> {
    sums: &'a [S::f32s],
    bias: &'a [S::f32s],
    /// Of the columns.
    scales: &'a [S::f32s],
    row_scale: S::f32s,
    map: M,
}

impl<S: Simd, M: Map> Vectors<S> for Scaled<'_, S, M> {
    #[inline(always)]
    fn vector(self, simd: S, i: usize) -> S::f32s {
        let scale = simd.mul_f32s(self.scales[i], self.row_scale);
        self.map.map(simd, simd.mul_add_e_f32s(self.sums[i], scale, self.bias[i]))
    }
}

/// A row's part of a panel in a buffer where a panel is `width` numbers wide.
#[inline(always)]
fn part_of(row: usize, stride: usize, panel: usize, width: usize) -> Range<usize> {
    let start = row * stride + panel * width;
    start..start + width
}
