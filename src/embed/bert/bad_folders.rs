//! Folders that lack something or hold something wrong: each is refused with an error that names the file and the mend.

use super::*;
use crate::embed::fixture;
use std::fs;
use tempfile::TempDir;

/// A copy of a tiny model that may be spoilt.
fn copy_of(family: &str) -> TempDir {
    fn copy(from: &Path, to: &Path) {
        for entry in fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            let target = to.join(entry.file_name());
            if entry.file_type().unwrap().is_dir() {
                fs::create_dir(&target).unwrap();
                copy(&entry.path(), &target);
            } else {
                fs::write(&target, fs::read(entry.path()).unwrap()).unwrap();
            }
        }
    }
    let folder = TempDir::new().unwrap();
    copy(&fixture::tiny(family), folder.path());
    folder
}

fn refuse(folder: &Path) -> EmbedError {
    match load(folder, &LoadSettings::default()) {
        Ok(_) => panic!("{} was loaded", folder.display()),
        Err(error) => error,
    }
}

/// Sets one field of a JSON file of the folder.
fn set(folder: &Path, file: &str, field: &str, value: serde_json::Value) {
    let path = folder.join(file);
    let mut json: serde_json::Value =
        fs::read(&path).map_or_else(|_| serde_json::json!({}), |bytes| serde_json::from_slice(&bytes).unwrap());
    json[field] = value;
    fs::write(&path, json.to_string()).unwrap();
}

#[test]
fn a_missing_file_is_named_with_its_mend() {
    for (family, file, mend) in [
        ("bert", "config.json", "downloaded model"),
        ("bert", "tokenizer.json", "AutoTokenizer"),
        ("bert", "model.safetensors", "fetch the model again"),
        ("xlm-roberta", "model-00002-of-00003.safetensors", "fetch the model again"),
    ] {
        let folder = copy_of(family);
        fs::remove_file(folder.path().join(file)).unwrap();
        let error = refuse(folder.path());
        assert!(matches!(&error, EmbedError::MissingFile { file: named, .. } if named == file), "{error}");
        assert!(error.to_string().contains(mend), "{error}");
    }
}

#[test]
fn a_folder_that_is_not_there_lacks_its_config() {
    let folder = TempDir::new().unwrap();
    let error = refuse(&folder.path().join("nowhere"));
    assert!(matches!(&error, EmbedError::MissingFile { file, .. } if file == "config.json"), "{error}");
}

#[test]
fn a_pickle_is_never_loaded_and_the_error_says_how_to_convert_it() {
    let folder = copy_of("bert");
    fs::rename(folder.path().join("model.safetensors"), folder.path().join("pytorch_model.bin")).unwrap();
    let error = refuse(folder.path());
    assert!(matches!(&error, EmbedError::MissingFile { file, .. } if file == "model.safetensors"), "{error}");
    assert!(
        error.to_string().contains("only safetensors are") && error.to_string().contains("save_pretrained"),
        "{error}"
    );
}

#[test]
fn garbage_in_any_file_is_refused_by_that_files_name() {
    for (family, file) in [
        ("bert", "config.json"),
        ("bert", "tokenizer.json"),
        ("bert", "model.safetensors"),
        ("roberta", "modules.json"),
        ("roberta", "1_Pooling/config.json"),
        ("roberta", "sentence_bert_config.json"),
        ("roberta", "config_sentence_transformers.json"),
        ("xlm-roberta", "model.safetensors.index.json"),
        ("xlm-roberta", "model-00003-of-00003.safetensors"),
    ] {
        for garbage in [&b""[..], b"{", b"[]x", b"\xff\xfe\x00garbage that is longer than a header"] {
            let folder = copy_of(family);
            let path = folder.path().join(file);
            fs::write(&path, garbage).unwrap();
            let error = refuse(folder.path());
            assert!(matches!(&error, EmbedError::BadFile { file, .. } if *file == path), "{file}: {error}");
        }
    }
}

#[test]
fn truncated_weights_are_refused_wherever_they_end() {
    let folder = copy_of("bert");
    let path = folder.path().join("model.safetensors");
    let whole = fs::read(&path).unwrap();
    for length in [1, 7, 8, 100, whole.len() / 2, whole.len() - 1] {
        fs::write(&path, &whole[..length]).unwrap();
        let error = refuse(folder.path());
        assert!(
            matches!(&error, EmbedError::BadFile { why, .. } if why.contains("fetch it again")),
            "{length}: {error}"
        );
    }
}

#[test]
fn a_config_that_is_not_supported_names_the_field() {
    use serde_json::json;
    for (field, value, said) in [
        ("model_type", json!("t5"), "model_type \"t5\" is not supported"),
        ("model_type", json!(null), "model_type is missing"),
        ("hidden_act", json!("quick_gelu"), "hidden_act \"quick_gelu\" is not supported"),
        ("position_embedding_type", json!("relative_key"), "position_embedding_type"),
        ("is_decoder", json!(true), "is_decoder"),
        ("num_attention_heads", json!(3), "num_attention_heads 3"),
        ("num_attention_heads", json!(0), "num_attention_heads is 0"),
        ("hidden_size", json!(null), "hidden_size is missing"),
        ("hidden_size", json!("wide"), "not a model's config"),
    ] {
        let folder = copy_of("bert");
        set(folder.path(), "config.json", field, value);
        let error = refuse(folder.path());
        assert!(
            matches!(&error, EmbedError::BadFile { file, why } if file.ends_with("config.json") && why.contains(said)),
            "{error}"
        );
    }
}

#[test]
fn weights_that_do_not_fit_the_config_name_the_tensor() {
    use serde_json::json;
    for (field, value, said) in [
        ("intermediate_size", json!(27), "intermediate.dense.weight has the shape [28, 20]"),
        ("hidden_size", json!(22), "embeddings.word_embeddings.weight has the shape"),
        ("max_position_embeddings", json!(47), "embeddings.position_embeddings.weight has the shape [48, 20]"),
        ("num_hidden_layers", json!(3), "lacks the tensor bert.encoder.layer.2.attention.self.query.weight"),
        ("model_type", json!("distilbert"), "lacks the tensor bert.transformer.layer.0.attention.q_lin.weight"),
    ] {
        let folder = copy_of("bert");
        set(folder.path(), "config.json", field, value);
        let error = refuse(folder.path());
        assert!(matches!(&error, EmbedError::BadFile { why, .. } if why.contains(said)), "{field}: {error}");
    }
}

#[test]
fn sentence_settings_that_are_not_supported_are_refused() {
    use serde_json::json;
    let modules = |path: &str, kind: &str| json!([{"path": "", "type": "a.Transformer"}, {"path": path, "type": kind}]);
    let write = |folder: &Path, file: &str, value: serde_json::Value| {
        fs::write(folder.join(file), value.to_string()).unwrap();
    };
    for (file, value, said) in [
        ("modules.json", modules("2_Dense", "sentence_transformers.models.Dense"), "models.Dense\" is not supported"),
        ("modules.json", modules("../1_Pooling", "a.Pooling"), "leads out of the folder"),
        ("modules.json", modules("/1_Pooling", "a.Pooling"), "leads out of the folder"),
        ("modules.json", json!([{"path": "", "type": "a.Transformer"}]), "no Pooling module"),
        ("1_Pooling/config.json", json!({"pooling_mode": "max"}), "pooling by max is not supported"),
        ("1_Pooling/config.json", json!({"pooling_mode": ["cls", "mean"]}), "pooling by cls and mean"),
        ("1_Pooling/config.json", json!({"pooling_mode_lasttoken": true}), "pooling by lasttoken"),
        ("1_Pooling/config.json", json!({"pooling_mode": "mean", "include_prompt": false}), "include_prompt"),
        ("config_sentence_transformers.json", json!({"default_prompt_name": "passage"}), "\"passage\""),
    ] {
        let folder = copy_of("roberta");
        write(folder.path(), file, value);
        let error = refuse(folder.path());
        assert!(
            matches!(&error, EmbedError::BadFile { file: named, why } if named.ends_with(file) && why.contains(said)),
            "{error}"
        );
    }
}

#[test]
fn a_tokeniser_that_does_not_belong_to_the_weights_is_refused() {
    let folder = copy_of("bert");
    let path = folder.path().join("tokenizer.json");
    let mut tokenizer: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    tokenizer["model"]["vocab"]["extra"] = 5_000.into();
    fs::write(&path, tokenizer.to_string()).unwrap();
    let error = refuse(folder.path());
    assert!(matches!(&error, EmbedError::BadFile { why, .. } if why.contains("do not belong together")), "{error}");
}

#[test]
fn a_tokeniser_without_special_tokens_is_refused_since_the_empty_text_would_have_no_vector() {
    let folder = copy_of("bert");
    set(folder.path(), "tokenizer.json", "post_processor", serde_json::Value::Null);
    let error = refuse(folder.path());
    assert!(matches!(&error, EmbedError::BadFile { why, .. } if why.contains("no special tokens")), "{error}");
}

#[test]
fn a_length_that_leaves_no_room_for_text_is_refused() {
    for max_tokens in 0..=2 {
        let settings = LoadSettings { max_tokens: Some(max_tokens), ..LoadSettings::default() };
        let error = load(&fixture::tiny("bert"), &settings).err().unwrap();
        assert!(
            matches!(&error, EmbedError::BadFile { why, .. } if why.contains("leaves none for the text")),
            "{error}"
        );
    }
}

#[test]
fn settings_are_read_from_a_pooling_of_either_style() {
    use serde_json::json;
    for (value, pooling) in [
        (json!({"pooling_mode": "cls"}), Pooling::Cls),
        (json!({"pooling_mode": ["mean"]}), Pooling::Mean),
        (json!({"pooling_mode_mean_tokens": true, "pooling_mode_cls_token": false}), Pooling::Mean),
        (json!({"pooling_mode_mean_tokens": false, "pooling_mode_cls_token": true}), Pooling::Cls),
        (json!({"word_embedding_dimension": 20}), Pooling::Mean),
    ] {
        let folder = copy_of("roberta");
        fs::write(folder.path().join("1_Pooling/config.json"), value.to_string()).unwrap();
        assert_eq!(load(folder.path(), &LoadSettings::default()).unwrap().info.pooling, pooling, "{value}");
    }
}
