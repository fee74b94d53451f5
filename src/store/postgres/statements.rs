//! Statements, prepared once a connection. SQL is constant text here; values are parameters.

use crate::store::Result;
use deadpool_postgres::GenericClient;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

pub(super) type Parameters<'a> = &'a [&'a (dyn ToSql + Sync)];

pub(super) async fn rows(db: &impl GenericClient, sql: &str, parameters: Parameters<'_>) -> Result<Vec<Row>> {
    let statement = db.prepare_cached(sql).await?;
    Ok(db.query(&statement, parameters).await?)
}

/// The one row there is, or none.
pub(super) async fn row(db: &impl GenericClient, sql: &str, parameters: Parameters<'_>) -> Result<Option<Row>> {
    let statement = db.prepare_cached(sql).await?;
    Ok(db.query_opt(&statement, parameters).await?)
}

/// How many rows it touched.
pub(super) async fn execute(db: &impl GenericClient, sql: &str, parameters: Parameters<'_>) -> Result<u64> {
    let statement = db.prepare_cached(sql).await?;
    Ok(db.execute(&statement, parameters).await?)
}
