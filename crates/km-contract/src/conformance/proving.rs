//! What `verify` says, and what it is held to.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use km_model::{
    ApprovalId, ApprovalStatus, ContentHash, EntryId, TenantId, Timestamp, Verdict, WriteDocument, WriteId,
};

use super::{Hands, Rig, approval, resolve, tenant, write_id};
use crate::port::{
    AlertRow, ApprovalRow, Audit, EntryRow, LedgerRow, LetterEventRow, LetterFormat, LetterRow, LinkRow,
    Seal, Snapshot, Store, StoreError,
};
use crate::verify::{SealShown, verify, verify_with_seal};
use crate::{Admitted, Arrival, Clock};

const AT: Timestamp = Timestamp::from_micros(5);

async fn seal(rig: &Rig) -> Option<Seal> {
    rig.store.upkeep.seal(AT).await.unwrap()
}

/// Every kind of change, over and over: revisions, approvals, letters parked and applied, seals.
async fn write_everything(rig: Rig) -> Rig {
    for n in 0..60 {
        let content = format!("revision {n}");
        let resolved = resolve(&format!("INC-{}", n % 7), &content, Some(n % 11));
        rig.write(&format!("i-{n}"), resolved).await.unwrap();
        let status = ApprovalStatus::ALL[usize::try_from(n).unwrap() % 3];
        let approved = approval(&format!("APP-{}", n % 5), "INC-1", Verdict::Manual, status, Some(n % 13));
        rig.write(&format!("a-{n}"), approved).await.unwrap();
        let delivered = rig.intake.deliver(&tenant(), LetterFormat::Write, content.as_bytes()).await;
        let parked = delivered.unwrap().parked.remove(0);
        let payload = WriteDocument::canonical(&resolve("INC-8", &content, Some(n)));
        let payload = String::from_utf8(payload).unwrap();
        rig.office.edit(&tenant(), &parked, payload, LetterFormat::Write, "ann").await.unwrap();
        rig.office.redrive(&tenant(), &parked, "ann").await.unwrap();
        seal(&rig).await.unwrap();
        rig.store.upkeep.mend_links().await.unwrap();
    }
    rig
}

pub async fn verifying_beside_writes_raises_no_false_alarm(store: Store, clock: Arc<Hands>) {
    let writing = tokio::spawn(write_everything(Rig::new(store.clone(), clock)));
    let mut moments = HashSet::new();
    while !writing.is_finished() {
        let verdict = verify(&*store.audit).await.unwrap();
        assert!(verdict.is_sound(), "{:?}", verdict.findings);
        moments.insert(verdict.writes);
    }
    assert!(moments.len() > 1, "it was written to meanwhile");
    let rig = writing.await.unwrap();
    assert!(verify(&*rig.store.audit).await.unwrap().is_sound());
}

/// What a sender says of the future counts from its intake; the content keeps what was said.
pub async fn a_delivery_that_claims_a_time_far_ahead_raises_no_alarm(store: Store, clock: Arc<Hands>) {
    let rig = Rig::new(store, clock);
    let ahead = rig.clock.now().as_micros() / 1_000_000 + 86_400;
    for (seconds, incident) in [(ahead, "INC-1"), (ahead + 1, "INC-1"), (1, "INC-1")] {
        let body = WriteDocument::canonical(&resolve(incident, "ahead", Some(seconds)));
        let delivered = rig.intake.deliver(&tenant(), LetterFormat::Write, &body).await.unwrap();
        assert_eq!(delivered.written.len(), 1);
        rig.clock.advance_seconds(1);
    }
    let verdict = verify(&*rig.store.audit).await.unwrap();
    assert!(verdict.is_sound(), "{:?}", verdict.findings);
}

pub async fn a_snapshot_does_not_see_what_is_written_later(store: Store, clock: Arc<Hands>) {
    let rig = Rig::new(store, clock);
    rig.write("w-1", resolve("INC-1", "before", None)).await.unwrap();
    let snapshot = rig.store.audit.snapshot().await.unwrap();
    rig.write("w-2", resolve("INC-2", "after", None)).await.unwrap();
    assert_eq!(snapshot.ledger_rows(i64::MIN, 10).await.unwrap().len(), 1);
    assert_eq!(snapshot.entry_rows(None, 10).await.unwrap().len(), 1);
}

pub async fn one_call_seals_everything_there_is(store: Store, clock: Arc<Hands>) {
    let rig = Rig::new(store, clock);
    let admit = |n: usize| -> Arc<Admitted> {
        let write = resolve(&format!("INC-{n}"), "x", Some(1));
        let id = Some(write_id(&format!("w-{n}")));
        Arc::new(rig.writer.admission().admit(&tenant(), id, write, Arrival::Call).unwrap())
    };
    for batch in 0..6 {
        let batch: Vec<_> = (batch * 2_000..(batch + 1) * 2_000).map(admit).collect();
        rig.store.ledger.commit(&batch).await.unwrap();
    }
    let newest = seal(&rig).await.unwrap();
    assert_eq!(newest.through, rig.store.upkeep.measures().await.unwrap().newest_position);
    assert_eq!(seal(&rig).await, None);
    let verdict = verify(&*rig.store.audit).await.unwrap();
    assert!(verdict.is_sound(), "{:?}", verdict.findings);
    assert_eq!(verdict.newest_seal, Some(SealShown::from(&newest)));
}

pub async fn two_sealers_at_once_make_one_chain(store: Store, clock: Arc<Hands>) {
    let rig = Rig::new(store, clock);
    for n in 0..20 {
        rig.write(&format!("w-{n}"), resolve("INC-1", &format!("revision {n}"), Some(n))).await.unwrap();
        let made = tokio::join!(seal(&rig), seal(&rig));
        assert!(made.0.is_some() != made.1.is_some(), "one of them was faster: {made:?}");
    }
    let verdict = verify(&*rig.store.audit).await.unwrap();
    assert!(verdict.is_sound() && verdict.seals == 20, "{verdict:?}");
}

pub async fn a_seal_kept_elsewhere_is_looked_for_in_the_chain(store: Store, clock: Arc<Hands>) {
    let rig = Rig::new(store, clock);
    rig.write("w-1", resolve("INC-1", "x", None)).await.unwrap();
    let kept = seal(&rig).await.unwrap();
    rig.write("w-2", resolve("INC-2", "x", None)).await.unwrap();
    let newest = seal(&rig).await.unwrap();
    assert_eq!(rig.store.audit.newest_seal().await.unwrap(), Some(newest));
    for hash in [kept.hash, newest.hash] {
        assert!(verify_with_seal(&*rig.store.audit, hash).await.unwrap().is_sound());
    }
    let verdict = verify_with_seal(&*rig.store.audit, ContentHash::of(b"another")).await.unwrap();
    assert_eq!(verdict.broken, 1, "{:?}", verdict.findings);
}

pub async fn verify_reads_each_row_once_however_many_seals_there_are(store: Store, clock: Arc<Hands>) {
    let rig = Rig::new(store, clock);
    for n in 0..30 {
        rig.write(&format!("w-{n}"), resolve("INC-1", &format!("revision {n}"), Some(n))).await.unwrap();
        seal(&rig).await.unwrap();
    }
    let counting = Counting { real: rig.store.audit.clone(), rows: Arc::default() };
    let verdict = verify(&counting).await.unwrap();
    assert!(verdict.is_sound(), "{:?}", verdict.findings);
    assert_eq!((verdict.writes, verdict.seals, counting.rows.load(Ordering::SeqCst)), (30, 30, 30));
}

/// An audit that counts the rows of the ledger that it hands out.
struct Counting {
    real: Arc<dyn Audit>,
    rows: Arc<AtomicUsize>,
}

struct CountingSnapshot {
    real: Box<dyn Snapshot>,
    rows: Arc<AtomicUsize>,
}

#[async_trait]
impl Audit for Counting {
    async fn snapshot(&self) -> Result<Box<dyn Snapshot>, StoreError> {
        Ok(Box::new(CountingSnapshot { real: self.real.snapshot().await?, rows: self.rows.clone() }))
    }

    async fn newest_seal(&self) -> Result<Option<Seal>, StoreError> {
        self.real.newest_seal().await
    }
}

#[async_trait]
impl Snapshot for CountingSnapshot {
    async fn ledger_rows(&self, after: i64, limit: usize) -> Result<Vec<LedgerRow>, StoreError> {
        let rows = self.real.ledger_rows(after, limit).await?;
        self.rows.fetch_add(rows.len(), Ordering::SeqCst);
        Ok(rows)
    }

    async fn entry_rows(
        &self,
        after: Option<&(TenantId, EntryId)>,
        limit: usize,
    ) -> Result<Vec<EntryRow>, StoreError> {
        self.real.entry_rows(after, limit).await
    }

    async fn link_rows(&self, after: Option<&LinkRow>, limit: usize) -> Result<Vec<LinkRow>, StoreError> {
        self.real.link_rows(after, limit).await
    }

    async fn approval_rows(
        &self,
        after: Option<&(TenantId, ApprovalId)>,
        limit: usize,
    ) -> Result<Vec<ApprovalRow>, StoreError> {
        self.real.approval_rows(after, limit).await
    }

    async fn letter_rows(
        &self,
        after: Option<&(TenantId, WriteId)>,
        limit: usize,
    ) -> Result<Vec<LetterRow>, StoreError> {
        self.real.letter_rows(after, limit).await
    }

    async fn letter_event_rows(&self, after: i64, limit: usize) -> Result<Vec<LetterEventRow>, StoreError> {
        self.real.letter_event_rows(after, limit).await
    }

    async fn alert_rows(&self, after: Option<&AlertRow>, limit: usize) -> Result<Vec<AlertRow>, StoreError> {
        self.real.alert_rows(after, limit).await
    }

    async fn occurrences(&self) -> Result<u64, StoreError> {
        self.real.occurrences().await
    }

    async fn seals(&self, after: i64, limit: usize) -> Result<Vec<Seal>, StoreError> {
        self.real.seals(after, limit).await
    }

    async fn integrity(&self) -> Result<Vec<String>, StoreError> {
        self.real.integrity().await
    }
}
