//! Feeding the search index from the ledger, after the commit, on a thread that gives way to writers.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle, sleep};
use std::time::Duration;

use km_model::WriteDocument;
use rusqlite::{Connection, Row, params};
use tokio::time::Instant;
use tracing::{info, warn};

use super::classify::failed;
use super::index_file::{Failure, IndexFile};
use super::search::{Document, SearchError, SearchIndex};
use super::walk::newest;
use super::writer::Worked;
use super::{OpenError, find, io_error, open, rows};
use crate::directory::Lock;

/// Most rows of the ledger that one batch reads.
const BATCH_ROWS: usize = 1_000;
/// A batch ends with the row that brings it to so many bytes.
const BATCH_BYTES: usize = 4 << 20;
/// How long to wait at most between looks.
const PAUSE: Duration = Duration::from_secs(1);
/// How long to wait after a failure.
const REST: Duration = Duration::from_secs(1);
/// One step of a rest, so that stopping need not wait for all of it.
const REST_STEP: Duration = Duration::from_millis(50);
/// The shortest rest while others write: it makes one batch of many small commits.
const REST_WHILE_WRITTEN: Duration = Duration::from_millis(200);
/// What indexing takes of the time at least, however busy the writer is.
const SHARE_MIN: f64 = 0.1;
/// How much the thread gives way, in steps of `nice`.
const NICE: i32 = 10;

/// The thread that builds the index. Dropping it without [`Indexer::stop`] leaves a batch undone at most.
pub(super) struct Indexer {
    file: Arc<IndexFile>,
    stopping: Arc<AtomicBool>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Indexer {
    /// Starts the thread, which holds the directory until it has let go of the index. An index that cannot be
    /// opened now is tried again by it, as after any failure.
    pub(super) fn start(
        data: &Path,
        file: Arc<IndexFile>,
        writer: Worked,
        lock: Arc<Lock>,
    ) -> Result<Self, OpenError> {
        let ledger = open::reader(data)?;
        let signalled = file.signal();
        let stopping = Arc::new(AtomicBool::new(false));
        let mut feed = Feed {
            index: None,
            file: file.clone(),
            ledger,
            writer,
            stopping: stopping.clone(),
            data: data.to_path_buf(),
            _lock: lock,
        };
        // Whoever opens a store may read its index at once.
        if let Err(failure) = opened(&mut feed.index, &feed.file, &feed.ledger) {
            feed.fail(&failure);
        }
        let thread = Builder::new().name("km-indexer".to_owned()).spawn(move || feed.run(&signalled));
        let thread = thread.map_err(|source| io_error(data, source))?;
        Ok(Self { file, stopping, thread: Mutex::new(Some(thread)) })
    }

    /// Says that there is something new.
    pub(super) fn wake(&self) {
        self.file.wake();
    }

    /// Builds the index anew, in the background.
    pub(super) fn rebuild(&self) {
        self.file.condemn();
    }

    /// Ends the thread after the batch it is at.
    pub(super) fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
        self.file.hang_up();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            warn!("the indexer thread panicked");
        }
    }
}

/// Nobody waits for a thread that is dropped; it ends by itself, and lets go of the directory then.
impl Drop for Indexer {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::Release);
        self.file.hang_up();
    }
}

struct Feed {
    /// None while it cannot be opened.
    index: Option<SearchIndex>,
    file: Arc<IndexFile>,
    ledger: Connection,
    writer: Worked,
    stopping: Arc<AtomicBool>,
    data: PathBuf,
    _lock: Arc<Lock>,
}

/// Rows of the ledger, as far as the limits of a batch allow.
struct Batch {
    heads: Vec<Head>,
    /// The position of the last row.
    through: i64,
    /// Whether there may be more rows.
    more: bool,
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
            warn!(error = &error as &dyn Error, "the indexer runs at the priority of writers");
        }
        while !self.is_stopping() {
            let (begun, worked) = (Instant::now(), self.writer.time());
            let more = match self.advance() {
                Ok(more) => more,
                Err(failure) => {
                    self.fail(&failure);
                    self.rest(REST);
                    continue;
                }
            };
            match signalled.try_recv() {
                Ok(()) => self.rest(rest_after(begun.elapsed(), self.writer.time().saturating_sub(worked))),
                Err(TryRecvError::Empty) if more => {}
                Err(TryRecvError::Empty) => match signalled.recv_timeout(PAUSE) {
                    Ok(()) | Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => return,
                },
                Err(TryRecvError::Disconnected) => return,
            }
        }
    }

    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// Signals do not end a rest: neither a failure that lasts nor many small commits keep the thread busy.
    fn rest(&self, rest: Duration) {
        let until = Instant::now() + rest;
        while !self.is_stopping() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            sleep(left.min(REST_STEP));
        }
    }

    fn fail(&self, failure: &Failure) {
        match failure {
            Failure::Index(error) => {
                warn!(error = error as &dyn Error, data = %self.data.display(), "the search index failed");
                if error.calls_for_rebuild() {
                    self.file.condemn();
                }
            }
            Failure::Ledger(error) => {
                warn!(error = error as &dyn Error, data = %self.data.display(), "indexing could not read");
            }
        }
    }

    /// Indexes one batch, and says whether there may be more.
    fn advance(&mut self) -> Result<bool, Failure> {
        feed(opened(&mut self.index, &self.file, &self.ledger)?, &self.ledger)
    }
}

/// How long to rest after a batch, by how long it took and the writer worked meanwhile. Indexing and writing share
/// processors and a disk: of the time indexing takes the part that the writer leaves. What is not indexed yet is
/// searched in the ledger.
fn rest_after(took: Duration, worked: Duration) -> Duration {
    let share = (1.0 - worked.as_secs_f64() / took.as_secs_f64().max(f64::EPSILON)).clamp(SHARE_MIN, 1.0);
    took.mul_f64(1.0 / share - 1.0).max(REST_WHILE_WRITTEN)
}

/// The index, opened; an empty one where the file was condemned, or taken away.
fn opened<'i>(
    index: &'i mut Option<SearchIndex>,
    file: &IndexFile,
    ledger: &Connection,
) -> Result<&'i mut SearchIndex, Failure> {
    let lost = index.as_ref().is_some_and(|index| !index.is_in_place());
    let current = match index.take() {
        // Closed before another takes its place.
        closed if lost || file.is_condemned() => {
            drop(closed);
            info!(file = %file.path().display(), "the search index is built anew");
            SearchIndex::replace(file.path(), open::origin(ledger).map_err(failed)?)
                .inspect(|_| file.replaced())?
        }
        Some(current) => current,
        None => SearchIndex::open(file.path(), open::origin(ledger).map_err(failed)?)
            .inspect(|_| file.replaced())?,
    };
    Ok(index.insert(current))
}

/// Goes on where the index ends. It must be the same index from the look at its end to the last word of the batch.
fn feed(index: &mut SearchIndex, ledger: &Connection) -> Result<bool, Failure> {
    let after = index.indexed_through()?;
    if after > newest(ledger)? {
        return Err(SearchError::Foreign.into());
    }
    let Some(batch) = Batch::read(ledger, after)? else { return Ok(false) };
    let none = BTreeMap::new();
    let documents: Vec<Document<'_>> = batch.heads.iter().map(|head| head.document(&none)).collect();
    index.index(&documents, batch.through)?;
    Ok(batch.more)
}

impl Batch {
    /// The rows after a position; none at the end of the ledger.
    fn read(ledger: &Connection, after: i64) -> Result<Option<Self>, Failure> {
        let limit = params![after, find::limit(BATCH_ROWS)];
        let mut select = ledger.prepare_cached(include_str!("sql/index_page.sql")).map_err(failed)?;
        let mut found = select.query(limit).map_err(failed)?;
        let mut batch = Self { heads: Vec::new(), through: after, more: false };
        let (mut rows, mut bytes) = (0, 0);
        while let Some(row) = found.next().map_err(failed)? {
            batch.through = row.get(0).map_err(failed)?;
            let (head, size) = Head::read(row).map_err(failed)?;
            batch.heads.extend(head);
            rows += 1;
            bytes += size;
            batch.more = rows == BATCH_ROWS || bytes >= BATCH_BYTES;
            if batch.more {
                break;
            }
        }
        Ok((rows > 0).then_some(batch))
    }
}

impl Head {
    /// A row, when it is a head still, and how many bytes it has.
    fn read(row: &Row<'_>) -> rusqlite::Result<(Option<Self>, usize)> {
        let Some(payload) = row.get_ref(4)?.as_bytes_or_null()? else { return Ok((None, 0)) };
        let head = Self {
            position: row.get(0)?,
            tenant: row.get(1)?,
            entry_id: row.get(2)?,
            occurred_at: row.get(3)?,
            write: rows::json(row, 4)?,
        };
        Ok((Some(head), payload.len()))
    }

    fn document<'a>(&'a self, no_labels: &'a BTreeMap<String, String>) -> Document<'a> {
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
    no_labels: &'a BTreeMap<String, String>,
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

#[cfg(test)]
mod tests;
