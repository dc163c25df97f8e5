//! Connections that read, beside the writer.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use km_contract::HealthBoard;
use km_contract::port::{Measures, StoreError, StoreErrorKind};
use rusqlite::Connection;
use tokio::sync::Semaphore;

use super::classify::failed;
use super::index_file::{IndexFile, IndexView};
use super::{OpenError, open};

/// A bounded set of readers; a call waits for one that is free.
pub(super) struct Readers {
    idle: Arc<Mutex<Vec<Reader>>>,
    permits: Arc<Semaphore>,
    health: HealthBoard,
}

/// A view of the ledger and of the search index, which may be missing.
pub(super) struct Reader {
    pub(super) ledger: Connection,
    pub(super) index: IndexView,
}

impl Readers {
    pub(super) fn open(
        data: &Path,
        index: &Arc<IndexFile>,
        count: usize,
        health: HealthBoard,
    ) -> Result<Self, OpenError> {
        let idle: Vec<Reader> = (0..count).map(|_| Reader::open(data, index)).collect::<Result<_, _>>()?;
        Ok(Self { idle: Arc::new(Mutex::new(idle)), permits: Arc::new(Semaphore::new(count)), health })
    }

    /// Asks a reader, off the callers' threads. A call that panics fails alone: its reader serves the next one.
    pub(super) async fn call<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&mut Reader) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let gone = |_| StoreError::bare(StoreErrorKind::Transient, "CLOSED");
        let permit = self.permits.clone().acquire_owned().await.map_err(gone)?;
        let (idle, permits) = (self.idle.clone(), self.permits.clone());
        let asked = tokio::task::spawn_blocking(move || {
            let taken = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let mut reader = taken.ok_or_else(|| StoreError::bare(StoreErrorKind::Transient, "NO_READER"))?;
            // Whatever was begun on the connection is undone by what a panic drops on its way here.
            let answer = catch_unwind(AssertUnwindSafe(|| ask(&mut reader)));
            if !permits.is_closed() {
                idle.lock().unwrap_or_else(PoisonError::into_inner).push(reader);
            }
            drop(permit);
            answer
                .unwrap_or_else(|_panic| Err(StoreError::bare(StoreErrorKind::Transient, "READER_PANICKED")))
        });
        let gone = |error| Err(StoreError::new(StoreErrorKind::Transient, "READER_GONE", error));
        self.health.examine(asked.await.unwrap_or_else(gone))
    }

    /// Closes the files; calls that are at work finish, later ones fail.
    pub(super) fn close(&self) {
        self.permits.close();
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl Reader {
    fn open(data: &Path, index: &Arc<IndexFile>) -> Result<Self, OpenError> {
        Ok(Self { ledger: open::reader(data)?, index: IndexView::of(index.clone()) })
    }

    pub(super) fn measures(&mut self, disk_bytes: u64) -> Result<Measures, StoreError> {
        let indexed_through = self.index.indexed_through();
        self.ledger
            .prepare_cached(include_str!("sql/measures.sql"))
            .and_then(|mut statement| {
                statement.query_row([], |row| {
                    Ok(Measures {
                        writes: row.get(0)?,
                        entries: row.get(1)?,
                        newest_position: row.get(2)?,
                        indexed_through,
                        disk_bytes,
                    })
                })
            })
            .map_err(failed)
    }
}
