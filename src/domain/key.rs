//! API keys: what a key may do. The secret is not here; the store keeps only its SHA-256.

use super::{Invalid, KeyId, Timestamp, WorkspaceId};
use serde::{Deserialize, Serialize};

/// What a key lets its bearer do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Send facts: reviews, events, imports.
    Write,
    /// Look customers, segments and jobs up.
    Read,
    /// Define and fit segmentations, cancel jobs.
    Manage,
    /// Make and revoke keys.
    Admin,
}

impl Scope {
    pub const ALL: [Self; 4] = [Self::Write, Self::Read, Self::Manage, Self::Admin];

    pub fn name(self) -> &'static str {
        match self {
            Self::Write => "write",
            Self::Read => "read",
            Self::Manage => "manage",
            Self::Admin => "admin",
        }
    }
}

/// A set of scopes. There is no order among them: `admin` alone cannot read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scopes(Vec<Scope>);

impl Scopes {
    pub fn all() -> Self {
        Self(Scope::ALL.to_vec())
    }

    /// Reads `read,write`; the order and repetitions do not matter.
    ///
    /// # Errors
    /// A word is no scope, or there is none.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let mut scopes = Vec::new();
        for word in text.split(',').map(str::trim).filter(|word| !word.is_empty()) {
            let scope = Scope::ALL.into_iter().find(|scope| scope.name() == word);
            let scope = scope.ok_or_else(|| {
                Invalid::new("scopes", format!("holds {word:?}; there are write, read, manage, admin"))
            })?;
            if !scopes.contains(&scope) {
                scopes.push(scope);
            }
        }
        if scopes.is_empty() {
            return Err(Invalid::new("scopes", "is empty; there are write, read, manage, admin"));
        }
        scopes.sort_by_key(|scope| scope.name());
        Ok(Self(scopes))
    }

    pub fn allows(&self, scope: Scope) -> bool {
        self.0.contains(&scope)
    }

    pub fn names(&self) -> Vec<&'static str> {
        self.0.iter().map(|scope| scope.name()).collect()
    }
}

/// A key as it may be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    pub id: KeyId,
    pub workspace: WorkspaceId,
    /// What the operator calls it.
    pub label: String,
    pub scopes: Scopes,
    pub created_at: Timestamp,
    pub revoked_at: Option<Timestamp>,
}
