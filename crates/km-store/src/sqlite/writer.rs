//! The one thread that writes. Work is handed over whole: whoever asked may go away, the work is finished.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use km_contract::HealthBoard;
use km_contract::port::{StoreError, StoreErrorKind};
use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::classify::{commit_failed, damaged, failed};
use crate::directory::Lock;

/// Most pieces of work that wait. The committer hands over one batch at a time; the rest is small.
const WORK_MAX: usize = 256;

type Work = Box<dyn FnOnce(&mut Connection) + Send>;

pub(super) struct WriterThread {
    work: Mutex<Option<SyncSender<Work>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    health: HealthBoard,
    worked: Worked,
}

/// How long the writer has worked since its start: what is left of the time is for others.
#[derive(Clone, Default)]
pub(super) struct Worked(Arc<AtomicU64>);

impl Worked {
    pub(super) fn time(&self) -> Duration {
        Duration::from_micros(self.0.load(Ordering::Relaxed))
    }

    fn add(&self, time: Duration) {
        self.0.fetch_add(u64::try_from(time.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

impl WriterThread {
    /// A thread that works on `connection` and holds the directory until it has let go of the file.
    pub(super) fn start(connection: Connection, lock: Arc<Lock>, health: HealthBoard) -> io::Result<Self> {
        let (work, waiting) = sync_channel(WORK_MAX);
        let worked = Worked::default();
        let held = Held { connection, worked: worked.clone(), _lock: lock };
        let thread = Builder::new().name("km-writer".to_owned()).spawn(move || held.serve(&waiting))?;
        Ok(Self { work: Mutex::new(Some(work)), thread: Mutex::new(Some(thread)), health, worked })
    }

    /// How long it has worked.
    pub(super) fn worked(&self) -> Worked {
        self.worked.clone()
    }

    /// Does `work` in a transaction of its own: committed when it is `Ok`, undone otherwise.
    pub(super) async fn transact<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.call(|connection| transact(connection, work)).await
    }

    /// Does `work` on the connection that writes, as long as the store can be trusted.
    pub(super) async fn call<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.health.trusted()?;
        let (reply, answer) = oneshot::channel();
        let health = self.health.clone();
        self.hand_over(Box::new(move |connection| {
            // Examined here: what waits behind a flush that failed must not be tried, and whoever asked may have
            // gone. The work stands all the same.
            let result = health.trusted().and_then(|()| work(connection));
            drop(reply.send(health.examine(result)));
        }))?;
        let gone = |_| self.health.examine(Err(StoreError::bare(StoreErrorKind::Fatal, "WRITER_GONE")));
        answer.await.unwrap_or_else(gone)
    }

    fn hand_over(&self, work: Work) -> Result<(), StoreError> {
        let sender = self.work.lock().unwrap_or_else(PoisonError::into_inner);
        let sender = sender.as_ref().ok_or_else(|| StoreError::bare(StoreErrorKind::Transient, "CLOSED"))?;
        sender.try_send(work).map_err(|error| match error {
            TrySendError::Full(_) => StoreError::bare(StoreErrorKind::Transient, "WRITER_BUSY"),
            TrySendError::Disconnected(_) => StoreError::bare(StoreErrorKind::Fatal, "WRITER_GONE"),
        })
    }

    /// Finishes what was handed over, writes the log back, and ends the thread. Doing it twice changes nothing.
    ///
    /// # Errors
    /// `Fatal` when the thread had ended before, by a panic.
    pub(super) async fn stop(&self) -> Result<(), StoreError> {
        drop(self.work.lock().unwrap_or_else(PoisonError::into_inner).take());
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(thread) = thread else { return Ok(()) };
        match tokio::task::spawn_blocking(|| thread.join()).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_panic)) => Err(damaged("WRITER_PANICKED")),
            Err(error) => Err(StoreError::new(StoreErrorKind::Fatal, "WRITER_GONE", error)),
        }
    }
}

/// What the thread holds. Fields are dropped in their order, also by a panic: the file is closed before another
/// process may have the directory.
struct Held {
    connection: Connection,
    worked: Worked,
    _lock: Arc<Lock>,
}

impl Held {
    fn serve(mut self, waiting: &Receiver<Work>) {
        while let Ok(work) = waiting.recv() {
            let begun = Instant::now();
            work(&mut self.connection);
            self.worked.add(begun.elapsed());
        }
        if let Err(error) = self.connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)") {
            tracing::warn!(error = &error as &dyn std::error::Error, "the log could not be written back");
        }
    }
}

fn transact<T>(
    connection: &mut Connection,
    work: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    match work(&transaction) {
        Ok(answer) => commit(transaction).map(|()| answer),
        Err(error) => undo(transaction, error),
    }
}

/// A COMMIT that fails is undone for this process, and yet may be found by the next start: its record is in the
/// log before the flush that failed. What the error means there is decided by [`commit_failed`].
fn commit(transaction: Transaction<'_>) -> Result<(), StoreError> {
    match transaction.execute_batch("COMMIT") {
        Ok(()) => Ok(()),
        Err(error) => undo(transaction, commit_failed(error)),
    }
}

/// Undoes a transaction, unless SQLite did so by itself. One that cannot be undone is fatal.
fn undo<T>(transaction: Transaction<'_>, cause: StoreError) -> Result<T, StoreError> {
    if !transaction.is_autocommit()
        && transaction.execute_batch("ROLLBACK").is_err()
        && !transaction.is_autocommit()
    {
        return Err(damaged("ROLLBACK_FAILED"));
    }
    Err(cause)
}
