//! What was acknowledged is missed when it is gone, also by the process after the one that acknowledged it.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed expectation is the test's verdict")]

use std::path::PathBuf;

use km_contract::conformance::{Hands, Rig, resolve};
use km_contract::reconcile::{Receipts, Reconcile, ReconcileError};
use km_store::OpenOptions;
use tempfile::TempDir;

struct Place {
    rig: Rig,
    raw: rusqlite::Connection,
    directory: TempDir,
}

impl Place {
    async fn open() -> Self {
        let directory = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let clock = Hands::at_seconds(1_000_000);
        let store = km_store::open(OpenOptions::at(directory.path()), clock.clone()).await.unwrap();
        let raw = rusqlite::Connection::open(directory.path().join("km.db")).unwrap();
        Self { rig: Rig::new(store, clock), raw, directory }
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("receipts.sample")
    }

    async fn write(&self, ids: impl IntoIterator<Item = String>) {
        for id in ids {
            self.rig.write(&id, resolve("INC-1", &id, Some(1))).await.unwrap();
        }
    }

    fn receipts(&self) -> Receipts {
        Receipts::new(self.rig.store.ledger.clone(), self.rig.telemetry.clone(), self.file())
    }

    /// The job as it is after a restart: it gave no receipt yet.
    fn after_a_restart(&self) -> Receipts {
        let fresh = Rig::new(self.rig.store.clone(), self.rig.clock.clone());
        Receipts::new(fresh.store.ledger.clone(), fresh.telemetry.clone(), self.file())
    }
}

fn missing(run: Result<String, ReconcileError>) -> String {
    match run.unwrap_err() {
        ReconcileError::Broken(report) => report,
        other => panic!("{other}"),
    }
}

fn ids(range: std::ops::Range<u32>) -> impl Iterator<Item = String> {
    range.map(|n| format!("w-{n}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receipt_is_held_to_in_every_part() {
    for tampering in [
        "DELETE FROM ledger WHERE write_id = 'w-1'",
        "UPDATE ledger SET content_hash = zeroblob(32) WHERE write_id = 'w-1'",
        "UPDATE ledger SET entry_id = zeroblob(16) WHERE write_id = 'w-1'",
        "UPDATE ledger SET revision = 9 WHERE write_id = 'w-1'",
        "UPDATE ledger SET state = 'parked', entry_id = NULL, revision = NULL, outcome = NULL WHERE write_id = 'w-1'",
    ] {
        let place = Place::open().await;
        place.write(ids(0..3)).await;
        assert_eq!(place.receipts().run().await.unwrap(), "3 receipts hold");
        place.raw.execute_batch(tampering).unwrap();
        for job in [place.receipts(), place.after_a_restart()] {
            assert_eq!(missing(job.run().await), "1 acknowledged writes are not as they were", "{tampering}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_missing_is_not_forgotten_though_the_memory_is_bounded() {
    let place = Place::open().await;
    place.write(ids(0..10)).await;
    place.receipts().run().await.unwrap();
    place.raw.execute_batch("DELETE FROM ledger WHERE write_id IN ('w-3', 'w-4')").unwrap();
    missing(place.receipts().run().await);
    place.write(ids(10..1_100)).await;
    for job in [place.receipts(), place.after_a_restart()] {
        assert_eq!(missing(job.run().await), "2 acknowledged writes are not as they were");
    }
    let text = std::fs::read_to_string(place.file()).unwrap();
    assert_eq!(text.lines().count(), 1_024);
    assert!(text.contains("\"w-3\"") && text.contains("\"w-1099\"") && !text.contains("\"w-9\""));
    let part = place.file().with_extension("part");
    assert!(!part.exists(), "the file is replaced whole");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_memory_that_cannot_be_read_is_reported_once_and_begun_anew() {
    let place = Place::open().await;
    place.write(ids(0..2)).await;
    std::fs::write(place.file(), "{\"tenant\":\"default\"").unwrap();
    let job = place.receipts();
    assert!(matches!(job.run().await, Err(ReconcileError::Memory(_))));
    assert_eq!(job.run().await.unwrap(), "2 receipts hold");
    assert_eq!(place.after_a_restart().run().await.unwrap(), "2 receipts hold");
}
