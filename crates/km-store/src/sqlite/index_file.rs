//! The file of the search index, as its one writer and its readers share it.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use km_contract::port::{StoreError, StoreErrorKind};

use super::INDEX_FILE;
use super::search::{SearchError, SearchReader, Snapshot};

/// What readers and the writer tell each other.
///
/// A damaged file cannot be mended in place, and one that others have open cannot be taken away from them. So the
/// writer puts an empty file in its place and counts on; a reader that sees another count opens the new file.
pub(super) struct IndexFile {
    path: PathBuf,
    /// How many files stood at the path since the start.
    generation: AtomicU64,
    /// How many stood there up to the last one that has to be replaced, or was.
    condemned: AtomicU64,
    signal: Mutex<Option<SyncSender<()>>>,
}

impl IndexFile {
    pub(super) fn of(data: &Path) -> Arc<Self> {
        Arc::new(Self {
            path: data.join(INDEX_FILE),
            generation: AtomicU64::new(0),
            condemned: AtomicU64::new(0),
            signal: Mutex::new(None),
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What wakes the writer from now on.
    pub(super) fn signal(&self) -> Receiver<()> {
        let (signal, signalled) = sync_channel(1);
        *self.signal.lock().unwrap_or_else(PoisonError::into_inner) = Some(signal);
        signalled
    }

    /// Tells the writer that there is something to do; one signal is enough for any number of things.
    pub(super) fn wake(&self) {
        if let Some(signal) = self.signal.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
            // A signal that waits already says the same.
            match signal.try_send(()) {
                Ok(()) | Err(_) => {}
            }
        }
    }

    /// Wakes the writer for the last time.
    pub(super) fn hang_up(&self) {
        drop(self.signal.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    /// Asks for an empty file in the place of this one, whatever it holds.
    pub(super) fn condemn(&self) {
        self.condemn_only(self.generation());
    }

    /// A file that was replaced meanwhile is not condemned for what the one before held.
    fn condemn_only(&self, generation: u64) {
        self.condemned.fetch_max(generation + 1, Ordering::AcqRel);
        self.wake();
    }

    pub(super) fn is_condemned(&self) -> bool {
        self.condemned.load(Ordering::Acquire) > self.generation()
    }

    /// Says that another file stands at the path, ready to be read.
    pub(super) fn replaced(&self) {
        self.generation.fetch_add(1, Ordering::AcqRel);
    }

    fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }
}

/// One reader's view of the file. It follows the file when that is replaced, and says when it has to be.
pub(super) struct IndexView {
    file: Arc<IndexFile>,
    opened: Option<Opened>,
}

struct Opened {
    generation: u64,
    reader: SearchReader,
}

/// Why something was not read: which of the two files failed decides what follows.
#[derive(Debug)]
pub(super) enum Failure {
    Ledger(StoreError),
    Index(SearchError),
}

impl IndexView {
    pub(super) fn of(file: Arc<IndexFile>) -> Self {
        Self { file, opened: None }
    }

    /// Asks the index of one tenant.
    pub(super) fn ask<T>(
        &mut self,
        tenant: &str,
        ask: impl FnOnce(&Snapshot<'_>) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let generation = self.file.generation();
        let answer = self
            .reader(generation)
            .and_then(|reader| reader.snapshot(tenant))
            .map_err(Failure::Index)
            .and_then(|snapshot| ask(&snapshot));
        if let Err(Failure::Index(error)) = &answer {
            self.give_up(error, generation);
        }
        answer
    }

    /// The position up to which the ledger is known to be indexed; 0 when nothing can be known.
    pub(super) fn indexed_through(&mut self) -> i64 {
        let generation = self.file.generation();
        let answer = self.reader(generation).and_then(SearchReader::indexed_through);
        answer.unwrap_or_else(|error| {
            self.give_up(&error, generation);
            0
        })
    }

    /// The reader of the file that stood at the path when there were so many.
    fn reader(&mut self, generation: u64) -> Result<&SearchReader, SearchError> {
        let current = self.opened.take().filter(|opened| opened.generation == generation);
        let opened = match current {
            Some(opened) => opened,
            None => Opened { generation, reader: SearchReader::open(self.file.path())? },
        };
        Ok(&self.opened.insert(opened).reader)
    }

    /// Opens anew next time, and has the file replaced when the error says so.
    fn give_up(&mut self, error: &SearchError, generation: u64) {
        self.opened = None;
        if error.calls_for_rebuild() {
            self.file.condemn_only(generation);
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Ledger(error)
    }
}

impl From<SearchError> for Failure {
    fn from(error: SearchError) -> Self {
        Self::Index(error)
    }
}

/// The index is derived: its failure passes, and never makes the store untrusted.
impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Ledger(error) => error,
            Failure::Index(SearchError::Missing) => Self::bare(StoreErrorKind::Transient, "NO_SEARCH_INDEX"),
            Failure::Index(error) => Self::new(StoreErrorKind::Transient, "SEARCH_INDEX", error),
        }
    }
}
