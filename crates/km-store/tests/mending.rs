//! The link reconciler mends what is not as the ledger states, and nothing else.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed expectation is the test's verdict")]

use std::sync::Arc;

use km_contract::conformance::{Hands, Rig, approval, playbook, tenant, write_id};
use km_contract::port::{LinkReport, OnApplied, Store};
use km_contract::{Admitted, Arrival};
use km_model::{ApprovalStatus, Verdict};
use km_store::OpenOptions;
use tempfile::TempDir;

/// One more than a page of links, so that a repair has to turn the page.
const MANY: usize = 1_001;

async fn open() -> (Rig, rusqlite::Connection, TempDir) {
    let directory = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let clock = Hands::at_seconds(1_000_000);
    let store = km_store::open(OpenOptions::at(directory.path()), clock.clone()).await.unwrap();
    let raw = rusqlite::Connection::open(directory.path().join("km.db")).unwrap();
    (Rig::new(store, clock), raw, directory)
}

async fn mend(store: &Store) -> LinkReport {
    store.upkeep.mend_links().await.unwrap()
}

/// Every row of links and approvals, as text.
fn rows(raw: &rusqlite::Connection) -> Vec<String> {
    let sql = "SELECT concat_ws(' ', incident_id, kind, target_id, since) FROM links
        UNION ALL
        SELECT concat_ws(' ', approval_id, status, status_at, status_write_id, approved_since) FROM approvals";
    let mut statement = raw.prepare(sql).unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

async fn write_a_chain(rig: &Rig) {
    use ApprovalStatus::{Approved, Revoked};
    rig.write("a", approval("APP-1", "INC-1", Verdict::Manual, Approved, Some(10))).await.unwrap();
    rig.write("b", approval("APP-1", "INC-1", Verdict::AutoOk, Revoked, Some(20))).await.unwrap();
    rig.write("c", approval("APP-2", "INC-1", Verdict::Manual, Approved, Some(30))).await.unwrap();
    rig.write("e", approval("APP-3", "INC-1", Verdict::Manual, Approved, Some(35))).await.unwrap();
    rig.write("d", playbook("restart", Some("INC-1"), "restart it", Some(40))).await.unwrap();
}

async fn write_many(rig: &Rig) {
    let admit = |n: usize| -> Arc<Admitted> {
        let write =
            approval("APP-1", &format!("INC-{n:04}"), Verdict::Manual, ApprovalStatus::Approved, Some(10));
        let id = Some(write_id(&format!("w-{n}")));
        Arc::new(rig.writer.admission().admit(&tenant(), id, write, Arrival::Call).unwrap())
    };
    let batch: Vec<_> = (0..MANY).map(admit).collect();
    rig.store.ledger.commit(&batch, OnApplied::default()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_differs_from_the_ledger_is_mended_and_what_no_write_states_stays() {
    let (rig, raw, _directory) = open().await;
    write_a_chain(&rig).await;
    let sound = rows(&raw);
    raw.execute_batch(
        "DELETE FROM links WHERE target_id = 'restart';
         UPDATE links SET since = 99000000 WHERE target_id = 'APP-1';
         UPDATE approvals SET status = 'approved', status_at = 99000000 WHERE approval_id = 'APP-1';
         UPDATE approvals SET approved_since = NULL WHERE approval_id = 'APP-3';
         DELETE FROM approvals WHERE approval_id = 'APP-2'",
    )
    .unwrap();
    let report = mend(&rig.store).await;
    assert_eq!((report.stated, report.added, report.corrected, report.unstated), (4, 2, 3, 0));
    assert_eq!(rows(&raw), sound);
    raw.execute_batch(
        "INSERT INTO links VALUES ('default', 'INC-9', 'approval', 'BY-HAND', 5);
         INSERT INTO approvals VALUES ('default', 'BY-HAND', 'approved', 5, 'x', 5);
         UPDATE links SET since = 7000000 WHERE target_id = 'APP-1'",
    )
    .unwrap();
    let by_hand = rows(&raw);
    let report = mend(&rig.store).await;
    assert_eq!((report.added, report.corrected, report.unstated, report.without_incident), (0, 0, 1, 5));
    assert_eq!(rows(&raw), by_hand);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mending_again_or_twice_at_once_changes_nothing_more() {
    let (rig, raw, _directory) = open().await;
    write_many(&rig).await;
    let sound = rows(&raw);
    raw.execute_batch("DELETE FROM links; DELETE FROM approvals").unwrap();
    let (one, other) = tokio::join!(mend(&rig.store), mend(&rig.store));
    assert_eq!((one.added + other.added, one.corrected + other.corrected), (MANY as u64 + 1, 0));
    assert_eq!(rows(&raw), sound);
    let again = mend(&rig.store).await;
    assert_eq!((again.stated, again.added, again.corrected), (MANY as u64, 0, 0));
}

/// A write waits for the transaction before it. The failure of the last repair shows how much that is: all but
/// the few rows of its own transaction stand.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repair_keeps_writes_waiting_for_a_hundred_rows_at_most() {
    let (rig, raw, _directory) = open().await;
    write_many(&rig).await;
    raw.execute_batch(
        "DELETE FROM links;
         CREATE TRIGGER refuse BEFORE INSERT ON links WHEN NEW.incident_id = 'INC-0950'
         BEGIN SELECT RAISE(ABORT, 'refused'); END",
    )
    .unwrap();
    rig.store.upkeep.mend_links().await.unwrap_err();
    assert_eq!(rows(&raw).len(), 900 + 1, "nine hundred links and their approval");
    raw.execute_batch("DROP TRIGGER refuse").unwrap();
    assert_eq!(mend(&rig.store).await.added, 101);
}
