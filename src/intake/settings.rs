//! What a workspace says about its facts: how personal data is treated, what is done with what is wrong, what currencies are worth.

use super::Intake;
use crate::clean::{CleaningSettings, Currencies, Judge};
use crate::domain::WorkspaceId;
use crate::redact::{Policy, Redactor};
use crate::store::{Result, StoreError};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

/// Settings that another process changed are followed after this.
const SETTINGS_TTL: Duration = Duration::from_secs(5);
/// What other processes took in is looked at after this.
pub(super) const AMOUNTS_TTL: Duration = Duration::from_secs(60);
/// Names of the settings in the store.
const POLICY: &str = "redaction";
const HASH_KEY: &str = "redaction_key";
const CLEANING: &str = "cleaning";
const CURRENCIES: &str = "currencies";

/// A workspace's settings, ready for use.
pub(super) struct Known {
    pub redactor: Redactor,
    pub judge: Judge,
}

impl Intake {
    /// What is done with personal data in a workspace; the default where nobody said.
    ///
    /// # Errors
    /// The store's own.
    pub async fn policy(&self, workspace: &WorkspaceId) -> Result<Policy> {
        Ok(self.setting(workspace, POLICY).await?.unwrap_or_default())
    }

    /// What is kept from now on is treated by this policy; what is there stays as it is.
    ///
    /// # Errors
    /// The store's own.
    pub async fn set_policy(&self, workspace: &WorkspaceId, policy: &Policy) -> Result<()> {
        self.put_setting(workspace, POLICY, policy).await
    }

    /// What is done in a workspace with what is wrong; the default where nobody said.
    ///
    /// # Errors
    /// The store's own.
    pub async fn cleaning(&self, workspace: &WorkspaceId) -> Result<CleaningSettings> {
        Ok(self.setting(workspace, CLEANING).await?.unwrap_or_default())
    }

    /// What comes from now on is judged by these settings; what is there keeps its flags.
    ///
    /// # Errors
    /// The store's own.
    pub async fn set_cleaning(&self, workspace: &WorkspaceId, settings: &CleaningSettings) -> Result<()> {
        self.put_setting(workspace, CLEANING, settings).await
    }

    /// What currencies are worth in a workspace, where somebody said.
    ///
    /// # Errors
    /// The store's own.
    pub async fn currencies(&self, workspace: &WorkspaceId) -> Result<Option<Currencies>> {
        self.setting(workspace, CURRENCIES).await
    }

    /// Replaces the table of currencies.
    ///
    /// # Errors
    /// The store's own.
    pub async fn set_currencies(&self, workspace: &WorkspaceId, currencies: &Currencies) -> Result<()> {
        self.put_setting(workspace, CURRENCIES, currencies).await
    }

    /// The settings are read again before the next fact: somebody may have changed them.
    pub fn forget(&self, workspace: &WorkspaceId) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).remove(workspace);
    }

    pub(super) async fn known(&self, workspace: &WorkspaceId) -> Result<Arc<Known>> {
        if let Some((known, at)) = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(workspace)
            && at.elapsed() < SETTINGS_TTL
        {
            return Ok(Arc::clone(known));
        }
        let redactor = Redactor::new(self.policy(workspace).await?, self.hash_key(workspace).await?.as_bytes());
        let judge = Judge { settings: self.cleaning(workspace).await?, currencies: self.currencies(workspace).await? };
        let known = Arc::new(Known { redactor, judge });
        let mut all = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(workspace.clone(), (Arc::clone(&known), Instant::now()));
        Ok(known)
    }

    async fn setting<T: DeserializeOwned>(&self, workspace: &WorkspaceId, name: &str) -> Result<Option<T>> {
        let Some(value) = self.store.setting(workspace, name).await? else { return Ok(None) };
        let read = serde_json::from_value(value).map(Some);
        read.map_err(|why| StoreError::Corrupt(format!("the setting {name} of {workspace} cannot be read: {why}")))
    }

    async fn put_setting<T: Serialize + Sync>(&self, workspace: &WorkspaceId, name: &str, value: &T) -> Result<()> {
        let value = serde_json::to_value(value).map_err(|why| StoreError::Corrupt(why.to_string()))?;
        self.store.put_setting(workspace, name, &value).await?;
        self.forget(workspace);
        Ok(())
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
}
