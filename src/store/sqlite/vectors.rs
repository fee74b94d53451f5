//! Review vectors by the fingerprint of the weights that made them, and which reviews still lack one.

use super::columns::{Floats, Moment, Text, limit};
use super::{reviews, workspaces};
use crate::domain::WorkspaceId;
use crate::store::{Result, ReviewVector, StoredReview};
use rusqlite::{Connection, OptionalExtension, params};

pub(super) fn put(db: &Connection, workspace: &WorkspaceId, model: &str, vectors: &[(i64, Vec<f32>)]) -> Result<()> {
    let workspace = workspaces::require(db, workspace)?;
    let model = model_row(db, workspace, model)?;
    let mut n_new = 0;
    for (seq, vector) in vectors {
        n_new += put_one(db, workspace, model.id, *seq, vector)?;
    }
    let first_without = first_without(db, workspace, &model)?;
    db.prepare_cached("UPDATE embedding_model SET n_vectors = n_vectors + ?2, complete_through = ?3 WHERE id = ?1")?
        .execute([model.id, n_new, first_without - 1])?;
    Ok(())
}

pub(super) fn page(
    db: &Connection,
    workspace: &WorkspaceId,
    model: &str,
    after: i64,
    n_vectors: usize,
) -> Result<Vec<ReviewVector>> {
    let Some(model) = find_model(db, workspace, model)? else { return Ok(Vec::new()) };
    let mut statement = db.prepare_cached(
        "SELECT v.seq, review_id, root.external_id, time, vector
         FROM review_vector v JOIN review ON review.seq = v.seq JOIN customer own ON own.id = customer_id
         JOIN customer root ON root.id = coalesce(own.root_id, own.id)
         WHERE model_id = ?1 AND v.seq > ?2 ORDER BY v.seq LIMIT ?3",
    )?;
    let page = statement.query_map([model.id, after, limit(n_vectors)], |row| {
        let (Text(review), Text(customer)) = (row.get(1)?, row.get(2)?);
        let (Moment(time), Floats(vector)) = (row.get(3)?, row.get(4)?);
        Ok(ReviewVector { seq: row.get(0)?, review, customer, time, vector })
    })?;
    Ok(page.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn reviews_without(
    db: &Connection,
    workspace: &WorkspaceId,
    model: &str,
    after: i64,
    n_reviews: usize,
) -> Result<Vec<StoredReview>> {
    match find_model(db, workspace, model)? {
        // With no vectors at all, every review lacks one.
        None => reviews::page(db, workspace, after, n_reviews),
        Some(model) => {
            let after = after.max(model.complete_through);
            reviews::without_vector(db, model.workspace, model.id, after, n_reviews)
        }
    }
}

pub(super) fn count_reviews_without(db: &Connection, workspace: &WorkspaceId, model: &str) -> Result<u64> {
    let n_vectors = find_model(db, workspace, model)?.map_or(0, |model| model.n_vectors);
    Ok(workspaces::counts(db, workspace)?.reviews.saturating_sub(n_vectors.cast_unsigned()))
}

/// Deletes a review's vectors of every model.
pub(super) fn delete(db: &Connection, workspace: i64, seq: i64) -> Result<()> {
    db.prepare_cached(
        "UPDATE embedding_model SET n_vectors = n_vectors - 1
         WHERE workspace_id = ?1
           AND EXISTS (SELECT 1 FROM review_vector WHERE model_id = embedding_model.id AND seq = ?2)",
    )?
    .execute([workspace, seq])?;
    db.prepare_cached(
        "DELETE FROM review_vector
         WHERE model_id IN (SELECT id FROM embedding_model WHERE workspace_id = ?1) AND seq = ?2",
    )?
    .execute([workspace, seq])?;
    Ok(())
}

struct Model {
    id: i64,
    workspace: i64,
    n_vectors: i64,
    complete_through: i64,
}

fn find_model(db: &Connection, workspace: &WorkspaceId, fingerprint: &str) -> Result<Option<Model>> {
    let Some(workspace) = workspaces::find(db, workspace)? else { return Ok(None) };
    let mut statement = db.prepare_cached(
        "SELECT id, workspace_id, n_vectors, complete_through FROM embedding_model
         WHERE workspace_id = ?1 AND fingerprint = ?2",
    )?;
    let model = statement.query_row(params![workspace, fingerprint], |row| {
        Ok(Model { id: row.get(0)?, workspace: row.get(1)?, n_vectors: row.get(2)?, complete_through: row.get(3)? })
    });
    Ok(model.optional()?)
}

fn model_row(db: &Connection, workspace: i64, fingerprint: &str) -> Result<Model> {
    // The update changes nothing; it makes the row that is there come back.
    let mut statement = db.prepare_cached(
        "INSERT INTO embedding_model (workspace_id, fingerprint) VALUES (?1, ?2)
         ON CONFLICT (workspace_id, fingerprint) DO UPDATE SET fingerprint = excluded.fingerprint
         RETURNING id, n_vectors, complete_through",
    )?;
    Ok(statement.query_row(params![workspace, fingerprint], |row| {
        Ok(Model { id: row.get(0)?, workspace, n_vectors: row.get(1)?, complete_through: row.get(2)? })
    })?)
}

/// Keeps one vector if its review is (still) there; how many more vectors there are then.
fn put_one(db: &Connection, workspace: i64, model: i64, seq: i64, vector: &[f32]) -> Result<i64> {
    let is_there =
        db.prepare_cached("SELECT 1 FROM review WHERE seq = ?1 AND workspace_id = ?2")?.exists([seq, workspace])?;
    if !is_there {
        return Ok(0);
    }
    let vector = Floats::bytes(vector);
    let added = db
        .prepare_cached(
            "INSERT INTO review_vector (model_id, seq, vector) VALUES (?1, ?2, ?3)
             ON CONFLICT (model_id, seq) DO NOTHING",
        )?
        .execute(params![model, seq, vector])?;
    if added == 0 {
        db.prepare_cached("UPDATE review_vector SET vector = ?3 WHERE model_id = ?1 AND seq = ?2")?
            .execute(params![model, seq, vector])?;
    }
    Ok(limit(added))
}

/// The first review that lacks a vector, or the place where the next review will be. It looks on from where it stopped
/// the last time, so that all calls together walk over each review once.
fn first_without(db: &Connection, workspace: i64, model: &Model) -> Result<i64> {
    let lacking = db
        .prepare_cached(
            "SELECT seq FROM review
             WHERE workspace_id = ?1 AND seq > ?3
               AND NOT EXISTS (SELECT 1 FROM review_vector v WHERE v.model_id = ?2 AND v.seq = review.seq)
             ORDER BY seq LIMIT 1",
        )?
        .query_row([workspace, model.id, model.complete_through], |row| row.get(0))
        .optional()?;
    if let Some(seq) = lacking {
        return Ok(seq);
    }
    let last: Option<i64> = db
        .prepare_cached("SELECT max(seq) FROM review WHERE workspace_id = ?1")?
        .query_row([workspace], |row| row.get(0))?;
    Ok(last.unwrap_or(0).max(model.complete_through) + 1)
}
