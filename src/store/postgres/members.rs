//! Who is in which segment of a version, kept in byte order of the customers' ids.

use super::columns::{Moment, Small, Text, Word, get, limit};
use super::statements::{row, rows};
use super::versions;
use crate::domain::{CustomerId, Membership, Segment, SegmentId, SegmentationName, WorkspaceId};
use crate::store::{MembersQuery, Result, StoreError};
use deadpool_postgres::{GenericClient, Transaction};
use std::collections::{HashMap, HashSet};
use std::pin::pin;
use tokio_postgres::Row;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::Type;

/// Customers looked up in one statement while a version is published.
const LOOK_UP: usize = 20_000;

/// What [`membership`] reads, in its order.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT external_id, segment_id, confidence, runner_up, runner_up_confidence, since, reason
             FROM membership JOIN customer ON customer.id = customer_id
             WHERE version_id = $1 AND position > $2 ",
            $rest
        )
    };
}

/// Where memberships go: the rows of the workspace and of the version.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub workspace: i64,
    pub version: i64,
}

pub(super) async fn insert(
    db: &Transaction<'_>,
    place: Place,
    segments: &[Segment],
    memberships: &[Membership],
) -> Result<()> {
    require_known(segments, memberships)?;
    let mut sorted: Vec<&Membership> = memberships.iter().collect();
    sorted.sort_unstable_by(|a, b| a.customer.cmp(&b.customer));
    if sorted.windows(2).any(|pair| pair[0].customer == pair[1].customer) {
        return Err(StoreError::Conflict("a customer has two memberships in one version".into()));
    }
    // The copy begins when every customer has been found: one that has begun cannot be mixed with look-ups.
    let mut customers = Vec::with_capacity(sorted.len());
    for part in sorted.chunks(LOOK_UP) {
        customers.extend(rows_of(db, place.workspace, part).await?);
    }
    copy(db, place.version, &sorted, &customers).await
}

fn require_known(segments: &[Segment], memberships: &[Membership]) -> Result<()> {
    let known: HashSet<SegmentId> = segments.iter().map(|segment| segment.id).collect();
    for member in memberships {
        if !known.contains(&member.segment) || member.runner_up.is_some_and(|id| !known.contains(&id)) {
            return Err(StoreError::Missing("segment"));
        }
        if !member.confidence.is_finite() || !member.runner_up_confidence.is_finite() {
            return Err(StoreError::Conflict("a membership holds a number that is not finite".into()));
        }
    }
    Ok(())
}

/// The members' rows, in their order.
async fn rows_of(db: &Transaction<'_>, workspace: i64, members: &[&Membership]) -> Result<Vec<i64>> {
    let ids: Vec<&str> = members.iter().map(|member| member.customer.as_str()).collect();
    let select = "SELECT external_id, id FROM customer WHERE workspace_id = $1 AND external_id = ANY ($2)";
    let found = rows(db, select, &[&workspace, &ids]).await?;
    let found: HashMap<&str, i64> = found.iter().map(|row| Ok((get(row, 0)?, get(row, 1)?))).collect::<Result<_>>()?;
    ids.iter().map(|id| found.get(id).copied().ok_or(StoreError::Missing("customer"))).collect()
}

async fn copy(db: &Transaction<'_>, version: i64, members: &[&Membership], customers: &[i64]) -> Result<()> {
    let sink = db
        .copy_in(
            "COPY membership (version_id, position, customer_id, segment_id, confidence, runner_up,
                 runner_up_confidence, since, reason) FROM STDIN BINARY",
        )
        .await?;
    const TYPES: [Type; 9] = [
        Type::INT8,
        Type::INT8,
        Type::INT8,
        Type::INT8,
        Type::FLOAT8,
        Type::INT8,
        Type::FLOAT8,
        Type::INT8,
        Type::TEXT,
    ];
    let mut writer = pin!(BinaryCopyInWriter::new(sink, &TYPES));
    for ((position, member), customer) in (1_i64..).zip(members).zip(customers) {
        writer
            .as_mut()
            .write(&[
                &version,
                &position,
                customer,
                &Small(member.segment.0),
                &member.confidence,
                &member.runner_up.map(|id| Small(id.0)),
                &member.runner_up_confidence,
                &Moment(member.since),
                &Word(member.reason),
            ])
            .await?;
    }
    writer.finish().await?;
    Ok(())
}

pub(super) async fn page(
    db: &impl GenericClient,
    workspace: &WorkspaceId,
    (name, number): (&SegmentationName, u32),
    query: MembersQuery<'_>,
) -> Result<Vec<Membership>> {
    // Of a version that is there, places are never given anew (an erasure leaves gaps), so these statements need not see one moment.
    let Some(version) = versions::row_of(db, workspace, name, number).await? else { return Ok(Vec::new()) };
    let after = match query.after {
        Some(customer) => last_position_up_to(db, version, customer).await?,
        None => 0,
    };
    let n_members = limit(query.limit);
    let page = match query.segment {
        None => rows(db, select!("ORDER BY position LIMIT $3"), &[&version, &after, &n_members]).await?,
        Some(segment) => {
            let select = select!("AND segment_id = $4 ORDER BY position LIMIT $3");
            rows(db, select, &[&version, &after, &n_members, &Small(segment.0)]).await?
        }
    };
    page.iter().map(membership).collect()
}

/// The position of the last member whose id is at most `id`; 0 if there is none. Whoever `id` is need not be a member.
/// A binary search within the server: everyone up to `low` is at most `id`, everyone after `high` is above it. Erasures leave gaps: the
/// last one up to the middle stands for it.
async fn last_position_up_to(db: &impl GenericClient, version: i64, id: &CustomerId) -> Result<i64> {
    let found = row(
        db,
        "WITH RECURSIVE search (low, high) AS (
             SELECT 0::bigint, coalesce((SELECT max(position) FROM membership WHERE version_id = $1), 0)
             UNION ALL
             SELECT CASE WHEN is_above THEN low ELSE middle END, CASE WHEN is_above THEN position - 1 ELSE high END
             FROM search CROSS JOIN LATERAL (SELECT low + (high - low + 1) / 2 AS middle) AS halved
             LEFT JOIN LATERAL (
                 SELECT position, external_id > $2 AS is_above
                 FROM membership JOIN customer ON customer.id = customer_id
                 WHERE version_id = $1 AND position > low AND position <= middle ORDER BY position DESC LIMIT 1
             ) AS looked ON true
             WHERE low < high
         )
         SELECT low FROM search WHERE low >= high",
        &[&version, &id.as_str()],
    )
    .await?;
    let found = found.ok_or_else(|| StoreError::Corrupt("a version lacks a member in its middle".into()))?;
    get(&found, 0)
}

fn membership(row: &Row) -> Result<Membership> {
    let (Text(customer), Small(segment)) = (get(row, 0)?, get(row, 1)?);
    let (Moment(since), Word(reason)) = (get(row, 5)?, get(row, 6)?);
    Ok(Membership {
        customer,
        segment: SegmentId(segment),
        confidence: get(row, 2)?,
        runner_up: get::<Option<Small>>(row, 3)?.map(|Small(id)| SegmentId(id)),
        runner_up_confidence: get(row, 4)?,
        since,
        reason,
    })
}
