//! The kernels against plain loops in f64, on every level of instructions that the machine has.

use super::*;
use proptest::prelude::*;
use rand::{Rng, RngExt, SeedableRng};

pub(super) fn random(n: usize, source: &mut impl Rng) -> Vec<f32> {
    (0..n).map(|_| source.random_range(-1.0..1.0)).collect()
}

pub(super) fn source(seed: u64) -> rand_chacha::ChaCha8Rng {
    rand_chacha::ChaCha8Rng::seed_from_u64(seed)
}

pub(super) fn in_order(n: usize) -> Vec<Option<usize>> {
    (0..n.next_multiple_of(PANEL)).map(|i| (i < n).then_some(i)).collect()
}

/// Rows padded to `width` and packed.
pub(super) fn packed(isa: Isa, kind: Word, numbers: &[f32], n_columns: usize) -> WordRows {
    let width = n_columns.next_multiple_of(PANEL);
    let padded: Vec<f32> = numbers
        .chunks_exact(n_columns)
        .flat_map(|row| row.iter().copied().chain(std::iter::repeat_n(0.0, width - n_columns)))
        .collect();
    let n_rows = numbers.len() / n_columns;
    let mut rows = WordRows::default();
    rows.prepare(kind, n_rows, width);
    let pack = Pack { numbers: &padded, stride: width, rows: rows.shared(), first_row: 0, n_rows };
    #[expect(unsafe_code, reason = "the rows are this function's own")]
    // SAFETY: nobody else has them.
    unsafe {
        pack.run(isa);
    }
    rows
}

struct Case {
    n_rows: usize,
    n_inputs: usize,
    n_outputs: usize,
    x: Vec<f32>,
    weight: Vec<f32>,
    bias: Vec<f32>,
}

impl Case {
    fn new(n_rows: usize, n_inputs: usize, n_outputs: usize, seed: u64) -> Self {
        let mut source = source(seed);
        let x = random(n_rows * n_inputs, &mut source);
        let weight = random(n_outputs * n_inputs, &mut source);
        Self { n_rows, n_inputs, n_outputs, x, weight, bias: random(n_outputs, &mut source) }
    }

    fn exact(&self) -> Vec<f64> {
        let row = |x: &[f32]| -> Vec<f64> {
            let column = |(weight, bias): (&[f32], &f32)| {
                let products = x.iter().zip(weight).map(|(x, w)| f64::from(*x) * f64::from(*w));
                products.sum::<f64>() + f64::from(*bias)
            };
            self.weight.chunks_exact(self.n_inputs).zip(&self.bias).map(column).collect()
        };
        self.x.chunks_exact(self.n_inputs).flat_map(row).collect()
    }

    fn run(&self, isa: Isa, kind: Word, team: Team<'_>) -> Vec<f32> {
        let (outputs, inputs) = (in_order(self.n_outputs), in_order(self.n_inputs));
        let weights = Panels::pack(kind, &self.weight, self.n_inputs, &outputs, &inputs);
        let rows = packed(isa, kind, &self.x, self.n_inputs);
        let mut bias = self.bias.clone();
        bias.resize(outputs.len(), 0.0);
        let mut result = vec![f32::NAN; self.n_rows * outputs.len()];
        let to = Destination::Store { rows: Shared::new(&mut result), stride: outputs.len() };
        let source = Source { team, isa, kernel: Kernel::new(isa, kind), rows: &rows, range: 0..self.n_rows };
        #[expect(unsafe_code, reason = "the destination is this function's own")]
        // SAFETY: nobody else has it.
        unsafe {
            Finish { bias: &bias, activation: None, to }.product(source, &weights, 0);
        }
        result.chunks_exact(outputs.len()).flat_map(|row| row[..self.n_outputs].to_vec()).collect()
    }
}

/// How far a sum of products of numbers below 1 may be off, a product: rounding of sums, of bf16 (2^-8 each), of bytes.
fn bound(kind: Word, n_inputs: usize) -> f64 {
    let n = n_inputs as f64;
    match kind {
        Word::F32 => 1e-6 * n.sqrt() + 1e-6,
        Word::Bf16 => 0.01 * n.sqrt() + 1e-3,
        Word::Int8 => 0.02 * n.sqrt() + 1e-2,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_product_is_what_plain_loops_give(
        n_rows in 1usize..60, n_inputs in 1usize..200, n_outputs in 1usize..140, seed: u64
    ) {
        let case = Case::new(n_rows, n_inputs, n_outputs, seed);
        let exact = case.exact();
        for isa in Isa::supported() {
            for kind in [Word::F32, Word::Bf16, Word::Int8] {
                for (found, exact) in case.run(isa, kind, Team::Alone).iter().zip(&exact) {
                    let off = (f64::from(*found) - exact).abs();
                    prop_assert!(off <= bound(kind, n_inputs), "{} {:?}: {} is not {}", isa, kind, found, exact);
                }
            }
        }
    }

    #[test]
    fn a_team_gives_the_same_bits_as_one_thread(n_rows in 1usize..60, n_outputs in 1usize..300, seed: u64) {
        let case = Case::new(n_rows, 70, n_outputs, seed);
        for kind in [Word::F32, Word::Bf16, Word::Int8] {
            prop_assert_eq!(case.run(Isa::best(), kind, Team::Alone), Crew::gather(|crew| case.run(Isa::best(), kind, Team::Together(crew))));
        }
    }

    #[test]
    fn sums_of_bytes_are_the_same_on_every_level(n_rows in 1usize..20, n_words in 1usize..80, seed: u64) {
        let mut source = source(seed);
        let rows: Vec<u32> = (0..n_rows * n_words).map(|_| source.random()).collect();
        let columns: Vec<u32> = (0..n_words * PANEL).map(|_| source.random()).collect();
        let zero_points: Vec<i32> = (0..n_rows).map(|_| source.random_range(0..=255)).collect();
        let column_sums: Vec<i32> = (0..PANEL)
            .map(|c| (0..n_words).flat_map(|w| columns[w * PANEL + c].to_le_bytes()).map(|b| i32::from(b as i8)).sum())
            .collect();
        let run = |isa| {
            let mut sums = vec![0f32; n_rows * PANEL];
            Kernel::new(isa, Word::Int8).multiply(Block {
                rows: &rows, row_stride: n_words, row_step: 1, n_rows, depth: n_words, columns: &columns, column_stride: PANEL,
                n_columns: PANEL, zero_points: &zero_points, column_sums: &column_sums, sums: &mut sums, sum_stride: PANEL,
            });
            sums
        };
        let byte = |word: u32, part: usize| word.to_le_bytes()[part];
        let expected: Vec<f32> = (0..n_rows * PANEL)
            .map(|i| {
                let (row, column) = (i / PANEL, i % PANEL);
                let product = |w: usize, part: usize| {
                    let x = i32::from(byte(rows[row * n_words + w], part)) - zero_points[row];
                    x * i32::from(byte(columns[w * PANEL + column], part) as i8)
                };
                (0..n_words).map(|w| (0..4).map(|part| product(w, part)).sum::<i32>()).sum::<i32>() as f32
            })
            .collect();
        for isa in Isa::supported() {
            prop_assert_eq!(&run(isa), &expected, "{}", isa);
        }
    }

    #[test]
    fn rows_that_stand_as_columns_have_the_same_product(n_rows in 1usize..40, depth in 1usize..40, vectors in 1usize..6, seed: u64) {
        let mut source = source(seed);
        // Small whole numbers as f32, bf16 or bytes: every sum is exact.
        let mut words = |n: usize| -> Vec<u32> { (0..n).map(|_| source.random_range(-3i32..4) as f32).map(f32::to_bits).collect() };
        let (rows, columns) = (words(n_rows * depth), words(depth * vectors * LANES));
        let turned: Vec<u32> = (0..depth * n_rows).map(|i| rows[i % n_rows * depth + i / n_rows]).collect();
        for isa in Isa::supported() {
            for kind in [Word::F32, Word::Bf16, Word::Int8] {
                let run = |rows: &[u32], row_stride, row_step| {
                    let mut sums = vec![f32::NAN; n_rows * vectors * LANES];
                    Kernel::new(isa, kind).multiply(Block {
                        rows, row_stride, row_step, n_rows, depth, columns: &columns, column_stride: vectors * LANES,
                        n_columns: vectors * LANES, zero_points: &[], column_sums: &[], sums: &mut sums,
                        sum_stride: vectors * LANES,
                    });
                    sums
                };
                prop_assert_eq!(run(&rows, depth, 1), run(&turned, 1, n_rows), "{} {:?}", isa, kind);
            }
        }
    }

    #[test]
    fn bytes_stand_for_numbers_to_half_a_step(n_columns in 1usize..200, scale in 0.001f32..1000.0, shift in -3f32..3.0, seed: u64) {
        let numbers: Vec<f32> = random(n_columns, &mut source(seed)).into_iter().map(|x| scale * (x + shift)).collect();
        for isa in Isa::supported() {
            let rows = packed(isa, Word::Int8, &numbers, n_columns);
            let (step, zero_point) = (rows.scales()[0], rows.zero_points()[0]);
            prop_assert!((0..=255).contains(&zero_point));
            for word in 0..rows.stride() {
                for part in 0..4 {
                    let Some(&number) = numbers.get(column_of(Word::Int8, word, part)) else { continue };
                    let byte = i32::from(rows.words()[word].to_le_bytes()[part]);
                    // Half a step, and as much again where the zero point was rounded.
                    prop_assert!(((byte - zero_point) as f32 * step - number).abs() <= 1.01 * step, "{}: {}", isa, number);
                }
            }
        }
    }

    #[test]
    fn attention_is_what_its_definition_says(
        lengths in prop::collection::vec(1usize..75, 1..5), n_heads in 1usize..4, head_size in 1usize..70, seed: u64
    ) {
        let hidden = n_heads * head_size;
        let n_tokens: usize = lengths.iter().sum();
        let mut source = source(seed);
        let qkv: Vec<Vec<f32>> = (0..3).map(|_| random(n_tokens * hidden, &mut source)).collect();
        let exact = exact_attention(&qkv, &lengths, n_heads, head_size);
        for isa in Isa::supported() {
            for kind in [Word::F32, Word::Bf16] {
                let shape = HeadShape { n_heads, head_size, kind };
                let found = run_attention(isa, shape, &qkv, &lengths);
                let bound = if kind == Word::F32 { 1e-5 } else { 0.03 };
                for (found, exact) in found.iter().zip(&exact) {
                    prop_assert!((f64::from(*found) - exact).abs() <= bound, "{} {:?}: {} is not {}", isa, kind, found, exact);
                }
            }
        }
    }

    #[test]
    fn scores_of_any_size_give_shares(length in 1usize..40, size in 50f32..150.0, seed: u64) {
        let mut source = source(seed);
        let qkv: Vec<Vec<f32>> = [size, 1.0, 1.0].map(|size| random(length * 16, &mut source).iter().map(|x| size * x).collect()).into();
        let exact = exact_attention(&qkv, &[length], 1, 16);
        for isa in Isa::supported() {
            let found = run_attention(isa, HeadShape { n_heads: 1, head_size: 16, kind: Word::F32 }, &qkv, &[length]);
            for (found, exact) in found.iter().zip(&exact) {
                prop_assert!((f64::from(*found) - exact).abs() <= 2e-3, "{}: {} is not {}", isa, found, exact);
            }
        }
    }

    #[test]
    fn a_normalised_row_has_the_mean_and_spread_of_its_parameters(n_rows in 1usize..9, hidden in 2usize..140, seed: u64) {
        let mut source = source(seed);
        let width = hidden.next_multiple_of(PANEL);
        let x = random(n_rows * hidden, &mut source);
        let (scale, shift) = (random(hidden, &mut source), random(hidden, &mut source));
        let pad = |row: &[f32]| -> Vec<f32> { row.iter().copied().chain(std::iter::repeat_n(0.0, width - hidden)).collect() };
        let norm = Norm { scale: Lines::from(&pad(&scale)[..]), shift: Lines::from(&pad(&shift)[..]), epsilon: 1e-5, n_columns: hidden };
        for isa in Isa::supported() {
            let mut padded: Vec<f32> = x.chunks_exact(hidden).flat_map(pad).collect();
            let mut words = WordRows::default();
            words.prepare(Word::F32, n_rows, width);
            #[expect(unsafe_code, reason = "the rows are this function's own")]
            // SAFETY: nobody else has them.
            unsafe { norm_rows(isa, Shared::new(&mut padded), 0..n_rows, &norm, words.shared()) };
            for (row, (found, x)) in padded.chunks_exact(width).zip(x.chunks_exact(hidden)).enumerate() {
                let x: Vec<f64> = x.iter().map(|&x| f64::from(x)).collect();
                let mean = x.iter().sum::<f64>() / hidden as f64;
                let variance = x.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / hidden as f64;
                for column in 0..hidden {
                    let exact = (x[column] - mean) / (variance + 1e-5).sqrt() * f64::from(scale[column]) + f64::from(shift[column]);
                    prop_assert!((f64::from(found[column]) - exact).abs() <= 2e-5, "{}: {} is not {}", isa, found[column], exact);
                    prop_assert_eq!(words.words()[row * width + column], found[column].to_bits());
                }
                prop_assert!(found[hidden..].iter().all(|x| *x == 0.0));
            }
        }
    }
}

/// Where the zero point lies half way between two whole numbers, both ends of the row are half a step from a byte's ends.
#[test]
fn the_ends_of_a_row_stay_in_their_bytes() {
    for half in 0..510u16 {
        for isa in Isa::supported() {
            let lowest = f32::from(half) / -2.0;
            for (highest, scale) in [(lowest + 255.0, 1.0), (lowest + 254.9, 1.0), (lowest + 255.0, 0.123_4)] {
                let ends = [lowest * scale, highest.max(0.0) * scale];
                let rows = packed(isa, Word::Int8, &ends, 2);
                let (step, zero_point) = (rows.scales()[0], rows.zero_points()[0]);
                for (word, end) in rows.words().iter().zip(ends) {
                    let found = (i32::from(word.to_le_bytes()[0]) - zero_point) as f32 * step;
                    assert!((found - end).abs() <= 1.01 * step, "{isa}: {ends:?} has {found} for {end}");
                }
            }
        }
    }
}

fn exact_attention(qkv: &[Vec<f32>], lengths: &[usize], n_heads: usize, head_size: usize) -> Vec<f64> {
    let hidden = n_heads * head_size;
    let at = |part: usize, row: usize, column: usize| f64::from(qkv[part][row * hidden + column]);
    let mut result = vec![0f64; qkv[0].len()];
    let mut first = 0;
    for &length in lengths {
        for head in 0..n_heads {
            let columns = head * head_size..(head + 1) * head_size;
            for query in first..first + length {
                let score = |key: usize| columns.clone().map(|c| at(0, query, c) * at(1, key, c)).sum::<f64>();
                let powers: Vec<f64> =
                    (first..first + length).map(|key| (score(key) / (head_size as f64).sqrt()).exp()).collect();
                let sum: f64 = powers.iter().sum();
                for c in columns.clone() {
                    let mixed = powers.iter().enumerate().map(|(key, power)| power / sum * at(2, first + key, c));
                    result[query * hidden + c] = mixed.sum();
                }
            }
        }
        first += length;
    }
    result
}

fn run_attention(isa: Isa, shape: HeadShape, qkv: &[Vec<f32>], lengths: &[usize]) -> Vec<f32> {
    let hidden = shape.n_heads * shape.head_size;
    let n_tokens: usize = lengths.iter().sum();
    let scale = std::f32::consts::LOG2_E / (shape.head_size as f32).sqrt();
    let places: Vec<Option<usize>> = shape.places().collect();
    let width = 3 * places.len();
    let rows: Vec<f32> = (0..n_tokens)
        .flat_map(|row| {
            let number = |part: usize, place: Option<usize>| {
                place.map_or(0.0, |c| qkv[part][row * hidden + c] * if part == 0 { scale } else { 1.0 })
            };
            let places = &places;
            (0..3).flat_map(move |part| places.iter().map(move |&place| number(part, place))).collect::<Vec<_>>()
        })
        .collect();
    let words = packed(isa, shape.kind, &rows, width);
    let mut mixed = vec![f32::NAN; n_tokens * places.len()];
    let attention = Attention {
        isa,
        kernel: Kernel::new(isa, shape.kind),
        shape,
        words: words.words(),
        stride: words.stride(),
        lengths,
    };
    #[expect(unsafe_code, reason = "the destination is this function's own")]
    // SAFETY: nobody else has it.
    unsafe {
        attention.run(Team::Alone, Shared::new(&mut mixed), places.len());
    }
    let unpadded =
        |row: &[f32]| -> Vec<f32> { row.iter().zip(&places).filter_map(|(x, place)| place.map(|_| *x)).collect() };
    mixed.chunks_exact(places.len()).flat_map(unpadded).collect()
}
