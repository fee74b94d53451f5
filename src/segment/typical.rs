//! The reviews that show best what a segment is about.

use super::profile::centred_unit;
use crate::cluster;
use crate::store::ReviewVector;
use std::borrow::Borrow;

/// A candidate: its index among the reviews, and its cosine to the segment's centroid.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Typical {
    pub review: usize,
    pub similarity: f64,
}

/// For each segment, the `wanted` reviews of its members nearest to its centroid, each of another customer.
///
/// `labels[row]` is the segment of the customer in that row; `row_of_review[i]` is the customer's row of `reviews[i]`.
pub fn typical_reviews<R: Borrow<ReviewVector>>(
    reviews: &[R],
    row_of_review: &[usize],
    labels: &[u32],
    geometry: Geometry<'_>,
    wanted: usize,
) -> Vec<Vec<Typical>> {
    let dimension = geometry.centre.len();
    let k = geometry.centroids.len() / dimension.max(1);
    let mut by_segment: Vec<Vec<Typical>> = vec![Vec::new(); k];
    for (i, review) in reviews.iter().enumerate() {
        let review: &ReviewVector = review.borrow();
        let segment = labels[row_of_review[i]] as usize;
        let centroid = &geometry.centroids[segment * dimension..][..dimension];
        let point = centred_unit(&review.vector, geometry.centre);
        let similarity = f64::from(cluster::cosines(&point, centroid)[0]);
        by_segment[segment].push(Typical { review: i, similarity });
    }
    for candidates in &mut by_segment {
        candidates.sort_by(|a, b| b.similarity.total_cmp(&a.similarity).then(a.review.cmp(&b.review)));
        let mut seen = Vec::with_capacity(wanted);
        candidates.retain(|candidate| {
            let row = row_of_review[candidate.review];
            let new = seen.len() < wanted && !seen.contains(&row);
            if new {
                seen.push(row);
            }
            new
        });
    }
    by_segment
}

/// What makes a vector comparable: the centre to subtract, and the segments' unit centroids.
#[derive(Debug, Clone, Copy)]
pub struct Geometry<'a> {
    pub centre: &'a [f32],
    pub centroids: &'a [f32],
}
