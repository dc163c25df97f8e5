//! Connections that read, beside the writer.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

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
}

/// A view of the ledger and of the search index, which may be missing.
pub(super) struct Reader {
    pub(super) ledger: Connection,
    pub(super) index: IndexView,
}

impl Readers {
    pub(super) fn open(data: &Path, index: &Arc<IndexFile>, count: usize) -> Result<Self, OpenError> {
        let idle: Vec<Reader> = (0..count).map(|_| Reader::open(data, index)).collect::<Result<_, _>>()?;
        Ok(Self { idle: Arc::new(Mutex::new(idle)), permits: Arc::new(Semaphore::new(count)) })
    }

    /// Asks a reader, off the callers' threads.
    pub(super) async fn call<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&mut Reader) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let gone = |_| StoreError::bare(StoreErrorKind::Transient, "CLOSED");
        let permit = self.permits.clone().acquire_owned().await.map_err(gone)?;
        let idle = self.idle.clone();
        let asked = tokio::task::spawn_blocking(move || {
            let taken = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let mut reader = taken.ok_or_else(|| StoreError::bare(StoreErrorKind::Transient, "NO_READER"))?;
            let answer = ask(&mut reader);
            idle.lock().unwrap_or_else(PoisonError::into_inner).push(reader);
            drop(permit);
            answer
        });
        asked.await.map_err(|error| StoreError::new(StoreErrorKind::Transient, "READER_GONE", error))?
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
