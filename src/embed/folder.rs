//! A model folder, as sentence-transformers or transformers write it: which files it has and what they say about pooling,
//! prefix and length. No weight is read here.

use super::{EmbedError, Pooling};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

/// What a folder holds.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelFolder {
    /// `config.json`
    pub config: PathBuf,
    /// `tokenizer.json`
    pub tokenizer: PathBuf,
    /// One safetensors file, or the shards in the order of their names.
    pub weights: Vec<PathBuf>,
    /// The mean, where no file says otherwise.
    pub pooling: Pooling,
    /// True where no file says otherwise.
    pub normalise: bool,
    /// Empty where no file says otherwise.
    pub prefix: String,
    /// Prefixes by name.
    pub prompts: BTreeMap<String, String>,
    /// Lengths that its vectors may be cut to.
    pub matryoshka_dimensions: Vec<usize>,
    /// The limit its files set, if they do; the table of positions sets another.
    pub max_tokens: Option<usize>,
    pub lower_case: bool,
}

impl ModelFolder {
    /// Reads every file but the weights and the tokeniser, and checks that those two are there.
    ///
    /// # Errors
    /// [`EmbedError::MissingFile`] and [`EmbedError::BadFile`].
    pub fn read(folder: &Path) -> Result<Self, EmbedError> {
        let modules = Modules::read(folder)?;
        let inner = folder.join(&modules.transformer);
        let config = required(folder, &inner, "config.json", "give the folder of a downloaded model")?;
        let tokenizer = required(
            folder,
            &inner,
            "tokenizer.json",
            "save it in Python with AutoTokenizer.from_pretrained(FOLDER).save_pretrained(FOLDER)",
        )?;
        let weights = find_weights(folder, &inner)?;
        let lengths = SentenceConfig::read(&inner)?;
        let (prefix, prompts) = read_prompts(folder)?;
        Ok(Self {
            config,
            tokenizer,
            weights,
            pooling: read_pooling(folder, &modules)?,
            normalise: modules.normalise,
            prefix,
            prompts,
            matryoshka_dimensions: read_matryoshka_dimensions(&inner)?,
            max_tokens: match lengths.max_seq_length {
                Some(max_tokens) => Some(max_tokens),
                None => read_tokenizer_limit(&inner)?,
            },
            lower_case: lengths.do_lower_case,
        })
    }
}

/// `modules.json`: the steps of a sentence-transformers model.
struct Modules {
    /// Sub-folder of the encoder, often empty.
    transformer: PathBuf,
    /// Sub-folder of the pooling's settings.
    pooling: PathBuf,
    normalise: bool,
}

#[derive(Deserialize)]
struct ModuleEntry {
    path: PathBuf,
    #[serde(rename = "type")]
    kind: String,
}

impl Modules {
    fn read(folder: &Path) -> Result<Self, EmbedError> {
        let file = folder.join("modules.json");
        let Some(entries) = read_json::<Vec<ModuleEntry>>(&file)? else {
            return Ok(Self { transformer: PathBuf::new(), pooling: "1_Pooling".into(), normalise: true });
        };
        let (mut transformer, mut pooling, mut normalise) = (None, None, false);
        for entry in entries {
            if !is_inside(&entry.path) {
                return Err(bad(&file, format!("the path {:?} leads out of the folder", entry.path)));
            }
            match entry.kind.rsplit('.').next() {
                Some("Transformer") => transformer = Some(entry.path),
                Some("Pooling") => pooling = Some(entry.path),
                Some("Normalize") => normalise = true,
                _ => {
                    let why =
                        format!("the module {:?} is not supported; Transformer, Pooling and Normalize are", entry.kind);
                    return Err(bad(&file, why));
                }
            }
        }
        match (transformer, pooling) {
            (Some(transformer), Some(pooling)) => Ok(Self { transformer, pooling, normalise }),
            _ => Err(bad(&file, "names no Transformer or no Pooling module, and a text vector needs both".into())),
        }
    }
}

/// `sentence_bert_config.json`, which older versions named after the family.
#[derive(Deserialize, Default)]
#[serde(default)]
struct SentenceConfig {
    max_seq_length: Option<usize>,
    do_lower_case: bool,
}

impl SentenceConfig {
    fn read(inner: &Path) -> Result<Self, EmbedError> {
        for family in ["bert", "roberta", "distilbert", "camembert", "xlm-roberta"] {
            if let Some(config) = read_json(&inner.join(format!("sentence_{family}_config.json")))? {
                return Ok(config);
            }
        }
        Ok(Self::default())
    }
}

/// `1_Pooling/config.json`. Up to version 5 it has one flag for each mode, from then on the mode's name, or names.
fn read_pooling(folder: &Path, modules: &Modules) -> Result<Pooling, EmbedError> {
    let file = folder.join(&modules.pooling).join("config.json");
    let Some(config) = read_json::<BTreeMap<String, serde_json::Value>>(&file)? else {
        return Ok(Pooling::Mean);
    };
    if config.get("include_prompt") == Some(&serde_json::Value::Bool(false)) {
        return Err(bad(&file, "include_prompt false is not supported: the prefix's tokens are always pooled".into()));
    }
    let modes: Vec<&str> = match config.get("pooling_mode") {
        Some(serde_json::Value::String(mode)) => vec![mode],
        Some(serde_json::Value::Array(modes)) => modes.iter().filter_map(|mode| mode.as_str()).collect(),
        _ => config
            .iter()
            .filter(|(_, value)| **value == serde_json::Value::Bool(true))
            .filter_map(|(key, _)| key.strip_prefix("pooling_mode_"))
            .collect(),
    };
    match modes[..] {
        [] | ["mean" | "mean_tokens"] => Ok(Pooling::Mean),
        ["cls" | "cls_token"] => Ok(Pooling::Cls),
        _ => Err(bad(&file, format!("pooling by {} is not supported; mean and cls are", modes.join(" and ")))),
    }
}

/// `config_sentence_transformers.json`: prompts by name, and which one stands before every text.
#[derive(Deserialize)]
struct Prompts {
    #[serde(default)]
    prompts: BTreeMap<String, Option<String>>,
    default_prompt_name: Option<String>,
}

/// The prefix of every text, and all prompts.
fn read_prompts(folder: &Path) -> Result<(String, BTreeMap<String, String>), EmbedError> {
    let file = folder.join("config_sentence_transformers.json");
    let Some(config) = read_json::<Prompts>(&file)? else {
        return Ok((String::new(), BTreeMap::new()));
    };
    let prompts: BTreeMap<String, String> =
        config.prompts.into_iter().map(|(name, prompt)| (name, prompt.unwrap_or_default())).collect();
    let prefix = match config.default_prompt_name {
        None => String::new(),
        Some(name) => prompts
            .get(&name)
            .cloned()
            .ok_or_else(|| bad(&file, format!("default_prompt_name is {name:?}, but prompts has none of that name")))?,
    };
    Ok((prefix, prompts))
}

/// `config.json`: its `matryoshka_dimensions`, where model makers say to which lengths a vector may be cut.
fn read_matryoshka_dimensions(inner: &Path) -> Result<Vec<usize>, EmbedError> {
    #[derive(Deserialize)]
    struct Config {
        #[serde(default)]
        matryoshka_dimensions: Option<Vec<usize>>,
    }
    let config = read_json::<Config>(&inner.join("config.json"))?;
    Ok(config.and_then(|config| config.matryoshka_dimensions).unwrap_or_default())
}

/// `tokenizer_config.json`: its `model_max_length`, unless that is the huge number that means "not set".
fn read_tokenizer_limit(inner: &Path) -> Result<Option<usize>, EmbedError> {
    #[derive(Deserialize)]
    struct TokenizerConfig {
        model_max_length: Option<f64>,
    }
    let config = read_json::<TokenizerConfig>(&inner.join("tokenizer_config.json"))?;
    let limit = config.and_then(|config| config.model_max_length);
    Ok(limit.filter(|limit| (1.0..1e9).contains(limit)).map(|limit| limit as usize))
}

fn find_weights(folder: &Path, inner: &Path) -> Result<Vec<PathBuf>, EmbedError> {
    #[derive(Deserialize)]
    struct Index {
        weight_map: BTreeMap<String, PathBuf>,
    }
    let single = inner.join("model.safetensors");
    if single.is_file() {
        return Ok(vec![single]);
    }
    let file = inner.join("model.safetensors.index.json");
    let Some(index) = read_json::<Index>(&file)? else {
        return Err(missing(folder, "model.safetensors", weights_mend(inner)));
    };
    let names: BTreeSet<PathBuf> = index.weight_map.into_values().collect();
    if names.is_empty() || !names.iter().all(|name| is_inside(name)) {
        return Err(bad(&file, "its weight_map must name files of this folder".into()));
    }
    names.iter().map(|name| required(folder, inner, &name.to_string_lossy(), "fetch the model again")).collect()
}

fn weights_mend(inner: &Path) -> &'static str {
    if inner.join("pytorch_model.bin").is_file() {
        "its pytorch_model.bin is a pickle, which is never loaded: only safetensors are. Convert it in Python with \
         AutoModel.from_pretrained(FOLDER).save_pretrained(FOLDER, safe_serialization=True)"
    } else {
        "fetch the model again"
    }
}

fn required(folder: &Path, inner: &Path, name: &str, mend: &str) -> Result<PathBuf, EmbedError> {
    let file = inner.join(name);
    if file.is_file() { Ok(file) } else { Err(missing(folder, name, mend)) }
}

fn is_inside(path: &Path) -> bool {
    path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir))
}

/// None where the file is not there.
fn read_json<T: DeserializeOwned>(file: &Path) -> Result<Option<T>, EmbedError> {
    let bytes = match std::fs::read(file) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(bad(file, error.to_string())),
    };
    serde_json::from_slice(&bytes).map(Some).map_err(|error| bad(file, format!("not what it should hold: {error}")))
}

fn missing(folder: &Path, file: &str, mend: &str) -> EmbedError {
    EmbedError::MissingFile { folder: folder.to_path_buf(), file: file.to_owned(), mend: mend.to_owned() }
}

fn bad(file: &Path, why: String) -> EmbedError {
    EmbedError::BadFile { file: file.to_path_buf(), why }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::tiny;
    use super::*;

    #[test]
    fn prompts_are_read_by_name_and_the_default_one_is_the_prefix() {
        let folder = ModelFolder::read(&tiny("roberta")).unwrap();
        let expected = [("document", ""), ("query", "hello: ")];
        assert_eq!(folder.prompts, expected.map(|(name, prompt)| (name.to_owned(), prompt.to_owned())).into());
        assert_eq!(folder.prefix, "hello: ");
        let without = ModelFolder::read(&tiny("bert")).unwrap();
        assert!(without.prompts.is_empty() && without.prefix.is_empty());
    }

    #[test]
    fn lengths_that_a_vector_may_be_cut_to_are_read_from_the_config() {
        let folder = tempfile::tempdir().unwrap();
        for (config, expected) in [
            (r#"{"matryoshka_dimensions": [4, 8]}"#, Some(vec![4, 8])),
            (r#"{"matryoshka_dimensions": null}"#, Some(vec![])),
            ("{}", Some(vec![])),
            (r#"{"matryoshka_dimensions": "all"}"#, None),
        ] {
            std::fs::write(folder.path().join("config.json"), config).unwrap();
            assert_eq!(read_matryoshka_dimensions(folder.path()).ok(), expected, "{config}");
        }
    }
}
