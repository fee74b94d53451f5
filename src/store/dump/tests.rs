//! Laws of a copy, for any two stores.

use super::copying::Copying;
use super::listed::{Kind, LEFT, TABLES, Table};
use super::row::{Cell, Row};
use super::side::{Found, Side};
use super::sql::Dialect;
use super::{CopyOrder, asked, copy};
use crate::domain::{Fact, FactKind, ItemId, JobKind, JobNeeds, JobState, Order, OrderId, WorkspaceId};
use crate::store::contract::samples::*;
use crate::store::{Appended, Checkpoint, Claim, PostgresStore, Result, SqliteStore, Store, StoreError, StorePlace};
use async_trait::async_trait;
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// A column of a real schema: its table, its name and its declared type.
pub(in crate::store) type Declared = (String, String, String);

/// What the list and a schema say of each other that is not the same.
pub(in crate::store) fn differences(dialect: Dialect, declared: &[Declared]) -> Vec<String> {
    let mut wrong = Vec::new();
    let left = |table: &str, column: &str| LEFT.iter().any(|(t, c, _)| *t == table && (*c == column || *c == "*"));
    for (table, column, kind) in declared {
        let listed = TABLES.iter().find(|listed| listed.name == table);
        let known = listed.and_then(|listed| listed.columns.iter().find(|known| known.name == column));
        match known {
            None if left(table, column) || (column == "workspace_id" && listed.is_some_and(Table::is_direct)) => {}
            None => wrong.push(format!(
                "{table}.{column} would be lost by `store copy`: add it to TABLES in src/store/dump/listed.rs, or to LEFT there with \
                 the reason why it stays behind"
            )),
            Some(known) if type_name(dialect, known.kind) != kind.to_lowercase() => {
                wrong.push(format!("{table}.{column} is {kind}, and the list says {:?}", known.kind));
            }
            Some(_) => {}
        }
    }
    for (table, column) in TABLES.iter().flat_map(|table| table.columns.iter().map(|column| (table.name, column.name)))
    {
        if !declared.iter().any(|(t, c, _)| t == table && c == column) {
            wrong.push(format!("{table}.{column} is in src/store/dump/listed.rs and in no schema: take it out"));
        }
    }
    wrong
}

fn type_name(dialect: Dialect, kind: Kind) -> &'static str {
    match dialect {
        Dialect::Postgres => super::postgres_name(kind),
        Dialect::Sqlite => match kind {
            Kind::Integer | Kind::Flag => "integer",
            Kind::Real => "real",
            Kind::Text | Kind::Words => "text",
            Kind::Bytes | Kind::Uuid => "blob",
        },
    }
}

#[test]
fn a_row_refers_only_to_rows_that_came_before() {
    let mut before = BTreeSet::new();
    for table in TABLES {
        for column in table.columns.iter().filter(|column| !column.is_tie) {
            let referred = table.referred(column.name).map(|referred| referred.name);
            assert!(referred.is_none_or(|name| before.contains(name)), "{}.{}", table.name, column.name);
        }
        assert!(
            table.key.iter().all(|key| table.position(key).is_some()),
            "{} has a key that does not travel",
            table.name
        );
        assert!(before.insert(table.name), "{} is there twice", table.name);
    }
}

async fn open(place: &StorePlace) -> Arc<dyn Store> {
    match place {
        StorePlace::Folder(folder) => Arc::new(SqliteStore::open(folder).unwrap()),
        StorePlace::Postgres(url) => Arc::new(PostgresStore::open(url).await.unwrap()),
    }
}

fn order(from: &StorePlace, to: &StorePlace) -> CopyOrder {
    CopyOrder { from: from.clone(), to: to.clone(), workspace: None, is_dry: false }
}

async fn copied(from: &StorePlace, to: &StorePlace) -> Result<Vec<super::CopiedWorkspace>> {
    copy(&order(from, to), &|_| {}).await
}

/// What a workspace shows, but for the numbers that a store gives out.
async fn shown(store: &dyn Store, workspace: &WorkspaceId) -> String {
    let everything = everything(store, workspace).await;
    let is_number = |line: &str| line.trim_start().starts_with("seq:");
    everything.lines().filter(|line| !is_number(line)).collect::<Vec<_>>().join("\n")
}

/// Two workspaces with something of every kind, and characters that the stores keep in different ways.
async fn filled(place: &StorePlace) -> (WorkspaceId, WorkspaceId) {
    let store = open(place).await;
    let (a, b) = (workspace(&*store, "a").await, workspace(&*store, "b").await);
    fill(&*store, &a, 1).await;
    fill(&*store, &b, 2).await;
    let odd = "zero \0, sub \u{1a}0, 小 and \u{1a}";
    let mut facts: Vec<Fact> =
        (0..700).map(|n| Fact::Review(review(&format!("more{n}"), &format!("c{}", n % 40), odd))).collect();
    facts.extend((0..700).map(|n| Fact::Event(event(&format!("seen{n}"), &format!("c{}", n % 40), odd))));
    facts.push(Fact::Identify(identify("c3", json!({odd: odd, "deep": {"a": [1.5, null, odd]}}), 3)));
    facts.push(Fact::Alias(crate::domain::Alias {
        previous: customer_id("c5"),
        id: customer_id("c4"),
        message: None,
        time: at(1),
    }));
    facts.push(Fact::Item(crate::domain::Item {
        id: ItemId::parse("odd").unwrap(),
        kind: Default::default(),
        name: Some(odd.into()),
        category: Some(odd.into()),
        description: Some(odd.into()),
        price_minor: Some(-1),
        currency: Some(crate::domain::Currency::parse("EUR").unwrap()),
        attributes: [(odd.to_owned(), json!(odd))].into_iter().collect(),
        time: at(2),
    }));
    store.append(&a, &facts, None, at(1)).await.unwrap();
    store.erase_customer(&a, &customer_id("c39"), &erasing(2)).await.unwrap();
    remove_one_for_its_age(&*store, &a).await;
    let at_work = Job { needs: JobNeeds { place: None, subject: Some("needs".into()) }, kind: JobKind::Fit, ..job(7) };
    store.create_job(&a, &at_work).await.unwrap();
    let claim =
        Claim { holder: Uuid::from_u128(1), kinds: &[JobKind::Fit], place: None, lasts: Duration::from_secs(3_600) };
    store.claim_job(&claim).await.unwrap().unwrap();
    finish_imports(&*store, &[&a, &b]).await;
    (a, b)
}

use crate::domain::Job;

/// The newest event; its hash stays.
async fn remove_one_for_its_age(store: &dyn Store, workspace: &WorkspaceId) {
    store.create_job(workspace, &Job { kind: JobKind::Retention, ..job(8) }).await.unwrap();
    let kinds = [JobKind::Retention];
    let claim = Claim { holder: Uuid::from_u128(1), kinds: &kinds, place: None, lasts: Duration::from_secs(3_600) };
    let (_, job) = store.claim_job(&claim).await.unwrap().unwrap();
    let progress = job.progress.clone();
    let checkpoint = Checkpoint { job: job.id, token: job.lease.token, progress, checkpoint: json!({}) };
    let old = store.expired(workspace, FactKind::Events, at(2), 0, 9_999).await.unwrap();
    let gone = store.remove_expired(workspace, FactKind::Events, &old[old.len() - 1..], &checkpoint).await.unwrap();
    assert_eq!(gone.n, 1);
    let ended = Job { state: JobState::Succeeded, finished_at: Some(at(6)), ..job };
    store.update_job(workspace, &ended).await.unwrap();
}

/// So that nothing waits for a file.
async fn finish_imports(store: &dyn Store, workspaces: &[&WorkspaceId]) {
    for workspace in workspaces {
        for job in store.jobs(workspace, None, 99).await.unwrap() {
            if job.kind == JobKind::Import && !job.state.is_final() {
                store.cancel_job(workspace, job.id, at(5)).await.unwrap();
            }
        }
    }
}

/// What came over is what was there, and it lives: a copy takes the same facts in the same way, and its jobs go on.
pub(in crate::store) async fn a_copy_is_whole_and_goes_on(from: &StorePlace, to: &StorePlace) {
    let (a, b) = filled(from).await;
    let report = copied(from, to).await.unwrap();
    assert_eq!(report.iter().map(|one| one.workspace.clone()).collect::<Vec<_>>(), [a.clone(), b.clone()]);
    let rows = |name: &str| report[0].tables.iter().find(|table| table.name == name).unwrap().n_rows;
    assert!(rows("event") > 600 && rows("review") > 600 && rows("suppression") == 1 && rows("review_vector") == 2);
    assert!(report.iter().flat_map(|one| &one.tables).all(|table| table.sum.as_ref().unwrap().n_rows == table.n_rows));
    let (before, after) = (open(from).await, open(to).await);
    for workspace in [&a, &b] {
        // Into an empty store the numbers are the same too.
        let (was, is) = (everything(&*before, workspace).await, everything(&*after, workspace).await);
        assert_eq!(without_leases(&was), without_leases(&is));
    }
    let claim =
        Claim { holder: Uuid::from_u128(2), kinds: &[JobKind::Fit], place: None, lasts: Duration::from_secs(1) };
    let (_, job) = after.claim_job(&claim).await.unwrap().expect("a job at work goes on without its lease");
    assert!(job.state == JobState::Running && job.lease.token > 1);
    for store in [&before, &after] {
        it_takes_new_facts(&**store, &a).await;
    }
    assert_eq!(without_leases(&everything(&*before, &a).await), without_leases(&everything(&*after, &a).await));
}

async fn it_takes_new_facts(store: &dyn Store, a: &WorkspaceId) {
    let facts = [
        Fact::Review(review("late", "c39", "of somebody who was erased")),
        Fact::Review(review("more1", "c1", "another word")),
        Fact::Review(review("new", "new", "new")),
        Fact::Event(event("seen1", "c1", "again")),
        Fact::Order(Order {
            id: OrderId::parse("o2").unwrap(),
            customer: customer_id("c1"),
            time: at(9),
            total: crate::domain::Money { minor: 1, currency: None },
            discount_minor: 0,
            lines: vec![],
        }),
    ];
    let told = store.append(a, &facts, None, at(9)).await.unwrap();
    use Appended::{Accepted, Duplicate, Replaced, Suppressed};
    assert_eq!(told, [Suppressed, Replaced, Accepted, Duplicate, Accepted]);
    store.publish(a, &version("needs", 2), &[membership("c1", 1)]).await.unwrap();
}

/// Tokens grow whenever a store is opened that had a lease, and the holders are others.
fn without_leases(everything: &str) -> String {
    let of_lease = ["token:", "is_held:", "state: Running", "state: Queued"];
    everything
        .lines()
        .filter(|line| !of_lease.iter().any(|word| line.trim_start().starts_with(word)))
        .collect::<Vec<_>>()
        .join("\n")
}

/// Beside other workspaces, numbers move and keep their order, and nothing of the others changes.
pub(in crate::store) async fn a_copy_comes_beside_others(from: &StorePlace, to: &StorePlace) {
    let (a, b) = filled(from).await;
    let store = open(to).await;
    let other = workspace(&*store, "other").await;
    fill(&*store, &other, 9).await;
    finish_imports(&*store, &[&other]).await;
    // As a service makes it when it starts.
    workspace(&*store, "b").await;
    let untouched = everything(&*store, &other).await;
    drop(store);
    copied(from, to).await.unwrap();
    let (before, after) = (open(from).await, open(to).await);
    assert_eq!(everything(&*after, &other).await, untouched);
    for workspace in [&a, &b] {
        assert_eq!(without_leases(&shown(&*before, workspace).await), without_leases(&shown(&*after, workspace).await));
        let seqs: Vec<i64> = after.reviews(workspace, 0, 9_999).await.unwrap().into_iter().map(|r| r.seq).collect();
        assert!(seqs.is_sorted());
    }
    it_takes_new_facts(&*after, &a).await;
    drop((before, after));
    let error = copied(from, to).await.unwrap_err();
    assert!(matches!(&error, StoreError::Conflict(why) if why.contains("a with something in it")), "{error}");
    let dry = CopyOrder { is_dry: true, workspace: Some(b), ..order(from, to) };
    assert!(matches!(copy(&dry, &|_| {}).await, Err(StoreError::Conflict(_))));
}

/// A side whose writes fail, or change what they write, from some step on.
struct Spoilt {
    side: Box<dyn Side>,
    fails_after: Option<usize>,
    tampers_with: Option<&'static str>,
}

impl Spoilt {
    fn step(&mut self) -> Result<()> {
        match &mut self.fails_after {
            Some(0) => Err(StoreError::Unavailable("on purpose".into())),
            Some(steps) => {
                *steps -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn tamper(&mut self, table: &'static Table, rows: &mut [Row]) {
        if self.tampers_with != Some(table.name) {
            return;
        }
        // Something that is no key: the last value there is.
        let is_free = |at: &usize| {
            let column = &table.columns[*at];
            !table.key.contains(&column.name) && table.referred(column.name).is_none()
        };
        let Some(cell) = rows
            .iter_mut()
            .flat_map(|row| row.iter_mut().enumerate())
            .rfind(|(at, cell)| is_free(at) && !matches!(cell, Cell::Null) && table.columns[*at].kind != Kind::Uuid)
        else {
            rows.last_mut().into_iter().for_each(|row| {
                row.iter_mut().for_each(|cell| match cell {
                    Cell::Text(text) => text.push('x'),
                    Cell::Bytes(bytes) => bytes.iter_mut().for_each(|byte| *byte ^= 1),
                    _ => {}
                })
            });
            return;
        };
        match cell.1 {
            Cell::Integer(number) => *number = i64::from(*number == 0),
            Cell::Real(number) => *number += 1.0,
            Cell::Text(text) => text.push('x'),
            Cell::Bytes(bytes) => bytes[0] ^= 1,
            Cell::Null => {}
        }
    }
}

#[async_trait]
impl Side for Spoilt {
    async fn workspaces(&mut self) -> Result<Vec<Found>> {
        self.side.workspaces().await
    }
    async fn freeze(&mut self) -> Result<()> {
        self.step()?;
        self.side.freeze().await
    }
    async fn thaw(&mut self) -> Result<()> {
        self.side.thaw().await
    }
    async fn count(&mut self, table: &'static Table, workspace: i64) -> Result<u64> {
        self.side.count(table, workspace).await
    }
    async fn has_any(&mut self, table: &'static Table, workspace: i64) -> Result<bool> {
        self.side.has_any(table, workspace).await
    }
    async fn numbers(&mut self, table: &'static Table, workspace: i64) -> Result<Option<(i64, i64)>> {
        self.side.numbers(table, workspace).await
    }
    async fn places_of_imports(&mut self, workspace: i64) -> Result<Vec<Option<Vec<u8>>>> {
        self.side.places_of_imports(workspace).await
    }
    async fn start(&mut self, table: &'static Table, workspace: i64) -> Result<()> {
        self.side.start(table, workspace).await
    }
    async fn next(&mut self, n_rows: usize) -> Result<Vec<Row>> {
        self.side.next(n_rows).await
    }
    async fn lock(&mut self) -> Result<()> {
        self.side.lock().await
    }
    async fn reserve(&mut self, table: &'static Table, low: i64, high: i64) -> Result<i64> {
        self.side.reserve(table, low, high).await
    }
    async fn begin(&mut self, slug: &str, table: &'static Table, row: Row) -> Result<i64> {
        self.step()?;
        let mut rows = [row];
        self.tamper(table, &mut rows);
        let [row] = rows;
        self.side.begin(slug, table, row).await
    }
    async fn put(&mut self, table: &'static Table, workspace: i64, mut rows: Vec<Row>) -> Result<()> {
        self.step()?;
        self.tamper(table, &mut rows);
        self.side.put(table, workspace, rows).await
    }
    async fn tie(&mut self, table: &'static Table, rows: Vec<Row>) -> Result<()> {
        self.step()?;
        self.side.tie(table, rows).await
    }
    async fn discard(&mut self, workspace: i64) -> Result<()> {
        self.side.discard(workspace).await
    }
    async fn reveal(&mut self, named: &[(Found, String)]) -> Result<()> {
        self.step()?;
        self.side.reveal(named).await
    }
}

async fn spoilt_copy(from: &StorePlace, to: &StorePlace, spoil: (Option<usize>, Option<&'static str>)) -> Result<()> {
    let mut source = super::open(from, super::Opened::Source { is_dry: false }).await?.unwrap();
    let side = super::open(to, super::Opened::Target).await?.unwrap();
    let mut target = Spoilt { side, fails_after: spoil.0, tampers_with: spoil.1 };
    source.freeze().await?;
    let mut plan = Vec::new();
    for (found, workspace) in asked(&mut *source, None).await? {
        let mut tables = Vec::new();
        for table in TABLES {
            tables.push(super::CopiedTable {
                name: table.name,
                n_rows: source.count(table, found.row).await?,
                sum: None,
            });
        }
        plan.push((found, super::CopiedWorkspace { workspace, tables, n_waiting_imports: 0 }));
    }
    Copying::new(&mut *source, &mut target, &|_| {}, &plan).run(&mut plan).await
}

async fn shows_nothing(to: &StorePlace) {
    let store = open(to).await;
    assert_eq!(store.workspaces().await.unwrap(), []);
    assert_eq!(store.unfinished_jobs().await.unwrap(), []);
    assert_eq!(store.key_by_hash(&[1; 32]).await.unwrap(), None);
    assert!(!store.has_live_keys().await.unwrap());
    assert_eq!(store.publications().await.unwrap(), 0);
    assert_eq!(store.changes(0).await.unwrap(), []);
    let kinds = [JobKind::Fit, JobKind::Import, JobKind::Erase];
    let claim = Claim { holder: Uuid::nil(), kinds: &kinds, place: None, lasts: Duration::from_secs(1) };
    assert_eq!(store.claim_job(&claim).await.unwrap(), None);
}

/// Whatever step a copy ends at, nothing of it is to be seen, and the next one is whole.
pub(in crate::store) async fn a_copy_that_ends_at_any_step_leaves_nothing(from: &StorePlace, to: &StorePlace) {
    let (a, _) = filled(from).await;
    let mut steps = 0;
    while let Err(error) = spoilt_copy(from, to, (Some(steps), None)).await {
        assert!(matches!(&error, StoreError::Unavailable(why) if why == "on purpose"), "{steps}: {error}");
        shows_nothing(to).await;
        // Each fifth is enough for a store that is not in this process.
        steps += if matches!(to, StorePlace::Folder(_)) { 1 } else { 5 };
    }
    assert!(steps > 30, "{steps}");
    let (before, after) = (open(from).await, open(to).await);
    assert_eq!(without_leases(&shown(&*before, &a).await), without_leases(&shown(&*after, &a).await));
}

/// A value of any table that came over as another one is found, and the copy is none.
pub(in crate::store) async fn a_difference_in_any_table_is_found(from: &StorePlace, to: &StorePlace) {
    filled(from).await;
    for table in TABLES.iter().filter(|table| !["alias", "account_member"].contains(&table.name)) {
        let error = spoilt_copy(from, to, (None, Some(table.name))).await.unwrap_err();
        let told = format!("another {} of the workspace", table.name);
        assert!(matches!(&error, StoreError::Corrupt(why) if why.contains(&told)), "{}: {error}", table.name);
    }
    shows_nothing(to).await;
}

/// An unfinished import goes along only where its file will be.
pub(in crate::store) async fn an_import_is_not_parted_from_its_file(from: &StorePlace, to: &StorePlace) {
    let store = open(from).await;
    let a = workspace(&*store, "a").await;
    let folder = Uuid::from_u128(42);
    let waiting = Job { needs: JobNeeds { place: Some(folder), subject: None }, ..job(1) };
    store.create_job(&a, &waiting).await.unwrap();
    drop(store);
    if let StorePlace::Folder(to) = to {
        for id in [None, Some(Uuid::from_u128(43))] {
            if let Some(id) = id {
                std::fs::write(to.join("folder.id"), id.to_string()).unwrap();
            }
            let error = copied(from, &StorePlace::Folder(to.clone())).await.unwrap_err();
            assert!(matches!(&error, StoreError::Conflict(why) if why.contains("1 unfinished imports")), "{error}");
        }
        std::fs::write(to.join("folder.id"), folder.to_string()).unwrap();
    }
    assert_eq!(copied(from, to).await.unwrap()[0].n_waiting_imports, 1);
    assert_eq!(open(to).await.unfinished_jobs().await.unwrap()[0].1.needs.place, Some(folder));
}

/// What a dry run tells, and that it leaves no trace.
pub(in crate::store) async fn a_dry_run_writes_nothing(from: &StorePlace, to: &StorePlace) {
    let (a, _) = filled(from).await;
    let dry = CopyOrder { is_dry: true, workspace: Some(a), ..order(from, to) };
    let report = copy(&dry, &|_| {}).await.unwrap();
    assert!(report.len() == 1 && report[0].tables.iter().all(|table| table.sum.is_none()));
    if let StorePlace::Folder(folder) = to {
        assert_eq!(std::fs::read_dir(folder).unwrap().count(), 0);
    }
    let unknown = CopyOrder { workspace: Some(workspace_id("nobody")), ..order(from, to) };
    assert!(matches!(copy(&unknown, &|_| {}).await, Err(StoreError::Missing("the workspace"))));
}

mod folders {
    use super::*;
    use tempfile::TempDir;

    fn two() -> (TempDir, TempDir) {
        (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap())
    }

    fn place(folder: &TempDir) -> StorePlace {
        StorePlace::Folder(folder.path().to_owned())
    }

    macro_rules! laws {
        ($($law:ident),* $(,)?) => {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $law() {
                let (from, to) = two();
                super::$law(&place(&from), &place(&to)).await;
            })*
        };
    }

    laws!(
        a_copy_is_whole_and_goes_on,
        a_copy_comes_beside_others,
        a_copy_that_ends_at_any_step_leaves_nothing,
        a_difference_in_any_table_is_found,
        an_import_is_not_parted_from_its_file,
        a_dry_run_writes_nothing,
    );

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_store_in_use_and_one_store_twice_are_refused() {
        let (from, to) = two();
        let held = SqliteStore::open(from.path()).unwrap();
        assert!(matches!(copied(&place(&from), &place(&to)).await, Err(StoreError::InUse { .. })));
        drop(held);
        filled(&place(&from)).await;
        let held = SqliteStore::open(to.path()).unwrap();
        assert!(matches!(copied(&place(&from), &place(&to)).await, Err(StoreError::InUse { .. })));
        drop(held);
        assert!(matches!(copied(&place(&from), &place(&from)).await, Err(StoreError::Conflict(_))));
        let nowhere = StorePlace::Folder(to.path().join("nowhere"));
        assert!(matches!(copied(&nowhere, &place(&to)).await, Err(StoreError::Open { .. })));
    }
}
