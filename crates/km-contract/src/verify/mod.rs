//! The history checker: what was acknowledged is there, once, unchanged, and everything derived agrees.
//!
//! It reads one moment of a whole store, each row once, and recomputes each invariant from the payloads of the
//! ledger alone. It keeps about 300 bytes in memory for each entry, link, approval and dead letter.
//!
//! What it cannot tell from inside: whether the newest seals, with the writes behind the seal before them, were cut
//! off whole (a seal kept elsewhere tells, see [`verify_with_seal`], and so do receipts); whether an alert was removed
//! with its occurrences; and content of a dead letter that was changed with its hash.

mod alerts;
mod history;
mod letters;
mod links;
mod seals;

use km_model::{ContentHash, TenantId, Timestamp, WriteId};
use serde::{Deserialize, Serialize, Serializer};

pub use seals::SealChain;

use self::history::History;
use self::letters::Letters;
use self::seals::Seals;
use crate::port::{Audit, Ledger, Record, RecordState, Seal, Snapshot, StoreError, StoreErrorKind};

/// Rows that one look takes.
const PAGE: usize = 1_000;
/// Rows of the ledger that one look takes: fewer, since each brings its payload.
const LEDGER_PAGE: usize = 200;
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
    /// Approvals whose standing was computed again.
    pub approvals: u64,
    /// Starts of alerts from which their occurrences were derived again.
    pub alerts: u64,
    /// Dead letters that were seen whole.
    pub dead_letters: u64,
    /// Seals that were computed again.
    pub seals: u64,
    /// The newest of them: kept elsewhere, it shows later whether the end of the chain was cut off.
    pub newest_seal: Option<SealShown>,
    /// Receipts that were looked up.
    pub receipts: u64,
    /// Acknowledged writes that are not there, or not as they were.
    pub lost: u64,
    /// Broken promises in all.
    pub broken: u64,
    /// The first of them, in words.
    pub findings: Vec<String>,
}

/// A seal as people keep it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SealShown {
    /// The last position of the ledger that it covers.
    pub through: i64,
    /// Its hash.
    #[serde(serialize_with = "shown")]
    pub hash: ContentHash,
    /// When it was made.
    #[serde(serialize_with = "shown")]
    pub sealed_at: Timestamp,
}

fn shown<S: Serializer>(value: &impl ToString, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&value.to_string())
}

impl From<&Seal> for SealShown {
    fn from(seal: &Seal) -> Self {
        Self { through: seal.through, hash: seal.hash, sealed_at: seal.sealed_at }
    }
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

/// Checks every row and every invariant of a store, also beside a server that writes to it.
///
/// # Errors
/// The store's failure to be read; what is read and wrong is a finding.
pub async fn verify(audit: &dyn Audit) -> Result<Verdict, StoreError> {
    look(audit, None).await
}

/// As [`verify`], and holds the store to a seal that was kept elsewhere: it is in the chain still.
///
/// # Errors
/// As [`verify`].
pub async fn verify_with_seal(audit: &dyn Audit, seal: ContentHash) -> Result<Verdict, StoreError> {
    look(audit, Some(seal)).await
}

async fn look(audit: &dyn Audit, expected: Option<ContentHash>) -> Result<Verdict, StoreError> {
    let snapshot = audit.snapshot().await?;
    let mut verdict = Verdict::default();
    match check(&*snapshot, expected, &mut verdict).await {
        Ok(()) => {}
        Err(error) if error.kind == StoreErrorKind::Fatal => {
            verdict.broken(format!("the store cannot be read to its end: {}", error.code));
        }
        Err(error) => return Err(error),
    }
    Ok(verdict)
}

async fn check(
    snapshot: &dyn Snapshot,
    expected: Option<ContentHash>,
    verdict: &mut Verdict,
) -> Result<(), StoreError> {
    for fault in snapshot.integrity().await? {
        verdict.broken(format!("the database reports: {fault}"));
    }
    let (history, letters) = read_ledger(snapshot, expected, verdict).await?;
    history.entries.check(snapshot, verdict).await?;
    history.links.check(snapshot, verdict).await?;
    letters.check(snapshot, verdict).await?;
    alerts::check(snapshot, verdict).await
}

/// The one pass over the ledger: what follows from it, and its seals.
async fn read_ledger(
    snapshot: &dyn Snapshot,
    expected: Option<ContentHash>,
    verdict: &mut Verdict,
) -> Result<(History, Letters), StoreError> {
    let (mut history, mut letters, mut seals) =
        (History::default(), Letters::default(), Seals::expecting(expected));
    let mut after = i64::MIN;
    loop {
        let page = snapshot.ledger_rows(after, LEDGER_PAGE).await?;
        let Some(last) = page.last() else { break };
        after = last.record.position;
        seals.fetch(snapshot, after).await?;
        for row in &page {
            seals.read(row, verdict);
            letters.read(row, verdict);
            history.read(row, verdict);
        }
    }
    seals.finish(snapshot, verdict).await?;
    Ok((history, letters))
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
