//! What stands in the way of opening is named with its mend, and replicas that start together make one schema.

use super::server::{Schema, impatient, server_or_skip, session, url};
use crate::store::contract::Place;
use crate::store::postgres::{PostgresStore, schema};
use crate::store::{Store, StoreError};

async fn failure(address: &str) -> StoreError {
    PostgresStore::with_limits(&url(address), impatient()).await.map(drop).unwrap_err()
}

fn password(address: &str) -> &str {
    let (_, rest) = address.split_once("tester:").unwrap();
    rest.split_once('@').unwrap().0
}

#[tokio::test]
async fn what_stands_in_the_way_is_named_and_the_password_is_not() {
    let address = server_or_skip!("what_stands_in_the_way_is_named_and_the_password_is_not");
    let secret = password(&address).to_owned();
    let cases = [
        (address.replace("/postgres", "/no_such_shop"), "\"no_such_shop\" does not exist"),
        (address.replace(&secret, "wr0ng-s3cret"), "refuses this user or the password"),
        (address.replace("tester", "nobody_known"), "refuses this user or the password"),
        (format!("{address}?options=-csearch_path%3Dno_such_schema"), "no schema to make tables in"),
        ("postgres://ann:wr0ng-s3cret@127.0.0.1:1/shop".into(), "no PostgreSQL server answers there"),
        (format!("{address}?sslmode=require"), "TLS"),
        (format!("{address}?sslmode=verify-full&sslrootcert=/no/such/file"), "sslrootcert /no/such/file"),
    ];
    for (wrong, says) in cases {
        let error = failure(&wrong).await;
        assert!(matches!(error, StoreError::Open { .. }), "{error:?}");
        let told = format!("{error} {error:?}");
        assert!(told.contains(says), "{says}: {told}");
        assert!(!told.contains(&secret) && !told.contains("wr0ng-s3cret"), "{told}");
    }
}

#[tokio::test]
async fn a_newer_schema_is_left_to_the_newer_program() {
    server_or_skip!("a_newer_schema_is_left_to_the_newer_program");
    let place = Schema::new();
    drop(place.open().await);
    let session = session(&place.address()).await;
    session.batch_execute("UPDATE clientele_schema SET version = version + 1").await.unwrap();
    let error = failure(&place.address()).await;
    let newer = schema::VERSION + 1;
    assert!(
        matches!(error, StoreError::TooNew { found, known, .. } if found == newer && known == schema::VERSION),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_user_without_the_right_to_make_tables_is_told_so_and_one_with_tables_needs_it_not() {
    let address =
        server_or_skip!("a_user_without_the_right_to_make_tables_is_told_so_and_one_with_tables_needs_it_not");
    let place = Schema::new();
    place.make().await;
    let owner = session(&place.address()).await;
    let role = format!("r_{}", uuid::Uuid::now_v7().simple());
    let name = place.address().rsplit_once("%3D").unwrap().1.to_owned();
    owner
        .batch_execute(&format!("CREATE ROLE {role} LOGIN PASSWORD 'pw'; GRANT USAGE ON SCHEMA {name} TO {role}"))
        .await
        .unwrap();
    let theirs = place.address().replace(&format!("tester:{}", password(&address)), &format!("{role}:pw"));
    let error = failure(&theirs).await.to_string();
    assert!(error.contains("right to CREATE"), "{error}");
    drop(place.open().await);
    let grant = format!("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {name} TO {role}");
    owner.batch_execute(&grant).await.unwrap();
    PostgresStore::open(&url(&theirs)).await.unwrap().ping().await.unwrap();
    owner.batch_execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}")).await.unwrap();
}

#[tokio::test]
async fn a_commit_waits_for_the_disk_whatever_the_database_says() {
    server_or_skip!("a_commit_waits_for_the_disk_whatever_the_database_says");
    let place = Schema::new();
    place.make().await;
    let hasty = format!("{}%20-csynchronous_commit%3Doff", place.address());
    let store = PostgresStore::open(&url(&hasty)).await.unwrap();
    let mut connection = store.connections.take().await.unwrap();
    let row = connection.client().unwrap().query_one("SHOW synchronous_commit", &[]).await.unwrap();
    assert_eq!(row.get::<_, &str>(0), "on");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_that_start_together_make_one_schema() {
    server_or_skip!("replicas_that_start_together_make_one_schema");
    let place = Schema::new();
    place.make().await;
    let starting = (0..6).map(|_| {
        let address = url(&place.address());
        tokio::spawn(async move { PostgresStore::open(&address).await.map(drop) })
    });
    for replica in starting.collect::<Vec<_>>() {
        replica.await.unwrap().unwrap();
    }
    let session = session(&place.address()).await;
    let rows = session.query("SELECT version FROM clientele_schema", &[]).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.get(0)).collect::<Vec<i64>>(), [schema::VERSION]);
}

#[tokio::test]
async fn every_table_belongs_to_a_workspace() {
    server_or_skip!("every_table_belongs_to_a_workspace");
    // Rows that hang on a parent reach their workspace through it; this list is all that may.
    let by_parent = [
        "account_member",
        "account_trait",
        "alias",
        "change_counter",
        "clientele_schema",
        "consent",
        "customer_trait",
        "membership",
        "review_vector",
        "segment",
        "version",
        "workspace",
    ];
    let place = Schema::new();
    drop(place.open().await);
    let session = session(&place.address()).await;
    let without = session
        .query(
            "SELECT table_name::text FROM information_schema.tables t WHERE table_schema = current_schema()
               AND NOT EXISTS (SELECT 1 FROM information_schema.columns c WHERE c.table_schema = t.table_schema
                 AND c.table_name = t.table_name AND column_name = 'workspace_id' AND is_nullable = 'NO')",
            &[],
        )
        .await
        .unwrap();
    let mut without: Vec<String> = without.iter().map(|row| row.get(0)).collect();
    without.sort();
    assert_eq!(without, by_parent);
}
