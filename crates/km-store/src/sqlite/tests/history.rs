//! The history of an entry whose rows were changed behind the store's back.

use km_contract::conformance::{Hands, Rig, resolve, tenant};
use km_contract::port::StoreErrorKind;
use rusqlite::Connection;
use tempfile::TempDir;

use super::super::{LEDGER_FILE, OpenOptions, open};
use super::directory;

/// A store whose only entry has four revisions.
async fn with_four_revisions() -> (Rig, km_model::EntryId, TempDir) {
    let data = directory();
    let clock = Hands::at_seconds(1_000_000);
    let options = OpenOptions { allow_volatile: true, ..OpenOptions::at(data.path()) };
    let rig = Rig::new(open(options, clock.clone()).await.unwrap(), clock);
    let mut entry = None;
    for n in 1..=4 {
        let written = rig.write(&format!("w-{n}"), resolve("INC-1", &format!("{n}"), Some(n))).await.unwrap();
        entry = Some(written.receipt.entry_id());
    }
    (rig, entry.unwrap(), data)
}

async fn numbers(rig: &Rig, entry: km_model::EntryId, before: Option<u64>, limit: usize) -> Vec<u64> {
    let revisions = rig.store.library.revisions(&tenant(), entry, before, limit).await.unwrap();
    revisions.iter().map(|revision| revision.revision).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_page_of_a_history_is_whole() {
    let (rig, entry, _data) = with_four_revisions().await;
    let cases: [(Option<u64>, usize, &[u64]); 8] = [
        (None, 10, &[4, 3, 2, 1]),
        (None, 2, &[4, 3]),
        (Some(3), 10, &[2, 1]),
        (Some(2), 1, &[1]),
        (Some(1), 10, &[]),
        (Some(0), 10, &[]),
        (Some(99), 1, &[4]),
        (None, 0, &[]),
    ];
    for (before, limit, expected) in cases {
        assert_eq!(numbers(&rig, entry, before, limit).await, expected, "{before:?} {limit}");
    }
    let unknown = km_model::EntryId::from_bytes([7; 16]);
    assert_eq!(numbers(&rig, unknown, None, 10).await, Vec::<u64>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_history_that_runs_in_a_circle_or_breaks_off_is_damage() {
    for damage in [
        "UPDATE ledger SET previous = position WHERE write_id = 'w-2'",
        "UPDATE ledger SET previous = (SELECT position FROM ledger WHERE write_id = 'w-4') WHERE write_id = 'w-2'",
        "UPDATE ledger SET previous = NULL WHERE write_id = 'w-3'",
        "UPDATE ledger SET revision = 7 WHERE write_id = 'w-1'",
        "UPDATE entries SET newest = 99",
    ] {
        let (rig, entry, data) = with_four_revisions().await;
        Connection::open(data.path().join(LEDGER_FILE)).unwrap().execute_batch(damage).unwrap();
        for before in [None, Some(2)] {
            let read = rig.store.library.revisions(&tenant(), entry, before, 10).await;
            assert_eq!(read.unwrap_err().kind, StoreErrorKind::Fatal, "{damage}");
        }
    }
}
