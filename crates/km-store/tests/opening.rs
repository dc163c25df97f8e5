//! Which directories are opened, by whom, and which are refused as they are.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed expectation is the test's verdict")]

use std::fs;
use std::path::Path;
use std::time::Duration;

use km_contract::conformance::{Hands, Rig, resolve};
use km_contract::port::Store;
use km_model::{ContentHash, Durability, Outcome};
use km_store::{FileSystem, OpenError, OpenOptions, survey};
use rusqlite::Connection;
use tempfile::TempDir;

fn directory() -> TempDir {
    TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

async fn open(data: &Path) -> Result<Store, OpenError> {
    km_store::open(OpenOptions::at(data), Hands::at_seconds(1_000_000)).await
}

fn ledger_of(data: &TempDir) -> Connection {
    Connection::open(data.path().join("km.db")).unwrap()
}

/// The database of a directory, and what of it lies in files beside it.
fn contents(data: &TempDir) -> Vec<(String, ContentHash)> {
    let files = fs::read_dir(data.path()).unwrap().map(Result::unwrap);
    let read = |file: fs::DirEntry| {
        (file.file_name().into_string().unwrap(), ContentHash::of(&fs::read(file.path()).unwrap()))
    };
    let kept = |name: &str| name.starts_with("km.db") && !name.ends_with("-shm");
    let nothing = ContentHash::of(b"");
    let mut contents: Vec<_> =
        files.map(read).filter(|(name, hash)| kept(name) && *hash != nothing).collect();
    contents.sort_by(|a, b| a.0.cmp(&b.0));
    contents
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_serves_one_store_at_a_time_and_says_which() {
    let data = directory();
    let first = open(data.path()).await.unwrap();
    let Err(OpenError::Locked { by, .. }) = open(data.path()).await else { panic!("opened twice") };
    assert_eq!(by, format!("process {}", std::process::id()));
    assert_eq!(survey(data.path()).held_by, Some(by));
    first.upkeep.close().await;
    open(data.path()).await.expect("a closed store has let go, even of a directory that others still name");
    drop(first);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_is_dropped_lets_go_when_its_work_is_done() {
    let data = directory();
    let clock = Hands::at_seconds(1_000_000);
    let rig = Rig::new(open(data.path()).await.unwrap(), clock.clone());
    rig.write("w-1", resolve("INC-1", "kept", None)).await.unwrap();
    rig.writer.stop();
    rig.committer.await.unwrap();
    drop((rig.store, rig.office, rig.intake, rig.writer));
    let again = async {
        loop {
            match open(data.path()).await {
                Err(OpenError::Locked { .. }) => tokio::task::yield_now().await,
                opened => return opened.unwrap(),
            }
        }
    };
    let store = tokio::time::timeout(Duration::from_secs(20), again).await.unwrap();
    let rig = Rig::new(store, clock);
    assert_eq!(rig.write("w-1", resolve("INC-1", "kept", None)).await.unwrap().outcome, Outcome::Replayed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_closed_store_answers_nothing_more() {
    let data = directory();
    let store = open(data.path()).await.unwrap();
    store.upkeep.close().await;
    store.upkeep.close().await;
    assert!(store.upkeep.measures().await.is_err());
    assert!(store.upkeep.mend_links().await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_database_of_another_program_is_refused_and_left_as_it_is() {
    let data = directory();
    ledger_of(&data).execute_batch("CREATE TABLE theirs (x); INSERT INTO theirs VALUES (1)").unwrap();
    let before = contents(&data);
    assert!(matches!(open(data.path()).await, Err(OpenError::NotALedger(_))));
    let inspected = km_store::inspect(data.path(), Hands::at_seconds(1)).await;
    assert!(matches!(inspected, Err(OpenError::NotALedger(_))));
    assert_eq!(contents(&data), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_no_database_is_refused_and_left_as_it_is() {
    let data = directory();
    fs::write(data.path().join("km.db"), "these are notes, not a database. ".repeat(200)).unwrap();
    let before = contents(&data);
    assert!(matches!(open(data.path()).await, Err(OpenError::NotALedger(_))));
    assert_eq!(contents(&data), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newer_schema_is_refused_and_left_as_it_is() {
    let data = directory();
    open(data.path()).await.unwrap().upkeep.close().await;
    ledger_of(&data).pragma_update(None, "user_version", 99).unwrap();
    let before = contents(&data);
    let refused = |error| matches!(error, Some(OpenError::NewerSchema { found: 99, .. }));
    assert!(refused(open(data.path()).await.err()));
    assert!(refused(km_store::inspect(data.path(), Hands::at_seconds(1)).await.err()));
    assert!(refused(km_store::backup(data.path(), &data.path().join("copy")).err()));
    assert_eq!(contents(&data), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_is_refused_unless_it_is_accepted_and_then_every_receipt_says_so() {
    let data = TempDir::new_in("/dev/shm").expect("this system has memory at /dev/shm");
    assert_eq!(FileSystem::of(data.path()).unwrap(), FileSystem::Tmpfs);
    let Err(OpenError::Volatile { kind, .. }) = open(data.path()).await else { panic!("opened on memory") };
    assert_eq!(kind, FileSystem::Tmpfs);
    assert!(!data.path().join("km.db").exists());
    let clock = Hands::at_seconds(1_000_000);
    let options = OpenOptions { allow_volatile: true, ..OpenOptions::at(data.path()) };
    let rig = Rig::new(km_store::open(options, clock.clone()).await.unwrap(), clock);
    let written = rig.write("w-1", resolve("INC-1", "x", None)).await.unwrap();
    assert_eq!(written.receipt.durability(), Durability::Volatile);
}
