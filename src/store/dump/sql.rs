//! The statements that read, write and remove a listed table, in the words that both stores share.

use super::listed::{Belongs, Kind, TABLES, Table};
use std::fmt::Write as _;

/// Where the two stores write differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Dialect {
    Sqlite,
    Postgres,
}

fn quoted(name: &str) -> String {
    format!("\"{name}\"")
}

pub(in crate::store) fn names(table: &Table) -> String {
    table.columns.iter().map(|column| quoted(column.name)).collect::<Vec<_>>().join(", ")
}

/// The listed tables a row hangs on, from its own up to the one that has a `workspace_id`: by which column, on which column of which.
fn parents(table: &'static Table) -> Vec<(&'static str, &'static str, &'static Table)> {
    let (mut chain, mut at) = (Vec::new(), table);
    while let Belongs::By(column) = at.belongs {
        let Some(parent) = at.referred(column) else { break };
        let Some((_, number)) = parent.own_number() else { break };
        chain.push((column, number, parent));
        at = parent;
    }
    chain
}

/// `FROM … WHERE …` of a workspace's rows, which are called `it`. `workspace` is a parameter or a number.
pub(in crate::store) fn rows_of(table: &'static Table, workspace: &str, dialect: Dialect) -> String {
    let mut from = format!("FROM {} AS it", quoted(table.name));
    if dialect == Dialect::Sqlite && table.own_number().is_some() {
        // In the order of the rows' numbers, whatever the planner thinks of the other indexes: pages must not sort.
        from.push_str(" NOT INDEXED");
    }
    let mut holder = "it".to_owned();
    for (depth, (column, number, parent)) in parents(table).into_iter().enumerate() {
        // SQLite takes the order of tables in a cross join as it is written.
        let join = if dialect == Dialect::Sqlite { "CROSS JOIN" } else { "JOIN" };
        let next = format!("p{depth}");
        // Writing to a String cannot fail.
        let _ =
            write!(from, " {join} {} AS {next} ON {next}.\"{number}\" = {holder}.\"{column}\"", quoted(parent.name));
        holder = next;
    }
    let owner = if table.belongs == Belongs::Itself { "it.id".to_owned() } else { format!("{holder}.workspace_id") };
    format!("{from} WHERE {owner} = {workspace}")
}

fn keys(table: &Table) -> String {
    table.key.iter().map(|key| format!("it.{}", quoted(key))).collect::<Vec<_>>().join(", ")
}

fn columns(table: &Table) -> String {
    table.columns.iter().map(|column| format!("it.{}", quoted(column.name))).collect::<Vec<_>>().join(", ")
}

/// All of a workspace's rows, by key.
pub(in crate::store) fn select(table: &'static Table, workspace: &str, dialect: Dialect) -> String {
    format!("SELECT {} {} ORDER BY {}", columns(table), rows_of(table, workspace, dialect), keys(table))
}

/// A page of them after a key, whose values are the parameters from `?3` on; `?1` is the workspace, `?2` how many.
pub(in crate::store) fn select_page(table: &'static Table, is_first: bool) -> String {
    let after = if is_first {
        String::new()
    } else {
        let values: Vec<_> = (0..table.key.len()).map(|at| format!("?{}", at + 3)).collect();
        format!(" AND ({}) > ({})", keys(table), values.join(", "))
    };
    let rows = rows_of(table, "?1", Dialect::Sqlite);
    format!("SELECT {} {rows}{after} ORDER BY {} LIMIT ?2", columns(table), keys(table))
}

/// Removes a workspace's rows.
pub(in crate::store) fn delete(table: &'static Table, workspace: i64, dialect: Dialect) -> String {
    let name = quoted(table.name);
    match table.belongs {
        Belongs::Itself => format!("DELETE FROM {name} WHERE id = {workspace}"),
        Belongs::Directly => format!("DELETE FROM {name} WHERE workspace_id = {workspace}"),
        Belongs::By(column) => {
            let parent = parents(table).first().copied();
            let inner = parent.map_or(String::new(), |(_, number, parent)| {
                format!("SELECT it.\"{number}\" {}", rows_of(parent, &workspace.to_string(), dialect))
            });
            format!("DELETE FROM {name} WHERE \"{column}\" IN ({inner})")
        }
    }
}

/// The tables in an order in which nothing refers to a row that is gone; the workspace's own row is left.
pub(in crate::store) fn for_removal() -> impl Iterator<Item = &'static Table> {
    TABLES.iter().rev().filter(|table| table.belongs != Belongs::Itself)
}

/// What PostgreSQL calls a kind.
pub(in crate::store) fn postgres_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Integer => "bigint",
        Kind::Real => "double precision",
        Kind::Text | Kind::Words => "text",
        Kind::Bytes => "bytea",
        Kind::Uuid => "uuid",
        Kind::Flag => "boolean",
    }
}
