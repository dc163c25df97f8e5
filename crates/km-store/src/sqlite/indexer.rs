//! Feeding the search index from the ledger, after the commit, on a thread that gives way to writers.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use km_contract::port::{StoreError, StoreErrorKind};
use km_model::WriteDocument;
use rusqlite::{Connection, params};
use tracing::{info, warn};

use super::search::{Document, SearchIndex};
use super::{INDEX_FILE, OpenError, find, io_error, open, rows};
use crate::directory::Lock;

/// Rows of the ledger that one batch reads.
const BATCH: usize = 1_000;
/// How long to wait after a failure, and at most between looks.
const PAUSE: Duration = Duration::from_secs(1);
/// How much the thread gives way, in steps of `nice`.
const NICE: i32 = 10;

/// The thread that builds the index. Dropping it without [`Indexer::stop`] leaves a batch undone at most.
pub(super) struct Indexer {
    signal: Mutex<Option<SyncSender<()>>>,
    rebuild: Arc<AtomicBool>,
    stopping: Arc<AtomicBool>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Indexer {
    /// A thread that holds the directory until it has let go of the index.
    pub(super) fn start(data: &Path, lock: Arc<Lock>) -> Result<Self, OpenError> {
        let ledger = open::reader(data)?;
        let index = SearchIndex::open(&data.join(INDEX_FILE), open::origin(&ledger)?)?;
        let (signal, signalled) = sync_channel(1);
        let rebuild = Arc::new(AtomicBool::new(false));
        let stopping = Arc::new(AtomicBool::new(false));
        let feed = Feed {
            index,
            ledger,
            rebuild: rebuild.clone(),
            stopping: stopping.clone(),
            data: data.to_path_buf(),
            _lock: lock,
        };
        let thread = Builder::new().name("km-indexer".to_owned()).spawn(move || feed.run(&signalled));
        let thread = thread.map_err(|source| io_error(data, source))?;
        Ok(Self { signal: Mutex::new(Some(signal)), rebuild, stopping, thread: Mutex::new(Some(thread)) })
    }

    /// Says that there is something new; one signal is enough for any number of batches.
    pub(super) fn wake(&self) {
        if let Some(signal) = self.signal.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
            // A signal that waits already says the same.
            match signal.try_send(()) {
                Ok(()) | Err(_) => {}
            }
        }
    }

    /// Builds the index anew, in the background.
    pub(super) fn rebuild(&self) {
        self.rebuild.store(true, Ordering::Release);
        self.wake();
    }

    /// Ends the thread after the batch it is at.
    pub(super) fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
        drop(self.signal.lock().unwrap_or_else(PoisonError::into_inner).take());
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            warn!("the indexer thread panicked");
        }
    }
}

struct Feed {
    index: SearchIndex,
    ledger: Connection,
    rebuild: Arc<AtomicBool>,
    stopping: Arc<AtomicBool>,
    data: PathBuf,
    _lock: Arc<Lock>,
}

/// A head that is to be indexed.
struct Head {
    position: i64,
    tenant: String,
    entry_id: [u8; 16],
    occurred_at: i64,
    write: WriteDocument,
}

impl Feed {
    fn run(mut self, signalled: &Receiver<()>) {
        if let Err(error) = rustix::process::nice(NICE) {
            warn!(error = &error as &dyn std::error::Error, "the indexer runs at the priority of writers");
        }
        while !self.stopping.load(Ordering::Acquire) {
            let more = self.step();
            if more == Some(true) {
                continue;
            }
            match signalled.recv_timeout(PAUSE) {
                Ok(()) | Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Indexes one batch; whether there may be more, or `None` after a failure.
    fn step(&mut self) -> Option<bool> {
        if self.rebuild.swap(false, Ordering::AcqRel) {
            info!("the search index is built anew");
            if let Err(error) = self.index.rebuild() {
                warn!(error = &error as &dyn std::error::Error, "the search index could not be emptied");
            }
        }
        match self.advance() {
            Ok(more) => Some(more),
            Err(error) => {
                warn!(error = &error as &dyn std::error::Error, data = %self.data.display(), "indexing failed");
                None
            }
        }
    }

    fn advance(&mut self) -> Result<bool, StoreError> {
        let after = self.index.indexed_through().map_err(super::readers::unsearchable)?;
        let (heads, through, read) = self.page(after)?;
        if read == 0 {
            return Ok(false);
        }
        let none = Default::default();
        let documents: Vec<Document<'_>> = heads.iter().map(|head| head.document(&none)).collect();
        match self.index.index(&documents, through) {
            Ok(()) => Ok(read == BATCH),
            Err(error) if error.calls_for_rebuild() => {
                self.rebuild.store(true, Ordering::Release);
                Err(super::readers::unsearchable(error))
            }
            Err(error) => Err(super::readers::unsearchable(error)),
        }
    }

    fn page(&self, after: i64) -> Result<(Vec<Head>, i64, usize), StoreError> {
        let (mut through, mut read) = (after, 0);
        let page = find::all(
            &self.ledger,
            include_str!("sql/index_page.sql"),
            params![after, find::limit(BATCH)],
            |row| {
                through = row.get(0)?;
                read += 1;
                let is_head: bool = row.get(5)?;
                if !is_head {
                    return Ok(None);
                }
                Ok(Some(Head {
                    position: row.get(0)?,
                    tenant: row.get(1)?,
                    entry_id: row.get(2)?,
                    occurred_at: row.get(3)?,
                    write: rows::json(row, 4)?,
                }))
            },
        )?;
        Ok((page.into_iter().flatten().collect(), through, read))
    }
}

impl Head {
    fn document<'a>(&'a self, no_labels: &'a std::collections::BTreeMap<String, String>) -> Document<'a> {
        document(self.position, &self.tenant, self.entry_id, self.occurred_at, &self.write, no_labels)
    }
}

/// A write as the index reads it.
pub(super) fn document<'a>(
    position: i64,
    tenant: &'a str,
    entry_id: [u8; 16],
    occurred_at: i64,
    write: &'a WriteDocument,
    no_labels: &'a std::collections::BTreeMap<String, String>,
) -> Document<'a> {
    Document {
        position,
        tenant,
        entry_id,
        path: write.path.as_deref().unwrap_or_default(),
        entry_type: write.entry_type.as_deref(),
        incident_id: write.incident_id.as_deref(),
        approval_id: write.approval_id.as_deref(),
        playbook: write.playbook.as_deref(),
        tags: write.tags.as_deref().unwrap_or_default(),
        labels: write.labels.as_ref().unwrap_or(no_labels),
        occurred_at,
        title: write.title.as_deref().unwrap_or_default(),
        content: write.content.as_deref().unwrap_or_default(),
    }
}

/// The store's error for a reader that a damaged index cannot serve.
pub(super) fn no_index() -> StoreError {
    StoreError::bare(StoreErrorKind::Transient, "NO_SEARCH_INDEX")
}
