//! What OpenAI's and text-embeddings-inference's clients send and read. Members that are not known are passed over here, unlike
//! elsewhere: those clients send members of their own.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use utoipa::ToSchema;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, OneOfBuilder, Type};

/// `POST /v1/embeddings`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(expecting = "an object with `input` and `model`")]
pub struct EmbeddingsAsk {
    /// A text, texts, token ids, or lists of token ids. Ids are of the model's own vocabulary, without its special tokens,
    /// which are added; its prefix is not. Nothing may be empty.
    #[schema(schema_with = input_schema)]
    pub input: Value,
    /// A catalogue id or alias, or the name of a loaded model.
    pub model: String,
    #[serde(default)]
    pub encoding_format: Option<EncodingFormat>,
    /// Cut each vector to this length, where the model was trained for it.
    #[serde(default)]
    pub dimensions: Option<usize>,
    /// Not used.
    #[serde(default)]
    #[expect(dead_code, reason = "read so that a wrong type is refused")]
    pub user: Option<String>,
    /// Not OpenAI's: cut what is too long instead of refusing it.
    #[serde(default)]
    pub truncate: Option<bool>,
    /// Not OpenAI's: the name of a prompt of the model's, to go before every text instead of its prefix.
    #[serde(default)]
    pub prompt_name: Option<String>,
}

/// How vectors are written: numbers, or base64 of little-endian 32-bit floats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EncodingFormat {
    #[default]
    Float,
    Base64,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct EmbeddingsBody {
    /// `list`
    #[schema(value_type = String)]
    pub object: &'static str,
    pub data: Vec<EmbeddingBody>,
    pub model: String,
    pub usage: UsageBody,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct EmbeddingBody {
    /// `embedding`
    #[schema(value_type = String)]
    pub object: &'static str,
    pub index: usize,
    pub embedding: EmbeddingNumbers,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum EmbeddingNumbers {
    Float(Vec<f32>),
    Base64(String),
}

/// Tokens that were asked for, the special ones included.
#[derive(Debug, Serialize, ToSchema)]
pub struct UsageBody {
    pub prompt_tokens: usize,
    pub total_tokens: usize,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct ModelList {
    /// `list`
    #[schema(value_type = String)]
    pub object: &'static str,
    pub data: Vec<ModelEntry>,
}

/// A model that can be named in a request. The first four members are OpenAI's.
#[derive(Debug, Serialize, ToSchema)]
pub struct ModelEntry {
    pub id: String,
    /// `model`
    #[schema(value_type = String)]
    pub object: &'static str,
    /// Always 0: when a model was made is not known.
    pub created: u64,
    pub owned_by: String,
    pub aliases: Vec<String>,
    pub dimension: usize,
    /// Shorter lengths that `dimensions` may ask for.
    pub dimensions: Vec<usize>,
    pub max_tokens: usize,
    /// Put before every text.
    pub prefix: String,
    /// Other prefixes by name, once the model is loaded.
    pub prompts: BTreeMap<String, String>,
    /// Whether it is in memory; one that is not is loaded when it is first asked for.
    pub loaded: bool,
    pub fingerprint: Option<String>,
    pub device: Option<String>,
    pub precision: Option<String>,
}

/// `POST /embed`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(expecting = "an object with `inputs`")]
pub struct TeiEmbedAsk {
    /// As `input` of `POST /v1/embeddings`.
    #[schema(schema_with = input_schema)]
    pub inputs: Value,
    /// Cut what is too long (the default), or refuse it.
    #[serde(default)]
    pub truncate: Option<bool>,
    #[serde(default)]
    pub truncation_direction: Option<TruncationDirection>,
    /// The name of a prompt of the model's, to go before every text instead of its prefix.
    #[serde(default)]
    pub prompt_name: Option<String>,
    /// Give vectors unit length: true where it is left out.
    #[serde(default)]
    pub normalize: Option<bool>,
    /// Cut each vector to this length, where the model was trained for it.
    #[serde(default)]
    pub dimensions: Option<usize>,
}

/// `POST /embed_all`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(expecting = "an object with `inputs`")]
pub struct TeiEmbedAllAsk {
    /// As `inputs` of `POST /embed`, at most 32.
    #[schema(schema_with = input_schema)]
    pub inputs: Value,
    #[serde(default)]
    pub truncate: Option<bool>,
    #[serde(default)]
    pub truncation_direction: Option<TruncationDirection>,
    #[serde(default)]
    pub prompt_name: Option<String>,
}

/// Which end of a text that is too long is cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, ToSchema)]
pub enum TruncationDirection {
    #[serde(alias = "left")]
    Left,
    #[default]
    #[serde(alias = "right")]
    Right,
}

/// `POST /tokenize`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(expecting = "an object with `inputs`")]
pub struct TokenizeAsk {
    /// A text, or texts.
    #[schema(schema_with = texts_schema)]
    pub inputs: Value,
    /// True where it is left out.
    #[serde(default)]
    pub add_special_tokens: Option<bool>,
    #[serde(default)]
    pub prompt_name: Option<String>,
}

/// A token and the part of the text it stands for.
#[derive(Debug, Serialize, ToSchema)]
pub struct TokenBody {
    pub id: u32,
    pub text: String,
    pub special: bool,
    /// The first character's place in prefix and text; none for special tokens.
    pub start: Option<usize>,
    /// The place after the last character.
    pub stop: Option<usize>,
}

/// `GET /info`.
#[derive(Debug, Serialize, ToSchema)]
pub struct InfoBody {
    pub model_id: String,
    /// The commit the files are from, where the catalogue pins one.
    pub model_sha: Option<String>,
    pub model_dtype: String,
    pub model_type: ModelType,
    pub max_concurrent_requests: usize,
    pub max_input_length: usize,
    pub max_batch_tokens: usize,
    pub max_batch_requests: Option<usize>,
    pub max_client_batch_size: usize,
    pub auto_truncate: bool,
    pub tokenization_workers: usize,
    /// The service's.
    pub version: String,
}

/// Always an embedding model.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ModelType {
    Embedding { pooling: String },
}

fn texts_schema() -> OneOfBuilder {
    let text = || ObjectBuilder::new().schema_type(Type::String);
    OneOfBuilder::new().item(text()).item(ArrayBuilder::new().items(text()))
}

fn input_schema() -> OneOfBuilder {
    let ids = || ArrayBuilder::new().items(ObjectBuilder::new().schema_type(Type::Integer));
    texts_schema().item(ids()).item(ArrayBuilder::new().items(ids()))
}
