//! Connections that read, beside the writer.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use km_contract::HealthBoard;
use km_contract::port::{Measures, StoreError, StoreErrorKind};
use rusqlite::Connection;
use tokio::sync::Semaphore;

use super::classify::failed;
use super::open;
use super::search::{SearchError, SearchReader};
use super::{INDEX_FILE, OpenError};

/// A bounded set of readers; a call waits for one that is free.
pub(super) struct Readers {
    idle: Arc<Mutex<Vec<Reader>>>,
    permits: Arc<Semaphore>,
    health: HealthBoard,
}

/// A view of the ledger and of the search index. The index may be missing in a store that is only inspected.
pub(super) struct Reader {
    pub(super) ledger: Connection,
    pub(super) index: Option<SearchReader>,
}

impl Readers {
    pub(super) fn open(data: &Path, count: usize, health: HealthBoard) -> Result<Self, OpenError> {
        let idle: Vec<Reader> = (0..count).map(|_| Reader::open(data)).collect::<Result<_, _>>()?;
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
    fn open(data: &Path) -> Result<Self, OpenError> {
        let path = data.join(INDEX_FILE);
        let index = path.exists().then(|| SearchReader::open(&path)).transpose();
        Ok(Self { ledger: open::reader(data)?, index: index? })
    }

    pub(super) fn measures(&mut self, disk_bytes: u64) -> Result<Measures, StoreError> {
        let indexed_through = match &self.index {
            Some(index) => index.snapshot().map_err(unsearchable)?.indexed_through(),
            None => 0,
        };
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

/// The index is derived: its failure never makes the store untrusted.
pub(super) fn unsearchable(error: SearchError) -> StoreError {
    StoreError::new(StoreErrorKind::Transient, "SEARCH_INDEX", error)
}
