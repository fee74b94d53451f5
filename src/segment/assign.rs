//! Placing somebody who is not in the version, or not as they are now: the writer of a text, or a customer by the facts of now.

use super::consenting::Consenting;
use super::profile::{centred_unit, unit_mean};
use super::reading::OnesFacts;
use super::sides::Known;
use super::space::Space;
use super::{LiveVersion, SegmentError};
use crate::cluster::{self, Metric};
use crate::domain::{BlockKind, CustomerId, Invalid, SegmentId, Timestamp, WorkspaceId};
use crate::embed::{EmbedQueue, Embeddings, Lane};
use crate::features::{Behaviour, Cutoff};
use crate::store::Store;

/// Reviews a customer is placed by: the newest. Older ones hardly weigh, and the model takes its time for each.
const NEWEST_REVIEWS: usize = 100;

/// Where somebody belongs.
#[derive(Debug, Clone, PartialEq)]
pub struct Assigned {
    pub segment: SegmentId,
    pub confidence: f64,
    pub runner_up: Option<(SegmentId, f64)>,
    /// How like every segment, in the version's order: cosine to its centroid; in a joined space 1 less the squared distance over the
    /// mean one between customers.
    pub similarities: Vec<(SegmentId, f64)>,
    /// The weight of the blocks of which anything is known, over all weight.
    pub known: f64,
    /// Blocks that count and of which nothing is known.
    pub missing: Vec<BlockKind>,
}

/// Embeds the texts and places each by the version's own space, centroids and temperature.
///
/// # Errors
/// The model is busy or fails, or is another one than the version was fitted with; or the version knows nothing of texts.
pub async fn assign_texts(
    live: &LiveVersion,
    model: Option<&EmbedQueue>,
    texts: Vec<String>,
) -> Result<(Vec<Assigned>, usize), SegmentError> {
    let Some(model) = model else {
        let detail = format!("does not count in version {}; give `customer`", live.version.number);
        return Err(Invalid::new("text", detail).into());
    };
    let embeddings = embed(live, model, texts).await?;
    let placer = Placer::of(live)?;
    let place = |row: &[f32]| {
        let text = centred_unit(row, &live.version.centre);
        placer.place(Known { text: Some(&text), ..Known::default() })
    };
    let assigned: Result<Vec<Assigned>, SegmentError> = embeddings.rows().map(place).collect();
    Ok((assigned?, embeddings.n_truncated))
}

/// Places a stored customer by the facts there are of them now, as of their newest one or, if that is later, of the version's own
/// moment: the shop's clock is where its facts are. Nothing where there is no such customer, or one who allows no profiling. With it the texts that were cut.
///
/// # Errors
/// As of [`assign_texts`], and the store's own.
pub async fn assign_customer(
    live: &LiveVersion,
    model: Option<&EmbedQueue>,
    (store, workspace): (&dyn Store, &WorkspaceId),
    id: &CustomerId,
) -> Result<Option<(Assigned, usize)>, SegmentError> {
    let Some(facts) = OnesFacts::read(store, workspace, id).await? else { return Ok(None) };
    if !Consenting::allows_one(store, workspace, &facts.customer.id).await? {
        return Ok(None);
    }
    let placer = Placer::of(live)?;
    let (text, n_truncated) = match model {
        Some(model) => written(live, model, &facts).await?,
        None => (None, 0),
    };
    let behaviour = placer.behaviour_of(live, &facts);
    let known = Known { text: text.as_deref(), behaviour: behaviour.as_deref(), traits: Some(&facts.customer.traits) };
    Ok(Some((placer.place(known)?, n_truncated)))
}

async fn embed(live: &LiveVersion, model: &EmbedQueue, texts: Vec<String>) -> Result<Embeddings, SegmentError> {
    let version = &live.version;
    if model.info().fingerprint != version.model_fingerprint {
        let (now, then) = (&model.info().fingerprint, &version.model_fingerprint);
        return Err(Invalid::new(
            "model",
            format!("is now {now}, but version {} was fitted with {then}; fit the segmentation again", version.number),
        )
        .into());
    }
    Ok(model.embed(Lane::Interactive, texts).await?)
}

/// What a customer wrote as one vector, as a fit makes it.
async fn written(
    live: &LiveVersion,
    model: &EmbedQueue,
    facts: &OnesFacts,
) -> Result<(Option<Vec<f32>>, usize), SegmentError> {
    let newest = &facts.reviews[..facts.reviews.len().min(NEWEST_REVIEWS)];
    if newest.is_empty() {
        return Ok((None, 0));
    }
    let texts = newest.iter().map(|stored| stored.review.text.as_str().to_owned()).collect();
    let embeddings = embed(live, model, texts).await?;
    let written: Vec<_> = newest.iter().map(|stored| stored.review.time).zip(embeddings.rows()).collect();
    Ok((Some(unit_mean(&written, &live.version.centre)), embeddings.n_truncated))
}

/// What places a point in one version.
struct Placer<'a> {
    live: &'a LiveVersion,
    /// Nothing where texts alone count.
    space: Option<Space>,
}

impl<'a> Placer<'a> {
    fn of(live: &'a LiveVersion) -> Result<Self, SegmentError> {
        let joined = live.version.joined.as_ref();
        let space = joined.map(|joined| serde_json::from_value(joined.space.clone())).transpose();
        let space = space.map_err(|error| SegmentError::Broken(format!("the version's space: {error}")))?;
        Ok(Self { live, space })
    }

    fn behaviour_of(&self, live: &LiveVersion, facts: &OnesFacts) -> Option<Vec<Option<f64>>> {
        let encoders = self.space.as_ref()?.encoders();
        let settings = &encoders.behaviour.as_ref()?.settings;
        let settings = Behaviour { catalogue: facts.catalogue.clone(), ..settings.clone() };
        let fitted = live.version.joined.as_ref()?.as_of;
        // A fact dated in the future is none yet, as in a fit.
        let newest = facts.newest.map(|newest| newest.min(Timestamp::now()));
        let cutoff = Cutoff { at: newest.map_or(fitted, |newest| newest.max(fitted)), ..encoders.cutoff };
        facts.person.history.first_time().map(|_| settings.row(&facts.person.history, cutoff))
    }

    fn place(&self, known: Known<'_>) -> Result<Assigned, SegmentError> {
        let version = &self.live.version;
        let broken = |error: crate::features::BlockError| SegmentError::Broken(error.to_string());
        let (metric, point, share, missing) = match &self.space {
            Some(space) => {
                let (point, share, missing) = space.place(known).map_err(broken)?;
                (Metric::Euclidean, point, share, missing)
            }
            None => match known.text {
                Some(text) => (Metric::Cosine, text.to_vec(), 1.0, Vec::new()),
                None => (Metric::Cosine, vec![0.0; version.dimension], 0.0, vec![BlockKind::Text]),
            },
        };
        let alike = metric.similarities(&point, &version.centroids);
        let placed = cluster::place(&alike, version.temperature).known_in_part(share, version.segments.len());
        let id = |index: usize| version.segments[index].id;
        let shown = |similarity: f32| match &self.space {
            Some(space) => 1.0 + 2.0 * f64::from(similarity) / space.mean_squared_distance(),
            None => f64::from(similarity),
        };
        Ok(Assigned {
            segment: id(placed.best),
            confidence: placed.confidence,
            runner_up: placed.runner_up.map(|(index, confidence)| (id(index), confidence)),
            similarities: alike.iter().enumerate().map(|(i, &similarity)| (id(i), shown(similarity))).collect(),
            known: share,
            missing,
        })
    }
}
