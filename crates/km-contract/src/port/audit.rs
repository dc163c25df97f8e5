//! What `km verify` reads: everything, in pages.

use async_trait::async_trait;
use km_model::{ContentHash, EntryId, Link, TenantId, Timestamp, WriteId};

use super::{Record, StoreError};

/// The store as an auditor sees it: raw rows, over all tenants.
#[async_trait]
pub trait Audit: Send + Sync {
    /// Rows of the ledger after a position, in order.
    ///
    /// # Errors
    /// The store's failure; so for every call here.
    async fn records(&self, after: i64, limit: usize) -> Result<Vec<Record>, StoreError>;

    /// Entries after `after` by `(tenant, entry id)`.
    ///
    /// # Errors
    /// As [`Audit::records`].
    async fn entry_rows(
        &self,
        after: Option<&(TenantId, EntryId)>,
        limit: usize,
    ) -> Result<Vec<EntryRow>, StoreError>;

    /// Links after the first `offset` by tenant and ends.
    ///
    /// # Errors
    /// As [`Audit::records`].
    async fn link_rows(&self, offset: usize, limit: usize) -> Result<Vec<LinkRow>, StoreError>;

    /// Seals after a position, in order.
    ///
    /// # Errors
    /// As [`Audit::records`].
    async fn seals(&self, after: i64, limit: usize) -> Result<Vec<Seal>, StoreError>;

    /// The engine's own check of its pages; one line for each fault, none when it is sound.
    ///
    /// # Errors
    /// As [`Audit::records`].
    async fn integrity(&self) -> Result<Vec<String>, StoreError>;
}

/// An entry as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryRow {
    /// Whose it is.
    pub tenant: TenantId,
    /// Its public name.
    pub entry_id: EntryId,
    /// Its key as text.
    pub key: String,
    /// The write that is its head.
    pub head_write_id: WriteId,
    /// When the head was so.
    pub head_occurred_at: Timestamp,
    /// How many writes were applied to it.
    pub revisions: u64,
}

/// A link as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkRow {
    /// Whose it is.
    pub tenant: TenantId,
    /// The link.
    pub link: Link,
}

/// A link of the chain over the ledger: it covers the applied rows after the seal before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seal {
    /// The last position it covers.
    pub through: i64,
    /// How many applied rows it covers.
    pub records: u64,
    /// SHA-256 over the seal before it and the rows it covers.
    pub hash: ContentHash,
    /// When it was made.
    pub sealed_at: Timestamp,
}
