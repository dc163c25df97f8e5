//! Repairs of links and approvals, from inside.

use std::sync::Arc;

use km_contract::conformance::{Hands, approval, tenant, write_id};
use km_contract::{Admission, Arrival, HealthBoard};
use km_model::{ApprovalStatus, Verdict};

use super::*;
use crate::sqlite::{OpenOptions, SqliteStore};

fn store() -> (SqliteStore, tempfile::TempDir) {
    let directory = tempfile::TempDir::new().unwrap();
    let options = OpenOptions { allow_volatile: true, index: false, ..OpenOptions::at(directory.path()) };
    (SqliteStore::open(&options, Hands::at_seconds(1_000), HealthBoard::default()).unwrap(), directory)
}

async fn commit(store: &SqliteStore, id: &str, status: ApprovalStatus, seconds: i64) {
    use km_contract::port::Ledger;
    let write = approval("APP-1", "INC-1", Verdict::Manual, status, Some(seconds));
    let admission = Admission::new(Hands::at_seconds(1_000));
    let admitted = admission.admit(&tenant(), Some(write_id(id)), write, Arrival::Call).unwrap();
    store.commit(&[Arc::new(admitted)]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repair_never_undoes_what_a_write_stated_meanwhile() {
    let (store, _directory) = store();
    let writer = store.writer().unwrap();
    commit(&store, "a", ApprovalStatus::Approved, 20).await;
    let damage = |t: &Transaction<'_>| {
        t.execute_batch("DELETE FROM links; DELETE FROM approvals").map_err(super::super::classify::failed)
    };
    writer.transact(damage).await.unwrap();
    let look = |listing| store.readers.call(move |r| stated(&r.ledger, listing, &Key::default()));
    let (links, approvals) =
        (look(Listing::ApprovalLinks).await.unwrap(), look(Listing::Approvals).await.unwrap());
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
    let parameters = ledger.prepare(&explain).map_err(super::super::classify::failed)?.parameter_count();
    let nothing = rusqlite::params_from_iter(vec![""; parameters]);
    find::all(ledger, &explain, nothing, |row| row.get(3))
}
