//! Review vectors into customer vectors: the text block of a customer's profile.

use crate::domain::{CustomerId, Timestamp};
use crate::store::ReviewVector;
use std::borrow::Borrow;

/// After so many days a review counts half.
const HALF_LIFE_DAYS: f64 = 365.0;

/// The text block of every customer who wrote something.
#[derive(Debug, Clone, PartialEq)]
pub struct TextProfiles {
    pub dimension: usize,
    /// By id; row i of `values` belongs to `customers[i]`.
    pub customers: Vec<CustomerId>,
    /// `[n_customers, dimension]`, unit length; all zero for who wrote only the average.
    pub values: Vec<f32>,
    /// The mean review vector that was subtracted, `[dimension]`.
    pub centre: Vec<f32>,
    /// For every review, in the order given: its customer's row.
    pub row_of_review: Vec<usize>,
}

/// Each customer's recency-decayed mean of their centred review vectors, scaled to unit length.
///
/// Centring takes away what all texts have in common, which for some models (e5) is most of a vector: raw cosines lie
/// between 0.77 and 0.94 there. A review's weight halves with each year it is older than the newest one of all.
pub fn text_profiles<R: Borrow<ReviewVector>>(reviews: &[R], dimension: usize) -> TextProfiles {
    let centre = mean(reviews.iter().map(|review| review.borrow().vector.as_slice()), dimension);
    let mut customers: Vec<CustomerId> = reviews.iter().map(|review| review.borrow().customer.clone()).collect();
    customers.sort_unstable();
    customers.dedup();
    let newest = reviews.iter().map(|review| review.borrow().time).max();
    let mut sums = vec![0f64; customers.len() * dimension];
    let mut row_of_review = Vec::with_capacity(reviews.len());
    for review in reviews {
        let review: &ReviewVector = review.borrow();
        let row = customers.binary_search(&review.customer).unwrap_or_default();
        row_of_review.push(row);
        let weight = newest.map_or(1.0, |newest| recency_weight(review.time, newest));
        let centred = unit(review.vector.iter().zip(&centre).map(|(v, c)| f64::from(v - c)).collect());
        for (sum, value) in sums[row * dimension..][..dimension].iter_mut().zip(&centred) {
            *sum += weight * value;
        }
    }
    let values = sums.chunks_exact(dimension.max(1)).flat_map(|row| unit(row.to_vec())).map(|v| v as f32).collect();
    TextProfiles { dimension, customers, values, centre, row_of_review }
}

/// What one customer wrote, as a fit would have it beside texts with this centre.
pub fn unit_mean(written: &[(Timestamp, &[f32])], centre: &[f32]) -> Vec<f32> {
    let newest = written.iter().map(|(time, _)| *time).max();
    let mut sum = vec![0f64; centre.len()];
    for (time, vector) in written {
        let weight = newest.map_or(1.0, |newest| recency_weight(*time, newest));
        let centred = unit(vector.iter().zip(centre).map(|(v, c)| f64::from(v - c)).collect());
        sum.iter_mut().zip(&centred).for_each(|(sum, value)| *sum += weight * value);
    }
    unit(sum).into_iter().map(|v| v as f32).collect()
}

/// A single text's vector as the clusters see it: centred, unit length.
pub fn centred_unit(vector: &[f32], centre: &[f32]) -> Vec<f32> {
    unit(vector.iter().zip(centre).map(|(v, c)| f64::from(v - c)).collect()).into_iter().map(|v| v as f32).collect()
}

fn mean<'a>(rows: impl Iterator<Item = &'a [f32]>, dimension: usize) -> Vec<f32> {
    let mut sum = vec![0f64; dimension];
    let mut n = 0usize;
    for row in rows {
        n += 1;
        for (sum, value) in sum.iter_mut().zip(row) {
            *sum += f64::from(*value);
        }
    }
    sum.into_iter().map(|sum| (sum / n.max(1) as f64) as f32).collect()
}

fn recency_weight(time: Timestamp, newest: Timestamp) -> f64 {
    let age_days = (newest.as_second() - time.as_second()) as f64 / 86_400.0;
    0.5f64.powf(age_days.max(0.0) / HALF_LIFE_DAYS)
}

/// Scales to unit length; what is (nearly) zero becomes zero.
fn unit(mut row: Vec<f64>) -> Vec<f64> {
    let norm = row.iter().map(|v| v * v).sum::<f64>().sqrt();
    let scale = if norm > 1e-9 { 1.0 / norm } else { 0.0 };
    row.iter_mut().for_each(|v| *v *= scale);
    row
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ReviewId;
    use proptest::prelude::*;

    fn review(seq: i64, customer: &str, days_ago: i64, vector: Vec<f32>) -> ReviewVector {
        ReviewVector {
            seq,
            review: ReviewId::parse(&format!("r{seq}")).unwrap(),
            customer: CustomerId::parse(customer).unwrap(),
            time: Timestamp::from_second(1_700_000_000 - days_ago * 86_400).unwrap(),
            vector,
        }
    }

    #[test]
    fn an_older_review_counts_less() {
        let reviews = [
            review(1, "a", 0, vec![1.0, 0.0]),
            review(2, "a", 730, vec![0.0, 1.0]),
            review(3, "b", 0, vec![-1.0, -1.0]),
        ];
        let profiles = text_profiles(&reviews, 2);
        assert!(profiles.values[0] > profiles.values[1], "{:?}", profiles.values);
    }

    #[test]
    fn a_review_with_two_years_weighs_a_quarter() {
        let newest = Timestamp::from_second(1_700_000_000).unwrap();
        let old = Timestamp::from_second(1_700_000_000 - 730 * 86_400).unwrap();
        assert!((recency_weight(old, newest) - 0.25).abs() < 1e-12);
    }

    #[test]
    fn who_wrote_only_the_average_has_a_zero_vector() {
        let profiles = text_profiles(&[review(1, "a", 0, vec![0.6, 0.8])], 2);
        assert_eq!(profiles.values, vec![0.0, 0.0]);
    }

    proptest! {
        #[test]
        fn profiles_have_unit_length_and_do_not_depend_on_the_order_of_reviews(
            rows in prop::collection::vec((0..5u8, 0..900i64, prop::array::uniform4(-1f32..1f32)), 2..30),
            by in 0..30usize,
        ) {
            let mut reviews: Vec<_> = rows.iter().enumerate()
                .map(|(i, (c, days, v))| review(i as i64, &format!("c{c}"), *days, v.to_vec())).collect();
            let one = text_profiles(&reviews, 4);
            let n = reviews.len();
            reviews.rotate_left(by % n);
            let other = text_profiles(&reviews, 4);
            prop_assert_eq!(&one.customers, &other.customers);
            for (a, b) in one.values.iter().zip(&other.values) {
                prop_assert!((a - b).abs() < 1e-4);
            }
            for row in one.values.chunks(4) {
                let norm: f32 = row.iter().map(|v| v * v).sum();
                prop_assert!((norm - 1.0).abs() < 1e-4 || norm == 0.0, "{norm}");
            }
        }
    }
}
