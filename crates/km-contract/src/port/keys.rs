//! Where API keys are kept: digests, never the keys.

use async_trait::async_trait;
use km_model::{TenantId, Timestamp};

use super::StoreError;

/// SHA-256 of an API key.
pub type KeyDigest = [u8; 32];

/// The API keys of an installation.
#[async_trait]
pub trait Keys: Send + Sync {
    /// Keeps a key by its digest.
    ///
    /// # Errors
    /// The store's failure; so for every call here.
    async fn add_key(&self, key: &ApiKey, digest: KeyDigest) -> Result<(), StoreError>;

    /// Every key, the oldest first, revoked ones included.
    ///
    /// # Errors
    /// As [`Keys::add_key`].
    async fn keys(&self) -> Result<Vec<(ApiKey, KeyDigest)>, StoreError>;

    /// Ends a key. `false` when there is no such key; ending it twice changes nothing.
    ///
    /// # Errors
    /// As [`Keys::add_key`].
    async fn revoke_key(&self, id: &str, at: Timestamp) -> Result<bool, StoreError>;
}

/// What is known of an API key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    /// Its public id.
    pub id: String,
    /// What it is for, in the operator's words.
    pub name: String,
    /// Whose knowledge it reaches.
    pub tenant: TenantId,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was ended.
    pub revoked_at: Option<Timestamp>,
}

/// What a key may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Write, and send webhooks.
    Write,
    /// Read and search.
    Read,
    /// Work dead letters.
    Redrive,
    /// Everything, keys and policy included.
    Admin,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 4] = [Self::Write, Self::Read, Self::Redrive, Self::Admin];

    /// The name in the API and on disk.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Write => "write",
            Self::Read => "read",
            Self::Redrive => "redrive",
            Self::Admin => "admin",
        }
    }

    /// The scope with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == name)
    }
}

impl ApiKey {
    /// Whether it may be used for `scope`.
    pub fn allows(&self, scope: Scope) -> bool {
        self.revoked_at.is_none() && self.scopes.iter().any(|held| *held == scope || *held == Scope::Admin)
    }
}
