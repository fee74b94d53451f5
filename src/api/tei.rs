//! The same vectors in the shapes of text-embeddings-inference: `/embed`, `/embed_all`, `/tokenize`, `/info`. They serve the
//! default model, or the one that `?model=` names.

use super::ApiState;
use super::auth::Reader;
use super::body::{Json, Query};
use super::embeddings::dialect::TeiProblem;
use super::embeddings::run::{self, TooLong, Wanted};
use super::embeddings::{input, models};
use super::problem::{ApiError, ApiResult, Code};
use super::server::ServerSettings;
use super::wire::{InfoBody, ModelType, TeiEmbedAllAsk, TeiEmbedAsk, TokenBody, TokenizeAsk, TruncationDirection};
use crate::embed::{
    Cut, DEFAULT_MODEL, EmbedQueue, Output, Pooling, Precision, QueueSettings, Source, Token, catalogue,
};
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use std::sync::Arc;
use utoipa::IntoParams;

/// Inputs of one `/embed_all`: an answer holds a vector a token, hundreds of times what `/embed` gives.
const MAX_INPUTS_OF_TOKENS: usize = 32;

/// Bytes of all texts of one `/tokenize`: an answer is up to a hundred times as large.
const MAX_TOKENIZED_BYTES: usize = 512 << 10;

/// The query of these routes.
#[derive(Debug, Deserialize, IntoParams)]
pub struct WhichModel {
    /// A catalogue id or alias, or the name of a loaded model; without it, the service's default.
    model: Option<String>,
}

impl WhichModel {
    async fn open(&self, state: &ApiState) -> ApiResult<(String, Arc<EmbedQueue>)> {
        models::named(state, self.model.as_deref().unwrap_or(DEFAULT_MODEL)).await
    }
}

/// A vector for each input.
#[utoipa::path(post, path = "/embed", tag = "embeddings", security(("key" = [])), params(WhichModel),
    request_body = TeiEmbedAsk,
    responses((status = 200, body = Vec<Vec<f32>>), (status = "default", body = TeiProblem)))]
pub async fn embed(
    _: Reader,
    State(state): State<ApiState>,
    Query(which): Query<WhichModel>,
    Json(ask): Json<TeiEmbedAsk>,
) -> ApiResult<Response> {
    let inputs = input::parse(ask.inputs, "inputs", run::max_inputs(&state.limits))?;
    let (name, model) = which.open(&state).await?;
    let dimension = run::dimension(model.info(), &name, ask.dimensions)?;
    let wanted = Wanted {
        inputs,
        prompt_name: ask.prompt_name,
        too_long: too_long(ask.truncate, ask.truncation_direction),
        normalised: ask.normalize.unwrap_or(true),
    };
    let mut vectors = run::embed(&model, wanted).await?;
    vectors.shorten(dimension);
    run::respond(move || vectors.rows().map(<[f32]>::to_vec).collect::<Vec<_>>()).await
}

/// A vector for each token of each input, the special ones included; neither pooled nor normalised.
#[utoipa::path(post, path = "/embed_all", tag = "embeddings", security(("key" = [])), params(WhichModel),
    request_body = TeiEmbedAllAsk,
    responses((status = 200, body = Vec<Vec<Vec<f32>>>), (status = "default", body = TeiProblem)))]
pub async fn embed_all(
    _: Reader,
    State(state): State<ApiState>,
    Query(which): Query<WhichModel>,
    Json(ask): Json<TeiEmbedAllAsk>,
) -> ApiResult<Response> {
    let inputs = input::parse(ask.inputs, "inputs", MAX_INPUTS_OF_TOKENS.min(state.limits.batch_items))?;
    let (_, model) = which.open(&state).await?;
    let too_long = too_long(ask.truncate, ask.truncation_direction);
    let wanted = Wanted { inputs, prompt_name: ask.prompt_name, too_long, normalised: false };
    let tokens = run::tokens(&model, wanted).await?;
    let lengths: Vec<usize> = tokens.iter().map(|text| text.ids.len()).collect();
    let dimension = model.info().dimension.max(1);
    let values = run::forward(&model, tokens, Output::Tokens).await?;
    run::respond(move || {
        let mut rows = values.chunks_exact(dimension).map(<[f32]>::to_vec);
        lengths.iter().map(|&n| rows.by_ref().take(n).collect::<Vec<_>>()).collect::<Vec<_>>()
    })
    .await
}

/// The model's tokens of each text, uncut, with the places they stand for.
#[utoipa::path(post, path = "/tokenize", tag = "embeddings", security(("key" = [])), params(WhichModel),
    request_body = TokenizeAsk,
    responses((status = 200, body = Vec<Vec<TokenBody>>), (status = "default", body = TeiProblem)))]
pub async fn tokenize(
    _: Reader,
    State(state): State<ApiState>,
    Query(which): Query<WhichModel>,
    Json(ask): Json<TokenizeAsk>,
) -> ApiResult<Response> {
    let texts = input::parse_texts(ask.inputs, "inputs", run::max_inputs(&state.limits))?;
    let n_bytes: usize = texts.iter().map(String::len).sum();
    if n_bytes > MAX_TOKENIZED_BYTES {
        let detail = format!("/inputs has {n_bytes} bytes; one call takes {MAX_TOKENIZED_BYTES}, so send it in parts");
        return Err(ApiError::field(Code::BatchTooLarge, "/inputs", detail));
    }
    let (_, model) = which.open(&state).await?;
    let prefix = run::prompt(model.info(), ask.prompt_name.as_deref())?;
    let tokens = run::shared_tokens(model.info())?;
    let special = ask.add_special_tokens.unwrap_or(true);
    let spell = move || {
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        tokens.spell(&texts, prefix.as_deref(), special)
    };
    let spelled = run::blocking(spell).await??;
    run::respond(move || {
        let body = |text: Vec<Token>| text.into_iter().map(token).collect::<Vec<_>>();
        spelled.into_iter().map(body).collect::<Vec<_>>()
    })
    .await
}

/// What the model is and takes.
#[utoipa::path(get, path = "/info", tag = "embeddings", security(("key" = [])), params(WhichModel),
    responses((status = 200, body = InfoBody), (status = "default", body = TeiProblem)))]
pub async fn info(
    _: Reader,
    State(state): State<ApiState>,
    Query(which): Query<WhichModel>,
) -> ApiResult<axum::Json<InfoBody>> {
    let (name, model) = which.open(&state).await?;
    let info = model.info();
    let revision = catalogue().find(&name).and_then(|model| {
        let revision = |source: &Source| match source {
            Source::Hub { revision, .. } => Some(revision.to_string()),
            Source::Local {} | Source::Pip { .. } => None,
        };
        model.sources.iter().find_map(revision)
    });
    Ok(axum::Json(InfoBody {
        model_id: name,
        model_sha: revision,
        model_dtype: dtype(info.precision).to_owned(),
        model_type: ModelType::Embedding { pooling: pooling(info.pooling).to_owned() },
        max_concurrent_requests: ServerSettings::default().max_connections,
        max_input_length: info.max_tokens,
        max_batch_tokens: QueueSettings::default().max_batch_tokens,
        max_batch_requests: None,
        max_client_batch_size: run::max_inputs(&state.limits),
        auto_truncate: true,
        tokenization_workers: std::thread::available_parallelism().map_or(1, usize::from),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    }))
}

/// Cutting is the default, as it is there.
fn too_long(truncate: Option<bool>, direction: Option<TruncationDirection>) -> TooLong {
    match (truncate, direction.unwrap_or_default()) {
        (Some(false), _) => TooLong::Refuse,
        (_, TruncationDirection::Left) => TooLong::Cut(Cut::Start),
        (_, TruncationDirection::Right) => TooLong::Cut(Cut::End),
    }
}

fn token(token: Token) -> TokenBody {
    let Token { id, text, special, span } = token;
    TokenBody { id, text, special, start: span.map(|span| span.0), stop: span.map(|span| span.1) }
}

fn dtype(precision: Precision) -> &'static str {
    match precision {
        Precision::F32 => "float32",
        Precision::Bf16 => "bfloat16",
        Precision::Int8 => "int8",
        Precision::F16 => "float16",
    }
}

fn pooling(pooling: Pooling) -> &'static str {
    match pooling {
        Pooling::Mean => "mean",
        Pooling::Cls => "cls",
    }
}
