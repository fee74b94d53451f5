//! Reviews: kept as written, ordered by `seq`, and numbered anew when they are replaced.

use super::columns::{Moment, Text, limit};
use super::{customers, identity, vectors, workspaces};
use crate::domain::{CustomerId, Flags, Language, Review, ReviewText, Tongue, WorkspaceId};
use crate::store::{Result, StoredReview};
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ValueRef};
use rusqlite::{Connection, OptionalExtension, Row, params};

/// What [`stored_review`] reads, in its order.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT seq, review_id, root.external_id, text, item, rating, time, language, language_confidence, flags
             FROM review JOIN customer own ON own.id = customer_id
             JOIN customer root ON root.id = coalesce(own.root_id, own.id) ",
            $rest
        )
    };
}

/// The review that stands under an id.
pub(super) struct Standing {
    pub seq: i64,
    pub customer: i64,
    /// Whether its content is that of the review it was looked up for.
    pub is_same: bool,
}

pub(super) fn find(db: &Connection, workspace: i64, customer: i64, review: &Review) -> Result<Option<Standing>> {
    let root = identity::root(db, customer)?;
    let mut statement = db.prepare_cached(
        "SELECT seq, customer_id,
                coalesce(root_id, customer.id) = ?3 AND text = ?4 AND item IS ?5 AND rating IS ?6
         FROM review JOIN customer ON customer.id = customer_id
         WHERE review.workspace_id = ?1 AND review_id = ?2",
    )?;
    let standing = statement.query_row(
        params![workspace, review.id.as_str(), root, review.text.as_str(), review.item, review.rating,],
        |row| Ok(Standing { seq: row.get(0)?, customer: row.get(1)?, is_same: row.get(2)? }),
    );
    Ok(standing.optional()?)
}

pub(super) fn insert(db: &Connection, workspace: i64, customer: i64, (review, flags): (&Review, Flags)) -> Result<()> {
    let tongue = review.tongue.as_ref();
    db.prepare_cached(
        "INSERT INTO review (workspace_id, review_id, customer_id, text, item, rating, time, language, language_confidence,
             words_hash, flags)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    )?
    .execute(params![
        workspace,
        review.id.as_str(),
        customer,
        review.text.as_str(),
        review.item,
        review.rating,
        Moment(review.time),
        tongue.map(|tongue| tongue.language.as_str()),
        tongue.map(|tongue| tongue.confidence),
        review.text.fingerprint(),
        flags.bits(),
    ])?;
    Ok(())
}

/// Deletes a review and its vectors.
pub(super) fn delete(db: &Connection, workspace: i64, seq: i64) -> Result<()> {
    vectors::delete(db, workspace, seq)?;
    db.prepare_cached("DELETE FROM review WHERE seq = ?1")?.execute([seq])?;
    Ok(())
}

pub(super) fn page(
    db: &Connection,
    workspace: &WorkspaceId,
    after: i64,
    n_reviews: usize,
) -> Result<Vec<StoredReview>> {
    let Some(workspace) = workspaces::find(db, workspace)? else { return Ok(Vec::new()) };
    let mut statement =
        db.prepare_cached(select!("WHERE review.workspace_id = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3"))?;
    let page = statement.query_map([workspace, after, limit(n_reviews)], stored_review)?;
    Ok(page.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn in_language(
    db: &Connection,
    workspace: &WorkspaceId,
    language: &Language,
    after: i64,
    n_reviews: usize,
) -> Result<Vec<StoredReview>> {
    let Some(workspace) = workspaces::find(db, workspace)? else { return Ok(Vec::new()) };
    let mut statement = db.prepare_cached(select!(
        "WHERE review.workspace_id = ?1 AND language = ?2 AND seq > ?3 ORDER BY seq LIMIT ?4"
    ))?;
    let page = statement.query_map(params![workspace, language.as_str(), after, limit(n_reviews)], stored_review)?;
    Ok(page.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn of_customer(
    db: &Connection,
    workspace: &WorkspaceId,
    customer: &CustomerId,
    n_reviews: usize,
) -> Result<Vec<StoredReview>> {
    let Some(root) = customers::root(db, workspace, customer)? else { return Ok(Vec::new()) };
    let mut statement = db.prepare_cached(select!(
        "WHERE customer_id IN (SELECT id FROM customer WHERE id = ?1 OR root_id = ?1)
         ORDER BY time DESC, seq DESC LIMIT ?2"
    ))?;
    let page = statement.query_map([root, limit(n_reviews)], stored_review)?;
    Ok(page.collect::<rusqlite::Result<_>>()?)
}

/// Those among a workspace's reviews after `after` that have no vector of this model's row.
pub(super) fn without_vector(
    db: &Connection,
    workspace: i64,
    model: i64,
    after: i64,
    n_reviews: usize,
) -> Result<Vec<StoredReview>> {
    let mut statement = db.prepare_cached(select!(
        "WHERE review.workspace_id = ?1 AND seq > ?3
           AND NOT EXISTS (SELECT 1 FROM review_vector v WHERE v.model_id = ?2 AND v.seq = review.seq)
         ORDER BY seq LIMIT ?4"
    ))?;
    let page = statement.query_map([workspace, model, after, limit(n_reviews)], stored_review)?;
    Ok(page.collect::<rusqlite::Result<_>>()?)
}

fn stored_review(row: &Row<'_>) -> rusqlite::Result<StoredReview> {
    let (Text(id), Text(customer), Words(text), Moment(time)) = (row.get(1)?, row.get(2)?, row.get(3)?, row.get(6)?);
    let language = row.get::<_, Option<Text<Language>>>(7)?.map(|Text(language)| language);
    let confidence: Option<f64> = row.get(8)?;
    let tongue = language.zip(confidence).map(|(language, confidence)| Tongue { language, confidence });
    let review = Review { id, customer, text, item: row.get(4)?, rating: row.get(5)?, time, tongue };
    Ok(StoredReview { seq: row.get(0)?, review, flags: Flags::of_bits(row.get(9)?) })
}

struct Words(ReviewText);

impl FromSql for Words {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        ReviewText::parse(value.as_str()?).map(Self).map_err(|e| FromSqlError::Other(Box::new(e)))
    }
}
