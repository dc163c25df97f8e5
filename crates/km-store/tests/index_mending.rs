//! The search index is derived: whatever happens to its file, it is built anew while reading goes on.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed expectation is the test's verdict")]
#![allow(clippy::print_stdout, reason = "a failed test shows which damage it was at")]

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use km_contract::Arrival;
use km_contract::conformance::{Hands, Rig, resolve, tenant, write_id};
use km_contract::port::{Disposition, Filter, OnApplied, SearchRequest, Store, StoreError};
use km_model::EntryId;
use km_store::OpenOptions;
use rusqlite::Connection;
use tempfile::TempDir;

const ENTRIES: usize = 1_000;
/// Looks at a store that mends itself, before it is given up.
const LOOKS_MAX: usize = 600;

fn index(data: &Path) -> PathBuf {
    data.join("search.db")
}

async fn open(data: &Path) -> Store {
    let options = OpenOptions { readers: 3, ..OpenOptions::at(data) };
    km_store::open(options, Hands::at_seconds(1_000_000)).await.unwrap()
}

/// A store with `pod{n}x` in its n-th entry, indexed.
async fn filled(data: &Path) -> Rig {
    let rig = Rig::new(open(data).await, Hands::at_seconds(1_000_000));
    write(&rig, 0..ENTRIES).await;
    indexed(&rig).await;
    found(&rig.store, "pod0x").await.expect("every reader has the index open");
    rig
}

async fn write(rig: &Rig, numbers: std::ops::Range<usize>) {
    let admit = |n: usize| {
        let text = format!("evicted pod{n}x and node{}y {}", n % 7, "some more words ".repeat(n % 20));
        let id = write_id(&format!("w-{n}"));
        let write = resolve(&format!("INC-{n}"), &text, Some(1));
        Arc::new(rig.writer.admission().admit(&tenant(), Some(id), write, Arrival::Call).unwrap())
    };
    let batch: Vec<_> = numbers.map(admit).collect();
    rig.store.ledger.commit(&batch, OnApplied::default()).await.unwrap();
}

async fn indexed(rig: &Rig) {
    for _ in 0..LOOKS_MAX {
        let measures = rig.store.upkeep.measures().await.unwrap();
        if measures.indexed_through == measures.newest_position {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the index does not catch up");
}

async fn close(rig: Rig) {
    rig.writer.stop();
    rig.committer.await.unwrap();
    rig.store.upkeep.close().await;
}

/// The entries that hold a word; none while the answer is not whole. A wrong hit is never an answer.
async fn found(store: &Store, word: &str) -> Option<usize> {
    let request = SearchRequest { text: word.into(), filter: Filter::all(tenant()), after: None, limit: 100 };
    let page = match store.library.search(&request).await {
        Ok(page) => page,
        Err(error) => return passing(&error),
    };
    let holds = |text: Option<&str>| text.is_some_and(|text| text.split(' ').any(|held| held == word));
    assert!(page.hits.iter().all(|hit| holds(hit.entry.head.write.content.as_deref())), "a wrong hit");
    page.searched.complete.then_some(page.hits.len())
}

fn passing(error: &StoreError) -> Option<usize> {
    assert_eq!(error.disposition(), Disposition::Retry, "{error:?}");
    None
}

/// Reads while the store mends itself, until everything is found; a list is complete all the while.
async fn reads_on_until_whole(store: &Store, entries: usize) {
    for _ in 0..LOOKS_MAX {
        let words = [0, entries / 2, entries - 1].map(|n| format!("pod{n}x"));
        let mut whole = true;
        for word in &words {
            whole &= found(store, word).await.map(|hits| assert_eq!(hits, 1, "{word}")).is_some();
        }
        whole &= found(store, "node3y").await.map(|hits| assert_eq!(hits, 100)).is_some();
        assert_eq!(store.library.entries(&Filter::all(tenant()), None, 50).await.unwrap().items.len(), 50);
        if whole {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the index is not mended");
}

/// In the end the file itself is sound and holds everything.
async fn becomes_sound(data: &Path, newest: usize) {
    for _ in 0..LOOKS_MAX {
        if is_sound(data, newest).is_ok_and(|sound| sound) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the file is not sound: {:?}", is_sound(data, newest));
}

fn is_sound(data: &Path, newest: usize) -> rusqlite::Result<bool> {
    let file = Connection::open(index(data))?;
    let verdict: String = file.query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
    let through: usize = file.query_row("SELECT indexed_through FROM state", [], |row| row.get(0))?;
    Ok(verdict == "ok" && through == newest)
}

/// Writes the log back, so that the file is what is read.
fn checkpoint(data: &Path) {
    let file = Connection::open(index(data)).unwrap();
    file.busy_timeout(Duration::from_secs(5)).unwrap();
    file.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
}

fn execute(data: &Path, sql: &str) {
    let file = Connection::open(index(data)).unwrap();
    file.busy_timeout(Duration::from_secs(5)).unwrap();
    file.execute_batch(sql).unwrap();
}

/// Overwrites every page from the n-th on.
fn junk(data: &Path, from: u64) {
    checkpoint(data);
    let file = File::options().write(true).open(index(data)).unwrap();
    for page in from..file.metadata().unwrap().len() / 4_096 {
        file.write_all_at(&[0xa5; 4_096], page * 4_096).unwrap();
    }
}

fn truncate(data: &Path, share: u64) {
    checkpoint(data);
    let file = File::options().write(true).open(index(data)).unwrap();
    file.set_len(file.metadata().unwrap().len() / 4_096 / 4 * share * 4_096).unwrap();
}

fn remove(data: &Path, suffixes: &[&str]) {
    for suffix in suffixes {
        let path = data.join(format!("search.db{suffix}"));
        if path.exists() {
            fs::remove_file(path).unwrap();
        }
    }
}

type Damage = (&'static str, fn(&Path));

/// What can happen to the file while a store has it open.
const DAMAGES: [Damage; 12] = [
    ("a damaged first page", |data| junk(data, 0)),
    ("damaged pages but the first", |data| junk(data, 1)),
    ("damaged pages deep in the file", |data| junk(data, 40)),
    ("half of the file is gone", |data| truncate(data, 2)),
    ("an empty file", |data| truncate(data, 0)),
    ("the file is deleted", |data| remove(data, &[""])),
    ("all files are deleted", |data| remove(data, &["", "-wal", "-shm"])),
    ("another version", |data| execute(data, "PRAGMA user_version = 99")),
    ("a missing table", |data| execute(data, "DROP TABLE block")),
    ("changed columns", |data| execute(data, "UPDATE segment_column SET data = zeroblob(length(data))")),
    ("changed terms", |data| execute(data, "UPDATE block SET data = zeroblob(length(data))")),
    ("entries that are not in the ledger", |data| {
        execute(data, "UPDATE document SET entry_id = randomblob(16)");
    }),
];

async fn mends_while_it_runs(damages: &[Damage]) {
    for (what, damage) in damages {
        let data = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let rig = filled(data.path()).await;
        println!("{what}");
        damage(data.path());
        write(&rig, ENTRIES..ENTRIES + 10).await;
        reads_on_until_whole(&rig.store, ENTRIES + 10).await;
        becomes_sound(data.path(), ENTRIES + 10).await;
        close(rig).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damaged_pages_are_mended_while_reading_goes_on() {
    mends_while_it_runs(&DAMAGES[..3]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_file_is_mended_while_reading_goes_on() {
    mends_while_it_runs(&DAMAGES[3..5]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_file_is_made_again_while_reading_goes_on() {
    mends_while_it_runs(&DAMAGES[5..7]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_of_another_layout_is_replaced_while_reading_goes_on() {
    mends_while_it_runs(&DAMAGES[7..9]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changed_rows_are_found_out_while_reading_goes_on() {
    mends_while_it_runs(&DAMAGES[9..]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_happened_to_the_file_a_store_opens_and_mends_it() {
    for (what, damage) in DAMAGES {
        let data = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        close(filled(data.path()).await).await;
        println!("{what}");
        damage(data.path());
        let rig = Rig::new(open(data.path()).await, Hands::at_seconds(1_000_000));
        reads_on_until_whole(&rig.store, ENTRIES).await;
        becomes_sound(data.path(), ENTRIES).await;
        close(rig).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reading_goes_on_while_the_index_is_built_anew_on_request() {
    let data = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let rig = filled(data.path()).await;
    for _ in 0..3 {
        rig.store.upkeep.reindex().await.unwrap();
        reads_on_until_whole(&rig.store, ENTRIES).await;
    }
    becomes_sound(data.path(), ENTRIES).await;
    // More than can be read beside the index: who still reads the old file no longer finds everything.
    write(&rig, ENTRIES..3 * ENTRIES).await;
    reads_on_until_whole(&rig.store, 3 * ENTRIES).await;
    close(rig).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_of_a_deleted_file_turn_to_the_new_one() {
    let data = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let rig = filled(data.path()).await;
    remove(data.path(), &["", "-wal", "-shm"]);
    becomes_sound(data.path(), ENTRIES).await;
    write(&rig, ENTRIES..3 * ENTRIES).await;
    reads_on_until_whole(&rig.store, 3 * ENTRIES).await;
    close(rig).await;
}

/// The rest of a ranking; while the index is behind, the same page is asked for again.
async fn rest(store: &Store, mut after: Option<String>) -> Vec<EntryId> {
    let mut all = Vec::new();
    for _ in 0..LOOKS_MAX {
        let filter = Filter::all(tenant());
        let request =
            SearchRequest { text: "evicted node3y".into(), filter, after: after.clone(), limit: 50 };
        match store.library.search(&request).await {
            Ok(page) => {
                all.extend(page.hits.iter().map(|hit| hit.entry.entry_id));
                after = page.next;
            }
            Err(error) => {
                assert_eq!(passing(&error), None);
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        if after.is_none() {
            return all;
        }
    }
    panic!("the ranking does not end");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_go_on_as_they_began_after_the_index_was_built_anew() {
    let data = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let rig = filled(data.path()).await;
    write(&rig, ENTRIES..2 * ENTRIES + ENTRIES / 2).await;
    indexed(&rig).await;
    let request = SearchRequest {
        text: "evicted node3y".into(),
        filter: Filter::all(tenant()),
        after: None,
        limit: 10,
    };
    let cursor = rig.store.library.search(&request).await.unwrap().next;
    let expected = rest(&rig.store, cursor.clone()).await;
    assert_eq!(expected.len(), 2 * ENTRIES + ENTRIES / 2 - 10);
    for _ in 0..3 {
        rig.store.upkeep.reindex().await.unwrap();
        assert_eq!(rest(&rig.store, cursor.clone()).await, expected);
    }
    close(rig).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_is_inspected_whatever_its_index_is() {
    let damages = DAMAGES.iter().map(|(what, damage)| (*what, Some(damage))).chain([("as it was", None)]);
    for (what, damage) in damages {
        let data = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        close(filled(data.path()).await).await;
        if let Some(damage) = damage {
            damage(data.path());
        }
        let before = fs::read(index(data.path())).ok();
        let store = km_store::inspect(data.path(), Hands::at_seconds(1_000_000)).await.unwrap();
        let measures = store.upkeep.measures().await.unwrap();
        assert_eq!(measures.writes, ENTRIES as u64, "{what}");
        assert!(measures.indexed_through <= measures.newest_position);
        assert!(km_contract::verify::verify(&*store.audit).await.unwrap().is_sound(), "{what}");
        assert_eq!(store.library.entries(&Filter::all(tenant()), None, 50).await.unwrap().items.len(), 50);
        assert!(found(&store, "pod7x").await.is_none_or(|hits| hits == 1), "{what}");
        assert_eq!(fs::read(index(data.path())).ok(), before, "who only looks changes nothing: {what}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_that_cannot_be_made_keeps_no_store_from_opening() {
    let data = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    fs::create_dir(index(data.path())).unwrap();
    let rig = Rig::new(open(data.path()).await, Hands::at_seconds(1_000_000));
    write(&rig, 0..ENTRIES).await;
    assert_eq!(found(&rig.store, "pod7x").await, None);
    assert_eq!(rig.store.upkeep.measures().await.unwrap().indexed_through, 0);
    fs::remove_dir(index(data.path())).unwrap();
    reads_on_until_whole(&rig.store, ENTRIES).await;
    close(rig).await;
}
