//! Appending facts: what stands is read in a few statements, the plan is made in memory, and what is new is written in a few more,
//! however many facts there are. The workspace's row is locked throughout, so nothing that was read changes meanwhile.

use super::plan::{Named, Plan};
use super::{jobs, standing, workspaces, writing};
use crate::domain::{Fact, Timestamp, WorkspaceId};
use crate::store::{Appended, Checkpoint, Result};
use deadpool_postgres::Transaction;

pub(super) async fn append(
    db: &Transaction<'_>,
    workspace: &WorkspaceId,
    facts: &[Fact],
    checkpoint: Option<&Checkpoint>,
    now: Timestamp,
) -> Result<Vec<Appended>> {
    let row = workspaces::lock(db, workspace).await?;
    if let Some(checkpoint) = checkpoint {
        jobs::checkpoint(db, row, checkpoint).await?;
    }
    let mut plan = Plan { now, ..Plan::default() };
    standing::read(db, standing::Asked { workspace, row, named: &Named::by(facts) }, &mut plan).await?;
    let appended = facts.iter().map(|fact| plan.append(fact)).collect();
    writing::write(writing::Place { db, workspace: row, now }, &plan).await?;
    Ok(appended)
}
