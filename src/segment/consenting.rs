//! Whose words a fit may read: those of customers who allow profiling at its beginning. Who withdraws while it is at work is in the version,
//! and look-ups tell nothing of them.

use crate::domain::{ConsentSettings, CustomerId, Purpose, WorkspaceId};
use crate::store::{Result, Store, StoreError};
use std::collections::HashMap;

/// What customers said of profiling.
pub(super) struct Consenting {
    settings: ConsentSettings,
    told: HashMap<CustomerId, bool>,
}

impl Consenting {
    pub async fn read(store: &dyn Store, workspace: &WorkspaceId) -> Result<Self> {
        let settings = Self::settings(store, workspace).await?;
        let mut told = HashMap::new();
        for one in store.all_choices(workspace).await? {
            if let Some(is_granted) = one.choices.get(&Purpose::Profiling) {
                told.extend(one.ids.into_iter().map(|id| (id, *is_granted)));
            }
        }
        Ok(Self { settings, told })
    }

    /// The same of one customer alone.
    pub async fn allows_one(store: &dyn Store, workspace: &WorkspaceId, customer: &CustomerId) -> Result<bool> {
        let settings = Self::settings(store, workspace).await?;
        let consent = store.consent(workspace, customer).await?;
        let told = consent.choices.get(&Purpose::Profiling).map(|choice| choice.is_granted);
        Ok(settings.allows(Purpose::Profiling, told))
    }

    async fn settings(store: &dyn Store, workspace: &WorkspaceId) -> Result<ConsentSettings> {
        match store.setting(workspace, ConsentSettings::NAME).await? {
            None => Ok(ConsentSettings::default()),
            Some(value) => serde_json::from_value(value).map_err(|why| StoreError::Corrupt(why.to_string())),
        }
    }

    pub fn allows(&self, customer: &CustomerId) -> bool {
        self.settings.allows(Purpose::Profiling, self.told.get(customer).copied())
    }
}
