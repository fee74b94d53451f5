//! What every fact passes between the edge and the store: personal data in it is treated as its workspace's policy says, and
//! only then is it kept. Nothing else appends facts, so nothing comes by untreated.

mod consents;
mod treated;

pub use consents::{Consents, Refusal};

use crate::domain::{Consent, ConsentSettings, Fact, Telling, Timestamp, WorkspaceId};
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
    consents: Arc<Consents>,
    redactors: Mutex<HashMap<WorkspaceId, (Arc<Redactor>, Instant)>>,
}

impl Intake {
    /// Reads what customers allow.
    ///
    /// # Errors
    /// The store's own.
    pub async fn open(store: Arc<dyn Store>) -> Result<Self> {
        let consents = Arc::new(Consents::load(&*store).await?);
        Ok(Self { store, consents, redactors: Mutex::default() })
    }

    /// What customers allow.
    pub fn consents(&self) -> &Consents {
        &self.consents
    }

    /// [`Store::append`] of the facts without what is personal in their texts, each after what was said of consent beside it. The answer
    /// has one entry a telling. What is allowed from now on is known here when this returns.
    ///
    /// # Errors
    /// The store's own.
    pub async fn append(
        &self,
        workspace: &WorkspaceId,
        tellings: Vec<Telling>,
        checkpoint: Option<&Checkpoint>,
        now: Timestamp,
    ) -> Result<Vec<Appended>> {
        let redactor = self.redactor(workspace).await?;
        let (mut facts, counts_of) = self.spread(workspace, tellings, now);
        let mut counts = Counts::default();
        for fact in &mut facts {
            counts.merge(&treated::treat(fact, &redactor));
        }
        for kind in Kind::ALL.into_iter().filter(|kind| counts.of(*kind) > 0) {
            metrics::counter!("clientele_redactions_total", "kind" => kind.name()).increment(counts.of(kind) as u64);
        }
        let touched = self.consents.touched(workspace, &facts);
        let appended = if touched.is_empty() {
            self.store.append(workspace, &facts, checkpoint, now).await?
        } else {
            // In a task of its own: memory follows the store also when the caller hangs up in between.
            let (store, consents) = (Arc::clone(&self.store), Arc::clone(&self.consents));
            let (workspace, checkpoint) = (workspace.clone(), checkpoint.cloned());
            let appending = tokio::spawn(async move {
                let appended = store.append(&workspace, &facts, checkpoint.as_ref(), now).await?;
                match store.choices(&workspace, &touched).await {
                    Ok(choices) => consents.apply(&workspace, &touched, choices),
                    Err(error) => {
                        tracing::warn!(%error, "what customers allow cannot be read at the moment; withdrawals hold");
                        consents.apply_withdrawals(&workspace, &facts);
                    }
                }
                Ok::<_, StoreError>(appended)
            });
            appending.await.map_err(|why| StoreError::Unavailable(why.to_string()))??
        };
        Ok(gathered(&appended, &counts_of))
    }

    /// The facts in order, what was said of consent before the fact it was said beside; and how many facts each telling made.
    fn spread(&self, workspace: &WorkspaceId, tellings: Vec<Telling>, now: Timestamp) -> (Vec<Fact>, Vec<usize>) {
        let settings = tellings.iter().any(|one| one.preferences.is_some()).then(|| self.consents.settings(workspace));
        let mut facts = Vec::with_capacity(tellings.len());
        let mut counts = Vec::with_capacity(tellings.len());
        for Telling { fact, preferences } in tellings {
            let before = facts.len();
            if let Some((said, settings)) = preferences.zip(settings.as_ref()) {
                let by_category =
                    said.by_category.iter().map(|(category, is_granted)| (category.as_str(), *is_granted));
                let mut choices = settings.choices(by_category);
                choices.extend(said.by_purpose);
                if !choices.is_empty() {
                    let (who, source, time) = (said.who, said.source, said.time);
                    facts.push(Fact::Consent(Consent { who, choices, source, time }));
                }
            }
            facts.push(fact);
            counts.push(facts.len() - before);
        }
        for fact in &mut facts {
            // A word from the future would outweigh all that is said until then.
            if let Fact::Consent(consent) = fact {
                consent.time = consent.time.min(now);
            }
        }
        (facts, counts)
    }

    /// How a workspace reads consent; the default where nobody said.
    ///
    /// # Errors
    /// The store's own.
    pub async fn consent_settings(&self, workspace: &WorkspaceId) -> Result<ConsentSettings> {
        consents::settings(&*self.store, workspace).await
    }

    /// Consent is read so from now on, also what was told before.
    ///
    /// # Errors
    /// The store's own.
    pub async fn set_consent_settings(&self, workspace: &WorkspaceId, settings: &ConsentSettings) -> Result<()> {
        let value = serde_json::to_value(settings).map_err(|why| StoreError::Corrupt(why.to_string()))?;
        self.store.put_setting(workspace, ConsentSettings::NAME, &value).await?;
        self.reload_consents(workspace).await
    }

    /// Reads again what the customers of a workspace allow: another process may have heard something else.
    ///
    /// # Errors
    /// The store's own.
    pub async fn reload_consents(&self, workspace: &WorkspaceId) -> Result<()> {
        self.consents.reload(&*self.store, workspace).await
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

/// What became of tellings: of each the fact's answer; where only what was said of consent beside it was new, that it was accepted.
fn gathered(appended: &[Appended], counts: &[usize]) -> Vec<Appended> {
    let mut rest = appended;
    let one = |n: &usize| {
        let (mine, others) = rest.split_at((*n).min(rest.len()));
        rest = others;
        let is_accepted = mine.contains(&Appended::Accepted);
        match mine.last() {
            Some(Appended::Duplicate) if is_accepted => Appended::Accepted,
            last => last.copied().unwrap_or(Appended::Duplicate),
        }
    };
    counts.iter().map(one).collect()
}
