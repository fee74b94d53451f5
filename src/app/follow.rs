//! What a process learns of the others on its store, once a second: versions they published, customers they erased, what customers
//! allow, policies and keys they changed. Two small questions while nothing has happened.

use crate::api::Access;
use crate::domain::{CustomerId, WorkspaceId};
use crate::embed::Models;
use crate::intake::Intake;
use crate::jobs::Rejects;
use crate::segment::Snapshots;
use crate::store::{Change, Changed, Store, StoreError, erased_id};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::MissedTickBehavior;

const EVERY: Duration = Duration::from_secs(1);

/// Hashes of erased ids, by workspace.
type Erased = HashMap<WorkspaceId, HashSet<[u8; 32]>>;

/// What has to follow.
pub(super) struct Follower {
    pub store: Arc<dyn Store>,
    pub snapshots: Arc<Snapshots>,
    pub models: Arc<Models>,
    pub access: Arc<Access>,
    pub intake: Arc<Intake>,
    pub rejects: Arc<Rejects>,
}

/// How far it has come.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    publications: u64,
    change: u64,
}

impl Seen {
    /// Read before anything is kept in memory, so that nothing falls between.
    pub async fn now(store: &dyn Store) -> Result<Self, StoreError> {
        Ok(Self { publications: store.publications().await?, change: store.last_change().await? })
    }
}

impl Follower {
    /// Follows for ever.
    pub async fn run(self, mut seen: Seen) {
        // Rejected rows outlive a process: what was erased while this one was away is looked for first.
        let mut away = Seen { change: 0, ..seen };
        if let Err(error) = self.follow_changes(&mut away, Some(seen.change)).await {
            tracing::warn!(%error, "what was erased while this process was away cannot be read at the moment");
        }
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            // Asked again in a moment: look-ups answer from what is here meanwhile.
            if let Err(error) = self.catch_up(&mut seen).await {
                tracing::warn!(%error, "what other processes have changed cannot be read at the moment");
            }
        }
    }

    /// Versions first: what is read of them may hold somebody whose erasure is among the changes that are read after it.
    async fn catch_up(&self, seen: &mut Seen) -> Result<(), StoreError> {
        // The number is read before the versions, so none falls between the two.
        let publications = self.store.publications().await?;
        if publications != seen.publications {
            // Before their segments are told: what the customers of a workspace that came from elsewhere allow.
            self.intake.consents().meet(&*self.store).await?;
            self.snapshots.refresh(&*self.store).await?;
            seen.publications = publications;
        }
        self.follow_changes(seen, None).await
    }

    async fn follow_changes(&self, seen: &mut Seen, through: Option<u64>) -> Result<(), StoreError> {
        loop {
            let mut changes = self.store.changes(seen.change).await?;
            changes.retain(|change| through.is_none_or(|through| change.number <= through));
            let Some(last) = changes.last().map(|change| change.number) else { return Ok(()) };
            self.apply(&changes).await?;
            seen.change = last;
        }
    }

    async fn apply(&self, changes: &[Change]) -> Result<(), StoreError> {
        let (mut erased, mut consents, mut expired) = (Erased::new(), HashSet::new(), HashSet::new());
        for Change { workspace, what, .. } in changes {
            match what {
                Changed::Erased(id_sha256) => {
                    consents.insert(workspace);
                    erased.entry(workspace.clone()).or_default().insert(*id_sha256);
                }
                Changed::Settings => {
                    self.intake.forget(workspace);
                    consents.insert(workspace);
                }
                Changed::Consent => drop(consents.insert(workspace)),
                Changed::Expired => drop(expired.insert(workspace)),
                Changed::Keys => self.access.refresh(),
            }
        }
        // Once a workspace, however many customers said something.
        for workspace in consents {
            self.intake.reload_consents(workspace).await?;
        }
        for workspace in &expired {
            self.snapshots.reload(&*self.store, workspace).await?;
        }
        if !expired.is_empty() {
            self.models.clear_cache();
        }
        if erased.is_empty() {
            return Ok(());
        }
        // Whose texts these are is known to nobody any more, so all vectors go.
        self.models.clear_cache();
        let (snapshots, rejects) = (Arc::clone(&self.snapshots), Arc::clone(&self.rejects));
        let forgetting = tokio::task::spawn_blocking(move || forget(&snapshots, &rejects, &erased));
        if let Ok(Err(error)) = forgetting.await {
            tracing::error!(%error, "rejected rows could not be searched for an erased customer; they go after seven days");
        }
        Ok(())
    }
}

/// Memory first: look-ups are asked all the time.
fn forget(snapshots: &Snapshots, rejects: &Rejects, erased: &Erased) -> std::io::Result<()> {
    for (workspace, hashes) in erased {
        snapshots.forget_where(workspace, |customer| hashes.contains(&erased_id(workspace, customer)));
    }
    rejects.forget_where(&|word| {
        let Ok(id) = CustomerId::parse(word) else { return false };
        erased.iter().any(|(workspace, hashes)| hashes.contains(&erased_id(workspace, &id)))
    })
}
