//! From inputs to vectors: prompts, lengths, lanes. Both dialects come through here.

use super::input::{Input, Inputs};
use crate::api::Limits;
use crate::api::problem::{ApiError, ApiResult, Code};
use crate::embed::{
    Ask, Cut, EmbedError, EmbedQueue, Embeddings, Lane, ModelInfo, Output, SharedTokens, TokenIds, catalogue, normalise,
};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// Inputs of one call, as OpenAI has it.
const MAX_INPUTS: usize = 2_048;

/// Calls with at most so many inputs are answered before bulk work; larger ones wait their turn with it.
const INTERACTIVE_INPUTS: usize = 32;

/// How many inputs one call may have.
pub fn max_inputs(limits: &Limits) -> usize {
    MAX_INPUTS.min(limits.batch_items)
}

/// What becomes of an input with more tokens than the model takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TooLong {
    Refuse,
    Cut(Cut),
}

impl TooLong {
    pub fn default_cut() -> Self {
        Self::Cut(Cut::End)
    }
}

/// What is asked of the model.
#[derive(Debug)]
pub struct Wanted {
    pub inputs: Inputs,
    /// The name of the prefix to put before every text; None is the model's own prefix.
    pub prompt_name: Option<String>,
    pub too_long: TooLong,
    /// Whether vectors get unit length.
    pub normalised: bool,
}

/// Vectors, one an input.
#[derive(Debug)]
pub struct Vectors {
    pub dimension: usize,
    pub values: Vec<f32>,
    /// Tokens of all inputs, the special ones included.
    pub n_tokens: usize,
}

impl Vectors {
    pub fn rows(&self) -> impl Iterator<Item = &[f32]> {
        self.values.chunks_exact(self.dimension.max(1))
    }

    /// Keeps each vector's first components and gives what is left unit length.
    pub fn shorten(&mut self, dimension: usize) {
        if dimension >= self.dimension {
            return;
        }
        let rows = self.values.chunks_exact(self.dimension);
        self.values = rows.flat_map(|row| &row[..dimension]).copied().collect();
        self.dimension = dimension;
        self.values.chunks_exact_mut(dimension.max(1)).for_each(normalise);
    }
}

/// The length of vector asked for, where the model allows it.
///
/// # Errors
/// The model was not trained for vectors cut to that length.
pub fn dimension(info: &ModelInfo, name: &str, asked: Option<usize>) -> ApiResult<usize> {
    let full = info.dimension;
    let of_catalogue = catalogue().find(name).map(|model| model.matryoshka_dimensions.as_slice()).unwrap_or_default();
    let allowed = if of_catalogue.is_empty() { &info.matryoshka_dimensions[..] } else { of_catalogue };
    let Some(asked) = asked.filter(|asked| *asked != full) else { return Ok(full) };
    if asked < full && asked > 0 && allowed.contains(&asked) {
        return Ok(asked);
    }
    let choice = match allowed {
        [] => format!("it was not trained for shorter ones, so leave `dimensions` out or give {full}"),
        allowed => format!("it can be asked for {allowed:?} or {full}"),
    };
    let detail = format!("/dimensions: {name} has vectors of {full} dimensions, not {asked}; {choice}");
    Err(ApiError::field(Code::InvalidField, "/dimensions", detail))
}

/// Vectors of the inputs.
///
/// # Errors
/// The prompt is not known, an input is too long or holds an unknown token, or the model is busy or fails.
pub async fn embed(model: &EmbedQueue, wanted: Wanted) -> ApiResult<Vectors> {
    let info = model.info();
    let normalised = wanted.normalised;
    let plain = match plain_texts(&wanted, info) {
        Some(texts) => {
            if wanted.too_long == TooLong::Refuse {
                refuse_long(info, &wanted.inputs, &texts).await?;
            }
            embed_texts(model, texts, wanted.too_long).await?
        }
        None => None,
    };
    let (mut vectors, has_unit_length) = match plain {
        Some(vectors) => (vectors, info.normalised),
        None => (embed_tokens(model, tokens(model, wanted).await?).await?, false),
    };
    if normalised && !has_unit_length {
        vectors.values.chunks_exact_mut(vectors.dimension.max(1)).for_each(normalise);
    }
    Ok(vectors)
}

async fn embed_tokens(model: &EmbedQueue, tokens: Vec<TokenIds>) -> ApiResult<Vectors> {
    let n_tokens = tokens.iter().map(|text| text.ids.len()).sum();
    let values = forward(model, tokens, Output::Pooled).await?;
    Ok(Vectors { dimension: model.info().dimension, values, n_tokens })
}

/// All inputs, when the queue's own way will do, which remembers vectors: for texts with the model's own prefix, cut and
/// normalised as the model does it.
fn plain_texts(wanted: &Wanted, info: &ModelInfo) -> Option<Vec<String>> {
    let needs_raw = info.normalised && !wanted.normalised;
    if wanted.prompt_name.is_some() || wanted.too_long == TooLong::Cut(Cut::Start) || needs_raw {
        return None;
    }
    wanted.inputs.entries.iter().map(|input| input.text().map(str::to_owned)).collect()
}

/// Refuses texts that are too long before anything is computed. A text has hardly ever more tokens than bytes, so most are not
/// even looked at; the rest is seen afterwards.
async fn refuse_long(info: &ModelInfo, inputs: &Inputs, texts: &[String]) -> ApiResult<()> {
    let long = texts.iter().enumerate().filter(|(_, text)| text.len() > info.max_tokens);
    let (places, long): (Vec<usize>, Vec<String>) = long.map(|(index, text)| (index, text.clone())).unzip();
    let Some(shared) = info.tokens.clone().filter(|_| !long.is_empty()) else { return Ok(()) };
    let lengths = blocking(move || {
        let texts: Vec<&str> = long.iter().map(String::as_str).collect();
        let own = shared.own_ids(&texts, None)?;
        Ok::<_, EmbedError>(own.iter().map(|ids| (ids.len(), shared.wrap(ids, Cut::End).truncated)).collect::<Vec<_>>())
    });
    match lengths.await??.into_iter().zip(places).find(|((_, truncated), _)| *truncated) {
        Some(((n_own, _), index)) => Err(refused(info, inputs.pointer(index), n_own)),
        None => Ok(()),
    }
}

/// None when one is too long after all and that is refused: the slower way then says which.
async fn embed_texts(model: &EmbedQueue, texts: Vec<String>, too_long: TooLong) -> ApiResult<Option<Vectors>> {
    let embedded = model.embed(lane(texts.len()), texts).await?;
    if embedded.n_truncated > 0 && too_long == TooLong::Refuse {
        return Ok(None);
    }
    let Embeddings { dimension, values, n_tokens, .. } = embedded;
    Ok(Some(Vectors { dimension, values, n_tokens }))
}

fn lane(n_inputs: usize) -> Lane {
    if n_inputs <= INTERACTIVE_INPUTS { Lane::Interactive } else { Lane::Bulk }
}

/// What the model makes of the tokens.
///
/// # Errors
/// The model is busy or fails.
pub async fn forward(model: &EmbedQueue, tokens: Vec<TokenIds>, output: Output) -> ApiResult<Vec<f32>> {
    let ask = Ask { lane: lane(tokens.len()), output, deadline: None };
    Ok(model.forward(ask, tokens).await?)
}

/// Each input's tokens, ready for the model.
///
/// # Errors
/// The prompt is not known, an input is too long or holds an unknown token, or the tokeniser fails.
pub async fn tokens(model: &EmbedQueue, wanted: Wanted) -> ApiResult<Vec<TokenIds>> {
    let info = model.info().clone();
    let prefix = prompt(&info, wanted.prompt_name.as_deref())?;
    if prefix.is_some() && wanted.inputs.entries.iter().any(|input| matches!(input, Input::Ids(_))) {
        let detail = "/prompt_name: a prompt goes before texts; put its tokens before the ids yourself";
        return Err(ApiError::field(Code::InvalidField, "/prompt_name", detail));
    }
    check_ids(&info, &wanted.inputs)?;
    let shared = shared_tokens(&info)?;
    blocking(move || wrapped(&info, &shared, wanted, prefix.as_deref())).await?
}

fn wrapped(info: &ModelInfo, tokens: &SharedTokens, wanted: Wanted, prefix: Option<&str>) -> ApiResult<Vec<TokenIds>> {
    let own = own_ids(tokens, &wanted.inputs.entries, prefix)?;
    let cut = if let TooLong::Cut(cut) = wanted.too_long { cut } else { Cut::End };
    let wrapped: Vec<TokenIds> = own.iter().map(|ids| tokens.wrap(ids, cut)).collect();
    let cut = wrapped.iter().position(|text| text.truncated).filter(|_| wanted.too_long == TooLong::Refuse);
    match cut {
        Some(index) => Err(refused(info, wanted.inputs.pointer(index), own[index].len())),
        None => Ok(wrapped),
    }
}

fn refused(info: &ModelInfo, pointer: String, n_own: usize) -> ApiError {
    let max_tokens = info.max_tokens;
    let detail = format!(
        "{pointer} has {n_own} tokens, and {} takes {max_tokens}, its special ones included; shorten the text, or send \
         \"truncate\": true to have it cut",
        info.id
    );
    ApiError::field(Code::TextTooLong, pointer, detail)
}

/// The prefix of that name; None where none is named.
///
/// # Errors
/// The model has no prompt of that name.
pub fn prompt(info: &ModelInfo, name: Option<&str>) -> ApiResult<Option<String>> {
    let Some(name) = name else { return Ok(None) };
    if let Some(prompt) = info.prompts.get(name) {
        return Ok(Some(prompt.clone()));
    }
    let known: Vec<&str> = info.prompts.keys().map(String::as_str).collect();
    let known = if known.is_empty() { "it has none".into() } else { format!("it has {}", known.join(", ")) };
    let shown: String = name.chars().take(100).collect();
    let detail = format!("/prompt_name: {} has no prompt {shown:?}; {known}", info.id);
    Err(ApiError::field(Code::InvalidField, "/prompt_name", detail))
}

/// Every id is one of the model's.
fn check_ids(info: &ModelInfo, inputs: &Inputs) -> ApiResult<()> {
    for (index, input) in inputs.entries.iter().enumerate() {
        let Input::Ids(ids) = input else { continue };
        let n_words = info.vocabulary_size;
        if let Some(at) = ids.iter().position(|&id| id as usize >= n_words) {
            let pointer = format!("{}/{at}", inputs.pointer(index));
            let detail = format!(
                "{pointer} is {}, and {} has token ids below {n_words}; ids of another model's vocabulary mean nothing to it",
                ids[at], info.id
            );
            return Err(ApiError::field(Code::InvalidField, pointer, detail));
        }
    }
    Ok(())
}

/// The texts' own ids in the places between the ids that were given.
fn own_ids(tokens: &SharedTokens, inputs: &[Input], prefix: Option<&str>) -> Result<Vec<Vec<u32>>, EmbedError> {
    let texts: Vec<&str> = inputs.iter().filter_map(Input::text).collect();
    let mut of_texts = tokens.own_ids(&texts, prefix)?.into_iter();
    let ids = |input: &Input| match input {
        Input::Text(_) => of_texts.next().unwrap_or_default(),
        Input::Ids(ids) => ids.clone(),
    };
    Ok(inputs.iter().map(ids).collect())
}

/// The model's tokeniser.
///
/// # Errors
/// The model does not share its tokeniser.
pub fn shared_tokens(info: &ModelInfo) -> ApiResult<SharedTokens> {
    let none = || ApiError::new(Code::BadModel, format!("{} takes texts alone: it has no tokeniser to share", info.id));
    info.tokens.clone().ok_or_else(none)
}

/// Long work off the async runtime's threads.
///
/// # Errors
/// It panicked.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> ApiResult<T> {
    tokio::task::spawn_blocking(work).await.map_err(|_| ApiError::new(Code::Internal, "the service hit a defect"))
}

/// A JSON answer of many numbers, written off the async runtime's threads.
///
/// # Errors
/// It could not be written.
pub async fn respond<T: Serialize>(body: impl FnOnce() -> T + Send + 'static) -> ApiResult<Response> {
    let bytes = blocking(move || serde_json::to_vec(&body())).await?;
    let bytes = bytes.map_err(|error| {
        tracing::error!(%error, "an answer could not be written");
        ApiError::new(Code::Internal, "the answer could not be written")
    })?;
    Ok(([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], bytes).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_shortened_vector_keeps_its_direction_and_gets_unit_length(
            values in prop::collection::vec(-1f32..1.0, 24),
            dimension in 1usize..12,
        ) {
            let mut vectors = Vectors { dimension: 8, values: values.clone(), n_tokens: 3 };
            vectors.shorten(dimension);
            let kept = dimension.min(8);
            prop_assert_eq!((vectors.dimension, vectors.rows().count()), (kept, 3));
            for (short, full) in vectors.rows().zip(values.chunks_exact(8)) {
                let length = |row: &[f32]| row.iter().map(|x| x * x).sum::<f32>().sqrt();
                prop_assert!(dimension >= 8 || (length(short) - 1.0).abs() < 1e-5 || length(&full[..kept]) < 1e-9);
                let scale = if dimension >= 8 { 1.0 } else { length(&full[..kept]).max(1e-12) };
                for (short, full) in short.iter().zip(full) {
                    prop_assert!((short * scale - full).abs() < 1e-5);
                }
            }
        }
    }

    fn info(matryoshka_dimensions: Vec<usize>) -> ModelInfo {
        ModelInfo {
            id: "shop".into(),
            fingerprint: "shop@1".into(),
            dimension: 8,
            max_tokens: 9,
            pooling: crate::embed::Pooling::Mean,
            normalised: true,
            prefix: String::new(),
            prompts: [("query", "q: "), ("doc", "")].map(|(name, prompt)| (name.into(), prompt.into())).into(),
            matryoshka_dimensions,
            tokens: None,
            device: "cpu".into(),
            precision: crate::embed::Precision::F32,
            weight_bytes: 0,
            vocabulary_size: 30,
        }
    }

    #[test]
    fn a_vector_is_cut_only_to_what_the_model_was_trained_for() {
        let (plain, trained) = (info(vec![]), info(vec![2, 4]));
        assert_eq!(dimension(&plain, "shop", None).unwrap(), 8);
        assert_eq!(dimension(&plain, "shop", Some(8)).unwrap(), 8);
        assert_eq!(dimension(&trained, "shop", Some(4)).unwrap(), 4);
        for (info, asked, says) in [
            (&plain, 4, "was not trained for shorter ones"),
            (&plain, 0, "8 dimensions, not 0"),
            (&plain, 9, "give 8"),
            (&trained, 3, "[2, 4] or 8"),
            (&trained, usize::MAX, "[2, 4] or 8"),
        ] {
            let error = dimension(info, "shop", Some(asked)).unwrap_err();
            assert_eq!((error.code, error.errors[0].pointer.as_str()), (Code::InvalidField, "/dimensions"));
            assert!(error.detail.contains(says) && error.detail.contains("shop"), "{}", error.detail);
        }
    }

    #[test]
    fn a_prompt_that_is_not_known_is_refused_with_those_that_are() {
        let info = info(vec![]);
        assert_eq!(prompt(&info, None).unwrap(), None);
        assert_eq!(prompt(&info, Some("query")).unwrap().as_deref(), Some("q: "));
        assert_eq!(prompt(&info, Some("doc")).unwrap().as_deref(), Some(""));
        let error = prompt(&info, Some("passage")).unwrap_err();
        assert!(error.detail.contains("\"passage\"; it has doc, query"), "{}", error.detail);
    }
}
