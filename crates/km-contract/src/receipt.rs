//! The proof of acknowledgement.

use km_model::{ContentHash, Durability, EntryId, Outcome, Timestamp, WriteId};

use crate::Admitted;
use crate::port::Placement;

/// The proof that a write is durable. Only the committer makes one, and only after the commit.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a receipt is the only proof that the write is durable"]
pub struct Receipt {
    write_id: WriteId,
    placement: Placement,
    content_hash: ContentHash,
    durability: Durability,
}

impl Receipt {
    pub(crate) fn new(admitted: &Admitted, placement: Placement, durability: Durability) -> Self {
        Self {
            write_id: admitted.write_id().clone(),
            placement,
            content_hash: *admitted.content_hash(),
            durability,
        }
    }

    /// The idempotency key: given or derived.
    pub const fn write_id(&self) -> &WriteId {
        &self.write_id
    }

    /// The entry that the write belongs to.
    pub const fn entry_id(&self) -> EntryId {
        self.placement.entry_id
    }

    /// Counts from 1 in the order of application.
    pub const fn revision(&self) -> u64 {
        self.placement.revision
    }

    /// What became of the write when it was applied: created, revised or superseded.
    pub const fn outcome(&self) -> Outcome {
        self.placement.outcome
    }

    /// SHA-256 of the write's canonical form, secrets redacted.
    pub const fn content_hash(&self) -> &ContentHash {
        &self.content_hash
    }

    /// What this acknowledgement is worth.
    pub const fn durability(&self) -> Durability {
        self.durability
    }

    /// When it was committed.
    pub const fn stored_at(&self) -> Timestamp {
        self.placement.stored_at
    }
}

/// The answer to a write that was applied, now or before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Created, revised or superseded; replayed when it was there already.
    pub outcome: Outcome,
    /// The receipt of the first application.
    pub receipt: Receipt,
}
