//! Matrix products: rows of words times columns of words, a tile of sums in registers at a time.
//!
//! A tile of R rows and V vectors of columns reads V vectors and R words a step and makes R · V vector products of them; with six
//! rows and four vectors that is all the registers AVX-512 has, and loads take well under the time of the products.

#![expect(unsafe_code, reason = "the inner loop reads and writes through pointers whose ranges `multiply` has checked")]

#[cfg(target_arch = "x86_64")]
use super::dot::x86;
use super::dot::{Bf16Widened, Dot, F32, PlainInt8};
use super::isa::Isa;
use super::{LANES, Word};
use pulp::{Simd, WithSimd};

/// `sums = rows · columns`: which memory it is about.
pub struct Block<'a> {
    /// `[n_rows, depth]`, `row_stride` words from one row to the next and `row_step` from one step to the next: 1 for rows, or
    /// the other way round for rows that stand as columns.
    pub rows: &'a [u32],
    pub row_stride: usize,
    pub row_step: usize,
    pub n_rows: usize,
    /// Words of a row.
    pub depth: usize,
    /// `[depth, n_columns]`, `column_stride` words from one step to the next.
    pub columns: &'a [u32],
    pub column_stride: usize,
    /// A multiple of [`LANES`].
    pub n_columns: usize,
    /// One a row, or empty: what 0 is in the row's 8-bit numbers.
    pub zero_points: &'a [i32],
    /// One a column, or empty: the sum of the column's 8-bit numbers.
    pub column_sums: &'a [i32],
    /// `[n_rows, n_columns]`, `sum_stride` numbers from one row to the next.
    pub sums: &'a mut [f32],
    pub sum_stride: usize,
}

/// A checked [`Block`].
#[derive(Clone, Copy)]
struct Raw {
    rows: *const u32,
    row_stride: usize,
    row_step: usize,
    n_rows: usize,
    depth: usize,
    columns: *const u32,
    column_stride: usize,
    n_columns: usize,
    /// Null where there are none.
    zero_points: *const i32,
    column_sums: *const i32,
    sums: *mut f32,
    sum_stride: usize,
}

/// The product of one precision on one instruction set.
#[derive(Clone, Copy)]
pub struct Kernel {
    run: unsafe fn(Raw),
}

impl Kernel {
    /// The fastest one of this level, which the processor must have: [`Isa`] hands out no other.
    pub fn new(isa: Isa, word: Word) -> Self {
        let run: unsafe fn(Raw) = match (isa, word) {
            #[cfg(target_arch = "x86_64")]
            (Isa::Avx512Bf16, Word::Bf16) => run_bf16,
            #[cfg(target_arch = "x86_64")]
            (Isa::Avx512Bf16 | Isa::Avx512Vnni, Word::Int8) => run_int8,
            #[cfg(target_arch = "x86_64")]
            (Isa::Avx512 | Isa::Avx2, Word::Int8) => run_int8_widened,
            (_, Word::Int8) => |raw| {
                // SAFETY: `multiply` has checked the block.
                unsafe { whole(PlainInt8, raw) }
            },
            (Isa::Avx512Bf16 | Isa::Avx512Vnni | Isa::Avx512, Word::F32) => |raw| Isa::Avx512.run(RunF32(raw)),
            (Isa::Avx512Vnni | Isa::Avx512, Word::Bf16) => |raw| Isa::Avx512.run(RunBf16(raw)),
            (Isa::Avx2, Word::F32) => |raw| Isa::Avx2.run(RunF32(raw)),
            (Isa::Avx2, Word::Bf16) => |raw| Isa::Avx2.run(RunBf16(raw)),
            (Isa::Neon, Word::F32) => |raw| Isa::Neon.run(RunF32(raw)),
            (Isa::Neon, Word::Bf16) => |raw| Isa::Neon.run(RunBf16(raw)),
            (Isa::Plain, Word::F32) => |raw| Isa::Plain.run(RunF32(raw)),
            // The plain level; and where a processor of another kind has no level of that name at all.
            (_, Word::Bf16) => |raw| Isa::Plain.run(RunBf16(raw)),
        };
        Self { run }
    }

    /// # Panics
    /// A slice is shorter than the block's shape says: a mistake of this crate's.
    #[inline]
    pub fn multiply(self, block: Block<'_>) {
        if block.n_rows == 0 || block.n_columns == 0 {
            return;
        }
        let last = |stride: usize, count: usize, width: usize| (count - 1) * stride + width;
        assert!(block.n_columns.is_multiple_of(LANES));
        assert!(
            block.depth == 0
                || block.rows.len() >= last(block.row_stride, block.n_rows, last(block.row_step, block.depth, 1))
        );
        assert!(block.depth == 0 || block.columns.len() >= last(block.column_stride, block.depth, block.n_columns));
        assert!(block.sums.len() >= last(block.sum_stride, block.n_rows, block.n_columns));
        let zeros = !block.zero_points.is_empty();
        assert!(!zeros || block.zero_points.len() >= block.n_rows && block.column_sums.len() >= block.n_columns);
        let raw = Raw {
            rows: block.rows.as_ptr(),
            row_stride: block.row_stride,
            row_step: block.row_step,
            n_rows: block.n_rows,
            depth: block.depth,
            columns: block.columns.as_ptr(),
            column_stride: block.column_stride,
            n_columns: block.n_columns,
            zero_points: if zeros { block.zero_points.as_ptr() } else { std::ptr::null() },
            column_sums: if zeros { block.column_sums.as_ptr() } else { std::ptr::null() },
            sums: block.sums.as_mut_ptr(),
            sum_stride: block.sum_stride,
        };
        // SAFETY: every range that is read or written has just been checked, and `run` was chosen for this processor.
        unsafe { (self.run)(raw) }
    }
}

struct RunF32(Raw);

impl WithSimd for RunF32 {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // SAFETY: only `multiply` makes a Raw, from a block it has checked.
        unsafe { whole(F32(simd), self.0) }
    }
}

struct RunBf16(Raw);

impl WithSimd for RunBf16 {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // SAFETY: as in RunF32.
        unsafe { whole(Bf16Widened(simd), self.0) }
    }
}

/// # Safety
/// A checked block; the processor has AVX-512 with BF16.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512cd,avx512dq,avx512vl,avx512bf16")]
unsafe fn run_bf16(raw: Raw) {
    // SAFETY: the caller's promise.
    unsafe { whole(x86::Bf16, raw) }
}

/// # Safety
/// A checked block; the processor has AVX-512 with VNNI.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512cd,avx512dq,avx512vl,avx512vnni")]
unsafe fn run_int8(raw: Raw) {
    // SAFETY: the caller's promise.
    unsafe { whole(x86::Int8, raw) }
}

/// # Safety
/// A checked block; the processor has AVX2.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn run_int8_widened(raw: Raw) {
    // SAFETY: the caller's promise.
    unsafe { whole(x86::Int8Widened, raw) }
}

/// The block, one strip of columns after the other: a strip's columns stay in the nearest caches while the rows go by.
///
/// # Safety
/// A checked block.
#[inline(always)]
unsafe fn whole<D: Dot>(dot: D, raw: Raw) {
    let mut column = 0;
    while column < raw.n_columns {
        let n_vectors = ((raw.n_columns - column) / D::LANES).min(D::VECTORS);
        // SAFETY: the strip is inside the block. Narrow strips only come up in the widest vectors: elsewhere a strip is 16
        // columns, of which every block is a multiple.
        unsafe {
            match n_vectors {
                1 if D::LANES == LANES => strip::<D, 1>(dot, raw, column),
                2 if D::VECTORS >= 2 => strip::<D, 2>(dot, raw, column),
                3 if D::LANES == LANES => strip::<D, 3>(dot, raw, column),
                16 if D::VECTORS == 16 => strip::<D, 16>(dot, raw, column),
                _ => strip::<D, 4>(dot, raw, column),
            }
        }
        column += n_vectors * D::LANES;
    }
}

/// # Safety
/// A checked block; `V` vectors of columns from `column` on are inside it.
#[inline(always)]
unsafe fn strip<D: Dot, const V: usize>(dot: D, raw: Raw, column: usize) {
    let mut row = 0;
    // SAFETY: the rows of each tile are inside the block.
    unsafe {
        while row + 6 <= raw.n_rows && V <= 4 {
            tile::<D, 6, V>(dot, raw, row, column);
            row += 6;
        }
        while row + 4 <= raw.n_rows && V <= 4 {
            tile::<D, 4, V>(dot, raw, row, column);
            row += 4;
        }
        while row + 2 <= raw.n_rows {
            tile::<D, 2, V>(dot, raw, row, column);
            row += 2;
        }
        while row < raw.n_rows {
            tile::<D, 1, V>(dot, raw, row, column);
            row += 1;
        }
    }
}

/// # Safety
/// A checked block, of which `R` rows from `row` on and `V` vectors of columns from `column` on are inside.
#[inline(always)]
unsafe fn tile<D: Dot, const R: usize, const V: usize>(dot: D, raw: Raw, row: usize, column: usize) {
    // SAFETY: all offsets below are inside the ranges that `multiply` has checked, by the caller's promise.
    unsafe {
        let mut sums = [[dot.start(0, std::ptr::null()); V]; R];
        if !raw.zero_points.is_null() {
            for (r, sums) in sums.iter_mut().enumerate() {
                let zero_point = *raw.zero_points.add(row + r);
                for (v, sums) in sums.iter_mut().enumerate() {
                    *sums = dot.start(zero_point, raw.column_sums.add(column + v * D::LANES));
                }
            }
        }
        let mut rows = raw.rows.add(row * raw.row_stride);
        let mut columns = raw.columns.add(column);
        for _ in 0..raw.depth {
            let mut words = [dot.splat(0); V];
            for (v, words) in words.iter_mut().enumerate() {
                *words = dot.load(columns.add(v * D::LANES));
            }
            for (r, sums) in sums.iter_mut().enumerate() {
                let word = dot.splat(*rows.add(r * raw.row_stride));
                for v in 0..V {
                    sums[v] = dot.dot(sums[v], word, words[v]);
                }
            }
            rows = rows.wrapping_add(raw.row_step);
            columns = columns.wrapping_add(raw.column_stride);
        }
        let to = raw.sums.add(row * raw.sum_stride + column);
        for (r, sums) in sums.iter().enumerate() {
            for (v, sums) in sums.iter().enumerate() {
                dot.store(*sums, to.add(r * raw.sum_stride + v * D::LANES));
            }
        }
    }
}
