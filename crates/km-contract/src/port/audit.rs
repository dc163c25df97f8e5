//! What `km verify` reads: everything, at one moment, in pages.

use async_trait::async_trait;
use km_model::{
    ApprovalId, ApprovalStatus, ContentHash, EntryId, Fingerprint, LetterState, Link, Provenance, TenantId,
    Timestamp, WriteId,
};

use super::{Record, StoreError};
use crate::occurrence::Claim;

/// The store as an auditor sees it: rows as they are kept, over all tenants.
#[async_trait]
pub trait Audit: Send + Sync {
    /// This moment of the store. A store that is written to meanwhile keeps what it replaces until the
    /// snapshot is dropped, so it is not to be held for longer than it is read.
    ///
    /// # Errors
    /// The store's failure.
    async fn snapshot(&self) -> Result<Box<dyn Snapshot>, StoreError>;

    /// The newest seal: whoever keeps its hash elsewhere can tell when the end of the chain is cut off.
    ///
    /// # Errors
    /// The store's failure.
    async fn newest_seal(&self) -> Result<Option<Seal>, StoreError>;
}

/// One moment of a store. Every listing goes on behind what it is given, in the order of its key.
#[async_trait]
pub trait Snapshot: Send + Sync {
    /// Rows of the ledger, by position.
    ///
    /// # Errors
    /// The store's failure, so for every call here; `Fatal` for a row that nothing of km's can have written.
    async fn ledger_rows(&self, after: i64, limit: usize) -> Result<Vec<LedgerRow>, StoreError>;

    /// Entries, by tenant and id.
    ///
    /// # Errors
    /// As [`Snapshot::ledger_rows`].
    async fn entry_rows(
        &self,
        after: Option<&(TenantId, EntryId)>,
        limit: usize,
    ) -> Result<Vec<EntryRow>, StoreError>;

    /// Links, by tenant, incident and target.
    ///
    /// # Errors
    /// As [`Snapshot::ledger_rows`].
    async fn link_rows(&self, after: Option<&LinkRow>, limit: usize) -> Result<Vec<LinkRow>, StoreError>;

    /// Approvals, by tenant and id.
    ///
    /// # Errors
    /// As [`Snapshot::ledger_rows`].
    async fn approval_rows(
        &self,
        after: Option<&(TenantId, ApprovalId)>,
        limit: usize,
    ) -> Result<Vec<ApprovalRow>, StoreError>;

    /// Dead letters, by tenant and id.
    ///
    /// # Errors
    /// As [`Snapshot::ledger_rows`].
    async fn letter_rows(
        &self,
        after: Option<&(TenantId, WriteId)>,
        limit: usize,
    ) -> Result<Vec<LetterRow>, StoreError>;

    /// What happened to dead letters, by number.
    ///
    /// # Errors
    /// As [`Snapshot::ledger_rows`].
    async fn letter_event_rows(&self, after: i64, limit: usize) -> Result<Vec<LetterEventRow>, StoreError>;

    /// What was said of alerts, by tenant, fingerprint and start.
    ///
    /// # Errors
    /// As [`Snapshot::ledger_rows`].
    async fn alert_rows(&self, after: Option<&AlertRow>, limit: usize) -> Result<Vec<AlertRow>, StoreError>;

    /// How many occurrences of alerts there are.
    ///
    /// # Errors
    /// As [`Snapshot::ledger_rows`].
    async fn occurrences(&self) -> Result<u64, StoreError>;

    /// Seals, by the position that they cover last.
    ///
    /// # Errors
    /// As [`Snapshot::ledger_rows`].
    async fn seals(&self, after: i64, limit: usize) -> Result<Vec<Seal>, StoreError>;

    /// The engine's own check of its pages; one line for each fault, none when it is sound.
    ///
    /// # Errors
    /// As [`Snapshot::ledger_rows`].
    async fn integrity(&self) -> Result<Vec<String>, StoreError>;
}

/// A row of the ledger with all that is kept beside its payload.
#[derive(Clone, Debug)]
pub struct LedgerRow {
    /// The row.
    pub record: Record,
    /// The position of the revision of the same entry that was applied before.
    pub previous: Option<i64>,
    /// What the payload says, as it is kept for indexes.
    pub columns: Columns,
}

/// What the payload of an applied write says, as text beside it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Columns {
    /// The path.
    pub path: Option<String>,
    /// The incident.
    pub incident: Option<String>,
    /// The approval.
    pub approval: Option<String>,
    /// Where the approval stands.
    pub approval_status: Option<String>,
    /// The playbook.
    pub playbook: Option<String>,
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
    /// The position of its head.
    pub head: i64,
    /// The write that is its head.
    pub head_write_id: WriteId,
    /// When the head was so.
    pub head_occurred_at: Timestamp,
    /// The position of the revision that was applied last.
    pub newest: i64,
    /// How many writes were applied to it.
    pub revisions: u64,
}

/// A link as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkRow {
    /// Whose it is.
    pub tenant: TenantId,
    /// The link, with where its approval stands.
    pub link: Link,
}

/// An approval as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApprovalRow {
    /// Whose it is.
    pub tenant: TenantId,
    /// The approval.
    pub approval: ApprovalId,
    /// Where it stands.
    pub status: ApprovalStatus,
    /// As of when, by the write that says so.
    pub status_at: Timestamp,
    /// The write that says so.
    pub status_write_id: WriteId,
    /// Since when it was first approved.
    pub approved_since: Option<Timestamp>,
}

/// A dead letter as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LetterRow {
    /// Whose it is.
    pub tenant: TenantId,
    /// Its id.
    pub id: WriteId,
    /// What the ledger says of it; `None` when the ledger does not know it.
    pub standing: Option<LetterStanding>,
}

/// Where the ledger says that a dead letter stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LetterStanding {
    /// It became a revision.
    Applied,
    /// It is a letter still.
    Letter(LetterState),
}

/// Something that happened to a dead letter, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LetterEventRow {
    /// Counts from 1 over all letters.
    pub number: i64,
    /// Whose letter.
    pub tenant: TenantId,
    /// Which letter.
    pub letter: WriteId,
    /// What happened.
    pub what: String,
}

/// What was said of an alert under one start, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertRow {
    /// Whose it is.
    pub tenant: TenantId,
    /// The alert.
    pub fingerprint: Fingerprint,
    /// What was said.
    pub claim: Claim,
    /// The occurrence with the latest start that is not after this one; `None` when there is none.
    pub occurrence: Option<OccurrenceRow>,
}

/// An occurrence of an alert, as far as it follows from what was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OccurrenceRow {
    /// Its own start.
    pub starts_at: Timestamp,
    /// Its end; none while it goes on.
    pub ends_at: Option<Timestamp>,
    /// By when it was over, where the end is not known exactly.
    pub ends_by: Option<Timestamp>,
    /// How km came by its end.
    pub end_provenance: Option<Provenance>,
    /// The best way in which km heard of it.
    pub provenance: Provenance,
    /// How many starts it covers.
    pub starts: u64,
}

/// A link of the chain over the ledger: it covers the applied rows after the seal before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seal {
    /// The last position it covers.
    pub through: i64,
    /// How many applied rows it covers.
    pub records: u64,
    /// SHA-256 over the seal before it, the rows it covers, and when it was made.
    pub hash: ContentHash,
    /// When it was made.
    pub sealed_at: Timestamp,
}
