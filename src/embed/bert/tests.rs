//! The promises of [`Embedder`], on a tiny model of each family and on the real ones where they are present.

use super::*;
use crate::embed::fixture::{self, Recorded, TINY, cosine};
use crate::embed::{Embeddings, Precision};
use crate::kernels::Isa;
use proptest::prelude::*;

/// What the recorded vectors are compared with.
pub(super) fn exact() -> LoadSettings {
    LoadSettings { precision: PrecisionChoice::Exactly(Precision::F32), ..LoadSettings::default() }
}

pub(super) fn load_default(folder: &Path) -> BertEmbedder {
    load(folder, &exact()).unwrap()
}

/// The four tiny models, loaded once.
fn tiny_models() -> &'static [BertEmbedder] {
    static MODELS: std::sync::OnceLock<Vec<BertEmbedder>> = std::sync::OnceLock::new();
    MODELS.get_or_init(|| TINY.iter().map(|family| load_default(&fixture::tiny(family))).collect())
}

/// The real models that are here, e5 with the prefix it wants.
fn real_models() -> Vec<BertEmbedder> {
    let prefix = LoadSettings { prefix: Some("query: ".into()), ..exact() };
    let minilm = fixture::minilm().map(|folder| load_default(&folder));
    minilm.into_iter().chain(fixture::e5().map(|folder| load(&folder, &prefix).unwrap())).collect()
}

pub(super) fn assert_close(found: &[f32], expected: &[f32], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let furthest = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0f32, f32::max);
    assert!(furthest <= 1e-5, "{what}: off by {furthest:e}");
    assert!(found.iter().all(|x| x.is_finite()), "{what}");
}

pub(super) fn assert_alone_equals_in_a_batch(model: &BertEmbedder, texts: &[&str]) {
    let batch = model.embed(texts).unwrap();
    assert_eq!(batch.rows().count(), texts.len());
    let mut n_tokens = 0;
    for (text, row) in texts.iter().zip(batch.rows()) {
        let alone = model.embed(&[text]).unwrap();
        n_tokens += alone.n_tokens;
        let start: String = text.chars().take(40).collect();
        assert_close(&alone.values, row, &format!("{} on {start:?}", model.info.id));
        if model.info.normalised {
            let length: f32 = row.iter().map(|x| x * x).sum::<f32>().sqrt();
            assert!((length - 1.0).abs() < 1e-5, "{start:?} has the length {length}");
        }
    }
    assert_eq!(n_tokens, batch.n_tokens);
}

pub(super) fn assert_order_does_not_matter(model: &BertEmbedder, texts: &[&str]) {
    let backwards: Vec<&str> = texts.iter().rev().copied().collect();
    let (there, back) = (model.embed(texts).unwrap(), model.embed(&backwards).unwrap());
    for (a, b) in there.rows().zip(back.values.chunks_exact(back.dimension).rev()) {
        assert_close(a, b, &model.info.id);
    }
}

pub(super) fn odd_texts() -> Vec<String> {
    let mut texts: Vec<String> =
        ["", " ", "\t\r\n \u{3000}", "😀👨‍👩‍👧‍👦❤️", "שלום עולם", "\u{202e}مرحبا\u{202c}"].map(String::from).into();
    texts.push((0u8..32).map(char::from).collect());
    texts.push("\u{7f}\u{80}\u{9f}\u{feff}\u{200b}\u{fffd}".into());
    texts.push("word ".repeat(20_000));
    texts.push("x".repeat(100_000));
    texts.push("好".repeat(100_000));
    texts.push(" ".repeat(100_000));
    texts
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn a_text_alone_equals_the_same_text_in_a_batch(texts in prop::collection::vec("\\PC{0,80}|[a-z ,.]{0,200}", 0..12)) {
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        tiny_models().iter().for_each(|model| assert_alone_equals_in_a_batch(model, &texts));
    }

    #[test]
    fn the_order_of_the_texts_does_not_matter(texts in prop::collection::vec("\\PC{0,80}|[a-z ,.]{0,200}", 0..12)) {
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        tiny_models().iter().for_each(|model| assert_order_does_not_matter(model, &texts));
    }
}

#[test]
fn odd_texts_all_have_a_vector_of_their_own_in_every_family() {
    let texts = odd_texts();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    tiny_models().iter().for_each(|model| assert_alone_equals_in_a_batch(model, &texts));
}

#[test]
fn the_laws_hold_for_the_real_models() {
    let odd = odd_texts();
    let written = fixture::texts("texts.json");
    let texts: Vec<&str> = odd.iter().chain(written.iter().step_by(9)).map(String::as_str).collect();
    for model in real_models() {
        assert_alone_equals_in_a_batch(&model, &texts);
        assert_order_does_not_matter(&model, &texts);
    }
}

#[test]
fn the_same_texts_give_the_same_bits() {
    let texts = fixture::texts("tiny/texts.json");
    let texts = texts.iter().map(String::as_str).collect::<Vec<_>>().repeat(40);
    for model in tiny_models() {
        assert_eq!(model.embed(&texts).unwrap(), model.embed(&texts).unwrap(), "{}", model.info.id);
    }
}

#[test]
fn no_texts_give_no_vectors() {
    let none = tiny_models()[0].embed(&[]).unwrap();
    assert_eq!(none, Embeddings { dimension: 20, ..Embeddings::default() });
}

#[test]
fn a_text_too_long_is_cut_and_counted() {
    let settings = LoadSettings { max_tokens: Some(6), ..exact() };
    let model = load(&fixture::tiny("bert"), &settings).unwrap();
    let cut = model.embed(&["a b c d", "a b c d e", "a b c d f g h"]).unwrap();
    assert_eq!((cut.n_tokens, cut.n_truncated), (18, 2));
    let rows: Vec<&[f32]> = cut.rows().collect();
    assert_close(rows[1], rows[0], "the first four words are what is left");
    assert_close(rows[2], rows[0], "the first four words are what is left");
}

/// Token counts and cuts exactly, vectors by cosine.
pub(super) fn assert_equals_recorded(model: &BertEmbedder, texts: &[String], recorded: &Recorded) {
    println!("{}: recorded with {}", model.info.id, recorded.versions());
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    assert_eq!(texts.len(), recorded.vectors.len());
    assert_eq!(model.info.max_tokens.to_string(), recorded.about["max_tokens"]);
    assert_eq!(model.info.prefix, recorded.about["prefix"]);
    for (row, tokens) in model.tokenizer.encode(&texts, None).unwrap().iter().enumerate() {
        assert_eq!(tokens.ids.len(), recorded.n_tokens[row], "tokens of {:?}", texts[row]);
        assert_eq!(tokens.truncated, recorded.truncated[row], "cut of {:?}", texts[row]);
    }
    let found = model.embed(&texts).unwrap();
    let (mut lowest, mut furthest) = (1f64, 0f32);
    for (row, (found, expected)) in found.rows().zip(&recorded.vectors).enumerate() {
        let cosine = cosine(found, expected);
        assert!(cosine >= 0.99999, "{:?}: cosine {cosine}", texts[row]);
        let length = expected.iter().map(|x| x * x).sum::<f32>().sqrt();
        let distance = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0f32, f32::max) / length;
        assert!(distance <= 1e-5, "{:?}: off by {distance:e} of the vector's length", texts[row]);
        furthest = furthest.max(distance);
        lowest = lowest.min(cosine);
    }
    println!("{}: {} texts, lowest cosine {lowest:.9}, component off by {furthest:e}", model.info.id, texts.len());
}

#[test]
fn every_family_equals_transformers_on_a_tiny_model() {
    let texts = fixture::texts("tiny/texts.json");
    for (family, model) in TINY.iter().zip(tiny_models()) {
        assert_equals_recorded(model, &texts, &Recorded::read(&format!("tiny/{family}/expected.safetensors")));
    }
}

#[test]
fn the_real_models_equal_sentence_transformers() {
    let texts = fixture::texts("texts.json");
    for model in real_models() {
        let name = if model.info.id.starts_with("all-MiniLM") { "minilm" } else { "e5" };
        assert_equals_recorded(&model, &texts, &Recorded::read(&format!("{name}.safetensors")));
    }
}

#[test]
fn settings_choose_the_pooling_and_normalising_keeps_the_direction() {
    let text = ["a b c d"];
    let embedded = |pooling, normalise| {
        let settings = LoadSettings { pooling: Some(pooling), normalise: Some(normalise), ..exact() };
        load(&fixture::tiny("bert"), &settings).unwrap().embed(&text).unwrap().values
    };
    let model = load_default(&fixture::tiny("bert"));
    let rows = model.forward(&[&model.tokenize(&text, None).unwrap()[0]], Output::Tokens).unwrap();
    let mean: Vec<f32> = (0..20).map(|at| rows.iter().skip(at).step_by(20).sum::<f32>() / 6.0).collect();
    assert_close(&embedded(Pooling::Mean, false), &mean, "mean");
    assert_close(&embedded(Pooling::Cls, false), &rows[..20], "cls");
    let length = mean.iter().map(|x| x * x).sum::<f32>().sqrt();
    let unit: Vec<f32> = mean.iter().map(|x| x / length).collect();
    assert_close(&embedded(Pooling::Mean, true), &unit, "unit length");
}

#[test]
fn what_was_loaded_is_said_and_settings_win_over_files() {
    let roberta = &tiny_models()[1].info;
    assert_eq!((roberta.id.as_str(), roberta.dimension, roberta.max_tokens), ("roberta", 20, 40));
    assert_eq!((roberta.pooling, roberta.normalised, roberta.prefix.as_str()), (Pooling::Cls, false, "hello: "));
    assert_eq!((roberta.device.as_str(), roberta.precision), ("cpu", Precision::F32));
    let settings = LoadSettings {
        device: DeviceChoice::Cpu,
        precision: PrecisionChoice::Exactly(Precision::F32),
        id: Some("shop".into()),
        fingerprint: Some("shop@1".into()),
        pooling: Some(Pooling::Mean),
        prefix: Some(String::new()),
        max_tokens: Some(1_000),
        normalise: Some(true),
    };
    let chosen = load(&fixture::tiny("roberta"), &settings).unwrap().info;
    assert_eq!((chosen.id.as_str(), chosen.fingerprint.as_str(), chosen.prefix.as_str()), ("shop", "shop@1", ""));
    assert_eq!((chosen.pooling, chosen.normalised, chosen.max_tokens), (Pooling::Mean, true, 46));
}

#[test]
fn a_fingerprint_changes_with_whatever_changes_the_vectors() {
    let folder = fixture::tiny("bert");
    let base = load_default(&folder).info.fingerprint;
    assert_eq!(base, load_default(&folder).info.fingerprint);
    assert!(base.starts_with("bert@") && base.len() == "bert@".len() + 16, "{base}");
    let changes = [
        LoadSettings { pooling: Some(Pooling::Cls), ..exact() },
        LoadSettings { prefix: Some("query: ".into()), ..exact() },
        LoadSettings { max_tokens: Some(9), ..exact() },
        LoadSettings { normalise: Some(false), ..exact() },
    ];
    for settings in changes {
        assert_ne!(load(&folder, &settings).unwrap().info.fingerprint, base, "{settings:?}");
    }
    let bf16 = LoadSettings { precision: PrecisionChoice::Exactly(Precision::Bf16), ..exact() };
    assert_eq!(load(&folder, &bf16).unwrap().info.fingerprint, format!("{base}+bf16"));
    assert_ne!(load_default(&fixture::tiny("distilbert")).info.fingerprint, base);
}

/// How near vectors of each precision are to the exact ones: the least and the mean cosine that are allowed.
const NEARNESS: [(Precision, f64, f64); 3] =
    [(Precision::F32, 0.999_999, 0.999_999), (Precision::Bf16, 0.9995, 0.9998), (Precision::Int8, 0.98, 0.995)];

#[test]
fn every_precision_stays_near_the_recorded_vectors_of_the_real_models() {
    let texts = fixture::texts("texts.json");
    let texts: Vec<&str> = texts.iter().step_by(3).map(String::as_str).collect();
    let e5 = fixture::e5().map(|folder| (folder, "query: ", "e5.safetensors"));
    let minilm = fixture::minilm().map(|folder| (folder, "", "minilm.safetensors"));
    for (folder, prefix, recorded) in minilm.into_iter().chain(e5) {
        let recorded = Recorded::read(recorded);
        for (precision, least, mean) in NEARNESS {
            let settings = LoadSettings {
                precision: PrecisionChoice::Exactly(precision),
                prefix: Some(prefix.into()),
                ..LoadSettings::default()
            };
            let found = load(&folder, &settings).unwrap().embed(&texts).unwrap();
            let cosines: Vec<f64> =
                found.rows().zip(recorded.vectors.iter().step_by(3)).map(|(a, b)| cosine(a, b)).collect();
            let lowest = cosines.iter().copied().fold(f64::MAX, f64::min);
            let average = cosines.iter().sum::<f64>() / cosines.len() as f64;
            println!("{} {precision}: cosine {average:.6}, at least {lowest:.6}", folder.display());
            assert!(lowest >= least && average >= mean, "{precision}: {average}, at least {lowest}");
        }
    }
}

#[test]
fn every_precision_keeps_the_laws_on_every_level_of_instructions() {
    let texts = fixture::texts("tiny/texts.json");
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    for family in TINY {
        let folder = fixture::tiny(family);
        let reference = load_default(&folder).embed(&texts).unwrap();
        for isa in Isa::supported() {
            for (precision, least, _) in NEARNESS {
                let model = load_with(&folder, &exact(), &Place::Processor(Plan { isa, precision })).unwrap();
                assert_alone_equals_in_a_batch(&model, &texts);
                assert_order_does_not_matter(&model, &texts);
                for (found, expected) in model.embed(&texts).unwrap().rows().zip(reference.rows()) {
                    let cosine = cosine(found, expected);
                    assert!(cosine >= least, "{family} {precision} {isa}: {cosine}");
                }
            }
        }
    }
}

#[test]
fn a_precision_that_processors_lack_is_refused_with_the_mend() {
    let settings = LoadSettings { precision: PrecisionChoice::Exactly(Precision::F16), ..exact() };
    let error = load(&fixture::tiny("bert"), &settings).err().unwrap().to_string();
    assert!(error.contains("f16 is for CUDA") && error.contains("f32, bf16 or int8"), "{error}");
}
