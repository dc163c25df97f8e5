//! What reconcilers look at and mend.

use async_trait::async_trait;
use km_model::Timestamp;

use super::{Seal, StoreError};

/// The store's side of the background work. Every call is safe at any time, twice, in two processes.
#[async_trait]
pub trait Upkeep: Send + Sync {
    /// Compares links and approvals with what the ledger states, adds what is missing and corrects what
    /// differs. Links only grow: one that no write states stays, and so does an earlier beginning than any
    /// write states. Reads beside the writers; what differs is mended in small transactions, each of which
    /// stands when a later one fails.
    ///
    /// # Errors
    /// The store's failure; so for every call here.
    async fn mend_links(&self) -> Result<LinkReport, StoreError>;

    /// Chains every applied row that came since the last seal, and returns the newest seal that was made;
    /// `None` when there was nothing to seal. Reads beside the writers, and adds one seal a transaction.
    ///
    /// # Errors
    /// As [`Upkeep::mend_links`]; `Fatal` when the newest seal does not match its rows: nothing is chained
    /// on then.
    async fn seal(&self, at: Timestamp) -> Result<Option<Seal>, StoreError>;

    /// Sizes and lags, for metrics and status.
    ///
    /// # Errors
    /// As [`Upkeep::mend_links`].
    async fn measures(&self) -> Result<Measures, StoreError>;

    /// Throws derived tables away and builds them again from the ledger, in the background.
    ///
    /// # Errors
    /// As [`Upkeep::mend_links`].
    async fn reindex(&self) -> Result<(), StoreError>;

    /// Finishes what was begun, flushes, and lets go of the files. Later calls fail.
    async fn close(&self);
}

/// What the link reconciler saw and did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkReport {
    /// Links that the ledger states.
    pub stated: u64,
    /// Links and approvals that were missing and are there now.
    pub added: u64,
    /// Links and approvals that differed and are right now.
    pub corrected: u64,
    /// Links that no write states; they stay.
    pub unstated: u64,
    /// Links whose incident nobody has written about yet.
    pub without_incident: u64,
}

/// Sizes and lags of a store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Measures {
    /// Rows of the ledger.
    pub writes: u64,
    /// Entries.
    pub entries: u64,
    /// The newest position of the ledger.
    pub newest_position: i64,
    /// The position up to which the search index is built.
    pub indexed_through: i64,
    /// Bytes on disk.
    pub disk_bytes: u64,
}
