//! The pure part of a fit in the space that words, behaviour and traits have in common.
//!
//! Clusters are sought among points drawn towards their neighbours in that space, as they are among texts alone; the centroids that later
//! customers are placed by are those of the points themselves.

use super::build::{self, KEYWORDS, Material, Phase, TYPICAL_REVIEWS};
use super::differences::{Described, differences};
use super::fit::{Reporter, step};
use super::people::People;
use super::profile::{TextProfiles, text_profiles};
use super::sides::{Sides, TextRows};
use super::space::{Space, SpacePoints};
use super::typical::{Geometry, Typical, typical_reviews};
use super::wording::{self, Wording};
use super::{SegmentError, weights};
use crate::cluster::{self, Clustering, Points, Stability};
use crate::domain::{
    BlockChoice, BlockKind, BlockWeights, Definition, Joined, JoinedBlock, Membership, Portrait, Segment, SegmentId,
    SegmentationName, Version, VersionState, WeightTrial,
};
use crate::features::BlockError;
use crate::language;
use crate::store::ReviewVector;

/// Keywords say what a segment is about where its texts are so much nearer to each other than all texts are: the squared length of
/// their mean over that of one text.
const TEXT_IS_STRONG: f64 = 0.1;

pub(super) fn broken(error: BlockError) -> SegmentError {
    SegmentError::Broken(error.to_string())
}

/// A version in the joined space; nothing where texts alone count, or nothing but texts is there.
///
/// # Errors
/// There are too few customers for k, or the work was cancelled.
pub(super) fn build(
    material: &Material,
    people: &People,
    (name, definition): (&SegmentationName, &Definition),
    reporter: &dyn Reporter,
) -> Result<Option<(Version, Vec<Membership>)>, SegmentError> {
    let texts = Texts::of(material, people, definition);
    let sides = Sides::of(people, texts.as_rows(), &definition.inputs);
    let there = sides.blocks();
    let asked = match definition.inputs.blocks {
        BlockChoice::Weights(weights) => weights,
        BlockChoice::All | BlockChoice::Auto => BlockWeights::each(|_| 1.0),
    };
    let mut weights = BlockWeights::each(|block| if there.contains(&block) { asked.of(block) } else { 0.0 });
    if weights.is_text_alone() {
        return Ok(None);
    }
    if weights.total() == 0.0 {
        build::check_number(0, definition.k)?;
    }
    let mut trials = Vec::new();
    if definition.inputs.blocks == BlockChoice::Auto {
        trials = weights::search(&sides, (material, people), definition, reporter)?;
        weights = trials.first().map_or(weights, |trial: &WeightTrial| trial.weights);
    }
    step(reporter, "joining blocks", 0, None)?;
    let sides = sides.known_by(weights);
    build::check_number(sides.customers.len(), definition.k)?;
    let fit = Fit { material, people, definition, texts: &texts, sides: &sides, weights };
    fit.run(name, trials, reporter).map(Some)
}

/// What the customers wrote, as points; nothing where texts are not to count or there are none.
pub(super) struct Texts<'a> {
    /// Reviews in an order that does not depend on how they came, and where each stands in the material.
    reviews: Vec<&'a ReviewVector>,
    positions: Vec<usize>,
    profiles: TextProfiles,
    /// The row of each writer among all customers.
    rows: Vec<usize>,
}

impl<'a> Texts<'a> {
    fn of(material: &'a Material, people: &People, definition: &Definition) -> Self {
        let mut positions: Vec<usize> = Vec::new();
        if definition.inputs.may_use(BlockKind::Text) {
            let is_there = |i: &usize| people.customers().binary_search(&material.reviews[*i].customer).is_ok();
            positions = (0..material.reviews.len()).filter(is_there).collect();
        }
        let key = |i: &usize| {
            let review = &material.reviews[*i];
            (&review.customer, review.time, &review.review)
        };
        positions.sort_by(|a, b| key(a).cmp(&key(b)));
        let reviews: Vec<&ReviewVector> = positions.iter().map(|i| &material.reviews[*i]).collect();
        let dimension = reviews.first().map_or(0, |review| review.vector.len());
        let profiles = text_profiles(&reviews, dimension);
        let row = |customer| people.customers().binary_search(customer).unwrap_or_default();
        let rows = profiles.customers.iter().map(row).collect();
        Self { reviews, positions, profiles, rows }
    }

    fn as_rows(&self) -> Option<TextRows<'_>> {
        let TextProfiles { dimension, values, .. } = &self.profiles;
        (!self.rows.is_empty()).then_some(TextRows { rows: &self.rows, values, dimension: *dimension })
    }
}

/// One fit, its weights settled.
struct Fit<'a> {
    material: &'a Material,
    people: &'a People,
    definition: &'a Definition,
    texts: &'a Texts<'a>,
    /// Of those of whom anything that counts is known.
    sides: &'a Sides,
    weights: BlockWeights,
}

/// What clustering came to.
struct Found<'a> {
    joined: &'a SpacePoints,
    /// Drawn towards neighbours, where the clusters were found.
    among: Points<'a>,
    placing: &'a Clustering,
    /// The same clusters of the points themselves.
    clustering: &'a Clustering,
    stability: &'a Stability,
    ids: &'a [SegmentId],
}

impl Fit<'_> {
    fn run(
        &self,
        name: &SegmentationName,
        trials: Vec<WeightTrial>,
        reporter: &dyn Reporter,
    ) -> Result<(Version, Vec<Membership>), SegmentError> {
        let Self { material, definition, sides, .. } = self;
        let (space, joined) = Space::fit(sides, self.weights).map_err(broken)?;
        let points = Points::new(&joined.values, joined.width)?.euclidean();
        let watch = Phase { reporter, name: "comparing customers" };
        let smoothed = cluster::smooth(&points, definition.seed, &watch)?;
        let among = Points::new(&smoothed, joined.width)?.euclidean().on(material.scorer.as_deref());
        let (placing, candidates) = build::cluster_customers(&among, definition, reporter)?;
        let stability = build::stability(&among, &placing, definition.seed, reporter)?;
        step(reporter, "describing segments", 0, None)?;
        let clustering = cluster::recentre(&points, &placing);
        let ids = build::segment_ids(material, &sides.customers, &clustering);
        let cohesion = cluster::cohesion(&points, &clustering);
        let found = Found {
            joined: &joined,
            among,
            placing: &placing,
            clustering: &clustering,
            stability: &stability,
            ids: &ids,
        };
        let (segments, members) = (self.segments(&found, &cohesion), self.memberships(&found));
        let version = Version {
            segmentation: name.clone(),
            number: material.version,
            state: VersionState::Live,
            created_at: material.now,
            definition: (*definition).clone(),
            model_fingerprint: if self.counts(BlockKind::Text) {
                material.model_fingerprint.clone()
            } else {
                String::new()
            },
            dimension: joined.width,
            n_customers: sides.customers.len() as u64,
            centre: if self.counts(BlockKind::Text) { self.texts.profiles.centre.clone() } else { Vec::new() },
            temperature: cluster::temperature(&points, &clustering.centroids, stability.overall),
            n_reviews: if self.counts(BlockKind::Text) { self.texts.reviews.len() as u64 } else { 0 },
            quality: build::quality(&points, &clustering, &stability, (candidates, definition.seed)),
            centroids: clustering.centroids,
            segments,
            joined: Some(self.report(&space, trials)?),
        };
        Ok((version, members))
    }

    fn counts(&self, block: BlockKind) -> bool {
        self.weights.of(block) > 0.0
    }

    fn report(&self, space: &Space, trials: Vec<WeightTrial>) -> Result<Joined, SegmentError> {
        let block = |block: BlockKind| JoinedBlock {
            block,
            n_customers: self.sides.n_known(block) as u64,
            columns: self.sides.columns(block),
            left_out: self.sides.left_out.get(&block).cloned().unwrap_or_default(),
        };
        Ok(Joined {
            as_of: self.people.cutoff.at,
            weights: self.weights,
            blocks: self.weights.blocks().map(block).collect(),
            trials,
            space: serde_json::to_value(space).map_err(|error| SegmentError::Broken(error.to_string()))?,
        })
    }

    /// Everybody's place. Of whom little is known, that much less sure: confidences are drawn towards those of a guess.
    fn memberships(&self, found: &Found<'_>) -> Vec<Membership> {
        let (among, centroids, labels) = (&found.among, &found.placing.centroids, &found.placing.labels);
        let temperature = cluster::temperature(among, centroids, found.stability.overall);
        let customers = self.sides.customers.iter().enumerate();
        let membership = |(row, customer)| {
            let similarities = among.metric().similarities(among.row(row), centroids);
            let placed = cluster::place_in(labels[row] as usize, &similarities, temperature);
            let placed = placed.known_in_part(found.joined.known[row], found.placing.k);
            self.material.membership(customer, placed, found.ids)
        };
        customers.map(membership).collect()
    }

    fn segments(&self, found: &Found<'_>, cohesion: &[f64]) -> Vec<Segment> {
        let Found { clustering, .. } = found;
        let described = Described::of(self.people, self.sides);
        let words = self.words(clustering);
        let k = clustering.k;
        let sizes: Vec<usize> =
            (0..k as u32).map(|i| clustering.labels.iter().filter(|&&label| label == i).count()).collect();
        let each = (0..k).map(|i| differences(&described, &clustering.labels, i as u32)).collect::<Vec<_>>();
        let rules = described.rules(&clustering.labels, k);
        let wordings: Vec<Wording<'_>> = (0..k)
            .map(|i| Wording {
                keywords: &words.keywords[i],
                is_text_strong: words.strength[i] >= TEXT_IS_STRONG,
                differences: &each[i],
                size: sizes[i],
                share: sizes[i] as f64 / self.sides.customers.len() as f64,
            })
            .collect();
        let names = wording::names(&wordings);
        let sentences: Vec<(String, String)> = wordings.iter().map(Wording::sentences).collect();
        let parts = names.into_iter().zip(sentences).zip(rules).zip(each).enumerate();
        let segments = parts.map(|(i, (((name, (sentence_en, sentence_zh)), rule), differences))| {
            let differences = differences.shown();
            let portrait = Portrait { sentence_en, sentence_zh, differences, rule };
            Segment {
                id: found.ids[i],
                name,
                keywords: words.keywords[i].clone(),
                typical_reviews: words.typical[i].iter().map(|typical| self.material.shown(*typical)).collect(),
                size: sizes[i] as u64,
                share: sizes[i] as f64 / self.sides.customers.len() as f64,
                cohesion: cohesion[i],
                stability: found.stability.per_segment[i],
                portrait: Some(portrait),
            }
        });
        segments.collect()
    }

    /// What the segments' customers write about.
    fn words(&self, clustering: &Clustering) -> Words {
        let (k, texts) = (clustering.k, self.texts);
        if !self.counts(BlockKind::Text) || texts.rows.is_empty() {
            return Words { keywords: vec![Vec::new(); k], typical: vec![Vec::new(); k], strength: vec![0.0; k] };
        }
        let label = |customer| clustering.labels[self.sides.customers.binary_search(customer).unwrap_or_default()];
        let labels: Vec<u32> = texts.profiles.customers.iter().map(label).collect();
        let rows = &texts.profiles.row_of_review;
        let documents = texts.positions.iter().zip(rows);
        let documents: Vec<(usize, &str)> =
            documents.map(|(i, row)| (labels[*row] as usize, self.material.texts[*i].as_str())).collect();
        let (centroids, strength) = text_centres(&texts.profiles, &labels, k);
        let geometry = Geometry { centre: &texts.profiles.centre, centroids: &centroids };
        let typical = typical_reviews(&texts.reviews, rows, &labels, geometry, TYPICAL_REVIEWS);
        let in_material = |typical: Typical| Typical { review: texts.positions[typical.review], ..typical };
        Words {
            keywords: language::keywords(&documents, k, KEYWORDS),
            typical: typical.into_iter().map(|of| of.into_iter().map(in_material).collect()).collect(),
            strength,
        }
    }
}

struct Words {
    keywords: Vec<Vec<crate::domain::Keyword>>,
    typical: Vec<Vec<Typical>>,
    /// How near to each other the texts of a segment's customers are, 0 to 1.
    strength: Vec<f64>,
}

/// The direction of each segment's texts, `[k, dimension]`, and the squared length of their mean (chance taken off).
fn text_centres(profiles: &TextProfiles, labels: &[u32], k: usize) -> (Vec<f32>, Vec<f64>) {
    let d = profiles.dimension;
    let (mut sums, mut sizes) = (vec![0f64; k * d], vec![0f64; k]);
    for (row, &label) in profiles.values.chunks_exact(d.max(1)).zip(labels) {
        let sum = &mut sums[label as usize * d..][..d];
        sum.iter_mut().zip(row).for_each(|(sum, &value)| *sum += f64::from(value));
        sizes[label as usize] += 1.0;
    }
    let (mut centroids, mut strength) = (Vec::with_capacity(k * d), Vec::with_capacity(k));
    for (sum, size) in sums.chunks_exact(d.max(1)).zip(sizes) {
        let length = sum.iter().map(|v| v * v).sum::<f64>().sqrt();
        let scale = if length > 1e-9 { 1.0 / length } else { 0.0 };
        centroids.extend(sum.iter().map(|v| (v * scale) as f32));
        let mean = (length / size.max(1.0)).powi(2);
        strength.push(if size > 1.0 { (mean - 1.0 / size) / (1.0 - 1.0 / size) } else { 0.0 });
    }
    (centroids, strength)
}
