//! A PostgreSQL store at one end of a copy, and rows in its binary form. Read in one transaction that sees one moment, written with
//! `COPY`, a page a transaction.

use super::columns::{Words, get};
use super::connections::{Connection, Connections, Limits};
use super::{PostgresUrl, changes, opening, schema};
use crate::store::dump::{self, Cell, Dialect, Found, Kind, Row, Side, Table};
use crate::store::verify::{Checked, INVARIANTS, UNFINISHED_COPIES, Verified};
use crate::store::{Changed, Result, StoreError};
use async_trait::async_trait;
use bytes::BytesMut;
use deadpool_postgres::{GenericClient, Object, Transaction};
use std::error::Error;
use std::pin::pin;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};
use uuid::Uuid;

/// Of copies into one schema of a database there is one at a time.
const LOCK: &str = "SELECT pg_try_advisory_lock(hashtextextended('clientele copy ' || current_schema(), 0))";

pub(in crate::store) struct PostgresSide {
    // Closed in this order, and never given back: its session has limits of its own and may hold a lock.
    connection: Connection,
    _connections: Connections,
    reading: Option<&'static Table>,
}

impl PostgresSide {
    /// Whether a store is there at all.
    pub async fn is_there(url: &PostgresUrl) -> Result<bool> {
        let connections = opening::connect(url, Limits::default()).await?;
        let mut connection = connections.take().await?;
        Ok(schema::version(&*connection.object()?).await?.is_some())
    }

    /// Connects, and makes or updates the tables.
    pub async fn open(url: &PostgresUrl) -> Result<Self> {
        Self::with(opening::open(url, Limits::default()).await?).await
    }

    /// Connects to a store that is there, and changes nothing in it.
    pub async fn look(url: &PostgresUrl) -> Result<Self> {
        let connections = opening::connect(url, Limits::default()).await?;
        opening::require_current(url, &connections).await?;
        Self::with(connections).await
    }

    async fn with(connections: Connections) -> Result<Self> {
        let mut connection = connections.take().await?;
        // A sort of ten million rows takes its time, and so does the other side.
        let patience = "SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0";
        connection.object()?.batch_execute(patience).await?;
        Ok(Self { connection, _connections: connections, reading: None })
    }

    /// Looks through the store as it is at one moment.
    pub async fn verify(&mut self, progress: &(dyn Fn(&'static str) + Sync)) -> Result<Verified> {
        self.freeze().await?;
        let mut checks = Vec::new();
        for (says, sql) in INVARIANTS {
            progress(says);
            checks.push(Checked {
                says,
                n_wrong: get::<i64>(&self.db()?.query_one(*sql, &[]).await?, 0)?.cast_unsigned(),
            });
        }
        let n_unfinished_copies = get::<i64>(&self.db()?.query_one(UNFINISHED_COPIES, &[]).await?, 0)?.cast_unsigned();
        let schema = schema::version(&*self.db()?).await?.unwrap_or(0);
        self.thaw().await?;
        Ok(Verified { schema, checks, n_unfinished_copies })
    }

    fn db(&mut self) -> Result<&mut Object> {
        self.connection.object()
    }

    async fn run(&mut self, sql: &str) -> Result<()> {
        Ok(self.db()?.batch_execute(sql).await?)
    }
}

/// A row's column in the form that both stores share.
fn cell(row: &tokio_postgres::Row, at: usize, kind: Kind) -> Result<Cell> {
    fn read<'a, T: FromSql<'a>>(row: &'a tokio_postgres::Row, at: usize, to: fn(T) -> Cell) -> Result<Cell> {
        Ok(get::<Option<T>>(row, at)?.map_or(Cell::Null, to))
    }
    match kind {
        Kind::Integer => read(row, at, Cell::Integer),
        Kind::Real => read(row, at, Cell::Real),
        Kind::Text => read(row, at, Cell::Text),
        Kind::Words => read(row, at, |words: Words<'static>| Cell::Text(words.owned())),
        Kind::Bytes => read(row, at, Cell::Bytes),
        Kind::Uuid => read(row, at, |id: Uuid| Cell::Bytes(id.as_bytes().to_vec())),
        Kind::Flag => read(row, at, |flag: bool| Cell::Integer(flag.into())),
    }
}

fn type_of(kind: Kind) -> Type {
    match kind {
        Kind::Integer => Type::INT8,
        Kind::Real => Type::FLOAT8,
        Kind::Text | Kind::Words => Type::TEXT,
        Kind::Bytes => Type::BYTEA,
        Kind::Uuid => Type::UUID,
        Kind::Flag => Type::BOOL,
    }
}

/// A cell on its way into a column of its kind.
#[derive(Debug)]
struct Sent(Cell, Kind);

impl ToSql for Sent {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match (&self.0, self.1) {
            (Cell::Null, _) => Ok(IsNull::Yes),
            (Cell::Integer(flag), Kind::Flag) => (*flag != 0).to_sql(ty, out),
            (Cell::Integer(number), Kind::Integer) => number.to_sql(ty, out),
            (Cell::Real(number), Kind::Real) => number.to_sql(ty, out),
            (Cell::Text(text), Kind::Text) => text.to_sql(ty, out),
            (Cell::Text(text), Kind::Words) => Words::of(text).to_sql(ty, out),
            (Cell::Bytes(bytes), Kind::Bytes) => bytes.to_sql(ty, out),
            (Cell::Bytes(bytes), Kind::Uuid) => Uuid::from_slice(bytes)?.to_sql(ty, out),
            (_, kind) => Err(format!("a value is no {}", dump::postgres_name(kind)).into()),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

#[async_trait]
impl Side for PostgresSide {
    async fn workspaces(&mut self) -> Result<Vec<Found>> {
        let rows = self.db()?.query("SELECT slug, id FROM workspace ORDER BY slug", &[]).await?;
        rows.iter().map(|row| Ok(Found { slug: get(row, 0)?, row: get(row, 1)? })).collect()
    }

    async fn freeze(&mut self) -> Result<()> {
        self.run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await
    }

    async fn thaw(&mut self) -> Result<()> {
        self.run("COMMIT").await
    }

    async fn count(&mut self, table: &'static Table, workspace: i64) -> Result<u64> {
        let sql = format!("SELECT count(*) {}", dump::rows_of(table, "$1", Dialect::Postgres));
        Ok(get::<i64>(&self.db()?.query_one(&sql, &[&workspace]).await?, 0)?.cast_unsigned())
    }

    async fn has_any(&mut self, table: &'static Table, workspace: i64) -> Result<bool> {
        has_any(self.db()?, table, workspace).await
    }

    async fn numbers(&mut self, table: &'static Table, workspace: i64) -> Result<Option<(i64, i64)>> {
        let Some((_, number)) = table.own_number() else { return Ok(None) };
        let rows = dump::rows_of(table, "$1", Dialect::Postgres);
        let sql = format!("SELECT min(it.\"{number}\"), max(it.\"{number}\") {rows}");
        let row = self.db()?.query_one(&sql, &[&workspace]).await?;
        let (low, high): (Option<i64>, Option<i64>) = (get(&row, 0)?, get(&row, 1)?);
        Ok(low.zip(high))
    }

    async fn places_of_imports(&mut self, workspace: i64) -> Result<Vec<Option<Vec<u8>>>> {
        let select =
            "SELECT place FROM job WHERE workspace_id = $1 AND kind = 'import' AND state IN ('queued', 'running')";
        let rows = self.db()?.query(select, &[&workspace]).await?;
        rows.iter().map(|row| Ok(get::<Option<Uuid>>(row, 0)?.map(|place| place.as_bytes().to_vec()))).collect()
    }

    async fn start(&mut self, table: &'static Table, workspace: i64) -> Result<()> {
        let close = if self.reading.take().is_some() { "CLOSE reading;" } else { "" };
        let select = dump::select(table, &workspace.to_string(), Dialect::Postgres);
        self.run(&format!("{close} DECLARE reading NO SCROLL CURSOR FOR {select}")).await?;
        self.reading = Some(table);
        Ok(())
    }

    async fn next(&mut self, n_rows: usize) -> Result<Vec<Row>> {
        let Some(table) = self.reading else { return Ok(Vec::new()) };
        let rows = self.db()?.query(&format!("FETCH {n_rows} FROM reading"), &[]).await?;
        let cells = |row| table.columns.iter().enumerate().map(move |(at, column)| cell(row, at, column.kind));
        rows.iter().map(|row| cells(row).collect()).collect()
    }

    async fn lock(&mut self) -> Result<()> {
        let is_ours: bool = get(&self.db()?.query_one(LOCK, &[]).await?, 0)?;
        if is_ours {
            return Ok(());
        }
        Err(StoreError::Conflict("another copy into the target is at work; wait for its end".into()))
    }

    /// Services go on writing into other workspaces meanwhile: the numbers are taken out of the table's sequence while nobody inserts.
    async fn reserve(&mut self, table: &'static Table, low: i64, high: i64) -> Result<i64> {
        let Some((_, number)) = table.own_number() else { return Ok(0) };
        let transaction = self.db()?.transaction().await?;
        transaction.batch_execute(&format!("LOCK TABLE \"{}\" IN SHARE ROW EXCLUSIVE MODE", table.name)).await?;
        let sequence: String =
            get(&transaction.query_one("SELECT pg_get_serial_sequence($1, $2)", &[&table.name, &number]).await?, 0)?;
        let given = format!(
            "SELECT greatest((SELECT coalesce(max(\"{number}\"), 0) FROM \"{}\"),
                 (SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {sequence}))",
            table.name
        );
        let given: i64 = get(&transaction.query_one(&given, &[]).await?, 0)?;
        let offset = dump::offset(low, given);
        transaction.execute("SELECT setval($1::text::regclass, $2)", &[&sequence, &(high + offset).max(given)]).await?;
        transaction.commit().await?;
        Ok(offset)
    }

    async fn begin(&mut self, slug: &str, table: &'static Table, row: Row) -> Result<i64> {
        let holes: Vec<_> = (2..row.len() + 2).map(|at| format!("${at}")).collect();
        let insert = format!(
            "INSERT INTO workspace (slug, {}) VALUES ($1, {}) RETURNING id",
            dump::names(table),
            holes.join(", ")
        );
        let cells: Vec<_> = row.into_iter().zip(table.columns).map(|(cell, column)| Sent(cell, column.kind)).collect();
        let mut parameters: Vec<&(dyn ToSql + Sync)> = vec![&slug];
        parameters.extend(cells.iter().map(|cell| cell as &(dyn ToSql + Sync)));
        get(&self.db()?.query_one(&insert, &parameters).await?, 0)
    }

    async fn put(&mut self, table: &'static Table, workspace: i64, rows: Vec<Row>) -> Result<()> {
        let columns: Vec<_> = table.columns.iter().enumerate().filter(|(_, column)| !column.is_tie).collect();
        let mut names: Vec<String> = columns.iter().map(|(_, column)| format!("\"{}\"", column.name)).collect();
        let mut types: Vec<Type> = columns.iter().map(|(_, column)| type_of(column.kind)).collect();
        if table.is_direct() {
            names.insert(0, "workspace_id".into());
            types.insert(0, Type::INT8);
        }
        let copy = format!("COPY \"{}\" ({}) FROM STDIN BINARY", table.name, names.join(", "));
        let mut writer = pin!(BinaryCopyInWriter::new(self.db()?.copy_in(&copy).await?, &types));
        for mut row in rows {
            let mut cells = Vec::with_capacity(types.len());
            if table.is_direct() {
                cells.push(Sent(Cell::Integer(workspace), Kind::Integer));
            }
            for (at, column) in &columns {
                cells.push(Sent(std::mem::replace(&mut row[*at], Cell::Null), column.kind));
            }
            writer.as_mut().write_raw(&cells).await?;
        }
        writer.finish().await?;
        Ok(())
    }

    async fn tie(&mut self, table: &'static Table, rows: Vec<Row>) -> Result<()> {
        let Some((own, number)) = table.own_number() else { return Ok(()) };
        let ties: Vec<_> = table.ties().collect();
        let tied: Vec<_> = rows.iter().filter(|row| ties.iter().any(|(at, _)| row[*at] != Cell::Null)).collect();
        if tied.is_empty() {
            return Ok(());
        }
        let number_at = |at: usize| -> Vec<Option<i64>> {
            let number = |row: &&Row| if let Cell::Integer(number) = row[at] { Some(number) } else { None };
            tied.iter().map(number).collect()
        };
        let columns: Vec<Vec<Option<i64>>> =
            std::iter::once(own).chain(ties.iter().map(|(at, _)| *at)).map(number_at).collect();
        let set: Vec<_> = ties.iter().map(|(_, column)| format!("\"{0}\" = tied.\"{0}\"", column.name)).collect();
        let names: Vec<_> = ties.iter().map(|(_, column)| format!("\"{}\"", column.name)).collect();
        let arrays: Vec<_> = (1..=columns.len()).map(|at| format!("${at}::bigint[]")).collect();
        let update = format!(
            "UPDATE \"{}\" AS it SET {} FROM unnest({}) AS tied (own, {}) WHERE it.\"{number}\" = tied.own",
            table.name,
            set.join(", "),
            arrays.join(", "),
            names.join(", ")
        );
        let parameters: Vec<&(dyn ToSql + Sync)> = columns.iter().map(|column| column as &(dyn ToSql + Sync)).collect();
        self.db()?.execute(&update, &parameters).await?;
        Ok(())
    }

    async fn discard(&mut self, workspace: i64) -> Result<()> {
        for table in dump::for_removal() {
            self.run(&dump::delete(table, workspace, Dialect::Postgres)).await?;
        }
        self.run(&format!("DELETE FROM workspace WHERE id = {workspace}")).await
    }

    async fn reveal(&mut self, named: &[(Found, String)]) -> Result<()> {
        let transaction = self.db()?.transaction().await?;
        for (hidden, slug) in named {
            give_way(&transaction, hidden.row, slug).await?;
            transaction.execute("UPDATE workspace SET slug = $2 WHERE id = $1", &[&hidden.row, slug]).await?;
        }
        // At the end: the numbers of changes are locked from here to the commit.
        for (hidden, _) in named {
            changes::log(&transaction, hidden.row, Changed::Keys).await?;
            changes::log(&transaction, hidden.row, Changed::Settings).await?;
        }
        Ok(transaction.commit().await?)
    }
}

async fn has_any(db: &impl GenericClient, table: &'static Table, workspace: i64) -> Result<bool> {
    let sql = format!("SELECT EXISTS (SELECT 1 {})", dump::rows_of(table, "$1", Dialect::Postgres));
    get(&db.query_one(&sql, &[&workspace]).await?, 0)
}

/// Removes an empty workspace that has the name; what was told of it is told of the copy from now on.
async fn give_way(db: &Transaction<'_>, hidden: i64, slug: &str) -> Result<()> {
    // Locked as an erasure locks it: nobody writes into it until the commit, and who waited for it finds it gone.
    let found = db.query_opt("SELECT id FROM workspace WHERE slug = $1 FOR UPDATE", &[&slug]).await?;
    let Some(there) = found.map(|row| get::<i64>(&row, 0)).transpose()? else { return Ok(()) };
    for table in dump::for_removal() {
        if has_any(db, table, there).await? {
            return Err(dump::taken(slug));
        }
    }
    db.execute("UPDATE change SET workspace_id = $2 WHERE workspace_id = $1", &[&there, &hidden]).await?;
    db.execute("DELETE FROM workspace WHERE id = $1", &[&there]).await?;
    Ok(())
}
