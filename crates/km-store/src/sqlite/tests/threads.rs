//! The threads of a store, when what they do goes wrong and when they end.

use std::sync::mpsc::channel;
use std::time::Duration;

use km_contract::HealthBoard;
use km_contract::port::{StoreError, StoreErrorKind};
use tokio::time::timeout;

use super::super::index_file::IndexFile;
use super::super::open;
use super::super::readers::Readers;
use super::super::writer::WriterThread;
use super::{directory, lock_of};
use crate::directory::{Lock, LockError};

/// Longer than anything here takes.
const SOON: Duration = Duration::from_secs(10);

fn panics<T>() -> Result<T, StoreError> {
    panic!("on purpose")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_panics_does_not_cost_its_reader() {
    let data = directory();
    drop(open::ledger(data.path()).unwrap());
    let readers = Readers::open(data.path(), &IndexFile::of(data.path()), 1, HealthBoard::default()).unwrap();
    for _ in 0..3 {
        let failed = readers.call(|_| panics::<()>()).await.unwrap_err();
        assert_eq!(failed.kind, StoreErrorKind::Transient);
    }
    let answer = timeout(SOON, readers.call(|reader| Ok(reader.ledger.is_autocommit()))).await;
    assert!(answer.unwrap().unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_was_at_work_when_all_were_closed_is_closed_too() {
    let data = directory();
    drop(open::ledger(data.path()).unwrap());
    let readers = Readers::open(data.path(), &IndexFile::of(data.path()), 1, HealthBoard::default()).unwrap();
    let (begin, begun) = channel();
    let (end, ended) = channel();
    let call = readers.call(move |_| {
        begin.send(()).unwrap();
        ended.recv().unwrap();
        Ok(())
    });
    let close = async {
        tokio::task::spawn_blocking(move || begun.recv()).await.unwrap().unwrap();
        readers.close();
        end.send(()).unwrap();
    };
    let (answer, ()) = timeout(SOON, async { tokio::join!(call, close) }).await.unwrap();
    answer.unwrap();
    assert!(readers.call(|_| Ok(())).await.is_err());
    assert!(!data.path().join("km.db-wal").exists(), "the last connection takes the log with it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_of_the_writer_is_noticed_when_it_is_stopped() {
    let data = directory();
    let writer =
        WriterThread::start(open::ledger(data.path()).unwrap(), lock_of(&data), HealthBoard::default())
            .unwrap();
    assert_eq!(writer.call(|_| panics::<()>()).await.unwrap_err().kind, StoreErrorKind::Fatal);
    let stopped = timeout(SOON, writer.stop()).await.unwrap();
    assert_eq!(stopped.unwrap_err().code, "WRITER_PANICKED");
    assert!(writer.stop().await.is_ok(), "once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_waits_behind_a_fatal_failure_is_tried() {
    let data = directory();
    let writer =
        WriterThread::start(open::ledger(data.path()).unwrap(), lock_of(&data), HealthBoard::default())
            .unwrap();
    let (fail, failing) = channel();
    let fails = writer.call::<()>(move |_| {
        failing.recv().unwrap();
        Err(StoreError::bare(StoreErrorKind::Fatal, "FLUSH_FAILED"))
    });
    let waits = writer.call::<()>(|_| panic!("tried"));
    let release = async { fail.send(()).unwrap() };
    let (failed, waited, ()) = timeout(SOON, async { tokio::join!(fails, waits, release) }).await.unwrap();
    assert_eq!([failed.unwrap_err().code, waited.unwrap_err().code], ["FLUSH_FAILED"; 2]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_directory_is_held_until_the_writer_has_done_its_work() {
    let data = directory();
    let writer =
        WriterThread::start(open::ledger(data.path()).unwrap(), lock_of(&data), HealthBoard::default())
            .unwrap();
    let (begin, begun) = channel();
    let (end, ended) = channel();
    let work = async {
        let work = move |_: &mut rusqlite::Connection| {
            begin.send(()).unwrap();
            ended.recv().unwrap();
            Ok(())
        };
        // The caller goes away; its work stays.
        drop(timeout(Duration::ZERO, writer.call(work)).await);
    };
    work.await;
    tokio::task::spawn_blocking(move || begun.recv()).await.unwrap().unwrap();
    drop(writer);
    assert!(matches!(Lock::take(data.path()), Err(LockError::Held { .. })));
    end.send(()).unwrap();
    let free = async {
        while Lock::take(data.path()).is_err() {
            tokio::task::yield_now().await;
        }
    };
    timeout(SOON, free).await.unwrap();
}
