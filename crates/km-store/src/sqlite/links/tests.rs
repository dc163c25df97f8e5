//! Repairs of links and approvals, from inside.

use std::sync::Arc;

use km_contract::conformance::{Hands, approval, tenant, write_id};
use km_contract::{Admission, Arrival, HealthBoard};
use km_model::{ApprovalStatus, Verdict};

use super::*;
use crate::sqlite::classify::failed;
use crate::sqlite::{OpenOptions, SqliteStore};

fn store() -> (SqliteStore, tempfile::TempDir) {
    let directory = tempfile::TempDir::new().unwrap();
    let options = OpenOptions { allow_volatile: true, index: false, ..OpenOptions::at(directory.path()) };
    (SqliteStore::open(&options, Hands::at_seconds(1_000), HealthBoard::default()).unwrap(), directory)
}

async fn commit(store: &SqliteStore, id: &str, status: ApprovalStatus, seconds: i64) {
    use km_contract::port::{Ledger, OnApplied};
    let write = approval("APP-1", "INC-1", Verdict::Manual, status, Some(seconds));
    let admission = Admission::new(Hands::at_seconds(1_000));
    let admitted = admission.admit(&tenant(), Some(write_id(id)), write, Arrival::Call).unwrap();
    store.commit(&[Arc::new(admitted)], OnApplied::default()).await.unwrap();
}

async fn change(store: &SqliteStore, sql: &'static str) {
    let change = |t: &Transaction<'_>| t.execute_batch(sql).map_err(failed);
    store.writer().unwrap().transact(change).await.unwrap();
}

async fn look(store: &SqliteStore, listing: Listing) -> Vec<Stated> {
    store.readers.call(move |reader| stated(&reader.ledger, listing, &Key::default())).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_that_begins_earlier_than_any_write_states_is_not_touched() {
    let (store, _directory) = store();
    commit(&store, "a", ApprovalStatus::Approved, 20).await;
    change(&store, "UPDATE links SET since = 7").await;
    let seen = look(&store, Listing::ApprovalLinks).await;
    assert!(matches!(&seen[..], [Stated { kept: true, right: true, .. }]), "{seen:?}");
    let mended = move |t: &Transaction<'_>| mend_few(t, Listing::ApprovalLinks, &seen);
    assert_eq!(store.writer().unwrap().transact(mended).await.unwrap(), (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repair_never_undoes_what_a_write_stated_meanwhile() {
    let (store, _directory) = store();
    let writer = store.writer().unwrap();
    commit(&store, "a", ApprovalStatus::Approved, 20).await;
    change(&store, "DELETE FROM links; DELETE FROM approvals").await;
    let (links, approvals) =
        (look(&store, Listing::ApprovalLinks).await, look(&store, Listing::Approvals).await);
    for seen in [&links, &approvals] {
        assert!(matches!(&seen[..], [Stated { kept: false, right: false, .. }]), "{seen:?}");
    }
    commit(&store, "b", ApprovalStatus::Revoked, 30).await;
    commit(&store, "c", ApprovalStatus::Approved, 10).await;
    writer.transact(move |t| mend_few(t, Listing::ApprovalLinks, &links)).await.unwrap();
    writer.transact(move |t| mend_few(t, Listing::Approvals, &approvals)).await.unwrap();
    let sql = "SELECT l.since, a.status, a.status_at, a.approved_since FROM links AS l, approvals AS a";
    let row = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?));
    let found = store.readers.call(move |r| find::one(&r.ledger, sql, [], row)).await.unwrap();
    let second = 1_000_000;
    assert_eq!(found, Some((10 * second, "revoked".to_owned(), 30 * second, 10 * second)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_comparison_reads_the_ledger_from_indexes_alone() {
    let (store, _directory) = store();
    for listing in Listing::ALL {
        for sql in [listing.stated(), listing.mend(), include_str!("../sql/kept_links.sql")] {
            let plan = store.readers.call(move |r| plan(&r.ledger, sql)).await.unwrap();
            let on_ledger: Vec<_> = plan.iter().filter(|step| step.contains(" ledger")).collect();
            assert!(!on_ledger.is_empty(), "{plan:?}");
            assert!(on_ledger.iter().all(|step| step.contains("USING COVERING INDEX")), "{plan:?}");
        }
    }
}

fn plan(ledger: &Connection, sql: &str) -> Result<Vec<String>, StoreError> {
    let explain = format!("EXPLAIN QUERY PLAN {sql}");
    let parameters = ledger.prepare(&explain).map_err(failed)?.parameter_count();
    let nothing = rusqlite::params_from_iter(vec![""; parameters]);
    find::all(ledger, &explain, nothing, |row| row.get(3))
}
