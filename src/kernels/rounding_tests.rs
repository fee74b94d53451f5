//! What is lost when numbers become words, and what is added to a product: laws that bounds on whole products are too wide for.

use super::tests::{in_order, packed, random, source};
use super::*;
use proptest::prelude::*;

/// The bf16 in half `part` of a word.
fn half_of(word: u32, part: usize) -> f32 {
    f32::from_bits(word >> (16 * part) << 16)
}

/// `rows · weights`, without a bias, after what stands in `to`.
fn add_product(isa: Isa, kind: Word, rows: &WordRows, weights: &Panels, to: Destination<'_>, n_rows: usize) {
    let bias = vec![0f32; weights.n_panels() * PANEL];
    let source = Source { team: Team::Alone, isa, kernel: Kernel::new(isa, kind), rows, range: 0..n_rows };
    #[expect(unsafe_code, reason = "the destination is the caller's own")]
    // SAFETY: nobody else has it.
    unsafe {
        Finish { bias: &bias, activation: None, to }.product(source, weights, 0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn rows_in_bf16_are_off_by_half_a_step(n_columns in 1usize..200, scale in 0.001f32..1000.0, seed: u64) {
        let numbers: Vec<f32> = random(n_columns, &mut source(seed)).iter().map(|x| scale * x).collect();
        for isa in Isa::supported() {
            let rows = packed(isa, Word::Bf16, &numbers, n_columns);
            for (i, &word) in rows.words().iter().enumerate() {
                for part in 0..2 {
                    let Some(&number) = numbers.get(column_of(Word::Bf16, i, part)) else { continue };
                    let off = (half_of(word, part) - number).abs();
                    prop_assert!(off <= number.abs() / 256.0, "{}: {} is off by {}", isa, number, off);
                }
            }
        }
    }

    #[test]
    fn weights_are_off_by_half_a_step(n_inputs in 1usize..150, seed: u64) {
        let weight = random(n_inputs, &mut source(seed));
        let highest = weight.iter().fold(0f32, |highest, x| highest.max(x.abs()));
        let pack = |kind| Panels::pack(kind, &weight, n_inputs, &in_order(1), &in_order(n_inputs));
        for (kind, step) in [(Word::Bf16, 0.0), (Word::Int8, highest / 127.0)] {
            let panels = pack(kind);
            for (i, &word) in panels.panel(0).iter().step_by(PANEL).enumerate() {
                for part in 0..kind.parts() {
                    let Some(&number) = weight.get(column_of(kind, i, part)) else { continue };
                    let (found, bound) = match kind {
                        Word::Int8 => (f32::from(word.to_le_bytes()[part].cast_signed()) * step, 0.5001 * step),
                        _ => (half_of(word, part), number.abs() / 256.0),
                    };
                    prop_assert!((found - number).abs() <= bound, "{:?}: {} for {}", kind, found, number);
                }
            }
        }
    }

    #[test]
    fn a_product_is_added_to_what_was_there(n_rows in 1usize..60, n_inputs in 1usize..100, n_outputs in 1usize..140, seed: u64) {
        let mut source = source(seed);
        let (x, weight) = (random(n_rows * n_inputs, &mut source), random(n_outputs * n_inputs, &mut source));
        let stride = n_outputs.next_multiple_of(PANEL);
        let before = random(n_rows * stride, &mut source);
        for isa in Isa::supported() {
            for kind in [Word::F32, Word::Bf16, Word::Int8] {
                let weights = Panels::pack(kind, &weight, n_inputs, &in_order(n_outputs), &in_order(n_inputs));
                let rows = packed(isa, kind, &x, n_inputs);
                let (mut stored, mut added) = (vec![f32::NAN; n_rows * stride], before.clone());
                let mut words = WordRows::default();
                words.prepare(Word::Bf16, n_rows, stride);
                add_product(isa, kind, &rows, &weights, Destination::Store { rows: Shared::new(&mut stored), stride }, n_rows);
                add_product(isa, kind, &rows, &weights, Destination::AddTo { rows: Shared::new(&mut added), stride }, n_rows);
                add_product(isa, kind, &rows, &weights, Destination::Words(words.shared()), n_rows);
                let sums: Vec<f32> = before.iter().zip(&stored).map(|(before, product)| before + product).collect();
                prop_assert_eq!(&added, &sums, "{} {:?}", isa, kind);
                let packed = packed(isa, Word::Bf16, &stored, stride);
                prop_assert_eq!(words.words(), packed.words(), "{} {:?}", isa, kind);
            }
        }
    }
}
