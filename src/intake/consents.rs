//! What customers allow, in memory: it is asked with every look-up and every row of an audience.

use crate::domain::{ConsentSettings, CustomerId, Fact, Purpose, WorkspaceId};
use crate::store::{IdChoices, Result, Store, StoreError};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, PoisonError, RwLock};

/// Why data may not be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// They said so.
    Withdrawn,
    /// They were never asked, and the workspace takes that for a no.
    NotGiven,
}

/// What all customers of all workspaces allow.
#[derive(Debug, Default)]
pub struct Consents(RwLock<HashMap<WorkspaceId, Told>>);

#[derive(Debug, Default)]
struct Told {
    settings: ConsentSettings,
    /// Under every id of a customer of whom anything was told, the same.
    by_id: HashMap<CustomerId, Arc<IdChoices>>,
}

impl Consents {
    /// Reads all of every workspace.
    ///
    /// # Errors
    /// The store's own.
    pub async fn load(store: &dyn Store) -> Result<Self> {
        let consents = Self::default();
        for workspace in store.workspaces().await? {
            consents.reload(store, &workspace.id).await?;
        }
        Ok(consents)
    }

    /// Reads all of a workspace again.
    ///
    /// # Errors
    /// The store's own; what was here stays then.
    pub async fn reload(&self, store: &dyn Store, workspace: &WorkspaceId) -> Result<()> {
        let settings = settings(store, workspace).await?;
        let mut told = Told { settings, by_id: HashMap::new() };
        told.put(store.all_choices(workspace).await?);
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(workspace.clone(), told);
        Ok(())
    }

    /// Why the data of a customer, by any of their ids, may not be used for a purpose; nothing where it may.
    pub fn refusal(&self, workspace: &WorkspaceId, id: &CustomerId, purpose: Purpose) -> Option<Refusal> {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let told = all.get(workspace)?;
        let choice = told.by_id.get(id).and_then(|one| one.choices.get(&purpose)).copied();
        match choice {
            _ if told.settings.allows(purpose, choice) => None,
            Some(_) => Some(Refusal::Withdrawn),
            None => Some(Refusal::NotGiven),
        }
    }

    /// How the workspace reads consent.
    pub(super) fn settings(&self, workspace: &WorkspaceId) -> ConsentSettings {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        all.get(workspace).map(|told| told.settings.clone()).unwrap_or_default()
    }

    /// The ids of which something else may hold when these facts are kept. An id that is tied may leave another behind.
    pub(super) fn touched(&self, workspace: &WorkspaceId, facts: &[Fact]) -> Vec<CustomerId> {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let group = |id: &CustomerId| all.get(workspace).and_then(|told| told.by_id.get(id));
        let mut touched: HashSet<CustomerId> = HashSet::new();
        for fact in facts {
            let (is_told, ids) = named(fact);
            if is_told || ids.iter().any(|id| group(id).is_some()) && ids.len() > 1 {
                let groups = ids.iter().filter_map(|id| group(id)).flat_map(|one| &one.ids);
                touched.extend(groups.chain(ids.iter().copied()).cloned());
            }
        }
        touched.into_iter().collect()
    }

    /// Takes over what the store says of these ids.
    pub(super) fn apply(&self, workspace: &WorkspaceId, touched: &[CustomerId], choices: Vec<IdChoices>) {
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let told = all.entry(workspace.clone()).or_default();
        for id in touched {
            told.by_id.remove(id);
        }
        told.put(choices);
    }

    /// Where the store would not say: what was withdrawn is withdrawn.
    pub(super) fn apply_withdrawals(&self, workspace: &WorkspaceId, facts: &[Fact]) {
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let told = all.entry(workspace.clone()).or_default();
        for fact in facts {
            let Fact::Consent(consent) = fact else { continue };
            let withdrawn = consent.choices.iter().filter(|(_, is_granted)| !**is_granted);
            let id = &consent.who.id;
            let standing = told.by_id.get(id).map(|one| IdChoices::clone(one));
            let mut one = standing.unwrap_or_else(|| IdChoices { ids: vec![id.clone()], choices: BTreeMap::new() });
            one.choices.extend(withdrawn.map(|(purpose, is_granted)| (*purpose, *is_granted)));
            told.put(vec![one]);
        }
    }

    /// Erased customers: nothing of them stays here.
    pub fn forget(&self, workspace: &WorkspaceId, ids: &[CustomerId]) {
        if let Some(told) = self.0.write().unwrap_or_else(PoisonError::into_inner).get_mut(workspace) {
            ids.iter().for_each(|id| drop(told.by_id.remove(id)));
        }
    }
}

impl Told {
    fn put(&mut self, choices: Vec<IdChoices>) {
        for one in choices.into_iter().filter(|one| !one.choices.is_empty()) {
            let one = Arc::new(one);
            for id in &one.ids {
                self.by_id.insert(id.clone(), Arc::clone(&one));
            }
        }
    }
}

/// Whether the fact tells of consent, and the ids it names.
fn named(fact: &Fact) -> (bool, Vec<&CustomerId>) {
    let who = match fact {
        Fact::Consent(consent) => &consent.who,
        Fact::Identify(identify) => &identify.who,
        Fact::Group(group) => &group.who,
        Fact::Event(event) => &event.who,
        Fact::Alias(alias) => return (false, vec![&alias.previous, &alias.id]),
        Fact::Review(_) | Fact::Order(_) | Fact::Refund(_) | Fact::Item(_) => return (false, Vec::new()),
    };
    (matches!(fact, Fact::Consent(_)), std::iter::once(&who.id).chain(&who.also).collect())
}

/// As the store has them; the default where nobody said.
pub(super) async fn settings(store: &dyn Store, workspace: &WorkspaceId) -> Result<ConsentSettings> {
    match store.setting(workspace, ConsentSettings::NAME).await? {
        None => Ok(ConsentSettings::default()),
        Some(value) => serde_json::from_value(value)
            .map_err(|why| StoreError::Corrupt(format!("the consent settings of {workspace} are none: {why}"))),
    }
}
