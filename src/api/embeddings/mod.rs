//! Vectors for existing clients: `POST /v1/embeddings` and `GET /v1/models` as OpenAI's clients call them. The same work in
//! text-embeddings-inference's shapes is in `api/tei.rs`; what was decided where the two leave a choice is in
//! `docs/embeddings.md`.

pub mod dialect;
pub mod input;
pub mod models;
pub mod run;

use super::ApiState;
use super::auth::Reader;
use super::body::Json;
use super::problem::ApiResult;
use super::wire::{EmbeddingBody, EmbeddingNumbers, EmbeddingsAsk, EmbeddingsBody, EncodingFormat, UsageBody};
use axum::extract::State;
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dialect::OpenAiProblem;
use run::{TooLong, Wanted};

/// Vectors of texts or token ids, as OpenAI's `embeddings` answers.
#[utoipa::path(post, path = "/v1/embeddings", tag = "embeddings", security(("key" = [])), request_body = EmbeddingsAsk,
    responses((status = 200, body = EmbeddingsBody), (status = "default", body = OpenAiProblem)))]
pub async fn create_embeddings(
    _: Reader,
    State(state): State<ApiState>,
    Json(ask): Json<EmbeddingsAsk>,
) -> ApiResult<Response> {
    let inputs = input::parse(ask.input, "input", run::max_inputs(&state.limits))?;
    let (name, model) = models::named(&state, &ask.model).await?;
    let dimension = run::dimension(model.info(), &name, ask.dimensions)?;
    let too_long = if ask.truncate.unwrap_or(false) { TooLong::default_cut() } else { TooLong::Refuse };
    let wanted = Wanted { inputs, prompt_name: ask.prompt_name, too_long, normalised: true };
    let mut vectors = run::embed(&model, wanted).await?;
    vectors.shorten(dimension);
    let encoding = ask.encoding_format.unwrap_or_default();
    run::respond(move || EmbeddingsBody {
        object: "list",
        data: vectors.rows().enumerate().map(|(index, row)| embedding(index, row, encoding)).collect(),
        model: name,
        usage: UsageBody { prompt_tokens: vectors.n_tokens, total_tokens: vectors.n_tokens },
    })
    .await
}

fn embedding(index: usize, row: &[f32], encoding: EncodingFormat) -> EmbeddingBody {
    let embedding = match encoding {
        EncodingFormat::Float => EmbeddingNumbers::Float(row.to_vec()),
        EncodingFormat::Base64 => EmbeddingNumbers::Base64(base64_of(row)),
    };
    EmbeddingBody { object: "embedding", index, embedding }
}

/// Little-endian `f32`, one after the other.
fn base64_of(row: &[f32]) -> String {
    STANDARD.encode(row.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn base64_holds_the_same_bits(row in prop::collection::vec(any::<f32>(), 0..50)) {
            let bytes = STANDARD.decode(base64_of(&row)).unwrap();
            let back = bytes.chunks_exact(4).map(|word| f32::from_le_bytes(word.try_into().unwrap()).to_bits());
            prop_assert_eq!(bytes.len(), row.len() * 4);
            prop_assert!(back.eq(row.iter().map(|x| x.to_bits())));
        }
    }
}
