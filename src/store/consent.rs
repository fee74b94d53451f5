//! What customers allow, as a store answers it. The words themselves come as facts ([`Store::append`](super::Store::append)).

use super::Result;
use crate::domain::{CustomerConsent, CustomerId, Purpose, WorkspaceId};
use async_trait::async_trait;
use std::collections::BTreeMap;

/// All ids of a customer, and whether they allow each purpose of which anything was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdChoices {
    /// In byte order.
    pub ids: Vec<CustomerId>,
    pub choices: BTreeMap<Purpose, bool>,
}

/// The part of the contract that is about consent. What holds for a customer is what outweighs all else that was told under any id that
/// counts for them, so ids that are tied later bring their words along, in whatever order the facts arrive.
#[async_trait]
pub trait ConsentStore: Send + Sync {
    /// What the customer that an id counts for said, with the log. Nothing was told, or nobody is there → the empty one.
    async fn consent(&self, workspace: &WorkspaceId, id: &CustomerId) -> Result<CustomerConsent>;
    /// What holds for the customers that these ids count for. Ids of nobody are left out; one customer may come more than once.
    async fn choices(&self, workspace: &WorkspaceId, ids: &[CustomerId]) -> Result<Vec<IdChoices>>;
    /// What holds for everybody of whom anything was told, each once.
    async fn all_choices(&self, workspace: &WorkspaceId) -> Result<Vec<IdChoices>>;
}
