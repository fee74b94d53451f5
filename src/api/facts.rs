//! What every route that takes facts does with them: keep what is right, durably, and say what was wrong with the rest.

use super::ApiState;
use super::problem::{ApiError, ApiResult, Code, ProblemField};
use super::wire::{RejectedItem, Taken as TakenBody};
use crate::clean::about;
use crate::domain::{Rule, Telling, Timestamp, WorkspaceId};
use crate::ingest::FieldError;
use crate::intake::Taken;
use crate::store::Appended;

/// Each of a batch by its place in it.
pub type Parsed = Vec<(usize, Result<Telling, Vec<FieldError>>)>;

/// # Errors
/// The batch is empty or larger than `limit`.
pub fn check_size(pointer: &str, n: usize, limit: usize) -> ApiResult<()> {
    if (1..=limit).contains(&n) {
        return Ok(());
    }
    Err(ApiError::field(Code::InvalidField, pointer, format!("{pointer} has {n} items; 1 to {limit} are taken")))
}

/// Appends what is right, durably, and says what was wrong with the rest.
///
/// # Errors
/// The store's own; nothing was kept then, or it cannot be known, and sending the same again is safe.
pub async fn keep(state: &ApiState, workspace: &WorkspaceId, parsed: Parsed) -> ApiResult<TakenBody> {
    let mut taken = TakenBody::default();
    let (mut facts, mut places) = (Vec::with_capacity(parsed.len()), Vec::with_capacity(parsed.len()));
    for (index, result) in parsed {
        match result {
            Ok(fact) => {
                facts.push(fact);
                places.push(index);
            }
            Err(errors) => {
                let errors = errors
                    .into_iter()
                    .map(|e| ProblemField { pointer: e.pointer, code: e.code.into(), detail: e.message })
                    .collect();
                taken.rejected.push(RejectedItem { index, errors });
            }
        }
    }
    let became = state.intake.append(workspace, facts, None, Timestamp::now()).await?;
    for (index, became) in places.into_iter().zip(became) {
        match became {
            Taken::Appended(Appended::Accepted | Appended::Replaced) => taken.accepted += 1,
            Taken::Appended(Appended::Duplicate) => taken.duplicate += 1,
            Taken::Appended(Appended::Suppressed) => taken.suppressed += 1,
            Taken::Appended(Appended::Declined) => taken.declined += 1,
            Taken::Appended(Appended::Expired) => taken.expired += 1,
            Taken::Rejected(rule) => taken.rejected.push(RejectedItem { index, errors: vec![left_out(rule)] }),
        }
    }
    taken.rejected.sort_by_key(|item| item.index);
    metrics::counter!("clientele_facts_accepted_total").increment(taken.accepted);
    metrics::counter!("clientele_facts_rejected_total").increment(taken.rejected.len() as u64);
    Ok(taken)
}

/// The same with one fact, which was right.
///
/// # Errors
/// The store's own; and the workspace leaves such facts out.
pub async fn keep_one(state: &ApiState, workspace: &WorkspaceId, fact: Telling) -> ApiResult<TakenBody> {
    let mut taken = keep(state, workspace, vec![(0, Ok(fact))]).await?;
    match taken.rejected.pop() {
        None => Ok(taken),
        Some(item) => {
            let detail = item.errors.first().map(|error| error.detail.clone()).unwrap_or_default();
            Err(ApiError { errors: item.errors, ..ApiError::new(Code::InvalidField, detail) })
        }
    }
}

fn left_out(rule: Rule) -> ProblemField {
    let detail = format!("{}; the workspace leaves such facts out (GET /v1/quality/rules)", about(rule).meaning);
    ProblemField { pointer: String::new(), code: rule.code().into(), detail }
}
