//! Copying workspaces from one store into another, of either kind, and proving that they came over whole.
//!
//! The rows of each table travel in pages, so memory stays flat. The copy is built under a slug that nobody sees; then both sides are
//! read from the beginning and compared, table by table, and only then do all copies get their names, in one step. Whatever ends a
//! copy before that leaves nothing to be seen; the next one removes what is left and begins afresh.

mod copying;
mod listed;
mod row;
mod side;
mod sql;
#[cfg(test)]
pub(super) mod tests;

pub(super) use listed::{Belongs, Kind, TABLES, Table};
pub use row::TableSum;
pub(super) use row::{Cell, Row, offset};
pub(super) use side::{Found, HIDDEN, Side};
pub(super) use sql::{Dialect, delete, for_removal, names, postgres_name, rows_of, select, select_page};

use super::postgres::PostgresSide;
use super::sqlite::SqliteSide;
use super::{Result, StoreError, StorePlace};
use crate::domain::WorkspaceId;
use copying::Copying;
use std::path::Path;
use uuid::Uuid;

/// What to copy.
#[derive(Debug, Clone)]
pub struct CopyOrder {
    pub from: StorePlace,
    pub to: StorePlace,
    /// One workspace; all where it is not named.
    pub workspace: Option<WorkspaceId>,
    /// Count and check, and write nothing.
    pub is_dry: bool,
}

/// How far a copy is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CopyProgress {
    /// `copying`, or `comparing`.
    pub phase: &'static str,
    /// Rows.
    pub done: u64,
    pub total: u64,
}

/// A table of a workspace on both sides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopiedTable {
    pub name: &'static str,
    pub n_rows: u64,
    /// What was read of it on both sides after the copy, and was the same; nothing in a dry run.
    pub sum: Option<TableSum>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopiedWorkspace {
    pub workspace: WorkspaceId,
    pub tables: Vec<CopiedTable>,
    /// Imports that were not finished: their files stay in the data folder.
    pub n_waiting_imports: usize,
}

/// Copies workspaces, or says what a copy would do.
///
/// The source is read as of one moment; of a PostgreSQL store that services go on writing to, what they write later is not in the copy. An
/// SQLite store must not be in use by any other process.
///
/// # Errors
/// `Conflict` when the target has a workspace that is to come, when two sides are one store, when another copy into the target is at work, or
/// for an import whose file the target would not find; `Missing` for an unknown workspace; `Corrupt` when the sides do not read the same
/// after the copy; what opening a store fails with. In all cases no copy is to be seen in the target.
pub async fn copy(order: &CopyOrder, progress: &(dyn Fn(CopyProgress) + Sync)) -> Result<Vec<CopiedWorkspace>> {
    refuse_one_store(order)?;
    let from = open(&order.from, Opened::Source { is_dry: order.is_dry }).await?;
    let mut from = from.ok_or_else(|| not_there(&order.from))?;
    let mut to = open(&order.to, if order.is_dry { Opened::Glance } else { Opened::Target }).await?;
    from.freeze().await?;
    let mut plan = Vec::new();
    for (found, workspace) in asked(&mut *from, order.workspace.as_ref()).await? {
        if let Some(to) = &mut to {
            refuse_taken(&mut **to, &found.slug).await?;
        }
        let n_waiting_imports = refuse_stranded(&mut *from, &found, order).await?;
        let mut tables = Vec::new();
        for table in TABLES {
            tables.push(CopiedTable { name: table.name, n_rows: from.count(table, found.row).await?, sum: None });
        }
        plan.push((found, CopiedWorkspace { workspace, tables, n_waiting_imports }));
    }
    if let Some(mut to) = to.filter(|_| !order.is_dry) {
        Copying::new(&mut *from, &mut *to, progress, &plan).run(&mut plan).await?;
    }
    Ok(plan.into_iter().map(|(_, copied)| copied).collect())
}

/// What a store is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Opened {
    Source {
        is_dry: bool,
    },
    /// Nothing where there is no store yet.
    Glance,
    Target,
}

async fn open(place: &StorePlace, what_for: Opened) -> Result<Option<Box<dyn Side>>> {
    let writes = !matches!(what_for, Opened::Source { is_dry: true } | Opened::Glance);
    let makes = what_for == Opened::Target;
    Ok(match place {
        StorePlace::Folder(folder) if !makes && !SqliteSide::is_there(folder) => None,
        StorePlace::Folder(folder) if writes => Some(Box::new(SqliteSide::open(folder)?)),
        StorePlace::Folder(folder) => Some(Box::new(SqliteSide::look(folder)?)),
        StorePlace::Postgres(url) if !makes && !PostgresSide::is_there(url).await? => None,
        StorePlace::Postgres(url) if writes => Some(Box::new(PostgresSide::open(url).await?)),
        StorePlace::Postgres(url) => Some(Box::new(PostgresSide::look(url).await?)),
    })
}

fn not_there(place: &StorePlace) -> StoreError {
    StoreError::Open { place: shown(place), why: "there is no store to copy from".into() }
}

fn shown(place: &StorePlace) -> String {
    match place {
        StorePlace::Folder(folder) => folder.display().to_string(),
        StorePlace::Postgres(url) => url.place().to_owned(),
    }
}

fn refuse_one_store(order: &CopyOrder) -> Result<()> {
    let real = |folder: &Path| folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    match (&order.from, &order.to) {
        (StorePlace::Folder(one), StorePlace::Folder(other)) if real(one) == real(other) => {
            Err(StoreError::Conflict("--from and --to are the same store".into()))
        }
        _ => Ok(()),
    }
}

/// The workspaces that are to be copied.
async fn asked(from: &mut dyn Side, one: Option<&WorkspaceId>) -> Result<Vec<(Found, WorkspaceId)>> {
    let mut asked = Vec::new();
    for found in from.workspaces().await?.into_iter().filter(|found| !found.slug.starts_with(HIDDEN)) {
        let workspace = WorkspaceId::parse(&found.slug).map_err(|error| StoreError::Corrupt(error.to_string()))?;
        if one.is_none_or(|one| *one == workspace) {
            asked.push((found, workspace));
        }
    }
    if asked.is_empty() { Err(StoreError::Missing("the workspace")) } else { Ok(asked) }
}

/// A workspace without any rows (every service makes one when it starts) is as good as none.
async fn refuse_taken(to: &mut dyn Side, slug: &str) -> Result<()> {
    let Some(there) = to.workspaces().await?.into_iter().find(|found| found.slug == slug) else { return Ok(()) };
    for table in for_removal() {
        if to.has_any(table, there.row).await? {
            return Err(taken(slug));
        }
    }
    Ok(())
}

pub(super) fn taken(slug: &str) -> StoreError {
    StoreError::Conflict(format!(
        "the target has a workspace {slug} with something in it already; nothing is written over: copy into another store"
    ))
}

/// An import that is not finished needs its file, and an SQLite store is opened with its own folder alone. How many there are.
async fn refuse_stranded(from: &mut dyn Side, found: &Found, order: &CopyOrder) -> Result<usize> {
    let places = from.places_of_imports(found.row).await?;
    let StorePlace::Folder(folder) = &order.to else { return Ok(places.len()) };
    let own = std::fs::read_to_string(folder.join("folder.id")).ok().and_then(|text| Uuid::parse_str(text.trim()).ok());
    let is_own =
        |place: &Option<Vec<u8>>| own.is_some() && place.as_deref() == own.as_ref().map(|own| &own.as_bytes()[..]);
    match places.iter().filter(|place| !is_own(place)).count() {
        0 => Ok(places.len()),
        n => Err(StoreError::Conflict(format!(
            "the workspace {} has {n} unfinished imports whose files are in another data folder than {}; let them finish, or cancel them",
            found.slug,
            folder.display()
        ))),
    }
}
