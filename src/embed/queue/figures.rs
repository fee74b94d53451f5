//! What a queue tells operators: how much waits and how long, what the model does, what was refused or dropped.

use super::Lane;
use super::waiting::{Batch, Waiting};
use metrics::{counter, gauge, histogram};
use std::time::Instant;

/// The figures of one model. Looked up at each use, for a program may bring its recorder after its models.
pub struct Figures {
    model: String,
}

impl Figures {
    pub fn new(model: &str) -> Self {
        Self { model: model.to_owned() }
    }

    fn labels(&self) -> [(&'static str, String); 1] {
        [("model", self.model.clone())]
    }

    fn lane_labels(&self, lane: Lane) -> [(&'static str, String); 2] {
        [("model", self.model.clone()), ("lane", lane.name().to_owned())]
    }

    pub fn depth(&self, waiting: &Waiting) {
        for lane in [Lane::Interactive, Lane::Bulk] {
            let n_tokens = waiting.lane(lane).n_tokens() as f64;
            gauge!("clientele_embed_waiting_tokens", &self.lane_labels(lane)).set(n_tokens);
        }
        gauge!("clientele_embed_tokens_per_second", &self.labels()).set(waiting.tokens_per_second());
    }

    pub fn refused(&self, lane: Lane) {
        counter!("clientele_embed_refused_total", &self.lane_labels(lane)).increment(1);
    }

    /// Texts that nobody waited for any more.
    pub fn dropped(&self, n_texts: usize) {
        counter!("clientele_embed_dropped_total", &self.labels()).increment(n_texts as u64);
    }

    pub fn deadline_passed(&self) {
        counter!("clientele_embed_deadline_passed_total", &self.labels()).increment(1);
    }

    /// A batch begins: its texts have waited until now.
    pub fn started(&self, batch: &Batch, now: Instant) {
        let wait_seconds = histogram!("clientele_embed_wait_seconds", &self.lane_labels(batch.lane));
        for item in &batch.items {
            wait_seconds.record(now.saturating_duration_since(item.since).as_secs_f64());
        }
        histogram!("clientele_embed_batch_tokens", &self.labels()).record(batch.n_tokens() as f64);
    }

    pub fn computed(&self, batch: &Batch) {
        let n_truncated = batch.items.iter().filter(|item| item.tokens.truncated).count();
        counter!("clientele_embed_texts_total", &self.labels()).increment(batch.items.len() as u64);
        counter!("clientele_embed_tokens_total", &self.labels()).increment(batch.n_tokens() as u64);
        counter!("clientele_embed_truncated_total", &self.labels()).increment(n_truncated as u64);
    }
}
