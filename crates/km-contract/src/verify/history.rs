//! What the payloads of the ledger say, against its own columns and against the entries.

use std::collections::HashMap;

use km_model::limits::FUTURE_SECONDS_MAX;
use km_model::{
    ApprovalStatus, ContentHash, EntryId, EntryKey, Outcome, TenantId, Timestamp, Write, WriteDocument,
    WriteId,
};

use super::links::Links;
use super::{PAGE, Verdict};
use crate::port::{Columns, EntryRow, LedgerRow, Placement, RecordState, Snapshot, StoreError};

/// What follows from the ledger, as far as it was read.
#[derive(Default)]
pub(super) struct History {
    pub(super) entries: Entries,
    pub(super) links: Links,
}

impl History {
    pub(super) fn read(&mut self, row: &LedgerRow, verdict: &mut Verdict) {
        verdict.writes += 1;
        let record = &row.record;
        let id = &record.write_id;
        if ContentHash::of(&record.payload) != record.content_hash {
            verdict.broken(format!("the content of {id} does not match its hash"));
        }
        let RecordState::Applied(placement) = &record.state else { return };
        let Some(write) = read_write(&record.payload) else {
            verdict.broken(format!("the write {id} cannot be read"));
            return;
        };
        if columns_of(&write) != row.columns {
            verdict.broken(format!("the write {id} is filed under other ids than it names"));
        }
        if write.occurred_at.is_some_and(|stated| !counts_as(stated, record.occurred_at)) {
            verdict.broken(format!("the write {id} is kept as of another time than it states"));
        }
        self.entries.read(row, placement, EntryKey::of(&write, id), verdict);
        self.links.read(record, &write);
    }
}

/// Reads what is kept without asking again whether it keeps today's limits.
fn read_write(payload: &[u8]) -> Option<Write> {
    let document: WriteDocument = serde_json::from_slice(payload).ok()?;
    Write::try_from(WriteDocument {
        content: None,
        title: Some("kept".to_owned()),
        tags: None,
        labels: None,
        metadata: None,
        source: None,
        ..document
    })
    .ok()
}

fn columns_of(write: &Write) -> Columns {
    Columns {
        path: Some(write.path.kind().as_str().to_owned()),
        incident: write.path.incident().map(ToString::to_string),
        approval: write.path.approval().map(ToString::to_string),
        approval_status: write.path.approval_status().map(ApprovalStatus::as_str).map(str::to_owned),
        playbook: write.playbook.as_ref().map(ToString::to_string),
    }
}

/// Whether a write that states a time may count as of another: only one that lay too far ahead when it came in.
fn counts_as(stated: Timestamp, occurred_at: Timestamp) -> bool {
    stated == occurred_at || stated.seconds_since(occurred_at) > FUTURE_SECONDS_MAX
}

/// The entries that follow from the ledger.
#[derive(Default)]
pub(super) struct Entries(HashMap<(TenantId, EntryId), Expected>);

struct Expected {
    key: String,
    head: (Timestamp, WriteId),
    head_position: i64,
    newest: i64,
    revisions: u64,
}

impl Entries {
    /// Applies a write again, as it was applied then.
    fn read(&mut self, row: &LedgerRow, placement: &Placement, key: EntryKey, verdict: &mut Verdict) {
        let record = &row.record;
        if EntryId::of(&record.tenant, &key) != placement.entry_id {
            verdict.broken(format!("the write {} stands in the wrong entry", record.write_id));
        }
        let version = (record.occurred_at, record.write_id.clone());
        let entry = (record.tenant.clone(), placement.entry_id);
        let known = self.0.get(&entry);
        let outcome = match known {
            None => Outcome::Created,
            Some(known) if version > known.head => Outcome::Revised,
            Some(_) => Outcome::Superseded,
        };
        let revision = known.map_or(1, |known| known.revisions + 1);
        let previous = known.map(|known| known.newest);
        if (placement.outcome, placement.revision, row.previous) != (outcome, revision, previous) {
            let id = &record.write_id;
            verdict.broken(format!("the write {id} does not stand where it was applied in its entry"));
        }
        let expected = self.0.entry(entry).or_insert_with(|| Expected {
            key: key.to_string(),
            head: version.clone(),
            head_position: record.position,
            newest: record.position,
            revisions: 0,
        });
        expected.revisions += 1;
        expected.newest = record.position;
        if version > expected.head {
            (expected.head, expected.head_position) = (version, record.position);
        }
    }

    pub(super) async fn check(
        mut self,
        snapshot: &dyn Snapshot,
        verdict: &mut Verdict,
    ) -> Result<(), StoreError> {
        let mut after = None;
        loop {
            let page = snapshot.entry_rows(after.as_ref(), PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some((last.tenant.clone(), last.entry_id));
            for row in &page {
                verdict.entries += 1;
                match self.0.remove(&(row.tenant.clone(), row.entry_id)) {
                    Some(expected) => check_entry(row, &expected, verdict),
                    None => verdict.broken(format!("the entry {} has no write", row.entry_id)),
                }
            }
        }
        for (_, entry_id) in self.0.into_keys() {
            verdict.broken(format!("the entry {entry_id} is missing"));
        }
        Ok(())
    }
}

fn check_entry(row: &EntryRow, expected: &Expected, verdict: &mut Verdict) {
    let id = row.entry_id;
    let head = (row.head, row.head_occurred_at, &row.head_write_id);
    if head != (expected.head_position, expected.head.0, &expected.head.1) {
        verdict.broken(format!("the head of {id} is not its newest revision"));
    }
    if (row.newest, row.revisions) != (expected.newest, expected.revisions) {
        verdict.broken(format!("the entry {id} does not count its revisions to the last"));
    }
    if row.key != expected.key {
        verdict.broken(format!("the entry {id} has another key than its writes"));
    }
}
