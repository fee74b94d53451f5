//! What customers allow, in memory: it is asked with every look-up and every row of an audience.

use crate::domain::{ConsentSettings, CustomerId, Fact, Purpose, WorkspaceId};
use crate::store::{IdChoices, Result, Store, StoreError};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

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
pub struct Consents {
    told: RwLock<HashMap<WorkspaceId, Told>>,
    /// Held while the store is read and what it said is taken up, so that nothing older takes the place of something newer.
    turns: Mutex<HashMap<WorkspaceId, Arc<tokio::sync::Mutex<()>>>>,
}

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
        let turn = self.turn(workspace);
        let _turn = turn.lock().await;
        let settings = settings(store, workspace).await?;
        let mut told = Told { settings, by_id: HashMap::new() };
        told.put(store.all_choices(workspace).await?);
        self.write().insert(workspace.clone(), told);
        Ok(())
    }

    /// Reads those workspaces of which nothing is known here: another process made them, and customers with them.
    ///
    /// # Errors
    /// The store's own.
    pub async fn meet(&self, store: &dyn Store) -> Result<()> {
        for workspace in store.workspaces().await? {
            if !self.read().contains_key(&workspace.id) {
                self.reload(store, &workspace.id).await?;
            }
        }
        Ok(())
    }

    /// Why the data of a customer, by any of their ids, may not be used for a purpose; nothing where it may.
    pub fn refusal(&self, workspace: &WorkspaceId, id: &CustomerId, purpose: Purpose) -> Option<Refusal> {
        let all = self.read();
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
        let all = self.read();
        all.get(workspace).map(|told| told.settings.clone()).unwrap_or_default()
    }

    /// The ids of which something else may hold when these facts are kept. An id that is tied may leave another behind.
    pub(super) fn touched(&self, workspace: &WorkspaceId, facts: &[Fact]) -> Vec<CustomerId> {
        let all = self.read();
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

    /// Takes up what these facts, which the store has now, changed; `before` are the ids of which that was known before the store had them.
    /// Where the store would not say, withdrawals hold.
    pub(super) async fn follow(
        &self,
        store: &dyn Store,
        workspace: &WorkspaceId,
        facts: &[Fact],
        before: Vec<CustomerId>,
    ) {
        if before.is_empty() && !facts.iter().any(may_touch) {
            return;
        }
        let turn = self.turn(workspace);
        let _turn = turn.lock().await;
        // Others may have told the first word of an id meanwhile, or tied it.
        let mut touched = self.touched(workspace, facts);
        touched.extend(before);
        touched.sort_unstable();
        touched.dedup();
        if touched.is_empty() {
            return;
        }
        match store.choices(workspace, &touched).await {
            Ok(choices) => self.apply(workspace, &touched, choices),
            Err(error) => {
                tracing::warn!(%error, "what customers allow cannot be read at the moment; withdrawals hold");
                self.apply_withdrawals(workspace, facts);
            }
        }
    }

    pub(super) fn turn(&self, workspace: &WorkspaceId) -> Arc<tokio::sync::Mutex<()>> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(turns.entry(workspace.clone()).or_default())
    }

    fn read(&self) -> RwLockReadGuard<'_, HashMap<WorkspaceId, Told>> {
        self.told.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, HashMap<WorkspaceId, Told>> {
        self.told.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes over what the store says of these ids.
    fn apply(&self, workspace: &WorkspaceId, touched: &[CustomerId], choices: Vec<IdChoices>) {
        let mut all = self.write();
        let told = all.entry(workspace.clone()).or_default();
        for id in touched {
            told.by_id.remove(id);
        }
        told.put(choices);
    }

    /// Where the store would not say: what was withdrawn is withdrawn.
    fn apply_withdrawals(&self, workspace: &WorkspaceId, facts: &[Fact]) {
        let mut all = self.write();
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
    pub async fn forget(&self, workspace: &WorkspaceId, ids: &[CustomerId]) {
        let turn = self.turn(workspace);
        let _turn = turn.lock().await;
        if let Some(told) = self.write().get_mut(workspace) {
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

/// Whether other choices may hold of somebody when the fact is kept.
fn may_touch(fact: &Fact) -> bool {
    let (is_told, ids) = named(fact);
    is_told || ids.len() > 1
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Consent, ConsentSource, Timestamp, Who};
    use crate::intake::Intake;
    use crate::store::SqliteStore;

    fn said(is_granted: bool, second: i64) -> Fact {
        let who = Who { id: CustomerId::parse("ann").unwrap(), is_anonymous: false, also: None };
        let time = Timestamp::from_second(second).unwrap();
        let choices = BTreeMap::from([(Purpose::Profiling, is_granted)]);
        Fact::Consent(Consent { who, choices, source: ConsentSource::parse("banner").unwrap(), time })
    }

    /// Somebody else is between reading what holds and taking it up: who comes after them reads what holds then.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_was_read_before_never_takes_the_place_of_what_was_said_after() {
        let dir = tempfile::tempdir().unwrap();
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(dir.path()).unwrap());
        let workspace = WorkspaceId::parse("shop").unwrap();
        store.create_workspace(&workspace, Timestamp::from_second(1).unwrap()).await.unwrap();
        let intake = Arc::new(Intake::open(Arc::clone(&store)).await.unwrap());
        let ann = CustomerId::parse("ann").unwrap();
        let now = Timestamp::from_second(100).unwrap();
        intake.append(&workspace, vec![said(true, 10).into()], None, now).await.unwrap();
        let turn = intake.consents().turn(&workspace);
        let held = turn.lock().await;
        let stale = store.choices(&workspace, std::slice::from_ref(&ann)).await.unwrap();
        let withdrawing = tokio::spawn({
            let (intake, workspace) = (Arc::clone(&intake), workspace.clone());
            async move { intake.append(&workspace, vec![said(false, 20).into()], None, now).await }
        });
        // Until the store has it, and then some: it is not answered before its turn.
        let is_granted =
            async || store.consent(&workspace, &ann).await.unwrap().choices[&Purpose::Profiling].is_granted;
        while is_granted().await {}
        for _ in 0..50 {
            is_granted().await;
        }
        assert!(!withdrawing.is_finished());
        intake.consents().apply(&workspace, std::slice::from_ref(&ann), stale);
        drop(held);
        withdrawing.await.unwrap().unwrap();
        assert_eq!(intake.consents().refusal(&workspace, &ann, Purpose::Profiling), Some(Refusal::Withdrawn));
    }
}
