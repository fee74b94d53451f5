//! The way of the rows: page by page from one side to the other, and both sides read again to see that it is the same.

use super::listed::{TABLES, Table};
use super::row::{Moves, Row, Summing, TableSum, rows_bytes};
use super::side::{Found, HIDDEN, Side};
use super::{CopiedWorkspace, CopyProgress};
use crate::store::{Result, StoreError};

/// About how much a page carries.
const PAGE_BYTES: usize = 4 * 1024 * 1024;
const PAGE_ROWS: usize = 8_192;
/// The first page of a table, before it is known what its rows weigh.
const FIRST_ROWS: usize = 256;

pub(super) struct Copying<'a> {
    from: &'a mut dyn Side,
    to: &'a mut dyn Side,
    progress: &'a (dyn Fn(CopyProgress) + Sync),
    total: u64,
    done: u64,
}

impl<'a> Copying<'a> {
    pub fn new(
        from: &'a mut dyn Side,
        to: &'a mut dyn Side,
        progress: &'a (dyn Fn(CopyProgress) + Sync),
        plan: &[(Found, CopiedWorkspace)],
    ) -> Self {
        let total = plan.iter().flat_map(|(_, copied)| &copied.tables).map(|table| table.n_rows).sum();
        Self { from, to, progress, total, done: 0 }
    }

    /// Builds all, compares all, and gives all their names.
    pub async fn run(mut self, plan: &mut [(Found, CopiedWorkspace)]) -> Result<()> {
        self.to.lock().await?;
        for left in self.to.workspaces().await?.into_iter().filter(|found| found.slug.starts_with(HIDDEN)) {
            self.to.discard(left.row).await?;
        }
        let moves = self.reserve(plan).await?;
        let mut built = Vec::new();
        for (found, _) in &*plan {
            built.push(self.build(found, &moves).await?);
        }
        self.done = 0;
        self.to.freeze().await?;
        for ((found, copied), hidden) in plan.iter_mut().zip(&built) {
            for (table, copied) in TABLES.iter().zip(&mut copied.tables) {
                copied.sum = Some(self.compare(table, found, hidden, &moves).await?);
            }
        }
        self.to.thaw().await?;
        let named: Vec<_> =
            built.into_iter().zip(&*plan).map(|(hidden, (found, _))| (hidden, found.slug.clone())).collect();
        self.to.reveal(&named).await
    }

    /// Of all workspaces together, so that a store that is copied whole into an empty one keeps its numbers.
    async fn reserve(&mut self, plan: &[(Found, CopiedWorkspace)]) -> Result<Moves> {
        let mut moves = Moves::default();
        for table in TABLES.iter().filter(|table| table.own_number().is_some()) {
            let mut span: Option<(i64, i64)> = None;
            for (found, _) in plan {
                if let Some((low, high)) = self.from.numbers(table, found.row).await? {
                    span = Some(span.map_or((low, high), |(lowest, highest)| (lowest.min(low), highest.max(high))));
                }
            }
            if let Some((low, high)) = span {
                moves.set(table.name, self.to.reserve(table, low, high).await?);
            }
        }
        Ok(moves)
    }

    async fn build(&mut self, found: &Found, moves: &Moves) -> Result<Found> {
        let gone = || StoreError::Missing("the workspace");
        let (itself, tables) = TABLES.split_first().ok_or_else(gone)?;
        self.from.start(itself, found.row).await?;
        let row = self.from.next(1).await?.pop().ok_or_else(gone)?;
        let slug = format!("{HIDDEN}{}", found.slug);
        let hidden = Found { row: self.to.begin(&slug, itself, row).await?, slug };
        for table in tables {
            let (mut reading, to) = (Reading::start(&mut *self.from, table, found.row).await?, &mut *self.to);
            while let Some(mut rows) = reading.page().await? {
                moves.there(table, &mut rows)?;
                self.done += rows.len() as u64;
                (self.progress)(CopyProgress { phase: "copying", done: self.done, total: self.total });
                to.put(table, hidden.row, rows).await?;
            }
        }
        for table in tables.iter().filter(|table| table.ties().next().is_some()) {
            let (mut reading, to) = (Reading::start(&mut *self.from, table, found.row).await?, &mut *self.to);
            while let Some(mut rows) = reading.page().await? {
                moves.there(table, &mut rows)?;
                to.tie(table, rows).await?;
            }
        }
        Ok(hidden)
    }

    /// What both sides have of a table, if it is the same.
    async fn compare(
        &mut self,
        table: &'static Table,
        found: &Found,
        hidden: &Found,
        moves: &Moves,
    ) -> Result<TableSum> {
        let was = sum(&mut *self.from, table, found.row, None, &mut |_| {}).await?;
        let (progress, total, done) = (self.progress, self.total, &mut self.done);
        let mut told = |n_rows| {
            *done += n_rows as u64;
            progress(CopyProgress { phase: "comparing", done: *done, total });
        };
        let is = sum(&mut *self.to, table, hidden.row, Some(moves), &mut told).await?;
        if was == is {
            return Ok(was);
        }
        Err(StoreError::Corrupt(format!(
            "another {} of the workspace {} than was copied ({} rows, and {} in the copy); nothing of the copy is to be seen, try again",
            table.name, found.slug, was.n_rows, is.n_rows
        )))
    }
}

/// All of a table; of a copy, its numbers as they were before. Each page is told of.
async fn sum(
    side: &mut dyn Side,
    table: &'static Table,
    workspace: i64,
    moves: Option<&Moves>,
    told: &mut (dyn FnMut(usize) + Send),
) -> Result<TableSum> {
    let (mut reading, mut summing) = (Reading::start(side, table, workspace).await?, Summing::default());
    while let Some(mut rows) = reading.page().await? {
        if let Some(moves) = moves {
            moves.back(table, &mut rows)?;
        }
        told(rows.len());
        summing.add(&rows);
    }
    Ok(summing.end())
}

/// A table that is read page by page, each of about the same weight.
struct Reading<'a> {
    side: &'a mut dyn Side,
    n_rows: usize,
}

impl<'a> Reading<'a> {
    async fn start(side: &'a mut dyn Side, table: &'static Table, workspace: i64) -> Result<Self> {
        side.start(table, workspace).await?;
        Ok(Self { side, n_rows: FIRST_ROWS })
    }

    async fn page(&mut self) -> Result<Option<Vec<Row>>> {
        let rows = self.side.next(self.n_rows).await?;
        if rows.is_empty() {
            return Ok(None);
        }
        let bytes_a_row = (rows_bytes(&rows) / rows.len()).max(1);
        self.n_rows = (PAGE_BYTES / bytes_a_row).clamp(1, PAGE_ROWS);
        Ok(Some(rows))
    }
}
