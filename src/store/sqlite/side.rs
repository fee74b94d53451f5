//! An SQLite store at one end of a copy: opened with its lock, so by no other process, and read and written as rows.

use super::columns::Id;
use super::{changes, opening};
use crate::store::dump::{self, Cell, Dialect, Found, Row, Side, Table};
use crate::store::{Changed, Result, StoreError};
use async_trait::async_trait;
use rusqlite::types::{ToSqlOutput, Value, ValueRef};
use rusqlite::{Connection, OptionalExtension, ToSql, Transaction, TransactionBehavior, params_from_iter};
use std::fs::File;
use std::path::Path;

pub(in crate::store) struct SqliteSide {
    db: Connection,
    reading: Option<Reading>,
    /// Held as long as the side is there; let go after the connection is closed.
    _lock: File,
}

struct Reading {
    table: &'static Table,
    workspace: i64,
    /// The key of the last row that was read.
    last: Option<Vec<Value>>,
    is_over: bool,
}

impl SqliteSide {
    pub fn is_there(folder: &Path) -> bool {
        opening::is_there(folder)
    }

    /// Opens a store to write into it, or to read it as this program's; makes it where there is none.
    pub fn open(folder: &Path) -> Result<Self> {
        let opened = opening::open(folder)?;
        // Rows are written before those they refer to are; the comparison at the end sees every one of them.
        opened.writer.pragma_update(None, "foreign_keys", false)?;
        Ok(Self { db: opened.writer, reading: None, _lock: opened.lock })
    }

    /// Opens a store that is there, and changes nothing in it.
    pub fn look(folder: &Path) -> Result<Self> {
        let (db, lock) = opening::look(folder)?;
        Ok(Self { db, reading: None, _lock: lock })
    }

    fn write<T>(&mut self, work: impl FnOnce(&Transaction<'_>) -> Result<T>) -> Result<T> {
        let transaction = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let done = work(&transaction)?;
        transaction.commit()?;
        Ok(done)
    }

    fn page(&mut self, n_rows: usize) -> Result<Vec<Row>> {
        let Some(reading) = self.reading.as_mut().filter(|reading| !reading.is_over) else { return Ok(Vec::new()) };
        let table = reading.table;
        let sql = dump::select_page(table, reading.last.is_none());
        let mut statement = self.db.prepare_cached(&sql)?;
        let mut parameters = vec![Value::Integer(reading.workspace), Value::Integer(super::columns::limit(n_rows))];
        parameters.extend(reading.last.take().into_iter().flatten());
        let mut rows = statement.query(params_from_iter(parameters))?;
        let mut page: Vec<Row> = Vec::new();
        while let Some(row) = rows.next()? {
            page.push((0..table.columns.len()).map(|at| cell(row.get_ref(at)?)).collect::<Result<_>>()?);
        }
        // The workspace's own row is the only one.
        reading.is_over = page.len() < n_rows || table.belongs == dump::Belongs::Itself;
        let key =
            |row: &Row| table.key.iter().filter_map(|key| table.position(key)).map(|at| value(&row[at])).collect();
        reading.last = page.last().map(key);
        Ok(page)
    }
}

fn cell(value: ValueRef<'_>) -> Result<Cell> {
    let text =
        |bytes: &[u8]| String::from_utf8(bytes.to_vec()).map_err(|_| StoreError::Corrupt("a text is not UTF-8".into()));
    Ok(match value {
        ValueRef::Null => Cell::Null,
        ValueRef::Integer(number) => Cell::Integer(number),
        ValueRef::Real(number) => Cell::Real(number),
        ValueRef::Text(bytes) => Cell::Text(text(bytes)?),
        ValueRef::Blob(bytes) => Cell::Bytes(bytes.to_vec()),
    })
}

fn value(cell: &Cell) -> Value {
    match cell {
        Cell::Null => Value::Null,
        Cell::Integer(number) => Value::Integer(*number),
        Cell::Real(number) => Value::Real(*number),
        Cell::Text(text) => Value::Text(text.clone()),
        Cell::Bytes(bytes) => Value::Blob(bytes.clone()),
    }
}

impl ToSql for Cell {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Integer(number) => ValueRef::Integer(*number),
            Self::Real(number) => ValueRef::Real(*number),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

/// Long work on the caller's thread, as the runtime has to know.
fn blocking<T>(work: impl FnOnce() -> T) -> T {
    tokio::task::block_in_place(work)
}

#[async_trait]
impl Side for SqliteSide {
    async fn workspaces(&mut self) -> Result<Vec<Found>> {
        let mut statement = self.db.prepare_cached("SELECT slug, id FROM workspace ORDER BY slug")?;
        let found = statement.query_map([], |row| Ok(Found { slug: row.get(0)?, row: row.get(1)? }))?;
        Ok(found.collect::<rusqlite::Result<_>>()?)
    }

    /// Nobody else writes.
    async fn freeze(&mut self) -> Result<()> {
        Ok(())
    }

    async fn thaw(&mut self) -> Result<()> {
        Ok(())
    }

    async fn count(&mut self, table: &'static Table, workspace: i64) -> Result<u64> {
        let sql = format!("SELECT count(*) {}", dump::rows_of(table, "?1", Dialect::Sqlite));
        let n: i64 = blocking(|| self.db.query_row(&sql, [workspace], |row| row.get(0)))?;
        Ok(n.cast_unsigned())
    }

    async fn has_any(&mut self, table: &'static Table, workspace: i64) -> Result<bool> {
        let sql = format!("SELECT 1 {} LIMIT 1", dump::rows_of(table, "?1", Dialect::Sqlite));
        Ok(blocking(|| self.db.prepare(&sql)?.exists([workspace]))?)
    }

    async fn numbers(&mut self, table: &'static Table, workspace: i64) -> Result<Option<(i64, i64)>> {
        let Some((_, number)) = table.own_number() else { return Ok(None) };
        let rows = dump::rows_of(table, "?1", Dialect::Sqlite);
        let sql = format!("SELECT min(it.\"{number}\"), max(it.\"{number}\") {rows}");
        let (low, high): (Option<i64>, Option<i64>) =
            blocking(|| self.db.query_row(&sql, [workspace], |row| Ok((row.get(0)?, row.get(1)?))))?;
        Ok(low.zip(high))
    }

    async fn places_of_imports(&mut self, workspace: i64) -> Result<Vec<Option<Vec<u8>>>> {
        let mut statement = self.db.prepare_cached(
            "SELECT place FROM job WHERE workspace_id = ?1 AND kind = 'import' AND state IN ('queued', 'running')",
        )?;
        let places = statement.query_map([workspace], |row| {
            Ok(row.get::<_, Option<Id>>(0)?.map(|Id(place)| place.as_bytes().to_vec()))
        })?;
        Ok(places.collect::<rusqlite::Result<_>>()?)
    }

    async fn start(&mut self, table: &'static Table, workspace: i64) -> Result<()> {
        self.reading = Some(Reading { table, workspace, last: None, is_over: false });
        Ok(())
    }

    async fn next(&mut self, n_rows: usize) -> Result<Vec<Row>> {
        blocking(|| self.page(n_rows))
    }

    /// The store's own lock is held.
    async fn lock(&mut self) -> Result<()> {
        Ok(())
    }

    async fn reserve(&mut self, table: &'static Table, low: i64, _high: i64) -> Result<i64> {
        let Some((_, number)) = table.own_number() else { return Ok(0) };
        let highest = format!("SELECT coalesce(max(\"{number}\"), 0) FROM \"{}\"", table.name);
        let there: i64 = self.db.query_row(&highest, [], |row| row.get(0))?;
        let given: Option<i64> = self
            .db
            .query_row("SELECT seq FROM sqlite_sequence WHERE name = ?1", [table.name], |row| row.get(0))
            .optional()?;
        Ok(dump::offset(low, there.max(given.unwrap_or(0))))
    }

    async fn begin(&mut self, slug: &str, table: &'static Table, row: Row) -> Result<i64> {
        let holes = vec!["?"; row.len() + 1].join(", ");
        let sql = format!("INSERT INTO workspace (slug, {}) VALUES ({holes})", dump::names(table));
        let cells = std::iter::once(Cell::Text(slug.to_owned())).chain(row);
        self.write(|db| {
            db.execute(&sql, params_from_iter(cells))?;
            Ok(db.last_insert_rowid())
        })
    }

    async fn put(&mut self, table: &'static Table, workspace: i64, rows: Vec<Row>) -> Result<()> {
        let ties: Vec<usize> = table.ties().map(|(at, _)| at).collect();
        let (owner, owner_hole) = if table.is_direct() { ("workspace_id, ", "?, ") } else { ("", "") };
        let holes = vec!["?"; table.columns.len()].join(", ");
        let sql =
            format!("INSERT INTO \"{}\" ({owner}{}) VALUES ({owner_hole}{holes})", table.name, dump::names(table));
        blocking(|| {
            self.write(|db| {
                let mut statement = db.prepare_cached(&sql)?;
                for mut row in rows {
                    ties.iter().for_each(|at| row[*at] = Cell::Null);
                    let owner = table.is_direct().then_some(Cell::Integer(workspace));
                    statement.execute(params_from_iter(owner.into_iter().chain(row)))?;
                }
                Ok(())
            })
        })
    }

    async fn tie(&mut self, table: &'static Table, rows: Vec<Row>) -> Result<()> {
        let Some((own, number)) = table.own_number() else { return Ok(()) };
        let ties: Vec<_> = table.ties().collect();
        let set: Vec<_> = ties.iter().map(|(_, column)| format!("\"{}\" = ?", column.name)).collect();
        let sql = format!("UPDATE \"{}\" SET {} WHERE \"{number}\" = ?", table.name, set.join(", "));
        blocking(|| {
            self.write(|db| {
                let mut statement = db.prepare_cached(&sql)?;
                for row in rows.iter().filter(|row| ties.iter().any(|(at, _)| row[*at] != Cell::Null)) {
                    let cells = ties.iter().map(|(at, _)| &row[*at]).chain([&row[own]]);
                    statement.execute(params_from_iter(cells))?;
                }
                Ok(())
            })
        })
    }

    async fn discard(&mut self, workspace: i64) -> Result<()> {
        blocking(|| {
            for table in dump::for_removal() {
                let sql = dump::delete(table, workspace, Dialect::Sqlite);
                self.write(|db| Ok(db.execute(&sql, [])?))?;
            }
            self.write(|db| Ok(db.execute("DELETE FROM workspace WHERE id = ?1", [workspace])?))?;
            Ok(())
        })
    }

    async fn reveal(&mut self, named: &[(Found, String)]) -> Result<()> {
        self.write(|db| {
            for (hidden, slug) in named {
                give_way(db, hidden.row, slug)?;
                db.execute("UPDATE workspace SET slug = ?2 WHERE id = ?1", (hidden.row, slug))?;
                changes::log(db, hidden.row, Changed::Keys)?;
                changes::log(db, hidden.row, Changed::Settings)?;
            }
            Ok(())
        })
    }
}

/// Removes an empty workspace that has the name; what was told of it is told of the copy from now on.
fn give_way(db: &Connection, hidden: i64, slug: &str) -> Result<()> {
    let there: Option<i64> =
        db.query_row("SELECT id FROM workspace WHERE slug = ?1", [slug], |row| row.get(0)).optional()?;
    let Some(there) = there else { return Ok(()) };
    for table in dump::for_removal() {
        let sql = format!("SELECT 1 {} LIMIT 1", dump::rows_of(table, "?1", Dialect::Sqlite));
        if db.prepare(&sql)?.exists([there])? {
            return Err(dump::taken(slug));
        }
    }
    db.execute("UPDATE change SET workspace_id = ?2 WHERE workspace_id = ?1", (there, hidden))?;
    db.execute("DELETE FROM workspace WHERE id = ?1", [there])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::dump::TABLES;
    use crate::store::dump::tests::{Declared, differences};
    use crate::store::sqlite::schema;

    fn migrated() -> Connection {
        let mut db = Connection::open_in_memory().unwrap();
        schema::migrate(&mut db).unwrap();
        db
    }

    #[test]
    fn every_table_and_column_travels_or_is_said_to_stay() {
        let db = migrated();
        let select = "SELECT t.name, c.name, c.type FROM sqlite_schema t, pragma_table_info(t.name) c
             WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite%'";
        let mut columns = db.prepare(select).unwrap();
        let columns = columns.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
        let declared: Vec<Declared> = columns.map(rusqlite::Result::unwrap).collect();
        let wrong = differences(Dialect::Sqlite, &declared);
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn a_page_of_any_table_is_read_in_its_order_without_sorting() {
        let db = migrated();
        for table in TABLES.iter().skip(1) {
            for is_first in [true, false] {
                let sql = dump::select_page(table, is_first);
                let mut plan = db.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
                let n_parameters = plan.parameter_count();
                let steps = plan.query_map(params_from_iter(vec![1; n_parameters]), |row| row.get(3)).unwrap();
                let steps: Vec<String> = steps.map(rusqlite::Result::unwrap).collect();
                assert!(!steps.iter().any(|step| step.contains("TEMP B-TREE")), "{}: {steps:?}", table.name);
                // After the first page it begins where the last one ended.
                assert!(is_first || steps[0].starts_with("SEARCH it"), "{}: {steps:?}", table.name);
            }
        }
    }
}
