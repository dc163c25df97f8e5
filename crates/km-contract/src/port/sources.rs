//! What source reconciliation asks of the store.

use async_trait::async_trait;
use km_model::{Alert, Fingerprint, TenantId, Timestamp};

use super::StoreError;

/// The store's side of source reconciliation. Every call is safe at any time, twice, in two processes.
#[async_trait]
pub trait Sources: Send + Sync {
    /// Occurrences of a tenant that go on, by fingerprint and start, behind `after`; at most `limit` of them.
    ///
    /// # Errors
    /// The store's failure; so for every call here.
    async fn open_alerts(
        &self,
        tenant: &TenantId,
        after: Option<(Fingerprint, Timestamp)>,
        limit: usize,
    ) -> Result<Vec<Alert>, StoreError>;

    /// What was noted of a source last.
    ///
    /// # Errors
    /// As [`Sources::open_alerts`].
    async fn source_note(&self, source: &str) -> Result<Option<String>, StoreError>;

    /// Replaces what is noted of a source, durably. A note holds times and fingerprints, and no text of an alert.
    ///
    /// # Errors
    /// As [`Sources::open_alerts`]; the older note stands then.
    async fn keep_source_note(&self, source: &str, note: &str) -> Result<(), StoreError>;
}
