//! What a copy asks of a store at either end, below the contract that the rest of the program sees: rows as they lie, in pages.

use super::listed::Table;
use super::row::Row;
use crate::store::Result;
use async_trait::async_trait;

/// A workspace as it lies in a store; one whose slug begins with [`HIDDEN`] is a copy that is not whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store) struct Found {
    pub slug: String,
    pub row: i64,
}

/// No workspace's own slug can begin with it, and no query that looks over all workspaces sees one that does.
pub(in crate::store) const HIDDEN: char = '~';

/// A store, opened for a copy alone.
#[async_trait]
pub(in crate::store) trait Side: Send {
    /// All workspaces, by slug.
    async fn workspaces(&mut self) -> Result<Vec<Found>>;
    /// From here on reads see one moment.
    async fn freeze(&mut self) -> Result<()>;
    /// And no longer.
    async fn thaw(&mut self) -> Result<()>;
    async fn count(&mut self, table: &'static Table, workspace: i64) -> Result<u64>;
    /// Whether a workspace has a row in the table.
    async fn has_any(&mut self, table: &'static Table, workspace: i64) -> Result<bool>;
    /// The least and the greatest number of a workspace's rows in a table that numbers its rows.
    async fn numbers(&mut self, table: &'static Table, workspace: i64) -> Result<Option<(i64, i64)>>;
    /// The data folders, as UUIDs, that unfinished imports of the workspace wait for; nothing for one that may be anywhere.
    async fn places_of_imports(&mut self, workspace: i64) -> Result<Vec<Option<Vec<u8>>>>;
    /// Begins to read a workspace's rows in the order of their keys.
    async fn start(&mut self, table: &'static Table, workspace: i64) -> Result<()>;
    /// The next rows; none at the end.
    async fn next(&mut self, n_rows: usize) -> Result<Vec<Row>>;

    /// Refuses a second copy into the same store until this one is dropped.
    async fn lock(&mut self) -> Result<()>;
    /// Keeps numbers `low..=high` of a table for the copy: by how much they move.
    async fn reserve(&mut self, table: &'static Table, low: i64, high: i64) -> Result<i64>;
    /// Makes a workspace's row with the values of `table`, the list's first: its number.
    async fn begin(&mut self, slug: &str, table: &'static Table, row: Row) -> Result<i64>;
    /// Writes rows, durably; ties are left out.
    async fn put(&mut self, table: &'static Table, workspace: i64, rows: Vec<Row>) -> Result<()>;
    /// Writes the ties of rows that are there.
    async fn tie(&mut self, table: &'static Table, rows: Vec<Row>) -> Result<()>;
    /// Removes a workspace with all its rows; not in one step.
    async fn discard(&mut self, workspace: i64) -> Result<()>;
    /// Gives the hidden workspaces their names, all in one step. An empty one that has such a name gives way; if one is there that is not
    /// empty, nothing happens: `Conflict`.
    async fn reveal(&mut self, named: &[(Found, String)]) -> Result<()>;
}
