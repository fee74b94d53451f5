//! Databases of every older schema, opened by this program.

use super::server::{Schema, server_or_skip, session, url};
use crate::store::contract::Place;
use crate::store::contract::older::{Dialect, Part, check};
use crate::store::postgres::connections::{Connections, Limits};
use crate::store::postgres::schema::{self, MIGRATIONS};

/// What each migration let a program write for the first time; nothing where it changed no row's meaning.
const BROUGHT: [&[Part]; MIGRATIONS.len()] = [
    &[Part::First],
    &[Part::Identity, Part::Suppression],
    &[Part::Settings],
    &[Part::Leases],
    &[Part::Consent],
    &[],
    &[Part::Quality],
    &[Part::Inputs],
];

fn parts(version: usize) -> Vec<Part> {
    BROUGHT[..version].concat()
}

async fn apply(place: &Schema, migrations: &[&str]) -> crate::store::Result<i64> {
    let connections = Connections::new(&url(&place.address()), Limits::default()).unwrap();
    let mut connection = connections.take().await.unwrap();
    schema::apply(connection.object().unwrap(), migrations).await
}

/// As the program of that schema left it, with rows of all that it knew.
async fn written(version: usize) -> Schema {
    let place = Schema::new();
    place.make().await;
    apply(&place, &MIGRATIONS[..version]).await.unwrap();
    let session = session(&place.address()).await;
    for part in parts(version) {
        session.batch_execute(&part.rows(Dialect::Postgres)).await.unwrap();
        if part == Part::Leases {
            session.batch_execute("UPDATE change_counter SET number = 1").await.unwrap();
        }
    }
    place
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_of_every_older_schema_keeps_its_facts_and_takes_new_ones() {
    server_or_skip!("a_database_of_every_older_schema_keeps_its_facts_and_takes_new_ones");
    for version in 1..=MIGRATIONS.len() {
        let place = written(version).await;
        check(&*place.open().await, &parts(version)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_migration_that_fails_half_way_leaves_the_older_database() {
    server_or_skip!("a_migration_that_fails_half_way_leaves_the_older_database");
    let columns =
        "SELECT string_agg(table_name || '.' || column_name || ' ' || data_type, ',' ORDER BY table_name, column_name)
         FROM information_schema.columns WHERE table_schema = current_schema()";
    for version in 1..MIGRATIONS.len() {
        let place = written(version).await;
        let session = session(&place.address()).await;
        let before: String = session.query_one(columns, &[]).await.unwrap().get(0);
        let mut failing: Vec<&str> = MIGRATIONS[..=version].to_vec();
        let broken = format!("{}; SELECT nonsense FROM nowhere", MIGRATIONS[version]);
        failing[version] = &broken;
        apply(&place, &failing).await.unwrap_err();
        assert_eq!(session.query_one(columns, &[]).await.unwrap().get::<_, String>(0), before);
        let stands: i64 = session.query_one("SELECT version FROM clientele_schema", &[]).await.unwrap().get(0);
        assert_eq!(stands, i64::try_from(version).unwrap());
        check(&*place.open().await, &parts(version)).await;
    }
}
