//! Seals: a chain of hashes over the applied rows of the ledger, made by the sealer and computed again here.

use std::collections::VecDeque;

use km_model::{ContentHash, Timestamp};
use sha2::{Digest, Sha256};

use super::{PAGE, SealShown, Verdict};
use crate::port::{LedgerRow, RecordState, Seal, Snapshot, StoreError};

/// The making of a seal: over the seal before it, then over every column of each applied row, which never change.
/// The payload is covered by its hash.
///
/// Numbers are 8 bytes, the greatest first; text and bytes follow their length; before what may be missing stands
/// 1 or, alone, 0. So no two rows read alike.
pub struct SealChain {
    digest: Sha256,
    through: i64,
    records: u64,
}

impl SealChain {
    /// Begins a seal behind another, or the first.
    pub fn after(previous: Option<&Seal>) -> Self {
        let mut digest = Sha256::new_with_prefix(b"km.seal.v1\0");
        digest.update(previous.map_or([0; 32], |seal| *seal.hash.as_bytes()));
        Self { digest, through: 0, records: 0 }
    }

    /// Covers a row if it is applied; a dead letter is none yet.
    pub fn add(&mut self, row: &LedgerRow) {
        let LedgerRow { record, previous, columns } = row;
        let RecordState::Applied(placement) = &record.state else { return };
        self.through = record.position;
        self.records += 1;
        self.number(record.position);
        self.bytes(record.tenant.as_str());
        self.bytes(record.write_id.as_str());
        self.bytes(placement.entry_id.as_bytes());
        self.digest.update(placement.revision.to_be_bytes());
        self.bytes(placement.outcome.as_str());
        self.optional(previous.map(i64::to_be_bytes));
        for column in
            [&columns.path, &columns.incident, &columns.approval, &columns.approval_status, &columns.playbook]
        {
            self.optional(column.as_deref());
        }
        self.number(record.occurred_at.as_micros());
        self.number(record.stored_at.as_micros());
        self.bytes(record.content_hash.as_bytes());
    }

    /// Ends the seal; `None` when it covers nothing.
    pub fn finish(mut self, sealed_at: Timestamp) -> Option<Seal> {
        let Self { through, records, .. } = self;
        self.number(sealed_at.as_micros());
        let hash = ContentHash::from_bytes(self.digest.finalize().into());
        (records > 0).then_some(Seal { through, records, hash, sealed_at })
    }

    fn number(&mut self, number: i64) {
        self.digest.update(number.to_be_bytes());
    }

    fn bytes(&mut self, bytes: impl AsRef<[u8]>) {
        self.digest.update((bytes.as_ref().len() as u64).to_be_bytes());
        self.digest.update(bytes);
    }

    fn optional(&mut self, bytes: Option<impl AsRef<[u8]>>) {
        self.digest.update([u8::from(bytes.is_some())]);
        if let Some(bytes) = bytes {
            self.bytes(bytes);
        }
    }
}

/// The seals of a store, computed again while the ledger is read.
pub(super) struct Seals {
    chain: SealChain,
    upcoming: VecDeque<Seal>,
    /// Where the listing goes on; `None` at its end.
    after: Option<i64>,
    expected: Option<ContentHash>,
}

impl Seals {
    /// Seals among which one has to be.
    pub(super) fn expecting(expected: Option<ContentHash>) -> Self {
        Self { chain: SealChain::after(None), upcoming: VecDeque::new(), after: Some(i64::MIN), expected }
    }

    /// Fetches the seals that cover the ledger up to a position.
    pub(super) async fn fetch(&mut self, snapshot: &dyn Snapshot, position: i64) -> Result<(), StoreError> {
        while let Some(after) = self.after.filter(|after| *after < position) {
            let page = snapshot.seals(after, PAGE).await?;
            self.after = page.last().map(|last| last.through);
            self.upcoming.extend(page);
        }
        Ok(())
    }

    pub(super) fn read(&mut self, row: &LedgerRow, verdict: &mut Verdict) {
        while let Some(seal) = self.upcoming.pop_front_if(|seal| seal.through < row.record.position) {
            self.close(seal, verdict);
        }
        self.chain.add(row);
    }

    pub(super) async fn finish(
        mut self,
        snapshot: &dyn Snapshot,
        verdict: &mut Verdict,
    ) -> Result<(), StoreError> {
        self.fetch(snapshot, i64::MAX).await?;
        while let Some(seal) = self.upcoming.pop_front() {
            self.close(seal, verdict);
        }
        if let Some(expected) = self.expected {
            verdict.broken(format!(
                "the seal {expected} is not in the chain: what it covered was cut off or changed"
            ));
        }
        Ok(())
    }

    fn close(&mut self, seal: Seal, verdict: &mut Verdict) {
        verdict.seals += 1;
        let chain = std::mem::replace(&mut self.chain, SealChain::after(Some(&seal)));
        if chain.finish(seal.sealed_at) != Some(seal) {
            verdict.broken(format!(
                "the ledger through position {} was changed after it was sealed",
                seal.through
            ));
        }
        self.expected = self.expected.filter(|expected| *expected != seal.hash);
        verdict.newest_seal = Some(SealShown::from(&seal));
    }
}

#[cfg(test)]
mod tests;
