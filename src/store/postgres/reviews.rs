//! Reviews read back: ordered by `seq`, or a customer's by time.

use super::columns::{Moment, Text, Words, get, limit};
use super::customers::rows_of_one;
use super::statements::rows;
use crate::domain::{CustomerId, Flags, Language, Review, ReviewText, Tongue, WorkspaceId};
use crate::store::{Result, StoreError, StoredReview};
use deadpool_postgres::GenericClient;
use tokio_postgres::Row;

/// What [`stored_review`] reads, in its order.
macro_rules! select {
    ($($rest:expr),+) => {
        concat!(
            "SELECT seq, review_id, root.external_id, text, item, rating, review.time, language,
                    language_confidence, flags
             FROM review JOIN customer own ON own.id = customer_id
             JOIN customer root ON root.id = coalesce(own.root_id, own.id) ",
            $($rest),+
        )
    };
}

pub(super) async fn page(
    db: &impl GenericClient,
    workspace: &WorkspaceId,
    after: i64,
    n_reviews: usize,
) -> Result<Vec<StoredReview>> {
    let page = rows(
        db,
        select!(
            "WHERE review.workspace_id = (SELECT id FROM workspace WHERE slug = $1) AND seq > $2 ORDER BY seq LIMIT $3"
        ),
        &[&workspace.as_str(), &after, &limit(n_reviews)],
    )
    .await?;
    page.iter().map(stored_review).collect()
}

pub(super) async fn in_language(
    db: &impl GenericClient,
    workspace: &WorkspaceId,
    language: &Language,
    after: i64,
    n_reviews: usize,
) -> Result<Vec<StoredReview>> {
    let select = select!(
        "WHERE review.workspace_id = (SELECT id FROM workspace WHERE slug = $1) AND language = $2 AND seq > $3
         ORDER BY seq LIMIT $4"
    );
    let page = rows(db, select, &[&workspace.as_str(), &language.as_str(), &after, &limit(n_reviews)]).await?;
    page.iter().map(stored_review).collect()
}

pub(super) async fn of_customer(
    db: &impl GenericClient,
    workspace: &WorkspaceId,
    customer: &CustomerId,
    n_reviews: usize,
) -> Result<Vec<StoredReview>> {
    let page = rows(
        db,
        select!("WHERE customer_id = ANY (", rows_of_one!(), ") ORDER BY review.time DESC, seq DESC LIMIT $3"),
        &[&workspace.as_str(), &customer.as_str(), &limit(n_reviews)],
    )
    .await?;
    page.iter().map(stored_review).collect()
}

/// Those after `after` that have no vector under this model. The finished ones at the beginning are stepped over.
pub(super) async fn without_vector(
    db: &impl GenericClient,
    workspace: &WorkspaceId,
    model: &str,
    after: i64,
    n_reviews: usize,
) -> Result<Vec<StoredReview>> {
    let page = rows(
        db,
        select!(
            "WHERE review.workspace_id = (SELECT id FROM workspace WHERE slug = $1)
               AND seq > greatest($3, (SELECT complete_through FROM workspace JOIN embedding_model m ON workspace_id = workspace.id
                                       WHERE slug = $1 AND fingerprint = $2))
               AND NOT EXISTS (SELECT 1 FROM review_vector v WHERE v.seq = review.seq AND v.model_id =
                   (SELECT m.id FROM workspace JOIN embedding_model m ON workspace_id = workspace.id
                    WHERE slug = $1 AND fingerprint = $2))
             ORDER BY seq LIMIT $4"
        ),
        &[&workspace.as_str(), &Words::of(model), &after, &limit(n_reviews)],
    )
    .await?;
    page.iter().map(stored_review).collect()
}

fn stored_review(row: &Row) -> Result<StoredReview> {
    let (Text(id), Text(customer), Moment(time)) = (get(row, 1)?, get(row, 2)?, get(row, 6)?);
    let text = ReviewText::parse(&get::<Words<'static>>(row, 3)?.0);
    let text = text.map_err(|_| StoreError::Corrupt("a review has no words".into()))?;
    let item = get::<Option<Words<'static>>>(row, 4)?.map(Words::owned);
    let language = get::<Option<Text<Language>>>(row, 7)?.map(|Text(language)| language);
    let confidence: Option<f64> = get(row, 8)?;
    let tongue = language.zip(confidence).map(|(language, confidence)| Tongue { language, confidence });
    let review = Review { id, customer, text, item, rating: get(row, 5)?, time, tongue };
    Ok(StoredReview { seq: get(row, 0)?, review, flags: Flags::of_bits(get(row, 9)?) })
}
