//! The schema as a list of migrations. `user_version` counts those that were applied; a shipped one never changes.

use rusqlite::{Connection, TransactionBehavior};

/// Marks a file as ours, in its header where `file` and other programs look: "Clnt" in ASCII.
pub(super) const APPLICATION_ID: i32 = 0x436c_6e74;

pub(super) const MIGRATIONS: [&str; 9] = [
    include_str!("../migrations/sqlite/0001_first_schema.sql"),
    include_str!("../migrations/sqlite/0002_identity_orders_items.sql"),
    include_str!("../migrations/sqlite/0003_suppression.sql"),
    include_str!("../migrations/sqlite/0004_settings.sql"),
    include_str!("../migrations/sqlite/0005_leases.sql"),
    include_str!("../migrations/sqlite/0006_consent.sql"),
    include_str!("../migrations/sqlite/0007_retention.sql"),
    include_str!("../migrations/sqlite/0008_quality.sql"),
    include_str!("../migrations/sqlite/0009_inputs.sql"),
];

/// The schema that this program writes.
pub(super) const VERSION: i64 = MIGRATIONS.len() as i64;

/// Applies what is missing, each migration in a transaction of its own.
pub(super) fn migrate(connection: &mut Connection) -> rusqlite::Result<()> {
    apply(connection, &MIGRATIONS)
}

pub(super) fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

pub(super) fn apply(connection: &mut Connection, migrations: &[&str]) -> rusqlite::Result<()> {
    let done = usize::try_from(version(connection)?).unwrap_or(0);
    for (index, migration) in migrations.iter().enumerate().skip(done) {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute_batch(migration)?;
        transaction.pragma_update(None, "user_version", index as i64 + 1)?;
        transaction.commit()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(connection: &Connection) -> Vec<(String, String, Option<String>)> {
        let mut statement =
            connection.prepare("SELECT type, name, sql FROM sqlite_schema ORDER BY type, name").unwrap();
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
        rows.collect::<Result<_, _>>().unwrap()
    }

    #[test]
    fn a_store_stopped_at_any_migration_comes_to_the_same_schema() {
        let mut fresh = Connection::open_in_memory().unwrap();
        migrate(&mut fresh).unwrap();
        assert_eq!(version(&fresh).unwrap(), VERSION);
        for stop in 0..=MIGRATIONS.len() {
            let mut older = Connection::open_in_memory().unwrap();
            apply(&mut older, &MIGRATIONS[..stop]).unwrap();
            assert_eq!(version(&older).unwrap(), stop as i64);
            migrate(&mut older).unwrap();
            assert_eq!(described(&older), described(&fresh), "stopped after {stop}");
        }
    }

    #[test]
    fn a_migration_that_fails_leaves_nothing_behind() {
        let mut connection = Connection::open_in_memory().unwrap();
        let broken = ["CREATE TABLE one (x INTEGER)", "CREATE TABLE two (x INTEGER); SELECT nonsense FROM nowhere"];
        assert!(apply(&mut connection, &broken).is_err());
        assert_eq!(version(&connection).unwrap(), 1);
        let names: Vec<_> = described(&connection).into_iter().map(|(_, name, _)| name).collect();
        assert_eq!(names, ["one"]);
    }

    #[test]
    fn every_table_belongs_to_a_workspace() {
        // Rows that hang on a parent reach their workspace through it; this list is all that may.
        let by_parent = [
            "customer_trait",
            "review_vector",
            "version",
            "segment",
            "membership",
            "alias",
            "account_trait",
            "account_member",
            "consent",
        ];
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection).unwrap();
        let mut tables = connection
            .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'")
            .unwrap();
        let tables: Vec<String> = tables.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        assert!(tables.len() > by_parent.len());
        for table in tables.iter().filter(|name| *name != "workspace" && !by_parent.contains(&name.as_str())) {
            let columns: i64 = connection
                .query_row(
                    "SELECT count(*) FROM pragma_table_info(?1) WHERE name = 'workspace_id' AND \"notnull\"",
                    [table],
                    |row| row.get(0),
                )
                .unwrap();
            assert_eq!(columns, 1, "{table} has no workspace");
        }
    }
}
