//! The history checker: what was acknowledged is there, once, unchanged, and everything derived agrees.
//!
//! It reads a whole store in pages and recomputes each invariant from the ledger alone. It keeps about
//! 200 bytes in memory for each entry and each link.

use std::collections::HashMap;

use km_model::{
    ApprovalId, ApprovalStatus, ContentHash, EntryId, EntryKey, IncidentId, LinkTarget, PlaybookSlug,
};
use km_model::{TenantId, Timestamp, Write, WriteDocument, WriteId};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::port::{Audit, EntryRow, Ledger, LinkRow, Record, RecordState, Seal, StoreError};

/// Rows that one look takes.
const PAGE: usize = 1_000;
/// Findings that are listed; more are only counted.
const LISTED_MAX: usize = 100;

/// What the checker counted and found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Verdict {
    /// Rows of the ledger that were hashed again.
    pub writes: u64,
    /// Entries whose head was computed again.
    pub entries: u64,
    /// Links that were computed again.
    pub links: u64,
    /// Dead letters that were seen whole.
    pub dead_letters: u64,
    /// Seals that were computed again.
    pub seals: u64,
    /// Receipts that were looked up.
    pub receipts: u64,
    /// Acknowledged writes that are not there, or not as they were.
    pub lost: u64,
    /// Broken promises in all.
    pub broken: u64,
    /// The first of them, in words.
    pub findings: Vec<String>,
}

/// A receipt as a client keeps it, one JSON object a line.
#[derive(Clone, Debug, Deserialize)]
pub struct KeptReceipt {
    /// The idempotency key.
    pub write_id: String,
    /// The entry.
    pub entry_id: String,
    /// SHA-256 of the canonical form.
    pub content_hash: String,
}

impl Verdict {
    /// Whether nothing is wrong.
    pub const fn is_sound(&self) -> bool {
        self.broken == 0
    }

    fn broken(&mut self, finding: String) {
        self.broken += 1;
        if self.findings.len() < LISTED_MAX {
            self.findings.push(finding);
        }
    }
}

/// Checks every row and every invariant of a store.
///
/// # Errors
/// The store's failure to be read; what is read and wrong is a finding.
pub async fn verify(audit: &dyn Audit) -> Result<Verdict, StoreError> {
    let mut verdict = Verdict::default();
    for fault in audit.integrity().await? {
        verdict.broken(format!("the database reports: {fault}"));
    }
    let mut history = History::default();
    let mut after = 0;
    loop {
        let page = audit.records(after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = last.position;
        page.iter().for_each(|record| history.read(record, &mut verdict));
    }
    check_entries(audit, history.entries, &mut verdict).await?;
    check_links(audit, history.links, &mut verdict).await?;
    check_seals(audit, &mut verdict).await?;
    Ok(verdict)
}

/// Looks up every receipt: each acknowledged write is there, with the same content, in the same entry.
///
/// # Errors
/// The store's failure to be read.
pub async fn verify_receipts(
    ledger: &dyn Ledger,
    tenant: &TenantId,
    receipts: impl IntoIterator<Item = KeptReceipt>,
    verdict: &mut Verdict,
) -> Result<(), StoreError> {
    for receipt in receipts {
        verdict.receipts += 1;
        let Ok(write_id) = WriteId::parse(receipt.write_id.as_str()) else {
            verdict.broken(format!("`{}` is no write id", receipt.write_id));
            continue;
        };
        let found = ledger.find(tenant, &write_id).await?;
        if !found.is_some_and(|record| agrees(&record, &receipt)) {
            verdict.lost += 1;
            verdict.broken(format!("the acknowledged write {write_id} is not there as it was acknowledged"));
        }
    }
    Ok(())
}

fn agrees(record: &Record, receipt: &KeptReceipt) -> bool {
    let RecordState::Applied(placement) = &record.state else { return false };
    placement.entry_id.to_string() == receipt.entry_id
        && record.content_hash.to_string() == receipt.content_hash
        && ContentHash::of(&record.payload) == record.content_hash
}

/// What the ledger says, as far as it was read.
#[derive(Default)]
struct History {
    entries: HashMap<(TenantId, EntryId), Expected>,
    links: HashMap<LinkKey, ExpectedLink>,
}

struct Expected {
    head: (Timestamp, WriteId),
    revisions: u64,
}

type LinkKey = (TenantId, IncidentId, Target);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Target {
    Approval(ApprovalId),
    Playbook(PlaybookSlug),
}

struct ExpectedLink {
    since: Timestamp,
    status: Option<((Timestamp, WriteId), ApprovalStatus)>,
}

impl History {
    fn read(&mut self, record: &Record, verdict: &mut Verdict) {
        verdict.writes += 1;
        let id = &record.write_id;
        if ContentHash::of(&record.payload) != record.content_hash {
            verdict.broken(format!("the content of {id} does not match its hash"));
        }
        let RecordState::Applied(placement) = &record.state else {
            verdict.dead_letters += 1;
            if record.payload.is_empty() {
                verdict.broken(format!("the dead letter {id} has no payload"));
            }
            return;
        };
        let Some(write) = read_write(&record.payload) else {
            verdict.broken(format!("the write {id} cannot be read"));
            return;
        };
        let entry_id = EntryId::of(&record.tenant, &EntryKey::of(&write, id));
        if entry_id != placement.entry_id {
            verdict.broken(format!("the write {id} stands in the wrong entry"));
        }
        self.count(record, entry_id);
        self.link(record, &write);
    }

    fn count(&mut self, record: &Record, entry_id: EntryId) {
        let version = (record.occurred_at, record.write_id.clone());
        let key = (record.tenant.clone(), entry_id);
        let expected = self.entries.entry(key).or_insert(Expected { head: version.clone(), revisions: 0 });
        expected.revisions += 1;
        if version > expected.head {
            expected.head = version;
        }
    }

    fn link(&mut self, record: &Record, write: &Write) {
        let Some(incident) = write.path.incident() else { return };
        let version = (record.occurred_at, record.write_id.clone());
        let approval = write.path.approval().map(|approval| Target::Approval(approval.clone()));
        let playbook = write.playbook.as_ref().map(|playbook| Target::Playbook(playbook.clone()));
        for target in [approval, playbook].into_iter().flatten() {
            let says = matches!(target, Target::Approval(_)).then(|| write.path.approval_status()).flatten();
            let key = (record.tenant.clone(), incident.clone(), target);
            let link = self.links.entry(key).or_insert(ExpectedLink { since: version.0, status: None });
            link.since = link.since.min(version.0);
            if let Some(status) = says
                && link.status.as_ref().is_none_or(|(newest, _)| version > *newest)
            {
                link.status = Some((version.clone(), status));
            }
        }
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

async fn check_entries(
    audit: &dyn Audit,
    mut expected: HashMap<(TenantId, EntryId), Expected>,
    verdict: &mut Verdict,
) -> Result<(), StoreError> {
    let mut after = None;
    loop {
        let page = audit.entry_rows(after.as_ref(), PAGE).await?;
        let Some(last) = page.last() else { break };
        after = Some((last.tenant.clone(), last.entry_id));
        for row in &page {
            verdict.entries += 1;
            match expected.remove(&(row.tenant.clone(), row.entry_id)) {
                Some(expected) => check_entry(row, &expected, verdict),
                None => verdict.broken(format!("the entry {} has no write", row.entry_id)),
            }
        }
    }
    for (_, entry_id) in expected.into_keys() {
        verdict.broken(format!("the entry {entry_id} is missing"));
    }
    Ok(())
}

fn check_entry(row: &EntryRow, expected: &Expected, verdict: &mut Verdict) {
    if (row.head_occurred_at, &row.head_write_id) != (expected.head.0, &expected.head.1) {
        verdict.broken(format!("the head of {} is not its newest revision", row.entry_id));
    }
    if row.revisions != expected.revisions {
        verdict.broken(format!("the entry {} counts its revisions wrongly", row.entry_id));
    }
}

async fn check_links(
    audit: &dyn Audit,
    mut expected: HashMap<LinkKey, ExpectedLink>,
    verdict: &mut Verdict,
) -> Result<(), StoreError> {
    let mut offset = 0;
    loop {
        let page = audit.link_rows(offset, PAGE).await?;
        if page.is_empty() {
            break;
        }
        offset += page.len();
        for row in page {
            verdict.links += 1;
            check_link(&row, &mut expected, verdict);
        }
    }
    for (_, incident, target) in expected.into_keys() {
        verdict.broken(format!("the link from {incident} to {target:?} is missing"));
    }
    Ok(())
}

fn check_link(row: &LinkRow, expected: &mut HashMap<LinkKey, ExpectedLink>, verdict: &mut Verdict) {
    let (target, status) = match &row.link.target {
        LinkTarget::Approval(approval, status) => (Target::Approval(approval.clone()), *status),
        LinkTarget::Playbook(playbook) => (Target::Playbook(playbook.clone()), None),
    };
    let key = (row.tenant.clone(), row.link.incident.clone(), target);
    // A link that no write states may come from an older system; links only grow.
    let Some(expected) = expected.remove(&key) else { return };
    if row.link.since != expected.since || status != expected.status.map(|(_, status)| status) {
        verdict.broken(format!("the link from {} to {:?} differs from what the ledger states", key.1, key.2));
    }
}

async fn check_seals(audit: &dyn Audit, verdict: &mut Verdict) -> Result<(), StoreError> {
    let mut previous =
        Seal { through: 0, records: 0, hash: ContentHash::of(b""), sealed_at: Timestamp::from_micros(0) };
    loop {
        let page = audit.seals(previous.through, PAGE).await?;
        if page.is_empty() {
            return Ok(());
        }
        for seal in page {
            verdict.seals += 1;
            let (hash, records) = seal_over(audit, &previous, seal.through).await?;
            if (hash, records) != (seal.hash, seal.records) {
                verdict.broken(format!(
                    "the ledger through position {} was changed after it was sealed",
                    seal.through
                ));
            }
            previous = seal;
        }
    }
}

async fn seal_over(
    audit: &dyn Audit,
    previous: &Seal,
    through: i64,
) -> Result<(ContentHash, u64), StoreError> {
    let mut chain = SealChain::after(&previous.hash);
    let mut after = previous.through;
    loop {
        let page = audit.records(after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(chain.finish()) };
        after = last.position;
        for record in page.iter().take_while(|record| record.position <= through) {
            if matches!(record.state, RecordState::Applied(_)) {
                chain.add(record.position, &record.tenant, &record.write_id, &record.content_hash);
            }
        }
        if after >= through {
            return Ok(chain.finish());
        }
    }
}

/// The hash of a seal: over the seal before it, then over each applied row.
pub struct SealChain {
    digest: Sha256,
    records: u64,
}

impl SealChain {
    /// Begins a seal behind another.
    pub fn after(previous: &ContentHash) -> Self {
        let mut digest = Sha256::new_with_prefix(b"km.seal.v1\0");
        digest.update(previous.as_bytes());
        Self { digest, records: 0 }
    }

    /// Covers one applied row.
    pub fn add(&mut self, position: i64, tenant: &TenantId, write_id: &WriteId, content: &ContentHash) {
        self.digest.update(position.to_be_bytes());
        self.digest.update(tenant.as_str());
        self.digest.update(b"\0");
        self.digest.update(write_id.as_str());
        self.digest.update(b"\0");
        self.digest.update(content.as_bytes());
        self.records += 1;
    }

    /// The hash, and how many rows it covers.
    pub fn finish(self) -> (ContentHash, u64) {
        (ContentHash::from_bytes(self.digest.finalize().into()), self.records)
    }
}
