//! The sealer vouches for nothing that was changed.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed expectation is the test's verdict")]

use km_contract::conformance::{Hands, Rig, resolve};
use km_contract::port::{Seal, StoreError, StoreErrorKind};
use km_model::Timestamp;
use km_store::OpenOptions;
use tempfile::TempDir;

async fn open() -> (Rig, rusqlite::Connection, TempDir) {
    let directory = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let clock = Hands::at_seconds(1_000_000);
    let store = km_store::open(OpenOptions::at(directory.path()), clock.clone()).await.unwrap();
    let raw = rusqlite::Connection::open(directory.path().join("km.db")).unwrap();
    (Rig::new(store, clock), raw, directory)
}

async fn seal(rig: &Rig) -> Result<Option<Seal>, StoreError> {
    rig.store.upkeep.seal(Timestamp::from_micros(7)).await
}

async fn write(rig: &Rig, ids: &[&str]) {
    for (id, second) in ids.iter().zip(1..) {
        rig.write(id, resolve("INC-1", id, Some(second))).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_chained_on_behind_a_seal_that_does_not_match_its_rows() {
    for tampering in [
        "UPDATE ledger SET stored_at = 5 WHERE write_id = 'w-3'",
        "UPDATE ledger SET outcome = 'odd' WHERE write_id = 'w-3'",
        "UPDATE ledger SET content_hash = zeroblob(32) WHERE write_id = 'w-4'",
        "DELETE FROM ledger WHERE write_id = 'w-4'",
        "UPDATE ledger SET position = 0 WHERE write_id = 'w-3'",
        "UPDATE seals SET hash = zeroblob(32) WHERE through = 4",
        "UPDATE seals SET records = 1000000 WHERE through = 4",
        "UPDATE seals SET hash = zeroblob(32) WHERE through = 2",
        "DELETE FROM seals WHERE through = 2",
    ] {
        let (rig, raw, _directory) = open().await;
        write(&rig, &["w-1", "w-2"]).await;
        seal(&rig).await.unwrap().unwrap();
        write(&rig, &["w-3", "w-4"]).await;
        seal(&rig).await.unwrap().unwrap();
        write(&rig, &["w-5"]).await;
        raw.execute_batch(tampering).unwrap();
        let error = seal(&rig).await.unwrap_err();
        assert_eq!(error.kind, StoreErrorKind::Fatal, "{tampering}: {error}");
        let newest = rig.store.audit.newest_seal().await.unwrap().unwrap();
        assert_eq!(newest.through, 4, "{tampering}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_seal_covers_so_many_rows_that_one_look_can_check_it() {
    let (rig, raw, _directory) = open().await;
    write(&rig, &["w-1"]).await;
    raw.execute_batch(
        "WITH RECURSIVE n (n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM n WHERE n < 12001)
         INSERT INTO ledger
         SELECT
             n, tenant, write_id || n, state, entry_id, n, outcome, previous, path, incident_id, approval_id,
             approval_status, playbook, occurred_at, stored_at, content_hash, payload
         FROM ledger, n",
    )
    .unwrap();
    seal(&rig).await.unwrap().unwrap();
    let mut statement = raw.prepare("SELECT records FROM seals ORDER BY through").unwrap();
    let records: Vec<u64> = statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    assert_eq!(records, [5_000, 5_000, 2_001]);
    assert_eq!(seal(&rig).await.unwrap(), None);
}
