//! What every route that takes facts does with them: keep what is right, durably, and say what was wrong with the rest.

use super::ApiState;
use super::problem::{ApiError, ApiResult, Code, ProblemField};
use super::wire::{RejectedItem, Taken};
use crate::domain::{Telling, Timestamp, WorkspaceId};
use crate::ingest::FieldError;
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
pub async fn keep(state: &ApiState, workspace: &WorkspaceId, parsed: Parsed) -> ApiResult<Taken> {
    let mut taken = Taken::default();
    let mut facts = Vec::with_capacity(parsed.len());
    for (index, result) in parsed {
        match result {
            Ok(fact) => facts.push(fact),
            Err(errors) => {
                let errors = errors
                    .into_iter()
                    .map(|e| ProblemField { pointer: e.pointer, code: e.code.into(), detail: e.message })
                    .collect();
                taken.rejected.push(RejectedItem { index, errors });
            }
        }
    }
    for appended in state.intake.append(workspace, facts, None, Timestamp::now()).await? {
        match appended {
            Appended::Accepted | Appended::Replaced => taken.accepted += 1,
            Appended::Duplicate => taken.duplicate += 1,
            Appended::Suppressed => taken.suppressed += 1,
            Appended::Declined => taken.declined += 1,
            Appended::Expired => taken.expired += 1,
        }
    }
    metrics::counter!("clientele_facts_accepted_total").increment(taken.accepted);
    metrics::counter!("clientele_facts_rejected_total").increment(taken.rejected.len() as u64);
    Ok(taken)
}
