//! The promises of [`Embedder`] for the GPU's encoder, on candle's processor: nothing but the device differs.
//! `CLIENTELE_TEST_DEVICE=cuda:0` has them run on a GPU, in a build for one.

use super::tests::{
    assert_alone_equals_in_a_batch, assert_close, assert_equals_recorded, assert_order_does_not_matter, exact,
    load_default, odd_texts,
};
use super::*;
use crate::device::for_tests;
use crate::embed::fixture::{self, Recorded, TINY, cosine};
use proptest::prelude::*;

/// So small that every bound is met: batches of a few texts, steps of attention of a few queries.
const TIGHT: Limits = Limits { n_tokens: 90, n_scores: 700 };
/// The least cosine to the exact vectors that is allowed: 11 bits of a number are kept, and 8.
const HALVES: [(Precision, f64); 2] = [(Precision::F16, 0.999_99), (Precision::Bf16, 0.999)];

fn load_on_device(folder: &Path, precision: Precision, limits: Limits) -> BertEmbedder {
    let place = Place::Device { device: for_tests(false), precision, limits };
    load_with(folder, &exact(), &place).unwrap()
}

/// Every tiny model in `f32`, with the usual bounds and with tight ones, loaded once.
fn exact_models() -> &'static [BertEmbedder] {
    static MODELS: std::sync::OnceLock<Vec<BertEmbedder>> = std::sync::OnceLock::new();
    MODELS.get_or_init(|| {
        let all = TINY.iter().flat_map(|family| [(family, Limits::default()), (family, TIGHT)]);
        all.map(|(family, limits)| load_on_device(&fixture::tiny(family), Precision::F32, limits)).collect()
    })
}

/// Texts of the lengths given, of ids that every model has.
fn tokens(lengths: &[usize]) -> Vec<TokenIds> {
    let id = |at: usize, length: usize| ((at * 7 + length) % 20) as u32;
    lengths
        .iter()
        .map(|&length| TokenIds { ids: (0..length).map(|at| id(at, length)).collect(), truncated: false })
        .collect()
}

#[test]
fn every_family_equals_transformers_on_the_device() {
    let texts = fixture::texts("tiny/texts.json");
    for (model, family) in exact_models().iter().zip(TINY.iter().flat_map(|family| [family, family])) {
        assert_equals_recorded(model, &texts, &Recorded::read(&format!("tiny/{family}/expected.safetensors")));
    }
}

#[test]
fn all_lengths_at_once_give_what_the_processor_gives() {
    for (family, models) in TINY.iter().zip(exact_models().chunks_exact(2)) {
        let processor = load_default(&fixture::tiny(family));
        let longest = processor.info.max_tokens;
        let texts = tokens(&(1..=longest).chain([1, longest, longest]).collect::<Vec<_>>());
        let texts: Vec<&TokenIds> = texts.iter().collect();
        for output in [Output::Pooled, Output::Tokens] {
            let expected = processor.forward(&texts, output).unwrap();
            for model in models {
                assert_close(&model.forward(&texts, output).unwrap(), &expected, family);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_text_does_not_depend_on_its_batch(texts in prop::collection::vec("\\PC{0,80}|[a-z ,.]{0,200}", 0..12)) {
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        for model in exact_models() {
            assert_alone_equals_in_a_batch(model, &texts);
            assert_order_does_not_matter(model, &texts);
        }
    }
}

#[test]
fn half_precision_stays_near_and_finite() {
    let odd = odd_texts();
    let written = fixture::texts("tiny/texts.json");
    let texts: Vec<&str> = odd.iter().chain(&written).map(String::as_str).collect();
    for family in TINY {
        let folder = fixture::tiny(family);
        let expected = load_default(&folder).embed(&texts).unwrap();
        for (precision, least) in HALVES {
            for limits in [Limits::default(), TIGHT] {
                let found = load_on_device(&folder, precision, limits).embed(&texts).unwrap();
                assert!(found.values.iter().all(|x| x.is_finite()), "{family} {precision}");
                let cosines = found.rows().zip(expected.rows()).map(|(a, b)| cosine(a, b));
                let lowest = cosines.fold(f64::MAX, f64::min);
                println!("{family} {precision}: cosine at least {lowest:.6}");
                assert!(lowest >= least, "{family} {precision}: {lowest}");
            }
        }
    }
}

/// Some of the texts: candle's processor is slow.
#[test]
fn half_precision_stays_near_the_recorded_vectors_of_the_real_models() {
    let texts = fixture::texts("texts.json");
    let some: Vec<usize> = (0..texts.len()).step_by(24).collect();
    let chosen: Vec<&str> = some.iter().map(|&text| texts[text].as_str()).collect();
    let e5 = fixture::e5().map(|folder| (folder, "query: ", "e5.safetensors"));
    let minilm = fixture::minilm().map(|folder| (folder, "", "minilm.safetensors"));
    for (folder, prefix, recorded) in minilm.into_iter().chain(e5) {
        let recorded = Recorded::read(recorded);
        let settings = LoadSettings { prefix: Some(prefix.into()), ..exact() };
        for (precision, least) in HALVES.into_iter().chain([(Precision::F32, 0.99999)]) {
            let place = Place::Device { device: for_tests(false), precision, limits: Limits::default() };
            let found = load_with(&folder, &settings, &place).unwrap().embed(&chosen).unwrap();
            let cosines = found.rows().zip(&some).map(|(row, &text)| cosine(row, &recorded.vectors[text]));
            let lowest = cosines.fold(f64::MAX, f64::min);
            println!("{} {precision}: cosine at least {lowest:.6}", folder.display());
            assert!(lowest >= least, "{} {precision}: {lowest}", folder.display());
        }
    }
}

#[test]
fn what_a_gpu_computes_in_is_chosen_said_and_in_the_fingerprint() {
    let chosen = |precision| device_precision(PrecisionChoice::Exactly(precision));
    assert_eq!(device_precision(PrecisionChoice::Auto).unwrap(), Precision::F16);
    for precision in [Precision::F32, Precision::F16, Precision::Bf16] {
        assert_eq!(chosen(precision).unwrap(), precision);
    }
    let error = chosen(Precision::Int8).unwrap_err().to_string();
    assert!(error.contains("int8 is for processors") && error.contains("f16, bf16 or f32"), "{error}");
    let folder = fixture::tiny("bert");
    let base = load_default(&folder).info;
    // All weights are halves but the table of 20 columns of positions.
    let positions = 2 * 20 * BertConfig::read(&folder.join("config.json")).unwrap().n_positions;
    let in_f32 = load_on_device(&folder, Precision::F32, TIGHT).info.weight_bytes;
    for (precision, suffix) in [(Precision::F16, "f16"), (Precision::Bf16, "bf16"), (Precision::F32, "tf32")] {
        let info = load_on_device(&folder, precision, TIGHT).info;
        assert_eq!(info.fingerprint, format!("{}+{suffix}", base.fingerprint));
        assert_eq!((info.precision, info.device.as_str()), (precision, name_of(&for_tests(false)).as_str()));
        assert_eq!(info.vocabulary_size, base.vocabulary_size);
        assert_eq!(info.weight_bytes, if precision == Precision::F32 { in_f32 } else { in_f32 / 2 + positions });
    }
}
