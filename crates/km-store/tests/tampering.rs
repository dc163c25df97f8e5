//! `verify` finds what was changed behind its back, each for the right reason: a check that cannot fail is a defect.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed expectation is the test's verdict")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use km_contract::Arrival;
use km_contract::conformance::{Hands, Rig, approval, playbook, resolve, tenant, test_readers, write_id};
use km_contract::port::LetterFormat;
use km_contract::verify::{Verdict, verify, verify_with_seal};
use km_model::{
    AlertNotice, AlertStatus, ApprovalId, ApprovalStatus, ApprovalSubject, ContentHash, Fingerprint,
    Timestamp, Verdict as Way, Write, WriteDocument, WritePath,
};
use km_store::OpenOptions;
use rusqlite::Connection;
use rusqlite::functions::{Context, FunctionFlags};
use tempfile::TempDir;

/// A store that is closed, with one of everything in it and three seals; a few writes came after the last.
struct Original {
    directory: TempDir,
    seals: Vec<ContentHash>,
}

impl Original {
    async fn make() -> Self {
        let directory = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let clock = Hands::at_seconds(1_000_000);
        let store = km_store::open(OpenOptions::at(directory.path()), clock.clone()).await.unwrap();
        let rig = Rig::new(store, clock);
        let mut seals = Vec::new();
        write_first(&rig).await;
        seals.push(seal(&rig).await);
        write_second(&rig).await;
        seals.push(seal(&rig).await);
        rig.write("w-3", resolve("INC-3", "sealed last", Some(30))).await.unwrap();
        seals.push(seal(&rig).await);
        rig.write("w-late", resolve("INC-1", "older, and not sealed", Some(5))).await.unwrap();
        rig.write("w-4", resolve("INC-4", "not sealed", Some(40))).await.unwrap();
        rig.store.upkeep.close().await;
        Self { directory, seals }
    }

    /// A copy of the store, changed.
    fn tampered(&self, sql: &str) -> TempDir {
        let copy = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        std::fs::copy(ledger(self.directory.path()), ledger(copy.path())).unwrap();
        let raw = Connection::open(ledger(copy.path())).unwrap();
        let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
        let sha256 = |text: &mut Context<'_>| {
            Ok(ContentHash::of(text.get::<String>(0)?.as_bytes()).as_bytes().to_vec())
        };
        raw.create_scalar_function("sha256", 1, flags, sha256).unwrap();
        raw.execute_batch(sql).unwrap();
        copy
    }

    async fn verdict(&self, sql: &str, seal: Option<ContentHash>) -> Verdict {
        let copy = self.tampered(sql);
        let store = km_store::inspect(copy.path(), Hands::at_seconds(1)).await.unwrap();
        match seal {
            Some(seal) => verify_with_seal(&*store.audit, seal).await.unwrap(),
            None => verify(&*store.audit).await.unwrap(),
        }
    }
}

fn ledger(directory: &Path) -> PathBuf {
    directory.join("km.db")
}

async fn seal(rig: &Rig) -> ContentHash {
    rig.clock.advance_seconds(60);
    rig.store.upkeep.seal(Timestamp::from_micros(7)).await.unwrap().unwrap().hash
}

async fn write_first(rig: &Rig) {
    rig.write("w-new", resolve("INC-1", "new", Some(20))).await.unwrap();
    rig.write("w-old", resolve("INC-1", "old", Some(10))).await.unwrap();
    rig.write("w-now", resolve("INC-1", "as of its intake", None)).await.unwrap();
    let approved = approval("APP-1", "INC-1", Way::Manual, ApprovalStatus::Approved, Some(10));
    rig.write("w-approved", approved).await.unwrap();
    let about = ApprovalSubject::Approval { approval: ApprovalId::parse("APP-1").unwrap(), incident: None };
    let path = WritePath::Approval { verdict: Way::AutoOk, about, status: ApprovalStatus::Revoked };
    rig.write("w-revoked", Write { path, ..resolve("INC-1", "revoked", Some(20)) }).await.unwrap();
    for (starts_at, ends_at) in [(100, Some(200)), (150, Some(180)), (300, None)] {
        observe(rig, starts_at, ends_at).await;
    }
    rig.write("w-playbook", playbook("restart", Some("INC-1"), "restart it", Some(25))).await.unwrap();
}

async fn write_second(rig: &Rig) {
    park(rig, "parked").await;
    let discarded = park(rig, "discarded").await;
    rig.office.discard(&tenant(), &write_id(&discarded), "obsolete", "ann").await.unwrap();
    let settled = park(rig, "settled").await;
    let payload = String::from_utf8(WriteDocument::canonical(&resolve("INC-2", "edited", Some(10)))).unwrap();
    rig.office.edit(&tenant(), &write_id(&settled), payload, LetterFormat::Write, "ann").await.unwrap();
    rig.office.redrive(&tenant(), &write_id(&settled), "ann").await.unwrap();
    rig.write("w-2", resolve("INC-5", "alone in its entry", Some(10))).await.unwrap();
}

async fn observe(rig: &Rig, starts_at: i64, ends_at: Option<i64>) {
    let at = |seconds: i64| Timestamp::from_micros(seconds * 1_000_000);
    let notice = AlertNotice {
        fingerprint: Fingerprint::parse("f00d").unwrap(),
        status: ends_at.map_or(AlertStatus::Firing, |_| AlertStatus::Resolved),
        starts_at: Some(at(starts_at)),
        ends_at: ends_at.map(at),
        ends_by: None,
        provenance: km_model::Provenance::Delivered,
        labels: BTreeMap::new(),
        annotations: BTreeMap::new(),
        generator_url: None,
    };
    rig.writer.observe(&tenant(), vec![notice], test_readers().incident, Arrival::Call).await.unwrap();
}

async fn park(rig: &Rig, body: &str) -> String {
    let delivered = rig.intake.deliver(&tenant(), LetterFormat::Generic, body.as_bytes()).await.unwrap();
    delivered.parked[0].to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_untouched_store_is_sound() {
    let original = Original::make().await;
    for seal in [None, Some(original.seals[0]), Some(original.seals[2])] {
        let verdict = original.verdict("SELECT 1", seal).await;
        assert!(verdict.is_sound(), "{:?}", verdict.findings);
        assert_eq!((verdict.writes, verdict.entries, verdict.dead_letters), (13, 8, 2));
        assert_eq!((verdict.links, verdict.approvals, verdict.seals, verdict.alerts), (2, 1, 3, 3));
    }
}

/// What is done, and what `verify` says of it.
const TAMPERED: &[(&str, &str)] = &[
    // Entries.
    (
        "UPDATE entries SET head = (SELECT position FROM ledger WHERE write_id = 'w-old') WHERE revisions > 1",
        "the head of",
    ),
    ("UPDATE entries SET head_occurred_at = head_occurred_at + 1 WHERE head_write_id = 'w-2'", "the head of"),
    ("UPDATE entries SET head_write_id = 'w-new' WHERE revisions > 1", "the head of"),
    ("UPDATE entries SET newest = 1 WHERE revisions > 1", "does not count its revisions to the last"),
    ("UPDATE entries SET revisions = 9 WHERE revisions > 1", "does not count its revisions to the last"),
    ("UPDATE entries SET entry_key = 'incident:INC-9' WHERE head_write_id = 'w-2'", "has another key"),
    ("DELETE FROM entries WHERE head_write_id = 'w-2'", "is missing"),
    ("INSERT INTO entries VALUES ('default', zeroblob(16), 'write:x', 1, 1, 'w-new', 1, 1)", "has no write"),
    // The ledger, sealed and not sealed.
    ("UPDATE ledger SET revision = 77 WHERE write_id = 'w-old'", "does not stand where it was applied"),
    ("UPDATE ledger SET revision = 77 WHERE write_id = 'w-late'", "does not stand where it was applied"),
    ("UPDATE ledger SET outcome = 'revised' WHERE write_id = 'w-old'", "does not stand where it was applied"),
    (
        "UPDATE ledger SET outcome = 'replayed' WHERE write_id = 'w-late'",
        "does not stand where it was applied",
    ),
    ("UPDATE ledger SET outcome = 'odd' WHERE write_id = 'w-old'", "cannot be read to its end"),
    ("UPDATE ledger SET previous = NULL WHERE write_id = 'w-old'", "does not stand where it was applied"),
    ("UPDATE ledger SET previous = 1 WHERE write_id = 'w-late'", "does not stand where it was applied"),
    ("UPDATE ledger SET stored_at = 5 WHERE write_id = 'w-old'", "changed after it was sealed"),
    ("UPDATE ledger SET occurred_at = 7 WHERE write_id = 'w-old'", "another time than it states"),
    ("UPDATE ledger SET occurred_at = 7 WHERE write_id = 'w-late'", "another time than it states"),
    (
        "UPDATE ledger SET occurred_at = occurred_at + 1 WHERE write_id = 'w-now';
         UPDATE entries SET head_occurred_at = head_occurred_at + 1 WHERE head_write_id = 'w-now'",
        "changed after it was sealed",
    ),
    ("UPDATE ledger SET path = 'approval_manual' WHERE write_id = 'w-late'", "filed under other ids"),
    ("UPDATE ledger SET incident_id = 'INC-9' WHERE write_id = 'w-late'", "filed under other ids"),
    ("UPDATE ledger SET approval_id = 'APP-9' WHERE write_id = 'w-old'", "filed under other ids"),
    ("UPDATE ledger SET approval_status = 'approved' WHERE write_id = 'w-revoked'", "filed under other ids"),
    ("UPDATE ledger SET playbook = NULL WHERE write_id = 'w-playbook'", "filed under other ids"),
    ("UPDATE ledger SET entry_id = zeroblob(16) WHERE write_id = 'w-late'", "stands in the wrong entry"),
    ("UPDATE ledger SET tenant = 'other' WHERE write_id = 'w-late'", "stands in the wrong entry"),
    ("UPDATE ledger SET write_id = 'renamed' WHERE write_id = 'w-old'", "changed after it was sealed"),
    ("UPDATE ledger SET position = 99 WHERE write_id = 'w-late'", "does not count its revisions to the last"),
    ("UPDATE ledger SET position = -1 WHERE write_id = 'w-2'", "changed after it was sealed"),
    (
        "UPDATE ledger SET payload = replace(payload, 'old', 'odd') WHERE write_id = 'w-old'",
        "does not match its hash",
    ),
    (
        "UPDATE ledger SET payload = replace(payload, 'old', 'odd'),
             content_hash = sha256(replace(payload, 'old', 'odd'))
         WHERE write_id = 'w-old'",
        "changed after it was sealed",
    ),
    (
        "UPDATE ledger SET payload = 'x', content_hash = sha256('x') WHERE write_id = 'w-late'",
        "cannot be read",
    ),
    ("DELETE FROM ledger WHERE write_id = 'w-old'", "does not stand where it was applied"),
    ("DELETE FROM ledger WHERE write_id = 'w-late'", "does not count its revisions to the last"),
    // An acknowledged write, with its entry and every seal since.
    (
        "DELETE FROM ledger WHERE write_id = 'w-2';
         DELETE FROM entries WHERE head_write_id = 'w-2';
         DELETE FROM seals WHERE through > 6",
        "places of the ledger are empty",
    ),
    // Seals.
    ("DELETE FROM seals WHERE through = (SELECT min(through) FROM seals)", "changed after it was sealed"),
    (
        "DELETE FROM seals WHERE through = (
             SELECT max(through) FROM seals WHERE through < (SELECT max(through) FROM seals)
         )",
        "changed after it was sealed",
    ),
    ("UPDATE seals SET hash = zeroblob(32) WHERE through = 6", "changed after it was sealed"),
    ("UPDATE seals SET records = records + 1 WHERE through = 6", "changed after it was sealed"),
    ("UPDATE seals SET sealed_at = sealed_at + 1 WHERE through = 6", "changed after it was sealed"),
    ("UPDATE seals SET through = through + 1 WHERE through = 6", "changed after it was sealed"),
    // Dead letters.
    ("DELETE FROM letters", "why"),
    (
        "DELETE FROM letters WHERE write_id IN (SELECT write_id FROM ledger WHERE state = 'applied')",
        "which is no dead letter",
    ),
    ("DELETE FROM letter_events", "what happened to the dead letter"),
    ("DELETE FROM letter_events WHERE id = 2", "before event 3 is missing"),
    ("DELETE FROM letter_events WHERE what = 'settled'", "where its history ends"),
    ("DELETE FROM letter_events WHERE what = 'discarded'", "where its history ends"),
    ("DELETE FROM ledger WHERE state = 'parked'", "is not in the ledger"),
    (
        "DELETE FROM letter_events WHERE write_id IN (SELECT write_id FROM ledger WHERE state = 'parked');
         DELETE FROM letters WHERE write_id IN (SELECT write_id FROM ledger WHERE state = 'parked');
         DELETE FROM ledger WHERE state = 'parked'",
        "places of the ledger are empty",
    ),
    ("UPDATE ledger SET state = 'discarded' WHERE state = 'parked'", "where its history ends"),
    ("UPDATE ledger SET state = 'pending' WHERE state = 'discarded'", "where its history ends"),
    ("UPDATE ledger SET payload = 'other' WHERE state = 'parked'", "does not match its hash"),
    ("UPDATE ledger SET payload = '', content_hash = sha256('') WHERE state = 'parked'", "has no payload"),
    (
        "UPDATE ledger SET incident_id = 'INC-1', approval_id = 'APP-9' WHERE state = 'parked'",
        "as if it were applied",
    ),
    // Alerts.
    ("DELETE FROM alerts", "2 occurrences of alerts are kept, 0 follow"),
    ("DELETE FROM alerts WHERE starts_at = 100000000", "does not follow from what was said"),
    ("DELETE FROM alerts WHERE starts_at = 150000000", "does not follow from what was said"),
    ("DELETE FROM alerts WHERE starts_at = 300000000", "2 occurrences of alerts are kept, 1 follow"),
    (
        "UPDATE alerts SET ends_at = ends_at + 1 WHERE starts_at = 100000000",
        "does not follow from what was said",
    ),
    ("DELETE FROM occurrences", "has no occurrence"),
    ("DELETE FROM occurrences WHERE starts_at = 300000000", "does not follow from what was said"),
    ("UPDATE occurrences SET ends_at = NULL", "does not follow from what was said"),
    ("UPDATE occurrences SET starts = 1", "does not follow from what was said"),
    (
        "UPDATE occurrences SET starts_at = 1 WHERE starts_at = 100000000",
        "does not follow from what was said",
    ),
    // Links and approvals.
    ("INSERT INTO links VALUES ('default', 'INC-1', 'approval', 'FORGED', 0)", "is stated by no write"),
    ("DELETE FROM links WHERE kind = 'playbook'", "is missing"),
    ("UPDATE links SET since = since + 1 WHERE kind = 'approval'", "begins when no write states"),
    ("UPDATE links SET since = since - 1 WHERE kind = 'playbook'", "begins when no write states"),
    ("UPDATE links SET kind = 'odd' WHERE kind = 'playbook'", "the database reports"),
    (
        "INSERT INTO approvals VALUES ('default', 'FORGED', 'approved', 1, 'w-new', 1)",
        "stands where no write states",
    ),
    ("DELETE FROM approvals", "where the approval APP-1 stands is missing"),
    ("UPDATE approvals SET status = 'approved'", "stands where no write states"),
    ("UPDATE approvals SET status_at = status_at + 1", "stands where no write states"),
    ("UPDATE approvals SET status_write_id = 'w-approved'", "stands where no write states"),
    ("UPDATE approvals SET approved_since = approved_since - 1", "stands where no write states"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_that_was_changed_is_found() {
    let original = Original::make().await;
    for (sql, expected) in TAMPERED {
        let verdict = original.verdict(&format!("PRAGMA ignore_check_constraints = ON; {sql}"), None).await;
        assert!(
            verdict.findings.iter().any(|finding| finding.contains(expected)),
            "{sql}\n{:?}",
            verdict.findings
        );
    }
}

/// From inside nothing tells that the newest writes were cut off with their seals; a seal kept elsewhere does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_seal_kept_elsewhere_shows_that_the_newest_writes_were_cut_off() {
    let original = Original::make().await;
    let cut = "DELETE FROM seals WHERE through = (SELECT max(through) FROM seals);
        DELETE FROM ledger WHERE write_id IN ('w-3', 'w-late', 'w-4');
        DELETE FROM entries WHERE head_write_id IN ('w-3', 'w-4');
        UPDATE entries SET newest = 3, revisions = 3 WHERE revisions = 4";
    assert!(original.verdict(cut, None).await.is_sound(), "that is what the seal is for");
    assert!(original.verdict(cut, Some(original.seals[1])).await.is_sound(), "that one is there still");
    let verdict = original.verdict(cut, Some(original.seals[2])).await;
    assert_eq!(verdict.broken, 1, "{:?}", verdict.findings);
    for cut in ["DELETE FROM seals", "DELETE FROM seals WHERE through = (SELECT max(through) FROM seals)"] {
        assert!(!original.verdict(cut, Some(original.seals[2])).await.is_sound(), "{cut}");
    }
}
