//! Where writes and alerts become durable.

use std::sync::Arc;

use async_trait::async_trait;
use km_model::{Alert, ContentHash, Durability, EntryId, LetterState, Outcome, TenantId, Timestamp, WriteId};

use super::StoreError;
use crate::{Admitted, AdmittedAlert};

/// The ledger of accepted writes: the truth from which all else follows.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// Applies `batch` as one transaction, all of it or none, and returns one answer for each write in
    /// order. `Ok` means that every answer is flushed as far as [`Ledger::durability`] says.
    ///
    /// Repeating a call is harmless: a write id that is there already is answered with its first
    /// placement. Two writes of one id in one batch are answered as if they came one after the other.
    ///
    /// # Errors
    /// [`StoreErrorKind::Unknown`](super::StoreErrorKind::Unknown) when the transaction may have been
    /// committed; any other kind means that nothing was.
    async fn commit(&self, batch: &[Arc<Admitted>], applied: OnApplied)
    -> Result<Vec<Committed>, StoreError>;

    /// Folds notices of alerts into their occurrences as one transaction, and returns the occurrence that
    /// each belongs to, in order, as it stands after all of them. Notices of one fingerprint whose intervals
    /// overlap are one occurrence: [`occurrence`](crate::occurrence) has the rule. A resolved notice without a
    /// start covers the last instant before its end; one without an end, and a firing one without a start, are
    /// placed by what is known when they come.
    ///
    /// When each occurrence was on, and by which names it is reached, follows from the set of notices that name
    /// their times and from when each was seen first and last: order and repetition change nothing. One notice
    /// may join occurrences that were apart, and part one that was whole. Whatever name an incident was ever
    /// answered with leads to its chain. Which of its names an occurrence carries is the smallest, as long as none
    /// of them was answered with a resolution or has knowledge of its own; from then on it is the smallest of
    /// those, and may depend on what was told first. A store may keep a bounded number of starts of one occurrence
    /// apart, and join a bounded number of occurrences at once.
    ///
    /// # Errors
    /// As [`Ledger::commit`].
    async fn observe(&self, alerts: &[AdmittedAlert]) -> Result<Vec<Alert>, StoreError>;

    /// What became of a write id, whether or not it was applied.
    ///
    /// # Errors
    /// Any kind but `Unknown`.
    async fn find(&self, tenant: &TenantId, write_id: &WriteId) -> Result<Option<Record>, StoreError>;

    /// What an acknowledgement of this store is worth; measured when it was opened.
    fn durability(&self) -> Durability;
}

/// Told by a store when a whole batch is applied and only its flush remains: the next one may be handed over
/// then, and has to wait for that flush in the store. A store that commits several batches at once, or cannot know,
/// drops it.
#[derive(Default)]
pub struct OnApplied(Option<Box<dyn FnOnce() + Send>>);

impl OnApplied {
    /// What happens then. It must be quick, for the flush waits for it.
    pub fn then(work: impl FnOnce() + Send + 'static) -> Self {
        Self(Some(Box::new(work)))
    }

    /// Tells it.
    pub fn tell(self) {
        if let Some(work) = self.0 {
            work();
        }
    }
}

/// What the ledger says of one write of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Committed {
    /// It was applied now.
    Applied(Placement),
    /// It was applied before, with the same content.
    Replayed(Placement),
    /// Its write id is taken by other content, or by a write that a person discarded.
    Conflict {
        /// The hash of what is kept under this write id.
        kept: ContentHash,
    },
}

/// Where an applied write stands in its entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placement {
    /// The entry.
    pub entry_id: EntryId,
    /// Counts from 1 in the order of application.
    pub revision: u64,
    /// Created, revised or superseded, as it was when the write was applied.
    pub outcome: Outcome,
    /// When it was committed, by the clock of the process that did.
    pub stored_at: Timestamp,
}

/// A row of the ledger.
#[derive(Clone, Debug)]
pub struct Record {
    /// Its place in the order of application, over all tenants.
    pub position: i64,
    /// Whose it is.
    pub tenant: TenantId,
    /// The idempotency key.
    pub write_id: WriteId,
    /// Whether it was applied.
    pub state: RecordState,
    /// When it was so, by the producer; when it came in, where the producer did not say.
    pub occurred_at: Timestamp,
    /// When it was kept first.
    pub stored_at: Timestamp,
    /// SHA-256 of `payload`.
    pub content_hash: ContentHash,
    /// The canonical document of the write, or the raw body of a letter that could not be read.
    pub payload: Vec<u8>,
}

/// Whether a row of the ledger was applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordState {
    /// It is a revision of an entry.
    Applied(Placement),
    /// It is a dead letter.
    Letter(LetterState),
}
