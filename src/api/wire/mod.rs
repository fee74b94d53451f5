//! What the API's JSON looks like. Domain values become these at the edge and nowhere else.

mod activity;
mod consent;
mod customers;
mod embeddings;
mod operations;
mod quality;
mod segmentations;

pub use activity::*;
pub use consent::*;
pub use customers::*;
pub use embeddings::*;
pub use operations::*;
pub use quality::*;
pub use segmentations::*;

use super::problem::ProblemField;
use crate::domain;
use crate::segment::LiveVersion;
use serde::Serialize;
use utoipa::ToSchema;

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct Page<T> {
    pub data: Vec<T>,
    /// Give it back as `cursor` for the next page.
    pub next_cursor: Option<String>,
    pub has_more: bool,
}

impl<T> Page<T> {
    pub fn whole(data: Vec<T>) -> Self {
        Self { data, next_cursor: None, has_more: false }
    }
}

/// What became of a batch, item by item where something was wrong.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct Taken {
    /// Facts kept: new ones, and reviews whose words replaced older ones. Durable when this is answered.
    pub accepted: u64,
    /// Facts that were there already.
    pub duplicate: u64,
    /// Facts about customers who were erased: not kept.
    pub suppressed: u64,
    /// Events of customers who do not allow analytics: not kept.
    pub declined: u64,
    /// Facts older than their kind is kept, and those that were removed for their age before: not kept.
    pub expired: u64,
    pub rejected: Vec<RejectedItem>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct RejectedItem {
    /// Position in the batch, from 0.
    pub index: usize,
    pub errors: Vec<ProblemField>,
}

/// A segment somebody is also near to.
#[derive(Debug, Serialize, ToSchema)]
pub struct RunnerUp {
    pub segment_id: String,
    pub segment: String,
    pub confidence: f64,
}

/// The names of what was found of a fact.
fn flag_names(flags: domain::Flags) -> Vec<&'static str> {
    flags.rules().map(domain::Rule::code).collect()
}

/// Four digits are more than any confidence or cosine here is worth.
pub fn rounded(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}

fn name_of(live: &LiveVersion, id: domain::SegmentId) -> String {
    live.segment(id).map_or_else(|| id.to_string(), |segment| segment.name.clone())
}

fn runner_up(live: &LiveVersion, id: domain::SegmentId, confidence: f64) -> RunnerUp {
    RunnerUp { segment_id: id.to_string(), segment: name_of(live, id), confidence: rounded(confidence) }
}
