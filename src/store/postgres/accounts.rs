//! Accounts that customers belong to, with traits of their own.

use super::columns::{Json, Text, Words, get, limit};
use super::plan::{Account as Planned, Plan};
use super::statements::{execute, rows};
use super::writing::{Place, write_traits};
use crate::domain::{GroupId, WorkspaceId};
use crate::store::{Account, Result, StoreError};
use deadpool_postgres::{GenericClient, Transaction};
use serde_json::{Map, Value};
use std::collections::HashMap;
use tokio_postgres::Row;

/// Puts into the plan what stands of the accounts with these ids, and which of these customers are members.
pub(super) async fn read_standing(
    db: &Transaction<'_>,
    workspace: i64,
    (groups, customers): (&[&str], &[&str]),
    plan: &mut Plan<'_>,
) -> Result<()> {
    if groups.is_empty() {
        return Ok(());
    }
    let select = "SELECT group_id, id, t.name, value, time FROM account LEFT JOIN account_trait t ON account_id = id
         WHERE workspace_id = $1 AND group_id = ANY ($2)";
    for row in &rows(db, select, &[&workspace, &groups]).await? {
        let account = plan.accounts.entry(get(row, 0)?).or_default();
        account.row = Some(get(row, 1)?);
        if let Some(name) = get::<Option<Words<'static>>>(row, 2)? {
            account.traits.stands(name.owned(), get(row, 3)?, get(row, 4)?);
        }
    }
    let select = "SELECT group_id, external_id FROM account JOIN account_member ON account_id = account.id
         JOIN customer ON customer.id = customer_id
         WHERE account.workspace_id = $1 AND group_id = ANY ($2) AND external_id = ANY ($3)";
    for row in &rows(db, select, &[&workspace, &groups, &customers]).await? {
        if let (Some(account), Some(at)) = (plan.accounts.get_mut(get::<&str>(row, 0)?), plan.people.find(get(row, 1)?))
        {
            account.members.insert(at, false);
        }
    }
    Ok(())
}

pub(super) async fn write(place: Place<'_>, accounts: &HashMap<String, Planned>, customers: &[i64]) -> Result<()> {
    let new: Vec<&str> =
        accounts.iter().filter(|(_, account)| account.row.is_none()).map(|(id, _)| id.as_str()).collect();
    let mut made = HashMap::new();
    if !new.is_empty() {
        let insert = "INSERT INTO account (workspace_id, group_id) SELECT $1, * FROM unnest($2::text[])
             RETURNING group_id, id";
        for row in &rows(place.db, insert, &[&place.workspace, &new]).await? {
            made.insert(get::<String>(row, 0)?, get::<i64>(row, 1)?);
        }
    }
    let mut planned = Vec::with_capacity(accounts.len());
    for (id, account) in accounts {
        let row = account.row.or_else(|| made.get(id).copied()).ok_or(StoreError::Missing("account"))?;
        planned.push((row, account));
    }
    write_members(place.db, &planned, customers).await?;
    write_traits(place.db, TRAITS, planned.iter().map(|(row, account)| (*row, &account.traits))).await
}

const TRAITS: &str = "INSERT INTO account_trait (account_id, name, value, time)
     SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::bigint[])
     ON CONFLICT (account_id, name) DO UPDATE SET value = excluded.value, time = excluded.time";

async fn write_members(db: &Transaction<'_>, planned: &[(i64, &Planned)], customers: &[i64]) -> Result<()> {
    let (mut members, mut rows) = (Vec::new(), Vec::new());
    for (row, account) in planned {
        for (at, _) in account.members.iter().filter(|(_, is_new)| **is_new) {
            members.push(customers[*at]);
            rows.push(*row);
        }
    }
    if !rows.is_empty() {
        let insert =
            "INSERT INTO account_member (customer_id, account_id) SELECT * FROM unnest($1::bigint[], $2::bigint[])";
        execute(db, insert, &[&members, &rows]).await?;
    }
    Ok(())
}

pub(super) async fn page(
    db: &impl GenericClient,
    workspace: &WorkspaceId,
    after: Option<&GroupId>,
    n_accounts: usize,
) -> Result<Vec<Account>> {
    // No id is empty.
    let after = after.map_or("", GroupId::as_str);
    let select = "SELECT group_id, names, traits FROM account
         LEFT JOIN LATERAL (
             SELECT array_agg(name) AS names, array_agg(value) AS traits FROM account_trait
             WHERE account_id = account.id AND value IS NOT NULL
         ) AS known ON true
         WHERE workspace_id = (SELECT id FROM workspace WHERE slug = $1) AND group_id > $2 ORDER BY group_id LIMIT $3";
    let page = rows(db, select, &[&workspace.as_str(), &after, &limit(n_accounts)]).await?;
    let account = |row: &Row| {
        let Text(id) = get(row, 0)?;
        Ok(Account { id, traits: traits(row, 1)? })
    };
    page.iter().map(account).collect()
}

/// Traits from a column of names and the column of values after it.
pub(super) fn traits(row: &Row, column: usize) -> Result<Map<String, Value>> {
    let names: Option<Vec<Words<'static>>> = get(row, column)?;
    let values: Option<Vec<Json<Value>>> = get(row, column + 1)?;
    let (names, values) = (names.unwrap_or_default(), values.unwrap_or_default());
    if names.len() != values.len() {
        return Err(StoreError::Corrupt("traits do not match their names".into()));
    }
    Ok(names.into_iter().map(Words::owned).zip(values.into_iter().map(|Json(value)| value)).collect())
}
