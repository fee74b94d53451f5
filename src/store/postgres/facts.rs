//! Appending facts: what stands is read in a few statements, the plan is made in memory, and what is new is written in a few more,
//! however many facts there are. The workspace's row is locked throughout, so nothing that was read changes meanwhile.

use super::plan::{Named, Plan};
use super::{jobs, quality, standing, workspaces, writing};
use crate::domain::{Timestamp, WorkspaceId};
use crate::store::rules::{self, Tally};
use crate::store::{Appended, Checkpoint, Judged, Result};
use deadpool_postgres::Transaction;

pub(super) async fn append(
    db: &Transaction<'_>,
    workspace: &WorkspaceId,
    judged: Judged<'_>,
    checkpoint: Option<&Checkpoint>,
    now: Timestamp,
) -> Result<Vec<Appended>> {
    let row = workspaces::lock(db, workspace).await?;
    if let Some(checkpoint) = checkpoint {
        jobs::checkpoint(db, row, checkpoint).await?;
    }
    let Judged { facts, findings } = judged;
    let mut plan = Plan { found: Tally::of(findings), now, ..Plan::default() };
    standing::read(db, standing::Asked { workspace, row, named: &Named::by(facts) }, &mut plan).await?;
    let facts = facts.iter().enumerate();
    let appended = facts.map(|(place, fact)| plan.append(fact, rules::marks_of(findings, place))).collect();
    writing::write(writing::Place { db, workspace: row, now }, &plan).await?;
    let import = checkpoint.map(|checkpoint| checkpoint.job);
    quality::count(db, row, (rules::day_of(now), import), &plan.found).await?;
    Ok(appended)
}
