//! The schema as a list of migrations. The table `clientele_schema` counts those that were applied; a shipped one never changes.

use crate::store::Result;
use deadpool_postgres::{GenericClient, Object};

pub(super) const MIGRATIONS: [&str; 8] = [
    include_str!("../migrations/postgres/0001_first_schema.sql"),
    include_str!("../migrations/postgres/0002_identity_orders_items.sql"),
    include_str!("../migrations/postgres/0003_settings.sql"),
    include_str!("../migrations/postgres/0004_leases.sql"),
    include_str!("../migrations/postgres/0005_consent.sql"),
    include_str!("../migrations/postgres/0006_retention.sql"),
    include_str!("../migrations/postgres/0007_quality.sql"),
    include_str!("../migrations/postgres/0008_inputs.sql"),
];

/// The schema that this program writes.
pub(super) const VERSION: i64 = MIGRATIONS.len() as i64;

/// One after the other in the whole database and in this schema of it: replicas that start together migrate once.
const LOCK: &str = "SELECT pg_advisory_xact_lock(hashtextextended('clientele schema ' || current_schema(), 0))";

/// Applies what is missing, all of it in one transaction; the version there is then. A newer one is left alone.
pub(super) async fn migrate(db: &mut Object) -> Result<i64> {
    apply(db, &MIGRATIONS).await
}

pub(super) async fn apply(db: &mut Object, migrations: &[&str]) -> Result<i64> {
    if let Some(found) = version(&*db).await?
        && found >= i64::try_from(migrations.len()).unwrap_or(i64::MAX)
    {
        // Also for a user who may not create tables.
        return Ok(found);
    }
    let transaction = db.transaction().await?;
    transaction.batch_execute(LOCK).await?;
    let found = version(&transaction).await?;
    if found.is_none() {
        transaction.batch_execute("CREATE TABLE clientele_schema (version bigint NOT NULL)").await?;
        transaction.batch_execute("INSERT INTO clientele_schema VALUES (0)").await?;
    }
    let mut reached = found.unwrap_or(0);
    let done = usize::try_from(reached).unwrap_or(0);
    for (number, migration) in (1..).zip(migrations).skip(done) {
        transaction.batch_execute(migration).await?;
        reached = number;
    }
    transaction.execute("UPDATE clientele_schema SET version = $1", &[&reached]).await?;
    transaction.commit().await?;
    Ok(reached)
}

/// Nothing where no store is yet.
pub(super) async fn version(db: &impl GenericClient) -> Result<Option<i64>> {
    // Only in the schema that tables would be made in: another one on the path may hold another store.
    let is_there = "SELECT to_regclass(quote_ident(current_schema()) || '.clientele_schema') IS NOT NULL";
    if !db.query_one(is_there, &[]).await?.get::<_, bool>(0) {
        return Ok(None);
    }
    let row = db.query_opt("SELECT version FROM clientele_schema", &[]).await?;
    Ok(Some(row.map_or(0, |row| row.get(0))))
}
