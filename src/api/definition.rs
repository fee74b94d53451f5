//! A segmentation's definition as it comes in: each field checked and named where it is wrong, what is left out kept.

use super::ApiState;
use super::problem::{ApiError, ApiResult, Code};
use super::wire::{DefinitionAsk, PickedAsk};
use crate::domain::{
    Algorithm, BlockChoice, BlockWeights, Definition, Inputs, KChoice, Picked, SegmentationName, Timestamp, WorkspaceId,
};
use crate::embed::DEFAULT_MODEL;
use crate::segment::check_features;
use serde_json::Value;

/// Names in one list.
const MAX_NAMES: usize = 1_000;

/// What was asked for, over what the segmentation says already, over the defaults.
pub async fn definition(
    state: &ApiState,
    workspace: &WorkspaceId,
    name: &SegmentationName,
    ask: DefinitionAsk,
) -> ApiResult<Definition> {
    let base = state.store.segmentation(workspace, name).await?.map(|segmentation| segmentation.definition);
    let base = base.unwrap_or(Definition {
        model: DEFAULT_MODEL.into(),
        k: KChoice::Auto,
        seed: 0,
        inputs: Inputs::default(),
        algorithm: Algorithm::default(),
    });
    let k = match ask.k {
        None => base.k,
        Some(Value::String(text)) => KChoice::parse(&text)?,
        Some(value) => KChoice::parse(&value.to_string())?,
    };
    let model = ask.model.unwrap_or(base.model);
    if model.trim().is_empty() || model.len() > 4096 {
        return Err(field("/model", "`model` takes a catalogue id such as all-MiniLM-L6-v2"));
    }
    let inputs = Inputs {
        blocks: ask.blocks.map_or(Ok(base.inputs.blocks), |value| blocks(&value))?,
        features: ask.features.map_or(Ok(base.inputs.features), |ask| picked("features", ask))?,
        traits: ask.traits.map_or(Ok(base.inputs.traits), |ask| picked("traits", ask))?,
        as_of: ask.as_of.map_or(Ok(base.inputs.as_of), |text| as_of(&text))?,
    };
    check_features(&inputs.features)?;
    let algorithm = ask.algorithm.map_or(Ok(base.algorithm), |word| Algorithm::parse(&word))?;
    Ok(Definition { model, k, seed: ask.seed.unwrap_or(base.seed), inputs, algorithm })
}

fn field(pointer: &str, detail: impl Into<String>) -> ApiError {
    ApiError::field(Code::InvalidField, pointer, detail)
}

fn blocks(value: &Value) -> ApiResult<BlockChoice> {
    match value {
        Value::String(word) => Ok(BlockChoice::parse(word)?),
        Value::Object(_) => {
            let weights: BlockWeights = serde_json::from_value(value.clone()).map_err(|error| {
                field("/blocks", format!("blocks takes weights of text, behaviour and traits: {error}"))
            })?;
            Ok(BlockChoice::Weights(weights.check()?))
        }
        _ => Ok(BlockChoice::parse(&value.to_string())?),
    }
}

fn picked(of: &str, ask: PickedAsk) -> ApiResult<Picked> {
    let picked = Picked { only: ask.only.unwrap_or_default(), without: ask.without.unwrap_or_default() };
    for (list, names) in [("only", &picked.only), ("without", &picked.without)] {
        let pointer = format!("/{of}/{list}");
        if names.len() > MAX_NAMES {
            return Err(field(&pointer, format!("{list} has {} names; {MAX_NAMES} are taken", names.len())));
        }
        if let Some(at) = names.iter().position(|name| name.is_empty() || name.len() > 1_024) {
            return Err(field(&format!("{pointer}/{at}"), "a name is empty or longer than 1024 bytes"));
        }
    }
    Ok(picked)
}

fn as_of(text: &str) -> ApiResult<Option<Timestamp>> {
    if text == "newest" {
        return Ok(None);
    }
    let moment = text.parse::<Timestamp>().map_err(|_| {
        field("/as_of", format!("as_of is {text:?}; give a moment such as 2026-11-01T00:00:00Z, or newest"))
    })?;
    Ok(Some(moment.round(jiff::Unit::Microsecond).unwrap_or(moment)))
}
