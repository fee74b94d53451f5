//! What every fact passes between the edge and the store: personal data in it is treated as its workspace's policy says, and
//! only then is it kept. Nothing else appends facts, so nothing comes by untreated.

mod treated;

use crate::domain::{Fact, Timestamp, WorkspaceId};
use crate::redact::{Counts, Kind, Policy, Redactor};
use crate::store::{Appended, Checkpoint, Result, Store, StoreError};
use serde_json::Value;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A policy that another process changed is followed after this.
const POLICY_TTL: Duration = Duration::from_secs(5);
/// Names of the settings in the store.
const POLICY: &str = "redaction";
const HASH_KEY: &str = "redaction_key";

/// The way into the store.
pub struct Intake {
    store: Arc<dyn Store>,
    redactors: Mutex<HashMap<WorkspaceId, (Arc<Redactor>, Instant)>>,
}

impl Intake {
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store, redactors: Mutex::default() }
    }

    /// [`Store::append`] of the facts without what is personal in their texts.
    ///
    /// # Errors
    /// The store's own.
    pub async fn append(
        &self,
        workspace: &WorkspaceId,
        mut facts: Vec<Fact>,
        checkpoint: Option<&Checkpoint>,
        now: Timestamp,
    ) -> Result<Vec<Appended>> {
        let redactor = self.redactor(workspace).await?;
        let mut counts = Counts::default();
        for fact in &mut facts {
            counts.merge(&treated::treat(fact, &redactor));
        }
        for kind in Kind::ALL.into_iter().filter(|kind| counts.of(*kind) > 0) {
            metrics::counter!("clientele_redactions_total", "kind" => kind.name()).increment(counts.of(kind) as u64);
        }
        self.store.append(workspace, &facts, checkpoint, now).await
    }

    /// What is done with personal data in a workspace; the default where nobody said.
    ///
    /// # Errors
    /// The store's own.
    pub async fn policy(&self, workspace: &WorkspaceId) -> Result<Policy> {
        match self.store.setting(workspace, POLICY).await? {
            None => Ok(Policy::default()),
            Some(value) => serde_json::from_value(value)
                .map_err(|why| StoreError::Corrupt(format!("the redaction policy of {workspace} is none: {why}"))),
        }
    }

    /// What is kept from now on is treated by this policy; what is there stays as it is.
    ///
    /// # Errors
    /// The store's own.
    pub async fn set_policy(&self, workspace: &WorkspaceId, policy: &Policy) -> Result<()> {
        let value = serde_json::to_value(policy).map_err(|why| StoreError::Corrupt(why.to_string()))?;
        self.store.put_setting(workspace, POLICY, &value).await?;
        self.forget(workspace);
        Ok(())
    }

    /// The policy is read again before the next fact: somebody may have changed it.
    pub fn forget(&self, workspace: &WorkspaceId) {
        self.known().remove(workspace);
    }

    async fn redactor(&self, workspace: &WorkspaceId) -> Result<Arc<Redactor>> {
        if let Some((redactor, at)) = self.known().get(workspace)
            && at.elapsed() < POLICY_TTL
        {
            return Ok(Arc::clone(redactor));
        }
        let policy = self.policy(workspace).await?;
        let redactor = Arc::new(Redactor::new(policy, self.hash_key(workspace).await?.as_bytes()));
        self.known().insert(workspace.clone(), (Arc::clone(&redactor), Instant::now()));
        Ok(redactor)
    }

    /// The workspace's secret for hashes: made when it is first needed, and the same from then on.
    async fn hash_key(&self, workspace: &WorkspaceId) -> Result<String> {
        if let Some(Value::String(key)) = self.store.setting(workspace, HASH_KEY).await? {
            return Ok(key);
        }
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes)
            .map_err(|why| StoreError::Unavailable(format!("the system gives no randomness: {why}")))?;
        let key: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        match self.store.setting_or_put(workspace, HASH_KEY, &Value::String(key)).await? {
            Value::String(standing) => Ok(standing),
            _ => Err(StoreError::Corrupt("the key for redaction's hashes is no text".into())),
        }
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<WorkspaceId, (Arc<Redactor>, Instant)>> {
        self.redactors.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
