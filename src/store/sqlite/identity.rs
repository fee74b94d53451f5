//! Who is who: ids that were said to be one person's count for one customer, whatever the order in which it was said.
//!
//! Ids are nodes. An anonymous id has at most one claim, the earliest known id that was named beside it; an alias ties two ids
//! for good. What hangs together is one customer, named by the id that points at no other. A claim that loses to an earlier
//! one can take a group apart again, so the groups it touches are reckoned anew from their edges.

use super::columns::{Moment, Text, Word, limit};
use super::workspaces;
use crate::domain::{Merge, MergeReason, Timestamp, WorkspaceId};
use crate::store::{Result, rules};
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::BTreeMap;

/// Where and when ids are tied.
#[derive(Clone, Copy)]
pub(super) struct Tying<'a> {
    pub db: &'a Connection,
    pub workspace: i64,
    pub now: Timestamp,
}

/// The rows of all ids that count for a customer, the customer's own first.
pub(super) fn rows_of_one(db: &Connection, root: i64) -> Result<Vec<i64>> {
    let mut statement =
        db.prepare_cached("SELECT id FROM customer WHERE id = ?1 OR root_id = ?1 ORDER BY id <> ?1, id")?;
    Ok(statement.query_map([root], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?)
}

/// The row of the customer that this id's facts count for.
pub(super) fn root(db: &Connection, row: i64) -> Result<i64> {
    let mut statement = db.prepare_cached("SELECT coalesce(root_id, id) FROM customer WHERE id = ?1")?;
    Ok(statement.query_row([row], |row| row.get(0))?)
}

impl Tying<'_> {
    /// `anonymous` was named beside `known`; how many customers more there are now (fewer: below 0).
    pub fn claim(self, anonymous: i64, known: i64, time: Timestamp) -> Result<i64> {
        if anonymous == known {
            return Ok(0);
        }
        let owner_before: Option<i64> = self
            .db
            .prepare_cached("SELECT owner_id FROM customer WHERE id = ?1")?
            .query_row([anonymous], |row| row.get(0))?;
        let is_earliest = self
            .db
            .prepare_cached(
                "UPDATE customer AS it SET owner_id = ?2, owned_at = ?3
                 WHERE id = ?1 AND (owner_id IS NULL OR (?3, (SELECT external_id FROM customer WHERE id = ?2))
                     < (owned_at, (SELECT external_id FROM customer WHERE id = it.owner_id)))",
            )?
            .execute(params![anonymous, known, Moment(time)])?
            > 0;
        if !is_earliest || owner_before == Some(known) {
            return Ok(0);
        }
        self.regroup(anonymous, known, MergeReason::Claim)
    }

    /// The shop said that these are one person; whether that is new, and how many customers more there are now.
    pub fn alias(self, from: i64, to: i64, time: Timestamp) -> Result<(bool, i64)> {
        if from == to {
            return Ok((false, 0));
        }
        let is_new = self
            .db
            .prepare_cached("INSERT INTO alias (from_id, to_id, time) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING")?
            .execute(params![from, to, Moment(time)])?
            > 0;
        Ok((is_new, if is_new { self.regroup(from, to, MergeReason::Alias)? } else { 0 }))
    }

    fn regroup(self, one: i64, other: i64, reason: MergeReason) -> Result<i64> {
        let mut nodes = self.nodes_of(one)?;
        nodes.extend(self.nodes_of(other)?);
        let edges = self.edges(&nodes)?;
        let ids = nodes.iter().map(|(row, node)| (*row, node.external_id.as_str())).collect();
        let roots = rules::roots(&ids, &edges);
        let mut gained = 0;
        for (row, node) in &nodes {
            let root = roots[row];
            if root == node.root {
                continue;
            }
            gained += i64::from(root == *row) - i64::from(node.root == *row);
            self.db
                .prepare_cached("UPDATE customer SET root_id = ?2 WHERE id = ?1")?
                .execute(params![row, (root != *row).then_some(root)])?;
            self.db
                .prepare_cached(
                    "INSERT INTO merge_log (workspace_id, customer_id, root_id, reason, time) VALUES (?1, ?2, ?3, ?4, ?5)",
                )?
                .execute(params![self.workspace, row, root, Word(reason), Moment(self.now)])?;
        }
        Ok(gained)
    }

    fn nodes_of(self, row: i64) -> Result<BTreeMap<i64, Node>> {
        let root = root(self.db, row)?;
        let mut statement =
            self.db.prepare_cached("SELECT id, external_id, owner_id FROM customer WHERE id = ?1 OR root_id = ?1")?;
        let nodes = statement
            .query_map([root], |row| Ok((row.get(0)?, Node { external_id: row.get(1)?, owner: row.get(2)?, root })))?;
        Ok(nodes.collect::<rusqlite::Result<_>>()?)
    }

    fn edges(self, nodes: &BTreeMap<i64, Node>) -> Result<Vec<(i64, i64)>> {
        let mut edges: Vec<(i64, i64)> =
            nodes.iter().filter_map(|(row, node)| node.owner.map(|owner| (*row, owner))).collect();
        let mut aliases = self.db.prepare_cached("SELECT to_id FROM alias WHERE from_id = ?1")?;
        for row in nodes.keys() {
            for to in aliases.query_map([row], |row| row.get(0))? {
                edges.push((*row, to?));
            }
        }
        Ok(edges)
    }
}

struct Node {
    external_id: String,
    owner: Option<i64>,
    root: i64,
}

pub(super) fn merges(db: &Connection, workspace: &WorkspaceId, after: i64, n_merges: usize) -> Result<Vec<Merge>> {
    let Some(workspace) = workspaces::find(db, workspace)? else { return Ok(Vec::new()) };
    let mut statement = db.prepare_cached(
        "SELECT seq, own.external_id, root.external_id, reason, time
         FROM merge_log JOIN customer own ON own.id = customer_id JOIN customer root ON root.id = merge_log.root_id
         WHERE merge_log.workspace_id = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3",
    )?;
    let merges = statement.query_map([workspace, after, limit(n_merges)], |row| {
        let (Text(id), Text(customer)) = (row.get(1)?, row.get(2)?);
        let (Word(reason), Moment(time)) = (row.get(3)?, row.get(4)?);
        Ok(Merge { seq: row.get(0)?, id, customer, reason, time })
    })?;
    Ok(merges.collect::<rusqlite::Result<_>>()?)
}

/// Whether a call with this id was seen before; it is from now on.
pub(super) fn is_repeated(db: &Connection, workspace: i64, message: Option<&str>) -> Result<bool> {
    let Some(message) = message else { return Ok(false) };
    let known = db
        .prepare_cached("SELECT 1 FROM message WHERE workspace_id = ?1 AND message_id = ?2")?
        .query_row(params![workspace, message], |_| Ok(()))
        .optional()?;
    if known.is_none() {
        db.prepare_cached("INSERT INTO message (workspace_id, message_id) VALUES (?1, ?2)")?
            .execute(params![workspace, message])?;
    }
    Ok(known.is_some())
}
