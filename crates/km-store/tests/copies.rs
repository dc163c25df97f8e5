//! Backups and what is restored from them.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed expectation is the test's verdict")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use km_contract::conformance::{Hands, Rig, resolve, tenant};
use km_contract::port::{Filter, SearchRequest};
use km_contract::verify::verify;
use km_store::{OpenError, OpenOptions, backup, restore};
use rusqlite::Connection;
use tempfile::TempDir;
use tokio::time::timeout;

/// Longer than anything here takes.
const SOON: Duration = Duration::from_secs(60);

fn directory() -> TempDir {
    TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

async fn open(data: &Path) -> Rig {
    let clock = Hands::at_seconds(1_000_000);
    Rig::new(km_store::open(OpenOptions::at(data), clock.clone()).await.unwrap(), clock)
}

async fn close(rig: Rig) {
    rig.writer.stop();
    rig.committer.await.unwrap();
    rig.store.upkeep.close().await;
}

/// Writes that say `word`, about the incidents of these numbers.
async fn write(rig: &Rig, word: &str, numbers: std::ops::Range<i64>) {
    for n in numbers {
        rig.write(&format!("{word}-{n}"), resolve(&format!("INC-{n}"), word, Some(n))).await.unwrap();
    }
}

async fn search(rig: &Rig, text: &str) -> usize {
    let request = SearchRequest { text: text.into(), filter: Filter::all(tenant()), after: None, limit: 200 };
    rig.store.library.search(&request).await.unwrap().hits.len()
}

async fn until_indexed(rig: &Rig) {
    let indexed = async {
        loop {
            let measures = rig.store.upkeep.measures().await.unwrap();
            if measures.indexed_through == measures.newest_position {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(SOON, indexed).await.unwrap();
}

/// A backup of a store of five writes, in a directory of its own.
async fn of_five_writes() -> (PathBuf, TempDir) {
    let directory = directory();
    let rig = open(&directory.path().join("data")).await;
    write(&rig, "five", 0..5).await;
    let copy = directory.path().join("copy");
    backup(&directory.path().join("data"), &copy).unwrap();
    close(rig).await;
    (copy, directory)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_restored_is_what_was_backed_up() {
    let (copy, elsewhere) = of_five_writes().await;
    let data = elsewhere.path().join("a/new/place");
    let report = restore(&copy, &data).unwrap();
    assert_eq!((report.writes, report.entries), (5, 5));
    let rig = open(&data).await;
    assert!(verify(&*rig.store.audit).await.unwrap().is_sound());
    assert_eq!(search(&rig, "five").await, 5);
    write(&rig, "five", 4..6).await;
    assert_eq!(rig.store.upkeep.measures().await.unwrap().writes, 6, "one was known, one is new");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_ends_while_writes_go_on_and_is_one_moment_of_them() {
    let directory = directory();
    let data = directory.path().join("data");
    let rig = open(&data).await;
    let long = "x".repeat(100_000);
    for n in 0..400 {
        rig.write(&format!("w-{n}"), resolve(&format!("INC-{n}"), &long, Some(n))).await.unwrap();
    }
    let stop = AtomicBool::new(false);
    let writing = |from: i64| {
        let (rig, stop) = (&rig, &stop);
        async move {
            let mut n = from;
            while !stop.load(Ordering::SeqCst) {
                write(rig, "beside", n..n + 1).await;
                n += 1;
            }
            n - from
        }
    };
    let (from, to) = (data.clone(), directory.path().join("copy"));
    let copying = async {
        let copied = timeout(SOON, tokio::task::spawn_blocking(move || backup(&from, &to))).await;
        stop.store(true, Ordering::SeqCst);
        copied.expect("a backup ends").unwrap().unwrap()
    };
    let (one, other, report) = tokio::join!(writing(10_000), writing(20_000), copying);
    assert!(one > 0 && other > 0);
    assert!(report.writes >= 400 && report.writes == report.entries, "{report:?}");
    let restored = directory.path().join("restored");
    restore(&directory.path().join("copy"), &restored).unwrap();
    assert!(verify(&*open(&restored).await.store.audit).await.unwrap().is_sound());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_touches_no_file_that_is_there() {
    let (_, directory) = of_five_writes().await;
    let data = directory.path().join("data");
    let theirs = |name: &str| {
        let path = directory.path().join(name);
        fs::write(&path, "theirs").unwrap();
        path
    };
    let paths = ["backup-2026.part", "taken", "halfway.part"].map(theirs);
    backup(&data, &directory.path().join("backup-2026.11.23")).unwrap();
    assert!(backup(&data, &directory.path().join("taken")).is_err());
    let halfway = backup(&data, &directory.path().join("halfway"));
    assert!(matches!(halfway, Err(OpenError::Io { path, .. }) if path.ends_with("halfway.part")));
    assert!(!directory.path().join("halfway").exists());
    for path in paths {
        assert_eq!(fs::read_to_string(&path).unwrap(), "theirs", "{}", path.display());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_that_fails_leaves_nothing() {
    let directory = directory();
    let data = directory.path().join("data");
    fs::create_dir(&data).unwrap();
    Connection::open(data.join("km.db")).unwrap().execute_batch("CREATE TABLE theirs (x)").unwrap();
    assert!(backup(&data, &directory.path().join("copy")).is_err());
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_restored_beside_what_a_store_left() {
    let (copy, elsewhere) = of_five_writes().await;
    for left in ["km.db", "km.db-wal", "km.db-shm", "km.db-journal"] {
        let data = elsewhere.path().join(format!("beside-{left}"));
        fs::create_dir(&data).unwrap();
        fs::write(data.join(left), "acknowledged writes").unwrap();
        fs::write(data.join("search.db"), "an index").unwrap();
        let refused = restore(&copy, &data).unwrap_err();
        assert!(matches!(refused, OpenError::StoreExists(_) | OpenError::Leftover(_)), "{refused}");
        let mut names: Vec<_> = fs::read_dir(&data).unwrap().map(|file| file.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, [left, "km.lock", "search.db"]);
        assert_eq!(fs::read_to_string(data.join(left)).unwrap(), "acknowledged writes");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_a_sound_ledger_that_this_km_reads_is_restored() {
    let (copy, elsewhere) = of_five_writes().await;
    let spoiled = |name: &str, spoil: &dyn Fn(&Path)| {
        let path = elsewhere.path().join(name);
        fs::copy(&copy, &path).unwrap();
        spoil(&path);
        let data = elsewhere.path().join(format!("{name}-data"));
        let refused = restore(&path, &data).unwrap_err();
        let left: Vec<_> = fs::read_dir(&data).unwrap().map(|file| file.unwrap().file_name()).collect();
        assert_eq!(left, ["km.lock"], "{name}");
        refused
    };
    let set = |pragma: &'static str, value: i64| {
        move |path: &Path| Connection::open(path).unwrap().pragma_update(None, pragma, value).unwrap()
    };
    let newer = spoiled("newer", &set("user_version", 99));
    assert!(matches!(newer, OpenError::NewerSchema { found: 99, .. }), "{newer}");
    let theirs = spoiled("theirs", &set("application_id", 7));
    assert!(matches!(theirs, OpenError::NotALedger(_)), "{theirs}");
    let text = spoiled("text", &|path| fs::write(path, "notes ".repeat(500)).unwrap());
    assert!(matches!(text, OpenError::NotALedger(_)), "{text}");
    let torn = spoiled("torn", &|path| {
        let bytes = fs::read(path).unwrap();
        fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
    });
    assert!(matches!(torn, OpenError::Unsound(_) | OpenError::Sqlite(_)), "{torn}");
    let unfinished =
        spoiled("unfinished", &|path| fs::write(format!("{}-wal", path.display()), "x").unwrap());
    assert!(matches!(unfinished, OpenError::Unsound(_)), "{unfinished}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restore_that_was_killed_can_be_done_again() {
    let (copy, elsewhere) = of_five_writes().await;
    let data = elsewhere.path().join("again");
    fs::create_dir(&data).unwrap();
    fs::write(data.join("km.db.part"), "half of a copy").unwrap();
    assert_eq!(restore(&copy, &data).unwrap().writes, 5);
    assert!(!data.join("km.db.part").exists());
}

/// A directory whose search index knows more than the backup that was taken before.
async fn indexed_beyond_its_backup() -> (PathBuf, PathBuf, TempDir) {
    let (copy, directory) = of_five_writes().await;
    let data = directory.path().join("data");
    let rig = open(&data).await;
    write(&rig, "later", 5..100).await;
    until_indexed(&rig).await;
    close(rig).await;
    for file in ["km.db", "km.db-wal", "km.db-shm"] {
        drop(fs::remove_file(data.join(file)));
    }
    assert!(data.join("search.db").exists());
    (copy, data, directory)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restored_store_finds_what_it_holds_and_nothing_else() {
    let (copy, data, _directory) = indexed_beyond_its_backup().await;
    restore(&copy, &data).unwrap();
    let rig = open(&data).await;
    write(&rig, "zebra", 200..201).await;
    until_indexed(&rig).await;
    assert_eq!(
        [search(&rig, "zebra").await, search(&rig, "five").await, search(&rig, "later").await],
        [1, 5, 0]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_beside_a_ledger_that_was_copied_by_hand_is_built_anew() {
    let (copy, data, _directory) = indexed_beyond_its_backup().await;
    fs::copy(&copy, data.join("km.db")).unwrap();
    let rig = open(&data).await;
    write(&rig, "zebra", 200..201).await;
    until_indexed(&rig).await;
    assert_eq!(
        [search(&rig, "zebra").await, search(&rig, "five").await, search(&rig, "later").await],
        [1, 5, 0]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_of_another_ledger_is_built_anew() {
    let directory = directory();
    let (one, other) = (directory.path().join("one"), directory.path().join("other"));
    for (data, word) in [(&one, "apple"), (&other, "pear")] {
        let rig = open(data).await;
        write(&rig, word, 0..20).await;
        until_indexed(&rig).await;
        close(rig).await;
    }
    for file in ["search.db", "search.db-wal", "search.db-shm"] {
        drop(fs::remove_file(one.join(file)));
        drop(fs::copy(other.join(file), one.join(file)));
    }
    let rig = open(&one).await;
    until_indexed(&rig).await;
    assert_eq!([search(&rig, "apple").await, search(&rig, "pear").await], [20, 0]);
}
