//! Review vectors by the fingerprint of the weights that made them, and which reviews still lack one.

use super::columns::{Floats, Moment, Text, Words, get, limit};
use super::statements::{execute, row, rows};
use super::workspaces;
use crate::domain::WorkspaceId;
use crate::store::{Result, ReviewVector};
use deadpool_postgres::{GenericClient, Transaction};
use std::collections::BTreeMap;
use std::pin::pin;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::Type;

pub(super) async fn put(
    db: &Transaction<'_>,
    workspace: &WorkspaceId,
    model: &str,
    vectors: &[(i64, Vec<f32>)],
) -> Result<()> {
    let workspace = workspaces::lock(db, workspace).await?;
    let model = model_row(db, workspace, model).await?;
    // Of a number that is there twice, the later vector stays.
    let mut vectors: BTreeMap<i64, &[f32]> = vectors.iter().map(|(seq, vector)| (*seq, vector.as_slice())).collect();
    let seqs: Vec<i64> = vectors.keys().copied().collect();
    let select = "SELECT seq FROM review WHERE workspace_id = $1 AND seq = ANY ($2)";
    let standing = rows(db, select, &[&workspace, &seqs]).await?;
    let standing: Vec<i64> = standing.iter().map(|row| get(row, 0)).collect::<Result<_>>()?;
    let is_there: std::collections::HashSet<i64> = standing.iter().copied().collect();
    vectors.retain(|seq, _| is_there.contains(seq));
    let delete = "DELETE FROM review_vector WHERE model_id = $1 AND seq = ANY ($2)";
    let n_replaced = execute(db, delete, &[&model.id, &standing]).await?;
    copy(db, model.id, &vectors).await?;
    let complete_through = first_without(db, workspace, &model).await? - 1;
    let n_new = vectors.len() as i64 - n_replaced.cast_signed();
    let update = "UPDATE embedding_model SET n_vectors = n_vectors + $2, complete_through = $3 WHERE id = $1";
    execute(db, update, &[&model.id, &n_new, &complete_through]).await?;
    Ok(())
}

async fn copy(db: &Transaction<'_>, model: i64, vectors: &BTreeMap<i64, &[f32]>) -> Result<()> {
    let sink = db.copy_in("COPY review_vector (model_id, seq, vector) FROM STDIN BINARY").await?;
    let mut writer = pin!(BinaryCopyInWriter::new(sink, &[Type::INT8, Type::INT8, Type::BYTEA]));
    for (seq, vector) in vectors {
        writer.as_mut().write(&[&model, seq, &Floats::bytes(vector)]).await?;
    }
    writer.finish().await?;
    Ok(())
}

pub(super) async fn page(
    db: &impl GenericClient,
    workspace: &WorkspaceId,
    model: &str,
    after: i64,
    n_vectors: usize,
) -> Result<Vec<ReviewVector>> {
    let page = rows(
        db,
        "SELECT v.seq, review_id, root.external_id, review.time, vector
         FROM workspace JOIN embedding_model m ON m.workspace_id = workspace.id
         JOIN review_vector v ON v.model_id = m.id
         JOIN review ON review.seq = v.seq JOIN customer own ON own.id = customer_id
         JOIN customer root ON root.id = coalesce(own.root_id, own.id)
         WHERE slug = $1 AND fingerprint = $2 AND v.seq > $3 ORDER BY v.seq LIMIT $4",
        &[&workspace.as_str(), &Words::of(model), &after, &limit(n_vectors)],
    )
    .await?;
    let vector = |row: &tokio_postgres::Row| {
        let (Text(review), Text(customer)) = (get(row, 1)?, get(row, 2)?);
        let (Moment(time), Floats(vector)) = (get(row, 3)?, get(row, 4)?);
        Ok(ReviewVector { seq: get(row, 0)?, review, customer, time, vector })
    };
    page.iter().map(vector).collect()
}

pub(super) async fn count_reviews_without(
    db: &impl GenericClient,
    workspace: &WorkspaceId,
    model: &str,
) -> Result<u64> {
    let count = row(
        db,
        "SELECT n_reviews - coalesce(n_vectors, 0) FROM workspace
         LEFT JOIN embedding_model m ON m.workspace_id = workspace.id AND fingerprint = $2 WHERE slug = $1",
        &[&workspace.as_str(), &Words::of(model)],
    )
    .await?;
    let count: i64 = count.map_or(Ok(0), |row| get(&row, 0))?;
    Ok(u64::try_from(count).unwrap_or(0))
}

/// Deletes the vectors that reviews have under any model.
pub(super) async fn delete(db: &Transaction<'_>, workspace: i64, seqs: &[i64]) -> Result<()> {
    execute(
        db,
        "WITH gone AS (
             DELETE FROM review_vector v USING embedding_model m
             WHERE m.workspace_id = $1 AND v.model_id = m.id AND v.seq = ANY ($2) RETURNING v.model_id
         )
         UPDATE embedding_model m SET n_vectors = n_vectors - counted.n
         FROM (SELECT model_id, count(*) AS n FROM gone GROUP BY model_id) counted WHERE m.id = counted.model_id",
        &[&workspace, &seqs],
    )
    .await?;
    Ok(())
}

struct Model {
    id: i64,
    complete_through: i64,
}

async fn model_row(db: &Transaction<'_>, workspace: i64, fingerprint: &str) -> Result<Model> {
    // The update changes nothing; it makes the row that is there come back.
    let made = db
        .prepare_cached(
            "INSERT INTO embedding_model (workspace_id, fingerprint) VALUES ($1, $2)
             ON CONFLICT (workspace_id, fingerprint) DO UPDATE SET fingerprint = excluded.fingerprint
             RETURNING id, complete_through",
        )
        .await?;
    let row = db.query_one(&made, &[&workspace, &Words::of(fingerprint)]).await?;
    Ok(Model { id: get(&row, 0)?, complete_through: get(&row, 1)? })
}

/// The first review that lacks a vector, or the place where the next review will be. It looks on from where it stopped
/// the last time, so that all calls together walk over each review once.
async fn first_without(db: &Transaction<'_>, workspace: i64, model: &Model) -> Result<i64> {
    let lacking = row(
        db,
        "SELECT seq FROM review
         WHERE workspace_id = $1 AND seq > $3
           AND NOT EXISTS (SELECT 1 FROM review_vector v WHERE v.model_id = $2 AND v.seq = review.seq)
         ORDER BY seq LIMIT 1",
        &[&workspace, &model.id, &model.complete_through],
    )
    .await?;
    if let Some(lacking) = lacking {
        return get(&lacking, 0);
    }
    let last = row(db, "SELECT max(seq) FROM review WHERE workspace_id = $1", &[&workspace]).await?;
    let last: Option<i64> = last.map_or(Ok(None), |row| get(&row, 0))?;
    Ok(last.unwrap_or(0).max(model.complete_through) + 1)
}
