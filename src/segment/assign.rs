//! Placing a text that is not stored: which segment would its writer be in.

use super::profile::centred_unit;
use super::{LiveVersion, SegmentError};
use crate::cluster;
use crate::domain::SegmentId;
use crate::embed::{EmbedQueue, Lane};

/// Where a text belongs.
#[derive(Debug, Clone, PartialEq)]
pub struct Assigned {
    pub segment: SegmentId,
    pub confidence: f64,
    pub runner_up: Option<(SegmentId, f64)>,
    /// Cosine to every segment's centroid, in the version's order.
    pub similarities: Vec<(SegmentId, f64)>,
}

/// Embeds the texts and places each by the version's own centre, centroids and temperature.
///
/// # Errors
/// The model is busy or fails, or is another one than the version was fitted with.
pub async fn assign_texts(
    live: &LiveVersion,
    model: &EmbedQueue,
    texts: Vec<String>,
) -> Result<(Vec<Assigned>, usize), SegmentError> {
    let version = &live.version;
    if model.info().fingerprint != version.model_fingerprint {
        let (now, then) = (&model.info().fingerprint, &version.model_fingerprint);
        return Err(crate::domain::Invalid::new(
            "model",
            format!("is now {now}, but version {} was fitted with {then}; fit the segmentation again", version.number),
        )
        .into());
    }
    let embeddings = model.embed(Lane::Interactive, texts).await?;
    let assigned = embeddings
        .rows()
        .map(|row| {
            let point = centred_unit(row, &version.centre);
            let cosines = cluster::cosines(&point, &version.centroids);
            let placed = cluster::place(&cosines, version.temperature);
            let id = |index: usize| version.segments[index].id;
            Assigned {
                segment: id(placed.best),
                confidence: placed.confidence,
                runner_up: placed.runner_up.map(|(index, confidence)| (id(index), confidence)),
                similarities: cosines.iter().enumerate().map(|(i, &cosine)| (id(i), f64::from(cosine))).collect(),
            }
        })
        .collect();
    Ok((assigned, embeddings.n_truncated))
}
