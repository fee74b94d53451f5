//! Who is in which segment of a version, kept in byte order of the customers' ids.

use super::columns::{Moment, Text, Word, limit};
use super::{customers, versions};
use crate::domain::{Membership, Segment, SegmentId, SegmentationName, WorkspaceId};
use crate::store::{MembersQuery, Result, StoreError};
use rusqlite::{Connection, OptionalExtension, Params, Row, params};
use std::collections::HashSet;

/// What [`membership`] reads, in its order.
macro_rules! select {
    ($memberships:literal, $rest:literal) => {
        concat!(
            "SELECT external_id, segment_id, confidence, runner_up, runner_up_confidence, since, reason FROM ",
            $memberships,
            " JOIN customer ON customer.id = customer_id ",
            $rest
        )
    };
}

const OF_ALL: &str = select!("membership", "WHERE version_id = ?1 AND position > ?2 ORDER BY position LIMIT ?3");
/// Left to itself, SQLite would read the whole version and drop the other segments' members.
const OF_SEGMENT: &str = select!(
    "membership INDEXED BY membership_by_segment",
    "WHERE version_id = ?1 AND segment_id = ?4 AND position > ?2 ORDER BY position LIMIT ?3"
);

/// Where memberships go: the rows of the workspace and of the version.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub workspace: i64,
    pub version: i64,
}

pub(super) fn insert(db: &Connection, place: Place, segments: &[Segment], memberships: &[Membership]) -> Result<()> {
    let known: HashSet<SegmentId> = segments.iter().map(|segment| segment.id).collect();
    let mut sorted: Vec<&Membership> = memberships.iter().collect();
    sorted.sort_unstable_by(|a, b| a.customer.cmp(&b.customer));
    if sorted.windows(2).any(|pair| pair[0].customer == pair[1].customer) {
        return Err(StoreError::Conflict("a customer has two memberships in one version".into()));
    }
    let mut statement = db.prepare_cached(
        "INSERT INTO membership (version_id, position, customer_id, segment_id, confidence, runner_up,
             runner_up_confidence, since, reason)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?;
    for (position, member) in (1_i64..).zip(sorted) {
        if !known.contains(&member.segment) || member.runner_up.is_some_and(|id| !known.contains(&id)) {
            return Err(StoreError::Missing("segment"));
        }
        let customer = customers::row(db, place.workspace, &member.customer)?.ok_or(StoreError::Missing("customer"))?;
        statement.execute(params![
            place.version,
            position,
            customer,
            member.segment.0,
            member.confidence,
            member.runner_up.map(|id| id.0),
            member.runner_up_confidence,
            Moment(member.since),
            Word(member.reason),
        ])?;
    }
    Ok(())
}

pub(super) fn page(
    db: &Connection,
    workspace: &WorkspaceId,
    (name, number): (&SegmentationName, u32),
    query: MembersQuery<'_>,
) -> Result<Vec<Membership>> {
    let Some(version) = versions::row(db, workspace, name, number)? else { return Ok(Vec::new()) };
    let after = match query.after {
        Some(customer) => last_position_up_to(db, version, customer.as_str())?,
        None => 0,
    };
    let n_members = limit(query.limit);
    match query.segment {
        None => collect(db, OF_ALL, [version, after, n_members]),
        Some(segment) => collect(db, OF_SEGMENT, [version, after, n_members, segment.0.into()]),
    }
}

/// The position of the last member whose id is at most `id`; 0 if there is none. Whoever `id` is need not be a member.
fn last_position_up_to(db: &Connection, version: i64, id: &str) -> Result<i64> {
    let last: Option<i64> = db
        .prepare_cached("SELECT max(position) FROM membership WHERE version_id = ?1")?
        .query_row([version], |row| row.get(0))?;
    // Erasures leave gaps: the last one up to the middle stands for it.
    let mut member = db.prepare_cached(
        "SELECT position, external_id <= ?4 FROM membership JOIN customer ON customer.id = customer_id
         WHERE version_id = ?1 AND position > ?2 AND position <= ?3 ORDER BY position DESC LIMIT 1",
    )?;
    // Everyone up to `low` is at most `id`, everyone after `high` is above it.
    let (mut low, mut high) = (0, last.unwrap_or(0));
    while low < high {
        let middle = low + (high - low + 1) / 2;
        let found =
            member.query_row(params![version, low, middle, id], |row| Ok::<(i64, bool), _>((row.get(0)?, row.get(1)?)));
        match found.optional()? {
            Some((position, false)) => high = position - 1,
            Some((_, true)) | None => low = middle,
        }
    }
    Ok(low)
}

fn collect(db: &Connection, sql: &str, params: impl Params) -> Result<Vec<Membership>> {
    Ok(db.prepare_cached(sql)?.query_map(params, membership)?.collect::<rusqlite::Result<_>>()?)
}

fn membership(row: &Row<'_>) -> rusqlite::Result<Membership> {
    let (Text(customer), Moment(since), Word(reason)) = (row.get(0)?, row.get(5)?, row.get(6)?);
    Ok(Membership {
        customer,
        segment: SegmentId(row.get(1)?),
        confidence: row.get(2)?,
        runner_up: row.get::<_, Option<u32>>(3)?.map(SegmentId),
        runner_up_confidence: row.get(4)?,
        since,
        reason,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite::schema;

    #[test]
    fn a_page_of_a_segment_reads_no_more_than_the_page() {
        let mut db = Connection::open_in_memory().unwrap();
        schema::migrate(&mut db).unwrap();
        for (sql, range) in [
            (OF_ALL, "membership USING PRIMARY KEY (version_id=? AND position>?)"),
            (OF_SEGMENT, "membership_by_segment (version_id=? AND segment_id=? AND position>?)"),
        ] {
            let mut plan = db.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            let n_parameters = plan.parameter_count();
            let steps = plan.query_map(rusqlite::params_from_iter(vec![1; n_parameters]), |row| row.get(3)).unwrap();
            let steps: Vec<String> = steps.map(rusqlite::Result::unwrap).collect();
            assert!(steps[0].ends_with(range), "{steps:?}");
            assert!(!steps.iter().any(|step| step.contains("SCAN") || step.contains("TEMP")), "{steps:?}");
        }
    }
}
