//! The fit: reviews → vectors → customers → clusters → named segments → a published version, in that order.
//!
//! Every step reports progress and can be cancelled; vectors are kept as they are made, so an interrupted fit that is
//! started again goes on where it stopped. The same facts, definition and program give the same version.

use super::SegmentError;
use super::build::{Material, build};
use super::consenting::Consenting;
use super::people::People;
use super::reading::Facts;
use super::snapshot::{LiveVersion, Snapshots};
use crate::cluster::Scorer;
use crate::device::{DeviceChoice, DeviceScorer};
use crate::domain::{
    BlockChoice, BlockKind, BlockWeights, Definition, Progress, Quality, SegmentId, Segmentation, SegmentationName,
    Timestamp, Version, WorkspaceId,
};
use crate::embed::{EmbedError, EmbedQueue, Lane, Models};
use crate::store::{Checkpoint, Lease, Publication, ReviewVector, Store, StoredReview};
use futures_util::StreamExt;
use serde::Serialize;
use serde_json::json;
use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;

/// Rows read from the store at a time.
const PAGE: usize = 2_048;
/// Texts of a request to the model, after each of which their vectors are kept and progress is told; and requests that stand
/// in its queue at once, so that the model never idles and has enough to sort by length.
const CHUNK: usize = 256;
const CHUNKS_WAITING: usize = 4;

/// Where a job's checkpoint keeps the report of a fit whose version is there.
pub const PUBLISHED: &str = "published";

/// Told how far the work is; says whether to go on.
pub trait Reporter: Send + Sync {
    fn report(&self, phase: &str, done: u64, total: Option<u64>) -> ControlFlow<()>;
}

/// What came of a fit.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FitReport {
    pub segmentation: SegmentationName,
    pub version: u32,
    pub k: usize,
    pub n_customers: u64,
    pub n_reviews: u64,
    /// Reviews embedded now; the others had their vectors.
    pub n_embedded: u64,
    /// Of those, how many were longer than the model takes and were cut.
    pub n_truncated: u64,
    pub model: String,
    /// Where the model ran: `cpu`, `cuda:0`, …; empty, as the model is, where texts did not count.
    pub device: String,
    /// What each block counted, where more than texts did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weights: Option<BlockWeights>,
    pub quality: Quality,
    /// Names and sizes, largest first.
    pub segments: Vec<(SegmentId, String, u64)>,
    /// Of them those that other customers of the same kind would hardly bring forth: their stability is below 0.6.
    pub unstable: Vec<SegmentId>,
}

/// Fits segmentations; one value serves a whole process.
pub struct Fitter {
    pub store: Arc<dyn Store>,
    pub models: Arc<Models>,
    pub snapshots: Arc<Snapshots>,
    /// Where large fits are computed.
    pub device: DeviceChoice,
}

impl Fitter {
    /// Fits and publishes the next version of a segmentation, making the segmentation if it is new. All of it is written in the name
    /// of a job's lease, and the report stands in the job's checkpoint ([`PUBLISHED`]) from the moment the version is there.
    ///
    /// # Errors
    /// See [`SegmentError`]; nothing is published then, and look-ups go on with the version that was live.
    pub async fn fit(
        &self,
        lease: &Lease,
        name: &SegmentationName,
        definition: &Definition,
        reporter: Arc<dyn Reporter>,
    ) -> Result<FitReport, SegmentError> {
        let workspace = &lease.workspace;
        let inputs = &definition.inputs;
        let counts = self.store.counts(workspace).await?;
        let (n_reviews, n_people) = (counts.reviews, counts.customers);
        // Before a model is loaded for nothing.
        let n_most = if inputs.is_text_alone() { n_reviews } else { n_people };
        if n_most < 3 {
            return Err(SegmentError::TooFewCustomers { n_customers: n_most as usize, needed: 3, k: None });
        }
        let mut texts = Embedded::default();
        // Who wrote nothing needs no model.
        if n_reviews > 0 && inputs.may_use(BlockKind::Text) {
            step(&*reporter, "loading the model", 0, None)?;
            let model = self.models.get(&definition.model).await?;
            let consenting = Consenting::read(&*self.store, workspace).await?;
            let (n_embedded, n_truncated) = self.embed_reviews(lease, &model, &consenting, &*reporter).await?;
            texts = Embedded { model: Some(model), n_embedded, n_truncated };
        }
        let gathered = self.gather(workspace, (name, definition), &texts, &*reporter).await?;
        let (definition_, name_) = (definition.clone(), name.clone());
        let device = self.device;
        let fitted = tokio::task::spawn_blocking(move || {
            let scorer = DeviceScorer::open(device).map_err(EmbedError::from)?;
            let scorer = scorer.map(|scorer| Arc::new(scorer) as Arc<dyn Scorer>);
            let material = Material { scorer, ..gathered.material(&definition_) };
            crate::compute::for_clustering(move || build(&material, &name_, &definition_, &*reporter))
        });
        let (version, members) =
            fitted.await.map_err(|error| SegmentError::Broken(format!("the clustering panicked: {error}")))??;
        let report = report(&version, &texts);
        let publication = Publication {
            segmentation: &segmentation(name, definition, version.created_at),
            version: &version,
            members: &members,
            checkpoint: &published(lease, &report)?,
        };
        self.store.publish_as(workspace, &publication).await?;
        self.snapshots.install(workspace, LiveVersion::new(version, members));
        Ok(report)
    }

    /// Gives every review that has none a vector under this model.
    async fn embed_reviews(
        &self,
        lease: &Lease,
        model: &EmbedQueue,
        consenting: &Consenting,
        reporter: &dyn Reporter,
    ) -> Result<(u64, u64), SegmentError> {
        let (workspace, fingerprint) = (&lease.workspace, &model.info().fingerprint);
        let total = self.store.count_reviews_without_vector(workspace, fingerprint).await?;
        let (mut done, mut truncated, mut after) = (0, 0, 0);
        loop {
            step(reporter, "embedding reviews", done, Some(total))?;
            let mut page = self.store.reviews_without_vector(workspace, fingerprint, after, PAGE).await?;
            let Some(last) = page.last() else { return Ok((done, truncated)) };
            after = last.seq;
            page.retain(|stored| consenting.allows(&stored.review.customer));
            let chunks: Vec<_> = page.chunks(CHUNK).map(|chunk| embed_chunk(model, chunk, reporter)).collect();
            let mut embedded = futures_util::stream::iter(chunks).buffered(CHUNKS_WAITING);
            while let Some(chunk) = embedded.next().await {
                let (vectors, cut) = chunk?;
                self.store.put_vectors_as(lease, fingerprint, &vectors).await?;
                done += vectors.len() as u64;
                truncated += cut;
                step(reporter, "embedding reviews", done, Some(total.max(done)))?;
            }
        }
    }

    /// Reads all vectors, texts and other facts that count, and what the live version said before.
    async fn gather(
        &self,
        workspace: &WorkspaceId,
        (name, definition): (&SegmentationName, &Definition),
        texts: &Embedded,
        reporter: &dyn Reporter,
    ) -> Result<Gathered, SegmentError> {
        let fingerprint = texts.fingerprint();
        let mut facts = match definition.inputs.is_text_alone() {
            true => None,
            false => Some(Facts::read(&*self.store, workspace, reporter).await?),
        };
        let mut reviews = match &texts.model {
            Some(_) => self.vectors(workspace, &fingerprint, reporter).await?,
            None => Vec::new(),
        };
        if let Some(as_of) = definition.inputs.as_of {
            reviews.retain(|review| review.time <= as_of);
        }
        let mut texts = self.texts_of(workspace, &reviews, facts.as_mut()).await?;
        // As late as can be: who withdrew meanwhile is not in it.
        let consenting = Consenting::read(&*self.store, workspace).await?;
        let mut allowed =
            reviews.iter().map(|review| consenting.allows(&review.customer)).collect::<Vec<_>>().into_iter();
        texts.retain(|_| allowed.next().unwrap_or(false));
        reviews.retain(|review| consenting.allows(&review.customer));
        if let Some(facts) = &mut facts {
            facts.persons.retain(|customer, _| consenting.allows(customer));
        }
        let versions = self.store.versions(workspace, name).await?;
        // The version before may be another process's, from a moment ago.
        self.snapshots.refresh_one(&*self.store, workspace, name).await?;
        let material = Material {
            reviews,
            texts,
            people: None,
            previous: self.snapshots.live(workspace, name),
            version: versions.first().map_or(1, |version| version.number + 1),
            highest_id: versions
                .iter()
                .flat_map(|version| &version.segments)
                .map(|segment| segment.id.0)
                .max()
                .unwrap_or(0),
            model_fingerprint: fingerprint,
            // As stores keep it: `since` then reads the same before and after a restart.
            now: Timestamp::now().round(jiff::Unit::Microsecond).unwrap_or_else(|_| Timestamp::now()),
            scorer: None,
        };
        Ok(Gathered { material, facts })
    }

    async fn vectors(
        &self,
        workspace: &WorkspaceId,
        fingerprint: &str,
        reporter: &dyn Reporter,
    ) -> Result<Vec<ReviewVector>, SegmentError> {
        let mut reviews: Vec<ReviewVector> = Vec::new();
        loop {
            step(reporter, "reading vectors", reviews.len() as u64, None)?;
            let after = reviews.last().map_or(0, |review| review.seq);
            let page = self.store.vectors(workspace, fingerprint, after, PAGE).await?;
            if page.is_empty() {
                return Ok(reviews);
            }
            reviews.extend(page);
        }
    }

    /// The words of these reviews, in their order; both come by `seq`. What else all reviews say goes to the facts.
    async fn texts_of(
        &self,
        workspace: &WorkspaceId,
        reviews: &[ReviewVector],
        mut facts: Option<&mut Facts>,
    ) -> Result<Vec<String>, SegmentError> {
        let mut text_of: HashMap<i64, String> = HashMap::with_capacity(reviews.len());
        let mut after = 0;
        loop {
            let page = self.store.reviews(workspace, after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = last.seq;
            if let Some(facts) = facts.as_deref_mut() {
                page.iter().for_each(|stored| facts.add_review(&stored.review));
            }
            text_of.extend(page.into_iter().map(|stored| (stored.seq, stored.review.text.as_str().to_owned())));
        }
        // A review replaced in this very moment has a vector but no text any more: it counts, without words.
        Ok(reviews.iter().map(|review| text_of.remove(&review.seq).unwrap_or_default()).collect())
    }
}

/// What the model did for a fit; nothing where texts do not count.
#[derive(Default)]
struct Embedded {
    model: Option<Arc<EmbedQueue>>,
    n_embedded: u64,
    n_truncated: u64,
}

impl Embedded {
    fn fingerprint(&self) -> String {
        self.model.as_ref().map(|model| model.info().fingerprint.clone()).unwrap_or_default()
    }
}

/// All that was read for a fit.
struct Gathered {
    /// Without the people, who are still to be described.
    material: Material,
    facts: Option<Facts>,
}

impl Gathered {
    /// Describes the people as of the moment asked for, or of the newest fact that is not in the future.
    fn material(self, definition: &Definition) -> Material {
        let Some(facts) = self.facts else { return self.material };
        let newest = facts.newest.map_or(self.material.now, |newest| newest.min(self.material.now));
        let at = definition.inputs.as_of.unwrap_or(newest);
        let holds_out = definition.inputs.blocks == BlockChoice::Auto;
        let persons = facts.persons.into_iter().collect();
        let people = People::describe(persons, facts.catalogue, at, holds_out);
        Material { people: Some(people), ..self.material }
    }
}

/// The vectors of these reviews, and how many of the texts were cut.
async fn embed_chunk(
    model: &EmbedQueue,
    chunk: &[StoredReview],
    reporter: &dyn Reporter,
) -> Result<(Vec<(i64, Vec<f32>)>, u64), SegmentError> {
    loop {
        let texts = chunk.iter().map(|stored| stored.review.text.as_str().to_owned()).collect();
        match model.embed(Lane::Bulk, texts).await {
            Ok(all) => {
                let rows = all.rows().map(<[f32]>::to_vec);
                return Ok((chunk.iter().map(|stored| stored.seq).zip(rows).collect(), all.n_truncated as u64));
            }
            // A fit has time: other bulk work fills the queue, and it passes.
            Err(EmbedError::Busy { retry_after }) => {
                step(reporter, "waiting for the model", 0, None)?;
                tokio::time::sleep(retry_after).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

pub(super) fn step(reporter: &dyn Reporter, phase: &str, done: u64, total: Option<u64>) -> Result<(), SegmentError> {
    match reporter.report(phase, done, total) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(SegmentError::Cancelled),
    }
}

fn published(lease: &Lease, report: &FitReport) -> Result<Checkpoint, SegmentError> {
    let report = serde_json::to_value(report).map_err(|error| SegmentError::Broken(error.to_string()))?;
    let progress = Progress { phase: PUBLISHED.into(), done: 1, total: Some(1) };
    Ok(Checkpoint { job: lease.job, token: lease.token, progress, checkpoint: json!({ PUBLISHED: report }) })
}

fn segmentation(name: &SegmentationName, definition: &Definition, now: Timestamp) -> Segmentation {
    Segmentation { name: name.clone(), definition: definition.clone(), created_at: now, live_version: None }
}

fn report(version: &Version, texts: &Embedded) -> FitReport {
    FitReport {
        segmentation: version.segmentation.clone(),
        version: version.number,
        k: version.segments.len(),
        n_customers: version.n_customers,
        n_reviews: version.n_reviews,
        n_embedded: texts.n_embedded,
        n_truncated: texts.n_truncated,
        model: version.model_fingerprint.clone(),
        device: texts.model.as_ref().map(|model| model.info().device.clone()).unwrap_or_default(),
        weights: version.joined.as_ref().map(|joined| joined.weights),
        quality: version.quality.clone(),
        segments: version.segments.iter().map(|s| (s.id, s.name.clone(), s.size)).collect(),
        unstable: version.segments.iter().filter(|s| s.is_unstable()).map(|s| s.id).collect(),
    }
}
