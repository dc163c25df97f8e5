//! SQLite passes the suite that every store must pass.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed expectation is the test's verdict")]

use std::sync::Arc;

use km_contract::conformance::Hands;
use km_contract::port::Store;
use km_store::OpenOptions;
use tempfile::TempDir;

async fn open() -> (Store, Arc<Hands>, TempDir) {
    let directory = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let clock = Hands::at_seconds(1_000_000);
    let store = km_store::open(OpenOptions::at(directory.path()), clock.clone()).await.unwrap();
    (store, clock, directory)
}

km_contract::conformance_suite!(open);
