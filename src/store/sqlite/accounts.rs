//! Accounts that customers belong to, with traits of their own.

use super::columns::{Text, limit};
use super::{customers, workspaces};
use crate::domain::{Group, GroupId, WorkspaceId};
use crate::store::{Account, Result};
use rusqlite::{Connection, params};

/// Makes the customer a member and merges the account's traits; whether anything changed.
pub(super) fn append(db: &Connection, workspace: i64, customer: i64, group: &Group) -> Result<bool> {
    let made = db
        .prepare_cached("INSERT INTO account (workspace_id, group_id) VALUES (?1, ?2) ON CONFLICT DO NOTHING")?
        .execute(params![workspace, group.group.as_str()])?;
    let account: i64 = db
        .prepare_cached("SELECT id FROM account WHERE workspace_id = ?1 AND group_id = ?2")?
        .query_row(params![workspace, group.group.as_str()], |row| row.get(0))?;
    let joined = db
        .prepare_cached("INSERT INTO account_member (customer_id, account_id) VALUES (?1, ?2) ON CONFLICT DO NOTHING")?
        .execute([customer, account])?;
    let traits = customers::merge_traits(db, customers::TraitsOf::Account(account), &group.traits, group.time)?;
    Ok(made + joined > 0 || traits)
}

/// The accounts a customer belongs to, by any of the ids that count for them.
pub(super) fn of_customer(db: &Connection, root: i64) -> Result<Vec<GroupId>> {
    let mut statement = db.prepare_cached(
        "SELECT DISTINCT group_id FROM account_member JOIN account ON account.id = account_id
         WHERE customer_id IN (SELECT id FROM customer WHERE id = ?1 OR root_id = ?1) ORDER BY group_id",
    )?;
    let ids = statement.query_map([root], |row| row.get(0).map(|Text(id)| id))?;
    Ok(ids.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn page(
    db: &Connection,
    workspace: &WorkspaceId,
    after: Option<&GroupId>,
    n_accounts: usize,
) -> Result<Vec<Account>> {
    let Some(workspace) = workspaces::find(db, workspace)? else { return Ok(Vec::new()) };
    let mut statement = db.prepare_cached(
        "SELECT id, group_id FROM account WHERE workspace_id = ?1 AND group_id > ?2 ORDER BY group_id LIMIT ?3",
    )?;
    let rows = statement
        .query_map(params![workspace, after.map_or("", GroupId::as_str), limit(n_accounts)], |row| {
            Ok((row.get(0)?, row.get(1).map(|Text(id)| id)?))
        })?
        .collect::<rusqlite::Result<Vec<(i64, GroupId)>>>()?;
    rows.into_iter()
        .map(|(row, id)| Ok(Account { id, traits: customers::traits(db, customers::TraitsOf::Account(row))? }))
        .collect()
}
